"""Filling what is missing of a source's amounts, where it names a substitution rule that fills amounts.

Pure. Consumption itself is never substituted: only what a source counts is filled, estimated and flagged, as a
function of the consumption of its points (and of the enterprise's output). A gap is filled once it is closed, that
is, known again after it; so an outage that lasts stays missing, and nothing depends on a clock. The rules that
put a value in the place of a parameter are in `accounting.factors.substitution`.

gap_mean_7d   of delta and rate channels, and of derived ones where no register among the inputs is missing.
    Up to `linear_hours`: a straight line between the neighbours. Up to `mean_hours`: each quarter-hour takes the mean
    of the same quarter-hours of the last `valid_days` days before on which the whole gap's are known, times the output
    of the gap over that of these days, where the enterprise has one product and all of it is known. Longer, or with
    fewer valid days than that within `look_back_days`: missing.
electricity_highest_month   of the source's sum: the highest amount of a complete local month of the same year, spread
    evenly over the month's quarter-hours, where they are missing. No complete month: missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from accounting.factors.substitution import GAP_MEAN, HIGHEST_MONTH
from accounting.factors.tables import SubstitutionRule
from domain.interval import INTERVALS_PER_DAY, Calendar
from domain.reading import VALUE_BOUND, Flag, Quality, round_half_even
from domain.registry import Enterprise, Kind, Point, Source

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]

SUBSTITUTED = int(Quality.ESTIMATED) | int(Flag.SUBSTITUTED) << 2
INTERVALS_PER_HOUR = 4


def filling_rules(source: Source, rules: Mapping[str, SubstitutionRule]) -> list[SubstitutionRule]:
    """The rules that fill amounts among those that the versions of a source name."""
    codes = dict.fromkeys(dated.value.substitution for dated in source.versions)
    return [rules[code] for code in codes if code in (GAP_MEAN, HIGHEST_MONTH)]


def reach(
    applied: list[SubstitutionRule], first_day: int, end_day: int, calendar: Calendar
) -> tuple[int, int]:
    """The days [first, end) whose consumption decides what is filled on [first_day, end_day)."""
    first, end = first_day, end_day
    for rule in applied:
        if rule.code == GAP_MEAN:
            gap_days = _gap_days(rule)
            first = min(first, first_day - gap_days - int(rule.number("look_back_days")))
            end = max(end, end_day + gap_days)
        else:
            first = min(first, calendar.year_start(first_day))
            # a gap at the end of December is closed in January
            end = max(end, calendar.month_start(calendar.year_start(end_day - 1, 1), 1))
    return first, end


def affected(applied: list[SubstitutionRule], days: Int64, calendar: Calendar) -> Int64:
    """The days whose entries may change where consumption of `days` did."""
    if not len(days):
        return days
    found = [days]
    for rule in applied:
        if rule.code == GAP_MEAN:
            gap_days = _gap_days(rule)
            after = int(rule.number("look_back_days")) + gap_days
            offsets = np.arange(-gap_days, after + 1)
            found.append((days[:, None] + offsets).ravel())
        else:
            months = {calendar.month_start(day, -1) for day in days.tolist()}
            years = {calendar.year_start(day) for day in [*days.tolist(), *months]}
            found += [np.arange(year, calendar.year_start(year, 1)) for year in sorted(years)]
    return np.unique(np.concatenate(found))


def looks_at_months(applied: list[SubstitutionRule]) -> bool:
    """Whether all that these rules fill is by `electricity_highest_month`: a change then reaches over its year, but to
    the days alone that lack something.
    """
    return bool(applied) and all(rule.code == HIGHEST_MONTH for rule in applied)


def output_points(enterprise: Enterprise, applied: list[SubstitutionRule]) -> list[Point]:
    """The points of the enterprise's one product, whose output scales what is filled."""
    if not any(rule.code == GAP_MEAN for rule in applied) or len(enterprise.products) != 1:
        return []
    (product,) = enterprise.products.values()
    names = dict.fromkeys(term.point for dated in product.versions for term in dated.value.terms)
    return [enterprise.points[name] for name in names]


def registers_of(enterprise: Enterprise, point: Point) -> list[Point]:
    """The registers among the inputs of a derived point."""
    if point.derivation is None:
        return []
    inputs = [enterprise.points[name] for _, name in point.derivation.inputs]
    return [each for each in inputs if each.kind is Kind.REGISTER]


