"""Which electricity factor an enterprise's day has: by basis, district and emission year.

The factor of the emission year where it is published, else the latest earlier one, provisional. A province
without any factor (Tibet) takes its region's, then the nation's. Before the first year there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from accounting.factors.tables import FactorTables, GridFactor
from accounting.factors.value import Origin, Value, from_figure
from domain.errors import FactorNotFound

BASES = ("province", "region", "national")
NATION = "CN"


@dataclass(frozen=True, slots=True)
class GridChoice:
    """The factor chosen, and the lookups that were passed over, in words."""

    value: Value
    passed_over: tuple[str, ...]


def of_kind(tables: FactorTables, area: str, kind: str, day: date) -> Value:
    """An area's figure of another kind than the average, of the day's year or the latest before it, marked provisional.

    Raises FactorNotFound before the first.
    """
    series = [each for each in tables.grid if each.area == area and each.kind == kind]
    return _of_year(series, f"{kind} of {area}", day, []).value


def basis_fault(tables: FactorTables, basis: str) -> str | None:
    """Why `basis` names no electricity factor, or None."""
    if basis in BASES or _series(tables, basis):
        return None
    if basis in tables.areas:
        return f"area {basis} has no electricity factor of its own"
    return f"grid {basis!r} is none of {', '.join(BASES)}, and no area code of the grid factors"


def choose(tables: FactorTables, basis: str, district: str | None, day: date) -> GridChoice:
    """The electricity factor of a day.

    basis     province, region, national, or an area code
    district  行政区划代码, needed for province and region

    Raises FactorNotFound, saying what was looked for and what would help.
    """
    passed_over: list[str] = []
    if basis == "province":
        province = _province(tables, district)
        series = _series(tables, province)
        if series:
            return _of_year(series, f"average of {province}", day, passed_over)
        passed_over.append(f"average of {province}: the area has none")
        region = _regional_series(tables, district)
        if any(each.validity.first is not None and each.validity.first <= day for each in region):
            return _of_year(region, f"regional average of {district}", day, passed_over)
        passed_over.append(f"regional average of {district}: none yet")
        return _of_year(_series(tables, NATION), "national average", day, passed_over)
    if basis == "region":
        region = _regional_series(tables, district)
        if not region:
            raise FactorNotFound(
                f"district {district!r} lies in no grid region of regions.csv; give a longer district code, or an "
                "area code as the enterprise's grid"
            )
        return _of_year(region, f"regional average of {district}", day, passed_over)
    if basis == "national":
        return _of_year(_series(tables, NATION), "national average", day, passed_over)
    series = _series(tables, basis)
    if not series:
        raise FactorNotFound(basis_fault(tables, basis) or f"area {basis} has no electricity factor")
    return _of_year(series, f"average of {basis}", day, passed_over)


def area_of(basis: str, district: str | None) -> str | None:
    """The area whose factor a basis asks for; None where the district that decides it isn't known."""
    if basis == "national":
        return NATION
    if basis == "province":
        return None if district is None else f"{district[:2]}0000"
    return district if basis == "region" else basis


def change_days(tables: FactorTables) -> set[date]:
    """Every first day on which a choice may differ from that of the day before."""
    days: set[date] = set()
    for each in tables.grid:
        if each.validity.first is not None and each.validity.last is not None:
            days |= {each.validity.first, date.fromordinal(each.validity.last.toordinal() + 1)}
    return days


def _province(tables: FactorTables, district: str | None) -> str:
    if not district:
        raise FactorNotFound("the enterprise has no district; it decides the province's electricity factor")
    province = f"{district[:2]}0000"
    if tables.areas.get(province) != "province":
        raise FactorNotFound(f"district {district!r} lies in no province of areas.csv")
    return province


def _series(tables: FactorTables, area: str) -> list[GridFactor]:
    kind = "regional_average" if tables.areas.get(area) == "region" else "average"
    return [each for each in tables.grid if each.area == area and each.kind == kind]


def _regional_series(tables: FactorTables, district: str | None) -> list[GridFactor]:
    """The regional averages of a district, each vintage of the region that it lay in then."""
    if not district:
        raise FactorNotFound("the enterprise has no district; it decides the region's electricity factor")
    result: list[GridFactor] = []
    for factor in tables.grid:
        if factor.kind == "regional_average" and factor.validity.first is not None:
            members = [
                each
                for each in tables.memberships
                if district.startswith(each.district) and each.validity.holds(factor.validity.first)
            ]
            if members and max(members, key=lambda each: len(each.district)).area == factor.area:
                result.append(factor)
    return result


def _of_year(series: list[GridFactor], name: str, day: date, passed_over: list[str]) -> GridChoice:
    begun = [each for each in series if each.validity.first is not None and each.validity.first <= day]
    if not begun:
        first = min((each.year for each in series), default=None)
        what = f"the first is of {first}" if first else "there is none"
        raise FactorNotFound(
            f"no electricity factor that early: {name}, {what}; give emission_factor, or another area"
        )
    chosen = max(begun, key=lambda each: each.validity.first or date.min)
    exact = chosen.validity.holds(day)
    value = from_figure(
        "emission_factor", chosen.figure, Origin.PUBLISHED if exact else Origin.OLDER_VINTAGE, chosen.validity
    )
    value = replace(value, edition=None, area=chosen.area, year=chosen.year, provisional=not exact)
    if not exact:
        passed_over.append(
            f"{name} of the emission year: not published yet, {chosen.year} is the latest before it"
        )
    return GridChoice(value, tuple(passed_over))
