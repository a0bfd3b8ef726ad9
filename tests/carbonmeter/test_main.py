"""The command line: exit codes, short errors, the commands of the contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carbonmeter.main import command_names, main
from tests.servers import Database


@pytest.fixture
def carbonmeter(plain_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a command on a fresh database; returns its exit code."""
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    return lambda *arguments: main(arguments)


def test_usage_faults_exit_with_2(carbonmeter: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in [(), ("nonsense",), ("keys",), ("keys", "create"), ("serve", "nothing")]:
        with pytest.raises(SystemExit) as caught:
            carbonmeter(*arguments)
        assert caught.value.code == 2
    assert "usage: carbonmeter" in capsys.readouterr().err


def test_help_lists_every_command(carbonmeter: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        carbonmeter("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert [name for name in command_names() if not re.search(rf"\n    {name}\s", text)] == []


def test_a_key_is_made_listed_and_revoked(carbonmeter: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = "91430300MA4L0DEM8M/gw1"
    code = carbonmeter(
        *("keys", "create", "--json", "--scope", "readings:write", "--gateway", gateway, "--name", "works")
    )
    assert code == 0
    created = json.loads(capsys.readouterr().out)
    assert created["key"].startswith(f"cm_{created['prefix']}_")
    assert created["gateways"] == [gateway]

    assert carbonmeter("keys", "create", "--scope", "admin") == 0
    assert capsys.readouterr().out.startswith("cm_")
    assert carbonmeter("keys", "revoke", created["prefix"]) == 0
    assert capsys.readouterr().out == f"revoked {created['prefix']} works\n"
    assert carbonmeter("keys", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["items"]
    assert [(each["scopes"], each["revoked_at"] is None) for each in listed] == [
        (["readings:write"], False),
        (["admin"], True),
    ]
    assert carbonmeter("keys", "list") == 0
    assert created["key"] not in capsys.readouterr().out


def test_refusals_are_short_texts_with_exit_code_1(
    carbonmeter: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carbonmeter("keys", "revoke", "cm_0badf00d_x") == 1
    assert (
        capsys.readouterr().err
        == "carbonmeter: no key begins with '0badf00d'; `carbonmeter keys list` shows them\n"
    )
    assert carbonmeter("keys", "create", "--scope", "all", "--gateway", "x") == 1
    text = capsys.readouterr().err
    assert "scope: 'all' is none of" in text
    assert "gateway: 'x' must be USCC/ID" in text
    monkeypatch.setenv("CARBONMETER_ZONE", "+09:00")
    assert carbonmeter("keys", "list") == 1
    assert "set CARBONMETER_ZONE=+08:00" in capsys.readouterr().err
    monkeypatch.setenv("CARBONMETER_DATABASE", "postgresql://127.0.0.1:1/none")
    assert carbonmeter("keys", "list") == 1
    assert capsys.readouterr().err.startswith("carbonmeter: database: ")


def test_migrate_tells_what_it_did(carbonmeter: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert carbonmeter("migrate", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["mode"], answer["applied"]) == ("plain", [])
    assert len(answer["partitions"]) == 4
    assert carbonmeter("migrate") == 0
    assert "the schema is up to date" in capsys.readouterr().out


def test_without_a_database_the_embedded_one_is_used_and_migrated(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARBONMETER_")}
    environment["CARBONMETER_HOME"] = str(tmp_path / "home")
    result = subprocess.run(
        [sys.executable, "-m", "carbonmeter.main", "keys", "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == {"items": []}
    assert not (tmp_path / "home" / "postgres" / "data" / "postmaster.pid").exists()
