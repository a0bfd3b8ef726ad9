"""`carbonmeter forward`: lines and files become messages that leave the disk once the server has them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from carbonmeter.commands.forward import messages
from carbonmeter.forward import Spool
from carbonmeter.main import main
from tests.carbonmeter.answering_server import AnsweringServer
from tests.servers import wait_for

GATEWAY = "91430304XT0000022B/gw1"
TOPIC = f"carbon/v1/{GATEWAY}/readings"


def command(*arguments: object, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "carbonmeter.main", "forward", GATEWAY, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "CARBONMETER_HOME": str(home)},
    )


def test_a_line_is_kept_to_the_letter_and_an_array_is_taken_apart() -> None:
    line = b' {"at": 1, "values": {"E-01/kwh": 1.10}}\n'
    assert messages(line, 7) == [line.strip()]
    assert messages(b'{"values": {"E-01/kwh": 1.10}}', 7) == [b'{"values":{"E-01/kwh":1.10},"at":7}']
    array = '[{"at": 1, "values": {"电/kwh": 1e2}}, {"readings": []}]'.encode()
    assert messages(array, 7) == ['{"at":1,"values":{"电/kwh":1e2}}'.encode(), b'{"readings":[]}']
    for bad in (b"12.5", b"{}", b"{", b"\xff", b"[1]", b"[" * 100_000):
        with pytest.raises(ValueError, match=r"."):
            messages(bad, 7)


def test_lines_are_sent_and_an_unreadable_one_is_said(tmp_path: Path) -> None:
    with AnsweringServer() as server:
        process = command("--url", server.url, "--key", "cm_key", "--json", home=tmp_path)
        lines = b'{"at": 1, "values": {"a/b": 1}}\n\nlots\n{"seq": 5, "readings": []}'
        out, said = process.communicate(lines, timeout=60)
        assert process.returncode == 1, "one line wasn't taken"
        assert b"line 3 isn't taken" in said
        assert server.received == [
            (TOPIC, b'{"seq":1,"at": 1, "values": {"a/b": 1}}'),
            (TOPIC, b'{"seq": 5, "readings": []}'),
        ]
        assert server.passwords == [b"cm_key"]
    summary = json.loads(out)
    assert (summary["acknowledged"], summary["unreadable"], summary["waiting"]) == (2, 1, 0)


def test_what_waits_is_sent_when_it_runs_again(tmp_path: Path) -> None:
    """Killed with the server away: its lines are on disk. Its measured times stay."""
    process = command("--url", "mqtt://127.0.0.1:1", home=tmp_path)
    assert process.stdin is not None
    for number in range(50):
        process.stdin.write(b'{"at": %d, "values": {"a/b": 1}}\n' % number)
        process.stdin.flush()
    path = tmp_path / "forward" / "91430304XT0000022B-gw1.sqlite"

    def is_kept() -> bool:
        return path.with_name(path.name + "-wal").exists() and b'{"at": 49,' in (
            path.with_name(path.name + "-wal").read_bytes() + path.read_bytes()
        )

    wait_for(is_kept, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with AnsweringServer() as server:
        process = command("--url", server.url, "--order", "newest", home=tmp_path)
        _, said = process.communicate(b"", timeout=60)
        assert process.returncode == 0, said
        assert [json.loads(payload)["at"] for _, payload in server.received] == list(range(49, -1, -1))


def test_files_of_a_folder_are_taken_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.jsonl").write_text('{"at": 1, "values": {"a/b": 1}}\n{"at": 2, "values": {"a/b": 2}}\n')
    (folder / "2.json").write_text("lots")
    (folder / "other.txt").write_text("not ours")
    with AnsweringServer() as server:
        process = command("--url", server.url, "--folder", folder, home=tmp_path)
        wait_for(lambda: len(server.received) == 2, 60)
        (folder / ".3").write_text('{"at": 3, "values": {"a/b": 3}}')
        (folder / ".3").rename(folder / "3.json")
        wait_for(lambda: len(server.received) == 3, 60)
        wait_for(lambda: not (folder / "3.json").exists(), 60)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=60)
        assert process.returncode == 1, said
        assert b"unreadable 1" in out
    assert sorted(path.name for path in folder.iterdir()) == ["2.json.unreadable", "other.txt"]


def test_a_full_spool_holds_the_input_back_until_there_is_room(tmp_path: Path) -> None:
    """Nothing is dropped unless that is set; stopped meanwhile, it says what it hasn't kept."""
    process = command("--url", "mqtt://127.0.0.1:1", "--spool-mb", 0.001, "--timeout", 0, home=tmp_path)
    assert process.stdin is not None
    for number in range(20):
        process.stdin.write(b'{"at": %d, "values": {"a/b": 1}}\n' % number)
        process.stdin.flush()
        if number == 0:
            path = tmp_path / "forward" / "91430304XT0000022B-gw1.sqlite"
            wait_for(path.exists, 60)
    assert process.stderr is not None
    said = b""
    while b"waiting for room" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"aren't kept" in rest
    spool = Spool(path)
    assert 0 < spool.size_bytes <= 1_048
    spool.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "must be USCC/ID"),
        (["91430304XT0000022B/g w"], "must be USCC/ID"),
        ([GATEWAY, "--spool-mb", "0"], "must be above 0"),
        ([GATEWAY, "--url", "http://x"], "no.* MQTT URL"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    assert main(["forward", *arguments]) == 1
    assert re.search(text, capsys.readouterr().err)
