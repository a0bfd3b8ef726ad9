"""The services of a server as child processes: started, watched, restarted when they crash, stopped together.

A child gets its settings by the same CARBONMETER_* variables, with the addresses filled in, and a session of its
own, so that a Ctrl-C reaches the supervisor alone and everything stops in order. The kernel ends the children of a
supervisor that was killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from prometheus_client.multiprocess import mark_process_dead

from accounting.settings import worker_names
from carbonmeter.process import dies_with_parent
from carbonmeter.settings import CONFIG, PREFIX, Settings
from domain.clock import SystemClock
from domain.errors import Refused, Unavailable
from storage import partitions
from storage.database import connect
from storage.services import services

log = logging.getLogger(__name__)

NAMES = ("ingest", "accounting", "publisher", "api")  # accounting: as many processes as the settings say
REFUSED = 78  # exit code of a child that has said what is wrong (EX_CONFIG): starting it again can't help
STOP_TIMEOUT_S = 30.0  # ingest alone may take 20 s to commit and acknowledge what it has taken
_BACKOFF_S = (0.5, 5.0)  # at most: however often one was killed, it is back well within half a minute
_SETTLED_S = 60.0  # a child that has run this long begins its backoff anew
_DATABASE_S = 5.0
_PARTITIONS_S = 3600.0


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0  # monotonic [s]
    due: float = 0.0  # when to start it (again), monotonic [s]
    backoff_s: float = _BACKOFF_S[0]
    was_ready: bool = False
    is_over: bool = False  # it stopped by itself, and said why


@dataclass(slots=True)
class Supervisor:
    """Runs services of a server until `stop`. Not thread-safe: the thread that starts the children must live on.

    ensure_database   called now and then: brings an embedded database back whose keeper was killed
    """

    settings: Settings
    names: Iterable[str]
    database_url: str
    config: str | None = None
    ensure_database: Callable[[], None] | None = None
    _children: list[_Child] = field(default_factory=list)
    _database_due: float = 0.0
    _partitions_due: float = 0.0
    _is_ready: bool = False

    def start(self) -> None:
        folder = self.settings.metrics_folder
        folder.mkdir(parents=True, exist_ok=True)
        forget_metrics_of_the_dead(folder)
        workers = {"accounting": worker_names(self.settings.accounting_workers)}
        self._children = [_Child(each) for name in self.names for each in workers.get(name, (name,))]
        self.check()

    def check(self) -> None:
        """Start what is due and restart what has ended; to be called several times a second.

        Raises Refused when a service refuses to start, or none is left; the reason is on its standard error.
        """
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode, now)
            if child.process is None and not child.is_over and now >= child.due:
                child.process = self._spawn(child.name)
                child.started = now
        if now >= self._database_due:
            self._database_due = now + _DATABASE_S
            self._tend_database(now)

    def is_ready(self) -> bool:
        """Whether all of it works: as our children's own beats say, and with the API as its health does.

        The health alone could be that of another server at the same address.
        """
        if not self._is_ready:
            answers = "api" not in self.names or self._api_is_ready()
            self._is_ready = answers and self._beats_are_ready()
            if self._is_ready:
                for child in self._children:
                    child.was_ready = True
        return self._is_ready

    @property
    def over(self) -> list[str]:
        """The services that stopped by themselves."""
        return [child.name for child in self._children if child.is_over]

    def stop(self) -> None:
        """Stop all of them; who doesn't in time is killed (nothing acknowledged is lost by that)."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._children = []

    def pid(self, name: str) -> int | None:
        """Process id of a running service; a worker by its own name."""
        return next(
            (child.process.pid for child in self._children if child.name == name and child.process), None
        )

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, PREFIX + "DATABASE": self.database_url}
        environment[PREFIX + "HOME"] = str(self.settings.home)
        environment[PREFIX + "MQTT"] = "off" if self.settings.mqtt is None else str(self.settings.mqtt)
        environment[PREFIX + "HTTP"] = str(self.settings.http)
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.settings.metrics_folder)
        if self.config is not None:
            environment[CONFIG] = self.config
        return subprocess.Popen(
            [sys.executable, "-m", "carbonmeter.service", name],
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )

    def _ended(self, child: _Child, code: int, now: float) -> None:
        assert child.process is not None
        # Its gauges end with it: what it held back or was connected to is no longer so.
        mark_process_dead(child.process.pid, str(self.settings.metrics_folder))  # type: ignore[no-untyped-call]
        lived_s = now - child.started
        child.process = None
        self._is_ready = False
        if code == REFUSED:
            if not child.was_ready:
                raise Refused(f"{child.name} refused to start")
            child.is_over = True
            log.error("%s stopped by itself and isn't started again", child.name)
            if all(each.is_over for each in self._children):
                raise Refused(f"stopped by themselves: {', '.join(self.over)}")
            return
        if lived_s >= _SETTLED_S:
            child.backoff_s = _BACKOFF_S[0]
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        log.warning(
            "%s ended %s after %.1f s; starting it again in %.1f s", child.name, how, lived_s, child.backoff_s
        )
        child.due = now + child.backoff_s
        child.backoff_s = min(child.backoff_s * 2, _BACKOFF_S[1])

    def _tend_database(self, now: float) -> None:
        try:
            if self.ensure_database is not None:
                self.ensure_database()
            if now >= self._partitions_due:
                with connect(self.database_url, "carbonmeter serve") as conn:
                    made = partitions.keep_ahead(conn, SystemClock().now_us())
                self._partitions_due = now + _PARTITIONS_S
                if made:
                    log.info("made partitions %s", ", ".join(made))
        except (Unavailable, psycopg.Error) as error:
            log.warning("database: %s", str(error).strip())

    def _api_is_ready(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.http.host, self.settings.http.host)
        address = type(self.settings.http)(host, self.settings.http.port)
        try:
            with urllib.request.urlopen(f"http://{address}/v1/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    def _beats_are_ready(self) -> bool:
        ours = {child.process.pid for child in self._children if child.process is not None}
        try:
            with connect(self.database_url, "carbonmeter serve") as conn:
                beating = {each.pid for each in services(conn) if each.ready and each.fresh}
        except Unavailable:
            return False
        return bool(ours) and ours <= beating


def forget_metrics_of_the_dead(folder: Path) -> None:
    """Remove the metrics files (`counter_PID.db` …) of processes that are gone."""
    for path in folder.glob("*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
