"""The keeper of an embedded database: starts PostgreSQL, restarts it should it die, stops it when nobody uses it.

`python -m carbonmeter.embedded_keeper HOME` writes `ready`, or what went wrong, to its standard output and closes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

import psycopg

from carbonmeter import embedded, postgres
from carbonmeter.postgres import PostgresServer
from carbonmeter.process import dies_with_parent
from domain.errors import CarbonmeterError, Refused

_POLL_S = 0.1
_RETRY_S = 30.0  # how long the processes of a server that died may linger
_LOG_BYTES_MAX = 10 << 20


def _clear_stale_lock(server: PostgresServer) -> None:
    """Remove the lock file of a server that is gone, where its process id now belongs to somebody else.

    PostgreSQL alone would take any process of the same account for the old server, as happens in containers,
    where ids are small and come again.
    """
    lock = server.data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(lock.read_text().splitlines()[0])
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except FileNotFoundError:
            return  # PostgreSQL sees that itself
        if name != "postgres":
            lock.unlink()


def _launch(server: PostgresServer) -> subprocess.Popen[bytes]:
    """A server that takes connections. What is left of one that died may hold its memory for a moment."""
    deadline = time.monotonic() + _RETRY_S
    while True:
        was_running = (server.data / "postmaster.pid").exists()
        _clear_stale_lock(server)
        # SIGINT: a fast shutdown. A server without its keeper would never be stopped.
        process = server.launch(prepare=dies_with_parent(signal.SIGINT))
        try:
            server.wait_until_ready(process)
        except Refused:
            postgres.stop(process)
            if not was_running or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        except BaseException:
            postgres.stop(process)
            raise
        else:
            return process


def _create_database(server: PostgresServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        known = conn.execute("SELECT FROM pg_database WHERE datname = %s", [embedded.DATABASE]).fetchone()
        if known is None:
            conn.execute(f"CREATE DATABASE {embedded.DATABASE}")


class _Stop(BaseException):
    pass


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stop


def keep(home: Path) -> None:
    """Keep the server of a data directory until nobody uses it. The lock on keeper.lock is inherited."""
    server = embedded.server(home)
    folder = server.data.parent
    with (folder / "users.lock").open("ab") as users:
        if server.log.exists() and server.log.stat().st_size > _LOG_BYTES_MAX:
            server.log.rename(server.log.with_suffix(".1"))
        server.create()
        process = _launch(server)
        try:
            _create_database(server)
            _answer("ready\n")
            while not _unused(users):
                if process.poll() is not None:
                    process = _launch(server)
                time.sleep(_POLL_S)
        finally:
            # Still holding users.lock where nobody uses it: who comes now waits until the server has stopped.
            postgres.stop(process)


def _unused(users: IO[bytes]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answer(text: str) -> None:
    """Tell who started us, and close: it reads to the end. Whether it is still there doesn't matter."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode())
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        keep(Path(sys.argv[1]))
    except _Stop:
        return 0
    except (CarbonmeterError, OSError, psycopg.Error) as error:
        _answer(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
