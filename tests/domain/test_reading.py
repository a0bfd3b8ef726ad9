"""Exact values as sent, and quality with flags packed together."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.reading import (
    MANTISSA_MAX,
    Flag,
    Quality,
    as_fraction,
    decimal_text,
    exact_value,
    flag_names,
    pack,
    round_half_even,
    unpack,
)

# decimals of up to 15 significant digits, as meters write them
mantissas = st.integers(-(10**15) + 1, 10**15 - 1)
exponents = st.integers(-15, 12)


@given(mantissas, exponents)
@example(999_999_999_999_999, -6)
@example(-1, -15)
@example(0, -3)
def test_json_numbers_of_15_digits_come_back_as_written(mantissa: int, exponent: int) -> None:
    text = f"{mantissa}e{exponent}"
    value = exact_value(json.loads(text if exponent else str(mantissa)))
    assert value is not None
    assert as_fraction(*value) == Fraction(Decimal(text))


@given(mantissas, st.integers(-15, 3))
def test_decimal_strings_are_exact_and_keep_their_zeros(mantissa: int, exponent: int) -> None:
    text = decimal_text(mantissa, exponent)
    value = exact_value(text)
    assert value is not None
    assert as_fraction(*value) == Fraction(text)
    if exponent <= 0 and mantissa:
        assert value == (mantissa, exponent)
    assert decimal_text(*value) == text or mantissa == 0


@given(st.floats())
def test_a_float_stands_for_its_shortest_decimal(value: float) -> None:
    found = exact_value(value)
    if value != value or value in (float("inf"), float("-inf")):
        assert found is None
    else:
        assert found is not None
        assert as_fraction(*found) == Fraction(Decimal(repr(value)))


@given(st.integers())
def test_whole_numbers_within_int64_are_exact(value: int) -> None:
    assert exact_value(value) == ((value, 0) if abs(value) <= MANTISSA_MAX else None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "01",
        ".5",
        "5.",
        "1e",
        "0x10",
        "1_000",
        "NaN",
        "inf",
        "١",
        "1e1000",
        "9" * 65,
        True,
        False,
    ],
)
def test_what_is_no_decimal(value: str | bool) -> None:
    assert exact_value(value) is None


def test_what_does_not_fit() -> None:
    assert exact_value(str(MANTISSA_MAX)) == (MANTISSA_MAX, 0)
    assert exact_value(str(MANTISSA_MAX + 1)) is None
    assert exact_value(str(MANTISSA_MAX) + "0.00") is None
    assert exact_value("10000000000000000000.0") is None
    assert exact_value(str(MANTISSA_MAX) + ".0") == (MANTISSA_MAX, 0)
    assert exact_value("1e-401") is None


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_rounding_half_to_even(numerator: int, denominator: int) -> None:
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
    assert round_half_even(-numerator, -denominator) == round(Fraction(numerator, denominator))


@given(st.sampled_from(Quality), st.integers(0, 2**11 - 1))
def test_quality_and_flags_share_an_int16(quality: Quality, flags: int) -> None:
    packed = pack(quality, flags)
    assert 0 <= packed < 2**15
    assert unpack(packed) == (quality, Flag(flags))


def test_flags_have_names() -> None:
    assert flag_names(Flag.GAP | Flag.LATE) == ["gap", "late"]
    assert flag_names(2**11 - 1) == [
        "gap", "rollover", "reset", "restart", "replaced", "negative", "late", "conflict", "implausible",
        "substituted", "receipt_time",
    ]  # fmt: skip
