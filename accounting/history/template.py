"""The template of an industry's history, made from its method file: what to fill in, with every default and its source.

As values; `template_csv` and `accounting.history.template_xlsx` write them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from accounting.factors.load import FactorLibrary
from accounting.factors.names import name
from accounting.history import defaults as of_method
from accounting.history.columns import Column, template_columns
from accounting.history.template_text import GUIDE, Language, word
from accounting.history.vocabulary import PROVENANCE_ZH, Provenance, label
from accounting.methods.method import Method, Place

EXAMPLE_YEAR = "2023"
EXAMPLE_USCC = "91430300MA4L0DEM8M"
EXAMPLES_MAX = 3
_FIRST_FUELS = ("natural_gas", "diesel")  # of an example, where the source knows them


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet of explanations. Its name begins with #, so that it isn't read as data."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Template:
    """remarks: rows that begin with #. lists: by field, what a cell may be chosen from."""

    industry: str
    edition: str
    language: Language
    name: str  # of the sheet of data
    columns: Sequence[Column]
    remarks: Sequence[Sequence[str]]
    tables: Sequence[Table]
    lists: dict[str, list[str]]

    @property
    def titles(self) -> list[str]:
        return [column.zh if self.language == "zh" else column.en for column in self.columns]

    @property
    def codes(self) -> list[str]:
        return [column.code for column in self.columns]


def template(library: FactorLibrary, industry: str, edition: str | None, language: Language) -> Template:
    """The template of an industry under an edition, its own by default; Refused where there is none such."""
    fault = library.methods.edition_fault(industry, edition)
    edition = edition or (library.methods.own_edition(industry) if fault is None else "")
    methods = library.methods.sources(industry, edition)
    return _Maker(library, industry, edition, list(methods.values()), language).template()


