"""HJ 212-2017, as data loggers of continuous emission monitoring (CEMS, 烟气在线监测) send it over TCP.

    ##0170QN=20240501080003000;ST=31;CN=2011;PW=123456;MN=CEMS01;Flag=5;CP=&&DataTime=20240501080000;
    a00000-Rtd=81250.5,a00000-Flag=N;a05001-Rtd=96310,a05001-Flag=N&&1C80␍␊

The four digits count the characters between them and the checksum; the checksum is the CRC of the same (appendix A).
A payload is one such frame. `hj212.py` takes frames off a connection and answers them; over MQTT they come as they are.

- Readings are the items of each factor that the rule's `items` names, `Rtd` and `Cou` where it names none: a device's
  value now, and an amount of a period. The device is the MN; the metric is `a05001-Rtd`, and for the reports of a
  period `a05001-Cou.minute`, `.hour`, `.day` (CN 2051, 2061, 2031), since the same items mean something else there.
- `DataTime` is local, in the gateway's zone, UTC+8 where it has none. Of a period it is the beginning (`stamps`:
  `start`), and the reading is stamped at the end, `minute_length_s` (600), an hour or a day later; or the end (`end`).
- Quality letters: N is good; any other (F stopped, M maintenance, D fault, C calibration, T beyond the range,
  B no connection to the instrument) makes the reading invalid: stored, and never standing.
- Other commands (CN) hold no readings. A frame whose length or checksum is wrong, or whose password isn't the rule's,
  is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import DecodeError, RejectReason
from domain.interval import HOUR_US, TIME_MAX_US, TIME_MIN_US, parse_time
from domain.reading import SentQuality
from ingest.decode.decoder import Message, Plain, found
from ingest.decode.wire import Flaw, WireObject, WireReading

DECODER = "hj212_2017/1"
OPTIONS = frozenset({"items", "stamps", "minute_length_s", "password"})
ITEMS = ("Rtd", "Cou")
HEAD_BYTES = 6  # ## and the length
TAIL_BYTES = 6  # checksum, carriage return, line feed
CHINA_OFFSET_US = 8 * HOUR_US
REALTIME = 2011
PERIODS = {2051: "minute", 2061: "hour", 2031: "day"}
_LENGTHS_S = {"hour": 3_600, "day": 86_400}
_FRAME = re.compile(rb"##([0-9]{4})(.*)([0-9A-Fa-f]{4})\r\n\Z", re.DOTALL)
_LOCAL_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})\Z")


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def checksum(data: bytes) -> int:
    """CRC of a data segment, HJ 212-2017 appendix A: a byte into the register shifted down by 8, and 8 shifts.

    >>> data = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    >>> f"{len(data):04d} {checksum(data):04X}"
    '0101 1C80'
    """
    register = 0xFFFF
    for byte in data:
        # Eight shifts depend on the low half alone, which is what the table knows; nothing is left of the high half.
        register = _CRC_TABLE[register >> 8 ^ byte]
    return register


@dataclass(frozen=True, slots=True)
class Segment:
    """The data segment of a frame.

    fields  what stands before CP: QN, ST, CN, PW, MN, Flag, PNUM, PNO
    groups  of CP, one for each part between semicolons, each with its items in order
    """

    fields: Mapping[str, str]
    groups: tuple[Mapping[str, str], ...]

    @property
    def command(self) -> int:
        return int(self.fields["CN"])

    @property
    def wants_answer(self) -> bool:
        flag = self.fields.get("Flag", "0")
        return flag.isdigit() and int(flag) & 1 == 1


def read_frame(frame: bytes) -> Segment:
    """The data segment of a whole frame; DecodeError where it is none."""
    match = _FRAME.match(frame)
    if match is None:
        raise _bad("no frame: expected ##, four digits, the data, four hexadecimal digits, CR LF")
    length, data, check = match.groups()
    if int(length) != len(data):
        raise _bad(f"the frame tells {int(length)} characters of data, it has {len(data)}")
    computed = checksum(data)
    if int(check, 16) != computed:
        raise _bad(f"the frame's checksum is {check.decode().upper()}, that of its data is {computed:04X}")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        # descriptions may be Chinese, in whichever encoding the device has; figures never are
        text = data.decode("latin-1")
    head, _, rest = text.partition("CP=&&")
    body, end, _ = rest.partition("&&")
    fields = _pairs(head, ";")
    if not end or not fields.get("CN", "").isdecimal() or not fields.get("MN"):
        raise _bad("no data segment: expected MN, CN and CP=&&…&&")
    if len(fields["CN"]) > 8:
        raise _bad("CN has more than 8 digits")
    return Segment(fields, tuple(_pairs(group, ",") for group in body.split(";")))


def _pairs(text: str, separator: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(separator) if part)
    return {key.strip(): value.strip() for key, equals, value in parts if equals}


def _bad(text: str) -> DecodeError:
    return DecodeError(RejectReason.BAD_PAYLOAD, text)


def make(
    options: Mapping[str, Any], _placeholders: frozenset[str], report: Callable[[str, str], None]
) -> Plain | None:
    """The decoder by a rule's options; reports their faults, and then returns None."""
    faults: list[str] = []

    def fault(key: str, message: str) -> None:
        faults.append(key)
        report(key, message)

    items = options.get("items", list(ITEMS))
    if not isinstance(items, list) or not items or not all(isinstance(item, str) and item for item in items):
        fault("items", f"is {items!r}, expected an array such as ['Rtd', 'Cou']")
    stamps = options.get("stamps", "start")
    if stamps not in ("start", "end"):
        fault("stamps", f"is {stamps!r}, expected 'start' or 'end'")
    length_s = options.get("minute_length_s", 600)
    if not isinstance(length_s, int) or isinstance(length_s, bool) or not 60 <= length_s <= 3_600:
        fault("minute_length_s", f"is {length_s!r}, expected seconds from 60 to 3600")
    password = options.get("password")
    if password is not None and (not isinstance(password, str) or not password):
        fault("password", "expected a text: the PW that devices send")
    if faults:
        return None
    return Plain(DECODER, _Reader(frozenset(items), stamps == "start", length_s, password))


