"""Promise 5: every entry can be repeated from the API's derivation alone, over HTTP, by a checker of its own."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from accounting.factors.load import load as load_library
from api.app import create_app
from api.settings import ApiSettings
from domain.interval import DAY_US, INTERVAL_US
from storage import keys
from storage.keys import Scope
from tests.accounting.bed import REGISTER, T0, USCC, Bed, Sent, enterprise
from tests.api.conftest import FixedClock
from tests.api.serving import serving
from tests.independent import derivation
from tests.independent.derivation import Repeated
from tests.servers import DatabaseServer

Get = Callable[[str, dict[str, Any]], Any]

FROM, TO = "2023-03-01T00:00:00+08:00", "2023-03-04T00:00:00+08:00"
SINCE = "2023-01-01T00:00:00+08:00"
MINUTE_US = 60_000_000
# the table of verification values of IAPWS-IF97, region 2: h(700 K, 30 MPa) = 2631.49474 kJ/kg
STEAM = {("30.00", "426.85"): "2631.49474"}


def channel(quantity: str, kind: str, unit: str, resolution: str = "0.01", **more: Any) -> dict[str, Any]:
    return {
        "id": "v", "quantity": quantity, "kind": kind, "unit": unit, "multiplier": "1", "resolution": resolution,
        "valid_from": SINCE, **more,
    }  # fmt: skip


def delta(quantity: str, unit: str, period: str = "PT1H", **more: Any) -> dict[str, Any]:
    return channel(quantity, "delta", unit, period=period, **more)


METERS: dict[str, list[dict[str, Any]]] = {
    "E-01": [{**REGISTER, "multiplier": "20", "max_rate": "5000"}],
    # a tenant's meter that comes in the middle of an afternoon
    "E-02": [{**REGISTER, "valid_from": "2023-03-01T15:07:00+08:00"}],
    "P-01": [channel("electricity_export", "rate", "kW", "0.1", max_gap="PT1H")],
    "G-01": [delta("natural_gas", "nm3")],
    "L-01": [delta("material", "kg")],
    "S-01": [delta("product", "t")],
    "T-01": [delta("oil", "t", "P1D")],
    "W-01": [channel("steam", "rate", "t/h", max_gap="PT1H")],
    "W-02": [channel("pressure", "rate", "MPa", max_gap="PT1H")],
    "W-03": [channel("temperature", "rate", "degC", max_gap="PT1H")],
}
DOCUMENT = enterprise(
    METERS,
    [
        {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh - E-02/kwh"},
        {"id": "out", "method": "exported_electricity", "expression": "P-01/v"},
        {
            "id": "boiler",
            "method": "fuel_combustion",
            "fuel": "natural_gas",
            "expression": "G-01/v",
            "parameters": [
                {
                    "name": "ncv",
                    "value": "391.20",
                    "unit": "GJ/10k_nm3",
                    "from": "2023-03-01",
                    "origin": "measured",
                },
                {
                    "name": "ncv",
                    "value": "388.7",
                    "unit": "GJ/10k_nm3",
                    "from": "2023-03-02",
                    "origin": "measured",
                },
                {"name": "oxidation_rate", "value": "0.985", "from": "2023-03-03", "origin": "measured"},
            ],
        },
        {"id": "flux", "method": "flux_decomposition", "material": "dolomite", "expression": "L-01/v"},
        {"id": "fixed", "method": "carbon_fixed", "material": "crude_steel", "expression": "S-01/v"},
        {"id": "tar", "method": "exported_fuel", "fuel": "coal_tar", "expression": "T-01/v"},
        {"id": "heat", "method": "purchased_heat", "expression": "W-01/heat"},
    ],
    derived=[
        {
            "id": "W-01/heat",
            "function": "steam_heat",
            "inputs": {"mass": "W-01/v", "pressure": "W-02/v", "temperature": "W-03/v"},
            "unit": "GJ",
        }
    ],
)
GAS_USCC = "91430304XT0000022B"
GAS_DOCUMENT = {
    **enterprise(
        {
            "F-01": [delta("other", "nm3")],
            "F-02": [delta("other", "nm3")],
            "D-01": [delta("other", "10k_nm3")],
        },
        [
            {
                "id": "flare",
                "method": "flare_normal",
                "expression": "F-01/v",
                "parameters": [
                    {"name": "carbon_content_mass", "value": "5.62"},
                    {"name": "co2_fraction", "value": "0.021"},
                    {"name": "ch4_fraction", "value": "0.87"},
                    {"name": "ch4_fraction", "value": "0.91", "from": "2023-03-02"},
                ],
            },
            {
                "id": "recovered",
                "method": "ch4_recovery",
                "expression": "F-02/v",
                "parameters": [{"name": "purity", "value": "0.82"}],
            },
            {"id": "processing", "method": "processing_fugitive", "expression": "D-01/v"},
        ],
    ),
    "uscc": GAS_USCC,
    "industry": "oil_gas",
}
SOURCES = [source["id"] for source in DOCUMENT["sources"]]
DEDUCTIONS = {"out", "fixed", "tar"}
IN_THE_MARKET = {"boiler", "flux", "fixed", "tar"}


def readings() -> list[Sent]:
    """Three days: quarter-hours read exactly and not, a silent hour, odd amounts that don't divide."""
    sent: list[Sent] = []
    for k in range(3 * 96 + 1):
        at = T0 + k * INTERVAL_US
        if not 40 < k < 46:  # an hour's silence: its amount is known and its timing isn't
            sent.append(Sent(at + (k % 3) * 4 * MINUTE_US, f"{1000 + k * 7}.{k % 100:02d}", "E-01/kwh"))
        sent.append(Sent(at, f"{50 + k}.5", "E-02/kwh"))
        sent.append(Sent(at + (k % 2) * 5 * MINUTE_US, f"{(k * 37) % 90}.{k % 10}", "P-01/v"))
        sent.append(Sent(at, f"{(k * 13) % 40}.25", "W-01/v"))
        sent += [Sent(at, "30.00", "W-02/v"), Sent(at, "426.85", "W-03/v")]
    for hour in range(1, 73):
        at = T0 + hour * 4 * INTERVAL_US
        if hour != 30:
            sent.append(Sent(at, f"{100 + (hour * 17) % 60}.37", "G-01/v"))
        sent += [Sent(at, f"{(hour * 911) % 5000}.01", "L-01/v"), Sent(at, f"{hour % 7}.03", "S-01/v")]
    sent += [Sent(T0 + day * DAY_US, f"{day * 3}.17", "T-01/v") for day in (1, 2, 3)]
    return sent


