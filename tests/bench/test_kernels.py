"""`bench kernels` once, small: our kernels, polars and duckdb agree, and a restated ledger is whole."""

from __future__ import annotations

import dataclasses

from bench import kernels
from bench.sizes import QUICK_KERNELS
from carbonmeter.settings import load

SMALL = dataclasses.replace(QUICK_KERNELS, channels=7, restated=3, days=40)


def test_every_case_of_kernels_gives_a_row() -> None:
    rows = kernels.run(load({}), kernels.CASES, SMALL)
    assert [row.case for row in rows] == list(kernels.CASES)
    asked, alone, stored = rows
    assert set(asked.versus) == {"polars", "duckdb", "memory"}, asked.detail
    assert "polars and duckdb with the same answer" in asked.detail
    assert alone.value is not None
    assert stored.value is not None, stored.detail
    assert f"{3 * (40 * 96 - 2):,} entries" in stored.detail
