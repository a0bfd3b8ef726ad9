"""What two reports of the same enterprise and year differ by, source by source. Pure, exact."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from accounting.report.document import Report
from accounting.report.figures import kilograms


@dataclass(frozen=True, slots=True)
class Change:
    """A source's emissions in a boundary, in kilograms, in both; `source` None: the boundary's total.

    None where nothing was known; the difference counts that as nothing.
    """

    boundary: str
    source: str | None
    published_kg: str | None
    present_kg: str | None
    difference_kg: str


def changes(published: Report, present: Report) -> list[Change]:
    """The sources that differ, by boundary, each boundary's total first; nothing where the books say the same."""
    result = []
    for boundary in ("account", "ets"):
        before, after = _by_source(published, boundary), _by_source(present, boundary)
        for source in [None, *sorted({name for name in (*before, *after) if name is not None})]:
            old, new = before.get(source), after.get(source)
            if old != new:
                result.append(
                    Change(
                        boundary,
                        source,
                        None if old is None else kilograms(old),
                        None if new is None else kilograms(new),
                        kilograms((new or 0) - (old or 0)),
                    )
                )
    return result


def _by_source(report: Report, boundary: str) -> dict[str | None, int]:
    """Milligrams by source, and of the boundary under None; without what nothing is known of."""
    result: dict[str | None, int] = defaultdict(int)
    for line in report.emissions:
        kg = line.account_kg if boundary == "account" else line.ets_kg
        if kg is not None:
            result[line.source] += _mg(kg)
            result[None] += _mg(kg)
    return dict(result)


def _mg(kg: str) -> int:
    return int(kg.replace(".", ""))  # kilograms have six decimals
