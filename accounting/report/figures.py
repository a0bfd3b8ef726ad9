"""Exact texts of a report's figures. Pure."""

from __future__ import annotations

from fractions import Fraction

from domain.reading import decimal_text, round_half_even

PLACES = 12  # of what doesn't end


def kilograms(mg: int) -> str:
    return decimal_text(mg, -6)


def tonnes(mg: int) -> str:
    return decimal_text(mg, -9)


def decimal(value: Fraction, places: int = PLACES) -> str:
    """A decimal, exact where it ends within `places`, else rounded half to even at them; no idle zeros.

    >>> decimal(Fraction(5, 2)), decimal(Fraction(1, 3), 4), decimal(Fraction(7))
    ('2.5', '0.3333', '7')
    """
    text = decimal_text(round_half_even(value.numerator * 10**places, value.denominator), -places)
    return text.rstrip("0").rstrip(".")


def share(part: int, whole: int) -> str | None:
    """part ÷ whole, up to six places, rounded up, so that a little isn't nothing; None of nothing.

    >>> share(1, 3), share(1, 10**9), share(0, 5), share(5, 5), share(0, 0)
    ('0.333334', '0.000001', '0', '1', None)
    """
    if whole <= 0:
        return None
    return decimal(Fraction(-(-part * 1_000_000 // whole), 1_000_000), 6)


def coverage(known: int, expected: int) -> str | None:
    """known ÷ expected, up to six places, rounded down, so that "1" means all; None where nothing is expected.

    >>> coverage(95, 96), coverage(96, 96), coverage(0, 0)
    ('0.989583', '1', None)
    """
    if expected <= 0:
        return None
    return decimal(Fraction(min(known, expected) * 1_000_000 // expected, 1_000_000), 6)
