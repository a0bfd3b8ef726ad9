"""Whether registered things fit together: what is missing, contradicts another, or refers to nothing.

Works on merged items, those of the document and those registered before; a fault names the place in the
document, or the registered thing. Fields that couldn't be read are left alone: they have their fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Protocol

from domain.channel_check import EXPONENT_MIN, Merged, check_channel
from domain.derived_function import function_faults
from domain.document_fields import FAULTY, GRIDS, suggestion
from domain.errors import Fault
from domain.industry import INDUSTRIES
from domain.registry_items import DERIVED_RESOLUTION, ItemKey, fraction, terms
from domain.unit import UNITS, Form, NotConvertible, conversion, decimal_exponent, quantity_fault


class Catalogue(Protocol):
    """What accounting's data knows and a document is checked against."""

    def source_codes(self, industry: str) -> Collection[str]:
        """The sources of an industry's guideline, of all its editions; empty: not checked."""
        ...

    def area_codes(self) -> Collection[str]:
        """The areas of the grid factors; empty: not checked."""
        ...

    def parameter_units(self, industry: str, source: str) -> Mapping[str, Collection[str]] | None:
        """The parameters of a source with the units that each may be given in; None: not checked."""
        ...


class Unchecked:
    """A catalogue that knows nothing: sources, areas and parameters pass by their form."""

    def source_codes(self, industry: str) -> Collection[str]:  # noqa: ARG002
        return ()

    def area_codes(self) -> Collection[str]:
        return ()

    def parameter_units(self, industry: str, source: str) -> Mapping[str, Collection[str]] | None:  # noqa: ARG002
        return None


_REQUIRED = {
    "park": {"district": "the district code that the park lies in"},
    "enterprise": {
        "industry": "one of the 24 of the guidelines",
        "district": "it places the enterprise in the aggregates and names the province of its grid factor",
    },
    "channel": {
        "quantity": "what is measured",
        "kind": "register, delta or rate",
        "unit": "the unit of the readings",
        "resolution": "the value of one count, on the dial",
    },
    "derived": {
        "function": "the function that it is computed by",
        "inputs": "the channels that it is computed from",
        "unit": "the unit of its amounts",
    },
    "source": {
        "method": "a source code of the industry's guideline",
        "expression": "the channels that it is the sum of",
    },
    "parameter": {"value": "a decimal"},
    "product": {"expression": "the channels that it is the sum of", "unit": "the unit of its amounts"},
}


def check(
    merged: Mapping[ItemKey, Merged],
    usccs: Collection[str],
    catalogue: Catalogue,
    code_places: Mapping[tuple[str, str], str],
    faults: list[Fault],
) -> None:
    """Add the faults of all parks and of the enterprises named.

    code_places  where a dated code stands, by the place of its field and the code
    """
    parks: dict[str, Merged] = {}
    of_enterprise: defaultdict[str, dict[ItemKey, Merged]] = defaultdict(dict)
    for item, each in merged.items():
        if item.kind == "park":
            parks[item.key[0]] = each
        elif item.uscc in usccs:
            of_enterprise[item.uscc][item] = each
    for each in parks.values():
        _check_required("park", each, faults)
    for items in of_enterprise.values():
        _Enterprise(items, parks, catalogue, code_places, faults).check()


def _check_required(kind: str, each: Merged, faults: list[Fault]) -> None:
    for name, what in _REQUIRED.get(kind, {}).items():
        if each.lacks(name):
            faults.append(Fault(each.at(name), f"is missing: {what}"))
    if kind in ("park", "enterprise") and each.lacks("name_zh") and each.lacks("name_en"):
        faults.append(Fault(each.at("name_zh"), "is missing: name_zh, name_en or both are given"))


