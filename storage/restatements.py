"""Which entries took the place of which: the ledger and its history, read interval by interval."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import numpy.typing as npt

from storage.binary_copy import copy_out
from storage.database import Connection

_LATEST = (1 << 63) - 1
_VERSION_COLUMNS = [
    ("source_id", "int4", 0),
    ("series", "int2", 0),
    ("day", "int4", 0),
    ("index", "int2", 0),
    ("run_id", "int8", 0),
    ("cause_id", "int8", 0),
    ("factor_id", "int8", 0),
    ("exponent", "int2", 0),
    ("consumption", "int8", 0),
    ("mg", "int8", 0),
    ("state", "int2", 0),
    ("counts", "int2", 0),
]


def entry_versions(
    conn: Connection,
    enterprise_id: int,
    boundary: str,
    first_day: int,
    end_day: int,
    after_run: int = 0,
    until_run: int | None = None,
) -> npt.NDArray[Any]:
    """Records of the entries of an enterprise that runs after one, until another, wrote or superseded.

    One record a version of an entry on the local days [first_day, end_day): source_id, series, day, index, the run
    that wrote it, cause_id, factor_id, exponent, consumption, mg, state, and whether it counts in the boundary.
    Entries that none of these runs has touched are left out.
    """
    common = """t.factor_id, t.exponent, each.consumption, each.mg, each.state,
                (%(boundary)s = ANY (t.boundaries))::int::int2"""
    return copy_out(
        conn.cursor(),
        f"""SELECT t.source_id, t.series, t.day, (each.place - 1)::int2, each.run_id, each.cause_id,
                   {common}
            FROM ledger_days t,
                 unnest(t.consumption, t.mg, t.states, t.run_ids, t.cause_ids) WITH ORDINALITY
                     AS each (consumption, mg, state, run_id, cause_id, place)
            WHERE t.enterprise_id = %(enterprise)s AND t.day >= %(first)s AND t.day < %(end)s
              AND %(run)s < ANY (t.run_ids) AND each.run_id > %(run)s
              AND each.run_id <= %(until)s
            UNION ALL
            SELECT t.source_id, t.series, t.day, each.index, each.run_id, each.cause_id,
                   {common}
            FROM ledger_history t,
                 unnest(t.indexes, t.consumption, t.mg, t.states, t.run_ids, t.cause_ids)
                     AS each (index, consumption, mg, state, run_id, cause_id)
            WHERE t.enterprise_id = %(enterprise)s AND t.day >= %(first)s AND t.day < %(end)s
              AND t.superseded_by > %(run)s
              AND each.run_id <= %(until)s""",
        _VERSION_COLUMNS,
        {
            "enterprise": enterprise_id,
            "boundary": boundary,
            "first": first_day,
            "end": end_day,
            "run": after_run,
            "until": _LATEST if until_run is None else until_run,
        },
    )


class CauseOfRun(NamedTuple):
    """Why and when entries were written: the cause, and the run of it."""

    cause_id: int
    run_id: int
    kind: str
    batch_id: int | None
    by_whom: str
    why: str
    committed_at: datetime
    rules_version: str
    factor_set: str
    registry_version: int


def causes_of_runs(conn: Connection, cause_ids: Iterable[int]) -> dict[int, CauseOfRun]:
    rows = conn.execute(
        """SELECT c.id, r.id, c.kind, c.batch_id, c.by_whom, c.why, r.committed_at, r.rules_version, r.factor_set,
                  r.registry_version
           FROM causes c JOIN runs r ON r.id = c.run_id WHERE c.id = ANY(%s)""",
        [list(cause_ids)],
    )
    return {row[0]: CauseOfRun(*row) for row in rows}


def superseding_runs(
    conn: Connection, enterprise_id: int, first_day: int, end_day: int, after_run: int, limit: int
) -> list[int]:
    """The next runs after one that superseded entries of an enterprise on local days [first_day, end_day)."""
    rows = conn.execute(
        """SELECT DISTINCT superseded_by FROM ledger_history
           WHERE enterprise_id = %s AND day >= %s AND day < %s AND superseded_by > %s
           ORDER BY superseded_by LIMIT %s""",
        [enterprise_id, first_day, end_day, after_run, limit],
    )
    return [row[0] for row in rows]
