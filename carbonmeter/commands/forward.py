"""`carbonmeter forward`: send what a gateway reads, and keep it on disk until the server has committed it.

It takes readings as lines of JSON on standard input, or from the files of a folder, each line an object of form A, B or
C (or an array of them). An object of form B without `at` gets the time at which its line came. Each object becomes a
message of its own. A file is removed once all of its lines are on disk in the spool (stopped before, it is taken again,
and the server counts its readings once); it should be written beside the folder and moved in.

It needs the gateway's side alone: no database, none of the server's settings but an address as default.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO, Any

from carbonmeter.commands import Context, Subparsers, print_json
from carbonmeter.forward import Forwarder, Spool, SpoolFullError
from domain.errors import Refused
from domain.identity import is_identifier, uscc_fault

_BATCH = 500
_LOOK_S = 0.2  # between looks at the input
_READ_BYTES = 1 << 20
_SUFFIXES = (".json", ".jsonl")
log = logging.getLogger("carbonmeter.forward")


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("forward", help="send a gateway's readings, kept on disk until committed")
    parser.add_argument("gateway", metavar="USCC/ID", help="whose readings these are")
    parser.add_argument(
        "--url", help="mqtt[s]://host:port of the endpoint or a broker (default: as the settings)"
    )
    parser.add_argument("--key", help="API key of scope readings:write, as the password")
    parser.add_argument("--key-file", metavar="FILE", help="a file with the key")
    parser.add_argument(
        "--spool", metavar="FILE", help="where to keep them (default: under the data directory)"
    )
    parser.add_argument(
        "--folder", metavar="DIR", help="take *.json and *.jsonl files from here, not standard input"
    )
    parser.add_argument(
        "--order", choices=("oldest", "newest"), default="oldest", help="what to send first (oldest)"
    )
    parser.add_argument(
        "--confirm",
        choices=("receipt", "puback"),
        default="receipt",
        help="what lets a message leave the disk: carbonmeter's receipt (default; right through a broker too), or the"
        " PUBACK, which means a commit at carbonmeter's own endpoint alone",
    )
    parser.add_argument(
        "--spool-mb", type=float, default=4096, metavar="N", help="how much to keep at most (4096)"
    )
    parser.add_argument(
        "--when-full",
        choices=("refuse", "drop_oldest"),
        default="refuse",
        help="refuse: wait, and take nothing more until there is room (default)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help="how long to wait for the last confirmations after the input's end",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    arguments, settings = context.arguments, context.settings
    uscc, _, gateway = arguments.gateway.partition("/")
    if uscc_fault(uscc) is not None or not is_identifier(gateway):
        raise Refused(f"{arguments.gateway!r} must be USCC/ID, as in the registry")
    url = arguments.url or settings.broker or (f"mqtt://{settings.mqtt}" if settings.mqtt else None)
    if url is None:
        raise Refused("where to? Say --url mqtt://host:port")
    if arguments.spool_mb <= 0:
        raise Refused(f"--spool-mb {arguments.spool_mb:g} must be above 0")
    key = arguments.key
    if arguments.key_file:
        key = Path(arguments.key_file).read_text("utf-8").strip()
    path = Path(arguments.spool or settings.home / "forward" / f"{uscc}-{gateway}.sqlite")
    topic = f"carbon/v1/{uscc}/{gateway}/readings"
    stop = threading.Event()
    _stop_on_signals(stop)
    spool = Spool(path, bytes_max=int(arguments.spool_mb * (1 << 20)), when_full=arguments.when_full)
    try:
        with Forwarder(
            spool,
            url,
            client_id=f"forward-{uscc}-{gateway}",
            password=key,
            window=256,
            order=arguments.order,
            confirm=arguments.confirm,
        ) as sender:
            if arguments.folder:
                faults = _from_folder(sender, topic, Path(arguments.folder), stop)
            else:
                faults = _from_lines(sender, topic, sys.stdin.buffer, stop)
            is_done = _drain(sender, arguments.timeout, stop)
        refused = spool.refused()
        summary = {
            "acknowledged": sender.counts.acknowledged,
            "rejected_readings": sender.counts.rejected,
            "refused": len(refused),
            "unreadable": faults,
            "dropped": spool.dropped,
            "waiting": spool.pending,
        }
    finally:
        spool.close()
    if arguments.json:
        print_json(summary)
    else:
        print(", ".join(f"{name.replace('_', ' ')} {number}" for name, number in summary.items()))
        for _, topic, _, reason in refused[:10]:
            print(f"refused {topic}: {reason}")
    if not is_done:
        raise Refused(
            f"{summary['waiting']} messages wait in {path} ({sender.counts.last_error or 'stopped'}); they are sent"
            " when the command runs again"
        )
    return 1 if refused or faults or spool.dropped else 0


def messages(line: bytes, now_ms: int) -> list[bytes]:
    """The payloads of one line: an object, or each object of an array. ValueError says what is wrong.

    What the device wrote is kept to the letter unless it is part of an array or lacks its time.
    """
    try:
        content: Any = json.loads(line, parse_float=_Number, parse_int=_Number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    objects = content if isinstance(content, list) else [content]
    result = []
    for each in objects:
        if not isinstance(each, dict) or not (each.keys() & {"readings", "values", "ch"}):
            raise ValueError("isn't an object of form A, B or C")
        is_changed = isinstance(content, list)
        if "values" in each and "at" not in each:
            each["at"] = now_ms
            is_changed = True
        result.append(_text(each).encode() if is_changed else line.strip())
    return result


class _Number(str):
    """A JSON number as it was written."""


def _text(value: Any) -> str:
    """JSON, with numbers to the letter."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                f"{json.dumps(name, ensure_ascii=False)}:{_text(each)}" for name, each in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _from_lines(sender: Forwarder, topic: str, file: IO[bytes], stop: threading.Event) -> int:
    """Keep lines as soon as they are there, those that came together in one write; how many couldn't be read."""
    faults = number = 0
    rest = b""
    is_open = True
    while is_open and not stop.is_set():
        if not select.select([file], [], [], _LOOK_S)[0]:
            continue
        data = os.read(file.fileno(), _READ_BYTES)
        is_open = bool(data)
        *lines, rest = (rest + data).split(b"\n") if is_open else (rest, b"")
        payloads: list[bytes] = []
        for line in lines:
            number += 1
            try:
                payloads += _payloads(line)
            except ValueError as error:
                log.error("line %d isn't taken: %s", number, error)
                faults += 1
        if not _keep(sender, topic, payloads, stop):
            log.error("stopped while there was no room: %d messages of the input aren't kept", len(payloads))
            faults += len(payloads)
    return faults


