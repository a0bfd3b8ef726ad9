"""Gateways that send again what has no acknowledgement: over MQTT by hand, by `carbonmeter.forward`, over HTTP.

Each tells how many messages wait, how many were acknowledged, and what it has to complain of: an acknowledgement that
refuses, a receipt that isn't what the message deserves. A message is done with its PUBACK or its receipt, whichever
comes first (through a broker with its receipt alone), and is never sent again after it: so either of them being untrue
loses readings, which the verdict sees.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.chaos import packets
from bench.chaos.works import GatewayPlan, Message
from carbonmeter.forward import Forwarder, Spool

WINDOW = 200
RECEIPT_S = 3.0  # how long a receipt is waited for before the message is sent again
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing drops what is under way, as a cut line would


class Sender:
    """What all gateways have in common. `waiting` is by the number of the message."""

    def __init__(self, plan: GatewayPlan) -> None:
        self.plan = plan
        self.acknowledged = 0
        self.receipts = 0
        self.sent_readings: int | None = None  # repeats included, where they are known
        self.complaints: list[str] = []
        self.by_seq: dict[int, Message] = {}

    @property
    def pending(self) -> int:
        raise NotImplementedError

    def offer(self, messages: Iterable[Message]) -> None:
        """Keep messages and send them until they are acknowledged."""
        raise NotImplementedError

    def cut(self) -> None:
        """Break the connection, if possible within a message."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    @property
    def backlog(self) -> int:
        """Messages that the server hasn't confirmed."""
        return self.pending

    def open_markers(self) -> list[tuple[str, int]]:
        """Markers of messages that were sent once, on the connection that stands, and that nothing has confirmed."""
        return []

    def begin(self) -> None:
        """From here on `open_markers` begins anew."""

    def complain(self, text: str) -> None:
        if len(self.complaints) < 20:
            self.complaints.append(f"{self.plan.gateway}: {text}")

    def check_receipt(self, receipt: dict[str, Any]) -> None:
        """A receipt must say what becomes of the message with its number."""
        self.receipts += 1
        message = self.by_seq.get(receipt["seq"])
        said = receipt.get("stored"), receipt.get("held"), receipt.get("rejected")
        if message is None or said != (message.stored, message.held, message.rejected):
            self.complain(f"receipt {receipt} for {message}")
        elif datetime.fromisoformat(receipt["committed_at"]).tzinfo is None:
            self.complain(f"receipt {receipt}: its time has no offset")

    def remember(self, messages: Iterable[Message]) -> None:
        self.by_seq |= {message.seq: message for message in messages if message.seq is not None}


