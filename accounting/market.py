"""Purchased electricity two ways: by the grid it came from (location-based) and by what was bought (market-based).

Location-based is the account: what was bought × the grid's average of the area. Market-based: what was bought and
isn't covered by certificates × the national average without market-traded non-fossil power. A certificate counts for
electricity of its own calendar year, once. The emissions trading obligation has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from accounting.factors.electricity import of_kind
from accounting.factors.tables import FactorTables
from accounting.factors.value import Value
from domain.unit import conversion

RESIDUAL_KIND = "average_excl_market_nonfossil"


@dataclass(frozen=True, slots=True)
class MarketBased:
    """`uncovered_mwh`: bought and not certified; certificates beyond what was bought certify nothing (`idle_mwh`)."""

    uncovered_mwh: Fraction
    idle_mwh: Fraction
    factor: Value
    tco2: Fraction


def market_based(purchased_mwh: Fraction, certified_mwh: Fraction, factor: Value) -> MarketBased:
    """Of a calendar year. `factor` [tCO2/MWh]: of `residual_factor`."""
    uncovered = max(purchased_mwh - certified_mwh, Fraction(0))
    idle = max(certified_mwh - purchased_mwh, Fraction(0))
    return MarketBased(uncovered, idle, factor, uncovered * factor.value)


def residual_factor(tables: FactorTables, year: int) -> Value:
    """The nation's average without market-traded non-fossil power, of the year or the latest before it, marked so.

    Raises FactorNotFound before the first year that it was published for.
    """
    return of_kind(tables, "CN", RESIDUAL_KIND, date(year, 12, 31))


def purchased(amounts: Iterable[tuple[str, Fraction]]) -> Fraction:
    """Amounts by unit, in MWh."""
    return sum((amount * conversion(unit, "MWh") for unit, amount in amounts), Fraction(0))
