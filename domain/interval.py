"""Time: microseconds since the epoch in UTC, 15-minute intervals, the local calendar, ISO 8601 texts.

An interval is half-open, `[start, end)`. A *day* of the ledger is a local calendar day, counted from
1970-01-01, and always has 96 intervals: the zone of a server has a fixed offset in whole quarter-hours
(China Standard Time has no daylight saving), which `Calendar` refuses to be without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeAlias

INTERVAL_US = 15 * 60 * 1_000_000
INTERVALS_PER_DAY = 96
HOUR_US = 4 * INTERVAL_US
DAY_US = INTERVALS_PER_DAY * INTERVAL_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DATE = date(1970, 1, 1)
LocalDate: TypeAlias = date  # the name that Calendar.date hides within its class
# Stamps outside these years are taken for garbage of a device's clock, not for times.
TIME_MIN_US = -2_208_988_800_000_000  # 1900-01-01
TIME_MAX_US = 7_258_118_400_000_000  # 2200-01-01


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no offset")
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


# A leap second is read as the first moment of the next minute; digits finer than microseconds are cut.
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?\Z",
    re.ASCII,
)


def parse_time(text: str, zone_offset_us: int | None = None) -> int | None:
    """Microseconds of an RFC 3339 text; None where it is none, or has no offset and no zone is known."""
    match = _RFC3339.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, off_hour, off_minute = match.groups()
    if utc:
        offset_us = 0
    elif sign:
        if int(off_hour) > 23 or int(off_minute) > 59:
            return None
        offset_us = (int(off_hour) * 60 + int(off_minute)) * 60_000_000 * (-1 if sign == "-" else 1)
    elif zone_offset_us is not None:
        offset_us = zone_offset_us
    else:
        return None
    seconds = int(second)
    leap = seconds == 60
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), 59 if leap else seconds, tzinfo=UTC
        )
    except ValueError:
        return None
    if leap:
        us = to_us(moment) + 1_000_000
    else:
        us = to_us(moment) + (int(fraction[:6].ljust(6, "0")) if fraction else 0)
    us -= offset_us
    return us if TIME_MIN_US <= us < TIME_MAX_US else None


def format_time(us: int, offset_us: int = 0) -> str:
    """RFC 3339 text of a moment at an offset, microseconds only where there are any."""
    zone = timezone(timedelta(microseconds=offset_us))
    text = from_us(us).astimezone(zone).isoformat()
    return text.replace("+00:00", "Z") if offset_us == 0 else text


def parse_offset(text: str) -> int | None:
    """Microseconds of an offset such as "+08:00" or "Z"; None where it is none."""
    if text in ("Z", "z"):
        return 0
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", text, re.ASCII)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        return None
    return (int(match[2]) * 60 + int(match[3])) * 60_000_000 * (-1 if match[1] == "-" else 1)


@dataclass(frozen=True, slots=True)
class Period:
    """An ISO 8601 duration of the kinds that meters use: either months or a fixed time."""

    months: int = 0
    us: int = 0


_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?\Z", re.ASCII
)


def parse_period(text: str) -> Period | None:
    """PT15M, PT1H, P1D, P1M …; None where it is none, is empty, or mixes months with days or times."""
    match = _DURATION.match(text)
    if match is None or text.endswith("T"):
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    period = Period(
        years * 12 + months,
        (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000_000 + seconds * 1_000_000,
    )
    if (period.months > 0) == (period.us > 0):
        return None
    return period


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local calendar of a server: a fixed offset from UTC in whole quarter-hours."""

    offset_us: int = 8 * HOUR_US

    def __post_init__(self) -> None:
        if self.offset_us % INTERVAL_US or not -DAY_US < self.offset_us < DAY_US:
            raise ValueError(f"zone offset {self.offset_us} µs must be whole quarter-hours within a day")

    def day(self, us: int) -> int:
        """Number of the local day that holds this moment."""
        return (us + self.offset_us) // DAY_US

    def day_start(self, day: int) -> int:
        """First moment [µs] of a local day."""
        return day * DAY_US - self.offset_us

    def local(self, us: int) -> datetime:
        return from_us(us).astimezone(timezone(timedelta(microseconds=self.offset_us)))

    def date(self, day: int) -> date:
        return EPOCH_DATE + timedelta(days=day)

    def day_of(self, local_date: LocalDate) -> int:
        return (local_date - EPOCH_DATE).days

    def month_start(self, day: int, months: int = 0) -> int:
        """Number of the first day of the local month `months` after the one that holds `day`."""
        local = self.date(day)
        index = local.year * 12 + local.month - 1 + months
        return self.day_of(date(index // 12, index % 12 + 1, 1))

    def year_start(self, day: int, years: int = 0) -> int:
        return self.day_of(date(self.date(day).year + years, 1, 1))

    def text(self, us: int) -> str:
        return format_time(us, self.offset_us)


def floor_interval(us: int) -> int:
    return us - us % INTERVAL_US


def ceil_interval(us: int) -> int:
    return -(-us // INTERVAL_US) * INTERVAL_US
