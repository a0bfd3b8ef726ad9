"""Titled tables of texts in one language: what the renderers lay out. Pure values.

A cell is a text, None where nothing is known. Amounts are exact decimal texts; a renderer may show fewer digits, never
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Cell: TypeAlias = str | None


class Form(StrEnum):
    """What a column holds: words, decimals to calculate with, or exact decimals that a double may not hold."""

    TEXT = "text"
    NUMBER = "number"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Column:
    """width: in characters. only_sheet: not on paper, where there is no room for it."""

    title: str
    width: int
    form: Form = Form.TEXT
    only_sheet: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """strong: the rows that are totals, by their places."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    strong: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Paper:
    """What is laid out: a title, lines below it, tables; `footer` on every page. `made_at`: the books' moment."""

    title: str
    lines: Sequence[str]
    tables: Sequence[Table]
    footer: str
    language: str
    made_at: str
