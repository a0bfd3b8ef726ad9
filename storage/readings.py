"""The log of readings: whole columns in by one binary COPY, batches in the order of their commits out.

A batch becomes visible whole, and in the order of its `commit_no`: `order_batches` takes the lock that makes it
so, as the last thing before the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from storage.binary_copy import Column, copy_in, copy_out
from storage.database import BATCH_ORDER_LOCK, Connection

_COLUMNS = (
    ("measured_at", "timestamptz"),
    ("channel_id", "int4"),
    ("gateway_id", "int4"),
    ("batch_id", "int8"),
    ("mantissa", "int8"),
    ("exponent", "int2"),
    ("revision", "int2"),
    ("quality", "int2"),
    ("flags", "int2"),
)
# `measured_at` in microseconds since 1970
READING_DTYPE = np.dtype(
    [
        ("measured_at", np.int64),
        ("channel_id", np.int32),
        ("gateway_id", np.int32),
        ("batch_id", np.int64),
        ("mantissa", np.int64),
        ("exponent", np.int16),
        ("revision", np.int16),
        ("quality", np.int16),
        ("flags", np.int16),
    ]
)


@dataclass(frozen=True, slots=True)
class Delta:
    """What a batch adds to the account of a gateway. received = stored + held + rejected, always."""

    received: int = 0
    stored: int = 0
    held: int = 0
    rejected: int = 0

    def __add__(self, other: Delta) -> Delta:
        return Delta(
            self.received + other.received,
            self.stored + other.stored,
            self.held + other.held,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A committed batch as its readers need it."""

    commit_no: int
    id: int
    committed_us: int
    cause: str
    by_whom: str | None
    registry_version: int
    rows: int
    min_measured_us: int | None
    max_measured_us: int | None


def next_batch_id(conn: Connection) -> int:
    row = conn.execute("SELECT nextval('batch_ids')").fetchone()
    assert row is not None
    return int(row[0])


def copy_rows(conn: Connection, rows: npt.NDArray[Any]) -> None:
    """Append rows (READING_DTYPE) to the log; psycopg.DataError and the like where a row is refused."""
    with conn.cursor() as cursor:
        copy_in(cursor, "readings", [[Column(name, type_, rows[name]) for name, type_ in _COLUMNS]])


def copy_rows_apart(conn: Connection, rows: npt.NDArray[Any]) -> list[int]:
    """As `copy_rows`, but what the database refuses for its data is halved until the bad rows stand alone.

    Returns the places of those rows; all the others are in the log. Only in the caller's transaction.
    """
    refused: list[int] = []
    parts = [(0, len(rows))]
    while parts:
        start, end = parts.pop()
        try:
            with conn.transaction():
                copy_rows(conn, rows[start:end])
        except (psycopg.DataError, psycopg.IntegrityError):
            if end - start == 1:
                refused.append(start)
            else:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
    return refused


def insert_batch(
    conn: Connection,
    batch_id: int,
    cause: str,
    by_whom: str | None,
    registry_version: int,
    measured_us: npt.NDArray[np.int64],
    deltas: Mapping[int, Delta],
) -> int:
    """The batch row, last statement of its transaction: the caller commits next. Returns committed_at [µs].

    measured_us  stamps of the batch's rows in the log
    deltas       by gateways.id
    """
    ids = sorted(deltas)
    with conn.pipeline():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [BATCH_ORDER_LOCK])
        cursor = conn.execute(
            """
            INSERT INTO batches (commit_no, id, committed_at, cause, by_whom, registry_version, rows,
                                 min_measured_us, max_measured_us, gateway_ids, received, stored, held, rejected)
            VALUES (nextval('batch_commits'), %s, clock_timestamp(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            RETURNING (extract(epoch FROM committed_at) * 1000000)::bigint
            """,
            [
                batch_id,
                cause,
                by_whom,
                registry_version,
                len(measured_us),
                int(measured_us.min()) if len(measured_us) else None,
                int(measured_us.max()) if len(measured_us) else None,
                ids,
                [deltas[id_].received for id_ in ids],
                [deltas[id_].stored for id_ in ids],
                [deltas[id_].held for id_ in ids],
                [deltas[id_].rejected for id_ in ids],
            ],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def batch_exists(conn: Connection, batch_id: int) -> bool:
    row = conn.execute("SELECT EXISTS (SELECT FROM batches WHERE id = %s)", [batch_id]).fetchone()
    assert row is not None
    return bool(row[0])


def batches_after(conn: Connection, commit_no: int, limit: int = 1000) -> list[BatchRow]:
    """Batches committed after `commit_no`, in order; who has read up to one has missed none before it."""
    return [
        BatchRow(*row)
        for row in conn.execute(
            """
            SELECT commit_no, id, (extract(epoch FROM committed_at) * 1000000)::bigint, cause, by_whom,
                   registry_version, rows, min_measured_us, max_measured_us
            FROM batches WHERE commit_no > %s ORDER BY commit_no LIMIT %s
            """,
            [commit_no, limit],
        )
    ]


def readings_of(conn: Connection, batches: Sequence[BatchRow]) -> npt.NDArray[Any]:
    """All rows of these batches (READING_DTYPE), in no order.

    The stamps bound the partitions that are looked into; within one, a BRIN on batch_id finds the batch.
    """
    filled = [batch for batch in batches if batch.rows]
    if not filled:
        return np.empty(0, READING_DTYPE)
    query = f"""
        SELECT {", ".join(name for name, _ in _COLUMNS)} FROM readings
        WHERE batch_id = ANY(%s) AND batch_id BETWEEN %s AND %s
          AND measured_at BETWEEN to_timestamp(0) + %s * interval '1 microsecond'
                              AND to_timestamp(0) + %s * interval '1 microsecond'
    """
    ids = [batch.id for batch in filled]
    lowest = min(batch.min_measured_us for batch in filled if batch.min_measured_us is not None)
    highest = max(batch.max_measured_us for batch in filled if batch.max_measured_us is not None)
    with conn.cursor() as cursor:
        return copy_out(
            cursor,
            query,
            [(name, type_, 0) for name, type_ in _COLUMNS],
            [ids, min(ids), max(ids), lowest, highest],
        ).astype(READING_DTYPE)
