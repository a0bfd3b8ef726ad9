"""What accounting reads and writes: batches of the log, channel-days, consumption, ledger, their history.

One `Books` lives for one transaction of accounting. Rows of 96 intervals travel as numpy record arrays
(`CONSUMPTION_ROW`, `LEDGER_ROW`) over binary COPY; a changed day is deleted and copied in whole, which is
cheaper than updating arrays one by one, and what it superseded has been copied to the history before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from domain.errors import Refused
from domain.interval import INTERVALS_PER_DAY, from_us, to_us
from domain.ledger import (
    CONSUMPTION_ROW,
    EVERY_SHARD,
    LEDGER_ROW,
    LOGGED_READING,
    NO_ANCHOR,
    SHARDS,
    Chunk,
    Trait,
    shard_bits,
)
from storage import findings
from storage.binary_copy import Column, copy_in, copy_out, packed_out, text_array
from storage.changes import announce_restated
from storage.database import ENGINE_LOCK, RUN_ORDER_LOCK, beside

_ALL = (1 << 63) - 1
_OF_SHARDS = f"""AND channel_id IN (SELECT p.id FROM points p WHERE p.enterprise_id %% {SHARDS} = ANY(%s))"""
_POSTGRES_TYPES = {"<i2": "int2", "<i4": "int4", "<i8": "int8"}


class Cursor(NamedTuple):
    """How far a shard has read the log, and the state its ledger stands on; rules '' before its first run."""

    commit_no: int
    registry_version: int
    factor_set: str
    rules_version: str


class Batch(NamedTuple):
    commit_no: int
    id: int
    committed_us: int
    cause: str
    by_whom: str | None
    rows: int
    min_measured_us: int | None
    max_measured_us: int | None


def _columns(dtype: np.dtype[Any]) -> list[tuple[str, str, int]]:
    assert dtype.fields is not None
    assert dtype.names is not None
    result = []
    for name in dtype.names:
        base, shape = dtype.fields[name][0].base, dtype.fields[name][0].shape
        type_ = _POSTGRES_TYPES[base.str]
        result.append((name, f"{type_}[]" if shape else type_, shape[0] if shape else 0))
    return result


_CONSUMPTION_COLUMNS = _columns(CONSUMPTION_ROW)
_LEDGER_COLUMNS = _columns(LEDGER_ROW)


def take_shard(conn: psycopg.Connection[Any], shard: int) -> bool:
    """Whether this connection is now the one that keeps the books of a shard, for as long as it lives."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", [ENGINE_LOCK, shard]).fetchone()
    return row == (True,)


def read_one_moment(conn: psycopg.Connection[Any], *, read_only: bool = False) -> None:
    """Let the transaction that begins read everything as of one moment."""
    conn.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ{' READ ONLY' if read_only else ''}")


def share_moment(conn: psycopg.Connection[Any]) -> str:
    """A name under which others can read as of this transaction's moment, as long as it lasts."""
    row = conn.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    return str(row[0])


def enter_moment(conn: psycopg.Connection[Any], name: str) -> None:
    """Let the transaction that begins read as of another's moment; Refused where that isn't of this database."""
    read_one_moment(conn, read_only=True)
    try:
        conn.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(name)))
    except (psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue) as error:
        raise Refused(
            f"this database doesn't know the moment {name!r}: either it is another one than the restatement's, or"
            " that has ended"
        ) from error


