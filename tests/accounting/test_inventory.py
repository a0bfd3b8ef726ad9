"""The inventory document: what it answers, what it says beside, and everything that it refuses, by place."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from accounting.factors.load import load
from accounting.inventory.answer import inventory_answer
from accounting.inventory.document import ACTIVITIES_MAX, SIZE_MAX_BYTES
from accounting.rounding import Rounding, decimal_text
from domain.errors import FaultyDocument

LIBRARY = load()
COAL = {
    "source": "fuel_combustion",
    "fuel": "bituminous_coal",
    "amount": "1000",
    "unit": "t",
    "parameters": {"ncv": "20.1", "carbon_content": "0.0261", "oxidation_rate": "0.93"},
}
BOUGHT = {
    "source": "purchased_electricity",
    "amount": "5200",
    "unit": "MWh",
    "parameters": {"emission_factor": "0.5703"},
}
HEAT = {"source": "purchased_heat", "amount": "10", "unit": "GJ"}


def document(*activities: Any, industry: str = "steel", **fields: Any) -> dict[str, Any]:
    period = {"from": "2023-01-01", "to": "2024-01-01"}
    return {"industry": industry, "period": period, "activities": list(activities), **fields}


def answer(*activities: Any, industry: str = "steel", **fields: Any) -> dict[str, Any]:
    return inventory_answer(json.dumps(document(*activities, industry=industry, **fields)), LIBRARY)


def faults(text: Any) -> dict[str, str]:
    with pytest.raises(FaultyDocument) as caught:
        inventory_answer(text, LIBRARY)
    found: dict[str, str] = {}
    for each in caught.value.faults:
        found[each.place] = found.get(each.place, "") + each.message
    return found


def warnings(of: dict[str, Any]) -> list[str]:
    return [f"{each['place']}: {each['message']}" for each in of["warnings"]]


# --- the answer


def test_the_documents_own_example() -> None:
    found = answer(COAL, BOUGHT, edition="ndrc-2013")
    coal, bought = found["activities"]
    # 1000 × 20.1 × 0.0261 × 0.93 × 44/12; 5200 × 0.5703
    assert (coal["tco2e"], coal["gas"]) == ("1788.920100000000", "CO2")
    assert (bought["tco2e"], bought["scope"], bought["boundaries"]) == ("2965.560000000000", 2, ["account"])
    assert found["totals"] == {
        "account_tco2e": "4754.480100000000",
        "ets_tco2e": "1788.920100000000",
        "by_scope": {"1": "1788.920100000000", "2": "2965.560000000000"},
        "by_gas": {"CO2": "4754.480100000000"},
        "deductions_tco2e": "0.000000000000",
    }
    assert found["reported"]["account_tco2e"] == "4754.48"
    assert coal["factors"][0] == {
        "name": "ncv", "value": "20.1", "unit": "GJ/t", "origin": "given", "reference": None,
    }  # fmt: skip
    assert found["warnings"] == []
    assert found["factor_set"] == LIBRARY.set_hash


def test_defaults_say_that_they_are_and_where_from() -> None:
    (coal,) = answer({**COAL, "parameters": {"ncv": "20.10"}})["activities"]
    given_ncv, carbon, _ = coal["factors"]
    assert (given_ncv["value"], given_ncv["origin"]) == ("20.10", "given")
    assert (carbon["value"], carbon["origin"], carbon["edition"]) == (
        "0.02618",
        "guideline default",
        "ndrc-2013",
    )
    assert "表2.1" in carbon["reference"]


def test_a_parameter_may_bring_its_unit_origin_and_reference() -> None:
    ncv = {"value": "20100", "unit": "kJ/kg", "origin": "measured", "reference": "lab report 12"}
    found = answer({**COAL, "parameters": {"ncv": ncv, "carbon_content": "0.0261", "oxidation_rate": "0.93"}})
    first = found["activities"][0]["factors"][0]
    assert found["totals"]["account_tco2e"] == "1788.920100000000"
    assert (first["value"], first["unit"], first["origin"], first["reference"], first["note"]) == (
        "20.1", "GJ/t", "measured", "lab report 12", "given as 20100 kJ/kg",
    )  # fmt: skip


def test_a_value_without_unit_is_per_the_kind_of_amount() -> None:
    gas = {"source": "fuel_combustion", "fuel": "natural_gas", "amount": "10000", "unit": "nm3"}
    by_volume = answer({**gas, "parameters": {"ncv": "389.31"}})
    assert by_volume["totals"] == answer(gas)["totals"]
    by_mass = answer({**gas, "amount": "7", "unit": "t", "parameters": {"ncv": "48"}})
    expected = 7 * 48 * Fraction("0.0153") * Fraction("0.99") * Fraction(44, 12)
    assert Fraction(by_mass["totals"]["account_tco2e"]) == expected


@pytest.mark.parametrize(
    ("activity", "tco2e"),
    [
        ({**HEAT, "unit": "TJ"}, "1100.000000000000"),
        ({**HEAT, "unit": "tce"}, "32.238360000000"),  # 10 × 29.3076 GJ × 0.11
        ({**HEAT, "unit": "MWh"}, "3.960000000000"),
        ({**BOUGHT, "amount": "1", "unit": "10k_kwh"}, "5.703000000000"),
        ({**BOUGHT, "amount": "1", "unit": "kWh"}, "0.000570300000"),
        ({**COAL, "unit": "kg"}, "1.788920100000"),
        ({"source": "fuel_combustion", "fuel": "diesel", "amount": "1", "unit": "m3",
          "parameters": {"density": "0.84", "ncv": "43", "carbon_content": "0.02", "oxidation_rate": "1"}},
         "2.648800000000"),
        ({"source": "electrode_consumption", "amount": 2, "unit": "t"}, "7.326000000000"),
        ({"source": "electrode_consumption", "amount": 0.25, "unit": "t"}, "0.915750000000"),
    ],
)  # fmt: skip
def test_amounts_in_other_units_are_exact(activity: dict[str, Any], tco2e: str) -> None:
    assert answer(activity)["totals"]["account_tco2e"] == tco2e


def test_totals_are_summed_before_they_are_rounded() -> None:
    third = {**HEAT, "amount": "1", "parameters": {"emission_factor": "0.0000000000004"}}
    found = answer(third, third, third)
    assert [each["tco2e"] for each in found["activities"]] == ["0.000000000000"] * 3
    assert found["totals"]["account_tco2e"] == "0.000000000001"


def test_twelve_decimals_half_to_even_and_reported_half_up() -> None:
    def totals(factor: str) -> tuple[str, str]:
        found = answer({**HEAT, "amount": "1", "parameters": {"emission_factor": factor}})
        return found["totals"]["account_tco2e"], found["reported"]["account_tco2e"]

    assert totals("0.0000000000005")[0] == "0.000000000000"
    assert totals("0.0000000000015")[0] == "0.000000000002"
    assert totals("0.125") == ("0.125000000000", "0.13")
    market = answer({**HEAT, "amount": "1", "parameters": {"emission_factor": "2.5"}}, edition="mee-2025")
    assert (market["reported"]["account_tco2e"], market["rounding"]) == (
        "3",
        {"decimals": 0, "mode": "half_up"},
    )


def test_a_deduction_is_negative_and_nothing_is_cut_off() -> None:
    sold = {**BOUGHT, "source": "exported_electricity", "amount": "6000"}
    fixed = {"source": "carbon_fixed", "material": "crude_steel", "amount": "100", "unit": "t"}
    found = answer(BOUGHT, sold, fixed)
    assert found["activities"][1]["tco2e"] == "-3421.800000000000"
    assert found["activities"][2]["deduction"] is True
    assert found["totals"]["deductions_tco2e"] == "-3423.340000000000"
    assert found["totals"]["by_scope"] == {"1": "-1.540000000000", "2": "-456.240000000000"}
    assert found["totals"]["ets_tco2e"] == "-1.540000000000"
    assert found["reported"]["by_scope"]["2"] == "-456.24"


def test_several_gases_are_split() -> None:
    flare = {
        "source": "flare_normal", "amount": "1", "unit": "10k_nm3",
        "parameters": {"carbon_content_mass": "5", "co2_fraction": "0", "ch4_fraction": "1", "oxidation_rate": "0.9"},
    }  # fmt: skip
    found = answer(flare, industry="oil_gas")
    (activity,) = found["activities"]
    assert activity["gas"] == "CO2+CH4"
    # 5 × 0.9 × 44/12 and 0.1 × 7.17 × 21
    assert (
        activity["by_gas"]
        == {"CO2": "16.500000000000", "CH4": "15.057000000000"}
        == found["totals"]["by_gas"]
    )
    assert activity["tco2e"] == "31.557000000000"


# --- editions, dates, places


def test_without_an_edition_it_is_the_industrys_own() -> None:
    assert answer(COAL)["edition"] == "ndrc-2013"
    assert answer(HEAT, industry="paper")["edition"] == "ndrc-2015"


def test_electricity_of_power_plants_counts_for_the_market_in_periods_that_end_by_2023() -> None:
    def ets(first: str, end: str) -> str:
        found = answer(
            BOUGHT, industry="power_generation", edition="mee-2022", period={"from": first, "to": end}
        )
        return str(found["totals"]["ets_tco2e"])

    assert ets("2022-01-01", "2023-01-01") == "2965.560000000000"
    assert ets("2022-01-02", "2023-01-02") == "0.000000000000"


def test_a_period_outside_an_editions_data_years_is_told_and_not_refused() -> None:
    found = answer(COAL, edition="mee-2025")
    assert (
        warnings(found)[0]
        == "period: 2023-01-01 to 2023-12-31 is not within the data years of mee-2025 (2024-01-01 to …)"
    )


@pytest.mark.parametrize(
    ("fields", "factor", "said"),
    [
        ({}, "0.5306", "no district or grid is named: electricity has the national average factor"),
        ({"grid": "national"}, "0.5306", None),
        ({"district": "430300"}, "0.4976", None),
        ({"grid": "CN-SW"}, "0.2472", None),
    ],
)
def test_electricity_without_a_factor_has_that_of_its_place_and_year(
    fields: dict[str, str], factor: str, said: str | None
) -> None:
    found = answer({"source": "purchased_electricity", "amount": "1", "unit": "MWh"}, **fields)
    (chosen,) = found["activities"][0]["factors"]
    assert (chosen["value"], chosen["origin"], chosen["year"]) == (factor, "published for the year", 2023)
    assert ([each["message"] for each in found["warnings"] if not each["place"]] == [said]) == (
        said is not None
    )


def test_a_factor_of_an_older_year_is_provisional() -> None:
    activity = {"source": "purchased_electricity", "amount": "1", "unit": "MWh"}
    found = answer(activity, period={"from": "2031-01-01", "to": "2032-01-01"}, grid="national")
    assert found["activities"][0]["factors"][0]["provisional"] is True
    assert any(
        "provisional: that of 2023 until its own year's is published" in each for each in warnings(found)
    )


def test_what_a_reader_should_know_is_said_beside() -> None:
    limestone = {"source": "flux_decomposition", "material": "dolomite", "amount": "1", "unit": "t"}
    both = {**COAL, "parameters": {"carbon_content_mass": "0.5", "ncv": "20"}}
    wrong_unit = {**COAL, "parameters": {"ncv": "20100", "carbon_content": "0.0261"}}
    told = warnings(answer(limestone, both, wrong_unit))
    assert "activities[0]: default of confidence M: emission_factor" in told
    assert "activities[1].parameters.ncv: is given and not used: other values stand in its place" in told
    assert "activities[2].parameters.ncv: 20100 GJ/t is outside 0..150: is it in another unit?" in told
    stock = {
        "source": "equipment_gas", "material": "SF6", "amount": "1", "unit": "kg",
        "parameters": {"opening_stock": "0", "closing_stock": "5", "shipped": "0"},
    }  # fmt: skip
    told = warnings(answer(stock, industry="machinery"))
    assert "activities[0]: is below zero before the sign of its source; nothing is cut off" in told


def test_an_activity_a_month_comes_to_the_weighted_means_of_the_year() -> None:
    """NCV by tonnes, carbon by energy (data_quality section 4), never the plain mean."""
    months = [("900", "20.1", "0.0261"), ("1500", "18.4", "0.0268"), ("300", "22.9", "0.0255")]
    monthly = answer(
        *(
            {**COAL, "amount": tonnes, "parameters": {"ncv": ncv, "carbon_content": carbon}}
            for tonnes, ncv, carbon in months
        )
    )
    exact = [tuple(Fraction(each) for each in month) for month in months]
    burnt = sum((tonnes for tonnes, _, _ in exact), Fraction(0))
    energy = sum((tonnes * ncv for tonnes, ncv, _ in exact), Fraction(0))
    mean_ncv, mean_carbon = (
        energy / burnt,
        sum((tonnes * ncv * carbon for tonnes, ncv, carbon in exact), Fraction(0)) / energy,
    )
    year = burnt * mean_ncv * mean_carbon * Fraction("0.93") * Fraction(44, 12)
    assert monthly["totals"]["account_tco2e"] == decimal_text(year, 12, Rounding.HALF_EVEN)


def test_a_period_over_the_turn_of_a_year_has_the_factor_of_its_last_day() -> None:
    activity = {"source": "purchased_electricity", "amount": "1", "unit": "MWh"}
    found = answer(activity, grid="national", period={"from": "2022-07-01", "to": "2023-07-01"})
    assert found["activities"][0]["factors"][0]["year"] == 2023
    assert "period: 2022-07-01 to 2023-06-30 has several emission years" in warnings(found)[0]


def test_a_missing_electricity_factor_names_its_area_and_year() -> None:
    early = {"from": "2004-01-01", "to": "2005-01-01"}
    found = faults({**document({**BOUGHT, "parameters": {}}), "period": early, "district": "430300"})
    (message,) = found.values()
    assert list(found) == ["activities[0].parameters.emission_factor"]
    assert "no electricity factor that early: average of 430000, the first is of" in message
    assert "give emission_factor, or another area; the emission year is 2004" in message


def test_stocks_may_be_in_another_unit_of_mass() -> None:
    stock: dict[str, Any] = {
        "source": "equipment_gas", "material": "SF6", "amount": "100", "unit": "kg",
        "parameters": {"opening_stock": {"value": "0.9", "unit": "t"}, "closing_stock": "50", "shipped": "800"},
    }  # fmt: skip
    found = answer(stock, industry="machinery")
    # (900 + 100 − 50 − 800) kg × 23.9
    assert found["totals"]["account_tco2e"] == "3585.000000000000"
    stock["parameters"]["opening_stock"] = {"value": "1", "unit": "MWh"}
    found_faults = faults(document(stock, industry="machinery"))
    assert list(found_faults) == ["activities[0].parameters.opening_stock"]
    assert "opening_stock: MWh can't be converted to kg" in str(found_faults)


# --- what is refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"line 1, column 1": "can't be read"}),
        ('{"industry": "steel",}', {"line 1, column 22": "can't be read"}),
        (b"\xff", {"line 1": "is not UTF-8"}),
        ("[" * 100_000, {"": "nested deeper"}),
        ('{"a": ' * 100_000, {"": "nested deeper"}),
        (
            '{"industry": NaN, "period": -Infinity}',
            {
                "industry": "this is NaN, which is no value of JSON",
                "period": "this is -Infinity, which is no value of JSON",
                "activities": "is required",
            },
        ),
        ("[]", {"": "an inventory is an object with industry, period and activities, this is a list"}),
        (" " * (SIZE_MAX_BYTES + 1), {"": "at most"}),
        ("{}", {"industry": "is required", "period": "is required", "activities": "is required"}),
    ],
)
def test_a_text_that_is_no_document(text: str | bytes, expected: dict[str, str]) -> None:
    found = faults(text)
    assert found.keys() == expected.keys()
    assert all(expected[place] in message for place, message in found.items())


def test_keys_given_twice_are_refused() -> None:
    text = json.dumps(document(HEAT)).replace('"amount": "10"', '"amount": "10", "amount": "11"')
    assert faults(text) == {"activities[0].amount": "is given twice"}


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"industry": "stel"}, "industry", "industry 'stel' is unknown; did you mean 'steel'?"),
        ({"industry": 7}, "industry", "industry '7' is unknown"),
        (
            {"edition": "ndrc-2014"},
            "edition",
            "edition 'ndrc-2014' is none of steel; its editions are ndrc-2013",
        ),
        (
            {"period": {"from": "2023-01-01", "to": "2023-01-01"}},
            "period.to",
            "2023-01-01 must lie after from",
        ),
        (
            {"period": {"from": "2024-01-01", "to": "2023-01-01"}},
            "period.to",
            "2023-01-01 must lie after from",
        ),
        ({"period": {"from": "2023-02-29", "to": "2024-01-01"}}, "period.from", "this is '2023-02-29'"),
        ({"period": {"from": "2023-1-1", "to": "2024-01-01"}}, "period.from", "this is '2023-1-1'"),
        ({"period": {"to": "2024-01-01"}}, "period.from", "is required"),
        (
            {"period": {"from": "2023-01-01", "to": "2024-01-01", "until": 1}},
            "period.until",
            "is no field here",
        ),
        ({"period": "2023"}, "period", "an object is expected, this is '2023'"),
        ({"activities": []}, "activities", "is empty"),
        ({"activities": {}}, "activities", "a list is expected"),
        ({"activities": [{}] * (ACTIVITIES_MAX + 1)}, "activities", f"at most {ACTIVITIES_MAX}"),
        ({"activities": ["x"]}, "activities[0]", "an object with source, amount and unit is expected"),
        ({"activites": []}, "activites", "is no field here; did you mean 'activities'?"),
        ({"district": "99"}, "district", "six digits"),
        ({"district": "990000"}, "district", "'990000' lies in no province"),
        ({"grid": "Hunan"}, "grid", "grid 'Hunan' is none of province, region, national"),
        ({"grid": "region"}, "district", "is required where grid is 'region'"),
        ({"uncertainty": "yes"}, "uncertainty", "true or false is expected"),
    ],
)
def test_a_fault_of_the_document(fields: dict[str, Any], place: str, message: str) -> None:
    found = faults({**document(HEAT), **fields})
    assert list(found) == [place]
    assert message in found[place]


@pytest.mark.parametrize(
    ("activity", "place", "message"),
    [
        ({**HEAT, "source": "cooling"}, "source", "'cooling' is no source of steel under ndrc-2013; known are fuel"),
        ({**HEAT, "source": None}, "source", "is required"),
        ({**HEAT, "amount": "-0.01"}, "amount", "-0.01 must not be negative"),
        ({**HEAT, "amount": "1e3"}, "amount", "this is '1e3': write it out without an exponent"),
        ({**HEAT, "amount": "1,000"}, "amount", "this is '1,000'"),
        ({**HEAT, "amount": " 1"}, "amount", "this is ' 1'"),
        ({**HEAT, "amount": ""}, "amount", "this is ''"),
        ({**HEAT, "amount": "NaN"}, "amount", "this is 'NaN'"),
        ({**HEAT, "amount": "１"}, "amount", "this is '１'"),
        ({**HEAT, "amount": True}, "amount", "this is the truth value true"),
        ({**HEAT, "amount": ["1"]}, "amount", "this is a list"),
        ({**HEAT, "amount": "9" * 61}, "amount", "has 61 digits, at most 60"),
        ({**HEAT, "amount": "1E+3"}, "amount", "this is '1E+3': write it out without an exponent"),
        ({**HEAT, "amount": None}, "amount", "is required"),
        ({**HEAT, "unit": "lb"}, "unit", "'lb' is no unit of an amount; known are t, kg"),
        ({**HEAT, "unit": "GJ/h"}, "unit", "'GJ/h' is no unit of an amount"),
        ({**HEAT, "unit": "t"}, "unit", "t can't be converted to GJ: that needs a calorific value"),
        ({**COAL, "unit": "MWh"}, "unit", "MWh can't be converted to t"),
        ({**COAL, "unit": "m3", "parameters": {"density": "0"}}, "unit", "density (0) must be above 0"),
        ({**COAL, "unit": "nm3", "parameters": {}}, "unit", "that needs a density, given as the parameter density"),
        ({"source": "fuel_combustion", "fuel": "natural_gas", "amount": "1", "unit": "m3"}, "unit", "the state of"),
        ({"source": "electrode_consumption", "amount": "1", "unit": "nm3", "parameters": {"emission_factor": "1"}},
         "unit", "nm3 doesn't fit electrode_consumption, which takes t"),
        ({**HEAT, "fuel": "diesel"}, "fuel", "fuel 'diesel': purchased_heat takes no fuel"),
        ({**COAL, "material": "x"}, "material", "material 'x': fuel_combustion takes no material"),
        ({**COAL, "fuel": "mystery", "parameters": {}}, "fuel", "fuel 'mystery' is in no table"),
        ({**COAL, "parameters": {"ncv": "x"}}, "parameters.ncv", "this is 'x'"),
        ({**COAL, "parameters": {"ncv": "-1"}}, "parameters.ncv", "ncv (-1 GJ/t) must not be negative"),
        ({**COAL, "parameters": {"oxidation_rate": "1.01"}}, "parameters.oxidation_rate", "(1.01) must be within 0..1"),
        ({**COAL, "parameters": {"carbon_content_mass": "54.5"}}, "parameters.carbon_content_mass", "within 0..1"),
        ({**COAL, "parameters": {"gcv": "1"}}, "parameters.gcv", "is no parameter of fuel_combustion; did you"),
        ({**COAL, "parameters": {"ncv": {"value": "1", "unit": "GJ/kg"}}}, "parameters.ncv", "ncv in 'GJ/kg'"),
        ({**COAL, "parameters": {"ncv": {"unit": "GJ/t"}}}, "parameters.ncv.value", "is required"),
        ({**COAL, "parameters": {"ncv": {"value": "1", "from": "2023"}}}, "parameters.ncv.from", "is no field here"),
        ({**COAL, "parameters": ["ncv"]}, "parameters", "an object is expected"),
        ({**HEAT, "parametrs": {}}, "parametrs", "did you mean 'parameters'?"),
        ({"source": "carbon_fixed", "material": "slag", "amount": "1", "unit": "t"}, "material", "'slag' is in no"),
        ({"source": "carbon_fixed", "amount": "0", "unit": "t"}, "parameters.emission_factor", "no material is named"),
    ],
)  # fmt: skip
def test_a_fault_of_an_activity(activity: dict[str, Any], place: str, message: str) -> None:
    found = faults(document(HEAT, activity))
    assert list(found) == [f"activities[1].{place}"]
    assert message in found[f"activities[1].{place}"]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("1e3", "1000"), ("1E+3", "1000"), ("1.5e2", "150"), ("1e-05", "0.00001"), ("20.10", "20.10"),
        ("1e0000000000003", "1000"), ("-0.0", "-0.0"), ("123456789012345", "123456789012345"),
        ("12345678901234567890123", "12345678901234567890123"),  # an integer is kept however long
        ("0.30000000000000004", "0.30000000000000004"),  # what a double is, as on the wire
        ("0.1234567890123456789", "0.12345678901234568"),
        ("1e59", "1" + "0" * 59),
    ],
)  # fmt: skip
def test_a_json_number_is_the_decimal_that_it_is_on_the_wire(number: str, written: str) -> None:
    text = json.dumps(document({**HEAT, "amount": 0, "parameters": {"emission_factor": 7}}))
    (activity,) = inventory_answer(text.replace('"amount": 0', f'"amount": {number}'), LIBRARY)["activities"]
    assert Fraction(activity["amount"]) == Fraction(written)
    (activity,) = inventory_answer(text.replace(": 7}", f": {number}}}"), LIBRARY)["activities"]
    assert activity["factors"][0]["value"] == written


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1e999999999", "1e999999999 has more digits than are read once it is written out, at most 60"),
        ("1e-999999999", "at most 60"),
        ("0e999999999", "at most 60"),
        ("1e60", "at most 60"),
        (f"1e{'9' * 1_000_000}", "at most 60"),
        ("9" * 1_000_000, "has 1000000 digits, at most 60 are read"),
        ("NaN", "this is NaN, which is no value of JSON"),
        ("Infinity", "this is Infinity, which is no value of JSON"),
        ("-1e3", "-1e3 must not be negative"),
        ('"Infinity"', "this is 'Infinity'"),
        ('"1e999999999"', "this is '1e999999999': write it out"),
    ],
)
def test_a_number_that_is_none_or_has_no_end_is_refused_at_its_place(number: str, message: str) -> None:
    text = json.dumps(document(HEAT)).replace('"amount": "10"', f'"amount": {number}')
    found = faults(text)
    assert list(found) == ["activities[0].amount"]
    assert message in found["activities[0].amount"]
    assert len(found["activities[0].amount"]) < 200


FLARE = {"carbon_content_mass": "5", "flow_rate": "1"}


@pytest.mark.parametrize(
    ("industry", "source", "names", "others"),
    [
        ("cement", "clinker_calcination", ("cao", "mgo"), {}),
        ("cement", "kiln_dust", ("cao", "mgo"), {}),
        ("ceramics", "carbonate_raw_material", ("caco3", "mgco3"), {"utilization": "1"}),
        ("aluminium", "anode_consumption", ("sulfur", "ash"), {}),
        ("oil_gas", "flare_normal", ("co2_fraction", "ch4_fraction"), {"carbon_content_mass": "5"}),
        ("oil_gas", "flare_accident", ("co2_fraction", "ch4_fraction"), FLARE),
        ("petrochemicals", "ethylene_decoking", ("co2_fraction", "co_fraction"), {"flow_rate": "1"}),
    ],
)
def test_shares_of_one_whole_are_at_most_all_of_it(
    industry: str, source: str, names: tuple[str, str], others: dict[str, str]
) -> None:
    activity = {"source": source, "amount": "1"}
    activity["unit"] = LIBRARY.methods.sources(industry, LIBRARY.methods.own_edition(industry))[source].units[
        0
    ]
    first, second = names

    def given(share: str) -> dict[str, Any]:
        parameters = {**others, first: "0.7", second: {"value": share, "unit": "percent"}}
        return document({**activity, "parameters": parameters}, industry=industry)

    assert inventory_answer(given("30"), LIBRARY)["activities"]
    assert faults(given("30.1")) == {
        f"activities[0].parameters.{first}": (
            f"{first} (0.7) and {second} (0.301) are shares of one whole and add up to 1.001, at most 1"
        )
    }
    assert list(faults(given("101"))) == [f"activities[0].parameters.{second}"]  # that one alone is wrong


def test_a_default_counts_among_the_shares_of_a_whole() -> None:
    anodes = {"source": "anode_consumption", "amount": "1", "unit": "t", "parameters": {"sulfur": "0.999"}}
    (message,) = faults(document(anodes, industry="aluminium")).values()
    assert "sulfur (0.999) and ash (0.004) are shares of one whole and add up to 1.003" in message


def test_more_recovered_than_there_was_is_a_fault() -> None:
    repair = {"source": "sf6_repair", "amount": "90", "unit": "kg", "parameters": {"recovered": "95"}}
    assert faults(document(repair, industry="power_grid")) == {
        "activities[0].parameters.recovered": "recovered (95) is more than the amount (90 kg)"
    }
    repair["amount"], repair["unit"] = "0.095", "t"
    assert answer(repair, industry="power_grid")["totals"]["account_tco2e"] == "0.000000000000"
    unit = {"source": "hfc23_destruction", "amount": "2", "unit": "t", "parameters": {"outlet": "2.5"}}
    assert "outlet (2.5) is more than the amount (2 t)" in str(
        faults(document(unit, industry="fluorochemicals"))
    )
    ash = dict.fromkeys(("slag_amount", "slag_carbon", "ash_amount", "ash_carbon", "dust_efficiency"), "1")
    boiler = {**COAL, "amount": "1", "parameters": {"ncv": "20", "carbon_content": "0.026", **ash}}
    assert faults(document(boiler, industry="power_generation")) == {
        "activities[0].amount": "the carbon left in slag and fly ash is more than the amount (1 t)"
    }


def test_all_faults_are_told_at_once() -> None:
    bad = {"source": "fuel_combustion", "fuel": "diesel", "amount": "-1", "unit": "MWh",
           "parameters": {"ncv": "x", "oxidation_rate": "98", "gcv": "1"}}  # fmt: skip
    found = faults(
        {**document(bad, {**HEAT, "unit": "t"}), "period": {"from": "x", "to": "2024-01-01"}, "grid": "?"}
    )
    assert set(found) == {
        "period.from", "grid", "activities[0].amount", "activities[0].unit", "activities[0].parameters.ncv",
        "activities[0].parameters.oxidation_rate", "activities[0].parameters.gcv", "activities[1].unit",
    }  # fmt: skip


def test_an_unknown_industry_hides_no_other_fault() -> None:
    activities = [
        {**COAL, "fuel": "unobtainium", "parameters": {"oxidation_rate": "1.2"}},
        {
            "source": "teleportation",
            "amount": "x",
            "unit": "parsec",
            "parameters": {"purity": "2", "pruity": "1"},
        },
        {**HEAT, "unit": "t", "parameters": {"emission_factor": "-0.1"}},
        {"source": "carbonate_raw_material", "amount": "1", "unit": "t", "parameters": {"caco3": "0.7"}},
        {"amount": "1", "unit": "t", "parameters": {"ash": {"value": "101", "unit": "percent"}, "ncv": "-1"}},
        BOUGHT,
    ]
    period = {"from": "2024-01-01", "to": "2023-01-01"}
    found = faults(
        document(*activities, industry="stell") | {"edition": "ndrc-2031", "period": period, "grid": "?"}
    )
    assert found == {
        "industry": "industry 'stell' is unknown; did you mean 'steel'?",
        "edition": found["edition"],
        "period.to": "2023-01-01 must lie after from (2024-01-01): the period is [from, to)",
        "grid": "'?' is no id of 1 to 64 letters, digits, '.', '_' or '-'",
        "activities[0].fuel": "fuel 'unobtainium' is in no table",
        "activities[0].parameters.oxidation_rate": "oxidation_rate (1.2) must be within 0..1",
        "activities[1].amount": "a decimal such as \"20.1\" is expected, this is 'x'",
        "activities[1].unit": found["activities[1].unit"],
        "activities[1].source": "'teleportation' is no source of any industry",
        "activities[1].parameters.purity": "purity (2) must be within 0..1",
        "activities[1].parameters.pruity": "is no parameter of any source; did you mean 'purity'?",
        "activities[2].unit": "t can't be converted to GJ: that needs a calorific value",
        "activities[2].parameters.emission_factor": "emission_factor (-0.1 tCO2/GJ) must not be negative",
        "activities[3].parameters.mgco3": found["activities[3].parameters.mgco3"],
        "activities[3].parameters.utilization": found["activities[3].parameters.utilization"],
        "activities[4].source": "is required",
        "activities[4].parameters.ash": "ash (1.01) must be within 0..1",
        "activities[4].parameters.ncv": "ncv (-1 GJ/t) must not be negative",
    }
    assert found["edition"].startswith("edition 'ndrc-2031' is unknown; did you mean 'ndrc-20")
    assert "mgco3 is required by carbonate_raw_material" in found["activities[3].parameters.mgco3"]


def test_an_unknown_edition_hides_no_fault_of_an_activity() -> None:
    coal = {**COAL, "fuel": "unobtainium", "parameters": {"oxidation_rate": "1.2"}}
    found = faults(document(coal, {**HEAT, "source": "kiln_dust"}, edition="ndrc-2014"))
    assert set(found) == {
        "edition", "activities[0].fuel", "activities[0].parameters.oxidation_rate", "activities[1].source",
    }  # fmt: skip
    assert found["activities[1].source"] == "'kiln_dust' is no source of steel under any edition"
    # what only some of the editions would refuse isn't told
    coal = {"source": "fuel_combustion", "fuel": "bituminous_coal", "amount": "1", "unit": "t"}
    assert list(faults(document(coal, industry="power_generation"))) != []
    assert list(faults(document(coal, industry="power_generation", edition="x"))) == ["edition"]


def test_an_unknown_source_hides_no_fault_of_its_parameters() -> None:
    cooling = {**HEAT, "source": "cooling", "parameters": {"purity": "1.5", "recovered": "-1", "ncv": "9999"}}
    assert list(faults(document(cooling))) == [
        "activities[0].source", "activities[0].parameters.purity", "activities[0].parameters.recovered",
    ]  # fmt: skip


# --- rounding


@given(st.fractions(-1000, 1000), st.integers(0, 12), st.sampled_from(Rounding))
def test_a_rounded_decimal_is_a_nearest_one(value: Fraction, decimals: int, rounding: Rounding) -> None:
    text = decimal_text(value, decimals, rounding)
    off = abs(Fraction(text) - value) * 10**decimals
    assert off <= Fraction(1, 2)
    if off == Fraction(1, 2):
        if rounding is Rounding.HALF_UP:
            assert abs(Fraction(text)) > abs(value)
        else:
            assert Fraction(text) * 10**decimals % 2 == 0
    assert not text.startswith("-") or Fraction(text) < 0
    assert len(text.partition(".")[2]) == decimals
