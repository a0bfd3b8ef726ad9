"""What is struck: a whole server on a data directory of its own, a broker beside it, proxies before both.

The data directory lies in a small file system of its own where we may mount one, so that its disk can be full.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.bed import free_port, listens
from bench.chaos.proxy import Proxy
from bench.process import Child, environment, wait_for
from carbonmeter import embedded
from carbonmeter.client import Client
from domain.errors import CarbonmeterError, Refused
from storage import keys
from storage.database import Connection, connect
from storage.keys import Scope

START_S = 240.0  # on a fresh clone the kernels are compiled first
PATIENCE_S = 60.0
DISK_BYTES = 3 << 30
_HOST = "127.0.0.1"
SERVICES = ("ingest", "accounting", "api")


class Bed:
    """Everything that a chaos run starts; gone when the context ends. `missing` says what can't be struck here."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.missing: dict[str, str] = {}  # need: why it isn't there

    def __enter__(self) -> Bed:
        with contextlib.ExitStack() as stack:
            self.folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="carbonmeter-chaos-", ignore_cleanup_errors=True)
                )
            )
            self.folder.chmod(0o755)
            self.home = self.folder / "home"
            self.home.mkdir()
            self._mount(stack)
            self._find_strace()
            self.mqtt_port, self.http_port = free_port(), free_port()
            self.endpoint = Proxy(self.mqtt_port)
            stack.callback(self.endpoint.close)
            self.broker: Broker | None = None
            self._start_broker(stack)
            stack.callback(self.stop)
            self.start()
            self.url = embedded.server(self.home).url(embedded.DATABASE)
            self.wait_until_ready(START_S)
            with connect(self.url, "carbonmeter chaos") as conn:
                self.key, _ = keys.create(conn, [Scope.ADMIN], (), "chaos")
                conn.commit()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def client(self) -> Client:
        return Client(f"http://{_HOST}:{self.http_port}", self.key, timeout_s=10)

    # The server

    def start(self) -> None:
        settings: dict[str, Any] = {
            "HOME": self.home,
            "MQTT": f"{_HOST}:{self.mqtt_port}",
            "HTTP": f"{_HOST}:{self.http_port}",
            "LOG_LEVEL": "warning",
        }
        if self.broker is not None:
            settings["BROKER"] = f"mqtt://{_HOST}:{self.broker.to_ingest.port}"
        self.server = Child(
            [sys.executable, "-m", "carbonmeter.main", "serve", "all"],
            self.folder / "server.log",
            environment=environment(**settings),
        )

    def stop(self) -> None:
        for pid in [*self.database_pids(), *self._service_pids().values()]:
            _signal(pid, signal.SIGCONT)
        self.server.stop()

    def kill(self) -> None:
        """SIGKILL for the supervisor and its services at one moment, and another start."""
        pids = [self.server.pid, *self._service_pids().values()]
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self.server.stop()
        wait_for(lambda: all(map(is_gone, pids)), "a killed process is still there", PATIENCE_S)
        self.start()

    def wait_until_ready(self, seconds: float = PATIENCE_S) -> None:
        def ready() -> bool:
            if not self.server.is_running:
                raise Refused(f"the server ended: {self.server.tail()}")
            return self.is_ready()

        wait_for(ready, f"the server isn't ready: {self.server.tail()}", seconds)

    def is_ready(self) -> bool:
        try:
            Client(f"http://{_HOST}:{self.http_port}", timeout_s=5).get("/v1/health/ready")
        except CarbonmeterError:
            return False
        return True

    def pid(self, service: str) -> int:
        """Process id of a service, once it runs."""
        return wait_for(
            lambda: self._service_pids().get(service, 0), f"{service} doesn't run", PATIENCE_S, 0.01
        )

    def _service_pids(self) -> dict[str, int]:
        found = {}
        for pid in _children(self.server.pid):
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
                if name in SERVICES:
                    found[name] = pid
        return found

    # The database

    @property
    def postmaster(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.home / "postgres/data/postmaster.pid").read_text().splitlines()[0])
        return None

    def database_pids(self) -> list[int]:
        """The postmaster and its children; none while it is away."""
        postmaster = self.postmaster
        return (
            [postmaster, *_children(postmaster)] if postmaster is not None and not is_gone(postmaster) else []
        )

    def backend(self, service: str) -> int | None:
        """Process id of a session of a service, where it has one."""
        with contextlib.suppress(CarbonmeterError, psycopg.Error), self.database() as conn:
            row = conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY random() LIMIT 1",
                [f"carbonmeter {service}"],
            ).fetchone()
            return None if row is None else int(row[0])
        return None

    def database(self) -> Connection:
        return connect(self.url, "carbonmeter chaos", autocommit=True)

    # The disk

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """No room for anything new below the data directory."""
        # What is written between the look and the remount makes it too small to be taken: then look again.
        wait_for(
            lambda: self._shrunk() is None, "the data directory's file system can't be filled", pause_s=0.0
        )
        try:
            yield
        finally:
            self._remount(DISK_BYTES)

    def _mount(self, stack: contextlib.ExitStack) -> None:
        if os.geteuid() != 0:
            self.missing["full disk"] = "only root may mount a small file system"
            return
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={DISK_BYTES},mode=755",
            "carbonmeter-chaos",
            str(self.home),
        ]
        problem = _problem(command)
        if problem is not None:
            self.missing["full disk"] = f"no small file system can be mounted ({problem})"
            return
        stack.callback(lambda: _problem(["umount", "-l", str(self.home)]))

    def _shrunk(self) -> str | None:
        used = DISK_BYTES - shutil.disk_usage(self.home).free
        return _problem(["mount", "-o", f"remount,size={used}", str(self.home)])

    def _remount(self, size: int) -> None:
        problem = _problem(["mount", "-o", f"remount,size={size}", str(self.home)])
        if problem is not None:
            raise Refused(f"the data directory's file system can't be resized: {problem}")

    def _find_strace(self) -> None:
        program = shutil.which("strace")
        if program is None:
            self.missing["strace"] = "strace isn't on this machine (apt install strace)"
            return
        with subprocess.Popen(["sleep", "60"]) as sleeper:
            try:
                tracer = subprocess.Popen(
                    [program, "-qq", "-p", str(sleeper.pid), "-o", "/dev/null"],
                    stderr=subprocess.PIPE,
                    stdin=subprocess.DEVNULL,
                )
                try:
                    _, said = tracer.communicate(timeout=0.5)
                    self.missing["strace"] = f"strace may not attach ({said.decode().strip()[:100]})"
                except subprocess.TimeoutExpired:
                    tracer.terminate()
                    tracer.communicate()
            finally:
                sleeper.kill()

    # The broker

    def _start_broker(self, stack: contextlib.ExitStack) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            self.missing["broker"] = "Mosquitto isn't on this machine (apt install mosquitto)"
            return
        self.broker = Broker(program, self.folder / "mosquitto")
        stack.callback(self.broker.close)


