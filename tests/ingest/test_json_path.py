"""Paths into JSON, and the faults of a mapping."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import FaultyDocument
from ingest.decode.json_path import MISSING, at, compile_path, trails
from ingest.formats import Formats, rules_of


def values(text: str, root: Any) -> list[Any]:
    path = compile_path(text)
    return [at(path, trail) if path.is_key else trail[-1][0] for trail in trails(path, root)]


@pytest.mark.parametrize(
    ("text", "root", "found"),
    [
        ("a", {"a": 1}, [1]),
        ("a.b", {"a": {"b": None}}, [None]),
        ('["a.b"].c', {"a.b": {"c": 2}}, [2]),
        ('a["b c"]', {"a": {"b c": 3}}, [3]),
        ('["\\"é"]', {'"é': 4}, [4]),
        ("a[1]", {"a": [5, 6]}, [6]),
        ("[0][1]", [[7, 8]], [8]),
        ("a[*]", {"a": [1, 2]}, [1, 2]),
        ("a[*].b", {"a": [{"b": 1}, {}, 3]}, [1, MISSING, MISSING]),
        ("a.*", {"a": {"x": 1, "y": 2}}, [1, 2]),
        ("*", {"x": 1}, [1]),
        ("a.*~", {"a": {"x": 1, "y": 2}}, ["x", "y"]),
        ("[*].*.v", [{"a": {"v": 1}}, {"b": {"v": 2}}], [1, 2]),
        ("a[*]", {"a": {}}, [MISSING]),
        ("a.*", {"a": []}, [MISSING]),
        ("a[2]", {"a": [1]}, [MISSING]),
        ("a.b", {"a": "text"}, [MISSING]),
        ("a[*]", {"a": []}, []),
        ("电量", {"电量": 9}, [9]),
    ],
)
def test_what_a_path_leads_to(text: str, root: Any, found: list[Any]):
    assert values(text, root) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".a",
        "a.",
        "a..b",
        "a[",
        "a[]",
        "a[-1]",
        "a[x]",
        'a["x]',
        "a b",
        "a~",
        "a[*]~",
        "~",
        "a.[0]",
        "a**",
        "a]",
    ],
)
def test_what_is_no_path(text: str):
    with pytest.raises(ValueError, match=r"can't be read|ends in|has 0 steps"):
        compile_path(text)


def test_paths_move_together():
    root = {"at": 5, "m": [{"id": "a", "v": [{"x": 1}, {"x": 2}]}, {"id": "b", "v": [{"x": 3}]}]}
    value, id_, stamp = (compile_path(text) for text in ("m[*].v[*].x", "m[*].id", "at"))
    assert all(path.moves_with(value) for path in (id_, stamp))
    found = [(at(stamp, trail), at(id_, trail), trail[-1][0]) for trail in trails(value, root)]
    assert found == [(5, "a", 1), (5, "a", 2), (5, "b", 3)]
    assert not compile_path("n[*].id").moves_with(value)
    assert not value.moves_with(id_)


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({}, ["value"]),
        ({"value": 5}, ["value"]),
        ({"value": {}}, ["value"]),
        ({"value": {"kwh": "a["}}, ["value['kwh']"]),
        ({"value": {"kwh": "a"}, "metric": "b"}, ["metric"]),
        ({"value": "a[*]"}, ["metric"]),
        ({"value": "a[*].v", "metric": "b[*].n"}, ["metric"]),
        ({"value": "a", "time": "b..", "time_unit": "h", "device": 7}, ["device", "time", "time_unit"]),
        ({"value": "a", "quality": "q", "qualities": {"good": 3}}, ["qualities"]),
    ],
)
def test_faults_of_a_mapping(options: dict[str, Any], faults: list[str]):
    rule = {"topic": "t/{uscc}/{gateway}", "format": "json", **options}
    with pytest.raises(FaultyDocument) as caught:
        rules_of(json.dumps([rule]))
    assert sorted(fault.place for fault in caught.value.faults) == sorted(f"[0].{fault}" for fault in faults)


def test_a_mapping_is_known_by_its_options():
    def name(options: dict[str, Any]) -> str:
        rule = {"topic": "t/{uscc}/{gateway}", "format": "json", **options}
        found = Formats(rules_of(json.dumps([rule]))).find(b"t/u/g")
        assert found is not None
        assert found.decoder is not None
        return found.decoder.name

    assert name({"value": "a", "time": "t"}) == name({"time": "t", "value": "a"})
    assert name({"value": "a"}) != name({"value": "b"})
