"""From the consumption of points to the emissions of a source, day by day.

Pure. A source is a signed sum over points under dated parameters. A part outside its validity isn't a part
of the sum; a valid part that is missing makes the sum missing; a negative result stands, flagged.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from accounting.factors.load import FactorLibrary, SourceFactor
from accounting.factors.substitution import GAP_MEAN, HIGHEST_MONTH
from accounting.factors.tables import SubstitutionRule
from accounting.kernels.emission import emission
from accounting.substitution import (
    SUBSTITUTED,
    fill_gaps,
    fill_months,
    filling_rules,
    output_points,
    registers_of,
)
from domain.errors import FactorNotFound
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import ACCOUNT_SERIES, MARKET_SERIES, SERIES_PER_GAS
from domain.reading import VALUE_BOUND, Flag, Quality
from domain.registry import Enterprise, Kind, Point, Source, SourceVersion, Term, dated_value
from domain.unit import conversion, decimal_exponent

log = logging.getLogger(__name__)

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]
Ranges = list[tuple[int, int | None]]

_NEGATIVE = int(Flag.NEGATIVE) << 2
IMPLAUSIBLE = int(Flag.IMPLAUSIBLE) << 2


@lru_cache(maxsize=10_000)
def _complain(text: str) -> None:
    """Say what is missing once, however often a source is computed again."""
    log.warning("no factor, so no entries: %s", text)


@dataclass(frozen=True, slots=True)
class SourceStretch:
    """Consecutive days of a source under one version of it and one factor of one series.

    series       ACCOUNT_SERIES or MARKET_SERIES, of the method's second gas SERIES_PER_GAS further on
    consumption  int64 (d, 96)  in 10^exponent of `unit`
    mg           int64 (d, 96)  CO2e, 0 where missing
    states       int16 (d, 96)  quality and flags, of the worst part and of all parts
    """

    first_day: int
    series: int
    unit: str
    exponent: int
    factor: SourceFactor | None  # None: none is in force, so that all is missing
    consumption: Int64
    mg: Int64
    states: Int16


def series_of(factor: SourceFactor) -> int:
    """The series that a factor's entries are in."""
    series = ACCOUNT_SERIES if "account" in factor.boundaries else MARKET_SERIES
    return series + SERIES_PER_GAS * factor.place


def validity(enterprise: Enterprise, name: str) -> Ranges:
    """When a point is a part of sums [µs]: within a version of it, and a derived one with all of its inputs."""
    point = enterprise.points[name]
    if point.derivation is None:
        return [(version.valid_from_us, version.valid_to_us) for version in point.versions]
    ranges: Ranges = [(-(1 << 62), None)]
    for _, input_name in point.derivation.inputs:
        ranges = _intersection(ranges, validity(enterprise, input_name))
    return ranges


def _intersection(left: Ranges, right: Ranges) -> Ranges:
    result: Ranges = []
    for first, last in left:
        for begin, end in right:
            start = max(first, begin)
            stop = last if end is None else end if last is None else min(last, end)
            if stop is None or start < stop:
                result.append((start, stop))
    return result


