"""Units: the closed lists, exact conversions, what is refused, and the power of ten a point counts in."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry import Kind
from domain.unit import (
    QUANTITIES,
    UNITS,
    Dimension,
    Form,
    NotConvertible,
    consumption_unit,
    conversion,
    convert,
    decimal_exponent,
    kind_fault,
    ledger_exponent,
    quantity_fault,
)

units = st.sampled_from(sorted(UNITS))


def test_the_lists_are_those_of_the_contract() -> None:
    assert " ".join(QUANTITIES) == (
        "electricity_import electricity_export heat_import heat_export steam natural_gas coke_oven_gas "
        "blast_furnace_gas converter_gas coal coke oil diesel gasoline lpg material product wastewater "
        "co2_flow concentration pressure temperature other"
    )
    by_form = {form: {unit.code for unit in UNITS.values() if unit.form is form} for form in Form}
    assert by_form == {
        Form.AMOUNT: {
            "t", "kg", "10k_nm3", "nm3", "MWh", "kWh", "10k_kwh", "GJ", "TJ", "tce", "m3", "km", "h", "set",
        },
        Form.RATE: {"kW", "MW", "t/h", "kg/h", "m3/h", "nm3/h", "GJ/h"},
        Form.MEAN: {"bar", "MPa", "degC", "percent", "mg/m3"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "amount"),
    [
        ("kW", "kWh"),
        ("MW", "MWh"),
        ("t/h", "t"),
        ("kg/h", "kg"),
        ("m3/h", "m3"),
        ("nm3/h", "nm3"),
        ("GJ/h", "GJ"),
    ],
)
def test_what_a_rate_adds_up_to_in_an_hour(rate: str, amount: str) -> None:
    assert consumption_unit(rate) == amount
    assert UNITS[rate].size == UNITS[amount].size  # one hour at one of it is one of the amount


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("t", "kg", "1000"), ("MWh", "kWh", "1000"), ("10k_kwh", "kWh", "10000"), ("MWh", "GJ", "3.6"),
        ("kWh", "GJ", "0.0036"), ("TJ", "GJ", "1000"), ("tce", "GJ", "29.3076"), ("10k_nm3", "nm3", "10000"),
        ("MPa", "bar", "10"), ("MW", "kW", "1000"), ("kg/h", "t/h", "0.001"),
    ],
)  # fmt: skip
def test_conversions(source: str, target: str, factor: str) -> None:
    assert conversion(source, target) == Fraction(factor)
    assert conversion(target, source) == 1 / Fraction(factor)
    assert convert(Fraction("1.5"), source, target) == Fraction("1.5") * Fraction(factor)


@given(units, units, units)
def test_conversions_are_exact_and_chain(a: str, b: str, c: str) -> None:
    try:
        through = conversion(a, b) * conversion(b, c)
    except NotConvertible:
        return
    assert conversion(a, c) == through
    assert conversion(a, a) == 1


@pytest.mark.parametrize(
    ("source", "target", "needed"),
    [
        ("m3", "nm3", "the state of the gas"), ("m3/h", "nm3/h", "the state of the gas"),
        ("10k_nm3", "m3", "the state of the gas"), ("m3", "t", "a density"), ("nm3", "kg", "a density"),
        ("t", "GJ", "a calorific value"), ("nm3", "tce", "a calorific value"),
        ("kW", "kWh", "kW is a rate and kWh an amount"), ("t", "t/h", "t/h is a rate and t an amount"),
        ("km", "h", "one is length, the other time"), ("degC", "bar", "one is temperature, the other pressure"),
        ("kWh", "kwh", "'kwh' is not a unit"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_would_be_needed(source: str, target: str, needed: str) -> None:
    with pytest.raises(NotConvertible, match=needed):
        conversion(source, target)


def test_means_of_one_dimension_never_mix_with_amounts() -> None:
    for mean, other in product(UNITS.values(), UNITS.values()):
        if mean.form is Form.MEAN and other.form is not Form.MEAN:
            with pytest.raises(NotConvertible):
                conversion(mean.code, other.code)


def test_kind_and_unit() -> None:
    assert kind_fault(Kind.REGISTER, "kWh") is None
    assert kind_fault(Kind.RATE, "bar") is None
    assert kind_fault(Kind.RATE, "kWh") == "kWh is an amount; a rate is in kW"
    assert kind_fault(Kind.RATE, "set") == "set is an amount; a rate is in a rate unit"
    assert kind_fault(Kind.DELTA, "t/h") == "t/h is a rate; a delta is in an amount such as t"
    assert kind_fault(Kind.REGISTER, "percent") == "percent has means only, so its kind is rate"


def test_quantity_and_unit() -> None:
    assert quantity_fault("natural_gas", "nm3/h") is None
    assert quantity_fault("pressure", "degC") == "degC doesn't fit pressure, which is in bar, MPa"
    assert quantity_fault("other", "degC") is None
    assert all(any(quantity_fault(q, u) is None for u in UNITS) for q in QUANTITIES)
    assert set(Dimension) == {unit.dimension for unit in UNITS.values()}


decimals = st.decimals(min_value="0.000001", max_value="1e9", places=6).map(Fraction)


@given(decimals)
def test_the_exponent_is_the_largest_that_holds_a_value(value: Fraction) -> None:
    exponent = decimal_exponent(value)
    assert exponent <= 0
    assert (value / Fraction(10) ** exponent).denominator == 1
    assert exponent == 0 or (value / Fraction(10) ** (exponent + 1)).denominator != 1


def test_a_third_is_no_decimal() -> None:
    with pytest.raises(ValueError, match="1/3"):
        decimal_exponent(Fraction(1, 3))


@given(st.lists(decimals, min_size=1, max_size=5))
def test_the_ledger_unit_holds_every_version(steps: list[Fraction]) -> None:
    exponent = ledger_exponent(steps)
    assert all((step / Fraction(10) ** exponent).denominator == 1 for step in steps)
    assert exponent == min(map(decimal_exponent, steps))


def test_the_ledger_unit_is_never_coarser_than_the_unit() -> None:
    assert ledger_exponent([Fraction(4000)]) == 0
    assert ledger_exponent([Fraction("0.05"), Fraction(40)]) == -2
