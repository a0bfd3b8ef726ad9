"""The log of reads: who read what of an enterprise's account, by what right; chained by hash and only added to.

An entry's digest is SHA-256 over the digest before it and over what the entry says, as canonical JSON: who changes or
takes out an entry has to change all that follow, and the last digest with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.interval import to_us
from storage.database import READ_LOG_LOCK, Connection

ALG = "sha-256"
_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One part of the accounts of some enterprises, read by one request, by one right."""

    at: datetime
    request_id: str
    who: str
    key_prefix: str | None
    role: str | None
    tenant: tuple[str, ...]
    what: str
    part: str
    usccs: tuple[str, ...]
    object: str
    period: tuple[int, int] | None
    basis: str
    status: int


def digest(number: int, entry: LogEntry, previous: bytes) -> bytes:
    """The digest of an entry after another one's."""
    said = [
        number,
        to_us(entry.at),
        entry.request_id,
        entry.who,
        entry.key_prefix,
        entry.role,
        list(entry.tenant),
        entry.what,
        entry.part,
        list(entry.usccs),
        entry.object,
        None if entry.period is None else list(entry.period),
        entry.basis,
        entry.status,
        ALG,
    ]
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


_NAMES = (
    "number, at, request_id, who, key_prefix, role, tenant, what, part, usccs, object, period_from_us, period_to_us,"
    " basis, status, alg, previous, digest"
)


def append(conn: Connection, entries: Sequence[LogEntry]) -> None:
    """Add entries, in this order; they stand once the transaction has committed. One process at a time."""
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [READ_LOG_LOCK])
        last = conn.execute("SELECT number, digest FROM read_log ORDER BY number DESC LIMIT 1").fetchone()
        number, previous = (0, b"") if last is None else (int(last[0]), bytes(last[1]))
        rows: list[tuple[Any, ...]] = []
        owners: dict[tuple[str, int], None] = {}
        for entry in entries:
            number += 1
            its = digest(number, entry, previous)
            rows.append(
                (
                    number,
                    entry.at,
                    entry.request_id,
                    entry.who,
                    entry.key_prefix,
                    entry.role,
                    list(entry.tenant),
                    entry.what,
                    entry.part,
                    list(entry.usccs),
                    entry.object,
                    *((None, None) if entry.period is None else entry.period),
                    entry.basis,
                    entry.status,
                    ALG,
                    previous,
                    its,
                )
            )
            owners.update(dict.fromkeys((uscc, number) for uscc in entry.usccs))
            previous = its
        with conn.cursor() as cursor:
            with cursor.copy(f"COPY read_log ({_NAMES}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(
                """INSERT INTO read_log_enterprises (enterprise_id, number)
                   SELECT e.id, n.number FROM unnest(%s::text[], %s::bigint[]) AS n (uscc, number)
                   JOIN enterprises e USING (uscc)""",
                [[uscc for uscc, _ in owners], [number for _, number in owners]],
            )


class Shown(NamedTuple):
    """An entry as an enterprise sees it."""

    number: int
    at: datetime
    request_id: str
    who: str
    key_prefix: str | None
    role: str | None
    tenant: list[str]
    what: str
    part: str
    object: str
    period_from_us: int | None
    period_to_us: int | None
    basis: str
    status: int
    alg: str
    digest: bytes


def of_enterprise(
    conn: Connection,
    enterprise_id: int,
    after: int,
    limit: int,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> list[Shown]:
    """Entries on an enterprise beyond a number, in order; made at or after `from_`, before `to`."""
    rows = conn.execute(
        "SELECT * FROM visible_reads(%s::integer, %s::bigint, %s::integer, %s::timestamptz, %s::timestamptz)",
        [enterprise_id, after, limit, from_, to],
    )
    return [Shown(*row) for row in rows]


class Broken(NamedTuple):
    number: int
    fault: str


def walk(conn: Connection) -> Iterator[tuple[int, Broken | None]]:
    """Every entry's number with what is wrong with it: its digest, its place in the chain, its enterprises."""
    number, previous = 0, b""
    while True:
        rows = conn.execute(
            f"""SELECT {_NAMES},
                       (SELECT coalesce(array_agg(e.uscc), '{{}}') FROM read_log_enterprises o
                        JOIN enterprises e ON e.id = o.enterprise_id WHERE o.number = l.number)
                FROM read_log l WHERE number > %s ORDER BY number LIMIT %s""",
            [number, _PAGE],
        ).fetchall()
        if not rows:
            return
        for row in rows:
            (at_number, at, request, who, prefix, role, tenant, what, part, usccs, object_, from_us, to_us_, basis,
             status, alg, before, its, owners) = row  # fmt: skip
            entry = LogEntry(
                at,
                request,
                who,
                prefix,
                role,
                tuple(tenant),
                what,
                part,
                tuple(usccs),
                object_,
                None if from_us is None else (from_us, to_us_),
                basis,
                status,
            )
            fault = None
            if at_number != number + 1:
                fault = f"follows entry {number}: those between are gone"
            elif alg != ALG:
                fault = f"its digest is by {alg!r}, which isn't known here"
            elif bytes(before) != previous:
                fault = "names another digest before it than the entry before has"
            elif digest(at_number, entry, previous) != bytes(its):
                fault = "isn't what its digest is of"
            elif set(owners) != set(usccs):
                fault = "is shown to other enterprises than it is about"
            yield at_number, None if fault is None else Broken(at_number, fault)
            number, previous = at_number, bytes(its)
