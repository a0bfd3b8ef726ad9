"""Who reports, for which days, by which editions. Pure."""

from __future__ import annotations

from datetime import date

from accounting.methods.load import Methods
from accounting.report.document import EditionInForce, Reporter, ReportPeriod
from domain.interval import Calendar
from domain.registry import Enterprise, Source, SourceVersion, dated_value

_DEFAULT_GRID = "province"  # accounting.factors.resolve: where the enterprise names no other basis


def year_days(year: int, calendar: Calendar) -> tuple[int, int]:
    """The local days [first, end) of a calendar year."""
    first = calendar.day_of(date(year, 1, 1))
    return first, calendar.year_start(first, 1)


def period_of(year: int, calendar: Calendar, as_of_us: int) -> ReportPeriod:
    first, end = year_days(year, calendar)
    return ReportPeriod(
        year,
        calendar.date(first).isoformat(),
        calendar.date(end - 1).isoformat(),
        _zone(calendar),
        as_of_us >= calendar.day_start(end),
    )


def _zone(calendar: Calendar) -> str:
    text = calendar.text(0)
    return "Z" if text.endswith("Z") else text[-6:]


def edition_of(enterprise: Enterprise, boundary: str, day: int, methods: Methods, calendar: Calendar) -> str:
    """The edition that a boundary is counted by on a day, as accounting.factors chooses it."""
    own = dated_value(enterprise.editions, day)
    if own is not None:
        return own
    guideline = methods.own_edition(enterprise.industry)
    if boundary == "account":
        return guideline
    return methods.market_edition(enterprise.industry, calendar.date(day)) or guideline


def editions_in_force(
    enterprise: Enterprise, year: int, methods: Methods, calendar: Calendar
) -> list[EditionInForce]:
    """The editions of both boundaries in a year, each with its days."""
    first, end = year_days(year, calendar)
    result = []
    for boundary in ("account", "ets"):
        stretches: list[tuple[str, int, int]] = []
        for day in range(first, end):
            edition = edition_of(enterprise, boundary, day, methods, calendar)
            if stretches and stretches[-1][0] == edition:
                stretches[-1] = (edition, stretches[-1][1], day)
            else:
                stretches.append((edition, day, day))
        result += [
            EditionInForce(
                boundary,
                edition,
                methods.editions[edition].document,
                methods.editions[edition].confidence,
                calendar.date(begin).isoformat(),
                calendar.date(last).isoformat(),
            )
            for edition, begin, last in stretches
        ]
    return result


def version_of(source: Source, day: int) -> SourceVersion:
    """What a source counts on a day; before its beginning what it will count first."""
    return dated_value(source.versions, day) or source.versions[0].value


def reporter(
    enterprise: Enterprise, year: int, methods: Methods, calendar: Calendar, park: str | None
) -> Reporter:
    """The enterprise as it stood on the last day of the year."""
    last = year_days(year, calendar)[1] - 1
    industry = methods.industries[enterprise.industry]
    return Reporter(
        enterprise.uscc,
        enterprise.name_zh,
        enterprise.name_en,
        enterprise.industry,
        industry.name_zh,
        industry.name_en,
        enterprise.gb_t_4754,
        dated_value(enterprise.districts, last),
        park,
        dated_value(enterprise.grid, last) or _DEFAULT_GRID,
        sorted(dated_value(enterprise.flags, last) or ()),
        editions_in_force(enterprise, year, methods, calendar),
    )
