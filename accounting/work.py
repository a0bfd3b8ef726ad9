"""What a run of accounting has to do, and what it keeps in mind between runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy.typing as npt

from accounting.differences import Differences
from accounting.factors.load import SourceFactor
from domain.registry import Enterprise, Point, Source

Rows = npt.NDArray[Any]
# The ids of factors by the identity of the object, which is kept so that it can't be another's.
FactorIds = dict[int, tuple[SourceFactor, int]]

GROUP_POINTS_MAX = 256  # points recomputed together: bounds memory, and spares round trips to the database


class Cause(NamedTuple):
    """Why entries are written: kind is arrival, registry, factors or rules."""

    kind: str
    batch_id: int | None
    by_whom: str
    why: str


@dataclass(slots=True)
class PointWork:
    """A point to recompute: around its new readings, and whole where the rules of its reading changed.

    arrived  READING_DTYPE, in order of arrival
    before   whole only from where its versions differ from those that its intervals stand on
    """

    point: Point
    cause: Cause
    arrived: Rows | None = None
    whole: bool = False
    before: Point | None = None


@dataclass(slots=True)
class Tail:
    """What a point's next readings are computed from without asking the books, as long as they come in order.

    anchor_us       everything that ends before it is settled, for readings later than `last_us`
    readings        READING_DTYPE from the anchor on
    last_us         the latest stamp of all readings
    day, chunk, size   the chunk of the channel-day that holds it, and how many readings it has
    """

    anchor_us: int
    readings: Rows
    last_us: int
    day: int
    chunk: int
    size: int


class LedgerDays(NamedTuple):
    """All rows (LEDGER_ROW) that a source has on the days [first_day, end_day)."""

    first_day: int
    end_day: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What a source counts on the local days [from_day, until_day), None for open; worked out once for a registry.

    terms    point, by what its amounts are multiplied (with the sign), when it is a part: [begin, end) [µs], ascending
    factors  series, factor, and its mg of an amount in 10^exponent
    """

    enterprise: Enterprise
    source: Source
    from_day: int
    until_day: int | None
    unit: str
    exponent: int
    terms: tuple[tuple[int, int, tuple[tuple[int, int | None], ...]], ...]
    factors: tuple[tuple[int, SourceFactor, Fraction], ...]


@dataclass(slots=True)
class Memory:
    """What an accountant keeps between runs; valid while each of its transactions has been committed."""

    factor_ids: FactorIds = field(default_factory=dict)
    due: set[int] = field(default_factory=set)  # days noted for validation, by `storage.findings.day_keys`
    tails: dict[int, Tail] = field(default_factory=dict)  # by point
    # rows as they stand, CONSUMPTION_ROW by point and LEDGER_ROW by source: of their last days, without a gap
    consumption: dict[int, Rows] = field(default_factory=dict)
    ledger: dict[int, LedgerDays] = field(default_factory=dict)
    plans: dict[int, SourcePlan] = field(default_factory=dict)  # by source


@dataclass(slots=True)
class SourceWork:
    """A source to recompute beside what its points call for: whole, or where that can make a difference.

    before      its enterprise as the ledger stands on it: where it rests on something else since then
    refactored  only factors can be others: where its entries stand on other ones than are due
    since_us    only the versions of its points are others, from this moment on
    """

    source: Source
    cause: Cause
    before: Enterprise | None = None
    refactored: bool = False
    since_us: int | None = None


@dataclass(slots=True)
class EnterpriseWork:
    """What a run has to do for one enterprise.

    within  of a rehearsal: the days [first, end) of the ledger that are asked for
    """

    enterprise: Enterprise
    points: dict[int, PointWork] = field(default_factory=dict)
    sources: dict[int, SourceWork] = field(default_factory=dict)  # by id
    within: tuple[int, int] | None = None


@dataclass(slots=True)
class TickResult:
    """What a tick did."""

    batches: int = 0
    readings: int = 0
    entries: int = 0  # ledger entries written
    superseded: int = 0
    committed_us: int = 0  # of the last batch taken: what the lag is measured from
    differences: Differences | None = (
        None  # what the entries written make of each source, where that is asked for
    )

    def add(self, other: TickResult) -> None:
        """Add what a shard of a restatement would write."""
        self.entries += other.entries
        self.superseded += other.superseded
        if self.differences is not None and other.differences is not None:
            self.differences.merge(other.differences)


def groups(works: Iterable[EnterpriseWork]) -> Iterator[list[EnterpriseWork]]:
    """Enterprises together, as long as their points are few."""
    group: list[EnterpriseWork] = []
    points = 0
    for work in works:
        size = len(work.points)
        if group and points + size > GROUP_POINTS_MAX:
            yield group
            group, points = [], 0
        group.append(work)
        points += size
    if group:
        yield group
