"""What a registry change touches: no more than the days that rest on it, and all of those."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting.due import affected_days, refactored_days
from accounting.factors.load import FOLDER, FactorLibrary, SourceFactor, load
from accounting.factors.read import read_tables
from accounting.source_entries import digest_of
from domain.interval import DAY_US, Calendar, parse_time
from domain.registry import Enterprise
from storage import registry
from tests.accounting.bed import REGISTER, USCC, Bed, Sent, enterprise
from tests.servers import Database, DatabaseServer

CALENDAR = Calendar()
COAL = {
    "id": "coal_t",
    "quantity": "coal",
    "kind": "delta",
    "unit": "t",
    "multiplier": "1",
    "resolution": "0.1",
    "period": "P1D",
    "valid_from": "2022-12-01T00:00:00+08:00",
}
GIVEN = [
    {"name": "carbon_content", "value": "0.0261", "unit": "tC/GJ"},
    {"name": "oxidation_rate", "value": "0.93"},
    {"name": "ncv", "value": "20.1", "unit": "GJ/t"},
]
DAYS = ["2022-12-20", "2023-01-01", "2023-01-15", "2023-02-01", "2023-02-20", "2023-03-31"]


def plant(
    parameters: list[dict[str, Any]], sources: list[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    boiler = {
        "id": "boiler",
        "method": "fuel_combustion",
        "fuel": "bituminous_coal",
        "expression": "C-01/coal_t",
        "parameters": [*GIVEN, *parameters],
    }
    return enterprise({"C-01": [COAL], "C-02": [COAL]}, [boiler, *sources], **more)


def ncv(value: str, day: str) -> dict[str, Any]:
    return {"name": "ncv", "value": value, "unit": "GJ/t", "from": day}


def day(text: str) -> int:
    us = parse_time(f"{text}T00:00:00+08:00")
    assert us is not None
    return CALENDAR.day(us)


def registered(database: Database, *documents: dict[str, Any]) -> list[Enterprise]:
    result = []
    with database.connect() as conn:
        for document in documents:
            Bed(conn).register(document)
            result.append(registry.load(conn).enterprises[USCC])
            conn.commit()
    return result


def affected(before: Enterprise, after: Enterprise) -> list[tuple[int, int]]:
    found = affected_days(
        before, after, after.sources["boiler"], day("2022-12-01"), day("2023-06-01"), load(), CALENDAR
    )
    return list(found)


def test_a_parameter_touches_the_days_until_the_next_one(plain_database: Database) -> None:
    march = ncv("21.5", "2023-03-01")
    before, later, between = registered(
        plain_database,
        plant([march]),
        plant([march, ncv("20.7", "2023-02-01")]),
        plant([ncv("21.6", "2023-03-01")]),
    )
    assert affected(before, before) == []
    assert affected(before, later) == [(day("2023-02-01"), day("2023-03-01"))]
    assert affected(later, between) == [(day("2023-03-01"), day("2023-06-01"))]


def test_a_name_touches_nothing_and_an_edition_what_it_decides(plain_database: Database) -> None:
    before, named, other = registered(
        plain_database,
        plant([]),
        plant([], name_en="Test Steel Works"),
        plant([], edition=[{"value": "gbt-32151", "from": "2023-02-20"}]),
    )
    assert affected(before, named) == []
    assert affected(named, other) == [(day("2023-02-20"), day("2023-06-01"))]


def test_another_factor_set_touches_the_days_that_stand_on_other_factors(
    plain_database: Database, tmp_path: Path
) -> None:
    shutil.copytree(FOLDER, tmp_path / "factors")
    (tmp_path / "factors" / "grid" / "average_2023.csv").unlink()
    older = FactorLibrary(read_tables(tmp_path / "factors", load().methods), load().methods)
    grid = {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}
    (owner,) = registered(plain_database, enterprise({"E-01": [REGISTER]}, [grid]))
    source = owner.sources["grid"]
    first, end = day("2022-12-25"), day("2023-01-10")
    used: dict[str, int] = {}

    def id_of(factor: SourceFactor) -> int:
        return used.setdefault(digest_of(factor), len(used) + 1)

    standing = {
        each: frozenset(
            id_of(factor) for factor in older.source_factors(owner, source, "kWh", each, CALENDAR)
        )
        for each in range(first, end)
    }

    def touched(library: FactorLibrary) -> list[int]:
        return list(
            refactored_days(
                owner,
                source,
                first,
                end,
                standing,
                lambda factor: used.get(digest_of(factor)),
                library,
                CALENDAR,
            )
        )

    assert touched(older) == []
    assert touched(load()) == list(range(day("2023-01-01"), end))
    del standing[day("2022-12-30")]
    assert touched(older) == [day("2022-12-30")]


changes = st.one_of(
    st.builds(
        lambda value, when: plant([ncv(value, when)]),
        st.sampled_from(["19.9", "20.1", "20.8"]),
        st.sampled_from(DAYS),
    ),
    st.builds(
        lambda expression, when: plant(
            [],
            [
                {
                    "id": "boiler",
                    "method": "fuel_combustion",
                    "fuel": "bituminous_coal",
                    "expression": expression,
                    "from": when,
                }
            ],
        ),
        st.sampled_from(["C-01/coal_t", "C-01/coal_t + C-02/coal_t", "C-02/coal_t"]),
        st.sampled_from(DAYS),
    ),
    st.builds(
        lambda edition, when: plant([], edition=[{"value": edition, "from": when}]),
        st.sampled_from(["gbt-32151", "ndrc-2013"]),
        st.sampled_from(DAYS),
    ),
    st.just(plant([], name_en="Another Name")),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(changes, st.booleans()), min_size=1, max_size=5))
def test_what_is_left_out_would_not_have_changed(
    plain_server: DatabaseServer, steps: list[tuple[dict[str, Any], bool]]
) -> None:
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(plant([]))
        start = parse_time("2022-12-15T00:00:00+08:00")
        assert start is not None
        for point in ("C-01/coal_t", "C-02/coal_t"):
            bed.store([Sent(start + number * DAY_US, 7 + number % 5, point) for number in range(110)])
        bed.tick()
        assert bed.accountant is not None
        for document, ticks in steps:
            bed.register(document)
            if ticks:
                bed.tick()
        bed.tick()
        result = bed.rehearse()
        assert (result.entries, result.superseded) == (0, 0)
