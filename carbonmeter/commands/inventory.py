"""`carbonmeter inventory`: compute one enterprise-period by its guideline, without any meter or database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from accounting.factors.load import load as load_factors
from accounting.inventory.answer import inventory_answer
from accounting.inventory.document import SIZE_MAX_BYTES
from carbonmeter.commands import Context, Subparsers, print_json, print_table
from domain.errors import FaultyDocument


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "inventory",
        help="compute the emissions of one enterprise and period from activity totals",
        description="Computes an inventory document (JSON, docs/inventory.md) by the guideline of its industry. Lists"
        " every fault of the document, and answers nothing unless all of it is right.",
    )
    parser.add_argument("file", metavar="FILE", help="JSON; - for standard input")
    parser.add_argument(
        "--json", action="store_true", help="for machines: the answer of POST /v1/inventories"
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=_report,
        help="write it as tables too: a name that ends in .xlsx or .pdf",
    )
    parser.add_argument("--lang", choices=("zh", "en"), default="zh", help="of the report (default: zh)")
    parser.set_defaults(run=run)


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".xlsx", ".pdf"):
        raise argparse.ArgumentTypeError(f"{text!r} ends neither in .xlsx nor in .pdf")
    return path


def run(context: Context) -> int:
    arguments = context.arguments
    try:
        answer = inventory_answer(_document(arguments.file), load_factors())
    except FaultyDocument as error:
        return _refused(arguments, error)
    if arguments.report is not None:
        _write(arguments.report, answer, arguments.lang)
    if arguments.json or not sys.stdout.isatty():
        print_json(answer)
    else:
        _print(answer)
    return 0


def _document(file: str) -> bytes:
    """One byte more than is read at most is enough to refuse it."""
    if file == "-":
        return sys.stdin.buffer.read(SIZE_MAX_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(SIZE_MAX_BYTES + 1)


def _write(path: Path, answer: dict[str, Any], language: str) -> None:
    # Only here: it brings the libraries of both forms.
    from accounting.report.forms import ReportFormat, rendered
    from accounting.report.inventory_tables import inventory_paper

    form = ReportFormat(path.suffix.lower().removeprefix("."))
    path.write_bytes(rendered(inventory_paper(answer, language), form))


def _refused(arguments: argparse.Namespace, error: FaultyDocument) -> int:
    if arguments.json:
        print_json({"faults": [{"place": each.place, "message": each.message} for each in error.faults]})
    for each in error.faults:
        print(each, file=sys.stderr)
    count = len(error.faults)
    print(f"{arguments.file}: {count} fault{'s' * (count > 1)}, nothing was computed", file=sys.stderr)
    return 1


def _print(answer: dict[str, Any]) -> None:
    period, totals, reported = answer["period"], answer["totals"], answer["reported"]
    print(f"{answer['industry']} under {answer['edition']} ({answer['document']})")
    print(f"from {period['from']} to {period['to']}, factor set {answer['factor_set'][:12]}")
    print()
    print_table(
        ("", "source", "of", "amount", "", "gas", "tCO2e"),
        (
            (
                index, each["source"], each.get("fuel") or each.get("material") or "", each["amount"], each["unit"],
                each["gas"], each["tco2e"],
            )
            for index, each in enumerate(answer["activities"])
        ),
    )  # fmt: skip
    print()
    print_table(
        ("", "factor", "value", "unit", "origin", "reference"),
        (
            (index, each["name"], each["value"], each["unit"], each["origin"], each["reference"] or "")
            for index, activity in enumerate(answer["activities"])
            for each in activity["factors"]
        ),
    )
    print()
    rows = [("account", totals["account_tco2e"], reported["account_tco2e"])]
    rows.append(("ets", totals["ets_tco2e"], reported["ets_tco2e"]))
    rows += [
        (f"scope {scope}", value, reported["by_scope"][scope]) for scope, value in totals["by_scope"].items()
    ]
    rows += [(gas, value, reported["by_gas"][gas]) for gas, value in totals["by_gas"].items()]
    rows.append(("deductions", totals["deductions_tco2e"], reported["deductions_tco2e"]))
    print_table(("total", "tCO2e", "reported"), rows)
    if totals.get("uncertainty") is not None:
        print(f"\nuncertainty of the account: ± {totals['uncertainty']} %, at 95 %")
    if answer["warnings"]:
        print("\nto know:")
        for each in answer["warnings"]:
            print(f"  {each['place']}: {each['message']}" if each["place"] else f"  {each['message']}")
