"""Anchors: a run from one gives what the whole run gives, and nothing that comes later reaches behind it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from accounting.channel import NO_ANCHOR, ChannelIntervals, Rules, channel_intervals
from domain.interval import DAY_US, INTERVAL_US, ceil_interval
from domain.registry import Point
from tests.accounting.channel_cases import (
    CALENDAR,
    START_US,
    deltas,
    point,
    rates,
    register,
    registers,
    repeats,
    steady_registers,
    stored,
    window,
)
from tests.naive import Sent

ANY_KIND = st.one_of(registers(), steady_registers(), rates(), deltas())
Case = tuple[Point, list[Sent], int]


def run(case: Case, sents: list[Sent], first: int, end: int, since: int = NO_ANCHOR) -> ChannelIntervals:
    kept = [sent for sent in sents if sent.at >= since]
    return channel_intervals(case[0], stored(kept), first, end, Rules(look_ahead_us=case[2]), CALENDAR, since)


def anchors_of(result: ChannelIntervals) -> list[tuple[int, int]]:
    """(from which stamp on readings may come, anchor)."""
    starts = result.anchor_days * DAY_US - CALENDAR.offset_us
    pairs = [*zip(starts.tolist(), result.anchors.tolist(), strict=True)]
    return [(start, anchor) for start, anchor in pairs if anchor != NO_ANCHOR]


def same_from(whole: ChannelIntervals, part: ChannelIntervals, edge: int) -> bool:
    """Whether both agree on all intervals from an edge on; they end together."""
    count = (whole.first_us + len(whole.amounts) * INTERVAL_US - edge) // INTERVAL_US
    if count <= 0:
        return True
    return bool(
        (whole.amounts[-count:] == part.amounts[-count:]).all()
        and (whole.states[-count:] == part.states[-count:]).all()
    )


@given(ANY_KIND)
def test_a_run_from_an_anchor_gives_what_the_whole_run_gives(case: Case) -> None:
    first, end = window(case[1])
    end += 2 * DAY_US
    whole = run(case, case[1], first, end)
    tails = [] if whole.tail_anchor == NO_ANCHOR else [whole.tail_anchor]
    for anchor in [anchor for _, anchor in anchors_of(whole)] + tails:
        edge = max(first, ceil_interval(anchor))
        if edge >= end:
            continue
        part = run(case, case[1], edge, end, anchor)
        assert same_from(whole, part, edge)
        # What it finds itself is what the whole run found.
        known = dict(zip(whole.anchor_days.tolist(), whole.anchors.tolist(), strict=True))
        for day, found in zip(part.anchor_days.tolist(), part.anchors.tolist(), strict=True):
            assert found in (known[day], NO_ANCHOR)
        if whole.tail_anchor != NO_ANCHOR:
            assert part.tail_anchor in (whole.tail_anchor, NO_ANCHOR)


@given(ANY_KIND, st.data())
def test_what_comes_later_changes_nothing_behind_the_anchor(case: Case, data: st.DataObject) -> None:
    first, end = window(case[1])
    whole = run(case, case[1], first, end + 2 * DAY_US)
    last = max(sent.at for sent in case[1])
    limits = anchors_of(whole)
    if whole.tail_anchor != NO_ANCHOR:
        limits.append((last + 1, whole.tail_anchor))
    if not limits:
        return
    start, anchor = data.draw(st.sampled_from(limits))
    resolution = case[0].versions[0].resolution
    more = []
    for _ in range(data.draw(st.integers(1, 3))):
        at = start + data.draw(st.one_of(st.just(0), st.integers(0, 600_000_000), st.integers(0, 2 * DAY_US)))
        old = data.draw(st.sampled_from(case[1]))
        value = old.value + data.draw(st.integers(-3, 3000)) * resolution
        more += data.draw(repeats(at, value, resolution))
    after = run(case, case[1] + more, first, end + 2 * DAY_US)
    count = (ceil_interval(anchor) - first) // INTERVAL_US
    if count > 0:
        assert (after.amounts[:count] == whole.amounts[:count]).all()
        assert (after.states[:count] == whole.states[:count]).all()
    # and so the new state follows from the anchor alone
    edge = max(first, ceil_interval(anchor))
    if edge < end + 2 * DAY_US:
        assert same_from(after, run(case, case[1] + more, edge, end + 2 * DAY_US, anchor), edge)


@given(ANY_KIND, st.data())
def test_readings_in_order_one_by_one_give_what_all_at_once_give(case: Case, data: st.DataObject) -> None:
    """The live path: from the tail anchor where all is later, from the day's anchor otherwise."""
    point, sents, look_ahead = case
    assume(sents)
    first, end = window(sents)
    order = sents if data.draw(st.booleans()) else data.draw(st.permutations(sents))
    amounts, states = (
        np.zeros((end - first) // INTERVAL_US, np.int64),
        np.zeros((end - first) // INTERVAL_US, np.int16),
    )
    anchors: dict[int, int] = {}
    tail, seen = NO_ANCHOR, []
    while order:
        size = data.draw(st.integers(1, 4))
        arriving, order = order[:size], order[size:]
        earliest = min(sent.at for sent in arriving)
        if seen and earliest > max(sent.at for sent in seen):
            since = tail
        else:
            since = anchors.get(CALENDAR.day(earliest), NO_ANCHOR)
        seen = seen + arriving
        edge = first if since == NO_ANCHOR else max(first, ceil_interval(since))
        if edge >= end:
            continue
        result = run((replace(point), sents, look_ahead), seen, edge, end, since)
        count = (edge - first) // INTERVAL_US
        amounts[count:], states[count:] = result.amounts, result.states
        for day, anchor in zip(result.anchor_days.tolist(), result.anchors.tolist(), strict=True):
            if anchor != NO_ANCHOR or since == NO_ANCHOR:
                anchors[day] = anchor
        if result.tail_anchor != NO_ANCHOR or since == NO_ANCHOR:
            tail = result.tail_anchor
    whole = run(case, sents, first, end)
    assert (whole.amounts == amounts).all()
    assert (whole.states == states).all()


def test_a_change_that_is_still_ahead_is_no_anchor() -> None:
    """The opening value of a meter that takes over tomorrow: today's readings are still to come."""
    ahead = START_US + 10 * INTERVAL_US
    old = register(valid_to_us=ahead)
    new = register(valid_from_us=ahead, opening=Fraction(0))
    sents = [Sent(START_US + i * INTERVAL_US, Fraction(i)) for i in range(3)]
    result = run((point([old, new]), sents, DAY_US), sents, START_US, ahead + 4 * INTERVAL_US)
    assert result.tail_anchor == sents[-1].at
