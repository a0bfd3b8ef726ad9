"""What holds for all routes: one shape of errors, keys and scopes, an OpenAPI document that says it all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from accounting.factors.load import load as load_library
from api import schemas
from api.app import create_app
from api.errors import KINDS, TYPE_PREFIX
from api.operations import Selection
from api.settings import ApiSettings
from domain.errors import Fault, FaultyDocument, Refused, SettingsError, Unavailable
from storage.keys import Scope
from tests.api.conftest import PLATFORM_KEY, STEEL, City, FixedClock, client_of
from tests.api.findings_scene import add_finding
from tests.api.grade_scene import add_grades

RANGE = {"from": "2024-05-01T00:00:00Z", "to": "2024-05-02T00:00:00Z"}
ENTERPRISE = f"/v1/enterprises/{STEEL}"

# Every route with parameters that it answers 200 to, and the scopes that may ask.
READ, REGISTRY, WRITE, ADMIN = Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE, Scope.READINGS_WRITE, Scope.ADMIN
CONSENTS = Scope.CONSENTS_WRITE
ROUTES: list[tuple[str, str, str, dict[str, str], set[Scope] | None]] = [
    ("GET", "/v1/health/live", "/v1/health/live", {}, None),
    ("GET", "/v1/health/ready", "/v1/health/ready", {}, None),
    ("GET", "/v1/version", "/v1/version", {}, None),
    ("GET", "/v1/enterprises", "/v1/enterprises", {}, {READ, REGISTRY}),
    ("GET", "/v1/enterprises/{uscc}", ENTERPRISE, {}, {READ, REGISTRY}),
    ("GET", "/v1/changes", "/v1/changes", {}, {READ}),
    ("GET", "/v1/webhooks", "/v1/webhooks", {}, set()),
    ("POST", "/v1/webhooks", "/v1/webhooks", {}, set()),
    ("POST", "/v1/webhooks/{id}/replay", "/v1/webhooks/1/replay", {}, set()),
    ("POST", "/v1/webhooks/{id}/remove", "/v1/webhooks/2/remove", {}, set()),
    ("GET", "/v1/evidence/keys", "/v1/evidence/keys", {}, {READ}),
    ("GET", "/v1/evidence/checkpoint", "/v1/evidence/checkpoint", {}, {READ}),
    ("GET", "/v1/evidence/leaf", "/v1/evidence/leaf", {"index": "0"}, {READ}),
    ("GET", "/v1/evidence/inclusion", "/v1/evidence/inclusion", {"index": "0"}, {READ}),
    ("GET", "/v1/evidence/consistency", "/v1/evidence/consistency", {"from": "1"}, {READ}),
    ("GET", "/v1/parks", "/v1/parks", {}, {READ, REGISTRY}),
    ("GET", "/v1/meters", "/v1/meters", {"uscc": STEEL}, {READ, REGISTRY}),
    ("GET", "/v1/registry/changes", "/v1/registry/changes", {}, {READ, REGISTRY}),
    (
        "GET",
        "/v1/enterprises/{uscc}/readings",
        f"{ENTERPRISE}/readings",
        {**RANGE, "channel": "E-01/import_kwh"},
        {READ},
    ),
    (
        "GET",
        "/v1/enterprises/{uscc}/consumption",
        f"{ENTERPRISE}/consumption",
        {**RANGE, "channel": "E-01/import_kwh"},
        {READ},
    ),
    ("GET", "/v1/enterprises/{uscc}/emissions", f"{ENTERPRISE}/emissions", RANGE, {READ}),
    ("GET", "/v1/enterprises/{uscc}/windows", f"{ENTERPRISE}/windows", {}, {READ}),
    (
        "GET",
        "/v1/enterprises/{uscc}/intensity",
        f"{ENTERPRISE}/intensity",
        {**RANGE, "product": "crude_steel"},
        {READ},
    ),
    (
        "GET",
        "/v1/enterprises/{uscc}/derivation",
        f"{ENTERPRISE}/derivation",
        {**RANGE, "source": "grid"},
        {READ},
    ),
    ("GET", "/v1/enterprises/{uscc}/restatements", f"{ENTERPRISE}/restatements", RANGE, {READ}),
    (
        "GET",
        "/v1/enterprises/{uscc}/difference",
        f"{ENTERPRISE}/difference",
        {**RANGE, "as_of": "2024-05-01T00:00:00Z"},
        {READ},
    ),
    ("GET", "/v1/enterprises/{uscc}/reports", f"{ENTERPRISE}/reports", {}, {READ}),
    ("POST", "/v1/enterprises/{uscc}/reports", f"{ENTERPRISE}/reports", {}, set()),
    ("GET", "/v1/enterprises/{uscc}/reports/{year}", f"{ENTERPRISE}/reports/2024", {}, {READ}),
    ("GET", "/v1/reports/{id}", "/v1/reports/1", {}, {READ}),
    ("GET", "/v1/reports/{id}/differences", "/v1/reports/1/differences", {}, {READ}),
    ("GET", "/v1/parks/{code}/emissions", "/v1/parks/XT-ETDZ/emissions", RANGE, {READ}),
    ("GET", "/v1/districts/{code}/emissions", "/v1/districts/430300/emissions", RANGE, {READ}),
    ("GET", "/v1/gateways/{uscc}/{id}/account", f"/v1/gateways/{STEEL}/gw1/account", {}, {READ, WRITE}),
    ("POST", "/v1/inventories", "/v1/inventories", {}, {READ, REGISTRY, WRITE, CONSENTS}),
    ("POST", "/v1/history", "/v1/history", {"uscc": STEEL, "provenance": "reported"}, {REGISTRY}),
    ("GET", "/v1/history", "/v1/history", {"year": "2023"}, {READ}),
    ("GET", "/v1/history/templates/{industry}", "/v1/history/templates/steel", {}, {READ, REGISTRY}),
    ("GET", "/v1/enterprises/{uscc}/history", f"{ENTERPRISE}/history", {}, {READ}),
    ("GET", "/v1/enterprises/{uscc}/history/{year}", f"{ENTERPRISE}/history/2023", {}, {READ}),
    ("POST", "/v1/quotas", "/v1/quotas", {}, {REGISTRY}),
    ("GET", "/v1/enterprises/{uscc}/quota/{year}", f"{ENTERPRISE}/quota/2024", {}, {READ}),
    (
        "GET",
        "/v1/enterprises/{uscc}/quota/{year}/statements",
        f"{ENTERPRISE}/quota/2024/statements",
        {},
        {READ},
    ),
    ("GET", "/v1/enterprises/{uscc}/electricity/{year}", f"{ENTERPRISE}/electricity/2024", {}, {READ}),
    ("GET", "/v1/enterprises/{uscc}/certificates", f"{ENTERPRISE}/certificates", {}, {READ}),
    ("POST", "/v1/enterprises/{uscc}/certificates", f"{ENTERPRISE}/certificates", {}, {REGISTRY}),
    ("POST", "/v1/enterprises/{uscc}/certificates/void", f"{ENTERPRISE}/certificates/void", {}, {REGISTRY}),
    ("POST", "/v1/financed-emissions", "/v1/financed-emissions", {}, {READ}),
    ("GET", "/v1/findings", "/v1/findings", {"uscc": STEEL}, {READ, REGISTRY}),
    ("GET", "/v1/findings/{id}", "/v1/findings/1", {}, {READ, REGISTRY}),
    ("POST", "/v1/findings/{id}/explain", "/v1/findings/1/explain", {}, {REGISTRY}),
    ("POST", "/v1/findings/{id}/settle", "/v1/findings/2/settle", {}, {REGISTRY}),
    ("GET", "/v1/validation/rules", "/v1/validation/rules", {}, {READ, REGISTRY}),
    ("GET", "/v1/deadletters", "/v1/deadletters", {}, {READ}),
    ("POST", "/v1/deadletters/replay", "/v1/deadletters/replay", {}, set()),
    ("GET", "/v1/held", "/v1/held", {}, {READ}),
    ("POST", "/v1/held/release", "/v1/held/release", {}, set()),
    ("POST", "/v1/held/discard", "/v1/held/discard", {}, set()),
    ("GET", "/v1/enterprises/{uscc}/grade", f"{ENTERPRISE}/grade", {}, {READ}),
    ("GET", "/v1/enterprises/{uscc}/grades", f"{ENTERPRISE}/grades", {}, {READ}),
    ("GET", "/v1/enterprises/{uscc}/grade-statements", f"{ENTERPRISE}/grade-statements", {}, {READ}),
    ("GET", "/v1/enterprises/{uscc}/objections", f"{ENTERPRISE}/objections", {}, {READ}),
    ("GET", "/v1/districts/{code}/ranking", "/v1/districts/430300/ranking", {}, {READ}),
    ("POST", "/v1/grades/statements", "/v1/grades/statements", {}, {REGISTRY}),
    ("POST", "/v1/grades/{id}/objections", "/v1/grades/2/objections", {}, {REGISTRY}),
    ("GET", "/v1/grades/shadow", "/v1/grades/shadow", {}, {READ}),
    ("GET", "/v1/grade-schemes", "/v1/grade-schemes", {}, {READ}),
    ("POST", "/v1/grade-schemes", "/v1/grade-schemes", {}, set()),
    ("GET", "/v1/consents", "/v1/consents", {}, {READ, CONSENTS}),
    ("POST", "/v1/consents", "/v1/consents", {}, {CONSENTS}),
    ("GET", "/v1/consents/{id}", "/v1/consents/1", {}, {READ, CONSENTS}),
    ("POST", "/v1/consents/{id}/revoke", "/v1/consents/1/revoke", {}, {CONSENTS}),
    ("GET", "/v1/enterprises/{uscc}/read-log", f"{ENTERPRISE}/read-log", {}, {READ}),
]
STREAM = ("GET", "/v1/changes/stream")  # answers no JSON: tests/api/test_changes.py
TOKENS = ("POST", "/v1/oauth/token")  # neither asks for a key as the others do, nor refuses as they do

# What is posted, where it isn't a choice of letters or held readings.
BODIES: dict[str, dict[str, Any]] = {
    "/v1/webhooks": {"url": "https://platform.example/hook", "key": PLATFORM_KEY},
    "/v1/webhooks/1/replay": {"cursor": "0"},
    "/v1/grades/statements": {
        "statements": [
            {"uscc": STEEL, "facts": [{"id": "ACCIDENT", "from": "2024-01", "evidence": "case 1"}]}
        ],
        "why": "a test",
    },
    "/v1/grades/2/objections": {"text": "value added is wrong"},
    "/v1/grade-schemes": {"adopt": "xt-default 1.0.0", "from": "2026-01", "why": "the city's"},
    "/v1/financed-emissions": {
        "year": 2024,
        "loans": [{"id": "1", "uscc": STEEL, "year_end": "9000000", "equity": "90000000", "debt": "0"}],
    },
    "/v1/quotas": {
        "statements": [
            {
                "uscc": STEEL,
                "year": 2024,
                "sector": "steel",
                "lines": [{"id": "bf", "emissions_t": "10", "output": {"amount": "7"}}],
            }
        ],
        "why": "the plan",
    },
    f"{ENTERPRISE}/certificates": {
        "certificates": [
            {"number": "GEC-1", "year": 2024, "retired_on": "2024-06-01", "evidence": "the register"}
        ]
    },
    f"{ENTERPRISE}/certificates/void": {"number": "GEC-1", "why": "entered twice"},
    "/v1/consents": {
        "uscc": STEEL,
        "consumer": "icbc",
        "purpose": "a loan",
        "fields": ["emissions"],
        "periods": [{"from": "2024-01-01", "to": "2025-01-01"}],
        "granted_by": "the manager",
        "legal_text_hash": "0" * 64,
    },
    "/v1/consents/1/revoke": {"why": "repaid"},
    "/v1/findings/1/explain": {"text": "a third feeder has no meter"},
    "/v1/findings/2/settle": {"text": "the meter was replaced"},
    f"{ENTERPRISE}/reports": {"year": 2024, "why": "the yearly report"},
    "/v1/inventories": {
        "industry": "steel",
        "period": {"from": "2023-01-01", "to": "2024-01-01"},
        "activities": [{"source": "purchased_heat", "amount": "1", "unit": "GJ"}],
    },
}
FILES: dict[str, str] = {"/v1/history": "year,source,amount,unit\n2023,purchased_heat,1,GJ\n"}


class Recorder:
    """Operations that only note what they are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Selection, str]] = []

    def _note(self, what: str, selection: Selection, by: str) -> Mapping[str, int]:
        self.asked.append((what, selection, by))
        return {what: 1}

    def replay(self, selection: Selection, by: str) -> Mapping[str, int]:
        return self._note("replayed", selection, by)

    def release(self, selection: Selection, by: str) -> Mapping[str, int]:
        return self._note("released", selection, by)

    def discard(self, selection: Selection, by: str) -> Mapping[str, int]:
        return self._note("discarded", selection, by)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def keys(city: City) -> dict[str, str]:
    return {scope: city.key(scope, name=f"the {scope} key") for scope in Scope}


