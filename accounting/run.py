"""The accounting process: reads the log, keeps the books. The only file of this room that meets storage.

One `Accountant` works on one connection, for some shards. A *tick* is one transaction: it takes the next batches
after the cursor (and registry or factor changes since), appends their readings to the channel-days, recomputes
the touched intervals and sources, writes what changed with its cause, and moves the cursors. So the books of a shard
at any moment are those of its cursor, and a process killed anywhere leaves a whole tick done or none of it.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg

from accounting.channel import READING_DTYPE, Rules
from accounting.differences import Differences
from accounting.due import Works, add_change, add_factors, all_of, work_of
from accounting.engine import recompute
from accounting.factors.load import FactorLibrary
from accounting.factors.load import load as load_library
from accounting.kernels import warm_apart
from accounting.metrics import (
    BATCHES,
    ENTRIES,
    FAILURES,
    KEPT_SHARDS,
    LAG_SECONDS,
    READINGS,
    SUPERSEDED,
    TICK_SECONDS,
    VALIDATION_FAILURES,
    VALIDATION_SECONDS,
)
from accounting.recorded import Names, RecordedBooks, Written, write
from accounting.settings import AccountingSettings
from accounting.validation import step as validation
from accounting.validation.rules import load as load_checks
from accounting.work import Cause, Memory, PointWork, TickResult, groups
from domain.errors import Refused, Unavailable
from domain.ledger import EVERY_SHARD, shard_of
from domain.registry import Enterprise, Point, Registry
from storage import emissions, services
from storage import registry as registry_storage
from storage.database import Connection, connect, guard
from storage.findings import ValidationBooks, day_keys
from storage.ledger import (
    Batch,
    Books,
    Cursor,
    enter_moment,
    hold_back_others,
    read_one_moment,
    share_moment,
    take_shard,
)
from storage.registry import RegistryChange

log = logging.getLogger(__name__)

TICK_ROWS_MAX = 300_000  # log rows a tick takes at most: bounds its memory and how long it holds its locks

SETTLE_US = 3_600_000_000  # after its end a day is judged: what is committed later counts as late

VALIDATE_IDLE_S = 1.0  # between two looks at what is to be judged, while there is nothing else to do
VALIDATE_BUSY_S = 60.0  # while there is

CHANGES_MAX = 1_000_000_000  # all of them: what is left out would never be restated


@dataclass(frozen=True, slots=True)
class Restated:
    """What a restatement wrote, or would write.

    differences   what became of each source's entries
    descriptions  of the factors that they name, where these are told
    """

    entries: int
    superseded: int
    differences: Differences
    descriptions: dict[int, dict[str, Any]]

    @classmethod
    def of(cls, result: TickResult, descriptions: dict[int, dict[str, Any]]) -> Restated:
        assert result.differences is not None
        return cls(result.entries, result.superseded, result.differences, descriptions)


class Shared(NamedTuple):
    """What a shard of a restatement is computed by: the moment to read as of, the run, the rules, the cause."""

    snapshot: str
    run_id: int
    rules: Rules
    cause: Cause


# Has `recorded_shard` done for each of some enterprises, and gives what it gave in their order.
Distribute = Callable[[Shared, Sequence[str]], Generator[tuple[Written, TickResult], None, None]]
Progress = Callable[[int, int], None]


class Accountant:
    """Keeps the books of some shards over one connection; not thread-safe.

    Nobody else may keep them meanwhile (`take_shard`). Restatements and rehearsals are of all shards.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        library: FactorLibrary,
        rules: Rules,
        shards: Collection[int] = EVERY_SHARD,
    ) -> None:
        self._connection = connection
        self._library = library
        self._rules = rules
        self._shards = tuple(shards)
        self._checks = load_checks()
        self._findings_waiting: validation.Waiting = {}
        self._validation_fault = ""  # the last that was logged
        self._calendar = registry_storage.calendar(connection)
        self._registry: Registry = registry_storage.load(connection)
        connection.commit()
        self._memory = Memory()
        self._index_points()

    def _index_points(self) -> None:
        self._points: dict[int, tuple[Enterprise, Point]] = {
            point.id: (enterprise, point)
            for enterprise in self._registry.enterprises.values()
            for point in enterprise.points.values()
        }

    # -- the tick -------------------------------------------------------------------------------------

    def tick(self) -> TickResult | None:
        """Do what is there to do, in one transaction; None where there is nothing."""
        while True:
            try:
                return self._tick()
            except psycopg.errors.SerializationFailure:
                # A restatement has moved the cursors meanwhile.
                self._memory = Memory()
            except BaseException:
                self._memory = Memory()  # what it holds may not have been committed
                raise

    def _tick(self) -> TickResult | None:
        with self._connection.transaction():
            read_one_moment(self._connection)
            books = Books(self._connection)
            shards, cursor, up_to = self._next(books.cursors(self._shards))
            if cursor.rules_version != self._rules.version:
                raise Refused(
                    f"the books stand on rules {cursor.rules_version!r}, this program is set to"
                    f" {self._rules.version!r}: `carbonmeter restate --rules` adopts them and restates what they change"
                )
            # Kept from the last tick, as a rule; where it isn't at hand, what the changes touch is recomputed whole.
            before = self._registry if self._registry.version == cursor.registry_version else None
            registry = registry_storage.refresh(self._connection, self._registry)
            if registry is not self._registry:
                self._registry = registry
                self._index_points()
            batches = books.batches_after(cursor.commit_no, TICK_ROWS_MAX, up_to)
            changes: list[RegistryChange] = []
            if registry.version != cursor.registry_version:
                changes = registry_storage.changes(
                    self._connection, after_version=cursor.registry_version, limit=CHANGES_MAX
                )
            if (
                not batches
                and registry.version == cursor.registry_version
                and cursor.factor_set == self._library.set_hash
            ):
                return None
            own = {
                uscc: enterprise
                for uscc, enterprise in registry.enterprises.items()
                if shard_of(enterprise.id) in shards
            }
            work = self._work(books, batches, [each for each in changes if each.uscc in own], before, shards)
            if cursor.factor_set != self._library.set_hash:
                cause = Cause("factors", None, "carbonmeter", f"factor set {self._library.set_hash}")
                add_factors(work, own.values(), cause, self._library)
            moved = Cursor(
                batches[-1].commit_no if batches else cursor.commit_no,
                registry.version,
                self._library.set_hash,
                cursor.rules_version,
            )
            result = TickResult(batches=len(batches), readings=sum(batch.rows for batch in batches))
            if batches:
                result.committed_us = batches[-1].committed_us
            if work:
                self._run(books, work, moved, result, shards)
            books.move_cursors(shards, moved)
            return result

    def _next(self, cursors: Mapping[int, Cursor]) -> tuple[tuple[int, ...], Cursor, int | None]:
        """What the next tick is for: shards, their cursor, and the last commit to be taken (None: the newest).

        All that are owned stand at one cursor, as a rule. Where they don't, since other workers left them so, those
        furthest behind go on until they have reached the next ones.
        """
        begun = {
            shard: cursor if cursor.rules_version else self._beginning for shard, cursor in cursors.items()
        }

        def how_far(cursor: Cursor) -> tuple[int, int, bool]:
            return cursor.commit_no, cursor.registry_version, cursor.factor_set == self._library.set_hash

        behind = min(begun.values(), key=how_far)
        further = {each.commit_no for each in begun.values() if each.commit_no > behind.commit_no}
        shards = tuple(shard for shard, cursor in begun.items() if cursor == behind)
        return shards, behind, min(further, default=None)

    @property
    def _beginning(self) -> Cursor:
        """Where a shard stands before its first run."""
        return Cursor(0, 0, self._library.set_hash, self._rules.version)

    def validate(self, now_us: int) -> bool:
        """Judge a piece of what the checks between channels are due for; whether there was any.

        The books don't wait for it: what fails in it is told and counted, and tried again later.
        """
        closed_day = self._calendar.day(now_us - SETTLE_US)
        try:
            with VALIDATION_SECONDS.time(), self._connection.transaction():
                read_one_moment(self._connection)
                books = ValidationBooks(self._connection, self._shards)
                if books.accounted_registry() != self._registry.version:
                    return False  # a tick comes first
                judged = validation.step(
                    books, self._registry, self._checks, self._calendar, closed_day, self._findings_waiting
                )
        except psycopg.errors.SerializationFailure:
            self._findings_waiting.clear()
            return False  # a person explained or settled one of these meanwhile: they are due again
        except psycopg.OperationalError:
            raise
        except Exception as error:
            VALIDATION_FAILURES.inc()
            self._findings_waiting.clear()
            if repr(error) != self._validation_fault:  # logged once, then counted
                self._validation_fault = repr(error)
                log.exception("the checks between channels failed")
            return False
        if judged is not None:
            enterprise_id, first, end = judged
            self._memory.due.difference_update(
                day_keys(np.array([enterprise_id]), np.arange(first, end)).tolist()
            )
        return judged is not None

    def restate(
        self,
        cause: Cause,
        *,
        distribute: Distribute | None = None,
        progress: Progress = lambda _done, _all: None,
    ) -> Restated:
        """Recompute everything under the present rules, here or where `distribute` has it done.

        progress  told how many of how many enterprises are done

        Raises Unavailable where accounting hasn't yet taken in the registry as it is: that comes first.
        """
        with self._connection.transaction():
            read_one_moment(self._connection)
            hold_back_others(self._connection)
            books = Books(self._connection)
            cursors = books.cursors()
            self._take_registry(cursors.values())
            result = TickResult(differences=Differences())
            work = all_of(self._registry.enterprises.values(), cause)
            slowest = min(cursors.values(), key=lambda each: each.commit_no)
            moved = slowest._replace(rules_version=self._rules.version)
            if distribute is None:
                self._run(books, work, moved, result, EVERY_SHARD, progress)
            else:
                snapshot = share_moment(self._connection)  # as it was before anything is written
                run_id = books.begin_run()
                shared = Shared(snapshot, run_id, self._rules, cause)
                with contextlib.closing(distribute(shared, list(work))) as parts:
                    for done, (written, part) in enumerate(parts, 1):
                        factors = write(written, books, run_id)
                        assert part.differences is not None
                        part.differences.rename_factors(factors)
                        result.add(part)
                        progress(done, len(work))
                books.end_run(moved, self._memory.due)
            for shard, cursor in cursors.items():
                stands = cursor if cursor.rules_version else self._beginning
                books.move_cursors([shard], stands._replace(rules_version=self._rules.version))
        self._memory = Memory()
        with self._connection.transaction():
            return Restated.of(result, self._described(result))

    def rehearse(
        self,
        works: Callable[[Registry], Works],
        *,
        usccs: Collection[str] | None = None,
        days: tuple[int, int] | None = None,
        progress: Progress = lambda _done, _all: None,
    ) -> Restated:
        """What a run would change, without writing anything or holding anybody up.

        works     what it would have to do, under the registry in force
        usccs     of these enterprises alone
        days      of the ledger, [first, end), alone
        progress  told how many of how many enterprises are done

        What it would write is kept in memory for a group of enterprises at a time. Raises Unavailable as
        `restate`, and Refused for an enterprise that isn't registered.
        """
        with self._connection.transaction():
            read_one_moment(self._connection, read_only=True)
            books = Books(self._connection)
            self._take_registry(books.cursors(lock=False).values())
            result = TickResult(differences=Differences())
            every = works(self._registry)
            unknown = sorted(set(usccs or ()) - self._registry.enterprises.keys() - every.keys())
            if unknown:
                raise Refused(f"no enterprise {', '.join(unknown)} is registered")
            chosen = {uscc: work for uscc, work in every.items() if usccs is None or uscc in usccs}
            for work in chosen.values():
                work.within = days
            names = Names()
            done = 0
            for group in groups(chosen.values()):
                over = RecordedBooks(books, names, keep=False)
                recompute(group, over, self._library, self._rules, self._calendar, 0, result, Memory())
                done += len(group)
                progress(done, len(chosen))
            described = self._described(result)
        return Restated.of(result, described | names.descriptions())

    def _described(self, result: TickResult) -> dict[int, dict[str, Any]]:
        """Descriptions of the factors that its differences name."""
        assert result.differences is not None
        used = emissions.used_factors(self._connection, result.differences.factor_ids())
        return {id_: each.description for id_, each in used.items()}

    def _take_registry(self, cursors: Iterable[Cursor]) -> None:
        """The registry of this transaction's moment, which accounting has to have taken in, in every shard."""
        self._registry = registry_storage.refresh(self._connection, self._registry)
        self._index_points()
        stands_on = min(cursor.registry_version for cursor in cursors)
        if stands_on != self._registry.version:
            raise Unavailable(
                f"accounting stands on registry version {stands_on}, the registry is at"
                f" {self._registry.version}: try again when accounting has caught up"
            )

    def _run(
        self,
        books: Books,
        work: Works,
        moved: Cursor,
        result: TickResult,
        shards: Collection[int],
        progress: Progress = lambda _done, _all: None,
    ) -> None:
        run_id = books.begin_run(shards)
        done = 0
        for group in groups(work.values()):
            recompute(group, books, self._library, self._rules, self._calendar, run_id, result, self._memory)
            done += len(group)
            progress(done, len(work))
        books.end_run(moved, self._memory.due)

    # -- what there is to do --------------------------------------------------------------------------

    def _work(
        self,
        books: Books,
        batches: Sequence[Batch],
        changes: Sequence[RegistryChange],
        before: Registry | None,
        shards: Collection[int],
    ) -> Works:
        work: Works = {}
        for point_id, arrived, cause in self._arrivals(books, batches, shards):
            enterprise, point = self._points[point_id]
            work_of(work, enterprise).points[point_id] = PointWork(point, cause, arrived)
        for change in changes:
            cause = Cause("registry", None, change.changed_by, change.why)
            add_change(work, change, cause, self._registry, before, self._library)
        return work

    def _arrivals(
        self, books: Books, batches: Sequence[Batch], shards: Collection[int]
    ) -> Iterator[tuple[int, npt.NDArray[Any], Cause]]:
        """New readings of these shards by point, each with the batch and gateway that brought its last one."""
        logged = books.readings_of(batches, shards)
        if not len(logged):
            return
        by_id = {batch.id: batch for batch in batches}
        place = {batch.id: i for i, batch in enumerate(batches)}
        ids, inverse = np.unique(logged["batch"], return_inverse=True)
        committed = np.array([by_id[int(id_)].committed_us for id_ in ids])[inverse]
        order_no = np.array([place[int(id_)] for id_ in ids])[inverse]
        readings = np.zeros(len(logged), READING_DTYPE)
        for name in ("at", "mantissa", "exponent", "revision", "quality", "flags", "gateway", "batch"):
            readings[name] = logged[name]
        readings["committed_at"] = committed
        order = np.lexsort((order_no, logged["channel"]))
        readings, channels = readings[order], logged["channel"][order]
        starts = np.flatnonzero(np.diff(channels, prepend=-1))
        ends = np.append(starts[1:], len(channels))
        last = readings[ends - 1]
        names = books.gateway_names(np.unique(last["gateway"]).tolist())
        for start, end, newest in zip(starts.tolist(), ends.tolist(), last, strict=True):
            batch = by_id[int(newest["batch"])]
            by_whom = batch.by_whom or names[int(newest["gateway"])]
            yield int(channels[start]), readings[start:end], Cause("arrival", batch.id, by_whom, batch.cause)


