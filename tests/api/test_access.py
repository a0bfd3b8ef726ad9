"""Tenants, consents, tokens, the log of reads, suppression and limits, seen from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.limits import Limits, Rates
from api.settings import DEFAULT_LIMITS
from api.suppression import is_suppressed
from domain.access import Role
from domain.errors import FaultyDocument
from storage import keys as storage_keys
from storage import read_log, registry
from storage.keys import Scope
from tests.api.access_scene import TENANTS, consent_of, key_of, two_tenants
from tests.api.conftest import CEMENT, STEEL, City, FixedClock, client_of
from tests.servers import DatabaseServer

DAY = {"from": "2024-04-30T16:00:00Z", "to": "2024-05-01T16:00:00Z"}
EMISSIONS = f"/v1/enterprises/{STEEL}/emissions"
BANK = str(TENANTS[STEEL][Role.BANK])


@pytest.fixture(scope="module")
def scene(plain_server: DatabaseServer) -> Iterator[City]:
    with two_tenants(plain_server) as city:
        yield city


@pytest.fixture(scope="module")
def client(scene: City) -> Iterator[TestClient]:
    with client_of(scene, needed_services=()) as client:
        yield client


def get(client: TestClient, key: str, path: str, **parameters: Any) -> Any:
    return client.get(path, params=parameters, headers={"Authorization": f"Bearer {key}"})


# -- tenants ------------------------------------------------------------------------------------------


def test_what_may_not_be_read_answers_as_what_is_not_registered(client: TestClient, scene: City) -> None:
    nowhere = "91430321XT0000030R"
    for role in (Role.ENTERPRISE, Role.PARK, Role.REGULATOR, Role.BANK):
        key = key_of(scene, role, CEMENT)
        other = get(client, key, EMISSIONS, **DAY)
        unknown = get(client, key, f"/v1/enterprises/{nowhere}/emissions", **DAY)
        assert (other.status_code, unknown.status_code) == (404, 404)
        assert other.text.replace(STEEL, nowhere) == unknown.text


def test_members_are_those_of_today(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        park, regulator = key_of(city, Role.PARK, STEEL), key_of(city, Role.REGULATOR, STEEL)
        assert get(client, park, EMISSIONS, **DAY).status_code == 200
        with city.database.connect() as conn:
            moved = [{"from": "2024-06-01", "value": "EMPTY"}], [{"from": "2024-06-01", "value": "430321"}]
            document = {
                "enterprises": [
                    {
                        "uscc": STEEL,
                        "name_zh": "一号钢厂",
                        "name_en": "Steel One",
                        "industry": "steel",
                        "park": [{"value": "XT-ETDZ"}, *moved[0]],
                        "district": [{"value": "430304"}, *moved[1]],
                    }
                ]
            }
            registry.import_document(conn, document, "tests", "it moved")
            conn.commit()
        assert get(client, park, EMISSIONS, **DAY).status_code == 404
        assert get(client, regulator, EMISSIONS, **DAY).status_code == 404
        assert get(client, key_of(city, Role.PARK, CEMENT), EMISSIONS, **DAY).status_code == 200


def test_a_city_is_a_district(client: TestClient, scene: City) -> None:
    with scene.database.connect() as conn:
        key, _ = storage_keys.create(conn, [], role="regulator", tenant=["430300"], basis="条例")
    assert [each["uscc"] for each in get(client, key, "/v1/enterprises").json()["items"]] == [STEEL, CEMENT]
    assert get(client, key, EMISSIONS, **DAY).status_code == 200


def test_an_enterprise_brings_in_its_own_years_alone(client: TestClient, scene: City) -> None:
    rows = "year,uscc,source,provenance,amount,unit\n2023,{},purchased_heat,reported,1,GJ\n"
    headers = {"Authorization": f"Bearer {key_of(scene, Role.ENTERPRISE, STEEL)}", "Content-Type": "text/csv"}
    own = client.post("/v1/history", headers=headers, content=rows.format(STEEL))
    assert own.status_code == 201, own.text
    told = set()
    for other in (CEMENT, "91430321XT0000030R"):
        refused = client.post("/v1/history", headers=headers, content=rows.format(other))
        assert refused.status_code == 422
        told.add(refused.text.replace(other, ""))
    assert len(told) == 1, "what isn't its own is told of as what isn't registered"


def test_faults_of_a_wish_for_a_key_are_told(scene: City) -> None:
    with scene.database.connect() as conn:
        for role, tenant, scopes, gateways, places in (
            ("enterprise", [], [], [], ["enterprise"]),
            ("enterprise", ["x"], [], [], ["enterprise"]),
            ("bank", ["a", "b"], [], [], ["bank"]),
            ("bank", ["b c"], ["registry:write"], [], ["bank", "scope"]),
            ("regulator", ["4x"], ["admin"], [], ["district", "scope"]),
            ("platform", ["x"], [], [], ["tenant"]),
            ("king", [], [], [], ["role"]),
            (None, [STEEL], ["emissions:read"], [], ["tenant"]),
            ("enterprise", [STEEL], ["readings:write"], [], ["gateway"]),
            ("enterprise", [STEEL], ["readings:write"], [f"{CEMENT}/gw1"], ["gateway"]),
        ):
            with pytest.raises(FaultyDocument) as caught:
                storage_keys.create(conn, scopes, gateways, role=role, tenant=tenant)
            assert sorted({fault.place for fault in caught.value.faults}) == sorted(places), role


# -- consents -----------------------------------------------------------------------------------------


def granted(client: TestClient, key: str, **wishes: Any) -> Any:
    body = {
        "uscc": STEEL,
        "consumer": BANK,
        "purpose": "a loan",
        "fields": ["emissions"],
        "granted_by": "the manager",
        "legal_text_hash": hashlib.sha256(b"the text").hexdigest(),
        **wishes,
    }
    return client.post("/v1/consents", json=body, headers={"Authorization": f"Bearer {key}"})


def test_a_bank_reads_nothing_without_a_consent_and_by_one_what_it_is_for(
    plain_server: DatabaseServer,
) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        bank, owner = key_of(city, Role.BANK, STEEL), key_of(city, Role.ENTERPRISE, STEEL)
        assert get(client, bank, EMISSIONS, **DAY).status_code == 404
        assert get(client, bank, "/v1/enterprises").json()["items"] == []
        kept = granted(client, owner, periods=[{"from": "2024-05-01", "to": "2024-05-02"}])
        assert kept.status_code == 201, kept.text
        assert kept.json()["state"] == "valid"
        assert get(client, bank, EMISSIONS, **DAY).status_code == 200
        assert [each["uscc"] for each in get(client, bank, "/v1/enterprises").json()["items"]] == [STEEL]
        # another day, another part, what isn't of a period, windows that reach beyond
        beyond = {**DAY, "to": "2024-05-01T16:15:00Z"}
        assert get(client, bank, EMISSIONS, **beyond).status_code == 403
        consumption = f"/v1/enterprises/{STEEL}/consumption"
        assert get(client, bank, consumption, **DAY, channel="E-01/import_kwh").status_code == 403
        assert get(client, bank, f"/v1/enterprises/{STEEL}/windows").status_code == 403
        assert get(client, bank, f"/v1/enterprises/{STEEL}/history").status_code == 403
        assert get(client, bank, f"/v1/enterprises/{CEMENT}/emissions", **DAY).status_code == 404
        # another bank's key reads nothing by it
        assert get(client, key_of(city, Role.BANK, CEMENT), EMISSIONS, **DAY).status_code == 404
        # adjoining periods together; another consent for the other part
        next_day = [{"from": "2024-05-01", "to": "2024-05-02"}, {"from": "2024-05-02", "to": "2024-05-03"}]
        granted(client, owner, periods=next_day)
        assert get(client, bank, EMISSIONS, **beyond).status_code == 200
        granted(client, owner, fields=["consumption"])
        assert get(client, bank, consumption, **DAY, channel="E-01/import_kwh").status_code == 200
        assert get(client, bank, f"/v1/enterprises/{STEEL}/windows").status_code == 403


def test_a_revoked_consent_ends_at_once_and_stays_to_be_seen(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        bank, owner = key_of(city, Role.BANK, STEEL), key_of(city, Role.ENTERPRISE, STEEL)
        id_ = granted(client, owner).json()["id"]
        assert get(client, bank, EMISSIONS, **DAY).status_code == 200
        headers = {"Authorization": f"Bearer {owner}"}
        path = f"/v1/consents/{id_}/revoke"
        first = client.post(path, json={"why": "repaid"}, headers=headers)
        again = client.post(path, json={"why": "again"}, headers=headers)
        assert first.json() == again.json()
        assert first.json()["revoked_why"] == "repaid"
        assert get(client, bank, EMISSIONS, **DAY).status_code == 404
        assert [each["state"] for each in get(client, bank, "/v1/consents").json()["items"]] == ["revoked"]
        assert get(client, bank, f"/v1/consents/{id_}").json()["revoked_by"].startswith("enterprise")
        other = key_of(city, Role.ENTERPRISE, CEMENT)
        assert get(client, other, f"/v1/consents/{id_}").status_code == 404
        assert (
            client.post(path, json={"why": "mine"}, headers={"Authorization": f"Bearer {other}"}).status_code
            == 404
        )


def test_consents_hold_within_their_time(plain_server: DatabaseServer) -> None:
    now = datetime.now(UTC)
    with two_tenants(plain_server) as city, client_of(city) as client:
        bank = key_of(city, Role.BANK, STEEL)
        consent_of(city, STEEL, valid_from=now + timedelta(days=1))
        consent_of(city, STEEL, valid_from=now - timedelta(days=2), valid_to=now - timedelta(days=1))
        assert get(client, bank, EMISSIONS, **DAY).status_code == 404
        states = [each["state"] for each in get(client, bank, "/v1/consents").json()["items"]]
        assert states == ["not yet", "ended"]


def test_a_consent_is_not_changed(scene: City) -> None:
    id_ = consent_of(scene, CEMENT)
    with scene.database.connect(autocommit=True) as conn:
        for statement in (
            "UPDATE consents SET fields = '{}' WHERE id = %s",
            "DELETE FROM consents WHERE id = %s",
            "UPDATE consents SET revoked_at = now(), consumer = 'x' WHERE id = %s",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="revoked, once"):
                conn.execute(statement.encode(), [id_])


@pytest.mark.parametrize(
    ("wishes", "place"),
    [
        ({"fields": ["read_log"]}, "fields[0]"),
        ({"fields": ["everything"]}, "fields[0]"),
        ({"consumer": "a b"}, "consumer"),
        ({"legal_text_hash": "12"}, "legal_text_hash"),
        ({"legal_text_alg": "md5"}, "legal_text_alg"),
        ({"valid_to": "2000-01-01T00:00:00Z"}, "valid_to"),
        ({"periods": [{"from": "2024-01-02", "to": "2024-01-02"}]}, "periods[0]"),
        ({"fields": []}, "fields"),
        ({"purpose": " "}, "purpose"),
    ],
)
def test_faults_of_a_consent_are_told(
    client: TestClient, scene: City, wishes: dict[str, Any], place: str
) -> None:
    refused = granted(client, key_of(scene, Role.ENTERPRISE, STEEL), **wishes)
    assert refused.status_code == 422, refused.text
    assert place in [error["place"].removeprefix("body.") for error in refused.json()["errors"]]


# -- tokens -------------------------------------------------------------------------------------------


def token(client: TestClient, form: dict[str, str] | None = None, **headers: str) -> Any:
    return client.post(
        "/v1/oauth/token", data={"grant_type": "client_credentials", **(form or {})}, headers=headers
    )


def basic(id_: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id_}:{secret}".encode()).decode()


def test_a_token_stands_for_its_key_with_fewer_scopes(client: TestClient, scene: City) -> None:
    with scene.database.connect() as conn:
        key, made = storage_keys.create(conn, ["admin"])
    answer = token(client, {"scope": "registry:write"}, Authorization=basic(made.prefix, key))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "registry:write")
    assert get(client, body["access_token"], "/v1/parks").status_code == 200
    assert get(client, body["access_token"], EMISSIONS, **DAY).status_code == 403
    secret = key.removeprefix(f"cm_{made.prefix}_")
    whole = token(client, {"client_id": made.prefix, "client_secret": secret}).json()
    assert whole["scope"] == "admin"
    assert get(client, whole["access_token"], EMISSIONS, **DAY).status_code == 200
    with scene.database.connect() as conn:
        assert conn.execute("SELECT DISTINCT alg FROM access_tokens").fetchall() == [("sha-256",)]
        storage_keys.revoke(conn, made.prefix)
    for text in (body["access_token"], whole["access_token"]):
        assert get(client, text, "/v1/parks").status_code == 401


def test_a_token_has_its_keys_tenant(client: TestClient, scene: City) -> None:
    key = key_of(scene, Role.REGULATOR, STEEL)
    text = token(client, {"client_id": key.split("_")[1], "client_secret": key}).json()["access_token"]
    assert get(client, text, EMISSIONS, **DAY).status_code == 200
    assert get(client, text, f"/v1/enterprises/{CEMENT}/emissions", **DAY).status_code == 404


def test_a_token_ends(client: TestClient, scene: City) -> None:
    key = key_of(scene, Role.AUDITOR, STEEL)
    text = token(client, {"client_id": key.split("_")[1], "client_secret": key}).json()["access_token"]
    with scene.database.connect() as conn:
        conn.execute("UPDATE access_tokens SET expires_at = created_at")
    assert get(client, text, "/v1/parks").status_code == 401


def test_a_token_that_was_looked_up_ends_too(scene: City) -> None:
    clock = FixedClock(datetime.now(UTC))
    key = key_of(scene, Role.AUDITOR, STEEL)
    with client_of(scene, clock=clock) as client:
        text = token(client, {"client_id": key.split("_")[1], "client_secret": key}).json()["access_token"]
        assert get(client, text, "/v1/parks").status_code == 200
        clock.now += timedelta(hours=2)
        with scene.database.connect() as conn:
            conn.execute("UPDATE access_tokens SET expires_at = created_at")
        assert get(client, text, "/v1/parks").status_code == 401


@pytest.mark.parametrize(
    ("form", "header", "status", "error"),
    [
        ({"grant_type": "password"}, "good", 400, "unsupported_grant_type"),
        ({"grant_type": ""}, "good", 400, "invalid_request"),
        ({"scope": "emissions:read admin"}, "good", 400, "invalid_scope"),
        ({"scope": "everything"}, "good", 400, "invalid_scope"),
        ({}, "wrong", 401, "invalid_client"),
        ({}, "nonsense", 401, "invalid_client"),
        ({}, None, 401, "invalid_client"),
        ({"client_secret": "x", "client_id": "y"}, "good", 400, "invalid_request"),
    ],
)
def test_refusals_of_tokens_are_those_of_the_rfc(
    client: TestClient, scene: City, form: dict[str, str], header: str | None, status: int, error: str
) -> None:
    key = key_of(scene, Role.AUDITOR, STEEL)
    prefix = key.split("_")[1]
    given = {
        "good": {"Authorization": basic(prefix, key)},
        "wrong": {"Authorization": basic(prefix, key[:-1] + "!")},
        "nonsense": {"Authorization": "Basic !"},
        None: {},
    }[header]
    answer = token(client, form, **given)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json()["error_description"]
    assert answer.headers["content-type"] == "application/json"
    if header in ("wrong", "nonsense"):
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_form_is_read_strictly(client: TestClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for content, headers in (
        (b"grant_type=client_credentials&grant_type=client_credentials", form),
        (b"\xff", form),
        (b'{"grant_type": "client_credentials"}', {"Content-Type": "application/json"}),
    ):
        answer = client.post("/v1/oauth/token", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def stop_the_clock(client: TestClient) -> None:
    """Of rates: however slow this machine is, nothing is filled again meanwhile."""
    app: Any = client.app
    app.state.context.rates = Rates(lambda: 0.0)


def test_secrets_are_not_tried_in_bulk(scene: City) -> None:
    with client_of(scene) as client:
        stop_the_clock(client)
        answers = [token(client, {"client_id": "aaaaaaaa", "client_secret": str(n)}) for n in range(12)]
        assert answers[0].status_code == 401
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert token(client, {"client_id": "bbbbbbbb", "client_secret": "x"}).status_code == 401


# -- the log of reads ---------------------------------------------------------------------------------


def test_an_enterprise_sees_who_read_of_its_account_and_of_no_other(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        owner, other = key_of(city, Role.ENTERPRISE, STEEL), key_of(city, Role.ENTERPRISE, CEMENT)
        with city.database.connect() as conn:
            text, regulator = storage_keys.create(
                conn, [], role="regulator", tenant=["430304"], name="生态环境局", basis="条例 §1"
            )
        asked = client.get(
            EMISSIONS, params=DAY, headers={"Authorization": f"Bearer {text}", "X-Request-Id": "ask-1"}
        )
        assert asked.headers["x-request-id"] == "ask-1"
        assert get(client, other, EMISSIONS, **DAY).status_code == 404
        get(client, key_of(city, Role.AUDITOR, STEEL), "/v1/enterprises")
        path = f"/v1/enterprises/{STEEL}/read-log"
        items = get(client, owner, path).json()["items"]
        first, refused, listed = items
        assert first | {"number": 0, "at": "", "digest": ""} == {
            "number": 0,
            "at": "",
            "request_id": "ask-1",
            "who": "生态环境局",
            "key": regulator.prefix,
            "role": "regulator",
            "tenant": ["430304"],
            "what": "GET /v1/enterprises/{uscc}/emissions",
            "part": "emissions",
            "object": "",
            "period": {"from": "2024-05-01T00:00:00+08:00", "to": "2024-05-02T00:00:00+08:00"},
            "basis": "条例 §1",
            "status": 200,
            "alg": "sha-256",
            "digest": "",
        }
        assert (refused["role"], refused["basis"], refused["status"]) == ("enterprise", "none", 404)
        assert (listed["role"], listed["part"]) == ("auditor", "identity")
        # the other enterprise was in that list too, and sees no more than that
        own = get(client, other, f"/v1/enterprises/{CEMENT}/read-log").json()["items"]
        assert [each["part"] for each in own] == ["identity"]
        assert get(client, other, path).status_code == 404
        # pages, times, and its own reading of the log
        page = get(client, owner, path, limit=1).json()
        assert page["next"] is not None
        assert len(page["items"]) == 1
        again = get(client, owner, path, limit=1000, cursor=page["next"]).json()["items"]
        assert [each["part"] for each in again][-1] == "read_log"
        assert get(client, owner, path, to="2000-01-01T00:00:00Z").json()["items"] == []


def test_the_chain_shows_what_was_changed_or_taken_out(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        key = key_of(city, Role.AUDITOR, STEEL)
        for _ in range(5):
            assert get(client, key, EMISSIONS, **DAY).status_code == 200

        def broken() -> list[tuple[int, str]]:
            with city.database.connect() as conn:
                return [(each.number, each.fault) for _, each in read_log.walk(conn) if each is not None]

        assert broken() == []
        with city.database.connect(autocommit=True) as conn:
            for statement in (
                "UPDATE read_log SET who = 'x'",
                "DELETE FROM read_log",
                "TRUNCATE read_log CASCADE",
            ):
                with pytest.raises(psycopg.errors.RaiseException, match="only added to"):
                    conn.execute(statement.encode())
            # who owns the table can take the trigger away: the chain tells of it
            conn.execute("ALTER TABLE read_log DISABLE TRIGGER ALL")
            conn.execute("UPDATE read_log SET basis = 'own' WHERE number = 2")
            assert broken() == [(2, "isn't what its digest is of")]
            conn.execute("ALTER TABLE read_log_enterprises DISABLE TRIGGER ALL")
            conn.execute("DELETE FROM read_log_enterprises WHERE number = 4")
            conn.execute("DELETE FROM read_log WHERE number = 4")
            assert [number for number, _ in broken()] == [2, 5]


def test_many_readers_at_once_make_one_chain(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        key = key_of(city, Role.AUDITOR, STEEL)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: get(client, key, EMISSIONS, **DAY), range(80)))
        assert {answer.status_code for answer in answers} == {200}
        with city.database.connect() as conn:
            walked = list(read_log.walk(conn))
            ids = {row[0] for row in conn.execute("SELECT request_id FROM read_log")}
        assert [number for number, _ in walked] == list(range(1, 81))
        assert all(fault is None for _, fault in walked)
        assert ids == {answer.headers["x-request-id"] for answer in answers}


def test_what_cannot_be_logged_is_not_answered(plain_server: DatabaseServer) -> None:
    with two_tenants(plain_server) as city, client_of(city) as client:
        key = key_of(city, Role.AUDITOR, STEEL)
        with city.database.connect(autocommit=True) as conn:
            conn.execute("ALTER TABLE read_log RENAME TO read_log_elsewhere")
            refused = get(client, key, EMISSIONS, **DAY)
            assert refused.status_code == 503
            assert "co2e_kg" not in refused.text
            assert refused.headers["retry-after"] == "1"
            assert get(client, key, "/v1/parks").status_code == 200  # of nobody
            conn.execute("ALTER TABLE read_log_elsewhere RENAME TO read_log")
        assert get(client, key, EMISSIONS, **DAY).status_code == 200


def test_a_request_id_is_taken_where_it_is_one(client: TestClient) -> None:
    for sent, taken in (("abc-1.2_3", True), ("x" * 65, False), ("a b", False), ("", False)):
        answer = client.get("/v1/health/live", headers={"X-Request-Id": sent})
        assert (answer.headers["x-request-id"] == sent) == taken


# -- sums ---------------------------------------------------------------------------------------------


def test_cells_that_tell_too_much_are_suppressed() -> None:
    assert is_suppressed([])
    assert is_suppressed([5, 5])
    assert is_suppressed([801, 100, 99])
    assert not is_suppressed([800, 100, 100])
    assert not is_suppressed([1, 1, 1])
    assert is_suppressed([-900, 50, 50])
    assert not is_suppressed([0, 0, 0])


def test_sums_are_whole_and_suppressed_for_whom_may_not_read_every_member(
    client: TestClient, scene: City
) -> None:
    for path in ("/v1/districts/430300/emissions", "/v1/parks/XT-ETDZ/emissions"):
        for by in ("total", "scope"):
            whole = get(client, key_of(scene, Role.AUDITOR, STEEL), path, **DAY, by=by).json()["items"]
            assert any(each["co2e_kg"] for each in whole)
            for role in (Role.ENTERPRISE, Role.BANK, Role.PLATFORM):
                items = get(client, key_of(scene, role, CEMENT), path, **DAY, by=by).json()["items"]
                assert len(items) == len(whole)
                for each in items:
                    assert each["flags"] == ["suppressed"]
                    assert each["co2e_kg"] is each["coverage"] is each["factor_set"] is None
    # a park's key reads each of its members: nothing is kept back
    own = get(client, key_of(scene, Role.PARK, STEEL), "/v1/parks/XT-ETDZ/emissions", **DAY).json()["items"]
    assert (
        own
        == get(client, key_of(scene, Role.AUDITOR, STEEL), "/v1/parks/XT-ETDZ/emissions", **DAY).json()[
            "items"
        ]
    )


# -- limits -------------------------------------------------------------------------------------------


def test_a_key_that_asks_too_often_waits(scene: City) -> None:
    with scene.database.connect() as conn:
        slow, _ = storage_keys.create(conn, [Scope.EMISSIONS_READ], limits={"rate": 1})
    with client_of(scene) as client:
        stop_the_clock(client)
        answers = [get(client, slow, "/v1/parks") for _ in range(4)]
        assert answers[0].status_code == 200
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["type"].endswith("too-many-requests")
        # another key has a rate of its own
        assert get(client, key_of(scene, Role.AUDITOR, STEEL), "/v1/parks").status_code == 200


def test_rates_fill_again() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    assert [rates.wait_s("a", 2) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now = 0.5
    assert [rates.wait_s("a", 2) for _ in range(2)] == [0, 0.5]
    now = 100.0
    assert [rates.wait_s("a", 2) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_range_page_and_body_are_limited_by_key_and_server(scene: City) -> None:
    with scene.database.connect() as conn:
        key, made = storage_keys.create(
            conn,
            [Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE],
            limits={"range_days": 2, "page": 3, "body_bytes": 100},
        )
    assert DEFAULT_LIMITS.of(made) == Limits(DEFAULT_LIMITS.rate, 2, 3, 100)
    with client_of(scene) as client:
        long = {"from": "2024-05-01T00:00:00Z", "to": "2024-05-03T00:15:00Z"}
        refused = get(client, key, EMISSIONS, **long)
        assert refused.status_code == 422
        assert "2 days" in refused.json()["detail"]
        page = get(client, key, EMISSIONS, **DAY, granularity="hour", limit=100).json()
        assert len(page["items"]) == 3
        assert page["next"] is not None
        headers = {"Authorization": f"Bearer {key}"}
        big = client.post("/v1/inventories", content=b"x" * 101, headers=headers)
        assert big.status_code == 413
        parts = client.post("/v1/inventories", content=iter([b"x" * 60, b"x" * 60]), headers=headers)
        assert parts.status_code == 413
    small = Limits(1000, 36_600, 10_000, 50)
    with client_of(scene, limits=small) as client:
        whole = scene.key(Scope.ADMIN)
        answer = client.post(
            "/v1/held/discard",
            json={"ids": list(range(1, 100))},
            headers={"Authorization": f"Bearer {whole}"},
        )
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
