"""Readings, their quality and flags, and exact values: mantissa × 10^exponent.

Quality and flags of an interval travel together in one int16, `quality | flags << 2`, so that a day of
them is one array; `pack` and `unpack` are the only places that know.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import IntEnum, IntFlag
from fractions import Fraction

VALUE_BOUND = 1 << 62  # counts and amounts stay within ± this, so that sums of two never wrap
MANTISSA_MAX = (1 << 63) - 1
REVISION_MAX = 32_767
EXPONENT_MIN, EXPONENT_MAX = -400, 400  # doubles reach 10^±324; a decimal string may say a little more

IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class Quality(IntEnum):
    """Quality of an interval, worst to best."""

    MISSING = 0
    ESTIMATED = 1
    INTERPOLATED = 2
    MEASURED = 3


class Flag(IntFlag):
    """What else is to be said of an interval, beside its quality."""

    GAP = 1
    ROLLOVER = 2
    RESET = 4
    RESTART = 8
    REPLACED = 16
    NEGATIVE = 32
    LATE = 64  # tells of arrival: not part of the ledger as a function
    CONFLICT = 128
    IMPLAUSIBLE = 256
    SUBSTITUTED = 512
    RECEIPT_TIME = 1024


class SentQuality(IntEnum):
    """What the device says of a reading (`q` on the wire)."""

    GOOD = 0
    ESTIMATE = 1  # caps the interval's quality at estimated
    INVALID = 2  # stored, never stands


def pack(quality: int, flags: int) -> int:
    return int(quality) | int(flags) << 2


def unpack(packed: int) -> tuple[Quality, Flag]:
    return Quality(packed & 3), Flag(packed >> 2)


def flag_names(flags: int) -> list[str]:
    """`['gap', 'late']`, in the order of their bits."""
    return [flag.name.lower() for flag in Flag if flag & flags and flag.name]


_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)


def exact_value(value: int | float | str) -> tuple[int, int] | None:
    """(mantissa, exponent) of a value exactly as sent; None where it is no decimal or doesn't fit.

    A float stands for its shortest decimal (RFC 7493 promises senders no more): every number of up to
    15 significant digits comes back as it was written. Strings keep their trailing zeros.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value, 0) if -MANTISSA_MAX <= value <= MANTISSA_MAX else None
    if isinstance(value, float):
        scaled = value * 1e6
        if -1e15 < scaled < 1e15:  # also false for nan and inf
            mantissa = round(scaled)
            # a double that equals m / 10⁶ for an integer m below 10¹⁵ stands for that decimal
            if mantissa / 1e6 == value:
                return _without_zeros(mantissa, -6)
        text = repr(value)
        if text in ("nan", "inf", "-inf"):
            return None
        return _from_text(text, strip=True)
    if len(value) > 64 or not _DECIMAL.match(value):
        return None
    return _from_text(value, strip=False)


def _from_text(text: str, *, strip: bool) -> tuple[int, int] | None:
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    mantissa = int("".join(map(str, digits)))
    if strip or mantissa > MANTISSA_MAX:
        mantissa, exponent = _without_zeros(mantissa, exponent)
    if mantissa > MANTISSA_MAX or not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        return None
    return (-mantissa if sign else mantissa), exponent


def _without_zeros(mantissa: int, exponent: int) -> tuple[int, int]:
    if mantissa == 0:
        return 0, 0
    while mantissa % 10 == 0 and exponent < 0:
        mantissa //= 10
        exponent += 1
    return mantissa, exponent


def decimal_text(mantissa: int, exponent: int) -> str:
    """Plain decimal text of mantissa × 10^exponent, without an exponent part.

    >>> decimal_text(-1050, -2), decimal_text(5, 3), decimal_text(7, -3)
    ('-10.50', '5000', '0.007')
    """
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    digits = str(abs(mantissa)).rjust(-exponent + 1, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


def as_fraction(mantissa: int, exponent: int) -> Fraction:
    return Fraction(mantissa) * Fraction(10) ** exponent


def round_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, ties to even; exact for any size.

    >>> [round_half_even(n, 2) for n in (1, 3, -1, -3)]
    [0, 2, 0, -2]
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient
