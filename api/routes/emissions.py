"""Emissions of an enterprise, a park, a district: items by period, exact sums of the ledger's entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Response

from accounting.coverage import Expectation, ExpectedRange
from api import membership, schemas, suppression
from api.answer import list_answer
from api.auth import Reader
from api.context import Known, Session, TheContext
from api.errors import Problem
from api.ledger import Question, Stretch, sums
from api.paging import Page, Paged
from api.parameters import AsOf, District, GranularityParameter, RangeParameters, Uscc
from api.periods import Granularity, Range, periods
from api.schemas import problems
from api.sums import Cells, Sum, co2e_kg, coverage_text, factor_set_text
from domain.errors import Fault
from domain.interval import DAY_US, INTERVAL_US
from domain.registry import Enterprise
from storage.emissions import By, Filter

router = APIRouter(tags=["emissions"])

# What a page may add up, so that its cost is bounded whoever asks: enterprise-days of stored sums, and of entries.
_SUMMED_DAYS_MAX = 100_000
_ENTRY_DAYS_MAX = 10_000
_NOTHING = Sum()


class Boundary(StrEnum):
    ACCOUNT = "account"
    ETS = "ets"


class AggregateBy(StrEnum):
    SCOPE = "scope"
    TOTAL = "total"


BoundaryParameter = Annotated[
    Boundary,
    Query(description="The enterprise's carbon account, or what the emissions trading system covers."),
]


@dataclass(frozen=True, slots=True)
class Part:
    """One of those that sums are kept apart by: its id in lists, its fields in an item, its key in sums."""

    id: str
    fields: dict[str, Any]
    key: int
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose emissions are asked for, and what they are kept apart by."""

    members: Sequence[Stretch]
    wanted: Filter
    parts: Sequence[Part]


def enterprise_subject(known: Known, enterprise: Enterprise, by: By, boundary: str) -> Subject:
    """An enterprise's account, prepared once for each version of the registry."""
    return known.prepared(
        ("enterprise", enterprise.uscc, by, boundary),
        lambda: _subject([Stretch(enterprise.id)], [known.expected(enterprise)], by, boundary),
    )


def members_subject(
    known: Known, name: tuple[str, str], members: Sequence[Stretch], by: By, boundary: str
) -> Subject:
    """A sum of accounts by dated membership."""

    def prepare() -> Subject:
        by_id = {enterprise.id: enterprise for enterprise in known.registry.enterprises.values()}
        expected = []
        for stretch in members:
            first = (
                -(1 << 40)
                if stretch.first_day is None
                else known.calendar.day_start(stretch.first_day) // INTERVAL_US
            )
            end = (
                1 << 40
                if stretch.end_day is None
                else known.calendar.day_start(stretch.end_day) // INTERVAL_US
            )
            expected.append(
                [each.within(first, end) for each in known.expected(by_id[stretch.enterprise_id])]
            )
        return _subject(members, expected, by, boundary)

    return known.prepared((*name, by, boundary), prepare)


def _subject(
    members: Sequence[Stretch], expected: Sequence[Sequence[ExpectedRange]], by: By, boundary: str
) -> Subject:
    ranges = [each for own in expected for each in own if boundary in each.traits.boundaries]
    gases = tuple(sorted({gas for each in ranges for gas in each.traits.gases}))
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    if by is By.TOTAL:
        found["", 0] = []
    for each in ranges:
        names = {
            By.SOURCE: [(each.code, each.source_id)],
            By.SCOPE: [(str(each.traits.scope), each.traits.scope)],
            By.GAS: [(gas, gases.index(gas) + 1) for gas in each.traits.gases],
            By.TOTAL: [("", 0)],
        }[by]
        for name in names:
            found.setdefault(name, []).append((each.first, each.end))
    if by is By.SCOPE and not found:
        found = {("1", 1): [], ("2", 2): []}  # each period has an item even where nothing can be in it
    parts = []
    for (id_, key), own in sorted(found.items()):
        fields: dict[str, Any] = {}
        if by is By.SCOPE:
            fields["scope"] = key
        elif by is not By.TOTAL:
            fields[str(by)] = id_
        parts.append(Part(id_, fields, key, Expectation([pair for pair in own if pair[0] < pair[1]])))
    return Subject(members, Filter(boundary, by, gases), parts)


def item_fields(part: Sum, expected: int, sets: dict[int, str]) -> dict[str, Any]:
    return {
        "co2e_kg": co2e_kg(part),
        "quality": part.quality_name,
        "flags": part.flag_names,
        "coverage": coverage_text(part.credited, expected),
        "factor_set": factor_set_text(part.factor_ids, sets),
    }


def expected_of(part: Part, these: Sequence[Range], until_us: int) -> list[int]:
    """Expected source-intervals of each period that have ended."""
    starts = np.array([period.from_us for period in these], np.int64)
    ends = np.array([period.to_us for period in these], np.int64)
    result: list[int] = part.expectation.counts(starts, ends, until_us).tolist()
    return result


def sets_of(session: Session, cells: Cells) -> dict[int, str]:
    return session.factor_sets({id_ for cell in cells.values() for id_ in cell.factor_ids})


