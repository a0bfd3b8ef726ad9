"""Gateways by the names of the topic, their accounts and what else happened at them.

An account is the folded sum of old batches and the live sum of the rest, read in one statement, so
`received = stored + held + rejected` holds at every moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from storage.database import FOLD_LOCK, Connection


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a gateway's readings. The last two follow within the ledger's lag."""

    received: int
    stored: int
    held: int
    rejected: int
    duplicates: int
    conflicts: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """Something that happened at a gateway and is no reading. `gateway` is (uscc, id), None if unknown."""

    happened_us: int
    gateway: tuple[str, str] | None
    kind: str
    detail: str


def gateway_ids(conn: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Lasting ids of gateways by (uscc, id), given where they are new. Not for a transaction that may fail."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    usccs, ids = [uscc for uscc, _ in wanted], [id_ for _, id_ in wanted]
    select = """SELECT uscc, gateway, id FROM gateways
                JOIN unnest(%s::text[], %s::text[]) AS wanted (uscc, gateway) USING (uscc, gateway)"""
    found = {(uscc, gateway): id_ for uscc, gateway, id_ in conn.execute(select, [usccs, ids])}
    if len(found) < len(wanted):
        conn.execute(
            """INSERT INTO gateways (uscc, gateway) SELECT * FROM unnest(%s::text[], %s::text[])
               ON CONFLICT DO NOTHING""",
            [usccs, ids],
        )
        found = {(uscc, gateway): id_ for uscc, gateway, id_ in conn.execute(select, [usccs, ids])}
    return found


def account(conn: Connection, uscc: str, gateway: str) -> Account | None:
    """The account of a gateway; None where nothing ever came under that name."""
    row = conn.execute("SELECT * FROM visible_gateway_account(%s, %s)", [uscc, gateway]).fetchone()
    return None if row is None else Account(*(int(value) for value in row))


def fold(conn: Connection, limit: int = 10_000) -> int:
    """Move the sums of up to `limit` batches into gateway_accounts; how many. One process at a time."""
    with conn.transaction():
        locked = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK]).fetchone()
        if locked != (True,):
            return 0
        # Batches become visible in the order of commit_no: none before the last one seen here is missing.
        row = conn.execute(
            """
            SELECT max(commit_no), count(*) FROM (
                SELECT commit_no FROM batches WHERE commit_no > (SELECT folded_commit_no FROM gateway_fold)
                ORDER BY commit_no LIMIT %s) AS newest
            """,
            [limit],
        ).fetchone()
        assert row is not None
        last, count = row
        if not count:
            return 0
        conn.execute(
            """
            INSERT INTO gateway_accounts AS folded (gateway_id, received, stored, held, rejected)
            SELECT delta.gateway_id, sum(delta.received), sum(delta.stored), sum(delta.held), sum(delta.rejected)
            FROM batches,
                 unnest(gateway_ids, received, stored, held, rejected)
                     AS delta (gateway_id, received, stored, held, rejected)
            WHERE commit_no > (SELECT folded_commit_no FROM gateway_fold) AND commit_no <= %s
            GROUP BY delta.gateway_id
            ON CONFLICT (gateway_id) DO UPDATE SET
                received = folded.received + excluded.received, stored = folded.stored + excluded.stored,
                held = folded.held + excluded.held, rejected = folded.rejected + excluded.rejected
            """,
            [last],
        )
        conn.execute("UPDATE gateway_fold SET folded_commit_no = %s", [last])
        return int(count)


def insert_events(conn: Connection, events: Sequence[GatewayEvent]) -> None:
    """Record what happened at gateways; of names without an id only the text is kept."""
    if not events:
        return
    known = {
        (uscc, gateway): id_
        for uscc, gateway, id_ in conn.execute(
            """SELECT uscc, gateway, id FROM gateways
               JOIN unnest(%s::text[], %s::text[]) AS wanted (uscc, gateway) USING (uscc, gateway)""",
            [
                [event.gateway[0] for event in events if event.gateway],
                [event.gateway[1] for event in events if event.gateway],
            ],
        )
    }
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO gateway_events (happened_at, gateway_id, kind, detail)
               VALUES (to_timestamp(0) + %s * interval '1 microsecond', %s, %s, %s)""",
            [
                (
                    event.happened_us,
                    known.get(event.gateway) if event.gateway else None,
                    event.kind,
                    event.detail,
                )
                for event in events
            ],
        )
