"""Which intervals are expected to be known: those in which a source has a part, or a point a version.

Pure. The share of the expected ones that is known is the coverage of an amount. Ranges are of interval numbers,
`us // INTERVAL_US`, half-open; an open validity ends at `NEVER`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from accounting.methods.load import Methods
from accounting.sources import validity
from domain.interval import EPOCH_DATE, INTERVAL_US, Calendar
from domain.registry import Enterprise, Product, Source, SourceVersion, Term, dated_value

NEVER = 1 << 40
EARLIEST_DAY = (date(1900, 1, 1) - EPOCH_DATE).days
Int64 = npt.NDArray[np.int64]
Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Traits:
    """How the emissions of a source count: a matter of its method, known before any of them is."""

    gases: tuple[str, ...]
    scope: int
    boundaries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExpectedRange:
    """Intervals [first, end) in which a source is expected, under one set of traits."""

    source_id: int
    code: str
    first: int
    end: int
    traits: Traits

    def within(self, first: int, end: int) -> ExpectedRange:
        """The part of it in [first, end); empty where its end isn't beyond its first."""
        return replace(self, first=max(self.first, first), end=min(self.end, end))


def point_ranges(enterprise: Enterprise, name: str) -> Ranges:
    """The intervals that lie at least partly within the validity of a point; of a derived one, of all its inputs."""
    ranges = []
    for from_us, to_us in validity(enterprise, name):
        first = max(-NEVER, from_us // INTERVAL_US)
        ranges.append((first, NEVER if to_us is None else -(-to_us // INTERVAL_US)))
    return union(ranges)


def sum_ranges(
    enterprise: Enterprise, versions: Sequence[tuple[int | None, tuple[Term, ...]]], calendar: Calendar
) -> list[Ranges]:
    """For each version of a signed sum (from a local day on, its terms): when at least one of its parts is valid."""
    result = []
    for index, (from_day, terms) in enumerate(versions):
        first = -NEVER if from_day is None else calendar.day_start(from_day) // INTERVAL_US
        end = NEVER
        if index + 1 < len(versions):
            following = versions[index + 1][0]
            assert following is not None  # versions are ordered: only the first may hold for all time
            end = calendar.day_start(following) // INTERVAL_US
        result.append(
            union(
                (max(first, begin), min(end, stop))
                for point in sorted({term.point for term in terms})
                for begin, stop in point_ranges(enterprise, point)
            )
        )
    return result


def source_ranges(
    enterprise: Enterprise, source: Source, calendar: Calendar, methods: Methods
) -> list[ExpectedRange]:
    """When a source is expected: from its beginning on, while at least one of its parts is valid."""
    every = sum_ranges(enterprise, [(each.from_day, each.value.terms) for each in source.versions], calendar)
    result = []
    for version, ranges in zip(source.versions, every, strict=True):
        for begin, stop, traits in _traits(enterprise, version.value, calendar, methods):
            for first, end in ranges:
                if max(first, begin) < min(end, stop):
                    result.append(
                        ExpectedRange(source.id, source.code, max(first, begin), min(end, stop), traits)
                    )
    return result


def _traits(
    enterprise: Enterprise, version: SourceVersion, calendar: Calendar, methods: Methods
) -> Iterator[tuple[int, int, Traits]]:
    """The traits of a source in time, as the factor library gives them with its factors.

    They change with the enterprise's edition, and where a source leaves the market or the market has a new edition.
    """
    editions = [each for (industry, each) in methods.by_edition if industry == enterprise.industry]
    changes = {each.from_day for each in enterprise.editions if each.from_day is not None}
    for edition in editions:
        method = methods.by_edition[enterprise.industry, edition].get(version.method)
        years = methods.editions[edition].data_years
        dates = [years.first, method.ets_until if method else None]
        changes |= {calendar.day_of(each) for each in dates if each is not None}
        if years.last is not None:
            changes.add(calendar.day_of(years.last) + 1)
    days: list[int | None] = [None, *sorted(changes)]
    for index, day in enumerate(days):
        first = -NEVER if day is None else calendar.day_start(day) // INTERVAL_US
        following = days[index + 1] if index + 1 < len(days) else None
        end = NEVER if following is None else calendar.day_start(following) // INTERVAL_US
        for traits in _traits_on(
            enterprise, version, EARLIEST_DAY if day is None else day, calendar, methods
        ):
            yield first, end, traits


def _traits_on(
    enterprise: Enterprise, version: SourceVersion, day: int, calendar: Calendar, methods: Methods
) -> list[Traits]:
    """What the account's edition says of a method on a day, and the market's where that is another one."""
    own, local = dated_value(enterprise.editions, day), calendar.date(day)
    account_edition = own or methods.own_edition(enterprise.industry)
    market_edition = own or methods.market_edition(enterprise.industry, local) or account_edition
    apart = market_edition != account_edition
    result = []
    account = methods.by_edition.get((enterprise.industry, account_edition), {}).get(version.method)
    if account is not None:
        boundaries = tuple(
            each
            for each in account.boundaries
            if account.counts_for(each, local) and not (apart and each == "ets")
        )
        if boundaries:
            result.append(Traits(account.gases_of(version.material), account.scope, boundaries))
    market = methods.by_edition.get((enterprise.industry, market_edition), {}).get(version.method)
    if apart and market is not None and market.counts_for("ets", local):
        result.append(Traits(market.gases_of(version.material), market.scope, ("ets",)))
    return result


def product_ranges(enterprise: Enterprise, product: Product, calendar: Calendar) -> Ranges:
    """When a product's output is expected."""
    every = sum_ranges(enterprise, [(each.from_day, each.value.terms) for each in product.versions], calendar)
    return union(pair for ranges in every for pair in ranges)


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same intervals as ordered ranges that neither overlap nor touch; empty ones left out."""
    result: Ranges = []
    for first, end in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((first, end))
    return result


class Expectation:
    """Counts expected intervals of many ranges (of one source or of a city's) between any two moments."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._firsts = np.sort(np.array([first for first, _ in ranges], np.int64))
        self._ends = np.sort(np.array([end for _, end in ranges], np.int64))
        # Sums of the first k; a bound of 2⁴⁰ leaves room for eight million ranges.
        self._first_sums = np.concatenate([[0], np.cumsum(self._firsts)])
        self._end_sums = np.concatenate([[0], np.cumsum(self._ends)])

    def before(self, intervals: Int64) -> Int64:
        """How many expected intervals lie before each of these numbers."""
        begun = np.searchsorted(self._firsts, intervals, side="right")
        ended = np.searchsorted(self._ends, intervals, side="right")
        return np.asarray(
            begun * intervals - self._first_sums[begun] - (ended * intervals - self._end_sums[ended]),
            np.int64,
        )

    def counts(self, from_us: Int64, to_us: Int64, now_us: int) -> Int64:
        """Expected intervals that lie in each [from, to) and have ended by now."""
        ended = now_us // INTERVAL_US
        first, end = from_us // INTERVAL_US, to_us // INTERVAL_US
        return self.before(np.minimum(end, ended)) - self.before(np.minimum(first, ended))
