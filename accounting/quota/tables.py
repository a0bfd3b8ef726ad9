"""The tables of the emissions trading system (`benchmarks.csv`, `rules.toml`): read strictly, every fault at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from accounting.methods.data_file import CONFIDENCES, Faults, parse_decimal, read_rows, read_toml
from domain.errors import FaultyDocument

FOLDER = Path(__file__).parent
COLUMNS = ("year", "class", "energy", "value", "unit", "basis", "status", "source", "confidence", "note")
UNITS = {"electricity": "tCO2/MWh", "heat": "tCO2/GJ"}
STATUSES = ("final", "draft")


class UnitClass(StrEnum):
    """Of a power unit: I conventional coal of 400 MW or more, II below, III gangue and the like, IV gas."""

    I = "I"  # noqa: E741 - as the plans name it
    II = "II"
    III = "III"
    IV = "IV"

    @property
    def fuel(self) -> str:
        return "gas" if self is UnitClass.IV else "coal"


class Sector(StrEnum):
    POWER = "power"
    STEEL = "steel"
    CEMENT = "cement"
    ALUMINIUM = "aluminium"

    @property
    def group(self) -> str:
        """As bands and calendar name it."""
        return "power" if self is Sector.POWER else "other"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Power: allowances for a unit of energy [tCO2/MWh or tCO2/GJ]. `basis`: supplied or generated electricity."""

    value: Fraction
    unit: str
    basis: str
    status: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class LoadRule:
    """F below a threshold of load: base ^ (intercept + slope × load), or constant + Σ w × (1 − e^(−load% / s))."""

    form: str
    threshold: Fraction
    numbers: Mapping[str, Fraction]
    pairs: tuple[tuple[Fraction, Fraction], ...]  # (weight, scale)
    status: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class IntensityRule:
    """Steel, cement, aluminium: own emissions, or corrected by how the intensity lies to the balance value."""

    form: str
    slope: Fraction
    threshold: Fraction
    cap: Fraction
    status: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Floor:
    share: Fraction
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Band:
    name: str
    above: Fraction


@dataclass(frozen=True, slots=True)
class DueDate:
    event: str
    month: int
    day: int
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuotaTables:
    """All of it; `hash` names what it says. Lookups by year give None where nothing is carried."""

    benchmarks: Mapping[tuple[int, str, str], Benchmark]  # (year, class or fuel, energy)
    load_rules: Mapping[int, LoadRule]
    floors: Mapping[int, Floor]
    intensity_rules: Mapping[int, IntensityRule]
    bands: Mapping[str, tuple[Band, ...]]  # by group, ascending
    warning: Mapping[str, Any]
    dates: tuple[DueDate, ...]
    calendar: Mapping[str, Any]
    offsets: Mapping[str, Any]
    prices: Mapping[str, Any]
    hash: str

    def years(self) -> list[int]:
        return sorted({year for year, _, _ in self.benchmarks} | set(self.intensity_rules))


@cache
def tables() -> QuotaTables:
    """Those that come with this version."""
    return read_tables(FOLDER)


def read_tables(folder: Path) -> QuotaTables:
    """Raises FaultyDocument with every fault of both files."""
    faults = Faults(folder)
    rules = folder / "rules.toml"
    data = read_toml(rules, faults)
    reader = _Rules(rules, faults)
    benchmarks = _benchmarks(folder / "benchmarks.csv", faults)
    load_rules = reader.by_year(data, "load_factor", reader.load_rule)
    floors = reader.by_year(data, "floor", reader.floor)
    intensity = reader.by_year(data, "intensity", reader.intensity_rule)
    warning, calendar = data.get("warning", {}), data.get("calendar", {})
    bands = reader.bands(warning)
    dates = reader.dates(calendar)
    for name in ("warning", "calendar", "offsets", "prices"):
        reader.marks(data.get(name, {}), name)
    if faults.found:
        raise FaultyDocument(faults.found)
    digest = hashlib.sha256()
    for path in (folder / "benchmarks.csv", rules):
        digest.update(path.read_bytes())
    return QuotaTables(
        benchmarks,
        load_rules,
        floors,
        intensity,
        bands,
        warning,
        dates,
        calendar,
        data["offsets"],
        data["prices"],
        digest.hexdigest(),
    )


def _benchmarks(path: Path, faults: Faults) -> dict[tuple[int, str, str], Benchmark]:
    found: dict[tuple[int, str, str], Benchmark] = {}
    for row in read_rows(path, COLUMNS, faults):
        energy = row.choice("energy", UNITS)
        classes = list(UnitClass) if energy == "electricity" else ["coal", "gas"]
        key = (int(row.number_of("year")), row.choice("class", classes), energy)
        value = row.number_of("value")
        if value <= 0:
            row.fault("value must be above zero")
        if energy in UNITS and row.text("unit") != UNITS[energy]:
            row.fault(f"unit of {energy} is {UNITS[energy]}")
        if key in found:
            row.fault(f"{key[0]} {key[1]} {key[2]} stands twice")
        found[key] = Benchmark(
            value,
            row.text("unit"),
            row.choice("basis", ("supplied", "generated")),
            row.choice("status", STATUSES),
            row.text("source"),
            row.confidence(),
        )
    return found


