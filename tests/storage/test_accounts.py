"""Accounts balance at every moment, whatever is folded and whatever isn't."""

from __future__ import annotations

import threading

import numpy as np

from storage import accounts, readings
from storage.accounts import Account, GatewayEvent
from storage.database import Connection
from storage.readings import Delta
from tests.servers import Database

GATEWAY = ("U", "gw1")
NOTHING = np.empty(0, np.int64)


def add(conn: Connection, **delta: int) -> None:
    ids = accounts.gateway_ids(conn, [GATEWAY])
    with conn.transaction():
        batch_id, version = readings.open_batch(conn)
        readings.insert_batch(
            conn, batch_id, "arrival", None, version, NOTHING, {ids[GATEWAY]: Delta(**delta)}
        )


def test_gateways_keep_their_ids(plain_database: Database):
    with plain_database.connect(autocommit=True) as conn:
        first = accounts.gateway_ids(conn, [("U", "a"), ("U", "b")])
        second = accounts.gateway_ids(conn, [("U", "b"), ("U", "c"), ("V", "a")])
    assert first["U", "b"] == second["U", "b"]
    assert len({*first.values(), *second.values()}) == 4
    assert accounts.gateway_ids(conn, []) == {}


def test_an_account_is_the_folded_sum_and_the_live_one(database: Database):
    with database.connect(autocommit=True) as conn:
        assert accounts.account(conn, *GATEWAY) is None
        add(conn, received=10, stored=7, held=2, rejected=1)
        assert accounts.account(conn, *GATEWAY) == Account(10, 7, 2, 1, 0, 0)
        assert accounts.fold(conn) == 1
        assert accounts.fold(conn) == 0
        add(conn, held=-1, stored=1)
        expected = Account(10, 8, 1, 1, 0, 0)
        assert accounts.account(conn, *GATEWAY) == expected
        for _ in range(5):
            add(conn, received=1, stored=1)
        assert accounts.fold(conn, limit=2) == 2
        assert accounts.account(conn, *GATEWAY) == Account(15, 13, 1, 1, 0, 0)
        conn.execute("INSERT INTO enterprises (uscc) VALUES ('U')")
        conn.execute(
            """INSERT INTO points (enterprise_id, meter, channel)
               SELECT id, 'M', c FROM enterprises, unnest('{a,b}'::text[]) AS c"""
        )
        conn.execute(
            "INSERT INTO gateway_tallies SELECT gateways.id, points.id, points.id, 2 FROM gateways, points"
        )
        assert accounts.account(conn, *GATEWAY) == Account(15, 13, 1, 1, 3, 4)


def test_it_balances_while_others_write_and_fold(plain_database: Database):
    stop = threading.Event()

    def write() -> None:
        with plain_database.connect(autocommit=True) as conn:
            while not stop.is_set():
                add(conn, received=3, stored=1, held=1, rejected=1)
                add(conn, held=-1, rejected=1)

    def fold() -> None:
        with plain_database.connect(autocommit=True) as conn:
            while not stop.is_set():
                accounts.fold(conn)

    threads = [threading.Thread(target=each) for each in (write, write, fold, fold)]
    for each in threads:
        each.start()
    last = 0
    with plain_database.connect(autocommit=True) as conn:
        for _ in range(300):
            found = accounts.account(conn, *GATEWAY)
            if found is not None:
                assert found.received == found.stored + found.held + found.rejected
                assert found.received >= last
                last = found.received
    stop.set()
    for each in threads:
        each.join()
    assert last > 0


def test_events_name_their_gateway_where_it_is_known(plain_database: Database):
    with plain_database.connect(autocommit=True) as conn:
        accounts.gateway_ids(conn, [GATEWAY])
        accounts.insert_events(
            conn,
            [
                GatewayEvent(1_700_000_000_123_456, GATEWAY, "will", "gone"),
                GatewayEvent(1_700_000_000_000_000, ("U", "other"), "will", "gone"),
                GatewayEvent(1_700_000_000_000_000, None, "sign_in_refused", ""),
            ],
        )
        accounts.insert_events(conn, [])
        rows = conn.execute(
            "SELECT extract(epoch FROM happened_at) * 1000000, gateway_id IS NULL, kind FROM gateway_events ORDER BY id"
        ).fetchall()
    assert [(int(at), unknown, kind) for at, unknown, kind in rows] == [
        (1_700_000_000_123_456, False, "will"),
        (1_700_000_000_000_000, True, "will"),
        (1_700_000_000_000_000, True, "sign_in_refused"),
    ]
