"""Gateways that read, keep and send: over both client libraries, cut, killed and restarted, nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from carbonmeter.forward import Spool
from domain.interval import DAY_US, Calendar, parse_time
from simulators.aiomqtt_forward import AiomqttForwarder, seq_of
from simulators.city import PARK_ENTERPRISES, City
from simulators.faults import Faults, structure
from simulators.gateway import Link, MeterGroup
from simulators.plant import Plant
from simulators.run import Progress, Simulation, accelerated
from tests.carbonmeter.answering_server import CUT, AnsweringServer

CALENDAR = Calendar()
START_US = CALENDAR.day_start(20_750)
UNTIL_US = START_US + 2 * DAY_US - 1
DAYS = (20_750, 20_751)
CITY = City(7, START_US)
Found = Counter[tuple[str, str, int, float]]


def readings_of(received: list[tuple[str, bytes]]) -> Found:
    """(gateway, channel, ms, value) of all that can be read: a second, careless decoder."""
    found: Found = Counter()
    for topic, payload in received:
        words = topic.split("/")
        gateway = f"{words[2]}/{words[3]}"
        try:
            body = json.loads(payload)
            if words[4] != "readings":
                found[gateway, "/".join(words[4:]), body["at"], body["v"]] += 1
            elif "readings" in body:
                for r in body["readings"]:
                    found[gateway, f"{r['m']}/{r['c']}", _ms(r["at"]), r["v"]] += 1
            elif "values" in body:
                for name, value in body["values"].items():
                    found[gateway, name, _ms(body["at"]), value] += 1
            else:
                for at, name, value in zip(body["at"], body["ch"], body["v"], strict=True):
                    found[gateway, name, _ms(at), value] += 1
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return found


def _ms(at: int | str) -> int:
    if isinstance(at, int):
        return at
    us = parse_time(at, CALENDAR.offset_us)
    if us is None:
        raise ValueError(at)
    return us // 1000


def expected(faults: Faults) -> Found:
    """What the meters showed, straight from their series."""
    found: Found = Counter()
    made = structure(CITY, faults, UNTIL_US)
    for profile in PARK_ENTERPRISES:
        for gateway in profile.gateways:
            meters = MeterGroup(CITY, profile, gateway, faults, made)
            for series in (series for day in DAYS for series in meters.series(day)):
                for row in series.rows():
                    value = row.mantissa / 10**row.decimals
                    found[meters.name, f"{row.meter}/{row.channel}", row.at_us // 1000, value] += 1
    return found


def run_until(simulation: Simulation, until_us: int, stop: threading.Event | None = None) -> bool:
    simulation.start()
    try:
        return simulation.push(until_us, stop or threading.Event())
    finally:
        simulation.stop()


def test_a_park_arrives_whole_over_both_clients_and_all_forms(tmp_path: Path) -> None:
    with AnsweringServer() as server:
        simulation = Simulation(Link(server.url, "cm_key", tmp_path), CITY, horizon_us=UNTIL_US)
        assert run_until(simulation, UNTIL_US)
        assert readings_of(server.received) == expected(Faults())
        assert simulation.waiting == 0
        assert set(server.passwords) == {b"cm_key"}
        put = sum(gateway.tally.readings for gateway in simulation.gateways)
        assert put == sum(readings_of(server.received).values())


def test_every_fault_loses_nothing(tmp_path: Path) -> None:
    faults = Faults(
        duplicates=0.05,
        reordering=0.2,
        outages=3,
        clock_skew=1,
        rollovers=1,
        resets=1,
        replacements=1,
        spikes=0.01,
        stuck=0.5,
        garbage=0.05,
        strangers=0.05,
    )
    with AnsweringServer(lambda n, _topic, _payload: CUT if n % 200 == 199 else 0) as server:
        simulation = Simulation(Link(server.url, None, tmp_path), CITY, faults=faults, horizon_us=UNTIL_US)
        assert run_until(simulation, UNTIL_US)
        found, wanted = readings_of(server.received), expected(faults)
    # beyond the meters' own: garbage that looks like a reading, and strangers
    extra = {key for key in found if key not in wanted}
    assert {name for _, name, _, _ in extra} <= {
        "E-01/import_kwh",
        "E 01/import_kwh",
        *(f"X-{n:02d}/import_kwh" for n in range(100)),
    }
    assert all(found[key] >= count for key, count in wanted.items())
    for kind in ("repeated", "garbage", "strangers"):
        assert sum(getattr(gateway.tally, kind) for gateway in simulation.gateways) > 0


def test_a_stopped_simulation_goes_on_where_it_was(tmp_path: Path) -> None:
    stop = threading.Event()

    def tell(progress: Progress) -> None:
        if progress.done_share >= 0.5:
            stop.set()

    with AnsweringServer() as server:
        first = Simulation(Link(server.url, None, tmp_path), CITY, horizon_us=UNTIL_US)
        first.start()
        assert not first.push(UNTIL_US, stop, tell)
        first.stop()
        second = Simulation(Link(server.url, None, tmp_path), CITY, horizon_us=UNTIL_US)
        assert run_until(second, UNTIL_US)
        found = readings_of(server.received)
    assert set(found) == set(expected(Faults()))
    put = sum(gateway.tally.readings for each in (first, second) for gateway in each.gateways)
    assert put == sum(expected(Faults()).values()), "what was read once isn't read again"


def test_the_plants_year_goes_out_quickly_and_once(tmp_path: Path) -> None:
    plant = Plant(UNTIL_US + 1)
    began = time.monotonic()
    with AnsweringServer() as server:
        simulation = Simulation(Link(server.url, None, tmp_path), plant=plant)
        assert run_until(simulation, plant.end_us)
        again = Simulation(Link(server.url, None, tmp_path), plant=plant)
        assert run_until(again, plant.end_us)
    assert time.monotonic() - began < 30
    found = readings_of(server.received)
    assert len(found) == sum(found.values()) == 35_041
    values = sorted((at, value) for _, _, at, value in found)
    assert round(100 * values[-1][1]) - round(100 * values[0][1]) == 95_963_671


def test_without_its_receipt_a_numbered_message_is_sent_again(tmp_path: Path) -> None:
    lost: set[int] = set()

    def receipt(seq: int) -> bool:
        first = seq not in lost
        lost.add(seq)
        return not first or seq % 2 == 0

    with AnsweringServer(receipt=receipt) as server:
        spool = Spool(tmp_path / "spool.sqlite")
        sender = AiomqttForwarder(
            spool, server.url, client_id="gw", receipts_topic="a/receipts", receipt_timeout_s=0.2
        )
        sender.put_many(
            [("a/readings", b'{"seq": %d}' % seq) for seq in range(10)] + [("a/readings", b"no seq")]
        )
        sender.start()
        assert sender.drain(10)
        sender.stop()
        spool.close()
    repeats = Counter(payload for _, payload in server.received)
    assert [repeats[b'{"seq": %d}' % seq] for seq in range(10)] == [1, 2] * 5
    assert repeats[b"no seq"] == 1
    assert sender.counts.postponed == 5


@pytest.mark.parametrize(
    ("payload", "seq"),
    [
        (b'{"seq": 5, "at": 1}', 5),
        (b"{}", None),
        (b"12.5", None),
        (b"", None),
        (b"[" * 3000, None),
        (b'{"seq": "a"}', None),
    ],
)
def test_the_seq_of_a_payload(payload: bytes, seq: int | None) -> None:
    assert seq_of(payload) == seq


def test_live_reads_as_its_clock_runs(tmp_path: Path) -> None:
    stop = threading.Event()
    seen: list[int] = []

    def tell(progress: Progress) -> None:
        seen.append(progress.put)
        if len(seen) == 3:
            stop.set()

    with AnsweringServer() as server:
        simulation = Simulation(Link(server.url, None, tmp_path), CITY, horizon_us=UNTIL_US)
        simulation.start()
        clock = accelerated(600, START_US)
        simulation.live(stop, now_us=clock, every_us=60_000_000, tell=tell)
        assert all(gateway.sender.drain(10) for gateway in simulation.gateways)
        simulation.stop()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0] > 0
    stamps = {at for _, _, at, _ in readings_of(server.received)}
    assert {at % 60_000 for at in stamps} == {0}
