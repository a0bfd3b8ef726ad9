"""What the handlers share: the pool, the clock, the registry as it stands, and what is worked out from it once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Any, TypeVar

import psycopg
from fastapi import Depends, Request
from psycopg_pool import ConnectionPool

from accounting.channel import Rules
from accounting.coverage import ExpectedRange, source_ranges
from accounting.factors.load import FactorLibrary
from accounting.methods.load import Methods
from api.errors import Problem, not_found
from api.operations import Operations
from api.settings import ApiSettings
from domain.clock import Clock
from domain.interval import Calendar
from domain.ledger import shard_of
from domain.registry import Enterprise, Park, Point, Product, Registry, Source
from storage import consumption, database, emissions, keys, ledger
from storage import registry as registry_storage
from storage.database import Connection, Mode, connection_arguments
from storage.keys import Key

Pool = ConnectionPool[psycopg.Connection[tuple[Any, ...]]]
T = TypeVar("T")
KEYS_MAX = 10_000
ACCOUNTING_WAIT_S_MAX = 2.0
ACCOUNTING_LOOK_S = 0.01
INVALID_TOKEN = 'Bearer realm="carbonmeter", error="invalid_token"'
PREPARED_MAX = 20_000  # things worked out from a registry and kept: names come from outside


def open_pool(settings: ApiSettings) -> Pool:
    """Connections in autocommit: a session begins its own transaction (`Context.session`)."""
    arguments = connection_arguments(settings.database, "carbonmeter api")
    conninfo = arguments.pop("conninfo")
    return ConnectionPool(
        conninfo,
        kwargs={**arguments, "autocommit": True},
        min_size=min(2, settings.connections_max),
        max_size=settings.connections_max,
        timeout=settings.connection_wait_s_max,
        open=False,
        name="api",
    )


class Known:
    """A registry, and what follows from it: worked out when first asked for, shared by all requests."""

    def __init__(self, registry: Registry, calendar: Calendar, methods: Methods) -> None:
        self.registry = registry
        self.calendar = calendar
        self._methods = methods
        self._ranges: dict[str, list[ExpectedRange]] = {}
        self._prepared: dict[tuple[object, ...], Any] = {}
        self.sources: dict[int, Source] = {
            source.id: source
            for enterprise in registry.enterprises.values()
            for source in enterprise.sources.values()
        }

    def prepared(self, name: tuple[object, ...], prepare: Callable[[], T]) -> T:
        """What `prepare` makes, kept under a name as long as this registry is in force."""
        found: T | None = self._prepared.get(name)
        if found is None:
            # Two requests at once may both make it: the same twice.
            if len(self._prepared) >= PREPARED_MAX:
                self._prepared.clear()
            found = self._prepared[name] = prepare()
        return found

    def expected(self, enterprise: Enterprise) -> list[ExpectedRange]:
        """When each source of an enterprise is expected to be known."""
        ranges = self._ranges.get(enterprise.uscc)
        if ranges is None:
            ranges = [
                each
                for _, source in sorted(enterprise.sources.items())
                for each in source_ranges(enterprise, source, self.calendar, self._methods)
            ]
            self._ranges[enterprise.uscc] = ranges
        return ranges


@dataclass(slots=True)
class Session:
    """One request's look at the database, of one moment, with the registry of that moment."""

    conn: Connection
    known: Known
    now_us: int
    context: Context

    @property
    def registry(self) -> Registry:
        return self.known.registry

    @property
    def calendar(self) -> Calendar:
        return self.known.calendar

    def text(self, us: int) -> str:
        return self.known.calendar.text(us)

    def enterprise(self, uscc: str) -> Enterprise:
        enterprise = self.registry.enterprises.get(uscc)
        if enterprise is None:
            raise not_found("uscc", f"no enterprise {uscc[:64]!r} is registered")
        return enterprise

    def park(self, code: str) -> Park:
        park = self.registry.parks.get(code)
        if park is None:
            raise not_found("code", f"no park {code[:64]!r} is registered")
        return park

    def point(self, enterprise: Enterprise, name: str) -> Point:
        point = enterprise.points.get(name)
        if point is None:
            raise not_found("channel", f"enterprise {enterprise.uscc} has no channel {name!r}")
        return point

    def source(self, enterprise: Enterprise, code: str) -> Source:
        source = enterprise.sources.get(code)
        if source is None:
            raise not_found("source", f"enterprise {enterprise.uscc} has no source {code[:64]!r}")
        return source

    def product(self, enterprise: Enterprise, code: str) -> Product:
        product = enterprise.products.get(code)
        if product is None:
            raise not_found("product", f"enterprise {enterprise.uscc} has no product {code[:64]!r}")
        return product

    def runs(self, as_of_us: int | None) -> emissions.Runs | None:
        """The runs that a moment means, one a shard; None: now. The session was begun with that moment."""
        return None if as_of_us is None else emissions.runs_at(self.conn, as_of_us)

    def run(self, as_of_us: int | None, enterprise: Enterprise) -> int | None:
        """The run that a moment means for an enterprise; None: now."""
        runs = self.runs(as_of_us)
        return None if runs is None else runs[shard_of(enterprise.id)]

    def factor_sets(self, factor_ids: set[int]) -> dict[int, str]:
        return self.context.factor_sets(self.conn, factor_ids)


