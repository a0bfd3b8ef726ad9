"""Short ways to say an enterprise, a source and a day."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from accounting.factors.load import FactorLibrary, SourceFactor
from domain.interval import Calendar
from domain.registry import Dated, Enterprise, Parameter, Source, SourceVersion, Term

CALENDAR = Calendar()


def day_of(text: str) -> int:
    return CALENDAR.day_of(date.fromisoformat(text))


def enterprise(
    industry: str = "steel",
    district: str | None = "430304",
    *,
    edition: str | None = None,
    grid: str | None = None,
) -> Enterprise:
    return Enterprise(
        id=1,
        uscc="91430300MA4L0DEM8M",
        name_zh="湘钢",
        name_en="steel works",
        industry=industry,
        editions=() if edition is None else (Dated(None, edition),),
        grid=() if grid is None else (Dated(None, grid),),
        gb_t_4754=None,
        districts=() if district is None else (Dated(None, district),),
        parks=(),
        flags=(),
    )


def source(
    method: str, *parameters: Parameter, fuel: str | None = None, material: str | None = None
) -> Source:
    version = SourceVersion(method, fuel, material, (Term(1, "M-01/amount"),), None)
    return Source(1, "91430300MA4L0DEM8M", "source", (Dated(None, version),), parameters)


def parameter(
    name: str,
    value: str,
    unit: str | None = None,
    since: str | None = None,
    origin: str | None = "measured",
    reference: str | None = "lab report 12",
) -> Parameter:
    return Parameter(name, Fraction(value), unit, None if since is None else day_of(since), origin, reference)


def factor(
    library: FactorLibrary, owner: Enterprise, of: Source, unit: str = "MWh", day: str = "2023-06-15"
) -> SourceFactor:
    return library.source_factors(owner, of, unit, day_of(day), CALENDAR)[0]
