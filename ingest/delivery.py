"""What comes in, whatever it came from: chunks of deliveries with an acknowledgement to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from domain.errors import DecodeError
from domain.interval import format_time
from ingest.decode.wire import Seq, WireObject

NOT_AUTHORIZED = 0x87
TOPIC_NAME_INVALID = 0x90
PACKET_ID_MAX = 0xFFFF


@dataclass(slots=True)
class Receipt:
    """What became of one object. Given back to whoever sent it if it carried `seq`."""

    uscc: str
    gateway: str
    seq: Seq
    received: int = 0
    held: int = 0
    rejected: int = 0

    @property
    def stored(self) -> int:
        return self.received - self.held - self.rejected

    def as_dict(self, committed_us: int) -> dict[str, object]:
        return {
            "seq": self.seq,
            "stored": self.stored,
            "held": self.held,
            "rejected": self.rejected,
            "committed_at": format_time(committed_us),
        }


class Source(Protocol):
    """Where deliveries come from and their acknowledgement goes to: a connection, a broker, a request."""

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:
        """These chunks are committed: acknowledge them. Each once, in the order of their submission."""
        ...


@runtime_checkable
class Publisher(Protocol):
    """A source that takes publications of ours: the connection of a device, or the one to the broker."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish at QoS 0 to whoever is there and subscribed; False where it can't go out now. Never waits."""
        ...


class Nobody:
    """The source of what nobody waits for an acknowledgement of: replays, wills."""

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:
        """Nobody is told."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Deliveries of one source that were read together: parallel lists.

    topics       bytes, or str where the source has text
    packet_ids   0 where there is nothing to acknowledge (QoS 0), above PACKET_ID_MAX at QoS 2
    retained     places of those that came with the retain flag
    allowed      "USCC/ID" of the gateways the sender may publish for; None: all
    every_object give a receipt for objects without `seq` too
    addressed    "USCC/ID" of the gateway that a topic without one means; None: the only one of `allowed`
    is_replay    dead letters once more
    codes        set by ingest: acknowledgement by place where it isn't a plain success
    found        set by ingest: what stateful decoders found, by place, since they read a delivery once
    kept         set by ingest: payloads that say more than what was sent, by place, for dead letters
    """

    source: Source
    via: str
    received_us: int
    topics: Sequence[bytes | str]
    payloads: Sequence[bytes]
    packet_ids: Sequence[int]
    retained: frozenset[int] = frozenset()
    allowed: frozenset[str] | None = None
    every_object: bool = False
    addressed: str | None = None
    is_replay: bool = False
    codes: dict[int, int] = field(default_factory=dict)
    found: dict[int, Sequence[WireObject] | DecodeError] = field(default_factory=dict)
    kept: dict[int, bytes] = field(default_factory=dict)

    @property
    def sender(self) -> tuple[str, str] | None:
        """(uscc, gateway) of the only gateway that the sender can mean."""
        name = self.addressed
        if name is None and self.allowed is not None and len(self.allowed) == 1:
            name = next(iter(self.allowed))
        if name is None:
            return None
        uscc, _, gateway = name.partition("/")
        return uscc, gateway
