"""Which readings stand: one count a stamp, or none (docs/rules.md).

At a stamp, what can never stand is left out first: what the device calls invalid, counts beyond the limit, and
for a register counts below zero or at its modulus and above. Of the rest the highest revision wins; with
different counts at the highest revision none stands. Readings of the winning count at any revision are one,
of the best quality among them.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int8s, Int16s, Int64s, Record, Records, int64, kernel, uint64
from accounting.kernels.counts import count, count_factor
from accounting.kernels.layout import CONFLICT, IMPLAUSIBLE, RECEIPT_TIME
from accounting.kernels.wide import U0, U1

# How a reading fares at its stamp.
STANDS = 0  # it, or one equal to it
BEATEN = 1  # another count has a higher revision
IN_CONFLICT = 2
INVALID = 3  # the device says so
NEVER = 4  # its count can't stand
UNCOUNTED = -(1 << 63)  # in place of a count beyond the limit
NO_STAMP = -(1 << 63)


@kernel
def arrange(readings: Records, since: Int, identity: Int64s) -> tuple[Int64s, bool]:
    """Places of the readings that have at ≥ since, by stamp; and whether they lie in order.

    identity  int64, at least as many  0, 1, 2 …
    """
    size = readings.size
    is_sorted = True
    last = int64(NO_STAMP)
    for i in range(size):
        stamp = int64(readings[i]["at"])
        if stamp < last:
            is_sorted = False
            break
        last = stamp
    if is_sorted:
        order = identity[:size]
    else:
        stamps = np.empty(size, np.int64)
        for i in range(size):
            stamps[i] = readings[i]["at"]
        order = np.argsort(stamps, kind="mergesort")
    first = 0
    while first < size and readings[order[first]]["at"] < since:
        first += 1
    return order[first:], is_sorted


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
def one_count(
    reading: Record,
    a: Int,
    b: Int,
    numerator: Int,
    denominator: Int,
    limit: Int,
    floor: Int,
    ceiling: Int,
) -> tuple[Int, Int]:
    """Count of a reading and whether it may stand: INVALID, NEVER or STANDS (not yet judged).

    (a, b) is `count_factor` of its exponent; the count is UNCOUNTED where it is beyond the limit.
    """
    value, fits = count(
        int64(reading["mantissa"]), int64(reading["exponent"]), a, b, numerator, denominator, limit
    )
    quality = int64(reading["quality"])
    fate = STANDS
    if quality != 0 and quality != 1:
        fate = INVALID
    elif not fits or value < floor or value >= ceiling:
        fate = NEVER
    return (value if fits else int64(UNCOUNTED)), fate


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
    for p in range(begin, end):
        reading = readings[order[p]]
        if reading["exponent"] != exponent:
            exponent = int64(reading["exponent"])
            a, b = count_factor(exponent, numerator, denominator)
        counts[p - begin], fates[p - begin] = one_count(
            reading, a, b, numerator, denominator, limit, floor, ceiling
        )


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
    is_sorted: bool,
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
    marks: Int64s,
    marked: Int,
) -> tuple[Int, Int, Int]:
    """Append what stands of readings[order[begin:end]] to (at, counts, qualities, flags) from `size` on.

    numerator, denominator   the resolution
    floor ≤ count < ceiling  what can stand, beside |count| ≤ limit

    Stamps at which none stands though something might have are appended to the events, with CONFLICT or
    IMPLAUSIBLE. The places of what has a quality, a flag or an event before it are appended to the marks, in
    order. Gives the new sizes.

    Plain readings, as nearly all are (alone at their stamp, of an exponent that needs no division, measured,
    without flags), take a short way where they lie in order.
    """
    exponent = int64(-32768)
    a = b = int64(1)
    lowest, highest = int64(0), int64(-1)  # mantissas of the short way
    group_counts = np.empty(4, np.int64)
    group_fates = np.empty(4, np.int8)
    shift = order[begin] - begin if is_sorted and begin < end else int64(0)
    p = begin
    while p < end:
        if is_sorted:
            here = readings[shift + p : shift + end]
            plain_at, plain_counts = at[size:], counts[size:]
            i = U0  # numba looks at every index that may be negative
            last = uint64(end - p - 1)
            next_stamp = int64(here[i]["at"])
            while i < last:
                reading = here[i]
                stamp = next_stamp
                mantissa = int64(reading["mantissa"])
                next_stamp = int64(here[i + U1]["at"])
                if (
                    mantissa < lowest
                    or mantissa > highest
                    or reading["exponent"] != exponent
                    or reading["quality"] != 0
                    or reading["flags"] != 0
                    or next_stamp == stamp
                ):
                    break
                plain_at[i] = stamp
                plain_counts[i] = mantissa * a
                i += U1
            stop = size + int64(i)
            qualities[size:stop] = 0
            flags[size:stop] = 0
            p += int64(i)
            size = stop
        reading = readings[order[p]]
        stamp = int64(reading["at"])
        if reading["exponent"] != exponent:
            exponent = int64(reading["exponent"])
            a, b = count_factor(exponent, numerator, denominator)
            lowest, highest = int64(0), int64(-1)
            if b == 1:
                highest = min(limit, ceiling - 1) // a
                lowest = -(min(limit, -floor) // a)
        q = p + 1
        while q < end and readings[order[q]]["at"] == stamp:
            q += 1
        if q == p + 1:
            value, fate = one_count(reading, a, b, numerator, denominator, limit, floor, ceiling)
            quality = int64(reading["quality"])
            flag = int64(reading["flags"]) & RECEIPT_TIME
        else:
            if q - p > group_counts.size:
                group_counts = np.empty(2 * (q - p), np.int64)
                group_fates = np.empty(2 * (q - p), np.int8)
            count_readings(
                readings,
                order,
                p,
                q,
                numerator,
                denominator,
                limit,
                floor,
                ceiling,
                group_counts,
                group_fates,
            )
            fate, value, quality, flag = judge_stamp(readings, order, p, group_counts, group_fates, 0, q - p)
        if fate == STANDS:
            if quality != 0 or flag != 0:
                marks[marked] = size
                marked += 1
            at[size] = stamp
            counts[size] = value
            qualities[size] = quality
            flags[size] = flag
            size += 1
        elif fate != INVALID:
            event_at[events] = stamp
            event_flags[events] = CONFLICT if fate == IN_CONFLICT else IMPLAUSIBLE
            events += 1
            marks[marked] = size
            marked += 1
        p = q
    return size, events, marked
