"""`carbonmeter quota`: state the units or lines of compliance years, and show what a year comes to; with the same
functions as the API.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api import quota
from api.errors import place_of
from api.quota_schemas import YEAR_MAX, YEAR_MIN, QuotaStatements
from api.routes.quotas import state
from carbonmeter import reporting
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from domain.errors import Fault, FaultyDocument


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("quota", help="allowances of the emissions trading system: state, show")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    stating = actions.add_parser(
        "state",
        help="state units or lines of compliance years",
        description='FILE is JSON as POST /v1/quotas takes it: {"statements": […], "why": …} (docs/quota.md). All of it'
        " is kept or, with every fault listed, nothing.",
    )
    stating.add_argument("file", metavar="FILE", help="JSON; - for standard input")
    stating.add_argument("--by", metavar="NAME", help="kept with it; by default the user's name")
    stating.set_defaults(run=_state)
    show = actions.add_parser("show", help="allowances, forecast and gap of a year")
    show.add_argument("uscc", metavar="USCC", help="the enterprise")
    show.add_argument("year", metavar="YEAR", type=_year, help="compliance year")
    show.add_argument(
        "--balance-value", metavar="BP", help="as another scenario than the one stated [tCO2/t]"
    )
    reporting.add_as_of(show)
    show.set_defaults(run=_show)
    for each in (stating, show):
        each.add_argument("--json", action="store_true", help="for machines")


def _year(text: str) -> int:
    if not text.isdecimal() or not YEAR_MIN <= int(text) <= YEAR_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no year of {YEAR_MIN} to {YEAR_MAX}")
    return int(text)


def _state(context: Context) -> int:
    arguments = context.arguments
    text = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    try:
        given = QuotaStatements.model_validate_json(text)
    except ValidationError as error:
        raise FaultyDocument(
            [
                Fault(place_of(("path", *each["loc"])), each["msg"].removeprefix("Value error, "))
                for each in error.errors()
            ]
        ) from error
    with reporting.reader(context) as reader:
        kept = state(reader, None, given, by_whom(arguments))
    if arguments.json:
        print_json(kept)
    else:
        items: list[dict[str, Any]] = kept["items"]  # type: ignore[assignment]
        print_table(
            ("id", "enterprise", "year", "sector", "at", "by"),
            (
                [
                    *(each[name] for name in ("id", "uscc", "year")),
                    each["statement"]["sector"],
                    each["at"],
                    each["by"],
                ]
                for each in items
            ),
        )
    return 0


def _show(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None, arguments.as_of) as session:
        reporting.refuse_ahead(arguments.as_of, session.now_us)
        enterprise = session.enterprise(arguments.uscc)
        told = quota.quota_of(session, enterprise, arguments.year, arguments.balance_value, arguments.as_of)
    if arguments.json:
        print_json(told)
    else:
        _print(told)
    return 0


def _print(told: dict[str, Any]) -> None:
    totals = told["totals"]
    print_table(
        ("boundary", "so far [t]", "coverage"),
        (
            (name, totals[f"{name}_t"] or "unknown", totals[f"{name}_coverage"] or "-")
            for name in ("account", "ets")
        ),
    )
    for name in ("units", "lines"):
        if told[name]:
            print()
            print_table((name[:-1], "due [t]"), ((each["id"], each["allowance_t"]) for each in told[name]))
    print()
    spread = told["gap_t"]
    rows = [("due for the year [t]", told["allowance_t"] or "unknown")]
    if told["forecast"]:
        emissions = told["forecast"]["emissions_t"]
        rows.append(("emissions P10, P50, P90 [t]", "  ".join(emissions.values())))
    if spread:
        rows.append(("gap P10, P50, P90 [t]", "  ".join(spread.values())))
        warned = told["warning"]
        rows.append(("warning", f"{warned['band']}, {warned['days_to_surrender']} days to surrender"))
    print_table(("", ""), rows)
    for each in told["lacking"]:
        print(f"lacking: {each}")
