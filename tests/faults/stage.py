"""A whole server under gateways that never stop, and the moments at which it is struck.

A process is first frozen (SIGSTOP); then there is time to look whether the moment is the right one: a batch
committed and not acknowledged, a transaction open. If it is, the blow falls; if not, the process goes on and the next
moment is tried. So each blow hits what it is meant for, on fast machines and on slow ones.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos import verdict
from bench.chaos.onlooker import Onlooker
from bench.chaos.senders import MqttSender, Sender
from bench.chaos.works import document
from carbonmeter import audit
from carbonmeter.client import Client
from carbonmeter.settings import Settings
from domain.errors import CarbonmeterError
from storage import registry
from storage.database import connect
from tests.servers import CarbonmeterServer, wait_for

RECOVERY_S = 30.0
PATIENCE_S = 60.0
MOMENT_S = 30.0  # how long the right moment is looked for: some hundred tries, of which one in ten is right
PARK = "CHAOS"
STEPS = 60  # that each gateway is given at a time

# a transaction that has rows in the table, whatever its session does just now
_OPEN = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = %s::regclass AND mode = 'RowExclusiveLock' AND application_name = %s
"""
# sessions that work for themselves, not waiting for the word of their client
_AT_WORK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = %s AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'
"""


@dataclass
class Stage:
    """The server, its database and its gateways.

    restart_database  stops the database at once, without a checkpoint; returns once its processes are gone, and a
                      function that waits until it is back
    """

    server: CarbonmeterServer
    database_url: str
    key: str
    seed: int
    senders: Sequence[Sender]
    restart_database: Callable[[], Callable[[], None]]
    story: list[str] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._onlooker = Onlooker(self.database_url)
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        self.story.append(f"{time.monotonic() - self._began:6.2f} s  {text}")

    @property
    def client(self) -> Client:
        return Client(self.server.http_url, self.key)

    # The database, as an onlooker sees it

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of a query, however often the database goes away meanwhile."""
        return self._onlooker.ask(query, parameters)

    def close(self) -> None:
        self._onlooker.close()

    # Traffic

    @property
    def acknowledged(self) -> int:
        return sum(sender.acknowledged for sender in self.senders)

    @property
    def pending(self) -> int:
        return sum(sender.pending for sender in self.senders)

    @property
    def backlog(self) -> int:
        return sum(sender.backlog for sender in self.senders)

    def feed(self, steps: int = STEPS) -> None:
        """Give each gateway that has little left further readings."""
        for sender in self.senders:
            if sender.backlog < 2 * steps:
                sender.offer(sender.plan.next_messages(steps))

    # Processes

    def pid(self, service: str) -> int:
        """Process id of a service, once it runs."""

        def running() -> int | None:
            for pid in self.server.children():
                with contextlib.suppress(OSError):
                    if (
                        Path(f"/proc/{pid}/cmdline")
                        .read_bytes()
                        .rstrip(b"\0")
                        .endswith(b"\0" + service.encode())
                    ):
                        return pid
            return None

        pid: int = wait_for(running, PATIENCE_S, f"{service} doesn't run: {self.server.text[-3000:]}")
        return pid

    @contextlib.contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: all(state in "TtZX" for state in _states(pid)), PATIENCE_S)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _strike(
        self,
        what: str,
        service: str,
        application: str,
        is_ripe: Callable[[], bool],
        is_hit: Callable[[], bool],
    ) -> Iterator[int]:
        """Freeze the service at moments that look ripe until one is right; then yields its pid, frozen, once.

        Where the right moment never comes, the last one has to do: what then is lost tells more than its absence.
        """
        tries = 0
        deadline = time.monotonic() + MOMENT_S
        for sender in self.senders:
            sender.begin()
        while True:
            self.feed()
            pid = self.pid(service)
            is_late = time.monotonic() > deadline
            if not is_ripe() and not is_late:
                continue
            with self.frozen(pid):
                tries += 1
                # What it had asked of the database comes to its end, as it would without its client.
                wait_for(lambda: self.ask(_AT_WORK, [application]) == 0, PATIENCE_S)
                is_right = is_hit()
                if is_right or is_late:
                    self.hits[what] = self.hits.get(what, 0) + is_right
                    when = f"at try {tries}" if is_right else f"at the wrong moment after {tries} tries"
                    self.tell(f"{what}, {when}, {self.backlog} messages open")
                    yield pid
                    return

    # Blows

    def kill_ingest_before_it_acknowledges(self) -> None:
        """SIGKILL while a batch is committed and its acknowledgements aren't sent."""
        last = [self.ask("SELECT coalesce(max(commit_no), 0) FROM batches")]

        def is_ripe() -> bool:
            now = self.ask("SELECT coalesce(max(commit_no), 0) FROM batches")
            last[0], was = now, last[0]
            return bool(now > was)

        for pid in self._strike(
            "ingest killed between commit and acknowledgement",
            "ingest",
            "carbonmeter ingest",
            is_ripe,
            self._is_unacknowledged,
        ):
            os.kill(pid, signal.SIGKILL)

    def _is_unacknowledged(self) -> bool:
        """Whether the log has readings whose messages were sent but once and aren't acknowledged."""
        raw = [sender for sender in self.senders if isinstance(sender, MqttSender)]
        looks = [sender.quiet for sender in raw]
        # two looks that found nothing: the second began after the freeze
        wait_for(
            lambda: all(sender.quiet > look + 1 for sender, look in zip(raw, looks, strict=True)), PATIENCE_S
        )
        markers = [(sender.plan.uscc, *marker) for sender in raw for marker in sender.open_markers()]
        return self._onlooker.logged(markers) > 0

    def kill_accounting_mid_transaction(self) -> None:
        """SIGKILL while it has written into the books and hasn't committed."""
        application = "carbonmeter accounting"

        def is_open() -> bool:
            return bool(self.ask(_OPEN, ["channel_days", application]))

        for pid in self._strike(
            "accounting killed in a transaction", "accounting", application, is_open, is_open
        ):
            os.kill(pid, signal.SIGKILL)

    def restart_database_mid_batch(self) -> None:
        """The database goes down without a word while a batch is half written, and comes back."""
        application = "carbonmeter ingest"

        def is_open() -> bool:
            return bool(self.ask(_OPEN, ["readings", application]))

        for _ in self._strike("database stopped within a batch", "ingest", application, is_open, is_open):
            self.close()
            is_back = self.restart_database()
        is_back()
        self.tell("the database is back")

    def kill_api(self) -> None:
        os.kill(self.pid("api"), signal.SIGKILL)
        self.tell("API killed")

    def cut_lines(self) -> None:
        """Every connection of the gateways, with messages on their way."""
        before = self.acknowledged
        self.feed()
        wait_for(lambda: self.acknowledged > before, PATIENCE_S)
        for sender in self.senders:
            sender.cut()
        self.tell(f"connections cut, {self.backlog} messages open")

    # Recovery

    def recovers(self, seconds: float = RECOVERY_S) -> None:
        """From now: each gateway's next readings are stored and acknowledged, the ledger follows, the API is ready."""
        began = time.monotonic()
        deadline = began + seconds
        newest = []
        for sender in self.senders:
            messages = sender.plan.next_messages(STEPS)
            meter, at = max(message.marker for message in messages if message.marker is not None)
            newest.append((sender.plan.uscc, meter, at))
            sender.offer(messages)
        before = [sender.acknowledged + sender.pending for sender in self.senders]

        def wait(condition: Callable[[], bool], what: str) -> None:
            left = deadline - time.monotonic()
            assert left > 0, f"{what}: not within {seconds} s\n{self.report()}"
            wait_for(condition, left, f"{what}: not within {seconds} s\n{self.report()}")

        wait(
            lambda: all(
                sender.acknowledged >= mark for sender, mark in zip(self.senders, before, strict=True)
            ),
            "gateways are acknowledged again",
        )
        wait(
            lambda: self._onlooker.logged(newest) == len(newest), "each gateway's newest readings are stored"
        )
        commit_no = self.ask("SELECT coalesce(max(commit_no), 0) FROM batches")
        wait(lambda: bool(self.ask("SELECT min(commit_no) FROM cursors") >= commit_no), "the ledger follows")
        wait(self._is_ready, "the server says that it is ready")
        self.tell(f"recovered within {time.monotonic() - began:.1f} s")

    def _is_ready(self) -> bool:
        try:
            self.client.get("/v1/health/ready")
        except CarbonmeterError:
            return False
        return True

    def drain(self) -> None:
        """All is acknowledged and accounted."""
        wait_for(lambda: self.pending == 0, 120, "not everything is acknowledged")
        last = self.ask("SELECT max(commit_no) FROM batches")
        wait_for(lambda: self.ask("SELECT min(commit_no) FROM cursors") >= last, 120, "the ledger is behind")

    def report(self) -> str:
        waiting = {sender.plan.gateway: sender.backlog for sender in self.senders}
        return "\n".join([*self.story, f"open: {waiting}", self.server.text[-4000:]])


