"""Reading the ledger: sums of months and days, single entries, the state at an earlier moment, one entry's story.

What is read is grouped by a *key*: the source's id, the scope, the place of the gas in a list, or 0 for the total.
Sums leave the database exact; rows of 96 intervals come as numpy records.

As of a run (`run`): an entry as it stood when that run was the last one of its shard: the current one if its run isn't
later, else the one in the history that was superseded later and written no later. A moment means a run of each shard
(`runs_at`): runs of different shards are numbered in no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import numpy.typing as npt

from domain.interval import INTERVALS_PER_DAY, from_us
from domain.ledger import EVERY_SHARD, SERIES_PER_GAS, shard_of
from storage.array_rows import array_rows
from storage.database import Connection


class By(StrEnum):
    """What sums are kept apart by."""

    SOURCE = "source"
    SCOPE = "scope"
    GAS = "gas"
    TOTAL = "total"


Runs = tuple[int, ...]  # of each shard, the last one at a moment; 0: before the first


class Want(NamedTuple):
    """Days [first, end) of an enterprise; for sums of months, the first days of months in that range."""

    enterprise_id: int
    first: int
    end: int


class Filter(NamedTuple):
    """Which entries, and what keeps them apart. `gases` gives the places that By.GAS counts by, from 1."""

    boundary: str
    by: By
    gases: tuple[str, ...] = ()


class Sums(NamedTuple):
    """Whose days (or months) are added up, and into what.

    starts  ascending; what lies from one of them on and before the next is added up in one row
    """

    wants: Sequence[Want] = ()
    starts: Sequence[int] = ()


class SumRow(NamedTuple):
    """Known entries of days or months added up [mg CO2e], how many they are, by quality, their flags and factors.

    uncredited  of the known ones, those that count in no coverage: substituted ones, and those of a second gas,
                whose intervals are counted with the first; where gases are kept apart each counts for itself
    """

    number: int  # place in `Sums.starts`
    key: int
    mg: int
    known: int
    measured: int
    interpolated: int
    estimated: int
    uncredited: int
    flags: int
    factor_ids: list[int]


class PastEntries(NamedTuple):
    """Entries of a source's day that stood as of a run and don't now; arrays are parallel.

    repeats  they are of a second gas: their intervals are counted with the first
    """

    key: int
    day: int
    factor_id: int
    indexes: list[int]
    mg: list[int]
    states: list[int]
    repeats: bool


def _key(by: By) -> str:
    return {
        By.SOURCE: "t.source_id",
        By.SCOPE: "t.scope::integer",
        By.GAS: "coalesce(array_position(%(gases)s::text[], t.gas), 0)",
        By.TOTAL: "0",
    }[by]


def _repeats(by: By) -> str:
    """Whether a row's intervals are counted already, with the first gas of its source."""
    return "false" if by is By.GAS else f"t.series >= {SERIES_PER_GAS}"


def _wants(prefix: str, wants: Sequence[Want], runs: Runs | None = None) -> dict[str, Any]:
    return {
        f"{prefix}_runs": [0 if runs is None else runs[shard_of(want.enterprise_id)] for want in wants],
        f"{prefix}_enterprises": [want.enterprise_id for want in wants],
        f"{prefix}_firsts": [want.first for want in wants],
        f"{prefix}_ends": [want.end for want in wants],
    }


def _parameters(wants: Sequence[Want], wanted: Filter, runs: Runs | None = None) -> dict[str, Any]:
    return {
        **_wants("d", wants, runs),
        "boundary": wanted.boundary,
        "gases": list(wanted.gases),
    }


_WANTS = """unnest(%({0}_enterprises)s::integer[], %({0}_firsts)s::integer[], %({0}_ends)s::integer[],
                   %({0}_runs)s::bigint[]) AS w (enterprise_id, first, until, run)"""
_DAYS = _WANTS.format("d")
_SUMS = """sum(t.mg_sum), sum(t.known)::bigint, sum(t.measured)::bigint, sum(t.interpolated)::bigint,
           sum(t.estimated)::bigint, sum(CASE WHEN {} THEN t.known ELSE t.substituted END)::bigint, bit_or(t.flags)"""


def runs_at(conn: Connection, as_of_us: int) -> Runs | None:
    """The last run of each shard at a moment; None where none came after it, so that now is meant."""
    at = from_us(as_of_us)
    row = conn.execute("SELECT EXISTS (SELECT FROM runs WHERE committed_at > %s)", [at]).fetchone()
    return last_runs(conn, at) if row == (True,) else None


