"""`POST /v1/readings`: a receipt after the commit, everything refused before anything is kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI

from api import errors
from api.errors import Problem
from carbonmeter import postgres
from domain.clock import SystemClock
from ingest.http import HttpIngest, HttpSettings
from ingest.pipeline import Bounds, DeadLetterLimit
from storage import keys
from storage.database import connect
from tests import servers
from tests.api.serving import serving
from tests.ingest.beds import USCC, account_of, form_a, import_document, reading, recent
from tests.servers import Database, DatabaseServer, wait_for

GATEWAY = {"uscc": USCC, "gateway": "gw1"}


def application(database: Database, **settings: Any) -> tuple[FastAPI, HttpIngest]:
    def key_of(request: Any, token: str | None) -> keys.Key | None:
        header = request.headers.get("authorization")
        if header is None and token is None:
            return None
        with database.connect() as conn:
            key = keys.verify(conn, token if token is not None else header.removeprefix("Bearer "))
        if key is None:
            raise Problem(401, "unknown")
        return key

    http = HttpIngest(
        HttpSettings(database.url, **settings),
        SystemClock(),
        key_of,
        lambda status, faults, headers: Problem(status, faults, headers=headers),
    )
    app = FastAPI(lifespan=http.lifespan)
    errors.install(app)
    app.include_router(http.router)
    return app, http


def make_key(database: Database, *gateways: str, scope: str = "readings:write") -> dict[str, str]:
    with database.connect() as conn:
        return {"Authorization": f"Bearer {keys.create(conn, [scope], gateways)[0]}"}


@pytest.fixture
def client(registered: Database) -> Iterator[httpx.Client]:
    with serving(application(registered)[0]) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def mine(registered: Database) -> dict[str, str]:
    return make_key(registered, f"{USCC}/gw1")


def good(**more: Any) -> bytes:
    return form_a(reading(1, recent()), **more)


def test_a_receipt_comes_after_the_commit(client: httpx.Client, registered: Database, mine: dict[str, str]):
    payload = form_a(reading(1, recent()), reading(99, recent()), {"m": "?"}, seq=41)
    answer = client.post("/v1/readings", content=payload, headers=mine)
    assert answer.status_code == 202
    receipt = answer.json()
    assert {**receipt, "committed_at": ""} == {
        "seq": 41,
        "stored": 1,
        "held": 1,
        "rejected": 1,
        "committed_at": "",
    }
    assert receipt["committed_at"].endswith("Z")
    found = account_of(registered)
    assert (found.stored, found.held, found.rejected) == (1, 1, 1)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"at": "AT", "values": {"E-01/kwh": "12.50"}}, [None, 1, 0, 0]),
        ({"seq": "x", "at": ["AT"], "ch": ["E-01/kwh"], "v": [1]}, ["x", 1, 0, 0]),
        ([{"seq": 1, "at": "AT", "values": {"E-01/kwh": 1}}, {"at": "AT", "values": {"Q/kwh": 1}}, 5], None),
        ({}, [None, 0, 0, 1]),
        ("not json", [None, 0, 0, 1]),
    ],
)
def test_forms(client: httpx.Client, mine: dict[str, str], payload: Any, expected: Any):
    content = payload if isinstance(payload, str) else json.dumps(payload).replace("AT", recent())
    answer = client.post("/v1/readings", params=GATEWAY, content=content, headers=mine)
    assert answer.status_code == 202, answer.text

    def told(receipt: dict[str, Any]) -> list[Any]:
        return [receipt[key] for key in ("seq", "stored", "held", "rejected")]

    if expected is None:
        assert [told(receipt) for receipt in answer.json()] == [
            [1, 1, 0, 0],
            [None, 0, 1, 0],
            [None, 0, 0, 1],
        ]
    else:
        assert told(answer.json()) == expected


def test_an_array_without_readings_counts_as_one(
    client: httpx.Client, registered: Database, mine: dict[str, str]
):
    answer = client.post("/v1/readings", content="[{}, 1]", headers=mine)
    assert [receipt["rejected"] for receipt in answer.json()] == [1]
    assert account_of(registered).received == 1


def test_who_may_send_what(client: httpx.Client, registered: Database, mine: dict[str, str]):
    unbound = make_key(registered)
    several = make_key(registered, f"{USCC}/gw1", f"{USCC}/gw2")
    reader = make_key(registered, scope="emissions:read")
    for headers, params, status, place in (
        ({}, GATEWAY, 401, ""),
        ({"Authorization": "Bearer cm_no"}, GATEWAY, 401, ""),
        (reader, GATEWAY, 403, ""),
        (mine, {"uscc": USCC, "gateway": "gw2"}, 403, "gateway"),
        (mine, {"gateway": "gw2"}, 403, "gateway"),
        (unbound, {}, 422, "uscc"),
        (unbound, {"uscc": USCC}, 422, "gateway"),
        (several, {}, 422, "uscc"),
        (unbound, {"uscc": USCC, "gateway": "a/b"}, 422, "gateway"),
        (unbound, {"uscc": USCC, "gateway": "x" * 65}, 422, "gateway"),
        (unbound, {"uscc": "", "gateway": "gw1"}, 422, "uscc"),
        (mine, {}, 202, ""),
        (mine, {"gateway": "gw1"}, 202, ""),
        (several, {"uscc": USCC, "gateway": "gw2"}, 202, ""),
        (unbound, GATEWAY, 202, ""),
        (make_key(registered, scope="admin"), GATEWAY, 202, ""),
    ):
        answer = client.post("/v1/readings", params=params, content=good(), headers=headers)
        assert answer.status_code == status, (params, answer.text)
        if status != 202:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["errors"][0]["place"] == place
    assert account_of(registered).received == 4
    assert account_of(registered, "gw2").received == 1, "a 4xx means that nothing was kept"
    with registered.connect() as conn:
        assert conn.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


def test_an_unregistered_gateway_is_rejected_under_its_name(client: httpx.Client, registered: Database):
    key = make_key(registered, f"{USCC}/gw77")
    answer = client.post("/v1/readings", content=good(), headers=key)
    assert (answer.status_code, answer.json()["rejected"]) == (202, 1)
    assert account_of(registered, "gw77").rejected == 1


@pytest.mark.parametrize("declared", [True, False])
def test_too_large_is_an_event_and_not_received(
    client: httpx.Client, registered: Database, mine: dict[str, str], declared: bool
):
    client.post("/v1/readings", content=good(), headers=mine)

    def parts() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = client.post("/v1/readings", content=b" " * 2_000_000 if declared else parts(), headers=mine)
    assert answer.status_code == 413

    def events() -> Any:
        with registered.connect() as conn:
            return conn.execute(
                "SELECT kind, gateway FROM gateway_events JOIN gateways ON gateways.id = gateway_id"
            ).fetchall()

    assert wait_for(events) == [("packet_too_large", "gw1")]
    assert account_of(registered).received == 1
    just = good() + b" " * ((1 << 20) - len(good()))
    assert client.post("/v1/readings", content=just, headers=mine).status_code == 202


def test_an_encoded_body_is_refused(client: httpx.Client, mine: dict[str, str]):
    answer = client.post("/v1/readings", content=b"\x1f\x8b", headers={**mine, "Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_many_at_once_share_batches(client: httpx.Client, registered: Database, mine: dict[str, str]):
    def send() -> None:
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            for number in range(20):
                answer = own.post("/v1/readings", content=good(seq=number), headers=mine)
                assert answer.json()["seq"] == number

    threads = [threading.Thread(target=send) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert account_of(registered).stored == 160


def test_too_many_dead_letters_stop_it_and_it_says_so(registered: Database):
    app, _ = application(registered, dead_letters=DeadLetterLimit(0.5, 10))
    mine = make_key(registered, f"{USCC}/gw1")
    with serving(app) as address, httpx.Client(base_url=address, timeout=60, headers=mine) as own:
        for _ in range(10):
            assert own.post("/v1/readings", content=b'{"readings": [{}]}').status_code == 202
        answer = own.post("/v1/readings", content=good())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "10 of the last 10 deliveries of registered gateways were refused" in answer.text
    assert account_of(registered).rejected == 10


def test_backpressure_and_an_absent_database_are_503():
    with servers.running_plain() as (server, process):
        with DatabaseServer(server, "plain").database() as database:
            with database.connect(autocommit=True) as conn:
                import_document(conn)
            app, http = application(database, bounds=Bounds(deliveries_max=2))
            mine = make_key(database, f"{USCC}/gw1")
            with connect(database.url) as conn:
                key = keys.verify(conn, mine["Authorization"].removeprefix("Bearer "))
            with serving(app) as address, httpx.Client(base_url=address, timeout=30) as client:
                assert client.post("/v1/readings", content=good(), headers=mine).status_code == 202
                # the key is known; what fails is the commit
                http._key_of = lambda _request, _token: key
                postgres.stop(process)
                codes: list[Any] = []

                def send() -> None:
                    with httpx.Client(base_url=address, timeout=60) as own:
                        answer = own.post("/v1/readings", content=good(), headers=mine)
                        codes.append((answer.status_code, answer.headers.get("retry-after")))

                threads = [threading.Thread(target=send) for _ in range(3)]
                for each in threads:
                    each.start()
                    time.sleep(0.3)
                wait_for(lambda: codes)
                assert set(codes) == {(503, "1")}
                process = server.launch()
                server.wait_until_ready(process)
                for each in threads:
                    each.join()
                wait_for(lambda: client.post("/v1/readings", content=good(), headers=mine).status_code == 202)
        postgres.stop(process)
