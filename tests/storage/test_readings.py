"""The log: whole columns in, exactly; the bad rows alone; batches in the order of their commits."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest

from domain.interval import to_us
from storage import partitions, readings
from storage.readings import READING_DTYPE, Delta
from tests.servers import Database, wait_for

NOW_US = 1_760_000_000_000_000


def some(count: int) -> Any:
    rows = np.zeros(count, READING_DTYPE)
    rows["measured_at"] = NOW_US + np.arange(count)
    rows["channel_id"], rows["gateway_id"], rows["batch_id"] = 7, 3, 1
    rows["mantissa"] = np.arange(count) - 5
    rows["exponent"], rows["revision"], rows["quality"], rows["flags"] = -2, 4, 1, 1024
    return rows


@pytest.fixture
def ready(database: Database) -> Database:
    with database.connect() as conn:
        partitions.ensure(conn, NOW_US, NOW_US)
    return database


def stored(conn: Any) -> list[tuple[Any, ...]]:
    return [
        (to_us(row[0]), *row[1:])
        for row in conn.execute(
            """SELECT measured_at, channel_id, gateway_id, batch_id, mantissa, exponent, revision, quality, flags
               FROM readings ORDER BY measured_at"""
        )
    ]


def test_rows_are_stored_as_they_are(ready: Database):
    rows = some(1000)
    rows["mantissa"][:2] = [(1 << 63) - 1, -(1 << 63) + 1]
    rows["exponent"][2] = 400
    with ready.connect() as conn:
        readings.copy_rows(conn, rows)
        assert stored(conn) == [tuple(row) for row in rows.tolist()]


@pytest.mark.parametrize("bad", [[], [0], [9], [0, 1, 5, 9], list(range(10))])
def test_bad_rows_stand_alone(plain_database: Database, bad: list[int]):
    rows = some(10)
    rows["measured_at"][bad] = -2_000_000_000_000_000  # there is no partition for 1906
    with plain_database.connect() as conn:
        partitions.ensure(conn, NOW_US, NOW_US)
        assert sorted(readings.copy_rows_apart(conn, rows)) == bad
        kept = [row for place, row in enumerate(rows.tolist()) if place not in bad]
        assert stored(conn) == [tuple(row) for row in kept]


def test_a_batch_says_what_it_holds(ready: Database):
    with ready.connect() as conn:
        batch_id, version = readings.open_batch(conn)
        delta = Delta(5, 3, 1, 1) + Delta(held=-1, stored=1)
        deltas = {9: delta, 4: Delta(received=1, rejected=1)}
        measured = np.array([NOW_US + 5, NOW_US, NOW_US + 3])
        committed_us, _ = readings.insert_batch(conn, batch_id, "replay", "Li Hua", version, measured, deltas)
        row = conn.execute(
            """SELECT id, extract(epoch FROM committed_at) * 1000000, cause, by_whom, registry_version, rows,
                      min_measured_us, max_measured_us, gateway_ids, received, stored, held, rejected FROM batches"""
        ).fetchone()
    assert row is not None
    assert row[0] == batch_id
    assert int(row[1]) == committed_us
    assert row[2:] == ("replay", "Li Hua", 0, 3, NOW_US, NOW_US + 5, [4, 9], [1, 5], [0, 4], [0, 0], [1, 1])


def test_whether_a_batch_was_committed_can_be_asked_later(plain_database: Database):
    nothing = np.empty(0, np.int64)

    def begun(conn: Any) -> tuple[int, str]:
        batch_id, version = readings.open_batch(conn)
        return batch_id, readings.insert_batch(conn, batch_id, "arrival", None, version, nothing, {})[1]

    with plain_database.connect(autocommit=True) as asker, plain_database.connect() as conn:
        going = begun(conn)
        assert readings.was_committed(asker, *going) is None
        conn.commit()
        assert readings.was_committed(asker, *going) is True
        given_up = begun(conn)
        conn.rollback()
        assert readings.was_committed(asker, *given_up) is False
        assert readings.was_committed(asker, given_up[0], "9999999999") is False, "a number not given yet"
        with plain_database.connect() as third:
            broken = begun(third)
            third.pgconn.finish()
        wait_for(lambda: readings.was_committed(asker, *broken) is False)


def test_an_import_waits_for_batches_and_batches_for_an_import(plain_database: Database):
    with plain_database.connect() as batch, plain_database.connect() as importer:
        readings.open_batch(batch)
        importer.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            importer.execute("SELECT FROM registry_state FOR UPDATE")
