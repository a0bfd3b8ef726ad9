"""The embedded database: shared by processes, gone with the last of them however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from carbonmeter.embedded import EmbeddedDatabase, database_url, server
from carbonmeter.postgres import open_to_all
from domain.errors import Unavailable
from storage.database import connect, guard
from tests.servers import wait_for

# A process that uses the database of a home until its standard input ends.
_USER = """
import sys
from pathlib import Path
from carbonmeter.embedded import EmbeddedDatabase
with EmbeddedDatabase(Path(sys.argv[1])) as database:
    print(database.url, flush=True)
    sys.stdin.read()
"""


def _start_user(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _leave(user: subprocess.Popen[str]) -> None:
    user.communicate(timeout=60)
    assert user.returncode == 0


def _processes(home: Path) -> list[int]:
    """Processes that have to do with a data directory: keeper, server, users."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(home) in command:
                found.append(int(entry.name))
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    assert wait_for(lambda: not _processes(home))


def _postmaster_pid(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_it_is_durable_keeps_its_data_and_stops_with_its_only_user(home: Path) -> None:
    with EmbeddedDatabase(home) as database:
        with connect(database.url) as conn:
            assert guard(conn) == []
            conn.execute("CREATE TABLE t AS SELECT 5 AS v")
        assert _processes(home)
    assert not _processes(home)
    with database_url(None, home) as url, connect(url) as conn:
        assert conn.execute("SELECT v FROM t").fetchone() == (5,)
    assert not _processes(home)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_given_database_is_taken_as_it_is(tmp_path: Path) -> None:
    with database_url("postgresql://elsewhere/x", tmp_path) as url:
        assert url == "postgresql://elsewhere/x"
    assert list(tmp_path.iterdir()) == []


def test_several_that_start_at_once_share_one_server(home: Path) -> None:
    users = [_start_user(home) for _ in range(3)]
    urls = {user.stdout.readline() for user in users if user.stdout}
    assert len(urls) == 1
    pid = _postmaster_pid(home)
    _leave(users[0])
    _leave(users[1])
    with EmbeddedDatabase(home) as database:
        _leave(users[2])
        assert _postmaster_pid(home) == pid
        connect(database.url).close()
    assert not _processes(home)


def test_a_killed_user_neither_hinders_the_next_nor_leaves_a_server(home: Path) -> None:
    user = _start_user(home)
    assert user.stdout
    user.stdout.readline()
    user.kill()
    with EmbeddedDatabase(home) as database:
        connect(database.url).close()
    assert not _processes(home)
    user.communicate()

    user = _start_user(home)
    assert user.stdout
    user.stdout.readline()
    user.kill()
    user.communicate()
    wait_for(lambda: not _processes(home), what="the server outlives its only user")


def test_a_killed_server_comes_back_with_what_was_committed(home: Path) -> None:
    with EmbeddedDatabase(home) as database:
        with connect(database.url) as conn:
            conn.execute("CREATE TABLE t AS SELECT 7 AS v")
        for _ in range(2):
            pid = _postmaster_pid(home)
            os.kill(pid, signal.SIGKILL)
            wait_for(
                lambda pid=pid: server(home).is_ready("carbonmeter") and _postmaster_pid(home) != pid, 60
            )
            with connect(database.url) as conn:
                assert conn.execute("SELECT v FROM t").fetchone() == (7,)


def test_a_killed_keeper_is_replaced(home: Path) -> None:
    with EmbeddedDatabase(home) as database:
        pid = _postmaster_pid(home)
        status = Path(f"/proc/{pid}/status").read_text()
        keeper = int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))
        os.kill(keeper, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="the server outlives its keeper")
        database.ensure_running()
        connect(database.url).close()


def test_a_lock_file_of_a_server_long_gone_is_no_hindrance(home: Path) -> None:
    with EmbeddedDatabase(home):
        lock = home / "postgres" / "data" / "postmaster.pid"
        text = lock.read_text().splitlines()
    # the id now belongs to a process of the same account that is no server
    account = server(home).account
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    with subprocess.Popen(["sleep", "600"], **identity) as other:
        try:
            lock.write_text("\n".join([str(other.pid), *text[1:]]) + "\n")
            if account:
                os.chown(lock, account.uid, account.gid)
            with EmbeddedDatabase(home) as database:
                connect(database.url).close()
        finally:
            other.kill()


def test_a_home_with_a_long_path_works(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / "home"
    with EmbeddedDatabase(home) as database:
        connect(database.url).close()
    assert wait_for(lambda: not _processes(home))


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with EmbeddedDatabase(home):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"(?s)didn't start.*PostgreSQL version 9\.6"):
        EmbeddedDatabase(home).__enter__()
    assert time.monotonic() - begun < 20


def test_interrupting_the_starting_process_leaves_nothing(home: Path) -> None:
    user = _start_user(home)
    time.sleep(0.4)
    user.send_signal(signal.SIGINT)
    user.communicate(timeout=60)
    wait_for(lambda: not _processes(home))
    with EmbeddedDatabase(home) as database:
        connect(database.url).close()


def test_programs_installed_for_their_owner_alone_are_opened_to_the_account(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    program, text = tmp_path / "bin" / "postgres", tmp_path / "text"
    for path, mode in ((program, 0o700), (text, 0o600)):
        path.touch()
        path.chmod(mode)
    open_to_all(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "bin", program, text)] == [
        0o705,
        0o705,
        0o604,
    ]
