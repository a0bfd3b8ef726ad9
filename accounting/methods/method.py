"""What a guideline says of its emission sources, as values: industries, editions, methods, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from accounting.methods.data_file import Validity
from accounting.rounding import Rounding


class Place(StrEnum):
    """Where the default of a parameter comes from."""

    REQUIRED = "required"  # nowhere: it is given
    OPTIONAL = "optional"  # nowhere, and it may be left out
    TABLE = "table"  # the industry's process factors, by material
    FUEL = "fuel"  # the fuel table, by fuel
    FEED = "feed"  # the process factors of the feed gas
    GRID = "grid"  # by area and emission year
    HEAT = "heat"
    GWP = "gwp"  # the set of the edition, by gas
    FIXED = "fixed"  # a plain figure in the method file


# units without a denominator that are no amounts
_PROPERTIES = ("fraction", "percent", "minute per cell-day")


class Role(StrEnum):
    """What an edition is for."""

    GUIDELINE = "guideline"  # one of the 24 of 2013 to 2015: an industry's own
    STANDARD = "standard"  # GB/T 32151
    MARKET = "market"  # of the national market, by date
    REFERENCE = "reference"  # tables only, no methods


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter of a method. Its values are in one of `units`; others are converted to one of them."""

    name: str
    units: tuple[str, ...]
    place: Place
    default: Fraction | None = None
    required_with: str | None = None  # required once that parameter is given
    replaced_by: str | None = None  # not required once that parameter is given

    @property
    def is_amount(self) -> bool:
        """Whether it is an absolute amount of the period, not a property of what is counted."""
        return not any("/" in unit or unit in _PROPERTIES for unit in self.units)


@dataclass(frozen=True, slots=True)
class Method:
    """An emission source of an industry under an edition."""

    industry: str
    edition: str
    code: str
    name: str
    kind: str
    formula: str
    units: tuple[str, ...]  # that amounts are converted to
    gases: tuple[str, ...]  # "material", "byproduct": the gas that the material names
    scope: int
    boundaries: tuple[str, ...]
    deduction: bool
    clause: str
    confidence: str
    parameters: dict[str, ParameterSpec]
    ets_until: date | None = None  # counts for the market on days before this one only
    default_materials: tuple[str, ...] = ()  # tried where the activity names none
    fuels: tuple[str, ...] = ()  # empty: any
    other_group: tuple[str, ...] = ()  # materials that belong to another source
    material_gas: dict[str, str] = field(default_factory=dict)
    shares: tuple[tuple[str, ...], ...] = ()  # parameters that are shares of one whole, whole by whole
    factors_from: str | None = None  # the edition whose process factors it uses, if not its own
    note: str = ""

    @property
    def table_edition(self) -> str:
        return self.factors_from or self.edition

    def gases_of(self, material: str | None) -> tuple[str, ...]:
        """Its gases, by their codes; of a source whose material names the gas, or feed>by-product, that gas."""
        named = {"material": material or "", "byproduct": (material or "").partition(">")[2]}
        return tuple(self.material_gas.get(named.get(gas, gas), named.get(gas, gas)) for gas in self.gases)

    def counts_for(self, boundary: str, day: date) -> bool:
        """Whether the source is part of a boundary's total on a day."""
        if boundary not in self.boundaries:
            return False
        return boundary != "ets" or self.ets_until is None or day < self.ets_until


@dataclass(frozen=True, slots=True)
class Industry:
    code: str
    name_zh: str
    name_en: str
    edition: str  # its own


@dataclass(frozen=True, slots=True)
class Edition:
    """A published set of methods or tables, for some industries."""

    code: str
    role: Role
    industries: tuple[str, ...]
    document: str
    data_years: Validity
    gwp_set: str | None
    fuels_fallback: bool  # what its fuel table leaves blank is taken from the industry's own guideline
    decimals: int  # of tonnes in its reports
    rounding: Rounding
    confidence: str
    note: str


@dataclass(frozen=True, slots=True)
class ParameterUnit:
    """A unit that values of a parameter come in: value × `factor` is in `base`."""

    parameter: str
    unit: str
    base: str
    factor: Fraction
    lower: Fraction | None  # of plausible table values, in `base`
    upper: Fraction | None