def last_runs(conn: Connection, at: datetime | None) -> Runs:
    """The last run of each shard at a moment (None: now)."""
    # One look into the index for each set of shards that was ever run together: these are few, the runs many.
    rows = conn.execute(
        """WITH RECURSIVE sets AS (
               SELECT min(shards) AS shards FROM runs
               UNION ALL
               SELECT (SELECT min(r.shards) FROM runs r WHERE r.shards > sets.shards) FROM sets
               WHERE sets.shards IS NOT NULL)
           SELECT sets.shards, last.id
           FROM sets CROSS JOIN LATERAL (
               SELECT r.id FROM runs r
               WHERE r.shards = sets.shards AND r.committed_at <= coalesce(%s, timestamptz 'infinity')
               ORDER BY r.committed_at DESC, r.id DESC LIMIT 1) AS last""",
        [at],
    ).fetchall()
    return tuple(max((id_ for bits, id_ in rows if bits >> shard & 1), default=0) for shard in EVERY_SHARD)


def stored_sums(
    conn: Connection,
    months: Sums,
    days: Sums,
    wanted: Filter,
    runs: Runs | None = None,
) -> tuple[list[SumRow], list[SumRow]]:
    """Sums of whole local months, and of whole local days, in one statement.

    As of runs (then without months): of those source-days of which nothing was written later.
    """
    assert runs is None or not months.wants
    parts = []
    sums = _SUMS.format(_repeats(wanted.by))
    if months.wants:
        parts.append(
            f"""SELECT true, width_bucket(t.month, %(m_starts)s::integer[]) - 1 AS number, {_key(wanted.by)} AS key,
                       {sums}, t.factor_ids
                FROM {_WANTS.format("m")} JOIN ledger_months t
                  ON t.enterprise_id = w.enterprise_id AND t.month >= w.first AND t.month < w.until
                WHERE %(boundary)s = ANY (t.boundaries)
                GROUP BY number, key, t.factor_ids"""
        )
    if days.wants:
        parts.append(
            f"""SELECT false, width_bucket(t.day, %(d_starts)s::integer[]) - 1 AS number, {_key(wanted.by)} AS key,
                       {sums}, ARRAY[t.factor_id]
                FROM {_WANTS.format("d")} JOIN ledger_days t
                  ON t.enterprise_id = w.enterprise_id AND t.day >= w.first AND t.day < w.until
                WHERE %(boundary)s = ANY (t.boundaries) {"" if runs is None else "AND w.run >= ALL (t.run_ids)"}
                GROUP BY number, key, t.factor_id"""
        )
    of_months: list[SumRow] = []
    of_days: list[SumRow] = []
    if parts:
        parameters = {
            **_parameters(days.wants, wanted, runs),
            **_wants("m", months.wants),
            "m_starts": list(months.starts),
            "d_starts": list(days.starts),
        }
        for is_month, number, key, mg, *rest in conn.execute(" UNION ALL ".join(parts), parameters):
            (of_months if is_month else of_days).append(SumRow._make((number, key, int(mg), *rest)))
    return of_months, of_days


def entries(
    conn: Connection,
    wants: Sequence[Want],
    wanted: Filter,
    runs: Runs | None = None,
    *,
    later_only: bool = False,
) -> npt.NDArray[Any]:
    """Single entries: records (key, day, factor_id, repeats, mg (96,), states (96,)), one a source-day and gas.

    `repeats` is 1 where they are of a second gas, whose intervals are counted with the first.

    As of runs, what was written later is missing from them (`past_entries` has what stood then).
    `later_only`: only source-days of which something was written later, which `day_sums` leaves out.
    """
    rows = array_rows(
        conn,
        {
            "key": _key(wanted.by),
            "day": "t.day",
            "factor_id": "t.factor_id",
            "repeats": f"({_repeats(wanted.by)})::integer",
            **({} if runs is None else {"run": "w.run"}),
        },
        {"mg": "int8", "states": "int2", **({} if runs is None else {"run_ids": "int8"})},
        f"""FROM {_DAYS} JOIN ledger_days t
              ON t.enterprise_id = w.enterprise_id AND t.day >= w.first AND t.day < w.until
            WHERE %(boundary)s = ANY (t.boundaries)
              {"AND NOT (w.run >= ALL (t.run_ids))" if later_only else ""}""",
        _parameters(wants, wanted, runs),
    )
    if runs is not None:
        later = rows["run_ids"] > rows["run"][:, None]
        rows["states"][later] = 0
        rows["mg"][later] = 0
    return rows


