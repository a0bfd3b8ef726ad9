"""Two ways of measuring one amount: the main meter and those below it; a meter's register and its deltas. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from accounting.validation.rules import Rule
from accounting.validation.view import (
    Bools,
    View,
    amount_text,
    exact_sum,
    judged,
    limits_of,
    share_text,
)
from domain.finding import FindingDay
from domain.interval import INTERVALS_PER_DAY
from domain.reading import Quality
from domain.registry import Kind, Point
from domain.unit import NotConvertible, conversion


def main_against_subs(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the check's id."""
    for code, check in sorted(view.enterprise.checks.items()):
        if check.rule is not rule.code or not check.active:
            continue
        main, main_quality, unit, main_exponent = view.sum_of(check.main)
        subs, subs_quality, subs_unit, subs_exponent = view.sum_of(check.subs)
        both = (main_quality != Quality.MISSING) & (subs_quality != Quality.MISSING)
        scale = conversion(subs_unit, unit)
        names = {term.point for term in (*check.main, *check.subs)}
        tolerance = rule.tolerance(check)
        for day in days:
            compared = _compared(view, rule, day, both)
            if compared is None:
                continue
            here = view.slice_of(day)
            of_main = exact_sum(main[here][compared])
            of_subs = exact_sum(subs[here][compared])
            whole = of_main * Fraction(10) ** main_exponent
            difference = whole - of_subs * Fraction(10) ** subs_exponent * scale
            if abs(difference) <= tolerance * abs(whole):
                continue
            evidence = {
                "main": amount_text(of_main, main_exponent),
                "main_unit": unit,
                "subs": amount_text(of_subs, subs_exponent),
                "subs_unit": subs_unit,
                "share": None if whole == 0 else share_text(difference / whole),
                "tolerance": share_text(tolerance),
            }
            mg = view.difference_mg(names, day, difference, unit)
            yield view.found(rule, code, day, compared, names, mg, evidence)


def register_against_delta(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: both channels of the meter, the register first."""
    for points in view.by_meter().values():
        for register in points:
            for delta in points:
                if (
                    register.kind is Kind.REGISTER
                    and delta.kind is Kind.DELTA
                    and register.quantity == delta.quantity
                ):
                    yield from _pair(view, days, rule, register, delta)


def _pair(view: View, days: range, rule: Rule, register: Point, delta: Point) -> Iterator[FindingDay]:
    check = limits_of(view.enterprise, rule.code, register.name)
    if not judged(check):
        return
    try:
        scale = conversion(delta.unit, register.unit)
    except NotConvertible:
        return
    tolerance = rule.tolerance(check)
    both = view.known(register) & view.known(delta)
    counted, given = view.amounts(register), view.amounts(delta)
    for day in days:
        compared = _compared(view, rule, day, both)
        if compared is None:
            continue
        here = view.slice_of(day)
        of_register = exact_sum(counted[here][compared])
        of_delta = exact_sum(given[here][compared])
        left = of_register * Fraction(10) ** register.exponent
        right = of_delta * Fraction(10) ** delta.exponent * scale
        explained = _count(view, register, day) + _count(view, delta, day) * scale * int(compared.sum()) / 2
        if abs(left - right) <= tolerance * max(abs(left), abs(right)) + explained:
            continue
        evidence = {
            "register": amount_text(of_register, register.exponent),
            "register_unit": register.unit,
            "delta": amount_text(of_delta, delta.exponent),
            "delta_unit": delta.unit,
            "share": share_text((left - right) / max(abs(left), abs(right))),
            "tolerance": share_text(tolerance),
        }
        names = (register.name, delta.name)
        mg = view.difference_mg(names, day, left - right, register.unit)
        yield view.found(rule, " ".join(names), day, compared, names, mg, evidence)


def _count(view: View, point: Point, day: int) -> Fraction:
    """The value of one count of a channel on a day, after the multiplier, in the unit of its consumption."""
    version = point.version_at(view.calendar.day_start(day)) or point.versions[-1]
    return version.resolution * version.multiplier


def _compared(view: View, rule: Rule, day: int, both: Bools) -> Bools | None:
    """The day's intervals in which both sides are known; None where they are too few to be judged."""
    here: Bools = both[view.slice_of(day)]
    return here if int(here.sum()) >= rule.limit("known_share") * INTERVALS_PER_DAY and here.any() else None
