"""An enterprise's compliance year: totals of both boundaries, allowances, forecast, gap, what is due when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from accounting.quota.allowance import (
    IntensityAllowance,
    PowerUnit,
    UnitAllowance,
    intensity_allowance,
    power_allowance,
)
from accounting.quota.dates import calendar as due_calendar
from accounting.quota.forecast import Forecast, forecast
from accounting.quota.tables import QuotaTables, tables
from accounting.quota.warning import warning
from accounting.report.reporter import year_days
from api.context import Session
from api.errors import Problem
from api.ledger import Question, sums
from api.measured import fraction_text, product_sums
from api.periods import Range
from api.quota_schemas import Figure, LineStatement, QuotaStatement, UnitStatement
from api.routes.emissions import Subject, enterprise_subject, expected_of
from api.sums import Sum, coverage_text
from domain.errors import Fault, Refused
from domain.interval import from_us, to_us
from domain.reading import decimal_text
from domain.registry import Enterprise
from domain.unit import NotConvertible, conversion
from storage import quotas
from storage.emissions import By
from storage.quotas import Statement

MG_PER_TONNE = 1_000_000_000
_KNOWN_SHARE = Fraction(9, 10)  # of a day's intervals, for its sum to count as the day's in a forecast
_NOTHING = Sum()


@dataclass(frozen=True, slots=True)
class _Year:
    """The days of a year and of the one before, and up to which day they are over."""

    number: int
    first_day: int
    end_day: int
    before_day: int
    today: int
    until_us: int

    @property
    def past_end(self) -> int:
        """The first day that isn't over."""
        return max(self.first_day, min(self.end_day, self.today))


def described(statement: Statement, session: Session, uscc: str) -> dict[str, Any]:
    return {
        "id": statement.id,
        "uscc": uscc,
        "year": statement.year,
        "at": session.text(to_us(statement.at)),
        "by": statement.by_whom,
        "why": statement.why,
        "statement": statement.document,
    }


def check(session: Session, given: Sequence[QuotaStatement], place: str = "statements") -> None:
    """Refuse statements that name what isn't registered; Problem 422 with every fault."""
    faults: list[Fault] = []
    seen: set[tuple[str, int]] = set()
    for index, statement in enumerate(given):
        here = f"{place}[{index}]"
        if (statement.uscc, statement.year) in seen:
            faults.append(Fault(here, f"{statement.uscc} {statement.year} stands twice"))
        seen.add((statement.uscc, statement.year))
        enterprise = session.registry.enterprises.get(statement.uscc)
        if enterprise is None or not session.may_read(statement.uscc):
            faults.append(Fault(f"{here}.uscc", f"no enterprise {statement.uscc!r} is registered"))
            continue
        faults += _unknown(statement, enterprise, here)
    if faults:
        raise Problem(422, faults)


def _unknown(statement: QuotaStatement, enterprise: Enterprise, here: str) -> list[Fault]:
    faults = []
    things: list[tuple[str, UnitStatement | LineStatement]] = [
        *((f"{here}.units[{number}]", each) for number, each in enumerate(statement.units)),
        *((f"{here}.lines[{number}]", each) for number, each in enumerate(statement.lines)),
    ]
    for place, thing in things:
        for source in thing.sources or ():
            if source not in enterprise.sources:
                faults.append(Fault(f"{place}.sources", f"{enterprise.uscc} has no source {source!r}"))
        for field, figure, unit in _figures(thing):
            if figure is None or figure.product is None:
                continue
            product = enterprise.products.get(figure.product)
            if product is None:
                faults.append(
                    Fault(f"{place}.{field}.product", f"{enterprise.uscc} has no product {figure.product!r}")
                )
                continue
            for version in product.versions:
                try:
                    conversion(version.value.unit, unit)
                except NotConvertible as error:
                    faults.append(Fault(f"{place}.{field}.product", str(error)))
    return faults


def _figures(thing: UnitStatement | LineStatement) -> list[tuple[str, Figure | None, str]]:
    if isinstance(thing, UnitStatement):
        return [("electricity", thing.electricity, "MWh"), ("heat", thing.heat, "GJ")]
    return [("output", thing.output, "t")]


