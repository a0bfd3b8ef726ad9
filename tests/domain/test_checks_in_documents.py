"""Checks between channels, calibrations and bands in a document: what they mean, and their faults."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from domain.document import document_of
from domain.interval import Calendar
from domain.registry import Band, Calibration, Check, Enterprise, Term
from domain.registry_items import Ids, enterprise
from domain.validation import CheckRule
from tests.domain.documents import USCC, Items, faults, imported, planned, sample

E = "enterprises[0]"
FEEDERS = {
    "id": "feeders",
    "rule": "main_against_subs",
    "main": "E-01/import_kwh",
    "subs": "E-02/import_kwh",
    "tolerance": "0.03",
}
NO_GAS = {
    "id": "furnace",
    "rule": "no_consumption",
    "product": "crude_steel",
    "consumption": "G-01/gas_nm3",
    "shortest": "PT1H",
}


def with_checks(*checks: dict[str, Any]) -> dict[str, Any]:
    document = sample()
    document["enterprises"][0]["checks"] = list(checks)
    return document


def exported(items: Items) -> dict[str, Any]:
    parks = {item: spec for item, spec in items.items() if item.kind == "park"}
    return document_of(parks, {item: spec for item, spec in items.items() if item.kind != "park"})


def model(items: Items) -> Enterprise:
    mine = [(item, spec) for item, spec in items.items() if item.uscc == USCC]
    points = {
        (item.key[0], item.key[1]): number
        for number, (item, _) in enumerate(mine)
        if item.kind in ("channel", "derived")
    }
    sources = {item.key[0]: number for number, (item, _) in enumerate(mine) if item.kind == "source"}
    return enterprise(USCC, mine, Ids(1, points, sources))


def test_checks_become_values_and_go_out_as_they_came() -> None:
    items = imported(with_checks(FEEDERS, NO_GAS, {"id": "still", "rule": "frozen_value", "active": False}))
    assert model(items).checks == {
        "feeders": Check(
            "feeders",
            CheckRule.MAIN_AGAINST_SUBS,
            main=(Term(1, "E-01/import_kwh"),),
            subs=(Term(1, "E-02/import_kwh"),),
            tolerance=Fraction(3, 100),
        ),
        "furnace": Check(
            "furnace",
            CheckRule.NO_CONSUMPTION,
            consumption=(Term(1, "G-01/gas_nm3"),),
            product="crude_steel",
            shortest_us=3_600_000_000,
        ),
        "still": Check("still", CheckRule.FROZEN_VALUE, active=False),
    }
    assert exported(items)["enterprises"][0]["checks"][0] == FEEDERS
    assert planned(exported(items), items).changes == ()


def test_calibrations_merge_by_their_days() -> None:
    document = sample()
    meter = document["enterprises"][0]["meters"][0]
    meter["calibrations"] = [{"from": "2023-01-10", "until": "2025-01-09", "reference": "CNAS 7"}]
    items = imported(document)
    later = {
        "enterprises": [{"uscc": USCC, "meters": [{"id": "E-01", "calibrations": [{"from": "2025-02-01"}]}]}]
    }
    plan = planned(later, items)
    items = {**items, **{change.item: change.after for change in plan.changes}}
    day = Calendar().day_of
    assert model(items).calibrations == {
        "E-01": (
            Calibration(day(date(2023, 1, 10)), day(date(2025, 1, 9)), "CNAS 7"),
            Calibration(day(date(2025, 2, 1)), None),
        )
    }


def test_a_band_belongs_to_the_product() -> None:
    document = sample()
    document["enterprises"][0]["products"][0]["band"] = {"low": "1500", "high": "2200.5"}
    (version,) = model(imported(document)).products["crude_steel"].versions
    assert version.value.band == Band(Fraction(1500), Fraction(4401, 2), "month")
    assert planned(exported(imported(document)), imported(document)).changes == ()


def _check(**fields: Any) -> dict[str, Any]:
    return with_checks({"id": "c", **fields})


C = f"{E}.checks[0]"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (_check(), [f"{C}.rule: is missing: the code of a check between channels"]),
        (_check(rule="frozen"), [f"{C}.rule: 'frozen' is no rule; did you mean 'frozen_value'?"]),
        (
            _check(rule="main_against_subs", main="E-01/import_kwh"),
            [f"{C}.subs: is missing: main_against_subs has the sum of the meters below it"],
        ),
        (
            _check(rule="main_against_subs", main="E-01/import_kwh", subs="G-01/gas_nm3"),
            [f"{C}.subs: G-01/gas_nm3: nm3 can't be converted to kWh: that needs a calorific value"],
        ),
        (
            _check(rule="main_against_subs", main="E-01/import_kwh", subs="E-02/import_kwh", tolerance="1"),
            [f"{C}.tolerance: 1 must be below 1: it is a share"],
        ),
        (
            _check(rule="frozen_value", tolerance="0.1"),
            [f"{C}.tolerance: is no field of a check of frozen_value, which has channel, shortest, active"],
        ),
        (
            _check(rule="frozen_value", shortest="PT49H"),
            [f"{C}.shortest: PT49H must be whole quarter-hours, at most two days"],
        ),
        (
            _check(rule="frozen_value", channel="E-01/import_kw"),
            [
                f"{C}.channel: 'E-01/import_kw' is no channel of this enterprise; did you mean 'E-01/import_kwh'?"
            ],
        ),
        (
            _check(rule="no_consumption", product="steel", consumption="G-01/gas_nm3"),
            [f"{C}.product: 'steel' is no product of this enterprise; did you mean 'crude_steel'?"],
        ),
        (_check(rule="out_of_calibration", colour="red"), [f"{C}.colour: is not a field here"]),
    ],
)
def test_faults_of_checks(document: dict[str, Any], expected: list[str]) -> None:
    found = [fault.split("; known are")[0] for fault in faults(document)]
    assert found == expected


@pytest.mark.parametrize(
    ("calibrations", "expected"),
    [
        (["2023"], "[0]: a mapping with from and until is expected, this is '2023'"),
        ([{"until": "2024-01-01"}], "[0].from: is missing: the day of the calibration"),
        (
            [{"from": "2024-01-02", "until": "2024-01-01"}],
            "[0].until: 2024-01-01 is before the calibration on 2024-01-02",
        ),
        ([{"from": "2024-01-02"}, {"from": "2024-01-02"}], "[1]: is given twice for 2024-01-02"),
    ],
)
def test_faults_of_calibrations(calibrations: list[Any], expected: str) -> None:
    document = sample()
    document["enterprises"][0]["meters"][0]["calibrations"] = calibrations
    assert faults(document) == [f"{E}.meters[0].calibrations{expected}"]


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ("1500", ": a mapping with low and high is expected, this is '1500'"),
        ({"over": "day"}, ": is missing low and high: kg CO2e per unit, one of them or both"),
        ({"low": "2", "high": "1"}, ".high: 1 is below low, 2"),
        ({"low": "2", "over": "year"}, ".over: 'year' is no period of a band; known are day, month"),
    ],
)
def test_faults_of_bands(band: Any, expected: str) -> None:
    document = sample()
    document["enterprises"][0]["products"][0]["band"] = band
    assert faults(document) == [f"{E}.products[0].band{expected}"]
