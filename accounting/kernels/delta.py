"""Amounts of periods to consumption by interval (docs/rules.md, `delta`)."""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Bools, Int, Int8s, Int16s, Int64s, int64, kernel
from accounting.kernels.layout import (
    CONFLICT,
    DAY,
    ESTIMATED,
    FROM,
    IMPLAUSIBLE,
    INTERPOLATED,
    INTERVAL,
    MINUTE,
    MISSING,
    OUTSIDE,
    PERIOD_MONTHS,
    PERIOD_US,
    SNAP,
    TO,
)
from accounting.kernels.wide import multiply_divide

WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05: where the grid of whole weeks begins
AMOUNT_MAX = 1 << 62


@kernel
def civil(day: Int) -> tuple[Int, Int]:
    """(month number year × 12 + month - 1, day of the month) of a day counted from 1970-01-01.

    Proleptic Gregorian; H. Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`.
    """
    z = day + 719_468
    era = z // 146_097
    of_era = z - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + 2 if march < 10 else march - 10
    if month < 2:
        year += 1
    return (year + era * 400) * 12 + month, of_year - (153 * march + 2) // 5 + 1


@kernel
def month_start(month: Int) -> Int:
    """First day of a month number."""
    year = month // 12
    of_year = month - year * 12
    if of_year < 2:
        year -= 1
        of_year += 10
    else:
        of_year -= 2
    era = year // 400
    year_of_era = year - era * 400
    days = (153 * of_year + 2) // 5 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100
    return era * 146_097 + days - 719_468


