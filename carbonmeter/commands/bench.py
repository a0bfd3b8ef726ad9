"""`carbonmeter bench`: how fast it is on this machine, beside bare limits and other engines, in one run."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
import time
from typing import Any

from bench.report import Row, as_json, table
from bench.sizes import QUICK_API, QUICK_INGEST, QUICK_KERNELS, ApiSizes, IngestSizes, KernelSizes
from carbonmeter.commands import Context, Subparsers, print_json, print_table, progress
from domain.errors import Refused

# What it measures, its sizes, those of the quick run.
_BENCHES: dict[str, tuple[str, Any, Any]] = {
    "ingest": (
        "from packets to committed rows and their acknowledgement, at the endpoint and through Mosquitto",
        IngestSizes(),
        QUICK_INGEST,
    ),
    "kernels": ("from registers to windows of emissions, and a year restated", KernelSizes(), QUICK_KERNELS),
    "api": ("answers under a steady stream of requests over a city", ApiSizes(), QUICK_API),
}


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("bench", help="measure speed, beside bare limits and other engines")
    benches = parser.add_subparsers(dest="bench", metavar="BENCH", required=True)
    for name, (what, sizes, _) in _BENCHES.items():
        each = benches.add_parser(name, help=what, description=what)
        each.add_argument(
            "--case", action="append", metavar="NAME", help="only this case; may stand several times"
        )
        each.add_argument("--quick", action="store_true", help="a small run that shows it works, as CI does")
        each.add_argument("--json", action="store_true", help="for machines")
        for field in dataclasses.fields(sizes):
            each.add_argument(
                "--" + field.name.replace("_", "-"),
                type=type(field.default),
                metavar="N",
                help=f"{field.metadata['what']} ({field.default:g})",
            )
        each.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    module = importlib.import_module(f"bench.{arguments.bench}")
    cases = arguments.case or list(module.CASES)
    unknown = [case for case in cases if case not in module.CASES]
    if unknown:
        raise Refused(f"no case {', '.join(unknown)}; there are {', '.join(module.CASES)}")
    began = time.monotonic()
    rows: list[Row] = module.run(
        context.settings,
        cases,
        _sizes(arguments),
        lambda text: progress(f"bench {arguments.bench}, {time.monotonic() - began:.0f} s: {text}"),
    )
    if sys.stderr.isatty():
        progress("")
    if arguments.json:
        print_json(as_json(rows))
    else:
        print_table(*table(rows))
    return 1 if any(row.has_failed for row in rows) else 0


def _sizes(arguments: argparse.Namespace) -> Any:
    """Those of the run, with what the command line says."""
    _, usual, quick = _BENCHES[arguments.bench]
    sizes = quick if arguments.quick else usual
    given = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(sizes)}
    for name, value in given.items():
        if value is not None and value < 0:
            raise Refused(f"--{name.replace('_', '-')} ({value:g}) must not be below 0")
    return dataclasses.replace(sizes, **{name: value for name, value in given.items() if value is not None})
