"""`bench ingest` once, small: every case gives a row, and what is missing is said in it."""

from __future__ import annotations

import dataclasses

import pytest

from bench import ingest
from bench.bed import Bed, MissingError
from bench.sizes import QUICK_INGEST
from carbonmeter.settings import load
from tests import servers
from tests.conftest import missing

SMALL = dataclasses.replace(QUICK_INGEST, seconds=0.05, idle=20, sustained=0.3)


@pytest.mark.broker
def test_every_case_of_the_common_servers_gives_a_row() -> None:
    if servers.mosquitto_program() is None:
        missing("broker", "no Mosquitto on this machine")
    # Those with servers of their own take their time to start: CI runs them with the command, `bench ingest --quick`.
    cases = [case for case in ingest.CASES if case not in ingest.APART]
    rows = ingest.run(load({}), cases, SMALL)
    assert [row.case for row in rows] == cases
    assert {row.case: row.detail for row in rows if row.value is None} == {}
    by_case = {row.case: row for row in rows}
    assert set(by_case["broker-single"].versus) == {"mq-bridge", "reader", "copy"}
    assert set(by_case["broker-packed"].versus) == {"reader", "copy"}
    assert all(row.rss_mb for row in rows)


def test_without_a_broker_its_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_there(_bed: Bed) -> None:
        raise MissingError("Mosquitto isn't on this machine")

    monkeypatch.setattr(Bed, "broker", none_there)
    rows = ingest.run(load({}), ["broker-single", "accounting-single-lag"], SMALL)
    single, lag = rows
    assert single.value is None
    assert "Mosquitto isn't on this machine" in single.detail
    assert lag.value is None
    assert "Mosquitto isn't on this machine" in lag.detail
    assert not any(row.has_failed for row in rows)
