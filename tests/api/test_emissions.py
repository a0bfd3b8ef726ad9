"""Emissions by period: exact sums, clipped ends, gaps that stay gaps, pages without loss, earlier states."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from api.sums import coverage_text
from storage.keys import Scope
from tests.api.books import Entry, day_of
from tests.api.conftest import (
    CEMENT,
    MG_PER_KWH,
    MG_PER_NM3,
    STEEL,
    City,
    client_of,
    empty_city,
    fill,
    local,
    walk,
)
from tests.servers import DatabaseServer

DAY = {"from": "2024-05-01T00:00:00Z", "to": "2024-05-02T00:00:00Z"}
PATH = f"/v1/enterprises/{STEEL}/emissions"
KG_KWH = Decimal(MG_PER_KWH) / 1_000_000
KG_NM3 = Decimal(MG_PER_NM3) / 1_000_000


def ask(client: TestClient, path: str = PATH, **parameters: str) -> list[dict]:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    response = client.get(path, params=named)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["next"] is None
    return body["items"]


def test_a_day_of_quarter_hours_by_source(client: TestClient) -> None:
    items = ask(
        client,
        from_=local("2024-05-01T00:00:00"),
        to=local("2024-05-02T00:00:00"),
        granularity="15m",
        by="source",
    )
    assert len(items) == 192
    assert items[0] == {
        "at": "2024-05-01T00:00:00+08:00",
        "source": "boiler",
        "co2e_kg": "4.324440",
        "quality": "measured",
        "flags": [],
        "coverage": "1",
        "factor_set": "set-2",
    }
    assert items[1]["source"] == "grid"
    assert items[1]["co2e_kg"] == "0.570300"
    assert [item["at"] for item in items[::2]] == sorted(item["at"] for item in items[::2])


def test_missing_intervals_are_null_and_keep_their_flags(client: TestClient) -> None:
    items = ask(
        client, from_=local("2024-05-10T00:00:00"), to=local("2024-05-10T01:15:00"), granularity="15m"
    )
    assert [item["co2e_kg"] for item in items] == [None, None, None, None, "0.570300"]
    assert items[0]["flags"] == ["restart"]
    assert items[0]["quality"] == "missing"
    assert items[0]["factor_set"] is None
    # the boiler is expected too and silent
    assert [item["coverage"] for item in items] == ["0", "0", "0", "0", "0.5"]


def test_longer_periods_sum_what_is_known(client: TestClient) -> None:
    (item,) = ask(
        client,
        from_=local("2024-05-10T00:00:00"),
        to=local("2024-05-11T00:00:00"),
        granularity="day",
        by="source",
    )[1:]
    assert Decimal(item["co2e_kg"]) == 92 * KG_KWH
    assert item["coverage"] == "0.958333"
    assert item["quality"] == "measured"
    (item,) = ask(
        client,
        from_=local("2024-05-20T00:00:00"),
        to=local("2024-05-21T00:00:00"),
        granularity="day",
        by="source",
    )[1:]
    assert item["quality"] == "estimated"
    assert item["flags"] == ["gap"]
    (item,) = ask(
        client,
        from_=local("2024-05-20T02:45:00"),
        to=local("2024-05-20T03:00:00"),
        granularity="hour",
        by="source",
    )[1:]
    assert item["quality"] == "interpolated"


@pytest.mark.parametrize("granularity", ["15m", "hour", "day", "month", "year"])
@pytest.mark.parametrize("by", ["source", "scope", "gas", "total"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-05-01T00:00:00", "2024-06-15T12:00:00"),
        ("2024-05-09T23:45:00", "2024-05-21T00:15:00"),
        ("2024-04-28T13:30:00", "2024-05-10T00:30:00"),
        ("2024-06-14T07:15:00", "2024-06-14T07:30:00"),
    ],
)
def test_every_granularity_sums_to_the_same_whole(
    client: TestClient, granularity: str, by: str, start: str, end: str
) -> None:
    def total(items: list[dict]) -> Decimal:
        return sum((Decimal(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None), Decimal(0))

    asked = {"from": local(start), "to": local(end)}
    whole = walk(client, PATH, {**asked, "granularity": "15m"}, 10_000)
    items = walk(client, PATH, {**asked, "granularity": granularity, "by": by}, 777)
    assert total(items) == total(whole)
    assert total(whole) > 0


def test_clipped_periods_start_where_the_range_starts(client: TestClient) -> None:
    items = ask(
        client, from_=local("2024-05-09T23:45:00"), to=local("2024-05-11T00:30:00"), granularity="day"
    )
    assert [item["at"] for item in items] == [
        "2024-05-09T23:45:00+08:00",
        "2024-05-10T00:00:00+08:00",
        "2024-05-11T00:00:00+08:00",
    ]
    assert [Decimal(item["co2e_kg"]) for item in items] == [KG_KWH, 92 * KG_KWH, 2 * KG_KWH]
    items = ask(
        client, from_=local("2024-05-09T22:45:00"), to=local("2024-05-10T01:00:00"), granularity="hour"
    )
    assert [item["at"][11:16] for item in items] == ["22:45", "23:00", "00:00"]


def test_times_may_be_in_any_offset_and_answers_are_local(client: TestClient) -> None:
    utc = ask(client, from_="2024-05-08T16:00:00Z", to="2024-05-09T16:00:00Z", granularity="day")
    assert utc[0]["at"] == "2024-05-09T00:00:00+08:00"
    response = client.get(
        f"{PATH}?from=2024-05-09T00:00:00+08:00&to=2024-05-10T00:00:00+08:00&granularity=day"
    )
    assert response.json()["items"] == utc  # the plus sign of a query string means a space


def test_every_period_has_an_item_future_ones_too(client: TestClient) -> None:
    items = ask(
        client, from_=local("2024-06-15T00:00:00"), to=local("2024-06-17T00:00:00"), granularity="day"
    )
    assert [(item["co2e_kg"], item["coverage"]) for item in items] == [(None, "0"), (None, None)]
    items = ask(
        client, from_=local("2030-01-01T00:00:00"), to=local("2031-06-01T00:00:00"), granularity="month"
    )
    assert len(items) == 17
    assert {item["co2e_kg"] for item in items} == {None}
    before = ask(
        client, from_=local("2023-11-01T00:00:00"), to=local("2024-02-01T00:00:00"), granularity="month"
    )
    assert [item["coverage"] for item in before] == [None, None, "0"]


def test_a_year_spans_its_leap_day(client: TestClient) -> None:
    items = ask(
        client, from_=local("2024-02-28T00:00:00"), to=local("2024-03-02T00:00:00"), granularity="day"
    )
    assert [item["at"][:10] for item in items] == ["2024-02-28", "2024-02-29", "2024-03-01"]


def test_a_year_of_quarter_hours_comes_in_pages(client: TestClient) -> None:
    asked = {"from": local("2023-07-01T00:00:00"), "to": local("2024-07-01T00:00:00"), "granularity": "15m"}
    items = walk(client, PATH, asked, 10_000)
    assert len(items) == 366 * 96
    assert len({item["at"] for item in items}) == len(items)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_of_any_size_give_the_same_items(client: TestClient, limit: int) -> None:
    asked = {
        "from": local("2024-05-09T23:30:00"),
        "to": local("2024-05-10T03:15:00"),
        "by": "source",
        "granularity": "15m",
    }
    assert walk(client, PATH, asked, limit) == walk(client, PATH, asked, 10_000)
    asked["granularity"] = "hour"
    assert walk(client, PATH, asked, limit) == walk(client, PATH, asked, 10_000)


def test_boundaries(client: TestClient) -> None:
    ets = ask(
        client,
        from_=local("2024-05-01T00:00:00"),
        to=local("2024-05-02T00:00:00"),
        boundary="ets",
        by="source",
    )
    assert [item["source"] for item in ets] == ["boiler"]
    assert Decimal(ets[0]["co2e_kg"]) == 192 * KG_NM3


def test_scopes_stand_apart(client: TestClient) -> None:
    items = ask(client, from_=local("2024-05-01T00:00:00"), to=local("2024-05-02T00:00:00"), by="scope")
    assert [(item["scope"], Decimal(item["co2e_kg"])) for item in items] == [
        (1, 192 * KG_NM3),
        (2, 96 * KG_KWH),
    ]
    items = ask(client, from_=local("2024-05-01T00:00:00"), to=local("2024-05-02T00:00:00"), by="gas")
    assert [item["gas"] for item in items] == ["CO2"]
    assert items[0]["factor_set"] == "set-1,set-2"


def test_a_park_is_the_sum_of_its_members(client: TestClient) -> None:
    asked = {
        "from_": local("2024-05-01T00:00:00"),
        "to": local("2024-06-01T00:00:00"),
        "granularity": "month",
    }
    park = ask(client, "/v1/parks/XT-ETDZ/emissions", **asked)
    members = [ask(client, f"/v1/enterprises/{uscc}/emissions", **asked) for uscc in (STEEL, CEMENT)]
    assert Decimal(park[0]["co2e_kg"]) == sum(Decimal(items[0]["co2e_kg"]) for items in members)
    scopes = ask(client, "/v1/parks/XT-ETDZ/emissions", **asked, by="scope")
    assert [item["scope"] for item in scopes] == [1, 2]
    assert sum(Decimal(item["co2e_kg"]) for item in scopes) == Decimal(park[0]["co2e_kg"])
    # expected: three sources over 31 days; known: two of electricity but for an hour, gas on one day
    assert park[0]["coverage"] == coverage_text(2 * 31 * 96 - 4 + 96, 3 * 31 * 96)


def test_a_park_without_members_has_items_without_amounts(client: TestClient) -> None:
    asked = {"from_": local("2024-05-01T00:00:00"), "to": local("2024-05-03T00:00:00")}
    items = ask(client, "/v1/parks/EMPTY/emissions", **asked)
    assert [(item["co2e_kg"], item["coverage"]) for item in items] == [(None, None)] * 2
    assert len(ask(client, "/v1/parks/EMPTY/emissions", **asked, by="scope")) == 4


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("430000", [STEEL, CEMENT]),
        ("430300", [STEEL, CEMENT]),
        ("430304", [STEEL]),
        ("430321", [CEMENT]),
        ("430400", []),
        ("400000", []),
        ("110000", []),
    ],
)
def test_a_district_contains_those_under_its_prefix(
    client: TestClient, code: str, members: list[str]
) -> None:
    asked = {"from_": local("2024-05-09T12:00:00"), "to": local("2024-05-10T12:00:00"), "granularity": "hour"}
    district = ask(client, f"/v1/districts/{code}/emissions", **asked)
    own = [ask(client, f"/v1/enterprises/{uscc}/emissions", **asked) for uscc in members]
    for place, item in enumerate(district):
        amounts = [items[place]["co2e_kg"] for items in own if items[place]["co2e_kg"] is not None]
        assert item["co2e_kg"] == (str(sum(map(Decimal, amounts))) if amounts else None)


@pytest.mark.parametrize(
    ("parameters", "places"),
    [
        ({}, {"from", "to"}),
        ({"from": "2024-05-01T00:00:00", "to": "2024-05-02"}, {"from", "to"}),
        ({"from": "2024-05-01T00:07:00Z", "to": "2024-05-02T00:00:01Z"}, {"from", "to"}),
        ({"from": "2024-05-02T00:00:00Z", "to": "2024-05-02T00:00:00Z"}, {"to"}),
        ({"from": "2024-05-02T00:00:00Z", "to": "2024-05-01T00:00:00Z"}, {"to"}),
        (
            {**DAY, "granularity": "week", "by": "fuel", "boundary": "x", "limit": "0", "as_of": "now"},
            {"granularity", "by", "boundary", "limit", "as_of"},
        ),
        ({**DAY, "cursor": "§§"}, {"cursor"}),
        ({**DAY, "cursor": "WzEsMl0"}, {"cursor"}),
        ({**DAY, "limit": "10001"}, {"limit"}),
    ],
)  # fmt: skip
def test_faulty_parameters_are_all_named(
    client: TestClient, parameters: dict[str, str], places: set[str]
) -> None:
    response = client.get(PATH, params=parameters)
    assert response.status_code == 422
    assert {error["place"] for error in response.json()["errors"]} == places


def test_a_cursor_belongs_to_its_request(client: TestClient) -> None:
    asked = {"from": local("2024-05-01T00:00:00"), "to": local("2024-05-03T00:00:00"), "limit": "1"}
    cursor = client.get(PATH, params=asked).json()["next"]
    other = client.get(PATH, params={**asked, "granularity": "hour", "cursor": cursor})
    assert other.status_code == 422
    assert other.json()["errors"][0]["place"] == "cursor"
    assert client.get(PATH, params={**asked, "limit": "5", "cursor": cursor}).status_code == 200


@pytest.fixture(scope="module")
def restated(plain_server: DatabaseServer) -> Iterator[tuple[City, TestClient]]:
    """The same city after two restatements: on 20 June of one interval, on 25 June of it again and of a new day."""
    with empty_city(plain_server) as city:
        fill(city)
        books, grid = city.books, city.source(STEEL, "grid")
        books.run(datetime(2024, 6, 20, tzinfo=UTC), why="late")
        books.write(
            grid, day_of("2024-05-10"), {0: Entry(300, 3 * MG_PER_KWH), 5: Entry(200, 2 * MG_PER_KWH)}
        )
        books.run(datetime(2024, 6, 25, tzinfo=UTC), why="later")
        books.write(grid, day_of("2024-05-10"), {5: Entry(700, 7 * MG_PER_KWH)})
        books.write(grid, day_of("2024-06-15"), {0: Entry(100, MG_PER_KWH)})
        books.conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
            yield city, client


@pytest.mark.parametrize("granularity", ["15m", "hour", "day", "month", "year"])
@pytest.mark.parametrize(
    ("as_of", "intervals"),
    [
        (None, 101),
        ("2030-01-01T00:00:00Z", 101),
        ("2024-06-25T00:00:00Z", 101),
        ("2024-06-24T23:59:59Z", 96),
        ("2024-06-20T00:00:00Z", 96),
        ("2024-06-19T00:00:00Z", 92),
        ("2024-06-14T00:00:00Z", None),
    ],
)
def test_as_of_reads_an_earlier_state(
    restated: tuple[City, TestClient], granularity: str, as_of: str | None, intervals: int | None
) -> None:
    _, client = restated
    for path, by in ((PATH, "source"), (PATH, "total"), ("/v1/districts/430304/emissions", "scope")):
        asked = {
            "from": local("2024-05-10T00:00:00"),
            "to": local("2024-05-11T00:00:00"),
            "granularity": granularity,
            "by": by,
        }
        items = walk(client, path, {**asked, **({"as_of": as_of} if as_of else {})}, 1_000)
        amounts = [Decimal(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None]
        assert sum(amounts) == (intervals or 0) * KG_KWH
        assert bool(amounts) == (intervals is not None)


@pytest.mark.parametrize("granularity", ["15m", "day", "month", "year"])
def test_as_of_before_a_restatement_equals_what_was_answered_then(
    client: TestClient, restated: tuple[City, TestClient], granularity: str
) -> None:
    asked = {
        "from": local("2024-05-01T00:00:00"),
        "to": local("2024-06-15T12:00:00"),
        "granularity": granularity,
        "by": "source",
    }
    then = walk(client, PATH, asked, 10_000)
    now = walk(restated[1], PATH, {**asked, "as_of": "2024-06-16T00:00:00Z"}, 10_000)
    assert now == then