def _states(pid: int) -> list[str]:
    """States of a process's threads; Z where it is gone."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            found.append(task.read_text().rpartition(")")[2].split()[0])
    return found or ["Z"]


class Watch:
    """Asks the API for every account, all the while: each must balance whenever it answers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = threading.Event()
        self.looks = 0
        self.faults: list[str] = []
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for sender in self._stage.senders:
                has_answered, fault = verdict.account_fault(self._stage.client, sender.plan)
                self.looks += has_answered
                if fault is not None:
                    self.faults.append(fault)


def register(database_url: str, plans: list[Any]) -> None:
    """Import the gateways' registry."""
    with connect(database_url, "test") as conn, conn.transaction():
        registry.import_document(conn, document(plans, PARK), "test")


def check(stage: Stage) -> None:
    """All of it; the story of the run comes with what fails."""
    try:
        with connect(stage.database_url, "test") as conn:
            assert verdict.faults(conn, stage.client, stage.senders, PARK) == []
        settings = Settings(home=Path("/nonexistent"), database=stage.database_url)
        checks = list(audit.run(stage.database_url, settings.accounting(stage.database_url), lambda _: None))
        assert {each.promise for each in checks} == {1, 2, 3, 4, 5}
        assert [(each.name, each.shown) for each in checks if each.faults] == []
        for each in checks:
            stage.tell(f"promise {each.promise}: {each.name}: {each.compared} compared")
    except AssertionError as error:
        error.add_note(stage.report())
        raise
