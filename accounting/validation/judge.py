"""All rules over a range of days: what is found there, as a function of what the view holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from accounting.validation import balance, band, presence, shape
from accounting.validation.rules import Rule, Rules
from accounting.validation.view import View
from domain.finding import FindingDay
from domain.validation import CheckRule

Judge = Callable[[View, range, Rule], Iterator[FindingDay]]

BY_DAY: Mapping[CheckRule, Judge] = {
    CheckRule.MAIN_AGAINST_SUBS: balance.main_against_subs,
    CheckRule.REGISTER_AGAINST_DELTA: balance.register_against_delta,
    CheckRule.SIBLINGS_PRESENT: presence.siblings_present,
    CheckRule.MULTIPLIER_JUMP: shape.multiplier_jump,
    CheckRule.FROZEN_VALUE: shape.frozen_value,
    CheckRule.NO_CONSUMPTION: shape.no_consumption,
    CheckRule.PROLONGED_ESTIMATION: presence.prolonged_estimation,
    CheckRule.OUT_OF_CALIBRATION: presence.out_of_calibration,
}
BY_PERIOD: Mapping[CheckRule, Judge] = {CheckRule.PRODUCT_BAND: band.product_band}


def findings_of_days(view: View, days: range, rules: Rules) -> list[FindingDay]:
    """What the rules of single days find; the view reaches DAYS_BEFORE and DAYS_AROUND back, and DAYS_AROUND beyond."""
    return [each for code, judge in BY_DAY.items() for each in judge(view, days, rules[code])]


def findings_of_periods(view: View, days: range, rules: Rules) -> list[FindingDay]:
    """What the rules of longer periods find; `days` are whole months, and the view holds them."""
    return [each for code, judge in BY_PERIOD.items() for each in judge(view, days, rules[code])]
