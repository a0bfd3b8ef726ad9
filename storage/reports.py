"""What reports are built from as of a run, published reports, which never change, and what has changed since.

As of a run: an entry as it stood when that run was the last one (storage.emissions says how).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from psycopg.types.json import Jsonb

from domain.change import ChangeKind
from domain.entry_sums import EntrySums
from domain.interval import from_us
from domain.ledger import SERIES_PER_GAS, shard_of
from domain.reading import Flag, Quality
from storage import changes
from storage.database import Connection
from storage.emissions import last_runs

_DAY_0 = date(1970, 1, 1)

# The entries of an enterprise's days that stand as of a run, one row an interval.
_STANDING = """
    SELECT t.source_id, t.day, t.gas, t.scope, t.boundaries, t.unit, t.exponent, t.factor_id,
           t.series >= %(repeats)s AS repeats, u.consumption, u.mg, u.state, u.run_id
    FROM ledger_days t,
         unnest(t.consumption, t.mg, t.states, t.run_ids) AS u (consumption, mg, state, run_id)
    WHERE t.enterprise_id = %(enterprise)s AND t.day >= %(first)s AND t.day < %(end)s
      AND u.state & 3 > 0 AND u.run_id <= %(run)s
    UNION ALL
    SELECT t.source_id, t.day, t.gas, t.scope, t.boundaries, t.unit, t.exponent, t.factor_id,
           t.series >= %(repeats)s AS repeats, u.consumption, u.mg, u.state, u.run_id
    FROM ledger_history t,
         unnest(t.consumption, t.mg, t.states, t.run_ids) AS u (consumption, mg, state, run_id)
    WHERE t.enterprise_id = %(enterprise)s AND t.day >= %(first)s AND t.day < %(end)s
      AND t.superseded_by > %(run)s AND u.state & 3 > 0 AND u.run_id <= %(run)s
"""
_FIXED = {
    "estimated": int(Quality.ESTIMATED),
    "substituted": int(Flag.SUBSTITUTED) << 2,
    "repeats": SERIES_PER_GAS,
}


class Run(NamedTuple):
    id: int
    committed_at: datetime


def last_run(conn: Connection, enterprise_id: int, as_of_us: int | None) -> Run | None:
    """The last run of an enterprise's shard at a moment (None: now); None before the first."""
    runs = last_runs(conn, None if as_of_us is None else from_us(as_of_us))
    row = conn.execute(
        "SELECT id, committed_at FROM runs WHERE id = %s", [runs[shard_of(enterprise_id)]]
    ).fetchone()
    return None if row is None else Run(*row)


def entry_sums(
    conn: Connection, enterprise_id: int, first_day: int, end_day: int, run: int
) -> list[EntrySums]:
    """The known entries of local days [first_day, end_day) as of a run, by month and all that keeps them apart."""
    rows = conn.execute(
        f"""WITH standing AS ({_STANDING})
            SELECT source_id, day - extract(day FROM date '1970-01-01' + day)::integer + 1 AS month,
                   gas, scope, boundaries, unit, exponent, factor_id, repeats, min(day), max(day),
                   sum(consumption), sum(mg),
                   coalesce(sum(mg) FILTER (WHERE state & %(substituted)s > 0), 0), sum(abs(mg)),
                   coalesce(sum(abs(mg)) FILTER (WHERE state & 3 = %(estimated)s), 0),
                   coalesce(sum(abs(mg)) FILTER (WHERE state & %(substituted)s > 0), 0),
                   coalesce(sum(abs(mg)) FILTER
                       (WHERE state & 3 = %(estimated)s OR state & %(substituted)s > 0), 0),
                   count(*), count(*) FILTER (WHERE state & 3 = 3), count(*) FILTER (WHERE state & 3 = 2),
                   count(*) FILTER (WHERE state & 3 = 1), count(*) FILTER (WHERE state & %(substituted)s > 0),
                   bit_or(state::integer >> 2)
            FROM standing
            GROUP BY source_id, month, gas, scope, boundaries, unit, exponent, factor_id, repeats
            ORDER BY source_id, month, gas, boundaries, unit, exponent, factor_id""",
        {"enterprise": enterprise_id, "first": first_day, "end": end_day, "run": run, **_FIXED},
    )
    return [
        EntrySums._make([*row[:4], tuple(row[4]), *row[5:11], *(int(each) for each in row[11:18]), *row[18:]])
        for row in rows
    ]