def gaps(known: Bools, valid: Bools) -> list[tuple[int, int]]:
    """Closed gaps [start, end): missing, valid all through, with a known interval right before and right after."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (valid & ~known).view(np.int8), [0]))))
    return [
        (start, end)
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if start > 0 and end < len(known) and known[start - 1] and known[end]
    ]


def fill_gaps(
    rule: SubstitutionRule,
    amounts: Int64,
    states: Int16,
    valid: Bools,
    fillable: Bools,
    output: tuple[Int64, Bools] | None,
) -> tuple[Int64, Int16]:
    """Amounts and states of a point with its closed gaps filled by `gap_mean_7d`.

    amounts   int64 (n,)  ledger units, of consecutive intervals
    states    int16 (n,)  quality and flags
    valid     bool (n,)   whether the point is expected
    fillable  bool (n,)   whether it may be filled: False where a register among its inputs is missing
    output    amounts and whether they are known, of the enterprise's product
    """
    known = states & 3 != Quality.MISSING
    linear_max = int(rule.number("linear_hours") * INTERVALS_PER_HOUR)
    mean_max = int(rule.number("mean_hours") * INTERVALS_PER_HOUR)
    filled, new_states = amounts.copy(), states.copy()
    for start, end in gaps(known, valid):
        length = end - start
        if length > mean_max or not fillable[start:end].all():
            continue
        values = (
            _line(int(amounts[start - 1]), int(amounts[end]), length)
            if length <= linear_max
            else _mean(rule, amounts, known, start, end, output)
        )
        if values is None or max(map(abs, values)) > VALUE_BOUND:
            continue
        filled[start:end] = values
        new_states[start:end] = (states[start:end] & ~3) | SUBSTITUTED
    return filled, new_states


def _line(before: int, after: int, length: int) -> list[int]:
    return [
        round_half_even(before * (length + 1) + (after - before) * k, length + 1)
        for k in range(1, length + 1)
    ]


def _mean(
    rule: SubstitutionRule,
    amounts: Int64,
    known: Bools,
    start: int,
    end: int,
    output: tuple[Int64, Bools] | None,
) -> list[int] | None:
    """The mean of the same quarter-hours of the last valid days, times the ratio of output; None without them."""
    wanted = int(rule.number("valid_days"))
    shifts = [back * INTERVALS_PER_DAY for back in range(1, int(rule.number("look_back_days")) + 1)]
    valid = [shift for shift in shifts if shift <= start and known[start - shift : end - shift].all()]
    if len(valid) < wanted:
        return None
    chosen = valid[:wanted]
    ratio = _output_ratio(output, start, end, chosen)
    sums = [sum(int(amounts[i - shift]) for shift in chosen) for i in range(start, end)]
    divisor = ratio.denominator * wanted
    return [round_half_even(total * ratio.numerator, divisor) for total in sums]


def _output_ratio(output: tuple[Int64, Bools] | None, start: int, end: int, shifts: list[int]) -> Fraction:
    """Output of the gap over the mean output of the valid days' same hours; 1 where it isn't known or nothing."""
    if output is None:
        return Fraction(1)
    amounts, known = output
    spans = [(start, end)] + [(start - shift, end - shift) for shift in shifts]
    if not all(known[first:last].all() for first, last in spans):
        return Fraction(1)
    here, *before = (sum(map(int, amounts[first:last])) for first, last in spans)
    if here < 0 or sum(before) <= 0:
        return Fraction(1)
    return Fraction(here * len(before), sum(before))


def fill_months(
    total: Int64,
    states: Int16,
    expected: Bools,
    first_day: int,
    calendar: Calendar,
    wanted: slice | None = None,
) -> tuple[Int64, Int16]:
    """A source's sum with what is missing filled by `electricity_highest_month`, in the years that are whole here.

    total, states  int64, int16 (n,)  of whole days from `first_day` on
    expected       bool (n,)          whether the source has a valid part
    wanted         intervals that are asked for; months without one of them are left as they are (None: all are)
    """
    wanted = wanted or slice(0, len(total))
    known = states & 3 != Quality.MISSING
    filled, new_states = total.copy(), states.copy()
    end_day = first_day + len(total) // INTERVALS_PER_DAY
    year = calendar.year_start(first_day)
    while calendar.year_start(year, 1) < end_day:
        if year >= first_day:
            months = [calendar.month_start(year, each) for each in range(14)]
            places = [(month - first_day) * INTERVALS_PER_DAY for month in months]
            _fill_year(places, filled, new_states, expected, known, wanted)
        year = calendar.year_start(year, 1)
    return filled, new_states


def _fill_year(
    places: list[int], total: Int64, states: Int16, expected: Bools, known: Bools, wanted: slice
) -> None:
    """Fill one year in place; `places` are where its months begin, and January and February after it."""
    spans = list(pairwise(places[:13]))
    complete = [sum(map(int, total[a:b])) for a, b in spans if (expected[a:b] & known[a:b]).all()]
    later = np.flatnonzero(known[places[0] : places[13]])
    if not complete or not len(later):
        return
    last_known = places[0] + int(later[-1])
    for first, end in spans:
        if end <= wanted.start or first >= wanted.stop:
            continue
        missing = np.flatnonzero(expected[first:end] & ~known[first:end])
        missing = missing[first + missing < last_known]  # closed
        if not len(missing):
            continue
        share = _spread(max(complete), end - first)[missing]
        total[first + missing] = share
        states[first + missing] = (states[first + missing] & ~3) | SUBSTITUTED


def _spread(amount: int, count: int) -> Int64:
    """An amount in `count` parts that differ by one unit at most, and so by no more in any stretch of them."""
    bounds = [round_half_even(amount * i, count) for i in range(count + 1)]
    return np.array([end - start for start, end in pairwise(bounds)], np.int64)


def _gap_days(rule: SubstitutionRule) -> int:
    """Local days that the longest gap filled reaches over, beyond the one it begins on."""
    return -(-int(rule.number("mean_hours")) // 24) + 1
