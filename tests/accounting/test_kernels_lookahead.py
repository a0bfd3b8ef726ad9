"""A device that breaks at every reading: judged as the rules say, in time that grows with its readings."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.channel import READING_DTYPE, Rules, channel_intervals
from accounting.channel_plan import compile_point
from accounting.kernels.credibility import continues, find_breaks, judge
from accounting.kernels.lookahead import build_index, first_continuing
from domain.interval import DAY_US
from tests.accounting.channel_cases import CALENDAR, START_US, point, register
from tests.naive import Register, Sent

SECOND_US = 1_000_000


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([3, 100, 10**6]), st.sampled_from([20, 100, 10**5]))
def test_the_index_finds_what_a_scan_finds(seed: int, spread: int, max_rate: int) -> None:
    random = np.random.default_rng(seed)
    size = 1500
    at = START_US + np.cumsum(random.integers(1, 3 * SECOND_US, size))
    counts = random.integers(0, spread, size) * random.choice([1, 1, 1, 100], size)
    plan = compile_point(point([register(max_rate=Fraction(max_rate))]), DAY_US)
    breaks = np.array([j for j in range(1, size) if not continues(at, counts, j - 1, j, plan, 0, 1)])
    index_counts, index_ranks, ranks = build_index(at, counts, size, breaks, plan, 0, 1)
    for _ in range(100):
        good = int(random.integers(0, size - 1))
        start = int(np.searchsorted(breaks, good, side="right"))
        horizon = at[good] + int(random.integers(0, 2000 * SECOND_US))
        found = first_continuing(
            index_counts, index_ranks, at, counts, ranks, breaks, start, horizon, counts[good], ranks[good]
        )
        scan = start
        while (
            scan < len(breaks)
            and at[breaks[scan]] <= horizon
            and not continues(at, counts, good, breaks[scan], plan, 0, 1)
        ):
            scan += 1
        if scan < len(breaks) and at[breaks[scan]] <= horizon:
            assert found == scan
        else:  # none within the horizon: the index may have passed a whole block of them
            assert found == len(breaks) or at[breaks[found]] > horizon


def hostile(size: int, how: str) -> np.ndarray:
    """Counts of a register that breaks at every reading and seldom comes back."""
    place = np.arange(size)
    if how == "saw":  # lows that fall, highs that rise: neither ever continues an earlier one
        return np.where(place % 2 == 0, 10**9 - place * 10**4, 10**12 + place * 10**6)
    if how == "up":
        return place * 10**6
    return np.random.default_rng(7).integers(0, 10**12, size)


@pytest.mark.parametrize("how", ["saw", "up", "random"])
def test_a_register_that_always_breaks_is_judged_as_the_twin_judges(how: str) -> None:
    size = 250  # so many that the index takes over
    counts = hostile(size, how)
    point_ = point([register(resolution=Fraction(1), max_rate=Fraction(100))])
    sents = [Sent(START_US + i * SECOND_US, Fraction(int(count))) for i, count in enumerate(counts)]
    twin = Register(point_, list(point_.versions), sents, DAY_US)
    verdicts, settled = np.empty(size, np.int8), np.empty(size, np.bool_)
    at = START_US + np.arange(size) * SECOND_US
    plan, marks, breaks = compile_point(point_, DAY_US), np.empty(size, np.int64), np.empty(size, np.int64)
    _, broken = find_breaks(at, counts, size, plan, 0, 1, marks, 0, breaks)
    judge(at, counts, size, plan, 0, 1, breaks[:broken], verdicts, settled)
    assert np.flatnonzero(verdicts != 4).tolist() == twin.good
    assert settled[0]
    assert not settled[1:].any()


@pytest.mark.parametrize("how", ["saw", "up", "random"])
def test_hostile_data_cost_no_square(how: str) -> None:
    """A day of seconds: 86,400² looks would take ten seconds and more."""
    size = 86_400
    readings = np.zeros(size, READING_DTYPE)
    readings["at"] = START_US + np.arange(size) * SECOND_US
    readings["mantissa"] = hostile(size, how)
    point_ = point([register(resolution=Fraction(1), max_rate=Fraction(100))])
    end = START_US + DAY_US
    channel_intervals(point_, readings[:10], START_US, end, Rules(), CALENDAR)  # compiled
    began = time.perf_counter()
    channel_intervals(point_, readings, START_US, end, Rules(), CALENDAR)
    assert time.perf_counter() - began < 5
