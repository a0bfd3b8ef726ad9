"""Integers of 128 bits as two limbs: products that don't wrap, divisions that are exact.

An unsigned wide is (high, low), a signed one (is_negative, high, low) of its magnitude; limbs are uint64.
All of it also runs as plain Python (NUMBA_DISABLE_JIT=1), where numpy scalars wrap in the same way.
"""

from __future__ import annotations

from accounting.kernels.compiled import Int, UInt, int64, kernel, uint64

U0 = uint64(0)
U1 = uint64(1)
U32 = uint64(32)
U64 = uint64(64)
LOW = uint64(0xFFFFFFFF)
BASE = uint64(1 << 32)
TOP = uint64(1 << 63)
# Below this a product of two floats that stand for int64s is certain to fit in int64.
FITS = 9.2e18


@kernel
def multiply(a: UInt, b: UInt) -> tuple[UInt, UInt]:
    """uint64 × uint64 -> wide."""
    a0, a1 = a & LOW, a >> U32
    b0, b1 = b & LOW, b >> U32
    t = a0 * b0
    w0 = t & LOW
    t = a1 * b0 + (t >> U32)
    w1 = t & LOW
    w2 = t >> U32
    t = a0 * b1 + w1
    return a1 * b1 + w2 + (t >> U32), ((t & LOW) << U32) | w0


@kernel
def add(a_high: UInt, a_low: UInt, b_high: UInt, b_low: UInt) -> tuple[UInt, UInt]:
    """wide + wide, which must fit."""
    room = ~a_low
    if b_low > room:  # the sum of the low limbs wraps: low = a_low + b_low - 2^64
        return a_high + b_high + U1, b_low - room - U1
    return a_high + b_high, a_low + b_low


@kernel
def subtract(a_high: UInt, a_low: UInt, b_high: UInt, b_low: UInt) -> tuple[UInt, UInt]:
    """wide - wide, which must not be negative."""
    if b_low > a_low:
        return a_high - b_high - U1, ~(b_low - a_low) + U1
    return a_high - b_high, a_low - b_low


@kernel
def compare(a_high: UInt, a_low: UInt, b_high: UInt, b_low: UInt) -> int:
    """-1, 0 or 1."""
    if a_high != b_high:
        return -1 if a_high < b_high else 1
    if a_low != b_low:
        return -1 if a_low < b_low else 1
    return 0


@kernel
def leading_zeros(a: UInt) -> UInt:
    """Of a uint64 that isn't zero."""
    zeros = U0
    for step in (32, 16, 8, 4, 2, 1):
        width = uint64(step)
        if a >> (U64 - width) == U0:
            zeros += width
            a = a << width
    return zeros


@kernel
def divide_narrow(high: UInt, low: UInt, divisor: UInt) -> tuple[UInt, UInt]:
    """wide ÷ uint64 -> (quotient uint64, remainder); high must be below the divisor.

    Two digits of 32 bits by long division (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D).
    """
    shift = leading_zeros(divisor)
    v = divisor << shift
    v1, v0 = v >> U32, v & LOW
    if shift > U0:
        u = (high << shift) | (low >> (U64 - shift))
    else:
        u = high
    rest = low << shift
    u1, u0 = rest >> U32, rest & LOW
    q1 = u // v1
    r = u - q1 * v1
    while q1 >= BASE or q1 * v0 > ((r << U32) | u1):
        q1 -= U1
        r += v1
        if r >= BASE:
            break
    middle = ((u & LOW) << U32) + u1 - q1 * v  # wraps on purpose: only the low 64 bits count
    q0 = middle // v1
    r = middle - q0 * v1
    while q0 >= BASE or q0 * v0 > ((r << U32) | u0):
        q0 -= U1
        r += v1
        if r >= BASE:
            break
    remainder = (((middle & LOW) << U32) + u0 - q0 * v) >> shift
    return (q1 << U32) + q0, remainder


