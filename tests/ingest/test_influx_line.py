"""Line protocol: what its documents allow, what they don't, and that nothing else comes out of any bytes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DecodeError, RejectReason
from ingest.decode.decoder import Message
from ingest.decode.wire import Flaw, WireReading
from ingest.formats import Formats, rules_of

USCC = "91430300MA4L0DEM8M"
TOPIC = f"influx/{USCC}/gw1/ns"
RECEIVED_US = 1_700_000_000_000_000
AT_NS = 1_699_999_999_123_456_789


def items_of(payload: bytes | str, topic: str = TOPIC, **rule: Any) -> list[WireReading | Flaw | None]:
    rules = ()
    if rule:
        import json

        rules = rules_of(
            json.dumps([{"topic": "influx/{uscc}/{gateway}/+", "format": "influx_line", **rule}])
        )
    found = Formats(rules).find(topic.encode())
    assert found is not None
    assert found.decoder is not None
    data = payload.encode() if isinstance(payload, str) else payload
    message = Message(data, topic, found.levels, found.names("gw1"), None, RECEIVED_US)
    return [item for wire in found.decoder.read(message) for item in wire.items]


def values_of(payload: str, **rule: Any) -> list[tuple[str, str, int, int]]:
    items = items_of(payload, **rule)
    assert all(isinstance(item, WireReading) for item in items), items
    return [
        (f"{item.meter}/{item.channel}", str(item.mantissa), item.exponent, item.at_us)
        for item in items
        if isinstance(item, WireReading)
    ]


def test_each_field_is_a_reading_exactly_as_sent():
    line = f'modbus,host=gw7,name=E-01 import_kwh=12345.670,count=229i,limit=7u,text="88.10" {AT_NS}\n'
    at = AT_NS // 1000
    assert values_of(line) == [
        ("E-01/import_kwh", "12345670", -3, at),
        ("E-01/count", "229", 0, at),
        ("E-01/limit", "7", 0, at),
        ("E-01/text", "8810", -2, at),
    ]


@pytest.mark.parametrize(
    ("sent", "mantissa", "exponent"),
    [("1.", 1, 0), (".5", 5, -1), ("+7", 7, 0), ("-007i", -7, 0), ("1e3", 1, 3), ("-1.5E-7", -15, -8)],
)
def test_numbers_that_json_does_not_write_so(sent: str, mantissa: int, exponent: int):
    (reading,) = items_of(f"m v={sent} {AT_NS}")
    assert isinstance(reading, WireReading)
    assert (reading.mantissa, reading.exponent) == (mantissa, exponent)


def test_escaped_characters_stand_for_themselves():
    line = f'my\\ meter,tag\\,a=x\\=y\\ z, f\\ 1=1 {AT_NS}\nsteam\\ plant v\\=1=2,s="a=3,\\" b",w=4 {AT_NS}'
    items = items_of(line)
    # the first has an empty tag, which nobody may write
    assert isinstance(items[0], Flaw)
    assert items[0].reason is RejectReason.BAD_READING
    assert [
        (item.meter, item.channel) if isinstance(item, WireReading) else item.reason for item in items[1:]
    ] == [("steam_plant", "v_1"), RejectReason.BAD_VALUE, ("steam_plant", "w")]


def test_a_text_may_hold_a_line_end():
    items = items_of(f'm s="two\nlines",v=1 {AT_NS}\nm v=2 {AT_NS}')
    assert isinstance(items[0], Flaw)
    assert [item.mantissa for item in items[1:] if isinstance(item, WireReading)] == [1, 2]


def test_a_bad_line_takes_no_neighbours():
    text = f"# of a comment\n\nm v=1 {AT_NS}\r\nno line\nm v=2 12x\nm v=3 {AT_NS}\nm v= {AT_NS}"
    items = items_of(text)
    assert [item.mantissa if isinstance(item, WireReading) else item.reason for item in items if item] == [
        1,
        RejectReason.BAD_READING,
        RejectReason.BAD_READING,
        3,
        RejectReason.BAD_READING,
    ]
    flaw = items[1]
    assert isinstance(flaw, Flaw)
    assert flaw.detail == '"no line" is no line of the line protocol'


@pytest.mark.parametrize("value", ["t", "False", '"running"', "NaN", "1,5", "0x1f"])
def test_what_is_no_number_is_rejected_and_told(value: str):
    flaw = items_of(f"m v={value} {AT_NS}")[0]
    assert isinstance(flaw, Flaw)
    assert flaw.reason in (RejectReason.BAD_VALUE, RejectReason.BAD_READING)
    assert items_of(f"m v={value} {AT_NS}\n", ignore=["m/v"])[0] is None or "," in value


def test_a_line_without_a_time_has_the_time_of_receipt():
    (reading,) = items_of("m v=1")
    assert isinstance(reading, WireReading)
    assert reading.is_receipt_time
    assert reading.at_us == RECEIVED_US


@pytest.mark.parametrize(
    ("precision", "sent", "us"),
    [
        ("ns", "1699999999123456789", 1_699_999_999_123_456),
        ("n", "-1500", -1),
        ("us", "1699999999123456", 1_699_999_999_123_456),
        ("u", "1699999999123456", 1_699_999_999_123_456),
        ("ms", "1699999999123", 1_699_999_999_123_000),
        ("s", "1699999999", 1_699_999_999_000_000),
        ("m", "28333333", 1_699_999_980_000_000),
        ("h", "472222", 1_699_999_200_000_000),
    ],
)
def test_precisions(precision: str, sent: str, us: int):
    (by_topic,) = items_of(f"m v=1 {sent}", f"influx/{USCC}/gw1/{precision}")
    (by_rule,) = items_of(f"m v=1 {sent}", precision=precision)
    assert isinstance(by_topic, WireReading)
    assert by_topic == by_rule
    assert by_topic.at_us == us


def test_a_time_of_another_precision_is_no_time():
    (flaw,) = items_of("m v=1 1699999999", f"influx/{USCC}/gw1/h")
    assert isinstance(flaw, Flaw)
    assert flaw.reason is RejectReason.BAD_TIME
    with pytest.raises(DecodeError, match='the precision is "weeks", there are ns'):
        items_of("m v=1 1", f"influx/{USCC}/gw1/weeks")


def test_names_by_templates():
    line = f"opcua,id=ns\\=2,site=north Power=1.5 {AT_NS}"
    assert values_of(line, device="{tag:site}", metric="{measurement}.{field}")[0][0] == "north/opcua.Power"
    assert values_of(line, device=["{tag:meter}", "{tag:id}"])[0][0] == "ns_2/Power"
    assert values_of(line, names={"opcua/Power": "E-01/kw"})[0][0] == "E-01/kw"
    (flaw,) = items_of(line, metric="{tag:unit}")
    assert isinstance(flaw, Flaw)
    assert flaw.reason is RejectReason.BAD_ID


def test_faults_of_a_rule_are_told_together():
    from domain.errors import FaultyDocument

    with pytest.raises(FaultyDocument) as caught:
        items_of("m v=1", device=["{field}", "{tag}", 5], metric=3, precision="d")
    assert [fault.place for fault in caught.value.faults] == ["[0].device", "[0].metric", "[0].precision"]


@pytest.mark.parametrize("payload", [b"", b"\n\n# nothing\n", b"\xff\xfe"])
def test_a_payload_without_a_line_is_refused_whole(payload: bytes):
    with pytest.raises(DecodeError):
        items_of(payload)


@given(st.one_of(st.binary(max_size=300), st.text('m,=\\ "\n\r#1.5it-+', max_size=300).map(str.encode)))
def test_any_bytes_give_readings_flaws_or_one_refusal(payload: bytes):
    try:
        items = items_of(payload)
    except DecodeError:
        return
    assert items
    assert all(isinstance(item, WireReading | Flaw) for item in items)
    for item in items:
        if isinstance(item, Flaw):
            assert item.detail.isascii()
            assert "{}" not in item.detail


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\\\0", exclude_categories=("Cs",)), min_size=1
)


@given(_TEXT, _TEXT, st.integers(-(2**60), 2**60), st.integers(0, 4 * 10**18))
def test_what_is_written_is_read(device: str, field: str, value: int, ns: int):
    def word(text: str) -> str:
        return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")

    items = items_of(f"m,name={word(device)} {word(field)}={value}i {ns}")
    found = Formats().find(TOPIC.encode())
    assert found is not None
    name = found.names("gw1")(device, field)
    if isinstance(name, Flaw):
        assert items == [name]
    else:
        assert name is not None
        assert items == [WireReading(*name, ns // 1000, value, 0)]


@pytest.mark.parametrize("piece", [b"\\", b"m,", b"a=", b'"', b"m v=1,", b" ", b"m,a=b", b"\\\\\\,"])
def test_hostile_repetition_takes_no_longer_than_its_size(piece: bytes):
    payload = (b"m v=" + piece * 200_000)[: 1 << 19]
    began = time.process_time()
    items_of(payload)
    assert time.process_time() - began < 20  # quadratic behaviour would take hours
