"""What `verify` reads: the accounts beside the rows that they count, the log beside the channel-days, sums beside
their parts. All of it as of one moment (`begin`), in pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy.typing as npt

from domain.interval import INTERVALS_PER_DAY, to_us
from domain.ledger import LOGGED_READING
from storage.binary_copy import copy_out
from storage.database import Connection

PAGE_ROWS = 400_000  # log rows read at once: some 30 MB
PAGE_DAYS = 2_000  # ledger days read at once: some 4 MB
_ID_MAX = (1 << 63) - 1


class GatewayAccount(NamedTuple):
    """A gateway's account as `GET /v1/gateways/…/account` answers it."""

    name: str
    received: int
    stored: int
    held: int
    rejected: int


class BatchPage(NamedTuple):
    """Consecutive batch ids and what their batches say; ids between them belong to no batch."""

    first_id: int
    last_id: int
    rows: dict[int, int]  # batch id -> rows in the log
    commit_nos: dict[int, int]
    committed_us: dict[int, int]


class ChannelDay(NamedTuple):
    """A chunk of a channel-day's stored readings."""

    channel_id: int
    day: int
    size: int
    readings: bytes


def summarize(conn: Connection) -> None:
    """Bring the index of the log up to date, so that a page of batches is found without reading everything."""
    conn.execute(
        """
        SELECT brin_summarize_new_values(indexrelid) FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
        WHERE amname = 'brin' AND relkind = 'i'
        """
    )


def begin(conn: Connection) -> None:
    """Read everything that follows as of one moment."""
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def unbalanced_batches(conn: Connection) -> tuple[int, list[str]]:
    """How many entries of batches there are, and those that don't add up."""
    rows = conn.execute(
        """
        SELECT batches.id, uscc || '/' || gateway, delta.received, delta.stored, delta.held, delta.rejected
        FROM batches, unnest(gateway_ids, received, stored, held, rejected)
                          AS delta (gateway_id, received, stored, held, rejected)
        LEFT JOIN gateways ON gateways.id = gateway_id
        WHERE delta.received <> delta.stored + delta.held + delta.rejected
        ORDER BY batches.id LIMIT 1000
        """
    ).fetchall()
    row = conn.execute("SELECT coalesce(sum(cardinality(gateway_ids)), 0)::bigint FROM batches").fetchone()
    assert row is not None
    return row[0], [
        f"batch {id_}, {name}: received {received} is not stored {stored} + held {held} + rejected {rejected}"
        for id_, name, received, stored, held, rejected in rows
    ]


def accounts(conn: Connection) -> dict[int, GatewayAccount]:
    """The accounts of all gateways, by gateways.id."""
    rows = conn.execute(
        """
        SELECT gateways.id, uscc || '/' || gateway, coalesce(sum(part.received), 0)::bigint,
               coalesce(sum(part.stored), 0)::bigint, coalesce(sum(part.held), 0)::bigint,
               coalesce(sum(part.rejected), 0)::bigint
        FROM gateways LEFT JOIN (
            SELECT gateway_id, received, stored, held, rejected FROM gateway_accounts
            UNION ALL
            SELECT delta.* FROM batches, unnest(gateway_ids, received, stored, held, rejected)
                                             AS delta (gateway_id, received, stored, held, rejected)
            WHERE commit_no > (SELECT folded_commit_no FROM gateway_fold)
        ) AS part ON part.gateway_id = gateways.id
        GROUP BY gateways.id ORDER BY gateways.id
        """
    )
    return {id_: GatewayAccount(*rest) for id_, *rest in rows}


def held_counts(conn: Connection) -> dict[int, int]:
    """Held readings by gateways.id."""
    return dict(conn.execute("SELECT gateway_id, count(*) FROM held GROUP BY gateway_id").fetchall())


def rejected_counts(conn: Connection) -> dict[int, int]:
    """Readings of open dead letters by gateways.id."""
    return dict(
        conn.execute(
            """
            SELECT gateway_id, sum(readings)::bigint FROM dead_letters
            WHERE replayed_at IS NULL AND gateway_id IS NOT NULL GROUP BY gateway_id
            """
        ).fetchall()
    )


