"""The database as an onlooker sees it, however often it goes away meanwhile."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from domain.errors import Unavailable
from storage.database import Connection, connect

PATIENCE_S = 60.0

Marker = tuple[str, str, int]  # (uscc, meter, stamp [µs])


class Onlooker:
    """Asks with a connection of its own, made anew when it breaks. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._conn: Connection | None = None

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of a query's first row."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._lock:
                    if self._conn is None:
                        self._conn = connect(self._url, "onlooker", autocommit=True)
                    row = self._conn.execute(query.encode(), parameters).fetchone()
            except (psycopg.OperationalError, Unavailable):
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                assert row is not None
                return row[0]

    def logged(self, markers: Sequence[Marker]) -> int:
        """How many of these readings are in the log."""
        return int(
            self.ask(
                """
                SELECT count(DISTINCT marker)
                FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS marker (uscc, meter, at)
                JOIN enterprises USING (uscc)
                JOIN points ON enterprise_id = enterprises.id AND points.meter = marker.meter
                JOIN readings ON channel_id = points.id
                 AND measured_at = to_timestamp(0) + at * interval '1 microsecond'
                """,
                [list(column) for column in zip(*markers, strict=True)] if markers else [[], [], []],
            )
        )

    def last_commit(self) -> int:
        return int(self.ask("SELECT coalesce(max(commit_no), 0) FROM batches"))

    def follows(self, commit_no: int) -> bool:
        """Whether the ledger has the batches up to this one."""
        return bool(self.ask("SELECT coalesce(min(commit_no), 0) FROM cursors") >= commit_no)

    def close(self) -> None:
        with self._lock:
            if self._conn is not None:
                with contextlib.suppress(psycopg.Error):
                    self._conn.close()
                self._conn = None
