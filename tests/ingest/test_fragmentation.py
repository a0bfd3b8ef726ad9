"""However a stream is cut into pieces, the answers are the same; whatever bytes come, the server stands."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import SystemClock
from ingest.connection import Connection
from ingest.delivery import Chunk
from ingest.formats import Formats
from ingest.mqtt_packet import Connect
from ingest.settings import EndpointSettings
from ingest.sign_in import ANONYMOUS
from tests.ingest.beds import TOPIC, connect_packet, form_a, packet, publish_packet, reading, subscribe_packet


class Wire(asyncio.Transport):
    """The transport's side of a connection, in memory: what was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Sink:
    """Takes what a pipeline would, and remembers it."""

    is_full = False

    def __init__(self) -> None:
        self.deliveries: list[tuple[Any, ...]] = []
        self.events: list[str] = []
        self.formats = Formats()

    def submit(self, chunk: Chunk) -> None:
        for place, (topic, payload, packet_id) in enumerate(
            zip(chunk.topics, chunk.payloads, chunk.packet_ids, strict=True)
        ):
            self.deliveries.append((topic, payload, packet_id, place in chunk.retained))

    def event(self, kind: str, *_: Any) -> None:
        self.events.append(kind)


class Door:
    """As much of an endpoint as a connection asks for."""

    def __init__(self, **settings: Any) -> None:
        self.settings = EndpointSettings(**settings)
        self.pipeline = Sink()
        self.clock = SystemClock()
        self.partial_bytes = 0
        self.now = 0.0
        self._buffer = memoryview(bytearray(1 << 18))

    def buffer(self, **_: bool) -> memoryview:
        return self._buffer

    def received(self, nbytes: int) -> bytes:
        return bytes(self._buffer[:nbytes])

    def opened(self, *_: Any) -> bool:
        return True

    def closed(self, _: Connection) -> None:
        pass

    def subscribed(self, *_: Any) -> None:
        pass

    unsubscribed = subscribed

    def sign_in(self, connection: Connection, request: Connect) -> None:
        from ingest.endpoint import Session

        connection.accept(
            ANONYMOUS, request, request.client_id or "auto", Session(), session_present=False, expiry_s=0
        )


def fed(pieces: list[bytes], **settings: Any) -> tuple[list[Any], list[str], bytes, bool]:
    """(deliveries, events, answers, closed) after these pieces arrived one after the other."""

    async def feed() -> tuple[list[Any], list[str], bytes, bool]:
        door = Door(**settings)
        wire = Wire()
        connection = Connection(door)  # type: ignore[arg-type]
        connection.connection_made(wire)
        for piece in pieces:
            for start in range(0, len(piece), 1 << 18):
                part = piece[start : start + (1 << 18)]
                buffer = connection.get_buffer(-1)
                buffer[: len(part)] = part
                connection.buffer_updated(len(part))
        deliveries = door.pipeline.deliveries
        connection.connection_lost(None)
        assert door.partial_bytes == 0, "unfinished packets are accounted for to the byte"
        return deliveries, door.pipeline.events, wire.written, wire.closed

    return asyncio.run(feed())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


@st.composite
def packets(draw: Any, version: int) -> bytes:
    kind = draw(st.integers(0, 10))
    if kind <= 5:
        return publish_packet(
            draw(st.sampled_from([form_a(reading(1)), b"", b"x" * 200, b"12.5", b"y" * 20_000])),
            draw(st.sampled_from([TOPIC, TOPIC + "x", "elsewhere"])),
            packet_id=draw(st.one_of(st.integers(1, 3), st.integers(1, 65_535))),
            version=version,
            qos=draw(st.sampled_from([0, 1, 1, 1, 2, 2])),
            retain=draw(st.booleans()),
            properties=draw(st.sampled_from([b"", b"", b"\x01\x01", b"\x26\x00\x01a\x00\x01b"])),
        )
    if kind == 6:
        return b"\xc0\x00"
    if kind == 7:
        return subscribe_packet("#", version=version)
    if kind == 8:
        return packet(draw(st.integers(0, 255)), draw(st.binary(max_size=12)))
    if kind == 9:
        return packet(0x62, draw(st.integers(0, 3)).to_bytes(2, "big"))
    return draw(st.binary(max_size=12))


@st.composite
def streams(draw: Any) -> bytes:
    version = draw(st.sampled_from([4, 5]))
    beginning = draw(st.sampled_from([connect_packet(version=version)] * 4 + [b""]))
    return beginning + b"".join(draw(st.lists(packets(version), max_size=8)))


@given(streams(), st.lists(st.integers(0, 1 << 20), max_size=12))
def test_any_fragmentation_gives_the_same_result(stream: bytes, places: list[int]):
    assert fed(cut(stream, places)) == fed([stream])


@given(streams())
def test_byte_by_byte_too(stream: bytes):
    stream = stream[:3_000]
    assert fed([stream[at : at + 1] for at in range(len(stream))]) == fed([stream])


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_answered_or_refused(data: bytes, connected: bool):
    fed([(connect_packet() if connected else b"") + data])


@pytest.mark.parametrize("size", [126, 127, 128, 16_383, 16_384, 300_000, 1 << 20])
def test_packets_of_every_length(size: int):
    payload = b"p" * (size - len(publish_packet(b"")) - 2)
    deliveries, _, _, _ = fed([connect_packet() + publish_packet(payload, packet_id=9) * 2])
    assert deliveries == [(TOPIC.encode(), payload, 9, False)] * 2


def test_what_came_before_a_fault_is_taken():
    stream = connect_packet() + publish_packet(b"1") + publish_packet(b"2", packet_id=2) + b"\x00\x00"
    deliveries, _, written, closed = fed([stream])
    assert [payload for _, payload, _, _ in deliveries] == [b"1", b"2"]
    assert written.endswith(b"\xe0\x01\x81")
    assert closed


def test_unfinished_packets_have_a_bound_over_all_connections():
    piece = publish_packet(b"x" * 900_000)[:-1]
    _, _, written, closed = fed([connect_packet(), piece], partial_bytes_max=500_000)
    assert closed
    assert written.endswith(b"\xe0\x01\x97")
