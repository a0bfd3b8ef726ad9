"""New readings that come in order take a way of their own: the books are those of the other way, bit for bit."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numba
import pytest
from hypothesis import HealthCheck, given, settings

from accounting import plain_sources
from accounting.kernels import merge, warm
from accounting.work import Memory
from domain.interval import DAY_US, INTERVAL_US
from domain.reading import Flag
from tests.accounting.bed import REGISTER, T0, Bed, Sent, enterprise
from tests.servers import DatabaseServer

TABLES = {
    "channel_days": "channel_id, day, chunk",
    "consumption_days": "channel_id, day",
    "consumption_history": "channel_id, day, superseded_by",
    "ledger_days": "source_id, day, series",
    "ledger_history": "source_id, day, series, superseded_by",
    "ledger_months": "source_id, month, series",
    "gateway_tallies": "gateway_id, channel_id",
}
DELTA = {
    "id": "kwh",
    "quantity": "electricity_import",
    "kind": "delta",
    "unit": "kWh",
    "resolution": "0.1",
    "period": "PT15M",
    "valid_from": "2023-01-01T00:00:00+08:00",
}
DAILY = {**DELTA, "period": "P1D"}
RATE = {
    "id": "kw",
    "quantity": "electricity_import",
    "kind": "rate",
    "unit": "kW",
    "resolution": "0.1",
    "max_gap": "PT1H",
    "valid_from": "2023-01-01T00:00:00+08:00",
}
OLD = {**REGISTER, "valid_to": "2023-03-02T06:10:00+08:00", "closing": "5000"}
NEW = {**REGISTER, "valid_from": "2023-03-02T06:10:00+08:00", "opening": "10"}
WORKS = enterprise(
    {
        "E-01": [{**REGISTER, "modulus": "100000"}],
        "E-02": [DELTA],
        "E-03": [RATE],
        "E-04": [OLD, NEW],
        "E-05": [DAILY],
        "G-01": [{**REGISTER, "id": "gas_nm3", "quantity": "natural_gas", "unit": "nm3"}],
    },
    [
        {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh - E-02/kwh"},
        {"id": "line", "method": "purchased_electricity", "expression": "E-03/kw + E-04/kwh"},
        {"id": "hall", "method": "purchased_electricity", "expression": "E-05/kwh"},
        {"id": "twice", "method": "purchased_electricity", "expression": "E-01/kwh + E-03/kw"},
        {"id": "boiler", "method": "fuel_combustion", "fuel": "natural_gas", "expression": "G-01/gas_nm3"},
        {
            "id": "filled",
            "method": "purchased_electricity",
            "expression": "E-02/kwh",
            "substitution": "gap_mean_7d",
        },
    ],
)
POINTS = ("E-01/kwh", "E-02/kwh", "E-03/kw", "E-04/kwh", "E-05/kwh", "G-01/gas_nm3")


@st.composite
def batches(draw: st.DrawFn) -> list[list[Sent]]:
    """Batches whose stamps go on from those of the batch before, with repeats, jumps, falls; some of them late."""
    now_us = dict.fromkeys(POINTS, T0 or 0)
    dial = dict.fromkeys(POINTS, 1000)
    result = []
    for _ in range(draw(st.integers(2, 6))):
        batch: list[Sent] = []
        for point in draw(st.lists(st.sampled_from(POINTS), min_size=1, max_size=6, unique=True)):
            for _ in range(draw(st.integers(1, 5))):
                step = draw(
                    st.sampled_from(
                        (0, 1, INTERVAL_US // 3, INTERVAL_US, 5 * INTERVAL_US, DAY_US, -2 * INTERVAL_US)
                    )
                )
                now_us[point] += step if step >= 0 or draw(st.integers(0, 3)) == 0 else INTERVAL_US
                dial[point] = max(0, dial[point] + draw(st.sampled_from((0, 3, 40, 40, 40, -900, 90_000))))
                batch.append(
                    Sent(
                        now_us[point],
                        f"{dial[point]}.5",
                        point,
                        quality=draw(st.sampled_from((0, 0, 0, 1, 2))),
                        revision=draw(st.sampled_from((0, 0, 0, 1))),
                        gateway=draw(st.sampled_from(("gw1", "gw2"))),
                        flags=draw(st.sampled_from((0, 0, int(Flag.RECEIPT_TIME)))),
                    )
                )
        result.append(draw(st.permutations(batch)) if draw(st.booleans()) else batch)
    return result


def books_of(bed: Bed) -> dict[str, list[Any]]:
    """All rows; factors and causes by what they say, since both ways number them in another order.

    Anchors are left out: the other way looks further back, and may find a later one for a day that it doesn't change.
    """
    factors: dict[int, str] = dict(bed.conn.execute("SELECT id, digest FROM used_factors").fetchall())
    causes = {id_: rest for id_, *rest in bed.conn.execute("SELECT * FROM causes")}
    told = {}
    for table, order in TABLES.items():
        statement = f"SELECT to_jsonb(t) FROM {table} t ORDER BY {order}"
        rows = [row for (row,) in bed.conn.execute(statement)]  # type: ignore[call-overload]
        for row in rows:
            row.pop("anchor_us", None)
            if "factor_id" in row:
                row["factor_id"] = factors.get(row["factor_id"])
            if "factor_ids" in row:
                row["factor_ids"] = sorted(factors.get(id_, "") for id_ in row["factor_ids"])
            if "cause_ids" in row:
                row["cause_ids"] = [causes.get(id_) for id_ in row["cause_ids"]]
        told[table] = rows
    told["causes"] = sorted(causes.values(), key=repr)
    return told


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches())
def test_both_ways_write_the_same(plain_server: DatabaseServer, sent: list[list[Sent]]) -> None:
    told = []
    for remembers in (True, False):
        with (
            pytest.MonkeyPatch.context() as patch,
            plain_server.database() as database,
            database.connect() as conn,
        ):
            if not remembers:
                patch.setattr(plain_sources, "DAYS_MAX", 0)
            bed = Bed(conn)
            bed.register(WORKS)
            for number, batch in enumerate(sent):
                bed.store(batch)
                # what was committed when is the only thing that the clock decides
                conn.execute(
                    "UPDATE batches SET committed_at = timestamptz '2023-03-01T01:00:00+08' + id * interval '3 h'"
                )
                conn.commit()
                if not remembers and number and bed.accountant is not None:
                    bed.accountant._memory = Memory()
                bed.tick()
            told.append(books_of(bed))
            if remembers:
                assert bed.accountant is not None
                assert bed.accountant._memory.plans, "no source was plain"
    for table, rows in told[0].items():
        assert rows == told[1][table], table


def test_what_is_warm_is_what_is_called(plain_server: DatabaseServer) -> None:
    """A kernel that a tick compiles for other types than `warm` did would hold up the first readings."""
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    warm()
    kernels: list[Any] = [value for value in vars(merge).values() if hasattr(value, "signatures")]
    before = {each.__name__: len(each.signatures) for each in kernels}
    assert set(before) >= {
        "merge_consumption",
        "standing_anchors",
        "sum_terms",
        "merge_ledger",
        "sum_ledger_days",
    }
    with plain_server.database() as database, database.connect() as conn:
        bed = Bed(conn)
        bed.register(WORKS)
        for number in range(3):
            bed.store([Sent((T0 or 0) + number * INTERVAL_US, str(1000 + number), "G-01/gas_nm3")])
            bed.tick()
        assert bed.ledger()
    assert {each.__name__: len(each.signatures) for each in kernels} == before
