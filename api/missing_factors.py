"""Why a source's emissions are missing where its consumption isn't: the figures of factors that nothing has."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from accounting.factors.load import FactorLibrary
from accounting.factors.wanted import Wanted
from accounting.sources import term_unit
from api.context import Session
from api.periods import Range
from domain.interval import EPOCH_DATE, INTERVAL_US
from domain.registry import Enterprise, Source, dated_value


def missing_factors(
    session: Session,
    library: FactorLibrary,
    enterprise: Enterprise,
    source: Source,
    boundary: str,
    whole: Range,
    known: Collection[int],
) -> list[dict[str, Any]]:
    """What is missing of a source's factors within a range, by stretches of local days, the earliest first.

    known  numbers of the intervals that have emissions; a stretch of which all are known wants nothing
    """
    calendar = session.calendar
    day, end_day = calendar.day(whole.from_us), calendar.day(whole.to_us - 1) + 1
    stretches: list[tuple[int, int, Wanted]] = []
    while day < end_day:
        version = dated_value(source.versions, day)
        begins = [
            each.from_day for each in source.versions if each.from_day is not None and each.from_day > day
        ]
        until = min([end_day, calendar.month_start(day, 1), *begins])
        if version is not None:
            unit, _, _ = term_unit(enterprise, version.terms)
            wanted, holds_until = library.wanting(enterprise, source, unit, day, calendar)
            until = min(until, holds_until or until)
            for each in dict.fromkeys(wanted):
                if boundary in each.boundaries:
                    _add(stretches, day, until, each)
        day = until
    return [
        {
            "from": (EPOCH_DATE + timedelta(days=first)).isoformat(),
            "to": (EPOCH_DATE + timedelta(days=end)).isoformat(),
            "name": each.name,
            "unit": each.unit,
            "fuel": each.fuel,
            "material": each.material,
            "area": each.area,
            "year": each.year,
            "edition": each.edition,
            "why": each.why,
            "do": each.do,
        }
        for first, end, each in stretches
        if not _is_known(session, first, end, whole, known)
    ]


def _add(stretches: list[tuple[int, int, Wanted]], day: int, until: int, wanted: Wanted) -> None:
    """Adds a stretch, or lengthens the one before it that wants the same."""
    for place, (first, end, other) in enumerate(stretches):
        if end == day and other == wanted:
            stretches[place] = (first, until, other)
            return
    stretches.append((day, until, wanted))


def _is_known(session: Session, first: int, end: int, whole: Range, known: Collection[int]) -> bool:
    from_us = max(whole.from_us, session.calendar.day_start(first))
    to_us = min(whole.to_us, session.calendar.day_start(end))
    return all(number in known for number in range(from_us // INTERVAL_US, to_us // INTERVAL_US))
