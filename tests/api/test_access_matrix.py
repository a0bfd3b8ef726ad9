"""Every route as every role across two tenants: only the cells that `api/rows.py` permits answer (OWASP API1, 3, 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from accounting.factors.load import load as load_library
from api import rows
from api.app import create_app
from api.rows import ROWS
from api.settings import ApiSettings
from domain.access import Part, Role
from domain.clock import SystemClock
from ingest.http import HttpIngest, HttpSettings
from storage.keys import Scope
from tests.api.access_scene import consent_of, key_of, two_tenants
from tests.api.conftest import CEMENT, STEEL, City, client_of
from tests.api.findings_scene import add_finding
from tests.api.grade_scene import add_grades
from tests.api.test_every_route import BODIES, ROUTES, Recorder, send
from tests.servers import DatabaseServer

DOCS = Path(__file__).parents[2] / "docs" / "access.md"
ELSEWHERE = {
    ("GET", "/v1/changes/stream"),
    ("POST", "/v1/oauth/token"),
    ("POST", "/v1/readings"),
    ("POST", "/api/v2/write"),
    ("POST", "/write"),
}

# What somebody else's tenant is answered, where a request isn't for one thing in its path: the others are as if they
# weren't registered, which is a fault of the document that names them.
FAULT = 422
IN_A_DOCUMENT = {
    ("POST", "/v1/history"): FAULT,
    ("POST", "/v1/quotas"): FAULT,
    ("POST", "/v1/grades/statements"): FAULT,
}
# A list of things, of which some may not be readable: answered, without them.
IN_A_LIST = {("POST", "/v1/financed-emissions")}


@pytest.fixture(scope="module")
def scene(plain_server: DatabaseServer) -> Iterator[City]:
    with two_tenants(plain_server) as city:
        yield city


@pytest.fixture(scope="module")
def client(scene: City) -> Iterator[TestClient]:
    """Of a server on which everything that ROUTES ask for is STEEL's."""
    admin = scene.key(Scope.ADMIN)
    with client_of(scene, operations=Recorder(), needed_services=()) as client:
        report = f"/v1/enterprises/{STEEL}/reports"
        assert send(client, "POST", report, {}, admin).json()["id"] == 1
        assert [add_finding(scene, each) for each in ("E-01/import_kwh", "E-02/import_kwh")] == [1, 2]
        assert add_grades(scene) == [1, 2]
        history = {"uscc": STEEL, "provenance": "reported"}
        assert send(client, "POST", "/v1/history", history, admin).status_code == 201
        certificates = f"/v1/enterprises/{STEEL}/certificates"
        assert send(client, "POST", certificates, {}, admin).status_code == 201
        assert consent_of(scene, STEEL) == 1
        assert consent_of(scene, CEMENT) == 2
        yield client


@pytest.fixture(scope="module")
def keys(scene: City) -> dict[tuple[Role | None, str], str]:
    return {(role, uscc): key_of(scene, role, uscc) for role in (*Role, None) for uscc in (STEEL, CEMENT)}


@pytest.fixture(autouse=True)
def _consented(request: pytest.FixtureRequest) -> Iterator[None]:
    """The bank of STEEL has a consent, whatever the test before has revoked."""
    yield
    if "client" in request.fixturenames:
        consent_of(request.getfixturevalue("scene"), STEEL)


def everything_documented() -> set[tuple[str, str]]:
    ingest = HttpIngest(HttpSettings(""), SystemClock(), lambda _request, _token: None, _no_refusal, {})
    app = create_app(ApiSettings(""), SystemClock(), load_library(), routers=[ingest.router])
    return {(method.upper(), path) for path, each in app.openapi()["paths"].items() for method in each}


def _no_refusal(*_: Any) -> Exception:
    raise AssertionError("nothing is asked")


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    """Who adds a route says in `api/rows.py` whose it is, and gives an example in `test_every_route.py`."""
    documented = everything_documented()
    assert documented == set(ROWS)
    assert documented == {(method, template) for method, template, *_ in ROUTES} | ELSEWHERE


def test_the_table_of_the_documentation_is_made_from_the_rows() -> None:
    assert DOCS.read_text("utf-8").endswith("\n\n" + rows.page()), (
        "run `python -m api.rows` and put it at the end"
    )


