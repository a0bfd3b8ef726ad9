"""Uncertainty by error propagation: products, sums, figures that are shared, defaults, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from accounting import uncertainty as of
from accounting.factors.load import load
from accounting.factors.value import Origin
from accounting.inventory.answer import inventory_answer
from domain.errors import FaultyDocument

LIBRARY = load()


def answer(*activities: Any, industry: str = "steel", asked: bool = True, **fields: Any) -> dict[str, Any]:
    period = {"from": "2023-01-01", "to": "2024-01-01"}
    document = {"industry": industry, "period": period, "activities": list(activities), "uncertainty": asked}
    return inventory_answer({**document, **fields}, LIBRARY)


def heat(amount: str, factor: str, *percents: str, source: str = "purchased_heat") -> dict[str, Any]:
    """percents: of the amount, and of the factor."""
    return {
        "source": source, "amount": amount, "unit": "GJ", "parameters": {"emission_factor": factor},
        "uncertainty": dict(zip(("amount", "emission_factor"), percents, strict=False)),
    }  # fmt: skip


def test_a_product_is_the_root_of_the_squares() -> None:
    (activity,) = answer(heat("100", "0.1", "3", "4"))["activities"]
    assert activity["uncertainty"] == "5.0000"
    assert [(each["name"], each["percent"], each["origin"]) for each in activity["uncertainty_inputs"]] == [
        ("amount", "3", "given"), ("emission_factor", "4", "given"),
    ]  # fmt: skip


def test_a_sum_is_weighted_by_tonnes() -> None:
    # 10 t ± 30 % and 40 t ± 10 %: √(3² + 4²) of 50 t
    found = answer(heat("100", "0.1", "30", "0"), heat("400", "0.1", "10", "0"))
    assert found["totals"]["uncertainty"] == "10.0000"


def test_activities_that_share_a_figure_add_up_before_the_root() -> None:
    electricity = {
        "source": "purchased_electricity",
        "unit": "MWh",
        "uncertainty": {"amount": "0", "emission_factor": "5"},
    }
    shared = answer({**electricity, "amount": "100"}, {**electricity, "amount": "300"}, grid="national")
    assert shared["totals"]["uncertainty"] == "5.0000"
    own = [
        {**electricity, "amount": amount, "parameters": {"emission_factor": "0.5"}}
        for amount in ("100", "300")
    ]
    # (√(100² + 300²) ÷ 400) × 5 %
    assert answer(*own)["totals"]["uncertainty"] == "3.9528"
    certificate = {"value": "0.5", "origin": "contract", "reference": "certificate 7"}
    same = [{**each, "parameters": {"emission_factor": certificate}} for each in own]
    assert answer(*same)["totals"]["uncertainty"] == "5.0000"


def test_what_is_sold_takes_its_share_of_a_common_factor_off() -> None:
    electricity = {"unit": "MWh", "uncertainty": {"amount": "0", "emission_factor": "5"}}
    bought = {**electricity, "source": "purchased_electricity", "amount": "400"}
    sold = {**electricity, "source": "exported_electricity", "amount": "300"}
    assert answer(bought, sold, grid="national")["totals"]["uncertainty"] == "5.0000"


def test_an_offset_counts_for_what_it_is() -> None:
    # (100 − 60) kg: 100 ± 2 % and 60 ± 5 % give √(2² + 3²) of 40
    repair = {"source": "sf6_repair", "amount": "100", "unit": "kg", "parameters": {"recovered": "60"},
              "uncertainty": {"amount": "2", "recovered": "5"}}  # fmt: skip
    (activity,) = answer(repair, industry="power_grid")["activities"]
    assert activity["uncertainty"] == str((Decimal(13).sqrt() / 40 * 100).quantize(Decimal("0.0001")))


def test_an_input_that_isnt_a_factor_has_the_effect_that_it_has() -> None:
    # 0.42 × (1 − 0.02 − 0.004): a tenth of the sulphur is 0.002 of 0.976
    anode = {"source": "anode_consumption", "amount": "1", "unit": "t",
             "uncertainty": {"amount": "0", "net_anode_consumption": "0", "ash": "0", "sulfur": "10"}}  # fmt: skip
    (activity,) = answer(anode, industry="aluminium")["activities"]
    assert activity["uncertainty"] == "0.2049"


def test_boundaries_have_each_their_own() -> None:
    electrodes = {
        "source": "electrode_consumption", "parameters": {"emission_factor": "0.44"}, "amount": "1", "unit": "t",
        "uncertainty": {"amount": "3", "emission_factor": "4"},
    }  # fmt: skip
    found = answer(electrodes, heat("4", "0.11", "0", "0"))["totals"]
    assert (found["uncertainty"], found["ets_uncertainty"]) == ("2.5000", "5.0000")
    assert answer(heat("1", "0.1"))["totals"]["ets_uncertainty"] is None


def test_a_total_of_zero_has_none() -> None:
    found = answer(heat("1", "0.1"), heat("1", "0.1", source="exported_heat"))
    assert found["totals"]["uncertainty"] is None
    assert answer(heat("0", "0.1"))["activities"][0]["uncertainty"] is None


def test_defaults_go_by_where_an_input_is_from() -> None:
    def percents(**parameters: str) -> dict[str, str]:
        coal = {
            "source": "fuel_combustion",
            "fuel": "bituminous_coal",
            "amount": "1",
            "unit": "t",
            "parameters": parameters,
        }
        (activity,) = answer(coal)["activities"]
        return {each["name"]: each["percent"] for each in activity["uncertainty_inputs"]}

    assert percents() == {"amount": "2", "ncv": "15", "carbon_content": "7", "oxidation_rate": "5"}
    assert percents(ncv="20")["ncv"] == "2"
    assert of.default_of("emission_factor", "tCO2/MWh", "older", "").percent == 10
    assert of.default_of("carbon_content", "tC/GJ", "default", "gas").confidence == "H"
    carbonate = {"source": "carbonate_use", "material": "caco3", "amount": "1", "unit": "t"}
    (activity,) = answer(carbonate, industry="food")["activities"]
    assert {each["name"]: each["percent"] for each in activity["uncertainty_inputs"]} == {
        "amount": "2", "emission_factor": "5", "purity": "5", "conversion": "2",
    }  # fmt: skip


def test_it_is_there_only_where_it_is_asked_for() -> None:
    found = answer(heat("1", "0.1", "3"), asked=False)
    assert "uncertainty" not in found["totals"]
    assert "uncertainty" not in found["activities"][0]
    assert {"place": "activities[0].uncertainty",
            "message": "is given and not used: the document doesn't ask for it"} in found["warnings"]  # fmt: skip


def test_beyond_what_approach_1_is_for_it_says_so() -> None:
    mine = {"source": "opencast_ch4", "amount": "1", "unit": "t"}
    places = [
        each["place"] for each in answer(mine, industry="coal")["warnings"] if "approach 1" in each["message"]
    ]
    assert places == ["activities[0]", ""]


@pytest.mark.parametrize(
    ("uncertainty", "place", "message"),
    [
        ({"ncv": "1"}, "ncv", "is no input of purchased_heat; known are amount, emission_factor"),
        ({"amount": "-1"}, "amount", "-1 must not be negative"),
        ({"amount": "5 %"}, "amount", "this is '5 %'"),
    ],
)
def test_what_is_refused(uncertainty: dict[str, str], place: str, message: str) -> None:
    with pytest.raises(FaultyDocument) as caught:
        answer({**heat("1", "0.1"), "uncertainty": uncertainty})
    (fault,) = caught.value.faults
    assert fault.place == f"activities[0].uncertainty.{place}"
    assert message in fault.message


def test_every_input_of_every_method_has_a_default_with_its_source() -> None:
    for methods in LIBRARY.methods.by_edition.values():
        for method in methods.values():
            for spec in method.parameters.values():
                for unit in spec.units:
                    for basis in of.BASES:
                        found = of.default_of(spec.name, unit, basis, "")
                        assert found.source
                        assert found.percent >= 0
    assert of.default_of("amount", "t", "given", "coal").percent == 2
    assert set(of._BASIS) == set(Origin) - {Origin.GIVEN}


def test_every_row_of_the_table_is_of_an_input_and_can_be_met() -> None:
    methods = [each for listed in LIBRARY.methods.by_edition.values() for each in listed.values()]
    named = {
        (spec.name, unit) for method in methods for spec in method.parameters.values() for unit in spec.units
    }
    named |= {("amount", unit) for method in methods for unit in method.units}
    classes = {"", *LIBRARY.tables.fuel_classes.values()}
    assert of.defaults()
    for name, unit, _, fuel_class in of.defaults():
        assert name == "*" or any(name == each and unit in ("", of_unit) for each, of_unit in named), (
            name,
            unit,
        )
        assert fuel_class in classes


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5),
)
def test_a_sum_is_never_less_certain_than_its_parts_together(parts: list[tuple[int, int, int]]) -> None:
    """Between the root of the squares, where all is independent, and the plain sum, where all goes together."""
    found = answer(*(heat(str(amount), "0.1", str(first), str(second)) for amount, first, second in parts))
    tonnes = [Fraction(amount, 10) for amount, _, _ in parts]
    most = sum(
        (each * (first + second) for each, (_, first, second) in zip(tonnes, parts, strict=True)), Fraction(0)
    ) / sum(tonnes)
    assert 0 <= Fraction(found["totals"]["uncertainty"]) <= most + Fraction(1, 10_000)


def test_a_faulty_table_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "uncertainty.csv"
    path.write_text(
        "input,unit,basis,fuel_class,percent,source,confidence,note\n"
        "ncv,,default,,-1,table,M,\nncv,,default,,5,,X,\nncv,,guessed,,x,table,M,\n",
        encoding="utf-8",
    )
    with pytest.raises(FaultyDocument) as caught:
        of.read_defaults(path)
    assert [str(each) for each in caught.value.faults] == [
        "uncertainty.csv row 2: percent (-1) must not be negative",
        "uncertainty.csv row 3: ncv  default  is given twice",
        "uncertainty.csv row 3: source is empty",
        "uncertainty.csv row 3: confidence 'X' is unknown; H, L, M",
        "uncertainty.csv row 4: basis 'guessed' is unknown; default, given, older, plain, published",
        "uncertainty.csv row 4: percent 'x' is not a plain decimal",
        "uncertainty.csv: has no row of any default: input *, basis default",
    ]
