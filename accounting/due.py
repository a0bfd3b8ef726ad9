"""What a run has to do: from what changed to points and sources with the days that it can touch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from accounting.factors.load import FactorLibrary
from accounting.sources import term_unit
from accounting.substitution import filling_rules
from accounting.work import Cause, EnterpriseWork, PointWork, SourceWork
from domain.errors import FactorNotFound
from domain.interval import Calendar
from domain.registry import Enterprise, Registry, Source, dated_value

Works = dict[str, EnterpriseWork]  # by USCC


class Change(Protocol):
    """A change of a registered item, made or planned."""

    @property
    def uscc(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> tuple[str, ...]: ...


def work_of(works: Works, enterprise: Enterprise) -> EnterpriseWork:
    return works.setdefault(enterprise.uscc, EnterpriseWork(enterprise))


def all_of(enterprises: Iterable[Enterprise], cause: Cause) -> Works:
    """Everything, whole: what other rules of reading call for."""
    works: Works = {}
    for enterprise in enterprises:
        for point in enterprise.points.values():
            work_of(works, enterprise).points[point.id] = PointWork(point, cause, whole=True)
    add_all_sources(works, enterprises, cause)
    return works


def add_all_sources(works: Works, enterprises: Iterable[Enterprise], cause: Cause) -> None:
    """All sources, whole: what other factors call for. What is due whole already keeps its cause."""
    for enterprise in enterprises:
        for source in enterprise.sources.values():
            mine = work_of(works, enterprise).sources
            if source.id not in mine or mine[source.id].before is not None:
                mine[source.id] = SourceWork(source, cause)


def add_change(
    works: Works,
    change: Change,
    cause: Cause,
    registry: Registry,
    before: Registry | None,
    library: FactorLibrary,
) -> None:
    """What a change of the registry touches: a point whole, sources whole or where they differ from before.

    before  the registry as the ledger stands on it, or None where that isn't at hand
    """
    enterprise = registry.enterprises.get(change.uscc)
    if enterprise is None:
        return
    known = None if before is None else before.enterprises.get(change.uscc)
    mine = work_of(works, enterprise)
    if change.kind in ("channel", "derived"):
        name = "/".join(change.key[:2])
        point = enterprise.points[name]
        mine.points.setdefault(point.id, PointWork(point, cause)).whole = True
        for source in enterprise.sources.values():
            if any(term.point == name for dated in source.versions for term in dated.value.terms):
                mine.sources[source.id] = SourceWork(source, cause)
    elif change.kind in ("source", "parameter", "enterprise"):
        touched = (
            [enterprise.sources[change.key[0]]]
            if change.kind != "enterprise"
            else enterprise.sources.values()
        )
        for source in touched:
            work = SourceWork(source, cause, known)
            earlier = mine.sources.get(source.id)
            if earlier is None or earlier.before is not None:  # what is to be done whole stays so
                mine.sources[source.id] = work
    elif change.kind == "product":
        for source in enterprise.sources.values():
            # its output may scale what a substitution rule fills
            if filling_rules(source, library.tables.substitutions):
                mine.sources[source.id] = SourceWork(source, cause)


def affected_days(
    before: Enterprise,
    after: Enterprise,
    source: Source,
    first_day: int,
    end_day: int,
    library: FactorLibrary,
    calendar: Calendar,
) -> Iterator[tuple[int, int]]:
    """The days within [first_day, end_day) on which a source's entries rest on something else than before.

    Compared are the version in force (sum, method, substitution rule) with its unit, and the factors: what entries are
    made of beside the consumption of points, whose changes are told by the points themselves. Half-open ranges.
    """
    earlier = before.sources.get(source.code)
    if earlier is None:
        yield first_day, end_day
        return
    day, begun = first_day, None
    while day < end_day:
        old, old_until = _basis(before, earlier, day, library, calendar)
        new, new_until = _basis(after, source, day, library, calendar)
        if old != new and begun is None:
            begun = day
        elif old == new and begun is not None:
            yield begun, day
            begun = None
        day = min(end_day, old_until, new_until)
    if begun is not None:
        yield begun, end_day


_NEVER = 1 << 40


def _basis(
    enterprise: Enterprise, source: Source, day: int, library: FactorLibrary, calendar: Calendar
) -> tuple[object, int]:
    """What a source's entries of a day rest on, comparable, and the day until which that holds."""
    version = dated_value(source.versions, day)
    until = min(
        (d.from_day for d in source.versions if d.from_day is not None and d.from_day > day), default=_NEVER
    )
    if version is None:
        return None, until
    unit = term_unit(enterprise, version.terms)
    factors: Sequence[object]
    try:
        found = library.source_factors(enterprise, source, unit[0], day, calendar)
        until = min([until, *(each.until_day for each in found if each.until_day is not None)])
        factors = [
            (each.mg_per_unit, each.gas, each.scope, each.boundaries, each.description) for each in found
        ]
    except FactorNotFound:
        until = min(until, calendar.month_start(day, 1))
        factors = []
    return (version, unit, factors), until
