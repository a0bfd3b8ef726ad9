"""Restatements and rehearsals of the command line: where they are computed, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from accounting.differences import SourceDifference, Way
from accounting.due import Works, add_change
from accounting.explanation import change_in_words, factor_change
from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_factors
from accounting.recorded import Written
from accounting.run import Distribute, Restated, Shared, recorded_shard
from accounting.work import Cause, TickResult
from carbonmeter.catalogue import FactorCatalogue
from carbonmeter.commands import print_table
from carbonmeter.distribute import over_enterprises
from carbonmeter.embedded import database_url
from carbonmeter.settings import load as load_settings
from domain.document_plan import Plan
from domain.errors import Refused
from domain.interval import INTERVAL_US, Calendar
from domain.reading import decimal_text
from domain.registry import Registry
from storage import registry as registry_storage
from storage.database import Connection, connect


class Shard(NamedTuple):
    """An enterprise's part of a restatement, as it goes to a worker: nothing in it is secret."""

    uscc: str
    shared: Shared
    rules_version: str
    factor_set: str


def compute_shard(shard: Shard) -> tuple[Written, TickResult]:
    """On a worker: read the enterprise as of the restatement's moment, and give what is to be written.

    The worker's own settings say where the database is. Raises Refused where its factors, rules or database aren't
    those of the restatement.
    """
    library = load_factors()
    own = (shard.shared.rules.version, library.set_hash)
    if own != (shard.rules_version, shard.factor_set):
        raise Refused(
            f"this worker has rules {own[0]!r} and factor set {own[1]}, the restatement {shard.rules_version!r} and"
            f" {shard.factor_set}: install the same version on all workers"
        )
    settings = load_settings()
    with (
        database_url(settings.database, settings.home) as url,
        connect(url, "carbonmeter restate worker") as conn,
    ):
        return recorded_shard(conn, library, shard.uscc, shard.shared)


def over_workers(scheduler: str) -> Distribute:
    """Have shards computed by the workers of a Dask scheduler."""

    def distribute(shared: Shared, usccs: Sequence[str]) -> Generator[tuple[Written, TickResult], None, None]:
        factor_set = load_factors().set_hash
        shards = (Shard(uscc, shared, shared.rules.version, factor_set) for uscc in usccs)
        return over_enterprises(scheduler, compute_shard, shards)

    return distribute


def document_works(
    conn: Connection,
    document: bytes,
    library: FactorLibrary,
    cause: Cause,
    moves_us: int | None = None,
) -> Callable[[Registry], Works]:
    """What accounting would have to do after the import of a registry document, under the registry in force."""

    def works(registry: Registry) -> Works:
        planned = registry_storage.check_document(
            conn, document, catalogue=FactorCatalogue(library), moves_us=moves_us
        )
        return planned_works(conn, registry, planned, library, cause)

    return works


def planned_works(
    conn: Connection, registry: Registry, planned: Plan, library: FactorLibrary, cause: Cause
) -> Works:
    """What accounting would have to do after an import."""
    after = registry_storage.planned_registry(conn, registry, planned)
    works: Works = {}
    for change in planned.changes:
        add_change(works, change.item, cause._replace(kind="registry"), after, registry, library)
    return works


def told(restated: Restated, calendar: Calendar) -> list[dict[str, Any]]:
    """What became, or would become, of each source, as plain values."""
    return [
        {
            "uscc": uscc,
            "source": source,
            "series": series,
            "gas": each.gas,
            "boundaries": list(each.boundaries),
            "before_kg": _kg(each.before_mg),
            "after_kg": _kg(each.after_mg),
            "difference_kg": _kg(each.mg),
            "entries": each.entries,
            "superseded": each.superseded,
            "from": calendar.text(calendar.day_start(0) + each.first * INTERVAL_US),
            "to": calendar.text(calendar.day_start(0) + (each.last + 1) * INTERVAL_US),
            "causes": [dict(zip(("kind", "by_whom", "why"), cause, strict=True)) for cause in each.causes],
            "ways": [
                {"way": way.value, "entries": part.entries, "difference_kg": _kg(part.mg)}
                for way, part in _in_order(each)
            ],
            "factors": [
                {
                    "entries": part.entries,
                    "difference_kg": _kg(part.mg),
                    **factor_change(restated.descriptions.get(old, {}), restated.descriptions.get(new, {})),
                }
                for (old, new), part in each.factors.items()
            ],
        }
        for (uscc, source, series), each in sorted(restated.differences.by_source.items())
    ]


def _in_order(each: SourceDifference) -> list[tuple[Way, Any]]:
    return [(way, each.ways[way]) for way in Way if way in each.ways]


def _kg(mg: int) -> str:
    return decimal_text(mg, -6)


_WAYS = {
    Way.NEW: "known now",
    Way.GONE: "missing now",
    Way.AMOUNT: "other amount",
    Way.FACTOR: "other factor",
    Way.AMOUNT_AND_FACTOR: "other amount and factor",
    Way.QUALITY: "other quality or flags",
}


def show(changed: Sequence[dict[str, Any]]) -> None:
    """The same as a table, with a line below for each factor that is another."""
    columns = ("uscc", "source", "gas", "before_kg", "after_kg", "difference_kg", "entries", "from", "to")
    print_table(
        (
            "enterprise",
            "source",
            "gas",
            "before kg",
            "after kg",
            "difference kg",
            "entries",
            "from",
            "to",
            "why",
        ),
        (
            (*(row[column] for column in columns), ", ".join(_WAYS[Way(each["way"])] for each in row["ways"]))
            for row in changed
        ),
    )
    for row in changed:
        for factor in row["factors"]:
            print(
                f"{row['uscc']} {row['source']}: {factor['entries']:,} entries, {factor['difference_kg']} kg, by"
                f" {change_in_words(factor)}"
            )
