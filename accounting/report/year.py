"""The books of an enterprise's year, and its sources, looked up as a report's tables need them. Pure, exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accounting.methods.load import Methods
from accounting.methods.method import Edition, Method
from accounting.report.document import FindingLine, Statement
from accounting.report.reporter import edition_of, version_of, year_days
from domain.entry_sums import EntrySums
from domain.interval import Calendar
from domain.reading import decimal_text
from domain.registry import Enterprise, Source, SourceVersion

BOUNDARIES = ("account", "ets")


@dataclass(frozen=True, slots=True)
class LedgerFactor:
    """A factor as the ledger used it: the set it is from, and its description (accounting.factors.resolve)."""

    factor_set: str
    description: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProductOutput:
    """A product's output in the year, exact; amount None where nothing is known of it."""

    product: str
    amount: Fraction | None
    unit: str
    quality: str
    coverage: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """What a report is made of, as of one moment.

    entries   sums of the known entries of the year (storage.reports)
    factors   by the ids in `entries`
    expected  (source, boundary) -> quarter-hours in which the source is expected and that had ended by `as_of_us`;
              every source that belongs to the year is in it
    """

    entries: Sequence[EntrySums]
    factors: Mapping[int, LedgerFactor]
    expected: Mapping[tuple[str, str], int]
    products: Sequence[ProductOutput]
    findings: Sequence[FindingLine]
    statement: Statement | None
    as_of_us: int
    run: int | None
    run_committed_us: int | None
    registry_version: int
    rules_versions: Sequence[str]
    software: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A source as the year has it. `method`: what its edition says of it, the account's first."""

    source: Source
    version: SourceVersion
    method: Method | None

    @property
    def names(self) -> tuple[str, str]:
        """In Chinese as the guideline calls it, in English by its code."""
        english = self.version.method.replace("_", " ")
        return (self.method.name if self.method is not None else english, english)


Use = tuple[str, str, tuple[str, ...], int, str]  # source, gas, boundaries, factor, unit


class Year:
    """The entries of one report with its sources, in the order of their codes."""

    def __init__(
        self, enterprise: Enterprise, year: int, books: Books, methods: Methods, calendar: Calendar
    ) -> None:
        self.enterprise, self.books, self.calendar = enterprise, books, calendar
        first_day, end_day = year_days(year, calendar)
        self.first_day, self.last_day = first_day, end_day - 1
        self.months = [calendar.month_start(first_day, month) for month in range(12)]
        self.code = {source.id: source.code for source in enterprise.sources.values()}
        self.entries = sorted(
            books.entries,
            key=lambda each: (
                self.code[each.source_id],
                each.gas,
                each.boundaries,
                each.month,
                each.factor_id,
            ),
        )
        present = {self.code[each.source_id] for each in self.entries} | {code for code, _ in books.expected}
        self.subjects = {code: self._subject(enterprise.sources[code], methods) for code in sorted(present)}
        self.editions: dict[str, list[Edition]] = {
            boundary: [
                methods.editions[edition_of(enterprise, boundary, month, methods, calendar)]
                for month in self.months
            ]
            for boundary in BOUNDARIES
        }

    def _subject(self, source: Source, methods: Methods) -> Subject:
        version = version_of(source, self.last_day)
        for boundary in BOUNDARIES:
            edition = edition_of(self.enterprise, boundary, self.last_day, methods, self.calendar)
            method = methods.by_edition.get((self.enterprise.industry, edition), {}).get(version.method)
            if method is not None:
                return Subject(source, version, method)
        return Subject(source, version, None)

    def of(self, *, source: str | None = None, boundary: str | None = None) -> list[EntrySums]:
        return [
            each
            for each in self.entries
            if (source is None or self.code[each.source_id] == source)
            and (boundary is None or boundary in each.boundaries)
        ]

    def description(self, each: EntrySums) -> Mapping[str, Any]:
        return self.books.factors[each.factor_id].description

    def is_deduction(self, each: EntrySums) -> bool:
        said = self.description(each).get("deduction")
        if said is not None:
            return bool(said)
        method = self.subjects[self.code[each.source_id]].method
        return method is not None and method.deduction

    def converted(self, each: EntrySums) -> Fraction:
        """The amount in the unit that the factor is per."""
        return amount(each) * Fraction(self.description(each).get("amount_per_unit", "1"))

    def uses(self) -> dict[Use, list[EntrySums]]:
        """The entries by the factor they were made with: a source's in the order of its first day."""
        found: dict[Use, list[EntrySums]] = defaultdict(list)
        for each in self.entries:
            found[self.code[each.source_id], each.gas, each.boundaries, each.factor_id, each.unit].append(
                each
            )
        return dict(
            sorted(
                found.items(), key=lambda pair: (*pair[0][:3], min(e.first_day for e in pair[1]), pair[0][3])
            )
        )


def amount(each: EntrySums) -> Fraction:
    return Fraction(each.consumption) * Fraction(10) ** each.exponent


def amount_text(entries: Sequence[EntrySums]) -> str | None:
    """Σ of amounts in their finest power of ten, exact; None of none."""
    if not entries:
        return None
    exponent = min(each.exponent for each in entries)
    return decimal_text(
        sum(each.consumption * 10 ** (each.exponent - exponent) for each in entries), exponent
    )


def sum_mg(entries: Iterable[EntrySums]) -> int | None:
    """Σ of entries [mg]; None of none."""
    found = [each.mg for each in entries]
    return sum(found) if found else None