def let_runs_end(conn: psycopg.Connection[Any]) -> None:
    """Wait until no run has its moment and isn't committed yet. In a transaction of its own, before one that reads."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [RUN_ORDER_LOCK])


def hold_back_others(conn: psycopg.Connection[Any]) -> None:
    """Let whoever else keeps books wait until this transaction ends. Before its first snapshot is taken."""
    conn.execute("LOCK TABLE cursors IN EXCLUSIVE MODE")


class Books:
    """The books of the accounts within one transaction of `connection`, which the caller commits."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)
        self._restated: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []  # sources and days
        self._written: list[npt.NDArray[np.int64]] = []  # keys of enterprises and days, `findings.day_keys`
        self._causes: dict[tuple[str, int | None, str, str], int] = {}  # ids of this transaction's

    # -- where we are ---------------------------------------------------------------------------------

    def cursors(self, shards: Collection[int] = EVERY_SHARD, *, lock: bool = True) -> dict[int, Cursor]:
        """The cursor of each of these shards, locked until the transaction ends unless they are only looked at."""
        rows = self._cursor.execute(
            f"""SELECT shard, commit_no, registry_version, factor_set, rules_version FROM cursors
                WHERE shard = ANY(%s) ORDER BY shard {"FOR UPDATE" if lock else ""}""",
            [list(shards)],
        ).fetchall()
        assert len(rows) == len(shards), "a shard has no cursor"
        return {shard: Cursor(*rest) for shard, *rest in rows}

    def move_cursors(self, shards: Collection[int], cursor: Cursor) -> None:
        """Let all of these shards stand there."""
        self._cursor.execute(
            """UPDATE cursors SET commit_no = %s, registry_version = %s, factor_set = %s, rules_version = %s
               WHERE shard = ANY(%s)""",
            [*cursor, list(shards)],
        )

    def batches_after(self, commit_no: int, rows_max: int, up_to: int | None = None) -> list[Batch]:
        """The next batches in the order of their commits: at least one, then up to `rows_max` log rows.

        up_to  the last commit that is of interest
        """
        rows = self._cursor.execute(
            """SELECT commit_no, id, committed_at, cause, by_whom, rows, min_measured_us, max_measured_us
               FROM batches WHERE commit_no > %s AND commit_no <= %s ORDER BY commit_no LIMIT 1000""",
            [commit_no, _ALL if up_to is None else up_to],
        ).fetchall()
        batches: list[Batch] = []
        total = 0
        for number, id_, committed_at, cause, by_whom, size, first, last in rows:
            if batches and total + size > rows_max:
                break
            total += size
            batches.append(Batch(number, id_, to_us(committed_at), cause, by_whom, size, first, last))
        return batches

    # -- the log --------------------------------------------------------------------------------------

    def readings_of(
        self, batches: Sequence[Batch], shards: Collection[int] = EVERY_SHARD
    ) -> npt.NDArray[Any]:
        """The log rows of these batches that are of these shards, LOGGED_READING (n,)."""
        batches = [batch for batch in batches if batch.rows]
        if not batches:
            return np.empty(0, LOGGED_READING)
        first = min(batch.min_measured_us for batch in batches if batch.min_measured_us is not None)
        last = max(batch.max_measured_us for batch in batches if batch.max_measured_us is not None)
        ids = [batch.id for batch in batches]
        whole = len(shards) == SHARDS
        # The bounds on batch_id let the BRIN index, those on measured_at the partitions be pruned.
        rows = packed_out(
            self._cursor,
            [
                ("at", "timestamptz", "measured_at"),
                ("channel", "int4", "channel_id"),
                ("gateway", "int4", "gateway_id"),
                ("batch", "int8", "batch_id"),
                ("mantissa", "int8", "mantissa"),
                ("exponent", "int2", "exponent"),
                ("revision", "int2", "revision"),
                ("quality", "int2", "quality"),
                ("flags", "int2", "flags"),
            ],
            f"""FROM readings WHERE batch_id BETWEEN %s AND %s AND batch_id = ANY(%s)
                  AND measured_at BETWEEN %s AND %s
                  {"" if whole else _OF_SHARDS}""",
            [min(ids), max(ids), ids, from_us(first), from_us(last), *([] if whole else [list(shards)])],
        )
        if whole:
            assert len(rows) == sum(batch.rows for batch in batches), (
                "the log lacks rows of a committed batch"
            )
        return rows.astype(LOGGED_READING, copy=False)

    # -- channel-days ---------------------------------------------------------------------------------

    def chunks(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> list[Chunk]:
        """The chunks of each channel from its first to its last day, both included."""
        rows = self._cursor.execute(
            """SELECT c.channel_id, c.day, c.chunk, c.size, c.readings
               FROM unnest(%s::integer[], %s::integer[], %s::integer[]) AS want (channel_id, from_day, to_day)
               JOIN channel_days c ON c.channel_id = want.channel_id AND c.day BETWEEN want.from_day AND want.to_day
               ORDER BY c.channel_id, c.day, c.chunk""",
            [list(channel_ids), list(from_days), list(to_days)],
        ).fetchall()
        return [Chunk(*row) for row in rows]

    def append_readings(self, chunks: Sequence[Chunk], enterprise_ids: Sequence[int]) -> None:
        """Append packed readings to the named chunks, which may exist."""
        if not chunks:
            return
        self._cursor.execute(
            """INSERT INTO channel_days (channel_id, day, chunk, size, readings, enterprise_id)
               SELECT * FROM unnest(%s::integer[], %s::integer[], %s::smallint[], %s::integer[], %b::bytea[],
                                    %s::integer[])
               ON CONFLICT (channel_id, day, chunk) DO UPDATE
               SET size = channel_days.size + excluded.size, readings = channel_days.readings || excluded.readings""",
            [
                [chunk.channel_id for chunk in chunks],
                [chunk.day for chunk in chunks],
                [chunk.chunk for chunk in chunks],
                [chunk.size for chunk in chunks],
                [chunk.readings for chunk in chunks],
                list(enterprise_ids),
            ],
        )

    def day_bounds(self, channel_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """First and last day of each channel that has readings or consumption."""
        rows = self._cursor.execute(
            """SELECT want.id,
                      least((SELECT min(day) FROM channel_days WHERE channel_id = want.id),
                            (SELECT min(day) FROM consumption_days WHERE channel_id = want.id)),
                      greatest((SELECT max(day) FROM channel_days WHERE channel_id = want.id),
                               (SELECT max(day) FROM consumption_days WHERE channel_id = want.id))
               FROM unnest(%s::integer[]) AS want (id)""",
            [list(channel_ids)],
        ).fetchall()
        return {id_: (first, last) for id_, first, last in rows if first is not None}

    def anchors(self, channel_ids: Sequence[int], days: Sequence[int]) -> list[int]:
        """For each channel the anchor of a day, or of the latest day before it that has one; else NO_ANCHOR."""
        rows = self._cursor.execute(
            """SELECT coalesce((SELECT anchor_us FROM consumption_days
                                WHERE channel_id = want.id AND day <= want.day AND anchor_us > %s
                                ORDER BY day DESC LIMIT 1), %s)
               FROM unnest(%s::integer[], %s::integer[]) WITH ORDINALITY AS want (id, day, place)
               ORDER BY place""",
            [NO_ANCHOR, NO_ANCHOR, list(channel_ids), list(days)],
        ).fetchall()
        return [row[0] for row in rows]

    def source_bounds(self, source_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """First and last day of each source that has entries."""
        rows = self._cursor.execute(
            """SELECT want.id, (SELECT min(day) FROM ledger_days WHERE source_id = want.id),
                               (SELECT max(day) FROM ledger_days WHERE source_id = want.id)
               FROM unnest(%s::integer[]) AS want (id)""",
            [list(source_ids)],
        ).fetchall()
        return {id_: (first, last) for id_, first, last in rows if first is not None}

    def add_tallies(self, differences: dict[tuple[int, int], tuple[int, int]]) -> None:
        """Add to the duplicates and conflicts of (gateway, channel)."""
        if not differences:
            return
        self._cursor.execute(
            """INSERT INTO gateway_tallies (gateway_id, channel_id, duplicates, conflicts)
               SELECT * FROM unnest(%s::integer[], %s::integer[], %s::bigint[], %s::bigint[])
               ON CONFLICT (gateway_id, channel_id) DO UPDATE
               SET duplicates = gateway_tallies.duplicates + excluded.duplicates,
                   conflicts = gateway_tallies.conflicts + excluded.conflicts""",
            [
                [gateway for gateway, _ in differences],
                [channel for _, channel in differences],
                [duplicates for duplicates, _ in differences.values()],
                [conflicts for _, conflicts in differences.values()],
            ],
        )

    def replace_tallies(self, channel_id: int, tallies: dict[int, tuple[int, int]]) -> None:
        """Duplicates and conflicts of a channel by gateway, counted anew."""
        self._cursor.execute("DELETE FROM gateway_tallies WHERE channel_id = %s", [channel_id])
        self.add_tallies({(gateway, channel_id): pair for gateway, pair in tallies.items()})

    # -- consumption ----------------------------------------------------------------------------------

    def consumption(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> npt.NDArray[Any]:
        """Rows of each channel from its first to its last day, both included, CONSUMPTION_ROW (n,)."""
        return self._rows(
            "consumption_days", "channel_id", _CONSUMPTION_COLUMNS, channel_ids, from_days, to_days
        )

    def replace_consumption(self, rows: npt.NDArray[Any], enterprise_ids: npt.NDArray[Any]) -> None:
        if not len(rows):
            return
        self._delete("consumption_days", "channel_id", rows)
        self._written.append(np.unique(findings.day_keys(enterprise_ids, rows["day"])))
        columns = [Column(name, type_, rows[name]) for name, type_, _ in _CONSUMPTION_COLUMNS]
        copy_in(
            self._cursor, "consumption_days", [[*columns, Column("enterprise_id", "int4", enterprise_ids)]]
        )

    def keep_consumption(
        self,
        run_id: int,
        channel_ids: npt.NDArray[Any],
        days: npt.NDArray[Any],
        superseded: npt.NDArray[np.bool_],
    ) -> None:
        """Copy intervals that are about to be superseded, as they stand, to the history.

        superseded  (n, 96) which intervals of each channel's day
        """
        self._keep(
            run_id,
            "consumption_days",
            "consumption_history",
            ("channel_id", "day", "enterprise_id", "exponent"),
            ("amounts", "states", "run_ids"),
            [("channel_id", "integer", channel_ids), ("day", "integer", days)],
            superseded,
        )

    # -- ledger ---------------------------------------------------------------------------------------

    def ledger(
        self, source_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> npt.NDArray[Any]:
        """Rows of each source from its first to its last day, both included, LEDGER_ROW (n,)."""
        return self._rows("ledger_days", "source_id", _LEDGER_COLUMNS, source_ids, from_days, to_days)

    def factor_days(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """(source, day, factor) of the rows that stand on one, of each source on its days [first, end)."""
        if not source_ids:
            return []
        rows = copy_out(
            self._cursor,
            """SELECT t.source_id, t.day, t.factor_id
               FROM unnest(%s::integer[], %s::integer[], %s::integer[]) AS want (id, first, until)
               JOIN ledger_days t ON t.source_id = want.id AND t.day >= want.first AND t.day < want.until
               WHERE t.factor_id <> 0""",
            [("source_id", "int4", 0), ("day", "int4", 0), ("factor_id", "int8", 0)],
            [list(source_ids), list(first_days), list(end_days)],
        )
        return list(
            zip(rows["source_id"].tolist(), rows["day"].tolist(), rows["factor_id"].tolist(), strict=True)
        )

    def replace_ledger(self, groups: Sequence[tuple[Trait, npt.NDArray[Any], npt.NDArray[Any]]]) -> None:
        """Put rows (LEDGER_ROW, with the ids of their enterprises) in the place of those of their source-days."""
        rows = np.concatenate([rows for _, rows, _ in groups])
        owners = np.concatenate([enterprise_ids for _, _, enterprise_ids in groups])
        self._written.append(np.unique(findings.day_keys(owners, rows["day"])))
        self._cursor.execute(
            """DELETE FROM ledger_days t
               USING unnest(%s::integer[], %s::integer[], %s::smallint[]) AS old (id, day, series)
               WHERE t.source_id = old.id AND t.day = old.day AND t.series = old.series""",
            [rows["source_id"].tolist(), rows["day"].tolist(), rows["series"].tolist()],
        )
        copy_in(
            self._cursor,
            "ledger_days",
            [
                [
                    *(Column(name, type_, rows[name]) for name, type_, _ in _LEDGER_COLUMNS),
                    Column("enterprise_id", "int4", enterprise_ids),
                    Column("scope", "int2", np.full(len(rows), trait.scope)),
                    Column("gas", "text", trait.gas.encode()),
                    Column("boundaries", "text[]", text_array(trait.boundaries)),
                    Column("unit", "text", trait.unit.encode()),
                ]
                for trait, rows, enterprise_ids in groups
            ],
        )

    def keep_ledger(
        self,
        run_id: int,
        source_ids: npt.NDArray[Any],
        days: npt.NDArray[Any],
        series: npt.NDArray[Any],
        superseded: npt.NDArray[np.bool_],
    ) -> None:
        """Copy entries that are about to be superseded, as they stand, to the history.

        superseded  (n, 96) which entries of each source's day
        """
        touched = superseded.any(1)
        self._restated.append((source_ids[touched], days[touched]))
        self._keep(
            run_id,
            "ledger_days",
            "ledger_history",
            (
                "source_id",
                "day",
                "series",
                "gas",
                "enterprise_id",
                "scope",
                "boundaries",
                "unit",
                "exponent",
                "factor_id",
            ),
            ("consumption", "mg", "states", "run_ids", "cause_ids"),
            [("source_id", "integer", source_ids), ("day", "integer", days), ("series", "smallint", series)],
            superseded,
        )

    def sum_months(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> None:
        """Sum the days of these months of these sources up again."""
        if not source_ids:
            return
        self._cursor.execute(
            """DELETE FROM ledger_months m USING unnest(%s::integer[], %s::integer[]) AS old (source_id, month)
               WHERE m.source_id = old.source_id AND m.month = old.month""",
            [list(source_ids), list(first_days)],
        )
        self._cursor.execute(
            """INSERT INTO ledger_months (source_id, month, series, gas, enterprise_id, scope, boundaries, mg_sum,
                                          known, measured, interpolated, estimated, substituted, flags, factor_ids)
               SELECT w.source_id, w.month, d.series, d.gas, min(d.enterprise_id), d.scope, d.boundaries,
                      sum(d.mg_sum)::bigint, sum(d.known), sum(d.measured), sum(d.interpolated), sum(d.estimated),
                      sum(d.substituted), bit_or(d.flags),
                      coalesce(array_agg(DISTINCT d.factor_id) FILTER (WHERE d.known > 0), '{}')
               FROM unnest(%s::integer[], %s::integer[], %s::integer[]) AS w (source_id, month, until)
               JOIN ledger_days d ON d.source_id = w.source_id AND d.day >= w.month AND d.day < w.until
               GROUP BY w.source_id, w.month, d.series, d.gas, d.scope, d.boundaries""",
            [list(source_ids), list(first_days), list(end_days)],
        )

    def used_factor(
        self, digest: str, factor_set: str, numerator: int, denominator: int, description: Any
    ) -> int:
        """The lasting id of a factor as the ledger uses it."""
        known = self.known_factor(digest)
        if known is None:
            # Not in this transaction: another worker may need the same new one at the same time, and would have to wait
            # for the end of this run, only to find that it reads an earlier moment. Unused, it does no harm.
            with beside(self._connection) as conn:
                row = conn.execute(
                    """INSERT INTO used_factors (digest, factor_set, numerator, denominator, description)
                       VALUES (%s, %s, %s::numeric, %s::numeric, %s)
                       ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest RETURNING id""",
                    [digest, factor_set, str(numerator), str(denominator), Jsonb(description)],
                ).fetchone()
            assert row is not None
            known = int(row[0])
        return known

    def known_factor(self, digest: str) -> int | None:
        """The id of a factor that the ledger has used before; else None."""
        row = self._cursor.execute("SELECT id FROM used_factors WHERE digest = %s", [digest]).fetchone()
        return None if row is None else int(row[0])

    # -- runs and causes ------------------------------------------------------------------------------

    def begin_run(self, shards: Collection[int] = EVERY_SHARD) -> int:
        """A number for this run of these shards, whose cursors the caller has locked.

        So a shard's runs are numbered in the order in which they become visible.
        """
        row = self._cursor.execute(
            """INSERT INTO runs (id, committed_at, rules_version, factor_set, registry_version, up_to_commit_no, shards)
               VALUES (nextval('run_ids'), clock_timestamp(), '', '', 0, 0, %s) RETURNING id""",
            [shard_bits(shards)],
        ).fetchone()
        assert row is not None
        self._run_id = int(row[0])
        return self._run_id

    def end_run(self, cursor: Cursor, due: set[int]) -> datetime:
        """Stamp the run with its moment and the state it stands on; the caller commits right after.

        due  keys of the days that this process knows to be noted for validation already; what is noted now is added

        Whoever reads as of a moment lets the runs end first that may bear an earlier one (`let_runs_end`), so that it
        reads the same for ever. A clock that is set back doesn't turn the order of a shard's moments round.
        """
        self._note_due(due)
        if self._restated:
            sources, days = (np.concatenate(each) for each in zip(*self._restated, strict=True))
            announce_restated(self._connection, sources.tolist(), days.tolist())
        self._cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [RUN_ORDER_LOCK])
        row = self._cursor.execute(
            """UPDATE runs AS this
               SET committed_at = greatest(clock_timestamp(), (
                       SELECT max(r.committed_at) FROM runs r WHERE r.shards & this.shards <> 0 AND r.id < this.id)),
                   rules_version = %s, factor_set = %s, registry_version = %s, up_to_commit_no = %s
               WHERE id = %s RETURNING committed_at""",
            [
                cursor.rules_version,
                cursor.factor_set,
                cursor.registry_version,
                cursor.commit_no,
                self._run_id,
            ],
        ).fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment

    def _note_due(self, due: set[int]) -> None:
        """Note the days of enterprises that were written, for validation to judge."""
        if not self._written:
            return
        keys = np.unique(np.concatenate(self._written))
        if len(due) > 10 * findings.NOTED_MAX:
            due.clear()  # to note a day twice costs little
        if len(keys) <= findings.NOTED_MAX:  # more than that are noted without a look: such runs are few
            keys = keys[[key not in due for key in keys.tolist()]]
            due.update(keys.tolist())
        findings.mark_due(self._connection, findings.ranges_of(keys))

    def causes(self, run_id: int, causes: Sequence[tuple[str, int | None, str, str]]) -> list[int]:
        """Ids of a run's causes, each written once: (kind, batch, by whom, why)."""
        new = [cause for cause in dict.fromkeys(causes) if cause not in self._causes]
        if new:
            rows = self._cursor.execute(
                """INSERT INTO causes (run_id, kind, batch_id, by_whom, why)
                   SELECT %s, kind, batch_id, by_whom, why
                   FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[]) WITH ORDINALITY
                        AS c (kind, batch_id, by_whom, why, place)
                   ORDER BY place RETURNING id""",
                [run_id, *([cause[i] for cause in new] for i in range(4))],
            ).fetchall()
            self._causes.update(zip(new, (row[0] for row in rows), strict=True))
        return [self._causes[cause] for cause in causes]

    def gateway_names(self, ids: Sequence[int]) -> dict[int, str]:
        """ "USCC/ID" of gateways."""
        rows = self._cursor.execute(
            "SELECT id, uscc || '/' || gateway FROM gateways WHERE id = ANY(%s)", [list(ids)]
        ).fetchall()
        return dict(rows)

    # -- shared ---------------------------------------------------------------------------------------

    def _rows(
        self,
        table: str,
        key: str,
        columns: Sequence[tuple[str, str, int]],
        ids: Sequence[int],
        from_days: Sequence[int],
        to_days: Sequence[int],
    ) -> npt.NDArray[Any]:
        names = ", ".join(f"t.{name}" for name, _, _ in columns)
        return copy_out(
            self._cursor,
            f"""SELECT {names}
                FROM unnest(%s::integer[], %s::integer[], %s::integer[]) AS want (id, from_day, to_day)
                JOIN {table} t ON t.{key} = want.id AND t.day BETWEEN want.from_day AND want.to_day
                ORDER BY t.{key}, t.day""",
            columns,
            [list(ids), list(from_days), list(to_days)],
        )

    def _keep(
        self,
        run_id: int,
        table: str,
        history: str,
        scalars: Sequence[str],
        arrays: Sequence[str],
        keys: Sequence[tuple[str, str, npt.NDArray[Any]]],
        superseded: npt.NDArray[np.bool_],
    ) -> None:
        """Copy intervals of rows (by their keys: column, type, values) as they stand to a history."""
        columns = ", ".join(["superseded_by", "indexes", *scalars, *arrays])
        wanted = ", ".join(f"%s::{type_}[]" for _, type_, _ in keys)
        names = ", ".join(name for name, _, _ in keys)
        same = " AND ".join(f"d.{name} = old.{name}" for name, _, _ in keys)
        fields = ", ".join(f"d.{name}" for name in scalars)
        whole: npt.NDArray[np.bool_] = np.asarray(superseded.all(axis=1))
        if whole.any():
            # Arrays as they are: taking them apart and together again takes ten times as long.
            self._cursor.execute(
                f"""INSERT INTO {history} ({columns})
                    SELECT %s, %s::smallint[], {fields}, {", ".join(f"d.{name}" for name in arrays)}
                    FROM unnest({wanted}) AS old ({names}) JOIN {table} d ON {same}""",
                [run_id, list(range(INTERVALS_PER_DAY)), *(values[whole].tolist() for _, _, values in keys)],
            )
        places, indexes = np.nonzero(superseded & ~whole[:, None])
        if len(places):
            picked = ", ".join(f"array_agg(d.{name}[old.i + 1] ORDER BY old.i)" for name in arrays)
            grouped = ", ".join(f"d.{name}" for name, _, _ in keys)
            self._cursor.execute(
                f"""INSERT INTO {history} ({columns})
                    SELECT %s, array_agg(old.i ORDER BY old.i), {fields}, {picked}
                    FROM unnest({wanted}, %s::smallint[]) AS old ({names}, i) JOIN {table} d ON {same}
                    GROUP BY {grouped}""",
                [run_id, *(values[places].tolist() for _, _, values in keys), indexes.tolist()],
            )

    def _delete(self, table: str, key: str, rows: npt.NDArray[Any]) -> None:
        self._cursor.execute(
            f"""DELETE FROM {table} t USING unnest(%s::integer[], %s::integer[]) AS old (id, day)
                WHERE t.{key} = old.id AND t.day = old.day""",
            [rows[key].tolist(), rows["day"].tolist()],
        )
