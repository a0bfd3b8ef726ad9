"""What a registry document may say of a source, and what is refused with which words."""

from __future__ import annotations

import pytest

from accounting.factors.kinds import KINDS
from accounting.factors.load import FactorLibrary, load
from accounting.factors.registered import grid_fault, method_fault
from domain.industry import EDITIONS, INDUSTRIES
from domain.registry import Parameter
from tests.accounting.factor_cases import parameter

MEASURED_COAL = (parameter("ncv", "21"), parameter("carbon_content", "0.026", since="2023-05-01"))


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load()


def test_the_registry_knows_the_same_industries_and_editions() -> None:
    methods = load().methods
    assert set(methods.industries) == set(INDUSTRIES)
    for code, industry in INDUSTRIES.items():
        assert methods.own_edition(code) == industry.editions[0]
        assert {edition for each, edition in methods.by_edition if each == code} == set(industry.editions)
    assert {edition for _, edition in methods.by_edition} == set(EDITIONS)


@pytest.mark.parametrize(
    ("industry", "edition", "method", "fuel", "material", "parameters", "unit"),
    [
        ("steel", None, "purchased_electricity", None, None, (), "kWh"),
        ("steel", None, "exported_heat", None, None, (), "GJ"),
        ("steel", None, "fuel_combustion", "natural_gas", None, (), "nm3"),
        ("steel", "mee-2025", "fuel_combustion", "anthracite", None, (), "kg"),
        ("steel", "ndrc-2013", "carbon_fixed", None, "crude_steel", (), "t"),
        ("steel", None, "electrode_consumption", None, None, (), "t"),
        (
            "steel",
            None,
            "purchased_carbon_material",
            None,
            "own_alloy",
            (parameter("emission_factor", "0.2"),),
            "t",
        ),
        ("cement", None, "noncarbonate_raw_material", None, "steel_slag", (), "t"),
        ("cement", "mee-2024", "clinker_calcination", None, None, (), "t"),
        ("power_generation", None, "fuel_combustion", "bituminous_coal", None, MEASURED_COAL, "t"),
        ("power_generation", "mee-2022-12", "fuel_combustion", "bituminous_coal", None, (), "t"),
        (
            "public_buildings",
            None,
            "fuel_combustion",
            "diesel",
            None,
            (parameter("density", "0.84", "kg/L"),),
            "m3",
        ),
        ("mining", None, "carbonate_decomposition", None, "caco3", (parameter("purity", "0.9"),), "t"),
        ("chemicals", None, "nitric_acid", None, "high_pressure", (), "t"),
        ("chemicals", None, "feedstock_carbon", None, "natural_gas", (), "nm3"),
        ("cement", None, "alternative_fuel_combustion", "waste_tyres", None, (), "t"),
        ("electronics", None, "fc_byproduct", None, "NF3>CF4", (), "kg"),
        ("electronics", None, "fc_gas", None, "CHF3", (), "kg"),
        ("power_grid", None, "sf6_repair", None, None, (), "kg"),
        ("coal", None, "ch4_drainage", None, None, (), "nm3"),
        ("land_transport", None, "vehicle_ch4_n2o", None, "heavy_diesel", (), "km"),
        ("paper", None, "wastewater_anaerobic", None, None, (), "kg"),
        ("fluorochemicals", None, "hfc23_destruction", None, None, (parameter("outlet", "0"),), "kg"),
    ],
)
def test_sources_that_can_be_counted_pass(
    library: FactorLibrary,
    industry: str,
    edition: str | None,
    method: str,
    fuel: str | None,
    material: str | None,
    parameters: tuple[Parameter, ...],
    unit: str,
) -> None:
    assert method_fault(library, industry, edition, method, fuel, material, parameters, unit) is None


