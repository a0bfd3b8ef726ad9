"""`carbonmeter simulate`: a scene is chosen once, written as a registry document, and pushed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from carbonmeter.main import main
from tests.carbonmeter.answering_server import AnsweringServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def simulate(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["simulate", *words, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_registry_of_a_scene_stays_the_same(tmp_path: Path, home: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    assert (
        main(["simulate", "all", "--days", "2", "--fault", "replacements=1", "--registry", str(first)]) == 0
    )
    assert main(["simulate", "all", "--registry", str(second)]) == 0
    document = yaml.safe_load(first.read_text("utf-8"))
    assert document == json.loads(second.read_text("utf-8"))
    assert len(document["enterprises"]) == 25  # the real plant, and one of each industry
    assert (home / "simulator" / "scene.json").exists()


def test_history_is_pushed_once_and_a_folder_is_for_one_scene(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with AnsweringServer() as server:
        words = ("--url", server.url, "--key", "cm_key", "--duration", "PT0S", "--days", "1")
        first = simulate(capsys, *words, "--fault", "duplicates=0.5")
        assert first["readings"] > 2_000
        assert first["repeated"] > 0
        assert first["waiting"] == 0
        assert simulate(capsys, *words)["readings"] < 200, "only what was measured since"
        assert main(["simulate", *words, "--seed", "2"]) == 1
        assert "holds another scene" in capsys.readouterr().err
        assert set(server.passwords) == {b"cm_key"}


def test_time_can_run_faster(capsys: pytest.CaptureFixture[str]) -> None:
    with AnsweringServer() as server:
        words = (
            "--url",
            server.url,
            "--days",
            "1",
            "--rate",
            "3600",
            "--every",
            "PT5M",
            "--duration",
            "PT2S",
        )
        assert simulate(capsys, *words)["readings"] > 100
        assert len(server.received) > 10


def test_a_server_that_is_away_fails_what_should_end(capsys: pytest.CaptureFixture[str]) -> None:
    with AnsweringServer(connack_code=0x87) as server:
        words = ["simulate", "plant", "--url", server.url, "--duration", "PT1S"]
        assert main(words) == 0
    assert "last trouble of 91430304XT0000022B/gw1" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--rate", "0"], ["--duration", "soon"], ["--rate", "x"], ["nothing"]])
def test_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["simulate", *words])
    assert caught.value.code == 2


def test_unknown_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--fault", "nonsense", "--fault", "garbage=7", "--registry", "-"]) == 1
    errors = capsys.readouterr().err
    assert "nonsense" in errors
    assert "garbage=7" in errors
