"""From an inventory document to emissions: each activity by its method, exact, with every fault at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from accounting.factors import electricity
from accounting.factors.inputs import Inputs, Location, in_unit, range_fault
from accounting.factors.load import FactorLibrary
from accounting.factors.resolved import Resolved, resolved
from accounting.factors.value import Origin, Value, fraction_text
from accounting.inventory.document import Activity, Document
from accounting.inventory.unplaced import Unplaced
from accounting.methods.data_file import Validity
from accounting.methods.method import Edition, Method
from domain.document_fields import suggestion
from domain.document_text import joined
from domain.errors import FactorNotFound, Fault, FaultyDocument
from domain.unit import UNITS, Form, NotConvertible, conversion


@dataclass(frozen=True, slots=True)
class Computed:
    """An activity and its emissions [tCO2e]; negative for a deduction.

    amount   in the unit of `found.linear`
    by_gas   in the order of the formula
    inputs   that the formula was applied to
    """

    activity: Activity
    found: Resolved
    inputs: Inputs
    amount: Fraction
    by_gas: tuple[tuple[str, Fraction], ...]
    boundaries: tuple[str, ...]

    @property
    def method(self) -> Method:
        return self.found.method

    @property
    def tco2e(self) -> Fraction:
        return sum((tco2e for _, tco2e in self.by_gas), Fraction(0))


@dataclass(frozen=True, slots=True)
class Inventory:
    """A computed inventory. `warnings`: what a reader should know of it, with places; nothing in it is refused."""

    industry: str
    edition: Edition
    first_day: date
    end_day: date
    enterprise: str | None
    factor_set: str
    wants_uncertainty: bool
    activities: tuple[Computed, ...]
    warnings: list[Fault] = field(default_factory=list)

    def total(self, boundary: str = "account") -> Fraction:
        return sum((each.tco2e for each in self.activities if boundary in each.boundaries), Fraction(0))

    def deductions(self) -> Fraction:
        return sum((each.tco2e for each in self.activities if each.method.deduction), Fraction(0))

    def by_scope(self) -> dict[str, Fraction]:
        result: dict[str, Fraction] = {}
        for each in self.activities:
            scope = str(each.method.scope)
            result[scope] = result.get(scope, Fraction(0)) + each.tco2e
        return dict(sorted(result.items()))

    def by_gas(self) -> dict[str, Fraction]:
        result: dict[str, Fraction] = {}
        for each in self.activities:
            for gas, tco2e in each.by_gas:
                result[gas] = result.get(gas, Fraction(0)) + tco2e
        return dict(sorted(result.items()))


def compute(document: Document, library: FactorLibrary) -> Inventory:
    """The emissions of a document; raises FaultyDocument with every fault of it."""
    return _Computer(document, library).inventory()


class _Computer:
    def __init__(self, document: Document, library: FactorLibrary) -> None:
        self.document, self.library = document, library
        self.methods, self.tables = library.methods, library.tables
        self.faults = list(document.faults)
        self.warnings: list[Fault] = []
        self.unplaced = Unplaced(self.methods, document.industry, document.edition)

    def inventory(self) -> Inventory:
        document = self.document
        edition = self.edition()
        location = self.location()
        computed: list[Computed] = []
        for activity in document.activities:
            each = self.activity(activity, edition, location)
            if each is not None:
                computed.append(each)
        if self.faults:
            raise FaultyDocument(self.faults)
        first, end, industry = document.first_day, document.end_day, document.industry
        if edition is None or industry is None or first is None or end is None:
            raise AssertionError("a document without faults is whole")
        return Inventory(
            industry, edition, first, end, document.enterprise, self.library.set_hash, document.wants_uncertainty,
            tuple(computed), self.about(edition, first, end, computed) + self.warnings,
        )  # fmt: skip

    # --- the document

    def edition(self) -> Edition | None:
        """The edition asked for, else the industry's own guideline."""
        industry, code = self.document.industry, self.document.edition
        if industry is None or industry not in self.methods.industries:
            if industry is not None:
                message = f"industry {industry!r} is unknown{suggestion(industry, self.methods.industries)}"
                self.faults.append(Fault("industry", message))
            known = list(dict.fromkeys(each for _, each in self.methods.by_edition))
            if code is not None and code not in known:
                message = f"edition {code!r} is unknown{suggestion(code, known)}"
                self.faults.append(Fault("edition", message))
            return None
        fault = self.methods.edition_fault(industry, code)
        if fault:
            self.faults.append(Fault("edition", fault))
            return None
        return self.methods.editions[code or self.methods.own_edition(industry)]

    def location(self) -> Location:
        """Where electricity is from: the grid named, the province of the district, else the nation's average."""
        grid, district = self.document.grid, self.document.district
        faults: list[Fault] = []
        fault = None if grid is None else electricity.basis_fault(self.tables, grid)
        if fault:
            faults.append(Fault("grid", fault))
        elif grid in ("province", "region") and district is None:
            faults.append(Fault("district", f"is required where grid is {grid!r}"))
        if district is not None and self.tables.areas.get(f"{district[:2]}0000") != "province":
            faults.append(Fault("district", f"{district!r} lies in no province"))
        self.faults += faults
        if faults or self.document.end_day is None:
            return Location("national", None, None)
        basis = grid or ("province" if district else "national")
        return Location(basis, district, self.document.end_day - timedelta(days=1))

    def about(self, edition: Edition, first: date, end: date, computed: list[Computed]) -> list[Fault]:
        """What there is to know of the document as a whole."""
        found: list[Fault] = []
        period = Validity(first, end - timedelta(days=1))
        years = edition.data_years
        if not (years.holds(first) and years.holds(end - timedelta(days=1))):
            message = f"{period} is not within the data years of {edition.code} ({years})"
            found.append(Fault("period", message))
        from_grid = [value for each in computed for value in each.found.values if value.area is not None]
        if from_grid and self.document.grid is None and self.document.district is None:
            found.append(
                Fault("", "no district or grid is named: electricity has the national average factor")
            )
        if from_grid and first.year != (end - timedelta(days=1)).year:
            message = f"{period} has several emission years: electricity has the factor of its last day's"
            found.append(Fault("period", message))
        return found

    # --- an activity

    def activity(self, given: Activity, edition: Edition | None, location: Location) -> Computed | None:
        faults = list(given.faults)
        method = self.method(given, edition, faults)
        computed = None
        if method is not None:
            computed = self.computed(given, method, location, faults)
        else:
            faults += self.faults_without_method(given, edition, location)
        self.faults += faults
        return None if faults else computed

    def faults_without_method(
        self, given: Activity, edition: Edition | None, location: Location
    ) -> list[Fault]:
        """What is wrong whatever it is: where the source is unknown, or the industry or edition of the document."""

        def tried(method: Method) -> list[Fault]:
            faults = list(given.faults)
            self.computed(given, method, location, faults)
            return faults[len(given.faults) :]

        if edition is None:
            return self.unplaced.faults(given, tried)
        return self.unplaced.faults_of_parameters(given)

    def method(self, given: Activity, edition: Edition | None, faults: list[Fault]) -> Method | None:
        if given.unit is not None and (given.unit not in UNITS or UNITS[given.unit].form is not Form.AMOUNT):
            amounts = [unit.code for unit in UNITS.values() if unit.form is Form.AMOUNT]
            message = f"{given.unit!r} is no unit of an amount{suggestion(given.unit, amounts)}"
            faults.append(Fault(joined(given.place, "unit"), message))
        industry = self.document.industry
        if edition is None or given.source is None or industry is None:
            return None
        known = self.methods.by_edition[industry, edition.code]
        if given.source not in known:
            message = f"{given.source!r} is no source of {industry} under {edition.code}"
            faults.append(
                Fault(joined(given.place, "source"), message + suggestion(given.source, list(known)))
            )
            return None
        return known[given.source]

    def computed(
        self, given: Activity, method: Method, location: Location, faults: list[Fault]
    ) -> Computed | None:
        amounts = {
            name: each.parameter for name, each in given.parameters.items() if each.parameter is not None
        }
        unit = given.unit if given.unit in UNITS else ""
        inputs = Inputs(
            self.tables, self.methods, method, given.fuel, given.material, amounts, location, unit or ""
        )
        told = {fault.place for fault in given.faults}  # what can't be read isn't missing too
        unreadable = [name for name, each in given.parameters.items() if each.parameter is None]
        for name in unreadable + [name for name in ("fuel", "material") if joined(given.place, name) in told]:
            inputs.leave_out(name)
        inputs.check_names()
        self.check_parameters(given, inputs, faults)
        for name in given.uncertainty:
            if name != "amount" and name not in method.parameters:
                known = ["amount", *method.parameters]
                message = f"is no input of {method.code}{suggestion(name, known)}"
                faults.append(Fault(joined(f"{given.place}.uncertainty", name), message))
        try:
            found = resolved(inputs, unit or method.units[0])
        except FactorNotFound as error:
            found = None
            if inputs.faults:
                self.check_unit(given, method, faults)
            elif unit:
                faults.append(Fault(joined(given.place, "unit"), str(error)))
        places = [(f"{given.place}.{each.field}", each.text) for each in inputs.faults]
        faults += [Fault(place, text) for place, text in places if place not in told]
        if found is None or given.amount is None or faults:
            return None
        amount = given.amount * found.amount_per_unit
        for part in found.linear.parts:
            if part.taken_off and part.tco2e(amount) < 0:
                taken_off = self.shown(given, part.taken_off)
                message = f"{taken_off} more than the amount ({fraction_text(given.amount)} {given.unit})"
                field = f"parameters.{part.taken_off}" if part.taken_off in method.parameters else "amount"
                faults.append(Fault(f"{given.place}.{field}", message))
        boundaries = tuple(
            boundary
            for boundary in method.boundaries
            if location.day is not None and method.counts_for(boundary, location.day)
        )
        by_gas = tuple((part.gas, found.sign * part.tco2e(amount)) for part in found.linear.parts)
        result = Computed(given, found, inputs, amount, by_gas, boundaries)
        self.warn(result)
        return result

    @staticmethod
    def shown(given: Activity, name: str) -> str:
        if name in given.parameters:
            return f"{name} ({given.parameters[name].text}) is"
        return f"{name} is"

    def check_parameters(self, given: Activity, inputs: Inputs, faults: list[Fault]) -> None:
        """Names that the method doesn't have, and values out of range, those too that the formula doesn't ask for."""
        method = inputs.method
        for name, each in given.parameters.items():
            spec = method.parameters.get(name)
            if spec is None:
                message = f"is no parameter of {method.code}{suggestion(name, list(method.parameters))}"
                faults.append(Fault(joined(f"{given.place}.parameters", name), message))
            elif each.parameter is not None:
                try:
                    value, unit = in_unit(each.parameter, spec, self.methods.parameter_units, inputs.unit)
                    fault = range_fault(name, value, unit)
                except FactorNotFound as error:
                    fault = str(error)
                if fault:
                    inputs.fault(name, fault)

    def check_unit(self, given: Activity, method: Method, faults: list[Fault]) -> None:
        """Where the form isn't known for other faults: whether the unit can be one of the method's at all."""
        if given.unit not in UNITS:
            return
        reasons: list[str] = []
        for unit in method.units:
            try:
                conversion(given.unit, unit)
                return
            except NotConvertible as error:
                reasons.append(str(error))
        if "density" not in given.parameters:
            faults.append(Fault(joined(given.place, "unit"), reasons[0]))

    # --- warnings

    def warn(self, computed: Computed) -> None:
        activity, found = computed.activity, computed.found

        def note(message: str, field: str = "") -> None:
            self.warnings.append(Fault(f"{activity.place}.{field}" if field else activity.place, message))

        if found.method.confidence == "L":
            note(f"{found.method.code} itself is of confidence L in {found.method.edition}")
        for mark in ("M", "L"):
            names = [
                value.name
                for value in found.values
                if value.confidence == mark and value.origin != Origin.GIVEN
            ]
            if names:
                note(f"default{'s' * (len(names) > 1)} of confidence {mark}: {', '.join(names)}")
        for value in found.values:
            if value.provisional:
                note(f"{value.name} is provisional: that of {value.year} until its own year's is published")
            if value.name in activity.parameters:
                self.check_plausible(value, note)
        for text in found.passed_over:
            note(text)
        used = {value.name for value in found.values}
        for name in activity.parameters:
            if name not in used:
                note("is given and not used: other values stand in its place", f"parameters.{name}")
        if activity.uncertainty and not self.document.wants_uncertainty:
            note("is given and not used: the document doesn't ask for it", "uncertainty")
        if computed.tco2e * found.sign < 0:
            note("is below zero before the sign of its source; nothing is cut off")

    def check_plausible(self, value: Value, note: Callable[[str, str], None]) -> None:
        """A given value outside what tables of that figure hold."""
        for each in self.methods.parameter_units:
            if (each.parameter, each.unit) != (value.name, value.unit):
                continue
            low = each.lower is not None and value.value < each.lower
            high = each.upper is not None and value.value > each.upper
            if low or high:
                bounds = "..".join(
                    "" if bound is None else fraction_text(bound) for bound in (each.lower, each.upper)
                )
                message = f"{value.text} {value.unit} is outside {bounds}: is it in another unit?"
                note(message, f"parameters.{value.name}")
