"""Each kind of source worked by hand: tCO2e a unit of amount and the offset, as exact fractions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import pytest

from accounting.factors.inputs import Inputs, Location
from accounting.factors.kinds import KINDS
from accounting.factors.load import FactorLibrary, load
from accounting.factors.resolved import Resolved, resolved
from domain.errors import FactorNotFound
from domain.registry import Parameter

F = Fraction
C = F(44, 12)  # CO2 of carbon
NOTHING = F(0)


@dataclass(frozen=True)
class Case:
    """A source with its inputs, and by gas what it comes to: (a unit of amount in `per`, offset)."""

    kind: str
    industry: str
    source: str
    unit: str
    per: str
    expected: dict[str, tuple[Fraction, Fraction]]
    given: dict[str, str] = field(default_factory=dict)
    fuel: str | None = None
    material: str | None = None


def co2(per_amount: Fraction, offset: Fraction = NOTHING) -> dict[str, tuple[Fraction, Fraction]]:
    return {"CO2": (per_amount, offset)}


def ch4(per_amount: Fraction, offset: Fraction = NOTHING) -> dict[str, tuple[Fraction, Fraction]]:
    return {"CH4": (per_amount, offset)}


CASES = [
    Case("combustion", "steel", "fuel_combustion", "t", "t", co2(F("20.1") * F("0.0261") * F("0.93") * C),
         {"ncv": "20.1", "carbon_content": "0.0261"}, fuel="bituminous_coal"),
    Case("combustion", "steel", "fuel_combustion", "nm3", "10k_nm3",
         co2(F("391.2") * F("0.0153") * F("0.99") * C), {"ncv": "391.2"}, fuel="natural_gas"),
    Case("combustion", "steel", "fuel_combustion", "10k_nm3", "10k_nm3", co2(F("5.9") * F("0.99") * C),
         {"carbon_content_mass": "5.9"}, fuel="natural_gas"),
    # carbon left in slag and ash: (10 × 0.05 + 20 × 0.04 ÷ 0.8) tC
    Case("combustion", "power_generation", "fuel_combustion", "t", "t",
         co2(F(20) * F("0.026") * C, -(F("0.5") + F(1)) * C),
         {"ncv": "20", "carbon_content": "0.026", "slag_amount": "10", "slag_carbon": "0.05", "ash_amount": "20",
          "ash_carbon": "0.04", "dust_efficiency": "0.8"}, fuel="lignite"),
    Case("blended_fuel", "civil_aviation", "flight_blended_fuel", "t", "t",
         co2(F("0.7") * F("44.1") * F("0.0195") * C), {"biomass_share": "0.3"}, fuel="jet_kerosene"),
    Case("alternative_fuel", "cement", "alternative_fuel_combustion", "t", "t",
         co2(F("31.4") * F("0.085") * F("0.2")), fuel="waste_tyres"),
    Case("alternative_fuel", "cement", "alternative_fuel_combustion", "kg", "t", co2(F(10) * F("0.1") * F("0.5")),
         {"ncv": "10", "emission_factor": "0.1", "fossil_share": "0.5"}, material="own_mix"),
    Case("vehicle_distance", "land_transport", "vehicle_fuel_by_distance", "km", "km",
         co2(F(30) * F("0.84") / 100_000 * F("42.652") * F("0.0202") * F("0.98") * C),
         {"fuel_per_100km": "30", "density": "0.84", "ncv": "42.652", "carbon_content": "0.0202",
          "oxidation_rate": "0.98"}, fuel="diesel"),
    Case("carbon_in", "flat_glass", "carbon_powder", "t", "t", co2(C)),
    Case("carbon_out", "coking", "coking_gas", "10k_nm3", "10k_nm3", co2(F("2.1") * C), {"carbon_content_mass": "2.1"}),
    Case("feedstock", "chemicals", "feedstock_carbon", "t", "t", co2(F("0.375") * C), material="methanol"),
    Case("feedstock", "chemicals", "feedstock_carbon", "nm3", "10k_nm3", co2(F("390") * F("0.0153") * C),
         {"ncv": "390", "carbon_content": "0.0153"}, material="natural_gas"),
    Case("coke_burn", "petrochemicals", "fcc_coke_burn", "t", "t", co2(F("0.98") * C)),
    # 0.05 − 0.01 × 0.95 ÷ 0.99 of the catalyst is burnt
    Case("catalyst_regeneration", "petrochemicals", "catalyst_regeneration", "t", "t",
         co2((F("0.05") - F("0.01") * F("0.95") / F("0.99")) * F("0.98") * C),
         {"carbon_before": "0.05", "carbon_after": "0.01"}),
    Case("flare", "petrochemicals", "flare_normal", "10k_nm3", "10k_nm3",
         co2(F(6) * F("0.98") * C + F("0.02") * F("19.7")), {"carbon_content_mass": "6", "co2_fraction": "0.02"}),
    Case("flare_with_ch4", "oil_gas", "flare_normal", "10k_nm3", "10k_nm3",
         co2(F(5) * F("0.98") * C + F("0.03") * F("19.7")) | ch4(F("0.9") * F("0.02") * F("7.17") * 21),
         {"carbon_content_mass": "5", "co2_fraction": "0.03", "ch4_fraction": "0.9"}),
    Case("flare_by_duration", "oil_gas", "flare_accident", "h", "h",
         co2(2 * (F(5) * F("0.98") * C + F("0.03") * F("19.7"))) | ch4(2 * F("0.9") * F("0.02") * F("7.17") * 21),
         {"flow_rate": "2", "carbon_content_mass": "5", "co2_fraction": "0.03", "ch4_fraction": "0.9"}),
    Case("flare_by_carbon_number", "petrochemicals", "flare_accident", "h", "h",
         co2(2 * 5 * F("0.98") * 440 / F("22.4")), {"flow_rate": "2"}, material="refining"),
    Case("flare_without_co2", "coal", "flare_gas", "10k_nm3", "10k_nm3", co2(F(3) * F("0.98") * C),
         {"carbon_content_mass": "3"}),
    Case("factor", "steel", "electrode_consumption", "kg", "t", co2(F("3.663"))),
    Case("energy", "steel", "purchased_electricity", "kWh", "MWh", co2(F("0.5306"))),
    Case("carbonate", "power_generation", "desulfurization", "t", "t", co2(F("0.9") * F("0.44")), material="caco3"),
    Case("carbonation", "mining", "carbonation_absorption", "t", "t", co2(F("0.98") * F("0.4397")), {"purity": "0.98"},
         material="caco3"),
    Case("oxide_calcination", "cement", "clinker_calcination", "t", "t",
         co2((F("0.65") - F("0.01")) * F(44, 56) + F("0.02") * F(44, 40)),
         {"cao": "0.65", "mgo": "0.02", "cao_noncarbonate": "0.01"}),
    Case("body_carbonate", "ceramics", "carbonate_raw_material", "t", "t",
         co2(F("0.9") * (F("0.05") * F(44, 100) + F("0.02") * F(44, 84))),
         {"utilization": "0.9", "caco3": "0.05", "mgco3": "0.02"}),
    Case("anode_consumption", "aluminium", "anode_consumption", "t", "t", co2(F("0.42") * F("0.976") * C)),
    Case("gas_volume_co2", "chemicals", "co2_recovery", "nm3", "10k_nm3", co2(F("0.99") * F("19.7")),
         {"purity": "0.99"}),
    Case("pure_co2", "coal", "co2_drainage", "10k_nm3", "10k_nm3", co2(F("19.7"))),
    Case("acid_gas_removal", "oil_gas", "acid_gas_removal", "10k_nm3", "10k_nm3",
         co2(F("0.05") * 440 / F("22.4"), -F(90) * F("0.02") * 440 / F("22.4")),
         {"co2_fraction_in": "0.05", "outlet_amount": "90", "co2_fraction_out": "0.02"}),
    Case("furnace_decoking", "petrochemicals", "ethylene_decoking", "h", "h",
         co2(F(5000) * F("0.11") * F("19.7") / 10_000),
         {"flow_rate": "5000", "co2_fraction": "0.1", "co_fraction": "0.01"}),
    Case("co2_loss", "food", "co2_loss", "t", "t", co2(F("0.4")), material="primary_filling"),
    Case("urea", "land_transport", "urea_exhaust", "kg", "t", co2(F(12, 60) * F("0.325") * C), {"purity": "0.325"}),
    # 20 % CO2 in argon: 20 × 44 ÷ (20 × 44 + 80 × 40)
    Case("shielding_gas", "machinery", "co2_shielding", "kg", "t", co2(F(880, 4080)),
         {"co2_percent": "20", "ar_percent": "80"}),
    Case("gas_volume_ch4", "oil_gas", "ch4_recovery", "10k_nm3", "10k_nm3", ch4(F("0.9") * F("7.17") * 21),
         {"purity": "0.9"}),
    Case("pure_ch4", "coal", "ch4_ventilation", "nm3", "10k_nm3", ch4(F("7.17") * 21)),
    Case("ch4_own_use", "other_industry", "ch4_own_use", "10k_nm3", "10k_nm3",
         ch4(F("0.6") * F("7.17") * F("0.99") * 21), {"purity": "0.6"}),
    Case("ch4_flared", "other_industry", "ch4_flared", "10k_nm3", "10k_nm3",
         ch4(F("0.6") * 160 / F("22.4") * F("0.98") * 21), {"ch4_fraction": "0.6"}),
    Case("vent_by_duration", "oil_gas", "well_testing_venting", "h", "h", ch4(F("1.5") * F("0.9") * F("7.17") * 21),
         {"flow_rate": "1.5", "ch4_fraction": "0.9"}),
    Case("facility_ch4", "oil_gas", "production_fugitive", "set", "set", ch4(F("0.23") * 21), material="oil_wellhead"),
    Case("gas_throughput_ch4", "oil_gas", "processing_venting", "10k_nm3", "10k_nm3", ch4(F("13.83") / 10_000 * 21)),
    Case("oil_throughput_ch4", "oil_gas", "oil_transport_fugitive", "t", "t", ch4(F("753.29") / 10**8 * 21)),
    Case("activity_ch4", "coal", "post_mining_ch4", "t", "t", ch4(F("2.01") / 1000 * 21), material="high_gas_mine"),
    Case("wastewater_ch4", "food", "wastewater_anaerobic", "m3", "m3",
         ch4(F(3) * F("0.25") * F("0.7") / 1000 * 21, -(F(100) * F("0.25") * F("0.7") + 40) / 1000 * 21),
         {"cod_in": "3.5", "cod_out": "0.5", "cod_sludge": "100", "ch4_recovered": "40"}, material="food"),
    Case("wastewater_ch4", "paper", "wastewater_anaerobic", "m3", "m3",
         ch4(F(0), F(9000) * F("0.25") * F("0.5") / 1000 * 21), {"cod_removed": "9000"}),
    Case("wastewater_ch4_gross", "other_industry", "wastewater_anaerobic", "m3", "m3",
         ch4(F(3) * F("0.25") * F("0.2") / 1000 * 21), {"cod_in": "3.5", "cod_out": "0.5"}, material="shallow_lagoon"),
    Case("vehicle_exhaust", "land_transport", "vehicle_ch4_n2o", "km", "km",
         ch4(F(175) * 21 / 10**9) | {"N2O": (F(30) * 310 / 10**9, F(0))}, material="heavy_diesel"),
    Case("nitrous_oxide", "chemicals", "nitric_acid", "t", "t",
         {"N2O": (F("13.9") * (1 - F("0.85") * F("0.9")) * 310 / 1000, F(0))},
         {"abatement_efficiency": "0.85", "abatement_utilization": "0.9"}, material="high_pressure"),
    Case("nitrous_oxide", "chemicals", "nitric_acid", "t", "t", {"N2O": (F(6) * 310 / 1000, F(0))},
         {"emission_factor": "6"}, material="own_process"),
    Case("sf6_equipment", "power_grid", "sf6_repair", "t", "kg", {"SF6": (F("23.9"), -F(12) * F("23.9"))},
         {"recovered": "12"}),
    Case("anode_effect_cf4", "aluminium", "anode_effect_cf4", "t", "t", {"CF4": (F("0.034") * F("6.5"), F(0))}),
    Case("anode_effect_cf4", "aluminium", "anode_effect_cf4", "t", "t",
         {"CF4": (F("0.143") * F("0.3") * F("6.5"), F(0))}, {"anode_effect_minutes": "0.3"}),
    Case("anode_effect_c2f6", "aluminium", "anode_effect_c2f6", "t", "t",
         {"C2F6": (F("0.1") * F("0.143") * F("0.3") * F("9.2"), F(0))}, {"anode_effect_minutes": "0.3"}),
    Case("anode_effect_c2f6", "aluminium", "anode_effect_c2f6", "t", "t", {"C2F6": (F("0.004") * F("9.2"), F(0))},
         {"anode_effect_minutes": "0.3", "emission_factor": "0.004"}),
    Case("etching_gas", "electronics", "fc_gas", "kg", "t",
         {"NF3": (F("0.9") * F("0.2") * (1 - F("0.9") * F("0.95")) * 17200, F(0))}, material="NF3"),
    Case("etching_gas", "electronics", "fc_gas", "kg", "t",
         {"HFC-23": (F("0.9") * F("0.4") * (1 - F("0.9") * F("0.9")) * 11700, F(0))}, material="CHF3"),
    Case("etching_byproduct", "electronics", "fc_byproduct", "kg", "t",
         {"CF4": (F("0.9") * F("0.09") * (1 - F("0.9") * F("0.95")) * 6500, F(0))}, material="NF3>CF4"),
    # stocks are in the unit of the amount: (900 − 50 − 1200) kg
    Case("equipment_stock", "machinery", "equipment_gas", "kg", "t",
         {"SF6": (F(23900), F("-0.35") * 23900)},
         {"opening_stock": "900", "closing_stock": "50", "shipped": "1200"}, material="SF6"),
    Case("connection_leakage", "machinery", "charging_leakage", "set", "set", {"HFC-134a": (F("0.2") * F("1.3"), F(0))},
         {"emission_factor": "0.2"}, material="HFC-134a"),
    Case("hcfc22_production", "fluorochemicals", "hcfc22_production", "t", "t",
         {"HFC-23": (F("0.02") * 11700, -F(3) * 11700)}, {"emission_factor": "0.02", "recovered": "3"}),
    Case("hfc23_destruction", "fluorochemicals", "hfc23_destruction", "t", "t",
         {"HFC-23": (F(0), F("0.1") * 11700), "CO2": (F(44, 70), -F("0.1") * F(44, 70))}, {"outlet": "0.1"}),
    Case("fgas_production", "fluorochemicals", "fgas_production", "t", "t", {"SF6": (F("0.08") * 23900, F(0))},
         material="SF6_high_purity"),
    Case("fgas_production", "fluorochemicals", "fgas_production", "t", "t", {"HFC-245fa": (F("0.005") * 1030, F(0))},
         material="HFC-245fa"),
]  # fmt: skip


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load()


def inputs_of(
    library: FactorLibrary,
    industry: str,
    source: str,
    unit: str,
    given: dict[str, str],
    fuel: str | None = None,
    material: str | None = None,
) -> Inputs:
    method = library.methods.by_edition[industry, library.methods.own_edition(industry)][source]
    parameters = {name: Parameter(name, F(value), None, None, None, None) for name, value in given.items()}
    location = Location("national", None, date(2023, 12, 31))
    return Inputs(library.tables, library.methods, method, fuel, material, parameters, location, unit)


def found_of(library: FactorLibrary, case: Case) -> Resolved:
    inputs = inputs_of(library, case.industry, case.source, case.unit, case.given, case.fuel, case.material)
    inputs.check_names()
    inputs.check()
    return resolved(inputs, case.unit)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.kind} {case.industry} {case.material or case.fuel or ''}"
)
def test_a_kind_by_hand(library: FactorLibrary, case: Case) -> None:
    found = found_of(library, case)
    assert found.method.kind == case.kind
    assert found.linear.unit == case.per
    assert {
        part.gas: (part.tco2e_per_amount, part.offset_tco2e) for part in found.linear.parts
    } == case.expected
    assert found.linear.gas == "+".join(case.expected)
    amount = F(7) * found.amount_per_unit
    assert found.linear.tco2e(amount) == sum(
        each * amount + offset for each, offset in case.expected.values()
    )


def test_every_kind_has_a_formula_a_case_and_a_method(library: FactorLibrary) -> None:
    used = {each.kind for methods in library.methods.by_edition.values() for each in methods.values()}
    assert {case.kind for case in CASES} == set(KINDS) == used


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_parameter_counts_or_is_refused_by_its_name(library: FactorLibrary, case: Case) -> None:
    """No given value passes unseen: each is among the figures chosen, but for one that a better one replaces."""
    names = [value.name for value in found_of(library, case).values]
    replaced = {"anode_effect_minutes"} if "emission_factor" in case.given else set()
    assert set(case.given) - replaced <= set(names)
    assert len(names) == len(set(names))


def test_emission_factors_of_anode_effects_go_before_minutes_before_the_default(
    library: FactorLibrary,
) -> None:
    def figures(**given: str) -> list[str]:
        inputs = inputs_of(library, "aluminium", "anode_effect_c2f6", "t", given)
        return [f"{value.name} {value.text}" for value in resolved(inputs, "t").values]

    assert figures() == ["emission_factor 0.0034", "gwp 9200"]
    assert figures(anode_effect_minutes="0.2") == [
        "slope 0.143", "anode_effect_minutes 0.2", "c2f6_ratio 0.1", "gwp 9200",
    ]  # fmt: skip
    assert figures(anode_effect_minutes="0.2", emission_factor="0.01") == ["emission_factor 0.01", "gwp 9200"]


@pytest.mark.parametrize(
    ("industry", "source", "given", "fuel", "material", "faults"),
    [
        ("chemicals", "nitric_acid", {"abatement_efficiency": "0.8"}, None, "scr_plant",
         {"material": "'scr_plant' is in no table",
          "parameters.abatement_utilization": "is required where abatement_efficiency is given"}),
        ("paper", "wastewater_anaerobic", {}, None, None,
         {"parameters.cod_in": "give it as a parameter, or cod_removed in its place",
          "parameters.cod_out": "cod_out is required"}),
        ("steel", "fuel_combustion", {"ncv": "20"}, "mystery", None, {"fuel": "fuel 'mystery' is in no table"}),
        ("steel", "fuel_combustion", {}, None, None, {"fuel": "no fuel is named"}),
        ("power_generation", "fuel_combustion", {}, "lignite", None,
         {"parameters.ncv": "ncv of lignite has no default", "parameters.carbon_content": "has no default"}),
        ("power_generation", "fuel_combustion", {"ncv": "20", "carbon_content": "0.026", "slag_amount": "1"}, "lignite",
         None, {"parameters.slag_carbon": "is required", "parameters.ash_amount": "is required",
                "parameters.ash_carbon": "is required", "parameters.dust_efficiency": "is required"}),
        ("power_generation", "fuel_combustion",
         {"ncv": "20", "carbon_content": "0.026", "slag_amount": "1", "slag_carbon": "0.1", "ash_amount": "1",
          "ash_carbon": "0.1", "dust_efficiency": "0"}, "lignite", None,
         {"parameters.dust_efficiency": "dust_efficiency (0) must be above 0"}),
        ("petrochemicals", "catalyst_regeneration", {"carbon_before": "1", "carbon_after": "0.1"}, None, None,
         {"parameters.carbon_before": "carbon_before (1) must be below 1"}),
        ("machinery", "co2_shielding", {"co2_percent": "20", "ar_percent": "70"}, None, None,
         {"parameters.co2_percent": "add up to 90, expected 100"}),
        ("machinery", "equipment_gas", {"opening_stock": "1", "closing_stock": "1", "shipped": "0"}, None, "R-404A",
         {"parameters.gwp": "gwp of 'R-404A' is in no table of sar-1995"}),
        ("machinery", "charging_leakage", {"emission_factor": "1", "gwp": "1300"}, None, None,
         {"material": "no material is named: charging_leakage needs a gas"}),
        ("electronics", "fc_byproduct", {}, None, "NF3",
         {"material": "material 'NF3': fc_byproduct needs feed>by-product such as NF3>CF4"}),
        ("electronics", "fc_byproduct", {}, None, "CH2F2>CF4",
         {"parameters.capture": "capture is required", "parameters.destruction": "destruction is required"}),
        ("electronics", "fc_gas", {}, None, "CH3F",
         {"material": "capture, destruction are missing: material 'CH3F' is in no table"}),
        ("oil_gas", "gas_transport_venting", {"emission_factor": "3"}, None, "gas_wellhead",
         {"material": "belongs to another source than gas_transport_venting"}),
        ("fluorochemicals", "fgas_production", {"emission_factor": "1.5"}, None, "HFC-32",
         {"parameters.emission_factor": "(1.5) must be within 0..1"}),
        ("fluorochemicals", "hcfc22_production", {}, None, None, {"parameters.emission_factor": "is required"}),
        ("land_transport", "vehicle_fuel_by_distance", {"fuel_per_100km": "9", "density": "0.7"}, "natural_gas", None,
         {"fuel": "fuel 'natural_gas' is no liquid"}),
        ("cement", "alternative_fuel_combustion", {}, "waste_oil", "waste_tyres",
         {"material": "material 'waste_tyres' and fuel 'waste_oil' are two codes for one thing"}),
    ],
)  # fmt: skip
def test_what_a_kind_refuses(
    library: FactorLibrary,
    industry: str,
    source: str,
    given: dict[str, str],
    fuel: str | None,
    material: str | None,
    faults: dict[str, str],
) -> None:
    unit = library.methods.by_edition[industry, library.methods.own_edition(industry)][source].units[0]
    inputs = inputs_of(library, industry, source, unit, given, fuel, material)
    inputs.check_names()
    with pytest.raises(FactorNotFound):
        resolved(inputs, unit)
    found = {each.field: each.text for each in inputs.faults}
    assert {name for name in found if name in faults} == set(faults), found
    assert all(faults[name] in text for name, text in found.items() if name in faults), found