@pytest.fixture(scope="module")
def anyone(city: City, recorder: Recorder, keys: dict[str, str]) -> Iterator[TestClient]:
    """A client without a key, of a server that has published report 1 and has a year of STEEL."""
    with client_of(city, operations=recorder, needed_services=()) as client:
        assert send(client, "POST", f"{ENTERPRISE}/reports", {}, keys[ADMIN]).json()["id"] == 1
        assert [add_finding(city, subject) for subject in ("E-01/import_kwh", "E-02/import_kwh")] == [1, 2]
        assert add_grades(city) == [1, 2]
        history = {"uscc": STEEL, "provenance": "reported"}
        assert send(client, "POST", "/v1/history", history, keys[ADMIN]).status_code == 201
        assert send(client, "POST", "/v1/consents", {}, keys[ADMIN]).json()["id"] == 1
        yield client


def send(client: TestClient, method: str, path: str, parameters: dict[str, str], key: str | None) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    if method == "POST" and path in FILES:
        headers["Content-Type"] = "text/csv"
        return client.post(path, params=parameters, headers=headers, content=FILES[path])
    body = BODIES.get(path, {"ids": [1]}) if method == "POST" else None
    return client.request(method, path, params=parameters, headers=headers, json=body)


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    schemas.Problem.model_validate(body, strict=True)
    assert body["status"] == status
    assert body["type"] == TYPE_PREFIX + KINDS[status][0]
    assert body["title"] == KINDS[status][1]
    assert all(error["message"] for error in body["errors"])
    assert not re.search(r"[{}]", body["detail"]), "a placeholder that was never filled"
    return body


