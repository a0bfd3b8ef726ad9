"""The registry in the database: loaded whole, refreshed by version, changed by importing a document.

Every import takes the one row of registry_state FOR UPDATE and counts its version up; ingest takes it FOR
SHARE in the transaction of a batch. So a batch is judged by the registry that is in force when it commits,
and imports come one after another.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from domain import interval, registry_items
from domain.document import document_of, read_document
from domain.document_check import Catalogue, Unchecked
from domain.document_plan import Change, Plan, plan
from domain.registry import Enterprise, Park, Registry
from domain.registry_items import Ids, ItemKey, Specification, moment
from storage import changes as announced
from storage import partitions
from storage.database import Connection

_UNCHECKED = Unchecked()


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, in items by kind.

    readings_outside  stored readings that are no longer within the validity of their channel: they stay
                      stored and leave the ledger
    """

    version: int
    new: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    unchanged: Mapping[str, int] = field(default_factory=dict)
    readings_outside: int = 0


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """One change of one item: who made it, when and why; before is None where the item is new."""

    id: int
    version: int
    changed_at: datetime
    changed_by: str
    why: str
    kind: str
    uscc: str
    key: tuple[str, ...]
    before: Specification | None
    after: Specification | None


# One statement, so that items, ids and version are of one moment without a lock.
_LOAD = """
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT uscc FROM registry_items
    WHERE version > %(version)s AND (%(usccs)s::text[] IS NULL OR uscc = ANY(%(usccs)s)))
SELECT 'item', kind, uscc, key, spec, NULL FROM registry_items WHERE uscc IN (SELECT uscc FROM wanted)
UNION ALL
SELECT 'enterprise', NULL, uscc, NULL, NULL, id FROM enterprises WHERE uscc IN (SELECT uscc FROM wanted)
UNION ALL
SELECT 'point', NULL, uscc, ARRAY[meter, channel], NULL, points.id
FROM points JOIN enterprises ON enterprises.id = enterprise_id WHERE uscc IN (SELECT uscc FROM wanted)
UNION ALL
SELECT 'source', NULL, uscc, ARRAY[code], NULL, sources.id
FROM sources JOIN enterprises ON enterprises.id = enterprise_id WHERE uscc IN (SELECT uscc FROM wanted)
UNION ALL
SELECT 'version', NULL, NULL, NULL, NULL, version FROM registry_state
"""


def load(conn: Connection, usccs: Sequence[str] | None = None) -> Registry:
    """The registry as of one moment: the whole, or some enterprises of it without the parks."""
    return _load(conn, Registry(version=-1), usccs)


def refresh(conn: Connection, registry: Registry) -> Registry:
    """The registry as it is now; the same object where nothing has changed.

    Only enterprises with a change are read and built again, the others are shared with the given one.
    """
    now = version(conn)
    if now == registry.version:
        return registry
    return _load(conn, registry if now > registry.version else Registry(version=-1))


def version(conn: Connection) -> int:
    row = conn.cursor(row_factory=tuple_row).execute("SELECT version FROM registry_state").fetchone()
    assert row is not None, "the database isn't migrated"
    return int(row[0])


def calendar(conn: Connection) -> interval.Calendar:
    """The local calendar that the database was migrated with."""
    cursor = conn.cursor(row_factory=tuple_row)
    row = cursor.execute("SELECT calendar_offset_us FROM registry_state").fetchone()
    assert row is not None, "the database isn't migrated"
    return interval.Calendar(int(row[0]))


