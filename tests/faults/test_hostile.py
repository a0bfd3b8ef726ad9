"""Everything that is wrong, sent to a whole server through each of its doors: the endpoint, HTTP, a broker.

The payloads and packets of `tests/ingest/test_hostile.py`, and what only a running server meets: slow senders, floods,
keys of others, requests that lie about their size. Each is rejected, held or refused with its reason; then the server
takes good readings as before, its memory hasn't grown, its books balance.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carbonmeter import audit
from carbonmeter.settings import Settings
from storage import keys
from tests import servers
from tests.conftest import missing
from tests.ingest.beds import (
    OTHER,
    TOPIC,
    USCC,
    Client,
    account_of,
    connect_packet,
    form_a,
    import_document,
    packet,
    publish_packet,
    reading,
    recent,
    subscribe_packet,
    text,
    varint,
)
from tests.ingest.test_hostile import PACKETS, PAYLOADS, Bad, rss_mb
from tests.servers import CarbonmeterServer, Database, DatabaseServer, Mosquitto, wait_for

SEED = 20260101
ROUNDS = 2
GROWTH_MB = 60.0
RSS_MB_MAX = 400.0
PATH = f"/v1/readings?uscc={USCC}&gateway=gw1"
GOOD = form_a({**reading(1), "at": recent()})
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Target:
    """A whole server, who may do what with it, and what its database says of what came."""

    server: CarbonmeterServer
    database: Database
    keys: dict[str, str]
    broker: Mosquitto | None

    def pid(self, service: str) -> int:
        for pid in self.server.children():
            if Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").endswith(b"\0" + service.encode()):
                return pid
        raise AssertionError(f"{service} doesn't run:\n{self.server.text[-3000:]}")

    def client(self, version: int = 5) -> Client:
        return Client(self.server.mqtt_port, version)

    def marks(self) -> tuple[int, int, int]:
        """The last dead letter, held reading and gateway event."""
        with self.database.connect() as conn:
            row = conn.execute(
                """SELECT (SELECT coalesce(max(id), 0) FROM dead_letters), (SELECT coalesce(max(id), 0) FROM held),
                          (SELECT coalesce(max(id), 0) FROM gateway_events)"""
            ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def since(self, marks: tuple[int, int, int]) -> list[str]:
        """Reasons of dead letters and held readings, and kinds of events, since then."""
        with self.database.connect() as conn:
            found = conn.execute(
                """SELECT reason FROM dead_letters WHERE id > %s UNION ALL
                   SELECT 'held: ' || reason FROM held WHERE id > %s UNION ALL
                   SELECT 'event: ' || kind FROM gateway_events WHERE id > %s""",
                marks,
            ).fetchall()
        return [reason for (reason,) in found]

    def takes_good_readings(self) -> None:
        """Through the endpoint and HTTP, within moments."""
        before = account_of(self.database).stored
        with self.client() as client:
            client.connect("good")
            client.publish(GOOD)
            assert client.acknowledged() == [(1, 0)]
        status, body = self.post(GOOD)
        assert status == 202
        assert json.loads(body)["stored"] == 1
        assert account_of(self.database).stored >= before + 2

    def post(
        self, body: Any, path: str = PATH, key: str | None = "writer", method: str = "POST", **headers: str
    ) -> tuple[int, bytes]:
        """One request; body: bytes, or pieces of them for chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=30)
        if key is not None:
            headers["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        try:
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # refused before all of it was sent
                connection.request(
                    method,
                    path,
                    body,
                    {name.replace("_", "-"): value for name, value in headers.items()},
                    encode_chunked=not isinstance(body, bytes),
                )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw_http(self, data: bytes) -> bytes:
        """The first line of the answer to bytes that may be no HTTP; nothing where the connection ends."""
        with socket.create_connection(("127.0.0.1", self.server.http_port), 20) as connection:
            connection.settimeout(20)
            connection.sendall(data)
            with contextlib.suppress(ConnectionError):
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1 << 16).partition(b"\r\n")[0]
        return b""


