"""The registry as values: enterprises, their meters' channels in time, and what is counted from them.

Dates are local days (numbers, see `interval.Calendar`); `None` as a beginning means "for all time".
`domain.document` reads and writes the registry document; `storage.registry` keeps it and gives the ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Generic, TypeVar

from domain.interval import Period
from domain.validation import CheckRule

T = TypeVar("T")


class Kind(StrEnum):
    """What a channel's values are."""

    REGISTER = "register"  # a cumulative counter
    DELTA = "delta"  # the amount of the period that ends at the stamp
    RATE = "rate"  # power or flow at the stamp


@dataclass(frozen=True, slots=True)
class ChannelVersion:
    """One channel between two changes of it; both ends of its validity take stamps.

    Values "on the dial" are before the multiplier. `max_rate` is in the consumption unit per hour,
    after the multiplier.
    """

    valid_from_us: int
    valid_to_us: int | None
    quantity: str
    kind: Kind
    unit: str  # of the readings: kWh, kW, …
    multiplier: Fraction
    resolution: Fraction  # value of one count, on the dial
    modulus: Fraction | None = None  # on the dial
    max_rate: Fraction | None = None
    max_gap_us: int | None = None
    period: Period | None = None
    snap: bool = True
    opening: Fraction | None = None  # on the dial
    closing: Fraction | None = None  # on the dial

    def takes(self, at_us: int) -> bool:
        """Whether a stamp lies within the validity, both ends included."""
        return self.valid_from_us <= at_us and (self.valid_to_us is None or at_us <= self.valid_to_us)


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a derived channel comes from others: a named function of input channels."""

    function: str
    inputs: tuple[tuple[str, str], ...]  # (name of the input, "METER/CHANNEL")


@dataclass(frozen=True, slots=True)
class Point:
    """A measured (or derived) quantity under its lasting name METER/CHANNEL, with its versions in time.

    `unit` is the unit of its consumption (kWh for a channel in kW); one amount of the ledger is
    10^`exponent` of it: the power of ten that holds resolution × multiplier of every version exactly.
    """

    id: int
    uscc: str
    meter: str
    channel: str
    quantity: str
    kind: Kind
    unit: str
    exponent: int
    versions: tuple[ChannelVersion, ...]  # ordered, not overlapping; one open-ended for a derived point
    derivation: Derivation | None = None

    @property
    def name(self) -> str:
        return f"{self.meter}/{self.channel}"

    def version_at(self, at_us: int) -> ChannelVersion | None:
        """The version that takes this stamp; the later one where two touch."""
        for version in reversed(self.versions):
            if version.takes(at_us):
                return version
        return None


@dataclass(frozen=True, slots=True)
class Term:
    """A channel of a signed sum."""

    sign: int  # +1 or -1
    point: str  # "METER/CHANNEL"


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A value that holds from a local day on, until the next one."""

    from_day: int | None
    value: T


def dated_value(history: Sequence[Dated[T]], day: int) -> T | None:
    """The value in force on a day: the latest that has begun. `history` is ordered by its beginning."""
    result: T | None = None
    for entry in history:
        if entry.from_day is None or entry.from_day <= day:
            result = entry.value
    return result


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """What a source counts, from a day on."""

    method: str  # a source code of the industry's guideline
    fuel: str | None
    material: str | None
    terms: tuple[Term, ...]
    substitution: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated value that replaces a default: a measured NCV, a contract's factor."""

    name: str
    value: Fraction
    unit: str | None
    from_day: int | None
    origin: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """An emission source of an enterprise."""

    id: int
    uscc: str
    code: str
    versions: tuple[Dated[SourceVersion], ...]
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """What a product's emission is expected within, both ends included [kg CO2e per unit]; None: no end."""

    low: Fraction | None
    high: Fraction | None
    over: str  # day or month


@dataclass(frozen=True, slots=True)
class ProductVersion:
    terms: tuple[Term, ...]
    unit: str
    band: Band | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """Product output: the denominator of an intensity."""

    code: str
    versions: tuple[Dated[ProductVersion], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """That a meter was found right: local days, both included; None as an end: not said."""

    from_day: int
    until_day: int | None
    reference: str | None = None  # the certificate


@dataclass(frozen=True, slots=True)
class Check:
    """What an enterprise says of a check between its channels: what it compares, or other limits than the default.

    channel     METER/CHANNEL that the limits are for; None: all
    tolerance   None: the rule's own, as is `shortest_us`
    active      False: not to be judged
    """

    code: str
    rule: CheckRule
    main: tuple[Term, ...] = ()
    subs: tuple[Term, ...] = ()
    consumption: tuple[Term, ...] = ()
    product: str | None = None
    channel: str | None = None
    tolerance: Fraction | None = None
    shortest_us: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Gateway:
    id: str
    zone_offset_us: int | None = None  # for stamps without an offset; None: such stamps are rejected


@dataclass(frozen=True, slots=True)
class Park:
    code: str
    name_zh: str
    name_en: str
    district: str


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An accounting entity with all that is registered of it."""

    id: int
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    editions: tuple[Dated[str], ...]  # empty: the industry's own
    grid: tuple[Dated[str], ...]  # empty: province
    gb_t_4754: str | None
    districts: tuple[Dated[str], ...]
    parks: tuple[Dated[str | None], ...]
    flags: tuple[Dated[frozenset[str]], ...]
    gateways: dict[str, Gateway] = field(default_factory=dict)
    meters: dict[str, str] = field(default_factory=dict)  # id -> name
    points: dict[str, Point] = field(default_factory=dict)  # by METER/CHANNEL, derived ones too
    sources: dict[str, Source] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    calibrations: dict[str, tuple[Calibration, ...]] = field(
        default_factory=dict
    )  # by meter, where there are any


@dataclass(frozen=True, slots=True)
class Registry:
    """All of it, at one version of the database's registry."""

    version: int
    enterprises: dict[str, Enterprise] = field(default_factory=dict)
    parks: dict[str, Park] = field(default_factory=dict)
