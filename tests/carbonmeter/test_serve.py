"""`carbonmeter serve`: services are watched, restarted, stopped together, and never outlive their supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from carbonmeter.embedded import database_url
from storage.services import services
from tests.servers import CarbonmeterServer, Database, wait_for


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(plain_database: Database, home: Path) -> Iterator[CarbonmeterServer]:
    with CarbonmeterServer(plain_database, home, "ingest") as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_of_it_cleanly(
    server: CarbonmeterServer, plain_database: Database, number: int
) -> None:
    server.wait_until_ready()
    children = server.children()
    assert len(children) == 1
    with plain_database.connect() as conn:
        assert [(each.name, each.ready) for each in services(conn)] == [("ingest", True)]
        conn.rollback()
        assert server.stop(number) == 0
        assert server.text.endswith("carbonmeter: stopping\ncarbonmeter: stopped\n")
        assert f"MQTT endpoint at 127.0.0.1:{server.mqtt_port}" in server.text
        assert all(map(_is_gone, children))


def test_a_killed_service_is_started_again(server: CarbonmeterServer) -> None:
    server.wait_until_ready()
    (child,) = server.children()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: server.children() not in ([child], []))
    assert "ingest ended by SIGKILL" in server.text

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", server.mqtt_port)) == 0

    wait_for(listens)
    assert server.stop() == 0


def test_services_die_with_a_killed_supervisor(server: CarbonmeterServer) -> None:
    server.wait_until_ready()
    (child,) = server.children()
    server.stop(signal.SIGKILL)
    wait_for(lambda: _is_gone(child))


def test_an_address_in_use_ends_it_with_a_reason(plain_database: Database, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with CarbonmeterServer(
            plain_database, home, "ingest", CARBONMETER_MQTT=f"127.0.0.1:{port}"
        ) as server:
            assert server.process.wait(60) == 1
    assert f"can't listen on 127.0.0.1:{port}" in server.text
    assert "CARBONMETER_MQTT sets another address" in server.text
    assert "carbonmeter: ingest refused to start" in server.text
    assert "Traceback" not in server.text


def test_an_unsafe_server_is_refused_at_start(plain_database: Database, home: Path) -> None:
    with plain_database.connect(autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {plain_database.name} SET synchronous_commit = off".encode())
    with CarbonmeterServer(plain_database, home, "ingest") as server:
        assert server.process.wait(60) == 1
        assert "synchronous_commit is off" in server.text
    with CarbonmeterServer(
        plain_database, home, "ingest", CARBONMETER_ALLOW_UNSAFE_DATABASE="true"
    ) as allowed:
        allowed.wait_until_ready()
        assert "allowed by CARBONMETER_ALLOW_UNSAFE_DATABASE: synchronous_commit is off" in allowed.text
        assert allowed.stop() == 0


def _get(url: str, key: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_an_empty_directory_becomes_a_whole_server_that_survives_being_killed(home: Path) -> None:
    with CarbonmeterServer(None, home) as server:
        server.wait_until_ready()
        assert _get(f"{server.http_url}/v1/health/ready")[0] == 200
        assert f"dashboard at {server.http_url}/, documentation at {server.http_url}/docs" in server.text
        status, metrics = _get(f"{server.http_url}/metrics")
        assert status == 200
        for room in ("ingest", "accounting", "api"):
            assert f"# TYPE carbonmeter_{room}_" in metrics
        command = [sys.executable, "-m", "carbonmeter.main", "keys", "create", "--scope", "admin"]
        environment = {**os.environ, "CARBONMETER_HOME": str(home)}
        beside = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert beside.stdout.startswith("cm_")
        server.kill_all()

    with CarbonmeterServer(None, home) as again:
        again.wait_until_ready()
        with database_url(None, home) as url:
            taken = {"CARBONMETER_DATABASE": url, "CARBONMETER_HTTP": f"127.0.0.1:{again.http_port}"}
            with CarbonmeterServer(None, home.parent / "other", "api", **taken) as second:
                assert second.process.wait(60) == 1
                assert f"can't listen on 127.0.0.1:{again.http_port}" in second.text
                assert "CARBONMETER_HTTP sets another address" in second.text
                assert "carbonmeter: api refused to start" in second.text
                assert "carbonmeter: ready" not in second.text  # the health of the first isn't its own
        assert _get(f"{again.http_url}/v1/enterprises", beside.stdout.strip())[0] == 200
        children = again.children()
        assert len(children) >= 3
        assert again.stop(signal.SIGINT) == 0
        assert all(map(_is_gone, children))
    assert not (home / "postgres" / "data" / "postmaster.pid").exists()