def page_periods(
    session: Session, page: Page, whole: Range, granularity: Granularity, per_period: int, days_max: int
) -> tuple[list[Range], bool]:
    """The periods that this page takes items from, and whether others follow them.

    A page ends early where its periods would hold more than `days_max` days: it has fewer items than its limit.
    """
    start_us = whole.from_us
    if page.after is not None:
        start_us = page.after.at_us
        if not whole.from_us <= start_us < whole.to_us or start_us % INTERVAL_US:
            raise Problem(422, [Fault("cursor", "lies outside of the range")])
    count = -(-(page.limit + per_period) // per_period) + 1
    taken: list[Range] = []
    for period in periods(whole, granularity, session.calendar, start_us):
        days = (period.to_us - start_us) // DAY_US
        if len(taken) == count or (len(taken) > 1 and days > days_max):
            return taken, True
        taken.append(period)
    return taken, False


def answer(
    session: Session,
    page: Page,
    whole: Range,
    granularity: Granularity,
    subject: Subject,
    as_of_us: int | None,
    *,
    is_aggregate: bool = False,
) -> Response:
    """One page of items: of every period one a part, ascending by time then id.

    is_aggregate  of several accounts: periods that would tell too much of one of them are suppressed
    """
    runs = session.runs(as_of_us)
    single = granularity in (Granularity.QUARTER_HOUR, Granularity.HOUR)
    days_max = (_ENTRY_DAYS_MAX if single or runs is not None else _SUMMED_DAYS_MAX) // max(
        1, len(subject.members)
    )
    items: list[dict[str, Any]] = []
    next_cursor = None
    if subject.parts:
        these, more = page_periods(session, page, whole, granularity, len(subject.parts), days_max)
        question = Question(subject.members, subject.wanted, runs)
        cells = sums(session, question, these, single=single)
        hidden: set[int] = set()
        if is_aggregate and suppression.is_masked(
            session, {stretch.enterprise_id for stretch in subject.members}
        ):
            hidden = suppression.hidden_periods(session, question, these, single=single)
        sets = sets_of(session, cells)
        until_us = session.now_us if as_of_us is None else min(session.now_us, as_of_us)
        expected = [expected_of(part, these, until_us) for part in subject.parts]
        for number, period in enumerate(these):
            at = session.text(period.from_us)
            for part, counts in zip(subject.parts, expected, strict=True):
                if page.after is not None and (period.from_us, part.id) <= (page.after.at_us, page.after.id):
                    continue
                if len(items) == page.limit:
                    more = True
                    break
                cell = cells.get((part.key, number), _NOTHING)
                told = (
                    suppression.suppressed_fields()
                    if number in hidden
                    else item_fields(cell, counts[number], sets)
                )
                items.append({"at": at, **part.fields, **told})
                last = (period.from_us, part.id)
        if more and items:
            next_cursor = page.next(*last)
    return list_answer(items, next_cursor)


@router.get(
    "/v1/enterprises/{uscc}/emissions",
    response_model=schemas.EmissionsPage,
    responses=problems(401, 403, 404, 422),
    summary="Emissions of an enterprise",
)
def enterprise_emissions(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    granularity: GranularityParameter = Granularity.DAY,
    by: Annotated[By, Query(description="What amounts are kept apart by.")] = By.TOTAL,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """One item for each period of the range and each source, scope or gas (or the total), future ones too.

    `co2e_kg` is the exact sum of the known 15-minute entries, null where none is known. `quality` is the worst
    among them, `flags` all of theirs. `coverage` is known ÷ expected source-intervals that have ended, rounded down
    to six decimals, null where none is expected; what was substituted doesn't count in it.
    """
    with context.session(key, as_of) as session:
        subject = enterprise_subject(session.known, session.enterprise(uscc), by, boundary)
        return answer(session, page, whole, granularity, subject, as_of)


@router.get(
    "/v1/parks/{code}/emissions",
    response_model=schemas.EmissionsPage,
    responses=problems(401, 403, 404, 422),
    summary="Emissions of a park's members",
)
def park_emissions(
    code: Annotated[str, Path(max_length=64, description="Code of the park.")],
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    granularity: GranularityParameter = Granularity.DAY,
    by: Annotated[AggregateBy, Query(description="What amounts are kept apart by.")] = AggregateBy.TOTAL,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """The sum of the accounts of those who are members on each day. Scope 1 and 2 stand apart for a reason: a
    generator's fuel and its buyers' electricity are both in the total.

    To a key that may not read every member one by one, a period in which fewer than three members have something, or
    one has more than 80 %, is suppressed: amounts null, flag `suppressed`.
    """
    with context.session(key, as_of) as session, session.everything():
        park = session.park(code)
        members = membership.of_park(session.registry, park.code)
        subject = members_subject(session.known, ("park", park.code), members, By(by), boundary)
        return answer(session, page, whole, granularity, subject, as_of, is_aggregate=True)


@router.get(
    "/v1/districts/{code}/emissions",
    response_model=schemas.EmissionsPage,
    responses=problems(401, 403, 422),
    summary="Emissions of a district or city",
)
def district_emissions(
    code: District,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    granularity: GranularityParameter = Granularity.DAY,
    by: Annotated[AggregateBy, Query(description="What amounts are kept apart by.")] = AggregateBy.TOTAL,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """The sum of the accounts of the enterprises of a district on each day; a city or province is a district whose
    code ends in zeros, two for each level below it. Suppressed as sums of parks are.
    """
    with context.session(key, as_of) as session, session.everything():
        members = membership.of_district(session.registry, code)
        subject = members_subject(session.known, ("district", code), members, By(by), boundary)
        return answer(session, page, whole, granularity, subject, as_of, is_aggregate=True)
