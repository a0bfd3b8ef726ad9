"""What a simulated meter shows at any moment, exactly and repeatably. Pure: a function of seed, channel, time.

Behind each channel lies one cumulative count of its resolution, from the start of the simulation on. A register
shows it, a delta is its difference over a period, so what the ledger must find is known to the last count. The
count grows evenly within a quarter-hour, by that quarter's weight of the channel's shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from domain.interval import DAY_US, HOUR_US, INTERVAL_US
from domain.registry import Kind
from simulators.shape import STEADY, Ints, Shape, noise

MINUTE_US = 60_000_000
# How often a meter is read or counts anew.
PERIODS_US = {"PT5M": 5 * MINUTE_US, "PT15M": INTERVAL_US, "PT1H": HOUR_US, "P1D": DAY_US}
# A count has this many parts, so that small loads add up to whole counts without a float in the sum.
_PARTS = 1_000_000


@dataclass(frozen=True, slots=True)
class ChannelProfile:
    """One channel as registered, and how much of it there is.

    nominal   consumption units in an hour of weight 1; of a rate's unit that comes to the same; of a mean, its level
    opening   what a register shows at the start, on the dial
    swing     of a mean: how far it moves about its level
    every_us  how often it is read in the history
    """

    id: str
    quantity: str
    kind: Kind
    unit: str
    nominal: float
    shape: Shape = STEADY
    multiplier: str = "1"
    resolution: str = "0.01"
    modulus: str | None = None
    max_rate: str | None = None
    max_gap: str | None = "PT2H"
    period: str | None = None
    opening: str = "100000"
    swing: float = 0.0
    every_us: int = INTERVAL_US

    @property
    def count(self) -> Fraction:
        """One count, in consumption units."""
        return Fraction(self.resolution) * Fraction(self.multiplier)

    @property
    def modulus_counts(self) -> int | None:
        return None if self.modulus is None else int(Fraction(self.modulus) / Fraction(self.resolution))

    @property
    def opening_counts(self) -> int:
        return int(Fraction(self.opening) / Fraction(self.resolution))

    @property
    def period_us(self) -> int:
        return PERIODS_US[self.period or "PT15M"]

    @property
    def is_mean(self) -> bool:
        return self.unit in ("bar", "MPa", "degC", "percent", "mg/m3")


@dataclass(frozen=True, slots=True)
class MeterProfile:
    id: str
    name: str
    gateway: str
    channels: tuple[ChannelProfile, ...]


@dataclass(slots=True)
class Growth:
    """The cumulative count of one channel from `start_us` on; keeps what it has computed."""

    key: str
    channel: ChannelProfile
    start_us: int
    offset_us: int
    _parts: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # at each quarter-hour from the start

    def _upto(self, quarters: int) -> Ints:
        known = len(self._parts) - 1
        if quarters > known:
            quarters = max(quarters, known + 96)  # a day ahead: live readings come one by one
            starts = self.start_us + INTERVAL_US * np.arange(known, quarters, dtype=np.int64)
            weights = self.channel.shape.weights(self.key, starts, self.offset_us)
            per_quarter = self.channel.nominal / 4 / float(self.channel.count)
            parts = np.rint(weights * per_quarter * _PARTS).astype(np.int64)
            self._parts = np.concatenate([self._parts, self._parts[-1] + np.cumsum(parts)])
        return self._parts

    def counts(self, at_us: Ints) -> Ints:
        """Counts from the start to each moment (at or after the start)."""
        elapsed = at_us - self.start_us
        quarter = elapsed // INTERVAL_US
        parts = self._upto(int(quarter.max()) + 1 if len(quarter) else 1)
        # The share of the quarter-hour that is over, in 1/900ths of it: seconds. Times finer than that don't matter.
        seconds = elapsed % INTERVAL_US // 1_000_000
        grown = parts[quarter] + (parts[quarter + 1] - parts[quarter]) * seconds // 900
        return np.asarray(grown // _PARTS)

    def levels(self, at_us: Ints) -> Ints:
        """Counts of a rate or mean at each moment: weight of its quarter-hour, moved by a minute's noise."""
        channel = self.channel
        ripple = noise(f"{self.key} level", at_us // MINUTE_US)
        if channel.is_mean:
            level = channel.nominal + channel.swing * ripple
        else:
            starts = at_us - at_us % INTERVAL_US
            weights = channel.shape.weights(self.key, starts, self.offset_us)
            level = channel.nominal * weights * (1.0 + 0.02 * ripple)
        return np.maximum(np.rint(level / float(channel.count)), 0.0).astype(np.int64)
