"""What a reading costs by scale: channels, readings a message, processes of ingest; and a day that is sent again.

`scale` gives a row for each of these, through the broker, whose subscription several processes share. `replayed-day`
sends a stream to the endpoint, and the same beside a whole day of the same meters that the server has already: nothing
of it counts twice, and it may not hold up the stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np

from bench.bed import Bed
from bench.contenders import Case, Shape, wait_until_quiet
from bench.fleet import Fleet
from bench.generator import Generator
from bench.load import Sent
from bench.report import Row, Turn, amount, row_of
from bench.rounds import FAILURES
from bench.sizes import IngestSizes
from bench.target import Target

SCALE, REPLAYED = "scale", "replayed-day"
CASES = (SCALE, REPLAYED)
# (channels, of which each enterprise has so many, which come together in a packed message)
_FLEETS = ((100, 10), (100, 100), (10_000, 100), (10_000, 1_000), (100_000, 1_000))
_WORKERS = (1, 2)
_LIVE = 2_000.0  # messages a second of the stream
_DAY_STEPS = 1_440
_PATIENCE_S = 600.0

Tell = Callable[[str], None]


def scale(bed: Bed, start_us: int, sizes: IngestSizes, tell: Tell) -> Iterator[Row]:
    """A row for single readings, where a fleet is the first of its channels, and one for packed ones."""
    fleets = [each for each in _FLEETS if each[0] <= sizes.scale] or [(sizes.scale, sizes.scale)]
    generator = Generator(bed)
    for workers in _WORKERS:
        seen: set[int] = set()
        for channels, devices in fleets:
            tell(f"{SCALE}: {channels:,} channels, {devices} readings a message, {workers} of ingest")
            fleet = Fleet(channels // devices, devices, start_us)
            broker = bed.broker()  # of its own: sessions stay at a broker, and go on taking what comes
            target = Target(bed, generator, fleet, broker, ingests=workers)
            target.wait_until_ready()
            for is_packed in (False, True):
                if is_packed or channels not in seen:
                    yield _row(target, sizes, workers, is_packed=is_packed)
            seen.add(channels)
            target.stop_ingest()
            broker.process.stop()


def _row(target: Target, sizes: IngestSizes, workers: int, *, is_packed: bool) -> Row:
    channels, devices = target.fleet.channels, target.fleet.devices
    together = devices if is_packed else 1
    window = max(1, 200 // together) if is_packed else 200
    shape = Shape(16, window, through_broker=True, packed=is_packed, guess=20_000 * min(together, 10))
    case = Case(SCALE, target, shape)
    case.turn(sizes.seconds / 4)
    turns = [case.turn(sizes.seconds) for _ in range(sizes.rounds)]
    each_us = [
        sum(cores for name, cores in turn.processor.items() if name.startswith("ingest")) / turn.value * 1e6
        for turn in turns
    ]
    note = f"{amount(float(np.median(each_us)))} µs of processor time a reading, ingest and its database"
    return row_of(f"{SCALE}-{channels}-{together}-{workers}", "readings/s", turns, {}, [note])


def replayed(bed: Bed, fleet: Fleet, sizes: IngestSizes, tell: Tell) -> Row:
    """The stream's p99 to PUBACK beside the day that comes again."""
    target = Target(bed, Generator(bed), fleet, None, accounting=sizes.accountants)
    live = Case(REPLAYED, target, Shape(16, 2_500))
    target.wait_until_ready()
    day = target.load(
        through_broker=False,
        connections=fleet.enterprises,
        messages=sizes.replayed,
        window=20,
        packed=True,
        clients="day",
        timeout_s=_PATIENCE_S,
    )
    again = Generator(bed)
    tell(f"{REPLAYED}: {day.readings:,} readings for the first time")
    again.prepare(day)
    again.send()
    wait_until_quiet(target, _PATIENCE_S)
    seconds = max(1.0, 2 * sizes.seconds)
    rate = _LIVE * sizes.windows
    live.prepare_paced(rate, seconds)
    alone = target.generator.send()
    wait_until_quiet(target, _PATIENCE_S)

    tell(f"{REPLAYED}: once more, beside {amount(rate)} messages a second")
    load = live.prepare_paced(rate, seconds)
    again.prepare(day)
    before = target.last_commit()
    meter = target.meter("ingest")
    meter.start()
    came: list[Sent | BaseException] = []

    def send() -> None:
        try:
            came.append(again.send())
        except FAILURES as error:
            came.append(error)

    sending = threading.Thread(target=send, name="day")
    sending.start()
    sent = target.generator.send()
    took_s = sent.ended - sent.began
    busy = meter.busy(took_s)
    sending.join()
    [answer] = came
    if isinstance(answer, BaseException):
        raise answer
    commit_no, _ = target.committed(before, load.readings + day.readings, _PATIENCE_S)
    target.accounted(commit_no, _PATIENCE_S)
    lags_s = np.array(target.lags_s(before, commit_no))
    speed = day.readings / (answer.ended - answer.began)
    note = (
        f"p99 of the time to PUBACK of {amount(rate)} messages a second while {day.readings:,} readings came again at"
        f" {amount(speed)} readings/s; without them {amount(alone.wait_ms_p99 or 0)} ms; longest"
        f" {amount(sent.wait_ms_max or 0)}; the ledger was behind for {amount(float(np.median(lags_s)))} s at p50,"
        f" {amount(float(lags_s.max()))} at most"
    )
    turn = Turn(sent.wait_ms_p99 or 0.0, took_s, meter.rss_mb(), busy)
    return row_of(REPLAYED, "ms", [turn], {}, [note], is_speed=False)
