"""The inputs of a formula, each from the first place that has it, with a record of what was chosen and how.

A given parameter stands before every default. Of several of one name the latest begun stands; of those
that begin on the same day the better on the ladder: measured, contract, anything else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction

from accounting.factors import electricity
from accounting.factors.tables import FactorTables, Figure
from accounting.factors.value import Origin, Value, fraction_text, from_figure, rank
from accounting.factors.wanted import Wanted
from accounting.methods.load import Methods
from accounting.methods.method import Method, ParameterSpec, ParameterUnit, Place
from domain.errors import FactorNotFound
from domain.interval import EPOCH_DATE
from domain.registry import Parameter
from domain.unit import UNITS, NotConvertible, conversion, convert

AMOUNT = "amount"  # the unit of a parameter that is an amount like the activity's own
# parts of a whole; of a tonne of one thing in a tonne of another there can't be more than one either
_UPPER = {"fraction": 1, "percent": 100, "tC/t": 1, "t/t": 1, "t/t feed gas": 1}
_NAMED_BY_CODE = ("alternative_fuel", "feedstock")  # kinds whose code may be given as fuel or as material


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
    parameter: Parameter, spec: ParameterSpec, units: Sequence[ParameterUnit], amount_unit: str = ""
) -> tuple[Fraction, str]:
    """A given value in one of the method's units; raises FactorNotFound where its unit can't be one.

    Without a unit the value is in that of the method's that is per the kind of amount, a calorific value of a gas
    per 10⁴ Nm³, and otherwise in the first; what is an amount like the activity's own is in `amount_unit`.
    """
    if spec.units == (AMOUNT,) and parameter.unit in (None, AMOUNT):
        return parameter.value, amount_unit or AMOUNT
    if parameter.unit is None:
        return parameter.value, _unit_per(spec, amount_unit)
    if parameter.unit in spec.units:
        return parameter.value, parameter.unit
    if spec.units == (AMOUNT,) and amount_unit:
        try:
            return convert(parameter.value, parameter.unit, amount_unit), amount_unit
        except NotConvertible as error:
            raise FactorNotFound(f"{spec.name}: {error}") from error
    for each in units:
        if each.parameter == spec.name and each.base in spec.units and each.unit == parameter.unit:
            return parameter.value * each.factor, each.base
    known = [each.unit for each in units if each.parameter == spec.name and each.base in spec.units]
    raise FactorNotFound(
        f"{spec.name} in {parameter.unit!r}: expected one of {', '.join(dict.fromkeys(known))}"
    )


def _unit_per(spec: ParameterSpec, amount_unit: str) -> str:
    amount = UNITS.get(amount_unit)
    if amount is not None:
        for unit in spec.units:
            per = UNITS.get(unit.partition("/")[2])
            if per is not None and per.dimension is amount.dimension:
                return unit
    return spec.units[0]


def range_fault(name: str, value: Fraction, unit: str) -> str | None:
    """Why a given value can't be one of its kind, or None."""
    if value < 0:
        return f"{name} ({fraction_text(value)} {unit}) must not be negative"
    upper = upper_of(unit)
    if upper is not None and value > upper:
        return f"{name} ({fraction_text(value)}) must be within 0..{upper}"
    return None


def upper_of(unit: str) -> int | None:
    """The most that a share of a whole can be in its unit; None for what is no share."""
    return _UPPER.get(unit)


@dataclass(frozen=True, slots=True)
class Location:
    """Where an enterprise's electricity factor is looked up."""

    basis: str
    district: str | None
    day: date | None  # None: only whether a lookup makes sense


@dataclass(frozen=True, slots=True)
class InputFault:
    """What is wrong with an input. `field` is fuel, material, unit or parameters.NAME; `parameter` that it is missing
    for."""

    field: str
    text: str
    parameter: str | None = dataclasses.field(default=None, compare=False)


