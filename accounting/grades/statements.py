"""What is stated for grades, as documents: figures, outputs, benchmarked products, facts. Read into inputs.

    figure     {"denominator", "from": "2026-01", "to": "2026-12", "value", "constant"?, "provider", "provenance"}
    output     {"product", "month": "2026-01", "energy", "output"}
    benchmark  {"product", "benchmark", "conditions": {name: value}, "sources": [source]}
    fact       {"id", "from": "2026-01", "to": "2026-03" or null, "evidence"}

Values are decimals in quotes with at most twelve places; value added and the like are in 10⁴ yuan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from accounting.grades.benchmarks import Benchmark, BenchmarkTable
from accounting.grades.inputs import Fact, Figure, ProductInputs, month_number

FIGURE, OUTPUT, BENCHMARK, FACT = "figure", "output", "benchmark", "fact"


def month_of(text: str) -> int:
    """
    >>> month_of("2026-06")
    677
    """
    year, _, month = text.partition("-")
    return month_number(int(year), int(month))


def key_of(kind: str, document: Mapping[str, Any]) -> str:
    """What names a statement: of one kind and key the newest is in force.

    >>> key_of("output", {"product": "clinker", "month": "2026-01"})
    'clinker 2026-01'
    """
    names = {
        FIGURE: ("denominator", "from", "to"),
        OUTPUT: ("product", "month"),
        BENCHMARK: ("product",),
        FACT: ("id", "from"),
    }[kind]
    return " ".join(str(document[name]) for name in names)


@dataclass(slots=True)
class Stated:
    """What is stated of one enterprise, read."""

    figures: dict[str, list[Figure]] = field(default_factory=dict)
    outputs: dict[str, dict[int, tuple[Fraction, Fraction]]] = field(default_factory=dict)
    benchmarks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    def take(self, kind: str, document: Mapping[str, Any]) -> None:
        """Add a statement in force."""
        match kind:
            case "figure":
                constant = document.get("constant")
                self.figures.setdefault(document["denominator"], []).append(
                    Figure(
                        month_of(document["from"]),
                        month_of(document["to"]),
                        Fraction(document["value"]),
                        None if constant is None else Fraction(constant),
                        document["provider"],
                    )
                )
            case "output":
                months = self.outputs.setdefault(document["product"], {})
                months[month_of(document["month"])] = (
                    Fraction(document["energy"]),
                    Fraction(document["output"]),
                )
            case "benchmark":
                self.benchmarks[document["product"]] = document
            case "fact":
                last = document["to"]
                self.facts.append(
                    Fact(
                        document["id"],
                        month_of(document["from"]),
                        None if last is None else month_of(last),
                        document["evidence"],
                    )
                )

    def without_overlaps(self) -> dict[str, tuple[Figure, ...]]:
        """Figures by denominator, ascending; where some overlap those of fewer months stand."""
        return {kind: tuple(_finest(figures)) for kind, figures in self.figures.items()}

    def products(self, table: BenchmarkTable, last_day: date) -> tuple[ProductInputs, ...]:
        """Those whose benchmark is in force on the window's last day; a source counts for the first that has it."""
        found: list[ProductInputs] = []
        taken: set[str] = set()
        for product, document in sorted(self.benchmarks.items()):
            benchmark = benchmark_named(table, document["benchmark"], last_day)
            if benchmark is None:
                continue
            sources = tuple(each for each in document["sources"] if each not in taken)
            taken.update(sources)
            found.append(
                ProductInputs(
                    product,
                    benchmark,
                    {name: Fraction(value) for name, value in document["conditions"].items()},
                    sources,
                    self.outputs.get(product, {}),
                )
            )
        return tuple(found)


def benchmark_named(table: BenchmarkTable, name: str, day: date) -> Benchmark | None:
    """By its id; or by product code, the mandatory one that is in force on a day."""
    known = table.by_id.get(name)
    if known is not None:
        return known
    return next(
        (
            each
            for each in table.by_id.values()
            if each.product == name and each.is_mandatory and each.validity.holds(day)
        ),
        None,
    )


def benchmark_names(table: BenchmarkTable) -> set[str]:
    """What a product's benchmark may be named by."""
    return set(table.by_id) | {each.product for each in table.by_id.values()}


def _finest(figures: Iterable[Figure]) -> Sequence[Figure]:
    taken: set[int] = set()
    found = []
    for figure in sorted(figures, key=lambda each: (each.last - each.first, each.first)):
        months = range(figure.first, figure.last + 1)
        if taken.isdisjoint(months):
            taken.update(months)
            found.append(figure)
    return sorted(found, key=lambda each: each.first)
