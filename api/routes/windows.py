"""Rolling windows of an enterprise: what grades and platforms look at, from stored sums and the edges of days."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import schemas
from api.answer import json_answer
from api.auth import Reader
from api.context import Session, TheContext
from api.ledger import Question, sums
from api.parameters import AsOf, Time, Uscc
from api.periods import windows
from api.routes.emissions import (
    Boundary,
    BoundaryParameter,
    enterprise_subject,
    expected_of,
    item_fields,
    sets_of,
)
from api.schemas import problems
from api.sums import Sum
from domain.interval import floor_interval
from domain.registry import Enterprise
from storage.emissions import By

router = APIRouter(tags=["emissions"])
_NOTHING = Sum()


def enterprise_windows(
    session: Session, enterprise: Enterprise, boundary: str, at_us: int, as_of_us: int | None
) -> dict[str, Any]:
    """Each window with its total and its sources."""
    by_source = enterprise_subject(session.known, enterprise, By.SOURCE, boundary)
    total = enterprise_subject(session.known, enterprise, By.TOTAL, boundary).parts[0]
    named = windows(at_us, session.calendar)
    ranges = list(named.values())
    question = Question(by_source.members, by_source.wanted, session.runs(as_of_us))
    cells = sums(session, question, ranges, single=False)
    sets = sets_of(session, cells)
    until_us = session.now_us if as_of_us is None else min(session.now_us, as_of_us)
    expected = {part.key: expected_of(part, ranges, until_us) for part in by_source.parts}
    expected_total = expected_of(total, ranges, until_us)
    answer: dict[str, Any] = {}
    for number, (name, window) in enumerate(named.items()):
        whole = Sum()
        sources = []
        for part in by_source.parts:
            cell = cells.get((part.key, number), _NOTHING)
            sources.append({**part.fields, **item_fields(cell, expected[part.key][number], sets)})
            whole.add(cell)
        fields = item_fields(whole, expected_total[number], sets)
        answer[name] = {
            "from": session.text(window.from_us),
            "to": session.text(window.to_us),
            "co2e_kg": fields["co2e_kg"],
            "coverage": fields["coverage"],
            "total": fields,
            "by_source": sources,
        }
    return answer


@router.get(
    "/v1/enterprises/{uscc}/windows",
    response_model=schemas.Windows,
    responses=problems(401, 403, 404, 422),
    summary="Rolling windows of an enterprise",
)
def get_windows(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    at: Annotated[
        Time | None, Query(description="The windows' end, cut to the quarter-hour. Left out: now.")
    ] = None,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """Trailing 24 hours, 7 and 30 days, the last 12 closed months, month and year to date by the local calendar."""
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        at_us = floor_interval(session.now_us if at is None else at)
        return json_answer(
            {
                "uscc": enterprise.uscc,
                "at": session.text(at_us),
                "boundary": boundary,
                **enterprise_windows(session, enterprise, boundary, at_us, as_of),
            }
        )
