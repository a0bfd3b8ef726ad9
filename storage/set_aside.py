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


_CONDITIONS = """
    (%(reason)s::text IS NULL OR t.reason = %(reason)s)
    AND (%(gateway)s::text IS NULL OR g.uscc || '/' || g.gateway = %(gateway)s)
    AND (%(from)s::timestamptz IS NULL OR {time} >= %(from)s)
    AND (%(after_at)s::timestamptz IS NULL OR (t.received_at, t.id) > (%(after_at)s, %(after_id)s::bigint))
"""


def dead_letters(
    conn: Connection, where: Where, after: tuple[int, int] | None, limit: int, *, with_replayed: bool = False
) -> list[RejectedLetter]:
    """Dead letters beyond (received at [µs], id); open ones, or replayed ones too."""
    rows = conn.execute(
        f"""SELECT t.id, t.received_at, t.reason, t.topic,
                   CASE WHEN g.id IS NULL THEN NULL ELSE g.uscc || '/' || g.gateway END,
                   octet_length(t.payload), t.readings, t.positions, t.detail, t.via, t.decoder, t.replayed_at
            FROM dead_letters t LEFT JOIN gateways g ON g.id = t.gateway_id
            WHERE {_CONDITIONS.format(time="t.received_at")} {"" if with_replayed else "AND t.replayed_at IS NULL"}
            ORDER BY t.received_at, t.id LIMIT %(limit)s""",
        _parameters(where, after, limit),
    )
    return [RejectedLetter(*row) for row in rows]


def held(conn: Connection, where: Where, after: tuple[int, int] | None, limit: int) -> list[HeldReading]:
    """Held readings beyond (received at [µs], id)."""
    rows = conn.execute(
        f"""SELECT t.id, t.received_at, t.reason, t.topic, g.uscc || '/' || g.gateway, t.uscc, t.meter, t.channel,
                   t.measured_at, t.mantissa, t.exponent, t.quality, t.revision
            FROM held t JOIN gateways g ON g.id = t.gateway_id
            WHERE {_CONDITIONS.format(time="t.measured_at")}
            ORDER BY t.received_at, t.id LIMIT %(limit)s""",
        _parameters(where, after, limit),
    )
    return [HeldReading(*row) for row in rows]
