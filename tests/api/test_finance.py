"""Financed emissions over accounts: where each borrower's emissions come from, and what isn't counted."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from accounting.finance.rules import rules
from carbonmeter.main import main
from storage.keys import Scope
from tests.api.conftest import CEMENT, STEEL, City, client_of

PATH = "/v1/financed-emissions"
MILLION = 10**6


def loan(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "year_end": "120000000", "equity": "900000000", "debt": "1500000000", **more}


def answer(client: TestClient, *loans: dict[str, Any], status: int = 200, **more: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"year": 2024, "loans": list(loans), **more})
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    return body


def test_the_vectors(client: TestClient) -> None:
    given = {"emissions_t": "500000", "option": "reported"}
    told = answer(
        client,
        loan("1", **given),
        loan("2", **given, denominator="total_assets", total_assets="3000000000"),
        loan("3", **given, denominator="revenue", revenue="1500000000"),
    )
    assert [each["financed_t"] for each in told["items"]] == ["25000", "20000", "40000"]
    assert [each["origin"] for each in told["items"]] == ["given"] * 3
    assert told["totals"]["financed_t"] == "85000"
    assert {each["code"]: each["confidence"] for each in told["marks"]}["revenue"] == "L"
    assert told["rules"] == rules().hash


def test_emissions_of_the_ledger(client: TestClient) -> None:
    told = answer(client, loan("1", uscc=STEEL))
    (item,) = told["items"]
    year = {"from": "2024-01-01T00:00:00+08:00", "to": "2025-01-01T00:00:00+08:00", "granularity": "year"}
    (total,) = client.get(f"/v1/enterprises/{STEEL}/emissions", params=year).json()["items"]
    assert Fraction(item["emissions_t"]) == Fraction(total["co2e_kg"]) / 1000
    assert (item["origin"], item["option"], item["pcaf_option"], item["pcaf_score"]) == (
        "ledger",
        "energy",
        "2a",
        2,
    )
    assert item["coverage"] is not None
    assert Fraction(item["attribution"]) == Fraction(1, 20)


def test_a_loan_that_cant_be_counted_says_why(client: TestClient) -> None:
    told = answer(
        client,
        loan("1", uscc="91430302XT0000019X"),
        loan("2", uscc=CEMENT, year_end="4000000"),
        loan("3", uscc=STEEL, denominator="evic"),
        loan("4", uscc=CEMENT, size="small"),
        loan("5", uscc=CEMENT, size="small", is_overseas=True),
        include=["small_enterprise"],
    )
    reasons = [each["reason"] for each in told["items"]]
    assert reasons[0] is not None
    assert "can't be read" in reasons[0]
    assert reasons[1] == "excluded: monthly average balance below five million yuan"
    assert reasons[2] == "evic needs evic"
    assert reasons[3] is None
    assert reasons[4] == "excluded: borrowers overseas"
    assert told["totals"]["counted"] == 1
    early = answer(client, loan("1", uscc=STEEL), year=2019)
    assert "nothing is known" in early["items"][0]["reason"]
    assert early["totals"]["pcaf_score"] is None


def test_what_was_verified_goes_before_the_ledger(city: City) -> None:
    with client_of(city, key=city.key(Scope.ADMIN)) as client:
        for year, provenance in ((2023, "reported"), (2022, "verified")):
            sent = client.post(
                "/v1/history",
                params={"uscc": CEMENT, "provenance": provenance},
                headers={"Content-Type": "text/csv"},
                content=f"year,source,amount,unit\n{year},purchased_heat,1000,GJ\n",
            )
            assert sent.status_code == 201, sent.text
            (item,) = answer(client, loan("1", uscc=CEMENT), year=year)["items"]
            assert (item["origin"], item["option"]) == ("statement", provenance)
            assert Fraction(item["emissions_t"]) == 110


def test_faults_come_all_at_once(client: TestClient) -> None:
    body = answer(
        client, {"id": "1", "year_end": "x"}, {"id": "2", "option": "luck"}, denominator="y", status=422
    )
    places = {each["place"] for each in body["errors"]}
    assert {"denominator", "loans[0].year_end", "loans[1].option"} <= places
    for wrong, part in (
        ({"loans": [loan("1", uscc=STEEL), loan("1", uscc=STEEL)]}, "stands twice"),
        ({"loans": [loan("1", uscc=STEEL)], "balance": "average"}, "loans[0].average is needed"),
        ({"loans": [loan("1")]}, "give the borrower's uscc"),
        ({"loans": [loan("1", emissions_t="1")]}, "stand together"),
    ):
        response = client.post(PATH, json={"year": 2024, **wrong})
        assert response.status_code == 422
        assert part in response.text
    assert client.post(PATH, content=b"x", headers={"Content-Type": "application/xml"}).status_code == 415


def test_a_table_in_and_out(client: TestClient) -> None:
    text = f"\ufeffid,uscc,year_end,equity,debt,is_overseas\n1,{STEEL},120000000,900000000,1500000000,否\n"
    response = client.post(
        PATH,
        params={"year": 2024, "format": "csv"},
        content=text.encode(),
        headers={"Content-Type": "text/csv"},
    )
    assert response.status_code == 200, response.text
    (row,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    assert (row["attribution"], row["origin"]) == ("0.05", "ledger")
    for wrong, part in (("id,colour\n1,red\n", "colour"), ("\xff", "UTF-8")):
        sent = wrong.encode("latin-1")
        response = client.post(
            PATH, params={"year": 2024}, content=sent, headers={"Content-Type": "text/csv"}
        )
        assert response.status_code == 422
        assert part in response.text


def test_the_command_says_the_same(
    client: TestClient,
    city: City,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CARBONMETER_DATABASE", city.database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))
    path = tmp_path / "loans.json"
    path.write_text(json.dumps({"year": 2024, "loans": [loan("1", uscc=STEEL)]}))
    assert main(["finance", str(path), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == answer(client, loan("1", uscc=STEEL))
    assert main(["finance", str(path)]) == 0
    assert "1 of 1 loans" in capfd.readouterr().out
    assert main(["finance", str(path), "--csv"]) == 0
    assert STEEL in capfd.readouterr().out
    path.write_text("{}")
    assert main(["finance", str(path)]) == 1
    assert "loans" in capfd.readouterr().err
