"""`carbonmeter grades`: state figures, run grades, publish a quarter, list and show records, shadow runs, schemes; with
the same functions as the API.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from accounting.grades.inputs import month_text
from accounting.grades.statements import month_of
from api import grade_schemas, grading
from api.errors import place_of
from api.routes.grades import changes_of, enter_scheme, schemes_json, state
from api.shadow import scheme_for, shadow
from carbonmeter import publication, reporting
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from carbonmeter.signing_keys import SigningKeys
from domain.errors import Fault, FaultyDocument, Refused
from storage import grades


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "grades", help="green grades: state, run, publish, list, show, shadow, schemes"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, run: Callable[[Context], int], text: str) -> argparse.ArgumentParser:
        each = actions.add_parser(name, help=text)
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)
        return each

    stating = action("state", _state, "state value added, products, facts (docs/grades.md)")
    stating.add_argument(
        "file", metavar="FILE", help="JSON as POST /v1/grades/statements takes; - for standard input"
    )
    stating.add_argument("--by", metavar="NAME", help="kept with it; by default the user's name")

    running = action("run", _run, "grade a closed month: who has no record of it yet")
    _kind(running)
    running.add_argument(
        "--again", action="store_true", help="and who has one from other inputs: the new record supersedes it"
    )
    running.add_argument("--month", metavar="M", type=_month, help="closing month; default: the newest")

    listing = action("list", _list, "the ranking of a month")
    _kind(listing)
    listing.add_argument("--month", metavar="M", type=_month, help="default: the newest that is graded")

    show = action("show", _show, "an enterprise's grade")
    show.add_argument("uscc", metavar="USCC")
    show.add_argument("--kind", choices=grading.KINDS, default="INDICATIVE", help="default: INDICATIVE")
    show.add_argument("--month", metavar="M", type=_month, help="default: the newest")

    publish = action("publish", _publish, "take a quarter's grades one stage on: TRIAL, NOTIFIED, EFFECTIVE")
    publish.add_argument("month", metavar="M", type=_month, help="the quarter's last month, such as 2026-06")
    publish.add_argument("--stage", choices=publication.STAGES, required=True)
    _signed(publish)

    objections = action("objections", _objections, "objections to published grades")
    objections.add_argument("--month", metavar="M", type=_month, help="of this quarter alone")

    decide = action("decide", _decide, "end an objection: UPHELD 维持, or CORRECTED 更正 by a new record")
    decide.add_argument("id", metavar="ID", type=_number)
    decide.add_argument("outcome", choices=("UPHELD", "CORRECTED"))
    _signed(decide)

    shadowing = action("shadow", _shadow, "who would have another label by another scheme")
    shadowing.add_argument("--scheme", metavar="'ID VERSION'", help="default: the one in force")
    shadowing.add_argument(
        "--change", metavar="PATH=VALUE", action="append", default=[], help="such as labels.1.1=62"
    )
    _kind(shadowing)
    shadowing.add_argument("--from", dest="first", metavar="M", type=_month, help="default: as --to")
    shadowing.add_argument(
        "--to", dest="last", metavar="M", type=_month, help="default: the newest that is graded"
    )

    schemes = action("schemes", _schemes, "list schemes; add one, adopt one")
    schemes.add_argument("--add", metavar="FILE", type=Path, help="a scheme's JSON")
    schemes.add_argument("--adopt", metavar="'ID VERSION'", help="which grades from --from on")
    schemes.add_argument("--from", dest="first", metavar="M", help="closing month, such as 2026-06")
    schemes.add_argument("--why", metavar="TEXT", help="kept with it")
    schemes.add_argument("--by", metavar="NAME", help="kept with it; by default the user's name")


def _kind(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kind", choices=grading.KINDS, default=grading.INDICATIVE, help="default: INDICATIVE"
    )


def _signed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", required=True, metavar="TEXT", help="kept with it")
    parser.add_argument("--by", metavar="NAME", help="kept with it; by default the user's name")


def _month(text: str) -> int:
    if not re.match(grade_schemas.MONTH, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-06")
    return month_of(text)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of an objection")
    return int(text)


def _read(model: type[BaseModel], text: bytes | str) -> Any:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise FaultyDocument(
            [
                Fault(place_of(("path", *each["loc"])), each["msg"].removeprefix("Value error, "))
                for each in error.errors()
            ]
        ) from error


def _state(context: Context) -> int:
    arguments = context.arguments
    text = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    given = _read(grade_schemas.GradeStatements, text)
    with reporting.reader(context) as reader:
        kept = state(reader, None, given, by_whom(arguments))
    if arguments.json:
        print_json({"kept": kept})
    else:
        print(f"{kept} statements kept")
    return 0


def _run(context: Context) -> int:
    arguments = context.arguments
    keys = SigningKeys(context.settings.signing_keys_folder)
    with reporting.reader(context) as reader, reader.session(None) as session:
        month = arguments.month if arguments.month is not None else grading.last_closed_month(session)
        with reader.pool.connection() as conn, conn.transaction():
            kept, graded = grading.run(session, conn, month, arguments.kind, keys, is_again=arguments.again)
    if arguments.json:
        print_json({"month": month_text(month), "kind": arguments.kind, "kept": kept, "graded": graded})
    else:
        print(f"{month_text(month)} {arguments.kind}: {graded} graded, {kept} new records")
    return 0


def _list(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        names = {each.id: each for each in session.registry.enterprises.values()}
        month = arguments.month
        if month is None:
            month = grades.newest_month(session.conn, arguments.kind)
        rows = [] if month is None else grades.ranking(session.conn, arguments.kind, month, list(names)).rows
        items = [
            {
                "uscc": names[row.enterprise_id].uscc,
                "name_zh": names[row.enterprise_id].name_zh,
                "label": row.label,
                "state": row.state,
                "score": None if row.score is None else f"{row.score:.4f}",
            }
            for row in rows
        ]
    if arguments.json:
        print_json({"month": None if month is None else month_text(month), "items": items})
    else:
        print_table(
            ("enterprise", "name", "label", "state", "score"),
            (
                [each["uscc"], each["name_zh"], each["label"], each["state"], each["score"] or "-"]
                for each in items
            ),
        )
    return 0


def _show(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        enterprise = session.enterprise(arguments.uscc)
        found = grades.newest(session.conn, enterprise.id, [arguments.kind], arguments.month)
        if found is None:
            raise Refused(f"{arguments.uscc} has no {arguments.kind} grade yet")
        told = grading.told(found)
    if arguments.json:
        print_json(told)
        return 0
    rows = [
        ("label", f"{told['label']} {told['label_zh']}{' (provisional)' if told['provisional'] else ''}"),
        ("period", f"{told['period']['from']} to {told['period']['to']}"),
        ("scheme", f"{told['scheme']['id']} {told['scheme']['version']}"),
        ("score", told["score"] or "-"),
        *((f"  {code}", f"{score} × {told['weights'][code]}") for code, score in told["scores"].items()),
        ("emissions [t]", told["emissions_t"]),
        ("coverage", told["coverage"] or "-"),
    ]
    if told["peers"]:
        rows.append(("peers", f"{told['peers']['step']}, {told['peers']['n']}, K {told['peers']['k']}"))
    distance = told["distance"]
    if distance:
        reduction = f"{distance['d_tco2e']} tCO2e less" if distance["d_tco2e"] else "not by emissions alone"
        rows.append(("next label", f"{distance['to_label']}: {reduction}"))
    print_table(("", ""), rows)
    for each in told["reasons"]:
        print(each)
    return 0


def _publish(context: Context) -> int:
    arguments = context.arguments
    keys = SigningKeys(context.settings.signing_keys_folder)
    with reporting.reader(context) as reader:
        told = publication.advance(
            reader, arguments.month, arguments.stage, keys, by_whom(arguments), arguments.why
        )
    if arguments.json:
        print_json(told)
    else:
        until = f", objections until {told['until']}" if told["until"] else ""
        print(f"{told['month']}: {told['stage']}, {told['records']} records{until}")
    return 0


def _objections(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        names = {each.id: each.uscc for each in session.registry.enterprises.values()}
        items = [
            {
                "id": each.id,
                "grade": each.record_id,
                "uscc": names[each.enterprise_id],
                "due": each.due.isoformat(),
                "outcome": each.outcome,
                "text": each.text,
            }
            for each in grades.objections(session.conn, month=arguments.month)
        ]
    if arguments.json:
        print_json({"items": items})
    else:
        print_table(
            ("id", "grade", "enterprise", "due", "outcome", "text"),
            (
                [each[name] or "open" for name in ("id", "grade", "uscc", "due", "outcome", "text")]
                for each in items
            ),
        )
    return 0


def _decide(context: Context) -> int:
    arguments = context.arguments
    keys = SigningKeys(context.settings.signing_keys_folder)
    with reporting.reader(context) as reader:
        told = publication.decide(
            reader, arguments.id, arguments.outcome, keys, by_whom(arguments), arguments.why
        )
    if arguments.json:
        print_json(told)
    else:
        corrected = f", by grade {told['new_grade']}" if told["new_grade"] else ""
        print(f"objection {told['id']}: {told['outcome']}{corrected}")
    return 0


def _shadow(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        last = arguments.last
        if last is None:
            last = grades.newest_month(session.conn, arguments.kind)
        if last is None:
            raise Refused(f"nothing is graded {arguments.kind} yet")
        used = scheme_for(session, arguments.scheme, changes_of(arguments.change), last)
        first = last if arguments.first is None else arguments.first
        told = shadow(session, used, arguments.kind, first, last)
    if arguments.json:
        print_json(told)
    else:
        print(f"{told['graded']} graded, {told['moved']} would move: {told['up']} up, {told['down']} down")
        print_table(
            ("enterprise", "month", "label", "shadow", "score", "shadow score"),
            (
                [
                    each[name] or "-"
                    for name in ("uscc", "month", "label", "shadow_label", "score", "shadow_score")
                ]
                for each in told["items"]
            ),
        )
    return 0


def _schemes(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader:
        if arguments.add is not None or arguments.adopt is not None:
            entry = {
                "scheme": None if arguments.add is None else _json_of(arguments.add),
                "adopt": arguments.adopt,
                "from": arguments.first,
                "why": arguments.why or "",
            }
            given = _read(grade_schemas.SchemeEntry, json.dumps(entry))
            items = enter_scheme(reader, given, by_whom(arguments))
        else:
            with reader.session(None) as session:
                items = schemes_json(session)
    if arguments.json:
        print_json({"items": items})
    else:
        print_table(
            ("scheme", "version", "in force", "origin", "confidence", "hash"),
            (
                [
                    *(each["id"], each["version"], "yes" if each["in_force"] else ""),
                    *(each["document"]["origin"]["status"], each["document"]["origin"]["confidence"]),
                    each["hash"][:12],
                ]
                for each in items
            ),
        )
    return 0


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Refused(f"{path}: no JSON: {error}") from error
