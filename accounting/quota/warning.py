"""Early warning: what an entity will lack at the year's end, and how loud that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from accounting.quota.dates import surrender_day
from accounting.quota.tables import QuotaTables, Sector

CALM = "none"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """gap_t: emissions − allowances − holdings; above zero: lacking. `raised`: one band up, since surrender is near."""

    gap_t: Fraction
    share: Fraction | None  # of the emissions
    band: str
    raised: bool
    days_to_surrender: int


def warning(
    sector: Sector,
    year: int,
    emissions_t: Fraction,
    allowances_t: Fraction,
    holdings_t: Fraction,
    today: date,
    tables: QuotaTables,
) -> Shortfall:
    """The band of an entity's gap for a compliance year."""
    gap_t = emissions_t - allowances_t - holdings_t
    share = gap_t / emissions_t if emissions_t > 0 else None
    bands = tables.bands[sector.group]
    level = 0
    if gap_t > 0:
        for number, band in enumerate(bands, 1):
            if share is None or share > band.above:
                level = number
    days = (surrender_day(year, sector, tables) - today).days
    raised = gap_t > 0 and days < tables.warning["days"] and level < len(bands)
    level += raised
    return Shortfall(gap_t, share, bands[level - 1].name if level else CALM, raised, days)