class Broker:
    """A Mosquitto that keeps its sessions and drops nothing, with a proxy on each side of it."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        folder.mkdir()
        self._port = free_port()
        user = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(
            f"listener {self._port} {_HOST}\nallow_anonymous true\n{user}"
            "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\nmax_inflight_bytes 0\n"
            f"max_packet_size 1050000\npersistence true\npersistence_location {folder}/\nautosave_interval 1\n"
            "set_tcp_nodelay true\nlog_dest stdout\nlog_type error\nlog_type warning\n"
        )
        self.start()
        self.to_gateways, self.to_ingest = Proxy(self._port), Proxy(self._port)

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        command = [self._program, "-c", str(self._folder / "mosquitto.conf")]
        self.process = Child(command, self._folder / "log")
        wait_for(lambda: listens(self._port) or not self.process.is_running, "Mosquitto")
        if not self.process.is_running:
            raise Refused(f"Mosquitto didn't start: {self.process.tail()}")

    def kill(self, *, forget: bool) -> None:
        """SIGKILL and another start; `forget`: without what it had on disk."""
        _signal(self.process.pid, signal.SIGKILL)
        self.process.stop()
        if forget:
            (self._folder / "mosquitto.db").unlink(missing_ok=True)
        self.start()

    def close(self) -> None:
        self.to_gateways.close()
        self.to_ingest.close()
        _signal(self.process.pid, signal.SIGCONT)
        self.process.stop()


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """SIGSTOP, and SIGCONT in the end."""
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


@contextlib.contextmanager
def broken_syncs(of: Callable[[], list[int]]) -> Iterator[None]:
    """Every fsync and fdatasync of these processes answers EIO.

    Not of those they start: a tracer that ends can swallow the word of a child's end that its parent waits for.
    """
    pids = of()
    if not pids:
        yield
        return
    command = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]
    command += ["-e", "inject=fsync,fdatasync:error=EIO"]
    for pid in pids:
        command += ["-p", str(pid)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        try:
            wait_for(
                lambda: tracer.poll() is not None or _tracer(pids[0]) == tracer.pid,
                "strace",
                PATIENCE_S,
                0.01,
            )
            yield
        finally:
            tracer.terminate()
            tracer.wait(PATIENCE_S)
            for pid in of():  # letting go of a process that was being stopped may leave it so
                _signal(pid, signal.SIGCONT)


def kill(pid: int | None) -> None:
    if pid is not None:
        _signal(pid, signal.SIGKILL)


def terminate(pid: int | None) -> None:
    if pid is not None:
        _signal(pid, signal.SIGTERM)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def pause(seconds: float) -> None:
    time.sleep(seconds)


def _tracer(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("TracerPid:"):
                return int(line.split()[1])
    return 0


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def _problem(command: list[str]) -> str | None:
    """What a command complains of; None where it did what it should."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"code {done.returncode}"
