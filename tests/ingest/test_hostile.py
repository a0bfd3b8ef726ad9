"""Malformed and hostile payloads and packets: each is rejected, held or refused with its reason, and ingest goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.dead_letters import LetterFilter, select
from tests.ingest.beds import (
    TOPIC,
    USCC,
    Client,
    Process,
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
from tests.servers import Database

SINGLE = f"carbon/v1/{USCC}/gw1/E-01/kwh"
DELTA = f"carbon/v1/{USCC}/gw1/D-01/kwh"
AT = recent()


@dataclass(frozen=True)
class Bad:
    """A payload, and what becomes of it: a reason of rejection or of holding."""

    payload: bytes
    reason: str
    topic: str | bytes = TOPIC
    retain: bool = False
    readings: int = 1


def one(**changed: Any) -> bytes:
    return json.dumps({"readings": [{**reading(1, AT), **changed}]}).encode()


def without(key: str) -> bytes:
    found = reading(1, AT)
    del found[key]
    return form_a(found)


PAYLOADS = {
    "nothing": Bad(b"", "bad_payload"),
    "binary": Bad(bytes(range(256)), "bad_payload"),
    "text": Bad(b"E-01=12.5", "bad_payload"),
    "xml": Bad(b"<reading v='1'/>", "bad_payload"),
    "cut short": Bad(one()[:-5], "bad_payload"),
    "two documents": Bad(one() + one(), "bad_payload"),
    "trailing comma": Bad(one()[:-1] + b",}", "bad_payload"),
    "single quotes": Bad(one().replace(b'"', b"'"), "bad_payload"),
    "not UTF-8": Bad(b'{"readings": "\xc3\x28"}', "bad_payload"),
    "UTF-16": Bad(one().decode().encode("utf-16"), "bad_payload"),
    "deep arrays": Bad(b"[" * 200_000, "bad_payload"),
    "deep objects": Bad(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "bad_payload"),
    "deep within a reading": Bad(one(v=[]).replace(b"[]", b"[" * 5_000 + b"]" * 5_000), "bad_payload"),
    "a number": Bad(b"12.5", "bad_payload"),
    "null": Bad(b"null", "bad_payload"),
    "empty object": Bad(b"{}", "bad_payload"),
    "empty array": Bad(b"[]", "bad_payload"),
    "array of arrays": Bad(b"[[[]]]", "bad_payload"),
    "array of 400,000 numbers": Bad(b"[" + b"1," * 399_999 + b"1]", "bad_payload"),
    "300,000 readings that are none": Bad(
        b'{"readings":[' + b"1," * 299_999 + b"1]}", "bad_reading", readings=300_000
    ),
    "readings no array": Bad(b'{"readings": {"m": "E-01"}}', "bad_payload"),
    "two forms": Bad(b'{"at": 1, "values": {"a/b": 1}, "readings": []}', "bad_payload"),
    "ragged columns": Bad(b'{"at": [1, 2], "ch": ["E-01/kwh"], "v": [1, 2]}', "bad_payload"),
    "readings twice": Bad(b'{"readings": [1], "readings": [2]}', "bad_payload"),
    "no meter": Bad(without("m"), "bad_reading"),
    "no channel": Bad(without("c"), "bad_reading"),
    "no time": Bad(without("at"), "bad_reading"),
    "no value": Bad(without("v"), "bad_reading"),
    "meter a number": Bad(one(m=1), "bad_id"),
    "meter with a slash": Bad(one(m="E/01"), "bad_id"),
    "meter of 65 characters": Bad(one(m="E" * 65), "bad_id"),
    "meter with a zero byte": Bad(one(m="E\0"), "bad_id"),
    "meter of half a surrogate pair": Bad(one(m="\ud800"), "bad_id"),
    "SQL in a name": Bad(one(m="'; DROP TABLE readings; --"), "bad_id"),
    "time a word": Bad(one(at="now"), "bad_time"),
    "time without an offset": Bad(one(at="2024-05-01T00:00:00"), "bad_time"),
    "30 February": Bad(one(at="2024-02-30T00:00:00Z"), "bad_time"),
    "25 o'clock": Bad(one(at="2024-02-20T25:00:00Z"), "bad_time"),
    "time true": Bad(one(at=True), "bad_time"),
    "time a huge integer": Bad(one(at=10**30), "bad_time"),
    "time an object": Bad(one(at={"t": 1}), "bad_time"),
    "value true": Bad(one(v=True), "bad_value"),
    "value null": Bad(one(v=None), "bad_value"),
    "value an array": Bad(one(v=[1]), "bad_value"),
    "value a word": Bad(one(v="lots"), "bad_value"),
    "value NaN": Bad(one(v=float("nan")), "bad_value"),
    "value -Infinity": Bad(one(v=float("-inf")), "bad_value"),
    "value a text NaN": Bad(one(v="NaN"), "bad_value"),
    "value hexadecimal": Bad(one(v="0x10"), "bad_value"),
    "value with a comma": Bad(one(v="12,5"), "bad_value"),
    "value with blanks": Bad(one(v=" 1 "), "bad_value"),
    "value 1e400": Bad(one(v=0).replace(b'"v": 0', b'"v": 1e400'), "out_of_range"),
    "value of 100,000 digits": Bad(one(v=0).replace(b'"v": 0', b'"v": ' + b"9" * 100_000), "out_of_range"),
    "value 1e300": Bad(one(v=1e300), "out_of_range"),
    "count beyond 2⁶²": Bad(one(v="46116860184273879.05"), "out_of_range"),
    "quality 3": Bad(one(q=3), "bad_reading"),
    "quality a text": Bad(one(q="good"), "bad_reading"),
    "revision -1": Bad(one(rev=-1), "bad_reading"),
    "revision 32768": Bad(one(rev=32768), "bad_reading"),
    "single: a text": Bad(b"hello", "bad_payload", SINGLE),
    "single: an array": Bad(b"[1]", "bad_payload", SINGLE),
    "single: NaN": Bad(b"NaN", "bad_value", SINGLE),
    "single: no value": Bad(b'{"at": 1}', "bad_reading", SINGLE),
    "single: bare and retained": Bad(b"1", "retained", SINGLE, retain=True),
    "single: bare of a delta channel": Bad(b"1", "no_time_for_delta", DELTA),
    "unknown enterprise": Bad(one(), "unknown_enterprise", TOPIC.replace(USCC, "91110000000000000A")),
    "unknown gateway": Bad(one(), "unknown_gateway", TOPIC.replace("gw1", "gw99")),
    "topic of others": Bad(one(), "bad_topic", "home/kitchen/temperature"),
    "topic a level short": Bad(one(), "bad_topic", f"carbon/v1/{USCC}/readings"),
    "topic with wildcards": Bad(one(), "bad_topic", "carbon/v1/+/#"),
    "topic not UTF-8": Bad(one(), "bad_topic", b"carbon/v1/\xff\xfe"),
    "topic of 60,000 bytes": Bad(one(), "bad_topic", "carbon/" * 8_500),
    "our own receipts": Bad(b'{"seq": 1}', "bad_topic", f"carbon/v1/{USCC}/gw1/receipts"),
    "unknown meter": Bad(form_a(reading(99, AT)), "held: unknown_meter"),
    "unknown channel": Bad(one(c="nope"), "held: unknown_channel"),
    "before its validity": Bad(one(at="1999-12-31T23:59:59Z"), "held: outside_validity"),
    "a little ahead": Bad(one(at=recent(-3600)), "held: ahead_of_clock"),
    "far ahead": Bad(one(at="2199-01-01T00:00:00Z"), "held: far_ahead_of_clock"),
}

C5 = connect_packet("bad", 5)
C4 = connect_packet("bad", 4)
# What is sent on a fresh connection, and the reason of the DISCONNECT (None: closed without one)
PACKETS: dict[str, tuple[bytes, int | None]] = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + bytes(160), None),
    "zeros": (bytes(4096), None),
    "ones": (b"\xff" * 4096, None),
    "PUBLISH before CONNECT": (publish_packet(b"1"), None),
    "PINGREQ before CONNECT": (b"\xc0\x00", None),
    "CONNECT of 200 KB": (packet(0x10, bytes(200_000)), None),
    "CONNECT with another name": (packet(0x10, text("AMQP") + b"\x04\x02\x00\x3c" + text("c")), None),
    "CONNECT twice": (C5 + C5, 0x82),
    "packet type 0": (C5 + b"\x00\x00", 0x81),
    "packet type 15": (C5 + b"\xf0\x00", 0x82),
    "a length of five bytes": (C5 + b"\x30\xff\xff\xff\xff\x01", 0x81),
    "a length of two bytes for nothing": (C5 + b"\xc0\x80\x00", 0x81),
    "a length of properties with two bytes for nothing": (
        C5 + packet(0x32, text("a") + b"\x00\x01\x80\x00"),
        0x81,
    ),
    "a response topic with wildcards": (C5 + publish_packet(b"1", properties=b"\x08\x00\x01#"), 0x82),
    "SUBSCRIBE to a shared filter without ours": (C5 + subscribe_packet("$share/g/#", qos=5), 0x82),
    "a length of 256 MB": (C5 + b"\x32\xff\xff\xff\x7f", 0x95),
    "PUBLISH without a topic": (C5 + packet(0x32, b""), 0x81),
    "PUBLISH that ends in its topic": (C5 + packet(0x32, b"\x00\x20carbon"), 0x81),
    "PUBLISH that ends in its id": (C5 + packet(0x32, text("a") + b"\x00"), 0x81),
    "PUBLISH without properties": (C5 + packet(0x32, text("a") + b"\x00\x01"), 0x81),
    "PUBLISH with too many properties": (
        C5 + packet(0x32, text("a") + b"\x00\x01" + varint(99) + b"x"),
        0x81,
    ),
    "PUBLISH with id 0": (C5 + publish_packet(b"1", packet_id=0), 0x82),
    "PUBLISH at QoS 3": (C5 + b"\x36" + publish_packet(b"1")[1:], 0x81),
    "PUBLISH at QoS 2 with id 0": (C5 + publish_packet(b"1", packet_id=0, qos=2), 0x82),
    "PUBLISH at QoS 3 in 3.1.1": (C4 + b"\x36" + publish_packet(b"1", version=4)[1:], None),
    "PUBLISH at QoS 0 with DUP": (C5 + b"\x38" + publish_packet(b"1", qos=0)[1:], 0x81),
    "PUBLISH with a topic alias": (C5 + publish_packet(b"1", properties=b"\x23\x00\x01"), 0x94),
    "PUBLISH with a subscription id": (C5 + publish_packet(b"1", properties=b"\x0b\x01"), 0x82),
    "PUBLISH with a property of CONNECT": (C5 + publish_packet(b"1", properties=b"\x21\x00\x01"), 0x81),
    "PUBLISH to an empty topic": (C5 + publish_packet(b"1", b""), 0x82),
    "PUBREL without its flags": (C5 + b"\x60\x02\x00\x01", 0x81),
    "PUBREL with id 0": (C5 + b"\x62\x02\x00\x00", 0x82),
    "PUBREL that is cut": (C5 + b"\x62\x01\x00", 0x81),
    "PUBREL with a tail": (C4 + b"\x62\x03\x00\x01\x00", None),
    "PUBREL with a property of CONNECT": (C5 + b"\x62\x07\x00\x01\x00\x03\x21\x00\x01", 0x81),
    "PUBREC": (C5 + b"\x50\x02\x00\x01", 0x82),
    "SUBSCRIBE without its flags": (C5 + b"\x80" + subscribe_packet("#")[1:], 0x81),
    "SUBSCRIBE to nothing": (C5 + packet(0x82, b"\x00\x01\x00"), 0x82),
    "UNSUBSCRIBE that is cut": (C5 + packet(0xA2, b"\x00\x01\x00\x00\x09a"), 0x81),
    "AUTH": (C5 + b"\xf0\x02\x18\x00", 0x82),
    "CONNACK from a client": (C5 + b"\x20\x03\x00\x00\x00", 0x82),
    "DISCONNECT that keeps what was to end": (C5 + packet(0xE0, b"\x00\x05\x11\x00\x00\x00\x01"), 0x82),
}


@pytest.fixture(scope="module")
def process(plain_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One ingest process for all of this file: it must survive all of it."""
    with plain_server.database() as database:
        with database.connect(autocommit=True) as conn:
            import_document(conn)
        process = Process(database, tmp_path_factory.mktemp("hostile"))
        process.start()
        yield process
        assert process.stop() == 0


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def newest_letter(database: Database) -> Any:
    with database.connect() as conn:
        return select(conn, LetterFilter(), limit=1_000_000)[-1]


