"""QoS 2 at the endpoint: PUBREC after the commit, one delivery a packet id, in both versions of MQTT."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingest.settings import EndpointSettings
from storage import keys
from tests.ingest.beds import TOPIC, USCC, Client, Running, form_a, publish_packet, reading, recent, running
from tests.servers import Database, wait_for

PUBREC, PUBREL, PUBCOMP = 0x50, 0x62, 0x70
KEPT = b"\x11\x00\x00\x00\x3c"  # a session that outlives its connection by a minute


def good(number: int = 1) -> bytes:
    return form_a(reading(number, recent()))


def pubrel(packet_id: int) -> bytes:
    return b"\x62\x02" + packet_id.to_bytes(2, "big")


def connect_kept(client: Client) -> bytes:
    """Connect with a session that stays; the CONNACK's body."""
    return client.connect("keeper", clean=False, properties=KEPT if client.version == 5 else b"")


def expect(client: Client, first: int, packet_id: int, reason: int | None = None) -> None:
    body = packet_id.to_bytes(2, "big") + (b"" if reason is None else bytes((reason,)))
    assert client.receive() == (first, body)


@contextlib.contextmanager
def commits_wait(database: Database) -> Iterator[None]:
    """Nothing is committed until the context ends: every batch waits for the registry."""
    with database.connect() as conn, conn.transaction():
        conn.execute("SELECT version FROM registry_state FOR UPDATE")
        yield


@pytest.mark.parametrize("version", [4, 5])
def test_pubrec_means_a_committed_row_and_pubrel_is_answered(server: Running, version: int):
    with Client(server.port, version) as client:
        client.connect()
        with commits_wait(server.database):
            client.publish(good(), packet_id=513, qos=2)
            client.send(b"\xc0\x00")
            assert client.receive()[0] == 0xD0, "no PUBREC before the commit"
        expect(client, PUBREC, 513)
        assert server.account().stored == 1
        client.send(pubrel(513))
        expect(client, PUBCOMP, 513)


@pytest.mark.parametrize("version", [4, 5])
def test_a_repeat_before_pubrel_is_no_second_delivery(server: Running, version: int):
    with Client(server.port, version) as client:
        client.connect()
        with commits_wait(server.database):
            client.publish(good(), packet_id=7, qos=2)
            client.publish(good(), packet_id=7, qos=2, is_repeat=True)
            client.send(b"\xc0\x00")
            assert client.receive()[0] == 0xD0
        expect(client, PUBREC, 7)
        client.publish(good(), packet_id=7, qos=2, is_repeat=True)
        expect(client, PUBREC, 7)
        client.send(pubrel(7))
        expect(client, PUBCOMP, 7)
        assert server.account().stored == 1
        client.publish(good(2), packet_id=7, qos=2)
        expect(client, PUBREC, 7)
        assert server.account().stored == 2, "after PUBREL the packet id is free for another delivery"


@pytest.mark.parametrize("version", [4, 5])
def test_what_was_received_survives_with_the_session(server: Running, version: int):
    with Client(server.port, version) as client:
        connect_kept(client)
        client.publish(good(), packet_id=7, qos=2)
        client.publish(good(2), packet_id=8, qos=2)
        expect(client, PUBREC, 7)
        expect(client, PUBREC, 8)
    with Client(server.port, version) as client:
        assert connect_kept(client)[0] == 1
        client.publish(good(), packet_id=7, qos=2, is_repeat=True)
        expect(client, PUBREC, 7)
        client.send(pubrel(7) + pubrel(8))
        expect(client, PUBCOMP, 7)
        expect(client, PUBCOMP, 8)
    assert server.account().stored == 2


@pytest.mark.parametrize("version", [4, 5])
def test_a_repeat_on_another_connection_is_answered_by_the_commit_of_the_first(server: Running, version: int):
    with commits_wait(server.database):
        with Client(server.port, version) as client:
            connect_kept(client)
            client.publish(good(), packet_id=7, qos=2)
            client.send(b"\xc0\x00")
            assert client.receive()[0] == 0xD0
        client = Client(server.port, version)
        assert connect_kept(client)[0] == 1
        client.publish(good(), packet_id=7, qos=2, is_repeat=True)
        client.send(b"\xc0\x00")
        assert client.receive()[0] == 0xD0
    with client:
        expect(client, PUBREC, 7)
        client.send(pubrel(7))
        expect(client, PUBCOMP, 7)
    assert server.account().stored == 1


def test_a_new_session_knows_nothing_and_a_repeat_is_a_duplicate(registered: Database):
    for _ in range(2):
        with running(registered) as server, Client(server.port) as client:
            assert connect_kept(client)[0] == 0, "after a restart the session is new"
            client.publish(form_a(reading(1)), packet_id=7, qos=2)
            expect(client, PUBREC, 7)
            wait_for(lambda: server.account().stored)
    assert server.account().stored == 2, "stored twice; the ledger counts it once"


