"""A channel version changed from a moment on: what is recomputed from there is what a recomputation of all gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting.due import changed_since
from domain.interval import INTERVAL_US, TIME_MAX_US, format_time
from domain.registry import Point
from storage import registry
from storage.ledger import Books
from tests.accounting.bed import REGISTER, T0, USCC, Bed, Sent, enterprise
from tests.servers import Database, DatabaseServer

HOUR_US = 4 * INTERVAL_US
BEGINS = T0 - 48 * HOUR_US
KINDS: dict[str, dict[str, Any]] = {
    "register": REGISTER,
    "delta": {
        "id": "kwh",
        "quantity": "electricity_import",
        "kind": "delta",
        "unit": "kWh",
        "multiplier": "1",
        "resolution": "0.01",
        "period": "PT1H",
    },
    "rate": {
        "id": "kwh",
        "quantity": "electricity_import",
        "kind": "rate",
        "unit": "kW",
        "multiplier": "1",
        "resolution": "0.01",
        "max_gap": "PT3H",
    },
}
OTHER = {
    "register": [
        {"multiplier": "2"},
        {"resolution": "0.1"},
        {"max_rate": "60"},
        {"max_gap": "PT9H"},
        {"modulus": "1000"},
        {"opening": "3"},
    ],
    "delta": [{"multiplier": "2"}, {"period": "P1D"}, {"snap": False}],
    "rate": [{"multiplier": "2"}, {"max_gap": "PT9H"}],
}
Versions = dict[int, dict[str, Any]]  # by their beginning [µs]


def document(versions: Versions) -> dict[str, Any]:
    channels = []
    for begins, version in sorted(versions.items()):
        ends = min((other for other in versions if other > begins), default=None)
        channels.append(
            {
                **version,
                "valid_from": format_time(begins),
                "valid_to": None if ends is None else format_time(ends),
            }
        )
    return enterprise(
        {"E-01": channels}, [{"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}]
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Versions], list[Sent], list[Sent]]:
    """Registered versions step by step, readings before the changes, readings after them."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    versions: Versions = {BEGINS: KINDS[kind]}
    steps = [versions]
    for _ in range(draw(st.integers(1, 3))):
        versions = dict(versions)
        other = draw(st.sampled_from(OTHER[kind]))
        if draw(st.booleans()):
            cut = T0 + draw(st.integers(1, 140)) * HOUR_US + draw(st.sampled_from([0, 7 * 60_000_000]))
            owner = max(begins for begins in versions if begins <= cut)
            versions[cut] = {**{k: v for k, v in versions[owner].items() if k != "opening"}, **other}
        else:
            begins = draw(st.sampled_from(sorted(versions)))
            versions[begins] = versions[begins] | {k: v for k, v in other.items() if k != "opening"}
        steps.append(versions)
    readings = []
    at, count = T0, 50_000
    for step in draw(
        st.lists(st.sampled_from([0, 10, 300, 2_000, -30, -49_000, 48_000]), min_size=10, max_size=40)
    ):
        at += draw(st.sampled_from([1, 1, 2, 8, 40])) * HOUR_US // 2
        count = max(0, count + step)
        value = count / 100
        gateway = draw(st.sampled_from(["gw1", "gw2"]))
        readings.append(Sent(at, value, quality=draw(st.sampled_from([0, 0, 0, 1])), gateway=gateway))
        if draw(st.integers(0, 7)) == 0:
            readings.append(Sent(at, value + draw(st.sampled_from([0, 0.004, 5])), gateway="gw2"))
    late = [reading for reading in readings if draw(st.integers(0, 5)) == 0]
    return steps, [reading for reading in readings if reading not in late], late


def outcome(bed: Bed) -> tuple[Any, ...]:
    tallies = bed.conn.execute(
        """SELECT g.gateway, t.duplicates, t.conflicts FROM gateway_tallies t JOIN gateways g ON g.id = t.gateway_id
           WHERE t.duplicates <> 0 OR t.conflicts <> 0 ORDER BY 1"""
    ).fetchall()
    found = bed.consumption(), bed.ledger(), bed.months(), tallies
    bed.conn.commit()
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories())
def test_a_version_from_a_moment_on_gives_what_all_of_it_gives(
    plain_server: DatabaseServer, history: tuple[list[Versions], list[Sent], list[Sent]]
) -> None:
    steps, first, late = history
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(document(steps[0]))
        bed.store(first)
        bed.tick()
        for versions in steps[1:]:
            bed.register(document(versions))
            bed.tick()
        changed = outcome(bed)
        if late:  # computed from the anchors that the changes have left
            bed.store(late)
            bed.tick()
        after = outcome(bed)
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(document(steps[-1]))
        bed.store(first)
        bed.tick()
        assert outcome(bed) == changed
        if late:
            bed.store(late)
            bed.tick()
        assert outcome(bed) == after


def _point(database: Database, versions: Versions) -> Point:
    with database.connect() as conn:
        Bed(conn).register(document(versions))
        return registry.load(conn).enterprises[USCC].points["E-01/kwh"]


def test_the_first_moment_at_which_versions_differ(plain_database: Database) -> None:
    one = _point(plain_database, {BEGINS: REGISTER})
    two = _point(plain_database, {BEGINS: REGISTER, T0: {**REGISTER, "multiplier": "2"}})
    three = _point(plain_database, {BEGINS: REGISTER, T0: {**REGISTER, "multiplier": "20"}})
    assert changed_since(one, one) == TIME_MAX_US
    assert changed_since(one, two) == T0
    assert changed_since(two, one) == T0
    # 20 counts of 0.01 hold in 10^-2 as well
    assert changed_since(two, three) == (T0 if two.exponent == three.exponent else None)
    finer = _point(plain_database, {BEGINS: REGISTER, T0: {**REGISTER, "resolution": "0.001"}})
    assert changed_since(three, finer) is None


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_version_from_yesterday_leaves_the_years_before_alone(
    plain_database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    with plain_database.connect() as conn:
        bed = Bed(conn)
        versions = {BEGINS: KINDS[kind]}
        bed.register(document(versions))
        bed.store([Sent(T0 + number * HOUR_US, 100 + number) for number in range(24 * 60)])
        bed.tick()
        chunks = Books.chunks
        monkeypatch.setattr(
            Books, "chunks", lambda self, *wants: [read.append(c.day) or c for c in chunks(self, *wants)]
        )
        bed.register(document({**versions, T0 + 24 * 58 * HOUR_US: {**KINDS[kind], "multiplier": "2"}}))
        bed.tick()
    assert read
    assert len(set(read)) < 6
