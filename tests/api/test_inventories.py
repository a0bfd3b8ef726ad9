"""`POST /v1/inventories`: the same answer as the command's, and every fault as problem details."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from accounting.factors.load import load
from accounting.inventory.answer import inventory_answer
from accounting.inventory.document import SIZE_MAX_BYTES
from api.inventory_schemas import DOCUMENT, InventoryAnswer
from storage.keys import Scope
from tests.api.conftest import City, client_of

EXAMPLE: dict[str, Any] = DOCUMENT["example"]


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    with client_of(city) as client:
        client.headers["Authorization"] = f"Bearer {city.key(Scope.EMISSIONS_READ)}"
        yield client


def problem(response: Any, status: int) -> dict[str, str]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return {each["place"]: each["message"] for each in response.json()["errors"]}


def test_the_answer_is_that_of_the_document(client: TestClient) -> None:
    response = client.post("/v1/inventories", json=EXAMPLE)
    assert response.status_code == 200
    assert response.json() == inventory_answer(EXAMPLE, load())
    assert response.json()["totals"]["account_tco2e"] == "4754.480100000000"
    InventoryAnswer.model_validate(response.json())


def test_numbers_stay_exact_whatever_the_media_type(client: TestClient) -> None:
    text = json.dumps(EXAMPLE).replace('"5200"', "5200.10")
    response = client.post("/v1/inventories", content=text, headers={"Content-Type": "text/plain"})
    assert response.json()["activities"][1]["tco2e"] == "2965.617030000000"


def test_every_fault_is_told_with_its_place(client: TestClient) -> None:
    faulty = {
        **EXAMPLE,
        "edition": "ndrc-2014",
        "activities": [*EXAMPLE["activities"], {"source": "x", "amount": "-1"}],
    }
    assert problem(client.post("/v1/inventories", json=faulty), 422) == {
        "edition": "edition 'ndrc-2014' is none of steel; its editions are ndrc-2013, gbt-32151, mee-2025",
        "activities[2].amount": "-1 must not be negative",
        "activities[2].unit": "is required",
        "activities[2].source": "'x' is no source of steel under any edition",
    }


def test_a_body_that_is_no_json_and_one_that_is_too_large(client: TestClient) -> None:
    assert problem(client.post("/v1/inventories", content=b"{"), 422) == {
        "line 1, column 2": "can't be read: Expecting property name enclosed in double quotes"
    }
    assert "can't be read" in problem(client.post("/v1/inventories"), 422)["line 1, column 1"]
    assert problem(client.post("/v1/inventories", content=b" " * (SIZE_MAX_BYTES + 1)), 413) == {
        "body": f"is larger than {SIZE_MAX_BYTES:,} bytes"
    }


def test_any_key_may_ask_and_a_revoked_one_may_not(city: City) -> None:
    with client_of(city) as client:
        assert client.post("/v1/inventories", json=EXAMPLE).status_code == 401
        for scope in Scope:
            headers = {"Authorization": f"Bearer {city.key(scope)}"}
            assert client.post("/v1/inventories", json=EXAMPLE, headers=headers).status_code == 200
    with client_of(city, open_reads=True) as client:
        assert client.post("/v1/inventories", json=EXAMPLE).status_code == 200
