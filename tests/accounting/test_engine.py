"""The engine over a real database: entries, restatement, history, the same ledger by any way of arrival."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounting.work import Cause
from domain.interval import INTERVAL_US
from domain.reading import Flag, Quality, pack
from tests.accounting.bed import REGISTER, T0, Bed, Sent, enterprise, one_register
from tests.servers import Database

MEASURED = pack(Quality.MEASURED, 0)
MG_PER_COUNT = 4976  # 0.4976 tCO2/MWh, Hunan 2023, for 0.01 kWh


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        yield Bed(conn)


def quarter_hours(values: list[float], first: int = 0, **more) -> list[Sent]:
    return [Sent(T0 + (first + i) * INTERVAL_US, value, **more) for i, value in enumerate(values)]


def test_a_register_becomes_consumption_and_milligrams(bed: Bed) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101.25, 101.25, 103.5]))
    bed.tick()
    assert bed.consumption() == {
        ("E-01/kwh", 0): (125, -2, MEASURED),
        ("E-01/kwh", 1): (0, -2, MEASURED),
        ("E-01/kwh", 2): (225, -2, MEASURED),
    }
    amounts = [entry[1] for entry in bed.ledger().values() if entry]
    assert amounts[:3] == [125 * MG_PER_COUNT, 0, 225 * MG_PER_COUNT]
    (month,) = bed.months()
    assert 350 * MG_PER_COUNT in month


def test_what_is_accounted_tick_by_tick_is_what_is_accounted_at_once(bed: Bed, plain_server) -> None:
    readings = quarter_hours([100 + i * 0.37 for i in range(300)])
    bed.register(one_register())
    for start in range(0, 300, 7):
        bed.store(readings[start : start + 7])
        bed.tick()
    with plain_server.database() as other, other.connect() as conn:
        at_once = Bed(conn)
        at_once.register(one_register())
        at_once.store(list(reversed(readings)))
        at_once.tick()
        assert at_once.ledger() == bed.ledger()
        assert at_once.consumption() == bed.consumption()
        assert len(bed.ledger()) == 299


def test_a_late_reading_restates_and_the_past_stays_readable(bed: Bed) -> None:
    bed.register(one_register())
    readings = quarter_hours([100, 101, 102, 103, 104])
    bed.store([reading for i, reading in enumerate(readings) if i != 2])
    bed.tick()
    before = bed.consumption()
    assert before["E-01/kwh", 1][2] == pack(Quality.INTERPOLATED, 0)
    bed.store([Sent(readings[2].at_us, 102.6)])
    bed.tick()
    after = bed.consumption()
    assert after["E-01/kwh", 1] == (160, -2, MEASURED)
    assert after["E-01/kwh", 2] == (40, -2, MEASURED)
    history = bed.conn.execute("SELECT indexes, mg, run_ids FROM ledger_history").fetchall()
    assert history == [([1, 2], [100 * MG_PER_COUNT] * 2, [1, 1])]
    causes = bed.conn.execute("SELECT kind, by_whom FROM causes ORDER BY id").fetchall()
    assert causes[-1] == ("arrival", "91430302XT0000014K/gw1")


def test_repeats_change_nothing_but_the_tally(bed: Bed) -> None:
    bed.register(one_register())
    readings = quarter_hours([100, 101, 102])
    bed.store(readings)
    bed.tick()
    before = bed.ledger()
    bed.store([*readings, Sent(readings[0].at_us, 100, gateway="gw2")])
    bed.tick()
    assert bed.ledger() == before
    tallies = bed.conn.execute(
        "SELECT g.gateway, t.duplicates, t.conflicts FROM gateway_tallies t JOIN gateways g ON g.id = t.gateway_id"
        " ORDER BY 1"
    ).fetchall()
    assert tallies == [("gw1", 3, 0), ("gw2", 1, 0)]


def test_a_conflict_lets_neither_stand_until_a_higher_revision_comes(bed: Bed) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    bed.store([Sent(T0 + INTERVAL_US, 101.5)])
    bed.tick()
    states = [bed.consumption()["E-01/kwh", i] for i in (0, 1)]
    assert states == [(100, -2, pack(Quality.INTERPOLATED, Flag.CONFLICT))] * 2
    bed.store([Sent(T0 + INTERVAL_US, 101.5, revision=1)])
    bed.tick()
    assert [bed.consumption()["E-01/kwh", i] for i in (0, 1)] == [(150, -2, MEASURED), (50, -2, MEASURED)]
    assert bed.conn.execute("SELECT sum(conflicts) FROM gateway_tallies").fetchone() == (0,)


def test_a_registry_change_restates_with_its_author_and_reason(bed: Bed) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    bed.register(one_register(multiplier="40"), why="CT ratio was wrong")
    bed.tick()
    assert bed.consumption()["E-01/kwh", 0] == (400, -1, MEASURED)
    assert [entry[1] for entry in bed.ledger().values() if entry[0] == "400e-1"] != []
    cause = bed.conn.execute("SELECT kind, by_whom, why FROM causes ORDER BY id DESC LIMIT 1").fetchone()
    assert cause == ("registry", "tester", "CT ratio was wrong")
    history = bed.conn.execute(
        "SELECT sum(cardinality(indexes)) FROM ledger_history WHERE series = 0"
    ).fetchone()
    assert history == (2,)


def test_a_sum_over_meters_needs_all_of_its_valid_parts(bed: Bed) -> None:
    later = {**REGISTER, "valid_from": "2023-03-01T00:30:00+08:00"}
    bed.register(
        enterprise(
            {"E-01": [REGISTER], "E-02": [later]},
            [{"id": "net", "method": "purchased_electricity", "expression": "E-01/kwh - E-02/kwh"}],
        )
    )
    bed.store(quarter_hours([0, 10, 20, 30, 40]))
    bed.store(quarter_hours([0, 3], first=2, point="E-02/kwh"))
    bed.tick()
    amounts = [entry[0] for key, entry in bed.ledger().items() if key[2] == 0]
    # before E-02 is valid it isn't a part; while it is and known it is subtracted; then it is missing
    assert amounts == ["1000e-2", "1000e-2", "700e-2"]


def test_restating_changes_nothing_where_nothing_is_to_change(bed: Bed) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100 + i for i in range(200)]))
    bed.tick()
    assert bed.accountant is not None
    result = bed.rehearse()
    assert (result.entries, result.superseded) == (0, 0)


def test_a_derived_channel_is_as_late_as_its_inputs_and_is_not_written_again_for_it(bed: Bed) -> None:
    rate = {"kind": "rate", "multiplier": "1", "max_gap": "PT1H", "valid_from": REGISTER["valid_from"]}
    bed.register(
        enterprise(
            {
                "W-01": [
                    {**rate, "id": "flow", "quantity": "wastewater", "unit": "m3/h", "resolution": "0.1"},
                    {**rate, "id": "cod", "quantity": "concentration", "unit": "mg/m3", "resolution": "1"},
                ]
            },
            derived=[
                {
                    "id": "W-01/cod_kg",
                    "function": "product",
                    "inputs": {"flow": "W-01/flow", "content": "W-01/cod"},
                    "unit": "kg",
                }
            ],
        )
    )
    bed.store(quarter_hours([80.0] * 4, point="W-01/flow"))  # committed years after: late
    bed.store(quarter_hours([250] * 4, point="W-01/cod"))
    bed.tick()
    stored = """SELECT states[1:3], amounts[1:3] FROM consumption_days JOIN points ON id = channel_id
                WHERE channel = 'cod_kg'"""
    assert bed.conn.execute(stored).fetchall() == [([pack(Quality.MEASURED, Flag.LATE)] * 3, [5000] * 3)]
    bed.store(quarter_hours([80.0] * 4, point="W-01/flow"))  # the same again
    bed.tick()
    assert bed.accountant is not None
    bed.accountant.restate(Cause("rules", None, "tester", "again"))
    assert bed.conn.execute("SELECT count(*) FROM consumption_history").fetchone() == (0,)
