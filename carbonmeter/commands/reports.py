"""`carbonmeter reports`: publish the report of a year, list what was published, show it again, and tell what has
changed since. Published with the same function as `POST /v1/enterprises/{uscc}/reports`.
"""

from __future__ import annotations

import argparse
from typing import Any

from api import published
from carbonmeter import reporting
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from domain.errors import Refused
from storage import reports


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("reports", help="publish reports; list and show published ones")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    publish = actions.add_parser(
        "publish", help="freeze the report of a year in every form", description="It can't be changed after."
    )
    publish.add_argument("uscc", metavar="USCC", help="the enterprise")
    publish.add_argument("year", metavar="YEAR", type=reporting.year, help="a local calendar year")
    publish.add_argument("--why", required=True, metavar="TEXT", help="kept with the report")
    publish.add_argument("--by", metavar="NAME", help="kept with it too; by default the user's name")
    reporting.add_as_of(publish)

    listing = actions.add_parser("list", help="what was published of an enterprise, ascending by time")
    listing.add_argument("uscc", metavar="USCC", help="the enterprise")
    listing.add_argument(
        "--year", metavar="YEAR", type=reporting.year, default=None, help="of this year alone"
    )

    differences = actions.add_parser("differences", help="how the ledger differs from a published report")
    differences.add_argument("id", metavar="ID", type=_id)
    reporting.add_as_of(differences)
    for each in (publish, listing, differences):
        each.add_argument("--json", action="store_true", help="for machines")

    show = actions.add_parser("show", help="the bytes that were published")
    show.add_argument("id", metavar="ID", type=_id)
    reporting.add_form(show)
    for action, run in (
        (publish, _publish),
        (listing, _list),
        (differences, _differences),
        (show, _show),
    ):
        action.set_defaults(run=run)


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a published report")
    return int(text)


def _publish(context: Context) -> int:
    arguments = context.arguments
    why, by = arguments.why.strip(), by_whom(arguments).strip()
    if not why or len(why) > published.WHY_MAX:
        raise Refused(f"--why takes 1 to {published.WHY_MAX} characters")
    with reporting.reader(context) as reader:
        reporting.refuse_ahead(arguments.as_of, reader.clock.now_us())
        kept = published.publish_year(
            reader, None, arguments.uscc, arguments.year, as_of_us=arguments.as_of, by=by, why=why
        )
    if arguments.json:
        print_json(kept)
    else:
        _table([kept])
    return 0


def _list(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        enterprise = session.enterprise(arguments.uscc)
        found = reports.published_of(session.conn, enterprise.id, arguments.year)
        items = [published.described(each, session) for each in found]
    if arguments.json:
        print_json({"items": items})
    else:
        _table(items)
    return 0


def _table(items: list[dict[str, Any]]) -> None:
    print_table(
        ("id", "year", "published at", "by", "account kg", "ets kg", "as of", "why"),
        (
            (
                *(each["id"], each["year"], each["published_at"], each["by"]),
                *(each[f"{boundary}_kg"] or "unknown" for boundary in ("account", "ets")),
                *(each["as_of"], each["why"]),
            )
            for each in items
        ),
    )


def _show(context: Context) -> int:
    arguments = context.arguments
    form = reporting.form(arguments)
    with reporting.reader(context) as reader, reader.session(None) as session:
        found = published.published(session, arguments.id)
        content = published.content(session, found.id, form, arguments.lang)
    reporting.send(content, form, arguments.output)
    return 0


def _differences(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        reporting.refuse_ahead(arguments.as_of, session.now_us)
        told = published.differences(session, published.published(session, arguments.id), arguments.as_of)
    if arguments.json:
        print_json(told)
    elif not told["differs"]:
        print("the ledger says what was published")
    elif not told["totals"] and not told["sources"]:
        print("the sums are what was published; what they rest on differs")
    else:
        print_table(
            ("boundary", "source", "published kg", "present kg", "difference kg"),
            (
                (
                    *(each["boundary"], each.get("source", "total")),
                    *(each[name] or "unknown" for name in ("published_kg", "present_kg")),
                    each["difference_kg"],
                )
                for each in (*told["totals"], *told["sources"])
            ),
        )
    return 0
