"""History over HTTP: files in, years out, versions, what is missing; the sums are the inventory's."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient

from accounting.factors.load import load as load_library
from accounting.factors.resolve import FactorLibrary
from accounting.history.cells import BYTES_MAX
from accounting.inventory.answer import inventory_answer
from api.history import SentFile, import_file, recompute
from domain.errors import FaultyDocument
from storage import history, keys
from storage import registry as registry_storage
from storage.keys import Scope
from tests.accounting.history_cases import NOBODY, xlsx
from tests.accounting.history_cases import csv as csv_of
from tests.api.conftest import CEMENT, STEEL, City, client_of, empty_city, local, walk
from tests.api.test_every_route import assert_problem
from tests.servers import DatabaseServer

HEADER = (
    "uscc",
    "year",
    "source",
    "fuel",
    "material",
    "amount",
    "unit",
    "ncv [GJ/t]",
    "cao",
    "mgo",
    "provenance",
    "note",
)
COAL = (STEEL, "2022", "fuel_combustion", "烟煤", "", "1000", "t", "20.1", "", "", "核查", "")
POWER = (STEEL, "2022", "purchased_electricity", "", "", "5200", "MWh", "", "", "", "reported", "meter 3")
CLINKER = (CEMENT, "2021", "clinker_calcination", "", "", "100", "t", "", "0.65", "0.02", "estimated", "")
CSV = {"Content-Type": "text/csv"}
XLSX = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@pytest.fixture
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        yield city


@pytest.fixture
def client(city: City) -> Iterator[TestClient]:
    with client_of(city, key=city.key(Scope.ADMIN, name="the city")) as client:
        yield client


def post(client: TestClient, content: bytes, **parameters: Any) -> Any:
    headers = XLSX if content.startswith(b"PK") else CSV
    return client.post("/v1/history", content=content, headers=headers, params=parameters)


def counts(city: City) -> list[int]:
    with city.database.connect() as conn:
        return [
            conn.execute(f"SELECT count(*) FROM history_{table}").fetchone()[0]  # type: ignore[index]
            for table in ("batches", "statements", "rows", "versions")
        ]


def test_a_file_is_brought_in_and_read_back(client: TestClient) -> None:
    answer = post(client, csv_of(HEADER, COAL, POWER, CLINKER), why="2020-2024", file_name="years.csv")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["rows"], told["new"], told["superseded"], told["unchanged"]) == (3, 2, 0, 0)
    assert [(each["uscc"], each["year"], each["provenance"]) for each in told["years"]] == [
        (STEEL, 2022, "reported"),
        (CEMENT, 2021, "estimated"),
    ]
    (item,) = client.get(f"/v1/enterprises/{STEEL}/history").json()["items"]
    assert (item["by"], item["why"], item["file"], item["cause"]) == (
        "the city",
        "2020-2024",
        "years.csv",
        "import",
    )
    assert (item["number"], item["supersedes"]) == (1, None)
    assert item["factor_set"] == load_library().set_hash
    year = client.get(f"/v1/enterprises/{STEEL}/history/2022").json()
    document = {
        "industry": "steel",
        "period": {"from": "2022-01-01", "to": "2023-01-01"},
        "district": "430304",
        "activities": [
            {"source": "fuel_combustion", "fuel": "bituminous_coal", "amount": "1000", "unit": "t",
             "parameters": {"ncv": {"value": "20.1", "unit": "GJ/t"}}},
            {"source": "purchased_electricity", "amount": "5200", "unit": "MWh"},
        ],
    }  # fmt: skip
    expected = inventory_answer(document, load_library())
    assert year["inventory"] == expected
    assert {name: year[name] for name in expected["totals"]} == expected["totals"]
    assert [row["sent"]["source"] for row in year["rows"]] == ["fuel_combustion", "purchased_electricity"]
    assert [row["provenance"] for row in year["rows"]] == ["verified", "reported"]
    assert year["rows"][1]["sent"] == {
        "uscc": STEEL, "year": "2022", "source": "purchased_electricity", "amount": "5200", "unit": "MWh",
        "provenance": "reported", "note": "meter 3",
    }  # fmt: skip
    shares = year["by_provenance"]
    assert sum(Fraction(each["account_tco2e"]) for each in shares.values()) == Fraction(year["account_tco2e"])
    assert {name: each["activities"] for name, each in shares.items()} == {"verified": 1, "reported": 1}


def test_the_same_again_changes_nothing(client: TestClient, city: City) -> None:
    assert post(client, csv_of(HEADER, COAL, POWER, CLINKER)).status_code == 201
    before = counts(city)
    for content in (
        csv_of(HEADER, COAL, POWER, CLINKER),
        csv_of(HEADER, CLINKER, POWER, COAL),
        xlsx({"x": [HEADER, POWER, COAL]}),
    ):
        again = post(client, content, file_name="other.csv")
        assert again.status_code == 200, again.text
        assert (again.json()["batch"], again.json()["new"], again.json()["superseded"]) == (None, 0, 0)
    assert counts(city) == before == [1, 2, 3, 2]


def test_a_later_file_supersedes_a_year_as_a_whole(client: TestClient) -> None:
    first = post(client, csv_of(HEADER, COAL, POWER, CLINKER)).json()
    moment = client.get(f"/v1/enterprises/{STEEL}/history").json()["items"][0]["at"]
    second = post(client, csv_of(HEADER, (*POWER[:5], "5300", *POWER[6:]), CLINKER), why="corrected")
    assert second.status_code == 201
    told = second.json()
    assert (told["new"], told["superseded"], told["unchanged"]) == (0, 1, 1)
    changed = next(each for each in told["years"] if each["outcome"] == "superseded")
    assert changed["supersedes"] == first["years"][0]["version"]
    assert changed["before_account_tco2e"] == first["years"][0]["account_tco2e"]
    year = client.get(f"/v1/enterprises/{STEEL}/history/2022").json()
    assert [row["sent"]["source"] for row in year["rows"]] == ["purchased_electricity"]
    assert [(each["number"], each["supersedes"]) for each in year["versions"]] == [
        (1, None),
        (2, year["versions"][0]["version"]),
    ]
    as_it_was = client.get(f"/v1/enterprises/{STEEL}/history/2022", params={"as_of": moment}).json()
    assert len(as_it_was["rows"]) == 2
    assert as_it_was["account_tco2e"] == first["years"][0]["account_tco2e"]
    assert len(as_it_was["versions"]) == 1
    before = local("2020-01-01T00:00:00")
    assert client.get(f"/v1/enterprises/{STEEL}/history", params={"as_of": before}).json()["items"] == []
    assert_problem(client.get(f"/v1/enterprises/{STEEL}/history/2022", params={"as_of": before}), 404)


def test_a_faulty_file_is_refused_by_sheet_row_and_column_and_nothing_is_kept(
    client: TestClient, city: City
) -> None:
    bad = [
        HEADER,
        COAL,
        (NOBODY, *COAL[1:]),
        (*COAL[:5], "-1", *COAL[6:]),
        (*CLINKER[:8], "", "1.02", *CLINKER[10:]),
        (*POWER[:6], "t", *POWER[7:]),
    ]
    problem = assert_problem(post(client, xlsx({"2022": bad})), 422)
    found = [(each["sheet"], each["row"], each["column"], each["field"]) for each in problem["errors"]]
    assert found == [
        ("2022", 3, "A", "uscc"),
        ("2022", 4, "F", "amount"),
        ("2022", 5, "I", "cao"),
        ("2022", 5, "J", "mgo"),
        ("2022", 6, "G", "unit"),
    ]
    assert [each["place"] for each in problem["errors"]] == [
        "2022!A3",
        "2022!F4",
        "2022!I5",
        "2022!J5",
        "2022!G6",
    ]
    assert problem["errors"][1]["value"] == "-1"
    assert "registered" in problem["errors"][0]["message"]
    assert counts(city) == [0, 0, 0, 0]


def test_a_dry_run_tells_and_keeps_nothing(client: TestClient, city: City) -> None:
    answer = post(client, csv_of(HEADER, COAL, POWER), dry_run="true")
    assert answer.status_code == 200
    assert (answer.json()["dry_run"], answer.json()["new"], answer.json()["batch"]) == (True, 1, None)
    assert counts(city) == [0, 0, 0, 0]
    assert_problem(post(client, csv_of(HEADER, (*COAL[:5], "x", *COAL[6:])), dry_run="true"), 422)


def test_a_year_that_has_not_begun_is_refused(client: TestClient) -> None:
    problem = assert_problem(post(client, csv_of(HEADER, (COAL[0], "2025", *COAL[2:]))), 422)
    assert [each["place"] for each in problem["errors"]] == ["B2"]
    assert "not begun" in problem["errors"][0]["message"]
    assert post(client, csv_of(HEADER, (COAL[0], "2024", *COAL[2:]))).status_code == 201


def test_what_holds_for_the_whole_file_comes_with_the_request(client: TestClient) -> None:
    content = b"year,source,amount,unit\n2023,purchased_heat,1,GJ\n"
    assert_problem(post(client, content), 422)
    problem = assert_problem(post(client, content, uscc="nonsense", why="x\0", file_name="\0"), 422)
    assert {each["place"] for each in problem["errors"]} == {"why", "file_name", "uscc"}
    assert post(client, content, uscc=STEEL, provenance="estimated").status_code == 201
    (item,) = client.get(f"/v1/enterprises/{STEEL}/history").json()["items"]
    assert (item["year"], item["provenance"]) == (2023, "estimated")


def test_other_bodies_are_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(client.post("/v1/history", content=b"{}", headers=headers), 415)
    assert_problem(client.post("/v1/history", content=b"x" * (BYTES_MAX + 1), headers=CSV), 413)
    assert_problem(client.post("/v1/history", content=b"", headers=CSV), 422)
    assert_problem(client.post("/v1/history", content=b"PK\x03\x04", headers=XLSX), 422)


def test_which_years_are_there_and_which_are_missing(client: TestClient) -> None:
    assert post(client, csv_of(HEADER, COAL, POWER, CLINKER)).status_code == 201
    items = client.get("/v1/history").json()["items"]
    assert [(each["uscc"], each["missing"]) for each in items] == [
        (STEEL, [2020, 2021, 2023]),
        (CEMENT, [2020, 2022, 2023]),
    ]
    assert [cell["year"] for cell in items[0]["years"]] == [2020, 2021, 2022, 2023]  # 2024 has not ended
    assert [cell["provenance"] for cell in items[0]["years"]] == [None, None, "reported", None]
    assert items[0]["years"][0] == {
        "year": 2020, "version": None, "provenance": None, "account_tco2e": None, "ets_tco2e": None,
    }  # fmt: skip

    def listed(**parameters: Any) -> list[str]:
        return [each["uscc"] for each in client.get("/v1/history", params=parameters).json()["items"]]

    assert listed(industry="cement") == [CEMENT]
    assert listed(district="430300") == [STEEL, CEMENT]
    assert listed(district="430321") == [CEMENT]
    assert listed(year=2022, missing="true") == [CEMENT]
    assert listed(from_year=2022, to_year=2022, missing="true") == [CEMENT]
    assert client.get("/v1/history", params={"as_of": local("2020-01-01T00:00:00")}).json()["items"][0]["missing"] == [
        2020, 2021, 2022, 2023,
    ]  # fmt: skip
    assert [each["uscc"] for each in walk(client, "/v1/history", {}, 1)] == [STEEL, CEMENT]


def test_years_come_in_pages(client: TestClient) -> None:
    lines = [(*POWER[:1], str(year), *POWER[2:]) for year in (2024, 2020, 2022, 2021, 2023)]
    assert post(client, csv_of(HEADER, *lines)).status_code == 201
    items = walk(client, f"/v1/enterprises/{STEEL}/history", {}, 2)
    assert [each["year"] for each in items] == [2020, 2021, 2022, 2023, 2024]


def test_a_template_is_downloaded_filled_in_and_sent(client: TestClient) -> None:
    answer = client.get("/v1/history/templates/steel", params={"format": "csv", "lang": "en"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="history-steel-ndrc-2013-en.csv"' in answer.headers["content-disposition"]
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    for line in lines[3:]:
        line[0] = STEEL
    by_csv = post(client, csv_of(*lines)).json()
    answer = client.get("/v1/history/templates/steel", params={"format": "xlsx"})
    assert answer.headers["content-type"] == XLSX["Content-Type"]
    workbook = openpyxl.load_workbook(io.BytesIO(answer.content))
    for row in range(4, 4 + len(lines) - 3):
        workbook["数据"].cell(row, 1).value = STEEL
    buffer = io.BytesIO()
    workbook.save(buffer)
    by_xlsx = post(client, buffer.getvalue())
    assert by_xlsx.status_code == 201  # its notes are Chinese: another statement, the same sums
    assert by_xlsx.json()["years"][0]["account_tco2e"] == by_csv["years"][0]["account_tco2e"]
    shown = client.get("/v1/history/templates/steel", params={"lang": "en"}).json()
    assert [each["code"] for each in shown["columns"]] == lines[1]
    assert [each["title"] for each in shown["columns"]] == lines[0]


def test_who_may(city: City) -> None:
    with client_of(city) as client:
        assert_problem(client.post("/v1/history", content=b"", headers=CSV), 401)
        reader = {"Authorization": f"Bearer {city.key(Scope.EMISSIONS_READ)}", **CSV}
        assert_problem(client.post("/v1/history", content=b"", headers=reader), 403)
        key = city.key(Scope.REGISTRY_WRITE)
        writer = {"Authorization": f"Bearer {key}", **CSV}
        assert client.post("/v1/history", content=csv_of(HEADER, COAL), headers=writer).status_code == 201
        with city.database.connect() as conn:
            keys.revoke(conn, key.split("_")[1])
        assert_problem(client.post("/v1/history", content=csv_of(HEADER, POWER), headers=writer), 401)


# --- below the API


class OtherSet(FactorLibrary):
    """The factor library with another name, and perhaps another figure."""

    def __init__(self, changed: str | None = None) -> None:
        tables = load_library().tables
        if changed is not None:
            grid = [
                replace(each, figure=replace(each.figure, value=each.figure.value * 2, text="doubled"))
                if (each.area, each.kind) == (changed, "average")
                else each
                for each in tables.grid
            ]
            tables = replace(tables, grid=tuple(grid))
        super().__init__(replace(tables, set_hash="another"), load_library().methods)


def test_another_factor_set_restates_what_it_changes(city: City) -> None:
    with city.database.connect() as conn:
        known = registry_storage.load(conn)
        file = SentFile(csv_of(HEADER, COAL, POWER, CLINKER), "years.csv")
        import_file(conn, known, load_library(), file, by="mei", this_year=2024)
        conn.commit()
        same = recompute(conn, known, OtherSet(), by="mei")
        assert (same.batch, same.years, same.refused) == (None, [], [])
        hunan = OtherSet("430000")
        tried = recompute(conn, known, hunan, by="mei", dry_run=True)
        assert tried.batch is None
        done = recompute(conn, known, hunan, by="mei", why="factors of 2023")
        conn.commit()
        (changed,) = done.years
        assert (
            [(each.uscc, each.year) for each in tried.years]
            == [(changed.uscc, changed.year)]
            == [(STEEL, 2022)]
        )
        assert changed.before is not None
        difference = Fraction(changed.summary["account_tco2e"]) - Fraction(changed.before["account_tco2e"])
        assert difference == Fraction(changed.before["by_scope"]["2"])
        first, second = history.versions(conn, known.enterprises[STEEL].id, 2022)
        assert (second.supersedes, second.cause, second.factor_set, second.why) == (
            first.id, "factors", "another", "factors of 2023",
        )  # fmt: skip
        assert second.statement_id == first.statement_id
        assert second.file_name == "years.csv"
        assert recompute(conn, known, hunan, by="mei").years == []


def test_what_is_refused_now_keeps_its_version(city: City) -> None:
    with city.database.connect() as conn:
        known = registry_storage.load(conn)
        import_file(
            conn, known, load_library(), SentFile(csv_of(HEADER, COAL, POWER), "x"), by="mei", this_year=2024
        )

        def refuse(documents: Any) -> Iterator[str]:
            return iter(["no such source"] * len(list(documents)))

        done = recompute(conn, known, OtherSet(), by="mei", many=refuse)
        assert (done.batch, done.years) == (None, [])
        assert done.refused == [(STEEL, 2022, "no such source")]


def test_two_imports_at_once_come_one_after_the_other(city: City) -> None:
    with city.database.connect() as conn:
        known = registry_storage.load(conn)
    failures: list[Exception] = []

    def bring(amount: int) -> None:
        content = csv_of(HEADER, (*POWER[:5], str(amount), *POWER[6:]))
        try:
            with city.database.connect() as conn:
                import_file(
                    conn, known, load_library(), SentFile(content, "x"), by=str(amount), this_year=2024
                )
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=bring, args=(amount,)) for amount in range(1, 9)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    with city.database.connect() as conn:
        found = history.versions(conn, known.enterprises[STEEL].id, 2022)
    assert [each.number for each in found] == list(range(1, 9))
    assert [each.supersedes for each in found] == [None, *(each.id for each in found[:-1])]
    moments = [each.at for each in found]
    assert moments == sorted(moments)
    for moment, expected in zip(moments, found, strict=True):
        with city.database.connect() as conn:
            (now,) = history.in_force(conn, [expected.enterprise_id], as_of=moment)
        assert now.id == expected.id
    assert moments[-1] < datetime.now(UTC)


def test_a_file_that_fails_leaves_nothing(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    with city.database.connect() as conn:
        known = registry_storage.load(conn)
        conn.commit()
        with pytest.raises(FaultyDocument):
            import_file(
                conn,
                known,
                load_library(),
                SentFile(csv_of(HEADER, (*COAL[:6], "h", *COAL[7:])), "x"),
                by="m",
                this_year=2024,
            )
        monkeypatch.setattr(history, "Json", None)
        with pytest.raises(TypeError):
            import_file(
                conn, known, load_library(), SentFile(csv_of(HEADER, COAL), "x"), by="m", this_year=2024
            )
        assert history.in_force(conn) == []
        assert conn.execute("SELECT count(*) FROM history_batches").fetchone() == (0,)
