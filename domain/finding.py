"""Findings of the checks between channels: what a day shows, the finding that days make, the states it goes through.

A *finding day* is a function of books, registry and rules. Consecutive ones of a rule and subject are one finding,
known by its first day. A person explains or settles a finding; one that the rules no longer find is settled by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.validation import CheckRule, FindingState, Severity

RULES_ACTOR = "carbonmeter"  # who changes a state where no person does
EVIDENCE_DAYS_MAX = 62  # kept with a finding: the first and the last half of them where there are more


@dataclass(frozen=True, slots=True)
class FindingDay:
    """What a rule finds on the local days [day, end_day): one, or a month.

    subject  METER/CHANNEL, a meter, a source, a product or a check's id
    from_us, to_us  first of the intervals concerned, and the end of the last
    evidence plain JSON: amounts as decimal texts with their unit
    mg       mg CO2e in doubt
    """

    rule: CheckRule
    subject: str
    day: int
    end_day: int
    from_us: int
    to_us: int
    channels: tuple[str, ...]
    evidence: Mapping[str, Any]
    mg: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Consecutive finding days of one rule and subject."""

    first_day: int
    end_day: int
    from_us: int
    to_us: int
    channels: tuple[str, ...]
    days: int
    mg: int
    evidence: tuple[Mapping[str, Any], ...]


class Known(NamedTuple):
    """A finding as it is kept. `settled_end_day`: how far it reached when a person settled it."""

    id: int
    state: FindingState
    holds: bool
    was_explained: bool  # by a person, at any time
    settled_end_day: int | None
    joined: Joined


class Turn(NamedTuple):
    """What becomes of a finding: its state, and why where it changes."""

    state: FindingState
    why: str | None


def join(days: Iterable[FindingDay]) -> list[Joined]:
    """Findings of one rule and subject from its days, in the order of their first days."""
    runs: list[list[FindingDay]] = []
    for each in sorted(days, key=lambda found: found.day):
        if runs and runs[-1][-1].end_day == each.day:
            runs[-1].append(each)
        else:
            runs.append([each])
    return [_joined(run) for run in runs]


def _joined(run: Sequence[FindingDay]) -> Joined:
    half = EVIDENCE_DAYS_MAX // 2
    shown = [*run[:half], *run[-half:]] if len(run) > EVIDENCE_DAYS_MAX else run
    return Joined(
        first_day=run[0].day,
        end_day=run[-1].end_day,
        from_us=run[0].from_us,
        to_us=max(each.to_us for each in run),
        channels=tuple(sorted({name for each in run for name in each.channels})),
        days=len(run),
        mg=sum(each.mg for each in run),
        evidence=tuple(each.evidence for each in shown),
    )


def turn(known: Known | None, found: Joined | None) -> Turn:
    """The state of a finding after the rules have looked again.

    known  as it was kept; None: it is new
    found  what they find now; None: nothing
    """
    if found is None:
        assert known is not None
        if known.state is FindingState.SETTLED:
            return Turn(known.state, None)
        return Turn(FindingState.SETTLED, "no longer found")
    if known is None:
        return Turn(FindingState.OPEN, "found")
    if known.state is not FindingState.SETTLED:
        return Turn(known.state, None)
    if known.settled_end_day is not None:  # a person's word stands for what there was then
        if found.end_day <= known.settled_end_day:
            return Turn(known.state, None)
        return Turn(FindingState.OPEN, "goes on beyond what was settled")
    return Turn(FindingState.EXPLAINED if known.was_explained else FindingState.OPEN, "found again")


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state that a finding came to: who put it there, when and why."""

    state: FindingState
    changed_at: datetime
    changed_by: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with its explanation, if a person gave one. Times in microseconds, `mg` mg CO2e in doubt."""

    id: int
    uscc: str
    rule: CheckRule
    severity: Severity
    subject: str
    channels: tuple[str, ...]
    from_us: int
    to_us: int
    days: int
    mg: int
    holds: bool
    state: FindingState
    found_at: datetime
    changed_at: datetime
    changed_by: str
    why: str
    explained_by: str | None
    explanation: str | None
