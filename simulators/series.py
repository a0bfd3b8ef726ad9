"""Readings of one channel over a stretch of time, and what they mean.

`sent` is what goes over the wire: counts on the dial. `meant` is what the twin in `truth` reads: for a register
the count since the start without rollover, reset or exchange of meters. `stands` is false for a reading that is a
lie, which the server must set aside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.interval import DAY_US
from domain.registry import Kind
from simulators.encode import Row
from simulators.profile import ChannelProfile, Growth
from simulators.shape import Ints


@dataclass(frozen=True, slots=True)
class Dial:
    """How a register's face follows its count: from a moment on, face = (count + base) mod modulus.

    steps   (first moment, base); a reading at a step's moment still shows the earlier face
    """

    steps: tuple[tuple[int, int], ...]
    modulus: int | None

    def face(self, at_us: Ints, counts: Ints) -> Ints:
        starts = np.array([start for start, _ in self.steps], np.int64)
        bases = np.array([base for _, base in self.steps], np.int64)
        place = np.maximum(np.searchsorted(starts, at_us, side="left") - 1, 0)
        face = counts + bases[place]
        return np.asarray(face % self.modulus if self.modulus else face)


def plain_dial(channel: ChannelProfile, start_us: int) -> Dial:
    return Dial(((start_us, channel.opening_counts),), channel.modulus_counts)


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one channel, ascending by stamp."""

    uscc: str
    meter: str
    channel: ChannelProfile
    at_us: Ints
    sent: Ints
    meant: Ints
    stands: NDArray[np.bool_]

    @property
    def name(self) -> str:
        return f"{self.meter}/{self.channel.id}"

    def __len__(self) -> int:
        return len(self.at_us)

    def moved(self, by_us: int) -> Series:
        """As a gateway stamps it whose clock is off."""
        return replace(self, at_us=self.at_us + by_us)

    def rows(self) -> list[Row]:
        """As values on the wire: count × resolution."""
        scale, decimals = resolution_scale(self.channel)
        return [
            Row(self.meter, self.channel.id, at, count * scale, decimals)
            for at, count in zip(self.at_us.tolist(), self.sent.tolist(), strict=True)
        ]


def resolution_scale(channel: ChannelProfile) -> tuple[int, int]:
    """(scale, decimals) such that count × scale / 10^decimals is the value on the dial."""
    whole, _, part = channel.resolution.partition(".")
    return int(whole + part), len(part)


def stamps(after_us: int, until_us: int, every_us: int, offset_us: int) -> Ints:
    """The moments of a local grid in (after, until]."""
    first = (after_us + offset_us) // every_us + 1
    last = (until_us + offset_us) // every_us
    return np.arange(first, last + 1, dtype=np.int64) * every_us - offset_us


def read(
    uscc: str,
    meter: str,
    growth: Growth,
    dial: Dial,
    after_us: int,
    until_us: int,
    every_us: int | None = None,
) -> Series:
    """What the channel's meter gives in (after, until], every `every_us` (its own pace; a delta keeps its period)."""
    channel = growth.channel
    pace_us = channel.period_us if channel.kind is Kind.DELTA else every_us or channel.every_us
    at_us = stamps(max(after_us, growth.start_us - 1), until_us, pace_us, growth.offset_us)
    if channel.kind is Kind.REGISTER:
        meant = growth.counts(at_us)
        sent = dial.face(at_us, meant)
    elif channel.kind is Kind.DELTA:
        at_us = at_us[at_us - pace_us >= growth.start_us]
        meant = sent = growth.counts(at_us) - growth.counts(at_us - pace_us)
    else:
        meant = sent = growth.levels(at_us)
    return Series(uscc, meter, channel, at_us, sent, meant, np.ones(len(at_us), np.bool_))


def days(after_us: int, until_us: int) -> list[tuple[int, int]]:
    """The stretch (after, until] in pieces of at most a day, so that memory stays bounded."""
    pieces = []
    while after_us < until_us:
        end = min(until_us, after_us + DAY_US)
        pieces.append((after_us, end))
        after_us = end
    return pieces
