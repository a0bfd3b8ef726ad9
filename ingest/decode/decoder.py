"""What a decoder of a format beside carbon/v1 is given, and what it owes.

Bytes in; readings, or one `DecodeError`, out, whatever the bytes and in a time bounded by their size. A decoder reads
no clock, no settings and no registry: what it may know is in the `Message`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ingest.decode.wire import Flaw, WireObject, WireReading, value_of

if TYPE_CHECKING:
    from ingest.delivery import Source

# (device, metric) as a format names them to (meter, channel); None: the settings say to pass it over. `device` None:
# the format names none.
Naming: TypeAlias = Callable[[str | None, str], "tuple[str, str] | Flaw | None"]


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, as a decoder sees it.

    levels       of the topic by the names that the rule gives them
    names        the rule's names of meters and channels
    received_us  time of receipt: relative times count from it, readings without a time take it
    source       where it came from, which may be a `delivery.Publisher`; None when a dead letter is replayed
    is_retained  the broker had kept it
    """

    payload: bytes
    topic: str
    levels: Mapping[str, str]
    names: Naming
    zone_offset_us: int | None
    received_us: int
    source: Source | None = None
    is_retained: bool = False

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

        Raises DecodeError before the first object, and nothing else ever. `items` never raise.
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


def found(items: Iterable[WireReading | Flaw | None]) -> WireObject:
    """An object of what was found, without what is passed over."""
    return WireObject(None, tuple(item for item in items if item is not None))
