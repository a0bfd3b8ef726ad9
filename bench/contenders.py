"""Who has a turn in `bench ingest`: our cases, and what they are compared with."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.bed import Bed, Broker, MissingError, scalar, settle
from bench.fleet import STEP_US, Fleet, value_counts
from bench.generator import Generator
from bench.load import Load
from bench.process import Child, wait_for
from bench.report import Turn
from bench.target import Meter, Target
from domain.errors import Refused
from storage import partitions, readings
from storage.binary_copy import SIGNATURE, TRAILER, Column, encode
from storage.database import connect

COPY_ROWS = 50_000  # a transaction
_BRIDGE_S = 120.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How a case sends. `guess`: readings a second to size its first turn by."""

    connections: int
    window: int
    through_broker: bool = False
    packed: bool = False
    guess: int = 20_000

    def messages(self, speed: float, seconds: float, devices: int) -> int:
        """Of each connection, for about so long at so many readings a second; at least three windows."""
        each = devices if self.packed else 1
        return max(3 * self.window, round(speed * seconds / self.connections / each))


class Case:
    """Single or packed readings to a real server, as fast as it takes them; the speed is in readings/s.

    With accounting, a turn ends when the ledger has everything.
    """

    def __init__(self, name: str, target: Target, shape: Shape) -> None:
        self.name = name
        self.target = target
        self.shape = shape
        self._speed = float(shape.guess)

    def turn(self, seconds: float) -> Turn:
        target, shape = self.target, self.shape
        messages = shape.messages(self._speed, seconds, target.fleet.devices)
        load = target.load(
            through_broker=shape.through_broker,
            connections=shape.connections,
            messages=messages,
            window=shape.window,
            packed=shape.packed,
            timeout_s=10 * seconds + 120,
        )
        with_ledger = "accounting" in target.pids
        target.generator.prepare(load)
        settle(seconds)
        meter = target.meter("accounting" if with_ledger else "ingest")
        meter.start()
        before = target.last_commit()
        patience_s = 10 * seconds + 180
        sent = target.generator.send()
        commit_no, committed = target.committed(before, load.readings, patience_s)
        ended = committed if shape.through_broker else sent.ended
        if with_ledger:
            ended = target.accounted(commit_no, patience_s)
        took_s = ended - sent.began
        busy = meter.busy(time.time() - sent.began)
        busy["load generator"] = sent.cpu_s / took_s
        self._speed = load.readings / took_s
        if not with_ledger:
            target.forget_readings()
        return Turn(self._speed, took_s, meter.rss_mb(), busy)

    def prepare_paced(self, rate: float, seconds: float, *, waits: bool = True) -> Load:
        """A load of so many readings a second, ready to be sent; `waits`: the time to each PUBACK is measured."""
        shape, devices = self.shape, self.target.fleet.devices
        messages_rate = rate / (devices if shape.packed else 1)
        load = self.target.load(
            through_broker=shape.through_broker,
            connections=shape.connections,
            messages=max(1, round(messages_rate * seconds / shape.connections)),
            window=shape.window,
            packed=shape.packed,
            rate=messages_rate,
            timeout_s=seconds + 120,
            waits=waits,
        )
        self.target.generator.prepare(load)
        return load


