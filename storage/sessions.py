"""How a request of the API looks at the database: one snapshot, in which it sees what its tenant may.

A session begins as the server's own account (the key is looked at, the registry may have to be read), and then goes on
as the role of row-level security (`enter`), for a tenant. All of it ends with the transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from psycopg import sql

from storage.database import Connection
from storage.keys import Key
from storage.row_security import ROLE

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SET_ROLE = f"SET LOCAL ROLE {ROLE}"


class Tenant(NamedTuple):
    """For whom a session reads.

    enterprise_ids  whose rows it sees; None: everybody's
    consumer        a bank's code: of consents it sees those given to it
    """

    enterprise_ids: Collection[int] | None = None
    consumer: str = ""

    @property
    def text(self) -> str:
        """As the policies read it."""
        if self.enterprise_ids is None:
            return "all"
        return "{" + ",".join(str(int(id_)) for id_ in sorted(self.enterprise_ids)) + "}"


EVERYBODY = Tenant()


def _settings(tenant: Tenant) -> str:
    text = f"SELECT set_config('carbonmeter.tenant', '{tenant.text}', true)"
    if tenant.consumer:
        text += sql.SQL(", set_config('carbonmeter.consumer', {}, true)").format(tenant.consumer).as_string()
    return text


def begin(conn: Connection, key: Key | None, tenant: Tenant | None, *, secured: bool) -> tuple[int, bool]:
    """Begin a transaction that reads one snapshot: (version of its registry, whether the key is revoked by then).

    One round trip, since each request of the API begins with it.

    tenant   go on as the role for it; None: `enter` follows
    secured  row-level security is in force
    """
    statements = [
        _BEGIN,
        f"SELECT version, (SELECT revoked_at FROM api_keys WHERE id = {0 if key is None else int(key.id)})"
        " FROM registry_state",
    ]
    if tenant is not None:
        statements += [_settings(tenant), *([_SET_ROLE] if secured else [])]
    cursor = conn.execute(
        "; ".join(statements),
        prepare=False,  # several statements at once can't be
    )
    cursor.nextset()
    row = cursor.fetchone()
    assert row is not None, "the database isn't migrated"
    return row[0], row[1] is not None


def enter(conn: Connection, tenant: Tenant, *, secured: bool) -> None:
    """Go on for a tenant, as the role."""
    statements = [_settings(tenant), *([_SET_ROLE] if secured else [])]
    conn.execute("; ".join(statements), prepare=False)


def leave(conn: Connection, *, secured: bool) -> None:
    """Go on as the server's own account, within the same snapshot."""
    if secured:
        conn.execute("SET LOCAL ROLE NONE", prepare=False)
