"""Deliveries to columns: the typed way and the careful one agree, whatever is sent; nothing raises, nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.interval import format_time, from_us
from domain.reading import REVISION_MAX, as_fraction, exact_value
from ingest.batch import Batch, Outcome, _UnusualError
from ingest.directory import ClockRules, Directory
from ingest.routes import Routes
from tests.ingest.beds import NOW_MS, NOW_US, TOPIC, USCC, Collector, chunk, form_a, judged, reading


class CarefulBatch(Batch):
    """A batch that reads everything reading by reading."""

    def _typed(self, *_: Any) -> None:
        raise _UnusualError


def carefully(directory: Directory, chunks: list[Any]) -> Outcome:
    batch = CarefulBatch(Routes(directory), ClockRules())
    for each in chunks:
        batch.add(each, [None] * len(each.topics))
    return batch.finish(NOW_US)


def told(outcome: Outcome) -> dict[str, Any]:
    """All of an outcome, comparable."""
    return {
        "rows": outcome.rows.tolist(),
        "gateways": [outcome.gateways[number].name for number in outcome.row_gateways],
        "deliveries": outcome.row_deliveries.tolist(),
        "positions": outcome.row_positions.tolist(),
        "holds": sorted(
            (
                hold.delivery,
                hold.meter,
                hold.channel,
                hold.at_us,
                hold.mantissa,
                hold.exponent,
                hold.quality,
                hold.revision,
                hold.flags,
                str(hold.reason),
            )
            for hold in outcome.holds
        ),
        "rejections": sorted(
            (item.delivery, str(item.reason), item.detail, item.positions or [], item.readings)
            for item in outcome.rejections
        ),
        "receipts": [
            (item.seq, item.stored, item.held, item.rejected) for _, some in outcome.receipts for item in some
        ],
        "deltas": outcome.deltas(),
    }


names = st.sampled_from(
    ["E-01/kwh", "E-02/kwh", "R-01/kw", "D-01/kwh", "O-01/kwh", "E-01/nope", "Q/kwh", "a b/c", "x"]
)
values = (
    st.decimals(min_value=-(10**9), max_value=10**9, places=2).map(float)
    | st.floats()
    | st.integers()
    | st.integers(-(10**18), 10**18).map(str)
    | st.decimals(min_value=-(10**7), max_value=10**7, places=3).map(str)
    | st.sampled_from(
        [None, True, "x", "", [], {}, 2**62, 10**400, 9007199254740993, 1e22, "46116860184273879.05"]
    )
)
times = (
    st.integers(NOW_MS - 10**9, NOW_MS + 10**8)
    | st.datetimes(min_value=from_us(NOW_US - 10**15).replace(tzinfo=None)).map(
        lambda t: t.isoformat() + "+08:00"
    )
    | st.sampled_from(
        [None, True, "now", 2**70, -1, 1.5, "2025-10-09T16:53:20", "2025-10-09T08:53:20.1234567Z", []]
    )
)
qualities = st.sampled_from([0, 0, 0, 1, 2, 3, -1, None, "0", True, 1.0, 2**64])
revisions = st.sampled_from([0, 0, 0, 1, REVISION_MAX, REVISION_MAX + 1, -1, None, "1"])
seqs = st.sampled_from([1, 2**63 - 1, 2**63, -5, "a", "x" * 65, None, 1.5, True, []])
extras = st.fixed_dictionaries({}, optional={"q": qualities, "rev": revisions})


@st.composite
def forms_a(draw: Any) -> dict[str, Any]:
    def one(name: str, at: Any, value: Any, extra: dict[str, Any]) -> Any:
        meter, _, channel = name.partition("/")
        return {"m": meter, "c": channel, "at": at, "v": value, **extra}

    items = draw(st.lists(st.builds(one, names, times, values, extras) | st.just(3), max_size=5))
    return {"readings": items}


@st.composite
def forms_b(draw: Any) -> dict[str, Any]:
    return {"at": draw(times), "values": draw(st.dictionaries(names, values, max_size=5)), **draw(extras)}


@st.composite
def forms_c(draw: Any) -> dict[str, Any]:
    size = draw(st.integers(0, 4))

    def column(items: Any) -> Any:
        return draw(st.lists(items, min_size=size, max_size=size) | st.lists(items, max_size=3))

    result = {"at": column(times), "ch": column(names), "v": column(values)}
    for key, items in (("q", qualities), ("rev", revisions)):
        if draw(st.booleans()):
            result[key] = column(items) if draw(st.booleans()) else draw(items)
    return result


@st.composite
def objects(draw: Any) -> dict[str, Any]:
    found: dict[str, Any] = draw(forms_a() | forms_b() | forms_c())
    if draw(st.booleans()):
        found["seq"] = draw(seqs)
    return found


payloads = (objects() | st.lists(objects() | st.none(), max_size=3)).map(
    lambda value: json.dumps(value).encode()
)
singles = st.fixed_dictionaries(
    {"at": times, "v": values}, optional={"q": qualities, "rev": revisions, "seq": seqs}
)
bare = values.filter(lambda value: isinstance(value, int | float))


@given(st.lists(payloads, min_size=1, max_size=3))
def test_the_typed_way_agrees_with_the_careful_one(directory: Directory, sent: list[bytes]):
    _, outcome = judged(directory, [chunk(Collector(), sent)])
    assert told(outcome) == told(carefully(directory, [chunk(Collector(), sent)]))


@given(
    st.lists((singles | bare).map(lambda value: json.dumps(value).encode()), min_size=1, max_size=3),
    st.sampled_from(["E-01/kwh", "D-01/kwh", "O-01/kwh", "Q-01/kwh"]),
    st.booleans(),
)
def test_so_does_the_way_of_single_readings(
    directory: Directory, sent: list[bytes], name: str, is_retained: bool
):
    topic = f"carbon/v1/{USCC}/gw1/{name}"
    retained = frozenset({0}) if is_retained else frozenset()
    _, outcome = judged(directory, [chunk(Collector(), sent, topic, retained=retained)])
    assert told(outcome) == told(carefully(directory, [chunk(Collector(), sent, topic, retained=retained)]))


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode), st.booleans())
@example(b"[" * 100_000, True)
@example(b'{"a":' * 50_000, True)
@example(b'{"values":{"\\ud800/x":1},"at":1}', True)
@example(b'{"seq":"\\ud800","at":1,"values":{"a/b":1}}', True)
@example(b"-", False)
def test_any_bytes_are_received(directory: Directory, payload: bytes, to_readings: bool):
    topic = TOPIC if to_readings else f"carbon/v1/{USCC}/gw1/E-01/kwh"
    _, outcome = judged(directory, [chunk(Collector(), [payload], topic)])
    delta = outcome.deltas()[USCC, "gw1"]
    assert delta.received == delta.stored + delta.held + delta.rejected >= 1


@given(st.lists(payloads, min_size=1, max_size=4))
def test_every_reading_is_stored_held_or_rejected_once(directory: Directory, sent: list[bytes]):
    batch, outcome = judged(directory, [chunk(Collector(), sent)])
    places: dict[int, list[int]] = {number: [] for number in range(batch.deliveries)}
    for delivery, position in zip(
        outcome.row_deliveries.tolist(), outcome.row_positions.tolist(), strict=True
    ):
        places[delivery].append(position)
    for item in outcome.rejections:
        if item.positions is not None:
            places[item.delivery] += item.positions
    for found in places.values():
        assert len(found) == len(set(found))
    delta = outcome.deltas()[USCC, "gw1"]
    assert delta.stored == len(outcome.rows)
    assert delta.received == delta.stored + len(outcome.holds) + sum(
        item.readings for item in outcome.rejections
    )


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10),
            st.integers(1_700_000_000_000_000, NOW_US),
            st.decimals(min_value=-(10**10), max_value=10**10, places=3) | st.integers(-(10**14), 10**14),
            st.integers(0, 2),
            st.integers(0, REVISION_MAX),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from("ABC"),
    st.booleans(),
)
def test_what_is_encoded_is_what_is_stored(directory: Directory, sent: list[Any], form: str, as_text: bool):
    def value(number: Any) -> Any:
        return str(number) if as_text else (int(number) if isinstance(number, int) else float(number))

    if form == "A":
        payload: Any = {
            "readings": [
                {"m": f"E-{m:02}", "c": "kwh", "at": format_time(at), "v": value(v), "q": q, "rev": rev}
                for m, at, v, q, rev in sent
            ]
        }
    elif form == "B":
        sent = [
            (m, sent[0][1], v, sent[0][3], sent[0][4]) for m, v in {each[0]: each[2] for each in sent}.items()
        ]
        payload = {
            "at": format_time(sent[0][1]),
            "values": {f"E-{m:02}/kwh": value(v) for m, _, v, _, _ in sent},
            "q": sent[0][3],
            "rev": sent[0][4],
        }
    else:
        payload = {
            "at": [format_time(at) for _, at, _, _, _ in sent],
            "ch": [f"E-{m:02}/kwh" for m, _, _, _, _ in sent],
            "v": [value(v) for _, _, v, _, _ in sent],
            "q": [q for _, _, _, q, _ in sent],
            "rev": [rev for _, _, _, _, rev in sent],
        }
    _, outcome = judged(directory, [chunk(Collector(), [json.dumps(payload).encode()])])
    points = {point.name: point.id for point in directory.points}
    found = [
        (
            row["channel_id"],
            row["measured_at"],
            as_fraction(int(row["mantissa"]), int(row["exponent"])),
            row["quality"],
            row["revision"],
        )
        for row in outcome.rows
    ]
    expected = []
    for m, at, v, q, rev in sent:
        number = exact_value(value(v))
        assert number is not None
        expected.append((points[f"E-{m:02}/kwh"], at, as_fraction(*number), q, rev))
    assert found == expected


def test_the_readings_of_a_batch_belong_to_their_gateways(directory: Directory):
    source = Collector()
    chunks = [
        chunk(source, [form_a(reading(1))] * 2),
        chunk(source, [form_a(reading(1), reading(2))], TOPIC.replace("gw1", "gw2")),
        chunk(source, [form_a(reading(1))], TOPIC.replace("gw1", "gw99")),
        chunk(source, [b"?"], "elsewhere"),
    ]
    batch, outcome = judged(directory, chunks)
    deltas = {gateway: (delta.received, delta.stored) for (_, gateway), delta in outcome.deltas().items()}
    assert deltas == {"gw1": (2, 2), "gw2": (2, 2), "gw99": (1, 0)}
    assert batch.delivery(2)[1] == TOPIC.replace("gw1", "gw2").encode()
    assert [item.gateway for item in outcome.rejections if item.reason == "bad_topic"] == [None]


def test_outside_its_gateways_a_sender_gets_dead_letters_on_no_account(directory: Directory):
    one = chunk(Collector(), [form_a(reading(1), seq=1)] * 2, allowed=frozenset({f"{USCC}/gw2"}))
    _, outcome = judged(directory, [one])
    assert outcome.deltas() == {}
    assert [str(item.reason) for item in outcome.rejections] == ["not_authorized"] * 2
    assert one.codes == {0: 0x87, 1: 0x87}
    assert not outcome.receipts


def test_a_batch_can_be_read_again_under_another_registry(directory: Directory):
    batch, outcome = judged(directory, [chunk(Collector(), [form_a(reading(1), reading(99), seq=4)])])
    again = batch.again(Routes(directory)).finish(NOW_US)
    assert told(again) == told(outcome)


def test_a_quiet_gateway_keeps_no_batch_in_memory(directory: Directory):
    import gc
    import weakref

    routes = Routes(directory)
    batch = Batch(routes, ClockRules())
    batch.add(chunk(Collector(), [form_a(reading(1))]))
    alive = weakref.ref(batch.chunks[0].source)
    batch.finish(NOW_US)
    del batch
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("form", ["single", "A", "B", "C"])
def test_stamps_with_the_same_text_are_read_once_and_mean_the_zone_of_the_gateway(
    directory: Directory, form: str
):
    naive = "2025-10-09T16:00:00"
    payload: Any = {
        "single": {"at": naive, "v": 1},
        "A": {"readings": [reading(1, naive)]},
        "B": {"at": naive, "values": {"E-01/kwh": 1}},
        "C": {"at": [naive], "ch": ["E-01/kwh"], "v": [1]},
    }[form]
    for gateway, stored in (("gw8", 1), ("gw1", 0), ("gw8", 1)):
        topic = TOPIC.replace("gw1", gateway)
        if form == "single":
            topic = topic.replace("readings", "E-01/kwh")
        _, outcome = judged(directory, [chunk(Collector(), [json.dumps(payload).encode()], topic)])
        assert len(outcome.rows) == stored
        if stored:
            assert format_time(int(outcome.rows["measured_at"][0])) == "2025-10-09T08:00:00Z"
        else:
            assert [str(item.reason) for item in outcome.rejections] == ["bad_time"]


def test_half_a_million_flaws_cost_no_objects(directory: Directory):
    payload = b'{"readings":[' + b",".join([b"0"] * 400_000) + b"]}"
    _, outcome = judged(directory, [chunk(Collector(), [payload])])
    assert [(item.readings, item.positions) for item in outcome.rejections] == [(400_000, None)]
    _, outcome = judged(directory, [chunk(Collector(), [b"[" + b",".join([b"0"] * 400_000) + b"]"])])
    assert [item.readings for item in outcome.rejections] == [1]


def test_a_row_of_a_payload_with_gaps_keeps_its_place(directory: Directory):
    payload = form_a(reading(1), {"m": "?"}, reading(2, value=1e300), reading(99), reading(3), seq=8)
    batch, outcome = judged(directory, [chunk(Collector(), [payload])])
    assert outcome.row_positions.tolist() == [0, 4]
    assert {str(item.reason): item.positions for item in outcome.rejections} == {
        "bad_reading": [1],
        "out_of_range": [2],
    }
    receipt = batch.receipt_at(0, 4)
    assert receipt is not None
    assert (receipt.seq, receipt.stored, receipt.held, receipt.rejected) == (8, 2, 1, 2)
    assert np.all(outcome.stored == [2])
