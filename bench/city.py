"""A city whose ledger is there already, for the benchmark of the API: plausible entries, written as accounting does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.fleet import Fleet
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import ACCOUNT_SERIES, LEDGER_ROW, Trait
from domain.reading import Quality
from domain.registry import Registry
from storage import registry
from storage.database import Connection
from storage.ledger import Books, Cursor

_TRAIT = Trait("CO2", 2, ("account", "ets"), "kWh")
_AT_ONCE = 25  # enterprises written together
_RECENT_DAYS = 62  # of everybody: this month, the last one, and the edges of windows


@dataclass(frozen=True, slots=True)
class City:
    """Enterprises of `fleet`, a source for each device. The first `asked` of them have `days` in the ledger.

    now_us   up to when entries are known
    """

    fleet: Fleet
    asked: int
    days: int
    now_us: int
    calendar: Calendar

    def write(self, conn: Connection, tell: Callable[[str], None]) -> int:
        """Write it into a database with the fleet registered; how many entries there are."""
        known = registry.load(conn)
        books = Books(conn)
        run_id = books.begin_run()
        factor_id = books.used_factor(
            "bench", "bench", 11_407, 2, {"formula": "AD × EF", "clause": "bench", "factors": []}
        )
        (cause_id,) = books.causes(run_id, [("arrival", None, "bench", "bench")])
        random = np.random.default_rng(1)
        enterprises = sorted(known.enterprises)
        entries = 0
        for first in range(0, len(enterprises), _AT_ONCE):
            tell(f"writing the ledger of enterprise {first} of {len(enterprises)}")
            some = enterprises[first : first + _AT_ONCE]
            rows, owners = self._rows(known, some, factor_id, run_id, cause_id, random)
            books.replace_ledger([(_TRAIT, rows, owners)])
            self._sum_months(books, rows)
            entries += int(rows["known"].sum())
        books.end_run(Cursor(0, known.version, "bench", "1"), set())
        return entries

    def _rows(
        self,
        known: Registry,
        usccs: list[str],
        factor_id: int,
        run_id: int,
        cause_id: int,
        random: np.random.Generator,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        today = self.calendar.day(self.now_us)
        asked = set(self.fleet.codes[: self.asked])
        sources: list[int] = []
        days: list[int] = []
        owners: list[int] = []
        for uscc in usccs:
            enterprise = known.enterprises[uscc]
            span = self.days if uscc in asked else min(self.days, _RECENT_DAYS)
            for source in enterprise.sources.values():
                sources += [source.id] * span
                days += range(today - span + 1, today + 1)
                owners += [enterprise.id] * span
        rows = np.zeros(len(days), LEDGER_ROW)
        rows["source_id"], rows["day"], rows["series"], rows["exponent"] = sources, days, ACCOUNT_SERIES, -2
        rows["factor_id"] = factor_id
        today_known = (self.now_us - self.calendar.day_start(today)) // INTERVAL_US
        until = np.where(rows["day"] < today, INTERVALS_PER_DAY, today_known)
        is_known = np.arange(INTERVALS_PER_DAY) < until[:, None]
        rows["consumption"] = np.where(is_known, random.integers(1_000, 5_000, is_known.shape), 0)
        rows["mg"] = rows["consumption"] * 5_703
        rows["states"] = np.where(is_known, int(Quality.MEASURED), 0)
        rows["run_ids"], rows["cause_ids"] = is_known * run_id, is_known * cause_id
        rows["mg_sum"], rows["known"] = rows["mg"].sum(axis=1), until
        rows["measured"] = until
        return rows, np.array(owners)

    def _sum_months(self, books: Books, rows: npt.NDArray[Any]) -> None:
        starts = {day: self.calendar.month_start(day) for day in np.unique(rows["day"]).tolist()}
        pairs = {
            (source, starts[day])
            for source, day in zip(rows["source_id"].tolist(), rows["day"].tolist(), strict=True)
        }
        ends = {month: self.calendar.month_start(month, 1) for _, month in pairs}
        ordered = sorted(pairs)
        books.sum_months(
            [source for source, _ in ordered],
            [month for _, month in ordered],
            [ends[month] for _, month in ordered],
        )
