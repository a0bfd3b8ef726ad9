"""`carbonmeter restate`: compute the ledger again under the rules of the settings, or tell what a change would do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path

from accounting.due import Works, add_factors, all_of
from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_factors
from accounting.run import Accountant, rules_of
from accounting.work import Cause
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, progress
from carbonmeter.restatement import document_works, over_workers, show, told
from domain.errors import Refused
from domain.registry import Registry
from storage import registry as registry_storage
from storage.database import Connection, connect
from storage.emissions import latest_rules_and_factor_set


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "restate",
        help="compute the whole ledger again, or rehearse a change of it",
        description="Late readings, corrections, registry changes and new factors restate by themselves. This adopts"
        " a new rules version; with --dry-run it tells, source by source, what would change, and writes nothing.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would change, source by source"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--rules", action="store_true", help="adopt the rules version of the present settings")
    what.add_argument(
        "--factors", action="store_true", help="rehearse the installed factor set alone; with --dry-run"
    )
    what.add_argument(
        "--registry",
        type=Path,
        metavar="FILE",
        help="rehearse the import of a registry document; with --dry-run",
    )
    parser.add_argument(
        "--uscc", action="append", metavar="USCC", help="of this enterprise alone; with --dry-run"
    )
    parser.add_argument(
        "--from",
        dest="from_",
        type=date.fromisoformat,
        metavar="DAY",
        help="from a local day on; with --dry-run",
    )
    parser.add_argument(
        "--to", type=date.fromisoformat, metavar="DAY", help="until a local day, without it; with --dry-run"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="have it computed by the workers of this Dask scheduler"
    )
    parser.add_argument("--why", default="restatement", metavar="TEXT", help="kept with every new entry")
    parser.add_argument("--by", default=None, metavar="NAME", help="who restates; default: the user's name")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run, usage=parser.error)


def run(context: Context) -> int:
    arguments = context.arguments
    _check_usage(arguments)
    with context.database_url() as url, connect(url, "carbonmeter restate") as conn:
        rules = rules_of(context.settings.accounting(url))
        standing = latest_rules_and_factor_set(conn)
        calendar = registry_storage.calendar(conn)
        conn.commit()
        library = load_factors()
        accountant = Accountant(conn, library, rules)
        cause = Cause("rules", None, by_whom(arguments), arguments.why)
        if arguments.dry_run:
            days = _days(arguments)
            restated = accountant.rehearse(
                _works(arguments, conn, library, cause),
                usccs=arguments.uscc,
                days=None if days is None else (calendar.day_of(days[0]), calendar.day_of(days[1])),
                progress=lambda done, of: progress(f"rehearsed {done} of {of} enterprises"),
            )
        else:
            if standing is not None and standing[0] != rules.version and not arguments.rules:
                raise Refused(
                    f"the books stand on rules {standing[0]!r}, the settings ask for {rules.version!r}:"
                    " say --rules to adopt them"
                )
            distribute = None
            if arguments.scheduler is not None:
                distribute = over_workers(arguments.scheduler)
            restated = accountant.restate(
                cause,
                distribute=distribute,
                progress=lambda done, of: progress(f"restated {done} of {of} enterprises"),
            )
    changed = told(restated, calendar)
    if arguments.json:
        print_json(
            {
                "dry_run": arguments.dry_run,
                "rules": rules.version,
                "factor_set": library.set_hash,
                "entries": restated.entries,
                "superseded": restated.superseded,
                "changed": changed,
            }
        )
        return 0
    would = "would be " if arguments.dry_run else ""
    print(f"{restated.entries:,} entries {would}written, {restated.superseded:,} of them superseding")
    if changed:
        show(changed)
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    """End with exit code 2 where the arguments don't go together."""
    if arguments.dry_run:
        if arguments.scheduler is not None:
            arguments.usage("--scheduler computes a restatement that is kept; a rehearsal runs here")
        if (arguments.from_ is None) != (arguments.to is None):
            arguments.usage("--from and --to go together")
        if arguments.from_ is not None and arguments.from_ >= arguments.to:
            arguments.usage(f"--to ({arguments.to}) must lie after --from ({arguments.from_})")
        return
    alone = {"--factors": arguments.factors, "--registry": arguments.registry, "--uscc": arguments.uscc}
    alone |= {"--from": arguments.from_, "--to": arguments.to}
    given = [name for name, value in alone.items() if value]
    if given:
        arguments.usage(f"{', '.join(given)}: only with --dry-run; such changes restate by themselves")


def _days(arguments: argparse.Namespace) -> tuple[date, date] | None:
    return None if arguments.from_ is None else (arguments.from_, arguments.to)


def _works(
    arguments: argparse.Namespace, conn: Connection, library: FactorLibrary, cause: Cause
) -> Callable[[Registry], Works]:
    """What is to be rehearsed."""
    if arguments.registry is not None:
        return document_works(conn, arguments.registry.read_bytes(), library, cause)
    if arguments.factors:

        def of_factors(registry: Registry) -> Works:
            works: Works = {}
            add_factors(works, registry.enterprises.values(), cause._replace(kind="factors"), library)
            return works

        return of_factors
    return lambda registry: all_of(registry.enterprises.values(), cause)
