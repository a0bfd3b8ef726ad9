"""From the books of a year to its report. Totals are sums of entries; nothing is rounded before it is shown. Pure."""

from __future__ import annotations

from accounting.methods.load import Methods
from accounting.report.activity import activities, energy_lines, net_energy, product_lines
from accounting.report.document import FORM, Provenance, Report, digest, sealed
from accounting.report.emissions import emission_lines, quality_lines, total
from accounting.report.factors import factors_used, means, weak_figures
from accounting.report.reporter import period_of, reporter
from accounting.report.substitutions import substitutions
from accounting.report.year import BOUNDARIES, Books, Year
from domain.interval import Calendar
from domain.registry import Enterprise


def build(
    enterprise: Enterprise,
    year: int,
    books: Books,
    methods: Methods,
    calendar: Calendar,
    park: str | None = None,
) -> Report:
    """The report of an enterprise's local calendar year. `park`: what the one it lies in is called."""
    its = Year(enterprise, year, books, methods, calendar)
    emissions, activity, factors = emission_lines(its), activities(its), factors_used(its)
    energy = energy_lines(its, activity)
    provenance = Provenance(
        calendar.text(books.as_of_us),
        books.run,
        None if books.run_committed_us is None else calendar.text(books.run_committed_us),
        books.registry_version,
        sorted(books.rules_versions),
        sorted({books.factors[each.factor_id].factor_set for each in books.entries}),
        digest(emissions, activity, factors),
        books.software,
    )
    return sealed(
        Report(
            FORM,
            reporter(enterprise, year, methods, calendar, park),
            period_of(year, calendar, books.as_of_us),
            [total(its, boundary) for boundary in BOUNDARIES],
            emissions,
            activity,
            factors,
            means(its),
            energy,
            net_energy(energy),
            product_lines(its),
            quality_lines(its),
            substitutions(its),
            weak_figures(factors),
            list(books.findings),
            books.statement,
            provenance,
        )
    )
