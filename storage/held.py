"""Readings that are kept aside until the reason ends: a channel gets registered, the time comes, a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import HoldReason
from storage.binary_copy import POSTGRES_EPOCH_US
from storage.database import RELEASE_LOCK, Connection


@dataclass(frozen=True, slots=True)
class NewHeld:
    """A reading to hold. Times in microseconds; the value is mantissa × 10^exponent, exactly as sent."""

    gateway_id: int
    uscc: str
    meter: str
    channel: str
    measured_us: int
    mantissa: int
    exponent: int
    revision: int
    quality: int
    flags: int
    reason: str
    received_us: int
    topic: str


@dataclass(frozen=True, slots=True)
class Held:
    """A held reading as it is kept."""

    id: int
    gateway_id: int
    gateway: str
    uscc: str
    meter: str
    channel: str
    measured_us: int
    mantissa: int
    exponent: int
    revision: int
    quality: int
    flags: int
    reason: str
    received_us: int
    topic: str


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which held readings: all that is given must hold. `gateway` is an id, or "USCC/ID"."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    uscc: str | None = None
    gateway: str | None = None
    meter: str | None = None
    channel: str | None = None
    from_us: int | None = None  # measured at or after


# a timestamp's binary form is an int8 of microseconds since 2000
_NAME, _VALUE = ["text"] * 3, ["int8", "int2", "int2", "int2", "int2"]
_TYPES = ["int8", "int4", *_NAME, "int8", *_VALUE, "text", "int8", "text"]


def take_release(conn: Connection) -> bool:
    """Take the turn to release held readings until the transaction ends; False where another process has it."""
    row = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [RELEASE_LOCK]).fetchone()
    return row == (True,)


def insert(conn: Connection, batch_id: int, held: Sequence[NewHeld]) -> None:
    """Add held readings, in the caller's transaction."""
    if not held:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY held (batch_id, gateway_id, uscc, meter, channel, measured_at, mantissa, exponent, revision,"
            " quality, flags, reason, received_at, topic) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(_TYPES)
        for item in held:
            copy.write_row(
                (
                    batch_id,
                    item.gateway_id,
                    item.uscc,
                    item.meter,
                    item.channel,
                    item.measured_us - POSTGRES_EPOCH_US,
                    item.mantissa,
                    item.exponent,
                    item.revision,
                    item.quality,
                    item.flags,
                    item.reason,
                    item.received_us - POSTGRES_EPOCH_US,
                    item.topic,
                )
            )


_SELECT = """
    SELECT held.id, gateway_id, gateways.gateway, held.uscc, meter, channel,
           (extract(epoch FROM measured_at) * 1000000)::bigint, mantissa, exponent, revision, quality, flags, reason,
           (extract(epoch FROM received_at) * 1000000)::bigint, topic
    FROM held JOIN gateways ON gateways.id = gateway_id
"""


def select(
    conn: Connection, wanted: HeldFilter, after_id: int = 0, limit: int = 100, *, for_update: bool = False
) -> list[Held]:
    """Held readings in the order of their ids, after one. `for_update` locks them; those locked are left out."""
    where, values = _conditions(wanted)
    rows = conn.execute(
        f"{_SELECT} WHERE held.id > %s AND {where} ORDER BY held.id LIMIT %s"
        + (" FOR UPDATE OF held SKIP LOCKED" if for_update else ""),
        [after_id, *values, limit],
    )
    return [Held(*row) for row in rows]


def _conditions(wanted: HeldFilter) -> tuple[str, list[object]]:
    conditions, values = ["true"], list[object]()
    for column, value in (
        ("reason", wanted.reason),
        ("held.uscc", wanted.uscc),
        ("meter", wanted.meter),
        ("channel", wanted.channel),
    ):
        if value is not None:
            conditions.append(f"{column} = %s")
            values.append(value)
    if wanted.ids is not None:
        conditions.append("held.id = ANY(%s)")
        values.append(list(wanted.ids))
    if wanted.gateway is not None:
        uscc, slash, gateway = wanted.gateway.rpartition("/")
        conditions.append("gateways.gateway = %s")
        values.append(gateway)
        if slash:
            conditions.append("held.uscc = %s")
            values.append(uscc)
    if wanted.from_us is not None:
        conditions.append("measured_at >= to_timestamp(0) + %s * interval '1 microsecond'")
        values.append(wanted.from_us)
    return " AND ".join(conditions), values


def due(conn: Connection, before_us: int, after_id: int = 0, limit: int = 10_000) -> list[Held]:
    """Readings held for the clock whose time has come, locked until the transaction ends."""
    return [
        Held(*row)
        for row in conn.execute(
            f"""{_SELECT} WHERE reason = %s AND measured_at <= to_timestamp(0) + %s * interval '1 microsecond'
                AND held.id > %s ORDER BY held.id LIMIT %s FOR UPDATE OF held SKIP LOCKED""",
            [HoldReason.AHEAD_OF_CLOCK, before_us, after_id, limit],
        )
    ]


def names(conn: Connection) -> list[tuple[str, str, str]]:
    """(uscc, meter, channel) of what is held for the registry's sake."""
    return [
        (uscc, meter, channel)
        for uscc, meter, channel in conn.execute(
            "SELECT DISTINCT uscc, meter, channel FROM held WHERE reason = ANY(%s)", [list(REGISTRY_REASONS)]
        )
    ]


REGISTRY_REASONS = (HoldReason.UNKNOWN_METER, HoldReason.UNKNOWN_CHANNEL, HoldReason.OUTSIDE_VALIDITY)


def of_name(
    conn: Connection, uscc: str, meter: str, channel: str, after_id: int = 0, limit: int = 10_000
) -> list[Held]:
    """What is held of one name for the registry's sake, locked until the transaction ends."""
    return [
        Held(*row)
        for row in conn.execute(
            f"""{_SELECT} WHERE held.uscc = %s AND meter = %s AND channel = %s AND reason = ANY(%s)
                AND held.id > %s ORDER BY held.id LIMIT %s FOR UPDATE OF held SKIP LOCKED""",
            [uscc, meter, channel, list(REGISTRY_REASONS), after_id, limit],
        )
    ]


def delete(conn: Connection, ids: Sequence[int]) -> None:
    conn.execute("DELETE FROM held WHERE id = ANY(%s)", [list(ids)])


def change_reason(conn: Connection, reasons: dict[int, str]) -> None:
    """Give held readings another reason, by id."""
    conn.execute(
        """UPDATE held SET reason = changed.reason
           FROM unnest(%s::bigint[], %s::text[]) AS changed (id, reason) WHERE held.id = changed.id""",
        [list(reasons), list(reasons.values())],
    )
