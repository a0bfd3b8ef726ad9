"""Green grades: of an enterprise, of a district; schemes, shadow runs, what is stated, objections."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from accounting.grades.inputs import month_text
from accounting.grades.record import score_text
from accounting.grades.scheme import Scheme
from accounting.grades.scheme_read import read_scheme, shipped
from accounting.grades.statements import BENCHMARK, FACT, FIGURE, OUTPUT, key_of, month_of
from api import grade_schemas as schemas
from api import membership
from api.answer import json_answer, list_answer
from api.auth import Administrator, Reader, needs
from api.context import Context, Session, TheContext
from api.errors import Problem, not_found
from api.grading import (
    ANNUAL,
    INDICATIVE,
    KINDS,
    PUBLISHED,
    last_closed_month,
    scheme_in_force,
    schemes_of,
    told,
)
from api.paging import Page, Paged
from api.parameters import AsOf, District, Uscc
from api.schemas import problems
from api.shadow import scheme_for, shadow
from domain.access import Role
from domain.errors import Fault, FaultyDocument, Refused
from domain.interval import from_us, to_us
from domain.registry import Enterprise
from storage import grades
from storage.database import Connection
from storage.grades import NewStatement, Objection
from storage.keys import Key, Scope

router = APIRouter(tags=["grades"])

Writer = Annotated[Key | None, Depends(needs(Scope.REGISTRY_WRITE))]
MonthQuery = Annotated[
    str | None, Query(pattern=schemas.MONTH, description="Closing month; left out: the newest.")
]
GradeKind = Annotated[
    schemas.Kind | None,
    Query(description="Left out: the annual one, else the published, else the indicative."),
]
FirstMonth = Annotated[
    str | None, Query(alias="from", pattern=schemas.MONTH, description="First month; left out: as `to`.")
]
GradeId = Annotated[int, Path(alias="id", ge=1, lt=1 << 63, description="Of a grade record.")]
_MONTHS_MAX = 24  # of a shadow run


def _by(key: Key | None) -> str:
    return key.label if key is not None else "a visitor"


def visible_stages(key: Key | None) -> set[str]:
    """The stages of publication in which a quarter's grades are shown: trials are for who makes them."""
    if key is None or key.role in (None, Role.ADMIN, Role.AUDITOR):
        return {"TRIAL", "NOTIFIED", "EFFECTIVE"}
    return {"NOTIFIED", "EFFECTIVE"}


def _hidden(session: Session, key: Key | None) -> set[int]:
    """Months whose published grades this key isn't shown yet."""
    seen = visible_stages(key)
    reached: dict[int, set[str]] = {}
    for stage in grades.stages(session.conn):
        reached.setdefault(stage.month, set()).add(stage.stage)
    return {month for month, stages in reached.items() if not stages & seen}


@router.get(
    "/v1/enterprises/{uscc}/grade",
    response_model=schemas.GradeRecord,
    responses=problems(401, 403, 404, 422),
    summary="Green grade of an enterprise",
)
def get_grade(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    kind: GradeKind = None,
    period: MonthQuery = None,
    as_of: AsOf = None,
) -> Response:
    """The record as it was signed, with everything that the label rests on: inputs, peer step, scores, weights,
    ceilings, overrides, the distance to the next label in tCO2e and in units. `as_of`: the record that stood then.
    """
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        at = None if as_of is None else from_us(as_of)
        month = None if period is None else month_of(period)
        hidden = _hidden(session, key)
        for each in (ANNUAL, PUBLISHED, INDICATIVE) if kind is None else (kind,):
            found = grades.newest(
                session.conn, enterprise.id, [each], month, at, hidden if each == PUBLISHED else ()
            )
            if found is not None:
                return json_answer(told(found))
    of_it = "" if period is None else f" of {period}"
    raise not_found("period", f"{uscc} has no grade{of_it} yet")