def _from_folder(sender: Forwarder, topic: str, folder: Path, stop: threading.Event) -> int:
    """Files of the folder, the oldest first, until stopped; what can't be read is left as *.unreadable."""
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder")
    faults = 0
    while not stop.is_set():
        files = sorted(
            (path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file()),
            key=lambda path: (path.stat().st_mtime_ns, path.name),
        )
        for path in files:
            if stop.is_set():
                break
            try:
                with path.open("rb") as file:
                    payloads = [payload for line in file for payload in _payloads(line)]
            except ValueError as error:
                log.error("%s isn't taken: %s", path, error)
                path.rename(path.with_name(path.name + ".unreadable"))
                faults += 1
                continue
            if _keep(sender, topic, payloads, stop):
                path.unlink()
        if not files:
            stop.wait(_LOOK_S)
    return faults


def _payloads(line: bytes) -> list[bytes]:
    return messages(line, time.time_ns() // 1_000_000) if line.strip() else []


def _keep(sender: Forwarder, topic: str, payloads: list[bytes], stop: threading.Event) -> bool:
    """Put payloads on disk and take them off the list. Waits while the spool is full; False: stopped meanwhile."""
    was_full = False
    while payloads:
        count = 1 if was_full else len(payloads)
        try:
            sender.put_many([(topic, payload) for payload in payloads[:count]])
            del payloads[:count]
        except SpoolFullError as error:
            if count == 1 and stop.wait(_LOOK_S):
                return False
            if not was_full:
                log.error("%s; waiting for room", error)
            was_full = True
    return True


def _drain(sender: Forwarder, timeout_s: float | None, stop: threading.Event) -> bool:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while not sender.drain(0.2):
        if stop.is_set() or (deadline is not None and time.monotonic() > deadline):
            return False
    return True


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
