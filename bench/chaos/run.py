"""Seeded runs: gateways send numbered readings without end, faults strike, and in the end nothing may be missing.

A run's seed draws its faults, when they come, what the meters show and which messages are sent twice. Runs follow one
another on one server, each with works of its own; every few of them a new server begins.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos import verdict
from bench.chaos.bed import PATIENCE_S, Bed
from bench.chaos.faults import FAULTS, Fault
from bench.chaos.onlooker import Marker, Onlooker
from bench.chaos.senders import ForwardSender, HttpSender, MqttSender, Sender
from bench.chaos.works import GatewayPlan, document
from bench.fleet import uscc
from carbonmeter import audit
from carbonmeter.settings import Settings
from domain.errors import CarbonmeterError, Refused
from storage import registry
from storage.database import connect

RUNS_A_BED = 10
STEPS_MAX = 5_000  # of a gateway in a run: 17 days of readings every five minutes
_PACE_S = 0.05
_BACKLOG_MAX = 400
_DRAIN_S = 120.0
_AT_ONCE = 0.2  # share of the blows that are two faults at once


@dataclass(frozen=True, slots=True)
class Options:
    """runs from `seed` on, `faults` blows in each; the limit for recovery [s]"""

    seed: int = 1
    runs: int = 10
    faults: int = 2
    recovery_s: float = 30.0


@dataclass(slots=True)
class Blow:
    faults: list[str]
    skipped: list[str] = field(default_factory=list)
    recovery_s: float | None = None  # None: it didn't recover, or nothing struck


@dataclass(slots=True)
class Report:
    """What a run did, and what was wrong; `again` runs it alone."""

    seed: int
    blows: list[Blow] = field(default_factory=list)
    gateways: int = 0
    messages: int = 0
    readings: int = 0
    duplicates: int = 0
    samples: int = 0  # of the accounts, at each of which they must balance
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(len(blow.faults) for blow in self.blows)

    @property
    def again(self) -> str:
        return f"carbonmeter verify --chaos --runs 1 --seed {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "again": self.again}


def run(options: Options, say: Callable[[str], None]) -> Iterator[Report]:
    """One report a run. What this machine can't be struck with is said first.

    After a run that found something the next begins on a new server.
    """
    number = 0
    while number < options.runs:
        with Bed() as bed:
            if number == 0:
                for need, why in bed.missing.items():
                    say(f"left out: {need}: {why}")
            first = options.seed + number
            for place in range(min(RUNS_A_BED, options.runs - number)):
                run = Run(bed, options, options.seed + number, place)
                report = run.report()
                number += 1
                if place == RUNS_A_BED - 1 or number == options.runs:
                    report.problems += [
                        f"verify, after the runs from {first} on: {problem}" for problem in run.verify()
                    ]
                yield report
                if report.problems:
                    break


class Run:
    """One run on a bed; `place` is its number there."""

    def __init__(self, bed: Bed, options: Options, seed: int, place: int) -> None:
        self._bed = bed
        self._options = options
        self._chance = random.Random(seed)
        self._report = Report(seed)
        self._park = f"CHAOS-{place + 1}"
        self._plans = self._make_plans(seed, place)
        self._onlooker = Onlooker(bed.url)
        self._offering = threading.Lock()
        self._stop = threading.Event()

    def _make_plans(self, seed: int, place: int) -> list[GatewayPlan]:
        """Two works; through a broker and over HTTP a message is one with a number, so that it has its receipt."""
        codes = uscc(2 * place + 1), uscc(2 * place + 2)
        count = 6 if self._bed.broker is not None else 4
        return [
            GatewayPlan(
                codes[number % 2], f"gw{number}", number, seed, has_singles=number <= 3, has_torn=number <= 4
            )
            for number in range(1, count + 1)
        ]

    def report(self) -> Report:
        began = time.monotonic()
        bed = self._bed
        with contextlib.ExitStack() as stack:
            stack.callback(self._onlooker.close)
            try:
                self._prepare()
                self._senders = self._start_senders(stack)
                watching = [
                    threading.Thread(target=self._feed, name="feed"),
                    threading.Thread(target=self._watch, name="watch"),
                ]
                for thread in watching:
                    thread.start()
                try:
                    self._recovers()
                    for _ in range(self._options.faults):
                        self._blow()
                finally:
                    self._stop.set()
                    for thread in watching:
                        thread.join()
                self._drain()
                self._judge()
            except (CarbonmeterError, AssertionError, OSError) as error:
                self._report.problems.append(f"{type(error).__name__}: {error}"[:2000])
            except BaseException:
                self._stop.set()
                raise
        report = self._report
        report.gateways = len(self._plans)
        report.readings = sum(plan.readings for plan in self._plans)
        report.seconds = time.monotonic() - began
        if report.problems:
            report.problems.append(f"the server said: {bed.server.tail()}")
        return report

    def _prepare(self) -> None:
        with connect(self._bed.url, "carbonmeter chaos") as conn:
            registry.import_document(conn, document(self._plans, self._park), "chaos", "chaos")
            conn.commit()
        if self._bed.broker is not None:
            self._wait(
                lambda: bool(
                    self._onlooker.ask(
                        "SELECT coalesce(bool_or((detail->'broker'->>'connected')::bool), false)"
                        " FROM services WHERE name = 'ingest'"
                    )
                ),
                "ingest isn't subscribed at the broker",
                PATIENCE_S,
            )

    def _start_senders(self, stack: contextlib.ExitStack) -> list[Sender]:
        bed, plans = self._bed, self._plans
        port = bed.endpoint.port
        twice = self._chance.choice((0.0, 0.02, 0.2))
        folder = Path(bed.folder / f"spools-{self._park}")
        folder.mkdir()
        senders: list[Sender] = [
            MqttSender(plans[0], port, 5, twice=twice),
            MqttSender(plans[1], port, 4, twice=twice),
            ForwardSender(plans[2], port, folder),
            HttpSender(plans[3], bed.http_port, bed.key),
        ]
        if bed.broker is not None:
            port = bed.broker.to_gateways.port
            senders += [
                MqttSender(plan, port, version, through_broker=True, by_receipt=True, twice=twice)
                for plan, version in zip(plans[4:], (5, 4), strict=True)
            ]
        for sender in senders:
            stack.callback(sender.close)
        return senders

    def verify(self) -> list[str]:
        """What `carbonmeter verify` finds on the server, of this run and those before it."""
        bed = self._bed
        settings = Settings(home=bed.home, database=bed.url)
        checks = audit.run(bed.url, settings.accounting(bed.url), lambda _: None)
        return [f"{check.name}: {check.shown}" for check in checks if check.faults]

    # What goes on all the while

    def _offer(self, steps: int) -> list[Marker]:
        """Further readings for every gateway; the newest of each."""
        newest = []
        with self._offering:
            for sender in self._senders:
                plan = sender.plan
                messages = plan.next_messages(steps)
                self._report.messages += len(messages)
                meter, at = max(message.marker for message in messages if message.marker is not None)
                newest.append((plan.uscc, meter, at))
                sender.offer(messages)
        return newest

    def _feed(self) -> None:
        while not self._stop.wait(_PACE_S):
            with self._offering:
                is_full = any(
                    sender.backlog > _BACKLOG_MAX or sender.plan.steps > STEPS_MAX for sender in self._senders
                )
            if not is_full:
                self._offer(2)

    def _watch(self) -> None:
        """Ask the API for every account: each must balance whenever it answers."""
        while not self._stop.wait(0.1):
            for plan in self._plans:
                has_answered, fault = verdict.account_fault(self._bed.client, plan)
                self._report.samples += has_answered
                if fault is not None:
                    self._report.problems.append(fault)

    # Blows and recovery

    def _blow(self) -> None:
        """Draws are the same on every machine; what can't be done on this one is left out, and said."""
        chance = self._chance
        drawn = chance.sample(FAULTS, 2 if chance.random() < _AT_ONCE else 1)
        seeds = [chance.random() for _ in drawn]
        struck = [fault for fault in drawn if fault.needs not in self._bed.missing]
        blow = Blow(
            [fault.name for fault in struck],
            [fault.name for fault in drawn if fault not in struck],
        )
        self._report.blows.append(blow)
        time.sleep(chance.uniform(0.0, 0.3))
        if not struck:
            return
        failures: list[BaseException] = []

        def strike(fault: Fault, seed: float) -> None:
            try:
                fault.strike(self._bed, random.Random(seed))
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=strike, args=(fault, seeds[drawn.index(fault)]), name=fault.name)
            for fault in struck
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        try:
            blow.recovery_s = self._recovers()
        except Refused as error:
            raise Refused(f"after {' and '.join(blow.faults)}: {error}") from error

    def _recovers(self) -> float:
        """From now: every gateway's next readings are acknowledged and stored, the ledger follows, all is ready [s]."""
        began = time.monotonic()
        newest = self._offer(3)
        marks = [(sender, sender.acknowledged + sender.pending) for sender in self._senders]

        def wait(condition: Callable[[], bool], what: str) -> None:
            left = began + self._options.recovery_s - time.monotonic()
            self._wait(condition, f"{what}: not within {self._options.recovery_s:g} s", max(0.0, left))

        for sender, mark in marks:
            wait(
                lambda sender=sender, mark=mark: sender.acknowledged >= mark,  # type: ignore[misc]
                f"{sender.plan.gateway} is acknowledged again",
            )
        for marker in newest:
            wait(
                lambda marker=marker: self._onlooker.logged([marker]) == 1,  # type: ignore[misc]
                f"the acknowledged reading {marker} is stored",
            )
        commit_no = self._onlooker.last_commit()
        wait(lambda: self._onlooker.follows(commit_no), "the ledger follows")
        wait(self._bed.is_ready, "the server is ready")
        return time.monotonic() - began

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                waiting = {sender.plan.gateway: sender.backlog for sender in self._senders}
                raise Refused(f"{what} (messages open: {waiting})")
            time.sleep(0.02)

    # The end

    def _drain(self) -> None:
        for sender in self._senders:
            self._wait(
                lambda sender=sender: sender.pending == 0,  # type: ignore[misc]
                f"{sender.plan.gateway} isn't acknowledged whole",
                _DRAIN_S,
            )

    def _judge(self) -> None:
        """The verdict, once nothing moves: what a broker still repeats may come in between."""
        deadline = time.monotonic() + _DRAIN_S
        while True:
            before = self._onlooker.last_commit()
            self._wait(lambda: self._onlooker.follows(before), "the ledger is behind", _DRAIN_S)  # noqa: B023
            with connect(self._bed.url, "carbonmeter chaos") as conn:
                found = verdict.faults(conn, self._bed.client, self._senders, self._park)
            if not found or self._onlooker.last_commit() == before or time.monotonic() > deadline:
                break
        self._report.problems += found
        self._report.duplicates = sum(
            verdict.account_of(self._bed.client, plan)["duplicates"] for plan in self._plans
        )
