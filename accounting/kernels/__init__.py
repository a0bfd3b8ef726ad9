"""Pure kernels on integers: readings to counts, credibility, intervals, milligrams (`accounting/README.md`)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np


def warm_apart() -> None:
    """As `warm`, and what isn't in the cache is compiled in a process of its own.

    The compiler keeps some 250 MB for as long as the process lives that it ran in: a service that lives for months
    should not carry them.
    """
    from accounting.kernels.compiled import is_cached
    from accounting.kernels.merge import sum_ledger_days  # the last that `warm` calls

    if not is_cached(sum_ledger_days):
        subprocess.run([sys.executable, "-c", "from accounting.kernels import warm; warm()"], check=True)
    warm()


def warm() -> None:
    """Compile every kernel, or load it from the cache, so that no request pays for it."""
    from fractions import Fraction

    from accounting.channel import READING_DTYPE, Rules, channel_intervals, gateway_tallies, standing_readings
    from accounting.kernels.emission import emission, trailing_sums
    from domain.interval import HOUR_US, INTERVAL_US, Calendar
    from domain.registry import ChannelVersion, Kind, Point

    calendar, rules = Calendar(), Rules()
    readings = np.zeros(2, READING_DTYPE)
    readings["at"] = [0, INTERVAL_US]
    # One kernel takes channels of all kinds.
    version = ChannelVersion(
        0,
        None,
        "other",
        Kind.REGISTER,
        "kWh",
        Fraction(1),
        Fraction(1),
        max_rate=Fraction(1),
        max_gap_us=HOUR_US,
    )
    point = Point(0, "", "", "", "other", Kind.REGISTER, "kWh", 0, (version,))
    channel_intervals(point, readings, 0, INTERVAL_US, rules, calendar)
    gateway_tallies(point, readings)
    standing_readings(point, readings, rules, calendar)
    amounts = np.ones(2, np.int64)
    emission(amounts, Fraction(1))
    trailing_sums(amounts, np.ones(2, np.int16), 1)
    for count in (1, 2):  # one row has no gaps after it, and is of another type to numba than more
        _warm_merging(count)


def _warm_merging(count: int) -> None:
    """On so many rows of records, whose fields are of types of their own to numba: not in line, and with gaps."""
    from accounting.kernels.merge import (
        merge_consumption,
        merge_ledger,
        standing_anchors,
        sum_ledger_days,
        sum_terms,
    )
    from domain.interval import INTERVALS_PER_DAY
    from domain.ledger import CONSUMPTION_ROW, LEDGER_ROW

    rows, entries = np.zeros(count, CONSUMPTION_ROW), np.zeros(count, LEDGER_ROW)
    one, none, ends = np.ones(1, np.int64), np.zeros(1, np.int64), np.array([0, 1])
    no, nowhere = np.zeros(1, bool), np.zeros((1, INTERVALS_PER_DAY), bool)
    states = np.zeros(1, np.int16)
    merge_consumption(
        one, states, ends, none, none, ends, no, none, none, ends, 1, 1,
        rows["amounts"], rows["states"], rows["run_ids"], no.copy(), nowhere.copy(),
    )  # fmt: skip
    standing_anchors(none, ends, none, none, none, none, ends, no, none.copy(), no.copy())
    amounts, day = np.empty(INTERVALS_PER_DAY, np.int64), np.empty(INTERVALS_PER_DAY, np.int16)
    sum_terms(ends, one, none, none, one, one, rows["amounts"], rows["states"], amounts, day)
    merge_ledger(
        amounts[None], amounts[None], day[None], no, no, 1, one,
        entries["consumption"], entries["mg"], entries["states"], entries["run_ids"], entries["cause_ids"],
        no.copy(), nowhere.copy(),
    )  # fmt: skip
    sum_ledger_days(entries["mg"], entries["states"], none.copy(), np.zeros((1, 6), np.int64))
