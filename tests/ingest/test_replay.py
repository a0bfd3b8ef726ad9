"""Dead letters once more: what can be read by now is found, accounts stay true, twice does no more than once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.clock import SystemClock
from ingest.directory import ClockRules
from ingest.replay import Replayed, replay
from storage.dead_letters import LetterFilter, select
from tests.ingest.beds import (
    TOPIC,
    USCC,
    Client,
    account_of,
    channel,
    enterprise,
    form_a,
    import_document,
    reading,
    recent,
    running,
)
from tests.servers import Database

NEWCOMER = TOPIC.replace("gw1", "gw7")


@pytest.fixture
def rejecting(registered: Database) -> Database:
    """A stopped server's database with letters of several reasons."""
    naive = {**reading(2), "at": "2025-05-05T00:00:00"}
    with running(registered) as server, Client(server.port) as client:
        client.connect()
        sent = [
            (form_a(reading(1, recent()), naive, {"m": "?"}, naive, seq=1), TOPIC),
            (form_a(reading(1, recent()), reading(99, recent())), NEWCOMER),
            (b"garbage", TOPIC),
            (b"5", f"carbon/v1/{USCC}/gw1/D-01/kwh"),
            (b"5", "elsewhere"),
        ]
        for number, (payload, topic) in enumerate(sent, 1):
            client.publish(payload, topic, packet_id=number)
        client.acknowledged(len(sent))
    assert rejected(registered) == (5, 2)
    return registered


def rejected(database: Database) -> tuple[int, int]:
    return account_of(database).rejected, account_of(database, "gw7").rejected


def play(database: Database, wanted: LetterFilter | None = None) -> Replayed:
    with database.connect(autocommit=True) as conn:
        return replay(conn, wanted or LetterFilter(), SystemClock(), ClockRules(), "Li Hua")


def letters(database: Database) -> list[Any]:
    with database.connect() as conn:
        found = select(conn, LetterFilter())
        return [(letter.reason, letter.positions, letter.readings, letter.gateway) for letter in found]


def test_while_nothing_has_changed_nothing_changes(rejecting: Database):
    before = letters(rejecting)
    assert before == [
        ("bad_time", (1, 3), 2, "gw1"),
        ("bad_reading", (2,), 1, "gw1"),
        ("unknown_gateway", None, 2, "gw7"),
        ("bad_payload", None, 1, "gw1"),
        ("no_time_for_delta", None, 1, "gw1"),
        ("bad_topic", None, 0, None),
    ]
    assert play(rejecting) == Replayed(unchanged=6)
    assert letters(rejecting) == before
    assert rejected(rejecting) == (5, 2)


def test_only_the_places_of_the_letter_are_taken(rejecting: Database):
    with rejecting.connect(autocommit=True) as conn:
        import_document(conn, {"enterprises": [enterprise(USCC, {}, [{"id": "gw1", "zone": "+08:00"}])]})
    assert play(rejecting) == Replayed(letters=1, unchanged=5, received=2, stored=2)
    found = account_of(rejecting)
    assert (found.received, found.stored, found.rejected) == (6, 3, 3)
    assert play(rejecting) == Replayed(unchanged=5), "twice does no more than once"


def test_what_is_found_belongs_to_the_account_of_its_topic(rejecting: Database):
    with rejecting.connect(autocommit=True) as conn:
        import_document(conn, {"enterprises": [enterprise(USCC, {}, [{"id": "gw7"}])]})
    assert play(rejecting, LetterFilter(gateway=f"{USCC}/gw7")) == Replayed(
        letters=1, received=2, stored=1, held=1
    )
    found = account_of(rejecting, "gw7")
    assert (found.received, found.stored, found.held, found.rejected) == (2, 1, 1, 0)
    with rejecting.connect() as conn:
        assert conn.execute("SELECT by_whom FROM batches WHERE cause = 'replay'").fetchall() == [("Li Hua",)]
        replayed = select(conn, LetterFilter(with_replayed=True))[2]
    assert replayed.replayed_us is not None


def test_a_letter_that_is_rejected_for_another_reason_is_followed_by_a_new_one(rejecting: Database):
    with rejecting.connect(autocommit=True) as conn:
        conn.execute("UPDATE dead_letters SET reason = 'unknown_enterprise' WHERE reason = 'bad_payload'")
    assert play(rejecting, LetterFilter(reason="unknown_enterprise")) == Replayed(
        letters=1, received=1, rejected=1
    )
    assert ("bad_payload", None, 1, "gw1") in letters(rejecting)
    assert rejected(rejecting) == (5, 2)


def test_a_letter_of_nobodys_account_may_become_somebodys(registered: Database):
    """It came from a client that may not publish there; a person replays it all the same."""
    with running(registered):
        pass
    with registered.connect(autocommit=True) as conn:
        conn.execute(
            """INSERT INTO dead_letters (batch_id, received_at, topic, payload, via, reason, detail, decoder, readings)
               VALUES (0, now(), %s, %s, 'endpoint', 'not_authorized', '', 'carbon_v1/1', 0)""",
            [TOPIC.encode(), form_a(reading(1, recent()), reading(2, recent()))],
        )
    assert play(registered) == Replayed(), "but not by the way"
    assert play(registered, LetterFilter(reason="not_authorized")) == Replayed(
        letters=1, received=2, stored=2
    )
    assert account_of(registered).received == 2


def test_more_letters_than_one_transaction_takes(registered: Database):
    count = 1_203
    with running(registered) as server, Client(server.port) as client:
        client.connect()
        payload = json.dumps({"at": recent(), "values": {"E-01/kwh": 1, "Z-01/kwh": 2}}).encode()
        for number in range(1, count + 1):
            client.publish(payload, NEWCOMER, packet_id=number)
        client.acknowledged(count)
    with registered.connect(autocommit=True) as conn:
        import_document(
            conn, {"enterprises": [enterprise(USCC, {"Z-01": [channel("kwh")]}, [{"id": "gw7"}])]}
        )
    assert play(registered) == Replayed(letters=count, received=2 * count, stored=2 * count)
    assert account_of(registered, "gw7").stored == 2 * count
    with registered.connect() as conn:
        assert conn.execute("SELECT count(*) FROM batches WHERE cause = 'replay'").fetchone() == (3,)
