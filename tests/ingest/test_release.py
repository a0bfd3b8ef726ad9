"""Held readings: stored when their reason ends or a person says so, never in two places, always in the account."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from domain.clock import SystemClock
from domain.interval import DAY_US, HOUR_US
from ingest.directory import ClockRules
from ingest.release import Keeper, Released
from ingest.replay import replay
from storage import held
from storage.dead_letters import LetterFilter, select
from storage.held import HeldFilter
from tests.ingest.beds import (
    TOPIC,
    USCC,
    Client,
    Running,
    account_of,
    channel,
    enterprise,
    form_a,
    import_document,
    reading,
    recent,
    running,
)
from tests.servers import Database, wait_for

HOUR_S = 3600
AHEAD = -1  # stands for the moment of the test


class SetClock(SystemClock):
    """The clock of the wall, moved."""

    def __init__(self, ahead_us: int = 0) -> None:
        self.ahead_us = ahead_us

    def now_us(self) -> int:
        return super().now_us() + self.ahead_us


def send(server: Running, *payloads: bytes, topic: str = TOPIC) -> None:
    with Client(server.port) as client:
        client.connect()
        for number, payload in enumerate(payloads, 1):
            client.publish(payload, topic, packet_id=number)
        client.acknowledged(len(payloads))


def counts(database: Database, gateway: str = "gw1") -> tuple[int, int, int]:
    found = account_of(database, gateway)
    return found.stored, found.held, found.rejected


def reasons(database: Database) -> list[str]:
    with database.connect() as conn:
        return [item.reason for item in held.select(conn, HeldFilter())]


def keeper(conn: Any, clock: SystemClock | None = None) -> Keeper:
    return Keeper(conn, clock or SystemClock(), ClockRules())


@pytest.fixture
def holding(registered: Database) -> Database:
    """A stopped server's database with a reading held for each reason."""
    with running(registered) as server:
        send(
            server,
            form_a(reading(99, recent()), reading(1, recent(), c="other")),
            form_a(reading(1, "2022-05-05T00:00:00Z")),
            form_a(reading(1, recent(-HOUR_S)), reading(1, recent(-48 * HOUR_S))),
            form_a(reading(1, recent())),
        )
    assert counts(registered) == (1, 5, 0)
    return registered


def test_a_registration_releases_what_waited_for_it(server: Running):
    send(server, form_a(reading(99, recent()), reading(98, recent()), reading(1, recent(), c="other")))
    assert sorted(reasons(server.database)) == ["unknown_channel", "unknown_meter", "unknown_meter"]
    with server.database.connect(autocommit=True) as conn:
        meters = {"E-99": [channel("kwh")], "E-01": [channel("other")]}
        import_document(conn, {"enterprises": [enterprise(USCC, meters)]})
    wait_for(lambda: counts(server.database) == (2, 1, 0))
    with server.database.connect() as conn:
        found = conn.execute(
            "SELECT cause, rows, gateway_ids, received, stored, held FROM batches ORDER BY 1 DESC"
        )
        assert [row[:2] + row[3:] for row in found if row[0] == "release"] == [
            ("release", 1, [0], [1], [-1]),
            ("release", 1, [0], [1], [-1]),
        ]


def test_a_longer_validity_releases_what_lay_outside(server: Running):
    send(server, form_a({"m": "O-01", "c": "kwh", "at": "2024-06-01T00:00:00Z", "v": 1}))
    assert reasons(server.database) == ["outside_validity"]
    with server.database.connect(autocommit=True) as conn:
        meters = {"O-01": [channel("kwh", valid_to="2025-01-01T00:00:00+08:00")]}
        import_document(conn, {"enterprises": [enterprise(USCC, meters)]})
    wait_for(lambda: counts(server.database) == (1, 0, 0))


def test_a_bare_number_of_what_turns_out_to_be_a_delta_channel_is_rejected(server: Running):
    send(server, b"5", topic=f"carbon/v1/{USCC}/gw1/D-09/kwh")
    assert counts(server.database) == (0, 1, 0)
    with server.database.connect(autocommit=True) as conn:
        import_document(conn, {"enterprises": [enterprise(USCC, {"D-09": [channel("kwh", "delta")]})]})
    wait_for(lambda: counts(server.database) == (0, 0, 1))


def test_time_releases_what_was_a_little_ahead_and_not_what_was_far(holding: Database):
    with holding.connect(autocommit=True) as conn:
        assert keeper(conn).tend().stored == 0
        assert keeper(conn, SetClock(2 * HOUR_US)).tend().stored == 1
        assert counts(holding) == (2, 4, 0)
        assert keeper(conn, SetClock(100 * DAY_US)).tend().stored == 0, (
            "far ahead on arrival: a person decides"
        )
        assert keeper(conn, SetClock(2 * HOUR_US)).tend().stored == 0


def test_a_person_releases_in_spite_of_the_clock_but_not_of_the_registry(holding: Database):
    with holding.connect(autocommit=True) as conn:
        assert keeper(conn).release(HeldFilter(), "Li Hua") == Released(stored=2, kept=3)
        assert counts(holding) == (3, 3, 0)
        assert keeper(conn).release(HeldFilter(), "Li Hua") == Released(kept=3)
        assert conn.execute("SELECT DISTINCT by_whom FROM batches WHERE cause = 'release'").fetchall() == [
            ("Li Hua",)
        ]


