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
