"""Who a client of the endpoint is: an API key in the password, a certificate, or nobody on a loopback address."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

import psycopg

from domain.errors import Unavailable
from ingest.metrics import SIGN_INS
from ingest.mqtt_packet import Connect, Reason
from ingest.settings import EndpointSettings
from storage import keys
from storage.database import Connection
from storage.keys import Key, Scope

WAITING_MAX = 2_000
KEYS_MAX = 100_000


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def takes_anonymous(settings: EndpointSettings) -> bool:
    """Whether the endpoint may take clients without a key: only where nobody but this machine can reach it.

    Behind a proxy everybody comes from the proxy's address.
    """
    return not settings.proxies and all(map(is_loopback, settings.hosts))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed in. `allowed`: "USCC/ID" of the gateways it may publish for; None: all.

    `key_id` is 0 for who gave no key; `certificate` is empty then for who is anonymous.
    """

    key_id: int
    allowed: frozenset[str] | None
    certificate: str = ""

    @property
    def owner(self) -> tuple[int, str]:
        """Whose client ids and sessions these are."""
        return self.key_id, self.certificate

    def only_gateway(self) -> tuple[str, str] | None:
        if self.allowed is None or len(self.allowed) != 1:
            return None
        uscc, _, gateway = next(iter(self.allowed)).partition("/")
        return uscc, gateway


ANONYMOUS = Principal(0, None)


class SignIn:
    """Verifies keys off the loop's thread and remembers those that are good, until they are revoked."""

    def __init__(self, connect: Callable[[], Connection], *, anonymous: bool) -> None:
        self._connect = connect
        self._anonymous = anonymous
        self._known: dict[bytes, Principal] = {}
        self._conn: Connection | None = None
        self._waiting = 0
        self._executor = ThreadPoolExecutor(1, "sign-in")

    def at_once(self, connect: Connect, certified: frozenset[str] = frozenset()) -> Principal | Reason | None:
        """The answer where it needs no look into the database; None where it does.

        certified   "USCC/ID" of the gateways that the client's certificate stands for
        """
        if not connect.password:
            if certified:
                return Principal(0, certified, " ".join(sorted(certified)))
            if self._anonymous:
                return ANONYMOUS
            return Reason.NOT_AUTHORIZED
        known = self._known.get(_digest(connect.password))
        if known is not None:
            return known
        return Reason.SERVER_BUSY if self._waiting >= WAITING_MAX else None

    async def verified(self, connect: Connect) -> Principal | Reason:
        """The answer after a look into the database."""
        assert connect.password is not None
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            key = await loop.run_in_executor(self._executor, self._verify, connect.password)
        except (psycopg.Error, Unavailable):
            return Reason.SERVER_UNAVAILABLE
        finally:
            self._waiting -= 1
        if key is None:
            return Reason.BAD_USER_NAME_OR_PASSWORD
        if not key.allows(Scope.READINGS_WRITE):
            return Reason.NOT_AUTHORIZED
        principal = Principal(key.id, key.gateways or None)
        if len(self._known) >= KEYS_MAX:
            self._known.clear()
        self._known[_digest(connect.password)] = principal
        return principal

    def _verify(self, password: bytes) -> Key | None:
        try:
            text = password.decode("ascii")
        except UnicodeDecodeError:
            return None
        if self._conn is None or self._conn.closed or self._conn.broken:
            self._conn = self._connect()
            self._conn.autocommit = True
        return keys.verify(self._conn, text)

    def key_ids(self) -> set[int]:
        """Keys that are remembered."""
        return {principal.key_id for principal in self._known.values()}

    def forget(self, key_ids: set[int]) -> None:
        """Keys that were revoked."""
        self._known = {
            digest: principal for digest, principal in self._known.items() if principal.key_id not in key_ids
        }

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
        if self._conn is not None:
            self._conn.close()


def result_of(answer: Principal | Reason) -> str:
    """A label for the metric."""
    if isinstance(answer, Reason):
        return answer.name.lower()
    if answer.key_id:
        return "key"
    return "certificate" if answer.certificate else "anonymous"


def count(answer: Principal | Reason) -> None:
    SIGN_INS.labels(result_of(answer)).inc()


def _digest(password: bytes) -> bytes:
    return hashlib.sha256(password).digest()
