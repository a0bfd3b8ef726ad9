"""An enterprise's days as the rules see them: consumption, entries and factors as dense arrays, and what follows.

Pure. Arrays over intervals begin with the view's first day. A rule judges some of its days and looks at the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from accounting.sources import sum_of_terms, term_unit, valid_intervals
from accounting.validation.rules import Rule
from domain.finding import FindingDay
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.reading import Quality, decimal_text, round_half_even
from domain.registry import Check, Enterprise, Point, Source, Term, dated_value
from domain.unit import NotConvertible, conversion
from domain.validation import CheckRule

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]

DAYS_BEFORE = 7  # that a rule looks back at most
DAYS_AROUND = 2  # on both sides, that a stretch is looked for


@dataclass(frozen=True, slots=True)
class Account:
    """What the account's ledger has of a source, over the view's intervals.

    mg          int64 (n,)  its entries of all gases [mg CO2e], 0 where none is known
    sizes       int64 (n,)  the same, each entry without its sign
    factors     by day: mg CO2e per unit of the source's sum, of all gases, without sign
    """

    mg: Int64
    sizes: Int64
    known: Bools
    substituted: Bools
    factors: Mapping[int, Fraction]


@dataclass(frozen=True)
class View:
    """The days [first_day, end_day) of an enterprise.

    rows      by point id: dense records of the days (amounts, states)
    accounts  by source id, those with entries
    readings  stored readings by point id and day
    """

    enterprise: Enterprise
    calendar: Calendar
    first_day: int
    end_day: int
    rows: Mapping[int, npt.NDArray[Any]]
    accounts: Mapping[int, Account]
    readings: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return (self.end_day - self.first_day) * INTERVALS_PER_DAY

    @cached_property
    def first_us(self) -> int:
        return self.calendar.day_start(self.first_day)

    def slice_of(self, day: int, end_day: int | None = None) -> slice:
        """The intervals of a day, or of the days [day, end_day)."""
        until = day + 1 if end_day is None else end_day
        first = max(day, self.first_day) - self.first_day
        return slice(first * INTERVALS_PER_DAY, max(until - self.first_day, first) * INTERVALS_PER_DAY)

    # -- channels -------------------------------------------------------------------------------------

    def amounts(self, point: Point) -> Int64:
        return np.asarray(self.rows[point.id]["amounts"].ravel(), np.int64)

    def quality(self, point: Point) -> Int16:
        return np.asarray(self.rows[point.id]["states"].ravel() & 3, np.int16)

    def known(self, point: Point) -> Bools:
        return np.asarray(self.quality(point) != Quality.MISSING)

    def valid(self, point: Point) -> Bools:
        return valid_intervals(self.enterprise, point.name, self.first_us, self.count)

    def measured_points(self) -> list[Point]:
        return [point for _, point in sorted(self.enterprise.points.items()) if point.derivation is None]

    def by_meter(self) -> dict[str, list[Point]]:
        """The measured channels of each meter."""
        result: dict[str, list[Point]] = {}
        for point in self.measured_points():
            result.setdefault(point.meter, []).append(point)
        return result

    def sum_of(self, terms: tuple[Term, ...]) -> tuple[Int64, Int16, str, int]:
        """Amounts and qualities of a signed sum, its unit and power of ten."""
        unit, exponent, multipliers = term_unit(self.enterprise, terms)
        amounts, states = sum_of_terms(
            self.enterprise, terms, multipliers, self.rows, self.first_us, self.count
        )
        return amounts, np.asarray(states & 3, np.int16), unit, exponent

    @cached_property
    def flowing(self) -> Bools | None:
        """Where a product is known to flow; None: the enterprise has none."""
        if not self.enterprise.products:
            return None
        result = np.zeros(self.count, bool)
        for product in self.enterprise.products.values():
            for begins, ends, version in spans(product.versions, self.first_day, self.end_day):
                amounts, quality, _, _ = self.sum_of(version.terms)
                here = self.slice_of(begins, ends)
                result[here] |= ((quality != Quality.MISSING) & (amounts > 0))[here]
        return result

    # -- tonnes in doubt ------------------------------------------------------------------------------

    def counting(self, names: Collection[str], day: int) -> list[Source]:
        """The sources that count one of these points on a day, directly or through a derived channel."""
        wanted = set(names)
        wanted |= {
            point.name
            for point in self.enterprise.points.values()
            if point.derivation is not None and any(name in wanted for _, name in point.derivation.inputs)
        }
        result = []
        for _, source in sorted(self.enterprise.sources.items()):
            version = dated_value(source.versions, day)
            if version is not None and any(term.point in wanted for term in version.terms):
                result.append(source)
        return result

    def terms_of(self, source: Source, day: int) -> list[str]:
        """The points that a source counts on a day."""
        version = dated_value(source.versions, day)
        return [] if version is None else [term.point for term in version.terms]

    def _accounts(self, names: Collection[str], day: int) -> list[Account]:
        return [
            self.accounts[source.id] for source in self.counting(names, day) if source.id in self.accounts
        ]

    def entered_mg(self, names: Collection[str], day: int, mask: Bools) -> int:
        """The sizes of the entries in these intervals of the day (96,) of the sources that count the points."""
        return sum(exact_sum(each.sizes[self.slice_of(day)][mask]) for each in self._accounts(names, day))

    def usual_mg(self, names: Collection[str], day: int, intervals: int) -> int:
        """What these sources have in as many known intervals of the days before."""
        before = self.slice_of(day - DAYS_BEFORE, day)
        total = 0
        for each in self._accounts(names, day):
            known = int(each.known[before].sum())
            if known:
                total += round_half_even(exact_sum(each.sizes[before]) * intervals, known)
        return total

    def difference_mg(self, names: Collection[str], day: int, difference: Fraction, unit: str) -> int:
        """A difference in `unit` times the largest factor of the sources that count one of the points."""
        largest = Fraction(0)
        for source in self.counting(names, day):
            version = dated_value(source.versions, day)
            account = self.accounts.get(source.id)
            factor = None if account is None else account.factors.get(day)
            if version is None or factor is None:
                continue
            its_unit = self.enterprise.points[version.terms[0].point].unit
            try:
                largest = max(largest, factor * conversion(unit, its_unit))
            except NotConvertible:
                continue
        product = abs(difference) * largest
        return round_half_even(product.numerator, product.denominator)

    # -- what is found --------------------------------------------------------------------------------

    def found(
        self,
        rule: Rule,
        subject: str,
        day: int,
        mask: Bools,
        channels: Iterable[str],
        mg: int,
        evidence: Mapping[str, Any],
        end_day: int | None = None,
    ) -> FindingDay:
        """A finding of a day (or of the days up to `end_day`) at the intervals of `mask`."""
        places = np.flatnonzero(mask)
        start = self.calendar.day_start(day)
        from_us = start + int(places[0]) * INTERVAL_US
        to_us = start + (int(places[-1]) + 1) * INTERVAL_US
        where = {
            "from": self.calendar.text(from_us),
            "to": self.calendar.text(to_us),
            "intervals": len(places),
        }
        return FindingDay(
            rule.code,
            subject,
            day,
            day + 1 if end_day is None else end_day,
            from_us,
            to_us,
            tuple(sorted(set(channels))),
            {**where, **evidence},
            mg,
        )


def spans(versions: Iterable[Any], first_day: int, end_day: int) -> list[tuple[int, int, Any]]:
    """(first day, end day, value) of each dated version within [first_day, end_day)."""
    ordered = list(versions)
    result = []
    for index, each in enumerate(ordered):
        begins = first_day if each.from_day is None else max(first_day, each.from_day)
        ends = ordered[index + 1].from_day if index + 1 < len(ordered) else end_day
        if begins < min(ends, end_day):
            result.append((begins, min(ends, end_day), each.value))
    return result


def exact_sum(values: Int64) -> int:
    """The sum of int64 values, which can't wrap: by two halves of 32 bits."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


