"""Emissions beside a denominator over the same months: months without one are left out of both sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from accounting.grades.inputs import WINDOW, Figure, GradeInputs

MONTHS, YEAR = "months", "year"


@dataclass(frozen=True, slots=True)
class Matched:
    """Sums over matched months [mg CO2e; 10⁴ yuan]. `basis`: months of the window, or the last closed year."""

    basis: str
    co2e_mg: int
    value: Fraction
    constant: Fraction | None  # None: somewhere it isn't known at constant prices
    months: int
    first: int
    last: int
    providers: tuple[str, ...]


def last_closed_year(month: int) -> tuple[int, int]:
    """First and last month of the newest calendar year that has ended with `month`.

    >>> last_closed_year(12), last_closed_year(11)
    ((0, 11), (0, 11))
    """
    last = (month + 1) // 12 * 12 - 1
    return last - 11, last


def matched_window(inputs: GradeInputs, kind: str) -> Matched | None:
    """Over R12(month); None where no month has the denominator."""
    figures = inputs.figures.get(kind)
    if not figures:
        return None
    if inputs.verified_mg is None:
        return matched(inputs.emissions, figures, inputs.first_month, inputs.month, MONTHS)
    whole = matched(
        dict.fromkeys(range(inputs.first_month, inputs.month + 1), 0),
        figures,
        inputs.first_month,
        inputs.month,
        MONTHS,
    )
    if whole is None or whole.months < WINDOW:  # a verified year has no months that could be left out
        return None
    return Matched(
        MONTHS,
        inputs.verified_mg,
        whole.value,
        whole.constant,
        whole.months,
        whole.first,
        whole.last,
        whole.providers,
    )


def matched_year(inputs: GradeInputs, kind: str) -> Matched | None:
    """Over the last closed calendar year; None unless all of it is known on both sides."""
    figures = inputs.figures.get(kind)
    if not figures:
        return None
    first, last = last_closed_year(inputs.month)
    if last == inputs.month:
        return None  # the window itself
    found = matched(inputs.emissions, figures, first, last, YEAR)
    return found if found is not None and found.months == WINDOW else None


def matched(
    emissions: Mapping[int, int], figures: Sequence[Figure], first: int, last: int, basis: str
) -> Matched | None:
    """Sums over the figures that lie within the months and whose months are all known."""
    co2e_mg, months = 0, 0
    values: list[Fraction] = []
    constants: list[Fraction] = []
    providers: list[str] = []
    for figure in figures:
        if figure.first < first or figure.last > last:
            continue
        if figure.first == figure.last:
            amount = emissions.get(figure.first)
            if amount is None:
                continue
        else:
            amounts = [emissions.get(month) for month in range(figure.first, figure.last + 1)]
            if None in amounts:
                continue
            amount = sum(each for each in amounts if each is not None)
        co2e_mg += amount
        months += figure.last - figure.first + 1
        values.append(figure.value)
        if figure.constant is not None:
            constants.append(figure.constant)
        if figure.provider and figure.provider not in providers:
            providers.append(figure.provider)
    if not months:
        return None
    constant = exact_sum(constants) if len(constants) == len(values) else None
    return Matched(basis, co2e_mg, exact_sum(values), constant, months, first, last, tuple(providers))


def exact_sum(values: Iterable[Fraction]) -> Fraction:
    """The sum. Money has few denominators: integers are added by denominator, which is six times as fast.

    >>> exact_sum([Fraction("0.1"), Fraction("0.2"), Fraction(1, 3)])
    Fraction(19, 30)
    """
    numerators: dict[int, int] = {}
    for value in values:
        numerator, denominator = value.as_integer_ratio()
        numerators[denominator] = numerators.get(denominator, 0) + numerator
    return sum((Fraction(each, denominator) for denominator, each in numerators.items()), Fraction(0))
