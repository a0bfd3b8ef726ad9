"""The vectors of the grading reference, sections 3.6 and 3.10, in exact decimals."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accounting.grades.benchmarks import benchmark_table
from accounting.grades.curves import Levels
from accounting.grades.grade import grade, grade_many
from accounting.grades.hysteresis import held_label
from accounting.grades.inputs import Previous, SourceSum
from accounting.grades.matching import MONTHS
from accounting.grades.peers import peer_tables
from accounting.grades.record import grade_json, score_text
from accounting.grades.scheme import DiscountScheme, Hysteresis, PeerDimension, Scheme, TrendDimension
from accounting.grades.scheme_read import default_scheme, shipped
from tests.accounting.grades.cases import enterprise, peers, product

LEVELS = [
    (
        "gb16780-2021-clinker",
        "93 100 103 104 107 112 117 120 134",
        "100 80 71.4286 68.5714 60 50 40 32.9412 0",
    ),
    ("gb21256-2025-converter", "-32 -30 -29 -28 -20 -12 -5 6", "100 80 70 60 50 40 24.4444 0"),
    ("gb21342-2025-coke_top", "90 110 115 135 140 160", "100 80 56 40 32 0"),
]


def shown(value: Fraction) -> str:
    text = score_text(value)
    assert text is not None
    return text.rstrip("0").rstrip(".")


@pytest.mark.parametrize(("benchmark", "values", "scores"), LEVELS)
def test_levels(benchmark: str, values: str, scores: str) -> None:
    levels = benchmark_table().by_id[benchmark].levels
    assert [shown(levels.score(Fraction(each))) for each in values.split()] == scores.split()


def test_without_level_2_the_middle_scores_60() -> None:
    levels = Levels(Fraction(61), None, Fraction(72))
    assert [shown(levels.score(Fraction(each))) for each in ("55.5", "61", "66.5", "72", "83")] == [
        *("100", "80", "60", "40", "0")
    ]


def test_peer_ratio() -> None:
    dimension = default_scheme().dimensions["D2"]
    assert isinstance(dimension, PeerDimension)
    ratios = ["0.2", "0.45", "0.6", "0.8", "0.9", "1.0", "1.2", "2", "3", "5"]
    found = [shown(dimension.curve.score(Fraction(each))) for each in ratios]
    assert found == ["100", "90", "80", "70", "65", "60", "56", "40", "20", "0"]


def test_trend() -> None:
    dimension = default_scheme().dimensions["D3"]
    assert isinstance(dimension, TrendDimension)
    ratios = ["0.85", "0.90", "0.93", "0.95", "0.9634", "0.97", "1.00", "1.05", "1.10"]
    found = [shown(dimension.curve.score(Fraction(each))) for each in ratios]
    assert found == ["100", "92", "80", "68.024", "60", "56.3934", "40", "15", "0"]


def test_track_p() -> None:
    """Clinker 104, K 0.9, rho 0.97, all of E in the product."""
    own = enterprise(
        9_000,
        1_000,
        tonnes_before=10_000,
        products=(product("gb16780-2021-clinker", 104, Fraction(104) / Fraction("0.97")),),
    )
    scheme = default_scheme()
    found = grade(own, scheme, peer_tables([own, *peers()], scheme))
    assert [shown(each.score) for each in found.dimensions] == ["68.5714", "65", "56.3934"]
    assert score_text(found.score) == "65.4215"
    assert (found.label, found.track and found.track.id, found.is_provisional) == ("LIGHT_GREEN", "P", False)
    told = grade_json(found)
    assert told["peers"]["step"] == "city4"
    assert told["peers"]["k"] == "0.9000"
    assert told["peers"]["n"] == 6
    assert told["label_zh"] == "浅绿"


def test_coverage() -> None:
    sources = (
        SourceSum("a", 6_000, 98, 100),
        SourceSum("b", 3_000, 92, 100),
        SourceSum("c", 1_000, 40, 100),
    )
    own = enterprise(sources=sources)
    found = grade_many([own, *peers()], default_scheme())[0]
    assert found.coverage == Fraction("0.904")
    assert not found.is_provisional


def test_hysteresis() -> None:
    """Section 3.6: margin alone; the first has no history."""
    scores = ["59", "61", "62.1", "59", "58.0", "57.9", "79.9", "81.9", "82", "77", "20"]
    expected = ["黄", "黄", "浅绿", "浅绿", "浅绿", "黄", "浅绿", "浅绿", "深绿", "浅绿", "红"]
    scheme, rule = default_scheme(), Hysteresis(Fraction(2), None)
    previous, found = None, []
    for text in scores:
        label = held_label(scheme, rule, Fraction(text), previous)
        previous = Previous(label, label, (Fraction(text),))
        found.append(scheme.names()[label])
    assert found == expected


def test_a_streak_of_quarter_ends_crosses_without_the_margin() -> None:
    scheme = default_scheme()
    assert scheme.hysteresis is not None
    before = Previous("YELLOW", "YELLOW", (Fraction(61),))
    assert held_label(scheme, scheme.hysteresis, Fraction(61), before) == "LIGHT_GREEN"
    after_none = Previous("YELLOW", "YELLOW", (None,))
    assert held_label(scheme, scheme.hysteresis, Fraction(61), after_none) == "YELLOW"
    fallen = Previous("LIGHT_GREEN", "LIGHT_GREEN", (Fraction("59.5"),))
    assert held_label(scheme, scheme.hysteresis, Fraction(59), fallen) == "YELLOW"


def test_the_five_levels_of_zhejiang() -> None:
    """K at the bounds belongs to the better level; one's own part stays among the industry's."""
    scheme = shipped()["zj-k5-2021 1.0.0"]
    assert isinstance(scheme, Scheme)
    dimension = scheme.dimensions["K"]
    assert isinstance(dimension, PeerDimension)
    labels = [
        scheme.label_of(dimension.curve.score(Fraction(each)))
        for each in ["0.6", "0.61", "0.8", "0.81", "1.2", "1.3", "2.0", "2.1"]
    ]
    assert [label[-1] for label in labels] == list("12233445")
    everybody = [enterprise(600, 1_000), *peers(9)]
    found = grade_many(everybody, scheme)[0]
    own = found.dimensions[0].peers
    assert own is not None
    assert own.n == 10
    assert own.k == Fraction(6, 10) / (Fraction(9_060, 1) / 1_000 / 10 * 10)
    assert found.side is not None
    assert found.side == (Fraction(6, 10), "低碳")


def test_the_discount_of_a_bank() -> None:
    scheme = shipped()["bank-bp 1.0.0"]
    assert isinstance(scheme, DiscountScheme)
    points = [
        scheme.discount.basis_points(each) for each in (None, Fraction(50), Fraction("65.5"), Fraction(99))
    ]
    assert points == [0, 0, Fraction("5.5"), 20]


def test_the_worst_product_gives_the_limit_level() -> None:
    scheme = shipped()["limit-123 1.0.0"]
    assert isinstance(scheme, Scheme)
    one, other = product("gb16780-2021-clinker", 100), product("gb16780-2021-cement", 95, sources=())
    both = enterprise(products=(one, other))
    assert grade_many([enterprise(products=(one,))], scheme)[0].label == "LEVEL_1"
    assert grade_many([both], scheme)[0].label == "FAIL"


def test_ranks_go_by_share() -> None:
    scheme = shipped()["pct-20-50-20-10 1.0.0"]
    assert isinstance(scheme, Scheme)
    everybody = [enterprise(5_000 + 2_000 * each, 1_000, uscc=f"X{each}") for each in range(10)]
    labels = [each.label for each in grade_many(everybody, scheme)]
    assert labels == ["GREEN"] * 2 + ["BLUE"] * 5 + ["ORANGE"] * 2 + ["RED"]
    assert grade_many(everybody, scheme)[0].dimensions[0].peers is not None
    assert peer_tables(everybody, scheme).matched(everybody[0], "value_added", MONTHS) is not None
