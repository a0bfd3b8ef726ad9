"""The table of `docs/mqtt.md`: each statement of both standards stands there once, and the tests it names exist.

Below it, statements that no other file has a test for.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ingest.mqtt_packet import Reason
from tests.ingest.beds import (
    USCC,
    Client,
    Running,
    connect_packet,
    form_a,
    packet,
    publish_packet,
    reading,
    recent,
    subscribe_packet,
    text,
)
from tests.ingest.test_fragmentation import fed

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parents[1] / "docs" / "mqtt.md").read_text()

# Section: number of its last statement, by appendix B of each standard. Those of 2.2.1 in MQTT 5 begin with 2.
STATEMENTS = {
    "MQTT 5": """1.5.4:3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:6 2.2.2:1 3.1.0:2 3.1.2:30 3.1.3:12 3.1.4:6 3.2.0:2 3.2.2:22
        3.3.1:13 3.3.2:20 3.3.4:10 3.4.2:3 3.5.2:3 3.6.1:1 3.6.2:3 3.7.2:3 3.8.1:1 3.8.3:5 3.8.4:8 3.9.2:2 3.9.3:2
        3.10.1:1 3.10.3:2 3.10.4:6 3.11.2:2 3.11.3:2 3.12.4:1 3.14.0:1 3.14.1:1 3.14.2:4 3.14.4:3 3.15.1:1 3.15.2:3
        4.1.0:2 4.2:1 4.3.1:1 4.3.2:5 4.3.3:13 4.4.0:2 4.5.0:2 4.6.0:6 4.7.0:1 4.7.1:2 4.7.2:1 4.7.3:4 4.8.2:6
        4.9.0:3 4.12.0:7 4.12.1:2 4.13.1:1 4.13.2:1 6.0.0:4""",
    "MQTT 3.1.1": """1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1
        3.3.5:2 3.6.1:1 3.8.1:1 3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 3.14.4:3 4.1.0:2
        4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 4.6.0:6 4.7.1:3 4.7.2:1 4.7.3:4 4.8.0:2 6.0.0:4 7.0.0:2 7.1.1:1
        7.1.2:1""",
}


def rows(version: str) -> list[tuple[str, str, str]]:
    """(statement, what is done, test) of the table under a heading."""
    section = PAGE.split(f"### {version}\n")[1].split("### ")[0]
    return re.findall(r"^\| (\d[\d.]+-\d+) \| (.+) \| (.+) \|$", section, re.MULTILINE)


@pytest.mark.parametrize("version", STATEMENTS)
def test_each_statement_stands_in_the_table_once(version: str):
    wanted = []
    for item in STATEMENTS[version].split():
        section, _, last = item.partition(":")
        first = 2 if (version, section) == ("MQTT 5", "2.2.1") else 1
        wanted += [f"{section}-{number}" for number in range(first, int(last) + 1)]
    assert len(wanted) > 100
    assert [statement for statement, _, _ in rows(version)] == wanted


@pytest.mark.parametrize("version", STATEMENTS)
def test_the_tests_that_the_table_names_exist(version: str):
    known = {
        f"{path.name}::{node.name}"
        for path in FOLDER.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = {test.strip("`") for _, _, test in rows(version)} - {"not applicable"}
    assert len(named) > 20
    assert named <= known


def connect_body(client_id: bytes, *, flags: int = 2, more: bytes = b"", version: int = 5) -> bytes:
    fields = text("MQTT") + bytes((version, flags)) + b"\x00\x3c" + (b"\x00" if version == 5 else b"")
    return packet(0x10, fields + client_id + more)


BAD = b"\x00\x02\xc3\x28"
ZERO = b"\x00\x01\x00"
C4, C5 = connect_packet(version=4), connect_packet(version=5)
# What comes, and the end of what is answered; 3.1.1 has no word for it and is closed.
MALFORMED = {
    "no client id": (connect_body(b""), b"\x20\x03\x00\x81\x00"),
    "a client id that is no UTF-8": (connect_body(BAD), b"\x20\x03\x00\x81\x00"),
    "a client id of U+0000": (connect_body(ZERO), b"\x20\x03\x00\x81\x00"),
    "half a surrogate pair": (connect_body(b"\x00\x03\xed\xa0\x80"), b"\x20\x03\x00\x81\x00"),
    "a will's topic": (
        connect_body(text("a"), flags=6, more=b"\x00" + BAD + text("")),
        b"\x20\x03\x00\x81\x00",
    ),
    "an empty will's topic": (
        connect_body(text("a"), flags=6, more=b"\x00" + text("") + text("")),
        b"\x20\x03\x00\x82\x00",
    ),
    "a user name": (connect_body(text("a"), flags=0x82, more=BAD), b"\x20\x03\x00\x81\x00"),
    "a client id in 3.1.1": (connect_body(BAD, version=4), b""),
    "a user name in 3.1.1": (connect_body(text("a"), flags=0x82, more=BAD, version=4), b""),
    "the first text of a pair": (
        C5 + publish_packet(b"1", properties=b"\x26" + BAD + text("a")),
        b"\xe0\x01\x81",
    ),
    "the second text of a pair": (
        C5 + publish_packet(b"1", properties=b"\x26" + text("a") + BAD),
        b"\xe0\x01\x81",
    ),
    "a response topic": (C5 + publish_packet(b"1", properties=b"\x08" + BAD), b"\xe0\x01\x81"),
    "an empty response topic": (C5 + publish_packet(b"1", properties=b"\x08" + text("")), b"\xe0\x01\x82"),
    "a content type": (C5 + publish_packet(b"1", properties=b"\x03" + BAD), b"\xe0\x01\x81"),
    "a filter": (C5 + packet(0x82, b"\x00\x01\x00" + BAD + b"\x00"), b"\xe0\x01\x81"),
    "a filter with U+0000": (C5 + packet(0x82, b"\x00\x01\x00" + ZERO + b"\x00"), b"\xe0\x01\x81"),
    "a filter in 3.1.1": (C4 + packet(0x82, b"\x00\x01" + BAD + b"\x00"), b"\x20\x02\x00\x00"),
    "reserved bits of options": (C5 + subscribe_packet("#", qos=0x40), b"\xe0\x01\x81"),
    "reserved bits of options in 3.1.1": (C4 + subscribe_packet("#", qos=4, version=4), b"\x20\x02\x00\x00"),
    "a filter to leave": (C5 + packet(0xA2, b"\x00\x01\x00" + BAD), b"\xe0\x01\x81"),
    "no filter to leave": (C5 + packet(0xA2, b"\x00\x01\x00"), b"\xe0\x01\x82"),
    "no filter to leave in 3.1.1": (C4 + packet(0xA2, b"\x00\x01"), b"\x20\x02\x00\x00"),
    "flags of SUBSCRIBE": (C5 + b"\x83" + subscribe_packet("#")[1:], b"\xe0\x01\x81"),
    "flags of UNSUBSCRIBE": (C5 + packet(0xA0, b"\x00\x01\x00" + text("#")), b"\xe0\x01\x81"),
    "flags of PUBREL": (C5 + packet(0x60, b"\x00\x01"), b"\xe0\x01\x81"),
    "flags of PINGREQ": (C5 + b"\xc1\x00", b"\xe0\x01\x81"),
    "flags of DISCONNECT": (C5 + b"\xe1\x00", b"\xe0\x01\x81"),
    "flags of AUTH": (C5 + b"\xf1\x00", b"\xe0\x01\x81"),
    "flags of DISCONNECT in 3.1.1": (C4 + b"\xe1\x00", b"\x20\x02\x00\x00"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_the_specifications_call_malformed(case: str):
    data, answer = MALFORMED[case]
    deliveries, _, written, closed = fed([data])
    assert written.endswith(answer)
    assert closed
    assert not deliveries


@pytest.mark.parametrize(("version", "answer"), [(4, b"\x20\x02\x00\x02"), (5, b"\x20\x03\x00\x85\x00")])
def test_a_client_id_that_is_too_long_is_refused(version: int, answer: bytes):
    assert fed([connect_packet("x" * 257, version)])[2:] == (answer, True)
    assert fed([connect_packet("x" * 256, version)])[3] is False


def test_a_byte_order_mark_is_part_of_a_filter():
    mark = f"\ufeffcarbon/v1/{USCC}/gw1/receipts"
    written = fed([C5 + subscribe_packet(mark)])[2]
    assert written.endswith(b"\x90\x04\x00\x01\x00" + bytes((Reason.NOT_AUTHORIZED,)))


def test_a_receipt_comes_once_whatever_filters_match(server: Running):
    with Client(server.port) as client:
        client.connect()
        mine = f"carbon/v1/{USCC}/gw1/receipts"
        client.send(subscribe_packet(mine, mine, "#", "carbon/v1/+/+/receipts"))
        assert client.receive()[1][3:] == b"\0\0\0\0"
        client.publish(form_a(reading(1, recent()), seq=1))
        client.publish(form_a(reading(1, recent()), seq=2), packet_id=2)
        assert [receipt["seq"] for receipt in client.receipts(2)] == [1, 2]


def test_unsubscribe_answers_each_filter_in_order():
    leave = packet(0xA2, b"\x00\x07\x00" + text("a") + text("#") + text("#"))
    written = fed([C5 + subscribe_packet("#") + leave])[2]
    assert written.endswith(b"\xb0\x06\x00\x07\x00\x11\x00\x11")
    leave = packet(0xA2, b"\x00\x07" + text("a") + text("#"))
    assert fed([C4 + subscribe_packet("#", version=4) + leave])[2].endswith(b"\xb0\x02\x00\x07")
