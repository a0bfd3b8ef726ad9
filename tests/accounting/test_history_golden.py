"""Files with every fault that they are refused for, by place and word, and one that is right with its sum by hand.

tests/golden/history/NAME.csv, and NAME.faults with a line a fault, as a person goes through the file.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accounting.factors.load import load as load_library
from accounting.inventory.answer import tonnes
from api.history import SentFile, checked
from domain.errors import FaultyDocument
from domain.registry import Registry
from tests.accounting.history_cases import CEMENT, STEEL, compute, csv, enterprises

FOLDER = Path(__file__).parents[1] / "golden" / "history"
FAULTY = sorted(path.stem for path in FOLDER.glob("*.faults"))


def check(name: str) -> list[tuple[str, int, str]]:
    """The years of a file: enterprise, year, total of the account."""
    content = (FOLDER / f"{name}.csv").read_bytes()
    _, found = checked(Registry(1, enterprises()), load_library(), SentFile(content, name), 2026)
    return [(each.enterprise.uscc, each.year, its.summary["account_tco2e"]) for each, its in found]


def test_there_are_cases() -> None:
    assert len(FAULTY) >= 5


@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_is_told_where_it_is(name: str) -> None:
    with pytest.raises(FaultyDocument) as refused:
        check(name)
    assert str(refused.value).splitlines() == (FOLDER / f"{name}.faults").read_text("utf-8").splitlines()


def test_months_are_added_up_each_by_its_own_calorific_value() -> None:
    # 烟煤 of the steel guideline: 0.02618 tC/GJ, oxidised to 93 %; heat 0.11 tCO2/GJ
    energy_gj = 1000 * Fraction("20.1") + 1200 * Fraction("20.3") + 9000 * Fraction("20.2")
    coal = energy_gj * Fraction("0.02618") * Fraction("0.93") * Fraction(44, 12)
    assert check("months") == [(STEEL, 2022, tonnes(coal)), (CEMENT, 2022, tonnes(Fraction("0.11")))]


def test_a_stock_is_in_the_unit_of_the_amount_or_in_one_that_is_named() -> None:
    # 2 kg at the opening, 5 kg bought, 1 kg at the end, 1.5 kg shipped: 4.5 kg of SF6 at 23,900
    for opening in ("opening_stock", "opening_stock [amount]", "opening_stock [t]", "期初库存 [kg]"):
        header = (
            "uscc", "year", "source", "material", "amount", "unit", opening, "closing_stock", "shipped", "provenance",
        )  # fmt: skip
        stock = "0.002" if "[t]" in opening else "2"
        row = (STEEL, 2022, "equipment_gas", "SF6", "5", "kg", stock, "1", "1.5", "verified")
        ((_, its),), faults = compute(csv(header, row), enterprises("machinery"))
        assert faults == []
        assert its.summary["account_tco2e"] == tonnes(Fraction("4.5") * 23900 / 1000)
