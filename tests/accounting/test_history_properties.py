"""Whatever rows a file has, in whatever form: sums are those of the inventory, and what is no file is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounting.factors.load import load as load_library
from accounting.history.xlsx_file import shortest_decimal
from accounting.inventory.answer import inventory_answer
from accounting.methods.data_file import parse_decimal
from domain.errors import Fault, FaultyDocument
from tests.accounting.history_cases import CEMENT, STEEL, compute, csv, read, xlsx

HEADER = (
    "uscc",
    "year",
    "source",
    "fuel",
    "material",
    "amount",
    "unit",
    "ncv [GJ/t]",
    "emission_factor",
    "provenance",
    "note",
)
PROVENANCES = ("estimated", "reported", "verified")

decimals = st.decimals(0, 10**9, places=6, allow_nan=False).map(lambda value: f"{value.normalize():f}")
factors = st.none() | st.decimals("0.1", "1", places=4).map(str)
calorific_values = st.none() | st.decimals("10", "30", places=3).map(str)
sources = st.one_of(
    st.tuples(
        st.just("fuel_combustion"),
        st.sampled_from(["bituminous_coal", "coke"]),
        decimals,
        st.sampled_from(["t", "kg"]),
        calorific_values,
        st.none(),
    ),
    st.tuples(
        st.just("purchased_electricity"),
        st.none(),
        decimals,
        st.sampled_from(["MWh", "kWh", "10k_kwh"]),
        st.none(),
        factors,
    ),
    st.tuples(
        st.just("exported_heat"), st.none(), decimals, st.sampled_from(["GJ", "TJ"]), st.none(), st.none()
    ),
)
activities = st.tuples(
    st.sampled_from([STEEL, CEMENT]), st.integers(2018, 2024), sources, st.sampled_from(PROVENANCES)
)


def lines_of(chosen: list[Any]) -> list[tuple[str | None, ...]]:
    return [
        (uscc, str(year), source, fuel, None, amount, unit, ncv, factor, provenance, f"row {number}")
        for number, (uscc, year, (source, fuel, amount, unit, ncv, factor), provenance) in enumerate(chosen)
    ]


def document_of(uscc: str, year: int, chosen: list[Any]) -> dict[str, Any]:
    """The inventory document that the rows of a year are, written by hand."""
    told = []
    for of, in_year, (source, fuel, amount, unit, ncv, factor), _ in chosen:
        if (of, in_year) != (uscc, year):
            continue
        parameters = {
            name: value for name, value in (("ncv", ncv), ("emission_factor", factor)) if value is not None
        }
        each = {"source": source, "fuel": fuel, "amount": amount, "unit": unit, "parameters": parameters}
        told.append({name: value for name, value in each.items() if value})
    district = {STEEL: "430304", CEMENT: "430321"}[uscc]
    period = {"from": f"{year}-01-01", "to": f"{year + 1}-01-01"}
    industry = {STEEL: "steel", CEMENT: "cement"}[uscc]
    return {"industry": industry, "period": period, "district": district, "activities": told}


@given(
    st.lists(activities, min_size=1, max_size=12), st.sampled_from(["csv", "gb18030", "xlsx"]), st.randoms()
)
def test_every_year_is_the_inventory_of_its_rows(chosen: list[Any], form: str, random: Any) -> None:
    lines = lines_of(chosen)
    content = {
        "csv": lambda: csv(HEADER, *lines),
        "gb18030": lambda: csv(HEADER, *lines, encoding="gb18030", delimiter=";"),
        "xlsx": lambda: xlsx({"2018": [HEADER, *lines[:5]], "#": [("x",)], "2019": [HEADER, *lines[5:]]}),
    }[form]()
    found, faults = compute(content)
    assert faults == []
    assert sum(len(statement.rows) for statement, _ in found) == len(chosen)
    assert {(statement.enterprise.uscc, statement.year) for statement, _ in found} == {
        each[:2] for each in chosen
    }
    for statement, its in found:
        expected = inventory_answer(
            document_of(statement.enterprise.uscc, statement.year, chosen), load_library()
        )
        assert its.answer["totals"] == expected["totals"]
        assert [each["tco2e"] for each in its.answer["activities"]] == [
            each["tco2e"] for each in expected["activities"]
        ]
        shares = [Fraction(each["account_tco2e"]) for each in its.summary["by_provenance"].values()]
        # each is rounded to 12 decimals by itself
        assert abs(sum(shares) - Fraction(its.summary["account_tco2e"])) <= Fraction(4, 10**12)
        kinds = [row.provenance for row in statement.rows]
        assert its.summary["provenance"] == min(kinds, key=PROVENANCES.index)
    random.shuffle(lines)
    again, _ = compute(csv(HEADER, *lines))
    assert {statement.digest for statement, _ in again} == {statement.digest for statement, _ in found}


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**18), 10**18))
def test_a_number_of_a_cell_is_the_shortest_decimal_of_its_double(value: float) -> None:
    text = shortest_decimal(value)
    assert float(text) == float(value)
    assert parse_decimal(text) is not None
    assert Decimal(text) == Decimal(repr(value))


def read_or_refused(content: bytes, reader: Any) -> tuple[Any, list[Fault]]:
    """What a reader makes of a file; nothing, with the reasons, where it refuses the whole."""
    try:
        found: tuple[Any, list[Fault]] = reader(content)
    except FaultyDocument as error:
        return [], error.faults
    return found


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_rows_or_faults(content: bytes) -> None:
    assert any(read_or_refused(content, read))


cells = st.one_of(
    st.none(),
    st.text("0123456789-.,%年月日/ =#é煤", max_size=8),
    st.integers(-5, 3000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(),
    st.sampled_from([STEEL, "2022", "purchased_heat", "GJ", "烟煤", "reported", "核查", "t"]),
)


@given(st.lists(st.lists(cells, max_size=len(HEADER) + 1), min_size=1, max_size=6), st.booleans())
def test_any_cells_are_rows_or_faults_at_their_places(lines: list[list[Any]], as_workbook: bool) -> None:
    content = xlsx({"s": [HEADER, *lines]}) if as_workbook else csv(HEADER, *lines)
    found, faults = read_or_refused(content, compute)
    assert found or faults
    for each in faults:
        row = each.as_dict().get("row")
        if row is None:
            assert each.message == "has no rows of data"
        else:
            assert isinstance(row, int)
            assert 2 <= row <= len(lines) + 1
