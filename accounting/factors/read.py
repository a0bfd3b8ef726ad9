"""Reads the factor files into tables, refusing what can't be relied on, with every fault by file and row.

Refused: repeated keys, overlapping dates, unknown units, areas, gases, industries, methods, parameters and
editions, missing sources and confidences, figures outside the bounds of their parameter, folders without a
SOURCE.md, files that no reader knows.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from accounting.factors.tables import (
    FactorTables,
    Figure,
    Fuel,
    GridFactor,
    HeatFactor,
    Membership,
    ProcessFactor,
    Stand,
    SubstitutionRule,
    content_hash,
)
from accounting.methods.data_file import Faults, Row, read_rows
from accounting.methods.load import Methods
from accounting.methods.method import Method, Place
from domain.errors import FaultyDocument

GRID_COLUMNS = [
    "area_code", "name_zh", "kind", "year", "value", "unit", "valid_from", "valid_to", "published_by",
    "document", "confidence", "note",
]  # fmt: skip
FUEL_COLUMNS = [
    "code", "name_zh", "name_en", "unit", "ncv", "ncv_unit", "carbon_content_tc_per_gj", "oxidation_rate",
    "edition", "industries", "source", "confidence", "note",
]  # fmt: skip
ALTERNATIVE_FUEL_COLUMNS = [
    "code", "name_zh", "name_en", "unit", "ncv", "ncv_unit", "emission_factor_tco2_per_gj", "fossil_share",
    "oxidation_rate", "edition", "industries", "source", "confidence", "note",
]  # fmt: skip
PROCESS_COLUMNS = [
    "industry", "method", "material", "name_zh", "parameter", "value", "unit", "lower", "upper", "edition",
    "source", "confidence", "note",
]  # fmt: skip
GWP_COLUMNS = ["gas", "name_zh", "gwp_set", "value", "unit", "source", "confidence"]
HEAT_COLUMNS = ["name_zh", "value", "unit", "valid_from", "valid_to", "source", "confidence", "note"]
SUBSTITUTION_COLUMNS = [
    "rule", "parameter", "edition", "fuel_class", "value", "unit", "source", "confidence", "note",
]  # fmt: skip
REGION_COLUMNS = [
    "district",
    "name_zh",
    "area_code",
    "valid_from",
    "valid_to",
    "source",
    "confidence",
    "note",
]

GRID_KINDS = (
    "average", "regional_average", "ets_average", "average_excl_market_nonfossil", "fossil",
    "footprint_average", "operating_margin", "build_margin",
)  # fmt: skip
# kinds that belong to emission years; the others are never used for an account
_DATED_KINDS = frozenset(GRID_KINDS) - {"operating_margin", "build_margin"}
_GRID_UNITS = {"tCO2/MWh": "tCO2/MWh", "tCO2e/MWh": "tCO2/MWh"}
_SPECIAL = ("grid", "gwp", "heat")
_CLASSES = ("coal", "unconventional_coal", "coke", "oil", "gas", "other", "waste", "biomass")


def read_tables(folder: Path, methods: Methods) -> FactorTables:
    """All tables of a folder; raises FaultyDocument with every fault."""
    reader = _Reader(folder, methods)
    reader.read()
    if reader.faults.found:
        raise FaultyDocument(reader.faults.found)
    return reader.tables()


class _Reader:
    def __init__(self, folder: Path, methods: Methods) -> None:
        self.folder, self.methods, self.faults = folder, methods, Faults(folder)
        self.units = {
            (each.parameter, each.unit): each for each in methods.parameter_units if each.unit == each.base
        }
        self.areas: dict[str, str] = {}
        self.memberships: list[Membership] = []
        self.grid: list[GridFactor] = []
        self.heat: list[HeatFactor] = []
        self.gwp: dict[tuple[str, str], Figure] = {}
        self.fuels: dict[tuple[str, str, str], Fuel] = {}
        self.alternative_fuels: dict[tuple[str, str], Fuel] = {}
        self.fuel_classes: dict[str, str] = {}
        self.process: dict[tuple[str, str, str, str, str], ProcessFactor] = {}
        self.process_rows: dict[tuple[str, str, str, str, str], Row] = {}
        self.substitutions: dict[str, dict[tuple[str, str, str], Stand]] = {}

    def read(self) -> None:
        self._areas()
        self._regions()
        self._fuel_classes()
        self._substitutions()
        edition_folders = {code.replace("-", "_"): code for code in self.methods.editions}
        folders = sorted(
            path for path in self.folder.iterdir() if path.is_dir() and path.name != "__pycache__"
        )
        for folder in folders:
            if not (folder / "SOURCE.md").is_file():
                self.faults.add(folder, "has no SOURCE.md")
            for path in sorted(folder.iterdir()):
                reader = self._reader_of(path, edition_folders)
                if reader is not None:
                    reader(path)
                elif path.name != "SOURCE.md" and (path.name not in ("areas.csv", "regions.csv")):
                    self.faults.add(path, "is no file that is read here")
            if folder.name not in _SPECIAL and folder.name not in edition_folders:
                self.faults.add(folder, "is no edition")
        self._check_process()

    def _reader_of(self, path: Path, editions: dict[str, str]) -> Callable[[Path], None] | None:
        if path.suffix != ".csv" or path.name in ("areas.csv", "regions.csv"):
            return None
        readers = {"grid": self._grid, "gwp": self._gwp, "heat": self._heat}
        if path.parent.name in readers:
            return readers[path.parent.name]
        if path.parent.name not in editions:
            return None
        for prefix, reader in (
            ("alternative_fuels", self._alternative_fuels),
            ("fuels", self._fuels),
            ("process_", self._process),
        ):
            if path.name.startswith(prefix):
                return reader
        return None

    def tables(self) -> FactorTables:
        content = (
            self.areas,
            sorted(self.memberships, key=lambda each: (each.district, str(each.validity))),
            sorted(self.grid, key=lambda each: (each.area, each.kind, each.year)),
            sorted(self.heat, key=lambda each: str(each.validity)),
            self.gwp,
            self.fuels,
            self.alternative_fuels,
            self.fuel_classes,
            self.process,
            {code: SubstitutionRule(code, stands) for code, stands in self.substitutions.items()},
        )
        set_hash = content_hash(
            content,
            self.methods.industries,
            self.methods.editions,
            self.methods.parameter_units,
            self.methods.by_edition,
        )
        areas, memberships, grid, heat, gwp, fuels, alternative_fuels, fuel_classes, process, rules = content
        return FactorTables(
            areas, tuple(memberships), tuple(grid), tuple(heat), gwp, fuels, alternative_fuels, fuel_classes, process,
            rules, set_hash,
        )  # fmt: skip

    # --- cells

    def _figure(
        self, row: Row, value: str, parameter: str, unit: str, edition: str, source: str
    ) -> Figure | None:
        """A value cell with its unit and source, checked against the bounds of the parameter; None if blank."""
        number = row.number_or_none(value)
        if number is None:
            return None
        known = self.units.get((parameter, unit))
        if known is None:
            units = [base for name, base in self.units if name == parameter]
            row.fault(
                f"{parameter} in {unit!r}: expected one of {', '.join(units) or 'no unit: unknown parameter'}"
            )
        elif (known.lower is not None and number < known.lower) or (
            known.upper is not None and number > known.upper
        ):
            bounds = f"{_decimal(known.lower)}..{_decimal(known.upper)}"
            row.fault(f"{value} ({row.optional(value)}) must be within {bounds} {unit}")
        return Figure(
            number,
            row.optional(value),
            unit,
            source,
            edition,
            row.optional("confidence"),
            row.cells.get("note", ""),
        )

    # --- files

    def _areas(self) -> None:
        path = self.folder / "grid" / "areas.csv"
        for row in read_rows(path, ["area_code", "name_zh", "name_en", "level"], self.faults):
            code = row.text("area_code")
            row.text("name_zh")
            if code in self.areas:
                row.fault(f"area {code} is given twice")
            self.areas[code] = row.choice("level", ("nation", "region", "province"))

    def _regions(self) -> None:
        for row in read_rows(self.folder / "grid" / "regions.csv", REGION_COLUMNS, self.faults):
            district, area = row.text("district"), row.choice("area_code", self.areas)
            if not district.isdigit() or len(district) not in (2, 4, 6):
                row.fault(f"district {district!r} is no prefix of two, four or six digits")
            if self.areas.get(area) not in (None, "region"):
                row.fault(f"{area} is no region")
            each = Membership(district, area, row.validity(), row.text("source"), row.confidence())
            for other in self.memberships:
                if other.district == district and other.validity.overlaps(each.validity):
                    row.fault(f"{district} is in {other.area} already ({other.validity})")
            self.memberships.append(each)

    def _fuel_classes(self) -> None:
        path = self.folder / "fuel_classes.csv"
        for row in read_rows(path, ["code", "class", "source", "confidence", "note"], self.faults):
            code = row.text("code")
            if code in self.fuel_classes:
                row.fault(f"fuel {code} is given twice")
            row.text("source")
            row.confidence()
            self.fuel_classes[code] = row.choice("class", _CLASSES)

    def _substitutions(self) -> None:
        for row in read_rows(self.folder / "substitution.csv", SUBSTITUTION_COLUMNS, self.faults):
            code, source, confidence = row.text("rule"), row.text("source"), row.confidence()
            edition = row.choice("edition", self.methods.editions) if row.optional("edition") else ""
            fuel_class = row.choice("fuel_class", _CLASSES) if row.optional("fuel_class") else ""
            key = (row.optional("parameter"), edition, fuel_class)
            if fuel_class:
                figure = self._figure(row, "value", key[0], row.optional("unit"), edition, source)
                value = None if figure is None else figure.value
            else:
                value = row.number_or_none("value")
            stands = self.substitutions.setdefault(code, {})
            if key in stands:
                row.fault(f"{key[0]} of {code} is given twice")
            stands[key] = Stand(value, row.optional("unit"), source, confidence, row.optional("note"))

    def _grid(self, path: Path) -> None:
        for row in read_rows(path, GRID_COLUMNS, self.faults):
            area, kind = row.choice("area_code", self.areas), row.choice("kind", GRID_KINDS)
            row.confidence()
            row.text("published_by")
            year_text = row.text("year")
            year = int(year_text) if year_text.isdigit() else 0
            if not 1990 <= year <= 2100:
                row.fault(f"year {year_text!r} is no year")
            row.text("value")
            unit = row.text("unit")
            if unit not in _GRID_UNITS:
                row.fault(f"unit {unit!r} is unknown; expected {' or '.join(_GRID_UNITS)}")
            figure = self._figure(
                row,
                "value",
                "emission_factor",
                _GRID_UNITS.get(unit, "tCO2/MWh"),
                str(year),
                row.text("document"),
            )
            validity = row.validity()
            if kind in _DATED_KINDS and (validity.first is None or validity.last is None):
                row.fault(f"a factor of kind {kind} needs valid_from and valid_to")
            for other in self.grid:
                if (other.area, other.kind) == (area, kind):
                    if other.year == year:
                        row.fault(f"{kind} of {area} in {year} is given twice")
                    elif kind in _DATED_KINDS and other.validity.overlaps(validity):
                        row.fault(f"{kind} of {area}: {validity} overlaps {other.validity} of {other.year}")
            if figure is not None:
                self.grid.append(GridFactor(area, kind, year, figure, validity))

    def _gwp(self, path: Path) -> None:
        for row in read_rows(path, GWP_COLUMNS, self.faults):
            gas, gwp_set = row.text("gas"), row.text("gwp_set")
            row.confidence()
            row.text("value")
            if gwp_set.replace("-", "_") != path.stem:
                row.fault(f"gwp_set {gwp_set!r} is not the name of the file")
            if (gwp_set, gas) in self.gwp:
                row.fault(f"{gas} is given twice in {gwp_set}")
            figure = self._figure(row, "value", "gwp", row.text("unit"), gwp_set, row.text("source"))
            if figure is not None:
                self.gwp[gwp_set, gas] = figure

    def _heat(self, path: Path) -> None:
        for row in read_rows(path, HEAT_COLUMNS, self.faults):
            row.confidence()
            row.text("value")
            figure = self._figure(row, "value", "emission_factor", row.text("unit"), "", row.text("source"))
            validity = row.validity()
            for other in self.heat:
                if other.validity.overlaps(validity):
                    row.fault(f"{validity} overlaps {other.validity}")
            if figure is not None:
                self.heat.append(HeatFactor(figure, validity))

    def _edition(self, row: Row) -> str:
        edition = row.choice("edition", self.methods.editions)
        if edition and edition.replace("-", "_") != row.path.parent.name:
            row.fault(f"edition {edition} is not that of the folder")
        return edition

    def _fuel(self, row: Row, figures: dict[str, tuple[str, str]]) -> tuple[Fuel, list[str]]:
        """A fuel row; figures: parameter -> (column, unit)."""
        code, unit, edition = row.text("code"), row.choice("unit", ("t", "10k_nm3")), self._edition(row)
        row.confidence()
        source = row.text("source")
        row.text("name_zh")
        if code and code not in self.fuel_classes:
            row.fault(f"fuel {code!r} is not in fuel_classes.csv")
        industries = row.text("industries").split(";")
        for industry in industries:
            if industry not in self.methods.industries and industry != "general":
                row.fault(f"industry {industry!r} is unknown")
        if row.optional("ncv") and row.optional("ncv_unit") != f"GJ/{unit}":
            row.fault(f"ncv_unit {row.optional('ncv_unit')!r} doesn't fit the unit {unit}")
        values: dict[str, Figure] = {}
        for parameter, (column, parameter_unit) in figures.items():
            figure = self._figure(row, column, parameter, parameter_unit, edition, source)
            if figure is not None:
                values[parameter] = figure
        if not values:
            row.fault("has no figure at all")
        return Fuel(code, edition, tuple(industries), unit, values), industries

    def _fuels(self, path: Path) -> None:
        for row in read_rows(path, FUEL_COLUMNS, self.faults):
            figures = {
                "ncv": ("ncv", row.optional("ncv_unit")),
                "carbon_content": ("carbon_content_tc_per_gj", "tC/GJ"),
                "oxidation_rate": ("oxidation_rate", "fraction"),
            }
            fuel, industries = self._fuel(row, figures)
            for industry in industries:
                key = (fuel.edition, industry, fuel.code)
                if key in self.fuels:
                    row.fault(f"{fuel.code} of {industry} is given twice in {fuel.edition}")
                self.fuels[key] = fuel

    def _alternative_fuels(self, path: Path) -> None:
        for row in read_rows(path, ALTERNATIVE_FUEL_COLUMNS, self.faults):
            figures = {
                "ncv": ("ncv", row.optional("ncv_unit")),
                "emission_factor": ("emission_factor_tco2_per_gj", "tCO2/GJ"),
                "fossil_share": ("fossil_share", "fraction"),
                "oxidation_rate": ("oxidation_rate", "fraction"),
            }
            fuel, _ = self._fuel(row, figures)
            if (fuel.edition, fuel.code) in self.alternative_fuels:
                row.fault(f"{fuel.code} is given twice in {fuel.edition}")
            self.alternative_fuels[fuel.edition, fuel.code] = fuel

    def _process(self, path: Path) -> None:
        for row in read_rows(path, PROCESS_COLUMNS, self.faults):
            edition, industry = self._edition(row), row.choice("industry", self.methods.industries)
            if path.stem != f"process_{industry}":
                row.fault(f"industry {industry} is not that of the file")
            row.confidence()
            row.text("name_zh")
            row.text("value")
            parameter, source = row.text("parameter"), row.text("source")
            lower, upper = row.number_or_none("lower"), row.number_or_none("upper")
            figure = self._figure(row, "value", parameter, row.text("unit"), edition, source)
            if figure is None:
                continue
            if (lower is not None and figure.value < lower) or (upper is not None and figure.value > upper):
                row.fault(
                    f"value {figure.text} is outside the printed range {_decimal(lower)}..{_decimal(upper)}"
                )
            key = (edition, industry, row.optional("method"), row.optional("material"), parameter)
            if key in self.process:
                row.fault(
                    f"{parameter} of {row.optional('method')} {row.optional('material')} is given twice"
                )
            self.process[key] = ProcessFactor(industry, key[2], key[3], parameter, figure, lower, upper)
            self.process_rows[key] = row

    # --- tables and methods agree

    def _check_process(self) -> None:
        """Every row belongs to a parameter of a method, and every table parameter has a row."""
        served: set[tuple[str, str, str, str]] = set()
        for (edition, industry, code, _, parameter), row in self.process_rows.items():
            methods = self.methods.by_edition.get((industry, edition), {})
            fitting = [method for method in methods.values() if code in ("", method.code)]
            if not fitting:
                row.fault(f"method {code!r} is none of {industry} under {edition}")
                continue
            takers = [method for method in fitting if self._takes(method, parameter, row.optional("unit"))]
            if not takers:
                row.fault(f"{parameter} in {row.optional('unit')} is no parameter of {code or industry}")
            served.update((edition, industry, method.code, parameter) for method in takers)
        for (industry, edition), methods in self.methods.by_edition.items():
            for method in methods.values():
                for spec in method.parameters.values():
                    key = (method.table_edition, industry, method.code, spec.name)
                    if spec.place is Place.TABLE and key not in served:
                        path = (
                            self.folder / method.table_edition.replace("-", "_") / f"process_{industry}.csv"
                        )
                        self.faults.add(
                            path, f"has no {spec.name} of {method.code}, which {edition} takes from it"
                        )

    @staticmethod
    def _takes(method: Method, parameter: str, unit: str) -> bool:
        spec = method.parameters.get(parameter)
        return spec is not None and unit in spec.units


def _decimal(value: Fraction | None) -> str:
    return "" if value is None else f"{float(value):g}"
