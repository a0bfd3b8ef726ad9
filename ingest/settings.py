"""Settings of ingest; `carbonmeter.settings` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from ingest.directory import ClockRules
from ingest.formats import Rule
from ingest.pipeline import Bounds, DeadLetterLimit
from ingest.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Of our own MQTT endpoint.

    port                  without TLS; None: no such listener
    tls                   the listener with TLS
    websockets            (host, port) of the listener for WebSockets
    proxies               networks of proxies; then each connection without TLS begins with their header
    anonymous             take clients without a key: see `takes_anonymous`
    receive_maximum       messages of a client at QoS 1 and 2 that aren't acknowledged yet
    packet_bytes_max      a larger packet ends its connection (0x95)
    partial_bytes_max     of unfinished packets over all connections
    session_expiry_s_max  longest time that a session is kept in memory
    slow_s_max            longest time that a client may not take what we write
    connect_s_max         longest time from the connection to CONNECT
    messages_per_s_max    of one connection, which isn't read while it is beyond; None: no limit
    connections_per_key_max, connections_per_address_max    None: no limit
    """

    host: str = "127.0.0.1"
    port: int | None = 1883
    tls: TlsSettings | None = None
    websockets: tuple[str, int] | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    anonymous: bool = True
    receive_maximum: int = 4096
    packet_bytes_max: int = 1 << 20
    partial_bytes_max: int = 64 << 20
    connections_max: int = 20_000
    sessions_max: int = 100_000
    session_expiry_s_max: int = 7 * 86_400
    slow_s_max: float = 60.0
    connect_s_max: float = 10.0
    messages_per_s_max: float | None = None
    connections_per_key_max: int | None = None
    connections_per_address_max: int | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every address that it listens on."""
        hosts = [] if self.port is None else [self.host]
        hosts += [] if self.tls is None else [self.tls.host]
        return (*hosts, *(() if self.websockets is None else self.websockets[:1]))


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Of the subscription at a broker.

    url              mqtt:// or mqtts://, with user and password where it wants them
    client_id        of the persistent session; every worker needs its own
    share_group      subscribe as $share/GROUP/…, so that several workers share the work; None: alone
    receive_maximum  messages that the broker may have in flight to us
    """

    url: str = field(repr=False)
    client_id: str = "carbonmeter-ingest"
    share_group: str | None = None
    receive_maximum: int = 20_000
    session_expiry_s: int = 7 * 86_400
    keep_alive_s: int = 30


@dataclass(frozen=True, slots=True)
class Hj212Settings:
    """Of the listener for data loggers.

    silent_s_max  longest time without a word: a logger reports each minute or so
    """

    host: str = "127.0.0.1"
    port: int = 5212
    connections_max: int = 5_000
    silent_s_max: float = 3_600.0


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What the ingest process is told at its start. Without an endpoint and a broker it only keeps what is held."""

    database: str = field(repr=False)  # a PostgreSQL URL: it may hold a password
    endpoint: EndpointSettings | None = None
    broker: BrokerSettings | None = None
    hj212: Hj212Settings | None = None
    clock: ClockRules = field(default_factory=ClockRules)
    bounds: Bounds = field(default_factory=Bounds)
    dead_letters: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    formats: tuple[Rule, ...] = ()  # beside carbon/v1
    drain_s_max: float = 20.0
