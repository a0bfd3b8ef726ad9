"""Books that are only read: what a run writes is kept in memory, to be told, or written by another process.

A rehearsal computes over such books and throws away what they kept; a shard of a restatement computed elsewhere
hands it over to the one that writes (`write`). What was written of consumption is read back as if it stood, since
derived points and sources are computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accounting.books import Books, Rows
from domain.ledger import CONSUMPTION_ROW, Chunk, Trait


@dataclass(slots=True)
class Written:
    """What a run would write, in order: the name of a method of `Books`, and what it is given.

    Causes and factors that the books don't have yet go by numbers below 0, by their places in these lists.
    """

    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    causes: list[tuple[str, int | None, str, str]] = field(default_factory=list)
    factors: list[tuple[str, str, int, int, Any]] = field(
        default_factory=list
    )  # what `Books.used_factor` takes


class Names:
    """Numbers below 0 of the factors that the books don't have yet: one for each, through a whole rehearsal."""

    def __init__(self) -> None:
        self.factors: list[tuple[str, str, int, int, Any]] = []
        self._by_digest: dict[str, int] = {}

    def of(self, factor: tuple[str, str, int, int, Any]) -> int:
        if factor[0] not in self._by_digest:
            self.factors.append(factor)
            self._by_digest[factor[0]] = -len(self.factors)
        return self._by_digest[factor[0]]

    def descriptions(self) -> dict[int, Any]:
        return {-place: factor[-1] for place, factor in enumerate(self.factors, 1)}


class RecordedBooks:
    """The books as they stand in `books`, with what this run has written over them.

    written  what was written, or None where nobody is to write it
    """

    def __init__(self, books: Books, names: Names, *, keep: bool) -> None:
        self._books = books
        self._names = names
        self._consumption = np.empty(0, CONSUMPTION_ROW)
        self._causes: dict[tuple[str, int | None, str, str], int] = {}
        self.written = Written(factors=names.factors) if keep else None

    def _keep(self, name: str, *arguments: Any) -> None:
        if self.written is not None:
            self.written.calls.append((name, arguments))

    # -- read -----------------------------------------------------------------------------------------

    def chunks(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> list[Chunk]:
        return self._books.chunks(channel_ids, from_days, to_days)

    def day_bounds(self, channel_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        bounds = self._books.day_bounds(channel_ids)
        for id_ in set(channel_ids) & set(np.unique(self._consumption["channel_id"]).tolist()):
            days = self._consumption["day"][self._consumption["channel_id"] == id_]
            known = [*bounds.get(id_, ()), int(days.min()), int(days.max())]
            bounds[id_] = min(known), max(known)
        return bounds

    def source_bounds(self, source_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        return self._books.source_bounds(source_ids)

    def anchors(self, channel_ids: Sequence[int], days: Sequence[int]) -> list[int]:
        return self._books.anchors(channel_ids, days)

    def consumption(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> Rows:
        rows = self._books.consumption(channel_ids, from_days, to_days)
        mine = self._consumption
        wanted = np.zeros(len(mine), bool)
        for id_, first, last in zip(channel_ids, from_days, to_days, strict=True):
            low = np.searchsorted(mine["channel_id"], id_)
            high = np.searchsorted(mine["channel_id"], id_, side="right")
            wanted[low:high] |= (mine["day"][low:high] >= first) & (mine["day"][low:high] <= last)
        if not wanted.any():
            return rows
        return _over(rows, mine[wanted])

    def ledger(self, source_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]) -> Rows:
        # A run writes a source's day once, after it has read it.
        return self._books.ledger(source_ids, from_days, to_days)

    def factor_days(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        return self._books.factor_days(source_ids, first_days, end_days)

    def known_factor(self, digest: str) -> int | None:
        return self._books.known_factor(digest)

    # -- written --------------------------------------------------------------------------------------

    def append_readings(self, chunks: Sequence[Chunk], enterprise_ids: Sequence[int]) -> None:  # noqa: ARG002
        assert not chunks, "readings arrive in ticks alone"

    def add_tallies(self, differences: dict[tuple[int, int], tuple[int, int]]) -> None:
        self._keep("add_tallies", differences)

    def replace_tallies(self, channel_id: int, tallies: dict[int, tuple[int, int]]) -> None:
        self._keep("replace_tallies", channel_id, tallies)

    def replace_consumption(self, rows: Rows, enterprise_ids: Rows) -> None:
        self._consumption = _over(self._consumption, rows)
        self._keep("replace_consumption", rows, enterprise_ids)

    def keep_consumption(self, run_id: int, channel_ids: Rows, days: Rows, superseded: Rows) -> None:
        self._keep("keep_consumption", run_id, channel_ids, days, superseded)

    def replace_ledger(self, groups: Sequence[tuple[Trait, Rows, Rows]]) -> None:
        self._keep("replace_ledger", groups)

    def keep_ledger(self, run_id: int, source_ids: Rows, days: Rows, series: Rows, superseded: Rows) -> None:
        self._keep("keep_ledger", run_id, source_ids, days, series, superseded)

    def sum_months(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> None:
        self._keep("sum_months", source_ids, first_days, end_days)

    def used_factor(
        self, digest: str, factor_set: str, numerator: int, denominator: int, description: Any
    ) -> int:
        known = self._books.known_factor(digest)
        if known is None:
            known = self._names.of((digest, factor_set, numerator, denominator, description))
        return known

    def causes(self, run_id: int, causes: Sequence[tuple[str, int | None, str, str]]) -> list[int]:  # noqa: ARG002
        for cause in causes:
            if cause not in self._causes:
                self._causes[cause] = -len(self._causes) - 1
                if self.written is not None:
                    self.written.causes.append(cause)
        return [self._causes[cause] for cause in causes]


def _over(rows: Rows, newer: Rows) -> Rows:
    """Rows of consumption with newer ones in their places, in the order of channel and day."""
    together = np.concatenate([newer, rows])
    keys = together["channel_id"].astype(np.int64) << 32 | together["day"].astype(np.int64)
    _, first = np.unique(keys, return_index=True)  # the first of equal ones: the newer
    result: Rows = together[first]
    return result


def write(written: Written, books: Books, run_id: int) -> dict[int, int]:
    """Write what a run elsewhere has kept, under its number; the numbers of its factors that were below 0."""
    causes = np.array([0, *books.causes(run_id, written.causes)], np.int64)
    factors = np.array([0, *(books.used_factor(*factor) for factor in written.factors)], np.int64)
    for name, arguments in written.calls:
        if name == "replace_ledger":
            (groups,) = arguments
            arguments = (
                [(trait, _renamed(rows, causes, factors), owners) for trait, rows, owners in groups],
            )
        getattr(books, name)(*arguments)
    return {-place: int(id_) for place, id_ in enumerate(factors.tolist()) if place}


def _renamed(rows: Rows, causes: Rows, factors: Rows) -> Rows:
    """Rows of the ledger with the numbers that the books gave in the place of those below 0."""
    rows = rows.copy()
    for name, given in (("cause_ids", causes), ("factor_id", factors)):
        rows[name] = np.where(
            rows[name] < 0, given[np.maximum(-rows[name], 0) * (rows[name] < 0)], rows[name]
        )
    return rows
