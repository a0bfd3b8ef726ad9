"""The emissions trading year of an enterprise, and its electricity with green certificates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from api import quota
from api.answer import json_answer, list_answer
from api.auth import Reader, needs
from api.context import Context, TheContext
from api.electricity import certificate_json, electricity_of, take_certificates
from api.errors import Problem, not_found
from api.paging import Page, Paged
from api.parameters import AsOf, Uscc
from api.quota_schemas import (
    YEAR_MAX,
    YEAR_MIN,
    CertificateEntries,
    CertificateItem,
    CertificatesPage,
    CertificatesTaken,
    CertificateVoid,
    Electricity,
    Quota,
    QuotaStatements,
    QuotaStatementsPage,
)
from api.schemas import problems
from domain.errors import Fault
from storage import quotas
from storage.keys import Key, Scope

router = APIRouter(tags=["quota"])

Writer = Annotated[Key | None, Depends(needs(Scope.REGISTRY_WRITE))]
Year = Annotated[int, Path(ge=YEAR_MIN, le=YEAR_MAX, description="Compliance year, a local calendar year.")]
_BALANCE = Query(
    max_length=30,
    pattern=r"^\d{1,15}(\.\d{1,12})?$",
    description="BP as another scenario than the one stated [tCO2/t].",
)


def _signed(key: Key | None) -> str:
    return key.label if key is not None else "a visitor"


def _no_null(texts: dict[str, str]) -> None:
    faults = [Fault(place, "holds a null character") for place, text in texts.items() if "\0" in text]
    if faults:
        raise Problem(422, faults)


@router.post(
    "/v1/quotas",
    status_code=201,
    response_model=QuotaStatementsPage,
    responses=problems(400, 401, 403, 422),
    summary="State the units or lines of a compliance year",
)
def post_quotas(key: Writer, context: TheContext, given: Annotated[QuotaStatements, Body()]) -> Response:
    """All of them or none. A year stated again supersedes; what was stated stays to be read. The same again changes
    nothing.
    """
    return json_answer(state(context, key, given, _signed(key)), 201)


def state(context: Context, key: Key | None, given: QuotaStatements, by: str) -> dict[str, object]:
    """Keep statements, and tell of them as lists do. Problem 422 with every fault."""
    _no_null({"body.why": given.why})
    with context.session(key) as session:
        quota.check(session, given.statements, "body.statements")
        ids = {each.uscc: session.enterprise(each.uscc).id for each in given.statements}
    items = []
    with context.pool.connection() as conn, conn.transaction():
        for each in sorted(given.statements, key=lambda each: (each.uscc, each.year)):
            document = each.model_dump(mode="json", by_alias=True, exclude_none=True)
            kept = quotas.state(conn, ids[each.uscc], each.year, document, by, given.why)
            items.append(quota.described(kept, session, each.uscc))
    return {"items": items, "next": None}


@router.get(
    "/v1/enterprises/{uscc}/quota/{year}",
    response_model=Quota,
    responses=problems(401, 403, 404, 422),
    summary="Allowances, forecast and gap of a compliance year",
)
def get_quota(
    uscc: Uscc,
    year: Year,
    key: Reader,
    context: TheContext,
    balance_value: Annotated[str | None, _BALANCE] = None,
    as_of: AsOf = None,
) -> Response:
    """Totals of both boundaries side by side with their sources; what the enterprise is due by the year's plan; the
    year's emissions as P10, P50 and P90; the gap, its warning band, and what is due when. Figures of drafts are
    marked. `lacking` says why something is null.
    """
    with context.session(key, as_of) as session:
        return json_answer(quota.quota_of(session, session.enterprise(uscc), year, balance_value, as_of))


@router.get(
    "/v1/enterprises/{uscc}/quota/{year}/statements",
    response_model=QuotaStatementsPage,
    responses=problems(401, 403, 404, 422),
    summary="What was stated of a compliance year",
)
def get_quota_statements(uscc: Uscc, year: Year, key: Reader, context: TheContext) -> Response:
    """Every statement, the first one first; the last is in force."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        found = quotas.statements(session.conn, enterprise.id, year)
        return list_answer([quota.described(each, session, uscc) for each in found], None)


@router.get(
    "/v1/enterprises/{uscc}/electricity/{year}",
    response_model=Electricity,
    responses=problems(401, 403, 404, 422),
    summary="Purchased electricity, location- and market-based",
)
def get_electricity(uscc: Uscc, year: Year, key: Reader, context: TheContext, as_of: AsOf = None) -> Response:
    """Location-based is the account's own amount. Market-based: what was bought and isn't covered by retired
    certificates of the same calendar year, × the national average without market-traded non-fossil power.
    """
    with context.session(key, as_of) as session:
        return json_answer(electricity_of(session, session.enterprise(uscc), year, as_of))


@router.post(
    "/v1/enterprises/{uscc}/certificates",
    status_code=201,
    response_model=CertificatesTaken,
    responses=problems(400, 401, 403, 404, 409, 422),
    summary="Enter retired green certificates",
)
def post_certificates(
    uscc: Uscc, key: Writer, context: TheContext, given: Annotated[CertificateEntries, Body()]
) -> Response:
    """All of them or none. A number counts once in the whole city: one that counts for somebody already is refused."""
    _no_null(
        {
            f"body.certificates[{index}].evidence": each.evidence
            for index, each in enumerate(given.certificates)
        }
    )
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
    with context.pool.connection() as conn:
        return json_answer(take_certificates(conn, enterprise, given.certificates, _signed(key)), 201)


@router.get(
    "/v1/enterprises/{uscc}/certificates",
    response_model=CertificatesPage,
    responses=problems(401, 403, 404, 422),
    summary="Green certificates of an enterprise",
)
def get_certificates(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    page: Paged,
    year: Annotated[int | None, Query(ge=YEAR_MIN, le=YEAR_MAX, description="Of this year alone.")] = None,
) -> Response:
    """In the order of entry, voided ones too."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        found = quotas.certificates(session.conn, enterprise.id, year, _after(page), page.limit + 1)
        items = [certificate_json(each, session, uscc) for each in found[: page.limit]]
        more = len(found) > page.limit
        return list_answer(items, page.next(0, str(found[page.limit - 1].id)) if more else None)


def _after(page: Page) -> int:
    if page.after is None:
        return 0
    if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return int(page.after.id)


@router.post(
    "/v1/enterprises/{uscc}/certificates/void",
    response_model=CertificateItem,
    responses=problems(400, 401, 403, 404, 422),
    summary="Take a certificate back",
)
def post_void(
    uscc: Uscc, key: Writer, context: TheContext, given: Annotated[CertificateVoid, Body()]
) -> Response:
    """It stays to be read, with who took it back and why, and counts for nothing from now on. Twice changes nothing."""
    _no_null({"body.number": given.number, "body.why": given.why})
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
    with context.pool.connection() as conn, conn.transaction():
        found = quotas.void(conn, enterprise.id, given.number, _signed(key), given.why)
    if found is None:
        raise not_found("number", f"{uscc} has no certificate {given.number!r}")
    return json_answer(certificate_json(found, session, uscc))
