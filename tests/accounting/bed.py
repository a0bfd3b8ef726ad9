"""A bed for tests of the books: a registry, readings straight into the log, ticks, and what the ledger then says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accounting.channel import Rules
from accounting.due import all_of
from accounting.factors.load import load as load_library
from accounting.run import Accountant, Restated
from accounting.work import Cause
from domain.interval import INTERVAL_US, Calendar, parse_time
from domain.reading import exact_value
from storage import readings as log
from storage import registry
from storage.database import Connection

USCC = "91430302XT0000014K"
T0 = parse_time("2023-03-01T00:00:00+08:00")
assert T0 is not None

REGISTER: dict[str, Any] = {
    "id": "kwh",
    "quantity": "electricity_import",
    "kind": "register",
    "unit": "kWh",
    "multiplier": "1",
    "resolution": "0.01",
    "max_rate": "1000",
    "max_gap": "PT2H",
    "valid_from": "2023-01-01T00:00:00+08:00",
}


def enterprise(
    meters: dict[str, list[dict[str, Any]]], sources: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """An enterprise of the registry document: channels by meter."""
    return {
        "uscc": USCC,
        "name_zh": "湘潭测试钢铁",
        "name_en": "Test Steel",
        "industry": "steel",
        "district": "430304",
        "gateways": [{"id": "gw1"}, {"id": "gw2"}],
        "meters": [{"id": meter, "name": meter, "channels": channels} for meter, channels in meters.items()],
        "sources": list(sources),
        **more,
    }


def one_register(**channel: Any) -> dict[str, Any]:
    """One register E-01/kwh and the electricity bought through it."""
    return enterprise(
        {"E-01": [{**REGISTER, **channel}]},
        [{"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}],
    )


@dataclass
class Sent:
    """A reading to put into the log."""

    at_us: int
    value: Any
    point: str = "E-01/kwh"
    quality: int = 0
    revision: int = 0
    gateway: str = "gw1"
    flags: int = 0


@dataclass
class Bed:
    conn: Connection
    accountant: Accountant | None = None
    calendar: Calendar = field(default_factory=Calendar)

    def register(self, *enterprises: dict[str, Any], why: str = "test") -> None:
        registry.import_document(self.conn, {"enterprises": list(enterprises)}, "tester", why)
        self.conn.commit()

    def store(self, readings: Iterable[Sent], uscc: str = USCC) -> None:
        """One batch of ingest, committed."""
        sent = list(readings)
        gateways = {name: self._gateway(uscc, name) for name in {reading.gateway for reading in sent}}
        points = registry.load(self.conn).enterprises[uscc].points
        batch_id, version = log.open_batch(self.conn)
        rows = np.zeros(len(sent), log.READING_DTYPE)
        for row, reading in zip(rows, sent, strict=True):
            exact = exact_value(reading.value)
            assert exact is not None
            row["measured_at"], row["batch_id"] = reading.at_us, batch_id
            row["channel_id"], row["gateway_id"] = points[reading.point].id, gateways[reading.gateway]
            row["mantissa"], row["exponent"] = exact
            row["quality"], row["revision"], row["flags"] = reading.quality, reading.revision, reading.flags
        log.copy_rows(self.conn, rows)
        deltas = {
            id_: log.Delta(received=count, stored=count)
            for id_, count in zip(*np.unique(rows["gateway_id"], return_counts=True), strict=True)
        }
        log.insert_batch(self.conn, batch_id, "arrival", None, version, rows["measured_at"], deltas)
        self.conn.commit()

    def _gateway(self, uscc: str, name: str) -> int:
        self.conn.execute(
            "INSERT INTO gateways (uscc, gateway) VALUES (%s, %s) ON CONFLICT DO NOTHING", [uscc, name]
        )
        row = self.conn.execute(
            "SELECT id FROM gateways WHERE uscc = %s AND gateway = %s", [uscc, name]
        ).fetchone()
        assert row is not None
        return int(row[0])

    def tick(self) -> None:
        """Account all that there is."""
        if self.accountant is None:
            self.accountant = Accountant(self.conn, load_library(), Rules())
        while self.accountant.tick() is not None:
            pass

    def rehearse(self) -> Restated:
        """What computing everything again would change."""
        assert self.accountant is not None
        cause = Cause("rules", None, "tester", "rehearsal")
        return self.accountant.rehearse(lambda registry: all_of(registry.enterprises.values(), cause))

    def ledger(self) -> dict[tuple[str, int, int, int], tuple[int, int, int, str]]:
        """The current ledger without what tells of arrival.

        (source, day, series, interval) -> (consumption × 10^exponent as text, mg, state without late, factor digest)
        """
        rows = self.conn.execute(
            """SELECT s.code, d.day, d.series, i - 1, d.consumption[i], d.exponent, d.mg[i], d.states[i] & ~256,
                      f.digest
               FROM ledger_days d JOIN sources s ON s.id = d.source_id
               LEFT JOIN used_factors f ON f.id = d.factor_id, generate_series(1, 96) AS i
               WHERE d.states[i] & 3 <> 0 ORDER BY 1, 2, 3, 4"""
        ).fetchall()
        return {(row[0], row[1], row[2], row[3]): (f"{row[4]}e{row[5]}", *row[6:]) for row in rows}

    def consumption(self) -> dict[tuple[str, int], tuple[int, int, int]]:
        """(point, interval number from T0) -> (amount, exponent, state without late) of all known or flagged ones."""
        rows = self.conn.execute(
            """SELECT p.meter || '/' || p.channel, d.day, i - 1, d.amounts[i], d.exponent, d.states[i] & ~256
               FROM consumption_days d JOIN points p ON p.id = d.channel_id, generate_series(1, 96) AS i
               WHERE d.states[i] & ~256 <> 0"""
        ).fetchall()
        return {
            (row[0], (self.calendar.day_start(row[1]) + row[2] * INTERVAL_US - T0) // INTERVAL_US): (
                row[3],
                row[4],
                row[5],
            )
            for row in rows
        }

    def months(self) -> list[Any]:
        """Sums of months: (source, month, series, mg, known, measured, interpolated, estimated)."""
        return self.conn.execute(
            """SELECT source_id, month, series, mg_sum, known, measured, interpolated, estimated
               FROM ledger_months ORDER BY 1, 2, 3"""
        ).fetchall()
