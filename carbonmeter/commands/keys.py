"""`carbonmeter keys`: API keys, made, listed and revoked. The text of a key is shown once."""

from __future__ import annotations

import argparse

from carbonmeter.commands import Context, Subparsers, print_json, print_table
from domain.access import Role
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
        default=[],
        metavar="S",
        help=", ".join(keys.Scope) + "; may stand several times; left out with a role: what it mostly has",
    )
    create.add_argument(
        "--gateway", action="append", default=[], metavar="USCC/ID", help="the gateways it may publish for"
    )
    create.add_argument("--name", default="", help="whose it is: changes made under it are signed with this")
    whose = create.add_argument_group("tenant", "with a role a key reads what the role's tenant may")
    whose.add_argument("--role", choices=list(Role), metavar="ROLE", help=", ".join(Role))
    whose.add_argument("--enterprise", action="append", default=[], metavar="USCC", help="of role enterprise")
    whose.add_argument("--park", action="append", default=[], metavar="CODE", help="of role park")
    whose.add_argument(
        "--bank", metavar="CODE", help="of role bank: what consents name it by, its USCC or a code"
    )
    whose.add_argument(
        "--district", action="append", default=[], metavar="CODE", help="of role regulator: 行政区划代码"
    )
    whose.add_argument("--basis", default="", metavar="TEXT", help="the law or order that it reads by")
    whose.add_argument(
        "--limit",
        action="append",
        default=[],
        type=_limit,
        metavar="NAME=N",
        help=f"its own in place of the server's: {', '.join(keys.Limit)}",
    )
    create.set_defaults(parser=create)
    listing = actions.add_parser("list", help="all keys, revoked ones too, without their secrets")
    revoke = actions.add_parser("revoke", help="end a key")
    revoke.add_argument("prefix", help="the first part of the key, as `keys list` shows it, or the whole key")
    for each in (create, listing, revoke):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in list(keys.Limit) or not number.isascii() or not number.isdigit() or int(number) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be NAME=N, with a number above 0 and one of {', '.join(keys.Limit)}"
        )
    return name, int(number)


def run(context: Context) -> int:
    arguments = context.arguments
    action = {"create": _create, "list": _list, "revoke": _revoke}[arguments.action]
    return action(context, arguments)


def _create(context: Context, arguments: argparse.Namespace) -> int:
    if not arguments.scope and arguments.role is None:
        arguments.parser.error("the following arguments are required: --scope (or --role)")
    tenants = {
        Role.ENTERPRISE: arguments.enterprise,
        Role.PARK: arguments.park,
        Role.BANK: [] if arguments.bank is None else [arguments.bank],
        Role.REGULATOR: arguments.district,
    }
    if any(given and role != arguments.role for role, given in tenants.items()):
        arguments.parser.error("--enterprise, --park, --bank and --district go with the role of that name")
    with context.database() as conn:
        text, key = keys.create(
            conn,
            arguments.scope,
            arguments.gateway,
            arguments.name,
            role=arguments.role,
            tenant=[each for given in tenants.values() for each in given],
            basis=arguments.basis,
            limits=dict(arguments.limit),
        )
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
    columns = ("prefix", "name", "role", "tenant", "scopes", "gateways", "created_at", "revoked_at")
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
        "role": key.role,
        "tenant": sorted(key.tenant),
        "basis": key.basis,
        "limits": dict(key.limits),
        "created_at": format_time(to_us(key.created_at), offset_us),
        "revoked_at": None if key.revoked_at is None else format_time(to_us(key.revoked_at), offset_us),
    }
