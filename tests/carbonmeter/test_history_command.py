"""`carbonmeter history` over a real database: what it prints and how it exits."""

from __future__ import annotations

import gc
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from distributed import LocalCluster

from carbonmeter.main import main
from storage import registry
from tests.accounting.history_cases import csv, xlsx
from tests.api.conftest import CEMENT, DOCUMENT, STEEL
from tests.servers import Database

Run = Callable[..., tuple[int, str, str]]
HEADER = ("uscc", "year", "source", "amount", "unit", "provenance")
HEAT = (STEEL, "2022", "purchased_heat", "10", "GJ", "verified")
POWER = (CEMENT, "2023", "purchased_electricity", "5200", "MWh", "申报")


@pytest.fixture
def run(
    plain_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the command on a database with two enterprises: exit code, standard output, standard error."""
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with plain_database.connect() as conn:
        registry.import_document(conn, DOCUMENT, "tests")

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["history", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


def write(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def test_check_import_and_import_again(run: Run) -> None:
    file = write("years.csv", csv(HEADER, HEAT, POWER))
    code, out, err = run("check", file)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "years.csv: no faults; importing it would change 2 new years"
    assert (
        json.loads(run("list", "--json")[1])["items"][0]["missing"]
        == json.loads(run("list", "--json")[1])["items"][1]["missing"]
    )
    code, out, err = run("import", "--by", "mei", "--why", "2020-2024", file)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "batch 1: 2 new years",
        "uscc                year  outcome  provenance  account_tco2e      before_account_tco2e",
        f"{STEEL}  2022  new      verified    1.100000000000",
        f"{CEMENT}  2023  new      reported    2587.520000000000",
    ]
    assert run("import", file) == (0, "nothing is new: all of it is in already\n", "")
    changed = write("again.csv", csv(HEADER, (*HEAT[:3], "20", *HEAT[4:])))
    code, out, _ = run("import", "--check", changed)
    assert out.splitlines()[0] == "again.csv: no faults; importing it would change 1 superseded year"
    code, out, _ = run("import", "--json", "--by", "mei", changed)
    told = json.loads(out)
    assert (code, told["faults"], told["superseded"]) == (0, [], 1)
    assert told["years"][0]["before_account_tco2e"] == "1.100000000000"


def test_faults_are_listed_and_nothing_is_changed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("years.xlsx", xlsx({"2022": [HEADER, (*HEAT[:3], "-1", *HEAT[4:]), ("x", *HEAT[1:])]}))
    code, out, err = run("import", "--by", "mei", file)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "2022!D2: amount: -1 must not be negative",
        "2022!A3: 'X' has 1 characters, a USCC has 18",
        "years.xlsx: 2 faults, nothing was changed",
    ]
    code, out, _ = run("check", "--json", file)
    assert code == 1
    first = json.loads(out)["faults"][0]
    assert first == {
        "place": "2022!D2", "message": "amount: -1 must not be negative", "sheet": "2022", "row": 2, "column": "D",
        "field": "amount", "value": "-1",
    }  # fmt: skip
    assert json.loads(run("list", "--json", "--missing")[1])["items"][0]["missing"]
    code, _, err = run("check", "--uscc", "nobody", file)
    assert (code, err.splitlines()[0]) == (1, "--uscc: 'nobody' has 6 characters, a USCC has 18")
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"year,source,amount,unit\n2022,purchased_heat,1,GJ\n"))
    )
    assert run("check", "--uscc", STEEL, "--provenance", "estimated", "-")[0] == 0


def test_what_is_there_and_what_is_missing(run: Run) -> None:
    run("import", "--by", "mei", write("years.csv", csv(HEADER, HEAT, POWER)))
    code, out, _ = run("list", "--to-year", "2023")
    assert code == 0
    assert out.splitlines() == [
        "uscc                name   2020  2021  2022      2023",
        f"{STEEL}  一号钢厂   -     -     verified  -",
        f"{CEMENT}  二号水泥厂  -     -     -         reported",
    ]
    assert out == run("list", "--to-year", "2023", "--missing")[1]
    code, out, _ = run("list", "--from-year", "2022", "--to-year", "2022", "--missing", "--json")
    assert [each["uscc"] for each in json.loads(out)["items"]] == [CEMENT]
    code, out, _ = run("list", STEEL)
    assert [line.split()[:4] for line in out.splitlines()[1:]] == [
        ["2022", "verified", "1.100000000000", "0.000000000000"]
    ]
    assert run("list", "nobody")[0] == 1
    assert run("list", "--industry", "bakery")[0] == 1
    assert run("list", "--from-year", "2024", "--to-year", "2020")[0] == 1
    assert run("list", "--from-year", "x")[0] == 2


def test_a_template_is_written_in_both_forms(run: Run) -> None:
    assert run("template", "steel", "-o", "steel.xlsx") == (0, "", "")
    assert openpyxl.load_workbook("steel.xlsx").worksheets[0].title == "数据"
    assert run("template", "steel", "--edition", "mee-2025", "--lang", "en", "-o", "steel.csv") == (0, "", "")
    assert (
        Path("steel.csv").read_text("utf-8-sig").splitlines()[1].startswith("uscc,name,edition,year,source")
    )
    code, _, err = run("template", "steel", "--edition", "mee-2024", "-o", "x.csv")
    assert (code, "mee-2024" in err) == (1, True)
    assert run("template", "steel", "-o", "steel.pdf")[0] == 1
    assert run("template", "steel")[0] == 2


def test_recomputing_under_the_same_set_changes_nothing(run: Run) -> None:
    run("import", "--by", "mei", write("years.csv", csv(HEADER, HEAT, POWER)))
    assert run("recompute", "--dry-run") == (0, "0 years would change\n", "")
    code, out, _ = run("recompute", "--by", "mei", "--json")
    assert (code, json.loads(out)) == (0, {"batch": None, "dry_run": False, "years": [], "refused": []})


# A cluster that ends leaves sockets to the garbage collector, which tells of each; not our doing.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("on_workers", [False, True])
def test_recomputing_tells_what_another_set_changes(
    run: Run, plain_database: Database, on_workers: bool
) -> None:
    run("import", "--by", "mei", write("years.csv", csv(HEADER, HEAT, POWER)))
    with plain_database.connect() as conn:
        # as if it had been computed under an earlier release, whose figure was another one
        conn.execute("UPDATE history_batches SET factor_set = 'earlier'")
        conn.execute(
            """
            UPDATE history_versions SET answer = replace(answer::text, '2587.520000000000', '2600.000000000000')::json,
                summary = replace(summary::text, '2587.520000000000', '2600.000000000000')::json
            """
        )
    if on_workers:
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster:
            code, out, _ = run("recompute", "--by", "mei", "--scheduler", cluster.scheduler_address)
        gc.collect()
    else:
        code, out, _ = run("recompute", "--by", "mei")
    assert code == 0
    assert out.splitlines()[0] == "1 year changed"
    expected = [CEMENT, "2023", "superseded", "reported", "2587.520000000000", "2600.000000000000"]
    assert out.splitlines()[2].split() == expected
    assert run("recompute")[1].startswith("0 years changed")
