"""The feed of changes: announced where they happen, numbered by one publisher, read by platforms.

`announce` belongs into the transaction of the change. `publish` gives what is visible its numbers, in one transaction
under an advisory lock: without a gap, in the order in which changes became visible (and of those seen at once, in which
they were announced). Nothing waits for it, and a change that commits late is numbered late.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from psycopg.types.json import Jsonb

from domain.change import ChangeKind
from domain.reading import decimal_text
from storage.database import CHANGES_LOCK, Connection

SETTLE_S = 10.0  # restated totals of an enterprise-month are told once in so long
PAGE = 1_000


class Change(NamedTuple):
    """A change as it stands in the feed. `days`: local days [first, end) that it is about."""

    number: int
    kind: str
    uscc: str | None
    days: tuple[int, int] | None
    at: datetime
    data: dict[str, Any]


def announce(
    conn: Connection,
    kind: ChangeKind,
    enterprise_id: int | None,
    data: Mapping[str, Any],
    days: tuple[int, int] | None = None,
) -> None:
    """Have a change told, once the caller's transaction is committed."""
    first, end = days or (None, None)
    conn.execute(
        "INSERT INTO change_outbox (kind, enterprise_id, first_day, end_day, data) VALUES (%s, %s, %s, %s, %s)",
        [kind.value, enterprise_id, first, end, Jsonb(dict(data))],
    )


def announce_enterprises(
    conn: Connection, changed: Mapping[str, Collection[str]], registered: Collection[str], version: int
) -> None:
    """Tell of what an import of the registry changed: kinds of items by USCC; and who is new."""
    conn.cursor().executemany(
        """INSERT INTO change_outbox (kind, enterprise_id, data)
           SELECT %s, id, jsonb_build_object('registry_version', %s::bigint, 'items', %s::text[])
           FROM enterprises WHERE uscc = %s""",
        [
            (
                (
                    ChangeKind.ENTERPRISE_REGISTERED if uscc in registered else ChangeKind.ENTERPRISE_CHANGED
                ).value,
                version,
                sorted(items),
                uscc,
            )
            for uscc, items in changed.items()
        ],
    )


def announce_restated(conn: Connection, source_ids: Sequence[int], days: Sequence[int]) -> None:
    """Tell of the months of enterprises in which these source-days had entries that were superseded."""
    pairs = np.unique(np.stack([np.asarray(source_ids), np.asarray(days)], 1), axis=0)
    conn.execute(
        """INSERT INTO change_outbox (kind, enterprise_id, first_day, end_day, data)
           SELECT DISTINCT %s, s.enterprise_id, m.month::date - date '1970-01-01',
                  (m.month + interval '1 month')::date - date '1970-01-01', '{}'::jsonb
           FROM unnest(%s::integer[], %s::integer[]) AS d (source_id, day) JOIN sources s ON s.id = d.source_id,
                LATERAL date_trunc('month', date '1970-01-01' + d.day) AS m (month)""",
        [ChangeKind.MONTH_RESTATED.value, pairs[:, 0].tolist(), pairs[:, 1].tolist()],
    )


def announce_finding(conn: Connection, id_: int, state: str, why: str) -> None:
    """Tell of a finding's new state."""
    conn.execute(
        """INSERT INTO change_outbox (kind, enterprise_id, first_day, end_day, data)
           SELECT %s, enterprise_id, first_day, end_day, jsonb_build_object('finding', id, 'rule', rule, 'subject',
                  subject, 'severity', severity, 'state', %s::text, 'why', %s::text) FROM findings WHERE id = %s""",
        [ChangeKind.FINDING_CHANGED.value, state, why, id_],
    )


# -- numbering ----------------------------------------------------------------------------------------


class _Announced(NamedTuple):
    id: int
    kind: str
    enterprise_id: int | None
    first_day: int | None
    end_day: int | None
    at: datetime
    data: dict[str, Any]


def publish(conn: Connection, *, settle_s: float = SETTLE_S) -> int:
    """Number what was announced; how many changes that gave: 0 while another process does.

    Restatements of an enterprise-month are told together, once the first of them is `settle_s` old, with the totals as
    they stand then.
    """
    with conn.transaction():
        if conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [CHANGES_LOCK]).fetchone() != (True,):
            return 0
        rows = conn.execute(
            """SELECT id, kind, enterprise_id, first_day, end_day, at, data FROM change_outbox
               WHERE kind <> %(restated)s ORDER BY id LIMIT %(page)s""",
            {"restated": ChangeKind.MONTH_RESTATED.value, "page": PAGE},
        )
        announced = [_Announced(*row) for row in rows]
        gone = [each.id for each in announced]
        settled, behind = _settled(conn, settle_s)
        told = sorted([*announced, *settled], key=lambda each: each.id)
        if told:
            _number(conn, told)
            conn.execute("DELETE FROM change_outbox WHERE id = ANY(%s)", [[*gone, *behind]])
        return len(told)


