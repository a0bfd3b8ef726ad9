"""A small city with hand-written books, and a client on it, shared by the tests of a file: none writes there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from accounting.factors.load import load as load_library
from api.app import create_app
from api.operations import Operations
from api.settings import ApiSettings
from domain.interval import to_us
from domain.reading import Flag
from domain.registry import Registry
from domain.signing import Ed25519Signer
from storage import evidence, keys, registry, webhooks
from storage.keys import Scope
from tests.api.books import ESTIMATED, INTERPOLATED, MISSING, Books, Entry, day_of
from tests.servers import Database, DatabaseServer

STEEL = "91430302XT0000014K"
CEMENT = "91430304XT0000022B"
PLATFORM_KEY = "aaaaaaaa"  # prefix of a key that nobody has
NOW = datetime(2024, 6, 15, 4, 0, tzinfo=UTC)  # noon of 15 June, local time
MG_PER_KWH = 570_300  # 0.5703 tCO2/MWh
MG_PER_NM3 = 2_162_220


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def now_us(self) -> int:
        return to_us(self.now)

    def monotonic(self) -> float:
        return self.now_us() / 1e6


def _register(id_: str, quantity: str, unit: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "quantity": quantity,
        "kind": "register",
        "unit": unit,
        "resolution": "0.01",
        "max_rate": "50000",
        "valid_from": "2024-01-01T00:00:00+08:00",
        **more,
    }


DOCUMENT: dict[str, Any] = {
    "parks": [
        {
            "code": "XT-ETDZ",
            "name_zh": "湘潭经济技术开发区",
            "name_en": "Xiangtan ETDZ",
            "district": "430300",
        },
        {"code": "EMPTY", "name_zh": "空园区", "name_en": "Nobody's park", "district": "430300"},
    ],
    "enterprises": [
        {
            "uscc": STEEL,
            "name_zh": "一号钢厂",
            "name_en": "Steel One",
            "industry": "steel",
            "gb_t_4754": "3120",
            "district": "430304",
            "park": "XT-ETDZ",
            "flags": ["key", "two_high"],
            "gateways": [{"id": "gw1", "zone": "+08:00"}, {"id": "gw2"}],
            "meters": [
                {
                    "id": "E-01",
                    "name": "incoming feeder",
                    "channels": [_register("import_kwh", "electricity_import", "kWh", max_rate="100")],
                },
                {
                    "id": "E-02",
                    "name": "neighbour's feeder",
                    "channels": [
                        _register(
                            "import_kwh", "electricity_import", "kWh", valid_from="2024-06-01T00:00:00+08:00"
                        )
                    ],
                },
                {"id": "G-01", "name": "gas", "channels": [_register("gas_nm3", "natural_gas", "nm3")]},
                {"id": "P-01", "name": "caster", "channels": [_register("steel_kg", "product", "kg")]},
                {"id": "P-02", "name": "scale", "channels": [_register("steel_t", "product", "t")]},
            ],
            "sources": [
                {
                    "id": "grid",
                    "method": "purchased_electricity",
                    "expression": "E-01/import_kwh - E-02/import_kwh",
                },
                {
                    "id": "boiler",
                    "method": "fuel_combustion",
                    "fuel": "natural_gas",
                    "expression": "G-01/gas_nm3",
                    "parameters": [
                        {
                            "name": "ncv",
                            "value": "391.20",
                            "unit": "GJ/10k_nm3",
                            "from": "2024-02-01",
                            "origin": "measured",
                        }
                    ],
                },
            ],
            "products": [
                {"id": "crude_steel", "expression": "P-01/steel_kg + P-02/steel_t", "unit": "t"},
            ],
        },
        {
            "uscc": CEMENT,
            "name_zh": "二号水泥厂",
            "name_en": "Cement Two",
            "industry": "cement",
            "district": "430321",
            "park": "XT-ETDZ",
            "gateways": [{"id": "gw1"}],
            "meters": [
                {
                    "id": "E-01",
                    "channels": [_register("import_kwh", "electricity_import", "kWh")],
                }
            ],
            "sources": [
                {"id": "grid", "method": "purchased_electricity", "expression": "E-01/import_kwh"},
            ],
        },
    ],
}


@dataclass
class City:
    """A database with a registry and books, and what is in them."""

    database: Database
    registry: Registry
    books: Books

    def source(self, uscc: str, code: str) -> int:
        return self.registry.enterprises[uscc].sources[code].id

    def point(self, uscc: str, name: str) -> int:
        return self.registry.enterprises[uscc].points[name].id

    def key(self, *scopes: str, gateways: Sequence[str] = (), name: str = "") -> str:
        with self.database.connect() as conn:
            return keys.create(conn, scopes, gateways, name)[0]


@contextmanager
def empty_city(server: DatabaseServer, document: Mapping[str, Any] = DOCUMENT) -> Iterator[City]:
    """A city whose books are blank; its books' connection commits with each call of `commit`."""
    with server.database() as database, database.connect() as conn:
        registry.import_document(conn, document, "tests", "the city")
        keys.create(conn, [Scope.EMISSIONS_READ], name="the platform")
        conn.execute("UPDATE api_keys SET prefix = %s", [PLATFORM_KEY])
        for _ in range(2):
            webhooks.add(conn, "https://platform.example/hook", PLATFORM_KEY, [], "tests")
        evidence.submit(conn, "batch", "1", b'{"batch":1}')
        evidence.append(conn)
        evidence.sign(conn, Ed25519Signer.new())
        known = registry.load(conn)
        conn.commit()
        yield City(database, known, Books(conn))


