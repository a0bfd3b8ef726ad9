"""Data files: CSV rows that know their place, read strictly, with every fault collected.

A reader never stops at the first fault: it notes it with file and row and goes on, so that a person who
edits a table sees all that is wrong at once. Row 1 is the header.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from domain.errors import Fault

_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?\Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
CONFIDENCES = ("H", "M", "L")


def parse_decimal(text: str) -> Fraction | None:
    """The exact value of a plain decimal; None where the text is none.

    >>> parse_decimal("0.4976"), parse_decimal("1e3")
    (Fraction(311, 625), None)
    """
    return Fraction(text) if _DECIMAL.match(text) else None


def parse_date(text: str) -> date | None:
    if not _DAY.match(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(slots=True)
class Faults:
    """What is wrong with the files of a folder, with places relative to it."""

    root: Path
    found: list[Fault] = field(default_factory=list)

    def add(self, path: Path, message: str, row: int | None = None) -> None:
        place = path.relative_to(self.root).as_posix()
        self.found.append(Fault(place if row is None else f"{place} row {row}", message))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a CSV file, with readers that note a fault and return None where a cell is wrong."""

    path: Path
    number: int
    cells: dict[str, str]
    faults: Faults

    def fault(self, message: str) -> None:
        self.faults.add(self.path, message, self.number)

    def optional(self, column: str) -> str:
        return self.cells[column]

    def text(self, column: str) -> str:
        """A cell that must not be empty."""
        value = self.cells[column]
        if not value:
            self.fault(f"{column} is empty")
        return value

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """A cell of a closed list."""
        value = self.text(column)
        if value and value not in allowed:
            known = ", ".join(sorted(allowed)) if len(allowed) <= 12 else f"{len(allowed)} are known"
            self.fault(f"{column} {value!r} is unknown; {known}")
        return value

    def confidence(self) -> str:
        return self.choice("confidence", CONFIDENCES)

    def number_or_none(self, column: str) -> Fraction | None:
        value = self.cells[column]
        if not value:
            return None
        parsed = parse_decimal(value)
        if parsed is None:
            self.fault(f"{column} {value!r} is not a plain decimal")
        return parsed

    def number_of(self, column: str) -> Fraction:
        """A number that must be there; 0 where it isn't, which the fault makes harmless."""
        if not self.text(column):
            return Fraction(0)
        return self.number_or_none(column) or Fraction(0)

    def date_or_none(self, column: str) -> date | None:
        value = self.cells[column]
        if not value:
            return None
        parsed = parse_date(value)
        if parsed is None:
            self.fault(f"{column} {value!r} is not a date such as 2023-01-31")
        return parsed

    def validity(self, from_column: str = "valid_from", to_column: str = "valid_to") -> Validity:
        start, end = self.date_or_none(from_column), self.date_or_none(to_column)
        if start is not None and end is not None and end < start:
            self.fault(f"{to_column} {end} is before {from_column} {start}")
        return Validity(start, end)


@dataclass(frozen=True, slots=True)
class Validity:
    """Dates from `first` to `last`, both included; None is open."""

    first: date | None
    last: date | None

    def overlaps(self, other: Validity) -> bool:
        starts_before_end = self.first is None or other.last is None or self.first <= other.last
        return starts_before_end and (other.first is None or self.last is None or other.first <= self.last)

    def holds(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        return f"{self.first or '…'} to {self.last or '…'}"


def read_rows(path: Path, columns: Sequence[str], faults: Faults) -> Iterator[Row]:
    """The rows of a CSV file (UTF-8, header as given); a file that can't be read is a fault."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        faults.add(path, f"can't be read: {error}")
        return
    if not lines or lines[0] != list(columns):
        faults.add(
            path, f"has the header {','.join(lines[0]) if lines else ''!r}, expected {','.join(columns)}", 1
        )
        return
    if len(lines) == 1:
        faults.add(path, "has no rows")
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(columns):
            faults.add(path, f"has {len(cells)} cells, expected {len(columns)}", number)
            continue
        row = Row(path, number, dict(zip(columns, cells, strict=True)), faults)
        padded = [column for column, cell in row.cells.items() if cell != cell.strip()]
        if padded:
            row.fault(f"{', '.join(padded)}: spaces around the value")
        yield row


def read_toml(path: Path, faults: Faults) -> dict[str, Any]:
    """The table of a TOML file; empty, with a fault, where it can't be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.add(path, f"can't be read: {error}")
        return {}
