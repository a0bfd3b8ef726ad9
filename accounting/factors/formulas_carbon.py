"""Formulas of carbon that is burnt, enters or leaves: combustion, flares, coke, carbon balances. All give CO2,
flares of oil and gas fields CH4 too.

A formula takes the `Inputs` of an activity and gives its `Linear` form. Symbols are those of methods/kinds.toml.
"""

from __future__ import annotations

from fractions import Fraction

from accounting.factors.inputs import Inputs
from accounting.factors.linear import Linear, Part, carbon_dioxide

CO2_PER_CARBON = Fraction(44, 12)  # molar masses, exact in every guideline
TONNES_PER_10K_NM3 = Fraction(10) / Fraction("22.4")  # × molar mass: of 10⁴ Nm³ of an ideal gas
CO2_PER_CARBON_VOLUME = 44 * TONNES_PER_10K_NM3  # 19.642857… where a guideline writes 44/22.4 × 10

_UNBURNT = ("slag_amount", "slag_carbon", "ash_amount", "ash_carbon", "dust_efficiency")


def combustion(inputs: Inputs) -> Linear:
    """ncv × carbon_content × oxidation_rate × 44/12, or carbon_content_mass × oxidation_rate × 44/12.

    Carbon measured by mass stands where it is given: it is not to be divided by a default calorific value
    (data_quality section 2). Where slag and fly ash of coal were measured and no oxidation rate is given, the
    carbon left in them is taken off instead: the rate is 1 − carbon left ÷ carbon burnt.
    """
    carbon, unit = _carbon_of_fuel(inputs)
    if inputs.is_given("oxidation_rate") or not any(inputs.is_given(name) for name in _UNBURNT):
        return carbon_dioxide(unit, carbon * inputs.number("oxidation_rate") * CO2_PER_CARBON)
    slag = inputs.number("slag_amount") * inputs.number("slag_carbon")
    ash = inputs.number("ash_amount") * inputs.number("ash_carbon")
    efficiency = inputs.number("dust_efficiency")
    if efficiency == 0:
        inputs.fault("dust_efficiency", "dust_efficiency (0) must be above 0")
        efficiency = Fraction(1)
    left = slag + ash / efficiency
    return Linear(
        unit,
        (
            Part(
                "CO2", carbon * CO2_PER_CARBON, -left * CO2_PER_CARBON, "the carbon left in slag and fly ash"
            ),
        ),
    )


def _carbon_of_fuel(inputs: Inputs) -> tuple[Fraction, str]:
    """tC a unit of fuel, and the unit."""
    if inputs.is_given("carbon_content_mass"):
        carbon = inputs.value("carbon_content_mass")
        return carbon.value, carbon.amount_unit
    ncv = inputs.value("ncv")
    return ncv.value * inputs.number("carbon_content"), ncv.amount_unit


def blended_fuel(inputs: Inputs) -> Linear:
    """(1 − biomass_share) × ncv × carbon_content × oxidation_rate × 44/12, of the pure fossil fuel."""
    fossil = 1 - inputs.number("biomass_share")
    carbon, unit = _carbon_of_fuel(inputs)
    return carbon_dioxide(unit, fossil * carbon * inputs.number("oxidation_rate") * CO2_PER_CARBON)


def alternative_fuel(inputs: Inputs) -> Linear:
    """ncv × emission_factor × fossil_share; the factor is CO2 already."""
    return carbon_dioxide(
        "t", inputs.number("ncv") * inputs.number("emission_factor") * inputs.number("fossil_share")
    )


def vehicle_distance(inputs: Inputs) -> Linear:
    """fuel_per_100km × density × 10⁻⁵ × ncv × carbon_content × oxidation_rate × 44/12, a km."""
    fuel_t_per_km = inputs.number("fuel_per_100km") * inputs.number("density") / 100_000
    ncv = inputs.value("ncv")
    if ncv.amount_unit != "t":
        inputs.fault("fuel", f"fuel {inputs.fuel!r} is no liquid: its ncv is in {ncv.unit}, expected GJ/t")
    carbon = ncv.value * inputs.number("carbon_content") * inputs.number("oxidation_rate")
    return carbon_dioxide("km", fuel_t_per_km * carbon * CO2_PER_CARBON)


