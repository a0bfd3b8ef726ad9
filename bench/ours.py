"""Our kernels as a contender, and what memory can do at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accounting.channel import READING_DTYPE, Rules
from accounting.packed import PackedEmissions, Packing
from bench.question import (
    FACTOR,
    LOOK_AHEAD_US,
    MAX_GAP_US,
    MODULUS_COUNTS,
    RATE_COUNTS_PER_HOUR,
    UNKNOWN,
    WIDTHS,
    Answer,
    Question,
)
from bench.report import Turn
from domain.interval import INTERVAL_US, Calendar
from domain.registry import ChannelVersion, Kind, Point

CALENDAR = Calendar()
FIRST_US = CALENDAR.day_start(19_358)  # 2023-01-01
_COPIED_BYTES = 1 << 27


class Ours:
    """Our kernels as accounting calls them, blocks of channels in threads, into arrays that stay."""

    name = "kernels"

    def __init__(self, question: Question, threads: int, widths: Sequence[int] = WIDTHS) -> None:
        self._question = question
        self._threads = threads
        self._widths = widths
        end_us = question.first_us + question.intervals * INTERVAL_US
        points = [_point(number) for number in range(1, question.channels + 1)]
        self._packing = Packing(
            points, question.first_us, end_us, Rules(look_ahead_us=LOOK_AHEAD_US), CALENDAR
        )
        self._into = self._packing.empty_emissions(len(widths))
        readings = np.zeros(len(question.counts), READING_DTYPE)
        readings["at"] = readings["committed_at"] = question.stamps_us
        readings["mantissa"], readings["exponent"] = question.counts, -2
        readings["quality"], readings["revision"] = question.qualities, question.revisions
        self._readings = readings

    @property
    def bytes_moved(self) -> int:
        """Read and written, each byte once."""
        result = self._into
        arrays = (
            self._readings,
            result.intervals.amounts,
            result.intervals.states,
            result.mg,
            result.sums,
            result.counts,
        )
        return sum(array.nbytes for array in arrays)

    def ask(self) -> PackedEmissions:
        question = self._question
        factors = [FACTOR] * question.channels
        return self._packing.emissions(
            self._readings, question.offsets, factors, self._widths, self._threads, self._into
        )

    def answer(self, result: PackedEmissions) -> Answer:
        """A copy of it."""
        shape = self._question.channels, self._question.intervals
        qualities = (result.intervals.states & 3).astype(np.int8)

        def known(values: npt.NDArray[np.int64], is_known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
            return np.where(is_known, values, UNKNOWN).reshape(shape)

        return Answer(
            known(result.intervals.amounts, qualities > 0),
            qualities.reshape(shape),
            known(result.mg, qualities > 0),
            tuple(known(sums, counts > 0) for sums, counts in zip(result.sums, result.counts, strict=True)),
        )


class Memory:
    """What numpy takes to copy so many bytes, read and written; its value is in units of the question's size."""

    name = "memory"

    def __init__(self, size_bytes: int, units: int, threads: int) -> None:
        self._bytes = size_bytes
        self._units = units
        source = np.ones(_COPIED_BYTES // 8, np.int64)
        target = np.zeros_like(source)
        self._parts = [*zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)]

    def turn(self, _seconds: float) -> Turn:
        times = []
        with ThreadPoolExecutor(len(self._parts)) as pool:
            for _ in range(5):
                began = time.perf_counter()
                for _ in pool.map(lambda part: np.copyto(*part), self._parts):
                    pass
                times.append(time.perf_counter() - began)
        took_s = min(times) * self._bytes / (2 * _COPIED_BYTES)
        return Turn(self._units / took_s, took_s)


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
        max_rate=Fraction(RATE_COUNTS_PER_HOUR, 100),
        max_gap_us=MAX_GAP_US,
    )
    return Point(number, "", f"M{number}", "kwh", "electricity_import", Kind.REGISTER, "kWh", -2, (version,))