@router.get(
    "/v1/enterprises/{uscc}/grades",
    response_model=schemas.GradesPage,
    responses=problems(401, 403, 404, 422),
    summary="Grades of an enterprise",
)
def get_grades(
    uscc: Uscc,
    key: Reader,
    context: TheContext,
    page: Paged,
    kind: Annotated[schemas.Kind | None, Query(description="Of this kind alone.")] = None,
    period: MonthQuery = None,
) -> Response:
    """Every record, ascending by entry; superseded ones too."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        hidden = _hidden(session, key)
        first, last = (0, 1 << 30) if period is None else (month_of(period), month_of(period))
        found = grades.records(
            session.conn,
            enterprise_id=enterprise.id,
            kinds=KINDS if kind is None else [kind],
            first=first,
            last=last,
            after_id=_after(page),
            limit=page.limit + 1,
        )
        shown = [each for each in found[: page.limit] if each.kind != PUBLISHED or each.month not in hidden]
        more = len(found) > page.limit
        return list_answer(
            [told(each) for each in shown], page.next(0, found[page.limit - 1].id) if more else None
        )


def _after(page: Page) -> int:
    if page.after is None:
        return 0
    if not page.after.id.isascii() or not page.after.id.isdigit() or len(page.after.id) > 18:
        raise Problem(422, [Fault("cursor", "is no cursor of this list")])
    return int(page.after.id)


@router.get(
    "/v1/districts/{code}/ranking",
    response_model=schemas.RankingPage,
    responses=problems(401, 403, 422),
    summary="Ranking of a district's enterprises",
)
def get_ranking(
    code: District,
    key: Reader,
    context: TheContext,
    page: Paged,
    kind: Annotated[schemas.Kind, Query(description="Of the grades.")] = INDICATIVE,  # type: ignore[assignment]
    period: MonthQuery = None,
) -> Response:
    """The best score first; equal scores share a rank; who isn't rated comes last, without one. Names of those that
    this key may not read are masked.
    """
    with context.session(key) as session, session.everything():
        month = grades.newest_month(session.conn, kind) if period is None else month_of(period)
        start = _after(page)
        ranking = grades.Ranking(0, 0, [])
        if month is not None and not (kind == PUBLISHED and month in _hidden(session, key)):
            ranking = grades.ranking(session.conn, kind, month, _members(session, code), start, page.limit)
        items: list[dict[str, Any]] = []
        shown = []
        for row in ranking.rows:
            enterprise = _by_id(session)[row.enterprise_id]
            is_shown = session.may_read(enterprise.uscc)
            if is_shown:
                shown.append(enterprise.uscc)
            items.append(
                {
                    "rank": None if row.score is None else row.rank,
                    "uscc": enterprise.uscc if is_shown else None,
                    "name_zh": enterprise.name_zh if is_shown else None,
                    "label": row.label,
                    "state": row.state,
                    "score": None if row.score is None else score_text(Fraction(row.score)),
                }
            )
        session.shown(shown)
        end = start + page.limit
        return json_answer(
            {
                "kind": kind,
                "month": None if month is None else month_text(month),
                "rated": ranking.rated,
                "items": items,
                "next": page.next(0, end) if ranking.total > end else None,
            }
        )


def _members(session: Session, code: str) -> list[int]:
    """Those that are of the district today."""
    today = session.calendar.day(session.now_us)

    def prepare() -> list[int]:
        found = []
        for stretch in membership.of_district(session.registry, code):
            low, high = stretch.clip(today, today + 1)
            if low < high:
                found.append(stretch.enterprise_id)
        return found

    return session.known.prepared(("grade members", code, today), prepare)


def _by_id(session: Session) -> dict[int, Enterprise]:
    return session.known.prepared(
        ("enterprises by id",),
        lambda: {each.id: each for each in session.registry.enterprises.values()},
    )


# -- what is stated -----------------------------------------------------------------------------------


@router.post(
    "/v1/grades/statements",
    status_code=201,
    response_model=schemas.Stated,
    responses=problems(400, 401, 403, 422),
    summary="State value added, products and facts for grades",
)
def post_statements(
    key: Writer, context: TheContext, given: Annotated[schemas.GradeStatements, Body()]
) -> Response:
    """All of them or none. What is stated again supersedes; the same again changes nothing; null takes back."""
    return json_answer({"kept": state(context, key, given, _by(key))}, 201)


def state(context: Context, key: Key | None, given: schemas.GradeStatements, by: str) -> int:
    """Keep statements; how many were new. Problem 422 with every fault."""
    faults: list[Fault] = []
    new: dict[tuple[int, str, str], NewStatement] = {}
    with context.session(key) as session:
        for index, each in enumerate(given.statements):
            place = f"body.statements[{index}]"
            enterprise = session.registry.enterprises.get(each.uscc)
            unknown = Fault(f"{place}.uscc", f"no enterprise {each.uscc!r} is registered")
            if enterprise is None:
                faults.append(unknown)
                continue
            session.enterprise(each.uscc, unknown=Problem(422, [unknown]))
            faults += [
                Fault(f"{place}.benchmarks[{number}].sources", f"{each.uscc} has no source {source!r}")
                for number, one in enumerate(each.benchmarks)
                for source in one.sources
                if source not in enterprise.sources
            ]
            for kind, document, is_back in _documents(each):
                statement = NewStatement(
                    enterprise.id, kind, key_of(kind, document), None if is_back else document
                )
                name = statement[:3]
                if name in new:
                    faults.append(Fault(place, f"{kind} {statement.key} stands twice"))
                new[name] = statement
    if faults:
        raise Problem(422, faults)
    with context.pool.connection() as conn, conn.transaction():
        return grades.state(conn, list(new.values()), by, given.why)


def _documents(given: schemas.EnterpriseStatement) -> list[tuple[str, dict[str, Any], bool]]:
    """Kind, document, and whether it is taken back."""
    found: list[tuple[str, dict[str, Any], bool]] = []
    for figure in given.figures:
        found.append((FIGURE, figure.model_dump(mode="json", by_alias=True), figure.value is None))
    for output in given.outputs:
        found.append((OUTPUT, output.model_dump(mode="json"), output.energy is None))
    for benchmark in given.benchmarks:
        found.append((BENCHMARK, benchmark.model_dump(mode="json"), benchmark.benchmark is None))
    for fact in given.facts:
        document = fact.model_dump(mode="json", by_alias=True, exclude={"withdrawn"})
        found.append((FACT, document, fact.withdrawn))
    return found


@router.get(
    "/v1/enterprises/{uscc}/grade-statements",
    response_model=schemas.StatementsPage,
    responses=problems(401, 403, 404, 422),
    summary="What is stated of an enterprise for its grades",
)
def get_statements(uscc: Uscc, key: Reader, context: TheContext, as_of: AsOf = None) -> Response:
    """Those in force, by kind and name."""
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        found = grades.in_force(session.conn, [enterprise.id], None if as_of is None else from_us(as_of))
        items = [
            {
                "uscc": uscc,
                "kind": each.kind,
                "document": each.document,
                "at": session.text(to_us(each.at)),
                "by": each.by_whom,
                "why": each.why,
            }
            for each in found
        ]
        return list_answer(items, None)


# -- schemes ------------------------------------------------------------------------------------------


def schemes_json(session: Session) -> list[dict[str, Any]]:
    in_force = scheme_in_force(session.conn, last_closed_month(session)).name
    return [
        {
            "id": each.id,
            "version": each.version,
            "hash": each.hash,
            "shipped": name in shipped(),
            "in_force": name == in_force,
            "document": each.document,
        }
        for name, each in sorted(schemes_of(session.conn).items())
    ]


@router.get(
    "/v1/grade-schemes",
    response_model=schemas.SchemesPage,
    responses=problems(401, 403, 422),
    summary="Grading schemes",
)
def get_schemes(key: Reader, context: TheContext) -> Response:
    """Shipped ones and those that were added, with their JSON; `hash` is SHA-256 of the canonical JSON."""
    with context.session(key) as session:
        return list_answer(schemes_json(session), None)


@router.post(
    "/v1/grade-schemes",
    status_code=201,
    response_model=schemas.SchemesPage,
    responses=problems(400, 401, 403, 409, 422),
    summary="Add or adopt a grading scheme",
)
def post_scheme(
    key: Administrator, context: TheContext, given: Annotated[schemas.SchemeEntry, Body()]
) -> Response:
    """A version is kept for ever: another content needs another version (409). Adopting grades from a month on; months
    that are graded stay as they are.
    """
    with context.session(key):
        pass  # the key is one that may, now
    return json_answer({"items": enter_scheme(context, given, _by(key)), "next": None}, 201)


def enter_scheme(context: Context, given: schemas.SchemeEntry, by: str) -> list[dict[str, Any]]:
    """Keep and adopt; all schemes as lists tell them."""
    with context.pool.connection() as conn, conn.transaction():
        if given.scheme is not None:
            try:
                scheme = read_scheme(given.scheme)
            except FaultyDocument as error:
                raise Problem(
                    422, [Fault(f"body.scheme.{each.place}", each.message) for each in error.faults]
                ) from error
            known = schemes_of(conn).get(scheme.name)
            if known is not None and known.hash != scheme.hash:
                raise Problem(
                    409, [Fault("body.scheme.version", f"{scheme.name} is kept with another content")]
                )
            if known is None:
                grades.add_scheme(conn, scheme.id, scheme.version, scheme.hash, given.scheme, by, given.why)
        if given.adopt is not None and given.from_ is not None:
            try:
                adopted = scheme_for_adoption(conn, given.adopt)
            except Refused as error:
                raise Problem(422, [Fault("body.adopt", str(error))]) from error
            grades.adopt(conn, adopted.id, adopted.version, month_of(given.from_), by, given.why)
    with context.session(None) as fresh:
        return schemes_json(fresh)


def scheme_for_adoption(conn: Connection, name: str) -> Scheme:
    found = schemes_of(conn).get(name)
    if not isinstance(found, Scheme):
        raise Refused(f"no scheme {name!r} that grades is known")
    return found


@router.get(
    "/v1/grades/shadow",
    response_model=schemas.Shadow,
    responses=problems(401, 403, 422),
    summary="Grade the past by another scheme",
)
def get_shadow(
    key: Reader,
    context: TheContext,
    scheme: Annotated[
        str | None, Query(max_length=80, description="`ID VERSION`; left out: the one in force.")
    ] = None,
    change: Annotated[
        list[str] | None,
        Query(
            description="A threshold as it would be, PATH=VALUE, such as `labels.1.1=62`; several may be given.",
            max_length=20,
        ),
    ] = None,
    kind: Annotated[schemas.Kind, Query(description="Of the records.")] = INDICATIVE,  # type: ignore[assignment]
    from_: FirstMonth = None,
    to: Annotated[
        str | None, Query(pattern=schemas.MONTH, description="Last month; left out: the newest.")
    ] = None,
) -> Response:
    """Who would have another label, month by month, from the inputs that were recorded. Nothing is adopted or kept."""
    with context.session(key) as session:
        last = month_of(to) if to is not None else grades.newest_month(session.conn, kind)
        last = last_closed_month(session) if last is None else last
        first = month_of(from_) if from_ is not None else last
        if not first <= last < first + _MONTHS_MAX:
            raise Problem(422, [Fault("from", f"1 to {_MONTHS_MAX} months are shadowed at once")])
        try:
            used = scheme_for(session, scheme, changes_of(change or []), last)
        except FaultyDocument as error:
            raise Problem(
                422, [Fault(f"change.{each.place}", each.message) for each in error.faults]
            ) from error
        except Refused as error:
            raise Problem(422, [Fault("scheme", str(error))]) from error
        return json_answer(shadow(session, used, kind, first, last))


def changes_of(given: list[str]) -> dict[str, Any]:
    """PATH=VALUE as a scheme's JSON has it: whole numbers as such, everything else as text."""
    found: dict[str, Any] = {}
    for each in given:
        path, equals, value = each.partition("=")
        if not equals:
            raise FaultyDocument([Fault(each[:80], "is no PATH=VALUE")])
        is_whole = value.removeprefix("-").isdecimal() and value.isascii() and len(value) < 16
        found[path] = int(value) if is_whole else value
    return found