def recorded_shard(
    connection: Connection, library: FactorLibrary, uscc: str, shared: Shared
) -> tuple[Written, TickResult]:
    """What a restatement elsewhere, as of whose moment this reads, has to write for an enterprise."""
    with connection.transaction():
        enter_moment(connection, shared.snapshot)
        calendar = registry_storage.calendar(connection)
        registry = registry_storage.load(connection, [uscc])
        over = RecordedBooks(Books(connection), Names(), keep=True)
        result = TickResult(differences=Differences())
        works = list(all_of(registry.enterprises.values(), shared.cause).values())
        recompute(works, over, library, shared.rules, calendar, shared.run_id, result, Memory())
    assert over.written is not None
    return over.written, result


def main(settings: AccountingSettings, stop: threading.Event | None = None) -> None:
    """Keep the books until told to stop; a lost database is waited for."""
    stop = stop or threading.Event()
    rules = rules_of(settings)
    warm_apart()
    library = load_library()
    pause = 0.0
    while not stop.wait(pause):
        try:
            with connect(settings.database, "carbonmeter accounting") as connection:
                pause = 0.5
                _keep(connection, library, rules, settings, stop)
        except (Unavailable, psycopg.OperationalError) as error:
            FAILURES.inc()
            KEPT_SHARDS.set(0)
            pause = min(max(pause, 0.5) * (1 + random.random()), 10.0)
            log.warning("accounting waits %.1f s for the database: %s", pause, str(error).strip())