def _load(conn: Connection, known: Registry, usccs: Sequence[str] | None = None) -> Registry:
    new_version = known.version
    items: defaultdict[str, list[tuple[ItemKey, Specification]]] = defaultdict(list)
    enterprise_ids: dict[str, int] = {}
    point_ids: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    source_ids: defaultdict[str, dict[str, int]] = defaultdict(dict)
    rows = conn.cursor(row_factory=tuple_row).execute(
        _LOAD, {"version": known.version, "usccs": None if usccs is None else list(usccs)}
    )
    for what, kind, uscc, key, spec, id_ in rows:
        match what:
            case "item":
                items[uscc].append((ItemKey(kind, uscc, tuple(key)), spec))
            case "enterprise":
                enterprise_ids[uscc] = id_
            case "point":
                point_ids[uscc][key[0], key[1]] = id_
            case "source":
                source_ids[uscc][key[0]] = id_
            case "version":
                new_version = id_
    parks: dict[str, Park] = known.parks
    enterprises: dict[str, Enterprise] = dict(known.enterprises)
    for uscc, found in items.items():
        if uscc == "":
            parks = {item.key[0]: registry_items.park(item.key[0], spec) for item, spec in found}
        else:
            ids = Ids(enterprise_ids[uscc], point_ids[uscc], source_ids[uscc])
            enterprises[uscc] = registry_items.enterprise(uscc, found, ids)
    return Registry(new_version, dict(sorted(enterprises.items())), dict(sorted(parks.items())))


def import_document(
    conn: Connection,
    source: str | bytes | Any,
    by: str,
    why: str = "",
    *,
    catalogue: Catalogue = _UNCHECKED,
    moves_us: int | None = None,
) -> Imported:
    """Bring a document into the registry, all of it or nothing.

    source     the text of the document (YAML or JSON), or plain values of its shape
    by, why    kept with every change
    catalogue  what accounting knows: sources, parameters, areas of grid factors
    moves_us   the valid_from of registered channel versions whose place the document's versions take

    Raises FaultyDocument with every fault. Commits by itself, unless the connection is within a transaction
    already. Importing what is registered already changes nothing, the version included.
    """
    with conn.transaction():
        document = read_document(source, calendar(conn))
        planned_at = version(conn)
        registered = _items(conn, document.usccs())
        planned = plan(document, registered, catalogue, moves_us)
    if not planned.changes:
        return Imported(planned_at, unchanged=dict(planned.unchanged))
    _make_partitions(conn, planned.changes)
    with conn.transaction():
        # Ingest waits for this row: what takes long has been done before, unless another import came between.
        row = conn.execute("SELECT version FROM registry_state FOR UPDATE").fetchone()
        assert row is not None
        if row[0] != planned_at:
            registered = _items(conn, document.usccs())
            planned = plan(document, registered, catalogue, moves_us)
            if not planned.changes:
                return Imported(row[0], unchanged=dict(planned.unchanged))
        new_version = row[0] + 1
        # Read after the lock was granted, so that changes are stamped in the order of their versions.
        changed_at = _now(conn)
        _write_items(conn, planned.changes, new_version)
        _write_changes(conn, planned.changes, new_version, changed_at, by, why)
        _give_ids(conn, [change.item for change in planned.changes])
        _make_partitions(conn, planned.changes)
        _announce(conn, planned.changes, new_version)
        conn.execute("UPDATE registry_state SET version = %s", [new_version])
    # After the commit, since the log may be long. What has been stored meanwhile was judged by the new registry,
    # so it isn't outside.
    with conn.transaction():
        outside = _count_outside(conn, registered, planned.changes)
    return Imported(
        new_version,
        dict(planned.count(new=True)),
        dict(planned.count(new=False)),
        dict(planned.unchanged),
        outside,
    )


def check_document(
    conn: Connection,
    source: str | bytes | Any,
    *,
    catalogue: Catalogue = _UNCHECKED,
    moves_us: int | None = None,
) -> Plan:
    """What importing a document would change; raises FaultyDocument with every fault. Changes nothing."""
    with conn.transaction():
        document = read_document(source, calendar(conn))
        return plan(document, _items(conn, document.usccs()), catalogue, moves_us)


