"""The state of an edge node: certificates, order, aliases, and what becomes of what can't be resolved."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import DecodeError
from ingest.decode.decoder import Message
from ingest.decode.sparkplug_b_v1 import items, named, read_payload
from ingest.decode.wire import Flaw, WireReading
from ingest.sparkplug.decoder import Options, SparkplugDecoder, completed, parse_topic
from ingest.sparkplug.session import (
    DEVICE_OFFLINE,
    DEVICE_ONLINE,
    FAULT,
    OFFLINE,
    ONLINE,
    EdgeNode,
    Resolved,
    Step,
)
from tests.ingest.beds import NOW_MS, NOW_US
from tests.ingest.sparkplug_bed import Node, Payload, Types, metric, payload, topic

REORDER_S, REBIRTH_S = 2.0, 10.0


class Host:
    """A session, and what it said."""

    def __init__(self) -> None:
        self.session = EdgeNode()
        self.now_us = NOW_US

    def take(self, sent: tuple[str, bytes]) -> Step:
        address = parse_topic(sent[0])
        assert address is not None
        self.now_us += 1
        return self.session.take(address.kind, address.device, read_payload(sent[1]), self.now_us)

    def kinds(self, *sent: tuple[str, bytes]) -> list[str]:
        return [happened.kind for each in sent for happened in self.take(each).happened]

    def poll(self, now_s: float) -> str | None:
        return self.session.poll(now_s, REORDER_S, REBIRTH_S)

    def names(self, sent: tuple[str, bytes]) -> list[str | None]:
        step = self.take(sent)
        return [each.name for each in named(read_payload(sent[1]), step.table).metrics]


def born(**metrics: int) -> tuple[Host, Node]:
    host, node = Host(), Node()
    host.take(node.birth(metrics or {"a": 1}))
    return host, node


def test_a_birth_gives_names_to_aliases():
    host, node = born(a=1, b=2)
    assert host.names(node.data(None, {2: 1.0, 1: 1.0})) == ["b", "a"]
    assert host.session.rebirth is None


def test_aliases_of_a_device_are_told_by_its_own_birth():
    host, node = born(a=1)
    assert host.kinds(node.device_birth("D", {"x": 7})) == [DEVICE_ONLINE]
    assert host.names(node.data("D", {7: 1.0, 1: 1.0})) == ["x", None]
    assert host.session.rebirth == "an alias that no birth certificate tells"


def test_a_birth_begins_anew():
    host, node = born(a=1)
    host.take(node.device_birth("D", {"x": 7}))
    host.take(node.birth({"b": 1}))
    assert host.names(node.data(None, {1: 1.0})) == ["b"]
    assert host.names(node.data("D", {7: 1.0})) == [None]


def test_sequence_numbers_go_round():
    host, node = born()
    for _ in range(600):
        assert host.names(node.data(None, {1: 1.0})) == ["a"]
    assert not host.session.has_gap


def test_a_birth_may_begin_at_any_sequence_number():
    host, node = Host(), Node()
    name, _ = node.birth()
    made = payload(seq=200)
    metric(made, "bdSeq", None, Types.Int64, 0)
    metric(made, "a", 1, Types.Double, 1.0)
    host.take((name, made.SerializeToString()))
    node.seq = 201
    assert host.names(node.data(None, {1: 1.0})) == ["a"]


def test_data_before_a_birth_asks_for_it():
    host, node = Host(), Node()
    node.birth()
    step = host.take(node.data(None, {1: 1.0}))
    assert len(step.table) == 0
    assert host.poll(0.0) == "data before a birth certificate"


def test_a_birth_is_asked_for_once_an_interval_and_only_while_messages_come():
    host, node = Host(), Node()
    host.take(node.data(None, {1: 1.0}))
    assert host.poll(0.0) is not None
    assert host.poll(100.0) is None
    host.take(node.data(None, {1: 1.0}))
    assert host.poll(100.0) is not None
    host.take(node.data(None, {1: 1.0}))
    assert host.poll(101.0) is None
    assert host.poll(100.0 + REBIRTH_S) is not None


def test_a_missing_message_starts_the_reorder_timer_and_then_a_rebirth_request():
    host, node = born()
    node.data(None, {1: 1.0})
    assert host.names(node.data(None, {1: 1.0})) == [None]
    assert host.poll(5.0) is None
    assert host.poll(5.0 + REORDER_S - 0.1) is None
    assert host.poll(5.0 + REORDER_S) == "message 1 is missing"
    assert host.names(node.data(None, {1: 1.0})) == [None]  # in doubt until the birth


def test_a_missing_message_that_comes_in_time_ends_the_doubt():
    host, node = born()
    late = node.data(None, {1: 1.0})
    early = node.data(None, {1: 1.0})
    assert host.take(early).resolved == []
    first_us = host.now_us
    assert host.poll(0.0) is None
    step = host.take(late)
    assert [(each.device, each.since_us) for each in step.resolved] == [(None, first_us)]
    assert step.table.names == {1: "a"}
    assert host.poll(100.0) is None
    assert host.names(node.data(None, {1: 1.0})) == ["a"]


def test_a_birth_ends_the_doubt():
    host, node = born(a=1)
    node.data(None, {1: 1.0})
    host.take(node.data(None, {1: 1.0}))
    first_us = host.now_us
    assert host.poll(0.0) is None
    step = host.take(node.birth({"a": 1}))
    assert [(each.since_us, each.table.names) for each in step.resolved] == [(first_us, {1: "a"})]


def test_a_birth_whose_aliases_mean_something_else_resolves_nothing_before_it():
    host, node = born(a=1)
    node.data(None, {1: 1.0})
    host.take(node.data(None, {1: 1.0}))
    assert host.take(node.birth({"b": 1})).resolved == []
    assert host.names(node.data(None, {1: 1.0})) == ["b"]


def test_orphans_of_a_device_wait_for_its_own_birth():
    host, node = Host(), Node()
    host.take(node.data("D", {7: 1.0}))
    first_us = host.now_us
    assert host.take(node.birth({"a": 1})).resolved == []
    (resolved,) = host.take(node.device_birth("D", {"x": 7})).resolved
    assert (resolved.device, resolved.since_us, resolved.table.names) == ("D", first_us, {7: "x"})


def test_a_device_birth_that_came_early_counts_in_its_turn():
    host, node = born()
    late = node.data(None, {1: 1.0})
    birth = node.device_birth("D", {"x": 7})
    data = node.data("D", {7: 1.0})
    assert host.kinds(birth, data) == []
    step = host.take(late)
    assert [happened.kind for happened in step.happened] == [DEVICE_ONLINE]
    assert [each.device for each in step.resolved] == ["D"]


def test_a_device_born_anew_within_a_gap_with_other_aliases_resolves_nothing():
    host, node = born()
    host.take(node.device_birth("D", {"x": 7}))
    late = node.data(None, {1: 1.0})
    for early in (node.data("D", {7: 1.0}), node.device_birth("D", {"y": 7})):
        host.take(early)
    assert host.take(late).resolved == []
    assert host.names(node.data("D", {7: 1.0})) == ["y"]


def test_a_death_makes_everything_stale():
    host, node = born(a=1, b=2)
    host.take(node.device_birth("D", {"x": 7}))
    (offline,) = host.take(node.death()).happened
    assert offline.kind == OFFLINE
    assert "5 metrics of the node and 1 devices stale" in offline.detail  # with bdSeq and Rebirth
    assert offline.at_us is None  # the host's own time
    assert (host.session.is_online, host.session.tables) == (False, {})
    assert host.names(node.data(None, {1: 1.0})) == [None]
    assert host.poll(0.0) == "data before a birth certificate"


def test_a_death_of_another_session_is_none():
    host, node = born()
    old = Node(bd_seq=7)
    assert host.kinds(old.death()) == [FAULT]
    assert host.session.is_online
    assert host.names(node.data(None, {1: 1.0})) == ["a"]
    assert host.poll(0.0) == "an NDEATH of another session"


def test_after_a_death_orphans_stay():
    host, node = Host(), Node()
    host.take(node.data(None, {1: 1.0}))
    host.take(node.death())
    assert host.take(node.birth({"a": 1})).resolved == []


def test_a_session_whose_beginning_was_missed_resolves_nothing_of_the_one_before():
    host, node = born()
    node.data(None, {1: 1.0})
    host.take(node.data(None, {1: 1.0}))
    assert host.take(Node(bd_seq=1).birth({"a": 1})).resolved == []


def test_a_device_dies_at_the_time_of_its_death_certificate():
    host, node = born()
    host.take(node.device_birth("D", {"x": 7}))
    (gone,) = host.take(node.device_death("D", NOW_MS - 1000)).happened
    assert (gone.kind, gone.at_us) == (DEVICE_OFFLINE, NOW_US - 1_000_000)
    assert gone.detail == "D: 1 metrics stale"
    assert host.names(node.data("D", {7: 1.0})) == [None]
    (gone,) = host.take(node.device_death("D", (1 << 64) - 1)).happened
    assert gone.at_us == host.now_us


def test_faulty_births_are_told():
    host = Host()
    made = payload()
    metric(made, "a", 1, Types.Double, 1.0)
    metric(made, "b", 1, Types.Double, 1.0)
    step = host.take((topic("NBIRTH"), made.SerializeToString()))
    assert [happened.kind for happened in step.happened] == [ONLINE, FAULT]
    assert (
        step.happened[1].detail == "NBIRTH: seq None, expected 0 to 255, no bdSeq, alias 1 of several metrics"
    )
    assert step.table.names == {}


def test_a_message_without_a_sequence_number_resolves_nothing():
    host, _ = born()
    made = payload()
    metric(made, None, 1, Types.Double, 1.0)
    assert host.names((topic("NDATA"), made.SerializeToString())) == [None]
    assert host.poll(0.0) == "a message without a sequence number"


def test_names_need_no_birth():
    host = Host()
    made = payload(seq=5)
    metric(made, "a", None, Types.Double, 1.0)
    host.take((topic("NDATA"), made.SerializeToString()))
    assert host.take(Node().birth({"a": 1})).resolved == []


# Whatever happens on the way


class Plant:
    """An edge node's truth: what each message meant when it was sent. Aliases change at every new session."""

    def __init__(self) -> None:
        self.node = Node()
        self.sessions = 0
        self.aliases: dict[str, dict[int, str]] = {}
        self.serial = 0
        self.truth: dict[float, str] = {}  # value to name

    def birth(self, *, is_new_session: bool) -> list[tuple[str, bytes]]:
        sent = []
        if is_new_session:
            if self.sessions:
                sent.append(self.node.death())
            self.sessions += 1
            self.node = Node(bd_seq=self.sessions)
            self.aliases = {
                device: {(alias + self.sessions) % 4: f"{device}{alias}" for alias in range(4)}
                for device in "DE"
            }
        # A birth's own values say nothing here: one number for all of them.
        sent.append(self.node.birth({"Node/n": 9}, 0.0))
        for device, aliases in self.aliases.items():
            sent.append(self.node.device_birth(device, {name: alias for alias, name in aliases.items()}, 0.0))
        return sent

    def data(self, device: str, alias: int) -> list[tuple[str, bytes]]:
        self.serial += 1
        self.truth[float(self.serial)] = self.aliases[device][alias]
        return [self.node.data(device, {alias: float(self.serial)})]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("data"), st.sampled_from("DE"), st.integers(0, 3)),
        st.tuples(st.just("rebirth"), st.none(), st.none()),
        st.tuples(st.just("session"), st.none(), st.none()),
        st.tuples(st.just("restart"), st.none(), st.none()),
        st.tuples(st.just("lose"), st.none(), st.none()),
        st.tuples(st.just("swap"), st.none(), st.none()),
        st.tuples(st.just("repeat"), st.none(), st.none()),
    ),
    max_size=30,
)


