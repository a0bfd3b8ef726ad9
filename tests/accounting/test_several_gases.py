"""A source of several gases: an entry a gas, told apart where gases are, and counted once where they aren't."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from fastapi.testclient import TestClient

from accounting.factors.load import load as load_library
from api.app import create_app
from api.settings import ApiSettings
from domain.interval import HOUR_US
from domain.reading import round_half_even
from storage import keys
from storage.keys import Scope
from tests.accounting.bed import T0, USCC, Bed, Sent, enterprise
from tests.api.conftest import FixedClock
from tests.servers import Database

KM = {
    "id": "km", "quantity": "other", "kind": "delta", "unit": "km", "multiplier": "1", "resolution": "1",
    "period": "PT1H", "valid_from": "2023-01-01T00:00:00+08:00",
}  # fmt: skip
# heavy diesel: 175 mg CH4 and 30 mg N2O a km; GWPs 21 and 310 of the second assessment: mg CO2e a km
CH4_MG_PER_KM, N2O_MG_PER_KM = 175 * 21, 30 * 310
HOURS = 30  # from 1 March 2023, 00:00


def carrier(**source: Any) -> dict[str, Any]:
    exhaust = {
        "id": "exhaust",
        "method": "vehicle_ch4_n2o",
        "material": "heavy_diesel",
        "expression": "K-01/km",
    }
    return {**enterprise({"K-01": [KM]}, [{**exhaust, **source}]), "industry": "land_transport"}


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        bed = Bed(conn)
        bed.register(carrier())
        bed.store([Sent(T0 + (k + 1) * HOUR_US, 101 + k, "K-01/km") for k in range(HOURS)])
        bed.tick()
        yield bed


@pytest.fixture
def client(bed: Bed, plain_database: Database) -> Iterator[TestClient]:
    key, _ = keys.create(bed.conn, [Scope.EMISSIONS_READ], (), "test")
    bed.conn.commit()
    clock = FixedClock(datetime.fromisoformat("2023-03-02T06:00:00+08:00"))
    app = create_app(ApiSettings(plain_database.url, connections_max=2), clock, load_library())
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def series_of(bed: Bed) -> dict[tuple[int, str], tuple[int, int]]:
    """(series, gas) -> (mg, known) over all days."""
    rows = bed.conn.execute(
        "SELECT series, gas, sum(mg_sum)::bigint, sum(known)::integer FROM ledger_days GROUP BY 1, 2"
    )
    return {(series, gas): (mg, known) for series, gas, mg, known in rows}


def items(client: TestClient, granularity: str, by: str, **more: str) -> list[dict[str, Any]]:
    response = client.get(
        f"/v1/enterprises/{USCC}/emissions",
        params={
            "from": "2023-03-01T00:00:00+08:00",
            "to": "2023-03-02T06:00:00+08:00",
            "granularity": granularity,
            "by": by,
            "limit": 1000,
            **more,
        },
    )
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def test_an_entry_a_gas_each_rounded_once(bed: Bed) -> None:
    km = sum(range(101, 101 + HOURS))
    assert series_of(bed) == {
        (0, "CH4"): (km * CH4_MG_PER_KM, HOURS * 4),
        (2, "N2O"): (km * N2O_MG_PER_KM, HOURS * 4),
    }
    ledger = bed.ledger()
    day = bed.calendar.day(T0)
    amount = Fraction(ledger["exhaust", day, 0, 0][0].partition("e")[0])
    assert ledger["exhaust", day, 0, 0][1] == round_half_even(int(amount) * CH4_MG_PER_KM, 1)
    assert ledger["exhaust", day, 2, 0][1] == round_half_even(int(amount) * N2O_MG_PER_KM, 1)


@pytest.mark.parametrize("granularity", ["15m", "hour", "day", "month", "year"])
def test_gases_are_told_apart_and_intervals_counted_once(client: TestClient, granularity: str) -> None:
    by_gas = items(client, granularity, "gas")
    assert {item["gas"] for item in by_gas} == {"CH4", "N2O"}
    sums = {gas: sum(Decimal(i["co2e_kg"]) for i in by_gas if i["gas"] == gas) for gas in ("CH4", "N2O")}
    km = sum(range(101, 101 + HOURS))
    assert sums == {
        "CH4": Decimal(km * CH4_MG_PER_KM) / 1_000_000,
        "N2O": Decimal(km * N2O_MG_PER_KM) / 1_000_000,
    }
    for by in ("total", "source", "scope"):
        found = items(client, granularity, by)
        assert sum(Decimal(item["co2e_kg"]) for item in found) == sum(sums.values())
        assert {item["coverage"] for item in found} == {"1"}
    assert {item["coverage"] for item in by_gas} == {"1"}


def test_two_gases_do_not_make_up_for_missing_intervals(client: TestClient) -> None:
    found = items(client, "year", "total", **{"from": "2023-02-27T06:00:00+08:00"})
    assert [item["coverage"] for item in found] == ["0.416666"]  # 30 of 72 hours
    body = client.get(f"/v1/enterprises/{USCC}/windows", params={"at": "2023-03-02T06:00:00+08:00"}).json()
    windows = body.get("windows", body)
    assert windows["24h"]["coverage"] == "1"
    assert windows["7d"]["coverage"] == "0.178571"  # 30 of 168 hours


def test_the_derivation_shows_each_part(client: TestClient) -> None:
    body = client.get(
        f"/v1/enterprises/{USCC}/derivation",
        params={
            "source": "exhaust",
            "from": "2023-03-01T00:00:00+08:00",
            "to": "2023-03-01T01:00:00+08:00",
        },
    ).json()
    assert body["intervals_known"] == 4
    factors = {each["id"]: each for each in body["used_factors"]}
    assert [factors[part["factor"]]["gas"] for part in body["intervals"][0]["parts"]] == ["CH4", "N2O"]
    for interval in body["intervals"]:
        mg = {
            part["gas"]: round_half_even(
                *(
                    Fraction(interval["amount"]) * Fraction(factors[part["factor"]]["mg_per_unit"])
                ).as_integer_ratio()
            )
            for part in interval["parts"]
        }
        assert {part["gas"]: int(part["co2e_mg"]) for part in interval["parts"]} == mg
        assert int(interval["co2e_mg"]) == sum(mg.values())
    assert Decimal(body["co2e_kg"]) * 1_000_000 == sum(int(each["co2e_mg"]) for each in body["intervals"])


def test_a_method_of_one_gas_takes_the_second_away(bed: Bed, client: TestClient) -> None:
    """Corrected to fuel by distance: CH4 and N2O are superseded by CO2, and can still be read as of before."""
    before = sum(Decimal(item["co2e_kg"]) for item in items(client, "day", "total"))
    (moment,) = bed.conn.execute("SELECT to_json(max(committed_at)) FROM runs").fetchone() or ("",)
    bed.register(
        carrier(
            method="vehicle_fuel_by_distance",
            material=None,
            fuel="diesel",
            parameters=[
                {"name": "fuel_per_100km", "value": "30", "unit": "L/100km"},
                {"name": "density", "value": "0.84", "unit": "kg/L"},
            ],
        )
    )
    bed.tick()
    standing = series_of(bed)
    assert standing[0, "CO2"][1] == HOURS * 4
    assert {known for (series, _), (_, known) in standing.items() if series} == {0}
    after = items(client, "day", "gas")
    assert {item["gas"] for item in after} == {"CO2"}
    body = client.get(
        f"/v1/enterprises/{USCC}/derivation",
        params={
            "source": "exhaust",
            "from": "2023-03-01T00:00:00+08:00",
            "to": "2023-03-01T00:15:00+08:00",
        },
    ).json()
    (interval,) = body["intervals"]
    assert [part["gas"] for part in interval["parts"]] == ["CO2"]
    mg = int(Decimal(interval["supersedes"]["co2e_kg"]) * 1_000_000)
    assert mg == int(Decimal(interval["supersedes"]["amount"])) * (CH4_MG_PER_KM + N2O_MG_PER_KM)
    assert mg > 0
    (earlier,) = items(client, "year", "total", as_of=moment)
    assert Decimal(earlier["co2e_kg"]) == before
