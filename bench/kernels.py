"""`carbonmeter bench kernels`: from registers to windows of emissions, and a year restated.

`kernels` asks one question of our kernels, of polars and of duckdb, and compares the answers before it tells the
times. `restate-kernels` computes the intervals and milligrams of a year from readings in memory, `restate` the same
out of and into a real database, by the class that does it in the service. `memory`, in `versus`, says how near we
come to what numpy takes to copy as many bytes as the input and the output have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from accounting.channel import READING_DTYPE, PackedIntervals, Rules, packed_intervals
from accounting.kernels import warm
from accounting.kernels.emission import emission, trailing_sums
from bench.process import forget_peak, memory_mb
from bench.question import FACTOR, MODULUS_COUNTS, WIDTHS, Answer, DuckDB, Polars, Question, registers
from bench.report import FAILED, Row, Turn, amount, row_of
from bench.restate import restate
from bench.rounds import FAILURES, Contender, interleaved
from bench.sizes import KernelSizes
from carbonmeter.settings import Settings
from domain.errors import Refused
from domain.interval import HOUR_US, INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.registry import ChannelVersion, Kind, Point

CASES = ("kernels", "restate-kernels", "restate")
_CALENDAR = Calendar()
_FIRST_US = _CALENDAR.day_start(19_358)  # 2023-01-01
_BLOCK_CHANNELS = 50  # of a year: their readings are 75 MB, so that nothing is left in the caches
_COPIED_BYTES = 1 << 27
_PIECES = 4  # for each thread

Tell = Callable[[str], None]


def run(
    settings: Settings, cases: Sequence[str], sizes: KernelSizes, tell: Tell = lambda _text: None
) -> list[Row]:
    """The rows of these cases (of CASES)."""
    tell("loading the kernels")
    warm()
    rows = []
    if "kernels" in cases:
        rows.append(_kernels(sizes, tell))
    if "restate-kernels" in cases:
        rows.append(_restate_kernels(sizes, tell))
    if "restate" in cases:
        try:
            rows.append(restate(settings, sizes, tell))
        except FAILURES as error:
            rows.append(Row("restate", "s", None, detail=FAILED + str(error).strip()))
    return rows


class Ours:
    """Our kernels as accounting calls them, ranges of channels in threads."""

    name = "kernels"

    def __init__(self, question: Question, threads: int) -> None:
        self._question = question
        self._threads = threads
        self._points = [_point(number) for number in range(1, question.channels + 1)]
        readings = np.zeros(question.counts.shape, READING_DTYPE)
        readings["at"] = readings["committed_at"] = question.stamps_us
        readings["mantissa"], readings["exponent"] = question.counts, -2
        self._readings = readings.reshape(-1)
        self._offsets = np.arange(question.channels + 1) * (question.intervals + 2)
        self.stages_s: dict[str, float] = {}  # of the last asking

    @property
    def bytes_read(self) -> int:
        return self._readings.nbytes

    def emissions(self) -> tuple[PackedIntervals, npt.NDArray[np.int64]]:
        """Intervals and their milligrams."""
        question = self._question
        end_us = question.first_us + question.intervals * INTERVAL_US
        began = time.perf_counter()
        intervals = packed_intervals(
            self._points,
            self._readings,
            self._offsets,
            question.first_us,
            end_us,
            Rules(),
            _CALENDAR,
            threads=self._threads,
        )
        reached = time.perf_counter()
        mg = np.empty_like(intervals.amounts)
        pieces = np.array_split(np.arange(len(mg)), self._threads * _PIECES)

        def emit(piece: npt.NDArray[np.int64]) -> None:
            part = slice(int(piece[0]), int(piece[-1]) + 1)
            mg[part], within = emission(intervals.amounts[part], FACTOR)
            assert within.all()

        self._each(emit, [piece for piece in pieces if len(piece)])
        self.stages_s = {"intervals": reached - began, "milligrams": time.perf_counter() - reached}
        return intervals, mg

    def ask(self) -> tuple[PackedIntervals, npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
        intervals, mg = self.emissions()
        reached = time.perf_counter()
        size = self._question.intervals
        known = (intervals.states & 3) > 0
        windows = [np.empty_like(mg) for _ in WIDTHS]

        def trail(channel: int) -> None:
            part = slice(channel * size, (channel + 1) * size)
            for width, window in zip(WIDTHS, windows, strict=True):
                window[part], _ = trailing_sums(mg[part], known[part], width)

        self._each(trail, range(self._question.channels))
        self.stages_s["windows"] = time.perf_counter() - reached
        return intervals, mg, windows

    def answer(self, result: Any) -> Answer:
        intervals, mg, windows = result
        shape = self._question.channels, self._question.intervals
        return Answer(
            intervals.amounts.reshape(shape),
            mg.reshape(shape),
            tuple(window.reshape(shape) for window in windows),
        )

    def _each(self, work: Callable[[Any], None], parts: Sequence[Any]) -> None:
        if self._threads == 1:
            for part in parts:
                work(part)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(work, parts, chunksize=max(1, len(parts) // (self._threads * _PIECES))):
                pass


class _Asked(Protocol):
    name: str

    def ask(self) -> Any: ...

    def answer(self, result: Any) -> Answer: ...


class _Timed:
    """A turn is one asking; every answer is compared with the first one of ours."""

    def __init__(self, asked: _Asked, question: Question, right: Callable[[], Answer]) -> None:
        self.name = asked.name
        self._asked = asked
        self._size = question.channels * question.intervals
        self._right = right

    def turn(self, _seconds: float) -> Turn:
        forget_peak(os.getpid())
        began = time.perf_counter()
        result = self._asked.ask()
        took_s = time.perf_counter() - began
        rss_mb = memory_mb(os.getpid())
        if not self._asked.answer(result).equals(self._right()):
            raise Refused(f"{self.name} has another answer")
        return Turn(self._size / took_s, took_s, rss_mb)


def _kernels(sizes: KernelSizes, tell: Tell) -> Row:
    tell(f"kernels: {sizes.channels} channels × {sizes.intervals} intervals")
    question = registers(sizes.channels, sizes.intervals, _FIRST_US, seed=1)
    ours = Ours(question, sizes.threads)
    right = ours.answer(ours.ask())
    contenders: list[Contender] = [_Timed(ours, question, lambda: right)]
    notes = []
    for rival, package in ((Polars, "polars"), (DuckDB, "duckdb")):
        if find_spec(package) is None:
            notes.append(f"{package} isn't installed (pip install {package})")
        else:
            contenders.append(_Timed(rival(question, sizes.threads), question, lambda: right))
    # amounts, states, milligrams and windows
    bytes_written = sizes.channels * sizes.intervals * (8 + 2 + 8 + 8 * len(WIDTHS))
    contenders.append(_Memory(ours.bytes_read + bytes_written, sizes.channels * sizes.intervals))
    results = interleaved(contenders, sizes.rounds, 0.0, tell, warm_up_s=0.0)
    notes += [f"{name}: {fault}" for name, fault in results.faults.items()]
    agreed = [name for name in ("polars", "duckdb") if name in results.turns and name not in results.faults]
    notes.append(
        f"{sizes.threads} threads each" + (f", {' and '.join(agreed)} with the same answer" if agreed else "")
    )
    notes.append("the last round: " + ", ".join(f"{name} {s:.3f} s" for name, s in ours.stages_s.items()))
    notes.append("memory is that of one process with the data of all")
    rivals = {name: turns for name, turns in results.turns.items() if name != ours.name}
    return row_of("kernels", "intervals/s", results.turns[ours.name], rivals, notes)


class _Memory:
    """What numpy takes to copy so many bytes, read and written; the value in units of the question's size."""

    name = "memory"

    def __init__(self, size_bytes: int, units: int) -> None:
        self._bytes = size_bytes
        self._units = units
        self._source = np.ones(_COPIED_BYTES // 8, np.int64)
        self._target = np.zeros_like(self._source)

    def turn(self, _seconds: float) -> Turn:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            np.copyto(self._target, self._source)
            times.append(time.perf_counter() - began)
        took_s = min(times) * self._bytes / (2 * self._source.nbytes)
        return Turn(self._units / took_s, took_s)


def _restate_kernels(sizes: KernelSizes, tell: Tell) -> Row:
    """A year in blocks of channels; making the readings isn't measured."""
    intervals = sizes.days * INTERVALS_PER_DAY
    turns: list[Turn | None] = []
    limits: list[Turn | None] = []
    for number in range(sizes.rounds):
        took_s = limit_s = 0.0
        forget_peak(os.getpid())
        for first in range(0, sizes.restated, _BLOCK_CHANNELS):
            tell(
                f"restate-kernels: round {number + 1} of {sizes.rounds}, channel {first} of {sizes.restated}"
            )
            size = min(_BLOCK_CHANNELS, sizes.restated - first)
            ours = Ours(registers(size, intervals, _FIRST_US, seed=first), sizes.threads)
            began = time.perf_counter()
            ours.emissions()
            took_s += time.perf_counter() - began
            limit_s += (
                _Memory(ours.bytes_read + size * intervals * (8 + 2 + 8), size * intervals).turn(0).seconds
            )
        turns.append(Turn(took_s, took_s, memory_mb(os.getpid())))
        limits.append(Turn(limit_s, limit_s))
    total = sizes.restated * intervals
    note = (
        f"{sizes.restated} channels × {sizes.days} days = {amount(total)} intervals from readings in memory to"
        f" milligrams, {sizes.threads} threads: {amount(total / min(turn.value for turn in turns if turn))} intervals/s"
    )
    return row_of("restate-kernels", "s", turns, {"memory": limits}, [note], is_speed=False)


def _point(number: int) -> Point:
    version = ChannelVersion(
        valid_from_us=0,
        valid_to_us=None,
        quantity="electricity_import",
        kind=Kind.REGISTER,
        unit="kWh",
        multiplier=Fraction(1),
        resolution=Fraction(1, 100),
        modulus=Fraction(MODULUS_COUNTS, 100),
        max_rate=Fraction(1_000),
        max_gap_us=2 * HOUR_US,
    )
    return Point(number, "", f"M{number}", "kwh", "electricity_import", Kind.REGISTER, "kWh", -2, (version,))
