"""Which fuels and materials a source knows, and every default figure of it with where it comes from: for templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accounting.factors.inputs import Inputs, Location
from accounting.factors.load import FactorLibrary
from accounting.factors.tables import Figure, Fuel
from accounting.factors.value import fraction_text
from accounting.methods.method import Method, ParameterSpec, Place


@dataclass(frozen=True, slots=True)
class Default:
    """A default of a source's parameter; `of`: the fuel or material that it belongs to, "" for any."""

    source: str
    of: str
    parameter: str
    value: str
    unit: str
    origin: str
    edition: str
    confidence: str


def known_fuels(library: FactorLibrary, method: Method) -> list[str]:
    """The fuels that a source takes by name; none where it takes no fuel."""
    if not any(spec.place is Place.FUEL for spec in method.parameters.values()):
        return []
    return _inputs(library, method).known_fuels()


def known_materials(library: FactorLibrary, method: Method) -> list[str]:
    """What the tables list for a source: materials, or the fuels that they give for it in place of a fuel table."""
    if any(spec.place is Place.FUEL for spec in method.parameters.values()):
        return []
    return _inputs(library, method).known_materials()


def fuel_of(library: FactorLibrary, method: Method, code: str) -> Fuel | None:
    """The row of the fuel table that a source's defaults are from."""
    own = library.methods.own_edition(method.industry)
    for edition in (method.edition, own):
        for owner in (method.industry, "general"):
            fuel = library.tables.fuels.get((edition, owner, code))
            if fuel is not None:
                return fuel
    return None


def defaults(library: FactorLibrary, method: Method) -> Iterator[Default]:
    """Every figure that stands where a parameter of a source is left out, fuels and electricity aside."""
    tables = library.tables
    for name, spec in method.parameters.items():
        match spec.place:
            case Place.FIXED:
                assert spec.default is not None
                yield Default(
                    method.code, "", name, fraction_text(spec.default), spec.units[0], f"clause {method.clause}",
                    method.edition, method.confidence,
                )  # fmt: skip
            case Place.TABLE | Place.FEED | Place.FUEL:
                for (edition, industry, code, material, parameter), factor in tables.process.items():
                    if (
                        (edition, industry, parameter) == (method.table_edition, method.industry, name)
                        and code in (method.code, "")
                        and (code or not material)
                    ):
                        yield _default(method, material, spec, factor.figure)
            case Place.HEAT:
                for each in tables.heat:
                    yield _default(method, "", spec, each.figure)
            case Place.GWP:
                gwp_set = library.methods.editions[method.edition].gwp_set
                for (of, gas), figure in tables.gwp.items():
                    if of == gwp_set and _takes(method, name, gas):
                        yield _default(method, gas, spec, figure)
            case _:
                pass


def _takes(method: Method, parameter: str, gas: str) -> bool:
    """Whether a source's GWP may be that of a gas."""
    named = {"gwp_ch4": "CH4", "gwp_n2o": "N2O"}.get(parameter)
    if named is not None:
        return gas == named
    return (
        gas in method.gases
        or gas in method.material_gas.values()
        or bool({"material", "byproduct"} & set(method.gases))
    )


def _default(method: Method, of: str, spec: ParameterSpec, figure: Figure) -> Default:
    return Default(
        method.code, of, spec.name, figure.text, figure.unit, figure.source, figure.edition or method.edition,
        figure.confidence,
    )  # fmt: skip


def _inputs(library: FactorLibrary, method: Method) -> Inputs:
    return Inputs(library.tables, library.methods, method, None, None, {}, Location("national", None, None))
