"""Periods of a range: quarter-hours, hours, days, months, years of the local calendar, clipped at both ends.

Pure. Times in microseconds, UTC; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from domain.interval import DAY_US, HOUR_US, INTERVAL_US, INTERVALS_PER_DAY, Calendar


class Granularity(StrEnum):
    QUARTER_HOUR = "15m"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Range(NamedTuple):
    """[from_us, to_us), both on quarter-hours."""

    from_us: int
    to_us: int


def next_start(at_us: int, granularity: Granularity, calendar: Calendar) -> int:
    """First moment of the period after the one that holds this moment."""
    day = calendar.day(at_us)
    match granularity:
        case Granularity.QUARTER_HOUR:
            return at_us - at_us % INTERVAL_US + INTERVAL_US
        case Granularity.HOUR:
            return at_us - (at_us + calendar.offset_us) % HOUR_US + HOUR_US
        case Granularity.DAY:
            return calendar.day_start(day + 1)
        case Granularity.MONTH:
            return calendar.day_start(calendar.month_start(day, 1))
        case Granularity.YEAR:
            return calendar.day_start(calendar.year_start(day, 1))


def periods(whole: Range, granularity: Granularity, calendar: Calendar, start_us: int) -> Iterator[Range]:
    """The periods of a range from the one that starts at `start_us` on; the first and the last are clipped."""
    at_us = start_us
    while at_us < whole.to_us:
        end_us = min(next_start(at_us, granularity, calendar), whole.to_us)
        yield Range(at_us, end_us)
        at_us = end_us


class Slice(NamedTuple):
    """Intervals [first, end) of a local day."""

    day: int
    first: int
    end: int


class Parts(NamedTuple):
    """A range as whole local months (by their first days), whole local days, and pieces of days."""

    months: list[int]
    days: list[int]
    slices: list[Slice]


def parts_of(
    period: Range, calendar: Calendar, *, whole_days: bool = True, whole_months: bool = True
) -> Parts:
    """Take a range apart, so that its sum is the sum of stored sums and few single intervals."""
    months: list[int] = []
    days: list[int] = []
    slices: list[Slice] = []
    day, last_day = calendar.day(period.from_us), calendar.day(period.to_us - 1)
    while day <= last_day:
        start_us = calendar.day_start(day)
        if not whole_days or start_us < period.from_us or start_us + DAY_US > period.to_us:
            first = max(0, (period.from_us - start_us) // INTERVAL_US)
            end = min(INTERVALS_PER_DAY, (period.to_us - start_us) // INTERVAL_US)
            slices.append(Slice(day, first, end))
            day += 1
            continue
        if whole_months and calendar.month_start(day) == day:
            following = calendar.month_start(day, 1)
            if calendar.day_start(following) <= period.to_us:
                months.append(day)
                day = following
                continue
        days.append(day)
        day += 1
    return Parts(months, days, slices)


def windows(at_us: int, calendar: Calendar) -> dict[str, Range]:
    """The rolling windows at a moment: trailing 24 h, 7 d, 30 d, 12 closed months, month and year to date.

    At the first moment of a month (a year) the window to date is empty.
    """
    day = calendar.day(at_us)
    month = calendar.day_start(calendar.month_start(day))
    return {
        "24h": Range(at_us - DAY_US, at_us),
        "7d": Range(at_us - 7 * DAY_US, at_us),
        "30d": Range(at_us - 30 * DAY_US, at_us),
        "12m": Range(calendar.day_start(calendar.month_start(day, -12)), month),
        "mtd": Range(month, at_us),
        "ytd": Range(calendar.day_start(calendar.year_start(day)), at_us),
    }
