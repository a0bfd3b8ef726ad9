"""`carbonmeter verify`: walk the promises over a live database; exit code 1 where one doesn't hold."""

from __future__ import annotations

import dataclasses
import sys

from carbonmeter.commands import Context, Subparsers, print_json, print_table, progress


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("verify", help="walk the promises over a live database")
    parser.add_argument(
        "--no-recompute",
        action="store_true",
        help="leave out computing the whole ledger again, for which accounting has to wait",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    from carbonmeter import audit  # the kernels and the factors: not while the usage is printed

    checks = []
    with context.database_url() as url:
        settings = context.settings.accounting(url)
        recompute = not context.arguments.no_recompute
        for check in audit.run(url, settings, progress, recompute=recompute):
            checks.append(check)
    if sys.stderr.isatty():
        progress("")
    broken = [check for check in checks if check.faults]
    if context.arguments.json:
        print_json({"holds": not broken, "checks": [dataclasses.asdict(check) for check in checks]})
        return 1 if broken else 0
    print_table(
        ("promise", "what is compared", "compared", "faults"),
        ((check.promise, check.name, f"{check.compared:,}", f"{check.faults:,}") for check in checks),
    )
    for check in broken:
        print(f"\n{check.name}: {check.faults:,} faults")
        for text in check.shown:
            print(f"  {text}")
        if check.faults > len(check.shown):
            print("  …")
    print("\nthe promises hold" if not broken else f"\n{len(broken)} of {len(checks)} checks found faults")
    return 1 if broken else 0
