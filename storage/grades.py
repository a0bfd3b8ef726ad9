"""Green grades: what is stated for them, schemes and their adoption, records, publication, objections.

Rows are only added. Months are numbered from January 1970, local calendar.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from domain.ledger import SERIES_PER_GAS
from storage.database import Connection


class MonthSum(NamedTuple):
    """A source's month in the account boundary [mg]. `valid`: intervals measured or interpolated."""

    enterprise_id: int
    source_id: int
    month: int  # its first local day
    mg: int
    valid: int


class Statement(NamedTuple):
    """`document`: None: taken back."""

    id: int
    enterprise_id: int
    kind: str
    key: str
    document: Mapping[str, Any] | None
    at: datetime
    by_whom: str
    why: str


class NewStatement(NamedTuple):
    enterprise_id: int
    kind: str
    key: str
    document: Mapping[str, Any] | None


class SchemeRow(NamedTuple):
    id: str
    version: str
    hash: str
    document: Mapping[str, Any]
    at: datetime
    by_whom: str
    why: str


class Adoption(NamedTuple):
    id: str
    version: str
    month: int
    at: datetime
    by_whom: str
    why: str


class Record(NamedTuple):
    """A grade as it was recorded; `document` and `snapshot` are canonical JSON."""

    id: int
    enterprise_id: int
    kind: str
    month: int
    scheme_id: str
    version: str
    label: str
    held: str
    state: str
    score: Decimal | None
    document: str
    snapshot: str
    supersedes: int | None
    created_at: datetime
    signature: Mapping[str, str] | None


class NewRecord(NamedTuple):
    enterprise_id: int
    kind: str
    month: int
    scheme_id: str
    version: str
    label: str
    held: str
    state: str
    score: Decimal | None
    document: str
    snapshot: str
    supersedes: int | None
    created_at: datetime
    signature: Mapping[str, str] | None


class Ranked(NamedTuple):
    id: int
    enterprise_id: int
    label: str
    state: str
    score: Decimal | None
    rank: int  # equal scores share one; of who isn't rated it says nothing


class Ranking(NamedTuple):
    """A page of a ranking. rated, total: of all of it, how many have a score, and how many there are."""

    rated: int
    total: int
    rows: list[Ranked]


class Stage(NamedTuple):
    month: int
    stage: str
    at: datetime
    until: date | None
    by_whom: str
    why: str


class Objection(NamedTuple):
    """With its decision where there is one."""

    id: int
    record_id: int
    enterprise_id: int
    text: str
    attachments: Sequence[Mapping[str, Any]]
    at: datetime
    by_whom: str
    due: date
    outcome: str | None
    new_record_id: int | None
    decided_at: datetime | None
    decided_by: str | None
    decided_why: str | None


_RECORD = ", ".join(f"r.{name}" for name in Record._fields)
_IN_FORCE = "NOT EXISTS (SELECT FROM grade_records n WHERE n.supersedes = r.id)"


def month_sums(conn: Connection, first_day: int, end_day: int) -> list[MonthSum]:
    """Of all enterprises that the session sees, for months that begin within [first, end); ascending."""
    rows = conn.execute(
        """SELECT enterprise_id, source_id, month, sum(mg_sum)::bigint,
                  coalesce(sum(measured + interpolated) FILTER (WHERE series < %(series)s), 0)::bigint
           FROM ledger_months
           WHERE month >= %(first)s AND month < %(end)s AND 'account' = ANY (boundaries) AND known > 0
           GROUP BY enterprise_id, source_id, month ORDER BY 1, 2, 3""",
        {"series": SERIES_PER_GAS, "first": first_day, "end": end_day},
    )
    return [MonthSum(*row) for row in rows]


def factor_sets(conn: Connection, first_day: int, end_day: int) -> dict[int, list[str]]:
    """By enterprise, the factor sets that its months of these days stand on."""
    rows = conn.execute(
        """SELECT m.enterprise_id, array_agg(DISTINCT f.factor_set ORDER BY f.factor_set)
           FROM (SELECT DISTINCT enterprise_id, unnest(factor_ids) AS factor_id FROM ledger_months
                 WHERE month >= %s AND month < %s) m
           JOIN used_factors f ON f.id = m.factor_id GROUP BY m.enterprise_id""",
        [first_day, end_day],
    )
    return {id_: list(found) for id_, found in rows}


# -- statements ---------------------------------------------------------------------------------------


