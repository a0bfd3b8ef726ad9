"""`carbonmeter migrate`: bring the database to this release's schema."""

from __future__ import annotations

from carbonmeter.commands import Context, Subparsers, print_json
from carbonmeter.embedded import database_url
from domain.clock import SystemClock
from storage import partitions
from storage.database import connect, guard, versions
from storage.migrate import migrate


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("migrate", help="bring the database to this release's schema")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    settings = context.settings
    with database_url(settings.database, settings.home) as url, connect(url, "carbonmeter migrate") as conn:
        unsafe = guard(conn, allow_unsafe=settings.allow_unsafe_database)
        done = migrate(conn, settings.zone_offset_us)
        made = partitions.keep_ahead(conn, SystemClock().now_us())
        conn.commit()
        software = versions(conn)
    if context.arguments.json:
        print_json({"mode": done.mode, "applied": done.applied, "partitions": made, "versions": software})
        return 0
    print(f"{done.mode} mode, " + ", ".join(f"{name} {version}" for name, version in software.items()))
    for name in done.applied:
        print(f"applied {name}")
    if not done.applied:
        print("the schema is up to date")
    for fault in unsafe:
        print(f"warning: {fault}")
    return 0
