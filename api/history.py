"""Bringing in years of enterprises by rows of a file, and computing them anew: what the API and the command line do.

All of a file is read and computed before anything is written, and written in one transaction or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_library
from accounting.history.cells import CellFault, Faults, TooManyFaults
from accounting.history.row import FileDefaults
from accounting.history.rows import read_history
from accounting.history.statements import Result, Statement, computed, digest, result, statements
from domain.errors import Fault, FaultyDocument, Refused
from domain.registry import Registry
from storage import history
from storage.database import Connection
from storage.history import FileRecord, NewStatement, NewVersion, RowRecord, Version

AT_ONCE = 200  # years that are computed anew between two looks at the database

Progress = Callable[[int, int], None]  # years done, of how many


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it came: its bytes, and what holds for rows that don't say it themselves."""

    content: bytes
    name: str
    defaults: FileDefaults = field(default_factory=FileDefaults)


@dataclass(frozen=True, slots=True)
class Year:
    """What became of a year: new, superseded, or unchanged. Of a file that was only checked: what would.

    version, supersedes  numbers of versions, as far as there are any
    before               the summary of the version that was in force
    """

    uscc: str
    year: int
    outcome: str
    version: int | None
    supersedes: int | None
    summary: Mapping[str, Any]
    before: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Done:
    """batch: its number; None where nothing was written."""

    batch: int | None
    rows: int
    years: Sequence[Year]

    def count(self, outcome: str) -> int:
        return sum(each.outcome == outcome for each in self.years)


