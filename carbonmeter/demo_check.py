"""`carbonmeter demo --check`: a bounded run in a place of its own that ends by verifying the promises.

The real year and a few days of the park, with every fault the simulators know, go through the whole path: gateways,
MQTT, ingest, the log, accounting, the API. Meanwhile the accounts are watched. Then everything is compared with
something that was computed apart: rows with accounts, the ledger with one computed from the same readings in another
order in another database, entries with what the meters showed, sums with their parts.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from accounting.factors import load as factors
from accounting.run import Accountant, rules_of
from carbonmeter import audit, demo, demo_truth
from carbonmeter.catalogue import FactorCatalogue
from carbonmeter.check import Check
from carbonmeter.client import Client
from carbonmeter.embedded import EmbeddedDatabase
from carbonmeter.settings import PREFIX, Address, Settings
from domain.clock import SystemClock
from domain.errors import Unavailable
from domain.interval import Calendar, ceil_interval
from domain.ledger import LEDGER_ROW
from domain.reading import Flag
from domain.registry import Registry
from simulators.city import PARK_ENTERPRISES, PLANT_GATEWAY, PLANT_USCC
from simulators.run import Progress, Simulation
from simulators.scene import Scene
from storage import accounts, readings, registry
from storage.consumption import accounted_commit
from storage.database import Connection, connect
from storage.ledger import Batch, Books
from storage.migrate import migrate

PARK_DAYS = 3
FAULTS = ("all", "duplicates=0.1", "outages=2", "spikes=0.005", "stuck=0.3")
ACCOUNTED_S_MAX = 120.0
_LATE = int(Flag.LATE) << 2  # in an interval's packed state


@dataclass(slots=True)
class Outcome:
    """What a check found, and how long its parts took."""

    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    readings: int = 0
    plant: dict[str, Any] = field(default_factory=dict)  # the real plant's year as the API says it

    @property
    def holds(self) -> bool:
        return all(check.faults == 0 for check in self.checks)


class _Watch:
    """Time from one mark to the next."""

    def __init__(self, outcome: Outcome, tell: Callable[[str], None]) -> None:
        self._outcome, self._tell = outcome, tell
        self._began = time.monotonic()

    def mark(self, name: str) -> None:
        now = time.monotonic()
        self._outcome.seconds[name] = round(now - self._began, 2)
        self._tell(f"{name}: {now - self._began:.1f} s")
        self._began = now


def run(say: Callable[[str], None], tell: Callable[[str], None], stop: threading.Event) -> Outcome:
    outcome = Outcome()
    watch = _Watch(outcome, say)
    # Nothing of this machine's settings: the check is of the program.
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="carbonmeter-check-") as place:
        anywhere = Address("127.0.0.1", 0)
        settings = demo.addresses(Settings(home=Path(place) / "home", mqtt=anywhere, http=anywhere), say)
        os.environ[PREFIX + "LOG_LEVEL"] = "warning"

        def make_scene() -> Scene:
            return Scene.beginning(SystemClock().now_us(), days=PARK_DAYS, plant=True, seed=1, faults=FAULTS)

        with demo.serving(settings, make_scene, say, stop) as server:
            watch.mark("ready")
            until_us = SystemClock().now_us()
            with _OtherOrder(Path(place) / "other", server.scene) as other:
                simulation = server.simulation()
                balance = _pushed(server, simulation, until_us, tell, stop)
                outcome.readings = sum(gateway.tally.readings for gateway in simulation.gateways)
                watch.mark("pushed")
                _wait_until_accounted(server, tell, stop)
                watch.mark("accounted")
                outcome.checks += [balance, _as_put(server.client(), simulation)]
                year = Calendar(settings.zone_offset_us).local(until_us).year
                server.client().post_report(PLANT_USCC, {"year": year, "why": "the check of the demo"})
                url, own = server.database_url, settings.accounting(server.database_url)
                for check in itertools.chain(
                    audit.run(url, own, tell),
                    other.compare(url, settings),
                    _figures(server, until_us, outcome),
                ):
                    outcome.checks.append(check)
                    tell(f"promise {check.promise}: {check.name}")
                    server.tend()
                    if stop.is_set():
                        raise KeyboardInterrupt
                watch.mark("verified")
    watch.mark("stopped")
    return outcome


def _pushed(
    server: demo.DemoServer,
    simulation: Simulation,
    until_us: int,
    tell: Callable[[str], None],
    stop: threading.Event,
) -> Check:
    """Push everything; look at the accounts all the while."""
    check = Check(1, "received = stored + held + rejected, watched while readings arrive")
    client = server.client()
    state: deque[Progress] = deque(maxlen=1)
    done = threading.Event()

    def push() -> None:
        try:
            simulation.push(until_us, stop, state.append)
        finally:
            done.set()

    simulation.start()
    pushing = threading.Thread(target=push, name="gateways")
    pushing.start()
    try:
        while not done.wait(0.25):
            server.tend()
            for name in _gateways():
                _look(check, client, name)
            if state:
                tell(str(state[0]))
    finally:
        stop_was_set = stop.is_set()
        if not done.is_set():
            stop.set()
        pushing.join()
        simulation.stop()
    if stop_was_set:
        raise KeyboardInterrupt
    for name in _gateways():
        _look(check, client, name)
    return check


def _gateways() -> list[tuple[str, str]]:
    return [(PLANT_USCC, PLANT_GATEWAY)] + [
        (profile.uscc, gateway.id) for profile in PARK_ENTERPRISES for gateway in profile.gateways
    ]


def _account(client: Client, name: tuple[str, str]) -> dict[str, Any]:
    return client.get(f"/v1/gateways/{name[0]}/{name[1]}/account")


def _look(check: Check, client: Client, name: tuple[str, str]) -> None:
    account = _account(client, name)
    check.compared += 1
    if account["received"] != account["stored"] + account["held"] + account["rejected"]:
        check.fault(f"{'/'.join(name)}: {account}")


def _as_put(client: Client, simulation: Simulation) -> Check:
    """The accounts beside what the gateways say they put on their way."""
    check = Check(1, "each reading put is stored, held or rejected; repeats are counted once")
    for gateway, name in zip(simulation.gateways, _gateways(), strict=True):
        account, tally = _account(client, name), gateway.tally
        check.compared += tally.readings
        if account["stored"] - account["duplicates"] != tally.readings:
            distinct = f"{account['stored']} stored less {account['duplicates']} duplicates"
            check.fault(f"{gateway.name}: {distinct}, {tally.readings} were put")
        for word, number in (("held", tally.strangers), ("rejected", tally.garbage)):
            if account[word] < number:
                check.fault(f"{gateway.name}: {account[word]} {word}, {number} were sent")
        if account["conflicts"]:
            check.fault(f"{gateway.name}: {account['conflicts']} conflicts, none was made")
    return check


def _wait_until_accounted(
    server: demo.DemoServer, tell: Callable[[str], None], stop: threading.Event
) -> None:
    deadline = time.monotonic() + ACCOUNTED_S_MAX
    with connect(server.database_url, "carbonmeter demo", autocommit=True) as conn:
        while waiting := Books(conn).batches_after(accounted_commit(conn), 1_000_000):
            server.tend()
            tell(f"accounting: {sum(batch.rows for batch in waiting):,} readings to go")
            if stop.wait(0.1):
                raise KeyboardInterrupt
            if time.monotonic() > deadline:
                raise Unavailable(f"accounting isn't done after {ACCOUNTED_S_MAX:.0f} s")


def _figures(server: demo.DemoServer, until_us: int, outcome: Outcome) -> Iterator[Check]:
    client, scene = server.client(), server.scene
    used = demo_truth.Factors(client, scene.calendar)
    yield from demo_truth.plant(client, scene, used)
    outcome.plant = demo_truth.plant_summary(client, scene, used)
    yield from demo_truth.park(client, scene, used, until_us)
    yield demo_truth.wholes(client, scene, ceil_interval(until_us))


class _OtherOrder:
    """A second database, made ready in the background, that gets the same readings in another order."""

    def __init__(self, home: Path, scene: Scene) -> None:
        self._home, self._scene = home, scene
        self._database = EmbeddedDatabase(home)
        self._error: BaseException | None = None
        self._preparing = threading.Thread(target=self._prepare, name="other database")

    def __enter__(self) -> _OtherOrder:
        self._home.mkdir(parents=True)
        self._preparing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._preparing.join()
        self._database.close()

    def _prepare(self) -> None:
        try:
            self._database.__enter__()
            with connect(self._database.url, "carbonmeter demo") as conn:
                migrate(conn, self._scene.offset_us)
                conn.commit()
                registry.import_document(
                    conn,
                    self._scene.document(),
                    "demo",
                    "the same city",
                    catalogue=FactorCatalogue(factors.load()),
                )
        except BaseException as error:
            self._error = error

    def compare(self, url: str, settings: Settings) -> Iterator[Check]:
        """Feed it the first database's log, shuffled, in pieces of other sizes; compare the ledgers."""
        check = Check(2, "the ledger of the same readings in another order, in another database")
        self._preparing.join()
        if self._error is not None:
            raise self._error
        with (
            connect(url, "carbonmeter demo") as first,
            connect(self._database.url, "carbonmeter demo", autocommit=True) as second,
        ):
            own = settings.accounting(self._database.url)
            accountant = Accountant(second, factors.load(), rules_of(own))
            for piece in _shuffled(first, random.Random(2)):
                _append(first, second, piece)
                while accountant.tick() is not None:
                    pass
            mine, theirs = _ledger(first), _ledger(second)
        for source in sorted(mine.keys() | theirs.keys()):
            check.compared += len(mine.get(source, ()))
            difference = _first_difference(mine.get(source, {}), theirs.get(source, {}))
            if difference is not None:
                check.fault(f"{source}: {difference}")
        yield check


