"""`carbonmeter restate`: compute the whole ledger again, under the rules that the settings name."""

from __future__ import annotations

import getpass

from accounting.factors.load import load as load_factors
from accounting.run import Accountant, rules_of
from accounting.work import Cause
from carbonmeter.commands import Context, Subparsers, print_json, print_table
from domain.errors import Refused
from domain.reading import decimal_text
from storage.database import connect
from storage.emissions import latest_rules_and_factor_set


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "restate",
        help="compute the whole ledger again",
        description="Late readings, corrections, registry changes and new factors restate by themselves. This adopts"
        " a new rules version, or shows what a restatement would change.",
    )
    parser.add_argument(
        "--rules", action="store_true", help="adopt the rules version of the present settings"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only tell what would change, source by source"
    )
    parser.add_argument("--why", default="restatement", metavar="TEXT", help="kept with every new entry")
    parser.add_argument("--by", default=None, metavar="NAME", help="who restates; default: the user's name")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    with context.database_url() as url, connect(url, "carbonmeter restate") as conn:
        settings = context.settings.accounting(url)
        rules = rules_of(settings)
        standing = latest_rules_and_factor_set(conn)
        conn.commit()
        if (
            standing is not None
            and standing[0] != rules.version
            and not (arguments.rules or arguments.dry_run)
        ):
            raise Refused(
                f"the books stand on rules {standing[0]!r}, the settings ask for {rules.version!r}:"
                " say --rules to adopt them"
            )
        accountant = Accountant(conn, load_factors(), rules)
        cause = Cause("rules", None, arguments.by or getpass.getuser(), arguments.why)
        restated = accountant.restate(cause, keep=not arguments.dry_run)
    changed = [
        {
            "uscc": uscc,
            "source": source,
            "series": series,
            "before_kg": kilograms(old),
            "after_kg": kilograms(new),
        }
        for (uscc, source, series), (old, new) in restated.changed.items()
    ]
    if arguments.json:
        print_json(
            {
                "dry_run": arguments.dry_run,
                "rules": rules.version,
                "entries": restated.entries,
                "superseded": restated.superseded,
                "changed": changed,
            }
        )
        return 0
    would = "would be " if arguments.dry_run else ""
    print(f"{restated.entries:,} entries {would}written, {restated.superseded:,} of them superseding")
    if changed:
        print_table(
            ("enterprise", "source", "before kg", "after kg"),
            ((row["uscc"], row["source"], row["before_kg"], row["after_kg"]) for row in changed),
        )
    return 0


def kilograms(mg: int) -> str:
    return decimal_text(mg, -6)
