"""Dead letters and held readings by the command line, beside a running server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from carbonmeter.main import main
from tests.servers import CarbonmeterServer, Database

USCC = "91430300MA4L0DEM8M"
CHANNEL = """
          - id: kwh
            quantity: electricity_import
            kind: register
            unit: kWh
            multiplier: "1"
            resolution: "0.01"
            max_rate: "1000"
            valid_from: 2023-01-01T00:00:00+08:00
"""
DOCUMENT = f"""
enterprises:
  - uscc: {USCC}
    name_zh: 一号厂
    name_en: Works 1
    industry: steel
    gb_t_4754: "3120"
    district: "430304"
    gateways: [{{id: gw1}}]
    meters:
      - id: E-1
        name: feeder
        channels:{CHANNEL}
"""

Command = Callable[..., Any]


@pytest.fixture
def server(plain_database: Database, tmp_path: Path) -> Iterator[CarbonmeterServer]:
    with CarbonmeterServer(plain_database, tmp_path / "home", "api") as server:
        yield server
        assert server.stop() == 0


@pytest.fixture
def command(
    plain_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run a command with --json; its answer."""
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        code = main([*arguments, "--json"])
        output = capsys.readouterr()
        assert code == 0, output.err
        return json.loads(output.out)

    return run


def _register(command: Command, tmp_path: Path, text: str) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(text)
    command("registry", "import", str(path))


def _send(server: CarbonmeterServer, key: str, readings: list[dict[str, object]]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{server.http_url}/v1/readings?uscc={USCC}&gateway=gw1",
        json.dumps({"seq": 1, "readings": readings}).encode(),
        {"Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
        return dict(json.load(answer))


def test_what_was_set_aside_is_listed_taken_up_again_and_discarded(
    server: CarbonmeterServer, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = command("keys", "create", "--scope", "admin")["key"]
    server.wait_until_listening()
    good = {"m": "E-1", "c": "kwh", "at": "2024-01-01T00:00:00+08:00", "v": "1.5"}
    later = {"m": "E-1", "c": "other", "at": "2024-01-01T00:00:00+08:00", "v": 2}
    strange = {"m": "E-9", "c": "kwh", "at": "2024-01-01T00:00:00+08:00", "v": 3}
    broken = {"m": "E-1", "c": "kwh", "at": "2024-01-01", "v": 4}

    answer = _send(server, key, [good])  # nobody is registered yet
    assert (answer["stored"], answer["rejected"]) == (0, 1)
    (letter,) = command("deadletters", "list")["items"]
    assert (letter["reason"], letter["gateway"], letter["readings"]) == (
        "unknown_enterprise",
        f"{USCC}/gw1",
        1,
    )
    assert letter["received_at"].endswith("+08:00")
    assert command("deadletters", "replay")["unchanged"] == 1

    _register(command, tmp_path, DOCUMENT)
    assert command("deadletters", "replay", "--reason", "bad_time") == {
        **dict.fromkeys(("letters", "unchanged", "received", "stored", "held", "rejected"), 0)
    }
    replayed = command("deadletters", "replay", str(letter["id"]), "--by", "me")
    assert (replayed["letters"], replayed["stored"]) == (1, 1)
    assert command("deadletters", "list")["items"] == []
    assert len(command("deadletters", "list", "--all")["items"]) == 1

    answer = _send(server, key, [later, strange, broken])
    assert (answer["stored"], answer["held"], answer["rejected"]) == (0, 2, 1)
    held = command("held", "list")["items"]
    assert {(each["reason"], each["channel"], each["sent"]) for each in held} == {
        ("unknown_channel", "E-1/other", "2"),
        ("unknown_meter", "E-9/kwh", "3"),
    }
    assert command("held", "release")["kept"] == 2
    _register(command, tmp_path, DOCUMENT + CHANNEL.replace("id: kwh", "id: other"))
    assert command("held", "release", "--gateway", f"{USCC}/gw1") == {"stored": 1, "rejected": 0, "kept": 1}
    assert command("held", "discard", "--reason", "unknown_meter")["rejected"] == 1
    assert command("held", "list")["items"] == []
    letters = command("deadletters", "list")["items"]
    assert [each["reason"] for each in letters] == ["bad_time", "discarded"]

    assert main(["deadletters", "list", "--from", "yesterday", "--gateway", "gw1"]) == 1
    text = capsys.readouterr().err
    assert "--from: 'yesterday' is no RFC 3339 time" in text
    assert "--gateway: 'gw1' must be USCC/ID" in text
    assert main(["held", "list"]) == 0
    assert main(["deadletters", "list"]) == 0
    assert "discarded" in capsys.readouterr().out
