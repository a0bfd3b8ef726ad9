"""Findings by HTTP: lists and their filters, evidence and history, what people say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from accounting.validation.rules import load
from domain.validation import CheckRule, Severity
from storage.keys import Scope
from tests.api.conftest import CEMENT, STEEL, City, client_of, empty_city, local, walk
from tests.api.findings_scene import add_finding
from tests.servers import DatabaseServer


@pytest.fixture
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        yield city


@pytest.fixture
def client(city: City) -> Iterator[TestClient]:
    with client_of(city, key=city.key(Scope.REGISTRY_WRITE, name="Han Meimei")) as client:
        yield client


def _ids(client: TestClient, **parameters: str) -> list[int]:
    response = client.get("/v1/findings", params=parameters)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


def test_a_finding_says_what_when_where_and_how_much(client: TestClient, city: City) -> None:
    id_ = add_finding(city)
    (item,) = client.get("/v1/findings").json()["items"]
    found_at = item.pop("found_at")
    assert item == {
        "id": id_,
        "uscc": STEEL,
        "rule": "frozen_value",
        "name_zh": "数值冻结",
        "name_en": "frozen value",
        "severity": "medium",
        "subject": "E-01/import_kwh",
        "channels": ["E-01/import_kwh"],
        "from": local("2024-05-20T00:00:00"),
        "to": local("2024-05-22T00:00:00"),
        "days": 2,
        "in_doubt_co2e_kg": "1500.000000",
        "state": "open",
        "holds": True,
        "explanation": None,
        "changed_at": found_at,
        "changed_by": "carbonmeter",
        "why": "found",
    }
    whole = client.get(f"/v1/findings/{id_}").json()
    assert whole["evidence"] == [{"value": "5.00", "unit": "kWh", "readings": 96}] * 2
    assert whole["history"] == [{"state": "open", "at": found_at, "by": "carbonmeter", "why": "found"}]


def test_lists_are_filtered_and_paged(client: TestClient, city: City) -> None:
    steel = [add_finding(city, f"E-01/c{i}", first=f"2024-05-{20 - i}") for i in range(5)]
    other = add_finding(
        city,
        "furnace",
        uscc=CEMENT,
        rule=CheckRule.NO_CONSUMPTION,
        severity=Severity.HIGH,
        first="2024-06-01",
    )
    assert _ids(client) == [*reversed(steel), other]
    assert _ids(client, uscc=CEMENT) == [other]
    assert _ids(client, rule="no_consumption") == _ids(client, severity="high") == [other]
    assert _ids(client, state="settled") == []
    assert _ids(client, **{"from": local("2024-05-22T00:00:00")}) == [other], "a period's end isn't in it"
    assert _ids(client, **{"from": local("2024-05-21T23:59:59")}) == [steel[0], other]
    assert _ids(client, to=local("2024-05-16T00:00:00")) == [], "nor is a range's end"
    assert _ids(client, to=local("2024-05-16T00:00:01")) == [steel[4]]
    assert [item["id"] for item in walk(client, "/v1/findings", {}, 2)] == [*reversed(steel), other]


def test_explaining_and_settling_are_signed_and_kept(client: TestClient, city: City) -> None:
    id_ = add_finding(city)
    first = client.post(f"/v1/findings/{id_}/explain", json={"text": "the dial sticks in frost"})
    assert first.status_code == 200, first.text
    assert (first.json()["state"], first.json()["explanation"]) == (
        "explained",
        {"by": "Han Meimei", "text": "the dial sticks in frost"},
    )
    again = client.post(
        f"/v1/findings/{id_}/explain", json={"text": " it is replaced in May ", "by": "Li Lei"}
    )
    assert again.json()["explanation"] == {"by": "Li Lei", "text": "it is replaced in May"}
    settled = client.post(f"/v1/findings/{id_}/settle", json={"text": "replaced"}).json()
    assert [(each["state"], each["by"], each["why"]) for each in settled["history"]] == [
        ("open", "carbonmeter", "found"),
        ("explained", "Han Meimei", "the dial sticks in frost"),
        ("explained", "Li Lei", "it is replaced in May"),
        ("settled", "Han Meimei", "replaced"),
    ]
    assert client.post(f"/v1/findings/{id_}/settle", json={"text": "again"}).json() == settled
    refused = client.post(f"/v1/findings/{id_}/explain", json={"text": "too late"})
    assert (refused.status_code, refused.json()["errors"]) == (
        409,
        [{"place": "id", "message": f"finding {id_} is settled"}],
    )
    assert client.get(f"/v1/findings/{id_}").json() == settled


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.text"),
        ({"text": ""}, "body.text"),
        ({"text": "   "}, "body.text"),
        ({"text": "x" * 2_001}, "body.text"),
        ({"text": "x", "by": " "}, "body.by"),
        ({"text": "x", "by": "carbonmeter"}, "body.by"),
        ({"text": "x\x00y"}, "body"),
        ({"text": "x", "state": "open"}, "body.state"),
    ],
)
def test_words_that_are_not_taken(client: TestClient, city: City, body: dict[str, Any], place: str) -> None:
    id_ = add_finding(city)
    for action in ("explain", "settle"):
        response = client.post(f"/v1/findings/{id_}/{action}", json=body)
        assert response.status_code == 422, response.text
        assert [error["place"] for error in response.json()["errors"]] == [place]
    assert len(client.get(f"/v1/findings/{id_}").json()["history"]) == 1


def test_nobody_explains_what_is_not_there(client: TestClient) -> None:
    for action in ("explain", "settle"):
        assert client.post(f"/v1/findings/7/{action}", json={"text": "x"}).status_code == 404


def test_the_rules_are_printed_with_limits_and_sources(client: TestClient) -> None:
    items = client.get("/v1/validation/rules").json()["items"]
    assert [item["code"] for item in items] == sorted(CheckRule)
    rules = load()
    for item in items:
        rule = rules[CheckRule(item["code"])]
        assert (item["source"], item["confidence"]) == (rule.source, rule.confidence)
        assert [limit["name"] for limit in item["limits"]] == list(rule.limits)
    (main,) = (item for item in items if item["code"] == "main_against_subs")
    assert main["limits"][0] == {
        "name": "tolerance",
        "value": "0.03",
        "unit": "fraction",
        "meaning": "difference as a share of the main meter",
    }
    assert [item["code"] for item in walk(client, "/v1/validation/rules", {}, 4)] == sorted(CheckRule)
