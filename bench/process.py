"""Processes that a benchmark starts: what they cost, and that they end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from domain.errors import Refused

T = TypeVar("T")
_STOP_S = 40.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Child:
    """A child process with its output in a file, or its standard streams as pipes."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: dict[str, str] | None = None,
        piped: bool = False,
    ) -> None:
        self.log = log
        pipe = subprocess.PIPE if piped else None
        with log.open("ab") as output:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stdin=pipe if piped else subprocess.DEVNULL,
                stdout=pipe if piped else output,
                stderr=output,
                env=environment,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def write_line(self, text: str) -> None:
        stream: IO[bytes] | None = self._process.stdin
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):
            stream.write(text.encode() + b"\n")
            stream.flush()

    def read_line(self) -> str:
        """The next line of its output; Refused where it ended instead."""
        stream: IO[bytes] | None = self._process.stdout
        assert stream is not None
        line = stream.readline()
        if not line:
            self._process.wait()
            raise Refused(f"a child process ended with code {self._process.returncode}: {self.tail()}")
        return line.decode().strip()

    def tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-12:])
        return ""

    def ask_to_stop(self) -> None:
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.ask_to_stop()
        if self.is_running:
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def wait_for(condition: Callable[[], T], what: str, seconds: float = 60.0, pause_s: float = 0.05) -> T:
    """The first true value of `condition()`; Refused after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Refused(f"{what}: not within {seconds:g} s")
        time.sleep(pause_s)


def cpu_s(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def forget_peak(pid: int) -> None:
    """Let the peak of a process's memory begin anew, where the system allows that."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory_mb(pid: int, name: str = "VmHWM") -> float:
    """VmHWM: the peak of its memory since the start or `forget_peak`; VmRSS: what it holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


class Memory:
    """What processes hold, second by second, while the context lasts: the highest of those of one name."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._pids = pids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self.seen_mb: dict[str, list[float]] = {name: [] for name in pids}

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            for name, pids in self._pids.items():
                with contextlib.suppress(OSError):
                    self.seen_mb[name].append(max(memory_mb(pid, "VmRSS") for pid in pids))
            if self._ended.wait(1.0):
                return

    def said(self) -> str:
        """First, last and highest, by name."""
        return "memory " + ", ".join(
            f"{name} {seen[0]:.0f} → {seen[-1]:.0f} MB, at most {max(seen):.0f}"
            for name, seen in self.seen_mb.items()
            if seen
        )


def environment(**settings: Any) -> dict[str, str]:
    """Our own environment with these CARBONMETER_* settings and no other ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBONMETER_")}
    return {**kept, **{f"CARBONMETER_{name}": str(value) for name, value in settings.items()}}
