"""What is due when for a compliance year: monthly evidence, report, verification, final allocation, surrender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from accounting.quota.tables import QuotaTables, Sector


@dataclass(frozen=True, slots=True)
class Due:
    """`period`: the month that evidence is of, else the year. An alarm is a day to look, nothing is due on it."""

    day: date
    event: str
    period: str
    is_alarm: bool


def calendar(year: int, sector: Sector, tables: QuotaTables) -> list[Due]:
    """All of a compliance year, ascending."""
    return sorted(_every(year, sector, tables), key=lambda due: (due.day, due.event, due.period))


def _every(year: int, sector: Sector, tables: QuotaTables) -> Iterator[Due]:
    for month in range(1, 13):
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        period = f"{year}-{month:02}"
        yield Due(end + timedelta(days=tables.calendar["evidence_days"]), "monthly_evidence", period, False)
        for days in tables.calendar["evidence_alarm_days"]:
            yield Due(end + timedelta(days=days), "monthly_evidence_alarm", period, True)
    for each in tables.dates:
        if sector.group in each.groups:
            day = date(year + 1, each.month, each.day)
            yield Due(day, each.event, str(year), each.event.endswith("_alarm"))


def surrender_day(year: int, sector: Sector, tables: QuotaTables) -> date:
    return next(due.day for due in calendar(year, sector, tables) if due.event == "surrender")
