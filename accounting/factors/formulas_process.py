"""Formulas of processes that give CO2 by what is used or made: factors, carbonates, anodes, gas volumes, energy.

A formula takes the `Inputs` of an activity and gives its `Linear` form. Symbols are those of methods/kinds.toml.
"""

from __future__ import annotations

from fractions import Fraction

from accounting.factors.formulas_carbon import CO2_PER_CARBON, CO2_PER_CARBON_VOLUME
from accounting.factors.inputs import Inputs
from accounting.factors.linear import Linear, Part, carbon_dioxide

# g/mol, as the guideline of machinery works with them
_SHIELDING_GASES = {
    "co2_percent": 44,
    "ar_percent": 40,
    "o2_percent": 32,
    "he_percent": 4,
    "n2_percent": 28,
    "h2_percent": 2,
}


def factor(inputs: Inputs) -> Linear:
    """emission_factor; of electricity and heat too."""
    value = inputs.value("emission_factor")
    return carbon_dioxide(value.amount_unit, value.value)


def carbonate(inputs: Inputs) -> Linear:
    """purity × emission_factor × conversion."""
    value = inputs.value("emission_factor")
    return carbon_dioxide(
        value.amount_unit, inputs.number("purity") * value.value * inputs.number("conversion")
    )


def carbonation(inputs: Inputs) -> Linear:
    """purity × emission_factor, of CO2 bound in a carbonate."""
    return carbon_dioxide("t", inputs.number("purity") * inputs.number("emission_factor"))


def oxide_calcination(inputs: Inputs) -> Linear:
    """(cao − cao_noncarbonate) × 44/56 + (mgo − mgo_noncarbonate) × 44/40."""
    lime = inputs.number("cao") - inputs.number("cao_noncarbonate")
    magnesia = inputs.number("mgo") - inputs.number("mgo_noncarbonate")
    return carbon_dioxide("t", lime * Fraction(44, 56) + magnesia * Fraction(44, 40))


def body_carbonate(inputs: Inputs) -> Linear:
    """utilization × (caco3 × 44/100 + mgco3 × 44/84)."""
    pure = inputs.number("caco3") * Fraction(44, 100) + inputs.number("mgco3") * Fraction(44, 84)
    return carbon_dioxide("t", inputs.number("utilization") * pure)


def anode_consumption(inputs: Inputs) -> Linear:
    """net_anode_consumption × (1 − sulfur − ash) × 44/12."""
    carbon = 1 - inputs.number("sulfur") - inputs.number("ash")
    return carbon_dioxide("t", inputs.number("net_anode_consumption") * carbon * CO2_PER_CARBON)


def gas_volume_co2(inputs: Inputs) -> Linear:
    """purity × co2_density."""
    return carbon_dioxide("10k_nm3", inputs.number("purity") * inputs.number("co2_density"))


def pure_co2(inputs: Inputs) -> Linear:
    """co2_density."""
    return carbon_dioxide("10k_nm3", inputs.number("co2_density"))


def acid_gas_removal(inputs: Inputs) -> Linear:
    """(amount × co2_fraction_in − outlet_amount × co2_fraction_out) × 44/22.4 × 10."""
    outlet = inputs.number("outlet_amount") * inputs.number("co2_fraction_out")
    return carbon_dioxide(
        "10k_nm3", inputs.number("co2_fraction_in") * CO2_PER_CARBON_VOLUME, -outlet * CO2_PER_CARBON_VOLUME
    )


def furnace_decoking(inputs: Inputs) -> Linear:
    """flow_rate [nm3/h] × (co2_fraction + co_fraction) × co2_density × 10⁻⁴, an hour."""
    carbon = inputs.number("co2_fraction") + inputs.number("co_fraction")
    return carbon_dioxide("h", inputs.number("flow_rate") * carbon * inputs.number("co2_density") / 10_000)


def co2_loss(inputs: Inputs) -> Linear:
    """loss_rate, of CO2 bought."""
    return carbon_dioxide("t", inputs.number("loss_rate"))


def urea(inputs: Inputs) -> Linear:
    """12/60 × purity × 44/12, of the urea in an additive."""
    return carbon_dioxide("t", Fraction(12, 60) * inputs.number("purity") * CO2_PER_CARBON)


def shielding_gas(inputs: Inputs) -> Linear:
    """co2_percent ÷ Σ(percent × molar mass) × 44: the mass of CO2 in a mixture given by volume."""
    percents = {name: inputs.number(name) for name in _SHIELDING_GASES}
    together = sum(percents.values())
    mass = sum((percents[name] * molar for name, molar in _SHIELDING_GASES.items()), Fraction(0))
    if together != 100:
        inputs.fault(
            "co2_percent",
            f"the percents of the shielding gas add up to {inputs.text(Fraction(together))}, expected 100",
            unless_missing=True,
        )
        mass = mass or Fraction(1)
    return Linear("t", (Part("CO2", percents["co2_percent"] * 44 / mass),))
