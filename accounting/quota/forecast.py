"""The year's end from the days so far: P10, P50 and P90 of what will have been emitted or made.

What is left of the year is taken as the same days of the year before, scaled by how this year went against it (a
season repeats, growth goes on); where the year before isn't known well enough, as the mean of the last days. The
spread is that of weekly sums about their mean, grown with the root of the weeks left. A forecast is no account: it is
told with how it was made, and nothing is booked by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

Z_90 = 1.2815515655446004  # the standard normal's 90 % point
WEEK = 7
RECENT_DAYS = 90
WEEKS_MIN = 8  # of weekly sums, for their spread
KNOWN_SHARE_MIN = Fraction(9, 10)  # of the year before, to be followed


class Way(StrEnum):
    """How what is left of the year was taken."""

    NOTHING_LEFT = "nothing_left"
    YEAR_BEFORE = "year_before"
    RECENT_DAYS = "recent_days"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Totals of the year. `known_days`: of this year's; `spread`: relative, of a week; None: too few weeks."""

    to_date: Fraction
    p10: Fraction
    p50: Fraction
    p90: Fraction
    way: Way
    known_days: int
    days_left: int
    spread: float | None


def forecast(year: Sequence[int | None], days: int, before: Sequence[int | None]) -> Forecast | None:
    """The year's total from its days so far.

    year    (n,)  amounts of its first n days, all of them past; None: not known
    days          how many it has
    before  (m,)  amounts of the year before, whole; empty: not known

    Days of this year that aren't known are filled as those to come. None where nothing is known. Amounts are in any
    unit; what is answered is rounded to whole ones of it.
    """
    known = [each for each in year if each is not None]
    if not known:
        return None
    to_date = sum(known)
    left = days - len(known)
    if left == 0:
        exact = Fraction(to_date)
        return Forecast(exact, exact, exact, exact, Way.NOTHING_LEFT, len(known), 0, None)
    way, rest = _rest(year, days, before, to_date)
    spread = _spread([*before, *year])
    width = 0.0 if spread is None else spread * math.sqrt(left / WEEK) * WEEK / left * float(abs(rest)) * Z_90
    middle = Fraction(round(to_date + rest))
    half = Fraction(round(width))
    return Forecast(
        Fraction(to_date), max(Fraction(to_date), middle - half) if to_date >= 0 else middle - half, middle,
        middle + half, way, len(known), left, spread,
    )  # fmt: skip


def _rest(
    year: Sequence[int | None], days: int, before: Sequence[int | None], to_date: int
) -> tuple[Way, Fraction]:
    """What the days that aren't known come to."""
    open_days = [place for place in range(days) if place >= len(year) or year[place] is None]
    if before and sum(each is not None for each in before) >= KNOWN_SHARE_MIN * len(before):
        mean = Fraction(
            sum(each for each in before if each is not None), sum(each is not None for each in before)
        )
        # A leap day has no day before: the mean stands in, as it does for what wasn't known.
        then = [
            mean if place >= len(before) or before[place] is None else Fraction(before[place] or 0)
            for place in range(days)
        ]
        same = sum((then[place] for place in range(len(year)) if year[place] is not None), Fraction(0))
        if same > 0:
            growth = Fraction(to_date) / same
            return Way.YEAR_BEFORE, growth * sum((then[place] for place in open_days), Fraction(0))
    recent = [each for each in year if each is not None][-RECENT_DAYS:]
    return Way.RECENT_DAYS, Fraction(sum(recent), len(recent)) * len(open_days)


def _spread(series: Sequence[int | None]) -> float | None:
    """The standard deviation of sums of whole known weeks ÷ their mean, over the last year."""
    sums: list[int] = []
    end = len(series)
    while end >= WEEK and len(sums) < 52:
        week = [each for each in series[end - WEEK : end] if each is not None]
        if len(week) == WEEK:
            sums.append(sum(week))
        end -= WEEK
    if len(sums) < WEEKS_MIN:
        return None
    mean = Fraction(sum(sums), len(sums))
    if mean == 0:
        return None
    variance = sum((Fraction(each) - mean) ** 2 for each in sums) / (len(sums) - 1)
    return math.sqrt(float(variance / mean**2))