def batch_pages(conn: Connection) -> Iterator[BatchPage]:
    """All ids of batches, in pages of about PAGE_ROWS log rows; together they cover every possible id."""
    page = BatchPage(0, 0, {}, {}, {})
    size = 0
    with conn.cursor("audit_batches") as cursor:
        cursor.itersize = 10_000
        cursor.execute("SELECT id, rows, commit_no, committed_at FROM batches ORDER BY id")
        for id_, rows, commit_no, committed_at in cursor:
            if size and size + rows > PAGE_ROWS:
                yield page._replace(last_id=id_ - 1)
                page, size = BatchPage(id_, id_, {}, {}, {}), 0
            page.rows[id_], page.commit_nos[id_] = rows, commit_no
            page.committed_us[id_] = to_us(committed_at)
            size += rows
    yield page._replace(last_id=_ID_MAX)


def logged(conn: Connection, page: BatchPage) -> npt.NDArray[Any]:
    """The log rows with batch ids within a page, LOGGED_READING (n,)."""
    rows = copy_out(
        conn.cursor(),
        """SELECT measured_at, channel_id, gateway_id, batch_id, mantissa, exponent, revision, quality, flags
           FROM readings WHERE batch_id BETWEEN %s AND %s""",
        [
            ("at", "timestamptz", 0),
            ("channel", "int4", 0),
            ("gateway", "int4", 0),
            ("batch", "int8", 0),
            ("mantissa", "int8", 0),
            ("exponent", "int2", 0),
            ("revision", "int2", 0),
            ("quality", "int2", 0),
            ("flags", "int2", 0),
        ],
        [page.first_id, page.last_id],
    )
    return rows.astype(LOGGED_READING, copy=False)


def channel_days(conn: Connection) -> Iterator[ChannelDay]:
    """Every chunk of every channel-day, by channel and day."""
    with conn.cursor("audit_channel_days") as cursor:
        cursor.itersize = 2_000
        cursor.execute(
            "SELECT channel_id, day, size, readings FROM channel_days ORDER BY channel_id, day, chunk"
        )
        for row in cursor:
            yield ChannelDay(*row)


def point_names(conn: Connection) -> dict[int, str]:
    """USCC METER/CHANNEL by points.id."""
    return dict(
        conn.execute(
            """SELECT points.id, uscc || ' ' || meter || '/' || channel
               FROM points JOIN enterprises ON enterprises.id = enterprise_id"""
        ).fetchall()
    )


def source_names(conn: Connection) -> dict[int, str]:
    """USCC SOURCE by sources.id."""
    return dict(
        conn.execute(
            "SELECT sources.id, uscc || ' ' || code FROM sources JOIN enterprises ON enterprises.id = enterprise_id"
        ).fetchall()
    )


def used_factors(conn: Connection) -> dict[int, Fraction]:
    """mg CO2e per unit of consumption, by used_factors.id."""
    rows = conn.execute("SELECT id, numerator, denominator FROM used_factors")
    return {id_: Fraction(int(numerator), int(denominator)) for id_, numerator, denominator in rows}


_LEDGER_COLUMNS = [
    *(("source_id", "int4", 0), ("day", "int4", 0), ("series", "int2", 0), ("exponent", "int2", 0)),
    ("factor_id", "int8", 0),
    *((name, "int8[]", INTERVALS_PER_DAY) for name in ("consumption", "mg")),
    ("states", "int2[]", INTERVALS_PER_DAY),
    ("mg_sum", "int8", 0),
    *((name, "int2", 0) for name in ("known", "measured", "interpolated", "estimated", "substituted")),
    ("flags", "int4", 0),
]


