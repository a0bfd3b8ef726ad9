"""Topics of `docs/contract.md` section 1: who sends, and in which form."""

from __future__ import annotations

from dataclasses import dataclass

from domain.identity import is_identifier

PREFIX = "carbon/v1/"
READINGS = "readings"
RECEIPTS = "receipts"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a payload is addressed. `meter` and `channel` are set on the topic of one channel."""

    uscc: str
    gateway: str
    meter: str | None = None
    channel: str | None = None

    @property
    def name(self) -> str:
        """USCC/GATEWAY, as keys are bound to it."""
        return f"{self.uscc}/{self.gateway}"


def parse_topic(topic: bytes) -> Address | None:
    """The address of a topic that readings are published to; None where it is none.

    >>> parse_topic(b"carbon/v1/91430300MA4L0DEM8M/gw1/readings")
    Address(uscc='91430300MA4L0DEM8M', gateway='gw1', meter=None, channel=None)
    >>> parse_topic(b"carbon/v1/91430300MA4L0DEM8M/gw1/receipts") is None
    True
    """
    try:
        text = topic.decode("ascii")  # identifiers are ASCII
    except UnicodeDecodeError:
        return None
    if not text.startswith(PREFIX):
        return None
    parts = text[len(PREFIX) :].split("/")
    if not all(map(is_identifier, parts)):
        return None
    if len(parts) == 3 and parts[2] == READINGS:
        return Address(parts[0], parts[1])
    if len(parts) == 4:
        return Address(parts[0], parts[1], parts[2], parts[3])
    return None


def receipts_topic(uscc: str, gateway: str) -> str:
    return f"{PREFIX}{uscc}/{gateway}/{RECEIPTS}"
