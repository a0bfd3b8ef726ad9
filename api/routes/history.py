"""Years of enterprises that nobody metered: templates, files brought in, what they come to, what is missing."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from accounting.history.cells import BYTES_MAX
from accounting.history.row import YEAR_MAX, YEAR_MIN, FileDefaults
from accounting.history.template import Template, template, template_csv
from accounting.history.template_text import Language
from accounting.history.template_xlsx import template_xlsx
from accounting.history.vocabulary import Provenance
from api.answer import json_answer, list_answer
from api.auth import Reader, RegistryReader, needs
from api.body import body_of
from api.context import Context, Session, TheContext
from api.errors import Problem, not_found
from api.history import SentFile, import_file
from api.history_json import completeness_json, imported_json, version_json
from api.history_schemas import (
    CompletenessPage,
    HistoryImported,
    HistoryPage,
    HistoryTemplate,
    HistoryYear,
)
from api.paging import Paged
from api.parameters import AsOf, DistrictCode, Uscc
from api.schemas import problems
from domain.errors import Fault
from domain.identity import district_prefix, uscc_fault
from domain.interval import from_us
from domain.registry import dated_value
from storage import history
from storage.keys import Key, Scope

router = APIRouter(tags=["history"])

CSV_TYPE = "text/csv"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What programs call these files beside: a browser on Windows says that CSV is Excel's.
_MEDIA_TYPES = (
    CSV_TYPE,
    XLSX_TYPE,
    "application/csv",
    "application/vnd.ms-excel",
    "application/octet-stream",
)
_FIRST_YEAR = 2020  # of the data that the city asks enterprises for
_YEARS_MAX = 50

Importer = Annotated[Key | None, Depends(needs(Scope.REGISTRY_WRITE))]
YearNumber = Annotated[int, Query(ge=YEAR_MIN, le=YEAR_MAX)]


class TemplateFormat(StrEnum):
    JSON = "json"
    XLSX = "xlsx"
    CSV = "csv"


@router.get(
    "/v1/history/templates/{industry}",
    response_model=HistoryTemplate,
    responses={
        200: {
            "content": {XLSX_TYPE: {}, CSV_TYPE: {}},
            "description": "The template; a file in the other forms.",
        },
        **problems(401, 403, 404, 422),
    },
    summary="Template of an industry",
)
def get_template(
    industry: Annotated[str, Path(max_length=64)],
    key: RegistryReader,
    context: TheContext,
    form: Annotated[TemplateFormat, Query(alias="format")] = TemplateFormat.JSON,
    edition: Annotated[str | None, Query(max_length=64, description="Left out: the industry's own.")] = None,
    lang: Annotated[Language, Query(description="Of titles and explanations.")] = "zh",
) -> Response:
    """What to fill in for a year of an enterprise of this industry, made from its method file, with every default, its
    source and confidence.
    """
    methods = context.library.methods
    if industry not in methods.industries:
        raise not_found("industry", methods.edition_fault(industry, None) or "")
    fault = methods.edition_fault(industry, edition)
    if fault is not None:
        raise Problem(422, [Fault("edition", fault)])
    with context.session(key):
        pass
    made = template(context.library, industry, edition, lang)
    if form is TemplateFormat.JSON:
        return json_answer(_template(made))
    name = f"history-{industry}-{made.edition}-{lang}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if form is TemplateFormat.XLSX:
        return Response(template_xlsx(made), media_type=XLSX_TYPE, headers=headers)
    return Response(template_csv(made), media_type=CSV_TYPE, headers=headers)


def _template(made: Template) -> dict[str, Any]:
    hints = made.remarks[0]
    return {
        "industry": made.industry,
        "edition": made.edition,
        "columns": [
            {"code": code, "title": title, "hint": hint.removeprefix("# ")}
            for code, title, hint in zip(made.codes, made.titles, hints, strict=True)
        ],
        "lists": made.lists,
        "tables": [{"name": each.name, "header": each.header, "rows": each.rows} for each in made.tables],
    }


# --- bringing in


@router.post(
    "/v1/history",
    status_code=201,
    response_model=HistoryImported,
    responses={
        200: {
            "model": HistoryImported,
            "description": "Nothing was written: all is in already, or only checked.",
        },
        **problems(400, 401, 403, 413, 415, 422),
    },
    summary="Bring years in",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                each: {"schema": {"type": "string", "format": "binary"}} for each in (CSV_TYPE, XLSX_TYPE)
            },
        }
    },
)
async def post_history(
    request: Request,
    key: Importer,
    context: TheContext,
    why: Annotated[str, Query(max_length=500, description="Kept with what is brought in.")] = "",
    dry_run: Annotated[bool, Query(description="Only check the file, and say what it would change.")] = False,
    uscc: Annotated[str | None, Query(max_length=64, description="Of rows that name no enterprise.")] = None,
    provenance: Annotated[Provenance | None, Query(description="Of rows that name none.")] = None,
    file_name: Annotated[str, Query(max_length=255, description="Kept with what is brought in.")] = "",
) -> Response:
    """Brings a file of rows in, CSV or XLSX, all of it or nothing. Every fault is listed with its sheet, row and
    column. The rows of an enterprise and year together are one inventory; sending that year again supersedes it, and
    sending the same again changes nothing.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _MEDIA_TYPES:
        raise Problem(
            415, [Fault("content-type", f"{media[:80]!r} is not taken; send {CSV_TYPE} or {XLSX_TYPE}")]
        )
    faults = [
        Fault(name, "holds a null character")
        for name, text in (("why", why), ("file_name", file_name))
        if "\0" in text
    ]
    if uscc is not None and (fault := uscc_fault(uscc)):
        faults.append(Fault("uscc", fault))
    if faults:
        raise Problem(422, faults)
    content = await body_of(request, BYTES_MAX)
    file = SentFile(content, file_name, FileDefaults(uscc, provenance))
    return await run_in_threadpool(_imported, context, key, file, why, dry_run)


