"""The feed over HTTP, as a stream and by webhooks: what a key may not read it isn't told of, and nothing is skipped."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import webhooks as delivery
from api.webhooks import Deliverer, url_fault
from domain.access import Role
from domain.change import PARTS, ChangeKind
from storage import changes, keys, webhooks
from storage.keys import Scope
from tests.api.access_scene import consent_of, key_of, two_tenants
from tests.api.conftest import CEMENT, STEEL, City, client_of
from tests.servers import DatabaseServer, wait_for


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    """Nine changes: both enterprises registered, of each a report, a restated month and a grade; one about nobody."""
    with two_tenants(plain_server) as city:
        with city.database.connect(autocommit=True) as conn:
            for uscc in (STEEL, CEMENT):
                id_ = city.registry.enterprises[uscc].id
                changes.announce(conn, ChangeKind.REPORT_PUBLISHED, id_, {"year": 2023}, (19_358, 19_723))
                changes.announce(conn, ChangeKind.GRADE_RECORDED, id_, {"label": "A"})
                changes.announce_restated(conn, [city.source(uscc, "grid")], [19_844])
            changes.announce(conn, ChangeKind.QUOTA_WARNED, None, {})
            while changes.publish(conn, settle_s=0):
                pass
        yield city


def read(client: TestClient, **parameters: Any) -> dict[str, Any]:
    response = client.get("/v1/changes", params=parameters)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def everything(client: TestClient, limit: int, **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = "0"
    while True:
        page = read(client, cursor=cursor, limit=limit, **parameters)
        items += page["items"]
        assert len(page["items"]) <= limit
        if page["next"] == cursor:
            return items
        cursor = page["next"]


def test_pages_of_any_size_hold_everything_once(city: City) -> None:
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        whole = read(client)
        assert [item["number"] for item in whole["items"]] == list(range(1, 10))
        assert whole["next"] == "9"
        assert read(client, cursor="9") == {"items": [], "next": "9"}
        for limit in (1, 2, 4, 100):
            assert everything(client, limit) == whole["items"]
        restated = [item for item in whole["items"] if item["kind"] == "month.restated"]
        assert everything(client, 1, kinds="month.restated") == restated
        assert restated[0]["from"] == "2024-05-01T00:00:00+08:00"
        assert restated[0]["to"] == "2024-06-01T00:00:00+08:00"
        totals = next(item for item in restated if item["uscc"] == STEEL)["data"]["totals"]
        month = client.get(
            f"/v1/enterprises/{STEEL}/emissions",
            params={
                "from": "2024-05-01T00:00:00+08:00",
                "to": "2024-06-01T00:00:00+08:00",
                "granularity": "month",
                "by": "total",
            },
        ).json()["items"]
        assert [item["co2e_kg"] for item in month] == [totals["account"]]
        for wrong in ({"cursor": "x"}, {"cursor": "-1"}, {"kinds": "weather"}, {"limit": 0}):
            assert client.get("/v1/changes", params=wrong).status_code == 422


def test_a_tenant_hears_of_its_own_alone(city: City) -> None:
    for role in Role:
        for uscc in (STEEL, CEMENT):
            with client_of(city, key=key_of(city, role, uscc)) as client:
                for limit in (1, 100):
                    items = everything(client, limit)
                    about = {item["uscc"] for item in items} - {None}
                    if role in (Role.AUDITOR, Role.ADMIN):
                        assert len(items) == 9
                    elif role is Role.PLATFORM:
                        assert {item["kind"] for item in items} == {"enterprise.registered", "quota.warned"}
                        assert about == {STEEL, CEMENT}
                    else:
                        assert about <= {uscc}, (role, uscc)


def test_a_bank_hears_what_its_consent_is_for(city: City) -> None:
    consent = consent_of(city, STEEL, fields=["reports"])
    assert consent
    with client_of(city, key=key_of(city, Role.BANK, STEEL)) as client:
        kinds = {item["kind"] for item in everything(client, 2) if item["uscc"] == STEEL}
        assert "report.published" in kinds
        assert "grade.recorded" not in kinds


def test_what_is_told_is_in_the_log_of_reads(city: City) -> None:
    with client_of(city, key=key_of(city, Role.ENTERPRISE, STEEL)) as client:
        read(client, kinds="report.published")
        log = client.get(f"/v1/enterprises/{STEEL}/read-log", params={"limit": 1000}).json()["items"]
        assert ("reports", "change report.published") in {(each["part"], each["object"]) for each in log}


def test_the_stream_is_the_feed(city: City) -> None:
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        for parameters, headers, first in (
            ({}, {}, 1),
            ({"cursor": "4"}, {}, 5),
            ({"cursor": "4"}, {"Last-Event-ID": "6"}, 7),
        ):
            answer = client.get("/v1/changes/stream", params={"seconds": 0, **parameters}, headers=headers)
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = [
                dict(line.split(": ", 1) for line in block.splitlines())
                for block in answer.text.strip().split("\n\n")[1:]
            ]
            told = [json.loads(event["data"]) for event in events]
            assert told == [item for item in read(client)["items"] if item["number"] >= first]
            assert [(int(event["id"]), event["event"]) for event in events] == [
                (item["number"], item["kind"]) for item in told
            ]
        assert client.get("/v1/changes/stream", headers={"Last-Event-ID": "x"}).status_code == 422
    with client_of(city) as client:
        assert client.get("/v1/changes/stream", params={"seconds": 0}).status_code == 401


def test_every_kind_is_of_a_part() -> None:
    assert set(PARTS) == set(ChangeKind)


# -- webhooks -----------------------------------------------------------------------------------------


class Receiver:
    """A receiver that answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.posted: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posted.append((dict(self.headers.items()), body))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def hook_of(city: City, id_: int) -> webhooks.Webhook:
    with city.database.connect(autocommit=True) as conn:
        found = webhooks.get(conn, id_)
    assert found is not None
    return found


