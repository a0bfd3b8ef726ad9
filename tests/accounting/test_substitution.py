"""Substitution rules: what fills a gap of amounts, what stands in for a laboratory value, and that it says so."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.factors.load import load as load_library
from accounting.rows import bridged
from accounting.substitution import SUBSTITUTED, affected, fill_gaps, fill_months, reach
from carbonmeter.catalogue import FactorCatalogue
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.reading import Flag, Quality, pack
from tests.accounting.bed import REGISTER, T0, Bed, Sent, enterprise
from tests.domain.documents import faults
from tests.servers import Database, DatabaseServer

CALENDAR = Calendar()
RULES = load_library().tables.substitutions
GAP_MEAN, HIGHEST_MONTH = RULES["gap_mean_7d"], RULES["electricity_highest_month"]
MEASURED = pack(Quality.MEASURED, 0)
FILLED = pack(Quality.ESTIMATED, int(Flag.SUBSTITUTED))
DAY = INTERVALS_PER_DAY
MG_PER_KWH = 497_600  # 0.4976 tCO2/MWh, Hunan 2023
DELTA = {
    "id": "kwh", "quantity": "electricity_import", "kind": "delta", "unit": "kWh", "multiplier": "1",
    "resolution": "1", "period": "PT15M", "valid_from": "2023-01-01T00:00:00+08:00",
}  # fmt: skip


# -- the rule of gaps, against a slow twin written from its text ----------------------------------------


def twin(amounts: list[int | None], output: list[int | None] | None) -> list[int | Fraction | None]:
    """`gap_mean_7d`, amount by amount; an amount that is filled comes as a Fraction, not rounded."""
    filled: list[int | Fraction | None] = list(amounts)
    start = 0
    while start < len(amounts):
        if amounts[start] is not None:
            start += 1
            continue
        end = start
        while end < len(amounts) and amounts[end] is None:
            end += 1
        before = amounts[start - 1] if start else None
        after = amounts[end] if end < len(amounts) else None
        if before is not None and after is not None:
            if end - start <= 4:
                for k in range(start, end):
                    filled[k] = before + Fraction((after - before) * (k - start + 1), end - start + 1)
            elif end - start <= 96:
                days = []
                for back in range(1, 32):
                    hours = range(start - 96 * back, end - 96 * back)
                    if hours.start >= 0 and all(amounts[i] is not None for i in hours):
                        days.append(hours)
                if len(days) >= 7:
                    ratio = Fraction(1)
                    if output is not None and all(
                        output[i] is not None for hours in [range(start, end), *days[:7]] for i in hours
                    ):
                        usual = Fraction(sum(output[i] or 0 for hours in days[:7] for i in hours), 7)
                        if usual > 0:
                            ratio = sum(output[i] or 0 for i in range(start, end)) / usual
                    for k in range(start, end):
                        same = [amounts[hours[k - start]] or 0 for hours in days[:7]]
                        filled[k] = Fraction(sum(same), 7) * ratio
        start = end
    return filled


def run(amounts: list[int | None], output: list[int | None] | None = None) -> list[int | None]:
    values = np.array([amount or 0 for amount in amounts], np.int64)
    states = np.array([0 if amount is None else MEASURED for amount in amounts], np.int16)
    everywhere = np.ones(len(amounts), bool)
    product = None
    if output is not None:
        product = (np.array([each or 0 for each in output]), np.array([each is not None for each in output]))
    filled, new_states = fill_gaps(GAP_MEAN, values, states, everywhere, everywhere, product)
    new = (new_states != states).tolist()
    assert set(new_states[new].tolist()) <= {FILLED}
    assert not np.any(filled[~np.array(new)] != values[~np.array(new)])
    return [
        None if not state & 3 else value
        for value, state in zip(filled.tolist(), new_states.tolist(), strict=True)
    ]


def exactly(expected: list[int | Fraction | None]) -> list[int | None]:
    return [None if each is None else round(each) for each in expected]  # a fraction: half to even


@given(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 4000), st.sampled_from([1, 3, 4, 5, 40, 96, 97])), max_size=6),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_gaps_are_filled_as_the_text_says(
    days: int, holes: list[tuple[int, int]], random: Any, with_output: bool
) -> None:
    count = days * DAY + 7
    amounts: list[int | None] = [random.randrange(-50, 1000) for _ in range(count)]
    output: list[int | None] | None = [random.randrange(0, 9) for _ in range(count)] if with_output else None
    for place, size in holes:
        for i in range(min(place, count), min(place + size, count)):
            amounts[i] = None
        if output is not None and size == 1 and place < count:
            output[place] = None
    assert run(amounts, output) == exactly(twin(amounts, output))


def test_an_hour_is_a_straight_line_and_a_little_more_is_the_mean_of_seven_days() -> None:
    flat: list[int | None] = [100] * (8 * DAY)
    hour = flat[:-10] + [None] * 4 + [150] * 6
    assert run(hour)[-10:-6] == [110, 120, 130, 140]
    longer = flat[:-10] + [None] * 5 + [150] * 5
    assert run(longer)[-10:-5] == [100] * 5


@pytest.mark.parametrize(("length", "fills"), [(96, True), (97, False)])
def test_a_gap_longer_than_a_day_stays_missing(length: int, fills: bool) -> None:
    amounts: list[int | None] = [7] * (9 * DAY) + [None] * length + [7]
    assert (run(amounts)[-2] is not None) == fills


def test_output_scales_what_is_filled() -> None:
    amounts: list[int | None] = [80] * (8 * DAY) + [None] * 8 + [80]
    output: list[int | None] = [10] * (8 * DAY) + [5] * 8 + [10]
    assert run(amounts, output)[-9:] == [40] * 8 + [80]
    unknown = [*output[:-3], None, *output[-2:]]
    assert run(amounts, unknown)[-9:] == [80] * 9
    assert run(amounts, [0] * len(amounts))[-9:] == [80] * 9


def test_an_open_gap_and_one_before_the_first_value_stay_missing() -> None:
    assert run([None, 5, None]) == [None, 5, None]


def test_six_valid_days_are_not_enough() -> None:
    amounts: list[int | None] = [7] * (6 * DAY + 50) + [None] * 5 + [7]
    assert run(amounts)[-3] is None


# -- the rule of months ---------------------------------------------------------------------------------


def year_of(
    monthly: dict[int, int], days_missing: dict[int, range], months: int = 14
) -> tuple[Any, Any, int]:
    """2023, each quarter-hour of a month with the same amount, and days of the year that are missing."""
    first = CALENDAR.day_of(CALENDAR.date(CALENDAR.day(T0)).replace(month=1, day=1))
    end = CALENDAR.month_start(first, months)
    amounts, states = [], []
    for day in range(first, end):
        month = (CALENDAR.date(day).year - 2023) * 12 + CALENDAR.date(day).month
        missing = CALENDAR.date(day).day in days_missing.get(month, range(0))
        amounts += [0 if missing else monthly.get(month, 1)] * DAY
        states += [0 if missing else MEASURED] * DAY
    return np.array(amounts, np.int64), np.array(states, np.int16), first


def month_sum(amounts: Any, first: int, month: int) -> int:
    begin, end = (CALENDAR.month_start(first, each) - first for each in (month - 1, month))
    return int(amounts[begin * DAY : end * DAY].sum())


def test_a_missing_month_is_the_highest_of_the_year() -> None:
    amounts, states, first = year_of({3: 9, 5: 4}, {2: range(1, 32)})
    filled, new_states = fill_months(amounts, states, np.ones(len(amounts), bool), first, CALENDAR)
    assert month_sum(filled, first, 2) == 9 * 31 * DAY == month_sum(filled, first, 3)
    assert np.array_equal(filled[states != 0], amounts[states != 0])
    assert set(new_states[states == 0].tolist()) == {FILLED}


def test_a_part_of_a_month_gets_its_part_and_what_is_open_nothing() -> None:
    amounts, states, first = year_of(
        {3: 9}, {4: range(10, 20), 12: range(20, 32), 13: range(1, 32), 14: range(1, 32)}
    )
    filled, new_states = fill_months(amounts, states, np.ones(len(amounts), bool), first, CALENDAR)
    april = month_sum(filled, first, 4) - month_sum(amounts, first, 4)
    assert april == 9 * 31 * DAY * 10 // 30
    december = slice(
        (CALENDAR.month_start(first, 11) - first) * DAY, (CALENDAR.month_start(first, 12) - first) * DAY
    )
    assert not new_states[december][19 * DAY :].any()  # nothing known comes after it until February


def test_without_a_complete_month_nothing_is_filled() -> None:
    amounts, states, first = year_of({}, {month: range(3, 4) for month in range(1, 13)})
    filled, new_states = fill_months(amounts, states, np.ones(len(amounts), bool), first, CALENDAR)
    assert np.array_equal(filled, amounts)
    assert np.array_equal(new_states, states)


# -- how far a change reaches ---------------------------------------------------------------------------


@given(st.lists(st.integers(19_000, 20_500), min_size=1, max_size=3), st.integers(19_000, 20_500))
def test_days_that_a_change_affects_are_those_that_look_at_it(changed: list[int], day: int) -> None:
    for rule in (GAP_MEAN, HIGHEST_MONTH):
        first, end = reach([rule], day, day + 1, CALENDAR)
        days = affected([rule], np.array(changed), CALENDAR)
        if any(first <= each < end for each in changed):
            assert day in days
    assert affected([], np.array(changed), CALENDAR).tolist() == sorted(set(changed))


# -- in the ledger --------------------------------------------------------------------------------------


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        yield Bed(conn)


def grid(substitution: str | None, **more: Any) -> dict[str, Any]:
    source = {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh", **more}
    return source if substitution is None else {**source, "substitution": substitution}


def deltas(first: int, values: list[int | None], point: str = "E-01/kwh") -> list[Sent]:
    """Values of quarter-hours from the `first` after T0 on; None: none was sent."""
    return [
        Sent(T0 + (first + i + 1) * INTERVAL_US, value, point)
        for i, value in enumerate(values)
        if value is not None
    ]


def entries(bed: Bed, first: int, end: int) -> list[tuple[int, int]]:
    """(mg, state) of the source's intervals counted from T0; (0, 0) where missing."""
    day = CALENDAR.day(T0)
    found = {((d - day) * DAY + i): (mg, state) for (_, d, _, i), (_, mg, state, _) in bed.ledger().items()}
    return [found.get(i, (0, 0)) for i in range(first, end)]


