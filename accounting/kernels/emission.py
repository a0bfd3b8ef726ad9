"""From amounts to milligrams of CO2e, and sums over windows of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from accounting.kernels.compiled import Bools, Int, Int16s, Int64s, UInt16s, int64, kernel
from accounting.kernels.machine import as_float, as_integer, settle, stream
from accounting.kernels.wide import rounded_product
from domain.reading import VALUE_BOUND, round_half_even

INT64_BOUND = 1 << 63
_NARROW = float(1 << 50)
_DENOMINATOR_MAX = 1 << 50
_BLOCK = 4096
_WIDTH_MAX = (1 << 16) - 1


@kernel
def emit_narrow(amounts: Int64s, numerator: Int, denominator: Int, mg: Int64s) -> None:
    """As `emit`, where |amount × numerator| < 2^50 and the denominator is below 2^50: all of it in floats, exact.

    The quotient is off by less than a quarter. So its floor is one off only where the quotient is next to a whole
    number, to which what then remains (below 0, or not below the divisor) rounds all the same.
    """
    top, bottom = float(numerator), float(denominator)
    inverse = 1.0 / bottom
    for i in range(amounts.size):
        product = as_float(amounts[i]) * top
        part = np.floor(product * inverse)
        twice = 2.0 * (product - part * bottom)
        is_odd = part - 2.0 * np.floor(part * 0.5)
        up = 1.0 if twice > bottom else (is_odd if twice == bottom else 0.0)
        mg[i] = as_integer(part + up)


@kernel
def emit(
    amounts: Int64s, numerator: Int, denominator: Int, limit: Int, mg: Int64s, within: Bools
) -> tuple[Int, bool]:
    """mg = amount × numerator ÷ denominator, half to even, by way of 128 bits where it takes them.

    amounts      int64 (n,)   activity data in ledger units, within ±2^62
    numerator, denominator    int64, the factor in mg of a ledger unit; denominator > 0
    mg           int64 (n,)   written; 0 where its size is beyond the limit
    within       bool (n,)    written: whether it isn't

    Gives a bound of the sizes of all mg, at most the limit (≥ 2^51), and whether all are within it.
    """
    size = -numerator if numerator < 0 else numerator
    bits = int64(0)
    for i in range(amounts.size):
        bits |= amounts[i] ^ (amounts[i] >> 63)
    largest = (float(bits) + 1.0) * float(size)
    if largest < _NARROW and denominator < _DENOMINATOR_MAX:
        emit_narrow(amounts, numerator, denominator, mg)
        within[:] = True
        return int64(largest / float(denominator)) + 2, True
    bound = int64(0)
    all_fit = True
    for i in range(amounts.size):
        value, fits = rounded_product(amounts[i], size, denominator, limit)
        mg[i] = -value if numerator < 0 else value
        within[i] = fits
        all_fit = all_fit and fits
        bound = max(bound, abs(value))
    return bound, all_fit


@kernel
def trail(
    values: Int64s,
    states: Int16s,
    widths: Int64s,
    totals: Int64s,
    numbers: UInt16s,
    low: Int,
    sums: Int64s,
    counts: UInt16s,
) -> None:
    """Sums of the known values among the last `widths` at each place of a series, and how many there are.

    values   int64 (n,)   width × |value| must stay below 2^63; 0 where not known
    states   int16 (n,)   quality in the lowest two bits: known where it isn't missing
    widths   int64 (w,)   at most 65,535 or n
    totals   int64, numbers  uint16 (m + n,)  room: zeros, as many as the greatest width or n, and behind them what
                          is written
    low      where the series begins in what is written
    sums     int64, counts uint16 (w, …)  written, past the caches (`settle`); the first places have what there is

    Differences of running totals, which may wrap: the differences don't.
    """
    size = values.size
    lead = totals.size - size
    later_total, later_number = totals[lead:], numbers[lead:]
    total = int64(0)
    number = int64(0)
    for i in range(size):
        total += values[i]
        number += int64(states[i] & 3 != 0)
        later_total[i] = total
        later_number[i] = number
    result, result_number = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.uint16)
    for w in range(widths.size):
        back = lead - min(widths[w], lead)
        for begin in range(0, size, _BLOCK):
            end = min(begin + _BLOCK, size)
            # Slices, since numba looks at every index that may be negative.
            first_total, last_total = totals[back + begin : back + end], later_total[begin:end]
            for i in range(end - begin):
                result[i] = last_total[i] - first_total[i]
            stream(result[: end - begin], sums[w, low + begin : low + end])
            first_number, last_number = numbers[back + begin : back + end], later_number[begin:end]
            for i in range(end - begin):
                result_number[i] = last_number[i] - first_number[i]
            stream(result_number[: end - begin], counts[w, low + begin : low + end])


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
        bound, _ = emit(amounts, numerator, denominator, VALUE_BOUND, mg, within)
        return int(bound)
    exact = [round_half_even(amount * numerator, denominator) for amount in amounts.tolist()]
    within[:] = [abs(value) <= VALUE_BOUND for value in exact]
    mg[:] = [value if abs(value) <= VALUE_BOUND else 0 for value in exact]
    return int(np.abs(mg).max(initial=0))


def trailing_sums(
    values: NDArray[np.int64], states: NDArray[np.int16], width: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """(sums, counts) over the last `width` values at each place, of those known; integers, so without drift.

    values  int64 (n,)  0 where not known
    states  int16 (n,)  quality | flags << 2: known where the quality isn't missing

    Raises OverflowError where the sum of all could leave int64, or so many be known that 16 bits don't hold it.
    """
    size = len(values)
    widths = np.array([width])
    check_windows(int(np.abs(values).max(initial=0)), widths, size)
    sums, counts = np.empty((1, size), np.int64), np.empty((1, size), np.uint16)
    totals, numbers = trailing_room(widths, size)
    trail(
        np.ascontiguousarray(values, np.int64), np.ascontiguousarray(states, np.int16),
        widths, totals, numbers, 0, sums, counts,
    )  # fmt: skip
    settle()
    return sums[0], counts[0]


def trailing_room(widths: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """(totals, numbers) of `trail` for series of this size."""
    room = min(int(widths.max(initial=0)), size) + size
    return np.zeros(room, np.int64), np.zeros(room, np.uint16)


def check_windows(largest: int, widths: NDArray[np.int64], size: int) -> None:
    """Raises OverflowError where values of up to this size could sum to beyond int64, or to more than 16 bits count."""
    width = min(int(widths.max(initial=0)), size)
    if width > _WIDTH_MAX:
        raise OverflowError(f"windows of {width} intervals; at most {_WIDTH_MAX} are counted")
    if largest * width >= INT64_BOUND:
        raise OverflowError(f"sums over {width} values of up to {largest} leave int64")
