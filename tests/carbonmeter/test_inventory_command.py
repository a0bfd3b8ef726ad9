"""`carbonmeter inventory`: what it prints and how it exits. It needs no database."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accounting.factors.load import load
from accounting.inventory.answer import inventory_answer
from api.inventory_schemas import DOCUMENT
from carbonmeter.main import main

EXAMPLE = DOCUMENT["example"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["inventory", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(EXAMPLE), "utf-8")
    return path


def test_machines_get_the_answer_of_the_api(run: Run, file: Path) -> None:
    code, out, err = run("--json", str(file))
    assert (code, err) == (0, "")
    assert json.loads(out) == inventory_answer(EXAMPLE, load())
    assert run(str(file)) == (0, out, "")  # as this is no terminal
    assert not (file.parent / "home").exists()


def test_people_get_tables(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    document = {**EXAMPLE, "edition": None, "uncertainty": True}
    document["activities"] = [
        *EXAMPLE["activities"],
        {"source": "purchased_heat", "amount": "1", "unit": "GJ"},
    ]
    file.write_text(json.dumps(document), "utf-8")
    code, out, _ = run(str(file))
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "steel under ndrc-2013 (发改办气候〔2013〕2526号)"
    assert "0  fuel_combustion        bituminous_coal  1000    t    CO2  1788.920100000000" in lines
    assert "account     4754.590100000000  4754.59" in lines
    assert "  activities[2]: default of confidence M: emission_factor" in lines
    assert any(line.startswith("uncertainty of the account: ± ") for line in lines)


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(EXAMPLE).encode())))
    code, out, _ = run("--json", "-")
    assert code == 0
    assert json.loads(out)["totals"]["account_tco2e"] == "4754.480100000000"


def test_what_is_refused_is_listed_and_exits_1(run: Run, file: Path) -> None:
    file.write_text(json.dumps({**EXAMPLE, "industry": "stel", "activities": []}), "utf-8")
    expected = [
        "activities: is empty: an inventory has at least one activity",
        "industry: industry 'stel' is unknown; did you mean 'steel'?",
        f"{file}: 2 faults, nothing was computed",
    ]
    code, out, err = run(str(file))
    assert (code, out) == (1, "")
    assert err.splitlines() == expected
    code, out, err = run("--json", str(file))
    assert (code, err.splitlines()) == (1, expected)
    assert [each["place"] for each in json.loads(out)["faults"]] == ["activities", "industry"]


def test_no_file_exits_1_and_wrong_usage_2(run: Run, tmp_path: Path) -> None:
    code, _, err = run(str(tmp_path / "none.json"))
    assert code == 1
    assert "none.json" in err
    assert run()[0] == 2
    assert run("--nonsense", "x.json")[0] == 2


@pytest.mark.parametrize(("name", "start"), [("a.xlsx", b"PK"), ("a.PDF", b"%PDF")])
def test_it_is_written_as_tables_too(run: Run, file: Path, tmp_path: Path, name: str, start: bytes) -> None:
    path = tmp_path / name
    code, out, err = run(str(file), "--report", str(path), "--lang", "en")
    assert (code, json.loads(out), err) == (0, inventory_answer(EXAMPLE, load()), "")
    assert path.read_bytes().startswith(start)
    code, _, err = run(str(file), "--report", str(tmp_path / "a.doc"))
    assert code == 2
    assert "ends neither in .xlsx nor in .pdf" in err
