"""The endpoint over real sockets: what it announces, acknowledges, refuses and ends, in both versions of MQTT."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import aiomqtt
import mqtt5
import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ingest.endpoint import ACCEPTS_AT_ONCE
from ingest.settings import EndpointSettings
from storage import keys
from tests.ingest.beds import (
    TOPIC,
    USCC,
    Client,
    Running,
    account_of,
    connect_packet,
    form_a,
    packet,
    publish_packet,
    reading,
    recent,
    running,
    subscribe_packet,
    text,
)
from tests.servers import Database, wait_for

RECEIPTS = f"carbon/v1/{USCC}/gw1/receipts"


def good(**more: Any) -> bytes:
    return form_a(reading(1, recent()), **more)


def events(database: Database) -> list[tuple[str, str, str | None]]:
    with database.connect() as conn:
        return conn.execute(
            """SELECT kind, detail, gateway FROM gateway_events LEFT JOIN gateways ON gateways.id = gateway_id
               ORDER BY gateway_events.id"""
        ).fetchall()


# Clients of users


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_paho_publishes_and_gets_receipts(server: Running, protocol: Any):
    client = paho.Client(CallbackAPIVersion.VERSION2, "paho", protocol=protocol)
    got: list[dict[str, Any]] = []
    ready: list[Any] = []
    client.on_message = lambda _client, _data, message: got.append(json.loads(message.payload))
    client.on_subscribe = lambda *details: ready.append(details[3])
    client.connect("127.0.0.1", server.port)
    client.loop_start()
    try:
        client.subscribe(RECEIPTS, 1)
        wait_for(lambda: ready)
        sent = [client.publish(TOPIC, good(seq=number), qos=number % 2) for number in range(10)]
        for each in sent:
            each.wait_for_publish(10)
        wait_for(lambda: len(got) == 10)
    finally:
        client.disconnect()
        client.loop_stop()
    assert [receipt["seq"] for receipt in got] == list(range(10))
    assert all((item["stored"], item["held"], item["rejected"]) == (1, 0, 0) for item in got)
    assert server.account().stored == 10


@pytest.mark.parametrize("protocol", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
def test_aiomqtt_publishes(server: Running, protocol: Any):
    async def publish() -> None:
        async with aiomqtt.Client("127.0.0.1", server.port, protocol=protocol) as client:
            for number in range(5):
                await client.publish(TOPIC, good(seq=number), qos=1)

    asyncio.run(publish())
    assert server.account().stored == 5


# Acknowledgement


@pytest.mark.parametrize("version", [4, 5])
def test_puback_means_a_committed_row(server: Running, version: int):
    with Client(server.port, version) as client:
        client.connect()
        client.publish(good(), packet_id=513)
        assert client.acknowledged() == [(513, 0)]
        assert server.account().stored == 1
        with server.database.connect() as conn:
            assert conn.execute("SELECT count(*) FROM readings").fetchone() == (1,)


def test_acknowledgements_come_in_the_order_of_the_messages(server: Running):
    with Client(server.port) as client:
        client.connect()
        ids = [7, 3, 60_000, 1, 2]
        client.send(b"".join(publish_packet(good(), packet_id=number) for number in ids))
        assert client.acknowledged(5) == [(number, 0) for number in ids]


def test_what_is_rejected_or_held_is_acknowledged_too(server: Running):
    with Client(server.port) as client:
        client.connect()
        client.publish(b"garbage", packet_id=1)
        client.publish(form_a(reading(99, recent())), packet_id=2)
        client.publish(good(), TOPIC.replace("gw1", "gw9"), packet_id=3)
        assert client.acknowledged(3) == [(1, 0), (2, 0), (3, 0)]
    found = server.account()
    assert (found.received, found.held, found.rejected) == (2, 1, 1)
    assert server.account("gw9").rejected == 1


@pytest.mark.parametrize(("version", "expected"), [(4, [0, 0, 0]), (5, [0x90, 0, 0x90])])
def test_a_topic_that_is_not_ours_is_a_dead_letter_on_no_account(
    server: Running, version: int, expected: list[int]
):
    with Client(server.port, version) as client:
        client.connect()
        client.publish(b"21.5", "sensors/room", packet_id=1)
        client.publish(good(), packet_id=2)
        client.publish(b"21.5", b"carbon/v1/\xff", packet_id=3)
        assert client.acknowledged(3) == [(1, expected[0]), (2, expected[1]), (3, expected[2])]
    with server.database.connect() as conn:
        letters = conn.execute(
            "SELECT topic, payload, gateway_id, reason FROM dead_letters ORDER BY id"
        ).fetchall()
    assert letters == [
        (b"sensors/room", b"21.5", None, "bad_topic"),
        (b"carbon/v1/\xff", b"21.5", None, "bad_topic"),
    ]


def test_qos_0_is_committed_and_not_acknowledged(server: Running):
    with Client(server.port) as client:
        client.connect()
        client.publish(good(), qos=0)
        client.publish(good(), packet_id=5)
        assert client.acknowledged() == [(5, 0)]
    assert server.account().stored == 2


def test_a_retained_bare_number_is_rejected_a_live_one_stored(server: Running):
    topic = f"carbon/v1/{USCC}/gw1/E-01/kwh"
    with Client(server.port) as client:
        client.connect()
        client.publish(b"12.5", topic, packet_id=1, retain=True)
        client.publish(b"12.5", topic, packet_id=2)
        assert client.acknowledged(2) == [(1, 0), (2, 0)]
    found = server.account()
    assert (found.stored, found.rejected) == (1, 1)


# What is announced


def test_connack_announces_our_limits(server: Running):
    with Client(server.port) as client:
        body = client.connect()
    answer, _ = mqtt5.read(memoryview(packet(0x20, body)))
    assert isinstance(answer, mqtt5.ConnAckPacket)
    assert (answer.receive_max, answer.max_qos, answer.max_packet_size) == (4096, 2, 1 << 20)
    assert answer.topic_alias_max == 0
    assert not answer.shared_subscription_available
    assert answer.assigned_client_id is None


def test_a_client_without_an_id_gets_one_or_is_refused(server: Running):
    with Client(server.port) as client:
        answer, _ = mqtt5.read(memoryview(packet(0x20, client.connect(""))))
        assert isinstance(answer, mqtt5.ConnAckPacket)
        assert answer.assigned_client_id
    with Client(server.port, 4) as client:
        assert client.connect("") == b"\x00\x00"
    with Client(server.port, 4) as client:
        assert client.connect("", clean=False) == b"\x00\x02"
        assert client.end() is None


def test_an_unknown_version_is_told_so(server: Running):
    with Client(server.port, 4) as client:
        client.send(packet(0x10, text("MQIsdp") + b"\x03\x02\x00\x3c" + text("old")))
        assert client.receive() == (0x20, b"\x00\x01")
        assert client.end() is None


# Sessions


@pytest.mark.parametrize(
    ("version", "more"), [(4, {"clean": False}), (5, {"clean": False, "properties": b"\x11\x00\x00\x00\x3c"})]
)
def test_a_session_is_present_when_it_is(server: Running, version: int, more: dict[str, Any]):
    def session_present(**changed: Any) -> int:
        with Client(server.port, version) as client:
            present = client.connect("keeper", **{**more, **changed})[0]
            client.send(subscribe_packet(RECEIPTS, version=version))
            assert client.receive()[0] == 0x90
            client.send(b"\xe0\x00")
            client.end()
            return present

    assert session_present() == 0
    assert session_present() == 1
    with Client(server.port, version) as client:
        assert client.connect("keeper", **more)[0] == 1
        client.publish(good(seq=5))
        assert client.receipts()[0]["seq"] == 5, "its subscription is part of the session"
    assert session_present(clean=True) == 0
    if version == 5:
        with Client(server.port) as client:
            client.connect("keeper", clean=False)  # this time without an expiry
        time.sleep(0.1)
        with Client(server.port) as client:
            assert client.connect("keeper", clean=False)[0] == 0


def test_a_session_expires_with_its_connection_by_default(server: Running):
    for _ in range(2):
        with Client(server.port) as client:
            assert client.connect("fleeting", clean=False)[0] == 0
        time.sleep(0.1)


def test_another_connection_takes_a_session_over(server: Running):
    with Client(server.port) as first, Client(server.port) as second:
        first.connect("twin")
        second.connect("twin")
        assert first.end() == 0x8E
        second.publish(good())
        assert second.acknowledged() == [(1, 0)]


def test_an_unacknowledged_message_is_sent_again_and_counted_as_a_repeat(server: Running):
    message = publish_packet(good(seq=1))
    with Client(server.port) as client:
        client.connect("gateway")
        client.send(message)
    wait_for(lambda: server.account().stored == 1)
    with Client(server.port) as client:
        client.connect("gateway")
        client.send(bytes((message[0] | 0x08,)) + message[1:])  # DUP
        assert client.acknowledged() == [(1, 0)]
    assert server.account().stored == 2, "stored twice; the ledger counts it once"


# Receipts


@pytest.mark.parametrize("version", [4, 5])
def test_receipts_go_to_those_who_subscribed(server: Running, version: int):
    with Client(server.port, version) as taker, Client(server.port) as sender:
        taker.connect("taker")
        taker.send(subscribe_packet("carbon/v1/+/gw1/receipts", version=version))
        assert taker.receive()[1][-1] == 0
        sender.connect("sender")
        payload = json.dumps(
            [
                json.loads(good(seq=1)),
                json.loads(form_a(reading(99, recent()), {"m": "?"}, seq=2)),
                {"seq": 3},
            ]
        )
        sender.publish(payload.encode())
        sender.publish(good(), packet_id=2)  # without a seq: no receipt
        sender.publish(good(seq="last"), packet_id=3)
        sender.publish(good(seq="other gateway"), TOPIC.replace("gw1", "gw2"), packet_id=4)
        assert len(sender.acknowledged(4)) == 4
        got = taker.receipts(4)
        assert [(r["seq"], r["stored"], r["held"], r["rejected"]) for r in got] == [
            (1, 1, 0, 0),
            (2, 0, 1, 1),
            (3, 0, 0, 1),
            ("last", 1, 0, 0),
        ]
        assert {receipt["topic"] for receipt in got} == {RECEIPTS}
        assert got[0]["committed_at"].endswith("Z")
        taker.send(
            packet(0xA2, b"\x00\x02" + (b"\x00" if version == 5 else b"") + text("carbon/v1/+/gw1/receipts"))
        )
        assert taker.receive()[0] == 0xB0
        sender.publish(good(seq=9), packet_id=5)
        sender.acknowledged()
        taker.send(b"\xc0\x00")
        assert taker.receive() == (0xD0, b""), "no receipt after UNSUBSCRIBE"


def test_a_subscriber_gets_no_receipt_larger_than_it_takes(server: Running):
    with Client(server.port) as taker, Client(server.port) as sender:
        taker.connect("small", properties=b"\x27\x00\x00\x00\x40")
        taker.send(subscribe_packet(RECEIPTS))
        assert taker.receive()[0] == 0x90
        sender.connect("sender")
        sender.publish(good(seq=1))
        sender.acknowledged()
        taker.send(b"\xc0\x00")
        assert taker.receive()[0] == 0xD0


def test_what_else_is_subscribed_to_is_refused(server: Running):
    with Client(server.port) as client:
        client.connect()
        client.send(subscribe_packet(TOPIC, "$share/g/" + RECEIPTS, "a#", RECEIPTS, "#"))
        assert client.receive()[1][3:] == bytes((0x87, 0x9E, 0x8F, 0, 0))
    with Client(server.port, 4) as client:
        client.connect()
        client.send(subscribe_packet(TOPIC, RECEIPTS, version=4))
        assert client.receive()[1][2:] == b"\x80\x00"


# Signing in


def make_key(database: Database, *gateways: str, scope: str = "readings:write") -> tuple[str, keys.Key]:
    with database.connect() as conn:
        return keys.create(conn, [scope], gateways, "a device")


@pytest.fixture
def strict(registered: Database):
    with running(registered, EndpointSettings(port=0, anonymous=False)) as server:
        yield server


@pytest.mark.parametrize("version", [4, 5])
def test_a_key_publishes_for_its_gateways_alone(strict: Running, version: int):
    key, _ = make_key(strict.database, f"{USCC}/gw1")
    with Client(strict.port, version) as client:
        assert client.connect(password=key)[:2] == b"\x00\x00"
        client.publish(good(seq=1), packet_id=1)
        client.publish(good(seq=2), TOPIC.replace("gw1", "gw2"), packet_id=2)
        assert client.acknowledged(2) == [(1, 0), (2, 0x87 if version == 5 else 0)]
        client.send(subscribe_packet("carbon/v1/+/gw2/receipts", "#", version=version))
        first, body = client.receive()
        assert first == 0x90
        assert body[-2:] == (b"\x87\x00" if version == 5 else b"\x80\x00")
        client.publish(good(seq=3), packet_id=3)
        assert client.receipts()[0]["seq"] == 3
    assert strict.account("gw1").stored == 2
    assert strict.account("gw2").received == 0
    with strict.database.connect() as conn:
        assert conn.execute("SELECT reason, gateway_id FROM dead_letters").fetchall() == [
            ("not_authorized", None)
        ]


def test_wildcards_match_only_the_receipts_of_the_keys_gateways(strict: Running):
    mine, _ = make_key(strict.database, f"{USCC}/gw1")
    other, _ = make_key(strict.database, f"{USCC}/gw2")
    with Client(strict.port) as taker, Client(strict.port) as sender:
        taker.connect("taker", password=mine)
        taker.send(subscribe_packet("#"))
        assert taker.receive()[1][-1] == 0
        sender.connect("sender", password=other)
        sender.publish(good(seq=1), TOPIC.replace("gw1", "gw2"))
        sender.acknowledged()
        taker.publish(good(seq=2))
        assert taker.receipts()[0]["seq"] == 2


@pytest.mark.parametrize(("version", "unknown", "scopeless", "nobody"), [(4, 4, 5, 5), (5, 0x86, 0x87, 0x87)])
def test_who_does_not_sign_in_is_refused(
    strict: Running, version: int, unknown: int, scopeless: int, nobody: int
):
    reader, _ = make_key(strict.database, scope="emissions:read")
    for password, code in (("cm_wrong", unknown), (reader, scopeless), (None, nobody)):
        with Client(strict.port, version) as client:
            assert client.connect(password=password)[1] == code
            assert client.end() is None
    wait_for(lambda: len(events(strict.database)) == 3)
    assert {kind for kind, _, _ in events(strict.database)} == {"sign_in_refused"}


def test_what_follows_connect_at_once_waits_for_the_key_to_be_verified(strict: Running):
    key, _ = make_key(strict.database, f"{USCC}/gw1")
    with Client(strict.port) as client:
        client.send(
            connect_packet(password=key) + publish_packet(good()) + publish_packet(good(), packet_id=2)
        )
        assert client.receive()[0] == 0x20
        assert client.acknowledged(2) == [(1, 0), (2, 0)]


def test_a_wrong_password_is_refused_on_loopback_too(server: Running):
    with Client(server.port) as client:
        assert client.connect(password="cm_wrong")[1] == 0x86


def test_revoking_a_key_ends_its_connections_within_a_second_or_so(strict: Running):
    key, kept = make_key(strict.database, f"{USCC}/gw1")
    with Client(strict.port) as client:
        client.connect(password=key)
        client.publish(good())
        client.acknowledged()
        with strict.database.connect() as conn:
            keys.revoke(conn, kept.prefix)
        begun = time.monotonic()
        assert client.end() == 0x87
        assert time.monotonic() - begun < 3
    with Client(strict.port) as client:
        assert client.connect(password=key)[1] == 0x86


def test_keys_have_sessions_of_their_own(strict: Running):
    first, _ = make_key(strict.database, f"{USCC}/gw1")
    second, _ = make_key(strict.database, f"{USCC}/gw2")
    with Client(strict.port) as one, Client(strict.port) as two:
        one.connect("same", password=first)
        two.connect("same", password=second)
        one.publish(good())
        assert one.acknowledged() == [(1, 0)], "nobody takes over another key's session"


# Limits


def test_more_in_flight_than_announced_ends_the_connection(registered: Database):
    with running(registered, EndpointSettings(port=0, receive_maximum=10)) as server:
        with Client(server.port) as client:
            client.connect()
            client.send(b"".join(publish_packet(good(), packet_id=number) for number in range(1, 30)))
            assert client.end() == 0x93
        wait_for(lambda: server.account().stored >= 10)
        with Client(server.port, 4) as client:
            client.connect()
            client.send(b"".join(publish_packet(good(), packet_id=n, version=4) for n in range(1, 100)))
            assert len(client.acknowledged(99)) == 99, "3.1.1 can't be told: it is held back instead"


@pytest.mark.parametrize("version", [4, 5])
def test_a_packet_over_the_maximum_is_refused_and_recorded(server: Running, version: int):
    with Client(server.port, version) as client:
        client.connect("big")
        client.publish(good(), packet_id=1)
        client.acknowledged()
        try:
            client.publish(b"x" * (10 << 20), packet_id=2)
        except (ConnectionError, TimeoutError):
            assert version == 4
        assert client.end() == (0x95 if version == 5 else None)
    wait_for(lambda: events(server.database))
    kind, detail, gateway = events(server.database)[0]
    assert (kind, gateway) == ("packet_too_large", "gw1")
    assert "maximum is 1048576" in detail
    assert server.account().received == 1, "it isn't received"


def test_a_packet_of_just_the_maximum_is_taken(server: Running):
    overhead = len(publish_packet(b"")) + 2  # two more bytes of length
    with Client(server.port) as client:
        client.connect()
        client.publish(b" " * ((1 << 20) - overhead - len(good())) + good())
        assert client.acknowledged() == [(1, 0)]
    assert server.account().stored == 1


def test_silence_beyond_one_and_a_half_keep_alives_ends_the_connection(server: Running):
    with Client(server.port) as client:
        client.connect(keep_alive_s=1)
        begun = time.monotonic()
        assert client.end() == 0x8D
        assert 1.2 < time.monotonic() - begun < 5
    with Client(server.port) as client:
        client.connect(keep_alive_s=1)
        for _ in range(6):
            time.sleep(0.5)
            client.send(b"\xc0\x00")
            assert client.receive() == (0xD0, b"")


def test_who_sends_no_connect_is_dropped(registered: Database):
    with (
        running(registered, EndpointSettings(port=0, connect_s_max=0.5)) as server,
        Client(server.port) as client,
    ):
        assert client.end() is None


def test_one_connection_too_many_is_dropped(registered: Database):
    with (
        running(registered, EndpointSettings(port=0, connections_max=2)) as server,
        Client(server.port) as one,
        Client(server.port) as two,
        Client(server.port) as three,
    ):
        one.connect("1")
        two.connect("2")
        with pytest.raises((ConnectionError, TimeoutError)):
            three.connect("3")
        one.publish(good())
        assert one.acknowledged() == [(1, 0)]


def test_a_client_that_takes_nothing_is_dropped(registered: Database):
    with (
        running(registered, EndpointSettings(port=0, slow_s_max=1.0)) as server,
        Client(server.port, 4) as client,
    ):
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect("slow")
        client.socket.settimeout(0.5)

        def is_dropped() -> bool:
            try:
                client.send(b"\xc0\x00" * 20_000)
            except TimeoutError:
                pass
            except ConnectionError:
                return True
            return False

        wait_for(is_dropped, 60)
        assert server.ingest.endpoint is not None
        wait_for(lambda: server.ingest.endpoint.connections == 0)


# The end of a connection


def test_a_will_becomes_an_event_unless_the_client_says_goodbye(server: Running):
    will = (f"carbon/v1/{USCC}/gw1/status", b"gone")
    with Client(server.port) as client:
        client.connect("polite", will=will)
        client.send(b"\xe0\x00")
        client.end()
    with Client(server.port) as client:
        client.connect("rude", will=will)
    wait_for(lambda: events(server.database))
    time.sleep(0.2)
    found = events(server.database)
    assert [kind for kind, _, _ in found] == ["will"]
    assert "rude" in found[0][1]
    assert "gone" in found[0][1]


def with_will(client: Client, delay_s: int, *, clean: bool = False) -> bytes:
    """Connect with a session of a minute and a will; the CONNACK's body."""
    delay = b"\x18" + delay_s.to_bytes(4, "big")
    body = text("MQTT") + bytes((5, 0x06 if clean else 0x04)) + b"\x00\x3c" + b"\x05\x11\x00\x00\x00\x3c"
    body += text("keeper") + bytes((len(delay),)) + delay + text("a/b") + text("gone")
    client.send(packet(0x10, body))
    return client.receive()[1]