def gas_readings() -> list[Sent]:
    return [
        Sent(T0 + hour * 4 * INTERVAL_US, f"{(hour * step) % 4000}.07", point)
        for hour in range(1, 73)
        for point, step in (("F-01/v", 331), ("F-02/v", 17), ("D-01/v", 7))
    ]


@pytest.fixture(scope="module")
def get(plain_server: DatabaseServer) -> Iterator[Get]:
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(DOCUMENT, GAS_DOCUMENT)
        bed.store(readings())
        bed.store(gas_readings(), GAS_USCC)
        bed.tick()
        bed.store([Sent(T0 + 42 * INTERVAL_US, "1301.00", "E-01/kwh")])  # late: what it changes is superseded
        bed.tick()
        key, _ = keys.create(conn, [Scope.EMISSIONS_READ], [], "")
        conn.commit()
        clock = FixedClock(datetime.fromisoformat("2023-03-05T00:00:00+08:00"))
        app = create_app(ApiSettings(database.url, connections_max=2), clock, load_library())
        with serving(app) as address:

            def answer(path: str, parameters: dict[str, Any]) -> Any:
                asked = {**parameters}
                uscc = asked.pop("uscc", USCC)
                request = urllib.request.Request(
                    f"{address}/v1/enterprises/{uscc}/{path}?{urllib.parse.urlencode(asked)}",
                    headers={"Authorization": f"Bearer {key}"},
                )
                with urllib.request.urlopen(request) as response:
                    return json.load(response)

            yield answer


def repeated(get: Get, source: str, **more: Any) -> Repeated:
    asked = {"source": source, "from": FROM, "to": TO, "limit": 100, **more}
    return derivation.repeat(list(derivation.pages(get, "derivation", asked)), STEAM)


