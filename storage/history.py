"""Years of enterprises by rows of a file: statements as sent, versions of what they come to. Append-only.

Whoever writes takes HISTORY_LOCK until the commit, so that batches become visible in the order of their numbers and
times: the version in force at a moment is the newest of a batch that isn't later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg.types.json import Json

from storage.database import HISTORY_LOCK, Connection


@dataclass(frozen=True, slots=True)
class RowRecord:
    """An activity as it was sent: where it stood, its provenance, its cells by column."""

    sheet: str | None
    row: int
    provenance: str
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FileRecord:
    name: str
    sha256: bytes
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be written. statement: what was sent now, or the id of one that is in already; answer: JSON text."""

    enterprise_id: int
    year: int
    supersedes: int | None
    summary: Mapping[str, Any]
    answer: bytes
    statement: NewStatement | int


@dataclass(frozen=True, slots=True)
class NewStatement:
    digest: bytes
    document: Mapping[str, Any]
    rows: Sequence[RowRecord]


@dataclass(frozen=True, slots=True)
class Version:
    """A version with the batch that brought it, and how many the year had with it."""

    id: int
    statement_id: int
    enterprise_id: int
    year: int
    supersedes: int | None
    summary: Mapping[str, Any]
    number: int
    at: datetime
    by: str
    why: str
    cause: str
    factor_set: str
    file_name: str | None
    digest: bytes


_VERSIONS = """
SELECT v.id, v.statement_id, v.enterprise_id, v.year, v.supersedes, v.summary,
       row_number() OVER (PARTITION BY v.enterprise_id, v.year ORDER BY v.id),
       b.at, b.by_whom, b.why, b.cause, b.factor_set, f.file_name, s.digest,
       row_number() OVER (PARTITION BY v.enterprise_id, v.year ORDER BY v.id DESC) AS place
FROM history_versions v
JOIN history_batches b ON b.id = v.batch_id
JOIN history_statements s ON s.id = v.statement_id
JOIN history_batches f ON f.id = s.batch_id
WHERE (%(ids)s::integer[] IS NULL OR v.enterprise_id = ANY(%(ids)s))
  AND (%(first)s::integer IS NULL OR v.year >= %(first)s) AND (%(last)s::integer IS NULL OR v.year <= %(last)s)
  AND (%(as_of)s::timestamptz IS NULL OR b.at <= %(as_of)s)
"""


