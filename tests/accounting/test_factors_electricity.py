"""Electricity and heat: by province, region, nation and area, of the emission year or the latest before it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accounting.factors.load import FactorLibrary, load
from domain.errors import FactorNotFound
from tests.accounting.factor_cases import CALENDAR, day_of, enterprise, factor, parameter, source

BOUGHT = source("purchased_electricity")


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load()


@pytest.mark.parametrize(
    ("unit", "mg"),
    [
        ("kWh", Fraction(497_600)),
        ("MWh", Fraction(497_600_000)),
        ("10k_kwh", Fraction(4_976_000_000)),
        ("GJ", Fraction(497_600_000) * 10 / 36),
    ],
)
def test_hunan_2023_in_every_unit(library: FactorLibrary, unit: str, mg: Fraction) -> None:
    result = factor(library, enterprise(), BOUGHT, unit)
    assert result.mg_per_unit == mg
    assert (result.gas, result.scope, result.boundaries) == ("CO2", 2, ("account",))
    assert not result.provisional
    assert not result.deduction


def test_the_description_says_where_the_factor_comes_from(library: FactorLibrary) -> None:
    description = factor(library, enterprise(), BOUGHT, "kWh").description
    assert description["edition"] == "ndrc-2013"
    assert description["clause"] == "5.3"
    assert description["formula"] == "amount × emission_factor"
    assert description["amount_per_unit"] == "0.001"
    assert description["factors"] == [
        {
            "name": "emission_factor",
            "value": "0.4976",
            "unit": "tCO2/MWh",
            "origin": "published for the year",
            "reference": "公告2025年第47号 关于发布2023年电力二氧化碳排放因子的公告",
            "confidence": "H",
            "valid_from": "2023-01-01",
            "valid_to": "2023-12-31",
            "area": "430000",
            "year": 2023,
        }
    ]
    assert description["passed_over"] == []


@pytest.mark.parametrize(
    ("day", "value", "year", "provisional"),
    [
        ("2010-01-01", "0.5523", 2010, False),
        ("2011-07-01", "0.5523", 2010, True),
        ("2012-12-31", "0.5166", 2012, False),
        ("2013-01-01", "0.5166", 2012, True),
        ("2017-12-31", "0.5166", 2012, True),
        ("2018-01-01", "0.4987", 2018, False),
        ("2020-12-31", "0.4987", 2018, True),
        ("2021-01-01", "0.5138", 2021, False),
        ("2022-06-30", "0.4900", 2022, False),
        ("2023-12-31", "0.4976", 2023, False),
        ("2024-01-01", "0.4976", 2023, True),
        ("2026-11-23", "0.4976", 2023, True),
    ],
)
def test_the_emission_year_or_the_latest_before_it(
    library: FactorLibrary, day: str, value: str, year: int, provisional: bool
) -> None:
    result = factor(library, enterprise(), BOUGHT, day=day)
    chosen = result.description["factors"][0]
    assert (chosen["value"], chosen["year"]) == (value, year)
    assert result.provisional == provisional
    assert result.description["provisional"] == provisional
    assert chosen.get("provisional", False) == provisional
    assert chosen["origin"] == ("older vintage" if provisional else "published for the year")
    assert bool(result.description["passed_over"]) == provisional


@pytest.mark.parametrize("grid", [None, "region", "national", "430000", "CN-CC"])
def test_before_the_first_published_year_there_is_none(library: FactorLibrary, grid: str | None) -> None:
    with pytest.raises(FactorNotFound, match=r"no electricity factor that early: .*the first is of 20\d\d"):
        factor(library, enterprise(grid=grid), BOUGHT, day="2009-12-31")


def test_local_days_decide_the_year(library: FactorLibrary) -> None:
    before = library.source_factors(enterprise(), BOUGHT, "MWh", day_of("2022-12-31"), CALENDAR)[0]
    after = library.source_factors(enterprise(), BOUGHT, "MWh", day_of("2023-01-01"), CALENDAR)[0]
    assert (before.mg_per_unit, after.mg_per_unit) == (490_000_000, 497_600_000)
    assert before.until_day == after.from_day == day_of("2023-01-01")


@pytest.mark.parametrize(
    ("grid", "district", "day", "value", "area"),
    [
        ("national", "430304", "2023-06-15", "0.5306", "CN"),
        ("national", None, "2021-06-15", "0.5568", "CN"),
        ("region", "430304", "2023-06-15", "0.5271", "CN-CC"),
        ("region", "500103", "2012-06-15", "0.5257", "CN-CC"),  # 川渝 in 华中 until 2012 …
        ("region", "500103", "2021-06-15", "0.2113", "CN-SW"),  # … and in 西南 from 2021
        (
            "region",
            "510100",
            "2018-06-15",
            "0.5257",
            "CN-CC",
        ),  # between them the older vintage, as it was divided
        ("region", "150400", "2022-06-15", "0.5564", "CN-NE"),  # 蒙东
        ("region", "150100", "2022-06-15", "0.6776", "CN-NC"),  # 蒙西
        ("region", "540102", "2023-06-15", "0.2472", "CN-SW"),
        ("region", "110105", "2011-06-15", "0.8967", "CN-NC"),
        ("CN-SC", "430304", "2023-06-15", "0.4042", "CN-SC"),
        ("440000", "430304", "2022-06-15", None, "440000"),
        ("CN", "430304", "2022-06-15", "0.5366", "CN"),
    ],
)
def test_another_basis(
    library: FactorLibrary, grid: str, district: str | None, day: str, value: str | None, area: str
) -> None:
    chosen = factor(library, enterprise(district=district, grid=grid), BOUGHT, day=day).description[
        "factors"
    ][0]
    assert chosen["area"] == area
    assert value in (None, chosen["value"])


def test_tibet_takes_its_region_and_says_so(library: FactorLibrary) -> None:
    description = factor(library, enterprise(district="540102"), BOUGHT).description
    assert description["factors"][0]["area"] == "CN-SW"
    assert description["factors"][0]["value"] == "0.2472"
    assert description["passed_over"] == ["average of 540000: the area has none"]
    with pytest.raises(FactorNotFound, match="national average, the first is of 2021"):
        factor(library, enterprise(district="540102"), BOUGHT, day="2020-06-15")


@pytest.mark.parametrize(
    ("district", "grid", "message"),
    [
        (None, None, "has no district"),
        ("710000", None, "lies in no province"),
        ("999999", None, "lies in no province"),
        ("150000", "region", "lies in no grid region"),
        ("430304", "540000", "area 540000 has no electricity factor of its own"),
        ("430304", "Hunan", "is none of province, region, national, and no area code"),
    ],
)
def test_places_without_a_factor_are_refused(
    library: FactorLibrary, district: str | None, grid: str | None, message: str
) -> None:
    with pytest.raises(FactorNotFound, match=message):
        factor(library, enterprise(district=district, grid=grid), BOUGHT)


def test_exports_are_negative_and_deductions(library: FactorLibrary) -> None:
    electricity = factor(library, enterprise(), source("exported_electricity"), "kWh")
    heat = factor(library, enterprise(), source("exported_heat"), "GJ")
    assert (electricity.mg_per_unit, electricity.deduction) == (-497_600, True)
    assert (heat.mg_per_unit, heat.deduction, heat.scope) == (-110_000_000, True, 2)
    assert heat.description["tco2e_per_amount"] == "-0.11"


def test_heat_is_counted_in_energy_of_any_unit(library: FactorLibrary) -> None:
    bought = source("purchased_heat")
    assert factor(library, enterprise(), bought, "GJ").mg_per_unit == 110_000_000
    assert factor(library, enterprise(), bought, "MWh").mg_per_unit == Fraction("3.6") * 110_000_000
    assert factor(library, enterprise(), bought, "GJ", "1999-01-01").mg_per_unit == 110_000_000


def test_a_contract_factor_replaces_the_grid(library: FactorLibrary) -> None:
    of = source(
        "purchased_electricity", parameter("emission_factor", "570.3", "kgCO2/MWh", "2023-07-01", "contract")
    )
    before = factor(library, enterprise(), of, day="2023-06-30")
    after = factor(library, enterprise(), of, day="2023-07-01")
    assert before.mg_per_unit == 497_600_000
    assert after.mg_per_unit == 570_300_000
    assert after.description["factors"] == [
        {
            "name": "emission_factor",
            "value": "0.5703",
            "unit": "tCO2/MWh",
            "origin": "contract",
            "reference": "lab report 12",
            "valid_from": "2023-07-01",
            "note": "given as 570.3 kgCO2/MWh",
        }
    ]
    assert before.until_day == after.from_day == day_of("2023-07-01")
    assert not factor(library, enterprise(), of, day="2026-01-01").provisional


def test_a_parameter_counts_where_no_factor_is_published(library: FactorLibrary) -> None:
    of = source("purchased_electricity", parameter("emission_factor", "0.6"))
    assert factor(library, enterprise(district="710000"), of, day="1999-01-01").mg_per_unit == 600_000_000


@pytest.mark.parametrize("unit", ["t", "m3", "bar", "kW", "furlong"])
def test_a_unit_that_is_no_energy_is_refused(library: FactorLibrary, unit: str) -> None:
    with pytest.raises(FactorNotFound, match=unit):
        factor(library, enterprise(), BOUGHT, unit)
