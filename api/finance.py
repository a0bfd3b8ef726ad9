"""Financed emissions: loans with the accounts of those borrowers that the asker may read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from accounting.finance.attribution import Emissions, Financed, Loan, financed, portfolio
from accounting.finance.rules import FIGURES, rules
from accounting.history.vocabulary import Provenance
from accounting.report.reporter import year_days
from api.context import Session
from api.errors import Problem, place_of
from api.finance_schemas import LoanEntry, Portfolio
from api.ledger import Question, sums
from api.measured import fraction_text
from api.periods import Range
from api.routes.emissions import enterprise_subject, expected_of
from api.sums import Sum, coverage_text
from domain.errors import Fault, FaultyDocument
from storage import history
from storage.emissions import By

MG_PER_TONNE = 1_000_000_000
_TRUE, _FALSE = ("1", "true", "yes", "是"), ("0", "false", "no", "否")
_FLAGS = ("is_person", "is_overseas", "in_eight_sectors")


@dataclass(frozen=True, slots=True)
class _Found:
    emissions: Emissions | str
    origin: str | None = None
    coverage: str | None = None


def read_portfolio(document: Any) -> Portfolio:
    """Raises FaultyDocument with every fault by its place."""
    try:
        if isinstance(document, bytes):
            return Portfolio.model_validate_json(document)
        return Portfolio.model_validate(document)
    except ValidationError as error:
        raise FaultyDocument(
            [
                Fault(place_of(("path", *each["loc"])), each["msg"].removeprefix("Value error, "))
                for each in error.errors()
            ]
        ) from error


def loans_of_csv(content: bytes) -> list[dict[str, Any]]:
    """Rows with the names of `LoanEntry` as header, as JSON has them; an empty cell isn't there."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FaultyDocument([Fault("file", f"can't be read as CSV in UTF-8: {error}")]) from error
    unknown = [name for name in (rows[0] if rows else ()) if name not in LoanEntry.model_fields]
    if unknown:
        known = ", ".join(LoanEntry.model_fields)
        raise FaultyDocument(
            [Fault("header", f"{', '.join(map(str, unknown))!r} is unknown; known are {known}")]
        )
    found = []
    for row in rows:
        entry: dict[str, Any] = {name: cell.strip() for name, cell in row.items() if cell and cell.strip()}
        for name in _FLAGS:
            text = str(entry.get(name, "")).lower()
            if text in (*_TRUE, *_FALSE):
                entry[name] = text in _TRUE
        found.append(entry)
    return found


def financed_of(session: Session, given: Portfolio) -> dict[str, Any]:
    """api.finance_schemas.FinancedAnswer"""
    its = rules()
    lookup = _Lookup(session, given.year)
    items: list[dict[str, Any]] = []
    results: list[Financed] = []
    for entry in given.loans:
        loan = _loan(entry, given)
        denominator = its.denominators[entry.denominator or given.denominator]
        found = lookup.of(entry)
        result = financed(loan, denominator, found.emissions, its, given.include)
        results.append(result)
        items.append(_item(entry, denominator.code, result, found))
    whole = portfolio(results)
    used = {each["denominator"] for each in items}
    options = {each["option"] for each in items if each["option"] is not None}
    marks = [
        *((code, its.denominators[code].source, its.denominators[code].confidence) for code in sorted(used)),
        *((code, its.options[code].source, its.options[code].confidence) for code in sorted(options)),
        *(
            (code, table["source"], table["confidence"])
            for code, table in its.exclusions.items()
            if code not in given.include
        ),
    ]
    return {
        "year": given.year,
        "balance": given.balance,
        "items": items,
        "totals": {
            "loans": len(items),
            "counted": sum(each.tco2e is not None for each in results),
            "amount": fraction_text(whole.amount),
            "counted_amount": fraction_text(whole.counted_amount),
            "financed_t": fraction_text(whole.tco2e),
            "pcaf_score": None if whole.pcaf_score is None else fraction_text(whole.pcaf_score, 4),
            "method_score": None if whole.method_score is None else fraction_text(whole.method_score, 4),
        },
        "marks": [
            {"code": code, "source": source, "confidence": confidence} for code, source, confidence in marks
        ],
        "rules": its.hash,
    }


