"""What a registry document is checked against: the factor library, in the words that domain asks in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from accounting.factors import registered
from accounting.factors.inputs import AMOUNT
from accounting.factors.load import FactorLibrary
from domain.registry import Kind, Parameter


class FactorCatalogue:
    """`domain.document_check.Catalogue` over a factor library."""

    def __init__(self, library: FactorLibrary) -> None:
        self._library = library
        self._codes: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for (industry, _), methods in library.methods.by_edition.items():
            self._codes[industry].update(dict.fromkeys(methods))
        self._units: dict[tuple[str, str], dict[str, list[str]]] = {}

    def source_codes(self, industry: str) -> Collection[str]:
        return tuple(self._codes[industry])

    def parameter_units(self, industry: str, method: str) -> Mapping[str, Sequence[str]] | None:
        """Of all editions that have the method: each base unit, then those that convert to it."""
        known = self._units.get((industry, method))
        if known is None:
            known = self._units[industry, method] = self._read_units(industry, method)
        return known or None

    def _read_units(self, industry: str, method: str) -> dict[str, list[str]]:
        methods = self._library.methods
        result: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for (of, _), by_code in methods.by_edition.items():
            if of != industry or method not in by_code:
                continue
            for name, spec in by_code[method].parameters.items():
                result[name].update(dict.fromkeys(spec.units))
                if spec.units == (AMOUNT,):  # in a unit of the activity's own
                    result[name].update(dict.fromkeys(by_code[method].units))
                result[name].update(
                    (each.unit, None)
                    for each in methods.parameter_units
                    if each.parameter == name and each.base in spec.units
                )
        return {name: list(units) for name, units in result.items()}

    def grid_fault(self, basis: str) -> str | None:
        return registered.grid_fault(self._library, basis)

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
        return registered.method_fault(
            self._library, industry, edition, method, fuel, material, parameters, unit, substitution, kinds
        )
