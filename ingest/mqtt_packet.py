"""MQTT 3.1.1 and 5 packets as the endpoint reads and writes them: bytes and values, no sockets.

`Frames` cuts the stream into packets; PUBLISH, the hot one, is taken apart in `ingest/connection.py` while they are
cut. Names and numbers are the specifications'. A packet that can't be read raises `ProtocolError` with the reason code
of MQTT 5 for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
PUBREC, PUBREL, PUBCOMP = 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT, AUTH = 12, 13, 14, 15

V311, V5 = 4, 5

PINGRESP_BYTES = b"\xd0\x00"
# A plain PUBACK of each packet id, the same in both versions; 0 stands for QoS 0: nothing to say.
PUBACKS: tuple[bytes, ...] = (b"", *(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 1 << 16)))
# The answer to a delivery at the endpoint: one at QoS 2 is numbered by its packet id plus QOS_2 and gets a PUBREC.
QOS_2 = 1 << 16
ANSWERS = (*PUBACKS, b"", *(b"\x50" + puback[1:] for puback in PUBACKS[1:]))


class Reason(IntEnum):
    """Reason codes of MQTT 5 that we use."""

    SUCCESS = 0x00
    NO_SUBSCRIPTION_EXISTED = 0x11
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_ID_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    QOS_NOT_SUPPORTED = 0x9B
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1


# CONNACK of 3.1.1 knows fewer reasons
_CONNACK_311 = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
    Reason.CLIENT_ID_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.SERVER_BUSY: 3,
    Reason.QUOTA_EXCEEDED: 3,
    Reason.BAD_USER_NAME_OR_PASSWORD: 4,
    Reason.NOT_AUTHORIZED: 5,
}


class ProtocolError(Exception):
    """What a client sent breaks the protocol; the connection ends with this reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{detail} (0x{reason:02x})")
        self.reason = reason
        self.detail = detail


def _malformed(detail: str) -> ProtocolError:
    return ProtocolError(Reason.MALFORMED_PACKET, detail)