@pytest.mark.parametrize("status", [500, 302, 410])
def test_a_webhook_gives_up_and_loses_nothing(city: City, receiver: Receiver, status: int) -> None:
    text = key_of(city, Role.ENTERPRISE, STEEL)
    receiver.status = status
    with client_of(city, key=city.key(Scope.ADMIN)) as client:
        wish = {"url": receiver.url, "key": text.split("_")[1], "cursor": "0"}
        made = client.post("/v1/webhooks", json=wish)
        assert made.status_code == 201, made.text
        id_, secret = made.json()["id"], made.json()["secret"]
        deliverer = Deliverer(client.app.state.context, (0.0, 0.01))  # type: ignore[attr-defined]
        deliverer.start()
        try:
            wait_for(lambda: hook_of(city, id_).state == "dead", 30)
            assert len(receiver.posted) == (1 if status == 410 else 3)
            assert len({headers["webhook-id"] for headers, _ in receiver.posted}) == 1
            assert str(status) in str(hook_of(city, id_).last_error)
            receiver.status, receiver.posted = 200, []
            assert client.post(f"/v1/webhooks/{id_}/replay").json()["state"] == "active"
            wait_for(lambda: hook_of(city, id_).number == 9, 30)
        finally:
            deliverer.close()
        told = [json.loads(body)["data"] for _, body in receiver.posted]
        with client_of(city, key=text) as own:
            assert told == read(own)["items"]  # what the key reads, in its order
        for headers, body in receiver.posted:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            raw = base64.b64decode(secret.removeprefix("whsec_"))
            made_here = base64.b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode()
            assert headers["webhook-signature"] == f"v1,{made_here}"
        (listed,) = [item for item in client.get("/v1/webhooks").json()["items"] if item["id"] == id_]
        assert (listed["state"], listed["delivered"], listed["cursor"]) == ("active", len(told), "9")
        assert secret not in client.get("/v1/webhooks").text
        assert client.post(f"/v1/webhooks/{id_}/remove").json()["state"] == "removed"
        assert client.post(f"/v1/webhooks/{id_}/replay").status_code == 404
        assert client.post("/v1/webhooks/999/remove").status_code == 404


def test_a_webhook_ends_with_its_key(city: City, receiver: Receiver) -> None:
    prefix = city.key(Scope.EMISSIONS_READ).split("_")[1]
    with city.database.connect(autocommit=True) as conn:
        made = webhooks.add(conn, receiver.url, prefix, [], "tests", 0)
        assert made is not None
        keys.revoke(conn, prefix)
        assert webhooks.add(conn, receiver.url, prefix, [], "tests", 0) is None
    with client_of(city) as client:
        deliverer = Deliverer(client.app.state.context)  # type: ignore[attr-defined]
        deliverer.start()
        wait_for(lambda: hook_of(city, made[0].id).state == "dead", 30)
        deliverer.close()
    assert receiver.posted == []


def test_the_signature_of_the_specification() -> None:
    """The example of Standard Webhooks' own libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = delivery.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://platform.example/hook?x=1", True),
        ("https://platform.example:8443", True),
        ("http://127.0.0.1:99/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://platform.example/", False),
        ("ftp://platform.example/", False),
        ("https://user:word@platform.example/", False),
        ("https://platform.example/#part", False),
        ("https://platform.example:99999/", False),
        ("https://", False),
        ("https://platform.example/a b", False),
        ("https://platform.example/\r\nX: y", False),
        ("https://平台.example/", False),
        ("", False),
    ],
)
def test_addresses(url: str, is_right: bool) -> None:
    assert (url_fault(url) is None) == is_right