class _Rules:
    """Readers of `rules.toml` that note what is wrong and go on."""

    def __init__(self, path: Path, faults: Faults) -> None:
        self._path = path
        self._faults = faults

    def fault(self, message: str) -> None:
        self._faults.add(self._path, message)

    def number(self, table: Mapping[str, Any], name: str, place: str) -> Fraction:
        text = table.get(name)
        value = parse_decimal(text) if isinstance(text, str) else None
        if value is None:
            self.fault(f"{place}.{name} {text!r} is no decimal in quotes")
        return value or Fraction(0)

    def numbers(self, table: Mapping[str, Any], name: str, place: str) -> list[Fraction]:
        given = table.get(name)
        if not isinstance(given, list) or not given:
            self.fault(f"{place}.{name} must be a list of decimals")
            return []
        return [self.number({name: each}, name, place) for each in given]

    def choice(self, table: Mapping[str, Any], name: str, allowed: tuple[str, ...], place: str) -> str:
        if table.get(name) not in allowed:
            self.fault(f"{place}.{name} {table.get(name)!r} is none of {', '.join(allowed)}")
        return str(table.get(name))

    def marks(self, table: Mapping[str, Any], place: str) -> tuple[str, str]:
        """Source and confidence."""
        source = table.get("source")
        if not isinstance(source, str) or not source.strip():
            self.fault(f"{place}.source is missing")
        return str(source), self.choice(table, "confidence", CONFIDENCES, place)

    def by_year(self, data: Mapping[str, Any], name: str, read: Any) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for index, table in enumerate(data.get(name, [])):
            place = f"{name}[{index}]"
            years = table.get("years")
            if not isinstance(years, list) or not years or not all(isinstance(year, int) for year in years):
                self.fault(f"{place}.years must be a list of years")
                continue
            rule = read(table, place)
            for year in years:
                if year in found:
                    self.fault(f"{place}: {year} stands twice")
                found[year] = rule
        if not found:
            self.fault(f"{name} has no entries")
        return found

    def load_rule(self, table: Mapping[str, Any], place: str) -> LoadRule:
        form = self.choice(table, "form", ("power", "two_exponentials"), place)
        names = ("base", "intercept", "slope") if form == "power" else ("constant",)
        pairs: tuple[tuple[Fraction, Fraction], ...] = ()
        if form == "two_exponentials":
            weights, scales = self.numbers(table, "weights", place), self.numbers(table, "scales", place)
            if len(weights) != len(scales) or any(scale <= 0 for scale in scales):
                self.fault(f"{place}: each weight needs a scale above zero")
            else:
                pairs = tuple(zip(weights, scales, strict=True))
        return LoadRule(
            form,
            self.number(table, "threshold", place),
            {name: self.number(table, name, place) for name in names},
            pairs,
            self.choice(table, "status", STATUSES, place),
            *self.marks(table, place),
        )

    def floor(self, table: Mapping[str, Any], place: str) -> Floor:
        return Floor(self.number(table, "share", place), *self.marks(table, place))

    def intensity_rule(self, table: Mapping[str, Any], place: str) -> IntensityRule:
        form = self.choice(table, "form", ("own_emissions", "intensity"), place)
        slope, threshold, cap = (
            self.number(table, name, place) if form == "intensity" else Fraction(0)
            for name in ("slope", "threshold", "cap")
        )
        status = self.choice(table, "status", STATUSES, place)
        return IntensityRule(form, slope, threshold, cap, status, *self.marks(table, place))

    def bands(self, warning: Mapping[str, Any]) -> dict[str, tuple[Band, ...]]:
        found: dict[str, list[Band]] = {"power": [], "other": []}
        if not isinstance(warning.get("days"), int):
            self.fault("warning.days must be a number of days")
        for index, table in enumerate(warning.get("bands", [])):
            place = f"warning.bands[{index}]"
            sector = self.choice(table, "sector", ("power", "other"), place)
            band = Band(str(table.get("band")), self.number(table, "above", place))
            others = found.setdefault(sector, [])
            if others and band.above <= others[-1].above:
                self.fault(f"{place}: bands of a sector ascend")
            others.append(band)
        return {sector: tuple(bands) for sector, bands in found.items()}

    def dates(self, calendar: Mapping[str, Any]) -> tuple[DueDate, ...]:
        found = []
        for index, table in enumerate(calendar.get("dates", [])):
            try:
                found.append(DueDate(table["event"], table["month"], table["day"], tuple(table["sectors"])))
            except (KeyError, TypeError):
                self.fault(f"calendar.dates[{index}] needs event, month, day and sectors")
        for name in ("evidence_days", "records_years"):
            if not isinstance(calendar.get(name), int):
                self.fault(f"calendar.{name} must be a number")
        return tuple(found)
