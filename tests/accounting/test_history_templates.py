"""Templates are made from the method files and read back as what they say."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest

from accounting.factors.load import load as load_library
from accounting.history.columns import find, template_columns
from accounting.history.template import EXAMPLE_USCC, Template, template, template_csv
from accounting.history.template_text import Language
from accounting.history.template_xlsx import template_xlsx
from accounting.methods.method import Place
from domain.errors import Refused
from domain.identity import uscc_fault
from tests.accounting.history_cases import STEEL, compute, enterprises, read

METHODS = load_library().methods
LANGUAGES: tuple[Language, ...] = ("zh", "en")
EDITIONS = sorted(METHODS.by_edition)


def made(industry: str, edition: str | None = None, language: Language = "zh") -> Template:
    return template(load_library(), industry, edition, language)


def filled(content: bytes) -> bytes:
    """A CSV template whose examples are taken out of their remarks and signed by an enterprise."""
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    for line in lines[3:]:
        assert line[0] == f"# {EXAMPLE_USCC}"
        line[0] = STEEL
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def test_there_is_one_for_each_of_the_24_industries() -> None:
    assert len(METHODS.industries) == 24
    assert {industry for industry, _ in EDITIONS} == set(METHODS.industries)
    assert uscc_fault(EXAMPLE_USCC) is None


@pytest.mark.parametrize(("industry", "edition"), EDITIONS)
def test_every_header_is_read_as_the_column_it_is(industry: str, edition: str) -> None:
    columns = template_columns(METHODS.sources(industry, edition).values())
    assert len({column.code for column in columns}) == len(columns)
    for column in columns:
        for header in (column.code, column.zh, column.en, f"{column.zh}*", column.code.upper()):
            assert find(header) == column, header


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("industry", "edition"), EDITIONS)
def test_its_examples_are_an_inventory_as_they_stand(industry: str, edition: str, language: Language) -> None:
    content = filled(template_csv(made(industry, edition, language)))
    found, faults = compute(content, enterprises(industry, edition))
    assert faults == []
    ((statement, its),) = found
    assert its.answer["edition"] == edition
    assert 1 <= len(statement.rows) <= 3
    assert float(its.summary["account_tco2e"]) + float(its.summary["ets_tco2e"]) > 0


def test_as_it_comes_it_has_no_rows() -> None:
    for content in (template_csv(made("cement")), template_xlsx(made("cement"))):
        with pytest.raises(Refused, match="no rows of data"):
            read(content)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("industry", sorted(METHODS.industries))
def test_a_workbook_is_filled_in_and_read(industry: str, language: Language) -> None:
    it = made(industry, None, language)
    content = template_xlsx(it)
    assert content == template_xlsx(made(industry, None, language)), "the same template, the same bytes"
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    data, *others = workbook.worksheets
    assert all(each.title.startswith("#") for each in others)
    assert [cell.value for cell in data[1]] == it.titles
    assert [cell.value for cell in data[2]] == it.codes
    for row in range(4, data.max_row + 1):
        cell = data.cell(row, 1)
        assert cell.value == f"# {EXAMPLE_USCC}"
        cell.value = STEEL
    buffer = io.BytesIO()
    workbook.save(buffer)
    by_workbook, faults = compute(buffer.getvalue(), enterprises(industry))
    assert faults == []
    by_csv, faults = compute(filled(template_csv(it)), enterprises(industry))
    assert faults == []
    assert [its.answer for _, its in by_workbook] == [its.answer for _, its in by_csv]


def test_lists_to_choose_from_are_understood() -> None:
    it = made("steel")
    for field, entries in it.lists.items():
        assert entries, field
        assert len(set(entries)) == len(entries)
    workbook = openpyxl.load_workbook(io.BytesIO(template_xlsx(it)))
    data = workbook.worksheets[0]
    ranges = {each.formula1 for each in data.data_validations.dataValidation if each.type == "list"}
    assert len(ranges) == 6
    lists = workbook["#列表"]
    assert lists.sheet_state == "hidden"
    assert [cell.value for cell in lists["B"] if cell.value][1:] == it.lists["source"]
    assert "fuel_combustion 化石燃料燃烧" in it.lists["source"]
    assert "natural_gas 天然气" in it.lists["fuel"]


@pytest.mark.parametrize(("industry", "edition"), EDITIONS)
def test_every_default_is_shown_with_its_source_and_confidence(industry: str, edition: str) -> None:
    it = made(industry, edition)
    guide, sources, fuels, defaults, electricity = it.tables
    assert industry in guide.header[0]
    methods = METHODS.sources(industry, edition)
    assert [row[0] for row in sources.rows] == list(methods)
    for table in (sources, fuels, defaults, electricity):
        for row in table.rows:
            assert len(row) == len(table.header)
            assert row[-1] in ("H", "M", "L"), (table.name, row)
    for row in (*defaults.rows, *electricity.rows, *fuels.rows):
        assert all(row[:1]), row
        assert row[-2] or row[-3], "where it comes from"
    shown = {(row[0], row[3]) for row in defaults.rows}
    for method in methods.values():
        for name, spec in method.parameters.items():
            if spec.place in (Place.FIXED, Place.HEAT, Place.GWP):
                assert (method.code, name) in shown
    assert bool(electricity.rows) == any(
        spec.place is Place.GRID for method in methods.values() for spec in method.parameters.values()
    )


def test_an_edition_that_the_industry_has_not_is_refused() -> None:
    with pytest.raises(Refused, match="mee-2025"):
        made("cement", "mee-2025")
    with pytest.raises(Refused, match="unknown"):
        made("bakery")
