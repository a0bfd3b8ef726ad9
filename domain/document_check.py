"""Whether registered things fit together: what is missing, contradicts another, or refers to nothing.

Works on merged items, those of the document and those registered before; a fault names the place in the
document, or the registered thing. Fields that couldn't be read are left alone: they have their fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from domain.channel_check import EXPONENT_MIN, Merged, check_channel
from domain.derived_function import function_faults
from domain.document_fields import FAULTY, suggestion
from domain.errors import Fault
from domain.industry import INDUSTRIES
from domain.registry import Kind, Parameter
from domain.registry_items import DERIVED_RESOLUTION, ItemKey, fraction, parameter, terms
from domain.unit import UNITS, Form, NotConvertible, conversion, decimal_exponent, quantity_fault
from domain.validation_check import check_check


class Catalogue(Protocol):
    """What accounting's data knows and a document is checked against."""

    def source_codes(self, industry: str) -> Collection[str]:
        """The sources of an industry, of all its editions; empty: not checked."""
        ...

    def parameter_units(self, industry: str, method: str) -> Mapping[str, Sequence[str]] | None:
        """The parameters of a source with the units of each, the assumed one first; None: not checked."""
        ...

    def grid_fault(self, basis: str) -> str | None:
        """Why an enterprise's `grid` names no electricity factor, or None."""
        ...

    def method_fault(
        self,
        industry: str,
        edition: str | None,
        method: str,
        fuel: str | None,
        material: str | None,
        parameters: Iterable[Parameter],
        unit: str,
        substitution: str | None,
        kinds: Collection[Kind],
    ) -> str | None:
        """Why a source's sum in `unit` can't be accounted under an edition (None: the default), or None.

        kinds  of the channels in the sum, of those too that a derived one is computed from
        """
        ...


class Unchecked:
    """A catalogue that knows nothing: sources, grids and parameters pass by their form."""

    def source_codes(self, _industry: str) -> Collection[str]:
        return ()

    def parameter_units(self, _industry: str, _method: str) -> Mapping[str, Sequence[str]] | None:
        return None

    def grid_fault(self, _basis: str) -> str | None:
        return None

    def method_fault(self, *_source: object) -> str | None:
        return None


