"""An index over the breaks of a register, for data in which nearly every reading is one.

Asked for: the first break from a place on that continues a reading, that is, is not smaller in count and not
smaller in rank, where ranks order the readings by max_rate × time - count (`credibility`). Blocks of 8, 64, 512
and 4,096 breaks are sorted by count; beside each stands the largest rank from there to the end of its
block. So one binary search tells whether a block holds an answer.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Int, Int32s, Int64s, kernel, uint64
from accounting.kernels.layout import FROM, RATE, RATE_DIVISOR, TO
from accounting.kernels.wide import U0, add, compare, multiply

LEVELS = 4
FANOUT_BITS = 3


@kernel
def compare_rank(at: Int64s, counts: Int64s, i: Int, j: Int, plan: Int64s, begin: Int, end: Int) -> int:
    """-1, 0, 1 as max_rate × time - count of reading i is below, equal to or above that of j."""
    if at[i] > at[j]:
        return -compare_rank_in_order(at, counts, j, i, plan, begin, end)
    return compare_rank_in_order(at, counts, i, j, plan, begin, end)


@kernel
def compare_rank_in_order(
    at: Int64s, counts: Int64s, i: Int, j: Int, plan: Int64s, begin: Int, end: Int
) -> int:
    high = low = U0
    for row in range(begin, end):
        elapsed = min(at[j], plan[row, TO]) - max(at[i], plan[row, FROM])
        if elapsed > 0:
            part_high, part_low = multiply(uint64(elapsed), uint64(plan[row, RATE]))
            high, low = add(high, low, part_high, part_low)
    rise = counts[j] - counts[i]
    divisor = uint64(plan[begin, RATE_DIVISOR])
    if rise < 0:
        part_high, part_low = multiply(uint64(-rise), divisor)
        high, low = add(high, low, part_high, part_low)
        return 0 if high == U0 and low == U0 else -1
    rise_high, rise_low = multiply(uint64(rise), divisor)
    return compare(rise_high, rise_low, high, low)


@kernel
def build_index(
    at: Int64s, counts: Int64s, size: Int, breaks: Int64s, plan: Int64s, begin: Int, end: Int
) -> tuple[Int64s, Int32s, Int32s]:
    """(counts by level and place, ranks by level and place, rank of each reading)."""
    # Merge sort of the readings by rank.
    order = np.arange(size)
    other = np.empty(size, np.int64)
    width = 1
    while width < size:
        for left in range(0, size, 2 * width):
            middle = min(left + width, size)
            right = min(left + 2 * width, size)
            i, j = left, middle
            for k in range(left, right):
                if j >= right or (
                    i < middle and compare_rank(at, counts, order[i], order[j], plan, begin, end) <= 0
                ):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    ranks = np.empty(size, np.int32)
    rank = 0
    for k in range(size):
        if k > 0 and compare_rank(at, counts, order[k - 1], order[k], plan, begin, end) != 0:
            rank += 1
        ranks[order[k]] = rank
    index_counts = np.empty((LEVELS, breaks.size), np.int64)
    index_ranks = np.empty((LEVELS, breaks.size), np.int32)
    for level in range(LEVELS):
        width = 1 << (FANOUT_BITS * (level + 1))
        for left in range(0, breaks.size, width):
            right = min(left + width, breaks.size)
            block = counts[breaks[left:right]]
            by_count = np.argsort(block, kind="mergesort")
            best = np.int32(-1)
            for k in range(right - left - 1, -1, -1):
                best = max(best, ranks[breaks[left + by_count[k]]])
                index_counts[level, left + k] = block[by_count[k]]
                index_ranks[level, left + k] = best
    return index_counts, index_ranks, ranks


@kernel
def first_continuing(
    index_counts: Int64s,
    index_ranks: Int32s,
    at: Int64s,
    counts: Int64s,
    ranks: Int32s,
    breaks: Int64s,
    start: Int,
    horizon: Int,
    count: Int,
    rank: Int,
) -> Int:
    """First place from `start` on in breaks that continues (count, rank); or one with at > horizon, none before it."""
    total = breaks.size
    p = start
    level = 0
    is_fresh = True
    while p < total and at[breaks[p]] <= horizon:
        if is_fresh:  # the largest block that begins here
            level = 0
            while level < LEVELS and p & ((1 << (FANOUT_BITS * (level + 1))) - 1) == 0:
                level += 1
            is_fresh = False
        if level == 0:
            if counts[breaks[p]] >= count and ranks[breaks[p]] >= rank:
                return p
            p += 1
            is_fresh = True
            continue
        width = 1 << (FANOUT_BITS * level)
        low, high = p, min(p + width, total)
        right = high
        while low < high:
            middle = (low + high) // 2
            if index_counts[level - 1, middle] < count:
                low = middle + 1
            else:
                high = middle
        if low < right and index_ranks[level - 1, low] >= rank:
            level -= 1  # it is in here
        else:
            p = right
            is_fresh = True
    return p
