"""The process that tells others: it appends to the evidence log and signs it, and hands on what changed.

Each of its works has a thread and a connection of its own and waits for a database that is away. None is in the way of
ingest or accounting: they read what is committed. Several publishers may run; advisory locks see to it that one works.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from api.settings import ApiSettings
from carbonmeter.publication import Grader
from carbonmeter.signing_keys import SigningKeys
from domain.errors import CarbonmeterError, Refused, Unavailable
from storage import changes, evidence, services
from storage.database import Connection, connect

log = logging.getLogger("carbonmeter.publisher")

BEAT_S = 1.0
IDLE_S = 0.5
CHANGES_S = 0.25
CHECKPOINT_S = 5.0  # between two, at least: as long a proof may have to wait
REST = (
    4.0  # after a page of the log it rests so many times as long as that took, so that ingest has the machine
)


class Notary:
    """Keeps the evidence log: `step` does what is due."""

    def __init__(self, conn: Connection, keys: SigningKeys, seen: Path) -> None:
        """seen  where the newest checkpoint is remembered beside the key, to notice a database that was set back"""
        self._conn = conn
        self._keys = keys
        self._seen = seen
        self._signed = float("-inf")

    def step(self) -> float:
        """One page of the log, and a checkpoint where one is due; how long to rest then [s]."""
        began = time.monotonic()
        done = evidence.append(self._conn)
        took = time.monotonic() - began
        if time.monotonic() - self._signed >= CHECKPOINT_S:
            self._sign()
        return took * REST if done.is_more else IDLE_S

    def _sign(self) -> None:
        with self._conn.transaction():
            self._continues()
            signed = evidence.sign(self._conn, self._keys)
        if signed is not None:
            self._signed = time.monotonic()
            fresh = self._seen.with_suffix(".new")
            fresh.write_text(f"{evidence.origin(self._conn)}\n{signed.size}\n{signed.root.hex()}\n", "utf-8")
            fresh.replace(self._seen)

    def _continues(self) -> None:
        """Refuse to sign a log that doesn't continue the one that was signed last: two histories would be out."""
        try:
            origin, size, root = self._seen.read_text("utf-8").split()
        except FileNotFoundError:
            return
        if origin != evidence.origin(self._conn):
            return  # another log, by its name
        if evidence.size(self._conn) < int(size) or evidence.root(self._conn, int(size)).hex() != root:
            raise Refused(
                f"the evidence log isn't a continuation of the checkpoint of {size} leaves that was signed before: the"
                " database was set back or changed. Nothing is signed; restore it to its newest state, or begin another"
                " log with `carbonmeter evidence restart`"
            )


class Teller:
    """Numbers the changes that were announced."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def step(self) -> float:
        return 0.0 if changes.publish(self._conn) >= changes.PAGE else CHANGES_S


def main(settings: ApiSettings, keys: SigningKeys, folder: Path, stop: threading.Event) -> None:
    """Work until told to stop, on the database of these settings."""
    database_url = settings.database
    seen = folder / "checkpoint"

    def notary(conn: Connection) -> Callable[[], float]:
        return Notary(conn, keys, seen).step

    grader = Grader(settings, keys)
    works: dict[str, Callable[[Connection], Callable[[], float]]] = {
        "evidence": notary,
        "changes": lambda conn: Teller(conn).step,
        "grades": lambda _conn: grader.step,
    }
    workers = [
        threading.Thread(target=_work, args=(name, database_url, begin, stop), name=name)
        for name, begin in works.items()
    ]
    with grader:
        for worker in workers:
            worker.start()
        _beat(database_url, stop)
        for worker in workers:
            worker.join()


def _work(
    name: str, database_url: str, begin: Callable[[Connection], Callable[[], float]], stop: threading.Event
) -> None:
    """Do steps until told to stop; what fails is told once and tried again."""
    told = ""
    while not stop.is_set():
        try:
            with connect(database_url, f"carbonmeter {name}", autocommit=True) as conn:
                step = begin(conn)
                while not stop.wait(step()):
                    told = ""
        except (CarbonmeterError, psycopg.Error, OSError) as error:
            text = f"{name}: {str(error).strip()}"
            if text != told:
                log.log(logging.WARNING if isinstance(error, _AWAY) else logging.ERROR, "%s", text)
                told = text
            stop.wait(2.0)


_AWAY = (Unavailable, psycopg.OperationalError)


def _beat(database_url: str, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            with connect(database_url, "carbonmeter publisher", autocommit=True) as conn:
                while not stop.is_set():
                    services.beat(conn, "publisher", ready=True)
                    stop.wait(BEAT_S)
                services.leave(conn, "publisher")
        except (Unavailable, psycopg.OperationalError) as error:
            log.debug("beats wait for the database: %s", error)
            stop.wait(BEAT_S)
