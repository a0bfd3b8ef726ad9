"""A value as sent, mantissa × 10^exponent, to counts of a resolution: half to even, exact at any exponent."""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, int64, kernel, uint64
from accounting.kernels.wide import U0, divide, multiply, rounded_product

TEN = uint64(10)
# A wide at or above this, once more times ten and divided by less than 2^63, is beyond 2^62.
_HUGE = uint64(1 << 59)
_TENS = 10 ** np.arange(19, dtype=np.int64)


@kernel
def count_factor(exponent: Int, numerator: Int, denominator: Int) -> tuple[Int, Int]:
    """(a, b) such that count = mantissa × a ÷ b, or (0, 0) where they don't fit.

    numerator, denominator  int64 > 0   the resolution, in lowest terms
    """
    a = int64(denominator)
    b = int64(numerator)
    if exponent > 40 or exponent < -40:
        return int64(0), int64(0)
    for _ in range(abs(exponent)):
        for prime in (2, 5):
            if exponent > 0:
                if b % prime == 0:
                    b //= prime
                elif a < 900_000_000_000_000_000:
                    a *= prime
                else:
                    return int64(0), int64(0)
            else:
                if a % prime == 0:
                    a //= prime
                elif b < 900_000_000_000_000_000:
                    b *= prime
                else:
                    return int64(0), int64(0)
    return a, b


@kernel
def wide_count(
    mantissa: Int, exponent: Int, numerator: Int, denominator: Int, limit: Int
) -> tuple[Int, bool]:
    """As `count`, step by step in 128 bits, for what `count_factor` refuses."""
    if mantissa == 0:
        return int64(0), True
    high, low = multiply(uint64(abs(mantissa)), uint64(denominator))
    for _ in range(exponent):
        if high >= _HUGE:
            return int64(0), False
        carry, low = multiply(low, TEN)
        high = high * TEN + carry
    # Division by the numerator and then by powers of ten; what earlier ones leave only breaks ties, since
    # the last divisor is even (or the only one).
    divisor = int64(numerator)
    left = -exponent
    sticky = False
    high, low, r = divide(high, low, uint64(divisor))
    while left > 0:
        sticky = sticky or r > U0
        step = min(left, 18)
        divisor = _TENS[step]
        high, low, r = divide(high, low, uint64(divisor))
        left -= step
    if high > U0 or low > uint64(limit):
        return int64(0), False
    q = int64(low)
    remainder = int64(r)
    rest = divisor - remainder
    if remainder > rest or (remainder == rest and (sticky or q & 1)):
        q += 1
    if q > limit:
        return int64(0), False
    return (-q if mantissa < 0 else q), True


@kernel
def count(
    mantissa: Int, exponent: Int, a: Int, b: Int, numerator: Int, denominator: Int, limit: Int
) -> tuple[Int, bool]:
    """(count, whether |count| ≤ limit) of one value; (a, b) is `count_factor` of its exponent."""
    if b == 1:
        if abs(mantissa) > limit // a:
            return int64(0), False
        return mantissa * a, True
    if b == 0:
        return wide_count(mantissa, exponent, numerator, denominator, limit)
    return rounded_product(mantissa, a, b, limit)
