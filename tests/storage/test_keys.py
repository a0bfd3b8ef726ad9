"""API keys: made once, kept as hashes, known by their whole text alone."""

from __future__ import annotations

import pytest

from domain.errors import FaultyDocument
from storage import keys
from storage.keys import Scope
from tests.servers import Database

USCC = "91430302XT0000014K"


def test_a_key_is_known_by_its_whole_text(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        text, made = keys.create(conn, [Scope.READINGS_WRITE], [f"{USCC}/gw1"], "boiler house")
        assert keys.verify(conn, text) == made
        assert text.startswith(f"cm_{made.prefix}_")
        other, _ = keys.create(conn, [Scope.ADMIN])
        for wrong in (
            text[:-1],
            text + "x",
            text.swapcase(),
            text[:12] + other[12:],
            "",
            made.prefix,
            "cm__",
        ):
            assert keys.verify(conn, wrong) is None


def test_the_text_is_not_kept(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        text, _ = keys.create(conn, [Scope.ADMIN])
        row = conn.execute("SELECT k::text FROM api_keys k").fetchone()
        assert row is not None
        assert text[12:] not in row[0]
        secret = text.split("_", 2)[2]
        assert len(secret) == 43  # 256 bits in base 64


def test_a_revoked_key_is_unknown_and_stays_listed(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        text, made = keys.create(conn, [Scope.EMISSIONS_READ], name="bank")
        revoked = keys.revoke(conn, made.prefix)
        assert revoked is not None
        assert keys.verify(conn, text) is None
        assert keys.revoke(conn, made.prefix) == revoked
        assert keys.every(conn) == [revoked]
        assert keys.revoke(conn, "ffffffff") is None


def test_scopes_and_gateways(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        _, bound = keys.create(conn, [Scope.READINGS_WRITE], [f"{USCC}/gw1"])
        _, free = keys.create(conn, [Scope.READINGS_WRITE, Scope.EMISSIONS_READ])
        _, admin = keys.create(conn, [Scope.ADMIN])
        _, reader = keys.create(conn, [Scope.EMISSIONS_READ])
    assert bound.may_publish(USCC, "gw1")
    assert not bound.may_publish(USCC, "gw2")
    assert bound.only_gateway() == (USCC, "gw1")
    assert free.may_publish(USCC, "gw2")
    assert free.only_gateway() is None
    assert all(admin.allows(scope) for scope in Scope)
    assert admin.may_publish(USCC, "gw1")
    assert not reader.may_publish(USCC, "gw1")
    assert not bound.allows(Scope.EMISSIONS_READ)


def test_every_fault_of_a_wish_is_told(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        with pytest.raises(FaultyDocument) as caught:
            keys.create(
                conn, ["emissions:write", "readings"], ["gw1", f"{USCC}/a b", "91430302XT0000015K/gw"]
            )
        assert len(caught.value.faults) == 6
        with pytest.raises(FaultyDocument, match="at least one scope"):
            keys.create(conn, [])
        assert keys.every(conn) == []
