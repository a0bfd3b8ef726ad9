"""Formulas of gases other than CO2: CH4, N2O, SF6, HFCs, PFCs. tCO2e by the GWP in force.

A formula takes the `Inputs` of an activity and gives its `Linear` form. Symbols are those of methods/kinds.toml.
What is given as an absolute amount of the period is in the offset.
"""

from __future__ import annotations

from fractions import Fraction

from accounting.factors.inputs import Inputs
from accounting.factors.linear import Linear, Part, one_gas
from domain.unit import UNITS, Dimension

CO2_PER_HFC23 = Fraction(44, 70)  # molar masses: one CO2 of each HFC-23 destroyed
CH4_TONNES_PER_10K_NM3 = Fraction(160) / Fraction("22.4")  # 7.142857…, where a guideline writes 16/22.4 × 10

# --- CH4


def gas_volume_ch4(inputs: Inputs) -> Linear:
    """purity × ch4_density × gwp_ch4."""
    return one_gas("10k_nm3", "CH4", inputs.number("purity") * _ch4_volume(inputs))


def pure_ch4(inputs: Inputs) -> Linear:
    """ch4_density × gwp_ch4."""
    return one_gas("10k_nm3", "CH4", _ch4_volume(inputs))


def ch4_own_use(inputs: Inputs) -> Linear:
    """purity × ch4_density × oxidation_rate × gwp_ch4."""
    burnt = inputs.number("purity") * inputs.number("oxidation_rate")
    return one_gas("10k_nm3", "CH4", burnt * _ch4_volume(inputs))


def ch4_flared(inputs: Inputs) -> Linear:
    """ch4_fraction × 16/22.4 × 10 × destruction × gwp_ch4."""
    destroyed = inputs.number("ch4_fraction") * inputs.number("destruction")
    return one_gas("10k_nm3", "CH4", destroyed * CH4_TONNES_PER_10K_NM3 * inputs.number("gwp_ch4"))


def _ch4_volume(inputs: Inputs) -> Fraction:
    """tCO2e of 10⁴ Nm³ of CH4."""
    return inputs.number("ch4_density") * inputs.number("gwp_ch4")


def vent_by_duration(inputs: Inputs) -> Linear:
    """flow_rate × ch4_fraction × ch4_density × gwp_ch4, an hour."""
    flow = inputs.number("flow_rate") * inputs.number("ch4_fraction")
    return one_gas("h", "CH4", flow * _ch4_volume(inputs))


def facility_ch4(inputs: Inputs) -> Linear:
    """emission_factor × gwp_ch4, a facility-year."""
    return one_gas("set", "CH4", _ch4_by_factor(inputs))


def gas_throughput_ch4(inputs: Inputs) -> Linear:
    """10⁻⁴ × emission_factor × gwp_ch4; the factor is a 10⁸ Nm³."""
    return one_gas("10k_nm3", "CH4", _ch4_by_factor(inputs) / 10_000)


def oil_throughput_ch4(inputs: Inputs) -> Linear:
    """10⁻⁸ × emission_factor × gwp_ch4; the factor is a 10⁸ t."""
    return one_gas("t", "CH4", _ch4_by_factor(inputs) / 100_000_000)


def activity_ch4(inputs: Inputs) -> Linear:
    """emission_factor × 10⁻³ × gwp_ch4; the factor is in kg."""
    return one_gas("t", "CH4", _ch4_by_factor(inputs) / 1000)


def _ch4_by_factor(inputs: Inputs) -> Fraction:
    return inputs.number("emission_factor") * inputs.number("gwp_ch4")


def wastewater_ch4_gross(inputs: Inputs) -> Linear:
    """[(amount × (cod_in − cod_out), or cod_removed) − cod_sludge] × b0 × mcf × 10⁻³ × gwp_ch4."""
    return _wastewater(inputs, recovered_kg=Fraction(0))


def wastewater_ch4(inputs: Inputs) -> Linear:
    """As above, − ch4_recovered × 10⁻³ × gwp_ch4. The sum may be negative."""
    return _wastewater(inputs, recovered_kg=inputs.number("ch4_recovered"))


def _wastewater(inputs: Inputs, recovered_kg: Fraction) -> Linear:
    """Meters may count COD itself, in kg, where they measure its concentration."""
    cod_per_amount, removed_kg, unit = Fraction(0), Fraction(0), "m3"
    if inputs.is_given("cod_removed"):
        removed_kg = inputs.number("cod_removed")
    elif inputs.metered and UNITS[inputs.unit].dimension is Dimension.MASS:
        cod_per_amount, unit = Fraction(1), "kg"
    else:
        cod_per_amount = inputs.number("cod_in") - inputs.number("cod_out")
    tonne_gwp = inputs.number("gwp_ch4") / 1000
    per_cod = inputs.number("b0") * inputs.number("mcf") * tonne_gwp
    offset = (removed_kg - inputs.number("cod_sludge")) * per_cod - recovered_kg * tonne_gwp
    return one_gas(unit, "CH4", cod_per_amount * per_cod, offset)


