"""What the loader refuses, each named by file and row, and the hash of what it accepts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from accounting.factors.load import FOLDER, load
from accounting.factors.read import read_tables
from accounting.factors.tables import FactorTables
from accounting.methods.load import FOLDER as METHODS_FOLDER
from accounting.methods.load import load as load_methods
from accounting.methods.load import load_folder
from domain.errors import FaultyDocument

HUNAN_2023 = "430000,湖南,average,2023,0.4976,tCO2/MWh,2023-01-01,2023-12-31"
GAS = "natural_gas,天然气,natural gas,10k_nm3,389.310,GJ/10k_nm3,0.01530,0.99,ndrc-2013,steel;aluminium"
FLUX = "steel,flux_decomposition,limestone,石灰石,emission_factor,0.440,tCO2/t,,,ndrc-2013"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the factor files that a test may spoil."""
    return Path(
        shutil.copytree(FOLDER, tmp_path / "factors", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    )


@pytest.fixture
def methods_folder(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("*.py", "__pycache__")
    return Path(shutil.copytree(METHODS_FOLDER, tmp_path / "methods", ignore=ignored))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def read(folder: Path) -> FactorTables:
    return read_tables(folder, load_methods())


def faults(read_it: Callable[[], object]) -> list[str]:
    with pytest.raises(FaultyDocument) as caught:
        read_it()
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "0.4976x"), "is not a plain decimal"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "4.976e-1"), "is not a plain decimal"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", ""), "value is empty"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "497.6"), "must be within 0..2 tCO2/MWh"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "-0.4976"), "must be within 0..2 tCO2/MWh"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("tCO2/MWh", "kg/kWh"), "unit 'kg/kWh' is unknown"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("430000", "439999"), "area_code '439999' is unknown"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("average", "mean"), "kind 'mean' is unknown"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("12-31", "13-31"), "is not a date"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("2023-12-31", ""), "needs valid_from and valid_to"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("2023-12-31", "2022-12-31"), "is before valid_from"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("2023-01-01", "2022-12-31"), "overlaps 2022-01-01"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace(",2023,", ",2022,"), "in 2022 is given twice"),
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace(",2023,", ",20x3,"), "is no year"),
        ("grid/average_2023.csv", HUNAN_2023, f" {HUNAN_2023}", "spaces around the value"),
        ("grid/average_2023.csv", HUNAN_2023, f"{HUNAN_2023},extra", "has 13 cells, expected 12"),
        ("grid/average_2023.csv", "area_code,name_zh", "area_code,name", "has the header"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("0.99,", "99,"), "must be within 0..1 fraction"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("389.310", "38931"), "must be within 0..1500"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("GJ/10k_nm3", "GJ/t"), "doesn't fit the unit 10k_nm3"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace(",10k_nm3", ",m3"), "unit 'm3' is unknown"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("natural_gas", "gas"), "is not in fuel_classes.csv"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("steel;", "stel;"), "industry 'stel' is unknown"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("ndrc-2013", "ndrc-2014"), "not that of the folder"),
        ("ndrc_2013/fuels_steel_aluminium.csv", GAS, GAS.replace("natural_gas", "diesel"), "diesel of steel is given"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("0.440", "44"), "must be within 0..4 tCO2/t"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("tCO2/t", "kg/t"), "emission_factor in 'kg/t': expected"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("emission_factor", "factor"), "factor in 'tCO2/t'"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("flux_", "lime_"), "is none of steel under ndrc-2013"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("emission_factor", "purity"), "purity in 'tCO2/t'"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("limestone", "dolomite"), "is given twice"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("0.440,tCO2/t,,", "0.440,tCO2/t,0.5,"), "is outside the"),
        ("gwp/sar_1995.csv", "CH4,甲烷,sar-1995,21", "CH4,甲烷,sar-1995,", "value is empty"),
        ("gwp/sar_1995.csv", "CH4,甲烷,sar-1995,21", "CO2,甲烷,sar-1995,21", "CO2 is given twice in sar-1995"),
        ("gwp/sar_1995.csv", "CH4,甲烷,sar-1995", "CH4,甲烷,ar5", "is not the name of the file"),
        ("heat/heat.csv", "0.11,tCO2/GJ", "110,tCO2/GJ", "must be within 0..1 tCO2/GJ"),
        ("grid/regions.csv", "1504,赤峰,CN-NE,,2020-12-31", "1504,赤峰,CN,,2020-12-31", "CN is no region"),
        ("grid/regions.csv", "1504,赤峰,CN-NE,,2020-12-31", "1504,赤峰,CN-NE,,2021-06-30", "1504 is in CN-NE already"),
        ("fuel_classes.csv", "diesel,oil", "diesel,liquid", "class 'liquid' is unknown"),
    ],
)  # fmt: skip
def test_a_spoilt_row_is_refused(folder: Path, file: str, old: str, new: str, expected: str) -> None:
    row = next(
        number
        for number, line in enumerate((folder / file).read_text(encoding="utf-8").splitlines(), 1)
        if old in line
    )
    edit(folder / file, old, new)
    found = faults(lambda: read(folder))
    assert any(expected in each for each in found), found
    places = {each.partition(": ")[0] for each in found}
    assert f"{file} row {row}" in places or any(each.startswith(f"{file} row") for each in places), places


