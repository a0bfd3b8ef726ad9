"""An edge node that speaks Sparkplug B by a library of others: its payloads, its order of messages."""

from __future__ import annotations

from typing import Any

from sparkplub_b_packets.core.sparkplug_b import MetricDataType, addMetric
from sparkplub_b_packets.core.sparkplug_b_pb2 import Payload

from tests.ingest.beds import NOW_MS, USCC

GROUP, NODE = USCC, "gw1"
RULE = {"topic": "spBv1.0/{uscc}/+/{gateway}/#", "format": "sparkplug_b"}
Types = MetricDataType


def topic(kind: str, device: str | None = None, node: str = NODE) -> str:
    return f"spBv1.0/{GROUP}/{kind}/{node}" + ("" if device is None else f"/{device}")


def payload(*, seq: int | None = None, at_ms: int | None = NOW_MS) -> Any:
    made = Payload()
    if at_ms is not None:
        made.timestamp = at_ms
    if seq is not None:
        made.seq = seq
    return made


def metric(
    into: Any,
    name: str | None,
    alias: int | None,
    type_: int,
    value: Any,
    at_ms: int | None = NOW_MS,
    *,
    typed: bool = True,
    quality: int | None = None,
) -> Any:
    made = addMetric(into, name, alias, type_, value)
    if at_ms is None:
        made.ClearField("timestamp")
    else:
        made.timestamp = at_ms
    if not typed:
        made.ClearField("datatype")
    if quality is not None:
        made.properties.keys.append("Quality")
        property_ = made.properties.values.add()
        property_.type, property_.int_value = Types.Int32, quality
    return made


class Node:
    """Makes the messages of one edge node's sessions: (topic, payload)."""

    def __init__(self, name: str = NODE, bd_seq: int = 0) -> None:
        self.name = name
        self.bd_seq = bd_seq
        self.seq = 0

    def _next(self) -> int:
        seq, self.seq = self.seq, (self.seq + 1) % 256
        return seq

    def birth(
        self, metrics: dict[str, int] | None = None, value: float = 1.5, at_ms: int = NOW_MS
    ) -> tuple[str, bytes]:
        """NBIRTH. `metrics`: aliases by name, doubles all."""
        self.seq = 0
        made = payload(seq=self._next(), at_ms=at_ms)
        metric(made, "bdSeq", None, Types.Int64, self.bd_seq, at_ms)
        metric(made, "Node Control/Rebirth", None, Types.Boolean, False, at_ms)
        for name, alias in (metrics or {}).items():
            metric(made, name, alias, Types.Double, value, at_ms)
        return topic("NBIRTH", None, self.name), made.SerializeToString()

    def death(self) -> tuple[str, bytes]:
        made = Payload()
        metric(made, "bdSeq", None, Types.Int64, self.bd_seq, None)
        return topic("NDEATH", None, self.name), made.SerializeToString()

    def device_birth(
        self, device: str, metrics: dict[str, int], value: float = 1.5, at_ms: int = NOW_MS
    ) -> tuple[str, bytes]:
        made = payload(seq=self._next(), at_ms=at_ms)
        for name, alias in metrics.items():
            metric(made, name, alias, Types.Double, value, at_ms)
        return topic("DBIRTH", device, self.name), made.SerializeToString()

    def device_death(self, device: str, at_ms: int = NOW_MS) -> tuple[str, bytes]:
        made = payload(seq=self._next(), at_ms=at_ms)
        return topic("DDEATH", device, self.name), made.SerializeToString()

    def data(self, device: str | None, values: dict[int, float], at_ms: int = NOW_MS) -> tuple[str, bytes]:
        """NDATA or DDATA by aliases alone, as the specification wants it."""
        made = payload(seq=self._next(), at_ms=at_ms)
        for alias, value in values.items():
            metric(made, None, alias, Types.Double, value, at_ms, typed=False)
        kind = "NDATA" if device is None else "DDATA"
        return topic(kind, device, self.name), made.SerializeToString()
