"""Emission per product against the band that an enterprise expects it in, by local day or month. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from accounting.validation.rules import Rule
from accounting.validation.view import (
    Bools,
    View,
    exact_sum,
    judged,
    limits_of,
    share_text,
    spans,
)
from domain.finding import FindingDay
from domain.interval import INTERVALS_PER_DAY
from domain.reading import Quality, decimal_text, round_half_even
from domain.registry import Band, Product, ProductVersion, dated_value
from domain.unit import conversion

MG_PER_KG = 1_000_000


def product_band(view: View, days: range, rule: Rule) -> Iterator[FindingDay]:
    """Subject: the product. Judges the days and the whole months within `days`, by the band of their first day."""
    if not judged(limits_of(view.enterprise, rule.code, None)):
        return
    for code, product in sorted(view.enterprise.products.items()):
        day = days.start
        while day < days.stop:
            month_end = view.calendar.month_start(day, 1)
            version = dated_value(product.versions, day)
            band = None if version is None else version.band
            is_month = day == view.calendar.month_start(day) and band is not None and band.over == "month"
            end = month_end if is_month else day + 1
            if (
                version is not None
                and band is not None
                and (is_month or band.over == "day")
                and end <= days.stop
            ):
                yield from _period(view, rule, code, product, version, band, day, end)
            day = end


def _period(
    view: View,
    rule: Rule,
    code: str,
    product: Product,
    version: ProductVersion,
    band: Band,
    day: int,
    end_day: int,
) -> Iterator[FindingDay]:
    here = view.slice_of(day, end_day)
    count = (end_day - day) * INTERVALS_PER_DAY
    enough = rule.limit("known_share") * count
    amount, known = Fraction(0), np.zeros(view.count, bool)
    for begins, ends, each in spans(product.versions, day, end_day):
        made, quality, unit, exponent = view.sum_of(each.terms)
        part = view.slice_of(begins, ends)
        known[part] = (quality != Quality.MISSING)[part]
        amount += exact_sum(made[part]) * Fraction(10) ** exponent * conversion(unit, version.unit)
    accounts = [
        view.accounts[source.id] for source in view.enterprise.sources.values() if source.id in view.accounts
    ]
    accounts = [each for each in accounts if each.known[here].any()]
    if (
        amount <= 0
        or not accounts
        or int(known[here].sum()) < enough
        or any(int(each.known[here].sum()) < enough for each in accounts)
    ):
        return
    mg = sum(exact_sum(each.mg[here]) for each in accounts)
    out = beyond(mg, amount, band)
    if out == 0:
        return
    evidence = {
        "co2e_kg": decimal_text(mg, -6),
        "amount": share_text(amount),
        "unit": version.unit,
        "kg_per_unit": share_text(Fraction(mg, MG_PER_KG) / amount),
        "low": None if band.low is None else share_text(band.low),
        "high": None if band.high is None else share_text(band.high),
        "over": band.over,
    }
    mask: Bools = known[here]
    channels = [term.point for term in version.terms]
    in_doubt = round_half_even(out.numerator, out.denominator)
    yield view.found(rule, code, day, mask, channels, in_doubt, evidence, end_day)


def beyond(mg: int, amount: Fraction, band: Band) -> Fraction:
    """By how much [mg CO2e, without sign] an emission is out of a band; 0: within it, ends included."""
    if band.low is not None and mg < band.low * amount * MG_PER_KG:
        return band.low * amount * MG_PER_KG - mg
    if band.high is not None and mg > band.high * amount * MG_PER_KG:
        return mg - band.high * amount * MG_PER_KG
    return Fraction(0)