def test_a_release_beyond_the_partitions_that_are_kept_ahead_makes_them(registered: Database):
    with running(registered) as server:
        send(server, form_a(reading(1, "2031-02-03T00:00:00Z"), reading(2, "2035-02-03T00:00:00Z")))
    with registered.connect(autocommit=True) as conn:
        assert keeper(conn).release(HeldFilter(reason="far_ahead_of_clock"), "Li Hua") == Released(stored=2)
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (2,)


def test_a_person_discards_and_may_think_again(holding: Database):
    with holding.connect(autocommit=True) as conn:
        gone = held.select(conn, HeldFilter(reason="unknown_meter"))
        assert keeper(conn).discard(HeldFilter(ids=(gone[0].id,)), "Li Hua") == Released(rejected=1)
        assert keeper(conn).discard(HeldFilter(ids=(gone[0].id,)), "Li Hua") == Released()
        assert counts(holding) == (1, 4, 1)
        letter = select(conn, LetterFilter())[0]
        assert (letter.reason, letter.detail, letter.topic) == (
            "discarded",
            "discarded by Li Hua",
            TOPIC.encode(),
        )
        import_document(conn, {"enterprises": [enterprise(USCC, {"E-99": [channel("kwh")]})]})
        assert replay(conn, LetterFilter(), SystemClock(), ClockRules(), "Li Hua").stored == 0
        wanted = LetterFilter(reason="discarded")
        assert replay(conn, wanted, SystemClock(), ClockRules(), "Li Hua").stored == 1
        assert counts(holding) == (2, 4, 0)
        row = conn.execute(
            "SELECT mantissa, exponent, measured_at FROM readings ORDER BY batch_id DESC"
        ).fetchone()
        assert row is not None
        assert (row[0], row[1]) == (gone[0].mantissa, gone[0].exponent)
        assert row[2].timestamp() == gone[0].measured_us / 1e6


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (HeldFilter(gateway=f"{USCC}/gw1"), 5),
        (HeldFilter(gateway="gw1"), 5),
        (HeldFilter(gateway=f"{USCC}/gw2"), 0),
        (HeldFilter(uscc=USCC, meter="E-01"), 4),
        (HeldFilter(channel="other"), 1),
        (HeldFilter(reason="outside_validity"), 1),
        (HeldFilter(from_us=AHEAD), 2),
    ],
)
def test_choosing_what_is_held(holding: Database, wanted: HeldFilter, expected: int):
    if wanted.from_us == AHEAD:
        wanted = replace(wanted, from_us=SystemClock().now_us())
    with holding.connect() as conn:
        assert len(held.select(conn, wanted)) == expected


def test_when_the_reason_changes_it_is_told(holding: Database):
    with holding.connect(autocommit=True) as conn:
        import_document(
            conn,
            {"enterprises": [enterprise(USCC, {"E-99": [channel("kwh", valid_to="2023-06-01T00:00:00Z")]})]},
        )
        assert keeper(conn).tend().stored == 0
    assert sorted(reasons(holding)) == [
        "ahead_of_clock",
        "far_ahead_of_clock",
        "outside_validity",
        "outside_validity",
        "unknown_channel",
    ]


def test_several_workers_release_each_reading_once(registered: Database):
    with running(registered) as server:
        send(server, *[form_a(*[reading(99, recent()) for _ in range(50)])] * 20)
    assert counts(registered) == (0, 1000, 0)
    with registered.connect(autocommit=True) as conn:
        import_document(conn, {"enterprises": [enterprise(USCC, {"E-99": [channel("kwh")]})]})
    done: list[Released] = []

    def tend() -> None:
        with registered.connect(autocommit=True) as conn:
            done.append(keeper(conn).tend())

    def release() -> None:
        with registered.connect(autocommit=True) as conn:
            done.append(keeper(conn).release(HeldFilter(), "somebody"))

    threads = [threading.Thread(target=act) for act in (tend, tend, release, release)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(each.stored for each in done) == 1000
    assert counts(registered) == (1000, 0, 0)


def test_a_released_row_that_the_database_refuses_becomes_a_dead_letter(holding: Database):
    with holding.connect(autocommit=True) as conn:
        import_document(conn, {"enterprises": [enterprise(USCC, {"E-99": [channel("kwh")]})]})
        for (name,) in conn.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^readings_2' AND relkind = 'r'"
        ).fetchall():
            conn.execute(f"DROP TABLE {name}")
        assert keeper(conn).tend().rejected == 1
        assert counts(holding) == (1, 4, 1)


def test_the_server_itself_lets_time_release(registered: Database):
    with running(registered, clock=ClockRules(ahead_us=1_000_000)) as server:
        send(server, form_a(reading(1, recent(-2.5))))
        assert counts(registered) == (0, 1, 0)
        begun = time.monotonic()
        wait_for(lambda: counts(registered) == (1, 0, 0))
        assert time.monotonic() - begun > 0.5