def test_the_table_above_has_every_route(anyone: TestClient) -> None:
    document = anyone.get("/openapi.json").json()
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert documented == {(method, template) for method, template, *_ in ROUTES} | {TOKENS, STREAM}
    assert len(documented) >= 22


def test_operations_have_names_of_their_own(anyone: TestClient) -> None:
    """Clients call them by these."""
    paths = anyone.get("/openapi.json").json()["paths"].values()
    names = [operation["operationId"] for methods in paths for operation in methods.values()]
    assert sorted(set(names)) == sorted(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("method", "path", "parameters", "scopes"), [(m, p, q, s) for m, _, p, q, s in ROUTES]
)
def test_keys_and_scopes(
    anyone: TestClient,
    keys: dict[str, str],
    method: str,
    path: str,
    parameters: dict[str, str],
    scopes: set[Scope] | None,
) -> None:
    if scopes is None:
        assert send(anyone, method, path, parameters, None).status_code == 200
        return
    problem = send(anyone, method, path, parameters, None)
    assert_problem(problem, 401)
    assert problem.headers["www-authenticate"].startswith("Bearer")
    for wrong in ("nonsense", "cm_00000000_" + "x" * 43, keys[ADMIN][:-1] + "!"):
        assert_problem(send(anyone, method, path, parameters, wrong), 401)
    for scope, key in keys.items():
        response = send(anyone, method, path, parameters, key)
        if scope in scopes or scope == ADMIN:
            assert response.status_code in (200, 201), response.text
        else:
            assert_problem(response, 403)
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "template", "path", "parameters"), [route[:4] for route in ROUTES])
def test_answers_have_the_shape_that_the_document_says(
    anyone: TestClient,
    keys: dict[str, str],
    method: str,
    template: str,
    path: str,
    parameters: dict[str, str],
) -> None:
    routes = {(min(route.methods), route.path): route for route in all_routes(anyone) if route.methods}
    model = routes[method, template].response_model
    body = send(anyone, method, path, parameters, keys[ADMIN]).json()
    TypeAdapter(model).validate_python(body)


