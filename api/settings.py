"""Settings of the API, read once at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from api.limits import Limits
from domain.errors import SettingsError


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


DEFAULT_LIMITS = Limits(rate=1_000, range_days=36_600, page=10_000, body_bytes=64 << 20)


class RowSecurity(StrEnum):
    """Whether sessions go on as the role of row-level security (`storage/row_security.py`)."""

    REQUIRED = "required"  # refuse to start where it can't be had
    PREFERRED = "preferred"  # say so and go on, with the API's own checks alone
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What a server of the API is told; `carbonmeter.settings` reads it.

    connections_max   to the database: as many requests read at once, the others wait for at most
                      `connection_wait_s_max` and are then answered 503
    open_reads        routes of scope emissions:read answer without a key; on a loopback address alone
    needed_services   the services whose fresh and ready beats make `GET /v1/health/ready` answer 200
    row_security      whether sessions go on as the role of row-level security
    token_valid_s     how long a token of `POST /v1/oauth/token` holds
    metrics_folder    where the processes of this server keep their metrics; None: this process's alone
    """

    database: str = field(repr=False)  # a PostgreSQL URL: it may hold a password
    host: str = "127.0.0.1"
    port: int = 8080
    connections_max: int = 8
    connection_wait_s_max: float = 5.0
    open_reads: bool = False
    needed_services: tuple[str, ...] = ("ingest", "accounting")
    metrics_folder: str | None = None
    look_ahead_us: int = 86_400_000_000  # accounting's: readings are judged alike here
    row_security: RowSecurity = RowSecurity.PREFERRED
    token_valid_s: int = 3_600
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.open_reads and not is_loopback(self.host):
            raise SettingsError(
                f"open_reads lets anyone read without a key and is for loopback addresses alone, not for {self.host!r}:"
                " turn it off, or listen on 127.0.0.1"
            )
        if self.connections_max < 1:
            raise SettingsError(f"connections_max ({self.connections_max}) must be at least 1")
