"""What a decoder of a format beside carbon/v1 is given, and what it owes.

Bytes in; readings, or one `DecodeError`, out, whatever the bytes and in a time bounded by their size. A decoder reads
no clock, no settings and no registry: what it may know is in the `Message`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from domain.errors import DecodeError, RejectReason
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, shortened, value_of

if TYPE_CHECKING:
    from ingest.delivery import Source

# (device, metric) as a format names them to (meter, channel); None: the settings say to pass it over. `device` None:
# the format names none.
Naming: TypeAlias = Callable[[str | None, str], "tuple[str, str] | Flaw | None"]


def _drop(_payload: bytes) -> None:
    """Nobody keeps it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, as a decoder sees it.

    levels       of the topic by the names that the rule gives them
    names        the rule's names of meters and channels
    received_us  time of receipt: relative times count from it, readings without a time take it
    source       where it came from, which may be a `delivery.Publisher`; None when a dead letter is replayed
    is_retained  the broker had kept it
    gateway      (uscc, gateway) that it is of
    keep         where a stateful decoder gives the payload with what its state tells: dead letters have that one, so
                 that they mean the same in a replay
    """

    payload: bytes
    topic: str
    levels: Mapping[str, str]
    names: Naming
    zone_offset_us: int | None
    received_us: int
    source: Source | None = None
    is_retained: bool = False
    gateway: tuple[str, str] = ("", "")
    keep: Callable[[bytes], None] = _drop

    def reading(
        self, device: str | None, metric: str, at_us: int | Flaw | None, value: object, quality: int = 0
    ) -> WireReading | Flaw | None:
        """A reading by its names, time and value, the first of them that is wrong, or None if it is passed over.

        at_us  None: the message tells no time, so the time of receipt stands for it
        """
        name = self.names(device, metric)
        if name is None or isinstance(name, Flaw):
            return name
        if isinstance(at_us, Flaw):
            return at_us
        number = value_of(value)
        if isinstance(number, Flaw):
            return number
        if at_us is None:
            return WireReading(*name, self.received_us, *number, quality, is_receipt_time=True)
        return WireReading(*name, at_us, *number, quality)

    def flaw(
        self, device: str | None, metric: str, reason: RejectReason, text: str, value: object
    ) -> Flaw | None:
        """Why there is no reading where one should be, or None if it is passed over; `text` shows the value at {}."""
        name = self.names(device, metric)
        return name if name is None or isinstance(name, Flaw) else Flaw(reason, text, value)


class Decoder(Protocol):
    """Of one format, in one version of it.

    name         with the version, as dead letters tell it: `senml_json/1`
    is_stateful  a payload means something only after the ones before it. `read` is then called once for a delivery, in
                 the order of arrival, on the loop's thread; what it found is kept with the delivery until it is
                 committed. In a replay (`source` None) there is no order: it may be called twice for a letter, on a
                 decoder of its own, and must neither rest on a state nor keep one.
    """

    @property
    def name(self) -> str: ...

    @property
    def is_stateful(self) -> bool: ...

    def read(self, message: Message) -> Iterable[WireObject]:
        """The objects of a payload; one without items says that there is nothing to read in it, deliberately.

        Raises DecodeError before the first object, and nothing else ever. `items` never raise; an item that is passed
        over is None, so that a dead letter's places stay what they were whatever the settings say later.
        """
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A decoder without a state: a function with a name."""

    name: str
    function: Callable[[Message], Iterable[WireObject]]
    is_stateful: bool = False

    def read(self, message: Message) -> Iterable[WireObject]:
        return self.function(message)


def found(items: Iterable[WireReading | Flaw | None]) -> tuple[WireObject]:
    """What was found, one by one, once. Places don't depend on the rule: what it passes over keeps its place."""
    return (WireObject(None, items),)


def refused(text: str, value: object) -> DecodeError:
    """A payload in which no readings can be found; `text` shows the value at {}."""
    return DecodeError(RejectReason.BAD_PAYLOAD, text.replace("{}", shortened(value)))


def fields_of(value: object, what: str) -> dict[str, Any]:
    """A JSON object's fields; DecodeError where it is none. Of a key that stands twice the last counts."""
    if not isinstance(value, Pairs):
        raise refused(f"{what} must be an object, is {{}}", value)
    return dict(value)
