"""Reading the consumption of points and the readings behind it, now or as of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from domain.ledger import NO_ANCHOR, SHARDS
from storage.array_rows import array_rows
from storage.database import Connection


class PastConsumption(NamedTuple):
    """Intervals of a channel's day as they stood as of a run and don't now; arrays are parallel."""

    channel_id: int
    day: int
    exponent: int
    indexes: list[int]
    amounts: list[int]
    states: list[int]


def consumption(
    conn: Connection, channel_ids: Sequence[int], days: Sequence[tuple[int, int]], run: int | None = None
) -> npt.NDArray[Any]:
    """Records (channel_id, day, exponent, amounts (96,), states (96,)) of channels on ranges of days [first, end).

    As of a run, what was written later is missing from them (`past_consumption` has what stood then).
    """
    rows = array_rows(
        conn,
        {"channel_id": "t.channel_id", "day": "t.day", "exponent": "t.exponent"},
        {"amounts": "int8", "states": "int2", **({} if run is None else {"run_ids": "int8"})},
        """FROM unnest(%(channels)s::integer[]) AS c (id)
           CROSS JOIN unnest(%(firsts)s::integer[], %(ends)s::integer[]) AS w (first, until)
           JOIN consumption_days t ON t.channel_id = c.id AND t.day >= w.first AND t.day < w.until""",
        _parameters(channel_ids, days),
    )
    if run is not None:
        later = rows["run_ids"] > run
        rows["states"][later] = 0
        rows["amounts"][later] = 0
    return rows


def past_consumption(
    conn: Connection, channel_ids: Sequence[int], days: Sequence[tuple[int, int]], run: int
) -> list[PastConsumption]:
    """Intervals that stood as of a run and were superseded after it."""
    rows = conn.execute(
        """SELECT t.channel_id, t.day, t.exponent, t.indexes, t.amounts, t.states, t.run_ids
           FROM unnest(%(channels)s::integer[]) AS c (id)
           CROSS JOIN unnest(%(firsts)s::integer[], %(ends)s::integer[]) AS w (first, until)
           JOIN consumption_history t ON t.channel_id = c.id AND t.day >= w.first AND t.day < w.until
           WHERE t.superseded_by > %(run)s AND %(run)s >= ANY (t.run_ids)""",
        {**_parameters(channel_ids, days), "run": run},
    )
    result = []
    for channel_id, day, exponent, indexes, amounts, states, run_ids in rows:
        kept = [i for i, written_by in enumerate(run_ids) if written_by <= run]
        result.append(
            PastConsumption(
                channel_id,
                day,
                exponent,
                [indexes[i] for i in kept],
                [amounts[i] for i in kept],
                [states[i] for i in kept],
            )
        )
    return result


def _parameters(channel_ids: Sequence[int], days: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "channels": list(channel_ids),
        "firsts": [first for first, _ in days],
        "ends": [end for _, end in days],
    }


def readings(conn: Connection, channel_id: int, first_day: int | None, end_day: int) -> list[bytes]:
    """Stored readings of a channel on local days [first_day, end_day), as `accounting.channel.READING_DTYPE`."""
    rows = conn.execute(
        """SELECT readings FROM channel_days
           WHERE channel_id = %(channel)s AND (%(first)s::integer IS NULL OR day >= %(first)s) AND day < %(end)s
           ORDER BY day, chunk""",
        {"channel": channel_id, "first": first_day, "end": end_day},
    )
    return [row[0] for row in rows]


def reading_counts(conn: Connection, channel_id: int, first_day: int, end_day: int) -> list[tuple[int, int]]:
    """(day, stored readings) of a channel on those of the local days [first_day, end_day) that have any, in order."""
    rows = conn.execute(
        """SELECT day, sum(size)::bigint FROM channel_days
           WHERE channel_id = %s AND day >= %s AND day < %s GROUP BY day ORDER BY day""",
        [channel_id, first_day, end_day],
    )
    return [(day, size) for day, size in rows]


def anchor(conn: Connection, channel_id: int, day: int) -> int | None:
    """The last reading [µs] at or before a day's start from which credibility can be judged; None if unknown."""
    row = conn.execute(
        """SELECT anchor_us FROM consumption_days
           WHERE channel_id = %s AND day <= %s AND anchor_us > %s ORDER BY day DESC LIMIT 1""",
        [channel_id, day, NO_ANCHOR],
    ).fetchone()
    return None if row is None else int(row[0])


def gateway_names(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """ "USCC/ID" of gateways."""
    rows = conn.execute("SELECT id, uscc || '/' || gateway FROM gateways WHERE id = ANY(%s)", [list(ids)])
    return dict(rows.fetchall())


def newest_commit(conn: Connection) -> int:
    """The number of the newest batch in the log; 0 before the first."""
    row = conn.execute("SELECT coalesce(max(commit_no), 0) FROM batches").fetchone()
    assert row is not None
    return int(row[0])


def accounted_commit(conn: Connection) -> int:
    """Up to which batch accounting has read the log in every shard; 0 before its first run."""
    row = conn.execute("SELECT min(commit_no) FROM cursors").fetchone()
    assert row is not None
    return int(row[0])


def accounted_commits(conn: Connection) -> dict[int, int]:
    """Up to which batch accounting has read the log, by channel."""
    rows = conn.execute(
        "SELECT p.id, c.commit_no FROM points p JOIN cursors c ON c.shard = p.enterprise_id %% %s", [SHARDS]
    )
    return dict(rows.fetchall())