# -- objections ---------------------------------------------------------------------------------------


@router.post(
    "/v1/grades/{id}/objections",
    status_code=201,
    response_model=schemas.ObjectionItem,
    responses=problems(400, 401, 403, 404, 409, 422),
    summary="Object to a published grade",
)
def post_objection(
    id_: GradeId, key: Writer, context: TheContext, given: Annotated[schemas.ObjectionEntry, Body()]
) -> Response:
    """A case that ends within the days of the scheme: 维持 (UPHELD) or 更正 (CORRECTED, by a new record). It can be
    raised from the notice on until its last day.
    """
    with context.session(key) as session:
        record = grades.record(session.conn, id_)
        enterprise = None if record is None else _by_id(session).get(record.enterprise_id)
        unknown = not_found("id", f"no grade {id_} that this key may read is there")
        if record is None or enterprise is None:
            raise unknown
        session.enterprise(enterprise.uscc, unknown=unknown)
        today = session.calendar.date(session.calendar.day(session.now_us))
        notified = [
            each
            for each in grades.stages(session.conn, record.month)
            if each.stage == "NOTIFIED" and each.until
        ]
        is_open = record.kind == PUBLISHED and any(each.until and today <= each.until for each in notified)
        if not is_open:
            raise Problem(
                409, f"grade {id_} isn't open to objections: it is no published one in its time of notice"
            )
        days = scheme_in_force(session.conn, record.month).publication.case_days
        with context.pool.connection() as conn, conn.transaction():
            number = grades.object_to(
                conn,
                id_,
                enterprise.id,
                given.text,
                [each.model_dump() for each in given.attachments],
                _by(key),
                today + timedelta(days=days),
            )
            [kept] = grades.objections(conn, id_=number)
        return json_answer(objection_json(kept, session, enterprise.uscc), 201)


