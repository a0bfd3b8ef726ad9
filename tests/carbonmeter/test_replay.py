"""`carbonmeter replay`: recordings are checked whole, then sent as they were."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from carbonmeter.commands.replay import check, message
from carbonmeter.main import main
from domain.errors import FaultyDocument
from tests.carbonmeter.answering_server import AnsweringServer


def recording(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", "utf-8")
    return path


def test_a_recording_is_sent_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recording(
        tmp_path / "r.jsonl",
        {"topic": "a/b", "payload": {"at": 1, "values": {"电/x": 1.5}}},
        {"topic": "a/b", "payload": "12.5"},
        {"topic": "a/c", "payload": 12.5},
        {"topic": "a/c", "payload_base64": "AP8="},
    )
    with AnsweringServer() as server:
        assert main(["replay", str(path), "--url", server.url, "--key", "cm_key", "--json"]) == 0
        assert server.received == [
            ("a/b", '{"at":1,"values":{"电/x":1.5}}'.encode()),
            ("a/b", b"12.5"),
            ("a/c", b"12.5"),
            ("a/c", b"\x00\xff"),
        ]
        assert server.passwords == [b"cm_key"]
    assert json.loads(capsys.readouterr().out)["acknowledged"] == 4


def test_recorded_pauses_are_kept_at_a_rate(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "r.jsonl",
        {"topic": "a", "payload": "1", "at": 1_700_000_000_000},
        {"topic": "a", "payload": "2", "at": "2023-11-14T22:13:30Z"},
    )
    with AnsweringServer() as server:
        began = time.monotonic()
        assert main(["replay", str(path), "--url", server.url, "--rate", "50"]) == 0
        assert 0.2 <= time.monotonic() - began < 5
        assert [payload for _, payload in server.received] == [b"1", b"2"]


def test_what_the_server_refuses_is_told_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recording(tmp_path / "r.jsonl", {"topic": "a", "payload": "1"}, {"topic": "b", "payload": "2"})
    with AnsweringServer(lambda _n, topic, _payload: 0x87 if topic == "b" else 0) as server:
        assert main(["replay", str(path), "--url", server.url]) == 1
    assert "refused b:" in capsys.readouterr().out


def test_every_fault_is_listed_and_nothing_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"topic": "a", "payload": 1}\n{"topic": "a/#", "payload": 1}\nnonsense\n[]\n')
    with AnsweringServer() as server:
        assert main(["replay", str(path), "--url", server.url]) == 1
        assert server.received == []
    errors = capsys.readouterr().err
    assert [f"line {number}:" in errors for number in (1, 2, 3, 4)] == [False, True, True, True]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "Expecting value"),
        (b"{}", "topic None"),
        (b'{"topic": 5, "payload": 1}', "topic 5"),
        (b'{"topic": "a"}', "exactly one of"),
        (b'{"topic": "a", "payload": 1, "payload_base64": "AA=="}', "exactly one of"),
        (b'{"topic": "a", "payload_base64": "A"}', "payload_base64"),
        (b'{"topic": "a", "payload_base64": 5}', "payload_base64"),
        (b'{"topic": "a", "payload": 1, "at": "2023-11-14T22:13:30"}', "no time with an offset"),
        (b'{"topic": "a", "payload": ' + b"[" * 100_000, "too deeply"),
    ],
)
def test_lines_that_are_none(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        message(line)


def test_many_faults_are_cut_short() -> None:
    with pytest.raises(FaultyDocument) as caught:
        check(io.BytesIO(b"x\n" * 1000))
    assert len(caught.value.faults) == 101