def _batches(conn: Connection) -> Iterator[list[Batch]]:
    commit_no = 0
    while found := Books(conn).batches_after(commit_no, 1_000_000):
        yield found
        commit_no = found[-1].commit_no


def _shuffled(conn: Connection, chance: random.Random) -> list[Any]:
    """The log's rows (LOGGED_READING) in a few pieces of random order."""
    rows = np.concatenate([Books(conn).readings_of(found) for found in _batches(conn)])
    rows = rows[np.random.default_rng(chance.randrange(1 << 30)).permutation(len(rows))]
    cuts = sorted(chance.randrange(len(rows)) for _ in range(2))
    return [piece for piece in np.split(rows, cuts) if len(piece)]


def _append(first: Connection, second: Connection, rows: Any) -> None:
    """Store log rows of one database in the other, as one batch."""
    theirs = _point_ids(registry.load(second))
    channels = {id_: theirs[name] for name, id_ in _point_ids(registry.load(first)).items()}
    names = Books(first).gateway_names(np.unique(rows["gateway"]).tolist())
    pairs = {id_: (name.partition("/")[0], name.partition("/")[2]) for id_, name in names.items()}
    with second.transaction():
        ids = accounts.gateway_ids(second, pairs.values())
        batch_id, version = readings.open_batch(second)
        copied = np.zeros(len(rows), readings.READING_DTYPE)
        for name in ("mantissa", "exponent", "revision", "quality", "flags"):
            copied[name] = rows[name]
        copied["measured_at"] = rows["at"]
        copied["channel_id"] = [channels[id_] for id_ in rows["channel"].tolist()]
        copied["gateway_id"] = [ids[pairs[id_]] for id_ in rows["gateway"].tolist()]
        copied["batch_id"] = batch_id
        readings.copy_rows(second, copied)
        deltas = {
            int(id_): readings.Delta(int(count), int(count))
            for id_, count in zip(*np.unique(copied["gateway_id"], return_counts=True), strict=True)
        }
        readings.insert_batch(second, batch_id, "arrival", None, version, copied["measured_at"], deltas)


