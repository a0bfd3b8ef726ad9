"""ThingsBoard's telemetry: of a device (`v1/devices/me/telemetry`) and of a gateway (`v1/gateway/telemetry`).

- A device sends `{"key": value}`, `{"ts": ms, "values": {…}}`, or an array of either; without `ts` the time of receipt
  stands. A gateway sends `{"Device A": [the same, …]}`.
- A gateway's devices are devices; a device's own keys name none, so the rule says the meter, or the gateway is it.
- Values are numbers, or texts that are decimals; truth values, other texts, objects and arrays are rejected, unless
  the rule ignores their key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from domain.errors import RejectReason
from ingest.decode.decoder import Message, Plain, fields_of, found, refused
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, parse_json, stamp_of


def _device(message: Message) -> Iterable[WireObject]:
    value = parse_json(message.payload)
    if not isinstance(value, list) or (not value and not isinstance(value, Pairs)):
        raise refused("expected an object or an array of some, found {}", value)
    return found(_entries(message, None, [value] if isinstance(value, Pairs) else value))


def _gateway(message: Message) -> Iterable[WireObject]:
    devices = fields_of(parse_json(message.payload), "the payload")
    for device, entries in devices.items():
        if not isinstance(entries, list):
            raise refused(f"of each device an array is expected, {device[:64]!a} has {{}}", entries)

    def items() -> Iterator[WireReading | Flaw | None]:
        for device, entries in devices.items():
            yield from _entries(message, device, [entries] if isinstance(entries, Pairs) else entries)

    return found(items())


def _entries(message: Message, device: str | None, entries: list[Any]) -> Iterator[WireReading | Flaw | None]:
    for entry in entries:
        if not isinstance(entry, Pairs):
            yield Flaw(RejectReason.BAD_READING, "expected an object, found {}", entry)
            continue
        fields = dict(entry)
        at: int | Flaw | None = None
        values: Any = entry
        if "ts" in fields and "values" in fields:
            at, values = stamp_of(fields["ts"], message.zone_offset_us, "ts"), fields["values"]
        if not isinstance(values, Pairs):
            yield Flaw(RejectReason.BAD_READING, '"values" must be an object, is {}', values)
            continue
        for key, value in values:
            yield message.reading(device, key, at, value)


DEVICE = Plain("thingsboard_v1/1", _device)
GATEWAY = Plain("thingsboard_gateway_v1/1", _gateway)
