"""New readings that come after everything known of their points: the usual case, computed for many points at once.

Each window goes from the point's tail (`work.Tail`) to its last new reading, and is final. What is written is what
`point_run.PointRun` writes of the same readings, bit for bit; a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accounting.books import Books
from accounting.channel import READING_DTYPE, Rules, plan_of
from accounting.kernels.channels import run_channels
from accounting.kernels.merge import merge_consumption, standing_anchors
from accounting.point_run import PointRun
from accounting.rows import joined
from accounting.work import Memory, Rows
from domain.interval import DAY_US, INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import CONSUMPTION_ROW, NO_ANCHOR

Int64 = npt.NDArray[np.int64]

ROWS_MAX = 20_000  # of consumption days kept in memory, each of 2 KB


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of points after a run.

    rows        CONSUMPTION_ROW (r,)  of every day of the windows, point after point: `offsets`
    changed     bool (r,)             intervals of the row are others now
    write       bool (r,)             those, and rows of which only the anchor is another
    superseded  bool (r, 96)          intervals that were entries before
    """

    rows: Rows
    offsets: Int64
    changed: npt.NDArray[np.bool_]
    write: npt.NDArray[np.bool_]
    superseded: npt.NDArray[np.bool_]


class _Windows:
    """From the anchor of each point's tail to the end of the day of its last new reading."""

    def __init__(self, runs: Sequence[PointRun], calendar: Calendar) -> None:
        tails = [run.tail for run in runs if run.tail is not None]
        assert len(tails) == len(runs)
        size, offset = len(runs), calendar.offset_us
        self.anchors = np.fromiter((tail.anchor_us for tail in tails), np.int64, size)
        known_us = np.fromiter((tail.last_us for tail in tails), np.int64, size)
        last_us = np.fromiter((run.touched[1] for run in runs if run.touched is not None), np.int64, size)
        self.base_days = (known_us + offset) // DAY_US + 1
        self.from_days = (self.anchors + offset) // DAY_US
        self.to_days = (last_us + offset) // DAY_US
        self.firsts = -(-self.anchors // INTERVAL_US) * INTERVAL_US
        starts = self.from_days * DAY_US - offset
        self.leads = (self.firsts - starts) // INTERVAL_US
        counts = ((self.to_days + 1) * DAY_US - offset - self.firsts) // INTERVAL_US
        self.interval_offsets = _offsets(counts)
        self.row_offsets = _offsets(self.to_days - self.from_days + 1)
        # the local days whose start lies in the window, its end with it
        self.first_days = -((-self.firsts - offset) // DAY_US)
        self.day_offsets = _offsets(self.to_days + 2 - self.first_days)

    def days(self) -> Int64:
        """Of the anchors, point after point."""
        return _ranges(self.first_days, self.day_offsets)

    def row_days(self) -> Int64:
        return _ranges(self.from_days, self.row_offsets)


def _offsets(counts: Int64) -> Int64:
    return np.concatenate([[0], np.cumsum(counts)])


def _ranges(firsts: Int64, offsets: Int64) -> Int64:
    """first, first + 1, … of each, one after the other."""
    sizes = np.diff(offsets)
    return np.arange(offsets[-1]) + np.repeat(firsts - offsets[:-1], sizes)


def advance(
    runs: Sequence[PointRun], books: Books, rules: Rules, calendar: Calendar, run_id: int, memory: Memory
) -> Written:
    """Recompute the windows of runs that have a tail; sets their next tails, and keeps their rows in memory."""
    windows = _Windows(runs, calendar)
    readings, reading_offsets = _readings(runs)
    plans = [plan_of(run.point, rules) for run in runs]
    amounts = np.empty(windows.interval_offsets[-1], np.int64)
    states = np.empty(len(amounts), np.int16)
    days = windows.days()
    anchors, tails = np.empty(len(days), np.int64), np.empty(len(runs), np.int64)
    run_channels(
        readings,
        reading_offsets,
        np.concatenate(plans),
        _offsets(np.array([len(plan) for plan in plans])),
        windows.anchors,
        windows.firsts,
        windows.interval_offsets,
        days * DAY_US - calendar.offset_us,
        windows.day_offsets,
        calendar.offset_us,
        0,
        len(runs),
        amounts,
        states,
        anchors,
        tails,
    )
    rows = _standing(runs, windows, books, memory)
    existed = rows["channel_id"] != 0
    exponents = np.repeat([run.point.exponent for run in runs], np.diff(windows.row_offsets))
    rescaled = existed & (rows["exponent"] != exponents)
    rows["channel_id"] = np.repeat([run.point.id for run in runs], np.diff(windows.row_offsets))
    rows["day"], rows["exponent"] = windows.row_days(), exponents
    changed, moved = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    superseded = np.zeros((len(rows), INTERVALS_PER_DAY), bool)
    arrived = joined([run.work.arrived for run in runs if run.work.arrived is not None], READING_DTYPE)
    merge_consumption(
        amounts,
        states,
        windows.interval_offsets,
        windows.firsts,
        windows.leads,
        windows.row_offsets,
        rescaled,
        np.ascontiguousarray(arrived["at"]),
        np.ascontiguousarray(arrived["committed_at"]),
        _offsets(np.array([len(run.work.arrived) for run in runs if run.work.arrived is not None])),
        rules.late_us,
        run_id,
        rows["amounts"],
        rows["states"],
        rows["run_ids"],
        changed,
        superseded,
    )
    row_anchors = np.ascontiguousarray(rows["anchor_us"])
    standing_anchors(
        anchors,
        windows.day_offsets,
        windows.first_days,
        windows.anchors,
        windows.base_days,
        windows.from_days,
        windows.row_offsets,
        existed,
        row_anchors,
        moved,
    )
    rows["anchor_us"] = row_anchors
    write = changed | moved
    _keep_tails(runs, readings, reading_offsets, tails)
    _keep_rows(runs, windows, rows, existed | write, memory)
    return Written(rows, windows.row_offsets, changed, write, superseded)


def _readings(runs: Sequence[PointRun]) -> tuple[Rows, Int64]:
    """The readings of each tail with those that arrived."""
    parts: list[Rows] = []
    sizes: list[int] = []
    for run in runs:
        assert run.tail is not None
        assert run.work.arrived is not None
        parts += (run.tail.readings, run.work.arrived)
        sizes.append(len(run.tail.readings) + len(run.work.arrived))
    return joined(parts, READING_DTYPE), _offsets(np.array(sizes))


def _standing(runs: Sequence[PointRun], windows: _Windows, books: Books, memory: Memory) -> Rows:
    """The rows that stand, one a day of each window, zero where there is none: from memory, else from the books.

    What is in memory reaches to the last day of which the point has anything.
    """
    pieces: list[Rows | None] = []
    unknown: list[int] = []
    for place, run in enumerate(runs):
        known = memory.consumption.pop(run.point.id, None)
        first, end = int(windows.from_days[place]), int(windows.to_days[place]) + 1
        if known is None or first < int(known["day"][0]):
            unknown.append(place)
            pieces.append(None)
            continue
        piece = known[first - int(known["day"][0]) :]
        if len(piece) < end - first:
            piece = joined([piece, np.zeros(end - first - len(piece), CONSUMPTION_ROW)], CONSUMPTION_ROW)
        pieces.append(piece)
    if unknown:
        stored = books.consumption(
            [runs[place].point.id for place in unknown],
            [int(windows.from_days[place]) for place in unknown],
            [int(windows.to_days[place]) for place in unknown],
        )
        for place in unknown:
            first = int(windows.from_days[place])
            piece = np.zeros(int(windows.to_days[place]) + 1 - first, CONSUMPTION_ROW)
            low, high = np.searchsorted(
                stored["channel_id"], [runs[place].point.id, runs[place].point.id + 1]
            )
            piece[stored["day"][low:high] - first] = stored[low:high]
            pieces[place] = piece
    return joined([piece for piece in pieces if piece is not None], CONSUMPTION_ROW)


def _keep_tails(runs: Sequence[PointRun], readings: Rows, offsets: Int64, tails: Int64) -> None:
    at = np.ascontiguousarray(readings["at"])
    falls = np.diff(at, prepend=at[:1]) < 0
    falls[offsets[:-1]] = False
    in_order = np.add.reduceat(falls, offsets[:-1]) == 0
    for place, run in enumerate(runs):
        anchor = int(tails[place])
        if anchor == NO_ANCHOR:
            continue
        low, high = int(offsets[place]), int(offsets[place + 1])
        if in_order[place]:
            kept = readings[low + int(np.searchsorted(at[low:high], anchor)) : high].copy()
        else:
            kept = readings[low:high][at[low:high] >= anchor]
        run.next_tail = anchor, kept


def _keep_rows(
    runs: Sequence[PointRun], windows: _Windows, rows: Rows, exist: npt.NDArray[np.bool_], memory: Memory
) -> None:
    """Without a channel where there is no row: it may come yet."""
    if len(memory.consumption) + len(runs) > ROWS_MAX:
        return
    kept = rows.copy()
    kept["channel_id"][~exist] = 0
    for place, run in enumerate(runs):
        here = slice(int(windows.row_offsets[place]), int(windows.row_offsets[place + 1]))
        memory.consumption[run.point.id] = kept[here].copy()
