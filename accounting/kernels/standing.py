"""Which readings stand: one count a stamp, or none (docs/rules.md).

At a stamp, what can never stand is left out first: what the device calls invalid, counts beyond the limit, and
for a register counts below zero or at its modulus and above. Of the rest the highest revision wins; with
different counts at the highest revision none stands. Readings of the winning count at any revision are one,
of the best quality among them.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, Records, int64, kernel
from accounting.kernels.counts import count, count_factor
from accounting.kernels.layout import CONFLICT, IMPLAUSIBLE, RECEIPT_TIME

# How a reading fares at its stamp.
STANDS = 0  # it, or one equal to it
BEATEN = 1  # another count has a higher revision
IN_CONFLICT = 2
INVALID = 3  # the device says so
NEVER = 4  # its count can't stand
UNCOUNTED = -(1 << 63)  # in place of a count beyond the limit


@kernel
def arrange(readings: Records, begin: Int, end: Int, since: Int) -> Int64s:
    """Places in `readings` [begin, end) of what has at ≥ since, by stamp."""
    size = end - begin
    is_sorted = True
    for i in range(begin + 1, end):
        if readings[i]["at"] < readings[i - 1]["at"]:
            is_sorted = False
            break
    order = np.empty(size, np.int64)
    if is_sorted:
        for i in range(size):
            order[i] = begin + i
    else:
        stamps = np.empty(size, np.int64)
        for i in range(size):
            stamps[i] = readings[begin + i]["at"]
        order[:] = np.argsort(stamps, kind="mergesort")
        order += begin
    first = 0
    while first < size and readings[order[first]]["at"] < since:
        first += 1
    return order[first:]


@kernel
def place(readings: Records, order: Int64s, stamp: Int) -> Int:
    """First place in `order` with a stamp at or after this one."""
    low, high = 0, order.size
    while low < high:
        middle = (low + high) // 2
        if readings[order[middle]]["at"] < stamp:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def count_readings(
    readings: Records,
    order: Int64s,
    begin: Int,
    end: Int,
    numerator: Int,
    denominator: Int,
    limit: Int,
    floor: Int,
    ceiling: Int,
    counts: Int64s,
    fates: Int8s,
) -> None:
    """Counts of readings[order[begin:end]] and whether they may stand: INVALID, NEVER or STANDS (not yet judged).

    numerator, denominator   the resolution
    floor ≤ count < ceiling  what can stand, beside |count| ≤ limit
    counts, fates            written from 0 on; UNCOUNTED where a count is beyond the limit
    """
    exponent = int64(-32768)
    a = b = int64(1)
    largest = int64(0)
    for p in range(begin, end):
        reading = readings[order[p]]
        mantissa = int64(reading["mantissa"])
        if reading["exponent"] != exponent:
            exponent = int64(reading["exponent"])
            a, b = count_factor(exponent, numerator, denominator)
            largest = limit // a if b == 1 else int64(-1)
        if -largest <= mantissa <= largest:
            value, fits = mantissa * a, True
        else:
            value, fits = count(mantissa, exponent, a, b, numerator, denominator, limit)
        counts[p - begin] = value if fits else UNCOUNTED
        quality = reading["quality"]
        if quality != 0 and quality != 1:
            fates[p - begin] = INVALID
        elif not fits or value < floor or value >= ceiling:
            fates[p - begin] = NEVER
        else:
            fates[p - begin] = STANDS


@kernel
def judge_stamp(
    readings: Records, order: Int64s, offset: Int, counts: Int64s, fates: Int8s, begin: Int, end: Int
) -> tuple[Int, Int, Int, Int]:
    """Judge the readings of one stamp, [begin, end) of counts and fates; their places are order[offset + p].

    Gives (fate of the stamp, its count, quality, flags): fate STANDS, IN_CONFLICT, NEVER (all that might
    count for something can't stand) or INVALID (nothing there but what the device calls invalid).
    """
    highest = int64(-1 << 40)
    never = False
    for p in range(begin, end):
        if fates[p] == STANDS:
            highest = max(highest, int64(readings[order[offset + p]]["revision"]))
        elif fates[p] == NEVER:
            never = True
    if highest == -1 << 40:
        return (NEVER if never else INVALID), int64(0), int64(0), int64(0)
    winner = int64(0)
    found = False
    conflict = False
    for p in range(begin, end):
        if fates[p] == STANDS and readings[order[offset + p]]["revision"] == highest:
            if not found:
                found = True
                winner = counts[p]
            elif counts[p] != winner:
                conflict = True
    quality = int64(1)
    flags = int64(RECEIPT_TIME)
    for p in range(begin, end):
        if fates[p] == STANDS:
            reading = readings[order[offset + p]]
            if conflict:
                # beaten by the highest revision, which is at odds with itself
                fates[p] = IN_CONFLICT if reading["revision"] == highest else BEATEN
            elif counts[p] != winner:
                fates[p] = BEATEN
            else:
                quality = min(quality, int64(reading["quality"]))
                flags &= int64(reading["flags"])
    return (IN_CONFLICT if conflict else STANDS), winner, quality, flags


@kernel
def stand(
    readings: Records,
    order: Int64s,
    begin: Int,
    end: Int,
    numerator: Int,
    denominator: Int,
    limit: Int,
    floor: Int,
    ceiling: Int,
    at: Int64s,
    counts: Int64s,
    qualities: Int8s,
    flags: Int16s,
    size: Int,
    event_at: Int64s,
    event_flags: Int16s,
    events: Int,
) -> tuple[Int, Int]:
    """Append what stands of readings[order[begin:end]] to (at, counts, qualities, flags) from `size` on.

    Stamps at which none stands though something might have are appended to the events, with CONFLICT or
    IMPLAUSIBLE. Gives the new sizes.
    """
    all_counts = np.empty(end - begin, np.int64)
    fates = np.empty(end - begin, np.int8)
    count_readings(
        readings, order, begin, end, numerator, denominator, limit, floor, ceiling, all_counts, fates
    )
    p = 0
    while p < end - begin:
        reading = readings[order[begin + p]]
        stamp = int64(reading["at"])
        q = p + 1
        while q < end - begin and readings[order[begin + q]]["at"] == stamp:
            q += 1
        if q == p + 1:  # alone, as nearly all are
            fate = int64(fates[p])
            value = all_counts[p]
            quality = int64(reading["quality"])
            flag = int64(reading["flags"]) & RECEIPT_TIME
        else:
            fate, value, quality, flag = judge_stamp(readings, order, begin, all_counts, fates, p, q)
        if fate == STANDS:
            at[size] = stamp
            counts[size] = value
            qualities[size] = quality
            flags[size] = flag
            size += 1
        elif fate != INVALID:
            event_at[events] = stamp
            event_flags[events] = CONFLICT if fate == IN_CONFLICT else IMPLAUSIBLE
            events += 1
        p = q
    return size, events