def test_a_gap_is_filled_in_the_ledger_alone_and_taken_back_when_the_readings_come(bed: Bed) -> None:
    bed.register(enterprise({"E-01": [DELTA]}, [grid("gap_mean_7d")]))
    bed.store(deltas(0, [40] * (8 * DAY)))
    bed.store(deltas(8 * DAY, [None] * 8 + [40]))
    bed.tick()
    gap = range(8 * DAY, 8 * DAY + 8)
    assert entries(bed, gap.start, gap.stop) == [(40 * MG_PER_KWH, FILLED)] * 8
    assert not any(number in gap for _, number in bed.consumption())  # consumption is never substituted
    (months,) = [row for row in bed.months() if row[2] == 0]
    assert months[4] == 8 * DAY + 9
    substituted = bed.conn.execute("SELECT sum(substituted) FROM ledger_months WHERE series = 0").fetchone()
    assert substituted == (8,)
    bed.store(deltas(gap.start, [3] * 8))
    bed.tick()
    assert entries(bed, gap.start, gap.stop) == [(3 * MG_PER_KWH, MEASURED)] * 8


def test_a_day_that_changes_later_restates_the_gaps_filled_by_it(bed: Bed) -> None:
    bed.register(enterprise({"E-01": [DELTA]}, [grid("gap_mean_7d")]))
    bed.store(deltas(DAY, [40] * (7 * DAY) + [None] * 8 + [40]))
    bed.tick()
    first = 8 * DAY
    assert entries(bed, first, first + 8) == [(40 * MG_PER_KWH, FILLED)] * 8
    bed.store([Sent(T0 + (DAY + 3) * INTERVAL_US, 110, revision=1)])
    bed.tick()
    assert entries(bed, first + 2, first + 3) == [(50 * MG_PER_KWH, FILLED)]