def planned_registry(conn: Connection, registry: Registry, planned: Plan) -> Registry:
    """What the registry would be after an import, with numbers below 0 for names that are new. Changes nothing."""
    usccs = sorted({change.item.uscc for change in planned.changes} - {""})
    items = _items(conn, usccs)
    for change in planned.changes:
        items.pop(change.moved_from or change.item, None)
        items[change.item] = change.after
    enterprises = dict(registry.enterprises)
    new = itertools.count(-1, -1)
    for uscc in usccs:
        known = registry.enterprises.get(uscc)
        ids = Ids(
            known.id if known else next(new),
            defaultdict(
                lambda: next(new),
                {(point.meter, point.channel): point.id for point in known.points.values()} if known else {},
            ),
            defaultdict(
                lambda: next(new),
                {source.code: source.id for source in known.sources.values()} if known else {},
            ),
        )
        own = [(item, spec) for item, spec in items.items() if item.uscc == uscc]
        enterprises[uscc] = registry_items.enterprise(uscc, own, ids)
    return Registry(registry.version + 1, dict(sorted(enterprises.items())), registry.parks)


def export_document(conn: Connection) -> dict[str, Any]:
    """The registered document, as plain values; importing it elsewhere gives the same registry."""
    parks: dict[ItemKey, Specification] = {}
    others: dict[ItemKey, Specification] = {}
    for item, spec in _items(conn, None).items():
        (parks if item.kind == "park" else others)[item] = spec
    return document_of(parks, others)


def changes(
    conn: Connection,
    *,
    after_id: int = 0,
    after_version: int = -1,
    uscc: str | None = None,
    only: Sequence[str] | None = None,
    limit: int = 100,
) -> list[RegistryChange]:
    """Changes in the order in which they were made, beyond an id or a version; of one enterprise where given, and of
    these alone where `only` says which.
    """
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        SELECT id, version, changed_at, changed_by, why, kind, uscc, key, before, after FROM registry_changes
        WHERE id > %(id)s AND version > %(version)s AND (%(uscc)s::text IS NULL OR uscc = %(uscc)s)
          AND (%(only)s::text[] IS NULL OR uscc = ANY (%(only)s))
        ORDER BY id LIMIT %(limit)s
        """,
        {"id": after_id, "version": after_version, "uscc": uscc, "only": only, "limit": limit},
    )
    return [
        RegistryChange(id_, at_version, changed_at, by, why, kind, of, tuple(key), before, after)
        for id_, at_version, changed_at, by, why, kind, of, key, before, after in rows
    ]


def _now(conn: Connection) -> datetime:
    row = conn.cursor(row_factory=tuple_row).execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment_: datetime = row[0]
    return moment_


def _items(conn: Connection, usccs: Iterable[str] | None) -> dict[ItemKey, Specification]:
    """The registered items of some enterprises, or of all, with all parks."""
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        SELECT kind, uscc, key, spec FROM registry_items
        WHERE %(usccs)s::text[] IS NULL OR uscc = '' OR uscc = ANY(%(usccs)s)
        """,
        {"usccs": None if usccs is None else sorted(usccs)},
    )
    return {ItemKey(kind, uscc, tuple(key)): spec for kind, uscc, key, spec in rows}


def _write_items(conn: Connection, planned: Sequence[Change], new_version: int) -> None:
    cursor = conn.cursor()
    leaving = [change.moved_from or change.item for change in planned if change.before is not None]
    if leaving:
        cursor.executemany(
            "DELETE FROM registry_items WHERE kind = %s AND uscc = %s AND key = %s::text[]",
            [(item.kind, item.uscc, list(item.key)) for item in leaving],
        )
    with cursor.copy("COPY registry_items (kind, uscc, key, spec, version) FROM STDIN") as copy:
        copy.set_types(["text", "text", "text[]", "jsonb", "int8"])
        for change in planned:
            item = change.item
            copy.write_row((item.kind, item.uscc, list(item.key), Jsonb(change.after), new_version))


