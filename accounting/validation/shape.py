"""The course of a channel: a jump by a power of ten, a value that stands still, nothing while product flows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from statistics import median_low

import numpy as np

from accounting.validation.rules import Rule
from accounting.validation.view import (
    DAYS_AROUND,
    DAYS_BEFORE,
    Bools,
    Int16,
    View,
    amount_text,
    day_loads,
    exact_sum,
    judged,
    lasting,
    limits_of,
    repeating,
    share_text,
    spans,
)
from domain.finding import FindingDay
from domain.interval import INTERVALS_PER_DAY
from domain.reading import Quality
from domain.registry import Check, Kind, Point, ProductVersion, Term

POWERS = (10, 100, 1000)


def multiplier_jump(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the channel."""
    enough = rule.limit("known_share") * INTERVALS_PER_DAY
    for point in view.measured_points():
        check = limits_of(view.enterprise, rule.code, point.name)
        if not judged(check):
            continue
        known = view.known(point)
        loads = day_loads(view.amounts(point), known, enough)
        for day in days:
            place = day - view.first_day
            now = loads[place]
            before = [load for load in loads[max(0, place - DAYS_BEFORE) : place] if load is not None]
            if now is None or len(before) < rule.limit("days_min"):
                continue
            usual = median_low([load.mean for load in before])
            peak = median_low([load.peak for load in before])
            tolerance = rule.tolerance(check)
            power = jump(now.mean, usual, tolerance)
            if power is None or jump(now.peak, peak, tolerance) != power:
                continue
            mask = known[view.slice_of(day)]
            evidence = {
                "ratio": share_text(now.mean / usual),
                "peak_ratio": share_text(now.peak / peak),
                "power": str(power.numerator) if power >= 1 else f"1/{power.denominator}",
                "amount": amount_text(
                    exact_sum(view.amounts(point)[view.slice_of(day)][mask]), point.exponent
                ),
                "unit": point.unit,
                "usual_days": len(before),
            }
            mg = view.entered_mg((point.name,), day, mask)
            yield view.found(rule, point.name, day, mask, (point.name,), mg, evidence)


def jump(now: Fraction, usual: Fraction, tolerance: Fraction) -> Fraction | None:
    """The power of ten (10, 100, 1000, or 1 over them) that lies between two amounts; None: none does."""
    if now <= 0 or usual <= 0:
        return None
    ratio = now / usual
    for power in POWERS:
        for target in (Fraction(power), Fraction(1, power)):
            if abs(ratio / target - 1) <= tolerance:
                return target
    return None


