"""`carbonmeter findings`: what the checks between channels found, explained and settled by people."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from carbonmeter.set_aside import add_limit
from domain.errors import Fault, FaultyDocument, Refused
from domain.finding import RULES_ACTOR, Finding
from domain.interval import format_time, parse_time, to_us
from domain.reading import decimal_text
from domain.validation import CheckRule, FindingState, Severity
from storage import findings
from storage.database import Connection
from storage.findings import FindingFilter


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("findings", help="what the checks between channels found")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="by the beginning of their period, settled ones too")
    listing.add_argument("--enterprise", metavar="USCC")
    for name, choices in (("rule", CheckRule), ("severity", Severity), ("state", FindingState)):
        listing.add_argument(
            f"--{name}", choices=list(choices), metavar=name.upper(), help=", ".join(choices)
        )
    listing.add_argument(
        "--from", dest="from_", metavar="T", help="periods beyond this; RFC 3339 with an offset"
    )
    listing.add_argument("--to", metavar="T", help="periods that begin before this")
    add_limit(listing)
    explain = actions.add_parser("explain", help="say why they are as they are; they stay explained")
    settle = actions.add_parser("settle", help="they are dealt with, as far as they reach now")
    for each in (explain, settle):
        each.add_argument("ids", nargs="+", type=int, metavar="ID")
        each.add_argument("--text", required=True, help="kept with the finding")
        each.add_argument("--by", metavar="NAME", help="kept with it too; by default the user's name")
    for each in (listing, explain, settle):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def run(context: Context) -> int:
    return _list(context) if context.arguments.action == "list" else _say(context)


def _list(context: Context) -> int:
    arguments = context.arguments
    wanted = FindingFilter(
        arguments.enterprise,
        arguments.rule,
        arguments.severity,
        arguments.state,
        *_times(arguments),
    )
    with context.database() as conn:
        found = findings.findings(conn, wanted, None, arguments.limit)
    _print(context, found)
    return 0


def _times(arguments: argparse.Namespace) -> tuple[int | None, int | None]:
    given = {"--from": arguments.from_, "--to": arguments.to}
    times = {name: None if text is None else parse_time(text) for name, text in given.items()}
    faults = [
        Fault(name, f"{given[name]!r} is no RFC 3339 time with an offset")
        for name, us in times.items()
        if us is None and given[name] is not None
    ]
    if faults:
        raise FaultyDocument(faults)
    return times["--from"], times["--to"]


def _say(context: Context) -> int:
    arguments = context.arguments
    by, text = by_whom(arguments).strip(), arguments.text.strip()
    if not text:
        raise Refused("--text is empty: say why")
    if by == RULES_ACTOR:
        raise Refused(f"{RULES_ACTOR} stands for the rules: --by takes a person's name")
    put = findings.explain if arguments.action == "explain" else findings.settle
    with context.database() as conn:
        found = [_known(conn, id_) for id_ in arguments.ids]
        settled = [str(each.id) for each in found if each.state is FindingState.SETTLED]
        if settled and arguments.action == "explain":
            raise Refused(f"settled already: {', '.join(settled)}; nothing was changed")
        for id_ in arguments.ids:
            put(conn, id_, by, text)
        found = [_known(conn, id_) for id_ in arguments.ids]
    _print(context, found)
    return 0


def _known(conn: Connection, id_: int) -> Finding:
    found = findings.finding(conn, id_)
    if found is None:
        raise Refused(f"no finding {id_} is known; `carbonmeter findings list` shows them")
    return found


def _print(context: Context, found: Sequence[Finding]) -> None:
    offset_us = context.settings.zone_offset_us
    items: list[dict[str, Any]] = [
        {
            "id": each.id,
            "uscc": each.uscc,
            "rule": each.rule,
            "severity": each.severity,
            "subject": each.subject,
            "channels": list(each.channels),
            "from": format_time(each.from_us, offset_us),
            "to": format_time(each.to_us, offset_us),
            "days": each.days,
            "in_doubt_co2e_kg": decimal_text(each.mg, -6),
            "state": each.state,
            "holds": each.holds,
            "changed_at": format_time(to_us(each.changed_at), offset_us),
            "changed_by": each.changed_by,
            "why": each.why,
        }
        for each in found
    ]
    if context.arguments.json:
        print_json({"items": items})
        return
    columns = ("id", "severity", "rule", "uscc", "subject", "from", "to", "in_doubt_co2e_kg", "state", "why")
    print_table(columns, ([str(item[column])[:80] for column in columns] for item in items))
