"""The template as a workbook: the sheet to fill in, with lists to choose from, and sheets that explain."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from accounting.history.row import YEAR_MAX, YEAR_MIN
from accounting.history.template import Table, Template
from accounting.history.template_text import word

ROWS_WITH_LISTS = 5_000
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 - of no moment: the same template, the same bytes
_WIDTH_MIN, _WIDTH_MAX = 10, 60
_TEXT_FIELDS = ("uscc", "name", "edition", "reference", "note")


def template_xlsx(made: Template) -> bytes:
    """The workbook, the same bytes for the same template."""
    buffer = io.BytesIO()
    # What is written is text, never a formula or an address that a cell happens to look like.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    workbook = xlsxwriter.Workbook(buffer, options)
    workbook.set_properties({"title": f"{made.industry} {made.edition}", "created": _MADE})
    title = workbook.add_format(
        {"bold": True, "bg_color": "#DCE9E2", "text_wrap": True, "valign": "top", "border": 1}
    )
    code = workbook.add_format({"font_color": "#5F6B66", "text_wrap": True, "valign": "top", "border": 1})
    remark = workbook.add_format(
        {"italic": True, "font_color": "#7A7A7A", "text_wrap": True, "valign": "top"}
    )
    text = workbook.add_format({"num_format": "@"})
    sheet = workbook.add_worksheet(made.name)
    for column, (heading, name) in enumerate(zip(made.titles, made.codes, strict=True)):
        sheet.write_string(0, column, heading, title)
        sheet.write_string(1, column, name, code)
        is_text = made.columns[column].field in _TEXT_FIELDS
        sheet.set_column(column, column, _width([heading, name]) + 2, text if is_text else None)
    for number, cells in enumerate(made.remarks, 2):
        for column, cell in enumerate(cells):
            if cell:
                sheet.write_string(number, column, cell, remark)
    sheet.freeze_panes(2, 1)
    _choices(workbook, sheet, made)
    for table in made.tables:
        _explain(workbook, table, title)
    workbook.close()
    return buffer.getvalue()


def _choices(workbook: Any, sheet: Any, made: Template) -> None:
    """Lists to choose from; another entry is warned of and taken, since names are understood too."""
    where = _lists(workbook, word("lists", made.language), made.lists)
    first = 2 + len(made.remarks)
    last = first + ROWS_WITH_LISTS
    for column, each in enumerate(made.columns):
        if each.parameter is None and each.field in where:
            choice = {"validate": "list", "source": where[each.field], "error_type": "warning"}
            sheet.data_validation(first, column, last, column, choice)
        elif each.field == "year":
            year = {"validate": "integer", "criteria": "between", "minimum": YEAR_MIN, "maximum": YEAR_MAX}
            sheet.data_validation(first, column, last, column, year)
        elif each.field in ("amount", "parameter"):
            decimal = {"validate": "decimal", "criteria": ">=", "value": 0, "error_type": "warning"}
            sheet.data_validation(first, column, last, column, decimal)


def _lists(workbook: Any, name: str, lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A hidden sheet of the lists; where each stands."""
    sheet = workbook.add_worksheet(name)
    sheet.hide()
    where = {}
    for column, (field, entries) in enumerate(
        (field, entries) for field, entries in lists.items() if entries
    ):
        sheet.write_string(0, column, field)
        for row, entry in enumerate(entries, 1):
            sheet.write_string(row, column, entry)
        letter = chr(ord("A") + column)
        where[field] = f"='{name}'!${letter}$2:${letter}${len(entries) + 1}"
    return where


def _explain(workbook: Any, table: Table, title: Any) -> None:
    sheet = workbook.add_worksheet(table.name)
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    for column, heading in enumerate(table.header):
        cells = [heading, *(row[column] for row in table.rows)]
        sheet.set_column(column, column, _width(cells))
        sheet.write_string(0, column, heading, title)
        for number, cell in enumerate(cells[1:], 1):
            sheet.write_string(number, column, cell, wrapped)
    if len(table.header) > 1:
        sheet.freeze_panes(1, 1)
    else:
        sheet.set_column(0, 0, 110)


def _width(cells: Sequence[str]) -> int:
    """In characters; a Chinese one takes two."""
    longest = max(sum(1 + (ord(letter) > 0x2E7F) for letter in cell) for cell in cells)
    return min(_WIDTH_MAX, max(_WIDTH_MIN, longest + 1))