def wills(server: Running) -> int:
    return sum(kind == "will" for kind, _, _ in events(server.database))


def test_a_delayed_will_waits_and_is_dropped_when_the_session_goes_on(server: Running):
    with Client(server.port) as client:
        with_will(client, 3600)
    assert server.ingest.endpoint is not None
    wait_for(lambda: server.ingest.endpoint.connections == 0)
    with Client(server.port) as client:
        assert with_will(client, 1)[0] == 1
    wait_for(lambda: wills(server))
    assert wills(server) == 1, "the second alone, after its second"


def test_a_new_session_ends_the_old_one_and_its_will_is_recorded(server: Running):
    with Client(server.port) as client:
        with_will(client, 3600)
    assert server.ingest.endpoint is not None
    wait_for(lambda: server.ingest.endpoint.connections == 0)
    with Client(server.port) as client:
        assert with_will(client, 3600, clean=True)[0] == 0
        wait_for(lambda: wills(server) == 1)


def test_who_is_taken_over_leaves_a_will_unless_it_is_delayed(server: Running):
    with Client(server.port) as first, Client(server.port) as second, Client(server.port) as third:
        with_will(first, 3600)
        with_will(second, 0)
        assert first.end() == 0x8E
        with_will(third, 0)
        assert second.end() == 0x8E
        wait_for(lambda: wills(server))
        assert wills(server) == 1


