"""Who runs, and whether it is ready: each service beats once a second into `services`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from storage.database import Connection

FRESH = timedelta(seconds=5)  # a service that hasn't beaten for this long is taken for gone
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Service:
    """A running process, by its last beat."""

    name: str
    pid: int
    started_at: datetime
    beat_at: datetime
    ready: bool
    fresh: bool
    detail: dict[str, Any]


def beat(conn: Connection, name: str, *, ready: bool, detail: dict[str, Any] | None = None) -> None:
    """Say that this process is alive as `name` (ingest, accounting, publisher, api)."""
    conn.execute(
        """INSERT INTO services (name, pid, started_at, beat_at, ready, detail)
           VALUES (%s, %s, clock_timestamp(), clock_timestamp(), %s, %s)
           ON CONFLICT (name, pid) DO UPDATE
           SET beat_at = clock_timestamp(), ready = excluded.ready, detail = excluded.detail""",
        [name, os.getpid(), ready, Jsonb(detail or {})],
    )
    conn.execute("DELETE FROM services WHERE beat_at < clock_timestamp() - %s::interval", [FORGOTTEN])


def leave(conn: Connection, name: str) -> None:
    """Say that this process ends."""
    conn.execute("DELETE FROM services WHERE name = %s AND pid = %s", [name, os.getpid()])


def services(conn: Connection) -> list[Service]:
    """Every service that has beaten within a day, by name."""
    rows = conn.execute(
        """SELECT name, pid, started_at, beat_at, ready, beat_at > clock_timestamp() - %s::interval, detail
           FROM services ORDER BY name, pid""",
        [FRESH],
    ).fetchall()
    return [Service(*row) for row in rows]
