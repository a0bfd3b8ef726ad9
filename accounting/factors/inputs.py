"""The inputs of a formula, each from the first place that has it, with a record of what was chosen and how.

A registered parameter stands before every default. Of several of one name the latest begun stands; of those
that begin on the same day the better on the ladder: measured, contract, anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from accounting.factors import electricity
from accounting.factors.tables import FactorTables, Figure
from accounting.factors.value import Origin, Value, fraction_text, from_figure, rank
from accounting.methods.load import Methods
from accounting.methods.method import Method, ParameterSpec, ParameterUnit, Place
from domain.errors import FactorNotFound
from domain.interval import EPOCH_DATE
from domain.registry import Parameter
from domain.unit import NotConvertible, conversion


def in_force(parameters: Iterable[Parameter], day: int | None) -> dict[str, Parameter]:
    """The parameters that stand on a day, by name; with None all that ever begin, the last of each."""
    result: dict[str, Parameter] = {}
    for each in parameters:
        if day is not None and each.from_day is not None and each.from_day > day:
            continue
        other = result.get(each.name)
        if other is None or _precedence(each) > _precedence(other):
            result[each.name] = each
    return result


def _precedence(parameter: Parameter) -> tuple[bool, int, int]:
    return (parameter.from_day is not None, parameter.from_day or 0, -rank(parameter))


def in_unit(
    parameter: Parameter, spec: ParameterSpec, units: Sequence[ParameterUnit]
) -> tuple[Fraction, str]:
    """A registered value in one of the method's units; raises FactorNotFound where its unit can't be one.

    Without a unit the value is in the first of the method's.
    """
    if parameter.unit is None or parameter.unit in spec.units:
        return parameter.value, parameter.unit or spec.units[0]
    for each in units:
        if each.parameter == spec.name and each.base in spec.units and each.unit == parameter.unit:
            return parameter.value * each.factor, each.base
    known = [each.unit for each in units if each.parameter == spec.name and each.base in spec.units]
    raise FactorNotFound(
        f"{spec.name} in {parameter.unit!r}: expected one of {', '.join(dict.fromkeys(known))}"
    )


def range_fault(name: str, value: Fraction, unit: str) -> str | None:
    """Why a registered value can't be one of its kind, or None."""
    if value < 0:
        return f"{name} ({fraction_text(value)} {unit}) must not be negative"
    upper = {"fraction": 1, "percent": 100}.get(unit)
    if upper is not None and value > upper:
        return f"{name} ({fraction_text(value)}) must be within 0..{upper}"
    return None


@dataclass(frozen=True, slots=True)
class Location:
    """Where an enterprise's electricity factor is looked up."""

    basis: str
    district: str | None
    day: date | None  # None: only whether a lookup makes sense


