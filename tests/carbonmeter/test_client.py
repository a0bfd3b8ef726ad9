"""The typed clients against a server that runs: every operation is the document's, and both speak with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from accounting.factors.load import load as load_library
from api.app import create_app
from api.settings import ApiSettings
from carbonmeter import typed_clients
from carbonmeter.client import AsyncClient, Client
from domain.errors import FaultyDocument, Refused, Unavailable
from storage.keys import Scope
from tests.api.conftest import CEMENT, STEEL, City, FixedClock, empty_city, fill
from tests.api.serving import serving
from tests.servers import DatabaseServer

RANGE = {"from_": "2024-05-01T00:00:00+08:00", "to": "2024-05-04T00:00:00+08:00"}


def test_the_files_are_those_of_the_document() -> None:
    """Otherwise: `python -m carbonmeter.typed_clients`."""
    for path, text in typed_clients.files(typed_clients.document()).items():
        assert path.read_text("utf-8") == text, f"{path.name} is another one"


def test_every_json_operation_has_a_method() -> None:
    document = typed_clients.document()
    asked = typed_clients.operations(document)
    everything = sum(len(methods) for methods in document["paths"].values())
    assert 60 <= len(asked) <= everything
    for operation in asked:
        assert callable(getattr(Client, operation.id))
        assert asyncio.iscoroutinefunction(getattr(AsyncClient, operation.id))


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        fill(city)
        yield city


@pytest.fixture(scope="module")
def url(city: City) -> Iterator[str]:
    app = create_app(ApiSettings(city.database.url, connections_max=4), FixedClock(), load_library())
    with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
def client(city: City, url: str) -> Client:
    return Client(url, city.key(Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE))


def test_operations_with_paths_queries_and_bodies(client: Client) -> None:
    windows = client.get_windows(STEEL, at="2024-06-15T00:00:00+08:00")
    assert (
        windows["30d"]["co2e_kg"]
        == client.get(f"/v1/enterprises/{STEEL}/windows", at="2024-06-15T00:00:00+08:00")["30d"]["co2e_kg"]
    )
    page = client.enterprise_emissions(STEEL, granularity="day", by="source", **RANGE)
    assert page["items"][0]["source"] == "boiler"
    assert [each["uscc"] for each in client.every_enterprises(limit=1)] == [STEEL, CEMENT]
    heat = {"source": "purchased_heat", "amount": "1", "unit": "GJ"}
    answer = client.post_inventory(
        {"industry": "steel", "period": {"from": "2023-01-01", "to": "2024-01-01"}, "activities": [heat]}
    )
    assert answer["totals"]["account_tco2e"] == "0.110000000000"
    assert client.download(f"/v1/enterprises/{STEEL}/reports/2024", format="pdf").startswith(b"%PDF")
    sent = client.send(
        "/v1/history", b"year,source,amount,unit\n2023,purchased_heat,1,GJ\n", "text/csv", uscc=STEEL,
        provenance="reported", dry_run=True,
    )  # fmt: skip
    assert b'"dry_run":true' in sent


def test_what_fails_says_what_to_do(client: Client, url: str) -> None:
    with pytest.raises(FaultyDocument) as error:
        client.enterprise_emissions(STEEL, from_="soon", to="2024-05-04T00:00:01+08:00")
    assert {"from", "to"} <= {fault.place for fault in error.value.faults}
    with pytest.raises((Refused, FaultyDocument), match="404"):
        client.get_enterprise("nobody/else")
    with pytest.raises((Refused, FaultyDocument), match="401"):
        Client(url).get_enterprises()
    with pytest.raises(Unavailable):
        Client("http://127.0.0.1:9", timeout_s=1).get_enterprises()


def test_coroutines_at_once(city: City, url: str) -> None:
    async def ask() -> None:
        async with AsyncClient(url, city.key(Scope.EMISSIONS_READ)) as client:
            windows = await asyncio.gather(*(client.get_windows(uscc) for uscc in [STEEL, CEMENT] * 10))
            assert [each["uscc"] for each in windows] == [STEEL, CEMENT] * 10
            assert [each["uscc"] async for each in client.every_enterprises(limit=1)] == [STEEL, CEMENT]
            assert (await client.download(f"/v1/enterprises/{STEEL}/reports/2024", format="pdf"))[
                :4
            ] == b"%PDF"

    asyncio.run(ask())