def frozen_value(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the channel."""
    meters = view.by_meter()
    made_of = {
        term.point
        for product in view.enterprise.products.values()
        for dated in product.versions
        for term in dated.value.terms
    }
    for point in view.measured_points():
        check = limits_of(view.enterprise, rule.code, point.name)
        if not judged(check) or point.name in made_of:
            continue
        running = _running(view, point, meters[point.meter])
        if running is None:
            continue
        amounts, still = view.amounts(point), view.quality(point) >= Quality.INTERPOLATED
        candidates = still & running & ((amounts == 0) if point.kind is Kind.REGISTER else (amounts != 0))
        if not repeating(candidates, amounts, rule.shortest(check)).any():
            continue
        for day in days:
            yield from _frozen_day(view, rule, check, point, candidates, running, day)


def _frozen_day(
    view: View, rule: Rule, check: Check | None, point: Point, candidates: Bools, running: Bools, day: int
) -> Iterator[FindingDay]:
    read = view.readings.get(point.id, {}).get(day, 0)
    if not read:
        return
    usual = (
        rule.limit("usual_intervals") * INTERVALS_PER_DAY / read
    )  # in intervals, of the readings of the day
    shortest = max(rule.shortest(check), -(-usual.numerator // usual.denominator))
    if shortest > DAYS_AROUND * INTERVALS_PER_DAY:
        return  # read too seldom for a day's stillness to mean anything
    amounts, here = view.amounts(point), view.slice_of(day)
    mask = repeating(candidates, amounts, shortest)[here]
    if not mask.any():
        return
    if point.kind is Kind.REGISTER:
        before = view.slice_of(day - DAYS_BEFORE, day)
        judged_before = (view.known(point) & running)[before]
        moved = judged_before & (amounts[before] != 0)
        if not judged_before.any() or moved.sum() < rule.limit("active_share") * int(judged_before.sum()):
            return
        mg = view.usual_mg((point.name,), day, int(mask.sum()))
    else:
        mg = view.entered_mg((point.name,), day, mask)
    evidence = {
        "value": amount_text(int(amounts[here][mask][-1]), point.exponent),
        "unit": point.unit,
        "readings": read,
    }
    yield view.found(rule, point.name, day, mask, (point.name,), mg, evidence)


def _running(view: View, point: Point, siblings: list[Point]) -> Bools | None:
    """Where the process runs as far as can be told without the point; None: it can't be told."""
    if view.flowing is not None:
        return view.flowing
    others = [each for each in siblings if each is not point]
    if not others:
        return None
    return np.asarray(np.logical_or.reduce([view.known(each) & (view.amounts(each) != 0) for each in others]))


def no_consumption(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the check's id; of the sources of bought electricity, product and source."""
    enterprise = view.enterprise
    checks = [check for _, check in sorted(enterprise.checks.items()) if check.rule is rule.code]
    for check in checks:
        if check.active and check.product is not None:
            yield from _without(view, days, rule, check, check.code, check.product, check.consumption)
    for product in sorted(enterprise.products.keys() - {check.product for check in checks}):
        for code, source in sorted(enterprise.sources.items()):
            for begins, ends, version in spans(source.versions, view.first_day, view.end_day):
                if all(
                    enterprise.points[term.point].quantity == "electricity_import" and term.sign > 0
                    for term in version.terms
                ):
                    within = range(max(begins, days.start), min(ends, days.stop))
                    yield from _without(view, within, rule, None, f"{product} {code}", product, version.terms)


def _without(
    view: View,
    days: range,
    rule: Rule,
    check: Check | None,
    subject: str,
    product: str,
    terms: tuple[Term, ...],
) -> Iterator[FindingDay]:
    amounts, quality, unit, _ = view.sum_of(terms)
    nothing = (quality != Quality.MISSING) & (amounts == 0)
    if not nothing.any():
        return
    names = [term.point for term in terms]
    for begins, ends, version in spans(
        view.enterprise.products[product].versions, view.first_day, view.end_day
    ):
        for day in range(max(days.start, begins), min(days.stop, ends)):
            mask, made = _without_on(view, rule, check, version, nothing, quality, day)
            if not mask.any():
                continue
            evidence = {
                "product": product,
                "made": made,
                "product_unit": view.enterprise.points[version.terms[0].point].unit,
                "consumed": "0",
                "unit": unit,
            }
            channels = (*names, *(term.point for term in version.terms))
            mg = view.usual_mg(names, day, int(mask.sum()))
            yield view.found(rule, subject, day, mask, channels, mg, evidence)


def _without_on(
    view: View,
    rule: Rule,
    check: Check | None,
    version: ProductVersion,
    nothing: Bools,
    quality: Int16,
    day: int,
) -> tuple[Bools, str]:
    """The day's intervals with product and without consumption, and what was made in them."""
    made, made_quality, _, exponent = view.sum_of(version.terms)
    here = view.slice_of(day)
    timed = (made_quality == Quality.MEASURED) & (made > 0)
    mask = lasting(timed & nothing, rule.shortest(check))[here]
    known = (quality != Quality.MISSING)[here]
    if (
        not (made_quality == Quality.MEASURED)[here].any()
        and (made[here] > 0).any()
        and nothing[here][known].all()
        and int(known.sum()) >= rule.limit("known_share") * INTERVALS_PER_DAY
    ):
        mask = known
    return mask, amount_text(exact_sum(made[here][mask]), exponent)
