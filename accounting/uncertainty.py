"""Uncertainty of an inventory by error propagation, IPCC 2006 approach 1: relative half-widths at 95 %.

A change of an input by its half-width changes the emissions by some tonnes, with a sign. Those of inputs that are
independent add up as squares; those of one and the same figure, a default or a grid factor that several activities
share, are added with their signs first. Amounts, and what an activity measured itself, are independent. Figures come
with the activity, else from uncertainty.csv by where the input is from. Beyond about 60 % approach 1 is no longer
meant: such results are marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from pathlib import Path

from accounting.factors.inputs import Inputs
from accounting.factors.kinds import linear_form
from accounting.factors.value import Origin, Value
from accounting.inventory.compute import Computed, Inventory
from accounting.methods.data_file import Faults, read_rows
from accounting.methods.method import Place
from domain.errors import Fault, FaultyDocument

FILE = Path(__file__).parent / "factors" / "uncertainty.csv"
COLUMNS = ("input", "unit", "basis", "fuel_class", "percent", "source", "confidence", "note")
BASES = (
    "given",
    "default",
    "plain",
    "published",
    "older",
)  # plain: a figure of the method file, such as purity 1
APPROACH_1_MAX_PERCENT = 60
ROOT_DIGITS = 30  # of square roots, before they are rounded to what is printed
STEP = Fraction(1, 1000)  # of an input, up and down, for what its change does

_BASIS: Mapping[str, str] = {
    Origin.GUIDELINE_DEFAULT: "default",
    Origin.EARLIER_EDITION: "default",
    Origin.PUBLISHED: "published",
    Origin.OLDER_VINTAGE: "older",
}


@dataclass(frozen=True, slots=True)
class Default:
    """The half-width [%] of an input of some origin."""

    percent: Fraction
    source: str
    confidence: str


Defaults = Mapping[tuple[str, str, str, str], Default]  # (input, unit, basis, fuel class), "" for any


@dataclass(frozen=True, slots=True)
class InputUncertainty:
    """An input's half-width [%], and what it does to the activity's emissions [tCO2e], signed.

    shared  names the figure that it is, where several activities may have it from one place; else None
    """

    name: str
    percent: Fraction
    is_given: bool
    source: str | None
    confidence: str | None
    tco2e: Fraction
    shared: tuple[object, ...] | None


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Of one inventory: by activity, and combined over a boundary."""

    inventory: Inventory
    activities: tuple[tuple[InputUncertainty, ...], ...] = field(repr=False)

    def activity_percent(self, index: int) -> Decimal | None:
        return percent_of(self.activities[index], self.inventory.activities[index].tco2e)

    def total_percent(self, boundary: str) -> Decimal | None:
        """The half-width of a boundary's total [%]; None where the total is zero."""
        inputs = [
            each
            for computed, found in zip(self.inventory.activities, self.activities, strict=True)
            if boundary in computed.boundaries
            for each in found
        ]
        return percent_of(inputs, self.inventory.total(boundary))

    def warnings(self) -> list[Fault]:
        """Where approach 1 is no longer meant."""
        found = [
            (each.activity.place, self.activity_percent(index))
            for index, each in enumerate(self.inventory.activities)
        ]
        return [
            Fault(
                place,
                f"its uncertainty is above {APPROACH_1_MAX_PERCENT} %, where approach 1 is only an indication",
            )
            for place, percent in [*found, ("", self.total_percent("account"))]
            if percent is not None and percent > APPROACH_1_MAX_PERCENT
        ]


@cache
def defaults() -> Defaults:
    """The table that comes with this version."""
    return read_defaults(FILE)


def read_defaults(path: Path) -> Defaults:
    """A table of half-widths; raises FaultyDocument with every fault of it."""
    faults = Faults(path.parent)
    result: dict[tuple[str, str, str, str], Default] = {}
    for row in read_rows(path, COLUMNS, faults):
        key = (
            row.text("input"), row.optional("unit"), row.choice("basis", BASES), row.optional("fuel_class"),
        )  # fmt: skip
        if key in result:
            row.fault(f"{' '.join(key)} is given twice")
        percent = row.number_of("percent")
        if percent < 0:
            row.fault(f"percent ({row.optional('percent')}) must not be negative")
        result[key] = Default(percent, row.text("source"), row.confidence())
    if ("*", "", "default", "") not in result:
        faults.add(path, "has no row of any default: input *, basis default")
    if faults.found:
        raise FaultyDocument(faults.found)
    return result


