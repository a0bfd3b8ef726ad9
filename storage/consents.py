"""Consents: what enterprises let a bank read. They are added and revoked, once, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from domain.access import Consent, Part
from storage.database import Connection

_SELECT = """
    SELECT c.id, e.uscc, c.consumer, c.purpose, c.fields, c.period_first_days, c.period_end_days, c.granted_by,
           c.legal_text_alg, c.legal_text_hash, c.recorded_at, c.recorded_by, c.valid_from, c.valid_to, c.revoked_at,
           c.revoked_by, c.revoked_why, clock_timestamp()
    FROM consents c JOIN enterprises e ON e.id = c.enterprise_id
"""


def grant(
    conn: Connection,
    enterprise_id: int,
    consumer: str,
    purpose: str,
    fields: Collection[Part],
    periods: Sequence[tuple[int, int]],
    *,
    granted_by: str,
    legal_text: tuple[str, bytes],
    recorded_by: str,
    valid_from: datetime | None,
    valid_to: datetime | None,
) -> Consent:
    """Add a consent; `periods` are local days [first, end), none: all; `legal_text` is (algorithm, digest).

    valid_from  None: from now on
    """
    row = conn.execute(
        """INSERT INTO consents (enterprise_id, consumer, purpose, fields, period_first_days, period_end_days,
               granted_by, legal_text_alg, legal_text_hash, recorded_at, recorded_by, valid_from, valid_to)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s, coalesce(%s, clock_timestamp()), %s)
           RETURNING id""",
        [
            enterprise_id,
            consumer,
            purpose,
            sorted(fields),
            [first for first, _ in periods],
            [end for _, end in periods],
            granted_by,
            *legal_text,
            recorded_by,
            valid_from,
            valid_to,
        ],
    ).fetchone()
    assert row is not None
    found = consent(conn, row[0])
    assert found is not None
    return found


def revoke(conn: Connection, id_: int, by: str, why: str) -> Consent | None:
    """End a consent; None where there is none. Revoking twice keeps the first moment."""
    conn.execute(
        """UPDATE consents SET revoked_at = clock_timestamp(), revoked_by = %s, revoked_why = %s
           WHERE id = %s AND revoked_at IS NULL""",
        [by, why, id_],
    )
    return consent(conn, id_)


def consent(conn: Connection, id_: int) -> Consent | None:
    row = conn.execute(f"{_SELECT} WHERE c.id = %s", [id_]).fetchone()
    return None if row is None else _consent(row)


def given_to(conn: Connection, consumer: str) -> list[Consent]:
    """All that were ever given to a consumer and not revoked, in the order in which they were recorded."""
    return _consents(
        conn.execute(f"{_SELECT} WHERE c.consumer = %s AND c.revoked_at IS NULL ORDER BY c.id", [consumer])
    )


def listed(
    conn: Connection,
    uscc: str | None,
    consumer: str | None,
    after_id: int,
    limit: int,
    only: Sequence[str] | None = None,
) -> list[Consent]:
    """Consents beyond an id, revoked ones too; of these enterprises alone where `only` says which."""
    return _consents(
        conn.execute(
            f"""{_SELECT} WHERE c.id > %(after)s AND (%(uscc)s::text IS NULL OR e.uscc = %(uscc)s)
                AND (%(only)s::text[] IS NULL OR e.uscc = ANY (%(only)s))
                AND (%(consumer)s::text IS NULL OR c.consumer = %(consumer)s) ORDER BY c.id LIMIT %(limit)s""",
            {"after": after_id, "uscc": uscc, "consumer": consumer, "limit": limit, "only": only},
        )
    )


def _consents(rows: Iterable[Sequence[Any]]) -> list[Consent]:
    return [_consent(row) for row in rows]


def _consent(row: Sequence[Any]) -> Consent:
    id_, uscc, consumer, purpose, fields, firsts, ends, granted_by, alg, digest, *rest = row
    return Consent(
        id_,
        uscc,
        consumer,
        purpose,
        frozenset(Part(field) for field in fields),
        tuple(zip(firsts, ends, strict=True)),
        granted_by,
        alg,
        bytes(digest),
        *rest,
    )
