"""128-bit arithmetic, counts and milligrams against Python's integers and fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accounting.kernels import counts, wide
from accounting.kernels.emission import emission, trailing_sums
from accounting.kernels.machine import settle, stream
from domain.reading import VALUE_BOUND, round_half_even
from tests import naive

UINT64 = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 100), st.integers(2**64 - 9, 2**64 - 1))
POSITIVE = st.one_of(st.integers(1, 2**63 - 1), st.integers(1, 100), st.integers(2**31, 2**33))
AMOUNT = st.one_of(st.integers(-VALUE_BOUND, VALUE_BOUND), st.integers(-100, 100))
MASK = 2**64 - 1


def halves(value: int) -> tuple[np.uint64, np.uint64]:
    return np.uint64(value >> 64), np.uint64(value & MASK)


def whole(high: int, low: int) -> int:
    return int(high) << 64 | int(low)


@given(UINT64, UINT64, UINT64)
def test_products_and_quotients(a: int, b: int, divisor: int) -> None:
    product = wide.multiply(np.uint64(a), np.uint64(b))
    assert whole(*product) == a * b
    if divisor:
        high, low, rest = wide.divide(*halves(a * b), np.uint64(divisor))
        assert (whole(high, low), int(rest)) == divmod(a * b, divisor)


@given(st.integers(0, 2**126), st.integers(0, 2**126))
def test_sums_and_differences(a: int, b: int) -> None:
    assert whole(*wide.add(*halves(a), *halves(b))) == a + b
    assert wide.compare(*halves(a), *halves(b)) == (a > b) - (a < b)
    assert whole(*wide.subtract(*halves(max(a, b)), *halves(min(a, b)))) == abs(a - b)


@given(AMOUNT, POSITIVE, AMOUNT, POSITIVE, POSITIVE)
def test_signed_sums_are_divided_towards_minus_infinity(a: int, b: int, c: int, d: int, divisor: int) -> None:
    negative, high, low = wide.signed_product(a, b)
    negative1, high1, low1 = wide.signed_product(c, d)
    one = negative, np.uint64(high), np.uint64(low)
    two = negative1, np.uint64(high1), np.uint64(low1)
    negative, high, low = wide.signed_add(*one, *two)
    negative, high, low, rest = wide.signed_divide(negative, np.uint64(high), np.uint64(low), divisor)
    assert (whole(high, low) * (-1 if negative else 1), rest) == divmod(a * b + c * d, divisor)


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
@example(2**62, 3, 3 * 2**61, 2)  # equal, beyond 64 bits
def test_products_are_compared_exactly(a: int, b: int, c: int, d: int) -> None:
    assert wide.product_at_most(a, b, c, d) == (a * b <= c * d)


@given(AMOUNT, POSITIVE, POSITIVE)
@example(1, 1, 2)
@example(3, 1, 2)
@example(-3, 1, 2)
@example(VALUE_BOUND, 1, 1)
@example(VALUE_BOUND, 3, 2)
def test_rounded_products(a: int, b: int, divisor: int) -> None:
    expected = round_half_even(a * b, divisor)
    fits = abs(expected) <= VALUE_BOUND
    assert wide.rounded_product(a, b, divisor, VALUE_BOUND) == (expected if fits else 0, fits)


RESOLUTIONS = st.one_of(
    st.sampled_from([Fraction("0.01"), Fraction(1), Fraction(5), Fraction("0.25"), Fraction(1, 3)]),
    st.builds(Fraction, st.integers(1, 2**62 - 1), st.integers(1, 2**62 - 1)),
)


@given(
    st.integers(-(2**63) + 1, 2**63 - 1), st.one_of(st.integers(-8, 4), st.integers(-400, 400)), RESOLUTIONS
)
@example(0, 400, Fraction(1))
@example(5, -1, Fraction(1))  # half a count: to the even zero
@example(15, -1, Fraction(1))
@example(25 * 10**17, -18, Fraction(1))
@example(2500000000000000001, -18, Fraction(1))
def test_counts_of_a_resolution(mantissa: int, exponent: int, resolution: Fraction) -> None:
    numerator, denominator = resolution.numerator, resolution.denominator
    exact = naive.half_even(Fraction(mantissa) * Fraction(10) ** exponent / resolution)
    expected = (exact if abs(exact) <= VALUE_BOUND else 0, abs(exact) <= VALUE_BOUND)
    a, b = counts.count_factor(exponent, numerator, denominator)
    args = numerator, denominator, VALUE_BOUND
    assert counts.count(mantissa, exponent, a, b, *args) == expected
    assert counts.wide_count(mantissa, exponent, *args) == expected


@given(
    st.one_of(st.lists(AMOUNT, max_size=20), st.lists(st.integers(-(10**7), 10**7), max_size=20)),
    st.one_of(
        st.builds(Fraction, st.integers(-(2**63), 2**63), POSITIVE),
        st.builds(Fraction, st.integers(-(2**90), 2**90), st.integers(1, 2**90)),
        st.just(Fraction("570.3") * 1000),
        st.builds(Fraction, st.integers(-(10**6), 10**6), st.sampled_from([1, 2, 3, 10, 2**31])),
    ),
)
def test_milligrams_are_those_of_the_twin(amounts: list[int], factor: Fraction) -> None:
    mg, within = emission(np.array(amounts, np.int64), factor)
    for amount, value, fits in zip(amounts, mg.tolist(), within.tolist(), strict=True):
        exact = naive.emission_mg(amount, factor)
        assert fits == (abs(exact) <= VALUE_BOUND)
        assert value == (exact if fits else 0)


def test_emission_keeps_the_shape() -> None:
    mg, within = emission(np.full((2, 96), 3), Fraction(5, 2))
    assert mg.shape == within.shape == (2, 96)
    assert (mg == 8).all()  # 7.5, to the even
    assert (emission(np.full((2, 96), -3), Fraction(5, 2))[0] == -8).all()


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.booleans()), max_size=40), st.integers(1, 50))
def test_trailing_sums_are_those_of_the_twin(entries: list[tuple[int, bool]], width: int) -> None:
    values, known = [value if is_known else 0 for value, is_known in entries], [each for _, each in entries]
    states = [3 - place % 3 | 4 if is_known else 8 for place, is_known in enumerate(known)]
    sums, numbers = trailing_sums(np.array(values, np.int64), np.array(states, np.int16), width)
    expected = [naive.trailing_sum(values, known, place, width) for place in range(len(values))]
    assert [*zip(sums.tolist(), numbers.tolist(), strict=True)] == expected


def test_trailing_sums_refuse_what_could_leave_int64() -> None:
    with pytest.raises(OverflowError, match="leave int64"):
        trailing_sums(np.full(4, 2**62), np.ones(4, np.int16), 2)


def test_windows_that_sixteen_bits_do_not_count_are_refused() -> None:
    size = (1 << 16) + 5
    values, states = np.ones(size, np.int64), np.ones(size, np.int16)
    sums, counts = trailing_sums(values, states, size - 6)
    assert (sums[-1], counts[-1]) == (size - 6, size - 6)
    with pytest.raises(OverflowError, match="at most 65535 are counted"):
        trailing_sums(values, states, size - 5)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint16])
def test_a_stream_writes_what_is_given_and_nothing_beside_it(dtype: type[np.integer[Any]]) -> None:
    source = np.arange(1, 200).astype(dtype)
    for begin in range(20):
        for size in (0, 1, 3, 4, 17, 64, 199):
            target = np.zeros(240, dtype)
            stream(source[:size], target[begin : begin + size])
            settle()
            expected = np.zeros(240, dtype)
            expected[begin : begin + size] = source[:size]
            assert (target == expected).all()
