"""Rules of formats beside carbon/v1: whose a topic is, what its names become, and every fault of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from domain.errors import DecodeError, FaultyDocument, HoldReason, RejectReason
from domain.reading import Flag
from ingest import formats
from ingest.batch import Batch, Outcome
from ingest.decode.decoder import Decoder, Message, Plain, found
from ingest.decode.wire import Flaw, WireObject
from ingest.delivery import NOT_AUTHORIZED, TOPIC_NAME_INVALID
from ingest.directory import ClockRules, Directory
from ingest.formats import Format, Formats, identifier, rules_of
from ingest.routes import Routes
from tests.ingest.beds import NOW_US, USCC, Collector, chunk

TOY = f"toy/{USCC}/gw1"


def _read_toy(message: Message) -> Iterable[WireObject]:
    """`device/metric=value@ms`, one a line; without a device or a stamp where none is written."""
    if message.payload == b"bad":
        raise DecodeError(RejectReason.BAD_PAYLOAD, "bad")

    def items() -> Iterator[Any]:
        for line in message.payload.decode().splitlines():
            name, _, value = line.partition("=")
            text, _, stamp = value.partition("@")
            device, slash, metric = name.partition("/")
            yield message.reading(
                device if slash else None,
                metric if slash else name,
                int(stamp) * 1000 if stamp else None,
                text,
            )

    return found(items())


class Counting:
    """A decoder with a state: it numbers what it is given."""

    name = "counting/1"
    is_stateful = True

    def __init__(self) -> None:
        self.count = 0

    def read(self, message: Message) -> Iterable[WireObject]:
        if message.source is not None:
            self.count += 1
        return found([message.reading("E-01", "kwh", NOW_US, self.count)])


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: Any) -> Decoder:
        return Plain("toy/1", _read_toy)

    def counting(*_: Any) -> Decoder:
        return Counting()

    monkeypatch.setitem(formats.FORMATS, "toy", Format(make, separators=":"))
    monkeypatch.setitem(formats.FORMATS, "counting", Format(counting))


def rules(*items: dict[str, Any]) -> Formats:
    return Formats(rules_of(json.dumps(items)))


def outcome_of(
    directory: Directory, some: Formats, topic: str, *payloads: bytes, **more: Any
) -> tuple[Batch, Outcome]:
    batch = Batch(Routes(directory, some), ClockRules())
    batch.add(chunk(Collector(), payloads, topic, **more))
    return batch, batch.finish(NOW_US)


def names_of(directory: Directory, outcome: Outcome) -> list[str]:
    names = {point.id: point.name for point in directory.points}
    return [names[int(row["channel_id"])] for row in outcome.rows]


def test_a_topic_says_whose_its_readings_are(directory: Directory):
    some = rules({"topic": "toy/{uscc}/{gateway}/#", "format": "toy"})
    for topic in (TOY, f"{TOY}/and/more"):
        _, outcome = outcome_of(directory, some, topic, b"E-01/kwh=12.50@1759999999000")
        assert [gateway.name for gateway in outcome.gateways] == [f"{USCC}/gw1"]
        assert outcome.rows["mantissa"].tolist() == [1250]
        assert outcome.rows["exponent"].tolist() == [-2]


def test_without_a_rule_the_topic_is_none_of_ours(directory: Directory):
    batch, outcome = outcome_of(directory, Formats(), TOY, b"E-01/kwh=1@1759999999000")
    assert [item.reason for item in outcome.rejections] == [RejectReason.BAD_TOPIC]
    assert batch.chunks[0].codes == {0: TOPIC_NAME_INVALID}


def test_a_sender_publishes_for_its_gateways_alone(directory: Directory):
    some = rules({"topic": "toy/{uscc}/{gateway}", "format": "toy"})
    more = {"allowed": frozenset({f"{USCC}/gw2"})}
    batch, outcome = outcome_of(directory, some, TOY, b"E-01/kwh=1@1759999999000", **more)
    assert [item.reason for item in outcome.rejections] == [RejectReason.NOT_AUTHORIZED]
    assert batch.chunks[0].codes == {0: NOT_AUTHORIZED}


def test_a_topic_without_an_address_is_of_the_gateway_that_signed_in(directory: Directory):
    some = rules({"topic": "v1/me", "format": "toy", "meter": "E-02"})
    more: dict[str, Any] = {"allowed": frozenset({f"{USCC}/gw2"})}
    _, outcome = outcome_of(directory, some, "v1/me", b"kwh=1@1759999999000", **more)
    assert names_of(directory, outcome) == ["E-02/kwh"]
    assert [gateway.name for gateway in outcome.gateways] == [f"{USCC}/gw2"]
    for allowed in (None, frozenset({f"{USCC}/gw1", f"{USCC}/gw2"})):
        _, outcome = outcome_of(directory, some, "v1/me", b"kwh=1@1759999999000", allowed=allowed)
        assert [item.reason for item in outcome.rejections] == [RejectReason.BAD_TOPIC]
        assert "bound to one gateway" in outcome.rejections[0].detail


def test_fixed_and_made_addresses(directory: Directory):
    some = rules({"topic": "/sys/{key}/{name}", "format": "toy", "uscc": USCC, "gateway": "{key}{name}"})
    _, outcome = outcome_of(directory, some, "/sys/g/w1", b"E-01/kwh=1@1759999999000")
    assert [gateway.name for gateway in outcome.gateways] == [f"{USCC}/gw1"]


def test_names(directory: Directory):
    some = rules(
        {
            "topic": "toy/{uscc}/{gateway}",
            "format": "toy",
            "names": {"boiler/zähler": "E-03/kwh", "sum": "E-04/kwh"},
            "ignore": ["*/status", "uptime"],
        }
    )
    lines = [
        "boiler/zähler=1@1759999999000",
        "sum=2@1759999999000",
        "E-01/status=on",
        "uptime=3",
        "urn:E-01:kwh=4@1759999999000",
        "kwh=5@1759999999000",
        "a b/c%d=6@1759999999000",
        "x/" + "y" * 65 + "=7@1759999999000",
    ]
    _, outcome = outcome_of(directory, some, TOY, "\n".join(lines).encode())
    assert names_of(directory, outcome) == ["E-03/kwh", "E-04/kwh"]
    assert [(hold.meter, hold.channel) for hold in outcome.holds] == [
        ("urn_E-01", "kwh"),
        ("gw1", "kwh"),
        ("a_b", "c_d"),
    ]
    assert {hold.reason for hold in outcome.holds} == {HoldReason.UNKNOWN_METER}
    assert [(item.reason, item.positions) for item in outcome.rejections] == [(RejectReason.BAD_ID, [7])]
    assert outcome.deltas()[USCC, "gw1"].received == 6


def test_other_alphabets_stay_apart():
    assert identifier("正向有功") == "_6b63_5411_6709_529f"
    assert identifier("反向有功") != identifier("正向有功")


def test_a_reading_without_a_time_is_flagged_and_no_delta(directory: Directory):
    some = rules({"topic": "toy/{uscc}/{gateway}", "format": "toy"})
    _, outcome = outcome_of(directory, some, TOY, b"E-01/kwh=1\nD-01/kwh=2\nnew/kwh=3")
    assert outcome.rows["measured_at"].tolist() == [NOW_US]
    assert outcome.rows["flags"].tolist() == [Flag.RECEIPT_TIME]
    assert [hold.flags for hold in outcome.holds] == [Flag.RECEIPT_TIME]
    assert [item.reason for item in outcome.rejections] == [RejectReason.NO_TIME_FOR_DELTA]
    _, outcome = outcome_of(directory, some, TOY, b"E-01/kwh=1", retained=frozenset({0}))
    assert [item.reason for item in outcome.rejections] == [RejectReason.RETAINED]


def test_what_cannot_be_read_is_a_dead_letter_of_its_decoder(directory: Directory):
    some = rules({"topic": "toy/{uscc}/{gateway}", "format": "toy"})
    batch, outcome = outcome_of(
        directory, some, TOY, b"bad", b"E-01/kwh=x@1759999999000\nE-02/kwh=1@1759999999000"
    )
    assert [(item.reason, item.positions, item.readings) for item in outcome.rejections] == [
        (RejectReason.BAD_PAYLOAD, None, 1),
        (RejectReason.BAD_VALUE, [0], 1),
    ]
    assert batch.routes.find(TOY.encode()).decoder == "toy/1"
    assert outcome.row_positions.tolist() == [1]


def test_what_is_to_be_ignored_is_on_no_account(directory: Directory):
    some = rules(
        {"topic": "v1/gateway/attributes", "format": "ignore"},
        {"topic": "toy/{uscc}/{gateway}", "format": "toy", "ignore": ["*"]},
    )
    for topic in ("v1/gateway/attributes", TOY):
        batch, outcome = outcome_of(directory, some, topic, b"E-01/kwh=1")
        assert batch.chunks[0].codes == {}
        assert outcome.deltas() == {}
        assert outcome.rejections == []


def test_a_stateful_decoder_reads_a_delivery_once(directory: Directory):
    some = rules({"topic": "c/{uscc}/{gateway}", "format": "counting"})
    topic = f"c/{USCC}/gw1"
    batch, outcome = outcome_of(directory, some, topic, b"", b"")
    assert outcome.rows["mantissa"].tolist() == [1, 2]
    again = batch.again(Routes(directory, some)).finish(NOW_US)
    assert again.rows["mantissa"].tolist() == [1, 2]
    _, replayed = outcome_of(directory, some, topic, b"", is_replay=True)
    assert replayed.rows["mantissa"].tolist() == [2]


def test_every_fault_of_the_rules_is_told_with_its_place():
    text = json.dumps(
        [
            3,
            {"topic": "carbon/+/#", "format": "toy"},
            {"topic": "a/{b", "format": "nope", "uscc": USCC},
            {"topic": "a/{device}", "format": "toy", "meter": "{x}", "colour": 1},
            {"topic": "a/#/b", "format": "toy", "names": {"a": "b"}, "ignore": [1]},
            {"format": "toy", "separators": 5},
        ]
    )
    with pytest.raises(FaultyDocument) as caught:
        rules_of(text)
    places = [fault.place for fault in caught.value.faults]
    assert places == [
        "[0]",
        "[1].topic",
        "[2].format",
        "[2].topic",
        "[2].gateway",
        "[3].topic",
        "[3].colour",
        "[3].meter",
        "[4].topic",
        "[4].names['a']",
        "[4].ignore",
        "[5].separators",
        "[5].topic",
    ]


@pytest.mark.parametrize("text", ["{", "{}", "3", "[" * 100_000])
def test_rules_that_are_no_array_of_tables(text: str):
    with pytest.raises(FaultyDocument):
        rules_of(text)


def test_what_a_broker_is_asked_for():
    some = rules(
        {"topic": "toy/{uscc}/{gateway}/#", "format": "toy"},
        {"topic": "toy/+/{gateway}/#", "format": "toy", "uscc": USCC},
        {"topic": "v1/#", "format": "ignore"},
    )
    assert some.filters == ["toy/+/+/#", "v1/#"]


def test_flaws_show_what_was_sent():
    flaw = Flaw(RejectReason.BAD_ID, "{} makes no METER/CHANNEL", "x")
    assert flaw.detail == '"x" makes no METER/CHANNEL'


def test_what_is_remembered_of_names_is_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(formats, "NAMES_MAX", 10)
    some = rules({"topic": "toy/{uscc}/{gateway}/#", "format": "toy"})
    routes = Routes(directory, some)
    for number in range(5):
        topic = f"{TOY}/{number}" + "/long" * 200 * number
        batch = Batch(routes, ClockRules())
        lines = [f"E-01/{'x' * 300}=1", *(f"E-01/c{each}=1" for each in range(7)), "E-01/kwh=2@1759999999000"]
        batch.add(chunk(Collector(), ["\n".join(lines).encode()], topic))
        outcome = batch.finish(NOW_US)
        assert names_of(directory, outcome) == ["E-01/kwh"]
        assert len(outcome.holds) == 7
        assert [item.readings for item in outcome.rejections] == [1]
        found = some.find(topic.encode())
        assert found is not None
        assert 0 < len(found.memory) <= 10
    assert [len(topic) <= 512 for topic in routes.topics] == [True]
