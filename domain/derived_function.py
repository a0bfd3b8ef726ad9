"""The derived functions: which inputs each takes, and what it gives.

    steam_heat     mass, pressure, temperature → energy
                   mass × (enthalpy of steam at pressure and temperature − that of water at 20 °C)
    hot_water_heat mass, temperature → energy; mass × (temperature − 20 °C) × 4.1868 kJ/(kg K)
    gas_at_normal  volume, pressure, temperature → volume at 0 °C and 101.325 kPa
    product        an amount, and a share (percent) or a concentration (mg/m3), under any two names →
                   the amount × the mean share: of the amount's dimension; with a concentration a mass

Pressures are absolute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.unit import UNITS, Dimension, Form


@dataclass(frozen=True, slots=True)
class Function:
    """A function of named inputs, each of a dimension, and the dimension of its result."""

    inputs: Mapping[str, Dimension]
    result: Dimension


_STATE = {"pressure": Dimension.PRESSURE, "temperature": Dimension.TEMPERATURE}
FUNCTIONS: dict[str, Function] = {
    "steam_heat": Function({"mass": Dimension.MASS, **_STATE}, Dimension.ENERGY),
    "hot_water_heat": Function(
        {"mass": Dimension.MASS, "temperature": Dimension.TEMPERATURE}, Dimension.ENERGY
    ),
    "gas_at_normal": Function({"volume": Dimension.VOLUME, **_STATE}, Dimension.NORMAL_VOLUME),
}
PRODUCT = "product"
_FACTORS = ("percent", "mg/m3")


def function_faults(
    function: str, names: Mapping[str, str], units: Mapping[str, str], unit: str | None
) -> Iterator[tuple[str, str]]:
    """What is wrong with a derived channel, as (field, message).

    names  of the channels, by input
    units  that these count in, by input; an input whose channel isn't known is left out
    unit   of the result; None where it isn't known
    """
    if function == PRODUCT:
        yield from _product_faults(names, units, unit)
        return
    wanted = FUNCTIONS[function]
    for name in wanted.inputs:
        if name not in names:
            yield f"inputs.{name}", f"is missing: {function} takes {', '.join(wanted.inputs)}"
    for name in names:
        if name not in wanted.inputs:
            yield f"inputs.{name}", f"is no input of {function}, which takes {', '.join(wanted.inputs)}"
        elif name in units and UNITS[units[name]].dimension is not wanted.inputs[name]:
            yield (
                f"inputs.{name}",
                f"{names[name]} is in {units[name]}; {function} takes a {wanted.inputs[name]} here",
            )
    yield from _result_faults(function, wanted.result, unit)


def _result_faults(function: str, result: Dimension, unit: str | None) -> Iterator[tuple[str, str]]:
    if unit is not None and UNITS[unit].dimension is not result:
        fitting = [
            each.code for each in UNITS.values() if (each.dimension, each.form) == (result, Form.AMOUNT)
        ]
        yield "unit", f"{unit} doesn't fit: {function} gives {result} here, in {' or '.join(fitting)}"


def _product_faults(
    names: Mapping[str, str], units: Mapping[str, str], unit: str | None
) -> Iterator[tuple[str, str]]:
    if len(names) != 2:
        yield "inputs", f"are {len(names)}; product takes two: an amount, and one in percent or mg/m3"
        return
    if len(units) != 2:
        return
    factors = [each for each in units.values() if each in _FACTORS]
    amounts = [UNITS[each] for each in units.values() if UNITS[each].form is not Form.MEAN]
    if len(factors) != 1 or len(amounts) != 1:
        yield (
            "inputs",
            f"are in {' and '.join(units.values())}; product takes an amount, and one in percent or mg/m3",
        )
    elif factors[0] == "percent":
        yield from _result_faults(PRODUCT, amounts[0].dimension, unit)
    elif amounts[0].dimension in (Dimension.VOLUME, Dimension.NORMAL_VOLUME):
        yield from _result_faults(PRODUCT, Dimension.MASS, unit)
    else:
        yield "inputs", f"are in {' and '.join(units.values())}; mg/m3 wants a volume beside it"
