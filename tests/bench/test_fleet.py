"""The packets that the load generator sends are what they say: read back by the endpoint's own words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.fleet import COUNTS_A_STEP, STEP_US, STEPS_MAX, Fleet, acknowledgements, value_counts
from bench.load import Load
from domain.document import read_document
from domain.interval import INTERVAL_US, Calendar
from ingest.mqtt_packet import PUBACKS

START_US = 1_700_000_040_000_000
FLEET = Fleet(2, 3, START_US)


def _read(packet: bytes) -> tuple[str, int, bytes]:
    assert packet[0] == 0x32
    size, at = packet[1], 2
    if size >= 0x80:
        size, at = size & 0x7F | packet[2] << 7, 3
    assert len(packet) == at + size
    length = int.from_bytes(packet[at : at + 2], "big")
    at += 2
    topic, id_ = packet[at : at + length].decode(), packet[at + length : at + length + 2]
    return topic, int.from_bytes(id_, "big"), packet[at + length + 2 :]


def test_single_readings_take_the_channels_in_turn() -> None:
    packets = FLEET.singles([1, 4], 7, 5)
    rows = [_read(packets.data[at : at + packets.size]) for at in range(0, len(packets.data), packets.size)]
    assert len(rows) == 5
    for place, (topic, id_, payload) in enumerate(rows):
        step = 7 + place // 2
        assert topic == FLEET.topic([1, 4][place % 2])
        assert id_ == place + 1
        value = json.loads(payload)
        assert value == {
            "at": (START_US + step * STEP_US) // 1000,
            "v": int(value_counts(step)) / 100,  # type: ignore[arg-type]
        }


def test_packed_readings_have_every_device() -> None:
    packets = FLEET.packed(1, 3, 2)
    topic, id_, payload = _read(packets.data[packets.size :])
    assert topic == f"carbon/v1/{FLEET.codes[1]}/g000/readings"
    assert id_ == 2
    value = json.loads(payload)
    assert value["at"] == (START_US + 4 * STEP_US) // 1000
    assert set(value["values"]) == {"M000/kwh", "M001/kwh", "M002/kwh"}
    assert packets.readings == 3


def test_acknowledgements_are_those_of_the_endpoint() -> None:
    expected = b"".join(PUBACKS[place % 0xFFFF + 1] for place in range(70_000))
    assert acknowledgements(70_000) == expected


def test_the_document_has_no_fault() -> None:
    read_document(FLEET.document(), Calendar())


def test_stamps_that_would_lie_ahead_are_refused() -> None:
    with pytest.raises(ValueError, match="room for"):
        FLEET.packed(0, STEPS_MAX, 1)


def test_what_registers_count_is_known_to_the_count() -> None:
    """Steps fall on quarter-hours' ends; the first interval is only as long as it is valid."""
    fleet = Fleet(1, 3, START_US)
    assert fleet.start_us % INTERVAL_US == 14 * STEP_US
    assert fleet.counted(np.array([1, 16, 17])) == (0 + 1 + 16) * COUNTS_A_STEP
    load = Load("", 0, 2, 5, 1, 1, 3, fleet.start_us)
    assert load.steps_of_channels(3).tolist() == [3, 5, 2]
