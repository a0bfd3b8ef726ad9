"""What is registered, as the API tells it."""

from __future__ import annotations

import copy

from fastapi.testclient import TestClient

from tests.api.conftest import CEMENT, DOCUMENT, STEEL, client_of, empty_city, walk
from tests.servers import DatabaseServer


def test_enterprises_by_uscc_in_pages(client: TestClient) -> None:
    items = walk(client, "/v1/enterprises", {}, 1)
    assert [item["uscc"] for item in items] == [STEEL, CEMENT]
    assert items[0] == {
        "uscc": STEEL,
        "name_zh": "一号钢厂",
        "name_en": "Steel One",
        "industry": "steel",
        "edition": None,
        "grid": None,
        "gb_t_4754": "3120",
        "district": "430304",
        "park": "XT-ETDZ",
        "flags": ["key", "two_high"],
    }


def test_an_enterprise_with_its_sources_and_products(client: TestClient) -> None:
    body = client.get(f"/v1/enterprises/{STEEL}").json()
    assert body["gateways"] == ["gw1", "gw2"]
    boiler, grid = body["sources"]
    assert grid["expression"] == "E-01/import_kwh - E-02/import_kwh"
    assert boiler["fuel"] == "natural_gas"
    assert boiler["parameters"] == [
        {
            "name": "ncv",
            "value": "391.2",
            "unit": "GJ/10k_nm3",
            "from": "2024-02-01",
            "origin": "measured",
            "reference": None,
        }
    ]
    assert body["products"][0] == {
        "id": "crude_steel",
        "unit": "t",
        "expression": "P-01/steel_kg + P-02/steel_t",
        "versions": [{"from": None, "unit": "t", "expression": "P-01/steel_kg + P-02/steel_t", "band": None}],
    }
    assert body["checks"] == []
    assert body["history"]["park"] == [{"from": None, "value": "XT-ETDZ"}]


def test_checks_bands_and_calibrations_as_registered(plain_server: DatabaseServer) -> None:
    document = copy.deepcopy(DOCUMENT)
    steel = document["enterprises"][0]
    steel["checks"] = [
        {
            "id": "feeders",
            "rule": "main_against_subs",
            "main": "E-01/import_kwh",
            "subs": "- E-02/import_kwh",
            "tolerance": "0.05",
        },
        {"id": "gas", "rule": "frozen_value", "channel": "G-01/gas_nm3", "shortest": "P1D", "active": False},
    ]
    steel["products"][0]["band"] = {"high": "2200.5"}
    steel["meters"][0]["calibrations"] = [
        {"from": "2024-01-05", "until": "2026-01-04", "reference": "CNAS 7"}
    ]
    with (
        empty_city(plain_server, document) as city,
        client_of(city, key=city.key("emissions:read")) as client,
    ):
        body = client.get(f"/v1/enterprises/{STEEL}").json()
        nothing = dict.fromkeys(
            ("main", "subs", "product", "consumption", "channel", "tolerance", "shortest"), None
        )
        assert body["checks"] == [
            {
                **nothing,
                "id": "feeders",
                "rule": "main_against_subs",
                "main": "E-01/import_kwh",
                "subs": "- E-02/import_kwh",
                "tolerance": "0.05",
                "active": True,
            },
            {
                **nothing,
                "id": "gas",
                "rule": "frozen_value",
                "channel": "G-01/gas_nm3",
                "shortest": "PT24H",
                "active": False,
            },
        ]
        assert body["products"][0]["versions"][0]["band"] == {"low": None, "high": "2200.5", "over": "month"}
        meters = client.get("/v1/meters", params={"uscc": STEEL}).json()["items"]
        assert meters[0]["calibrations"] == [
            {"from": "2024-01-05", "until": "2026-01-04", "reference": "CNAS 7"}
        ]
        assert meters[1]["calibrations"] == []


def test_parks(client: TestClient) -> None:
    assert [item["code"] for item in walk(client, "/v1/parks", {}, 1)] == ["EMPTY", "XT-ETDZ"]


def test_meters_of_all_and_of_one(client: TestClient) -> None:
    items = walk(client, "/v1/meters", {}, 2)
    assert [(item["uscc"], item["id"]) for item in items] == [
        *((STEEL, id_) for id_ in ("E-01", "E-02", "G-01", "P-01", "P-02")),
        (CEMENT, "E-01"),
    ]
    (item,) = walk(client, "/v1/meters", {"uscc": CEMENT}, 10)
    assert item["channels"] == [
        {
            "id": "import_kwh",
            "channel": "E-01/import_kwh",
            "quantity": "electricity_import",
            "kind": "register",
            "unit": "kWh",
            "derived": None,
            "versions": [
                {
                    "valid_from": "2024-01-01T00:00:00+08:00",
                    "valid_to": None,
                    "quantity": "electricity_import",
                    "kind": "register",
                    "unit": "kWh",
                    "multiplier": "1",
                    "resolution": "0.01",
                    "modulus": None,
                    "max_rate": "50000",
                    "max_gap": None,
                    "period": None,
                    "snap": True,
                    "opening": None,
                    "closing": None,
                }
            ],
        }
    ]
