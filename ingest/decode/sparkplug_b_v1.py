"""Sparkplug B payloads (Eclipse Sparkplug 3.0, chapter 6): bytes in; metrics, or one `DecodeError`, out.

The protobuf wire format is read here, by the field numbers of the specification's clause 6.4 alone: a payload is
walked once, every length is checked against what is there, and nothing is recursive, so the time is bounded by the
size. What isn't known is passed over, as protobuf wants it; obsolete groups and a known field of another wire type are
malformed.

A metric becomes a reading thus:

- Integers of all widths, `Float`, `Double`, and a `String` or `Text` that is an exact decimal are readings. A `Float`
  is the shortest decimal that no other float32 is nearer to (0.1f is 0.1). A negative `Int8`, `Int16` or `Int32` may be
  two's complement of 32 bits or of its own width. An integer beyond its type is `bad_value`.
- Passed over, counted by `carbonmeter_sparkplug_passed_over_total`: `bdSeq`, `Node Control/…`, `Device Control/…`;
  null and transient metrics (the sender asks not to keep these); booleans, times, texts that are no number, UUIDs,
  bytes, files, arrays, DataSets and Templates.
- Time: the metric's own, else the payload's, else the time of receipt, flagged.
- Property `Quality`: 192 good; 0 bad and 500 stale are invalid (`q` 2): a stale value is the last one known, no
  measurement of its time. Any other is `bad_reading`.
- A metric without a name, or an integer without a type, needs its birth certificate: `unknown_alias` until `named`
  gives it both.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from domain.errors import DecodeError, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from domain.reading import SentQuality, exact_value
from ingest.decode.decoder import Message
from ingest.decode.wire import Flaw, WireReading

DECODER = "sparkplug_b/1"
NAMESPACE = "spBv1.0"
METRICS_MAX = 50_000  # of a payload; each place costs time, whatever is in it
REBIRTH = "Node Control/Rebirth"
BDSEQ = "bdSeq"
NODE_TYPES = frozenset({"NBIRTH", "NDATA", "NDEATH"})
DEVICE_TYPES = frozenset({"DBIRTH", "DDATA", "DDEATH"})
COMMANDS = frozenset({"NCMD", "DCMD"})

# Fields, clause 6.4.1
_TIMESTAMP, _METRICS, _SEQ = 1, 2, 3
_NAME, _ALIAS, _AT, _DATATYPE, _IS_HISTORICAL, _IS_TRANSIENT, _IS_NULL, _PROPERTIES = 1, 2, 3, 4, 5, 6, 7, 9
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _TEMPLATE, _EXTENSION = 10, 11, 12, 13, 14, 15, 18, 19
_KEYS, _VALUES = 1, 2
_PROPERTY_TYPE, _PROPERTY_IS_NULL, _PROPERTY_INT, _PROPERTY_LONG = 1, 2, 3, 4

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_METRIC_WIRE = {
    **dict.fromkeys((_ALIAS, _AT, _DATATYPE, _IS_HISTORICAL, _IS_TRANSIENT, _IS_NULL), _VARINT),
    **dict.fromkeys((_INT, _LONG, _BOOLEAN), _VARINT),
    **dict.fromkeys((_NAME, 8, _PROPERTIES, _STRING, 16, 17, _TEMPLATE, _EXTENSION), _BYTES),
    _FLOAT: _FIXED_32,
    _DOUBLE: _FIXED_64,
}
_SMALL_VARINTS = frozenset({_ALIAS << 3, _AT << 3, _DATATYPE << 3})
_PAYLOAD_WIRE = {_TIMESTAMP: _VARINT, _METRICS: _BYTES, _SEQ: _VARINT, 4: _BYTES, 5: _BYTES}
_SET_WIRE = {_KEYS: _BYTES, _VALUES: _BYTES}
_PROPERTY_WIRE = dict.fromkeys((_PROPERTY_TYPE, _PROPERTY_IS_NULL, _PROPERTY_INT, _PROPERTY_LONG), _VARINT)

# Data types, clause 6.4.16: bits, whether signed
_INTEGERS = {
    1: (8, True),
    2: (16, True),
    3: (32, True),
    4: (64, True),
    5: (8, False),
    6: (16, False),
    7: (32, False),
    8: (64, False),
}
_UNKNOWN, _TYPE_FLOAT, _TYPE_DOUBLE, _TYPE_BOOLEAN = 0, 9, 10, 11
_TYPE_INT64, _TYPE_DATETIME, _TYPE_UUID = 4, 13, 15
_QUALITIES = {192: SentQuality.GOOD, 0: SentQuality.INVALID, 500: SentQuality.INVALID}


@dataclass(slots=True)
class Metric:
    """One metric as sent, or as `named` completed it.

    at_ms    its own time, since the epoch
    carrier  number of the field that holds the value; 0: none
    value    an integer without its sign, the bytes of a float or double, or of a text
    quality  of the property; None: there is none that can be read
    tag      place of its tag in the payload; its body is from `start` to `end`
    """

    name: str | None = None
    alias: int | None = None
    at_ms: int | None = None
    datatype: int = _UNKNOWN
    is_transient: bool = False
    is_null: bool = False
    carrier: int = 0
    value: int | bytes = 0
    quality: int | None = 192
    has_bad_name: bool = False
    tag: int = 0
    start: int = 0
    end: int = 0

    @property
    def is_integer(self) -> bool:
        return self.carrier in (_INT, _LONG)

    @property
    def is_incomplete(self) -> bool:
        """Whether only a birth certificate can say what it means."""
        if self.name is None:
            return self.alias is not None
        return self.datatype == _UNKNOWN and self.is_integer


@dataclass(slots=True)
class Payload:
    """A payload as sent. `data` are its bytes."""

    data: bytes
    timestamp_ms: int | None = None
    seq: int | None = None
    metrics: list[Metric] = field(default_factory=list)

    @property
    def bd_seq(self) -> int | None:
        """The birth and death sequence number."""
        for metric in self.metrics:
            if metric.name == BDSEQ and isinstance(metric.value, int) and metric.is_integer:
                return metric.value
        return None

    @property
    def is_incomplete(self) -> bool:
        return any(metric.is_incomplete for metric in self.metrics)


class Table:
    """What a birth certificate says of its metrics: names by alias, types by name."""

    __slots__ = ("doubtful", "names", "types")

    def __init__(self, metrics: Sequence[Metric] = ()) -> None:
        self.names: dict[int, str] = {}
        self.types: dict[str, int] = {}
        self.doubtful: set[int] = set()  # aliases that stand for several metrics: for none
        for metric in metrics:
            if metric.name is None:
                continue
            self.types[metric.name] = metric.datatype
            if metric.alias is not None and self.names.setdefault(metric.alias, metric.name) != metric.name:
                self.doubtful.add(metric.alias)
        for alias in self.doubtful:
            del self.names[alias]

    def __len__(self) -> int:
        return len(self.types)


# The wire format


def _malformed(detail: str) -> DecodeError:
    return DecodeError(RejectReason.BAD_PAYLOAD, f"no Sparkplug B payload: {detail}")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(value, place after it); 64 bits, as protobuf cuts them."""
    value = shift = 0
    while at < end:
        digit = data[at]
        at += 1
        value |= (digit & 0x7F) << shift
        if digit < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift == 70:
            raise _malformed(f"a varint of more than ten bytes before byte {at}")
    raise _malformed("it ends within a varint")


