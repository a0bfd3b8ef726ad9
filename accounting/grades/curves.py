"""From a ratio or a level to a score of 0 to 100, exact."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from fractions import Fraction

_ZERO, _100 = Fraction(0), Fraction(100)


@dataclass(frozen=True, slots=True)
class Curve:
    """Falling scores over ascending positions.

    linear  straight between the points, held at both ends
    steps   the first score whose position isn't exceeded; beyond the last one, `beyond`

    >>> curve = Curve((Fraction(1), Fraction(2)), (Fraction(60), Fraction(40)), None)
    >>> curve.score(Fraction(3, 2)), curve.score(Fraction(9))
    (Fraction(50, 1), Fraction(40, 1))
    """

    positions: tuple[Fraction, ...]
    scores: tuple[Fraction, ...]
    beyond: Fraction | None  # None: linear
    lines: tuple[tuple[Fraction, Fraction], ...] = field(init=False, repr=False)  # (at zero, slope) by piece

    def __post_init__(self) -> None:
        pieces = zip(
            self.positions, self.positions[1:], self.scores, self.scores[1:], strict=False
        )  # the scores of steps are one a position, so both end together
        lines = []
        for left, right, low, high in pieces:
            slope = (high - low) / (right - left) if right != left else _ZERO
            lines.append((low - slope * left, slope))
        object.__setattr__(self, "lines", tuple(lines))

    def score(self, at: Fraction) -> Fraction:
        positions, scores = self.positions, self.scores
        if self.beyond is not None:
            index = bisect_left(positions, at)
            return self.beyond if index == len(positions) else scores[index]
        index = bisect_right(positions, at)
        if index == 0:
            return scores[0]
        if index == len(positions):
            return scores[-1]
        zero, slope = self.lines[index - 1]
        return zero + slope * at

    @property
    def worst(self) -> Fraction:
        return self.scores[-1] if self.beyond is None else self.beyond


@dataclass(frozen=True, slots=True)
class Levels:
    """Benchmark levels, lower is better; any may be negative. `two` may be None or equal to `one`."""

    one: Fraction
    two: Fraction | None
    three: Fraction

    def fault(self) -> str | None:
        if self.one >= self.three:
            return f"level 1 ({self.one}) must be below level 3 ({self.three})"
        if self.two is not None and not self.one <= self.two <= self.three:
            return f"level 2 ({self.two}) must lie between level 1 ({self.one}) and level 3 ({self.three})"
        return None

    @property
    def span(self) -> Fraction:
        if self.two is not None and self.two > self.one:
            return self.two - self.one
        return (self.three - self.one) / 2

    @property
    def middle(self) -> Fraction:
        """L2 where it is given, else half-way."""
        return self.two if self.two is not None else (self.one + self.three) / 2

    @property
    def breaks(self) -> tuple[Fraction, ...]:
        """Where the straight pieces of the score meet, ascending."""
        one, three = self.one, self.three
        return one - self.span, one, self.middle, three, three + three - one

    def score(self, at: Fraction) -> Fraction:
        """Clinker of 100/107/117 at 104:

        >>> levels = Levels(Fraction(100), Fraction(107), Fraction(117))
        >>> print(levels.score(Fraction(104)), levels.score(Fraction(112)))
        480/7 50
        """
        one, three, span, middle = self.one, self.three, self.span, self.middle
        if at <= one - span:
            return _100
        if at <= one:
            return 80 + 20 * (one - at) / span
        if at <= middle:
            return 80 - 20 * (at - one) / (middle - one)
        if at <= three:
            # where level 2 equals level 3 the middle is reached first, so that nothing is divided by zero
            return 60 - 20 * (at - middle) / (three - middle)
        if at < three + (three - one):
            return 40 - 40 * (at - three) / (three - one)
        return _ZERO

    def level(self, at: Fraction) -> int:
        """1, 2, 3, or 4 for what is beyond level 3."""
        if at <= self.one:
            return 1
        if at <= self.middle:
            return 2
        return 3 if at <= self.three else 4
