"""Our own MQTT endpoint: listens, keeps sessions, hands receipts to those who subscribed for them.

It isn't a broker. It takes readings and acknowledges each once it is committed; what it sends are receipts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.clock import Clock
from ingest.connection import Connection
from ingest.delivery import Receipt
from ingest.metrics import CLOSED, CONNECTIONS, RECEIPTS
from ingest.mqtt_packet import Connect, Reason, publish
from ingest.pipeline import Pipeline
from ingest.settings import EndpointSettings
from ingest.sign_in import Principal, SignIn, count
from ingest.topic import receipts_topic
from ingest.topic_filter import matches

log = logging.getLogger("carbonmeter.endpoint")

READ_BYTES = 256 << 10
READ_BYTES_WHEN_FULL = 4 << 10  # of each connection that isn't held back yet
SWEEP_S = 1.0
REFUSALS_PER_SWEEP = 10  # refused sign-ins that become gateway events; the metric counts all


@dataclass(slots=True)
class Session:
    """What is kept of a client between its connections, in memory: publishers need no more.

    unreleased   packet ids received at QoS 2 whose PUBREL hasn't come; until it is committed, the connection that
                 a delivery came by, then None
    """

    filters: set[str] = field(default_factory=set)
    unreleased: dict[int, Connection | None] = field(default_factory=dict)
    connection: Connection | None = None
    expires_at: float = 0.0  # by the monotonic clock, while not connected
    will: tuple[float, Connection] | None = None  # due when, by the same clock, and of which connection


class Endpoint:
    """Listens for MQTT clients and feeds a pipeline. Everything runs on the loop's thread."""

    def __init__(self, settings: EndpointSettings, pipeline: Pipeline, sign_in: SignIn, clock: Clock) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.clock = clock
        self.partial_bytes = 0  # of unfinished packets, over all connections
        self.now = clock.monotonic()
        self._sign_in = sign_in
        self._refusals_left = REFUSALS_PER_SWEEP
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._sessions: dict[tuple[int, str], Session] = {}
        self._subscribers: dict[str, set[Connection]] = {}  # by topic, without wildcards
        self._wide: dict[str, set[Connection]] = {}  # by filter with wildcards
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        # One buffer for all: what is read is taken out of it before anything else is read.
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), self.settings.host, self.settings.port, backlog=4096, reuse_address=True
        )
        for listener in self._server.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what it accepts inherits this
        self._sweeper = asyncio.create_task(self._sweep())
        log.info("MQTT endpoint on %s port %d", self.settings.host, self.port)

    @property
    def port(self) -> int:
        """Where it listens, also where the settings left it open."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def stop_listening(self) -> None:
        """Take no more connections and read no more packets."""
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in self._connections:
            connection.stop_reading()

    async def close(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            connection.end(Reason.SERVER_SHUTTING_DOWN, "the server stops")
        for _ in range(20):
            if not self._connections:
                break
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)
        if self._server is not None:
            await self._server.wait_closed()

    # What connections ask for

    def buffer(self) -> memoryview:
        return self._view[:READ_BYTES_WHEN_FULL] if self.pipeline.is_full else self._view

    def received(self, nbytes: int) -> bytes:
        return bytes(self._view[:nbytes])

    def opened(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self._connections) >= self.settings.connections_max:
            CLOSED.labels("connections_max").inc()
            return False
        self._connections.add(connection)
        CONNECTIONS.set(len(self._connections))
        return True

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        CONNECTIONS.set(len(self._connections))
        session, principal = connection.session, connection.principal
        if session is None or principal is None:
            return
        for pattern in session.filters:
            self.unsubscribed(connection, pattern)
        name = (principal.key_id, connection.client_id)
        delay_s = 0 if connection.will is None else connection.will.delay_s
        if session.connection is not connection:  # taken over
            if not delay_s or self._sessions.get(name) is not session:
                self._record_will(connection)
            return
        session.connection = None
        now = self.clock.monotonic()
        if connection.expiry_s:
            session.expires_at = now + connection.expiry_s
            if delay_s:
                session.will = now + min(delay_s, connection.expiry_s), connection
                return
        else:
            self._sessions.pop(name, None)
        self._record_will(connection)

    def _record_will(self, connection: Connection) -> None:
        """There is nobody to send a will to: it becomes an event of the gateway."""
        will, principal = connection.will, connection.principal
        if will is not None and principal is not None:
            self.pipeline.event(
                "will",
                principal.only_gateway(),
                f"client {connection.client_id!a} went without a word; its will:"
                f" {will.topic[:200]!a} {will.payload[:200]!a}",
            )

    def sign_in(self, connection: Connection, request: Connect) -> None:
        answer = self._sign_in.at_once(request)
        if answer is not None:
            self._signed_in(connection, request, answer)
            return
        task = asyncio.create_task(self._verify(connection, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _verify(self, connection: Connection, request: Connect) -> None:
        self._signed_in(connection, request, await self._sign_in.verified(request))

    def _signed_in(self, connection: Connection, request: Connect, answer: Principal | Reason) -> None:
        count(answer)
        if not connection.is_open:
            return
        if isinstance(answer, Reason):
            if answer not in (Reason.SERVER_BUSY, Reason.SERVER_UNAVAILABLE) and self._refusals_left:
                self._refusals_left -= 1
                self.pipeline.event(
                    "sign_in_refused", None, f"client {request.client_id!a}: {answer.name.lower()}"
                )
            connection.refuse(answer)
            return
        client_id = request.client_id or f"auto-{secrets.token_hex(8)}"
        # Each key has client ids of its own: nobody takes over another's session.
        name = (answer.key_id, client_id)
        session = self._sessions.get(name)
        before = None if session is None else session.connection
        session_present = (
            session is not None
            and not request.clean_start
            and (before is not None or session.expires_at > self.clock.monotonic())
        )
        if session is not None and before is not None:
            session.connection = None
            for pattern in session.filters:
                self.unsubscribed(before, pattern)
            before.end(Reason.SESSION_TAKEN_OVER, "another connection has the same client id")
        if session is not None and session.will is not None:
            (_, gone), session.will = session.will, None
            if not session_present:
                self._record_will(gone)
        if session is None or not session_present:
            session = Session()
            self._sessions[name] = session
        session.connection = connection
        for pattern in session.filters:
            self.subscribed(connection, pattern)
        expiry_s = min(request.session_expiry_s, self.settings.session_expiry_s_max)
        if len(self._sessions) > self.settings.sessions_max:
            expiry_s = 0
        connection.accept(
            answer, request, client_id, session, session_present=session_present, expiry_s=expiry_s
        )

    # Receipts

    def subscribed(self, connection: Connection, pattern: str) -> None:
        wide = "+" in pattern or "#" in pattern
        (self._wide if wide else self._subscribers).setdefault(pattern, set()).add(connection)

    def unsubscribed(self, connection: Connection, pattern: str) -> None:
        for index in (self._wide, self._subscribers):
            if pattern in index:
                index[pattern].discard(connection)
                if not index[pattern]:
                    del index[pattern]

    def send_receipts(self, receipts: Sequence[Receipt], committed_us: int) -> None:
        """To whoever is connected and subscribed now; who takes too slowly gets none, and sends again."""
        if not self._subscribers and not self._wide:
            return
        for receipt in receipts:
            name = f"{receipt.uscc}/{receipt.gateway}"
            topic = receipts_topic(receipt.uscc, receipt.gateway)
            takers = set(self._subscribers.get(topic, ()))
            for pattern, connections in self._wide.items():
                if matches(pattern, topic):
                    takers |= connections
            if not takers:
                continue
            payload = json.dumps(receipt.as_dict(committed_us), separators=(",", ":")).encode()
            packets: dict[int, bytes] = {}
            for taker in takers:
                allowed = taker.principal.allowed if taker.principal is not None else frozenset()
                if taker.is_slow or not taker.is_open or (allowed is not None and name not in allowed):
                    continue
                data = packets.get(taker.version)
                if data is None:
                    data = packets[taker.version] = publish(taker.version, topic.encode(), payload)
                if taker.maximum_packet_size is None or len(data) <= taker.maximum_packet_size:
                    taker.write(data)
                    RECEIPTS.labels("endpoint").inc()

    # Now and then

    def revoke(self, key_ids: set[int]) -> None:
        """End the connections of keys that were revoked."""
        self._sign_in.forget(key_ids)
        for connection in list(self._connections):
            if connection.principal is not None and connection.principal.key_id in key_ids:
                connection.end(Reason.NOT_AUTHORIZED, "its key was revoked")

    def key_ids(self) -> set[int]:
        """Keys that connections or the memory of sign-ins rest on."""
        connected = {connection.principal.key_id for connection in self._connections if connection.principal}
        return (connected | self._sign_in.key_ids()) - {0}

    async def _sweep(self) -> None:
        """Keep the clock of all connections, end those that are silent, slow or late with CONNECT."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self.now = self.clock.monotonic()
            self._refusals_left = REFUSALS_PER_SWEEP
            self._end_silent()
            for name, session in list(self._sessions.items()):
                if session.will is not None and session.will[0] < self.now:
                    (_, gone), session.will = session.will, None
                    self._record_will(gone)
                if session.connection is None and session.expires_at < self.now:
                    del self._sessions[name]

    def _end_silent(self) -> None:
        settings, now = self.settings, self.now
        for connection in list(self._connections):
            if connection.slow_since is not None and now - connection.slow_since > settings.slow_s_max:
                CLOSED.labels("slow_reader").inc()
                connection.abort()
            elif connection.is_held_back:
                continue
            elif connection.principal is None:
                if now - connection.seen_at > settings.connect_s_max:
                    CLOSED.labels("no_connect").inc()
                    connection.abort()
            elif connection.keep_alive_s and now - connection.seen_at > 1.5 * connection.keep_alive_s:
                connection.end(Reason.KEEP_ALIVE_TIMEOUT, "silent for longer than its keep-alive")
