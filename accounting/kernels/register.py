"""Believed readings of a register to consumption by interval (docs/rules.md, `register`)."""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, UInt32s, int64, kernel, uint64
from accounting.kernels.credibility import ANEW, ASIDE, BACK, OVER, version_of
from accounting.kernels.layout import (
    ESTIMATED,
    FOREVER,
    GAP,
    IMPLAUSIBLE,
    INTERPOLATED,
    INTERVAL,
    MAX_GAP,
    MEASURED,
    MISSING,
    MODULUS,
    NEVER,
    RESET,
    RESTART,
    ROLLOVER,
)
from accounting.kernels.machine import as_float, as_integer
from accounting.kernels.wide import U1, multiply_divide

UNKNOWN, BETWEEN, EXACT = 0, 1, 2
U2 = uint64(2)
BLOCK = 256
# Arrays that lie half a page apart are taken for one another by what forwards stores to loads: a third slower.
APART = 40


@kernel
def link_readings(
    at: Int64s,
    counts: Int64s,
    qualities: Int8s,
    flags: Int16s,
    verdicts: Int8s,
    size: Int,
    event_at: Int64s,
    event_flags: Int16s,
    events: Int,
    marks: Int64s,
    plan: Int64s,
    begin: Int,
    end: Int,
    totals: Int64s,
    links: Int16s,
    rough: Int64s,
) -> tuple[Int, Int, Int, Int, Int, Int]:
    """Keep the good readings, in place, with what was consumed up to each and what lies between them.

    marks   int64          the first reading may stand out, and these, in order (`credibility.find_breaks`): all
                           others continue the one before, without an event or a gap between, measured, no flags
    totals  int64 (size,)  written: counts consumed since the first good one. Only differences of it mean
                           anything; it may wrap over centuries of resets, they don't
    links   int16 (size,)  written: flags of the way from each good reading to the next
    rough   int64 (size,)  written: good readings that have a quality or flags, or a way with flags behind them

    Gives (good readings, time and flags of what was set aside before the first, and after the last, number of
    the rough). Without a good reading: the first and the last time of what was set aside, flags of all.
    """
    good = 0
    e = 0
    pending = 0
    pending_at = int64(NEVER)
    first_at, first_flags = int64(NEVER), 0
    uneven = 0
    m = 0
    i = int64(0)
    while i < size:
        while e < events and event_at[e] < at[i]:
            if good == 0 or event_at[e] != at[good - 1]:  # at a change one version may stand alone
                if pending == 0 and good == 0:
                    first_at = event_at[e]
                pending |= int64(event_flags[e])
                pending_at = event_at[e]
            e += 1
        verdict = verdicts[i]
        if verdict == ASIDE:
            pending |= IMPLAUSIBLE
            pending_at = at[i]
            i += 1
            continue
        if good == 0:
            first_flags = pending
            totals[0] = counts[i]
        else:
            last = good - 1
            row = version_of(plan, begin, end, at[i])
            rise = counts[i] - counts[last]
            if verdict == OVER:
                rise += plan[row, MODULUS]
                pending |= ROLLOVER
            elif verdict == BACK:
                rise = counts[i]
                pending |= RESET
            elif verdict == ANEW:
                rise = int64(0)
                pending |= RESTART
            if at[i] - at[last] > plan[row, MAX_GAP]:
                pending |= GAP
            totals[good] = totals[last] + rise
            links[last] = pending
            if pending != 0 and (uneven == 0 or rough[uneven - 1] != last):
                rough[uneven] = last
                uneven += 1
        at[good], counts[good], qualities[good], flags[good] = at[i], counts[i], qualities[i], flags[i]
        if qualities[good] != 0 or flags[good] != 0:
            rough[uneven] = good
            uneven += 1
        good += 1
        pending = 0
        i += 1
        while m < marks.size and marks[m] < i:
            m += 1
        stop = marks[m] if m < marks.size else size
        if i < stop:
            base = totals[good - 1] - counts[good - 1]
            back = i - good
            if back > 0:
                for k in range(good, stop - back):
                    at[k] = at[k + back]
                    counts[k] = counts[k + back]
                qualities[good : stop - back] = 0
                flags[good : stop - back] = 0
            run_totals, run_counts = totals[good : stop - back], counts[good : stop - back]
            for k in range(run_totals.size):
                run_totals[k] = run_counts[k] + base
            links[good - 1 : stop - back - 1] = 0
            good = stop - back
            i = stop
    while e < events:
        if good == 0 or event_at[e] != at[good - 1]:
            if pending == 0 and good == 0:
                first_at = event_at[e]
            pending |= int64(event_flags[e])
            pending_at = event_at[e]
        e += 1
    if good == 0:
        first_flags = pending
    return good, first_at, first_flags, pending_at, pending, uneven


