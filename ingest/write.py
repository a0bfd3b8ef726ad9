"""The one transaction of a batch, and what to do when it fails.

- A connection that breaks: the batch is kept whole and tried again, with backoff and jitter, for as long as it takes.
  Where the answer to a COMMIT was lost, the batch is looked up first: committed is committed.
- Data that the database refuses: the rows are halved until the bad ones stand alone; these become dead letters.
- Anything else is our own mistake: it is raised, and ingest stops.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

from domain.clock import Clock
from domain.errors import RejectReason, Unavailable
from domain.reading import decimal_text
from domain.registry import Registry
from ingest.batch import Batch, Outcome, Rejection
from ingest.directory import Directory
from ingest.metrics import AMBIGUOUS_COMMITS, COMMIT_RETRIES, ROWS_REFUSED
from ingest.routes import Routes
from storage import accounts, dead_letters, held, readings, registry
from storage.accounts import GatewayEvent
from storage.database import Connection

log = logging.getLogger("carbonmeter.ingest")

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.05, 5.0
GATEWAY_IDS_MAX = 100_000

# kept whole and tried again; a deadlock, a full disk and a server that shuts down are among these
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, Unavailable)
REFUSED = (psycopg.DataError, psycopg.IntegrityError)


class StoppedError(Exception):
    """The writer was told to stop while the database was away: the batch isn't committed."""


@dataclass(slots=True)
class Written:
    """A committed batch. `batch` is the one that was judged: another where the registry had changed."""

    batch: Batch
    outcome: Outcome
    committed_us: int


class GatewayIds:
    """Lasting ids of gateways, remembered."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}

    def of(self, conn: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Ids by (uscc, gateway); new ones in a transaction of their own, so that they outlive a failed batch."""
        wanted = set(names)
        missing = wanted.difference(self._ids)
        if missing:
            with conn.transaction():
                found = accounts.gateway_ids(conn, missing)
            if len(self._ids) > GATEWAY_IDS_MAX:
                self._ids.clear()
                return self.of(conn, wanted)
            self._ids.update(found)
        return {name: self._ids[name] for name in wanted}


def write_outcome(
    conn: Connection,
    batch: Batch,
    outcome: Outcome,
    batch_id: int,
    ids: dict[tuple[str, str], int],
    *,
    apart: bool = False,
    cause: str = "arrival",
    by_whom: str | None = None,
    also: dict[int, readings.Delta] | None = None,
) -> tuple[int, str]:
    """Everything that a batch writes, in the caller's transaction, the batch row last.

    Returns committed_at [µs] and the transaction's id.

    apart  the database has refused a row: find out which
    also   what else the accounts are changed by, by gateways.id
    """
    rows = outcome.rows
    rows["batch_id"] = batch_id
    if len(rows):
        numbers = np.array([ids[gateway.names] for gateway in outcome.gateways], np.int32)
        rows["gateway_id"] = numbers[outcome.row_gateways]
        if apart:
            _set_aside(batch, outcome, readings.copy_rows_apart(conn, rows))
        else:
            readings.copy_rows(conn, rows)
    held.insert(
        conn,
        batch_id,
        [
            held.NewHeld(
                ids[hold.gateway.names],
                hold.gateway.names[0],
                hold.meter,
                hold.channel,
                hold.at_us,
                hold.mantissa,
                hold.exponent,
                hold.revision,
                hold.quality,
                hold.flags,
                hold.reason,
                chunk.received_us,
                topic.decode("utf-8", "replace"),
            )
            for hold in outcome.holds
            for chunk, topic, _, _ in [batch.delivery(hold.delivery)]
        ],
    )
    dead_letters.insert(conn, batch_id, [_letter(batch, rejection, ids) for rejection in outcome.rejections])
    deltas = {ids[names]: delta for names, delta in outcome.deltas().items()}
    for gateway_id, delta in (also or {}).items():
        deltas[gateway_id] = deltas.get(gateway_id, readings.Delta()) + delta
    version = batch.routes.directory.version
    return readings.insert_batch(conn, batch_id, cause, by_whom, version, outcome.rows["measured_at"], deltas)


def _letter(batch: Batch, rejection: Rejection, ids: dict[tuple[str, str], int]) -> dead_letters.NewLetter:
    chunk, topic, payload, retained = batch.delivery(rejection.delivery)
    return dead_letters.NewLetter(
        chunk.received_us,
        topic,
        payload,
        chunk.via,
        retained,
        None if rejection.gateway is None else ids[rejection.gateway.names],
        rejection.reason,
        rejection.detail,
        batch.routes.find(topic).decoder,
        None if rejection.positions is None else tuple(rejection.positions),
        rejection.readings,
    )


