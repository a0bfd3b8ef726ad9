"""Sparkplug B as a format of the settings: the state of every edge node, and what is to be done about it.

`read` is called on the loop's thread, in the order of arrival. What isn't a reading — events, requests for births,
letters that mean something now — waits in `todo` for `keeper.Keeper`, which has the clock and the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.errors import DecodeError, RejectReason
from ingest.decode.decoder import Message
from ingest.decode.sparkplug_b_v1 import (
    COMMANDS,
    DECODER,
    DEVICE_TYPES,
    NAMESPACE,
    NODE_TYPES,
    PassedOver,
    Payload,
    Table,
    items,
    named,
    read_payload,
)
from ingest.decode.wire import Flaw, WireObject, WireReading
from ingest.metrics import SPARKPLUG_DROPPED, SPARKPLUG_PASSED_OVER
from ingest.sparkplug.session import EdgeNode, Happened, Resolved

if TYPE_CHECKING:
    from ingest.delivery import Source

NODES_MAX = 50_000
TODO_MAX = 10_000
_HOST_ID = re.compile(r"[^/+#\0]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """An edge node by its topic, with the gateway that it is for us."""

    group: str
    node: str
    uscc: str
    gateway: str

    @property
    def command_topic(self) -> str:
        return f"{NAMESPACE}/{self.group}/NCMD/{self.node}"


@dataclass(slots=True)
class Known:
    """An edge node with who speaks for it."""

    address: Address
    source: Source
    session: EdgeNode = field(default_factory=EdgeNode)


@dataclass(frozen=True, slots=True)
class Options:
    """Of a rule.

    host_id    of this Host Application, in spBv1.0/STATE/{host_id}
    reorder_s  how long a missing message may take (Reorder Timeout)
    rebirth_s  least time between two requests to one node
    """

    host_id: str = "carbonmeter"
    reorder_s: float = 2.0
    rebirth_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of an edge node's messages."""

    group: str
    kind: str
    node: str
    device: str | None


def parse_topic(topic: str) -> Topic | None:
    """The parts of a topic; None where it is none of a birth, data or a death.

    >>> parse_topic("spBv1.0/G/DDATA/E/D")
    Topic(group='G', kind='DDATA', node='E', device='D')
    """
    levels = topic.split("/")
    if len(levels) not in (4, 5) or levels[0] != NAMESPACE or not all(levels):
        return None
    kinds = NODE_TYPES if len(levels) == 4 else DEVICE_TYPES
    if levels[2] not in kinds:
        return None
    return Topic(levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else None)


class SparkplugDecoder:
    """Of one rule."""

    name = DECODER
    is_stateful = True

    def __init__(self, options: Options) -> None:
        self.options = options
        self.nodes: dict[tuple[str, str], Known] = {}
        self.todo: list[tuple[Known, Happened | Resolved, int]] = []  # with the time of receipt [µs]
        self.restless: set[tuple[str, str]] = set()  # nodes that a clock must look at

    def read(self, message: Message) -> Iterable[WireObject]:
        topic = parse_topic(message.topic)
        if topic is None:
            levels = message.topic.split("/")
            if levels[0] == NAMESPACE and len(levels) > 2 and (levels[1] == "STATE" or levels[2] in COMMANDS):
                return ()  # what hosts say, to which nobody owes a reading
            raise DecodeError(RejectReason.BAD_TOPIC, "no topic of a Sparkplug birth, death or data message")
        payload = read_payload(message.payload)
        if message.source is not None and not message.is_retained:
            payload = self._in_session(topic, payload, message)
        if topic.kind in ("NDEATH", "DDEATH"):
            return ()
        return (WireObject(None, tuple(_counted(payload, message, topic))),)

    def _in_session(self, topic: Topic, payload: Payload, message: Message) -> Payload:
        """The payload with what the session tells of it."""
        assert message.source is not None
        known = self._node(topic, message, message.source)
        step = known.session.take(topic.kind, topic.device, payload, message.received_us)
        found: list[Happened | Resolved] = [*step.happened, *step.resolved]
        for item in found:
            if len(self.todo) < TODO_MAX:
                self.todo.append((known, item, message.received_us))
            else:
                SPARKPLUG_DROPPED.inc()
        if known.session.rebirth is not None or known.session.has_gap:
            self.restless.add((topic.group, topic.node))
        whole = named(payload, step.table)
        if whole is not payload:
            message.keep(whole.data)
        return whole

    def _node(self, topic: Topic, message: Message, source: Source) -> Known:
        names = topic.group, topic.node
        known = self.nodes.get(names)
        if known is None:
            if len(self.nodes) >= NODES_MAX:
                self.nodes.pop(next(iter(self.nodes)))
            known = self.nodes[names] = Known(Address(*names, *message.gateway), source)
        elif known.source is not source and topic.kind != "NDEATH":  # a will may come after its successor
            known.source = source
            known.session.forget()
        return known

    def commands(self, topic: str) -> bool:
        """Whether a topic is one that an edge node hears its commands by."""
        levels = topic.split("/")
        return len(levels) == 4 and levels[0] == NAMESPACE and levels[2] == "NCMD" and all(levels)

    def lost(self, source: Source) -> None:
        """A connection of ours has ended: what came by it may go on without us."""
        for known in self.nodes.values():
            if known.source is source:
                known.session.forget()


def _counted(payload: Payload, message: Message, topic: Topic) -> Iterable[WireReading | Flaw | None]:
    is_birth = topic.kind in ("NBIRTH", "DBIRTH")
    for item in items(payload, message, topic.device, is_birth=is_birth):
        if isinstance(item, PassedOver):
            SPARKPLUG_PASSED_OVER.labels(item.why).inc()
            yield None
        else:
            yield item


def completed(data: bytes, table: Table) -> bytes | None:
    """A dead letter's payload with what a table tells; None where that is nothing."""
    try:
        payload = read_payload(data)
    except DecodeError:
        return None
    whole = named(payload, table)
    return None if whole is payload else whole.data


def make(
    options: Mapping[str, Any], _placeholders: frozenset[str], report: Callable[[str, str], None]
) -> SparkplugDecoder | None:
    """The decoder of a rule from its own options."""
    host_id = options.get("host_id", Options().host_id)
    is_right = True
    if not isinstance(host_id, str) or not _HOST_ID.match(host_id):
        report("host_id", f"is {host_id!r}, expected a topic level of at most 128 characters")
        is_right = False
    seconds = {}
    for key in ("reorder_s", "rebirth_s"):
        value = options.get(key, getattr(Options(), key))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
            report(key, f"is {value!r}, expected seconds above 0, at most 3600")
            is_right = False
        seconds[key] = value
    return SparkplugDecoder(Options(host_id, **seconds)) if is_right else None
