"""The feed of changes, as a key may hear it: what it may not read of an enterprise it isn't told of either."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from api.asked import Read
from api.context import Session
from domain.change import PARTS, ChangeKind, change_id
from domain.interval import to_us
from storage import changes
from storage.changes import Change

_SCANNED_MAX = 10  # pages looked through for one answer


@dataclass(frozen=True, slots=True)
class Heard:
    """Changes that a key may hear, and the number of the last that was looked at: where to go on."""

    items: list[tuple[int, dict[str, Any]]]
    number: int


def heard(session: Session, after: int, limit: int, kinds: Collection[str] = ()) -> Heard:
    """The next changes behind a number, at most `limit`; what is told is noted in the log of reads."""
    sight = session.sight
    usccs = None if sight.public_only else session.readable()
    items: list[tuple[int, dict[str, Any]]] = []
    newest, number = changes.newest(session.conn), after
    with session.everything() if sight.public_only else nullcontext():
        for _ in range(_SCANNED_MAX):
            wanted = limit - len(items)
            page = changes.after(session.conn, number, wanted, kinds, usccs)
            items += [(each.number, described(session, each)) for each in page if _tell(session, each)]
            if len(page) < wanted:
                return Heard(items, max(after, newest))  # nothing else is for it
            number = page[-1].number
            if len(items) == limit:
                break
    return Heard(items, number)


def described(session: Session, change: Change) -> dict[str, Any]:
    """A change as it is told, the same wherever and however often."""
    days = change.days
    return {
        "id": change_id(change.number),
        "number": change.number,
        "kind": change.kind,
        "at": session.text(to_us(change.at)),
        "uscc": change.uscc,
        "from": None if days is None else session.text(session.calendar.day_start(days[0])),
        "to": None if days is None else session.text(session.calendar.day_start(days[1])),
        "data": change.data,
    }


def _tell(session: Session, change: Change) -> bool:
    """Whether the key may hear of it; noted where it is told."""
    if change.uscc is None:
        return True
    enterprise = session.registry.enterprises.get(change.uscc)
    if enterprise is None:
        return session.sight.enterprise_ids is None
    part = PARTS[ChangeKind(change.kind)]
    if not session.sight.sees(enterprise, part):
        return False
    basis = session.sight.basis_for(change.uscc, part, change.days)
    if basis is None:
        return False
    if session.asked is not None:
        days = change.days
        start = session.calendar.day_start
        period = None if days is None else (start(days[0]), start(days[1]))
        session.asked.reads.append(Read(change.uscc, part, f"change {change.kind}", period, basis))
    return True