class SlowGreetings(threading.Thread):
    """A hundred clients that send their CONNECT a byte a second, beside all the other tests."""

    CLIENTS, SECONDS = 100, 40

    def __init__(self, port: int) -> None:
        super().__init__(name="slow greetings", daemon=True)
        self._port = port
        self.left = self.CLIENTS
        self.ended_after_s = 0.0
        self.leave = threading.Event()

    def run(self) -> None:
        greeting = connect_packet("x" * self.SECONDS)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(self._port)) for _ in range(self.CLIENTS)]
            for place in range(self.SECONDS):
                clients = [client for client in clients if self._goes_on(client, greeting[place : place + 1])]
                self.left = len(clients)
                self.ended_after_s = time.monotonic() - began
                # the pace is the attack itself
                if not clients or self.leave.wait(max(0.0, began + place + 1 - time.monotonic())):
                    return

    def _goes_on(self, client: Client, data: bytes) -> bool:
        client.socket.setblocking(False)
        try:
            client.send(data)
            return client.socket.recv(1) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False


@pytest.fixture(scope="module")
def slow_greetings(target: Target) -> Iterator[SlowGreetings]:
    thread = SlowGreetings(target.server.mqtt_port)
    thread.start()
    yield thread
    thread.leave.set()
    thread.join()


