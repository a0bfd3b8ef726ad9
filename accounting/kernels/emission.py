"""From amounts to milligrams of CO2e, and sums over windows of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from accounting.kernels.compiled import Bools, Int, Int16s, Int32s, Int64s, int64, kernel
from accounting.kernels.wide import rounded_product
from domain.reading import VALUE_BOUND, round_half_even

INT64_BOUND = 1 << 63
_NARROW = float(1 << 50)
_DENOMINATOR_MAX = 1 << 50
_BLOCK = 512
# An integer within ±2^51 added to these bits is the float of its value plus BIASED.
BIAS = 0x4338_0000_0000_0000
BIASED = 6_755_399_441_055_744.0  # 1.5 × 2^52


@kernel
def emit_narrow(amounts: Int64s, numerator: Int, denominator: Int, mg: Int64s) -> None:
    """As `emit`, where |amount × numerator| < 2^50 and the denominator is below 2^50: all of it in floats, exact.

    The quotient is off by less than a quarter. So its floor is one off only where the quotient is next to a whole
    number, to which what then remains (below 0, or not below the divisor) rounds all the same.

    Integers become floats and floats integers by their bits (`BIAS`): AVX2 has no instruction for it. So every
    loop is made into vectors, as it isn't where one loop sees the bits both ways.
    """
    top, bottom = float(numerator), float(denominator)
    inverse = 1.0 / bottom
    room = np.empty(_BLOCK, np.int64)
    floats = room.view(np.float64)
    for low in range(0, amounts.size, _BLOCK):
        size = min(_BLOCK, amounts.size - low)
        amount, result = amounts[low : low + size], mg[low : low + size]
        for i in range(size):
            room[i] = amount[i] + BIAS
        for i in range(size):
            product = (floats[i] - BIASED) * top
            part = np.floor(product * inverse)
            twice = 2.0 * (product - part * bottom)
            is_odd = part - 2.0 * np.floor(part * 0.5)
            up = 1.0 if twice > bottom else (is_odd if twice == bottom else 0.0)
            floats[i] = part + up + BIASED
        for i in range(size):
            result[i] = room[i] - BIAS


@kernel
def emit(amounts: Int64s, numerator: Int, denominator: Int, limit: Int, mg: Int64s, within: Bools) -> Int:
    """mg = amount × numerator ÷ denominator, half to even, by way of 128 bits where it takes them.

    amounts      int64 (n,)   activity data in ledger units, within ±2^62
    numerator, denominator    int64, the factor in mg of a ledger unit; denominator > 0
    mg           int64 (n,)   written; 0 where its size is beyond the limit
    within       bool (n,)    written: whether it isn't

    Gives a bound of the sizes of all mg, at most the limit (≥ 2^51).
    """
    size = -numerator if numerator < 0 else numerator
    bits = int64(0)
    for i in range(amounts.size):
        bits |= amounts[i] ^ (amounts[i] >> 63)
    largest = (float(bits) + 1.0) * float(size)
    if largest < _NARROW and denominator < _DENOMINATOR_MAX:
        emit_narrow(amounts, numerator, denominator, mg)
        within[:] = True
        return int64(largest / float(denominator)) + 2
    bound = int64(0)
    for i in range(amounts.size):
        value, fits = rounded_product(amounts[i], size, denominator, limit)
        mg[i] = -value if numerator < 0 else value
        within[i] = fits
        bound = max(bound, abs(value))
    return bound


@kernel
def trail(
    values: Int64s,
    states: Int16s,
    size: Int,
    begin: Int,
    end: Int,
    widths: Int64s,
    sums: Int64s,
    counts: Int32s,
) -> None:
    """Sums of the known values among the last `widths` at each place of series [begin, end), and how many there are.

    values  int64 (c × size,)  series after series; width × |value| must stay below 2^63; 0 where not known
    states  int16 (c × size,)  quality in the lowest two bits: known where it isn't missing
    widths  int64 (w,)
    sums    int64, counts int32 (w, c × size)  written; the first places of a series have what there is

    Differences of running totals, which may wrap: the differences don't.
    """
    totals = np.empty(size, np.int64)
    numbers = np.empty(size, np.int32)
    for series in range(begin, end):
        low, high = series * size, (series + 1) * size
        value, state = values[low:high], states[low:high]
        total = int64(0)
        number = int64(0)
        for i in range(size):
            total += value[i]
            number += int64(state[i] & 3 != 0)
            totals[i] = total
            numbers[i] = number
        for w in range(widths.size):
            head = min(widths[w], size)
            sums[w, low : low + head] = totals[:head]
            counts[w, low : low + head] = numbers[:head]
            # Slices, since numba looks at every index that may be negative.
            later_total, later_number = totals[head:], numbers[head:]
            result, result_number = sums[w, low + head : high], counts[w, low + head : high]
            for i in range(size - head):
                result[i] = later_total[i] - totals[i]
            for i in range(size - head):
                result_number[i] = later_number[i] - numbers[i]


def emission(amounts: NDArray[np.int64], factor: Fraction) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(mg, within): milligrams of CO2e of each amount, rounded once, half to even.

    amounts  int64 (…)   in ledger units, within ±2^62
    factor               mg of one ledger unit, exact, of either sign
    within   bool (…)    False where the milligrams leave ±2^62: they are given as 0, nothing ever wraps

    A factor that 64 bits don't hold (a product of many measured digits) takes Python's integers.
    """
    shape = amounts.shape
    flat = np.ascontiguousarray(amounts.reshape(-1), np.int64)
    mg, within = np.empty(len(flat), np.int64), np.empty(len(flat), np.bool_)
    emission_into(flat, factor, mg, within)
    return mg.reshape(shape), within.reshape(shape)


def emission_into(
    amounts: NDArray[np.int64], factor: Fraction, mg: NDArray[np.int64], within: NDArray[np.bool_]
) -> int:
    """`emission` of amounts (n,) into arrays of their size; gives a bound of the sizes of all mg."""
    numerator, denominator = factor.numerator, factor.denominator
    if abs(numerator) < INT64_BOUND and denominator < INT64_BOUND:
        return int(emit(amounts, numerator, denominator, VALUE_BOUND, mg, within))
    exact = [round_half_even(amount * numerator, denominator) for amount in amounts.tolist()]
    within[:] = [abs(value) <= VALUE_BOUND for value in exact]
    mg[:] = [value if abs(value) <= VALUE_BOUND else 0 for value in exact]
    return int(np.abs(mg).max(initial=0))


def trailing_sums(
    values: NDArray[np.int64], states: NDArray[np.int16], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(sums, counts) over the last `width` values at each place, of those known; integers, so without drift.

    values  int64 (n,)  0 where not known
    states  int16 (n,)  quality | flags << 2: known where the quality isn't missing

    Raises OverflowError where the sum of all could leave int64.
    """
    check_windows(int(np.abs(values).max(initial=0)), min(width, len(values)))
    sums, counts = np.empty((1, len(values)), np.int64), np.empty((1, len(values)), np.int32)
    trail(
        np.ascontiguousarray(values, np.int64), np.ascontiguousarray(states, np.int16), len(values), 0, 1,
        np.array([width]), sums, counts,
    )  # fmt: skip
    return sums[0], counts[0]


def check_windows(largest: int, width: int) -> None:
    """Raises OverflowError where so many values of up to this size could sum to beyond int64."""
    if largest * width >= INT64_BOUND:
        raise OverflowError(f"sums over {width} values of up to {largest} leave int64")
