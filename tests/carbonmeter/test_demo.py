"""The demo as a newcomer runs it: one command, everything up, stopped by Ctrl-C, going on where it was."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from carbonmeter.client import Client
from carbonmeter.demo import addresses, free_address
from carbonmeter.settings import Address, Settings
from domain.errors import FaultyDocument, Refused, Unavailable
from simulators.city import PARK_ENTERPRISES, PLANT_USCC
from simulators.scene import Scene

COMMAND = [sys.executable, "-m", "carbonmeter.main", "demo"]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBONMETER_")}
    return kept | {
        "CARBONMETER_HOME": str(home),
        "CARBONMETER_MQTT": "127.0.0.1:0",
        "CARBONMETER_HTTP": "127.0.0.1:0",
    }


@contextmanager
def running(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The demo until its history is in the ledger; what it printed, by first word."""
    process = subprocess.Popen(
        [*COMMAND, *words], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said: dict[str, str] = {}
    try:
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            said[word] = rest.strip()
            if line.startswith("live from now on"):
                break
        else:
            pytest.fail(f"the demo ended: {process.stderr.read()}")
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def left_over(home: Path) -> list[str]:
    """Command lines of processes that still work on this data directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environ = (path.parent / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in text or f"CARBONMETER_HOME={home}" in environ:
            found.append(text)
    return found


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


@pytest.mark.slow
def test_the_demo_runs_stops_cleanly_and_goes_on_where_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home, "--days", "1") as (process, said):
        url, key = re.match(r"(http://[^/]+)/#key=(\S+)$", said["dashboard"]).groups()  # type: ignore[union-attr]
        assert said["key"] == key
        assert said["documentation"] == f"{url}/docs"
        client = Client(url, key)
        usccs = {each["uscc"] for each in client.items("/v1/enterprises")}
        assert usccs == {PLANT_USCC, *(profile.uscc for profile in PARK_ENTERPRISES)}
        scene = Scene.load(home / "demo")
        assert scene is not None
        assert scene.plant is not None
        text = scene.calendar.text
        year = {"from_": text(scene.plant.start_us), "to": text(scene.plant.end_us), "granularity": "year"}
        path = f"/v1/enterprises/{PLANT_USCC}"
        amounts = [
            item["amount"] for item in client.items(f"{path}/consumption", channel="E-01/import_kwh", **year)
        ]
        assert sum(map(Decimal, amounts)) == Decimal("959636.71")
        before = client.get(f"/v1/gateways/{PLANT_USCC}/gw1/account")
        assert before["stored"] == 35_041
        with pytest.raises(FaultyDocument, match="422"):
            client.get(f"{path}/consumption", channel="E-01/import_kwh", from_="yesterday", to="today")
        with pytest.raises(Refused, match="404"):
            client.get("/v1/enterprises/91430300MA4L0DEM8M")
        interrupt(process)
    with pytest.raises(Unavailable):
        client.get("/v1/version")
    assert left_over(home) == []

    with running(home) as (process, again):
        assert again["key"] == key
        assert Scene.load(home / "demo") == scene
        assert again["ledger"].startswith(said["ledger"].split(" kg")[0])
        client = Client(again["dashboard"].split("/#")[0], key)
        account = client.get(f"/v1/gateways/{PLANT_USCC}/gw1/account")
        assert account["stored"] == 35_041, "the year is sent once"
        assert account["received"] == account["stored"] + account["held"] + account["rejected"]
        interrupt(process)
    assert left_over(home) == []


@pytest.mark.slow
def test_the_check_verifies_the_promises_and_leaves_nothing() -> None:
    # a short path: PostgreSQL's socket goes elsewhere where the path is too long for one
    with tempfile.TemporaryDirectory(prefix="cm-") as place:
        check_in(Path(place))


def check_in(place: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBONMETER_")}
    kept |= {"TMPDIR": str(place), "CARBONMETER_BROKER": "mqtt://127.0.0.1:1"}  # not its business
    done = subprocess.run(
        [*COMMAND, "--check", "--json"], env=kept, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["holds"] is True
    assert {check["promise"] for check in answer["checks"]} >= {1, 2, 3}
    assert all(check["compared"] > 0 for check in answer["checks"])
    assert answer["readings"] > 40_000
    assert answer["plant"]["kwh"] == "959636.71"
    [figure] = answer["plant"]["factor"]["factors"]
    assert Decimal(answer["plant"]["co2e_kg"]) == Decimal("959636.71") * Decimal(figure["value"])
    assert figure["reference"]
    assert list(place.iterdir()) == []
    assert left_over(place) == []


def test_ports_that_are_taken_are_told_and_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said: list[str] = []
        settings = Settings(mqtt=Address("127.0.0.1", port), http=Address("127.0.0.1", 0))
        found = addresses(settings, said.append)
        assert found.mqtt is not None
        assert port not in (found.mqtt.port, found.http.port)
        assert found.mqtt != found.http
        assert said == [f"127.0.0.1:{port} is taken: MQTT listens at {found.mqtt} instead"]
    free = free_address(Address("127.0.0.1", port))
    assert free.port == port
    with pytest.raises(Refused, match="no port"):
        free_address(Address("192.0.2.1", 1))


def test_a_scene_of_another_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text('{"seed": 1}')
    with pytest.raises(Refused, match="begin anew"):
        Scene.load(tmp_path)


def test_a_client_without_a_server_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(Unavailable, match="GET /v1/version"):
        Client(f"http://127.0.0.1:{port}").get("/v1/version")
    assert time.monotonic() - began < 10
