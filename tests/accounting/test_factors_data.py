"""The data: every row parses, has a source and lies where such a figure can lie."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from accounting.factors.load import FOLDER, load
from accounting.methods.load import load as load_methods
from accounting.methods.method import Role
from tests.accounting.factor_files import exact, fuel_rows, rows

# Plausible bands, narrower than the loader's bounds: lower, upper.
GRID_BANDS = {
    "average": ("0.05", "1.0"),  # Yunnan after its dams … coal provinces of 2010
    "regional_average": ("0.2", "0.9"),
    "ets_average": ("0.55", "0.62"),
    "average_excl_market_nonfossil": ("0.55", "0.65"),
    "fossil": ("0.8", "0.9"),
    "footprint_average": ("0.55", "0.65"),
    "operating_margin": ("0.75", "1.2"),
    "build_margin": ("0.15", "0.6"),
}
NCV_BANDS = {
    "coal": ("7.9", "28.5"),  # GJ/t
    "unconventional_coal": ("8", "27"),
    "coke": ("28", "28.6"),
    "oil": ("38", "45.1"),
    "gas_t": ("2", "50"),
    "gas_10k_nm3": ("10", "400"),
    "other": ("19", "52"),
    "waste": ("9", "52"),
    "biomass": ("15", "51"),
}
CARBON_BANDS = {
    "coal": ("0.0250", "0.0340"),  # tC/GJ
    "unconventional_coal": ("0.0250", "0.0300"),
    "coke": ("0.0288", "0.0296"),
    "oil": ("0.0170", "0.0215"),
    "gas": ("0.0115", "0.0710"),  # hydrogen-rich coke oven gas … blast furnace gas
    "other": ("0.0150", "0.0280"),
    "waste": ("0.0190", "0.0260"),
    "biomass": ("0.0140", "0.0310"),
}
GWP_BANDS = {"CO2": ("1", "1"), "CH4": ("20", "31"), "N2O": ("260", "315"), "SF6": ("22000", "25500")}
# Carbonates by stoichiometry: CO2 a tonne of the pure substance.
CARBONATES = {
    "caco3": Fraction("44.0095") / Fraction("100.0869"),
    "mgco3": Fraction("44.0095") / Fraction("84.3139"),
    "na2co3": Fraction("44.0095") / Fraction("105.9884"),
    "nahco3": Fraction("44.0095") / Fraction("84.0066"),
    "feco3": Fraction("44.0095") / Fraction("115.8539"),
    "mnco3": Fraction("44.0095") / Fraction("114.9469"),
    "baco3": Fraction("44.0095") / Fraction("197.3359"),
    "li2co3": Fraction("44.0095") / Fraction("73.8909"),
    "k2co3": Fraction("44.0095") / Fraction("138.2055"),
    "srco3": Fraction("44.0095") / Fraction("147.6289"),
}


def within(text: str, band: tuple[str, str]) -> bool:
    return exact(band[0]) <= exact(text) <= exact(band[1])


def test_all_published_rows_are_carried() -> None:
    counts = Counter[str]()
    for pattern in ("grid/[!a]*.csv", "grid/average_*.csv", "gwp/*.csv", "*/fuels*.csv", "*/process_*.csv"):
        for path, _, _ in rows(pattern):
            if path.name != "regions.csv":
                counts[pattern[:4]] += 1
    counts["alternative"] = sum(1 for _ in rows("*/alternative_fuels.csv"))
    assert counts["grid"] == 245
    assert counts["gwp/"] == 121
    assert counts["*/fu"] + counts["alternative"] == 477
    assert counts["*/pr"] == 458


def test_every_figure_has_a_source_and_a_confidence() -> None:
    for pattern, source in (
        ("grid/*_2*.csv", "document"),
        ("grid/national_market.csv", "document"),
        ("grid/regions.csv", "source"),
        ("gwp/*.csv", "source"),
        ("heat/*.csv", "source"),
        ("*/*fuels*.csv", "source"),
        ("*/process_*.csv", "source"),
        ("fuel_classes.csv", "source"),
    ):
        for path, number, row in rows(pattern):
            assert row[source].strip(), f"{path} row {number}"
            assert row["confidence"] in ("H", "M", "L"), f"{path} row {number}"


def test_every_folder_says_where_its_figures_come_from() -> None:
    folders = [path for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(folders) >= 16
    for folder in folders:
        assert len((folder / "SOURCE.md").read_text(encoding="utf-8")) > 80, folder


def test_grid_factors_lie_in_their_bands() -> None:
    for path, number, row in rows("grid/*.csv"):
        if "kind" in row:
            assert within(row["value"], GRID_BANDS[row["kind"]]), f"{path} row {number}"


def test_an_emission_year_has_one_factor_an_area_and_kind() -> None:
    years = Counter[tuple[str, str, str]]()
    for _, _, row in rows("grid/*.csv"):
        if "kind" in row:
            years[row["area_code"], row["kind"], row["year"]] += 1
    assert set(years.values()) == {1}


def test_every_province_but_tibet_has_its_average_in_every_published_year() -> None:
    provinces = {row["area_code"] for _, _, row in rows("grid/areas.csv") if row["level"] == "province"}
    assert len(provinces) == 31
    by_year: dict[str, set[str]] = {}
    for _, _, row in rows("grid/*.csv"):
        if row.get("kind") == "average" and row["area_code"] in provinces:
            by_year.setdefault(row["year"], set()).add(row["area_code"])
    assert set(by_year) == {"2010", "2012", "2018", "2021", "2022", "2023"}
    for year, found in by_year.items():
        assert found == provinces - {"540000"}, year


def test_fuel_figures_lie_in_their_bands() -> None:
    classes = {row["code"]: row["class"] for _, _, row in rows("fuel_classes.csv")}
    for path, number, row in fuel_rows():
        where = f"{path} row {number} {row['code']}"
        kind = classes[row["code"]]
        if row["ncv"]:
            band = NCV_BANDS[f"{kind}_{row['unit']}" if kind == "gas" else kind]
            assert within(row["ncv"], band), where
        if row["carbon_content_tc_per_gj"]:
            assert within(row["carbon_content_tc_per_gj"], CARBON_BANDS[kind]), where
        if row["oxidation_rate"]:
            assert within(row["oxidation_rate"], ("0.9", "1")), where


def test_the_carbon_of_a_tonne_of_fuel_is_less_than_a_tonne() -> None:
    for path, number, row in fuel_rows():
        if row["unit"] == "t" and row["ncv"] and row["carbon_content_tc_per_gj"]:
            carbon = exact(row["ncv"]) * exact(row["carbon_content_tc_per_gj"])
            assert 0 < carbon < 1, f"{path} row {number}"


def test_gwps_lie_in_their_bands() -> None:
    for path, number, row in rows("gwp/*.csv"):
        band = GWP_BANDS.get(row["gas"].split("-f")[0].split("-n")[0], ("4", "26000"))
        assert within(row["value"], band), f"{path} row {number}"


@pytest.mark.parametrize("material", sorted(CARBONATES))
def test_carbonate_factors_agree_with_stoichiometry(material: str) -> None:
    found = 0
    for path, number, row in rows("*/process_*.csv"):
        if row["material"] == material and row["parameter"] == "emission_factor":
            found += 1
            assert abs(exact(row["value"]) - CARBONATES[material]) < Fraction("0.001"), f"{path} row {number}"
    assert found


def test_process_fractions_are_fractions() -> None:
    found = 0
    for path, number, row in rows("*/process_*.csv"):
        if row["unit"] == "fraction":
            found += 1
            assert within(row["value"], ("0", "1")), f"{path} row {number}"
    assert found > 80


def test_alternative_fuels_are_the_same_in_both_tables() -> None:
    process = {
        (row["material"], row["parameter"]): exact(row["value"])
        for _, _, row in rows("ndrc_2013/process_cement.csv")
        if row["method"] == "alternative_fuel_combustion"
    }
    found = 0
    for _, _, row in rows("ndrc_2013/alternative_fuels.csv"):
        found += 1
        assert process[row["code"], "ncv"] == exact(row["ncv"])
        assert process[row["code"], "emission_factor"] == exact(row["emission_factor_tco2_per_gj"])
        assert process[row["code"], "fossil_share"] == exact(row["fossil_share"])
    assert found == 6


def test_the_library_holds_every_row() -> None:
    tables = load().tables
    assert len(tables.grid) == 245
    assert len(tables.gwp) == 121
    assert len(tables.process) == 458
    carried = {
        (row["edition"], code, row["code"])
        for _, _, row in fuel_rows()
        for code in row["industries"].split(";")
    }
    assert set(tables.fuels) == carried
    assert len(tables.alternative_fuels) == 9


def test_every_edition_of_an_account_has_fuels_for_the_industries_that_burn_them() -> None:
    methods, tables = load_methods(), load().tables
    found = 0
    for (industry, edition), listed in methods.by_edition.items():
        if "fuel_combustion" in listed:
            owners = {owner for each, owner, _ in tables.fuels if each == edition}
            assert industry in owners or "general" in owners, (industry, edition)
            found += 1
    assert found >= 40


def test_there_are_24_industries_each_with_its_guideline() -> None:
    methods = load_methods()
    assert len(methods.industries) == 24
    batches = Counter(industry.edition for industry in methods.industries.values())
    assert batches == {"ndrc-2013": 10, "ndrc-2014": 4, "ndrc-2015": 10}
    for industry in methods.industries.values():
        assert methods.editions[industry.edition].role is Role.GUIDELINE
