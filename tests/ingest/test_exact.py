"""Values are exact: whole columns give what `domain.reading.exact_value` gives one by one."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from domain.reading import exact_value
from ingest.decode.exact import INTEGER_MAX, exact_text, exact_values

doubles = st.floats(allow_nan=False, allow_infinity=False)
metered = st.decimals(min_value=-(10**12), max_value=10**12, places=3).map(float)
integral = st.integers(-INTEGER_MAX + 1, INTEGER_MAX - 1).map(float)


@given(st.lists(doubles | metered | integral))
@example([0.0, -0.0, 0.1, 1e22, 5e-324, 1.7976931348623157e308, 123456.654321, 1e15, 999999999.999999])
@example([100.0, 1e6, 1200000.0, 0.00001, 0.000001, 1e-7])
def test_columns_give_what_single_values_give(values):
    with np.errstate(over="ignore"):  # a column beyond 10³⁰² isn't sent this way
        mantissas, exponents = exact_values(np.array(values, np.float64))
    assert list(zip(mantissas.tolist(), exponents.tolist(), strict=True)) == [
        exact_value(value) for value in values
    ]


@given(integral)
def test_an_integer_may_come_as_a_double(value):
    mantissas, exponents = exact_values(np.array([value]))
    assert int(mantissas[0]) * 10 ** int(exponents[0]) == int(value)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)
    | st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{0,12})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
    | st.text(max_size=12)
)
@example("-0")
@example("-0.00")
@example("00.5")
@example("1.")
@example("12.50")
def test_texts_give_what_the_slow_way_gives(text):
    assert exact_text(text) == exact_value(text)


def test_a_text_keeps_its_zeros():
    assert exact_text("12.50") == (1250, -2)
    assert Decimal("12.50").as_tuple().exponent == -2
