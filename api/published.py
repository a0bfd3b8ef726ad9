"""Published reports: a year frozen in every form, what is told of one, and how the ledger has moved away from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from accounting.report.changes import Change, changes
from accounting.report.document import from_json
from accounting.report.forms import ReportFormat, every_form
from accounting.report.reporter import year_days
from accounting.report.texts import Language
from api.context import Context, Session
from api.errors import Problem, not_found
from api.reports import report_of
from api.sight import year_of
from domain.errors import Fault
from domain.interval import to_us
from storage import reports
from storage.keys import Key
from storage.reports import File, Published

WHY_MAX = 500


def not_ahead(as_of_us: int | None, now_us: int, place: str) -> None:
    """Refuse a moment that hasn't come: what is written until then would change what was answered."""
    if as_of_us is not None and as_of_us > now_us:
        raise Problem(
            422, [Fault(place, "lies ahead of the server's clock: the books of then aren't written yet")]
        )


def publish_year(
    context: Context, key: Key | None, uscc: str, year: int, *, as_of_us: int | None, by: str, why: str
) -> dict[str, Any]:
    """Freeze the report of an enterprise and year in every form, and tell of it as lists do.

    as_of_us  the moment [µs] of the books; None: as they stand now
    """
    if "\0" in why:
        raise Problem(422, [Fault("body.why", "holds a null character")])
    with context.session(key, as_of_us) as session:
        enterprise = session.enterprise(uscc)
        not_ahead(as_of_us, session.now_us, "as_of")
        report = report_of(session, enterprise, year, as_of_us)
    files = [File(form, language, content) for form, language, content in every_form(report)]
    with context.pool.connection() as conn, conn.transaction():
        kept = reports.publish(
            conn,
            enterprise.id,
            year,
            session.now_us if as_of_us is None else as_of_us,
            report.provenance.run or 0,
            by,
            why,
            report.sha256,
            {each.boundary: each.kg for each in report.totals},
            files,
        )
    return described(kept, session)


def described(each: Published, session: Session) -> dict[str, Any]:
    """A published report as lists tell of it (api.schemas.PublishedReport)."""
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


def published(session: Session, id_: int) -> Published:
    """A published report that this key may read; Problem 404 where there is none."""
    found, unknown = reports.published(session.conn, id_), not_found("id", f"no report {id_} was published")
    if found is None:
        raise unknown
    session.enterprise(found.uscc, period=year_of(found.year, session.calendar), unknown=unknown)
    return found


def content(session: Session, id_: int, form: ReportFormat, language: Language) -> bytes:
    """The bytes of a published report in a form; its JSON is in no one language."""
    found = reports.file(session.conn, id_, form, "" if form is ReportFormat.JSON else language)
    assert found is not None  # all forms were kept with it
    return found


def differences(session: Session, found: Published, as_of_us: int | None) -> dict[str, Any]:
    """How the books as of a moment (None: now) differ from a published report, source by source
    (api.schemas.ReportDifferences).
    """
    frozen = from_json(content(session, found.id, ReportFormat.JSON, Language.ZH))
    enterprise = session.registry.enterprises[found.uscc]  # whose report this key may read
    present = report_of(session, enterprise, found.year, as_of_us)
    differ = changes(frozen, present)
    return {
        "id": found.id,
        "uscc": found.uscc,
        "year": found.year,
        "published_as_of": frozen.provenance.as_of,
        "present_as_of": present.provenance.as_of,
        "differs": frozen.provenance.ledger_sha256 != present.provenance.ledger_sha256,
        "totals": [_change(each) for each in differ if each.source is None],
        "sources": [{"source": each.source, **_change(each)} for each in differ if each.source is not None],
        "explained_by": {boundary: _explanation(session, found, boundary) for boundary in ("account", "ets")},
    }


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
