"""Settings of ingest; `carbonmeter.settings` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.directory import ClockRules
from ingest.formats import Rule
from ingest.pipeline import Bounds, DeadLetterLimit


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Of our own MQTT endpoint.

    anonymous             take clients without a key; on a loopback address alone, see `sign_in.is_loopback`
    receive_maximum       QoS 1 messages of a client that aren't committed yet
    packet_bytes_max      a larger packet ends its connection (0x95)
    partial_bytes_max     of unfinished packets over all connections
    session_expiry_s_max  longest time that a session is kept in memory
    slow_s_max            longest time that a client may not take what we write
    connect_s_max         longest time from the connection to CONNECT
    """

    host: str = "127.0.0.1"
    port: int = 1883
    anonymous: bool = True
    receive_maximum: int = 4096
    packet_bytes_max: int = 1 << 20
    partial_bytes_max: int = 64 << 20
    connections_max: int = 20_000
    sessions_max: int = 100_000
    session_expiry_s_max: int = 7 * 86_400
    slow_s_max: float = 60.0
    connect_s_max: float = 10.0


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
class IngestSettings:
    """What the ingest process is told at its start. Without an endpoint and a broker it only keeps what is held."""

    database: str = field(repr=False)  # a PostgreSQL URL: it may hold a password
    endpoint: EndpointSettings | None = None
    broker: BrokerSettings | None = None
    clock: ClockRules = field(default_factory=ClockRules)
    bounds: Bounds = field(default_factory=Bounds)
    dead_letters: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    formats: tuple[Rule, ...] = ()  # beside carbon/v1
    drain_s_max: float = 20.0
