"""The load generator, a process of its own: `python -m bench.load`, told what to do by lines of JSON on stdin.

For each it connects, makes its packets, says `ready`, waits for a line, publishes at QoS 1, and answers with a line
of JSON once every message is acknowledged. Each PUBACK is compared with the one expected next. *Closed*: every
connection keeps its window full. *Paced*: messages are due at fixed moments, and the time to a PUBACK counts from
there, so a server that falls behind doesn't slow its own examination down.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench.fleet import Fleet, Int64, Packets, acknowledgements, connect_packet

_TICK_S = 0.002
_CONNECTING_MAX = 256
_KEEP_ALIVE_S = 600
# Packets are made before the clock runs, up to so many bytes; of a long load more are made while it runs, so many of a
# connection at a time.
_FIRST_BYTES, _MORE_BYTES = 1 << 30, 2 << 20
_CONNACK = b"\x20\x02\x00\x00"


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator is to do.

    connections  how many there are; single readings: the fleet's channels are dealt out to them; packed: enterprise
                 k mod enterprises belongs to connection k
    messages     of each connection
    window       unacknowledged messages of each connection, at most
    rate         of messages a second over all connections; 0: closed
    first_step   of every channel
    waits        of a paced one: measure the time to each PUBACK
    """

    host: str
    port: int
    connections: int
    messages: int
    window: int
    enterprises: int
    devices: int
    start_us: int
    packed: bool = False
    rate: float = 0.0
    first_step: int = 0
    prefix: str = "carbon"
    clients: str = "bench"
    timeout_s: float = 120.0
    waits: bool = True

    @property
    def readings(self) -> int:
        """In all of it."""
        return self.connections * self.messages * (self.devices if self.packed else 1)

    @property
    def steps(self) -> int:
        """How many steps of the fleet it uses up."""
        if self.packed:
            return self.messages * -(-self.connections // self.enterprises)
        own = max(
            1, self.enterprises * self.devices // self.connections
        )  # channels of a connection, at least
        return -(-self.messages // own)

    def steps_of_channels(self, channels: int) -> Int64:
        """How many steps it takes each of the fleet's channels on, where it is of single readings."""
        steps = np.zeros(channels, np.int64)
        for number in range(self.connections):
            own = np.arange(number % channels, channels, self.connections)
            steps[own] += (self.messages - np.arange(len(own)) + len(own) - 1) // len(own)
        return steps

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. Times in seconds since 1970; waits in milliseconds, from when a message was due."""

    began: float
    ended: float
    acknowledged: int  # messages
    cpu_s: float
    wait_ms_p50: float | None = None
    wait_ms_p99: float | None = None
    wait_ms_max: float | None = None
    late_ms_p99: float | None = None  # how late we sent: ours, not the server's


@dataclass(slots=True)
class _Run:
    load: Load
    acks: memoryview
    done: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0
    began: float = 0.0  # monotonic
    fault: str = ""
    # of paced runs: (moment, connection, first message, end), of PUBACKs and of writes
    events: list[tuple[float, int, int, int]] = field(default_factory=list)
    writes: list[tuple[float, int, int, int]] = field(default_factory=list)

    def fail(self, why: str) -> None:
        self.fault = self.fault or why
        self.done.set()


class _Publisher(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_acked",
        "_first",
        "_fleet",
        "_number",
        "_packets",
        "_run",
        "_transport",
        "connected",
        "due",
        "is_closing",
        "sent",
    )

    def __init__(self, run: _Run, number: int) -> None:
        self._run = run
        self._number = number
        self._packets = (memoryview(b""), 1)
        self._first = 0  # message of those
        self._transport: asyncio.Transport | None = None
        self._acked = 0  # bytes of PUBACKs
        self.sent = 0
        self.due = 0
        self.is_closing = False
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(connect_packet(f"{self._run.load.clients}-{self._number:05d}", _KEEP_ALIVE_S))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.connected.done():
            self.connected.set_exception(
                ConnectionError(f"the server closed the connection: {exc or 'no word'}")
            )
        elif not self.is_closing:
            self._run.fail(f"connection {self._number} was lost: {exc or 'closed by the server'}")

    def make(self, fleet: Fleet, bytes_max: int) -> None:
        """Make the packets that come next."""
        self._fleet = fleet
        packets = _packets(fleet, self._run.load, self._number, self.sent, bytes_max)
        self._first, self._packets = self.sent, (memoryview(packets.data), packets.size)

    def data_received(self, data: bytes) -> None:
        if not self.connected.done():
            if data != _CONNACK:
                self.connected.set_exception(ConnectionError(f"the server answers CONNECT with {data.hex()}"))
            else:
                self.connected.set_result(None)
            return
        run, start = self._run, self._acked
        self._acked = end = start + len(data)
        if run.acks[start:end] != data:
            run.fail(f"connection {self._number}: not the PUBACKs that were to come")
            return
        before, now = start >> 2, end >> 2
        run.left -= now - before
        if run.load.rate:
            if run.load.waits:
                run.events.append((time.monotonic(), self._number, before, now))
            if self.sent < self.due:
                self.publish(self.due)
        elif self.sent < run.load.messages:
            self.publish(run.load.messages)
        if not run.left:
            run.done.set()

    def publish(self, due: int) -> None:
        """Send up to the `due`-th message, as far as the window lets us."""
        self.due = due
        end = min(due, (self._acked >> 2) + self._run.load.window)
        if end > self.sent:
            assert self._transport is not None
            if self._run.load.rate and self._run.load.waits:
                self._run.writes.append((time.monotonic(), self._number, self.sent, end))
            while self.sent < end:
                data, size = self._packets
                reach = min(end, self._first + len(data) // size)
                if reach == self.sent:
                    self.make(self._fleet, _MORE_BYTES)
                    continue
                self._transport.write(data[(self.sent - self._first) * size : (reach - self._first) * size])
                self.sent = reach

    def close(self) -> None:
        self.is_closing = True
        if self._transport is not None:
            self._transport.close()


async def _connect(run: _Run) -> list[_Publisher]:
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(_CONNECTING_MAX)

    async def one(number: int) -> _Publisher:
        async with gate:
            publisher = _Publisher(run, number)
            await loop.create_connection(lambda: publisher, run.load.host, run.load.port)
            await asyncio.wait_for(publisher.connected, 60)
        return publisher

    return list(await asyncio.gather(*map(one, range(run.load.connections))))


def _packets(fleet: Fleet, load: Load, number: int, first: int, bytes_max: int) -> Packets:
    """Of a connection, from its `first` message on, as many as there is room for."""
    size = load.devices * 30 if load.packed else 150  # [bytes], about
    count = min(load.messages - first, max(100, bytes_max // size))
    if load.packed:
        turn, enterprise = divmod(number, load.enterprises)
        return fleet.packed(enterprise, load.first_step + turn * load.messages, count, load.prefix, first)
    channels = range(number % fleet.channels, fleet.channels, load.connections)
    return fleet.singles(channels, load.first_step, count, load.prefix, first)


async def _paced(run: _Run, publishers: list[_Publisher]) -> None:
    """Message g belongs to connection g mod connections and is due g ÷ rate after the beginning."""
    load = run.load
    total, size = load.messages * load.connections, load.connections
    reached = 0
    while reached < total and not run.done.is_set():
        due = min(total, int((time.monotonic() - run.began) * load.rate) + 1)
        if due > reached:
            for number in range(reached, min(due, reached + size)):
                place = number % size
                publishers[place].publish((due - 1 - place) // size + 1)
            reached = due
        await asyncio.sleep(_TICK_S)


async def _run(load: Load) -> Sent:
    run = _Run(load, memoryview(acknowledgements(load.messages)), left=load.messages * load.connections)
    publishers = await _connect(run)
    fleet = Fleet(load.enterprises, load.devices, load.start_us)
    for publisher in publishers:
        publisher.make(fleet, _FIRST_BYTES // load.connections)
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    cpu_s = time.process_time()
    began = time.time()
    run.began = time.monotonic()
    if not run.left:
        run.done.set()
    elif load.rate:
        pacing = asyncio.create_task(_paced(run, publishers))
    else:
        for publisher in publishers:
            publisher.publish(load.messages)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run.done.wait(), load.timeout_s)
    ended = began + time.monotonic() - run.began
    cpu_s = time.process_time() - cpu_s
    if load.rate:
        pacing.cancel()
    for publisher in publishers:
        publisher.close()
    if run.fault or run.left:
        raise ConnectionError(
            run.fault or f"{run.left} messages weren't acknowledged within {load.timeout_s:g} s"
        )
    sent = Sent(began, ended, load.messages * load.connections, cpu_s)
    return _with_waits(run, sent) if load.rate and run.events else sent


def _with_waits(run: _Run, sent: Sent) -> Sent:
    waits_ms, late_ms = (_since_due_ms(run, events) for events in (run.events, run.writes))
    return Sent(
        sent.began,
        sent.ended,
        sent.acknowledged,
        sent.cpu_s,
        float(np.percentile(waits_ms, 50)),
        float(np.percentile(waits_ms, 99)),
        float(waits_ms.max()),
        float(np.percentile(late_ms, 99)),
    )


def _since_due_ms(run: _Run, events: list[tuple[float, int, int, int]]) -> Any:
    """Of each message in these events the time from when it was due to its event [ms]."""
    moments = np.array([event[0] for event in events])
    numbers, firsts, ends = np.array([event[1:] for event in events], np.int64).T
    counts = ends - firsts
    place = np.repeat(firsts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    due = run.began + (place * run.load.connections + np.repeat(numbers, counts)) / run.load.rate
    return (np.repeat(moments, counts) - due) * 1e3


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    _raise_file_limit()
    while line := sys.stdin.readline():
        try:
            answer = asdict(asyncio.run(_run(Load(**json.loads(line)))))
        except (OSError, TimeoutError) as error:
            answer = {"error": str(error) or type(error).__name__}
        gc.enable()
        gc.unfreeze()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
