"""Readings of a power or flow to consumption by interval, by trapezoids (docs/rules.md, `rate`).

The area of an interval is a sum of fractions: one with the denominator of the way that its start cuts, one
with that of its end, the rest whole. It is rounded once, half to even, from the exact sum.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, UInt, int64, kernel, uint64
from accounting.kernels.layout import (
    ESTIMATED,
    GAP,
    HOUR,
    INTERPOLATED,
    INTERVAL,
    MEASURED,
    MISSING,
)
from accounting.kernels.wide import (
    U0,
    U1,
    add,
    compare,
    divide,
    multiply,
    signed_add,
    signed_divide,
    signed_product,
)


@kernel
def times(negative: bool, high: UInt, low: UInt, factor: Int) -> tuple[bool, UInt, UInt]:
    """signed wide × int64 ≥ 0, which must fit."""
    carry, new_low = multiply(low, uint64(factor))
    return negative, high * uint64(factor) + carry, new_low


@kernel
def area_between(
    value0: Int, value1: Int, elapsed: Int, from_us: Int, to_us: Int
) -> tuple[bool, UInt, UInt, Int]:
    """Twice the area under the line between two readings, from `from_us` to `to_us` after the first.

    value0, value1         int64, |value| ≤ 2^62, `elapsed` microseconds apart
    0 ≤ from_us < to_us ≤ elapsed

    Gives (signed wide, r): the area is that plus r ÷ elapsed, 0 ≤ r < elapsed.
    """
    if from_us == 0 and to_us == elapsed:
        negative, high, low = signed_product(value0, elapsed)
        negative1, high1, low1 = signed_product(value1, elapsed)
        negative, high, low = signed_add(negative, high, low, negative1, high1, low1)
        return negative, high, low, int64(0)
    # value0 × (2 elapsed - m) + value1 × m, over elapsed, times the width, where m = from + to
    m = from_us + to_us
    negative, high, low = signed_product(value0, 2 * elapsed - m)
    negative1, high1, low1 = signed_product(value1, m)
    negative, high, low = signed_add(negative, high, low, negative1, high1, low1)
    negative, high, low, r = signed_divide(negative, high, low, elapsed)
    width = to_us - from_us
    negative, high, low = times(negative, high, low, width)
    rest_high, rest_low = multiply(uint64(r), uint64(width))
    rest_high, rest_low, r_wide = divide(rest_high, rest_low, uint64(elapsed))
    negative, high, low = signed_add(negative, high, low, False, rest_high, rest_low)
    return negative, high, low, int64(r_wide)


@kernel
def rounded_area(
    negative: bool, high: UInt, low: UInt, r0: Int, elapsed0: Int, r1: Int, elapsed1: Int, divisor: Int
) -> Int:
    """(wide + r0 ÷ elapsed0 + r1 ÷ elapsed1) ÷ divisor, half to even; the result must fit, divisor is even."""
    # The two fractions: whether they make a whole, and whether anything is left over.
    a_high, a_low = multiply(uint64(r0), uint64(elapsed1))
    b_high, b_low = multiply(uint64(r1), uint64(elapsed0))
    a_high, a_low = add(a_high, a_low, b_high, b_low)
    one_high, one_low = multiply(uint64(elapsed0), uint64(elapsed1))
    comparison = compare(a_high, a_low, one_high, one_low)
    is_more = comparison != 0 and (a_high != U0 or a_low != U0)
    if comparison >= 0:
        negative, high, low = signed_add(negative, high, low, False, U0, U1)
    negative, _, low, remainder = signed_divide(negative, high, low, divisor)
    quotient = -int64(low) if negative else int64(low)
    rest = divisor - remainder
    # The fraction left over is less than one, and the divisor is even: it only breaks ties.
    if remainder > rest or (remainder == rest and (is_more or quotient & 1)):
        quotient += 1
    return quotient


@kernel
def rate_intervals(
    at: Int64s,
    values: Int64s,
    qualities: Int8s,
    flags: Int16s,
    links: Int16s,
    size: Int,
    before_at: Int,
    before_flags: Int,
    after_at: Int,
    after_flags: Int,
    is_mean: bool,
    begin_us: Int,
    end_us: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
) -> None:
    """Consumption (of a mean: the mean) of the intervals that overlap [begin_us, end_us), a run's validity.

    at, values  int64 (size,)  readings in ledger units (an hour), stamps rising; two at a change of version
    links       int16 (size,)  flags of the way from each reading to the next; GAP makes it unknown
    others      as in `register.register_intervals`

    Measured where both ends were read, missing where a part isn't covered.
    """
    end_us = min(end_us, first_us + amounts.size * INTERVAL)
    k = max(int64(0), (begin_us - first_us) // INTERVAL)
    start = max(begin_us, first_us + k * INTERVAL)
    g = np.searchsorted(at[:size], start, side="right") - 1
    while start < end_us:
        stop = min(end_us, first_us + (k + 1) * INTERVAL)
        between = 0
        found = 0
        capped = False
        if g < 0:
            if before_flags != 0 and before_at < stop and (size > 0 or after_at >= start):
                between |= before_flags
        else:
            capped = qualities[g] != 0
            found = int64(flags[g])
        exact = g >= 0 and at[g] == start
        known = g >= 0
        negative, high, low = False, U0, U0
        r0, elapsed0, r1, elapsed1 = int64(0), int64(1), int64(0), int64(1)
        moment = start
        while g + 1 < size and at[g + 1] <= stop:
            # the way from g to g + 1 is the interval's from `moment` on
            if g >= 0 and at[g + 1] > moment:
                between |= int64(links[g])
                elapsed = at[g + 1] - at[g]
                part_negative, part_high, part_low, r = area_between(
                    values[g], values[g + 1], elapsed, moment - at[g], elapsed
                )
                negative, high, low = signed_add(negative, high, low, part_negative, part_high, part_low)
                if r > 0:  # only the first way can be cut here
                    r0, elapsed0 = r, elapsed
            moment = at[g + 1]
            g += 1
            capped = capped or qualities[g] != 0
            found |= int64(flags[g])
        if g >= 0 and moment < stop and at[g] < stop:
            if g + 1 < size:
                between |= int64(links[g])
                elapsed = at[g + 1] - at[g]
                part_negative, part_high, part_low, r1 = area_between(
                    values[g], values[g + 1], elapsed, moment - at[g], stop - at[g]
                )
                elapsed1 = elapsed
                negative, high, low = signed_add(negative, high, low, part_negative, part_high, part_low)
                capped = capped or qualities[g + 1] != 0
                found |= int64(flags[g + 1])
            else:
                known = False
                if after_flags != 0 and after_at >= start:
                    between |= after_flags
        exact = exact and at[g] == stop
        state = MEASURED
        if not known or g < 0 or between & GAP:
            state = MISSING
        else:
            divisor = 2 * (stop - start) if is_mean else int64(2 * HOUR)
            amounts[k] = rounded_area(negative, high, low, r0, elapsed0, r1, elapsed1, divisor)
            between |= found
            if capped:
                state = ESTIMATED
            elif not exact:
                state = INTERPOLATED
        states[k] = min(int64(states[k]), state)
        all_flags[k] |= between
        start = stop
        k += 1