def _imported(context: Context, key: Key | None, file: SentFile, why: str, dry_run: bool) -> Response:
    with context.session(key) as session:  # a key that was revoked meanwhile is refused
        registry, this_year = session.registry, session.calendar.local(session.now_us).year
        readable = session.readable()
    if readable is not None:  # to a tenant others aren't registered
        registry = replace(registry, enterprises={uscc: registry.enterprises[uscc] for uscc in readable})
    by = key.label if key is not None else "a visitor"
    with context.pool.connection() as conn:
        done = import_file(
            conn, registry, context.library, file, by=by, this_year=this_year, why=why, dry_run=dry_run
        )
    session.shown(year.uscc for year in done.years)
    return json_answer(imported_json(done, dry_run), 200 if done.batch is None else 201)


# --- reading


@router.get(
    "/v1/enterprises/{uscc}/history",
    response_model=HistoryPage,
    responses=problems(401, 403, 404, 422),
    summary="Years of an enterprise",
)
def get_enterprise_history(
    uscc: Uscc, key: Reader, context: TheContext, page: Paged, as_of: AsOf = None
) -> Response:
    """Its years by rows of a file: totals, provenance, and which version is in force."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        found = history.in_force(session.conn, [enterprise.id], as_of=_moment(as_of))
        items = [(f"{each.year:04}", version_json(each, session.calendar)) for each in found]
        rest = [pair for pair in items if page.after is None or pair[0] > page.after.id]
        shown = rest[: page.limit]
        return list_answer(
            [item for _, item in shown], page.next(0, shown[-1][0]) if len(rest) > len(shown) else None
        )


@router.get(
    "/v1/enterprises/{uscc}/history/{year}",
    response_model=HistoryYear,
    responses=problems(401, 403, 404, 422),
    summary="A year of an enterprise",
)
def get_enterprise_year(
    uscc: Uscc,
    year: Annotated[int, Path(ge=YEAR_MIN, le=YEAR_MAX, description="A calendar year.")],
    key: Reader,
    context: TheContext,
    as_of: AsOf = None,
) -> Response:
    """The version in force with its rows as they were sent, the inventory that they make, and all versions."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        found = history.versions(session.conn, enterprise.id, year, as_of=_moment(as_of))
        if not found:
            raise not_found("year", f"nothing was sent of {uscc} in {year}")
        current = found[-1]
        return json_answer(
            {
                **version_json(current, session.calendar),
                "inventory": history.answers(session.conn, [current.id])[current.id],
                "rows": [
                    {"sheet": each.sheet, "row": each.row, "provenance": each.provenance, "sent": each.sent}
                    for each in history.rows(session.conn, current.statement_id)
                ],
                "versions": [version_json(each, session.calendar) for each in found],
            }
        )


