"""A year of many channels restated in a real database, by the class that does it in the service."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from accounting.channel import READING_DTYPE, Rules
from accounting.factors.load import load as load_library
from accounting.run import Accountant
from accounting.work import Cause
from bench.bed import Bed, scalar
from bench.fleet import MODULUS_COUNTS, Fleet
from bench.process import cpu_s, forget_peak, memory_mb
from bench.question import registers
from bench.report import Row, Turn, amount, row_of
from bench.sizes import KernelSizes
from carbonmeter.settings import Settings
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
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
        with connect(url, "carbonmeter bench restate", autocommit=True) as conn:
            accountant = Accountant(conn, load_library(), Rules())
            while (
                accountant.tick() is not None
            ):  # it takes note of the registry, while there is nothing to compute
                pass
            with conn.transaction():
                _store(conn, fleet, first_day, sizes.days, tell)
            pids = {"accounting": os.getpid(), "database": conn.info.backend_pid}
            tell(f"restate: {amount(fleet.channels * intervals)} intervals")
            forget_peak(os.getpid())
            before = {name: cpu_s(pid) for name, pid in pids.items()}
            began = time.perf_counter()
            result = accountant.restate(Cause("rules", None, "bench", "bench"))
            took_s = time.perf_counter() - began
            busy = {name: (cpu_s(pid) - before[name]) / took_s for name, pid in pids.items()}
            rss_mb = memory_mb(os.getpid())
            entries = int(scalar(conn, "SELECT coalesce(sum(known), 0) FROM ledger_days"))
            mode = bed.describe(url)
    # The first and the last edge have a reading on one side only, and so no value.
    expected = fleet.channels * (intervals - 2)
    if entries != expected:
        raise Refused(f"{entries} entries are in the ledger, {expected} were to come")
    note = (
        f"{fleet.channels} channels × {sizes.days} days, {result.entries:,} entries from channel-days into an empty"
        f" ledger: {amount(entries / took_s)} intervals/s; {mode}"
    )
    return row_of("restate", "s", [Turn(took_s, took_s, rss_mb, busy)], {}, [note], is_speed=False)


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
            question = registers(
                1,
                days * INTERVALS_PER_DAY - 2,
                fleet.start_us + INTERVAL_US,
                seed=number,
                modulus=MODULUS_COUNTS,
            )
            readings = np.zeros(days * INTERVALS_PER_DAY, READING_DTYPE)
            readings["at"] = readings["committed_at"] = question.stamps_us[0]
            readings["mantissa"], readings["exponent"] = question.counts[0], -2
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