def _point_ids(known: Registry) -> dict[tuple[str, str], int]:
    return {
        (uscc, name): point.id
        for uscc, enterprise in known.enterprises.items()
        for name, point in enterprise.points.items()
    }


_ARRIVAL = ("source_id", "factor_id", "run_ids", "cause_ids")  # ids and what tells of arrival
_Days = dict[tuple[int, int], Any]  # (day, series) -> LEDGER_ROW


def _ledger(conn: Connection) -> dict[str, _Days]:
    """Each source's days as they stand; flag late tells of arrival and is taken off."""
    result: dict[str, _Days] = {}
    books = Books(conn)
    for uscc, enterprise in registry.load(conn).enterprises.items():
        for source in enterprise.sources.values():
            bounds = books.source_bounds([source.id])
            if source.id not in bounds:
                continue
            first, last = bounds[source.id]
            rows = books.ledger([source.id], [first], [last])
            rows["states"] &= ~_LATE
            rows["flags"] &= ~int(Flag.LATE)
            result[f"{uscc} {source.code}"] = {(int(row["day"]), int(row["series"])): row for row in rows}
    conn.commit()
    return result


def _first_difference(mine: _Days, theirs: _Days) -> str | None:
    """Where two ledgers of a source differ first; None where they are the same to the bit."""
    for key in sorted(mine.keys() | theirs.keys()):
        where = f"day {key[0]}, series {key[1]}"
        if key not in mine or key not in theirs:
            return f"{where} is only in {'the first' if key in mine else 'the second'}"
        for name in LEDGER_ROW.names or ():
            one, other = mine[key][name], theirs[key][name]
            if name not in _ARRIVAL and not np.array_equal(one, other):
                place = np.flatnonzero(np.atleast_1d(one != other))[0]
                return (
                    f"{where}, {name}[{place}]: {np.atleast_1d(one)[place]} and {np.atleast_1d(other)[place]}"
                )
    return None
