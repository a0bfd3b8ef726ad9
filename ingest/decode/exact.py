"""Columns of doubles to exact decimals: `domain.reading.exact_value` for many values at once.

A double that equals m ÷ 10⁶ for an integer m below 10¹⁵ stands for that decimal, an integral one
below 2⁵³ for that integer; only the rest needs its text.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from domain.reading import exact_value

INTEGER_MAX = 1 << 53  # up to here a double says any integer exactly


# nine digits on either side of the point: eighteen always fit 63 bits
_PLAIN_TEXT = re.compile(r"(-?(?:0|[1-9]\d{0,8}))(?:\.(\d{1,9}))?\Z", re.ASCII)


def exact_text(text: str) -> tuple[int, int] | None:
    """`exact_value` of a text, quickly where it is an everyday decimal."""
    match = _PLAIN_TEXT.match(text)
    if match is None:
        return exact_value(text)
    whole, fraction = match.groups()
    return (int(whole + fraction), -len(fraction)) if fraction else (int(whole), 0)


def exact_values(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """(mantissas, exponents) of finite doubles, each as `exact_value` gives it.

    Integers may have come as doubles if they are within ± 2⁵³: then both give the same.
    """
    scaled = values * 1e6
    rounded = np.rint(scaled)
    short = (np.abs(scaled) < 1e15) & (rounded / 1e6 == values)
    mantissas = np.where(short, rounded, 0.0).astype(np.int64)
    exponents = np.where(short, -6, 0).astype(np.int16)
    # trailing zeros, up to six of them: by four, two and one digits (0 loses its exponent as well)
    for digits in (4, 2, 1):
        power = 10**digits
        quotients = mantissas // power
        divisible = (quotients * power == mantissas) & (exponents <= -digits)
        np.copyto(mantissas, quotients, where=divisible)
        exponents[divisible] += digits
    if not short.all():
        integral = ~short & (np.abs(values) < INTEGER_MAX) & (np.rint(values) == values)
        mantissas[integral] = values[integral].astype(np.int64)
        for place in np.flatnonzero(~short & ~integral):
            number = exact_value(float(values[place]))
            assert number is not None, "a finite double has a shortest decimal of 17 digits"
            mantissas[place], exponents[place] = number
    exponents[mantissas == 0] = 0
    return mantissas, exponents
