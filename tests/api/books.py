"""Books written by hand, as the comments of storage/migrations/0003_ledger.sql say, with their history and sums.

The slow and obvious way: a dictionary of intervals, written whole at each change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from accounting.channel import READING_DTYPE
from domain.interval import INTERVALS_PER_DAY, Calendar
from domain.reading import Flag, Quality, exact_value, pack
from storage.database import Connection

CALENDAR = Calendar()
NO_FLAGS = Flag(0)
MEASURED, ESTIMATED, INTERPOLATED = Quality.MEASURED, Quality.ESTIMATED, Quality.INTERPOLATED


@dataclass(frozen=True)
class Entry:
    """One interval: its amount before the factor, its mg CO2e."""

    amount: int = 0
    mg: int = 0
    quality: Quality = Quality.MEASURED
    flags: Flag = NO_FLAGS


@dataclass(frozen=True)
class Stored:
    """A stored reading."""

    at_us: int
    value: str
    revision: int = 0
    quality: int = 0
    flags: Flag = NO_FLAGS
    committed_us: int = 0


MISSING = Entry(0, 0, Quality.MISSING)


@dataclass
class Series:
    """What stands of a source in one series, by (day, index): the entry and the run that wrote it."""

    enterprise_id: int
    scope: int
    boundaries: list[str]
    unit: str
    exponent: int
    factor_id: int
    gas: str = "CO2"
    entries: dict[tuple[int, int], tuple[Entry, int, int]] = field(default_factory=dict)


class Books:
    """Writes as accounting does, one run a call of `run`."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.run_id = 0
        self._series: dict[tuple[int, int], Series] = {}
        self._consumption: dict[int, dict[tuple[int, int], tuple[Entry, int]]] = {}
        self._points: dict[int, tuple[int, int]] = {}

    def run(self, at: datetime | None = None, *, factor_set: str = "set-1", why: str = "batch 1") -> int:
        """Begin a run at a moment; what is written next belongs to it."""
        self.run_id += 1
        self.conn.execute(
            "INSERT INTO runs VALUES (%s, %s, '1', %s, 1, %s)",
            [self.run_id, at or datetime(2024, 6, 1, tzinfo=UTC), factor_set, self.run_id],
        )
        row = self.conn.execute(
            """INSERT INTO causes (run_id, kind, batch_id, by_whom, why)
               VALUES (%s, 'arrival', %s, '91430300MA4L0DEM8M/gw1', %s) RETURNING id""",
            [self.run_id, self.run_id, why],
        ).fetchone()
        assert row is not None
        self.cause_id: int = row[0]
        return self.run_id

    def factor(
        self, numerator: int, denominator: int = 1, *, factor_set: str = "set-1", **description: Any
    ) -> int:
        content = {
            "formula": "amount × emission_factor",
            "clause": "附录二 表2.2",
            "edition": "ndrc-2013",
            "factors": [
                {"name": "emission_factor", "value": "0.5703", "unit": "tCO2/MWh", "confidence": "H"}
            ],
            **description,
        }
        row = self.conn.execute(
            """INSERT INTO used_factors (digest, factor_set, numerator, denominator, description)
               VALUES (%s, %s, %s, %s, %s) RETURNING id""",
            [
                f"{numerator}/{denominator}/{factor_set}/{json.dumps(content)}",
                factor_set,
                numerator,
                denominator,
                json.dumps(content),
            ],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def source(
        self,
        source_id: int,
        enterprise_id: int,
        scope: int,
        factor_id: int,
        *,
        boundaries: tuple[str, ...] = ("account",),
        series: int = 0,
        unit: str = "kWh",
        exponent: int = -2,
    ) -> None:
        self._series[source_id, series] = Series(
            enterprise_id, scope, list(boundaries), unit, exponent, factor_id
        )

    def write(self, source_id: int, day: int, entries: Mapping[int, Entry], series: int = 0) -> None:
        """Write intervals of a day; those written before are superseded."""
        its = self._series[source_id, series]
        old = {index: its.entries[day, index] for index in entries if (day, index) in its.entries}
        if old:
            indexes = sorted(old)
            self.conn.execute(
                """INSERT INTO ledger_history (source_id, day, series, gas, superseded_by, enterprise_id, scope,
                       boundaries, unit, exponent, factor_id, indexes, consumption, mg, states, run_ids, cause_ids)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [
                    source_id, day, series, its.gas, self.run_id, its.enterprise_id, its.scope, its.boundaries,
                    its.unit, its.exponent, its.factor_id, indexes,
                    [old[i][0].amount for i in indexes],
                    [old[i][0].mg for i in indexes],
                    [pack(old[i][0].quality, old[i][0].flags) for i in indexes],
                    [old[i][1] for i in indexes],
                    [old[i][2] for i in indexes],
                ],
            )  # fmt: skip
        for index, entry in entries.items():
            its.entries[day, index] = (entry, self.run_id, self.cause_id)
        self._store(source_id, series, day)

    def _store(self, source_id: int, series: int, day: int) -> None:
        its = self._series[source_id, series]
        row = [its.entries.get((day, index), (MISSING, 0, 0)) for index in range(INTERVALS_PER_DAY)]
        self.conn.execute(
            "DELETE FROM ledger_days WHERE source_id = %s AND day = %s AND series = %s",
            [source_id, day, series],
        )
        self.conn.execute(
            """INSERT INTO ledger_days (source_id, day, series, gas, enterprise_id, scope, boundaries, unit, exponent,
                   factor_id, consumption, mg, states, run_ids, cause_ids, mg_sum, known, measured, interpolated,
                   estimated, substituted, flags)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                source_id, day, series, its.gas, its.enterprise_id, its.scope, its.boundaries, its.unit, its.exponent,
                its.factor_id,
                [entry.amount for entry, _, _ in row],
                [entry.mg for entry, _, _ in row],
                [pack(entry.quality, entry.flags) for entry, _, _ in row],
                [run for _, run, _ in row],
                [cause for _, _, cause in row],
                *_sums(entry for entry, _, _ in row),
            ],
        )  # fmt: skip
        month = CALENDAR.month_start(day)
        following = CALENDAR.month_start(day, 1)
        of_month = [entry for (on, _), (entry, _, _) in its.entries.items() if month <= on < following]
        sums = _sums(of_month)
        self.conn.execute(
            "DELETE FROM ledger_months WHERE source_id = %s AND month = %s AND series = %s",
            [source_id, month, series],
        )
        self.conn.execute(
            """INSERT INTO ledger_months (source_id, month, series, gas, enterprise_id, scope, boundaries, mg_sum,
                   known, measured, interpolated, estimated, substituted, flags, factor_ids)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                source_id, month, series, its.gas, its.enterprise_id, its.scope, its.boundaries, *sums,
                [its.factor_id] if sums[1] else [],
            ],
        )  # fmt: skip

    def point(self, point_id: int, enterprise_id: int, exponent: int = -2) -> None:
        self._points[point_id] = (enterprise_id, exponent)
        self._consumption.setdefault(point_id, {})

    def measure(self, point_id: int, day: int, entries: Mapping[int, Entry]) -> None:
        """Write consumption of a point; what was written before goes to the history."""
        enterprise_id, exponent = self._points[point_id]
        mine = self._consumption[point_id]
        old = {index: mine[day, index] for index in entries if (day, index) in mine}
        if old:
            indexes = sorted(old)
            self.conn.execute(
                """INSERT INTO consumption_history (channel_id, day, superseded_by, enterprise_id, exponent, indexes,
                       amounts, states, run_ids) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [
                    point_id, day, self.run_id, enterprise_id, exponent, indexes,
                    [old[i][0].amount for i in indexes],
                    [pack(old[i][0].quality, old[i][0].flags) for i in indexes],
                    [old[i][1] for i in indexes],
                ],
            )  # fmt: skip
        for index, entry in entries.items():
            mine[day, index] = (entry, self.run_id)
        row = [mine.get((day, index), (MISSING, 0)) for index in range(INTERVALS_PER_DAY)]
        self.conn.execute("DELETE FROM consumption_days WHERE channel_id = %s AND day = %s", [point_id, day])
        self.conn.execute(
            """INSERT INTO consumption_days (channel_id, day, enterprise_id, exponent, amounts, states, run_ids,
                   anchor_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                point_id, day, enterprise_id, exponent,
                [entry.amount for entry, _ in row],
                [pack(entry.quality, entry.flags) for entry, _ in row],
                [run for _, run in row],
                -(1 << 63),
            ],
        )  # fmt: skip

    def store_readings(self, point_id: int, readings: Sequence[Stored], gateway: str = "gw1") -> None:
        """Readings as they lie in the channel-days, in two chunks a day where a day has several."""
        row = self.conn.execute(
            "SELECT id FROM gateways WHERE gateway = %s ORDER BY id LIMIT 1", [gateway]
        ).fetchone()
        assert row is not None
        by_day: dict[int, list[Stored]] = {}
        for reading in readings:
            by_day.setdefault(CALENDAR.day(reading.at_us), []).append(reading)
        for day, its in by_day.items():
            for chunk, part in enumerate((its[: len(its) // 2], its[len(its) // 2 :])):
                if not part:
                    continue
                packed = np.zeros(len(part), READING_DTYPE)
                for place, reading in enumerate(part):
                    exact = exact_value(reading.value)
                    assert exact is not None
                    packed[place]["at"] = reading.at_us
                    packed[place]["mantissa"], packed[place]["exponent"] = exact
                    packed[place]["committed_at"] = reading.committed_us or reading.at_us + 1_000_000
                    packed[place]["gateway"], packed[place]["batch"] = row[0], 1
                    packed[place]["revision"], packed[place]["quality"] = reading.revision, reading.quality
                    packed[place]["flags"] = reading.flags
                self.conn.execute(
                    """INSERT INTO channel_days (channel_id, day, chunk, enterprise_id, size, readings)
                       VALUES (%s, %s, %s, %s, %s, %s)""",
                    [point_id, day, chunk, self._points[point_id][0], len(part), packed.tobytes()],
                )


def _sums(entries: Any) -> list[int]:
    known = [entry for entry in entries if entry.quality]
    flags = Flag(0)
    for entry in known:
        flags |= entry.flags
    return [
        sum(entry.mg for entry in known),
        len(known),
        sum(entry.quality is Quality.MEASURED for entry in known),
        sum(entry.quality is Quality.INTERPOLATED for entry in known),
        sum(entry.quality is Quality.ESTIMATED for entry in known),
        sum(bool(entry.flags & Flag.SUBSTITUTED) for entry in known),
        int(flags),
    ]


def day_of(text: str) -> int:
    return CALENDAR.day_of(datetime.fromisoformat(text).date())
