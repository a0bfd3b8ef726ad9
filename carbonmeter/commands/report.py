"""`carbonmeter report`: the report of an enterprise and year, as JSON, XLSX or PDF."""

from __future__ import annotations

from accounting.report.forms import written
from api.reports import report_of
from carbonmeter import reporting
from carbonmeter.commands import Context, Subparsers


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "report",
        help="the report of an enterprise and year",
        description="Emissions by source with totals of both boundaries, activity data, factors with their sources,"
        " data quality and provenance, of a local calendar year. `carbonmeter reports publish` freezes one.",
    )
    parser.add_argument("uscc", metavar="USCC", help="the enterprise")
    parser.add_argument("year", metavar="YEAR", type=reporting.year, help="a local calendar year")
    reporting.add_form(parser)
    reporting.add_as_of(parser)
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    form = reporting.form(arguments)
    with reporting.reader(context) as reader, reader.session(None) as session:
        reporting.refuse_ahead(arguments.as_of, session.now_us)
        report = report_of(session, session.enterprise(arguments.uscc), arguments.year, arguments.as_of)
    reporting.send(written(report, form, arguments.lang), form, arguments.output)
    return 0
