"""What ingest does about once a second beside taking readings, on a connection and a thread of its own.

It beats, folds accounts, releases held readings and looks for revoked keys. While the database is away it tries
again; nothing here delays a batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from domain.clock import Clock
from domain.errors import Unavailable
from ingest.directory import ClockRules
from ingest.endpoint import Endpoint
from ingest.pipeline import Pipeline
from ingest.release import Keeper
from storage import accounts, keys, services
from storage.database import Connection

log = logging.getLogger("carbonmeter.ingest")

BEAT_S = 1.0


class Housekeeping:
    """Runs until cancelled. `detail` tells `services` how ingest fares."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        clock: Clock,
        rules: ClockRules,
        pipeline: Pipeline,
        endpoint: Endpoint | None,
        detail: Callable[[], dict[str, Any]],
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._rules = rules
        self._pipeline = pipeline
        self._endpoint = endpoint
        self._detail = detail
        self._conn: Connection | None = None
        self._keeper: Keeper | None = None
        # One thread: what a cancelled round still does is done before we leave.
        self._executor = ThreadPoolExecutor(1, "housekeeping")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._pipeline.measure()
                key_ids = self._endpoint.key_ids() if self._endpoint is not None else set()
                try:
                    revoked = await loop.run_in_executor(self._executor, self._round, key_ids, self._detail())
                except (psycopg.OperationalError, psycopg.InterfaceError, Unavailable) as error:
                    log.debug("housekeeping waits for the database: %s", error)
                    await loop.run_in_executor(self._executor, self._drop)
                except psycopg.Error:
                    log.exception("housekeeping failed and goes on")
                    await loop.run_in_executor(self._executor, self._drop)
                else:
                    if revoked and self._endpoint is not None:
                        self._endpoint.revoke(revoked)
                await asyncio.sleep(BEAT_S)
        finally:
            await loop.run_in_executor(self._executor, self._leave)
            self._executor.shutdown(wait=False)

    def _round(self, key_ids: set[int], detail: dict[str, Any]) -> set[int]:
        """One round; the keys among `key_ids` that were revoked."""
        if self._conn is None:
            self._conn = self._connect()
            self._conn.autocommit = True
            self._keeper = Keeper(self._conn, self._clock, self._rules)
        conn = self._conn
        services.beat(conn, "ingest", ready=True, detail=detail)
        revoked = keys.revoked(conn, key_ids) if key_ids else set()
        accounts.fold(conn)
        assert self._keeper is not None
        released = self._keeper.tend()
        if released.stored or released.rejected:
            log.info("released held readings: %d stored, %d rejected", released.stored, released.rejected)
        return revoked

    def _drop(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
        self._conn = self._keeper = None

    def _leave(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                services.leave(self._conn, "ingest")
        self._drop()
