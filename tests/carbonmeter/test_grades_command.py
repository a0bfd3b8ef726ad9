"""`carbonmeter grades` over a real database: it says what the API answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from accounting.grades.scheme_read import default_scheme
from carbonmeter.main import main
from storage import grades
from storage.keys import Scope
from tests.api.conftest import STEEL, City, client_of, empty_city
from tests.api.grade_scene import add_grades
from tests.servers import DatabaseServer

Run = Callable[..., tuple[int, str, str]]
STATED = {
    "statements": [
        {
            "uscc": STEEL,
            "figures": [
                {
                    "denominator": "tax",
                    "from": "2024-01",
                    "to": "2024-12",
                    "value": "12.5",
                    "provider": "税务局",
                }
            ],
        }
    ],
    "why": "the tax office",
}


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        assert add_grades(city) == [1, 2]
        yield city


@pytest.fixture
def run(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("CARBONMETER_DATABASE", city.database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


def test_figures_are_stated_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(STATED))
    code, out, err = run("grades", "state", str(path), "--json")
    assert (code, json.loads(out), err) == (0, {"kept": 1}, "")
    assert run("grades", "state", str(path))[1] == "0 statements kept\n"
    path.write_text(json.dumps({**STATED, "why": ""}))
    code, _, err = run("grades", "state", str(path))
    assert code == 1
    assert "why" in err


def test_a_grade_is_shown_as_the_api_answers_it(run: Run, city: City) -> None:
    code, out, _ = run("grades", "show", STEEL, "--json")
    assert code == 0
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        answer = client.get(f"/v1/enterprises/{STEEL}/grade", params={"kind": "INDICATIVE"}).json()
    assert json.loads(out) == answer
    assert run("grades", "show", STEEL)[0] == 0
    code, _, err = run("grades", "show", STEEL, "--kind", "ANNUAL")
    assert (code, "has no ANNUAL grade yet" in err) == (1, True)


def test_lists_runs_and_shadow_runs_end_well(run: Run) -> None:
    listed = json.loads(run("grades", "list", "--json")[1])
    assert listed["month"] == "2024-06"
    assert [each["uscc"] for each in listed["items"]] == [STEEL]
    ran = json.loads(run("grades", "run", "--month", "2024-05", "--json")[1])
    assert ran == {"month": "2024-05", "kind": "INDICATIVE", "kept": 2, "graded": 2}
    shadowed = json.loads(run("grades", "shadow", "--scheme", "zj-k5-2021 1.0.0", "--json")[1])
    assert shadowed["scheme"]["id"] == "zj-k5-2021"
    assert run("grades", "shadow", "--change", "labels.0.1=90")[0] == 0
    code, _, err = run("grades", "shadow", "--change", "labels.0")
    assert (code, "is no PATH=VALUE" in err) == (1, True)
    code, _, err = run("grades", "run", "--kind", "PUBLISHED", "--month", "2024-05")
    assert (code, "no quarter's last month" in err) == (1, True)


def test_schemes_are_listed_added_and_adopted(run: Run, tmp_path: Path) -> None:
    assert "xt-default" in run("grades", "schemes")[1]
    path = tmp_path / "scheme.json"
    path.write_text(json.dumps({**default_scheme().document, "version": "1.2.0"}))
    code, out, _ = run(
        *("grades", "schemes", "--add", str(path), "--adopt", "xt-default 1.2.0", "--from", "2024-06"),
        *("--why", "the council", "--json"),
    )
    assert code == 0
    assert [each["version"] for each in json.loads(out)["items"] if each["in_force"]] == ["1.2.0"]
    code, _, err = run("grades", "schemes", "--adopt", "bank-bp 1.0.0", "--from", "2024-06", "--why", "x")
    assert (code, "that grades is known" in err) == (1, True)


def test_objections_are_listed_and_decided(run: Run, city: City) -> None:
    with city.database.connect() as conn:
        owner = city.registry.enterprises[STEEL].id
        number = grades.object_to(conn, 2, owner, "wrong", [], "the manager", date(2199, 1, 1))
        conn.commit()
    assert json.loads(run("grades", "objections", "--json")[1])["items"][0]["outcome"] is None
    code, _, err = run("grades", "publish", "2024-06", "--stage", "EFFECTIVE", "--why", "done")
    assert (code, "may be raised until 2199-01-01" in err) == (1, True)
    code, out, _ = run("grades", "decide", str(number), "UPHELD", "--why", "it is right", "--json")
    assert (code, json.loads(out)) == (0, {"id": number, "outcome": "UPHELD", "new_grade": None})
    assert run("grades", "decide", str(number), "UPHELD", "--why", "again")[0] == 1
