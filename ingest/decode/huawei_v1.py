"""Property reports of Huawei Cloud IoTDA: of a device, and of a gateway's sub-devices.

- `$oc/devices/{id}/sys/properties/report`: `{"services": [{"service_id", "properties", "event_time"}]}`; the device is
  the topic's.
- `…/sys/gateway/sub_devices/properties/report`: `{"devices": [{"device_id", "services"}]}`.
- The metric is `service_id.property`: a device has services of one kind more than once.
- `event_time` is UTC, `20191023T173625Z`, also with milliseconds; RFC 3339 is read too. Without it the time of receipt
  stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from domain.errors import RejectReason
from ingest.decode.decoder import Message, Plain, fields_of, found, refused
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, parse_json, stamp_of

Items = Iterator[WireReading | Flaw | None]
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z\Z", re.ASCII)


def _read(message: Message) -> Iterable[WireObject]:
    fields = fields_of(parse_json(message.payload), "the payload")
    services: Any = fields.get("services")
    devices: Any = fields.get("devices")
    if _is_array(services):
        levels = message.topic.split("/")
        device = levels[2] if len(levels) > 2 and levels[:2] == ["$oc", "devices"] else None
        return found(_services(message, device, services))
    if _is_array(devices):
        return found(_devices(message, devices))
    raise refused('neither "services" nor "devices" is an array in {}', ", ".join(fields))


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, Pairs)


def _devices(message: Message, devices: list[Any]) -> Items:
    for entry in devices:
        fields = dict(entry) if isinstance(entry, Pairs) else {}
        device = fields.get("device_id")
        if not isinstance(device, str) or not _is_array(fields.get("services")):
            yield Flaw(RejectReason.BAD_READING, "expected device_id and services, found {}", entry)
        else:
            yield from _services(message, device, fields["services"])


def _services(message: Message, device: str | None, services: list[Any]) -> Items:
    for entry in services:
        fields = dict(entry) if isinstance(entry, Pairs) else {}
        service, properties = fields.get("service_id"), fields.get("properties")
        if not isinstance(service, str) or not isinstance(properties, Pairs):
            yield Flaw(RejectReason.BAD_READING, "expected service_id and properties, found {}", entry)
            continue
        at: int | Flaw | None = None
        if fields.get("event_time") is not None:
            at = _time(fields["event_time"])
        for key, value in properties:
            yield message.reading(device, f"{service}.{key}", at, value)


def _time(value: Any) -> int | Flaw:
    text = value
    if isinstance(value, str):
        text = _BASIC.sub(r"\1-\2-\3T\4:\5:\6\7Z", value)
    return stamp_of(text, 0, "event_time")


DECODER = Plain("huawei_v1/1", _read)
