"""Store and forward for gateways: what the server hasn't confirmed stays on disk and is sent again.

    spool = Spool("/var/lib/gateway/spool.sqlite")
    with Forwarder(spool, "mqtt://server:1883", client_id="gw1", password=KEY) as forwarder:
        forwarder.put("carbon/v1/91430304XT0000022B/gw1/readings", payload)   # returns when it is on disk
        forwarder.drain(timeout_s=60)

`put` returns once the message is on the disk of the gateway; it leaves it when the server's PUBACK, which
at carbonmeter means a committed row, has come. Whatever ends the connection or the process, the rest is sent
again: some messages twice (the server counts a reading once), none never.

A broker between doesn't promise that: its PUBACK is its own word. `confirm="receipt"` waits for carbonmeter's receipt,
which comes after the commit whatever the way was, and sends again what has none. It takes messages that can have one:
objects of form A, B or C to a `…/readings` topic; an object without a `seq` gets one (its number in the spool).

What the server's answer does to a message:

- success: deleted.
- *no matching subscribers* (a broker that nobody reads from), quota exceeded, server busy, unspecified error:
  kept, sent again after a pause.
- not authorized, topic name invalid, payload format invalid, too large for the server: set aside in the same
  file with the reason (`Spool.refused`), since sending it again can't help; a person looks.

`order="newest"` sends the newest message first, so that after an outage a dashboard is up to date at once and the
backlog follows; the server takes readings in any order.

Memory is bounded by the window (`window` messages, `window_bytes`); the spool by `Spool.messages_max` and `bytes_max`.
Beyond them, and when the disk is full, `put` raises `SpoolFullError` and what is there stays: what to lose then is
the gateway's decision. `when_full="drop_oldest"` decides it: the oldest messages make room, and are counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import sqlite3
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from domain.errors import CarbonmeterError, Refused, SettingsError, Unavailable

log = logging.getLogger(__name__)

PACKET_BYTES_MAX = 1 << 20  # the server's default maximum packet
_PUBLISH_OVERHEAD_BYTES = 5 + 2 + 2 + 1  # fixed header, topic length, packet id, empty properties

Order: TypeAlias = Literal["oldest", "newest"]
Confirm: TypeAlias = Literal["puback", "receipt"]
WhenFull: TypeAlias = Literal["refuse", "drop_oldest"]

RESERVE_BYTES = 1 << 20  # of disk, kept so that a full one doesn't hinder us from deleting
_ROW_BYTES = 64  # of a message in the spool, beside its topic and payload
_DROP_AT_ONCE = 256
_RECEIPT_S_MAX = 600.0

_SUCCESS = 0x00
# Sending it again can't help: bad topic, no rights, bad payload, too large.
_PERMANENT = frozenset({0x87, 0x90, 0x95, 0x99})


class SpoolFullError(CarbonmeterError):
    """The spool holds as much as it may, or the disk does: the server has been away for long. Nothing was taken."""


class Stored(NamedTuple):
    """A message of the spool; ids grow in the order of `put`."""

    id: int
    topic: str
    payload: bytes


class Spool:
    """Messages on disk (SQLite, WAL, synced at every `put`), and a few notes that change with them.

    messages_max, bytes_max   how much it may hold: messages, and bytes of topics and payloads
    when_full                 refuse: `put` raises; drop_oldest: the oldest make room, counted in `dropped`
    reserve_bytes             of disk kept in a file beside it, so that a full disk doesn't hinder deleting; 0: none

    One process at a time: a second one is refused. Threads may share it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        messages_max: int = 10_000_000,
        bytes_max: int = 4 << 30,
        when_full: WhenFull = "refuse",
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        if when_full not in ("refuse", "drop_oldest"):
            raise SettingsError(f"when_full {when_full!r} must be refuse or drop_oldest")
        self.path = Path(path)
        self.messages_max = messages_max
        self.bytes_max = bytes_max
        self.when_full = when_full
        self.dropped = 0  # messages, since it was opened
        self._reserve_bytes = reserve_bytes
        self._reserve = self.path.with_name(self.path.name + "-reserve")
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
            self._database.execute("PRAGMA wal_autocheckpoint = 128")
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
        self._pending: int
        self._bytes: int
        self._pending, self._bytes = self._database.execute(
            "SELECT count(*), coalesce(sum(length(CAST(topic AS BLOB)) + length(payload) + ?), 0) FROM messages",
            [_ROW_BYTES],
        ).fetchone()
        self._keep_reserve()

    def put(self, topic: str, payload: bytes) -> int:
        """Keep one message; returns its id when it is on disk."""
        return self.put_many([(topic, payload)])

    def put_many(self, messages: Iterable[tuple[str, bytes]], notes: Mapping[str, str] | None = None) -> int:
        """Keep messages, and notes with them, all or none; returns the id of the last."""
        rows = list(messages)
        size = sum(len(topic.encode()) + len(payload) + _ROW_BYTES for topic, payload in rows)
        with self._lock:
            self._make_room(len(rows), size)
            try:
                last = self._insert(rows, notes or {})
            except sqlite3.OperationalError as error:
                if not _is_disk_full(error):
                    raise
                raise SpoolFullError(
                    f"spool {str(self.path)!r}: the disk takes no more ({error}); {self._pending} messages stay,"
                    " nothing more is taken"
                ) from error
            self._pending += len(rows)
            self._bytes += size
            return last

    def _insert(self, rows: Sequence[tuple[str, bytes]], notes: Mapping[str, str]) -> int:
        with self._transaction():
            self._database.executemany("INSERT INTO messages (topic, payload) VALUES (?, ?)", rows)
            self._database.executemany(
                "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                list(notes.items()),
            )
            return int(self._database.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a full disk may have rolled it back already
                self._database.execute("ROLLBACK")
            raise

    def _make_room(self, messages: int, size: int) -> None:
        """Within the bounds; SpoolFullError where there is none and nothing may be dropped."""
        while self._pending + messages > self.messages_max or self._bytes + size > self.bytes_max:
            if self.when_full == "refuse" or not self._pending:
                raise SpoolFullError(
                    f"spool {str(self.path)!r} holds {self._pending} of {self.messages_max} messages,"
                    f" {self._bytes} of {self.bytes_max} bytes: {messages} of {size} bytes aren't taken"
                )
            ids = self._database.execute(
                "SELECT id FROM messages ORDER BY id LIMIT ?", [_DROP_AT_ONCE]
            ).fetchall()
            before = self._pending
            self._delete([row[0] for row in ids])
            if not self.dropped:
                log.error("spool %r is full: the oldest messages are dropped from now on", str(self.path))
            self.dropped += before - self._pending

    def after(self, message_id: int, limit: int) -> list[Stored]:
        """The oldest kept messages with a greater id."""
        return self._page("id > ? ORDER BY id", message_id, limit)

    def before(self, message_id: int, limit: int) -> list[Stored]:
        """The newest kept messages with a smaller id."""
        return self._page("id < ? ORDER BY id DESC", message_id, limit)

    def _page(self, which: str, message_id: int, limit: int) -> list[Stored]:
        with self._lock:
            rows = self._database.execute(
                f"SELECT id, topic, payload FROM messages WHERE {which} LIMIT ?", (message_id, limit)
            ).fetchall()
        return [Stored(*row) for row in rows]

    def delete(self, ids: Iterable[int]) -> None:
        """Forget messages: they are confirmed."""
        wanted = list(ids)
        if wanted:
            with self._lock:
                self._delete(wanted)

    def _delete(self, ids: Sequence[int]) -> None:
        def delete() -> None:
            found = self._database.execute(
                "SELECT count(*), coalesce(sum(length(CAST(topic AS BLOB)) + length(payload) + ?), 0)"
                " FROM messages WHERE id IN (SELECT value FROM json_each(?))",
                [_ROW_BYTES, json.dumps(ids)],
            ).fetchone()
            with self._transaction():
                self._database.executemany(
                    "DELETE FROM messages WHERE id = ?", [(message_id,) for message_id in ids]
                )
            self._pending -= found[0]
            self._bytes -= found[1]

        self._even_if_full(delete)

    def _even_if_full(self, action: Callable[[], None]) -> None:
        """What makes room must go on a full disk too: then the reserve gives it."""
        try:
            action()
        except sqlite3.OperationalError as error:
            if not _is_disk_full(error):
                raise
            self._reserve.unlink(missing_ok=True)
            with contextlib.suppress(sqlite3.OperationalError):
                # begins the log of changes anew, whose room is there already
                self._database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            action()
        if self._reserve_bytes and not self._reserve.exists():
            self._keep_reserve()

    def _keep_reserve(self) -> None:
        """Take the reserve where the disk has room for it."""
        if not self._reserve_bytes:
            return
        try:
            with self._reserve.open("ab") as file:
                missing = self._reserve_bytes - file.tell()
                if missing > 0:
                    file.write(bytes(missing))
                    file.flush()
                    os.fsync(file.fileno())
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def set_aside(self, message_id: int, reason: str) -> None:
        """Move a message to those that the server won't take."""

        def move() -> None:
            with self._transaction():
                self._database.execute(
                    "INSERT OR REPLACE INTO refused SELECT id, topic, payload, ? FROM messages WHERE id = ?",
                    (reason, message_id),
                )
                found = self._database.execute(
                    "DELETE FROM messages WHERE id = ? RETURNING length(CAST(topic AS BLOB)) + length(payload)",
                    (message_id,),
                ).fetchall()
            self._pending -= len(found)
            self._bytes -= sum(row[0] + _ROW_BYTES for row in found)

        with self._lock:
            self._even_if_full(move)

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
        """Messages that aren't confirmed."""
        return self._pending

    @property
    def size_bytes(self) -> int:
        """Bytes that count towards `bytes_max`."""
        return self._bytes

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _is_disk_full(error: sqlite3.OperationalError) -> bool:
    """Or beyond a quota, which SQLite reports as a failed write."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


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
    acknowledged: int = 0  # confirmed, and deleted
    rejected: int = 0  # readings that receipts call rejected: they lie in the server's dead letters
    postponed: int = 0  # answered with a reason to try later, or without a receipt in time
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
        self.receipts: deque[tuple[str, bytes]] = deque()  # (topic, payload) of what was subscribed to
        self.subscribed = set(subscriptions)
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
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self._hand_over = on_message
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

    def subscribe(self, topic: str) -> None:
        """Once a connection; a refusal ends it."""
        if topic not in self.subscribed:
            self.subscribed.add(topic)
            self.client.subscribe(topic, qos=1)

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

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            with self._wake:
                self.lost = f"subscription refused: {refused[0]}"
                self._wake.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        topic, payload = message.topic, bytes(message.payload)
        with self._wake:
            self.receipts.append((topic, payload))
            self._wake.notify_all()
        if self._hand_over is not None:
            self._hand_over(topic, payload)

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


@dataclass(slots=True)
class _Sent:
    """A message on its way. `receipt`: (topic, seq) of what will confirm it; None: its PUBACK does."""

    message: Stored
    receipt: tuple[str, str] | None
    at: float  # [s, monotonic]


class _Window:
    """What is on its way over one connection, and how far the spool has been read.

    cursor   in order of age: what was read last; newest first: the same, counted down
    """

    def __init__(
        self,
        messages_max: int,
        bytes_max: int,
        packet_bytes_max: int,
        backoff_s: tuple[float, float],
        order: Order,
        receipt_timeout_s: float,
    ) -> None:
        self.packet_bytes_max = packet_bytes_max
        self.ids: set[int] = set()
        self._order = order
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._backoff_s = backoff_s
        self._by_packet: dict[int, _Sent] = {}
        self._by_receipt: dict[tuple[str, str], deque[_Sent]] = {}
        self._sent: dict[int, _Sent] = {}  # by id, the longest on their way first
        self._bytes = 0
        self._delay_s = backoff_s[0]
        self._resume_at = 0.0
        self._first_receipt_s = self._receipt_s = receipt_timeout_s
        self.cursor = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Further messages have come: newest first, they are next."""
        if self._order == "newest":
            self.cursor = 1 << 62

    @property
    def room(self) -> int:
        return self._messages_max - len(self._sent)

    @property
    def is_open(self) -> bool:
        return self.room > 0 and self._bytes < self._bytes_max and time.monotonic() >= self._resume_at

    @property
    def pause_s(self) -> float | None:
        """How long to wait for what the server wants, or for receipts; None: for as long as it takes."""
        now = time.monotonic()
        dues = [self._resume_at] if self._resume_at > now else []
        if self._by_receipt:
            dues.append(next(iter(self._sent.values())).at + self._receipt_s)
        return max(0.0, min(dues) - now) + 0.001 if dues else None

    def page(self, spool: Spool, limit: int) -> list[Stored]:
        """The next messages of the spool."""
        return (spool.before if self._order == "newest" else spool.after)(self.cursor, limit)

    def add(self, packet_id: int, message: Stored, receipt: tuple[str, str] | None) -> None:
        sent = _Sent(message, receipt, time.monotonic())
        self._by_packet[packet_id] = sent
        self._sent[message.id] = sent
        if receipt is not None:
            self._by_receipt.setdefault(receipt, deque()).append(sent)
        self.ids.add(message.id)
        self._bytes += packet_bytes(message)

    def acknowledged(self, packet_id: int) -> _Sent | None:
        """What a PUBACK is for; None where a receipt came before it."""
        sent = self._by_packet.pop(packet_id, None)
        return sent if sent is not None and self._sent.get(sent.message.id) is sent else None

    def receipted(self, receipt: tuple[str, str]) -> _Sent | None:
        """What a receipt is for: the one sent first, where several carry the seq."""
        waiting = self._by_receipt.get(receipt)
        if not waiting:
            return None
        self._receipt_s = self._first_receipt_s
        sent = waiting[0]
        self.remove(sent)
        return sent

    def remove(self, sent: _Sent) -> None:
        del self._sent[sent.message.id]
        self.ids.discard(sent.message.id)
        self._bytes -= packet_bytes(sent.message)
        if sent.receipt is not None:
            waiting = self._by_receipt[sent.receipt]
            waiting.remove(sent)
            if not waiting:
                del self._by_receipt[sent.receipt]

    def overdue(self) -> int:
        """Give up waiting for receipts that are overdue, and read those messages again; how many."""
        now = time.monotonic()
        late = []
        for sent in self._sent.values():
            if now - sent.at < self._receipt_s:
                break
            if sent.receipt is not None:
                late.append(sent)
        for sent in late:
            self.remove(sent)
            self.go_back(sent.message)
        if late:  # a broker may keep it all for a server that is away: less and less often
            self._receipt_s = min(_RECEIPT_S_MAX, 2 * self._receipt_s)
        return len(late)

    def go_back(self, message: Stored) -> None:
        """Read the spool from this message on again."""
        if self._order == "newest":
            self.cursor = max(self.cursor, message.id + 1)
        else:
            self.cursor = min(self.cursor, message.id - 1)

    def hold_back(self) -> None:
        self._resume_at = time.monotonic() + self._delay_s
        self._delay_s = min(self._backoff_s[1], self._delay_s * 2)

    def hasten(self) -> None:
        self._delay_s = self._backoff_s[0]


def receipts_topic(topic: str) -> str | None:
    """Where the receipts of a topic of readings come; None where it is no such topic."""
    head, _, last = topic.rpartition("/")
    return f"{head}/receipts" if last == "readings" and head.count("/") == 3 else None


def numbered(message: Stored) -> tuple[bytes, str]:
    """(payload, seq as JSON) of a message that will have a receipt: its own seq, else its number in the spool.

    ValueError where it can have none.
    """
    try:
        content = json.loads(message.payload)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it isn't JSON ({error}), so no receipt can confirm it") from error
    if not isinstance(content, dict):
        raise ValueError("it isn't one JSON object, so no receipt can confirm it")
    if "seq" in content:
        if not isinstance(content["seq"], int | str) or isinstance(content["seq"], bool):
            raise ValueError(f"its seq {content['seq']!r} is no whole number or text")
        return message.payload, json.dumps(content["seq"])
    # Put in as text: what the gateway wrote stays as it is, to the last digit.
    inside = message.payload.partition(b"{")[2]
    comma = b"," if content else b""
    return b'{"seq":%d%s' % (message.id, comma) + inside, str(message.id)


class Forwarder:
    """Sends what the spool holds, in order, at QoS 1, over and over until it is confirmed."""

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
        order: Order = "oldest",
        confirm: Confirm = "puback",
        receipt_timeout_s: float = 15.0,
    ) -> None:
        """`protocol` is 5 or 4 (MQTT 3.1.1). `on_acknowledged` gets the ids of `put` that are confirmed.

        `confirm` is puback for carbonmeter's own endpoint, receipt for a broker (and right for both).
        """
        if protocol not in (4, 5):
            raise SettingsError(f"protocol {protocol} must be 4 (MQTT 3.1.1) or 5")
        if order not in ("oldest", "newest"):
            raise SettingsError(f"order {order!r} must be oldest or newest")
        if confirm not in ("puback", "receipt"):
            raise SettingsError(f"confirm {confirm!r} must be puback or receipt")
        self._order: Order = order
        self._confirm = confirm
        self._receipt_timeout_s = receipt_timeout_s
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
            self._order,
            self._receipt_timeout_s,
        )
        while True:
            reached_end = self._fill(connection, window)
            with self._wake:
                if reached_end or not window.is_open:
                    self._wake.wait_for(
                        lambda: (
                            connection.acks
                            or connection.receipts
                            or connection.lost
                            or self._stopping
                            or self._paused
                            or (self._more and window.is_open)
                        ),
                        timeout=window.pause_s,
                    )
                acks = list(connection.acks)
                receipts = list(connection.receipts)
                connection.acks.clear()
                connection.receipts.clear()
                lost, leaving = connection.lost, self._stopping or self._paused
            self._take(acks, receipts, window)
            late = window.overdue()
            if late:
                self.counts.postponed += late
                self._complain(f"{late} messages have no receipt yet: sending them again")
            if leaving:
                return
            if lost:
                raise Unavailable(lost)

    def _fill(self, connection: _Connection, window: _Window) -> bool:
        """Publish what the window has room for; True: nothing more lies behind the cursor."""
        if not window.is_open:
            return False
        with self._wake:
            if self._more:
                window.begin_anew()
            self._more = False
        limit = min(window.room, 64)
        page = window.page(self.spool, limit)
        for message in page:
            if not window.is_open:
                return False
            window.cursor = message.id
            if message.id in window.ids:  # the cursor went back over it
                continue
            try:
                topic, payload, receipt = self._outgoing(message)
                size = packet_bytes(Stored(message.id, topic, payload))
                if size > window.packet_bytes_max:
                    raise ValueError(f"packet of {size} bytes, the server takes {window.packet_bytes_max}")
                if receipt is not None:
                    connection.subscribe(receipt[0])
                info = connection.client.publish(topic, payload, qos=1)
            except ValueError as error:  # also a text that can't be a topic
                self._set_aside(message, str(error))
                continue
            # Without a connection paho keeps it; `lost` follows, and the client and its memory go.
            if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
                raise Unavailable(f"publish: {mqtt.error_string(info.rc)}")
            window.add(info.mid, message, receipt)
            self.counts.sent += 1
        return len(page) < limit

    def _outgoing(self, message: Stored) -> tuple[str, bytes, tuple[str, str] | None]:
        """(topic, payload, the receipt that will confirm it); ValueError where none can though it must."""
        if self._confirm == "puback":
            return message.topic, message.payload, None
        receipts = receipts_topic(message.topic)
        if receipts is None:
            raise ValueError("only what is published to …/readings has a receipt to confirm it")
        payload, seq = numbered(message)
        return message.topic, payload, (receipts, seq)

    def _take(
        self, acks: Sequence[tuple[int, int, str]], receipts: Sequence[tuple[str, bytes]], window: _Window
    ) -> None:
        done: list[int] = []
        postponed = 0
        for packet_id, code, name in acks:
            sent = window.acknowledged(packet_id)
            if sent is None or (code == _SUCCESS and sent.receipt is not None):
                continue
            window.remove(sent)
            if code == _SUCCESS:
                done.append(sent.message.id)
            elif code in _PERMANENT:
                self._set_aside(sent.message, name)
            else:
                postponed += 1
                window.go_back(sent.message)
                self._complain(f"server answers {name!r}: sending again later")
        done += self._receipted(receipts, window)
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

    def _receipted(self, receipts: Sequence[tuple[str, bytes]], window: _Window) -> list[int]:
        """Ids of the messages that these receipts confirm."""
        done = []
        for topic, payload in receipts:
            try:
                receipt = json.loads(payload)
                sent = window.receipted((topic, json.dumps(receipt["seq"])))
                rejected = int(receipt.get("rejected", 0))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue  # no receipt, whatever it is
            if sent is not None:
                done.append(sent.message.id)
                self.counts.rejected += rejected
        return done

    def _set_aside(self, message: Stored, reason: str) -> None:
        log.error("%s: set aside message %d of %r: %s", self._client_id, message.id, message.topic, reason)
        self.spool.set_aside(message.id, reason)
        self.counts.set_aside += 1
        with self._wake:
            self._wake.notify_all()
