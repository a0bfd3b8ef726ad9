"""Signed sums: what they mean, what is wrong with the others, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.expression import expression_text, parse_expression
from domain.registry import Term

ids = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
names = st.tuples(ids, ids).map("/".join)
terms = st.lists(
    st.tuples(st.sampled_from([1, -1]), names), min_size=1, max_size=8, unique_by=lambda t: t[1]
).map(lambda pairs: tuple(Term(*pair) for pair in pairs))


@given(terms)
def test_a_sum_reads_back_as_itself(given_terms: tuple[Term, ...]) -> None:
    assert parse_expression(expression_text(given_terms)) == (given_terms, [])


@given(st.text(max_size=80))
def test_any_text_is_a_sum_or_has_a_fault(text: str) -> None:
    found, faults = parse_expression(text)
    assert bool(found and not faults) != bool(faults)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A/x", [(1, "A/x")]),
        ("  A/x   -  B/y ", [(1, "A/x"), (-1, "B/y")]),
        ("- A/x + B/y", [(-1, "A/x"), (1, "B/y")]),
        ("A-1/x-2 - -B/y", [(1, "A-1/x-2"), (-1, "-B/y")]),
        ("A.1/x\n+ B_2/y", [(1, "A.1/x"), (1, "B_2/y")]),
    ],
)
def test_sums(text: str, expected: list[tuple[int, str]]) -> None:
    assert parse_expression(text) == (tuple(Term(*each) for each in expected), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["is empty; a sum such as 'E-01/import_kwh - E-02/import_kwh' is expected"]),
        ("A", ["character 1: 'A' is no METER/CHANNEL"]),
        ("A/x -", ["character 5: nothing follows the operator"]),
        ("A/x - - B/y", ["character 7: '-' follows another operator"]),
        ("A/x -B/y", ["character 5: '+' or '-' is expected before '-B/y'"]),
        ("A/x-B/y", ["character 1: 'A/x-B/y' is no METER/CHANNEL; operators stand between spaces"]),
        ("A/x * 2", [
            "character 5: '+' or '-' is expected before '*'",
            "character 5: '*' is no METER/CHANNEL; operators stand between spaces",
            "character 7: '+' or '-' is expected before '2'",
            "character 7: '2' is no METER/CHANNEL",
        ]),
        ("A/x + A/x", ["character 7: 'A/x' stands in the sum twice"]),
        ("A/é", ["character 1: 'A/é': 'é' is no id of 1 to 64 letters, digits, '.', '_' or '-'"]),
    ],
)  # fmt: skip
def test_faults_say_where(text: str, expected: list[str]) -> None:
    assert parse_expression(text)[1] == expected


def test_the_length_of_a_sum_is_bounded() -> None:
    assert parse_expression(" + ".join(f"M/{n}" for n in range(1001)))[1] == [
        "has 1001 parts, at most 1000 are allowed"
    ]
