"""As a Host Application at a real broker, with an edge node that speaks by libraries of others."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ingest.formats import rules_of
from ingest.mqtt_packet import read_connect
from ingest.settings import BrokerSettings
from ingest.sparkplug.host import HostLink, state
from tests.ingest.beds import Running, account_of, running
from tests.ingest.sparkplug_bed import RULE, Node, Payload, topic
from tests.servers import Database, Mosquitto, wait_for

pytestmark = pytest.mark.broker

HOST_ID = "carbonmeter"
STATE_TOPIC = f"spBv1.0/STATE/{HOST_ID}"
DEVICES = {"E-01": {"kwh": 11}, "E-02": {"kwh": 12}}


def formats(**more: Any) -> Any:
    return rules_of(json.dumps([{**RULE, "reorder_s": 0.3, "rebirth_s": 0.3, **more}]))


@contextlib.contextmanager
def hosting(database: Database, broker: Mosquitto, **more: Any) -> Iterator[Running]:
    with running(database, broker=BrokerSettings(broker.url), formats=formats(**more)) as server:
        wait_for(lambda: all(host.is_connected for host in server.ingest.hosts))
        yield server


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Edge:
    """An edge node at a broker, by paho: it dies by its will, and answers rebirth requests."""

    def __init__(
        self, port: int, *, answers: bool = True, bd_seq: int = 0, version: Any = paho.MQTTv311
    ) -> None:
        self.node = Node(bd_seq=bd_seq)
        self.answers = answers
        self.commands: list[Any] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"edge-{port}", protocol=version)
        self.client.will_set(*self.node.death(), qos=1)
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(topic("NCMD"), 1)
        assert self._subscribed.wait(30)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        command = Payload()
        command.ParseFromString(message.payload)
        self.commands.append((message, command))
        if self.answers:
            self.be_born()

    def publish(self, name: str, data: bytes) -> None:
        self.client.publish(name, data, 0)

    def be_born(self) -> None:
        with self._lock:
            self.publish(*self.node.birth({}, at_ms=now_ms()))
            for device, metrics in DEVICES.items():
                self.publish(*self.node.device_birth(device, metrics, 1.0, now_ms()))

    def data(self, device: str, value: float, *, is_lost: bool = False) -> None:
        with self._lock:
            sent = self.node.data(device, {DEVICES[device]["kwh"]: value}, now_ms())
            if not is_lost:
                self.publish(*sent)

    def die(self) -> None:
        """As by a power cut: the broker publishes the will."""
        sock = self.client.socket()
        assert sock is not None
        self.client.loop_stop()
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def edge(mosquitto: Mosquitto) -> Iterator[Edge]:
    edge = Edge(mosquitto.port)
    yield edge
    edge.close()


class Watcher:
    """Sees STATE, as an edge node that waits for its primary host does."""

    def __init__(self, broker: Mosquitto) -> None:
        self.seen: list[tuple[bool, bool, int, bool]] = []  # online, retained, timestamp, QoS 1
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        options = paho.SubscribeOptions(qos=1, retainAsPublished=True)
        self.client.subscribe([(STATE_TOPIC, options)])
        assert self._subscribed.wait(30)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if not message.payload.startswith(b"{"):
            return
        said = json.loads(message.payload.decode("utf-8"))
        assert set(said) == {"online", "timestamp"}
        self.seen.append((said["online"], message.retain, said["timestamp"], message.qos == 1))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def watcher(mosquitto: Mosquitto) -> Iterator[Watcher]:
    watcher = Watcher(mosquitto)
    yield watcher
    watcher.close()


def events(database: Database) -> list[tuple[str, str]]:
    with database.connect() as conn:
        return list(conn.execute("SELECT kind, detail FROM gateway_events ORDER BY id"))


def values_of(database: Database) -> dict[str, set[float]]:
    with database.connect() as conn:
        rows = conn.execute(
            """SELECT points.meter, mantissa * power(10::numeric, exponent)
               FROM readings JOIN points ON points.id = channel_id"""
        )
        values: dict[str, set[float]] = {}
        for meter, value in rows:
            values.setdefault(meter, set()).add(float(value))
        return values


def test_births_and_data_come_in(registered: Database, mosquitto: Mosquitto, edge: Edge):
    with hosting(registered, mosquitto):
        edge.be_born()
        for number in range(300):
            edge.data("E-01", float(number + 2))
            edge.data("E-02", float(number + 1002))
        wait_for(lambda: account_of(registered).stored == 602)
    account = account_of(registered)
    assert (account.received, account.rejected) == (602, 0)
    assert edge.commands == []
    assert [kind for kind, _ in events(registered)] == ["sparkplug_online", *["sparkplug_device_online"] * 2]


def test_after_a_restart_of_ours_a_birth_is_asked_for_and_nothing_is_lost(
    registered: Database, mosquitto: Mosquitto, edge: Edge
):
    edge.be_born()
    with hosting(registered, mosquitto):
        for number in range(20):
            edge.data("E-01", float(number + 2))
        wait_for(lambda: edge.commands)
        wait_for(lambda: account_of(registered).stored >= 22)
        wait_for(lambda: account_of(registered).rejected == 0)
        edge.data("E-02", 99.0)
        wait_for(lambda: 99.0 in values_of(registered).get("E-02", ()))
    assert values_of(registered)["E-01"] == {float(number + 1) for number in range(21)}
    message, command = edge.commands[0]
    assert (message.topic, message.qos, message.retain) == (topic("NCMD"), 0, False)
    assert command.timestamp
    assert not command.HasField("seq")
    assert [(each.name, each.boolean_value) for each in command.metrics] == [("Node Control/Rebirth", True)]
    with registered.connect() as conn:
        assert conn.execute("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL").fetchone() == (0,)


def test_a_lost_message_leads_to_a_rebirth_and_what_came_after_it_is_kept(
    registered: Database, mosquitto: Mosquitto, edge: Edge
):
    with hosting(registered, mosquitto):
        edge.be_born()
        edge.data("E-01", 5.0, is_lost=True)
        edge.data("E-01", 6.0)
        wait_for(lambda: account_of(registered).rejected == 1)
        wait_for(lambda: edge.commands)
        wait_for(lambda: 6.0 in values_of(registered).get("E-01", ()))
        wait_for(lambda: account_of(registered).rejected == 0)
    assert "message 3 is missing" in dict(events(registered))["sparkplug_rebirth"]


def test_a_node_that_gives_no_birth_keeps_its_dead_letters(registered: Database, mosquitto: Mosquitto):
    edge = Edge(mosquitto.port, answers=False)
    try:
        with hosting(registered, mosquitto):
            edge.data("E-01", 5.0)
            wait_for(lambda: edge.commands)
            wait_for(lambda: account_of(registered).rejected == 1)
        with registered.connect() as conn:
            rows = conn.execute("SELECT reason, decoder, via FROM dead_letters").fetchall()
        assert rows == [("unknown_alias", "sparkplug_b/1", "broker")]
    finally:
        edge.close()


def test_a_death_by_will_makes_the_node_stale(registered: Database, mosquitto: Mosquitto):
    edge = Edge(mosquitto.port, bd_seq=4)
    with hosting(registered, mosquitto):
        edge.be_born()
        wait_for(lambda: account_of(registered).stored == 2)
        edge.die()
        wait_for(lambda: "sparkplug_offline" in dict(events(registered)))
    assert "bdSeq 4" in dict(events(registered))["sparkplug_offline"]
    with registered.connect() as conn:
        rows = conn.execute(
            """SELECT DISTINCT uscc || '/' || gateway, abs(extract(epoch FROM clock_timestamp() - happened_at)) < 600
               FROM gateway_events JOIN gateways ON gateways.id = gateway_id WHERE kind = 'sparkplug_offline'"""
        ).fetchall()
    assert rows == [(f"{topic('').split('/')[1]}/gw1", True)]


def test_state_is_online_while_we_are_there(registered: Database, mosquitto: Mosquitto, watcher: Watcher):
    with hosting(registered, mosquitto):
        wait_for(lambda: watcher.seen)
        (online,) = watcher.seen
        assert online[0]
        assert online[1]
        assert online[3]
        assert abs(online[2] - now_ms()) < 600_000
    wait_for(lambda: len(watcher.seen) == 2)
    offline = watcher.seen[1]
    assert (offline[0], offline[1], offline[3]) == (False, True, True)
    assert offline[2] >= online[2]


def test_the_will_says_offline_with_the_timestamp_of_the_birth(
    registered: Database, mosquitto: Mosquitto, watcher: Watcher
):
    with hosting(registered, mosquitto) as server:
        wait_for(lambda: watcher.seen)
        (host,) = server.ingest.hosts
        link = host._link
        assert isinstance(link, HostLink)
        assert link._transport is not None
        link.ended.get_loop().call_soon_threadsafe(link._transport.abort)
        wait_for(lambda: len(watcher.seen) >= 3)
        first, will, again = watcher.seen[:3]
        assert (will[0], will[1], will[2], will[3]) == (False, True, first[2], True)
        assert again[0]
        assert again[2] > first[2]


def test_a_false_offline_is_answered_with_online_at_the_same_timestamp(
    registered: Database, mosquitto: Mosquitto, watcher: Watcher
):
    with hosting(registered, mosquitto):
        wait_for(lambda: watcher.seen)
        born = watcher.seen[0]
        for number in range(2):
            watcher.client.publish(STATE_TOPIC, (b"no JSON", b"[" * 100_000)[number], 1, False)
            watcher.client.publish(STATE_TOPIC, state(False, 1), 1, True)
            wait_for(lambda: len(watcher.seen) >= 3 + 2 * number)  # noqa: B023
            assert watcher.seen[1 + 2 * number][0] is False
            assert watcher.seen[2 + 2 * number] == born


class Recorder:
    """A broker's first moments: it notes what a client sends, in order."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.packets: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.server.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        data = b""
        is_host = False
        with contextlib.suppress(OSError), connection:
            while chunk := connection.recv(65536):
                data += chunk
                while len(data) >= 2:
                    size, at = data[1] & 0x7F, 2
                    if data[1] & 0x80:
                        size, at = size | data[2] << 7, 3
                    if len(data) < at + size:
                        break
                    packet, data = data[: at + size], data[at + size :]
                    body = packet[at:]
                    if packet[0] == 0x10:
                        is_host = b"spBv1.0/STATE/" in packet
                        connection.sendall(b"\x20\x03\x00\x00\x00")
                    elif packet[0] == 0x82:
                        count = body.count(b"spBv1.0/") if is_host else 2
                        connection.sendall(bytes((0x90, 3 + count)) + body[:2] + b"\x00" + b"\x01" * count)
                    elif packet[0] & 0xF6 == 0x32:
                        name = int.from_bytes(body[:2], "big")
                        connection.sendall(b"\x40\x02" + body[2 + name : 4 + name])
                    if is_host:
                        self.packets.append(packet)

    def close(self) -> None:
        self.server.close()