class _Reader:
    """Frames to readings by a rule's options."""

    def __init__(
        self, items: frozenset[str], is_stamped_at_start: bool, minute_length_s: int, password: str | None
    ) -> None:
        self._items = items
        self._shifts_us = {
            period: seconds * 1_000_000 if is_stamped_at_start else 0
            for period, seconds in {**_LENGTHS_S, "minute": minute_length_s}.items()
        }
        self._password = password

    def __call__(self, message: Message) -> tuple[WireObject, ...]:
        segment = read_frame(message.payload)
        if self._password is not None and segment.fields.get("PW") != self._password:
            raise DecodeError(RejectReason.NOT_AUTHORIZED, "PW isn't the password that the settings have")
        period = PERIODS.get(segment.command)
        if period is None and segment.command != REALTIME:
            return (WireObject(None, ()),)
        return found(self._readings(segment, period, message))

    def _readings(
        self, segment: Segment, period: str | None, message: Message
    ) -> Iterator[WireReading | Flaw | None]:
        at_us: int | Flaw = Flaw(RejectReason.BAD_TIME, "the frame has no DataTime")
        suffix = "" if period is None else f".{period}"
        shift_us = 0 if period is None else self._shifts_us[period]
        for group in segment.groups:
            if "DataTime" in group:
                at_us = _time(group["DataTime"], message.zone_offset_us, shift_us)
                continue
            quality = SentQuality.GOOD
            for name, value in group.items():
                if name.endswith("-Flag") and value != "N":
                    quality = SentQuality.INVALID
            for name, value in group.items():
                _, dash, item = name.rpartition("-")
                if dash and item in self._items:
                    yield message.reading(segment.fields["MN"], name + suffix, at_us, value, quality)


def _time(text: str, zone_offset_us: int | None, shift_us: int) -> int | Flaw:
    parts = _LOCAL_TIME.match(text)
    us = None
    if parts is not None:
        year, month, day, hour, minute, second = parts.groups()
        offset_us = CHINA_OFFSET_US if zone_offset_us is None else zone_offset_us
        us = parse_time(f"{year}-{month}-{day}T{hour}:{minute}:{second}", offset_us)
    if us is None or not TIME_MIN_US <= us + shift_us < TIME_MAX_US:
        return Flaw(RejectReason.BAD_TIME, "DataTime is {}, expected YYYYMMDDhhmmss", text)
    return us + shift_us
