"""Connections, the mode of a database, the guard of its settings, and the advisory locks.

A database is in one of two modes for life: `timescale`, where the log is a hypertable, or `plain`, where it
is a table partitioned by month. The first migration decides, by whether the server offers TimescaleDB.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo

from domain.errors import Refused, Unavailable

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Mode: TypeAlias = Literal["timescale", "plain"]

# Keys of pg_advisory_lock. Each is also small enough for the first half of the form with two keys.
MIGRATION_LOCK = 0x4342_0001  # one process migrates
PARTITION_LOCK = 0x4342_0002  # one transaction makes partitions
BATCH_ORDER_LOCK = 0x4342_0003  # held from a batch's commit_no to its commit, so that these agree in order
ENGINE_LOCK = 0x4342_0004  # with the shard as second key: one worker of accounting a shard
RUN_ORDER_LOCK = (
    0x4342_0006  # shared from a run's moment to its commit; alone who reads as of a moment, before it
)
FOLD_LOCK = 0x4342_0005  # one process folds batches into gateway_accounts
RELEASE_LOCK = 0x4342_0007  # one process releases held readings
HISTORY_LOCK = 0x4342_0008  # one transaction writes history
EVIDENCE_LOCK = 0x4342_0009  # one transaction appends to the evidence log
CHANGES_LOCK = 0x4342_000A  # one transaction gives changes their place in the feed
WEBHOOK_LOCK = 0x4342_000B  # with the webhook as second key: one process delivers to it
READ_LOG_LOCK = 0x4342_0010  # one process adds to the log of reads

POSTGRESQL_VERSION_MIN = 150_000

# jit: our statements are many and short, and compiling costs more than it saves (most on partitioned tables).
# The keepalives find a server that vanished within about half a minute instead of two hours.
_SESSION_OPTIONS = "-c timezone=UTC -c datestyle=ISO -c jit=off"
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}


def connection_arguments(url: str, application_name: str) -> dict[str, Any]:
    """Keyword arguments of psycopg's connect and pools; `url` is a PostgreSQL URL or a connection string."""
    return {
        "conninfo": url,
        "application_name": application_name,
        "options": _SESSION_OPTIONS,
        "connect_timeout": 10,
        **_KEEPALIVES,
    }


def connect(url: str, application_name: str = "carbonmeter", *, autocommit: bool = False) -> Connection:
    """A connection to the database; raises Unavailable where there is none to be had."""
    try:
        return psycopg.connect(**connection_arguments(url, application_name), autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise Unavailable(f"database: {str(error).strip()}") from error


def beside(conn: psycopg.Connection[Any]) -> Connection:
    """A second connection to the same database, in autocommit: what it writes stands whatever becomes of the first."""
    url = make_conninfo(conn.info.dsn, password=conn.info.password)
    return connect(url, conn.info.parameter_status("application_name") or "carbonmeter", autocommit=True)


def _value(conn: Connection, query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def mode(conn: Connection) -> Mode:
    """The mode of a migrated database; of an empty one, the mode that its first migration will choose."""
    kind = _value(conn, "SELECT (SELECT relkind FROM pg_class WHERE oid = to_regclass('readings'))")
    if kind is not None:
        return "plain" if kind in ("p", b"p") else "timescale"
    return "timescale" if _timescale_offered(conn) else "plain"


def _timescale_offered(conn: Connection) -> bool:
    # Without the preload, CREATE EXTENSION fails; the library's own setting shows that it is loaded.
    return bool(
        _value(
            conn,
            """
            SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
               AND EXISTS (SELECT FROM string_to_table(current_setting('shared_preload_libraries'), ',') AS library
                           WHERE trim(library, '" ') = 'timescaledb')
            """,
        )
    )


def columnstore_offered(conn: Connection) -> bool:
    """Whether this TimescaleDB has the columnstore: the build under the Apache licence alone has none."""
    licence = _value(conn, "SELECT current_setting('timescaledb.license', true)")
    return bool(licence == "timescale")


def versions(conn: Connection) -> dict[str, str]:
    """`{"postgresql": "18.6"}`, in timescale mode with "timescaledb"."""
    result = {"postgresql": str(_value(conn, "SHOW server_version")).split()[0]}
    row = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    if row is not None:
        result["timescaledb"] = row[0]
    return result


def guard(conn: Connection, *, allow_unsafe: bool = False) -> list[str]:
    """Refuse a server whose settings would break promise 1: an acknowledged reading is on disk.

    Returns the faults where they are explicitly allowed; raises Refused with all of them otherwise.
    A server older than 15 is refused in any case.
    """
    version = int(_value(conn, "SHOW server_version_num"))
    if version < POSTGRESQL_VERSION_MIN:
        raise Refused(
            f"database: PostgreSQL {_value(conn, 'SHOW server_version')} is too old, 15 or newer is needed"
        )
    faults = []
    if _value(conn, "SHOW fsync") != "on":
        faults.append("fsync is off: a crash of the machine can lose or corrupt what was acknowledged")
    if _value(conn, "SHOW full_page_writes") != "on":
        faults.append("full_page_writes is off: a crash of the machine can corrupt what was acknowledged")
    commit = _value(conn, "SHOW synchronous_commit")
    if commit == "off":
        faults.append("synchronous_commit is off: a commit returns before it is on disk")
    elif commit == "local":
        faults.append("synchronous_commit is local: a commit doesn't wait for the synchronous standbys")
    if faults and not allow_unsafe:
        raise Refused(
            "the database server could lose acknowledged readings:\n  "
            + "\n  ".join(faults)
            + "\nset these to on for the server, the role and the database, or, where losing data is acceptable,"
            + " allow it with CARBONMETER_ALLOW_UNSAFE_DATABASE=true"
        )
    return faults