def _settled(conn: Connection, settle_s: float) -> tuple[list[_Announced], list[int]]:
    """Restated enterprise-months that are due, each once, and the ids of all announcements of them."""
    rows = conn.execute(
        """SELECT array_agg(id ORDER BY id), kind, enterprise_id, first_day, end_day, max(at)
           FROM change_outbox WHERE kind = %s GROUP BY kind, enterprise_id, first_day, end_day
           HAVING min(at) <= clock_timestamp() - %s * interval '1 second' ORDER BY min(id) LIMIT %s""",
        [ChangeKind.MONTH_RESTATED.value, settle_s, PAGE],
    ).fetchall()
    if not rows:
        return [], []
    totals = _totals(conn, [(enterprise_id, first) for _, _, enterprise_id, first, *_ in rows])
    told = [
        _Announced(
            ids[-1],
            kind,
            enterprise_id,
            first,
            end,
            at,
            {"month": _month(first), "totals": totals.get((enterprise_id, first), {})},
        )
        for ids, kind, enterprise_id, first, end, at in rows
    ]
    return told, [id_ for ids, *_ in rows for id_ in ids]


def _month(first_day: int) -> str:
    return str(np.datetime64(first_day, "D").astype("datetime64[M]"))


def _totals(conn: Connection, months: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, str]]:
    """Kilograms by boundary, exact, of enterprise-months as they stand."""
    rows = conn.execute(
        """SELECT m.enterprise_id, m.month, b.name, sum(m.mg_sum) FILTER (WHERE m.known > 0)
           FROM unnest(%s::integer[], %s::integer[]) AS w (enterprise_id, month)
           JOIN ledger_months m USING (enterprise_id, month), unnest(m.boundaries) AS b (name)
           GROUP BY 1, 2, 3 HAVING sum(m.known) > 0""",
        [[enterprise_id for enterprise_id, _ in months], [month for _, month in months]],
    )
    found: dict[tuple[int, int], dict[str, str]] = {}
    for enterprise_id, month, boundary, mg in rows:
        found.setdefault((enterprise_id, month), {})[boundary] = decimal_text(int(mg), -6)
    return found


def _number(conn: Connection, told: Sequence[_Announced]) -> None:
    row = conn.execute("UPDATE change_feed SET number = number + %s RETURNING number", [len(told)]).fetchone()
    assert row is not None
    first = row[0] - len(told) + 1
    conn.cursor().executemany(
        """INSERT INTO changes (number, kind, enterprise_id, first_day, end_day, at, data)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [
            (number, each.kind, each.enterprise_id, each.first_day, each.end_day, each.at, Jsonb(each.data))
            for number, each in enumerate(told, first)
        ],
    )


# -- reading ------------------------------------------------------------------------------------------


def newest(conn: Connection) -> int:
    """The number of the last change; 0: none yet."""
    row = conn.execute("SELECT number FROM change_feed").fetchone()
    assert row is not None
    return int(row[0])


def after(
    conn: Connection,
    number: int,
    limit: int,
    kinds: Collection[str] = (),
    usccs: Collection[str] | None = None,
) -> list[Change]:
    """The next changes of these kinds (none: all), about these enterprises or none (None: about any)."""
    rows = conn.execute(
        """SELECT c.number, c.kind, e.uscc, c.first_day, c.end_day, c.at, c.data
           FROM changes c LEFT JOIN enterprises e ON e.id = c.enterprise_id
           WHERE c.number > %(after)s AND (%(kinds)s::text[] = '{}' OR c.kind = ANY (%(kinds)s))
             AND (%(usccs)s::text[] IS NULL OR c.enterprise_id IS NULL OR e.uscc = ANY (%(usccs)s))
           ORDER BY c.number LIMIT %(limit)s""",
        {
            "after": number,
            "kinds": list(kinds),
            "usccs": None if usccs is None else list(usccs),
            "limit": limit,
        },
    )
    return [
        Change(number, kind, uscc, None if first is None else (first, end), at, data)
        for number, kind, uscc, first, end, at, data in rows
    ]
