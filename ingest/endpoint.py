"""Our own MQTT endpoint: listens, keeps sessions, hands receipts to those who subscribed for them.

It isn't a broker. It takes readings and acknowledges each once it is committed; what it sends are receipts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from domain.clock import Clock
from domain.errors import SettingsError
from ingest.connection import READ_BYTES, Connection
from ingest.delivery import Chunk, Nobody, Receipt
from ingest.metrics import CLOSED, CONNECTIONS, RECEIPTS
from ingest.mqtt_packet import Connect, Reason, publish
from ingest.pipeline import Pipeline
from ingest.settings import EndpointSettings
from ingest.sign_in import ANONYMOUS, Principal, SignIn, count
from ingest.tls import Files, Identity, TlsSettings, context_of, gateways_of
from ingest.topic import receipts_topic
from ingest.topic_filter import matches
from ingest.websocket import WebSocket

log = logging.getLogger("carbonmeter.endpoint")

READ_BYTES_WHEN_FULL = (
    4 << 10
)  # of each connection that isn't held back yet, and of those that have a rate to keep
SWEEP_S = 1.0
REFUSALS_PER_SWEEP = 10  # refusals that become gateway events; the metric counts all
BACKLOG = 4096  # connections that wait in the kernel
ACCEPTS_AT_ONCE = 32  # of these, before anything else has its turn
TLS_SHUTDOWN_S = 2.0


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


def _prepare(server: asyncio.Server) -> None:
    """Of a server that listens: keep-alives, and a backlog of the kernel's that is longer than asyncio's.

    asyncio accepts as many in a row as its backlog says: when thousands come back at once, the stream of those that
    are there would wait for all of them (0.4 s for 4,096).
    """
    for each in server.sockets:
        with each.dup() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what it accepts inherits this
            listener.listen(BACKLOG)


def _port_of(server: asyncio.Server | None) -> int | None:
    if server is None or not server.sockets:
        return None
    port: int = server.sockets[0].getsockname()[1]
    return port


def _one_less(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


class TlsListener:
    """The listener with TLS. It takes on new files while it runs: connections that exist keep what they began with."""

    def __init__(self, endpoint: Endpoint, settings: TlsSettings) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._files = Files(settings)
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        context = context_of(self._settings)
        loop = asyncio.get_running_loop()
        first = await loop.create_server(
            asyncio.Protocol, self._settings.host, self._settings.port, start_serving=False
        )
        self._sockets = [listener.dup() for listener in first.sockets]
        first.close()
        await self._serve(context)
        log.info("MQTT endpoint with TLS on %s port %d", self._settings.host, self.port)

    async def _serve(self, context: ssl.SSLContext) -> None:
        """Serve the sockets, which stay open, with another context."""
        loop, before = asyncio.get_running_loop(), self._servers
        self._servers = [
            await loop.create_server(
                lambda: Connection(self._endpoint),
                sock=listener.dup(),
                backlog=ACCEPTS_AT_ONCE,
                ssl=context,
                ssl_handshake_timeout=self._endpoint.settings.connect_s_max,
                ssl_shutdown_timeout=TLS_SHUTDOWN_S,
            )
            for listener in self._sockets
        ]
        for server in self._servers:
            _prepare(server)
        for server in before:
            server.close()

    @property
    def port(self) -> int | None:
        return None if not self._sockets else int(self._sockets[0].getsockname()[1])

    async def renew_if_changed(self) -> None:
        if not self._files.have_changed():
            return
        try:
            await self._serve(context_of(self._settings))
        except (SettingsError, OSError) as error:
            log.error("the certificate stays the one it was: %s", error)
        else:
            log.info("the endpoint has a new certificate")

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for listener in self._sockets:
            listener.close()
        self._sockets = []


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
        self._websockets: asyncio.Server | None = None
        self._tls: TlsListener | None = None
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._by_owner: Counter[tuple[int, str]] = Counter()
        self._sessions: dict[tuple[tuple[int, str], str], Session] = {}
        self._subscribers: dict[str, set[Connection]] = {}  # by topic, without wildcards
        self._wide: dict[str, set[Connection]] = {}  # by filter with wildcards
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        # One buffer for all: what is read is taken out of it before anything else is read.
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)

    async def start(self) -> None:
        """Listen. OSError where an address can't be had, SettingsError where TLS has faulty files."""
        settings, loop = self.settings, asyncio.get_running_loop()
        behind_proxy = bool(settings.proxies)
        if settings.tls is not None:
            self._tls = TlsListener(self, settings.tls)
            await self._tls.start()
        if settings.port is not None:
            self._server = await loop.create_server(
                lambda: Connection(self, behind_proxy=behind_proxy),
                settings.host,
                settings.port,
                backlog=ACCEPTS_AT_ONCE,
                reuse_address=True,
            )
            log.info("MQTT endpoint on %s port %d", settings.host, self.port)
        if settings.websockets is not None:
            host, port = settings.websockets
            self._websockets = await loop.create_server(
                lambda: WebSocket(self, behind_proxy=behind_proxy),
                host,
                port,
                backlog=ACCEPTS_AT_ONCE,
                reuse_address=True,
            )
            log.info("MQTT over WebSockets on %s port %d", host, self.websocket_port)
        for server in (self._server, self._websockets):
            if server is not None:
                _prepare(server)
        self._sweeper = asyncio.create_task(self._sweep())

    @property
    def port(self) -> int | None:
        """Where it listens without TLS, also where the settings left it open."""
        return _port_of(self._server)

    @property
    def websocket_port(self) -> int | None:
        return _port_of(self._websockets)

    @property
    def tls_port(self) -> int | None:
        return None if self._tls is None else self._tls.port

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def stop_listening(self) -> None:
        """Take no more connections and read no more packets."""
        for server in (self._server, self._websockets, self._tls):
            if server is not None:
                server.close()
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
        for server in (self._server, self._websockets):
            if server is not None:
                await server.wait_closed()

    # What connections ask for

    def buffer(self, *, whole: bool = False) -> memoryview:
        if whole or not (self.pipeline.is_full or self.settings.messages_per_s_max is not None):
            return self._view
        return self._view[:READ_BYTES_WHEN_FULL]

    def received(self, nbytes: int) -> bytes:
        return bytes(self._view[:nbytes])

    def opened(self, connection: Connection, address: str) -> bool:
        """Whether there is room for one more. Behind a proxy, whether `address` is one that we trust."""
        if len(self._connections) >= self.settings.connections_max:
            CLOSED.labels("connections_max").inc()
            return False
        self._connections.add(connection)
        CONNECTIONS.set(len(self._connections))
        if connection.awaits_proxy:
            connection.address = address
            if not self._is_trusted(address):
                self.proxy_refused(connection, "not from a proxy that the settings name")
                return False
            return True
        return self.addressed(connection, address)

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.settings.proxies)

    def proxy_refused(self, connection: Connection, why: str) -> None:
        CLOSED.labels("proxy_protocol").inc()
        self._refused("proxy_refused", f"a connection from {connection.address}: {why}")

    def addressed(self, connection: Connection, address: str) -> bool:
        """Whether the client's address has room for one more."""
        connection.address = address
        most = self.settings.connections_per_address_max
        if most is None:
            return True
        if self._by_address[address] >= most:
            CLOSED.labels("connections_per_address_max").inc()
            self._refused("too_many_connections", f"{address} has {most} connections, and wants more")
            return False
        self._by_address[address] += 1
        connection.is_counted = True
        return True

    def _refused(self, kind: str, detail: str) -> None:
        """Record a refusal; at most so many a second, since whoever is refused may try again at once."""
        if self._refusals_left:
            self._refusals_left -= 1
            self.pipeline.event(kind, None, detail)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        CONNECTIONS.set(len(self._connections))
        if connection.is_counted:
            _one_less(self._by_address, connection.address)
        session, principal = connection.session, connection.principal
        if session is None or principal is None:
            return
        _one_less(self._by_owner, principal.owner)
        for pattern in session.filters:
            self.unsubscribed(connection, pattern)
        name = (principal.owner, connection.client_id)
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
            topic = will.topic.encode()
            if self.pipeline.formats.is_hosted(topic):
                # A death certificate: the host that reads this format is here.
                self.pipeline.submit(
                    Chunk(
                        Nobody(),
                        "endpoint",
                        self.clock.now_us(),
                        [topic],
                        [will.payload],
                        [0],
                        allowed=principal.allowed,
                    )
                )

    def sign_in(self, connection: Connection, request: Connect) -> None:
        tls, certified = self.settings.tls, frozenset[str]()
        if tls is not None and tls.identity is Identity.CERTIFICATE:
            certified = gateways_of(connection.certificate)
        answer = self._sign_in.at_once(request, certified)
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
            if answer not in (Reason.SERVER_BUSY, Reason.SERVER_UNAVAILABLE):
                who = f"client {request.client_id!a} at {connection.address}"
                self._refused("sign_in_refused", f"{who}: {answer.name.lower()}")
            connection.refuse(answer)
            return
        client_id = request.client_id or f"auto-{secrets.token_hex(8)}"
        # Each key has client ids of its own: nobody takes over another's session.
        name = (answer.owner, client_id)
        session = self._sessions.get(name)
        before = None if session is None else session.connection
        most = self.settings.connections_per_key_max
        is_someone = answer.owner != ANONYMOUS.owner
        if most is not None and is_someone and self._by_owner[answer.owner] - (before is not None) >= most:
            self._refused("too_many_connections", f"client {client_id!a}: its key has {most} connections")
            connection.refuse(Reason.QUOTA_EXCEEDED)
            return
        self._by_owner[answer.owner] += 1
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
            if self._tls is not None:
                await self._tls.renew_if_changed()
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
