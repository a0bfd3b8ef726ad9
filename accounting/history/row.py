"""One row of a history file: its cells as an activity of an inventory document, with every fault at its cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from accounting.history import vocabulary
from accounting.history.cells import Cell, CellKind, Faults, FileRow, place_of
from accounting.history.columns import FIXED, UNKNOWN, Column
from accounting.history.vocabulary import Provenance
from accounting.methods.data_file import parse_decimal
from accounting.methods.load import Methods
from domain.identity import is_identifier, uscc_fault
from domain.interval import EPOCH_DATE
from domain.registry import Enterprise, dated_value

YEAR_MIN, YEAR_MAX = 1990, 2100
DIGITS_MAX = 60
_YEAR = re.compile(r"(\d{4})年?\Z", re.ASCII)
_DAY = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日)\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class FileDefaults:
    """What holds for every row that doesn't say it itself."""

    uscc: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, and which of its columns means what."""

    sheet: str | None
    row: int
    columns: Mapping[str, int] = field(compare=False)  # column's code -> index; one mapping a sheet

    def __str__(self) -> str:
        return place_of(self.sheet, self.row, None)


@dataclass(frozen=True, slots=True)
class SentRow:
    """One activity as it was sent.

    activity    as an inventory document has it (docs/contract.md, section 5)
    sent        every cell, by the code of its column, as text
    period      [first day, end)
    """

    place: Place
    uscc: str
    edition: str | None
    first_day: date
    end_day: date
    provenance: Provenance
    activity: Mapping[str, object]
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are read against, and where their faults go. year_max: the last that has begun."""

    enterprises: Mapping[str, Enterprise]
    methods: Methods
    defaults: FileDefaults
    faults: Faults
    year_max: int = YEAR_MAX


