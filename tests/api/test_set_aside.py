"""Lists of dead letters and held readings, and accounts of gateways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from domain.errors import HoldReason, RejectReason
from storage import accounts, dead_letters, held
from storage.dead_letters import NewLetter
from storage.held import NewHeld
from storage.keys import Scope
from tests.api.conftest import CEMENT, STEEL, City, client_of, empty_city, walk
from tests.servers import DatabaseServer

START = 1_716_000_000_000_000


@pytest.fixture(scope="module")
def aside(plain_server: DatabaseServer) -> Iterator[tuple[City, TestClient]]:
    with empty_city(plain_server) as city:
        conn = city.books.conn
        ids = accounts.gateway_ids(conn, [(STEEL, "gw1"), (CEMENT, "gw1"), ("x", "y")])
        gateways = [ids[STEEL, "gw1"], ids[CEMENT, "gw1"], ids["x", "y"], None]
        reasons = [
            RejectReason.BAD_TIME,
            RejectReason.BAD_VALUE,
            RejectReason.UNKNOWN_GATEWAY,
            RejectReason.BAD_TOPIC,
        ]
        letters = [
            NewLetter(
                START + (k // 3) * 1_000_000,  # three at a time
                b"carbon/\xff" if k % 4 == 3 else b"carbon/v1/x/y/readings",
                b"\x00" * k,
                "endpoint",
                False,
                gateways[k % 4],
                reasons[k % 4],
                f"letter {k}",
                "readings 1",
                (0, 2) if k % 4 == 0 else None,
                2 if k % 4 == 0 else 1,
            )
            for k in range(40)
        ]
        dead_letters.insert(conn, 1, list(reversed(letters)))  # ids don't ascend with time
        dead_letters.mark_replayed(conn, [1], 2)
        held.insert(
            conn,
            1,
            [
                NewHeld(
                    ids[STEEL, "gw1"], STEEL, "E-99", "import_kwh", START + k * 1_000_000, 12_340 + k, -2, 0, 0, 0,
                    list(HoldReason)[k % 5], START + k // 2, f"carbon/v1/{STEEL}/gw1/readings",
                )
                for k in range(20)
            ],
        )  # fmt: skip
        conn.execute(
            """INSERT INTO batches VALUES (1, 1, now(), 'arrival', NULL, 1, 5, NULL, NULL,
                                           %s, '{12, 3}', '{5, 1}', '{4, 0}', '{3, 2}')""",
            [[ids[STEEL, "gw1"], ids["x", "y"]]],
        )
        conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
            yield city, client


def test_dead_letters_by_time_then_id(aside: tuple[City, TestClient]) -> None:
    items = walk(aside[1], "/v1/deadletters", {}, 1_000)
    assert len(items) == 39
    assert [(item["received_at"], item["id"]) for item in items] == sorted(
        (item["received_at"], item["id"]) for item in items
    )
    for limit in (1, 2, 7):
        assert walk(aside[1], "/v1/deadletters", {}, limit) == items
    # ids were given against the time: 40 is the oldest
    assert items[0] == {
        "id": 38,
        "received_at": "2024-05-18T10:40:00+08:00",
        "reason": "unknown_gateway",
        "topic": "carbon/v1/x/y/readings",
        "gateway": "x/y",
        "size": 2,
        "readings": 1,
        "positions": None,
        "detail": "letter 2",
        "via": "endpoint",
        "decoder": "readings 1",
        "replayed_at": None,
    }
    assert {item["topic"] for item in items} == {"carbon/v1/x/y/readings", "carbon/\\xff"}


def test_dead_letters_by_what_is_asked(aside: tuple[City, TestClient]) -> None:
    client = aside[1]
    assert {item["reason"] for item in walk(client, "/v1/deadletters", {"reason": "bad_time"}, 100)} == {
        "bad_time"
    }
    own = walk(client, "/v1/deadletters", {"gateway": f"{STEEL}/gw1"}, 3)
    assert {item["gateway"] for item in own} == {f"{STEEL}/gw1"}
    assert {tuple(item["positions"]) for item in own} == {(0, 2)}
    late = walk(client, "/v1/deadletters", {"from": "2024-05-18T02:40:10Z"}, 3)
    assert len(late) == 9
    assert len(walk(client, "/v1/deadletters", {"replayed": "true"}, 100)) == 40


def test_held_readings(aside: tuple[City, TestClient]) -> None:
    items = walk(aside[1], "/v1/held", {}, 3)
    assert len(items) == 20
    assert items[0] == {
        "id": 1,
        "received_at": "2024-05-18T10:40:00+08:00",
        "reason": "unknown_meter",
        "topic": f"carbon/v1/{STEEL}/gw1/readings",
        "gateway": f"{STEEL}/gw1",
        "channel": "E-99/import_kwh",
        "at": "2024-05-18T10:40:00+08:00",
        "sent": "123.40",
        "quality": "good",
        "revision": 0,
        "detail": f"no meter 'E-99' is registered for {STEEL}",
    }
    assert all(item["detail"] and "{" not in item["detail"] for item in items)
    assert len(walk(aside[1], "/v1/held", {"reason": "ahead_of_clock"}, 3)) == 4
    assert len(walk(aside[1], "/v1/held", {"from": "2024-05-18T02:40:15Z"}, 3)) == 5
    assert walk(aside[1], "/v1/held", {"gateway": f"{CEMENT}/gw1"}, 3) == []


def test_accounts_balance(aside: tuple[City, TestClient]) -> None:
    account = aside[1].get(f"/v1/gateways/{STEEL}/gw1/account").json()
    assert account == {
        "received": 12,
        "stored": 5,
        "held": 4,
        "rejected": 3,
        "duplicates": 0,
        "conflicts": 0,
    }
    # a gateway that isn't registered has an account of what came under its name
    assert aside[1].get("/v1/gateways/x/y/account").json()["rejected"] == 2
    # a registered one that never sent has an empty one
    assert aside[1].get(f"/v1/gateways/{STEEL}/gw2/account").json()["received"] == 0
