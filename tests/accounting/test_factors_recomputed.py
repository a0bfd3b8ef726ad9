"""Every default factor again, from the text of the files, by a slow and obvious twin of the library."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest

from accounting.factors.load import load
from accounting.methods.method import Role
from domain.errors import FactorNotFound
from tests.accounting.factor_cases import enterprise, factor, source
from tests.accounting.factor_files import exact, fuel_rows, rows

MG = 10**9


def test_combustion_of_every_fuel_of_every_guideline() -> None:
    library = load()
    market = {code for code, each in library.methods.editions.items() if each.role is Role.MARKET}
    done: defaultdict[str, int] = defaultdict(int)
    for path, number, row in fuel_rows():
        figures = [row["ncv"], row["carbon_content_tc_per_gj"], row["oxidation_rate"]]
        for industry in row["industries"].split(";"):
            if industry == "general" or library.methods.edition_fault(industry, row["edition"]):
                continue
            owner = enterprise(industry, edition=row["edition"])
            of = source("fuel_combustion", fuel=row["code"])
            try:
                result = factor(library, owner, of, row["unit"])
            except FactorNotFound:
                assert not all(figures), f"{path} row {number}"
                done["refused"] += 1
                continue
            if all(figures):
                expected = exact(figures[0]) * exact(figures[1]) * exact(figures[2]) * Fraction(44, 12) * MG
                assert result.mg_per_unit == expected, f"{path} row {number}"
                done["exact"] += 1
            else:  # what the market's table leaves blank
                assert row["edition"] in market, f"{path} row {number}"
                done["filled"] += 1
            assert {each["confidence"] for each in result.description["factors"]} <= {"H", "M", "L"}
    assert done["exact"] > 550
    assert done["filled"] > 8
    assert done["refused"] < 10


def test_electricity_of_every_area_in_every_year() -> None:
    library, of = load(), source("purchased_electricity")
    figures: dict[str, dict[int, Fraction]] = defaultdict(dict)
    for _, _, row in rows("grid/*.csv"):
        if row.get("kind") in ("average", "regional_average"):
            figures[row["area_code"]][int(row["year"])] = exact(row["value"])
    assert len(figures) == 38
    compared = 0
    for area, by_year in figures.items():
        for year in range(2008, 2030):
            published = [each for each in by_year if each <= year]
            owners = [enterprise(grid=area)]
            if area[:2].isdigit():
                owners.append(enterprise(district=f"{area[:2]}0102"))
            for owner in owners:
                for day in (f"{year}-01-01", f"{year}-12-31"):
                    try:
                        result = factor(library, owner, of, "MWh", day)
                    except FactorNotFound:
                        assert not published
                        continue
                    latest = max(published)
                    assert result.mg_per_unit == by_year[latest] * MG
                    assert result.provisional == (latest != year)
                    compared += 1
    assert compared > 2000


def test_process_factors_of_every_material() -> None:
    """`factor` and `carbon` sources with each material of their table."""
    library = load()
    compared = 0
    for path, number, row in rows("*/process_*.csv"):
        method = library.methods.by_edition[row["industry"], row["edition"]].get(row["method"])
        if method is None or method.kind not in ("factor", "carbon_in", "carbon_out") or not row["material"]:
            continue
        amount_unit = row["unit"].partition("/")[2]
        owner = enterprise(row["industry"], edition=row["edition"])
        result = factor(library, owner, source(row["method"], material=row["material"]), amount_unit)
        carbon = Fraction(44, 12) if row["parameter"] == "carbon_content_mass" else 1
        sign = -1 if method.deduction else 1
        assert result.mg_per_unit == sign * exact(row["value"]) * carbon * MG, f"{path} row {number}"
        compared += 1
    assert compared >= 90


def test_carbonates_of_every_material() -> None:
    library = load()
    compared = 0
    tables: defaultdict[tuple[str, str, str], dict[tuple[str, str], Fraction]] = defaultdict(dict)
    for _, _, row in rows("*/process_*.csv"):
        key = (row["industry"], row["edition"], row["method"])
        tables[key][row["material"], row["parameter"]] = exact(row["value"])
    for (industry, edition, code), table in tables.items():
        method = library.methods.by_edition[industry, edition].get(code)
        if method is None or method.kind != "carbonate":
            continue
        for (material, name), value in table.items():
            if name != "emission_factor" or "purity" not in method.parameters:
                continue
            purity = table.get(
                (material, "purity"), table.get(("", "purity"), method.parameters["purity"].default)
            )
            conversion = table.get(("", "conversion"), Fraction(1))
            owner, of = enterprise(industry, edition=edition), source(code, material=material or None)
            if purity is None:
                with pytest.raises(FactorNotFound, match="purity is required"):
                    factor(library, owner, of, "t")
                continue
            result = factor(library, owner, of, "t")
            assert result.mg_per_unit == value * purity * conversion * MG
            compared += 1
    assert compared > 30
