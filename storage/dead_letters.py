"""Dead letters: payloads that were rejected, whole, with the reason; open until they are replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.binary_copy import POSTGRES_EPOCH_US
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A payload and one reason for which readings of it were rejected.

    `positions` are places of those readings, a flat index over the payload; None: it counts whole.
    `gateway_id` None: on no account.
    """

    received_us: int
    topic: bytes
    payload: bytes
    via: str
    retained: bool
    gateway_id: int | None
    reason: str
    detail: str
    decoder: str
    positions: tuple[int, ...] | None
    readings: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is kept."""

    id: int
    received_us: int
    topic: bytes
    payload: bytes
    via: str
    retained: bool
    gateway_id: int | None
    uscc: str | None
    gateway: str | None
    reason: str
    detail: str
    decoder: str
    positions: tuple[int, ...] | None
    readings: int
    replayed_us: int | None


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters: all that is given must hold. `gateway` is an id, or "USCC/ID"."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    gateway: str | None = None
    from_us: int | None = None  # received at or after
    but_reasons: tuple[str, ...] = ()  # none of these
    with_replayed: bool = False


def insert(conn: Connection, batch_id: int, letters: Sequence[NewLetter]) -> None:
    """Add letters, in the caller's transaction."""
    if not letters:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY dead_letters (batch_id, received_at, topic, payload, via, retained, gateway_id, reason, detail,"
            " decoder, positions, readings) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(
            [
                "int8",
                "int8",
                "bytea",
                "bytea",
                "text",
                "bool",
                "int4",
                "text",
                "text",
                "text",
                "int4[]",
                "int4",
            ]
        )
        for letter in letters:
            copy.write_row(
                (
                    batch_id,
                    letter.received_us - POSTGRES_EPOCH_US,  # a timestamp's binary form is such an int8
                    letter.topic,
                    letter.payload,
                    letter.via,
                    letter.retained,
                    letter.gateway_id,
                    letter.reason,
                    letter.detail,
                    letter.decoder,
                    None if letter.positions is None else list(letter.positions),
                    letter.readings,
                )
            )


_SELECT = """
    SELECT dead_letters.id, (extract(epoch FROM received_at) * 1000000)::bigint, topic, payload, via, retained,
           gateway_id, uscc, gateway, reason, detail, decoder, positions, readings,
           (extract(epoch FROM replayed_at) * 1000000)::bigint
    FROM dead_letters LEFT JOIN gateways ON gateways.id = gateway_id
"""


def select(
    conn: Connection, wanted: LetterFilter, after_id: int = 0, limit: int = 100, *, for_update: bool = False
) -> list[Letter]:
    """Letters in the order of their ids, after one. `for_update` locks them until the transaction ends."""
    where, values = _conditions(wanted)
    rows = conn.execute(
        f"{_SELECT} WHERE dead_letters.id > %s AND {where} ORDER BY dead_letters.id LIMIT %s"
        + (" FOR UPDATE OF dead_letters" if for_update else ""),
        [after_id, *values, limit],
    )
    return [_letter(row) for row in rows]


def _letter(row: tuple[Any, ...]) -> Letter:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return Letter(*values)


def _conditions(wanted: LetterFilter) -> tuple[str, list[object]]:
    conditions, values = ["true"], list[object]()
    if wanted.ids is not None:
        conditions.append("dead_letters.id = ANY(%s)")
        values.append(list(wanted.ids))
    if wanted.reason is not None:
        conditions.append("reason = %s")
        values.append(wanted.reason)
    if wanted.but_reasons:
        conditions.append("reason <> ALL(%s)")
        values.append(list(wanted.but_reasons))
    if wanted.gateway is not None:
        uscc, slash, gateway = wanted.gateway.rpartition("/")
        conditions.append("gateway = %s")
        values.append(gateway)
        if slash:
            conditions.append("uscc = %s")
            values.append(uscc)
    if wanted.from_us is not None:
        conditions.append("received_at >= to_timestamp(0) + %s * interval '1 microsecond'")
        values.append(wanted.from_us)
    if not wanted.with_replayed:
        conditions.append("replayed_at IS NULL")
    return " AND ".join(conditions), values


def mark_replayed(conn: Connection, ids: Sequence[int], batch_id: int) -> None:
    """Take letters off the open ones, in the transaction of the batch that holds what was found in them."""
    conn.execute(
        "UPDATE dead_letters SET replayed_at = clock_timestamp(), replayed_batch_id = %s WHERE id = ANY(%s)",
        [batch_id, list(ids)],
    )