def quota_of(
    session: Session, enterprise: Enterprise, year: int, balance_value: str | None, as_of_us: int | None
) -> dict[str, Any]:
    """All that is told of a compliance year (api.quota_schemas.Quota).

    balance_value  BP as another scenario than the statement's; None: the statement's
    """
    look = _Look(session, enterprise, year, as_of_us)
    lacking: list[str] = []
    found = quotas.in_force(
        session.conn, enterprise.id, year, None if as_of_us is None else from_us(as_of_us)
    )
    statement = None if found is None else QuotaStatement.model_validate(found.document)
    whole = look.forecast_of(None)
    answer: dict[str, Any] = {
        "uscc": enterprise.uscc,
        "year": year,
        "sector": None if statement is None else statement.sector,
        "statement": None if found is None else described(found, session, enterprise.uscc),
        "totals": look.totals(),
        "forecast": None if whole is None else _forecast_json(whole),
        "units": [],
        "lines": [],
        "floor_t": None,
        "allowance_t": None,
        "holdings_t": None if statement is None else statement.holdings_t,
        "gap_t": None,
        "warning": None,
        "lacking": lacking,
        "calendar": [],
        "tables": look.tables.hash,
    }
    if whole is None:
        lacking.append("no day of the year is known in the ETS boundary: there is no forecast and no gap")
    if statement is None:
        lacking.append("nothing is stated of the year's units or lines: see POST /v1/quotas")
        return answer
    today = session.calendar.date(look.year.today)
    answer["calendar"] = [
        {
            "day": due.day.isoformat(),
            "event": due.event,
            "period": due.period,
            "is_alarm": due.is_alarm,
            "days_left": (due.day - today).days,
        }
        for due in due_calendar(year, statement.sector, look.tables)
    ]
    try:
        allowance = look.allowances(statement, whole, balance_value, answer)
    except Refused as error:
        lacking.append(str(error))
        return answer
    answer["allowance_t"] = str(allowance)
    if whole is not None:
        holdings = Fraction(statement.holdings_t)
        emissions = {name: _tonnes(getattr(whole, name)) for name in ("p10", "p50", "p90")}
        answer["gap_t"] = {
            name: fraction_text(each - allowance - holdings) for name, each in emissions.items()
        }
        answer["warning"] = _warning_json(
            statement, emissions["p50"], Fraction(allowance), holdings, today, look.tables
        )
    return answer


