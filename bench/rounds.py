"""Contenders in turn, A B C A B C …: a shared machine drifts, and what is compared must have met the same weather."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import psycopg

from bench.report import Turn
from domain.errors import CarbonmeterError

# What may go wrong in a turn without being a mistake of ours: the contender is left out from then on, with its reason.
FAILURES = (CarbonmeterError, OSError, TimeoutError, psycopg.Error)


class Contender(Protocol):
    """Something that is measured: a case of ours, a bare limit, another engine."""

    name: str

    def turn(self, seconds: float) -> Turn:
        """Measure once, for about so long."""


@dataclass(slots=True)
class Results:
    """Turns by contender, one a round; None from where it failed on, and why it did."""

    turns: dict[str, list[Turn | None]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def interleaved(
    contenders: Sequence[Contender],
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
    warm_up_s: float | None = None,
) -> Results:
    """Let each have its turn, round by round, after a warm-up that doesn't count."""
    results = Results({each.name: [] for each in contenders})
    if warm_up_s is not None:
        for each in contenders:
            tell(f"{each.name}: warming up")
            _turn(each, warm_up_s, results)
    for number in range(1, rounds + 1):
        for each in contenders:
            tell(f"round {number} of {rounds}: {each.name}")
            results.turns[each.name].append(_turn(each, seconds, results))
    return results


def _turn(contender: Contender, seconds: float, results: Results) -> Turn | None:
    if contender.name in results.faults:
        return None
    try:
        return contender.turn(seconds)
    except FAILURES as error:
        results.faults[contender.name] = str(error).strip() or type(error).__name__
        return None
