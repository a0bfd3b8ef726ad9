"""PROXY protocol 2: headers by the specification, and a listener that takes connections from its proxies alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.proxy_protocol import SIGNATURE, ProxyHeaderError, read_header
from ingest.settings import EndpointSettings
from storage import keys
from tests.ingest.beds import (
    USCC,
    Client,
    Running,
    connect_packet,
    form_a,
    publish_packet,
    reading,
    recent,
    running,
)
from tests.servers import Database, wait_for

LOOPBACK = (ip_network("127.0.0.0/8"),)


def header(address: str = "192.0.2.7", *, command: int = 0x21, more: bytes = b"") -> bytes:
    if ":" in address:
        family, packed = 0x21, socket.inet_pton(socket.AF_INET6, address)
    else:
        family, packed = 0x11, socket.inet_aton(address)
    body = packed * 2 + (40_000).to_bytes(2, "big") + (1883).to_bytes(2, "big") + more
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("more", [b"", b"\x03\x00\x04abcd"])
@pytest.mark.parametrize(
    ("address", "told"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("::ffff:192.0.2.7", "192.0.2.7")],
)
def test_a_header_tells_the_client_however_it_is_cut(address: str, told: str, more: bytes):
    data = header(address, more=more)
    assert read_header(data + b"\x10") == (len(data), told)
    assert {read_header(data[:size]) for size in range(len(data))} == {None}


def test_a_proxy_that_speaks_for_itself_names_nobody():
    assert read_header(header(command=0x20)) == (28, None)
    assert read_header(SIGNATURE + b"\x20\x00\x00\x00") == (16, None)
    assert read_header(SIGNATURE + b"\x21\x00\x00\x00") == (16, None)


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY TCP4 192.0.2.7 192.0.2.8 40000 1883\r\n",
        connect_packet(),
        header(command=0x11),
        header(command=0x22),
        SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),  # UDP
        SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_refused(data: bytes):
    with pytest.raises(ProxyHeaderError):
        read_header(data)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda rest: SIGNATURE + rest)))
def test_any_bytes_are_a_header_or_wait_or_are_refused(data: bytes):
    with contextlib.suppress(ProxyHeaderError):
        found = read_header(data)
        assert found is None or 16 <= found[0] <= len(data)


def details(database: Database) -> list[tuple[str, str]]:
    with database.connect() as conn:
        return conn.execute("SELECT kind, detail FROM gateway_events ORDER BY id").fetchall()


@pytest.fixture
def behind(registered: Database) -> Iterator[tuple[Running, str]]:
    """A server behind a proxy, and a key for it."""
    with registered.connect() as conn:
        key, _ = keys.create(conn, ["readings:write"], [f"{USCC}/gw1"], "a device")
    settings = EndpointSettings(port=0, proxies=LOOPBACK, connections_per_address_max=2)
    with running(registered, settings) as server:
        yield server, key


def test_a_client_behind_a_proxy_publishes_however_the_stream_is_cut(behind: tuple[Running, str]):
    server, key = behind
    stream = header() + connect_packet(password=key) + publish_packet(form_a(reading(1, recent())))
    for pieces in ([stream], [stream[:5], stream[5:20], stream[20:]]):
        with Client(server.port) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.send(piece)
            assert client.receive()[0] == 0x20
            assert client.acknowledged() == [(1, 0)]


def test_there_are_no_anonymous_clients_behind_a_proxy(behind: tuple[Running, str]):
    server, _ = behind
    with Client(server.port) as client:
        client.send(header() + connect_packet())
        assert client.receive()[1][1] == 0x87
    wait_for(lambda: details(server.database))
    assert "at 192.0.2.7: not_authorized" in details(server.database)[0][1], (
        "the client's address, not the proxy's"
    )


@pytest.mark.parametrize("data", [connect_packet(), header(command=0x22), b"GET / HTTP/1.1\r\n\r\n"])
def test_who_comes_without_a_header_is_closed(behind: tuple[Running, str], data: bytes):
    server, _ = behind
    with Client(server.port) as client:
        client.send(data)
        with contextlib.suppress(ConnectionResetError):
            assert client.end() is None
    wait_for(lambda: details(server.database))
    assert details(server.database)[0][0] == "proxy_refused"


def test_who_is_no_proxy_is_closed(registered: Database):
    settings = EndpointSettings(port=0, proxies=(ip_network("192.0.2.0/24"),))
    with running(registered, settings) as server, Client(server.port) as client:
        with contextlib.suppress(ConnectionError):
            client.send(header() + connect_packet())
            assert client.end() is None
        wait_for(lambda: details(server.database))


def test_an_address_has_so_many_connections_and_no_more(behind: tuple[Running, str]):
    server, key = behind

    def connected(client: Client, address: str) -> Any:
        with contextlib.suppress(ConnectionError):
            client.send(header(address) + connect_packet(f"c{id(client)}", password=key))
            return client.receive()[1][1]
        return None

    with Client(server.port) as one, Client(server.port) as two, Client(server.port) as three:
        assert connected(one, "192.0.2.1") == 0
        assert connected(two, "192.0.2.1") == 0
        assert connected(three, "192.0.2.1") is None
        with Client(server.port) as other:
            assert connected(other, "192.0.2.2") == 0
    assert server.ingest.endpoint is not None
    wait_for(lambda: server.ingest.endpoint.connections == 0)
    with Client(server.port) as client:
        assert connected(client, "192.0.2.1") == 0
    assert "too_many_connections" in {kind for kind, _ in details(server.database)}
