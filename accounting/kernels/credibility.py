"""Which readings of a register are believed: the five rules of docs/rules.md.

A reading *continues* another when it isn't below it and not more than max_rate × elapsed above. In the plane of
(count, max_rate × time - count) that is: it is not smaller in either. So `continues` is a partial order.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Bools, Int, Int8s, Int64s, int64, kernel, uint64
from accounting.kernels.layout import (
    FOREVER,
    FROM,
    HOUR,
    LOOK_AHEAD,
    MAX_GAP,
    MODULUS,
    NEVER,
    RATE,
    RATE_DIVISOR,
    TO,
)
from accounting.kernels.lookahead import build_index, first_continuing
from accounting.kernels.machine import as_float
from accounting.kernels.wide import U0, add, compare, multiply, product_at_most

# What becomes of a standing reading.
CONTINUES = 0
OVER = 1  # rollover
BACK = 2  # reset
ANEW = 3  # restart
ASIDE = 4  # set aside: part of a lie, or noise
_BLOCK = 32
_EXACT = int64(1 << 50)
_SURELY = 0.999999999  # of a product of floats: what rounding leaves certain


@kernel
def version_of(plan: Int64s, begin: Int, end: Int, stamp: Int) -> Int:
    """The row of plan[begin:end] (one dial) that closes with or takes this stamp: the earlier where two touch."""
    row = begin
    while row < end - 1 and stamp > plan[row, TO]:
        row += 1
    return row


@kernel
def within_rate(rise: Int, since: Int, until: Int, plan: Int64s, begin: Int, end: Int) -> bool:
    """Whether a rise ≥ 0 [counts] is at most max_rate × elapsed; over a change each part at its own rate."""
    divisor = plan[begin, RATE_DIVISOR]
    if end - begin == 1:
        return product_at_most(rise, divisor, until - since, plan[begin, RATE])
    high = low = U0
    for row in range(begin, end):
        elapsed = min(until, plan[row, TO]) - max(since, plan[row, FROM])
        if elapsed > 0:
            part_high, part_low = multiply(uint64(elapsed), uint64(plan[row, RATE]))
            high, low = add(high, low, part_high, part_low)
    rise_high, rise_low = multiply(uint64(rise), uint64(divisor))
    return compare(rise_high, rise_low, high, low) <= 0


@kernel
def continues(at: Int64s, counts: Int64s, i: Int, j: Int, plan: Int64s, begin: Int, end: Int) -> bool:
    """Whether reading j continues the earlier reading i."""
    rise = counts[j] - counts[i]
    if rise < 0:
        return False
    return within_rate(rise, at[i], at[j], plan, begin, end)


@kernel
def find_breaks(
    at: Int64s,
    counts: Int64s,
    size: Int,
    plan: Int64s,
    begin: Int,
    end: Int,
    marks: Int64s,
    marked: Int,
    breaks: Int64s,
) -> tuple[Int, Int]:
    """Readings that don't continue their own predecessor; and where the ordinary ends.

    marks   int64, room for size + marked   places below `marked` are known to be out of the ordinary; written
            behind them: those, the breaks and what comes after a gap, in order and each once
    breaks  int64 (size,)                   written

    Gives the number of all marks and that of breaks.
    """
    known = int64(0)
    found = marked
    broken = int64(0)
    # Products of what is below these fit in int64, and floats hold the factors.
    rise_max = min(FOREVER // plan[begin, RATE_DIVISOR], _EXACT)
    elapsed_max = min(FOREVER // max(plan[begin, RATE], int64(1)), _EXACT)
    if end - begin > 1:
        elapsed_max = int64(-1)
    elapsed_max = min(elapsed_max, plan[begin, MAX_GAP])
    rate, divisor = plan[begin, RATE], plan[begin, RATE_DIVISOR]
    rate_less, divisor_float = float(rate) * _SURELY, float(divisor)
    next_known = marks[0] if marked > 0 else size
    i = int64(1)
    checked = int64(1)  # where the next block may begin
    while i < size:
        if i >= checked and i + _BLOCK <= next_known:
            # A block at once, in vectors: whether all of it surely goes on.
            odd = int64(0)
            stamps, last_stamps = at[i : i + _BLOCK], at[i - 1 : i + _BLOCK - 1]
            values, last_values = counts[i : i + _BLOCK], counts[i - 1 : i + _BLOCK - 1]
            for k in range(_BLOCK):
                rise = values[k] - last_values[k]
                elapsed = stamps[k] - last_stamps[k]
                is_sure = as_float(rise) * divisor_float <= as_float(elapsed) * rate_less
                odd |= int64((rise < 0) | (rise > rise_max) | (elapsed > elapsed_max) | (not is_sure))
            checked = i + _BLOCK
            if odd == 0:
                i = checked
                continue
        rise = counts[i] - counts[i - 1]
        elapsed = at[i] - at[i - 1]
        if (
            i < next_known
            and 0 <= rise <= rise_max
            and elapsed <= elapsed_max
            and rise * divisor <= elapsed * rate
        ):
            i += 1
            continue
        is_marked = False
        while known < marked and marks[known] <= i:
            is_marked = is_marked or marks[known] == i
            known += 1
        next_known = marks[known] if known < marked else size
        row = version_of(plan, begin, end, at[i])
        if elapsed > plan[row, MAX_GAP]:
            is_marked = True
        if rise < 0 or not within_rate(rise, at[i - 1], at[i], plan, begin, end):
            breaks[broken] = i
            broken += 1
            is_marked = True
        if is_marked:
            marks[found] = i
            found += 1
        i += 1
    return found - marked, broken


@kernel
def judge(
    at: Int64s,
    counts: Int64s,
    size: Int,
    plan: Int64s,
    begin: Int,
    end: Int,
    breaks: Int64s,
    verdicts: Int8s,
    settled: Bools,
) -> None:
    """Judge the standing readings of one dial, plan[begin:end], in order of time.

    at, counts  int64 (size,)   standing readings, stamps rising, counts within the dial
    breaks      int64           those that don't continue their own predecessor (`find_breaks`)
    verdicts    int8 (size,)    written: CONTINUES, OVER, BACK, ANEW, ASIDE
    settled     bool (size,)    written: a good reading that no later reading can unsettle, because the
                                look-ahead of every break before it has ended by then

    From break to break nothing is judged. Time is linear but for the look-ahead. That scans the breaks ahead
    while they are few, as they are; when it has looked at more than 32 for each reading, it goes on in an
    index (`lookahead`), so that a device that breaks at every reading costs n log² n and not n².
    """
    verdicts[:size] = CONTINUES
    settled[:size] = True
    if size == 0:
        return
    good = int64(0)
    open_until = int64(NEVER)
    place = int64(0)  # in breaks: the first after the reading judged
    seen = int64(0)  # in breaks: those before it were looked at for `good` and don't continue it
    looked = int64(0)
    index_counts = np.empty((0, 0), np.int64)
    index_ranks = np.empty((0, 0), np.int32)
    ranks = np.empty(0, np.int32)
    has_index = False
    i = int64(1)
    while i < size:
        if good == i - 1:
            while place < breaks.size and breaks[place] < i:
                place += 1
            stop = breaks[place] if place < breaks.size else size
            while i < stop and at[i] < open_until:
                settled[i] = False
                i += 1
            good = stop - 1
            i = stop
            if i == size:
                break
        rise = counts[i] - counts[good]
        if rise >= 0 and within_rate(rise, at[good], at[i], plan, begin, end):
            settled[i] = at[i] >= open_until
            good = i
            i += 1
            continue
        row = version_of(plan, begin, end, at[i])
        horizon = at[i] + plan[row, LOOK_AHEAD]
        # 1: a lie?
        while place < breaks.size and breaks[place] <= i:
            place += 1
        seen = max(seen, place)
        back = int64(-1)
        if not has_index:
            while seen < breaks.size and at[breaks[seen]] <= horizon:
                if continues(at, counts, good, breaks[seen], plan, begin, end):
                    back = breaks[seen]
                    break
                seen += 1
                looked += 1
            if looked > 32 * size + 4096:
                index_counts, index_ranks, ranks = build_index(at, counts, size, breaks, plan, begin, end)
                has_index = True
        else:
            seen = first_continuing(
                index_counts, index_ranks, at, counts, ranks, breaks, seen, horizon, counts[good], ranks[good]
            )
            if seen < breaks.size and at[breaks[seen]] <= horizon:
                back = breaks[seen]
        if back >= 0:
            for j in range(i, back):
                verdicts[j] = ASIDE
                settled[j] = False
            settled[back] = at[back] >= open_until
            good = back
            seen = int64(0)
            i = back + 1
            continue
        open_until = max(open_until, horizon)
        modulus = plan[row, MODULUS]
        if rise < 0 and modulus > 0 and within_rate(rise + modulus, at[good], at[i], plan, begin, end):
            verdicts[i] = OVER
        elif (
            rise < 0
            and 0 <= counts[i] <= counts[good] // 2
            and within_rate(counts[i], at[good], at[i], plan, begin, end)
        ):
            verdicts[i] = BACK
        elif rise < 0 and not product_at_most(HOUR, plan[row, RATE], -rise, plan[row, RATE_DIVISOR]):
            verdicts[i] = ASIDE  # noise; the next is judged against the same
            settled[i] = False
            i += 1
            continue
        else:
            verdicts[i] = ANEW
        settled[i] = at[i] >= open_until
        good = i
        seen = int64(0)
        i += 1
