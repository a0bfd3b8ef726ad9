"""Two tenants that have nothing in common, and keys of every role for each of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from domain.access import CONSENTED, Role
from storage import consents, keys
from storage.keys import Scope
from tests.api.conftest import CEMENT, DOCUMENT, STEEL, City, empty_city, fill
from tests.servers import DatabaseServer

# Of each tenant: the enterprise, its park, the bank that it consents to, its district.
TENANTS = {
    STEEL: {Role.PARK: "XT-ETDZ", Role.BANK: "bank-a", Role.REGULATOR: "430304"},
    CEMENT: {Role.PARK: "EMPTY", Role.BANK: "bank-b", Role.REGULATOR: "430321"},
}


def document() -> dict[str, Any]:
    """The city's, with the cement works in a park of its own."""
    result = copy.deepcopy(DOCUMENT)
    result["enterprises"][1]["park"] = "EMPTY"
    return result


@contextmanager
def two_tenants(server: DatabaseServer) -> Iterator[City]:
    with empty_city(server, document()) as city:
        fill(city)
        # Causes of arrival are signed by the enterprise's own gateway, as ingest does it.
        city.books.conn.execute("UPDATE causes SET by_whom = %s", [f"{STEEL}/gw1"])
        city.books.conn.commit()
        yield city


def key_of(city: City, role: Role | None, uscc: str, scopes: Sequence[str] = (), **more: Any) -> str:
    """A key of a role for the tenant of an enterprise; None: without a role, for everything but admin."""
    tenant = [uscc] if role is Role.ENTERPRISE else [TENANTS[uscc][role]] if role in TENANTS[uscc] else []
    gateways: list[str] = []
    if not scopes and role in (None, Role.ENTERPRISE):
        scopes = sorted(set(Scope) - {Scope.ADMIN})
        gateways = [f"{uscc}/gw1"] if role is not None else []
    with city.database.connect() as conn:
        name = f"{role or 'nobody'} {uscc}"
        return keys.create(conn, scopes, gateways, name, role=role, tenant=tenant, **more)[0]


def consent_of(city: City, uscc: str, **more: Any) -> int:
    """A consent of an enterprise to the bank of its tenant, by default for everything."""
    wished: dict[str, Any] = {
        "fields": CONSENTED,
        "periods": [],
        "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
        "valid_to": None,
        **more,
    }
    with city.database.connect() as conn:
        return consents.grant(
            conn,
            city.registry.enterprises[uscc].id,
            TENANTS[uscc][Role.BANK],
            "a loan",
            granted_by="the manager",
            legal_text=("sha-256", bytes(32)),
            recorded_by="the tests",
            **wished,
        ).id
