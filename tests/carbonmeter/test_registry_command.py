"""`carbonmeter registry` over a real database: what it prints and how it exits."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from carbonmeter.main import main
from storage import registry
from tests.domain.documents import SAMPLE, USCC
from tests.servers import Database

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    plain_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command on a fresh database: exit code, standard output, standard error."""
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["registry", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "registry.yaml"
    path.write_text(SAMPLE, "utf-8")
    return path


def test_import_and_import_again(run: Run, file: Path) -> None:
    code, out, err = run("import", "--by", "mei", "--why", "first", str(file))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "the registry is at version 1",
        "new: 1 park, 1 enterprise, 2 gateways, 5 meters, 9 channels, 1 derived channel, 3 sources, 2 parameters,"
        " 1 product",
    ]
    code, out, _ = run("import", str(file))
    assert code == 0
    assert out.splitlines()[0] == "nothing changed, the registry stays at version 1"


def test_who_and_why_are_kept(run: Run, file: Path, plain_database: Database) -> None:
    run("import", "--by", "mei", "--why", "first registration", str(file))
    with plain_database.connect() as conn:
        changes = registry.changes(conn)
    assert {(each.changed_by, each.why) for each in changes} == {("mei", "first registration")}


def test_machines_get_json(run: Run, file: Path) -> None:
    code, out, _ = run("import", "--json", str(file))
    assert code == 0
    assert json.loads(out) == {
        "version": 1,
        "new": {
            "park": 1, "enterprise": 1, "gateway": 2, "meter": 5, "channel": 9, "derived": 1, "source": 3,
            "parameter": 2, "product": 1,
        },
        "changed": {}, "unchanged": {}, "readings_outside": 0,
    }  # fmt: skip


def test_every_fault_is_listed_and_nothing_changes(run: Run, file: Path, plain_database: Database) -> None:
    file.write_text(
        SAMPLE.replace("unit: kWh\n", "unit: kwh\n").replace("industry: steel", "industry: stel"), "utf-8"
    )
    for action in ("import", "check"):
        code, out, err = run(action, str(file))
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            "enterprises[0].industry: 'stel' is no industry; did you mean 'steel'?",
            "enterprises[0].meters[0].channels[0].unit: 'kwh' is no unit; did you mean 'kWh'?",
            "enterprises[0].meters[0].channels[1].unit: 'kwh' is no unit; did you mean 'kWh'?",
            f"{file}: 3 faults, nothing was changed",
        ]
    code, out, err = run("check", "--json", str(file))
    assert (code, err) == (1, "")
    assert [each["place"] for each in json.loads(out)["faults"]] == [
        "enterprises[0].industry",
        "enterprises[0].meters[0].channels[0].unit",
        "enterprises[0].meters[0].channels[1].unit",
    ]
    with plain_database.connect() as conn:
        assert registry.version(conn) == 0


def test_check_tells_what_would_change(run: Run, file: Path, plain_database: Database) -> None:
    code, out, _ = run("check", str(file))
    assert code == 0
    assert out.startswith(f"{file}: no faults; importing it would change this:\nnew: 1 park, 1 enterprise")
    with plain_database.connect() as conn:
        assert registry.version(conn) == 0
    run("import", str(file))
    assert "importing it would change nothing" in run("check", str(file))[1]


def test_export_imports_as_itself(run: Run, file: Path, tmp_path: Path) -> None:
    run("import", str(file))
    for name in ("export.yaml", "export.json"):
        path = tmp_path / name
        assert run("export", str(path)) == (0, "", "")
        assert run("import", str(path))[1].startswith("nothing changed")
    assert run("export") == (0, (tmp_path / "export.yaml").read_text("utf-8"), "")
    assert json.loads(run("export", "--json")[1])["enterprises"][0]["uscc"] == USCC


def test_a_document_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SAMPLE.encode())))
    assert run("import", "-")[0] == 0


def test_moving_a_version_says_what_it_does(run: Run, file: Path, plain_database: Database) -> None:
    run("import", str(file))
    with plain_database.connect() as conn:
        point = registry.load(conn).enterprises[USCC].points["E-01/import_kwh"]
        conn.execute(
            "INSERT INTO readings VALUES ('2024-01-05T00:00:00Z', %s, 1, 1, 5, 0, 0, 0, 0)", [point.id]
        )
    moved = SAMPLE.replace("valid_from: 2024-01-01T00:00:00+08:00", "valid_from: 2024-02-01T00:00:00+08:00")
    file.write_text(moved, "utf-8")
    code, out, _ = run("import", "--moves", "2024-01-01T00:00:00+08:00", str(file))
    assert code == 0
    assert out.splitlines()[:2] == ["the registry is at version 2", "changed: 1 channel"]
    assert out.splitlines()[-1] == (
        "1 stored reading is outside the validity now: stored as before, and no longer in the ledger"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "--moves", "2024", "FILE"],
        ["import", "a", "b"],
        ["delete", "FILE"],
        [],
        ["check"],
    ],
)
def test_usage_is_exit_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    code, out, err = run("import", str(tmp_path / "none.yaml"))
    assert (code, out) == (1, "")
    assert "none.yaml" in err
