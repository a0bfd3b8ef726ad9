"""`carbonmeter keys`: API keys, made, listed and revoked. The text of a key is shown once."""

from __future__ import annotations

import argparse

from carbonmeter.commands import Context, Subparsers, print_json, print_table
from domain.errors import Refused
from domain.interval import format_time, to_us
from storage import keys


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("keys", help="API keys of devices, platforms and people")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print it; it can't be shown again")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        metavar="S",
        help=", ".join(keys.Scope) + "; may stand several times",
    )
    create.add_argument(
        "--gateway", action="append", default=[], metavar="USCC/ID", help="the gateways it may publish for"
    )
    create.add_argument("--name", default="", help="whose it is: changes made under it are signed with this")
    listing = actions.add_parser("list", help="all keys, revoked ones too, without their secrets")
    revoke = actions.add_parser("revoke", help="end a key")
    revoke.add_argument("prefix", help="the first part of the key, as `keys list` shows it, or the whole key")
    for each in (create, listing, revoke):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    action = {"create": _create, "list": _list, "revoke": _revoke}[arguments.action]
    return action(context, arguments)


def _create(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        text, key = keys.create(conn, arguments.scope, arguments.gateway, arguments.name)
    if arguments.json:
        print_json({"key": text, **_described(key, context.settings.zone_offset_us)})
    else:
        print(text)
    return 0


def _list(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        found = [_described(key, context.settings.zone_offset_us) for key in keys.every(conn)]
    if arguments.json:
        print_json({"items": found})
        return 0
    columns = ("prefix", "name", "scopes", "gateways", "created_at", "revoked_at")
    print_table(
        columns,
        (
            [" ".join(value) if isinstance(value := key[column], list) else value or "" for column in columns]
            for key in found
        ),
    )
    return 0


def _revoke(context: Context, arguments: argparse.Namespace) -> int:
    text = arguments.prefix
    prefix = text.split("_")[1] if text.startswith("cm_") and text.count("_") >= 1 else text
    with context.database() as conn:
        key = keys.revoke(conn, prefix)
    if key is None:
        raise Refused(f"no key begins with {prefix!r}; `carbonmeter keys list` shows them")
    if arguments.json:
        print_json(_described(key, context.settings.zone_offset_us))
    else:
        print(f"revoked {key.prefix} {key.name}".rstrip())
    return 0


def _described(key: keys.Key, offset_us: int) -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "gateways": sorted(key.gateways),
        "created_at": format_time(to_us(key.created_at), offset_us),
        "revoked_at": None if key.revoked_at is None else format_time(to_us(key.revoked_at), offset_us),
    }