@kernel
def snapped(stamp: Int, period_us: Int, months: Int, offset: Int) -> Int:
    """The stamp, or the point of the local grid of its period within a tenth of it, at most a minute."""
    local = stamp + offset
    if months > 0:
        month, _ = civil(local // DAY)
        month -= month % months
        low = month_start(month) * DAY
        high = month_start(month + months) * DAY
        tolerance = int64(MINUTE)
    else:
        origin = MONDAY if period_us % WEEK == 0 else 0
        low = local - (local - origin) % period_us
        high = low + period_us
        tolerance = min(int64(MINUTE), period_us // 10)
    if local - low <= tolerance:
        return low - offset
    if high - local <= tolerance:
        return high - offset
    return stamp


@kernel
def period_start(end: Int, period_us: Int, months: Int, offset: Int) -> Int:
    """Where the period begins that ends here: a month back at the same time of the day, at most its last day."""
    if months == 0:
        return end - period_us
    local = end + offset
    month, of_month = civil(local // DAY)
    start = month_start(month - months)
    days = month_start(month - months + 1) - start
    return (start + min(of_month, days) - 1) * DAY + local % DAY - offset


@kernel
def periods(
    at: Int64s, begin: Int, end: Int, plan: Int64s, row: Int, offset: Int, starts: Int64s, ends: Int64s
) -> None:
    """Write the periods that end at at[begin:end], stamps of a version, into starts and ends."""
    for i in range(begin, end):
        stop = at[i]
        if plan[row, SNAP]:
            stop = snapped(stop, plan[row, PERIOD_US], plan[row, PERIOD_MONTHS], offset)
        ends[i] = stop
        starts[i] = period_start(stop, plan[row, PERIOD_US], plan[row, PERIOD_MONTHS], offset)


@kernel
def mark_overlaps(starts: Int64s, ends: Int64s, size: Int, overlaps: Bools) -> None:
    """Write which periods share time with another."""
    is_sorted = True
    for i in range(1, size):
        if starts[i] < starts[i - 1]:
            is_sorted = False
            break
    order = np.arange(size) if is_sorted else np.argsort(starts[:size], kind="mergesort")
    reach = int64(-1 << 62)  # end of what began before
    for p in range(size):
        i = order[p]
        overlaps[i] = starts[i] < reach or (p + 1 < size and starts[order[p + 1]] < ends[i])
        reach = max(reach, ends[i])


@kernel
def mark_range(marks: Int64s, start: Int, end: Int, first_us: Int) -> None:
    """Open and close [start, end) in a difference array over the intervals that it touches."""
    count = marks.size - 1
    low = max((start - first_us) // INTERVAL, int64(0))
    high = min(-((first_us - end) // INTERVAL), int64(count))
    if low < high:
        marks[low] += 1
        marks[high] -= 1


@kernel
def within_validity(start: Int, end: Int, plan: Int64s, begin: Int, stop: Int) -> Int:
    """How much of [start, end) lies within the versions plan[begin:stop]."""
    inside = int64(0)
    for row in range(begin, stop):
        inside += max(int64(0), min(end, plan[row, TO]) - max(start, plan[row, FROM]))
    return inside


@kernel
def spread(
    amount: Int,
    start: Int,
    end: Int,
    is_estimate: bool,
    flag: Int,
    plan: Int64s,
    begin: Int,
    stop: Int,
    first_us: Int,
    amounts: Int64s,
    covered: Int64s,
    states: Int8s,
    all_flags: Int16s,
) -> None:
    """Split an amount over the intervals that [start, end) touches, by the rule of the largest remainder.

    All whole intervals have one quota, so there are three remainders: of the first, cut one, of the whole
    ones, and of the last, cut one. What is left over goes to the largest, the earliest first.
    """
    length = end - start
    size = -amount if amount < 0 else amount
    low = start // INTERVAL  # numbers of intervals since the epoch
    high = (end - 1) // INTERVAL + 1
    has_head = start % INTERVAL != 0 or high - low == 1
    has_tail = end % INTERVAL != 0 and high - low > 1
    middles = high - low - has_head - has_tail
    head, head_rest = int64(0), int64(-1)
    tail, tail_rest = int64(0), int64(-1)
    whole, whole_rest = int64(0), int64(-1)
    if has_head:
        head, head_rest = multiply_divide(size, min((low + 1) * INTERVAL, end) - start, length)
    if has_tail:
        tail, tail_rest = multiply_divide(size, end - (high - 1) * INTERVAL, length)
    if middles > 0:
        whole, whole_rest = multiply_divide(size, int64(INTERVAL), length)
    left = size - head - tail - whole * middles
    first = first_us // INTERVAL
    for k in range(max(low, first), min(high, first + amounts.size)):
        if has_head and k == low:
            share = head
            rank = (middles if whole_rest > head_rest else 0) + (1 if tail_rest > head_rest else 0)
        elif has_tail and k == high - 1:
            share = tail
            rank = (1 if has_head and head_rest >= tail_rest else 0) + (
                middles if whole_rest >= tail_rest else 0
            )
        else:
            share = whole
            rank = (1 if has_head and head_rest >= whole_rest else 0) + (1 if tail_rest > whole_rest else 0)
            rank += k - low - has_head
        if rank < left:
            share += 1
        if amount < 0:
            share = -share
        i = k - first
        # At most 2^62 each, so the sum doesn't wrap.
        total = amounts[i] + share
        if total > AMOUNT_MAX or total < -AMOUNT_MAX:
            total = int64(0)
            states[i] = MISSING
            all_flags[i] |= IMPLAUSIBLE
        amounts[i] = total
        inside = within_validity(max(start, k * INTERVAL), min(end, (k + 1) * INTERVAL), plan, begin, stop)
        covered[i] += inside
        if is_estimate:
            states[i] = min(int64(states[i]), ESTIMATED)
        elif start < k * INTERVAL or end > (k + 1) * INTERVAL:
            states[i] = min(int64(states[i]), INTERPOLATED)
        all_flags[i] |= flag


@kernel
def delta_intervals(
    starts: Int64s,
    ends: Int64s,
    values: Int64s,
    qualities: Int8s,
    flags: Int16s,
    size: Int,
    event_starts: Int64s,
    event_ends: Int64s,
    event_flags: Int16s,
    events: Int,
    plan: Int64s,
    begin: Int,
    stop: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
) -> None:
    """Consumption of intervals from the periods of standing values of all versions, plan[begin:stop].

    starts, ends, values   int64 (size,)  periods and their amounts in ledger units
    event_…                periods of which no value stands, and why
    first_us               start of the first interval
    amounts, states, all_flags (n,)       written; states MEASURED where no value had to be split

    Where values overlap none stands. An interval of which a part within validity isn't covered is missing.
    """
    count = amounts.size
    overlaps = np.zeros(size, np.bool_)
    mark_overlaps(starts, ends, size, overlaps)
    conflicts = np.zeros(count + 1, np.int64)
    implausible = np.zeros(count + 1, np.int64)
    for e in range(events):
        if event_flags[e] == CONFLICT:
            mark_range(conflicts, event_starts[e], event_ends[e], first_us)
        else:
            mark_range(implausible, event_starts[e], event_ends[e], first_us)
    covered = np.zeros(count, np.int64)
    for i in range(size):
        if overlaps[i]:
            mark_range(conflicts, starts[i], ends[i], first_us)
        else:
            spread(
                values[i], starts[i], ends[i], qualities[i] != 0, int64(flags[i]),
                plan, begin, stop, first_us, amounts, covered, states, all_flags,
            )  # fmt: skip
    in_conflict = int64(0)
    in_implausible = int64(0)
    for k in range(count):
        in_conflict += conflicts[k]
        in_implausible += implausible[k]
        if in_conflict > 0:
            all_flags[k] |= CONFLICT
        if in_implausible > 0:
            all_flags[k] |= IMPLAUSIBLE
        start = first_us + k * INTERVAL
        expected = within_validity(start, start + INTERVAL, plan, begin, stop)
        if expected == 0:
            states[k] = OUTSIDE
            all_flags[k] = 0
        elif covered[k] != expected:
            states[k] = MISSING
