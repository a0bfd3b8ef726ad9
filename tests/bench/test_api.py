"""`bench api` once, small: the routes answer with amounts, at the rate that was asked for."""

from __future__ import annotations

import dataclasses

from bench import api
from bench.sizes import QUICK_API
from carbonmeter.settings import load

SMALL = dataclasses.replace(QUICK_API, seconds=0.3, rate=50.0, enterprises=3, asked=2, days=40, graded=50)


def test_every_case_of_api_gives_a_row() -> None:
    rows = api.run(load({}), api.CASES, SMALL)
    assert [row.case for row in rows] == list(api.CASES)
    assert {row.case: row.detail for row in rows if row.value is None} == {}
    assert all(set(row.versus) == {"select-1"} for row in rows if row.case != "grades")
