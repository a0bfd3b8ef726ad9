"""What decoders find, and the small parts that they share: exact values, times, JSON with nothing lost.

A decoder yields objects (`WireObject`) of readings (`WireReading`) and flaws (`Flaw`), one for each place of the
payload that should hold a reading; a payload in which no readings can be found at all is a `DecodeError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.errors import DecodeError, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US, parse_time
from domain.reading import exact_value

Seq: TypeAlias = int | str | None
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
    is_last_value: bool = False  # said before, perhaps: nothing new where the channel is a delta
    is_receipt_time: bool = False  # no time of the device's own: `at_us` is made of the time of receipt


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
    items: Iterable[WireReading | Flaw | None]  # None: passed over, though it has a place
    is_whole: bool = False  # no readings were found: `items` is one Flaw that stands for all of it


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its repetitions."""


class Constant:
    """NaN, Infinity or -Infinity."""

    def __init__(self, text: str) -> None:
        self.text = text


class TooLong:
    """An integer of absurd length."""


def shortened(value: object) -> str:
    """Text from outside, quoted and short; ASCII, so that it can be stored and logged whatever it was."""
    if isinstance(value, Pairs | dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, Constant):
        return value.text
    if isinstance(value, TooLong):
        return f"an integer of more than {_INTEGER_DIGITS_MAX} digits"
    text = json.dumps(value[:_DETAIL_MAX] if isinstance(value, str) else value)
    return text if len(text) <= _DETAIL_MAX else text[: _DETAIL_MAX - 1] + "…"


def _integer(text: str) -> int | TooLong:
    return int(text) if len(text) <= _INTEGER_DIGITS_MAX else TooLong()


def parse_json(payload: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] = Pairs) -> Any:
    """The JSON value of a payload, objects as lists of pairs or as `pairs` says; DecodeError where it is none."""
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, f"not UTF-8 at byte {error.start}") from error
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=Constant, parse_int=_integer)
    except RecursionError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, "nested too deeply") from error
    except ValueError as error:
        raise DecodeError(RejectReason.BAD_PAYLOAD, f"not JSON: {error}") from error


def value_of(value: Any) -> tuple[int, int] | Flaw:
    """(mantissa, exponent) of a JSON value exactly as sent, or why it is none."""
    if isinstance(value, int | float | str):
        number = exact_value(value)
        if number is not None:
            return number
        if not isinstance(value, bool) and (not isinstance(value, str) or _DECIMAL.match(value)):
            return Flaw(RejectReason.OUT_OF_RANGE, "{} doesn't fit 63 bits and an exponent", value)
    elif isinstance(value, TooLong):
        return Flaw(RejectReason.OUT_OF_RANGE, "{}", value)
    return Flaw(RejectReason.BAD_VALUE, "{} is no finite decimal", value)


def cut(mantissa: int, exponent: int) -> int:
    """mantissa × 10^exponent as an integer: digits beyond are cut, whatever the sign."""
    power: int = 10 ** abs(exponent)
    if exponent >= 0:
        return mantissa * power
    return abs(mantissa) // power * (-1 if mantissa < 0 else 1)


def stamp_of(value: Any, zone_offset_us: int | None, name: str, *, digits: int = 3) -> int | Flaw:
    """Microseconds of a stamp: RFC 3339, or a number since the epoch, as JSON number or as text.

    name    of the field, for the flaw
    digits  the power of ten of the number's unit in a second: 3 milliseconds, 0 seconds
    """
    us: int | None = None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        number = exact_value(value)
        if number is not None:
            if number[1] < 40:
                us = cut(number[0], number[1] + 6 - digits)
        elif isinstance(value, str):
            us = parse_time(value, zone_offset_us)
            if us is None and zone_offset_us is None and parse_time(value, 0) is not None:
                return Flaw(
                    RejectReason.BAD_TIME, "{} has no offset, and the gateway no zone in the registry", value
                )
    if us is None or not TIME_MIN_US <= us < TIME_MAX_US:
        return Flaw(RejectReason.BAD_TIME, f'"{name}" is {{}}, which is no time', value)
    return us
