"""Merging freshly computed intervals into rows of the books, many points or sources at once.

Rows are arrays (n, 96), fields of record arrays: in place, an interval that stands as computed is left alone.
"""

from __future__ import annotations

import numpy as np

from accounting.kernels.compiled import Bools, Int, Int16s, Int64s, int64, kernel
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY
from domain.ledger import NO_ANCHOR
from domain.reading import VALUE_BOUND, Flag, Quality

DAY = INTERVALS_PER_DAY
LATE = int(Flag.LATE) << 2
NEGATIVE = int(Flag.NEGATIVE) << 2
IMPLAUSIBLE = int(Flag.IMPLAUSIBLE) << 2
SUBSTITUTED_FLAG = int(Flag.SUBSTITUTED)
KEPT = ~LATE
MEASURED = int(Quality.MEASURED)


@kernel
def merge_consumption(
    amounts: Int64s,
    states: Int16s,
    interval_offsets: Int64s,
    firsts: Int64s,
    leads: Int64s,
    row_offsets: Int64s,
    rescaled: Bools,
    arrived_at: Int64s,
    committed_at: Int64s,
    arrived_offsets: Int64s,
    late_us: Int,
    run_id: Int,
    row_amounts: Int64s,
    row_states: Int16s,
    row_runs: Int64s,
    changed: Bools,
    superseded: Bools,
) -> None:
    """Intervals of points into their days.

    amounts, states    int64, int16 (i,)   of point c: [interval_offsets[c], interval_offsets[c + 1])
    firsts             int64 (c,)          start of its first interval [µs]
    leads              int64 (c,)          intervals between the start of its first row and that
    row_offsets        int64 (c + 1,)      its rows, one a day without a gap
    rescaled           bool (r,)           rows whose amounts were counted in another power of ten
    arrived_at, committed_at  int64 (m,)   its readings that arrived now, in any order: arrived_offsets
    row_…              (r, 96)             the rows as they stand; written where an interval is another one
    changed            bool (r,)           written: rows with such an interval
    superseded         bool (r, 96)        written: intervals that were entries before

    An interval is closed by the first of the readings at or after its end, one beyond all of them by the last; it is
    late where the earliest of those from there on was committed more than `late_us` after it.
    """
    for c in range(firsts.size):
        low, high = arrived_offsets[c], arrived_offsets[c + 1]
        order = np.argsort(arrived_at[low:high], kind="mergesort")
        earliest = np.empty(order.size, np.int64)
        soonest = int64(np.iinfo(np.int64).max)
        for k in range(order.size - 1, -1, -1):
            soonest = min(soonest, committed_at[low + order[k]])
            earliest[k] = soonest
        k = 0
        place = row_offsets[c] * DAY + leads[c]
        end_us = firsts[c]
        for i in range(interval_offsets[c], interval_offsets[c + 1]):
            row, column = place // DAY, place % DAY
            place += 1
            end_us += INTERVAL_US
            was = row_states[row, column]
            if (
                row_amounts[row, column] == amounts[i]
                and was & KEPT == states[i]
                and not (rescaled[row] and row_runs[row, column] != 0)
            ):
                continue
            while k < order.size - 1 and arrived_at[low + order[k]] < end_us:
                k += 1
            is_late = earliest[k] - end_us > late_us
            superseded[row, column] = row_runs[row, column] != 0
            row_amounts[row, column] = amounts[i]
            row_states[row, column] = states[i] | (LATE if is_late else 0)
            row_runs[row, column] = run_id
            changed[row] = True


@kernel
def standing_anchors(
    found: Int64s,
    day_offsets: Int64s,
    first_days: Int64s,
    own: Int64s,
    base_days: Int64s,
    from_days: Int64s,
    row_offsets: Int64s,
    existed: Bools,
    row_anchors: Int64s,
    moved: Bools,
) -> None:
    """The anchors of days into their rows.

    found        int64 (a,)  as computed, of point c: day_offsets, from day first_days[c] on
    own          int64 (c,)  the anchor that its window starts at: it holds from base_days[c] on where none was found
    from_days    int64 (c,)  the day of its first row
    existed      bool (r,)   rows that stand already, with their anchor
    row_anchors  int64 (r,)  written
    moved        bool (r,)   written: rows that stood with another one
    """
    for c in range(own.size):
        for row in range(row_offsets[c], row_offsets[c + 1]):
            day = from_days[c] + row - row_offsets[c]
            before = row_anchors[row] if existed[row] else NO_ANCHOR
            anchor = before
            place = day_offsets[c] + day - first_days[c]
            if day >= first_days[c] and place < day_offsets[c + 1]:
                if found[place] != NO_ANCHOR:
                    anchor = found[place]
                elif day >= base_days[c]:
                    anchor = own[c]
            row_anchors[row] = anchor
            moved[row] = existed[row] and anchor != before


