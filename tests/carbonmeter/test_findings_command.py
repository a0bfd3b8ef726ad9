"""`carbonmeter findings`: list, explain and settle, over a database with findings in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from carbonmeter.main import main
from domain.validation import CheckRule, Severity
from tests.api.conftest import CEMENT, STEEL, City, empty_city
from tests.api.findings_scene import add_finding
from tests.servers import DatabaseServer

Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def city(plain_server: DatabaseServer) -> Iterator[City]:
    with empty_city(plain_server) as city:
        yield city


@pytest.fixture
def command(
    city: City, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `findings …`: exit code, answer (JSON where it is asked for), complaint."""
    monkeypatch.setenv("CARBONMETER_DATABASE", city.database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = main(["findings", *arguments])
        output = capsys.readouterr()
        answer = json.loads(output.out) if "--json" in arguments and code == 0 else output.out
        return code, answer, output.err

    return run


def test_findings_are_listed_explained_and_settled(command: Command, city: City) -> None:
    frozen = add_finding(city)
    other = add_finding(
        city,
        "furnace",
        uscc=CEMENT,
        rule=CheckRule.NO_CONSUMPTION,
        severity=Severity.HIGH,
        first="2024-06-01",
    )
    code, answer, _ = command("list", "--json")
    assert (code, [item["id"] for item in answer["items"]]) == (0, [frozen, other])
    (item,) = command("list", "--enterprise", STEEL, "--json")[1]["items"]
    assert item == {
        "id": frozen,
        "uscc": STEEL,
        "rule": "frozen_value",
        "severity": "medium",
        "subject": "E-01/import_kwh",
        "channels": ["E-01/import_kwh"],
        "from": "2024-05-20T00:00:00+08:00",
        "to": "2024-05-22T00:00:00+08:00",
        "days": 2,
        "in_doubt_co2e_kg": "1500.000000",
        "state": "open",
        "holds": True,
        "changed_at": item["changed_at"],
        "changed_by": "carbonmeter",
        "why": "found",
    }
    for chosen in (
        ["--severity", "high"],
        ["--rule", "no_consumption"],
        ["--from", "2024-05-25T00:00:00+08:00"],
    ):
        assert [each["id"] for each in command("list", *chosen, "--json")[1]["items"]] == [other]
    (explained,) = command("explain", str(frozen), "--text", "frost", "--by", "Li Lei", "--json")[1]["items"]
    assert (explained["state"], explained["changed_by"], explained["why"]) == ("explained", "Li Lei", "frost")
    settled = command("settle", str(frozen), str(other), "--text", "replaced", "--json")[1]["items"]
    assert [each["state"] for each in settled] == ["settled", "settled"]
    code, table, _ = command("list", "--state", "settled")
    assert code == 0
    assert table.splitlines()[0].split()[:3] == ["id", "severity", "rule"]
    assert "frozen_value" in table


def test_what_is_refused_changes_nothing(command: Command, city: City) -> None:
    id_ = add_finding(city)
    assert command("settle", str(id_), "--text", "done")[0] == 0
    other = add_finding(city, "E-02/import_kwh")
    code, _, complaint = command("explain", str(other), str(id_), "--text", "late")
    assert (code, f"settled already: {id_}; nothing was changed" in complaint) == (1, True)
    assert command("list", "--state", "explained", "--json")[1]["items"] == []
    assert "no finding 99 is known" in command("settle", "99", "--text", "x")[2]
    assert "--text is empty" in command("settle", str(other), "--text", " ")[2]
    assert "takes a person's name" in command("explain", str(other), "--text", "x", "--by", "carbonmeter")[2]
    code, _, complaint = command("list", "--from", "today", "--to", "now")
    assert code == 1
    assert "--from: 'today' is no RFC 3339 time" in complaint
    assert "--to: 'now' is no RFC 3339 time" in complaint
