"""The stored readings of a point, each with what it is worth: read with as much around them as judging needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from accounting.channel import NO_ANCHOR, READING_DTYPE, standing_readings
from api.context import Session
from domain.interval import DAY_US
from domain.reading import SentQuality, decimal_text, flag_names
from domain.registry import Point
from domain.unit import decimal_exponent
from storage import consumption


@dataclass(frozen=True, slots=True)
class JudgedReadings:
    """Readings of a point in the order of (at, committed_at, batch, gateway); arrays are parallel.

    records  READING_DTYPE (n,); of the others see accounting.channel.StandingReadings
    """

    point: Point
    records: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    known: npt.NDArray[np.bool_]
    version: npt.NDArray[np.int64]
    stands: npt.NDArray[np.bool_]
    flags: npt.NDArray[np.int16]

    def between(self, from_us: int, to_us: int) -> range:
        """Places of the readings in [from_us, to_us)."""
        first, end = np.searchsorted(self.records["at"], [from_us, to_us]).tolist()
        return range(first, end)

    def last_standing_before(self, us: int) -> int | None:
        """The place of the last standing reading before a moment."""
        places = np.flatnonzero(self.stands & (self.records["at"] < us))
        return int(places[-1]) if len(places) else None

    def first_standing_from(self, us: int) -> int | None:
        """The place of the first standing reading at or after a moment."""
        places = np.flatnonzero(self.stands & (self.records["at"] >= us))
        return int(places[0]) if len(places) else None

    def described(self, place: int, session: Session, gateways: dict[int, str]) -> dict[str, Any]:
        record = self.records[place]
        value = None
        if self.known[place]:
            resolution = self.point.versions[int(self.version[place])].resolution
            exponent = decimal_exponent(resolution)
            value = decimal_text(
                int(self.counts[place]) * int(resolution / Fraction(10) ** exponent), exponent
            )
        return {
            "at": session.text(int(record["at"])),
            "value": value,
            "sent": decimal_text(int(record["mantissa"]), int(record["exponent"])),
            "quality": SentQuality(int(record["quality"])).name.lower(),
            "revision": int(record["revision"]),
            "committed_at": session.text(int(record["committed_at"])),
            "flags": flag_names(int(self.flags[place])),
            "stands": bool(self.stands[place]),
            "gateway": gateways.get(int(record["gateway"])),
        }


def read_judged(
    session: Session, point: Point, from_us: int, to_us: int, as_of_us: int | None = None
) -> JudgedReadings:
    """The readings of a point that judging those of [from_us, to_us] takes, from the last anchor before them on.

    As of an earlier moment: those that had been committed by then, judged as they were then.
    """
    calendar, rules = session.calendar, session.context.rules
    first_day = calendar.day(from_us)
    anchor_us = consumption.anchor(session.conn, point.id, first_day)
    since_us = NO_ANCHOR if anchor_us is None else anchor_us
    last_day = calendar.day(to_us + max(rules.look_ahead_us, DAY_US))
    chunks = consumption.readings(
        session.conn, point.id, None if anchor_us is None else calendar.day(anchor_us), last_day + 1
    )
    records = np.frombuffer(b"".join(chunks), READING_DTYPE)
    records = records[records["at"] >= since_us]
    if as_of_us is not None:
        records = records[records["committed_at"] <= as_of_us]
    judged = standing_readings(point, records, rules, calendar, since_us)
    return JudgedReadings(
        point,
        records[judged.order],
        judged.counts,
        judged.known,
        judged.version,
        judged.stands,
        judged.flags,
    )


def day_runs(sizes: list[tuple[int, int]], wanted: int) -> Iterator[tuple[int, int]]:
    """Local days [first, end) that together have about `wanted` readings, from (day, readings) in order."""
    first, total = None, 0
    for day, size in sizes:
        if first is None:
            first = day
        total += size
        if total >= wanted:
            yield first, day + 1
            first, total = None, 0
    if first is not None:
        yield first, sizes[-1][0] + 1
