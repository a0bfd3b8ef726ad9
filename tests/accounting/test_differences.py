"""Amounts of two states of the ledger, each in its own power of ten."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accounting.differences import same_amounts

EXPONENT = st.integers(-25, 3)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int, int]:
    amount = draw(st.one_of(st.integers(-50, 50), st.integers(-(2**62), 2**62)))
    exponent, other = draw(EXPONENT), draw(EXPONENT)
    moved = amount * Fraction(10) ** (exponent - other)
    if draw(st.booleans()) and moved.denominator == 1 and abs(moved) <= 2**62:
        return amount, exponent, int(moved), other
    return amount, exponent, draw(st.sampled_from([amount, 0, 10, -3])), other


@given(st.lists(pairs(), max_size=20))
def test_amounts_are_the_same_in_whatever_power_of_ten(cases: list[tuple[int, int, int, int]]) -> None:
    columns = np.array(cases, np.int64).reshape(-1, 4)
    expected = [left * Fraction(10) ** a == right * Fraction(10) ** b for left, a, right, b in cases]
    assert same_amounts(*columns.T).tolist() == expected
