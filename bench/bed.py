"""What the benchmarks run on: a folder, a database server, databases of our own on it, services, a broker.

The services are started as people start them: `carbonmeter serve NAME`, a child process with CARBONMETER_* settings.
Databases are made beside what there is, on the embedded server of a temporary folder or on the server of the
settings, and dropped at the end; the one that the settings name is never touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.process import Child, environment, wait_for
from carbonmeter.embedded import EmbeddedDatabase
from carbonmeter.settings import Settings
from domain.errors import Refused
from storage import registry, services
from storage.database import Connection, connect, guard, mode, versions
from storage.migrate import migrate


class MissingError(Exception):
    """A program or package that a case needs isn't on this machine."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A Mosquitto that keeps its sessions and drops nothing, as `deploy/mosquitto.conf` says."""

    port: int
    process: Child

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


class Bed:
    """Everything a benchmark starts, under one folder; gone when the context ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self._children: list[Child] = []
        self._count = 0

    def __enter__(self) -> Bed:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(_folder()))
            if self._settings.database is not None:
                self._server_url = self._settings.database
            else:
                self._server_url = stack.enter_context(EmbeddedDatabase(self.folder)).url
            with connect(self._server_url, "carbonmeter bench") as conn:
                guard(conn, allow_unsafe=self._settings.allow_unsafe_database)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.ask_to_stop()  # all at once; each is waited for below
        self._stack.close()

    def database(self, *, migrated: bool = True) -> str:
        """URL of a new database, migrated or empty; it is dropped at the end."""
        self._count += 1
        name = f"carbonmeter_bench_{os.getpid()}_{self._count}"
        try:
            self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise Refused(
                f"a benchmark makes databases of its own on the server and may not: {error}; use a role with CREATEDB,"
                " or unset CARBONMETER_DATABASE for an embedded server"
            ) from error
        self._stack.callback(
            self._execute, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )
        url = _with_database(self._server_url, name)
        if migrated:
            with connect(url, "carbonmeter bench") as conn:
                migrate(conn, self._settings.zone_offset_us)
        return url

    def connect(self, url: str) -> Connection:
        """A connection in autocommit; it is closed with the bed, at the latest."""
        return self._stack.enter_context(connect(url, "carbonmeter bench", autocommit=True))

    def register(self, url: str, document: dict[str, Any]) -> None:
        with connect(url, "carbonmeter bench") as conn:
            registry.import_document(conn, document, "bench", "bench")

    def describe(self, url: str) -> str:
        """Mode and versions of a migrated database."""
        with connect(url, "carbonmeter bench") as conn:
            return f"{mode(conn)} mode, " + ", ".join(
                f"{name} {version}" for name, version in versions(conn).items()
            )

    def serve(self, name: str, url: str, **settings: Any) -> Child:
        """Start `carbonmeter serve NAME` on a database; each in a home of its own."""
        self._count += 1
        home = self.folder / f"{name}-{self._count}"
        home.mkdir()
        defaults = {"HOME": home, "DATABASE": url, "LOG_LEVEL": "warning", "MQTT": "off"}
        if self._settings.allow_unsafe_database:
            defaults["ALLOW_UNSAFE_DATABASE"] = "true"
        return self.child(
            [sys.executable, "-m", "carbonmeter.main", "serve", name],
            environment(**{**defaults, **settings}),
        )

    def child(self, command: list[str], env: dict[str, str] | None = None, *, piped: bool = False) -> Child:
        """Start a process that ends with the bed, at the latest."""
        self._count += 1
        child = Child(command, self.folder / f"log-{self._count}", environment=env, piped=piped)
        self._children.append(child)
        self._stack.callback(child.stop)
        return child

    def broker(self) -> Broker:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise MissingError("Mosquitto isn't on this machine (apt install mosquitto)")
        self._count += 1
        folder = self.folder / f"mosquitto-{self._count}"
        folder.mkdir()
        port = free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\n"
            + ("user root\n" if os.geteuid() == 0 else "")
            + "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\nmax_inflight_bytes 0\n"
            f"max_packet_size 1050000\npersistence true\npersistence_location {folder}/\nautosave_interval 10\n"
            "set_tcp_nodelay true\nlog_dest stdout\nlog_type error\nlog_type warning\n"
        )
        process = self.child([program, "-c", str(configuration)])
        wait_for(lambda: listens(port) or not process.is_running, "Mosquitto")
        if not process.is_running:
            raise Refused(f"Mosquitto didn't start: {process.tail()}")
        return Broker(port, process)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as conn:
            conn.execute(statement)


def ready(
    url: str, child: Child, name: str, count: int = 1, gone: Collection[int] = ()
) -> list[services.Service]:
    """Wait until so many services of a name, `child` among them, say that they are ready.

    gone  pids of those that were stopped before: they may not have taken their leave
    """
    with connect(url, "carbonmeter bench", autocommit=True) as conn:

        def found() -> list[services.Service] | None:
            if not child.is_running:
                raise Refused(f"{name} didn't start: {child.tail()}")
            there = [
                each
                for each in services.services(conn)
                if each.name == name and each.ready and each.fresh and each.pid not in gone
            ]
            return there if len(there) >= count else None

        there = wait_for(found, f"{name} isn't ready: {child.tail()}", 120)
        assert there is not None
        return there


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scalar(conn: Connection, query: str, parameters: list[Any] | None = None) -> Any:
    row = conn.execute(query, parameters or []).fetchone()
    assert row is not None
    return row[0]


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    # A service that is being stopped may still write; what then is left is the system's to clear away.
    with tempfile.TemporaryDirectory(prefix="carbonmeter-bench-", ignore_cleanup_errors=True) as folder:
        yield folder


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    query = urlencode(
        [(key, value) for key, value in parse_qsl(parts.query) if key != "dbname"], quote_via=quote
    )
    return urlunsplit(parts._replace(path="/" + quote(name), query=query))


def settle(seconds: float) -> None:
    """Let what the turn before has left behind calm down, before one of so many seconds."""
    time.sleep(min(0.2, seconds / 10))
