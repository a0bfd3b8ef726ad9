"""Reads the method files: industries, editions, kinds, parameters, and a file an industry and edition.

`load()` reads them once; every fault of every file is raised together, as FaultyDocument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from accounting.methods.data_file import CONFIDENCES, Faults, parse_date, parse_decimal, read_rows, read_toml
from accounting.methods.method import (
    Edition,
    Industry,
    Method,
    ParameterSpec,
    ParameterUnit,
    Place,
    Role,
)
from accounting.rounding import Rounding
from domain.errors import FaultyDocument, Refused
from domain.unit import UNITS

FOLDER = Path(__file__).parent
BOUNDARIES = ("account", "ets")
_SOURCE_FIELDS = {
    "name", "kind", "units", "scope", "boundaries", "ets_until", "deduction", "clause", "confidence",
    "parameters", "default_materials", "fuels", "other_group", "material_gas", "factors_from", "note",
}  # fmt: skip
_FILE_FIELDS = {
    "industry", "edition", "extends", "factors_from", "drop", "common", "sources", "clauses", "confidence",
}  # fmt: skip
_PARAMETER_FIELDS = {"units", "from", "default", "required_with", "replaced_by"}
_GIVEN = {place.value for place in Place} - {Place.FIXED.value}


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods of all industries and editions."""

    industries: Mapping[str, Industry]
    editions: Mapping[str, Edition]
    parameter_units: tuple[ParameterUnit, ...]
    by_edition: Mapping[tuple[str, str], Mapping[str, Method]] = field(repr=False)

    def sources(self, industry: str, edition: str) -> Mapping[str, Method]:
        """The methods of an industry under an edition, by source code; Refused where there are none."""
        fault = self.edition_fault(industry, edition)
        if fault:
            raise Refused(fault)
        return self.by_edition[industry, edition]

    def edition_fault(self, industry: str, edition: str | None) -> str | None:
        """Why an industry can't be counted under an edition (None: its own), or None."""
        if industry not in self.industries:
            return f"industry {industry!r} is unknown; known are {', '.join(self.industries)}"
        if edition is None or (industry, edition) in self.by_edition:
            return None
        known = [each for code, each in self.by_edition if code == industry]
        return f"edition {edition!r} is none of {industry}; its editions are {', '.join(known)}"

    def own_edition(self, industry: str) -> str:
        """The guideline of 2013 to 2015 that an industry has."""
        return self.industries[industry].edition

    def market_edition(self, industry: str, day: date) -> str | None:
        """The edition of the national market for the data of a day, or None before the industry's first."""
        for edition in self.editions.values():
            if (
                edition.role is Role.MARKET
                and industry in edition.industries
                and edition.data_years.holds(day)
            ):
                return edition.code
        return None

    def market_methods(self, industry: str, code: str) -> list[Method]:
        """What the market's editions say of a source, oldest first."""
        return [
            self.by_edition[industry, edition.code][code]
            for edition in self.editions.values()
            if edition.role is Role.MARKET and code in self.by_edition.get((industry, edition.code), {})
        ]


@cache
def load() -> Methods:
    """The methods that come with this version."""
    return load_folder(FOLDER)


def load_folder(folder: Path) -> Methods:
    """Reads a folder of method files; raises FaultyDocument with every fault."""
    faults = Faults(folder)
    industries = _industries(folder / "industries.csv", faults)
    editions = _editions(folder / "editions.csv", industries, faults)
    parameter_units = _parameter_units(folder / "parameters.csv", faults)
    reader = _Reader(
        folder, faults, industries, editions, {(each.parameter, each.base) for each in parameter_units}
    )
    methods = reader.read_all()
    for industry in industries.values():
        if (industry.code, industry.edition) not in methods:
            faults.add(
                folder / "industries.csv",
                f"{industry.code} has no file of its own edition {industry.edition}",
            )
    for edition in editions.values():
        if edition.role is not Role.REFERENCE:
            for code in edition.industries:
                if (code, edition.code) not in methods:
                    faults.add(folder / "editions.csv", f"{edition.code} has no file for {code}")
    if faults.found:
        raise FaultyDocument(faults.found)
    return Methods(industries, editions, tuple(parameter_units), methods)