@pytest.mark.parametrize(("version", "reason"), [(4, None), (5, 0x92)])
def test_a_pubrel_of_nothing_is_completed(server: Running, version: int, reason: int | None):
    with Client(server.port, version) as client:
        client.connect()
        client.send(pubrel(9))
        expect(client, PUBCOMP, 9, reason)


def test_a_pubrel_may_carry_a_reason_and_properties(server: Running):
    with Client(server.port) as client:
        client.connect()
        client.publish(good(), packet_id=3, qos=2)
        expect(client, PUBREC, 3)
        client.send(b"\x62\x08\x00\x03\x92\x04\x1f\x00\x01x")
        expect(client, PUBCOMP, 3)


def test_a_pubrel_before_its_pubrec_breaks_the_protocol(server: Running):
    with Client(server.port) as client:
        client.connect()
        with commits_wait(server.database):
            client.publish(good(), packet_id=3, qos=2)
            client.send(pubrel(3))
            assert client.end() == 0x82
    wait_for(lambda: server.account().stored == 1)


@pytest.mark.parametrize("version", [4, 5])
def test_a_refused_topic_gets_its_reason_and_frees_the_packet_id(registered: Database, version: int):
    with registered.connect() as conn:
        key, _ = keys.create(conn, ["readings:write"], [f"{USCC}/gw1"], "a device")
    settings = EndpointSettings(port=0, anonymous=False, receive_maximum=2)
    with running(registered, settings) as server, Client(server.port, version) as client:
        client.connect(password=key)
        for _ in range(3):
            client.publish(good(), TOPIC.replace("gw1", "gw2"), packet_id=5, qos=2)
            client.publish(good(), "elsewhere", packet_id=6, qos=2)
            expect(client, PUBREC, 5, 0x87 if version == 5 else None)
            expect(client, PUBREC, 6, 0x90 if version == 5 else None)
            if version == 4:
                client.send(pubrel(5) + pubrel(6))
                expect(client, PUBCOMP, 5)
                expect(client, PUBCOMP, 6)


def test_receive_maximum_counts_both_levels_together(registered: Database):
    with running(registered, EndpointSettings(port=0, receive_maximum=3)) as server:
        with Client(server.port) as client:
            client.connect()
            client.publish(good(), packet_id=1, qos=2)
            client.publish(good(), packet_id=2, qos=2)
            expect(client, PUBREC, 1)
            expect(client, PUBREC, 2)
            client.publish(good(), packet_id=3)
            assert client.acknowledged() == [(3, 0)], "a third fits beside two that wait for PUBREL"
            client.publish(good(), packet_id=2, qos=2, is_repeat=True)
            expect(client, PUBREC, 2)
            client.send(pubrel(1))
            expect(client, PUBCOMP, 1)
            client.publish(good(), packet_id=1, qos=2)
            client.publish(good(), packet_id=4, qos=2)
            expect(client, PUBREC, 1)
            expect(client, PUBREC, 4)
            client.publish(good(), packet_id=5)
            assert client.end() == 0x93
        with Client(server.port, 4) as client:
            client.connect()
            ids = range(1, 101)
            client.send(b"".join(publish_packet(good(), packet_id=n, version=4, qos=2) for n in ids))
            for packet_id in ids:
                expect(client, PUBREC, packet_id)
            client.send(b"".join(map(pubrel, ids)))
            for packet_id in ids:
                expect(client, PUBCOMP, packet_id)


def test_levels_mix_in_one_stream(server: Running):
    with Client(server.port) as client:
        client.connect()
        levels: list[Any] = [2, 1, 0, 2, 1, 2]
        client.send(b"".join(publish_packet(good(), packet_id=n, qos=qos) for n, qos in enumerate(levels, 1)))
        answers = [client.receive() for _ in range(5)]
        assert [(first, body[1]) for first, body in answers] == [
            (PUBREC, 1),
            (0x40, 2),
            (PUBREC, 4),
            (0x40, 5),
            (PUBREC, 6),
        ]
    assert server.account().stored == 6


@pytest.mark.parametrize("version", [4, 5])
def test_a_bare_number_at_qos_2_is_a_dead_letter(server: Running, version: int):
    """The contract has it at QoS 0 or 1; with a time it may come at QoS 2."""
    topic = f"carbon/v1/{USCC}/gw1/R-01/kw"
    with Client(server.port, version) as client:
        client.connect()
        client.publish(b"5", topic, packet_id=7, qos=2)
        client.publish(b"6", topic, packet_id=8, qos=1)
        client.publish(json.dumps({"at": recent(), "v": 7}).encode(), topic, packet_id=9, qos=2)
        assert len([client.receive() for _ in range(3)]) == 3
    with server.database.connect() as conn:
        found = conn.execute("SELECT reason, payload FROM dead_letters").fetchall()
    assert found == [("no_time_at_qos_2", b"5")]
    account = server.account()
    assert (account.received, account.stored, account.rejected) == (3, 2, 1)
