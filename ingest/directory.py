"""The registry as ingest asks it: names to numbers, and what becomes of a reading.

`Directory` is one version of the registry, with a few columns beside the points so that most readings are judged by
comparisons of whole columns; `judge` is the rule itself, for one reading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from domain.errors import HoldReason, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from domain.reading import VALUE_BOUND, Flag, as_fraction, round_half_even
from domain.registry import Enterprise, Kind, Point, Registry


@dataclass(frozen=True, slots=True)
class ClockRules:
    """How far ahead of the server's clock a stamp may be."""

    ahead_us: int = 10 * 60 * 1_000_000  # beyond it a reading is held until its time comes
    far_ahead_us: int = 24 * 3600 * 1_000_000  # beyond it, on arrival, until a person decides


class Directory:
    """One version of the registry.

    points   the measured points, in the order of the columns
    ids      int32 (n,)    points.id
    lowest   int64 (n,)    stamps from here …
    highest  int64 (n,)    … to here [µs] lie within the validity without a look at the versions
    bound    float64 (n,)  values up to ± this give counts and amounts within ± 2⁶² without exact arithmetic
    """

    def __init__(self, registry: Registry) -> None:
        self.version = registry.version
        self.registry = registry
        self.points: list[Point] = []
        self._indexes: dict[str, dict[str, int]] = {}
        for enterprise in registry.enterprises.values():
            index: dict[str, int] = {}
            for name, point in enterprise.points.items():
                if point.derivation is None:  # nobody measures a derived channel
                    index[name] = len(self.points)
                    self.points.append(point)
            self._indexes[enterprise.uscc] = index
        self.ids = np.array([point.id for point in self.points], np.int32)
        reaches = [_reach(point) for point in self.points]
        self.lowest = np.array([reach[0] for reach in reaches], np.int64)
        self.highest = np.array([reach[1] for reach in reaches], np.int64)
        self.bound = np.array([_value_bound(point) for point in self.points], np.float64)

    def enterprise(self, uscc: str) -> Enterprise | None:
        return self.registry.enterprises.get(uscc)

    def index(self, uscc: str) -> dict[str, int]:
        """METER/CHANNEL to the point's place in the columns."""
        return self._indexes.get(uscc, {})

    def point(self, uscc: str, meter: str, channel: str) -> Point | HoldReason:
        enterprise = self.registry.enterprises.get(uscc)
        place = self.index(uscc).get(f"{meter}/{channel}")
        if place is not None:
            return self.points[place]
        if enterprise is None or meter not in enterprise.meters:
            return HoldReason.UNKNOWN_METER
        return HoldReason.UNKNOWN_CHANNEL


def _reach(point: Point) -> tuple[int, int]:
    """The newest stretch of time without a hole in the validity."""
    if not point.versions:
        return 1, 0
    newest = point.versions[-1]
    start = newest.valid_from_us
    for version in reversed(point.versions[:-1]):
        if version.valid_to_us is None or version.valid_to_us < start:
            break
        start = version.valid_from_us
    end = TIME_MAX_US if newest.valid_to_us is None else newest.valid_to_us
    return max(start, TIME_MIN_US), min(end, TIME_MAX_US)


def _value_bound(point: Point) -> float:
    """A little below the least value whose count or amount leaves ± 2⁶² in any version."""
    unit = as_fraction(1, point.exponent)
    bounds = [
        min(VALUE_BOUND * version.resolution, VALUE_BOUND * unit / abs(version.multiplier))
        for version in point.versions
        if version.multiplier
    ]
    return float(min(bounds)) * (1 - 1e-9) if bounds else -math.inf


def judge(
    place: Point | HoldReason,
    measured_us: int,
    mantissa: int,
    exponent: int,
    flags: int,
    received_us: int,
    now_us: int,
    clock: ClockRules,
    *,
    despite_clock: bool = False,
) -> HoldReason | RejectReason | None:
    """What becomes of a readable reading of a known gateway; None: it is stored.

    place          the point, or why there is none
    received_us    when it arrived, by the server's clock: how far ahead it was then
    now_us         the server's clock at this judgement
    despite_clock  a person released it
    """
    if isinstance(place, HoldReason):
        return place
    if place.kind is Kind.DELTA and flags & Flag.RECEIPT_TIME:
        return RejectReason.NO_TIME_FOR_DELTA
    version = place.version_at(measured_us)
    if version is None:
        return HoldReason.OUTSIDE_VALIDITY
    value = as_fraction(mantissa, exponent)
    counts = value / version.resolution
    amount = value * version.multiplier / as_fraction(1, place.exponent)
    if any(abs(round_half_even(x.numerator, x.denominator)) > VALUE_BOUND for x in (counts, amount)):
        return RejectReason.OUT_OF_RANGE
    if not despite_clock:
        if measured_us > received_us + clock.far_ahead_us:
            return HoldReason.FAR_AHEAD_OF_CLOCK
        if measured_us > max(received_us, now_us) + clock.ahead_us:
            return HoldReason.AHEAD_OF_CLOCK
    return None