def _year(bed: Bed, steps: list[list[Sent]], each: bool) -> list[tuple[Any, ...]]:
    """The ledger and its months after the readings of these steps, with a tick after `each`."""
    for step in steps:
        bed.store(step)
        if each:
            bed.tick()
    bed.tick()
    return [*bed.ledger().items(), *bed.months()]


MONTH_SPANS = st.tuples(st.integers(0, 120), st.integers(1, 40), st.integers(1, 60), st.integers(0, 1))


@settings(max_examples=8)
@given(st.lists(MONTH_SPANS, min_size=2, max_size=5))
def test_the_highest_month_in_ticks_gives_what_all_at_once_gives(
    plain_server: DatabaseServer, spans: list[tuple[int, int, int, int]]
) -> None:
    """Days in any order, with gaps that close and months that grow: (first day, days, value, revision)."""
    steps = [
        [
            Sent(T0 + (day + 1) * DAY * INTERVAL_US, value, revision=revision)
            for day in range(first, first + days)
        ]
        for first, days, value, revision in spans
    ]
    channel = {**DELTA, "period": "P1D"}
    answers = []
    for each in (False, True):
        with plain_server.database() as database, database.connect() as conn:
            bed = Bed(conn)
            bed.register(enterprise({"E-01": [channel]}, [grid("electricity_highest_month")]))
            answers.append(_year(bed, steps, each))
    assert answers[0] == answers[1]


