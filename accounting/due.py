"""What a run has to do: from what changed to points and sources with the days that it can touch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from accounting.factors.load import FactorLibrary, SourceFactor
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
        for source in enterprise.sources.values():
            work_of(works, enterprise).sources[source.id] = SourceWork(source, cause)
    return works


def add_factors(
    works: Works, enterprises: Iterable[Enterprise], cause: Cause, library: FactorLibrary
) -> None:
    """What another factor set calls for: sources where other factors are due, whole those that it fills the gaps of.

    What is due for another reason too is done whole.
    """
    for enterprise in enterprises:
        for source in enterprise.sources.values():
            mine = work_of(works, enterprise).sources
            fills = bool(filling_rules(source, library.tables.substitutions))
            mine[source.id] = SourceWork(source, cause, refactored=not fills and source.id not in mine)


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


def refactored_days(
    enterprise: Enterprise,
    source: Source,
    first_day: int,
    end_day: int,
    standing: Mapping[int, frozenset[int]],
    id_of: Callable[[SourceFactor], int | None],
    library: FactorLibrary,
    calendar: Calendar,
) -> Iterator[int]:
    """The days within [first_day, end_day) on which a source's entries stand on other factors than are due.

    standing  by day: ids of the factors of its rows
    id_of     the id of a factor that the ledger has used before
    """
    day = first_day
    while day < end_day:
        (_, _, factors), until = _basis(enterprise, source, day, library, calendar)
        due = {id_of(factor) for factor in factors}
        until = min(until, end_day)
        yield from (each for each in range(day, until) if standing.get(each, frozenset()) != due)
        day = until


_NEVER = 1 << 40


def _basis(
    enterprise: Enterprise, source: Source, day: int, library: FactorLibrary, calendar: Calendar
) -> tuple[tuple[object, object, tuple[SourceFactor, ...]], int]:
    """What a source's entries of a day rest on (its version, the unit of the sum, its factors), and until which day."""
    version = dated_value(source.versions, day)
    until = min(
        (d.from_day for d in source.versions if d.from_day is not None and d.from_day > day), default=_NEVER
    )
    if version is None:
        return (None, None, ()), until
    unit = term_unit(enterprise, version.terms)
    try:
        factors = library.source_factors(enterprise, source, unit[0], day, calendar)
    except FactorNotFound:
        return (version, unit, ()), min(until, calendar.month_start(day, 1))
    until = min([until, *(each.until_day for each in factors if each.until_day is not None)])
    # Until when a factor holds is no part of it.
    return (version, unit, tuple(replace(each, from_day=None, until_day=None) for each in factors)), until