def vehicle_exhaust(inputs: Inputs) -> Linear:
    """(ef_ch4 × gwp_ch4 [CH4] + ef_n2o × gwp_n2o [N2O]) × 10⁻⁹, a km; the factors are in mg."""
    methane = inputs.number("ef_ch4") * inputs.number("gwp_ch4") / 1_000_000_000
    nitrous = inputs.number("ef_n2o") * inputs.number("gwp_n2o") / 1_000_000_000
    return Linear("km", (Part("CH4", methane), Part("N2O", nitrous)))


# --- N2O


def nitrous_oxide(inputs: Inputs) -> Linear:
    """emission_factor × (1 − abatement_efficiency × abatement_utilization) ÷ 1000 × gwp."""
    left = 1 - inputs.number("abatement_efficiency") * inputs.number("abatement_utilization")
    return one_gas("t", "N2O", inputs.number("emission_factor") * left * inputs.number("gwp") / 1000)


# --- fluorinated gases


def sf6_equipment(inputs: Inputs) -> Linear:
    """(amount [kg] − recovered) × gwp ÷ 1000."""
    per_kg = inputs.number("gwp") / 1000
    return Linear("kg", (Part("SF6", per_kg, -inputs.number("recovered") * per_kg, "recovered"),))


def anode_effect_cf4(inputs: Inputs) -> Linear:
    """EF × gwp ÷ 1000; EF is a given emission_factor, or slope × anode_effect_minutes, or the default factor."""
    return one_gas("t", "CF4", _anode_effect(inputs, "CF4") * inputs.number("gwp") / 1000)


def anode_effect_c2f6(inputs: Inputs) -> Linear:
    """As CF4, with c2f6_ratio × slope × anode_effect_minutes."""
    return one_gas("t", "C2F6", _anode_effect(inputs, "C2F6") * inputs.number("gwp") / 1000)


def _anode_effect(inputs: Inputs, gas: str) -> Fraction:
    """kg of the gas a tonne of aluminium."""
    if inputs.is_given("emission_factor") or not inputs.is_given("anode_effect_minutes"):
        return inputs.number("emission_factor")
    cf4 = inputs.number("slope") * inputs.number("anode_effect_minutes")
    return cf4 if gas == "CF4" else inputs.number("c2f6_ratio") * cf4


def etching_gas(inputs: Inputs) -> Linear:
    """(1 − residual) × (1 − utilization) × (1 − capture × destruction) × gwp of the gas."""
    return _etching(inputs, 1 - inputs.number("utilization"))


def etching_byproduct(inputs: Inputs) -> Linear:
    """(1 − residual) × conversion × (1 − capture × destruction) × gwp of the by-product, of the feed gas used."""
    return _etching(inputs, inputs.number("conversion"))


def _etching(inputs: Inputs, made: Fraction) -> Linear:
    left = 1 - inputs.number("capture") * inputs.number("destruction")
    used = 1 - inputs.number("residual")
    return one_gas("t", inputs.gas(), used * made * left * inputs.number("gwp"))


def equipment_stock(inputs: Inputs) -> Linear:
    """(opening_stock + amount − closing_stock − shipped) × gwp; all in the unit of the amount. May be negative."""
    gwp = inputs.number("gwp")
    stock = inputs.number("opening_stock") - inputs.number("closing_stock") - inputs.number("shipped")
    return one_gas("t", inputs.gas(), gwp, stock * inputs.convert(inputs.unit_of("t"), "t") * gwp)


def connection_leakage(inputs: Inputs) -> Linear:
    """emission_factor [kg] × 10⁻³ × gwp, a connection."""
    return one_gas("set", inputs.gas(), inputs.number("emission_factor") * inputs.number("gwp") / 1000)


def hcfc22_production(inputs: Inputs) -> Linear:
    """(amount × emission_factor − recovered) × gwp of HFC-23."""
    gwp = inputs.number("gwp")
    return one_gas("t", "HFC-23", inputs.number("emission_factor") * gwp, -inputs.number("recovered") * gwp)


def hfc23_destruction(inputs: Inputs) -> Linear:
    """outlet × gwp [HFC-23] + (amount − outlet) × 44/70 [CO2]."""
    outlet = inputs.number("outlet")
    return Linear(
        "t",
        (
            Part("HFC-23", Fraction(0), outlet * inputs.number("gwp")),
            Part("CO2", CO2_PER_HFC23, -outlet * CO2_PER_HFC23, "outlet"),
        ),
    )


def fgas_production(inputs: Inputs) -> Linear:
    """emission_factor × gwp of the gas made."""
    return one_gas("t", inputs.gas(), inputs.number("emission_factor") * inputs.number("gwp"))
