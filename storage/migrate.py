"""Migrations: numbered SQL files, each applied once and never changed after; functions re-applied each time.

A line of a migration that ends with `-- only plain` or `-- only timescale` belongs to that mode alone. A run
is one transaction under a lock, so that a failed one leaves nothing and several may start at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg

from domain.errors import Refused
from domain.interval import Calendar
from storage import row_security
from storage.database import MIGRATION_LOCK, Connection, Mode, columnstore_offered, mode, versions

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")
_ONLY = re.compile(r"^(.*?)\s*-- only (plain|timescale)$", re.MULTILINE)

_FUNCTIONS = 0  # the row of schema_migrations that tells which functions were applied

TIMESCALE_VERSION_MIN = (2, 22)  # the first whose columnstore can keep the range of batch_id

# Readings older than this come late and seldom: then columns, in the order in which a channel is read again.
_COLUMNSTORE_AFTER = "14 days"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()

    def text_for(self, chosen: Mode) -> str:
        """The SQL of this migration in a mode."""
        return _ONLY.sub(lambda match: match[1] if match[2] == chosen else "", self.text)


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did: the mode of the database and the names of the migrations that it applied.

    is_secured  row-level security is in force: the role that sessions of the API go on as could be had
    """

    mode: Mode
    applied: tuple[str, ...]
    is_secured: bool


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """The migrations of a folder (by default this release's own) in their order, numbered without a gap."""
    folder = folder or files("storage") / "migrations"
    found = sorted(
        (
            Migration(int(match[1]), entry.name, entry.read_text("utf-8"))
            for entry in folder.iterdir()
            if (match := _FILE.match(entry.name))
        ),
        key=lambda migration: migration.number,
    )
    if not found or [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise Refused(
            f"migrations must be numbered 0001, 0002 … without a gap: {[each.name for each in found]}"
        )
    return found


def functions() -> list[tuple[str, str]]:
    """(name, SQL) of the functions and views, in the order of their names."""
    folder = files("storage") / "functions"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name) if folder.is_dir() else []
    return [(entry.name, entry.read_text("utf-8")) for entry in entries if entry.name.endswith(".sql")]