def import_file(
    conn: Connection,
    registry: Registry,
    library: FactorLibrary,
    file: SentFile,
    *,
    by: str,
    this_year: int,
    why: str = "",
    dry_run: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> Done:
    """Bring a file in: each of its years is a new version, unless the same was said already.

    Raises FaultyDocument with every fault, by cell; then nothing is written. dry_run: nothing is written in any case.
    """
    rows, found = checked(registry, library, file, this_year, progress)
    with conn.transaction():
        if not dry_run:
            history.lock(conn)
        enterprise_ids = {statement.enterprise.id for statement, _ in found}
        current = {(each.enterprise_id, each.year): each for each in history.in_force(conn, enterprise_ids)}
        news: list[tuple[Statement, Result, Version | None]] = []
        years: list[Year] = []
        for statement, its in found:
            before = current.get((statement.enterprise.id, statement.year))
            if before is not None and before.digest == statement.digest:
                years.append(
                    _year(statement, "unchanged", before.id, before.supersedes, before.summary, None)
                )
            else:
                news.append((statement, its, before))
        batch: int | None = None
        ids: Sequence[int | None] = [None] * len(news)
        if news and not dry_run:
            record = FileRecord(file.name, hashlib.sha256(file.content).digest(), len(file.content), rows)
            batch, ids = history.add(
                conn,
                [_new_version(*each) for each in news],
                by=by,
                why=why,
                cause="import",
                factor_set=library.set_hash,
                file=record,
            )
        for (statement, its, before), version in zip(news, ids, strict=True):
            outcome = "new" if before is None else "superseded"
            supersedes, was = (None, None) if before is None else (before.id, before.summary)
            years.append(_year(statement, outcome, version, supersedes, its.summary, was))
    return Done(batch, rows, sorted(years, key=lambda each: (each.uscc, each.year)))


def checked(
    registry: Registry,
    library: FactorLibrary,
    file: SentFile,
    this_year: int,
    progress: Progress = lambda _done, _of: None,
) -> tuple[int, list[tuple[Statement, Result]]]:
    """The number of rows, and every year of a file with what it comes to; raises FaultyDocument with every fault."""
    faults = Faults()
    found: list[tuple[Statement, Result]] = []
    rows: list[Any] = []
    try:
        rows = read_history(
            file.content, registry.enterprises, library.methods, file.defaults, faults, this_year
        )
        told = statements(rows, registry.enterprises, faults)
        for number, statement in enumerate(told, 1):
            its = computed(statement, library, faults)
            if its is not None:
                found.append((statement, its))
            progress(number, len(told))
    except TooManyFaults:
        pass  # they are in `faults`
    if faults.found:
        raise FaultyDocument(sorted(faults.found, key=_order))
    return len(rows), found


def _order(fault: Fault) -> tuple[Any, ...]:
    """As a person goes through a file; what is about the whole comes last."""
    if not isinstance(fault, CellFault):
        return (1, "", 0, 0, "")
    column = fault.column or ""
    return (0, fault.sheet or "", fault.row or 0, len(column), column)


def _year(
    statement: Statement,
    outcome: str,
    version: int | None,
    supersedes: int | None,
    summary: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> Year:
    return Year(statement.enterprise.uscc, statement.year, outcome, version, supersedes, summary, before)


def _new_version(statement: Statement, its: Result, before: Version | None) -> NewVersion:
    records = [RowRecord(row.place.sheet, row.place.row, row.provenance, row.sent) for row in statement.rows]
    return NewVersion(
        statement.enterprise.id,
        statement.year,
        None if before is None else before.id,
        its.summary,
        its.text,
        NewStatement(statement.digest, statement.document, records),
    )


# --- another factor set


@dataclass(frozen=True, slots=True)
class Recomputed:
    """refused: years whose statement accounting refuses now, with why; they keep their version."""

    batch: int | None
    years: Sequence[Year]
    refused: Sequence[tuple[str, int, str]]


Document = tuple[Mapping[str, Any], Sequence[str]]  # with the provenance of each activity
Many = Callable[
    [Iterable[Document]], Iterator["Result | str"]
]  # in their order; a text says why one is refused


def result_here(document: Document) -> Result | str:
    """`_result` under the factor set of this process: what is sent to workers."""
    return _result(document, load_library())


def _result(document: Document, library: FactorLibrary) -> Result | str:
    """What a document comes to; a text where it is refused."""
    try:
        return result(*document, library)
    except FaultyDocument as error:
        return str(error)


def recompute(
    conn: Connection,
    registry: Registry,
    library: FactorLibrary,
    *,
    by: str,
    why: str = "",
    dry_run: bool = False,
    many: Many | None = None,
    progress: Progress = lambda _done, _of: None,
) -> Recomputed:
    """Compute anew, under the factor set of this version, what was computed under another.

    A year that comes to something else, an amount or a figure it rests on, has a new version. What was sent and what
    the registry said when it was sent stay as they were. many: computes several elsewhere, with the same result.
    """
    here: Many = lambda documents: (_result(each, library) for each in documents)  # noqa: E731
    usccs = {enterprise.id: enterprise.uscc for enterprise in registry.enterprises.values()}
    with conn.transaction():
        if not dry_run:
            history.lock(conn)
        stale = [each for each in history.in_force(conn) if each.factor_set != library.set_hash]
        refused: list[tuple[str, int, str]] = []
        changed: list[tuple[Version, Result]] = []
        for start in range(0, len(stale), AT_ONCE):
            part = stale[start : start + AT_ONCE]
            documents = history.documents(conn, {each.statement_id for each in part})
            told = history.answers(conn, [each.id for each in part])
            results = (many or here)(documents[each.statement_id] for each in part)
            for version, its in zip(part, results, strict=True):
                if not isinstance(its, str) and its.answer["factor_set"] != library.set_hash:
                    raise Refused("a worker computes with another factor set: let it run the same release")
                if isinstance(its, str):
                    refused.append((usccs[version.enterprise_id], version.year, its))
                elif _figures(its.answer) != _figures(told[version.id]):
                    changed.append((version, its))
            progress(start + len(part), len(stale))
        batch: int | None = None
        ids: Sequence[int | None] = [None] * len(changed)
        if changed and not dry_run:
            new = [
                NewVersion(each.enterprise_id, each.year, each.id, its.summary, its.text, each.statement_id)
                for each, its in changed
            ]
            batch, ids = history.add(conn, new, by=by, why=why, cause="factors", factor_set=library.set_hash)
    years = [
        Year(usccs[each.enterprise_id], each.year, "superseded", id_, each.id, its.summary, each.summary)
        for (each, its), id_ in zip(changed, ids, strict=True)
    ]
    return Recomputed(batch, years, refused)


def unlike_their_rows(conn: Connection, library: FactorLibrary) -> tuple[int, list[tuple[int, int]]]:
    """How many years in force were computed with this factor set, and (enterprise id, year) of those whose rows give
    something else when they are computed again.
    """
    current = [each for each in history.in_force(conn) if each.factor_set == library.set_hash]
    wrong: list[tuple[int, int]] = []
    for start in range(0, len(current), AT_ONCE):
        part = current[start : start + AT_ONCE]
        documents = history.documents(conn, {each.statement_id for each in part})
        told = history.answers(conn, [each.id for each in part])
        for version in part:
            its = _result(documents[version.statement_id], library)
            if isinstance(its, str) or its.answer != told[version.id] or its.summary != version.summary:
                wrong.append((version.enterprise_id, version.year))
    return len(current), wrong


def unlike_their_digest(conn: Connection) -> tuple[int, list[tuple[int, int]]]:
    """How many statements there are, and (enterprise id, year) of those that aren't as they were sent."""
    count, wrong = 0, []
    for each in history.statements(conn):
        count += 1
        try:
            found = digest(each.document, each.rows)
        except (KeyError, TypeError, ValueError):
            found = b""
        if found != each.digest:
            wrong.append((each.enterprise_id, each.year))
    return count, wrong


def _figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without the set's name: another set that changes nothing here restates nothing."""
    return {name: value for name, value in answer.items() if name != "factor_set"}
