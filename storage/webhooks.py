"""Webhooks: where changes are sent to, how far each has come, and what became of the last attempt."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from storage import changes
from storage.database import WEBHOOK_LOCK, Connection

SECRET_BYTES = 32
ACTIVE, DEAD, REMOVED = "active", "dead", "removed"
_COLUMNS = (
    "w.id, w.url, k.prefix, w.kinds, w.state, w.number, w.attempts, w.next_attempt_at, w.last_error, w.delivered,"
    " w.delivered_at, w.created_at, w.created_by"
)
_FROM = "FROM webhooks w JOIN api_keys k ON k.id = w.key_id"


class Webhook(NamedTuple):
    """A webhook without its secret. `number`: the last change that it has taken, or that wasn't for it."""

    id: int
    url: str
    key: str  # prefix of the key whose eyes it hears with
    kinds: list[str]
    state: str
    number: int
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    delivered: int
    delivered_at: datetime | None
    created_at: datetime
    created_by: str


def add(
    conn: Connection, url: str, key_prefix: str, kinds: Sequence[str], by: str, after: int | None = None
) -> tuple[Webhook, bytes] | None:
    """(the webhook, its secret); None where no such key is in force.

    after  the change to begin behind; None: the newest
    """
    secret = secrets.token_bytes(SECRET_BYTES)
    row = conn.execute(
        """INSERT INTO webhooks (url, secret, key_id, kinds, state, number, next_attempt_at, created_at, created_by)
           SELECT %s, %s, id, %s, %s, %s, clock_timestamp(), clock_timestamp(), %s
           FROM api_keys WHERE prefix = %s AND revoked_at IS NULL RETURNING id""",
        [url, secret, list(kinds), ACTIVE, changes.newest(conn) if after is None else after, by, key_prefix],
    ).fetchone()
    if row is None:
        return None
    found = get(conn, row[0])
    assert found is not None
    return found, secret


def get(conn: Connection, id_: int) -> Webhook | None:
    row = conn.execute(f"SELECT {_COLUMNS} {_FROM} WHERE w.id = %s", [id_]).fetchone()
    return None if row is None else Webhook(*row)


def every(conn: Connection, after_id: int = 0, limit: int | None = None) -> list[Webhook]:
    """All of them, removed ones too, by id."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE w.id > %s ORDER BY w.id LIMIT %s", [after_id, limit]
    )
    return [Webhook(*row) for row in rows]


def remove(conn: Connection, id_: int) -> Webhook | None:
    """End a webhook; None where there is none. Its row stays, without the secret."""
    conn.execute("UPDATE webhooks SET state = %s, secret = '' WHERE id = %s", [REMOVED, id_])
    return get(conn, id_)


def replay(conn: Connection, id_: int, after: int | None = None) -> Webhook | None:
    """Have it tried again at once, from behind a change (None: where it stands), dead or not; None where there is none,
    or it was removed.
    """
    row = conn.execute(
        """UPDATE webhooks SET state = %s, attempts = 0, next_attempt_at = clock_timestamp(),
                  number = coalesce(%s, number)
           WHERE id = %s AND state <> %s RETURNING id""",
        [ACTIVE, after, id_, REMOVED],
    ).fetchone()
    return None if row is None else get(conn, id_)


# -- delivering ---------------------------------------------------------------------------------------


def due(conn: Connection) -> list[int]:
    """Ids of those that have something to hear and may be tried now."""
    rows = conn.execute(
        """SELECT id FROM webhooks WHERE state = %s AND next_attempt_at <= clock_timestamp()
             AND number < (SELECT number FROM change_feed) ORDER BY next_attempt_at""",
        [ACTIVE],
    )
    return [id_ for (id_,) in rows]


def take(conn: Connection, id_: int) -> bool:
    """Be the one who delivers to a webhook, until `release` or the connection's end."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", [WEBHOOK_LOCK, id_]).fetchone()
    return row == (True,)


def release(conn: Connection, id_: int) -> None:
    conn.execute("SELECT pg_advisory_unlock(%s, %s)", [WEBHOOK_LOCK, id_])


def secret_of(conn: Connection, id_: int) -> bytes:
    row = conn.execute("SELECT secret FROM webhooks WHERE id = %s", [id_]).fetchone()
    assert row is not None
    return bytes(row[0])


def advanced(conn: Connection, id_: int, before: int, number: int, *, delivered: bool) -> bool:
    """Note that changes up to a number were taken, or weren't for it; False where it was set back meanwhile."""
    row = conn.execute(
        """UPDATE webhooks SET number = %s, attempts = 0, last_error = NULL, delivered = delivered + %s,
                  delivered_at = CASE WHEN %s THEN clock_timestamp() ELSE delivered_at END
           WHERE id = %s AND number = %s AND state = %s RETURNING id""",
        [number, int(delivered), delivered, id_, before, ACTIVE],
    ).fetchone()
    return row is not None


def failed(conn: Connection, id_: int, error: str, wait_s: float | None) -> None:
    """Note an attempt in vain. `wait_s`: until the next; None: it is given up."""
    conn.execute(
        """UPDATE webhooks SET attempts = attempts + 1, last_error = %s,
                  state = CASE WHEN %s::float8 IS NULL THEN %s ELSE state END,
                  next_attempt_at = clock_timestamp() + coalesce(%s::float8, 0) * interval '1 second'
           WHERE id = %s AND state = %s""",
        [error[:500], wait_s, DEAD, wait_s, id_, ACTIVE],
    )
