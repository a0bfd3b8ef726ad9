"""MQTT 3.1.1 and 5 of a gateway by hand: the few packets that it writes, and the cutting of what it reads."""

from __future__ import annotations


def connect(client_id: str, version: int, keep_alive_s: int = 60) -> bytes:
    """CONNECT, clean, anonymous."""
    body = _text("MQTT") + bytes((version, 0x02)) + keep_alive_s.to_bytes(2, "big") + _no_properties(version)
    return _packet(0x10, body + _text(client_id))


def publish(topic: str, payload: bytes, packet_id: int, version: int) -> bytes:
    """PUBLISH at QoS 1."""
    return _packet(0x32, _text(topic) + packet_id.to_bytes(2, "big") + _no_properties(version) + payload)


def subscribe(topic: str, packet_id: int, version: int) -> bytes:
    """SUBSCRIBE at QoS 0."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + _no_properties(version) + _text(topic) + b"\0")


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole packets (first byte, body) and the rest."""
    found, position = [], 0
    while len(data) - position >= 2:
        size, at, shift = 0, position + 1, 0
        while at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        else:
            break
        if len(data) < at + size:
            break
        found.append((data[position], data[at : at + size]))
        position = at + size
    return found, data[position:]


def _packet(first: int, body: bytes) -> bytes:
    size, length = b"", len(body)
    while length >= 0x80:
        size += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return bytes((first,)) + size + bytes((length,)) + body


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _no_properties(version: int) -> bytes:
    return b"\0" if version == 5 else b""
