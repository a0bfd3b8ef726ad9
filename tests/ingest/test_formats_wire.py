"""Formats beside carbon/v1 over real sockets: by clients of users, at the endpoint and at a broker, and replayed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from senml import SenmlPack, SenmlRecord

from domain.clock import SystemClock
from ingest.directory import ClockRules
from ingest.formats import Rule, rules_of
from ingest.replay import replay
from ingest.settings import BrokerSettings, EndpointSettings
from storage import keys
from storage.dead_letters import LetterFilter
from tests.ingest.beds import USCC, Running, account_of, running
from tests.servers import Database, Mosquitto, wait_for


def rules(*items: dict[str, Any]) -> tuple[Rule, ...]:
    return rules_of(json.dumps(items))


SENML = {"topic": "senml/{uscc}/{gateway}", "format": "senml"}
THINGSBOARD = (
    {"topic": "v1/devices/me/telemetry", "format": "thingsboard"},
    {"topic": "v1/devices/me/#", "format": "ignore"},
    {"topic": "v1/gateway/telemetry", "format": "thingsboard_gateway"},
    {"topic": "v1/gateway/#", "format": "ignore"},
)


class Device:
    """A client by paho; `codes` are the reasons of SUBACKs."""

    def __init__(self, port: int, key: str | None = None, protocol: Any = paho.MQTTv311) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.codes: list[int] = []
        self.client.on_subscribe = lambda _c, _d, _id, codes, _p: self.codes.extend(
            code.value for code in codes
        )
        if key is not None:
            self.client.username_pw_set("gateway", key)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, topic: str, payload: Any) -> None:
        """Until it is acknowledged."""
        data = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        self.client.publish(topic, data, 1).wait_for_publish(30)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def stored(database: Database) -> list[tuple[int, int]]:
    with database.connect() as conn:
        return conn.execute(
            "SELECT mantissa, exponent FROM readings ORDER BY measured_at, mantissa"
        ).fetchall()


def letters(database: Database) -> list[tuple[str, str]]:
    with database.connect() as conn:
        return conn.execute("SELECT reason, decoder FROM dead_letters ORDER BY id").fetchall()


@pytest.fixture
def signed(registered: Database) -> Iterator[tuple[Running, Device]]:
    """A server that takes ThingsBoard's topics, and a client with a key of one gateway."""
    with registered.connect(autocommit=True) as conn:
        key, _ = keys.create(conn, ["readings:write"], [f"{USCC}/gw2"], "")
    with running(
        registered, EndpointSettings(port=0, anonymous=False), formats=rules(*THINGSBOARD)
    ) as server:
        device = Device(server.port, key)
        yield server, device
        device.close()


def packs() -> tuple[SenmlPack, SenmlPack]:
    first, second = SenmlPack("E-01/"), SenmlPack("E-02/")
    now = int(time.time())
    for pack, value in ((first, 12.5), (second, 7.25)):
        pack.base_time = now - 60
        pack.add(SenmlRecord("kwh", value=value, time=now - 30))
        pack.add(SenmlRecord("kwh", value=value + 1, time=now - 20))
    return first, second


def test_a_senml_library_publishes_json_and_cbor(registered: Database):
    with running(registered, formats=rules(SENML)) as server:
        device = Device(server.port)
        as_json, as_cbor = packs()
        device.publish(f"senml/{USCC}/gw1", as_json.to_json())
        device.publish(f"senml/{USCC}/gw1", bytes(as_cbor.to_cbor()))
        assert server.account("gw1").stored == 4
        device.close()
    assert sorted(stored(registered)) == [(125, -1), (135, -1), (725, -2), (825, -2)]