@dataclass(frozen=True, slots=True)
class DayLoad:
    """The known intervals of a day: their mean, and the largest of them."""

    mean: Fraction
    peak: Fraction


def day_loads(amounts: Int64, known: Bools, enough: Fraction) -> list[DayLoad | None]:
    """The load of each day; None where fewer than `enough` intervals are known."""
    days = zip(amounts.reshape(-1, INTERVALS_PER_DAY), known.reshape(-1, INTERVALS_PER_DAY), strict=True)
    return [
        DayLoad(Fraction(exact_sum(values[mask]), int(mask.sum())), Fraction(int(values[mask].max())))
        if mask.any() and int(mask.sum()) >= enough
        else None
        for values, mask in days
    ]


def lasting(mask: Bools, shortest: int) -> Bools:
    """The part of a mask that lies in runs of at least so many."""
    return repeating(mask, np.zeros(len(mask), np.int64), shortest)


def repeating(mask: Bools, values: Int64, shortest: int) -> Bools:
    """The part of a mask that lies in runs, of at least so many, of one value."""
    if not mask.any():
        return mask
    follows = mask[1:] & mask[:-1] & (values[1:] == values[:-1])
    starts = np.flatnonzero(np.concatenate([[True], ~follows]))
    lengths = np.diff(np.append(starts, len(mask)))
    return np.asarray(mask & (np.repeat(lengths, lengths) >= shortest))


def amount_text(amount: int, exponent: int) -> str:
    return decimal_text(amount, exponent)


def share_text(value: Fraction) -> str:
    """A ratio with six digits after the point, rounded half to even, for people."""
    return decimal_text(round_half_even(value.numerator * 10**6, value.denominator), -6)


def limits_of(enterprise: Enterprise, rule: CheckRule, channel: str | None) -> Check | None:
    """What an enterprise says of a rule, for all channels and for one: the one's limits before those of all."""
    general: Check | None = None
    own: Check | None = None
    for _, check in sorted(enterprise.checks.items()):
        if check.rule is rule and check.channel is None:
            general = general or check
        elif check.rule is rule and check.channel == channel:
            own = own or check
    if own is None or general is None:
        return own or general
    return Check(
        own.code,
        rule,
        tolerance=general.tolerance if own.tolerance is None else own.tolerance,
        shortest_us=general.shortest_us if own.shortest_us is None else own.shortest_us,
        active=own.active,
    )


def judged(check: Check | None) -> bool:
    return check is None or check.active
