"""`carbonmeter bench ingest`: from packets on a socket to committed rows and their acknowledgement.

Ours: the services as `carbonmeter serve` runs them, at the endpoint and through Mosquitto, with accounting and
without. Beside them, in the same rounds: binary COPY of such rows with nothing before it, a reader that only
acknowledges what the broker sends, and mq-bridge. A reading counts once its message's PUBACK is here (at the
endpoint), its row is committed (through the broker, which answers its publishers before that), or the ledger has it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from bench import absence, scale
from bench.bed import Bed, Broker, MissingError
from bench.churn import Churned
from bench.contenders import Bridge, Case, Copy, Reader, Shape, wait_until_quiet
from bench.fleet import STEP_US, STEPS_MAX, Fleet
from bench.generator import Generator
from bench.process import Memory, memory_mb
from bench.report import FAILED, Row, Turn, amount, median, row_of, significant
from bench.rounds import FAILURES, Contender, Results, interleaved
from bench.sizes import IngestSizes
from bench.target import Meter, Target
from carbonmeter.settings import Settings
from domain.clock import SystemClock
from domain.errors import Refused

SHAPES = {
    "broker-single": Shape(16, 200, through_broker=True),
    "endpoint-16": Shape(16, 2_500, guess=100_000),
    "endpoint-2000": Shape(2_000, 20, guess=100_000),
    "endpoint-2000-one": Shape(2_000, 1, guess=20_000),
    "broker-packed": Shape(16, 20, through_broker=True, packed=True, guess=200_000),
    "endpoint-packed": Shape(16, 60, packed=True, guess=200_000),
}
WITH_ACCOUNTING = {
    "accounting-single": Shape(16, 200, through_broker=True),
    "accounting-packed": Shape(16, 20, through_broker=True, packed=True, guess=100_000),
}
# Time to PUBACK, and how far the ledger is behind, at half the speed that the case on the right reached.
AT_HALF = {
    "endpoint-16-puback": "endpoint-16",
    "endpoint-2000-puback": "endpoint-2000",
    "accounting-single-lag": "accounting-single",
    "accounting-packed-lag": "accounting-packed",
}
# At readings a second that don't follow from what was measured, for as long as is asked for.
SUSTAINED = {
    "sustained-single": ("accounting-single", 25_000.0),
    "sustained-packed": ("accounting-packed", 150_000.0),
}
IDLE, CHURN = "endpoint-idle", "endpoint-churn"
APART = (*scale.CASES, *absence.CASES)  # with servers of their own
CASES = (*SHAPES, *WITH_ACCOUNTING, *AT_HALF, *SUSTAINED, IDLE, CHURN, *APART)
_PATIENCE_S = 600.0
_STREAM = 20_000.0  # messages a second beside the connections of endpoint-churn
# What each case is compared with: contenders by name.
_RIVALS = {
    "broker-single": ("mq-bridge", "reader", "copy"),
    "broker-packed": ("reader-packed", "copy"),
    "endpoint-packed": ("copy",),
    "accounting-single": ("mq-bridge",),
    "accounting-packed": ("copy",),
}
_AT_THE_ENDPOINT = ("mq-bridge", "copy")

Tell = Callable[[str], None]


def run(
    settings: Settings, cases: Sequence[str], sizes: IngestSizes, tell: Tell = lambda _text: None
) -> list[Row]:
    """The rows of these cases (of CASES), measured in one interleaved run."""
    start_us = SystemClock().now_us() // STEP_US * STEP_US - STEPS_MAX * STEP_US
    fleet = Fleet(sizes.enterprises, sizes.devices, start_us)
    rows: list[Row] = []
    if not set(APART).issuperset(cases):
        with Bed(settings) as bed:
            rows = _Bench(bed, fleet, cases, sizes, tell).rows()
    for case in APART:
        if case in cases:
            rows += _apart(case, settings, fleet, sizes, tell)
    return rows


def _apart(case: str, settings: Settings, fleet: Fleet, sizes: IngestSizes, tell: Tell) -> list[Row]:
    """The rows of a case with a server of its own: what there is of them, and why there are no more."""
    rows: list[Row] = []
    try:
        if case in absence.CASES:
            rows.append(absence.row(case, settings, fleet, sizes, tell))
        else:
            with Bed(settings) as bed:
                if case == scale.REPLAYED:
                    rows.append(scale.replayed(bed, fleet, sizes, tell))
                else:
                    for each in scale.scale(bed, fleet.start_us, sizes, tell):
                        rows.append(each)  # as it comes: what was measured stays if the next fails
    except MissingError as error:
        rows.append(Row(case, "", None, detail=str(error)))
    except FAILURES as error:
        rows.append(Row(case, "", None, detail=FAILED + str(error).strip()))
    return rows


class _Bench:
    def __init__(self, bed: Bed, fleet: Fleet, cases: Sequence[str], sizes: IngestSizes, tell: Tell) -> None:
        self._bed = bed
        self._generator = Generator(bed)
        self._fleet = fleet
        self._cases = [case for case in CASES if case in cases and case not in APART]
        self._sizes = sizes
        self._tell = tell
        self._contenders: dict[str, Contender] = {}
        self._missing: dict[str, str] = {}  # contender → why it isn't there
        # What a half is taken of runs too, whether its own row is asked for or not.
        self._measured = [
            name for name in (*SHAPES, *WITH_ACCOUNTING) if name in {*cases, *(AT_HALF.get(c) for c in cases)}
        ]

        self._paced_only = {SUSTAINED[case][0] for case in self._cases if case in SUSTAINED}.difference(
            self._measured
        )

    def rows(self) -> list[Row]:
        self._tell("starting services")
        self._prepare()
        special: dict[str, Row] = {}
        if IDLE in self._cases:
            # first: later the process has room left over from its loads, and idle connections seem to cost nothing
            self._tell(f"{IDLE}: {self._sizes.idle} connections")
            special[IDLE] = self._guarded(IDLE, self._idle)
        results = interleaved(
            [each for each in self._contenders.values() if each.name not in self._paced_only],
            self._sizes.rounds,
            self._sizes.seconds,
            self._tell,
            self._sizes.warm_up or None,
        )
        results.faults.update(self._missing)
        if CHURN in self._cases:
            self._tell(f"{CHURN}: {amount(self._sizes.churn)} connections a second")
            special[CHURN] = self._guarded(CHURN, self._churn)
        for case in self._cases:
            if case in SUSTAINED:
                self._tell(f"{case}: for {self._sizes.sustained:g} s")
                special[case] = self._guarded(case, partial(self._sustained, case))
            if case in AT_HALF:
                self._tell(f"{case}: half of what {AT_HALF[case]} took")
                special[case] = self._guarded(case, partial(self._at_half, case, results))
        return [special.get(case) or self._speed_row(case, results) for case in self._cases]

    # What is started

    def _prepare(self) -> None:
        plain = [name for name in self._measured if name in SHAPES]
        started = [*self._measured, *self._paced_only]
        ledger = [name for name in started if name in WITH_ACCOUNTING]
        through_broker = [name for name in started if self._shape(name).through_broker]
        rivals = {rival for name in self._measured for rival in self._rivals(name)}
        broker = (
            self._broker() if rivals & {"mq-bridge", "reader", "reader-packed"} or through_broker else None
        )
        targets: dict[str, Target] = {}
        if plain or {IDLE, CHURN} & set(self._cases):
            targets["plain"] = Target(self._bed, self._generator, self._fleet, broker)
        if ledger and broker is not None:
            # a broker of its own: a subscriber takes the readings of all enterprises
            targets["ledger"] = Target(
                self._bed,
                self._generator,
                self._fleet,
                self._bed.broker(),
                accounting=self._sizes.accountants,
            )
        for target in targets.values():
            target.wait_until_ready()
        self._plain = targets.get("plain")
        if "copy" in rivals:
            self._contenders["copy"] = Copy(self._bed, self._fleet)
        self._prepare_beside(broker, rivals)
        for name in started:
            target_or_none = targets.get("plain" if name in SHAPES else "ledger")
            if target_or_none is None or (self._shape(name).through_broker and broker is None):
                self._missing[name] = self._missing["broker"]
            else:
                self._contenders[name] = Case(name, target_or_none, self._shape(name))

    def _broker(self) -> Broker | None:
        try:
            return self._bed.broker()
        except MissingError as error:
            self._missing["broker"] = str(error)
            return None

    def _prepare_beside(self, broker: Broker | None, rivals: set[str]) -> None:
        """What else reads from the broker."""
        readers = {"reader": ("broker-single", "reader"), "reader-packed": ("broker-packed", "packed")}
        for name in ("reader", "reader-packed", "mq-bridge"):
            if name not in rivals:
                continue
            try:
                if broker is None:
                    raise MissingError(self._missing["broker"])
                if name == "mq-bridge":
                    shape = self._shape("broker-single")
                    self._contenders[name] = Bridge(self._bed, self._generator, self._fleet, broker, shape)
                else:
                    of, prefix = readers[name]
                    shape = self._shape(of)
                    self._contenders[name] = Reader(
                        name, self._bed, self._generator, self._fleet, broker, shape, prefix
                    )
            except (MissingError, *FAILURES) as error:
                self._missing[name] = str(error).strip()

    def _shape(self, name: str) -> Shape:
        shape = SHAPES.get(name) or WITH_ACCOUNTING[name]
        if "2000" in name:
            shape = replace(shape, connections=self._sizes.connections)
        share = self._sizes.windows
        return replace(shape, window=max(1, round(shape.window * share)), guess=round(shape.guess * share))

    def _rivals(self, name: str) -> tuple[str, ...]:
        return _RIVALS.get(name, _AT_THE_ENDPOINT)

    # Rows

    def _guarded(self, case: str, measure: Callable[[], Row]) -> Row:
        try:
            return measure()
        except FAILURES as error:
            return Row(case, "", None, detail=FAILED + str(error).strip())

    def _speed_row(self, case: str, results: Results) -> Row:
        shape = self._shape(case)
        unit = "readings/s" if shape.packed else "msg/s"
        if case in self._missing:
            return Row(case, unit, None, detail=self._missing[case])
        beside = {name: results.turns[name] for name in self._rivals(case) if name in results.turns}
        notes = [f"{shape.connections} connections, {shape.window} in flight each"]
        notes += [
            f"{name}: {results.faults[name]}"
            for name in (case, *self._rivals(case))
            if name in results.faults
        ]
        # One name for the rival of both: a reader is a reader.
        rivals = {name.removesuffix("-packed"): turns for name, turns in beside.items()}
        return row_of(case, unit, results.turns[case], rivals, notes)

    def _at_half(self, case: str, results: Results) -> Row:
        of = AT_HALF[case]
        unit = "ms" if case.endswith("puback") else "s"
        turns = results.turns.get(of, [])
        contender = self._contenders.get(of)
        if not any(turns) or not isinstance(contender, Case):
            return Row(case, unit, None, detail=f"{of}: {results.faults.get(of, 'it has no speed')}")
        rate = median(turns) / 2
        seconds = max(0.2, self._sizes.seconds, min(2 * self._sizes.seconds, 60.0))
        if case.endswith("lag"):
            return self._lag(case, contender, rate, seconds)
        load = contender.prepare_paced(rate, seconds)
        meter = contender.target.meter("ingest")
        meter.start()
        sent = self._generator.send()
        took_s = sent.ended - sent.began
        turn = Turn(sent.wait_ms_p99 or 0.0, took_s, meter.rss_mb(), meter.busy(took_s))
        contender.target.forget_readings()
        note = (
            f"p99 of the time from when a message was due to its PUBACK, at {amount(rate)} msg/s of"
            f" {amount(load.readings / took_s)} reached; p50 {amount(sent.wait_ms_p50 or 0)}, longest"
            f" {amount(sent.wait_ms_max or 0)}, of which the load generator's own lateness at p99"
            f" {amount(sent.late_ms_p99 or 0)}"
        )
        return row_of(case, unit, [turn], {}, [note], is_speed=False)

    def _lag(self, case: str, contender: Case, rate: float, seconds: float) -> Row:
        turn, _, lags_s, notes = self._with_ledger(contender, rate, seconds)
        longest = Turn(float(lags_s.max()), turn.seconds, turn.rss_mb, turn.processor)
        return row_of(case, "s", [longest], {}, notes, is_speed=False)

    def _sustained(self, case: str) -> Row:
        of, rate = SUSTAINED[case]
        unit = "readings/s" if self._shape(of).packed else "msg/s"
        contender = self._contenders.get(of)
        if not isinstance(contender, Case):
            return Row(case, unit, None, detail=self._missing[of])
        rate *= self._sizes.windows
        turn, memory, _, notes = self._with_ledger(contender, rate, self._sizes.sustained)
        return row_of(case, unit, [turn], {}, [*notes, memory])

    def _with_ledger(
        self, contender: Case, rate: float, seconds: float
    ) -> tuple[Turn, str, npt.NDArray[np.float64], list[str]]:
        """A paced load into the ledger: its turn, memory in words, how far the ledger was behind [s], notes."""
        target = contender.target
        wait_until_quiet(target)
        load = contender.prepare_paced(rate, seconds, waits=False)
        meter = target.meter("accounting")
        meter.start()
        before = target.last_commit()
        with Memory(target.pids) as memory:
            sent = self._generator.send()
            commit_no, committed = target.committed(before, load.readings, _PATIENCE_S)
            accounted = target.accounted(commit_no, _PATIENCE_S)
        took_s = committed - sent.began
        lags_s = np.array(target.lags_s(before, commit_no))
        notes = [
            f"how far the ledger was behind at {amount(rate)} readings/s ({amount(load.readings / took_s)} committed a"
            f" second), of {len(lags_s)} batches: p50 {amount(float(np.median(lags_s)))} s, p99"
            f" {amount(float(np.percentile(lags_s, 99)))} s, longest {amount(float(lags_s.max()))} s"
        ]
        took_s = accounted - sent.began
        turn = Turn(load.readings / took_s, took_s, meter.rss_mb(), meter.busy(time.time() - sent.began))
        return turn, memory.said(), lags_s, notes

    def _churn(self) -> Row:
        """A stream at the endpoint without and with connections that come and go beside it."""
        target = self._plain
        assert target is not None
        seconds = max(0.5, 2 * self._sizes.seconds)
        contender = Case(CHURN, target, self._shape("endpoint-16"))
        pids = {name: target.pids[name] for name in ("ingest",)}
        alone, beside = Meter(pids, "ingest"), Meter(pids, "ingest")
        contender.prepare_paced(_STREAM * self._sizes.windows, seconds / 4)
        self._generator.send()  # what it costs the first time isn't what it costs
        contender.prepare_paced(_STREAM * self._sizes.windows, seconds)
        alone.start()
        before = self._generator.send()
        alone_cores = alone.busy(before.ended - before.began)["ingest"]
        load = contender.prepare_paced(_STREAM * self._sizes.windows, seconds)
        command = [
            sys.executable,
            "-m",
            "bench.churn",
            str(target.port),
            str(self._sizes.churn),
            str(seconds),
        ]
        clients = self._bed.child(command, piped=True)
        clients.read_line()
        first = target.last_commit()
        beside.start()
        clients.write_line("go")
        sent = self._generator.send()
        took_s = sent.ended - sent.began
        busy = beside.busy(took_s)
        answer = json.loads(clients.read_line())
        if "error" in answer:
            raise Refused(f"the clients that come and go: {answer['error']}")
        churned = Churned(**answer)
        target.committed(first, load.readings)
        target.forget_readings()
        each_us = (busy["ingest"] - alone_cores) * took_s / churned.answered * 1e6
        note = (
            f"p99 of the time from when a message was due to its PUBACK, {amount(load.readings / took_s)} msg/s beside"
            f" {amount(churned.answered / churned.seconds)} connections made and broken a second; without these"
            f" {amount(before.wait_ms_p99 or 0)} ms; p50 {amount(sent.wait_ms_p50 or 0)}, of which the load generator's"
            f" own lateness at p99 {amount(sent.late_ms_p99 or 0)}; CONNACK after {amount(churned.wait_ms_p50)} ms at"
            f" p50, {amount(churned.wait_ms_p99)} at p99; {amount(max(0.0, each_us))} µs of ingest's processor time a"
            " connection"
        )
        turn = Turn(sent.wait_ms_p99 or 0.0, took_s, beside.rss_mb(), busy)
        return row_of(CHURN, "ms", [turn], {}, [note], is_speed=False)

    def _idle(self) -> Row:
        target = self._plain
        assert target is not None
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        size = self._sizes.idle if hard == resource.RLIM_INFINITY else min(self._sizes.idle, hard - 500)
        [pid] = target.pids["ingest"]
        before_mb = memory_mb(pid, "VmRSS")
        began = time.monotonic()
        load = target.load(through_broker=False, connections=size, messages=0, window=1, clients="idle")
        self._generator.prepare(load)
        took_s = time.monotonic() - began
        time.sleep(min(1.0, self._sizes.seconds))
        after_mb = memory_mb(pid, "VmRSS")
        self._generator.send()
        notes = [
            f"memory of ingest with {size} connections that only stay; {amount(before_mb)} MB before them,"
            f" {amount((after_mb - before_mb) * 1024 / size)} KiB each"
        ]
        if size < self._sizes.idle:
            notes.append(f"the limit of open files, {hard}, left no room for {self._sizes.idle}")
        return Row(
            IDLE,
            "MB",
            significant(after_mb, 4),
            {},
            significant(after_mb, 4),
            significant(took_s),
            "; ".join(notes),
        )