@kernel
def sum_terms(
    term_offsets: Int64s,
    signed: Int64s,
    term_rows: Int64s,
    valid_from: Int64s,
    valid_until: Int64s,
    days: Int64s,
    point_amounts: Int64s,
    point_states: Int16s,
    amounts: Int64s,
    states: Int16s,
) -> None:
    """Signed sums over the rows of points, as `accounting.sources.sum_of_terms`, of many sources' days.

    term_offsets   int64 (s + 1,)  the terms of each sum, over days[s] days
    signed         int64 (t,)      by what the term's amounts are multiplied, with its sign
    term_rows      int64 (t,)      its first row, the others follow
    valid_from, valid_until  int64 (t,)  intervals of the days within its point's validity, counted from the first
    point_amounts, point_states  (r, 96)
    amounts, states  int64, int16 (…,)  written, one sum after the other
    """
    out = 0
    for s in range(days.size):
        for i in range(days[s] * DAY):
            total = int64(0)
            quality, flags = MEASURED, 0
            any_part = False
            too_large = False
            for t in range(term_offsets[s], term_offsets[s + 1]):
                if i < valid_from[t] or i >= valid_until[t]:
                    continue
                row, column = term_rows[t] + i // DAY, i % DAY
                factor = signed[t]
                limit = VALUE_BOUND // abs(factor)
                amount, state = point_amounts[row, column], point_states[row, column]
                if amount > limit or amount < -limit:
                    too_large = True
                if not too_large:
                    total += amount * factor
                    if total > VALUE_BOUND or total < -VALUE_BOUND:
                        too_large = True
                quality = min(quality, state & 3)
                flags |= state >> 2
                any_part = True
            state = 0
            if any_part:
                state = quality | flags << 2
            known = any_part and not too_large and quality != 0
            if not known:
                state &= ~3
            if too_large:
                state |= IMPLAUSIBLE
            if known and total < 0:
                state |= NEGATIVE
            amounts[out] = total if known else 0
            states[out] = state
            out += 1


@kernel
def merge_ledger(
    consumption: Int64s,
    mg: Int64s,
    states: Int16s,
    other_factor: Bools,
    rescaled: Bools,
    run_id: Int,
    causes: Int64s,
    row_consumption: Int64s,
    row_mg: Int64s,
    row_states: Int16s,
    row_runs: Int64s,
    row_causes: Int64s,
    changed: Bools,
    superseded: Bools,
) -> Int:
    """Entries into rows of the ledger, as `accounting.entries.ledger_changes`; gives how many are others.

    consumption, mg, states  (r, 96)  as computed
    other_factor  bool (r,)  rows that stood on another factor
    rescaled      bool (r,)  rows whose consumption was counted in another power of ten
    causes        int64 (r,) why an entry would be written now
    row_…         (r, 96)    the rows as they stand; written
    changed       bool (r,), superseded bool (r, 96)  written
    """
    count = 0
    for row in range(changed.size):
        for i in range(DAY):
            state = states[row, i]
            was_entry = row_runs[row, i] != 0
            same = (
                row_consumption[row, i] == consumption[row, i]
                and row_mg[row, i] == mg[row, i]
                and row_states[row, i] & KEPT == state & KEPT
                and (not other_factor[row] or state & 3 == 0)
            )
            if same and not (rescaled[row] and was_entry):
                continue
            superseded[row, i] = was_entry
            row_consumption[row, i] = consumption[row, i]
            row_mg[row, i] = mg[row, i]
            row_states[row, i] = state
            row_runs[row, i] = run_id
            row_causes[row, i] = causes[row]
            changed[row] = True
            count += 1
    return count


@kernel
def sum_ledger_days(row_mg: Int64s, row_states: Int16s, sums: Int64s, counts: Int64s) -> None:
    """Sums of rows: milligrams; known, measured, interpolated, estimated, substituted intervals; flags of the known.

    row_mg, row_states  (r, 96)
    sums    int64 (r,)    written
    counts  int64 (r, 6)  written
    """
    for row in range(sums.size):
        total = int64(0)
        counts[row, :] = 0
        for i in range(DAY):
            quality, flags = row_states[row, i] & 3, int64(row_states[row, i]) >> 2
            if quality == 0:
                continue
            total += row_mg[row, i]
            counts[row, 0] += 1
            counts[row, 4 - quality] += 1
            counts[row, 4] += (flags & SUBSTITUTED_FLAG) != 0
            counts[row, 5] |= flags
        sums[row] = total