def state(conn: Connection, new: Sequence[NewStatement], by: str, why: str) -> int:
    """Keep what differs from what is in force; how many did. The caller commits."""
    ids = sorted({each.enterprise_id for each in new})
    conn.execute("SELECT FROM enterprises WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids])
    known = {(each.enterprise_id, each.kind, each.key): each.document for each in in_force(conn, ids)}
    fresh = [each for each in new if known.get((each.enterprise_id, each.kind, each.key)) != each.document]
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO grade_statements (enterprise_id, kind, key, document, at, by_whom, why)
               VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s)""",
            [(each.enterprise_id, each.kind, each.key, Jsonb(each.document), by, why) for each in fresh],
        )
    return len(fresh)


def in_force(
    conn: Connection, enterprise_ids: Sequence[int] | None = None, as_of: datetime | None = None
) -> list[Statement]:
    """The newest statement of each kind and key that wasn't taken back; None: of all enterprises."""
    rows = conn.execute(
        """SELECT * FROM (
               SELECT DISTINCT ON (enterprise_id, kind, key)
                      id, enterprise_id, kind, key, document, at, by_whom, why
               FROM grade_statements
               WHERE (%(ids)s::integer[] IS NULL OR enterprise_id = ANY(%(ids)s))
                 AND (%(as_of)s::timestamptz IS NULL OR at <= %(as_of)s)
               ORDER BY enterprise_id, kind, key, id DESC) AS newest
           WHERE document <> 'null'::jsonb ORDER BY enterprise_id, kind, key""",
        {"ids": None if enterprise_ids is None else list(enterprise_ids), "as_of": as_of},
    )
    return [Statement(*row) for row in rows]


# -- schemes ------------------------------------------------------------------------------------------


def add_scheme(
    conn: Connection, id_: str, version: str, digest: str, document: Mapping[str, Any], by: str, why: str
) -> bool:
    """Keep a version of a scheme; False where this version is kept already. The caller commits."""
    return bool(
        conn.execute(
            """INSERT INTO grade_schemes (id, version, hash, document, at, by_whom, why)
               VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s) ON CONFLICT DO NOTHING""",
            [id_, version, digest, Jsonb(document), by, why],
        ).rowcount
    )


def schemes(conn: Connection) -> list[SchemeRow]:
    rows = conn.execute(
        "SELECT id, version, hash, document, at, by_whom, why FROM grade_schemes ORDER BY at, id, version"
    )
    return [SchemeRow(*row) for row in rows]


def adopt(conn: Connection, id_: str, version: str, month: int, by: str, why: str) -> None:
    conn.execute(
        """INSERT INTO grade_adoptions (id, version, month, at, by_whom, why)
           VALUES (%s, %s, %s, clock_timestamp(), %s, %s)""",
        [id_, version, month, by, why],
    )


def adoptions(conn: Connection) -> list[Adoption]:
    """In the order in which they were made; a later one wins from its month on."""
    rows = conn.execute("SELECT id, version, month, at, by_whom, why FROM grade_adoptions ORDER BY number")
    return [Adoption(*row) for row in rows]


# -- records ------------------------------------------------------------------------------------------


def add_records(conn: Connection, new: Iterable[NewRecord]) -> list[int]:
    """Their ids. Whose first record of this kind and month is there already gets no second. The caller commits."""
    found: list[int] = []
    with conn.cursor() as cursor:
        for each in new:
            cursor.execute(
                """INSERT INTO grade_records (enterprise_id, kind, month, scheme_id, version, label, held, state,
                       score, document, snapshot, supersedes, created_at, signature)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                   ON CONFLICT (enterprise_id, kind, month) WHERE supersedes IS NULL DO NOTHING RETURNING id""",
                [*each[:-1], None if each.signature is None else Jsonb(each.signature)],
            )
            row = cursor.fetchone()
            if row is not None:
                found.append(row[0])
    return found


def newest(
    conn: Connection,
    enterprise_id: int,
    kinds: Sequence[str],
    month: int | None = None,
    as_of: datetime | None = None,
    without_months: Collection[int] = (),
) -> Record | None:
    """The newest month's record of these kinds that stood at a moment (None: now)."""
    row = conn.execute(
        f"""SELECT {_RECORD} FROM grade_records r
            WHERE enterprise_id = %(enterprise)s AND kind = ANY(%(kinds)s)
              AND (%(month)s::integer IS NULL OR month = %(month)s)
              AND (%(as_of)s::timestamptz IS NULL OR created_at <= %(as_of)s) AND month <> ALL (%(without)s)
            ORDER BY month DESC, id DESC LIMIT 1""",
        {
            "enterprise": enterprise_id,
            "kinds": list(kinds),
            "month": month,
            "as_of": as_of,
            "without": list(without_months),
        },
    ).fetchone()
    return None if row is None else Record(*row)


def record(conn: Connection, id_: int) -> Record | None:
    row = conn.execute(f"SELECT {_RECORD} FROM grade_records r WHERE id = %s", [id_]).fetchone()
    return None if row is None else Record(*row)


def records(
    conn: Connection,
    *,
    enterprise_id: int | None = None,
    kinds: Sequence[str] = ("INDICATIVE", "PUBLISHED", "ANNUAL"),
    first: int = 0,
    last: int = 1 << 30,
    after_id: int = 0,
    limit: int | None = None,
    superseded: bool = True,
) -> list[Record]:
    """Ascending by id."""
    rows = conn.execute(
        f"""SELECT {_RECORD} FROM grade_records r
            WHERE (%(enterprise)s::integer IS NULL OR enterprise_id = %(enterprise)s) AND kind = ANY(%(kinds)s)
              AND month BETWEEN %(first)s AND %(last)s AND id > %(after)s AND (%(all)s OR {_IN_FORCE})
            ORDER BY id LIMIT %(limit)s""",
        {
            "enterprise": enterprise_id,
            "kinds": list(kinds),
            "first": first,
            "last": last,
            "after": after_id,
            "limit": limit,
            "all": superseded,
        },
    )
    return [Record(*row) for row in rows]


