"""A bed for tests of ingest: a registry, a running server of ours, plain MQTT by hand, and what the database says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from domain.clock import SystemClock
from domain.interval import format_time
from domain.registry import Registry
from ingest.batch import Batch, Outcome
from ingest.delivery import Chunk, Receipt
from ingest.directory import ClockRules, Directory
from ingest.formats import Formats
from ingest.routes import Routes
from ingest.run import Ingest, serve
from ingest.settings import BrokerSettings, EndpointSettings, IngestSettings
from storage import accounts, registry
from storage.accounts import Account
from storage.database import Connection
from tests.servers import Database, free_port, wait_for

ROOT = Path(__file__).parents[2]
USCC = "91430302XT0000014K"
OTHER = "91430300MA4L0DEM8M"
NOW_US = 1_760_000_000_000_000  # 2025-10-09T08:53:20Z
NOW_MS = NOW_US // 1000
TOPIC = f"carbon/v1/{USCC}/gw1/readings"


def channel(id_: str, kind: str = "register", **more: Any) -> dict[str, Any]:
    """A channel of the registry document."""
    base: dict[str, Any] = {
        "id": id_,
        "quantity": "electricity_import",
        "kind": kind,
        "unit": "kWh",
        "multiplier": "1",
        "resolution": "0.01",
        "valid_from": "2023-01-01T00:00:00+08:00",
    }
    if kind == "register":
        base["max_rate"] = "50000"
    elif kind == "delta":
        base["period"] = "PT15M"
    else:
        base["unit"] = "kW"
    return {**base, **more}


def enterprise(
    uscc: str, meters: dict[str, list[dict[str, Any]]], gateways: Sequence[Any] = ()
) -> dict[str, Any]:
    return {
        "uscc": uscc,
        "name_zh": "测试",
        "name_en": "Test",
        "industry": "steel",
        "district": "430304",
        "gateways": list(gateways) or [{"id": "gw1"}, {"id": "gw2"}, {"id": "gw8", "zone": "+08:00"}],
        "meters": [{"id": meter, "name": meter, "channels": channels} for meter, channels in meters.items()],
    }


def document() -> dict[str, Any]:
    """Ten registers E-01 … E-10, a delta D-01, a rate R-01, and a register whose validity has ended, O-01."""
    meters = {f"E-{number:02}": [channel("kwh")] for number in range(1, 11)}
    meters["D-01"] = [channel("kwh", "delta")]
    meters["R-01"] = [channel("kw", "rate")]
    meters["O-01"] = [channel("kwh", valid_to="2024-01-01T00:00:00+08:00")]
    return {"enterprises": [enterprise(USCC, meters), enterprise(OTHER, {"E-01": [channel("kwh")]})]}


def import_document(conn: Connection, content: dict[str, Any] | None = None) -> Registry:
    with conn.transaction():
        registry.import_document(conn, content or document(), "test")
    return registry.load(conn)


# Without a database: a batch against a registry


class Collector:
    """A source that keeps what it is told."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.receipts: list[Receipt] = []
        self.committed_us: list[int] = []

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:
        self.chunks += chunks
        self.receipts += receipts
        self.committed_us.append(committed_us)


def chunk(
    source: Any, payloads: Sequence[bytes], topic: str | bytes = TOPIC, received_us: int = NOW_US, **more: Any
) -> Chunk:
    name = topic.encode() if isinstance(topic, str) else topic
    size = len(payloads)
    return Chunk(
        source, "endpoint", received_us, [name] * size, list(payloads), list(range(1, size + 1)), **more
    )


def judged(
    directory: Directory, chunks: Sequence[Chunk], now_us: int = NOW_US, formats: Formats | None = None
) -> tuple[Batch, Outcome]:
    batch = Batch(Routes(directory, formats), ClockRules())
    for each in chunks:
        batch.add(each)
    return batch, batch.finish(now_us)


# A server of ours


@dataclass
class Running:
    """The ingest process's parts in a thread of this process."""

    database: Database
    ingest: Ingest
    port: int

    def account(self, gateway: str = "gw1", uscc: str = USCC) -> Account:
        return account_of(self.database, gateway, uscc)


def account_of(database: Database, gateway: str = "gw1", uscc: str = USCC) -> Account:
    """The account, which must always balance."""
    with database.connect() as conn:
        found = accounts.account(conn, uscc, gateway) or Account(0, 0, 0, 0, 0, 0)
    assert found.received == found.stored + found.held + found.rejected, found
    return found


@contextlib.contextmanager
def running(
    database: Database,
    endpoint: EndpointSettings | None = None,
    broker: BrokerSettings | None = None,
    **more: Any,
) -> Iterator[Running]:
    """Ingest until the context ends; the endpoint on a free port unless it says which."""
    settings = IngestSettings(database.url, endpoint or EndpointSettings(port=0), broker, **more)
    started: list[Ingest] = []
    ready = threading.Event()
    codes: list[int | BaseException] = []
    loop = uvloop.new_event_loop()  # as `run.main` has it
    tasks: list[asyncio.Task[int]] = []

    def on_start(ingest: Ingest) -> None:
        started.append(ingest)
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(serve(settings, SystemClock(), on_start))
        tasks.append(task)
        try:
            codes.append(loop.run_until_complete(task))
        except BaseException as error:
            codes.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30)
    assert started, codes
    assert started[0].endpoint is not None
    try:
        yield Running(database, started[0], started[0].endpoint.port)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(tasks[0].cancel)
        thread.join(40)
        assert not thread.is_alive()


