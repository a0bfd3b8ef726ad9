"""Documents with one thing wrong: what is said of each, and where."""

# ruff: noqa: E501 (messages are easier to compare on one line)

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.domain.documents import OTHER_USCC, SAMPLE, USCC, faults, sample

E = "enterprises[0]"
CHANNEL = f"{E}.meters[0].channels[0]"
SECOND = f"{E}.meters[0].channels[1]"
DELTA = f"{E}.meters[1].channels[0]"
MISSING = object()  # the field is taken out


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sample with one value set, or taken out."""
    document = sample()
    keys = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    here: Any = document
    for key in keys[:-1]:
        here = here[key]
    if value is MISSING:
        del here[keys[-1]]
    elif isinstance(here, list) and keys[-1] == len(here):
        here.append(value)
    else:
        here[keys[-1]] = value
    return document


def channel(**fields: Any) -> dict[str, Any]:
    return {
        "id": "x", "quantity": "electricity_import", "kind": "delta", "unit": "kWh", "resolution": "1",
        "period": "PT15M", "valid_from": "2023-01-01T00:00:00+08:00", **fields,
    }  # fmt: skip


def test_the_sample_has_no_faults() -> None:
    assert faults(SAMPLE) == []
    assert faults(sample()) == []
    assert faults(json.dumps(sample())) == []


# (where it is changed, what it is changed to, the faults)
CASES: list[tuple[str, Any, list[str]]] = [
    # texts and names
    ("enterprise", [], ["enterprise: is not a field here; did you mean 'enterprises'?"]),
    (
        "parks",
        {"code": "A"},
        ["parks: a list is expected, this is a mapping", f"{E}.park: 'XT-ETDZ' is no registered park"],
    ),
    (
        "parks[0]",
        "XT",
        ["parks[0]: a mapping is expected, this is 'XT'", f"{E}.park: 'XT-ETDZ' is no registered park"],
    ),
    (
        "parks[0].district",
        MISSING,
        ["parks[0].district: is missing: the district code that the park lies in"],
    ),
    (
        "parks[0].district",
        "4303",
        ["parks[0].district: '4303' is no district code of six digits such as \"430304\""],
    ),
    (f"{E}.uscc", MISSING, [f"{E}.uscc: is missing: every enterprise has one"]),
    (
        f"{E}.uscc",
        "91430302XT0000014L",
        [f"{E}.uscc: '91430302XT0000014L' has check digit 'L', expected 'K'"],
    ),
    (f"{E}.uscc", "9143030", [f"{E}.uscc: '9143030' has 7 characters, a USCC has 18"]),
    (
        f"{E}.uscc",
        "91430302XTO000014K",
        [
            f"{E}.uscc: '91430302XTO000014K' has 'O' at position 11; allowed are digits and A–Y without I O S V Z"
        ],
    ),
    (f"{E}.name_zh", ["a"], [f"{E}.name_zh: a text is expected, this is a list"]),
    (
        f"{E}.name_zh",
        True,
        [f"{E}.name_zh: a text is expected, this is the truth value true (quote it if it is a text)"],
    ),
    (f"{E}.name_en", "a\x07b", [f"{E}.name_en: 'a\\x07b' has control characters"]),
    (f"{E}.name_en", " ", [f"{E}.name_en: is empty"]),
    (f"{E}.name_en", "x" * 401, [f"{E}.name_en: has 401 characters, at most 400 are allowed"]),
    (f"{E}.industry", "stel", [f"{E}.industry: 'stel' is no industry; did you mean 'steel'?"]),
    (f"{E}.industry", MISSING, [f"{E}.industry: is missing: one of the 24 of the guidelines"]),
    (f"{E}.edition", "ndrc-2019", [f"{E}.edition: 'ndrc-2019' is no edition; did you mean 'ndrc-2015'?"]),
    (
        f"{E}.edition",
        "ndrc-2015",
        [f"{E}.edition: 'ndrc-2015' is no edition of steel, which has ndrc-2013, mee-2025, gbt-32151"],
    ),
    (
        f"{E}.edition",
        [{"code": "ndrc-2013"}, {"code": "mee-2024", "from": "2024-01-01"}],
        [f"{E}.edition[1].code: 'mee-2024' is no edition of steel, which has ndrc-2013, mee-2025, gbt-32151"],
    ),
    (
        f"{E}.grid",
        "county",
        [
            f"{E}.grid: 'county' is no grid: province, region, national or an area code such as CN-CC or 430000"
        ],
    ),
    (f"{E}.gb_t_4754", "C31200", [f"{E}.gb_t_4754: 'C31200' is no GB/T 4754 code such as \"3120\""]),
    (
        f"{E}.district",
        MISSING,
        [
            f"{E}.district: is missing: it places the enterprise in the aggregates and names the province of its grid factor"
        ],
    ),
    (
        f"{E}.district",
        [{"code": "430304"}, {"code": None, "from": "2024-01-01"}],
        [f'{E}.district[1].code: null is no district code of six digits such as "430304"'],
    ),
    (
        f"{E}.district",
        "43030",
        [f"{E}.district: '43030' is no district code of six digits such as \"430304\""],
    ),
    (f"{E}.park", "XT-ETDX", [f"{E}.park: 'XT-ETDX' is no registered park; did you mean 'XT-ETDZ'?"]),
    (
        f"{E}.park",
        [{"code": "XT-ETDZ"}, {"code": "N", "from": "2024-01-01"}],
        [f"{E}.park[1].code: 'N' is no registered park; known are XT-ETDZ"],
    ),
    (f"{E}.park", [{"code": "XT-ETDZ"}, "XT-ETDZ"], [f"{E}.park[1]: is given twice for all time"]),
    (
        f"{E}.park",
        {"code": "XT-ETDZ", "from": "2023-02-30"},
        [f"{E}.park.from: a local day such as 2023-01-01 is expected, this is '2023-02-30'"],
    ),
    (
        f"{E}.park",
        {"code": "XT-ETDZ", "since": "2023-02-01"},
        [f"{E}.park.since: is not a field here; known are code, park, value, from"],
    ),
    (f"{E}.park", {"from": "2023-02-01"}, [f"{E}.park.code: is missing: a park is expected"]),
    (
        f"{E}.park",
        {"code": "XT-ETDZ", "park": "XT-ETDZ"},
        [f"{E}.park.code: code and park mean the same; give one"],
    ),
    (
        f"{E}.flags",
        ["key", "three_high"],
        [f"{E}.flags[1]: 'three_high' is no flag; did you mean 'two_high'?"],
    ),
    (f"{E}.flags", ["key", "key"], [f"{E}.flags[1]: key is given twice"]),
    (
        f"{E}.flags",
        [{"flag": "ets", "from": "2024-01-01", "to": "2023-01-01"}],
        [f"{E}.flags[0].flag: ets ends on 2023-01-01, which is not after it begins on 2024-01-01"],
    ),
    (f"{E}.flags", [{"from": "2024-01-01"}], [f"{E}.flags[0].flag: is missing: one of key, two_high, ets"]),
    (
        f"{E}.colour",
        "green",
        [
            f"{E}.colour: is not a field here; known are uscc, name_zh, name_en, industry, edition, grid, gb_t_4754,"
            " district, park, flags, gateways, meters, derived, sources, products, checks"
        ],
    ),
    (f"{E}.meter", [], [f"{E}.meter: is not a field here; did you mean 'meters'?"]),
    # gateways and meters
    (
        f"{E}.gateways[0].zone",
        "+8",
        [f"{E}.gateways[0].zone: an offset such as \"+08:00\" is expected, this is '+8'"],
    ),
    (
        f"{E}.gateways[0].id",
        "gw 1",
        [f"{E}.gateways[0].id: 'gw 1' is no id of 1 to 64 letters, digits, '.', '_' or '-'"],
    ),
    (f"{E}.gateways[1].id", "gw1", [f"{E}.gateways[1]: 'gw1' is listed twice, first in {E}.gateways[0]"]),
    (f"{E}.gateways[1].id", MISSING, [f"{E}.gateways[1].id: is missing: every gateway has one"]),
    (f"{E}.meters[5]", {"id": "E-02"}, [f"{E}.meters[5]: 'E-02' is listed twice, first in {E}.meters[1]"]),
    (
        f"{E}.meters[5]",
        {"id": "x" * 65},
        [f"{E}.meters[5].id: {'x' * 65!r} is no id of 1 to 64 letters, digits, '.', '_' or '-'"],
    ),
    (
        f"{E}.meters[5]",
        {"id": "M/1", "channels": "none"},
        [
            f"{E}.meters[5].channels: a list is expected, this is 'none'",
            f"{E}.meters[5].id: 'M/1' is no id of 1 to 64 letters, digits, '.', '_' or '-'",
        ],
    ),
    # channels: each field
    (
        f"{CHANNEL}.quantity",
        "electricity",
        [f"{CHANNEL}.quantity: 'electricity' is no quantity; did you mean 'electricity_import'?"],
    ),
    (
        f"{CHANNEL}.kind",
        "counter",
        [f"{CHANNEL}.kind: 'counter' is no kind; known are register, delta, rate"],
    ),
    (f"{CHANNEL}.unit", "kwh", [f"{CHANNEL}.unit: 'kwh' is no unit; did you mean 'kWh'?"]),
    (
        f"{CHANNEL}.resolution",
        MISSING,
        [f"{CHANNEL}.resolution: is missing: the value of one count, on the dial"],
    ),
    (f"{CHANNEL}.resolution", "0", [f"{CHANNEL}.resolution: 0 must be above 0"]),
    (
        f"{CHANNEL}.resolution",
        "1/3",
        [f"{CHANNEL}.resolution: a decimal such as \"0.01\" is expected, this is '1/3'"],
    ),
    (
        f"{CHANNEL}.resolution",
        "0.000000000000000001",
        [
            f"{CHANNEL}.resolution: 0.000000000000000001 × the multiplier is finer than 10^-15 of the unit",
        ],
    ),
    (f"{CHANNEL}.multiplier", "-40", [f"{CHANNEL}.multiplier: -40 must be above 0"]),
    (
        f"{CHANNEL}.multiplier",
        ["40"],
        [f'{CHANNEL}.multiplier: a decimal such as "0.01" is expected, this is a list'],
    ),
    (f"{CHANNEL}.modulus", "0", [f"{CHANNEL}.modulus: 0 must be above 0"]),
    (f"{CHANNEL}.modulus", "1e30", [f"{CHANNEL}.modulus: 1e30 is more than 2^62 counts of 0.01"]),
    (
        f"{CHANNEL}.modulus",
        "1000000.005",
        [f"{CHANNEL}.modulus: 1000000.005 is no whole number of counts of 0.01"],
    ),
    (f"{CHANNEL}.modulus", "1" * 40, [f"{CHANNEL}.modulus: {'1' * 40} has more than 36 digits"]),
    (
        f"{CHANNEL}.max_rate",
        MISSING,
        [
            f"{CHANNEL}.max_rate: is missing: a register has a largest plausible rate, in its unit an hour after the multiplier"
        ],
    ),
    (
        f"{CHANNEL}.max_rate",
        "NaN",
        [f"{CHANNEL}.max_rate: a decimal such as \"0.01\" is expected, this is 'NaN'"],
    ),
    (f"{CHANNEL}.max_rate", "1e20", [f"{CHANNEL}.max_rate: 1e20 is more than 2^62 × 10^-2"]),
    (
        f"{CHANNEL}.max_gap",
        "2h",
        [f"{CHANNEL}.max_gap: an ISO 8601 duration such as PT15M is expected, this is '2h'"],
    ),
    (
        f"{CHANNEL}.max_gap",
        "P1M",
        [f"{CHANNEL}.max_gap: P1M has no fixed length; give days, hours or minutes"],
    ),
    (f"{CHANNEL}.period", "P13M", [f"{CHANNEL}.period: P13M is longer than a year"]),
    (f"{CHANNEL}.snap", "maybe", [f"{CHANNEL}.snap: true or false is expected, this is 'maybe'"]),
    (
        f"{CHANNEL}.valid_from",
        MISSING,
        [f"{CHANNEL}.valid_from: is missing: the moment from which the channel holds"],
    ),
    (
        f"{CHANNEL}.valid_from",
        "2023-01-01T00:00:00",
        [
            f"{CHANNEL}.valid_from: '2023-01-01T00:00:00' has no offset; write for instance '2023-01-01T00:00:00+08:00'"
        ],
    ),
    (
        f"{CHANNEL}.valid_from",
        "2023-01-01",
        [
            f"{CHANNEL}.valid_from: '2023-01-01' is no time such as 2023-01-01T00:00:00+08:00 between 1900 and 2200"
        ],
    ),
    (
        f"{CHANNEL}.valid_from",
        "2024-06-01T00:00:00+08:00",
        [
            f"{CHANNEL}.valid_from: overlaps the version of E-01/import_kwh from 2024-01-01T00:00:00+08:00, which has no end;"
            " give that a valid_to",
            f"{CHANNEL}.valid_to: 2024-01-01T00:00:00+08:00 is not after valid_from, 2024-06-01T00:00:00+08:00",
        ],
    ),
    (
        f"{CHANNEL}.valid_to",
        "2023-01-01T00:00:00+08:00",
        [f"{CHANNEL}.valid_to: 2023-01-01T00:00:00+08:00 is not after valid_from, 2023-01-01T00:00:00+08:00"],
    ),
    (
        f"{CHANNEL}.valid_to",
        "2024-01-01T00:00:00.000001+08:00",
        [
            f"{SECOND}.valid_from: overlaps the version of E-01/import_kwh from 2023-01-01T00:00:00+08:00 to"
            " 2024-01-01T00:00:00.000001+08:00"
        ],
    ),
    (
        f"{CHANNEL}.valid_to",
        None,
        [
            f"{CHANNEL}.closing: needs a valid_to: the moment at which it was read",
            f"{SECOND}.valid_from: overlaps the version of E-01/import_kwh from 2023-01-01T00:00:00+08:00, which has no end;"
            " give that a valid_to",
        ],
    ),
    (
        f"{SECOND}.valid_from",
        "2023-01-01T00:00:00+08:00",
        [f"{SECOND}: 'E-01 import_kwh 2022-12-31T16:00:00Z' is listed twice, first in {CHANNEL}"],
    ),
    (f"{CHANNEL}.closing", "1000000", [f"{CHANNEL}.closing: 1000000 is not below the modulus, 1000000"]),
    (f"{CHANNEL}.closing", "-1", [f"{CHANNEL}.closing: -1 must not be negative"]),
    (f"{DELTA}.opening", "5", [f"{DELTA}.opening: only a register has an opening value, this is a delta"]),
    (
        f"{DELTA}.period",
        MISSING,
        [f"{DELTA}.period: is missing: a delta has the period that a value covers, such as PT15M"],
    ),
    (f"{DELTA}.unit", "kW", [f"{DELTA}.unit: kW is a rate; a delta is in an amount such as kWh"]),
    (
        f"{DELTA}.unit",
        "t",
        [
            f"{DELTA}.unit: t doesn't fit electricity_import, which is in"
            " MWh, kWh, 10k_kwh, GJ, TJ, tce, kW, MW, GJ/h",
            f"{E}.sources[0].expression: E-02/import_kwh: t can't be converted to kWh: that needs a calorific value",
        ],
    ),
    (
        f"{SECOND}.unit",
        "MWh",
        [
            f"{CHANNEL}.unit: counts kWh here, MWh from 2024-01-01T00:00:00+08:00:"
            " a channel counts in one unit; scale with the multiplier"
        ],
    ),
    (
        f"{SECOND}.quantity",
        "electricity_export",
        [
            f"{CHANNEL}.quantity: electricity_import here, electricity_export from 2024-01-01T00:00:00+08:00:"
            " what a channel measures, and how, stays; give this another id"
        ],
    ),
    (
        f"{E}.meters[1].channels[1].unit",
        "MWh",
        [f"{E}.meters[1].channels[1].unit: MWh is an amount; a rate is in MW"],
    ),
    (
        f"{E}.meters[2].channels[1].kind",
        "register",
        [
            f"{E}.meters[2].channels[1].max_rate: is missing: a register has a largest plausible rate,"
            " in its unit an hour after the multiplier",
            f"{E}.meters[2].channels[1].unit: bar has means only, so its kind is rate",
        ],
    ),
    # derived channels
    (
        f"{E}.derived[0].id",
        "heat",
        [
            f"{E}.derived[0].id: 'heat' is no METER/CHANNEL",
            f"{E}.sources[2].expression: 'S-01/heat_gj' is no channel of this enterprise; did you mean 'S-01/steam_t'?",
        ],
    ),
    (
        f"{E}.derived[0].id",
        "S-01/bar",
        [
            f"{E}.derived[0].id: S-01/bar is a measured channel already",
            f"{E}.sources[2].expression: 'S-01/heat_gj' is no channel of this enterprise; did you mean 'S-01/steam_t'?",
        ],
    ),
    (
        f"{E}.derived[0].function",
        "heat",
        [
            f"{E}.derived[0].function: 'heat' is no function; known are steam_heat, hot_water_heat, gas_at_normal, product"
        ],
    ),
    (
        f"{E}.derived[0].inputs.mass",
        "S-01/bar",
        [f"{E}.derived[0].inputs.mass: S-01/bar is in bar; steam_heat takes a mass here"],
    ),
    (
        f"{E}.derived[0].inputs.mass",
        "S-01/kg",
        [
            f"{E}.derived[0].inputs.mass: 'S-01/kg' is no channel of this enterprise; did you mean 'S-01/degc'?"
        ],
    ),
    (
        f"{E}.derived[0].inputs.mass",
        "S-01/heat_gj",
        [f"{E}.derived[0].inputs.mass: S-01/heat_gj is itself derived; inputs are measured channels"],
    ),
    (
        f"{E}.derived[0].inputs.pressure",
        MISSING,
        [f"{E}.derived[0].inputs.pressure: is missing: steam_heat takes mass, pressure, temperature"],
    ),
    (
        f"{E}.derived[0].inputs.flow",
        "S-01/bar",
        [f"{E}.derived[0].inputs.flow: is no input of steam_heat, which takes mass, pressure, temperature"],
    ),
    (
        f"{E}.derived[0].inputs",
        [],
        [f"{E}.derived[0].inputs: a mapping of input names to channels is expected, this is a list"],
    ),
    (
        f"{E}.derived[0].inputs",
        {},
        [
            f"{E}.derived[0].inputs: a mapping of input names to channels is expected, this is an empty mapping"
        ],
    ),
    (
        f"{E}.derived[0].unit",
        "t",
        [
            f"{E}.derived[0].unit: t doesn't fit: steam_heat gives energy here, in MWh or kWh or 10k_kwh or GJ or TJ or tce"
        ],
    ),
    (
        f"{E}.derived[0].unit",
        "kW",
        [f"{E}.derived[0].unit: kW is no amount, which a derived channel has for each interval"],
    ),
    (
        f"{E}.derived[0]",
        {"id": "V/x", "function": "product", "unit": "t", "inputs": {"a": "G-01/gas_nm3", "b": "S-01/bar"}},
        [
            f"{E}.derived[0].inputs: are in nm3 and bar; product takes an amount, and one in percent or mg/m3",
            f"{E}.sources[2].expression: 'S-01/heat_gj' is no channel of this enterprise; did you mean 'S-01/steam_t'?",
        ],
    ),
    # sources, parameters, products
    (f"{E}.sources[0].id", MISSING, [f"{E}.sources[0].id: is missing: every source has one"]),
    (
        f"{E}.sources[0].method",
        MISSING,
        [f"{E}.sources[0].method: is missing: a source code of the industry's guideline"],
    ),
    (
        f"{E}.sources[0].expression",
        MISSING,
        [f"{E}.sources[0].expression: is missing: the channels that it is the sum of"],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh E-02/import_kwh",
        [f"{E}.sources[0].expression: character 17: '+' or '-' is expected before 'E-02/import_kwh'"],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh-E-02/import_kwh",
        [
            f"{E}.sources[0].expression: character 1: 'E-01/import_kwh-E-02/import_kwh' is no METER/CHANNEL;"
            " operators stand between spaces"
        ],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh + E-09/import_kwh",
        [
            f"{E}.sources[0].expression: 'E-09/import_kwh' is no channel of this enterprise; did you mean 'E-02/import_kwh'?"
        ],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh - E-01/import_kwh",
        [f"{E}.sources[0].expression: character 19: 'E-01/import_kwh' stands in the sum twice"],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh + G-01/gas_nm3",
        [
            f"{E}.sources[0].expression: G-01/gas_nm3: nm3 can't be converted to kWh: that needs a calorific value"
        ],
    ),
    (
        f"{E}.sources[0].expression",
        "E-01/import_kwh + S-01/heat_gj",
        [
            f"{E}.sources[0].expression: S-01/heat_gj: GJ is no finite decimal of kWh, the unit of the first part;"
            " let a part in GJ stand first"
        ],
    ),
    (
        f"{E}.sources[0].expression",
        "S-01/bar",
        [f"{E}.sources[0].expression: S-01/bar is in bar, which has means only and can't be summed"],
    ),
    (
        f"{E}.sources[0].substitution",
        "mean",
        [
            f"{E}.sources[0].substitution: 'mean' is no substitution rule; known are gap_mean_7d, coal_ncv_default,"
            " coal_carbon_default, fuel_table_default, electricity_highest_month"
        ],
    ),
    (
        f"{E}.sources[0].from",
        "2023-13-01",
        [f"{E}.sources[0].from: a local day such as 2023-01-01 is expected, this is '2023-13-01'"],
    ),
    (
        f"{E}.sources[3]",
        {"id": "grid", "method": "purchased_electricity", "expression": "E-01/import_kwh"},
        [f"{E}.sources[3]: 'grid' is listed twice, first in {E}.sources[0]"],
    ),
    (
        f"{E}.sources[3]",
        {"id": "coke", "parameters": [{"name": "ncv", "value": "28"}]},
        [f"{E}.sources[3].parameters[0]: belongs to 'coke', which has no method and expression yet"],
    ),
    (
        f"{E}.sources[2].expression",
        [{"expression": "S-01/heat_gj", "from": "2023-01-01"}],
        [
            f"{E}.sources[2].expression[0].expression: begins on 2023-01-01, before its source does on 2023-06-01"
        ],
    ),
    (
        f"{E}.sources[2].expression",
        [{"expression": "S-01/heat_gj"}, {"expression": "S-01/heat", "from": "2024-01-01"}],
        [
            f"{E}.sources[2].expression[1].expression: 'S-01/heat' is no channel of this enterprise; did you mean 'S-01/heat_gj'?"
        ],
    ),
    (
        f"{E}.sources[1].parameters[0].value",
        "-391.20",
        [f"{E}.sources[1].parameters[0].value: ncv (-391.20) must not be negative"],
    ),
    (
        f"{E}.sources[1].parameters[0].value",
        "0",
        [f"{E}.sources[1].parameters[0].value: ncv (0) must be above 0"],
    ),
    (
        f"{E}.sources[1].parameters[0].value",
        MISSING,
        [f"{E}.sources[1].parameters[0].value: is missing: a decimal"],
    ),
    (
        f"{E}.sources[1].parameters[1].value",
        "99",
        [f"{E}.sources[1].parameters[1].value: oxidation_rate (99) must be within 0 and 1"],
    ),
    (
        f"{E}.sources[1].parameters[0].from",
        "2023-01-01T00:00:00+08:00",
        [
            f"{E}.sources[1].parameters[0].from: a local day such as 2023-01-01 is expected, this is '2023-01-01T00:00:00+08:00'"
        ],
    ),
    (
        f"{E}.sources[1].parameters[2]",
        {"name": "ncv", "value": "390", "from": "2023-01-01"},
        [
            f"{E}.sources[1].parameters[2]: 'boiler ncv 2023-01-01' is listed twice, first in {E}.sources[1].parameters[0]"
        ],
    ),
    (
        f"{E}.products[0].unit",
        "kWh",
        [
            f"{E}.products[0].expression: P-01/steel_t: t can't be converted to kWh: that needs a calorific value"
        ],
    ),
    (
        f"{E}.products[0].unit",
        "t/h",
        [f"{E}.products[0].unit: t/h is no amount, such as t, in which a product is counted"],
    ),
]


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize(
    ("path", "value", "expected"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_fault_and_its_place(path: str, value: Any, expected: list[str]) -> None:
    found = faults(changed(path, value))
    assert [each.removesuffix("; known are XT-ETDZ") for each in found] == [
        each.removesuffix("; known are XT-ETDZ") for each in expected
    ]


def test_faults_of_form_hide_no_others() -> None:
    document = sample()
    enterprise = document["enterprises"][0]
    enterprise["uscc"] = "91430302XT0000014L"
    enterprise["meters"][0]["channels"][0]["unit"] = "kw"
    enterprise["meters"][0]["channels"][0]["max_rat"] = enterprise["meters"][0]["channels"][0].pop("max_rate")
    enterprise["meters"][4]["channels"][0].pop("period")
    enterprise["sources"][0]["expression"] = "E-01/import_kwh - E-03/import_kwh"
    enterprise["sources"][1]["parameters"][0]["value"] = "391,20"
    enterprise["products"][0]["unit"] = "tonnes"
    document["parks"][0]["district"] = "43030"
    assert [fault.split(": ")[0] for fault in faults(document)] == [
        "parks[0].district",
        f"{CHANNEL}.max_rat",
        f"{CHANNEL}.max_rate",
        f"{CHANNEL}.unit",
        f"{E}.meters[4].channels[0].period",
        f"{E}.products[0].unit",
        f"{E}.sources[0].expression",
        f"{E}.sources[1].parameters[0].value",
        f"{E}.uscc",
    ]


def test_an_enterprise_listed_twice() -> None:
    document = sample()
    document["enterprises"].append({"uscc": USCC.lower(), "name_en": "again"})
    assert faults(document) == [f"enterprises[1]: '{USCC}' is listed twice, first in {E}"]


def test_channels_of_another_enterprise_are_out_of_reach() -> None:
    document = sample()
    document["enterprises"].append(
        {
            "uscc": OTHER_USCC, "name_en": "other", "industry": "cement", "district": "430321",
            "meters": [{"id": "X-1", "channels": [channel(id="kwh")]}],
            "sources": [
                {"id": "grid", "method": "purchased_electricity", "expression": "X-1/kwh + E-01/import_kwh"}
            ],
        }
    )  # fmt: skip
    assert faults(document) == [
        "enterprises[1].sources[0].expression: 'E-01/import_kwh' is no channel of this enterprise; known are X-1/kwh"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["the document is null; a mapping with parks and enterprises is expected"]),
        ("- a", ["the document is a list; a mapping with parks and enterprises is expected"]),
        ("parks: [", ["line 2, column 1: can't be read: while parsing a flow node, did not find expected node content"]),
        ('{"parks": [1,]}', ["parks[0]: a mapping is expected, this is '1'"]),  # YAML allows that comma
        ('{"parks": }}', ["line 1, column 11: can't be read: Expecting value"]),
        ("parks: []\nparks: []", ["parks: is given twice (again in line 2)"]),
        ('{"parks": [], "parks": []}', ["parks: is given twice"]),
        ("parks:\n- {code: a, code: b}", ["parks[0].code: is given twice (again in line 2)", "parks[0].district: is missing: the district code that the park lies in", "parks[0].name_zh: is missing: name_zh, name_en or both are given"]),
        ("a: &x [*x]", ["line 1: the alias *x stands before its anchor, or within it"]),
        ("a: *nowhere", ["line 1: the alias *nowhere stands before its anchor, or within it"]),
        ("a: !!python/object/apply:os.system [x]", [
            "line 1: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read; write the value alone"]),
        ("parks:\n- <<: {code: a}", ["line 2: merge keys (<<) are not read; write the fields out"]),
        ("? [a]\n: b", ["line 1: a key must be a text"]),
        ("parks: []\n---\nparks: []", ["line 2: a second document begins; a file holds one"]),
        ("[" * 100_000, ["is nested deeper than 24 levels"]),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, None),
        ('{"parks": NaN}', ["parks: a list is expected, this is NaN, which is no value of JSON"]),
        (b"parks: \xff", ["line 1: is not UTF-8: invalid start byte"]),
        ("parks: \x01", None),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_read(text: str | bytes, expected: list[str] | None) -> None:
    found = faults(text)
    assert found
    assert expected is None or found == expected


def test_aliases_that_multiply_are_stopped_before_they_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]" for i in range(12)]
    assert faults("\n".join(lines)) == [
        "line 7: there are more than 8000000 values, aliases counted as often as used"
    ]
