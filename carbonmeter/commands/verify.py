"""`carbonmeter verify`: walk the promises over a live database; exit code 1 where one doesn't hold.

`--chaos` proves them on a server of its own instead, under faults; the configured database is never touched.
`--proof` checks a proof of the evidence log from a file, with no server and no database.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from carbonmeter.commands import Context, Subparsers, print_json, print_table, progress
from domain.errors import Refused


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("verify", help="walk the promises over a live database")
    parser.add_argument(
        "--no-recompute",
        action="store_true",
        help="leave out computing the whole ledger again, for which accounting has to wait",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    proof = parser.add_argument_group("evidence", "without a server, a database or a network")
    proof.add_argument(
        "--proof",
        type=Path,
        metavar="FILE",
        help="check this proof, as `GET /v1/evidence/inclusion` or `/consistency` answered it",
    )
    proof.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="NAME+HASH+KEY",
        help="the verifier key that it must be signed by, known from elsewhere; may stand several times",
    )
    proof.add_argument("--record", type=Path, metavar="FILE", help="the record that it must be the proof of")
    chaos = parser.add_argument_group("faults", "on a server of its own in a temporary folder")
    chaos.add_argument(
        "--chaos",
        action="store_true",
        help="strike a server under load with faults, and look that nothing is lost and the books are right",
    )
    chaos.add_argument("--runs", type=int, default=10, metavar="N", help="seeded runs (10)")
    chaos.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the first run (1); the next has N + 1"
    )
    chaos.add_argument("--faults", type=int, default=2, metavar="N", help="blows in each run (2)")
    chaos.add_argument(
        "--recovery-s",
        type=float,
        default=30.0,
        metavar="S",
        help="within which all must work again after a fault has ended (30)",
    )
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    if context.arguments.proof is not None:
        return _proof(context.arguments)
    if context.arguments.key or context.arguments.record is not None:
        raise Refused("--key and --record belong to --proof FILE")
    if context.arguments.chaos:
        return _chaos(context)
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


def _proof(arguments: argparse.Namespace) -> int:
    from domain.evidence import parse_verifier_key, verify_proof

    trusted = [parse_verifier_key(text) for text in arguments.key]
    record = None if arguments.record is None else arguments.record.read_bytes()
    try:
        document = json.loads(arguments.proof.read_bytes())
    except (ValueError, RecursionError):
        raise Refused(f"{arguments.proof}: no proof in JSON") from None
    if not isinstance(document, dict):
        raise Refused(f"{arguments.proof}: no proof in JSON")
    found = verify_proof(document, trusted, record)
    if arguments.json:
        print_json(
            {
                "holds": True,
                "says": found.says,
                "origin": found.checkpoint.origin,
                "size": found.checkpoint.size,
                "root": found.checkpoint.root.hex(),
                "key_id": found.key.key_id,
                "trusted": found.is_trusted,
            }
        )
        return 0
    print(f"the proof holds: {found.says}")
    print(f"signed by key {found.key.key_id} of {found.checkpoint.origin}")
    if not found.is_trusted:
        print("that key came with the proof: compare it with the published one, or name it with --key")
    return 0


def _chaos(context: Context) -> int:
    from bench.chaos.run import Options, Report
    from bench.chaos.run import run as runs

    arguments = context.arguments
    if arguments.runs < 1 or arguments.faults < 0 or arguments.recovery_s <= 0:
        raise Refused("--runs must be at least 1, --faults at least 0, and --recovery-s above 0")
    options = Options(arguments.seed, arguments.runs, arguments.faults, arguments.recovery_s)
    began = time.monotonic()
    left_out: list[str] = []

    def say(text: str) -> None:
        left_out.append(text)
        print(text, file=sys.stderr, flush=True)

    reports: list[Report] = []
    for report in runs(options, say):
        reports.append(report)
        if not arguments.json:
            _print(report)
    bad = [report for report in reports if report.problems]
    recoveries = sorted(
        blow.recovery_s for report in reports for blow in report.blows if blow.recovery_s is not None
    )
    totals = {
        "runs": len(reports),
        "faults": sum(report.faults for report in reports),
        "messages": sum(report.messages for report in reports),
        "readings": sum(report.readings for report in reports),
        "duplicates": sum(report.duplicates for report in reports),
        "samples": sum(report.samples for report in reports),
        "recovery_s_median": recoveries[len(recoveries) // 2] if recoveries else None,
        "recovery_s_max": recoveries[-1] if recoveries else None,
        "seconds": time.monotonic() - began,
    }
    if arguments.json:
        print_json(
            {
                "holds": not bad,
                "left_out": left_out,
                **totals,
                "reports": [each.as_dict() for each in reports],
            }
        )
        return 1 if bad else 0
    print(
        f"\n{totals['runs']} runs, {totals['faults']} faults, {totals['readings']:,} readings"
        f" ({totals['duplicates']:,} stored twice and counted once), {totals['samples']:,} looks at accounts"
    )
    if recoveries:
        print(
            f"recovered within {totals['recovery_s_median']:.1f} s (median), {recoveries[-1]:.1f} s at most,"
            " after a fault's end"
        )
    print("nothing was lost and the books are right" if not bad else f"{len(bad)} runs found faults")
    return 1 if bad else 0


def _print(report: object) -> None:
    from bench.chaos.run import Report

    assert isinstance(report, Report)
    struck = []
    for blow in report.blows:
        names = " + ".join(blow.faults) or f"(left out: {', '.join(blow.skipped)})"
        struck.append(names if blow.recovery_s is None else f"{names}: {blow.recovery_s:.1f} s")
    print(
        f"seed {report.seed}: {report.readings:,} readings of {report.gateways} gateways in {report.seconds:.0f} s; "
        + "; ".join(struck),
        flush=True,
    )
    for problem in report.problems:
        print(f"  FAULT {problem}", flush=True)
    if report.problems:
        print(f"  again: {report.again}", flush=True)
