"""Members that join and leave within a month, and the market's own edition."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from storage.keys import Scope
from tests.api.books import Entry, day_of
from tests.api.conftest import CEMENT, DOCUMENT, MG_PER_KWH, STEEL, City, client_of, empty_city, local, walk
from tests.servers import DatabaseServer

KG = Decimal(MG_PER_KWH) / 1_000_000


@pytest.fixture(scope="module")
def moving(plain_server: DatabaseServer) -> Iterator[tuple[City, TestClient]]:
    """Cement moves into the park on 10 May and out of its district on 20 May; each emits 1 kWh an interval."""
    with empty_city(plain_server, dated()) as city:
        books = city.books
        books.run()
        factor = books.factor(MG_PER_KWH)
        for uscc in (STEEL, CEMENT):
            source = city.source(uscc, "grid")
            books.source(source, city.registry.enterprises[uscc].id, 2, factor)
            for day in range(day_of("2024-04-01"), day_of("2024-06-15")):
                books.write(source, day, {index: Entry(100, MG_PER_KWH) for index in range(96)})
        books.conn.commit()
        with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
            yield city, client


def dated() -> dict[str, Any]:
    """The city's document with a cement plant that moves."""
    document = copy.deepcopy(DOCUMENT)
    cement = document["enterprises"][1]
    cement["park"] = [{"value": None}, {"value": "XT-ETDZ", "from": "2024-05-10"}]
    cement["district"] = [{"value": "430321"}, {"value": "430921", "from": "2024-05-20"}]
    return document


@pytest.mark.parametrize("granularity", ["15m", "hour", "day", "month", "year"])
@pytest.mark.parametrize(
    ("path", "intervals"),
    [
        ("/v1/parks/XT-ETDZ/emissions", (61 + 22) * 96),
        ("/v1/districts/430300/emissions", (61 + 49) * 96),
        ("/v1/districts/430900/emissions", 12 * 96),
        ("/v1/districts/430000/emissions", 122 * 96),
    ],
)
def test_members_count_on_the_days_of_their_membership(
    moving: tuple[City, TestClient], granularity: str, path: str, intervals: int
) -> None:
    asked = {
        "from": local("2024-04-01T00:00:00"),
        "to": local("2024-06-01T00:00:00"),
        "granularity": granularity,
    }
    for by in ("scope", "total"):
        items = walk(moving[1], path, {**asked, "by": by}, 5_000)
        amounts = [Decimal(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None]
        assert sum(amounts) == intervals * KG


def test_only_members_are_expected(moving: tuple[City, TestClient]) -> None:
    asked = {"from": local("2024-05-08T00:00:00"), "to": local("2024-05-12T00:00:00"), "by": "scope"}
    items = [
        item for item in walk(moving[1], "/v1/parks/XT-ETDZ/emissions", asked, 100) if item["scope"] == 2
    ]
    assert [(Decimal(item["co2e_kg"]) / KG, item["coverage"]) for item in items] == [
        (96, "1"), (96, "1"), (192, "1"), (192, "1"),
    ]  # fmt: skip
