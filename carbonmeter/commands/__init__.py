"""The commands, a module each. A module has `register(subparsers)`, which adds its parser with `run` as default:

    def register(subparsers: Subparsers) -> None:
        parser = subparsers.add_parser("migrate", help="…")
        parser.set_defaults(run=run)

    def run(context: Context) -> int: ...

`run` returns the exit code; a CarbonmeterError becomes a short text and exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from carbonmeter.embedded import database_url
from carbonmeter.settings import Settings
from domain.errors import Refused
from storage.database import Connection, connect, guard
from storage.migrate import is_current, migrate

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


@dataclass(frozen=True, slots=True)
class Context:
    """What a command is given: its arguments and the settings."""

    arguments: argparse.Namespace
    settings: Settings

    @contextlib.contextmanager
    def database_url(self) -> Iterator[str]:
        """URL of a guarded, migrated database: the one of the settings, or the embedded one while this lasts."""
        with database_url(self.settings.database, self.settings.home) as url:
            with connect(url, f"carbonmeter {self.arguments.command}") as conn:
                guard(conn, allow_unsafe=self.settings.allow_unsafe_database)
                if not is_current(conn, self.settings.zone_offset_us):
                    migrate(conn, self.settings.zone_offset_us)
            yield url

    @contextlib.contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection to that database, one transaction: committed at the end, rolled back by an error."""
        with self.database_url() as url, connect(url, f"carbonmeter {self.arguments.command}") as conn:
            yield conn


def by_whom(arguments: argparse.Namespace) -> str:
    """Who does this: what `--by` says, else the user's name."""
    if arguments.by:
        return str(arguments.by)
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a user without a name, as in some containers
        raise Refused("who does this isn't known: say so with --by NAME") from error


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell, for people."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def progress(text: str) -> None:
    """Tell how far a long work is: on standard error, over the same line where that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)
