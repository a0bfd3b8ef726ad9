"""Quantities and units: the closed lists, exact conversions, and the power of ten that a point is counted in.

A unit is of one of three forms. An *amount* (kWh, t) can be summed. A *rate* (kW, t/h) becomes an amount over
time; its consumption unit is the amount of one hour at one of it. A *mean* (bar, degC) only has means.
Conversions are exact fractions between units of one dimension. Where a density or the state of a gas would be
needed they are refused: a cubic metre of gas as metered is no cubic metre at normal conditions (0 °C,
101.325 kPa) until pressure and temperature say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from domain.errors import Refused
from domain.registry import Kind


class NotConvertible(Refused):
    """Two units without an exact conversion between them; the text says what would be needed."""


class Dimension(StrEnum):
    MASS = "mass"
    ENERGY = "energy"
    VOLUME = "volume as metered"
    NORMAL_VOLUME = "volume at normal conditions"
    LENGTH = "length"
    TIME = "time"
    NUMBER = "number"
    PRESSURE = "pressure"
    TEMPERATURE = "temperature"
    RATIO = "ratio"
    MASS_CONCENTRATION = "mass concentration"


class Form(StrEnum):
    AMOUNT = "amount"
    RATE = "rate"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the closed list: `size` of it in the base unit of its dimension (of the hour's amount, for a rate)."""

    code: str
    form: Form
    dimension: Dimension
    size: Fraction
    consumption: str | None  # the unit of what is counted: itself for an amount, None for a mean
    name: str


def _amount(code: str, dimension: Dimension, size: str, name: str) -> Unit:
    return Unit(code, Form.AMOUNT, dimension, Fraction(size), code, name)


def _rate(code: str, dimension: Dimension, size: str, consumption: str, name: str) -> Unit:
    return Unit(code, Form.RATE, dimension, Fraction(size), consumption, name)


def _mean(code: str, dimension: Dimension, size: str, name: str) -> Unit:
    return Unit(code, Form.MEAN, dimension, Fraction(size), None, name)