class Log:
    """Readings and letters as the database would have them."""

    def __init__(self) -> None:
        self.now_us = NOW_US
        self.decoder = SparkplugDecoder(Options())
        self.received = 0
        self.stored: list[tuple[str, float]] = []
        self.letters: list[tuple[str, bytes, int]] = []
        self.source: Any = object()

    def restart(self) -> None:
        self.decoder = SparkplugDecoder(Options())

    def _read(self, name: str, data: bytes, source: Any) -> tuple[list[WireReading], int, bytes]:
        kept = [data]

        def names(device: str | None, each: str) -> tuple[str, str]:
            return device or "node", each

        message = Message(
            data,
            name,
            {},
            names,
            None,
            self.now_us,
            source,
            gateway=("U", "G"),
            keep=lambda new: kept.append(new),
        )
        found = [item for wire in self.decoder.read(message) for item in wire.items]
        readings = [item for item in found if isinstance(item, WireReading) and item.mantissa]
        return readings, sum(isinstance(item, Flaw) for item in found), kept[-1]

    def take(self, name: str, data: bytes) -> None:
        self.now_us += 1
        readings, flaws, kept = self._read(name, data, self.source)
        self.received += len(readings) + flaws
        self.stored += [(item.channel, float(item.mantissa * 10**item.exponent)) for item in readings]
        if flaws:
            self.letters.append((name, kept, self.now_us))
        todo, self.decoder.todo = self.decoder.todo, []
        for known, item, until_us in todo:
            if isinstance(item, Resolved):
                self._replay(known.address.node, item, until_us)

    def _replay(self, node: str, resolved: Resolved, until_us: int) -> None:
        kept = []
        for name, data, received_us in self.letters:
            address = parse_topic(name)
            assert address is not None
            whole = None
            if (address.node, address.device) == (node, resolved.device) and (
                resolved.since_us <= received_us <= until_us
            ):
                whole = completed(data, resolved.table)
            if whole is None:
                kept.append((name, data, received_us))
                continue
            readings, flaws, _ = self._read(name, whole, None)
            self.stored += [(item.channel, float(item.mantissa * 10**item.exponent)) for item in readings]
            if flaws:
                kept.append((name, whole, received_us))
        self.letters = kept


