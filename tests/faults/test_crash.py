"""Blows against a whole server under load: nothing acknowledged is lost, nothing counts twice, the books are right.

In one run, several times each: ingest killed between commit and acknowledgement, accounting killed within its
transaction, the database stopped within a batch, connections cut. Gateways send all the while and send again what
wasn't acknowledged. Then everything is compared with what their meters really showed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.chaos.senders import ForwardSender, HttpSender, MqttSender, Sender
from bench.chaos.works import GatewayPlan
from carbonmeter import embedded, postgres
from carbonmeter.process import dies_with_parent
from storage import keys
from storage.database import connect
from tests import servers
from tests.conftest import missing
from tests.faults.stage import Stage, Watch, check, register
from tests.ingest.beds import OTHER, USCC
from tests.servers import CarbonmeterServer, Database, Mosquitto, wait_for

SEED = 20260101
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _plans(count: int) -> list[GatewayPlan]:
    """Gateways of two enterprises; the last sends no single readings, which HTTP doesn't take."""
    return [
        GatewayPlan((USCC, OTHER)[number % 2], f"gw{number}", number, SEED, has_singles=number < count)
        for number in range(1, count + 1)
    ]


@contextlib.contextmanager
def _stage(
    server: CarbonmeterServer,
    url: str,
    folder: Path,
    restart_database: Callable[[], Callable[[], None]],
) -> Iterator[Stage]:
    """Five gateways, of which one uses `carbonmeter.forward` and one HTTP, on a server that is ready."""
    plans = _plans(5)
    register(url, plans)
    with connect(url, "test") as conn:
        key, _ = keys.create(conn, ["admin"])
    print(f"seed {SEED}")
    senders: list[Sender] = [
        MqttSender(plans[0], server.mqtt_port, 5),
        MqttSender(plans[1], server.mqtt_port, 4),
        MqttSender(plans[2], server.mqtt_port, 5),
        ForwardSender(plans[3], server.mqtt_port, folder),
        HttpSender(plans[4], server.http_port, key),
    ]
    stage = Stage(server, url, key, SEED, senders, restart_database)
    try:
        yield stage
    finally:
        for sender in senders:
            sender.close()
        stage.close()
        print("\n".join(stage.story))


def _struck(stage: Stage, rounds: int) -> None:
    """The blows, and what must be true in the end."""
    with Watch(stage) as watch:
        stage.recovers()
        for round_ in range(rounds):
            stage.kill_accounting_mid_transaction()
            stage.kill_ingest_before_it_acknowledges()
            if round_ == 0:
                stage.kill_api()
            stage.recovers()
            stage.cut_lines()
            stage.restart_database_mid_batch()
            stage.recovers()
        stage.feed()
        stage.drain()
    check(stage)
    assert watch.faults == []
    assert watch.looks > 10
    assert all(sender.receipts for sender in stage.senders)
    assert set(stage.hits.values()) == {rounds}, stage.hits


def test_nothing_is_lost_and_the_books_are_right_however_it_is_struck(tmp_path: Path) -> None:
    """On the embedded database, which its keeper brings back."""
    with servers.temporary_folder(prefix="carbonmeter-faults-") as folder:
        home = folder / "home"
        with CarbonmeterServer(None, home) as server:
            server.wait_until_ready()
            database = embedded.server(home)
            url = database.url(embedded.DATABASE)

            def restart() -> Callable[[], None]:
                pid = int((database.data / "postmaster.pid").read_text().splitlines()[0])
                os.kill(pid, signal.SIGQUIT)
                wait_for(lambda: _is_gone(pid), 60)
                return lambda: wait_for(lambda: database.is_ready(embedded.DATABASE), 60)

            with _stage(server, url, tmp_path, restart) as stage:
                _struck(stage, rounds=3)
            assert server.stop() == 0
        assert "Traceback" not in server.text


@pytest.mark.timescale
def test_nothing_is_lost_on_timescaledb_either(tmp_path: Path) -> None:
    if servers.timescale_binaries() is None:
        missing("timescale", "no system PostgreSQL with TimescaleDB on this machine")
    with servers.running_timescale() as (postgres_server, process), contextlib.ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = [process]
        stack.callback(lambda: postgres.stop(processes[-1]))
        name = "carbonmeter"
        with connect(postgres_server.url(), "test", autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())

        def restart() -> Callable[[], None]:
            processes[-1].send_signal(signal.SIGQUIT)
            processes[-1].wait(60)

            def is_back() -> None:
                processes.append(postgres_server.launch(prepare=dies_with_parent(signal.SIGINT)))
                postgres_server.wait_until_ready(processes[-1])

            return is_back

        url = postgres_server.url(name)
        with CarbonmeterServer(Database(url, "timescale"), tmp_path / "home") as server:
            server.wait_until_ready()
            with _stage(server, url, tmp_path, restart) as stage:
                _struck(stage, rounds=2)
            assert server.stop() == 0
        assert "Traceback" not in server.text


@pytest.mark.broker
def test_what_a_broker_has_acknowledged_is_not_lost_with_ingest(
    plain_database: Database, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Its session at the broker lives on: what it hadn't acknowledged comes again."""
    plans = _plans(3)
    register(plain_database.url, plans)
    with plain_database.connect() as conn:
        key, _ = keys.create(conn, ["admin"])
    print(f"seed {SEED}")
    with CarbonmeterServer(
        plain_database, tmp_path / "home", CARBONMETER_BROKER=mosquitto.url, CARBONMETER_MQTT="off"
    ) as server:
        server.wait_until_ready()
        senders: list[Sender] = [
            MqttSender(plan, mosquitto.port, version, through_broker=True)
            for plan, version in zip(plans, (5, 4, 5), strict=True)
        ]
        stage = Stage(server, plain_database.url, key, SEED, senders, _no_restart)
        try:
            _wait_until_subscribed(stage)
            with Watch(stage) as watch:
                for _ in range(3):
                    stage.kill_ingest_before_it_acknowledges()
                    stage.recovers()
                mosquitto.pause()
                stage.feed()
                mosquitto.resume()
                stage.cut_lines()
                stage.drain()
                _wait_until_all_is_there(stage)
        finally:
            for sender in senders:
                sender.close()
            stage.close()
            print("\n".join(stage.story))
        check(stage)
        assert watch.faults == []
        assert all(sender.receipts for sender in senders)
        assert set(stage.hits.values()) == {3}, stage.hits
        assert server.stop() == 0
    assert "Traceback" not in server.text


def _no_restart() -> Callable[[], None]:
    raise AssertionError("this database is shared with other tests")


def _wait_until_subscribed(stage: Stage) -> None:
    """The broker keeps for ingest only what comes once it has subscribed."""
    wait_for(
        lambda: stage.ask(
            "SELECT coalesce(bool_or((detail->'broker'->>'connected')::bool), false) FROM services"
            " WHERE name = 'ingest'"
        ),
        60,
    )


def _wait_until_all_is_there(stage: Stage) -> None:
    """The broker acknowledges before ingest commits: all of it comes, sooner or later."""
    readings = sum(sender.plan.readings for sender in stage.senders)
    distinct = sum(len(sender.plan.stored) for sender in stage.senders)

    def is_there() -> bool:
        accounts = "SELECT coalesce(sum(n), 0) FROM batches, unnest(received) AS n"
        logged = "SELECT count(*) FROM (SELECT DISTINCT channel_id, measured_at FROM readings) AS found"
        return bool(stage.ask(accounts) >= readings and stage.ask(logged) == distinct)

    deadline = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < deadline, f"the broker has acknowledged what never came\n{stage.report()}"
        time.sleep(0.1)
    stage.drain()
