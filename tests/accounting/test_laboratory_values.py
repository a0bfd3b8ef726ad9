"""Monthly laboratory values: the guideline's default until they arrive, then a restatement of their months."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from domain.interval import DAY_US, INTERVALS_PER_DAY, Calendar, parse_time
from domain.reading import round_half_even
from tests.accounting.bed import Bed, Sent, enterprise
from tests.servers import Database

CALENDAR = Calendar()
SINCE = "2023-01-01T00:00:00+08:00"
COAL = {
    "id": "t", "quantity": "coal", "kind": "delta", "unit": "t", "multiplier": "1", "resolution": "0.001",
    "period": "P1D", "valid_from": SINCE,
}  # fmt: skip
# bituminous coal of the steel guideline's table
DEFAULT_NCV, CARBON, OXIDATION = Fraction("19.570"), Fraction("0.02618"), Fraction("0.93")
DAYS = (31, 28, 31)
MG_PER_TONNE = 1_000_000_000


def works(*parameters: tuple[str, str, str]) -> dict[str, Any]:
    """Coal with laboratory values: (name, value, first day)."""
    source = {"id": "coal", "method": "fuel_combustion", "fuel": "bituminous_coal", "expression": "C-01/t"}
    lab = [
        {"name": name, "value": value, "from": day, "origin": "measured", "reference": f"report {day}"}
        for name, value, day in parameters
    ]
    return enterprise({"C-01": [COAL]}, [{**source, "parameters": lab}])


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    """Three months, 10.001 t, 10.002 t … a day; no laboratory value yet."""
    with plain_database.connect() as conn:
        bed = Bed(conn)
        bed.register(works())
        start = parse_time(SINCE)
        assert start is not None
        bed.store([Sent(start + (k + 1) * DAY_US, f"10.{k + 1:03d}", "C-01/t") for k in range(sum(DAYS))])
        bed.tick()
        yield bed


def expected(months: list[Fraction]) -> list[int]:
    """mg by month, each entry rounded once: a day's amount is split over its intervals, the earliest have the rest."""
    result, day = [], 0
    for ncv, length in zip(months, DAYS, strict=True):
        factor = ncv * CARBON * OXIDATION * Fraction(44, 12) * MG_PER_TONNE / 1000
        mg = 0
        for kilograms in range(10_001 + day, 10_001 + day + length):
            share, rest = divmod(kilograms, INTERVALS_PER_DAY)
            for part, times in ((share + 1, rest), (share, INTERVALS_PER_DAY - rest)):
                product = part * factor
                mg += times * round_half_even(product.numerator, product.denominator)
        result.append(mg)
        day += length
    return result


def months(bed: Bed) -> list[int]:
    return [row[3] for row in bed.months() if row[2] == 0]


def test_defaults_stand_until_values_arrive_and_their_months_are_restated(bed: Bed) -> None:
    assert months(bed) == expected([DEFAULT_NCV] * 3)
    february = CALENDAR.month_start(CALENDAR.day(parse_time("2023-02-01T00:00:00+08:00") or 0))

    bed.register(works(("ncv", "20.15", "2023-02-01")), why="laboratory, February")
    bed.tick()
    assert months(bed) == expected([DEFAULT_NCV, Fraction("20.15"), Fraction("20.15")])
    rows = bed.conn.execute("SELECT DISTINCT day FROM ledger_history ORDER BY 1").fetchall()
    assert [day for (day,) in rows] == list(range(february, february + DAYS[1] + DAYS[2]))

    bed.register(
        works(("ncv", "20.15", "2023-02-01"), ("ncv", "18.9", "2023-03-01")), why="laboratory, March"
    )
    bed.tick()
    assert months(bed) == expected([DEFAULT_NCV, Fraction("20.15"), Fraction("18.9")])
    (kind, by, why) = (
        bed.conn.execute("SELECT kind, by_whom, why FROM causes ORDER BY id DESC LIMIT 1").fetchone() or ()
    )
    assert (kind, by) == ("registry", "tester")
    assert "laboratory, March" in why


def test_a_corrected_value_restates_its_own_month_only(bed: Bed) -> None:
    values = [("ncv", "20.15", "2023-02-01"), ("ncv", "18.9", "2023-03-01")]
    bed.register(works(*values))
    bed.tick()
    before = bed.conn.execute("SELECT count(*) FROM ledger_history").fetchone()
    bed.register(works(("ncv", "20.51", "2023-02-01"), values[1]), why="the laboratory corrects")
    bed.tick()
    assert months(bed) == expected([DEFAULT_NCV, Fraction("20.51"), Fraction("18.9")])
    after = bed.conn.execute("SELECT count(*) FROM ledger_history").fetchone()
    assert before is not None
    assert after is not None
    assert after[0] - before[0] == DAYS[1]