def test_a_goodbye_that_asks_for_it_keeps_the_will(server: Running):
    with Client(server.port) as client:
        with_will(client, 0)
        client.send(b"\xe0\x01\x04")
        client.end()
    wait_for(lambda: wills(server) == 1)


def test_a_clean_stop_commits_and_acknowledges_what_was_taken(registered: Database):
    with running(registered) as server:
        client = Client(server.port)
        client.connect()
        client.send(b"".join(publish_packet(good(), packet_id=number) for number in range(1, 1001)))
        wait_for(lambda: server.account().stored > 0)
    acknowledged = 0
    try:
        while True:
            acknowledged += len(client.acknowledged())
    except ConnectionError:
        pass
    client.socket.close()
    assert account_of(registered).stored >= acknowledged > 0


def test_services_hear_of_it(server: Running):
    def beat() -> Any:
        with server.database.connect() as conn:
            return conn.execute("SELECT ready, detail FROM services WHERE name = 'ingest'").fetchone()

    found = wait_for(beat)
    assert found[0]
    assert found[1]["endpoint"]["port"] == server.port


def test_more_connections_at_once_than_are_accepted_in_a_row_all_come_in(server: Running):
    clients = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(5 * ACCEPTS_AT_ONCE)]
    for number, client in enumerate(clients):
        client.sendall(connect_packet(f"one-of-many-{number}"))
    for client in clients:
        assert client.recv(2)[0] == 0x20
        client.close()
