"""The inventory document (docs/contract.md, section 5): its text to values, with every fault by its place.

What can't be read is a fault and becomes None, so that later checks leave it alone and the other faults still come
to light. Nothing passes through a float: numbers are read from their text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from accounting.methods.data_file import parse_date
from domain.document_fields import Reading, described, identifier, is_null, material, suggestion, text
from domain.document_text import Scalar, Tree, joined, load_json, tree
from domain.errors import Fault, FaultyDocument
from domain.interval import Calendar
from domain.registry import Parameter

SIZE_MAX_BYTES = 4 * 1024 * 1024
ACTIVITIES_MAX = 5_000  # a second of computing
DIGITS_MAX = 60  # of a number written out
PLAIN_DIGITS_MAX = 15  # of a JSON number with a point or exponent: RFC 7493 promises senders no more
EXPONENT_DIGITS_MAX = 3  # beyond, a number has more digits than are read, whatever its mantissa

DOCUMENT_KEYS = (
    "industry", "period", "edition", "activities", "district", "grid", "uncertainty", "enterprise", "note",
)  # fmt: skip
ACTIVITY_KEYS = ("source", "fuel", "material", "amount", "unit", "parameters", "uncertainty", "id", "note")
PARAMETER_KEYS = ("value", "unit", "origin", "reference")

_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?\Z", re.ASCII)
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?:[eE]([+-]?)0*(\d+))?\Z", re.ASCII)
_WHOLE = re.compile(r"-?\d+\Z", re.ASCII)
_DISTRICT = re.compile(r"\d{6}\Z", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GivenParameter:
    """A parameter of an activity. `parameter` is None where its value couldn't be read."""

    name: str
    parameter: Parameter | None
    text: str = ""  # the value as it was given, written out


@dataclass(slots=True)
class Activity:
    """One activity as it was given; None where a field is left out or couldn't be read.

    uncertainty  relative half-width at 95 % [%] by input: `amount` or a parameter's name
    faults       of its fields; there are more once it meets its method
    """

    place: str
    source: str | None = None
    fuel: str | None = None
    material: str | None = None
    amount: Fraction | None = None
    unit: str | None = None
    parameters: dict[str, GivenParameter] = field(default_factory=dict)
    uncertainty: dict[str, Fraction] = field(default_factory=dict)
    id: str | None = None
    faults: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """An inventory document as far as it could be read.

    first_day, end_day  the period, [first, end)
    faults              of everything but the activities, which have their own
    """

    industry: str | None = None
    edition: str | None = None
    first_day: date | None = None
    end_day: date | None = None
    district: str | None = None
    grid: str | None = None
    wants_uncertainty: bool = False
    enterprise: str | None = None
    activities: list[Activity] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read(document: str | bytes) -> Document:
    """The document of a JSON text; raises FaultyDocument where the text itself can't be read."""
    faults: list[Fault] = []
    return _Reader(faults).document(load_json(document, faults, size_max_bytes=SIZE_MAX_BYTES))


def from_values(document: Mapping[str, Any]) -> Document:
    """The document of plain values, as JSON would give them."""
    faults: list[Fault] = []
    return _Reader(faults).document(tree(document, faults))


