"""MQTT over WebSockets: frames that cut packets as they like, and what isn't MQTT in them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from ingest.settings import EndpointSettings
from tests.ingest.beds import (
    TOPIC,
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


@pytest.fixture
def served(registered: Database) -> Iterator[Running]:
    with running(
        registered, EndpointSettings(port=None, websockets=("127.0.0.1", 0), connect_s_max=1.0)
    ) as server:
        yield server


class Frames(Client):
    """A client whose bytes go through frames, of so many bytes each."""

    def __init__(
        self, server: Running, subprotocols: tuple[str, ...] = ("mqtt",), size: int = 1 << 16
    ) -> None:
        assert server.ingest.endpoint is not None
        super().__init__(server.ingest.endpoint.websocket_port or 0)
        self.plain = self.socket
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.size = size
        self.frames = WSConnection(ConnectionType.CLIENT)
        self.events: list[Any] = []
        self.socket = self  # type: ignore[assignment]
        self.tell(Request(host="localhost", target="/mqtt", subprotocols=list(subprotocols)))

    def tell(self, event: Any) -> None:
        self.plain.sendall(self.frames.send(event))

    def hear(self) -> Any:
        """The next event; None at the end of the stream."""
        while not self.events:
            data = self.plain.recv(1 << 16)
            if not data:
                return None
            self.frames.receive_data(data)
            self.events += self.frames.events()
        return self.events.pop(0)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), self.size):
            self.tell(BytesMessage(data[start : start + self.size]))

    def recv(self, _: int) -> bytes:
        event = self.hear()
        return bytes(event.data) if isinstance(event, BytesMessage) else b""

    def close(self) -> None:
        self.plain.close()


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_packets_and_frames_need_not_agree(served: Running, size: int):
    with Frames(served, size=size) as client:
        accepted = client.hear()
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == "mqtt"
        assert not accepted.extensions
        payload = form_a(reading(1, recent()))
        client.send(connect_packet() + publish_packet(payload) + publish_packet(payload, packet_id=2, qos=2))
        assert client.receive()[0] == 0x20
        assert client.acknowledged() == [(1, 0)]
        assert client.receive() == (0x50, b"\x00\x02")
    assert served.account().stored == 2


def test_fragments_of_a_message_and_pings_between_them(served: Running):
    with Frames(served) as client:
        client.hear()
        data = connect_packet()
        client.tell(BytesMessage(data[:9], message_finished=False))
        client.tell(Ping(b"there?"))
        answer = client.hear()
        assert isinstance(answer, Pong)
        assert answer.payload == b"there?"
        client.tell(BytesMessage(data[9:]))
        assert client.receive()[0] == 0x20


def test_text_is_no_mqtt(served: Running):
    with Frames(served) as client:
        client.hear()
        client.tell(TextMessage("hello"))
        end = client.hear()
        assert isinstance(end, CloseConnection)
        assert end.code == 1003
        assert client.hear() is None


@pytest.mark.parametrize("subprotocols", [(), ("mqttv3.1", "chat")])
def test_who_does_not_offer_mqtt_is_refused(served: Running, subprotocols: tuple[str, ...]):
    with Frames(served, subprotocols) as client:
        refused = client.hear()
        assert isinstance(refused, RejectConnection)
        assert refused.status_code == 400


def test_a_fault_ends_with_its_reason_and_a_close_frame(served: Running):
    with Frames(served) as client:
        client.hear()
        client.send(connect_packet() + connect_packet())
        assert client.receive()[0] == 0x20
        assert client.receive() == (0xE0, b"\x82")
        assert isinstance(client.hear(), CloseConnection)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 500, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 300_000, connect_packet()],
)
def test_what_is_no_websocket_is_let_go(served: Running, data: bytes):
    assert served.ingest.endpoint is not None
    address = "127.0.0.1", served.ingest.endpoint.websocket_port or 0
    with socket.create_connection(address, 10) as plain, contextlib.suppress(ConnectionError):
        plain.sendall(data)
        while plain.recv(1 << 16):
            pass
    wait_for(lambda: served.ingest.endpoint.connections == 0)


def test_a_goodbye_of_websockets_is_answered(served: Running):
    with Frames(served) as client:
        client.hear()
        client.connect()
        client.tell(CloseConnection(1000))
        assert isinstance(client.hear(), CloseConnection)
        assert client.hear() is None


def test_paho_publishes_through_websockets(served: Running):
    assert served.ingest.endpoint is not None
    client = paho.Client(CallbackAPIVersion.VERSION2, "paho", transport="websockets", protocol=paho.MQTTv5)
    client.connect("127.0.0.1", served.ingest.endpoint.websocket_port or 0)
    client.loop_start()
    try:
        for number in range(10):
            client.publish(TOPIC, form_a(reading(1, recent())), qos=number % 3).wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()
    wait_for(lambda: served.account().stored == 10)
