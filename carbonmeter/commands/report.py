"""`carbonmeter report`: the report of an enterprise and year, as JSON, XLSX or PDF."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from accounting.factors.load import load as load_factors
from accounting.report.forms import ReportFormat, written
from accounting.report.texts import Language
from api import context as api_context
from api.errors import Problem
from api.reports import report_of
from carbonmeter.commands import Context, Subparsers
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import parse_time

YEAR_MIN, YEAR_MAX = 1970, 2199


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "report",
        help="the report of an enterprise and year",
        description="Emissions by source with totals of both boundaries, activity data, factors with their sources,"
        " data quality and provenance, of a local calendar year.",
    )
    parser.add_argument("uscc", metavar="USCC", help="the enterprise")
    parser.add_argument("year", metavar="YEAR", type=_year, help="a local calendar year")
    parser.add_argument(
        "--format",
        choices=list(ReportFormat),
        default=None,
        help="default: as FILE ends, else json, which has both languages",
    )
    parser.add_argument(
        "--lang", choices=list(Language), default=Language.ZH, help="of XLSX and PDF (default: zh)"
    )
    parser.add_argument(
        "--as-of", metavar="T", type=_time, default=None, help="the books as they stood then; default: now"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, default=None, help="default: standard output"
    )
    parser.set_defaults(run=run)


def _year(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not YEAR_MIN <= int(text) <= YEAR_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no year of {YEAR_MIN} to {YEAR_MAX}")
    return int(text)


def _time(text: str) -> int:
    us = parse_time(text)
    if us is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no RFC 3339 time with an offset, such as 2024-05-01T00:00:00+08:00"
        )
    return us


def run(context: Context) -> int:
    arguments = context.arguments
    form = _format(arguments)
    if form is not ReportFormat.JSON and arguments.output is None and sys.stdout.isatty():
        raise Refused(f"{form} is nothing for a terminal: say -o FILE")
    with context.database_url() as url:
        settings = context.settings.api(url)
        with api_context.open_pool(settings) as pool:
            reader = api_context.Context(settings, pool, SystemClock(), load_factors())
            try:
                with reader.session(None) as session:
                    if arguments.as_of is not None and arguments.as_of > session.now_us:
                        raise Refused("--as-of lies ahead of the clock: the books of then aren't written yet")
                    report = report_of(
                        session, session.enterprise(arguments.uscc), arguments.year, arguments.as_of
                    )
            except Problem as problem:
                raise Refused(str(problem)) from problem
    content = written(report, form, arguments.lang)
    if arguments.output is None:
        sys.stdout.buffer.write(content)
        if form is ReportFormat.JSON:
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
    else:
        arguments.output.write_bytes(content)
    return 0


def _format(arguments: argparse.Namespace) -> ReportFormat:
    if arguments.format is not None:
        return ReportFormat(arguments.format)
    suffix = "" if arguments.output is None else arguments.output.suffix.removeprefix(".").lower()
    return ReportFormat(suffix) if suffix in set(ReportFormat) else ReportFormat.JSON
