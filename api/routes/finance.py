"""Financed emissions: what a bank's loans finance of the accounts that it may read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answer import json_answer
from api.auth import Reader
from api.body import body_of
from api.context import Context, TheContext
from api.errors import Problem
from api.finance import financed_csv, financed_of, loans_of_csv, read_portfolio
from api.finance_schemas import BalanceBasis, DenominatorCode, FinancedAnswer
from api.finance_schemas import Portfolio as PortfolioShape
from api.schemas import inlined, problems
from domain.errors import Fault
from storage.keys import Key

router = APIRouter(tags=["finance"])

CSV_TYPE = "text/csv"
BYTES_MAX = 8 << 20


class AnswerFormat(StrEnum):
    JSON = "json"
    CSV = "csv"


@router.post(
    "/v1/financed-emissions",
    response_model=FinancedAnswer,
    responses={
        200: {"content": {CSV_TYPE: {}}, "description": "The loans with what they finance; a table as CSV."},
        **problems(400, 401, 403, 413, 415, 422),
    },
    summary="Financed emissions of a loan list",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": inlined(PortfolioShape.model_json_schema())},
                CSV_TYPE: {"schema": {"type": "string"}},
            },
        }
    },
)
async def post_financed_emissions(
    request: Request,
    key: Reader,
    context: TheContext,
    form: Annotated[AnswerFormat, Query(alias="format")] = AnswerFormat.JSON,
    year: Annotated[
        int | None, Query(ge=1970, le=2199, description="With CSV: year of the emissions.")
    ] = None,
    denominator: Annotated[
        DenominatorCode, Query(description="With CSV.")
    ] = DenominatorCode.EQUITY_PLUS_DEBT,
    balance: Annotated[BalanceBasis, Query(description="With CSV.")] = BalanceBasis.YEAR_END,
) -> Response:
    """Each loan's attribution, financed emissions and quality scores (PCAF, and the order of the Chinese guide), or why
    it isn't counted: a borrower whose account the key may not read counts for nothing and is told. Nothing is kept.
    """
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    content = await body_of(request, BYTES_MAX)
    if media == CSV_TYPE:
        if year is None:
            raise Problem(422, [Fault("year", "is required with CSV")])
        document: Any = {
            "year": year, "denominator": denominator, "balance": balance, "loans": loans_of_csv(content),
        }  # fmt: skip
    elif media == "application/json":
        document = content
    else:
        raise Problem(
            415, [Fault("content-type", f"{media[:80]!r} is not taken; send application/json or {CSV_TYPE}")]
        )
    return await run_in_threadpool(_answered, context, key, document, form)


def _answered(context: Context, key: Key | None, document: Any, form: AnswerFormat) -> Response:
    given = read_portfolio(document)
    with context.session(key) as session:
        answer = financed_of(session, given)
    if form is AnswerFormat.JSON:
        return json_answer(answer)
    headers = {"Content-Disposition": f'attachment; filename="financed-emissions-{given.year}.csv"'}
    return Response(financed_csv(answer), media_type=CSV_TYPE, headers=headers)