@pytest.mark.parametrize("source", SOURCES)
def test_every_entry_of_a_source_is_repeated(get: Get, source: str) -> None:
    result = repeated(get, source)
    assert len(result.mg) > 200
    assert all(mg <= 0 if source in DEDUCTIONS else mg >= 0 for mg in result.mg.values())
    assert any(result.mg.values())
    # what is counted by differences, areas and steam is repeated from readings as well
    assert result.from_readings > (200 if source in ("grid", "out", "heat") else -1)
    assert result.factors == (3 if source == "boiler" else 1)


def test_several_gases_of_a_source_are_repeated_one_by_one(get: Get) -> None:
    results = {
        source: repeated(get, source, uscc=GAS_USCC) for source in ("flare", "recovered", "processing")
    }
    assert {source: set(result.mg_by_gas) for source, result in results.items()} == {
        "flare": {"CO2", "CH4"},
        "recovered": {"CH4"},
        "processing": {"CH4"},
    }
    assert results["flare"].factors == 4  # two gases, two values of a parameter
    assert results["recovered"].mg_by_gas["CH4"] < 0
    told: dict[str, Fraction] = {}
    for item in emissions(get, **{"from": FROM, "to": TO, "by": "gas", "granularity": "day"}, uscc=GAS_USCC):
        told[item["gas"]] = told.get(item["gas"], Fraction(0)) + Fraction(item["co2e_kg"])
    for gas in ("CO2", "CH4"):
        found = sum(result.mg_by_gas.get(gas, 0) for result in results.values())
        assert told[gas] * 1_000_000 == found


def test_what_was_superseded_is_repeated_as_of_then(get: Get) -> None:
    asked = {"source": "grid", "from": FROM, "to": TO, "limit": 1000}
    (now,) = derivation.pages(get, "derivation", asked)
    changed = [interval for interval in now["intervals"] if interval["supersedes"]]
    assert changed
    before = changed[0]["supersedes"]["committed_at"]
    (then,) = derivation.pages(get, "derivation", {**asked, "as_of": before})
    assert derivation.repeat([then]).mg != derivation.repeat([now]).mg
    by_time = {interval["at"]: interval for interval in then["intervals"]}
    for interval in changed:
        assert by_time[interval["at"]]["co2e_kg"] == interval["supersedes"]["co2e_kg"]


@pytest.mark.parametrize(("boundary", "counted"), [("account", set(SOURCES)), ("ets", IN_THE_MARKET)])
def test_every_total_is_the_exact_sum_of_its_entries(get: Get, boundary: str, counted: set[str]) -> None:
    results = {source: repeated(get, source, boundary=boundary) for source in SOURCES}
    assert {source for source, result in results.items() if result.mg} == counted
    asked = {"from": FROM, "to": TO, "granularity": "day", "boundary": boundary}
    for granularity in ("day", "hour"):
        for by in ("source", "scope", "gas", "total"):
            items = emissions(get, **{**asked, "by": by, "granularity": granularity})
            told = sum(
                (Fraction(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None), Fraction(0)
            )
            assert told == sum((result.total_kg for result in results.values()), Fraction(0))
    for source, result in results.items():
        told = sum(
            (
                Fraction(item["co2e_kg"])
                for item in emissions(get, **asked, by="source")
                if item["source"] == source and item["co2e_kg"] is not None
            ),
            Fraction(0),
        )
        assert told == result.total_kg


def emissions(get: Get, **asked: Any) -> Sequence[dict[str, Any]]:
    return [item for page in derivation.pages(get, "emissions", asked) for item in page["items"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda page: page["intervals"][5].update(co2e_mg="1"),
        lambda page: page["intervals"][5]["terms"][0].update(amount="0.01"),
        lambda page: page["used_factors"][0]["factors"][0].update(value="0.4"),
        lambda page: page["used_factors"][0].update(amount_per_unit="1"),
        lambda page: page["channels"][0]["readings"][7].update(value="0.00"),
        lambda page: page.update(co2e_kg="1"),
        lambda page: page["intervals"].pop(),
    ],
)
def test_the_checker_sees_what_is_wrong(get: Get, spoil: Callable[[dict[str, Any]], Any]) -> None:
    (page,) = derivation.pages(get, "derivation", {"source": "grid", "from": FROM, "to": TO, "limit": 1000})
    derivation.repeat([page])
    spoil(page)
    with pytest.raises(derivation.DisagreementError):
        derivation.repeat([page])
