"""The scripts of deploy/: a real server is backed up while it is written to, lost, and restored."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from carbonmeter import postgres
from carbonmeter.postgres import Account, PostgresServer
from tests import servers

DEPLOY = Path(__file__).parents[2] / "deploy"


def run(
    script: str, *arguments: str | Path, archive: Path, account: Account | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/, as the server's account where it is given."""
    path = f"{servers.plain_binaries()}:{os.environ['PATH']}"
    identity: dict[str, Any] = (
        {"user": account.uid, "group": account.gid, "extra_groups": ()} if account else {}
    )
    return subprocess.run(
        [DEPLOY / script, *arguments],
        env={"PATH": path, "ARCHIVE": str(archive), **variables},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **identity,
    )


@pytest.fixture
def archive() -> Iterator[Path]:
    with servers.temporary_folder(prefix="carbonmeter-archive-") as folder:
        account = postgres.account_for("carbonmeter")
        if account is not None:
            os.chown(folder, account.uid, account.gid)
            postgres.open_the_way(folder / "wal")
            postgres.open_the_way(DEPLOY / "archive-wal.sh")
        yield folder


@contextlib.contextmanager
def archiving_server(archive: Path) -> Iterator[PostgresServer]:
    settings = {
        "wal_level": "replica",
        "archive_mode": "on",
        "archive_command": f"ARCHIVE={archive} {DEPLOY / 'archive-wal.sh'} %p %f",
        "wal_sender_timeout": "20s",
    }
    with servers.running_postgres(servers.plain_binaries(), "carbonmeter", settings) as (server, _):
        yield server


def back_up(server: PostgresServer, archive: Path, keep: int = 2) -> subprocess.CompletedProcess[str]:
    variables = {"PGHOST": str(server.socket_folder), "PGUSER": postgres.SUPERUSER}
    result = run("backup.sh", str(keep), archive=archive, account=server.account, **variables)
    assert result.returncode == 0, result.stderr
    return result


def archive_all(conn: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Close the segment being written and wait until it is in the archive."""
    conn.execute("SELECT pg_logical_emit_message(true, 'test', 'so that there is something to close')")
    row = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert row is not None
    servers.wait_for(
        lambda: (
            conn.execute("SELECT last_archived_wal >= %s FROM pg_stat_archiver", [row[0]]).fetchone()
            == (True,)
        ),
        what="the segment was not archived",
    )


def fresh_folder() -> contextlib.AbstractContextManager[Path]:
    return servers.temporary_folder(prefix="carbonmeter-restored-")


@contextlib.contextmanager
def restored(
    server: PostgresServer, archive: Path, folder: Path, *time: str
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    data = folder / "data"
    result = run("restore.sh", data, *time, archive=archive)
    assert result.returncode == 0, result.stderr
    second = dataclasses.replace(
        server,
        data=data,
        socket_folder=folder / "socket",
        log=folder / "log",
        settings={"max_connections": "100"},
    )
    if server.account is not None:
        for path in (data, *data.rglob("*")):
            os.chown(path, server.account.uid, server.account.gid)
    process = second.launch()
    try:
        second.wait_until_ready(process)
        with psycopg.connect(second.url(), autocommit=True) as conn:
            servers.wait_for(lambda: conn.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,))
            yield conn
    finally:
        postgres.stop(process)


def test_what_was_archived_is_restored_to_the_end_and_to_a_moment(archive: Path) -> None:
    with archiving_server(archive) as server, psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("CREATE TABLE readings_of_test (number integer)")
        conn.execute("INSERT INTO readings_of_test SELECT generate_series(1, 1000)")
        back_up(server, archive)
        time.sleep(1.1)  # a backup is named by the second that it ended in
        conn.execute("INSERT INTO readings_of_test SELECT generate_series(1001, 2000)")
        time.sleep(1.1)
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        time.sleep(1.1)
        conn.execute("INSERT INTO readings_of_test SELECT generate_series(2001, 3000)")
        archive_all(conn)
        # the server is lost here as far as the archive knows: nothing after the last segment is in it

        with fresh_folder() as folder, restored(server, archive, folder) as again:
            assert again.execute("SELECT count(*) FROM readings_of_test").fetchone() == (3000,)
        with fresh_folder() as folder, restored(server, archive, folder, moment) as again:
            assert again.execute("SELECT count(*) FROM readings_of_test").fetchone() == (2000,)


def test_only_the_wanted_backups_and_the_wal_they_need_are_kept(archive: Path) -> None:
    with archiving_server(archive) as server, psycopg.connect(server.url(), autocommit=True) as conn:
        for _ in range(3):
            conn.execute("SELECT pg_switch_wal()")
            back_up(server, archive, keep=2)
            time.sleep(1.1)
        archive_all(conn)
        bases = sorted(path.name for path in (archive / "base").iterdir())
        assert len(bases) == 2
        label = (archive / "base" / bases[0] / "backup_label").read_text()
        first = label.split("(file ")[1].split(")")[0]
        segments = sorted(path.name for path in (archive / "wal").iterdir() if len(path.name) == 24)
        assert segments
        assert segments[0] >= first


def test_a_segment_is_archived_whole_again_and_never_replaced(archive: Path, tmp_path: Path) -> None:
    segment = tmp_path / "segment"
    segment.write_bytes(b"one" * 1000)
    assert run("archive-wal.sh", segment, "000000010000000000000001", archive=archive).returncode == 0
    assert run("archive-wal.sh", segment, "000000010000000000000001", archive=archive).returncode == 0
    segment.write_bytes(b"two" * 1000)
    refused = run("archive-wal.sh", segment, "000000010000000000000001", archive=archive)
    assert refused.returncode == 1
    assert "exists and differs" in refused.stderr
    assert (archive / "wal" / "000000010000000000000001").read_bytes() == b"one" * 1000


def test_a_restore_refuses_a_folder_that_is_not_empty_and_a_moment_without_a_backup(
    archive: Path, tmp_path: Path
) -> None:
    (archive / "base" / "20260304T000000Z").mkdir(parents=True)
    (tmp_path / "PG_VERSION").write_text("18")
    full = run("restore.sh", tmp_path, archive=archive)
    assert full.returncode == 1
    assert "isn't empty" in full.stderr
    early = run("restore.sh", tmp_path / "new", "2026-03-03T00:00:00Z", archive=archive)
    assert early.returncode == 1
    assert "no base backup" in early.stderr
    odd = run("restore.sh", tmp_path / "new", "yesterday", archive=archive)
    assert odd.returncode == 2
    assert "must look like" in odd.stderr


def test_a_second_backup_at_once_is_refused(archive: Path) -> None:
    (archive / "base" / ".lock").mkdir(parents=True)
    result = run("backup.sh", archive=archive)
    assert result.returncode == 1
    assert "another backup runs" in result.stderr


def test_scripts_are_sound_to_the_shell() -> None:
    scripts = sorted(DEPLOY.glob("*.sh"))
    assert len(scripts) == 3
    for script in scripts:
        assert os.access(script, os.X_OK)
        subprocess.run(["sh", "-n", script], check=True)