class _Enterprise:
    """The checks of one enterprise with all that belongs to it."""

    def __init__(
        self,
        items: Mapping[ItemKey, Merged],
        parks: Mapping[str, Merged],
        catalogue: Catalogue,
        code_places: Mapping[tuple[str, str], str],
        faults: list[Fault],
    ) -> None:
        self.parks, self.catalogue = parks, catalogue
        self.code_places, self.faults = code_places, faults
        self.by_kind: defaultdict[str, dict[tuple[str, ...], Merged]] = defaultdict(dict)
        for item, each in sorted(items.items(), key=lambda pair: pair[0]):
            self.by_kind[item.kind][item.key] = each
        self.industry: str | None = self.by_kind["enterprise"][()].get("industry")
        self.units: dict[str, str | None] = {}  # of points by name; None: its unit can't be said

    def fault(self, place: str, message: str) -> None:
        self.faults.append(Fault(place, message))

    def check(self) -> None:
        for kind, found in self.by_kind.items():
            for each in found.values():
                _check_required(kind, each, self.faults)
        self.check_enterprise(self.by_kind["enterprise"][()])
        channels: defaultdict[str, list[Merged]] = defaultdict(list)
        for (meter, channel, _), each in self.by_kind["channel"].items():
            channels[f"{meter}/{channel}"].append(each)
        for name, versions in channels.items():
            self.units[name] = check_channel(name, versions, self.fault)
        measured = dict(self.units)
        for key, each in self.by_kind["derived"].items():
            self.check_derived("/".join(key), each, measured)
        for each in self.by_kind["source"].values():
            self.check_source(each)
        for (source, name, _), each in self.by_kind["parameter"].items():
            self.check_parameter(source, name, each)
        for each in self.by_kind["product"].values():
            self.check_product(each)

    # Memberships

    def check_enterprise(self, each: Merged) -> None:
        if self.industry is not None:
            fitting = INDUSTRIES[self.industry].editions
            for code, place in self.codes(each, "edition"):
                if code not in fitting:
                    self.fault(
                        place, f"{code!r} is no edition of {self.industry}, which has {', '.join(fitting)}"
                    )
        for code, place in self.codes(each, "park"):
            if code not in self.parks:
                self.fault(place, f"{code!r} is no registered park{suggestion(code, self.parks)}")
        areas = self.catalogue.area_codes()
        for code, place in self.codes(each, "grid"):
            if areas and code not in GRIDS and code not in areas:
                self.fault(place, f"{code!r} is no area of the grid factors{suggestion(code, areas)}")

    def codes(self, each: Merged, name: str) -> list[tuple[str, str]]:
        """The codes of a dated membership, each with its place."""
        here = each.at(name)
        codes = [entry["code"] for entry in each.get(name) or ()]
        return [
            (code, self.code_places.get((here, code), here))
            for code in codes
            if code is not None and code is not FAULTY
        ]

    # Derived channels

    def check_derived(self, name: str, each: Merged, measured: Mapping[str, str | None]) -> None:
        if name in measured:
            self.fault(each.at("id"), f"{name} is a measured channel already")
        unit, quantity = each.get("unit"), each.get("quantity")
        if unit and UNITS[unit].form is not Form.AMOUNT:
            self.fault(each.at("unit"), f"{unit} is no amount, which a derived channel has for each interval")
            unit = None
        elif quantity and unit and (misfit := quantity_fault(quantity, unit)):
            self.fault(each.at("unit"), misfit)
        self.units.setdefault(name, unit)
        if decimal_exponent(fraction(each.get("resolution") or DERIVED_RESOLUTION)) < EXPONENT_MIN:
            self.fault(each.at("resolution"), f"{each.get('resolution')} is finer than 10^{EXPONENT_MIN}")
        function, inputs = each.get("function"), each.get("inputs")
        if function is None or inputs is None:
            return
        derived = {"/".join(key) for key in self.by_kind["derived"]}
        units: dict[str, str] = {}
        for role, point in inputs.items():
            if point in measured:
                if (counted := measured[point]) is not None:
                    units[role] = counted
            elif point in derived:
                self.fault(
                    each.at(f"inputs.{role}"), f"{point} is itself derived; inputs are measured channels"
                )
            else:
                hint = suggestion(point, measured)
                self.fault(each.at(f"inputs.{role}"), f"{point!r} is no channel of this enterprise{hint}")
        for place, message in function_faults(function, inputs, units, unit):
            self.fault(each.at(place), message)

    # Sources and products

    def check_sum(self, each: Merged, target: str | None = None) -> None:
        """The parts of a sum are known, and add up in the unit of the first (and convert to `target`)."""
        place = each.at("expression")
        first: str | None = None
        for term in terms(each.get("expression") or ""):
            if term.point not in self.units:
                hint = suggestion(term.point, self.units)
                self.fault(place, f"{term.point!r} is no channel of this enterprise{hint}")
                continue
            unit = self.units[term.point]
            if unit is None:
                continue
            if UNITS[unit].form is Form.MEAN:
                self.fault(place, f"{term.point} is in {unit}, which has means only and can't be summed")
                continue
            first = first or unit
            try:
                scale = conversion(unit, first)
                if target is not None:
                    conversion(unit, target)
                decimal_exponent(scale)
            except NotConvertible as error:
                self.fault(place, f"{term.point}: {error}")
            except ValueError:
                self.fault(
                    place,
                    f"{term.point}: {unit} is no finite decimal of {first}, the unit of the first part; "
                    f"let a part in {unit} stand first",
                )

    def check_source(self, each: Merged) -> None:
        self.check_sum(each)
        method = each.get("method")
        codes = self.catalogue.source_codes(self.industry) if self.industry else ()
        if method is not None and codes and method not in codes:
            hint = suggestion(method, sorted(codes))
            self.fault(each.at("method"), f"{method!r} is no source of {self.industry}{hint}")

    def check_parameter(self, source: str, name: str, each: Merged) -> None:
        versions = [found for (code, _), found in self.by_kind["source"].items() if code == source]
        if not versions:
            self.fault(each.place, f"belongs to {source!r}, which has no method and expression yet")
            return
        value, unit = each.get("value"), each.get("unit")
        known = self.parameters(versions)
        if known is not None and name not in known:
            hint = suggestion(name, sorted(known))
            self.fault(each.at("name"), f"{name!r} is no parameter of this source{hint}")
            return
        units = known[name] if known is not None else set()
        if unit is not None and units and unit not in units:
            self.fault(
                each.at("unit"), f"{unit!r} is no unit of {name}, which is in {' or '.join(sorted(units))}"
            )
        if value is None:
            return
        if fraction(value) < 0:
            self.fault(each.at("value"), f"{name} ({value}) must not be negative")
        elif name == "ncv" and fraction(value) == 0:
            self.fault(each.at("value"), f"{name} ({value}) must be above 0")
        elif "fraction" in (unit, *(units if len(units) == 1 else ())) and fraction(value) > 1:
            self.fault(each.at("value"), f"{name} ({value}) must be within 0 and 1")

    def parameters(self, versions: list[Merged]) -> dict[str, set[str]] | None:
        """The parameters, with their units, of all methods that a source has had; None: not checked."""
        result: defaultdict[str, set[str]] = defaultdict(set)
        for method in {found.get("method") for found in versions}:
            known = (
                self.catalogue.parameter_units(self.industry, method) if self.industry and method else None
            )
            if known is None:
                return None
            for name, units in known.items():
                result[name] |= set(units)
        return dict(result)

    def check_product(self, each: Merged) -> None:
        unit = each.get("unit")
        if unit is not None and UNITS[unit].form is not Form.AMOUNT:
            self.fault(each.at("unit"), f"{unit} is no amount, such as t, in which a product is counted")
            unit = None
        self.check_sum(each, unit)
