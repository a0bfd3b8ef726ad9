"""Pure kernels on integers: readings to counts, credibility, intervals, milligrams (`accounting/README.md`)."""

from __future__ import annotations

import numpy as np


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
