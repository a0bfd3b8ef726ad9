"""The configurations of deploy/: Mosquitto with ours drops nothing and keeps gateways apart; the compose file fits."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from carbonmeter.settings import PREFIX, described
from tests import servers
from tests.conftest import missing
from tests.ingest.beds import NOW_MS, Process, account_of, form_a, import_document, reading

DEPLOY = Path(__file__).parents[2] / "deploy"
USCC = "91430300MA4L0DEM8M"


class Broker:
    """Mosquitto with deploy/mosquitto.conf, but for its folders and its port."""

    def __init__(self, folder: Path) -> None:
        self.port = servers.free_port()
        self.folder = folder
        text = (DEPLOY / "mosquitto.conf").read_text()
        for said, here in (
            ("listener 1883", f"listener {self.port} 127.0.0.1"),
            ("/mosquitto/config/", f"{folder}/"),
            ("/mosquitto/data/", f"{folder}/"),
        ):
            assert said in text
            text = text.replace(said, here)
        # it gives up root by itself, and then could not read this folder
        (folder / "mosquitto.conf").write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        shutil.copy(DEPLOY / "mosquitto.acl", folder / "mosquitto.acl")
        (folder / "mosquitto.acl").chmod(0o600)
        passwords = folder / "mosquitto.passwords"
        passwords.touch(0o600)
        for name in ("carbonmeter", f"{USCC}/gw1", f"{USCC}/gw2"):
            subprocess.run(
                ["mosquitto_passwd", "-b", passwords, name, "secret"], check=True, capture_output=True
            )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = servers.mosquitto_program()
        assert program is not None
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [program, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log
        )
        log.close()
        servers.wait_for(self._answers, what=(self.folder / "log").read_text())

    def _answers(self) -> bool:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        try:
            client.connect("127.0.0.1", self.port)
        except OSError:
            return False
        client.disconnect()
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def client(self, user: str, *, client_id: str = "", lasting: bool = False) -> mqtt.Client:
        """A client that is signed in; `heard` of its user data collects what it is sent."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or user.replace("/", "-"),
            protocol=mqtt.MQTTv5,
            userdata={"heard": [], "acknowledged": [], "subscribed": []},
        )
        client.username_pw_set(user, "secret")
        client.on_message = lambda _client, data, message: data["heard"].append(
            (message.topic, message.payload)
        )
        client.on_publish = lambda _client, data, _id, code, _properties: data["acknowledged"].append(
            code.value
        )
        client.on_subscribe = lambda _client, data, _id, codes, _properties: data["subscribed"].extend(codes)
        client.max_inflight_messages_set(1000)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0xFFFFFFFF if lasting else 0
        client.connect("127.0.0.1", self.port, clean_start=not lasting, properties=properties)
        client.loop_start()
        servers.wait_for(client.is_connected)
        return client


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if servers.mosquitto_program() is None or shutil.which("mosquitto_passwd") is None:
        missing("broker", "no Mosquitto on this machine")
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def leave(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def subscribe(client: mqtt.Client, topic: str) -> None:
    client.subscribe(topic, qos=1)
    servers.wait_for(lambda: client.user_data_get()["subscribed"])


@pytest.mark.broker
def test_mosquitto_drops_nothing_while_the_subscriber_is_away_nor_over_a_restart(broker: Broker) -> None:
    away = broker.client("carbonmeter", lasting=True)
    subscribe(away, "carbon/v1/+/+/readings")
    leave(away)
    gateway = broker.client(f"{USCC}/gw1")
    count = 5_000  # its own default would keep 1,000 of them
    for number in range(count):
        gateway.publish(f"carbon/v1/{USCC}/gw1/readings", str(number), qos=1)
    servers.wait_for(lambda: len(gateway.user_data_get()["acknowledged"]) == count, seconds=60)
    leave(gateway)
    broker.stop()
    broker.start()
    back = broker.client("carbonmeter", lasting=True)
    servers.wait_for(lambda: len(back.user_data_get()["heard"]) == count, seconds=60)
    assert [int(payload) for _, payload in back.user_data_get()["heard"]] == list(range(count))
    leave(back)


@pytest.mark.broker
@pytest.mark.timeout(300)
def test_ingest_killed_under_load_finds_all_that_mosquitto_acknowledged(
    broker: Broker, plain_database: servers.Database, tmp_path: Path
) -> None:
    with plain_database.connect(autocommit=True) as conn:
        import_document(conn)
    home = tmp_path / "home"
    home.mkdir()
    url = f"mqtt://carbonmeter:secret@127.0.0.1:{broker.port}"
    ingest = Process(plain_database, home, environment={"CARBONMETER_BROKER": url})

    def start() -> None:
        ingest.start(60)

        def is_subscribed() -> bool:
            with plain_database.connect() as conn:
                row = conn.execute(
                    "SELECT detail->'broker'->>'connected' FROM services WHERE name = 'ingest' AND pid = %s",
                    [ingest.pid],
                ).fetchone()
            return row is not None and row[0] == "true"

        servers.wait_for(is_subscribed, 60)

    def kept() -> int:
        with plain_database.connect() as conn:
            row = conn.execute("SELECT count(DISTINCT measured_at) FROM readings").fetchone()
        assert row is not None
        return int(row[0])

    start()
    gateway = broker.client(f"{USCC}/gw1")
    acknowledged = gateway.user_data_get()["acknowledged"]
    try:
        count, begin_ms = 6_000, NOW_MS
        for number in range(count):
            payload = form_a(reading(1, begin_ms + number), seq=number)
            gateway.publish(f"carbon/v1/{USCC}/gw1/readings", payload, qos=1)
            if number == 1_500:
                servers.wait_for(lambda: kept() > 0, 60)
                ingest.kill()
        servers.wait_for(lambda: len(acknowledged) == count, 60)
        assert kept() < count
        start()
        servers.wait_for(lambda: kept() == count, 60)
        assert account_of(plain_database, "gw1", USCC).received >= count
    finally:
        leave(gateway)
        ingest.kill()


@pytest.mark.broker
def test_a_gateway_has_its_own_topics_alone(broker: Broker) -> None:
    server, gateway = broker.client("carbonmeter"), broker.client(f"{USCC}/gw1")
    subscribe(server, "carbon/v1/#")
    subscribe(gateway, f"carbon/v1/{USCC}/gw1/receipts")
    gateway.publish(f"carbon/v1/{USCC}/gw1/E-01/import_kwh", "12.5", qos=1)
    server.publish(f"carbon/v1/{USCC}/gw1/receipts", "{}", qos=1)
    servers.wait_for(lambda: gateway.user_data_get()["heard"] == [(f"carbon/v1/{USCC}/gw1/receipts", b"{}")])
    gateway.publish(f"carbon/v1/{USCC}/gw2/readings", "{}", qos=1)
    servers.wait_for(lambda: 0x87 in gateway.user_data_get()["acknowledged"])
    time.sleep(0.1)
    heard = {topic for topic, _ in server.user_data_get()["heard"]}
    assert f"carbon/v1/{USCC}/gw1/E-01/import_kwh" in heard
    assert f"carbon/v1/{USCC}/gw2/readings" not in heard
    leave(server)
    leave(gateway)


def test_the_compose_file_names_only_what_there_is() -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    known = {PREFIX + each.metadata["name"] for each in described()}
    wanted = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.example.env").read_text(), re.MULTILINE))
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked == wanted
    services = compose["services"]
    assert {
        "database",
        "mosquitto",
        "emqx",
        "migrate",
        "ingest",
        "accounting",
        "publisher",
        "api",
    } <= services.keys()
    for name, service in services.items():
        if "image" in service:
            assert re.search(r":v?\d+\.\d+", service["image"]), f"{name} names no version"
        for variable in service.get("environment", {}):
            assert not variable.startswith(PREFIX) or variable in known
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            made_by_hand = source.endswith("mosquitto.passwords")
            if source.startswith("./") and not made_by_hand:
                assert (DEPLOY / source).is_file(), f"{name} mounts {source}"
            elif not source.startswith("."):
                assert source in compose["volumes"], f"{name} mounts {source}"


def test_prometheus_watches_metrics_that_there_are() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    expressions = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    asked = set(re.findall(r"carbonmeter_\w+", expressions))
    assert asked
    sources = [
        path.read_text()
        for room in ("ingest", "accounting")
        for path in (DEPLOY.parent / room).glob("metrics.py")
    ]
    defined = set(re.findall(r'"(carbonmeter_\w+)"', " ".join(sources)))
    assert asked <= defined
