"""What the handlers share: the pool, the clock, the registry as it stands, and what is worked out from it once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
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
from api.asked import Asked, Read, current
from api.errors import Problem, not_found
from api.limits import Rates
from api.operations import Operations
from api.settings import ApiSettings, RowSecurity
from api.sight import EVERYTHING, Sight, days_of, period_of, sight_of, sight_of_bank
from domain.access import Part, Role
from domain.clock import Clock
from domain.interval import Calendar, from_us
from domain.ledger import shard_of
from domain.registry import Enterprise, Park, Point, Product, Registry, Source
from storage import consents, consumption, database, emissions, keys, ledger, row_security, sessions
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
    """One request's look at the database, of one moment, with the registry of that moment.

    Whatever is of an enterprise is asked for through `enterprise`, or, in lists, filtered by `may_read` and told of by
    `shown`: so it is read by right, and logged. The rows of others aren't there in the first place, but within
    `everything`.

    sight  what the key may read of
    asked  the request, where there is one: what was read is noted with it
    """

    conn: Connection
    known: Known
    now_us: int
    context: Context
    sight: Sight = EVERYTHING
    asked: Asked | None = None

    @property
    def registry(self) -> Registry:
        return self.known.registry

    @property
    def calendar(self) -> Calendar:
        return self.known.calendar

    def text(self, us: int) -> str:
        return self.known.calendar.text(us)

    def enterprise(
        self,
        uscc: str,
        *,
        period: tuple[int, int] | None = None,
        unknown: Problem | None = None,
    ) -> Enterprise:
        """The enterprise, which this key may read of. Problem 404 where it isn't registered and, in the same words,
        where the key may not read of it; 403 where a consent is there and isn't for this.

        period   [µs] that is read of, where the request's parameters don't say it
        unknown  what is raised in place of that 404, where the enterprise was named in another way
        """
        enterprise = self.registry.enterprises.get(uscc)
        if enterprise is None:
            raise unknown or self._no_enterprise(uscc)
        part, period = self._part, period or self._period()
        basis = None
        if self.sight.sees(enterprise, part):
            basis = self.sight.basis_for(uscc, part, days_of(period, self.calendar))
        self._note(uscc, period, basis or "none")
        if basis is None and self.sight.sees(enterprise, part):
            raise Problem(
                403, f"no consent of {uscc} that is valid now is for this part and all of this period"
            )
        if basis is None:
            raise unknown or self._no_enterprise(uscc)
        return enterprise

    def may_read(self, uscc: str, *, period: tuple[int, int] | None = None) -> bool:
        """Whether an enterprise may stand in a list; what is then given out is told to `shown`."""
        enterprise = self.registry.enterprises.get(uscc)
        if enterprise is None:
            return self.sight.enterprise_ids is None
        if not self.sight.sees(enterprise, self._part):
            return False
        days = days_of(period or self._period(), self.calendar)
        return self.sight.basis_for(uscc, self._part, days) is not None

    def readable(self) -> list[str] | None:
        """Those that may stand in a list, for what the database lists; None: all of them."""
        if self.sight.enterprise_ids is None:
            return None
        return [uscc for uscc in self.registry.enterprises if self.may_read(uscc)]

    def shown(self, usccs: Iterable[str], *, period: tuple[int, int] | None = None, what: str = "") -> None:
        """Note that a list gives out something of these, which `may_read` has let through.

        what  it is of each of them, where the request's parameters don't say it
        """
        period = period or self._period()
        days = days_of(period, self.calendar)
        for uscc in dict.fromkeys(usccs):
            if uscc in self.registry.enterprises:
                self._note(uscc, period, self.sight.basis_for(uscc, self._part, days) or "none", what)

    @contextmanager
    def everything(self) -> Iterator[None]:
        """See the rows of all enterprises for a while: for sums over them, or what is public of them. What is given
        out of it is up to the caller (`api/suppression.py`).
        """
        if self.sight.enterprise_ids is None:
            yield
            return
        secured = self.context.is_secured(self.conn)
        sessions.enter(self.conn, sessions.EVERYBODY, secured=secured)
        yield  # where it fails the transaction ends, and with it what it sees
        sessions.enter(self.conn, self.sight.tenant, secured=secured)

    @property
    def _part(self) -> Part | None:
        return None if self.asked is None or self.asked.row is None else self.asked.row.part

    def _period(self) -> tuple[int, int] | None:
        return None if self.asked is None else period_of(self.asked, self.calendar, self.now_us)

    def _note(self, uscc: str, period: tuple[int, int] | None, basis: str, what: str = "") -> None:
        if self.asked is not None:
            self.asked.reads.append(Read(uscc, self._part, what or self.asked.object, period, basis))

    def _no_enterprise(self, uscc: str) -> Problem:
        readable = "" if self.sight.enterprise_ids is None else " that this key may read"
        return not_found("uscc", f"no enterprise {uscc[:64]!r} is registered{readable}")

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
        self._is_secured: bool | None = None
        self.rates = Rates()

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
            secured, known = self.is_secured(conn), self._known
            # What may be read follows from the registry, which mostly is the one that is known.
            sight = None if known is None else self._sight(key, known)
            version, is_revoked = sessions.begin(
                conn, key, None if sight is None else sight.tenant, secured=secured
            )
            if key is not None and is_revoked:
                self.forget(key)
                raise Problem(
                    401, "this key is unknown or revoked", headers={"WWW-Authenticate": INVALID_TOKEN}
                )
            if known is None or sight is None or known.registry.version != version:
                if sight is not None:
                    sessions.leave(conn, secured=secured)
                known = self._current(conn, version)
                sight = self._sight(key, known) or self._sight_of_bank(conn, key, known)
                sessions.enter(conn, sight.tenant, secured=secured)
            yield Session(conn, known, self.clock.now_us(), self, sight, current())

    def _sight(self, key: Key | None, known: Known) -> Sight | None:
        """What a key may read of; None: that isn't a matter of the registry alone."""
        if key is None or key.role is None:
            return EVERYTHING
        if key.role is Role.BANK:
            return None
        today = known.calendar.day(self.clock.now_us())
        name = ("sight", key.role, key.tenant, key.basis, today)
        return known.prepared(name, lambda: sight_of(key, known.registry, today))

    def _sight_of_bank(self, conn: Connection, key: Key | None, known: Known) -> Sight:
        """What a bank may read of, by the consents of this snapshot."""
        assert key is not None
        (consumer,) = key.tenant
        return sight_of_bank(consumer, consents.given_to(conn, consumer), known.registry)

    def is_secured(self, conn: Connection) -> bool:
        """Whether sessions go on as the role of row-level security; asked once, before anything is read."""
        if self._is_secured is None:
            self._is_secured = self.settings.row_security is not RowSecurity.OFF and row_security.is_in_force(
                conn
            )
        return self._is_secured

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
        key = self._keys.get(hashlib.sha256(text.encode()).digest())
        if key is not None and key.expires_at is not None and key.expires_at <= from_us(self.clock.now_us()):
            return None
        return key

    def look_up(self, text: str) -> Key | None:
        """The key that a text is, or that it stands for as a token, as the database has it now."""
        with self.pool.connection() as conn:
            key = keys.verify(conn, text) or keys.verify_token(conn, text)
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