def past_entries(conn: Connection, wants: Sequence[Want], wanted: Filter, runs: Runs) -> list[PastEntries]:
    """Entries that stood as of runs and were superseded after them."""
    if not wants:
        return []
    rows = conn.execute(
        f"""SELECT {_key(wanted.by)}, t.day, t.factor_id, t.indexes, t.mg, t.states, t.run_ids, {_repeats(wanted.by)},
                   w.run
            FROM {_DAYS} JOIN ledger_history t
              ON t.enterprise_id = w.enterprise_id AND t.day >= w.first AND t.day < w.until
            WHERE %(boundary)s = ANY (t.boundaries) AND t.superseded_by > w.run AND w.run >= ANY (t.run_ids)""",
        _parameters(wants, wanted, runs),
    )
    result = []
    for key, day, factor_id, indexes, mg, states, run_ids, repeats, run in rows:
        kept = [i for i, written_by in enumerate(run_ids) if written_by <= run]
        result.append(
            PastEntries(
                key,
                day,
                factor_id,
                [indexes[i] for i in kept],
                [mg[i] for i in kept],
                [states[i] for i in kept],
                repeats,
            )
        )
    return result


def factor_sets(conn: Connection, factor_ids: Iterable[int]) -> dict[int, str]:
    """The hash of the factor set that each used factor came from."""
    return dict(
        conn.execute(
            "SELECT id, factor_set FROM used_factors WHERE id = ANY(%s)", [list(factor_ids)]
        ).fetchall()
    )


class UsedFactor(NamedTuple):
    """A factor as the ledger used it: mg CO2e per unit of consumption, exact, and how it was chosen."""

    id: int
    factor_set: str
    numerator: int
    denominator: int
    description: dict[str, Any]


def used_factors(conn: Connection, factor_ids: Iterable[int]) -> dict[int, UsedFactor]:
    rows = conn.execute(
        "SELECT id, factor_set, numerator, denominator, description FROM used_factors WHERE id = ANY(%s)",
        [list(factor_ids)],
    )
    return {
        id_: UsedFactor(id_, set_, int(top), int(bottom), description)
        for id_, set_, top, bottom, description in rows
    }


class EntryDay(NamedTuple):
    """Entries of a source's day in one gas with all that tells where they come from; arrays are parallel, by `indexes`.

    gas_place      of the gas among those of the method, from 0
    superseded_by  None: these stand now
    """

    day: int
    gas_place: int
    gas: str
    scope: int
    boundaries: list[str]
    unit: str
    exponent: int
    factor_id: int
    superseded_by: int | None
    indexes: list[int]
    consumption: list[int]
    mg: list[int]
    states: list[int]
    run_ids: list[int]
    cause_ids: list[int]


def entry_days(
    conn: Connection, source_id: int, boundary: str, first_day: int, end_day: int
) -> list[EntryDay]:
    """Every version of a source's entries in a boundary on days [first_day, end_day), the past ones too.

    Entries under no factor are in no boundary: they are given with the account's.
    """
    within = """source_id = %(source)s AND day >= %(first)s AND day < %(end)s
                AND (%(boundary)s = ANY (boundaries)
                     OR (%(boundary)s = 'account' AND series = 0 AND boundaries = '{}'))"""
    rows = conn.execute(
        f"""SELECT day, series / {SERIES_PER_GAS}, gas, scope, boundaries, unit, exponent, factor_id, NULL::bigint,
                   NULL::smallint[],
                   consumption, mg, states, run_ids, cause_ids
            FROM ledger_days WHERE {within}
            UNION ALL
            SELECT day, series / {SERIES_PER_GAS}, gas, scope, boundaries, unit, exponent, factor_id, superseded_by,
                   indexes, consumption, mg, states, run_ids, cause_ids
            FROM ledger_history WHERE {within}""",
        {"source": source_id, "boundary": boundary, "first": first_day, "end": end_day},
    )
    return [
        EntryDay._make((*row[:9], list(range(INTERVALS_PER_DAY)) if row[9] is None else row[9], *row[10:]))
        for row in rows
    ]


class Run(NamedTuple):
    id: int
    committed_at: datetime
    rules_version: str
    factor_set: str
    registry_version: int


def runs(conn: Connection, ids: Iterable[int]) -> dict[int, Run]:
    rows = conn.execute(
        "SELECT id, committed_at, rules_version, factor_set, registry_version FROM runs WHERE id = ANY(%s)",
        [list(ids)],
    )
    return {row[0]: Run(*row) for row in rows}


class CauseRow(NamedTuple):
    id: int
    kind: str
    batch_id: int | None
    by_whom: str
    why: str


def causes(conn: Connection, ids: Iterable[int]) -> dict[int, CauseRow]:
    rows = conn.execute("SELECT id, kind, batch_id, by_whom, why FROM causes WHERE id = ANY(%s)", [list(ids)])
    return {row[0]: CauseRow(*row) for row in rows}


def latest_rules_and_factor_set(conn: Connection) -> tuple[str, str] | None:
    """(rules version, factor set) that the ledger stands on now, its slowest shard; None before the first run."""
    row = conn.execute(
        """SELECT rules_version, factor_set FROM cursors WHERE rules_version <> ''
           ORDER BY commit_no, registry_version, shard LIMIT 1"""
    ).fetchone()
    return (row[0], row[1]) if row else None