def names_one(method: str, template: str, path: str, parameters: dict[str, str]) -> bool:
    """Whether a request is for something of STEEL's; else it is for a list of what one may read."""
    body = json.dumps(BODIES.get(path, {})) if method == "POST" else ""
    return STEEL in f"{path}{parameters}{body}" or "{id}" in template


@pytest.mark.parametrize(("method", "template", "path", "parameters"), [route[:4] for route in ROUTES])
def test_only_permitted_cells_answer(
    client: TestClient,
    keys: dict[tuple[Role | None, str], str],
    method: str,
    template: str,
    path: str,
    parameters: dict[str, str],
) -> None:
    row = ROWS[method, template]
    named = row.part is not None and names_one(method, template, path, parameters)
    for (role, uscc), key in keys.items():
        who = f"{role or 'no role'} of {'another' if uscc == CEMENT else 'this'} tenant"
        response = send(client, method, path, parameters, key)
        if role is None:
            # What a key without a role may is a matter of scopes alone.
            assert response.status_code in (200, 201, 403), (who, response.text)
            assert (response.status_code == 403) == (row.roles == rows.ADMINS), who
            continue
        if role not in row.roles:
            assert response.status_code == 403, (who, response.text)
            continue
        sees_all = role in (Role.AUDITOR, Role.ADMIN) or (role, row.part) == (Role.PLATFORM, Part.IDENTITY)
        if uscc == STEEL or sees_all or not named or (method, template) in IN_A_LIST:
            if role is Role.REGULATOR or method == "GET" or role in (Role.ENTERPRISE, Role.ADMIN):
                assert response.status_code in (200, 201), (who, response.text)
        else:
            expected = IN_A_DOCUMENT.get((method, template), 404)
            assert response.status_code == expected, (who, response.text)
        if row.part is not None and uscc == CEMENT and not sees_all:
            assert "一号钢厂" not in response.text, who
            if not named:
                assert STEEL not in response.text, who
            elif (method, template) in IN_A_LIST:
                assert json.loads(response.text)["items"][0]["financed_t"] is None, (who, response.text)


@pytest.mark.parametrize(("method", "template", "path", "parameters"), [route[:4] for route in ROUTES])
def test_what_is_read_is_in_the_log_of_the_enterprise(
    client: TestClient,
    scene: City,
    keys: dict[tuple[Role | None, str], str],
    method: str,
    template: str,
    path: str,
    parameters: dict[str, str],
) -> None:
    """Whatever a route gives out of STEEL's account, STEEL sees in its log; what it refuses too."""
    row = ROWS[method, template]
    if row.part is None or (method == "POST" and row.part is Part.GATEWAYS):
        return
    response = send(client, method, path, parameters, keys[Role.ADMIN, STEEL])
    if STEEL not in response.text and not names_one(method, template, path, parameters):
        return  # nothing of it was given out
    with scene.database.connect() as conn:
        found = conn.execute(
            """SELECT l.part, l.role, l.basis, l.what, l.status FROM read_log l
               JOIN read_log_enterprises o ON o.number = l.number JOIN enterprises e ON e.id = o.enterprise_id
               WHERE e.uscc = %s AND l.request_id = %s""",
            [STEEL, response.headers["x-request-id"]],
        ).fetchall()
    assert found, f"{method} {template} isn't logged"
    assert set(found) == {(str(row.part), "admin", "operation", f"{method} {template}", response.status_code)}


def test_a_route_without_a_row_is_closed_to_roles(scene: City) -> None:
    from api.auth import Reader  # as a route takes it

    router = APIRouter()

    @router.get("/v1/forgotten")
    def forgotten(key: Reader) -> dict[str, str]:
        return {"who": "nobody" if key is None else key.name}

    forgotten.__annotations__["key"] = Reader
    settings = ApiSettings(scene.database.url, connections_max=2)
    app = create_app(settings, SystemClock(), load_library(), routers=[router])
    with TestClient(app) as client:
        for role in (*Role, None):
            key = key_of(scene, role, STEEL)
            response = client.get("/v1/forgotten", headers={"Authorization": f"Bearer {key}"})
            assert response.status_code == (200 if role is None else 403), role
