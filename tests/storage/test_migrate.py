"""Migrations: applied once, refused when changed, the same schema in both modes, harmless at the same time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from domain.errors import Refused
from domain.interval import HOUR_US
from domain.ledger import EVERY_SHARD
from storage import database as storage_database
from storage.emissions import last_runs, latest_rules_and_factor_set
from storage.ledger import Books, Cursor
from storage.migrate import Migration, migrate, migrations
from tests import servers
from tests.servers import CALENDAR_OFFSET_US, Database


def _tables(conn: storage_database.Connection) -> set[str]:
    rows = conn.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    return {name for (name,) in rows}


def test_all_of_it_is_applied_once(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        first = migrate(conn, CALENDAR_OFFSET_US)
        assert first.mode == empty_database.mode == storage_database.mode(conn)
        assert list(first.applied) == [step.name for step in migrations()]
        assert {"readings", "batches", "ledger_days", "schema_migrations"} <= _tables(conn)
        assert migrate(conn, CALENDAR_OFFSET_US).applied == ()


def test_the_columns_are_the_same_in_both_modes_and_the_log_is_what_the_mode_says(database: Database) -> None:
    with database.connect() as conn:
        kind = conn.execute("SELECT relkind::text FROM pg_class WHERE oid = 'readings'::regclass").fetchone()
        assert kind == ("p",) if database.mode == "plain" else ("r",)
        columns = conn.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'readings' ORDER BY ordinal_position"
        ).fetchall()
        assert [name for (name,) in columns] == [
            *("measured_at", "channel_id", "gateway_id", "batch_id", "mantissa", "exponent"),
            *("revision", "quality", "flags"),
        ]
        versions = storage_database.versions(conn)
        assert ("timescaledb" in versions) == (database.mode == "timescale")


def test_a_changed_migration_is_refused_and_changes_nothing(plain_database: Database) -> None:
    steps = migrations()
    changed = [Migration(1, steps[0].name, steps[0].text + "-- and more\n"), *steps[1:]]
    added = Migration(len(steps) + 1, "9999_more.sql", "CREATE TABLE more ()")
    with plain_database.connect() as conn:
        with pytest.raises(Refused, match=f"{steps[0].name} has changed since it was applied"):
            migrate(conn, CALENDAR_OFFSET_US, [*changed, added])
        assert "more" not in _tables(conn)


def test_a_new_migration_is_applied_to_a_database_with_rows(plain_database: Database) -> None:
    steps = migrations()
    added = Migration(
        len(steps) + 1, "9999_more.sql", "ALTER TABLE enterprises ADD COLUMN more text DEFAULT 'x'"
    )
    with plain_database.connect() as conn:
        conn.execute("INSERT INTO enterprises (uscc) VALUES ('A')")
        assert migrate(conn, CALENDAR_OFFSET_US, [*steps, added]).applied == ("9999_more.sql",)
        assert conn.execute("SELECT uscc, more FROM enterprises").fetchall() == [("A", "x")]
        with pytest.raises(Refused, match=r"migration 9999_more.sql, which this release doesn't know"):
            migrate(conn, CALENDAR_OFFSET_US)


def test_books_of_a_release_with_one_cursor_go_on_in_every_shard(empty_database: Database) -> None:
    steps = migrations()
    before = [step for step in steps if step.number < 8]
    with empty_database.connect() as conn:
        migrate(conn, CALENDAR_OFFSET_US, before)
        conn.execute("INSERT INTO runs VALUES (3, '2026-01-01Z', '1', 'set', 2, 9)")
        conn.execute("INSERT INTO cursors VALUES (0, 9, 2, 'set', '1')")
        migrate(conn, CALENDAR_OFFSET_US)
        assert Books(conn).cursors() == dict.fromkeys(EVERY_SHARD, Cursor(9, 2, "set", "1"))
        assert last_runs(conn, None) == (3,) * len(EVERY_SHARD)
        assert last_runs(conn, datetime(2025, 12, 31, tzinfo=UTC)) == (0,) * len(EVERY_SHARD)
        assert latest_rules_and_factor_set(conn) == ("1", "set")


def test_empty_books_begin_in_every_shard(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        assert Books(conn).cursors() == dict.fromkeys(EVERY_SHARD, Cursor(0, 0, "", ""))
        assert last_runs(conn, None) == (0,) * len(EVERY_SHARD)
        assert latest_rules_and_factor_set(conn) is None


def test_a_failing_migration_leaves_nothing(plain_database: Database) -> None:
    steps = migrations()
    number = len(steps) + 1
    added = [
        Migration(number, "9998_good.sql", "CREATE TABLE good ()"),
        Migration(number + 1, "9999_bad.sql", "CREATE TABLE bad (); SELECT nothing_there"),
    ]
    with plain_database.connect() as conn:
        with pytest.raises(Refused, match=r'9999_bad.sql: column "nothing_there" does not exist'):
            migrate(conn, CALENDAR_OFFSET_US, [*steps, *added])
        assert not {"good", "bad"} & _tables(conn)
        assert migrate(conn, CALENDAR_OFFSET_US).applied == ()


def test_lines_of_the_other_mode_are_left_out() -> None:
    step = Migration(
        1,
        "0001_x.sql",
        "CREATE TABLE x (\n a int)\nPARTITION BY y  -- only plain\n;\ngo; -- only timescale\n",
    )
    assert step.text_for("plain") == "CREATE TABLE x (\n a int)\nPARTITION BY y\n;\n\n"
    assert step.text_for("timescale") == "CREATE TABLE x (\n a int)\n\n;\ngo;\n"


def test_several_at_once_apply_each_migration_once(empty_database: Database) -> None:
    applied: list[str] = []
    barrier = threading.Barrier(3)

    def run() -> None:
        with empty_database.connect() as conn:
            barrier.wait()
            applied.extend(migrate(conn, CALENDAR_OFFSET_US).applied)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == sorted(step.name for step in migrations())


def test_another_calendar_is_refused(plain_database: Database) -> None:
    with (
        plain_database.connect() as conn,
        pytest.raises(Refused, match=r"local days at \+08:00; the setting says -03:30"),
    ):
        migrate(conn, -7 * HOUR_US // 2)


def test_the_numbers_of_the_files_have_no_gap() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.timescale
def test_the_columnstore_takes_old_chunks_and_late_readings(timescale_server: servers.DatabaseServer) -> None:
    with timescale_server.database() as database, database.connect(autocommit=True) as conn:
        insert = """
            INSERT INTO readings SELECT '2024-01-01Z'::timestamptz + n * interval '1 min', n %% 3, 1, %s, n, 0, 0, 0, 0
            FROM generate_series(1, 3000) AS n"""
        conn.execute(insert, [7])
        chunks = [
            name for (name,) in conn.execute("SELECT chunk::text FROM show_chunks('readings') AS chunk")
        ]
        assert chunks
        for chunk in chunks:
            conn.execute("CALL convert_to_columnstore(%s::regclass)", [chunk])
        conn.execute(insert, [8])
        counts = conn.execute(
            "SELECT batch_id, count(*), sum(mantissa) FROM readings GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert counts == [(7, 3000, 4501500), (8, 3000, 4501500)]
        assert conn.execute(
            "SELECT segmentby, orderby FROM timescaledb_information.hypertable_columnstore_settings"
        ).fetchall() == [("channel_id", "measured_at")]
        assert conn.execute(
            "SELECT config ->> 'compress_after' FROM timescaledb_information.jobs WHERE hypertable_name = 'readings'"
        ).fetchall() == [("14 days",)]


@pytest.mark.timescale
@pytest.mark.usefixtures("timescale_server")  # skips where there is none
def test_the_build_under_the_apache_licence_alone_runs_without_columnstore() -> None:
    with servers.running_timescale("apache") as (server, _):
        fresh = servers.DatabaseServer(server, "timescale")
        with fresh.database() as database, database.connect() as conn:
            assert not storage_database.columnstore_offered(conn)
            conn.execute("INSERT INTO readings VALUES (now(), 1, 1, 1, 5, 0, 0, 0, 0)")
            assert migrate(conn, CALENDAR_OFFSET_US).mode == "timescale"
