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

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.errors import DecodeError, RejectReason
from domain.identity import is_identifier
from domain.interval import TIME_MAX_US, TIME_MIN_US, parse_time
from domain.reading import REVISION_MAX, exact_value

DECODER = "carbon_v1/1"

Seq: TypeAlias = int | str | None
SEQ_MAX = 1 << 63
SEQ_TEXT_MAX = 64
OBJECTS_MAX = 50_000  # of an array: more than 1 MiB holds of objects with a reading each
_INTEGER_DIGITS_MAX = 400  # longer ones are out of range whatever they are, and int() of them is slow
_DETAIL_MAX = 120
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)


_NO_VALUE = object()


@dataclass(frozen=True, slots=True)
class WireReading:
    """One reading as sent: value mantissa × 10^exponent, time in microseconds."""

    meter: str
    channel: str
    at_us: int
    mantissa: int
    exponent: int
    quality: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why one reading can't be read. `text` shows the `value`, if there is one, at {}; written out when asked for."""

    reason: RejectReason
    text: str
    value: object = _NO_VALUE

    @property
    def detail(self) -> str:
        return self.text if self.value is _NO_VALUE else self.text.replace("{}", shortened(self.value))


@dataclass(frozen=True, slots=True)
class WireObject:
    """An object of form A, B or C: what is found in it, in the order of its places, once.

    Found one by one: a payload of 1 MiB can hold half a million places, and not one good reading.
    """

    seq: Seq
    items: Iterable[WireReading | Flaw]
    is_whole: bool = False  # no readings were found: `items` is one Flaw that stands for all of it


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repetitions."""


class _Constant:
    """NaN, Infinity or -Infinity."""

    def __init__(self, text: str) -> None:
        self.text = text


class _TooLong:
    """An integer of absurd length."""


def shortened(value: object) -> str:
    """Text from outside, quoted and short; ASCII, so that it can be stored and logged whatever it was."""
    if isinstance(value, _Pairs):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, _Constant):
        return value.text
    if isinstance(value, _TooLong):
        return f"an integer of more than {_INTEGER_DIGITS_MAX} digits"
    text = json.dumps(value[:_DETAIL_MAX] if isinstance(value, str) else value)
    return text if len(text) <= _DETAIL_MAX else text[: _DETAIL_MAX - 1] + "…"


def _integer(text: str) -> int | _TooLong:
    return int(text) if len(text) <= _INTEGER_DIGITS_MAX else _TooLong()


def parse_json(payload: bytes) -> Any:
    """The JSON value of a payload, objects as lists of pairs; DecodeError where it is none."""
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, f"not UTF-8 at byte {error.start}") from error
    try:
        return json.loads(text, object_pairs_hook=_Pairs, parse_constant=_Constant, parse_int=_integer)
    except RecursionError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, "nested too deeply") from error
    except ValueError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, f"not JSON: {error}") from error


def read(payload: bytes, zone_offset_us: int | None) -> Iterator[WireObject]:
    """The objects of a payload of the topic `…/readings`; DecodeError where it is neither object nor array of some."""
    value = parse_json(payload)
    if isinstance(value, _Pairs):
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
        if isinstance(item, _Pairs)
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
    if isinstance(value, _Pairs):
        fields = dict(value)
        return _seq(fields), _reading(fields, meter, channel, zone_offset_us), False
    if isinstance(value, int | float | _Constant | _TooLong) and not isinstance(value, bool):
        number = _value(value)
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


def _object(pairs: _Pairs, zone_offset_us: int | None) -> WireObject:
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
    if not isinstance(readings, list) or isinstance(readings, _Pairs):
        return _whole(f'"readings" must be an array, is {shortened(readings)}', seq)
    if not readings:
        return _whole('"readings" is empty', seq)
    return WireObject(seq, (_form_a_reading(item, zone_offset_us) for item in readings))


def _form_a_reading(item: Any, zone_offset_us: int | None) -> WireReading | Flaw:
    if not isinstance(item, _Pairs):
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
    if not isinstance(values, _Pairs):
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
        if not isinstance(column, list) or isinstance(column, _Pairs):
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
            column if isinstance(column, list) and not isinstance(column, _Pairs) else [column] * count
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
    number = _value(value)
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
        mantissa, exponent = number[0], number[1] + 3
        # digits are cut, whatever the sign
        us = (
            mantissa * 10**exponent
            if exponent >= 0
            else abs(mantissa) // 10**-exponent * (-1 if mantissa < 0 else 1)
        )
    if us is None or not TIME_MIN_US <= us < TIME_MAX_US:
        if "at" not in fields:
            return Flaw(RejectReason.BAD_TIME, '"at" is missing')
        return Flaw(
            RejectReason.BAD_TIME,
            '"at" is {}, expected RFC 3339 with an offset, or epoch milliseconds',
            value,
        )
    return us


def _value(value: Any) -> tuple[int, int] | Flaw:
    if isinstance(value, int | float | str):
        number = exact_value(value)
        if number is not None:
            return number
        if not isinstance(value, bool) and (not isinstance(value, str) or _DECIMAL.match(value)):
            return Flaw(RejectReason.OUT_OF_RANGE, "{} doesn't fit 63 bits and an exponent", value)
    elif isinstance(value, _TooLong):
        return Flaw(RejectReason.OUT_OF_RANGE, "{}", value)
    return Flaw(RejectReason.BAD_VALUE, "{} is no finite decimal", value)


def _marks(quality: Any, revision: Any) -> tuple[int, int] | Flaw:
    quality = 0 if quality is None else quality
    revision = 0 if revision is None else revision
    if type(quality) is not int or not 0 <= quality <= 2:
        return Flaw(RejectReason.BAD_READING, '"q" is {}, expected 0, 1 or 2', quality)
    if type(revision) is not int or not 0 <= revision <= REVISION_MAX:
        return Flaw(RejectReason.BAD_READING, f'"rev" is {{}}, expected 0 to {REVISION_MAX}', revision)
    return quality, revision
