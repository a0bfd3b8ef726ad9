"""What the demo's enterprises state for their grades: a year's value added, made up from the year's emissions.

Each has an intensity of its own, some clean and some not, which falls a little each year. Simulated, and said to be.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_CLEANEST, _DIRTIEST = 0.8, 6.0  # tCO2e per 10⁴ yuan
_FALL = 0.97  # from a year to the next
PROVIDER = "simulated"


def figures_of(tonnes: Mapping[str, Mapping[int, Fraction]], seed: int) -> dict[str, Any]:
    """A document as `POST /v1/grades/statements` takes it, of the enterprises' years with their tCO2e; the same for the
    same seed.
    """
    return {
        "why": "simulated value added of the demo",
        "statements": [
            {
                "uscc": uscc,
                "figures": [
                    _figure(uscc, year, amount, years, seed) for year, amount in sorted(years.items())
                ],
            }
            for uscc, years in sorted(tonnes.items())
        ],
    }


def _figure(
    uscc: str, year: int, amount: Fraction, years: Mapping[int, Fraction], seed: int
) -> dict[str, Any]:
    own = random.Random(f"{seed} {uscc}").uniform(_CLEANEST, _DIRTIEST)
    intensity = own * _FALL ** (year - min(years))
    value = max(1, round(float(amount) / intensity))
    return {
        "denominator": "value_added",
        "from": f"{year}-01",
        "to": f"{year}-12",
        "value": str(value),
        "constant": str(value),
        "provider": PROVIDER,
        "provenance": "estimated",
    }
