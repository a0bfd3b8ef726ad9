"""Grades from the books: what each enterprise's grade of a closing month stands on, and keeping the records.

A month is closed when it has ended, local calendar. A run grades everybody at once, since they are each other's peers,
and records who has no record of that kind and month yet: what is recorded is never changed, a correction supersedes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from accounting.grades.benchmarks import benchmark_table
from accounting.grades.grade import Grade, grade_many
from accounting.grades.inputs import (
    MG_PER_TONNE,
    WINDOW,
    GradeInputs,
    Previous,
    Reported,
    SourceSum,
    month_text,
)
from accounting.grades.record import exact_text, grade_json, snapshot, snapshot_hash
from accounting.grades.scheme import DiscountScheme, Scheme
from accounting.grades.scheme_read import default_scheme, read_scheme, shipped
from accounting.grades.statements import Stated
from api.context import Session
from domain.errors import Refused
from domain.evidence import canonical
from domain.interval import INTERVAL_US, from_us
from domain.registry import dated_value
from domain.signing import Signer
from storage import evidence, grades, history, signing_keys
from storage.database import Connection
from storage.grades import NewRecord, Record

INDICATIVE, PUBLISHED, ANNUAL = "INDICATIVE", "PUBLISHED", "ANNUAL"
KINDS = (INDICATIVE, PUBLISHED, ANNUAL)
EVIDENCE_KIND = "grade"
_MONTHS = (
    36  # that are looked at: the window, the one before, and the two calendar years that they reach into
)
_QUARTER = 3


def last_closed_month(session: Session) -> int:
    """The newest month that has ended by the local calendar."""
    today = session.calendar.date(session.calendar.day(session.now_us))
    return (today.year - 1970) * 12 + today.month - 2


def first_day(session: Session, month: int) -> int:
    """The local day that a month begins with."""
    return session.calendar.day_of(date(1970 + month // 12, month % 12 + 1, 1))


def schemes_of(conn: Connection) -> dict[str, Scheme | DiscountScheme]:
    """Every scheme, shipped or added, by `id version`."""
    found = dict(shipped())
    for row in grades.schemes(conn):
        found[f"{row.id} {row.version}"] = read_scheme(row.document)
    return found


def scheme_in_force(conn: Connection, month: int) -> Scheme:
    """The one that was adopted last for a closing month, else the default."""
    adopted = [each for each in grades.adoptions(conn) if each.month <= month]
    if not adopted:
        return default_scheme()
    found = schemes_of(conn)[f"{adopted[-1].id} {adopted[-1].version}"]
    assert isinstance(found, Scheme)
    return found


def gather(session: Session, month: int, kind: str) -> list[GradeInputs]:
    """Of every registered enterprise, by USCC; ANNUAL: of those of whose year something was reported or verified. The
    session must see all of them (`Session.everything`).
    """
    known, calendar = session.known, session.calendar
    start, end = first_day(session, month - _MONTHS + 1), first_day(session, month + 1)
    months = {first_day(session, each): each for each in range(month - _MONTHS + 1, month + 1)}
    emissions: dict[int, dict[int, int]] = defaultdict(dict)
    sums: dict[tuple[int, bool], list[int]] = {}  # (source, before) -> [mg, valid intervals]
    first, before = month - WINDOW + 1, month - 2 * WINDOW + 1
    for row in grades.month_sums(session.conn, start, end):
        number = months[row.month]
        own = emissions[row.enterprise_id]
        own[number] = own.get(number, 0) + row.mg
        if number >= before:
            cell = sums.setdefault((row.source_id, number < first), [0, 0])
            cell[0] += row.mg
            cell[1] += row.valid
    factor_sets = grades.factor_sets(session.conn, first_day(session, first), end)
    stated: dict[int, Stated] = defaultdict(Stated)
    for statement in grades.in_force(session.conn):
        assert statement.document is not None
        stated[statement.enterprise_id].take(statement.kind, statement.document)
    reported = _reported(session, month)
    previous = _previous(session.conn, month) if kind == PUBLISHED else {}
    edges = {
        is_before: tuple(
            calendar.day_start(first_day(session, each)) // INTERVAL_US for each in (low, low + WINDOW)
        )
        for is_before, low in ((False, first), (True, before))
    }
    found = []
    for uscc, enterprise in sorted(known.registry.enterprises.items()):
        sources = {}
        for is_before, (low, high) in edges.items():
            expected: dict[int, int] = defaultdict(int)
            for each in known.expected(enterprise):
                if "account" in each.traits.boundaries:
                    expected[each.source_id] += max(0, min(each.end, high) - max(each.first, low))
            sources[is_before] = tuple(
                SourceSum(code, *_pair(sums, source.id, is_before), expected.get(source.id, 0))
                for code, source in sorted(enterprise.sources.items())
                if (source.id, is_before) in sums or expected.get(source.id)
            )
        own_stated = stated[enterprise.id]
        of_year = reported.get(enterprise.id)
        if kind == ANNUAL and of_year is None:
            continue
        found.append(
            GradeInputs(
                uscc=uscc,
                month=month,
                district=dated_value(enterprise.districts, end - 1) or "",
                gb_t_4754=enterprise.gb_t_4754,
                emissions=emissions.get(enterprise.id, {}),
                sources=sources[False],
                sources_before=sources[True],
                figures=own_stated.without_overlaps(),
                products=own_stated.products(benchmark_table(), calendar.date(end - 1)),
                facts=tuple(own_stated.facts),
                reported=of_year,
                previous=previous.get(enterprise.id),
                verified_mg=of_year.co2e_mg if kind == ANNUAL and of_year is not None else None,
                factor_sets=tuple(factor_sets.get(enterprise.id, ())),
                two_high="two_high" in (dated_value(enterprise.flags, end - 1) or ()),
            )
        )
    return found


def _pair(sums: Mapping[tuple[int, bool], list[int]], source_id: int, is_before: bool) -> tuple[int, int]:
    mg, valid = sums.get((source_id, is_before), (0, 0))
    return mg, valid


def _signed(conn: Connection, signer: Signer, content: bytes) -> dict[str, str]:
    signature = signing_keys.sign(conn, signer, content)
    return {name: str(value) for name, value in signature.items()}


def _reported(session: Session, month: int) -> dict[int, Reported]:
    """What was entered of the calendar year that ends with a month, by enterprise; of other windows nothing is."""
    if month % 12 != 11:
        return {}
    year = 1970 + month // 12
    found = {}
    for version in history.in_force(session.conn, first_year=year, last_year=year):
        kind = version.summary["provenance"]
        if kind != "estimated":
            tonnes = Fraction(version.summary["account_tco2e"])
            found[version.enterprise_id] = Reported(
                round(tonnes * MG_PER_TONNE), kind, f"history version {version.id}"
            )
    return found


def _previous(conn: Connection, month: int) -> dict[int, Previous]:
    """The grades that were published at the quarter ends before, effective ones, by enterprise."""
    effective = {each.month for each in grades.stages(conn) if each.stage == "EFFECTIVE"}
    by_enterprise: dict[int, list[Record]] = defaultdict(list)
    for record in grades.records(
        conn, kinds=[PUBLISHED], first=month - 4 * _QUARTER, last=month - 1, superseded=False
    ):
        if record.month in effective:
            by_enterprise[record.enterprise_id].append(record)
    found = {}
    for enterprise_id, records in by_enterprise.items():
        at = {each.month: each for each in records}
        newest = at[max(at)]
        ends = [at.get(month - _QUARTER * step) for step in range(1, 5)]
        found[enterprise_id] = Previous(
            newest.label,
            newest.held,
            tuple(None if each is None or each.score is None else Fraction(each.score) for each in ends),
        )
    return found


def compute(session: Session, month: int, kind: str, scheme: Scheme | None = None) -> list[Grade]:
    """Grades of everybody for a closing month, kept nowhere. Refused for a month that isn't one of its kind."""
    if month > last_closed_month(session):
        raise Refused(f"{month_text(month)} hasn't ended")
    if kind == PUBLISHED and month % _QUARTER != _QUARTER - 1:
        raise Refused(f"{month_text(month)} is no quarter's last month")
    if kind == ANNUAL and month % 12 != 11:
        raise Refused(f"{month_text(month)} is no year's last month")
    with session.everything():
        used = scheme or scheme_in_force(session.conn, month)
        found = grade_many(gather(session, month, kind), used, is_published=kind == PUBLISHED)
    if kind != ANNUAL:
        return found
    # Years that were only reported are peers, and aren't graded.
    return [each for each in found if each.inputs.reported and each.inputs.reported.kind == "verified"]


