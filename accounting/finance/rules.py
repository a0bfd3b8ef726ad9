"""The rules of financed emissions as data (`rules.toml`): read strictly, every fault of the file at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from accounting.methods.data_file import CONFIDENCES, Faults, parse_decimal, read_toml
from domain.errors import FaultyDocument

FILE = Path(__file__).parent / "rules.toml"
FIGURES = ("equity", "debt", "evic", "total_assets", "revenue", "project_total")
EXCLUSIONS = ("small_amount", "small_enterprise", "person", "overseas", "other_sector")


@dataclass(frozen=True, slots=True)
class Denominator:
    code: str
    figures: tuple[str, ...]
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Option:
    """How emissions were come by. Scores: 1 is best, 5 worst."""

    code: str
    pcaf: str
    pcaf_score: int
    method: str
    method_score: int
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class FinanceRules:
    denominators: Mapping[str, Denominator]
    options: Mapping[str, Option]
    exclusions: Mapping[str, Mapping[str, Any]]
    small_amount: Fraction
    hash: str


@cache
def rules() -> FinanceRules:
    """Those that come with this version."""
    return read_rules(FILE)


def read_rules(path: Path) -> FinanceRules:
    """Raises FaultyDocument with every fault of the file."""
    faults = Faults(path.parent)
    data = read_toml(path, faults)

    def marks(place: str, table: Mapping[str, Any]) -> tuple[str, str]:
        if not str(table.get("source", "")).strip():
            faults.add(path, f"{place}.source is missing")
        if table.get("confidence") not in CONFIDENCES:
            faults.add(path, f"{place}.confidence is none of {', '.join(CONFIDENCES)}")
        return str(table.get("source")), str(table.get("confidence"))

    denominators = {}
    for code, table in data.get("denominators", {}).items():
        figures = tuple(table.get("figures", ()))
        if not figures or any(figure not in FIGURES for figure in figures):
            faults.add(path, f"denominators.{code}.figures are some of {', '.join(FIGURES)}")
        denominators[code] = Denominator(code, figures, *marks(f"denominators.{code}", table))
    options = {}
    for code, table in data.get("options", {}).items():
        scores = [table.get(name) for name in ("pcaf_score", "method_score")]
        if any(score not in range(1, 6) for score in scores):
            faults.add(path, f"options.{code}: scores are 1 to 5")
        options[code] = Option(
            code, str(table.get("pcaf")), table.get("pcaf_score", 5), str(table.get("method")),
            table.get("method_score", 5), *marks(f"options.{code}", table),
        )  # fmt: skip
    exclusions = data.get("exclusions", {})
    if set(exclusions) != set(EXCLUSIONS):
        faults.add(path, f"exclusions must be {', '.join(EXCLUSIONS)}")
    for code, table in exclusions.items():
        marks(f"exclusions.{code}", table)
    small = parse_decimal(str(exclusions.get("small_amount", {}).get("below", "")))
    if small is None:
        faults.add(path, "exclusions.small_amount.below must be a decimal in quotes")
    if not denominators or not options:
        faults.add(path, "denominators and options are needed")
    if faults.found:
        raise FaultyDocument(faults.found)
    return FinanceRules(
        denominators, options, exclusions, small or Fraction(0), hashlib.sha256(path.read_bytes()).hexdigest()
    )
