"""Property reports of Alibaba Cloud IoT's Alink protocol, version 1.0, as its devices and gateways publish them.

- `…/thing/event/property/post`: `params` has the properties, each `{"value", "time"}` or the value alone.
- `…/property/pack/post` and `…/property/batch/post`: `params.properties`, whose properties may be arrays of such, and
  `params.subDevices` with an `identity` each.
- `…/property/history/post`: `params` is an array of `{"identity", "properties": [{…}, …]}`.
- Times are `time` or `timestamp`, in milliseconds; without one the time of receipt stands. Events are passed over.
- The device is the identity's `deviceName`, else the one of the topic `/sys/{productKey}/{deviceName}/…`; the metric is
  the property.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from domain.errors import RejectReason
from ingest.decode.decoder import Message, Plain, fields_of, found, refused
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, parse_json, stamp_of

Items = Iterator[WireReading | Flaw | None]


def _read(message: Message) -> Iterable[WireObject]:
    fields = fields_of(parse_json(message.payload), "the payload")
    params = fields.get("params")
    if not isinstance(params, list):
        raise refused('"params" must be an object or an array, is {}', params)
    levels = message.topic.split("/")
    device = levels[3] if len(levels) > 3 and levels[:2] == ["", "sys"] else None
    if not isinstance(params, Pairs):
        return found(item for entry in params for item in _entry(message, device, entry))
    packed = dict(params)
    if isinstance(packed.get("properties"), list) or isinstance(packed.get("subDevices"), list):
        return found(_pack(message, device, packed))
    return found(_properties(message, device, params))


def _pack(message: Message, device: str | None, packed: dict[str, Any]) -> Items:
    if "properties" in packed:
        yield from _several(message, device, packed["properties"])
    for entry in packed.get("subDevices") or ():
        yield from _entry(message, device, entry)


def _entry(message: Message, device: str | None, entry: Any) -> Items:
    """What one device of a history or of a pack sends."""
    if not isinstance(entry, Pairs):
        yield Flaw(RejectReason.BAD_READING, "expected an object with properties, found {}", entry)
        return
    fields = dict(entry)
    identity = fields.get("identity")
    if isinstance(identity, Pairs):
        name = dict(identity).get("deviceName")
        if not isinstance(name, str):
            yield Flaw(RejectReason.BAD_ID, '"deviceName" is {}', name)
            return
        device = name
    if "properties" in fields:
        yield from _several(message, device, fields["properties"])


def _several(message: Message, device: str | None, properties: Any) -> Items:
    """Properties, or an array of some."""
    if not isinstance(properties, list):
        yield Flaw(RejectReason.BAD_READING, '"properties" is {}', properties)
        return
    for each in [properties] if isinstance(properties, Pairs) else properties:
        yield from _properties(message, device, each)


def _properties(message: Message, device: str | None, properties: Any) -> Items:
    if not isinstance(properties, Pairs):
        yield Flaw(RejectReason.BAD_READING, "expected an object of properties, found {}", properties)
        return
    for key, value in properties:
        # of a pack a property may be an array of its values, each with its time
        several = value if isinstance(value, list) and not isinstance(value, Pairs) else [value]
        for each in several:
            yield _property(message, device, key, each)


def _property(message: Message, device: str | None, key: str, value: Any) -> WireReading | Flaw | None:
    at: int | Flaw | None = None
    if isinstance(value, Pairs):
        fields = dict(value)
        if "value" not in fields:
            return message.flaw(device, key, RejectReason.BAD_READING, "property {} has no value", key)
        for name in ("time", "timestamp"):
            if fields.get(name) is not None:
                at = stamp_of(fields[name], message.zone_offset_us, name)
                break
        value = fields["value"]
    return message.reading(device, key, at, value)


DECODER = Plain("alibaba_v1/1", _read)
