"""One point's way through a recomputation, window by window.

A window starts at an *anchor*, a stamp from which credibility can be judged without anything earlier, and reaches
beyond what was touched until the new run meets the earlier one. Pure.
"""

from __future__ import annotations

import numpy as np

from accounting.channel import ChannelIntervals, Rules, channel_intervals, gateway_tallies
from accounting.due import changed_since
from accounting.entries import Changes, consumption_changes, late_intervals
from accounting.work import PointWork, Rows, Tail
from domain.interval import DAY_US, INTERVAL_US, INTERVALS_PER_DAY, Calendar, ceil_interval
from domain.ledger import NO_ANCHOR
from domain.registry import Enterprise, Point

AROUND_DAYS = 2  # beyond new readings, to begin with: look-ahead, and a day to meet the earlier run at
WINDOW_DAYS = 32  # of a long recomputation, to begin with; widened while the readings are few
WINDOW_READINGS = 200_000  # what a window should not grow much beyond


class PointRun:
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
        self.starts_us = self._starts_us()
        self.is_partial = False
        self.span = WINDOW_DAYS if work.whole else AROUND_DAYS
        self.done = False
        self.changes: list[Changes] = []
        # by gateway, of a whole recomputation; of a partial one by how much they are others
        self.tallies: dict[int, tuple[int, int]] = {}

    def _starts_us(self) -> int | None:
        """The first stamp from which on readings are others, or are read in another way; None: any."""
        if not self.work.whole:
            return None if self.touched is None else self.touched[0]
        if self.work.before is None:
            return None
        since_us = changed_since(self.work.before, self.point)
        if since_us is None:
            return None
        return since_us - _reach(self.work.before, self.point) * DAY_US

    def begin_at_tail(self) -> None:
        """One window from the tail to the last of the new readings (`in_order.advance`)."""
        assert self.tail is not None
        assert self.touched is not None
        self.from_day = self._calendar.day(self.tail.anchor_us)
        self.to_day = self.last_day = self._calendar.day(self.touched[1])

    def begin(self, anchor: int, first_day: int, last_day: int) -> None:
        """Set the first window; `first_day` and `last_day` bound the readings and rows that there are."""
        self.last_day = last_day
        self._anchor = NO_ANCHOR if self.starts_us is None else anchor
        self.is_partial = self.work.whole and self._anchor != NO_ANCHOR
        # The day from whose start on readings may come and leave what lies before the anchor as it is.
        self._base_day = first_day if self.starts_us is None else self._calendar.day(self.starts_us)
        if self._anchor == NO_ANCHOR:
            self.from_day = first_day - _reach(self.point)
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
        complete = self.to_day >= self.last_day
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
            self.to_day = min(max(self.to_day, until) + self.span, self.last_day)

    def _known_anchor(self, day: int, standing: dict[int, int]) -> int:
        """The anchor of a day of which the window's readings give none."""
        if self._anchor != NO_ANCHOR and day >= self._base_day:
            return self._anchor
        if self.work.whole and not (self.is_partial and day < self._base_day):
            return NO_ANCHOR
        return standing.get(day, NO_ANCHOR)

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
        if self.work.arrived is not None:
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
            restated=self.work.whole,
        )
        if len(changes.rows):
            self.changes.append(changes)

    def _count(self, readings: Rows, until_us: int) -> None:
        mine = readings[(readings["at"] >= self._first_us) & (readings["at"] < until_us)]
        stamps = np.sort(mine["at"])
        if (stamps[1:] != stamps[:-1]).all():
            return  # every stamp once: neither a duplicate nor a conflict
        counted = [(1, self.point)]
        if self.is_partial and self.work.before is not None:
            counted.append((-1, self.work.before))
        for sign, point in counted:
            for gateway, pair in gateway_tallies(point, mine).items():
                known = self.tallies.get(gateway, (0, 0))
                self.tallies[gateway] = (known[0] + sign * pair[0], known[1] + sign * pair[1])


def _reach(*points: Point) -> int:
    """By how many days, at most, a value covers intervals before its stamp; 31 days stand for any month."""
    periods = [version.period for point in points for version in point.versions if version.period is not None]
    return max((-(-period.us // DAY_US) + 31 * period.months for period in periods), default=0)