def migrate(conn: Connection, calendar_offset_us: int, steps: Iterable[Migration] | None = None) -> Migrated:
    """Bring the database to this release's schema; harmless when it is there already.

    `calendar_offset_us`: offset of the local calendar [µs], fixed by the first migration.
    Raises Refused where an applied migration has changed since, where the database is of a newer release,
    where its calendar is another one, and where TimescaleDB is offered but can't be created.
    """
    Calendar(calendar_offset_us)
    steps = list(steps) if steps is not None else migrations()
    with conn.transaction():
        # The lock is first: two that start at once would both find no table and both create it.
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        chosen = mode(conn)
        if chosen == "timescale":
            _create_timescale(conn)
        conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number     integer     PRIMARY KEY,
                name       text        NOT NULL,
                checksum   bytea       NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """
        )
        pending = _pending(conn, steps)
        for step in pending:
            _apply(conn, step.name, step.text_for(chosen))
            conn.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                [step.number, step.name, step.checksum],
            )
        # Functions are of the newest schema; a test stops at an older one, where their tables aren't there yet.
        conn.execute("SET LOCAL check_function_bodies = off")
        for name, text in functions():
            _apply(conn, name, text)
        conn.execute("SET LOCAL check_function_bodies = on")
        is_secured = row_security.make_role(conn)
        if is_secured:
            row_security.apply(conn)
        conn.execute(
            """
            INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, 'functions', %s)
            ON CONFLICT (number) DO UPDATE SET checksum = excluded.checksum, applied_at = excluded.applied_at
            """,
            [_FUNCTIONS, _checksum(is_usable=is_secured)],
        )
        if chosen == "timescale":
            _columnstore(conn)
        _settle_calendar(conn, calendar_offset_us)
    return Migrated(chosen, tuple(step.name for step in pending), is_secured)


def is_current(conn: Connection, calendar_offset_us: int) -> bool:
    """Whether there is nothing to migrate: cheap, and takes no lock of a running server. Refuses as `migrate` does."""
    known = conn.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone()
    if known != (True,) or _pending(conn, migrations()):
        return False
    row = conn.execute("SELECT checksum FROM schema_migrations WHERE number = %s", [_FUNCTIONS]).fetchone()
    if row is None or bytes(row[0]) != _checksum(is_usable=row_security.is_usable(conn)):
        return False
    _settle_calendar(conn, calendar_offset_us)
    return True


def _checksum(*, is_usable: bool) -> bytes:
    """Of the functions and of row-level security, and whether that could be had."""
    parts = [part for pair in functions() for part in pair]
    return hashlib.sha256("\0".join([*parts, row_security.checksum(is_usable=is_usable)]).encode()).digest()


def _pending(conn: Connection, steps: list[Migration]) -> list[Migration]:
    applied = {
        number: (name, bytes(checksum))
        for number, name, checksum in conn.execute(
            "SELECT number, name, checksum FROM schema_migrations WHERE number <> %s", [_FUNCTIONS]
        )
    }
    known = {step.number: step for step in steps}
    for number, (name, checksum) in sorted(applied.items()):
        if number not in known:
            raise Refused(
                f"the database has migration {name}, which this release doesn't know: it was migrated by a"
                " newer release; use that one"
            )
        if known[number].checksum != checksum:
            raise Refused(
                f"migration {known[number].name} has changed since it was applied to this database;"
                " an applied migration stays as it is, a change of the schema is a new migration"
            )
    return [step for step in steps if step.number not in applied]


def _apply(conn: Connection, name: str, text: str) -> None:
    try:
        conn.execute(text.encode())
    except psycopg.Error as error:
        raise Refused(f"{name}: {str(error).strip()}") from error


def _create_timescale(conn: Connection) -> None:
    try:
        conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refused(
            "the server offers TimescaleDB and this role may not create it; as a superuser, in this database:"
            " CREATE EXTENSION timescaledb"
        ) from error
    version = versions(conn)["timescaledb"]
    if tuple(map(int, version.split("-")[0].split(".")[:2])) < TIMESCALE_VERSION_MIN:
        raise Refused(
            f"TimescaleDB {version} is too old, {'.'.join(map(str, TIMESCALE_VERSION_MIN))} or newer is needed"
        )


def _columnstore(conn: Connection) -> None:
    """Columns for old chunks, by channel and time; not in the build under the Apache licence alone."""
    if not columnstore_offered(conn):
        return
    enabled = conn.execute(
        """
        SELECT compression_enabled FROM timescaledb_information.hypertables
        WHERE hypertable_schema = current_schema AND hypertable_name = 'readings'
        """
    ).fetchone()
    if enabled == (False,):
        conn.execute(
            """
            ALTER TABLE readings SET (
                timescaledb.enable_columnstore,
                timescaledb.segmentby = 'channel_id',
                timescaledb.orderby = 'measured_at',
                timescaledb.sparse_index = 'minmax(batch_id)'
            )
            """
        )
    conn.execute(
        "CALL add_columnstore_policy('readings', after => %s::interval, if_not_exists => true)",
        [_COLUMNSTORE_AFTER],
    )


def _settle_calendar(conn: Connection, calendar_offset_us: int) -> None:
    conn.execute(
        "INSERT INTO registry_state (calendar_offset_us) VALUES (%s) ON CONFLICT DO NOTHING",
        [calendar_offset_us],
    )
    row = conn.execute("SELECT calendar_offset_us FROM registry_state").fetchone()
    assert row is not None
    if row[0] != calendar_offset_us:
        raise Refused(
            f"the ledger of this database is kept in local days at {_offset(row[0])}; the setting says"
            f" {_offset(calendar_offset_us)}: set CARBONMETER_ZONE={_offset(row[0])}"
        )


def _offset(us: int) -> str:
    minutes = abs(us) // 60_000_000
    return f"{'-' if us < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
