"""The formulas of the kinds of source that telemetry supports: tCO2e of one unit of amount.

A formula takes `Inputs` and gives (value, amount unit): emissions in tCO2e a unit of amount, exact, before
sign and conversion. A kind that isn't in KINDS is known to the methods but can't be counted from meters yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from accounting.factors.inputs import Inputs
from domain.errors import FactorNotFound

CO2_PER_CARBON = Fraction(44, 12)  # molar masses, exact in every guideline

Formula = Callable[[Inputs], tuple[Fraction, str]]


def combustion(inputs: Inputs) -> tuple[Fraction, str]:
    """ncv × carbon_content × oxidation_rate × 44/12, or carbon_content_mass × oxidation_rate × 44/12.

    Carbon measured by mass stands where it is given: it is not to be divided by a default calorific value
    (data_quality section 2).
    """
    if inputs.is_given("carbon_content_mass"):
        carbon = inputs.value("carbon_content_mass")
        return carbon.value * inputs.value("oxidation_rate").value * CO2_PER_CARBON, carbon.amount_unit
    ncv = inputs.value("ncv")
    carbon = inputs.value("carbon_content")
    return ncv.value * carbon.value * inputs.value("oxidation_rate").value * CO2_PER_CARBON, ncv.amount_unit


def factor(inputs: Inputs) -> tuple[Fraction, str]:
    """emission_factor; of electricity and heat too."""
    value = inputs.value("emission_factor")
    return value.value, value.amount_unit


def carbonate(inputs: Inputs) -> tuple[Fraction, str]:
    """purity × emission_factor × conversion."""
    value = inputs.value("emission_factor")
    return inputs.value("purity").value * value.value * inputs.value("conversion").value, value.amount_unit


def carbon_mass(inputs: Inputs) -> tuple[Fraction, str]:
    """carbon_content_mass × 44/12, entering or leaving."""
    carbon = inputs.value("carbon_content_mass")
    return carbon.value * CO2_PER_CARBON, carbon.amount_unit


KINDS: Mapping[str, Formula] = MappingProxyType(
    {
        "combustion": combustion,
        "factor": factor,
        "energy": factor,
        "carbonate": carbonate,
        "carbon_in": carbon_mass,
        "carbon_out": carbon_mass,
    }
)


def formula_of(kind: str, code: str) -> Formula:
    """The formula of a kind; raises FactorNotFound for one that meters can't be counted by yet."""
    formula = KINDS.get(kind)
    if formula is None:
        raise FactorNotFound(
            f"method {code!r} is of kind {kind!r}, which is not counted from meters yet; supported are "
            + ", ".join(KINDS)
        )
    return formula
