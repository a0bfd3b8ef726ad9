"""Clients of users, each cut off in the middle of a thousand readings: none is lost and none counts twice."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import gmqtt
import pytest
from gmqtt.storage import PersistentStorage
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import missing
from tests.ingest.beds import NOW_MS, TOPIC, Running, form_a, reading
from tests.servers import Mosquitto, wait_for

COUNT = 1_000
CUT_BYTES = 60_000  # of some 130,000 that a thousand readings take


def payload(number: int) -> bytes:
    return form_a(reading(1 + number % 10, NOW_MS + number * 1_000, number))


class Cutter:
    """A TCP proxy that breaks the first connection in the middle, with what is under way, and lets the others be."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(*pair, pair[0] is near), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if is_up and not self.cuts:
                    self._passed += len(data)
                    if self._passed > CUT_BYTES:
                        self.cuts += 1
                        target.sendall(data[: len(data) // 2])
                        break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def cutter(server: Running) -> Iterator[Cutter]:
    cutter = Cutter(server.port)
    yield cutter
    cutter.close()


def assert_all_are_there(server: Running, cutter: Cutter) -> None:
    """Every reading is in the log, and the ledger, which counts a channel's time once, has a thousand."""
    assert cutter.cuts == 1
    with server.database.connect() as conn:
        rows, counted = conn.execute(
            "SELECT count(*), count(DISTINCT (channel_id, measured_at, mantissa, exponent)) FROM readings"
        ).fetchone() or (0, 0)
    assert counted == COUNT
    assert rows >= COUNT
    assert server.account().received == server.account().stored == rows


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_paho(server: Running, cutter: Cutter, protocol: Any, qos: int):
    more: dict[str, Any] = {} if protocol == paho.MQTTv5 else {"clean_session": False}
    client = paho.Client(CallbackAPIVersion.VERSION2, "paho", protocol=protocol, **more)
    client.max_inflight_messages_set(200)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", cutter.port)
    client.loop_start()
    try:
        sent = [client.publish(TOPIC, payload(number), qos=qos) for number in range(COUNT)]
        for each in sent:
            each.wait_for_publish(30)
            assert each.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
    assert_all_are_there(server, cutter)


def test_aiomqtt(server: Running, cutter: Cutter):
    async def publish(client: aiomqtt.Client, number: int, left: set[int]) -> None:
        await client.publish(TOPIC, payload(number), qos=1)
        left.discard(number)

    async def push() -> None:
        left = set(range(COUNT))
        while left:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", cutter.port, timeout=2) as client:
                    while left:
                        some = sorted(left)[:100]
                        answers = [publish(client, number, left) for number in some]
                        for answer in await asyncio.gather(*answers, return_exceptions=True):
                            if isinstance(answer, BaseException):
                                raise answer

    asyncio.run(asyncio.wait_for(push(), 60))
    assert_all_are_there(server, cutter)


def test_gmqtt(server: Running, cutter: Cutter):
    async def push() -> None:
        waiting = PersistentStorage()
        client = gmqtt.Client(
            "gmqtt", clean_session=False, session_expiry_interval=60, persistent_storage=waiting
        )
        client.set_config({"reconnect_delay": 0, "reconnect_retries": gmqtt.constants.UNLIMITED_RECONNECTS})
        await client.connect("127.0.0.1", cutter.port)
        for number in range(COUNT):
            client.publish(TOPIC, payload(number), qos=1)
            if number % 100 == 99:
                await asyncio.sleep(0)
        await asyncio.wait_for(waiting.wait_empty(), 60)
        await client.disconnect()

    asyncio.run(push())
    assert_all_are_there(server, cutter)


@pytest.mark.broker
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_pub(server: Running, cutter: Cutter, version: str):
    program = shutil.which("mosquitto_pub")
    if program is None:
        missing("broker", "no mosquitto_pub on this machine (apt install mosquitto-clients)")
    kept = ["-c", *(["-x", "60"] if version == "mqttv5" else [])]
    done = subprocess.run(
        [program, "-p", str(cutter.port), "-V", version, "-i", "pub", *kept, "-q", "1", "-t", TOPIC, "-l"],
        input=b"".join(payload(number) + b"\n" for number in range(COUNT)),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert_all_are_there(server, cutter)


@pytest.mark.parametrize("version", [4, 5])
def test_mqtt_js(server: Running, cutter: Cutter, version: int):
    node, folder = shutil.which("node"), Path(__file__).parent / "mqttjs"
    if node is None or not (folder / "node_modules/mqtt").exists():
        pytest.skip("no MQTT.js on this machine (Node.js, and `npm ci` in tests/ingest/mqttjs)")
    done = subprocess.run(
        [node, str(folder / "push.js"), str(cutter.port), str(version), TOPIC],
        input=b"".join(payload(number) + b"\n" for number in range(COUNT)),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert_all_are_there(server, cutter)


@pytest.mark.broker
def test_a_bridge_of_mosquitto(server: Running, cutter: Cutter, mosquitto: Mosquitto):
    mosquitto.stop()
    mosquitto.extra = (
        f"connection carbonmeter\naddress 127.0.0.1:{cutter.port}\nremote_clientid bridge\n"
        "try_private false\nnotifications false\ncleansession false\n"
        "restart_timeout 1\nmax_inflight_messages 100\ntopic carbon/v1/# out 1\n"
    )
    mosquitto.start()
    client = paho.Client(CallbackAPIVersion.VERSION2, "device")
    client.max_inflight_messages_set(200)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    try:
        sent = [client.publish(TOPIC, payload(number), qos=1) for number in range(COUNT)]
        for each in sent:
            each.wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()

    def counted() -> bool:
        with server.database.connect() as conn:
            found = conn.execute("SELECT count(DISTINCT (channel_id, measured_at)) FROM readings").fetchone()
        return found == (COUNT,)

    wait_for(counted, 60)
    mosquitto.stop()
    wait_for(lambda: server.account().stored >= COUNT)
    assert_all_are_there(server, cutter)
