"""API keys: who may do what. A key has 256 random bits; only a hash of it is kept, beside a prefix to name it.

A key reads `cm_PREFIX_SECRET`: the prefix (8 hexadecimal digits) is shown in lists, the secret is 32 random bytes.
The whole text is hashed: with 256 bits of chance in it, a plain SHA-256 can't be searched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg.types.json import Jsonb

from domain.access import Role, tenant_faults
from domain.errors import Fault, FaultyDocument
from domain.identity import is_identifier, uscc_fault
from storage.database import Connection

HASH_ALG = "sha-256"
_KEY = re.compile(r"cm_([0-9a-f]{8})_[A-Za-z0-9_-]{43}\Z")
_TOKEN = re.compile(r"cmt_[A-Za-z0-9_-]{43}\Z")
_NAMES = (
    "id",
    "prefix",
    "name",
    "scopes",
    "gateways",
    "created_at",
    "revoked_at",
    "role",
    "tenant",
    "basis",
    "limits",
)
_COLUMNS = ", ".join(_NAMES)
_COLUMNS_OF_K = ", ".join(f"k.{name}" for name in _NAMES)


class Scope(StrEnum):
    """What a key may do."""

    READINGS_WRITE = "readings:write"  # publish readings, for the gateways that it is bound to
    EMISSIONS_READ = "emissions:read"
    REGISTRY_WRITE = "registry:write"
    CONSENTS_WRITE = "consents:write"  # grant and revoke them
    ADMIN = "admin"  # all of it


DESCRIPTIONS = {
    Scope.READINGS_WRITE: "publish readings of gateways",
    Scope.EMISSIONS_READ: "read accounts",
    Scope.REGISTRY_WRITE: "change what is registered, history, findings",
    Scope.CONSENTS_WRITE: "grant and revoke consents",
    Scope.ADMIN: "all of it",
}

# What a role has where nothing else is wished, and all that it may have.
_SCOPES_OF = {
    Role.ENTERPRISE: frozenset(Scope) - {Scope.ADMIN},
    Role.PARK: frozenset({Scope.EMISSIONS_READ, Scope.READINGS_WRITE}),
    Role.BANK: frozenset({Scope.EMISSIONS_READ}),
    Role.REGULATOR: frozenset({Scope.EMISSIONS_READ}),
    Role.PLATFORM: frozenset({Scope.EMISSIONS_READ}),
    Role.AUDITOR: frozenset({Scope.EMISSIONS_READ}),
    Role.ADMIN: frozenset({Scope.ADMIN}),
}


class Limit(StrEnum):
    """What a key may have a limit of its own for; otherwise the server's holds."""

    RATE = "rate"  # requests a second
    RANGE_DAYS = "range_days"  # of one request
    PAGE = "page"  # items in a page
    BODY_BYTES = "body_bytes"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as far as it is kept. `gateways` are "USCC/ID"; none: it isn't bound, and publishes for any.

    role        None: it has none, and reads everything that its scopes allow
    tenant      of the role: USCCs, park codes, a bank's code, district codes
    basis       the law or order that it reads by, where one was named
    expires_at  of the token that stands for the key; None: the key itself came
    """

    id: int
    prefix: str
    name: str
    scopes: frozenset[str]
    gateways: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None
    role: Role | None = None
    tenant: frozenset[str] = frozenset()
    basis: str = ""
    limits: tuple[tuple[str, int], ...] = ()
    expires_at: datetime | None = None

    def limit(self, name: Limit) -> int | None:
        """The key's own limit; None: the server's holds."""
        return dict(self.limits).get(name)

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
    conn: Connection,
    scopes: Iterable[str],
    gateways: Iterable[str] = (),
    name: str = "",
    *,
    role: str | None = None,
    tenant: Iterable[str] = (),
    basis: str = "",
    limits: Mapping[str, int] | None = None,
) -> tuple[str, Key]:
    """Make a key; the text returned is the only copy of it. FaultyDocument lists all that is wrong with the wishes.

    scopes  none, where there is a role: those that its kind mostly has
    """
    wanted, bound, whose = sorted(set(scopes)), sorted(set(gateways)), sorted(set(tenant))
    own_limits = {} if limits is None else dict(limits)
    if not wanted and role is not None:
        wanted = [Scope.ADMIN if role == Role.ADMIN else Scope.EMISSIONS_READ]
    faults = _faults(wanted, bound, role, whose, own_limits)
    if faults:
        raise FaultyDocument(faults)
    while True:
        prefix = secrets.token_hex(4)
        text = f"cm_{prefix}_{secrets.token_urlsafe(32)}"
        row = conn.execute(
            f"""INSERT INTO api_keys (prefix, hash, name, scopes, gateways, created_at, role, tenant, basis, limits)
                VALUES (%s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s)
                ON CONFLICT (prefix) DO NOTHING RETURNING {_COLUMNS}""",
            [prefix, _hash(text), name, wanted, bound, role, whose, basis, Jsonb(own_limits)],
        ).fetchone()
        if row is not None:
            return text, _key(row)


def _faults(
    wanted: list[str], bound: list[str], role: str | None, tenant: list[str], limits: Mapping[str, int]
) -> list[Fault]:
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
        elif role == Role.ENTERPRISE and uscc not in tenant:
            faults.append(Fault("gateway", f"{gateway!r} isn't of the key's own enterprise"))
    if bound and not {Scope.READINGS_WRITE, Scope.ADMIN} & set(wanted):
        faults.append(
            Fault("gateway", f"gateways bind keys of scope {Scope.READINGS_WRITE}, which this one lacks")
        )
    if role is not None and role not in list(Role):
        faults.append(Fault("role", f"{role!r} is none of {', '.join(Role)}"))
    else:
        its = None if role is None else Role(role)
        faults += tenant_faults(its, tenant)
        if its is not None:
            faults += [
                Fault("scope", f"a key of role {its} can't have {scope}")
                for scope in wanted
                if scope in list(Scope) and scope not in _SCOPES_OF[its]
            ]
            if Scope.READINGS_WRITE in wanted and not bound:
                faults.append(
                    Fault("gateway", f"a key of role {its} that writes readings names its gateways")
                )
    faults += [
        Fault("limit", f"{name}={value} is no limit above 0 of {', '.join(Limit)}")
        for name, value in limits.items()
        if name not in list(Limit) or value < 1
    ]
    return faults


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


# -- tokens -------------------------------------------------------------------------------------------


def issue(conn: Connection, key: Key, scopes: Iterable[str], valid_s: int) -> str:
    """A token that stands for a key with some of its scopes, for `valid_s` seconds; its text is the only copy.

    Tokens that have ended are removed on the way.
    """
    text = f"cmt_{secrets.token_urlsafe(32)}"
    conn.execute("DELETE FROM access_tokens WHERE expires_at < clock_timestamp()")
    conn.execute(
        """INSERT INTO access_tokens (alg, hash, key_id, scopes, created_at, expires_at)
           VALUES (%s, %s, %s, %s, clock_timestamp(), clock_timestamp() + %s)""",
        [HASH_ALG, _hash(text), key.id, sorted(set(scopes)), timedelta(seconds=valid_s)],
    )
    return text


def verify_token(conn: Connection, text: str) -> Key | None:
    """The key that a token stands for, with the token's scopes; None where it is none, has ended or is revoked."""
    if _TOKEN.match(text) is None:
        return None
    row = conn.execute(
        f"""SELECT {_COLUMNS_OF_K}, t.scopes, t.expires_at
            FROM access_tokens t JOIN api_keys k ON k.id = t.key_id
            WHERE t.hash = %s AND t.alg = %s AND t.expires_at > clock_timestamp() AND k.revoked_at IS NULL""",
        [_hash(text), HASH_ALG],
    ).fetchone()
    if row is None:
        return None
    *its, scopes, expires_at = row
    return replace(_key(tuple(its)), scopes=frozenset(scopes), expires_at=expires_at)


# -- lists --------------------------------------------------------------------------------------------


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
    id_, prefix, name, scopes, gateways, created_at, revoked_at, role, tenant, basis, limits = row
    assert isinstance(id_, int)
    assert isinstance(scopes, list)
    assert isinstance(gateways, list)
    assert isinstance(created_at, datetime)
    assert revoked_at is None or isinstance(revoked_at, datetime)
    assert isinstance(tenant, list)
    assert isinstance(limits, dict)
    return Key(
        id_,
        str(prefix),
        str(name),
        frozenset(scopes),
        frozenset(gateways),
        created_at,
        revoked_at,
        None if role is None else Role(str(role)),
        frozenset(tenant),
        str(basis),
        tuple(sorted(limits.items())),
    )
