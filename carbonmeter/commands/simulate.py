"""`carbonmeter simulate`: gateways of the demo city pushing at any server, with the faults that are asked for."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from carbonmeter.commands import Context, Subparsers, print_json, progress
from domain.clock import SystemClock
from domain.document_text import json_text, yaml_text
from domain.errors import Refused
from domain.interval import Calendar, parse_period
from simulators.gateway import Link
from simulators.run import Progress, Simulation, accelerated
from simulators.scene import Scene


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "simulate",
        help="gateways of the demo city pushing at a server",
        description="First `simulate --registry city.yaml`, then import that at the server, then `simulate`.",
    )
    parser.add_argument(
        "what", nargs="?", choices=["all", "park", "plant"], default="park", help="which enterprises (park)"
    )
    parser.add_argument(
        "--url", help="mqtt://host:port of the endpoint or a broker (default: as the server's settings)"
    )
    parser.add_argument("--key", help="API key of scope readings:write, as the password")
    parser.add_argument(
        "--folder",
        type=Path,
        help="keeps the scene and the spools (default: simulator in the data directory)",
    )
    parser.add_argument("--seed", type=int, default=1, help="other numbers give other meters (1)")
    parser.add_argument(
        "--days", type=int, default=7, help="local days of the park's history before today (7)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=AMOUNT]",
        help="all, or duplicates, reordering, outages, clock_skew, rollovers, resets, replacements, spikes, stuck, "
        "garbage, strangers; may stand several times",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=None,
        metavar="N",
        help="let time run N times as fast; default: history as fast as it goes, then real time",
    )
    parser.add_argument(
        "--every",
        type=_duration,
        default=60_000_000,
        metavar="PT1M",
        help="how often live meters are read (PT1M)",
    )
    parser.add_argument(
        "--duration",
        type=_duration,
        default=None,
        metavar="PT10M",
        help="stop after this time (default: at Ctrl-C); PT0S: after the history",
    )
    parser.add_argument(
        "--registry",
        metavar="FILE",
        help="write the registry document of the scene and end; - for standard output",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def _duration(text: str) -> int:
    period = parse_period(text)
    if text in ("PT0S", "P0D"):
        return 0
    if period is None or period.months:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as PT10M")
    return period.us


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return rate


def run(context: Context) -> int:
    arguments, settings = context.arguments, context.settings
    folder: Path = arguments.folder or settings.home / "simulator"
    scene = _scene(arguments, folder, Calendar(settings.zone_offset_us))
    if arguments.registry is not None:
        text = (
            json_text(scene.document())
            if arguments.registry.endswith(".json")
            else yaml_text(scene.document())
        )
        if arguments.registry == "-":
            sys.stdout.write(text)
        else:
            Path(arguments.registry).write_text(text, "utf-8")
        return 0
    url = arguments.url or settings.broker or (f"mqtt://{settings.mqtt}" if settings.mqtt else None)
    if url is None:
        raise Refused(
            "where to? The server's endpoint is off and no broker is set: say --url mqtt://host:port"
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if arguments.duration:
        timer = threading.Timer(arguments.duration / 1e6, stop.set)
        timer.daemon = True
        timer.start()
    simulation = scene.simulation(Link(url, arguments.key, folder))
    began = time.monotonic()
    simulation.start()
    try:
        _push(simulation, scene, arguments, stop)
    finally:
        simulation.stop()
    summary = _summary(simulation, time.monotonic() - began)
    if arguments.json:
        print_json(summary)
    else:
        print(
            f"{summary['readings']} readings put, {summary['acknowledged']} messages acknowledged, "
            f"{summary['waiting']} waiting, in {summary['seconds']} s"
        )
        for error in simulation.errors:
            print(f"last trouble of {error}")
    return 1 if simulation.waiting and arguments.duration == 0 else 0


def _scene(arguments: argparse.Namespace, folder: Path, calendar: Calendar) -> Scene:
    """The folder's scene, or a new one; a folder is for one scene."""
    known = Scene.load(folder)
    wanted = Scene.beginning(
        SystemClock().now_us(),
        days=None if arguments.what == "plant" else arguments.days,
        plant=arguments.what != "park",
        seed=arguments.seed,
        faults=arguments.fault,
        calendar=calendar,
    )
    if known is None:
        wanted.save(folder)
        return wanted
    same = (known.seed, known.start_us is None, known.plant_end_us is None) == (
        wanted.seed,
        wanted.start_us is None,
        wanted.plant_end_us is None,
    )
    if not same or (arguments.fault and known.faults != wanted.faults):
        raise Refused(
            f"{str(folder)!r} holds another scene (seed {known.seed}, faults {' '.join(known.faults) or 'none'}): "
            "use another --folder, or remove this one to begin anew"
        )
    return known


def _push(simulation: Simulation, scene: Scene, arguments: argparse.Namespace, stop: threading.Event) -> None:
    clock = SystemClock()
    said = 0.0

    def tell(state: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= 1.0 and not arguments.json:
            said = time.monotonic()
            progress(str(state))

    if arguments.rate is not None and scene.start_us is not None:
        runs = accelerated(arguments.rate, simulation.behind_us)
        simulation.live(stop, now_us=lambda: min(runs(), clock.now_us()), every_us=arguments.every, tell=tell)
        return
    if simulation.push(clock.now_us(), stop, tell) and arguments.duration != 0 and scene.start_us is not None:
        simulation.live(stop, now_us=clock.now_us, every_us=arguments.every, tell=tell)


def _summary(simulation: Simulation, seconds: float) -> dict[str, object]:
    gateways = simulation.gateways
    return {
        "readings": sum(gateway.tally.readings for gateway in gateways),
        "repeated": sum(gateway.tally.repeated for gateway in gateways),
        "garbage": sum(gateway.tally.garbage for gateway in gateways),
        "strangers": sum(gateway.tally.strangers for gateway in gateways),
        "sent": sum(gateway.sender.counts.sent for gateway in gateways),
        "acknowledged": sum(gateway.sender.counts.acknowledged for gateway in gateways),
        "set_aside": sum(gateway.sender.counts.set_aside for gateway in gateways),
        "waiting": simulation.waiting,
        "seconds": round(seconds, 2),
    }
