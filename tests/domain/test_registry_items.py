"""The model that registered items make."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from domain.interval import EPOCH_DATE, INTERVAL_US, Period, parse_time
from domain.registry import (
    ChannelVersion,
    Dated,
    Derivation,
    Enterprise,
    Gateway,
    Kind,
    Parameter,
    Term,
    dated_value,
)
from domain.registry_items import Ids, enterprise, flag_history, park
from tests.domain.documents import SAMPLE, USCC, imported


def build(text: str) -> Enterprise:
    items = imported(text)
    points = {item.key[:2] for item in items if item.kind in ("channel", "derived")}
    sources = {item.key[0] for item in items if item.kind == "source"}
    ids = Ids(
        7,
        {(name[0], name[1]): number for number, name in enumerate(sorted(points))},
        {code: number for number, code in enumerate(sorted(sources), 100)},
    )
    return enterprise(USCC, [pair for pair in items.items() if pair[0].uscc == USCC], ids)


def us(text: str) -> int:
    result = parse_time(text)
    assert result is not None
    return result


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH_DATE).days


@pytest.fixture(scope="module")
def steel() -> Enterprise:
    return build(SAMPLE)


def test_the_enterprise(steel: Enterprise) -> None:
    assert (steel.id, steel.uscc, steel.industry, steel.gb_t_4754) == (7, USCC, "steel", "3120")
    assert (steel.name_zh, steel.name_en) == ("一号钢厂", "Steel One")
    assert steel.editions == (Dated(None, "ndrc-2013"),)
    assert steel.districts == (Dated(None, "430304"),)
    assert steel.parks == (Dated(None, "XT-ETDZ"),)
    assert steel.flags == (Dated(None, frozenset({"key", "two_high", "ets"})),)
    assert steel.gateways == {"gw1": Gateway("gw1", 32 * INTERVAL_US), "gw2": Gateway("gw2", None)}
    assert steel.meters == {"E-01": "incoming feeder 1", "E-02": "", "G-01": "", "P-01": "", "S-01": ""}
    assert len(steel.points) == 9 == len({point.id for point in steel.points.values()})


def test_a_channel_with_its_versions(steel: Enterprise) -> None:
    point = steel.points["E-01/import_kwh"]
    assert (point.kind, point.quantity, point.unit) == (Kind.REGISTER, "electricity_import", "kWh")
    assert point.exponent == -2  # 0.01 × 1 and 0.001 × 40
    assert point.versions[0] == ChannelVersion(
        valid_from_us=us("2022-12-31T16:00:00Z"),
        valid_to_us=us("2023-12-31T16:00:00Z"),
        quantity="electricity_import",
        kind=Kind.REGISTER,
        unit="kWh",
        multiplier=Fraction(1),
        resolution=Fraction(1, 100),
        modulus=Fraction(1_000_000),
        max_rate=Fraction(50_000),
        max_gap_us=8 * INTERVAL_US,
        period=Period(us=INTERVAL_US),
        snap=True,
        closing=Fraction("523416.20"),
    )
    assert point.versions[1].opening == 0
    assert point.version_at(us("2023-12-31T16:00:00Z")) is point.versions[1]
    assert point.version_at(us("2023-12-31T15:59:59Z")) is point.versions[0]
    assert point.version_at(us("2022-12-31T15:59:59Z")) is None


def test_rates_count_in_their_consumption_unit(steel: Enterprise) -> None:
    assert (steel.points["E-02/power"].unit, steel.points["E-02/power"].exponent) == ("MWh", -3)
    assert (steel.points["S-01/bar"].unit, steel.points["S-01/bar"].exponent) == ("bar", -2)


def test_a_derived_channel(steel: Enterprise) -> None:
    point = steel.points["S-01/heat_gj"]
    assert point.derivation is not None
    assert point.derivation.function == "steam_heat"
    assert dict(point.derivation.inputs) == {
        "mass": "S-01/steam_t",
        "pressure": "S-01/bar",
        "temperature": "S-01/degc",
    }
    assert (point.quantity, point.unit, point.exponent) == ("steam", "GJ", -6)
    assert point.version_at(us("1950-01-01T00:00:00Z")) is point.version_at(us("2190-01-01T00:00:00Z"))


def test_the_quantity_of_a_derived_channel() -> None:
    text = SAMPLE.replace(
        "    sources:",
        """
      - {id: V/n, function: gas_at_normal, unit: nm3, resolution: "0.1",
         inputs: {volume: V/m3, pressure: S-01/bar, temperature: S-01/degc}}
      - {id: V/co2, function: product, unit: kg, quantity: co2_flow, inputs: {a: V/m3, b: V/mg}}
      - {id: V/share, function: product, unit: m3, inputs: {a: V/m3, b: V/pct}}
    sources:""",
    ).replace(
        "      - id: G-01",
        """
      - id: V
        channels:
          - {id: m3, quantity: coke_oven_gas, kind: rate, unit: m3/h, resolution: 1, valid_from: 2023-01-01T00:00:00Z}
          - {id: mg, quantity: concentration, kind: rate, unit: mg/m3, resolution: 1, valid_from: 2023-01-01T00:00:00Z}
          - {id: pct, quantity: concentration, kind: rate, unit: percent, resolution: 1,
             valid_from: 2023-01-01T00:00:00Z}
      - id: G-01""",
    )
    points = build(text).points
    assert (points["V/n"].quantity, points["V/n"].exponent) == ("coke_oven_gas", -1)
    assert (points["V/co2"].quantity, points["V/share"].quantity) == ("co2_flow", "other")
    assert points["V/co2"].derivation == Derivation("product", (("a", "V/m3"), ("b", "V/mg")))


def test_sources_with_dated_versions_and_parameters(steel: Enterprise) -> None:
    assert [(code, source.id) for code, source in steel.sources.items()] == [
        ("boiler", 100), ("grid", 101), ("heat", 102),
    ]  # fmt: skip
    grid = steel.sources["grid"].versions
    assert grid[0].from_day is None
    assert grid[0].value.terms == (Term(1, "E-01/import_kwh"), Term(-1, "E-02/import_kwh"))
    assert steel.sources["boiler"].parameters == (
        Parameter("ncv", Fraction("391.2"), "GJ/10k_nm3", day("2023-01-01"), "measured", "lab report 12"),
        Parameter("oxidation_rate", Fraction("0.99"), "fraction", None, None, None),
    )
    heat = steel.sources["heat"].versions
    assert heat[0].from_day == day("2023-06-01")
    assert dated_value(heat, day("2023-05-31")) is None
    assert steel.products["crude_steel"].versions[0].value.unit == "t"


def test_dated_values_are_in_the_order_of_their_days() -> None:
    text = SAMPLE.replace(
        'district: "430304"\n    park',
        "district: [{code: '430381', from: 2024-01-01}, {code: '430304'}, {code: '430302', from: 2023-06-01}]"
        "\n    park",
    )
    districts = build(text).districts
    assert [(each.from_day, each.value) for each in districts] == [
        (None, "430304"), (day("2023-06-01"), "430302"), (day("2024-01-01"), "430381"),
    ]  # fmt: skip
    assert dated_value(districts, day("2023-12-31")) == "430302"


def test_flags_hold_from_their_day_until_their_end() -> None:
    history = flag_history(
        [
            {"flag": "key"},
            {"flag": "ets", "from": "2021-01-01", "to": "2023-01-01"},
            {"flag": "ets", "from": "2025-01-01"},
            {"flag": "two_high", "to": "2021-01-01"},
        ]
    )
    assert [(each.from_day, sorted(each.value)) for each in history] == [
        (None, ["key", "two_high"]),
        (day("2021-01-01"), ["ets", "key"]),
        (day("2023-01-01"), ["key"]),
        (day("2025-01-01"), ["ets", "key"]),
    ]
    assert flag_history([]) == ()
    assert dated_value(flag_history([{"flag": "ets", "from": "2021-01-01"}]), day("2020-12-31")) is None


def test_one_name_stands_in_for_the_other() -> None:
    assert park("A", {"name_zh": "园区", "district": "430300"}).name_en == "园区"
    assert park("A", {"name_en": "park", "district": "430300"}).name_zh == "park"