def record(
    conn: Connection,
    session: Session,
    found: Iterable[Grade],
    kind: str,
    signer: Signer | None,
    *,
    supersedes: Mapping[str, int] | None = None,
) -> list[int]:
    """Keep grades, signed and on their way into the evidence log; ids of the new records. The caller commits.

    supersedes  by USCC, the record that a grade takes the place of
    """
    at = from_us(session.now_us)
    new = []
    for each in found:
        enterprise = session.registry.enterprises[each.inputs.uscc]
        before = (supersedes or {}).get(each.inputs.uscc)
        document = {
            **grade_json(each),
            "kind": kind,
            "supersedes": before,
            "created_at": session.text(session.now_us),
        }
        content = canonical(document)
        new.append(
            NewRecord(
                enterprise.id,
                kind,
                each.inputs.month,
                each.scheme.id,
                each.scheme.version,
                each.label,
                each.held,
                each.state,
                None if each.score is None else Decimal(exact_text(each.score) or "0"),
                content.decode(),
                canonical(snapshot(each.inputs)).decode(),
                before,
                at,
                None if signer is None else _signed(conn, signer, content),
            )
        )
    ids = grades.add_records(conn, new)
    for id_ in ids:
        kept = grades.record(conn, id_)
        assert kept is not None
        evidence.submit(conn, EVIDENCE_KIND, str(id_), kept.document.encode(), kept.enterprise_id)
    return ids