def rules_versions(conn: Connection, enterprise_id: int, first_day: int, end_day: int, run: int) -> list[str]:
    """The rules that the entries of these days were computed by, as of a run."""
    rows = conn.execute(
        f"""WITH standing AS ({_STANDING})
            SELECT DISTINCT r.rules_version FROM (SELECT DISTINCT run_id FROM standing) s
            JOIN runs r ON r.id = s.run_id ORDER BY 1""",
        {"enterprise": enterprise_id, "first": first_day, "end": end_day, "run": run, **_FIXED},
    )
    return [row[0] for row in rows]


class Published(NamedTuple):
    """A report that was published, without its files. `totals`: kilograms by boundary."""

    id: int
    uscc: str
    year: int
    as_of: datetime
    run_id: int
    published_at: datetime
    by_whom: str
    why: str
    sha256: str
    totals: dict[str, str | None]


class File(NamedTuple):
    """A form of a published report. `language`: '' for the JSON, which has both."""

    format: str
    language: str
    content: bytes


_PUBLISHED = """SELECT r.id, e.uscc, r.year, r.as_of, r.run_id, r.published_at, r.by_whom, r.why, r.sha256, r.totals
                FROM published_reports r JOIN enterprises e ON e.id = r.enterprise_id"""


def publish(
    conn: Connection,
    enterprise_id: int,
    year: int,
    as_of_us: int,
    run_id: int,
    by_whom: str,
    why: str,
    sha256: str,
    totals: dict[str, str | None],
    files: Sequence[File],
) -> Published:
    """Keep a report as it went out, in every form; the caller commits."""
    row = conn.execute(
        """INSERT INTO published_reports
               (enterprise_id, year, as_of, run_id, published_at, by_whom, why, sha256, totals)
           VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s) RETURNING id""",
        [enterprise_id, year, from_us(as_of_us), run_id, by_whom, why, sha256, Jsonb(totals)],
    ).fetchone()
    assert row is not None
    conn.cursor().executemany(
        "INSERT INTO published_files (report_id, format, language, content) VALUES (%s, %s, %s, %s)",
        [(row[0], *file) for file in files],
    )
    found = published(conn, row[0])
    assert found is not None
    days = (date(year, 1, 1) - _DAY_0).days, (date(year + 1, 1, 1) - _DAY_0).days
    told = {"report": found.id, "year": year, "sha256": sha256, "totals": totals}
    changes.announce(conn, ChangeKind.REPORT_PUBLISHED, enterprise_id, told, days)
    return found


def published(conn: Connection, id_: int) -> Published | None:
    row = conn.execute(f"{_PUBLISHED} WHERE r.id = %s", [id_]).fetchone()
    return None if row is None else Published(*row)


def published_of(
    conn: Connection,
    enterprise_id: int,
    year: int | None,
    after: tuple[int, int] | None = None,
    limit: int | None = None,
) -> list[Published]:
    """The published reports of an enterprise (and year), by time, then id, beyond (time [µs], id); at most `limit`."""
    rows = conn.execute(
        f"""{_PUBLISHED}
            WHERE r.enterprise_id = %(enterprise)s AND (%(year)s::integer IS NULL OR r.year = %(year)s)
              AND (%(at)s::timestamptz IS NULL OR (r.published_at, r.id) > (%(at)s, %(id)s::bigint))
            ORDER BY r.published_at, r.id LIMIT %(limit)s""",
        {
            "enterprise": enterprise_id,
            "year": year,
            "at": None if after is None else from_us(after[0]),
            "id": None if after is None else after[1],
            "limit": limit,
        },
    )
    return [Published(*row) for row in rows]


def file(conn: Connection, id_: int, format_: str, language: str) -> bytes | None:
    """The bytes of a published report in one form; the JSON is in no one language."""
    row = conn.execute(
        "SELECT content FROM published_files WHERE report_id = %s AND format = %s AND language = %s",
        [id_, format_, language],
    ).fetchone()
    return None if row is None else bytes(row[0])
