"""Recomputing the consumption of points: measured ones from their readings, derived ones from their inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from accounting import in_order
from accounting.books import Books
from accounting.channel import READING_DTYPE, Rules, gateway_tallies
from accounting.derived import derived_intervals
from accounting.entries import KEPT_STATE, LATE, Changes, consumption_changes, dense_days
from accounting.point_run import PointRun
from accounting.rows import by_id, columns_of, stretches, superseded
from accounting.work import Cause, EnterpriseWork, Memory, Rows, Tail
from domain.interval import DAY_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import NO_ANCHOR, Chunk
from domain.registry import Enterprise, Point

Touched = dict[int, tuple[Rows, Cause]]  # by point: the days that changed, and why

CHUNK_READINGS = 256  # of a channel-day; a full chunk isn't rewritten when the day goes on
POINT_DAYS_MAX = 4_000  # recomputed together, each of about 10 KB with its readings
PIECE_READINGS_MAX = 4096  # appended to one chunk at once
TAIL_READINGS_MAX = 4_000  # of a point kept in memory; a longer tail is read from the books
TAILS_MAX = 200_000  # points


class PointsRun:
    """The points of a group of enterprises within one run."""

    def __init__(self, books: Books, rules: Rules, calendar: Calendar, run_id: int, memory: Memory) -> None:
        self._books = books
        self._rules = rules
        self._calendar = calendar
        self._run_id = run_id
        self._memory = memory

    def measured(self, group: Sequence[EnterpriseWork]) -> Touched:
        """Recompute measured points; by point the days that changed and why."""
        works = [
            (work.enterprise, point_work)
            for work in group
            for point_work in work.points.values()
            if point_work.point.derivation is None
        ]
        tails = self._memory.tails
        runs = self._begin(
            [
                PointRun(work, enterprise, self._rules, self._calendar, tails.pop(work.point.id, None))
                for enterprise, work in works
            ]
        )
        touched: Touched = {}
        for part in _parts([run for run in runs if run.tail is not None]):
            self._advance_in_order(part, touched)
        for part in _parts([run for run in runs if run.tail is None]):
            self._advance(part, touched)
        return touched

    def _advance_in_order(self, part: Sequence[PointRun], touched: Touched) -> None:
        """New readings after everything known."""
        self._append(part, {})
        written = in_order.advance(part, self._books, self._rules, self._calendar, self._run_id, self._memory)
        rows = written.rows
        places = np.flatnonzero(written.superseded.any(axis=1))
        self._books.keep_consumption(
            self._run_id, rows["channel_id"][places], rows["day"][places], written.superseded[places]
        )
        owners = np.repeat([run.enterprise.id for run in part], np.diff(written.offsets))
        self._books.replace_consumption(rows[written.write], owners[written.write])
        days = np.ascontiguousarray(rows["day"], np.int64)
        for run, low, high in zip(
            part, written.offsets[:-1].tolist(), written.offsets[1:].tolist(), strict=True
        ):
            self._keep_tail(run)
            mine = days[low:high][written.changed[low:high]]
            if len(mine):
                touched[run.point.id] = (mine, run.work.cause)

    def _advance(self, part: Sequence[PointRun], touched: Touched) -> None:
        """Whatever is to be computed again, window by window."""
        pending = list(part)
        first_round = True
        while pending:
            stored, readings = self._load(pending, append=first_round)
            for run in pending:
                run.advance(self._run_id, readings[run.point.id], stored[run.point.id])
            pending = [run for run in pending if not run.done]
            first_round = False
        self._write_consumption([(run.enterprise, changes) for run in part for changes in run.changes])
        for run in part:
            self._memory.consumption.pop(run.point.id, None)
            if run.is_partial:
                self._books.add_tallies(
                    {(gateway, run.point.id): pair for gateway, pair in run.tallies.items() if any(pair)}
                )
            elif run.work.whole:
                self._books.replace_tallies(run.point.id, run.tallies)
            self._keep_tail(run)
            if run.changes:
                days = np.concatenate([changes.rows["day"] for changes in run.changes])
                touched[run.point.id] = (days, run.work.cause)
                run.changes.clear()

    def _begin(self, runs: list[PointRun]) -> list[PointRun]:
        result = [run for run in runs if run.tail is not None]
        for run in result:
            run.begin_at_tail()
        runs = [run for run in runs if run.tail is None]
        if not runs:
            return result
        bounds = self._books.day_bounds([run.point.id for run in runs])
        starts = [(run.point.id, run.starts_us) for run in runs if run.starts_us is not None]
        ids = [id_ for id_, _ in starts]
        days = [self._calendar.day(us) for _, us in starts]
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

    def _keep_tail(self, run: PointRun) -> None:
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

    def _load(self, runs: Sequence[PointRun], append: bool) -> tuple[dict[int, Rows], dict[int, Rows]]:
        """Rows that stand and readings of each run's window; new readings are appended to their days first."""
        chunks: dict[int, list[Chunk]] = defaultdict(list)
        for chunk in self._books.chunks(*columns_of([self._wanted(run, append) for run in runs])):
            chunks[chunk.channel_id].append(chunk)
        if append:
            self._append(runs, chunks)
        readings = {}
        for run in runs:
            known = b"".join(chunk.readings for chunk in chunks[run.point.id])
            whole = _unpack(known, run.work.arrived if append else None)
            end_us = self._calendar.day_start(run.to_day + 1)
            start_us = self._calendar.day_start(run.from_day)
            inside = (whole["at"] >= start_us) & (whole["at"] < end_us)
            readings[run.point.id] = whole if inside.all() else whole[inside]
        ids = [run.point.id for run in runs]
        rows = self._books.consumption(ids, [run.from_day for run in runs], [run.to_day for run in runs])
        return by_id(rows, "channel_id", ids), readings

    def _wanted(self, run: PointRun, append: bool) -> tuple[int, int, int]:
        """Point and days, first to last, whose readings are wanted: the window's, and those to be appended to."""
        days = [run.from_day, run.to_day]
        if append and run.touched is not None:
            days += [self._calendar.day(us) for us in run.touched]
        return run.point.id, min(days), max(days)

    def _append(self, runs: Sequence[PointRun], chunks: Mapping[int, list[Chunk]]) -> None:
        """Append the new readings to their channel-days and count duplicates and conflicts.

        chunks  of the days appended to, by point; not of runs with a tail, whose new readings come after all of them
        """
        appended: list[Chunk] = []
        owners: list[int] = []
        tallies: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for run in runs:
            arrived = run.work.arrived
            if arrived is None:
                continue
            point = run.point
            for day, new in self._by_day(run, arrived):
                old = [chunk for chunk in chunks.get(point.id, ()) if chunk.day == day]
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

    def _by_day(self, run: PointRun, arrived: Rows) -> list[tuple[int, Rows]]:
        """New readings by local day; one day's as they are, which is the rule."""
        assert run.touched is not None
        first, last = (self._calendar.day(us) for us in run.touched)
        if first == last:
            return [(first, arrived)]
        days = (arrived["at"] + self._calendar.offset_us) // DAY_US
        return [(day, arrived[days == day]) for day in sorted(set(days.tolist()))]

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
        places, which = superseded([change for _, change in changes])
        self._books.keep_consumption(self._run_id, rows["channel_id"][places], rows["day"][places], which)
        self._books.replace_consumption(rows, owners)

    # -- derived points -------------------------------------------------------------------------------

    def derived(self, group: Sequence[EnterpriseWork], touched: Touched) -> None:
        """Recompute the derived points of changed inputs, and those whose definition changed, whole."""
        changes: list[tuple[Enterprise, Changes]] = []
        for work in group:
            for point in work.enterprise.points.values():
                if point.derivation is None:
                    continue
                inputs = [work.enterprise.points[name] for _, name in point.derivation.inputs]
                whole = work.points.get(point.id)
                days, cause = touched_days(inputs, touched)
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
                for first_day, end_day in stretches(days):
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
        rows = by_id(stored, "channel_id", [*ids, point.id])
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
            states & KEPT_STATE,
            {},
            (states & LATE) != 0,
            self._run_id,
        )


def _parts(runs: Sequence[PointRun]) -> Iterator[list[PointRun]]:
    """Runs together as long as the days that they may have to do with are few."""
    part: list[PointRun] = []
    days = 0
    for run in runs:
        if part and days >= POINT_DAYS_MAX:
            yield part
            part, days = [], 0
        part.append(run)
        days += run.last_day - run.from_day + 1 if run.work.whole else run.to_day - run.from_day + 1
    if part:
        yield part


def _unpack(packed: bytes, arrived: Rows | None) -> Rows:
    """READING_DTYPE of packed readings and what arrived after; joined as bytes, which is quicker than as records."""
    return np.frombuffer(packed if arrived is None else packed + arrived.tobytes(), READING_DTYPE)


def touched_days(points: Sequence[Point], touched: Touched) -> tuple[Rows, Cause | None]:
    """Days on which any of these points changed, and the latest cause of it."""
    found = [touched[point.id] for point in points if point.id in touched]
    if not found:
        return np.empty(0, np.int64), None
    cause = max((cause for _, cause in found), key=lambda cause: cause.batch_id or 0)
    return np.unique(np.concatenate([days for days, _ in found])), cause
