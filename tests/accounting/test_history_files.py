"""History files as they come: encodings, delimiters, workbooks; what can't be read is refused with its place."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import pytest

from accounting.history import cells, rows, xlsx_file
from accounting.history.row import FileDefaults
from accounting.history.vocabulary import Provenance
from domain.errors import Fault, FaultyDocument
from tests.accounting.history_cases import STEEL, csv, read, xlsx

HEADER = (
    "统一社会信用代码",
    "年份",
    "排放源",
    "燃料品种",
    "活动数据",
    "计量单位",
    "低位发热量 [GJ/t]",
    "数据性质",
)
CODES = ("uscc", "year", "source", "fuel", "amount", "unit", "ncv [GJ/t]", "provenance")
ROW = (STEEL, "2023", "fuel_combustion", "烟煤", "1000.10", "t", "20.100", "核查")
ACTIVITY = {
    "source": "fuel_combustion",
    "fuel": "bituminous_coal",
    "amount": "1000.10",
    "unit": "t",
    "parameters": {"ncv": {"value": "20.100", "unit": "GJ/t"}},
}


def places(found: list[Fault]) -> list[str]:
    return [each.place for each in found]


def refusal(content: bytes) -> str | None:
    """Why a file can't be read, where it can't."""
    try:
        read(content)
    except FaultyDocument as error:
        return str(error)
    return None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_any_encoding_and_with_any_delimiter(encoding: str, delimiter: str) -> None:
    found, faults = read(csv(HEADER, CODES, ROW, encoding=encoding, delimiter=delimiter))
    assert faults == []
    (row,) = found
    assert row.activity == ACTIVITY
    assert row.provenance is Provenance.VERIFIED
    assert (row.first_day, row.end_day) == (date(2023, 1, 1), date(2024, 1, 1))
    assert row.sent == dict(zip(CODES, ROW, strict=True))


def test_text_of_a_workbook_is_exact_and_numbers_are_their_shortest_decimal() -> None:
    numbers = (STEEL, 2023, "fuel_combustion", "烟煤", 0.1, "t", 2.5e-7, "reported")
    texts = (STEEL, "2023", "fuel_combustion", "烟煤", "123456789012345678.90", "t", "0.10", "reported")
    whole = (STEEL, 2023, "fuel_combustion", "烟煤", 1e15, "t", 20, "reported")
    found, faults = read(xlsx({"2023": [HEADER, numbers, texts, whole]}))
    assert faults == []
    assert [row.activity["amount"] for row in found] == ["0.1", "123456789012345678.90", "1000000000000000"]
    assert [row.sent["ncv [GJ/t]"] for row in found] == ["0.00000025", "0.10", "20"]
    assert [str(row.place) for row in found] == ["2023!row 2", "2023!row 3", "2023!row 4"]


def test_every_sheet_is_read_but_those_for_people() -> None:
    content = xlsx(
        {
            "2022": [HEADER, ROW],
            "#说明": [("anything", 1)],
            "空": [],
            "2023": [CODES, ("# x",), (*ROW[:-1], "申报")],
        }
    )
    found, faults = read(content)
    assert faults == []
    assert [row.place.sheet for row in found] == ["2022", "2023"]


def test_a_sheet_without_a_header_is_a_fault_and_not_passed_over() -> None:
    _, faults = read(xlsx({"2022": [HEADER, ROW], "notes": [("remember", "the milk")]}))
    assert places(faults) == ["notes!row 1"]
    assert "#" in faults[0].message


def test_days_of_a_workbook() -> None:
    header = ("uscc", "from", "to", "source", "amount", "unit", "provenance")
    end = datetime(2023, 7, 1)  # noqa: DTZ001 - as the cells of a spreadsheet are
    line = (STEEL, date(2023, 4, 1), end, "purchased_electricity", 5, "MWh", "estimated")
    found, faults = read(xlsx({"data": [header, line]}))
    assert faults == []
    assert (found[0].first_day, found[0].end_day) == (date(2023, 4, 1), date(2023, 7, 1))


@pytest.mark.parametrize("text", ["2023-04-01", "2023/4/1", "2023年4月1日", "２０２３-04-01"])
def test_days_in_text(text: str) -> None:
    header = ("uscc", "year", "from", "to", "source", "amount", "unit", "provenance")
    found, faults = read(
        csv(header, (STEEL, "2023年", text, "2024-01-01", "purchased_electricity", "5", "MWh", "估算"))
    )
    assert faults == []
    assert (found[0].first_day, found[0].end_day) == (date(2023, 4, 1), date(2024, 1, 1))


def test_formulas_errors_and_percentages_are_refused_where_they_stand() -> None:
    lines = [
        HEADER,
        (STEEL, 2023, "fuel_combustion", "烟煤", "=1+2", "t", 20.1, "核查"),
        (STEEL, 2023, "fuel_combustion", "烟煤", 3, "t", "#DIV/0!", "核查"),
        (STEEL, 2023, "fuel_combustion", "烟煤", 0.5, "t", 20.1, "核查"),
    ]
    content = xlsx({"data": lines}, {"E4": "0.00%", "G3": '0" 50%"'})
    _, faults = read(content)
    assert places(faults) == ["data!E2", "data!G3", "data!E4"]
    assert "formula" in faults[0].message
    assert "error" in faults[1].message
    assert "percentage" in faults[2].message


def test_a_share_may_be_shown_as_a_percentage() -> None:
    header = ("uscc", "year", "source", "material", "amount", "unit", "purity [fraction]", "provenance")
    content = xlsx({"d": [header, (STEEL, 2023, "x", "y", 1, "t", 0.95, "核查")]}, {"G2": "0%"})
    found, faults = read(content)
    assert faults == []
    assert found[0].activity["parameters"] == {"purity": {"value": "0.95", "unit": "fraction"}}


def test_a_fraction_shown_as_a_percentage_needs_no_unit_in_its_header() -> None:
    """0.93 shown as 93 % is 0.93 where the parameter is a fraction of 1; of percents and masses one can't know."""
    header = ("uscc", "year", "source", "amount", "unit", "oxidation_rate", "conversion", "provenance")
    row = (STEEL, 2023, "x", 1, "t", 0.93, 0.005, "核查")
    content = xlsx({"d": [header, row, (*row[:3], 2, *row[4:])]}, {"F2": "0%", "G2": "0.0%", "F3": "0%"})
    found, faults = read(content)
    assert faults == []
    assert [each.activity["parameters"] for each in found] == [
        {"oxidation_rate": "0.93", "conversion": "0.005"}
    ] * 2
    refused = (
        "carbon_content_mass", "co2_percent", "co2_percent [percent]", "oxidation_rate [percent]", "oxidation_rate [%]",
        "emission_factor", "ncv", "cod_in",
    )  # fmt: skip
    header = ("uscc", "year", "source", "amount", "unit", *refused, "provenance")
    content = xlsx(
        {"d": [header, (STEEL, 2023, "x", 1, "t", *[0.82] * len(refused), "核查")]},
        {f"{column}2": "0%" for column in "FGHIJKLM"},
    )
    _, faults = read(content)
    assert {fault.place for fault in faults} == {f"d!{column}2" for column in "FGHIJKLM"}
    assert all("is formatted as a percentage" in fault.message for fault in faults)


