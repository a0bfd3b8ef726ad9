"""Periods, their parts, cursors: pure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ledger import Stretch
from api.membership import stretches
from api.periods import Granularity, Range, parts_of, periods, windows
from api.sums import coverage_text
from domain.identity import district_prefix
from domain.interval import DAY_US, INTERVAL_US, Calendar, parse_time
from domain.registry import Dated

QUARTERS = st.integers(1_600_000_000 // 900, 1_800_000_000 // 900)
OFFSETS = st.sampled_from([0, 8 * 3600, -9 * 3600 - 1800, 5 * 3600 + 2700, 14 * 3600])


@given(QUARTERS, st.integers(1, 40_000), st.sampled_from(Granularity), OFFSETS)
def test_periods_cover_their_range_once(
    first: int, count: int, granularity: Granularity, offset_s: int
) -> None:
    calendar = Calendar(offset_s * 1_000_000)
    whole = Range(first * INTERVAL_US, (first + count) * INTERVAL_US)
    found = list(periods(whole, granularity, calendar, whole.from_us))
    assert found[0].from_us == whole.from_us
    assert found[-1].to_us == whole.to_us
    assert all(before.to_us == after.from_us for before, after in pairwise(found))
    for period in found[1:]:
        local = calendar.local(period.from_us)
        assert local.minute == 0 or granularity is Granularity.QUARTER_HOUR
        if granularity in (Granularity.DAY, Granularity.MONTH, Granularity.YEAR):
            assert local.hour == 0
        if granularity in (Granularity.MONTH, Granularity.YEAR):
            assert local.day == 1
        if granularity is Granularity.YEAR:
            assert local.month == 1


@given(QUARTERS, st.integers(1, 40_000), OFFSETS, st.booleans(), st.booleans())
def test_parts_hold_each_interval_once(
    first: int, count: int, offset_s: int, whole_days: bool, whole_months: bool
) -> None:
    calendar = Calendar(offset_s * 1_000_000)
    period = Range(first * INTERVAL_US, (first + count) * INTERVAL_US)
    parts = parts_of(period, calendar, whole_days=whole_days, whole_months=whole_months)
    days = set(parts.days)
    for month in parts.months:
        days |= set(range(month, calendar.month_start(month, 1)))
    assert len(days) == len(parts.days) + sum(calendar.month_start(m, 1) - m for m in parts.months)
    intervals = {calendar.day_start(day) // INTERVAL_US + k for day in days for k in range(96)}
    for piece in parts.slices:
        start = calendar.day_start(piece.day) // INTERVAL_US
        own = set(range(start + piece.first, start + piece.end))
        assert own
        assert not own & intervals
        intervals |= own
    assert intervals == set(range(first, first + count))
    assert whole_days or not days
    assert whole_months or not parts.months


def test_windows_at_the_first_moment_of_a_year() -> None:
    calendar = Calendar()
    at = parse_time("2024-01-01T00:00:00+08:00")
    assert at is not None
    found = windows(at, calendar)
    assert found["mtd"] == found["ytd"] == Range(at, at)
    assert found["12m"] == Range(parse_time("2023-01-01T00:00:00+08:00"), at)  # type: ignore[arg-type]
    assert found["7d"] == Range(at - 7 * DAY_US, at)
    assert parts_of(found["mtd"], calendar) == ([], [], [])


@pytest.mark.parametrize(
    ("known", "expected", "text"),
    [(0, 0, None), (5, 0, None), (0, 9, "0"), (9, 9, "1"), (8, 9, "0.888888"), (10, 9, "1"),
     (999_999_999, 10**9, "0.999999")],
)  # fmt: skip
def test_coverage_is_one_only_when_all_is_known(known: int, expected: int, text: str | None) -> None:
    assert coverage_text(known, expected) == text


def test_membership_in_time() -> None:
    history = [Dated(None, "A"), Dated(10, "B"), Dated(20, "A"), Dated(30, "A"), Dated(40, None)]
    assert stretches(7, history, lambda park: park == "A") == [Stretch(7, None, 10), Stretch(7, 20, 40)]
    assert stretches(7, history, lambda park: park == "B") == [Stretch(7, 10, 20)]
    assert stretches(7, [], lambda park: park == "B") == []


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("430000", "43"),
        ("430300", "4303"),
        ("430304", "430304"),
        ("500000", "50"),
        ("430310", "430310"),
        ("00", "00"),
    ],
)
def test_a_districts_prefix_drops_its_empty_levels(code: str, prefix: str) -> None:
    assert district_prefix(code) == prefix
