"""Findings put into a city's books as the validator puts them."""

from __future__ import annotations

from domain.finding import FindingDay, Turn, join
from domain.interval import DAY_US
from domain.validation import CheckRule, FindingState, Severity
from storage.findings import ValidationBooks
from tests.api.books import CALENDAR, day_of
from tests.api.conftest import STEEL, City


def add_finding(
    city: City,
    subject: str = "E-01/import_kwh",
    *,
    uscc: str = STEEL,
    rule: CheckRule = CheckRule.FROZEN_VALUE,
    severity: Severity = Severity.MEDIUM,
    first: str = "2024-05-20",
    days: int = 2,
    mg: int = 1_500_000_000,
) -> int:
    """A finding of whole days; its id."""
    first_day = day_of(first)
    found = [
        FindingDay(
            rule,
            subject,
            day,
            day + 1,
            CALENDAR.day_start(day),
            CALENDAR.day_start(day) + DAY_US,
            (subject,),
            {"value": "5.00", "unit": "kWh", "readings": 96},
            mg // days,
        )
        for day in range(first_day, first_day + days)
    ]
    (joined,) = join(found)
    with city.database.connect() as conn:
        books = ValidationBooks(conn)
        enterprise = city.registry.enterprises[uscc]
        books.add(enterprise.id, rule, subject, severity, joined, Turn(FindingState.OPEN, "found"))
        (known,) = books.known(enterprise.id, rule, subject)
        return known.id