def newest_month(conn: Connection, kind: str) -> int | None:
    row = conn.execute(
        "SELECT month FROM grade_records WHERE kind = %s ORDER BY month DESC LIMIT 1", [kind]
    ).fetchone()
    return None if row is None else row[0]


def ranking(
    conn: Connection,
    kind: str,
    month: int,
    enterprise_ids: Sequence[int],
    start: int = 0,
    limit: int | None = None,
) -> Ranking:
    """The records in force of these enterprises: the best S first, who isn't rated last; `limit` of them from place
    `start` on, all where it is None.
    """
    rows = conn.execute(
        f"""WITH ranked AS MATERIALIZED (
                SELECT r.id, r.enterprise_id, r.label, r.state, r.score, rank() OVER (ORDER BY r.score DESC NULLS LAST)
                FROM grade_records r
                WHERE r.kind = %s AND r.month = %s AND r.enterprise_id = ANY(%s) AND {_IN_FORCE})
            SELECT counted.rated, counted.total, page.*
            FROM (SELECT count(score) AS rated, count(*) AS total FROM ranked) AS counted
            LEFT JOIN (SELECT * FROM ranked ORDER BY score DESC NULLS LAST, enterprise_id OFFSET %s LIMIT %s) AS page
              ON true
            ORDER BY page.score DESC NULLS LAST, page.enterprise_id""",
        [kind, month, list(enterprise_ids), start, limit],
    ).fetchall()
    rated, total, *_ = rows[0]
    return Ranking(rated, total, [Ranked(*row) for _, _, *row in rows if row[0] is not None])


# -- publication and objections -----------------------------------------------------------------------


def add_stage(conn: Connection, month: int, stage: str, until: date | None, by: str, why: str) -> bool:
    """False where the quarter has come to this stage already. The caller commits."""
    return bool(
        conn.execute(
            """INSERT INTO grade_stages (month, stage, at, until, by_whom, why)
               VALUES (%s, %s, clock_timestamp(), %s, %s, %s) ON CONFLICT DO NOTHING""",
            [month, stage, until, by, why],
        ).rowcount
    )


def stages(conn: Connection, month: int | None = None) -> list[Stage]:
    rows = conn.execute(
        """SELECT month, stage, at, until, by_whom, why FROM grade_stages
           WHERE %(month)s::integer IS NULL OR month = %(month)s ORDER BY month, at""",
        {"month": month},
    )
    return [Stage(*row) for row in rows]


def object_to(
    conn: Connection,
    record_id: int,
    enterprise_id: int,
    text: str,
    attachments: Sequence[Mapping[str, Any]],
    by: str,
    due: date,
) -> int:
    row = conn.execute(
        """INSERT INTO grade_objections (record_id, enterprise_id, text, attachments, at, by_whom, due)
           VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s) RETURNING id""",
        [record_id, enterprise_id, text, Jsonb(list(attachments)), by, due],
    ).fetchone()
    assert row is not None
    return int(row[0])


def decide(
    conn: Connection, objection: Objection, outcome: str, record_id: int | None, by: str, why: str
) -> bool:
    """False where it is decided already. The caller commits."""
    return bool(
        conn.execute(
            """INSERT INTO grade_decisions (objection_id, enterprise_id, outcome, record_id, at, by_whom, why)
               VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s) ON CONFLICT DO NOTHING""",
            [objection.id, objection.enterprise_id, outcome, record_id, by, why],
        ).rowcount
    )


def objections(
    conn: Connection,
    *,
    id_: int | None = None,
    enterprise_id: int | None = None,
    month: int | None = None,
    after_id: int = 0,
    limit: int | None = None,
) -> list[Objection]:
    """Ascending by id, with their decisions."""
    rows = conn.execute(
        """SELECT o.id, o.record_id, o.enterprise_id, o.text, o.attachments, o.at, o.by_whom, o.due,
                  d.outcome, d.record_id, d.at, d.by_whom, d.why
           FROM grade_objections o JOIN grade_records r ON r.id = o.record_id
           LEFT JOIN grade_decisions d ON d.objection_id = o.id
           WHERE (%(id)s::bigint IS NULL OR o.id = %(id)s)
             AND (%(enterprise)s::integer IS NULL OR o.enterprise_id = %(enterprise)s)
             AND (%(month)s::integer IS NULL OR r.month = %(month)s) AND o.id > %(after)s
           ORDER BY o.id LIMIT %(limit)s""",
        {"id": id_, "enterprise": enterprise_id, "month": month, "after": after_id, "limit": limit},
    )
    return [Objection(*row) for row in rows]
