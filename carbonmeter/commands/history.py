"""`carbonmeter history`: years of enterprises by rows of a file: templates, import, what is there, recomputing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounting.factors.load import load as load_library
from accounting.history.cells import BYTES_MAX
from accounting.history.row import YEAR_MAX, YEAR_MIN, FileDefaults
from accounting.history.statements import Result
from accounting.history.template import template, template_csv
from accounting.history.template_xlsx import template_xlsx
from accounting.history.vocabulary import Provenance
from api.history import Document, SentFile, import_file, recompute, result_here
from api.history_json import completeness_json, imported_json, version_json, year_json
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, print_table, progress
from carbonmeter.distribute import over_enterprises
from domain.errors import Fault, FaultyDocument, Refused
from domain.identity import uscc_fault
from domain.interval import to_us
from domain.registry import Registry
from storage import history
from storage import registry as registry_storage

FIRST_YEAR = 2020
_PROGRESS_YEARS = 200  # files of fewer years are done before one looks


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("history", help="years of enterprises by rows of a file, CSV or XLSX")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    make = actions.add_parser("template", help="write what to fill in for an industry")
    make.add_argument("industry", metavar="INDUSTRY", help="a code such as steel")
    make.add_argument("--edition", metavar="E", help="by default the industry's own")
    make.add_argument(
        "--lang", choices=("zh", "en"), default="zh", help="of titles and explanations, default zh"
    )
    make.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="XLSX if its name ends so, CSV if in .csv; - for CSV on "
        "standard output",
    )  # fmt: skip
    bring = actions.add_parser("import", help="bring a file in, all of it or nothing")
    bring.add_argument("--check", action="store_true", help="only check it, as the action check does")
    check = actions.add_parser("check", help="list every fault of a file, or what it would change")
    for each in (bring, check):
        each.add_argument("file", metavar="FILE", help="CSV or XLSX; - for standard input")
        each.add_argument("--uscc", metavar="USCC", help="of rows that name no enterprise")
        each.add_argument("--provenance", choices=list(Provenance), help="of rows that name none")
    listing = actions.add_parser(
        "list", help="the years of an enterprise; without one, which years there are of all"
    )
    listing.add_argument("uscc", metavar="USCC", nargs="?")
    listing.add_argument(
        "--from-year", type=_year, default=FIRST_YEAR, metavar="Y", help=f"default {FIRST_YEAR}"
    )
    listing.add_argument("--to-year", type=_year, metavar="Y", help="by default the last that has ended")
    listing.add_argument("--industry", metavar="I")
    listing.add_argument("--missing", action="store_true", help="only enterprises that lack a year")
    again = actions.add_parser("recompute", help="compute anew what was computed under another factor set")
    again.add_argument("--dry-run", action="store_true", help="only tell what would change")
    again.add_argument("--scheduler", metavar="ADDRESS", help="compute on the workers of this Dask scheduler")
    for each in (bring, again):
        each.add_argument("--why", default="", metavar="TEXT", help="kept with the versions")
        each.add_argument("--by", metavar="NAME", help="kept with the versions; by default the user's name")
    for each in (bring, check, listing, again):
        each.add_argument("--json", action="store_true", help="for machines")
    for each in (make, bring, check, listing, again):
        each.set_defaults(run=run)


def _year(text: str) -> int:
    if not text.isdecimal() or not YEAR_MIN <= int(text) <= YEAR_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no year of {YEAR_MIN} to {YEAR_MAX}")
    return int(text)


def run(context: Context) -> int:
    actions = {
        "template": _template,
        "import": _import,
        "check": _import,
        "list": _list,
        "recompute": _recompute,
    }
    return actions[context.arguments.action](context, context.arguments)


def _template(_context: Context, arguments: argparse.Namespace) -> int:
    made = template(load_library(), arguments.industry, arguments.edition, arguments.lang)
    path: str = arguments.output
    if path == "-":
        sys.stdout.buffer.write(template_csv(made))
    elif path.lower().endswith(".xlsx"):
        Path(path).write_bytes(template_xlsx(made))
    elif path.lower().endswith(".csv"):
        Path(path).write_bytes(template_csv(made))
    else:
        raise Refused(f"{path!r}: a template is .xlsx or .csv")
    return 0


# --- import and check


def _import(context: Context, arguments: argparse.Namespace) -> int:
    dry_run = arguments.action == "check" or arguments.check
    try:
        file = _file(arguments)
        with context.database() as conn:
            done = import_file(
                conn,
                registry_storage.load(conn),
                load_library(),
                file,
                by="" if dry_run else by_whom(arguments),
                this_year=registry_storage.calendar(conn).local(to_us(datetime.now(UTC))).year,
                why="" if dry_run else arguments.why,
                dry_run=dry_run,
                progress=_progress,
            )
    except FaultyDocument as error:
        return _refused(arguments, error)
    told = imported_json(done, dry_run)
    if arguments.json:
        print_json({"faults": [], **told})
        return 0
    if dry_run:
        print(f"{arguments.file}: no faults; importing it would change {_changes(told) or 'nothing'}")
    else:
        print(
            f"batch {done.batch}: {_changes(told)}"
            if done.batch
            else "nothing is new: all of it is in already"
        )
    _print_years([each for each in told["years"] if each["outcome"] != "unchanged"])
    return 0


def _file(arguments: argparse.Namespace) -> SentFile:
    """One byte more than is read at most is enough to refuse it."""
    if arguments.uscc is not None and (fault := uscc_fault(arguments.uscc)):
        raise FaultyDocument([Fault("--uscc", fault)])
    provenance = None if arguments.provenance is None else Provenance(arguments.provenance)
    defaults = FileDefaults(arguments.uscc, provenance)
    if arguments.file == "-":
        return SentFile(sys.stdin.buffer.read(BYTES_MAX + 1), "", defaults)
    path = Path(arguments.file)
    with path.open("rb") as opened:
        return SentFile(opened.read(BYTES_MAX + 1), path.name, defaults)


def _refused(arguments: argparse.Namespace, error: FaultyDocument) -> int:
    if arguments.json:
        print_json({"faults": [each.as_dict() for each in error.faults]})
        return 1
    for each in error.faults:
        print(each, file=sys.stderr)
    count = len(error.faults)
    print(f"{arguments.file}: {count} fault{'s' * (count > 1)}, nothing was changed", file=sys.stderr)
    return 1


def _changes(told: dict[str, Any]) -> str:
    counts = [f"{told[outcome]} {outcome}" for outcome in ("new", "superseded") if told[outcome]]
    total = told["new"] + told["superseded"]
    return f"{' and '.join(counts)} year{'s' * (total != 1)}" if counts else ""


def _print_years(years: list[dict[str, Any]]) -> None:
    if years:
        columns = ("uscc", "year", "outcome", "provenance", "account_tco2e", "before_account_tco2e")
        print_table(
            columns, ([str("" if each[name] is None else each[name]) for name in columns] for each in years)
        )


def _progress(done: int, of: int) -> None:
    if of > _PROGRESS_YEARS and (done % _PROGRESS_YEARS == 0 or done == of):
        progress(f"{done:,} of {of:,} years computed" + ("\n" if done == of and sys.stderr.isatty() else ""))


# --- list


def _list(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        registry, calendar = registry_storage.load(conn), registry_storage.calendar(conn)
        if arguments.uscc is not None:
            enterprise = registry.enterprises.get(arguments.uscc)
            if enterprise is None:
                raise Refused(f"no enterprise {arguments.uscc!r} is registered")
            found = [version_json(each, calendar) for each in history.in_force(conn, [enterprise.id])]
        else:
            today_us = to_us(datetime.now(UTC))
            found = _completeness(
                arguments, conn, registry, calendar.local(today_us).year, calendar.day(today_us)
            )
    if arguments.json:
        print_json({"items": found})
    elif arguments.uscc is not None:
        columns = (
            "year",
            "provenance",
            "account_tco2e",
            "ets_tco2e",
            "edition",
            "number",
            "at",
            "by",
            "file",
        )
        print_table(
            columns, ([str("" if each[name] is None else each[name]) for name in columns] for each in found)
        )
    else:
        years = [str(each["year"]) for each in found[0]["years"]] if found else []
        rows = (
            [each["uscc"], each["name_zh"], *(cell["provenance"] or "-" for cell in each["years"])]
            for each in found
        )
        print_table(("uscc", "name", *years), rows)
    return 0


def _completeness(
    arguments: argparse.Namespace, conn: Any, registry: Registry, this_year: int, today: int
) -> list[dict[str, Any]]:
    first = arguments.from_year
    last = max(first, this_year - 1) if arguments.to_year is None else arguments.to_year
    if last < first:
        raise Refused(f"--to-year ({last}) must be --from-year ({first}) or later")
    methods = load_library().methods
    if arguments.industry is not None and arguments.industry not in methods.industries:
        raise Refused(methods.edition_fault(arguments.industry, None) or "")
    chosen = [each for each in registry.enterprises.values() if arguments.industry in (None, each.industry)]
    found = {
        (each.enterprise_id, each.year): each
        for each in history.in_force(conn, [each.id for each in chosen], first_year=first, last_year=last)
    }
    items = [completeness_json(each, range(first, last + 1), found, today) for each in chosen]
    return [each for each in items if each["missing"] or not arguments.missing]


# --- another factor set


def _recompute(context: Context, arguments: argparse.Namespace) -> int:
    def on_workers(documents: Iterable[Document]) -> Iterator[Result | str]:
        return over_enterprises(arguments.scheduler, result_here, documents)

    with context.database() as conn:
        done = recompute(
            conn,
            registry_storage.load(conn),
            load_library(),
            by="" if arguments.dry_run else by_whom(arguments),
            why=arguments.why,
            dry_run=arguments.dry_run,
            many=on_workers if arguments.scheduler else None,
            progress=_progress,
        )
    refused = [{"uscc": uscc, "year": year, "why": why} for uscc, year, why in done.refused]
    if arguments.json:
        years = [year_json(each) for each in done.years]
        print_json({"batch": done.batch, "dry_run": arguments.dry_run, "years": years, "refused": refused})
    else:
        would = "would change" if arguments.dry_run else "changed"
        print(f"{len(done.years)} year{'s' * (len(done.years) != 1)} {would}")
        _print_years([year_json(each) for each in done.years])
        for each in refused:
            print(f"{each['uscc']} {each['year']} keeps its version: {each['why']}", file=sys.stderr)
    return 1 if refused else 0