def template_csv(made: Template) -> bytes:
    """As CSV: UTF-8 with the mark that spreadsheets know it by."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([made.titles, made.codes, *made.remarks])
    return text.getvalue().encode("utf-8-sig")


class _Maker:
    def __init__(
        self, library: FactorLibrary, industry: str, edition: str, methods: list[Method], language: Language
    ) -> None:
        self.library, self.industry, self.edition = library, industry, edition
        self.methods, self.language = methods, language
        self.columns = template_columns(methods)
        self.fuels = {method.code: of_method.known_fuels(library, method) for method in methods}
        self.materials = {method.code: of_method.known_materials(library, method) for method in methods}

    def template(self) -> Template:
        return Template(
            self.industry,
            self.edition,
            self.language,
            self.word("data"),
            self.columns,
            [self.hints(), *self.examples()],
            [self.guide(), self.sources(), self.fuel_table(), self.default_table(), self.electricity()],
            self.lists(),
        )

    def word(self, key: str, **values: str) -> str:
        return word(key, self.language, **values)

    def label(self, code: str, called: str | None = None) -> str:
        return label(code, called or name(code, "zh")) if self.language == "zh" else code

    # --- the sheet of data

    def hints(self) -> list[str]:
        cells = [self.hint(column) for column in self.columns]
        return [f"# {cells[0]}", *cells[1:]]

    def hint(self, column: Column) -> str:
        if column.parameter is None:
            key = {"uscc": "required", "name": "for people", "note": "optional"}.get(
                column.field, column.field
            )
            return self.word(key, edition=self.edition)
        users = [method for method in self.methods if column.unit in self.units_of(method, column.parameter)]
        needing = [
            method.code for method in users if method.parameters[column.parameter].place is Place.REQUIRED
        ]
        texts = [self.word("parameter required", required=", ".join(needing))] if needing else []
        for key, codes in (
            ("parameter", [method.code for method in users if self.has_default(method, column.parameter)]),
            (
                "parameter optional",
                [method.code for method in users if self.is_optional(method, column.parameter)],
            ),
        ):
            if codes:
                texts.append(self.word(key, sources=", ".join(codes)))
        return "; ".join(texts)

    @staticmethod
    def units_of(method: Method, parameter: str) -> Sequence[str]:
        spec = method.parameters.get(parameter)
        return () if spec is None else spec.units

    @staticmethod
    def is_optional(method: Method, parameter: str) -> bool:
        return method.parameters[parameter].place is Place.OPTIONAL

    @staticmethod
    def has_default(method: Method, parameter: str) -> bool:
        return method.parameters[parameter].place not in (Place.REQUIRED, Place.OPTIONAL)

    def examples(self) -> list[list[str]]:
        """Rows that would do as they stand, of sources that need no parameter."""
        rows: list[list[str]] = []
        for method in self.methods:
            if len(rows) == EXAMPLES_MAX:
                break
            if method.deduction or any(spec.place is Place.REQUIRED for spec in method.parameters.values()):
                continue
            fuels, materials = self.complete_fuels(method), self.complete_materials(method)
            if (self.fuels[method.code] and not fuels) or (self.materials[method.code] and not materials):
                continue
            fuel = next((each for each in _FIRST_FUELS if each in fuels), fuels[0] if fuels else None)
            unit = method.units[0]
            if fuel is not None:
                found = of_method.fuel_of(self.library, method, fuel)
                unit = found.unit if found else unit
            values = {
                "uscc": f"# {EXAMPLE_USCC}",
                "year": EXAMPLE_YEAR,
                "source": self.label(method.code, method.name),
                "fuel": "" if fuel is None else self.label(fuel),
                "material": self.label(materials[0]) if materials else "",
                "amount": "1000",
                "unit": unit,
                "provenance": self.provenance(Provenance.REPORTED),
                "note": self.word("example"),
            }
            rows.append(
                [values.get(column.field, "") if column.parameter is None else "" for column in self.columns]
            )
        return rows

    def complete_fuels(self, method: Method) -> list[str]:
        """The fuels with a default for all that the formula asks of a fuel."""
        wanted = {each.name for each in method.parameters.values() if each.place is Place.FUEL}
        tables = {each: of_method.fuel_of(self.library, method, each) for each in self.fuels[method.code]}
        return [each for each, fuel in tables.items() if fuel is not None and wanted <= set(fuel.values)]

    def complete_materials(self, method: Method) -> list[str]:
        """The materials with a default for all that the formula takes from a table."""
        wanted = {each.name for each in method.parameters.values() if each.place is Place.TABLE}
        having: dict[str, set[str]] = {}
        for each in of_method.defaults(self.library, method):
            having.setdefault(each.of, set()).add(each.parameter)
        common = having.get("", set())
        return [each for each in self.materials[method.code] if wanted <= common | having.get(each, set())]

    def provenance(self, each: Provenance) -> str:
        return label(each.value, PROVENANCE_ZH[each]) if self.language == "zh" else each.value

    def lists(self) -> dict[str, list[str]]:
        editions = [edition for of, edition in self.library.methods.by_edition if of == self.industry]
        return {
            "edition": editions,
            "source": [self.label(method.code, method.name) for method in self.methods],
            "fuel": self.labels(self.fuels),
            "material": self.labels(self.materials),
            "unit": list(dict.fromkeys(unit for method in self.methods for unit in method.units)),
            "provenance": [self.provenance(each) for each in reversed(Provenance)],
        }

    def labels(self, codes: dict[str, list[str]]) -> list[str]:
        return [self.label(code) for code in dict.fromkeys(code for each in codes.values() for code in each)]

    # --- explanations

    def guide(self) -> Table:
        industry = self.library.methods.industries[self.industry]
        values = {
            "name": industry.name_zh if self.language == "zh" else industry.name_en,
            "industry": self.industry,
            "edition": self.edition,
            "document": self.library.methods.editions[self.edition].document,
        }
        title, *texts = GUIDE[self.language]
        return Table(self.word("guide"), [title.format(**values)], [[text] for text in texts])

    def sources(self) -> Table:
        keys = (
            "source code", "source name", "formula", "units", "required parameters", "other parameters", "gas", "scope",
            "boundary", "deduction", "clause", "confidence",
        )  # fmt: skip
        rows = []
        for method in self.methods:
            specs = method.parameters.values()
            needed = [
                f"{each.name} [{' | '.join(each.units)}]" for each in specs if each.place is Place.REQUIRED
            ]
            others = [
                f"{each.name} [{' | '.join(each.units)}]"
                for each in specs
                if each.place is not Place.REQUIRED
            ]
            rows.append(
                [
                    method.code, method.name, method.formula, ", ".join(method.units), ", ".join(needed),
                    ", ".join(others), ", ".join(method.gases), str(method.scope), ", ".join(method.boundaries),
                    self.word("yes") if method.deduction else "", method.clause, method.confidence,
                ]
            )  # fmt: skip
        return Table(self.word("sources"), [self.word(key) for key in keys], rows)

    def fuel_table(self) -> Table:
        keys = ("code", "Chinese name", "English name", "units")
        parameters = ("ncv", "carbon_content", "oxidation_rate")
        header = [
            *(self.word(key) for key in keys),
            *parameters,
            self.word("origin"),
            self.word("confidence"),
        ]
        rows: dict[str, list[str]] = {}
        for method in self.methods:
            for code in self.fuels[method.code]:
                fuel = of_method.fuel_of(self.library, method, code)
                if fuel is None or code in rows:
                    continue
                figures = [fuel.values.get(parameter) for parameter in parameters]
                known = next(iter(fuel.values.values()))
                rows[code] = [
                    code, name(code, "zh"), name(code, "en"), fuel.unit,
                    *(f"{figure.text} {figure.unit}" if figure else "" for figure in figures),
                    known.source, known.confidence,
                ]  # fmt: skip
        return Table(self.word("fuels"), header, list(rows.values()))

    def default_table(self) -> Table:
        keys = (
            "source code", "material code", "Chinese name", "parameter name", "value", "value unit", "origin",
            "from edition", "confidence",
        )  # fmt: skip
        rows = [
            [
                each.source, each.of, name(each.of, "zh") if each.of else "", each.parameter, each.value, each.unit,
                each.origin, each.edition, each.confidence,
            ]
            for method in self.methods
            for each in of_method.defaults(self.library, method)
        ]  # fmt: skip
        return Table(self.word("defaults"), [self.word(key) for key in keys], rows)

    def electricity(self) -> Table:
        keys = ("area", "vintage", "value", "value unit", "origin", "confidence")
        takes = any(
            spec.place is Place.GRID for method in self.methods for spec in method.parameters.values()
        )
        rows = [
            [
                each.area,
                str(each.year),
                each.figure.text,
                each.figure.unit,
                each.figure.source,
                each.figure.confidence,
            ]
            for each in self.library.tables.grid
            if takes and each.kind in ("average", "regional_average")
        ]
        return Table(self.word("electricity"), [self.word(key) for key in keys], rows)
