"""Sums of the ledger over periods: of an enterprise's sources, or of the accounts of a park's or district's members.

Whole months and days come as stored sums, pieces of days as single entries. As of an earlier run, days of which
something was written later are added up entry by entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from api.context import Session
from api.periods import Parts, Range, Slice, parts_of
from api.sums import Cells, Sum, add_intervals, add_to, dense, worst_quality
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY
from storage import emissions
from storage.emissions import Filter, Runs, SumRow, Sums, Want

# Source-days whose single entries are held at once: an entry takes about 18 bytes, a source-day 1.7 kB.
_DAYS_AT_ONCE = 4_000


class Stretch(NamedTuple):
    """An enterprise's membership: local days [first_day, end_day), None where it has no such end."""

    enterprise_id: int
    first_day: int | None = None
    end_day: int | None = None

    def clip(self, first: int, end: int) -> tuple[int, int]:
        """The part of [first, end) within it; empty where the second isn't beyond the first."""
        return (
            first if self.first_day is None else max(first, self.first_day),
            end if self.end_day is None else min(end, self.end_day),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """Whose entries are to be summed, which of them, apart by what, and as of which runs."""

    members: Sequence[Stretch]
    wanted: Filter
    runs: Runs | None = None


def sums(session: Session, question: Question, periods: Sequence[Range], *, single: bool) -> Cells:
    """What is known of each period, by (key, number of the period). Periods may share intervals, as windows do.

    single  the periods lie within hours or are single intervals: no stored sums can be of use
    """
    calendar = session.calendar
    parts = [
        parts_of(period, calendar, whole_days=not single, whole_months=not single and question.runs is None)
        for period in periods
    ]
    cells: Cells = {}
    _add_stored(session, question, parts, cells)
    own_flags = single and all(period.to_us - period.from_us <= INTERVAL_US for period in periods)
    slices = [(number, piece) for number, each in enumerate(parts) for piece in each.slices]
    _add_entries(session, question, slices, len(periods), cells, own_flags=own_flags)
    if question.runs is not None:
        whole = [
            (number, Slice(day, 0, INTERVALS_PER_DAY))
            for number, each in enumerate(parts)
            for day in each.days
        ]
        _add_entries(session, question, whole, len(periods), cells, later_only=True)
    return cells


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive numbers as ranges [first, end)."""
    first = end = None
    for number in sorted(set(numbers)):
        if end is None or number != end:
            if first is not None and end is not None:
                yield first, end
            first = number
        end = number + 1
    if first is not None and end is not None:
        yield first, end


def _wants(members: Sequence[Stretch], ranges: Sequence[tuple[int, int]]) -> list[Want]:
    wants = []
    for stretch in members:
        for first, end in ranges:
            low, high = stretch.clip(first, end)
            if low < high:
                wants.append(Want(stretch.enterprise_id, low, high))
    return wants


def _sum_of(row: SumRow) -> Sum:
    return Sum(
        row.mg,
        -6,
        row.known,
        row.uncredited,
        worst_quality(row.measured, row.interpolated, row.estimated),
        row.flags,
        set(row.factor_ids),
    )


def _add_rows(rows: Iterable[SumRow], periods_of: Sequence[Sequence[int]], cells: Cells) -> None:
    for row in rows:
        if row.known:
            for period in periods_of[row.number]:
                add_to(cells, row.key, period, _sum_of(row))


def _stretches(periods_of: Mapping[int, Sequence[int]]) -> tuple[list[int], list[Sequence[int]]]:
    """Where the periods change: the days (or months) from one such start on and before the next are of the same
    periods, so that they need one sum; and these periods, a start.
    """
    starts: list[int] = []
    periods: list[Sequence[int]] = []
    for number, its in sorted(periods_of.items()):
        if not periods or its != periods[-1]:
            starts.append(number)
            periods.append(its)
    return starts, periods


def _add_stored(session: Session, question: Question, parts: Sequence[Parts], cells: Cells) -> None:
    """Add the stored sums of whole months and days."""
    of_months: dict[int, list[int]] = defaultdict(list)
    of_days: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(parts):
        for month in each.months:
            of_months[month].append(number)
        for day in each.days:
            of_days[day].append(number)
    calendar = session.calendar
    months = sorted(of_months)
    ends = {month: calendar.month_start(month, 1) for month in months}
    whole: list[Want] = []
    pieces: list[Want] = []
    for stretch in question.members:
        inside = []
        for month in months:
            first, end = stretch.clip(month, ends[month])
            if (first, end) == (month, ends[month]):
                inside.append(month)
            elif first < end:
                pieces.append(Want(stretch.enterprise_id, first, end))
        whole += [Want(stretch.enterprise_id, first, end) for first, end in _month_runs(inside, ends)]
    month_starts, periods_of_months = _stretches(of_months)
    day_starts, periods_of_days = _stretches(of_days)
    month_rows, day_rows = emissions.stored_sums(
        session.conn,
        Sums(whole, month_starts),
        Sums(_wants(question.members, list(_runs(of_days))), day_starts),
        question.wanted,
        question.runs,
    )
    _add_rows(month_rows, periods_of_months, cells)
    _add_rows(day_rows, periods_of_days, cells)
    if pieces:
        # Members that joined or left within a month count by their days in it.
        _, rows = emissions.stored_sums(session.conn, Sums(), Sums(pieces, month_starts), question.wanted)
        _add_rows(rows, periods_of_months, cells)


def _month_runs(months: Sequence[int], ends: dict[int, int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for month in months:
        if ranges and ranges[-1][1] == month:
            ranges[-1] = (ranges[-1][0], ends[month])
        else:
            ranges.append((month, ends[month]))
    return ranges


def _apart(
    slices: Iterable[tuple[int, Slice]], periods: int
) -> tuple[list[tuple[int, Slice]], dict[int, tuple[int, ...]]]:
    """Slices of numbered periods as pieces that share no interval. What several periods share is of a number beyond
    those of the periods; the second says whose it is.
    """
    of_day: dict[int, list[tuple[int, Slice]]] = defaultdict(list)
    for number, piece in slices:
        of_day[piece.day].append((number, piece))
    pieces: list[tuple[int, Slice]] = []
    shared: dict[tuple[int, ...], int] = {}
    for day, its in of_day.items():
        if len(its) == 1 or all(one.end <= next_.first for (_, one), (_, next_) in pairwise(its)):
            pieces += its
            continue
        cuts = sorted({cut for _, piece in its for cut in (piece.first, piece.end)})
        for first, end in pairwise(cuts):
            numbers = tuple(number for number, piece in its if piece.first <= first and end <= piece.end)
            if len(numbers) == 1:
                pieces.append((numbers[0], Slice(day, first, end)))
            elif numbers:
                pieces.append((shared.setdefault(numbers, periods + len(shared)), Slice(day, first, end)))
    return pieces, {number: numbers for numbers, number in shared.items()}


def _add_entries(
    session: Session,
    question: Question,
    slices: Sequence[tuple[int, Slice]],
    periods: int,
    cells: Cells,
    *,
    own_flags: bool = False,
    later_only: bool = False,
) -> None:
    """Add the single entries of slices, each with the number of its period, of so many."""
    pieces, shared = _apart(slices, periods)
    days = sorted({piece.day for _, piece in pieces})
    at_once = max(1, _DAYS_AT_ONCE // max(1, len(question.members)))
    for start in range(0, len(days), at_once):
        some = days[start : start + at_once]
        wants = _wants(question.members, list(_runs(some)))
        rows = emissions.entries(session.conn, wants, question.wanted, question.runs, later_only=later_only)
        groups = [
            (rows["key"], rows["day"], rows["factor_id"], rows["mg"], rows["states"], rows["repeats"] != 0)
        ]
        if question.runs is not None:
            past = emissions.past_entries(session.conn, wants, question.wanted, question.runs)
            groups.append(
                (*dense([each[:6] for each in past]), np.array([each.repeats for each in past], bool))
            )
        period_of = np.full((some[-1] - some[0] + 1) * INTERVALS_PER_DAY, -1, np.int64)
        for number, piece in pieces:
            if some[0] <= piece.day <= some[-1]:
                first = (piece.day - some[0]) * INTERVALS_PER_DAY
                period_of[first + piece.first : first + piece.end] = number
        for keys, on_days, factor_ids, mg, states, repeats in groups:
            add_intervals(
                cells,
                keys.astype(np.int64),
                on_days.astype(np.int64),
                mg,
                states,
                period_of,
                some[0],
                exponent=-6,
                factor_ids=factor_ids,
                repeats=repeats,
                own_flags=own_flags,
            )
    for key, number in [cell for cell in cells if cell[1] in shared]:
        part = cells.pop((key, number))
        for period in shared[number]:
            cells.setdefault((key, period), Sum()).add(part)
