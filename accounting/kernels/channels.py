"""Whole channels, many in one call: readings and plans in, intervals and anchors out.

Everything about a channel happens in one compiled call, because the live engine makes one for each channel that a
batch touches; and for many channels at once, so that threads can take ranges of them.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, Records, int64, kernel
from accounting.kernels.credibility import find_breaks, judge
from accounting.kernels.delta import delta_intervals, periods
from accounting.kernels.layout import (
    CLOSING,
    DAY,
    DELTA,
    DIAL,
    FOREVER,
    FROM,
    HAS_CLOSING,
    HAS_OPENING,
    INTERVAL,
    IS_MEAN,
    KIND,
    LIMIT,
    MAX_GAP,
    MEASURED,
    MINUTE,
    MODULUS,
    NEGATIVE,
    NEVER,
    OPENING,
    OUTSIDE,
    PERIOD_MONTHS,
    PERIOD_US,
    RATE,
    RATE_DIVISOR,
    REGISTER,
    REPLACED,
    REPLACED_FLAG,
    RESOLUTION_DENOMINATOR,
    RESOLUTION_NUMERATOR,
    RUN,
    SCALE,
    TO,
)
from accounting.kernels.rate import rate_intervals
from accounting.kernels.register import link_readings, register_intervals
from accounting.kernels.standing import arrange, place, stand

NO_ANCHOR = int64(-(1 << 63))
NARROW = float(1 << 51)


@kernel
def dial_end(plan: Int64s, begin: Int, end: Int, column: Int) -> Int:
    """End of the rows from `begin` on that share a dial (DIAL) or a run (RUN)."""
    row = begin + 1
    while row < end and plan[row, column] == plan[begin, column]:
        row += 1
    return row


@kernel
def stand_on_dial(
    readings: Records,
    order: Int64s,
    is_sorted: bool,
    plan: Int64s,
    begin: Int,
    end: Int,
    since: Int,
    at: Int64s,
    counts: Int64s,
    qualities: Int8s,
    flags: Int16s,
    event_at: Int64s,
    event_flags: Int16s,
    marks: Int64s,
) -> tuple[Int, Int, Int]:
    """Standing readings of a register's dial, plan[begin:end], its opening and closing values among them.

    Those win over readings at their instant. An opening before `since` is part of what was left out. Gives the
    numbers of readings, events and marks (`standing.stand`).
    """
    opens, closes = plan[begin, FROM], plan[end - 1, TO]
    has_opening = plan[begin, HAS_OPENING] == 1 and opens >= since
    has_closing = plan[end - 1, HAS_CLOSING] == 1 and closes >= since
    modulus = plan[begin, MODULUS]
    limit = plan[begin, LIMIT]
    for row in range(begin + 1, end):
        limit = min(limit, plan[row, LIMIT])
    size = int64(0)
    if has_opening:
        at[0], counts[0], qualities[0], flags[0] = opens, plan[begin, OPENING], 0, 0
        size += 1
    size, events, marked = stand(
        readings,
        order,
        is_sorted,
        place(readings, order, opens + (1 if plan[begin, HAS_OPENING] == 1 else 0)),
        place(readings, order, closes + (0 if plan[end - 1, HAS_CLOSING] == 1 else 1)),
        plan[begin, RESOLUTION_NUMERATOR],
        plan[begin, RESOLUTION_DENOMINATOR],
        limit,
        int64(0),
        modulus if modulus > 0 else int64(FOREVER + 1),
        at,
        counts,
        qualities,
        flags,
        size,
        event_at,
        event_flags,
        int64(0),
        marks,
        int64(0),
    )
    if has_closing:
        at[size], counts[size], qualities[size], flags[size] = closes, plan[end - 1, CLOSING], 0, 0
        size += 1
    return size, events, marked


@kernel
def is_narrow_dial(plan: Int64s, begin: Int, end: Int) -> bool:
    """Whether floats hold each product of what a register counts between two readings and its time, and both, where
    no gap lies between."""
    gap = rate = 0.0
    for row in range(begin, end):
        gap = max(gap, float(plan[row, MAX_GAP]))
        rate = max(rate, float(plan[row, RATE]))
    return gap < NARROW and gap * gap * rate < NARROW * float(plan[begin, RATE_DIVISOR])


@kernel
def register_channel(
    readings: Records,
    order: Int64s,
    is_sorted: bool,
    plan: Int64s,
    begin: Int,
    end: Int,
    since: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
    stable: Int64s,
) -> Int:
    """Intervals of a register, plan[begin:end]; writes the stamps to restart from, gives their number."""
    room = order.size + 3  # an opening and a closing value, and one beyond all
    at = np.empty(room, np.int64)
    counts = np.empty(room, np.int64)
    qualities = np.empty(room, np.int8)
    flags = np.empty(room, np.int16)
    event_at = np.empty(room, np.int64)
    event_flags = np.empty(room, np.int16)
    verdicts = np.empty(room, np.int8)
    settled = np.empty(room, np.bool_)
    totals = np.empty(room, np.int64)
    links = np.empty(room, np.int16)
    marks = np.empty(2 * room, np.int64)
    places = np.empty(room, np.int64)
    found = int64(0)
    dial = begin
    while dial < end:
        stop = dial_end(plan, dial, end, DIAL)
        size, events, marked = stand_on_dial(
            readings, order, is_sorted, plan, dial, stop, since,
            at, counts, qualities, flags, event_at, event_flags, marks,
        )  # fmt: skip
        uneven, broken = find_breaks(at, counts, size, plan, dial, stop, marks, marked, places)
        judge(at, counts, size, plan, dial, stop, places[:broken], verdicts, settled)
        if broken == 0:
            stable[found : found + size] = at[:size]
            found += size
        else:
            for i in range(size):
                stable[found] = at[i]
                found += int64(settled[i])
        good, before_at, before_flags, after_at, after_flags, rough = link_readings(
            at, counts, qualities, flags, verdicts, size, event_at, event_flags, events,
            marks[marked : marked + uneven], plan, dial, stop, totals, links, places,
        )  # fmt: skip
        is_narrow = is_narrow_dial(plan, dial, stop)
        for row in range(dial, stop):
            register_intervals(
                at, counts, qualities, flags, totals, links, good, places[:rough], is_narrow,
                before_at, before_flags, after_at, after_flags,
                plan[row, SCALE], plan[row, FROM], plan[row, TO], first_us, amounts, states, all_flags,
            )  # fmt: skip
        dial = stop
    return found


@kernel
def rate_channel(
    readings: Records,
    order: Int64s,
    is_sorted: bool,
    plan: Int64s,
    begin: Int,
    end: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
    stable: Int64s,
) -> Int:
    """Intervals of a rate, plan[begin:end]; writes the stamps to restart from, gives their number."""
    room = 2 * order.size + 2  # a reading at a change closes one version and opens the next
    at = np.empty(room, np.int64)
    values = np.empty(room, np.int64)
    qualities = np.empty(room, np.int8)
    flags = np.empty(room, np.int16)
    event_at = np.empty(room, np.int64)
    event_flags = np.empty(room, np.int16)
    verdicts = np.zeros(room, np.int8)
    totals = np.empty(room, np.int64)
    links = np.empty(room, np.int16)
    marks = np.arange(room)
    rough = np.empty(room, np.int64)
    unused = np.empty(room, np.int64)
    found = int64(0)
    run = begin
    while run < end:
        stop = dial_end(plan, run, end, RUN)
        size = events = int64(0)
        for row in range(run, stop):
            before = size
            size, events, _ = stand(
                readings,
                order,
                is_sorted,
                place(readings, order, plan[row, FROM]),
                place(readings, order, plan[row, TO] + 1),
                plan[row, RESOLUTION_NUMERATOR],
                plan[row, RESOLUTION_DENOMINATOR],
                plan[row, LIMIT],
                int64(NEVER),
                int64(FOREVER + 1),
                at,
                values,
                qualities,
                flags,
                size,
                event_at,
                event_flags,
                events,
                unused,
                int64(0),
            )
            for i in range(before, size):
                values[i] *= plan[row, SCALE]
        for i in range(size):
            stable[found] = at[i]
            found += 1
        size, before_at, before_flags, after_at, after_flags, _ = link_readings(
            at, values, qualities, flags, verdicts, size, event_at, event_flags, events,
            marks[:size], plan, run, stop, totals, links, rough,
        )  # fmt: skip
        rate_intervals(
            at, values, qualities, flags, links, size, before_at, before_flags, after_at, after_flags,
            plan[run, IS_MEAN] == 1, plan[run, FROM], plan[stop - 1, TO], first_us, amounts, states, all_flags,
        )  # fmt: skip
        run = stop
    return found


@kernel
def delta_channel(
    readings: Records,
    order: Int64s,
    is_sorted: bool,
    plan: Int64s,
    begin: Int,
    end: Int,
    offset: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
    cut_at: Int64s,
    cut_starts: Int64s,
    cut_ends: Int64s,
) -> Int:
    """Intervals of a delta channel, plan[begin:end]; writes stamp and period of all that counts, gives the number."""
    room = order.size + 2
    at = np.empty(room, np.int64)
    values = np.empty(room, np.int64)
    qualities = np.empty(room, np.int8)
    flags = np.empty(room, np.int16)
    starts = np.empty(room, np.int64)
    ends = np.empty(room, np.int64)
    event_at = np.empty(room, np.int64)
    event_flags = np.empty(room, np.int16)
    event_starts = np.empty(room, np.int64)
    event_ends = np.empty(room, np.int64)
    unused = np.empty(room, np.int64)
    size = events = int64(0)
    for row in range(begin, end):
        before, events_before = size, events
        # A period that ends at a change belongs to the version that closes there.
        touches = row > begin and plan[row, RUN] == plan[row - 1, RUN]
        size, events, _ = stand(
            readings,
            order,
            is_sorted,
            place(readings, order, plan[row, FROM] + (1 if touches else 0)),
            place(readings, order, plan[row, TO] + 1),
            plan[row, RESOLUTION_NUMERATOR],
            plan[row, RESOLUTION_DENOMINATOR],
            plan[row, LIMIT],
            int64(NEVER),
            int64(FOREVER + 1),
            at,
            values,
            qualities,
            flags,
            size,
            event_at,
            event_flags,
            events,
            unused,
            int64(0),
        )
        for i in range(before, size):
            values[i] *= plan[row, SCALE]
        periods(at, before, size, plan, row, offset, starts, ends)
        periods(event_at, events_before, events, plan, row, offset, event_starts, event_ends)
    states[:] = MEASURED
    delta_intervals(
        starts, ends, values, qualities, flags, size, event_starts, event_ends, event_flags, events,
        plan, begin, end, first_us, amounts, states, all_flags,
    )  # fmt: skip
    # What stands and what doesn't, together by stamp: both are in order.
    i = e = int64(0)
    for k in range(size + events):
        if e == events or (i < size and at[i] < event_at[e]):
            cut_at[k], cut_starts[k], cut_ends[k] = at[i], starts[i], ends[i]
            i += 1
        else:
            cut_at[k], cut_starts[k], cut_ends[k] = event_at[e], event_starts[e], event_ends[e]
            e += 1
    return size + events


@kernel
def stable_anchors(stable: Int64s, last: Int, days: Int64s, anchors: Int64s) -> Int:
    """Anchors from stamps that nothing later unsettles; gives the tail anchor, for what comes after `last`.

    What comes at or after a day's start changes nothing before the last such stamp ahead of it, but the interval
    of that stamp: so the anchor is the last at or before the beginning of that interval.
    """
    p = 0
    for d in range(days.size):
        p += np.searchsorted(stable[p:], days[d])
        anchors[d] = NO_ANCHOR
        if p > 0:
            q = np.searchsorted(stable[:p], stable[p - 1] // INTERVAL * INTERVAL, side="right")
            if q > 0:
                anchors[d] = stable[q - 1]
    # An opening value may lie ahead of all readings: what comes before it is still to come.
    size = np.searchsorted(stable, last, side="right")
    if size > 0:
        q = np.searchsorted(stable[:size], stable[size - 1] // INTERVAL * INTERVAL, side="right")
        if q > 0:
            return stable[q - 1]
    return NO_ANCHOR


@kernel
def cut_anchors(
    at: Int64s,
    starts: Int64s,
    ends: Int64s,
    plan: Int64s,
    begin: Int,
    end: Int,
    since: Int,
    days: Int64s,
    anchors: Int64s,
) -> Int:
    """Anchors of a delta channel: moments that no period straddles; gives the tail anchor.

    at, starts, ends  int64 (n,)  stamps, rising, and their periods

    A new value reaches back over its own period, and frees or silences one that overlaps it: two periods and
    the snapping of both.
    """
    reach = int64(0)
    for row in range(begin, end):
        reach = max(reach, plan[row, PERIOD_US] + plan[row, PERIOD_MONTHS] * 31 * DAY)
    reach = 2 * (reach + MINUTE)
    size = at.size
    latest = np.empty(size + 1, np.int64)  # end of the periods of the stamps before each
    earliest = np.empty(size + 1, np.int64)  # start of those from it on
    best = np.empty(size + 1, np.int64)  # the last stamp, at most this, that is a cut
    latest[0] = NEVER
    for i in range(size):
        latest[i + 1] = max(latest[i], ends[i])
    earliest[size] = FOREVER
    for i in range(size - 1, -1, -1):
        earliest[i] = min(earliest[i + 1], starts[i])
    best[0] = NO_ANCHOR
    for i in range(size):
        is_cut = (i > 0 or since != NO_ANCHOR) and earliest[i] >= latest[i] and at[i] >= latest[i]
        best[i + 1] = at[i] if is_cut else best[i]
    tail = NO_ANCHOR
    for d in range(days.size + 1):
        if d < days.size:
            edge = days[d]
        elif size > 0:
            edge = at[size - 1]
        else:
            break
        bound = (edge - reach) // INTERVAL * INTERVAL
        k = np.searchsorted(at, bound, side="left")  # stamps before the bound
        anchor = NO_ANCHOR
        if (k > 0 or since != NO_ANCHOR) and earliest[k] >= latest[k] and bound >= max(latest[k], since):
            anchor = bound
        elif best[k] != NO_ANCHOR:
            anchor = best[k]
        if d < days.size:
            anchors[d] = anchor
        else:
            tail = anchor
    return tail


@kernel
def run_channel(
    readings: Records,
    identity: Int64s,
    plans: Int64s,
    row: Int,
    stop: Int,
    since: Int,
    first_us: Int,
    days: Int64s,
    offset: Int,
    amounts: Int64s,
    states: Int16s,
    anchors: Int64s,
) -> Int:
    """One channel, of the plan plans[row:stop], as `run_channels`; gives the tail anchor.

    identity  int64  0, 1, 2 …, at least as many as readings
    """
    each = amounts.size
    amounts[:] = 0
    quality = np.empty(each, np.int8)
    quality[:] = OUTSIDE
    flags = np.zeros(each, np.int16)
    order, is_sorted = arrange(readings, since, identity)
    kind = plans[row, KIND]
    if kind == DELTA:
        cut_at = np.empty(order.size + 2, np.int64)
        cut_starts = np.empty(order.size + 2, np.int64)
        cut_ends = np.empty(order.size + 2, np.int64)
        size = delta_channel(
            readings, order, is_sorted, plans, row, stop, offset, first_us, amounts, quality, flags,
            cut_at, cut_starts, cut_ends,
        )  # fmt: skip
        tail = cut_anchors(
            cut_at[:size], cut_starts[:size], cut_ends[:size], plans, row, stop, since, days, anchors
        )
    else:
        stable = np.empty(2 * order.size + 2 * (stop - row) + 1, np.int64)
        if kind == REGISTER:
            size = register_channel(
                readings, order, is_sorted, plans, row, stop, since, first_us, amounts, quality, flags, stable
            )
        else:
            size = rate_channel(
                readings, order, is_sorted, plans, row, stop, first_us, amounts, quality, flags, stable
            )
        last = int64(readings[order[order.size - 1]]["at"]) if order.size > 0 else int64(NEVER)
        tail = stable_anchors(stable[:size], last, days, anchors)
    # Whatever the case, a store: so these are made into vectors.
    for k in range(each):
        amounts[k] = amounts[k] if 0 < quality[k] < OUTSIDE else 0
    negative = NEGATIVE if plans[row, IS_MEAN] == 0 else 0
    for version in range(row + 1, stop):
        if plans[version, REPLACED] == 1:
            k = (plans[version, FROM] - first_us) // INTERVAL
            if 0 <= k < each:
                flags[k] |= REPLACED_FLAG
    for k in range(each):
        found = int64(flags[k]) | (negative if amounts[k] < 0 else 0)
        states[k] = int64(quality[k]) & 3 | found << 2  # OUTSIDE, too, is missing now
    return tail


@kernel
def counting(offsets: Int64s, begin: Int, end: Int) -> Int64s:
    """0, 1, 2 …, as many as the longest of the parts [begin, end) has."""
    most = int64(0)
    for i in range(begin, end):
        most = max(most, offsets[i + 1] - offsets[i])
    return np.arange(most)


@kernel
def run_channels(
    readings: Records,
    reading_offsets: Int64s,
    plans: Int64s,
    plan_offsets: Int64s,
    sinces: Int64s,
    firsts: Int64s,
    interval_offsets: Int64s,
    days: Int64s,
    day_offsets: Int64s,
    offset: Int,
    begin: Int,
    end: Int,
    amounts: Int64s,
    states: Int16s,
    anchors: Int64s,
    tails: Int64s,
) -> None:
    """Channels [begin, end) of those given, each from its slice of everything.

    readings          READING_DTYPE       channel i: reading_offsets[i] to [i + 1]
    plans             int64 (v, COLUMNS)  plan_offsets
    sinces            int64 (c,)          NO_ANCHOR: its readings are complete
    firsts            int64 (c,)          start of its first interval [µs]
    interval_offsets  int64 (c + 1,)      its part of amounts and states
    days              int64               starts of local days [µs], day_offsets: its part of days and anchors
    offset            int64               of the local calendar [µs]
    amounts, states   int64, int16        written
    anchors           int64               written, one for each day
    tails             int64 (c,)          written

    Errors  none here; `accounting.channel` refuses wrong shapes and types.
    """
    identity = counting(reading_offsets, begin, end)
    for c in range(begin, end):
        low, high = interval_offsets[c], interval_offsets[c + 1]
        low_day, high_day = day_offsets[c], day_offsets[c + 1]
        tails[c] = run_channel(
            readings[reading_offsets[c] : reading_offsets[c + 1]], identity,
            plans, plan_offsets[c], plan_offsets[c + 1], sinces[c], firsts[c], days[low_day:high_day], offset,
            amounts[low:high], states[low:high], anchors[low_day:high_day],
        )  # fmt: skip
