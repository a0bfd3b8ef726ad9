"""The kernels against their slow, exact twin (`tests/naive.py`)."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.channel import Rules, channel_intervals, gateway_tallies
from domain.registry import Point
from tests import naive
from tests.accounting.channel_cases import (
    CALENDAR,
    as_intervals,
    deltas,
    rates,
    registers,
    steady_registers,
    stored,
    window,
)
from tests.naive import Sent

ANY_KIND = st.one_of(registers(), steady_registers(), rates(), deltas())
Case = tuple[Point, list[Sent], int]


def computed(case: Case, sents: Sequence[Sent]) -> list[naive.Interval]:
    point, all_sents, look_ahead_us = case
    first, end = window(all_sents)
    rules = Rules(look_ahead_us=look_ahead_us)
    return as_intervals(channel_intervals(point, stored(sents), first, end, rules, CALENDAR))


def expected(case: Case) -> list[naive.Interval]:
    point, sents, look_ahead_us = case
    return naive.intervals(point, sents, *window(sents), look_ahead_us, CALENDAR)


@pytest.mark.parametrize("kind", [registers, steady_registers, rates, deltas])
def test_intervals_are_those_of_the_twin(kind: object) -> None:
    @given(kind())  # type: ignore[operator]
    def check(case: Case) -> None:
        assert computed(case, case[1]) == expected(case)

    check()


@given(ANY_KIND, st.integers())
def test_order_and_repetition_change_nothing(case: Case, seed: int) -> None:
    mixed = case[1] + case[1][::3]
    random.Random(seed).shuffle(mixed)
    assert computed(case, mixed) == computed(case, case[1])


@given(ANY_KIND)
def test_tallies_are_those_of_the_twin(case: Case) -> None:
    point, sents, _ = case
    assert gateway_tallies(point, stored(sents)) == naive.tallies(point, sents)
