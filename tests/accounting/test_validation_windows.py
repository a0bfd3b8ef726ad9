"""What a day shows doesn't depend on how much around it is looked at, nor on how the days are cut into pieces."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accounting.validation.judge import findings_of_days
from accounting.validation.view import DAYS_AROUND, DAYS_BEFORE, Account, View
from domain.finding import EVIDENCE_DAYS_MAX, FindingDay, Joined, Known, join, turn
from domain.interval import INTERVALS_PER_DAY
from domain.reading import Flag, Quality
from domain.validation import CheckRule, FindingState
from tests.accounting.bed import REGISTER
from tests.accounting.test_validation_rules import DELTA, MG, POWER, with_product
from tests.accounting.validation_bed import DAY0, RULES, Days

DAYS = 16
CHECKS: list[dict[str, Any]] = [
    {"id": "halves", "rule": "main_against_subs", "main": "E-01/kwh", "subs": "E-01/kwh_15"},
    {"id": "long", "rule": "prolonged_estimation", "shortest": "P2D"},
    {"id": "still", "rule": "frozen_value", "channel": "E-01/kw", "shortest": "PT2H"},
]


def random_days(seed: int) -> Days:
    """Sixteen days in which much goes wrong, in stretches of hours to days."""
    chance = random.Random(seed)
    document = with_product(REGISTER, POWER, DELTA, checks=CHECKS)
    document["meters"][0]["calibrations"] = [{"from": "2024-01-01", "until": "2024-03-05"}]
    days = Days(document, DAYS)
    days.put("E-01/kwh", lambda n: 100 + n % 5).put("E-01/kw", lambda n: 40 + n % 3)
    days.put("E-01/kwh_15", lambda n: 10 + n % 2).put("P-01/steel_t", 3)
    for _ in range(12):
        name = chance.choice(list(days.enterprise.points))
        rows = days.rows[days.enterprise.points[name].id]
        start = chance.randrange(DAYS * INTERVALS_PER_DAY)
        stretch = slice(start, start + chance.choice([4, 8, 24, 96, 300]))
        amounts, states = rows["amounts"].reshape(-1), rows["states"].reshape(-1)
        match chance.choice(["missing", "zero", "ten", "estimated", "same"]):
            case "missing":
                amounts[stretch], states[stretch] = 0, int(Quality.MISSING)
            case "zero":
                amounts[stretch] = 0
            case "ten":
                amounts[stretch] *= 10
            case "same":
                amounts[stretch] = 77
            case "estimated":
                states[stretch] = int(Quality.ESTIMATED) | int(Flag.GAP) << 2
        rows["amounts"], rows["states"] = amounts.reshape(-1, 96), states.reshape(-1, 96)
    return days.account("grid", "E-01/kwh", MG)


def part(view: View, first: int, end: int) -> View:
    """The view of [first, end), as if no more had been read."""
    first, end = max(first, view.first_day), min(end, view.end_day)
    here, rows = view.slice_of(first, end), slice(first - view.first_day, end - view.first_day)
    accounts = {
        id_: Account(each.mg[here], each.sizes[here], each.known[here], each.substituted[here], each.factors)
        for id_, each in view.accounts.items()
    }
    return replace(
        view,
        first_day=first,
        end_day=end,
        rows={id_: each[rows] for id_, each in view.rows.items()},
        accounts=accounts,
    )


@pytest.mark.parametrize("seed", range(25))
def test_a_day_shows_the_same_however_the_days_are_cut(seed: int) -> None:
    whole = random_days(seed).view()
    days = range(DAY0 + DAYS_BEFORE, DAY0 + DAYS)
    expected = sorted(findings_of_days(whole, days, RULES), key=repr)
    chance = random.Random(seed + 1)
    cuts = sorted({days.start, days.stop, *chance.sample(days, 3)})
    pieces: list[FindingDay] = []
    for first, end in pairwise(cuts):
        piece = part(whole, first - DAYS_BEFORE, end + DAYS_AROUND)
        pieces += findings_of_days(piece, range(first, end), RULES)
    assert sorted(pieces, key=repr) == expected


def test_the_random_days_show_something_of_many_rules() -> None:
    found: set[CheckRule] = set()
    for seed in range(25):
        view = random_days(seed).view()
        found |= {each.rule for each in findings_of_days(view, range(DAY0 + 7, DAY0 + DAYS), RULES)}
    assert found == set(CheckRule) - {CheckRule.PRODUCT_BAND}


def test_judging_changes_nothing_that_it_is_given() -> None:
    days = random_days(3)
    before = {id_: rows.copy() for id_, rows in days.rows.items()}
    view = days.view()
    mg = {id_: each.mg.copy() for id_, each in view.accounts.items()}
    findings_of_days(view, range(DAY0, DAY0 + DAYS), RULES)
    for id_, rows in before.items():
        assert np.array_equal(rows, days.rows[id_])
    for id_, entries in mg.items():
        assert np.array_equal(entries, view.accounts[id_].mg)


def a_day(day: int, end_day: int | None = None, mg: int = 1) -> FindingDay:
    end = day + 1 if end_day is None else end_day
    return FindingDay(CheckRule.FROZEN_VALUE, "A/x", day, end, day * 10, end * 10, ("A/x",), {"day": day}, mg)


def test_days_that_touch_are_one_finding() -> None:
    found = join([a_day(5), a_day(3, mg=7), a_day(4), a_day(8)])
    assert [(each.first_day, each.end_day, each.days, each.mg) for each in found] == [
        (3, 6, 3, 9),
        (8, 9, 1, 1),
    ]
    assert (found[0].from_us, found[0].to_us) == (30, 60)
    assert [each.end_day for each in join([a_day(0, 31), a_day(31, 60)])] == [60], "months too"
    assert join([]) == []


def test_of_many_days_the_first_and_the_last_are_shown() -> None:
    (long,) = join([a_day(day) for day in range(100)])
    assert len(long.evidence) == EVIDENCE_DAYS_MAX
    assert [long.evidence[0], long.evidence[30], long.evidence[31], long.evidence[-1]] == [
        {"day": 0},
        {"day": 30},
        {"day": 69},
        {"day": 99},
    ]
    assert (long.days, long.mg) == (100, 100)


def known(
    state: FindingState, *, holds: bool, explained: bool = False, settled_end: int | None = None
) -> Known:
    return Known(1, state, holds, explained, settled_end, join([a_day(3)])[0])


OPEN, EXPLAINED, SETTLED = FindingState
SHORT, LONG = join([a_day(3)])[0], join([a_day(3), a_day(4)])[0]


@pytest.mark.parametrize(
    ("before", "found", "state", "why"),
    [
        (None, SHORT, OPEN, "found"),
        (known(OPEN, holds=True), LONG, OPEN, None),
        (known(OPEN, holds=True), None, SETTLED, "no longer found"),
        (known(EXPLAINED, holds=True, explained=True), LONG, EXPLAINED, None),
        (known(EXPLAINED, holds=True, explained=True), None, SETTLED, "no longer found"),
        (known(SETTLED, holds=False), None, SETTLED, None),
        (known(SETTLED, holds=False), SHORT, OPEN, "found again"),
        (known(SETTLED, holds=False, explained=True), SHORT, EXPLAINED, "found again"),
        (known(SETTLED, holds=True, settled_end=4), SHORT, SETTLED, None),
        (known(SETTLED, holds=True, settled_end=4), LONG, OPEN, "goes on beyond what was settled"),
        (known(SETTLED, holds=True, settled_end=4), None, SETTLED, None),
        (known(SETTLED, holds=False, settled_end=4), SHORT, SETTLED, None),
    ],
)
def test_the_states_that_a_finding_goes_through(
    before: Known | None, found: Joined | None, state: FindingState, why: str | None
) -> None:
    assert turn(before, found) == (state, why)
