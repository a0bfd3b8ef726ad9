"""Topics to what ingest needs to know of them, remembered: one look into a dict a message.

A route belongs to one version of the registry; a new version starts with none. Both memories are bounded, since
topics come from outside: beyond the bound they start afresh.
"""

from __future__ import annotations

from domain.errors import RejectReason
from domain.interval import parse_time
from domain.registry import Kind
from ingest.decode.carbon_v1 import DECODER
from ingest.decode.decoder import Naming
from ingest.directory import Directory
from ingest.formats import Formats, Found
from ingest.topic import parse_topic

TOPICS_MAX = 100_000
GATEWAYS_MAX = 50_000
TOPIC_LENGTH_MAX = 512  # of a format beside carbon/v1
STAMPS_MAX = 20_000
NAMINGS_MAX = 10_000  # gateways that send by one topic


class Stamps(dict[str, int]):
    """Texts of times to microseconds, for one zone. Raises KeyError where a text is no time.

    Meters of a site are read at the same moments, so most texts come more than once.
    """

    def __init__(self, zone_offset_us: int | None) -> None:
        super().__init__()
        self.zone_offset_us = zone_offset_us

    def __missing__(self, text: str) -> int:
        us = parse_time(text, self.zone_offset_us)
        if us is None:
            raise KeyError(text)
        if len(self) >= STAMPS_MAX:
            self.clear()
        self[text] = us
        return us


class GatewayRoute:
    """A gateway by the names of the topic. `refused`: why nothing of it can be stored."""

    __slots__ = ("index", "local", "name", "names", "owner", "refusal", "refused", "stamps", "zone_offset_us")

    def __init__(
        self, directory: Directory, uscc: str, gateway: str, stamps: dict[int | None, Stamps]
    ) -> None:
        self.names = (uscc, gateway)
        self.name = f"{uscc}/{gateway}"
        self.index: dict[str, int] = {}
        self.refused: RejectReason | None = None
        self.refusal = ""
        self.zone_offset_us: int | None = None
        # its number within the batch that is being filled, see Batch
        self.owner = 0
        self.local = -1
        enterprise = directory.enterprise(uscc)
        if enterprise is None:
            self.refused = RejectReason.UNKNOWN_ENTERPRISE
            self.refusal = f"no enterprise of that code is registered: {uscc}"
        elif gateway not in enterprise.gateways:
            self.refused = RejectReason.UNKNOWN_GATEWAY
            self.refusal = f"no gateway of that name is registered: {self.name}"
        else:
            self.zone_offset_us = enterprise.gateways[gateway].zone_offset_us
            self.index = directory.index(uscc)
        zone = self.zone_offset_us
        self.stamps = stamps.get(zone) or stamps.setdefault(zone, Stamps(zone))


class Route:
    """A topic. `gateway` None: it is no topic of ours. `point` ≥ 0: the place of the registered channel.

    foreign   what a rule of the settings says of it, where it isn't carbon/v1; `gateway` is then None, too, where the
              rule leaves it to who signed in
    """

    __slots__ = ("_names", "channel", "foreign", "gateway", "is_delta", "is_single", "meter", "point")

    def __init__(self, topic: bytes, routes: Routes) -> None:
        address = parse_topic(topic)
        self.gateway: GatewayRoute | None = None
        self.is_single = False
        self.is_delta = False
        self.meter = self.channel = ""
        self.point = -1
        self.foreign: Found | None = None
        self._names: dict[str, Naming] = {}
        if address is None:
            self.foreign = routes.formats.find(topic)
            if self.foreign is not None and self.foreign.address is not None:
                self.gateway = routes.gateway(*self.foreign.address)
            return
        self.gateway = routes.gateway(address.uscc, address.gateway)
        if address.meter is not None and address.channel is not None:
            self.is_single = True
            self.meter, self.channel = address.meter, address.channel
            self.point = self.gateway.index.get(f"{self.meter}/{self.channel}", -1)
            self.is_delta = self.point >= 0 and routes.directory.points[self.point].kind is Kind.DELTA

    def names(self, gateway: GatewayRoute) -> Naming:
        """The names of the foreign format for a gateway."""
        assert self.foreign is not None
        known = self._names.get(gateway.name)
        if known is None:
            if len(self._names) >= NAMINGS_MAX:
                self._names.clear()
            known = self._names[gateway.name] = self.foreign.names(gateway.names[1])
        return known

    @property
    def decoder(self) -> str:
        """As dead letters tell it."""
        if self.foreign is None:
            return DECODER
        return "ignore" if self.foreign.decoder is None else self.foreign.decoder.name


class Routes:
    """The topics seen under one version of the registry."""

    def __init__(self, directory: Directory, formats: Formats | None = None) -> None:
        self.directory = directory
        self.formats = formats or Formats()
        self.topics: dict[bytes | str, Route] = {}
        self._gateways: dict[tuple[str, str], GatewayRoute] = {}
        self._stamps: dict[int | None, Stamps] = {}

    def find(self, topic: bytes | str) -> Route:
        """The route of a topic that isn't among `topics` yet."""
        route = Route(topic.encode("utf-8", "replace") if isinstance(topic, str) else topic, self)
        # only topics of ours are worth remembering; those are short, and a format's usually
        is_ours = route.gateway is not None if route.foreign is None else len(topic) <= TOPIC_LENGTH_MAX
        if is_ours:
            if len(self.topics) >= TOPICS_MAX:
                self.topics.clear()
            self.topics[topic] = route
        return route

    def gateway(self, uscc: str, gateway: str) -> GatewayRoute:
        names = (uscc, gateway)
        found = self._gateways.get(names)
        if found is None:
            if len(self._gateways) >= GATEWAYS_MAX:
                # The topics keep theirs; both start afresh, so that a batch meets a gateway under one object.
                self._gateways.clear()
                self.topics.clear()
            found = self._gateways[names] = GatewayRoute(self.directory, uscc, gateway, self._stamps)
        return found
