"""An inventory and meters are two ways to one result, by the guidelines' method files and by random ones.

The oracle is neither of them: the steps by hand of the golden inventories, and formulas written out here.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_library
from accounting.inventory.answer import inventory_answer
from accounting.methods.load import FOLDER, load_folder
from domain.errors import FactorNotFound
from domain.interval import Calendar
from domain.registry import Dated, Enterprise, Parameter, Source, SourceVersion
from tests.independent import inventory as by_hand

ROOT = Path(__file__).parent.parent / "golden" / "inventory"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expected.json"))
LIBRARY = load_library()
CALENDAR = Calendar()
# amounts of a period, which no factor of a meter can hold
ABSOLUTE = {
    "recovered", "cod_removed", "cod_sludge", "ch4_recovered", "opening_stock", "closing_stock", "shipped", "outlet",
    "outlet_amount", "slag_amount", "ash_amount",
}  # fmt: skip


def metered(
    document: dict[str, Any], activity: dict[str, Any], library: FactorLibrary = LIBRARY
) -> dict[str, Fraction]:
    """tCO2e by gas of an activity whose amount came from a meter; raises FactorNotFound where it can't."""
    edition, year = document["edition"], int(document["period"]["from"][:4])
    grid = document.get("grid") or ("province" if "district" in document else "national")
    enterprise = Enterprise(
        1, "91430302XT0000014K", "", "", document["industry"], (Dated(None, edition),), (Dated(None, grid),), None,
        (Dated(None, document.get("district", "430304")),), (), (),
    )  # fmt: skip
    parameters = tuple(
        Parameter(name, Fraction(value["value"]), value["unit"], None, None, None)
        if isinstance(value, dict)
        else Parameter(name, Fraction(value), None, None, None, None)
        for name, value in activity.get("parameters", {}).items()
    )
    version = SourceVersion(activity["source"], activity.get("fuel"), activity.get("material"), (), None)
    source = Source(1, enterprise.uscc, "s", (Dated(None, version),), parameters)
    day = CALENDAR.day_of(date(year, 12, 31))
    factors = library.source_factors(enterprise, source, activity["unit"], day, CALENDAR)
    return {
        factor.gas: factor.mg_per_unit * Fraction(activity["amount"]) / 1_000_000_000
        for factor in factors
        if "account" in factor.boundaries
    }


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_meter_s_factor_is_what_the_inventory_comes_to_by_hand(case: Path) -> None:
    document = json.loads((case / "input.json").read_text(encoding="utf-8"))
    lines = by_hand.lines(json.loads((case / "expected.json").read_text(encoding="utf-8")))
    for activity, line in zip(document["activities"], lines, strict=True):
        absolute = {
            name
            for name in ABSOLUTE & activity.get("parameters", {}).keys()
            if Fraction(activity["parameters"][name])
        }
        if absolute:
            with pytest.raises(FactorNotFound) as caught:
                metered(document, activity)
            assert all(name in str(caught.value) for name in absolute)
        else:
            assert metered(document, activity) == line.by_gas()


@given(data=st.data(), case=st.sampled_from(CASES))
def test_amounts_in_parts_or_other_units_make_the_same_totals(data: st.DataObject, case: Path) -> None:
    """An activity in two parts is the whole one, to the last of twelve decimals; so is one in another unit."""
    document = json.loads((case / "input.json").read_text(encoding="utf-8"))
    whole = inventory_answer(document, LIBRARY)
    parts: list[dict[str, Any]] = []
    for activity in document["activities"]:
        if ABSOLUTE & activity.get("parameters", {}).keys() or activity["unit"] not in SMALLER:
            parts.append(activity)
            continue
        share = data.draw(st.integers(0, 100))
        unit, size = data.draw(st.sampled_from([(activity["unit"], 1), SMALLER[activity["unit"]]]))
        amount = Decimal(activity["amount"])
        first = amount * share / 100
        parts.append({**activity, "amount": f"{first:f}"})
        parts.append({**activity, "amount": f"{(amount - first) * size:f}", "unit": unit})
    assert inventory_answer({**document, "activities": parts}, LIBRARY)["totals"] == whole["totals"]


SMALLER = {"t": ("kg", 1000), "MWh": ("kWh", 1000), "10k_nm3": ("nm3", 10_000), "TJ": ("GJ", 1000)}


@dataclass(frozen=True)
class Kind:
    """A kind of source as a random method file uses it: unit, its parameters' largest values, and its formula."""

    unit: str
    parameters: dict[str, int]
    formula: Callable[[dict[str, Fraction]], dict[str, Fraction]]


