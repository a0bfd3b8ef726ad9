"""What the cells of closed lists may say: codes, or what people call them, for an industry and edition.

A list's entry in a template reads `bituminous_coal 烟煤`; the code alone or the name alone is understood as well, where
only one has that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache

from accounting.factors.load import load as load_library
from accounting.factors.names import name
from accounting.history.columns import normal
from accounting.methods.load import load
from domain.unit import UNITS


class Provenance(StrEnum):
    """How a figure of a year came to be known, the weakest first."""

    ESTIMATED = "estimated"
    REPORTED = "reported"  # by the enterprise
    VERIFIED = "verified"  # by a third party or the authority


PROVENANCE_ZH: Mapping[Provenance, str] = {
    Provenance.ESTIMATED: "估算",
    Provenance.REPORTED: "申报",
    Provenance.VERIFIED: "核查",
}


FRACTION = "fraction"  # the unit of a share of 1


def label(code: str, name: str) -> str:
    """An entry of a list in a template."""
    return code if not name or name == code else f"{code} {name}"


def understood(text: str, words: Mapping[str, str]) -> str:
    """The code that a cell means; the text itself, for accounting to judge, where none is known."""
    return words.get(normal(text), text)


@cache
def provenances() -> Mapping[str, str]:
    return _words((each.value, (PROVENANCE_ZH[each], f"{PROVENANCE_ZH[each]}数据")) for each in Provenance)


@cache
def industries() -> Mapping[str, str]:
    return _words((each.code, (each.name_zh, each.name_en)) for each in load().industries.values())


@cache
def fractions() -> frozenset[str]:
    """Parameters whose values are fractions of 1 in every unit that a method has them in."""
    methods = load()
    bases = {(each.parameter, each.base) for each in methods.parameter_units}
    same = {
        (each.parameter, each.base)
        for each in methods.parameter_units
        if each.unit == FRACTION and each.factor == 1
    }
    others = {parameter for parameter, _ in bases - same}
    return frozenset(parameter for parameter, _ in same if parameter not in others)


@cache
def units() -> Mapping[str, str]:
    """Units of amounts; by code, by name, and as tables of energy use write them."""
    words = dict(
        _words(
            (code, (unit.name, *unit.name.split()[-1:]))
            for code, unit in UNITS.items()
            if unit.consumption == code
        )
    )
    return {**words, normal("万Nm³"): "10k_nm3", normal("Nm³"): "nm3"}


@cache
def sources(industry: str, edition: str) -> Mapping[str, str]:
    methods = load().by_edition.get((industry, edition), {})
    return _words((code, (method.name,)) for code, method in methods.items())


@cache
def fuels() -> Mapping[str, str]:
    return _named(load_library().tables.fuel_classes)


@cache
def materials(industry: str, source: str) -> Mapping[str, str]:
    """Those that the process factors of a source list, under any edition."""
    process = load_library().tables.process
    return _named({key[3]: None for key in process if key[1:3] == (industry, source) and key[3]})


def _named(codes: Iterable[str]) -> Mapping[str, str]:
    return _words((code, (name(code, "zh"), name(code, "en"))) for code in codes)


def _words(entries: Iterable[tuple[str, tuple[str, ...]]]) -> Mapping[str, str]:
    """Normal text -> code: every code, and the names that only one code has."""
    entries = list(entries)
    owners: dict[str, set[str]] = {}
    for code, called in entries:
        for text in called:
            owners.setdefault(normal(text), set()).add(code)
    found = {text: next(iter(codes)) for text, codes in owners.items() if len(codes) == 1}
    labels = {normal(label(code, text)): code for code, called in entries for text in called}
    return {**found, **labels, **{normal(code): code for code, _ in entries}}
