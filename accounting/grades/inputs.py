"""What a grade is computed from. Months are counted from January 1970 (`month_number`), local calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from accounting.grades.benchmarks import Benchmark

WINDOW = 12  # months of R12
MG_PER_TONNE = 1_000_000_000


def month_number(year: int, month: int) -> int:
    """
    >>> month_number(1970, 1), month_number(2026, 6)
    (0, 677)
    """
    return (year - 1970) * 12 + month - 1


def month_text(number: int) -> str:
    """
    >>> month_text(677)
    '2026-06'
    """
    return f"{1970 + number // 12:04d}-{number % 12 + 1:02d}"


@dataclass(frozen=True, slots=True)
class SourceSum:
    """A source over the window, account boundary [mg CO2e; deductions below zero]; intervals known and expected."""

    source: str
    co2e_mg: int
    valid: int
    expected: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A denominator of the months `first` to `last`, both included [10⁴ yuan]. `constant`: at constant prices."""

    first: int
    last: int
    value: Fraction
    constant: Fraction | None = None
    provider: str = ""


@dataclass(frozen=True, slots=True)
class ProductInputs:
    """A benchmarked product: energy in the benchmark's energy unit and output by month, and whose emissions it has."""

    product: str
    benchmark: Benchmark
    conditions: Mapping[str, Fraction]
    sources: tuple[str, ...]
    months: Mapping[int, tuple[Fraction, Fraction]]  # month -> (energy, output)


@dataclass(frozen=True, slots=True)
class Fact:
    """What an override rests on: FALSE_DATA, QUOTA_DUE, or an accident. `last`: None while it isn't over."""

    id: str
    first: int
    last: int | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Reported:
    """The same period's emissions as somebody reported or verified them [mg CO2e]."""

    co2e_mg: int
    kind: str  # reported | verified
    reference: str


@dataclass(frozen=True, slots=True)
class Previous:
    """The grade published before. `held`: its label before caps; `scores`: S of the last quarter ends, newest first."""

    label: str
    held: str
    scores: tuple[Fraction | None, ...]


@dataclass(frozen=True, slots=True)
class GradeInputs:
    """Of one enterprise for the window that ends with `month`.

    emissions       month -> mg CO2e of the account boundary, closed months of which something is known
    sources         the window by source; `sources_before`: twelve months earlier
    figures         denominator -> figures that don't overlap
    verified_mg     ANNUAL: the verified year in place of the months' sum
    """

    uscc: str
    month: int
    district: str
    gb_t_4754: str | None
    emissions: Mapping[int, int]
    sources: tuple[SourceSum, ...]
    sources_before: tuple[SourceSum, ...] = ()
    figures: Mapping[str, tuple[Figure, ...]] = field(default_factory=dict)
    products: tuple[ProductInputs, ...] = ()
    facts: tuple[Fact, ...] = ()
    reported: Reported | None = None
    previous: Previous | None = None
    verified_mg: int | None = None
    factor_sets: tuple[str, ...] = ()
    two_high: bool = False
    bonus: Fraction = Fraction(0)

    @property
    def first_month(self) -> int:
        return self.month - WINDOW + 1