class Copy:
    """The bare limit of the database: rows made before, copied into a table like the log, nothing else."""

    name = "copy"

    def __init__(self, bed: Bed, fleet: Fleet) -> None:
        self._url = bed.database()  # its log is equal to ours by being made by the same migrations
        count = np.arange(COPY_ROWS)
        steps = count // fleet.channels
        rows = np.zeros(COPY_ROWS, readings.READING_DTYPE)
        rows["measured_at"] = fleet.start_us + steps * STEP_US
        rows["channel_id"], rows["gateway_id"] = count % fleet.channels + 1, count % fleet.channels + 1
        rows["mantissa"], rows["exponent"], rows["batch_id"] = value_counts(steps), -2, 1
        types = {"<i8": "int8", "<i4": "int4", "<i2": "int2"}
        assert rows.dtype.names is not None
        self._names = ", ".join(rows.dtype.names)
        columns = [
            Column(name, "timestamptz" if name == "measured_at" else types[rows.dtype[name].str], rows[name])
            for name in rows.dtype.names
        ]
        self._data = SIGNATURE + encode(columns) + TRAILER
        with connect(self._url, "carbonmeter bench") as conn:
            partitions.ensure(conn, int(rows["measured_at"].min()), int(rows["measured_at"].max()))
        self._speed = 500_000.0

    def turn(self, seconds: float) -> Turn:
        times = max(2, round(self._speed * seconds / 2 / COPY_ROWS))
        with connect(self._url, "carbonmeter bench copy", autocommit=True) as conn:
            meter = Meter({"copying": [conn.info.backend_pid]})
            meter.start()
            began = time.monotonic()
            for _ in range(times):
                with conn.cursor().copy(f"COPY readings ({self._names}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(self._data)
            took_s = time.monotonic() - began
            busy = meter.busy(took_s)
            conn.execute("TRUNCATE readings")
        self._speed = times * COPY_ROWS / took_s
        return Turn(self._speed, took_s, None, busy)


class _BesideTheBroker:
    """Another reader of our broker, under a prefix of its own as long as ours."""

    def __init__(
        self, name: str, generator: Generator, fleet: Fleet, broker: Broker, shape: Shape, prefix: str
    ) -> None:
        assert len(prefix) == len("carbon")
        self.name = name
        self._generator = generator
        self._fleet = fleet
        self._broker = broker
        self._shape = shape
        self._prefix = prefix
        self._step = 0
        self._speed = float(shape.guess)

    def _prepare(self, seconds: float) -> Load:
        load = Load(
            host="127.0.0.1",
            port=self._broker.port,
            connections=self._shape.connections,
            messages=self._shape.messages(self._speed, seconds, self._fleet.devices),
            window=self._shape.window,
            enterprises=self._fleet.enterprises,
            devices=self._fleet.devices,
            start_us=self._fleet.start_us,
            packed=self._shape.packed,
            first_step=self._step,
            prefix=self._prefix,
        )
        self._step += load.steps
        self._generator.prepare(load)
        settle(seconds)
        return load


class Reader(_BesideTheBroker):
    """`bench.reader`."""

    def __init__(
        self,
        name: str,
        bed: Bed,
        generator: Generator,
        fleet: Fleet,
        broker: Broker,
        shape: Shape,
        prefix: str,
    ) -> None:
        super().__init__(name, generator, fleet, broker, shape, prefix)
        command = [sys.executable, "-m", "bench.reader", str(broker.port), f"{prefix}/v1/#"]
        self._child: Child = bed.child([*command, name], piped=True)
        if self._child.read_line() != "ready":
            raise Refused(f"the bare reader didn't start: {self._child.tail()}")

    def turn(self, seconds: float) -> Turn:
        load = self._prepare(seconds)
        meter = Meter({"reader": [self._child.pid], "Mosquitto": [self._broker.process.pid]})
        meter.start()
        self._child.write_line(str(load.connections * load.messages))
        self._child.read_line()
        sent = self._generator.send()
        took_s = float(self._child.read_line()) - sent.began
        self._speed = load.readings / took_s
        return Turn(self._speed, took_s, None, meter.busy(time.time() - sent.began))


class Bridge(_BesideTheBroker):
    """`bench.bridge`: mq-bridge into a table of its own."""

    def __init__(self, bed: Bed, generator: Generator, fleet: Fleet, broker: Broker, shape: Shape) -> None:
        if importlib.util.find_spec("mq_bridge") is None:
            raise MissingError("mq-bridge isn't installed (pip install mq-bridge)")
        super().__init__("mq-bridge", generator, fleet, broker, shape, "bridge")
        url = bed.database(migrated=False)
        self._conn = bed.connect(url)
        self._conn.execute("CREATE TABLE bridge (at bigint, v double precision)")
        command = [sys.executable, "-m", "bench.bridge", str(broker.port), "bridge/v1/#", _url_for_rust(url)]
        self._child = bed.child(command, piped=True)
        if self._child.read_line() != "ready":
            raise Refused(f"mq-bridge didn't start: {self._child.tail()}")
        time.sleep(0.5)  # it says nothing of its subscription

    def turn(self, seconds: float) -> Turn:
        load = self._prepare(seconds)
        meter = Meter({"mq-bridge": [self._child.pid], "Mosquitto": [self._broker.process.pid]}, "mq-bridge")
        meter.start()
        sent = self._generator.send()
        ended = self._stored(load.readings)
        took_s = ended - sent.began
        busy = meter.busy(time.time() - sent.began)
        self._conn.execute("TRUNCATE bridge")
        self._speed = load.readings / took_s
        return Turn(self._speed, took_s, meter.rss_mb(), busy)

    def _stored(self, rows: int) -> float:
        """When all rows are there. Counting costs it some time: so it is done seldom while many are missing."""
        began = time.monotonic()
        while True:
            counted_at = time.time()
            stored = int(scalar(self._conn, "SELECT count(*) FROM bridge"))
            if stored >= rows:
                return counted_at
            if time.monotonic() - began > _BRIDGE_S:
                raise Refused(f"mq-bridge stored {stored} of {rows} rows within {_BRIDGE_S:g} s")
            time.sleep(min(0.5, max(0.02, (rows - stored) / max(self._speed, 1.0) / 2)))


def _url_for_rust(url: str) -> str:
    """As sqlx reads it: it wants a host even where a socket is meant."""
    parts = urlsplit(url)
    if parts.hostname:
        return url
    return parts._replace(netloc=f"{parts.netloc}localhost").geturl()


def wait_until_quiet(target: Target, seconds: float = 60.0) -> None:
    """Until accounting has caught up with all that was committed."""
    commit_no = target.last_commit()

    def caught_up() -> bool:
        reached: Any = scalar(target.conn, "SELECT min(commit_no) FROM cursors")
        return bool(reached >= commit_no)

    wait_for(caught_up, "accounting didn't catch up", seconds, 0.1)
