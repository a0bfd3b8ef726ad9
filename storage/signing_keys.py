"""The public keys of what was signed here; the private ones are on disk, never in the database."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from domain.signing import PublicKey, Signature, Signer
from storage.database import Connection


class KnownKey(NamedTuple):
    """A key with the time in which it signed. `retired_at`: None while it may still sign."""

    key: PublicKey
    first_used_at: datetime
    retired_at: datetime | None


def register(conn: Connection, key: PublicKey) -> None:
    """Publish a key; in the transaction of the first thing that it signs."""
    conn.execute(
        """INSERT INTO signing_keys (key_id, alg, public_key, first_used_at)
           SELECT %(id)s, %(alg)s, %(raw)s, clock_timestamp()
           WHERE NOT EXISTS (SELECT FROM signing_keys WHERE key_id = %(id)s) ON CONFLICT DO NOTHING""",
        {"id": key.key_id, "alg": key.alg, "raw": key.raw},
    )


def sign(conn: Connection, signer: Signer, data: bytes) -> Signature:
    """A signature whose key is published with what the caller commits."""
    signature = signer.sign(data)
    key = signer.key
    if key.key_id != signature["key_id"]:  # rotated between the two
        return sign(conn, signer, data)
    register(conn, key)
    return signature


def retire(conn: Connection, key_id: str) -> None:
    """Note that a key signs no more; twice keeps the first moment."""
    conn.execute(
        "UPDATE signing_keys SET retired_at = coalesce(retired_at, clock_timestamp()) WHERE key_id = %s",
        [key_id],
    )


def every(conn: Connection) -> list[KnownKey]:
    """All keys, in the order of their first use."""
    rows = conn.execute(
        "SELECT alg, public_key, first_used_at, retired_at FROM signing_keys ORDER BY first_used_at, key_id"
    )
    return [
        KnownKey(PublicKey(alg, bytes(raw)), first_used_at, retired_at)
        for alg, raw, first_used_at, retired_at in rows
    ]
