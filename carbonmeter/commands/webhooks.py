"""`carbonmeter webhooks`: where changes are sent to; added, listed, removed, sent again."""

from __future__ import annotations

import argparse

from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from domain.change import ChangeKind
from domain.errors import Refused
from domain.interval import format_time, to_us
from storage import webhooks
from storage.webhooks import Webhook


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("webhooks", help="addresses that changes are sent to")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser(
        "add", help="send changes to an address; prints the secret that signs them, once"
    )
    add.add_argument("url", help="https://…; http for this machine alone")
    add.add_argument("--key", required=True, metavar="PREFIX", help="the key whose eyes it hears with")
    add.add_argument(
        "--kind", action="append", default=[], choices=list(ChangeKind), help="these alone; left out: all"
    )
    add.add_argument("--by", metavar="NAME", help="who adds it; else the user's name")
    listing = actions.add_parser("list", help="all of them, and how far each has come")
    remove = actions.add_parser("remove", help="end one")
    replay = actions.add_parser("replay", help="send again, also to one that was given up")
    for each in (add, replay):
        each.add_argument(
            "--after",
            type=int,
            metavar="NUMBER",
            help="begin behind this change (0: at the first); left out: "
            + ("behind the newest" if each is add else "where it stands"),
        )
    for each in (remove, replay):
        each.add_argument("id", type=int, help="as `webhooks list` shows it")
    for each in (add, listing, remove, replay):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    actions = {"add": _add, "list": _list, "remove": _remove, "replay": _replay}
    return actions[arguments.action](context, arguments)


def _add(context: Context, arguments: argparse.Namespace) -> int:
    from api.webhooks import check_url, secret_text  # the API's libraries: not while the usage is printed

    url = check_url(arguments.url)
    with context.database() as conn:
        made = webhooks.add(conn, url, arguments.key, arguments.kind, by_whom(arguments), arguments.after)
    if made is None:
        raise Refused(
            f"no key that is in force begins with {arguments.key!r}; `carbonmeter keys list` shows them"
        )
    hook, secret = made
    if arguments.json:
        print_json({**_described(hook, context.settings.zone_offset_us), "secret": secret_text(secret)})
    else:
        print(f"webhook {hook.id}, secret {secret_text(secret)}")
    return 0


def _list(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        found = [_described(hook, context.settings.zone_offset_us) for hook in webhooks.every(conn)]
    if arguments.json:
        print_json({"items": found})
        return 0
    columns = ("id", "url", "key", "state", "cursor", "delivered", "attempts", "last_error")
    print_table(columns, ([("" if hook[name] is None else hook[name]) for name in columns] for hook in found))
    return 0


def _remove(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        hook = webhooks.remove(conn, arguments.id)
    return _told(context, arguments, hook, "removed")


def _replay(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        hook = webhooks.replay(conn, arguments.id, arguments.after)
    return _told(context, arguments, hook, "is sent to again")


def _told(context: Context, arguments: argparse.Namespace, hook: Webhook | None, what: str) -> int:
    if hook is None:
        raise Refused(
            f"there is no webhook {arguments.id}, or it was removed; `carbonmeter webhooks list` shows them"
        )
    if arguments.json:
        print_json(_described(hook, context.settings.zone_offset_us))
    else:
        print(f"webhook {hook.id} {what}")
    return 0


def _described(hook: Webhook, offset_us: int) -> dict[str, object]:
    times = {
        name: None if moment is None else format_time(to_us(moment), offset_us)
        for name, moment in (
            ("next_attempt_at", hook.next_attempt_at),
            ("delivered_at", hook.delivered_at),
            ("created_at", hook.created_at),
        )
    }
    fields = {name: value for name, value in hook._asdict().items() if name != "number"}
    return {**fields, **times, "cursor": str(hook.number)}
