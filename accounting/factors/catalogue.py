"""What a registry document is checked against: the sources, parameters and areas that the factor library knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from accounting.factors.resolve import FactorLibrary
from domain.registry import Parameter


class FactorCatalogue:
    """The factor library as `domain.document_check.Catalogue`."""

    def __init__(self, library: FactorLibrary) -> None:
        self._library = library

    def source_codes(self, industry: str) -> Collection[str]:
        """The source codes of an industry under any of its editions, those of its own guideline first."""
        methods = self._library.methods
        own = methods.own_edition(industry)
        editions = sorted(
            (code for each, code in methods.by_edition if each == industry), key=lambda code: code != own
        )
        return list(
            dict.fromkeys(source for code in editions for source in methods.by_edition[industry, code])
        )

    def area_codes(self) -> Collection[str]:
        """The areas that have an electricity factor for accounts."""
        return [area for area in self._library.tables.areas if self._library.grid_fault(area) is None]

    def parameter_units(self, industry: str, source: str) -> Mapping[str, Collection[str]] | None:
        """The parameters of a source with every unit they may be given in, over all editions of the industry."""
        methods = self._library.methods
        result: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for (each, _), listed in methods.by_edition.items():
            if each == industry and source in listed:
                for spec in listed[source].parameters.values():
                    for unit in methods.parameter_units:
                        if unit.parameter == spec.name and unit.base in spec.units:
                            result[spec.name][unit.unit] = None
        return {name: list(units) for name, units in result.items()} if result else None

    def source_fault(
        self,
        industry: str,
        edition: str | None,
        method: str,
        fuel: str | None,
        material: str | None,
        parameters: Iterable[Parameter],
        unit: str,
    ) -> str | None:
        """What keeps a source from being counted, or None; see `FactorLibrary.method_fault`."""
        return self._library.method_fault(industry, edition, method, fuel, material, parameters, unit)
