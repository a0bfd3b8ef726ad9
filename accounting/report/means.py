"""Means of figures that changed within the year, weighted as the guidelines say (data_quality section 4). Pure, exact.

A figure's weight is what it is multiplied with: NCV and carbon by mass by the fuel burnt, FC; carbon per energy by
FC × NCV; oxidation by the carbon burnt, FC × NCV × CC. Never the plain mean of twelve values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

# name of a figure -> the figures that are factors of its weight beside the amount: the first set that all have
_WEIGHTS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "oxidation_rate": (("carbon_content_mass",), ("ncv", "carbon_content")),
    "fossil_share": (("ncv", "emission_factor"),),
}
_ENERGY = "ncv"  # a figure per GJ is weighted by the energy, where that comes from a calorific value


@dataclass(frozen=True, slots=True)
class Used:
    """The figures of a factor and the amount they were used for, in the unit that the factor is per."""

    amount: Fraction
    figures: Mapping[str, tuple[Fraction, str]]  # name -> (value, unit)


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """values: how many different ones there were; weights: what each was weighted by, in symbols."""

    name: str
    unit: str
    values: int
    mean: Fraction
    weights: str


def weighted_means(uses: Sequence[Used]) -> list[WeightedMean]:
    """The means of those figures that all factors have, in one unit, and that changed between them.

    A figure whose weights add up to nothing has no mean.

    >>> july = Used(Fraction(100), {"ncv": (Fraction(20), "GJ/t")})
    >>> august = Used(Fraction(300), {"ncv": (Fraction(24), "GJ/t")})
    >>> [(each.name, str(each.mean), each.weights) for each in weighted_means([july, august])]
    [('ncv', '23', 'amount')]
    """
    if not uses:
        return []
    shared = [name for name in uses[0].figures if all(name in use.figures for use in uses)]
    result = []
    for name in shared:
        values = [use.figures[name][0] for use in uses]
        units = {use.figures[name][1] for use in uses}
        if len(set(values)) < 2 or len(units) > 1:
            continue
        factors = _weight_factors(name, next(iter(units)), shared)
        if factors is None:
            continue
        weights = [_weight(use, factors) for use in uses]
        if sum(weights) == 0:
            continue
        mean = sum(
            (value * weight for value, weight in zip(values, weights, strict=True)), Fraction(0)
        ) / sum(weights)
        result.append(
            WeightedMean(name, next(iter(units)), len(set(values)), mean, " × ".join(("amount", *factors)))
        )
    return result


def _weight_factors(name: str, unit: str, shared: Sequence[str]) -> tuple[str, ...] | None:
    if name in _WEIGHTS:
        return next((each for each in _WEIGHTS[name] if set(each) <= set(shared)), None)
    if unit.partition("/")[2] == "GJ" and _ENERGY in shared:
        return (_ENERGY,)
    return ()


def _weight(use: Used, factors: Sequence[str]) -> Fraction:
    weight = use.amount
    for name in factors:
        weight *= use.figures[name][0]
    return weight
