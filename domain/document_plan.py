"""What an import would do: the document merged with what is registered, checked as a whole.

What a document leaves out stays: things, and fields of things. A field given as null is cleared. Dated
memberships and calibrations merge by their days, flags by name and day. Nothing is planned unless all of it is right.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.channel_check import Merged
from domain.document import Document, Given
from domain.document_check import Catalogue, Unchecked, check
from domain.document_fields import FAULTY, Value, same
from domain.errors import Fault, FaultyDocument
from domain.interval import format_time
from domain.registry_items import ItemKey, Items, Specification

_DATED = frozenset({"edition", "grid", "district", "park"})
_UNCHECKED = Unchecked()


@dataclass(frozen=True, slots=True)
class Change:
    """One item that an import writes; `moved_from` is the key that it had before, if another."""

    item: ItemKey
    before: Specification | None
    after: Specification
    moved_from: ItemKey | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of an import, and how many items of each kind the document gives unchanged."""

    changes: tuple[Change, ...] = ()
    unchanged: Counter[str] = field(default_factory=Counter)

    def count(self, *, new: bool) -> Counter[str]:
        """How many items of each kind are new, or changed."""
        return Counter(each.item.kind for each in self.changes if (each.before is None) is new)


def plan(
    document: Document, registered: Items, catalogue: Catalogue = _UNCHECKED, moves_us: int | None = None
) -> Plan:
    """Merge and check a document; raises FaultyDocument with every fault of both.

    registered  all items of the document's enterprises, and all parks
    moves_us    the valid_from of registered channel versions whose place the document's versions take
    """
    faults = list(document.faults)
    moved = _moves(document, registered, moves_us, faults) if moves_us is not None else {}
    merged: dict[ItemKey, Merged] = {
        item: Merged(spec, _registered_place(item)) for item, spec in registered.items()
    }
    for gone in moved.values():
        del merged[gone]
    changes: list[Change] = []
    unchanged: Counter[str] = Counter()
    for item, given in document.items.items():
        before = registered.get(moved.get(item, item))
        after = _merge(before or {}, given)
        merged[item] = Merged(after, given.place, given.places)
        if after == before:
            unchanged[item.kind] += 1
        else:
            changes.append(Change(item, before, after, moved.get(item)))
    # An enterprise listed twice has its fault; what it holds is filed under no enterprise and isn't checked.
    usccs = {item.uscc for item in document.items if item.kind == "enterprise"}
    check(merged, usccs, catalogue, document.code_places, faults)
    if faults:
        raise FaultyDocument(sorted(dict.fromkeys(faults), key=_document_order))
    return Plan(tuple(changes), unchanged)


_ORDER = {"": 0, "line": 0, "parks": 2, "enterprises": 3, "registered": 4}


def _document_order(fault: Fault) -> list[tuple[int, str]]:
    """In the order of a document: what holds for all of it, parks, enterprises; registered things last."""
    first, *rest = re.split(r"\W+", fault.place)
    return [
        (_ORDER.get(first, 1), first),
        *((int(part), "") if part.isdigit() else (-1, part) for part in rest),
    ]


def _registered_place(item: ItemKey) -> str:
    name = " ".join(part for part in item.key if part)
    return f"registered {item.kind}{' ' + name if name else ''}{' of ' + item.uscc if item.uscc else ''}"


def _merge(before: Mapping[str, Any], given: Given) -> Specification:
    after = dict(before)
    for name, value in given.fields.items():
        if value is None:
            after.pop(name, None)
        elif value is FAULTY or name not in after:
            after[name] = value
        elif name in _DATED and isinstance(value, list):  # a park's district is no history
            after[name] = _merged_entries(after[name], value, ("from",))
        elif name == "flags":
            after[name] = _merged_entries(after[name], value, ("flag", "from"))
        elif name == "calibrations":
            after[name] = _merged_entries(after[name], value, ("from",))
        elif not same(name, after[name], value):
            after[name] = value
    return after


def _merged_entries(before: Value, given: Value, by: tuple[str, ...]) -> Value:
    """Dated entries by their day, flags by name and day: the given one wins, the others stay."""
    entries = {tuple(each.get(name, "") for name in by): each for each in (*before, *given)}
    return [entries[key] for key in sorted(entries)]


def _moves(
    document: Document, registered: Items, moves_us: int, faults: list[Fault]
) -> dict[ItemKey, ItemKey]:
    """Which registered channel version (valid_from `moves_us`) gives its place to which of the document's."""
    old = format_time(moves_us)
    candidates: defaultdict[ItemKey, list[ItemKey]] = defaultdict(list)
    news = []
    for item in document.items:
        if item.kind == "channel" and item not in registered:
            news.append(item)
            leaving = ItemKey("channel", item.uscc, (*item.key[:2], old))
            if leaving in registered:
                candidates[leaving].append(item)
    moved = {}
    for leaving, items in candidates.items():
        place = document.items[items[0]].place
        if leaving in document.items:
            faults.append(Fault(place, f"can't move the version from {old}: the document still lists it"))
        elif len(items) > 1:
            faults.append(
                Fault(place, f"{len(items)} versions of {'/'.join(leaving.key[:2])} would move from {old}")
            )
        else:
            moved[items[0]] = leaving
    # Nothing new and nothing to move: it has moved already, and repeating an import changes nothing.
    if news and not candidates:
        faults.append(
            Fault(
                document.items[news[0]].place,
                f"no channel of the document has a registered version from {old} that could move",
            )
        )
    return moved
