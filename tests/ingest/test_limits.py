"""Limits of one client: how many messages a second are read of it, and how many connections a key has."""

from __future__ import annotations

import time

import pytest

from ingest.settings import EndpointSettings
from storage import keys
from tests.ingest.beds import USCC, Client, connect_packet, form_a, publish_packet, reading, recent, running
from tests.servers import Database, wait_for


def test_a_client_beyond_its_rate_is_held_back_and_loses_nothing(registered: Database):
    with running(registered, EndpointSettings(port=0, messages_per_s_max=100)) as server:
        payload = form_a(reading(1, recent()))
        with Client(server.port) as greedy, Client(server.port) as modest:
            greedy.connect("greedy")
            modest.connect("modest")
            begun = time.monotonic()
            greedy.send(b"".join(publish_packet(payload, packet_id=n) for n in range(1, 251)))
            modest.publish(payload)
            assert modest.acknowledged() == [(1, 0)], "others aren't held back"
            assert greedy.acknowledged(250) == [(n, 0) for n in range(1, 251)]
            # a second's worth at once, and what one read holds; the others in their time
            assert time.monotonic() - begun > 1.0
        assert server.account().stored == 251


@pytest.mark.parametrize(("version", "code"), [(4, 3), (5, 0x97)])
def test_a_key_has_so_many_connections_and_no_more(registered: Database, version: int, code: int):
    with registered.connect() as conn:
        key, _ = keys.create(conn, ["readings:write"], [f"{USCC}/gw1"], "a device")
    with running(registered, EndpointSettings(port=0, connections_per_key_max=2)) as server:
        with Client(server.port, version) as one, Client(server.port, version) as two:
            assert one.connect("one", password=key)[1] == 0
            assert two.connect("two", password=key)[1] == 0
            with Client(server.port, version) as three:
                assert three.connect("three", password=key)[1] == code
            with Client(server.port, version) as nobody:
                assert nobody.connect("nobody")[1] == 0
            with Client(server.port, version) as again:
                assert again.connect("two", password=key)[1] == 0, "who takes its own place isn't one more"
                assert two.end() == (0x8E if version == 5 else None)
        assert server.ingest.endpoint is not None
        wait_for(lambda: server.ingest.endpoint.connections == 0)
        with Client(server.port, version) as client:
            assert client.connect("three", password=key)[1] == 0


@pytest.mark.parametrize("size", [1, 5, 20])
def test_an_answer_beyond_the_clients_maximum_packet_is_not_sent(registered: Database, size: int):
    with running(registered) as server, Client(server.port) as client:
        client.send(connect_packet("", properties=b"\x27" + size.to_bytes(4, "big")))
        assert client.receive() == (0x20, b"\x00\x95\x00")
        assert client.end() is None
