"""What was restated and why, and the difference of two states, by figures worked out by hand.

E-01 counts 0.01 kWh; Hunan's grid factor of 2023 is 0.4976 tCO2/MWh, of 2022 0.4900: 4,976 and 4,900 mg a count.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting.channel import Rules
from accounting.factors.load import FOLDER, FactorLibrary, load
from accounting.factors.read import read_tables
from accounting.run import Accountant
from accounting.work import Cause
from api import schemas
from storage import keys, registry
from storage.keys import Scope
from tests.accounting.bed import T0, USCC, Bed, Sent, enterprise, one_register
from tests.accounting.test_engine import quarter_hours
from tests.api.books import Books
from tests.api.conftest import City, client_of
from tests.servers import Database, DatabaseServer

RANGE = {"from": "2023-03-01T00:00:00+08:00", "to": "2023-03-02T00:00:00+08:00"}
QUARTER_US = 900_000_000


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        yield Bed(conn)


def moment(bed: Bed) -> str:
    """The moment after all that was committed, as a request says it."""
    row = bed.conn.execute("SELECT to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF')").fetchone()
    bed.conn.commit()
    assert row is not None
    return str(row[0]) + ":00"


class Asked:
    """The two routes, asked over the database as it stands."""

    def __init__(self, bed: Bed, database: Database) -> None:
        with database.connect() as conn:
            self._key = keys.create(conn, [Scope.EMISSIONS_READ], [], "")[0]
            conn.commit()
        self._city = City(database, registry.load(bed.conn), Books(bed.conn))
        bed.conn.commit()

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        with client_of(self._city, key=self._key) as client:
            return self._answer(client, path, {**RANGE, **parameters})

    def _answer(self, client: TestClient, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        response = client.get(f"/v1/enterprises/{USCC}/{path}", params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        shape = {"restatements": schemas.RestatementsPage, "difference": schemas.DifferencePage}.get(path)
        if shape is not None:
            shape.model_validate(answer)
        return answer

    def difference(self, as_of: str, **parameters: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get("difference", as_of=as_of, **parameters)["items"]
        for item in items:
            parts = [Decimal(cause["difference_kg"]) for cause in item["causes"]]
            assert sum(parts) == Decimal(item["difference_kg"])
            assert Decimal(item["after_kg"] or 0) - Decimal(item["before_kg"] or 0) == sum(parts)
            for cause in item["causes"]:
                assert sum(Decimal(way["difference_kg"]) for way in cause["ways"]) == Decimal(
                    cause["difference_kg"]
                )
                assert sum(way["entries"] for way in cause["ways"]) == cause["entries"]
        return items

    def total(self, as_of: str | None = None) -> str | None:
        more = {} if as_of is None else {"as_of": as_of}
        (item,) = self.get("emissions", granularity="day", **more)["items"]
        kg: str | None = item["co2e_kg"]
        return kg


def ways(part: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {way["way"]: (way["entries"], way["difference_kg"]) for way in part["ways"]}


def test_a_late_reading_restates_two_intervals_and_their_sum_stays(
    bed: Bed, plain_database: Database
) -> None:
    bed.register(one_register())
    readings = quarter_hours([100, 101, 102, 103])
    bed.store([reading for i, reading in enumerate(readings) if i != 2])
    bed.tick()
    before = moment(bed)
    bed.store([Sent(readings[2].at_us, 102.6)])
    bed.tick()
    asked = Asked(bed, plain_database)
    (run,) = asked.get("restatements")["items"]
    (cause,) = run["causes"]
    (source,) = cause["sources"]
    assert (cause["kind"], cause["by_whom"], cause["why"]) == ("arrival", f"{USCC}/gw1", "arrival")
    assert cause["batch"] is not None
    # 1.00 and 1.00 kWh become 1.60 and 0.40
    assert (source["before_kg"], source["after_kg"]) == ("0.995200", "0.995200")
    assert (source["entries"], source["superseded"]) == (2, 2)
    assert (source["from"], source["to"]) == ("2023-03-01T00:15:00+08:00", "2023-03-01T00:45:00+08:00")
    assert ways(source) == {"amount": (2, "0.000000")}
    (item,) = asked.difference(before)
    assert item["source"] == "grid"
    assert (item["before_kg"], item["after_kg"]) == ("1.492800", "1.492800")
    assert asked.get("difference", as_of=moment(bed))["items"] == []


def test_a_correction_by_revision_and_new_entries_are_told_apart(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = moment(bed)
    bed.store([Sent(T0 + 2 * QUARTER_US, 103, revision=1)])
    bed.tick()
    between = moment(bed)
    bed.store([Sent(T0 + 3 * QUARTER_US, 104, gateway="gw2")])
    bed.tick()
    asked = Asked(bed, plain_database)
    (item,) = asked.difference(before)
    # 1 + 1 kWh; then 1 + 2; then another 1
    assert (item["before_kg"], item["after_kg"], item["difference_kg"]) == (
        "0.995200",
        "1.990400",
        "0.995200",
    )
    revised, arrived = item["causes"]
    assert ways(revised) == {"amount": (1, "0.497600")}
    assert ways(arrived) == {"new": (1, "0.497600")}
    assert (arrived["by_whom"], arrived["entries"], arrived["superseded"]) == (f"{USCC}/gw2", 1, 0)
    (first,) = asked.difference(before, until=between)
    assert (first["after_kg"], len(first["causes"])) == ("1.492800", 1)
    # what was only written for the first time is no restatement
    (run,) = asked.get("restatements")["items"]
    assert [cause["difference_kg"] for cause in run["causes"]] == ["0.497600"]
    assert asked.total(before) == "0.995200"
    assert asked.total() == "1.990400"


def test_a_multiplier_of_the_registry_with_its_author_and_reason(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = moment(bed)
    bed.register(one_register(multiplier="40"), why="CT ratio was wrong")
    bed.tick()
    (item,) = Asked(bed, plain_database).difference(before)
    (cause,) = item["causes"]
    assert (cause["kind"], cause["by_whom"], cause["why"]) == ("registry", "tester", "CT ratio was wrong")
    # 2 kWh become 80
    assert (item["before_kg"], item["after_kg"]) == ("0.995200", "39.808000")
    assert ways(cause) == {"amount": (2, "38.812800")}
    assert cause["factors"] == []


def test_a_late_laboratory_value_names_the_value_before_and_after(bed: Bed, plain_database: Database) -> None:
    def boiler(*parameters: dict[str, str]) -> dict[str, Any]:
        coal = {
            "id": "coal_t",
            "quantity": "coal",
            "kind": "delta",
            "unit": "t",
            "multiplier": "1",
            "resolution": "0.1",
            "period": "PT15M",
            "valid_from": "2023-01-01T00:00:00+08:00",
        }
        given = [
            {"name": "carbon_content", "value": "0.0261", "unit": "tC/GJ"},
            {"name": "oxidation_rate", "value": "0.93"},
            {"name": "ncv", "value": "20.1", "unit": "GJ/t"},
            *parameters,
        ]
        source = {
            "id": "boiler",
            "method": "fuel_combustion",
            "fuel": "bituminous_coal",
            "expression": "C-01/coal_t",
            "parameters": given,
        }
        return enterprise({"C-01": [coal]}, [source])

    bed.register(boiler())
    bed.store(quarter_hours([2, 2], first=1, point="C-01/coal_t"))
    bed.tick()
    before = moment(bed)
    late = {"name": "ncv", "value": "21", "unit": "GJ/t", "from": "2023-03-01", "origin": "measured"}
    bed.register(boiler({**late, "reference": "lab report 12"}), why="laboratory, March")
    bed.tick()
    (item,) = Asked(bed, plain_database).difference(before)
    # 2 × 2 t × NCV × 0.0261 × 0.93 × 44/12, NCV 20.1 and then 21, each entry rounded to mg
    assert (item["before_kg"], item["after_kg"]) == ("7155.680400", "7476.084000")
    (cause,) = item["causes"]
    assert ways(cause) == {"factor": (2, "320.403600")}
    (factor,) = cause["factors"]
    (value,) = factor["values"]
    assert (value["name"], value["before"]["value"], value["after"]["value"]) == ("ncv", "20.1", "21")
    assert value["after"]["reference"] == "lab report 12"


def test_a_new_factor_set_names_the_editions(bed: Bed, plain_database: Database, tmp_path: Path) -> None:
    older = tmp_path / "factors"
    shutil.copytree(FOLDER, older)
    (older / "grid" / "average_2023.csv").unlink()
    methods = load().methods
    bed.accountant = Accountant(bed.conn, FactorLibrary(read_tables(older, methods), methods), Rules())
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    before = moment(bed)
    bed.accountant = Accountant(bed.conn, load(), Rules())
    bed.tick()
    asked = Asked(bed, plain_database)
    (item,) = asked.difference(before)
    assert (item["before_kg"], item["after_kg"]) == ("0.980000", "0.995200")
    (cause,) = item["causes"]
    assert (cause["kind"], cause["by_whom"]) == ("factors", "carbonmeter")
    (factor,) = cause["factors"]
    (value,) = factor["values"]
    assert (value["before"]["value"], value["after"]["value"]) == ("0.4900", "0.4976")
    assert "2024年第33号" in value["before"]["reference"]
    assert "2025年第47号" in value["after"]["reference"]
    assert asked.total(before) == "0.980000"


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("read"), st.integers(0, 40), st.integers(0, 5)),
            st.tuples(st.just("multiplier"), st.sampled_from(["1", "2", "40"]), st.none()),
            st.tuples(st.just("grid"), st.sampled_from(["province", "national", "region"]), st.none()),
        ),
        min_size=2,
        max_size=8,
    ),
    st.data(),
)
def test_any_two_states_are_explained_exactly(
    plain_server: DatabaseServer, steps: list[tuple[str, Any, Any]], data: st.DataObject
) -> None:
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(one_register())
        moments = [moment(bed)]
        multiplier, grid = "1", "province"
        for what, value, revision in steps:
            if what == "read":
                bed.store([Sent(T0 + value * QUARTER_US, 100 + value * 3 + revision, revision=revision)])
            else:
                multiplier, grid = (value, grid) if what == "multiplier" else (multiplier, value)
                bed.register(one_register(multiplier=multiplier) | {"grid": grid})
            bed.tick()
            moments.append(moment(bed))
        asked = Asked(bed, database)
        first = data.draw(st.integers(0, len(moments) - 1))
        last = data.draw(st.integers(first, len(moments) - 1))
        items = asked.difference(moments[first], until=moments[last])
        before, after = asked.total(moments[first]), asked.total(moments[last])
        assert sum(Decimal(item["difference_kg"]) for item in items) == Decimal(after or 0) - Decimal(
            before or 0
        )


def test_runs_come_in_pages_and_other_boundaries_stand_apart(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101, 102]))
    bed.tick()
    for revision in range(1, 6):
        bed.store([Sent(T0 + 2 * QUARTER_US, 102 + revision, revision=revision)])
        bed.tick()
    asked = Asked(bed, plain_database)
    whole = asked.get("restatements")["items"]
    assert [run["causes"][0]["difference_kg"] for run in whole] == ["0.497600"] * 5
    pages = [asked.get("restatements", limit=2)]
    while pages[-1]["next"]:
        pages.append(asked.get("restatements", limit=2, cursor=pages[-1]["next"]))
    assert [run for page in pages for run in page["items"]] == whole
    assert asked.get("restatements", boundary="ets")["items"] == []
    later = {"from": "2023-03-01T00:30:00+08:00"}
    assert asked.get("restatements", **later)["items"] == []
    (all_of_it,) = asked.get("difference", as_of="2023-01-01T00:00:00Z", by="total")["items"]
    assert (all_of_it["before_kg"], all_of_it["after_kg"]) == (None, "3.483200")
    assert "source" not in all_of_it


def test_restating_under_the_same_rules_is_no_restatement(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    bed.store(quarter_hours([100, 101]))
    bed.tick()
    assert bed.accountant is not None
    bed.accountant.restate(Cause("rules", None, "tester", "again"))
    assert Asked(bed, plain_database).get("restatements") == {"items": [], "next": None}


def test_a_later_moment_before_the_earlier_one_is_refused(bed: Bed, plain_database: Database) -> None:
    bed.register(one_register())
    asked = Asked(bed, plain_database)
    with client_of(asked._city, key=asked._key) as client:
        response = client.get(
            f"/v1/enterprises/{USCC}/difference",
            params={**RANGE, "as_of": "2024-01-02T00:00:00Z", "until": "2024-01-01T00:00:00Z"},
        )
    assert response.status_code == 422
    assert response.json()["errors"][0]["place"] == "until"
