"""How many allowances an entity is due for a year. Exact, and rounded where the plans say: down to whole tonnes.

Power, by unit: A = Q × B × F + Qh × Bh, each part rounded down by itself; a gas unit is due at least its emissions; the
entity at least a share of its emissions. Steel, cement and aluminium: A = E × (1 + alpha), alpha by how the line's
intensity lies to the balance value of all, which is known only after verification: until then it is a scenario.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from accounting.quota.tables import Benchmark, IntensityRule, LoadRule, QuotaTables, Sector, UnitClass
from domain.errors import Refused

_PRECISE = Context(prec=50)
_SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class PowerUnit:
    """A unit's year.

    electricity_mwh  supplied until 2022, generated from 2023 on, as the year's plan counts
    heat_gj          supplied
    load             mean share of the rated power; classes I and II need it where the year has a rule of F
    correction       F itself, given; None: by the year's rule
    emissions_t      of the unit; a gas unit needs them
    """

    id: str
    unit_class: UnitClass
    electricity_mwh: Fraction
    heat_gj: Fraction = Fraction(0)
    load: Fraction | None = None
    correction: Fraction | None = None
    emissions_t: Fraction | None = None


@dataclass(frozen=True, slots=True)
class UnitAllowance:
    """What a unit is due [t], its parts, and what they rest on. `raised`: a gas unit lifted to its emissions."""

    unit: PowerUnit
    electricity_t: int
    heat_t: int
    allowance_t: int
    load_factor: Fraction
    electricity: Benchmark
    heat: Benchmark
    raised: bool


@dataclass(frozen=True, slots=True)
class PowerAllowance:
    """An entity's: the units' sum, and what it is due with the floor [t]."""

    units: tuple[UnitAllowance, ...]
    units_t: int
    floor_t: int | None
    allowance_t: int


@dataclass(frozen=True, slots=True)
class IntensityAllowance:
    """What a line is due [t]: its emissions × (1 + alpha). `deviation`: X = (BP − I) ÷ BP; None where A = E."""

    allowance_t: int
    alpha: Fraction
    intensity: Fraction | None
    deviation: Fraction | None
    rule: IntensityRule


def load_factor(rule: LoadRule, load: Fraction) -> Fraction:
    """F of a mean load (a share), to six places, half to even; 1 at the threshold and above, where it jumps."""
    if load >= rule.threshold:
        return Fraction(1)
    if rule.form == "power":
        exponent = rule.numbers["intercept"] + rule.numbers["slope"] * load
        value = _PRECISE.power(_decimal(rule.numbers["base"]), _decimal(exponent))
    else:
        value = _decimal(rule.numbers["constant"])
        for weight, scale in rule.pairs:
            falling = _PRECISE.exp(_decimal(-load * 100 / scale))
            value = _PRECISE.add(value, _PRECISE.multiply(_decimal(weight), 1 - falling))
    return Fraction(value.quantize(_SIX_PLACES, ROUND_HALF_EVEN))


def _decimal(value: Fraction) -> Decimal:
    return _PRECISE.divide(Decimal(value.numerator), Decimal(value.denominator))


def unit_allowance(unit: PowerUnit, year: int, tables: QuotaTables) -> UnitAllowance:
    """Raises Refused, saying what is missing of the unit or of the year."""
    electricity = _benchmark(tables, year, unit.unit_class, "electricity")
    heat = _benchmark(tables, year, unit.unit_class.fuel, "heat")
    factor = _factor_of(unit, year, tables)
    electricity_t = math.floor(unit.electricity_mwh * electricity.value * factor)
    heat_t = math.floor(unit.heat_gj * heat.value)
    allowance_t, raised = electricity_t + heat_t, False
    if unit.unit_class is UnitClass.IV:
        if unit.emissions_t is None:
            raise Refused(f"unit {unit.id}: a gas unit is due at least its emissions: emissions_t is needed")
        if unit.emissions_t > allowance_t:
            allowance_t, raised = math.floor(unit.emissions_t), True
    return UnitAllowance(unit, electricity_t, heat_t, allowance_t, factor, electricity, heat, raised)


def _benchmark(tables: QuotaTables, year: int, unit_class: str, energy: str) -> Benchmark:
    found = tables.benchmarks.get((year, unit_class, energy))
    if found is None:
        years = sorted({each for each, _, _ in tables.benchmarks})
        raise Refused(
            f"no benchmark of {energy} for class {unit_class} in {year}; carried are {years[0]} to {years[-1]}"
        )
    return found


def _factor_of(unit: PowerUnit, year: int, tables: QuotaTables) -> Fraction:
    if unit.correction is not None:
        return unit.correction
    if unit.unit_class not in (UnitClass.I, UnitClass.II):
        return Fraction(1)
    rule = tables.load_rules.get(year)
    if rule is None:
        raise Refused(
            f"unit {unit.id}: no rule of the load factor is carried for {year}: give correction (F)"
        )
    if unit.load is None:
        raise Refused(
            f"unit {unit.id}: load is needed for classes I and II in {year}: the mean share of rated power"
        )
    return load_factor(rule, unit.load)


def power_allowance(
    units: Sequence[PowerUnit], emissions_t: Fraction | None, year: int, tables: QuotaTables
) -> PowerAllowance:
    """An entity's, with the floor where its emissions are known. Raises Refused."""
    found = tuple(unit_allowance(unit, year, tables) for unit in units)
    units_t = sum(each.allowance_t for each in found)
    floor, floor_t = tables.floors.get(year), None
    if floor is not None and emissions_t is not None:
        floor_t = math.floor(floor.share * emissions_t)
    return PowerAllowance(found, units_t, floor_t, max(units_t, floor_t or 0))


def intensity_allowance(
    sector: Sector,
    year: int,
    emissions_t: Fraction,
    output: Fraction | None,
    balance_value: Fraction | None,
    tables: QuotaTables,
) -> IntensityAllowance:
    """Of a line of steel, cement or aluminium.

    output         t of hot metal, clinker or liquid metal
    balance_value  BP [tCO2/t], a scenario until it is published

    Raises Refused where the year has no rule, or its rule needs what wasn't given.
    """
    assert sector is not Sector.POWER
    rule = tables.intensity_rules.get(year)
    if rule is None:
        carried = ", ".join(map(str, sorted(tables.intensity_rules)))
        raise Refused(f"no rule of allowances for {sector} in {year}; carried are {carried}")
    intensity = emissions_t / output if output else None
    if rule.form == "own_emissions":
        return IntensityAllowance(math.floor(emissions_t), Fraction(0), intensity, None, rule)
    if intensity is None:
        raise Refused(f"{sector} in {year}: the line's output is needed, above zero")
    if balance_value is None or balance_value <= 0:
        raise Refused(f"{sector} in {year}: a balance value (BP) is needed as scenario, above zero")
    deviation = (balance_value - intensity) / balance_value
    if abs(deviation) < rule.threshold:
        alpha = rule.slope * deviation
    else:
        alpha = rule.cap if deviation > 0 else -rule.cap
    return IntensityAllowance(math.floor(emissions_t * (1 + alpha)), alpha, intensity, deviation, rule)
