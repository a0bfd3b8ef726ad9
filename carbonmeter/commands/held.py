"""`carbonmeter held`: readings kept aside until their reason ends, or a person decides."""

from __future__ import annotations

from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from carbonmeter.operations import SetAside
from carbonmeter.set_aside import add_choice, add_limit, chosen, said
from domain.errors import HoldReason
from domain.interval import format_time, to_us
from domain.reading import decimal_text
from storage import set_aside
from storage.set_aside import Where


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("held", help="readings kept aside until their reason ends")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what is held, the oldest first")
    add_choice(listing, HoldReason, "measured", with_ids=False)
    add_limit(listing)
    release = actions.add_parser(
        "release", help="store them in spite of the clock, as far as they are registered"
    )
    discard = actions.add_parser("discard", help="reject them: they become dead letters")
    for each in (release, discard):
        add_choice(each, HoldReason, "measured", with_ids=True)
    for each in (listing, release, discard):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def run(context: Context) -> int:
    return _list(context) if context.arguments.action == "list" else _decide(context)


def _list(context: Context) -> int:
    arguments = context.arguments
    choice = chosen(arguments)
    offset_us = context.settings.zone_offset_us
    with context.database() as conn:
        found = set_aside.held(
            conn, Where(choice.reason, choice.gateway, choice.from_us), None, arguments.limit
        )
    items = [
        {
            "id": reading.id,
            "received_at": format_time(to_us(reading.received_at), offset_us),
            "reason": reading.reason,
            "gateway": reading.gateway,
            "channel": f"{reading.meter}/{reading.channel}",
            "at": format_time(to_us(reading.measured_at), offset_us),
            "sent": decimal_text(reading.mantissa, reading.exponent),
            "topic": reading.topic,
        }
        for reading in found
    ]
    if arguments.json:
        print_json({"items": items})
        return 0
    columns = ("id", "reason", "gateway", "channel", "at", "sent")
    print_table(columns, ([str(item[column])[:80] for column in columns] for item in items))
    return 0


def _decide(context: Context) -> int:
    arguments = context.arguments
    choice = chosen(arguments)
    with context.database_url() as url:
        operations = SetAside(url, context.settings.clock_rules)
        act = operations.release if arguments.action == "release" else operations.discard
        counts = act(choice, by_whom(arguments))
    if arguments.json:
        print_json(dict(counts))
    else:
        print(said(counts.items()))
    return 0