CO2_PER_C = Fraction(44, 12)
KINDS = {
    "factor": Kind("t", {"emission_factor": 9}, lambda p: {"CO2": p["emission_factor"]}),
    "energy": Kind("MWh", {"emission_factor": 1}, lambda p: {"CO2": p["emission_factor"]}),
    "carbonate": Kind(
        "t",
        {"purity": 1, "emission_factor": 1, "conversion": 1},
        lambda p: {"CO2": p["purity"] * p["emission_factor"] * p["conversion"]},
    ),
    "carbon_in": Kind(
        "t", {"carbon_content_mass": 1}, lambda p: {"CO2": p["carbon_content_mass"] * CO2_PER_C}
    ),
    "combustion": Kind(
        "t",
        {"ncv": 60, "carbon_content": 1, "oxidation_rate": 1},
        lambda p: {"CO2": p["ncv"] * p["carbon_content"] * p["oxidation_rate"] * CO2_PER_C},
    ),
    "gas_volume_ch4": Kind(
        "10k_nm3",
        {"purity": 1, "ch4_density": 8, "gwp_ch4": 30},
        lambda p: {"CH4": p["purity"] * p["ch4_density"] * p["gwp_ch4"]},
    ),
    "vehicle_exhaust": Kind(
        "km",
        {"ef_ch4": 900, "ef_n2o": 100, "gwp_ch4": 30, "gwp_n2o": 310},
        lambda p: {
            "CH4": p["ef_ch4"] * p["gwp_ch4"] / 1_000_000_000,
            "N2O": p["ef_n2o"] * p["gwp_n2o"] / 1_000_000_000,
        },
    ),
}


@dataclass(frozen=True)
class RandomSource:
    code: str
    kind: str
    scope: int
    boundaries: list[str]
    deduction: bool
    amount: str
    parameters: dict[str, str]

    def text(self) -> str:
        kind = KINDS[self.kind]
        lines = [
            f"[sources.{self.code}]",
            f'name = "{self.code}"',
            f'kind = "{self.kind}"',
            f'units = ["{kind.unit}"]',
            f"scope = {self.scope}",
            f"boundaries = {json.dumps(self.boundaries)}",
            f"deduction = {json.dumps(self.deduction)}",
            'clause = "5"',
            'confidence = "L"',
        ]
        if self.kind == "energy":  # the kind leaves it open whether its factor is of electricity or of heat
            lines.append('parameters.emission_factor = { units = ["tCO2/MWh"], from = "required" }')
        return "\n".join(lines) + "\n"

    def tco2e(self) -> dict[str, Fraction]:
        values = {name: Fraction(value) for name, value in self.parameters.items()}
        sign = -1 if self.deduction else 1
        return {
            gas: sign * Fraction(self.amount) * each for gas, each in KINDS[self.kind].formula(values).items()
        }


def decimals(upper: int) -> st.SearchStrategy[str]:
    return st.decimals(0, upper, places=4).map(lambda value: f"{value:f}")


@st.composite
def random_sources(draw: st.DrawFn) -> list[RandomSource]:
    result = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        result.append(
            RandomSource(
                f"source_{number}",
                kind,
                draw(st.sampled_from([1, 2])),
                draw(st.sampled_from([["account"], ["account", "ets"]])),
                draw(st.booleans()),
                draw(decimals(10**6)),
                {name: draw(decimals(upper)) for name, upper in KINDS[kind].parameters.items()},
            )
        )
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The method files with one more edition, of the paper industry: its file is written by each example."""
    copied = shutil.copytree(FOLDER, tmp_path_factory.mktemp("methods") / "methods")
    path = copied / "editions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    like = next(row for row in rows if row["role"] == "standard")
    rows.append({**like, "edition": "test-2030", "industries": "paper", "document": "a random standard"})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, like.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (copied / "test_2030").mkdir()
    return copied


@settings(max_examples=30)
@given(sources=random_sources())
def test_a_guideline_is_a_file_whatever_is_in_it(folder: Path, sources: list[RandomSource]) -> None:
    text = 'industry = "paper"\nedition = "test-2030"\n' + "".join(source.text() for source in sources)
    (folder / "test_2030" / "paper.toml").write_text(text, encoding="utf-8")
    library = FactorLibrary(LIBRARY.tables, load_folder(folder))
    document = {
        "industry": "paper",
        "edition": "test-2030",
        "period": {"from": "2030-01-01", "to": "2031-01-01"},
        "activities": [
            {
                "source": source.code,
                "amount": source.amount,
                "unit": KINDS[source.kind].unit,
                "parameters": source.parameters,
            }
            for source in sources
        ],
    }
    answer = inventory_answer(document, library)
    lines = [
        by_hand.Line(
            source.code,
            {gas: f"{value.numerator} / {value.denominator}" for gas, value in source.tco2e().items()},
            source.scope,
            "ets" in source.boundaries,
            source.deduction,
        )
        for source in sources
    ]
    assert answer["totals"] == by_hand.totals(lines)
    for activity, line, told in zip(document["activities"], lines, answer["activities"], strict=True):
        assert told["tco2e"] == by_hand.decimal(line.tco2e())
        assert metered(document, activity, library) == line.by_gas()
