"""The log of reads, written before an answer goes out: nothing that is an enterprise's is answered unlogged.

An answer that read something waits until its entries are committed. They are gathered meanwhile: one writer commits
those of all requests that wait in one transaction, so that a request waits for one commit, or two, however many there
are. Where the log can't be written, the answer is 503 and what was read doesn't go out.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import asked as asking
from api.asked import Asked, Read
from api.errors import problem_response
from domain.clock import Clock
from domain.errors import Fault, Unavailable
from domain.interval import from_us
from storage import read_log
from storage.database import Connection, connect
from storage.read_log import LogEntry

ENTRIES_MAX = 2_000  # of one transaction
WAITING_MAX = 10_000  # requests that wait for it; more are answered 503
WAIT_S_MAX = 10.0

log = logging.getLogger(__name__)


def entries_of(asked: Asked, status: int, now_us: int) -> list[LogEntry]:
    """What a request read, one entry for each part, period and right."""
    groups: dict[tuple[str, str, tuple[int, int] | None, str], dict[str, None]] = {}
    for read in asked.reads:
        part = "" if read.part is None else str(read.part)
        groups.setdefault((part, read.object, read.period, read.basis), {})[read.uscc] = None
    key = asked.key
    return [
        LogEntry(
            at=from_us(now_us),
            request_id=asked.id,
            who="a visitor" if key is None else key.label,
            key_prefix=None if key is None else key.prefix,
            role=None if key is None or key.role is None else str(key.role),
            tenant=() if key is None else tuple(sorted(key.tenant)),
            what=f"{asked.method} {asked.route}",
            part=part,
            usccs=tuple(usccs),
            object=object_,
            period=period,
            basis=basis,
            status=status,
        )
        for (part, object_, period, basis), usccs in groups.items()
    ]


@dataclass(frozen=True, slots=True)
class _Waiting:
    entries: Sequence[LogEntry]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop

    def settle(self, error: Exception | None) -> None:
        def put() -> None:
            if not self.done.done():
                if error is None:
                    self.done.set_result(None)
                else:
                    self.done.set_exception(error)

        self.loop.call_soon_threadsafe(put)


class Writer:
    """Commits entries in a thread of its own, those of many requests at once."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="read log", daemon=True)
        self._conn: Connection | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End when what waits is written."""
        self._queue.put(None)
        self._thread.join(WAIT_S_MAX)

    async def write(self, entries: Sequence[LogEntry]) -> None:
        """Return when these are committed; Unavailable where they can't be."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(entries, loop.create_future(), loop)
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise Unavailable("the log of reads: too many requests wait for it") from None
        try:
            await asyncio.wait_for(waiting.done, WAIT_S_MAX)
        except TimeoutError:
            raise Unavailable("the log of reads: not written in time") from None

    def _run(self) -> None:
        ends = False
        while not ends:
            batch: list[_Waiting] = []
            count = 0
            following = self._queue.get()
            while True:
                if following is None:
                    ends = True
                    break
                batch.append(following)
                count += len(following.entries)
                if count >= ENTRIES_MAX:
                    break
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                error = self._commit([entry for each in batch for entry in each.entries])
                for each in batch:
                    each.settle(error)
        if self._conn is not None:
            self._conn.close()

    def _commit(self, entries: Sequence[LogEntry]) -> Exception | None:
        """Commit them; what went wrong, or None. A connection that was lost is made anew, once."""
        for is_last in (False, True):
            is_new = self._conn is None
            try:
                if self._conn is None:
                    self._conn = connect(self._database, "carbonmeter read log", autocommit=True)
                read_log.append(self._conn, entries)
                return None
            except (psycopg.OperationalError, Unavailable) as error:
                if self._conn is not None:
                    self._conn.close()
                    self._conn = None
                if is_new or is_last:
                    log.warning("the log of reads can't be written: %s", str(error).strip())
                    return Unavailable(f"the log of reads: {str(error).strip()}")
            except psycopg.Error as error:
                log.exception("the log of reads can't be written")
                return Unavailable(f"the log of reads: {str(error).strip()}")
        raise AssertionError("unreachable")


class LogReads:
    """Gives every request its id, and holds its answer back until what it read is in the log."""

    def __init__(self, app: ASGIApp, writer: Writer, clock: Clock) -> None:
        self.app, self._writer, self._clock = app, writer, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        asked = Asked(asking.id_of(None if sent is None else sent.decode("latin-1")))
        asking.begin(asked)
        refused = False

        async def answer(message: Message) -> None:
            nonlocal refused
            if refused:
                return
            if message["type"] == "http.response.start":
                name = (asking.HEADER.lower().encode(), asked.id.encode())
                message = {**message, "headers": [*message.get("headers", ()), name]}
                reads: list[Read] = asked.reads
                if reads:
                    try:
                        await self._writer.write(
                            entries_of(asked, int(message["status"]), self._clock.now_us())
                        )
                    except Unavailable:
                        refused = True
                        fault = Fault(
                            "", "what was read can't be logged just now, so it isn't answered; try again"
                        )
                        response = problem_response(scope["path"], 503, [fault], {"Retry-After": "1"})
                        await response(scope, receive, send)
                        return
            await send(message)

        await self.app(scope, receive, answer)
