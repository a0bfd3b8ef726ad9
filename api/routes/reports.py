"""Reports: of a year as the books stand or stood, published ones, and what has changed since they were."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from accounting.report.document import Report
from accounting.report.forms import MEDIA_TYPES, ReportFormat, written
from accounting.report.texts import Language
from api import published, schemas
from api.answer import json_answer, list_answer
from api.auth import Administrator, Reader
from api.context import TheContext
from api.errors import Problem
from api.paging import Page, Paged
from api.parameters import AsOf, Time, Uscc
from api.reports import report_of
from api.schemas import problems
from domain.errors import Fault
from domain.interval import to_us
from storage import reports

router = APIRouter(tags=["reports"])

YEAR_MIN, YEAR_MAX = 1970, 2199

Year = Annotated[int, Path(ge=YEAR_MIN, le=YEAR_MAX, description="A local calendar year.")]
Form = Annotated[ReportFormat, Query(alias="format", description="JSON has both languages in one.")]
Lang = Annotated[Language, Query(description="Of XLSX and PDF: Chinese or English.")]
ReportId = Annotated[int, Path(alias="id", ge=1, lt=1 << 63, description="Of a published report.")]
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {MEDIA_TYPES[form]: {} for form in (ReportFormat.XLSX, ReportFormat.PDF)},
        "description": "The report; a file in the other forms.",
    }
}


class Publication(BaseModel):
    """What is to be published."""

    model_config = ConfigDict(extra="forbid")

    year: Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX, description="A local calendar year.")]
    why: Annotated[
        str, Field(min_length=1, max_length=published.WHY_MAX, description="Kept with the report.")
    ]
    as_of: Time | None = Field(
        default=None, description="The books as of this moment; left out: as they stand now."
    )


def _file(content: bytes, form: ReportFormat, name: str) -> Response:
    disposition = "inline" if form is ReportFormat.JSON else "attachment"
    headers = {"Content-Disposition": f'{disposition}; filename="{name}.{form}"'}
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


def _name(
    uscc: str, year: int, language: Language, form: ReportFormat, *, published: int | None = None
) -> str:
    parts = ["report", uscc, str(year)]
    if published is not None:
        parts.append(f"published-{published}")
    if form is not ReportFormat.JSON:
        parts.append(language)
    return "-".join(parts)


@router.get(
    "/v1/enterprises/{uscc}/reports/{year}",
    response_model=Report,
    responses={**_FILES, **problems(401, 403, 404, 422)},
    summary="Report of an enterprise and year",
)
def get_report(
    uscc: Uscc,
    year: Year,
    key: Reader,
    context: TheContext,
    form: Form = ReportFormat.JSON,
    lang: Lang = Language.ZH,
    as_of: AsOf = None,
) -> Response:
    """The tables that the guidelines prescribe: emissions by source with totals of both boundaries, activity data,
    factors and parameters with their sources; with data quality and provenance. Totals are exact sums of the
    ledger's entries and equal what `/emissions` answers. The same `as_of` gives the same bytes.
    """
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        published.not_ahead(as_of, session.now_us, "as_of")
        report = report_of(session, enterprise, year, as_of)
    return _file(written(report, form, lang), form, _name(uscc, year, lang, form))


@router.get(
    "/v1/enterprises/{uscc}/reports",
    response_model=schemas.PublishedReportsPage,
    responses=problems(401, 403, 404, 422),
    summary="Published reports of an enterprise",
)
def get_published_reports(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    page: Paged,
    year: Annotated[int | None, Query(ge=YEAR_MIN, le=YEAR_MAX, description="Of this year alone.")] = None,
) -> Response:
    """What was published, ascending by time; a year may have been published several times."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        after = None if page.after is None else (page.after.at_us, _number(page))
        found = reports.published_of(session.conn, enterprise.id, year, after, page.limit + 1)
        items = [published.described(each, session) for each in found[: page.limit]]
        last = found[page.limit - 1] if len(found) > page.limit else None
        return list_answer(items, page.next(to_us(last.published_at), last.id) if last else None)


def _number(page: Page) -> int:
    assert page.after is not None
    if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return int(page.after.id)


@router.post(
    "/v1/enterprises/{uscc}/reports",
    status_code=201,
    response_model=schemas.PublishedReport,
    responses=problems(401, 403, 404, 422),
    summary="Publish the report of a year",
)
def post_report(
    uscc: Uscc,
    key: Administrator,
    context: TheContext,
    publication: Annotated[Publication, Body()],
) -> Response:
    """Freezes the report in every form, under a number: whatever happens to the books, it stays as it went out."""
    kept = published.publish_year(
        context,
        key,
        uscc,
        publication.year,
        as_of_us=publication.as_of,
        by=key.label if key is not None else "a visitor",
        why=publication.why,
    )
    response = json_answer(kept, 201)
    response.headers["Location"] = f"/v1/reports/{kept['id']}"
    return response


@router.get(
    "/v1/reports/{id}",
    response_model=Report,
    responses={**_FILES, **problems(401, 403, 404, 422)},
    summary="A published report",
)
def get_published_report(
    id_: ReportId,
    key: Reader,
    context: TheContext,
    form: Form = ReportFormat.JSON,
    lang: Lang = Language.ZH,
) -> Response:
    """The bytes that were published, in any form and language."""
    with context.session(key) as session:
        found = published.published(session, id_)
        content = published.content(session, id_, form, lang)
    return _file(content, form, _name(found.uscc, found.year, lang, form, published=id_))


@router.get(
    "/v1/reports/{id}/differences",
    response_model=schemas.ReportDifferences,
    responses=problems(401, 403, 404, 422),
    summary="What has changed since a report was published",
)
def get_report_differences(id_: ReportId, key: Reader, context: TheContext, as_of: AsOf = None) -> Response:
    """How the ledger of now (or as of a later moment) differs from a published report, source by source.

    `sources` are those that differ, `totals` the boundaries that do. `explained_by` is the request, for each
    boundary, that tells the causes of the difference, which add up to it.
    """
    with context.session(key, as_of) as session:
        return json_answer(published.differences(session, published.published(session, id_), as_of))
