"""Many points in one call: their readings one after the other in one array, their intervals in others.

For what computes much at once: a year of a city, a benchmark. Channels are taken in blocks whose intervals stay near a
core, each block by one thread all the way it goes; kernels hold no lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accounting.channel import NO_ANCHOR, Int16, Int64, Rules, as_records, day_range, plan_of
from accounting.kernels.account import account_channels
from accounting.kernels.channels import run_channels
from accounting.kernels.emission import INT64_BOUND, check_windows, emission_into, trail, trailing_room
from accounting.kernels.machine import settle
from domain.interval import DAY_US, INTERVAL_US, Calendar
from domain.reading import VALUE_BOUND, Flag
from domain.registry import Point

_IMPLAUSIBLE = int(Flag.IMPLAUSIBLE) << 2
_LINE = 64  # bytes
_BLOCK_INTERVALS = 1 << 17  # a few MB: near a core, and seldom an interpreter between


@dataclass(frozen=True, slots=True)
class PackedIntervals:
    """Consumption of many points, one after the other; point i has [offsets[i], offsets[i + 1])."""

    amounts: Int64
    states: Int16
    interval_offsets: Int64
    anchor_days: Int64
    anchors: Int64
    day_offsets: Int64
    tail_anchors: Int64


@dataclass(frozen=True, slots=True)
class PackedEmissions:
    """The same with what they emit, each point a source of one factor, and trailing windows of it.

    mg      int64 (n,)     CO2e of each interval, 0 where missing
    sums    int64 (w, n)   of the known ones among the last widths[w] up to each, within the point
    counts  uint16 (w, n)  how many these are
    """

    intervals: PackedIntervals
    mg: Int64
    sums: Int64
    counts: NDArray[np.uint16]


def _room(shape: tuple[int, ...], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """An array that begins where a line of the caches does: what goes past them goes in whole lines."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + _LINE, np.uint8)
    begin = -room.ctypes.data % _LINE
    return room[begin : begin + size].view(dtype).reshape(shape)


