"""Whole channels that emit: readings, plans and factors in; intervals, milligrams and windows out, in one go."""

from __future__ import annotations

import numpy as np

from accounting.kernels.channels import counting, run_channel
from accounting.kernels.compiled import Int, Int16s, Int64s, Records, UInt16s, int64, kernel
from accounting.kernels.emission import emit, trail
from accounting.kernels.machine import settle, stream


@kernel
def account_channels(
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
    numerators: Int64s,
    denominators: Int64s,
    limit: Int,
    beyond: Int,
    widths: Int64s,
    totals: Int64s,
    numbers: UInt16s,
    mg: Int64s,
    sums: Int64s,
    counts: UInt16s,
) -> Int:
    """Channels [begin, end) as `run_channels`, on to milligrams (`emit`) and windows of them (`trail`).

    numerators, denominators  int64 (c,)  the factor of each channel
    limit                     of milligrams; beyond: flags, as they stand in a state, of an interval that leaves it
    totals, numbers           zeros, as `trail` wants them for the longest channel
    mg                        int64, written by interval_offsets; so are sums and counts

    Gives a bound of the sizes of all mg. What a channel comes to is worked out where it stays in the caches, and
    what is written goes past them.
    """
    identity = counting(reading_offsets, begin, end)
    longest = counting(interval_offsets, begin, end).size
    room_amounts, room_mg = np.empty(longest, np.int64), np.empty(longest, np.int64)
    room_states, room_within = np.empty(longest, np.int16), np.empty(longest, np.bool_)
    largest = int64(0)
    for c in range(begin, end):
        low, high = interval_offsets[c], interval_offsets[c + 1]
        low_day, high_day = day_offsets[c], day_offsets[c + 1]
        size = high - low
        amount, state, emitted, within = (
            room_amounts[:size], room_states[:size], room_mg[:size], room_within[:size]
        )  # fmt: skip
        tails[c] = run_channel(
            readings[reading_offsets[c] : reading_offsets[c + 1]], identity,
            plans, plan_offsets[c], plan_offsets[c + 1], sinces[c], firsts[c], days[low_day:high_day], offset,
            amount, state, anchors[low_day:high_day],
        )  # fmt: skip
        bound, all_fit = emit(amount, numerators[c], denominators[c], limit, emitted, within)
        largest = max(largest, bound)
        if not all_fit:
            for k in range(size):
                if not within[k]:
                    state[k] = (state[k] & ~3) | beyond
        stream(amount, amounts[low:high])
        stream(state, states[low:high])
        stream(emitted, mg[low:high])
        lead = totals.size - longest
        trail(emitted, state, widths, totals[: lead + size], numbers[: lead + size], low, sums, counts)
    settle()
    return largest
