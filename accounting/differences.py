"""What two states of the ledger differ by: entries in the place of others, added up exactly. Pure.

A *step* is one entry that took the place of another (or of none). What changed about it is one of `Way`, so the
differences by way add up to the whole; so do those of the steps by their causes, since the entries of an interval
follow one another without a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accounting.entries import QUALITY_BITS, Changes
from domain.interval import INTERVALS_PER_DAY
from domain.ledger import Trait
from domain.reading import Quality

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_LOW = (1 << 32) - 1
_DIGITS_MAX = 18  # of a power of ten that int64 holds


class Way(StrEnum):
    """What is another about an entry than about the one before it."""

    NEW = "new"  # there was none, or it was missing
    GONE = "gone"  # it has become missing
    AMOUNT = "amount"
    FACTOR = "factor"
    AMOUNT_AND_FACTOR = "amount_and_factor"
    QUALITY = "quality"  # its quality or flags alone


class Part(NamedTuple):
    """How many entries, and the difference that they make."""

    entries: int
    mg: int

    def plus(self, other: Part) -> Part:
        return Part(self.entries + other.entries, self.mg + other.mg)


NONE = Part(0, 0)


@dataclass(slots=True)
class Steps:
    """Entries and what stood before them; all arrays are parallel.

    interval      number of the interval, counted from the beginning of local day 0
    before, after mg CO2e, 0 where missing
    had, has      whether it was, and is, known
    superseded    whether an entry stood there before, a missing one too
    same_amount   of the consumption before the factor
    old_factor, new_factor   ids of used factors
    """

    interval: Int64
    before: Int64
    after: Int64
    had: Bools
    has: Bools
    superseded: Bools
    same_amount: Bools
    old_factor: Int64
    new_factor: Int64

    def at(self, where: Any) -> Steps:
        """Those at some places."""
        return Steps(*(getattr(self, name)[where] for name in self.__slots__))

    def ways(self) -> npt.NDArray[np.int64]:
        """The way of each step, as its place in `Way`."""
        same_factor = self.old_factor == self.new_factor
        ways = list(Way)
        conditions = {
            Way.NEW: ~self.had & self.has,
            Way.GONE: self.had & ~self.has,
            Way.QUALITY: ~self.had | (self.same_amount & same_factor),
            Way.AMOUNT: same_factor,
            Way.FACTOR: self.same_amount,
        }
        places: npt.NDArray[np.int64] = np.select(
            list(conditions.values()),
            [np.int64(ways.index(way)) for way in conditions],
            np.int64(ways.index(Way.AMOUNT_AND_FACTOR)),
        )
        return places


@dataclass(slots=True)
class Difference:
    """Steps added up.

    before_mg, after_mg  of the entries that changed, not of all there are
    first, last          numbers of the first and last interval
    factors              by (id before, id after), of entries known before and after under another factor
    """

    before_mg: int = 0
    after_mg: int = 0
    entries: int = 0
    superseded: int = 0
    first: int = 0
    last: int = 0
    ways: dict[Way, Part] = field(default_factory=dict)
    factors: dict[tuple[int, int], Part] = field(default_factory=dict)

    @property
    def mg(self) -> int:
        return self.after_mg - self.before_mg

    def add(self, other: Difference) -> None:
        if not other.entries:
            return
        self.first = min(self.first, other.first) if self.entries else other.first
        self.last = max(self.last, other.last) if self.entries else other.last
        self.before_mg += other.before_mg
        self.after_mg += other.after_mg
        self.entries += other.entries
        self.superseded += other.superseded
        for way, part in other.ways.items():
            self.ways[way] = self.ways.get(way, NONE).plus(part)
        for pair, part in other.factors.items():
            self.factors[pair] = self.factors.get(pair, NONE).plus(part)


@dataclass(slots=True)
class SourceDifference(Difference):
    """What became of one series of a source.

    gas, boundaries  as its entries count, of those written last
    causes           (kind, by whom, why)
    """

    gas: str = ""
    boundaries: tuple[str, ...] = ()
    causes: dict[tuple[str, str, str], None] = field(default_factory=dict)


class Differences:
    """What a run changes, by (USCC, source, series)."""

    def __init__(self) -> None:
        self.by_source: dict[tuple[str, str, int], SourceDifference] = {}

    def add(
        self, name: tuple[str, str, int], changes: Changes, cause: tuple[str, str, str], trait: Trait
    ) -> None:
        found = self.by_source.setdefault(name, SourceDifference())
        found.add(difference(steps_of(changes)))
        found.causes[cause] = None
        if trait.scope or not found.gas:  # entries without a factor don't tell how they count
            found.gas, found.boundaries = trait.gas, trait.boundaries

    def factor_ids(self) -> set[int]:
        return {id_ for each in self.by_source.values() for pair in each.factors for id_ in pair}

    def rename_factors(self, names: Mapping[int, int]) -> None:
        """Put the lasting ids of factors in the places of others."""
        for each in self.by_source.values():
            each.factors = {
                (names.get(old, old), names.get(new, new)): part for (old, new), part in each.factors.items()
            }

    def merge(self, other: Differences) -> None:
        for name, theirs in other.by_source.items():
            found = self.by_source.setdefault(name, SourceDifference())
            found.add(theirs)
            found.causes.update(theirs.causes)
            if theirs.gas:
                found.gas, found.boundaries = theirs.gas, theirs.boundaries


def difference(steps: Steps) -> Difference:
    """The steps added up."""
    count = len(steps.interval)
    if not count:
        return Difference()
    result = Difference(
        exact_sum(steps.before),
        exact_sum(steps.after),
        count,
        int(steps.superseded.sum()),
        int(steps.interval.min()),
        int(steps.interval.max()),
    )
    ways = steps.ways()
    for place, entries in enumerate(np.bincount(ways).tolist()):
        if entries:
            result.ways[list(Way)[place]] = _part(steps, ways == place)
    refactored = np.flatnonzero(steps.had & steps.has & (steps.old_factor != steps.new_factor))
    if len(refactored):
        old, new = steps.old_factor[refactored], steps.new_factor[refactored]
        begins = np.flatnonzero(
            (np.diff(old, prepend=old[0] - 1) != 0) | (np.diff(new, prepend=new[0] - 1) != 0)
        )
        for pair in dict.fromkeys(zip(old[begins].tolist(), new[begins].tolist(), strict=True)):
            result.factors[pair] = _part(steps, refactored[(old == pair[0]) & (new == pair[1])])
    return result


def _part(steps: Steps, where: npt.NDArray[Any]) -> Part:
    after = steps.after[where]
    return Part(len(after), exact_sum(after) - exact_sum(steps.before[where]))


def exact_sum(values: Int64) -> int:
    """The sum of int64 values, in two halves neither of which can overflow."""
    return (int((values >> 32).sum()) << 32) + int((values & _LOW).sum())


class Told(NamedTuple):
    """Steps with what tells them apart, parallel to them."""

    steps: Steps
    source_ids: Int64
    cause_ids: Int64

    def at(self, where: Any) -> Told:
        return Told(self.steps.at(where), self.source_ids[where], self.cause_ids[where])


def steps_between(versions: npt.NDArray[Any], after_run: int = 0, until_run: int | None = None) -> Told:
    """The steps of runs after one and until another, of the versions of entries that were read from the same run on
    (`storage.restatements.entry_versions`). Steps from missing to missing are left out.

    What doesn't count in the boundary that the versions were read for is as if it were missing.
    """
    order = ("run_id", "index", "day", "series", "source_id")
    rows = versions[np.lexsort(tuple(versions[name] for name in order))]
    follows = np.zeros(len(rows), bool)
    follows[1:] = True
    for name in order[1:]:
        follows[1:] &= rows[name][1:] == rows[name][:-1]
    known = (rows["state"] & QUALITY_BITS != Quality.MISSING) & (rows["counts"] != 0)
    mg = np.where(known, rows["mg"], 0)
    before = np.roll(np.arange(len(rows)), 1)  # the version before, where `follows`
    is_step = (known | (follows & known[before])) & (rows["run_id"] > after_run)
    if until_run is not None:
        is_step &= rows["run_id"] <= until_run
    wanted = np.flatnonzero(is_step)
    old = before[wanted]
    had = follows[wanted] & known[old]
    interval = rows["day"].astype(np.int64) * INTERVALS_PER_DAY + rows["index"]
    exponent = rows["exponent"].astype(np.int64)
    steps = Steps(
        interval[wanted],
        np.where(had, mg[old], 0),
        mg[wanted],
        had,
        known[wanted],
        follows[wanted],
        same_amounts(rows["consumption"][old], exponent[old], rows["consumption"][wanted], exponent[wanted]),
        rows["factor_id"][old],
        rows["factor_id"][wanted],
    )
    return Told(
        steps,
        rows["source_id"][wanted].astype(np.int64),
        rows["cause_id"][wanted],
    )


def steps_of(changes: Changes) -> Steps:
    """The entries of a run's changes to rows of the ledger."""
    changed, old, new = changes.changed, changes.old, changes.rows
    count = changed.sum(axis=1)  # of each row
    interval = new["day"].astype(np.int64)[:, None] * INTERVALS_PER_DAY + np.arange(INTERVALS_PER_DAY)
    had = (old["states"] & QUALITY_BITS != Quality.MISSING)[changed]
    has = (new["states"] & QUALITY_BITS != Quality.MISSING)[changed]
    return Steps(
        interval[changed],
        np.where(had, old["mg"][changed], 0),
        np.where(has, new["mg"][changed], 0),
        had,
        has,
        changes.superseded[changed],
        same_amounts(
            old["consumption"][changed],
            np.repeat(old["exponent"].astype(np.int64), count),
            new["consumption"][changed],
            np.repeat(new["exponent"].astype(np.int64), count),
        ),
        np.repeat(old["factor_id"], count),
        np.repeat(new["factor_id"], count),
    )


def same_amounts(left: Int64, left_exponent: Int64, right: Int64, right_exponent: Int64) -> Bools:
    """Whether amounts, each in its own power of ten, are equal."""
    result: Bools = (left == right) & ((left_exponent == right_exponent) | (left == 0))
    apart = left_exponent - right_exponent
    for digits in np.unique(apart[apart != 0]).tolist():
        places = apart == digits
        coarse, fine = (left, right) if digits > 0 else (right, left)
        if abs(digits) > _DIGITS_MAX:
            result[places] = (coarse[places] == 0) & (fine[places] == 0)
        else:
            whole, rest = np.divmod(fine[places], 10 ** abs(digits))
            result[places] = (rest == 0) & (whole == coarse[places])
    return result
