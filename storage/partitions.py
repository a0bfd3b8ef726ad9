"""Monthly partitions of the log in plain mode, made ahead of the readings and never inside a batch.

In timescale mode there is nothing to do: a hypertable makes its chunks itself.
Months are of UTC. A partition is made beside the log and then attached: attaching lets batches go on, while
CREATE TABLE … PARTITION OF would wait for every batch and make the next ones wait.
"""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import sql

from domain import interval
from storage.database import PARTITION_LOCK, Connection, mode

LEAD_MONTHS = 3  # an open-ended validity has its partitions this far ahead

_PREFIX = "readings_"


def _month_number(us: int) -> int:
    moment = interval.from_us(us)
    return moment.year * 12 + moment.month - 1


def _month_start(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _name(number: int) -> str:
    return f"{_PREFIX}{number // 12:04}_{number % 12 + 1:02}"


def _existing(conn: Connection) -> set[int]:
    rows = conn.execute(
        """
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'readings'::regclass
        """
    )
    return {
        int(year) * 12 + int(month) - 1
        for (name,) in rows
        for year, month in [name[len(_PREFIX) :].split("_")]
    }


def horizon(now_us: int) -> int:
    """The moment [µs] up to which partitions are kept ahead: the end of the third month after this one."""
    return interval.to_us(_month_start(_month_number(now_us) + LEAD_MONTHS + 1))


def ensure(conn: Connection, from_us: int, to_us: int) -> list[str]:
    """Make the partitions for stamps within `from_us … to_us` [µs], both included; the names of the new ones.

    Part of the caller's transaction: they exist for others once it commits. Repeats and concurrent calls are
    harmless.
    """
    if mode(conn) == "timescale" or to_us < from_us:
        return []
    wanted = range(_month_number(from_us), _month_number(to_us) + 1)
    if _existing(conn).issuperset(wanted):
        return []
    made = []
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        # read again: who held the lock before us may have made them
        for number in sorted(set(wanted) - _existing(conn)):
            name = _name(number)
            conn.execute(
                sql.SQL(
                    """
                    CREATE TABLE {name} (LIKE readings INCLUDING DEFAULTS INCLUDING STORAGE);
                    ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})
                    """
                ).format(
                    name=sql.Identifier(name),
                    start=sql.Literal(_month_start(number).isoformat()),
                    end=sql.Literal(_month_start(number + 1).isoformat()),
                )
            )
            made.append(name)
    return made


def keep_ahead(conn: Connection, now_us: int) -> list[str]:
    """Keep the partitions of open-ended validities three months ahead; the server calls it now and then.

    Starts at the newest month made by then, so that a server which was off for a year leaves no hole.
    """
    if mode(conn) == "timescale":
        return []
    end_us = horizon(now_us)
    last = _month_number(end_us) - 1
    begun = [number for number in _existing(conn) if number <= last]
    first = min(max(begun, default=last), _month_number(now_us))
    return ensure(conn, interval.to_us(_month_start(first)), end_us - 1)
