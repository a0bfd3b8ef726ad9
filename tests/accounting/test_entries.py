"""What a recomputation writes: new entries, superseded ones, and nothing where nothing changed."""

from __future__ import annotations

import numpy as np

from accounting.entries import consumption_changes, dense_days, late_intervals, ledger_changes
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY
from domain.ledger import CONSUMPTION_ROW, LEDGER_ROW, NO_ANCHOR
from domain.reading import Flag, Quality, pack

MEASURED = pack(Quality.MEASURED, 0)
NO_ROWS = np.empty(0, CONSUMPTION_ROW)
DAY = 19_700


def changes(stored, first, amounts, states=None, run_id=1, exponent=-2, late=None, anchors=None):
    amounts = np.array(amounts, np.int64)
    states = np.full(len(amounts), MEASURED, np.int16) if states is None else np.array(states, np.int16)
    return consumption_changes(5, exponent, stored, first, amounts, states, anchors or {}, late, run_id)


def test_first_entries_supersede_nothing_and_leave_the_rest_of_the_day_unwritten() -> None:
    result = changes(NO_ROWS, DAY * 96 + 10, [7, 8])
    assert result.rows["day"].tolist() == [DAY]
    assert np.flatnonzero(result.changed[0]).tolist() == [10, 11]
    assert not result.superseded.any()
    row = result.rows[0]
    assert row["amounts"][10:12].tolist() == [7, 8]
    assert row["run_ids"].nonzero()[0].tolist() == [10, 11]
    assert row["anchor_us"] == NO_ANCHOR


def test_the_same_again_writes_nothing() -> None:
    stored = changes(NO_ROWS, DAY * 96, range(96)).rows
    assert len(changes(stored, DAY * 96, range(96), run_id=2).rows) == 0


def test_another_amount_supersedes_only_its_own_entry() -> None:
    stored = changes(NO_ROWS, DAY * 96, range(96)).rows
    result = changes(stored, DAY * 96, [*range(50), 999, *range(51, 96)], run_id=2)
    assert np.flatnonzero(result.superseded[0]).tolist() == [50]
    assert result.rows[0]["run_ids"].tolist() == [1] * 50 + [2] + [1] * 45
    assert result.old[0]["amounts"][50] == 50


def test_an_entry_that_becomes_missing_is_superseded_too() -> None:
    stored = changes(NO_ROWS, DAY * 96, [5]).rows
    result = changes(stored, DAY * 96, [0], [pack(Quality.MISSING, Flag.CONFLICT)], run_id=2)
    assert result.superseded.sum() == 1
    assert result.rows[0]["states"][0] == pack(Quality.MISSING, Flag.CONFLICT)


def test_late_alone_changes_nothing_but_is_kept_with_the_entry() -> None:
    late = np.array([True])
    stored = changes(NO_ROWS, DAY * 96, [5], late=late).rows
    assert stored[0]["states"][0] == pack(Quality.MEASURED, Flag.LATE)
    assert len(changes(stored, DAY * 96, [5], run_id=2, late=np.array([False])).rows) == 0
    restated = changes(stored, DAY * 96, [6], run_id=2)  # by no arrival: as late as it was
    assert restated.rows[0]["states"][0] == pack(Quality.MEASURED, Flag.LATE)


def test_a_finer_exponent_writes_every_entry_of_the_row_again() -> None:
    stored = changes(NO_ROWS, DAY * 96, [5, 6]).rows
    result = changes(stored, DAY * 96, [50, 6], run_id=2, exponent=-3)
    assert np.flatnonzero(result.superseded[0]).tolist() == [0, 1]


def test_a_stretch_over_midnight_touches_both_days() -> None:
    result = changes(NO_ROWS, DAY * 96 + 94, [1, 2, 3, 4], anchors={DAY: 77, DAY + 1: 88})
    assert result.rows["day"].tolist() == [DAY, DAY + 1]
    assert result.rows["anchor_us"].tolist() == [77, 88]
    assert result.rows["amounts"][0, 94:].tolist() == [1, 2]
    assert result.rows["amounts"][1, :2].tolist() == [3, 4]


def ledger(stored, mg, factor=1, run_id=1, state=MEASURED):
    mg = np.array(mg, np.int64).reshape(-1, INTERVALS_PER_DAY)
    states = np.full(mg.shape, state, np.int16)
    days = len(mg)
    return ledger_changes(
        9, 0, -2, stored, DAY, mg // 2, mg, states, np.full(days, factor), np.full(mg.shape, 3), run_id
    )


def test_ledger_rows_carry_exact_sums_by_quality() -> None:
    mg = np.arange(96) * 10**15
    row = ledger(np.empty(0, LEDGER_ROW), mg).rows[0]
    assert row["mg_sum"] == sum(range(96)) * 10**15
    assert (row["known"], row["measured"], row["estimated"]) == (96, 96, 0)


def test_another_factor_supersedes_entries_of_equal_amount() -> None:
    stored = ledger(np.empty(0, LEDGER_ROW), np.zeros(96)).rows
    again = ledger(stored, np.zeros(96), factor=2, run_id=2)
    assert again.superseded.sum() == 96
    missing = ledger(np.empty(0, LEDGER_ROW), np.zeros(96), state=0)
    assert len(missing.rows) == 0


def test_dense_days_are_zero_where_nothing_stands() -> None:
    stored = changes(NO_ROWS, DAY * 96, [5]).rows
    dense = dense_days(stored, DAY - 1, DAY + 2)
    assert dense["day"].tolist() == [DAY - 1, DAY, DAY + 1]
    assert dense["amounts"].sum(axis=1).tolist() == [0, 5, 0]


def test_an_interval_is_late_by_the_reading_that_closed_it() -> None:
    hour = 4 * INTERVAL_US
    ends = np.array([1, 2, 3, 4]) * INTERVAL_US
    at = np.array([2, 4]) * INTERVAL_US  # the first closes intervals 1 and 2, the second 3 and 4
    committed = np.array([2 * INTERVAL_US + 5, 4 * INTERVAL_US + 2 * hour])
    assert late_intervals(ends, at, committed, hour).tolist() == [False, False, True, True]
