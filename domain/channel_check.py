"""Whether the versions of a channel hold together: kind, unit, validity, values on the dial, and sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from domain.document_fields import FAULTY
from domain.reading import VALUE_BOUND
from domain.registry import Kind
from domain.registry_items import Specification, fraction, moment
from domain.unit import consumption_unit, decimal_exponent, kind_fault, ledger_exponent, quantity_fault

EXPONENT_MIN = -15  # of a ledger unit; a finer one leaves amounts no room below 2⁶²


@dataclass(frozen=True, slots=True)
class Merged:
    """A specification after the merge, and where its faults are to be reported.

    places  of fields that stand elsewhere than right below `place`
    """

    spec: Specification
    place: str
    places: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        return self.places.get(name) or f"{self.place}.{name}"

    def get(self, name: str) -> Any:
        """The value, or None where it is missing or couldn't be read."""
        value = self.spec.get(name)
        return None if value is FAULTY else value

    def lacks(self, name: str) -> bool:
        """Whether the field isn't there at all; one that couldn't be read has its fault already."""
        return self.spec.get(name) is None


Report = Callable[[str, str], None]  # place, message


def check_channel(name: str, versions: list[Merged], fault: Report) -> str | None:
    """Check all versions of a channel; the unit that it counts in, or None where that can't be said."""
    for each in versions:
        _check_version(each, fault)
    dated = sorted((each for each in versions if each.get("valid_from")), key=_begins)
    _check_overlaps(name, dated, fault)
    last = (dated or versions)[-1]
    for aspect in ("quantity", "kind"):
        for each in versions:
            if None not in (each.get(aspect), last.get(aspect)) and each.get(aspect) != last.get(aspect):
                fault(
                    each.at(aspect),
                    f"{each.get(aspect)} here, {last.get(aspect)} from {last.get('valid_from')}: "
                    "what a channel measures, and how, stays; give this another id",
                )
    unit = consumption_unit(last.get("unit")) if last.get("unit") else None
    for each in versions:
        counted = consumption_unit(each.get("unit")) if each.get("unit") else None
        if None not in (unit, counted) and counted != unit:
            fault(
                each.at("unit"),
                f"counts {counted} here, {unit} from {last.get('valid_from')}: "
                "a channel counts in one unit; scale with the multiplier",
            )
    _check_sizes(versions, fault)
    return unit


def _begins(each: Merged) -> int:
    return moment(each.get("valid_from"))


def _check_overlaps(name: str, dated: list[Merged], fault: Report) -> None:
    for before, each in pairwise(dated):
        ends = before.get("valid_to")
        if before.lacks("valid_to"):
            fault(
                each.at("valid_from"),
                f"overlaps the version of {name} from {before.get('valid_from')}, which has no end; "
                "give that a valid_to",
            )
        elif ends is not None and moment(ends) > _begins(each):
            fault(
                each.at("valid_from"),
                f"overlaps the version of {name} from {before.get('valid_from')} to {ends}",
            )


def _check_version(each: Merged, fault: Report) -> None:
    kind, unit, quantity = each.get("kind"), each.get("unit"), each.get("quantity")
    misfit = kind_fault(Kind(kind), unit) if kind and unit else None
    if misfit is None and quantity and unit:
        misfit = quantity_fault(quantity, unit)
    if misfit is not None:
        fault(each.at("unit"), misfit)
    if kind == Kind.REGISTER and each.lacks("max_rate"):
        fault(
            each.at("max_rate"),
            "is missing: a register has a largest plausible rate, in its unit an hour after the multiplier",
        )
    if kind == Kind.DELTA and each.lacks("period"):
        fault(each.at("period"), "is missing: a delta has the period that a value covers, such as PT15M")
    begins, ends = each.get("valid_from"), each.get("valid_to")
    if begins and ends and moment(ends) <= moment(begins):
        fault(each.at("valid_to"), f"{ends} is not after valid_from, {begins}")
    for name in ("opening", "closing"):
        value, modulus = each.get(name), each.get("modulus")
        if value is not None and kind is not None and kind != Kind.REGISTER:
            fault(each.at(name), f"only a register has an {name} value, this is a {kind}")
        elif value is not None and modulus is not None and fraction(value) >= fraction(modulus):
            fault(each.at(name), f"{value} is not below the modulus, {modulus}")
    if each.get("closing") is not None and each.lacks("valid_to"):
        fault(each.at("closing"), "needs a valid_to: the moment at which it was read")


def _check_sizes(versions: list[Merged], fault: Report) -> None:
    """Counts and amounts stay within ±2⁶², whatever the dial shows."""
    steps = [
        (each, fraction(each.get("resolution")), fraction(each.spec.get("multiplier", "1")))
        for each in versions
        if each.get("resolution") and each.spec.get("multiplier") is not FAULTY
    ]
    exponent = ledger_exponent(resolution * multiplier for _, resolution, multiplier in steps)
    for each, resolution, multiplier in steps:
        if decimal_exponent(resolution * multiplier) < EXPONENT_MIN:
            fault(
                each.at("resolution"),
                f"{each.get('resolution')} × the multiplier is finer than 10^{EXPONENT_MIN} of the unit",
            )
    if exponent < EXPONENT_MIN:
        return
    ledger_unit = Fraction(10) ** exponent
    for each, resolution, multiplier in steps:
        for name in ("modulus", "opening", "closing"):
            value = each.get(name)
            if value is None:
                continue
            if fraction(value) / resolution > VALUE_BOUND:
                fault(each.at(name), f"{value} is more than 2^62 counts of {each.get('resolution')}")
            elif fraction(value) * multiplier / ledger_unit > VALUE_BOUND:
                fault(each.at(name), f"{value} × the multiplier is more than 2^62 × 10^{exponent}")
        modulus, rate = each.get("modulus"), each.get("max_rate")
        if modulus is not None and (fraction(modulus) / resolution).denominator != 1:
            fault(each.at("modulus"), f"{modulus} is no whole number of counts of {each.get('resolution')}")
        if rate is not None and fraction(rate) / ledger_unit > VALUE_BOUND:
            fault(each.at("max_rate"), f"{rate} is more than 2^62 × 10^{exponent}")
