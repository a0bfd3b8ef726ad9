"""Grades over a ledger: recorded, told, ranked, shadowed, published, objected to; schemes and what is stated."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from accounting.factors.load import load as load_library
from accounting.grades.scheme_read import default_scheme
from api import grading
from api.context import Context, open_pool
from api.settings import ApiSettings
from carbonmeter import publication
from domain.errors import Refused
from domain.evidence import canonical
from domain.signing import Ed25519Signer, verify
from storage import grades
from storage.keys import Scope
from tests.api.books import day_of
from tests.api.conftest import DOCUMENT, City, FixedClock, client_of, empty_city, walk
from tests.domain.documents import uscc
from tests.servers import DatabaseServer

NOW = datetime(2024, 7, 2, 4, 0, tzinfo=UTC)
SIGNER = Ed25519Signer.new()
NAMES = [uscc(number) for number in range(1, 9)]
MONTHS = [f"{2022 + (6 + step) // 12}-{(6 + step) % 12 + 1:02d}" for step in range(24)]  # to 2024-06
T = 10**9  # mg


def document() -> dict[str, Any]:
    """Eight cement works of one industry code; all but the last are in 岳塘."""
    one = copy.deepcopy(DOCUMENT["enterprises"][1])
    one["meters"][0]["channels"][0]["valid_from"] = "2022-01-01T00:00:00+08:00"
    one["gb_t_4754"] = "3011"
    return {
        "parks": DOCUMENT["parks"],
        "enterprises": [
            {**one, "uscc": name, "district": "430321" if name == NAMES[-1] else "430304"} for name in NAMES
        ],
    }


def write_months(city: City) -> None:
    """Enterprise n emits 100 n t a month, every interval measured; the sixth half of them."""
    days = [*(day_of(f"{month}-01") for month in MONTHS), day_of("2024-07-01")]
    for number, name in enumerate(NAMES, 1):
        for first, end in pairwise(days):
            known = (end - first) * 96 // (2 if number == 6 else 1)
            city.books.conn.execute(
                """INSERT INTO ledger_months VALUES
                   (%s, %s, 0, 'CO2', %s, 2, '{account}', %s, %s, %s, 0, 0, 0, 0, '{}')""",
                [
                    city.source(name, "grid"),
                    first,
                    city.registry.enterprises[name].id,
                    100 * number * T,
                    known,
                    known,
                ],
            )
    city.books.conn.commit()


def figures(name: str, value: str = "100", months: list[str] = MONTHS, **changes: Any) -> dict[str, Any]:
    values = {"value": value, "constant": value, "provider": "统计局"}
    given = [{"denominator": "value_added", "from": month, "to": month, **values} for month in months]
    return {"uscc": name, "figures": given, **changes}


@pytest.fixture
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server, document()) as city:
        write_months(city)
        yield city


@pytest.fixture
def client(city: City) -> Iterator[TestClient]:
    with client_of(city, clock=FixedClock(NOW), key=city.key(Scope.ADMIN)) as client:
        stated = {"statements": [figures(name) for name in NAMES], "why": "yearbook"}
        response = client.post("/v1/grades/statements", json=stated)
        assert response.status_code == 201, response.text
        assert response.json() == {"kept": 8 * 24}
        assert client.post("/v1/grades/statements", json=stated).json() == {"kept": 0}
        yield client


class Bench:
    """A context of the command's kind, at a moment."""

    def __init__(self, city: City, now: datetime = NOW) -> None:
        self.settings = ApiSettings(city.database.url, connections_max=4)
        self.clock = FixedClock(now)

    def __enter__(self) -> Context:
        self.pool = open_pool(self.settings)
        self.pool.open()
        return Context(self.settings, self.pool, self.clock, load_library())

    def __exit__(self, *_: object) -> None:
        self.pool.close()


def run(city: City, month: int = 653, kind: str = "INDICATIVE", *, again: bool = False) -> tuple[int, int]:
    with (
        Bench(city) as context,
        context.session(None) as session,
        context.pool.connection() as conn,
        conn.transaction(),
    ):
        return grading.run(session, conn, month, kind, SIGNER, is_again=again)


