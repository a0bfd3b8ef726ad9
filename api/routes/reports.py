"""Reports: of a year as the books stand or stood, published ones, and what has changed since they were."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from accounting.report.changes import Change, changes
from accounting.report.document import Report, from_json
from accounting.report.forms import MEDIA_TYPES, ReportFormat, every_form, written
from accounting.report.reporter import year_days
from accounting.report.texts import Language
from api import schemas
from api.answer import json_answer, list_answer
from api.auth import Administrator, Reader
from api.context import Session, TheContext
from api.errors import Problem, not_found
from api.paging import Page, Paged
from api.parameters import AsOf, Time, Uscc
from api.reports import report_of
from api.schemas import problems
from domain.errors import Fault
from domain.interval import to_us
from storage import reports
from storage.reports import File, Published

router = APIRouter(tags=["reports"])

YEAR_MIN, YEAR_MAX = 1970, 2199
WHY_MAX = 500

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
    why: Annotated[str, Field(min_length=1, max_length=WHY_MAX, description="Kept with the report.")]
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


def _described(each: Published, session: Session) -> dict[str, Any]:
    return {
        "id": each.id,
        "uscc": each.uscc,
        "year": each.year,
        "as_of": session.text(to_us(each.as_of)),
        "published_at": session.text(to_us(each.published_at)),
        "by": each.by_whom,
        "why": each.why,
        "sha256": each.sha256,
        "account_kg": each.totals["account"],
        "ets_kg": each.totals["ets"],
    }


def _published(session: Session, id_: int) -> Published:
    found = reports.published(session.conn, id_)
    if found is None:
        raise not_found("id", f"no report {id_} was published")
    return found


def _not_ahead(as_of: int | None, now_us: int, place: str) -> None:
    if as_of is not None and as_of > now_us:
        raise Problem(
            422, [Fault(place, "lies ahead of the server's clock: the books of then aren't written yet")]
        )


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
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        _not_ahead(as_of, session.now_us, "as_of")
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
        items = [_described(each, session) for each in found[: page.limit]]
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
    if "\0" in publication.why:
        raise Problem(422, [Fault("body.why", "holds a null character")])
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        _not_ahead(publication.as_of, session.now_us, "as_of")
        as_of_us = session.now_us if publication.as_of is None else publication.as_of
        report = report_of(session, enterprise, publication.year, publication.as_of)
    files = [File(form, language, content) for form, language, content in every_form(report)]
    with context.pool.connection() as conn, conn.transaction():
        kept = reports.publish(
            conn,
            enterprise.id,
            publication.year,
            as_of_us,
            report.provenance.run or 0,
            key.label if key is not None else "a visitor",
            publication.why,
            report.sha256,
            {each.boundary: each.kg for each in report.totals},
            files,
        )
    response = json_answer(_described(kept, session), 201)
    response.headers["Location"] = f"/v1/reports/{kept.id}"
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
        found = _published(session, id_)
        content = reports.file(session.conn, id_, form, "" if form is ReportFormat.JSON else lang)
    assert content is not None  # all forms were kept with it
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
    with context.session(key) as session:
        found = _published(session, id_)
        content = reports.file(session.conn, id_, ReportFormat.JSON, "")
        assert content is not None
        published = from_json(content)
        present = report_of(session, session.enterprise(found.uscc), found.year, as_of)
        differ = changes(published, present)
        return json_answer(
            {
                "id": id_,
                "uscc": found.uscc,
                "year": found.year,
                "published_as_of": published.provenance.as_of,
                "present_as_of": present.provenance.as_of,
                "differs": published.provenance.ledger_sha256 != present.provenance.ledger_sha256,
                "totals": [_change(each) for each in differ if each.source is None],
                "sources": [
                    {"source": each.source, **_change(each)} for each in differ if each.source is not None
                ],
                "explained_by": {
                    boundary: _explanation(session, found, boundary) for boundary in ("account", "ets")
                },
            }
        )


def _change(each: Change) -> dict[str, Any]:
    return {
        "boundary": each.boundary,
        "published_kg": each.published_kg,
        "present_kg": each.present_kg,
        "difference_kg": each.difference_kg,
    }


def _explanation(session: Session, found: Published, boundary: str) -> str:
    first_day, end_day = year_days(found.year, session.calendar)
    asked = {
        "from": session.text(session.calendar.day_start(first_day)),
        "to": session.text(session.calendar.day_start(end_day)),
        "as_of": session.text(to_us(found.as_of)),
        "boundary": boundary,
    }
    return f"/v1/enterprises/{found.uscc}/difference?{urlencode(asked)}"