def _write_changes(
    conn: Connection, planned: Sequence[Change], new_version: int, changed_at: datetime, by: str, why: str
) -> None:
    with conn.cursor().copy(
        """
        COPY registry_changes (version, changed_at, changed_by, why, kind, uscc, key, before, after) FROM STDIN
        """
    ) as copy:
        copy.set_types(["int8", "timestamptz", "text", "text", "text", "text", "text[]", "jsonb", "jsonb"])
        for change in planned:
            item, before = change.item, change.before
            copy.write_row(
                (
                    new_version,
                    changed_at,
                    by,
                    why,
                    item.kind,
                    item.uscc,
                    list(item.key),
                    None if before is None else Jsonb(before),
                    Jsonb(change.after),
                )
            )


def _announce(conn: Connection, planned: Sequence[Change], new_version: int) -> None:
    """Tell the feed of the enterprises that were changed; who had nothing registered before is new."""
    items: defaultdict[str, set[str]] = defaultdict(set)
    new = set()
    for change in planned:
        if change.item.uscc:
            items[change.item.uscc].add(change.item.kind)
            if change.item.kind == "enterprise" and change.before is None:
                new.add(change.item.uscc)
    announced.announce_enterprises(conn, items, new, new_version)


def _give_ids(conn: Connection, items: Iterable[ItemKey]) -> None:
    """Give a lasting number to every name that has none. Imports come one after another, so no two race."""
    names: defaultdict[str, dict[tuple[str, ...], None]] = defaultdict(dict)
    for kind, uscc, key in items:
        match kind:
            case "enterprise":
                names["enterprise"][(uscc,)] = None
            case "channel" | "derived":
                names["point"][uscc, key[0], key[1]] = None
            case "source" | "gateway":
                names[kind][uscc, key[0]] = None
    columns = {what: [list(column) for column in zip(*keys, strict=True)] for what, keys in names.items()}
    if "enterprise" in columns:
        conn.execute(
            """
            INSERT INTO enterprises (uscc)
            SELECT uscc FROM unnest(%s::text[]) AS given (uscc)
            WHERE NOT EXISTS (SELECT FROM enterprises WHERE enterprises.uscc = given.uscc)
            """,
            columns["enterprise"],
        )
    if "point" in columns:
        conn.execute(
            """
            INSERT INTO points (enterprise_id, meter, channel)
            SELECT enterprises.id, given.meter, given.channel
            FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS given (uscc, meter, channel, place)
            JOIN enterprises USING (uscc)
            LEFT JOIN points ON enterprise_id = enterprises.id
                AND points.meter = given.meter AND points.channel = given.channel
            WHERE points.id IS NULL ORDER BY given.place
            """,
            columns["point"],
        )
    if "source" in columns:
        conn.execute(
            """
            INSERT INTO sources (enterprise_id, code)
            SELECT enterprises.id, given.code
            FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given (uscc, code, place)
            JOIN enterprises USING (uscc)
            LEFT JOIN sources ON enterprise_id = enterprises.id AND sources.code = given.code
            WHERE sources.id IS NULL ORDER BY given.place
            """,
            columns["source"],
        )
    if "gateway" in columns:
        # Ingest numbers gateways too, registered or not, as it meets them.
        conn.execute(
            """
            INSERT INTO gateways (uscc, gateway)
            SELECT uscc, gateway FROM unnest(%s::text[], %s::text[]) AS given (uscc, gateway)
            WHERE NOT EXISTS
                (SELECT FROM gateways WHERE gateways.uscc = given.uscc AND gateways.gateway = given.gateway)
            ON CONFLICT DO NOTHING
            """,
            columns["gateway"],
        )


_PARTITIONS_STEP_US = (
    1_800 * interval.DAY_US
)  # each takes locks until its transaction ends, of which a server has few


def _make_partitions(conn: Connection, planned: Iterable[Change]) -> None:
    """Make the partitions for every month in which the changed channel versions take readings.

    An import that fails after that leaves some empty ones behind, which do no harm.
    """
    with conn.transaction():
        open_end_us = partitions.horizon(interval.to_us(_now(conn)))
    for begins, last in _validity(planned, open_end_us):
        for step in range(begins, last + 1, _PARTITIONS_STEP_US):
            with conn.transaction():
                partitions.ensure(conn, step, min(last, step + _PARTITIONS_STEP_US))


