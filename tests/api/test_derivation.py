"""Readings as they are stored, and figures that can be repeated by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.interval import INTERVAL_US, parse_time
from domain.reading import Flag, round_half_even
from storage.keys import Scope
from tests.api.books import MISSING, Entry, Stored, day_of
from tests.api.conftest import MG_PER_KWH, STEEL, City, client_of, empty_city, local, walk
from tests.servers import DatabaseServer

ENTERPRISE = f"/v1/enterprises/{STEEL}"
START = parse_time("2024-05-10T00:00:00+08:00")
assert START is not None
DAY = {"from": local("2024-05-10T00:00:00"), "to": local("2024-05-11T00:00:00")}
THIRDS = Fraction(1_710_901, 3)  # mg a kWh: a factor that doesn't end


@pytest.fixture(scope="module")
def told(plain_server: DatabaseServer) -> Iterator[tuple[City, TestClient]]:
    """A meter read each quarter-hour for two days, with a repeat, a conflict, an invalid value and a lie among it.

    The ledger: entries of 10 May under a factor that doesn't end, the second interval restated twice.
    """
    with empty_city(plain_server) as city:
        books, steel = city.books, city.registry.enterprises[STEEL]
        e01, grid = city.point(STEEL, "E-01/import_kwh"), city.source(STEEL, "grid")
        books.run(datetime(2024, 5, 11, tzinfo=UTC), why="batch 7")
        books.point(e01, steel.id)
        books.source(grid, steel.id, 2, books.factor(THIRDS.numerator, THIRDS.denominator))
        readings = [Stored(START + k * INTERVAL_US, f"{1000 + k}.50") for k in range(-10, 192)]
        late = START + 200 * INTERVAL_US
        readings += [
            Stored(START + 4 * INTERVAL_US, "1004.5", committed_us=late),  # a repeat
            Stored(START + 8 * INTERVAL_US, "1008.75", committed_us=late),  # a conflict
            Stored(START + 5 * INTERVAL_US + 1, "77", quality=2),  # the device says: invalid
            Stored(START + 6 * INTERVAL_US + 1, "0.004", flags=Flag.RECEIPT_TIME),  # a lie
            Stored(START + 12 * INTERVAL_US, "1012.599", revision=1, committed_us=late),  # a correction
        ]
        books.store_readings(e01, readings)
        entries = {k: Entry(100, round_half_even(THIRDS.numerator, THIRDS.denominator)) for k in range(96)}
        entries[3] = dataclasses.replace(MISSING, flags=Flag.CONFLICT)
        books.measure(e01, day_of("2024-05-10"), entries)
        books.write(grid, day_of("2024-05-10"), entries)
        for number, amount in ((12, 250), (13, 333)):
            books.run(datetime(2024, 5, number, tzinfo=UTC), why=f"batch {number}")
            mg = round_half_even(THIRDS.numerator * amount, THIRDS.denominator * 100)
            books.measure(e01, day_of("2024-05-10"), {1: Entry(amount)})
            books.write(grid, day_of("2024-05-10"), {1: Entry(amount, mg)})
        books.conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
            yield city, client


def readings_of(client: TestClient, limit: int = 1_000, **more: str) -> list[dict[str, Any]]:
    return walk(client, f"{ENTERPRISE}/readings", {**DAY, "channel": "E-01/import_kwh", **more}, limit)


def test_readings_are_all_there_with_what_they_are_worth(told: tuple[City, TestClient]) -> None:
    items = readings_of(told[1])
    assert len(items) == 96 + 5
    assert items[0] == {
        "at": "2024-05-10T00:00:00+08:00",
        "value": "1000.50",
        "sent": "1000.50",
        "quality": "good",
        "revision": 0,
        "committed_at": "2024-05-10T00:00:01+08:00",
        "flags": [],
        "stands": True,
        "gateway": f"{STEEL}/gw1",
    }
    by_time: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_time.setdefault(item["at"][11:-6], []).append(item)
    assert [item["stands"] for item in by_time["01:00:00"]] == [True, False]
    assert [(item["stands"], item["flags"]) for item in by_time["02:00:00"]] == [(False, ["conflict"])] * 2
    (invalid,) = by_time["01:15:00.000001"]
    assert (invalid["quality"], invalid["stands"]) == ("invalid", False)
    (lie,) = by_time["01:30:00.000001"]
    assert lie["flags"] == ["implausible", "receipt_time"]
    assert (lie["value"], lie["sent"]) == ("0.00", "0.004")
    old, corrected = by_time["03:00:00"]
    assert (old["stands"], corrected["stands"]) == (False, True)
    assert (corrected["value"], corrected["sent"], corrected["revision"]) == ("1012.60", "1012.599", 1)


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 100])
def test_pages_of_readings_lose_nothing_at_equal_stamps(told: tuple[City, TestClient], limit: int) -> None:
    assert readings_of(told[1], limit) == readings_of(told[1])


def test_readings_as_of_before_the_late_ones(told: tuple[City, TestClient]) -> None:
    items = readings_of(told[1], as_of=local("2024-05-11T23:00:00"))
    assert len(items) == 96 + 2
    assert all(item["stands"] for item in items if item["flags"] == [] and item["quality"] == "good")


def test_readings_of_a_range_without_any(told: tuple[City, TestClient]) -> None:
    items = readings_of(told[1], **{"from": local("2024-01-01T00:00:00"), "to": local("2024-02-01T00:00:00")})
    assert items == []


def derivation(client: TestClient, **more: str) -> dict[str, Any]:
    response = client.get(f"{ENTERPRISE}/derivation", params={"source": "grid", **DAY, **more})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_a_figure_can_be_repeated_by_hand(told: tuple[City, TestClient]) -> None:
    """From readings to amounts, from amounts and factor to milligrams, from these to the sum."""
    body = derivation(told[1])
    factors = {each["id"]: Fraction(each["mg_per_unit"]) for each in body["used_factors"]}
    total = 0
    for interval in body["intervals"]:
        if interval["co2e_kg"] is None:
            continue
        mg = Fraction(interval["amount"]) * factors[interval["factor"]]
        rounded = round_half_even(mg.numerator, mg.denominator)
        assert str(rounded) == interval["co2e_mg"]
        assert Decimal(interval["co2e_kg"]) == Decimal(rounded) / 1_000_000
        total += rounded
        signed = sum(
            Fraction(term["amount"]) * term["sign"]
            for term in interval["terms"]
            if term["amount"] is not None
        )
        assert signed == Fraction(interval["amount"])
    assert Decimal(body["co2e_kg"]) == Decimal(total) / 1_000_000
    assert body["intervals_known"] == 95
    (emissions,) = walk(told[1], f"{ENTERPRISE}/emissions", {**DAY, "by": "total"}, 10)
    assert emissions["co2e_kg"] == body["co2e_kg"]
    (channel, _) = body["channels"]
    values = {
        reading["at"]: Fraction(reading["value"]) for reading in channel["readings"] if reading["stands"]
    }
    interval = body["intervals"][30]
    following = body["intervals"][31]
    assert values[following["at"]] - values[interval["at"]] == Fraction(interval["amount"])


def test_a_figure_names_its_factor_and_where_it_is_from(told: tuple[City, TestClient]) -> None:
    body = derivation(told[1])
    assert body["factors"][0]["value"] == "0.5703"
    assert body["factors"][0]["confidence"] == "H"
    assert (body["clause"], body["edition"]) == ("附录二 表2.2", "ndrc-2013")
    assert (body["rules_version"], body["factor_set"]) == ("1", "set-1")
    assert body["expression"] == "E-01/import_kwh - E-02/import_kwh"
    assert body["channels"][0]["versions"][0]["resolution"] == "0.01"
    assert body["channels"][0]["meter"] == "incoming feeder"


def test_an_entry_says_why_it_stands_and_what_it_supersedes(told: tuple[City, TestClient]) -> None:
    first, second, _, missing = derivation(told[1])["intervals"][:4]
    assert first["supersedes"] is None
    assert first["cause"] == {"kind": "arrival", "by": "91430300MA4L0DEM8M/gw1", "why": "batch 7", "batch": 1}
    assert second["amount"] == "3.33"
    assert second["cause"]["why"] == "batch 13"
    assert second["committed_at"] == "2024-05-13T08:00:00+08:00"
    assert second["supersedes"]["amount"] == "2.50"
    assert second["supersedes"]["committed_at"] == "2024-05-12T08:00:00+08:00"
    assert (missing["co2e_kg"], missing["quality"], missing["flags"]) == (None, "missing", ["conflict"])


def test_a_derivation_as_of_an_earlier_state(told: tuple[City, TestClient]) -> None:
    second = derivation(told[1], as_of="2024-05-12T12:00:00Z")["intervals"][1]
    assert (second["amount"], second["supersedes"]["amount"]) == ("2.50", "1.00")
    assert second["terms"][0]["amount"] == "2.50"
    before = derivation(told[1], as_of="2024-05-01T00:00:00Z")
    assert before["co2e_kg"] is None
    assert {each["co2e_kg"] for each in before["intervals"]} == {None}


def test_pages_of_a_derivation(told: tuple[City, TestClient]) -> None:
    whole = derivation(told[1])
    intervals: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = derivation(told[1], limit="7", **({"cursor": cursor} if cursor else {}))
        assert page["co2e_kg"] == whole["co2e_kg"]
        assert len(page["intervals"]) <= 7
        # the readings on both sides of the page's boundaries are in it
        stamps = [reading["at"] for reading in page["channels"][0]["readings"] if reading["stands"]]
        assert stamps[0] <= page["intervals"][0]["at"]
        assert stamps[-1] > page["intervals"][-1]["at"]
        intervals += page["intervals"]
        cursor = page["next"]
    assert intervals == whole["intervals"]


def test_a_source_that_never_had_a_reading(told: tuple[City, TestClient]) -> None:
    body = derivation(told[1], source="boiler")
    assert (body["co2e_kg"], body["factors"], body["quality"]) == (None, [], "missing")
    assert len(body["intervals"]) == 96
    assert body["channels"][0]["readings"] == []


def test_emissions_that_are_null_for_want_of_a_factor_say_of_which(told: tuple[City, TestClient]) -> None:
    early = {"from": local("2004-12-31T12:00:00"), "to": local("2005-01-03T00:00:00")}
    body = derivation(told[1], **early)
    assert body["co2e_kg"] is None
    assert [(each["from"], each["to"], each["year"]) for each in body["missing_factors"]] == [
        ("2004-12-31", "2005-01-01", 2004),
        ("2005-01-01", "2005-01-03", 2005),
    ]
    last = body["missing_factors"][1]
    assert (last["name"], last["unit"], last["area"]) == ("emission_factor", "tCO2/MWh", "430000")
    assert "no electricity factor that early" in last["why"]
    assert last["do"].startswith("register the parameter emission_factor in tCO2/MWh for the source")
    assert derivation(told[1], boundary="ets", **early)["missing_factors"] == []  # it doesn't count there


def test_where_only_readings_are_missing_no_factor_is(told: tuple[City, TestClient]) -> None:
    assert derivation(told[1])["missing_factors"] == []
    assert derivation(told[1], source="boiler")["missing_factors"] == []


def test_the_factor_of_the_tests_does_not_end() -> None:
    assert THIRDS.denominator == 3
    assert MG_PER_KWH == 570_300
