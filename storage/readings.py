"""The log of readings and its batches, as they are written; `storage.ledger` reads them.

A batch becomes visible whole, and in the order of its `commit_no`: `insert_batch` takes the lock that makes it
so, as the last thing before the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from storage.binary_copy import Column, copy_in
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


@dataclass(slots=True)
class Delta:
    """What a batch adds to the account of a gateway. received = stored + held + rejected, always.

    Not frozen: there are as many as gateways in a batch, and a frozen one takes three times as long to make.
    """

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


def open_batch(conn: Connection) -> tuple[int, int]:
    """(id of a new batch, version of the registry that it is to be judged by).

    The registry stays at that version until the caller's transaction ends.
    """
    row = conn.execute("SELECT nextval('batch_ids'), version FROM registry_state FOR SHARE").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


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
) -> tuple[int, str]:
    """The batch row, last statement of its transaction: the caller commits next.

    Returns committed_at [µs] and the transaction's id, by which `was_committed` can ask.

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
            RETURNING (extract(epoch FROM committed_at) * 1000000)::bigint, pg_current_xact_id()::text
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
    return int(row[0]), str(row[1])


def was_committed(conn: Connection, batch_id: int, transaction: str) -> bool | None:
    """Whether a batch whose COMMIT had no answer is there; None while its transaction is still going on."""
    try:
        state = conn.execute("SELECT pg_xact_status(%s::xid8)", [transaction]).fetchone()
    except psycopg.Error:
        conn.rollback()  # a crashed server may not know that number any more: then it isn't going on
    else:
        if state == ("in progress",):
            return None
    # The number may have been given again after a crash; the batch's id, from a sequence, never is.
    row = conn.execute("SELECT EXISTS (SELECT FROM batches WHERE id = %s)", [batch_id]).fetchone()
    assert row is not None
    return bool(row[0])