def _industries(path: Path, faults: Faults) -> dict[str, Industry]:
    result: dict[str, Industry] = {}
    for row in read_rows(path, ["industry", "name_zh", "name_en", "edition"], faults):
        industry = Industry(
            row.text("industry"), row.text("name_zh"), row.text("name_en"), row.text("edition")
        )
        if industry.code in result:
            row.fault(f"industry {industry.code} is given twice")
        result[industry.code] = industry
    return result


_EDITION_COLUMNS = [
    "edition", "role", "industries", "document", "data_from", "data_to", "gwp_set", "fuels_fallback",
    "decimals", "rounding", "confidence", "note",
]  # fmt: skip


def _editions(path: Path, industries: Mapping[str, Industry], faults: Faults) -> dict[str, Edition]:
    result: dict[str, Edition] = {}
    for row in read_rows(path, _EDITION_COLUMNS, faults):
        role = row.choice("role", {role.value for role in Role})
        codes = tuple(code for code in row.optional("industries").split(";") if code)
        for code in codes:
            if code not in industries:
                row.fault(f"industry {code!r} is unknown")
        if row.optional("fuels_fallback") not in ("", "own"):
            row.fault(f"fuels_fallback {row.optional('fuels_fallback')!r} is neither empty nor 'own'")
        decimals, rounding = row.optional("decimals"), row.optional("rounding")
        if role != Role.REFERENCE:
            row.choice("decimals", [str(count) for count in range(13)])
            row.choice("rounding", set(Rounding))
        edition = Edition(
            code=row.text("edition"),
            role=Role(role) if role in set(Role) else Role.REFERENCE,
            industries=codes,
            document=row.text("document"),
            data_years=row.validity("data_from", "data_to"),
            gwp_set=row.optional("gwp_set") or None,
            fuels_fallback=row.optional("fuels_fallback") == "own",
            decimals=int(decimals) if decimals.isdecimal() else 0,
            rounding=Rounding(rounding) if rounding in set(Rounding) else Rounding.HALF_UP,
            confidence=row.confidence(),
            note=row.optional("note"),
        )
        if edition.code in result:
            row.fault(f"edition {edition.code} is given twice")
        if edition.role is Role.MARKET and edition.data_years.first is None:
            row.fault("an edition of the market needs data_from")
        for other in result.values():
            shared = set(other.industries) & set(codes)
            if (
                other.role is edition.role is Role.MARKET
                and shared
                and other.data_years.overlaps(edition.data_years)
            ):
                row.fault(f"overlaps {other.code} ({other.data_years}) for {', '.join(sorted(shared))}")
        result[edition.code] = edition
    return result


def _parameter_units(path: Path, faults: Faults) -> list[ParameterUnit]:
    result: list[ParameterUnit] = []
    seen: set[tuple[str, str, str]] = set()
    columns = ["parameter", "unit", "base_unit", "factor", "lower", "upper", "name_zh"]
    for row in read_rows(path, columns, faults):
        each = ParameterUnit(
            row.text("parameter"),
            row.text("unit"),
            row.text("base_unit"),
            row.number_of("factor"),
            row.number_or_none("lower"),
            row.number_or_none("upper"),
        )
        key = (each.parameter, each.unit, each.base)
        if key in seen:
            row.fault(f"{each.parameter} in {each.unit} of {each.base} is given twice")
        seen.add(key)
        if each.factor <= 0 or (each.unit == each.base and each.factor != 1):
            row.fault(f"factor {row.optional('factor')} must be positive, and 1 for the base unit itself")
        if each.lower is not None and each.upper is not None and each.upper < each.lower:
            row.fault("upper is below lower")
        result.append(each)
    for each in result:
        if (each.parameter, each.base, each.base) not in seen:
            faults.add(path, f"{each.parameter}: the base unit {each.base} has no row")
    return result


