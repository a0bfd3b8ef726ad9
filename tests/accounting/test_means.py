"""Channels that only have means: a day of them is known throughout, however the compiler laid out the loops.

Compiled for AVX-512, one loop over a day once took every other sixteen known means for missing; single intervals and
short runs, where no vectors are used, were right.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from accounting.channel import READING_DTYPE, Rules, channel_intervals
from domain.interval import HOUR_US, INTERVAL_US, Calendar
from domain.reading import Quality
from domain.registry import ChannelVersion, Kind, Point

FIRST_US = Calendar().day_start(19_400)


def bar() -> Point:
    version = ChannelVersion(
        FIRST_US, None, "pressure", Kind.RATE, "bar", Fraction(1), Fraction(1, 100), max_gap_us=2 * HOUR_US
    )
    return Point(1, "91430302XT0000014K", "S-01", "bar", "pressure", Kind.RATE, "bar", -2, (version,))


@pytest.mark.parametrize("count", [1, 7, 16, 33, 96, 500])
def test_every_interval_between_readings_has_its_mean(count: int) -> None:
    readings = np.zeros(count + 1, READING_DTYPE)
    readings["at"] = FIRST_US + np.arange(count + 1) * INTERVAL_US
    readings["mantissa"], readings["exponent"] = 1200 + np.arange(count + 1), -2
    result = channel_intervals(bar(), readings, FIRST_US, FIRST_US + count * INTERVAL_US, Rules(), Calendar())
    assert (result.states & 3 == Quality.MEASURED).all()
    # 1200, 1201: the mean 1200.5 is rounded half to even
    assert result.amounts.tolist() == [value + value % 2 for value in range(1200, 1200 + count)]
