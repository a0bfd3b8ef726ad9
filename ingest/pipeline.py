"""One batch fills on the loop's thread while another thread commits the one before it; acknowledgements follow.

There is no further queue: the filling batch is it. Once it is full, sources stop reading until it is handed over, so
a slow or absent database holds the senders back and memory stays flat.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from domain.clock import Clock
from domain.errors import CarbonmeterError, RejectReason
from domain.registry import Registry
from ingest.batch import Batch
from ingest.delivery import Chunk, Receipt, Source
from ingest.directory import ClockRules, Directory
from ingest.formats import Formats
from ingest.metrics import (
    BATCH_ROWS,
    BATCHES,
    COMMIT_SECONDS,
    DELIVERIES,
    EVENTS_DROPPED,
    HELD,
    PAUSES,
    READINGS,
    REJECTED,
    WAITING,
    WAITING_BYTES,
)
from ingest.routes import Routes
from ingest.write import StoppedError, Writer, Written
from storage.accounts import GatewayEvent

log = logging.getLogger("carbonmeter.ingest")

EVENTS_MAX = 1_000


class TooManyDeadLettersError(CarbonmeterError):
    """Most of what registered gateways send is refused: then the fault is ours, not the devices'."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the filling batch; there are two of them, one filling and one being committed."""

    deliveries_max: int = 50_000
    readings_max: int = 100_000
    bytes_max: int = 16 << 20
    linger_s: float = 0.002  # how long the first delivery waits for company while nothing is being committed


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """When ingest stops: above this ratio over so many deliveries of registered gateways."""

    ratio_max: float = 0.9
    deliveries_min: int = 10_000


