"""The demo: a whole server of its own, the demo city registered, its gateways pushing. No other set-up.

Under the data directory lie the embedded database, the key that the demo prints and, in `demo/`, the scene with the
spools of its gateways: started again, everything goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from accounting.factors import load as factors
from accounting.grades.inputs import month_number
from accounting.grades.statements import FIGURE, key_of
from api import grading
from api.context import Context, open_pool
from api.history import SentFile, import_file
from carbonmeter.catalogue import FactorCatalogue
from carbonmeter.client import Client
from carbonmeter.embedded import EmbeddedDatabase
from carbonmeter.services import NAMES, Supervisor
from carbonmeter.settings import PREFIX, Address, Settings
from carbonmeter.signing_keys import SigningKeys
from domain.clock import SystemClock
from domain.errors import Refused, Unavailable
from domain.interval import Calendar
from simulators.city import PARK_ENTERPRISES, PLANT_USCC
from simulators.figures import figures_of
from simulators.gateway import Link
from simulators.history import FIRST_YEAR, LAST_YEAR, VERIFIED_YEAR, history_csv
from simulators.run import Progress, Simulation
from simulators.scene import Scene
from storage import grades, history, keys, partitions, registry
from storage.database import Connection, connect, guard, versions
from storage.grades import NewStatement
from storage.keys import Scope
from storage.migrate import migrate

PARK_DAYS = 60
# What gateways are like: some repeat, some come late, one has its clock wrong; a meter was exchanged.
FAULTS = (
    "duplicates=0.02",
    "reordering=0.05",
    "outages=1",
    "clock_skew=1",
    "rollovers=1",
    "resets=1",
    "replacements=1",
    "spikes=0.0005",
    "stuck=0.02",
    "garbage=0.001",
    "strangers=0.001",
)
LIVE_EVERY_US = 60_000_000
# The first start of an installation compiles the kernels and keeps them: a minute where the machine is busy.
READY_S_MAX = 300.0


def free_address(wanted: Address, avoid: Address | None = None) -> Address:
    """The wanted address, or another port of the same host where that one is taken."""
    for port in (wanted.port, 0):
        with contextlib.suppress(OSError), socket.socket(_family(wanted.host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((wanted.host, port))
            found = Address(wanted.host, probe.getsockname()[1])
            if found != avoid:
                return found
    raise Refused(f"no port to listen on at {wanted.host}")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@dataclass(slots=True)
class DemoServer:
    """A running server with the scene's enterprises registered. Its thread must live on, and call `tend`."""

    settings: Settings
    scene: Scene
    database_url: str
    key: str
    supervisor: Supervisor

    @property
    def http_url(self) -> str:
        return f"http://{self.settings.http}"

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://{self.settings.mqtt}"

    def client(self) -> Client:
        return Client(self.http_url, self.key)

    def simulation(self) -> Simulation:
        return self.scene.simulation(Link(self.mqtt_url, self.key, folder(self.settings)))

    def tend(self) -> None:
        """Restart a service that has crashed; to be called several times a second."""
        self.supervisor.check()


def folder(settings: Settings) -> Path:
    """Where the scene and the spools are."""
    return settings.home / "demo"


def addresses(settings: Settings, say: Callable[[str], None]) -> Settings:
    """Settings whose addresses can be listened at; `say` hears which had to be changed."""
    wanted = settings.mqtt or Address("127.0.0.1", 1883)
    mqtt = free_address(wanted)
    http = free_address(settings.http, mqtt)
    for name, asked, found in (("MQTT", wanted, mqtt), ("HTTP", settings.http, http)):
        if asked.port not in (0, found.port):
            say(f"{asked} is taken: {name} listens at {found} instead")
    return replace(settings, mqtt=mqtt, http=http)


