"""The question of `bench kernels`: what registers counted, what that emits, and trailing sums of it.

Registers as they are in the field: read about each quarter-hour, some seconds off, now and then twice, corrected by a
later revision, estimated by the device, or not at all for hours; they roll over, lie for a while (zeros, spikes), begin
again at zero, or go on elsewhere. Asked for, of each interval of each channel:

- which reading stands at its stamp (the highest revision, once), and which are believed, by the rules of
  `docs/rules.md`: lies are set aside where a later reading continues the one before them, a fall over the modulus is a
  rollover, to near zero a reset, and anything else is a restart, across which nothing is known;
- the count at each edge, interpolated between the good readings around it, rounded half to even;
- the amount between the edges and its quality: missing, estimated (a gap of more than two hours, a reset, a device's
  estimate beside an edge), interpolated, measured; what isn't known is never 0;
- the milligrams of CO2e, rounded half to even, and the sums of the known ones over the last day, week, 30 days.

All integers, so all must agree to the last digit. The faults of a channel lie more than a day apart and there is none
that the fourth rule (noise) or two revisions at odds would decide: so polars and duckdb judge each break by the
reading before it, without recursion. Our kernels know none of that and do all they do for the ledger: anchors and all
flags, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.interval import HOUR_US, INTERVAL_US

Int64 = npt.NDArray[np.int64]

WIDTHS = (96, 672, 2_880)  # intervals of a day, a week, thirty days
MODULUS_COUNTS = 10_000_000
FACTOR = Fraction(11_407, 2)  # mg of a count of 0.01 kWh: 0.57035 kg/kWh
RATE_COUNTS_PER_HOUR = 100_000  # max_rate: 1,000 kW
MAX_GAP_US = 2 * HOUR_US
LOOK_AHEAD_US = 24 * HOUR_US
_COUNTS_A_STEP = 2_500  # fewer than these between two readings
_JITTER_US = 20_000_000
_SLOT = 200  # readings, of which at most one begins a fault
_CLEAR = 150  # readings around a fault without a rollover
_FAR = 400_000  # counts: no quarter-hour explains so many


@dataclass(frozen=True, slots=True)
class Question:
    """Readings by channel, stamp and revision; those of channel i are [offsets[i], offsets[i + 1]).

    qualities  int8: 0 measured, 1 estimated by the device
    """

    first_us: int
    intervals: int  # of each channel
    offsets: Int64
    stamps_us: Int64
    counts: Int64
    qualities: npt.NDArray[np.int8]
    revisions: npt.NDArray[np.int16]

    @property
    def channels(self) -> int:
        return len(self.offsets) - 1

    def readings(self) -> dict[str, npt.NDArray[Any]]:
        """Columns, by channel, stamp and revision."""
        return {
            "channel": np.repeat(np.arange(self.channels, dtype=np.int32), np.diff(self.offsets)),
            "read_at": self.stamps_us,
            "reading": self.counts,
            "quality": self.qualities,
            "revision": self.revisions,
        }

    def edges(self) -> dict[str, npt.NDArray[Any]]:
        """The edges of every interval of every channel, by channel and time."""
        numbers = np.arange(self.channels, dtype=np.int32)
        own = self.first_us + INTERVAL_US * np.arange(self.intervals + 1)
        return {"channel": np.repeat(numbers, len(own)), "edge": np.tile(own, self.channels)}


@dataclass(frozen=True, slots=True)
class Answer:
    """amounts, mg (channels, intervals), windows the same for each of WIDTHS: UNKNOWN where nothing is known."""

    amounts: Int64
    qualities: npt.NDArray[np.int8]
    mg: Int64
    windows: tuple[Int64, ...]

    def equals(self, other: Answer) -> bool:
        return (
            np.array_equal(self.amounts, other.amounts)
            and np.array_equal(self.qualities, other.qualities)
            and np.array_equal(self.mg, other.mg)
            and all(map(np.array_equal, self.windows, other.windows))
        )


UNKNOWN = -(1 << 63)


def steady(
    channels: int, readings: int, first_us: int, seed: int, modulus: int = MODULUS_COUNTS
) -> tuple[Int64, Int64]:
    """(stamps, counts) of registers without faults, read once in each quarter-hour, (channels, readings)."""
    random = np.random.default_rng(seed)
    shape = channels, readings
    steps = random.integers(0, _COUNTS_A_STEP, shape)
    steps[:, 0] = random.integers(0, modulus, channels)
    quarters = first_us + INTERVAL_US * np.arange(readings)
    stamps_us = quarters + random.integers(INTERVAL_US // 3, 2 * INTERVAL_US // 3, shape)
    return stamps_us, np.cumsum(steps, axis=1) % modulus


def registers(channels: int, intervals: int, first_us: int, seed: int) -> Question:
    """Registers with all that befalls them."""
    random = np.random.default_rng(seed)
    shape = channels, intervals + 3
    steps = random.integers(0, _COUNTS_A_STEP, shape)
    steps[:, 0] = random.integers(0, MODULUS_COUNTS, channels)
    counts = np.cumsum(steps, axis=1)
    stamps_us = first_us + INTERVAL_US * np.arange(-1, intervals + 2)
    stamps_us = stamps_us + random.integers(-_JITTER_US, _JITTER_US, shape)
    is_sent = random.random(shape) > 0.005
    lies: list[tuple[int, int, int, bool]] = []
    for slot in range(0, shape[1] - _SLOT, _SLOT):
        for channel in np.flatnonzero(random.random(channels) < 0.12).tolist():
            place = slot + 50 + int(random.integers(50))
            _befall(counts[channel], is_sent[channel], place, random, lies, channel)
    counts %= MODULUS_COUNTS
    for channel, place, size, is_zero in lies:
        counts[channel, place : place + size] = 0 if is_zero else counts[channel, place - 1] + _FAR
    kept = is_sent.ravel()
    stamps_us, counts = stamps_us.ravel()[kept], counts.ravel()[kept]
    chances = random.random(len(counts))
    again, corrected = chances < 0.005, (chances >= 0.005) & (chances < 0.007)
    times = np.where(again | corrected, 2, 1)
    first_of = np.cumsum(times) - times
    revisions = np.zeros(int(times.sum()), np.int16)
    revisions[first_of[corrected] + 1] = 1
    repeated = np.repeat(counts, times)
    repeated[first_of[corrected]] //= 2
    return Question(
        first_us,
        intervals,
        np.cumsum([0, *times_by_channel(times, is_sent)]),
        np.repeat(stamps_us, times),
        repeated,
        np.repeat((random.random(len(counts)) < 0.003).astype(np.int8), times),
        revisions,
    )


def times_by_channel(times: Int64, is_sent: npt.NDArray[np.bool_]) -> list[int]:
    """Readings of each channel."""
    ends = np.cumsum(is_sent.sum(axis=1))
    return [int(part.sum()) for part in np.split(times, ends[:-1])]


def _befall(
    counts: Int64,
    is_sent: npt.NDArray[np.bool_],
    place: int,
    random: np.random.Generator,
    lies: list[tuple[int, int, int, bool]],
    channel: int,
) -> None:
    """Let a fault begin at a place of a channel, unless a rollover is near."""
    dial = counts[max(0, place - _CLEAR) : place + _CLEAR] // MODULUS_COUNTS
    before = int(counts[place - 1] % MODULUS_COUNTS)
    if dial[0] != dial[-1] or not _FAR < before < MODULUS_COUNTS - 3 * _FAR:
        return
    fault = random.random()
    if fault < 0.45:
        is_sent[place : place + int(random.integers(9, 49))] = False
    elif fault < 0.9:
        size = int(random.integers(1, 4))
        is_sent[place - 1 : place + size + 1] = True
        lies.append((channel, place, size, fault < 0.7))
    elif fault < 0.95:
        counts[place:] -= counts[place] - int(random.integers(_COUNTS_A_STEP))  # begins again
    else:
        counts[place:] += _FAR
