"""`carbonmeter report` over a real database: the same as the API, in the form that a file's name asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from carbonmeter.main import main
from tests.api.conftest import CEMENT, MG_PER_KWH, MG_PER_NM3, STEEL, City, city

__all__ = ["city"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Run:
    """Run the command on the small city: exit code, standard output, standard error."""
    monkeypatch.setenv("CARBONMETER_DATABASE", city.database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["report", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        output = capfdbinary.readouterr()
        return code, output.out.decode("utf-8", "replace"), output.err.decode()

    return command


def test_json_goes_to_standard_output(run: Run) -> None:
    code, out, err = run(STEEL, "2024")
    assert (code, err) == (0, "")
    account, _ = json.loads(out)["totals"]
    assert int(account["kg"].replace(".", "")) == 4316 * MG_PER_KWH + 384 * MG_PER_NM3


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("a.pdf", (), b"%PDF"),
        ("a.XLSX", ("--lang", "en"), b"PK"),
        ("a.json", (), b"{"),
        ("a.txt", (), b"{"),
        ("a.txt", ("--format", "pdf"), b"%PDF"),
    ],
)
def test_the_files_name_tells_the_form(
    run: Run, tmp_path: Path, name: str, options: tuple[str, ...], start: bytes
) -> None:
    path = tmp_path / name
    assert run(STEEL, "2024", *options, "-o", str(path)) == (0, "", "")
    assert path.read_bytes().startswith(start)


def test_as_of_is_reproducible(run: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "one.pdf", tmp_path / "two.pdf"
    for path in (one, two):
        assert run(CEMENT, "2024", "--as-of", "2024-06-15T12:00:00+08:00", "-o", str(path))[0] == 0
    assert one.read_bytes() == two.read_bytes()
    code, out, _ = run(CEMENT, "2024", "--as-of", "2024-01-01T00:00:00Z")
    assert code == 0
    assert json.loads(out)["totals"][0]["kg"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("91430302XT0000019X", "2024"), 1, "no enterprise '91430302XT0000019X' is registered"),
        ((STEEL, "2024", "--as-of", "2150-01-01T00:00:00Z"), 1, "ahead of the clock"),
        ((STEEL, "24"), 2, "'24' is no year of 1970 to 2199"),
        ((STEEL, "2024", "--as-of", "today"), 2, "'today' is no RFC 3339 time"),
        ((STEEL, "2024", "--format", "doc"), 2, "invalid choice: 'doc'"),
    ],
)
def test_refusals(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert said in err
