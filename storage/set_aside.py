"""Lists of what was rejected or held, for people: by time of receipt then id, without the payloads."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from domain.interval import from_us
from storage.database import Connection


class Where(NamedTuple):
    """Which of them: all that is given must hold. `gateway` is "USCC/ID".

    from_us  letters received, held readings measured at or after [µs]
    """

    reason: str | None = None
    gateway: str | None = None
    from_us: int | None = None


class RejectedLetter(NamedTuple):
    id: int
    received_at: datetime
    reason: str
    topic: bytes
    gateway: str | None
    size: int
    readings: int
    positions: list[int] | None
    detail: str
    via: str
    decoder: str
    replayed_at: datetime | None


class HeldReading(NamedTuple):
    id: int
    received_at: datetime
    reason: str
    topic: str
    gateway: str
    uscc: str
    meter: str
    channel: str
    measured_at: datetime
    mantissa: int
    exponent: int
    quality: int
    revision: int


def _parameters(where: Where, after: tuple[int, int] | None, limit: int) -> dict[str, Any]:
    return {
        "reason": where.reason,
        "gateway": where.gateway,
        "from": None if where.from_us is None else from_us(where.from_us),
        "after_at": None if after is None else from_us(after[0]),
        "after_id": None if after is None else after[1],
        "limit": limit,
    }


def dead_letters(
    conn: Connection, where: Where, after: tuple[int, int] | None, limit: int, *, with_replayed: bool = False
) -> list[RejectedLetter]:
    """Dead letters beyond (received at [µs], id); open ones, or replayed ones too."""
    rows = conn.execute(
        """SELECT * FROM visible_dead_letters(
               %(reason)s::text, %(gateway)s::text, %(from)s::timestamptz, %(after_at)s::timestamptz,
               %(after_id)s::bigint, %(replayed)s::boolean, %(limit)s::integer)""",
        {**_parameters(where, after, limit), "replayed": with_replayed},
    )
    return [RejectedLetter(*row) for row in rows]


def held(conn: Connection, where: Where, after: tuple[int, int] | None, limit: int) -> list[HeldReading]:
    """Held readings beyond (received at [µs], id)."""
    rows = conn.execute(
        """SELECT * FROM visible_held(
               %(reason)s::text, %(gateway)s::text, %(from)s::timestamptz, %(after_at)s::timestamptz,
               %(after_id)s::bigint, %(limit)s::integer)""",
        _parameters(where, after, limit),
    )
    return [HeldReading(*row) for row in rows]
