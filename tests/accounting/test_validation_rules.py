"""Each rule by hand: what it finds, what lies exactly at its limit, and what proves nothing."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from accounting.validation.band import beyond
from accounting.validation.presence import expired
from accounting.validation.rules import load
from accounting.validation.shape import jump
from accounting.validation.view import exact_sum, lasting, repeating
from domain.errors import FaultyDocument
from domain.interval import DAY_US, INTERVAL_US
from domain.reading import Flag, Quality
from domain.registry import Band, Calibration
from domain.validation import CheckRule
from tests.accounting.bed import REGISTER, enterprise
from tests.accounting.validation_bed import CALENDAR, DAY0, Days

DELTA = {**REGISTER, "id": "kwh_15", "kind": "delta", "resolution": "0.1", "period": "PT15M"}
POWER = {**REGISTER, "id": "kw", "kind": "rate", "unit": "kW", "resolution": "0.1"}
STEEL = {
    "id": "steel_t",
    "quantity": "product",
    "kind": "delta",
    "unit": "t",
    "resolution": "0.1",
    "period": "PT15M",
    "valid_from": "2023-01-01T00:00:00+08:00",
}
for each in (DELTA, POWER):
    del each["max_rate"]
GRID = {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}
PRODUCT = {"id": "crude_steel", "expression": "P-01/steel_t", "unit": "t"}
MG = 5_000  # per 0.01 kWh, the ledger's unit of the register


def one(*channels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return enterprise({"E-01": list(channels) or [REGISTER]}, [GRID], **more)


def with_product(*channels: dict[str, Any], **more: Any) -> dict[str, Any]:
    product = more.pop("product", PRODUCT)
    return enterprise(
        {"E-01": list(channels) or [REGISTER], "P-01": [STEEL]}, [GRID], **{"products": [product], **more}
    )


# -- main against subs ------------------------------------------------------------------------------------


def feeders(**check: Any) -> dict[str, Any]:
    meters = {
        "E-01": [REGISTER],
        "E-02": [REGISTER],
        "E-03": [{**REGISTER, "unit": "MWh", "resolution": "0.00001"}],
    }
    return enterprise(
        meters,
        [GRID],
        checks=[
            {
                "id": "feeders",
                "rule": "main_against_subs",
                "main": "E-01/kwh",
                "subs": "E-02/kwh + E-03/kwh",
                **check,
            }
        ],
    )


@pytest.mark.parametrize(("subs", "is_found"), [(9700, False), (9699, True), (10_300, False), (10_301, True)])
def test_a_difference_exactly_at_the_tolerance_is_within_it(subs: int, is_found: bool) -> None:
    days = Days(feeders(), 1).put("E-01/kwh", 10_000).put("E-02/kwh", 5_000).put("E-03/kwh", subs - 5_000)
    found = days.account("grid", "E-01/kwh", MG).judge(CheckRule.MAIN_AGAINST_SUBS)
    assert bool(found) == is_found
    if found:
        (day,) = found
        assert day.mg == 301 * 96 * MG
        assert day.channels == ("E-01/kwh", "E-02/kwh", "E-03/kwh")
        assert (day.from_us, day.to_us) == (CALENDAR.day_start(DAY0), CALENDAR.day_start(DAY0) + DAY_US)
        assert day.evidence["main"] == "9600.00"
        assert day.evidence["tolerance"] == "0.030000"


def test_only_intervals_known_on_both_sides_are_compared() -> None:
    days = Days(feeders(), 2).put("E-01/kwh", 100).put("E-02/kwh", 100, intervals=range(48))
    days.put("E-03/kwh", 0, intervals=range(48))
    assert days.judge(CheckRule.MAIN_AGAINST_SUBS) == []
    days.put("E-02/kwh", 50, days=1, intervals=range(48))
    (day,) = days.judge(CheckRule.MAIN_AGAINST_SUBS)
    assert (day.day, day.evidence["intervals"], day.evidence["main"]) == (DAY0 + 1, 48, "48.00")
    days.put("E-02/kwh", 0, days=1, intervals=range(1), quality=Quality.MISSING)
    assert days.judge(CheckRule.MAIN_AGAINST_SUBS) == [], "known for less than half of the day"


def test_a_check_has_its_own_tolerance_and_can_be_turned_off() -> None:
    def judged(**check: Any) -> list[Any]:
        days = Days(feeders(**check), 1).put("E-01/kwh", 100).put("E-02/kwh", 90).put("E-03/kwh", 0)
        return days.judge(CheckRule.MAIN_AGAINST_SUBS)

    assert judged(tolerance="0.1") == []
    assert judged(tolerance="0.0999999")
    assert judged(active=False) == []


def test_subs_without_a_main_amount_are_found() -> None:
    days = Days(feeders(), 1).put("E-01/kwh", 0).put("E-02/kwh", 1).put("E-03/kwh", 0)
    (day,) = days.judge(CheckRule.MAIN_AGAINST_SUBS)
    assert (day.evidence["share"], day.mg) == (None, 0), "no entries: nothing of the account is in doubt"


# -- register against delta -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delta", "is_found"),
    # 96.00 kWh by the register; 1 % of the larger is 0.96, a count 0.01, half a count of 0.1 in 96 intervals 4.8
    [([10] * 96, False), ([10] * 38 + [9] * 58, True), ([10] * 39 + [9] * 57, False)],
)
def test_a_register_against_its_deltas(delta: list[int], is_found: bool) -> None:
    days = Days(one(REGISTER, DELTA), 1).put("E-01/kwh", 100).put("E-01/kwh_15", delta)
    days.account("grid", "E-01/kwh", MG)
    found = days.judge(CheckRule.REGISTER_AGAINST_DELTA)
    assert bool(found) == is_found
    for day in found:
        assert (day.subject, day.evidence["register"], day.evidence["delta"]) == (
            "E-01/kwh E-01/kwh_15",
            "96.00",
            "90.2",
        )
        assert day.mg == 580 * MG


def test_other_quantities_of_a_meter_are_not_compared() -> None:
    export = {**DELTA, "quantity": "electricity_export"}
    days = Days(one(REGISTER, export), 1).put("E-01/kwh", 100).put("E-01/kwh_15", 0)
    assert days.judge(CheckRule.REGISTER_AGAINST_DELTA) == []


# -- siblings ---------------------------------------------------------------------------------------------


def test_a_sibling_is_missing_from_an_hour_on() -> None:
    days = Days(one(REGISTER, POWER), 9).put("E-01/kwh", 100).put("E-01/kw", 40)
    days.account("grid", "E-01/kwh", MG)
    missing = Quality.MISSING
    days.put("E-01/kw", 0, days=8, intervals=range(10, 13), quality=missing)
    assert days.judge(CheckRule.SIBLINGS_PRESENT) == []
    days.put("E-01/kw", 0, days=8, intervals=range(10, 14), quality=missing)
    (day,) = days.judge(CheckRule.SIBLINGS_PRESENT)
    start = CALENDAR.day_start(DAY0 + 8)
    assert (day.from_us, day.to_us) == (start + 10 * INTERVAL_US, start + 14 * INTERVAL_US)
    assert (day.subject, day.channels) == ("E-01/kw", ("E-01/kw", "E-01/kwh"))
    assert day.mg == 0, "no source counts the power"
    days = Days(one(REGISTER, POWER), 9).put("E-01/kwh", 100).put("E-01/kw", 40)
    days.put("E-01/kwh", 0, days=8, intervals=range(20), quality=missing).account("grid", "E-01/kwh", MG)
    (day,) = days.judge(CheckRule.SIBLINGS_PRESENT)
    assert (day.subject, day.mg) == ("E-01/kwh", 20 * 100 * MG), "as much as in the days before"


def test_a_meter_that_is_silent_altogether_has_no_missing_sibling() -> None:
    days = Days(one(REGISTER, POWER), 1)
    assert days.judge(CheckRule.SIBLINGS_PRESENT) == []


def test_a_stretch_over_midnight_counts_on_both_days() -> None:
    days = Days(one(REGISTER, POWER), 2).put("E-01/kwh", 100).put("E-01/kw", 40)
    days.put("E-01/kw", 0, days=0, intervals=range(94, 96), quality=Quality.MISSING)
    days.put("E-01/kw", 0, days=1, intervals=range(2), quality=Quality.MISSING)
    assert [day.evidence["intervals"] for day in days.judge(CheckRule.SIBLINGS_PRESENT)] == [2, 2]


def test_outside_its_validity_nothing_is_missing() -> None:
    later = {**POWER, "valid_from": "2024-03-01T06:00:00+08:00"}
    days = Days(one(REGISTER, later), 1).put("E-01/kwh", 100).put("E-01/kw", 40, intervals=range(24, 96))
    assert days.judge(CheckRule.SIBLINGS_PRESENT) == []


def test_a_monthly_delta_is_not_expected_by_the_days_end() -> None:
    days = Days(one(REGISTER, {**DELTA, "period": "P1M"}), 1).put("E-01/kwh", 100)
    assert days.judge(CheckRule.SIBLINGS_PRESENT) == []


# -- jumps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "power"),
    [
        (1000, "10"), (850, "10"), (849, None), (1150, "10"), (1151, None), (10_000, "100"), (100_000, "1000"),
        (10, "1/10"), (9, "1/10"), (8, None), (12, None), (1, "1/100"), (100, None), (0, None),
    ],
)  # fmt: skip
def test_a_day_at_another_power_of_ten(amount: int, power: str | None) -> None:
    days = Days(one(), 5).put("E-01/kwh", 100).put("E-01/kwh", amount, days=4).account("grid", "E-01/kwh", MG)
    found = days.judge(CheckRule.MULTIPLIER_JUMP)
    assert [day.evidence["power"] for day in found] == ([power] if power else [])
    for day in found:
        assert (day.day, day.subject, day.mg) == (DAY0 + 4, "E-01/kwh", 96 * amount * MG)
        assert day.evidence["usual_days"] == 4


def test_a_jump_needs_three_usual_days_known_for_nine_tenths() -> None:
    days = Days(one(), 4).put("E-01/kwh", 100).put("E-01/kwh", 1000, days=3)
    assert len(days.judge(CheckRule.MULTIPLIER_JUMP)) == 1
    days.put("E-01/kwh", 0, days=0, intervals=range(10), quality=Quality.MISSING)
    assert days.judge(CheckRule.MULTIPLIER_JUMP) == []


def test_what_stays_becomes_usual() -> None:
    days = Days(one(), 16).put("E-01/kwh", 100).put("E-01/kwh", 1000, days=range(8, 16))
    assert [day.day - DAY0 for day in days.judge(CheckRule.MULTIPLIER_JUMP)] == [8, 9, 10, 11]


def test_a_quiet_day_is_no_jump() -> None:
    days = Days(one(), 5).put("E-01/kwh", lambda number: 100 + number % 5)
    days.put("E-01/kwh", lambda number: 60 if number % 96 < 12 else 4, days=4)
    assert days.judge(CheckRule.MULTIPLIER_JUMP) == [], "a tenth on the mean, six tenths at its peak"
    days.put("E-01/kwh", lambda number: (100 + number % 5) * 10, days=4)
    (day,) = days.judge(CheckRule.MULTIPLIER_JUMP)
    assert (day.evidence["ratio"], day.evidence["peak_ratio"]) == ("10.003064", "10.000000")


def test_the_power_between_two_means() -> None:
    fifth = Fraction(1, 5)
    assert jump(Fraction(12), Fraction(1), fifth) == 10
    assert jump(Fraction(8, 100), Fraction(1), fifth) == Fraction(1, 10)
    assert jump(Fraction(-10), Fraction(1), fifth) is None
    assert jump(Fraction(10), Fraction(0), fifth) is None


# -- frozen values ----------------------------------------------------------------------------------------


def moving(number: int) -> int:
    return 100 + number % 7


def test_a_rate_that_repeats_one_value_for_six_hours() -> None:
    days = Days(one(REGISTER, POWER), 2).put("E-01/kwh", 100).put("E-01/kw", moving)
    days.put("E-01/kw", 55, days=1, intervals=range(10, 33))
    assert days.judge(CheckRule.FROZEN_VALUE) == []
    days.put("E-01/kw", 55, days=1, intervals=range(10, 34))
    (day,) = days.judge(CheckRule.FROZEN_VALUE)
    assert (day.subject, day.evidence["intervals"], day.evidence["readings"]) == ("E-01/kw", 24, 96)
    days.put("E-01/kwh", 0, days=1)
    (day,) = days.judge(CheckRule.FROZEN_VALUE)
    assert day.subject == "E-01/kwh", "nothing but the power shows that the process runs"


def test_a_rate_at_zero_is_not_frozen() -> None:
    days = Days(one(REGISTER, POWER), 1).put("E-01/kwh", 100).put("E-01/kw", 0)
    assert days.judge(CheckRule.FROZEN_VALUE) == []


def test_seldom_read_channels_need_six_of_their_intervals() -> None:
    days = Days(one(REGISTER, POWER), 1).put("E-01/kwh", 100).put("E-01/kw", moving)
    days.put("E-01/kw", 55, intervals=range(40))
    power = days.enterprise.points["E-01/kw"].id
    assert days.judge(CheckRule.FROZEN_VALUE)
    days.readings[power][DAY0] = 15  # 6 × 96 ÷ 15 intervals: 38.4
    assert days.judge(CheckRule.FROZEN_VALUE)
    days.readings[power][DAY0] = 14  # 41.1
    assert days.judge(CheckRule.FROZEN_VALUE) == []
    days.readings[power][DAY0] = 2
    assert days.judge(CheckRule.FROZEN_VALUE) == []


def test_a_register_that_usually_moves_stands_still_while_product_flows() -> None:
    days = Days(with_product(), 8).put("E-01/kwh", 100).put("P-01/steel_t", 3)
    days.put("E-01/kwh", 0, days=7, intervals=range(40, 64)).account("grid", "E-01/kwh", MG)
    (day,) = days.judge(CheckRule.FROZEN_VALUE)
    assert (day.day, day.subject, day.evidence["value"]) == (DAY0 + 7, "E-01/kwh", "0.00")
    assert day.mg == 24 * 100 * MG, "as much as in the days before"
    days.put("P-01/steel_t", 0, days=7, intervals=range(50, 51))
    assert days.judge(CheckRule.FROZEN_VALUE) == [], "the process paused"


def test_a_register_that_mostly_stands_still_is_left_alone() -> None:
    days = Days(with_product(), 8).put("E-01/kwh", 0).put("P-01/steel_t", 3)
    days.put("E-01/kwh", 100, days=range(7), intervals=range(47))
    assert days.judge(CheckRule.FROZEN_VALUE, range(7, 8)) == []
    days.put("E-01/kwh", 100, days=range(7), intervals=range(48))
    assert len(days.judge(CheckRule.FROZEN_VALUE, range(7, 8))) == 1


def test_a_check_silences_one_channel_or_all() -> None:
    def judged(*checks: dict[str, Any]) -> int:
        days = Days(one(REGISTER, POWER, checks=list(checks)), 1).put("E-01/kwh", 100).put("E-01/kw", 55)
        return len(days.judge(CheckRule.FROZEN_VALUE))

    mine = {"id": "a", "rule": "frozen_value", "channel": "E-01/kw"}
    assert judged() == 1
    assert judged({**mine, "active": False}) == 0
    assert judged({"id": "b", "rule": "frozen_value", "active": False}) == 0
    assert judged({"id": "b", "rule": "frozen_value", "active": False}, mine) == 1, "the channel's own counts"
    assert judged({**mine, "channel": "E-01/kwh", "active": False}) == 1
    assert judged({**mine, "shortest": "P2D"}) == 0


# -- no consumption while product flows -------------------------------------------------------------------


def test_product_without_bought_electricity() -> None:
    days = Days(with_product(), 8).put("E-01/kwh", 100).put("P-01/steel_t", 3)
    days.put("E-01/kwh", 0, days=7, intervals=range(8, 15)).account("grid", "E-01/kwh", MG)
    assert days.judge(CheckRule.NO_CONSUMPTION) == []
    days.put("E-01/kwh", 0, days=7, intervals=range(8, 16)).account("grid", "E-01/kwh", MG)
    (day,) = days.judge(CheckRule.NO_CONSUMPTION)
    assert (day.subject, day.channels) == ("crude_steel grid", ("E-01/kwh", "P-01/steel_t"))
    assert (day.evidence["made"], day.evidence["product_unit"], day.evidence["intervals"]) == ("2.4", "t", 8)
    assert day.mg == 8 * 100 * MG


def test_product_that_is_only_known_by_the_day() -> None:
    days = Days(with_product(), 8).put("E-01/kwh", 100).put("P-01/steel_t", 3, quality=Quality.INTERPOLATED)
    days.put("E-01/kwh", 0, days=7, intervals=range(95))
    assert days.judge(CheckRule.NO_CONSUMPTION) == [], "it may have been made in the last quarter-hour"
    days.put("E-01/kwh", 0, days=7)
    (day,) = days.judge(CheckRule.NO_CONSUMPTION)
    assert day.evidence["intervals"] == 96


def test_a_named_check_replaces_the_one_of_electricity() -> None:
    check = {"id": "furnace", "rule": "no_consumption", "product": "crude_steel", "consumption": "E-01/kw"}
    days = Days(with_product(REGISTER, POWER, checks=[check]), 1).put("E-01/kwh", 0).put("E-01/kw", 0)
    days.put("P-01/steel_t", 3)
    (day,) = days.judge(CheckRule.NO_CONSUMPTION)
    assert (day.subject, day.channels) == ("furnace", ("E-01/kw", "P-01/steel_t"))
    off = Days(with_product(REGISTER, POWER, checks=[{**check, "active": False}]), 1)
    off.put("E-01/kwh", 0).put("E-01/kw", 0).put("P-01/steel_t", 3)
    assert off.judge(CheckRule.NO_CONSUMPTION) == []


# -- estimation, calibration, band ------------------------------------------------------------------------


def test_estimation_from_a_whole_day_on() -> None:
    days = Days(one(), 3).put("E-01/kwh", 100)
    estimated = {"quality": Quality.ESTIMATED, "flags": Flag.GAP}
    days.put("E-01/kwh", 100, days=0, intervals=range(60, 96), **estimated)
    days.put("E-01/kwh", 100, days=1, intervals=range(59), **estimated).account("grid", "E-01/kwh", MG)
    assert days.judge(CheckRule.PROLONGED_ESTIMATION) == []
    days.put("E-01/kwh", 100, days=1, intervals=range(60), **estimated)
    found = days.judge(CheckRule.PROLONGED_ESTIMATION)
    assert [(day.evidence["intervals"], day.mg) for day in found] == [(36, 3600 * MG), (60, 6000 * MG)]


def test_entries_that_are_substituted_for_long() -> None:
    days = Days(one(), 1).put("E-01/kwh", 100, quality=Quality.ESTIMATED, flags=Flag.SUBSTITUTED)
    days.account("grid", "E-01/kwh", MG, sign=-1)
    point, source = days.judge(CheckRule.PROLONGED_ESTIMATION)
    assert (point.subject, source.subject, source.channels) == ("E-01/kwh", "grid", ("E-01/kwh",))
    assert source.mg == 9600 * MG, "a deduction is in doubt by its size"


def test_readings_after_a_calibration_has_ended() -> None:
    document = one()
    document["meters"][0]["calibrations"] = [
        {"from": "2023-03-02", "until": "2024-03-01"},
        {"from": "2024-03-04", "until": "2025-03-03"},
    ]
    days = Days(document, 5).put("E-01/kwh", 100, days=range(5)).account("grid", "E-01/kwh", MG)
    found = days.judge(CheckRule.OUT_OF_CALIBRATION)
    assert [(day.day - DAY0, day.subject) for day in found] == [(1, "E-01"), (2, "E-01")]
    assert found[0].evidence["calibrated_until"] == "2024-03-01"
    assert found[0].mg == 9600 * MG
    silent = Days(document, 5)
    assert silent.judge(CheckRule.OUT_OF_CALIBRATION) == [], "no reading, nothing to doubt"


def test_days_that_no_calibration_covers() -> None:
    calibrations = (Calibration(10, 20), Calibration(15, 18), Calibration(30, None))
    assert [day for day in range(5, 40) if expired(calibrations, day) is not None] == list(range(21, 30))
    assert expired(calibrations, 25) == 20
    assert expired((), 5) is None


MARCH = CALENDAR.day_of(date(2024, 3, 1))


@pytest.mark.parametrize(
    ("low", "high", "out_kg"),
    # 0.3 t and 48 kg an interval: 160 kg/t, 28.8 t a day
    [("160", None, 0), ("170", None, 288), (None, "160", 0), (None, "150", 288), ("100", "200", 0)],
)
def test_emission_per_product_over_a_day(low: str | None, high: str | None, out_kg: int) -> None:
    band = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    document = with_product(product={**PRODUCT, "band": {**band, "over": "day"}})
    days = Days(document, 1).put("E-01/kwh", 9600).put("P-01/steel_t", 3).account("grid", "E-01/kwh", MG)
    found = days.judge(CheckRule.PRODUCT_BAND)
    assert [day.mg for day in found] == ([out_kg * 1_000_000] if out_kg else [])
    for day in found:
        assert day.evidence["kg_per_unit"] == "160.000000"


def test_a_band_over_months_judges_whole_ones() -> None:
    document = with_product(product={**PRODUCT, "band": {"high": "15.9"}})
    days = (
        Days(document, 31, MARCH).put("E-01/kwh", 960).put("P-01/steel_t", 3).account("grid", "E-01/kwh", MG)
    )
    (month,) = days.judge(CheckRule.PRODUCT_BAND)
    assert (month.day, month.end_day) == (MARCH, MARCH + 31)
    assert days.judge(CheckRule.PRODUCT_BAND, range(30)) == []
    days.put("P-01/steel_t", 0, days=range(4), quality=Quality.MISSING)
    assert days.judge(CheckRule.PRODUCT_BAND) == [], "known for less than nine tenths"


def test_how_far_beyond_a_band() -> None:
    band = Band(Fraction(2), Fraction(3), "month")
    assert [beyond(mg, Fraction(10), band) for mg in (19_000_000, 20_000_000, 30_000_000, 31_000_000)] == [
        1_000_000,
        0,
        0,
        1_000_000,
    ]


# -- the pieces -------------------------------------------------------------------------------------------


def test_runs_of_a_mask() -> None:
    mask = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    assert lasting(mask, 2).tolist() == [True, True, False, True, True, True, False, False]
    values = np.array([5, 5, 5, 5, 6, 6, 6, 6])
    assert repeating(mask, values, 2).tolist() == [True, True, False, False, True, True, False, False]
    assert not lasting(np.zeros(3, bool), 1).any()


def test_sums_do_not_wrap() -> None:
    values = np.array([1 << 62, 1 << 62, 1 << 62, -5], np.int64)
    assert exact_sum(values) == 3 * (1 << 62) - 5
    assert exact_sum(-values) == -3 * (1 << 62) + 5


def test_the_rules_are_read_strictly() -> None:
    assert list(load().by_code) == list(CheckRule)
    with pytest.raises(FaultyDocument) as refused:
        load(
            '[main_against_subs]\nseverity = "worst"\n[main_against_subs.limits]\nmore = {value = "x"}\n[other]\n'
        )
    text = str(refused.value)
    for part in (
        "other: is no rule",
        "product_band: is missing",
        "severity: 'worst'",
        "limits: must be tolerance",
    ):
        assert part in text
