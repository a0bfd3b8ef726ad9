"""Consents of enterprises, and who read of their accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api import consents as granting
from api.access_schemas import ConsentItem, ConsentsPage, ReadLogPage
from api.answer import json_answer, list_answer
from api.auth import Reader, needs
from api.context import Session, TheContext
from api.errors import Problem, not_found
from api.paging import Page, Paged
from api.parameters import Time, Uscc
from api.schemas import problems
from domain.access import Consent, Role
from domain.errors import Fault
from domain.interval import from_us, to_us
from storage import consents, read_log
from storage.keys import Key, Scope
from storage.read_log import Shown

router = APIRouter(tags=["access"])

Granter = Annotated[Key | None, Depends(needs(Scope.CONSENTS_WRITE))]
ConsentReader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ, Scope.CONSENTS_WRITE))]
ConsentId = Annotated[int, Path(alias="id", ge=1, lt=1 << 63, description="Of a consent.")]
Text = Annotated[str, Field(min_length=1, max_length=granting.TEXT_MAX, pattern=r"\S")]


class GrantPeriod(BaseModel):
    """Local days."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[date, Field(alias="from")]
    to: Annotated[date, Field(description="The first day after it.")]


class GrantBody(BaseModel):
    """What an enterprise consents to."""

    model_config = ConfigDict(extra="forbid")

    uscc: Annotated[str, Field(max_length=64)]
    consumer: Annotated[str, Field(max_length=64, description="Code of the bank, as its key names it.")]
    purpose: Text
    fields: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(min_length=1, max_length=64, description="Parts of the account."),
    ]
    periods: Annotated[
        list[GrantPeriod], Field(max_length=1000, description="That may be read of. None: all.")
    ] = []
    granted_by: Annotated[Text, Field(description="Who has signed for the enterprise.")]
    legal_text_hash: Annotated[
        str, Field(max_length=128, description="Hexadecimal, of the text that was agreed to.")
    ]
    legal_text_alg: Annotated[str, Field(max_length=32)] = "sha-256"
    valid_from: Time | None = Field(default=None, description="Left out: from now on.")
    valid_to: Time | None = Field(default=None, description="Left out: until it is revoked.")


class Revocation(BaseModel):
    """Why it ends."""

    model_config = ConfigDict(extra="forbid")

    why: Text


@router.post(
    "/v1/consents",
    status_code=201,
    response_model=ConsentItem,
    responses=problems(401, 403, 404, 422),
    summary="Consent to reading",
)
def post_consent(key: Granter, context: TheContext, given: Annotated[GrantBody, Body()]) -> Response:
    """An enterprise's word that a bank may read parts of its account for a purpose. It isn't changed afterwards:
    another one is granted, or this one revoked.
    """
    with context.session(key) as session:
        enterprise = session.enterprise(given.uscc)
    wished = granting.Grant(
        given.consumer,
        given.purpose,
        given.fields,
        [(each.from_, each.to) for each in given.periods],
        given.granted_by,
        given.legal_text_hash,
        given.legal_text_alg,
        given.valid_from,
        given.valid_to,
    )
    with context.pool.connection() as conn, conn.transaction():
        kept = granting.grant(conn, enterprise, wished, _by(key), session.now_us, session.calendar)
    response = json_answer(granting.described(kept, session.calendar), 201)
    response.headers["Location"] = f"/v1/consents/{kept.id}"
    return response


def _by(key: Key | None) -> str:
    return key.label if key is not None else "a visitor"


@router.get(
    "/v1/consents",
    response_model=ConsentsPage,
    responses=problems(401, 403, 404, 422),
    summary="Consents",
)
def get_consents(
    key: ConsentReader,
    context: TheContext,
    page: Paged,
    uscc: Annotated[str | None, Query(max_length=64, description="Only this enterprise's.")] = None,
    consumer: Annotated[str | None, Query(max_length=64, description="Only those given to it.")] = None,
) -> Response:
    """Ended and revoked ones too, in the order in which they were recorded. An enterprise sees its own, a bank those
    given to it.
    """
    bank = _bank(key)
    with context.session(key) as session:
        if uscc is not None and bank is None:
            session.enterprise(uscc)
        if "\0" in (uscc or "") + (consumer or ""):
            raise Problem(422, [Fault("", "a parameter holds a null character")])
        if bank is not None and consumer not in (None, bank):
            return list_answer([], None)
        found = _listed(session, page, uscc, bank or consumer, bank is not None)
        shown = found[: page.limit]
        if uscc is None:
            session.shown(each.uscc for each in shown)
        items = [granting.described(each, session.calendar) for each in shown]
        return list_answer(items, page.next(0, shown[-1].id) if len(found) > len(shown) else None)


