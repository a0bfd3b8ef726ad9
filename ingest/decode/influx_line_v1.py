"""InfluxDB line protocol, as Telegraf and the clients of InfluxDB write it, over HTTP or MQTT.

    modbus,name=E-01,host=gw7 import_kwh=12345.67,voltage=229i 1700000000000000000

A line is a series (measurement and tags), its fields, and a time. Each field that holds a number is a reading, exactly
as sent: `12345.67`, `229i` and `229u`; so is a text that is a decimal (`"12345.67"`). Another text and a truth value
are rejected: settings that name them in `ignore` pass them over.

- The device is the first of the rule's `device` templates whose tags the line has: `{tag:meter}`, `{tag:device}`,
  `{tag:name}`, `{measurement}` where the rule says nothing. The metric is `metric`, `{field}` where it says nothing.
- The time counts nanoseconds, or what the topic's `{precision}` or the rule's `precision` says; digits finer than
  microseconds are cut. A line without one has the time of receipt.
- A line that can't be read is one rejected reading and never takes its neighbours; lines that are empty or begin with
  `#` are none. `\\,`, `\\=` and `\\ ` stand for the character itself outside of texts, `\\"` and `\\\\` within.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from domain.errors import DecodeError, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from ingest.decode.decoder import Message, Plain, found, refused
from ingest.decode.wire import Flaw, WireObject, WireReading

DECODER = "influx_line/1"
OPTIONS = frozenset({"device", "metric", "precision"})
DEVICE = ("{tag:meter}", "{tag:device}", "{tag:name}", "{measurement}")
METRIC = "{field}"
# of InfluxDB 2 and, behind, the other names that InfluxDB 1 has for them: (multiplied by, divided by) to microseconds
PRECISIONS: Mapping[str, tuple[int, int]] = {
    "ns": (1, 1_000),
    "us": (1, 1),
    "ms": (1_000, 1),
    "s": (1_000_000, 1),
    "n": (1, 1_000),
    "u": (1, 1),
    "m": (60_000_000, 1),
    "h": (3_600_000_000, 1),
}

_WORD = r"(?:[^\\,= \n]|\\[^\n])++"
_MEASUREMENT = r"(?:[^\\, \n]|\\[^\n])++"
_VALUE = r'(?:"(?:[^"\\]|\\.)*+"|[^", \n]++)'
_LINE = re.compile(
    rf"(?P<series>{_MEASUREMENT}(?:,{_WORD}={_WORD})*+)\ ++"
    rf"(?P<fields>{_WORD}={_VALUE}(?:,{_WORD}={_VALUE})*+)"
    r"(?:\ ++(?P<time>-?[0-9]{1,20}))?+\ *+\r?+(?:\n|\Z)",
    re.DOTALL | re.VERBOSE,
)
_TAG = re.compile(rf",({_WORD})=({_WORD})")
_FIELD = re.compile(rf"({_WORD})=({_VALUE})", re.DOTALL)
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_TEXT = re.compile(r'\\(["\\])')
_INTEGER = re.compile(r"-?[0-9]+[iu]\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_PART = re.compile(r"\{(measurement|field|tag:[^{}]+)\}")

# (measurement, tags, field) to a name, None where a tag is missing
Template: TypeAlias = Callable[[str, Mapping[str, str], str], str | None]


def make(
    options: Mapping[str, Any], placeholders: frozenset[str], report: Callable[[str, str], None]
) -> Plain | None:
    """The decoder by a rule's options; reports their faults, and then returns None."""
    faults: list[str] = []

    def fault(key: str, message: str) -> None:
        faults.append(key)
        report(key, message)

    given = options.get("device", DEVICE)
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        fault("device", f"is {given!r}, expected a template or an array of them")
        texts = []
    devices = [template for text in texts if (template := _template(text, "device", fault)) is not None]
    metric_text = options.get("metric", METRIC)
    if isinstance(metric_text, str):
        metric = _template(metric_text, "metric", fault)
    else:
        fault("metric", f"is {metric_text!r}, expected a template")
    precision = options.get("precision", "ns")
    if precision not in PRECISIONS:
        fault("precision", f"is {precision!r}, there are {', '.join(PRECISIONS)}")
    elif "precision" in options and "precision" in placeholders:
        fault("precision", "stands in the topic too: leave one of them out")
    if faults or metric is None:
        return None
    return Plain(DECODER, _Reader(devices, metric, precision))