class MqttSender(Sender):
    """MQTT by hand, in a thread.

    through_broker  a PUBACK is the broker's word and a receipt alone is the server's
    by_receipt      so a message is done with its receipt alone, and sent again where none comes
    twice           share of the messages that are sent twice at once
    """

    def __init__(
        self,
        plan: GatewayPlan,
        port: int,
        version: int,
        *,
        through_broker: bool = False,
        by_receipt: bool = False,
        twice: float = 0.0,
    ) -> None:
        super().__init__(plan)
        self._port = port
        self._version = version
        self._through_broker = through_broker
        self._by_receipt = by_receipt
        self._twice = twice
        self._chance = random.Random(f"{plan.seed} {plan.number}")
        self._sent_at: dict[int, float] = {}  # [s, monotonic] of what waits for its receipt, by number
        self.sent_readings = None if through_broker else 0  # a broker repeats by itself
        self._lock = threading.Lock()
        self._waiting: dict[int, Message] = {}
        self._sent: dict[int, int] = {}  # how often, by number
        self._numbers: dict[int, int] = {}  # of a message, by its seq
        self._receipted: set[int] = set()
        self._begun = 0  # the last message offered when `begin` was called
        self._unsent: deque[int] = deque()
        self._in_flight: dict[int, int] = {}  # number by packet id
        self._packet_id = 0
        self._count = 0
        self._is_cut = False
        self._stop = threading.Event()
        self.connections = 0
        self.quiet = 0  # looks at the connection that found nothing to read
        self._thread = threading.Thread(target=self._run, name=plan.gateway, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def offer(self, messages: Iterable[Message]) -> None:
        with self._lock:
            for message in messages:
                self._count += 1
                self._waiting[self._count] = message
                self._unsent.append(self._count)
                if message.seq is not None:
                    self.by_seq[message.seq] = message
                    self._numbers[message.seq] = self._count

    def cut(self) -> None:
        self._is_cut = True

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def backlog(self) -> int:
        if not self._through_broker or self._by_receipt:
            return self.pending
        with self._lock:
            return self._count - max(self._receipted, default=0)

    def begin(self) -> None:
        with self._lock:
            self._begun = self._count

    def open_markers(self) -> list[tuple[str, int]]:
        with self._lock:
            if self._through_broker:
                numbers = {
                    number for number in self._numbers.values() if number > self._begun
                } - self._receipted
                messages = [message for seq, message in self.by_seq.items() if self._numbers[seq] in numbers]
            else:
                numbers = {number for number in self._in_flight.values() if self._sent[number] == 1}
                messages = [self._waiting[number] for number in numbers]
            return [message.marker for message in messages if message.marker is not None]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
                    connection.setblocking(False)
                    self._session(connection)
            except OSError:
                self.quiet += 1
                self._stop.wait(0.05)
            except Exception as error:
                self.complain(f"{type(error).__name__}: {error}")
                raise

    def _session(self, connection: socket.socket) -> None:
        with self._lock:
            if not self._through_broker:
                for number in self._receipted & self._waiting.keys():
                    del self._waiting[number]
                    self.acknowledged += 1
            self._in_flight.clear()
            self._unsent = deque(self._waiting)
            self._sent_at.clear()
        self.connections += 1
        self._is_cut = False
        is_ready = False
        receipts = f"carbon/v1/{self.plan.uscc}/{self.plan.gateway}/receipts"
        out = bytearray(packets.connect(f"sender-{self.plan.uscc}-{self.plan.gateway}", self._version))
        out += packets.subscribe(receipts, 65_535, self._version)
        data = b""
        while not self._stop.is_set():
            if is_ready:
                out += self._filled()
            if self._is_cut:
                with contextlib.suppress(BlockingIOError):
                    connection.send(
                        out or packets.publish(self.plan.topic, b"half of it", 1, self._version)[:7]
                    )
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                raise ConnectionError("cut")
            readable, writable, _ = select.select([connection], [connection] if out else [], [], 0.02)
            if readable:
                more = connection.recv(1 << 16)
                if not more:
                    raise ConnectionError("ended")
                data += more
                found, data = packets.split(data)
                for first, body in found:
                    is_ready |= self._answer(first, body)
            else:
                self.quiet += 1
            if writable:
                with contextlib.suppress(BlockingIOError):
                    del out[: connection.send(out)]

    def _filled(self) -> bytes:
        """Further messages, as many as the window has room for."""
        parts = []
        with self._lock:
            if self._by_receipt:
                self._unsent.extend(self._overdue())
            while self._unsent and len(self._in_flight) < WINDOW:
                number = self._unsent.popleft()
                message = self._waiting.get(number)
                if message is None:
                    continue
                if self._chance.random() < self._twice:
                    self._unsent.appendleft(number)
                while True:
                    self._packet_id = self._packet_id % 60_000 + 1
                    if self._packet_id not in self._in_flight:
                        break
                self._in_flight[self._packet_id] = number
                self._sent[number] = self._sent.get(number, 0) + 1
                if self._by_receipt:
                    self._sent_at[number] = time.monotonic()
                if self.sent_readings is not None:
                    self.sent_readings += message.readings
                parts.append(packets.publish(message.topic, message.payload, self._packet_id, self._version))
        return b"".join(parts)

    def _overdue(self) -> list[int]:
        """Numbers of the messages that were sent and have had no receipt for long."""
        now = time.monotonic()
        late = [number for number, at in self._sent_at.items() if now - at > RECEIPT_S]
        for number in late:
            del self._sent_at[number]
        return late

    def _answer(self, first: int, body: bytes) -> bool:
        """Take one packet; whether it was the last of the greetings."""
        kind = first >> 4
        if kind == 2 and body[1]:
            self.complain(f"CONNACK {body[1]:#x}")
        elif kind == 4:
            self._acknowledged(int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0)
        elif kind == 3:
            self._receipt(first, body)
        elif kind == 14:
            self.complain(f"DISCONNECT {body.hex()}")
        return kind == 9

    def _acknowledged(self, packet_id: int, code: int) -> None:
        with self._lock:
            number = self._in_flight.pop(packet_id, None)
            if number is not None and not self._by_receipt:
                self._done(number)
        if number is None:
            self.complain(f"PUBACK of {packet_id}, which isn't in flight")
        if code not in (0, 0x10):  # a broker without subscribers says so; its session keeps the message
            self.complain(f"PUBACK {code:#x}")

    def _receipt(self, first: int, body: bytes) -> None:
        at = 2 + int.from_bytes(body[:2], "big") + (2 if first & 6 else 0) + (self._version == 5)
        receipt = json.loads(body[at:])
        self.check_receipt(receipt)
        with self._lock:
            number = self._numbers.get(receipt["seq"])
            if number is not None:
                self._receipted.add(number)
                if self._by_receipt:
                    self._done(number)

    def _done(self, number: int) -> None:
        self.acknowledged += self._waiting.pop(number, None) is not None
        self._sent_at.pop(number, None)


class ForwardSender(Sender):
    """What gateways are given to use: `carbonmeter.forward` with its spool on disk."""

    def __init__(self, plan: GatewayPlan, port: int, folder: Path) -> None:
        super().__init__(plan)
        self._spool = Spool(folder / f"{plan.gateway}.sqlite")
        self._forwarder = Forwarder(
            self._spool,
            f"mqtt://127.0.0.1:{port}",
            client_id=f"forward-{plan.uscc}-{plan.gateway}",
            backoff_s=(0.05, 1.0),
            subscriptions=[f"carbon/v1/{plan.uscc}/{plan.gateway}/receipts"],
            on_message=self._on_message,
            on_acknowledged=self._on_acknowledged,
        )
        self._forwarder.start()

    @property
    def pending(self) -> int:
        return self._spool.pending

    def offer(self, messages: Iterable[Message]) -> None:
        messages = list(messages)
        self.remember(messages)
        self._forwarder.put_many([(message.topic, message.payload) for message in messages])

    def cut(self) -> None:
        self._forwarder.pause()
        self._forwarder.pause(False)

    def close(self) -> None:
        self._forwarder.stop()
        for _, topic, _, reason in self._spool.refused():
            self.complain(f"a message to {topic} was refused: {reason}")
        self._spool.close()

    def _on_message(self, _topic: str, payload: bytes) -> None:
        self.check_receipt(json.loads(payload))

    def _on_acknowledged(self, ids: Any) -> None:
        self.acknowledged += len(ids)


class HttpSender(Sender):
    """`POST /v1/readings`, one after the other, until each has its 202."""

    def __init__(self, plan: GatewayPlan, port: int, key: str) -> None:
        super().__init__(plan)
        self.sent_readings = 0
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._path = f"/v1/readings?uscc={plan.uscc}&gateway={plan.gateway}"
        self._waiting: deque[Message] = deque()
        self._stop = threading.Event()
        self._is_cut = False
        self._thread = threading.Thread(target=self._run, name=plan.gateway, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        return len(self._waiting)

    def offer(self, messages: Iterable[Message]) -> None:
        messages = list(messages)
        self.remember(messages)
        self._waiting.extend(messages)

    def cut(self) -> None:
        self._is_cut = True

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._connection() as connection:
                try:
                    while self._waiting and not self._is_cut:
                        self._post(connection, self._waiting[0])
                    if self._is_cut:
                        self._is_cut = False
                        self._post_half(connection)
                except (OSError, http.client.HTTPException):
                    pass
            self._stop.wait(0.02)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=40)
        try:
            yield connection
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, message: Message) -> None:
        assert self.sent_readings is not None
        self.sent_readings += message.readings
        connection.request("POST", self._path, message.payload, self._headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 503:
            if not (answer.headers.get("Retry-After") or "").isdigit():
                self.complain(f"503 without Retry-After: {body[:300]!r}")
            raise ConnectionError("later")
        if answer.status != 202:
            self.complain(f"{answer.status} {body[:300]!r}")
            raise ConnectionError("refused")
        receipt = json.loads(body)
        if receipt["seq"] is not None:
            self.check_receipt(receipt)
        elif receipt["rejected"] != message.rejected:
            self.complain(f"receipt {receipt} for {message}")
        self._waiting.popleft()
        self.acknowledged += 1

    def _post_half(self, connection: http.client.HTTPConnection) -> None:
        connection.putrequest("POST", self._path)
        for name, value in {**self._headers, "Content-Length": "1000"}.items():
            connection.putheader(name, value)
        connection.endheaders(b'{"seq": 1, "at"')
