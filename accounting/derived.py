"""Derived channels: a named function of other channels, computed interval by interval from their amounts or means.

Pure. What the functions take is in `domain.derived_function`. Everything is exact but the enthalpy of steam, which
is a float of IAPWS-IF97 rounded to 0.01 kJ/kg and from then on exact. Each result is rounded once, half to even.

    steam_heat     heat [GJ] = mass [t] × (h − 83.74) / 1000, h [kJ/kg] at absolute pressure and temperature;
                   83.74 kJ/kg is water at 20 °C (the 24 guidelines' formula of heat in steam)
    hot_water_heat heat [GJ] = mass [t] × (t − 20 °C) × 4.1868 / 1000 (the guidelines' formula of heat in hot water)
    gas_at_normal  volume at 0 °C, 101.325 kPa = volume × p / 101.325 kPa × 273.15 K / (273.15 K + t)
    product        amount × share
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from seuif97 import pt2h

from domain.derived_function import PRODUCT
from domain.reading import VALUE_BOUND, Flag, Quality, round_half_even
from domain.registry import Point
from domain.unit import UNITS, Form, conversion

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Values = Mapping[str, Fraction]

WATER_ENTHALPY_20C = Fraction("83.74")  # kJ/kg
WATER_HEAT_CAPACITY = Fraction("4.1868")  # kJ/(kg K)
WATER_BASE_C = 20
ENTHALPY_STEP = 100  # parts of a kJ/kg that an enthalpy is rounded to
NORMAL_PRESSURE_MPA = Fraction("0.101325")
ZERO_CELSIUS_K = Fraction("273.15")

_IMPLAUSIBLE = int(Flag.IMPLAUSIBLE) << 2


def derived_intervals(
    point: Point, inputs: Mapping[str, Point], intervals: Mapping[str, tuple[Int64, Int16]]
) -> tuple[Int64, Int16]:
    """(amounts, states) of a derived point, in 10^point.exponent of its unit.

    inputs     the points, by the name of the input
    intervals  their amounts int64 (n,) in 10^exponent of their unit, or means, and states int16 (n,)

    The quality is the worst of the inputs', the flags all of theirs. Missing where an input is; missing and
    implausible where the function has no value there (water at 5000 °C) or the amount leaves ±2⁶².
    """
    assert point.derivation is not None
    function = _function(point.derivation.function, inputs)
    states = np.full(len(next(iter(intervals.values()))[1]), int(Quality.MEASURED), np.int16)
    for _, state in intervals.values():
        states = (np.minimum(states & 3, state & 3) | ((states | state) & ~3)).astype(np.int16)
    amounts = np.zeros(len(states), np.int64)
    scales = {
        name: conversion(input_.unit, _UNIT_OF.get(name, input_.unit)) * Fraction(10) ** input_.exponent
        for name, input_ in inputs.items()
    }
    result_scale = conversion(_result_unit(point, inputs), point.unit) / Fraction(10) ** point.exponent
    for i in np.flatnonzero(states & 3).tolist():
        value = function({name: int(intervals[name][0][i]) * scale for name, scale in scales.items()})
        if value is not None:
            scaled = value * result_scale
            amount = round_half_even(scaled.numerator, scaled.denominator)
            if abs(amount) <= VALUE_BOUND:
                amounts[i] = amount
                continue
        states[i] = states[i] & ~3 | _IMPLAUSIBLE
    return amounts, states


# What the formulas below answer in, and take their inputs in; other inputs come in their own unit.
_RESULT_UNIT = {"steam_heat": "GJ", "hot_water_heat": "GJ", "gas_at_normal": "nm3"}
_UNIT_OF = {"mass": "t", "pressure": "MPa", "temperature": "degC", "volume": "m3"}


def _result_unit(point: Point, inputs: Mapping[str, Point]) -> str:
    """The unit that a formula answers in."""
    assert point.derivation is not None
    if point.derivation.function == PRODUCT:
        amount, factor = _amount_and_factor(inputs)
        return "kg" if inputs[factor].unit == "mg/m3" else inputs[amount].unit
    return _RESULT_UNIT[point.derivation.function]


def _function(name: str, inputs: Mapping[str, Point]) -> Callable[[Values], Fraction | None]:
    if name == "steam_heat":
        return _steam_heat
    if name == "hot_water_heat":
        return _hot_water_heat
    if name == "gas_at_normal":
        return _gas_at_normal
    amount, factor = _amount_and_factor(inputs)
    share = Fraction(1, 1_000_000) if inputs[factor].unit == "mg/m3" else Fraction(1, 100)
    return lambda values: values[amount] * values[factor] * share


def _amount_and_factor(inputs: Mapping[str, Point]) -> tuple[str, str]:
    """Names of the amount and of what it is multiplied by, in percent or mg/m3."""
    (factor,) = (name for name, input_ in inputs.items() if UNITS[input_.unit].form is Form.MEAN)
    (amount,) = (name for name in inputs if name != factor)
    return amount, factor


def _steam_heat(values: Values) -> Fraction | None:
    enthalpy = pt2h(float(values["pressure"]), float(values["temperature"]))
    if not 0 < enthalpy < 10_000:  # outside IF97 the library answers with negative codes
        return None
    exact = Fraction(round(enthalpy * ENTHALPY_STEP), ENTHALPY_STEP)
    return values["mass"] * (exact - WATER_ENTHALPY_20C) / 1000


def _hot_water_heat(values: Values) -> Fraction | None:
    return values["mass"] * (values["temperature"] - WATER_BASE_C) * WATER_HEAT_CAPACITY / 1000


def _gas_at_normal(values: Values) -> Fraction | None:
    kelvin = ZERO_CELSIUS_K + values["temperature"]
    if kelvin <= 0 or values["pressure"] < 0:
        return None
    return values["volume"] * values["pressure"] / NORMAL_PRESSURE_MPA * ZERO_CELSIUS_K / kelvin