@pytest.mark.parametrize(
    ("industry", "edition", "method", "fuel", "material", "parameters", "unit", "expected"),
    [
        ("stel", None, "fuel_combustion", None, None, (), "t", "industry 'stel' is unknown"),
        ("steel", "mee-2024", "fuel_combustion", "diesel", None, (), "t", "edition 'mee-2024' is none of steel"),
        ("steel", None, "flare_normal", None, None, (), "t", "method 'flare_normal' is none of steel under ndrc-2013"),
        ("cement", "mee-2024", "kiln_dust", None, None, (), "t", "method 'kiln_dust' is none of cement under mee-2024"),
        ("ceramics", None, "purchased_heat", None, None, (), "GJ", "method 'purchased_heat' is none of ceramics"),
        ("power_grid", None, "sf6_repair", None, None, (parameter("recovered", "3"),), "kg",
         "recovered is an amount of a period, which a meter's factor can't hold; take it off in the expression: "
         '"Q-01/capacity_kg - Q-01/recovered_kg"'),
        ("food", None, "wastewater_anaerobic", None, "food",
         (parameter("cod_removed", "3", "kgCOD"), parameter("ch4_recovered", "2", "kgCH4")), "m3",
         "ch4_recovered, cod_removed are amounts of a period, which a meter's factor can't hold; register what is"),
        ("fluorochemicals", None, "hfc23_destruction", None, None, (parameter("outlet", "1"),), "t",
         "outlet is an amount of a period, which a meter's factor can't hold; give outlet as 0"),
        ("oil_gas", None, "acid_gas_removal", None, None,
         (parameter("co2_fraction_in", "0.03"), parameter("outlet_amount", "9"), parameter("co2_fraction_out", "0.01")),
         "10k_nm3", "outlet_amount is an amount of a period, which a meter's factor can't hold; count CO2 itself"),
        ("oil_gas", None, "production_fugitive", None, "compressor_station", (), "set",
         "material 'compressor_station' belongs to another source than production_fugitive; known here are gas_g"),
        ("electronics", None, "fc_byproduct", None, "NF3>CF4", (parameter("capture", "1.2"),), "kg",
         "capture (1.2) must be within 0..1"),
        ("cement", None, "clinker_calcination", None, None, (parameter("cao", "0.65"), parameter("mgo", "0.4")), "t",
         "cao (0.65) and mgo (0.4) are shares of one whole and add up to 1.05, at most 1"),
        ("steel", None, "fuel_combustion", None, None, (), "t", "no fuel is named"),
        ("steel", None, "fuel_combustion", "coal", None, (), "t", "fuel 'coal' is in no table"),
        ("steel", None, "fuel_combustion", "anthracite", None, (), "nm3", "nm3 can't be converted to t"),
        ("steel", None, "fuel_combustion", "natural_gas", None, (), "m3", "the state of the gas"),
        ("steel", None, "fuel_combustion", "diesel", "diesel", (), "t", "takes no material"),
        ("steel", None, "purchased_electricity", "diesel", None, (), "kWh", "takes no fuel"),
        ("steel", None, "purchased_electricity", None, None, (), "t", "t can't be converted to MWh"),
        ("steel", None, "carbon_fixed", None, None, (), "t", "no material is named; known of carbon_fixed are crude"),
        ("steel", None, "carbon_fixed", None, "slag", (), "t", "material 'slag' is in no table"),
        ("steel", None, "fuel_combustion", "diesel", None, (parameter("gcv", "40"),), "t",
         "parameter 'gcv' is none of fuel_combustion; known are ncv, carbon_content, oxidation_rate"),
        ("steel", None, "fuel_combustion", "diesel", None, (parameter("oxidation_rate", "98"),), "t",
         "oxidation_rate (98) must be within 0..1"),
        ("steel", None, "fuel_combustion", "diesel", None, (parameter("ncv", "43", "GJ/kg"),), "t",
         "parameter ncv in 'GJ/kg': expected one of GJ/t"),
        ("power_generation", None, "fuel_combustion", "lignite", None, (), "t", "ncv of lignite has no default"),
        ("civil_aviation", None, "flight_fuel", "diesel", None, (), "t", "fuel 'diesel' is none of flight_fuel"),
        ("mining", None, "carbonate_decomposition", None, "caco3", (), "t",
         "purity is required by carbonate_decomposition of mining under ndrc-2015"),
    ],
)  # fmt: skip
def test_sources_that_cannot_be_counted_are_refused(
    library: FactorLibrary,
    industry: str,
    edition: str | None,
    method: str,
    fuel: str | None,
    material: str | None,
    parameters: tuple[Parameter, ...],
    unit: str,
    expected: str,
) -> None:
    fault = method_fault(library, industry, edition, method, fuel, material, parameters, unit)
    assert fault is not None
    assert expected in fault


def test_several_faults_are_told_together(library: FactorLibrary) -> None:
    bad = (parameter("gcv", "40"), parameter("ncv", "-1"))
    fault = method_fault(library, "steel", None, "fuel_combustion", "diesel", "x", bad, "t") or ""
    assert "takes no material" in fault
    assert "'gcv'" in fault
    assert "must not be negative" in fault


def test_a_grid_basis_is_a_word_or_an_area_with_a_factor(library: FactorLibrary) -> None:
    for basis in ("province", "region", "national", "CN", "CN-SW", "430000"):
        assert grid_fault(library, basis) is None
    assert grid_fault(library, "540000") == "area 540000 has no electricity factor of its own"
    assert "no area code" in (grid_fault(library, "Hunan") or "")


def test_every_kind_has_a_formula_in_words_and_most_methods_name_one() -> None:
    kinds = {method.kind for listed in load().methods.by_edition.values() for method in listed.values()}
    assert set(KINDS) <= kinds
    for listed in load().methods.by_edition.values():
        for method in listed.values():
            assert "amount" in method.formula or "outlet" in method.formula, method.code
