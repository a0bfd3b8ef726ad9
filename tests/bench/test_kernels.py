"""`bench kernels` once, small: our kernels, polars and duckdb agree, and a restated ledger is whole."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench import kernels
from bench.ours import FIRST_US, Ours
from bench.question import registers
from bench.sizes import QUICK_KERNELS
from carbonmeter.settings import load
from domain.reading import Flag

SMALL = dataclasses.replace(QUICK_KERNELS, channels=7, readings=10**4, restated=3, days=40)


def test_every_case_of_kernels_gives_its_rows() -> None:
    rows = {row.case: row for row in kernels.run(load({}), kernels.CASES, SMALL)}
    scales = [f"scale-1e4-{threads}" for threads in (1, 2)]
    assert [*rows] == ["kernels", *scales, "restate-kernels", "restate", "cold-start"]
    asked, stored = rows["kernels"], rows["restate"]
    assert set(asked.versus) == {"polars", "duckdb", "memory"}, asked.detail
    assert "polars and duckdb with the same answer" in asked.detail
    assert all(row.value is not None for row in rows.values()), [row.detail for row in rows.values()]
    assert f"{3 * (40 * 96 - 2):,} entries" in stored.detail


def test_the_question_has_all_that_it_says() -> None:
    """Each kind of quality, and breaks of each kind that rivals have to judge."""
    question = registers(40, 31 * 96, FIRST_US, seed=5)
    ours = Ours(question, 1)
    states = ours.ask().intervals.states
    assert set(np.unique(states & 3).tolist()) == {0, 1, 2}  # no edge is hit to the microsecond
    flags = int(np.bitwise_or.reduce(states >> 2))
    for flag in (Flag.GAP, Flag.ROLLOVER, Flag.RESET, Flag.RESTART, Flag.IMPLAUSIBLE):
        assert flags & flag, flag
    stamps = np.diff(question.stamps_us)
    assert (stamps == 0).any()
    assert (question.revisions == 1).any()
    assert (question.qualities == 1).any()
