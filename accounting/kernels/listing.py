"""Stored readings one by one: what each is worth, and what a gateway's account counts of them."""

from __future__ import annotations

import numpy as np

from accounting.kernels.channels import dial_end, stand_on_dial
from accounting.kernels.compiled import Bools, Int, Int8s, Int16s, Int64s, Records, int64, kernel
from accounting.kernels.credibility import ANEW, ASIDE, BACK, OVER, find_breaks, judge
from accounting.kernels.delta import mark_overlaps, periods
from accounting.kernels.layout import (
    CONFLICT,
    DELTA,
    DIAL,
    FOREVER,
    FROM,
    HAS_CLOSING,
    HAS_OPENING,
    IMPLAUSIBLE,
    KIND,
    LIMIT,
    MODULUS,
    NEVER,
    RECEIPT_TIME,
    REGISTER,
    REPLACED_FLAG,
    RESET,
    RESOLUTION_DENOMINATOR,
    RESOLUTION_NUMERATOR,
    RESTART,
    ROLLOVER,
    TO,
)
from accounting.kernels.standing import IN_CONFLICT, STANDS, UNCOUNTED, count_readings, judge_stamp
from accounting.kernels.standing import NEVER as CANT_STAND

BY_COUNT = 1 << 20  # second key of what is told apart by its count; exponents are smaller


@kernel
def owner(plan: Int64s, stamp: Int) -> Int:
    """The version that a stamp is listed under, or -1.

    The later one where two touch; of a delta channel the earlier, whose period ends there.
    """
    for k in range(plan.shape[0]):
        row = k if plan[0, KIND] == DELTA else plan.shape[0] - 1 - k
        if plan[row, FROM] <= stamp <= plan[row, TO]:
            return row
    return -1


@kernel
def is_replaced(plan: Int64s, row: Int, stamp: Int) -> bool:
    """Whether an opening or closing value wins over readings at this stamp."""
    if plan[row, HAS_OPENING] == 1 and stamp == plan[row, FROM]:
        return True
    return bool(plan[row, HAS_CLOSING] == 1 and stamp == plan[row, TO])


@kernel
def count_stamp(
    readings: Records,
    order: Int64s,
    begin: Int,
    end: Int,
    plan: Int64s,
    row: Int,
    counts: Int64s,
    fates: Int8s,
) -> None:
    """Counts and fates of readings of one stamp under a version, [begin, end) of all four."""
    is_register = plan[row, KIND] == REGISTER
    ceiling = int64(FOREVER + 1)
    if is_register and plan[row, MODULUS] > 0:
        ceiling = plan[row, MODULUS]
    count_readings(
        readings,
        order,
        begin,
        end,
        plan[row, RESOLUTION_NUMERATOR],
        plan[row, RESOLUTION_DENOMINATOR],
        plan[row, LIMIT],
        int64(0) if is_register else int64(NEVER),
        ceiling,
        counts[begin:end],
        fates[begin:end],
    )


@kernel
def value_keys(mantissa: Int, exponent: Int) -> tuple[Int, Int]:
    """The same for equal values: mantissa without trailing zeros, and its exponent."""
    if mantissa == 0:
        return int64(0), int64(0)
    while mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    return mantissa, exponent


@kernel
def tally(
    readings: Records,
    order: Int64s,
    gateways: Int64s,
    plan: Int64s,
    duplicates: Int64s,
    conflicts: Int64s,
) -> None:
    """Count duplicates and conflicts by gateway (docs/contract.md section 3, `account`).

    order                  int64 (n,)  by stamp, then in order of arrival
    gateways               int64 (n,)  of each reading, numbered from 0
    duplicates, conflicts  int64 (g,)  added to

    Outside validity, or beyond what can be counted, readings are equal when their values are.
    """
    size = order.size
    counts = np.empty(size, np.int64)
    fates = np.empty(size, np.int8)
    seen = np.full(duplicates.size, -1, np.int64)
    p = 0
    while p < size:
        stamp = int64(readings[order[p]]["at"])
        q = p + 1
        while q < size and readings[order[q]]["at"] == stamp:
            q += 1
        if q == p + 1:
            p = q
            continue
        row = owner(plan, stamp)
        if row >= 0:
            count_stamp(readings, order, p, q, plan, row, counts, fates)
        else:
            counts[p:q] = UNCOUNTED
        second = np.empty(q - p, np.int64)
        first = np.empty(q - p, np.int64)
        for i in range(p, q):
            if counts[i] != UNCOUNTED:
                first[i - p], second[i - p] = counts[i], BY_COUNT
            else:
                reading = readings[order[i]]
                first[i - p], second[i - p] = value_keys(
                    int64(reading["mantissa"]), int64(reading["exponent"])
                )
        by_value = np.argsort(second, kind="mergesort")
        by_value = by_value[np.argsort(first[by_value], kind="mergesort")]
        for i in range(1, q - p):
            a, b = by_value[i - 1], by_value[i]
            if first[a] == first[b] and second[a] == second[b]:
                duplicates[gateways[order[p + b]]] += 1
        if row >= 0 and not is_replaced(plan, row, stamp):
            fate, _, _, _ = judge_stamp(readings, order, 0, counts, fates, p, q)
            if fate == IN_CONFLICT:
                for i in range(p, q):
                    gateway = gateways[order[i]]
                    if seen[gateway] != p:
                        seen[gateway] = p
                        conflicts[gateway] += 1
        p = q