def objection_json(objection: Objection, session: Session, uscc: str) -> dict[str, Any]:
    return {
        "id": objection.id,
        "grade": objection.record_id,
        "uscc": uscc,
        "text": objection.text,
        "attachments": list(objection.attachments),
        "at": session.text(to_us(objection.at)),
        "by": objection.by_whom,
        "due": objection.due.isoformat(),
        "outcome": objection.outcome,
        "new_grade": objection.new_record_id,
        "decided_at": None if objection.decided_at is None else session.text(to_us(objection.decided_at)),
        "decided_by": objection.decided_by,
        "why": objection.decided_why,
    }


@router.get(
    "/v1/enterprises/{uscc}/objections",
    response_model=schemas.ObjectionsPage,
    responses=problems(401, 403, 404, 422),
    summary="Objections of an enterprise to its grades",
)
def get_objections(uscc: Uscc, key: Reader, context: TheContext, page: Paged) -> Response:
    """In the order in which they were raised, with what they ended in."""
    with context.session(key) as session:
        enterprise = session.enterprise(uscc)
        found = grades.objections(
            session.conn, enterprise_id=enterprise.id, after_id=_after(page), limit=page.limit + 1
        )
        items = [objection_json(each, session, uscc) for each in found[: page.limit]]
        more = len(found) > page.limit
        return list_answer(items, page.next(0, found[page.limit - 1].id) if more else None)