@contextmanager
def client_of(
    city: City,
    *,
    clock: FixedClock | None = None,
    operations: Operations | None = None,
    key: str | None = None,
    app: FastAPI | None = None,
    **settings: Any,
) -> Iterator[TestClient]:
    its = ApiSettings(city.database.url, connections_max=4, **settings)
    app = app or create_app(its, clock or FixedClock(), load_library(), operations=operations)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def local(text: str) -> str:
    return f"{text}+08:00"


def walk(client: TestClient, path: str, parameters: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    for _ in range(10_000):
        asked = {**parameters, "limit": limit, **({"cursor": cursor} if cursor else {})}
        response = client.get(path, params=asked)
        assert response.status_code == 200, response.text
        page = response.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items
    raise AssertionError("the pages have no end")


def fill(city: City) -> None:
    """The books of the tests of reading.

    Electricity: 1 kWh in each interval from 1 May to 14 June, by 100 × 0.01 kWh. 10 May: the first hour is
    missing (the first interval of it with flag restart). 20 May: one interval estimated, one interpolated with
    flag gap. Gas: 2 nm³ an interval on 1 May and 10 June.
    """
    books, steel, cement = city.books, city.registry.enterprises[STEEL], city.registry.enterprises[CEMENT]
    grid, boiler, other = (
        city.source(STEEL, "grid"),
        city.source(STEEL, "boiler"),
        city.source(CEMENT, "grid"),
    )
    e01, e02 = city.point(STEEL, "E-01/import_kwh"), city.point(STEEL, "E-02/import_kwh")
    gas = city.point(STEEL, "G-01/gas_nm3")
    kg, tonnes = city.point(STEEL, "P-01/steel_kg"), city.point(STEEL, "P-02/steel_t")
    books.run(datetime(2024, 6, 14, 20, 0, tzinfo=UTC))
    electricity = books.factor(MG_PER_KWH)
    natural_gas = books.factor(
        MG_PER_NM3, factor_set="set-2", formula="ncv × carbon_content × oxidation_rate × 44/12"
    )
    books.source(grid, steel.id, 2, electricity)
    books.source(boiler, steel.id, 1, natural_gas, boundaries=("account", "ets"), unit="nm3")
    books.source(other, cement.id, 2, electricity)
    for point, owner in ((e01, steel), (e02, steel), (gas, steel), (kg, steel), (tonnes, steel)):
        books.point(point, owner.id)
    whole_day = {index: Entry(100, MG_PER_KWH) for index in range(96)}
    for day in range(day_of("2024-05-01"), day_of("2024-06-15")):
        entries = dict(whole_day)
        if day == day_of("2024-05-10"):
            entries |= {
                0: dataclasses.replace(MISSING, flags=Flag.RESTART),
                1: MISSING,
                2: MISSING,
                3: MISSING,
            }
        if day == day_of("2024-05-20"):
            entries[10] = Entry(100, MG_PER_KWH, ESTIMATED)
            entries[11] = Entry(100, MG_PER_KWH, INTERPOLATED, Flag.GAP)
        books.write(grid, day, entries)
        books.measure(e01, day, entries)
        books.write(other, day, whole_day)
        if day >= day_of("2024-06-01"):
            books.measure(e02, day, {index: Entry(0) for index in range(96)})
    for day in (day_of("2024-05-01"), day_of("2024-06-10")):
        entries = {index: Entry(200, 2 * MG_PER_NM3) for index in range(96)}
        books.write(boiler, day, entries)
        books.measure(gas, day, entries)
    # of steel 500 kg and 0.25 t an interval, on 2 May; on 3 May the scale is silent
    books.measure(kg, day_of("2024-05-02"), {index: Entry(50_000) for index in range(96)})
    books.measure(tonnes, day_of("2024-05-02"), {index: Entry(25) for index in range(96)})
    books.measure(kg, day_of("2024-05-03"), {index: Entry(50_000) for index in range(96)})
    books.conn.commit()


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        fill(city)
        yield city


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[TestClient]:
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        yield client


def days_later(moment: datetime, days: float) -> datetime:
    return moment + timedelta(days=days)
