"""Fixtures over real servers, and an honest count of what was skipped for want of one.

    database          a fresh migrated database, the test runs once in each mode
    empty_database    the same without the migrations
    plain_database    a fresh migrated database in plain mode alone, where the mode makes no difference
    plain_server, timescale_server   the servers themselves (`tests.servers.DatabaseServer`)
    mosquitto         a running broker that keeps its sessions and drops nothing (`tests.servers.Mosquitto`)
    chromium          path of the browser

Tests on TimescaleDB, Mosquitto or Chromium skip with a reason where it is missing. In CI a skip for want of
Mosquitto or Chromium is a failure, since `.ci/run` installs them.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import servers

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
NEEDS = {"timescale": "TimescaleDB", "broker": "Mosquitto", "browser": "Chromium"}
_counts = pytest.StashKey[Counter[tuple[str, str]]]()

# Real servers answer when they answer: no deadline for an example. Seeds are in pyproject.toml.
hypothesis.settings.register_profile("default", deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def missing(need: str, reason: str) -> None:
    """Skip for want of a server; in CI only TimescaleDB may be missing."""
    if IN_CI and need != "timescale":
        pytest.fail(f"{reason}; in CI it has to be there")
    pytest.skip(reason)


def pytest_report_header(config: pytest.Config) -> list[str]:
    binaries = servers.timescale_binaries()
    timescale = (
        f"TimescaleDB {servers.timescale_version(binaries)} on PostgreSQL {servers.server_version(binaries)}"
        if binaries
        else "TimescaleDB missing"
    )
    return [
        f"servers: PostgreSQL {servers.server_version(servers.plain_binaries())} (embedded), {timescale},"
        f" Mosquitto {servers.mosquitto_version() or 'missing'},"
        f" Chromium {'found' if servers.chromium_program() else 'missing'}",
        f"seed: --hypothesis-seed={config.getoption('--hypothesis-seed')}",
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    counts = item.config.stash.setdefault(_counts, Counter())
    for need in NEEDS:
        if item.get_closest_marker(need) is None:
            continue
        if report.skipped:
            counts[need, "skipped"] += 1
        elif report.when == "call":
            counts[need, "run"] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(_counts, Counter())
    terminalreporter.section("tests that need a server of the machine")
    for need, name in NEEDS.items():
        terminalreporter.line(f"{name}: {counts[need, 'run']} run, {counts[need, 'skipped']} skipped")


@pytest.fixture(scope="session")
def plain_server() -> Iterator[servers.DatabaseServer]:
    with servers.running_plain() as (server, _):
        yield servers.DatabaseServer(server, "plain")


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[servers.DatabaseServer]:
    if servers.timescale_binaries() is None:
        missing("timescale", "no system PostgreSQL with TimescaleDB on this machine")
    with servers.running_timescale() as (server, _):
        yield servers.DatabaseServer(server, "timescale")


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def database_server(request: pytest.FixtureRequest) -> servers.DatabaseServer:
    """The server of each mode in turn."""
    server: servers.DatabaseServer = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture
def database(database_server: servers.DatabaseServer) -> Iterator[servers.Database]:
    with database_server.database() as database:
        yield database


@pytest.fixture
def empty_database(database_server: servers.DatabaseServer) -> Iterator[servers.Database]:
    with database_server.database(migrated=False) as database:
        yield database


@pytest.fixture
def plain_database(plain_server: servers.DatabaseServer) -> Iterator[servers.Database]:
    with plain_server.database() as database:
        yield database


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[servers.Mosquitto]:
    """Tests that use it are marked `broker`."""
    if servers.mosquitto_program() is None:
        missing("broker", "no Mosquitto on this machine")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = servers.Mosquitto(folder)
    broker.start()
    with contextlib.ExitStack() as stack:
        stack.callback(broker.stop)
        yield broker


@pytest.fixture
def chromium() -> str:
    """Tests that use it are marked `browser`."""
    program = servers.chromium_program()
    if program is None:
        missing("browser", "no Chromium on this machine")
    assert program is not None
    return program