@pytest.fixture(scope="module")
def target(plain_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One server for all of this file: it must survive all of it."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("hostile")
    with plain_server.database() as database, contextlib.ExitStack() as stack:
        with database.connect(autocommit=True) as conn:
            import_document(conn)
            made = {
                "admin": keys.create(conn, ["admin"])[0],
                "writer": keys.create(conn, ["readings:write"])[0],
                "reader": keys.create(conn, ["emissions:read"])[0],
                "bound": keys.create(conn, ["readings:write"], [f"{OTHER}/gw1"])[0],
            }
        broker = None
        more = {}
        if servers.mosquitto_program() is not None:
            (folder / "broker").mkdir()
            broker = Mosquitto(folder / "broker")
            broker.start()
            stack.callback(broker.stop)
            more["CARBONMETER_BROKER"] = broker.url
        server = stack.enter_context(CarbonmeterServer(database, folder / "home", **more))
        server.wait_until_ready()
        target = Target(server, database, made, broker)
        pids = {service: target.pid(service) for service in ("ingest", "accounting", "api")}
        yield target
        assert {service: target.pid(service) for service in pids} == pids, "none of them went down"
        assert server.stop() == 0
        assert "Traceback" not in server.text, server.text[-5000:]


def numbered(seq: int) -> bytes:
    return form_a({**reading(1), "at": recent()}, seq=seq)


def at_readings_topic(case: Bad) -> bool:
    return case.topic == TOPIC


# -- payloads ----------------------------------------------------------------------------------------


def test_there_are_enough_of_them() -> None:
    assert len(PAYLOADS) + len(PACKETS) + len(STREAMS) + len(REQUESTS) + len(GARBAGE) >= 140


@pytest.mark.usefixtures("slow_greetings")
def test_payloads_over_http_get_their_reasons(target: Target) -> None:
    found, expected = {}, {}
    before = account_of(target.database)
    rejected = held = 0
    for name, case in PAYLOADS.items():
        if not at_readings_topic(case):
            continue
        marks = target.marks()
        status, body = target.post(case.payload)
        said = json.loads(body)
        said = said[0] if isinstance(said, list) and said else said
        is_held = case.reason.startswith("held: ")
        counts = (
            (said.get("stored"), said.get("held"), said.get("rejected")) if isinstance(said, dict) else said
        )
        found[name] = (status, counts, target.since(marks))
        expected[name] = (202, (0, 1, 0) if is_held else (0, 0, case.readings), [case.reason])
        held += is_held
        rejected += 0 if is_held else case.readings
    assert len(found) > 50
    assert found == expected
    after = account_of(target.database)
    assert (after.stored, after.held, after.rejected) == (
        before.stored,
        before.held + held,
        before.rejected + rejected,
    )
    target.takes_good_readings()


@pytest.mark.broker
def test_payloads_through_a_broker_get_their_reasons(target: Target) -> None:
    """At its door the broker itself refuses some; what it passes on is kept with its reason."""
    if target.broker is None:
        missing("broker", "no Mosquitto on this machine")
    assert target.broker is not None
    wait_for(lambda: "subscribed at broker" in target.server.text, 60)
    found, expected = {}, {}
    cases = {name: case for name, case in PAYLOADS.items() if _passes_a_broker(case)}
    cases["10 MB"] = Bad(b"x" * 10_000_000, "bad_payload")
    assert len(cases) > 50
    for name, case in cases.items():
        marks = target.marks()
        with Client(target.broker.port) as client:
            client.connect("through")
            client.publish(case.payload, case.topic, retain=case.retain)
            assert client.acknowledged() == [(1, 0)], name
            if case.retain:  # and the broker forgets it again
                client.publish(b"", case.topic, retain=True, qos=0)
        wait_for(lambda marks=marks: target.since(marks), 30, f"{name}: nothing came")
        found[name], expected[name] = target.since(marks)[:1], [case.reason]
    assert found == expected
    with Client(target.broker.port) as client:
        client.connect("through")
        before = account_of(target.database).stored
        client.publish(GOOD)
        wait_for(lambda: account_of(target.database).stored == before + 1, 30)


def _passes_a_broker(case: Bad) -> bool:
    """Whether a client may publish to its topic, and ingest subscribes to it."""
    if not isinstance(case.topic, str):
        return False
    levels = case.topic.split("/")
    is_ours = case.topic.startswith("carbon/v1/") and "+" not in levels
    return is_ours and (len(levels) == 6 or (len(levels) == 5 and levels[4] == "readings"))


# -- packets and streams at the endpoint --------------------------------------------------------------

C5, C4 = connect_packet("bad", 5), connect_packet("bad", 4)


def _connect_of(name: str, level: int, flags: int = 2, rest: bytes = text("c")) -> bytes:
    body = text(name) + bytes((level, flags)) + b"\x00\x3c" + (b"\x00" if level == 5 else b"") + rest
    return packet(0x10, body)


# What is sent on a fresh connection, and the reason of the CONNACK
STREAMS: dict[str, tuple[bytes, int]] = {
    "protocol level 3": (_connect_of("MQIsdp", 3), 1),
    "protocol level 3 of MQTT": (_connect_of("MQTT", 3), 1),
    "protocol level 6": (_connect_of("MQTT", 6), 1),
    "protocol level 255": (_connect_of("MQTT", 255), 1),
    "reserved flag of CONNECT": (_connect_of("MQTT", 5, 3), 0x81),
    "will at QoS 3": (_connect_of("MQTT", 5, 0x1E, text("c") + b"\0" + text("t") + text("w")), 0x81),
    "will that isn't there": (_connect_of("MQTT", 5, 0x06), 0x81),
    "password that isn't there": (_connect_of("MQTT", 5, 0xC2), 0x81),
    "client id not UTF-8": (_connect_of("MQTT", 5, 2, text(b"\xff\xfe")), 0x81),
    "client id with U+0000": (_connect_of("MQTT", 5, 2, text(b"a\0b")), 0x81),
    "client id of 60,000 bytes": (_connect_of("MQTT", 5, 2, text("x" * 60_000)), 0x85),
    "no client id and a lasting session": (connect_packet("", 4, clean=False), 2),
    "property given twice": (connect_packet("c", 5, properties=b"\x11\0\0\0\1" * 2), 0x82),
    "unknown property": (connect_packet("c", 5, properties=b"\x7f\0"), 0x81),
    "Receive Maximum 0": (connect_packet("c", 5, properties=b"\x21\0\0"), 0x82),
    "enhanced authentication": (connect_packet("c", 5, properties=b"\x15" + text("SCRAM")), 0x8C),
    "wrong key": (connect_packet("c", 5, password="cm_00000000_" + "x" * 43), 0x86),
    "key that is no text": (_connect_of("MQTT", 4, 0xC2, text("c") + text("u") + text(b"\xff\xfe")), 4),
    "SQL for a key": (connect_packet("c", 4, password="' OR 1=1 --"), 4),
}


def test_streams_that_are_no_good_greeting_are_refused(target: Target) -> None:
    found: dict[str, tuple[int, int]] = {}
    for name, (data, _) in STREAMS.items():
        with target.client() as client:
            client.send(data)
            first, body = client.receive()
            found[name] = first, body[1]
            assert client.end() is None, "nothing comes after it"
    assert found == {name: (0x20, reason) for name, (_, reason) in STREAMS.items()}
    target.takes_good_readings()


def test_bad_packets_end_their_own_connections_alone(target: Target) -> None:
    with target.client() as bystander:
        bystander.connect("bystander")
        for name, (data, reason) in PACKETS.items():
            with target.client() as client:
                client.send(data)
                assert client.end() == reason, name
            bystander.publish(GOOD)
            assert bystander.acknowledged() == [(1, 0)], name


def test_a_key_reaches_no_other_gateway(target: Target) -> None:
    """Neither by publishing, nor by subscribing, nor by wildcards."""
    filters = [
        f"carbon/v1/{USCC}/gw1/receipts",
        "carbon/v1/+/+/receipts",
        f"carbon/v1/{OTHER}/+/receipts",
        "#",
        "$SYS/#",
        "carbon/v1/+/+/readings",
        f"$share/a/carbon/v1/{OTHER}/gw1/receipts",
        "carbon/#/receipts",
        "",
        f"carbon/v1/{OTHER}/gw1/receipts",
    ]
    before, marks = account_of(target.database), target.marks()
    with target.client() as client, target.client() as stranger:
        client.connect("bound", password=target.keys["bound"])
        client.send(subscribe_packet(*filters))
        first, body = client.receive()
        assert first == 0x90
        granted = dict(zip(filters, body[3:], strict=True))
        assert granted.pop(f"carbon/v1/{OTHER}/gw1/receipts") == 0
        # a wildcard that matches its own is granted, and matches only those
        assert granted.pop("carbon/v1/+/+/receipts") == 0
        assert granted.pop(f"carbon/v1/{OTHER}/+/receipts") == 0
        assert granted.pop("#") == 0
        assert granted == {
            f"carbon/v1/{USCC}/gw1/receipts": 0x87,
            "$SYS/#": 0x87,
            "carbon/v1/+/+/readings": 0x87,
            f"$share/a/carbon/v1/{OTHER}/gw1/receipts": 0x9E,
            "carbon/#/receipts": 0x8F,
            "": 0x8F,
        }
        stranger.connect("stranger", password=target.keys["writer"])
        stranger.publish(numbered(666))
        assert stranger.acknowledged() == [(1, 0)]
        client.publish(GOOD, TOPIC, packet_id=2)
        client.publish(GOOD, f"carbon/v1/{OTHER}/gw2/readings", packet_id=3)
        client.publish(numbered(7), f"carbon/v1/{OTHER}/gw1/readings", packet_id=4)
        found: dict[int, int] = {}
        receipts: list[int] = []
        while len(found) < 3 or not receipts:
            first, body = client.receive()
            if first == 0x40:
                found[int.from_bytes(body[:2], "big")] = body[2] if len(body) > 2 else 0
            else:
                receipts.append(json.loads(body[body.index(b"{") :])["seq"])
        assert found == {2: 0x87, 3: 0x87, 4: 0}
        assert set(receipts) == {7}
    after = account_of(target.database)
    assert (after.stored, after.rejected) == (before.stored + 1, before.rejected), "on no account"
    assert target.since(marks) == ["not_authorized"] * 2


def test_ten_megabytes_are_refused_at_once(target: Target) -> None:
    marks = target.marks()
    with target.client() as client:
        client.connect("large")
        body = text(TOPIC) + b"\x00\x01\x00"
        client.send(b"\x32" + varint(len(body) + 10_000_000) + body)
        assert client.end() == 0x95, "by its length alone"
        with contextlib.suppress(ConnectionError):
            client.send(b"x" * 10_000_000)
    wait_for(lambda: "event: packet_too_large" in target.since(marks))
    assert target.post(b"x" * 10_000_000)[0] == 413
    assert target.post(b"x" * 100_000 for _ in range(100))[0] == 413, "in chunks, without a length"
    wait_for(lambda: target.since(marks).count("event: packet_too_large") == 3)
    assert target.since(marks) == ["event: packet_too_large"] * 3


def _mutations(count: int) -> Iterator[bytes]:
    """A good conversation with bytes changed, cut out, put in or left off; the same for the same seed."""
    chance = random.Random(SEED)
    good = C5 + subscribe_packet(f"carbon/v1/{USCC}/+/receipts")
    good += b"".join(publish_packet(GOOD, packet_id=number) for number in range(1, 6)) + b"\xc0\x00"
    for _ in range(count):
        data = bytearray(good)
        for _ in range(chance.choice([1, 1, 2, 8, 40])):
            place = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    data[place] ^= 1 << chance.randrange(8)
                case 2:
                    data[place : place + chance.randrange(1, 9)] = b""
                case _:
                    data[place:place] = chance.randbytes(chance.randrange(1, 9))
            if not data:
                break
        yield bytes(data[: chance.randrange(1, len(data) + 1)] if data and chance.random() < 0.3 else data)


def test_conversations_with_broken_bytes_break_nothing(target: Target) -> None:
    """Whatever is accepted of them is accounted for; the connection ends with a reason or goes on."""
    for data in _mutations(300):
        with target.client() as client, contextlib.suppress(ConnectionError):
            client.send(data)
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(1 << 16):
                pass
    account_of(target.database)
    target.takes_good_readings()


def test_every_place_to_end_a_conversation_is_survived(target: Target) -> None:
    data = C5 + publish_packet(GOOD) + b"\xc0\x00\xe0\x00"
    for size in range(len(data)):
        with target.client() as client:
            client.send(data[:size])
    target.takes_good_readings()


def test_unfinished_packets_are_bounded_together(target: Target) -> None:
    """A hundred clients that each send the most of a packet and not its end."""
    body = text(TOPIC) + b"\x00\x01\x00" + b"x" * 1_000_000
    cut = (b"\x32" + varint(len(body)) + body)[:-1]
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(100):
            client = stack.enter_context(target.client())
            client.connect(f"unfinished-{number}")
            with contextlib.suppress(ConnectionError):
                client.send(cut)
            clients.append(client)

        ends: list[int | None] = []

        def are_refused() -> bool:
            for client in clients:
                client.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    first, answer = client.receive()
                    ends.append(answer[0] if first == 0xE0 else None)
            return len(ends) >= 30

        wait_for(are_refused, 30, "they are not bounded")
        assert set(ends) == {0x97}
        target.takes_good_readings()


def test_a_flood_of_connections_passes(target: Target) -> None:
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            for number in range(200):
                client = stack.enter_context(target.client())
                if number % 3:
                    client.send(connect_packet(f"flood-{number % 50}", 5))
    target.takes_good_readings()


# -- HTTP ----------------------------------------------------------------------------------------------

# How, and the status that it gets
REQUESTS: dict[str, tuple[Callable[[Target], int], set[int]]] = {
    "no key": (lambda target: target.post(GOOD, key=None)[0], {401}),
    "a key of nobody": (lambda target: target.post(GOOD, key="cm_00000000_" + "x" * 43)[0], {401}),
    "a key that is SQL": (lambda target: target.post(GOOD, key="' OR 1=1 --")[0], {401}),
    "a key of 50,000 characters": (lambda target: target.post(GOOD, key="x" * 50_000)[0], {400, 401, 431}),
    "another way to sign in": (
        lambda target: target.post(GOOD, key=None, Authorization="Basic YTpi")[0],
        {401},
    ),
    "a key that may only read": (lambda target: target.post(GOOD, key="reader")[0], {403}),
    "a key of another gateway": (lambda target: target.post(GOOD, key="bound")[0], {403}),
    "no gateway": (lambda target: target.post(GOOD, f"/v1/readings?uscc={USCC}")[0], {422}),
    "a gateway with a slash": (
        lambda target: target.post(GOOD, f"/v1/readings?uscc={USCC}&gateway=a%2Fb")[0],
        {422},
    ),
    "a gateway with a wildcard": (
        lambda target: target.post(GOOD, f"/v1/readings?uscc={USCC}&gateway=%2B")[0],
        {422},
    ),
    "a gateway with a zero byte": (
        lambda target: target.post(GOOD, f"/v1/readings?uscc={USCC}&gateway=a%00")[0],
        {422},
    ),
    "a gateway of 65 characters": (
        lambda target: target.post(GOOD, f"/v1/readings?uscc={USCC}&gateway={'g' * 65}")[0],
        {422},
    ),
    "SQL for an enterprise": (
        lambda target: target.post(GOOD, "/v1/readings?uscc=%27%3BDROP%20TABLE%20readings&gateway=gw1")[0],
        {422},
    ),
    "a compressed payload": (lambda target: target.post(GOOD, Content_Encoding="gzip")[0], {415}),
    "another method": (lambda target: target.post(GOOD, method="DELETE")[0], {405}),
    "a path that climbs": (lambda target: target.post(GOOD, "/v1/../../etc/passwd")[0], {404, 405}),
    "a path beyond Unicode": (lambda target: target.post(GOOD, "/v1/%ff%fe")[0], {404, 405}),
    "a range that is none": (
        lambda target: target.post(
            b"", f"/v1/enterprises/{USCC}/emissions?from=NaN&to=Infinity", key="admin", method="GET"
        )[0],
        {422},
    ),
    "a range of ten thousand years": (
        lambda target: target.post(
            b"",
            f"/v1/enterprises/{USCC}/emissions?from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z&granularity=15m",
            key="admin",
            method="GET",
        )[0],
        {200, 422},
    ),
    "a limit beyond all": (
        lambda target: target.post(b"", f"/v1/meters?uscc={USCC}&limit=1e99", key="admin", method="GET")[0],
        {422},
    ),
    "a cursor of garbage": (
        lambda target: target.post(b"", "/v1/deadletters?cursor=%00%ff", key="admin", method="GET")[0],
        {422},
    ),
}
# Bytes at the HTTP port
GARBAGE = {
    "MQTT": C5,
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "ones": b"\xff" * 4096,
    "two lengths": f"POST {PATH} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".encode(),
    "a length below zero": f"POST {PATH} HTTP/1.1\r\nContent-Length: -1\r\n\r\n".encode(),
    "a chunk without a length": f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
}


def test_requests_that_are_no_good_are_refused_and_nothing_is_kept(target: Target) -> None:
    before, marks = account_of(target.database).received, target.marks()
    found = {name: (how(target), statuses) for name, (how, statuses) in REQUESTS.items()}
    assert {name: status for name, (status, statuses) in found.items() if status not in statuses} == {}
    for name, data in GARBAGE.items():
        # where its words are lost with the connection, that has ended too
        assert target.raw_http(data)[:10] in (b"HTTP/1.1 4", b""), name
    assert account_of(target.database).received == before, "a 4xx means that nothing was kept"
    assert target.since(marks) == []
    target.takes_good_readings()


def test_requests_that_never_end_hinder_nobody(target: Target) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.keys['writer']}\r\n"
    before = account_of(target.database)
    with contextlib.ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", target.server.http_port), 20)
            )
            data = head if number % 2 else head + f"Content-Length: {len(GOOD)}\r\n\r\n" + GOOD.decode()[:-1]
            connection.sendall(data.encode())
        target.takes_good_readings()
    assert account_of(target.database).rejected == before.rejected, "half a request is none"


