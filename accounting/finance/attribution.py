"""Financed emissions of a portfolio: F = Σ attribution × E, attribution = amount ÷ denominator, exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from accounting.finance.rules import Denominator, FinanceRules, Option


@dataclass(frozen=True, slots=True)
class Loan:
    """amount [CNY], on the basis that the request names; `figures` [CNY] of the borrower or project.

    monthly_average  [CNY], for the exclusion of small loans; None: `amount` stands in
    """

    id: str
    amount: Fraction
    figures: Mapping[str, Fraction] = field(default_factory=dict)
    monthly_average: Fraction | None = None
    size: str | None = None
    is_person: bool = False
    is_overseas: bool = False
    in_eight_sectors: bool = True


@dataclass(frozen=True, slots=True)
class Emissions:
    """A borrower's emissions of the year [tCO2e], and how they were come by."""

    tco2e: Fraction
    option: Option


@dataclass(frozen=True, slots=True)
class Financed:
    """What a loan finances; where it isn't counted, `reason` says why and the rest is None.

    capped  the loan is above its denominator: it counts as the whole
    """

    loan: Loan
    emissions: Emissions | None
    attribution: Fraction | None
    tco2e: Fraction | None
    reason: str | None
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Portfolio:
    """pcaf_score is weighted by amounts outstanding, method_score by financed emissions; None: nothing to weigh."""

    loans: tuple[Financed, ...]
    tco2e: Fraction
    amount: Fraction
    counted_amount: Fraction
    pcaf_score: Fraction | None
    method_score: Fraction | None


def exclusion(loan: Loan, rules: FinanceRules, switched_off: Sequence[str] = ()) -> str | None:
    """The exclusion that leaves a loan out, or None."""
    balance = loan.amount if loan.monthly_average is None else loan.monthly_average
    holds = {
        "small_amount": balance < rules.small_amount,
        "small_enterprise": loan.size in rules.exclusions["small_enterprise"]["sizes"],
        "person": loan.is_person,
        "overseas": loan.is_overseas,
        "other_sector": not loan.in_eight_sectors,
    }
    return next((code for code, it_does in holds.items() if it_does and code not in switched_off), None)


def financed(
    loan: Loan,
    denominator: Denominator,
    emissions: Emissions | str,
    rules: FinanceRules,
    switched_off: Sequence[str] = (),
) -> Financed:
    """What one loan finances. `emissions`: a text where there are none, which says why."""
    excluded = exclusion(loan, rules, switched_off)
    if excluded is not None:
        return Financed(loan, None, None, None, f"excluded: {rules.exclusions[excluded]['meaning']}")
    if isinstance(emissions, str):
        return Financed(loan, None, None, None, emissions)
    missing = [name for name in denominator.figures if name not in loan.figures]
    if missing:
        return Financed(loan, emissions, None, None, f"{denominator.code} needs {' and '.join(missing)}")
    whole = sum((loan.figures[name] for name in denominator.figures), Fraction(0))
    if whole <= 0:
        return Financed(loan, emissions, None, None, f"{denominator.code} isn't above zero")
    share = min(loan.amount / whole, Fraction(1))
    return Financed(loan, emissions, share, share * emissions.tco2e, None, capped=loan.amount > whole)


def portfolio(loans: Sequence[Financed]) -> Portfolio:
    """The sum, with both quality scores."""
    counted = [each for each in loans if each.tco2e is not None]
    return Portfolio(
        tuple(loans),
        sum((each.tco2e or Fraction(0) for each in counted), Fraction(0)),
        sum((each.loan.amount for each in loans), Fraction(0)),
        sum((each.loan.amount for each in counted), Fraction(0)),
        _weighted([(each.loan.amount, _option(each).pcaf_score) for each in counted]),
        _weighted([(each.tco2e or Fraction(0), _option(each).method_score) for each in counted]),
    )


def _option(each: Financed) -> Option:
    assert each.emissions is not None
    return each.emissions.option


def _weighted(pairs: Sequence[tuple[Fraction, int]]) -> Fraction | None:
    whole = sum((weight for weight, _ in pairs), Fraction(0))
    if whole <= 0:
        return None
    return sum((weight * score for weight, score in pairs), Fraction(0)) / whole