def _set_aside(batch: Batch, outcome: Outcome, refused: list[int]) -> None:
    """Make dead letters of rows that the database refuses."""
    if not refused:
        return
    ROWS_REFUSED.inc(len(refused))
    for place in sorted(refused):
        row = outcome.rows[place]
        gateway = outcome.gateways[outcome.row_gateways[place]]
        delivery, position = int(outcome.row_deliveries[place]), int(outcome.row_positions[place])
        value = decimal_text(int(row["mantissa"]), int(row["exponent"]))
        detail = f"channel {row['channel_id']}, {row['measured_at']} µs, {value}"
        batch.reject_row(gateway, delivery, position, RejectReason.REFUSED_BY_DATABASE, detail)
        outcome.stored[outcome.row_gateways[place]] -= 1
        receipt = batch.receipt_at(delivery, position)
        if receipt is not None:
            receipt.rejected += 1
    kept = np.ones(len(outcome.rows), np.bool_)
    kept[refused] = False
    outcome.rows = outcome.rows[kept]
    outcome.row_gateways = outcome.row_gateways[kept]
    outcome.row_deliveries = outcome.row_deliveries[kept]
    outcome.row_positions = outcome.row_positions[kept]
    log.error("the database refused %d rows for their data; they are dead letters now", len(refused))


@dataclass(slots=True)
class _Attempt:
    """A batch on its way, over all tries."""

    batch: Batch
    outcome: Outcome | None = None
    is_apart: bool = False  # the database has refused a row
    # a COMMIT without an answer: the batch's id, its transaction, and its committed_at
    doubt: tuple[int, str, int] | None = None


class Writer:
    """Writes batches over one connection, one after the other; for one thread."""

    def __init__(self, connect: Callable[[], Connection], clock: Clock, current: Registry) -> None:
        self._connect = connect
        self._clock = clock
        self._directory = Directory(current)
        self._conn: Connection | None = None
        self._ids = GatewayIds()
        self._halt = threading.Event()
        self.is_away = False

    def halt(self) -> None:
        """Give up waiting for a database that is away; from any thread."""
        self._halt.set()

    def close(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
            self._conn = None

    def write(self, batch: Batch, events: Sequence[GatewayEvent] = ()) -> Written:
        """Commit a batch, however long the database is away. Raises StoppedError, or what is our own mistake."""
        attempt = _Attempt(batch)
        tries = 0
        while True:
            try:
                committed_us = self._settled(attempt) or self._commit(attempt, events)
                if self.is_away:
                    log.warning("the database is back after %d tries", tries)
                    self.is_away = False
                assert attempt.outcome is not None
                return Written(attempt.batch, attempt.outcome, committed_us)
            except REFUSED as error:
                if attempt.is_apart:
                    raise
                log.warning("a batch was refused for its data, looking for the row: %s", str(error).strip())
                attempt.is_apart = True
            except AWAY as error:
                self.close()
                COMMIT_RETRIES.inc()
                if not self.is_away:
                    log.warning(
                        "the database is away, keeping %d deliveries: %s",
                        batch.deliveries,
                        str(error).strip(),
                    )
                    self.is_away = True
                self._wait(tries)
                tries += 1

    def _wait(self, tries: int) -> None:
        pause_s = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(tries, 10)) * random.uniform(0.5, 1.0)
        if self._halt.wait(pause_s):
            raise StoppedError

    def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = self._connect()
            self._conn.autocommit = True
        return self._conn

    def _settled(self, attempt: _Attempt) -> int | None:
        """committed_at [µs] of a batch whose COMMIT had no answer, if it arrived all the same."""
        if attempt.doubt is None:
            return None
        batch_id, transaction, committed_us = attempt.doubt
        while (state := readings.was_committed(self._connection(), batch_id, transaction)) is None:
            if self._halt.wait(0.1):
                raise StoppedError
        AMBIGUOUS_COMMITS.inc()
        attempt.doubt = None
        return committed_us if state else None

    def _commit(self, attempt: _Attempt, events: Sequence[GatewayEvent]) -> int:
        conn = self._connection()
        if attempt.outcome is None:
            attempt.outcome = attempt.batch.finish(self._clock.now_us())
        ids = self._ids.of(conn, attempt.outcome.names())
        committed_us = 0
        with conn.transaction():
            if attempt.batch.deliveries:
                batch_id, version = readings.open_batch(conn)
                if version != attempt.batch.routes.directory.version:
                    if version != self._directory.version:
                        self._directory = Directory(registry.refresh(conn, self._directory.registry))
                    # Routes are for one thread; the loop's thread takes these over once the batch is committed.
                    attempt.batch = attempt.batch.again(Routes(self._directory, attempt.batch.routes.formats))
                    attempt.outcome = attempt.batch.finish(self._clock.now_us())
                accounts.insert_events(conn, events)
                committed_us, transaction = write_outcome(
                    conn, attempt.batch, attempt.outcome, batch_id, ids, apart=attempt.is_apart
                )
                attempt.doubt = batch_id, transaction, committed_us
            else:
                accounts.insert_events(conn, events)
        attempt.doubt = None
        return committed_us
