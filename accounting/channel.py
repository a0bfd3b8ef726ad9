"""From a channel's stored readings to its intervals: the public side of the kernels, per point.

    readings (any order, with repeats)  ->  amounts, states, anchors

Everything here is a function of its arguments: no clock, no state but caches of what a point compiles to.
The rules are those of `docs/rules.md`; `accounting/README.md` lists what the text leaves open and
how it is decided here.

**Anchors.** A run needs no reading before an anchor P: over the readings with `at >= P` and with `since_us=P`
it gives, for every interval that starts at or after `ceil_interval(P)`, what the run over all readings gives.
The anchor of a day start D promises more: whatever new readings come with stamps at or after D, no interval
that starts before `ceil_interval(anchor)` changes. The tail anchor promises the same of new readings after the
last stamp given. So one rule restates: take the anchor of the day of the earliest new stamp (or the tail
anchor, where all are later than anything known), read the readings from there, run, write all intervals from
`ceil_interval(anchor)` on. NO_ANCHOR: none was found among these readings; keep the one known before, or
take all readings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accounting.channel_plan import compile_point
from accounting.kernels.channels import run_channels
from accounting.kernels.listing import list_stored, tally
from accounting.kernels.standing import UNCOUNTED
from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar
from domain.ledger import NO_ANCHOR
from domain.registry import Point

__all__ = [
    "NO_ANCHOR",
    "READING_DTYPE",
    "ChannelIntervals",
    "Rules",
    "StandingReadings",
    "as_records",
    "channel_intervals",
    "day_range",
    "gateway_tallies",
    "plan_of",
    "standing_readings",
]

# One stored reading, as `channel_days.readings` holds them. Packed (43 bytes), so that every view of bytes
# has one and the same type for the kernels, wherever it starts.
READING_DTYPE = np.dtype(
    [
        ("at", "<i8"),  # measured_at [µs]
        ("mantissa", "<i8"),  # the value as sent is mantissa × 10^exponent
        ("committed_at", "<i8"),  # [µs]
        ("batch", "<i8"),
        ("gateway", "<i4"),
        ("exponent", "<i2"),
        ("revision", "<i2"),
        ("flags", "<i2"),  # domain.reading.Flag: what ingest knows (receipt_time)
        ("quality", "i1"),  # domain.reading.SentQuality
    ]
)

Int64 = NDArray[np.int64]
Int16 = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a restatement depends on beside readings, registry and factors.

    look_ahead_us  how far after a break of a register a reading may show that it was a lie
    late_us        a reading committed later than this after its interval's end is late (tells of arrival;
                   no amount depends on it)
    """

    look_ahead_us: int = DAY_US
    late_us: int = HOUR_US

    @property
    def version(self) -> str:
        """The rules version of what is computed under these rules."""
        return "1" if self.look_ahead_us == DAY_US else f"1;look_ahead_us={self.look_ahead_us}"


@dataclass(frozen=True, slots=True)
class ChannelIntervals:
    """Consumption of a point, in 10^point.exponent of its unit, over consecutive intervals from `first_us`.

    amounts      int64 (n,)   0 where the quality is missing
    states       int16 (n,)   quality | flags << 2 (`domain.reading.pack`), never with LATE
    anchor_days  int64 (m,)   the local days whose start lies in [first_us, end_us]
    anchors      int64 (m,)   the anchor [µs] of each, or NO_ANCHOR
    tail_anchor  int          the anchor for readings after the last one given, or NO_ANCHOR
    """

    first_us: int
    amounts: Int64
    states: Int16
    anchor_days: Int64
    anchors: Int64
    tail_anchor: int


@dataclass(frozen=True, slots=True)
class StandingReadings:
    """What each stored reading is worth, sorted by (at, committed_at, batch, gateway).

    order    int64 (n,)   places in the readings given
    counts   int64 (n,)   the value in counts of the resolution of its version (value = counts × resolution)
    known    bool  (n,)   whether there is a count: the stamp is within validity and the count within ±2⁶²
    version  int64 (n,)   place in point.versions, -1 outside validity
    stands   bool  (n,)   whether the ledger counts it; of equal readings only the first does
    flags    int16 (n,)   domain.reading.Flag: conflict, implausible, replaced, rollover, reset, restart, receipt_time
    """

    order: Int64
    counts: Int64
    known: NDArray[np.bool_]
    version: Int64
    stands: NDArray[np.bool_]
    flags: Int16


# Plans of points that were asked for, by identity: a registry that is loaded anew has new points. Compiling one
# takes longer than accounting for a day of it.
_PLANS_MAX = 1 << 16
_plans: dict[tuple[int, int], tuple[Point, Int64]] = {}


