"""How far the next label is: the smallest reduction of emissions, denominators fixed, that reaches its score.

With E scaled to t × E each dimension is a falling, piecewise-linear function of t, continuous from the left, so S is
too: the largest t that reaches the score is found among the breaks, then on the straight piece between two, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

_ONE, _ZERO = Fraction(1), Fraction(0)


@dataclass(frozen=True, slots=True)
class Term:
    """A part of S: its weight, its score at a scale, and the scales in (0, 1) at which its straight pieces meet."""

    weight: Fraction
    score: Callable[[Fraction], Fraction]
    breaks: Sequence[Fraction]


def largest_scale(terms: Sequence[Term], wanted: Fraction, present: Fraction) -> Fraction | None:
    """The largest t within (0, 1] at which the weighted sum of the terms is at least `wanted`; None where none is.

    present   the sum at t = 1
    """
    if present >= wanted:
        return _ONE

    def score(t: Fraction) -> Fraction:
        parts = [term.weight * term.score(t) for term in terms]
        return sum(parts[1:], parts[0])

    # S falls in t: search the highest break that still reaches the score. A break may stand twice, which is harmless.
    breaks = sorted([each for term in terms for each in term.breaks])
    low, high, at_right = 0, len(breaks), present
    while low < high:
        middle = (low + high) // 2
        found = score(breaks[middle])
        if found >= wanted:
            low = middle + 1
        else:
            high, at_right = middle, found
    reached = breaks[low - 1] if low else None
    left = _ZERO if reached is None else reached
    right = breaks[low] if low < len(breaks) else _ONE
    half = (left + right) / 2
    slope = (at_right - score(half)) / (right - half)
    if slope < 0:
        t = right + (wanted - at_right) / slope
        if t > left:
            return t
    return reached
