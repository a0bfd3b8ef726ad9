"""`carbonmeter reports` over a real database: what it publishes, the API answers, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carbonmeter.main import main
from storage.keys import Scope
from tests.api.books import Entry, day_of
from tests.api.conftest import CEMENT, MG_PER_KWH, NOW, STEEL, City, client_of, empty_city, fill
from tests.servers import DatabaseServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def own_city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        fill(city)
        yield city


@pytest.fixture
def run(
    own_city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Run:
    """Run the command on a small city of one's own: exit code, standard output, standard error."""
    monkeypatch.setenv("CARBONMETER_DATABASE", own_city.database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def command(*arguments: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        try:
            code = main(["reports", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        output = capfdbinary.readouterr()
        return code, output.out.decode("utf-8", "replace"), output.err.decode()

    return command


def test_what_is_published_here_the_api_gives_again(run: Run, own_city: City, tmp_path: Path) -> None:
    code, out, err = run("publish", STEEL, "2024", "--why", "年度报告", "--by", "王工", "--json")
    assert (code, err) == (0, "")
    kept = json.loads(out)
    assert (kept["by"], kept["why"], kept["year"], kept["uscc"]) == ("王工", "年度报告", 2024, STEEL)
    with client_of(own_city, key=own_city.key(Scope.ADMIN)) as client:
        assert client.get(f"/v1/enterprises/{STEEL}/reports").json()["items"] == [kept]
        for form, language in (("json", "zh"), ("xlsx", "en"), ("pdf", "zh")):
            path = tmp_path / f"a.{form}"
            assert run("show", str(kept["id"]), "--lang", language, "-o", str(path)) == (0, "", "")
            answer = client.get(f"/v1/reports/{kept['id']}", params={"format": form, "lang": language})
            assert path.read_bytes() == answer.content
    code, out, _ = run("show", str(kept["id"]))
    assert (code, json.loads(out)["sha256"]) == (0, kept["sha256"])


def test_published_reports_are_listed_and_their_differences_told(run: Run, own_city: City) -> None:
    assert run("list", STEEL, "--json")[1] == '{\n  "items": []\n}\n'
    then = NOW.isoformat()
    ids = [
        json.loads(run("publish", STEEL, year, "--why", why, "--as-of", then, "--json")[1])["id"]
        for year, why in (("2024", "first"), ("2023", "another year"), ("2024", "again"))
    ]
    code, out, _ = run("list", STEEL, "--year", "2024", "--json")
    assert (code, [each["id"] for each in json.loads(out)["items"]]) == (0, [ids[0], ids[2]])
    code, out, _ = run("list", STEEL)
    assert (code, len(out.splitlines())) == (0, 4)
    assert "another year" in out
    assert run("list", CEMENT)[1].splitlines()[1:] == []

    assert run("differences", str(ids[0])) == (0, "the ledger says what was published\n", "")
    own_city.books.run(NOW)
    own_city.books.write(own_city.source(STEEL, "grid"), day_of("2024-05-10"), {0: Entry(100, MG_PER_KWH)})
    own_city.books.conn.commit()
    code, out, _ = run("differences", str(ids[0]))
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["account", "total"], ["account", "grid"]]
    told = json.loads(run("differences", str(ids[0]), "--json")[1])
    assert told["differs"]
    before = NOW.replace(year=2024, month=1).isoformat()
    assert json.loads(run("differences", str(ids[0]), "--as-of", before, "--json")[1])["totals"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("publish", "91430302XT0000019X", "2024", "--why", "x"), 1, "no enterprise '91430302XT0000019X'"),
        (("publish", STEEL, "2024", "--why", " "), 1, "--why takes 1 to 500 characters"),
        (
            ("publish", STEEL, "2024", "--why", "x", "--as-of", "2150-01-01T00:00:00Z"),
            1,
            "ahead of the clock",
        ),
        (("publish", STEEL, "2024"), 2, "--why"),
        (("publish", STEEL, "24", "--why", "x"), 2, "'24' is no year of 1970 to 2199"),
        (("list", "91430302XT0000019X"), 1, "no enterprise '91430302XT0000019X' is registered"),
        (("show", "7"), 1, "no report 7 was published"),
        (("differences", "7"), 1, "no report 7 was published"),
        (("show", "first"), 2, "'first' is no number of a published report"),
        ((), 2, "ACTION"),
    ],
)
def test_refusals(run: Run, own_city: City, arguments: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert said in err
    with own_city.database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM published_reports").fetchone() == (0,)
