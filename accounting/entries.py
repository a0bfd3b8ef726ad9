"""From freshly computed intervals to rows of the books: what is new, what it supersedes.

Pure. An interval is an *entry* once a run has written it (its run id isn't 0). Writing one that stood
differently supersedes it; one that stands as computed is left alone, so that a recomputation that changes
nothing writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.interval import INTERVALS_PER_DAY
from domain.ledger import LEDGER_ROW, NO_ANCHOR
from domain.reading import Flag, Quality

LATE = int(Flag.LATE) << 2
QUALITY_BITS = 3
KEPT_STATE = np.int16(~LATE)  # everything of a state but the flag that tells of arrival

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows to write, and which intervals of the rows they replace were entries and are superseded.

    rows        (d,) whole rows
    old         (d,) the rows as they stood (zero where there was none)
    changed     (d, 96) intervals written now
    superseded  (d, 96) those of them that were entries before
    """

    rows: npt.NDArray[Any]
    old: npt.NDArray[Any]
    changed: Bools
    superseded: Bools


def dense_days(rows: npt.NDArray[Any], first_day: int, end_day: int) -> npt.NDArray[Any]:
    """One row a day of [first_day, end_day), zero where `rows`, which may reach beyond it, has none."""
    rows = rows[(rows["day"] >= first_day) & (rows["day"] < end_day)]
    result = np.zeros(end_day - first_day, rows.dtype)
    result["day"] = np.arange(first_day, end_day)
    result[rows["day"] - first_day] = rows
    return result


