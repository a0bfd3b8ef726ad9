"""Sparkplug B payloads, written by a library of others and read by ours; and any bytes at all."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DecodeError, FaultyDocument, RejectReason
from domain.reading import as_fraction, exact_value
from ingest.batch import Batch, Outcome
from ingest.decode.decoder import Message
from ingest.decode.sparkplug_b_v1 import (
    METRICS_MAX,
    Metric,
    PassedOver,
    Table,
    items,
    named,
    read_payload,
    rebirth_request,
)
from ingest.decode.wire import Flaw, WireReading
from ingest.directory import ClockRules, Directory
from ingest.formats import Formats, rules_of
from ingest.routes import Routes
from ingest.sparkplug.decoder import Options, SparkplugDecoder
from tests.ingest.beds import NOW_MS, NOW_US, Collector, chunk
from tests.ingest.sparkplug_bed import RULE, Node, Payload, Types, metric, payload, topic


def message(data: bytes = b"") -> Message:
    def names(device: str | None, name: str) -> tuple[str, str]:
        return device or "node", name

    return Message(data, topic("NDATA"), {}, names, None, NOW_US)


def one(made: Any) -> WireReading | Flaw | PassedOver | None:
    """What becomes of the only metric of a payload."""
    read = read_payload(made.SerializeToString())
    (item,) = items(read, message(), None, is_birth=False)
    return item


def value_of(type_: int, value: Any) -> Any:
    made = payload()
    metric(made, "x", None, type_, value)
    item = one(made)
    if isinstance(item, WireReading):
        return as_fraction(item.mantissa, item.exponent)
    return item.reason if isinstance(item, Flaw) else item


SIGNED = {Types.Int8: 8, Types.Int16: 16, Types.Int32: 32, Types.Int64: 64}
UNSIGNED = {Types.UInt8: 8, Types.UInt16: 16, Types.UInt32: 32}


@pytest.mark.parametrize("type_", SIGNED)
def test_signed_integers_of_all_widths(type_: int):
    half = 1 << (SIGNED[type_] - 1)
    low = -half + (type_ == Types.Int64)  # a mantissa has no place for −2⁶³
    for value in (0, 1, -1, half - 1, low):
        assert value_of(type_, value) == value


@pytest.mark.parametrize("type_", UNSIGNED)
def test_unsigned_integers_of_all_widths(type_: int):
    for value in (0, 1, (1 << UNSIGNED[type_]) - 1):
        assert value_of(type_, value) == value


def test_a_negative_of_its_own_width_is_read_as_one():
    made = payload()
    made.metrics.add(name="x", datatype=Types.Int8, int_value=0xFE, timestamp=NOW_MS)
    item = one(made)
    assert isinstance(item, WireReading)
    assert item.mantissa == -2


@pytest.mark.parametrize(
    ("type_", "fields", "reason"),
    [
        (Types.Int8, {"int_value": 300}, RejectReason.BAD_VALUE),
        (Types.UInt8, {"int_value": 256}, RejectReason.BAD_VALUE),
        (Types.UInt32, {"long_value": 1 << 32}, RejectReason.BAD_VALUE),
        (Types.Int64, {"int_value": 1 << 31}, RejectReason.BAD_VALUE),
        (Types.Double, {"int_value": 5}, RejectReason.BAD_VALUE),
        (Types.UInt64, {"long_value": (1 << 64) - 1}, RejectReason.OUT_OF_RANGE),
        (Types.Double, {}, RejectReason.BAD_VALUE),
        (Types.Double, {"double_value": float("nan")}, RejectReason.BAD_VALUE),
        (Types.Float, {"float_value": float("inf")}, RejectReason.BAD_VALUE),
        (0, {"int_value": 5}, RejectReason.UNKNOWN_ALIAS),
    ],
)
def test_values_that_are_none(type_: int, fields: dict[str, Any], reason: RejectReason):
    made = payload()
    made.metrics.add(name="x", datatype=type_, timestamp=NOW_MS, **fields)
    item = one(made)
    assert isinstance(item, Flaw)
    assert item.reason is reason
    assert item.detail


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_its_shortest_decimal(value: float):
    made = payload()
    metric(made, "x", None, Types.Float, value)
    item = one(made)
    assert isinstance(item, WireReading)
    decimal = as_fraction(item.mantissa, item.exponent)
    assert struct.pack("<f", float(decimal)) == struct.pack("<f", value or 0.0)
    assert len(str(abs(item.mantissa)).rstrip("0")) <= 9


def test_a_tenth_is_a_tenth():
    for type_ in (Types.Float, Types.Double):
        assert str(float(value_of(type_, 0.1))) == "0.1"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_read_as_carbon_v1_reads_it(value: float):
    assert value_of(Types.Double, value) == as_fraction(*exact_value(value))  # type: ignore[misc]


def test_texts_that_are_decimals_are_readings_with_their_digits():
    made = payload()
    metric(made, "x", None, Types.String, "12345.670")
    item = one(made)
    assert isinstance(item, WireReading)
    assert (item.mantissa, item.exponent) == (12345670, -3)
    assert isinstance(value_of(Types.String, "open"), PassedOver)
    assert isinstance(value_of(Types.UUID, "5"), PassedOver)


def test_what_is_no_reading_is_passed_over_deliberately():
    made = payload()
    metric(made, "bdSeq", None, Types.Int64, 3)
    metric(made, "Node Control/Rebirth", None, Types.Boolean, False)
    metric(made, "Device Control/Reboot", None, Types.Boolean, False)
    made.metrics.add(name="null", datatype=Types.Double, is_null=True)
    made.metrics.add(name="transient", datatype=Types.Double, double_value=1, is_transient=True)
    metric(made, "running", None, Types.Boolean, True)
    metric(made, "started", None, Types.DateTime, NOW_MS)
    metric(made, "blob", None, Types.Bytes, b"\1\2")
    dataset = made.metrics.add(name="table", datatype=Types.DataSet)
    dataset.dataset_value.num_of_columns = 1
    template = made.metrics.add(name="kind", datatype=Types.Template)
    template.template_value.is_definition = True
    found = list(items(read_payload(made.SerializeToString()), message(), None, is_birth=False))
    assert [item.why for item in found if isinstance(item, PassedOver)] == [
        *["control"] * 3,
        "null",
        "transient",
        *["not_a_number"] * 5,
    ]
    assert len(found) == 10


def test_a_historical_value_is_a_reading_of_its_own_time():
    made = payload()
    metric(made, "x", None, Types.Double, 1.0, NOW_MS - 86_400_000).is_historical = True
    item = one(made)
    assert isinstance(item, WireReading)
    assert item.at_us == NOW_US - 86_400_000_000


def test_time_is_the_metrics_own_or_the_payloads_or_that_of_receipt():
    for own, whole, expected, is_receipt_time in (
        (NOW_MS - 5, NOW_MS - 9, NOW_US - 5000, False),
        (None, NOW_MS - 9, NOW_US - 9000, False),
        (None, None, NOW_US, True),
    ):
        made = payload(at_ms=whole)
        metric(made, "x", None, Types.Double, 1.0, own)
        item = one(made)
        assert isinstance(item, WireReading)
        assert (item.at_us, item.is_receipt_time) == (expected, is_receipt_time)
    made = payload()
    metric(made, "x", None, Types.Double, 1.0, (1 << 64) - 1)
    item = one(made)
    assert isinstance(item, Flaw)
    assert item.reason is RejectReason.BAD_TIME


@pytest.mark.parametrize(("sent", "quality"), [(None, 0), (192, 0), (0, 2), (500, 2)])
def test_quality(sent: int | None, quality: int):
    made = payload()
    metric(made, "x", None, Types.Double, 1.0, quality=sent)
    item = one(made)
    assert isinstance(item, WireReading)
    assert item.quality == quality


def test_a_quality_that_is_none():
    made = payload()
    metric(made, "x", None, Types.Double, 1.0, quality=7)
    uneven = metric(made, "y", None, Types.Double, 1.0)
    uneven.properties.keys.append("Quality")
    twice = metric(made, "z", None, Types.Double, 1.0, quality=192)
    twice.properties.keys.append("Quality")
    twice.properties.values.add().int_value = 0
    found = list(items(read_payload(made.SerializeToString()), message(), None, is_birth=False))
    assert [item.reason for item in found if isinstance(item, Flaw)] == [RejectReason.BAD_READING] * 3


def test_names_and_aliases():
    made = payload()
    metric(made, None, 7, Types.Double, 1.0)
    made.metrics.add(double_value=1.0)
    found = list(items(read_payload(made.SerializeToString()), message(), None, is_birth=False))
    assert [item.reason for item in found if isinstance(item, Flaw)] == [
        RejectReason.UNKNOWN_ALIAS,
        RejectReason.BAD_READING,
    ]
    data = bytes.fromhex("1207") + b"\x0a\x02\xff\xff" + b"\x10\x01\x38"
    with pytest.raises(DecodeError):
        read_payload(data)  # ends within a varint
    (item,) = items(read_payload(b"\x12\x04\x0a\x02\xff\xff"), message(), None, is_birth=False)
    assert isinstance(item, Flaw)
    assert item.reason is RejectReason.BAD_ID


names_of_metrics = st.lists(
    st.tuples(
        st.one_of(st.none(), st.text(max_size=6)),
        st.one_of(st.none(), st.integers(0, 8)),
        st.sampled_from([Types.Int32, Types.UInt64, Types.Float, Types.Double, Types.String, Types.Boolean]),
        st.booleans(),
    ),
    max_size=6,
)


@given(names_of_metrics, st.dictionaries(st.integers(0, 8), st.text(min_size=1, max_size=200), max_size=8))
def test_a_completed_payload_is_what_the_library_would_have_written(
    metrics: list[tuple[str | None, int | None, int, bool]], aliases: dict[int, str]
):
    table = Table([Metric(name, alias, datatype=Types.Int32) for alias, name in aliases.items()])
    made = payload(seq=3)
    for name, alias, type_, typed in metrics:
        value = "5" if type_ == Types.String else True if type_ == Types.Boolean else 5
        metric(made, name, alias, type_, value, typed=typed)
    data = made.SerializeToString()
    whole = named(read_payload(data), table).data
    expected = Payload()
    expected.ParseFromString(data)
    for each in expected.metrics:
        is_integer = each.WhichOneof("value") in ("int_value", "long_value")
        if not (each.HasField("alias") if not each.HasField("name") else is_integer and not each.datatype):
            continue
        if not each.HasField("name"):
            if each.alias not in table.names:
                continue
            each.name = table.names[each.alias]
        if not each.datatype and each.name in table.types:
            each.datatype = table.types[each.name]
    reread = Payload()
    reread.ParseFromString(whole)
    assert reread == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_metrics_or_one_error(data: bytes):
    with contextlib.suppress(DecodeError):
        list(items(read_payload(data), message(), None, is_birth=True))


@given(st.data())
def test_a_damaged_payload_gives_metrics_or_one_error(data: st.DataObject):
    made = payload(seq=1)
    metric(made, "Energy/kWh", 1, Types.Double, 12.5, quality=192)
    metric(made, "count", 2, Types.Int16, -5)
    sent = bytearray(made.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(sent) - 1))
        sent[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(sent)))
    with contextlib.suppress(DecodeError):
        read = read_payload(bytes(sent[:cut]))
        list(items(read, message(), None, is_birth=False))
        whole = named(read, Table([Metric("a", 1, datatype=Types.Double)]))
        assert len(whole.metrics) == len(read.metrics)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b\x0c",  # a group
        b"\x00\x01",  # field 0
        b"\x0a\x01x",  # a timestamp of bytes
        b"\x12\x7f",  # longer than what is there
        b"\x08" + b"\xff" * 11,  # a varint without an end
        b"\x12\x00" * (METRICS_MAX + 1),
    ],
)
def test_malformed_payloads(data: bytes):
    with pytest.raises(DecodeError) as caught:
        read_payload(data)
    assert caught.value.reason is RejectReason.BAD_PAYLOAD


def test_unknown_fields_are_passed_over():
    made = payload(seq=9)
    metric(made, "x", None, Types.Double, 1.0)
    data = (
        made.SerializeToString() + b"\xf8\x7f\x05\xfa\x7f\x02ab\xf9\x7f" + b"\0" * 8 + b"\xfd\x7f" + b"\0" * 4
    )
    read = read_payload(data)
    assert (read.seq, len(read.metrics)) == (9, 1)


def test_a_rebirth_request_as_the_library_reads_it():
    request = Payload()
    request.ParseFromString(rebirth_request(NOW_MS))
    assert request.timestamp == NOW_MS
    assert not request.HasField("seq")
    (asked,) = request.metrics
    assert (asked.name, asked.datatype, asked.boolean_value) == ("Node Control/Rebirth", Types.Boolean, True)
    assert not asked.HasField("alias")


# In a batch


def outcome_of(directory: Directory, *sent: tuple[str, bytes], **more: Any) -> tuple[Batch, Outcome, Formats]:
    some = Formats(rules_of(json.dumps([RULE])))
    batch = Batch(Routes(directory, some), ClockRules())
    source = Collector()
    for name, data in sent:
        batch.add(chunk(source, [data], name, **more))
    return batch, batch.finish(NOW_US), some


def test_devices_and_metrics_are_meters_and_channels(directory: Directory):
    node = Node()
    _, outcome, _ = outcome_of(
        directory,
        node.birth({"E-02/kwh": 1}, 2.5),
        node.device_birth("E-01", {"kwh": 2}, 3.5),
        node.data("E-01", {2: 4.5}),
        node.data(None, {1: 5.5}),
    )
    names = {point.id: point.name for point in directory.points}
    assert [(names[int(row["channel_id"])], int(row["mantissa"])) for row in outcome.rows] == [
        ("E-02/kwh", 25),
        ("E-01/kwh", 35),
        ("E-01/kwh", 45),
        ("E-02/kwh", 55),
    ]
    assert outcome.rejections == []


def test_a_birth_says_nothing_new_of_a_delta(directory: Directory):
    node = Node()
    _, outcome, _ = outcome_of(
        directory,
        node.birth(),
        node.device_birth("D-01", {"kwh": 2}),
        node.data("D-01", {2: 4.5}),
    )
    assert outcome.rows["mantissa"].tolist() == [45]
    assert outcome.deltas()[topic("").split("/")[1], "gw1"].received == 1


def test_dead_letters_keep_what_the_birth_told(directory: Directory):
    node = Node()
    batch, outcome, _ = outcome_of(
        directory,
        node.birth(),
        node.device_birth("E-01", {"kwh": 2}),
        node.data("E-01", {2: float("nan"), 9: 1.0}),
    )
    assert [(item.reason, item.positions) for item in outcome.rejections] == [
        (RejectReason.BAD_VALUE, [0]),
        (RejectReason.UNKNOWN_ALIAS, [1]),
    ]
    kept = Payload()
    kept.ParseFromString(batch.delivery(2)[2])
    assert [each.name for each in kept.metrics] == ["kwh", ""]
    assert kept.metrics[0].datatype == Types.Double


def test_commands_and_states_are_nothing_to_read(directory: Directory):
    batch, outcome, _ = outcome_of(
        directory, (topic("NCMD"), rebirth_request(NOW_MS)), (topic("DCMD", "E-01"), b"whatever")
    )
    assert (outcome.deltas(), outcome.rejections, batch.chunks[0].codes) == ({}, [], {})
    for name in (topic("NODE"), topic("DDATA"), topic("NDATA", "E-01")):
        _, outcome, _ = outcome_of(directory, (name, b""))
        assert [item.reason for item in outcome.rejections] == [RejectReason.BAD_TOPIC]


def test_what_a_broker_retained_tells_nothing_of_a_session(directory: Directory):
    node = Node()
    _, outcome, some = outcome_of(directory, node.birth({"E-02/kwh": 1}), retained=frozenset({0}))
    ((_, decoder),) = some.hosted
    assert len(outcome.rows) == 1
    assert decoder.nodes == {}  # type: ignore[attr-defined]


def test_the_options_of_a_rule():
    rules = rules_of(json.dumps([{**RULE, "host_id": "h", "reorder_s": 0.5}]))
    ((pattern, decoder),) = Formats(rules).hosted
    assert pattern == "spBv1.0/+/+/+/#"
    assert isinstance(decoder, SparkplugDecoder)
    assert decoder.options == Options("h", 0.5, 10.0)
    wrong = {**RULE, "host_id": "a/b", "reorder_s": 0, "rebirth_s": True}
    with pytest.raises(FaultyDocument) as caught:
        rules_of(json.dumps([wrong]))
    assert [fault.place for fault in caught.value.faults] == ["[0].host_id", "[0].reorder_s", "[0].rebirth_s"]
