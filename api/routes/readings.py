"""The stored readings of a channel, each with what it is worth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api import schemas
from api.answer import list_answer
from api.auth import Reader
from api.context import TheContext
from api.errors import Problem
from api.paging import Paged
from api.parameters import AsOf, ChannelName, RangeParameters, Uscc
from api.schemas import problems
from api.stored_readings import day_runs, read_judged
from domain.errors import Fault
from storage import consumption

router = APIRouter(tags=["consumption"])


@router.get(
    "/v1/enterprises/{uscc}/readings",
    response_model=schemas.ReadingsPage,
    responses=problems(401, 403, 404, 422),
    summary="Stored readings of a channel",
)
def get_readings(
    uscc: Uscc,
    channel: ChannelName,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    as_of: AsOf = None,
) -> Response:
    """Every stored reading of the range, repeats too. `sent` is the value exactly as it came; `value` that value
    rounded to the channel's resolution, before the multiplier, null outside of the channel's validity. `stands` says
    whether the ledger counts it, `flags` why not, or what it meant. What was committed before the request is there,
    unless accounting is more than two seconds behind.
    """
    context.wait_for_accounting()
    with context.session(key) as session:
        point = session.point(session.enterprise(uscc), channel)
        start_us, passed = whole.from_us, -1
        if page.after is not None:
            if not page.after.id.isascii() or not page.after.id.isdigit() or page.after.at_us < whole.from_us:
                raise Problem(422, [Fault("cursor", "lies outside of the range")])
            start_us, passed = page.after.at_us, int(page.after.id)
        calendar = session.calendar
        sizes = consumption.reading_counts(
            session.conn, point.id, calendar.day(start_us), calendar.day(whole.to_us - 1) + 1
        )
        items: list[dict[str, Any]] = []
        last: tuple[int, int] | None = None
        for first_day, end_day in day_runs(sizes, page.limit + 1):
            low = max(start_us, calendar.day_start(first_day))
            high = min(whole.to_us, calendar.day_start(end_day))
            judged = read_judged(session, point, low, high, as_of)
            places = judged.between(low, high)
            gateways = consumption.gateway_names(
                session.conn,
                sorted({int(id_) for id_ in judged.records["gateway"][places.start : places.stop]}),
            )
            # Equal stamps are told apart by their number among them: later arrivals come after.
            number, previous = -1, None
            for place in places:
                at_us = int(judged.records["at"][place])
                number = number + 1 if at_us == previous else 0
                previous = at_us
                if at_us == start_us and number <= passed:
                    continue
                if len(items) == page.limit:
                    assert last is not None
                    return list_answer(items, page.next(*last))
                items.append(judged.described(place, session, gateways))
                last = (at_us, number)
        return list_answer(items, None)
