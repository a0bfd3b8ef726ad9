"""Slices of periods that overlap become pieces that don't, and every interval stays with all its periods."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from api.ledger import _apart, _stretches
from api.periods import Slice
from domain.interval import INTERVALS_PER_DAY

PERIODS = 6


@st.composite
def slices(draw: st.DrawFn) -> tuple[int, Slice]:
    first = draw(st.integers(0, INTERVALS_PER_DAY - 1))
    end = draw(st.integers(first + 1, INTERVALS_PER_DAY))
    return draw(st.integers(0, PERIODS - 1)), Slice(draw(st.integers(20_000, 20_003)), first, end)


@given(st.lists(slices(), max_size=12, unique_by=lambda each: (each[0], each[1].day)))
def test_pieces_share_nothing_and_lose_nothing(given_slices: list[tuple[int, Slice]]) -> None:
    pieces, shared = _apart(given_slices, PERIODS)
    of_interval = {
        (piece.day, index): shared.get(number, (number,))
        for number, piece in pieces
        for index in range(piece.first, piece.end)
    }
    assert len(of_interval) == sum(piece.end - piece.first for _, piece in pieces)
    assert all(number >= PERIODS and len(its) > 1 for number, its in shared.items())
    found = Counter((number, *place) for place, numbers in of_interval.items() for number in numbers)
    expected = Counter(
        (number, piece.day, index)
        for number, piece in given_slices
        for index in range(piece.first, piece.end)
    )
    assert found == expected


@given(st.dictionaries(st.integers(0, 30), st.lists(st.integers(0, 3), min_size=1, max_size=3)))
def test_a_stretch_is_of_the_same_periods(periods_of: dict[int, list[int]]) -> None:
    starts, periods = _stretches(periods_of)
    assert starts == sorted(set(starts))
    assert len(starts) == len(periods)
    for day, its in periods_of.items():
        assert periods[max(place for place, start in enumerate(starts) if start <= day)] == its