def test_days_that_lack_nothing_are_left_alone_by_the_rest_of_their_year(bed: Bed) -> None:
    """The highest month's amount fills the others' gaps; that it grows changes these, and no other day is written."""
    channel = {**DELTA, "period": "P1D", "valid_from": "2023-03-01T00:00:00+08:00"}
    bed.register(enterprise({"E-01": [channel]}, [grid("electricity_highest_month")]))
    gap = 40  # in April, which is then no whole month
    stamps = {day: T0 + (day + 1) * DAY * INTERVAL_US for day in range(62)}
    bed.store([Sent(at, 96) for day, at in stamps.items() if day != gap])
    bed.tick()
    filled = sum(mg for mg, _ in entries(bed, gap * DAY, (gap + 1) * DAY))
    assert filled > DAY * MG_PER_KWH  # March has 31 days, April 30
    bed.store([Sent(stamps[3], 96 * 32, revision=1)])  # all of March is twice as much
    bed.tick()
    assert sum(mg for mg, _ in entries(bed, gap * DAY, (gap + 1) * DAY)) == 2 * filled
    written = bed.conn.execute(
        "SELECT DISTINCT day FROM ledger_days WHERE (SELECT max(id) FROM runs) = ANY (run_ids) ORDER BY 1"
    ).fetchall()
    assert [day - CALENDAR.day(T0) for (day,) in written] == [3, gap]


def test_stretches_are_bridged_where_their_gaps_are_shortest() -> None:
    days = np.array([1, 2, 4, 9, 10, 30])
    assert bridged(days, 4).tolist() == days.tolist()
    assert bridged(days, 3).tolist() == [1, 2, 3, 4, 9, 10, 30]
    assert bridged(days, 2).tolist() == [*range(1, 11), 30]
    assert bridged(days, 1).tolist() == list(range(1, 31))


def test_registers_and_sources_without_a_rule_stay_missing(bed: Bed) -> None:
    bed.register(enterprise({"E-01": [DELTA], "E-02": [REGISTER]}, [grid(None)]))
    bed.store(deltas(0, [40] * (8 * DAY) + [None] * 8 + [40]))
    bed.tick()
    assert entries(bed, 8 * DAY, 8 * DAY + 8) == [(0, 0)] * 8


def test_a_change_of_the_product_restates_what_its_output_scales(bed: Bed) -> None:
    output = {**DELTA, "id": "t", "quantity": "product", "unit": "t"}
    meters = {"E-01": [DELTA], "P-01": [output]}
    bed.register(enterprise(meters, [grid("gap_mean_7d")]))
    bed.store(
        deltas(0, [40] * (8 * DAY) + [None] * 8 + [40]) + deltas(0, [10] * (8 * DAY) + [5] * 8, "P-01/t")
    )
    bed.tick()
    gap = (8 * DAY, 8 * DAY + 8)
    assert entries(bed, *gap) == [(40 * MG_PER_KWH, FILLED)] * 8
    product = {"id": "steel", "expression": "P-01/t", "unit": "t"}
    bed.register(enterprise(meters, [grid("gap_mean_7d")], products=[product]))
    bed.tick()
    assert entries(bed, *gap) == [(20 * MG_PER_KWH, FILLED)] * 8