def ledger_pages(conn: Connection) -> Iterator[npt.NDArray[Any]]:
    """All rows of ledger_days in pages, without their history's columns, by source, day and series."""
    names = ", ".join(name for name, _, _ in _LEDGER_COLUMNS)
    after = (0, -(1 << 31), 0)
    while True:
        page = copy_out(
            conn.cursor(),
            f"""SELECT {names} FROM ledger_days WHERE (source_id, day, series) > (%s, %s, %s)
                ORDER BY source_id, day, series LIMIT {PAGE_DAYS}""",
            _LEDGER_COLUMNS,
            after,
        )
        if not len(page):
            return
        yield page
        after = (int(page["source_id"][-1]), int(page["day"][-1]), int(page["series"][-1]))


def months_unlike_their_days(conn: Connection) -> tuple[int, list[str]]:
    """How many rows of ledger_months there are, and those that aren't the sum of their days."""
    sums = "mg_sum, known, measured, interpolated, estimated, substituted, flags, factor_ids"
    rows = conn.execute(
        f"""
        WITH summed AS (
            SELECT source_id, date_trunc('month', date '1970-01-01' + day)::date - date '1970-01-01' AS month, series,
                   gas, scope, boundaries, sum(mg_sum)::bigint AS mg_sum, sum(known)::integer AS known,
                   sum(measured)::integer AS measured, sum(interpolated)::integer AS interpolated,
                   sum(estimated)::integer AS estimated, sum(substituted)::integer AS substituted,
                   bit_or(flags) AS flags,
                   coalesce(array_agg(DISTINCT factor_id) FILTER (WHERE known > 0), '{{}}') AS factor_ids
            FROM ledger_days GROUP BY 1, 2, 3, 4, 5, 6
        ), kept AS (
            SELECT source_id, month, series, gas, scope, boundaries, {sums} FROM ledger_months
        )
        SELECT source_id, date '1970-01-01' + month, gas, scope, count(*)
        FROM ((TABLE summed EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE summed)) AS unlike
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2 LIMIT 1000
        """
    ).fetchall()
    names = source_names(conn)
    row = conn.execute("SELECT count(*) FROM ledger_months").fetchone()
    assert row is not None
    return row[0], [
        f"{names.get(source_id, source_id)}, month from {month}, {gas}, scope {scope}: not the sum of its days"
        for source_id, month, gas, scope, _ in rows
    ]


def history_out_of_order(conn: Connection) -> tuple[int, list[str]]:
    """How many rows of history there are, and those superseded by a run that isn't later than their own."""
    count, faults = 0, []
    for table, key in (("consumption_history", "channel_id"), ("ledger_history", "source_id")):
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row is not None
        count += row[0]
        rows = conn.execute(
            f"""
            SELECT {key}, date '1970-01-01' + day, superseded_by FROM {table}
            LEFT JOIN runs ON runs.id = superseded_by
            WHERE runs.id IS NULL OR superseded_by <= ANY (run_ids) ORDER BY {key}, day LIMIT 1000
            """
        )
        faults += [
            f"{table}: {key} {id_}, {day}: superseded by run {run_id}, which isn't later"
            for id_, day, run_id in rows
        ]
    return count, faults


class PublishedFiles(NamedTuple):
    """A published report beside the files kept of it."""

    id: int
    sha256: str  # of the document, as lists tell it
    totals: dict[str, str | None]
    kept: dict[
        tuple[str, str], bool
    ]  # (form, language) -> whether the bytes have the digest they were written with
    document: bytes | None  # the JSON


def published_files(conn: Connection) -> Iterator[PublishedFiles]:
    """Each published report with its files, one after the other."""
    with conn.cursor(name="published_files") as cursor:
        cursor.itersize = 50
        cursor.execute(
            """
            SELECT r.id, r.sha256, r.totals,
                   (SELECT json_agg(json_build_array(format, language, sha256(content) = sha256)
                                    ORDER BY format, language)
                    FROM published_files WHERE report_id = r.id),
                   (SELECT content FROM published_files WHERE report_id = r.id AND format = 'json' AND language = '')
            FROM published_reports r ORDER BY r.id
            """
        )
        for id_, sha256, totals, files, document in cursor:
            kept = {(form, language): same for form, language, same in files or []}
            yield PublishedFiles(id_, sha256, totals, kept, None if document is None else bytes(document))