def valid_intervals(enterprise: Enterprise, name: str, first_us: int, count: int) -> Bools:
    """Which of `count` intervals from `first_us` on lie, at least partly, within a point's validity."""
    result = np.zeros(count, bool)
    for begin, end in validity(enterprise, name):
        low = max(0, (begin - first_us) // INTERVAL_US)
        high = count if end is None else min(count, -((first_us - end) // INTERVAL_US))
        if low < high:
            result[low:high] = True
    return result


def term_unit(enterprise: Enterprise, terms: tuple[Term, ...]) -> tuple[str, int, list[int]]:
    """Unit of a sum, its power of ten, and by what each term's amounts are multiplied to be in it.

    The unit is the first term's; the others are converted exactly.
    """
    points = [enterprise.points[term.point] for term in terms]
    unit = points[0].unit
    scales = [conversion(point.unit, unit) * Fraction(10) ** point.exponent for point in points]
    exponent = min(decimal_exponent(scale) for scale in scales)
    return unit, exponent, [int(scale / Fraction(10) ** exponent) for scale in scales]


def sum_of_terms(
    enterprise: Enterprise,
    terms: tuple[Term, ...],
    multipliers: list[int],
    rows: Mapping[int, npt.NDArray[Any]],
    first_us: int,
    count: int,
) -> tuple[Int64, Int16]:
    """Amounts and states of a signed sum over `count` intervals.

    rows  by point id: dense rows of the days in question (amounts, states)
    """
    total = np.zeros(count, np.int64)
    quality = np.full(count, int(Quality.MEASURED), np.int16)
    flags = np.zeros(count, np.int16)
    any_part = np.zeros(count, bool)
    too_large = np.zeros(count, bool)
    for term, multiplier in zip(terms, multipliers, strict=True):
        point: Point = enterprise.points[term.point]
        part = valid_intervals(enterprise, term.point, first_us, count)
        amounts, states = rows[point.id]["amounts"].ravel(), rows[point.id]["states"].ravel()
        limit = VALUE_BOUND // multiplier
        too_large |= part & ((amounts > limit) | (amounts < -limit))
        total += np.where(part & ~too_large, amounts * (term.sign * multiplier), 0)
        too_large |= (total > VALUE_BOUND) | (total < -VALUE_BOUND)  # two within the bound can't have wrapped
        total[too_large] = 0
        quality = np.where(part, np.minimum(quality, states & 3), quality)
        flags |= np.where(part, states >> 2, 0).astype(np.int16)
        any_part |= part
    known = any_part & ~too_large & (quality != Quality.MISSING)
    states = np.where(any_part, (quality | flags << 2), 0).astype(np.int16)
    states = np.where(known, states, states & ~3).astype(np.int16)
    states |= np.where(too_large, IMPLAUSIBLE, 0).astype(np.int16)
    states |= np.where(known & (total < 0), _NEGATIVE, 0).astype(np.int16)
    return np.where(known, total, 0), states


def points_of(enterprise: Enterprise, source: Source, rules: Mapping[str, SubstitutionRule]) -> list[Point]:
    """The points whose consumption decides the entries of a source."""
    names = dict.fromkeys(term.point for dated in source.versions for term in dated.value.terms)
    points = [enterprise.points[name] for name in names]
    filling = filling_rules(source, rules)
    if filling:
        points += [each for point in points for each in registers_of(enterprise, point)]
        points += output_points(enterprise, filling)
    return list({point.id: point for point in points}.values())


@dataclass(frozen=True, slots=True)
class Window:
    """Consumption of the points of a source, dense, on days that reach as far as its substitution rules look."""

    first_day: int
    rows: Mapping[int, npt.NDArray[Any]]  # by point id: CONSUMPTION_ROW

    def days(self, first_day: int, end_day: int) -> dict[int, npt.NDArray[Any]]:
        return {
            id_: rows[first_day - self.first_day : end_day - self.first_day]
            for id_, rows in self.rows.items()
        }


def _amounts(
    enterprise: Enterprise,
    version: SourceVersion,
    multipliers: list[int],
    window: Window,
    day: int,
    until: int,
    library: FactorLibrary,
    calendar: Calendar,
) -> tuple[Int64, Int16]:
    """Amounts and states of a version's sum on the days [day, until), filled by its rule if it has one."""
    rule = library.tables.substitutions.get(version.substitution or "")
    if rule is None or rule.fuel_classes:
        here = window.days(day, until)
        count = (until - day) * INTERVALS_PER_DAY
        return sum_of_terms(enterprise, version.terms, multipliers, here, calendar.day_start(day), count)
    rows = dict(window.rows)
    first_us = calendar.day_start(window.first_day)
    count = len(next(iter(rows.values()))) * INTERVALS_PER_DAY
    if rule.code == GAP_MEAN:
        output = _output(enterprise, window, count, calendar)
        for term in version.terms:
            point = enterprise.points[term.point]
            rows[point.id] = _without_gaps(enterprise, point, rule, rows, first_us, count, output)
    total, states = sum_of_terms(enterprise, version.terms, multipliers, rows, first_us, count)
    wanted = slice(
        (day - window.first_day) * INTERVALS_PER_DAY, (until - window.first_day) * INTERVALS_PER_DAY
    )
    if rule.code == HIGHEST_MONTH:
        expected = _expected(enterprise, version, first_us, count)
        total, states = fill_months(total, states, expected, window.first_day, calendar, wanted)
    return total[wanted], states[wanted]


def _expected(enterprise: Enterprise, version: SourceVersion, first_us: int, count: int) -> Bools:
    """On which of `count` intervals from `first_us` on a sum has a valid part."""
    expected = np.zeros(count, bool)
    for term in version.terms:
        expected |= valid_intervals(enterprise, term.point, first_us, count)
    return expected


def lacking_days(
    enterprise: Enterprise, source: Source, window: Window, first_day: int, end_day: int, calendar: Calendar
) -> Int64:
    """The days of [first_day, end_day) on which something of a source's sum is missing that is expected."""
    found = [np.empty(0, np.int64)]
    day = first_day
    while day < end_day:
        version: SourceVersion | None = dated_value(source.versions, day)
        until = min(
            [end_day, *(d.from_day for d in source.versions if d.from_day is not None and d.from_day > day)]
        )
        if version is not None:
            _, _, multipliers = term_unit(enterprise, version.terms)
            first_us, count = calendar.day_start(day), (until - day) * INTERVALS_PER_DAY
            rows = window.days(day, until)
            _, states = sum_of_terms(enterprise, version.terms, multipliers, rows, first_us, count)
            lacks = (states & 3 == Quality.MISSING) & _expected(enterprise, version, first_us, count)
            found.append(day + np.flatnonzero(lacks.reshape(-1, INTERVALS_PER_DAY).any(axis=1)))
        day = until
    return np.concatenate(found)


def _without_gaps(
    enterprise: Enterprise,
    point: Point,
    rule: SubstitutionRule,
    rows: Mapping[int, npt.NDArray[Any]],
    first_us: int,
    count: int,
    output: tuple[Int64, Bools] | None,
) -> npt.NDArray[Any]:
    """The rows of a point with its gaps filled; a register's as they are."""
    own = rows[point.id]
    if point.derivation is None and point.kind is Kind.REGISTER:
        return own
    fillable = np.ones(count, bool)
    for register in registers_of(enterprise, point):
        fillable &= rows[register.id]["states"].ravel() & 3 != Quality.MISSING
    valid = valid_intervals(enterprise, point.name, first_us, count)
    amounts, states = fill_gaps(rule, own["amounts"].ravel(), own["states"].ravel(), valid, fillable, output)
    result = own.copy()
    result["amounts"], result["states"] = (
        amounts.reshape(-1, INTERVALS_PER_DAY),
        states.reshape(-1, INTERVALS_PER_DAY),
    )
    return result


def _output(
    enterprise: Enterprise, window: Window, count: int, calendar: Calendar
) -> tuple[Int64, Bools] | None:
    """Output of the enterprise's one product, in its own finest unit, and where all of its parts are known."""
    if len(enterprise.products) != 1:
        return None
    (product,) = enterprise.products.values()
    scales = [term_unit(enterprise, dated.value.terms) for dated in product.versions]
    if len({(unit, exponent) for unit, exponent, _ in scales}) != 1:
        return None  # amounts of versions that count differently have no ratio
    amounts, known = np.zeros(count, np.int64), np.zeros(count, bool)
    end_day = window.first_day + count // INTERVALS_PER_DAY
    begins = [dated.from_day for dated in product.versions]
    for dated, (_, _, multipliers), until in zip(
        product.versions, scales, [*begins[1:], end_day], strict=True
    ):
        day = max(window.first_day, window.first_day if dated.from_day is None else dated.from_day)
        until = min(end_day, end_day if until is None else until)
        if day >= until:
            continue
        intervals = (until - day) * INTERVALS_PER_DAY
        sums, states = sum_of_terms(
            enterprise,
            dated.value.terms,
            multipliers,
            window.days(day, until),
            calendar.day_start(day),
            intervals,
        )
        first = (day - window.first_day) * INTERVALS_PER_DAY
        amounts[first : first + intervals] = sums
        known[first : first + intervals] = states & 3 != Quality.MISSING
    return amounts, known


def source_stretches(
    enterprise: Enterprise,
    source: Source,
    first_day: int,
    end_day: int,
    window: Window,
    library: FactorLibrary,
    calendar: Calendar,
    standing: Collection[int] = (),
) -> Iterator[SourceStretch]:
    """The entries of a source on [first_day, end_day), cut where its version or its factors change.

    window    reaches over these days, and as far around them as the source's substitution rules look
    standing  the series that have entries until now: where no factor is in force for one, all of it is missing
    """
    day = first_day
    while day < end_day:
        version: SourceVersion | None = dated_value(source.versions, day)
        until = min(
            [end_day, *(d.from_day for d in source.versions if d.from_day is not None and d.from_day > day)]
        )
        if version is None:
            day = until
            continue
        unit, exponent, multipliers = term_unit(enterprise, version.terms)
        factors: dict[int, SourceFactor | None] = dict.fromkeys(sorted(standing))
        try:
            for found in library.source_factors(enterprise, source, unit, day, calendar):
                factors[series_of(found)] = found
                if found.until_day is not None:
                    until = min(until, found.until_day)
        except FactorNotFound as error:
            _complain(str(error))
            until = min(until, calendar.month_start(day, 1))
        consumption, states = _amounts(
            enterprise, version, multipliers, window, day, until, library, calendar
        )
        for series, factor in factors.items():
            yield _stretch(day, series, unit, exponent, factor, consumption, states)
        day = until


def _stretch(
    day: int,
    series: int,
    unit: str,
    exponent: int,
    factor: SourceFactor | None,
    consumption: Int64,
    states: Int16,
) -> SourceStretch:
    mg = np.zeros(len(consumption), np.int64)
    if factor is None:
        states = np.zeros(len(consumption), np.int16)
        consumption = mg
    else:
        mg, within = emission(consumption, factor.mg_per_unit * Fraction(10) ** exponent)
        states = np.where(within, states, (states & ~3) | IMPLAUSIBLE).astype(np.int16)
        known = states & 3 != Quality.MISSING
        mg = np.where(known, mg, 0)
        if factor.is_substituted:
            states = np.where(known, (states & ~3) | SUBSTITUTED, states).astype(np.int16)
    shape = (-1, INTERVALS_PER_DAY)
    return SourceStretch(
        day,
        series,
        unit,
        exponent,
        factor,
        consumption.reshape(shape),
        mg.reshape(shape),
        states.reshape(shape),
    )