def all_routes(client: TestClient) -> list[APIRoute]:
    """The routes of the application, those of included routers too."""
    app: Any = client.app
    found: list[APIRoute] = []
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        elif isinstance(getattr(route, "original_router", None), APIRouter):
            waiting += route.original_router.routes
    return found


def test_a_revoked_key_ends_at_once(anyone: TestClient, city: City) -> None:
    from storage import keys as storage_keys

    key = city.key(READ)
    assert send(anyone, "GET", "/v1/parks", {}, key).status_code == 200
    with city.database.connect() as conn:
        assert storage_keys.revoke(conn, key.split("_")[1]) is not None
    assert_problem(send(anyone, "GET", "/v1/parks", {}, key), 401)


def test_a_gateways_key_reads_its_own_account_alone(anyone: TestClient, city: City) -> None:
    key = city.key(WRITE, gateways=[f"{STEEL}/gw1"])
    assert send(anyone, "GET", f"/v1/gateways/{STEEL}/gw1/account", {}, key).status_code == 200
    assert_problem(send(anyone, "GET", f"/v1/gateways/{STEEL}/gw2/account", {}, key), 403)


@pytest.mark.parametrize("header", ["", "Basic eDp5", "Bearer", "Bearer   ", "Bearer a b", "bearer\tx"])
def test_other_kinds_of_authorization_are_refused(anyone: TestClient, header: str) -> None:
    assert_problem(anyone.get("/v1/parks", headers={"Authorization": header}), 401)