class _Look:
    """One answer's look at the books of a year."""

    def __init__(self, session: Session, enterprise: Enterprise, year: int, as_of_us: int | None) -> None:
        self.tables: QuotaTables = tables()
        self._session = session
        self._enterprise = enterprise
        self._runs = session.runs(as_of_us)
        self._run = session.run(as_of_us, enterprise)
        until_us = session.now_us if as_of_us is None else min(session.now_us, as_of_us)
        first, end = year_days(year, session.calendar)
        before, _ = year_days(year - 1, session.calendar)
        self.year = _Year(year, first, end, before, session.calendar.day(until_us), until_us)
        self._ets = enterprise_subject(session.known, enterprise, By.SOURCE, "ets")
        self._cells: tuple[list[Range], dict[tuple[int, int], Sum]] | None = None

    # --- totals

    def totals(self) -> dict[str, Any]:
        """Of both boundaries, from the year's first day to its last that has begun."""
        whole = [self._range(self.year.first_day, self.year.end_day)]
        told: dict[str, Any] = {}
        sources: dict[str, dict[str, Any]] = {}
        for boundary in ("account", "ets"):
            subject = enterprise_subject(self._session.known, self._enterprise, By.SOURCE, boundary)
            cells = self._sums(subject, whole)
            total, expected = Sum(), 0
            for part in subject.parts:
                cell = cells.get((part.key, 0), _NOTHING)
                total.add(cell)
                expected += expected_of(part, whole, self.year.until_us)[0]
                named = sources.setdefault(
                    part.id, {"source": part.id, "account_t": None, "ets_t": None, "boundaries": []}
                )
                named[f"{boundary}_t"] = _mg_text(cell)
                named["boundaries"].append(boundary)
            told[f"{boundary}_t"] = _mg_text(total)
            told[f"{boundary}_coverage"] = coverage_text(total.credited, expected)
        return {**told, "sources": [each for _, each in sorted(sources.items())]}

    def _sums(self, subject: Subject, these: Sequence[Range]) -> dict[tuple[int, int], Sum]:
        question = Question(subject.members, subject.wanted, self._runs)
        return sums(self._session, question, these, single=False)

    def _range(self, first_day: int, end_day: int) -> Range:
        calendar = self._session.calendar
        return Range(calendar.day_start(first_day), calendar.day_start(end_day))

    # --- series of days

    def forecast_of(self, sources: Sequence[str] | None) -> Forecast | None:
        """Of the emissions [mg] of some sources in the ETS boundary; None: of all."""
        days = self._emission_days(sources)
        split = self.year.first_day - self.year.before_day
        length = self.year.past_end - self.year.first_day
        return forecast(
            days[split : split + length], self.year.end_day - self.year.first_day, _used(days[:split])
        )

    def _emission_days(self, sources: Sequence[str] | None) -> list[int | None]:
        """Of each day from the year before's first on; None where it isn't known well."""
        these, cells = self._day_cells()
        parts = [part for part in self._ets.parts if sources is None or part.id in sources]
        expected = [expected_of(part, these, these[-1].to_us) for part in parts]
        result: list[int | None] = []
        for number in range(len(these)):
            wanted = sum(each[number] for each in expected)
            found = [cells[part.key, number] for part in parts if (part.key, number) in cells]
            known = sum(cell.credited for cell in found)
            is_known = wanted > 0 and known >= _KNOWN_SHARE * wanted
            result.append(sum(cell.amount for cell in found) if is_known else None)
        return result

    def _day_cells(self) -> tuple[list[Range], dict[tuple[int, int], Sum]]:
        """The days of both years with the ETS entries of each source, read once."""
        if self._cells is None:
            these = [self._range(day, day + 1) for day in range(self.year.before_day, self.year.end_day)]
            self._cells = these, self._sums(self._ets, these)
        return self._cells

    def _product_year(self, code: str, unit: str) -> Fraction:
        """A product's amount over the year, by its forecast where the year isn't over. Refused where none is known."""
        product = self._enterprise.products.get(code)
        if product is None:
            raise Refused(f"{self._enterprise.uscc} has no product {code!r} any more: state the year anew")
        year = self.year
        last = max(year.past_end, year.first_day + 1)
        these = [self._range(day, day + 1) for day in range(year.before_day, last)]
        found = product_sums(self._session, self._enterprise, product, these, self._run)
        scale = conversion(product.versions[-1].value.unit, unit)
        # Counted in thousandths of the unit: a forecast answers whole ones.
        days = [
            round(found[number].amount * scale * 1000) if number in found and found[number].known else None
            for number in range(len(these))
        ]
        split = year.first_day - year.before_day
        told = forecast(
            days[split : split + year.past_end - year.first_day],
            year.end_day - year.first_day,
            _used(days[:split]),
        )
        if told is None:
            raise Refused(f"product {code}: nothing of it is known in {year.number}")
        return told.p50 / 1000

    # --- allowances

    def allowances(
        self,
        statement: QuotaStatement,
        whole: Forecast | None,
        balance_value: str | None,
        answer: dict[str, Any],
    ) -> int:
        """Fill in units or lines and tell the sum. Refused where something is lacking."""
        if statement.units:
            units = [self._unit(each) for each in statement.units]
            found = power_allowance(
                units, None if whole is None else _tonnes(whole.p50), statement.year, self.tables
            )
            answer["units"] = [_unit_json(each) for each in found.units]
            answer["floor_t"] = None if found.floor_t is None else str(found.floor_t)
            return found.allowance_t
        said = balance_value or statement.balance_value
        total = 0
        for line in statement.lines:
            emissions = self._emissions(line)
            if emissions is None:
                if whole is None or len(statement.lines) > 1:
                    raise Refused(f"line {line.id}: give emissions_t or sources")
                emissions = _tonnes(whole.p50)
            output = None if line.output is None else self._figure(line.output, "t")
            allowance = intensity_allowance(
                statement.sector,
                statement.year,
                emissions,
                output,
                None if said is None else Fraction(said),
                self.tables,
            )
            answer["lines"].append(_line_json(line.id, emissions, output, said, allowance))
            total += allowance.allowance_t
        return total

    def _unit(self, given: UnitStatement) -> PowerUnit:
        return PowerUnit(
            given.id,
            given.unit_class,
            self._figure(given.electricity, "MWh"),
            Fraction(0) if given.heat is None else self._figure(given.heat, "GJ"),
            None if given.load is None else Fraction(given.load),
            None if given.correction is None else Fraction(given.correction),
            self._emissions(given),
        )

    def _figure(self, given: Figure, unit: str) -> Fraction:
        if given.amount is not None:
            return Fraction(given.amount)
        assert given.product is not None
        return self._product_year(given.product, unit)

    def _emissions(self, given: UnitStatement | LineStatement) -> Fraction | None:
        if given.emissions_t is not None:
            return Fraction(given.emissions_t)
        if given.sources is None:
            return None
        found = self.forecast_of(given.sources)
        if found is None:
            raise Refused(f"{given.id}: nothing of {', '.join(given.sources)} is known in the ETS boundary")
        return _tonnes(found.p50)