def consumption_changes(
    channel_id: int,
    exponent: int,
    stored: npt.NDArray[Any],
    first: int,
    amounts: Int64,
    states: Int16,
    anchors: dict[int, int],
    late: Bools | None,
    run_id: int,
    *,
    restated: bool = False,
) -> Changes:
    """Rows of a channel whose intervals from number `first` on are now `amounts` and `states`.

    stored   CONSUMPTION_ROW of all days that the intervals touch, as far as there are any
    first    number of the first interval, counted from the beginning of day 0
    anchors  by day: its anchor, or NO_ANCHOR
    late     (n,) whether an entry written now is late; None: it stays as late as it was
    restated whether this is by more than arrival: then only what is written for the first time is late by `late`
    """
    first_day = first // INTERVALS_PER_DAY
    end_day = -(-(first + len(amounts)) // INTERVALS_PER_DAY)
    old = dense_days(stored, first_day, end_day)
    existed = np.zeros(len(old), bool)
    existed[stored["day"] - first_day] = True
    rows = old.copy()
    here = slice(first - first_day * INTERVALS_PER_DAY, first - first_day * INTERVALS_PER_DAY + len(amounts))

    # A field of several records isn't contiguous: flattening it copies, so what is written goes back whole.
    flat_amounts, flat_states, flat_runs = (old[name].ravel() for name in ("amounts", "states", "run_ids"))
    old_amounts, old_states, old_runs = flat_amounts[here], flat_states[here], flat_runs[here]
    same = (old_amounts == amounts) & ((old_states & KEPT_STATE) == states)
    # Amounts of a row share its exponent: where that changes, all of its entries are written again.
    rescaled = np.repeat(existed & (old["exponent"] != exponent), INTERVALS_PER_DAY)[here]
    changed = ~same | (rescaled & (old_runs != 0))
    kept_late = old_states & LATE
    if late is not None:
        kept_late = np.where((old_runs != 0) & restated, kept_late, np.where(late, LATE, 0))

    whole = np.zeros(len(old) * INTERVALS_PER_DAY, bool)
    whole[here] = changed
    rows["channel_id"], rows["exponent"] = channel_id, exponent
    for name, flat, now in (
        ("amounts", flat_amounts, amounts),
        ("states", flat_states, states | kept_late),
        ("run_ids", flat_runs, run_id),
    ):
        flat = flat.copy()
        flat[here] = np.where(changed, now, flat[here])
        rows[name] = flat.reshape(-1, INTERVALS_PER_DAY)
    for day, anchor in anchors.items():
        if first_day <= day < end_day:
            rows["anchor_us"][day - first_day] = anchor
    rows["anchor_us"][~existed & (rows["anchor_us"] == 0)] = NO_ANCHOR

    changed_days = whole.reshape(-1, INTERVALS_PER_DAY)
    write = changed_days.any(axis=1) | (existed & (rows["anchor_us"] != old["anchor_us"]))
    superseded = changed_days & (old["run_ids"] != 0)
    return Changes(rows[write], old[write], changed_days[write], superseded[write])


def ledger_changes(
    source_id: int,
    series: int,
    exponent: int,
    stored: npt.NDArray[Any],
    first_day: int,
    consumption: Int64,
    mg: Int64,
    states: Int16,
    factor_ids: Int64,
    cause_ids: Int64,
    run_id: int,
) -> Changes:
    """Rows of a source's series whose days from `first_day` on are now these, (d, 96) each.

    factor_ids  (d,) the factor of each day; an entry is another one under another factor
    cause_ids   (d, 96) why an entry would be written now
    """
    end_day = first_day + len(mg)
    old = dense_days(stored, first_day, end_day)
    same = (
        (old["consumption"] == consumption)
        & (old["mg"] == mg)
        & ((old["states"] & KEPT_STATE) == (states & KEPT_STATE))
        & ((old["factor_id"] == factor_ids)[:, None] | ((states & QUALITY_BITS) == Quality.MISSING))
    )
    existed = old["source_id"] != 0
    rescaled = (existed & (old["exponent"] != exponent))[:, None] & (old["run_ids"] != 0)
    changed = ~same | rescaled
    rows = old.copy()
    rows["source_id"], rows["series"] = source_id, series
    rows["exponent"], rows["factor_id"] = exponent, factor_ids
    rows["consumption"] = np.where(changed, consumption, old["consumption"])
    rows["mg"] = np.where(changed, mg, old["mg"])
    rows["states"] = np.where(changed, states, old["states"])
    rows["run_ids"] = np.where(changed, run_id, old["run_ids"])
    rows["cause_ids"] = np.where(changed, cause_ids, old["cause_ids"])
    write = changed.any(axis=1)
    rows, old, changed = rows[write], old[write], changed[write]
    sum_days(rows)
    return Changes(rows, old, changed, changed & (old["run_ids"] != 0))


def sum_days(rows: npt.NDArray[Any]) -> None:
    """Fill in the sums of ledger rows: of the known intervals, their number, by quality, their flags."""
    assert rows.dtype == LEDGER_ROW
    quality = rows["states"] & QUALITY_BITS
    known = quality != Quality.MISSING
    rows["mg_sum"] = np.where(known, rows["mg"], 0).sum(axis=1)
    rows["known"] = known.sum(axis=1)
    for name, value in (("measured", 3), ("interpolated", 2), ("estimated", 1)):
        rows[name] = (quality == value).sum(axis=1)
    rows["substituted"] = (known & (rows["states"] >> 2 & Flag.SUBSTITUTED != 0)).sum(axis=1)
    rows["flags"] = np.bitwise_or.reduce(np.where(known, rows["states"] >> 2, 0), axis=1) if len(rows) else 0


def late_intervals(ends_us: Int64, at: Int64, committed_us: Int64, late_us: int) -> Bools:
    """Whether each interval, by its end, was closed by readings that came late.

    at, committed_us  (m,) the readings that arrived now. An interval is closed by the first of them at or
                      after its end; one that lies after all of them is judged by the last.
    """
    order = np.argsort(at, kind="stable")
    earliest = np.minimum.accumulate(committed_us[order][::-1])[::-1]
    closing = np.minimum(np.searchsorted(at[order], ends_us), len(at) - 1)
    return np.asarray(earliest[closing] - ends_us > late_us)
