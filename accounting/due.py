"""What a run has to do: from what changed to points and sources with the days that it can touch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Protocol

from accounting.factors.load import FactorLibrary, SourceFactor
from accounting.sources import term_unit
from accounting.substitution import filling_rules
from accounting.work import Cause, EnterpriseWork, PointWork, SourceWork
from domain.errors import FactorNotFound
from domain.interval import TIME_MAX_US, Calendar
from domain.registry import Enterprise, Point, Registry, Source, dated_value

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
        work = mine.points.setdefault(point.id, PointWork(point, cause))
        # New readings of the same run are counted with all others: then the point is done whole.
        work.before = known.points.get(name) if known is not None and work.arrived is None else None
        work.whole = True
        since_us = None if work.before is None else changed_since(work.before, point)
        for source in enterprise.sources.values():
            if any(term.point == name for dated in source.versions for term in dated.value.terms):
                _add_source(mine, SourceWork(source, cause, since_us=since_us))
    elif change.kind in ("source", "parameter"):
        _add_source(mine, SourceWork(enterprise.sources[change.key[0]], cause, known))
    elif change.kind == "enterprise":
        for source in enterprise.sources.values():
            _add_source(mine, SourceWork(source, cause, known))
    elif change.kind == "product":
        for source in enterprise.sources.values():
            # its output may scale what a substitution rule fills
            if filling_rules(source, library.tables.substitutions):
                _add_source(mine, SourceWork(source, cause))


def _add_source(mine: EnterpriseWork, work: SourceWork) -> None:
    """Add what is to be done of a source; where two changes touch it, each in its way, it is done whole."""
    id_ = work.source.id
    earlier = mine.sources.get(id_)
    if earlier is not None:
        if earlier.since_us is not None and work.since_us is not None:
            work.since_us = min(earlier.since_us, work.since_us)
        elif earlier.before is None or work.before is None:
            work = SourceWork(work.source, work.cause)
    mine.sources[id_] = work


def changed_since(before: Point, after: Point) -> int | None:
    """The first moment [µs] at which the versions of a point differ; None where that can be any.

    A day's row has one power of ten: where that is another, all of it is.
    """
    if before.derivation is not None or after.derivation is not None:
        return None
    shape = [(point.quantity, point.kind, point.unit, point.exponent) for point in (before, after)]
    if shape[0] != shape[1]:
        return None
    for old, new in zip_longest(before.versions, after.versions):
        if old == new:
            continue
        if old is None or new is None:
            return int((old or new).valid_from_us)
        if replace(old, valid_to_us=None, closing=None) == replace(new, valid_to_us=None, closing=None):
            ends = [version.valid_to_us for version in (old, new) if version.valid_to_us is not None]
            return min(ends, default=old.valid_from_us)
        return int(min(old.valid_from_us, new.valid_from_us))
    return TIME_MAX_US  # what is said of them doesn't reach the readings


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
