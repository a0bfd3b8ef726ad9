"""Sums of consumption over periods: of one point, and of a product's signed sum over points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accounting.sources import valid_intervals
from api.context import Session
from api.periods import Range
from api.sums import Cells, Sum, add_intervals, dense
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY
from domain.reading import Quality, decimal_text, round_half_even
from domain.registry import Enterprise, Product, ProductVersion
from domain.unit import conversion
from storage import consumption

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class PointDays:
    """Intervals of a point on consecutive local days, by the power of ten that they are counted in.

    first_day  the day of the first row
    amounts    by exponent: int64 (d, 96)
    states     by exponent: int16 (d, 96), missing where the interval isn't counted in that exponent
    """

    first_day: int
    amounts: dict[int, Int64] = field(default_factory=dict)
    states: dict[int, Int16] = field(default_factory=dict)


def days_of(session: Session, these: Sequence[Range]) -> tuple[int, int]:
    """The local days [first, end) that consecutive periods touch."""
    return session.calendar.day(these[0].from_us), session.calendar.day(these[-1].to_us - 1) + 1


def read_points(
    session: Session, point_ids: Sequence[int], first_day: int, end_day: int, run: int | None
) -> dict[int, PointDays]:
    """The intervals of points on local days [first_day, end_day), as of a run."""
    days = [(first_day, end_day)]
    rows = consumption.consumption(session.conn, point_ids, days, run)
    groups: list[tuple[Int64, Int64, Int64, Int64, Int16]] = [
        (rows["channel_id"], rows["day"], rows["exponent"], rows["amounts"], rows["states"])
    ]
    if run is not None:
        groups.append(dense(consumption.past_consumption(session.conn, point_ids, days, run)))
    result = {id_: PointDays(first_day) for id_ in point_ids}
    for ids, on_days, exponents, amounts, states in groups:
        for place in range(len(ids)):
            target, exponent = result[int(ids[place])], int(exponents[place])
            if exponent not in target.amounts:
                target.amounts[exponent] = np.zeros((end_day - first_day, INTERVALS_PER_DAY), np.int64)
                target.states[exponent] = np.zeros((end_day - first_day, INTERVALS_PER_DAY), np.int16)
            # An interval is in one row alone: the current one, or as of a run a past one.
            target.amounts[exponent][on_days[place] - first_day] += amounts[place]
            target.states[exponent][on_days[place] - first_day] |= states[place]
    return result


def period_numbers(these: Sequence[Range], first_us: int, count: int) -> Int64:
    """The number of the period of each of `count` intervals from `first_us` on; -1 outside of all."""
    result = np.full(count, -1, np.int64)
    for number, period in enumerate(these):
        result[(period.from_us - first_us) // INTERVAL_US : (period.to_us - first_us) // INTERVAL_US] = number
    return result


def point_sums(session: Session, point_id: int, these: Sequence[Range], run: int | None) -> Cells:
    """What is known of each period, under key 0."""
    first_day, end_day = days_of(session, these)
    read = read_points(session, [point_id], first_day, end_day, run)[point_id]
    period_of = period_numbers(
        these, session.calendar.day_start(first_day), (end_day - first_day) * INTERVALS_PER_DAY
    )
    own_flags = all(period.to_us - period.from_us <= INTERVAL_US for period in these)
    days = np.arange(first_day, end_day)
    cells: Cells = {}
    for exponent, amounts in read.amounts.items():
        add_intervals(
            cells,
            np.zeros(len(days), np.int64),
            days,
            amounts,
            read.states[exponent],
            period_of,
            first_day,
            exponent=exponent,
            own_flags=own_flags,
        )
    return cells


@dataclass(slots=True)
class Output:
    """A product's output in a period, exact, in the product's unit."""

    amount: Fraction = Fraction(0)
    known: int = 0
    quality: int = Quality.MISSING
    flags: int = 0


def product_sums(
    session: Session, enterprise: Enterprise, product: Product, these: Sequence[Range], run: int | None
) -> dict[int, Output]:
    """A product's output by number of period: the sum of the intervals in which all of its valid parts are known."""
    first_day, end_day = days_of(session, these)
    result: dict[int, Output] = {}
    names = {term.point for version in product.versions for term in version.value.terms}
    read = read_points(session, [enterprise.points[name].id for name in names], first_day, end_day, run)
    for low, high, version in _version_days(product, first_day, end_day):
        first_us, count = session.calendar.day_start(low), (high - low) * INTERVALS_PER_DAY
        rows = slice(low - first_day, high - first_day)
        worst, flags = np.full(count, 3, np.int16), np.zeros(count, np.int16)
        any_part = np.zeros(count, bool)
        valid = {}
        for name in {term.point for term in version.terms}:
            part = valid[name] = valid_intervals(enterprise, name, first_us, count)
            states = np.zeros(count, np.int16)
            for own in read[enterprise.points[name].id].states.values():
                states |= own[rows].reshape(-1)
            worst = np.where(part, np.minimum(worst, states & 3), worst)
            flags |= np.where(part, states >> 2, 0).astype(np.int16)
            any_part |= part
        known = any_part & (worst > 0)
        period_of = np.where(known, period_numbers(these, first_us, count), -1)
        combined = (worst | flags << 2).astype(np.int16).reshape(-1, INTERVALS_PER_DAY)
        days = np.arange(low, high)
        keys = np.zeros(len(days), np.int64)
        counted: Cells = {}
        add_intervals(
            counted, keys, days, np.zeros(combined.shape, np.int64), combined, period_of, low, exponent=0
        )
        for (_, number), cell in counted.items():
            _count(result.setdefault(number, Output()), cell)
        for term in version.terms:
            point = enterprise.points[term.point]
            scale = term.sign * conversion(point.unit, version.unit)
            own_periods = np.where(valid[term.point], period_of, -1)
            for exponent, amounts in read[point.id].amounts.items():
                cells: Cells = {}
                states_here = read[point.id].states[exponent][rows]
                add_intervals(
                    cells, keys, days, amounts[rows], states_here, own_periods, low, exponent=exponent
                )
                for (_, number), cell in cells.items():
                    result[number].amount += scale * cell.amount * Fraction(10) ** exponent
    return result


def _version_days(
    product: Product, first_day: int, end_day: int
) -> Iterator[tuple[int, int, ProductVersion]]:
    for index, entry in enumerate(product.versions):
        following = product.versions[index + 1].from_day if index + 1 < len(product.versions) else None
        low = first_day if entry.from_day is None else max(first_day, entry.from_day)
        high = end_day if following is None else min(end_day, following)
        if low < high:
            yield low, high, entry.value


def _count(output: Output, cell: Sum) -> None:
    output.quality = min(output.quality, cell.quality) if output.known else cell.quality
    output.known += cell.known
    output.flags |= cell.flags


def fraction_text(value: Fraction, places: int = 12) -> str:
    """A decimal, exact where it ends within `places`, else rounded half to even at them; no idle zeros.

    >>> fraction_text(Fraction(5, 2)), fraction_text(Fraction(1, 3), 4), fraction_text(Fraction(7))
    ('2.5', '0.3333', '7')
    """
    text = decimal_text(round_half_even(value.numerator * 10**places, value.denominator), -places)
    return text.rstrip("0").rstrip(".")
