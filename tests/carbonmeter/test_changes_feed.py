"""The feed loses and repeats (by id) nothing while the API and its subscribers are killed, again and again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carbonmeter.main import main
from domain.change import ChangeKind
from storage import changes, keys
from tests.carbonmeter.subscribers import lines
from tests.servers import CarbonmeterServer, Database, free_port, wait_for

CHANGES = 240


class Subscriber:
    """A process that can be killed and started again."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "tests.carbonmeter.subscribers", *arguments]
        self.process = subprocess.Popen(self._command)

    def strike(self) -> None:
        self.stop()
        self.process = subprocess.Popen(self._command)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def announcer(plain_database: Database) -> Iterator[threading.Thread]:
    """Changes that go on being committed, one and several at a time."""
    stop = threading.Event()

    def announce() -> None:
        with plain_database.connect() as conn:
            for place in range(CHANGES):
                changes.announce(conn, ChangeKind.QUOTA_WARNED, None, {"place": place})
                if place % 3 != 1:
                    conn.commit()
                    stop.wait(0.02)
            conn.commit()

    thread = threading.Thread(target=announce)
    yield thread
    stop.set()
    if thread.is_alive():
        thread.join()


def test_nothing_is_lost_or_repeated_while_all_are_killed(
    plain_database: Database,
    tmp_path: Path,
    announcer: threading.Thread,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    with plain_database.connect() as conn:
        text, key = keys.create(conn, ["emissions:read"], name="a platform")
    port = free_port()
    hook = f"http://127.0.0.1:{port}/hook"
    assert main(["webhooks", "add", hook, "--key", key.prefix, "--by", "tests", "--json"]) == 0
    secret = json.loads(capsys.readouterr().out)["secret"]
    posted, streamed = tmp_path / "posted", tmp_path / "streamed"
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(CarbonmeterServer(plain_database, tmp_path / "api", "api"))
        publisher = stack.enter_context(
            CarbonmeterServer(plain_database, tmp_path / "publisher", "publisher")
        )
        subscribers = [
            Subscriber("webhook", str(port), str(posted), secret),
            Subscriber("stream", f"{api.http_url}/v1/changes/stream", text, str(streamed)),
        ]
        for each in subscribers:
            stack.callback(each.stop)
        api.wait_until_listening()
        publisher.wait_until_ready()
        announcer.start()
        for strike in range(2):
            goal = (strike + 1) * CHANGES // 4
            wait_for(lambda goal=goal: min(len(lines(posted)), len(lines(streamed))) >= goal, 60)
            for server in (api, publisher):
                for child in server.children():
                    os.kill(child, signal.SIGKILL)
            for each in subscribers:
                each.strike()
        announcer.join()
        wait_for(lambda: len({id_ for id_, _ in lines(posted)}) >= CHANGES, 120)
        wait_for(lambda: len(lines(streamed)) >= CHANGES, 120)
        for path in (posted, streamed):
            heard = lines(path)
            first: dict[str, Any] = {}
            for id_, data in heard:
                assert first.setdefault(id_, data) == data  # a repeat is the same, to the byte
            assert [data["number"] for data in first.values()] == list(range(1, CHANGES + 1))
            assert [data["data"]["place"] for data in first.values()] == list(range(CHANGES))
            assert all(id_ == f"chg_{data['number']}" for id_, data in heard)
        assert len(lines(streamed)) == CHANGES  # it says what it has heard
        assert main(["webhooks", "list", "--json"]) == 0
        (listed,) = json.loads(capsys.readouterr().out)["items"]
        assert listed["state"] == "active"
        stop = [server.stop() for server in (api, publisher)]
    assert stop == [0, 0]