def default_of(name: str, unit: str, basis: str, fuel_class: str) -> Default:
    """The most particular row that fits: by unit, by class of fuel, by name, of any input of that basis."""
    table = defaults()
    for each in (basis, "default"):
        for key in (
            (name, unit, each, fuel_class),
            (name, unit, each, ""),
            (name, "", each, fuel_class),
            (name, "", each, ""),
        ):
            if key in table:
                return table[key]
        if ("*", "", each, "") in table:
            return table["*", "", each, ""]
    raise KeyError("*")  # read_defaults sees to it that the table has a row of any default


def uncertainty(inventory: Inventory) -> Uncertainty:
    """The half-widths of each activity's inputs, given with it or by default."""
    return Uncertainty(inventory, tuple(_inputs(each) for each in inventory.activities))


def percent_of(inputs: Iterable[InputUncertainty], total: Fraction) -> Decimal | None:
    """The combined half-width [%] of a sum; None where the sum is zero."""
    if total == 0:
        return None
    shared: dict[tuple[object, ...], Fraction] = {}
    squares = Fraction(0)
    for each in inputs:
        if each.shared is None:
            squares += each.tco2e**2
        else:
            shared[each.shared] = shared.get(each.shared, Fraction(0)) + each.tco2e
    squares += sum((tco2e**2 for tco2e in shared.values()), Fraction(0))
    square = squares / total**2 * 10_000
    with localcontext() as context:
        context.prec = ROOT_DIGITS
        return (Decimal(square.numerator) / Decimal(square.denominator)).sqrt()


def _inputs(computed: Computed) -> tuple[InputUncertainty, ...]:
    activity, found = computed.activity, computed.found
    code = found.fuel or found.material or ""
    fuel_class = computed.inputs.tables.fuel_classes.get(code, "")
    by_amount = sum((part.tco2e_per_amount for part in found.linear.parts), Fraction(0)) * computed.amount
    result = [
        _input(computed, "amount", activity.unit or "", "given", fuel_class, found.sign * by_amount, None)
    ]
    for value in found.values:
        basis = _BASIS.get(str(value.origin), "given")
        if basis == "default" and found.method.parameters[value.name].place is Place.FIXED:
            basis = "plain"
        effect = found.sign * _effect(computed, value.name)
        result.append(
            _input(computed, value.name, value.unit, basis, fuel_class, effect, _shared(value, basis, code))
        )
    return tuple(result)


def _input(
    computed: Computed,
    name: str,
    unit: str,
    basis: str,
    fuel_class: str,
    effect: Fraction,
    shared: tuple[object, ...] | None,
) -> InputUncertainty:
    """effect: tCO2e that the emissions change by where the input doubles, to first order."""
    percent = computed.activity.uncertainty.get(name)
    if percent is not None:
        return InputUncertainty(name, percent, True, None, None, effect * percent / 100, shared)
    default = default_of(name, unit, basis, fuel_class)
    tco2e = effect * default.percent / 100
    return InputUncertainty(name, default.percent, False, default.source, default.confidence, tco2e, shared)


def _shared(value: Value, basis: str, code: str) -> tuple[object, ...] | None:
    """Which figure it is: a default of the same row, a grid factor, a value with the same reference."""
    if basis == "given" and value.reference is None:
        return None
    what = "" if value.area is not None else code
    return (value.name, value.value, value.unit, value.reference, value.edition, value.area, value.year, what)


def _effect(computed: Computed, name: str) -> Fraction:
    """How the emissions change with an input, times the input; exact where they go with it or its square."""
    up, down = (_emissions(computed, name, 1 + step) for step in (STEP, -STEP))
    return (up - down) / (2 * STEP)


def _emissions(computed: Computed, name: str, scale: Fraction) -> Fraction:
    """The emissions with one input scaled, before the sign of a deduction."""
    inputs: Inputs = replace(computed.inputs, used=[], passed_over=[], faults=[], scale={name: scale})
    linear = linear_form(inputs)
    inputs.faults.clear()  # percents that no longer add up to 100 and the like are no fault here
    assert computed.activity.amount is not None
    return linear.tco2e(computed.activity.amount * inputs.convert(computed.found.unit, linear.unit))
