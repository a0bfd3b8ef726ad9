"""The engine: given what a run has to do for some enterprises, recompute it and write what changed.

Points first, measured and then derived ones, then the sources that count what changed. Everything that isn't asked of
`Books` is pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounting.books import Books
from accounting.channel import Rules
from accounting.factors.load import FactorLibrary
from accounting.points import PointsRun
from accounting.source_entries import SourcesRun
from accounting.work import EnterpriseWork, Memory, TickResult
from domain.interval import Calendar


def recompute(
    group: Sequence[EnterpriseWork],
    books: Books,
    library: FactorLibrary,
    rules: Rules,
    calendar: Calendar,
    run_id: int,
    result: TickResult,
    memory: Memory,
) -> None:
    """Do the work of one run for a group of enterprises; adds what it did to `result`."""
    points = PointsRun(books, rules, calendar, run_id, memory)
    touched = points.measured(group)
    points.derived(group, touched)
    SourcesRun(books, library, calendar, run_id, result, memory).recompute(group, touched)
