"""HTTP requests at a steady rate, from a process of its own: `python -m bench.requests`, told by lines of JSON.

A request is due at its moment whether those before it were answered or not, and its time counts from there. Each
connection has one request under way; where all are busy, the next one waits for the first that is free.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Requests:
    """`paths` in turn, `count` requests, `rate` a second over `connections`."""

    port: int
    paths: list[str]
    key: str
    count: int
    rate: float
    connections: int
    host: str = "127.0.0.1"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Answered:
    """Times in milliseconds, from when each request was due."""

    seconds: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    bytes_each: float
    late_ms_p99: float  # how late we sent: ours, or for want of a free connection
    others: dict[str, int]  # answers that weren't 200, by status


@dataclass(slots=True)
class _Run:
    requests: Requests
    texts: list[bytes]
    began: float = 0.0
    free: deque[_Client] = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)
    times_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    size_bytes: int = 0
    others: dict[str, int] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    fault: str = ""

    def due(self, number: int) -> float:
        return self.began + number / self.requests.rate


class _Client(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._data = bytearray()
        self._number = -1
        self._size = -1  # of the answer under way, once its head has come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._run.done.is_set():
            self._run.fault = f"the server closed a connection: {exc or 'no word'}"
            self._run.done.set()

    def ask(self, number: int) -> None:
        run = self._run
        self._number = number
        run.late_s.append(time.monotonic() - run.due(number))
        self.transport.write(run.texts[number % len(run.texts)])

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._size < 0:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._data[:end]).lower()
            at = head.find(b"content-length:")
            if at < 0:
                self._run.fault = "an answer without Content-Length"
                self._run.done.set()
                return
            self._size = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._data) >= self._size:
            self._answered()

    def _answered(self) -> None:
        run = self._run
        status = bytes(self._data[9:12]).decode()
        if status != "200":
            run.others[status] = run.others.get(status, 0) + 1
        run.size_bytes += self._size
        run.times_s.append(time.monotonic() - run.due(self._number))
        self._data.clear()
        self._size = -1
        if run.waiting:
            self.ask(run.waiting.popleft())
        else:
            run.free.append(self)
        if len(run.times_s) == run.requests.count:
            run.done.set()


async def _run(requests: Requests) -> Answered:
    head = (
        f"Host: {requests.host}\r\nAuthorization: Bearer {requests.key}\r\nAccept: application/json\r\n\r\n"
    )
    run = _Run(requests, [f"GET {path} HTTP/1.1\r\n{head}".encode() for path in requests.paths])
    loop = asyncio.get_running_loop()
    for _ in range(requests.connections):
        _, client = await loop.create_connection(lambda: _Client(run), requests.host, requests.port)
        run.free.append(client)
    clients = list(run.free)
    gc.collect()
    gc.disable()
    run.began = time.monotonic() + 0.05
    sending = asyncio.create_task(_send(run))
    try:
        await asyncio.wait_for(run.done.wait(), requests.count / requests.rate + _TIMEOUT_S)
    finally:
        run.done.set()
        sending.cancel()
        for client in clients:
            client.transport.close()
        gc.enable()
    if run.fault:
        raise ConnectionError(run.fault)
    times_ms = np.array(run.times_s) * 1e3
    return Answered(
        time.monotonic() - run.began,
        float(np.percentile(times_ms, 50)),
        float(np.percentile(times_ms, 99)),
        float(times_ms.max()),
        run.size_bytes / requests.count,
        float(np.percentile(np.array(run.late_s) * 1e3, 99)),
        run.others,
    )


async def _send(run: _Run) -> None:
    for number in range(run.requests.count):
        pause_s = run.due(number) - time.monotonic()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        if run.free:
            run.free.popleft().ask(number)
        else:
            run.waiting.append(number)


def main() -> None:
    while line := sys.stdin.readline():
        answer: dict[str, Any]
        try:
            answer = asdict(asyncio.run(_run(Requests(**json.loads(line)))))
        except (OSError, TimeoutError) as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