class Packing:
    """Points over a stretch of time, made ready once and computed as often as there are readings for them."""

    def __init__(
        self, points: Sequence[Point], first_us: int, end_us: int, rules: Rules, calendar: Calendar
    ) -> None:
        """Raises ValueError for edges that aren't and for a derived point."""
        first_day, end_day = day_range(first_us, end_us, calendar)
        plans = [plan_of(point, rules) for point in points]
        self.size = len(points)
        self.each = (end_us - first_us) // INTERVAL_US
        self._plans = np.concatenate(plans) if plans else np.empty((0, 0), np.int64)
        self._plan_offsets = np.cumsum([0, *(len(plan) for plan in plans)])
        self._firsts = np.full(self.size, first_us)
        self._days = np.tile(np.arange(first_day, end_day), self.size)
        self._day_starts = self._days * DAY_US - calendar.offset_us
        self._day_offsets = np.arange(self.size + 1) * (end_day - first_day)
        self._offset_us = calendar.offset_us

    def empty_intervals(self) -> PackedIntervals:
        """Room for a result."""
        return PackedIntervals(
            _room((self.size * self.each,), np.int64),
            _room((self.size * self.each,), np.int16),
            np.arange(self.size + 1) * self.each,
            self._days,
            np.empty(len(self._days), np.int64),
            self._day_offsets,
            np.empty(self.size, np.int64),
        )

    def empty_emissions(self, windows: int) -> PackedEmissions:
        """Room for a result with so many windows."""
        intervals = self.empty_intervals()
        shape = windows, len(intervals.amounts)
        return PackedEmissions(
            intervals, _room(shape[1:], np.int64), _room(shape, np.int64), _room(shape, np.uint16)
        )

    def intervals(
        self,
        readings: NDArray[np.void],
        reading_offsets: Int64,
        since_us: Sequence[int] | Int64 | None = None,
        threads: int = 1,
        into: PackedIntervals | None = None,
    ) -> PackedIntervals:
        """Intervals of all points, in as many threads.

        readings         READING_DTYPE   of all points, one after the other
        reading_offsets  int64 (p + 1,)  where the readings of each begin and the last ones end
        since_us         (p,)            anchors of earlier runs; None: the readings are complete
        into             an earlier result of this packing, to be written over

        Raises ValueError for readings of another type and for offsets and anchors that don't fit.
        """
        result = self.empty_intervals() if into is None else into
        arguments = self._arguments(readings, reading_offsets, since_us, result)
        self._in_blocks(lambda begin, end: run_channels(*arguments(begin, end)), threads)
        return result

    def emissions(
        self,
        readings: NDArray[np.void],
        reading_offsets: Int64,
        factors: Sequence[Fraction],
        widths: Sequence[int],
        threads: int = 1,
        into: PackedEmissions | None = None,
    ) -> PackedEmissions:
        """Intervals, their milligrams and trailing windows of all points, block by block.

        factors  (p,)  mg CO2e of one ledger unit of each point
        widths   (w,)  intervals of each window

        Raises ValueError as `intervals` does, OverflowError where a window could leave int64.
        """
        result = self.empty_emissions(len(widths)) if into is None else into
        if len(factors) != self.size:
            raise ValueError(f"{len(factors)} factors were given for {self.size} points")
        if result.sums.shape != (len(widths), len(result.mg)):
            raise ValueError(f"room for {len(result.sums)} windows was given to write {len(widths)} into")
        intervals = result.intervals
        arguments = self._arguments(readings, reading_offsets, None, intervals)
        is_narrow = [abs(each.numerator) < INT64_BOUND > each.denominator for each in factors]
        numerators, denominators = (
            np.array([part if narrow else 0 for part, narrow in zip(parts, is_narrow, strict=True)], np.int64)
            for parts in ([each.numerator for each in factors], [each.denominator for each in factors])
        )
        width = np.array(widths, np.int64)

        def compute(begin: int, end: int) -> None:
            low = begin
            while low < end:
                high = low + 1
                while high < end and is_narrow[high] == is_narrow[low]:
                    high += 1
                (account if is_narrow[low] else account_wide)(low, high)
                low = high

        def account(begin: int, end: int) -> None:
            totals, numbers = trailing_room(width, self.each)
            everything = (
                *arguments(begin, end), numerators, denominators, VALUE_BOUND, _IMPLAUSIBLE,
                width, totals, numbers, result.mg, result.sums, result.counts,
            )  # fmt: skip
            check_windows(int(account_channels(*everything)), width, self.each)

        def account_wide(begin: int, end: int) -> None:
            run_channels(*arguments(begin, end))
            for place in range(begin, end):
                here = slice(place * self.each, (place + 1) * self.each)
                states, mg = intervals.states[here], result.mg[here]
                within = np.empty(self.each, np.bool_)
                largest = emission_into(intervals.amounts[here], factors[place], mg, within)
                states[~within] = (states[~within] & ~3) | _IMPLAUSIBLE
                check_windows(largest, width, self.each)
                totals, numbers = trailing_room(width, self.each)
                trail(mg, states, width, totals, numbers, here.start, result.sums, result.counts)
            settle()

        self._in_blocks(compute, threads)
        return result

    def _arguments(
        self,
        readings: NDArray[np.void],
        reading_offsets: Int64,
        since_us: Sequence[int] | Int64 | None,
        result: PackedIntervals,
    ) -> Callable[[int, int], tuple[Any, ...]]:
        """What `run_channels` takes to compute the intervals of points [begin, end) into a result."""
        if len(reading_offsets) != self.size + 1 or (
            self.size
            and (
                reading_offsets[0] < 0
                or reading_offsets[-1] > len(readings)
                or (np.diff(reading_offsets) < 0).any()
            )
        ):
            raise ValueError(
                f"{len(reading_offsets)} offsets don't cut {len(readings)} readings for {self.size} points"
            )
        sinces = np.full(self.size, NO_ANCHOR) if since_us is None else np.asarray(since_us, np.int64)
        if len(sinces) != self.size:
            raise ValueError(f"{len(sinces)} anchors were given for {self.size} points")
        if len(result.amounts) != self.size * self.each or len(result.anchors) != len(self._days):
            raise ValueError(
                f"{len(result.amounts)} intervals were given to write {self.size * self.each} into"
            )
        records = as_records(readings)
        offsets = np.ascontiguousarray(reading_offsets, np.int64)

        def arguments(begin: int, end: int) -> tuple[Any, ...]:
            return (
                records, offsets, self._plans, self._plan_offsets, sinces, self._firsts, result.interval_offsets,
                self._day_starts, self._day_offsets, self._offset_us, begin, end,
                result.amounts, result.states, result.anchors, result.tail_anchors,
            )  # fmt: skip

        return arguments

    def _in_blocks(self, compute: Callable[[int, int], None], threads: int) -> None:
        """Call compute(begin, end) for blocks of points that together are all."""
        block = max(1, min(_BLOCK_INTERVALS // max(1, self.each), -(-self.size // threads)))
        begins = range(0, self.size, block)
        if threads == 1:
            for begin in begins:
                compute(begin, min(begin + block, self.size))
            return
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(compute, begin, min(begin + block, self.size)) for begin in begins]:
                future.result()
