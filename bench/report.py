"""What a benchmark says: rows, as a table for people and as JSON for machines.

    {"rows": [{"case", "unit", "value", "versus": {NAME: ratio}, "rss_mb", "seconds", "detail"}]}

value    the median over the rounds; null where the case couldn't run, and `detail` says why
versus   how many times as fast as NAME we are, in the same run: the median of the ratios of each round
rss_mb   the highest memory of the process that does the work; null where it isn't one of ours
seconds  that a round took, the median
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    """One measurement. `value` is a speed [1/s] where `is_speed`, else a time or a size: then less is better."""

    value: float
    seconds: float
    rss_mb: float | None = None
    processor: Mapping[str, float] = field(default_factory=dict)  # cores kept busy, by whom


@dataclass(frozen=True, slots=True)
class Row:
    case: str
    unit: str
    value: float | None
    versus: dict[str, float] = field(default_factory=dict)
    rss_mb: float | None = None
    seconds: float = 0.0
    detail: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether it couldn't be measured, though nothing was missing on the machine."""
        return self.value is None and self.detail.startswith(FAILED)


FAILED = "failed: "


def row_of(
    case: str,
    unit: str,
    turns: Sequence[Turn | None],
    rivals: Mapping[str, Sequence[Turn | None]],
    notes: Iterable[str] = (),
    *,
    is_speed: bool = True,
) -> Row:
    """A row from the turns of each round, those of the others beside ours; None: it failed that round."""
    ours = [turn for turn in turns if turn is not None]
    if not ours:
        return Row(case, unit, None, detail=FAILED + "; ".join(notes))
    versus: dict[str, float] = {}
    beside = []
    for name, theirs in rivals.items():
        ratios = [
            mine.value / other.value if is_speed else other.value / mine.value
            for mine, other in zip(turns, theirs, strict=True)
            if mine is not None and other is not None and mine.value and other.value
        ]
        if ratios:
            versus[name] = significant(statistics.median(ratios))
            beside.append(f"{name} {amount(median(theirs))}")
    rss_mb = [turn.rss_mb for turn in ours if turn.rss_mb is not None]
    rounds = " ".join(amount(turn.value) for turn in ours)
    parts = [f"rounds {rounds}" if len(ours) > 1 else "", ", ".join(beside), _processor(ours), *notes]
    return Row(
        case,
        unit,
        significant(median(ours), 4),
        versus,
        significant(max(rss_mb), 4) if rss_mb else None,
        significant(statistics.median(turn.seconds for turn in ours)),
        "; ".join(filter(None, parts)),
    )


def median(turns: Sequence[Turn | None]) -> float:
    return statistics.median(turn.value for turn in turns if turn is not None)


def _processor(turns: Sequence[Turn]) -> str:
    names = list(dict.fromkeys(name for turn in turns for name in turn.processor))
    busy = {name: statistics.median(turn.processor.get(name, 0.0) for turn in turns) for name in names}
    return (
        "cores: " + ", ".join(f"{name} {cores:.2f}" for name, cores in busy.items() if cores >= 0.005)
        if busy
        else ""
    )


def significant(value: float, digits: int = 3) -> float:
    """Rounded to so many digits that mean something; an int from where all of them do."""
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() and rounded >= 10 else rounded


def amount(value: float) -> str:
    return f"{significant(value):,}"


def as_json(rows: Iterable[Row]) -> dict[str, Any]:
    return {"rows": [asdict(row) for row in rows]}


def table(rows: Iterable[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and cells."""
    header = ["case", "value", "unit", "versus", "rss_mb", "seconds", "detail"]
    return header, [
        [
            row.case,
            "-" if row.value is None else f"{row.value:,}",
            row.unit,
            " ".join(f"{name}:{ratio:g}" for name, ratio in row.versus.items()) or "-",
            "-" if row.rss_mb is None else f"{row.rss_mb:g}",
            f"{row.seconds:g}",
            row.detail,
        ]
        for row in rows
    ]