def test_without_a_key_nothing_else_is_said(anyone: TestClient) -> None:
    """A fault of a parameter doesn't show before the key does."""
    assert_problem(anyone.get(f"{ENTERPRISE}/emissions"), 401)
    assert_problem(anyone.get("/v1/enterprises/unknown/emissions", params=RANGE), 401)


def test_open_reads_answer_reads_alone(city: City) -> None:
    with client_of(city, open_reads=True) as client:
        assert client.get(f"{ENTERPRISE}/emissions", params=RANGE).status_code == 200
        assert client.get("/v1/deadletters").status_code == 200
        assert_problem(client.post("/v1/held/discard", json={"ids": [1]}), 401)
        assert_problem(client.get("/v1/parks", headers={"Authorization": "Bearer x"}), 401)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_open_reads_are_for_loopback_alone(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        ApiSettings("", host=host, open_reads=True)
    ApiSettings("", host="::1", open_reads=True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/enterprises/", 404),
        ("GET", "/nothing.html", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/../settings.py", 404),
        ("GET", "/static/%2e%2e/settings.py", 404),
        ("DELETE", "/v1/enterprises", 405),
        ("POST", "/v1/parks", 405),
        ("PUT", "/v1/held/release", 405),
        ("GET", "/v1/held/release", 405),
        ("POST", "/static/app.js", 405),
    ],
)
def test_nothing_there(anyone: TestClient, method: str, path: str, status: int) -> None:
    assert_problem(anyone.request(method, path), status)


@pytest.mark.parametrize(
    ("path", "parameters", "place"),
    [
        ("/v1/enterprises/91430302XT0000019X", {}, "uscc"),
        ("/v1/enterprises/91430302XT0000019X/emissions", RANGE, "uscc"),
        ("/v1/enterprises/91430302XT0000019X/windows", {}, "uscc"),
        ("/v1/meters", {"uscc": "x"}, "uscc"),
        (f"{ENTERPRISE}/consumption", {**RANGE, "channel": "E-99/x"}, "channel"),
        (f"{ENTERPRISE}/readings", {**RANGE, "channel": "E-99/x"}, "channel"),
        (f"{ENTERPRISE}/intensity", {**RANGE, "product": "gold"}, "product"),
        (f"{ENTERPRISE}/derivation", {**RANGE, "source": "sun"}, "source"),
        ("/v1/enterprises/91430302XT0000019X/reports/2024", {}, "uscc"),
        ("/v1/reports/99", {}, "id"),
        ("/v1/findings/99", {}, "id"),
        ("/v1/findings", {"uscc": "91430302XT0000019X"}, "uscc"),
        ("/v1/enterprises/91430302XT0000019X/history", {}, "uscc"),
        (f"{ENTERPRISE}/history/1999", {}, "year"),
        ("/v1/history/templates/bakery", {}, "industry"),
        ("/v1/reports/99/differences", {}, "id"),
        ("/v1/parks/NOWHERE/emissions", RANGE, "code"),
        (f"/v1/gateways/{STEEL}/gw99/account", {}, "id"),
        ("/v1/gateways/x%00y/gw/account", {}, "id"),
    ],
)
def test_what_is_not_registered_is_not_found(
    anyone: TestClient, keys: dict[str, str], path: str, parameters: dict[str, str], place: str
) -> None:
    body = assert_problem(send(anyone, "GET", path, parameters, keys[ADMIN]), 404)
    assert [error["place"] for error in body["errors"]] == [place]


@pytest.mark.parametrize(
    ("path", "parameters", "places"),
    [
        (f"{ENTERPRISE}/consumption", {}, {"channel", "from", "to"}),
        (f"{ENTERPRISE}/consumption", {**RANGE, "channel": "E-01"}, {"channel"}),
        (f"{ENTERPRISE}/readings", {**RANGE, "channel": "E-01/a/b"}, {"channel"}),
        (f"{ENTERPRISE}/readings", {**RANGE, "channel": "E-01/import_kwh", "limit": "x"}, {"limit"}),
        (f"{ENTERPRISE}/intensity", RANGE, {"product"}),
        (f"{ENTERPRISE}/derivation", RANGE, {"source"}),
        (f"{ENTERPRISE}/derivation", {**RANGE, "source": "grid", "from": "2020-01-01T00:00:00Z"}, {"to"}),
        (f"{ENTERPRISE}/windows", {"at": "yesterday"}, {"at"}),
        (f"{ENTERPRISE}/reports/99999", {"format": "doc", "lang": "fr"}, {"year", "format", "lang"}),
        (f"{ENTERPRISE}/reports/2024", {"as_of": "2099-01-01T00:00:00Z"}, {"as_of"}),
        ("/v1/reports/x", {}, {"id"}),
        ("/v1/findings", {"rule": "x", "severity": "x", "from": "x"}, {"rule", "severity", "from"}),
        ("/v1/findings", {"state": "x", "to": "x"}, {"state", "to"}),
        ("/v1/findings", {"from": "2024-05-01T00:00:00Z", "to": "2024-05-01T00:00:00Z"}, {"to"}),
        ("/v1/findings", {"cursor": "AAAA"}, {"cursor"}),
        ("/v1/history", {"year": "23", "district": "x"}, {"year", "district"}),
        ("/v1/history", {"year": "2023", "to_year": "2024"}, {"year"}),
        ("/v1/history", {"from_year": "2024", "to_year": "2020"}, {"to_year"}),
        ("/v1/history", {"industry": "bakery"}, {"industry"}),
        ("/v1/history/templates/steel", {"format": "doc", "lang": "fr"}, {"format", "lang"}),
        ("/v1/history/templates/steel", {"edition": "mee-2024"}, {"edition"}),
        ("/v1/districts/4303xx/emissions", RANGE, {"code"}),
        ("/v1/deadletters", {"reason": "bad", "gateway": "gw1", "from": "x"}, {"reason", "gateway", "from"}),
        ("/v1/held", {"reason": "bad_time"}, {"reason"}),
        ("/v1/enterprises", {"limit": "-1", "cursor": "x" * 600}, {"limit", "cursor"}),
        ("/v1/registry/changes", {"cursor": "AAAA"}, {"cursor"}),
    ],
)  # fmt: skip
def test_faults_of_parameters_are_all_named(
    anyone: TestClient, keys: dict[str, str], path: str, parameters: dict[str, str], places: set[str]
) -> None:
    body = assert_problem(send(anyone, "GET", path, parameters, keys[ADMIN]), 422)
    assert {error["place"] for error in body["errors"]} == places


@pytest.mark.parametrize("action", ["/v1/deadletters/replay", "/v1/held/release", "/v1/held/discard"])
@pytest.mark.parametrize(
    ("body", "places"),
    [
        (b"{", {"body"}),
        (b"[]", {"body"}),
        (b'{"id": [1]}', {"body.id"}),
        (b'{"ids": ["x", 0], "from": "now"}', {"body.ids[0]", "body.ids[1]", "body.from"}),
        (b'{"gateway": "gw1", "reason": 1}', {"body.gateway", "body.reason"}),
        (b'{"reason": "because"}', {"body.reason"}),
        (b'{"ids": [99999999999999999999]}', {"body.ids[0]"}),
    ],
)  # fmt: skip
def test_faults_of_bodies_are_all_named(
    anyone: TestClient, keys: dict[str, str], action: str, body: bytes, places: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {keys[ADMIN]}", "Content-Type": "application/json"}
    problem = assert_problem(anyone.post(action, content=body, headers=headers), 422)
    assert {error["place"] for error in problem["errors"]} == places


def test_actions_are_signed_and_name_what_they_take(
    anyone: TestClient, keys: dict[str, str], recorder: Recorder
) -> None:
    headers = {"Authorization": f"Bearer {keys[ADMIN]}"}
    recorder.asked.clear()
    chosen = {
        "reason": "unknown_meter",
        "gateway": f"{STEEL}/gw1",
        "from": "2024-05-01T00:00:00Z",
        "ids": [3, 4],
    }
    assert anyone.post("/v1/held/release", json=chosen, headers=headers).json() == {"released": 1}
    assert anyone.post("/v1/deadletters/replay", headers=headers).json() == {"replayed": 1}
    assert_problem(anyone.post("/v1/held/discard", headers=headers), 422)  # everything: not without saying so
    assert_problem(anyone.post("/v1/held/discard", json={}, headers=headers), 422)
    assert recorder.asked == [
        (
            "released",
            Selection((3, 4), "unknown_meter", f"{STEEL}/gw1", 1_714_521_600_000_000),
            "the admin key",
        ),
        ("replayed", Selection(), "the admin key"),
    ]


def test_a_server_without_ingest_says_so(city: City, keys: dict[str, str]) -> None:
    with client_of(city, key=keys[ADMIN]) as client:
        assert "ingest" in assert_problem(client.post("/v1/deadletters/replay"), 503)["detail"]


def test_errors_of_ours_and_of_others_have_the_same_shape(city: City) -> None:
    app = create_app(ApiSettings(city.database.url), FixedClock(), load_library())
    raised: dict[str, tuple[Exception, int]] = {
        "broken": (RuntimeError("secret"), 500),
        "away": (Unavailable("database: secret"), 503),
        "refused": (Refused("not like this"), 422),
        "faulty": (FaultyDocument([Fault("a", "is wrong"), Fault("b", "too")]), 422),
    }

    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise raised[name][0]

    with client_of(city, app=app) as client:
        for name, (_, status) in raised.items():
            body = assert_problem(client.get(f"/raise/{name}"), status)
            assert "secret" not in str(body)
        assert [error["place"] for error in body["errors"]] == ["a", "b"]


def test_a_lost_database_is_unavailable(city: City) -> None:
    with client_of(city, connection_wait_s_max=0.2) as client:
        client.app.state.context.pool.close()  # type: ignore[attr-defined]
        assert_problem(client.get("/v1/version"), 503)
        assert client.get("/v1/health/live").json()["state"] == "live"


def test_readiness_follows_the_beats(city: City) -> None:
    from storage import services

    with client_of(city) as client:
        body = assert_problem(client.get("/v1/health/ready"), 503)
        assert {error["place"] for error in body["errors"]} == {"ingest", "accounting"}
        with city.database.connect() as conn:
            services.beat(conn, "ingest", ready=True)
            services.beat(conn, "accounting", ready=False)
        assert [error["place"] for error in client.get("/v1/health/ready").json()["errors"]] == ["accounting"]
        with city.database.connect() as conn:
            services.beat(conn, "accounting", ready=True, detail={"rules": "1"})
        answer = client.get("/v1/health/ready")
        assert answer.status_code == 200
        assert answer.json()["mode"] == "plain"
        with city.database.connect() as conn:
            conn.execute("UPDATE services SET beat_at = beat_at - interval '1 minute' WHERE name = 'ingest'")
        assert [error["place"] for error in client.get("/v1/health/ready").json()["errors"]] == ["ingest"]


def test_the_openapi_document(anyone: TestClient) -> None:
    document = anyone.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    for (method, path, _, parameters, scopes), operation in (
        (route, document["paths"][route[1]][route[0].lower()]) for route in ROUTES
    ):
        assert operation["summary"], path
        assert operation["description"], path
        answers = set(operation["responses"])
        assert {"500", "503"} <= answers
        assert {"200", "201"} & answers
        assert ({"401", "403"} <= answers) == (scopes is not None)
        assert bool(operation.get("security")) == (scopes is not None), path
        if "{uscc}" in path:
            assert "404" in answers
        if parameters or method == "POST":
            assert "422" in answers
        for status, response in operation["responses"].items():
            media, content = next(iter(response["content"].items()))
            assert media == ("application/json" if int(status) < 300 else "application/problem+json")
            reference = content["schema"]["$ref"].removeprefix("#/components/schemas/")
            assert reference in document["components"]["schemas"]
            assert (reference == "Problem") == (int(status) >= 300)
        assert {each["name"] for each in operation.get("parameters", [])} >= set(parameters)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_pages_for_people_come_from_this_server_alone(anyone: TestClient) -> None:
    for path in ("/docs", "/redoc", "/"):
        page = anyone.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert not re.search(r'(src|href)="(https?:)?//', page.text), path
        linked = re.findall(r'<(?:script|link)[^>]* (?:src|href)="(/[^"]+)"', page.text)
        assert linked
        for each in linked:
            assert anyone.get(each).status_code == 200, each
    bundle = anyone.get("/static/plotly.min.js")
    assert bundle.headers["content-type"].startswith("text/javascript")
    assert len(bundle.content) > 1_000_000


def test_metrics_name_routes_not_addresses(anyone: TestClient) -> None:
    anyone.get("/v1/enterprises/somebody")
    anyone.get("/v1/nowhere/someplace")
    text = anyone.get("/metrics").text
    assert 'carbonmeter_api_requests_total{route="/v1/enterprises/{uscc}",status="401"}' in text
    assert "somebody" not in text
    assert "someplace" not in text