def test_a_month_without_its_test_takes_the_rules_value_and_says_so(bed: Bed) -> None:
    coal = {**DELTA, "id": "t", "quantity": "coal", "unit": "t", "period": "P1D"}
    boiler = {
        "id": "boiler", "method": "fuel_combustion", "fuel": "bituminous_coal", "expression": "C-01/t",
        "substitution": "coal_ncv_default",
        "parameters": [
            {"name": "ncv", "value": "21", "unit": "GJ/t", "from": "2023-03-01", "origin": "measured"},
            {"name": "ncv", "value": "22", "unit": "GJ/t", "from": "2023-05-01", "origin": "measured"},
        ],
    }  # fmt: skip
    bed.register(enterprise({"C-01": [coal]}, [boiler]))
    bed.store([Sent(T0 + day * DAY * INTERVAL_US, 96, "C-01/t") for day in range(1, 93)])
    bed.tick()
    by_month: dict[int, set[tuple[int, int]]] = {}
    for (_, d, series, _), (_, mg, state, _) in bed.ledger().items():
        if series == 0:
            by_month.setdefault(CALENDAR.date(d).month, set()).add(
                (mg, state & 3 | state & int(Flag.SUBSTITUTED) << 2)
            )
    library = load_library()
    fuel = library.tables.fuels["ndrc-2013", "steel", "bituminous_coal"].values
    per_gj = fuel["carbon_content"].value * fuel["oxidation_rate"].value * Fraction(44, 12) * 10**9

    def entry(ncv: str) -> int:
        return round(Fraction(ncv) * per_gj)

    assert {mg for mg, _ in by_month[3]} == {entry("21")}
    assert by_month[4] == {(entry("26.7"), FILLED)}
    assert {mg for mg, _ in by_month[5]} == {entry("22")}
    assert not any(state & int(Flag.SUBSTITUTED) << 2 for month in (3, 5) for _, state in by_month[month])


def test_what_is_substituted_is_described_with_what_it_replaced() -> None:
    library = load_library()
    rule = library.tables.substitutions["coal_carbon_default"]
    assert rule.stand("carbon_content", "mee-2021", "coal").value == Fraction("0.03356")
    assert rule.stand("carbon_content", "mee-2022-12", "coal").value == Fraction("0.03085")
    assert rule.stand("carbon_content", "mee-2022-12", "unconventional_coal").confidence == "L"
    assert SUBSTITUTED == FILLED


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"method": "purchased_electricity", "expression": "E-02/kwh", "substitution": "gap_mean_7d"},
            "gap_mean_7d fills gaps of delta and rate channels",
        ),
        (
            {"method": "exported_electricity", "expression": "E-01/kwh", "substitution": "electricity_highest_month"},
            "electricity_highest_month fills electricity that is bought, which exported_electricity doesn't count",
        ),
        (
            {"method": "fuel_combustion", "fuel": "diesel", "expression": "C-01/t", "substitution": "coal_ncv_default"},
            "coal_ncv_default is for the combustion of coal and unconventional coal; this source burns 'diesel'",
        ),
        (
            {
                "method": "fuel_combustion", "fuel": "bituminous_coal", "expression": "C-01/t",
                "substitution": "fuel_table_default",
            },
            "fuel_table_default is for the combustion of oil and gas; this source burns 'bituminous_coal'",
        ),
    ],
)  # fmt: skip
def test_a_rule_without_effect_is_refused(source: dict[str, Any], message: str) -> None:
    coal = {**DELTA, "id": "t", "quantity": "coal", "unit": "t"}
    document = enterprise({"E-01": [DELTA], "E-02": [REGISTER], "C-01": [coal]}, [{"id": "s", **source}])
    found = faults({"enterprises": [document]}, catalogue=FactorCatalogue(load_library()))
    assert [fault for fault in found if message in fault]
