"""What enterprises state of a compliance year, and the certificates that they retired for a year's electricity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from storage.database import Connection


class Statement(NamedTuple):
    id: int
    enterprise_id: int
    year: int
    document: Mapping[str, Any]
    at: datetime
    by_whom: str
    why: str


class Certificate(NamedTuple):
    """`voided_at`: it was taken back, and counts for nothing."""

    id: int
    number: str
    enterprise_id: int
    year: int
    mwh: Decimal
    retired_on: date
    evidence: str
    at: datetime
    by_whom: str
    voided_at: datetime | None
    voided_by: str | None
    void_why: str | None


class NewCertificate(NamedTuple):
    number: str
    enterprise_id: int
    year: int
    mwh: Decimal
    retired_on: date
    evidence: str


_STATEMENT = "id, enterprise_id, year, document, at, by_whom, why"
_CERTIFICATE = ", ".join(Certificate._fields)


def state(
    conn: Connection, enterprise_id: int, year: int, document: Mapping[str, Any], by: str, why: str
) -> Statement:
    """Keep a statement; the same again as the one in force isn't kept twice. The caller commits."""
    conn.execute("SELECT FROM enterprises WHERE id = %s FOR NO KEY UPDATE", [enterprise_id])
    before = in_force(conn, enterprise_id, year)
    if before is not None and before.document == document:
        return before
    row = conn.execute(
        f"""INSERT INTO quota_statements (enterprise_id, year, document, at, by_whom, why)
            VALUES (%s, %s, %s, clock_timestamp(), %s, %s) RETURNING {_STATEMENT}""",
        [enterprise_id, year, Jsonb(document), by, why],
    ).fetchone()
    assert row is not None
    return Statement(*row)


def in_force(
    conn: Connection, enterprise_id: int, year: int, as_of: datetime | None = None
) -> Statement | None:
    """The newest statement of a year, at a moment (None: now)."""
    row = conn.execute(
        f"""SELECT {_STATEMENT} FROM quota_statements
            WHERE enterprise_id = %s AND year = %s AND (%s::timestamptz IS NULL OR at <= %s)
            ORDER BY id DESC LIMIT 1""",
        [enterprise_id, year, as_of, as_of],
    ).fetchone()
    return None if row is None else Statement(*row)


def statements(conn: Connection, enterprise_id: int, year: int | None = None) -> list[Statement]:
    """All statements of an enterprise (and year), the first one first."""
    rows = conn.execute(
        f"""SELECT {_STATEMENT} FROM quota_statements
            WHERE enterprise_id = %s AND (%s::integer IS NULL OR year = %s) ORDER BY id""",
        [enterprise_id, year, year],
    )
    return [Statement(*row) for row in rows]


def counted(conn: Connection, numbers: Sequence[str]) -> dict[str, Certificate]:
    """Which of these certificates count already, whoever's they are."""
    rows = conn.execute(
        f"SELECT {_CERTIFICATE} FROM certificates WHERE number = ANY(%s) AND voided_at IS NULL",
        [list(numbers)],
    )
    return {each.number: each for each in map(Certificate._make, rows)}


def add_certificates(conn: Connection, new: Sequence[NewCertificate], by: str) -> int:
    """Keep certificates that don't count yet; how many were new. Numbers taken meanwhile are left out."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO certificates (number, enterprise_id, year, mwh, retired_on, evidence, at, by_whom)
               VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp(), %s)
               ON CONFLICT (number) WHERE voided_at IS NULL DO NOTHING""",
            [(*each, by) for each in new],
        )
        return cursor.rowcount


def certificates(
    conn: Connection,
    enterprise_id: int,
    year: int | None,
    after_id: int = 0,
    limit: int | None = None,
    as_of: datetime | None = None,
) -> list[Certificate]:
    """An enterprise's certificates, voided ones too, ascending by entry."""
    rows = conn.execute(
        f"""SELECT {_CERTIFICATE} FROM certificates
            WHERE enterprise_id = %(enterprise)s AND (%(year)s::integer IS NULL OR year = %(year)s)
              AND id > %(after)s AND (%(as_of)s::timestamptz IS NULL OR at <= %(as_of)s)
            ORDER BY id LIMIT %(limit)s""",
        {"enterprise": enterprise_id, "year": year, "after": after_id, "limit": limit, "as_of": as_of},
    )
    return [Certificate(*row) for row in rows]


def void(conn: Connection, enterprise_id: int, number: str, by: str, why: str) -> Certificate | None:
    """Take an enterprise's certificate back; one that was taken back already stays so. None where it has none."""
    row = conn.execute(
        f"""UPDATE certificates SET voided_at = clock_timestamp(), voided_by = %s, void_why = %s
            WHERE number = %s AND enterprise_id = %s AND voided_at IS NULL RETURNING {_CERTIFICATE}""",
        [by, why, number, enterprise_id],
    ).fetchone()
    if row is None:
        row = conn.execute(
            f"""SELECT {_CERTIFICATE} FROM certificates WHERE number = %s AND enterprise_id = %s
                ORDER BY id DESC LIMIT 1""",
            [number, enterprise_id],
        ).fetchone()
    return None if row is None else Certificate(*row)
