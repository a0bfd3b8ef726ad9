"""The contract of all decoders: any bytes in; readings and flaws, or one DecodeError, out, in a bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import DecodeError, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from domain.reading import EXPONENT_MAX, EXPONENT_MIN, MANTISSA_MAX, REVISION_MAX
from ingest.decode import carbon_v1
from ingest.decode.decoder import Decoder, Message, Plain
from ingest.decode.wire import Flaw, WireObject, WireReading
from ingest.formats import FORMATS, Formats, rules_of
from tests.ingest.beds import NOW_US, USCC

GOLDEN = Path(__file__).parents[1] / "golden" / "formats"
TOPICS = {
    "alibaba": "/sys/pk/E-01/thing/event/property/post",
    "huawei": "$oc/devices/E-01/sys/properties/report",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "json": {
        "device": "d[*].id",
        "metric": "d[*].v.*~",
        "value": "d[*].v.*",
        "time": "at",
        "quality": "d[*].q",
        "qualities": {"good": 0},
    }
}


def _carbon(message: Message) -> Iterable[WireObject]:
    return carbon_v1.read(message.payload, message.zone_offset_us)


CARBON = Plain(carbon_v1.DECODER, _carbon)
NAMES = sorted(name for name in FORMATS if name != "ignore")


def rule_of(name: str) -> Formats:
    topic = TOPICS.get(name, "t")
    rule = {"topic": topic, "format": name, "uscc": USCC, "gateway": "gw1", **OPTIONS.get(name, {})}
    return Formats(rules_of(json.dumps([rule])))


def message_of(name: str, payload: bytes) -> tuple[Decoder, Message]:
    if name == "carbon":
        return CARBON, Message(payload, "t", {}, lambda _device, _metric: None, None, NOW_US)
    topic = TOPICS.get(name, "t")
    found = rule_of(name).find(topic.encode())
    assert found is not None
    assert found.decoder is not None
    return found.decoder, Message(payload, topic, found.levels, found.names("gw1"), None, NOW_US)


def read(name: str, payload: bytes) -> list[WireReading | Flaw | None] | DecodeError:
    decoder, message = message_of(name, payload)
    try:
        objects = list(decoder.read(message))
    except DecodeError as error:
        refused = error
    else:
        return items_of(objects)
    assert refused.reason in RejectReason
    assert refused.detail.isprintable()
    return refused


def items_of(objects: list[WireObject]) -> list[WireReading | Flaw | None]:
    items = [item for each in objects for item in each.items]
    for item in items:
        if isinstance(item, Flaw):
            assert item.reason in RejectReason
            assert item.detail.encode()
            assert "\0" not in item.detail
        elif item is not None:
            assert TIME_MIN_US <= item.at_us < TIME_MAX_US
            assert abs(item.mantissa) <= MANTISSA_MAX
            assert EXPONENT_MIN <= item.exponent <= EXPONENT_MAX
            assert item.quality in (0, 1, 2)
            assert 0 <= item.revision <= REVISION_MAX
    return items


def corpus(name: str) -> Iterator[bytes]:
    folder = {"thingsboard_gateway": "thingsboard"}.get(name, name)
    paths = sorted((GOLDEN / folder).glob("*/payload"))
    return (path.read_bytes() for path in paths)


KEYS = [
    *(
        "ts",
        "values",
        "params",
        "properties",
        "identity",
        "deviceName",
        "subDevices",
        "value",
        "time",
        "timestamp",
    ),
    *(
        "services",
        "service_id",
        "event_time",
        "devices",
        "device_id",
        "node",
        "group",
        "errors",
        "tags",
        "name",
    ),
    *(
        "bn",
        "bt",
        "bu",
        "bv",
        "bs",
        "bver",
        "n",
        "u",
        "v",
        "vs",
        "vb",
        "vd",
        "s",
        "t",
        "x_",
        "d",
        "id",
        "q",
        "at",
    ),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(
        ["", "E-01", "12.5", "good", "20251009T085310Z", "2025-10-09T08:53:10Z", 10**399, 1.76e9, "\0é"]
    )
    | st.text(max_size=5)
)
keys = st.sampled_from(KEYS) | st.text(max_size=3)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("name", ["carbon", *NAMES])
@settings(max_examples=60)
@given(st.binary(max_size=200))
@example(b"")
@example(b"[" * 5000)
@example(b'{"a":' * 5000)
@example(b"\x9f" * 5000)
@example(b"\x9b" + b"\xff" * 8)
@example(b"\xef\xbb\xbf[]")
def test_any_bytes(name: str, payload: bytes):
    read(name, payload)


@pytest.mark.parametrize("name", ["carbon", *NAMES])
@settings(max_examples=80)
@given(trees)
def test_any_json(name: str, tree: Any):
    payload = json.dumps(tree).encode()
    assert told(read(name, payload)) == told(read(name, payload)), "the same bytes, the same answer"


def told(result: list[WireReading | Flaw | None] | DecodeError) -> object:
    if isinstance(result, DecodeError):
        return str(result)
    return [item.detail if isinstance(item, Flaw) else item for item in result]


@pytest.mark.parametrize("name", [name for name in NAMES if any(corpus(name))])
@settings(max_examples=60)
@given(st.data())
def test_broken_payloads(name: str, data: st.DataObject):
    """A golden payload with a piece cut out or replaced."""
    payload = data.draw(st.sampled_from(list(corpus(name))))
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(len(payload), start + 8)))
    read(name, payload[:start] + data.draw(st.binary(max_size=4)) + payload[end:])


LARGE = {
    "brackets": b"[" * (1 << 18),
    "braces": b'{"a":' * (1 << 15),
    "zeros": b"[" + b"0," * (1 << 17) + b"0]",
    "objects": b"[" + b"{}," * (1 << 16) + b"{}]",
    "cbor arrays": b"\x9f" * (1 << 18),
    "cbor zeros": b"\x9a\x00\x03\xff\xfb" + b"\x00" * ((1 << 18) - 5),
    "digits": b"[" + b"9" * (1 << 18) + b"]",
    "one key": b'{"a":1,' + b'"a":1,' * (1 << 15) + b'"a":1}',
    "values": b'{"at":1,"d":[{"id":"x","v":{' + b",".join(b'"%d":1' % n for n in range(25_000)) + b"}}]}",
    "devices": b'{"at":1,"d":[' + b",".join(b'{"id":"x","v":{"a":1}}' for n in range(12_000)) + b"]}",
}


@pytest.mark.parametrize("kind", sorted(LARGE))
@pytest.mark.parametrize("name", NAMES)
def test_a_large_payload_takes_a_bounded_time(name: str, kind: str):
    before = time.process_time()
    read(name, LARGE[kind])
    assert time.process_time() - before < 20  # a square of the size would take many minutes
