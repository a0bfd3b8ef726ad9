"""The rules as data (`rules.toml`): read strictly, with every fault of the file at once."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from typing import Any

from accounting.methods.data_file import CONFIDENCES, parse_decimal
from domain.errors import Fault, FaultyDocument
from domain.interval import INTERVAL_US
from domain.registry import Check
from domain.validation import CheckRule, Severity

UNITS = ("fraction", "intervals", "count", "days")
_TEXTS = ("name_zh", "name_en", "judges", "in_doubt", "source")
# The limits that each rule reads; the file has exactly these.
_LIMITS: Mapping[CheckRule, tuple[str, ...]] = {
    CheckRule.MAIN_AGAINST_SUBS: ("tolerance", "known_share"),
    CheckRule.REGISTER_AGAINST_DELTA: ("tolerance", "known_share"),
    CheckRule.SIBLINGS_PRESENT: ("shortest",),
    CheckRule.MULTIPLIER_JUMP: ("tolerance", "known_share", "days_min"),
    CheckRule.FROZEN_VALUE: ("shortest", "usual_intervals", "active_share"),
    CheckRule.NO_CONSUMPTION: ("shortest", "known_share"),
    CheckRule.PROLONGED_ESTIMATION: ("shortest",),
    CheckRule.OUT_OF_CALIBRATION: (),
    CheckRule.PRODUCT_BAND: ("known_share",),
}


@dataclass(frozen=True, slots=True)
class Limit:
    value: Fraction
    text: str  # as in the file
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its limits; `judges` and `in_doubt` say in words what the code does."""

    code: CheckRule
    name_zh: str
    name_en: str
    severity: Severity
    judges: str
    in_doubt: str
    source: str
    confidence: str
    limits: Mapping[str, Limit] = field(hash=False)

    def limit(self, name: str) -> Fraction:
        return self.limits[name].value

    def tolerance(self, check: Check | None) -> Fraction:
        """The share that may be: the check's own, or the rule's."""
        return self.limit("tolerance") if check is None or check.tolerance is None else check.tolerance

    def shortest(self, check: Check | None) -> int:
        """The intervals that something must last: the check's own, or the rule's."""
        if check is None or check.shortest_us is None:
            return int(self.limit("shortest"))
        return check.shortest_us // INTERVAL_US


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, in the order of the file, and the hash of what they say."""

    by_code: Mapping[CheckRule, Rule]
    hash: str

    def __getitem__(self, code: CheckRule) -> Rule:
        return self.by_code[code]


def load(text: str | None = None) -> Rules:
    """The rules of the file, or of a text of its form; FaultyDocument with everything that is wrong with it."""
    if text is None:
        text = (files("accounting") / "validation" / "rules.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    faults = [Fault(name, "is no rule") for name in tables if name not in list(CheckRule)]
    rules = {}
    for code in CheckRule:
        if code.value not in tables:
            faults.append(Fault(code.value, "is missing"))
        else:
            rules[code] = _rule(code, tables[code.value], faults)
    if faults:
        raise FaultyDocument(faults)
    ordered = {CheckRule(name): rules[CheckRule(name)] for name in tables}
    return Rules(ordered, hashlib.sha256(repr(sorted(ordered.items())).encode()).hexdigest())


def _rule(code: CheckRule, table: Mapping[str, Any], faults: list[Fault]) -> Rule:
    faults += [
        Fault(f"{code}.{name}", "is no field of a rule")
        for name in table
        if name not in (*_TEXTS, "severity", "confidence", "limits")
    ]
    faults += [
        Fault(f"{code}.{name}", "is missing") for name in _TEXTS if not str(table.get(name, "")).strip()
    ]
    severity, confidence = table.get("severity"), table.get("confidence")
    if severity not in list(Severity):
        faults.append(Fault(f"{code}.severity", f"{severity!r} is none of {', '.join(Severity)}"))
    if confidence not in CONFIDENCES:
        faults.append(Fault(f"{code}.confidence", f"{confidence!r} is none of {', '.join(CONFIDENCES)}"))
    given = table.get("limits", {})
    if set(given) != set(_LIMITS[code]):
        faults.append(Fault(f"{code}.limits", f"must be {', '.join(_LIMITS[code]) or 'none'}"))
    limits = {name: _limit(f"{code}.limits.{name}", each, faults) for name, each in given.items()}
    return Rule(
        code,
        **{name: str(table.get(name, "")) for name in _TEXTS},
        severity=Severity(severity) if severity in list(Severity) else Severity.LOW,
        confidence=str(confidence),
        limits=limits,
    )


def _limit(place: str, table: Mapping[str, Any], faults: list[Fault]) -> Limit:
    text, unit, meaning = (str(table.get(name, "")) for name in ("value", "unit", "meaning"))
    value = parse_decimal(text)
    if value is None or value < 0:
        faults.append(Fault(f"{place}.value", f"{text!r} is no decimal of at least 0"))
        value = Fraction(0)
    if unit not in UNITS:
        faults.append(Fault(f"{place}.unit", f"{unit!r} is none of {', '.join(UNITS)}"))
    elif unit == "fraction" and value > 1:
        faults.append(Fault(f"{place}.value", f"{text} must be within 0 and 1"))
    elif unit != "fraction" and value.denominator != 1:
        faults.append(Fault(f"{place}.value", f"{text} must be a whole number of {unit}"))
    if not meaning:
        faults.append(Fault(f"{place}.meaning", "is missing"))
    return Limit(value, text, unit, meaning)
