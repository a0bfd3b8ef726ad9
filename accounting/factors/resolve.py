"""The emission factor of a source on a day: milligrams of CO2e a unit of consumption, exact, and why.

Asked once a range of days: every answer says from which day until which it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

from accounting.factors import electricity
from accounting.factors.inputs import Inputs, Location, in_force
from accounting.factors.metered import absolute_fault
from accounting.factors.resolved import resolved
from accounting.factors.substitution import description as substitution_description
from accounting.factors.substitution import (
    month_ends,
    of_the_month,
    substituted,
)
from accounting.factors.tables import FactorTables, SubstitutionRule
from accounting.factors.value import fraction_text
from accounting.factors.wanted import Wanted, with_what_is_registered
from accounting.methods.load import BOUNDARIES, Methods
from accounting.methods.method import Method, Place, Role
from domain.errors import FactorNotFound
from domain.interval import EPOCH_DATE, Calendar
from domain.registry import Enterprise, Parameter, Source, SourceVersion, dated_value

MG_PER_TONNE = 1_000_000_000
DEFAULT_GRID = "province"
CACHE_SIZE_MAX = 20_000  # answers; a city of a thousand enterprises over ten years has about as many


@dataclass(frozen=True, slots=True)
class SourceFactor:
    """What one unit of a source's consumption emits of one gas, on the local days [from_day, until_day).

    mg_per_unit  mg CO2e a `unit`, exact, negative for deductions
    place        of the gas among those of the method, from 0
    description  JSON: formula, clause, edition, factors with value, unit, origin, reference …; equal factors
                 have equal descriptions
    """

    mg_per_unit: Fraction
    unit: str
    gas: str
    scope: int
    boundaries: tuple[str, ...]
    deduction: bool
    provisional: bool
    description: dict[str, Any] = field(hash=False)
    place: int = 0
    is_substituted: bool = False  # by a rule of parameters: what is counted by it is an estimate
    from_day: int | None = None  # None: since ever
    until_day: int | None = None  # None: open


@dataclass(frozen=True, slots=True)
class _Answer:
    from_day: int | None
    until_day: int | None
    factors: tuple[SourceFactor, ...]
    refusal: str | None
    wanted: tuple[Wanted, ...] = ()

    def holds(self, day: int) -> bool:
        return (self.from_day is None or self.from_day <= day) and (
            self.until_day is None or day < self.until_day
        )


class FactorLibrary:
    """The factor tables and methods of one set, and the factors of sources chosen from them."""

    def __init__(self, tables: FactorTables, methods: Methods) -> None:
        self.tables = tables
        self.methods = methods
        self.set_hash = tables.set_hash
        self._grid_days = {(day - EPOCH_DATE).days for day in electricity.change_days(tables)}
        self._heat_days = _days(each.validity.first for each in tables.heat) | _days(
            (each.validity.last for each in tables.heat), after=True
        )
        self._answers: dict[Any, list[_Answer]] = {}
        self._answers_size = 0

    # --- factors

    def source_factors(
        self, enterprise: Enterprise, source: Source, unit: str, day: int, calendar: Calendar
    ) -> tuple[SourceFactor, ...]:
        """The factors on a local day, one for each gas and edition in force; editions have disjoint boundaries.

        Without an edition of its own an enterprise is counted by its industry's guideline for `account` and by
        the market's of the date for `ets`. Raises FactorNotFound where none can be given.
        """
        answer = self._answer_of(enterprise, source, unit, day, calendar)
        if answer.refusal is not None:
            raise FactorNotFound(answer.refusal, answer.wanted)
        return answer.factors

    def wanting(
        self, enterprise: Enterprise, source: Source, unit: str, day: int, calendar: Calendar
    ) -> tuple[tuple[Wanted, ...], int | None]:
        """The figures that are missing on a local day, each with its boundaries, and the day until which it is so.

        Nothing is missing of a boundary that the source doesn't count for.
        """
        answer = self._answer_of(enterprise, source, unit, day, calendar)
        if all(each.year is None for each in answer.wanted):
            return answer.wanted, answer.until_day
        year = calendar.date(day).year  # an answer may hold for years
        ends = (date(year + 1, 1, 1) - EPOCH_DATE).days
        until = ends if answer.until_day is None else min(ends, answer.until_day)
        return tuple(each if each.year is None else replace(each, year=year) for each in answer.wanted), until

    def _answer_of(
        self, enterprise: Enterprise, source: Source, unit: str, day: int, calendar: Calendar
    ) -> _Answer:
        key = (
            enterprise.industry, enterprise.editions, enterprise.grid, enterprise.districts,
            source.versions, source.parameters, unit,
        )  # fmt: skip
        answers = self._answers.get(key, [])
        answer = next((each for each in answers if each.holds(day)), None)
        if answer is None:
            answer = self._answer(enterprise, source, unit, day, calendar)
            if self._answers_size >= CACHE_SIZE_MAX:
                self._answers, self._answers_size = {}, 0
            self._answers.setdefault(key, []).append(answer)
            self._answers_size += 1
        return answer

    def _answer(
        self, enterprise: Enterprise, source: Source, unit: str, day: int, calendar: Calendar
    ) -> _Answer:
        version = dated_value(source.versions, day)
        local = calendar.date(day)
        editions = self._editions(enterprise, day, local)
        from_day, until_day = self._range(enterprise, source, version, day, calendar)
        if version is None:
            return _Answer(
                from_day, until_day, (), f"source {source.code!r} of {enterprise.uscc} has not begun yet"
            )
        refusals: list[str] = []
        factors: list[SourceFactor] = []
        wanted: list[Wanted] = []
        for boundaries, method in self._methods_by_boundary(
            enterprise.industry, version.method, editions, local
        ):
            location = Location(
                dated_value(enterprise.grid, day) or DEFAULT_GRID,
                dated_value(enterprise.districts, day),
                local,
            )
            try:
                factors += [
                    replace(factor, from_day=from_day, until_day=until_day)
                    for factor in self._by_gas(
                        method, version, source.parameters, location, unit, boundaries, day, calendar
                    )
                ]
            except FactorNotFound as error:
                refusals.append(f"{' and '.join(boundaries)} under {method.edition}: {error}")
                missing = error.wanted or (
                    Wanted(None, str(error), "mend the source", edition=method.edition),
                )
                wanted += [
                    with_what_is_registered(replace(each, boundaries=boundaries), source.parameters, day)
                    for each in missing
                ]
        if not factors:
            why = "; ".join(refusals) or self._unknown_method(enterprise.industry, version.method, editions)
            refusal = f"source {source.code!r} of {enterprise.uscc}: {why}"
            if not wanted:
                do = "give the source another method, or the enterprise an edition that has it"
                wanted.append(Wanted(None, why, do, boundaries=BOUNDARIES))
            return _Answer(from_day, until_day, (), refusal, tuple(wanted))
        if refusals:
            factors[0].description["passed_over"] += refusals
        return _Answer(from_day, until_day, tuple(factors), None, tuple(wanted))

    def _editions(self, enterprise: Enterprise, day: int, local: date) -> dict[str, str]:
        """The edition of each boundary on a day."""
        own = dated_value(enterprise.editions, day)
        if own is not None:
            return {"account": own, "ets": own}
        guideline = self.methods.own_edition(enterprise.industry)
        return {
            "account": guideline,
            "ets": self.methods.market_edition(enterprise.industry, local) or guideline,
        }

    def _methods_by_boundary(
        self, industry: str, code: str, editions: dict[str, str], local: date
    ) -> list[tuple[tuple[str, ...], Method]]:
        """(boundaries, method) of each edition that has the source, the account's first."""
        account = self.methods.by_edition.get((industry, editions["account"]), {}).get(code)
        market = self.methods.by_edition.get((industry, editions["ets"]), {}).get(code)
        result: list[tuple[tuple[str, ...], Method]] = []
        if account is not None:
            apart = editions["ets"] != editions["account"]
            marked = [each for each in account.boundaries if account.counts_for(each, local)]
            boundaries = tuple(each for each in marked if not (apart and each == "ets"))
            if boundaries:
                result.append((boundaries, account))
            if not apart:
                return result
        if market is not None and market.counts_for("ets", local):
            result.append((("ets",), market))
        return result

    def _unknown_method(self, industry: str, code: str, editions: dict[str, str]) -> str:
        known = self.methods.by_edition.get((industry, editions["account"]), {})
        return (
            f"method {code!r} is none of {industry} under {editions['account']}; known are {', '.join(known)}"
        )

    def _range(
        self,
        enterprise: Enterprise,
        source: Source,
        version: SourceVersion | None,
        day: int,
        calendar: Calendar,
    ) -> tuple[int | None, int | None]:
        """Days around `day` between which nothing changes that a factor depends on."""
        histories: list[Sequence[Any]] = [
            source.versions, source.parameters, enterprise.editions, enterprise.grid, enterprise.districts,
        ]  # fmt: skip
        days = {each.from_day for history in histories for each in history if each.from_day is not None}
        places: set[Place] = set()
        for (industry, code), methods in self.methods.by_edition.items():
            if industry != enterprise.industry:
                continue
            edition = self.methods.editions[code]
            if edition.role is Role.MARKET:
                days |= _days([edition.data_years.first]) | _days([edition.data_years.last], after=True)
            method = methods.get(version.method) if version is not None else None
            if method is not None:
                days |= _days([method.ets_until])
                places |= {spec.place for spec in method.parameters.values()}
        if version is not None and (rule := self.tables.substitutions.get(version.substitution or "")):
            days |= month_ends(source.parameters, rule.parameters(self.class_of(version.fuel)), calendar)
        if Place.GRID in places:
            days |= self._grid_days
        if Place.HEAT in places:
            days |= self._heat_days
        before = [each for each in days if each <= day]
        after = [each for each in days if each > day]
        return max(before, default=None), min(after, default=None)

    def class_of(self, fuel: str | None) -> str:
        """coal, oil, gas …: what substitution rules tell fuels apart by."""
        return self.tables.fuel_classes.get(fuel or "", "")

    def _by_gas(
        self,
        method: Method,
        version: SourceVersion,
        parameters: Sequence[Parameter],
        location: Location,
        unit: str,
        boundaries: tuple[str, ...],
        day: int,
        calendar: Calendar,
    ) -> tuple[SourceFactor, ...]:
        """The factors of a day, one a gas, with what the substitution rule puts in the place of parameters."""

        def factors(given: Mapping[str, Parameter]) -> tuple[SourceFactor, ...]:
            inputs = Inputs(
                self.tables,
                self.methods,
                method,
                version.fuel,
                version.material,
                given,
                location,
                unit,
                metered=True,
            )
            return self.resolved(inputs, unit, boundaries)

        rule: SubstitutionRule | None = self.tables.substitutions.get(version.substitution or "")
        earlier = in_force(parameters, day)
        fuel_class = self.class_of(version.fuel)
        if rule is None or not rule.parameters(fuel_class):
            return factors(earlier)
        valid = of_the_month(parameters, rule.parameters(fuel_class), day, calendar)
        given, lacking = substituted(rule, method.edition, fuel_class, in_force(valid, day))
        result = factors(given)
        if not lacking:
            return result
        before: tuple[SourceFactor, ...] = ()
        if any(name in earlier for name in lacking):
            with suppress(FactorNotFound):  # of several values lacking, some may have none before either
                before = factors(earlier)
        for place, each in enumerate(result):
            each.description["substitution"] = substitution_description(
                rule,
                method.edition,
                fuel_class,
                lacking,
                earlier,
                before[place].mg_per_unit if before else None,
            )
        return tuple(replace(each, is_substituted=True) for each in result)

    def resolved(self, inputs: Inputs, unit: str, boundaries: tuple[str, ...]) -> tuple[SourceFactor, ...]:
        """The factors of a formula's inputs, one a gas; raises FactorNotFound, saying all that is missing or wrong."""
        found = resolved(inputs, unit)
        method = found.method
        if found.linear.has_offset:
            names = [
                value.name
                for value in found.values
                if method.parameters[value.name].is_amount and value.value != 0
            ]
            raise FactorNotFound(absolute_fault(method.code, method.kind, names))
        result = []
        for place, part in enumerate(found.linear.parts):
            tco2e_per_amount = found.sign * part.tco2e_per_amount
            mg_per_unit = tco2e_per_amount * found.amount_per_unit * MG_PER_TONNE
            description = found.description() | {
                "document": self.methods.editions[method.edition].document,
                "gas": part.gas,
                "boundaries": list(boundaries),
                "tco2e_per_amount": fraction_text(tco2e_per_amount),
                "mg_per_unit": fraction_text(mg_per_unit),
                "substitution": None,
            }
            result.append(
                SourceFactor(
                    mg_per_unit,
                    unit,
                    part.gas,
                    method.scope,
                    boundaries,
                    method.deduction,
                    found.provisional,
                    description,
                    place,
                )
            )
        return tuple(result)


def _days(days: Iterable[date | None], *, after: bool = False) -> set[int]:
    """Day numbers of dates, or of the days after them; open ends are none."""
    return {(day - EPOCH_DATE).days + after for day in days if day is not None}
