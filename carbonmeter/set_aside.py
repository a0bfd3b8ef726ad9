"""What `deadletters` and `held` share: which of them are meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from api.operations import Selection
from domain.errors import Fault, FaultyDocument
from domain.interval import parse_time

LIMIT = 1000


def add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=_number, default=LIMIT, metavar="N", help=f"at most so many, default {LIMIT}"
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number within 1..1000000")
    return int(text)


def add_choice(parser: argparse.ArgumentParser, reasons: Iterable[str], time: str, *, with_ids: bool) -> None:
    """Arguments that choose among them; without any, all are meant."""
    if with_ids:
        parser.add_argument(
            "ids", nargs="*", type=int, metavar="ID", help="which of them; none: all that match"
        )
        parser.add_argument("--by", metavar="NAME", help="kept with what is done; by default the user's name")
    parser.add_argument("--reason", choices=list(reasons), metavar="REASON", help=", ".join(reasons))
    parser.add_argument("--gateway", metavar="USCC/ID")
    parser.add_argument(
        "--from", dest="from_", metavar="T", help=f"{time} at or after; RFC 3339 with an offset"
    )


def chosen(arguments: argparse.Namespace) -> Selection:
    """The choice that the arguments make; FaultyDocument with all that is wrong with it."""
    faults = []
    from_us = None
    if arguments.from_ is not None:
        from_us = parse_time(arguments.from_)
        if from_us is None:
            faults.append(Fault("--from", f"{arguments.from_!r} is no RFC 3339 time with an offset"))
    if arguments.gateway is not None and arguments.gateway.count("/") != 1:
        faults.append(Fault("--gateway", f"{arguments.gateway!r} must be USCC/ID"))
    if faults:
        raise FaultyDocument(faults)
    ids = tuple(getattr(arguments, "ids", ()))
    return Selection(ids or None, arguments.reason, arguments.gateway, from_us)


def said(counts: Iterable[tuple[str, int]]) -> str:
    """`3 letters, 1 unchanged`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts)
