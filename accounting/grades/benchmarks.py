"""Benchmark levels by standard and item (`benchmarks.csv`), with dates and corrections; every fault at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from accounting.grades.correction import Correction, MissingCondition, read_correction
from accounting.grades.curves import Levels
from accounting.methods.data_file import Faults, Row, Validity, read_rows
from domain.errors import FaultyDocument, Refused

PATH = Path(__file__).parent / "benchmarks.csv"
UNITS = ("kgce/t", "gce/kWh", "kWh/t")
COLUMNS = (
    "id",
    "standard",
    "item",
    "product",
    "unit",
    "level_1",
    "level_2",
    "level_3",
    "effective_from",
    "effective_to",
    "mandatory",
    "correct_1",
    "correct_2",
    "correct_3",
    "source",
    "confidence",
    "note",
)


@dataclass(frozen=True, slots=True)
class Corrected:
    """Levels under stated conditions, and what was done to get them (for the record)."""

    levels: Levels
    corrections: tuple[str, ...]
    missing: tuple[str, ...]  # conditions that aren't stated, so that their correction isn't applied


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Levels 1 to 3 of a product [unit]. `version`: the hash of the table it comes from."""

    id: str
    standard: str
    item: str
    product: str
    unit: str
    levels: Levels
    validity: Validity
    is_mandatory: bool
    corrections: tuple[Correction | None, Correction | None, Correction | None]
    source: str
    confidence: str
    note: str

    @property
    def conditions(self) -> list[str]:
        """What can be stated for it."""
        return sorted(set().union(*(each.conditions for each in self.corrections if each is not None)))

    def corrected(self, conditions: Mapping[str, Fraction]) -> Corrected:
        """Under these conditions. Refused where level 1 doesn't stay below level 3."""
        done: list[str] = []
        missing: set[str] = set()

        def apply(number: int, level: Fraction) -> Fraction:
            correction = self.corrections[number - 1]
            if correction is None:
                return level
            try:
                value = correction.value(level, conditions)
            except MissingCondition as error:
                missing.add(error.name)
                return level
            done.append(f"level {number}: {correction.text}")
            return value

        one, three = apply(1, self.levels.one), apply(3, self.levels.three)
        two = None if self.levels.two is None else apply(2, self.levels.two)
        if one >= three:
            raise Refused(f"{self.id}: under these conditions level 1 isn't below level 3")
        if two is not None and not one <= two <= three:
            two = one if two < one else three
            done.append("level 2: the nearer of levels 1 and 3")
        return Corrected(Levels(one, two, three), tuple(done), tuple(sorted(missing)))


@dataclass(frozen=True, slots=True)
class BenchmarkTable:
    by_id: Mapping[str, Benchmark]
    hash: str


@cache
def benchmark_table() -> BenchmarkTable:
    """The one that comes with this version."""
    return read_benchmarks(PATH)


def read_benchmarks(path: Path) -> BenchmarkTable:
    """Raises FaultyDocument with every fault by row."""
    faults = Faults(path.parent)
    found: dict[str, Benchmark] = {}
    for row in read_rows(path, COLUMNS, faults):
        benchmark = _read(row)
        if benchmark.id in found:
            row.fault(f"id {benchmark.id!r} stands twice")
        for other in found.values():
            same = (other.standard, other.product) == (benchmark.standard, benchmark.product)
            if same and other.validity.overlaps(benchmark.validity):
                row.fault(f"{benchmark.standard} {benchmark.product} overlaps {other.id} in time")
        found[benchmark.id] = benchmark
    if faults.found:
        raise FaultyDocument(faults.found)
    return BenchmarkTable(found, hashlib.sha256(path.read_bytes()).hexdigest())


def _read(row: Row) -> Benchmark:
    levels = Levels(row.number_of("level_1"), row.number_or_none("level_2"), row.number_of("level_3"))
    fault = levels.fault()
    if fault is not None:
        row.fault(fault)
    corrections = []
    for number in (1, 2, 3):
        text = row.optional(f"correct_{number}")
        correction = None
        if text:
            try:
                correction = read_correction(text)
            except Refused as error:
                row.fault(f"correct_{number}: {error}")
            if number == 2 and levels.two is None:
                correction = None
        corrections.append(correction)
    return Benchmark(
        row.text("id"),
        row.text("standard"),
        row.text("item"),
        row.text("product"),
        row.choice("unit", UNITS),
        levels,
        row.validity("effective_from", "effective_to"),
        row.choice("mandatory", ("yes", "no")) == "yes",
        (corrections[0], corrections[1], corrections[2]),
        row.text("source"),
        row.confidence(),
        row.optional("note"),
    )
