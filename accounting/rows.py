"""Rows of the books by what they belong to, and the superseded entries among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from accounting.entries import Changes
from accounting.work import Rows


def stretches(days: Rows) -> list[tuple[int, int]]:
    """Runs of consecutive days as half-open ranges."""
    if not len(days):
        return []
    cuts = np.flatnonzero(np.diff(days) > 1)
    firsts = days[np.concatenate([[0], cuts + 1])]
    lasts = days[np.concatenate([cuts, [len(days) - 1]])]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def bridged(days: Rows, most: int) -> Rows:
    """The days, in order, with the shortest gaps between them filled, so that they are at most `most` stretches."""
    gaps = np.diff(days)
    cuts = np.flatnonzero(gaps > 1)
    if len(cuts) < most:
        return days
    widest = np.sort(cuts[np.argsort(gaps[cuts], kind="stable")[len(cuts) - most + 1 :]])
    firsts = days[np.concatenate([[0], widest + 1])]
    lasts = days[np.concatenate([widest, [len(days) - 1]])]
    return np.concatenate(
        [np.arange(first, last + 1) for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
    )


def joined(pieces: Sequence[Rows], dtype: np.dtype[Any]) -> Rows:
    """Records one after the other, by their bytes: numpy compares the fields of each piece with those of the next."""
    return np.frombuffer(bytearray(b"".join([piece.tobytes() for piece in pieces])), dtype)


def by_id(rows: Rows, key: str, ids: Iterable[int]) -> dict[int, Rows]:
    """Rows, ordered by their key, by it."""
    result = {}
    for id_ in ids:
        low, high = np.searchsorted(rows[key], id_), np.searchsorted(rows[key], id_, side="right")
        result[id_] = rows[low:high]
    return result


def columns_of(wants: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    return [want[0] for want in wants], [want[1] for want in wants], [want[2] for want in wants]


def superseded(changes: Sequence[Changes]) -> tuple[Rows, Rows]:
    """Places of the rows that have superseded entries, over the rows of all changes in turn, and which (n, 96)."""
    which = np.concatenate([change.superseded for change in changes])
    places = np.flatnonzero(which.any(axis=1))
    return places, which[places]
