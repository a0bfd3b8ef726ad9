"""Rows of the log and of the books as numpy records: what storage reads and writes and accounting computes.

A day's row has one element an interval, 96 of them. `states` hold quality and flags together
(`domain.reading.pack`); `run_ids` the run that wrote each interval, 0 where nothing was ever written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domain.interval import INTERVALS_PER_DAY

NO_ANCHOR = int(np.iinfo(np.int64).min)

# The books are kept by shards of enterprises: what a worker of accounting owns, and what a cursor is kept of. A number
# for ever: the shard of an enterprise never changes, however many workers there are.
SHARDS = 16
EVERY_SHARD = tuple(range(SHARDS))


def shard_of(enterprise_id: int) -> int:
    """The shard of an enterprise, and of all that is its own."""
    return enterprise_id % SHARDS


def shard_bits(shards: Iterable[int]) -> int:
    """Shards as a number with a bit for each, as `runs` keeps them."""
    return sum(1 << shard for shard in set(shards))


LOGGED_READING = np.dtype(
    [
        ("at", "<i8"),
        ("channel", "<i4"),
        ("gateway", "<i4"),
        ("batch", "<i8"),
        ("mantissa", "<i8"),
        ("exponent", "<i2"),
        ("revision", "<i2"),
        ("quality", "<i2"),
        ("flags", "<i2"),
    ]
)

# Consumption of a point in 10^exponent of its unit. anchor_us: the stamp from which the day can be computed again
# without any earlier reading (`accounting.channel` says what an anchor promises), or NO_ANCHOR.
CONSUMPTION_ROW = np.dtype(
    [
        ("channel_id", "<i4"),
        ("day", "<i4"),
        ("exponent", "<i2"),
        ("amounts", "<i8", (INTERVALS_PER_DAY,)),
        ("states", "<i2", (INTERVALS_PER_DAY,)),
        ("run_ids", "<i8", (INTERVALS_PER_DAY,)),
        ("anchor_us", "<i8"),
    ]
)

# What a source's entries count for: the account (and the market, where its edition is the same), or the market
# alone, by an edition of its own. The entries of a method's second gas are in a series of their own, two further on.
ACCOUNT_SERIES, MARKET_SERIES = 0, 1
SERIES_PER_GAS = 2

# Ledger entries of a source in milligrams CO2e, beside the consumption they come from, with the day's sums.
LEDGER_ROW = np.dtype(
    [
        ("source_id", "<i4"),
        ("day", "<i4"),
        ("series", "<i2"),
        ("exponent", "<i2"),
        ("factor_id", "<i8"),
        ("consumption", "<i8", (INTERVALS_PER_DAY,)),
        ("mg", "<i8", (INTERVALS_PER_DAY,)),
        ("states", "<i2", (INTERVALS_PER_DAY,)),
        ("run_ids", "<i8", (INTERVALS_PER_DAY,)),
        ("cause_ids", "<i8", (INTERVALS_PER_DAY,)),
        ("mg_sum", "<i8"),
        ("known", "<i2"),
        ("measured", "<i2"),
        ("interpolated", "<i2"),
        ("estimated", "<i2"),
        ("substituted", "<i2"),
        ("flags", "<i4"),
    ]
)


class Chunk(NamedTuple):
    """A stretch of a channel-day's stored readings, packed (`accounting.channel.READING_DTYPE`)."""

    channel_id: int
    day: int
    chunk: int
    size: int  # readings
    readings: bytes


@dataclass(frozen=True, slots=True)
class Trait:
    """How rows of the ledger count."""

    gas: str
    scope: int
    boundaries: tuple[str, ...]
    unit: str  # of `consumption`, before the power of ten