def _bank(key: Key | None) -> str | None:
    """The code of a bank whose key this is."""
    return next(iter(key.tenant)) if key is not None and key.role is Role.BANK else None


def _listed(
    session: Session, page: Page, uscc: str | None, consumer: str | None, is_bank: bool
) -> Sequence[Consent]:
    after = 0
    if page.after is not None:
        if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
            raise Problem(422, [Fault("cursor", "is no cursor of this list")])
        after = int(page.after.id)
    if not is_bank:
        return consents.listed(session.conn, uscc, consumer, after, page.limit + 1, session.readable())
    with (
        session.everything()
    ):  # those that have ended are its too, though their enterprise isn't to be read any more
        return consents.listed(session.conn, uscc, consumer, after, page.limit + 1)


@router.get(
    "/v1/consents/{id}",
    response_model=ConsentItem,
    responses=problems(401, 403, 404, 422),
    summary="A consent",
)
def get_consent(id_: ConsentId, key: ConsentReader, context: TheContext) -> Response:
    """With how it stands now: `valid`, `not yet`, `ended`, `revoked`."""
    with context.session(key) as session:
        return json_answer(granting.described(_readable(session, key, id_), session.calendar))


def _readable(session: Session, key: Key | None, id_: int) -> Consent:
    """A consent that this key may see; Problem 404 where there is none."""
    unknown, bank = not_found("id", f"no consent {id_} is known"), _bank(key)
    with session.everything():
        found = consents.consent(session.conn, id_)
    if found is None or (bank is not None and found.consumer != bank):
        raise unknown
    if bank is None:
        session.enterprise(found.uscc, unknown=unknown)
    else:
        session.shown([found.uscc])
    return found


@router.post(
    "/v1/consents/{id}/revoke",
    response_model=ConsentItem,
    responses=problems(401, 403, 404, 422),
    summary="Revoke a consent",
)
def revoke_consent(
    id_: ConsentId, key: Granter, context: TheContext, given: Annotated[Revocation, Body()]
) -> Response:
    """From now on nothing is read by it. One that is revoked already is answered as it is."""
    with context.session(key) as session:
        _readable(session, key, id_)
    if "\0" in given.why:
        raise Problem(422, [Fault("body.why", "holds a null character")])
    with context.pool.connection() as conn, conn.transaction():
        kept = consents.revoke(conn, id_, _by(key), given.why.strip())
    assert kept is not None  # consents aren't removed
    return json_answer(granting.described(kept, session.calendar))


@router.get(
    "/v1/enterprises/{uscc}/read-log",
    response_model=ReadLogPage,
    responses=problems(401, 403, 404, 422),
    summary="Who read of an account",
)
def get_read_log(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    page: Paged,
    from_: Annotated[Time | None, Query(alias="from", description="Read at or after.")] = None,
    to: Annotated[Time | None, Query(description="Read before.")] = None,
) -> Response:
    """Every read of this enterprise's account, refused ones too, in the order of the log: who, by which key, what, of
    which period, by what right. Reading the log is logged as well.
    """
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        after = 0
        if page.after is not None:
            if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
                raise Problem(422, [Fault("cursor", "is no cursor of this list")])
            after = int(page.after.id)
        found = read_log.of_enterprise(
            session.conn,
            enterprise.id,
            after,
            page.limit + 1,
            None if from_ is None else from_us(from_),
            None if to is None else from_us(to),
        )
        shown = found[: page.limit]
        items = [_read(each, session) for each in shown]
        more = page.next(0, shown[-1].number) if len(found) > len(shown) else None
        return list_answer(items, more)


def _read(each: Shown, session: Session) -> dict[str, Any]:
    period = None
    if each.period_from_us is not None and each.period_to_us is not None:
        period = {"from": session.text(each.period_from_us), "to": session.text(each.period_to_us)}
    return {
        "number": each.number,
        "at": session.text(to_us(each.at)),
        "request_id": each.request_id,
        "who": each.who,
        "key": each.key_prefix,
        "role": each.role,
        "tenant": each.tenant,
        "what": each.what,
        "part": each.part,
        "object": each.object,
        "period": period,
        "basis": each.basis,
        "status": each.status,
        "alg": each.alg,
        "digest": each.digest.hex(),
    }
