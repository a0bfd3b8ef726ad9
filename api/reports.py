"""The report of an enterprise and year, from what a session sees: the ledger's sums, the registry, the method files."""

from __future__ import annotations

from functools import cache

import numpy as np

from accounting.coverage import Expectation, product_ranges
from accounting.report.build import build
from accounting.report.document import FindingLine, Report, Statement
from accounting.report.figures import tonnes
from accounting.report.reporter import year_days
from accounting.report.year import BOUNDARIES, Books, LedgerFactor, ProductOutput
from accounting.validation.rules import load as load_rules
from api.context import Session
from api.measured import Output, product_sums
from api.periods import Range
from api.routes.emissions import enterprise_subject, expected_of
from api.sums import coverage_text
from domain.finding import RULES_ACTOR
from domain.interval import from_us, to_us
from domain.reading import Quality
from domain.registry import Enterprise, dated_value
from domain.validation import FindingState
from storage import emissions, findings, history, reports
from storage.emissions import By


def report_of(session: Session, enterprise: Enterprise, year: int, as_of_us: int | None = None) -> Report:
    """The report as the books stood at a moment (None: as they stand), by today's registry."""
    conn, calendar, known = session.conn, session.calendar, session.known
    first_day, end_day = year_days(year, calendar)
    whole = Range(calendar.day_start(first_day), calendar.day_start(end_day))
    until_us = session.now_us if as_of_us is None else min(session.now_us, as_of_us)
    run = reports.last_run(conn, enterprise.id, as_of_us)
    run_id = 0 if run is None else run.id
    entries = reports.entry_sums(conn, enterprise.id, first_day, end_day, run_id)
    factors = emissions.used_factors(conn, {each.factor_id for each in entries})
    expected: dict[tuple[str, str], int] = {}
    for boundary in BOUNDARIES:
        for part in enterprise_subject(known, enterprise, By.SOURCE, boundary).parts:
            if expected_of(part, [whole], whole.to_us)[0]:
                expected[part.id, boundary] = expected_of(part, [whole], until_us)[0]
    code = dated_value(enterprise.parks, end_day - 1)
    park = None if code is None else session.registry.parks.get(code)
    books = Books(
        entries,
        {each.id: LedgerFactor(each.factor_set, each.description) for each in factors.values()},
        expected,
        _products(session, enterprise, whole, until_us, None if as_of_us is None else run_id),
        _findings(session, enterprise, whole, as_of_us),
        _statement(session, enterprise, year, as_of_us),
        as_of_us=until_us,
        run=None if run is None else run.id,
        run_committed_us=None if run is None else to_us(run.committed_at),
        registry_version=session.registry.version,
        rules_versions=reports.rules_versions(conn, enterprise.id, first_day, end_day, run_id),
        software=f"carbonmeter {session.context.version}",
    )
    return build(
        enterprise, year, books, session.context.library.methods, calendar, park.name_zh if park else None
    )


def _products(
    session: Session, enterprise: Enterprise, whole: Range, until_us: int, run: int | None
) -> list[ProductOutput]:
    """What was made in the year; products that nothing is expected of in it are left out."""
    result = []
    last_day = session.calendar.day(whole.to_us - 1)
    for code, product in sorted(enterprise.products.items()):
        expectation = Expectation(product_ranges(enterprise, product, session.calendar))
        starts, ends = np.array([whole.from_us], np.int64), np.array([whole.to_us], np.int64)
        if not expectation.counts(starts, ends, whole.to_us)[0]:
            continue
        output = product_sums(session, enterprise, product, [whole], run).get(0, Output())
        version = dated_value(product.versions, last_day) or product.versions[-1].value
        result.append(
            ProductOutput(
                code,
                output.amount if output.known else None,
                version.unit,
                Quality(output.quality).name.lower(),
                coverage_text(output.known, int(expectation.counts(starts, ends, until_us)[0])),
            )
        )
    return result


_rules = cache(load_rules)


def _findings(
    session: Session, enterprise: Enterprise, whole: Range, as_of_us: int | None
) -> list[FindingLine]:
    """The findings that touch the year, with the state they were in at a moment; what was found later is left out."""
    result = []
    for each in findings.of_enterprise(session.conn, enterprise.uscc, *whole):
        state, said_by, explanation = each.state, each.explained_by, each.explanation
        if as_of_us is not None:
            states = [
                change
                for change in findings.states(session.conn, each.id)
                if to_us(change.changed_at) <= as_of_us
            ]
            if not states:
                continue
            said = [
                change
                for change in states
                if change.state is FindingState.EXPLAINED and change.changed_by != RULES_ACTOR
            ]
            state = states[-1].state
            said_by, explanation = (said[-1].changed_by, said[-1].why) if said else (None, None)
        rule = _rules()[each.rule]
        result.append(
            FindingLine(
                each.id,
                str(each.rule),
                rule.name_zh,
                rule.name_en,
                str(each.severity),
                each.subject,
                list(each.channels),
                session.text(each.from_us),
                session.text(each.to_us),
                each.days,
                tonnes(each.mg),
                str(state),
                said_by,
                explanation,
            )
        )
    return result


def _statement(session: Session, enterprise: Enterprise, year: int, as_of_us: int | None) -> Statement | None:
    """What was stated of the year by rows of a file, the version in force at a moment."""
    found = history.in_force(
        session.conn,
        [enterprise.id],
        first_year=year,
        last_year=year,
        as_of=None if as_of_us is None else from_us(as_of_us),
    )
    if not found:
        return None
    (version,) = found
    return Statement(
        version.id,
        version.number,
        session.text(to_us(version.at)),
        version.by,
        version.why,
        version.file_name,
        str(version.summary["provenance"]),
        dict(history.answers(session.conn, [version.id])[version.id]),
    )
