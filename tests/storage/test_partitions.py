"""Partitions of the log: monthly, ahead of the readings, harmless to repeat."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import psycopg
import pytest

from domain.interval import to_us
from storage import partitions
from tests.servers import Database


def _us(year: int, month: int, day: int = 1) -> int:
    return to_us(datetime(year, month, day, tzinfo=UTC))


def _insert(conn: psycopg.Connection, at: datetime) -> None:
    conn.execute("INSERT INTO readings VALUES (%s, 1, 1, 1, 5, 0, 0, 0, 0)", [at])


def test_every_month_of_the_range_has_a_partition(database: Database) -> None:
    with database.connect() as conn:
        made = partitions.ensure(conn, _us(2023, 11, 30), _us(2024, 1, 1))
        if database.mode == "plain":
            assert made == ["readings_2023_11", "readings_2023_12", "readings_2024_01"]
        else:
            assert made == []
        for month in (
            datetime(2023, 11, 1, tzinfo=UTC),
            datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ):
            _insert(conn, month)
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (2,)


def test_repeating_makes_nothing(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        assert len(partitions.ensure(conn, _us(2024, 1), _us(2024, 12))) == 12
        assert partitions.ensure(conn, _us(2024, 1), _us(2024, 12)) == []
        assert partitions.ensure(conn, _us(2024, 3), _us(2025, 1)) == ["readings_2025_01"]
        assert partitions.ensure(conn, _us(2026, 3), _us(2026, 2)) == []


def test_years_at_the_edges_of_time_have_partitions(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        assert partitions.ensure(conn, _us(1900, 1), _us(1900, 1)) == ["readings_1900_01"]
        assert partitions.ensure(conn, _us(2199, 12), _us(2199, 12, 31)) == ["readings_2199_12"]


def test_two_at_once_make_each_partition_once(plain_database: Database) -> None:
    made: list[str] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        with plain_database.connect() as conn:
            barrier.wait()
            made.extend(partitions.ensure(conn, _us(2024, 1), _us(2024, 6)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"readings_2024_0{month}" for month in range(1, 7)]


def test_making_partitions_does_not_wait_for_an_open_batch(plain_database: Database) -> None:
    with plain_database.connect() as batch, plain_database.connect() as keeper:
        partitions.ensure(keeper, _us(2024, 1), _us(2024, 1))
        keeper.commit()
        _insert(batch, datetime(2024, 1, 5, tzinfo=UTC))
        keeper.execute("SET lock_timeout = '5s'")
        assert partitions.ensure(keeper, _us(2024, 2), _us(2024, 2)) == ["readings_2024_02"]
        keeper.commit()
        _insert(batch, datetime(2024, 2, 5, tzinfo=UTC))


def test_the_index_of_the_log_reaches_new_partitions(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        partitions.ensure(conn, _us(2024, 1), _us(2024, 1))
        definition = conn.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'readings_2024_01'"
        ).fetchone()
        assert definition is not None
        assert "USING brin (batch_id)" in definition[0]
        assert "autosummarize" in definition[0]


def test_without_a_partition_a_reading_is_refused(plain_database: Database) -> None:
    with plain_database.connect() as conn, pytest.raises(psycopg.errors.CheckViolation):
        _insert(conn, datetime(2024, 1, 5, tzinfo=UTC))


def test_three_months_are_kept_ahead_without_a_hole(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        assert partitions.keep_ahead(conn, _us(2024, 1, 15)) == [
            f"readings_2024_0{month}" for month in range(1, 5)
        ]
        assert partitions.keep_ahead(conn, _us(2024, 1, 31)) == []
        partitions.ensure(conn, _us(2030, 1), _us(2030, 1))  # a registered validity far ahead
        # the server was off for half a year
        assert partitions.keep_ahead(conn, _us(2024, 8, 1)) == [
            *(f"readings_2024_{month:02}" for month in range(5, 12)),
        ]
        assert partitions.horizon(_us(2024, 8, 1)) == _us(2024, 12)
