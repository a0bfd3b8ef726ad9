"""API keys: who may do what. A key has 256 random bits; only a hash of it is kept, beside a prefix to name it.

A key reads `cm_PREFIX_SECRET`: the prefix (8 hexadecimal digits) is shown in lists, the secret is 32 random bytes.
The whole text is hashed: with 256 bits of chance in it, a plain SHA-256 can't be searched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Fault, FaultyDocument
from domain.identity import is_identifier, uscc_fault
from storage.database import Connection

_KEY = re.compile(r"cm_([0-9a-f]{8})_[A-Za-z0-9_-]{43}\Z")
_COLUMNS = "id, prefix, name, scopes, gateways, created_at, revoked_at"


class Scope(StrEnum):
    """What a key may do."""

    READINGS_WRITE = "readings:write"  # publish readings, for the gateways that it is bound to
    EMISSIONS_READ = "emissions:read"
    REGISTRY_WRITE = "registry:write"
    ADMIN = "admin"  # all of it


@dataclass(frozen=True, slots=True)
class Key:
    """A key as far as it is kept. `gateways` are "USCC/ID"; none: it isn't bound, and publishes for any."""

    id: int
    prefix: str
    name: str
    scopes: frozenset[str]
    gateways: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_publish(self, uscc: str, gateway: str) -> bool:
        """Whether readings of this gateway may come under this key."""
        return self.allows(Scope.READINGS_WRITE) and (
            not self.gateways or f"{uscc}/{gateway}" in self.gateways
        )

    def only_gateway(self) -> tuple[str, str] | None:
        """(uscc, gateway) of a key that is bound to exactly one gateway."""
        if len(self.gateways) != 1:
            return None
        uscc, _, gateway = next(iter(self.gateways)).partition("/")
        return uscc, gateway

    @property
    def label(self) -> str:
        """How changes made under this key are signed."""
        return self.name or f"key {self.prefix}"


def create(
    conn: Connection, scopes: Iterable[str], gateways: Iterable[str] = (), name: str = ""
) -> tuple[str, Key]:
    """Make a key; the text returned is the only copy of it. FaultyDocument lists all that is wrong with the wishes."""
    wanted, bound = sorted(set(scopes)), sorted(set(gateways))
    faults = [
        Fault("scope", f"{scope!r} is none of {', '.join(Scope)}")
        for scope in wanted
        if scope not in list(Scope)
    ]
    if not wanted:
        faults.append(Fault("scope", f"a key needs at least one scope: {', '.join(Scope)}"))
    for gateway in bound:
        uscc, _, id_ = gateway.partition("/")
        if message := uscc_fault(uscc):
            faults.append(Fault("gateway", f"{gateway!r} must be USCC/ID: {message}"))
        elif not is_identifier(id_):
            faults.append(Fault("gateway", f"{gateway!r} must be USCC/ID: {id_!r} is no gateway id"))
    if bound and not {Scope.READINGS_WRITE, Scope.ADMIN} & set(wanted):
        faults.append(
            Fault("gateway", f"gateways bind keys of scope {Scope.READINGS_WRITE}, which this one lacks")
        )
    if faults:
        raise FaultyDocument(faults)
    while True:
        prefix = secrets.token_hex(4)
        text = f"cm_{prefix}_{secrets.token_urlsafe(32)}"
        row = conn.execute(
            f"""INSERT INTO api_keys (prefix, hash, name, scopes, gateways, created_at)
                VALUES (%s, %s, %s, %s, %s, clock_timestamp())
                ON CONFLICT (prefix) DO NOTHING RETURNING {_COLUMNS}""",
            [prefix, _hash(text), name, wanted, bound],
        ).fetchone()
        if row is not None:
            return text, _key(row)


def verify(conn: Connection, text: str) -> Key | None:
    """The key that this text is, if it is one and isn't revoked."""
    match = _KEY.match(text)
    if match is None:
        return None
    row = conn.execute(
        f"SELECT {_COLUMNS}, hash FROM api_keys WHERE prefix = %s AND revoked_at IS NULL", [match[1]]
    ).fetchone()
    if row is None or not hmac.compare_digest(bytes(row[-1]), _hash(text)):
        return None
    return _key(row[:-1])


def begin_snapshot(conn: Connection, key: Key | None) -> tuple[int, bool]:
    """Begin a transaction that reads one snapshot: (version of its registry, whether the key is revoked by then).

    One round trip, since each request of the API begins with it.
    """
    cursor = conn.execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT version, "
        f"(SELECT revoked_at FROM api_keys WHERE id = {0 if key is None else int(key.id)}) FROM registry_state",
        prepare=False,  # several statements at once can't be
    )
    cursor.nextset()
    row = cursor.fetchone()
    assert row is not None, "the database isn't migrated"
    return row[0], row[1] is not None


def every(conn: Connection) -> list[Key]:
    """All keys, revoked ones too, in the order in which they were made."""
    return [_key(row) for row in conn.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY id")]


def revoke(conn: Connection, prefix: str) -> Key | None:
    """End a key by its prefix; None where there is none. Revoking twice keeps the first moment."""
    row = conn.execute(
        f"""UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())
            WHERE prefix = %s RETURNING {_COLUMNS}""",
        [prefix],
    ).fetchone()
    return _key(row) if row else None


def revoked(conn: Connection, ids: Iterable[int]) -> set[int]:
    """Which of these keys are revoked by now."""
    rows = conn.execute("SELECT id FROM api_keys WHERE id = ANY(%s) AND revoked_at IS NOT NULL", [list(ids)])
    return {int(id_) for (id_,) in rows}


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _key(row: tuple[object, ...]) -> Key:
    id_, prefix, name, scopes, gateways, created_at, revoked_at = row
    assert isinstance(id_, int)
    assert isinstance(scopes, list)
    assert isinstance(gateways, list)
    assert isinstance(created_at, datetime)
    assert revoked_at is None or isinstance(revoked_at, datetime)
    return Key(id_, str(prefix), str(name), frozenset(scopes), frozenset(gateways), created_at, revoked_at)
