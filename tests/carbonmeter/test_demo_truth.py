"""The demo's comparisons find what is wrong: a milligram, a missing interval, an entry where nothing is known."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from carbonmeter.check import Check
from carbonmeter.demo_check import _first_difference
from carbonmeter.demo_truth import _compare, milligrams
from domain.interval import INTERVAL_US, Calendar
from domain.ledger import LEDGER_ROW
from domain.reading import Flag
from simulators.truth import Amounts

START_US = Calendar().day_start(20_750)
AMOUNTS = Amounts(-2, {START_US + k * INTERVAL_US: 100 + k for k in range(3)})
FACTOR = Fraction(497_600)
RIGHT: dict[int, int | None] = {START_US + k * INTERVAL_US: 4_976 * (100 + k) for k in range(3)}


class Told:
    """Stands for the API's word on factors: it has one, of one gas, or none."""

    def __init__(self, factor: Fraction | None) -> None:
        self._factor = factor

    def mg_per_unit(self, *_: object) -> list[Fraction]:
        return [] if self._factor is None else [self._factor]


def faults(entries: dict[int, int | None], factor: Fraction | None = FACTOR) -> list[str]:
    check = Check(3, "")
    told: Any = Told(factor)
    _compare(check, "U", "grid", AMOUNTS, entries, told, Calendar())
    return check.shown


def test_the_right_entries_have_no_faults() -> None:
    beyond = START_US + 3 * INTERVAL_US
    assert faults({**RIGHT, beyond: None}) == []


@pytest.mark.parametrize("wrong", [4_976 * 100 + 1, None, 0])
def test_one_milligram_is_found(wrong: int | None) -> None:
    [fault] = faults({**RIGHT, START_US: wrong})
    assert fault == f"U grid 2026-10-24T00:00:00+08:00: {wrong} mg, the meters say 497600 mg"


def test_what_stands_where_nothing_is_known_is_found() -> None:
    assert len(faults({**RIGHT, START_US + 3 * INTERVAL_US: 0})) == 1
    assert len(faults({at: mg for at, mg in RIGHT.items() if at != START_US})) == 1
    assert any("no factor" in fault for fault in faults(RIGHT, None))


def test_milligrams_are_exact() -> None:
    assert milligrams("477515.226896") == 477_515_226_896
    assert milligrams("-0.000001") == -1
    assert milligrams(None) is None
    with pytest.raises(AssertionError, match="whole number of milligrams"):
        milligrams("0.0000001")


def test_ledgers_differ_by_a_bit_but_not_by_what_tells_of_arrival() -> None:
    row = np.zeros(1, LEDGER_ROW)[0]
    other = row.copy()
    other["run_ids"][5], other["cause_ids"][5], other["factor_id"] = 7, 8, 9
    assert _first_difference({(1, 0): row}, {(1, 0): other}) is None
    other["states"][7] = int(Flag.GAP) << 2
    assert _first_difference({(1, 0): row}, {(1, 0): other}) == "day 1, series 0, states[7]: 0 and 4"
    assert _first_difference({(1, 0): row}, {}) == "day 1, series 0 is only in the first"
