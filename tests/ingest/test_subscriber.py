"""At a real broker: acknowledged after the commit, nothing lost by restarts of either side, several workers share."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from domain.errors import SettingsError
from ingest.pipeline import Bounds
from ingest.settings import BrokerSettings
from ingest.subscriber import _address
from tests import servers
from tests.conftest import missing
from tests.ingest.beds import TOPIC, USCC, Process, account_of, form_a, reading, recent, running
from tests.servers import Database, Mosquitto, wait_for

pytestmark = pytest.mark.broker


class Gateway:
    """A gateway at the broker, by paho."""

    def __init__(self, broker: Mosquitto, protocol: Any = paho.MQTTv311) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.client.max_inflight_messages_set(1000)
        self.receipts: list[dict[str, Any]] = []
        self.subscribed = threading.Event()
        self.client.on_message = lambda _c, _d, message: self.receipts.append(json.loads(message.payload))
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def subscribe(self) -> None:
        self.client.subscribe(f"carbon/v1/{USCC}/gw1/receipts", 1)
        assert self.subscribed.wait(10)

    def publish(self, payload: bytes, topic: str = TOPIC, qos: int = 1, retain: bool = False) -> Any:
        return self.client.publish(topic, payload, qos, retain)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def gateway(mosquitto: Mosquitto) -> Any:
    gateway = Gateway(mosquitto)
    yield gateway
    gateway.close()


def good(**more: Any) -> bytes:
    return form_a(reading(1, recent()), **more)


def connected(server: Any) -> None:
    wait_for(lambda: server.ingest.subscriber.is_connected)


def test_readings_come_in_and_receipts_go_back(registered: Database, mosquitto: Mosquitto, gateway: Gateway):
    gateway.subscribe()
    with running(registered, broker=BrokerSettings(mosquitto.url)) as server:
        connected(server)
        for number in range(100):
            gateway.publish(good(seq=number), qos=number % 3)
        gateway.publish(b'{"at": "%s", "v": 1}' % recent().encode(), f"carbon/v1/{USCC}/gw1/E-02/kwh")
        gateway.publish(b"5", f"carbon/v1/{USCC}/gw1/R-01/kw")
        gateway.publish(b"garbage")
        gateway.publish(b"not ours", "elsewhere/readings")
        wait_for(lambda: account_of(registered).received == 103)
        wait_for(lambda: len(gateway.receipts) == 100)
    assert sorted(receipt["seq"] for receipt in gateway.receipts) == list(range(100))
    found = account_of(registered)
    assert (found.stored, found.rejected) == (102, 1)
    with registered.connect() as conn:
        assert conn.execute("SELECT via, topic FROM dead_letters").fetchall() == [("broker", TOPIC.encode())]


def test_a_retained_bare_number_is_rejected_live_or_later(
    registered: Database, mosquitto: Mosquitto, gateway: Gateway
):
    topic = f"carbon/v1/{USCC}/gw1/R-01/kw"
    gateway.publish(b"5", topic, retain=True).wait_for_publish(10)
    with running(registered, broker=BrokerSettings(mosquitto.url)) as server:
        connected(server)
        wait_for(lambda: account_of(registered).rejected == 1)
        gateway.publish(b"6", topic, retain=True)
        gateway.publish(b"7", topic)
        wait_for(lambda: account_of(registered).received == 3)
    found = account_of(registered)
    assert (found.stored, found.rejected) == (1, 2)


def test_what_comes_while_we_are_away_waits_at_the_broker(
    registered: Database, mosquitto: Mosquitto, gateway: Gateway
):
    settings = BrokerSettings(mosquitto.url)
    with running(registered, broker=settings) as server:
        connected(server)
    for number in range(500):
        gateway.publish(good(seq=number)).wait_for_publish(10)
    with running(registered, broker=settings):
        wait_for(lambda: account_of(registered).stored == 500)


def test_a_broker_that_dropped_messages_while_we_were_away_is_warned_of(
    registered: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Mosquitto cuts a session's queue without a word to who published; its own count of that tells."""
    if servers.mosquitto_program() is None:
        missing("broker", "no Mosquitto on this machine")
    broker = Mosquitto(tmp_path, extra="max_queued_messages 50\nsys_interval 1\n")
    broker.start()
    gateway = Gateway(broker)
    try:
        with running(registered, broker=BrokerSettings(broker.url)) as server:
            connected(server)
            assert server.ingest.subscriber is not None
            assert not server.ingest.subscriber.warnings
        for number in range(200):
            gateway.publish(good(seq=number)).wait_for_publish(10)
        with running(registered, broker=BrokerSettings(broker.url)) as server:
            subscriber = server.ingest.subscriber
            assert subscriber is not None
            warned = wait_for(lambda: [each for each in subscriber.warnings if "has dropped" in each], 60)
            assert "max_queued_messages" in warned[0]
        assert account_of(registered).stored < 200
        assert "has dropped" in caplog.text
    finally:
        gateway.close()
        broker.stop()


