"""Parameters of requests: times, ranges, granularity, names. All faults of a request are found at once."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from api import asked
from api.errors import Problem
from api.periods import Granularity, Range
from domain.errors import Fault
from domain.interval import DAY_US, INTERVAL_US, format_time, parse_time
from domain.reading import IDENTIFIER

# "+" means a space in a query string; who forgets to write %2B is understood all the same.
_DISTRICT = re.compile(r"\d{2,12}\Z", re.ASCII)
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)\Z")


def time_of(value: Any) -> int:
    """A moment [µs] of a parameter; ValueError says what it should be."""
    us = parse_time(_LOST_PLUS.sub(r"+\1", value)) if isinstance(value, str) else None
    if us is None:
        raise ValueError(
            f"{str(value)[:80]!r} is no RFC 3339 time with an offset, such as 2024-05-01T00:00:00+08:00 or …Z"
        )
    return us


def _quarter_hour(value: Any) -> int:
    us = time_of(value)
    if us % INTERVAL_US:
        raise ValueError(f"{format_time(us)} does not lie on a quarter-hour (00, 15, 30, 45 minutes)")
    return us


def _channel(value: Any) -> str:
    meter, slash, channel = str(value).partition("/")
    if not slash or not IDENTIFIER.match(meter) or not IDENTIFIER.match(channel):
        raise ValueError(
            f"{str(value)[:140]!r} is no channel; it is named METER/CHANNEL, such as E-01/import_kwh"
        )
    return str(value)


def _gateway(value: Any) -> str:
    uscc, slash, id_ = str(value).partition("/")
    if not slash or not IDENTIFIER.match(uscc) or not IDENTIFIER.match(id_):
        raise ValueError(f"{str(value)[:140]!r} is no gateway; it is named USCC/ID")
    return str(value)


def _district(value: Any) -> str:
    if not _DISTRICT.match(str(value)):
        raise ValueError(f"{str(value)[:40]!r} is no 行政区划代码: 2 to 12 digits, such as 430300")
    return str(value)


_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
Time = Annotated[int, BeforeValidator(time_of), _TIME_SCHEMA]
QuarterHour = Annotated[int, BeforeValidator(_quarter_hour), _TIME_SCHEMA]
ChannelName = Annotated[
    str,
    BeforeValidator(_channel),
    Query(description="METER/CHANNEL.", examples=["E-01/import_kwh"]),
]
Gateway = Annotated[str, BeforeValidator(_gateway)]
DistrictCode = Annotated[str, BeforeValidator(_district)]
District = Annotated[DistrictCode, Path(description="行政区划代码; it contains those under its prefix.")]
Uscc = Annotated[str, Path(description="Unified social credit code (统一社会信用代码).", max_length=64)]

FROM = Query(alias="from", description="Start of the range, on a quarter-hour; RFC 3339 with an offset.")
TO = Query(description="End of the range, not in it; on a quarter-hour; RFC 3339 with an offset.")


async def _range(from_: Annotated[QuarterHour, FROM], to: Annotated[QuarterHour, TO]) -> Range:
    if to <= from_:
        raise Problem(422, [Fault("to", f"{format_time(to)} must lie after from ({format_time(from_)})")])
    its = asked.current()
    if its is not None and its.limits is not None and to - from_ > its.limits.range_days * DAY_US:
        fault = f"lies more than {its.limits.range_days} days after from, which is what this key may ask for at once"
        raise Problem(422, [Fault("to", fault)])
    return Range(from_, to)


RangeParameters = Annotated[Range, Depends(_range)]

GranularityParameter = Annotated[
    Granularity, Query(description="Length of a period, by the server's local calendar.")
]

AsOf = Annotated[
    Time | None,
    Query(description="Answer as the books stood at this moment. Left out: as they stand now."),
]
