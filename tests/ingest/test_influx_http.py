"""InfluxDB's writes over HTTP, as Telegraf and its clients send them: a 204 is a commit."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.api.serving import serving
from tests.ingest.beds import OTHER, USCC, account_of
from tests.ingest.test_http import application, make_key
from tests.servers import Database

BUCKET = f"{USCC}/gw1"


@pytest.fixture
def client(registered: Database) -> Iterator[httpx.Client]:
    with serving(application(registered)[0]) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def key(registered: Database) -> str:
    return make_key(registered, BUCKET)["Authorization"].removeprefix("Bearer ")


def line(meter: int = 1, value: str = "12345.67", ago_s: int = 60) -> str:
    return f"modbus,host=gw7,name=E-{meter:02} kwh={value} {(int(time.time()) - ago_s) * 1_000_000_000}\n"


def values_of(database: Database) -> list[tuple[int, int]]:
    with database.connect() as conn:
        return conn.execute("SELECT mantissa, exponent FROM readings ORDER BY channel_id").fetchall()


@pytest.mark.parametrize("bucket", [BUCKET, "telegraf"])
def test_version_2_with_a_token(client: httpx.Client, registered: Database, key: str, bucket: str):
    answer = client.post(
        "/api/v2/write",
        params={"org": "plant", "bucket": bucket, "precision": "ns"},
        content=gzip.compress((line(1) + line(2, "7i")).encode()),
        headers={"Authorization": f"Token {key}", "Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert account_of(registered).stored == 2
    assert values_of(registered) == [(1234567, -2), (7, 0)]


def test_version_1_with_a_password(client: httpx.Client, registered: Database, key: str):
    basic = base64.b64encode(f"telegraf:{key}".encode()).decode()
    text = line(1).replace("000000000\n", "\n")
    wanted = {"db": BUCKET, "precision": "s", "rp": "", "consistency": "one"}
    for headers, more in (
        ({"Authorization": f"Basic {basic}"}, {}),
        ({"Authorization": f"Token telegraf:{key}"}, {}),
        ({}, {"u": "telegraf", "p": key}),
    ):
        answer = client.post("/write", params={**wanted, **more}, content=text, headers=headers)
        assert answer.status_code == 204, answer.text
    found = account_of(registered)
    assert (found.received, found.stored) == (3, 3)


def test_what_cannot_be_read_is_kept_and_takes_no_neighbours(
    client: httpx.Client, registered: Database, key: str
):
    text = line(1) + "what is this\n" + 'modbus,name=E-02 state="on"\n' + line(99) + line(2)
    answer = client.post("/api/v2/write", content=text, headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 204
    found = account_of(registered)
    assert (found.received, found.stored, found.held, found.rejected) == (5, 2, 1, 2)
    with registered.connect() as conn:
        letters = conn.execute("SELECT topic, decoder, reason FROM dead_letters ORDER BY reason").fetchall()
    topic = f"influx/{USCC}/gw1/ns".encode()
    assert letters == [(topic, "influx_line/1", "bad_reading"), (topic, "influx_line/1", "bad_value")]


def test_nothing_to_write_is_nothing(client: httpx.Client, registered: Database, key: str):
    answer = client.post("/api/v2/write", content=b"\n", headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 204
    assert account_of(registered).received == 0


@pytest.mark.parametrize(
    ("params", "headers", "content", "status"),
    [
        ({}, {"Authorization": ""}, b"m v=1", 401),
        ({}, {"Authorization": "Token nonsense"}, b"m v=1", 401),
        ({}, {"Authorization": "Basic %%%"}, b"m v=1", 401),
        ({"bucket": f"{OTHER}/gw1"}, {}, b"m v=1", 403),
        ({"bucket": f"{USCC}/?"}, {}, b"m v=1", 422),
        ({"precision": "weeks"}, {}, b"m v=1", 422),
        ({}, {"Content-Encoding": "gzip"}, b"m v=1", 400),
        ({}, {"Content-Encoding": "gzip"}, gzip.compress(b"m v=1")[:-5], 400),
        ({}, {"Content-Encoding": "gzip"}, gzip.compress(b" " * (1 << 21)), 413),
        ({}, {"Content-Encoding": "br"}, b"m v=1", 415),
        ({}, {}, b" " * (1 << 21), 413),
    ],
)
def test_a_refusal_keeps_nothing(
    client: httpx.Client,
    registered: Database,
    key: str,
    params: dict[str, str],
    headers: dict[str, str],
    content: bytes,
    status: int,
):
    sent = {key_: value for key_, value in {"Authorization": f"Token {key}", **headers}.items() if value}
    answer = client.post("/api/v2/write", params=params, content=content, headers=sent)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert account_of(registered).received == 0


def test_a_key_of_several_gateways_wants_a_bucket_that_names_one(client: httpx.Client, registered: Database):
    key = make_key(registered, BUCKET, f"{USCC}/gw2")["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": f"Token {key}"}
    refused = client.post("/api/v2/write", params={"bucket": "telegraf"}, content=line(), headers=headers)
    assert refused.status_code == 422
    assert "expected USCC/GATEWAY" in refused.text
    assert (
        client.post("/api/v2/write", params={"bucket": BUCKET}, content=line(), headers=headers).status_code
        == 204
    )
