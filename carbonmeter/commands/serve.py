"""`carbonmeter serve`: the server, all of it or one service, until SIGINT or SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time

from carbonmeter.commands import Context, Subparsers
from carbonmeter.embedded import EmbeddedDatabase
from carbonmeter.services import NAMES, Supervisor
from carbonmeter.settings import Settings
from domain.errors import Unavailable
from storage.database import Connection, connect, guard, versions
from storage.migrate import migrate

_POLL_S = 0.1
_DATABASE_WAIT_S = 60.0
_PATIENCE_S = 30.0  # after that it is said that something isn't ready


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("serve", help="run the server: all of it, or one of its services")
    parser.add_argument("service", nargs="?", choices=["all", *NAMES], default="all")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    settings = context.settings
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s serve %(levelname)s: %(message)s",
        stream=sys.stderr,
    )
    names = NAMES if context.arguments.service == "all" else (context.arguments.service,)
    settings.home.mkdir(parents=True, exist_ok=True)
    if settings.database is not None:
        return _serve(context, names, settings.database, None, stop)
    with EmbeddedDatabase(settings.home) as database:
        return _serve(context, names, database.url, database, stop)


def _serve(
    context: Context,
    names: tuple[str, ...],
    url: str,
    embedded: EmbeddedDatabase | None,
    stop: threading.Event,
) -> int:
    settings = context.settings
    _say(_prepare(settings, url, stop) + (f", embedded under {settings.home}" if embedded else ""))
    supervisor = Supervisor(
        settings, names, url, context.arguments.config, embedded.ensure_running if embedded else None
    )
    try:
        supervisor.start()
        began, said = time.monotonic(), False
        while not stop.wait(_POLL_S):
            supervisor.check()
            if said:
                continue
            if supervisor.is_ready():
                for line in _addresses(settings, names):
                    _say(line)
                said = True
            elif began and time.monotonic() - began > _PATIENCE_S:
                _say("not ready yet: GET /v1/health/ready tells what is missing")
                began = 0.0
    finally:
        _say("stopping")
        over = supervisor.over
        supervisor.stop()
    _say("stopped")
    return 1 if over else 0


def _prepare(settings: Settings, url: str, stop: threading.Event) -> str:
    """Guard and migrate the database; what it is."""
    with _connected(url, stop) as conn:
        for fault in guard(conn, allow_unsafe=settings.allow_unsafe_database):
            logging.warning("allowed by CARBONMETER_ALLOW_UNSAFE_DATABASE: %s", fault)
        done = migrate(conn, settings.zone_offset_us)
        software = versions(conn)
    return f"{done.mode} mode, " + ", ".join(f"{name} {version}" for name, version in software.items())


def _connected(url: str, stop: threading.Event) -> Connection:
    """A connection; a database that is only just starting is waited for."""
    deadline = time.monotonic() + _DATABASE_WAIT_S
    while True:
        try:
            return connect(url, "carbonmeter serve")
        except Unavailable as error:
            if stop.is_set() or time.monotonic() > deadline:
                raise
            logging.warning("waiting: %s", error)
            stop.wait(1.0)


def _addresses(settings: Settings, names: tuple[str, ...]) -> list[str]:
    lines = []
    if "ingest" in names:
        if settings.mqtt is not None:
            lines.append(f"MQTT endpoint at {settings.mqtt}")
        if settings.broker is not None:
            lines.append("subscribed at the broker")
    if "api" in names:
        lines.append(f"dashboard at http://{settings.http}/, documentation at http://{settings.http}/docs")
    return [*lines, f"ready: {', '.join(names)}"]


def _say(text: str) -> None:
    print(f"carbonmeter: {text}", flush=True)
