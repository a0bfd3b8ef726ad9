"""What a registry document may say of sources: whether the library could count them, and all that is wrong if not."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from accounting.factors import electricity
from accounting.factors.inputs import Inputs, Location, in_force, in_unit, range_fault
from accounting.factors.resolve import DEFAULT_GRID, FactorLibrary
from accounting.factors.substitution import substituted, substitution_fault
from accounting.methods.method import Method
from domain.errors import FactorNotFound
from domain.registry import Kind, Parameter


def grid_fault(library: FactorLibrary, basis: str) -> str | None:
    """Why an enterprise's `grid` names no electricity factor, or None."""
    return electricity.basis_fault(library.tables, basis)


def method_fault(
    library: FactorLibrary,
    industry: str,
    edition: str | None,
    method: str,
    fuel: str | None,
    material: str | None,
    parameters: Iterable[Parameter],
    unit: str,
    substitution: str | None = None,
    kinds: Collection[Kind] = (),
) -> str | None:
    """What is wrong with a source of an enterprise, all in one text, or None.

    unit        of the source's sum
    kinds       of the channels in the sum, of those too that a derived one is computed from
    parameters  all that are registered, whatever their dates: a required one must be among them

    Without an edition the industry's guideline decides; a source that only the market's editions know passes
    where one of them can count it.
    """
    fault = library.methods.edition_fault(industry, edition)
    if fault:
        return fault
    parameters = list(parameters)
    own = edition or library.methods.own_edition(industry)
    listed = library.methods.by_edition[industry, own]
    if method in listed:
        known = [listed[method]]
    else:
        known = library.methods.market_methods(industry, method) if edition is None else []
    if not known:
        return f"method {method!r} is none of {industry} under {own}; known are {', '.join(listed)}"
    faults: list[str] = []
    for each in known:
        found = _faults(library, each, fuel, material, parameters, unit, substitution, kinds)
        if not found:
            return None
        faults = faults or found
    return "; ".join(faults)


def _faults(
    library: FactorLibrary,
    method: Method,
    fuel: str | None,
    material: str | None,
    parameters: list[Parameter],
    unit: str,
    substitution: str | None,
    kinds: Collection[Kind],
) -> list[str]:
    faults: list[str] = []
    for parameter in parameters:
        spec = method.parameters.get(parameter.name)
        if spec is None:
            known = ", ".join(method.parameters)
            faults.append(f"parameter {parameter.name!r} is none of {method.code}; known are {known}")
            continue
        try:
            value, base = in_unit(parameter, spec, library.methods.parameter_units, unit)
            fault = range_fault(parameter.name, value, base)
        except FactorNotFound as error:
            fault = f"parameter {error}"
        if fault:
            faults.append(fault)
    given = in_force(parameters, None)
    if substitution is not None:
        rule, fuel_class = library.tables.substitutions[substitution], library.class_of(fuel)
        fault = substitution_fault(rule, method, fuel, fuel_class, kinds)
        if fault:
            faults.append(fault)
        elif rule.fuel_classes:
            given, _ = substituted(rule, method.edition, fuel_class, given)
    location = Location(DEFAULT_GRID, None, None)
    inputs = Inputs(
        library.tables, library.methods, method, fuel, material, given, location, unit, metered=True
    )
    inputs.check_names()
    try:
        inputs.check()
        if not faults:
            library.resolved(inputs, unit, ("account",))
    except FactorNotFound as error:
        faults.append(str(error))
    return faults
