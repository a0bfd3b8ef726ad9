"""Exact numbers as decimals: the two ways of rounding that are named in this field.

half_up    四舍五入, a half goes away from zero: what the guidelines say
half_even  四舍六入五成双 of GB/T 8170, a half goes to the even neighbour: what the ledger does
"""

from __future__ import annotations

import math
from enum import StrEnum
from fractions import Fraction


class Rounding(StrEnum):
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


def rounded(value: Fraction, decimals: int, rounding: Rounding) -> int:
    """The count of 10^-decimals that a value is nearest to.

    >>> rounded(Fraction("-0.125"), 2, Rounding.HALF_UP), rounded(Fraction("-0.125"), 2, Rounding.HALF_EVEN)
    (-13, -12)
    """
    scaled = Fraction(value * 10**decimals)
    if rounding is Rounding.HALF_EVEN:
        return round(scaled)
    count = math.floor(abs(scaled) + Fraction(1, 2))
    return -count if scaled < 0 else count


def decimal_text(value: Fraction, decimals: int, rounding: Rounding) -> str:
    """A value with so many decimals, all of them printed; what rounds to zero has no sign.

    >>> decimal_text(Fraction(2, 3), 4, Rounding.HALF_UP), decimal_text(Fraction(-1, 3), 0, Rounding.HALF_UP)
    ('0.6667', '0')
    """
    count = rounded(value, decimals, rounding)
    digits = str(abs(count)).rjust(decimals + 1, "0")
    text = f"{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}" if decimals else digits
    return f"-{text}" if count < 0 else text