def _keep(
    connection: Connection,
    library: FactorLibrary,
    rules: Rules,
    settings: AccountingSettings,
    stop: threading.Event,
) -> None:
    """The loop over one connection; returns when told to stop, raises when the database goes."""
    guard(connection)
    name = settings.name
    if not _take_shards(connection, settings, stop):
        return
    KEPT_SHARDS.set(len(settings.shards))
    accountant = Accountant(connection, library, rules, settings.shards)
    detail = {"rules": rules.version, "shards": list(settings.shards)}
    beaten = validated = 0.0
    while not stop.is_set():
        if time.monotonic() - beaten >= 1.0:
            services.beat(connection, name, ready=True, detail=detail)
            connection.commit()
            beaten = time.monotonic()
        with TICK_SECONDS.time():
            result = accountant.tick()
        pause = VALIDATE_IDLE_S if result is None else VALIDATE_BUSY_S
        if time.monotonic() - validated >= pause:
            more = accountant.validate(time.time_ns() // 1000)
            if result is not None or not more:
                validated = time.monotonic()
        if result is None:
            LAG_SECONDS.set(0)
            if time.monotonic() - validated < VALIDATE_IDLE_S:
                stop.wait(settings.idle_s)
            continue
        BATCHES.inc(result.batches)
        READINGS.inc(result.readings)
        ENTRIES.inc(result.entries)
        SUPERSEDED.inc(result.superseded)
        if result.committed_us:
            LAG_SECONDS.set(max(0.0, time.time() - result.committed_us / 1e6))
    services.leave(connection, name)
    connection.commit()


def _take_shards(connection: Connection, settings: AccountingSettings, stop: threading.Event) -> bool:
    """Take the shards of this worker, waiting for whoever keeps one of them; False when told to stop meanwhile.

    They are held as long as the connection lives: two workers of one shard would undo each other's cursor. All take
    theirs in ascending order, so that no two wait for each other.
    """
    for shard in settings.shards:
        waits = False
        while not take_shard(connection, shard):
            if not waits:
                log.warning("%s waits for shard %d, whose books another process keeps", settings.name, shard)
                waits = True
            services.beat(connection, settings.name, ready=False, detail={"waits_for_shard": shard})
            connection.commit()
            if stop.wait(1.0):
                services.leave(connection, settings.name)
                connection.commit()
                return False
        connection.commit()
    return True


def rules_of(settings: AccountingSettings) -> Rules:
    """The rules that this process computes by."""
    return Rules(look_ahead_us=settings.look_ahead_us, late_us=settings.late_us)
