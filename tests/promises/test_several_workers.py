"""Promises 1, 2 and 4 with several workers of accounting: one ledger, however many there are, and a past that stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_until_done
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import psycopg
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.channel import Rules
from accounting.run import Accountant
from accounting.settings import AccountingSettings
from api.app import create_app
from api.settings import ApiSettings
from domain.ledger import shard_of
from storage import consumption, keys
from storage.database import Connection
from storage.keys import Scope
from storage.ledger import take_shard
from tests.accounting.bed import T0, USCC, Bed, Sent, one_register
from tests.promises.random_registries import Works, works
from tests.promises.test_random_registries import CLOCK, LIBRARY, SECOND, WALKED, books_of
from tests.servers import Database, DatabaseServer, wait_for

OTHERS = (SECOND, "91430304XT00000306", "91430304XT00000493")
QUARTER_US = 900_000_000


class Stage(NamedTuple):
    """Some more readings, accounted by so many workers, one of which may be killed in a tick."""

    workers: int
    kills: bool


STAGES = st.lists(st.builds(Stage, st.integers(1, 3), st.booleans()), min_size=2, max_size=3)


@settings(max_examples=5, **WALKED)
@given(first=works(), second=works(), stages=STAGES)
def test_however_many_workers_account_the_ledger_is_one(
    plain_server: DatabaseServer, first: Works, second: Works, stages: list[Stage]
) -> None:
    """Their number changes from stage to stage, a worker dies in a tick, the registry is corrected on the way."""
    others = [{**second.final, "uscc": uscc} for uscc in OTHERS]
    with plain_server.database() as straight, straight.connect() as conn:
        bed = Bed(conn)
        bed.register(first.final, *others)
        bed.store(first.readings)
        for uscc in OTHERS:
            bed.store(second.readings, uscc)
        bed.tick()
        expected = books_of(conn)
    with plain_server.database() as shared, shared.connect() as conn:
        bed = Bed(conn)
        bed.register(first.earlier, *others)
        owners = conn.execute("SELECT id FROM enterprises WHERE uscc <> ''").fetchall()
        assert len({shard_of(id_) for (id_,) in owners}) == 1 + len(OTHERS)  # else this would test little
        for number, stage in enumerate(stages):
            if number == len(stages) - 1:
                bed.register(first.final)
            store_part(bed, first.readings, USCC, number, len(stages))
            for uscc in OTHERS:
                store_part(bed, second.readings, uscc, number, len(stages))
            account(shared, stage)
            assert consumption.accounted_commit(conn) == consumption.newest_commit(conn)
            conn.commit()
        assert books_of(conn) == expected
        duplicates = conn.execute(
            """SELECT count(*) FROM (SELECT source_id, day, series FROM ledger_days GROUP BY 1, 2, 3
                                     HAVING count(*) > 1) AS t"""
        ).fetchone()
        assert duplicates == (0,)


def store_part(bed: Bed, readings: Sequence[Sent], uscc: str, number: int, parts: int) -> None:
    some = list(readings)[number::parts]
    if some:
        bed.store(some, uscc)


def account(database: Database, stage: Stage) -> None:
    """Account all that there is; who was killed is started again, as a supervisor does."""
    with ThreadPoolExecutor(stage.workers) as pool, database.connect() as holder:
        if stage.kills:
            holder.execute("LOCK TABLE consumption_days IN SHARE MODE")  # who writes there waits, in its tick
        running = [pool.submit(work, database, place, stage.workers) for place in range(stage.workers)]
        if stage.kills:
            kill_one(holder, running)
        holder.rollback()
        for place, each in enumerate(running):
            try:
                each.result()
            except psycopg.errors.AdminShutdown:
                work(database, place, stage.workers)


def work(database: Database, place: int, workers: int, stop: threading.Event | None = None) -> None:
    """One worker, until there is nothing more to do, or until told to stop."""
    shards = AccountingSettings("", workers=workers, place=place).shards
    with database.connect() as conn:
        for shard in shards:
            wait_for(partial(take_shard, conn, shard))
        conn.commit()
        accountant = Accountant(conn, LIBRARY, Rules(), shards)
        while accountant.tick() is not None or (stop is not None and not stop.wait(0.002)):
            pass


def kill_one(holder: Connection, running: Sequence[Future[None]]) -> None:
    """End the connection of a worker that waits within its tick, if one comes there at all."""

    def waiting() -> Any:
        found = holder.execute(
            "SELECT pid FROM pg_locks WHERE relation = 'consumption_days'::regclass AND NOT granted LIMIT 1"
        ).fetchone()
        return found or (all(each.done() for each in running) and (None,))

    (pid,) = wait_for(waiting)
    if pid is not None:
        holder.execute("SELECT pg_terminate_backend(%s)", [pid])


@contextmanager
def at_work(database: Database, workers: int) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(work, database, place, workers, stop) for place in range(workers)]
        try:
            yield
        finally:
            stop.set()
            wait_until_done(running)
    for each in running:
        each.result()


def test_what_was_read_as_of_a_moment_stays_while_two_workers_run(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        bed = Bed(conn)
        usccs = [USCC, *OTHERS]
        bed.register(*({**one_register(), "uscc": uscc} for uscc in usccs))
        key, _ = keys.create(conn, [Scope.EMISSIONS_READ], [], "")
        conn.commit()
        app = create_app(ApiSettings(plain_database.url, connections_max=4), CLOCK, LIBRARY)
        told: list[tuple[str, Any]] = []
        with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:

            def ask(as_of: str) -> Any:
                span = {"from": "2023-03-01T00:00:00+08:00", "to": "2023-03-02T00:00:00+08:00"}
                response = client.get(
                    "/v1/districts/430300/emissions", params={**span, "granularity": "15m", "as_of": as_of}
                )
                assert response.status_code == 200, response.text
                return [item["co2e_kg"] for item in response.json()["items"]]

            with at_work(plain_database, 2):
                for number in range(24):
                    for uscc in usccs:
                        bed.store([Sent(T0 + number * QUARTER_US, 100 + number * 10)], uscc)
                    for _ in range(3):
                        (now,) = conn.execute("SELECT clock_timestamp()").fetchone() or (None,)
                        conn.commit()
                        assert isinstance(now, datetime)
                        told.append((now.isoformat(), ask(now.isoformat())))
                wait_for(lambda: at_the_end(conn))
            for as_of, answer in told:
                assert ask(as_of) == answer, as_of
        masks = conn.execute("SELECT DISTINCT shards FROM runs").fetchall()
        assert len(masks) >= 2  # both workers wrote
        assert len({str(answer) for _, answer in told}) > 2  # the books moved on meanwhile


def at_the_end(conn: Connection) -> bool:
    done = consumption.accounted_commit(conn) == consumption.newest_commit(conn)
    conn.commit()
    return done


def test_a_shard_has_one_worker(plain_database: Database) -> None:
    with plain_database.connect() as first, plain_database.connect() as second:
        assert take_shard(first, 3)
        assert not take_shard(second, 3)
        assert take_shard(second, 4)
        first.close()
        deadline = time.monotonic() + 30
        while not take_shard(second, 3):
            assert time.monotonic() < deadline
            second.commit()


def test_shards_that_others_left_at_different_places_meet_again(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        bed = Bed(conn)
        usccs = [USCC, *OTHERS]
        bed.register(*({**one_register(), "uscc": uscc} for uscc in usccs))

        def store(number: int) -> None:
            for uscc in usccs:
                bed.store([Sent(T0 + number * QUARTER_US, 100 + number * 10)], uscc)

        def cursors() -> set[Any]:
            return set(conn.execute("SELECT commit_no, registry_version FROM cursors").fetchall())

        def tick(*shards: int) -> None:
            accountant = Accountant(conn, LIBRARY, Rules(), shards)
            while accountant.tick() is not None:
                pass

        store(0)
        tick(1, 2)
        store(1)
        bed.register({**one_register(), "name_en": "Another"})
        tick(2, 3)
        store(2)
        assert len(cursors()) == 3  # 1 behind 2 and 3; the others at the beginning
        tick(*range(16))
        assert len(cursors()) == 1
        known = conn.execute("SELECT source_id, sum(known) FROM ledger_days GROUP BY 1").fetchall()
        assert sorted(count for _, count in known) == [2, 2, 2, 2]