@dataclass
class Process:
    """The ingest process itself, as the supervisor starts it."""

    database: Database
    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self, wait_s: float = 30) -> None:
        environment = {
            **os.environ,
            "CARBONMETER_HOME": str(self.folder),
            "CARBONMETER_DATABASE": self.database.url,
            "CARBONMETER_MQTT": f"127.0.0.1:{self.port}",
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }
        with (self.folder / "ingest.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "carbonmeter.service", "ingest"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        wait_for(self.answers, wait_s, "ingest didn't start")

    def answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "ingest.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def stop(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)


# MQTT by hand


def varint(value: int) -> bytes:
    encoded = b""
    while True:
        value, digit = value >> 7, value & 0x7F
        encoded += bytes((digit | (0x80 if value else 0),))
        if not value:
            return encoded


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes = b"") -> bytes:
    return bytes((first,)) + varint(len(body)) + body


def connect_packet(
    client_id: str = "test",
    version: int = 5,
    *,
    clean: bool = True,
    keep_alive_s: int = 60,
    password: str | None = None,
    properties: bytes = b"",
    will: tuple[str, bytes] | None = None,
) -> bytes:
    flags = (0x02 if clean else 0) | (0xC0 if password is not None else 0) | (0x04 if will else 0)
    body = text("MQTT") + bytes((version, flags)) + keep_alive_s.to_bytes(2, "big")
    body += varint(len(properties)) + properties if version == 5 else b""
    body += text(client_id)
    if will:
        body += (b"\x00" if version == 5 else b"") + text(will[0]) + text(will[1])
    if password is not None:
        body += text("device") + text(password)
    return packet(0x10, body)


def publish_packet(
    payload: bytes,
    topic: str | bytes = TOPIC,
    *,
    packet_id: int = 1,
    version: int = 5,
    qos: int = 1,
    retain: bool = False,
    is_repeat: bool = False,
    properties: bytes = b"",
) -> bytes:
    body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    body += varint(len(properties)) + properties if version == 5 else b""
    return packet(0x30 | is_repeat << 3 | qos << 1 | retain, body + payload)


def subscribe_packet(*filters: str, packet_id: int = 1, version: int = 5, qos: int = 1) -> bytes:
    body = packet_id.to_bytes(2, "big") + (b"\x00" if version == 5 else b"")
    return packet(0x82, body + b"".join(text(each) + bytes((qos,)) for each in filters))


class Client:
    """A socket that speaks MQTT as it is told, also wrongly."""

    def __init__(self, port: int, version: int = 5) -> None:
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.settimeout(10)
        self._data = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def connect(self, client_id: str = "test", **more: Any) -> bytes:
        """The body of the CONNACK."""
        self.send(connect_packet(client_id, self.version, **more))
        first, body = self.receive()
        assert first == 0x20
        return body

    def publish(self, payload: bytes, topic: str | bytes = TOPIC, **more: Any) -> None:
        self.send(publish_packet(payload, topic, version=self.version, **more))

    def receive(self) -> tuple[int, bytes]:
        """The next packet: (first byte, body). ConnectionError at the end of the stream."""
        while True:
            found = self._cut()
            if found is not None:
                return found
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("closed")
            self._data += data

    def _cut(self) -> tuple[int, bytes] | None:
        if len(self._data) < 2:
            return None
        size, at = 0, 1
        while True:
            if at >= len(self._data):
                return None
            size |= (self._data[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if self._data[at - 1] < 0x80:
                break
        if len(self._data) < at + size:
            return None
        first, body = self._data[0], self._data[at : at + size]
        self._data = self._data[at + size :]
        return first, body

    def acknowledged(self, count: int = 1) -> list[tuple[int, int]]:
        """(packet id, reason) of the next PUBACKs; whatever else comes is passed over."""
        found: list[tuple[int, int]] = []
        while len(found) < count:
            first, body = self.receive()
            if first == 0x40:
                found.append((int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0))
        return found

    def receipts(self, count: int = 1) -> list[dict[str, Any]]:
        """The next receipts; whatever else comes is passed over."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            first, body = self.receive()
            if first >> 4 == 3:
                assert first & 0x06 == 0, "receipts come at QoS 0"
                size = int.from_bytes(body[:2], "big")
                found.append(
                    {
                        "topic": body[2 : 2 + size].decode(),
                        **json.loads(body[2 + size + (self.version == 5) :]),
                    }
                )
        return found

    def end(self) -> int | None:
        """The reason of the DISCONNECT before the end of the stream; None where there was none."""
        reason = None
        with contextlib.suppress(ConnectionError):
            while True:
                first, body = self.receive()
                if first == 0xE0:
                    reason = body[0] if body else 0
        return reason


def reading(number: int = 1, at_ms: int = NOW_MS, value: Any = 12.5, **more: Any) -> dict[str, Any]:
    return {"m": f"E-{number:02}", "c": "kwh", "at": at_ms, "v": value, **more}


def form_a(*readings: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({**more, "readings": list(readings)}).encode()


def recent(seconds: float = 60) -> str:
    """A time a little ago, as devices write it."""
    return format_time(int((time.time() - seconds) * 1e6))
