"""Cells of a file, whatever its format: text as it was sent, with its place, and the faults found in it.

Rows and columns are counted as a spreadsheet counts them: the first row of the file is 1, the first column A. In CSV a
quoted cell may hold line breaks; a row then covers several lines, as it does in a spreadsheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import Fault, FaultyDocument

BYTES_MAX = 16 << 20  # of a file as it is sent
ROWS_MAX = 100_000  # with anything in them
COLUMNS_MAX = 256
CELL_CHARACTERS_MAX = 4_000
FAULTS_MAX = 10_000
VALUE_CHARACTERS_MAX = 60  # of a value in a message


class CellKind(StrEnum):
    TEXT = "text"
    NUMBER = "number"  # of a spreadsheet: the shortest decimal that its double stands for
    PERCENT = "percent"  # a number shown as a percentage
    DATE = "date"
    FORMULA = "formula"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    kind: CellKind = CellKind.TEXT


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row with anything in it: cells by column, from 0; those that are empty are left out."""

    number: int
    cells: dict[int, Cell]

    @property
    def is_remark(self) -> bool:
        """Whether its first cell begins with `#`: it is for people."""
        return self.cells[min(self.cells)].text.startswith("#")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook, or a CSV file, which has no name. Its rows can be read once."""

    name: str | None
    rows: Iterator[FileRow]


@dataclass(frozen=True, slots=True)
class CellFault(Fault):
    """A fault at a place of a file; `row` from 1, `column` in letters, either None where it is about more."""

    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    field: str | None = None  # the column's code
    value: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        return {
            "place": self.place,
            "message": self.message,
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "field": self.field,
            "value": self.value,
        }


class TooManyFaults(FaultyDocument):
    """Reading ended early: the faults found by then, and one that says so."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a file."""

    found: list[Fault] = field(default_factory=list)

    def add(
        self,
        sheet: str | None,
        row: int | None,
        column: int | None,
        message: str,
        code: str | None = None,
        value: str | None = None,
    ) -> None:
        """Note a fault; raises TooManyFaults beyond FAULTS_MAX of them."""
        letters = None if column is None else column_letters(column)
        shown = None if value is None else shortened(value)
        place = place_of(sheet, row, letters)
        self.found.append(CellFault(place, message, sheet, row, letters, code, shown))
        if len(self.found) >= FAULTS_MAX:
            self.found.append(
                Fault(
                    "",
                    f"only the first {FAULTS_MAX:,} faults are listed: mend what they share, and check again",
                )
            )
            raise TooManyFaults(self.found)


def place_of(sheet: str | None, row: int | None, letters: str | None) -> str:
    """`2023!C5`; `C5` in a file without sheets, `row 5` or `column C` where it is about all of it."""
    if row is not None:
        where = f"{letters}{row}" if letters else f"row {row}"
    else:
        where = f"column {letters}" if letters else ""
    return "!".join(part for part in (sheet, where) if part)


def column_letters(index: int) -> str:
    """
    >>> column_letters(0), column_letters(25), column_letters(26), column_letters(701)
    ('A', 'Z', 'AA', 'ZZ')
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def shortened(text: str) -> str:
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"