REQUIRED = {
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
    "check": {"rule": "the code of a check between channels"},
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
    for name, what in REQUIRED.get(kind, {}).items():
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
        self.faulty_parameters: set[str] = set()  # sources with a parameter that has a fault

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
        for (source, name, _), each in self.by_kind["parameter"].items():
            self.check_parameter(source, name, each)
        for (source, begins), each in self.by_kind["source"].items():
            self.check_source(source, begins, each)
        for each in self.by_kind["product"].values():
            self.check_product(each)
        products = {key[0] for key in self.by_kind["product"]}
        for each in self.by_kind["check"].values():
            check_check(each, products, self.units, self.check_sum, self.fault)

    # Memberships

    def check_enterprise(self, each: Merged) -> None:
        if self.industry is not None:
            fitting = self.fitting_editions()
            for code, place in self.codes(each, "edition"):
                if code not in fitting:
                    self.fault(
                        place, f"{code!r} is no edition of {self.industry}, which has {', '.join(fitting)}"
                    )
        for code, place in self.codes(each, "park"):
            if code not in self.parks:
                self.fault(place, f"{code!r} is no registered park{suggestion(code, self.parks)}")
        for code, place in self.codes(each, "grid"):
            if misfit := self.catalogue.grid_fault(code):
                self.fault(place, misfit)

    def fitting_editions(self) -> tuple[str, ...]:
        return INDUSTRIES[self.industry].editions if self.industry is not None else ()

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

    def check_sum(self, each: Merged, target: str | None = None, name: str = "expression") -> str | None:
        """The parts of a sum are known, and add up in the unit of the first (and convert to `target`).

        The unit of the sum, or None where that can't be said. `name` is the field that it stands in.
        """
        place = each.at(name)
        unit_of_sum: str | None = None
        is_clear = True
        for term in terms(each.get(name) or ""):
            if term.point not in self.units:
                hint = suggestion(term.point, self.units)
                self.fault(place, f"{term.point!r} is no channel of this enterprise{hint}")
                is_clear = False
                continue
            unit = self.units[term.point]
            message = None
            if unit is None:
                is_clear = False
            elif UNITS[unit].form is Form.MEAN:
                message = f"{term.point} is in {unit}, which has means only and can't be summed"
            else:
                unit_of_sum = unit_of_sum or unit
                message = _misfit_in_sum(term.point, unit, unit_of_sum, target)
            if message is not None:
                self.fault(place, message)
                is_clear = False
        return unit_of_sum if is_clear else None

    def check_source(self, code: str, begins: str, each: Merged) -> None:
        unit, method = self.check_sum(each), each.get("method")
        if self.industry is None or method is None:
            return
        codes = self.catalogue.source_codes(self.industry)
        if codes and method not in codes:
            hint = suggestion(method, sorted(codes))
            self.fault(each.at("method"), f"{method!r} is no source of {self.industry}{hint}")
        elif unit is not None and FAULTY not in each.spec.values() and code not in self.faulty_parameters:
            parameters = [
                parameter(key, found.spec)
                for key, found in self.by_kind["parameter"].items()
                if key[0] == code and "value" in found.spec
            ]
            misfits = [
                self.catalogue.method_fault(
                    self.industry,
                    edition,
                    method,
                    each.get("fuel"),
                    each.get("material"),
                    parameters,
                    unit,
                    each.get("substitution"),
                    self.kinds(each),
                )
                for edition in self.editions(code, begins)
            ]
            # Accounted under one of the editions that hold meanwhile, it is of use.
            if misfits and all(misfits):
                self.fault(each.place, str(misfits[0]))

    def kinds(self, each: Merged) -> set[Kind]:
        """The kinds of the channels that a sum is of, by way of derived ones too."""
        names = {term.point for term in terms(each.get("expression") or "")}
        for key, derived in self.by_kind["derived"].items():
            if "/".join(key) in names:
                names |= set((derived.get("inputs") or {}).values())
        return {
            Kind(channel.get("kind"))
            for (meter, name, _), channel in self.by_kind["channel"].items()
            if f"{meter}/{name}" in names and channel.get("kind")
        }

    def editions(self, code: str, begins: str) -> list[str | None]:
        """The editions that hold while a version of a source does; None stands for the industry's own."""
        later = [key[1] for key in self.by_kind["source"] if key[0] == code and key[1] > begins]
        ends = min(later, default="9999")
        result: list[str | None] = []
        since, edition = "", None
        for entry in [*(self.by_kind["enterprise"][()].get("edition") or ()), {"from": "9999", "code": None}]:
            until = entry.get("from", "")
            if since < ends and begins < until and (edition is None or edition in self.fitting_editions()):
                result.append(edition)
            since, edition = until, entry["code"]
        return result

    def check_parameter(self, source: str, name: str, each: Merged) -> None:
        before = len(self.faults)
        self.check_parameter_value(source, name, each)
        if len(self.faults) > before or FAULTY in each.spec.values():
            self.faulty_parameters.add(source)

    def check_parameter_value(self, source: str, name: str, each: Merged) -> None:
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
        units = list(known[name]) if known is not None else []
        if unit is not None and units and unit not in units:
            self.fault(each.at("unit"), f"{unit!r} is no unit of {name}, which is in {' or '.join(units)}")
        if value is None:
            return
        most = {"fraction": 1, "percent": 100}.get(unit or (units[0] if units else ""))
        if fraction(value) < 0:
            self.fault(each.at("value"), f"{name} ({value}) must not be negative")
        elif name == "ncv" and fraction(value) == 0:
            self.fault(each.at("value"), f"{name} ({value}) must be above 0")
        elif most is not None and fraction(value) > most:
            self.fault(each.at("value"), f"{name} ({value}) must be within 0 and {most}")

    def parameters(self, versions: list[Merged]) -> dict[str, dict[str, None]] | None:
        """The parameters, with their units, of all methods that a source has had; None: not checked."""
        result: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for each in versions:
            method = each.get("method")
            known = (
                self.catalogue.parameter_units(self.industry, method) if self.industry and method else None
            )
            if known is None:
                return None
            for name, units in known.items():
                result[name].update(dict.fromkeys(units))
        return dict(result)

    def check_product(self, each: Merged) -> None:
        unit = each.get("unit")
        if unit is not None and UNITS[unit].form is not Form.AMOUNT:
            self.fault(each.at("unit"), f"{unit} is no amount, such as t, in which a product is counted")
            unit = None
        self.check_sum(each, unit)


def _misfit_in_sum(point: str, unit: str, unit_of_sum: str, target: str | None) -> str | None:
    try:
        scale = conversion(unit, unit_of_sum)
        if target is not None:
            conversion(unit, target)
    except NotConvertible as error:
        return f"{point}: {error}"
    try:
        decimal_exponent(scale)
    except ValueError:
        return (
            f"{point}: {unit} is no finite decimal of {unit_of_sum}, the unit of the first part; "
            f"let a part in {unit} stand first"
        )
    return None
