"""Time: texts to microseconds and back, durations, the local calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interval import (
    DAY_US,
    HOUR_US,
    INTERVAL_US,
    TIME_MAX_US,
    TIME_MIN_US,
    Calendar,
    Period,
    ceil_interval,
    floor_interval,
    format_time,
    from_us,
    parse_offset,
    parse_period,
    parse_time,
    to_us,
)

moments = st.integers(TIME_MIN_US, TIME_MAX_US - 1)
offsets = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: minutes * 60_000_000)


@given(moments, offsets)
def test_a_moment_reads_back_at_any_offset(us: int, offset_us: int) -> None:
    assert parse_time(format_time(us, offset_us)) == us
    assert to_us(from_us(us)) == us


@given(moments, st.integers(0, 999_999), st.text("0123456789", max_size=12))
def test_digits_beyond_microseconds_are_cut(us: int, micro: int, more: str) -> None:
    second = us - us % 1_000_000
    text = f"{from_us(second):%Y-%m-%dT%H:%M:%S}.{micro:06}{more}Z"
    assert parse_time(text) == second + micro


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-01-01T00:00:00Z", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2023-01-01t08:00:00+08:00", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2023-01-01 08:00:00+08:00", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2022-12-31T19:30:00.5-04:30", datetime(2023, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.9Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert parse_time(text) == to_us(expected)


@pytest.mark.parametrize(
    "text",
    [
        "", "2023-01-01", "2023-01-01T00:00Z", "2023-02-29T00:00:00Z", "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z",
        "2023-01-01T00:00:61Z", "2023-01-01T00:00:00+24:00", "2023-01-01T00:00:00+08", "2023-01-01T00:00:00.Z",
        "1899-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "٢٠٢٣-01-01T00:00:00Z", "2023-01-01T00:00:00Z\n", "now",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_a_time_without_an_offset_needs_a_zone() -> None:
    assert parse_time("2023-01-01T08:00:00") is None
    assert parse_time("2023-01-01T08:00:00", 8 * HOUR_US) == to_us(datetime(2023, 1, 1, tzinfo=UTC))
    assert parse_time("2023-01-01T08:00:00Z", 8 * HOUR_US) == to_us(datetime(2023, 1, 1, 8, tzinfo=UTC))


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        to_us(datetime(2023, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "us"),
    [("+08:00", 8 * HOUR_US), ("-03:30", -14 * INTERVAL_US), ("Z", 0), ("z", 0), ("+00:00", 0)],
)
def test_offsets(text: str, us: int) -> None:
    assert parse_offset(text) == us


@pytest.mark.parametrize("text", ["", "8", "+8:00", "+0800", "08:00", "+24:00", "+08:60", "+08:00 "])
def test_what_is_no_offset(text: str) -> None:
    assert parse_offset(text) is None


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("PT15M", Period(us=INTERVAL_US)), ("PT1H", Period(us=HOUR_US)), ("PT90S", Period(us=90_000_000)),
        ("P1D", Period(us=DAY_US)), ("P1W", Period(us=7 * DAY_US)), ("P1DT1H", Period(us=DAY_US + HOUR_US)),
        ("P1M", Period(months=1)), ("P1Y", Period(months=12)), ("P1Y6M", Period(months=18)),
    ],
)  # fmt: skip
def test_periods(text: str, period: Period) -> None:
    assert parse_period(text) == period


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "P1MT1H", "P0D", "15M", "pt15m", "PT-15M", "PT0.5H", "P1M1D"]
)
def test_what_is_no_period(text: str) -> None:
    assert parse_period(text) is None


quarters = st.integers(-95, 95).map(lambda quarter: Calendar(quarter * INTERVAL_US))


@given(quarters, moments)
def test_a_local_day_holds_its_moments(calendar: Calendar, us: int) -> None:
    day = calendar.day(us)
    assert calendar.day_start(day) <= us < calendar.day_start(day + 1)
    zone = timezone(timedelta(microseconds=calendar.offset_us))
    assert calendar.date(day) == from_us(us).astimezone(zone).date() == calendar.local(us).date()
    assert calendar.day_of(calendar.date(day)) == day
    assert calendar.day_start(day) % INTERVAL_US == 0
    assert parse_time(calendar.text(us)) == us


@given(quarters, st.integers(-25_000, 80_000), st.integers(-30, 30))
def test_months_and_years_begin_on_their_first_day(calendar: Calendar, day: int, months: int) -> None:
    first = calendar.date(calendar.month_start(day, months))
    here = calendar.date(day)
    assert first.day == 1
    assert (first.year - here.year) * 12 + first.month - here.month == months
    assert calendar.date(calendar.year_start(day)) == date(here.year, 1, 1)
    assert calendar.month_start(day) <= day < calendar.month_start(day, 1)


@pytest.mark.parametrize("offset_us", [1, INTERVAL_US // 2, DAY_US, -DAY_US])
def test_a_calendar_has_whole_quarter_hours(offset_us: int) -> None:
    with pytest.raises(ValueError, match="quarter-hours"):
        Calendar(offset_us)


@given(moments)
def test_intervals_are_half_open(us: int) -> None:
    assert floor_interval(us) <= us < floor_interval(us) + INTERVAL_US
    assert ceil_interval(us) - INTERVAL_US < us <= ceil_interval(us)
    assert floor_interval(us) % INTERVAL_US == ceil_interval(us) % INTERVAL_US == 0