@pytest.mark.parametrize("cell", ["source", "confidence"])
def test_a_figure_without_source_or_confidence_is_refused(folder: Path, cell: str) -> None:
    path = folder / "ndrc_2013" / "process_aluminium.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[-1].replace('"2013 aluminium guideline, annex 2"', "SOURCE").split(",")
    cells[lines[0].split(",").index(cell)] = ""
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n", encoding="utf-8")
    assert any(f"{cell} is empty" in each or f"{cell} ''" in each for each in faults(lambda: read(folder)))


def test_all_faults_of_all_files_are_told_at_once(folder: Path) -> None:
    edit(folder / "grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "4976"))
    edit(folder / "ndrc_2013/process_steel.csv", FLUX, FLUX.replace("0.440", "x"))
    edit(folder / "heat/heat.csv", "0.11", "")
    found = faults(lambda: read(folder))
    assert {each.split(" ")[0].rstrip(":") for each in found} >= {
        "grid/average_2023.csv",
        "ndrc_2013/process_steel.csv",
        "heat/heat.csv",
    }


def test_a_folder_without_source_and_a_stray_file_are_refused(folder: Path) -> None:
    (folder / "ndrc_2013" / "SOURCE.md").unlink()
    (folder / "ndrc_2014" / "fuel.csv").write_text("code\n", encoding="utf-8")
    (folder / "ndrc_2099").mkdir()
    found = "\n".join(faults(lambda: read(folder)))
    assert "ndrc_2013: has no SOURCE.md" in found
    assert "ndrc_2014/fuel.csv: is no file that is read here" in found
    assert "ndrc_2099: is no edition" in found


def test_a_missing_default_is_refused(folder: Path) -> None:
    lines = (folder / "ndrc_2015/process_paper.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if "limestone_use" not in line]
    assert len(kept) == len(lines) - 1
    (folder / "ndrc_2015/process_paper.csv").write_text("".join(kept), encoding="utf-8")
    assert faults(lambda: read(folder)) == [
        "ndrc_2015/process_paper.csv: has no emission_factor of limestone_use, which ndrc-2015 takes from it"
    ]


def test_an_empty_or_unreadable_file_is_refused(folder: Path) -> None:
    header = (folder / "gwp/ar4.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "gwp/ar4.csv").write_text(header + "\n", encoding="utf-8")
    (folder / "gwp/ar5.csv").write_bytes(b"\xff\xfe")
    found = "\n".join(faults(lambda: read(folder)))
    assert "gwp/ar4.csv: has no rows" in found
    assert "gwp/ar5.csv: can't be read" in found


# --- the hash


# Of the set that comes with this version. Whoever changes a figure, a source or a method changes it on purpose,
# and every ledger is then restated under the new set.
SET_HASH = "2c2ded0df2482e106056e8e124527887811a17146c593b53da7ca69e599406cd"


def test_the_set_that_comes_with_this_version_is_frozen() -> None:
    assert load().set_hash == SET_HASH


def test_the_hash_is_of_the_content_alone(folder: Path) -> None:
    before = read(folder).set_hash
    assert before == load().set_hash
    assert len(before) == 64
    path = folder / "grid/average_2023.csv"
    header, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *reversed(rest)]) + "\n", encoding="utf-8")
    (folder / "grid/average_2022.csv").rename(folder / "grid/zz_2022.csv")
    assert read(folder).set_hash == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("grid/average_2023.csv", HUNAN_2023, HUNAN_2023.replace("0.4976", "0.4977")),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("limestone", "lime")),
        ("grid/regions.csv", "1504,赤峰,CN-NE,2021-01-01", "1504,赤峰,CN-NC,2021-01-01"),
        ("fuel_classes.csv", "coal_tar,other", "coal_tar,oil"),
        ("ndrc_2013/process_steel.csv", FLUX, FLUX.replace("0.440,", "0.44,")),  # printed in descriptions
        ("gwp/ar6.csv", "CO2,二氧化碳,ar6,1,tCO2e/t,IPCC AR6", "CO2,二氧化碳,ar6,1,tCO2e/t,IPCC  AR6"),
        ("gwp/sar_1995.csv", "Table 2.9,H\nCH4", "Table 2.8,H\nCH4"),
    ],
)
def test_the_hash_changes_with_any_figure_or_source(folder: Path, file: str, old: str, new: str) -> None:
    before = read(folder).set_hash
    edit(folder / file, old, new)
    assert read(folder).set_hash != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("ndrc_2013/aluminium.toml", 'clause = "5.3.2"', 'clause = "5.3.9"'),
        ("kinds.toml", '[factor]\nformula = "amount ×', '[factor]\nformula = "1 × amount ×'),
        ("common.toml", 'name = "输出电力"', 'name = "外供电力"'),
        ("parameters.csv", "ncv,kJ/kg,GJ/t,0.001", "ncv,kJ/kg,GJ/t,0.002"),
        (
            "editions.csv",
            "发改办气候〔2014〕2920号,,,sar-1995,,2,",
            "发改办气候〔2014〕2920号,,,sar-1995,,3,",
        ),
        ("industries.csv", "steel,钢铁,iron and steel,", "steel,钢铁,steel,"),
    ],
)
def test_the_hash_changes_with_a_method(
    folder: Path, methods_folder: Path, file: str, old: str, new: str
) -> None:
    """So what was computed by other method files is computed by another set: ledgers and years of history follow it."""
    edit(methods_folder / file, old, new)
    assert read_tables(folder, load_folder(methods_folder)).set_hash != load().set_hash