def test_slow_greetings_are_ended(slow_greetings: SlowGreetings) -> None:
    """Each has ten seconds in all, not ten seconds a byte; nobody was hindered, or the tests above had failed."""
    slow_greetings.join(slow_greetings.SECONDS + 20)
    assert slow_greetings.left == 0, "of 100"
    print(f"slow greetings ended after {slow_greetings.ended_after_s:.0f} s")


# -- afterwards ----------------------------------------------------------------------------------------


def test_memory_stays_flat_under_all_of_it(target: Target) -> None:
    """Rounds of everything through the endpoint and HTTP: neither process grows with them."""

    def one_round() -> None:
        with target.client() as client:
            client.connect("all")
            for number, case in enumerate(PAYLOADS.values(), 1):
                client.send(publish_packet(case.payload, case.topic, packet_id=number))
            client.acknowledged(len(PAYLOADS))
        for case in PAYLOADS.values():
            if at_readings_topic(case):
                assert target.post(case.payload)[0] == 202
        for data, _ in (*PACKETS.values(), *STREAMS.values()):
            with target.client() as client:
                client.send(data)
        for data in _mutations(50):
            with target.client() as client, contextlib.suppress(ConnectionError):
                client.send(data)
        assert target.post(b"x" * 10_000_000)[0] == 413

    def resident() -> dict[str, float]:
        return {service: rss_mb(target.pid(service)) for service in ("ingest", "api", "accounting")}

    for _ in range(2):
        one_round()
    before = resident()
    for _ in range(ROUNDS):
        one_round()
    after = resident()
    print(f"resident, MB: {before} before {ROUNDS} rounds, {after} after")
    for service, size in after.items():
        assert size < before[service] + GROWTH_MB, service
        assert size < RSS_MB_MAX, service


def test_in_the_end_the_books_are_right(target: Target) -> None:
    """The last test of this file: good readings reach the ledger, and the promises hold over all that came."""
    target.takes_good_readings()

    def is_accounted() -> bool:
        with target.database.connect() as conn:
            row = conn.execute(
                "SELECT (SELECT max(commit_no) FROM batches) <= (SELECT min(commit_no) FROM cursors)"
            ).fetchone()
        return row == (True,)

    wait_for(is_accounted, 60)
    settings = Settings(home=Path("/nonexistent"), database=target.database.url)
    checks = list(audit.run(target.database.url, settings.accounting(target.database.url), lambda _: None))
    assert [(check.name, check.shown) for check in checks if check.faults] == []
