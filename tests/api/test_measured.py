"""Consumption, windows and intensity over hand-written books."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from storage.keys import Scope
from tests.api.books import Entry, day_of
from tests.api.conftest import (
    MG_PER_KWH,
    MG_PER_NM3,
    STEEL,
    FixedClock,
    client_of,
    empty_city,
    fill,
    local,
    walk,
)
from tests.servers import DatabaseServer

ENTERPRISE = f"/v1/enterprises/{STEEL}"
KG_KWH = Decimal(MG_PER_KWH) / 1_000_000
KG_NM3 = Decimal(MG_PER_NM3) / 1_000_000


def consumption(
    client: TestClient, channel: str, start: str, end: str, granularity: str, **more: str
) -> list[Any]:
    asked = {"channel": channel, "from": local(start), "to": local(end), "granularity": granularity, **more}
    return walk(client, f"{ENTERPRISE}/consumption", asked, 10_000)


def test_consumption_by_interval_and_day(client: TestClient) -> None:
    items = consumption(client, "E-01/import_kwh", "2024-05-10T00:00:00", "2024-05-10T01:15:00", "15m")
    assert items[0] == {
        "at": "2024-05-10T00:00:00+08:00",
        "amount": None,
        "unit": "kWh",
        "quality": "missing",
        "flags": ["restart"],
        "coverage": "0",
    }
    assert items[4] == {
        "at": "2024-05-10T01:00:00+08:00",
        "amount": "1.00",
        "unit": "kWh",
        "quality": "measured",
        "flags": [],
        "coverage": "1",
    }
    (day,) = consumption(client, "E-01/import_kwh", "2024-05-10T00:00:00", "2024-05-11T00:00:00", "day")
    assert (day["amount"], day["coverage"], day["quality"]) == ("92.00", "0.958333", "measured")
    (day,) = consumption(client, "E-01/import_kwh", "2024-05-20T00:00:00", "2024-05-21T00:00:00", "day")
    assert (day["quality"], day["flags"]) == ("estimated", ["gap"])


@pytest.mark.parametrize("granularity", ["hour", "day", "month", "year"])
def test_consumption_telescopes(client: TestClient, granularity: str) -> None:
    span = ("E-01/import_kwh", "2024-04-29T22:15:00", "2024-06-14T07:45:00")
    parts = consumption(client, *span, "15m")
    whole = consumption(client, *span, granularity)
    assert sum(Decimal(item["amount"]) for item in whole if item["amount"]) == sum(
        Decimal(item["amount"]) for item in parts if item["amount"]
    )
    paged = {"channel": span[0], "from": local(span[1]), "to": local(span[2]), "granularity": granularity}
    assert walk(client, f"{ENTERPRISE}/consumption", paged, 3) == whole


def test_a_longer_period_of_what_has_means_only_is_their_mean(plain_server: DatabaseServer) -> None:
    channel = {"id": "bar", "quantity": "pressure", "kind": "rate", "unit": "bar", "resolution": "0.01"}
    meter = {"id": "S-01", "channels": [{**channel, "valid_from": "2024-01-01T00:00:00+08:00"}]}
    document = {
        "enterprises": [
            {"uscc": STEEL, "name_zh": "钢", "industry": "steel", "district": "430304", "meters": [meter]}
        ]
    }
    with empty_city(plain_server, document) as city:
        point = city.point(STEEL, "S-01/bar")
        city.books.point(point, city.registry.enterprises[STEEL].id)
        city.books.run()
        city.books.measure(point, day_of("2024-05-10"), {0: Entry(1000), 1: Entry(1003), 3: Entry(1001)})
        city.books.conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
            asked = ("S-01/bar", "2024-05-10T00:00:00", "2024-05-10T01:00:00")
            (hour,) = consumption(client, *asked, "hour")
            assert (hour["amount"], hour["unit"], hour["coverage"]) == ("10.01", "bar", "0.75")
            single = [item["amount"] for item in consumption(client, *asked, "15m")]
            assert single == ["10.00", "10.03", None, "10.01"]


def test_outside_of_validity_nothing_is_expected(client: TestClient) -> None:
    items = consumption(client, "E-02/import_kwh", "2024-05-31T00:00:00", "2024-06-02T00:00:00", "day")
    assert [(item["amount"], item["coverage"]) for item in items] == [(None, None), ("0.00", "1")]


def test_consumption_as_of_an_earlier_run(plain_server: DatabaseServer) -> None:
    with empty_city(plain_server) as city:
        fill(city)
        point = city.point(STEEL, "E-01/import_kwh")
        city.books.run(datetime(2024, 6, 20, tzinfo=UTC))
        city.books.measure(point, day_of("2024-05-10"), {0: Entry(500), 4: Entry(700)})
        # another resolution since: the whole day is counted finer
        city.books.point(point, city.registry.enterprises[STEEL].id, exponent=-3)
        city.books.run(datetime(2024, 6, 21, tzinfo=UTC))
        city.books.measure(point, day_of("2024-05-11"), {index: Entry(1_001) for index in range(96)})
        city.books.conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:

            def day(text: str, **more: str) -> str:
                (item,) = consumption(
                    client,
                    "E-01/import_kwh",
                    text,
                    text[:8] + f"{int(text[8:10]) + 1}T00:00:00",
                    "day",
                    **more,
                )
                return str(item["amount"])

            assert day("2024-05-10T00:00:00") == str(Decimal("5.00") + Decimal("7.00") + 91)
            assert day("2024-05-10T00:00:00", as_of="2024-06-19T00:00:00Z") == "92.00"
            assert day("2024-05-10T00:00:00", as_of="2024-06-01T00:00:00Z") == "None"
            assert day("2024-05-11T00:00:00") == "96.096"
            (month,) = consumption(
                client, "E-01/import_kwh", "2024-05-10T00:00:00", "2024-05-12T00:00:00", "month"
            )
            assert month["amount"] == "199.096"


def test_windows(client: TestClient) -> None:
    body = client.get(f"{ENTERPRISE}/windows").json()
    assert body["at"] == "2024-06-15T12:00:00+08:00"
    assert (body["24h"]["from"], body["24h"]["to"]) == (
        "2024-06-14T12:00:00+08:00",
        "2024-06-15T12:00:00+08:00",
    )
    assert (body["12m"]["from"], body["12m"]["to"]) == (
        "2023-06-01T00:00:00+08:00",
        "2024-06-01T00:00:00+08:00",
    )
    assert (body["mtd"]["from"], body["ytd"]["from"]) == (
        "2024-06-01T00:00:00+08:00",
        "2024-01-01T00:00:00+08:00",
    )
    expected = {
        "24h": 48 * KG_KWH,
        "7d": (48 + 6 * 96) * KG_KWH + 192 * KG_NM3,
        "30d": (48 + 29 * 96) * KG_KWH + 192 * KG_NM3,
        "12m": (31 * 96 - 4) * KG_KWH + 192 * KG_NM3,
        "mtd": 14 * 96 * KG_KWH + 192 * KG_NM3,
        "ytd": (45 * 96 - 4) * KG_KWH + 2 * 192 * KG_NM3,
    }
    for name, kg in expected.items():
        window = body[name]
        assert Decimal(window["total"]["co2e_kg"]) == kg, name
        assert sum(Decimal(each["co2e_kg"]) for each in window["by_source"] if each["co2e_kg"]) == kg
        assert [each["source"] for each in window["by_source"]] == ["boiler", "grid"]
        assert window["coverage"] == window["total"]["coverage"]
    assert body["24h"]["by_source"][0]["co2e_kg"] is None
    assert body["24h"]["coverage"] == "0.25"
    assert body["30d"]["total"]["quality"] == "estimated"


@pytest.mark.parametrize(
    "at",
    ["2024-06-10T00:00:00", "2024-06-01T00:00:00",
      "2024-05-21T07:45:00", "2024-05-10T00:30:00", "2024-01-01T00:00:00", "2024-07-04T13:15:00"],
)  # fmt: skip
def test_windows_equal_the_emissions_of_their_ranges(client: TestClient, at: str) -> None:
    body = client.get(f"{ENTERPRISE}/windows", params={"at": local(at)}).json()
    for name in ("24h", "7d", "30d", "12m", "mtd", "ytd"):
        window = body[name]
        if window["from"] == window["to"]:
            assert window["total"]["co2e_kg"] is None
            continue
        granularity = "15m" if name in ("24h", "7d") else "day"
        asked = {"from": window["from"], "to": window["to"], "granularity": granularity}
        items = walk(client, f"{ENTERPRISE}/emissions", asked, 10_000)
        amounts = [Decimal(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None]
        total = window["total"]["co2e_kg"]
        assert (total is None) == (not amounts)
        assert Decimal(total or 0) == sum(amounts)


def test_windows_are_cut_to_the_quarter_hour(client: TestClient) -> None:
    body = client.get(f"{ENTERPRISE}/windows", params={"at": "2024-06-10T03:29:59.5Z"}).json()
    assert body["at"] == "2024-06-10T11:15:00+08:00"


def test_intensity(client: TestClient) -> None:
    asked = {
        "product": "crude_steel",
        "from": local("2024-05-01T00:00:00"),
        "to": local("2024-05-04T00:00:00"),
    }
    items = walk(client, f"{ENTERPRISE}/intensity", asked, 2)
    assert [item["amount"] for item in items] == [None, "72", None]  # on the third day one part is missing
    assert items[1]["unit"] == "t"
    assert items[1]["amount_coverage"] == "1"
    assert items[2]["amount_coverage"] == "0"
    assert Decimal(items[1]["intensity"]) == Decimal("0.7604")
    assert Decimal(items[1]["co2e_kg"]) == 96 * KG_KWH
    assert (items[0]["intensity"], items[2]["intensity"]) == (None, None)
    (hour,) = walk(
        client,
        f"{ENTERPRISE}/intensity",
        {
            **asked,
            "from": local("2024-05-02T01:00:00"),
            "to": local("2024-05-02T02:00:00"),
            "granularity": "hour",
        },
        10,
    )
    assert (hour["amount"], hour["intensity"]) == ("3", "0.7604")
    (month,) = walk(client, f"{ENTERPRISE}/intensity", {**asked, "granularity": "month"}, 10)
    assert month["amount"] == "72"
    assert month["amount_coverage"] == "0.333333"


def test_readers_at_once_share_one_registry(client: TestClient) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get(f"{ENTERPRISE}/windows").json(), range(64)))
    assert all(answer == answers[0] for answer in answers)


def test_a_registry_change_shows_at_once(plain_server: DatabaseServer) -> None:
    from storage import registry

    with (
        empty_city(plain_server) as city,
        client_of(city, key=city.key(Scope.ADMIN), clock=FixedClock()) as client,
    ):
        assert (
            client.get("/v1/meters", params={"uscc": STEEL}).json()["items"][0]["name"] == "incoming feeder"
        )
        meters = [{"id": "E-01", "name": "renamed"}]
        with city.database.connect() as conn:
            registry.import_document(
                conn, {"enterprises": [{"uscc": STEEL, "meters": meters}]}, "anna", "typo"
            )
        assert client.get("/v1/meters", params={"uscc": STEEL}).json()["items"][0]["name"] == "renamed"
        changes = walk(client, "/v1/registry/changes", {"uscc": STEEL}, 2)
        assert changes[-1]["by"] == "anna"
        assert changes[-1]["why"] == "typo"
        assert changes[-1]["kind"] == "meter"
        assert changes[-1]["before"]["name"] == "incoming feeder"
        assert changes[-1]["after"]["name"] == "renamed"
        assert [change["id"] for change in changes] == sorted({change["id"] for change in changes})
