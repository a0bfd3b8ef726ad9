"""A year of many channels restated in a real database, by the class that does it in the service.

The restating is done by a process of its own, `python -m bench.restate DATABASE-URL`, so that its memory is its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from accounting.channel import READING_DTYPE, Rules
from accounting.factors.load import load as load_library
from accounting.kernels import warm
from accounting.run import Accountant
from accounting.work import Cause
from bench.bed import Bed, scalar
from bench.fleet import MODULUS_COUNTS, Fleet
from bench.process import cpu_s, memory_mb
from bench.question import steady
from bench.report import Row, Turn, amount, row_of
from bench.sizes import KernelSizes
from carbonmeter.settings import Settings
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import INTERVALS_PER_DAY, Calendar
from storage import registry
from storage.binary_copy import SIGNATURE, TRAILER
from storage.database import Connection, connect

_DEVICES = 100  # of an enterprise
_CHUNK_BYTES = INTERVALS_PER_DAY * READING_DTYPE.itemsize
# A row of channel_days in COPY's binary format: a count of fields, then each with its length before it.
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *(
            field
            for name, type_ in (
                ("channel_id", ">i4"),
                ("day", ">i4"),
                ("chunk", ">i2"),
                ("enterprise_id", ">i4"),
                ("size", ">i4"),
                ("readings", f"V{_CHUNK_BYTES}"),
            )
            for field in ((f"{name}#length", ">i4"), (name, type_))
        ),
    ]
)


def restate(settings: Settings, sizes: KernelSizes, tell: Callable[[str], None]) -> Row:
    """The row of `restate`. What isn't measured: putting the year's readings into the database."""
    calendar = Calendar(settings.zone_offset_us)
    first_day = calendar.day(SystemClock().now_us()) - sizes.days
    start_us = calendar.day_start(first_day)
    enterprises = -(-sizes.restated // _DEVICES)
    fleet = Fleet(enterprises, -(-sizes.restated // enterprises), start_us)
    intervals = sizes.days * INTERVALS_PER_DAY
    with Bed(settings) as bed:
        url = bed.database()
        bed.register(url, fleet.document())
        with connect(url, "carbonmeter bench", autocommit=True) as conn:
            accountant = Accountant(conn, load_library(), Rules())
            while (
                accountant.tick() is not None
            ):  # it takes note of the registry, while there is nothing to compute
                pass
            with conn.transaction():
                _store(conn, fleet, first_day, sizes.days, tell)
        tell(f"restate: {amount(fleet.channels * intervals)} intervals")
        child = bed.child([sys.executable, "-m", "bench.restate", url], piped=True)
        answer: dict[str, Any] = json.loads(child.read_line())
        mode = bed.describe(url)
    entries = answer["entries"]
    # The first and the last edge have a reading on one side only, and so no value.
    expected = fleet.channels * (intervals - 2)
    if entries != expected:
        raise Refused(f"{entries} entries are in the ledger, {expected} were to come")
    note = (
        f"{fleet.channels} channels × {sizes.days} days, {entries:,} entries from channel-days into an empty"
        f" ledger: {amount(entries / answer['seconds'])} intervals/s; {mode}"
    )
    turn = Turn(answer["seconds"], answer["seconds"], answer["rss_mb"], answer["processor"])
    return row_of("restate", "s", [turn], {}, [note], is_speed=False)


def _store(conn: Connection, fleet: Fleet, first_day: int, days: int, tell: Callable[[str], None]) -> None:
    """Channel-days with a reading at each quarter-hour's start, as accounting keeps them."""
    points = [
        (enterprise.id, point.id)
        for enterprise in registry.load(conn).enterprises.values()
        for point in enterprise.points.values()
    ]
    columns = "channel_id, day, chunk, enterprise_id, size, readings"
    with conn.cursor().copy(f"COPY channel_days ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(SIGNATURE)
        for number, (enterprise_id, point_id) in enumerate(points):
            if number % 50 == 0:
                tell(f"restate: storing the readings of channel {number} of {len(points)}")
            stamps_us, counts = steady(
                1, days * INTERVALS_PER_DAY, fleet.start_us, seed=number, modulus=MODULUS_COUNTS
            )
            readings = np.zeros(days * INTERVALS_PER_DAY, READING_DTYPE)
            readings["at"] = readings["committed_at"] = stamps_us[0]
            readings["mantissa"], readings["exponent"] = counts[0], -2
            readings["gateway"] = readings["batch"] = 1
            rows = np.zeros(days, _ROW)
            rows["fields"] = 6
            for name in ("channel_id", "day", "chunk", "enterprise_id", "size", "readings"):
                rows[f"{name}#length"] = rows.dtype[name].itemsize
            rows["channel_id"], rows["enterprise_id"] = point_id, enterprise_id
            rows["day"], rows["size"] = first_day + np.arange(days), INTERVALS_PER_DAY
            rows["readings"] = np.frombuffer(readings.tobytes(), f"V{_CHUNK_BYTES}")
            copy.write(rows.tobytes())
        copy.write(TRAILER)


def _restated(url: str) -> dict[str, Any]:
    """Restate everything and say what it took."""
    warm()
    with connect(url, "carbonmeter bench restate", autocommit=True) as conn:
        accountant = Accountant(conn, load_library(), Rules())
        pids = {"accounting": os.getpid(), "database": conn.info.backend_pid}
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        began = time.perf_counter()
        accountant.restate(Cause("rules", None, "bench", "bench"))
        took_s = time.perf_counter() - began
        return {
            "seconds": took_s,
            "entries": int(scalar(conn, "SELECT coalesce(sum(known), 0) FROM ledger_days")),
            "rss_mb": memory_mb(os.getpid()),
            "processor": {name: (cpu_s(pid) - before[name]) / took_s for name, pid in pids.items()},
        }


if __name__ == "__main__":
    print(json.dumps(_restated(sys.argv[1])), flush=True)
