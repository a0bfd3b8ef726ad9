"""What holds for every inventory: any source of any edition, any document, any way of splitting an amount."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from accounting.factors.load import load
from accounting.inventory.answer import inventory_answer, tonnes
from accounting.inventory.compute import compute
from accounting.inventory.document import from_values, read
from accounting.methods.method import Method, Place
from domain.errors import Fault, FaultyDocument
from domain.unit import UNITS

LIBRARY = load()
METHODS = [each for listed in LIBRARY.methods.by_edition.values() for each in listed.values()]
# Values that a source takes beside the amount, where 0.4 will not do.
VALUES = {"co2_percent": "100", "carbon_after": "0.1", "cod_out": "0.1", "co2_fraction_out": "0.01"}


ZERO = ("gas_transport_fugitive", "pigging_station")  # the guideline has a factor of 0 for it


def sound(method: Method, amount: str = "12.5") -> dict[str, Any]:
    """An activity of a method that has all it needs."""
    given: dict[str, str] = {}
    for spec in method.parameters.values():
        if spec.place is Place.REQUIRED:
            given[spec.name] = VALUES.get(spec.name, "0.4")
    activity: dict[str, Any] = {
        "source": method.code,
        "amount": amount,
        "unit": method.units[0],
        "parameters": given,
    }
    industry, edition = method.industry, method.edition
    places = {spec.place for spec in method.parameters.values()}
    rows = [
        key[3] for key in LIBRARY.tables.process
        if key[:3] == (method.table_edition, industry, method.code) and key[3] and key[3] not in method.other_group
    ]  # fmt: skip
    if method.kind == "etching_byproduct":
        activity["material"] = "NF3>CF4"
    elif Place.FUEL in places and method.kind != "feedstock":
        fuels = [*method.fuels, "natural_gas", "diesel"]
        activity["fuel"] = "diesel" if not method.fuels else fuels[0]
    elif method.gases[0] == "material":
        activity["material"] = "SF6"
    elif rows and not method.default_materials:
        material = "pigging_station" if "pigging_station" in rows else rows[0]
        activity["material"] = material
        table = LIBRARY.tables.process
        for spec in method.parameters.values():
            known = (method.table_edition, industry, method.code, material, spec.name) in table
            shared = (method.table_edition, industry, method.code, "", spec.name) in table
            whole = (method.table_edition, industry, "", "", spec.name) in table
            if spec.place is Place.TABLE and not (known or shared or whole):
                given[spec.name] = "0.4"
    assert (industry, edition) in LIBRARY.methods.by_edition
    return activity


def document(method: Method, *activities: dict[str, Any], **fields: Any) -> dict[str, Any]:
    period = {"from": "2023-01-01", "to": "2024-01-01"}
    return {
        "industry": method.industry,
        "edition": method.edition,
        "period": period,
        "activities": list(activities),
        **fields,
    }


@pytest.mark.parametrize("method", METHODS, ids=lambda each: f"{each.industry} {each.edition} {each.code}")
def test_every_source_of_every_edition_is_computed(method: Method) -> None:
    found = inventory_answer(document(method, sound(method), uncertainty=True), LIBRARY)
    (activity,) = found["activities"]
    assert Fraction(activity["tco2e"]) == Fraction(found["totals"]["account_tco2e"])
    if "account" in method.boundaries and "0" not in {each["value"] for each in activity["factors"]}:
        assert Fraction(activity["tco2e"]) * (-1 if method.deduction else 1) > 0
    assert Fraction(activity["tco2e"]) or (method.code, activity["material"]) == ZERO
    assert activity["scope"] == method.scope
    assert activity["factors"] or method.kind in ("pure_co2",)
    for each in activity["factors"]:
        assert each["origin"] == "given" or each["reference"], each
    assert Fraction(found["totals"]["uncertainty"] or 0) >= 0
    json.dumps(found)


def test_these_are_all_sources_of_all_24_industries_and_their_editions() -> None:
    counted = {(each.industry, each.edition) for each in METHODS}
    assert counted == set(LIBRARY.methods.by_edition)
    assert {industry for industry, _ in counted} == set(LIBRARY.methods.industries)
    assert (len(LIBRARY.methods.industries), len(counted)) == (24, 46)
    assert all(LIBRARY.methods.by_edition.values())


@given(st.sampled_from(METHODS), st.lists(st.integers(0, 10**9), min_size=1, max_size=4))
def test_an_amount_may_be_split_over_activities(method: Method, parts: list[int]) -> None:
    """Exactly, where all goes with the amount; what is absolute is told once."""
    whole = compute(from_values(document(method, sound(method, str(sum(parts))))), LIBRARY)
    split = [sound(method, str(part)) for part in parts]
    total = compute(from_values(document(method, *split)), LIBRARY).total()
    offset = whole.activities[0].found.sign * sum(
        (part.offset_tco2e for part in whole.activities[0].found.linear.parts), Fraction(0)
    )
    assert total == whole.total() + (len(parts) - 1) * offset


@given(
    st.sampled_from(METHODS),
    st.lists(st.sampled_from(METHODS), max_size=5),
    st.randoms(use_true_random=False),
)
def test_totals_are_the_exact_sums_of_their_entries_in_any_order(
    first: Method, others: list[Method], random: Any
) -> None:
    of = [
        first,
        *(each for each in others if (each.industry, each.edition) == (first.industry, first.edition)),
    ]
    activities = [sound(each) for each in of]
    inventory = compute(from_values(document(first, *activities)), LIBRARY)
    assert inventory.total() == sum((each.tco2e for each in inventory.activities), Fraction(0))
    assert inventory.total() == sum(inventory.by_gas().values(), Fraction(0))
    assert inventory.total() == sum(inventory.by_scope().values(), Fraction(0))
    shuffled = list(activities)
    random.shuffle(shuffled)
    found, again = (inventory_answer(document(first, *each), LIBRARY) for each in (activities, shuffled))
    assert found["totals"] == again["totals"]
    assert found["totals"]["account_tco2e"] == tonnes(inventory.total())


def faults_of(value: dict[str, Any]) -> list[Fault]:
    try:
        inventory_answer(json.dumps(value), LIBRARY)
    except FaultyDocument as error:
        return list(error.faults)
    return []


@pytest.mark.parametrize(
    "change",
    [
        {"material": "no_such_thing"},
        {"material": "a>b>c"},  # can't be read
        {"fuel": "no_such_thing"},
        {"fuel": "not an id"},
        {"fuel": None, "material": None},
        {"unit": "parsec"},
        {"fuel": "natural_gas", "material": "SF6", "unit": "t"},
        {"parameters": {}},
    ],
    ids=lambda change: ",".join(change),
)
def test_one_cause_is_one_fault_for_any_source(change: dict[str, Any]) -> None:
    """No place has two, and nothing is called missing for a fuel or material that is wrong itself."""
    for method in METHODS:
        for other in method.other_group[:1]:
            found = faults_of(document(method, {**sound(method), "material": other}))
            assert [each.place for each in found] == ["activities[0].material"], found
        found = faults_of(document(method, {**sound(method), **change}))
        places = [each.place for each in found]
        assert len(set(places)) == len(places), found
        if (
            change.get("material") == "a>b>c"
            or change.get("fuel") == "not an id"
            or "parsec" in change.values()
        ):
            assert len(found) == 1, found


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "1", "-1", "0.5", "1e3", "x", "t", "kg", "MWh", "SF6", "NF3>CF4", "diesel", "caco3"]),
    st.text(max_size=8),
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A sound document in which some fields are others."""
    method = draw(st.sampled_from(METHODS))
    activity = sound(method)
    for name in draw(st.lists(st.sampled_from([*activity, "fuel", "material", "uncertainty"]), max_size=3)):
        activity[name] = draw(JSON)
    if isinstance(activity.get("parameters"), dict):
        for name in draw(st.lists(st.sampled_from([*method.parameters, "other"]), max_size=4)):
            activity["parameters"][name] = draw(SCALARS)
    if draw(st.booleans()):
        activity["unit"] = draw(st.sampled_from([*UNITS]))
    result = document(method, activity, uncertainty=draw(st.booleans()))
    for name in draw(st.lists(st.sampled_from([*result, "district", "grid", "other"]), max_size=1)):
        result[name] = draw(JSON)
    return result


@given(spoilt())
@settings(max_examples=400)
def test_a_document_is_answered_or_refused_with_places(value: dict[str, Any]) -> None:
    faults: list[Fault] = []
    try:
        found = inventory_answer(json.dumps(value), LIBRARY)
    except FaultyDocument as error:
        faults = error.faults
    else:
        json.dumps(found)
        assert len(found["activities"]) == len(value["activities"])
        return
    assert faults
    assert len(set(faults)) == len(faults)
    for fault in faults:
        assert fault.message
        assert fault.place.split(".")[0].split("[")[0] in {"", "other", *value}, fault


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_a_text_is_a_document_or_refused(text: bytes | str) -> None:
    try:
        read(text)
    except FaultyDocument as error:
        refused = str(error)
    else:
        return
    assert refused
