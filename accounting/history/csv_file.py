"""CSV as it comes: UTF-8 with or without a mark, UTF-16 with one, GB18030; comma, semicolon or tab between cells."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator

from accounting.history.cells import CELL_CHARACTERS_MAX, COLUMNS_MAX, Cell, Faults, FileRow, Sheet
from accounting.history.columns import find
from domain.errors import Fault, FaultyDocument

_DELIMITERS = (",", ";", "\t")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_csv(content: bytes, faults: Faults) -> Sheet:
    """The file as one sheet; raises FaultyDocument where it is no text. Faults of cells are noted as rows are read."""
    text = _decoded(content)
    return Sheet(None, _rows(text, _delimiter(text), faults))


def _decoded(content: bytes) -> str:
    if content.startswith(_UTF16):
        encodings = ["utf-16"]  # what a spreadsheet calls Unicode text
    else:
        encodings = ["utf-8-sig", "gb18030"]  # GB18030 last: almost any bytes are some text in it
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise FaultyDocument([Fault("", "is no CSV text in UTF-8 or GB18030; save it as CSV UTF-8, or as XLSX")])


def _delimiter(text: str) -> str:
    """The delimiter by which most cells of the first rows are headers that are known."""

    def known(delimiter: str) -> int:
        found = 0
        lines = _reader(text, delimiter)
        try:
            for _, cells in zip(range(20), lines, strict=False):
                found = max(found, sum(find(cell) is not None for cell in cells[:COLUMNS_MAX]))
        except csv.Error:
            pass  # told when the rows are read
        return found

    return max(_DELIMITERS, key=known)  # the first of equals: a comma


def _reader(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _rows(text: str, delimiter: str, faults: Faults) -> Iterator[FileRow]:
    lines = _reader(text, delimiter)
    number = 0
    while True:
        number += 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            faults.add(
                None, number, None, f"can't be read: {error}; the rows from here on were not looked at"
            )
            return
        if cells is None:
            return
        kept = {}
        for column, raw in enumerate(cells):
            text_ = raw.strip()
            if not text_:
                continue
            if column >= COLUMNS_MAX:
                faults.add(None, number, column, f"more than {COLUMNS_MAX} columns", value=text_)
                break
            if len(text_) > CELL_CHARACTERS_MAX:
                faults.add(
                    None, number, column, f"has more than {CELL_CHARACTERS_MAX:,} characters", value=text_
                )
                continue
            kept[column] = Cell(text_)
        if kept:
            yield FileRow(number, kept)