def financed_csv(answer: dict[str, Any]) -> bytes:
    """The items as a table, with a byte order mark: Excel reads Chinese by it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(answer["items"][0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(answer["items"])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _loan(entry: LoanEntry, given: Portfolio) -> Loan:
    figures = {name: getattr(entry, name) for name in FIGURES}
    return Loan(
        entry.id,
        Fraction(getattr(entry, given.balance)),
        {name: Fraction(text) for name, text in figures.items() if text is not None},
        None if entry.average is None else Fraction(entry.average),
        entry.size,
        entry.is_person,
        entry.is_overseas,
        entry.in_eight_sectors,
    )


class _Lookup:
    """Emissions of a year, each borrower looked up once.

    What was stated of the year and verified goes before the ledger, the ledger before what was only reported.
    """

    def __init__(self, session: Session, year: int) -> None:
        self._session = session
        self._year = year
        first, end = year_days(year, session.calendar)
        self._range = Range(session.calendar.day_start(first), session.calendar.day_start(end))
        self._known: dict[str, _Found] = {}

    def of(self, entry: LoanEntry) -> _Found:
        its = rules()
        if entry.emissions_t is not None:
            assert entry.option is not None
            return _Found(Emissions(Fraction(entry.emissions_t), its.options[entry.option]), "given")
        assert entry.uscc is not None
        if entry.uscc not in self._known:
            self._known[entry.uscc] = self._look_up(entry.uscc)
        return self._known[entry.uscc]

    def _look_up(self, uscc: str) -> _Found:
        session, its = self._session, rules()
        try:
            enterprise = session.enterprise(uscc, period=self._range)
        except Problem as problem:
            return _Found(f"the account can't be read: {problem}")
        stated = history.in_force(session.conn, [enterprise.id], first_year=self._year, last_year=self._year)
        summary = stated[0].summary if stated else None
        if summary is not None and summary["provenance"] == Provenance.VERIFIED:
            return _Found(Emissions(Fraction(summary["account_tco2e"]), its.options["verified"]), "statement")
        subject = enterprise_subject(session.known, enterprise, By.TOTAL, "account")
        cell = sums(session, Question(subject.members, subject.wanted), [self._range], single=False).get(
            (0, 0), Sum()
        )
        if cell.known:
            (expected,) = expected_of(subject.parts[0], [self._range], self._range.to_us)
            tonnes = Fraction(cell.amount, MG_PER_TONNE)
            return _Found(
                Emissions(tonnes, its.options["energy"]), "ledger", coverage_text(cell.credited, expected)
            )
        if summary is not None:
            return _Found(Emissions(Fraction(summary["account_tco2e"]), its.options["reported"]), "statement")
        return _Found(f"nothing is known of {uscc} in {self._year}")


def _item(entry: LoanEntry, denominator: str, result: Financed, found: _Found) -> dict[str, Any]:
    emissions = result.emissions
    option = None if emissions is None else emissions.option
    return {
        "id": entry.id,
        "uscc": entry.uscc,
        "amount": fraction_text(result.loan.amount),
        "denominator": denominator,
        "emissions_t": None if emissions is None else fraction_text(emissions.tco2e),
        "origin": None if emissions is None else found.origin,
        "coverage": None if emissions is None else found.coverage,
        "attribution": None if result.attribution is None else fraction_text(result.attribution),
        "financed_t": None if result.tco2e is None else fraction_text(result.tco2e),
        "capped": result.capped,
        "option": None if option is None else option.code,
        "pcaf_option": None if option is None else option.pcaf,
        "pcaf_score": None if option is None else option.pcaf_score,
        "method": None if option is None else option.method,
        "method_score": None if option is None else option.method_score,
        "reason": result.reason,
    }