def _used(days: Sequence[int | None]) -> Sequence[int | None]:
    """A year of which nothing is known is none to follow."""
    return days if any(each is not None for each in days) else []


def _tonnes(mg: Fraction) -> Fraction:
    return mg / MG_PER_TONNE


def _mg_text(cell: Sum) -> str | None:
    return decimal_text(cell.amount, -9) if cell.known else None


def _forecast_json(found: Forecast) -> dict[str, Any]:
    return {
        "emissions_t": {name: fraction_text(_tonnes(getattr(found, name))) for name in ("p10", "p50", "p90")},
        "way": found.way,
        "known_days": found.known_days,
        "days_left": found.days_left,
    }


def _mark(rule: Any) -> dict[str, str]:
    return {"status": rule.status, "source": rule.source, "confidence": rule.confidence}


def _unit_json(found: UnitAllowance) -> dict[str, Any]:
    marks = [_mark(found.electricity)]
    if _mark(found.heat) not in marks:
        marks.append(_mark(found.heat))
    return {
        "id": found.unit.id,
        "class": found.unit.unit_class,
        "electricity_mwh": fraction_text(found.unit.electricity_mwh),
        "heat_gj": fraction_text(found.unit.heat_gj),
        "load_factor": fraction_text(found.load_factor),
        "electricity_t": str(found.electricity_t),
        "heat_t": str(found.heat_t),
        "allowance_t": str(found.allowance_t),
        "raised": found.raised,
        "benchmark": fraction_text(found.electricity.value),
        "heat_benchmark": fraction_text(found.heat.value),
        "basis": found.electricity.basis,
        "marks": marks,
    }


def _line_json(
    id_: str, emissions: Fraction, output: Fraction | None, said: str | None, found: IntensityAllowance
) -> dict[str, Any]:
    return {
        "id": id_,
        "emissions_t": fraction_text(emissions),
        "output_t": None if output is None else fraction_text(output),
        "intensity": None if found.intensity is None else fraction_text(found.intensity),
        "balance_value": said,
        "deviation": None if found.deviation is None else fraction_text(found.deviation),
        "alpha": fraction_text(found.alpha),
        "allowance_t": str(found.allowance_t),
        "marks": [_mark(found.rule)],
    }


def _warning_json(
    statement: QuotaStatement,
    emissions: Fraction,
    allowance: Fraction,
    holdings: Fraction,
    today: date,
    its: QuotaTables,
) -> dict[str, Any]:
    found = warning(statement.sector, statement.year, emissions, allowance, holdings, today, its)
    return {
        "band": found.band,
        "share": None if found.share is None else fraction_text(found.share),
        "raised": found.raised,
        "days_to_surrender": found.days_to_surrender,
        "source": its.warning["source"],
        "confidence": its.warning["confidence"],
    }