def test_a_thingsboard_gateway_signs_in_and_publishes(registered: Database, signed: tuple[Running, Device]):
    _, device = signed
    device.client.subscribe([("v1/gateway/attributes", 1), ("v1/gateway/rpc", 1)])
    wait_for(lambda: len(device.codes) == 2)
    assert device.codes == [0x80, 0x80]
    now_ms = int(time.time() * 1000)
    device.publish("v1/gateway/connect", {"device": "E-01"})
    device.publish("v1/gateway/attributes", {"E-01": {"model": "DTSD1352"}})
    device.publish("v1/devices/me/rpc/request/1", {"method": "getSessionLimits"})
    device.publish(
        "v1/gateway/telemetry", {"E-01": [{"ts": now_ms, "values": {"kwh": 12.5}}], "X": [{"kwh": 1}]}
    )
    device.publish("v1/devices/me/telemetry", {"uptime": 5})
    found = account_of(registered, "gw2")
    assert (found.stored, found.held, found.rejected) == (1, 2, 0)
    with registered.connect() as conn:
        held = conn.execute("SELECT meter, channel, topic FROM held ORDER BY meter").fetchall()
    assert held == [("X", "kwh", "v1/gateway/telemetry"), ("gw2", "uptime", "v1/devices/me/telemetry")]
    assert letters(registered) == []


def test_letters_without_an_address_are_replayed_for_their_gateway(
    registered: Database, signed: tuple[Running, Device]
):
    _, device = signed
    now_ms = int(time.time() * 1000)
    values = {"kwh": 1, "text": "no number"}
    device.publish("v1/gateway/telemetry", {"E-01": [{"ts": now_ms, "values": values}]})
    found = account_of(registered, "gw2")
    assert (found.stored, found.rejected) == (1, 1)
    assert letters(registered) == [("bad_value", "thingsboard_gateway_v1/1")]

    def again(*items: dict[str, Any]) -> Any:
        with registered.connect(autocommit=True) as conn:
            return replay(conn, LetterFilter(), SystemClock(), ClockRules(), "Li Hua", rules(*items))

    assert again(*THINGSBOARD).unchanged == 1
    assert again().unchanged == 1, "without a rule a letter keeps its account"
    ignoring = {**THINGSBOARD[2], "ignore": ["*/text"]}
    assert again(ignoring).letters == 1
    found = account_of(registered, "gw2")
    assert (found.received, found.stored, found.rejected) == (1, 1, 0)


def test_another_mapping_reads_a_letter_whole(registered: Database):
    topic = f"plant/{USCC}/gw1"
    rule = {"topic": "plant/{uscc}/{gateway}", "format": "json", "meter": "E-01", "time": "t"}
    wrong, right = {**rule, "value": {"kwh": "e", "kw": "name"}}, {**rule, "value": {"kwh": "e"}}
    with running(registered, formats=rules(wrong)) as server:
        device = Device(server.port)
        device.publish(topic, {"t": int(time.time() * 1000), "e": 5, "name": "line 1"})
        device.close()
    assert account_of(registered).rejected == 1
    with registered.connect(autocommit=True) as conn:
        result = replay(conn, LetterFilter(), SystemClock(), ClockRules(), "Li Hua", rules(right))
    assert (result.letters, result.stored) == (1, 1)
    found = account_of(registered)
    assert (found.received, found.stored, found.rejected) == (2, 2, 0)
    assert stored(registered) == [(5, 0), (5, 0)], "a duplicate, which the ledger counts once"


@pytest.mark.broker
@pytest.mark.parametrize("group", [None, "workers"])
def test_formats_come_through_a_broker(registered: Database, mosquitto: Mosquitto, group: str | None):
    some = rules(SENML, {**THINGSBOARD[2], "uscc": USCC, "gateway": "gw2"})
    broker = BrokerSettings(mosquitto.url, share_group=group)
    with running(registered, broker=broker, formats=some) as server:
        subscriber = server.ingest.subscriber
        assert subscriber is not None
        wait_for(lambda: subscriber.is_connected)
        device = Device(mosquitto.port)
        device.publish(f"senml/{USCC}/gw1", packs()[0].to_json())
        device.publish(
            "v1/gateway/telemetry", {"E-02": [{"ts": int(time.time() * 1000), "values": {"kwh": 3}}]}
        )
        wait_for(lambda: server.account("gw1").stored == 2 and server.account("gw2").stored == 1)
        device.close()