@kernel
def stamp_flags(readings: Records, order: Int64s, plan: Int64s, since: Int) -> tuple[Int64s, Int16s, Bools]:
    """(stamps, flags, whether it counts) of what stands by stamp, after credibility or overlaps.

    A stamp may stand twice, on the two dials of a change; the later one comes later.
    """
    room = order.size + 2 * plan.shape[0] + 2
    stamps = np.empty(2 * room, np.int64)
    flags = np.zeros(2 * room, np.int16)
    believed = np.ones(2 * room, np.bool_)
    at = np.empty(room, np.int64)
    counts = np.empty(room, np.int64)
    qualities = np.empty(room, np.int8)
    dial_flags = np.empty(room, np.int16)
    event_at = np.empty(room, np.int64)
    event_flags = np.empty(room, np.int16)
    verdicts = np.empty(room, np.int8)
    settled = np.empty(room, np.bool_)
    marks = np.empty(2 * room, np.int64)
    breaks = np.empty(room, np.int64)
    found = 0
    begin = int64(0)
    while begin < plan.shape[0]:
        end = dial_end(plan, begin, plan.shape[0], DIAL)
        size, _, marked = stand_on_dial(
            readings, order, False, plan, begin, end, since,
            at, counts, qualities, dial_flags, event_at, event_flags, marks,
        )  # fmt: skip
        _, broken = find_breaks(at, counts, size, plan, begin, end, marks, marked, breaks)
        judge(at, counts, size, plan, begin, end, breaks[:broken], verdicts, settled)
        for i in range(size):
            stamps[found] = at[i]
            verdict = verdicts[i]
            if verdict == ASIDE:
                flags[found] = IMPLAUSIBLE
                believed[found] = False
            elif verdict == OVER:
                flags[found] = ROLLOVER
            elif verdict == BACK:
                flags[found] = RESET
            elif verdict == ANEW:
                flags[found] = RESTART
            found += 1
        begin = end
    return stamps[:found], flags[:found], believed[:found]


@kernel
def list_stored(
    readings: Records,
    order: Int64s,
    plan: Int64s,
    since: Int,
    offset: Int,
    counts: Int64s,
    versions: Int64s,
    stands: Bools,
    flags: Int16s,
) -> None:
    """Fill in what `accounting.channel.StandingReadings` says, for readings in `order`.

    counts  UNCOUNTED where there is no count
    """
    size = order.size
    fates = np.empty(size, np.int8)
    kind = plan[0, KIND]
    # What stands at each stamp: for delta channels its period, to find overlaps.
    places = np.empty(size, np.int64)
    starts = np.empty(size, np.int64)
    ends = np.empty(size, np.int64)
    one = np.empty(1, np.int64)
    standing = 0
    if kind == REGISTER:
        stamps, verdict_flags, believed = stamp_flags(readings, order, plan, since)
    else:
        stamps, verdict_flags, believed = (
            np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0, np.bool_)
        )  # fmt: skip
    v = 0
    p = 0
    while p < size:
        stamp = int64(readings[order[p]]["at"])
        q = p + 1
        while q < size and readings[order[q]]["at"] == stamp:
            q += 1
        row = owner(plan, stamp)
        versions[p:q] = row
        for i in range(p, q):
            flags[i] = int64(readings[order[i]]["flags"]) & RECEIPT_TIME
            stands[i] = False
            counts[i] = UNCOUNTED
        if row >= 0:
            count_stamp(readings, order, p, q, plan, row, counts, fates)
            if is_replaced(plan, row, stamp):
                for i in range(p, q):
                    flags[i] |= REPLACED_FLAG
            else:
                judge_stamp(readings, order, 0, counts, fates, p, q)
                while v < stamps.size and (
                    stamps[v] < stamp or (v + 1 < stamps.size and stamps[v + 1] == stamp)
                ):
                    v += 1
                is_first = True
                for i in range(p, q):
                    if fates[i] == CANT_STAND:
                        flags[i] |= IMPLAUSIBLE
                    elif fates[i] == IN_CONFLICT:
                        flags[i] |= CONFLICT
                    elif fates[i] == STANDS:
                        stands[i] = is_first
                        if v < stamps.size and stamps[v] == stamp:
                            flags[i] |= verdict_flags[v]
                            stands[i] = is_first and believed[v]
                        if is_first and kind == DELTA:
                            places[standing] = i
                            one[0] = stamp
                            periods(one, 0, 1, plan, row, offset, starts[standing:], ends[standing:])
                            standing += 1
                        is_first = False
        p = q
    overlaps = np.zeros(standing, np.bool_)
    mark_overlaps(starts, ends, standing, overlaps)
    for k in range(standing):
        if overlaps[k]:
            stands[places[k]] = False
            flags[places[k]] |= CONFLICT
