"""Schemes and the table of benchmarks: what is refused, with its place."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accounting.grades.benchmarks import PATH, benchmark_table, read_benchmarks
from accounting.grades.correction import MissingCondition, read_correction
from accounting.grades.scheme_read import default_scheme, read_scheme, scheme_hash, shipped
from domain.errors import FaultyDocument, Refused


def changed(path: str, value: Any) -> dict[str, Any]:
    """The default scheme with one thing changed; `path` as faults name it, without list places."""
    document = copy.deepcopy(dict(default_scheme().document))
    table: Any = document
    *parents, last = path.split(".")
    for name in parents:
        table = table[int(name) if name.isdigit() else name]
    table[int(last) if last.isdigit() else last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("id", "Xt default", "id"),
        ("version", "1", "version"),
        ("valid_from", "2026-02-30", "valid_from"),
        ("origin.confidence", "X", "origin.confidence"),
        ("colour", "green", "colour"),
        ("labels.0", ["DEEP_GREEN", 60], "labels[1]"),
        ("labels.3", ["RED", 10], "labels[3]"),
        ("dimensions.D2.points.0", [0.3, 100], "dimensions.D2.points[0]"),
        ("dimensions.D2.points.1", ["0.2", 80], "dimensions.D2.points[1]"),
        ("dimensions.D2.points.1", ["0.6", 101], "dimensions.D2.points[1]"),
        ("dimensions.D3.type", "guess", "dimensions.D3.type"),
        ("dimensions.D2.peers.steps", ["city5"], "dimensions.D2.peers.steps[0]"),
        ("dimensions.D2.peers.max_share", "1.5", "dimensions.D2.peers.max_share"),
        ("tracks.0.w.D9", "1", "tracks[0].w.D9"),
        ("tracks.2.ceiling", "BLUE", "tracks[2].ceiling"),
        ("data.coverage.full", "0.5", "data.coverage"),
        ("data.months.full", 13, "data.months"),
        ("overrides.0.id", "MOOD", "overrides[0].id"),
        ("hysteresis.margin", "-1", "hysteresis.margin"),
        ("publication.case_days", True, "publication.case_days"),
    ],
)
def test_a_fault_is_told_with_its_place(path: str, value: Any, place: str) -> None:
    with pytest.raises(FaultyDocument) as caught:
        read_scheme(changed(path, value))
    assert place in [fault.place for fault in caught.value.faults]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(FaultyDocument) as caught:
        read_scheme({"id": 5})
    places = {fault.place for fault in caught.value.faults}
    assert {"id", "version", "labels", "dimensions", "tracks", "data", "period"} <= places


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_what_no_database_keeps_is_refused(text: str) -> None:
    with pytest.raises(FaultyDocument):
        read_scheme(changed("title_en", text))


def test_the_hash_is_of_what_is_said_not_of_how() -> None:
    document = json.loads(json.dumps(default_scheme().document, indent=3))
    assert scheme_hash(dict(reversed(document.items()))) == default_scheme().hash
    assert read_scheme(changed("hysteresis.streak", 3)).hash != default_scheme().hash


def test_every_scheme_says_where_it_comes_from() -> None:
    assert {each.id for each in shipped().values()} == {
        *("xt-default", "zj-k5-2021", "qz-3d4c", "gz-ae", "pct-20-50-20-10", "limit-123", "bank-bp")
    }
    for scheme in shipped().values():
        origin = scheme.document["origin"]
        assert origin["source"]
        assert origin["confidence"] in "HML"
        if origin["status"] == "reconstruction":
            assert "ours" in origin["note"]


HEADER = PATH.read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,S,i,p,kgce/t,50,,50,,,yes,,,,s,M,", "must be below level 3"),
        ("a,S,i,p,kgce/t,50,49,60,,,yes,,,,s,M,", "level 2 (49) must lie between"),
        ("a,S,i,p,kg,50,,60,,,yes,,,,s,M,", "unit 'kg'"),
        ("a,S,i,p,kgce/t,50,,60,2026-01-02,2026-01-01,yes,,,,s,M,", "is before"),
        ("a,S,i,p,kgce/t,50,,60,,,yes,__import__('os'),,,s,M,", "correct_1"),
        ("a,S,i,p,kgce/t,50,,60,,,yes,,,,,Q,", "source is empty"),
    ],
)
def test_a_benchmark_that_is_wrong_is_refused(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "benchmarks.csv"
    path.write_text(f"{HEADER}\n{row}\n", "utf-8")
    with pytest.raises(FaultyDocument) as caught:
        read_benchmarks(path)
    assert any(
        message in fault.message and fault.place == "benchmarks.csv row 2" for fault in caught.value.faults
    )


def test_levels_1_and_2_may_be_equal() -> None:
    assert benchmark_table().by_id["gb21342-2025-coke_top"].levels.two == 110


@pytest.mark.parametrize(
    ("benchmark", "conditions", "levels"),
    [
        ("gb16780-2021-cement", {"clinker_percent": "85"}, ["91", "98.5", "106"]),
        ("gb16780-2021-clinker", {"altitude_m": "1600", "pressure_pa": "101325"}, ["100", "107", "113.256"]),
        ("gb16780-2021-clinker", {"altitude_m": "100"}, ["100", "107", "117"]),
        ("gb21256-2025-blast_furnace", {"feed_grade_percent": "50"}, ["379.05", "388.05", "433.05"]),
        ("gb21256-2025-converter", {"scrap_percent": "10"}, ["-27.7", "-25.7", "-9.7"]),
        ("gb21256-2025-eaf_70", {"hot_metal_percent": "10", "stainless": "1"}, ["58.3", "61.6", "70.4"]),
        (
            "gb21342-2025-coke_top",
            {"gas_correction": "1", "coal_correction": "2", "age_correction": "3", "wet_quenching": "1"},
            ["116", "116", "187.46"],
        ),
    ],
)
def test_corrections(benchmark: str, conditions: dict[str, str], levels: list[str]) -> None:
    given = {name: Fraction(value) for name, value in conditions.items()}
    found = benchmark_table().by_id[benchmark].corrected(given)
    assert [found.levels.one, found.levels.two, found.levels.three] == [Fraction(each) for each in levels]


def test_a_correction_without_its_condition_isnt_applied_and_says_so() -> None:
    found = benchmark_table().by_id["gb16780-2021-cement"].corrected({})
    assert found.levels == benchmark_table().by_id["gb16780-2021-cement"].levels
    assert found.missing == ("clinker_percent",)


@pytest.mark.parametrize(
    "text", ["base ** 2", "open('x')", "a.b", "[1]", "1e3", "max(1)", "base if base else 1", "("]
)
def test_an_expression_holds_arithmetic_alone(text: str) -> None:
    with pytest.raises(Refused):
        read_correction(text)


def test_conditions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(MissingCondition):
        read_correction("base + x").value(Fraction(1), {})
    with pytest.raises(Refused, match="division by zero"):
        read_correction("base / x").value(Fraction(1), {"x": Fraction(0)})
    with pytest.raises(Refused, match="level 1 isn't below level 3"):
        benchmark_table().by_id["gb21342-2025-coke_top"].corrected(
            {
                "gas_correction": Fraction(0),
                "coal_correction": Fraction(0),
                "age_correction": Fraction(0),
                "wet_quenching": Fraction(-1),
            }
        )
