"""A figure that a formula needs and nothing has: what it is, for what, and what would bring it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from domain.interval import EPOCH_DATE
from domain.registry import Parameter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is missing of a source's factor on a day.

    name        of the parameter; None where something else is wrong, which `why` says
    area, year  that an electricity factor was looked up for
    do          the next step
    """

    name: str | None
    why: str
    do: str
    unit: str | None = None
    fuel: str | None = None
    material: str | None = None
    area: str | None = None
    year: int | None = None
    edition: str | None = None
    boundaries: tuple[str, ...] = ()


def with_what_is_registered(wanted: Wanted, parameters: Iterable[Parameter], day: int) -> Wanted:
    """The next step is another where the parameter is registered, but begins after the day."""
    later = [
        each.from_day
        for each in parameters
        if each.name == wanted.name and each.from_day is not None and each.from_day > day
    ]
    if not later:
        return wanted
    begins = EPOCH_DATE + timedelta(days=min(later))
    return replace(
        wanted,
        do=f"{wanted.name} is registered from {begins} on: register one that begins by the day it is for",
    )
