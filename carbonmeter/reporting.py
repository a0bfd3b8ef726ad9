"""What `report` and `reports` share: a year, a moment, a form, the API's look at the database, where a file goes."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from accounting.factors.load import load as load_factors
from accounting.report.forms import ReportFormat
from accounting.report.texts import Language
from api import context as api_context
from api.errors import Problem
from carbonmeter.commands import Context
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import parse_time

YEAR_MIN, YEAR_MAX = 1970, 2199


def year(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not YEAR_MIN <= int(text) <= YEAR_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no year of {YEAR_MIN} to {YEAR_MAX}")
    return int(text)


def add_as_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as-of", metavar="T", type=_time, default=None, help="the books as they stood then; default: now"
    )


def _time(text: str) -> int:
    us = parse_time(text)
    if us is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no RFC 3339 time with an offset, such as 2024-05-01T00:00:00+08:00"
        )
    return us


def add_form(parser: argparse.ArgumentParser) -> None:
    """--format, --lang and -o."""
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
        "-o", "--output", metavar="FILE", type=Path, default=None, help="default: standard output"
    )


def form(arguments: argparse.Namespace) -> ReportFormat:
    """The form that the arguments ask for; Refused where a terminal would have to show it."""
    suffix = "" if arguments.output is None else arguments.output.suffix.removeprefix(".").lower()
    said = arguments.format or (suffix if suffix in set(ReportFormat) else ReportFormat.JSON)
    if said != ReportFormat.JSON and arguments.output is None and sys.stdout.isatty():
        raise Refused(f"{said} is nothing for a terminal: say -o FILE")
    return ReportFormat(said)


def send(content: bytes, its: ReportFormat, output: Path | None) -> None:
    """To a file, or to standard output."""
    if output is not None:
        output.write_bytes(content)
        return
    sys.stdout.buffer.write(content)
    if its is ReportFormat.JSON:
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def reader(context: Context) -> Iterator[api_context.Context]:
    """What the API answers from, over the command's database; what it refuses ends the command."""
    with context.database_url() as url:
        settings = context.settings.api(url)
        with api_context.open_pool(settings) as pool:
            try:
                yield api_context.Context(settings, pool, SystemClock(), load_factors())
            except Problem as problem:
                raise Refused(str(problem)) from problem


def refuse_ahead(as_of_us: int | None, now_us: int) -> None:
    if as_of_us is not None and as_of_us > now_us:
        raise Refused("--as-of lies ahead of the clock: the books of then aren't written yet")