@dataclass(slots=True)
class Inputs:
    """What a formula asks for, for one method on one day.

    A value that can't be had is noted in `missing`, and 1 stands in for it, so that all of them are told at once:
    whoever uses the formula's result looks at `missing` first.
    """

    tables: FactorTables
    methods: Methods
    method: Method
    fuel: str | None
    material: str | None
    given: Mapping[str, Parameter]
    location: Location
    used: list[Value] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def is_given(self, name: str) -> bool:
        return name in self.given

    def value(self, name: str) -> Value:
        """The value of a parameter, recorded as used, or as missing where none is in force."""
        spec = self.method.parameters[name]
        try:
            value = self._registered(spec) or self._default(spec)
        except FactorNotFound as error:
            self.missing.append(str(error))
            return Value(name, Fraction(1), spec.units[0], "1", Origin.GIVEN, None)
        self.used.append(value)
        return value

    def convert(self, unit: str, amount_unit: str) -> Fraction:
        """Amount units a unit of consumption holds; by the parameter `density` between mass and volume."""
        try:
            return conversion(unit, amount_unit)
        except NotConvertible as error:
            if "density" not in self.given or "density" not in self.method.parameters:
                raise FactorNotFound(
                    f"{error}" + (", given as the parameter density" if "density" in f"{error}" else "")
                ) from error
        density = self.value("density")
        if self.missing:
            raise FactorNotFound("; ".join(self.missing))
        try:
            if amount_unit == "t":
                return conversion(unit, density.amount_unit) * density.value
            return conversion(unit, "t") / density.value * conversion(density.amount_unit, amount_unit)
        except (NotConvertible, ZeroDivisionError) as error:
            raise FactorNotFound(
                f"{unit} can't be converted to {amount_unit} by a density in {density.unit}"
            ) from error

    def _registered(self, spec: ParameterSpec) -> Value | None:
        parameter = self.given.get(spec.name)
        if parameter is None:
            return None
        value, unit = in_unit(parameter, spec, self.methods.parameter_units)
        fault = range_fault(spec.name, value, unit)
        if fault:
            raise FactorNotFound(fault)
        note = (
            ""
            if parameter.unit in (None, unit)
            else f"registered as {fraction_text(parameter.value)} {parameter.unit}"
        )
        valid_from = None if parameter.from_day is None else EPOCH_DATE + timedelta(days=parameter.from_day)
        return Value(
            spec.name, value, unit, fraction_text(value), parameter.origin or Origin.GIVEN, parameter.reference,
            valid_from=valid_from, note=note,
        )  # fmt: skip

    def _default(self, spec: ParameterSpec) -> Value:
        match spec.place:
            case Place.FIXED:
                assert spec.default is not None
                return Value(
                    spec.name, spec.default, spec.units[0], fraction_text(spec.default), Origin.GUIDELINE_DEFAULT,
                    f"clause {self.method.clause}", self.method.edition, self.method.confidence,
                )  # fmt: skip
            case Place.TABLE:
                found = self._process(spec.name, self.method.table_edition)
                if found is not None:
                    return from_figure(spec.name, found, Origin.GUIDELINE_DEFAULT)
            case Place.FUEL:
                value = self._fuel(spec.name)
                if value is not None:
                    return value
            case Place.GRID:
                return self._grid(spec)
            case Place.HEAT:
                return self._heat(spec)
            case _:
                pass
        raise FactorNotFound(self._missing(spec))

    def _process(self, parameter: str, edition: str) -> Figure | None:
        """The process factor of the material, of all materials, or of the method's default material."""
        table, industry, code = self.tables.process, self.method.industry, self.method.code
        known = {key[3] for key in table if key[:3] == (edition, industry, code) and key[3]}
        materials = [] if self.material is None else [self.material]
        materials.append("")
        if self.material is None or self.material in known:
            materials += self.method.default_materials
        for material in materials:
            found = table.get((edition, industry, code, material, parameter))
            if found is not None:
                return found.figure
        found = table.get((edition, industry, "", "", parameter))
        return found.figure if found is not None else None

    def _fuel(self, parameter: str) -> Value | None:
        """A fuel's value: of the fuel in the edition's table, of its class, then of the industry's own guideline."""
        if self.fuel is None:
            return None
        method, own = self.method, self.methods.own_edition(self.method.industry)
        found = self._fuel_figure(parameter, method.edition, method.table_edition)
        if found is not None:
            return from_figure(parameter, found, Origin.GUIDELINE_DEFAULT)
        if self.methods.editions[method.edition].fuels_fallback:
            found = self._fuel_figure(parameter, own, own)
            if found is not None:
                self.passed_over.append(
                    f"{parameter} of {self.fuel} under {method.edition}: its table has none"
                )
                return from_figure(parameter, found, Origin.EARLIER_EDITION)
        return None

    def _fuel_figure(self, parameter: str, edition: str, process_edition: str) -> Figure | None:
        assert self.fuel is not None
        industry, code = self.method.industry, self.method.code
        for owner in (industry, "general"):
            fuel = self.tables.fuels.get((edition, owner, self.fuel))
            if fuel is not None and parameter in fuel.values:
                return fuel.values[parameter]
        fuel_class = self.tables.fuel_classes.get(self.fuel, "")
        for material in (
            self.fuel,
            fuel_class,
            "coal" if fuel_class == "unconventional_coal" else fuel_class,
        ):
            found = self.tables.process.get((process_edition, industry, code, material, parameter))
            if found is not None:
                return found.figure
        return None

    def known_fuels(self) -> list[str]:
        """Fuels that the tables of the method's edition list for its industry."""
        if self.method.fuels:
            return list(self.method.fuels)
        editions = {self.method.edition}
        if self.methods.editions[self.method.edition].fuels_fallback:
            editions.add(self.methods.own_edition(self.method.industry))
        owners = (self.method.industry, "general")
        return sorted(
            {code for edition, owner, code in self.tables.fuels if edition in editions and owner in owners}
        )

    def known_materials(self) -> list[str]:
        start = (self.method.table_edition, self.method.industry, self.method.code)
        return sorted({key[3] for key in self.tables.process if key[:3] == start and key[3]})

    def _grid(self, spec: ParameterSpec) -> Value:
        if self.location.day is None:
            fault = electricity.basis_fault(self.tables, self.location.basis)
            if fault:
                raise FactorNotFound(fault)
            return Value(spec.name, Fraction(1), spec.units[0], "1", Origin.PUBLISHED, None)
        choice = electricity.choose(
            self.tables, self.location.basis, self.location.district, self.location.day
        )
        self.passed_over += choice.passed_over
        return choice.value

    def _heat(self, spec: ParameterSpec) -> Value:
        for each in self.tables.heat:
            if self.location.day is None or each.validity.holds(self.location.day):
                return from_figure(spec.name, each.figure, Origin.GUIDELINE_DEFAULT, each.validity)
        raise FactorNotFound(f"no heat factor is in force on {self.location.day}; give emission_factor")

    def _missing(self, spec: ParameterSpec) -> str:
        method = self.method
        under = f"{method.industry} under {method.edition}"
        if spec.place is Place.FUEL:
            known = self.known_fuels()
            names = [each.name for each in method.parameters.values() if each.place is Place.FUEL]
            instead = f"known of {under} are {', '.join(known)}; any other needs {', '.join(names)}"
            if self.fuel is None:
                return f"no fuel is named; {instead}"
            if self.fuel not in known and self.fuel not in self.tables.fuel_classes:
                return f"fuel {self.fuel!r} is in no table; {instead}"
            return f"{spec.name} of {self.fuel} has no default for {under}; give it as a parameter"
        if spec.place is Place.TABLE:
            known = self.known_materials()
            named = f"material {self.material!r} is in no table" if self.material else "no material is named"
            return f"{spec.name} is missing: {named}; known of {method.code} are {', '.join(known)}"
        return (
            f"{spec.name} is required by {method.code} of {under} and has no default; give it as a parameter"
        )
