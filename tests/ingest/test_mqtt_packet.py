"""Packets: read and refused by the specifications, and by another implementation's eyes."""

from __future__ import annotations

import contextlib

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import mqtt_packet as mp
from ingest.mqtt_packet import ProtocolError, Reason
from tests.ingest.beds import connect_packet, packet, text, varint


def body_of(data: bytes) -> tuple[bytes, int, int]:
    """A packet with where its body is."""
    at = 1
    while data[at] & 0x80:
        at += 1
    return data, at + 1, len(data)


def test_connect_of_both_versions():
    found = mp.read_connect(*body_of(connect_packet("c1", 4, keep_alive_s=30, password="key", clean=False)))
    assert (found.version, found.client_id, found.keep_alive_s, found.password) == (4, "c1", 30, b"key")
    assert not found.clean_start
    assert found.session_expiry_s == mp.NO_EXPIRY
    found = mp.read_connect(
        *body_of(connect_packet("c2", 5, properties=b"\x11\x00\x00\x00\x3c", will=("t", b"w")))
    )
    assert (found.version, found.session_expiry_s, found.will) == (5, 60, mp.Will("t", b"w"))


def test_connect_as_another_implementation_writes_it():
    sent = mqtt5.ConnectPacket(
        "client",
        username="u",
        password=b"p",
        clean_start=True,
        will=mqtt5.Will(
            "a/b", payload=b"gone", qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True, will_delay_interval=5
        ),
        keep_alive=10,
        session_expiry_interval=100,
        receive_max=7,
        max_packet_size=1000,
        user_properties=[("a", "b")],
    )
    found = mp.read_connect(*body_of(sent.write()))
    assert (found.client_id, found.user_name, found.password) == ("client", "u", b"p")
    assert (found.keep_alive_s, found.session_expiry_s, found.maximum_packet_size) == (10, 100, 1000)
    assert found.will == mp.Will("a/b", b"gone", 5)


def test_what_we_write_is_what_another_implementation_reads():
    properties = mp.connack_properties(
        receive_maximum=4096, maximum_packet_size=1 << 20, session_expiry_s=5, assigned_client_id="auto-1"
    )
    connack, _ = mqtt5.read(
        memoryview(mp.connack(5, Reason.SUCCESS, session_present=True, properties=properties))
    )
    assert isinstance(connack, mqtt5.ConnAckPacket)
    assert connack.session_present
    assert (connack.receive_max, connack.max_packet_size, connack.max_qos) == (4096, 1 << 20, 2)
    assert (connack.session_expiry_interval, connack.assigned_client_id) == (5, "auto-1")
    assert not connack.shared_subscription_available
    assert not connack.subscription_id_available
    publish, _ = mqtt5.read(memoryview(mp.publish(5, b"a/b", b"{}")))
    assert isinstance(publish, mqtt5.PublishPacket)
    assert (publish.topic, publish.payload, publish.qos) == ("a/b", b"{}", 0)
    for reason in (Reason.NOT_AUTHORIZED, Reason.TOPIC_NAME_INVALID):
        puback, _ = mqtt5.read(memoryview(mp.answer_with(7, reason)))
        assert isinstance(puback, mqtt5.PubAckPacket)
        assert (puback.packet_id, int(puback.reason_code)) == (7, reason)
    plain, _ = mqtt5.read(memoryview(mp.PUBACKS[65535]))
    assert isinstance(plain, mqtt5.PubAckPacket)
    assert plain.packet_id == 65535
    suback, _ = mqtt5.read(memoryview(mp.suback(5, 3, [0, Reason.NOT_AUTHORIZED])))
    assert isinstance(suback, mqtt5.SubAckPacket)
    assert [int(code) for code in suback.reason_codes] == [0, 0x87]
    unsuback, _ = mqtt5.read(memoryview(mp.unsuback(5, 3, [0, 0x11])))
    assert isinstance(unsuback, mqtt5.UnsubAckPacket)
    disconnect, _ = mqtt5.read(memoryview(mp.disconnect(Reason.PACKET_TOO_LARGE)))
    assert isinstance(disconnect, mqtt5.DisconnectPacket)
    assert disconnect.reason_code == 0x95


def test_codes_of_3_1_1():
    assert mp.connack(4, Reason.BAD_USER_NAME_OR_PASSWORD) == b"\x20\x02\x00\x04"
    assert mp.connack(4, Reason.NOT_AUTHORIZED) == b"\x20\x02\x00\x05"
    assert mp.suback(4, 1, [0, Reason.NOT_AUTHORIZED]) == b"\x90\x04\x00\x01\x00\x80"
    assert mp.unsuback(4, 1, [0]) == b"\xb0\x02\x00\x01"