def carbon_mass(inputs: Inputs) -> Linear:
    """carbon_content_mass × 44/12, entering or leaving."""
    carbon = inputs.value("carbon_content_mass")
    return carbon_dioxide(carbon.amount_unit, carbon.value * CO2_PER_CARBON)


def feedstock(inputs: Inputs) -> Linear:
    """carbon_content_mass × 44/12; of a fuel used as feedstock ncv × carbon_content × 44/12."""
    if inputs.has("carbon_content_mass") or not (inputs.has("ncv") and inputs.has("carbon_content")):
        return carbon_mass(inputs)
    ncv = inputs.value("ncv")
    return carbon_dioxide(ncv.amount_unit, ncv.value * inputs.number("carbon_content") * CO2_PER_CARBON)


def coke_burn(inputs: Inputs) -> Linear:
    """carbon_content_mass × oxidation_rate × 44/12, of coke burnt off."""
    carbon = inputs.number("carbon_content_mass") * inputs.number("oxidation_rate")
    return carbon_dioxide("t", carbon * CO2_PER_CARBON)


def catalyst_regeneration(inputs: Inputs) -> Linear:
    """(1 − before) × (before/(1 − before) − after/(1 − after)) × oxidation_rate × 44/12, of catalyst as taken out."""
    shares: list[Fraction] = []
    for name in ("carbon_before", "carbon_after"):
        share = inputs.number(name)
        if share == 1:
            inputs.fault(name, f"{name} (1) must be below 1", unless_missing=True)
            share = Fraction(0)
        shares.append(share)
    before, after = shares
    burnt = (1 - before) * (before / (1 - before) - after / (1 - after))
    return carbon_dioxide("t", burnt * inputs.number("oxidation_rate") * CO2_PER_CARBON)


# --- flares


def _flare_co2(inputs: Inputs) -> Fraction:
    """tCO2 of 10⁴ Nm³ of flare gas; the carbon is that of everything except CO2."""
    burnt = inputs.number("carbon_content_mass") * inputs.number("oxidation_rate") * CO2_PER_CARBON
    return burnt + inputs.number("co2_fraction") * inputs.number("co2_density")


def _flare_ch4(inputs: Inputs) -> Fraction:
    """tCO2e of the CH4 that a flare leaves of 10⁴ Nm³ of gas."""
    left = inputs.number("ch4_fraction") * (1 - inputs.number("oxidation_rate"))
    return left * inputs.number("ch4_density") * inputs.number("gwp_ch4")


def flare(inputs: Inputs) -> Linear:
    """carbon_content_mass × oxidation_rate × 44/12 + co2_fraction × co2_density."""
    return carbon_dioxide("10k_nm3", _flare_co2(inputs))


def flare_with_ch4(inputs: Inputs) -> Linear:
    """A flare, and the CH4 that it leaves: ch4_fraction × (1 − oxidation_rate) × ch4_density × gwp_ch4."""
    return Linear("10k_nm3", (Part("CO2", _flare_co2(inputs)), Part("CH4", _flare_ch4(inputs))))


def flare_by_duration(inputs: Inputs) -> Linear:
    """A flare with its CH4, an hour at flow_rate."""
    flow = inputs.number("flow_rate")
    return Linear("h", (Part("CO2", flow * _flare_co2(inputs)), Part("CH4", flow * _flare_ch4(inputs))))


def flare_by_carbon_number(inputs: Inputs) -> Linear:
    """flow_rate × carbon_number × oxidation_rate × 44/22.4 × 10, an hour."""
    carbon = inputs.number("flow_rate") * inputs.number("carbon_number") * inputs.number("oxidation_rate")
    return carbon_dioxide("h", carbon * CO2_PER_CARBON_VOLUME)


def flare_without_co2(inputs: Inputs) -> Linear:
    """carbon_content_mass × oxidation_rate × 44/12, of gas without CO2."""
    carbon = inputs.number("carbon_content_mass") * inputs.number("oxidation_rate")
    return carbon_dioxide("10k_nm3", carbon * CO2_PER_CARBON)