def newest_hold(database: Database) -> Any:
    with database.connect() as conn:
        return conn.execute("SELECT reason FROM held ORDER BY id DESC LIMIT 1").fetchone()


def test_there_are_enough_of_them():
    assert len(PAYLOADS) + len(PACKETS) >= 40


@pytest.mark.parametrize("case", PAYLOADS)
def test_a_bad_payload_gets_its_reason_and_a_good_one_beside_it_is_stored(process: Process, case: str):
    bad = PAYLOADS[case]
    before = account_of(process.database)
    with Client(process.port) as client:
        client.connect()
        good = publish_packet(form_a(reading(2, AT)), packet_id=2)
        client.send(publish_packet(bad.payload, bad.topic, packet_id=1, retain=bad.retain) + good)
        acknowledged = client.acknowledged(2)
    assert acknowledged[1] == (2, 0)
    after = account_of(process.database)
    assert after.stored == before.stored + 1
    if bad.reason.startswith("held: "):
        assert newest_hold(process.database) == (bad.reason.removeprefix("held: "),)
        assert after.held == before.held + 1
        return
    letter = newest_letter(process.database)
    assert letter.reason == bad.reason
    assert bytes(letter.payload) == bad.payload
    assert bytes(letter.topic) == (bad.topic if isinstance(bad.topic, bytes) else bad.topic.encode())
    assert letter.decoder
    if bad.reason == "bad_topic":
        assert acknowledged[0] == (1, 0x90)
        assert after.rejected == before.rejected
    elif bad.reason not in ("unknown_gateway", "unknown_enterprise"):
        assert after.rejected == before.rejected + bad.readings


