"""Store and forward for gateways: what has no PUBACK stays on disk and is sent again.

    spool = Spool("/var/lib/gateway/spool.sqlite")
    with Forwarder(spool, "mqtt://server:1883", client_id="gw1", password=KEY) as forwarder:
        forwarder.put("carbon/v1/91430304XT0000022B/gw1/readings", payload)   # returns when it is on disk
        forwarder.drain(timeout_s=60)

`put` returns once the message is on the disk of the gateway; it leaves it when the server's PUBACK, which
at carbonmeter means a committed row, has come. Whatever ends the connection or the process, the rest is sent
again: some messages twice (the server counts a reading once), none never.

What the server's answer does to a message:

- success: deleted.
- *no matching subscribers* (a broker that nobody reads from), quota exceeded, server busy, unspecified error:
  kept, sent again after a pause.
- not authorized, topic name invalid, payload format invalid, too large for the server: set aside in the same
  file with the reason (`Spool.refused`), since sending it again can't help; a person looks.

Memory is bounded by the window (`window` messages, `window_bytes`); the spool by `Spool.messages_max`, beyond
which `put` raises `SpoolFullError`: what to drop then is the gateway's decision, not ours.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from domain.errors import CarbonmeterError, Refused, SettingsError, Unavailable

log = logging.getLogger(__name__)

PACKET_BYTES_MAX = 1 << 20  # the server's default maximum packet
_PUBLISH_OVERHEAD_BYTES = 5 + 2 + 2 + 1  # fixed header, topic length, packet id, empty properties

_SUCCESS = 0x00
# Sending it again can't help: bad topic, no rights, bad payload, too large.
_PERMANENT = frozenset({0x87, 0x90, 0x95, 0x99})


class SpoolFullError(CarbonmeterError):
    """The spool holds as many messages as it may: the server has been away for long."""


class Stored(NamedTuple):
    """A message of the spool; ids grow in the order of `put`."""

    id: int
    topic: str
    payload: bytes


class Spool:
    """Messages on disk (SQLite, WAL, synced at every `put`), and a few notes that change with them.

    One process at a time: a second one is refused. Threads may share it.
    """

    def __init__(self, path: str | Path, *, messages_max: int = 10_000_000) -> None:
        self.path = Path(path)
        self.messages_max = messages_max
        self._lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            self.path, timeout=0.5, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        try:
            # Exclusive: the lock is held while we live and goes with the process.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("BEGIN IMMEDIATE")
            # AUTOINCREMENT: an id is never given twice, also when the newest message has been deleted.
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS messages "
                "(id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL)"
            )
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS refused "
                "(id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL)"
            )
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._database.close()
            if "locked" in str(error):
                raise Refused(f"spool {str(self.path)!r} is in use by another process") from error
            raise
        self._pending: int = self._database.execute("SELECT count(*) FROM messages").fetchone()[0]

    def put(self, topic: str, payload: bytes) -> int:
        """Keep one message; returns its id when it is on disk."""
        return self.put_many([(topic, payload)])

    def put_many(self, messages: Iterable[tuple[str, bytes]], notes: Mapping[str, str] | None = None) -> int:
        """Keep messages, and notes with them, all or none; returns the id of the last."""
        rows = list(messages)
        with self._lock:
            if self._pending + len(rows) > self.messages_max:
                raise SpoolFullError(
                    f"spool {str(self.path)!r} holds {self._pending} of {self.messages_max} messages"
                )
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT INTO messages (topic, payload) VALUES (?, ?)", rows)
                self._database.executemany(
                    "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    list((notes or {}).items()),
                )
                last = self._database.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._pending += len(rows)
            return int(last)

    def after(self, message_id: int, limit: int) -> list[Stored]:
        """The oldest kept messages with a greater id."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, topic, payload FROM messages WHERE id > ? ORDER BY id LIMIT ?",
                (message_id, limit),
            ).fetchall()
        return [Stored(*row) for row in rows]

    def delete(self, ids: Iterable[int]) -> None:
        """Forget messages: their PUBACK has come."""
        rows = [(message_id,) for message_id in ids]
        if not rows:
            return
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            before = self._database.total_changes
            self._database.executemany("DELETE FROM messages WHERE id = ?", rows)
            self._pending -= self._database.total_changes - before
            self._database.execute("COMMIT")

    def set_aside(self, message_id: int, reason: str) -> None:
        """Move a message to those that the server won't take."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "INSERT OR REPLACE INTO refused SELECT id, topic, payload, ? FROM messages WHERE id = ?",
                (reason, message_id),
            )
            deleted = self._database.execute("DELETE FROM messages WHERE id = ?", (message_id,)).rowcount
            self._database.execute("COMMIT")
            self._pending -= deleted

    def refused(self) -> list[tuple[int, str, bytes, str]]:
        """(id, topic, payload, reason) of what was set aside."""
        with self._lock:
            return self._database.execute(
                "SELECT id, topic, payload, reason FROM refused ORDER BY id"
            ).fetchall()

    def note(self, name: str) -> str | None:
        with self._lock:
            row = self._database.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def pending(self) -> int:
        """Messages without a PUBACK."""
        return self._pending

    def close(self) -> None:
        with self._lock:
            self._database.close()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, read from `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> Address:
        try:
            parts = urlsplit(url if "://" in url else f"mqtt://{url}")
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{url!r} is not an MQTT URL: {error}") from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise SettingsError(f"{url!r} is not an MQTT URL; expected mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname,
            port or (8883 if tls else 1883),
            tls,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )


@dataclass(slots=True)
class ForwardCounts:
    """What a forwarder has done since it began."""

    connections: int = 0
    sent: int = 0  # PUBLISH packets, repeats included
    acknowledged: int = 0
    postponed: int = 0  # answered with a reason to try later
    set_aside: int = 0
    last_error: str | None = None


class _Connection:
    """One MQTT connection. What came from the network lies in `acks` until the sender takes it."""

    def __init__(
        self,
        address: Address,
        *,
        client_id: str,
        username: str | None,
        password: str | None,
        protocol: int,
        keepalive_s: int,
        tls_context: ssl.SSLContext | None,
        wake: threading.Condition,
        on_message: Callable[[str, bytes], None] | None,
        subscriptions: Sequence[str],
    ) -> None:
        self.acks: deque[tuple[int, int, str]] = deque()  # (packet id, reason code, its name)
        self.lost: str | None = None
        self.receive_maximum = 65_535
        self.packet_bytes_max: int | None = None
        self._wake = wake
        self._subscriptions = subscriptions
        self._refusal: str | None = None
        self._connected = False
        # Each connection gets a client of its own: what is in flight belongs to the spool, not to a session.
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion(protocol),
            clean_session=None if protocol == mqtt.MQTTv5 else True,
            reconnect_on_failure=False,
        )
        self.client.max_inflight_messages_set(0)  # the window is ours
        self.client.connect_timeout = 10.0
        if username is not None or password is not None:
            self.client.username_pw_set(username or client_id, password)
        if address.tls:
            self.client.tls_set_context(tls_context or ssl.create_default_context())
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = self._on_publish
        if on_message is not None:
            self.client.on_message = lambda _client, _data, message: on_message(
                message.topic, bytes(message.payload)
            )
        try:
            self.client.connect(
                address.host,
                address.port,
                keepalive_s,
                clean_start=True if protocol == mqtt.MQTTv5 else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            )
        except (OSError, ValueError) as error:
            raise Unavailable(f"mqtt {address.host}:{address.port}: {error}") from error
        self.client.loop_start()
        with wake:
            wake.wait_for(lambda: self._connected or self._refusal or self.lost, timeout=15.0)
        if not self._connected:
            self.close()
            reason = self._refusal or self.lost or "no CONNACK within 15 s"
            raise Unavailable(f"mqtt {address.host}:{address.port}: {reason}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not reason.is_failure:
            for topic in self._subscriptions:
                client.subscribe(topic, qos=1)
        with self._wake:
            if reason.is_failure:
                self._refusal = f"sign-in refused: {reason}"
            else:
                self.receive_maximum = getattr(properties, "ReceiveMaximum", 65_535)
                self.packet_bytes_max = getattr(properties, "MaximumPacketSize", None)
                self._connected = True
            self._wake.notify_all()

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        with self._wake:
            self.lost = f"connection ended: {reason}"
            self._wake.notify_all()

    def _on_publish(
        self, _client: mqtt.Client, _data: object, packet_id: int, reason: ReasonCode, _properties: object
    ) -> None:
        # paho holds its own lock here: only take note, the sender does the rest.
        with self._wake:
            self.acks.append((packet_id, int(reason.value), str(reason)))
            self._wake.notify_all()


def packet_bytes(message: Stored) -> int:
    """Size of the PUBLISH packet of a message, at most."""
    return len(message.topic.encode()) + len(message.payload) + _PUBLISH_OVERHEAD_BYTES


class _Window:
    """What is on its way over one connection, and how far the spool has been read."""

    def __init__(
        self, messages_max: int, bytes_max: int, packet_bytes_max: int, backoff_s: tuple[float, float]
    ) -> None:
        self.packet_bytes_max = packet_bytes_max
        self.cursor = 0
        self.ids: set[int] = set()
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._backoff_s = backoff_s
        self._by_packet: dict[int, Stored] = {}
        self._bytes = 0
        self._delay_s = backoff_s[0]
        self._resume_at = 0.0

    @property
    def room(self) -> int:
        return self._messages_max - len(self._by_packet)

    @property
    def is_open(self) -> bool:
        return self.room > 0 and self._bytes < self._bytes_max and time.monotonic() >= self._resume_at

    @property
    def pause_s(self) -> float | None:
        """How long the server wants us to wait; None: it doesn't."""
        left = self._resume_at - time.monotonic()
        return left + 0.001 if left > 0 else None

    def add(self, packet_id: int, message: Stored) -> None:
        self._by_packet[packet_id] = message
        self.ids.add(message.id)
        self._bytes += packet_bytes(message)

    def remove(self, packet_id: int) -> Stored | None:
        message = self._by_packet.pop(packet_id, None)
        if message is not None:
            self.ids.discard(message.id)
            self._bytes -= packet_bytes(message)
        return message

    def go_back(self, message: Stored) -> None:
        """Read the spool from this message on again."""
        self.cursor = min(self.cursor, message.id - 1)

    def hold_back(self) -> None:
        self._resume_at = time.monotonic() + self._delay_s
        self._delay_s = min(self._backoff_s[1], self._delay_s * 2)

    def hasten(self) -> None:
        self._delay_s = self._backoff_s[0]


