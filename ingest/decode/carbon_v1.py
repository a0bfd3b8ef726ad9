"""Forms A, B, C, arrays of them and single values (`docs/contract.md` section 1), read with care, reading by reading.

`read` and `read_single` are the definition: slow, plain, exact. `ingest/batch.py` reads well-formed payloads by
the typed decoders of `carbon_v1_typed` instead; a test holds both to the same answers, and whatever the typed ones
refuse is decided here.

What the contract leaves open is decided thus:

- Keys that we don't know are passed over. `null` stands for an optional key left out (`q`, `rev`, `seq`).
- An object counts as one rejected payload (`bad_payload`) where no readings can be found in it: no or several forms,
  `readings`, `values` or the columns missing, empty or of the wrong type, columns of unequal length (nobody can say
  which value belongs to which stamp), or one of these keys twice. Two equal names in `values` are two readings.
  Of another key that stands twice the last counts.
- In an array each object is read alone; an element that is no object counts as one. An array in which no readings
  and no `seq` can be found at all counts as one.
- An array has at most 50,000 elements (objects with a reading each need more than 1 MiB for that); a longer one
  counts as one rejected payload.
- `seq` is an integer within 64 bits or a text of up to 64 characters; else there is no receipt.
- `NaN` and `Infinity` are no JSON, but where they stand in place of a value that reading alone is rejected.
- Bytes must be UTF-8 (a byte order mark is passed over) and objects not nested deeper than the parser goes.
- Checks run in the order name, time, value, quality, revision; the first that fails is the reason.
- Numbers that are finite decimals but don't fit 63 bits or an exponent of ±400 are `out_of_range`, as are those
  beyond a double (1e400).
- Epoch milliseconds may have a fraction; digits finer than microseconds are cut. Times lie within 1900 to 2199.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.errors import DecodeError, RejectReason
from domain.identity import is_identifier
from domain.interval import TIME_MAX_US, TIME_MIN_US, parse_time
from domain.reading import REVISION_MAX, exact_value
from ingest.decode.wire import (
    Constant,
    Flaw,
    Pairs,
    Seq,
    TooLong,
    WireObject,
    WireReading,
    cut,
    parse_json,
    shortened,
    value_of,
)

DECODER = "carbon_v1/1"

SEQ_MAX = 1 << 63
SEQ_TEXT_MAX = 64
OBJECTS_MAX = 50_000  # of an array: more than 1 MiB holds of objects with a reading each


def read(payload: bytes, zone_offset_us: int | None) -> Iterator[WireObject]:
    """The objects of a payload of the topic `…/readings`; DecodeError where it is neither object nor array of some."""
    value = parse_json(payload)
    if isinstance(value, Pairs):
        return iter((_object(value, zone_offset_us),))
    if not isinstance(value, list):
        raise DecodeError(
            RejectReason.BAD_PAYLOAD, f"expected an object or an array, found {shortened(value)}"
        )
    if not value:
        raise DecodeError(RejectReason.BAD_PAYLOAD, "an empty array")
    if len(value) > OBJECTS_MAX:
        raise DecodeError(
            RejectReason.BAD_PAYLOAD, f"an array of {len(value)} elements, the maximum is {OBJECTS_MAX}"
        )
    return (
        _object(item, zone_offset_us)
        if isinstance(item, Pairs)
        else _whole(f"expected an object, found {shortened(item)}")
        for item in value
    )


def read_single(
    payload: bytes, meter: str, channel: str, zone_offset_us: int | None
) -> tuple[Seq, WireReading | Flaw, bool]:
    """(seq, the reading, whether it is a bare number) of a payload of a channel's own topic.

    A bare number has no time of its own: `at_us` is 0 and the caller puts the time of receipt.
    DecodeError where it is neither an object nor a number.
    """
    value = parse_json(payload)
    if isinstance(value, Pairs):
        fields = dict(value)
        return _seq(fields), _reading(fields, meter, channel, zone_offset_us), False
    if isinstance(value, int | float | Constant | TooLong) and not isinstance(value, bool):
        number = value_of(value)
        if isinstance(number, Flaw):
            return None, number, True
        return None, WireReading(meter, channel, 0, *number), True
    raise DecodeError(
        RejectReason.BAD_PAYLOAD, f'expected {{"at": …, "v": …}} or a number, found {shortened(value)}'
    )


def _whole(detail: str, seq: Seq = None) -> WireObject:
    return WireObject(seq, (Flaw(RejectReason.BAD_PAYLOAD, detail),), is_whole=True)


def _seq(fields: dict[str, Any]) -> Seq:
    value = fields.get("seq")
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -SEQ_MAX <= value < SEQ_MAX else None
    return value if isinstance(value, str) and len(value) <= SEQ_TEXT_MAX else None


def _object(pairs: Pairs, zone_offset_us: int | None) -> WireObject:
    fields = dict(pairs)
    seq = _seq(fields)
    forms = [key for key in ("readings", "values", "v") if fields.get(key) is not None]
    if not forms:
        return _whole('none of "readings", "values" and "v" is there', seq)
    if len(forms) > 1:
        return _whole(f"of several forms at once: {', '.join(forms)}", seq)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        for key in ("readings", "values", "v", "at", "ch"):
            if keys.count(key) > 1:
                return _whole(f'"{key}" stands {keys.count(key)} times', seq)
    if forms == ["readings"]:
        return _form_a(fields["readings"], seq, zone_offset_us)
    if forms == ["values"]:
        return _form_b(fields, seq, zone_offset_us)
    return _form_c(fields, seq, zone_offset_us)


def _form_a(readings: Any, seq: Seq, zone_offset_us: int | None) -> WireObject:
    if not isinstance(readings, list) or isinstance(readings, Pairs):
        return _whole(f'"readings" must be an array, is {shortened(readings)}', seq)
    if not readings:
        return _whole('"readings" is empty', seq)
    return WireObject(seq, (_form_a_reading(item, zone_offset_us) for item in readings))


def _form_a_reading(item: Any, zone_offset_us: int | None) -> WireReading | Flaw:
    if not isinstance(item, Pairs):
        return Flaw(RejectReason.BAD_READING, "expected an object, found {}", item)
    fields = dict(item)
    if missing := [key for key in ("m", "c") if key not in fields]:
        return Flaw(RejectReason.BAD_READING, f"{', '.join(missing)} missing")
    for key in ("m", "c"):
        if not isinstance(fields[key], str) or not is_identifier(fields[key]):
            return Flaw(RejectReason.BAD_ID, f'"{key}" is {{}}, which is no id', fields[key])
    return _reading(fields, fields["m"], fields["c"], zone_offset_us)


def _form_b(fields: dict[str, Any], seq: Seq, zone_offset_us: int | None) -> WireObject:
    values = fields["values"]
    if not isinstance(values, Pairs):
        return _whole(f'"values" must be an object, is {shortened(values)}', seq)
    if not values:
        return _whole('"values" is empty', seq)
    at = _time(fields, zone_offset_us)
    marks = _marks(fields.get("q"), fields.get("rev"))
    return WireObject(seq, (_column_reading(name, at, value, marks) for name, value in values))


def _form_c(fields: dict[str, Any], seq: Seq, zone_offset_us: int | None) -> WireObject:
    columns: dict[str, list[Any]] = {}
    for key in ("at", "ch", "v"):
        column = fields.get(key)
        if not isinstance(column, list) or isinstance(column, Pairs):
            return _whole(
                f'"{key}" must be an array, is {shortened(column)}'
                if key in fields
                else f'"{key}" is missing',
                seq,
            )
        columns[key] = column
    count = len(columns["v"])
    for key in ("q", "rev"):
        column = fields.get(key)
        columns[key] = (
            column if isinstance(column, list) and not isinstance(column, Pairs) else [column] * count
        )
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
        return _whole(f"columns of unequal length: {lengths}", seq)
    if not count:
        return _whole("columns are empty", seq)
    return WireObject(
        seq,
        (
            _column_reading(name, _time({"at": at}, zone_offset_us), value, _marks(quality, revision))
            for name, at, value, quality, revision in zip(
                columns["ch"], columns["at"], columns["v"], columns["q"], columns["rev"], strict=True
            )
        ),
    )


def _reading(
    fields: dict[str, Any], meter: str, channel: str, zone_offset_us: int | None
) -> WireReading | Flaw:
    if missing := [key for key in ("at", "v") if key not in fields]:
        return Flaw(RejectReason.BAD_READING, f"{', '.join(missing)} missing")
    at = _time(fields, zone_offset_us)
    return _joined(meter, channel, at, fields["v"], _marks(fields.get("q"), fields.get("rev")))


def _column_reading(
    name: Any, at: int | Flaw, value: Any, marks: tuple[int, int] | Flaw
) -> WireReading | Flaw:
    names = name.split("/") if isinstance(name, str) else []
    if len(names) != 2 or not all(map(is_identifier, names)):
        return Flaw(RejectReason.BAD_ID, "{} is no METER/CHANNEL", name)
    return _joined(names[0], names[1], at, value, marks)


def _joined(
    meter: str, channel: str, at: int | Flaw, value: Any, marks: tuple[int, int] | Flaw
) -> WireReading | Flaw:
    if isinstance(at, Flaw):
        return at
    number = value_of(value)
    if isinstance(number, Flaw):
        return number
    if isinstance(marks, Flaw):
        return marks
    return WireReading(meter, channel, at, *number, *marks)


def _time(fields: dict[str, Any], zone_offset_us: int | None) -> int | Flaw:
    value = fields.get("at")
    us: int | None = None
    if isinstance(value, str):
        us = parse_time(value, zone_offset_us)
        if us is None and zone_offset_us is None and parse_time(value, 0) is not None:
            return Flaw(
                RejectReason.BAD_TIME, "{} has no offset, and the gateway no zone in the registry", value
            )
    elif isinstance(value, int) and not isinstance(value, bool):
        us = value * 1000
    elif isinstance(value, float) and -1e15 < value < 1e15:
        number = exact_value(value)
        assert number is not None
        us = cut(number[0], number[1] + 3)
    if us is None or not TIME_MIN_US <= us < TIME_MAX_US:
        if "at" not in fields:
            return Flaw(RejectReason.BAD_TIME, '"at" is missing')
        return Flaw(
            RejectReason.BAD_TIME,
            '"at" is {}, expected RFC 3339 with an offset, or epoch milliseconds',
            value,
        )
    return us


def _marks(quality: Any, revision: Any) -> tuple[int, int] | Flaw:
    quality = 0 if quality is None else quality
    revision = 0 if revision is None else revision
    if type(quality) is not int or not 0 <= quality <= 2:
        return Flaw(RejectReason.BAD_READING, '"q" is {}, expected 0, 1 or 2', quality)
    if type(revision) is not int or not 0 <= revision <= REVISION_MAX:
        return Flaw(RejectReason.BAD_READING, f'"rev" is {{}}, expected 0 to {REVISION_MAX}', revision)
    return quality, revision