@dataclass(slots=True)
class Inputs:
    """What a formula asks for, for one method on one day.

    A value that can't be had is noted in `faults`, and 1 stands in for it, so that all of them are told at once:
    whoever uses the formula's result looks at `faults` first.
    """

    tables: FactorTables
    methods: Methods
    method: Method
    fuel: str | None
    material: str | None
    given: Mapping[str, Parameter]
    location: Location
    unit: str = ""  # that the amount is in; "" where there is none yet
    metered: bool = False  # the amount is that of any interval of a meter, not of a whole period
    used: list[Value] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    faults: list[InputFault] = field(default_factory=list)
    wrong_names: set[str] = field(
        default_factory=set
    )  # fuel, material: told already, so nothing is told of them
    left_out: set[str] = field(default_factory=set)
    scale: Mapping[str, Fraction] = field(
        default_factory=dict
    )  # values are taken times this, to see what they do

    def __post_init__(self) -> None:
        if self.method.kind in _NAMED_BY_CODE and self.material is None:
            self.material = self.fuel

    # --- what formulas ask for

    def is_given(self, name: str) -> bool:
        return name in self.given or name in self.left_out

    def has(self, name: str) -> bool:
        """Whether a value can be had at all."""
        if name in self.given:
            return True
        try:
            self._default(self.method.parameters[name])
        except FactorNotFound:
            return False
        return True

    def number(self, name: str) -> Fraction:
        return self.value(name).value

    def value(self, name: str) -> Value:
        """The value of a parameter, recorded as used once, or as a fault where none can be had."""
        for value in self.used:
            if value.name == name:
                return value
        spec = self.method.parameters[name]
        if name in self.left_out or (name not in self.given and self._has_no_name(spec)):
            return self._stand_in(spec)
        try:
            value = self._given(spec) or self._default(spec)
        except FactorNotFound as error:
            self.fault(*self._place_of(spec, str(error)), parameter=spec.name)
            return self._stand_in(spec)
        if name in self.scale:
            value = replace(value, value=value.value * self.scale[name])
        self.used.append(value)
        return value

    def _has_no_name(self, spec: ParameterSpec) -> bool:
        """Whether its default would go by a fuel or material that is wrong, which is told already."""
        if spec.place is Place.FUEL:
            return ("fuel" if takes_fuel(self.method) else "material") in self.wrong_names
        if "material" not in self.wrong_names:
            return False
        by_gas = spec.place is Place.GWP and self.method.gases[0] in ("material", "byproduct")
        return (
            by_gas or spec.place is Place.FEED or (spec.place is Place.TABLE and self._is_by_material(spec))
        )

    @staticmethod
    def _stand_in(spec: ParameterSpec) -> Value:
        return Value(spec.name, Fraction(1), spec.units[0], "1", Origin.GIVEN, None)

    def leave_out(self, name: str) -> None:
        """A value, fuel or material is given that can't be read, which is told elsewhere: it is neither missing nor
        to be had."""
        (self.wrong_names if name in ("fuel", "material") else self.left_out).add(name)

    def fault(
        self, name: str, text: str, *, unless_missing: bool = False, parameter: str | None = None
    ) -> None:
        """Notes a fault of fuel, material, unit or a parameter.

        unless_missing  only where nothing else is wrong: the fault may come of what stands in
        """
        if unless_missing and (self.faults or self.left_out):
            return
        place = f"parameters.{name}" if name in self.method.parameters else name
        fault = InputFault(place, text, parameter)
        if fault not in self.faults:
            self.faults.append(fault)

    def check_shares(self) -> None:
        """Notes shares of one whole that add up to more than it, among the values that were used."""
        if not self.method.shares:
            return
        used = {value.name: value for value in self.used}
        for names in self.method.shares:
            shares = [used[name] for name in names if name in used]
            together = sum((value.value for value in shares), Fraction(0))
            if together > 1 and not any(value.value > 1 for value in shares):
                listed = " and ".join(f"{value.name} ({value.text})" for value in shares)
                given = [name for name in names if name in self.given]
                self.fault(
                    given[0] if given else names[0],
                    f"{listed} are shares of one whole and add up to {fraction_text(together)}, at most 1",
                )

    def check(self) -> None:
        """Raises FactorNotFound with every fault."""
        if self.faults:
            text = "; ".join(dict.fromkeys(fault.text for fault in self.faults))
            raise FactorNotFound(text, [self._wanted(fault) for fault in self.faults])

    def _wanted(self, fault: InputFault) -> Wanted:
        method, spec = self.method, self.method.parameters.get(fault.parameter or "")
        if spec is None:
            return Wanted(
                None, fault.text, f"mend {fault.field} of the source", edition=method.edition,
                fuel=self.fuel_code, material=self.material,
            )  # fmt: skip
        units = " or ".join(each for each in spec.units if each != AMOUNT)
        do = f"register the parameter {spec.name}{f' in {units}' if units else ''} for the source"
        area = year = None
        if self.location.day is not None and spec.place in (Place.GRID, Place.HEAT):
            year = self.location.day.year
        if spec.place is Place.GRID:
            area = electricity.area_of(self.location.basis, self.location.district)
            do += ", or name a grid for the enterprise that has a factor by then"
        return Wanted(
            spec.name, fault.text, do, spec.units[0], self.fuel_code if spec.place is Place.FUEL else None,
            self.material if spec.place in (Place.TABLE, Place.GWP, Place.FEED) else None, area, year, method.edition,
        )  # fmt: skip

    def unit_of(self, default: str) -> str:
        """The unit of the amount, for parameters that are amounts of the same kind."""
        return self.unit or default

    def gas(self) -> str:
        """The gas that the material names, by its code in the GWP tables."""
        gas = self.method.gases_of(self.material)[0]
        if not gas and "material" not in self.wrong_names:
            expected = "feed>by-product such as NF3>CF4" if self._feed() is not None else "a gas"
            named = "no material is named" if self.material is None else f"material {self.material!r}"
            self.fault("material", f"{named}: {self.method.code} needs {expected}")
        return gas

    @staticmethod
    def text(value: Fraction) -> str:
        return fraction_text(value)

    def convert(self, unit: str, amount_unit: str) -> Fraction:
        """Amount units a unit of consumption holds; by the parameter `density` between mass and volume."""
        try:
            return conversion(unit, amount_unit)
        except NotConvertible as error:
            spec = self.method.parameters.get("density")
            if spec is None or spec.place is not Place.OPTIONAL or "density" not in self.given:
                helps = "density" in f"{error}" and spec is not None
                hint = ", given as the parameter density" if helps else ""
                raise FactorNotFound(f"{error}{hint}") from error
        density = self.value("density")
        self.check()
        if not density.value:
            raise FactorNotFound("density (0) must be above 0")
        try:
            if amount_unit == "t":
                return conversion(unit, density.amount_unit) * density.value
            return conversion(unit, "t") / density.value * conversion(density.amount_unit, amount_unit)
        except NotConvertible as error:
            raise FactorNotFound(
                f"{unit} can't be converted to {amount_unit} by a density in {density.unit}"
            ) from error

    # --- names

    def check_names(self) -> None:
        """Notes a fuel or material that the method can't have."""
        method = self.method
        if self.fuel is not None and not takes_fuel(method) and method.kind not in _NAMED_BY_CODE:
            self.fault("fuel", f"fuel {self.fuel!r}: {method.code} takes no fuel")
        if self.material is not None and (takes_fuel(method) or method.kind == "energy"):
            self.fault("material", f"material {self.material!r}: {method.code} takes no material")
        if method.kind in _NAMED_BY_CODE and self.fuel not in (None, self.material):
            self.fault(
                "material", f"material {self.material!r} and fuel {self.fuel!r} are two codes for one thing"
            )
        if method.fuels and self.fuel in self.tables.fuel_classes and self.fuel not in method.fuels:
            known = ", ".join(method.fuels)
            self.fault("fuel", f"fuel {self.fuel!r} is none of {method.code}; known are {known}")
        if self.material in method.other_group:
            self.fault(
                "material",
                f"material {self.material!r} belongs to another source than {method.code}; known here are "
                + ", ".join(self.known_materials()),
            )
        if method.gases[0] in ("material", "byproduct"):
            self.gas()
        self.wrong_names |= {fault.field for fault in self.faults} & {"fuel", "material"}

    # --- where values come from

    def _given(self, spec: ParameterSpec) -> Value | None:
        parameter = self.given.get(spec.name)
        if parameter is None:
            return None
        value, unit = in_unit(parameter, spec, self.methods.parameter_units, self.unit)
        fault = range_fault(spec.name, value, unit)
        if fault:
            raise FactorNotFound(fault)
        note = (
            ""
            if parameter.unit in (None, unit)
            else f"given as {fraction_text(parameter.value)} {parameter.unit}"
        )
        valid_from = None if parameter.from_day is None else EPOCH_DATE + timedelta(days=parameter.from_day)
        return Value(
            spec.name, value, unit, fraction_text(value), parameter.origin or Origin.GIVEN, parameter.reference,
            valid_from=valid_from, note=note,
        )  # fmt: skip

    def _default(self, spec: ParameterSpec) -> Value:
        if spec.required_with is not None and spec.required_with in self.given:
            raise FactorNotFound(f"{spec.name} is required where {spec.required_with} is given")
        match spec.place:
            case Place.FIXED:
                assert spec.default is not None
                unit = self.unit_of(AMOUNT) if spec.units == (AMOUNT,) else spec.units[0]
                return Value(
                    spec.name, spec.default, unit, fraction_text(spec.default), Origin.GUIDELINE_DEFAULT,
                    f"clause {self.method.clause}", self.method.edition, self.method.confidence,
                )  # fmt: skip
            case Place.TABLE:
                found = self._process(spec.name)
                if found is not None:
                    return from_figure(spec.name, found, Origin.GUIDELINE_DEFAULT)
            case Place.FUEL:
                value = self._fuel(spec.name)
                if value is not None:
                    return value
            case Place.FEED:
                found = self._feed_figure(spec.name)
                if found is not None:
                    return from_figure(spec.name, found, Origin.GUIDELINE_DEFAULT)
            case Place.GWP:
                found = self._process(spec.name) or self._gwp(spec.name)
                if found is not None:
                    return from_figure(spec.name, found, Origin.GUIDELINE_DEFAULT)
            case Place.GRID:
                return self._grid(spec)
            case Place.HEAT:
                return self._heat(spec)
            case _:
                pass
        raise FactorNotFound(self._missing(spec))

    def _process(self, parameter: str) -> Figure | None:
        """The process factor of the material, of all, or of the default ones if none but its own gas is named."""
        method, table = self.method, self.tables.process
        start = (method.table_edition, method.industry)
        materials = [] if self.material is None else [self.material]
        materials.append("")
        # a source of one gas may name that gas: it says nothing of a technology or a product
        gases = [] if self.material is None else [gas.lower() for gas in method.gases]
        if self.material is None or self.material.lower() in gases:
            materials += method.default_materials
        for material in materials:
            found = table.get((*start, method.code, material, parameter))
            if found is not None:
                return found.figure
        found = table.get((*start, "", "", parameter))
        return found.figure if found is not None else None

    def _feed(self) -> str | None:
        """The feed gas of a by-product; None where the method has none."""
        if not any(spec.place is Place.FEED for spec in self.method.parameters.values()):
            return None
        return (self.material or "").partition(">")[0]

    def _feed_figure(self, parameter: str) -> Figure | None:
        """The process factor that another source of the industry has for the feed gas."""
        method = self.method
        for code in self.methods.by_edition[method.industry, method.edition]:
            key = (method.table_edition, method.industry, code, self._feed() or "", parameter)
            if key[3] and key in self.tables.process:
                return self.tables.process[key].figure
        return None

    def _gwp(self, parameter: str) -> Figure | None:
        gwp_set = self.methods.editions[self.method.edition].gwp_set
        return None if gwp_set is None else self.tables.gwp.get((gwp_set, self._gas_of(parameter)))

    def _gas_of(self, parameter: str) -> str:
        if parameter != "gwp":
            return parameter.removeprefix("gwp_").upper()
        return self.gas() if self.method.gases[0] in ("material", "byproduct") else self.method.gases[0]

    @property
    def fuel_code(self) -> str | None:
        """The fuel whose table values are asked for; that of a feedstock is its material."""
        return self.material if self.method.kind == "feedstock" else self.fuel

    def _fuel(self, parameter: str) -> Value | None:
        """A fuel's value: of the fuel in the edition's table, of its class, then of the industry's own guideline."""
        fuel = self.fuel_code
        if fuel is None:
            return None
        method, own = self.method, self.methods.own_edition(self.method.industry)
        found = self._fuel_figure(fuel, parameter, method.edition, method.table_edition)
        if found is not None:
            return from_figure(parameter, found, Origin.GUIDELINE_DEFAULT)
        if self.methods.editions[method.edition].fuels_fallback:
            found = self._fuel_figure(fuel, parameter, own, own)
            if found is not None:
                self.passed_over.append(f"{parameter} of {fuel} under {method.edition}: its table has none")
                return from_figure(parameter, found, Origin.EARLIER_EDITION)
        return None

    def _fuel_figure(self, code: str, parameter: str, edition: str, process_edition: str) -> Figure | None:
        industry, method = self.method.industry, self.method.code
        for owner in (industry, "general"):
            fuel = self.tables.fuels.get((edition, owner, code))
            if fuel is not None and parameter in fuel.values:
                return fuel.values[parameter]
        fuel_class = self.tables.fuel_classes.get(code, "")
        for material in (code, fuel_class, "coal" if fuel_class == "unconventional_coal" else fuel_class):
            found = self.tables.process.get((process_edition, industry, method, material, parameter))
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
        try:
            choice = electricity.choose(
                self.tables, self.location.basis, self.location.district, self.location.day
            )
        except FactorNotFound as error:
            if self.metered:  # its answer holds for other days too
                raise
            raise FactorNotFound(f"{error}; the emission year is {self.location.day.year}") from error
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
        if spec.place is Place.FUEL and takes_fuel(method):
            known = self.known_fuels()
            names = [each.name for each in method.parameters.values() if each.place is Place.FUEL]
            instead = f"known of {under} are {', '.join(known)}; any other needs {', '.join(names)}"
            if self.fuel is None:
                return f"no fuel is named; {instead}"
            if self.fuel not in known and self.fuel not in self.tables.fuel_classes:
                return f"fuel {self.fuel!r} is in no table; {instead}"
            return f"{spec.name} of {self.fuel} has no default for {under}; give it as a parameter"
        if spec.place is Place.TABLE and self._is_by_material(spec):
            known = self.known_materials()
            if self.material in known:
                return f"{spec.name} of {self.material!r} has no default for {under}; give it as a parameter"
            if self.material is None:
                return f"{spec.name} is missing: no material is named; known of {method.code} are {', '.join(known)}"
            names = [name for name, each in method.parameters.items() if self._is_missing_by_material(each)]
            missing = f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} missing"
            known_here = f"known of {method.code} are {', '.join(known)}"
            return f"{missing}: material {self.material!r} is in no table; {known_here}"
        if spec.place is Place.GWP:
            gwp_set = self.methods.editions[method.edition].gwp_set
            return f"{spec.name} of {self._gas_of(spec.name)!r} is in no table of {gwp_set}; give it as a parameter"
        instead = f", or {spec.replaced_by} in its place" if spec.replaced_by else ""
        required = f"{spec.name} is required by {method.code} of {under} and has no default"
        return f"{required}; give it as a parameter{instead}"

    def _is_missing_by_material(self, spec: ParameterSpec) -> bool:
        if spec.place is not Place.TABLE or self.is_given(spec.name) or not self._is_by_material(spec):
            return False
        return self._process(spec.name) is None

    def _is_by_material(self, spec: ParameterSpec) -> bool:
        start = (self.method.table_edition, self.method.industry, self.method.code)
        return any(key[:3] == start and key[3] and key[4] == spec.name for key in self.tables.process)

    def _place_of(self, spec: ParameterSpec, text: str) -> tuple[str, str]:
        """The field that a missing or wrong value is a fault of: the fuel or material where no table has it at all."""
        if spec.name in self.given:
            return spec.name, text
        if spec.place is Place.FUEL and takes_fuel(self.method):
            known = self.fuel in self.known_fuels() or self.fuel in self.tables.fuel_classes
            return ("fuel" if not known else spec.name), text
        by_material = spec.place is Place.TABLE and self._is_by_material(spec)
        named = by_material and self.material is not None and self.material not in self.known_materials()
        return ("material" if named else spec.name), text


def takes_fuel(method: Method) -> bool:
    """Whether an activity of the method names a fuel; that of a feedstock is its material."""
    return method.kind != "feedstock" and any(spec.place is Place.FUEL for spec in method.parameters.values())
