"""Workers of accounting as processes: each under its own name, waiting for what another keeps, back when killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from carbonmeter.settings import load
from domain.errors import SettingsError
from storage import consumption
from storage.database import Connection
from storage.ledger import take_shard
from storage.services import Service, services
from tests.accounting.bed import T0, USCC, Bed, Sent, one_register
from tests.servers import CarbonmeterServer, Database, wait_for

OTHER = "91430304XT0000022B"
QUARTER_US = 900_000_000


def test_two_workers_share_the_books_and_one_that_is_killed_comes_back(
    plain_database: Database, tmp_path: Path
) -> None:
    with plain_database.connect() as conn, plain_database.connect() as holder:
        bed = Bed(conn)
        bed.register(one_register(), {**one_register(), "uscc": OTHER})
        assert take_shard(holder, 3)  # as a worker would that is still running somewhere
        with CarbonmeterServer(
            plain_database, tmp_path / "home", "accounting", CARBONMETER_ACCOUNTING_WORKERS="2"
        ) as server:
            told = "accounting-2 waits for shard 3, whose books another process keeps"
            wait_for(lambda: told in server.text, 240)
            beats = wait_for(lambda: len(running(conn)) == 2 and running(conn), 60)
            assert not beats["accounting-2"].ready
            assert beats["accounting-2"].detail == {"waits_for_shard": 3}
            assert "carbonmeter: ready" not in server.text
            holder.close()
            server.wait_until_ready()
            beats = wait_for(lambda: all(each.ready for each in running(conn).values()) and running(conn))
            assert beats["accounting-1"].detail["shards"] == list(range(0, 16, 2))
            assert beats["accounting-2"].detail["shards"] == list(range(1, 16, 2))
            store(bed, 0)
            wait_for(lambda: done(conn), 60)

            killed = beats["accounting-1"].pid
            os.kill(killed, signal.SIGKILL)
            store(bed, 1)
            wait_for(lambda: done(conn), 240)
            assert "accounting-1 ended by SIGKILL" in server.text
            assert running(conn)["accounting-1"].pid != killed
            assert server.stop() == 0
        wait_for(lambda: running(conn) == {}, 30)  # the killed one's last beat gets old
        # another number of workers goes on where these were
        store(bed, 2)
        bed.tick()
        assert known(bed.conn) == {USCC: 2, OTHER: 2}


def running(conn: Connection) -> dict[str, Service]:
    """The services heard of lately; of those killed and started again the new one."""
    found = {each.name: each for each in sorted(services(conn), key=lambda each: each.beat_at) if each.fresh}
    conn.commit()
    return found


def store(bed: Bed, number: int) -> None:
    for uscc in (USCC, OTHER):
        bed.store([Sent(T0 + number * QUARTER_US, 100 + number * 10)], uscc)


def done(conn: Connection) -> bool:
    is_done = consumption.accounted_commit(conn) == consumption.newest_commit(conn)
    conn.commit()
    return is_done


def known(conn: Connection) -> dict[str, Any]:
    """Known entries of each enterprise."""
    rows = conn.execute(
        """SELECT e.uscc, sum(d.known) FROM ledger_days d JOIN enterprises e ON e.id = d.enterprise_id GROUP BY 1"""
    ).fetchall()
    return dict(rows)


@pytest.mark.parametrize("text", ["0", "17", "-1", "two", "1.5", "٢"])
def test_a_number_of_workers_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"CARBONMETER_ACCOUNTING_WORKERS.*expected a number from 1 to 16"
    ):
        load({"CARBONMETER_ACCOUNTING_WORKERS": text})


@pytest.mark.parametrize("workers", range(1, 17))
def test_every_shard_has_one_worker(workers: int) -> None:
    settings = load({"CARBONMETER_ACCOUNTING_WORKERS": str(workers)})
    own = [settings.accounting("", place) for place in range(workers)]
    assert sorted(shard for each in own for shard in each.shards) == list(range(16))
    names = [each.name for each in own]
    assert len(set(names)) == workers
    assert settings.api("").needed_services == ("ingest", *names)