class Reader:
    """Takes the fields of one packet's body in turn."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self.at = start
        self.end = end

    def byte(self) -> int:
        if self.at >= self.end:
            raise _malformed("the packet ends too early")
        value = self._data[self.at]
        self.at += 1
        return value

    def uint16(self) -> int:
        return self.byte() << 8 | self.byte()

    def uint32(self) -> int:
        return self.uint16() << 16 | self.uint16()

    def varint(self) -> int:
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise _malformed("a variable byte integer longer than it needs to be")
                return value
        raise _malformed("a variable byte integer of more than four bytes")

    def take(self, size: int) -> bytes:
        if self.at + size > self.end:
            raise _malformed("the packet ends too early")
        value = self._data[self.at : self.at + size]
        self.at += size
        return value

    def binary(self) -> bytes:
        return self.take(self.uint16())

    def text(self) -> str:
        data = self.binary()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed("a text is not UTF-8") from error
        if "\0" in text:
            raise _malformed("a text holds U+0000")
        return text

    @property
    def rest(self) -> int:
        return self.end - self.at


# Property: how it is read. Those not listed are malformed.
_BYTE, _UINT16, _UINT32, _VARINT, _TEXT, _BINARY, _PAIR = range(7)
_PROPERTIES = {
    0x01: _BYTE,  # payload format indicator
    0x02: _UINT32,  # message expiry interval
    0x03: _TEXT,  # content type
    0x08: _TEXT,  # response topic
    0x09: _BINARY,  # correlation data
    0x0B: _VARINT,  # subscription identifier
    0x11: _UINT32,  # session expiry interval
    0x15: _TEXT,  # authentication method
    0x16: _BINARY,  # authentication data
    0x17: _BYTE,  # request problem information
    0x18: _UINT32,  # will delay interval
    0x19: _BYTE,  # request response information
    0x1F: _TEXT,  # reason string
    0x21: _UINT16,  # receive maximum
    0x22: _UINT16,  # topic alias maximum
    0x23: _UINT16,  # topic alias
    0x26: _PAIR,  # user property
    0x27: _UINT32,  # maximum packet size
}
RESPONSE_TOPIC = 0x08
SUBSCRIPTION_IDENTIFIER = 0x0B
SESSION_EXPIRY = 0x11
AUTHENTICATION_METHOD = 0x15
AUTHENTICATION_DATA = 0x16
REQUEST_PROBLEM_INFORMATION = 0x17
WILL_DELAY = 0x18
REQUEST_RESPONSE_INFORMATION = 0x19
RECEIVE_MAXIMUM = 0x21
TOPIC_ALIAS = 0x23
MAXIMUM_PACKET_SIZE = 0x27

CONNECT_PROPERTIES = frozenset({0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27})
WILL_PROPERTIES = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26})
PUBLISH_PROPERTIES = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26})
SUBSCRIBE_PROPERTIES = frozenset({0x0B, 0x26})
UNSUBSCRIBE_PROPERTIES = frozenset({0x26})
ACKNOWLEDGEMENT_PROPERTIES = frozenset({0x1F, 0x26})
DISCONNECT_PROPERTIES = frozenset({0x11, 0x1F, 0x26})


def read_properties(reader: Reader, allowed: frozenset[int]) -> dict[int, int | str | bytes]:
    """The properties of a packet of MQTT 5. User properties are passed over."""
    size = reader.varint()
    end = reader.at + size
    if end > reader.end:
        raise _malformed("properties reach beyond the packet")
    inner = Reader(reader._data, reader.at, end)
    found: dict[int, int | str | bytes] = {}
    while inner.rest:
        identifier = inner.varint()
        kind = _PROPERTIES.get(identifier)
        if kind is None or identifier not in allowed:
            raise _malformed(f"property 0x{identifier:02x} doesn't belong here")
        if kind == _PAIR:
            inner.text()
            inner.text()
            continue
        if identifier in found:
            raise ProtocolError(Reason.PROTOCOL_ERROR, f"property 0x{identifier:02x} stands twice")
        value: int | str | bytes
        if kind == _BYTE:
            value = inner.byte()
        elif kind == _UINT16:
            value = inner.uint16()
        elif kind == _UINT32:
            value = inner.uint32()
        elif kind == _VARINT:
            value = inner.varint()
        elif kind == _TEXT:
            value = inner.text()
        else:
            value = inner.binary()
        found[identifier] = value
    reader.at = end
    return found


@dataclass(frozen=True, slots=True)
class Will:
    """What a client wants to be told of its sudden end, unless its session goes on within `delay_s`."""

    topic: str
    payload: bytes
    delay_s: int = 0


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT. `session_expiry_s` is 2³²−1 for a session that doesn't expire."""

    version: int
    client_id: str
    clean_start: bool
    keep_alive_s: int
    session_expiry_s: int
    user_name: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    maximum_packet_size: int | None = None


NO_EXPIRY = 0xFFFF_FFFF


