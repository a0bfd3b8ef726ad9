"""A paper as an XLSX workbook: a sheet a table, headings that stay and repeat on print. The same paper, the same bytes.

Columns of numbers hold numbers, shown with as many decimals as the exact text has; a double keeps about sixteen digits,
so what must be exact to the milligram stands as text beside it.
"""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import Any

import xlsxwriter

from accounting.report.layout import Column, Form, Paper, Table
from accounting.report.texts import text

_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?\Z", re.ASCII)
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_SHEET_NAME_MAX = 31
_WIDTH_MAX = 60
_CELL_MAX = 32_767  # characters; what is longer would be left out
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx(paper: Paper) -> bytes:
    """The workbook; its only time is that of the books."""
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True})
    made_at = datetime.fromisoformat(paper.made_at).replace(tzinfo=None)
    workbook.set_properties({"title": paper.title, "comments": paper.footer, "created": made_at})
    formats = _Formats(workbook)
    names: set[str] = set()
    for table in paper.tables:
        _sheet(workbook, paper, table, _sheet_name(table.title, names), formats)
    workbook.close()
    return buffer.getvalue()


class _Formats:
    """The cell formats of a workbook, each made once."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def of(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._workbook.add_format({"valign": "top", **properties})
        return self._made[key]


def _sheet_name(title: str, taken: set[str]) -> str:
    """A title as a sheet may be called, each once."""
    name = _FORBIDDEN.sub(" ", title)[:_SHEET_NAME_MAX].strip()
    number = 2
    while name.lower() in taken:
        suffix = f" {number}"
        name, number = name[: _SHEET_NAME_MAX - len(suffix)] + suffix, number + 1
    taken.add(name.lower())
    return name


def _sheet(workbook: Any, paper: Paper, table: Table, name: str, formats: _Formats) -> None:
    sheet = workbook.add_worksheet(name)
    sheet.write_string(0, 0, f"{paper.title} · {table.title}", formats.of(bold=True, font_size=13))
    for place, line in enumerate(paper.lines, 1):
        sheet.write_string(place, 0, line)
    top = len(paper.lines) + 2
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, min(column.width + 2, _WIDTH_MAX))
        align = "left" if column.form is Form.TEXT else "right"
        heading = formats.of(bold=True, bottom=1, bg_color="#E8EEF4", text_wrap=True, align=align)
        sheet.write_string(top, place, column.title, heading)
    for number, row in enumerate(table.rows):
        for place, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            _write(sheet, top + 1 + number, place, column, cell, formats, strong=number in table.strong)
    end = top + 1 + len(table.rows)
    if not table.rows:
        sheet.write_string(end, 0, text("none", paper.language))
        end += 1
    for place, note in enumerate(table.notes):
        sheet.write_string(end + 1 + place, 0, note, formats.of(italic=True))
    sheet.freeze_panes(top + 1, 0)
    sheet.repeat_rows(top)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L&8{paper.footer}&R&8{text('page', paper.language, page='&P', pages='&N')}")


def _write(
    sheet: Any, row: int, place: int, column: Column, cell: str | None, formats: _Formats, *, strong: bool
) -> None:
    if cell is None:
        return
    match = _NUMBER.match(cell) if column.form is Form.NUMBER else None
    if match is None:
        right = column.form is not Form.TEXT
        style = formats.of(bold=strong, text_wrap=not right, align="right" if right else "left")
        sheet.write_string(row, place, cell if len(cell) <= _CELL_MAX else f"{cell[: _CELL_MAX - 1]}…", style)
        return
    decimals = len(match[1] or "")
    shown = "#,##0" + ("." + "0" * decimals if decimals else "")
    sheet.write_number(row, place, float(cell), formats.of(bold=strong, num_format=shown))