def _fields(data: bytes, at: int, end: int, wire: Mapping[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(number, place of the tag, value or start of the bytes, place after it) of each field of a message.

    wire  the wire types of the fields that are wanted
    """
    while at < end:
        begin = at
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, begin, end)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _malformed(f"field number {number} at byte {begin}")
        wanted = wire.get(number)
        if wanted is not None and wanted != kind:
            raise _malformed(f"field {number} of wire type {kind} at byte {begin}")
        if kind == _VARINT:
            if at < end and data[at] < 0x80:
                value = data[at]
                at += 1
            else:
                value, at = _varint(data, at, end)
        elif kind == _BYTES:
            size, at = _varint(data, at, end)
            value, at = at, at + size
        elif kind == _FIXED_64:
            value, at = at, at + 8
        elif kind == _FIXED_32:
            value, at = at, at + 4
        else:
            raise _malformed(f"wire type {kind} at byte {begin}")
        if at > end:
            raise _malformed(f"field {number} at byte {begin} is longer than what is there")
        if wanted is not None:
            yield number, begin, value, at


def read_payload(data: bytes) -> Payload:
    """A payload; DecodeError where the bytes are none."""
    payload = Payload(data)
    metrics = payload.metrics
    for number, begin, value, after in _fields(data, 0, len(data), _PAYLOAD_WIRE):
        if number == _METRICS:
            if len(metrics) >= METRICS_MAX:
                raise _malformed(f"more than {METRICS_MAX} metrics")
            metrics.append(_metric(data, begin, value, after))
        elif number == _TIMESTAMP:
            payload.timestamp_ms = value
        elif number == _SEQ:
            payload.seq = value
    return payload


def _metric(data: bytes, tag: int, start: int, end: int) -> Metric:
    """One metric. The fields that stand in most are read in this loop, the rest as any message is: half of the time."""
    metric = Metric(tag=tag, start=start, end=end)
    at = start
    while at < end:
        kind = data[at]
        if kind in _SMALL_VARINTS:
            value, after = (data[at + 1], at + 2) if at + 1 < end else (0x80, at)
            if value >= 0x80:
                value, after = _varint(data, at + 1, end)
            if kind == _ALIAS << 3:
                metric.alias = value
            elif kind == _AT << 3:
                metric.at_ms = value
            else:
                metric.datatype = value
            at = after
        elif kind == _DOUBLE << 3 | _FIXED_64:
            if at + 9 > end:
                raise _malformed(f"field {_DOUBLE} at byte {at} is longer than what is there")
            metric.carrier, metric.value = _DOUBLE, data[at + 1 : at + 9]
            at += 9
        else:
            break
    if at == end:
        return metric
    for number, _, value, after in _fields(data, at, end, _METRIC_WIRE):
        if number == _NAME:
            try:
                metric.name = data[value:after].decode("utf-8")
                metric.has_bad_name = False
            except UnicodeDecodeError:
                metric.name, metric.has_bad_name = None, True
        elif number == _ALIAS:
            metric.alias = value
        elif number == _AT:
            metric.at_ms = value
        elif number == _DATATYPE:
            metric.datatype = value
        elif number == _IS_TRANSIENT:
            metric.is_transient = value != 0
        elif number == _IS_NULL:
            metric.is_null = value != 0
        elif number == _PROPERTIES:
            metric.quality = _quality(data, value, after)
        elif number >= _INT:
            metric.carrier = number
            if number == _INT:
                metric.value = value & 0xFFFF_FFFF
            elif number in (_LONG, _BOOLEAN):
                metric.value = value
            elif number in (_FLOAT, _DOUBLE, _STRING):
                metric.value = data[value:after]
    return metric


def _quality(data: bytes, start: int, end: int) -> int | None:
    """The property Quality; None where the set is none, or says several."""
    keys: list[bytes] = []
    values: list[tuple[int, int]] = []
    for number, _, value, after in _fields(data, start, end, _SET_WIRE):
        if number == _KEYS:
            keys.append(data[value:after])
        else:
            values.append((value, after))
    if len(keys) != len(values):
        return None
    places = [place for place, key in enumerate(keys) if key == b"Quality"]
    if not places:
        return 192
    if len(places) > 1:
        return None
    quality: int | None = None
    for number, _, value, _ in _fields(data, *values[places[0]], _PROPERTY_WIRE):
        if number == _PROPERTY_IS_NULL and value:
            return 192
        if number in (_PROPERTY_INT, _PROPERTY_LONG):
            quality = value
    return quality


# Names from a birth certificate


def _encoded(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def named(payload: Payload, table: Table) -> Payload:
    """The payload with the names and types that a birth certificate tells, so that it means the same without it.

    What was sent stays as it is, in its order; fields are appended to metrics, whose objects are completed in place.
    The payload itself where there is nothing to append.
    """
    data = payload.data
    parts: list[bytes] = []
    copied = 0
    for metric in payload.metrics:
        if not metric.is_incomplete:
            continue
        added = b""
        name = metric.name
        if name is None:
            assert metric.alias is not None
            name = table.names.get(metric.alias)
            if name is None:
                continue
            encoded = name.encode()
            added = bytes((_NAME << 3 | _BYTES,)) + _encoded(len(encoded)) + encoded
            metric.name = name
        if metric.datatype == _UNKNOWN and (datatype := table.types.get(name)):
            added += bytes((_DATATYPE << 3 | _VARINT,)) + _encoded(datatype)
            metric.datatype = datatype
        if added:
            body = data[metric.start : metric.end]
            length = _encoded(len(body) + len(added))
            parts += [data[copied : metric.tag], bytes((_METRICS << 3 | _BYTES,)), length, body, added]
            copied = metric.end
    if not parts:
        return payload
    return replace(payload, data=b"".join((*parts, data[copied:])))


# Readings


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A metric that is no reading, and why: control, null, transient, not_a_number."""

    why: str


def items(
    payload: Payload, message: Message, device: str | None, *, is_birth: bool
) -> Iterator[WireReading | Flaw | PassedOver | None]:
    """What becomes of each metric, in its place. None: the settings say to pass it over."""
    for metric in payload.metrics:
        yield _item(metric, payload, message, device, is_birth=is_birth)


def _item(
    metric: Metric, payload: Payload, message: Message, device: str | None, *, is_birth: bool
) -> WireReading | Flaw | PassedOver | None:
    name = metric.name
    if name is not None and (name == BDSEQ or name.startswith(("Node Control/", "Device Control/"))):
        return PassedOver("control")
    if metric.is_null:
        return PassedOver("null")
    if metric.is_transient:
        return PassedOver("transient")
    if metric.has_bad_name:
        return Flaw(RejectReason.BAD_ID, "a metric's name that isn't UTF-8")
    if name is None:
        if metric.alias is None:
            return Flaw(RejectReason.BAD_READING, "a metric with neither name nor alias")
        return Flaw(RejectReason.UNKNOWN_ALIAS, "no birth certificate tells what alias {} is", metric.alias)
    value = _value(metric)
    if isinstance(value, Flaw | PassedOver):
        return value
    quality = None if metric.quality is None else _QUALITIES.get(metric.quality)
    if quality is None:
        return Flaw(RejectReason.BAD_READING, "Quality is {}, expected 192, 0 or 500", metric.quality)
    at_ms = payload.timestamp_ms if metric.at_ms is None else metric.at_ms
    at_us: int | Flaw | None = None
    if at_ms is not None:
        at_us = at_ms * 1000
        if not TIME_MIN_US <= at_us < TIME_MAX_US:
            at_us = Flaw(RejectReason.BAD_TIME, "timestamp is {}, expected epoch milliseconds", at_ms)
    reading = message.reading(device, name, at_us, value, int(quality))
    if is_birth and isinstance(reading, WireReading):
        return replace(reading, is_last_value=True)
    return reading


_NOT_A_NUMBER = PassedOver("not_a_number")


def _value(metric: Metric) -> int | float | str | Flaw | PassedOver:
    carrier, value, datatype = metric.carrier, metric.value, metric.datatype
    if carrier in (_INT, _LONG):
        assert isinstance(value, int)
        if datatype == _UNKNOWN:
            return Flaw(
                RejectReason.UNKNOWN_ALIAS,
                "no birth certificate tells the type of {}",
                metric.name,
            )
        width = _INTEGERS.get(datatype)
        if width is None:
            if datatype in (_TYPE_FLOAT, _TYPE_DOUBLE):
                return Flaw(RejectReason.BAD_VALUE, "{} as an integer, its type is a float", value)
            return _NOT_A_NUMBER
        number = _integer(value, 32 if carrier == _INT else 64, *width)
        if number is None:
            return Flaw(RejectReason.BAD_VALUE, f"{{}} is no integer of Sparkplug type {datatype}", value)
        return number
    if carrier in (_FLOAT, _DOUBLE):
        assert isinstance(value, bytes)
        if carrier == _FLOAT:
            real = float(str(np.frombuffer(value, "<f4")[0]))
        else:
            (real,) = struct.unpack("<d", value)
        if not math.isfinite(real):
            return Flaw(RejectReason.BAD_VALUE, "{} is no finite decimal", str(real))
        return real
    if carrier == _STRING:
        assert isinstance(value, bytes)
        text = value.decode("utf-8", "replace")
        return text if datatype != _TYPE_UUID and exact_value(text) is not None else _NOT_A_NUMBER
    if carrier:
        return _NOT_A_NUMBER
    return Flaw(RejectReason.BAD_VALUE, "{} has no value and isn't null", metric.name)


def _integer(value: int, carried_bits: int, bits: int, is_signed: bool) -> int | None:
    """The integer of a type from the field that carries it without a sign; None where it doesn't fit."""
    if not is_signed:
        return value if value < 1 << bits else None
    if carried_bits < bits:  # an Int64 in 32 bits: its sign can't be told
        return value if value < 1 << (carried_bits - 1) else None
    if value >= 1 << (carried_bits - 1):
        value -= 1 << carried_bits
    half = 1 << (bits - 1)
    if half <= value < 2 * half:
        value -= 2 * half
    return value if -half <= value < half else None


# Commands


def rebirth_request(now_ms: int) -> bytes:
    """An NCMD that asks an edge node for its birth certificates: no seq; the name, since births give it no alias."""
    name = REBIRTH.encode()
    metric = (
        bytes((_NAME << 3 | _BYTES, len(name)))
        + name
        + bytes((_AT << 3,))
        + _encoded(now_ms)
        + bytes((_DATATYPE << 3, _TYPE_BOOLEAN, _BOOLEAN << 3, 1))
    )
    return (
        bytes((_TIMESTAMP << 3,)) + _encoded(now_ms) + bytes((_METRICS << 3 | _BYTES, len(metric))) + metric
    )
