"""The checks between channels: their codes, and what an enterprise may say of each in its registry document.

Their limits, names and sources are data of accounting (`accounting/validation/rules.toml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.interval import DAY_US


class CheckRule(StrEnum):
    """A check; `accounting/validation` says what each does."""

    MAIN_AGAINST_SUBS = "main_against_subs"
    REGISTER_AGAINST_DELTA = "register_against_delta"
    SIBLINGS_PRESENT = "siblings_present"
    MULTIPLIER_JUMP = "multiplier_jump"
    FROZEN_VALUE = "frozen_value"
    NO_CONSUMPTION = "no_consumption"
    PROLONGED_ESTIMATION = "prolonged_estimation"
    OUT_OF_CALIBRATION = "out_of_calibration"
    PRODUCT_BAND = "product_band"


class Severity(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FindingState(StrEnum):
    """`settled` by a person, or by the rules where they no longer find it."""

    OPEN = "open"
    EXPLAINED = "explained"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class CheckFields:
    """The fields that a check of a rule must have, and those that it may have besides `active`."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


CHECK_FIELDS: Final[Mapping[CheckRule, CheckFields]] = {
    CheckRule.MAIN_AGAINST_SUBS: CheckFields(("main", "subs"), ("tolerance",)),
    CheckRule.REGISTER_AGAINST_DELTA: CheckFields((), ("channel", "tolerance")),
    CheckRule.SIBLINGS_PRESENT: CheckFields((), ("channel", "shortest")),
    CheckRule.MULTIPLIER_JUMP: CheckFields((), ("channel", "tolerance")),
    CheckRule.FROZEN_VALUE: CheckFields((), ("channel", "shortest")),
    CheckRule.NO_CONSUMPTION: CheckFields(("product", "consumption"), ("shortest",)),
    CheckRule.PROLONGED_ESTIMATION: CheckFields((), ("channel", "shortest")),
    CheckRule.OUT_OF_CALIBRATION: CheckFields(),
    CheckRule.PRODUCT_BAND: CheckFields(),
}

# A stretch is looked for two days around the day that is judged: no longer one can be asked for.
SHORTEST_MAX_US: Final = 2 * DAY_US

BAND_PERIODS: Final = ("day", "month")
