"""Derived channels by hand: heat in steam, gas at normal conditions, a share of an amount."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from accounting.derived import derived_intervals
from domain.reading import Flag, Quality, pack, round_half_even
from domain.registry import Derivation, Kind, Point

MEASURED = pack(Quality.MEASURED, 0)


def point(unit: str, exponent: int, function: str | None = None, **inputs: str) -> Point:
    derivation = Derivation(function, tuple(inputs.items())) if function else None
    return Point(1, "", "M", "c", "other", Kind.RATE, unit, exponent, (), derivation)


def derive(result: Point, **inputs: tuple[Point, int, int]) -> tuple[int, int]:
    amounts, states = derived_intervals(
        result,
        {name: each for name, (each, _, _) in inputs.items()},
        {name: (np.array([a]), np.array([s], np.int16)) for name, (_, a, s) in inputs.items()},
    )
    return int(amounts[0]), int(states[0])


def steam(
    mass: int, bar: int, tenth_degrees: int, states: tuple[int, int, int] = (MEASURED,) * 3
) -> tuple[int, int]:
    return derive(
        point("GJ", -6, "steam_heat", mass="a/a", pressure="b/b", temperature="c/c"),
        mass=(point("t", -3), mass, states[0]),
        pressure=(point("bar", -1), bar, states[1]),
        temperature=(point("degC", -1), tenth_degrees, states[2]),
    )


def test_heat_of_steam_by_hand() -> None:
    # 1 MPa, 250 °C: h = 2943.22 kJ/kg (IAPWS-IF97 tables: 2943.2); 2.5 t × (2943.22 − 83.74) / 1000
    assert steam(2500, 100, 2500) == (7_148_700, MEASURED)


def test_the_worst_quality_and_all_flags_of_the_inputs() -> None:
    states = (MEASURED, pack(Quality.ESTIMATED, Flag.GAP), pack(Quality.INTERPOLATED, Flag.NEGATIVE))
    assert steam(2500, 100, 2500, states)[1] == pack(Quality.ESTIMATED, Flag.GAP | Flag.NEGATIVE)


def test_missing_where_an_input_is() -> None:
    assert steam(2500, 0, 2500, (MEASURED, pack(Quality.MISSING, Flag.CONFLICT), MEASURED)) == (
        0,
        pack(Quality.MISSING, Flag.CONFLICT),
    )


def test_a_state_that_water_has_not_is_missing_and_implausible() -> None:
    assert steam(2500, 100, 50_000) == (0, pack(Quality.MISSING, Flag.IMPLAUSIBLE))


@pytest.mark.parametrize(("bar", "degrees"), [(1, 0), (2, 15), (17, -30)])
def test_gas_at_normal_conditions_is_exact(bar: int, degrees: int) -> None:
    amount, state = derive(
        point("nm3", -2, "gas_at_normal", volume="a/a", pressure="b/b", temperature="c/c"),
        volume=(point("m3", 0), 1234, MEASURED),
        pressure=(point("bar", 0), bar, MEASURED),
        temperature=(point("degC", 0), degrees, MEASURED),
    )
    expected = (
        1234 * Fraction(bar) / Fraction("1.01325") * Fraction("273.15") / (Fraction("273.15") + degrees) * 100
    )
    assert (amount, state) == (round_half_even(expected.numerator, expected.denominator), MEASURED)


def test_a_share_and_a_concentration() -> None:
    result = point("t", -6, "product", flow="a/a", content="b/b")
    assert derive(
        result, flow=(point("t", -2), 1000, MEASURED), content=(point("percent", -1), 253, MEASURED)
    ) == (
        2_530_000,
        MEASURED,
    )
    # 500 m3 of waste water with 40 mg/m3: 20 g
    result = point("kg", -6, "product", flow="a/a", content="b/b")
    assert derive(
        result, flow=(point("m3", 0), 500, MEASURED), content=(point("mg/m3", 0), 40, MEASURED)
    ) == (
        20_000,
        MEASURED,
    )


def test_heat_of_hot_water_by_hand() -> None:
    # 85 t of 78.0 °C: 85 × 58 × 4.1868 / 1000 GJ
    result = point("GJ", -6, "hot_water_heat", mass="a/a", temperature="b/b")
    assert derive(
        result, mass=(point("t", -2), 8500, MEASURED), temperature=(point("degC", -1), 780, MEASURED)
    ) == (
        20_640_924,
        MEASURED,
    )


def test_cod_of_wastewater_is_a_volume_times_a_concentration() -> None:
    # 260.25 m3 with 4,100 mg/L = 4,100,000 mg/m3
    result = point("kg", -6, "product", water="a/a", cod="b/b")
    assert derive(
        result, water=(point("m3", -2), 26_025, MEASURED), cod=(point("mg/m3", 0), 4_100_000, MEASURED)
    ) == (
        1_067_025_000,
        MEASURED,
    )
