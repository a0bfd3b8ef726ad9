"""Believed readings of a register to consumption by interval (docs/rules.md, `register`)."""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, int64, kernel
from accounting.kernels.credibility import ANEW, ASIDE, BACK, OVER, version_of
from accounting.kernels.layout import (
    ESTIMATED,
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
from accounting.kernels.wide import multiply_divide

UNKNOWN, BETWEEN, EXACT = 0, 1, 2


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
    plan: Int64s,
    begin: Int,
    end: Int,
    totals: Int64s,
    links: Int16s,
) -> tuple[Int, Int, Int, Int, Int]:
    """Keep the good readings, in place, with what was consumed up to each and what lies between them.

    totals  int64 (size,)  written: counts consumed since the first good one. Only differences of it mean
                           anything; it may wrap over centuries of resets, they don't
    links   int16 (size,)  written: flags of the way from each good reading to the next

    Gives (good readings, time and flags of what was set aside before the first, and after the last). Without
    a good reading: the first and the last time of it, flags of all.
    """
    good = 0
    e = 0
    pending = 0
    pending_at = int64(NEVER)
    first_at, first_flags = int64(NEVER), 0
    for i in range(size):
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
            continue
        if good == 0:
            first_flags = pending
            totals[0] = 0
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
        at[good], counts[good], qualities[good], flags[good] = at[i], counts[i], qualities[i], flags[i]
        good += 1
        pending = 0
    while e < events:
        if good == 0 or event_at[e] != at[good - 1]:
            if pending == 0 and good == 0:
                first_at = event_at[e]
            pending |= int64(event_flags[e])
            pending_at = event_at[e]
        e += 1
    if good == 0:
        first_flags = pending
    return good, first_at, first_flags, pending_at, pending


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
def register_intervals(
    at: Int64s,
    counts: Int64s,
    qualities: Int8s,
    flags: Int16s,
    totals: Int64s,
    links: Int16s,
    good: Int,
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

    at … links          good readings of the dial, as `link_readings` leaves them
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
    while start < end_us:
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
