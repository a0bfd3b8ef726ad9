"""The ingest process: the only file of this room that opens connections and joins the parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from domain.clock import Clock, SystemClock
from domain.errors import Refused, SettingsError, Unavailable
from domain.registry import Registry
from ingest.endpoint import Endpoint
from ingest.formats import Formats
from ingest.hj212 import Hj212Server
from ingest.housekeeping import Housekeeping
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from ingest.sign_in import SignIn, takes_anonymous
from ingest.sparkplug.decoder import SparkplugDecoder
from ingest.sparkplug.host import HostApplication
from ingest.sparkplug.keeper import Keeper
from ingest.subscriber import Subscriber
from ingest.write import Writer
from storage import registry
from storage.database import Connection, connect

log = logging.getLogger("carbonmeter.ingest")

# The committer wakes up often and briefly, between the loop's long stretches of parsing: it must not wait the
# usual 5 ms for the interpreter each time. Measured at the endpoint: a third more messages a second.
SWITCH_INTERVAL_S = 0.0005


def main(settings: IngestSettings) -> int:
    """Run until SIGTERM or SIGINT; 0 for a clean stop, 1 where ingest stopped by itself."""
    # uvloop: a sixth more messages from each core where they come by thousands of connections
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, SystemClock()))


async def serve(
    settings: IngestSettings, clock: Clock, started: Callable[[Ingest], None] | None = None
) -> int:
    """As `main`, within a loop. `started` is called once it takes readings."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
            loop.add_signal_handler(number, stop.set)
    ingest = Ingest(settings, clock)
    stopping = asyncio.ensure_future(stop.wait())
    starting = asyncio.ensure_future(ingest.start())
    try:
        beginning: list[asyncio.Future[Any]] = [stopping, starting]
        await asyncio.wait(beginning, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return 0
        starting.result()
        if started is not None:
            started(ingest)
        waiting: list[asyncio.Future[Any]] = [stopping, ingest.failure, *ingest.tasks]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in ingest.tasks:
            if task.done():
                task.result()  # it runs as long as we do: what ended it ends us, and we are started again
        failed = ingest.failure.exception() if ingest.failure.done() else None
        if failed is not None:
            log.error("ingest stops: %s", failed)
        return 0 if failed is None else 1
    finally:
        stopping.cancel()
        await ingest.stop()


class Ingest:
    """All parts of the process, joined."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._sign_in: SignIn | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._subscribing: asyncio.Task[None] | None = None
        self._sparkplug: list[asyncio.Task[None]] = []
        self.hosts: list[HostApplication] = []
        self.endpoint: Endpoint | None = None
        self.subscriber: Subscriber | None = None
        self.hj212: Hj212Server | None = None

    def _connect(self) -> Connection:
        return connect(self._settings.database, "carbonmeter ingest")

    @property
    def failure(self) -> asyncio.Future[None]:
        assert self._pipeline is not None
        return self._pipeline.failure

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs beside the endpoint."""
        return [
            task for task in (self._subscribing, *self._sparkplug, self._housekeeping) if task is not None
        ]

    async def start(self) -> None:
        """Wait for the database, then take readings."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        _raise_file_limit()
        settings = self._settings
        current = await self._registry()
        formats = Formats(settings.formats)
        writer = Writer(self._connect, self._clock, current)
        self._pipeline = Pipeline(
            writer,
            current,
            self._clock,
            rules=settings.clock,
            bounds=settings.bounds,
            limit=settings.dead_letters,
            formats=formats,
        )
        if settings.endpoint is not None:
            anonymous = settings.endpoint.anonymous and takes_anonymous(settings.endpoint)
            self._sign_in = SignIn(self._connect, anonymous=anonymous)
            endpoint = Endpoint(settings.endpoint, self._pipeline, self._sign_in, self._clock)
            try:
                await endpoint.start()
            except OSError as error:
                raise Refused(
                    f"the MQTT endpoint can't listen on {settings.endpoint.host}:{settings.endpoint.port}: {error};"
                    " CARBONMETER_MQTT sets another address, or off; CARBONMETER_MQTTS and CARBONMETER_MQTT_WS set"
                    " those with TLS and for WebSockets"
                ) from error
            except SettingsError as error:
                raise Refused(f"the MQTT endpoint can't speak TLS: {error}") from error
            self.endpoint = endpoint
        if settings.hj212 is not None:
            hj212 = Hj212Server(settings.hj212, self._pipeline, self._clock)
            try:
                await hj212.start()
            except OSError as error:
                raise Refused(
                    f"HJ 212 can't be taken on {settings.hj212.host}:{settings.hj212.port}: {error};"
                    " CARBONMETER_HJ212 sets another address, or off"
                ) from error
            self.hj212 = hj212
        if settings.broker is not None:
            self.subscriber = Subscriber(settings.broker, self._pipeline, self._clock, formats.filters)
            self._subscribing = asyncio.create_task(self.subscriber.run())
        self._join_sparkplug(formats)
        housekeeping = Housekeeping(
            self._connect, self._clock, settings.clock, self._pipeline, self.endpoint, self.detail
        )
        self._housekeeping = asyncio.create_task(housekeeping.run())

    def _join_sparkplug(self, formats: Formats) -> None:
        """Sparkplug's own connections to the broker, one a host id, and what it asks for beside readings."""
        settings = self._settings
        assert self._pipeline is not None
        hosted = [(pattern, each) for pattern, each in formats.hosted if isinstance(each, SparkplugDecoder)]
        if not hosted:
            return
        decoders = [decoder for _, decoder in hosted]
        keeper = Keeper(
            decoders, self._pipeline, self._connect, self._clock, settings.clock, settings.formats
        )
        self._sparkplug.append(asyncio.create_task(keeper.run()))
        if settings.broker is None:
            return
        for host_id in dict.fromkeys(decoder.options.host_id for decoder in decoders):
            ours = [(pattern, each) for pattern, each in hosted if each.options.host_id == host_id]
            filters = list(dict.fromkeys(pattern for pattern, _ in ours))
            host = HostApplication(
                settings.broker, self._pipeline, self._clock, filters, [each for _, each in ours], host_id
            )
            self.hosts.append(host)
            self._sparkplug.append(asyncio.create_task(host.run()))

    async def _registry(self) -> Registry:
        def load() -> Registry:
            with self._connect() as conn:
                return registry.load(conn)

        pause_s = 0.1
        while True:
            try:
                return await asyncio.to_thread(load)
            except Unavailable as error:
                log.warning("waiting for the database: %s", error)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, 5.0)

    def detail(self) -> dict[str, Any]:
        """How it fares, for `services`."""
        assert self._pipeline is not None
        detail: dict[str, Any] = {
            "registry_version": self._pipeline.registry_version,
            "database": "away" if self._pipeline.is_away else "there",
        }
        if self.endpoint is not None:
            detail["endpoint"] = {
                "host": self.endpoint.settings.host,
                "port": self.endpoint.port,
                "tls_port": self.endpoint.tls_port,
                "websocket_port": self.endpoint.websocket_port,
                "connections": self.endpoint.connections,
            }
        if self.hj212 is not None:
            detail["hj212"] = {"port": self.hj212.port, "connections": self.hj212.connections}
        if self.subscriber is not None:
            detail["broker"] = {
                "connected": self.subscriber.is_connected,
                "warnings": self.subscriber.warnings,
            }
        if self.hosts:
            detail["sparkplug"] = {"connected": all(host.is_connected for host in self.hosts)}
        return detail

    async def stop(self) -> None:
        """Take no more, commit and acknowledge what was taken, and leave."""
        if self.endpoint is not None:
            await self.endpoint.stop_listening()
        for subscriber in (self.subscriber, *self.hosts):
            if subscriber is not None:
                subscriber.stop_reading()
        if self.hj212 is not None:
            self.hj212.stop_reading()
        pipeline, patience_s = self._pipeline, self._settings.drain_s_max
        can_commit = pipeline is not None and not pipeline.is_away and not pipeline.failure.done()
        if pipeline is not None and can_commit and not await pipeline.drain(patience_s):
            log.warning("not everything could be committed within %g s", patience_s)
        for task in self.tasks:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self.endpoint is not None:
            await self.endpoint.close()
        if self.hj212 is not None:
            await self.hj212.close()
        if self._sign_in is not None:
            self._sign_in.close()
        if self._pipeline is not None:
            await self._pipeline.close()


def _raise_file_limit() -> None:
    """A connection is an open file: allow as many as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
