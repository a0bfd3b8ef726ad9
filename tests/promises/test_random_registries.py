"""Promises 2, 4 and 5 over random registries, corrections and histories: one ledger by every path, and its past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from fractions import Fraction
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounting.channel import Rules
from accounting.factors.load import load as load_library
from accounting.recorded import Written
from accounting.run import Accountant, Shared, recorded_shard
from accounting.work import Cause, TickResult
from api.app import create_app
from api.settings import ApiSettings
from domain.interval import HOUR_US, INTERVAL_US
from domain.reading import Flag, Quality
from storage import keys
from storage.database import Connection
from storage.keys import Scope
from tests.accounting.bed import USCC, Bed
from tests.api.conftest import FixedClock
from tests.independent import derivation
from tests.promises.random_registries import DAYS, DEDUCTIONS, IN_THE_MARKET, Step, Works, paths, works
from tests.servers import Database, DatabaseServer

FROM, TO = "2023-03-01T00:00:00+08:00", f"2023-03-{1 + DAYS + 1:02d}T00:00:00+08:00"
CLOCK = FixedClock(datetime.fromisoformat("2023-04-01T00:00:00+08:00"))
LIBRARY = load_library()

# an example is a walk over databases of its own: found, it is told as it was found
WALKED: dict[str, Any] = {
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}

Snapshot = dict[str, list[dict[str, Any]]]


def books_of(conn: Connection) -> tuple[list[Any], list[Any], list[Any]]:
    """Consumption, entries and sums of months, by names, without what tells of arrival."""
    consumption = conn.execute(
        """SELECT e.uscc, p.meter, p.channel, d.day, i, d.amounts[i], d.exponent, d.states[i] & ~256
           FROM consumption_days d JOIN points p ON p.id = d.channel_id JOIN enterprises e ON e.id = p.enterprise_id,
                generate_series(1, 96) AS i
           WHERE d.states[i] & ~256 <> 0 ORDER BY 1, 2, 3, 4, 5"""
    ).fetchall()
    entries = conn.execute(
        """SELECT e.uscc, s.code, d.day, d.series, d.gas, i, d.consumption[i], d.exponent, d.mg[i], d.states[i] & ~256,
                  f.digest
           FROM ledger_days d JOIN sources s ON s.id = d.source_id JOIN enterprises e ON e.id = s.enterprise_id
                LEFT JOIN used_factors f ON f.id = d.factor_id, generate_series(1, 96) AS i
           WHERE d.states[i] & 3 <> 0 ORDER BY 1, 2, 3, 4, 5, 6"""
    ).fetchall()
    months = conn.execute(
        """SELECT e.uscc, s.code, m.month, m.series, m.gas, m.mg_sum, m.known, m.measured, m.interpolated, m.estimated
           FROM ledger_months m JOIN sources s ON s.id = m.source_id JOIN enterprises e ON e.id = s.enterprise_id
           WHERE m.known > 0 ORDER BY 1, 2, 3, 4, 5"""
    ).fetchall()
    conn.commit()
    return consumption, entries, months


def answers(client: TestClient, as_of: str | None = None) -> Snapshot:
    """What the API knows of the whole range, by source and in total, in both boundaries.

    Without coverage, which is of what today's registry expects, whatever moment the books are read as of.
    """
    result: Snapshot = {}
    for by, granularity in (("source", "day"), ("total", "hour"), ("scope", "day"), ("gas", "day")):
        for boundary in ("account", "ets"):
            asked = {"from": FROM, "to": TO, "by": by, "granularity": granularity, "boundary": boundary}
            response = client.get(
                f"/v1/enterprises/{USCC}/emissions", params={**asked, **({"as_of": as_of} if as_of else {})}
            )
            assert response.status_code == 200, response.text
            assert response.json()["next"] is None
            result[f"{by} {boundary}"] = [
                {name: value for name, value in item.items() if name != "coverage"}
                for item in response.json()["items"]
                if item["co2e_kg"] is not None
            ]
    return result


def total(items: Sequence[dict[str, Any]]) -> Fraction:
    return sum((Fraction(item["co2e_kg"]) for item in items), Fraction(0))


def test_every_path_leads_to_one_ledger_and_the_past_stays(plain_server: DatabaseServer) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=8, **WALKED)
    @given(its=works(), data=st.data())
    def every_path(its: Works, data: st.DataObject) -> None:
        path = data.draw(paths(its))
        with plain_server.database() as straight, straight.connect() as conn:
            bed = Bed(conn)
            bed.register(its.final)
            bed.store(its.readings)
            bed.tick()
            expected = books_of(conn)
        with plain_server.database() as crooked, crooked.connect() as conn:
            bed = Bed(conn)
            key, _ = keys.create(conn, [Scope.EMISSIONS_READ], [], "")
            app = create_app(ApiSettings(crooked.url, connections_max=2), CLOCK, LIBRARY)
            headers = {"Authorization": f"Bearer {key}"}
            with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
                past = walk(bed, its, path, client)
                assert books_of(conn) == expected
                for as_of, told in past:
                    assert answers(client, as_of) == told
                seen["moments"] += len(past)
                check_sums(its, bed, answers(client))
                check_derivations(its, bed, client)
            count_what_happened(conn, seen)

    every_path()
    # what the promises are about came to pass: nothing above held for want of it
    for name in ("positive", "negative", "superseded", "moments", "LATE", "GAP", "CONFLICT"):
        assert seen[name], (name, seen)
    assert seen["RESET"] + seen["ROLLOVER"] + seen["IMPLAUSIBLE"], seen


def count_what_happened(conn: Connection, seen: Counter[str]) -> None:
    """Count entries that emit and that deduct, those superseded, and the intervals of each flag."""
    for (state,) in conn.execute("SELECT unnest(states) FROM consumption_days").fetchall():
        seen.update(str(flag.name) for flag in Flag(state >> 2))
    rows = conn.execute(
        """SELECT count(*) FILTER (WHERE u.mg > 0), count(*) FILTER (WHERE u.mg < 0)
           FROM ledger_days, unnest(mg, states) AS u (mg, state) WHERE u.state & 3 > 0"""
    ).fetchall()
    seen["positive"] += rows[0][0]
    seen["negative"] += rows[0][1]
    rows = conn.execute(
        "SELECT count(*) FROM ledger_history, unnest(states) AS state WHERE state & 3 > 0"
    ).fetchall()
    seen["superseded"] += rows[0][0]
    conn.commit()


def walk(bed: Bed, its: Works, path: Sequence[Step], client: TestClient) -> list[tuple[str, Snapshot]]:
    """Walk a path; what was told after its steps, by the moment of the last run."""
    past: list[tuple[str, Snapshot]] = []
    bed.register(its.earlier)
    for step in path:
        if step.corrects:
            bed.register(its.final)
        if step.readings:
            bed.store(step.readings)
        if step.accounts:
            bed.tick()
        if step.restates:
            assert bed.accountant is not None
            assert bed.accountant.restate(Cause("rules", None, "tester", "again")).superseded == 0
        if step.asks and step.accounts:
            row = bed.conn.execute("SELECT max(committed_at) FROM runs").fetchone()
            bed.conn.commit()
            if row is not None and row[0] is not None:
                past.append((row[0].isoformat(), answers(client)))
    return past


def check_sums(its: Works, bed: Bed, told: Snapshot) -> None:
    """Every total is the sum of its entries, exactly; what is negative is a deduction or flagged."""
    mg = {"account": 0, "ets": 0}
    for (source, _, _, _), (consumption, entry_mg, state, _) in bed.ledger().items():
        if not state & 3:
            continue
        method = its.methods[source]
        mg["account"] += entry_mg
        mg["ets"] += entry_mg if method in IN_THE_MARKET else 0
        amount = int(consumption.partition("e")[0])
        assert amount >= 0 or Flag(state >> 2) & Flag.NEGATIVE, (source, consumption, Quality(state & 3))
        assert entry_mg * amount * (-1 if method in DEDUCTIONS else 1) >= 0, (source, consumption, entry_mg)
    for boundary, sum_mg in mg.items():
        for by in ("source", "total", "scope", "gas"):
            assert total(told[f"{by} {boundary}"]) * 1_000_000 == sum_mg, (by, boundary)


def check_derivations(its: Works, bed: Bed, client: TestClient) -> None:
    """Every entry is repeated from the API's derivation alone, and there is none that isn't told there."""

    def get(path: str, parameters: dict[str, Any]) -> Any:
        response = client.get(f"/v1/enterprises/{USCC}/{path}", params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    booked: dict[str, dict[str, int]] = {source: {} for source in its.methods}
    for (source, day, _, interval), (_, mg, state, _) in bed.ledger().items():
        if state & 3:
            at = bed.calendar.text(bed.calendar.day_start(day) + interval * INTERVAL_US)
            booked[source][at] = mg
    for source, entries in booked.items():
        asked = {"source": source, "from": FROM, "to": TO, "limit": 1000}
        assert derivation.repeat(list(derivation.pages(get, "derivation", asked))).mg == entries


SECOND = "91430304XT0000022B"  # another works of the same kind
RULES = Rules(look_ahead_us=HOUR_US)


@settings(max_examples=8, **WALKED)
@given(first=works(), second=works(), workers=st.integers(0, 3))
def test_however_many_workers_restate_the_ledger_is_one(
    plain_server: DatabaseServer, first: Works, second: Works, workers: int
) -> None:
    """Under other rules: from the beginning, or restated here, or restated by workers with connections of their own."""

    def fill(bed: Bed) -> None:
        bed.register(first.final, {**second.final, "uscc": SECOND})
        bed.store(first.readings)
        bed.store(second.readings, SECOND)
        bed.tick()

    with plain_server.database() as straight, straight.connect() as conn:
        bed = Bed(conn, Accountant(conn, LIBRARY, RULES))
        fill(bed)
        expected = books_of(conn)
    with plain_server.database() as restated, restated.connect() as conn:
        bed = Bed(conn)
        fill(bed)
        accountant = Accountant(conn, LIBRARY, RULES)
        cause = Cause("rules", None, "tester", "a shorter look ahead")
        if workers:
            accountant.restate(
                cause, distribute=lambda shared, usccs: spread(restated, shared, usccs, workers)
            )
        else:
            accountant.restate(cause)
        assert books_of(conn) == expected


def spread(
    database: Database, shared: Shared, usccs: Sequence[str], workers: int
) -> Generator[tuple[Written, TickResult], None, None]:
    def computed(uscc: str) -> tuple[Written, TickResult]:
        with database.connect() as conn:
            return recorded_shard(conn, LIBRARY, uscc, shared)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(computed, usccs)