@pytest.mark.parametrize("case", PACKETS)
def test_a_bad_packet_ends_its_connection_and_no_other(process: Process, case: str):
    data, reason = PACKETS[case]
    with Client(process.port) as bystander, Client(process.port) as client:
        bystander.connect("bystander")
        client.send(data)
        assert client.end() == reason
        bystander.publish(form_a(reading(1, AT)))
        assert bystander.acknowledged() == [(1, 0)]


def mutated(rng: random.Random) -> bytes:
    """A stream of good packets with a few bytes of it changed, taken out or put in."""
    version = rng.choice((4, 5))
    parts = [connect_packet(f"m{rng.randrange(5)}", version)]
    for number in range(1, rng.randrange(2, 8)):
        parts.append(
            rng.choice(
                (
                    publish_packet(
                        form_a(reading(1, AT)), packet_id=number, version=version, qos=rng.randrange(3)
                    ),
                    subscribe_packet("#", version=version),
                    packet(0x62, rng.randrange(1, 4).to_bytes(2, "big")),
                    b"\xc0\x00",
                )
            )
        )
    data = bytearray(b"".join(parts))
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(data))
        data[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(data)


def test_mutated_streams_are_answered_or_closed_and_leave_nothing_in_the_log(process: Process):
    rng = random.Random(311)
    reasons: set[int | None] = set()
    with Client(process.port) as bystander:
        bystander.connect("bystander")
        for _ in range(200):
            data = mutated(rng)
            with Client(process.port) as client, contextlib.suppress(ConnectionResetError):
                middle = rng.randrange(len(data))
                client.send(data[:middle])
                client.send(data[middle:])
                client.socket.shutdown(socket.SHUT_WR)
                reasons.add(client.end())
        bystander.publish(form_a(reading(1, AT)))
        assert bystander.acknowledged() == [(1, 0)]
    assert reasons <= {None, 0x81, 0x82, 0x8E, 0x94, 0x95, 0x9B, 0xA1}
    assert len(reasons) > 2
    log = (process.folder / "ingest.log").read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


@pytest.mark.slow
def test_memory_stays_flat_under_all_of_it(process: Process):
    everything = [
        case for name, case in PAYLOADS.items() if case.reason != "bad_topic" or "60,000" not in name
    ]

    def one_round() -> None:
        with Client(process.port) as client:
            client.connect("flood")
            for number, case in enumerate(everything, 1):
                client.send(publish_packet(case.payload, case.topic, packet_id=number))
            client.acknowledged(len(everything))
        with Client(process.port) as client:
            client.connect("garbage")
            client.send(b"\xff" * 100_000)
            client.end()

    for _ in range(2):
        one_round()
    time.sleep(0.5)
    before = rss_mb(process.pid)
    for _ in range(5):
        one_round()
    assert rss_mb(process.pid) < before + 50
    assert rss_mb(process.pid) < 400