@kernel
def divide(high: UInt, low: UInt, divisor: UInt) -> tuple[UInt, UInt, UInt]:
    """wide ÷ uint64 -> (quotient high, quotient low, remainder)."""
    if high == U0:
        q = low // divisor
        return U0, q, low - q * divisor
    q_high = high // divisor
    q_low, remainder = divide_narrow(high - q_high * divisor, low, divisor)
    return q_high, q_low, remainder


@kernel
def signed_product(a: Int, b: Int) -> tuple[bool, UInt, UInt]:
    """int64 × int64 (≥ 0) -> signed wide; `a` is not -2^63."""
    if a < 0:
        high, low = multiply(uint64(-a), uint64(b))
        return True, high, low
    high, low = multiply(uint64(a), uint64(b))
    return False, high, low


@kernel
def signed_add(
    a_negative: bool, a_high: UInt, a_low: UInt, b_negative: bool, b_high: UInt, b_low: UInt
) -> tuple[bool, UInt, UInt]:
    """signed wide + signed wide, which must fit."""
    if a_negative == b_negative:
        high, low = add(a_high, a_low, b_high, b_low)
        return a_negative, high, low
    if compare(a_high, a_low, b_high, b_low) >= 0:
        high, low = subtract(a_high, a_low, b_high, b_low)
        return a_negative, high, low
    high, low = subtract(b_high, b_low, a_high, a_low)
    return b_negative, high, low


@kernel
def signed_divide(negative: bool, high: UInt, low: UInt, divisor: Int) -> tuple[bool, UInt, UInt, Int]:
    """signed wide ÷ int64 (> 0), towards minus infinity -> (quotient signed wide, remainder int64 ≥ 0)."""
    d = uint64(divisor)
    q_high, q_low, r = divide(high, low, d)
    if negative and r > U0:
        q_high, q_low = add(q_high, q_low, U0, U1)
        r = d - r
    return negative, q_high, q_low, int64(r)


@kernel
def product_at_most(a: Int, b: Int, c: Int, d: Int) -> bool:
    """Whether a·b ≤ c·d, all int64 ≥ 0. The floats decide unless it is close."""
    left = float(a) * float(b)
    right = float(c) * float(d)
    if left < right * 0.999999999:
        return True
    if left > right * 1.000000001:
        return False
    left_high, left_low = multiply(uint64(a), uint64(b))
    right_high, right_low = multiply(uint64(c), uint64(d))
    return compare(left_high, left_low, right_high, right_low) <= 0


@kernel
def multiply_divide(a: Int, b: Int, divisor: Int) -> tuple[Int, Int]:
    """a·b ÷ divisor -> (quotient, remainder); int64, a and b ≥ 0, divisor > 0; the quotient must fit."""
    if float(a) * float(b) < FITS:
        product = a * b
        q = product // divisor
        return q, product - q * divisor
    high, low = multiply(uint64(a), uint64(b))
    _, q_low, r = divide(high, low, uint64(divisor))
    return int64(q_low), int64(r)


@kernel
def rounded_product(a: Int, b: Int, divisor: Int, limit: Int) -> tuple[Int, bool]:
    """a·b ÷ divisor, half to even -> (value, whether |value| ≤ limit); int64, b ≥ 0, divisor > 0; limit < 2^63."""
    magnitude = -a if a < 0 else a
    if float(magnitude) * float(b) < FITS:
        product = magnitude * b
        q = product // divisor
        r = product - q * divisor
    else:
        high, low = multiply(uint64(magnitude), uint64(b))
        q_high, q_low, r_wide = divide(high, low, uint64(divisor))
        if q_high > U0 or q_low >= TOP:
            return int64(0), False
        q = int64(q_low)
        r = int64(r_wide)
    if q > limit:
        return int64(0), False
    rest = divisor - r
    if r > rest or (r == rest and q & 1):
        q += 1
        if q > limit:
            return int64(0), False
    return (-q if a < 0 else q), True