class Pipeline:
    """Takes chunks of deliveries, commits them in batches, and tells their sources."""

    def __init__(
        self,
        writer: Writer,
        registry: Registry,
        clock: Clock,
        *,
        rules: ClockRules | None = None,
        bounds: Bounds | None = None,
        limit: DeadLetterLimit | None = None,
        formats: Formats | None = None,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._rules = rules or ClockRules()
        self._bounds = bounds or Bounds()
        self._limit = limit or DeadLetterLimit()
        self.formats = formats or Formats()
        self._routes = Routes(Directory(registry), self.formats)
        self._filling = Batch(self._routes, self._rules)
        self._events: deque[GatewayEvent] = deque()
        self._jobs: queue.SimpleQueue[tuple[Batch, list[GatewayEvent]] | None] = queue.SimpleQueue()
        self._taken: Counter[str] = Counter()  # messages by where they came from, not counted yet
        self._committing_bytes = 0
        self._is_busy = False
        self._is_scheduled = False
        self._handed_over_at = 0.0
        self._when_room: list[Callable[[], None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._commit_batches, name="committer", daemon=True)
        self._window: _Window = _Window()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self.settled = 0  # chunks committed, in the order that they were taken in
        self._handed_over = 0
        self._thread.start()

    @property
    def registry_version(self) -> int:
        return self._routes.directory.version

    @property
    def is_away(self) -> bool:
        """Whether the database is."""
        return self._writer.is_away

    @property
    def is_full(self) -> bool:
        """Whether sources must stop reading."""
        filling, bounds = self._filling, self._bounds
        return (
            filling.deliveries >= bounds.deliveries_max
            or filling.size_bytes >= bounds.bytes_max
            or filling.readings >= bounds.readings_max
        )

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk in. Its source hears of it once it is committed, and never if that doesn't happen."""
        self._taken[chunk.via] += len(chunk.topics)
        self._filling.add(chunk)
        if not self._is_busy and not self._is_scheduled:
            self._is_scheduled = True
            self._idle.clear()
            self._loop.call_later(self._bounds.linger_s, self._hand_over)

    @property
    def taken(self) -> int:
        """Chunks taken in; once `settled` has come as far, all of these are committed."""
        return self._handed_over + len(self._filling.chunks)

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back once, as soon as the pipeline isn't full."""
        if not self._when_room:
            PAUSES.inc()
        self._when_room.append(callback)

    def event(
        self, kind: str, gateway: tuple[str, str] | None, detail: str, at_us: int | None = None
    ) -> None:
        """Record what happened at a gateway; bounded, and dropped with a count where there is no room.

        at_us   when it happened; None: now
        """
        if len(self._events) >= EVENTS_MAX:
            EVENTS_DROPPED.inc()
            return
        self._events.append(
            GatewayEvent(self._clock.now_us() if at_us is None else at_us, gateway, kind, detail[:500])
        )
        if not self._is_busy and not self._is_scheduled:
            self._is_scheduled = True
            self._idle.clear()
            self._loop.call_later(self._bounds.linger_s, self._hand_over)

    def measure(self) -> None:
        """Set the gauges, and count what was taken in; called now and then."""
        # A chunk may be a single message: counting it at once would cost as much as reading it.
        for via, count in self._taken.items():
            DELIVERIES.labels(via).inc(count)
        self._taken.clear()
        filling, bounds = self._filling, self._bounds
        WAITING.set(
            max(
                filling.deliveries / bounds.deliveries_max,
                filling.size_bytes / bounds.bytes_max,
                filling.readings / bounds.readings_max,
            )
        )
        WAITING_BYTES.set(filling.size_bytes + self._committing_bytes)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until all that was taken in is committed and its sources told; False if that took too long."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End the committer. What isn't committed by now isn't acknowledged either."""
        self._writer.halt()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._writer.close()
        self.measure()
        if not self.failure.done():
            self.failure.cancel()

    # The loop's thread

    def _hand_over(self) -> None:
        self._is_scheduled = False
        if self._is_busy:
            return
        if not self._filling.deliveries and not self._events:
            self._idle.set()
            return
        batch, self._filling = self._filling, Batch(self._routes, self._rules)
        events = list(self._events)
        self._events.clear()
        self._is_busy = True
        self._committing_bytes = batch.size_bytes
        self._handed_over_at = self._clock.monotonic()
        self._handed_over += len(batch.chunks)
        self._jobs.put((batch, events))
        callbacks, self._when_room = self._when_room, []
        for callback in callbacks:
            callback()

    def _written(self, written: Written) -> None:
        COMMIT_SECONDS.observe(self._clock.monotonic() - self._handed_over_at)
        self._is_busy = False
        self._committing_bytes = 0
        self.settled += len(written.batch.chunks)
        directory = written.batch.routes.directory
        if directory.version > self.registry_version:
            # What fills now was read under the old one: the writer reads it again, and the next begins anew.
            self._routes = written.batch.routes
        # First the committer gets its next batch: it works while we acknowledge.
        self._hand_over()
        chunks: dict[Source, list[Chunk]] = {}
        for chunk in written.batch.chunks:
            if chunk.source in chunks:
                chunks[chunk.source].append(chunk)
            else:
                chunks[chunk.source] = [chunk]
        receipts: dict[Source, list[Receipt]] = {}
        for chunk, some in written.outcome.receipts:
            receipts.setdefault(chunk.source, []).extend(some)
        for source, theirs in chunks.items():
            source.committed(theirs, receipts.get(source, ()), written.committed_us)
        self._count(written)

    def _count(self, written: Written) -> None:
        outcome = written.outcome
        BATCHES.inc()
        BATCH_ROWS.observe(len(outcome.rows))
        READINGS.labels("stored").inc(len(outcome.rows))
        for hold in outcome.holds:
            READINGS.labels("held").inc()
            HELD.labels(hold.reason).inc()
        for rejection in outcome.rejections:
            READINGS.labels("rejected").inc(rejection.readings)
            REJECTED.labels(rejection.reason).inc(max(1, rejection.readings))
        self._window.add(written)
        if self._window.deliveries >= self._limit.deliveries_min:
            window, self._window = self._window, _Window()
            if window.ratio > self._limit.ratio_max and window.is_widespread:
                self._fail(
                    TooManyDeadLettersError(
                        f"{window.refused} of the last {window.deliveries} deliveries of registered gateways were"
                        f" refused (above {self._limit.ratio_max:.0%}): that looks like a fault of ours, so ingest"
                        " stops; `carbonmeter deadletters list` shows why, and they can be replayed"
                    )
                )

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)

    # The committer's thread

    def _commit_batches(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                written = self._writer.write(*job)
            except StoppedError:
                return
            except Exception as error:
                log.exception("a batch could not be written; ingest stops")
                self._loop.call_soon_threadsafe(self._fail, error)
                return
            self._loop.call_soon_threadsafe(self._written, written)


class _Window:
    """Deliveries of registered gateways since the window began, and how many of them had something refused."""

    def __init__(self) -> None:
        self.deliveries = 0
        self.refused = 0
        self._gateways: set[tuple[str, str]] = set()
        self._refused_gateways: set[tuple[str, str]] = set()

    def add(self, written: Written) -> None:
        outcome = written.outcome
        refused = {
            rejection.delivery: rejection.gateway.names
            for rejection in outcome.rejections
            if rejection.gateway is not None
            and rejection.gateway.refused is None
            # until a birth comes that is the ordinary way of Sparkplug, and nobody's fault
            and rejection.reason is not RejectReason.UNKNOWN_ALIAS
        }
        strangers = {
            rejection.delivery
            for rejection in outcome.rejections
            if rejection.gateway is None or rejection.gateway.refused is not None
        }
        self.deliveries += written.batch.deliveries - len(strangers)
        self.refused += len(refused)
        self._gateways.update(gateway.names for gateway in outcome.gateways)
        self._gateways.update(refused.values())
        self._refused_gateways.update(refused.values())

    @property
    def ratio(self) -> float:
        return self.refused / self.deliveries

    @property
    def is_widespread(self) -> bool:
        """Whether at least half of the gateways have it: one broken device doesn't stop the others."""
        return 2 * len(self._refused_gateways) >= len(self._gateways)
