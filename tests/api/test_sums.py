"""Adding up intervals by numpy equals adding them up one by one, at the bounds of the ledger too."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.sums import Cells, Sum, add_intervals
from domain.interval import INTERVALS_PER_DAY
from domain.reading import VALUE_BOUND, Flag, Quality, pack, unpack

STATES = st.builds(
    pack, st.sampled_from(Quality), st.sampled_from([0, Flag.GAP, Flag.SUBSTITUTED, Flag.LATE | Flag.GAP])
)
AMOUNTS = st.integers(-VALUE_BOUND, VALUE_BOUND) | st.sampled_from([VALUE_BOUND, -VALUE_BOUND, -1, 0])


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[int, int, int, list[int], list[int]]]:
    """(key, day, factor, 96 amounts, 96 states), amounts and states repeated from a few."""
    result = []
    for _ in range(draw(st.integers(0, 6))):
        few = draw(st.lists(st.tuples(AMOUNTS, STATES), min_size=1, max_size=5))
        many = [few[index % len(few)] for index in range(INTERVALS_PER_DAY)]
        key, day, factor = draw(st.tuples(st.integers(0, 2), st.integers(99, 103), st.integers(1, 2)))
        result.append((key, day, factor, [amount for amount, _ in many], [state for _, state in many]))
    return result


@given(rows(), st.integers(1, 200), st.booleans(), st.booleans())
def test_adding_up_equals_adding_one_by_one(
    given_rows: list[tuple[int, int, int, list[int], list[int]]],
    width: int,
    own_flags: bool,
    second_gas: bool,
) -> None:
    repeats = [second_gas and place % 2 == 1 for place in range(len(given_rows))]
    first_day, count = 100, 2 * INTERVALS_PER_DAY
    period_of = np.array([-1 if place % 7 == 0 else place // width for place in range(count)], np.int64)
    cells: Cells = {}
    add_intervals(
        cells,
        np.array([row[0] for row in given_rows], np.int64),
        np.array([row[1] for row in given_rows], np.int64),
        np.array([row[3] for row in given_rows], np.int64).reshape(-1, INTERVALS_PER_DAY),
        np.array([row[4] for row in given_rows], np.int16).reshape(-1, INTERVALS_PER_DAY),
        period_of,
        first_day,
        exponent=-6,
        factor_ids=np.array([row[2] for row in given_rows], np.int64),
        repeats=np.array(repeats, bool),
        own_flags=own_flags,
    )
    slow: Cells = {}
    for (key, day, factor, amounts, states), is_repeated in zip(given_rows, repeats, strict=True):
        for index in range(INTERVALS_PER_DAY):
            place = (day - first_day) * INTERVALS_PER_DAY + index
            if not 0 <= place < count or period_of[place] < 0:
                continue
            quality, flags = unpack(states[index])
            if not quality and not (own_flags and flags):
                continue
            cell = slow.setdefault((key, int(period_of[place])), Sum())
            part = Sum(flags=int(flags))
            if quality:
                uncredited = int(is_repeated or bool(flags & Flag.SUBSTITUTED))
                part = Sum(amounts[index], -6, 1, uncredited, int(quality), int(flags), {factor})
            cell.add(part)
    assert cells == slow


@given(st.lists(st.tuples(AMOUNTS, st.integers(-6, 3)), min_size=1))
def test_sums_align_their_powers_of_ten(parts: list[tuple[int, int]]) -> None:
    whole = Sum()
    for amount, exponent in parts:
        whole.add(Sum(amount, exponent, 1, 0, int(Quality.MEASURED)))
    finest = min(exponent for _, exponent in parts)
    assert whole.exponent == finest
    assert whole.amount == sum(amount * 10 ** (exponent - finest) for amount, exponent in parts)
    assert whole.known == len(parts)
