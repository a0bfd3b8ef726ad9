"""Allowances, F, the forecast, bands and dates: the vectors of the plans, and what must hold whatever the figures."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.quota.allowance import (
    PowerUnit,
    intensity_allowance,
    load_factor,
    power_allowance,
    unit_allowance,
)
from accounting.quota.dates import calendar, surrender_day
from accounting.quota.forecast import Way, forecast
from accounting.quota.tables import FOLDER, Sector, UnitClass, read_tables, tables
from accounting.quota.warning import warning
from domain.errors import FaultyDocument, Refused

TABLES = tables()


def unit(unit_class: UnitClass = UnitClass.I, **given: Fraction | int | str) -> PowerUnit:
    wanted = {"electricity_mwh": 3_000_000, "heat_gj": 1_000_000} | given
    return PowerUnit("1", unit_class, **{name: Fraction(value) for name, value in wanted.items()})


def test_a_unit_at_full_load():
    found = unit_allowance(unit(load="0.9"), 2024, TABLES)
    assert (found.electricity_t, found.heat_t, found.allowance_t) == (2_373_000, 103_300, 2_476_300)
    assert found.load_factor == 1
    assert (found.electricity.basis, found.electricity.confidence) == ("generated", "H")


def test_a_unit_at_low_load():
    given = unit(UnitClass.II, electricity_mwh=1_000_000, heat_gj=500_000, load="0.60")
    found = unit_allowance(given, 2024, TABLES)
    assert found.load_factor == Fraction("1.061364")
    assert (found.electricity_t, found.heat_t, found.allowance_t) == (854_291, 51_650, 905_941)


@pytest.mark.parametrize(
    ("year", "load", "factor"),
    [
        (2024, "0.649999999", "1.045678"),
        (2024, "0.65", "1"),
        (2026, "0.4999999999", "1.100276"),
        (2026, "0.50", "1"),
        (2025, "0", "7.254000"),
    ],
)
def test_the_load_factor_jumps_at_its_threshold(year: int, load: str, factor: str):
    assert load_factor(TABLES.load_rules[year], Fraction(load)) == Fraction(factor)


@given(st.fractions(0, 1), st.fractions(0, 1), st.sampled_from([2023, 2025]))
def test_the_load_factor_falls_with_the_load_and_is_that_of_floats(one: Fraction, other: Fraction, year: int):
    rule = TABLES.load_rules[year]
    low, high = sorted((one, other))
    assert load_factor(rule, low) >= load_factor(rule, high) >= 1
    if low < rule.threshold:
        x = float(low)
        expected = (
            1.015 ** (16 - 20 * x)
            if year == 2023
            else 7.254 - 0.633 * (1 - math.exp(-100 * x / 29.822)) - 5.643 * (1 - math.exp(-100 * x / 6.871))
        )
        assert float(load_factor(rule, low)) == pytest.approx(expected, abs=1e-6)


def test_a_gas_unit_is_due_at_least_its_emissions():
    found = unit_allowance(
        unit(UnitClass.IV, electricity_mwh=1000, heat_gj=0, emissions_t="350.9"), 2024, TABLES
    )
    assert (found.electricity_t, found.allowance_t, found.raised) == (328, 350, True)
    with pytest.raises(Refused, match="emissions_t"):
        unit_allowance(unit(UnitClass.IV), 2024, TABLES)


def test_an_entity_is_due_at_least_four_fifths_of_its_emissions():
    units = [unit(UnitClass.III, electricity_mwh=1000, heat_gj=0)]
    assert power_allowance(units, Fraction(2000), 2024, TABLES).allowance_t == 1600
    assert power_allowance(units, Fraction(900), 2024, TABLES).allowance_t == 824
    assert power_allowance(units, None, 2024, TABLES).floor_t is None


@pytest.mark.parametrize(
    ("given", "year", "message"),
    [
        (unit(), 2024, "load is needed"),
        (unit(load="0.7"), 2021, "no rule of the load factor"),
        (unit(load="0.7"), 2018, "no benchmark of electricity for class I in 2018; carried are 2019 to 2026"),
    ],
)
def test_what_a_unit_lacks_is_said(given: PowerUnit, year: int, message: str):
    with pytest.raises(Refused, match=message):
        unit_allowance(given, year, TABLES)


def test_a_factor_that_is_given_stands():
    assert unit_allowance(unit(correction="1.02"), 2021, TABLES).electricity_t == math.floor(
        3_000_000 * Fraction("0.8218") * Fraction("1.02")
    )


@pytest.mark.parametrize(
    ("intensity", "alpha"),
    [("0.78", "0.010714"), ("0.82", "0.003571"), ("0.86", "-0.003571"), ("1.05", "-0.03"), ("0.60", "0.03")],
)
def test_alpha_by_intensity(intensity: str, alpha: str):
    output = Fraction(1_000_000)
    emissions = output * Fraction(intensity)
    found = intensity_allowance(Sector.STEEL, 2025, emissions, output, Fraction("0.84"), TABLES)
    assert round(found.alpha, 6) == Fraction(alpha)
    assert found.allowance_t == math.floor(emissions * (1 + found.alpha))
    assert found.intensity == Fraction(intensity)


def test_in_2024_a_line_is_due_what_it_emitted():
    found = intensity_allowance(Sector.CEMENT, 2024, Fraction("1000.9"), None, None, TABLES)
    assert (found.allowance_t, found.alpha, found.deviation) == (1000, 0, None)


@pytest.mark.parametrize(
    ("year", "output", "balance", "message"),
    [
        (2025, None, "0.84", "output is needed"),
        (2025, "10", None, "balance value"),
        (2023, "10", "1", "no rule"),
    ],
)
def test_what_a_line_lacks_is_said(year: int, output: str | None, balance: str | None, message: str):
    with pytest.raises(Refused, match=message):
        intensity_allowance(
            Sector.ALUMINIUM,
            year,
            Fraction(10),
            None if output is None else Fraction(output),
            None if balance is None else Fraction(balance),
            TABLES,
        )


def test_a_forecast_follows_the_year_before():
    before: list[int | None] = [100 + day % 7 for day in range(365)]
    year: list[int | None] = [2 * (100 + day % 7) for day in range(200)]
    found = forecast(year, 365, before)
    assert found is not None
    assert found.way is Way.YEAR_BEFORE
    assert found.p50 == 2 * sum(each for each in before if each is not None)
    assert found.p10 <= found.p50 <= found.p90
    assert (found.known_days, found.days_left) == (200, 165)


def test_a_forecast_of_recent_days_and_of_a_whole_year():
    found = forecast([10, None, 10], 10, [])
    assert found is not None
    assert (found.way, found.p50, found.spread, found.days_left) == (Way.RECENT_DAYS, 100, None, 8)
    whole = forecast([5] * 365, 365, [])
    assert whole is not None
    assert (whole.p10, whole.p90, whole.way) == (1825, 1825, Way.NOTHING_LEFT)
    assert forecast([None] * 3, 365, [1] * 365) is None


@given(
    st.lists(st.none() | st.integers(0, 10**12), min_size=1, max_size=365),
    st.lists(st.none() | st.integers(0, 10**12), max_size=366),
)
def test_a_forecast_brackets_and_never_falls_below_what_is_emitted(
    year: list[int | None], before: list[int | None]
):
    found = forecast(year, 365, before)
    if found is None:
        assert all(each is None for each in year)
        return
    assert found.to_date <= found.p10 <= found.p50 <= found.p90
    assert found.days_left == 365 - sum(each is not None for each in year)


@pytest.mark.parametrize(
    ("sector", "gap", "today", "band", "raised"),
    [
        (Sector.POWER, 0, "2026-01-01", "none", False),
        (Sector.POWER, 1, "2026-01-01", "yellow", False),
        (Sector.POWER, 20, "2026-01-01", "yellow", False),
        (Sector.POWER, 21, "2026-01-01", "orange", False),
        (Sector.POWER, 51, "2026-01-01", "red", False),
        (Sector.STEEL, 16, "2026-01-01", "orange", False),
        (Sector.STEEL, 26, "2026-01-01", "red", False),
        (Sector.POWER, 1, "2026-11-02", "orange", True),
        (Sector.POWER, 1, "2026-11-01", "yellow", False),
        (Sector.POWER, 51, "2026-12-30", "red", False),
        (Sector.POWER, -5, "2026-12-30", "none", False),
    ],
)
def test_bands(sector: Sector, gap: int, today: str, band: str, raised: bool):
    found = warning(
        sector, 2025, Fraction(1000), Fraction(900 - gap), Fraction(100), date.fromisoformat(today), TABLES
    )
    assert (found.band, found.raised, found.gap_t) == (band, raised, gap)


def test_the_calendar():
    found = calendar(2025, Sector.POWER, TABLES)
    assert found == sorted(found, key=lambda due: due.day)
    days = {(due.event, due.period): due.day.isoformat() for due in found}
    assert days["monthly_evidence", "2025-12"] == "2026-02-09"
    assert days["monthly_evidence", "2025-01"] == "2025-03-12"
    assert days["report", "2025"] == "2026-03-31"
    assert days["verification", "2025"] == "2026-06-30"
    assert days["final_allocation", "2025"] == "2026-09-30"
    assert surrender_day(2025, Sector.CEMENT, TABLES) == date(2026, 12, 31)
    others = {due.event: due.day for due in calendar(2025, Sector.CEMENT, TABLES)}
    assert others["verification"] == date(2026, 7, 31)


def test_faults_of_the_tables_come_all_at_once(tmp_path: Path):
    for name, wrong, right in (
        ("benchmarks.csv", "2019,I,electricity,x", "2019,I,electricity,0.877"),
        ("rules.toml", 'form = "cube"', 'form = "power"'),
    ):
        text = (FOLDER / name).read_text("utf-8")
        assert right in text
        (tmp_path / name).write_text(text.replace(right, wrong, 1), "utf-8")
    with pytest.raises(FaultyDocument) as error:
        read_tables(tmp_path)
    text = str(error.value)
    assert "benchmarks.csv row 2" in text
    assert "cube" in text