@settings(max_examples=300)
@given(actions)
def test_whatever_happens_no_reading_is_lost_doubled_or_given_another_name(steps: list[tuple[str, Any, Any]]):
    plant, log = Plant(), Log()
    wire = plant.birth(is_new_session=True)
    for kind, device, alias in steps:
        if kind == "data":
            wire += plant.data(device, alias)
        elif kind in ("rebirth", "session"):
            wire += plant.birth(is_new_session=kind == "session")
        elif wire and kind == "repeat":
            wire.append(wire[-1])
        elif wire and kind == "lose" and "DEATH" not in wire[-1][0]:  # a will comes at QoS 1
            wire.pop()
        elif len(wire) > 1 and kind == "swap" and all("DATA" in name for name, _ in wire[-2:]):
            wire[-2:] = reversed(wire[-2:])
        elif kind == "restart":
            wire.append(("restart", b""))
    sent: list[float] = []
    for name, data in wire:
        if name == "restart":
            log.restart()
            continue
        log.take(name, data)
        if "DATA" in name:
            (only,) = items(read_payload(data), MESSAGE, None, is_birth=False)
            assert isinstance(only, Flaw)
            sent.append(read_payload_value(data))
    stored = [value for _, value in log.stored]
    waiting = [read_payload_value(data) for _, data, _ in log.letters]
    assert log.received == len(stored) + len(waiting)
    assert sorted(sent) == sorted(stored + waiting)
    assert all(plant.truth[value] == name for name, value in log.stored)


MESSAGE = Message(b"", topic("NDATA"), {}, lambda device, name: (device or "node", name), None, NOW_US)


def read_payload_value(data: bytes) -> float:
    read = Payload()
    read.ParseFromString(data)
    return float(read.metrics[0].double_value)


def test_a_plant_without_faults_leaves_no_letter():
    plant, log = Plant(), Log()
    for sent in plant.birth(is_new_session=True) + plant.data("D", 1) + plant.data("E", 2):
        log.take(*sent)
    assert (len(log.stored), log.letters) == (2, [])


def test_bytes_that_are_none_leave_the_session_as_it_was():
    log = Log()
    plant = Plant()
    for sent in plant.birth(is_new_session=True):
        log.take(*sent)
    for name in (topic("NBIRTH"), topic("NDEATH"), topic("DDATA", "D")):
        try:
            log.take(name, b"\xff")
        except DecodeError:
            pass
        else:
            raise AssertionError
    for sent in plant.data("D", 1):
        log.take(*sent)
    assert len(log.stored) == 1