class Context:
    """One a process. Everything in it may be used by many requests at once."""

    def __init__(
        self,
        settings: ApiSettings,
        pool: Pool,
        clock: Clock,
        library: FactorLibrary,
        operations: Operations | None = None,
    ) -> None:
        self.settings = settings
        self.pool = pool
        self.clock = clock
        self.library = library
        self.operations = operations
        self.rules = Rules(look_ahead_us=settings.look_ahead_us)
        self.version = _version()
        self.mode: Mode | None = None  # known once the database has been asked: it never changes
        self._known: Known | None = None
        self._lock = threading.Lock()
        self._factor_sets: dict[int, str] = {}
        self._keys: dict[bytes, Key] = {}  # by SHA-256 of their text

    @contextmanager
    def session(self, key: Key | None, as_of_us: int | None = None) -> Iterator[Session]:
        """One request's look at the database. `key`: the one that it came with, checked once more: it may have been
        revoked since it was last looked up.

        All of it is one transaction that reads one snapshot; what begins it is one round trip, and one more where the
        books are read as of a moment: runs with an earlier one than that are in the snapshot, now and ever.
        """
        with self.pool.connection() as conn:
            if as_of_us is not None:
                ledger.let_runs_end(conn)
            version, is_revoked = keys.begin_snapshot(conn, key)
            if key is not None and is_revoked:
                self.forget(key)
                raise Problem(
                    401, "this key is unknown or revoked", headers={"WWW-Authenticate": INVALID_TOKEN}
                )
            yield Session(conn, self._current(conn, version), self.clock.now_us(), self)

    def wait_for_accounting(self) -> None:
        """Wait, not for long, until accounting has taken in what was committed by now: who has just had a receipt
        finds those readings.
        """
        with self.pool.connection() as conn:
            newest = consumption.newest_commit(conn)
            until = time.monotonic() + ACCOUNTING_WAIT_S_MAX
            while consumption.accounted_commit(conn) < newest and time.monotonic() < until:
                time.sleep(ACCOUNTING_LOOK_S)

    def remembered(self, text: str) -> Key | None:
        """The key that a text is, if it was looked up before; a session checks whether it still holds."""
        return self._keys.get(hashlib.sha256(text.encode()).digest())

    def look_up(self, text: str) -> Key | None:
        """The key that a text is, as the database has it now."""
        with self.pool.connection() as conn:
            key = keys.verify(conn, text)
        if key is not None:
            if len(self._keys) >= KEYS_MAX:
                self._keys.clear()
            self._keys[hashlib.sha256(text.encode()).digest()] = key
        return key

    def forget(self, key: Key) -> None:
        self._keys = {digest: each for digest, each in self._keys.items() if each.id != key.id}

    def mode_of(self, conn: Connection) -> Mode:
        if self.mode is None:
            self.mode = database.mode(conn)
        return self.mode

    def _current(self, conn: Connection, version: int) -> Known:
        """The registry in force in this snapshot, which is of that version."""
        known = self._known
        if known is not None and known.registry.version == version:
            return known
        with self._lock:
            known = self._known
            if known is not None and known.registry.version == version:
                return known
            if known is None:
                registry, calendar = registry_storage.load(conn), registry_storage.calendar(conn)
            else:
                registry, calendar = registry_storage.refresh(conn, known.registry), known.calendar
            fresh = Known(registry, calendar, self.library.methods)
            # A request with an older snapshot may come last: it doesn't turn the others back.
            if known is None or registry.version > known.registry.version:
                self._known = fresh
            return fresh

    def factor_sets(self, conn: Connection, factor_ids: set[int]) -> dict[int, str]:
        """Which factor set each used factor is of; these never change, so they are kept."""
        unknown = factor_ids - self._factor_sets.keys()
        if unknown:
            self._factor_sets = {**self._factor_sets, **emissions.factor_sets(conn, unknown)}
        return self._factor_sets


def _version() -> str:
    try:
        return metadata.version("carbonmeter")
    except metadata.PackageNotFoundError:
        return "0+not-installed"


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


TheContext = Annotated[Context, Depends(_context)]
