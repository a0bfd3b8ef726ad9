"""What is missing of a factor: its name, fuel or material, area and year, and the next step."""

from __future__ import annotations

from typing import Any

import pytest

from accounting.factors.load import FactorLibrary, load
from accounting.factors.wanted import Wanted
from domain.errors import FactorNotFound
from domain.registry import Enterprise, Source
from tests.accounting.factor_cases import CALENDAR, day_of, enterprise, parameter, source


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load()


def wanted(library: FactorLibrary, owner: Enterprise, of: Source, unit: str, day: str) -> tuple[Wanted, ...]:
    found, until = library.wanting(owner, of, unit, day_of(day), CALENDAR)
    assert until is None or until > day_of(day)
    return found


GRID = source("purchased_electricity")


@pytest.mark.parametrize(
    ("district", "basis", "area"),
    [("430304", None, "430000"), ("430304", "national", "CN"), ("430304", "region", "430304")],
)
def test_electricity_before_its_first_factor_names_area_and_year(
    library: FactorLibrary, district: str, basis: str | None, area: str
) -> None:
    owner = enterprise(district=district, grid=basis)
    (found,) = wanted(library, owner, GRID, "kWh", "2001-07-01")
    assert (found.name, found.unit, found.area, found.year) == ("emission_factor", "tCO2/MWh", area, 2001)
    assert "no electricity factor that early" in found.why
    assert "register the parameter emission_factor in tCO2/MWh for the source, or name a grid" in found.do
    assert found.boundaries == ("account",)
    assert wanted(library, owner, GRID, "kWh", "2023-07-01") == ()


def test_a_laboratory_value_that_begins_later_says_so(library: FactorLibrary) -> None:
    plant = enterprise("power_generation", edition="ndrc-2013")
    coal = source(
        "fuel_combustion",
        parameter("ncv", "21", since="2023-03-01"),
        parameter("carbon_content", "0.026"),
        parameter("oxidation_rate", "0.98"),
        fuel="bituminous_coal",
    )
    (found,) = wanted(library, plant, coal, "t", "2023-02-01")
    assert (found.name, found.fuel, found.edition) == ("ncv", "bituminous_coal", "ndrc-2013")
    assert found.do == "ncv is registered from 2023-03-01 on: register one that begins by the day it is for"
    assert found.boundaries == ("account", "ets")
    assert wanted(library, plant, coal, "t", "2023-03-01") == ()
    with pytest.raises(FactorNotFound) as caught:
        library.source_factors(plant, coal, "t", day_of("2023-02-01"), CALENDAR)
    assert caught.value.wanted == (found,)


@pytest.mark.parametrize(
    ("owner", "of", "unit", "expected"),
    [
        (enterprise("mining"), source("carbonate_decomposition", material="caco3"), "t", {"name": "purity"}),
        (enterprise(), source("carbon_fixed", material="slag"), "t",
         {"name": "emission_factor", "material": "slag", "unit": "tCO2/t"}),
        (enterprise("machinery"), source("charging_leakage", parameter("emission_factor", "0.1"), material="XX"), "set",
         {"name": "gwp", "material": "XX"}),
        (enterprise(), source("carbon_fixed", material="crude_steel"), "MWh", {"name": None, "do": "mend the source"}),
        (enterprise(), source("flare_normal"), "t", {"name": None, "boundaries": ("account", "ets")}),
        (enterprise(), source("fuel_combustion", parameter("oxidation_rate", "98"), fuel="diesel"), "t",
         {"name": "oxidation_rate"}),
    ],
)  # fmt: skip
def test_whatever_else_is_missing_is_named(
    library: FactorLibrary, owner: Enterprise, of: Source, unit: str, expected: dict[str, Any]
) -> None:
    (found, *_) = wanted(library, owner, of, unit, "2023-05-01")
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.why
    assert found.do


def test_what_one_boundary_lacks_is_told_of_that_one(library: FactorLibrary) -> None:
    """Cement in the market from 2024 on by its edition: the account still has its factor."""
    kiln = source("clinker_calcination", parameter("cao", "0.65"), parameter("mgo", "0.02"))
    plant = enterprise("cement")
    assert wanted(library, plant, kiln, "t", "2023-05-01") == ()
    found = wanted(library, plant, source("clinker_calcination"), "t", "2024-05-01")
    assert {each.boundaries for each in found} == {("account",)}
    assert {each.name for each in found} == {"cao", "mgo"}