class _Reader:
    """Reads the TOML files; those that extend another edition after that one."""

    def __init__(
        self,
        folder: Path,
        faults: Faults,
        industries: Mapping[str, Industry],
        editions: Mapping[str, Edition],
        parameters: set[tuple[str, str]],
    ) -> None:
        self.folder, self.faults = folder, faults
        self.industries, self.editions, self.parameters = industries, editions, parameters
        self.kinds = read_toml(folder / "kinds.toml", faults)
        self.common = read_toml(folder / "common.toml", faults)
        self.tables: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def read_all(self) -> dict[tuple[str, str], Mapping[str, Method]]:
        self._check_shares()
        files: list[tuple[Path, dict[str, Any]]] = []
        for path in sorted(self.folder.glob("*/*.toml")):
            table = read_toml(path, self.faults)
            if table:
                files.append((path, table))
        result: dict[tuple[str, str], Mapping[str, Method]] = {}
        # files that extend nothing come first: an extension goes one step only
        for path, table in sorted(files, key=lambda each: "extends" in each[1]):
            self._unknown(path, "the file", table, _FILE_FIELDS)
            industry, edition = str(table.get("industry")), str(table.get("edition"))
            if industry not in self.industries or industry != path.stem:
                self.faults.add(path, f"industry {industry!r} is unknown, or not the name of the file")
            elif edition not in self.editions or edition.replace("-", "_") != path.parent.name:
                self.faults.add(path, f"edition {edition!r} is unknown, or not the name of the folder")
            else:
                sources = self._sources(path, table)
                self.tables[industry, edition] = sources
                methods = (
                    self._method(path, industry, edition, code, each) for code, each in sources.items()
                )
                result[industry, edition] = {method.code: method for method in methods if method is not None}
        return result

    def _sources(self, path: Path, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The sources of a file as one table each: inherited, common, its own, later ones winning."""
        sources: dict[str, dict[str, Any]] = {}
        if "extends" in table:
            base = self.tables.get((str(table.get("industry")), str(table["extends"])))
            if base is None:
                self.faults.add(path, f"extends {table['extends']!r}, which {table['industry']} doesn't have")
            for code, source in (base or {}).items():
                changed = dict(source)
                for name in ("clause", "confidence"):
                    changes = table.get("clauses" if name == "clause" else "confidence", {})
                    changed[name] = changes.get(code, changes.get("*", source.get(name)))
                sources[code] = changed
            for code in [*table.get("clauses", {}), *table.get("confidence", {}), *table.get("drop", [])]:
                if code != "*" and code not in sources:
                    self.faults.add(path, f"source {code!r} is not in {table['extends']}")
        for code in table.get("drop", []):
            sources.pop(code, None)
        for code, changes in table.get("common", {}).items():
            if code not in self.common:
                self.faults.add(path, f"[common] {code!r} is no common source")
            sources[code] = {**self.common.get(code, {}), **changes}
        for code, own in table.get("sources", {}).items():
            inherited = sources.get(code, {})
            parameters = {**inherited.get("parameters", {}), **own.get("parameters", {})}
            sources[code] = {**inherited, **own, "parameters": parameters}
        if "factors_from" in table:
            sources = {
                code: {**each, "factors_from": table["factors_from"]} for code, each in sources.items()
            }
        return sources

    def _method(
        self, path: Path, industry: str, edition: str, code: str, table: dict[str, Any]
    ) -> Method | None:
        self._unknown(path, code, table, _SOURCE_FIELDS)
        missing = [name for name in ("name", "kind", "units", "clause", "confidence") if not table.get(name)]
        if missing:
            self.faults.add(path, f"{code}: {', '.join(missing)} missing")
            return None
        kind = self.kinds.get(table["kind"])
        if kind is None:
            self.faults.add(path, f"{code}: kind {table['kind']!r} is not in kinds.toml")
            return None
        units, boundaries = tuple(table["units"]), tuple(table.get("boundaries", ["account"]))
        for unit in units:
            if unit not in UNITS:
                self.faults.add(path, f"{code}: unit {unit!r} is unknown")
        for boundary in boundaries:
            if boundary not in BOUNDARIES:
                self.faults.add(path, f"{code}: boundary {boundary!r} is neither account nor ets")
        if table["confidence"] not in CONFIDENCES:
            self.faults.add(path, f"{code}: confidence {table['confidence']!r} is none of H, M, L")
        scope = table.get("scope", 1)
        if scope not in (1, 2, 3):
            self.faults.add(path, f"{code}: scope {scope!r} is none of 1, 2, 3")
        factors_from = table.get("factors_from")
        if factors_from is not None and factors_from not in self.editions:
            self.faults.add(path, f"{code}: factors_from {factors_from!r} is no edition")
        specs = {**kind.get("parameters", {}), **table.get("parameters", {})}
        return Method(
            industry=industry,
            edition=edition,
            code=code,
            name=table["name"],
            kind=table["kind"],
            formula=kind.get("formula", ""),
            units=units,
            gases=tuple(kind.get("gases", ["CO2"])),
            scope=scope,
            boundaries=boundaries,
            deduction=bool(table.get("deduction", False)),
            clause=table["clause"],
            confidence=table["confidence"],
            parameters={name: self._parameter(path, code, name, each, specs) for name, each in specs.items()},
            ets_until=self._date(path, code, table.get("ets_until")),
            default_materials=tuple(table.get("default_materials", ())),
            fuels=tuple(table.get("fuels", ())),
            other_group=tuple(table.get("other_group", ())),
            material_gas=dict(table.get("material_gas", {})),
            shares=tuple(tuple(names) for names in kind.get("shares", ())),
            factors_from=factors_from,
            note=table.get("note", ""),
        )

    def _parameter(
        self, path: Path, code: str, name: str, table: dict[str, Any], others: Mapping[str, Any]
    ) -> ParameterSpec:
        where = f"{code}.{name}"
        self._unknown(path, where, table, _PARAMETER_FIELDS)
        units = tuple(table.get("units", ()))
        if not units:
            self.faults.add(path, f"{where}: units missing")
        for unit in units:
            if (name, unit) not in self.parameters:
                self.faults.add(path, f"{where}: {unit!r} is no base unit of it in parameters.csv")
        for link in ("required_with", "replaced_by"):
            if table.get(link) is not None and table[link] not in others:
                self.faults.add(path, f"{where}: {link} {table[link]!r} is no parameter of the source")
        default: Fraction | None = None
        place = Place.FIXED
        if "default" in table:
            default = parse_decimal(str(table["default"]))
            if default is None or "from" in table:
                self.faults.add(
                    path, f"{where}: default must be a plain decimal in quotes, and stand without from"
                )
        elif table.get("from") in _GIVEN:
            place = Place(table["from"])
        else:
            self.faults.add(
                path, f"{where}: from {table.get('from')!r} is none of {', '.join(sorted(_GIVEN))}"
            )
        return ParameterSpec(
            name, units, place, default, table.get("required_with"), table.get("replaced_by")
        )

    def _check_shares(self) -> None:
        for code, kind in self.kinds.items():
            specs = kind.get("parameters", {})
            for names in kind.get("shares", ()):
                units = [specs.get(name, {}).get("units") for name in names]
                if len(set(names)) < 2 or any(each != ["fraction"] for each in units):
                    message = f"{code}: shares {', '.join(names)} must be two or more parameters in fraction"
                    self.faults.add(self.folder / "kinds.toml", message)

    def _date(self, path: Path, code: str, text: str | None) -> date | None:
        if text is None:
            return None
        day = parse_date(text)
        if day is None:
            self.faults.add(path, f"{code}: ets_until {text!r} is not a date such as 2023-01-01")
        return day

    def _unknown(self, path: Path, where: str, table: Mapping[str, Any], known: set[str]) -> None:
        for name in table:
            if name not in known:
                self.faults.add(path, f"{where}: {name!r} is no field here")
