"""A published label changes across a boundary only by a margin, or when a streak of quarter ends stays beyond it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from accounting.grades.inputs import Previous
from accounting.grades.scheme import Hysteresis, Scheme


def held_label(scheme: Scheme, rule: Hysteresis, score: Fraction, previous: Previous | None) -> str:
    """The label before caps. Several boundaries may be crossed at once, each is tested."""
    if previous is None or scheme.rank_of(previous.held) == len(scheme.labels):
        return scheme.label_of(score)
    rank = scheme.rank_of(previous.held)
    while rank > 0:
        boundary = scheme.labels[rank - 1].at_least
        if boundary is None or not _rises(boundary, rule, score, previous):
            break
        rank -= 1
    while rank < len(scheme.labels) - 1:
        boundary = scheme.labels[rank].at_least
        if boundary is None or not _falls(boundary, rule, score, previous):
            break
        rank += 1
    return scheme.labels[rank].code


def _rises(boundary: Fraction, rule: Hysteresis, score: Fraction, previous: Previous) -> bool:
    return score >= boundary + rule.margin or (
        score >= boundary and _stayed(rule, previous, lambda each: each >= boundary)
    )


def _falls(boundary: Fraction, rule: Hysteresis, score: Fraction, previous: Previous) -> bool:
    return score < boundary - rule.margin or (
        score < boundary and _stayed(rule, previous, lambda each: each < boundary)
    )


def _stayed(rule: Hysteresis, previous: Previous, is_beyond: Callable[[Fraction], bool]) -> bool:
    """Whether the quarter ends before, with this one, make a streak beyond the boundary."""
    if rule.streak is None:
        return False
    before = previous.scores[: rule.streak - 1]
    return len(before) == rule.streak - 1 and all(each is not None and is_beyond(each) for each in before)
