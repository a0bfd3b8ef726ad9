"""From amounts to milligrams of CO2e, and sums over windows of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from accounting.kernels.compiled import Bools, Int, Int64s, int64, kernel
from accounting.kernels.wide import rounded_product
from domain.reading import VALUE_BOUND, round_half_even

INT64_BOUND = 1 << 63


@kernel
def emit(amounts: Int64s, numerator: Int, denominator: Int, limit: Int, mg: Int64s, within: Bools) -> None:
    """mg = amount × numerator ÷ denominator, half to even, by way of 128 bits.

    amounts      int64 (n,)   activity data in ledger units, within ±2^62
    numerator, denominator    int64, the factor in mg of a ledger unit; denominator > 0
    mg           int64 (n,)   written; 0 where its size is beyond the limit
    within       bool (n,)    written: whether it isn't
    """
    size = -numerator if numerator < 0 else numerator
    for i in range(amounts.size):
        value, fits = rounded_product(amounts[i], size, denominator, limit)
        mg[i] = -value if numerator < 0 else value
        within[i] = fits


@kernel
def trailing(values: Int64s, known: Bools, width: Int, sums: Int64s, counts: Int64s) -> None:
    """Sums of the known values among the last `width` at each place, and how many there are.

    values  int64 (n,)   n × |value| must stay below 2^63
    known   bool (n,)
    sums, counts  int64 (n,)  written; the first places have what there is
    """
    total = int64(0)
    count = int64(0)
    for i in range(values.size):
        if known[i]:
            total += values[i]
            count += 1
        if i >= width and known[i - width]:
            total -= values[i - width]
            count -= 1
        sums[i] = total
        counts[i] = count


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
    numerator, denominator = factor.numerator, factor.denominator
    if abs(numerator) < INT64_BOUND and denominator < INT64_BOUND:
        emit(flat, numerator, denominator, VALUE_BOUND, mg, within)
    else:
        exact = [round_half_even(amount * numerator, denominator) for amount in flat.tolist()]
        within[:] = [abs(value) <= VALUE_BOUND for value in exact]
        mg[:] = [value if abs(value) <= VALUE_BOUND else 0 for value in exact]
    return mg.reshape(shape), within.reshape(shape)


def trailing_sums(
    values: NDArray[np.int64], known: NDArray[np.bool_], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(sums, counts) over the last `width` values at each place, of those known; integers, so without drift.

    Raises OverflowError where the sum of all could leave int64.
    """
    if len(values) and int(np.abs(values).max()) * min(width, len(values)) >= INT64_BOUND:
        raise OverflowError(f"sums over {width} values of up to {int(np.abs(values).max())} leave int64")
    sums, counts = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    trailing(
        np.ascontiguousarray(values, np.int64), np.ascontiguousarray(known, np.bool_), width, sums, counts
    )
    return sums, counts
