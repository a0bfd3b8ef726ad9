"""`carbonmeter bench kernels`: from registers to windows of emissions, and a year restated.

`kernels` asks one question (`question`) of our kernels, of polars and of duckdb, and compares the answers before it
tells the times. `scale` is what a reading costs, from ten thousand to a hundred million, on one thread and on more.
`restate-kernels` computes the intervals and milligrams of a year from readings in memory, `restate` the same out of and
into a real database, by the class that does it in the service. `cold-start` is what a new process waits for the
kernels. `memory`, in `versus`, says how near we come to what numpy takes to copy as many bytes as the input and the
output have.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from accounting.kernels import warm
from bench.ours import FIRST_US, Memory, Ours
from bench.process import forget_peak, memory_mb
from bench.question import WIDTHS, Answer, Question, registers
from bench.report import FAILED, Row, Turn, amount, row_of
from bench.restate import restate
from bench.rivals import DuckDB, Polars
from bench.rounds import FAILURES, Contender, interleaved
from bench.sizes import KernelSizes
from carbonmeter.settings import Settings
from domain.errors import Refused
from domain.interval import INTERVALS_PER_DAY

CASES = ("kernels", "scale", "restate-kernels", "restate", "cold-start")
_BLOCK_READINGS = 1 << 21  # made and computed at once, of more: 90 MB, so that nothing is left in the caches
_MONTH = 31 * INTERVALS_PER_DAY

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
    if "scale" in cases:
        rows += _scale(sizes, tell)
    if "restate-kernels" in cases:
        rows.append(_restate_kernels(sizes, tell))
    if "restate" in cases:
        try:
            rows.append(restate(settings, sizes, tell))
        except FAILURES as error:
            rows.append(Row("restate", "s", None, detail=FAILED + str(error).strip()))
    if "cold-start" in cases:
        rows += _cold_start(sizes, tell)
    return rows


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
    question = registers(sizes.channels, sizes.intervals, FIRST_US, seed=1)
    ours = Ours(question, sizes.threads)
    right = ours.answer(ours.ask())
    contenders: list[Contender] = [_Timed(ours, question, lambda: right)]
    notes = []
    for rival, package in ((Polars, "polars"), (DuckDB, "duckdb")):
        if find_spec(package) is None:
            notes.append(f"{package} isn't installed (pip install {package})")
        else:
            contenders.append(_Timed(rival(question, sizes.threads), question, lambda: right))
    contenders.append(Memory(ours.bytes_moved, sizes.channels * sizes.intervals, sizes.threads))
    results = interleaved(contenders, sizes.rounds, 0.0, tell, warm_up_s=0.0)
    notes += [f"{name}: {fault}" for name, fault in results.faults.items()]
    agreed = [name for name in ("polars", "duckdb") if name in results.turns and name not in results.faults]
    notes.append(
        f"{sizes.threads} threads each" + (f", {' and '.join(agreed)} with the same answer" if agreed else "")
    )
    notes.append("memory is that of one process with the data of all")
    rivals = {name: turns for name, turns in results.turns.items() if name != ours.name}
    return row_of("kernels", "intervals/s", results.turns[ours.name], rivals, notes)


def _scale(sizes: KernelSizes, tell: Tell) -> Iterator[Row]:
    """A row for each power of ten of readings and each number of threads: how long one reading takes."""
    size = 10_000
    while size <= sizes.readings:
        channels = max(1, round(size / (_MONTH + 3)))
        intervals = min(_MONTH, size)
        for threads in sorted({1, sizes.threads}):
            turns: list[Turn | None] = []
            limits: list[Turn | None] = []
            for number in range(sizes.rounds):
                tell(
                    f"scale: {amount(size)} readings, {threads} threads, round {number + 1} of {sizes.rounds}"
                )
                readings, turn, limit = _blocks(channels, intervals, threads, WIDTHS, lambda _text: None)
                turns.append(Turn(turn.seconds / readings * 1e9, turn.seconds, turn.rss_mb))
                limits.append(Turn(limit.seconds / readings * 1e9, limit.seconds))
            note = f"{channels} channels × {intervals} intervals, {threads} threads, to windows"
            name = f"scale-1e{len(str(size)) - 1}-{threads}"
            yield row_of(name, "ns/reading", turns, {"memory": limits}, [note], is_speed=False)
        size *= 10


def _restate_kernels(sizes: KernelSizes, tell: Tell) -> Row:
    """A year in blocks of channels; making the readings isn't measured."""
    intervals = sizes.days * INTERVALS_PER_DAY
    turns: list[Turn | None] = []
    limits: list[Turn | None] = []
    for number in range(sizes.rounds):
        tell(f"restate-kernels: round {number + 1} of {sizes.rounds}")
        _, turn, limit = _blocks(sizes.restated, intervals, sizes.threads, (), tell)
        turns.append(turn)
        limits.append(limit)
    total = sizes.restated * intervals
    note = (
        f"{sizes.restated} channels × {sizes.days} days = {amount(total)} intervals from readings in memory to"
        f" milligrams, {sizes.threads} threads: {amount(total / min(turn.value for turn in turns if turn))} intervals/s"
    )
    return row_of("restate-kernels", "s", turns, {"memory": limits}, [note], is_speed=False)


def _blocks(
    channels: int, intervals: int, threads: int, widths: Sequence[int], tell: Tell
) -> tuple[int, Turn, Turn]:
    """Compute channels in blocks: (readings, our turn, memory's turn); making the readings isn't measured.

    A block is computed twice and the second time counts: the pages that it writes to are there by then, as they are in
    a process that goes on.
    """
    took_s = limit_s = rss_mb = 0.0
    readings = 0
    block = max(1, _BLOCK_READINGS // intervals)
    for first in range(0, channels, block):
        tell(f"channel {first} of {channels}")
        size = min(block, channels - first)
        question = registers(size, intervals, FIRST_US, seed=first)
        ours = Ours(question, threads, widths)
        ours.ask()
        forget_peak(os.getpid())
        began = time.perf_counter()
        ours.ask()
        took_s += time.perf_counter() - began
        rss_mb = max(rss_mb, memory_mb(os.getpid()))
        readings += len(question.counts)
        limit_s += Memory(ours.bytes_moved, 1, threads).turn(0).seconds
    return readings, Turn(took_s, took_s, rss_mb), Turn(limit_s, limit_s)


def _cold_start(sizes: KernelSizes, tell: Tell) -> Iterator[Row]:
    """What a new process takes until its kernels are ready, with what is kept on disk and without."""
    program = (
        "import time; began = time.perf_counter(); from accounting.kernels import warm; warm();"
        " print(time.perf_counter() - began, flush=True)"
    )

    def turn(environment: dict[str, str]) -> Turn:
        answer = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        took_s = float(answer.stdout)
        return Turn(took_s, took_s)

    tell("cold-start: from the cache")
    turns = [turn({}) for _ in range(sizes.rounds)]
    yield row_of("cold-start", "s", turns, {}, ["imports and kernels from the cache"], is_speed=False)
    if sizes.compiled:
        tell("cold-start: compiling")
        with tempfile.TemporaryDirectory(prefix="carbonmeter-bench-") as folder:
            turns = [turn({"NUMBA_CACHE_DIR": folder})]
        yield row_of("cold-compile", "s", turns, {}, ["imports and kernels without a cache"], is_speed=False)