# Bases: t, GJ, m3, nm3, km, h, set, bar, degC, fraction of one, t/m3.
UNITS: dict[str, Unit] = {
    unit.code: unit
    for unit in (
        _amount("t", Dimension.MASS, "1", "tonne 吨"),
        _amount("kg", Dimension.MASS, "0.001", "kilogram 千克"),
        _amount("MWh", Dimension.ENERGY, "3.6", "megawatt-hour 兆瓦时"),
        _amount("kWh", Dimension.ENERGY, "0.0036", "kilowatt-hour 千瓦时"),
        _amount("10k_kwh", Dimension.ENERGY, "36", "10⁴ kWh 万千瓦时"),
        _amount("GJ", Dimension.ENERGY, "1", "gigajoule 吉焦"),
        _amount("TJ", Dimension.ENERGY, "1000", "terajoule 太焦"),
        # GB/T 2589: 1 kgce = 29 307.6 kJ
        _amount("tce", Dimension.ENERGY, "29.3076", "tonne of coal equivalent 吨标准煤"),
        _amount("m3", Dimension.VOLUME, "1", "cubic metre as metered 立方米（工况）"),
        _amount("nm3", Dimension.NORMAL_VOLUME, "1", "cubic metre at 0 °C, 101.325 kPa 标准立方米"),
        _amount("10k_nm3", Dimension.NORMAL_VOLUME, "10000", "10⁴ Nm³ 万标准立方米"),
        _amount("km", Dimension.LENGTH, "1", "kilometre 公里"),
        _amount("h", Dimension.TIME, "1", "hour 小时"),
        _amount("set", Dimension.NUMBER, "1", "piece, facility 台（套、件）"),
        _rate("kW", Dimension.ENERGY, "0.0036", "kWh", "kilowatt 千瓦"),
        _rate("MW", Dimension.ENERGY, "3.6", "MWh", "megawatt 兆瓦"),
        _rate("t/h", Dimension.MASS, "1", "t", "tonne an hour 吨每小时"),
        _rate("kg/h", Dimension.MASS, "0.001", "kg", "kilogram an hour 千克每小时"),
        _rate("m3/h", Dimension.VOLUME, "1", "m3", "cubic metre an hour 立方米每小时（工况）"),
        _rate("nm3/h", Dimension.NORMAL_VOLUME, "1", "nm3", "normal cubic metre an hour 标准立方米每小时"),
        _rate("GJ/h", Dimension.ENERGY, "1", "GJ", "gigajoule an hour 吉焦每小时"),
        _mean("bar", Dimension.PRESSURE, "1", "bar 巴"),
        _mean("MPa", Dimension.PRESSURE, "10", "megapascal 兆帕"),
        _mean("degC", Dimension.TEMPERATURE, "1", "degree Celsius 摄氏度"),
        _mean("percent", Dimension.RATIO, "0.01", "percent 百分比"),
        _mean("mg/m3", Dimension.MASS_CONCENTRATION, "0.000000001", "milligram a cubic metre 毫克每立方米"),
    )
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a channel measures, and the dimensions that its units may have."""

    code: str
    name: str
    dimensions: frozenset[Dimension]


_ENERGY = frozenset({Dimension.ENERGY})
_MASS = frozenset({Dimension.MASS})
_GAS = frozenset({Dimension.VOLUME, Dimension.NORMAL_VOLUME, Dimension.MASS, Dimension.ENERGY})
_SOLID = frozenset({Dimension.MASS, Dimension.ENERGY})
_LIQUID = frozenset({Dimension.MASS, Dimension.VOLUME, Dimension.ENERGY})
_AMOUNTS = frozenset(unit.dimension for unit in UNITS.values() if unit.form is Form.AMOUNT)
_ALL = frozenset(Dimension)

QUANTITIES: dict[str, Quantity] = {
    quantity.code: quantity
    for quantity in (
        Quantity("electricity_import", "electricity bought or drawn 购入电量", _ENERGY),
        Quantity("electricity_export", "electricity sold or fed out 输出电量", _ENERGY),
        Quantity("heat_import", "heat bought 购入热量", _ENERGY),
        Quantity("heat_export", "heat sold 输出热量", _ENERGY),
        Quantity("steam", "steam 蒸汽", _MASS | _ENERGY),
        Quantity("natural_gas", "natural gas 天然气", _GAS),
        Quantity("coke_oven_gas", "coke-oven gas 焦炉煤气", _GAS),
        Quantity("blast_furnace_gas", "blast-furnace gas 高炉煤气", _GAS),
        Quantity("converter_gas", "converter gas 转炉煤气", _GAS),
        Quantity("coal", "coal 煤", _SOLID),
        Quantity("coke", "coke 焦炭", _SOLID),
        Quantity("oil", "fuel oil and crude 燃料油、原油", _LIQUID),
        Quantity("diesel", "diesel 柴油", _LIQUID),
        Quantity("gasoline", "gasoline 汽油", _LIQUID),
        Quantity("lpg", "liquefied petroleum gas 液化石油气", _GAS),
        Quantity("material", "raw material 原料、辅料", _AMOUNTS),
        Quantity("product", "product 产品", _AMOUNTS),
        Quantity("wastewater", "wastewater 废水", _MASS | {Dimension.VOLUME}),
        Quantity("co2_flow", "flow of CO2 二氧化碳流量", _GAS - _ENERGY),
        Quantity(
            "concentration", "concentration 浓度", frozenset({Dimension.RATIO, Dimension.MASS_CONCENTRATION})
        ),
        Quantity("pressure", "pressure 压力", frozenset({Dimension.PRESSURE})),
        Quantity("temperature", "temperature 温度", frozenset({Dimension.TEMPERATURE})),
        Quantity("other", "anything else 其他", _ALL),
    )
}

# What keeps two dimensions apart that people do convert, knowing more than the units say.
_STATE = "the state of the gas (pressure and temperature; see the derived function gas_at_normal)"
_DENSITY = "a density"
_NEEDED = {
    frozenset({Dimension.VOLUME, Dimension.NORMAL_VOLUME}): _STATE,
    frozenset({Dimension.VOLUME, Dimension.MASS}): _DENSITY,
    frozenset({Dimension.NORMAL_VOLUME, Dimension.MASS}): _DENSITY,
    frozenset({Dimension.MASS, Dimension.ENERGY}): "a calorific value",
    frozenset({Dimension.VOLUME, Dimension.ENERGY}): "a calorific value",
    frozenset({Dimension.NORMAL_VOLUME, Dimension.ENERGY}): "a calorific value",
}


def known(code: str) -> Unit:
    """The unit of that code; raises NotConvertible where there is none."""
    unit = UNITS.get(code)
    if unit is None:
        raise NotConvertible(f"{code!r} is not a unit; known are {', '.join(UNITS)}")
    return unit


def conversion(from_unit: str, to_unit: str) -> Fraction:
    """By what a value in `from_unit` is multiplied to be in `to_unit`, exactly.

    >>> conversion("10k_kwh", "MWh"), conversion("GJ", "kWh"), conversion("kg", "t")
    (Fraction(10, 1), Fraction(2500, 9), Fraction(1, 1000))
    """
    source, target = known(from_unit), known(to_unit)
    if source.form is not target.form and Form.MEAN not in (source.form, target.form):
        rate, amount = (source, target) if source.form is Form.RATE else (target, source)
        raise NotConvertible(
            f"{from_unit} can't be converted to {to_unit}: {rate.code} is a rate and {amount.code} an amount"
        )
    if source.dimension is not target.dimension:
        needed = _NEEDED.get(frozenset({source.dimension, target.dimension}))
        raise NotConvertible(
            f"{from_unit} can't be converted to {to_unit}: "
            + (
                f"that needs {needed}"
                if needed
                else f"one is {source.dimension}, the other {target.dimension}"
            )
        )
    return source.size / target.size


def convert(value: Fraction, from_unit: str, to_unit: str) -> Fraction:
    """A value in another unit of its dimension, exactly."""
    return value * conversion(from_unit, to_unit)


def consumption_unit(code: str) -> str:
    """The unit of what a channel in this unit counts; a mean's is its own.

    >>> consumption_unit("MW"), consumption_unit("t"), consumption_unit("bar")
    ('MWh', 't', 'bar')
    """
    return known(code).consumption or code


def kind_fault(kind: Kind, code: str) -> str | None:
    """Why a channel of this kind can't be in this unit, or None."""
    unit = known(code)
    if kind is Kind.RATE:
        if unit.form is Form.AMOUNT:
            rates = [
                each.code for each in UNITS.values() if each.consumption == code and each.form is Form.RATE
            ]
            return f"{code} is an amount; a rate is in " + (" or ".join(rates) or "a rate unit")
    elif unit.form is Form.RATE:
        return f"{code} is a rate; a {kind} is in an amount such as {unit.consumption}"
    elif unit.form is Form.MEAN:
        return f"{code} has means only, so its kind is rate"
    return None


def quantity_fault(quantity: str, code: str) -> str | None:
    """Why a channel of this quantity can't be in this unit, or None."""
    dimensions = QUANTITIES[quantity].dimensions
    if known(code).dimension in dimensions:
        return None
    fitting = [unit.code for unit in UNITS.values() if unit.dimension in dimensions]
    return f"{code} doesn't fit {quantity}, which is in {', '.join(fitting)}"


def decimal_exponent(value: Fraction) -> int:
    """The largest power of ten, at most 0, of which `value` is a whole number.

    Raises ValueError where there is none: one third is no decimal.

    >>> decimal_exponent(Fraction("0.05")), decimal_exponent(Fraction(40)), decimal_exponent(Fraction(3, 8))
    (-2, 0, -3)
    """
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    if denominator != 1:
        raise ValueError(f"{value} is no finite decimal")
    return -max(twos, fives)


def ledger_exponent(steps: Iterable[Fraction]) -> int:
    """The power of ten of a point's unit that its ledger counts in.

    steps  resolution × multiplier of each of the point's versions

    The largest that holds each of them exactly, and never coarser than the unit itself: a rate or a daily
    amount behind a large transformer would otherwise be spread over its intervals in lumps.
    """
    return min((decimal_exponent(step) for step in steps), default=0)
