"""Substitution rules of parameters: what stands in for a laboratory value that a month doesn't have.

The rules are rows of substitution.csv. Under one a dated value of a parameter that it names holds to the end of
the local month it begins in, at the latest: a month without its own test isn't a measured month. A value without a
date holds as ever. What fills missing amounts is in `accounting.substitution`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

from accounting.factors.tables import SubstitutionRule
from accounting.factors.value import fraction_text
from accounting.methods.method import Method, Place
from domain.interval import EPOCH_DATE, Calendar
from domain.registry import Kind, Parameter

GAP_MEAN = "gap_mean_7d"  # of the rules that fill amounts, see accounting.substitution
HIGHEST_MONTH = "electricity_highest_month"
BY_MASS = "carbon_content_mass"  # stands for calorific value and carbon together


def substitution_fault(
    rule: SubstitutionRule, method: Method, fuel: str | None, fuel_class: str, kinds: Collection[Kind]
) -> str | None:
    """Why a source can't have this rule, or None. A rule without effect is refused: it would be relied upon.

    kinds  of the channels in the source's sum
    """
    if rule.code == GAP_MEAN:
        if kinds and not {Kind.DELTA, Kind.RATE} & set(kinds):
            return f"{rule.code} fills gaps of delta and rate channels; of a register the amount across a gap is known"
    elif rule.code == HIGHEST_MONTH:
        factor = method.parameters.get("emission_factor")
        if method.deduction or factor is None or factor.place is not Place.GRID:
            return f"{rule.code} fills electricity that is bought, which {method.code} doesn't count"
    elif fuel_class not in rule.fuel_classes or not _burns(method):
        classes = " and ".join(each.replace("_", " ") for each in rule.fuel_classes)
        burnt = "names no fuel" if fuel is None else f"burns {fuel!r}"
        return f"{rule.code} is for the combustion of {classes}; this source {burnt}"
    return None


def _burns(method: Method) -> bool:
    ncv = method.parameters.get("ncv")
    return ncv is not None and ncv.place is Place.FUEL


def of_the_month(
    parameters: Sequence[Parameter], names: Collection[str], day: int, calendar: Calendar
) -> list[Parameter]:
    """The parameters without those of `names` that began in an earlier local month than that of `day`."""
    month = calendar.month_start(day)
    return [
        each
        for each in parameters
        if each.name not in names or each.from_day is None or each.from_day >= month
    ]


def month_ends(parameters: Sequence[Parameter], names: Collection[str], calendar: Calendar) -> set[int]:
    """The local days on which values of `names` end."""
    return {
        calendar.month_start(each.from_day, 1)
        for each in parameters
        if each.name in names and each.from_day is not None
    }


def substituted(
    rule: SubstitutionRule, edition: str, fuel_class: str, given: Mapping[str, Parameter]
) -> tuple[dict[str, Parameter], list[str]]:
    """The parameters of a day with what stands in for those that the month lacks, and the names of these.

    given  by name, without values of earlier months
    """
    result = dict(given)
    if BY_MASS in given:
        return result, []
    lacking = [name for name in rule.parameters(fuel_class) if name not in given and name != BY_MASS]
    for name in lacking:
        stand = rule.stand(name, edition, fuel_class)
        if stand.value is not None:
            result[name] = Parameter(
                name, stand.value, stand.unit, None, f"substitution rule {rule.code}", stand.source
            )
    return result, lacking


def description(
    rule: SubstitutionRule,
    edition: str,
    fuel_class: str,
    lacking: Sequence[str],
    earlier: Mapping[str, Parameter],
    mg_per_unit_earlier: Fraction | None,
) -> dict[str, Any]:
    """For the derivation: the rule, what it replaced, and the factor that the last earlier values would have given."""
    return {
        "rule": rule.code,
        "replaced": [
            {
                "name": name,
                "original": _value(earlier.get(name)),
                "source": rule.stand(name, edition, fuel_class).source,
                "confidence": rule.stand(name, edition, fuel_class).confidence,
            }
            for name in lacking
        ],
        "mg_per_unit_original": None if mg_per_unit_earlier is None else fraction_text(mg_per_unit_earlier),
    }


def _value(parameter: Parameter | None) -> dict[str, Any] | None:
    if parameter is None or parameter.from_day is None:
        return None
    return {
        "value": fraction_text(parameter.value),
        "unit": parameter.unit,
        "from": EPOCH_DATE.fromordinal(EPOCH_DATE.toordinal() + parameter.from_day).isoformat(),
        "reference": parameter.reference,
    }
