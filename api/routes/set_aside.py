"""What was rejected or held: to look at, to replay, to release or discard; and the accounts of gateways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api import schemas
from api.answer import json_answer, list_answer
from api.auth import AccountReader, Administrator, Reader, not_allowed
from api.context import Context, Session, TheContext
from api.errors import Problem, not_found
from api.operations import Operations, Selection
from api.paging import Page, Paged
from api.parameters import Gateway, Time
from api.schemas import problems
from domain.errors import Fault, HoldReason, RejectReason
from domain.interval import to_us
from domain.reading import SentQuality, decimal_text
from storage import accounts, set_aside
from storage.keys import Key, Scope
from storage.set_aside import Where

router = APIRouter(tags=["gateways"])

GatewayName = Annotated[Gateway | None, Query(description="USCC/ID.", examples=["91430300MA4L0DEM8M/gw1"])]
Received = Annotated[
    Time | None, Query(alias="from", description="Received at or after; RFC 3339 with an offset.")
]
Measured = Annotated[
    Time | None, Query(alias="from", description="Measured at or after; RFC 3339 with an offset.")
]


class Choice(BaseModel):
    """Which letters or held readings: all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=1, lt=1 << 63)]] | None = Field(default=None, max_length=100_000)
    reason: str | None = Field(default=None, max_length=64)
    gateway: Gateway | None = Field(default=None, description="USCC/ID.")
    from_: Time | None = Field(
        default=None, alias="from", description="Letters received, held readings measured at or after."
    )

    def selection(self) -> Selection:
        return Selection(None if self.ids is None else tuple(self.ids), self.reason, self.gateway, self.from_)


ChoiceBody = Annotated[Choice | None, Body(description="Left out: all of them.")]


def _after(page: Page) -> tuple[int, int] | None:
    if page.after is None:
        return None
    if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return page.after.at_us, int(page.after.id)


def _operations(context: Context) -> Operations:
    if context.operations is None:
        raise Problem(503, "this server runs without ingest, which does this; ask one that runs with it")
    return context.operations


def _selection(choice: Choice | None, reasons: type[RejectReason] | type[HoldReason]) -> Selection:
    selection = (choice or Choice()).selection()
    if selection.reason is not None and selection.reason not in list(reasons):
        raise Problem(422, [Fault("body.reason", f"{selection.reason!r} is none of {', '.join(reasons)}")])
    return selection


def _usccs(gateways: Iterable[str | None]) -> list[str]:
    return [gateway.partition("/")[0] for gateway in gateways if gateway is not None]


def _by(key: Key | None) -> str:
    return key.label if key is not None else "a visitor"


@router.get(
    "/v1/gateways/{uscc}/{id}/account",
    response_model=schemas.GatewayAccount,
    responses=problems(401, 403, 404, 422),
    summary="Account of a gateway",
)
def get_account(
    uscc: Annotated[str, Path(max_length=64)],
    id_: Annotated[str, Path(alias="id", max_length=64)],
    key: AccountReader,
    context: TheContext,
) -> Response:
    """What became of every reading that came under a gateway's name. A key of scope readings:write reads the
    accounts of its own gateways. `duplicates` and `conflicts` follow within the ledger's lag.
    """
    if key is not None and not key.allows(Scope.EMISSIONS_READ) and not key.may_publish(uscc, id_):
        raise not_allowed(Scope.EMISSIONS_READ)
    with context.session(key) as session:
        unknown = not_found(
            "id", f"no gateway {f'{uscc}/{id_}'!r} is registered, and nothing came under that name"
        )
        enterprise = session.registry.enterprises.get(uscc)
        if enterprise is not None or session.readable() is not None:
            session.enterprise(uscc, unknown=unknown)
        account = None if "\x00" in uscc + id_ else accounts.account(session.conn, uscc, id_)
        if account is not None:
            return json_answer(account.as_dict())
        if enterprise is None or id_ not in enterprise.gateways:
            raise unknown
        return json_answer(accounts.Account(0, 0, 0, 0, 0, 0).as_dict())


