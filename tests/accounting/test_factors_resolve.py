"""Sources other than energy: combustion, factors, carbonates, carbon; editions, parameters, ranges of days."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from accounting.factors.load import FactorLibrary, SourceFactor, load
from accounting.factors.value import fraction_text
from domain.errors import FactorNotFound
from domain.registry import Dated, Enterprise, Source, SourceVersion, Term
from tests.accounting.factor_cases import CALENDAR, day_of, enterprise, factor, parameter, source

BOILER = source("fuel_combustion", fuel="natural_gas")


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load()


# --- vectors worked by hand


@pytest.mark.parametrize(
    ("unit", "mg"),
    [
        # 389.310 GJ/10⁴Nm³ × 0.01530 tC/GJ × 0.99 × 44/12 = 21.62188809 tCO2/10⁴Nm³
        ("10k_nm3", Fraction(21_621_888_090)),
        ("nm3", Fraction("2162188.809")),
    ],
)
def test_natural_gas_by_the_steel_guideline(library: FactorLibrary, unit: str, mg: Fraction) -> None:
    result = factor(library, enterprise(), BOILER, unit)
    assert result.mg_per_unit == mg
    assert (result.scope, result.boundaries, result.unit) == (1, ("account", "ets"), unit)
    assert [each["value"] for each in result.description["factors"]] == ["389.310", "0.01530", "0.99"]
    assert {each["origin"] for each in result.description["factors"]} == {"guideline default"}


def test_coal_with_measured_values(library: FactorLibrary) -> None:
    of = source(
        "fuel_combustion",
        parameter("ncv", "20.1", "GJ/t"),
        parameter("carbon_content", "0.0261", "tC/GJ"),
        parameter("oxidation_rate", "0.93"),
        fuel="bituminous_coal",
    )
    # 20.1 × 0.0261 × 0.93 × 44/12 = 1.7889201 tCO2/t
    assert factor(library, enterprise(), of, "t").mg_per_unit == 1_788_920_100
    assert factor(library, enterprise(), of, "kg").mg_per_unit == Fraction("1788920.1")


def test_coal_with_its_table_values(library: FactorLibrary) -> None:
    # 19.570 × 0.02618 × 0.93 × 44/12
    expected = Fraction("19.570") * Fraction("0.02618") * Fraction("0.93") * Fraction(44, 12) * 10**9
    assert (
        factor(library, enterprise(), source("fuel_combustion", fuel="bituminous_coal"), "t").mg_per_unit
        == expected
    )


def test_carbon_measured_by_mass_is_not_divided_by_a_default_calorific_value(library: FactorLibrary) -> None:
    of = source(
        "fuel_combustion", parameter("carbon_content_mass", "54.5", "percent"), fuel="bituminous_coal"
    )
    result = factor(library, enterprise(), of, "t")
    assert result.mg_per_unit == Fraction("0.545") * Fraction("0.93") * Fraction(44, 12) * 10**9
    assert [each["name"] for each in result.description["factors"]] == [
        "carbon_content_mass",
        "oxidation_rate",
    ]


def test_a_sold_fuel_is_a_deduction(library: FactorLibrary) -> None:
    burnt = factor(library, enterprise(), source("fuel_combustion", fuel="coal_tar"), "t")
    sold = factor(library, enterprise(), source("exported_fuel", fuel="coal_tar"), "t")
    assert sold.mg_per_unit == -burnt.mg_per_unit
    assert sold.deduction


@pytest.mark.parametrize(
    ("industry", "method", "material", "unit", "mg"),
    [
        ("steel", "flux_decomposition", "limestone", "t", Fraction(440_000_000)),
        ("steel", "electrode_consumption", None, "kg", Fraction(3_663_000)),
        ("steel", "carbon_fixed", "crude_steel", "t", Fraction(-15_400_000)),
        ("aluminium", "limestone_calcination", None, "t", Fraction(405_000_000)),
        ("paper", "limestone_use", None, "t", Fraction(405_000_000)),
        ("nonferrous", "reductant_use", "natural_gas", "nm3", Fraction("21.622") * 10**5),
        # 0.90 × 0.440 × 1
        ("power_generation", "desulfurization", "caco3", "t", Fraction(396_000_000)),
        # 0.98 × 0.478 × 1
        ("magnesium", "dolomite_calcination", None, "t", Fraction(468_440_000)),
        # 0.996 × 0.349
        ("nonferrous", "oxalic_acid", None, "t", Fraction(347_604_000)),
        ("chemicals", "product_carbon", "methanol", "t", Fraction("0.375") * Fraction(-44, 12) * 10**9),
        ("cement", "raw_meal_carbon", None, "t", Fraction("0.001") * Fraction(44, 12) * 10**9),
        ("cement", "raw_meal_carbon", "carbon_rich", "t", Fraction("0.003") * Fraction(44, 12) * 10**9),
    ],
)
def test_process_sources(
    library: FactorLibrary, industry: str, method: str, material: str | None, unit: str, mg: Fraction
) -> None:
    result = factor(library, enterprise(industry), source(method, material=material), unit)
    assert result.mg_per_unit == mg
    assert result.deduction == (mg < 0)


# --- editions


def test_the_market_has_its_own_edition_by_date(library: FactorLibrary) -> None:
    def factors(day: str) -> dict[tuple[str, ...], tuple[str, Fraction]]:
        found = library.source_factors(enterprise(), BOILER, "10k_nm3", day_of(day), CALENDAR)
        return {each.boundaries: (each.description["edition"], each.mg_per_unit) for each in found}

    own = Fraction(21_621_888_090)
    market = Fraction("389.310") * Fraction("0.01532") * Fraction("0.99") * Fraction(44, 12) * 10**9
    assert factors("2023-12-31") == {("account", "ets"): ("ndrc-2013", own)}
    assert factors("2024-01-01") == {("account",): ("ndrc-2013", own), ("ets",): ("mee-2025", market)}


def test_an_edition_of_its_own_holds_for_every_boundary(library: FactorLibrary) -> None:
    found = library.source_factors(
        enterprise(edition="mee-2025"), BOILER, "nm3", day_of("2020-06-15"), CALENDAR
    )
    assert [(each.boundaries, each.description["edition"]) for each in found] == [
        (("account", "ets"), "mee-2025")
    ]


def test_a_source_of_the_market_alone(library: FactorLibrary) -> None:
    of = source("noncarbonate_raw_material", material="steel_slag")
    result = factor(library, enterprise("cement"), of, "t", "2025-06-15")
    assert (result.boundaries, result.mg_per_unit) == (("ets",), -215_000_000)
    with pytest.raises(
        FactorNotFound, match="method 'noncarbonate_raw_material' is none of cement under ndrc-2013"
    ):
        factor(library, enterprise("cement"), of, "t", "2023-06-15")


def test_electricity_of_power_plants_leaves_the_market_in_2023(library: FactorLibrary) -> None:
    plant = enterprise("power_generation", edition="mee-2022")
    bought = source("purchased_electricity")
    before = factor(library, plant, bought, day="2022-12-31")
    after = factor(library, plant, bought, day="2023-01-01")
    assert before.boundaries == ("account", "ets")
    assert after.boundaries == ("account",)
    assert before.mg_per_unit == after.mg_per_unit == 581_000_000
    assert before.until_day == day_of("2023-01-01")


def test_what_the_markets_table_leaves_blank_is_the_industrys_own(library: FactorLibrary) -> None:
    of = source("fuel_combustion", fuel="anthracite")
    _, market = library.source_factors(enterprise(), of, "t", day_of("2025-06-15"), CALENDAR)
    origins = {each["name"]: (each["origin"], each["edition"]) for each in market.description["factors"]}
    assert origins["ncv"] == ("guideline default", "mee-2025")
    assert origins["oxidation_rate"] == ("guideline default of an earlier edition", "ndrc-2013")
    assert market.description["passed_over"] == [
        "oxidation_rate of anthracite under mee-2025: its table has none"
    ]


def test_a_boundary_that_has_no_factor_is_told_with_the_other(library: FactorLibrary) -> None:
    of = source("clinker_calcination", material="unheard_of")
    with pytest.raises(FactorNotFound, match=r"cao is required by.*; ets under mee-2024: .*'unheard_of'"):
        library.source_factors(enterprise("cement"), of, "t", day_of("2025-06-15"), CALENDAR)
    found = library.source_factors(
        enterprise("cement"), source("clinker_calcination"), "t", day_of("2025-06-15"), CALENDAR
    )
    assert [(each.boundaries, each.mg_per_unit) for each in found] == [(("ets",), 535_000_000)]
    assert "account under ndrc-2013" in found[0].description["passed_over"][0]


@pytest.mark.parametrize(
    ("edition", "fuel", "values"),
    [
        # any coal without tests: the penalty defaults of the class
        ("mee-2022-12", "bituminous_coal", ["26.7", "0.03085", "0.99"]),
        ("mee-2022-12", "slime", ["26.7", "0.02858", "0.99"]),
        ("mee-2022-12", "natural_gas", ["389.310", "0.01532", "0.99"]),
        ("mee-2021", "coal_unspecified", ["26.700", "0.03356", "0.99"]),
        ("ndrc-2013", "fuel_oil", ["41.816", "0.02110", "0.98"]),
    ],
)
def test_fuels_of_power_plants(library: FactorLibrary, edition: str, fuel: str, values: list[str]) -> None:
    unit = "nm3" if fuel == "natural_gas" else "t"
    plant = enterprise("power_generation", edition=edition)
    result = factor(library, plant, source("fuel_combustion", fuel=fuel), unit)
    assert [each["value"] for each in result.description["factors"]] == values


BEFORE_THE_MARKET = "2019-06-15"  # its editions have a default for coal that wasn't tested


def test_coal_of_power_plants_is_measured(library: FactorLibrary) -> None:
    plant = enterprise("power_generation")
    with pytest.raises(
        FactorNotFound, match=r"ncv of bituminous_coal has no default.*carbon_content of bituminous_coal"
    ):
        factor(library, plant, source("fuel_combustion", fuel="bituminous_coal"), "t", BEFORE_THE_MARKET)
    of = source(
        "fuel_combustion",
        parameter("ncv", "21.5"),
        parameter("carbon_content", "0.0265"),
        fuel="bituminous_coal",
    )
    expected = Fraction("21.5") * Fraction("0.0265") * Fraction("0.98") * Fraction(44, 12) * 10**9
    assert factor(library, plant, of, "t", BEFORE_THE_MARKET).mg_per_unit == expected


# --- parameters


def test_dated_values_follow_one_another_and_end_at_the_default(library: FactorLibrary) -> None:
    of = source(
        "fuel_combustion",
        parameter("ncv", "391.20", "GJ/10k_nm3", "2023-01-01"),
        parameter("ncv", "39.5", "MJ/nm3", "2023-03-01"),
        fuel="natural_gas",
    )

    def ncv(day: str) -> tuple[str, str]:
        chosen = factor(library, enterprise(), of, "nm3", day).description["factors"][0]
        return chosen["value"], chosen["origin"]

    assert ncv("2022-12-31") == ("389.310", "guideline default")
    assert ncv("2023-01-01") == ("391.2", "measured")
    assert ncv("2023-02-28") == ("391.2", "measured")
    assert ncv("2023-03-01") == ("395", "measured")
    assert ncv("2026-01-01") == ("395", "measured")


def test_the_latest_begun_stands_and_of_one_day_the_better(library: FactorLibrary) -> None:
    def value(*parameters: tuple[str, str | None, str | None]) -> str:
        of = source(
            "purchased_heat",
            *(parameter("emission_factor", *each[:1], None, *each[1:]) for each in parameters),
        )
        return str(factor(library, enterprise(), of, "GJ").description["factors"][0]["value"])

    measured, contract = ("0.1", "2023-01-01", "measured"), ("0.2", "2023-01-01", "contract")
    other, always = ("0.3", "2023-01-01", None), ("0.4", None, "measured")
    assert value(contract, measured, other) == value(other, measured, contract) == "0.1"
    assert value(other, contract, always) == "0.2"
    assert value(always, other) == "0.3"
    assert value(always) == "0.4"
    assert value(measured, ("0.5", "2023-02-01", "contract")) == "0.5"


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("ncv", "20908", "kJ/kg", "20.908"),
        ("ncv", "20.908", "MJ/kg", "20.908"),
        ("carbon_content", "25.8", "tC/TJ", "0.0258"),
        ("oxidation_rate", "98", "percent", "0.98"),
        ("oxidation_rate", "0.98", "1", "0.98"),
    ],
)
def test_parameters_in_other_units_are_exact(
    library: FactorLibrary, name: str, value: str, unit: str, expected: str
) -> None:
    of = source("fuel_combustion", parameter(name, value, unit), fuel="bituminous_coal")
    chosen = {each["name"]: each for each in factor(library, enterprise(), of, "t").description["factors"]}
    assert chosen[name]["value"] == expected


def test_a_fuel_of_no_table_needs_all_its_values(library: FactorLibrary) -> None:
    given_values = [
        parameter("ncv", "18"),
        parameter("carbon_content", "0.02"),
        parameter("oxidation_rate", "1"),
    ]
    full = source("fuel_combustion", *given_values, fuel="mystery")
    assert factor(library, enterprise(), full, "t").mg_per_unit == Fraction("0.36") * Fraction(44, 12) * 10**9
    with pytest.raises(
        FactorNotFound, match="fuel 'mystery' is in no table; known of steel under ndrc-2013 are anthra"
    ):
        factor(library, enterprise(), source("fuel_combustion", *given_values[:2], fuel="mystery"), "t")


@pytest.mark.parametrize(("density", "unit"), [("0.84", "t/m3"), ("840", "kg/m3"), ("0.84", "kg/L")])
def test_a_liquid_in_cubic_metres_needs_a_density(library: FactorLibrary, density: str, unit: str) -> None:
    diesel = source("fuel_combustion", fuel="diesel")
    with pytest.raises(FactorNotFound, match="m3 can't be converted to t: that needs a density"):
        factor(library, enterprise(), diesel, "m3")
    with_density = source("fuel_combustion", parameter("density", density, unit), fuel="diesel")
    per_tonne = factor(library, enterprise(), diesel, "t").mg_per_unit
    result = factor(library, enterprise(), with_density, "m3")
    assert result.mg_per_unit == Fraction("0.84") * per_tonne
    assert result.description["amount_per_unit"] == "0.84"


def test_a_gas_weighed_needs_its_normal_density(library: FactorLibrary) -> None:
    weighed = source("fuel_combustion", parameter("density", "0.7174", "kg/nm3"), fuel="natural_gas")
    per_nm3 = factor(library, enterprise(), BOILER, "nm3").mg_per_unit
    assert factor(library, enterprise(), weighed, "kg").mg_per_unit == per_nm3 / Fraction("0.7174")
    zero = source("fuel_combustion", parameter("density", "0", "kg/nm3"), fuel="natural_gas")
    with pytest.raises(FactorNotFound, match=r"density \(0\) must be above 0"):
        factor(library, enterprise(), zero, "kg")


def test_a_gas_as_metered_is_refused_whatever_the_density(library: FactorLibrary) -> None:
    of = source("fuel_combustion", parameter("density", "0.8", "kg/m3"), fuel="natural_gas")
    with pytest.raises(FactorNotFound, match="m3 can't be converted to 10k_nm3"):
        factor(library, enterprise(), of, "m3")
    with pytest.raises(FactorNotFound, match="state of the gas"):
        factor(library, enterprise(), BOILER, "m3")


@pytest.mark.parametrize(
    ("name", "value", "unit", "message"),
    [
        ("oxidation_rate", "98", None, "oxidation_rate (98) must be within 0..1"),
        ("oxidation_rate", "101", "percent", "oxidation_rate (1.01) must be within 0..1"),
        ("ncv", "-1", None, "ncv (-1 GJ/t) must not be negative"),
        ("ncv", "5000", "kcal/kg", "ncv in 'kcal/kg': expected one of GJ/t, MJ/kg"),
    ],
)
def test_values_that_cannot_be_are_refused(
    library: FactorLibrary, name: str, value: str, unit: str | None, message: str
) -> None:
    of = source("fuel_combustion", parameter(name, value, unit), fuel="bituminous_coal")
    with pytest.raises(FactorNotFound) as caught:
        factor(library, enterprise(), of, "t")
    assert message in str(caught.value)


# --- ranges of days, descriptions, the cache


def moving() -> tuple[Enterprise, Source]:
    """An enterprise and a source with something changing every few years."""
    owner = replace(
        enterprise("cement"),
        editions=(Dated(day_of("2024-07-01"), "gbt-32151"), Dated(day_of("2025-02-01"), "mee-2024")),
        grid=(Dated(day_of("2022-04-01"), "region"), Dated(day_of("2023-10-01"), "national")),
        districts=(Dated(None, "430304"), Dated(day_of("2021-09-01"), "500103")),
    )
    versions = (
        Dated(
            day_of("2012-03-01"), SourceVersion("fuel_combustion", "diesel", None, (Term(1, "A/x"),), None)
        ),
        Dated(
            day_of("2016-05-05"), SourceVersion("purchased_electricity", None, None, (Term(1, "A/x"),), None)
        ),
        Dated(day_of("2026-01-05"), SourceVersion("exported_heat", None, None, (Term(1, "A/x"),), None)),
    )
    parameters = (
        parameter("ncv", "42.1", None, "2013-01-01"),
        parameter("emission_factor", "0.4", None, "2020-06-01"),
    )
    return owner, Source(9, owner.uscc, "moving", versions, parameters)


DAYS = st.integers(day_of("2009-01-01"), day_of("2027-12-31"))


@given(day=DAYS, other=DAYS, unit=st.sampled_from(["MWh", "t", "GJ"]))
def test_a_factor_holds_over_its_whole_range(day: int, other: int, unit: str) -> None:
    """Asked in any order, of a library that remembers and of one that doesn't, a day has one answer."""
    remembering, owner, of = load(), *moving()
    fresh = FactorLibrary(remembering.tables, remembering.methods)

    def answer(library: FactorLibrary, asked: int) -> tuple[SourceFactor, ...] | str:
        try:
            return library.source_factors(owner, of, unit, asked, CALENDAR)
        except FactorNotFound as error:
            return str(error)

    first = answer(remembering, day)
    assert answer(fresh, day) == first
    if isinstance(first, str):
        return
    for each in first:
        assert each.from_day is None or each.from_day <= day
        assert each.until_day is None or day < each.until_day
        if (each.from_day is None or each.from_day <= other) and (
            each.until_day is None or other < each.until_day
        ):
            assert answer(fresh, other) == first


