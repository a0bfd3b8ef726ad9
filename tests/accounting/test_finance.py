"""Financed emissions: the vectors of the reference, and what must hold whatever the loans."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.finance.attribution import Emissions, Financed, Loan, exclusion, financed, portfolio
from accounting.finance.rules import FILE, read_rules, rules
from domain.errors import FaultyDocument

RULES = rules()
MILLION = 10**6


def loan(amount: int = 120 * MILLION, **more: object) -> Loan:
    figures = {"equity": Fraction(900 * MILLION), "debt": Fraction(1500 * MILLION)}
    return Loan("1", Fraction(amount), **{"figures": figures, **more})  # type: ignore[arg-type]


def emissions(tco2e: int = 500_000, option: str = "reported") -> Emissions:
    return Emissions(Fraction(tco2e), RULES.options[option])


@pytest.mark.parametrize(
    ("denominator", "figures", "expected"),
    [
        ("equity_plus_debt", {"equity": 900, "debt": 1500}, 25_000),
        ("total_assets", {"total_assets": 3000}, 20_000),
        ("revenue", {"revenue": 1500}, 40_000),
    ],
)
def test_attribution(denominator: str, figures: dict[str, int], expected: int):
    its = {name: Fraction(value * MILLION) for name, value in figures.items()}
    found = financed(loan(figures=its), RULES.denominators[denominator], emissions(), RULES)
    assert (found.tco2e, found.reason, found.capped) == (expected, None, False)


def scored(amount: int, score: int, tco2e: int) -> Financed:
    option = next(
        each for each in RULES.options.values() if (each.pcaf_score, each.method_score) == (score, score)
    )
    its = Loan("1", Fraction(amount))
    return Financed(its, Emissions(Fraction(tco2e), option), Fraction(1), Fraction(tco2e), None)


def test_quality_of_a_portfolio():
    found = portfolio([scored(100, 2, 10), scored(300, 4, 5)])
    assert found.pcaf_score == Fraction("3.5")
    assert found.method_score == Fraction(8, 3)
    assert found.tco2e == 15
    empty = portfolio([])
    assert (empty.pcaf_score, empty.method_score, empty.tco2e) == (None, None, 0)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"amount": 4_999_999}, "small_amount"),
        ({"amount": 5_000_000}, None),
        ({"monthly_average": Fraction(1)}, "small_amount"),
        ({"size": "micro"}, "small_enterprise"),
        ({"size": "large"}, None),
        ({"is_person": True}, "person"),
        ({"is_overseas": True}, "overseas"),
        ({"in_eight_sectors": False}, "other_sector"),
    ],
)
def test_exclusions(more: dict[str, object], code: str | None):
    its = loan(**more)  # type: ignore[arg-type]
    assert exclusion(its, RULES) == code
    found = financed(its, RULES.denominators["equity_plus_debt"], emissions(), RULES)
    assert (found.tco2e is None) == (code is not None)
    if code is not None:
        assert exclusion(its, RULES, [code]) is None


def test_what_cant_be_counted_says_why():
    wanted = RULES.denominators["evic"]
    assert financed(loan(), wanted, emissions(), RULES).reason == "evic needs evic"
    zero = loan(figures={"evic": Fraction(0)})
    assert financed(zero, wanted, emissions(), RULES).reason == "evic isn't above zero"
    assert financed(zero, wanted, "no consent", RULES).reason == "no consent"


def test_a_loan_above_its_denominator_is_the_whole():
    found = financed(loan(amount=3000 * MILLION), RULES.denominators["equity_plus_debt"], emissions(), RULES)
    assert (found.attribution, found.capped, found.tco2e) == (1, True, 500_000)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**12), st.sampled_from(sorted(RULES.options)), st.integers(0, 10**9)),
        min_size=1,
        max_size=20,
    )
)
def test_a_portfolio_is_the_sum_of_its_loans(given_loans: list[tuple[int, str, int]]):
    loans = [
        financed(
            Loan(str(number), Fraction(amount), {"evic": Fraction(10**12)}),
            RULES.denominators["evic"],
            emissions(tco2e, option),
            RULES,
            ["small_amount"],
        )
        for number, (amount, option, tco2e) in enumerate(given_loans)
    ]
    found = portfolio(loans)
    assert found.tco2e == sum(Fraction(amount, 10**12) * tco2e for amount, _, tco2e in given_loans)
    assert found.pcaf_score is not None
    assert 1 <= found.pcaf_score <= 5
    assert found.counted_amount == found.amount


def test_faults_of_the_rules_come_all_at_once(tmp_path: Path):
    text = FILE.read_text("utf-8")
    path = tmp_path / "rules.toml"
    path.write_text(
        text.replace('figures = ["evic"]', 'figures = ["luck"]').replace("pcaf_score = 4", "pcaf_score = 7"),
        "utf-8",
    )
    with pytest.raises(FaultyDocument) as error:
        read_rules(path)
    assert len(error.value.faults) == 2