def grade_of(client: TestClient, name: str, **parameters: str) -> dict[str, Any]:
    response = client.get(f"/v1/enterprises/{name}/grade", params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_closed_month_is_graded_once_and_told_whole(city: City, client: TestClient) -> None:
    assert client.get(f"/v1/enterprises/{NAMES[0]}/grade").status_code == 404
    assert run(city) == (8, 8)
    assert run(city) == (0, 8)
    own = grade_of(client, NAMES[0])
    # 1 t beside the mean of the seven others, of which one is half known and counts as known
    assert own["period"] == {"from": "2023-07", "to": "2024-06"}
    assert (own["label"], own["track"], own["peers"]["step"], own["peers"]["n"]) == (
        "DEEP_GREEN",
        "V",
        "city4",
        7,
    )
    assert own["peers"]["k"] == "0.2000"
    assert own["scores"] == {"D2": "100.0000", "D3": "40.0000"}
    assert (own["score"], own["score_exact"]) == ("82.0000", "82")
    assert own["emissions_t"] == "1200"
    assert own["denominators"][0]["providers"] == ["统计局"]
    half = grade_of(client, NAMES[5])
    assert (half["label"], half["state"], half["coverage"]) == ("NR", "NR", "0.5000")
    last = grade_of(client, NAMES[7])
    assert last["distance"]["to_label"]
    assert last["distance"]["d_unit"][0]["of"] == "value_added"


def test_a_record_is_signed_stays_and_reaches_the_evidence(city: City, client: TestClient) -> None:
    run(city)
    own = grade_of(client, NAMES[0])
    signature = own.pop("signature")
    own.pop("id")
    assert verify(canonical(own), signature, [SIGNER.key]) == SIGNER.key
    with city.database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM evidence_pending WHERE kind = 'grade'").fetchone() == (8,)
        for change in ("UPDATE grade_records SET label = 'RED'", "DELETE FROM grade_records"):
            with pytest.raises(psycopg.errors.RaiseException), conn.transaction():
                conn.execute(change)


def test_other_inputs_give_a_new_record_that_supersedes(city: City, client: TestClient) -> None:
    run(city)
    before = grade_of(client, NAMES[1])
    assert run(city, again=True) == (0, 8)
    changed = {"statements": [figures(NAMES[1], "300", ["2024-05"])], "why": "a correction"}
    assert client.post("/v1/grades/statements", json=changed).json() == {"kept": 1}
    kept, _ = run(city, again=True)
    assert kept == 1
    after = grade_of(client, NAMES[1])
    assert (after["supersedes"], after["id"] > before["id"]) == (before["id"], True)
    assert after["input_snapshot_hash"] != before["input_snapshot_hash"]
    history = walk(client, f"/v1/enterprises/{NAMES[1]}/grades", {}, 1)
    assert [each["id"] for each in history] == [before["id"], after["id"]]


def test_the_ranking_of_a_district(city: City, client: TestClient) -> None:
    empty = client.get("/v1/districts/430300/ranking").json()
    assert empty == {"kind": "INDICATIVE", "month": None, "rated": 0, "items": [], "next": None}
    run(city)
    told = client.get("/v1/districts/430304/ranking").json()
    assert (told["month"], told["rated"]) == ("2024-06", 6)
    assert [each["uscc"] for each in told["items"][:2]] == NAMES[:2]
    assert [each["rank"] for each in told["items"]] == [1, 2, 3, 4, 5, 6, None]
    assert NAMES[7] not in [each["uscc"] for each in told["items"]]
    pages = walk(client, "/v1/districts/430300/ranking", {}, 3)
    assert [each["uscc"] for each in pages][:5] == NAMES[:5]
    assert len(pages) == 8


def test_shadow_grades_show_who_would_move_and_keep_nothing(city: City, client: TestClient) -> None:
    run(city)
    same = client.get("/v1/grades/shadow").json()
    assert (same["graded"], same["moved"], same["items"]) == (8, 0, [])
    harder = client.get("/v1/grades/shadow", params={"change": ["labels.0.1=95", "labels.1.1=90"]}).json()
    assert harder["down"] == harder["moved"] == len(harder["items"]) > 0
    assert harder["scheme"]["hash"] != default_scheme().hash
    other = client.get("/v1/grades/shadow", params={"scheme": "zj-k5-2021 1.0.0"}).json()
    assert {each["shadow_label"] for each in other["items"]} <= {f"LEVEL_{level}" for level in range(1, 6)}
    assert client.get("/v1/grades/shadow", params={"scheme": "none 1"}).status_code == 422
    wrong = client.get("/v1/grades/shadow", params={"change": "labels.9.1=1"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["place"] == "change.labels.9.1"
    assert client.get("/v1/grades/shadow", params={"from": "2020-01", "to": "2024-06"}).status_code == 422


def test_schemes_are_added_once_and_adopted(city: City, client: TestClient) -> None:
    listed = client.get("/v1/grade-schemes").json()["items"]
    assert [each["id"] for each in listed if each["in_force"]] == ["xt-default"]
    fresh = {**default_scheme().document, "version": "1.1.0", "hysteresis": {"margin": "3", "streak": 2}}
    entry = {"scheme": fresh, "adopt": "xt-default 1.1.0", "from": "2024-06", "why": "council of June"}
    response = client.post("/v1/grade-schemes", json=entry)
    assert response.status_code == 201, response.text
    assert [each["version"] for each in response.json()["items"] if each["in_force"]] == ["1.1.0"]
    run(city)
    assert grade_of(client, NAMES[0])["scheme"]["version"] == "1.1.0"
    other = {**entry, "scheme": {**fresh, "title_en": "Another"}}
    assert client.post("/v1/grade-schemes", json=other).status_code == 409
    faulty = client.post("/v1/grade-schemes", json={"scheme": {**fresh, "labels": []}, "why": "none"})
    assert faulty.status_code == 422
    assert "body.scheme.labels" in [each["place"] for each in faulty.json()["errors"]]
    bank = {"adopt": "bank-bp 1.0.0", "from": "2024-06", "why": "no grade"}
    assert client.post("/v1/grade-schemes", json=bank).status_code == 422


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ({"uscc": "9143", "figures": []}, "body.statements[0].uscc"),
        (
            {"uscc": NAMES[0], "benchmarks": [{"product": "c", "benchmark": "clinker", "sources": ["no"]}]},
            "benchmarks[0]",
        ),
        ({"uscc": NAMES[0], "benchmarks": [{"product": "c", "benchmark": "gold"}]}, "benchmarks[0]"),
        (
            {"uscc": NAMES[0], "outputs": [{"product": "c", "month": "2024-13", "energy": "1"}]},
            "outputs[0].month",
        ),
        ({"uscc": NAMES[0], "facts": [{"id": "MOOD", "from": "2024-01", "evidence": "x"}]}, "facts[0].id"),
    ],
)
def test_what_is_stated_wrongly_is_refused(client: TestClient, statement: dict[str, Any], place: str) -> None:
    response = client.post("/v1/grades/statements", json={"statements": [statement], "why": "a test"})
    assert response.status_code == 422
    assert any(place in each["place"] for each in response.json()["errors"]), response.text


def test_products_and_facts_change_the_grade(city: City, client: TestClient) -> None:
    outputs = [{"product": "clinker", "month": month, "energy": "11800", "output": "100"} for month in MONTHS]
    benchmark = {
        "product": "clinker",
        "benchmark": "clinker",
        "conditions": {"altitude_m": "60"},
        "sources": ["grid"],
    }
    stated = {"uscc": NAMES[0], "outputs": outputs, "benchmarks": [benchmark]}
    client.post("/v1/grades/statements", json={"statements": [stated], "why": "energy audit"})
    run(city)
    own = grade_of(client, NAMES[0])
    assert (own["track"], own["label"]) == ("P", "YELLOW")
    assert own["benchmarks"][0]["id"] == "gb16780-2021-clinker"
    assert own["benchmarks"][0]["value"] == "118.0000"
    assert [each["id"] for each in own["overrides"]] == ["LIMIT3"]
    items = client.get(f"/v1/enterprises/{NAMES[0]}/grade-statements").json()["items"]
    assert {each["kind"] for each in items} == {"figure", "output", "benchmark"}
    back = {"uscc": NAMES[0], "benchmarks": [{"product": "clinker", "benchmark": None}]}
    fact = {"uscc": NAMES[1], "facts": [{"id": "FALSE_DATA", "from": "2024-02", "evidence": "case 7"}]}
    client.post("/v1/grades/statements", json={"statements": [back, fact], "why": "settled"})
    run(city, again=True)
    assert grade_of(client, NAMES[0])["track"] == "V"
    assert grade_of(client, NAMES[1])["label"] == "RED"


def test_a_quarter_is_published_by_stages_with_objections(city: City, client: TestClient) -> None:
    regulator = {"Authorization": f"Bearer {city.key(Scope.EMISSIONS_READ)}"}
    with Bench(city) as context:
        with pytest.raises(Refused, match="no trial yet"):
            publication.advance(context, 653, "NOTIFIED", SIGNER, "me", "too early")
        with pytest.raises(Refused, match="no quarter's last month"):
            publication.advance(context, 652, "TRIAL", SIGNER, "me", "May")
        assert publication.advance(context, 653, "TRIAL", SIGNER, "me", "2024 Q2")["records"] == 8
        number = grade_of(client, NAMES[1], kind="PUBLISHED")["id"]
        attachment = {"name": "a.pdf", "sha256": "0" * 64, "reference": "box"}
        objection = {"text": "value added is wrong", "attachments": [attachment]}
        assert client.post(f"/v1/grades/{number}/objections", json=objection).status_code == 409
        told = publication.advance(context, 653, "NOTIFIED", SIGNER, "me", "told")
        assert told["until"] == "2024-07-23"  # fifteen working days after Tuesday, 2 July
        kept = client.post(f"/v1/grades/{number}/objections", json=objection)
        assert kept.status_code == 201, kept.text
        assert kept.json()["due"] == "2024-07-22"
        assert client.post("/v1/grades/999/objections", json=objection).status_code == 404
        with pytest.raises(Refused, match="may be raised until"):
            publication.advance(context, 653, "EFFECTIVE", SIGNER, "me", "too early")
    with Bench(city, datetime(2024, 7, 24, 4, 0, tzinfo=UTC)) as context:
        with pytest.raises(Refused, match="aren't decided"):
            publication.advance(context, 653, "EFFECTIVE", SIGNER, "me", "too early")
        client.post(
            "/v1/grades/statements",
            json={"statements": [figures(NAMES[1], "400", ["2024-05"])], "why": "right"},
        )
        decided = publication.decide(context, kept.json()["id"], "CORRECTED", SIGNER, "me", "it was wrong")
        with pytest.raises(Refused, match="is decided"):
            publication.decide(context, kept.json()["id"], "UPHELD", SIGNER, "me", "again")
        assert publication.advance(context, 653, "EFFECTIVE", SIGNER, "me", "done")["stage"] == "EFFECTIVE"
    new = client.get(f"/v1/enterprises/{NAMES[1]}/grade", headers=regulator).json()
    assert (new["id"], new["kind"], new["supersedes"]) == (decided["new_grade"], "PUBLISHED", number)
    [item] = client.get(f"/v1/enterprises/{NAMES[1]}/objections").json()["items"]
    assert (item["outcome"], item["new_grade"]) == ("CORRECTED", new["id"])


def test_working_days() -> None:
    assert grading.workdays_after(date(2024, 7, 2), 15) == date(2024, 7, 23)


def test_the_grader_grades_what_has_closed(city: City, client: TestClient) -> None:
    with city.database.connect() as conn:
        conn.execute(
            "INSERT INTO services VALUES ('accounting', 1, now(), now() + interval '1 day', true, '{}')"
        )
        conn.commit()
    with publication.Grader(
        ApiSettings(city.database.url, connections_max=4), SIGNER, FixedClock(NOW)
    ) as grader:
        assert grader.step() == grader.step() == publication.LOOK_S
    assert grade_of(client, NAMES[0])["kind"] == "INDICATIVE"
    with city.database.connect() as conn:
        assert len(grades.records(conn)) == 8
