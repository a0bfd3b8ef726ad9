"""Sums of ledger entries as a report is built from: what storage reads and accounting adds up."""

from __future__ import annotations

from typing import NamedTuple


class EntrySums(NamedTuple):
    """The known entries of a source in one local month, of one gas, boundary, unit and factor.

    month        number of its first local day
    consumption  Σ of the source's amounts before the factor, in 10^exponent of `unit`
    mg           Σ of the entries [mg CO2e], `substituted_mg` of the substituted ones
    magnitude …  Σ|entry| [mg], which doesn't cancel
    repeats      they are of a second gas, whose intervals are counted with the first
    known … substituted, flags   how many entries there are, by quality; the flags of all of them
    """

    source_id: int
    month: int
    gas: str
    scope: int
    boundaries: tuple[str, ...]
    unit: str
    exponent: int
    factor_id: int
    repeats: bool
    first_day: int
    last_day: int
    consumption: int
    mg: int
    substituted_mg: int
    magnitude: int
    estimated_magnitude: int
    substituted_magnitude: int
    estimated_or_substituted_magnitude: int
    known: int
    measured: int
    interpolated: int
    estimated: int
    substituted: int
    flags: int