def run(
    session: Session,
    conn: Connection,
    month: int,
    kind: str,
    signer: Signer | None,
    *,
    is_again: bool = False,
) -> tuple[int, int]:
    """Grade a closing month and keep whoever has no record yet: (kept, graded). The caller commits `conn`.

    is_again  whose record stands on other inputs or another scheme gets a new one, which supersedes it; of whom
              nothing is known in the window isn't graded until something is
    """
    found = compute(session, month, kind)
    if is_again:
        found = [each for each in found if each.months or each.inputs.facts]
    known = {
        each.enterprise_id: each
        for each in grades.records(conn, kinds=[kind], first=month, last=month, superseded=False)
    }
    fresh: list[Grade] = []
    supersedes: dict[str, int] = {}
    for each in found:
        before = known.get(session.registry.enterprises[each.inputs.uscc].id)
        if before is not None:
            told_before = told(before)
            same = (
                told_before["input_snapshot_hash"] == snapshot_hash(each.inputs)
                and told_before["scheme"]["hash"] == each.scheme.hash
            )
            if same or not is_again:
                continue
            supersedes[each.inputs.uscc] = before.id
        fresh.append(each)
    return len(record(conn, session, fresh, kind, signer, supersedes=supersedes)), len(found)


def workdays_after(day: date, count: int) -> date:
    """The day on which so many working days after `day` are over; Monday to Friday, public holidays not counted.

    >>> workdays_after(date(2026, 7, 3), 1)
    datetime.date(2026, 7, 6)
    """
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day


def told(record: Record) -> dict[str, Any]:
    """A record as the API answers it: its document, its number and its signature."""
    document: dict[str, Any] = msgspec.json.decode(record.document)
    return {"id": record.id, **document, "signature": record.signature}
