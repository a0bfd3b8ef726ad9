"""Each of the 24 industries has its report: every method's factors, laid out in every form and both languages."""

from __future__ import annotations

import io
from fractions import Fraction

import pypdf
import pytest

from accounting.coverage import source_ranges
from accounting.factors.load import load as load_library
from accounting.report.build import build
from accounting.report.document import from_json, to_json
from accounting.report.forms import ReportFormat, every_form
from accounting.report.year import Books, LedgerFactor
from accounting.sources import term_unit
from domain.entry_sums import EntrySums
from domain.errors import FactorNotFound
from domain.industry import INDUSTRIES
from domain.registry import Enterprise
from simulators.enterprise import plant_of
from tests.accounting.test_plants_year import CALENDAR, FIRST_DAY, registered

YEAR = 2023
AMOUNT, EXPONENT = 1_234_567, -3


def books_of(owner: Enterprise) -> Books:
    """In each month one entry of the same amount from each source, in each gas and boundary that its factors have."""
    library = load_library()
    numbers: dict[str, int] = {}
    factors: dict[int, LedgerFactor] = {}
    entries = []
    for source in owner.sources.values():
        unit, _, _ = term_unit(owner, source.versions[0].value.terms)
        for month in (CALENDAR.month_start(FIRST_DAY, number) for number in range(12)):
            try:
                found = library.source_factors(owner, source, unit, month, CALENDAR)
            except FactorNotFound:
                continue
            counted: set[tuple[str, ...]] = set()
            for factor in found:
                number = numbers.setdefault(str((source.code, factor.description)), len(numbers) + 1)
                factors[number] = LedgerFactor(library.set_hash, factor.description)
                mg = round(AMOUNT * Fraction(10) ** EXPONENT * factor.mg_per_unit)
                entries.append(
                    EntrySums(
                        source.id, month, factor.gas, factor.scope, factor.boundaries, unit, EXPONENT, number,
                        factor.boundaries in counted, month, month, AMOUNT, mg, 0, abs(mg), 0, 0, 0, 1, 1, 0, 0, 0, 0,
                    )
                )  # fmt: skip
                counted.add(factor.boundaries)
    expected = {
        (source.code, boundary): 35_040
        for source in owner.sources.values()
        for each in source_ranges(owner, source, CALENDAR, library.methods)
        for boundary in each.traits.boundaries
    }
    return Books(
        entries, factors, expected, [], [], None, CALENDAR.day_start(FIRST_DAY + 400), 1, 0, 1, ["1"], "x"
    )


@pytest.mark.parametrize("industry", sorted(INDUSTRIES))
def test_its_report_is_whole(industry: str) -> None:
    owner = registered(plant_of(industry))
    known = books_of(owner)
    assert known.entries
    report = build(owner, YEAR, known, load_library().methods, CALENDAR)
    assert from_json(to_json(report)) == report
    assert report.enterprise.industry == industry
    for total in report.totals:
        mg = sum(each.mg for each in known.entries if total.boundary in each.boundaries)
        assert int(Fraction(total.kg or 0) * 10**6) == mg
        assert sum(Fraction(each.kg) for each in total.by_method) * 10**6 == mg
        assert sum(Fraction(each.kg) for each in total.by_gas) * 10**6 == mg
    counted = {owner.sources[each.source].id for each in report.activities if each.amount is not None}
    assert counted == {each.source_id for each in known.entries}
    for activity in report.activities:
        if activity.amount is not None:
            months = [Fraction(each.amount) for each in activity.months if each.amount is not None]
            assert sum(months) == Fraction(activity.amount) == len(months) * AMOUNT * Fraction(10) ** EXPONENT
    assert all(used.figures and used.clause and used.document for used in report.factors)
    for form, _, content in every_form(report):
        if form is ReportFormat.PDF:
            assert owner.uscc in pypdf.PdfReader(io.BytesIO(content)).pages[0].extract_text()
