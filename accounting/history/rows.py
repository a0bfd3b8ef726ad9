"""From the cells of a file to rows that say what an enterprise burnt, used and bought. Every fault at its cell.

What only accounting can judge (whether a source exists, a parameter is required, a unit converts) is left to it: see
`statements.py`, which brings its faults back to these cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from accounting.history.cells import BYTES_MAX, ROWS_MAX, Faults, FileRow, Sheet, column_letters
from accounting.history.columns import FIXED, UNKNOWN, Column, find, similar
from accounting.history.csv_file import read_csv
from accounting.history.row import YEAR_MAX, FileDefaults, Known, Place, RowReader, SentRow
from accounting.history.xlsx_file import open_xlsx
from accounting.methods.load import Methods
from domain.errors import Fault, FaultyDocument
from domain.registry import Enterprise

_ZIP, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


def read_history(
    content: bytes,
    enterprises: Mapping[str, Enterprise],
    methods: Methods,
    defaults: FileDefaults,
    faults: Faults,
    year_max: int = YEAR_MAX,
) -> list[SentRow]:
    """The rows of a file, CSV or XLSX; faults are noted, and a row with one is left out. year_max: the last year.

    Raises FaultyDocument where the bytes are no such file, or where there are too many faults to go on.
    """
    if len(content) > BYTES_MAX:
        raise FaultyDocument(
            [Fault("", f"has {len(content):,} bytes; at most {BYTES_MAX:,} are read: send it in parts")]
        )
    if content.startswith(_OLD_WORKBOOK):
        raise FaultyDocument(
            [Fault("", "is a workbook of the old form (XLS) or encrypted; save it as plain XLSX")]
        )
    reader = _Reader(Known(enterprises, methods, defaults, faults, year_max))
    rows: list[SentRow] = []
    seen: dict[object, Place] = {}
    with _sheets(content, faults) as sheets:
        for sheet in sheets:
            if sheet.name is None or not sheet.name.startswith("#"):
                for row in reader.sheet(sheet):
                    key = (row.uscc, row.first_day, row.end_day, tuple(sorted(row.sent.items())))
                    earlier = seen.setdefault(key, row.place)
                    if earlier is not row.place:
                        faults.add(
                            sheet.name, row.place.row, None,
                            f"is the same as {earlier}, cell by cell; if both are meant, tell them apart in note",
                        )  # fmt: skip
                    rows.append(row)
    if not reader.found_rows and not faults.found:
        raise FaultyDocument([Fault("", "has no rows of data")])
    return rows


@contextmanager
def _sheets(content: bytes, faults: Faults) -> Iterator[Iterable[Sheet]]:
    if content.startswith(_ZIP):
        with open_xlsx(content, faults) as sheets:
            yield sheets
    else:
        yield [read_csv(content, faults)]


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known, self.faults = known, known.faults
        self.found_rows = 0

    def sheet(self, sheet: Sheet) -> Iterator[SentRow]:
        columns: dict[int, Column] | None = None
        indexes: dict[str, int] = {}
        below_header = True
        for row in sheet.rows:
            if row.is_remark:
                continue
            if columns is None:
                columns = self._header(sheet.name, row)
                if columns is None:
                    return
                indexes = {column.code: index for index, column in columns.items()}
                continue
            below_header = below_header and _is_header(row, columns)
            if below_header:
                continue
            self.found_rows += 1
            if self.found_rows > ROWS_MAX:
                self.faults.add(
                    sheet.name, row.number, None, f"more than {ROWS_MAX:,} rows; send the file in parts"
                )
                return
            found = RowReader(self.known, Place(sheet.name, row.number, indexes), row, columns).read()
            if found is not None:
                yield found

    def _header(self, sheet: str | None, row: FileRow) -> dict[int, Column] | None:
        """The columns by index; None, with a fault, where this is no header."""
        columns = {index: find(cell.text) or UNKNOWN for index, cell in row.cells.items()}
        if all(column is UNKNOWN for column in columns.values()):
            text = "expected the header, with columns such as uscc, year, source, amount, unit"
            if sheet is not None:
                text += "; a sheet that is none of the data has a name that begins with #"
            self.faults.add(sheet, row.number, None, text)
            return None
        given: dict[str, int] = {}
        for index, column in columns.items():
            sent = row.cells[index].text
            if column is UNKNOWN:
                text = f"no column is called {sent[:60]!r}; {similar(sent)}"
                self.faults.add(sheet, row.number, index, text, value=sent)
            elif column.code in given:
                text = f"{column.code} is given twice, in column {column_letters(given[column.code])} already"
                self.faults.add(sheet, row.number, index, text, column.code, sent)
            else:
                given[column.code] = index
        self._missing_columns(sheet, row.number, given)
        return columns

    def _missing_columns(self, sheet: str | None, row: int, given: Collection[str]) -> None:
        defaults = self.known.defaults
        for field, needed, instead in (
            ("uscc", defaults.uscc is None, ", or one for the whole file"),
            ("year", not {"from", "to"} <= set(given), ", or from and to"),
            ("source", True, ""),
            ("amount", True, ""),
            ("unit", True, ""),
            ("provenance", defaults.provenance is None, ", or one for the whole file"),
        ):
            if needed and field not in given:
                self.faults.add(
                    sheet, row, None, f"column {field} ({FIXED[field].zh}) is missing{instead}", field
                )


def _is_header(row: FileRow, columns: Mapping[int, Column]) -> bool:
    """Whether a row repeats the header above it, in other words."""
    for index, cell in row.cells.items():
        column = find(cell.text)
        if column is None or index not in columns or column.code != columns[index].code:
            return False
    return True