def _moment(as_of_us: int | None) -> Any:
    return None if as_of_us is None else from_us(as_of_us)


@router.get(
    "/v1/history",
    response_model=CompletenessPage,
    responses=problems(401, 403, 422),
    summary="Which years are there",
)
def get_history(
    key: Reader,
    context: TheContext,
    page: Paged,
    year: Annotated[YearNumber | None, Query(description="This year alone.")] = None,
    from_year: Annotated[
        YearNumber | None, Query(description=f"The first, {_FIRST_YEAR} if left out.")
    ] = None,
    to_year: Annotated[
        YearNumber | None, Query(description="The last; left out: the last that has ended.")
    ] = None,
    industry: Annotated[str | None, Query(max_length=64)] = None,
    district: Annotated[
        DistrictCode | None, Query(description="行政区划代码; it contains those under its prefix.")
    ] = None,
    missing: Annotated[bool, Query(description="Only enterprises that lack a year.")] = False,
    as_of: AsOf = None,
) -> Response:
    """Registered enterprises by year: what was sent of each, and what is missing."""
    with context.session(key) as session:
        first, last = _years(session, year, from_year, to_year)
        prefix = None if district is None else district_prefix(district)
        if industry is not None and industry not in context.library.methods.industries:
            raise Problem(
                422, [Fault("industry", context.library.methods.edition_fault(industry, None) or "")]
            )
        today = session.calendar.day(session.now_us)
        chosen = [
            each
            for _, each in sorted(session.registry.enterprises.items())
            if session.may_read(each.uscc)
            and (industry is None or each.industry == industry)
            and (prefix is None or (dated_value(each.districts, today) or "").startswith(prefix))
            and (page.after is None or each.uscc > page.after.id)
        ]
        ids = [each.id for each in chosen]
        found = {
            (each.enterprise_id, each.year): each
            for each in history.in_force(
                session.conn, ids, first_year=first, last_year=last, as_of=_moment(as_of)
            )
        }
        items = [completeness_json(each, range(first, last + 1), found, today) for each in chosen]
        items = [each for each in items if each["missing"] or not missing]
        shown = items[: page.limit]
        session.shown(item["uscc"] for item in shown)
        return list_answer(shown, page.next(0, shown[-1]["uscc"]) if len(items) > len(shown) else None)


def _years(session: Session, year: int | None, from_year: int | None, to_year: int | None) -> tuple[int, int]:
    if year is not None:
        if from_year is not None or to_year is not None:
            raise Problem(422, [Fault("year", "stands alone: without from_year and to_year")])
        return year, year
    ended = session.calendar.local(session.now_us).year - 1
    last = to_year if to_year is not None else max(ended, from_year or _FIRST_YEAR)
    first = from_year if from_year is not None else min(_FIRST_YEAR, last)
    if not first <= last < first + _YEARS_MAX:
        text = f"{last} must be from_year ({first}) or later, and less than {_YEARS_MAX} years"
        raise Problem(422, [Fault("to_year", text)])
    return first, last
