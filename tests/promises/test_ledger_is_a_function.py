"""Promise 2, over the wire's own forms and a real database: however readings arrive, the ledger is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.interval import INTERVAL_US
from domain.reading import VALUE_BOUND
from ingest.batch import Batch
from ingest.delivery import Chunk, Receipt
from ingest.directory import ClockRules, Directory
from ingest.routes import Routes
from ingest.write import Writer
from simulators import encode
from simulators.encode import Row, StampStyle
from storage import registry
from storage.database import Connection
from tests.accounting.bed import REGISTER, T0, USCC, Bed, enterprise
from tests.servers import Database, DatabaseServer

MINUTE_US = 60_000_000

DOCUMENT = enterprise(
    {
        "E-01": [{**REGISTER, "modulus": "1000"}],
        "E-02": [
            {**REGISTER, "valid_to": "2023-03-01T06:10:00+08:00", "closing": "130.5"},
            {**REGISTER, "valid_from": "2023-03-01T06:10:00+08:00", "opening": "2", "multiplier": "20"},
        ],
        "G-01": [
            {
                "id": "m3",
                "quantity": "natural_gas",
                "kind": "delta",
                "unit": "nm3",
                "multiplier": "1",
                "resolution": "0.1",
                "period": "PT1H",
                "valid_from": "2023-01-01T00:00:00+08:00",
            }
        ],
        "P-01": [
            {
                "id": "kw",
                "quantity": "electricity_export",
                "kind": "rate",
                "unit": "kW",
                "multiplier": "1",
                "resolution": "0.1",
                "max_gap": "PT1H",
                "valid_from": "2023-01-01T00:00:00+08:00",
            }
        ],
    },
    [
        {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh - E-02/kwh"},
        {
            "id": "gas",
            "method": "fuel_combustion",
            "fuel": "natural_gas",
            "expression": "G-01/m3",
            "substitution": "gap_mean_7d",
        },
        {
            "id": "out",
            "method": "exported_electricity",
            "expression": "P-01/kw",
            "substitution": "gap_mean_7d",
        },
        {
            "id": "bought",
            "method": "purchased_electricity",
            "expression": "E-01/kwh",
            "substitution": "electricity_highest_month",
        },
    ],
)


class Nobody:
    """A source that wants no acknowledgement."""

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None: ...


class SetClock:
    """A clock that stands still: readings aren't ahead of it."""

    def now_us(self) -> int:
        return T0 + 400 * 86_400_000_000

    def monotonic(self) -> float:
        return 0.0


def deliver(conn: Connection, connect: Any, messages: Sequence[encode.Message]) -> None:
    """One batch of ingest with these messages."""
    known = registry.load(conn)
    conn.commit()
    batch = Batch(Routes(Directory(known)), ClockRules())
    batch.add(
        Chunk(
            Nobody(),
            "http",
            SetClock().now_us(),
            [message.topic for message in messages],
            [message.payload for message in messages],
            [0] * len(messages),
        )
    )
    writer = Writer(connect, SetClock(), known)
    written = writer.write(batch)
    writer.close()
    assert not written.outcome.rejections


