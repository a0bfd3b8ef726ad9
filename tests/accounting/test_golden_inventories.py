"""Inventories worked out by hand or printed by others, and documents that are refused, in tests/golden/inventory.

`input.json` is an inventory document; `expected.json` has the steps of each activity as plain arithmetic, with what
they come to; `errors.json` the places of all faults, with what their messages have to name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_library
from accounting.inventory.answer import inventory_answer
from accounting.methods.method import Role
from domain.errors import FaultyDocument
from tests.independent import inventory as by_hand

ROOT = Path(__file__).parent.parent / "golden" / "inventory"
CASES = sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*/expected.json"))
REFUSED = sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*/errors.json"))


@pytest.fixture(scope="module")
def library() -> FactorLibrary:
    return load_library()


def read(case: str, name: str) -> Any:
    return json.loads((ROOT / case / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_an_inventory_is_what_it_comes_to_by_hand(case: str, library: FactorLibrary) -> None:
    document, expected = read(case, "input.json"), read(case, "expected.json")
    lines = by_hand.lines(expected)
    answer = inventory_answer(document, library)
    assert len(answer["activities"]) == len(document["activities"]) == len(lines)
    for activity, line, stated in zip(answer["activities"], lines, expected["activities"], strict=True):
        assert activity["source"] == line.source
        assert activity["tco2e"] == stated["tco2e"] == by_hand.decimal(line.tco2e())
        assert activity["gas"] == "+".join(line.steps)
        assert activity["by_gas"] == {gas: by_hand.decimal(value) for gas, value in line.by_gas().items()}
        assert (activity["scope"], activity["deduction"]) == (line.scope, line.deduction)
        assert ("ets" in activity["boundaries"]) == line.ets
        assert all(factor["value"] and factor["unit"] and factor["origin"] for factor in activity["factors"])
    assert answer["totals"] == expected["totals"] == by_hand.totals(lines)
    for published in expected.get("published", ()):
        told, printed = answer["activities"][published["activity"]][published["of"]], published["value"]
        if "within" in published:
            assert abs(Fraction(told) - Fraction(printed)) <= Fraction(published["within"])
        else:
            assert str(Decimal(told).quantize(Decimal(printed), ROUND_HALF_UP)) == printed


@pytest.mark.parametrize("case", CASES)
def test_the_reported_figures_round_half_up(case: str, library: FactorLibrary) -> None:
    """Whole tonnes in the national market, two decimals elsewhere (data_quality, section 8)."""
    answer = inventory_answer(read(case, "input.json"), library)
    places = Decimal(1) if answer["edition"].startswith("mee-") else Decimal("0.01")
    exact = sum((line.tco2e() for line in by_hand.lines(read(case, "expected.json"))), Fraction(0))
    reported = Fraction(answer["reported"]["account_tco2e"])
    assert abs(reported - exact) <= Fraction(places) / 2
    assert str(Decimal(answer["reported"]["account_tco2e"])) == answer["reported"]["account_tco2e"]
    assert Decimal(answer["reported"]["account_tco2e"]).as_tuple().exponent == places.as_tuple().exponent


@pytest.mark.parametrize("case", REFUSED)
def test_a_faulty_document_is_refused_with_every_fault_by_its_place(
    case: str, library: FactorLibrary
) -> None:
    with pytest.raises(FaultyDocument) as caught:
        inventory_answer(read(case, "input.json"), library)
    found: dict[str, str] = defaultdict(str)
    for fault in caught.value.faults:
        found[fault.place] += fault.message
    expected = {error["place"]: error["says"] for error in read(case, "errors.json")}
    assert found.keys() == expected.keys(), caught.value
    for place, says in expected.items():
        assert all(word in found[place] for word in says), found[place]


def test_every_source_of_every_guideline_has_an_example(library: FactorLibrary) -> None:
    used = defaultdict(set)
    for case in CASES:
        document = read(case, "input.json")
        used[document["industry"], document["edition"]] |= {each["source"] for each in document["activities"]}
    methods = library.methods
    for (industry, edition), sources in methods.by_edition.items():
        if methods.editions[edition].role is not Role.STANDARD:
            assert set(sources) == used[industry, edition], (industry, edition)
    assert {industry for industry, _ in used} == set(methods.industries)
    assert len({edition for _, edition in used}) == 9


def test_each_industry_has_two_examples_and_the_published_ones_say_where() -> None:
    count: dict[str, int] = defaultdict(int)
    published = 0
    for case in CASES:
        count[case.partition("/")[0]] += 1
        expected = read(case, "expected.json")
        assert expected["origin"]
        if "published" in expected:
            published += 1
            assert "http" in expected["origin"]
    assert len(count) == 24
    assert min(count.values()) >= 2
    assert published >= 15


@pytest.mark.parametrize("case", ["steel/integrated_works", "oil_gas/production", "food/brewery"])
def test_the_order_of_activities_changes_no_total(case: str, library: FactorLibrary) -> None:
    document = read(case, "input.json")
    straight = inventory_answer(document, library)
    backwards = inventory_answer({**document, "activities": document["activities"][::-1]}, library)
    assert backwards["totals"] == straight["totals"]
    assert backwards["activities"] == straight["activities"][::-1]
