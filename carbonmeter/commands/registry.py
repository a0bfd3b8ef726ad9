"""`carbonmeter registry`: bring a registry document in, check one, write the registered one out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from accounting.factors import load as factors
from carbonmeter.catalogue import FactorCatalogue
from carbonmeter.commands import Context, Subparsers, by_whom, print_json, progress
from domain.document_text import json_text, yaml_text
from domain.errors import FaultyDocument
from domain.interval import parse_time
from storage import registry
from storage.database import connect

_LARGE_BYTES = 1_000_000
# How items of a kind are counted in words, in the order of a document.
_KINDS = {
    "park": ("park", "parks"),
    "enterprise": ("enterprise", "enterprises"),
    "gateway": ("gateway", "gateways"),
    "meter": ("meter", "meters"),
    "channel": ("channel", "channels"),
    "derived": ("derived channel", "derived channels"),
    "source": ("source", "sources"),
    "parameter": ("parameter", "parameters"),
    "product": ("product", "products"),
    "check": ("check", "checks"),
}


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "registry", help="enterprises, their meters, and what is counted from them"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    bring = actions.add_parser(
        "import", help="bring a document in, all of it or nothing; what it leaves out stays"
    )
    bring.add_argument("--why", default="", metavar="TEXT", help="kept with every change")
    bring.add_argument("--by", metavar="NAME", help="kept with every change; by default the user's name")
    bring.add_argument(
        "--dry-run",
        action="store_true",
        help="only tell what the ledger's sources would become; changes nothing",
    )
    check = actions.add_parser("check", help="list every fault of a document, or what it would change")
    for each in (bring, check):
        each.add_argument(
            "--moves",
            type=_moment,
            metavar="OLD",
            help="the valid_from of registered versions whose place the document's channel versions take",
        )
        each.add_argument("file", metavar="FILE", help="YAML or JSON; - for standard input")
    export = actions.add_parser("export", help="write the registered document, which imports as it is")
    export.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="JSON if its name ends so, else YAML"
    )
    for each in (bring, check, export):
        each.add_argument("--json", action="store_true", help="for machines")
        each.set_defaults(run=run)


def _moment(text: str) -> int:
    us = parse_time(text)
    if us is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time with an offset, such as 2023-01-01T00:00:00+08:00"
        )
    return us


def run(context: Context) -> int:
    arguments = context.arguments
    action = {"import": _import, "check": _check, "export": _export}[arguments.action]
    try:
        return action(context, arguments)
    except FaultyDocument as error:
        if arguments.json:
            print_json({"faults": [{"place": each.place, "message": each.message} for each in error.faults]})
        else:
            for each in error.faults:
                print(each, file=sys.stderr)
            count = len(error.faults)
            print(f"{arguments.file}: {count} fault{'s' * (count > 1)}, nothing was changed", file=sys.stderr)
        return 1


def _document(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    text = Path(file).read_bytes()
    if len(text) > _LARGE_BYTES:
        progress(f"reading {len(text) / 1e6:.0f} MB of {file}")
    return text


def _catalogue() -> FactorCatalogue:
    return FactorCatalogue(factors.load())


def _import(context: Context, arguments: argparse.Namespace) -> int:
    document = _document(arguments.file)
    by = by_whom(arguments)
    if arguments.dry_run:
        return _rehearse(context, arguments, document, by)
    with context.database() as conn:
        done = registry.import_document(
            conn, document, by, arguments.why, catalogue=_catalogue(), moves_us=arguments.moves
        )
    if arguments.json:
        print_json(
            {
                "version": done.version,
                "new": _ordered(done.new),
                "changed": _ordered(done.changed),
                "unchanged": _ordered(done.unchanged),
                "readings_outside": done.readings_outside,
            }
        )
        return 0
    if not done.new and not done.changed:
        print(f"nothing changed, the registry stays at version {done.version}")
    else:
        print(f"the registry is at version {done.version}")
    for what, counts in (("new", done.new), ("changed", done.changed), ("unchanged", done.unchanged)):
        if counts:
            print(f"{what}: {_in_words(counts)}")
    if done.readings_outside:
        count = done.readings_outside
        print(
            f"{count} stored reading{' is' if count == 1 else 's are'} outside the validity now: "
            "stored as before, and no longer in the ledger"
        )
    return 0


def _rehearse(context: Context, arguments: argparse.Namespace, document: bytes, by: str) -> int:
    # These bring the kernels, most of a second that no other action needs.
    from accounting.run import Accountant, rules_of
    from accounting.work import Cause
    from carbonmeter.restatement import document_works, show, told

    cause = Cause("registry", None, by, arguments.why)
    with context.database_url() as url, connect(url, "carbonmeter registry") as conn:
        library = factors.load()
        calendar = registry.calendar(conn)
        conn.commit()
        restated = Accountant(conn, library, rules_of(context.settings.accounting(url))).rehearse(
            document_works(conn, document, library, cause, arguments.moves),
            progress=lambda done, of: progress(f"rehearsed {done} of {of} enterprises"),
        )
    changed = told(restated, calendar)
    if arguments.json:
        print_json(
            {
                "dry_run": True,
                "entries": restated.entries,
                "superseded": restated.superseded,
                "changed": changed,
            }
        )
        return 0
    print(f"{restated.entries:,} entries would be written, {restated.superseded:,} of them superseding")
    if changed:
        show(changed)
    return 0


def _check(context: Context, arguments: argparse.Namespace) -> int:
    document = _document(arguments.file)
    with context.database() as conn:
        planned = registry.check_document(conn, document, catalogue=_catalogue(), moves_us=arguments.moves)
    new, changed = planned.count(new=True), planned.count(new=False)
    if arguments.json:
        print_json(
            {
                "faults": [],
                "new": _ordered(new),
                "changed": _ordered(changed),
                "unchanged": _ordered(planned.unchanged),
            }
        )
        return 0
    print(
        f"{arguments.file}: no faults; importing it would change {'this:' if planned.changes else 'nothing'}"
    )
    for what, counts in (("new", new), ("changed", changed), ("unchanged", planned.unchanged)):
        if counts:
            print(f"{what}: {_in_words(counts)}")
    return 0


def _export(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        document = registry.export_document(conn)
    is_json = arguments.json or arguments.file.endswith(".json")
    text = json_text(document) if is_json else yaml_text(document)
    if arguments.file == "-":
        sys.stdout.write(text)
    else:
        Path(arguments.file).write_text(text, "utf-8")
    return 0


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: counts[kind] for kind in _KINDS if counts.get(kind)}


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_KINDS[kind][count != 1]}" for kind, count in _ordered(counts).items())
