"""The simulated gateways at the real server: what they put is what it has, by its endpoint and by a broker."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from accounting.factors import load as factors
from carbonmeter.catalogue import FactorCatalogue
from domain.clock import SystemClock
from simulators.gateway import Link
from simulators.run import Progress, Simulation
from simulators.scene import Scene
from storage import keys, registry
from storage.accounts import account
from storage.keys import Scope
from tests.servers import CarbonmeterServer, Database, Mosquitto, wait_for

FAULTS = ("all", "duplicates=0.1", "outages=2", "garbage=0.02", "strangers=0.02")


def registered(database: Database, gateways: tuple[str, ...] = ()) -> tuple[Scene, str]:
    """A scene that the database knows, and a key that may publish."""
    scene = Scene.beginning(SystemClock().now_us(), days=1, plant=True, seed=3, faults=FAULTS)
    with database.connect() as conn:
        registry.import_document(conn, scene.document(), "test", catalogue=FactorCatalogue(factors.load()))
        text, _ = keys.create(conn, [Scope.READINGS_WRITE], gateways)
    return scene, text


def compare(database: Database, simulation: Simulation) -> None:
    """Everything put is in the log at least once, and nothing else; the rest is held or rejected."""
    with database.connect() as conn:
        for gateway in simulation.gateways:
            uscc, _, name = gateway.name.partition("/")
            found, tally = account(conn, uscc, name), gateway.tally
            assert found is not None
            assert found.received == found.stored + found.held + found.rejected
            assert found.held >= tally.strangers
            assert found.rejected >= tally.garbage
            row = conn.execute(
                """SELECT count(DISTINCT (channel_id, measured_at)), count(*) FROM readings
                   JOIN gateways ON gateways.id = gateway_id WHERE uscc = %s AND gateway = %s""",
                [uscc, name],
            ).fetchone()
            assert row == (tally.readings, found.stored), gateway.name


def names(scene: Scene) -> tuple[str, ...]:
    document = scene.document()
    return tuple(f"{e['uscc']}/{g['id']}" for e in document["enterprises"] for g in e["gateways"])


def test_straight_to_the_endpoint_though_ingest_is_killed(plain_database: Database, tmp_path: Path) -> None:
    scene = Scene.beginning(SystemClock().now_us(), days=1, plant=True, seed=3, faults=FAULTS)
    scene, key = registered(plain_database, names(scene))
    with CarbonmeterServer(
        plain_database, tmp_path / "home", "ingest", CARBONMETER_ANONYMOUS="false"
    ) as server:
        server.wait_until_ready()
        simulation = scene.simulation(Link(f"mqtt://127.0.0.1:{server.mqtt_port}", key, tmp_path / "spools"))
        kills = [0.2, 0.7]

        def tell(progress: Progress) -> None:
            if kills and progress.done_share >= kills[0]:
                kills.pop(0)
                for pid in server.children():
                    os.kill(pid, signal.SIGKILL)

        simulation.start()
        try:
            assert simulation.push(SystemClock().now_us(), threading.Event(), tell)
        finally:
            simulation.stop()
        assert not kills
        assert sum(gateway.sender.counts.connections for gateway in simulation.gateways) > len(
            simulation.gateways
        )
        compare(plain_database, simulation)


@pytest.mark.broker
def test_through_a_broker(plain_database: Database, mosquitto: Mosquitto, tmp_path: Path) -> None:
    scene, _ = registered(plain_database)
    with CarbonmeterServer(
        plain_database,
        tmp_path / "home",
        "ingest",
        CARBONMETER_MQTT="off",
        CARBONMETER_BROKER=mosquitto.url,
    ) as server:
        server.wait_until_ready()
        simulation = scene.simulation(Link(mosquitto.url, None, tmp_path / "spools"))
        simulation.start()
        try:
            assert simulation.push(SystemClock().now_us(), threading.Event())
        finally:
            simulation.stop()
        put = sum(
            gateway.tally.readings + gateway.tally.garbage + gateway.tally.strangers
            for gateway in simulation.gateways
        )

        def received() -> bool:
            with plain_database.connect() as conn:
                found = [account(conn, *gateway.name.split("/")) for gateway in simulation.gateways]
            return sum(each.received for each in found if each is not None) >= put

        # A PUBACK of the broker only means that the broker has it.
        wait_for(received, 30)
        compare(plain_database, simulation)