def test_equal_factors_have_equal_descriptions(library: FactorLibrary) -> None:
    """Two emission years on one older vintage are one used factor, as are two enterprises of one province."""
    of = source("purchased_electricity")
    one = factor(library, enterprise(), of, day="2024-03-01")
    two = factor(library, enterprise(district="430100"), of, day="2026-03-01")
    assert (one.mg_per_unit, one.description) == (two.mg_per_unit, two.description)
    assert one.description != factor(library, enterprise(), of, day="2023-03-01").description


def test_descriptions_are_plain_json(library: FactorLibrary) -> None:
    description = factor(library, enterprise(), BOILER, "nm3").description
    assert json.loads(json.dumps(description, ensure_ascii=False)) == description
    assert description["mg_per_unit"] == "2162188.809"
    assert description["fuel"] == "natural_gas"


def test_a_source_that_has_not_begun_has_no_factor(library: FactorLibrary) -> None:
    owner, of = moving()
    with pytest.raises(FactorNotFound, match=r"source 'moving' of .* has not begun yet"):
        factor(library, owner, of, "t", "2012-02-29")


def test_the_memory_of_answers_is_bounded(library: FactorLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounting.factors.resolve.CACHE_SIZE_MAX", 3)
    fresh = FactorLibrary(library.tables, library.methods)
    for number in range(10):
        of = source("purchased_heat", parameter("emission_factor", f"0.{number}"))
        assert factor(fresh, enterprise(), of, "GJ").mg_per_unit == number * 100_000_000
        assert len(fresh._answers) <= 3


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0"), ("-0.5", "-0.5"), ("1000", "1000"), ("0.0001", "0.0001"), ("2/3", "2/3"), ("-7/6", "-7/6"),
     ("12.50", "12.5"), ("1/8", "0.125"), ("1/1024", "0.0009765625")],
)  # fmt: skip
def test_values_as_text_are_exact(value: str, text: str) -> None:
    assert fraction_text(Fraction(value)) == text


@given(st.fractions())
def test_values_as_text_read_back(value: Fraction) -> None:
    assert Fraction(fraction_text(value)) == value
