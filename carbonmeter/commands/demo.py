"""`carbonmeter demo`: everything at once, on this machine, with nothing else prepared."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from carbonmeter.commands import Context, Subparsers, print_json, print_table, progress
from carbonmeter.settings import PREFIX, Settings


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="a whole server with a real steel plant and a simulated park",
        description="Data directory: CARBONMETER_HOME, or .demo in the present folder. Ctrl-C stops; started again"
        " it goes on where it was.",
    )
    parser.add_argument(
        "--check", action="store_true", help="a bounded run in a temporary place that verifies the promises"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="other numbers give another park (1); of a new demo"
    )
    parser.add_argument(
        "--days", type=int, default=None, metavar="N", help="days of the park's history (60); of a new demo"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    from carbonmeter import demo  # numba and all that: not while the usage is printed

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(
        level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    if context.arguments.check:
        return _check(context, stop)
    demo.run(
        _settings(context.settings),
        _say,
        progress,
        stop,
        seed=context.arguments.seed,
        days=demo.PARK_DAYS if context.arguments.days is None else context.arguments.days,
        config=context.arguments.config,
    )
    _say("stopped")
    return 0


def _settings(settings: Settings) -> Settings:
    """The settings, with a data directory in the present folder where none is named."""
    if settings.home != Settings().home or PREFIX + "HOME" in os.environ:
        return settings
    return replace(settings, home=Path(".demo").absolute())


def _say(text: str) -> None:
    if sys.stderr.isatty():
        progress("")  # clears the line of progress
    print(text, flush=True)


def _check(context: Context, stop: threading.Event) -> int:
    from carbonmeter import demo_check

    is_json = context.arguments.json
    quiet = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    told = progress if sys.stderr.isatty() else lambda _text: None
    outcome = demo_check.run(quiet if is_json else _say, told, stop)
    broken = [check for check in outcome.checks if check.faults]
    if is_json:
        print_json(
            {
                "holds": outcome.holds,
                "readings": outcome.readings,
                "seconds": outcome.seconds,
                "plant": outcome.plant,
                "checks": [dataclasses.asdict(check) for check in outcome.checks],
            }
        )
        return 0 if outcome.holds else 1
    _say("")
    print_table(
        ("promise", "what is compared", "compared", "faults"),
        ((check.promise, check.name, f"{check.compared:,}", f"{check.faults:,}") for check in outcome.checks),
    )
    for check in broken:
        print(f"\n{check.name}: {check.faults:,} faults")
        for text in check.shown:
            print(f"  {text}")
    _print_plant(outcome.plant)
    print(f"{outcome.readings:,} readings in {sum(outcome.seconds.values()):.1f} s")
    print(
        "the promises hold"
        if outcome.holds
        else f"{len(broken)} of {len(outcome.checks)} checks found faults"
    )
    return 0 if outcome.holds else 1


def _print_plant(plant: dict[str, Any]) -> None:
    """The real plant's year and where its factor comes from."""
    print(f"\nthe real plant: {Decimal(plant['kwh']):,} kWh, {Decimal(plant['co2e_kg']):,} kg CO2e")
    for figure in plant["factor"].get("factors") or ():
        print(
            f"  {figure['name']} {figure['value']} {figure['unit']}, {figure['reference']} ({figure['origin']})"
        )
