"""`carbonmeter deadletters`: what was rejected, and reading it again once the fault is mended."""

from __future__ import annotations

from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from carbonmeter.operations import SetAside
from carbonmeter.set_aside import add_choice, add_limit, chosen, said
from domain.errors import RejectReason
from domain.interval import format_time, to_us
from storage import set_aside
from storage.database import connect
from storage.set_aside import Where


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("deadletters", help="payloads that were rejected")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="open dead letters, the oldest first")
    add_choice(listing, RejectReason, "received", with_ids=False)
    listing.add_argument("--all", action="store_true", help="those that were replayed, too")
    add_limit(listing)
    replay = actions.add_parser("replay", help="read letters again, with what is registered now")
    add_choice(replay, RejectReason, "received", with_ids=True)
    for each in (listing, replay):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def run(context: Context) -> int:
    return _list(context) if context.arguments.action == "list" else _replay(context)


def _list(context: Context) -> int:
    arguments = context.arguments
    choice = chosen(arguments)
    offset_us = context.settings.zone_offset_us
    where = Where(choice.reason, choice.gateway, choice.from_us)
    with context.database() as conn:
        letters = set_aside.dead_letters(conn, where, None, arguments.limit, with_replayed=arguments.all)
    items = [
        {
            "id": letter.id,
            "received_at": format_time(to_us(letter.received_at), offset_us),
            "reason": letter.reason,
            "gateway": letter.gateway,
            "readings": letter.readings,
            "size": letter.size,
            "topic": letter.topic.decode("utf-8", "backslashreplace"),
            "detail": letter.detail,
            "via": letter.via,
            "decoder": letter.decoder,
            "replayed_at": None
            if letter.replayed_at is None
            else format_time(to_us(letter.replayed_at), offset_us),
        }
        for letter in letters
    ]
    if arguments.json:
        print_json({"items": items})
        return 0
    columns = ("id", "received_at", "reason", "readings", "size", "topic", "detail")
    print_table(columns, ([str(item[column])[:80] for column in columns] for item in items))
    return 0


def _replay(context: Context) -> int:
    choice = chosen(context.arguments)
    with context.database_url() as url:
        settings = context.settings
        operations = SetAside(url, settings.clock_rules, settings.formats)
        counts = operations.replay(choice, by_whom(context.arguments))
        with connect(url) as conn:
            left = set_aside.dead_letters(conn, Where(choice.reason, choice.gateway, choice.from_us), None, 1)
    if context.arguments.json:
        print_json(dict(counts))
    else:
        print(
            f"replayed {said(counts.items())}" + ("; `deadletters list` shows what is left" if left else "")
        )
    return 0
