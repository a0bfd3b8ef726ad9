"""What changed in the ledger after it had been written, by which run and for what cause, source by source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Response

from accounting.differences import Difference, Told, Way, difference, steps_between
from accounting.explanation import factor_change
from api import schemas
from api.answer import list_answer
from api.auth import Reader
from api.context import Session, TheContext
from api.errors import Problem
from api.ledger import Question, Stretch, sums
from api.paging import Page, Paged, paged
from api.parameters import RangeParameters, Time, Uscc
from api.periods import Range
from api.routes.emissions import Boundary, BoundaryParameter
from api.schemas import problems
from api.sums import Sum, co2e_kg
from domain.errors import Fault
from domain.interval import INTERVAL_US, format_time, to_us
from domain.ledger import shard_of
from domain.reading import decimal_text
from domain.registry import Enterprise
from storage import emissions, restatements
from storage.emissions import By, Filter, UsedFactor
from storage.restatements import CauseOfRun

router = APIRouter(tags=["emissions"])

# Source-days read at once: each is 96 records of 60 bytes for every version of them.
_SOURCE_DAYS_AT_ONCE = 2_000
_RUNS_AT_ONCE = 100
_NOTHING = Sum()

RunsPaged = Annotated[Page, Depends(paged(_RUNS_AT_ONCE))]


class DifferenceBy(StrEnum):
    SOURCE = "source"
    TOTAL = "total"


def _told(
    session: Session,
    enterprise: Enterprise,
    boundary: str,
    whole: Range,
    after_run: int,
    until_run: int | None,
) -> Iterator[Told]:
    """The steps of the runs after one until another, within a range, a stretch of days at a time."""
    calendar = session.calendar
    first_day, end_day = calendar.day(whole.from_us), calendar.day(whole.to_us - 1) + 1
    # Intervals are counted from the beginning of local day 0.
    low, high = ((us - calendar.day_start(0)) // INTERVAL_US for us in (whole.from_us, whole.to_us))
    at_once = max(1, _SOURCE_DAYS_AT_ONCE // max(1, len(enterprise.sources)))
    for day in range(first_day, end_day, at_once):
        versions = restatements.entry_versions(
            session.conn,
            enterprise.id,
            boundary,
            day,
            min(day + at_once, end_day),
            after_run,
            until_run,
        )
        told = steps_between(versions, after_run, until_run)
        inside = (told.steps.interval >= low) & (told.steps.interval < high)
        yield told if inside.all() else told.at(inside)


def _gather(pieces: Iterable[Told], *, superseding_only: bool = False) -> dict[tuple[int, int], Difference]:
    """Differences by (source, cause)."""
    result: dict[tuple[int, int], Difference] = {}
    for told in pieces:
        if superseding_only:
            told = told.at(told.steps.superseded)
        pairs, inverse = np.unique(
            np.stack([told.source_ids, told.cause_ids], 1), axis=0, return_inverse=True
        )
        order = np.argsort(inverse, kind="stable")
        ends = np.searchsorted(inverse[order], np.arange(len(pairs)), side="right")
        starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        for (source_id, cause_id), start, end in zip(pairs.tolist(), starts, ends, strict=True):
            found = difference(told.steps.at(order[start:end]))
            result.setdefault((source_id, cause_id), Difference()).add(found)
    return result


# -- shapes -------------------------------------------------------------------------------------------


def _kg(mg: int) -> str:
    return decimal_text(mg, -6)


def _amounts(part: Difference) -> dict[str, Any]:
    return {
        "before_kg": _kg(part.before_mg),
        "after_kg": _kg(part.after_mg),
        "difference_kg": _kg(part.mg),
        "entries": part.entries,
        "superseded": part.superseded,
    }


def _range(session: Session, part: Difference) -> dict[str, str]:
    start_us = session.calendar.day_start(0)
    return {
        "from": session.text(start_us + part.first * INTERVAL_US),
        "to": session.text(start_us + (part.last + 1) * INTERVAL_US),
    }


def _changes(part: Difference, factors: Mapping[int, UsedFactor]) -> dict[str, Any]:
    return {
        "ways": [
            {"way": way.value, "entries": part.ways[way].entries, "difference_kg": _kg(part.ways[way].mg)}
            for way in Way
            if way in part.ways
        ],
        "factors": [
            {
                "entries": count,
                "difference_kg": _kg(mg),
                **factor_change(_description(factors, old), _description(factors, new)),
            }
            for (old, new), (count, mg) in sorted(part.factors.items())
        ],
    }


def _description(factors: Mapping[int, UsedFactor], id_: int) -> dict[str, Any]:
    return factors[id_].description if id_ in factors else {}


def _used(session: Session, parts: Iterable[Difference]) -> dict[int, UsedFactor]:
    return emissions.used_factors(
        session.conn, {id_ for part in parts for pair in part.factors for id_ in pair}
    )


def _total(parts: Iterable[Difference]) -> Difference:
    result = Difference()
    for part in parts:
        result.add(part)
    return result


# -- restatements -------------------------------------------------------------------------------------


@router.get(
    "/v1/enterprises/{uscc}/restatements",
    response_model=schemas.RestatementsPage,
    responses=problems(401, 403, 404, 422),
    summary="What was restated, when, why and by whom",
)
def enterprise_restatements(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: RunsPaged,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
) -> Response:
    """One item for each run of accounting that superseded entries within the range: what caused it, and by source
    what those entries were before and after. Entries written for the first time are no restatement.

    `before_kg` and `after_kg` are of the superseded entries alone, an entry that was or has become missing counting
    as nothing. `ways` tells what changed about them: `amount`, `factor`, `amount_and_factor`, `new` (it was missing),
    `gone` (it has become missing), `quality` (only quality or flags).
    """
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        calendar = session.calendar
        runs = restatements.superseding_runs(
            session.conn,
            enterprise.id,
            calendar.day(whole.from_us),
            calendar.day(whole.to_us - 1) + 1,
            0 if page.after is None else _run_number(page.after.id),
            min(page.limit, _RUNS_AT_ONCE) + 1,
        )
        these = runs[: min(page.limit, _RUNS_AT_ONCE)]
        items = _run_items(session, enterprise, boundary, whole, these) if these else []
        return list_answer(items, page.next(0, these[-1]) if len(runs) > len(these) else None)


def _run_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return int(text)


def _run_items(
    session: Session, enterprise: Enterprise, boundary: str, whole: Range, runs: list[int]
) -> list[dict[str, Any]]:
    told = _told(session, enterprise, boundary, whole, runs[0] - 1, runs[-1])
    parts = _gather(told, superseding_only=True)
    causes = restatements.causes_of_runs(session.conn, {cause_id for _, cause_id in parts})
    factors = _used(session, parts.values())
    by_run: dict[int, dict[int, dict[int, Difference]]] = {}
    for (source_id, cause_id), part in parts.items():
        by_run.setdefault(causes[cause_id].run_id, {}).setdefault(cause_id, {})[source_id] = part
    items = []
    for _, by_cause in sorted(by_run.items()):
        run = causes[next(iter(by_cause))]
        items.append(
            {
                "at": session.text(to_us(run.committed_at)),
                "run": run.run_id,
                "rules_version": run.rules_version,
                "factor_set": run.factor_set,
                "registry_version": run.registry_version,
                "causes": [
                    {
                        **_cause_fields(causes[cause_id]),
                        "batch": causes[cause_id].batch_id,
                        **_amounts(_total(by_source.values())),
                        "sources": [
                            {
                                "source": session.known.sources[source_id].code,
                                **_range(session, part),
                                **_amounts(part),
                                **_changes(part, factors),
                            }
                            for source_id, part in sorted(
                                by_source.items(), key=lambda each: session.known.sources[each[0]].code
                            )
                        ],
                    }
                    for cause_id, by_source in sorted(by_cause.items())
                ],
            }
        )
    return items


def _cause_fields(cause: CauseOfRun) -> dict[str, str]:
    return {"kind": cause.kind, "by_whom": cause.by_whom, "why": cause.why}


# -- the difference of two states ---------------------------------------------------------------------


@router.get(
    "/v1/enterprises/{uscc}/difference",
    response_model=schemas.DifferencePage,
    responses=problems(401, 403, 404, 422),
    summary="What two states of the ledger differ by, and why",
)
def enterprise_difference(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    as_of: Annotated[Time, Query(description="The earlier moment: the books as they stood then.")],
    until: Annotated[
        Time | None, Query(description="The later moment. Left out: the books as they stand now.")
    ] = None,
    by: Annotated[DifferenceBy, Query(description="What amounts are kept apart by.")] = DifferenceBy.SOURCE,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
) -> Response:
    """For each source that differs: its emissions within the range as of both moments, and the causes of the
    difference, which add up to it exactly.

    `before_kg` and `after_kg` equal what `/emissions` answers `as_of` these moments, null where nothing was known.
    A cause gathers all runs of one kind, person (or gateway) and reason. Entries written for the first time belong
    to it too: they are `entries` that aren't `superseded`.
    """
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        if until is not None and until < as_of:
            raise Problem(
                422,
                [Fault("until", f"{format_time(until)} must not lie before as_of ({format_time(as_of)})")],
            )
        items = _differences(session, enterprise, boundary, whole, as_of, until, by)
        items = [item for item in items if page.after is None or item.get("source", "") > page.after.id]
        more = len(items) > page.limit
        items = items[: page.limit]
        return list_answer(items, page.next(0, items[-1].get("source", "")) if more else None)


def _differences(
    session: Session,
    enterprise: Enterprise,
    boundary: str,
    whole: Range,
    as_of_us: int,
    until_us: int | None,
    by: DifferenceBy,
) -> list[dict[str, Any]]:
    earlier, later = session.runs(as_of_us), session.runs(until_us)
    if earlier is None:
        return []
    shard = shard_of(enterprise.id)
    after_run, until_run = earlier[shard], None if later is None else later[shard]
    parts = _gather(_told(session, enterprise, boundary, whole, after_run, until_run))
    causes = restatements.causes_of_runs(session.conn, {cause_id for _, cause_id in parts})
    factors = _used(session, parts.values())
    key_of = {
        source.id: source.id if by is DifferenceBy.SOURCE else 0 for source in enterprise.sources.values()
    }
    by_key: dict[int, dict[tuple[str, str, str], tuple[Difference, list[CauseOfRun]]]] = {}
    for (source_id, cause_id), part in parts.items():
        cause = causes[cause_id]
        found, of = by_key.setdefault(key_of[source_id], {}).setdefault(
            (cause.kind, cause.by_whom, cause.why), (Difference(), [])
        )
        found.add(part)
        of.append(cause)
    wanted = Filter(boundary, By(by))
    states = [
        sums(session, Question([Stretch(enterprise.id)], wanted, runs), [whole], single=False)
        for runs in (earlier, later)
    ]
    items = []
    for key, explained in by_key.items():
        before, after = (state.get((key, 0), _NOTHING) for state in states)
        name = {"source": session.known.sources[key].code} if by is DifferenceBy.SOURCE else {}
        items.append(
            {
                **name,
                **_range(session, _total(part for part, _ in explained.values())),
                "before_kg": co2e_kg(before),
                "after_kg": co2e_kg(after),
                "difference_kg": _kg(_mg(after) - _mg(before)),
                "causes": [
                    {
                        **_cause_fields(of[0]),
                        "first_at": session.text(min(to_us(cause.committed_at) for cause in of)),
                        "last_at": session.text(max(to_us(cause.committed_at) for cause in of)),
                        "runs": len({cause.run_id for cause in of}),
                        **_amounts(part),
                        **_changes(part, factors),
                    }
                    for part, of in sorted(
                        explained.values(), key=lambda each: min(cause.cause_id for cause in each[1])
                    )
                ],
            }
        )
    return sorted(items, key=lambda item: item.get("source", ""))


def _mg(part: Sum) -> int:
    return part.amount if part.known else 0
