"""Documents, what they give, and the documents that items make: round trips and equal forms."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from domain.document import document_of
from domain.document_text import json_text, yaml_text
from domain.registry_items import ItemKey
from tests.domain.documents import OTHER_USCC, SAMPLE, USCC, Items, faults, imported, planned, sample
from tests.domain.strategies import documents


def exported(items: Items) -> dict[str, Any]:
    parks = {item: spec for item, spec in items.items() if item.kind == "park"}
    return document_of(parks, {item: spec for item, spec in items.items() if item.kind != "park"})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_what_is_exported_reads_back_as_itself(document: dict[str, Any]) -> None:
    items = imported(document)
    for text in (yaml_text(exported(items)), json_text(exported(items)), exported(items)):
        assert imported(text) == items
        again = planned(text, items)
        assert again.changes == ()
        assert sum(again.unchanged.values()) == len(items)
    assert exported(imported(exported(items))) == exported(items)


def test_the_sample_round_trips() -> None:
    items = imported(SAMPLE)
    assert Counter(item.kind for item in items) == {
        "park": 1, "enterprise": 1, "gateway": 2, "meter": 5, "channel": 9, "derived": 1, "source": 3,
        "parameter": 2, "product": 1,
    }  # fmt: skip
    assert imported(yaml_text(exported(items))) == items


def test_yaml_json_and_plain_values_mean_the_same() -> None:
    assert (
        imported(SAMPLE) == imported(json.dumps(sample())) == imported(sample()) == imported(SAMPLE.encode())
    )
    assert imported("\ufeff" + SAMPLE) == imported(b"\xef\xbb\xbf" + SAMPLE.encode())


@pytest.mark.parametrize(
    ("quoted", "unquoted"),
    [
        ('resolution: "0.01"', "resolution: 0.01"),
        ('multiplier: "40"', "multiplier: 40"),
        ('modulus: "1000000"', "modulus: 1000000"),
        ('resolution: "0.001"', "resolution: 1e-3"),
        ("valid_from: 2023-01-01T00:00:00+08:00", 'valid_from: "2023-01-01T00:00:00+08:00"'),
        ("valid_from: 2023-01-01T00:00:00+08:00", "valid_from: 2022-12-31T16:00:00Z"),
        ("valid_from: 2023-01-01T00:00:00+08:00", "valid_from: 2023-01-01 00:00:00.000+08:00"),
        (" from: 2023-01-01", ' from: "2023-01-01"'),
        ('district: "430304"', "district: 430304"),
        ('gb_t_4754: "3120"', "gb_t_4754: 3120"),
        ('zone: "+08:00"', "zone: +08:00"),
        ("park: XT-ETDZ", "park: [{code: XT-ETDZ}]"),
        ("park: XT-ETDZ", "park: {park: XT-ETDZ}"),
        ("park: XT-ETDZ", "park: {value: XT-ETDZ, from: null}"),
        ("flags: [key, two_high, ets]", "flags: [{flag: ets}, two_high, key]"),
        ("uscc: 91430302XT0000014K", "uscc: 91430302xt0000014k"),
        ("max_gap: PT2H", "max_gap: PT120M"),
        ('"E-01/import_kwh - E-02/import_kwh"', '"  E-01/import_kwh  -   E-02/import_kwh "'),
        ('expression: "G-01/gas_nm3"', 'expression: [{expression: "G-01/gas_nm3"}]'),
        ("valid_to: null", ""),
    ],
)
def test_forms_that_mean_the_same(quoted: str, unquoted: str) -> None:
    assert quoted in SAMPLE
    items = imported(SAMPLE)
    again = planned(SAMPLE.replace(quoted, unquoted), items)
    assert again.changes == ()


def test_numbers_never_pass_through_a_float() -> None:
    text = SAMPLE.replace('value: "391.20"', "value: 391.20000000000000000000000000001")
    item = ItemKey("parameter", USCC, ("boiler", "ncv", "2023-01-01"))
    assert imported(text)[item]["value"] == "391.20000000000000000000000000001"
    as_json = json.dumps(sample()).replace('"391.20"', "391.20000000000000000000000000001")
    assert imported(as_json)[item]["value"] == "391.20000000000000000000000000001"


def test_plain_python_values_have_their_forms() -> None:
    document = sample()
    channel = document["enterprises"][0]["meters"][0]["channels"][0]
    channel["resolution"] = Decimal("0.01")
    channel["modulus"] = 1_000_000
    channel["valid_from"] = datetime(2022, 12, 31, 16, tzinfo=UTC)
    document["enterprises"][0]["sources"][1]["parameters"][0]["from"] = date(2023, 1, 1)
    assert planned(document, imported(SAMPLE)).changes == ()
    document["enterprises"][0]["meters"][0]["name"] = object()
    assert faults(document) == [
        "enterprises[0].meters[0].name: is a object, which a document has no form for"
    ]


def test_anchors_are_templates() -> None:
    text = f"""
enterprises:
  - {{uscc: {USCC}, name_en: one, industry: cement, district: 430302, gateways: &gateways [{{id: gw}}]}}
  - {{uscc: {OTHER_USCC}, name_en: other, industry: cement, district: 430302, gateways: *gateways}}
"""
    assert {item.uscc for item in imported(text) if item.kind == "gateway"} == {USCC, OTHER_USCC}


def test_dated_expressions_are_versions_of_their_source() -> None:
    document = sample()
    document["enterprises"][0]["sources"][0] = {
        "id": "grid",
        "method": "purchased_electricity",
        "expression": [
            {"expression": "E-01/import_kwh"},
            {"expression": "E-01/import_kwh - E-02/import_kwh", "from": "2024-01-01"},
        ],
    }
    items = imported(document)
    assert items[ItemKey("source", USCC, ("grid", ""))] == {
        "method": "purchased_electricity",
        "expression": "E-01/import_kwh",
    }
    assert items[ItemKey("source", USCC, ("grid", "2024-01-01"))] == {
        "method": "purchased_electricity",
        "expression": "E-01/import_kwh - E-02/import_kwh",
    }
    versions = [each for each in exported(items)["enterprises"][0]["sources"] if each["id"] == "grid"]
    assert [each.get("from") for each in versions] == [None, "2024-01-01"]
