"""Reports over a ledger: equal to what /emissions answers, reproducible after a restatement, frozen once published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from accounting.report.document import canonical
from storage.keys import Scope
from tests.api.books import ESTIMATED, MISSING, Entry, day_of
from tests.api.conftest import (
    MG_PER_KWH,
    MG_PER_NM3,
    NOW,
    STEEL,
    City,
    FixedClock,
    client_of,
    empty_city,
    fill,
    local,
)
from tests.servers import DatabaseServer

REPORT = f"/v1/enterprises/{STEEL}/reports/2024"
WHOLE = {"from": local("2024-01-01T00:00:00"), "to": local("2025-01-01T00:00:00"), "granularity": "year"}


def get(client: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    response = client.get(path, params=parameters or None)  # an empty one would take the address's own away
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def emissions(client: TestClient, by: str, boundary: str, **more: Any) -> dict[str, Any]:
    found = get(client, f"/v1/enterprises/{STEEL}/emissions", by=by, boundary=boundary, **WHOLE, **more)
    return {str(each.get(by, "total")): each for each in found["items"]}


def assert_equals_emissions(client: TestClient, report: dict[str, Any], **more: Any) -> None:
    for total in report["totals"]:
        boundary = total["boundary"]
        (whole,) = emissions(client, "total", boundary, **more).values()
        assert (total["kg"], total["coverage"]) == (whole["co2e_kg"], whole["coverage"])
        by_source = emissions(client, "source", boundary, **more)
        lines = {each["source"]: each[f"{boundary}_kg"] for each in report["emissions"]}
        assert {name: kg for name, kg in lines.items() if name in by_source} == {
            name: each["co2e_kg"] for name, each in by_source.items()
        }
        quality = {
            each["source"]: each["coverage"] for each in report["quality"] if each["boundary"] == boundary
        }
        assert quality == {name: each["coverage"] for name, each in by_source.items()}
        by_gas = emissions(client, "gas", boundary, **more)
        assert {each["key"]: each["kg"] for each in total["by_gas"]} == {
            name: each["co2e_kg"] for name, each in by_gas.items() if each["co2e_kg"] is not None
        }


def test_totals_equal_the_emissions(client: TestClient) -> None:
    report = get(client, REPORT)
    assert_equals_emissions(client, report)
    account, ets = report["totals"]
    assert Fraction(account["kg"]) * 10**6 == 4316 * MG_PER_KWH + 384 * MG_PER_NM3
    assert Fraction(ets["kg"]) * 10**6 == 384 * MG_PER_NM3
    assert report["period"] == {
        "year": 2024, "first_day": "2024-01-01", "last_day": "2024-12-31", "zone": "+08:00", "complete": False,
    }  # fmt: skip
    assert [each["amount"] for each in report["products"]] == ["72"]
    assert report["enterprise"]["park"] == "湘潭经济技术开发区"


def test_the_hash_is_of_all_the_rest(client: TestClient) -> None:
    report = get(client, REPORT)
    assert report["sha256"] == hashlib.sha256(canonical({**report, "sha256": ""})).hexdigest()


def test_a_year_without_entries_is_null(client: TestClient) -> None:
    report = get(client, f"/v1/enterprises/{STEEL}/reports/2020")
    assert [each["kg"] for each in report["totals"]] == [None, None]
    assert report["emissions"] == []
    assert report["period"]["complete"]


@pytest.mark.parametrize(("form", "start"), [("xlsx", b"PK"), ("pdf", b"%PDF-")])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_files_have_names_and_types(client: TestClient, form: str, start: bytes, language: str) -> None:
    response = client.get(REPORT, params={"format": form, "lang": language})
    assert response.status_code == 200
    assert response.content.startswith(start)
    assert response.headers["content-disposition"] == (
        f'attachment; filename="report-{STEEL}-2024-{language}.{form}"'
    )
    assert response.content == client.get(REPORT, params={"format": form, "lang": language}).content


@pytest.fixture
def own_city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        fill(city)
        yield city


def restate(city: City) -> None:
    """A corrected reading, an hour that is found again, and an estimate that is gone."""
    books, grid = city.books, city.source(STEEL, "grid")
    books.run(NOW + timedelta(hours=1), why="the corrected reading")
    books.write(grid, day_of("2024-05-02"), {5: Entry(250, 250 * MG_PER_KWH // 100)})
    books.write(grid, day_of("2024-05-10"), {0: Entry(100, MG_PER_KWH, ESTIMATED)})
    books.write(grid, day_of("2024-06-01"), {7: MISSING})
    books.conn.commit()


def test_as_of_gives_the_same_bytes_after_a_restatement(own_city: City) -> None:
    clock = FixedClock()
    with client_of(own_city, clock=clock, key=own_city.key(Scope.EMISSIONS_READ)) as client:
        as_of = NOW.isoformat()
        forms = [(form, lang) for form in ("json", "xlsx", "pdf") for lang in ("zh", "en")]
        before = [
            client.get(REPORT, params={"format": f, "lang": g, "as_of": as_of}).content for f, g in forms
        ]
        now = client.get(REPORT).content
        assert json.loads(before[0]) == json.loads(now)
        restate(own_city)
        clock.now = NOW + timedelta(days=30)
        assert before == [
            client.get(REPORT, params={"format": f, "lang": g, "as_of": as_of}).content for f, g in forms
        ]
        present = get(client, REPORT)
        assert_equals_emissions(client, present)
        assert_equals_emissions(client, json.loads(before[0]), as_of=as_of)
        difference = Fraction(present["totals"][0]["kg"]) - Fraction(json.loads(now)["totals"][0]["kg"])
        assert difference * 10**6 == MG_PER_KWH * (Fraction("1.5") + 1 - 1)
        ahead = client.get(REPORT, params={"as_of": (clock.now + timedelta(days=1)).isoformat()})
        assert ahead.status_code == 422


def test_a_published_report_stays_and_its_difference_is_told(own_city: City) -> None:
    clock = FixedClock()
    with client_of(own_city, clock=clock, key=own_city.key(Scope.ADMIN, name="王工")) as client:
        posted = client.post(f"/v1/enterprises/{STEEL}/reports", json={"year": 2024, "why": "年度报告"})
        assert posted.status_code == 201, posted.text
        published = posted.json()
        path = posted.headers["location"]
        assert path == f"/v1/reports/{published['id']}"
        assert (published["by"], published["why"], published["year"]) == ("王工", "年度报告", 2024)
        present = client.get(REPORT).content
        assert client.get(path).content == present
        assert published["sha256"] == json.loads(present)["sha256"]
        kept = {
            (form, lang): client.get(path, params={"format": form, "lang": lang}).content
            for form in ("xlsx", "pdf")
            for lang in ("zh", "en")
        }
        for (form, lang), content in kept.items():
            assert content == client.get(REPORT, params={"format": form, "lang": lang}).content
        same = get(client, f"{path}/differences")
        assert (same["differs"], same["totals"], same["sources"]) == (False, [], [])

        restate(own_city)
        clock.now = NOW + timedelta(days=1)
        assert client.get(path).content == present
        for (form, lang), content in kept.items():
            assert content == client.get(path, params={"format": form, "lang": lang}).content
        told = get(client, f"{path}/differences")
        assert told["differs"]
        extra = Fraction("1.5") * MG_PER_KWH / 10**6
        assert [(each["boundary"], Fraction(each["difference_kg"])) for each in told["totals"]] == [
            ("account", extra)
        ]
        (source,) = told["sources"]
        assert (source["source"], source["boundary"]) == ("grid", "account")
        assert Fraction(source["present_kg"]) - Fraction(source["published_kg"]) == Fraction(
            source["difference_kg"]
        )
        explained = get(client, told["explained_by"]["account"])
        (item,) = explained["items"]
        assert (item["source"], Fraction(item["difference_kg"])) == (
            "grid",
            Fraction(source["difference_kg"]),
        )
        assert [cause["why"] for cause in item["causes"]] == ["the corrected reading"]

        again = client.post(f"/v1/enterprises/{STEEL}/reports", json={"year": 2024, "why": "更正"}).json()
        assert get(client, f"/v1/reports/{again['id']}/differences")["differs"] is False
        listed = get(client, f"/v1/enterprises/{STEEL}/reports")
        assert [each["id"] for each in listed["items"]] == [published["id"], again["id"]]
        first = get(client, f"/v1/enterprises/{STEEL}/reports", limit=1)
        second = get(client, f"/v1/enterprises/{STEEL}/reports", limit=1, cursor=first["next"])
        assert [each["id"] for page in (first, second) for each in page["items"]] == [
            published["id"], again["id"],
        ]  # fmt: skip
        assert second["next"] is None
        assert get(client, f"/v1/enterprises/{STEEL}/reports", year=2023)["items"] == []


def test_an_earlier_state_can_be_published(own_city: City) -> None:
    clock = FixedClock(NOW + timedelta(days=1))
    restate(own_city)
    with client_of(own_city, clock=clock, key=own_city.key(Scope.ADMIN)) as client:
        body = {"year": 2024, "why": "as it stood", "as_of": NOW.isoformat()}
        published = client.post(f"/v1/enterprises/{STEEL}/reports", json=body).json()
        assert Fraction(published["account_kg"]) * 10**6 == 4316 * MG_PER_KWH + 384 * MG_PER_NM3
        assert get(client, f"/v1/reports/{published['id']}/differences")["differs"]
        as_then = get(client, f"/v1/reports/{published['id']}/differences", as_of=NOW.isoformat())
        assert as_then["differs"] is False


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"year": 2024}, {"body.why"}),
        ({"year": 2024, "why": "a\0b"}, {"body.why"}),
        (
            {"year": 20240, "why": "", "as_of": "today", "x": 1},
            {"body.year", "body.why", "body.as_of", "body.x"},
        ),
        ({"year": 2024, "why": "early", "as_of": "2099-01-01T00:00:00Z"}, {"as_of"}),
    ],
)
def test_what_can_t_be_published_is_refused(
    client: TestClient, city: City, body: Any, places: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {city.key(Scope.ADMIN)}"}
    response = client.post(f"/v1/enterprises/{STEEL}/reports", json=body, headers=headers)
    assert response.status_code == 422
    assert {each["place"].removeprefix("body.") for each in response.json()["errors"]} == {
        each.removeprefix("body.") for each in places
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE published_reports SET why = ''",
        "DELETE FROM published_files",
        "DELETE FROM published_reports",
        "TRUNCATE published_files",
    ],
)
def test_what_was_published_can_t_be_changed(city: City, statement: str) -> None:
    with city.database.connect() as conn, pytest.raises(psycopg.errors.RaiseException, match="nothing in it"):
        conn.execute(statement)


def test_what_was_stated_of_a_year_stands_in_its_report(own_city: City) -> None:
    clock = FixedClock(datetime.now(UTC))
    with client_of(own_city, clock=clock, key=own_city.key(Scope.ADMIN, name="王工")) as client:
        path = f"/v1/enterprises/{STEEL}/reports/2022"
        assert get(client, path)["statement"] is None
        before = clock.now
        rows = (
            f"uscc,year,source,amount,unit,provenance\n{STEEL},2022,purchased_electricity,5200,MWh,reported\n"
        )
        sent = client.post(
            "/v1/history",
            content=rows.encode(),
            headers={"Content-Type": "text/csv"},
            params={"why": "2020-2024", "file_name": "years.csv"},
        )
        assert sent.status_code == 201, sent.text
        clock.now = datetime.now(UTC)
        statement = get(client, path)["statement"]
        assert (statement["file"], statement["by"], statement["why"]) == ("years.csv", "王工", "2020-2024")
        assert (statement["number"], statement["provenance"]) == (1, "reported")
        year = get(client, f"/v1/enterprises/{STEEL}/history/2022")
        assert statement["answer"]["totals"]["account_tco2e"] == year["account_tco2e"]
        assert get(client, path, as_of=before.isoformat())["statement"] is None
        assert client.get(path, params={"format": "pdf"}).content.startswith(b"%PDF")