@contextlib.contextmanager
def serving(
    settings: Settings,
    make_scene: Callable[[], Scene],
    say: Callable[[str], None],
    stop: threading.Event,
    config: str | None = None,
) -> Iterator[DemoServer]:
    """The demo's server, ready, until the context ends; then everything has stopped."""
    settings.home.mkdir(parents=True, exist_ok=True)
    _tell_children(settings)
    with contextlib.ExitStack() as stack:
        if settings.database is None:
            say(f"starting PostgreSQL under {settings.home}")
            embedded = stack.enter_context(EmbeddedDatabase(settings.home))
            url, ensure = embedded.url, embedded.ensure_running
        else:
            url, ensure = settings.database, None
        scene = Scene.load(folder(settings)) or make_scene()
        key = prepare(settings, url, scene, say)
        if scene.city is not None:
            _grade(settings, url, say)
        scene.save(folder(settings))
        supervisor = Supervisor(settings, NAMES, url, config, ensure)
        stack.callback(supervisor.stop)
        stack.callback(say, "stopping")
        supervisor.start()
        deadline = time.monotonic() + READY_S_MAX
        while not supervisor.is_ready():
            if stop.wait(0.1):
                raise KeyboardInterrupt
            supervisor.check()
            if time.monotonic() > deadline:
                raise Unavailable(f"the services aren't ready after {READY_S_MAX:.0f} s")
        yield DemoServer(settings, scene, url, key, supervisor)


def _tell_children(settings: Settings) -> None:
    """Services read their settings from the environment."""
    os.environ[PREFIX + "MQTT"] = str(settings.mqtt)
    os.environ[PREFIX + "HTTP"] = str(settings.http)
    os.environ.setdefault(PREFIX + "LOG_LEVEL", "warning")  # the demo's own lines are to be seen


def prepare(settings: Settings, url: str, scene: Scene, say: Callable[[str], None]) -> str:
    """Migrate, register the city, make the demo's key or find it again; returns the key."""
    with connect(url, "carbonmeter demo") as conn:
        for fault in guard(conn, allow_unsafe=settings.allow_unsafe_database):
            say(f"allowed by {PREFIX}ALLOW_UNSAFE_DATABASE: {fault}")
        done = migrate(conn, scene.offset_us)
        conn.commit()
        software = versions(conn)
        say(f"{done.mode} mode, " + ", ".join(f"{name} {version}" for name, version in software.items()))
        imported = registry.import_document(
            conn, scene.document(), "demo", "the demo city", catalogue=FactorCatalogue(factors.load())
        )
        if imported.new:
            counts = imported.new
            say(f"registered the demo city: {counts['enterprise']} enterprises, {counts['channel']} channels")
        conn.commit()
        _bring_history(conn, scene, say)
        _state_figures(conn, scene)
        partitions.keep_ahead(conn, scene.horizon_us)
        conn.commit()
        path = folder(settings) / "key"
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text("utf-8").strip()
            if keys.verify(conn, text) is not None:
                return text
        text, _ = keys.create(conn, [Scope.ADMIN], (), "demo")
        conn.commit()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return text


def _bring_history(conn: Connection, scene: Scene, say: Callable[[str], None]) -> None:
    """The years before the park's meters, by a file such as enterprises send; nothing new where it is in already."""
    if scene.city is None:
        return
    file = SentFile(history_csv(PARK_ENTERPRISES, scene.seed), "demo-2020-2024.csv")
    known, why = registry.load(conn), "the years before the meters"
    done = import_file(conn, known, factors.load(), file, by="demo", why=why, this_year=LAST_YEAR + 1)
    if done.batch is not None:
        say(f"brought in {len(done.years)} years of history, of {FIRST_YEAR} to {LAST_YEAR}")


def _state_figures(conn: Connection, scene: Scene) -> None:
    """The value added of those years, which grades stand on; nothing new where it is stated already."""
    if scene.city is None:
        return
    known = registry.load(conn)
    names = {each.id: each.uscc for each in known.enterprises.values()}
    tonnes: dict[str, dict[int, Fraction]] = {}
    for version in history.in_force(conn):
        amount = Fraction(version.summary["account_tco2e"])
        if amount > 0:
            tonnes.setdefault(names[version.enterprise_id], {})[version.year] = amount
    document = figures_of(tonnes, scene.seed)
    new = [
        NewStatement(known.enterprises[each["uscc"]].id, FIGURE, key_of(FIGURE, figure), figure)
        for each in document["statements"]
        for figure in each["figures"]
    ]
    grades.state(conn, new, "demo", document["why"])
    conn.commit()


