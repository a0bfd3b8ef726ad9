"""A registry of two enterprises, and how a history file is read and computed in tests."""

from __future__ import annotations

import contextlib
import csv as csv_library
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import openpyxl

from accounting.factors.load import load as load_library
from accounting.history.cells import Faults, TooManyFaults
from accounting.history.row import FileDefaults, SentRow
from accounting.history.rows import read_history
from accounting.history.statements import Result, Statement, computed, statements
from domain.errors import Fault
from domain.registry import Dated, Enterprise

STEEL = "91430302XT0000014K"
CEMENT = "91430304XT0000022B"
NOBODY = "91430300MA4L0DEM8M"  # a code in order, and not registered


def enterprises(industry: str = "steel", edition: str | None = None) -> dict[str, Enterprise]:
    """STEEL, of any industry that is asked for, and CEMENT."""
    editions = () if edition is None else (Dated(None, edition),)
    return {
        STEEL: _enterprise(1, STEEL, "一号厂", industry, editions, "430304"),
        CEMENT: _enterprise(2, CEMENT, "二号厂", "cement", (), "430321"),
    }


def _enterprise(
    id_: int, uscc: str, name: str, industry: str, editions: tuple[Dated[str], ...], district: str
) -> Enterprise:
    return Enterprise(id_, uscc, name, "", industry, editions, (), None, (Dated(None, district),), (), ())


def read(
    content: bytes, known: dict[str, Enterprise] | None = None, defaults: FileDefaults | None = None
) -> tuple[list[SentRow], list[Fault]]:
    """The rows of a file, and what is wrong with its cells."""
    faults = Faults()
    rows: list[SentRow] = []
    with contextlib.suppress(TooManyFaults):  # they are in `faults`
        rows = read_history(
            content, known or enterprises(), load_library().methods, defaults or FileDefaults(), faults
        )
    return rows, faults.found


def compute(
    content: bytes, known: dict[str, Enterprise] | None = None, defaults: FileDefaults | None = None
) -> tuple[list[tuple[Statement, Result]], list[Fault]]:
    """The years of a file with what they come to, and every fault of it."""
    known = known or enterprises()
    rows, found = read(content, known, defaults)
    faults = Faults(found)
    result = []
    for statement in statements(rows, known, faults):
        its = computed(statement, load_library(), faults)
        if its is not None:
            result.append((statement, its))
    return result, faults.found


def csv(*lines: Sequence[Any], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv_library.writer(text, delimiter=delimiter).writerows(lines)
    return text.getvalue().encode(encoding)


def xlsx(sheets: dict[str, Iterable[Sequence[Any]]], formats: dict[str, str] | None = None) -> bytes:
    """A workbook as a spreadsheet program writes it. formats: number formats by cell of the first sheet."""
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    workbook.remove(workbook.active)
    for title, lines in sheets.items():
        sheet = workbook.create_sheet(title)
        for line in lines:
            sheet.append([_plain(each) for each in line])
    for cell, number_format in (formats or {}).items():
        workbook.worksheets[0][cell].number_format = number_format
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | date | datetime | None) else str(value)
