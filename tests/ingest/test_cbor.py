"""CBOR as a library of others writes it, and what is none."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DecodeError
from ingest.decode.cbor import parse_cbor
from ingest.decode.wire import Constant, Pairs, TooLong, value_of

scalars = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text() | st.floats(allow_nan=False)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.integers(-9, 9), inner, max_size=5)
    ),
    max_leaves=30,
)


def plain(value: Any) -> Any:
    if isinstance(value, Pairs):
        return {key: plain(item) for key, item in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Constant):
        return float(value.text)
    return value


@given(trees)
def test_what_a_library_writes(tree: Any):
    assert plain(parse_cbor(cbor2.dumps(tree))) == tree


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_decimal_fractions_keep_their_digits(value: Decimal):
    sign, digits, exponent = value.as_tuple()
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    assert value_of(parse_cbor(cbor2.dumps(cbor2.CBORTag(4, [exponent, mantissa])))) == (mantissa, exponent)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_of_four_bytes_is_its_own_shortest_decimal(value: float):
    found = parse_cbor(b"\xfa" + struct.pack(">f", value))
    assert struct.pack(">f", found) == struct.pack(">f", value)
    assert len(repr(abs(found))) <= len(repr(abs(value)))


def test_short_floats():
    assert parse_cbor(b"\xfa" + struct.pack(">f", 0.1)) == 0.1
    assert parse_cbor(b"\xf9" + struct.pack(">e", 0.1)) == 0.1
    assert math.isinf(plain(parse_cbor(b"\xf9\x7c\x00")))


def test_numbers_of_absurd_length():
    found = parse_cbor(b"\xc2\x59\x01\x00" + b"\xff" * 256)
    assert isinstance(found, TooLong)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "18",  # cut
        "9a000fffff00",  # more items than bytes
        "a100",  # a key alone
        "a1f400",  # a key that is true
        "bf00ff",  # a key alone, of indefinite length
        "1c",  # reserved
        "1f",  # an integer of indefinite length
        "df00",  # a tag of indefinite length
        "5f6161ff",  # a text within bytes
        "7f7f6161ffff",  # indefinite within indefinite
        "61ff",  # not UTF-8
        "ff",  # a break alone
        "f8ff",  # simple value 255
        "f0",  # simple value 16
        "0000",  # two values
        "81" * 100,  # deep
        "c1" * 100,  # tags, deep
    ],
)
def test_what_is_no_cbor(payload: str):
    with pytest.raises(DecodeError):
        parse_cbor(bytes.fromhex(payload))
