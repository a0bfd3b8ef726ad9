"""The factor tables as values: what one row of each kind of file says. Exact, immutable, hashable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from accounting.methods.data_file import Validity


@dataclass(frozen=True, slots=True)
class Figure:
    """A published value: exact, with its text as printed, its unit and where it stands."""

    value: Fraction
    text: str
    unit: str
    source: str
    edition: str
    confidence: str
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class GridFactor:
    """An average (or margin) of a grid in a vintage year; `validity` are the emission days it belongs to."""

    area: str
    kind: str
    year: int
    figure: Figure
    validity: Validity


@dataclass(frozen=True, slots=True)
class Fuel:
    """Default values of a fuel in one guideline's table; what the table leaves blank is absent."""

    code: str
    edition: str
    industries: tuple[str, ...]
    unit: str  # t or 10k_nm3
    values: Mapping[str, Figure] = field(hash=False)  # ncv, carbon_content, oxidation_rate, …


@dataclass(frozen=True, slots=True)
class ProcessFactor:
    """A default of a method's parameter, for a material or for all ("")."""

    industry: str
    method: str  # "" for all of the industry's
    material: str
    parameter: str
    figure: Figure
    lower: Fraction | None  # the range that the source prints
    upper: Fraction | None


@dataclass(frozen=True, slots=True)
class HeatFactor:
    figure: Figure
    validity: Validity


@dataclass(frozen=True, slots=True)
class Membership:
    """A district prefix and the grid region it lies in, for vintages within the validity."""

    district: str
    area: str
    validity: Validity
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Stand:
    """One row of a substitution rule: what stands in; None where the edition's own table, or another figure, does."""

    value: Fraction | None
    unit: str
    source: str
    confidence: str
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SubstitutionRule:
    """A substitution rule by its rows, (parameter, edition or "" for any, fuel class or "")."""

    code: str
    stands: Mapping[tuple[str, str, str], Stand] = field(hash=False)

    def number(self, name: str) -> Fraction:
        """A number that the rule itself works by, such as the longest gap."""
        value = self.stands[name, "", ""].value
        assert value is not None
        return value

    @property
    def fuel_classes(self) -> tuple[str, ...]:
        """The classes of fuel that it is for; empty: it replaces no parameter."""
        return tuple(dict.fromkeys(fuel_class for _, _, fuel_class in self.stands if fuel_class))

    def parameters(self, fuel_class: str) -> tuple[str, ...]:
        """The parameters of such a fuel that need a value of the month."""
        return tuple(dict.fromkeys(name for name, _, of in self.stands if of and of == fuel_class))

    def stand(self, parameter: str, edition: str, fuel_class: str) -> Stand:
        return self.stands.get((parameter, edition, fuel_class)) or self.stands[parameter, "", fuel_class]


@dataclass(frozen=True, slots=True)
class FactorTables:
    """A frozen set of tables. `set_hash` is the SHA-256 of its content, whatever the files' order and layout."""

    areas: Mapping[str, str]  # code -> level: nation, region, province
    memberships: tuple[Membership, ...]
    grid: tuple[GridFactor, ...]
    heat: tuple[HeatFactor, ...]
    gwp: Mapping[tuple[str, str], Figure]  # (set, gas)
    fuels: Mapping[tuple[str, str, str], Fuel]  # (edition, industry or "general", code)
    alternative_fuels: Mapping[tuple[str, str], Fuel]  # (edition, code)
    fuel_classes: Mapping[str, str]
    process: Mapping[
        tuple[str, str, str, str, str], ProcessFactor
    ]  # (edition, industry, method, material, parameter)
    substitutions: Mapping[str, SubstitutionRule]
    set_hash: str


def canonical(value: Any) -> Any:
    """Plain JSON of tables and methods: mappings with text keys, fractions as n/d.

    All that a description may print is in it, notes too: equal hashes mean equal answers, word for word.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case Mapping():
            return {_key(key): canonical(each) for key, each in value.items()}
        case tuple() | list():
            return [canonical(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: canonical(getattr(value, name)) for name in value.__dataclass_fields__}
    return str(value)


def _key(key: Any) -> str:
    return "|".join(key) if isinstance(key, tuple) else str(key)


def content_hash(*parts: Any) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of the parts."""
    text = json.dumps(
        [canonical(part) for part in parts], ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()
