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
from tests.accounting.history_cases import CEMENT, STEEL, enterprises

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