@kernel
def boundary(
    at: Int64s, counts: Int64s, totals: Int64s, links: Int16s, good: Int, g: Int, moment: Int
) -> tuple[Int, Int]:
    """(UNKNOWN, BETWEEN or EXACT, total) at a moment; g is the last good reading at or before it, or -1.

    In between it is interpolated on the dial of the earlier reading and rounded to a count, half to even.
    """
    if g < 0:
        return UNKNOWN, int64(0)
    if at[g] == moment:
        return EXACT, totals[g]
    if g == good - 1 or links[g] & RESTART:
        return UNKNOWN, int64(0)
    elapsed = at[g + 1] - at[g]
    part, remainder = multiply_divide(totals[g + 1] - totals[g], moment - at[g], elapsed)
    rest = elapsed - remainder
    if remainder > rest or (remainder == rest and (counts[g] + part) & 1):
        part += 1
    return BETWEEN, totals[g] + part


@kernel
def readings_before(at: Int64s, g: Int, start: Int, size: Int, before: UInt32s) -> Int:
    """The last reading at or before each of `size` boundaries, an interval apart, the first of them after `start`.

    g       the last reading at or before `start`; there is one beyond the last boundary
    before  uint32 (size + 2,)  written: at 1 + k that of boundary k

    Gives the last. A reading is entered at the boundary it reaches and at the one behind that, where the next may
    enter itself over it: so nothing depends on where stamps lie beside boundaries, which is anybody's guess.
    """
    end = start + size * INTERVAL
    count = uint64(size)
    i = uint64(g)  # numba looks at every index that may be negative
    before[0] = before[1] = i
    free = U2
    i += U1
    stamp = at[i]
    while stamp <= end:
        place = uint64(stamp - start - 1) // uint64(INTERVAL) + U1
        while free < place:  # the way into it leads over several boundaries
            before[free] = i - U1
            free += U1
        before[place] = i
        before[place + U1] = i
        free = place + U2
        i += U1
        stamp = at[i]
    while free <= count:
        before[free] = i - U1
        free += U1
    return int64(i - U1)


@kernel
def interpolate(
    rises: Int64s, sinces: Int64s, elapsed: Int64s, starts: Int64s, is_narrow: bool, values: Int64s
) -> None:
    """Counts at boundaries `sinces` µs into ways: starts + rises × sinces ÷ elapsed, half to even.

    values     int64 (n,)  written; of the other arrays the first n are read
    is_narrow  products are below 2^51, as is what goes into them: all of it in floats, exact. No whole number is so
               near above such a quotient that it rounds to that, so that its floor is right.
    """
    if is_narrow:
        for k in range(values.size):
            way = as_float(elapsed[k])
            product = as_float(rises[k]) * as_float(sinces[k])
            part = np.floor(product / way)
            twice = 2.0 * (product - part * way)
            now = starts[k] + as_integer(part)
            values[k] = now + int64((twice > way) | ((twice == way) & (now & 1 == 1)))
    else:
        for k in range(values.size):
            part, remainder = multiply_divide(rises[k], sinces[k], elapsed[k])
            now = starts[k] + part
            rest = elapsed[k] - remainder
            values[k] = now + int64((remainder > rest) | ((remainder == rest) & (now & 1 == 1)))


@kernel
def plain_intervals(
    at: Int64s,
    counts: Int64s,
    g: Int,
    value: Int,
    is_exact: bool,
    scale: Int,
    is_narrow: bool,
    start: Int,
    first: Int,
    end: Int,
    amounts: Int64s,
    states: Int8s,
    before: UInt32s,
    room: Int64s,
) -> tuple[Int, Int, bool]:
    """Intervals [first, end) between plain readings: as `register_intervals`, without anything to ask.

    at, counts  good readings without quality and flags on ways without flags, from g on beyond the last end
    g           the last reading at or before `start`; value, is_exact: the count there, whether it was read
    is_narrow   as `interpolate` wants it
    before      uint32 (BLOCK + 2,)    room, since there may be many short calls
    room        int64 (6, BLOCK + APART)  so is this

    Gives (g, value, is_exact) at the end. In blocks that stay in the nearest cache, a step at a time, so that all but
    the gathering is done in vectors.
    """
    rises, sinces, elapsed, starts, values = room[0], room[1], room[2], room[3], room[4]
    between = room[5]  # 1 where a boundary value isn't one that was read
    values[0] = value
    between[0] = int64(not is_exact)
    for low in range(first, end, BLOCK):
        size = min(BLOCK, end - low)
        last = readings_before(at, g, start, size, before)
        reached = before[1:]
        moment = start
        for k in range(size):
            i = uint64(reached[k])
            moment += INTERVAL
            stamp, count = at[i], counts[i]
            sinces[k] = moment - stamp
            elapsed[k] = at[i + U1] - stamp
            rises[k] = counts[i + U1] - count
            starts[k] = count
        interpolate(rises, sinces, elapsed, starts, is_narrow, values[1 : size + 1])
        now, is_between = values[1:], between[1:]
        for k in range(size):
            is_between[k] = int64(sinces[k] != 0)
        here, quality = amounts[low : low + size], states[low : low + size]
        for k in range(size):
            here[k] += (now[k] - values[k]) * scale
        for k in range(size):
            quality[k] = min(int64(quality[k]), MEASURED - (is_between[k] | between[k]))
        g = last
        start = moment
        values[0], between[0] = values[size], between[size]
    return g, values[0], between[0] == 0


