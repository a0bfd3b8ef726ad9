"""XLSX as it comes: text as it stands, numbers as the shortest decimal of their double, dates as ISO dates.

A number of a cell is a double (ECMA-376): 0.1 is the decimal that a person typed, and the shortest one that stands for
that double. Formulas are refused, not read by what a program last made of them: that may be stale, or missing, and its
digits are those of a calculation in doubles. Who wants the value pastes the value.

What a workbook unpacks to is bounded before anything is unpacked, and workbooks are read one at a time.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl

from accounting.history.cells import (
    CELL_CHARACTERS_MAX,
    COLUMNS_MAX,
    Cell,
    CellKind,
    Faults,
    FileRow,
    Sheet,
)
from domain.errors import Fault, FaultyDocument

UNPACKED_BYTES_MAX = 256 << 20
WHOLE_BYTES_MAX = 32 << 20  # of what may be read whole: all but the sheets, which are read row by row
PARTS_MAX = 2_000
ROW_NUMBER_MAX = 1_048_576
CELLS_MAX = 20_000_000  # a row is as wide as its last cell, so few cells can make much of nothing

_LITERAL = re.compile(r'"[^"]*"|\\.')  # of a number format: text, which is no sign of a percentage

# One workbook in memory at a time; and what silences the library's warnings is of the whole process.
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def open_xlsx(content: bytes, faults: Faults) -> Iterator[Iterator[Sheet]]:
    """Its sheets in their order, each to be read before the next; raises FaultyDocument where it is no workbook."""
    _check_size(content)
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the library doesn't know: extensions, styles
        workbook = _loaded(content)
        with closing(workbook):
            yield (Sheet(sheet.title, _rows(sheet, faults)) for sheet in workbook.worksheets)


def _loaded(content: bytes) -> Any:
    try:
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
    except Exception as error:  # a broken workbook fails in whatever way its part does
        raise _no_workbook(error) from error


def _no_workbook(error: Exception | str) -> FaultyDocument:
    return FaultyDocument(
        [Fault("", f"is no workbook that can be read ({error}); save it as XLSX once more")]
    )


def _check_size(content: bytes) -> None:
    """Refuse what would unpack to too much, and XML with declarations of its own.

    A part can't unpack to more than it says: reading ends there.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            whole = sum(
                part.file_size for part in parts if not part.filename.lower().startswith("xl/worksheets/")
            )
            if len(parts) > PARTS_MAX or size > UNPACKED_BYTES_MAX or whole > WHOLE_BYTES_MAX:
                text = (
                    f"unpacks to {size / 2**20:,.0f} MiB in {len(parts):,} parts, {whole / 2**20:,.0f} MiB of them "
                    f"texts, styles and pictures; at most {UNPACKED_BYTES_MAX >> 20} MiB in {PARTS_MAX:,} parts and "
                    f"{WHOLE_BYTES_MAX >> 20} MiB are read: send it in several files"
                )
                raise FaultyDocument([Fault("", text)])
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels")):
                    with archive.open(part) as file:
                        head = file.read(4096)
                    if b"<!" in head.replace(b"\x00", b"").replace(b"<!--", b""):
                        raise _no_workbook(f"{part.filename[:80]!r} declares a document type")
    except FaultyDocument:
        raise
    except Exception as error:  # a broken archive fails in whatever way its part does
        raise _no_workbook(error) from error


def _rows(sheet: Any, faults: Faults) -> Iterator[FileRow]:
    cells_seen = 0
    for number, cells in enumerate(_raw_rows(sheet), 1):
        cells_seen += len(cells)
        if cells_seen > CELLS_MAX or number > ROW_NUMBER_MAX:
            faults.add(sheet.title, number, None, "too much of a sheet up to here; send it in several files")
            return
        kept: dict[int, Cell] = {}
        for column, raw in enumerate(cells):
            cell = None if raw.value is None else _cell(raw)
            if cell is None or not cell.text:
                continue
            if column >= COLUMNS_MAX:
                faults.add(sheet.title, number, column, f"more than {COLUMNS_MAX} columns", value=cell.text)
                break
            if len(cell.text) > CELL_CHARACTERS_MAX:
                text = f"has more than {CELL_CHARACTERS_MAX:,} characters"
                faults.add(sheet.title, number, column, text, value=cell.text)
                continue
            kept[column] = cell
        if kept:
            yield FileRow(number, kept)


def _raw_rows(sheet: Any) -> Iterator[Any]:
    try:
        sheet.reset_dimensions()  # what it says of its own size may be wrong
        yield from sheet.iter_rows()
    except Exception as error:  # a broken sheet fails in whatever way its part does
        raise _no_workbook(f"sheet {sheet.title[:40]!r}: {error}") from error


def _cell(raw: Any) -> Cell:
    value = raw.value
    if raw.data_type == "f":
        return Cell(str(getattr(value, "text", None) or value), CellKind.FORMULA)
    if raw.data_type == "e":
        return Cell(str(value), CellKind.ERROR)
    match value:
        case bool():
            return Cell("TRUE" if value else "FALSE")
        case int() | float():
            is_percent = "%" in _LITERAL.sub("", raw.number_format or "")
            return Cell(shortest_decimal(value), CellKind.PERCENT if is_percent else CellKind.NUMBER)
        case datetime():
            midnight = value.time() == time()
            return Cell(value.date().isoformat() if midnight else value.isoformat(" "), CellKind.DATE)
        case date() | time() | timedelta():
            return Cell(str(value), CellKind.DATE)
        case _:
            return Cell(str(value).strip())


def shortest_decimal(value: int | float) -> str:
    """The shortest plain decimal that a cell's number stands for.

    >>> shortest_decimal(0.1), shortest_decimal(5.0), shortest_decimal(1e21), shortest_decimal(2.5e-7)
    ('0.1', '5', '1000000000000000000000', '0.00000025')
    """
    text = f"{Decimal(repr(value)):f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