def _template(text: str, key: str, fault: Callable[[str, str], None]) -> Template | None:
    """A name made of parts of a line."""
    if "{" in _PART.sub("", text) or "}" in _PART.sub("", text) or not text:
        fault(key, f"is {text!r}, expected parts such as {{measurement}}, {{field}}, {{tag:name}}")
        return None
    if key == "device" and "{field}" in text:
        fault(key, "is of a line, which may have several fields: {field} belongs into metric")
        return None
    tags = [name[4:] for name in _PART.findall(text) if name.startswith("tag:")]

    def name(measurement: str, values: Mapping[str, str], field: str) -> str | None:
        if not all(tag in values for tag in tags):
            return None
        whole = {"measurement": measurement, "field": field}
        return _PART.sub(lambda part: whole.get(part[1]) or values[part[1][4:]], text)

    return name


class _Reader:
    """Lines to readings by a rule's templates."""

    def __init__(self, devices: Sequence[Template], metric: Template, precision: str) -> None:
        self._devices = devices
        self._metric = metric
        self._precision = precision

    def __call__(self, message: Message) -> tuple[WireObject]:
        try:
            text = message.payload.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DecodeError(RejectReason.BAD_PAYLOAD, f"not UTF-8 at byte {error.start}") from error
        start = _next_line(text, 0)
        if start == len(text):
            raise DecodeError(RejectReason.BAD_PAYLOAD, "there is no line in it")
        precision = message.levels.get("precision", self._precision)
        if precision not in PRECISIONS:
            raise refused(f"the precision is {{}}, there are {', '.join(PRECISIONS)}", precision)
        return found(self._items(text, start, message, *PRECISIONS[precision]))

    def _items(
        self, text: str, start: int, message: Message, factor: int, divisor: int
    ) -> Iterator[WireReading | Flaw | None]:
        while start < len(text):
            line = _LINE.match(text, start)
            if line is None:
                end = text.find("\n", start)
                end = len(text) if end < 0 else end
                # a place of its own, whatever is passed over: a line without a name can't be among these
                yield Flaw(RejectReason.BAD_READING, "{} is no line of the line protocol", text[start:end])
                start = _next_line(text, end)
                continue
            start = _next_line(text, line.end())
            measurement, tags = _series(line["series"])
            device = next(filter(None, (name(measurement, tags, "") for name in self._devices)), None)
            at_us = None if line["time"] is None else _time(line["time"], factor, divisor)
            for word, sent in _FIELD.findall(line["fields"]):
                field = _plain(word)
                metric = self._metric(measurement, tags, field)
                if metric is None:
                    yield Flaw(RejectReason.BAD_ID, "{} lacks a tag of the rule's metric", line["series"])
                    continue
                yield message.reading(device, metric, at_us, _value(sent))


def _next_line(text: str, start: int) -> int:
    """Where the next line begins that holds something; the end where there is none."""
    while start < len(text):
        if text[start] == "#":
            end = text.find("\n", start)
            start = len(text) if end < 0 else end + 1
        elif text[start] in " \t\r\n":
            start += 1
        else:
            break
    return start


@lru_cache(maxsize=10_000)
def _series(text: str) -> tuple[str, dict[str, str]]:
    """Measurement and tags, which repeat from line to line."""
    measurement = re.match(_MEASUREMENT, text)
    assert measurement is not None, "the line's pattern begins with it"
    tags = {_plain(key): _plain(value) for key, value in _TAG.findall(text, measurement.end())}
    return _plain(measurement[0]), tags


def _plain(word: str) -> str:
    return _ESCAPED.sub(r"\1", word) if "\\" in word else word


def _time(text: str, factor: int, divisor: int) -> int | Flaw:
    units = int(text) * factor
    us = units // divisor if units >= 0 else -(-units // divisor)
    if not TIME_MIN_US <= us < TIME_MAX_US:
        return Flaw(RejectReason.BAD_TIME, "{} is no time in this precision", text)
    return us


def _value(sent: str) -> object:
    """What `value_of` reads: an integer or a decimal text; anything else is refused there as sent."""
    if sent[0] == '"':
        return _ESCAPED_IN_TEXT.sub(r"\1", sent[1:-1])
    if _INTEGER.match(sent):
        return _decimal(sent[:-1])
    if _NUMBER.match(sent):
        return _decimal(sent)
    return sent


def _decimal(sent: str) -> str:
    """A float as line protocol writes it, which allows `+1`, `1.` and `.5`, as a decimal."""
    sign = "-" if sent[0] == "-" else ""
    digits, marker, exponent = sent.lstrip("+-").lower().partition("e")
    whole, point, rest = digits.partition(".")
    whole = whole.lstrip("0") or "0"
    return sign + whole + (point + rest if rest else "") + marker + exponent