@router.get(
    "/v1/deadletters",
    response_model=schemas.DeadLettersPage,
    responses=problems(401, 403, 422),
    summary="What was rejected",
)
def get_dead_letters(
    key: Reader,
    context: TheContext,
    page: Paged,
    reason: Annotated[RejectReason | None, Query()] = None,
    gateway: GatewayName = None,
    from_: Received = None,
    replayed: Annotated[bool, Query(description="Those that were replayed too.")] = False,
) -> Response:
    """Open dead letters: payloads that were rejected, whole or in part, one for each reason."""
    with context.session(key) as session:
        found = set_aside.dead_letters(
            session.conn, Where(reason, gateway, from_), _after(page), page.limit + 1, with_replayed=replayed
        )
        session.shown(_usccs(letter.gateway for letter in found[: page.limit]))
        items = [
            {
                "id": letter.id,
                "received_at": session.text(to_us(letter.received_at)),
                "reason": letter.reason,
                "topic": letter.topic.decode("utf-8", "backslashreplace"),
                "gateway": letter.gateway,
                "size": letter.size,
                "readings": letter.readings,
                "positions": letter.positions,
                "detail": letter.detail,
                "via": letter.via,
                "decoder": letter.decoder,
                "replayed_at": None
                if letter.replayed_at is None
                else session.text(to_us(letter.replayed_at)),
            }
            for letter in found[: page.limit]
        ]
        return _list(items, found, page)


def _list(items: list[dict[str, Any]], found: list[Any], page: Page) -> Response:
    more = len(found) > len(items)
    last = found[len(items) - 1] if items else None
    return list_answer(items, page.next(to_us(last.received_at), last.id) if more and last else None)


@router.post(
    "/v1/deadletters/replay",
    response_model=schemas.Done,
    responses=problems(401, 403, 422),
    summary="Decode dead letters again",
)
def replay_dead_letters(key: Administrator, context: TheContext, choice: ChoiceBody = None) -> Response:
    """A replayed letter leaves `rejected`, and what is found in it is added to `received`. Letters that are refused
    again become new ones.
    """
    operations = _operations(context)
    return _done(operations.replay(_selection(choice, RejectReason), _by(key)))


def _done(counts: Mapping[str, int]) -> Response:
    return json_answer(dict(counts))


@router.get(
    "/v1/held", response_model=schemas.HeldPage, responses=problems(401, 403, 422), summary="What is held"
)
def get_held(
    key: Reader,
    context: TheContext,
    page: Paged,
    reason: Annotated[HoldReason | None, Query()] = None,
    gateway: GatewayName = None,
    from_: Measured = None,
) -> Response:
    """Readings kept aside until the reason ends, or a person decides."""
    with context.session(key) as session:
        found = set_aside.held(session.conn, Where(reason, gateway, from_), _after(page), page.limit + 1)
        session.shown(_usccs(item.gateway for item in found[: page.limit]))
        items = [_held_item(item, session) for item in found[: page.limit]]
        return _list(items, found, page)


_DETAILS = {
    HoldReason.UNKNOWN_METER: "no meter {meter!r} is registered for {uscc}",
    HoldReason.UNKNOWN_CHANNEL: "meter {meter!r} of {uscc} has no channel {channel!r}",
    HoldReason.OUTSIDE_VALIDITY: "{at} lies outside of the validity of {meter}/{channel}",
    HoldReason.AHEAD_OF_CLOCK: "{at} was ahead of the server's clock: stored when that time comes",
    HoldReason.FAR_AHEAD_OF_CLOCK: "{at} was far ahead of the server's clock: release or discard it",
}


def _held_item(item: set_aside.HeldReading, session: Session) -> dict[str, Any]:
    at = session.text(to_us(item.measured_at))
    template = _DETAILS.get(HoldReason(item.reason), "")
    return {
        "id": item.id,
        "received_at": session.text(to_us(item.received_at)),
        "reason": item.reason,
        "topic": item.topic,
        "gateway": item.gateway,
        "channel": f"{item.meter}/{item.channel}",
        "at": at,
        "sent": decimal_text(item.mantissa, item.exponent),
        "quality": SentQuality(item.quality).name.lower(),
        "revision": item.revision,
        "detail": template.format(meter=item.meter, channel=item.channel, uscc=item.uscc, at=at),
    }


@router.post(
    "/v1/held/release",
    response_model=schemas.Done,
    responses=problems(401, 403, 422),
    summary="Store held readings",
)
def release_held(key: Administrator, context: TheContext, choice: ChoiceBody = None) -> Response:
    """Stores those whose channel is registered for their stamp, far ahead of the clock or not; the others stay held."""
    operations = _operations(context)
    return _done(operations.release(_selection(choice, HoldReason), _by(key)))


@router.post(
    "/v1/held/discard",
    response_model=schemas.Done,
    responses=problems(401, 403, 422),
    summary="Reject held readings",
)
def discard_held(key: Administrator, context: TheContext, choice: ChoiceBody = None) -> Response:
    """They go to the dead letters and count as rejected. Says which: a discard of everything held isn't taken."""
    selection = _selection(choice, HoldReason)
    if selection == Selection():
        raise Problem(422, [Fault("body", "say which: ids, reason, gateway or from")])
    return _done(_operations(context).discard(selection, _by(key)))
