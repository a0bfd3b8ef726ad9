"""`carbonmeter certificates`: enter retired green certificates from a file, list them, take one back, and show a year's
electricity location- and market-based.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.electricity import certificate_json, electricity_of, take_certificates
from api.errors import place_of
from api.quota_schemas import CertificateEntries
from carbonmeter import reporting
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table
from domain.errors import Fault, FaultyDocument, Refused
from storage import quotas

COLUMNS = ("number", "year", "mwh", "retired_on", "evidence")


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "certificates", help="green certificates: enter, list, void; electricity two ways"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    enter = actions.add_parser(
        "enter",
        help="enter certificates that were retired",
        description=f"FILE is CSV with the columns {', '.join(COLUMNS)}, or JSON as POST …/certificates takes it. All"
        " of them are entered or, with every fault listed, none.",
    )
    enter.add_argument("file", metavar="FILE", type=Path)
    listing = actions.add_parser("list", help="an enterprise's certificates, voided ones too")
    void = actions.add_parser("void", help="take a certificate back: it stays to be read and counts no more")
    void.add_argument("number", metavar="NUMBER")
    void.add_argument("--why", required=True, metavar="TEXT", help="kept with it")
    year = actions.add_parser(
        "electricity", help="purchased electricity of a year, location- and market-based"
    )
    year.add_argument("year", metavar="YEAR", type=reporting.year)
    reporting.add_as_of(year)
    for action, run in ((enter, _enter), (listing, _list), (void, _void), (year, _electricity)):
        action.add_argument("--uscc", required=True, metavar="USCC", help="the enterprise")
        action.add_argument("--json", action="store_true", help="for machines")
        action.set_defaults(run=run)
    for action in (enter, void):
        action.add_argument("--by", metavar="NAME", help="kept with it; by default the user's name")


def _entries(path: Path) -> CertificateEntries:
    content = path.read_bytes()
    try:
        if path.suffix.lower() == ".csv":
            text = content.decode("utf-8-sig")
            rows = list(csv.DictReader(io.StringIO(text)))
            return CertificateEntries.model_validate_json(
                json.dumps({"certificates": [_row(row) for row in rows]})
            )
        return CertificateEntries.model_validate_json(content)
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: is no UTF-8 text") from error
    except ValidationError as error:
        raise FaultyDocument(
            [
                Fault(place_of(("path", *each["loc"])), each["msg"].removeprefix("Value error, "))
                for each in error.errors()
            ]
        ) from error


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    """A row of CSV as JSON has it; an empty cell isn't there, and a year is a number where it is one."""
    found = {str(name): cell for name, cell in row.items() if cell not in ("", None)}
    year = found.get("year")
    if isinstance(year, str) and year.isdecimal():
        found["year"] = int(year)
    return found


def _enter(context: Context) -> int:
    arguments = context.arguments
    given = _entries(arguments.file)
    with reporting.reader(context) as reader:
        with reader.session(None) as session:
            enterprise = session.enterprise(arguments.uscc)
        with reader.pool.connection() as conn:
            told = take_certificates(conn, enterprise, given.certificates, by_whom(arguments))
    if arguments.json:
        print_json(told)
    else:
        print(f"{told['new']} entered, {told['known']} known already")
    return 0


def _list(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        enterprise = session.enterprise(arguments.uscc)
        found = quotas.certificates(session.conn, enterprise.id, None)
        items = [certificate_json(each, session, enterprise.uscc) for each in found]
    if arguments.json:
        print_json({"items": items})
    else:
        print_table(
            ("number", "year", "MWh", "retired on", "voided", "evidence"),
            (
                (
                    *(each[name] for name in ("number", "year", "mwh", "retired_on")),
                    each["void_why"] or "-",
                    each["evidence"],
                )
                for each in items
            ),
        )
    return 0


def _void(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None) as session:
        enterprise = session.enterprise(arguments.uscc)
        with reader.pool.connection() as conn, conn.transaction():
            found = quotas.void(conn, enterprise.id, arguments.number, by_whom(arguments), arguments.why)
        if found is None:
            raise Refused(f"{enterprise.uscc} has no certificate {arguments.number!r}")
        told = certificate_json(found, session, enterprise.uscc)
    if arguments.json:
        print_json(told)
    else:
        print(f"{arguments.number} counts no more")
    return 0


def _electricity(context: Context) -> int:
    arguments = context.arguments
    with reporting.reader(context) as reader, reader.session(None, arguments.as_of) as session:
        reporting.refuse_ahead(arguments.as_of, session.now_us)
        told = electricity_of(session, session.enterprise(arguments.uscc), arguments.year, arguments.as_of)
    if arguments.json:
        print_json(told)
    else:
        names = ("purchased_mwh", "certified_mwh", "idle_mwh", "location_tco2e", "market_tco2e")
        print_table(("", ""), ((name, told[name] or "unknown") for name in names))
    return 0
