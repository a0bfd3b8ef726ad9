"""The wire's forms, as the contract prints them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interval import HOUR_US, parse_time
from domain.reading import as_fraction, exact_value
from simulators import encode
from simulators.encode import Form, Row, StampStyle

AT = 1_700_000_000_000_000
MS = StampStyle.MILLISECONDS
IMPORT = Row("E-01", "import_kwh", AT, 1_234_567, 2)
GAS = Row("G-02", "gas_m3", AT, 881, 1)


def test_form_a() -> None:
    body = json.loads(encode.form_a([IMPORT, GAS._replace(quality=1, revision=3)], MS, seq=41))
    assert body == {
        "seq": 41,
        "readings": [
            {"m": "E-01", "c": "import_kwh", "at": 1_700_000_000_000, "v": 12345.67},
            {"m": "G-02", "c": "gas_m3", "at": 1_700_000_000_000, "v": 88.1, "q": 1, "rev": 3},
        ],
    }
    assert "seq" not in json.loads(encode.form_a([IMPORT], MS))


def test_form_b() -> None:
    body = json.loads(encode.form_b([IMPORT, GAS], MS, seq=41))
    assert body == {
        "seq": 41,
        "at": 1_700_000_000_000,
        "values": {"E-01/import_kwh": 12345.67, "G-02/gas_m3": 88.1},
    }
    marked = [row._replace(quality=1, revision=2) for row in (IMPORT, GAS)]
    assert json.loads(encode.form_b(marked, MS)) | {"values": 0} == {
        "at": 1_700_000_000_000,
        "q": 1,
        "rev": 2,
        "values": 0,
    }


def test_form_c() -> None:
    later = GAS._replace(at_us=AT + 1_000_000)
    body = json.loads(encode.form_c([IMPORT, later], MS, seq=41))
    assert body == {
        "seq": 41,
        "at": [1_700_000_000_000, 1_700_000_001_000],
        "ch": ["E-01/import_kwh", "G-02/gas_m3"],
        "v": [12345.67, 88.1],
    }
    assert json.loads(encode.form_c([IMPORT, later._replace(quality=1)], MS))["q"] == [0, 1]
    assert (
        json.loads(encode.form_c([IMPORT._replace(revision=1), later._replace(revision=1)], MS))["rev"] == 1
    )


def test_single_and_bare_values() -> None:
    assert json.loads(encode.single(IMPORT, MS)) == {"at": 1_700_000_000_000, "v": 12345.67}
    assert encode.bare(IMPORT) == b"12345.67"
    assert encode.bare(Row("m", "c", AT, -5, 3)) == b"-0.005"


@pytest.mark.parametrize("style", list(StampStyle))
@given(at_us=st.integers(0, 4_000_000_000_000_000))
def test_every_stamp_says_its_moment(style: StampStyle, at_us: int) -> None:
    stamp = encode.stamp(at_us, style)
    if isinstance(stamp, int):
        assert stamp * 1000 == at_us
    else:
        assert parse_time(stamp, 8 * HOUR_US) == at_us
        assert (parse_time(stamp) is None) == (style is StampStyle.LOCAL)


@given(mantissa=st.integers(-(2**62), 2**62), decimals=st.integers(0, 9))
def test_a_value_arrives_exactly(mantissa: int, decimals: int) -> None:
    expected = Decimal(mantissa).scaleb(-decimals)
    value = json.loads(json.dumps(encode.value(mantissa, decimals)))
    exact = exact_value(value)
    assert exact is not None
    assert as_fraction(*exact) == as_fraction(mantissa, -decimals)
    assert Decimal(encode.value_text(mantissa, decimals)) == expected


@pytest.mark.parametrize("form", list(Form))
def test_packing_keeps_every_reading_in_order(form: Form) -> None:
    rows = [
        Row("E-01", channel, AT + minute * 60_000_000, minute, 2, quality=minute % 7 == 0)
        for minute in range(50)
        for channel in ("a", "b")
    ]
    messages = encode.pack("U", "gw1", rows, form, MS, readings_max=30, first_seq=5)
    assert sum(message.readings for message in messages) == len(rows)
    found: list[tuple[str, int, float]] = []
    for message in messages:
        body = json.loads(message.payload)
        if message.topic.endswith("/readings"):
            assert message.topic == "carbon/v1/U/gw1/readings"
        if "readings" in body:
            found += [(r["c"], r["at"], r["v"]) for r in body["readings"]]
        elif "values" in body:
            found += [(name.split("/")[1], body["at"], value) for name, value in body["values"].items()]
        elif "ch" in body:
            found += [
                (n.split("/")[1], at, v) for n, at, v in zip(body["ch"], body["at"], body["v"], strict=True)
            ]
        else:
            found.append((message.topic.split("/")[-1], body["at"], body["v"]))
    assert found == [(row.channel, row.at_us // 1000, row.mantissa / 100) for row in rows]
    if form is not Form.SINGLE:
        seqs = [json.loads(message.payload)["seq"] for message in messages]
        assert seqs == list(range(5, 5 + len(messages)))


def test_form_b_never_drops_a_channel_that_comes_twice() -> None:
    messages = encode.pack("U", "g", [IMPORT, IMPORT, GAS], Form.B, MS)
    assert [message.readings for message in messages] == [1, 2]
