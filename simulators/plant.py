"""The real steel plant's year, replayed as the register of its electricity meter.

The source gives the energy of each quarter-hour of 2018 at Gwangyang (local time, UTC+9); a stamp there is the
END of its interval, and `00:00` closes the day it is dated with. A meter shows a cumulative register, so the
replay sends one: 35,041 readings, the first of them before the first interval, so that it counts too.

The dates are moved by one constant, a whole number of quarter-hours, so that the year ends at a moment the
caller chooses once (`Plant.ending_at`; the demo stores it). Lengths and order are untouched: the local day d of
the source, 00:00 to 24:00 at UTC+9, becomes the 24 hours that begin at `start_us + d × 24 h`, at whatever time
of day the year ends. So the plant's night is night on its own clock, not on the wall of the demo: moving by
whole days instead would leave up to a day open between the end of the year and now.
"""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from domain.interval import INTERVAL_US, floor_interval

INTERVALS = 35_040  # 365 days
TOTAL_COUNTS = 95_963_671  # of 0.01 kWh: 959,636.71 kWh
RESOLUTION_KWH = "0.01"
# 2018-01-01T00:00:00+09:00
SOURCE_START_US = 1_514_732_400_000_000
# What the register shows when the year begins: 1,000,000.00 kWh. The source has no register of its own.
OPENING_COUNTS = 100_000_000
_SHA256 = "61e18449817aa809f7f03c22d9887348fca3d5d5a6e1b9279ac75eb80ffc941e"


@cache
def usage_counts() -> NDArray[np.int64]:
    """Energy of each quarter-hour of the source's year, counts of 0.01 kWh, read only."""
    packed = (files("simulators") / "data" / "steel_plant_2018.xz").read_bytes()
    raw = lzma.decompress(packed)
    assert hashlib.sha256(raw).hexdigest() == _SHA256, "steel_plant_2018.xz isn't the file that was committed"
    counts = np.frombuffer(raw, "<u2").astype(np.int64)
    counts.setflags(write=False)
    return counts


@dataclass(frozen=True, slots=True)
class Plant:
    """The replay: the year lies in `[start_us, end_us)`."""

    end_us: int

    def __post_init__(self) -> None:
        if self.end_us % INTERVAL_US:
            raise ValueError(f"the year must end on a quarter-hour, not at {self.end_us} µs")

    @classmethod
    def ending_at(cls, now_us: int) -> Plant:
        """The replay whose year ends with the last quarter-hour that is over at `now_us`."""
        return cls(floor_interval(now_us))

    @property
    def start_us(self) -> int:
        return self.end_us - INTERVALS * INTERVAL_US

    @property
    def shift_us(self) -> int:
        """What is added to a moment of the source."""
        return self.start_us - SOURCE_START_US

    def stamps_us(self) -> NDArray[np.int64]:
        """The 35,041 moments at which the register is read."""
        return self.start_us + INTERVAL_US * np.arange(INTERVALS + 1, dtype=np.int64)

    def register_counts(self) -> NDArray[np.int64]:
        """What it shows at them, counts of 0.01 kWh."""
        counts = np.full(INTERVALS + 1, OPENING_COUNTS, np.int64)
        counts[1:] += np.cumsum(usage_counts())
        return counts