# --- method files


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("ndrc_2013/magnesium.toml", 'kind = "factor"', 'kind = "product"', "kind 'product' is not in kinds.toml"),
        ("ndrc_2013/magnesium.toml", 'edition = "ndrc-2013"', 'edition = "ndrc-2014"', "not the name of the folder"),
        ("ndrc_2013/magnesium.toml", 'industry = "magnesium"', 'industry = "steel"', "not the name of the file"),
        ("ndrc_2013/magnesium.toml", 'clause = "5.2"\n', "", "ferrosilicon_production: clause missing"),
        ("ndrc_2013/magnesium.toml", "[sources.ferrosilicon_production]\n",
         "[sources.ferrosilicon_production]\nscop = 1\n", "'scop' is no field here"),
        ("ndrc_2013/magnesium.toml", "[sources.ferrosilicon_production]\n",
         '[sources.ferrosilicon_production]\nboundaries = ["city"]\n', "boundary 'city'"),
        ("ndrc_2013/magnesium.toml", "[sources.ferrosilicon_production]\n",
         "[sources.ferrosilicon_production]\nscope = 4\n", "scope 4 is none of 1, 2, 3"),
        ("ndrc_2013/magnesium.toml", 'from = "table"', 'from = "book"', "from 'book' is none of"),
        ("ndrc_2013/magnesium.toml", 'units = ["fraction"]', 'units = ["part"]', "'part' is no base unit of it"),
        ("ndrc_2013/magnesium.toml", "[common]", "[common", "can't be read"),
        ("mee_2025/steel.toml", 'extends = "ndrc-2013"', 'extends = "ndrc-2014"', "extends 'ndrc-2014'"),
        ("gbt_32151/cement.toml", '"kiln_dust", ', '"kiln_ash", ', "source 'kiln_ash' is not in ndrc-2013"),
        ("mee_2022_12/power_generation.toml", '"2023-01-01"', '"2023-01"', "ets_until '2023-01' is not a date"),
        ("industries.csv", "steel,钢铁,iron and steel,ndrc-2013", "steel,钢铁,iron and steel,ndrc-2015",
         "steel has no file of its own edition ndrc-2015"),
        ("editions.csv", "2023-01-01,,sar-1995", "2022-07-01,,sar-1995", "overlaps mee-2022"),
        ("kinds.toml", '["caco3", "mgco3"]', '["caco3", "mgo"]', "shares caco3, mgo must be two or more parameters"),
        ("kinds.toml", '["caco3", "mgco3"]', '["caco3"]', "body_carbonate: shares caco3 must be two or more"),
        ("parameters.csv", "density,kg/L,t/m3,1,,", "density,kg/L,t/m3,0,,", "must be positive"),
    ],
)  # fmt: skip
def test_a_spoilt_method_file_is_refused(
    methods_folder: Path, file: str, old: str, new: str, expected: str
) -> None:
    edit(methods_folder / file, old, new)
    found = faults(lambda: load_folder(methods_folder))
    assert any(expected in each and each.startswith(file) for each in found), found
