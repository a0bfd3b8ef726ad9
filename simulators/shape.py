"""Load shapes: how a consumption follows shift, weekday and season. Pure, seeded, the same at any time.

A weight is relative to the channel's nominal amount: 1 is the plain workday's mean. It is computed for whole
quarter-hours from their start alone, so that any stretch of time can be asked for, in any order, and comes out
the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.interval import DAY_US, INTERVAL_US

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
EVEN = (1.0,) * 12


def noise(key: str, indexes: Ints) -> Floats:
    """Uniform in [-1, 1) for each index, from the key alone (splitmix64)."""
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        z = indexes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Weights of one kind of load.

    hours     24 weights, one at the middle of each local hour of a workday, linear between
    weekend   factor on Saturday and Sunday
    months    12 factors, one at the middle of each month, linear between
    ripple    half the width of the noise of a quarter-hour
    stops     share of days on which the unit stands still but for `idle`
    sun       the hours follow the sun at 28° north; then `hours` isn't used, and noise becomes cloud
    """

    hours: tuple[float, ...] = (1.0,) * 24
    weekend: float = 1.0
    months: tuple[float, ...] = EVEN
    ripple: float = 0.05
    stops: float = 0.0
    idle: float = 0.08
    sun: bool = False

    def weights(self, key: str, starts_us: Ints, offset_us: int) -> Floats:
        """Weight, never negative, of the quarter-hours that begin at `starts_us`."""
        local_us = starts_us + offset_us + INTERVAL_US // 2
        day = local_us // DAY_US
        hour = np.asarray((local_us % DAY_US) / (DAY_US / 24), np.float64)
        year_day = np.asarray((day - 10_957) % 365.25, np.float64)  # 10,957: 2000-01-01
        month = year_day / 30.4375
        weight = np.interp(month, np.arange(12) + 0.5, np.array(self.months), period=12)
        if self.sun:
            weight *= self._sunshine(key, day, hour, year_day)
        else:
            weight *= np.interp(hour, np.arange(24) + 0.5, np.array(self.hours), period=24)
        weight *= np.where((day + 3) % 7 >= 5, self.weekend, 1.0)  # 1970-01-01 was a Thursday
        weight *= 1.0 + self.ripple * noise(key, starts_us // INTERVAL_US)
        if self.stops:
            stands = noise(f"{key} stops", day) < 2 * self.stops - 1
            weight = np.where(stands, self.idle, weight)
        return np.asarray(np.maximum(weight, 0.0), np.float64)

    @staticmethod
    def _sunshine(key: str, day: Ints, hour: Floats, year_day: Floats) -> Floats:
        length_h = 12.0 + 1.7 * np.sin(2 * np.pi * (year_day - 80) / 365.25)
        height = np.sin(np.pi * np.clip((hour - 12.3 + length_h / 2) / length_h, 0.0, 1.0))
        clearness = 0.6 + 0.4 * noise(f"{key} clouds", day)
        return np.asarray(height * clearness)


def _hours(night: float, morning: float, noon: float, afternoon: float, evening: float) -> tuple[float, ...]:
    """0–6, 6–11, 11–13, 13–18, 18–24."""
    return (night,) * 6 + (morning,) * 5 + (noon,) * 2 + (afternoon,) * 5 + (evening,) * 6


CONTINUOUS = Shape(ripple=0.03)
CONTINUOUS_WITH_STOPS = Shape(ripple=0.04, stops=0.02)
# Melting and rolling where power is cheap: the night shift runs hardest.
NIGHT_HEAVY = Shape(hours=_hours(1.18, 0.92, 0.80, 0.95, 1.05), weekend=0.93, ripple=0.15)
THREE_SHIFTS = Shape(hours=_hours(0.94, 1.05, 0.97, 1.05, 1.0), weekend=0.96, ripple=0.08)
TWO_SHIFTS = Shape(hours=_hours(0.15, 1.25, 1.05, 1.3, 0.95), weekend=0.5, ripple=0.1)
# Kilns in Hunan stand by turns in winter and in the hottest weeks.
KILN = Shape(
    ripple=0.03,
    stops=0.03,
    months=(0.75, 0.7, 1.05, 1.1, 1.1, 1.05, 0.95, 0.9, 1.05, 1.1, 1.1, 0.95),
)
# A coal unit follows the evening peak, and the summer's and the winter's.
UNIT = Shape(
    hours=_hours(0.78, 1.02, 1.0, 1.05, 1.15),
    weekend=0.94,
    months=(1.15, 1.05, 0.9, 0.8, 0.85, 1.0, 1.2, 1.2, 1.0, 0.85, 0.95, 1.15),
    ripple=0.04,
)
OFFICE = Shape(
    hours=_hours(0.35, 1.35, 1.25, 1.5, 0.75),
    weekend=0.55,
    months=(1.15, 1.05, 0.85, 0.75, 0.85, 1.1, 1.35, 1.35, 1.1, 0.8, 0.8, 1.05),
    ripple=0.08,
)
HOSPITAL = Shape(
    hours=_hours(0.75, 1.15, 1.1, 1.15, 0.95),
    weekend=0.85,
    months=(1.1, 1.0, 0.9, 0.85, 0.9, 1.05, 1.25, 1.25, 1.05, 0.85, 0.85, 1.0),
    ripple=0.05,
)
HEATING = Shape(
    hours=_hours(0.85, 1.3, 1.0, 0.95, 1.0),
    weekend=0.9,
    months=(2.6, 2.2, 1.3, 0.4, 0.15, 0.1, 0.1, 0.1, 0.1, 0.3, 1.1, 2.2),
    ripple=0.1,
)
KITCHEN = Shape(hours=_hours(0.2, 1.3, 1.9, 1.0, 1.1), weekend=0.8, ripple=0.2)
SOLAR = Shape(
    sun=True, ripple=0.12, months=(0.7, 0.75, 0.85, 1.0, 1.1, 1.15, 1.3, 1.25, 1.1, 1.0, 0.85, 0.75)
)
# What the roof sends out: at the weekend more is left over.
SOLAR_SURPLUS = Shape(sun=True, ripple=0.2, weekend=2.5, months=SOLAR.months)
STEADY = Shape(ripple=0.02)
# A workshop's weighings: on working days, more in spring and autumn, when plant is taken out of service.
WORKSHOP = Shape(
    hours=_hours(0.0, 2.2, 1.0, 2.0, 0.0),
    weekend=0.0,
    months=(0.7, 0.5, 1.3, 1.5, 1.3, 0.8, 0.6, 0.6, 1.2, 1.5, 1.2, 0.8),
    ripple=0.2,
)
# Underground and in quarries: three shifts, nearly still at the Spring Festival.
MINE = Shape(
    hours=_hours(0.95, 1.05, 0.9, 1.05, 1.0),
    weekend=0.9,
    months=(0.9, 0.5, 1.0, 1.05, 1.05, 1.0, 1.0, 1.0, 1.05, 1.05, 1.1, 1.1),
    ripple=0.1,
)
FLIGHTS = Shape(
    hours=_hours(0.12, 1.3, 1.35, 1.3, 1.15),
    weekend=1.1,
    months=(1.1, 1.15, 0.9, 0.95, 0.95, 0.95, 1.2, 1.25, 0.95, 1.05, 0.85, 0.9),
    ripple=0.2,
)
# What is drunk in summer is brewed and filled in two shifts before it.
SUMMER = Shape(
    hours=_hours(0.4, 1.25, 1.1, 1.25, 1.0),
    weekend=0.7,
    months=(0.5, 0.5, 0.8, 1.1, 1.4, 1.6, 1.6, 1.4, 1.0, 0.8, 0.6, 0.6),
    ripple=0.08,
)
TRANSIT = Shape(hours=_hours(0.1, 1.5, 1.2, 1.55, 0.95), weekend=0.85, ripple=0.12)
NIGHT_CHARGING = Shape(hours=_hours(2.4, 0.4, 0.8, 0.4, 0.8), weekend=0.85, ripple=0.1)

# By the names that the files of `plants/` use.
SHAPES = {
    "continuous": CONTINUOUS,
    "continuous_with_stops": CONTINUOUS_WITH_STOPS,
    "night_heavy": NIGHT_HEAVY,
    "three_shifts": THREE_SHIFTS,
    "two_shifts": TWO_SHIFTS,
    "kiln": KILN,
    "unit": UNIT,
    "office": OFFICE,
    "hospital": HOSPITAL,
    "heating": HEATING,
    "kitchen": KITCHEN,
    "solar": SOLAR,
    "solar_surplus": SOLAR_SURPLUS,
    "steady": STEADY,
    "workshop": WORKSHOP,
    "mine": MINE,
    "flights": FLIGHTS,
    "summer": SUMMER,
    "transit": TRANSIT,
    "night_charging": NIGHT_CHARGING,
}