registers = st.lists(
    st.one_of(
        st.integers(0, 30),  # counts on from the last
        st.sampled_from([-400, 5000, 99_000]),  # now and then a fall, a jump, something wild
    ),
    min_size=4,
    max_size=30,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    stretch = draw(st.sampled_from([1, 1, 12]))  # over hours, or over many days
    for meter in ("E-01", "E-02"):
        count = draw(st.integers(0, 90_000))
        at = T0
        for step in draw(registers):
            at += draw(st.sampled_from([5, 15, 15, 15, 40, 300])) * stretch * MINUTE_US
            count = max(0, count + step)
            quality = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
            rows.append(Row(meter, "kwh", at, count, 2, quality))
            if draw(st.integers(0, 9)) == 0:  # a conflict, perhaps settled by a revision
                rows.append(Row(meter, "kwh", at, count + 7, 2, 0, draw(st.sampled_from([0, 1]))))
    for hour in draw(st.lists(st.integers(0, 30), max_size=12)):
        rows.append(Row("G-01", "m3", T0 + hour * stretch * 60 * MINUTE_US, draw(st.integers(-50, 4000)), 1))
    for quarter in draw(st.lists(st.integers(0, 60), max_size=20)):
        rows.append(Row("P-01", "kw", T0 + quarter * stretch * 7 * MINUTE_US, draw(st.integers(0, 900)), 1))
    return rows


def packed(data: st.DataObject, rows: Sequence[Row]) -> list[encode.Message]:
    """The rows as messages of any of the forms."""
    topic = encode.readings_topic(USCC, data.draw(st.sampled_from(["gw1", "gw2"])))
    style = data.draw(st.sampled_from([StampStyle.MILLISECONDS, StampStyle.UTC, StampStyle.OFFSET]))
    form = data.draw(st.sampled_from("ABCS"))
    if form == "A":
        return [encode.Message(topic, encode.form_a(rows, style), len(rows))]
    if form == "C":
        return [encode.Message(topic, encode.form_c(rows, style), len(rows))]
    if form == "B":
        return [encode.Message(topic, encode.form_b([row], style), 1) for row in rows]
    plain = [row for row in rows if not (row.quality or row.revision)]
    marked = [row for row in rows if row.quality or row.revision]
    single = [
        encode.Message(
            encode.channel_topic(USCC, "gw1", row.meter, row.channel), encode.single(row, style), 1
        )
        for row in plain
    ]
    return single + ([encode.Message(topic, encode.form_a(marked, style), len(marked))] if marked else [])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=histories(), data=st.data())
def test_any_split_shuffle_repetition_and_delay_gives_the_same_ledger(
    plain_server: DatabaseServer, rows: list[Row], data: st.DataObject
) -> None:
    with plain_server.database() as straight, straight.connect() as conn:
        bed = Bed(conn)
        bed.register(DOCUMENT)
        deliver(
            conn,
            straight.connect,
            [
                encode.Message(
                    encode.readings_topic(USCC, "gw1"), encode.form_a(rows, StampStyle.UTC), len(rows)
                )
            ],
        )
        bed.tick()
        expected = (bed.consumption(), bed.ledger(), bed.months())
    with plain_server.database() as crooked, crooked.connect() as conn:
        bed = Bed(conn)
        bed.register(DOCUMENT)
        # nearly in order, as gateways send, or in any order at all
        in_order = sorted(rows, key=lambda row: row.at_us)
        left = data.draw(st.one_of(st.just(in_order), st.permutations(rows)))
        left = [*left, *data.draw(st.lists(st.sampled_from(rows), max_size=15))]
        while left:
            size = data.draw(st.integers(1, 20))
            now, left = left[:size], left[size:]
            deliver(conn, crooked.connect, packed(data, now))
            if data.draw(st.booleans()):
                bed.tick()
        bed.tick()
        assert (bed.consumption(), bed.ledger(), bed.months()) == expected


def test_a_whole_amount_is_the_last_boundary_minus_the_first(plain_database: Database) -> None:
    """Energy is conserved through a rollover, a lie and a replacement, however it is spread over intervals."""
    with plain_database.connect() as conn:
        bed = Bed(conn)
        bed.register(DOCUMENT)
        # 990.00 rolls over at 1000 to 4.50; 777.77 in between is a lie, which its return gives away
        dial = [99_000, 99_600, 77_777, 150, 450]
        rows = [Row("E-01", "kwh", T0 + i * INTERVAL_US, count, 2) for i, count in enumerate(dial)]
        deliver(
            conn,
            plain_database.connect,
            [encode.Message(encode.readings_topic(USCC, "gw1"), encode.form_c(rows, StampStyle.UTC), 5)],
        )
        bed.tick()
        amounts = [entry[0] for (point, _), entry in bed.consumption().items() if point == "E-01/kwh"]
        assert sum(amounts) == 1450
        assert max(np.abs(amounts)) < VALUE_BOUND
