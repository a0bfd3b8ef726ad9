"""Readings as the wire carries them (`docs/contract.md` section 1), written from that page, not from our decoder.

A value is `mantissa / 10^decimals`, exact. It is sent as a JSON integer or number where it has at most 15
significant digits, which every receiver keeps, else as a decimal string. A stamp is sent as epoch milliseconds
or as RFC 3339 text, with the gateway's offset, in UTC, or without an offset where the gateway has a zone in the
registry; `StampStyle` says how.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from enum import StrEnum
from typing import NamedTuple

import msgspec

from domain.interval import HOUR_US, from_us

Value = int | float | str
_DIGITS_EXACT = 10**15


class StampStyle(StrEnum):
    MILLISECONDS = "ms"  # 1700000000000
    UTC = "utc"  # "2023-11-14T22:13:20Z"
    OFFSET = "offset"  # "2023-11-15T06:13:20+08:00"
    LOCAL = "local"  # "2023-11-15T06:13:20": the gateway's zone is in the registry


class Form(StrEnum):
    """How a gateway packs its readings."""

    A = "A"  # rows
    B = "B"  # one instant, many channels
    C = "C"  # columns
    SINGLE = "single"  # a message each, on the channel's own topic


class Row(NamedTuple):
    """One reading on its way out."""

    meter: str
    channel: str
    at_us: int
    mantissa: int
    decimals: int
    quality: int = 0
    revision: int = 0


class Message(NamedTuple):
    """What is published; `readings` is how many it counts on the gateway's account."""

    topic: str
    payload: bytes
    readings: int


def readings_topic(uscc: str, gateway: str) -> str:
    return f"carbon/v1/{uscc}/{gateway}/readings"


def channel_topic(uscc: str, gateway: str, meter: str, channel: str) -> str:
    return f"carbon/v1/{uscc}/{gateway}/{meter}/{channel}"


def value(mantissa: int, decimals: int) -> Value:
    """A JSON value that says exactly mantissa / 10^decimals.

    >>> value(1234567, 2), value(-5, 0), value(123456789012345678, 3)
    (12345.67, -5, '123456789012345.678')
    """
    if decimals == 0:
        return mantissa
    if -_DIGITS_EXACT < mantissa < _DIGITS_EXACT:
        return mantissa / float(10**decimals)  # the nearest double, whose shortest decimal is this one
    return value_text(mantissa, decimals)


def value_text(mantissa: int, decimals: int) -> str:
    """The same as a decimal string, with all its digits."""
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def stamp(at_us: int, style: StampStyle, offset_us: int = 8 * HOUR_US) -> int | str:
    """A moment as text or milliseconds; a moment between two milliseconds always goes as text."""
    if style is StampStyle.MILLISECONDS and at_us % 1000 == 0:
        return at_us // 1000
    if style in (StampStyle.UTC, StampStyle.MILLISECONDS):
        return from_us(at_us).replace(tzinfo=None).isoformat() + "Z"
    local = from_us(at_us).astimezone(timezone(timedelta(microseconds=offset_us)))
    return (local if style is StampStyle.OFFSET else local.replace(tzinfo=None)).isoformat()


def form_a(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> bytes:
    return msgspec.json.encode(object_a(rows, style, seq=seq))


def object_a(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> dict[str, object]:
    readings = []
    for row in rows:
        reading: dict[str, object] = {
            "m": row.meter,
            "c": row.channel,
            "at": stamp(row.at_us, style),
            "v": value(row.mantissa, row.decimals),
        }
        if row.quality:
            reading["q"] = row.quality
        if row.revision:
            reading["rev"] = row.revision
        readings.append(reading)
    return _numbered({"readings": readings}, seq)


def form_b(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> bytes:
    return msgspec.json.encode(object_b(rows, style, seq=seq))


def object_b(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> dict[str, object]:
    """Rows of one instant, one quality and one revision, each channel once."""
    first = rows[0]
    assert all(
        (row.at_us, row.quality, row.revision) == (first.at_us, first.quality, first.revision) for row in rows
    )
    body: dict[str, object] = {
        "at": stamp(first.at_us, style),
        "values": {f"{row.meter}/{row.channel}": value(row.mantissa, row.decimals) for row in rows},
    }
    assert len(body["values"]) == len(rows)  # type: ignore[arg-type]
    if first.quality:
        body["q"] = first.quality
    if first.revision:
        body["rev"] = first.revision
    return _numbered(body, seq)


def form_c(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> bytes:
    return msgspec.json.encode(object_c(rows, style, seq=seq))


def object_c(rows: Sequence[Row], style: StampStyle, *, seq: int | None = None) -> dict[str, object]:
    body: dict[str, object] = {
        "at": [stamp(row.at_us, style) for row in rows],
        "ch": [f"{row.meter}/{row.channel}" for row in rows],
        "v": [value(row.mantissa, row.decimals) for row in rows],
    }
    for name, column in (("q", [row.quality for row in rows]), ("rev", [row.revision for row in rows])):
        if any(column):
            body[name] = column[0] if len(set(column)) == 1 else column
    return _numbered(body, seq)


def single(row: Row, style: StampStyle) -> bytes:
    """`{"at": T, "v": 12.5}`, for the channel's own topic; it has no place for quality or revision."""
    return msgspec.json.encode({"at": stamp(row.at_us, style), "v": value(row.mantissa, row.decimals)})


def bare(row: Row) -> bytes:
    """Only the number: the server takes the time of receipt."""
    return value_text(row.mantissa, row.decimals).encode()


def _numbered(body: dict[str, object], seq: int | None) -> dict[str, object]:
    return body if seq is None else {"seq": seq, **body}


def pack(
    uscc: str,
    gateway: str,
    rows: Sequence[Row],
    form: Form,
    style: StampStyle,
    *,
    readings_max: int = 200,
    first_seq: int | None = None,
) -> list[Message]:
    """Rows, in their order, as messages of at most `readings_max` readings; seq counts up where it is given."""
    topic = readings_topic(uscc, gateway)
    if form is Form.SINGLE:
        # A single value can't say a quality or a revision: such a reading goes as form A.
        return [
            Message(topic, form_a([row], style), 1)
            if row.quality or row.revision
            else Message(channel_topic(uscc, gateway, row.meter, row.channel), single(row, style), 1)
            for row in rows
        ]
    if form is Form.B:
        groups = _instants(rows)
    else:
        groups = [rows[place : place + readings_max] for place in range(0, len(rows), readings_max)]
    encode = {Form.A: form_a, Form.B: form_b, Form.C: form_c}[form]
    return [
        Message(topic, encode(group, style, seq=None if first_seq is None else first_seq + index), len(group))
        for index, group in enumerate(groups)
    ]


def _instants(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Neighbouring rows that one form B can say: same instant, quality and revision, no channel twice."""
    groups: list[Sequence[Row]] = []
    group: list[Row] = []
    names: set[tuple[str, str]] = set()
    for row in rows:
        name = (row.meter, row.channel)
        same = bool(group) and group[0][2] == row[2] and group[0][5:] == row[5:]
        if group and (not same or name in names):
            groups.append(group)
            group, names = [], set()
        group.append(row)
        names.add(name)
    if group:
        groups.append(group)
    return groups