@kernel
def register_intervals(
    at: Int64s,
    counts: Int64s,
    qualities: Int8s,
    flags: Int16s,
    totals: Int64s,
    links: Int16s,
    good: Int,
    rough: Int64s,
    is_narrow: bool,
    before_at: Int,
    before_flags: Int,
    after_at: Int,
    after_flags: Int,
    scale: Int,
    begin_us: Int,
    end_us: Int,
    first_us: Int,
    amounts: Int64s,
    states: Int8s,
    all_flags: Int16s,
) -> None:
    """Add what was consumed within [begin_us, end_us), a version's validity, to the intervals it overlaps.

    at … links          good readings of the dial, as `link_readings` leaves them, with room for one more
    rough               those that `plain_intervals` doesn't take; is_narrow: whether it may take floats
    before_, after_     what was set aside before the first and after the last of them
    scale               ledger units of a count
    first_us            start of the first interval
    amounts             int64 (n,)  added to
    states              int8 (n,)   lowered to the quality of this part; OUTSIDE before the first part
    all_flags           int16 (n,)  added to

    An interval is measured where all its boundary values were read, missing where one is unknown or a restart
    lies within, estimated across a gap or a reset or where a boundary value rests on a device's estimate.
    """
    end_us = min(end_us, first_us + amounts.size * INTERVAL)
    k = max(int64(0), (begin_us - first_us) // INTERVAL)
    start = max(begin_us, first_us + k * INTERVAL)
    if start >= end_us:
        return
    g = np.searchsorted(at[:good], start, side="right") - 1
    kind, value = boundary(at, counts, totals, links, good, g, start)
    at[good] = FOREVER  # beyond all boundaries
    before = np.empty(BLOCK + 2, np.uint32)
    room = np.empty((6, BLOCK + APART), np.int64)
    r = 0
    while start < end_us:
        if kind != UNKNOWN:
            while r < rough.size and rough[r] < g:
                r += 1
            last = (rough[r] if r < rough.size else good) - 1  # no boundary up to its stamp meets a rough one
            stop_k = (min(at[last] - 1, end_us) - first_us) // INTERVAL if last > g else k
            if stop_k > k:
                base = totals[g] - counts[g]
                g, value, is_exact = plain_intervals(
                    at, counts, g, value - base, kind == EXACT, scale, is_narrow,
                    first_us + k * INTERVAL, k, stop_k, amounts, states, before, room,
                )  # fmt: skip
                value += base
                kind = EXACT if is_exact else BETWEEN
                k = stop_k
                start = first_us + k * INTERVAL
                if start >= end_us:
                    return
        stop = min(end_us, first_us + (k + 1) * INTERVAL)
        # flags and qualities of what the start rests on
        capped = False
        found = 0
        if kind != UNKNOWN:
            capped = qualities[g] != 0
            found = int64(flags[g])
            if kind == BETWEEN:
                capped = capped or qualities[g + 1] != 0
                found |= int64(flags[g + 1])
        between = 0
        if g < 0 and before_flags != 0 and before_at < stop and (good > 0 or after_at >= start):
            between |= before_flags
        # ways that the interval overlaps: from g on, those that begin before its end
        while g + 1 < good and at[g + 1] < stop:
            if g >= 0:
                between |= int64(links[g])
            g += 1
        if g >= 0:
            if g + 1 < good:
                between |= int64(links[g])
                if at[g + 1] == stop:
                    g += 1
            elif after_flags != 0 and after_at >= start and at[g] < stop:
                between |= after_flags
        elif g + 1 < good and at[g + 1] == stop:
            g += 1
        stop_kind, stop_value = boundary(at, counts, totals, links, good, g, stop)
        state = MEASURED
        if kind == UNKNOWN or stop_kind == UNKNOWN or between & RESTART:
            state = MISSING
        else:
            capped = capped or qualities[g] != 0
            found |= int64(flags[g])
            if stop_kind == BETWEEN:
                capped = capped or qualities[g + 1] != 0
                found |= int64(flags[g + 1])
            amounts[k] += (stop_value - value) * scale
            between |= found
            if capped or between & (GAP | RESET):
                state = ESTIMATED
            elif kind == BETWEEN or stop_kind == BETWEEN:
                state = INTERPOLATED
        states[k] = min(int64(states[k]), state)
        all_flags[k] |= between
        kind, value = stop_kind, stop_value
        start = stop
        k += 1
