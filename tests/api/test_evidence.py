"""Evidence over HTTP: what is answered holds by itself, and a record is read by those who may read its enterprise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.settings import RowSecurity
from domain.errors import Refused
from domain.evidence import parse_verifier_key, verify_proof
from domain.signing import Ed25519Signer
from storage import evidence, keys
from storage.keys import Scope
from tests.api.conftest import CEMENT, STEEL, City, client_of, empty_city
from tests.servers import DatabaseServer

SIGNER = Ed25519Signer.new()
RECORDS = [b'{"grade":"%d","uscc":"91430302XT0000014K"}' % place for place in range(5)]


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        with city.database.connect(autocommit=True) as conn:
            for place, content in enumerate(RECORDS):
                with conn.transaction():
                    evidence.submit(conn, "grade", str(place), content, city.registry.enterprises[STEEL].id)
                evidence.append(conn)
                with conn.transaction():
                    evidence.sign(conn, SIGNER)
        yield city


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        yield client


def get(client: TestClient, path: str, **parameters: Any) -> Any:
    response = client.get(f"/v1/evidence/{path}", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def test_proofs_are_checked_without_the_server(client: TestClient) -> None:
    published = get(client, "keys")
    trusted = [parse_verifier_key(each["verifier_key"]) for each in published["items"]]
    assert [name for name, _ in trusted] == [published["origin"]] * 2
    newest = get(client, "checkpoint")
    assert (newest["size"], newest["key_id"]) == (6, SIGNER.key.key_id)
    for place, content in enumerate(RECORDS):
        for size in ({}, {"size": place + 2}):
            proof = get(client, "inclusion", kind="grade", reference=str(place), **size)
            assert verify_proof(proof, trusted, content).is_trusted
    for first in range(1, 7):
        assert verify_proof(get(client, "consistency", **{"from": first}), trusted).checkpoint.size == 6
        verify_proof(get(client, "consistency", **{"from": first, "to": max(first, 3)}), trusted)
    changed = get(client, "inclusion", index=2)
    changed["leaf"]["content"] = changed["leaf"]["content"].replace("grade", "grabe")
    with pytest.raises(Refused):
        verify_proof(changed, trusted)


def test_leaves_by_place_and_by_name(client: TestClient) -> None:
    by_name = get(client, "leaf", kind="grade", reference="3")
    assert by_name == get(client, "leaf", index=4)
    assert (by_name["index"], by_name["content"]) == (4, RECORDS[3].decode())


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("leaf", {}, 422),
        ("leaf", {"kind": "grade"}, 422),
        ("leaf", {"index": 1, "kind": "grade", "reference": "1"}, 422),
        ("leaf", {"index": 6}, 404),
        ("leaf", {"kind": "grade", "reference": "\0"}, 404),
        ("inclusion", {"index": 4, "size": 3}, 404),
        ("inclusion", {"index": 1, "size": 99}, 404),
        ("consistency", {}, 422),
        ("consistency", {"from": 7}, 422),
        ("consistency", {"from": 4, "to": 3}, 422),
        ("checkpoint", {"size": 99}, 404),
        ("checkpoint", {"size": 0}, 422),
    ],
)
def test_what_there_is_no_answer_to(
    client: TestClient, path: str, parameters: dict[str, Any], status: int
) -> None:
    assert client.get(f"/v1/evidence/{path}", params=parameters).status_code == status


@pytest.mark.parametrize("row_security", [RowSecurity.PREFERRED, RowSecurity.OFF])
def test_a_record_is_for_those_who_may_read_its_enterprise(city: City, row_security: RowSecurity) -> None:
    with city.database.connect() as conn:
        texts = {uscc: keys.create(conn, (), role="enterprise", tenant=[uscc])[0] for uscc in (STEEL, CEMENT)}
    for uscc, text in texts.items():
        with client_of(city, key=text, row_security=row_security) as client:
            leaf = get(client, "leaf", index=3)
            assert len(leaf["hash"]) == 64
            assert (leaf["content"] is not None) == (uscc == STEEL)
            for parameters in ({"index": 3}, {"kind": "grade", "reference": "2"}):
                response = client.get("/v1/evidence/inclusion", params=parameters)
                assert response.status_code == (200 if uscc == STEEL else 404)
            assert get(client, "leaf", index=0)["content"] == '{"batch":1}'  # no enterprise's
            get(client, "consistency", **{"from": 2})