def test_what_holds_for_the_whole_file_need_not_be_said_by_its_rows() -> None:
    content = csv(("year", "source", "amount", "unit"), ("2023", "purchased_electricity", "5", "MWh"))
    found, faults = read(content, defaults=FileDefaults(STEEL, Provenance.ESTIMATED))
    assert faults == []
    assert (found[0].uscc, found[0].provenance) == (STEEL, Provenance.ESTIMATED)
    _, faults = read(content)
    assert places(faults) == ["row 1", "row 1"]


def test_remarks_and_empty_rows_are_passed_over() -> None:
    found, faults = read(
        csv(("# of 2023",), (), HEADER, CODES, ("# required",), (), ROW, ("", "# not a remark? it is", ""))
    )
    assert faults == []
    assert [row.place.row for row in found] == [7]


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    noted = csv((*HEADER, "备注"), (*ROW, "two\nlines"), (*ROW[:4], "-", *ROW[5:], ""))
    _, faults = read(noted)
    assert places(faults) == ["E3"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no rows"),
        (csv(HEADER, CODES), "no rows"),
        (b"\xff\xfe\x00", "no CSV text"),
        (b"a\x00b", "no CSV text"),
        (b"\x81\x20\xff", "no CSV text"),
        (b"PK\x03\x04broken", "no workbook"),
        (b"\xd0\xcf\x11\xe0old", "XLS"),
        (b"x" * (cells.BYTES_MAX + 1), "at most"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(FaultyDocument, match=text):
        read(content)


def test_broken_workbooks_are_refused_wherever_they_break() -> None:
    whole = xlsx({"data": [HEADER, ROW]})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    for name in parts:
        for content in (
            b"",
            parts[name][: len(parts[name]) // 2],
            b'<!DOCTYPE x [<!ENTITY e "e">]>' + parts[name],
        ):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for each, kept in parts.items():
                    archive.writestr(each, content if each == name else kept)
            told = refusal(buffer.getvalue())
            assert told is None or "no workbook" in told


def test_a_workbook_that_unpacks_to_too_much_isnt_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = xlsx({"data": [HEADER, ROW]})
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb.bin", b"\0" * (xlsx_file.UNPACKED_BYTES_MAX + 1))
    assert len(buffer.getvalue()) < 1_000_000
    with pytest.raises(FaultyDocument, match="unpacks to 256 MiB"):
        read(buffer.getvalue())
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/other.xml", b" " * (xlsx_file.WHOLE_BYTES_MAX + 1))
    with pytest.raises(FaultyDocument, match="32 MiB of them"):
        read(buffer.getvalue())
    monkeypatch.setattr(xlsx_file, "PARTS_MAX", 3)
    with pytest.raises(FaultyDocument, match="parts"):
        read(content)


def test_rows_far_away_and_wide_rows_end_with_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "CELLS_MAX", 20_000)
    wide = (*ROW, *[None] * 16_000, "far")
    _, faults = read(xlsx({"data": [HEADER, wide, wide]}))
    assert places(faults) == ["data!WQS2", "data!row 3"]
    assert "256 columns" in faults[0].message
    assert "several files" in faults[1].message


def test_a_file_with_too_many_rows_or_faults_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_MAX", 3)
    _, faults = read(csv(HEADER, *[(*ROW[:4], str(amount), *ROW[5:]) for amount in range(5)]))
    assert places(faults) == ["row 5"]
    monkeypatch.setattr(rows, "ROWS_MAX", 1000)
    monkeypatch.setattr(cells, "FAULTS_MAX", 5)
    _, faults = read(csv(HEADER, *[(*ROW[:4], f"x{amount}", *ROW[5:]) for amount in range(9)]))
    assert places(faults) == ["E2", "E3", "E4", "E5", "E6", ""]
    assert "first 5 faults" in faults[-1].message