def plan_of(point: Point, rules: Rules) -> Int64:
    """The plan of a point (`channel_plan`), compiled once; ValueError for one that isn't measured."""
    key = (id(point), rules.look_ahead_us)
    known = _plans.get(key)
    if known is not None and known[0] is point:
        return known[1]
    plan = compile_point(point, rules.look_ahead_us)
    if len(_plans) >= _PLANS_MAX:
        _plans.clear()
    _plans[key] = (point, plan)
    return plan


def as_records(readings: NDArray[np.void]) -> NDArray[np.void]:
    """Readings as the kernels take them: of the type, in one piece, writable (which is part of a type to numba)."""
    if readings.dtype != READING_DTYPE or readings.ndim != 1:
        raise ValueError(f"readings are {readings.dtype} {readings.shape}; READING_DTYPE (n,) was expected")
    flags = readings.flags
    if not flags.c_contiguous:
        return readings.copy()
    # Bytes are copied at once; a copy of records goes field by field.
    return readings if flags.writeable else np.frombuffer(bytearray(readings.data), READING_DTYPE)


def day_range(first_us: int, end_us: int, calendar: Calendar) -> tuple[int, int]:
    """[first, end) numbers of the local days whose start lies in [first_us, end_us]."""
    if first_us % INTERVAL_US or end_us % INTERVAL_US or end_us < first_us:
        raise ValueError(f"[{first_us}, {end_us}) µs are not edges of intervals in order")
    return -((-first_us - calendar.offset_us) // DAY_US), (end_us + calendar.offset_us) // DAY_US + 1


def channel_intervals(
    point: Point,
    readings: NDArray[np.void],
    first_us: int,
    end_us: int,
    rules: Rules,
    calendar: Calendar,
    since_us: int = NO_ANCHOR,
) -> ChannelIntervals:
    """Intervals of a point from its readings, unsorted and with repeats as they may be.

    readings          READING_DTYPE (k,)  all stored readings, or all with at ≥ since_us
    first_us, end_us                      interval edges, [first_us, end_us)
    since_us                              an anchor of an earlier run; left out: the readings are complete

    Raises ValueError for edges that aren't, readings of another type, a derived point.
    """
    first_day, end_day = day_range(first_us, end_us, calendar)
    count = (end_us - first_us) // INTERVAL_US
    readings = as_records(readings)
    plan = plan_of(point, rules)
    days = np.arange(first_day, end_day)
    amounts = np.empty(count, np.int64)
    states = np.empty(count, np.int16)
    anchors = np.empty(len(days), np.int64)
    one = np.array([[0, len(readings)], [0, len(plan)], [0, count], [0, len(days)], [since_us, first_us]])
    tails = np.empty(1, np.int64)
    run_channels(
        readings,
        one[0],
        plan,
        one[1],
        one[4, :1],
        one[4, 1:],
        one[2],
        days * DAY_US - calendar.offset_us,
        one[3],
        calendar.offset_us,
        0,
        1,
        amounts,
        states,
        anchors,
        tails,
    )
    return ChannelIntervals(first_us, amounts, states, days, anchors, int(tails[0]))


def _in_order_of_arrival(readings: NDArray[np.void]) -> Int64:
    keys = (readings["gateway"], readings["batch"], readings["committed_at"], readings["at"])
    return np.lexsort(keys)


def gateway_tallies(point: Point, readings: NDArray[np.void]) -> dict[int, tuple[int, int]]:
    """(duplicates, conflicts) by gateway id, as `docs/contract.md` section 3 counts them, of the readings given.

    Both are counted stamp by stamp, so the tallies of parts that share no stamp (channel-days) add up.
    """
    readings = as_records(readings)
    gateways, numbers = np.unique(readings["gateway"], return_inverse=True)
    duplicates, conflicts = np.zeros(len(gateways), np.int64), np.zeros(len(gateways), np.int64)
    tally(readings, _in_order_of_arrival(readings), numbers, plan_of(point, Rules()), duplicates, conflicts)
    pairs = zip(gateways.tolist(), duplicates.tolist(), conflicts.tolist(), strict=True)
    return {gateway: (duplicate, conflict) for gateway, duplicate, conflict in pairs}


def standing_readings(
    point: Point,
    readings: NDArray[np.void],
    rules: Rules,
    calendar: Calendar,
    since_us: int = NO_ANCHOR,
) -> StandingReadings:
    """Each stored reading with its count, whether it stands and its flags (`since_us` as above)."""
    readings = as_records(readings)
    order = _in_order_of_arrival(readings)
    order = order[readings["at"][order] >= since_us]
    size = len(order)
    counts, versions = np.empty(size, np.int64), np.empty(size, np.int64)
    stands, flags = np.empty(size, np.bool_), np.empty(size, np.int16)
    list_stored(
        readings, order, plan_of(point, rules), since_us, calendar.offset_us, counts, versions, stands, flags
    )
    known = counts != UNCOUNTED
    counts[~known] = 0
    return StandingReadings(order, counts, known, versions, stands, flags)
