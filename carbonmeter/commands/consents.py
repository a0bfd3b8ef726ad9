"""`carbonmeter consents`: what enterprises let banks read; granted, revoked and listed."""

from __future__ import annotations

import argparse
import hashlib
from datetime import date
from pathlib import Path

from api import consents as granting
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from carbonmeter.set_aside import add_limit
from domain.access import CONSENTED
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import parse_time
from storage import consents, registry


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("consents", help="what enterprises let banks read")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    grant = actions.add_parser("grant", help="record that an enterprise consents")
    grant.add_argument("uscc", metavar="USCC", help="the enterprise")
    grant.add_argument("consumer", metavar="BANK", help="as its key names it: keys create --role bank --bank")
    grant.add_argument("--purpose", required=True, metavar="TEXT")
    grant.add_argument(
        "--field", action="append", required=True, metavar="PART", help=", ".join(sorted(CONSENTED))
    )
    grant.add_argument(
        "--period", action="append", default=[], type=_period, metavar="FROM/TO",
        help="local days that may be read of, the second the first after it; left out: all",
    )  # fmt: skip
    grant.add_argument(
        "--granted-by", required=True, metavar="NAME", help="who has signed for the enterprise"
    )
    text = grant.add_mutually_exclusive_group(required=True)
    text.add_argument(
        "--text", type=Path, metavar="FILE", help="what was agreed to: its SHA-256 is kept, not the file"
    )
    text.add_argument("--text-hash", metavar="HEX", help="the SHA-256 of it")
    grant.add_argument("--from", dest="from_", type=_time, metavar="T", help="valid from; default: now")
    grant.add_argument("--to", type=_time, metavar="T", help="valid until; default: until it is revoked")
    revoke = actions.add_parser("revoke", help="end a consent; nothing is read by it from now on")
    revoke.add_argument("id", type=int, metavar="ID")
    revoke.add_argument("--why", required=True, metavar="TEXT")
    for each in (grant, revoke):
        each.add_argument("--by", metavar="NAME", help="who records it; by default the user's name")
    listing = actions.add_parser("list", help="consents, ended and revoked ones too")
    listing.add_argument("--enterprise", metavar="USCC")
    listing.add_argument("--bank", metavar="CODE")
    add_limit(listing)
    for each, run in ((grant, _grant), (revoke, _revoke), (listing, _list)):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def _period(text: str) -> tuple[date, date]:
    first, _, end = text.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(end)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be two days such as 2026-01-01/2027-01-01") from None


def _time(text: str) -> int:
    us = parse_time(text)
    if us is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no RFC 3339 time with an offset")
    return us


def _grant(context: Context) -> int:
    arguments = context.arguments
    digest = arguments.text_hash
    if arguments.text is not None:
        digest = hashlib.sha256(arguments.text.read_bytes()).hexdigest()
    wished = granting.Grant(
        arguments.consumer,
        arguments.purpose,
        arguments.field,
        arguments.period,
        arguments.granted_by,
        digest,
        valid_from_us=arguments.from_,
        valid_to_us=arguments.to,
    )
    now_us = SystemClock().now_us()
    with context.database() as conn:
        calendar = registry.calendar(conn)
        enterprise = registry.load(conn, [arguments.uscc]).enterprises.get(arguments.uscc)
        if enterprise is None:
            raise Refused(f"no enterprise {arguments.uscc!r} is registered")
        kept = granting.grant(conn, enterprise, wished, by_whom(arguments), now_us, calendar)
        shown = granting.described(kept, calendar)
    if arguments.json:
        print_json(shown)
    else:
        print(f"consent {kept.id}")
    return 0


def _revoke(context: Context) -> int:
    arguments = context.arguments
    with context.database() as conn:
        kept = consents.revoke(conn, arguments.id, by_whom(arguments), arguments.why)
        if kept is None:
            raise Refused(f"no consent {arguments.id} is known; `carbonmeter consents list` shows them")
        shown = granting.described(kept, registry.calendar(conn))
    if arguments.json:
        print_json(shown)
    else:
        print(f"revoked consent {kept.id} of {kept.uscc} to {kept.consumer}")
    return 0


def _list(context: Context) -> int:
    arguments = context.arguments
    with context.database() as conn:
        found = consents.listed(conn, arguments.enterprise, arguments.bank, 0, arguments.limit)
        calendar = registry.calendar(conn)
    items = [granting.described(each, calendar) for each in found]
    if arguments.json:
        print_json({"items": items})
        return 0
    columns = ("id", "uscc", "consumer", "purpose", "fields", "valid_from", "valid_to", "state")
    print_table(
        columns,
        (
            [" ".join(item[column]) if column == "fields" else item[column] or "" for column in columns]
            for item in items
        ),
    )
    return 0
