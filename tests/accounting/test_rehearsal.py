"""A rehearsal tells what then happens, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounting.channel import Rules
from accounting.differences import Way
from accounting.due import Works, add_factors, all_of
from accounting.factors.load import FOLDER, FactorLibrary, load
from accounting.factors.read import read_tables
from accounting.run import Accountant, Restated
from accounting.work import Cause
from carbonmeter.restatement import planned_works
from domain.errors import Refused
from domain.registry import Registry
from storage import registry as registry_storage
from tests.accounting.bed import REGISTER, T0, USCC, Bed, Sent, enterprise, one_register
from tests.accounting.test_engine import quarter_hours
from tests.servers import Database

CAUSE = Cause("rules", None, "tester", "rehearsal")
TABLES = (
    "ledger_days",
    "ledger_months",
    "ledger_history",
    "consumption_days",
    "consumption_history",
    "runs",
    "causes",
    "used_factors",
    "cursors",
    "registry_items",
    "gateway_tallies",
)


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        yield Bed(conn)


def state(bed: Bed) -> list[Any]:
    rows = [bed.conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in TABLES]
    bed.conn.commit()
    return rows


def rehearse_document(bed: Bed, *enterprises: dict[str, Any]) -> Restated:
    assert bed.accountant is not None

    def works(registry: Registry) -> Works:
        planned = registry_storage.check_document(bed.conn, {"enterprises": list(enterprises)})
        return planned_works(bed.conn, registry, planned, load(), CAUSE._replace(kind="registry"))

    return bed.accountant.rehearse(works)


def ledger_mg(bed: Bed) -> int:
    total = sum(entry[1] for entry in bed.ledger().values())
    bed.conn.commit()
    return total


def history_mg(bed: Bed) -> int:
    row = bed.conn.execute(
        "SELECT coalesce(sum(each), 0)::bigint FROM ledger_history, unnest(mg) AS each WHERE series = 0"
    ).fetchone()
    bed.conn.commit()
    assert row is not None
    return int(row[0])


def test_a_multiplier_before_its_import(bed: Bed) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = state(bed)
    told = rehearse_document(bed, one_register(multiplier="40"))
    assert state(bed) == before
    (each,) = told.differences.by_source.values()
    assert list(told.differences.by_source) == [(USCC, "grid", 0)]
    assert (each.before_mg, each.after_mg) == (200 * 4976, 8000 * 4976)
    assert (each.entries, each.superseded, each.last - each.first) == (2, 2, 1)
    assert list(each.ways) == [Way.AMOUNT]
    assert list(each.causes) == [("registry", "tester", "rehearsal")]
    bed.register(one_register(multiplier="40"))
    bed.tick()
    assert ledger_mg(bed) == each.after_mg
    assert history_mg(bed) == each.before_mg
    assert bed.rehearse().entries == 0


def test_what_isnt_registered_yet_can_be_rehearsed(bed: Bed) -> None:
    bed.register(enterprise({"E-01": [REGISTER]}))
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = state(bed)
    new_source = {"id": "bought", "method": "purchased_electricity", "expression": "E-01/kwh"}
    document = enterprise({"E-01": [REGISTER], "E-09": [REGISTER]}, [new_source])
    told = rehearse_document(bed, document)
    assert state(bed) == before
    (each,) = told.differences.by_source.values()
    assert (each.before_mg, each.after_mg, list(each.ways)) == (0, 200 * 4976, [Way.NEW])
    bed.register(document)
    bed.tick()
    assert ledger_mg(bed) == each.after_mg


def test_a_factor_set_before_it_is_adopted(bed: Bed, tmp_path: Path) -> None:
    older = tmp_path / "factors"
    shutil.copytree(FOLDER, older)
    (older / "grid" / "average_2023.csv").unlink()
    methods = load().methods
    bed.accountant = Accountant(bed.conn, FactorLibrary(read_tables(older, methods), methods), Rules())
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = state(bed)

    def works(registry: Registry) -> Works:
        result: Works = {}
        add_factors(result, registry.enterprises.values(), CAUSE._replace(kind="factors"), load())
        return result

    told = Accountant(bed.conn, load(), Rules()).rehearse(works)
    assert state(bed) == before
    (each,) = told.differences.by_source.values()
    assert (each.before_mg, each.after_mg, list(each.ways)) == (200 * 4900, 200 * 4976, [Way.FACTOR])
    ((old, new),) = each.factors
    values = [told.descriptions[id_]["factors"][0]["value"] for id_ in (old, new)]
    assert values == ["0.4900", "0.4976"]
    bed.accountant = Accountant(bed.conn, load(), Rules())
    bed.tick()
    assert (ledger_mg(bed), history_mg(bed)) == (each.after_mg, each.before_mg)
    assert bed.rehearse().entries == 0


def test_other_rules_of_some_days_or_enterprises(bed: Bed) -> None:
    bed.register(one_register())
    # a fall that is a lie if what comes within the look-ahead says so, else a reset
    fall = [Sent(T0, 5000), Sent(T0 + 900_000_000, 100), Sent(T0 + 8 * 900_000_000, 5001)]
    bed.store(fall)
    bed.tick()
    accountant = Accountant(bed.conn, load(), Rules(look_ahead_us=3_600_000_000))
    whole = accountant.rehearse(lambda registry: all_of(registry.enterprises.values(), CAUSE))
    assert whole.entries > 0
    day = bed.calendar.day(T0)
    for more, entries in (
        ({"usccs": [USCC]}, whole.entries),
        ({"days": (day + 1, day + 2)}, 0),
        ({"days": (day, day + 1)}, whole.entries),
    ):
        some = accountant.rehearse(lambda registry: all_of(registry.enterprises.values(), CAUSE), **more)
        assert some.entries == entries
    with pytest.raises(Refused, match="no enterprise 91430304XT0000022B is registered"):
        accountant.rehearse(
            lambda registry: all_of(registry.enterprises.values(), CAUSE), usccs=["91430304XT0000022B"]
        )
    kept = accountant.restate(CAUSE)
    assert (kept.entries, kept.superseded) == (whole.entries, whole.superseded)
    assert {name: each.mg for name, each in kept.differences.by_source.items()} == {
        name: each.mg for name, each in whole.differences.by_source.items()
    }


def test_a_rehearsal_holds_nobody_up(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    with plain_database.connect() as other:
        also = Bed(other)

        def works(registry: Registry) -> Works:
            also.store(quarter_hours([103], first=3))
            also.tick()  # would wait for ever if the rehearsal held its books
            return all_of(registry.enterprises.values(), CAUSE)

        assert bed.accountant is not None
        assert bed.accountant.rehearse(works).entries == 0
