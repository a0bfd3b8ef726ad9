"""Adding up intervals, days and months into the periods of an answer. Pure, and exact: nothing here is a float.

A longer period's amount is the sum of its known intervals, its quality the worst of theirs, its flags all of theirs;
a period in which nothing is known has no amount. A single interval keeps its own flags though it is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from domain.interval import INTERVALS_PER_DAY
from domain.reading import Flag, Quality, decimal_text, flag_names, round_half_even

Int64 = npt.NDArray[np.int64]
_LOW = (1 << 32) - 1
QUALITY_NAMES = tuple(quality.name.lower() for quality in Quality)
_SUBSTITUTED = int(Flag.SUBSTITUTED) << 2


@dataclass(slots=True)
class Sum:
    """What is known of a period: the amount [10^exponent], the number of intervals, and how good they are.

    uncredited  of the known ones, those that count in no coverage: what was substituted, and what is of a second gas
                of a source, whose intervals are counted with the first
    """

    amount: int = 0
    exponent: int = 0
    known: int = 0
    uncredited: int = 0
    quality: int = Quality.MISSING
    flags: int = 0
    factor_ids: set[int] = field(default_factory=set)

    def add(self, other: Sum) -> None:
        if other.known:
            if not self.known:
                self.amount, self.exponent, self.quality = other.amount, other.exponent, other.quality
            else:
                exponent = min(self.exponent, other.exponent)
                self.amount = self.amount * 10 ** (self.exponent - exponent) + other.amount * 10 ** (
                    other.exponent - exponent
                )
                self.exponent = exponent
                self.quality = min(self.quality, other.quality)
            self.known += other.known
            self.uncredited += other.uncredited
            self.factor_ids |= other.factor_ids
        self.flags |= other.flags

    @property
    def credited(self) -> int:
        """Known intervals that count in coverage."""
        return self.known - self.uncredited

    def amount_text(self) -> str | None:
        return decimal_text(self.amount, self.exponent) if self.known else None

    def mean_text(self) -> str | None:
        """Of what has means only: the mean of the known intervals, rounded once, half to even.

        >>> Sum(amount=4125, exponent=-2, known=4).mean_text()
        '10.31'
        """
        return decimal_text(round_half_even(self.amount, self.known), self.exponent) if self.known else None

    @property
    def quality_name(self) -> str:
        return QUALITY_NAMES[self.quality]

    @property
    def flag_names(self) -> list[str]:
        return list(_flag_names(self.flags))


# Naming flags anew for each of ten thousand items took two thirds of a page's time.
_flag_names = lru_cache(maxsize=4096)(lambda flags: tuple(flag_names(flags)))

Cells = dict[tuple[int, int], Sum]  # by (key, number of the period)


def worst_quality(measured: int, interpolated: int, estimated: int) -> int:
    if estimated:
        return Quality.ESTIMATED
    if interpolated:
        return Quality.INTERPOLATED
    return Quality.MEASURED if measured else Quality.MISSING


def add_to(cells: Cells, key: int, period: int, part: Sum) -> None:
    cell = cells.get((key, period))
    if cell is None:
        cells[key, period] = part
    else:
        cell.add(part)


def add_intervals(
    cells: Cells,
    keys: Int64,
    days: Int64,
    values: Int64,
    states: npt.NDArray[np.int16],
    period_of: Int64,
    first_day: int,
    *,
    exponent: int,
    factor_ids: Int64 | None = None,
    repeats: npt.NDArray[np.bool_] | None = None,
    own_flags: bool = False,
) -> None:
    """Add rows of 96 intervals to the periods that these lie in.

    keys, days, factor_ids  (n,)     one a row
    values, states          (n, 96)  amounts in 10^exponent; quality | flags << 2
    period_of               (m,)     number of the period of each interval from the start of `first_day` on, or -1
    repeats                 (n,)     rows whose intervals are counted by another row: of a second gas
    own_flags                        flags of missing intervals count too (where periods are single intervals)

    Sums are exact: int64 amounts are added in two halves of 32 bits, each of which can't overflow.
    """
    if not len(keys):
        return
    places = (days - first_day)[:, None] * INTERVALS_PER_DAY + np.arange(INTERVALS_PER_DAY)
    inside = (places >= 0) & (places < len(period_of))
    period = np.where(inside, period_of[np.where(inside, places, 0)], -1)
    quality = states & 3
    known = (quality > 0) & (period >= 0)
    wanted = (period >= 0) & ((states >> 2) != 0) | known if own_flags else known
    if not wanted.any():
        return
    # Cells are numbered by (key, factor, period), so that one pass of unbuffered adds does.
    # (A dictionary numbers them; numpy.unique over two columns took almost as long as all the rest.)
    marks = list(
        zip(keys.tolist(), [0] * len(keys) if factor_ids is None else factor_ids.tolist(), strict=True)
    )
    numbers = {mark: number for number, mark in enumerate(dict.fromkeys(marks))}
    groups = list(numbers)
    group_of = np.array([numbers[mark] for mark in marks], np.int64)
    periods = int(period.max()) + 1
    cell = (group_of.reshape(-1, 1) * periods + period)[wanted]
    size = len(groups) * periods
    state, value = states[wanted], values[wanted]
    is_known = (state & 3) > 0
    value = np.where(is_known, value, 0)
    high, low = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(high, cell, value >> 32)
    np.add.at(low, cell, value & _LOW)
    count = np.bincount(cell[is_known], minlength=size)
    is_uncredited = state & _SUBSTITUTED != 0
    if repeats is not None:
        is_uncredited |= np.broadcast_to(repeats[:, None], states.shape)[wanted]
    uncredited = np.bincount(cell[is_known & is_uncredited], minlength=size)
    worst = np.full(size, 3, np.int16)
    np.minimum.at(worst, cell[is_known], state[is_known] & 3)
    flags = np.zeros(size, np.int16)
    np.bitwise_or.at(flags, cell, state >> 2)
    for place in np.unique(cell).tolist():
        group, number = divmod(place, periods)
        key, factor_id = groups[group]
        part = Sum(flags=int(flags[place]))
        if count[place]:
            part.amount = (int(high[place]) << 32) + int(low[place])
            part.exponent = exponent
            part.known = int(count[place])
            part.uncredited = int(uncredited[place])
            part.quality = int(worst[place])
            if factor_ids is not None:
                part.factor_ids = {factor_id}
        add_to(cells, key, number, part)


def dense(
    rows: Sequence[tuple[int, int, int, Sequence[int], Sequence[int], Sequence[int]]],
) -> tuple[Int64, Int64, Int64, Int64, npt.NDArray[np.int16]]:
    """Rows (key, day, factor or exponent, indexes, values, states) as arrays of 96 intervals for `add_intervals`."""
    keys = np.array([row[0] for row in rows], np.int64)
    days = np.array([row[1] for row in rows], np.int64)
    marks = np.array([row[2] for row in rows], np.int64)
    values = np.zeros((len(rows), INTERVALS_PER_DAY), np.int64)
    states = np.zeros((len(rows), INTERVALS_PER_DAY), np.int16)
    for place, (_, _, _, indexes, own_values, own_states) in enumerate(rows):
        values[place, list(indexes)] = own_values
        states[place, list(indexes)] = own_states
    return keys, days, marks, values, states


def coverage_text(known: int, expected: int) -> str | None:
    """known ÷ expected as a decimal of up to six places, rounded down so that "1" means all; None if none expected.

    >>> coverage_text(96, 96), coverage_text(1, 3), coverage_text(0, 4), coverage_text(0, 0)
    ('1', '0.333333', '0', None)
    """
    if expected <= 0:
        return None
    millionths = min(known, expected) * 1_000_000 // expected
    text = decimal_text(millionths, -6)
    return text.rstrip("0").rstrip(".")


def factor_set_text(factor_ids: Iterable[int], sets: Mapping[int, str]) -> str | None:
    """The hashes of the factor sets that a sum stands on, joined by commas; None where nothing is known."""
    return ",".join(sorted({sets[id_] for id_ in factor_ids if id_ in sets})) or None


def co2e_kg(part: Sum) -> str | None:
    """Milligrams as exact kilograms, six decimals."""
    return decimal_text(part.amount, -6) if part.known else None
