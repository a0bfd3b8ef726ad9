"""`carbonmeter replay FILE`: send recorded deliveries again, over MQTT.

A recording is a text file, one JSON object a line:

    {"topic": "carbon/v1/91430304XT0000022B/gw1/readings", "payload": {"at": 1700000000000, "values": {…}}, "at": T}

- `topic`: where to publish.
- `payload`: a JSON object or array is sent as compact JSON, a string as its UTF-8 bytes, a number as its text; or
  `payload_base64` for bytes that are no text.
- `at` (optional): when it was received, RFC 3339 with an offset or epoch milliseconds; with `--rate` the pauses
  between lines are kept, N times as short.

Everything is sent at QoS 1, in the order of the lines, and again until it is acknowledged. Readings carry their own
times, so a replayed recording of what was stored changes nothing but the count of duplicates.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from carbonmeter.commands import Context, Subparsers, print_json, progress
from carbonmeter.forward import Forwarder, Spool
from domain.errors import Fault, FaultyDocument, Refused
from domain.interval import parse_time

_FAULTS_MAX = 100
_BATCH = 500
_WAITING_MAX = 5_000


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("replay", help="send a recorded file through MQTT")
    parser.add_argument(
        "file", metavar="FILE", help='JSON lines of {"topic", "payload" or "payload_base64", "at"}'
    )
    parser.add_argument(
        "--url", help="mqtt://host:port of the endpoint or a broker (default: as the server's settings)"
    )
    parser.add_argument("--key", help="API key of scope readings:write, as the password")
    parser.add_argument("--rate", type=float, metavar="N", help="keep the recorded pauses, N times as short")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="S",
        help="how long to wait for the last acknowledgements (60)",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    arguments, settings = context.arguments, context.settings
    url = arguments.url or settings.broker or (f"mqtt://{settings.mqtt}" if settings.mqtt else None)
    if url is None:
        raise Refused(
            "where to? The server's endpoint is off and no broker is set: say --url mqtt://host:port"
        )
    if arguments.rate is not None and arguments.rate <= 0:
        raise Refused(f"--rate {arguments.rate} must be above 0")
    path = Path(arguments.file)
    with path.open("rb") as file:
        total = check(file)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="carbonmeter-replay-") as folder, path.open("rb") as file:
        spool = Spool(Path(folder) / "spool.sqlite", reserve_bytes=0)
        try:
            with Forwarder(
                spool, url, client_id=f"replay-{path.stem[:40]}", password=arguments.key, window=256
            ) as sender:
                _send(sender, file, total, arguments.rate, quiet=arguments.json)
                is_done = sender.drain(arguments.timeout)
            refused = spool.refused()
            summary = {
                "messages": total,
                "acknowledged": sender.counts.acknowledged,
                "refused": len(refused),
                "waiting": spool.pending,
                "seconds": round(time.monotonic() - began, 2),
            }
        finally:
            spool.close()
    if arguments.json:
        print_json(summary)
    else:
        print(", ".join(f"{name} {number}" for name, number in summary.items()))
        for _, topic, _, reason in refused[:10]:
            print(f"refused {topic}: {reason}")
    if not is_done:
        raise Refused(
            f"{spool.pending} messages have no acknowledgement yet: {sender.counts.last_error}; run it again"
        )
    return 1 if refused else 0


def check(file: IO[bytes]) -> int:
    """How many messages a recording has; FaultyDocument with every fault, before anything is sent."""
    faults: list[Fault] = []
    count = 0
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            message(line)
            count += 1
        except ValueError as error:
            faults.append(Fault(f"line {number}", str(error)))
            if len(faults) == _FAULTS_MAX:
                faults.append(Fault("", f"… the first {_FAULTS_MAX} faults; there may be more"))
                break
    if faults:
        raise FaultyDocument(faults)
    return count


def message(line: bytes) -> tuple[str, bytes, int | None]:
    """(topic, payload, received at [µs]) of one line; ValueError says what is wrong."""
    try:
        record: Any = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(record, dict):
        raise ValueError("isn't a JSON object")
    topic = record.get("topic")
    if not isinstance(topic, str) or not topic or set(topic) & {"+", "#", "\0"}:
        raise ValueError(f"topic {topic!r} is none to publish to")
    if ("payload" in record) == ("payload_base64" in record):
        raise ValueError("wants exactly one of payload and payload_base64")
    if "payload_base64" in record:
        try:
            payload = base64.b64decode(record["payload_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise ValueError(f"payload_base64: {error}") from error
    else:
        payload = _bytes_of(record["payload"])
    at = record.get("at")
    at_us = at * 1000 if isinstance(at, int) else parse_time(at) if isinstance(at, str) else None
    if at is not None and at_us is None:
        raise ValueError(f"at {at!r} is no time with an offset")
    return topic, payload, at_us


def _bytes_of(payload: Any) -> bytes:
    if isinstance(payload, str):
        return payload.encode()
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _send(sender: Forwarder, file: IO[bytes], total: int, rate: float | None, *, quiet: bool) -> None:
    messages = (message(line) for line in file if line.strip())
    put, said = 0, 0.0
    for batch in _paced(messages, rate):
        sender.put_many([(topic, payload) for topic, payload, _ in batch])
        put += len(batch)
        while sender.spool.pending > _WAITING_MAX:
            time.sleep(0.05)
        if not quiet and time.monotonic() - said >= 1.0:
            said = time.monotonic()
            progress(f"{put} of {total} messages, {sender.spool.pending} waiting")


def _paced(
    messages: Iterator[tuple[str, bytes, int | None]], rate: float | None
) -> Iterator[list[tuple[str, bytes, int | None]]]:
    """The messages in batches; one by one, at their recorded distances, where a rate is given."""
    if rate is None:
        while batch := list(itertools.islice(messages, _BATCH)):
            yield batch
        return
    began, first_us = time.monotonic(), None
    wait = threading.Event()
    for each in messages:
        if each[2] is not None:
            first_us = each[2] if first_us is None else first_us
            due = began + (each[2] - first_us) / 1e6 / rate
            wait.wait(max(0.0, due - time.monotonic()))
        yield [each]