def test_a_slow_database_while_a_backlog_comes_costs_no_connection(
    registered: Database, mosquitto: Mosquitto, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    """The backlog comes before the answer to SUBSCRIBE, which stays unread for as long as no more is taken."""
    monkeypatch.setattr("ingest.subscriber.CONNECT_S_MAX", 0.3)
    settings = BrokerSettings(mosquitto.url, keep_alive_s=1)
    with running(registered, broker=settings) as server:
        connected(server)
    for each in [gateway.publish(good(seq=number)) for number in range(5_000)]:
        each.wait_for_publish(30)
    with registered.connect() as lock:
        lock.execute("SELECT FROM registry_state FOR UPDATE")  # no batch can be committed
        with running(registered, broker=settings, bounds=Bounds(deliveries_max=50)) as server:
            time.sleep(3)  # of silence and keep-alives: ten times as long as an answer may take
            assert not server.ingest.subscriber.is_connected
            lock.rollback()
            wait_for(lambda: account_of(registered).stored >= 5_000)
            connected(server)
    assert account_of(registered).received == 5_000, "what an earlier connection had brought came again"


def test_a_broker_that_restarts_is_found_again(registered: Database, mosquitto: Mosquitto):
    first = Gateway(mosquitto)
    with running(registered, broker=BrokerSettings(mosquitto.url)) as server:
        connected(server)
        first.publish(good()).wait_for_publish(10)
        wait_for(lambda: account_of(registered).stored == 1)
        first.close()
        mosquitto.stop()
        wait_for(lambda: not server.ingest.subscriber.is_connected)
        mosquitto.start()
        connected(server)
        second = Gateway(mosquitto)
        second.publish(good()).wait_for_publish(10)
        wait_for(lambda: account_of(registered).stored == 2)
        second.close()
        assert not server.ingest.subscriber.warnings


def test_a_broker_that_hangs_is_left(registered: Database, mosquitto: Mosquitto):
    with running(registered, broker=BrokerSettings(mosquitto.url, keep_alive_s=1)) as server:
        connected(server)
        mosquitto.pause()
        wait_for(lambda: not server.ingest.subscriber.is_connected)
        mosquitto.resume()
        connected(server)


def test_killed_between_commit_and_acknowledgement(
    registered: Database, mosquitto: Mosquitto, tmp_path: Path
):
    gateway = Gateway(mosquitto)
    process = Process(registered, tmp_path, environment={"CARBONMETER_BROKER": mosquitto.url})
    process.start()
    count = 3_000
    wait_for(lambda: "subscribed at broker" in (tmp_path / "ingest.log").read_text())
    for number in range(count):
        payload = {"at": int((time.time() - 3600) * 1000) + number, "values": {"E-01/kwh": number}}
        gateway.publish(json.dumps(payload).encode())
        if number in (1_000, 2_000):
            wait_for(lambda: account_of(registered).stored > 0)
            process.kill()
            process.start()

    def distinct() -> int:
        with registered.connect() as conn:
            row = conn.execute("SELECT count(DISTINCT mantissa) FROM readings").fetchone()
            assert row is not None
            return int(row[0])

    wait_for(lambda: distinct() == count, 60)
    assert process.stop() == 0
    gateway.close()
    assert account_of(registered).stored >= count


def test_workers_of_a_group_share_the_work(registered: Database, mosquitto: Mosquitto, gateway: Gateway):
    gateway.subscribe()

    def worker(name: str) -> Any:
        settings = BrokerSettings(mosquitto.url, client_id=name, share_group="workers")
        return running(registered, broker=settings)

    with worker("one") as one, worker("two") as two:
        connected(one)
        connected(two)
        for number in range(400):
            gateway.publish(good(seq=number))
        wait_for(lambda: len(gateway.receipts) == 400)
    assert sorted(receipt["seq"] for receipt in gateway.receipts) == list(range(400))
    assert account_of(registered).stored == 400


def test_a_refusal_is_waited_out(registered: Database, mosquitto: Mosquitto):
    mosquitto.stop()
    mosquitto.extra = f"password_file {mosquitto.folder}/passwords\n"
    (mosquitto.folder / "passwords").write_text("")
    # nobody knows this user: the broker refuses, and ingest goes on trying while its endpoint serves
    (mosquitto.folder / "passwords").chmod(0o600)
    mosquitto.start()
    url = mosquitto.url.replace("mqtt://", "mqtt://carbon:wrong%40word@")
    with running(registered, broker=BrokerSettings(url)) as server:
        time.sleep(1)
        assert not server.ingest.subscriber.is_connected
        assert server.account().received == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", ("broker", 1883, False, None, None)),
        ("mqtts://u%40x:p%3A@broker:8884", ("broker", 8884, True, "u@x", "p:")),
        ("mqtt://[::1]:2000", ("::1", 2000, False, None, None)),
    ],
)
def test_urls(url: str, expected: Any):
    assert _address(url) == expected


def test_a_url_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="mqtt://"):
        _address("http://broker")
