"""A compliance year over a ledger: totals, allowances, forecast, gap; electricity and certificates that count once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from accounting.quota.tables import tables
from domain.interval import Calendar
from storage.keys import Scope
from tests.api.books import Entry, day_of
from tests.api.conftest import CEMENT, MG_PER_KWH, STEEL, City, FixedClock, client_of, empty_city
from tests.servers import DatabaseServer

QUOTA = f"/v1/enterprises/{STEEL}/quota/2024"
GAS_MG = 2_000_000_000  # 2 t in each interval: 192 t a day
NOW = datetime(2024, 6, 30, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def books(plain_server: DatabaseServer) -> Iterator[City]:
    """Gas and electricity of STEEL on every day from 1 January to 29 June 2024, but the 10th of May."""
    with empty_city(plain_server) as city:
        books, steel = city.books, city.registry.enterprises[STEEL]
        books.run(NOW)
        electricity, gas = books.factor(MG_PER_KWH), books.factor(GAS_MG, formula="gas")
        books.source(city.source(STEEL, "grid"), steel.id, 2, electricity)
        books.source(
            city.source(STEEL, "boiler"), steel.id, 1, gas, boundaries=("account", "ets"), unit="nm3"
        )
        books.point(city.point(STEEL, "P-01/steel_kg"), steel.id)
        books.point(city.point(STEEL, "P-02/steel_t"), steel.id)
        for day in range(day_of("2024-01-01"), day_of("2024-06-30")):
            if day == day_of("2024-05-10"):
                continue
            books.write(city.source(STEEL, "boiler"), day, {index: Entry(100, GAS_MG) for index in range(96)})
            books.write(
                city.source(STEEL, "grid"), day, {index: Entry(100, MG_PER_KWH) for index in range(96)}
            )
            books.measure(
                city.point(STEEL, "P-01/steel_kg"), day, {index: Entry(100_000) for index in range(96)}
            )
            books.measure(city.point(STEEL, "P-02/steel_t"), day, {index: Entry(0) for index in range(96)})
        books.conn.commit()
        yield city


@pytest.fixture
def city(books: City) -> Iterator[City]:
    """The books with nothing stated yet: what is stated stays, so the test takes it away past the triggers."""
    yield books
    with books.database.connect() as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("TRUNCATE quota_statements, certificates")


@pytest.fixture
def client(city: City) -> Iterator[TestClient]:
    key = city.key(Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE, name="the bureau")
    with client_of(city, key=key, clock=FixedClock(NOW)) as client:
        yield client


def power(**more: Any) -> dict[str, Any]:
    unit = {
        "id": "1", "class": "II", "electricity": {"amount": "1000000"}, "heat": {"amount": "500000"}, "load": "0.60",
    }  # fmt: skip
    return {"uscc": STEEL, "year": 2024, "sector": "power", "units": [unit], **more}


def line(**more: Any) -> dict[str, Any]:
    a_line = {"id": "bf", "output": {"product": "crude_steel"}, "sources": ["boiler"]}
    return {"uscc": STEEL, "year": 2024, "sector": "steel", "lines": [a_line], **more}


def stated(client: TestClient, *statements: dict[str, Any], status: int = 201) -> Any:
    response = client.post("/v1/quotas", json={"statements": list(statements), "why": "the plan"})
    assert response.status_code == status, response.text
    return response.json()


def answer(client: TestClient, path: str = QUOTA, **parameters: str) -> dict[str, Any]:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_totals_and_a_forecast_need_no_statement(client: TestClient) -> None:
    told = answer(client)
    assert told["totals"]["ets_t"] == "34560.000000000"  # 180 days of 192 t
    account = 34560 + Fraction(180 * 96 * MG_PER_KWH, 10**9)
    assert Fraction(told["totals"]["account_t"]) == account
    assert [each["source"] for each in told["totals"]["sources"]] == ["boiler", "grid"]
    assert [each["boundaries"] for each in told["totals"]["sources"]] == [["account", "ets"], ["account"]]
    assert told["forecast"] == {
        "emissions_t": {"p10": "70272", "p50": "70272", "p90": "70272"},  # 366 days, without any spread
        "way": "recent_days",
        "known_days": 180,
        "days_left": 186,
    }
    assert told["lacking"] == ["nothing is stated of the year's units or lines: see POST /v1/quotas"]
    assert told["tables"] == tables().hash


def test_a_power_station(client: TestClient) -> None:
    stated(client, power(holdings_t="1000"))
    told = answer(client)
    (unit,) = told["units"]
    assert (unit["load_factor"], unit["electricity_t"], unit["heat_t"]) == ("1.061364", "854291", "51650")
    assert unit["marks"][0]["confidence"] == "H"
    assert (told["allowance_t"], told["floor_t"]) == ("905941", str(math.floor(70272 * 0.8)))
    assert Fraction(told["gap_t"]["p50"]) == 70272 - 905941 - 1000
    assert told["warning"]["band"] == "none"
    assert told["statement"]["by"] == "the bureau"
    assert {
        "day": "2025-12-31",
        "event": "surrender",
        "period": "2024",
        "is_alarm": False,
        "days_left": 549,
    } in told["calendar"]


def test_a_line_by_its_intensity(client: TestClient) -> None:
    stated(client, line(year=2024), line(year=2025, balance_value="2"))
    assert answer(client)["lines"][0]["alpha"] == "0"
    (told,) = answer(client)["lines"]
    # 1,000.00 kg of steel an interval, forecast to 366 days
    assert (told["emissions_t"], told["output_t"]) == ("70272", "35136")
    late = f"/v1/enterprises/{STEEL}/quota/2025"
    assert "nothing of boiler is known" in answer(client, late)["lacking"][-1]
    given = {"id": "bf", "output": {"amount": "100"}, "emissions_t": "78"}
    stated(client, {**line(year=2025, balance_value="0.84"), "lines": [given]})
    assert answer(client, late)["lines"][0]["alpha"] == "0.010714285714"
    other = answer(client, late, balance_value="1")
    assert (other["lines"][0]["balance_value"], other["lines"][0]["alpha"]) == ("1", "0.03")
    statements = answer(client, f"{late}/statements")["items"]
    assert [each["statement"]["balance_value"] for each in statements] == ["2", "0.84"]


def test_the_same_again_changes_nothing(client: TestClient) -> None:
    one = stated(client, power())
    assert stated(client, power()) == one
    assert len(answer(client, f"{QUOTA}/statements")["items"]) == 1


def test_a_statement_stays(client: TestClient, city: City) -> None:
    stated(client, power())
    with city.database.connect() as conn, pytest.raises(psycopg.errors.RaiseException, match="nothing in it"):
        conn.execute("DELETE FROM quota_statements")


def test_faults_of_statements_come_all_at_once(client: TestClient) -> None:
    wrong = line()
    wrong["lines"] = [{"id": "bf", "output": {"product": "gold"}, "sources": ["sun"]}]
    body = stated(client, power(), power(), wrong, power(uscc="nobody"), status=422)
    assert [(each["place"], each["message"]) for each in body["errors"]] == [
        ("body.statements[1]", f"{STEEL} 2024 stands twice"),
        ("body.statements[2]", f"{STEEL} 2024 stands twice"),
        ("body.statements[2].lines[0].sources", f"{STEEL} has no source 'sun'"),
        ("body.statements[2].lines[0].output.product", f"{STEEL} has no product 'gold'"),
        ("body.statements[3].uscc", "no enterprise 'nobody' is registered"),
    ]
    wrong = power()
    wrong["units"][0]["electricity"] = {"product": "crude_steel"}
    (fault,) = stated(client, wrong, status=422)["errors"]
    assert fault["place"] == "body.statements[0].units[0].electricity.product"
    for bad in ({**power(), "lines": [{"id": "x"}]}, {**line(), "lines": []}, power(holdings_t="-1")):
        assert stated(client, bad, status=422)["errors"]


def certificate(number: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "year": 2024, "mwh": "1", "retired_on": "2024-06-01", "evidence": "GEC register", **more,
    }  # fmt: skip


def enter(client: TestClient, *given: dict[str, Any], uscc: str = STEEL, status: int = 201) -> Any:
    response = client.post(f"/v1/enterprises/{uscc}/certificates", json={"certificates": list(given)})
    assert response.status_code == status, response.text
    return response.json()


def test_electricity_two_ways(client: TestClient) -> None:
    path = f"/v1/enterprises/{STEEL}/electricity/2024"
    bought = Fraction(180 * 96, 1000)
    told = answer(client, path)
    assert Fraction(told["purchased_mwh"]) == bought
    assert told["market_factor"]["value"] == "0.6096"
    assert (told["market_factor"]["provisional"], told["market_factor"]["confidence"]) == (True, "H")
    assert Fraction(told["location_tco2e"]) == Fraction(180 * 96 * MG_PER_KWH, 10**9)
    assert Fraction(told["market_tco2e"]) == bought * Fraction("0.6096")
    enter(client, certificate("A-1"), certificate("A-2", mwh="2.5"), certificate("A-3", year=2023))
    told = answer(client, path)
    assert told["certified_mwh"] == "3.5"  # of the same calendar year alone
    assert Fraction(told["market_tco2e"]) == (bought - Fraction("3.5")) * Fraction("0.6096")
    enter(client, certificate("A-4", mwh="100"))
    told = answer(client, path)
    assert (told["market_tco2e"], Fraction(told["idle_mwh"])) == ("0", Fraction("103.5") - bought)


def test_a_certificate_counts_once(client: TestClient) -> None:
    assert enter(client, certificate("A-1"), certificate("A-2")) == {"new": 2, "known": 0}
    assert enter(client, certificate("A-2"), certificate("A-3")) == {"new": 1, "known": 1}
    body = enter(client, certificate("A-1"), certificate("B-1"), certificate("B-1"), uscc=CEMENT, status=422)
    assert [each["message"] for each in body["errors"]] == [
        "certificate A-1 counts for another enterprise already",
        "certificate B-1 stands twice",
    ]
    body = enter(client, certificate("A-1", year=2023), status=422)
    assert "void that first" in body["errors"][0]["message"]
    voided = client.post(
        f"/v1/enterprises/{STEEL}/certificates/void",
        json={"number": "A-1", "why": "entered for the wrong plant"},
    )
    assert voided.status_code == 200, voided.text
    assert enter(client, certificate("A-1"), uscc=CEMENT) == {"new": 1, "known": 0}
    items = answer(client, f"/v1/enterprises/{STEEL}/certificates")["items"]
    assert [(each["number"], each["voided_by"]) for each in items] == [
        ("A-1", "the bureau"),
        ("A-2", None),
        ("A-3", None),
    ]
    again = client.post(
        f"/v1/enterprises/{STEEL}/certificates/void", json={"number": "A-1", "why": "once more"}
    )
    assert again.json() == voided.json()
    unknown = client.post(
        f"/v1/enterprises/{STEEL}/certificates/void", json={"number": "B-9", "why": "unknown"}
    )
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("wrong", "place"),
    [({"mwh": "0"}, "mwh"), ({"mwh": "000.00"}, "mwh"), ({"retired_on": 0}, "retired_on")],
)
def test_a_certificate_of_nothing_or_of_no_date_is_refused(
    client: TestClient, wrong: dict[str, Any], place: str
) -> None:
    body = enter(client, certificate("N-1") | wrong, status=422)
    assert [each["place"] for each in body["errors"]] == [f"body.certificates[0].{place}"]


def test_certificates_come_in_pages(client: TestClient) -> None:
    enter(client, *(certificate(f"N-{number}") for number in range(5)))
    path, found, cursor = f"/v1/enterprises/{STEEL}/certificates", [], None
    while True:
        page = answer(client, path, limit="2", **({"cursor": cursor} if cursor else {}))
        found += [each["number"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"N-{number}" for number in range(5)]


def test_a_certificate_stays_as_it_was_entered(client: TestClient, city: City) -> None:
    enter(client, certificate("A-1"))
    for statement in (
        "UPDATE certificates SET mwh = 2",
        "DELETE FROM certificates",
        "TRUNCATE certificates",
        "UPDATE certificates SET mwh = 2, voided_at = now(), voided_by = 'x', void_why = 'y'",
    ):
        with city.database.connect() as conn, pytest.raises(psycopg.errors.RaiseException):
            conn.execute(statement)


def test_two_who_enter_one_number_at_once(city: City) -> None:
    """The index decides where both have looked before either wrote."""
    from storage import quotas

    steel, cement = (city.registry.enterprises[uscc].id for uscc in (STEEL, CEMENT))
    with city.database.connect() as one, city.database.connect() as other:
        day = Calendar().date(day_of("2024-06-01"))
        assert (
            quotas.add_certificates(one, [quotas.NewCertificate("A-1", steel, 2024, 1, day, "x")], "one") == 1
        )
        one.commit()
        new = [quotas.NewCertificate(number, cement, 2024, 1, day, "x") for number in ("A-1", "A-2")]
        assert quotas.add_certificates(other, new, "other") == 1
