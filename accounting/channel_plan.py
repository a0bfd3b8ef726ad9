"""A point compiled for the kernels: its versions as rows of integers (`kernels.layout`).

The rules that the text leaves open about versions are decided here: see `accounting/README.md`.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from accounting.kernels import layout as at
from domain.interval import HOUR_US
from domain.reading import VALUE_BOUND, round_half_even
from domain.registry import ChannelVersion, Kind, Point
from domain.unit import consumption_unit, conversion

INT64_BOUND = 1 << 62
KINDS = {Kind.REGISTER: at.REGISTER, Kind.DELTA: at.DELTA, Kind.RATE: at.RATE_KIND}


def scale_of(point: Point, version: ChannelVersion) -> int:
    """Ledger units (10^exponent of the point's unit) of one count of a version's resolution.

    Raises ValueError where that is no whole number: the point's exponent doesn't hold it.
    """
    unit = consumption_unit(version.unit)
    scale = version.resolution * version.multiplier / Fraction(10) ** point.exponent
    if unit != point.unit:
        scale *= conversion(unit, point.unit)
    if scale.denominator != 1 or not 0 < abs(scale) <= VALUE_BOUND:
        raise ValueError(
            f"{point.name}: a count is {scale} × 10^{point.exponent} {point.unit}; "
            "a whole number within 2^62 was expected"
        )
    return scale.numerator


def compile_point(point: Point, look_ahead_us: int) -> NDArray[np.int64]:
    """The plan of a measured point, int64 (versions, COLUMNS), under a look-ahead.

    Raises ValueError for a derived point and for what the registry refuses: no version, a count that isn't
    whole in ledger units, a register without max_rate, a delta channel without period, an opening or closing
    value off the dial.
    """
    if point.derivation is not None or not point.versions:
        raise ValueError(f"{point.name} is not measured: it has no readings of its own")
    plan = np.zeros((len(point.versions), at.COLUMNS), np.int64)
    dial = run = 0
    previous: ChannelVersion | None = None
    for row, version in zip(plan, point.versions, strict=True):
        if previous is not None:
            touches = previous.valid_to_us == version.valid_from_us
            dial += not (touches and _same_dial(previous, version))
            run += not touches
            row[at.REPLACED] = previous.closing is not None or version.opening is not None
        row[at.DIAL], row[at.RUN] = dial, run
        _fill(row, point, version)
        previous = version
    if point.kind is Kind.REGISTER:
        for number in range(dial + 1):
            members = np.flatnonzero(plan[:, at.DIAL] == number).tolist()
            _fill_rates(plan, members, point, look_ahead_us)
    return plan


def _same_dial(previous: ChannelVersion, version: ChannelVersion) -> bool:
    """Whether a register goes on counting from one version to the next: only its multiplier or limits change."""
    return (
        previous.closing is None
        and version.opening is None
        and previous.resolution == version.resolution
        and previous.modulus == version.modulus
    )


def _fill(row: NDArray[np.int64], point: Point, version: ChannelVersion) -> None:
    resolution = version.resolution
    if max(resolution.numerator, resolution.denominator) >= INT64_BOUND or resolution <= 0:
        raise ValueError(f"{point.name}: resolution {resolution} is no fraction of two positive int64s")
    scale = scale_of(point, version)
    row[at.FROM] = version.valid_from_us
    row[at.TO] = at.FOREVER if version.valid_to_us is None else version.valid_to_us
    row[at.KIND] = KINDS[point.kind]
    row[at.RESOLUTION_NUMERATOR] = resolution.numerator
    row[at.RESOLUTION_DENOMINATOR] = resolution.denominator
    row[at.SCALE] = scale
    row[at.LIMIT] = VALUE_BOUND // abs(scale)
    row[at.MAX_GAP] = at.FOREVER if version.max_gap_us is None else version.max_gap_us
    row[at.SNAP] = version.snap
    row[at.IS_MEAN] = point.kind is Kind.RATE and version.unit == consumption_unit(version.unit)
    if point.kind is Kind.DELTA:
        if version.period is None:
            raise ValueError(f"{point.name} is a delta channel without period")
        row[at.PERIOD_US], row[at.PERIOD_MONTHS] = version.period.us, version.period.months
    if point.kind is Kind.REGISTER:
        modulus = _count(version.modulus, resolution) if version.modulus is not None else 0
        # A dial that reaches beyond what is counted has no end that it could pass.
        row[at.MODULUS] = modulus if modulus <= VALUE_BOUND else 0
        for value, has, column in (
            (version.opening, at.HAS_OPENING, at.OPENING),
            (version.closing, at.HAS_CLOSING, at.CLOSING),
        ):
            if value is None:
                continue
            count = _count(value, resolution)
            if count < 0 or count > row[at.LIMIT] or 0 < row[at.MODULUS] <= count:
                raise ValueError(f"{point.name}: opening or closing value {value} is not on the dial")
            row[has], row[column] = 1, count


def _count(value: Fraction, resolution: Fraction) -> int:
    counts = value / resolution
    return round_half_even(counts.numerator, counts.denominator)


def _fill_rates(plan: NDArray[np.int64], members: list[int], point: Point, look_ahead_us: int) -> None:
    """max_rate of the versions of one dial over one divisor, in counts a microsecond, and what follows from it."""
    rates = []
    for member in members:
        version = point.versions[member]
        if version.max_rate is None or version.max_rate < 0:
            raise ValueError(f"{point.name} is a register without max_rate")
        count_amount = abs(version.multiplier) * version.resolution
        # A rate whose amounts could leave 2^62 says nothing: this one keeps every interval within.
        counts_per_hour = min(
            version.max_rate / count_amount, Fraction(VALUE_BOUND // 2, abs(int(plan[member, at.SCALE])))
        )
        rates.append(counts_per_hour / HOUR_US)
        look_ahead = look_ahead_us
        if version.modulus is not None and version.max_rate > 0:
            wrap_us = version.modulus * abs(version.multiplier) * HOUR_US / (2 * version.max_rate)
            look_ahead = min(look_ahead, int(wrap_us))
        plan[member, at.LOOK_AHEAD] = look_ahead
    divisor = lcm(*(rate.denominator for rate in rates))
    if divisor >= INT64_BOUND or max(rates) * divisor >= INT64_BOUND:
        # Too fine for 64 bits: to the next 2^-k above, as fine as they hold.
        divisor = 1 << max(0, 61 - int(max(rates)).bit_length())
    for member, rate in zip(members, rates, strict=True):
        scaled = rate * divisor
        plan[member, at.RATE] = -(-scaled.numerator // scaled.denominator)
        plan[member, at.RATE_DIVISOR] = divisor