class RowReader:
    """Reads one row; `ok` turns false with the first fault."""

    def __init__(self, known: Known, place: Place, row: FileRow, columns: Mapping[int, Column]) -> None:
        self.known, self.place, self.ok = known, place, True
        self.cells: dict[str, Cell] = {}
        self.parameters: list[tuple[Column, Cell]] = []
        self.given = {columns[index].code for index in row.cells if index in columns}
        for index, cell in row.cells.items():
            column = columns.get(index)
            if column is None:
                self._fault_at(index, "stands in a column without a header", None, cell.text)
            elif column is UNKNOWN:
                self.ok = False
            elif cell.kind is CellKind.FORMULA:
                text = "is a formula; copy the cells and paste them as values"
                self._fault_at(index, text, column.code, cell.text)
            elif cell.kind is CellKind.ERROR:
                self._fault_at(index, f"{cell.text} is an error of the spreadsheet", column.code, cell.text)
            elif column.parameter is None:
                self.cells[column.code] = cell
            else:
                self.parameters.append((column, cell))

    def read(self) -> SentRow | None:
        """The row; None where there is a fault."""
        if not self.given:
            return None
        enterprise = self._enterprise()
        provenance = self._provenance()
        period = self._period()
        self._industry(enterprise)
        edition = self._text("edition")
        activity = self._activity(enterprise, edition, period)
        if not self.ok or enterprise is None or provenance is None or period is None:
            return None
        sent = {code: cell.text for code, cell in self.cells.items()}
        sent |= {column.code: cell.text for column, cell in self.parameters}
        return SentRow(
            self.place, enterprise.uscc, edition, *period, provenance, activity, dict(sorted(sent.items()))
        )

    def _fault_at(self, index: int | None, message: str, code: str | None, value: str | None) -> None:
        self.ok = False
        self.known.faults.add(self.place.sheet, self.place.row, index, message, code, value)

    def _fault(self, code: str, message: str) -> None:
        cell = self.cells.get(code)
        self._fault_at(self.place.columns.get(code), message, code, None if cell is None else cell.text)

    def _text(self, code: str) -> str | None:
        cell = self.cells.get(code)
        return None if cell is None else cell.text

    def _enterprise(self) -> Enterprise | None:
        uscc = self._text("uscc") or self.known.defaults.uscc
        if uscc is None:
            self._missing("uscc", "the unified social credit code of a registered enterprise")
            return None
        uscc = unicodedata.normalize("NFKC", uscc).upper().replace(" ", "")
        enterprise = self.known.enterprises.get(uscc)
        if enterprise is None:
            self._fault(
                "uscc", uscc_fault(uscc) or f"no enterprise {uscc!r} is registered; register it first"
            )
        return enterprise

    def _missing(self, code: str, expected: str) -> None:
        self.ok = False
        # A column that isn't there was told with the header, a cell that can't be used already.
        if code in self.place.columns and code not in self.given:
            self._fault(code, f"{code} is missing; expected {expected}")

    def _provenance(self) -> Provenance | None:
        text = self._text("provenance")
        if text is None:
            if self.known.defaults.provenance is None:
                self._missing("provenance", ", ".join(Provenance))
            return self.known.defaults.provenance
        code = vocabulary.understood(text, vocabulary.provenances())
        if code not in list(Provenance):
            known = ", ".join(f"{each} {vocabulary.PROVENANCE_ZH[each]}" for each in Provenance)
            self._fault("provenance", f"provenance {text[:60]!r} is none of {known}")
            return None
        return Provenance(code)

    def _industry(self, enterprise: Enterprise | None) -> None:
        text = self._text("industry")
        if text is None or enterprise is None:
            return
        code = vocabulary.understood(text, vocabulary.industries())
        if code != enterprise.industry:
            self._fault(
                "industry", f"industry {text[:60]!r} is not the registered one, {enterprise.industry}; mend the one "
                "that is wrong, or leave the cell empty",
            )  # fmt: skip

    # --- the period

    def _period(self) -> tuple[date, date] | None:
        period = self._given_period()
        if period is not None and period[0].year > self.known.year_max:
            self._fault("year" if "year" in self.cells else "from", f"{period[0].year} has not begun")
            return None
        return period

    def _given_period(self) -> tuple[date, date] | None:
        year = self._year()
        first, end = self._day("from"), self._day("to")
        if ("from" in self.cells) != ("to" in self.cells):
            self._fault("to" if "from" in self.cells else "from", "from and to come together")
            return None
        if first is not None and end is not None:
            if end <= first:
                self._fault(
                    "to", f"to ({end}) must lie after from ({first}); it is the first day after the period"
                )
                return None
            if (end - timedelta(days=1)).year != first.year:
                self._fault(
                    "to",
                    f"from {first} to {end} lies in more than one calendar year; give each year its own row",
                )
                return None
            if year is not None and first.year != year:
                self._fault("from", f"from ({first}) lies outside of the year {year}")
                return None
            return first, end
        if year is None:
            if not {"year", "from", "to"} & set(self.cells):
                self._missing("year" if "year" in self.place.columns else "from", "a year such as 2023")
            return None
        return date(year, 1, 1), date(year + 1, 1, 1)

    def _year(self) -> int | None:
        cell = self.cells.get("year")
        if cell is None:
            return None
        match = _YEAR.match(unicodedata.normalize("NFKC", cell.text))
        year = int(match[1]) if match and cell.kind is not CellKind.DATE else None
        if year is None or not YEAR_MIN <= year <= YEAR_MAX:
            self._fault(
                "year", f"year {cell.text[:60]!r} is no year of {YEAR_MIN} to {YEAR_MAX}, such as 2023"
            )
            return None
        return year

    def _day(self, code: str) -> date | None:
        cell = self.cells.get(code)
        if cell is None:
            return None
        match = _DAY.match(unicodedata.normalize("NFKC", cell.text))
        try:
            day = date(*(int(part) for part in match.groups() if part)) if match else None
        except ValueError:
            day = None
        if day is None or not YEAR_MIN <= day.year <= YEAR_MAX + 1 or cell.kind is CellKind.PERCENT:
            self._fault(code, f"{code} {cell.text[:60]!r} is no day such as 2023-01-31")
            return None
        return day

    # --- the activity

    def _activity(
        self, enterprise: Enterprise | None, edition: str | None, period: tuple[date, date] | None
    ) -> dict[str, object]:
        activity: dict[str, object] = {}
        source = self._text("source")
        if source is None:
            self._missing("source", "an emission source of the industry's guideline")
        elif enterprise is not None:
            edition = edition or registered_edition(enterprise, period)
            edition = edition or self.known.methods.own_edition(enterprise.industry)
            words = vocabulary.sources(enterprise.industry, edition)
            source = vocabulary.understood(source, words)
            if not is_identifier(source):
                known = ", ".join(dict.fromkeys(words.values()))
                self._fault(
                    "source",
                    f"source {source[:60]!r} is none of {enterprise.industry} under {edition}: {known}",
                )
        activity["source"] = source
        if (fuel := self._text("fuel")) is not None:
            activity["fuel"] = fuel = vocabulary.understood(fuel, vocabulary.fuels())
            if not is_identifier(fuel):
                text = f"fuel {fuel[:60]!r} is unknown; one of your own has a code of letters, and its values"
                self._fault("fuel", text)
        if (material := self._text("material")) is not None:
            words = (
                vocabulary.materials(enterprise.industry, source) if enterprise is not None and source else {}
            )
            activity["material"] = vocabulary.understood(material, words)
        if "amount" in self.cells:
            activity["amount"] = self._decimal("amount", FIXED["amount"], self.cells["amount"])
        else:
            self._missing("amount", "a decimal such as 1250.5")
        if (unit := self._text("unit")) is None:
            self._missing("unit", "a unit such as t, MWh, GJ, 10k_nm3")
        else:
            activity["unit"] = vocabulary.understood(unit, vocabulary.units())
        parameters = self._parameters()
        if parameters:
            activity["parameters"] = parameters
        return activity

    def _parameters(self) -> dict[str, object]:
        """As the document has them: a plain value, or value and unit where the header names one."""
        result: dict[str, object] = {}
        for column, cell in self.parameters:
            assert column.parameter is not None
            text = self._decimal(column.code, column, cell)
            if text is None:
                continue
            if column.parameter in result:
                index = self.place.columns[column.code]
                self._fault_at(
                    index, f"{column.parameter} is given twice in this row", column.code, cell.text
                )
                continue
            result[column.parameter] = text if column.unit is None else {"value": text, "unit": column.unit}
        return result

    def _decimal(self, code: str, column: Column, cell: Cell) -> str | None:
        """A cell as a plain decimal, or None with a fault."""
        text = unicodedata.normalize("NFKC", cell.text)
        index = self.place.columns[code]
        if cell.kind is CellKind.DATE:
            self._fault_at(
                index, f"{code} is formatted as a date; format the cell as a number", code, cell.text
            )
            return None
        if cell.kind is CellKind.PERCENT and not _is_share(column):
            text = f"{code} is formatted as a percentage; format the cell as a number and write what is meant"
            self._fault_at(index, text, code, cell.text)
            return None
        if len(text) > DIGITS_MAX or parse_decimal(text) is None:
            hint = ""
            if parse_decimal(text.replace(",", "").replace(" ", "")) is not None:
                hint = f": write {text.replace(',', '').replace(' ', '')}, without separators"
            elif text.endswith("%"):
                hint = ": write a fraction, such as 0.98 for 98 %"
            self._fault_at(
                index, f"{code} {cell.text[:60]!r} is no plain decimal such as 1250.5{hint}", code, cell.text
            )
            return None
        return text


def _is_share(column: Column) -> bool:
    """Whether a cell that holds 0.93 and shows 93 % can only mean 0.93: in a column of fractions, by its header or
    since the parameter without a unit is one. In a column of percents it might as well be 93, or 0.93 %."""
    if column.unit is None:
        return column.parameter in vocabulary.fractions()
    return column.unit == vocabulary.FRACTION


def registered_edition(enterprise: Enterprise, period: tuple[date, date] | None) -> str | None:
    """The edition that the registry names for the first day of a period, or None."""
    return None if period is None else dated_value(enterprise.editions, (period[0] - EPOCH_DATE).days)