Range = tuple[int, int]  # half-open [µs]
_FOREVER_US = interval.TIME_MAX_US


def _range(spec: Mapping[str, Any], open_end_us: int = _FOREVER_US) -> Range:
    """The stamps that a channel version takes, both ends of its validity included."""
    begins = moment(spec["valid_from"])
    ends = spec.get("valid_to")
    return begins, (max(open_end_us, begins) if ends is None else moment(ends)) + 1


def _validity(planned: Iterable[Change], open_end_us: int) -> list[Range]:
    """The stretches of time, first to last µs, that the changed channel versions take stamps of."""
    ranges = [_range(change.after, open_end_us) for change in planned if change.item.kind == "channel"]
    return [(begins, ends - 1) for begins, ends in _union(ranges)]


def _union(ranges: Iterable[Range]) -> list[Range]:
    result: list[Range] = []
    for begins, ends in sorted(ranges):
        if result and begins <= result[-1][1]:
            result[-1] = (result[-1][0], max(ends, result[-1][1]))
        else:
            result.append((begins, ends))
    return result


def _difference(before: Iterable[Range], after: Iterable[Range]) -> list[Range]:
    """What was within `before` and isn't within `after`."""
    result = _union(before)
    for cut_begins, cut_ends in _union(after):
        rest: list[Range] = []
        for begins, ends in result:
            rest += [(begins, min(ends, cut_begins)), (max(begins, cut_ends), ends)]
        result = [(begins, ends) for begins, ends in rest if begins < ends]
    return result


def _count_outside(
    conn: Connection, registered: Mapping[ItemKey, Specification], planned: Sequence[Change]
) -> int:
    """How many stored readings the changes put outside the validity of their channels."""
    touched = {
        (change.item.uscc, *change.item.key[:2])
        for change in planned
        if change.item.kind == "channel" and change.before is not None
    }
    before: defaultdict[tuple[str, ...], dict[ItemKey, Specification]] = defaultdict(dict)
    for item, spec in registered.items():
        if item.kind == "channel" and (name := (item.uscc, *item.key[:2])) in touched:
            before[name][item] = spec
    after = {name: dict(versions) for name, versions in before.items()}
    for change in planned:
        if change.item.kind == "channel" and (name := (change.item.uscc, *change.item.key[:2])) in touched:
            after[name].pop(change.moved_from or change.item, None)
            after[name][change.item] = change.after
    removed = [
        (*name, *each)
        for name in touched
        for each in _difference(map(_range, before[name].values()), map(_range, after[name].values()))
    ]
    if not removed:
        return 0
    usccs, meters, channels, begins, ends = (list(column) for column in zip(*removed, strict=True))
    row = (
        conn.cursor(row_factory=tuple_row)
        .execute(
            """
            WITH removed AS MATERIALIZED (
                SELECT points.id, begins, ends
                FROM unnest(%(usccs)s::text[], %(meters)s::text[], %(channels)s::text[],
                            %(begins)s::timestamptz[], %(ends)s::timestamptz[])
                     AS given (uscc, meter, channel, begins, ends)
                JOIN enterprises USING (uscc)
                JOIN points ON enterprise_id = enterprises.id
                    AND points.meter = given.meter AND points.channel = given.channel
            )
            SELECT count(*) FROM readings JOIN removed ON removed.id = channel_id
            WHERE measured_at >= begins AND measured_at < ends
                AND measured_at >= %(first)s AND measured_at < %(last)s  -- leaves out the other months
            """,
            {
                "usccs": usccs,
                "meters": meters,
                "channels": channels,
                "begins": [interval.from_us(us) for us in begins],
                "ends": [interval.from_us(us) for us in ends],
                "first": interval.from_us(min(begins)),
                "last": interval.from_us(max(ends)),
            },
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])
