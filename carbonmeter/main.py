"""The command line: `carbonmeter COMMAND …`. Each command is a module of `carbonmeter.commands` with its name.

Exit codes: 0 done, 1 refused or failed (with a short text on standard error), 2 usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from carbonmeter import commands
from carbonmeter.commands import Context
from carbonmeter.settings import load
from domain.errors import CarbonmeterError, Refused


def command_names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with the commands of these names."""
    result = argparse.ArgumentParser(
        prog="carbonmeter", description="Telemetry ingestion server for automated carbon accounting."
    )
    result.add_argument("--version", action="version", version=f"carbonmeter {_version()}")
    result.add_argument(
        "--config", metavar="FILE", help="settings in TOML; CARBONMETER_* variables win over it"
    )
    subparsers = result.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        importlib.import_module(f"carbonmeter.commands.{name}").register(subparsers)
    return result


def _version() -> str:
    try:
        return version("carbonmeter")
    except PackageNotFoundError:
        return "(not installed)"


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else list(argv)
    known = command_names()
    # Only the module of the command that is asked for: others bring numba, FastAPI and half a second.
    chosen = next((word for word in argv if word in known), None)
    arguments = parser([chosen] if chosen else known).parse_args(argv)
    try:
        code: int = arguments.run(Context(arguments, load(config=arguments.config)))
    except (CarbonmeterError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # who read us has gone: no more to say
            return 1
        if isinstance(error, OSError) and error.filename is not None:
            error = Refused(f"{error.filename}: {error.strerror}")
        print(f"carbonmeter: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("carbonmeter: interrupted", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
