"""`carbonmeter finance`: what a list of loans finances of the accounts here, as POST /v1/financed-emissions answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from api.finance import financed_csv, financed_of, loans_of_csv, read_portfolio
from api.finance_schemas import BalanceBasis, DenominatorCode
from carbonmeter import reporting
from carbonmeter.commands import Context, Subparsers, print_json, print_table
from domain.errors import Refused


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "finance",
        help="financed emissions of a loan list",
        description="FILE is JSON as POST /v1/financed-emissions takes it, or CSV with a header (docs/finance.md)."
        " Every fault is listed, and nothing is answered unless all of it is right.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--year", metavar="YEAR", type=reporting.year, help="of the emissions; needed with CSV"
    )
    parser.add_argument(
        "--denominator",
        choices=list(DenominatorCode),
        default=DenominatorCode.EQUITY_PLUS_DEBT,
        help="with CSV",
    )
    parser.add_argument(
        "--balance", choices=list(BalanceBasis), default=BalanceBasis.YEAR_END, help="with CSV"
    )
    parser.add_argument("--csv", action="store_true", help="the loans as a table, for a sheet")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    content = arguments.file.read_bytes()
    document: Any = content
    if arguments.file.suffix.lower() == ".csv":
        if arguments.year is None:
            raise Refused("--year is needed with CSV")
        document = {
            "year": arguments.year,
            "denominator": arguments.denominator,
            "balance": arguments.balance,
            "loans": loans_of_csv(content),
        }
    given = read_portfolio(document)
    with reporting.reader(context) as reader, reader.session(None) as session:
        answer = financed_of(session, given)
    if arguments.csv:
        sys.stdout.buffer.write(financed_csv(answer))
        sys.stdout.buffer.flush()
    elif arguments.json:
        print_json(answer)
    else:
        _print(answer)
    return 0


def _print(answer: dict[str, Any]) -> None:
    print_table(
        ("loan", "borrower", "emissions t", "share", "financed t", "PCAF", "not counted since"),
        (
            [
                each["id"],
                *(
                    "-" if each[name] is None else each[name]
                    for name in ("uscc", "emissions_t", "attribution", "financed_t", "pcaf_score")
                ),
                each["reason"] or "",
            ]
            for each in answer["items"]
        ),
    )
    totals = answer["totals"]
    print(
        f"{totals['counted']} of {totals['loans']} loans finance {totals['financed_t']} tCO2e; data quality: PCAF"
        f" {totals['pcaf_score'] or '-'}, Chinese guide {totals['method_score'] or '-'}"
    )