def _grade(settings: Settings, url: str, say: Callable[[str], None]) -> None:
    """The annual grades of the last verified year; none new where they are recorded already."""
    with open_pool(settings.api(url)) as pool:
        context = Context(settings.api(url), pool, SystemClock(), factors.load())
        with context.session(None) as session, pool.connection() as conn, conn.transaction():
            month = month_number(VERIFIED_YEAR, 12)
            keys_ = SigningKeys(settings.signing_keys_folder)
            kept, _ = grading.run(session, conn, month, grading.ANNUAL, keys_)
    if kept:
        say(f"graded {kept} enterprises by their verified year {VERIFIED_YEAR}")


def run(
    settings: Settings,
    say: Callable[[str], None],
    tell: Callable[[str], None],
    stop: threading.Event,
    *,
    seed: int = 1,
    days: int = PARK_DAYS,
    config: str | None = None,
) -> None:
    """Serve, push the history as fast as it goes, then live readings, until stopped."""

    def make_scene() -> Scene:
        calendar = Calendar(settings.zone_offset_us)
        now_us = SystemClock().now_us()
        return Scene.beginning(now_us, days=days, plant=True, seed=seed, faults=FAULTS, calendar=calendar)

    with serving(addresses(settings, say), make_scene, say, stop, config) as server:
        say(f"dashboard      {server.http_url}/#key={server.key}")
        say(f"documentation  {server.http_url}/docs")
        say(f"MQTT endpoint  {server.mqtt_url}")
        say(f"key            {server.key}")
        simulation = server.simulation()
        simulation.start()
        failure: list[BaseException] = []

        def push() -> None:
            try:
                _push(simulation, server.scene, server.client(), stop, tell, say)
            except BaseException as error:
                failure.append(error)
                stop.set()

        pushing = threading.Thread(target=push, name="gateways")
        pushing.start()
        try:
            while not stop.wait(0.1):
                server.tend()
        finally:
            stop.set()
            pushing.join()
            simulation.stop()
        if failure:
            raise failure[0]


def _push(
    simulation: Simulation,
    scene: Scene,
    client: Client,
    stop: threading.Event,
    tell: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """What is behind first, then live; `tell` hears each second how it goes, `say` what is done."""
    began = time.monotonic()
    said = 0.0

    def each_second(text: Callable[[], str]) -> None:
        nonlocal said
        if time.monotonic() - said >= 1.0:
            said = time.monotonic()
            tell(text())

    clock = SystemClock()
    if not simulation.push(
        clock.now_us(), stop, lambda progress: each_second(lambda: f"history: {progress}")
    ):
        return
    put = sum(gateway.tally.readings for gateway in simulation.gateways)
    say(f"{put:,} readings pushed and acknowledged in {time.monotonic() - began:.1f} s")
    total = ""
    for total in _plant_totals(client, scene, stop):
        each_second(lambda text=total: f"ledger of the real plant: {text}")  # type: ignore[misc]
    if not stop.is_set():
        say(f"ledger of the real plant's year: {total}, complete after {time.monotonic() - began:.1f} s")
        say("live from now on; Ctrl-C stops, and the same command goes on")
    told = 0

    def live(progress: Progress) -> None:
        nonlocal told
        if progress.put != told:
            told = progress.put
            tell(
                f"live: {progress.put:,} readings since the start, {progress.waiting:,} messages on their way"
            )

    simulation.live(stop, now_us=clock.now_us, every_us=LIVE_EVERY_US, tell=live)


def _plant_totals(client: Client, scene: Scene, stop: threading.Event) -> Iterator[str]:
    """The real plant's emissions in its year as the ledger grows, until all of it is known."""
    assert scene.plant is not None
    calendar = scene.calendar
    while not stop.wait(0.5):
        try:
            answer = client.get(
                f"/v1/enterprises/{PLANT_USCC}/emissions",
                from_=calendar.text(scene.plant.start_us),
                to=calendar.text(scene.plant.end_us),
                granularity="year",
                by="total",
            )
        except Unavailable:  # the API is being restarted
            continue
        items = answer["items"]
        kg = sum(Decimal(item["co2e_kg"] or 0) for item in items)
        yield f"{kg:,.6f} kg CO2e"
        if all(item["coverage"] is not None and Decimal(item["coverage"]) == 1 for item in items):
            return
