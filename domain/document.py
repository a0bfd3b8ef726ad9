"""The registry document: what it gives, item by item, and the document that a set of items makes.

Reading finds every fault of form and keeps going; `document_check.plan` merges what was read with what is
registered and finds the rest. docs/registry.md describes the document for those who write one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.document_fields import (
    CHILDREN,
    FAULTY,
    FIELDS,
    Reading,
    Value,
    described,
    is_null,
    listed,
    raw_text,
    suggestion,
)
from domain.document_text import Scalar, Tree, joined, load, tree
from domain.errors import Fault
from domain.interval import Calendar, format_time
from domain.registry_items import ItemKey, Items, Specification, moment


@dataclass(slots=True)
class Given:
    """One thing of a document: its place in it and the fields it gives; None for a field that is cleared.

    places  of fields that stand elsewhere than right below `place`
    """

    place: str
    fields: dict[str, Value]
    places: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """A document as read: its items, and its faults of form.

    code_places  where a dated code stands, by the place of its field and the code
    """

    items: dict[ItemKey, Given] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    code_places: dict[tuple[str, str], str] = field(default_factory=dict)

    def usccs(self) -> set[str]:
        """The enterprises that it says something of."""
        return {key.uscc for key in self.items if key.uscc}


def read_document(source: str | bytes | Any, calendar: Calendar) -> Document:
    """Read a document from its text, or from plain Python values of its shape.

    Raises FaultyDocument where the text as a whole can't be read; all other faults are in the result.
    """
    reader = _Reader(calendar)
    faults = reader.document.faults
    root: Tree = load(source, faults) if isinstance(source, (str, bytes)) else tree(source, faults)
    if not isinstance(root, dict):
        reader.reading.fault(
            "", f"the document is {described(root)}; a mapping with parks and enterprises is expected"
        )
        return reader.document
    reader.unknown_keys(root, "", CHILDREN["document"])
    for each, place in reader.children(root, "parks", ""):
        reader.park(each, place)
    for each, place in reader.children(root, "enterprises", ""):
        reader.enterprise(each, place)
    return reader.document


class _Reader:
    def __init__(self, calendar: Calendar) -> None:
        self.document = Document()
        self.reading = Reading(calendar, self.document.faults, self.document.code_places)

    def unknown_keys(self, thing: Mapping[str, Tree], place: str, *known: Mapping[str, Any]) -> None:
        names = [name for each in known for name in each]
        for key in thing:
            if key not in names:
                self.reading.fault(joined(place, key), f"is not a field here{suggestion(key[:70], names)}")

    def children(self, thing: Mapping[str, Tree], name: str, place: str) -> list[tuple[dict[str, Tree], str]]:
        """The mappings of a list of things, with their places."""
        given = thing.get(name)
        if given is None or is_null(given):
            return []
        here = joined(place, name)
        if not isinstance(given, list):
            self.reading.fault(here, f"a list is expected, this is {described(given)}")
            return []
        found = []
        for index, each in enumerate(given):
            if isinstance(each, dict):
                found.append((each, f"{here}[{index}]"))
            else:
                self.reading.fault(f"{here}[{index}]", f"a mapping is expected, this is {described(each)}")
        return found

    def fields(self, kind: str, thing: Mapping[str, Tree], place: str) -> dict[str, Value]:
        """The fields that a thing gives, read; its children are left for later."""
        readers = FIELDS[kind]
        self.unknown_keys(thing, place, readers, CHILDREN.get(kind, {}))
        return {
            name: None if is_null(given) else readers[name](self.reading, given, joined(place, name))
            for name, given in thing.items()
            if name in readers
        }

    def name(self, kind: str, fields: dict[str, Value], field_name: str, thing: Tree, place: str) -> str:
        """The name that a thing is known by; where it can't be read, one that nothing else has."""
        value = fields.pop(field_name, None)
        if value is None:
            self.reading.fault(joined(place, field_name), f"is missing: every {kind} has one")
        elif value is not FAULTY:
            return str(value)
        given = raw_text(thing.get(field_name, Scalar("", "null"))) if isinstance(thing, dict) else None
        return given or f"?{place}"

    def add(
        self,
        kind: str,
        uscc: str,
        key: tuple[str, ...],
        place: str,
        fields: dict[str, Value],
        places: dict[str, str] | None = None,
    ) -> bool:
        """Take an item in; False, with a fault, where the document has it already."""
        item = ItemKey(kind, uscc, key)
        if item in self.document.items:
            names = [part for part in (uscc if kind == "enterprise" else "", *key) if part]
            first = self.document.items[item].place
            self.reading.fault(place, f"{' '.join(names)!r} is listed twice, first in {first}")
            return False
        self.document.items[item] = Given(place, fields, places or {})
        return True

    def park(self, thing: dict[str, Tree], place: str) -> None:
        fields = self.fields("park", thing, place)
        self.add("park", "", (self.name("park", fields, "code", thing, place),), place, fields)

    def enterprise(self, thing: dict[str, Tree], place: str) -> None:
        fields = self.fields("enterprise", thing, place)
        uscc = self.name("enterprise", fields, "uscc", thing, place).upper()
        if not self.add("enterprise", uscc, (), place, fields):
            uscc = f"?{place}"  # read for its faults of form only
        for each, here in self.children(thing, "gateways", place):
            fields = self.fields("gateway", each, here)
            self.add("gateway", uscc, (self.name("gateway", fields, "id", each, here),), here, fields)
        for each, here in self.children(thing, "meters", place):
            self.meter(uscc, each, here)
        for each, here in self.children(thing, "derived", place):
            fields = self.fields("derived", each, here)
            meter, _, channel = self.name("derived channel", fields, "id", each, here).partition("/")
            self.add("derived", uscc, (meter, channel), here, fields)
        for each, here in self.children(thing, "sources", place):
            self.source(uscc, each, here)
        for each, here in self.children(thing, "products", place):
            self.versions("product", uscc, each, here)
        for each, here in self.children(thing, "checks", place):
            fields = self.fields("check", each, here)
            self.add("check", uscc, (self.name("check", fields, "id", each, here),), here, fields)

    def meter(self, uscc: str, thing: dict[str, Tree], place: str) -> None:
        fields = self.fields("meter", thing, place)
        meter = self.name("meter", fields, "id", thing, place)
        if not self.add("meter", uscc, (meter,), place, fields):
            meter = f"?{place}"
        for each, here in self.children(thing, "channels", place):
            channel_fields = self.fields("channel", each, here)
            channel = self.name("channel", channel_fields, "id", each, here)
            begins = channel_fields.get("valid_from")
            if begins is None:
                channel_fields["valid_from"] = self.reading.fault(
                    joined(here, "valid_from"), "is missing: the moment from which the channel holds"
                )
            key = f"?{here}" if begins in (None, FAULTY) else format_time(moment(begins))
            self.add("channel", uscc, (meter, channel, key), here, channel_fields)

    def source(self, uscc: str, thing: dict[str, Tree], place: str) -> None:
        source = self.versions("source", uscc, thing, place)
        for each, here in self.children(thing, "parameters", place):
            fields = self.fields("parameter", each, here)
            name = self.name("parameter", fields, "name", each, here)
            self.add("parameter", uscc, (source, name, _from(fields, here)), here, fields)

    def versions(self, kind: str, uscc: str, thing: dict[str, Tree], place: str) -> str:
        """The versions of a source or product that one entry gives: one, or one a dated expression."""
        dated = thing.get("expression")
        expressions: list[tuple[Tree, str, Value]] = []
        if isinstance(dated, (list, dict)):
            thing = {name: given for name, given in thing.items() if name != "expression"}
            expressions = [
                self.dated_expression(*each) for each in listed(dated, joined(place, "expression"))
            ]
        fields = self.fields(kind, thing, place)
        name = self.name(kind, fields, "id", thing, place)
        if not expressions:
            if fields:
                self.add(kind, uscc, (name, _from(fields, place)), place, fields)
            return name
        begins = fields.pop("from", None)
        for given, here, own in expressions:
            from_day = begins if own is None else own
            if own not in (None, FAULTY) and begins not in (None, FAULTY) and own < begins:
                from_day = self.reading.fault(here, f"begins on {own}, before its {kind} does on {begins}")
            value = FIELDS[kind]["expression"](self.reading, given, here)
            version = {**fields, "from": from_day, "expression": value}
            self.add(kind, uscc, (name, _from(version, here)), place, version, {"expression": here})
        return name

    def dated_expression(self, each: Tree, place: str) -> tuple[Tree, str, Value]:
        """(expression, its place, the day it holds from) of an entry of a list of them."""
        if not isinstance(each, dict):
            return each, place, None
        self.unknown_keys(each, place, {"expression": None, "from": None})
        given = each.get("expression", Scalar("", "null"))
        begins: Value = None
        if not is_null(each.get("from", Scalar("", "null"))):
            begins = FIELDS["source"]["from"](self.reading, each["from"], joined(place, "from"))
        return given, joined(place, "expression"), begins