def test_the_order_and_the_flags_of_a_hosts_first_packets(registered: Database):
    """CONNECT with its will, SUBSCRIBE to STATE and the nodes, then PUBLISH of STATE; and the farewell."""
    recorder = Recorder()
    try:
        broker = BrokerSettings(recorder.url, share_group="workers")
        with running(registered, broker=broker, formats=formats()):
            wait_for(lambda: len(recorder.packets) >= 3)
        wait_for(lambda: len(recorder.packets) >= 5)
    finally:
        recorder.close()
    connect, subscribe, birth, death, disconnect = recorder.packets[:5]
    assert connect[0] == 0x10
    start = 2 if connect[1] < 0x80 else 3
    asked = read_connect(connect, start, len(connect))
    assert (asked.clean_start, asked.session_expiry_s) == (True, 0)
    flags = connect[start + 7]
    assert flags & 0x3C == 0x2C  # a will, of QoS 1, retained
    assert asked.will is not None
    assert asked.will.topic == STATE_TOPIC
    will = json.loads(asked.will.payload)
    assert set(will) == {"online", "timestamp"}
    assert will["online"] is False
    assert abs(will["timestamp"] - now_ms()) < 600_000
    assert subscribe[0] == 0x82
    assert STATE_TOPIC.encode() in subscribe
    assert b"spBv1.0/+/+/+/#" in subscribe
    assert b"$share" not in subscribe
    assert birth[0] == 0x33  # QoS 1, retained
    assert json.loads(birth[birth.index(b"{") :]) == {"online": True, "timestamp": will["timestamp"]}
    assert death[0] == 0x33
    said = json.loads(death[death.index(b"{") :])
    assert said["online"] is False
    assert said["timestamp"] >= will["timestamp"]
    assert disconnect[0] == 0xE0