_BODY = text("MQTT")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet(0x10, text("MQTT") + b"\x06\x02\x00\x3c" + text("c")), Reason.UNSUPPORTED_PROTOCOL_VERSION),
        (packet(0x10, text("MQIsdp") + b"\x03\x02\x00\x3c" + text("c")), Reason.UNSUPPORTED_PROTOCOL_VERSION),
        (packet(0x10, text("HTTP") + b"\x04\x02\x00\x3c" + text("c")), Reason.MALFORMED_PACKET),
        (
            packet(0x10, text("MQTT") + b"\x04\x03\x00\x3c" + text("c")),
            Reason.MALFORMED_PACKET,
        ),  # reserved flag
        (packet(0x10, text("MQTT") + b"\x04\x42\x00\x3c" + text("c") + text("p")), Reason.MALFORMED_PACKET),
        (packet(0x10, text("MQTT") + b"\x04\x1e\x00\x3c" + text("c")), Reason.MALFORMED_PACKET),  # will QoS 3
        (
            packet(0x10, text("MQTT") + b"\x04\x22\x00\x3c" + text("c")),
            Reason.MALFORMED_PACKET,
        ),  # retain, no will
        (packet(0x10, text("MQTT") + b"\x04\x02\x00"), Reason.MALFORMED_PACKET),
        (packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + b"\x00\x09c"), Reason.MALFORMED_PACKET),
        (packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("c") + b"x"), Reason.MALFORMED_PACKET),
        (packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(b"\xff")), Reason.MALFORMED_PACKET),
        (packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("a\0b")), Reason.MALFORMED_PACKET),
        (connect_packet("c", 5, properties=b"\x21\x00\x00"), Reason.PROTOCOL_ERROR),  # Receive Maximum 0
        (connect_packet("c", 5, properties=b"\x21\x00\x01\x21\x00\x02"), Reason.PROTOCOL_ERROR),  # twice
        (connect_packet("c", 5, properties=b"\x23\x00\x01"), Reason.MALFORMED_PACKET),  # not of CONNECT
        (connect_packet("c", 5, properties=b"\x7e\x00"), Reason.MALFORMED_PACKET),  # of nothing
        (connect_packet("c", 5, properties=b"\x15" + text("SCRAM")), Reason.BAD_AUTHENTICATION_METHOD),
        (packet(0x10, text("MQTT") + b"\x05\x02\x00\x3c" + varint(200) + text("c")), Reason.MALFORMED_PACKET),
    ],
)
def test_a_connect_that_breaks_the_protocol(data, reason):
    with pytest.raises(ProtocolError) as error:
        mp.read_connect(*body_of(data))
    assert error.value.reason is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x00\x01\x00", Reason.PROTOCOL_ERROR),  # no filter
        (b"\x00\x00\x00" + text("a") + b"\x00", Reason.PROTOCOL_ERROR),  # packet id 0
        (b"\x00\x01\x00" + text("a") + b"\x03", Reason.MALFORMED_PACKET),  # QoS 3
        (b"\x00\x01\x00" + text("a") + b"\x40", Reason.MALFORMED_PACKET),  # reserved bits
        (b"\x00\x01\x00" + text("a") + b"\x30", Reason.MALFORMED_PACKET),  # retain handling 3
        (b"\x00\x01\x00" + text("a"), Reason.MALFORMED_PACKET),  # no options
        (b"\x00\x01\x02\x0b\x01" + text("a") + b"\x00", Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED),
    ],
)
def test_a_subscribe_that_breaks_the_protocol(body, reason):
    with pytest.raises(ProtocolError) as error:
        mp.read_subscribe(5, body, 0, len(body))
    assert error.value.reason is reason


@given(st.binary(max_size=60), st.sampled_from([4, 5]))
def test_any_body_is_read_or_refused(body, version):
    for read in (
        lambda: mp.read_connect(text("MQTT") + bytes((version,)) + body, 0, 7 + len(body)),
        lambda: mp.read_subscribe(version, body, 0, len(body)),
        lambda: mp.read_unsubscribe(version, body, 0, len(body)),
        lambda: mp.read_disconnect(version, body, 0, len(body)),
        lambda: mp.read_properties(mp.Reader(body, 0, len(body)), mp.PUBLISH_PROPERTIES),
    ):
        with contextlib.suppress(ProtocolError):
            read()


@given(st.integers(0, 268_435_455))
def test_lengths_survive(value):
    data = mp.varint(value)
    assert mp.Reader(data, 0, len(data)).varint() == value
