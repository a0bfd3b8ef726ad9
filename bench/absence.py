"""Memory while something is away: a backlog waiting at the broker, a database that doesn't answer.

Each case has a server, a database and a broker of its own, since it stops them. The value is the highest memory that
ingest or accounting had until all of it was committed and in the ledger; nothing may be missing there, and nothing be
counted twice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg

from bench.bed import Bed
from bench.fleet import Fleet
from bench.generator import Generator
from bench.load import Sent
from bench.process import forget_peak, memory_mb, wait_for
from bench.report import Row, amount, significant
from bench.rounds import FAILURES
from bench.sizes import IngestSizes
from bench.target import Target
from carbonmeter.settings import Settings
from domain.errors import Unavailable
from storage.database import Connection

BACKLOG, AWAY = "broker-backlog", "database-away"
CASES = (BACKLOG, AWAY)
_CONNECTIONS = 16
_PATIENCE_S = 600.0
_LOAD_S = 2.0  # as long as the load would take if the database stayed: it goes at the beginning

Tell = Callable[[str], None]


def row(case: str, settings: Settings, fleet: Fleet, sizes: IngestSizes, tell: Tell) -> Row:
    """One of CASES; MissingError where this machine has no broker for it."""
    with Bed(replace(settings, database=None)) as bed:
        return (_backlog if case == BACKLOG else _away)(bed, Generator(bed), fleet, sizes, tell)


def _backlog(bed: Bed, generator: Generator, fleet: Fleet, sizes: IngestSizes, tell: Tell) -> Row:
    """Ingest is stopped, the broker fills, ingest comes back."""
    broker = bed.broker()
    target = Target(bed, generator, fleet, broker, accounting=sizes.accountants)
    target.wait_until_ready()
    target.stop_ingest()
    load = target.load(
        through_broker=True,
        connections=_CONNECTIONS,
        messages=-(-sizes.backlog // _CONNECTIONS),
        window=200,
        timeout_s=_PATIENCE_S,
    )
    generator.prepare(load)
    tell(f"{BACKLOG}: {load.readings:,} messages to a broker that nobody reads from")
    generator.send()
    broker_mb = memory_mb(broker.process.pid, "VmRSS")
    before = target.last_commit()
    _forget_peaks(target.pids["accounting"])
    tell(f"{BACKLOG}: ingest comes back")
    began = time.time()
    target.start_ingest()
    target.wait_until_ready()
    commit_no, committed = target.committed(before, load.readings, _PATIENCE_S)
    tell(f"{BACKLOG}: all of it is committed, and the ledger follows")
    accounted = target.accounted(commit_no, _PATIENCE_S)
    target.check_books(load)
    peaks = _peaks(target)
    detail = (
        f"{load.readings:,} messages waited in {amount(broker_mb)} MB of Mosquitto; from the start of ingest they were"
        f" committed in {amount(committed - began)} s and in the ledger in {amount(accounted - began)} s;"
        f" {_said(peaks)}"
    )
    return _row(BACKLOG, peaks, accounted - began, detail)


def _away(bed: Bed, generator: Generator, fleet: Fleet, sizes: IngestSizes, tell: Tell) -> Row:
    """The database goes down in the middle of a load at the endpoint, and stays away."""
    target = Target(bed, generator, fleet, None, accounting=sizes.accountants)
    target.wait_until_ready()
    messages = max(2_000, sizes.backlog // 4 // _CONNECTIONS)
    load = target.load(
        through_broker=False,
        connections=_CONNECTIONS,
        messages=messages,
        window=2_000,
        rate=messages * _CONNECTIONS / _LOAD_S,
        timeout_s=_PATIENCE_S + sizes.away,
    )
    generator.prepare(load)
    before = target.last_commit()
    for pids in target.pids.values():
        _forget_peaks(pids)
    sent: list[Sent | BaseException] = []

    def send() -> None:
        try:
            sent.append(generator.send())
        except FAILURES as error:
            sent.append(error)

    sending = threading.Thread(target=send, name="load")
    sending.start()
    wait_for(lambda: target.last_commit() > before, "nothing was committed", 60)
    with _database_down(bed.folder):
        tell(f"{AWAY}: for {sizes.away:g} s")
        time.sleep(sizes.away)
    back = time.time()
    tell(f"{AWAY}: it is back")
    conn = wait_for(lambda: _reconnected(bed, target.url), "the database isn't back", 60)
    assert conn is not None
    target.conn = conn
    sending.join()
    [answer] = sent
    if isinstance(answer, BaseException):
        raise answer
    # No device has sent anything twice, and a COMMIT whose answer was lost is looked up: so there are no repeats.
    commit_no, _ = target.committed(before, load.readings, _PATIENCE_S)
    accounted = target.accounted(commit_no, _PATIENCE_S)
    target.check_books(load)
    peaks = _peaks(target)
    detail = (
        f"the database away for {sizes.away:g} s under {load.readings:,} messages from {_CONNECTIONS} connections,"
        f" {load.window} in flight each; once it might start again all were acknowledged in"
        f" {amount(answer.ended - back)} s and in the ledger in {amount(accounted - back)} s; {_said(peaks)}"
    )
    return _row(AWAY, peaks, accounted - answer.began, detail)


@contextlib.contextmanager
def _database_down(home: Path) -> Iterator[None]:
    """The embedded server is shut down at once, its keeper held so that it doesn't start another."""
    postmaster = int((home / "postgres/data/postmaster.pid").read_text().splitlines()[0])
    keeper = int(Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGSTOP)
    try:
        os.kill(postmaster, signal.SIGQUIT)
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)


def _reconnected(bed: Bed, url: str) -> Connection | None:
    with contextlib.suppress(Unavailable, psycopg.OperationalError):
        return bed.connect(url)
    return None


def _forget_peaks(pids: list[int]) -> None:
    for pid in pids:
        forget_peak(pid)


def _peaks(target: Target) -> dict[str, float]:
    return {name: max(map(memory_mb, pids)) for name, pids in target.pids.items()}


def _said(peaks: dict[str, float]) -> str:
    return ", ".join(f"{name} at most {amount(mb)} MB" for name, mb in peaks.items())


def _row(case: str, peaks: dict[str, float], seconds: float, detail: str) -> Row:
    most = significant(max(peaks.values()), 4)
    return Row(case, "MB", most, {}, most, significant(seconds), detail)