class Forwarder:
    """Sends what the spool holds, in order, at QoS 1, over and over until it is acknowledged."""

    def __init__(
        self,
        spool: Spool,
        url: str,
        *,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        window: int = 64,
        window_bytes: int = 4 << 20,
        packet_bytes_max: int = PACKET_BYTES_MAX,
        keepalive_s: int = 30,
        backoff_s: tuple[float, float] = (0.2, 30.0),
        protocol: int = 5,
        tls_context: ssl.SSLContext | None = None,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[str, bytes], None] | None = None,
        on_acknowledged: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        """`protocol` is 5 or 4 (MQTT 3.1.1). `on_acknowledged` gets the ids of `put` whose PUBACK came."""
        if protocol not in (4, 5):
            raise SettingsError(f"protocol {protocol} must be 4 (MQTT 3.1.1) or 5")
        self.spool = spool
        self.counts = ForwardCounts()
        self._address = Address.parse(url)
        self._client_id = client_id
        self._username = username or self._address.username
        self._password = password or self._address.password
        self._window = max(1, window)
        self._window_bytes = window_bytes
        self._packet_bytes_max = packet_bytes_max
        self._keepalive_s = keepalive_s
        self._backoff_s = backoff_s
        self._protocol = protocol
        self._tls_context = tls_context
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_acknowledged = on_acknowledged
        self._wake = threading.Condition()
        self._stopping = False
        self._paused = False
        self._more = False
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"forward-{self._client_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the connection; what isn't acknowledged stays in the spool."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Forwarder:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def put(self, topic: str, payload: bytes) -> int:
        """Keep and send one message; returns its id when it is on disk."""
        return self.put_many([(topic, payload)])

    def put_many(self, messages: Iterable[tuple[str, bytes]], notes: Mapping[str, str] | None = None) -> int:
        last = self.spool.put_many(messages, notes)
        with self._wake:
            self._more = True
            self._wake.notify_all()
        return last

    def pause(self, paused: bool = True) -> None:
        """Cut the connection and stay away (an outage), or come back; `put` goes on meanwhile.

        Returns when the connection has ended. Not to be called from `on_message` or `on_acknowledged`.
        """
        with self._wake:
            self._paused = paused
            self._wake.notify_all()
            if paused:
                self._wake.wait_for(lambda: not self._is_busy)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is acknowledged or set aside; False where the time ran out."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._wake:
            while self.spool.pending:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._wake.wait(min(0.5, left) if left is not None else 0.5)
        return True

    # The sender's thread.

    def _run(self) -> None:
        failures = 0
        while self._wait_to_connect(failures):
            acknowledged = self.counts.acknowledged
            try:
                connection = self._connect()
                try:
                    self._serve(connection)
                finally:
                    connection.close()
            except Unavailable as error:
                self._complain(str(error))
            except sqlite3.Error as error:  # a full disk, perhaps: it may have room later
                self._complain(f"spool {str(self.spool.path)!r}: {error}")
            finally:
                with self._wake:
                    self._is_busy = False
                    self._wake.notify_all()
            # Only an acknowledgement ends the backing off: a server that takes the connection and cuts it
            # again is as far away as one that isn't there.
            failures = 0 if self.counts.acknowledged > acknowledged else failures + 1

    def _wait_to_connect(self, failures: int) -> bool:
        """Back off after failures, and wait while there is nothing to do; False: stop."""
        shortest, longest = self._backoff_s
        pause_s = 0.0 if failures == 0 else min(longest, shortest * 2 ** min(failures - 1, 20))
        until = time.monotonic() + pause_s * random.uniform(0.5, 1.0)
        with self._wake:
            while not self._stopping and (self._paused or time.monotonic() < until):
                self._wake.wait(None if self._paused else max(0.0, until - time.monotonic()))
            self._is_busy = not self._stopping
            return self._is_busy

    def _complain(self, text: str) -> None:
        if text != self.counts.last_error:  # the same complaint once
            log.warning("%s: %s", self._client_id, text)
        self.counts.last_error = text

    def _connect(self) -> _Connection:
        connection = _Connection(
            self._address,
            client_id=self._client_id,
            username=self._username,
            password=self._password,
            protocol=self._protocol,
            keepalive_s=self._keepalive_s,
            tls_context=self._tls_context,
            wake=self._wake,
            on_message=self._on_message,
            subscriptions=self._subscriptions,
        )
        self.counts.connections += 1
        return connection

    def _serve(self, connection: _Connection) -> None:
        """Fill the window and take the acknowledgements until the connection ends or we leave."""
        window = _Window(
            min(self._window, connection.receive_maximum),
            self._window_bytes,
            min(self._packet_bytes_max, connection.packet_bytes_max or self._packet_bytes_max),
            self._backoff_s,
        )
        while True:
            reached_end = self._fill(connection, window)
            with self._wake:
                if reached_end or not window.is_open:
                    self._wake.wait_for(
                        lambda: (
                            connection.acks
                            or connection.lost
                            or self._stopping
                            or self._paused
                            or (self._more and window.is_open)
                        ),
                        timeout=window.pause_s,
                    )
                acks = list(connection.acks)
                connection.acks.clear()
                lost, leaving = connection.lost, self._stopping or self._paused
            self._take(acks, window)
            if leaving:
                return
            if lost:
                raise Unavailable(lost)

    def _fill(self, connection: _Connection, window: _Window) -> bool:
        """Publish what the window has room for; True: nothing more lies behind the cursor."""
        if not window.is_open:
            return False
        with self._wake:
            self._more = False
        limit = min(window.room, 64)
        page = self.spool.after(window.cursor, limit)
        for message in page:
            if not window.is_open:
                return False
            window.cursor = message.id
            if message.id in window.ids:  # the cursor went back over it
                continue
            if packet_bytes(message) > window.packet_bytes_max:
                reason = (
                    f"packet of {packet_bytes(message)} bytes, the server takes {window.packet_bytes_max}"
                )
                self._set_aside(message, reason)
                continue
            try:
                info = connection.client.publish(message.topic, message.payload, qos=1)
            except ValueError as error:  # a text that can't be a topic
                self._set_aside(message, str(error))
                continue
            # Without a connection paho keeps it; `lost` follows, and the client and its memory go.
            if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
                raise Unavailable(f"publish: {mqtt.error_string(info.rc)}")
            window.add(info.mid, message)
            self.counts.sent += 1
        return len(page) < limit

    def _take(self, acks: Sequence[tuple[int, int, str]], window: _Window) -> None:
        done: list[int] = []
        postponed = 0
        for packet_id, code, name in acks:
            message = window.remove(packet_id)
            if message is None:
                continue
            if code == _SUCCESS:
                done.append(message.id)
            elif code in _PERMANENT:
                self._set_aside(message, name)
            else:
                postponed += 1
                window.go_back(message)
                self._complain(f"server answers {name!r}: sending again later")
        if done:
            self.spool.delete(done)
            if self._on_acknowledged is not None:
                self._on_acknowledged(done)
            self.counts.acknowledged += len(done)
            with self._wake:
                self._wake.notify_all()  # whoever drains
        if postponed:
            self.counts.postponed += postponed
            window.hold_back()
        elif done:
            window.hasten()

    def _set_aside(self, message: Stored, reason: str) -> None:
        log.error("%s: set aside message %d of %r: %s", self._client_id, message.id, message.topic, reason)
        self.spool.set_aside(message.id, reason)
        self.counts.set_aside += 1
        with self._wake:
            self._wake.notify_all()
