"""Unified social credit codes and the ids of the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity import is_identifier, uscc_fault
from tests.domain.documents import uscc

VECTORS = [
    "91430302XT0000014K",
    "91430304XT0000022B",
    "91430321XT0000030R",
    "91430381XT0000049K",
    "91430382XT0000057W",
]
SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", VECTORS)
def test_valid_codes(code: str) -> None:
    assert uscc_fault(code) is None


@given(st.sampled_from(VECTORS), st.integers(0, 17), st.sampled_from(SYMBOLS))
def test_one_wrong_symbol_is_found(code: str, place: int, symbol: str) -> None:
    """Both moduli are prime and no weight is a multiple of them: a single error changes a check digit."""
    wrong = code[:place] + symbol + code[place + 1 :]
    assert (uscc_fault(wrong) is None) == (wrong == code)


@given(st.sampled_from(VECTORS), st.integers(0, 16))
def test_neighbours_swapped_are_found(code: str, place: int) -> None:
    wrong = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert (uscc_fault(wrong) is None) == (wrong == code)


@given(st.text(max_size=20))
def test_any_text_is_answered(code: str) -> None:
    fault = uscc_fault(code)
    assert fault is None or repr(code) in fault


@pytest.mark.parametrize("letter", "IOSVZ")
def test_letters_that_look_like_digits_are_refused(letter: str) -> None:
    assert "without I O S V Z" in str(uscc_fault("9143030" + letter + "XT0000014K"))


def test_lower_case_is_for_the_reader_of_documents() -> None:
    assert uscc_fault(VECTORS[0].lower()) is not None


def test_made_codes_are_valid() -> None:
    assert len({uscc(number) for number in range(200)}) == 200


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_identifiers(text: str) -> None:
    assert is_identifier(text)


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a/b", "a\n", "é", "٣", "a+b", "a#"])
def test_other_texts_are_none(text: str) -> None:
    assert not is_identifier(text)