def lock(conn: Connection) -> None:
    """Write alone, until this transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [HISTORY_LOCK])


def in_force(
    conn: Connection,
    enterprise_ids: Iterable[int] | None = None,
    *,
    first_year: int | None = None,
    last_year: int | None = None,
    as_of: datetime | None = None,
) -> list[Version]:
    """The version in force of each year, by enterprise and year; None: of all enterprises."""
    rows = conn.execute(
        f"SELECT * FROM ({_VERSIONS}) AS found WHERE place = 1 ORDER BY enterprise_id, year",
        _choice(enterprise_ids, first_year, last_year, as_of),
    )
    return [Version(*row[:-1]) for row in rows]


def versions(
    conn: Connection, enterprise_id: int, year: int, *, as_of: datetime | None = None
) -> list[Version]:
    """All versions of a year, the first one first."""
    rows = conn.execute(f"{_VERSIONS} ORDER BY v.id", _choice([enterprise_id], year, year, as_of))
    return [Version(*row[:-1]) for row in rows]


def _choice(
    enterprise_ids: Iterable[int] | None,
    first_year: int | None,
    last_year: int | None,
    as_of: datetime | None,
) -> dict[str, Any]:
    ids = None if enterprise_ids is None else list(enterprise_ids)
    return {"ids": ids, "first": first_year, "last": last_year, "as_of": as_of}


def answers(conn: Connection, version_ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """What versions came to, by version."""
    return dict(
        conn.execute(
            "SELECT id, answer FROM history_versions WHERE id = ANY(%s)", [list(version_ids)]
        ).fetchall()
    )


def documents(
    conn: Connection, statement_ids: Iterable[int]
) -> dict[int, tuple[Mapping[str, Any], list[str]]]:
    """The documents of statements with the provenance of each activity, by statement."""
    found = conn.execute(
        """
        SELECT id, document,
               (SELECT array_agg(provenance ORDER BY index) FROM history_rows WHERE statement_id = s.id)
        FROM history_statements s WHERE id = ANY(%s)
        """,
        [list(statement_ids)],
    )
    return {id_: (document, provenances) for id_, document, provenances in found}


class SentStatement(NamedTuple):
    """A year as it was sent. rows: provenance and cells of each activity, in their order."""

    enterprise_id: int
    year: int
    digest: bytes
    document: Any
    rows: list[tuple[str, Any]]


def statements(conn: Connection) -> Iterator[SentStatement]:
    """All statements, in the order in which they came."""
    with conn.cursor(name="statements") as cursor:
        cursor.itersize = 200
        cursor.execute(
            """
            SELECT s.enterprise_id, s.year, s.digest, s.document,
                   (SELECT json_agg(json_build_array(provenance, sent) ORDER BY index)
                    FROM history_rows WHERE statement_id = s.id)
            FROM history_statements s ORDER BY s.id
            """
        )
        for enterprise_id, year, digest, document, found in cursor:
            pairs = [(provenance, sent) for provenance, sent in found or []]
            yield SentStatement(enterprise_id, year, bytes(digest), document, pairs)


def rows(conn: Connection, statement_id: int) -> list[RowRecord]:
    found = conn.execute(
        "SELECT sheet, row, provenance, sent FROM history_rows WHERE statement_id = %s ORDER BY index",
        [statement_id],
    )
    return [RowRecord(*each) for each in found]


def add(
    conn: Connection,
    new: Sequence[NewVersion],
    *,
    by: str,
    why: str,
    cause: Literal["import", "factors"],
    factor_set: str,
    file: FileRecord | None = None,
) -> tuple[int, list[int]]:
    """Write a batch, under the lock; the batch's number and those of the versions, in the order given."""
    row = conn.execute(
        """
        INSERT INTO history_batches (at, by_whom, why, cause, factor_set, file_name, sha256, size, rows)
        VALUES (clock_timestamp(), %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        [
            by,
            why,
            cause,
            factor_set,
            *((file.name, file.sha256, file.size, file.rows) if file else [None] * 4),
        ],
    ).fetchone()
    assert row is not None
    batch_id = int(row[0])
    ids: list[int] = []
    records: list[tuple[int, int, RowRecord]] = []
    for each in new:
        statement_id = each.statement
        if isinstance(statement_id, NewStatement):
            sent = statement_id
            statement_id = _insert(
                conn,
                """
                INSERT INTO history_statements (batch_id, enterprise_id, year, digest, document)
                VALUES (%s, %s, %s, %s, %s) RETURNING id
                """,
                [batch_id, each.enterprise_id, each.year, sent.digest, Json(sent.document)],
            )
            records += ((statement_id, index, record) for index, record in enumerate(sent.rows))
        ids.append(
            _insert(
                conn,
                """
                INSERT INTO history_versions
                    (batch_id, statement_id, enterprise_id, year, supersedes, summary, answer)
                VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
                """,
                [
                    batch_id,
                    statement_id,
                    each.enterprise_id,
                    each.year,
                    each.supersedes,
                    Json(each.summary),
                    each.answer.decode(),
                ],
            )
        )
    with conn.cursor().copy(
        "COPY history_rows (statement_id, index, sheet, row, provenance, sent) FROM STDIN"
    ) as copy:
        copy.set_types(["int8", "int4", "text", "int4", "text", "json"])
        for statement_id, index, record in records:
            copy.write_row(
                (statement_id, index, record.sheet, record.row, record.provenance, Json(record.sent))
            )
    return batch_id, ids


def _insert(conn: Connection, statement: str, values: Sequence[Any]) -> int:
    row = conn.execute(statement.encode(), values).fetchone()
    assert row is not None
    return int(row[0])
