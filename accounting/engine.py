"""The engine: given what a tick has to do for some enterprises, recompute it and write what changed.

Points first, window by window: a window starts at an *anchor*, a reading from which credibility can be
judged without anything earlier, and reaches beyond what was touched until the new run meets the earlier one.
Then the sources that count the changed points. Everything that isn't asked of `Books` is pure.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accounting.books import Books
from accounting.channel import READING_DTYPE, ChannelIntervals, Rules, channel_intervals, gateway_tallies
from accounting.derived import derived_intervals
from accounting.entries import Changes, consumption_changes, dense_days, late_intervals, ledger_changes
from accounting.factors.load import FactorLibrary, SourceFactor
from accounting.sources import SourceStretch, source_stretches
from domain.interval import DAY_US, INTERVAL_US, INTERVALS_PER_DAY, Calendar, ceil_interval
from domain.ledger import ACCOUNT_SERIES, NO_ANCHOR, Chunk, Trait
from domain.registry import Enterprise, Point, Source

log = logging.getLogger(__name__)

Rows = npt.NDArray[Any]
# The ids of factors by the identity of the object, which is kept so that it can't be another's.
FactorIds = dict[int, tuple[SourceFactor, int]]

GROUP_POINTS_MAX = 256  # points recomputed together: bounds memory, and spares round trips to the database
CHUNK_READINGS = 256  # of a channel-day; a full chunk isn't rewritten when the day goes on
PIECE_READINGS_MAX = 4096  # appended to one chunk at once
AROUND_DAYS = 2  # beyond new readings, to begin with: look-ahead, and a day to meet the earlier run at
WINDOW_DAYS = 32  # of a long recomputation, to begin with; widened while the readings are few
SOURCE_DAYS_MAX = 4_000  # recomputed together, each of about 10 KB with what it is made of
WINDOW_READINGS = 200_000  # what a window should not grow much beyond
TAIL_READINGS_MAX = 4_000  # of a point kept in memory; a longer tail is read from the books
TAILS_MAX = 200_000  # points


class Cause(NamedTuple):
    """Why entries are written: kind is arrival, registry, factors or rules."""

    kind: str
    batch_id: int | None
    by_whom: str
    why: str


@dataclass(slots=True)
class PointWork:
    """A point to recompute: around its new readings, and whole where the rules of its reading changed."""

    point: Point
    cause: Cause
    arrived: Rows | None = None  # READING_DTYPE, in order of arrival
    whole: bool = False


@dataclass(slots=True)
class Tail:
    """What a point's next readings are computed from without asking the books, as long as they come in order.

    anchor_us       everything that ends before it is settled, for readings later than `last_us`
    readings        READING_DTYPE from the anchor on
    last_us         the latest stamp of all readings
    day, chunk, size   the chunk of the channel-day that holds it, and how many readings it has
    """

    anchor_us: int
    readings: Rows
    last_us: int
    day: int
    chunk: int
    size: int


@dataclass(slots=True)
class Memory:
    """What an accountant keeps between runs; valid while each of its transactions has been committed."""

    factor_ids: FactorIds = field(default_factory=dict)
    tails: dict[int, Tail] = field(default_factory=dict)  # by point


@dataclass(slots=True)
class EnterpriseWork:
    """What a tick has to do for one enterprise."""

    enterprise: Enterprise
    points: dict[int, PointWork] = field(default_factory=dict)
    whole_sources: dict[int, tuple[Source, Cause]] = field(default_factory=dict)


@dataclass(slots=True)
class TickResult:
    """What a tick did."""

    batches: int = 0
    readings: int = 0
    entries: int = 0  # ledger entries written
    superseded: int = 0
    committed_us: int = 0  # of the last batch taken: what the lag is measured from


def groups(works: Iterable[EnterpriseWork]) -> Iterator[list[EnterpriseWork]]:
    """Enterprises together, as long as their points are few."""
    group: list[EnterpriseWork] = []
    points = 0
    for work in works:
        size = len(work.points)
        if group and points + size > GROUP_POINTS_MAX:
            yield group
            group, points = [], 0
        group.append(work)
        points += size
    if group:
        yield group


class _PointRun:
    """One point's way through its windows.

    A window gives final intervals up to the anchor of its end: whatever readings lie beyond, those before it
    stay. The next window starts there. A run around new readings ends where it meets the earlier one: at a day
    whose anchor lies behind all of them and is the one that stood.
    """

    def __init__(
        self, work: PointWork, enterprise: Enterprise, rules: Rules, calendar: Calendar, tail: Tail | None
    ) -> None:
        self.work = work
        self.enterprise = enterprise
        self.point = work.point
        self._rules = rules
        self._calendar = calendar
        arrived = work.arrived
        self.touched = None if arrived is None else (int(arrived["at"].min()), int(arrived["at"].max()))
        in_order = self.touched is not None and tail is not None and self.touched[0] > tail.last_us
        self.tail = tail if in_order and not work.whole else None
        self.open_chunk: tuple[int, int, int] | None = (
            None  # day, number and size, after the readings were appended
        )
        self.next_tail: tuple[int, Rows] | None = None
        self.span = WINDOW_DAYS if work.whole else AROUND_DAYS
        self.done = False
        self.changes: list[Changes] = []
        self.tallies: dict[int, tuple[int, int]] = {}  # by gateway, of a whole recomputation

    def begin_at_tail(self) -> None:
        """One window from the tail to the last of the new readings."""
        assert self.tail is not None
        assert self.touched is not None
        calendar = self._calendar
        self._anchor = self.tail.anchor_us
        self._base_day = calendar.day(self.tail.last_us) + 1
        self.from_day = calendar.day(self._anchor)
        self._first_us = ceil_interval(self._anchor)
        self.to_day = self._last_day = calendar.day(self.touched[1])

    def begin(self, anchor: int, first_day: int, last_day: int) -> None:
        """Set the first window; `first_day` and `last_day` bound the readings and rows that there are."""
        self._last_day = last_day
        self._anchor = NO_ANCHOR if self.work.whole else anchor
        # The day from whose start on readings may come and leave what lies before the anchor as it is.
        self._base_day = first_day if self.touched is None else self._calendar.day(self.touched[0])
        if self._anchor == NO_ANCHOR:
            periods = [version.period for version in self.point.versions if version.period is not None]
            # A first value covers the period before its stamp; 31 days stand for any month.
            reach = max((-(-period.us // DAY_US) + 31 * period.months for period in periods), default=0)
            self.from_day = first_day - reach
            self._first_us = self._calendar.day_start(self.from_day)
        else:
            self.from_day = self._calendar.day(self._anchor)
            self._first_us = ceil_interval(self._anchor)
        day = self.from_day
        if self.touched is not None and not self.work.whole:
            day = max(day, self._calendar.day(self.touched[1]))
        self.to_day = min(day + self.span, last_day)

    def advance(self, run_id: int, readings: Rows, stored: Rows) -> None:
        """Recompute the window from its readings (READING_DTYPE) and the rows that stand (CONSUMPTION_ROW)."""
        calendar = self._calendar
        end_day = self.to_day + 1
        complete = self.to_day >= self._last_day
        if self._anchor != NO_ANCHOR:
            readings = readings[readings["at"] >= self._anchor]
        result = channel_intervals(
            self.point,
            readings,
            self._first_us,
            calendar.day_start(end_day),
            self._rules,
            calendar,
            self._anchor,
        )
        standing = dict(zip(stored["day"].tolist(), stored["anchor_us"].tolist(), strict=True))
        anchors = {
            day: anchor if anchor != NO_ANCHOR else self._known_anchor(day, standing)
            for day, anchor in zip(result.anchor_days.tolist(), result.anchors.tolist(), strict=True)
        }
        final_day = end_day if complete else self._final_day(anchors[end_day])
        met = None if self.work.whole else self._met(anchors, standing, final_day)
        until = final_day if met is None else met
        until_us = calendar.day_start(until)
        if until_us > self._first_us:
            self._take(run_id, result, until, anchors, stored)
            if self.work.whole:
                self._count(readings, until_us)
            self._first_us = until_us
            self._anchor = anchors.get(until, self._anchor)
            self._base_day = until
        if complete and result.tail_anchor != NO_ANCHOR:
            self.next_tail = result.tail_anchor, readings[readings["at"] >= result.tail_anchor]
        self.done = complete or met is not None
        if not self.done:
            self.from_day = min(until, end_day) if self._anchor == NO_ANCHOR else calendar.day(self._anchor)
            if len(readings) < WINDOW_READINGS // 2 or until <= self.from_day:
                self.span = max(2 * self.span, WINDOW_DAYS)
            self.to_day = min(max(self.to_day, until) + self.span, self._last_day)

    def _known_anchor(self, day: int, standing: dict[int, int]) -> int:
        """The anchor of a day of which the window's readings give none."""
        if self._anchor != NO_ANCHOR and day >= self._base_day:
            return self._anchor
        return NO_ANCHOR if self.work.whole else standing.get(day, NO_ANCHOR)

    def _final_day(self, anchor: int) -> int:
        """The last day up to whose start nothing beyond the window can change what the window gives."""
        if anchor == NO_ANCHOR:
            return self._calendar.day(self._first_us)
        return self._calendar.day(ceil_interval(anchor))

    def _met(self, anchors: dict[int, int], standing: dict[int, int], final_day: int) -> int | None:
        """The first day from which on everything stands as it would be computed; None if not in this window."""
        assert self.touched is not None
        for day in sorted(anchors):
            known = standing.get(day, NO_ANCHOR)
            if day <= final_day and anchors[day] == known and known > self.touched[1]:
                return day
        return None

    def _take(
        self, run_id: int, result: ChannelIntervals, until: int, anchors: dict[int, int], stored: Rows
    ) -> None:
        calendar = self._calendar
        count = (calendar.day_start(until) - self._first_us) // INTERVAL_US
        late = None
        if self.work.arrived is not None and not self.work.whole:
            ends = self._first_us + INTERVAL_US * np.arange(1, count + 1)
            arrived = self.work.arrived
            late = late_intervals(ends, arrived["at"], arrived["committed_at"], self._rules.late_us)
        first = (self._first_us + calendar.offset_us) // INTERVAL_US
        changes = consumption_changes(
            self.point.id,
            self.point.exponent,
            stored[(stored["day"] >= first // INTERVALS_PER_DAY) & (stored["day"] < until)],
            first,
            result.amounts[:count],
            result.states[:count],
            anchors,
            late,
            run_id,
        )
        if len(changes.rows):
            self.changes.append(changes)

    def _count(self, readings: Rows, until_us: int) -> None:
        mine = readings[(readings["at"] >= self._first_us) & (readings["at"] < until_us)]
        for gateway, pair in gateway_tallies(self.point, mine).items():
            before = self.tallies.get(gateway, (0, 0))
            self.tallies[gateway] = (before[0] + pair[0], before[1] + pair[1])


class GroupRun:
    """The work of one run for a group of enterprises."""

    def __init__(
        self,
        books: Books,
        library: FactorLibrary,
        rules: Rules,
        calendar: Calendar,
        run_id: int,
        result: TickResult,
        memory: Memory,
    ) -> None:
        self._books = books
        self._library = library
        self._rules = rules
        self._calendar = calendar
        self._run_id = run_id
        self._result = result
        self._memory = memory

    def do(self, group: Sequence[EnterpriseWork]) -> None:
        """Recompute the points, derived points and sources of these enterprises and write what changed."""
        measured = [
            (work.enterprise, point_work)
            for work in group
            for point_work in work.points.values()
            if point_work.point.derivation is None
        ]
        touched = self._points(measured)
        self._derived(group, touched)
        self._sources(group, touched)

    # -- points ---------------------------------------------------------------------------------------

    def _points(
        self, works: Sequence[tuple[Enterprise, PointWork]]
    ) -> dict[int, tuple[npt.NDArray[Any], Cause]]:
        """Recompute measured points; by point the days that changed and why."""
        tails = self._memory.tails
        runs = self._begin(
            [
                _PointRun(work, enterprise, self._rules, self._calendar, tails.pop(work.point.id, None))
                for enterprise, work in works
            ]
        )
        pending = runs
        first_round = True
        while pending:
            stored, readings = self._load(pending, append=first_round)
            for run in pending:
                run.advance(self._run_id, readings[run.point.id], stored[run.point.id])
            pending = [run for run in pending if not run.done]
            first_round = False
        self._write_consumption([(run.enterprise, changes) for run in runs for changes in run.changes])
        for run in runs:
            if run.work.whole:
                self._books.replace_tallies(run.point.id, run.tallies)
            self._keep_tail(run)
        return {
            run.point.id: (np.concatenate([changes.rows["day"] for changes in run.changes]), run.work.cause)
            for run in runs
            if run.changes
        }

    def _begin(self, runs: list[_PointRun]) -> list[_PointRun]:
        result = [run for run in runs if run.tail is not None]
        for run in result:
            run.begin_at_tail()
        runs = [run for run in runs if run.tail is None]
        if not runs:
            return result
        bounds = self._books.day_bounds([run.point.id for run in runs])
        arriving = [run for run in runs if run.touched is not None and not run.work.whole]
        ids = [run.point.id for run in arriving]
        days = [self._calendar.day(run.touched[0]) for run in arriving if run.touched is not None]
        anchors = self._books.anchors(ids, days) if ids else []
        by_id = dict(zip(ids, anchors, strict=True))
        for run in runs:
            span = [*bounds.get(run.point.id, ())]
            if run.touched is not None:
                span += [self._calendar.day(us) for us in run.touched]
            if span:
                run.begin(by_id.get(run.point.id, NO_ANCHOR), min(span), max(span))
                result.append(run)
        return result

    def _keep_tail(self, run: _PointRun) -> None:
        """Remember where the point's next readings go on from, if the run reached the end of what there is."""
        if run.next_tail is None or run.touched is None or run.open_chunk is None:
            return
        anchor, readings = run.next_tail
        last_us = int(readings["at"].max()) if len(readings) else 0
        day, chunk, size = run.open_chunk
        if (
            len(readings)
            and len(readings) <= TAIL_READINGS_MAX
            and day == self._calendar.day(last_us)
            and len(self._memory.tails) < TAILS_MAX
        ):
            self._memory.tails[run.point.id] = Tail(anchor, readings, last_us, day, chunk, size)

    def _load(self, runs: Sequence[_PointRun], append: bool) -> tuple[dict[int, Rows], dict[int, Rows]]:
        """Rows that stand and readings of each run's window; new readings are appended to their days first."""
        chunks: dict[int, list[Chunk]] = defaultdict(list)
        for chunk in self._books.chunks(
            *_columns_of([self._wanted(run, append) for run in runs if not run.tail])
        ):
            chunks[chunk.channel_id].append(chunk)
        if append:
            self._append(runs, chunks)
        readings = {}
        for run in runs:
            known = (
                run.tail.readings.tobytes()
                if run.tail
                else b"".join(c.readings for c in chunks[run.point.id])
            )
            whole = _unpack(known, run.work.arrived if append else None)
            end_us = self._calendar.day_start(run.to_day + 1)
            start_us = self._calendar.day_start(run.from_day)
            inside = (whole["at"] >= start_us) & (whole["at"] < end_us)
            readings[run.point.id] = whole if inside.all() else whole[inside]
        ids = [run.point.id for run in runs]
        rows = self._books.consumption(ids, [run.from_day for run in runs], [run.to_day for run in runs])
        return _by_id(rows, "channel_id", ids), readings

    def _wanted(self, run: _PointRun, append: bool) -> tuple[int, int, int]:
        """Point and days, first to last, whose readings are wanted: the window's, and those to be appended to."""
        days = [run.from_day, run.to_day]
        if append and run.touched is not None:
            days += [self._calendar.day(us) for us in run.touched]
        return run.point.id, min(days), max(days)

    def _append(self, runs: Sequence[_PointRun], chunks: dict[int, list[Chunk]]) -> None:
        """Append the new readings to their channel-days and count duplicates and conflicts."""
        appended: list[Chunk] = []
        owners: list[int] = []
        tallies: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for run in runs:
            arrived = run.work.arrived
            if arrived is None:
                continue
            point = run.point
            days = (arrived["at"] + self._calendar.offset_us) // DAY_US
            for day in sorted(set(days.tolist())):
                new = arrived[days == day]
                old = [chunk for chunk in chunks[point.id] if chunk.day == day]
                number, size = (old[-1].chunk, old[-1].size) if old else (0, 0)
                if run.tail is not None and run.tail.day == day:
                    number, size = run.tail.chunk, run.tail.size
                if size >= CHUNK_READINGS:
                    number, size = number + 1, 0
                for start in range(0, len(new), PIECE_READINGS_MAX):
                    piece = new[start : start + PIECE_READINGS_MAX]
                    if start:
                        number, size = number + 1, 0
                    appended.append(Chunk(point.id, day, number, len(piece), piece.tobytes()))
                    owners.append(run.enterprise.id)
                    size += len(piece)
                run.open_chunk = day, number, size
                if not run.work.whole:
                    self._count(point, _unpack(b"".join(chunk.readings for chunk in old), None), new, tallies)
        self._books.append_readings(appended, owners)
        self._books.add_tallies({key: (pair[0], pair[1]) for key, pair in tallies.items() if pair != [0, 0]})

    def _count(
        self, point: Point, before: Rows, new: Rows, tallies: dict[tuple[int, int], list[int]]
    ) -> None:
        """Add what a day's new readings change in the duplicates and conflicts of its gateways."""
        day = np.frombuffer(before.tobytes() + new.tobytes(), READING_DTYPE)
        if len(set(day["at"].tolist())) == len(day):
            return  # every stamp once: neither a duplicate nor a conflict
        for gateway, (duplicates, conflicts) in gateway_tallies(point, day).items():
            tallies[gateway, point.id][0] += duplicates
            tallies[gateway, point.id][1] += conflicts
        for gateway, (duplicates, conflicts) in gateway_tallies(point, before).items():
            tallies[gateway, point.id][0] -= duplicates
            tallies[gateway, point.id][1] -= conflicts

    def _write_consumption(self, changes: Sequence[tuple[Enterprise, Changes]]) -> None:
        if not changes:
            return
        rows = np.concatenate([change.rows for _, change in changes])
        owners = np.concatenate([np.full(len(change.rows), enterprise.id) for enterprise, change in changes])
        places, indexes = _superseded([change for _, change in changes])
        self._books.keep_consumption(
            self._run_id, rows["channel_id"][places].tolist(), rows["day"][places].tolist(), indexes.tolist()
        )
        self._books.replace_consumption(rows, owners)

    # -- derived points -------------------------------------------------------------------------------

    def _derived(
        self, group: Sequence[EnterpriseWork], touched: dict[int, tuple[npt.NDArray[Any], Cause]]
    ) -> None:
        """Recompute the derived points of changed inputs, and those whose definition changed, whole."""
        changes: list[tuple[Enterprise, Changes]] = []
        for work in group:
            for point in work.enterprise.points.values():
                if point.derivation is None:
                    continue
                inputs = [work.enterprise.points[name] for _, name in point.derivation.inputs]
                whole = work.points.get(point.id)
                days, cause = _touched_days(inputs, touched)
                if whole is not None and whole.whole:
                    bounds = self._books.day_bounds([point.id, *(input_.id for input_ in inputs)])
                    cause = whole.cause
                    if bounds:
                        days = np.arange(
                            min(first for first, _ in bounds.values()),
                            max(last for _, last in bounds.values()) + 1,
                        )
                if cause is None:
                    continue
                changed_days = []
                for first_day, end_day in _stretches(days):
                    change = self._derive(point, inputs, first_day, end_day)
                    if len(change.rows):
                        changes.append((work.enterprise, change))
                        changed_days.append(change.rows["day"])
                if changed_days:
                    touched[point.id] = (np.concatenate(changed_days), cause)
        self._write_consumption(changes)

    def _derive(self, point: Point, inputs: Sequence[Point], first_day: int, end_day: int) -> Changes:
        ids = [input_.id for input_ in inputs]
        stored = self._books.consumption(
            [*ids, point.id], [first_day] * (len(ids) + 1), [end_day - 1] * (len(ids) + 1)
        )
        rows = _by_id(stored, "channel_id", [*ids, point.id])
        assert point.derivation is not None
        arrays = {
            name: dense_days(rows[input_.id], first_day, end_day)
            for (name, _), input_ in zip(point.derivation.inputs, inputs, strict=True)
        }
        amounts, states = derived_intervals(
            point,
            dict(zip([name for name, _ in point.derivation.inputs], inputs, strict=True)),
            {name: (dense["amounts"].ravel(), dense["states"].ravel()) for name, dense in arrays.items()},
        )
        return consumption_changes(
            point.id,
            point.exponent,
            rows[point.id],
            first_day * INTERVALS_PER_DAY,
            amounts,
            states,
            {},
            None,
            self._run_id,
        )

    # -- sources --------------------------------------------------------------------------------------

    def _sources(
        self, group: Sequence[EnterpriseWork], touched: dict[int, tuple[npt.NDArray[Any], Cause]]
    ) -> None:
        """Recompute the sources over changed points and those that changed themselves."""
        jobs: list[tuple[Enterprise, Source, int, int, Cause]] = []
        whole_sources = [(work, *whole) for work in group for whole in work.whole_sources.values()]
        bounds = self._books.source_bounds([source.id for _, source, _ in whole_sources])
        point_bounds = self._books.day_bounds(
            sorted(
                {
                    point.id
                    for work, source, _ in whole_sources
                    for point in _points_of(work.enterprise, source)
                }
            )
        )
        whole_by_id = {source.id: cause for _, source, cause in whole_sources}
        for work in group:
            for source in work.enterprise.sources.values():
                points = _points_of(work.enterprise, source)
                days, cause = _touched_days(points, touched)
                if source.id in whole_by_id:
                    cause = whole_by_id[source.id]
                    spans = [bounds[source.id]] if source.id in bounds else []
                    spans += [point_bounds[point.id] for point in points if point.id in point_bounds]
                    if spans:
                        days = np.arange(min(first for first, _ in spans), max(last for _, last in spans) + 1)
                if cause is None:
                    continue
                for first_day, end_day in _stretches(days):
                    for start in range(first_day, end_day, 366):
                        jobs.append((work.enterprise, source, start, min(start + 366, end_day), cause))
        together: list[tuple[Enterprise, Source, int, int, Cause]] = []
        days_together = 0
        for job in jobs:
            together.append(job)
            days_together += job[3] - job[2]
            if days_together >= SOURCE_DAYS_MAX:
                self._source_jobs(together)
                together, days_together = [], 0
        if together:
            self._source_jobs(together)

    def _source_jobs(self, jobs: Sequence[tuple[Enterprise, Source, int, int, Cause]]) -> None:
        wants = sorted(
            {
                (point.id, first_day, end_day - 1)
                for enterprise, source, first_day, end_day, _ in jobs
                for point in _points_of(enterprise, source)
            }
        )
        consumption = self._books.consumption(*_columns_of(wants))
        standing = self._books.ledger(*_columns_of([(job[1].id, job[2], job[3] - 1) for job in jobs]))
        by_point = _by_id(consumption, "channel_id", [want[0] for want in wants])
        by_source = _by_id(standing, "source_id", [job[1].id for job in jobs])
        causes = sorted({job[4] for job in jobs}, key=repr)
        cause_ids = dict(zip(causes, self._books.causes(self._run_id, causes), strict=True))
        written: list[tuple[Enterprise, Trait, Changes]] = []
        for enterprise, source, first_day, end_day, cause in jobs:
            dense = {
                point.id: dense_days(by_point[point.id], first_day, end_day)
                for point in _points_of(enterprise, source)
            }
            for stretch in source_stretches(
                enterprise, source, first_day, end_day, dense, self._library, self._calendar
            ):
                days = len(stretch.mg)
                standing_here = _days(
                    by_source[source.id], stretch.series, stretch.first_day, stretch.first_day + days
                )
                if stretch.factor is None and not len(standing_here):
                    continue
                factor_id = 0 if stretch.factor is None else self._factor_id(stretch.factor)
                changes = ledger_changes(
                    source.id,
                    stretch.series,
                    stretch.exponent,
                    standing_here,
                    stretch.first_day,
                    stretch.consumption,
                    stretch.mg,
                    stretch.states,
                    np.full(days, factor_id),
                    np.full((days, INTERVALS_PER_DAY), cause_ids[cause]),
                    self._run_id,
                )
                if len(changes.rows):
                    written.append((enterprise, _trait(stretch), changes))
        self._write_ledger(written)

    def _write_ledger(self, written: Sequence[tuple[Enterprise, Trait, Changes]]) -> None:
        if not written:
            return
        all_changes = [changes for _, _, changes in written]
        rows = np.concatenate([changes.rows for changes in all_changes])
        places, indexes = _superseded(all_changes)
        self._books.keep_ledger(
            self._run_id,
            rows["source_id"][places].tolist(),
            rows["day"][places].tolist(),
            rows["series"][places].tolist(),
            indexes.tolist(),
        )
        alike: dict[Trait, list[tuple[Rows, int]]] = defaultdict(list)
        for enterprise, trait, changes in written:
            alike[trait].append((changes.rows, enterprise.id))
        self._books.replace_ledger(
            [
                (
                    trait,
                    np.concatenate([part for part, _ in parts]),
                    np.concatenate([np.full(len(part), id_) for part, id_ in parts]),
                )
                for trait, parts in alike.items()
            ]
        )
        months = sorted(
            {
                (
                    int(source_id),
                    self._calendar.month_start(int(day)),
                    self._calendar.month_start(int(day), 1),
                )
                for source_id, day in zip(rows["source_id"], rows["day"], strict=True)
            }
        )
        self._books.sum_months(*_columns_of(months))
        self._result.entries += sum(int(changes.changed.sum()) for changes in all_changes)
        self._result.superseded += sum(int(changes.superseded.sum()) for changes in all_changes)

    def _factor_id(self, factor: SourceFactor) -> int:
        known = self._memory.factor_ids.get(id(factor))
        if known is not None and known[0] is factor:
            return known[1]
        content = json.dumps(
            [str(factor.mg_per_unit), factor.gas, factor.scope, factor.boundaries, factor.description],
            ensure_ascii=False,
            sort_keys=True,
        )
        factor_id = self._books.used_factor(
            hashlib.sha256(content.encode()).hexdigest(),
            self._library.set_hash,
            factor.mg_per_unit.numerator,
            factor.mg_per_unit.denominator,
            factor.description,
        )
        self._memory.factor_ids[id(factor)] = (factor, factor_id)
        return factor_id


def _unpack(packed: bytes, arrived: Rows | None) -> Rows:
    """READING_DTYPE of packed readings and what arrived after; joined as bytes, which is quicker than as records."""
    return np.frombuffer(packed if arrived is None else packed + arrived.tobytes(), READING_DTYPE)


def _trait(stretch: SourceStretch) -> Trait:
    factor = stretch.factor
    if factor is None:  # entries that stood until now and have become missing
        boundaries = ("account", "ets") if stretch.series == ACCOUNT_SERIES else ("ets",)
        return Trait("CO2", 0, boundaries, stretch.unit)
    return Trait(factor.gas, factor.scope, factor.boundaries, stretch.unit)


def _points_of(enterprise: Enterprise, source: Source) -> list[Point]:
    names = dict.fromkeys(term.point for dated in source.versions for term in dated.value.terms)
    return [enterprise.points[name] for name in names]


def _touched_days(
    points: Sequence[Point], touched: dict[int, tuple[npt.NDArray[Any], Cause]]
) -> tuple[npt.NDArray[Any], Cause | None]:
    """Days on which any of these points changed, and the latest cause of it."""
    found = [touched[point.id] for point in points if point.id in touched]
    if not found:
        return np.empty(0, np.int64), None
    cause = max((cause for _, cause in found), key=lambda cause: cause.batch_id or 0)
    return np.unique(np.concatenate([days for days, _ in found])), cause


def _stretches(days: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Runs of consecutive days as half-open ranges."""
    if not len(days):
        return []
    cuts = np.flatnonzero(np.diff(days) > 1)
    firsts = days[np.concatenate([[0], cuts + 1])]
    lasts = days[np.concatenate([cuts, [len(days) - 1]])]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def _by_id(rows: Rows, key: str, ids: Iterable[int]) -> dict[int, Rows]:
    """Rows, ordered by their key, by it."""
    result = {}
    for id_ in ids:
        low, high = np.searchsorted(rows[key], id_), np.searchsorted(rows[key], id_, side="right")
        result[id_] = rows[low:high]
    return result


def _days(rows: Rows, series: int, first_day: int, end_day: int) -> Rows:
    here: Rows = rows[(rows["series"] == series) & (rows["day"] >= first_day) & (rows["day"] < end_day)]
    return here


def _columns_of(wants: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    return [want[0] for want in wants], [want[1] for want in wants], [want[2] for want in wants]


def _superseded(changes: Sequence[Changes]) -> tuple[Rows, Rows]:
    """Place of the row and number of the interval of every superseded entry, over the rows of all changes in turn."""
    places, indexes = np.nonzero(np.concatenate([change.superseded for change in changes]))
    return places, indexes
