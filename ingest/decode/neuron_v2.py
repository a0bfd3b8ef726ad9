"""EMQ Neuron's MQTT uploads, of version 2: `{"node", "group", "timestamp", "values", "errors"}` or `"tags"`.

- The device is `node`, the driver that read the tags; the metric is the tag. Tags of two groups with one name are
  kept apart by the rule's templates: `channel = "{group}.{metric}"` with a `{group}` in its topic.
- `timestamp` is in milliseconds; without it the time of receipt stands.
- A tag under `errors`, or with an `error` other than 0, has no value: rejected with the driver's number. `metas` is
  passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from domain.errors import RejectReason
from ingest.decode.decoder import Message, Plain, fields_of, found, refused
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, parse_json, stamp_of


def _read(message: Message) -> Iterable[WireObject]:
    fields = fields_of(parse_json(message.payload), "the payload")
    node = fields.get("node")
    if not isinstance(node, str):
        raise refused('"node" must be a text, is {}', node)
    values, errors, tags = fields.get("values", Pairs()), fields.get("errors", Pairs()), fields.get("tags")
    for key, value in (("values", values), ("errors", errors)):
        if not isinstance(value, Pairs):
            raise refused(f'"{key}" must be an object, is {{}}', value)
    if tags is not None and (not isinstance(tags, list) or isinstance(tags, Pairs)):
        raise refused('"tags" must be an array, is {}', tags)
    if tags is None and "values" not in fields and "errors" not in fields:
        raise refused('none of "values", "errors" and "tags" is in {}', ", ".join(fields))
    at: int | Flaw | None = None
    if fields.get("timestamp") is not None:
        at = stamp_of(fields["timestamp"], message.zone_offset_us, "timestamp")

    def items() -> Iterator[WireReading | Flaw | None]:
        for tag, value in values:
            yield message.reading(node, tag, at, value)
        for tag, error in errors:
            yield _error(message, node, tag, error)
        for item in tags or ():
            yield _tag(message, node, at, item)

    return found(items())


def _tag(message: Message, node: str, at: int | Flaw | None, item: Any) -> WireReading | Flaw | None:
    fields = dict(item) if isinstance(item, Pairs) else {}
    name = fields.get("name")
    if not isinstance(name, str):
        return Flaw(RejectReason.BAD_READING, "expected a tag with a name, found {}", item)
    if fields.get("error") not in (None, 0):
        return _error(message, node, name, fields["error"])
    if "value" not in fields:
        return message.flaw(node, name, RejectReason.BAD_READING, "tag {} has neither value nor error", name)
    return message.reading(node, name, at, fields["value"])


def _error(message: Message, node: str, tag: str, error: Any) -> Flaw | None:
    return message.flaw(
        node, tag, RejectReason.BAD_VALUE, "the driver reports error {} in place of a value", error
    )


DECODER = Plain("neuron_v2/1", _read)