class _Reader:
    def __init__(self, faults: list[Fault]) -> None:
        self.reading = Reading(Calendar(), faults)

    def fault(self, place: str, message: str) -> None:
        self.reading.faults.append(Fault(place, message))

    def document(self, root: Tree) -> Document:
        if not isinstance(root, dict):
            what = (
                f"an inventory is an object with industry, period and activities, this is {described(root)}"
            )
            raise FaultyDocument([Fault("", what)])
        result = Document()
        self.known_keys(root, "", DOCUMENT_KEYS)
        result.industry = self.required(root, "", "industry", self.code)
        result.edition = self.optional(root, "", "edition", self.code)
        result.first_day, result.end_day = self.period(root)
        result.district = self.optional(root, "", "district", self.district)
        result.grid = self.optional(root, "", "grid", self.code)
        result.wants_uncertainty = self.optional(root, "", "uncertainty", self.truth) or False
        result.enterprise = self.optional(root, "", "enterprise", self.words)
        self.optional(root, "", "note", self.words)
        given = self.required(root, "", "activities", self.listed)
        if given is not None and not given:
            self.fault("activities", "is empty: an inventory has at least one activity")
        if given is not None and len(given) > ACTIVITIES_MAX:
            self.fault(
                "activities", f"has {len(given)} activities, at most {ACTIVITIES_MAX} are computed at once"
            )
            given = []
        shared = self.reading.faults
        for index, each in enumerate(given or []):
            self.reading.faults = []
            activity = self.activity(each, f"activities[{index}]")
            activity.faults = self.reading.faults
            result.activities.append(activity)
        result.faults = self.reading.faults = shared
        return result

    def period(self, root: Mapping[str, Tree]) -> tuple[date | None, date | None]:
        given = self.required(root, "", "period", self.mapping)
        if given is None:
            return None, None
        self.known_keys(given, "period", ("from", "to"))
        first = self.required(given, "period", "from", self.day)
        end = self.required(given, "period", "to", self.day)
        if first is not None and end is not None and end <= first:
            self.fault("period.to", f"{end} must lie after from ({first}): the period is [from, to)")
        return first, end

    def activity(self, given: Tree, place: str) -> Activity:
        result = Activity(place)
        if not isinstance(given, dict):
            self.fault(
                place, f"an object with source, amount and unit is expected, this is {described(given)}"
            )
            return result
        self.known_keys(given, place, ACTIVITY_KEYS)
        result.source = self.required(given, place, "source", self.code)
        result.fuel = self.optional(given, place, "fuel", self.code)
        result.material = self.optional(given, place, "material", self.material)
        result.amount = self.required(given, place, "amount", self.not_negative)
        result.unit = self.required(given, place, "unit", self.words)
        result.id = self.optional(given, place, "id", self.words)
        self.optional(given, place, "note", self.words)
        within = joined(place, "parameters")
        for name, each in (self.optional(given, place, "parameters", self.mapping) or {}).items():
            if not is_null(each):
                result.parameters[name] = self.parameter(name, each, joined(within, name))
        within = joined(place, "uncertainty")
        for name, each in (self.optional(given, place, "uncertainty", self.mapping) or {}).items():
            percent = self.not_negative(each, joined(within, name))
            if percent is not None:
                result.uncertainty[name] = percent
        return result

    def parameter(self, name: str, given: Tree, place: str) -> GivenParameter:
        unit = origin = reference = None
        if isinstance(given, dict):
            self.known_keys(given, place, PARAMETER_KEYS)
            unit = self.optional(given, place, "unit", self.words)
            origin = self.optional(given, place, "origin", self.words)
            reference = self.optional(given, place, "reference", self.words)
            value = self.required(given, place, "value", self.plain)
        else:
            value = self.plain(given, place)
        if value is None:
            return GivenParameter(name, None)
        return GivenParameter(name, Parameter(name, Fraction(value), unit, None, origin, reference), value)

    # --- fields

    def known_keys(self, given: Mapping[str, Tree], place: str, known: Collection[str]) -> None:
        for key in given:
            if key not in known:
                self.fault(joined(place, key), f"is no field here{suggestion(key, known)}")

    def required(
        self, given: Mapping[str, Tree], place: str, key: str, read: Callable[[Tree, str], T | None]
    ) -> T | None:
        if key not in given or is_null(given[key]):
            self.fault(joined(place, key), "is required")
            return None
        return read(given[key], joined(place, key))

    def optional(
        self, given: Mapping[str, Tree], place: str, key: str, read: Callable[[Tree, str], T | None]
    ) -> T | None:
        if key not in given or is_null(given[key]):
            return None
        return read(given[key], joined(place, key))

    def mapping(self, given: Tree, place: str) -> dict[str, Tree] | None:
        if isinstance(given, dict):
            return given
        self.fault(place, f"an object is expected, this is {described(given)}")
        return None

    def listed(self, given: Tree, place: str) -> list[Tree] | None:
        if isinstance(given, list):
            return given
        self.fault(place, f"a list is expected, this is {described(given)}")
        return None

    def truth(self, given: Tree, place: str) -> bool | None:
        if isinstance(given, Scalar) and given.form == "truth":
            return given.text == "true"
        self.fault(place, f"true or false is expected, this is {described(given)}")
        return None

    def words(self, given: Tree, place: str) -> str | None:
        return self._known(text(self.reading, given, place))

    def code(self, given: Tree, place: str) -> str | None:
        return self._known(identifier(self.reading, given, place))

    def material(self, given: Tree, place: str) -> str | None:
        return self._known(material(self.reading, given, place))

    @staticmethod
    def _known(value: Any) -> str | None:
        return value if isinstance(value, str) else None

    def district(self, given: Tree, place: str) -> str | None:
        if isinstance(given, Scalar) and _DISTRICT.match(given.text):
            return given.text
        self.fault(
            place, f'a 行政区划代码 of six digits such as "430300" is expected, this is {described(given)}'
        )
        return None

    def day(self, given: Tree, place: str) -> date | None:
        day = parse_date(given.text) if isinstance(given, Scalar) else None
        if day is None:
            self.fault(place, f"a date such as 2023-01-31 is expected, this is {described(given)}")
        return day

    def decimal(self, given: Tree, place: str) -> Fraction | None:
        text = self.plain(given, place)
        return None if text is None else Fraction(text)

    def plain(self, given: Tree, place: str) -> str | None:
        """An exact decimal, written out: a text of digits, or a JSON number, exponent or not.

        A JSON number of more than 15 significant digits that is no integer is its nearest double's shortest
        decimal, as on the wire (docs/contract.md, section 1). A text with an exponent is refused: it is what a
        spreadsheet shows of a number whose digits it has cut.
        """
        shown = given.text if isinstance(given, Scalar) and given.form in ("text", "plain") else ""
        is_number = isinstance(given, Scalar) and given.form == "plain"
        match = _NUMBER.match(shown)
        if match is None or not (is_number or _DECIMAL.match(shown)):
            what = described(given)
            if match is not None:
                what += ": write it out without an exponent, with all its digits"
            self.fault(place, f'a decimal such as "20.1" is expected, this is {what}')
            return None
        mantissa, sign, exponent = match[1], match[2] or "", match[3] or ""
        digits = sum(each.isdigit() for each in mantissa)
        if digits > DIGITS_MAX:
            self.fault(place, f"{shown[:20]}… has {digits} digits, at most {DIGITS_MAX} are read")
            return None
        places = digits + (int(exponent or "0") if len(exponent) <= EXPONENT_DIGITS_MAX else DIGITS_MAX)
        if exponent and places > DIGITS_MAX:
            self.fault(
                place,
                f"{shown[:70]} has more digits than are read once it is written out, at most {DIGITS_MAX}",
            )
            return None
        if not is_number or _WHOLE.match(shown):
            return shown
        value = Decimal(f"{mantissa}E{sign}{exponent or 0}")
        if len(value.as_tuple().digits) > PLAIN_DIGITS_MAX:
            value = Decimal(repr(float(value)))
        return f"{value:f}"

    def not_negative(self, given: Tree, place: str) -> Fraction | None:
        value = self.decimal(given, place)
        if value is not None and value < 0:
            assert isinstance(given, Scalar)
            self.fault(place, f"{given.text} must not be negative")
            return None
        return value
