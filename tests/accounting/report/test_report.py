"""A report's figures against sums by hand, its tables in both languages, and its files opened again."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import openpyxl
import pypdf
import pytest

from accounting.factors.load import load as load_library
from accounting.inventory.answer import inventory_answer
from accounting.report.build import build
from accounting.report.document import Report, Statement, canonical, digest, from_json, sealed, to_json
from accounting.report.forms import ReportFormat, every_form, rendered, written
from accounting.report.inventory_tables import inventory_paper
from accounting.report.layout import Form
from accounting.report.tables import paper
from accounting.report.texts import Language, keys, template, text
from accounting.report.year import LedgerFactor
from domain.entry_sums import EntrySums
from domain.registry import Dated
from tests.accounting.factor_cases import CALENDAR
from tests.accounting.report.cases import YEAR, books, report, steelworks

GOLDEN = Path(__file__).parents[2] / "golden" / "report" / "steel_2023.json"

# By hand, in tonnes: amounts times factors of the guideline, Hunan's grid of 2023 and the measured NCVs.
GRID = Fraction("0.4976") * 3000
SOLD = -Fraction("0.4976") * 300
GAS = (100 * 380 + 300 * 400) * Fraction("0.01530") * Fraction("0.99") * Fraction(44, 12)
STEEL = -5000 * Fraction("0.0154")


def test_totals_are_sums_by_hand() -> None:
    account, ets = report().totals
    assert Fraction(account.tco2e or 0) == GRID + SOLD + GAS + STEEL == Fraction("10041.682")
    assert Fraction(ets.tco2e or 0) == GAS + STEEL
    assert Fraction(account.gross_kg or 0) == (GRID + GAS) * 1000
    assert Fraction(account.deductions_kg or 0) == (SOLD + STEEL) * 1000
    assert account.reported is not None
    assert (account.reported.tco2e, account.reported.rounding) == ("10041.68", "half_up")
    assert {each.key: Fraction(each.tco2e) for each in account.by_scope} == {
        "1": GAS + STEEL,
        "2": GRID + SOLD,
    }
    assert {each.key: Fraction(each.tco2e) for each in account.by_method} == {
        "purchased_electricity": GRID, "exported_electricity": SOLD, "fuel_combustion": GAS, "carbon_fixed": STEEL,
    }  # fmt: skip


def test_the_lines_add_up_to_the_totals() -> None:
    its = report()
    for total, column in zip(its.totals, ("account_kg", "ets_kg"), strict=True):
        lines = [getattr(each, column) for each in its.emissions]
        assert sum(Fraction(each) for each in lines if each is not None) == Fraction(total.kg or 0)
        for parts in (total.by_scope, total.by_gas, total.by_method):
            assert sum(Fraction(each.kg) for each in parts) == Fraction(total.kg or 0)
    assert sum(Fraction(each.tco2e) for each in its.factors) == Fraction(its.totals[0].tco2e or 0)


def test_a_year_mean_is_weighted_by_the_fuel_burnt() -> None:
    (mean,) = report().means
    assert (mean.source, mean.name, mean.values, mean.unit) == ("boiler", "ncv", 2, "GJ/10k_nm3")
    assert mean.mean == "395"  # (380 × 100 + 400 × 300) ÷ 400, and not 390
    assert mean.weights == "amount"


def test_shares_of_estimates_are_of_magnitudes() -> None:
    account, ets = report().totals
    magnitude = GRID - SOLD + GAS - STEEL
    assert account.estimated_share is not None
    exact = Fraction("0.4976") * 200 / magnitude
    assert 0 <= Fraction(account.estimated_share) - exact < Fraction(1, 10**6)
    assert account.estimated_or_substituted_share == account.estimated_share
    assert account.substituted_share == ets.estimated_share == "0"
    assert 0 <= Fraction(account.confidence_shares["M"]) - -STEEL / magnitude < Fraction(1, 10**6)


def test_activity_data_with_months_meters_and_units() -> None:
    grid = next(each for each in report().activities if each.source == "grid")
    assert (grid.amount, grid.unit, grid.converted, grid.converted_unit) == ("3000.00", "MWh", "3000", "MWh")
    assert [each.amount for each in grid.months] == [
        {0: "1000.00", 6: "2000.00"}.get(month) for month in range(12)
    ]
    assert [(each.channel, each.meter, each.resolution) for each in grid.origins] == [
        ("E-01/import_mwh", "进线一", "0.01")
    ]


def test_energy_is_net_of_what_was_passed_on() -> None:
    its = report()
    assert [(each.source, each.direction, each.amount) for each in its.energy] == [
        ("grid", "purchased", "3000"), ("sold", "exported", "-300"),
    ]  # fmt: skip
    (net,) = its.net_energy
    assert (net.carrier, net.amount, Fraction(net.account_tco2e)) == ("electricity", "2700", GRID + SOLD)


def test_weak_figures_and_findings_are_shown() -> None:
    its = report()
    assert [(each.source, each.name, each.mark) for each in its.weak_figures] == [
        ("steel", "emission_factor", "M")
    ]
    assert [(each.rule, each.state, each.explanation) for each in its.findings] == [
        ("frozen_value", "explained", "停电检修")
    ]


def test_what_is_unknown_is_null_and_listed() -> None:
    owner = steelworks()
    known, _ = books(owner)
    nothing = build(owner, YEAR, replace(known, entries=[], products=[]), load_library().methods, CALENDAR)
    account, _ = nothing.totals
    assert (account.kg, account.reported, account.gross_kg, account.coverage) == (None, None, None, "0")
    assert account.estimated_share is None
    assert [each.source for each in nothing.emissions] == ["boiler", "grid", "sold", "steel"]
    assert all(each.account_kg is None and each.ets_kg is None for each in nothing.emissions)
    assert {each.amount for each in nothing.activities} == {None}
    for language in Language:
        assert written(nothing, ReportFormat.PDF, language).startswith(b"%PDF")
        assert written(nothing, ReportFormat.XLSX, language).startswith(b"PK")


def test_a_second_gas_counts_its_intervals_once() -> None:
    owner = steelworks()
    known, _ = books(owner)
    second = [each._replace(gas="CH4", repeats=True) for each in known.entries if each.source_id == 3]
    its = build(
        owner, YEAR, replace(known, entries=[*known.entries, *second]), load_library().methods, CALENDAR
    )
    before = report()
    assert its.totals[0].coverage == before.totals[0].coverage
    assert [each.amount for each in its.activities] == [each.amount for each in before.activities]
    assert {each.key for each in its.totals[0].by_gas} == {"CO2", "CH4"}
    lines = [(each.gas, each.account_kg) for each in its.emissions if each.source == "boiler"]
    assert [gas for gas, _ in lines] == ["CH4", "CO2"]


def test_substitutions_tell_their_rule_what_they_replace_and_their_effect() -> None:
    owner = steelworks()
    known, factors = books(owner)
    grid, gas = known.entries[1], known.entries[4]
    filled = grid._replace(substituted=96, substituted_mg=grid.mg // 31, substituted_magnitude=grid.mg // 31)
    figures = gas._replace(substituted=gas.known, substituted_mg=gas.mg, substituted_magnitude=gas.magnitude)
    entries = [known.entries[0], filled, *known.entries[2:4], figures, *known.entries[5:]]
    original = {"value": "380", "unit": "GJ/10k_nm3", "reference": "lab report 1"}
    said = {
        "rule": "fuel_table_default",
        "replaced": [{"name": "ncv", "original": original}, {"name": "carbon_content", "original": None}],
        "mg_per_unit_original": str(factors["gas_january"].mg_per_unit),
    }
    described = {**factors["gas_july"].description, "substitution": said}
    by_rule = {**known.factors, gas.factor_id: LedgerFactor("the set", described)}
    version = replace(owner.sources["grid"].versions[0].value, substitution="electricity_highest_month")
    source = replace(owner.sources["grid"], versions=(Dated(None, version),))
    owner = replace(owner, sources={**owner.sources, "grid": source})
    its = build(
        owner, YEAR, replace(known, entries=entries, factors=by_rule), load_library().methods, CALENDAR
    )
    boiler, bought = its.substitutions
    assert (boiler.source, boiler.rule, boiler.intervals) == ("boiler", "fuel_table_default", gas.known)
    assert [(each.name, each.original) for each in boiler.replaced] == [
        ("ncv", "380"),
        ("carbon_content", None),
    ]
    per_gj = Fraction("0.01530") * Fraction("0.99") * Fraction(44, 12)
    assert Fraction(boiler.effect_tco2e or 0) == 300 * (400 - 380) * per_gj
    assert (bought.source, bought.rule, bought.intervals) == ("grid", "electricity_highest_month", 96)
    assert bought.tco2e == bought.effect_tco2e
    assert Fraction(bought.tco2e) == Fraction(filled.substituted_mg, 10**9)
    assert [each.name for each in bought.replaced] == ["amount"]
    coverage = {(each.source, each.boundary): each.coverage for each in its.quality}
    assert coverage["boiler", "ets"] == "0.084931"  # January alone: what was substituted doesn't count
    for language in Language:
        (table,) = [
            each
            for each in paper(its, language).tables
            if each.title == text("table6_substitutions", language)
        ]
        assert len(table.rows) == 2


def test_editions_of_both_boundaries_stand_with_their_documents() -> None:
    owner = replace(steelworks(), editions=())
    its = build(
        owner, 2024, replace(books(owner)[0], entries=[], products=[]), load_library().methods, CALENDAR
    )
    found = [(each.boundary, each.edition, each.first_day, each.last_day) for each in its.enterprise.editions]
    assert found == [
        ("account", "ndrc-2013", "2024-01-01", "2024-12-31"),
        ("ets", "mee-2025", "2024-01-01", "2024-12-31"),
    ]
    assert its.enterprise.editions[0].document == "发改办气候〔2013〕2526号"


def test_golden() -> None:
    """The whole report; the sums in it are checked by hand above."""
    told = json.loads(to_json(report()))
    told.pop("sha256")
    told["provenance"].pop("ledger_sha256")
    assert told == json.loads(GOLDEN.read_text("utf-8"))


def test_hashes_tell_books_and_reports_apart() -> None:
    its = report()
    assert its == sealed(its) == from_json(to_json(its))
    assert its.provenance.ledger_sha256 == digest(its.emissions, its.activities, its.factors)
    owner = steelworks()
    known, _ = books(owner)
    later = build(
        owner,
        YEAR,
        replace(known, as_of_us=known.as_of_us + 1_000_000),
        load_library().methods,
        CALENDAR,
        "园区",
    )
    assert later.provenance.ledger_sha256 == its.provenance.ledger_sha256
    assert later.sha256 != its.sha256
    first: EntrySums = known.entries[0]
    changed = replace(known, entries=[first._replace(mg=first.mg + 1), *known.entries[1:]])
    other = build(owner, YEAR, changed, load_library().methods, CALENDAR, "园区")
    assert other.provenance.ledger_sha256 != its.provenance.ledger_sha256
    assert canonical({"b": 1, "a": "碳"}) == '{"a":"碳","b":1}'.encode()


def test_the_same_report_gives_the_same_bytes() -> None:
    once, again = every_form(report()), every_form(from_json(to_json(report())))
    assert once == again
    assert [(form, language) for form, language, _ in once] == [
        ("json", ""), ("xlsx", "zh"), ("pdf", "zh"), ("xlsx", "en"), ("pdf", "en"),
    ]  # fmt: skip


@pytest.mark.parametrize("language", list(Language))
def test_the_workbook_holds_the_tables(language: Language) -> None:
    its = paper(report(), language)
    book = openpyxl.load_workbook(io.BytesIO(written(report(), ReportFormat.XLSX, language)))
    assert len(book.sheetnames) == len(its.tables)
    for table, name in zip(its.tables, book.sheetnames, strict=True):
        sheet = book[name]
        top = len(its.lines) + 3
        assert [cell.value for cell in sheet[top]][: len(table.columns)] == [
            each.title for each in table.columns
        ]
        assert sheet.print_title_rows == f"${top}:${top}"
        for number, row in enumerate(table.rows, top + 1):
            for column, cell, told in zip(table.columns, sheet[number], row, strict=False):
                if told is None:
                    assert cell.value is None
                elif column.form is Form.NUMBER and isinstance(cell.value, int | float):
                    assert cell.value == float(told)
                else:
                    assert cell.value == told
    assert book.properties.created.isoformat() == "2024-03-01T10:30:00"


@pytest.mark.parametrize("language", list(Language))
def test_the_pdf_reads_as_the_tables(language: Language) -> None:
    its = report()
    reader = pypdf.PdfReader(io.BytesIO(written(its, ReportFormat.PDF, language)))
    pages = [page.extract_text() for page in reader.pages]
    whole = "".join("".join(pages).split())
    assert len(pages) > 1
    name = {"zh": "湘钢", "en": "Steel&<Works>"}[language]
    for told in ("10,041.682000000", "10,041.68", "8,698.162000000", "-149.280000000", "395", "进线一", name):
        assert told in whole, told
    for title in ("table1", "table2", "table3", "table8"):
        assert "".join(text(title, language).split()) in whole
    for number, page in enumerate(pages, 1):
        foot = "".join(page.split())
        assert its.sha256 in foot
        assert "".join(text("page", language, page=number, pages=len(pages)).split()) in foot
    assert reader.metadata is not None
    assert reader.metadata["/CreationDate"] == "D:20240301103000+08'00'"


def test_every_text_is_in_both_languages() -> None:
    assert keys()
    for key in keys():
        names = {language: set(re.findall(r"{(\w+)}", template(key, language))) for language in Language}
        assert len(set(map(frozenset, names.values()))) == 1, key
        assert all(text(key, language, **dict.fromkeys(names[language], "x")) for language in Language), key


def test_a_long_report_repeats_its_headings() -> None:
    its = report()
    many: Report = replace(its, emissions=its.emissions * 40)
    reader = pypdf.PdfReader(io.BytesIO(written(many, ReportFormat.PDF, Language.EN)))
    pages = [page.extract_text() for page in reader.pages]
    assert sum("fuel or material" in page and "ETS tCO2e" in page for page in pages) >= 4


INVENTORY = """{"industry": "steel", "period": {"from": "2023-01-01", "to": "2024-01-01"}, "district": "430300",
 "enterprise": "湘钢 & Co", "uncertainty": true,
 "activities": [
  {"source": "fuel_combustion", "fuel": "bituminous_coal", "amount": "1000", "unit": "t",
   "parameters": {"ncv": "20.1", "carbon_content": "0.0261", "oxidation_rate": "0.93"}},
  {"source": "carbon_fixed", "material": "crude_steel", "amount": "100", "unit": "t"},
  {"source": "purchased_electricity", "amount": "5200", "unit": "MWh"}]}"""


@pytest.mark.parametrize("language", list(Language))
def test_an_inventory_can_be_laid_out_too(language: Language) -> None:
    answer = inventory_answer(INVENTORY, load_library())
    its = inventory_paper(answer, language)
    once = {form: rendered(its, form) for form in (ReportFormat.XLSX, ReportFormat.PDF)}
    assert once == {form: rendered(inventory_paper(answer, language), form) for form in once}
    pages = pypdf.PdfReader(io.BytesIO(once[ReportFormat.PDF])).pages
    whole = "".join("".join(page.extract_text() for page in pages).split())
    total = Fraction("1000") * Fraction("20.1") * Fraction("0.0261") * Fraction("0.93") * Fraction(44, 12)
    total += Fraction("0.4976") * 5200 - Fraction("1.54")
    assert f"{float(total):,.6f}" in whole
    for told in (
        "湘钢&Co",
        "-1.540000000000",
        "0.0261",
        answer["factor_set"],
        {"zh": "烟煤", "en": "bituminouscoal"}[language],
    ):
        assert told in whole, told
    book = openpyxl.load_workbook(io.BytesIO(once[ReportFormat.XLSX]))
    assert len(book.sheetnames) == len(its.tables)
    assert book.worksheets[0].cell(len(its.lines) + 4, 2).value == pytest.approx(float(total))


def test_what_was_stated_stands_beside_the_meters() -> None:
    owner = steelworks()
    known, _ = books(owner)
    answer = inventory_answer(INVENTORY, load_library())
    at = "2024-02-01T08:00:00+08:00"
    stated = Statement(9, 2, at, "王工", "历史数据", "years.xlsx", "reported", answer)
    its = build(owner, YEAR, replace(known, statement=stated), load_library().methods, CALENDAR, "园区")
    assert its.totals == report().totals
    assert its.provenance.ledger_sha256 == report().provenance.ledger_sha256
    assert from_json(to_json(its)) == its
    for language in Language:
        tables = [
            each for each in paper(its, language).tables if each.title.startswith(text("table9", language))
        ]
        assert len(tables) >= 3
        assert "years.xlsx" in tables[0].notes[0]
        assert written(its, ReportFormat.PDF, language).startswith(b"%PDF")


def test_texts_from_outside_are_shown_whatever_they_hold() -> None:
    its = report()
    wild = ["<b>&amp;</i>" * 4_000, "停电" * 9_000, "a\x01\x0b\t\n😀 ‑ ⁻¹ ₂", "=1+1", "-", ""]
    findings = [replace(its.findings[0], explanation=each, subject=each) for each in wild]
    for language in Language:
        for form in (ReportFormat.XLSX, ReportFormat.PDF):
            content = written(replace(its, findings=findings), form, language)
            if form is ReportFormat.PDF:
                pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
                assert "".join(pages).count("停") == 2_000  # two cells of 2,000 characters
            else:
                sheet = openpyxl.load_workbook(io.BytesIO(content))[text("table8", language)[:31].strip()]
                told = [cell.value for cell in sheet["C"] if cell.value]
                assert "=1+1" in told
                assert sum(len(str(each)) == 32_767 for each in told) == 1