def _from(fields: dict[str, Value], place: str) -> str:
    """The day from which fields hold, as a part of their key; where it can't be read, one that nothing else has."""
    if fields.get("from") is FAULTY:
        return f"?{place}"
    return str(fields.pop("from", None) or "")


def document_of(parks: Items, enterprises: Items) -> dict[str, Any]:
    """The document, as plain values, that gives these items; it reads back as them.

    Lists are in the order of their keys, fields in the order of docs/registry.md.
    """
    of_enterprise: defaultdict[str, list[tuple[ItemKey, Specification]]] = defaultdict(list)
    for item, spec in sorted(enterprises.items(), key=lambda each: each[0]):
        of_enterprise[item.uscc].append((item, spec))
    return {
        "parks": [_written("park", {"code": item.key[0], **spec}) for item, spec in sorted(parks.items())],
        "enterprises": [_enterprise(uscc, items) for uscc, items in of_enterprise.items()],
    }


def _enterprise(uscc: str, items: list[tuple[ItemKey, Specification]]) -> dict[str, Any]:
    document: dict[str, Any] = {"uscc": uscc}
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in CHILDREN["enterprise"]}
    meters: dict[str, dict[str, Any]] = {}
    parameters: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for (kind, _, key), spec in items:
        match kind:
            case "enterprise":
                document |= _written(kind, spec)
            case "gateway":
                lists["gateways"].append(_written(kind, {"id": key[0], **spec}))
            case "meter":
                meters[key[0]] = {**_written(kind, {"id": key[0], **spec}), "channels": []}
            case "derived":
                lists["derived"].append(_written(kind, {"id": "/".join(key), **spec}))
            case "check":
                lists["checks"].append(_written(kind, {"id": key[0], **spec}))
            case "source" | "product":
                named = {"id": key[0], **({"from": key[1]} if key[1] else {})}
                lists[f"{kind}s"].append(_written(kind, {**named, **spec}))
            case "parameter":
                dated = {"from": key[2]} if key[2] else {}
                parameters[key[0]].append(_written(kind, {"name": key[1], **dated, **spec}))
    for (kind, _, key), spec in items:
        if kind == "channel":
            meters[key[0]]["channels"].append(_written(kind, {"id": key[1], **spec}))
    lists["meters"] = list(meters.values())
    for source in lists["sources"]:
        if found := parameters.pop(source["id"], None):  # with the first version of a source
            source["parameters"] = found
    return document | {name: each for name, each in lists.items() if each}


def _written(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A specification in the order of the fields, with what holds for all time written short."""
    result = {name: spec[name] for name in FIELDS[kind] if name in spec}
    for name in ("edition", "grid", "district", "park"):
        entries = result.get(name)
        if (
            isinstance(entries, list)
            and len(entries) == 1
            and "from" not in entries[0]
            and entries[0]["code"]
        ):
            result[name] = entries[0]["code"]
    if "flags" in result:
        result["flags"] = [each["flag"] if len(each) == 1 else each for each in result["flags"]]
    return result
