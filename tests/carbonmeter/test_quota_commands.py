"""`carbonmeter quota` and `certificates` over a real database: they say what the API answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carbonmeter.main import main
from storage.keys import Scope
from tests.api.conftest import STEEL, City, client_of, empty_city, fill
from tests.servers import DatabaseServer

Run = Callable[..., tuple[int, str, str]]
UNIT = {
    "id": "1",
    "class": "II",
    "electricity": {"amount": "1000000"},
    "heat": {"amount": "500000"},
    "load": "0.6",
}
STATED = {
    "statements": [{"uscc": STEEL, "year": 2024, "sector": "power", "units": [UNIT]}],
    "why": "the plan",
}


@pytest.fixture(scope="module")
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        fill(city)
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


def test_a_year_is_stated_and_shown(run: Run, city: City, tmp_path: Path) -> None:
    path = tmp_path / "quota.json"
    path.write_text(json.dumps(STATED))
    code, out, err = run("quota", "state", str(path), "--by", "王工", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["items"][0]["by"] == "王工"
    assert run("quota", "state", str(path), "--by", "王工")[0] == 0
    code, out, _ = run("quota", "show", STEEL, "2024", "--json")
    told = json.loads(out)
    assert told["allowance_t"] == "905941"
    with client_of(city, key=city.key(Scope.EMISSIONS_READ)) as client:
        answer = client.get(f"/v1/enterprises/{STEEL}/quota/2024").json()
    assert answer["units"] == told["units"]
    code, out, _ = run("quota", "show", STEEL, "2024")
    assert code == 0
    assert "905941" in out


def test_what_is_wrong_is_listed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "quota.json"
    path.write_text(json.dumps({"statements": [{"uscc": STEEL, "year": 1990, "sector": "tea"}], "why": ""}))
    code, _, err = run("quota", "state", str(path))
    assert code == 1
    for part in ("statements[0].year", "statements[0].sector", "why"):
        assert part in err
    assert run("quota", "show", "nobody", "2024")[0] == 1


def test_certificates_from_a_sheet(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "gec.csv"
    path.write_text(
        "\ufeffnumber,year,mwh,retired_on,evidence\nA-1,2024,1,2024-06-01,register\nA-2,2024,,2024-06-01,register\n"
    )
    assert run("certificates", "enter", str(path), "--uscc", STEEL)[1] == "2 entered, 0 known already\n"
    code, out, _ = run("certificates", "electricity", "2024", "--uscc", STEEL, "--json")
    assert (code, json.loads(out)["certified_mwh"]) == (0, "2")
    assert run("certificates", "void", "A-2", "--uscc", STEEL, "--why", "wrong")[0] == 0
    items = json.loads(run("certificates", "list", "--uscc", STEEL, "--json")[1])["items"]
    assert [each["void_why"] for each in items] == [None, "wrong"]
    assert "wrong" in run("certificates", "list", "--uscc", STEEL)[1]
    code, _, err = run("certificates", "void", "A-3", "--uscc", STEEL, "--why", "again")
    assert (code, "has no certificate 'A-3'" in err) == (1, True)
    path.write_text("number,year,mwh,retired_on,evidence\nA-9,soon,0.x,someday,\n")
    code, _, err = run("certificates", "enter", str(path), "--uscc", STEEL)
    assert code == 1
    for part in ("certificates[0].year", "certificates[0].mwh", "certificates[0].retired_on", "evidence"):
        assert part in err