def read_connect(data: bytes, start: int, end: int) -> Connect:
    """The body of a CONNECT. Reason UNSUPPORTED_PROTOCOL_VERSION for a version that isn't ours."""
    reader = Reader(data, start, end)
    name = reader.binary()
    version = reader.byte()
    if (name, version) not in ((b"MQTT", V311), (b"MQTT", V5)):
        if name in (b"MQTT", b"MQIsdp"):
            raise ProtocolError(Reason.UNSUPPORTED_PROTOCOL_VERSION, f"protocol version {version}")
        raise _malformed(f"protocol name {name[:8]!r}")
    flags = reader.byte()
    has_will, will_qos = bool(flags & 0x04), flags >> 3 & 3
    if flags & 0x01:
        raise _malformed("the reserved flag of CONNECT is set")
    if will_qos == 3 or (not has_will and flags & 0x38):
        raise _malformed("will flags that contradict each other")
    if version == V311 and flags & 0x40 and not flags & 0x80:
        raise _malformed("a password without a user name")
    keep_alive_s = reader.uint16()
    clean_start = bool(flags & 0x02)
    expiry_s = 0 if version == V5 or clean_start else NO_EXPIRY
    maximum_packet_size: int | None = None
    if version == V5:
        properties = read_properties(reader, CONNECT_PROPERTIES)
        expiry = properties.get(SESSION_EXPIRY, 0)
        assert isinstance(expiry, int)
        expiry_s = expiry
        if properties.get(RECEIVE_MAXIMUM, 1) == 0 or properties.get(MAXIMUM_PACKET_SIZE, 1) == 0:
            raise ProtocolError(
                Reason.PROTOCOL_ERROR, "Receive Maximum and Maximum Packet Size must not be 0"
            )
        if properties.get(REQUEST_PROBLEM_INFORMATION, 0) not in (0, 1) or (
            properties.get(REQUEST_RESPONSE_INFORMATION, 0) not in (0, 1)
        ):
            raise ProtocolError(Reason.PROTOCOL_ERROR, "a property that must be 0 or 1 isn't")
        if AUTHENTICATION_DATA in properties and AUTHENTICATION_METHOD not in properties:
            raise ProtocolError(Reason.PROTOCOL_ERROR, "authentication data without a method")
        if AUTHENTICATION_METHOD in properties:
            raise ProtocolError(Reason.BAD_AUTHENTICATION_METHOD, "there is no enhanced authentication here")
        maximum = properties.get(MAXIMUM_PACKET_SIZE)
        assert maximum is None or isinstance(maximum, int)
        maximum_packet_size = maximum
    client_id = reader.text()
    will = None
    if has_will:
        delay_s = 0
        if version == V5:
            delay = read_properties(reader, WILL_PROPERTIES).get(WILL_DELAY, 0)
            assert isinstance(delay, int)
            delay_s = delay
        topic = reader.text()
        if not topic:
            raise ProtocolError(Reason.PROTOCOL_ERROR, "an empty will topic")
        will = Will(topic, reader.binary(), delay_s)
    user_name = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    if reader.rest:
        raise _malformed(f"{reader.rest} bytes behind the end of CONNECT")
    return Connect(
        version,
        client_id,
        clean_start,
        keep_alive_s,
        expiry_s,
        user_name,
        password,
        will,
        maximum_packet_size,
    )


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A SUBSCRIBE or UNSUBSCRIBE."""

    packet_id: int
    filters: tuple[str, ...]


def read_subscribe(version: int, data: bytes, start: int, end: int) -> Subscribe:
    reader = Reader(data, start, end)
    packet_id = _packet_id(reader)
    if version == V5 and SUBSCRIPTION_IDENTIFIER in read_properties(reader, SUBSCRIBE_PROPERTIES):
        raise ProtocolError(Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "a subscription identifier")
    filters = []
    while reader.rest:
        pattern = reader.text()
        filters.append(pattern)
        options = reader.byte()
        if options & 3 == 3 or options & (0xC0 if version == V5 else 0xFC) or options >> 4 & 3 == 3:
            raise _malformed(f"subscription options 0x{options:02x}")
        if options & 4 and pattern.startswith("$share/"):
            raise ProtocolError(Reason.PROTOCOL_ERROR, "No Local on a shared subscription")
    if not filters:
        raise ProtocolError(Reason.PROTOCOL_ERROR, "SUBSCRIBE without a filter")
    return Subscribe(packet_id, tuple(filters))


def read_unsubscribe(version: int, data: bytes, start: int, end: int) -> Subscribe:
    reader = Reader(data, start, end)
    packet_id = _packet_id(reader)
    if version == V5:
        read_properties(reader, UNSUBSCRIBE_PROPERTIES)
    filters = []
    while reader.rest:
        filters.append(reader.text())
    if not filters:
        raise ProtocolError(Reason.PROTOCOL_ERROR, "UNSUBSCRIBE without a filter")
    return Subscribe(packet_id, tuple(filters))


def _packet_id(reader: Reader) -> int:
    packet_id = reader.uint16()
    if packet_id == 0:
        raise ProtocolError(Reason.PROTOCOL_ERROR, "packet id 0")
    return packet_id


def read_acknowledgement(version: int, data: bytes, start: int, end: int) -> int:
    """The packet id of a PUBACK or PUBREL. Its reason makes no difference here, and is read for its form alone."""
    reader = Reader(data, start, end)
    packet_id = _packet_id(reader)
    if reader.rest and version == V5:
        reader.byte()
        if reader.rest:
            read_properties(reader, ACKNOWLEDGEMENT_PROPERTIES)
    if reader.rest:
        raise _malformed(f"{reader.rest} bytes behind the end of an acknowledgement")
    return packet_id


def read_disconnect(version: int, data: bytes, start: int, end: int) -> tuple[int, int | None]:
    """(reason code, new session expiry [s] or None) of a DISCONNECT."""
    if version == V311:
        if end > start:
            raise _malformed("DISCONNECT with a body")
        return 0, None
    if end == start:
        return 0, None
    reader = Reader(data, start, end)
    reason = reader.byte()
    if not reader.rest:
        return reason, None
    expiry = read_properties(reader, DISCONNECT_PROPERTIES).get(SESSION_EXPIRY)
    assert expiry is None or isinstance(expiry, int)
    return reason, expiry


# Writing


def varint(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        if not value:
            encoded.append(digit)
            return bytes(encoded)
        encoded.append(digit | 0x80)


def packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + varint(len(body)) + body


def text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def connack(
    version: int,
    reason: Reason,
    *,
    session_present: bool = False,
    properties: bytes = b"",
) -> bytes:
    """`properties` as `connack_properties` gives them, for MQTT 5."""
    if version == V5:
        return packet(0x20, bytes((session_present, reason)) + varint(len(properties)) + properties)
    return packet(0x20, bytes((session_present, _CONNACK_311.get(reason, 5))))


def connack_properties(
    *,
    receive_maximum: int,
    maximum_packet_size: int,
    session_expiry_s: int | None = None,
    assigned_client_id: str | None = None,
) -> bytes:
    """What we can do: QoS 2 and no topic aliases (by leaving both out), no shared subscriptions, no identifiers."""
    result = b"\x21" + receive_maximum.to_bytes(2, "big")
    result += b"\x27" + maximum_packet_size.to_bytes(4, "big")
    result += b"\x29\x00\x2a\x00"
    if session_expiry_s is not None:
        result += b"\x11" + session_expiry_s.to_bytes(4, "big")
    if assigned_client_id is not None:
        result += b"\x12" + text(assigned_client_id)
    return result


def answer_with(number: int, reason: int) -> bytes:
    """A PUBACK, or the PUBREC of a packet id plus QOS_2, of MQTT 5 with a reason."""
    first = b"\x50\x03" if number >= QOS_2 else b"\x40\x03"
    return first + (number & 0xFFFF).to_bytes(2, "big") + bytes((reason,))


def pubcomp(version: int, packet_id: int, reason: Reason) -> bytes:
    """A PUBCOMP; 3.1.1 has no reasons."""
    if version == V5 and reason:
        return b"\x70\x03" + packet_id.to_bytes(2, "big") + bytes((reason,))
    return b"\x70\x02" + packet_id.to_bytes(2, "big")


def suback(version: int, packet_id: int, reasons: list[int]) -> bytes:
    codes = (
        bytes(reasons) if version == V5 else bytes(0x80 if reason >= 0x80 else reason for reason in reasons)
    )
    return packet(0x90, packet_id.to_bytes(2, "big") + (b"\x00" if version == V5 else b"") + codes)


def unsuback(version: int, packet_id: int, reasons: list[int]) -> bytes:
    return packet(0xB0, packet_id.to_bytes(2, "big") + (b"\x00" + bytes(reasons) if version == V5 else b""))


def disconnect(reason: Reason) -> bytes:
    """A DISCONNECT of MQTT 5; 3.1.1 has none from the server."""
    return bytes((0xE0, 1, reason))


def publish(version: int, topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH at QoS 0."""
    properties = b"\x00" if version == V5 else b""
    return packet(0x30, len(topic).to_bytes(2, "big") + topic + properties + payload)
