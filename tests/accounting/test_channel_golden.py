"""Worked by hand: each rule of credibility, each flag, each kind (`tests/golden/intervals`).

A case says in `text` why it comes out as it does. Times are of 2024-03-01, local; amounts in 10^exponent of the
consumption unit. The slow twin is held to the same cases.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accounting.channel import Rules, channel_intervals
from domain.interval import DAY_US, INTERVAL_US, parse_period, parse_time
from domain.reading import Flag, Quality
from domain.registry import ChannelVersion, Kind, Point
from domain.unit import consumption_unit
from tests import naive
from tests.accounting.channel_cases import CALENDAR, as_intervals, stored
from tests.naive import Interval, Sent

CASES = sorted((Path(__file__).parents[1] / "golden" / "intervals").glob("*.json"))


def moment(text: str) -> int:
    us = parse_time(f"2024-03-01T{text if text.count(':') == 2 else text + ':00'}+08:00")
    assert us is not None
    return us


def version(spec: dict[str, Any]) -> ChannelVersion:
    def exact(name: str) -> Fraction | None:
        return Fraction(spec[name]) if name in spec else None

    gap, period = (parse_period(spec[name]) if name in spec else None for name in ("max_gap", "period"))
    return ChannelVersion(
        moment(spec["from"]) if "from" in spec else 0,
        moment(spec["to"]) if "to" in spec else None,
        "other",
        Kind(spec["kind"]),
        spec["unit"],
        Fraction(spec.get("multiplier", "1")),
        Fraction(spec["resolution"]),
        modulus=exact("modulus"),
        max_rate=exact("max_rate"),
        max_gap_us=gap.us if gap else None,
        period=period,
        snap=spec.get("snap", True),
        opening=exact("opening"),
        closing=exact("closing"),
    )


def sent(at: str, value: str, more: dict[str, Any] | None = None) -> Sent:
    more = more or {}
    flags = Flag(0)
    for name in more.get("flags", ()):
        flags |= Flag[name.upper()]
    return Sent(moment(at), Fraction(value), more.get("revision", 0), more.get("quality", 0), flags)


def interval(amount: int | None, quality: str, flags: list[str]) -> Interval:
    return Interval(amount, Quality[quality.upper()], Flag(sum(Flag[name.upper()] for name in flags)))


def test_there_are_cases_for_every_flag() -> None:
    texts = [path.read_text("utf-8") for path in CASES]
    # late tells of arrival, substituted of the ledger: neither is a channel's
    names = {flag.name.lower() for flag in Flag if flag.name} - {"late", "substituted"}
    assert {name for name in names if any(f'["{name}"]' in text for text in texts)} == names


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    versions = tuple(version(spec) for spec in case["versions"])
    unit = consumption_unit(versions[0].unit)
    point = Point(1, "", "M", "C", "other", versions[0].kind, unit, case["exponent"], versions)
    sents = [sent(*each) for each in case["readings"]]
    expected = [interval(*each) for each in case["expected"]]
    first = moment(case["from"])
    end = first + len(expected) * INTERVAL_US
    assert as_intervals(channel_intervals(point, stored(sents), first, end, Rules(), CALENDAR)) == expected
    assert naive.intervals(point, sents, first, end, DAY_US, CALENDAR) == expected
