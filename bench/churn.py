"""Clients that come and go, a process of its own: `python -m bench.churn PORT RATE SECONDS`.

Each connects, says CONNECT, waits for CONNACK, and leaves: every other one with DISCONNECT, the rest by breaking the
connection. They are due at fixed moments. It says `ready`, waits for a line, and answers with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np

from bench.fleet import connect_packet

_CONNACK = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"
_RESET = struct.pack("ii", 1, 0)
_ADDRESSES = 200  # of 127.0.0.0/8, to come from: one alone would run out of ports
_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Churned:
    """What came of it: connections that were answered, over so long, and the time from when each was due [ms]."""

    answered: int
    seconds: float
    wait_ms_p50: float
    wait_ms_p99: float
    wait_ms_max: float


def churn(port: int, rate: float, seconds: float) -> Churned:
    """ConnectionError where one is refused or not answered."""
    total = max(1, round(rate * seconds))
    waits_s: list[float] = []
    waiting: dict[int, tuple[socket.socket, int]] = {}
    poll = select.epoll()
    began = time.monotonic()
    started = 0
    while len(waits_s) < total:
        now = time.monotonic()
        while started < total and began + started / rate <= now:
            client = _client(port, started)
            poll.register(client.fileno(), select.EPOLLIN)
            waiting[client.fileno()] = client, started
            started += 1
        for number, _ in poll.poll(0.001):
            client, place = waiting.pop(number)
            if client.recv(16) != _CONNACK:
                raise ConnectionError(f"client {place} wasn't accepted")
            poll.unregister(number)
            waits_s.append(time.monotonic() - began - place / rate)
            if place % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                with contextlib.suppress(OSError):
                    client.send(_DISCONNECT)
            client.close()
        if now - began > seconds + _WAIT_S:
            raise ConnectionError(f"{total - len(waits_s)} of {total} clients weren't answered")
    waits_ms = np.array(waits_s) * 1e3
    return Churned(
        total,
        time.monotonic() - began,
        *(float(np.percentile(waits_ms, share)) for share in (50, 99, 100)),
    )


def _client(port: int, number: int) -> socket.socket:
    client = socket.socket()
    client.settimeout(_WAIT_S)
    client.bind((f"127.0.0.{2 + number % _ADDRESSES}", 0))
    client.connect(("127.0.0.1", port))
    client.send(connect_packet(f"churn-{number:07d}", 60))
    return client


def main() -> None:
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        answer = asdict(churn(port, rate, seconds))
    except OSError as error:
        answer = {"error": str(error) or type(error).__name__}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
