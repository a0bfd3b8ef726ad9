"""A small MQTT server over a real socket that answers each PUBLISH as the test says: the misbehaving peer."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

CUT = "cut"  # end the connection instead of answering
SILENT = "silent"  # never answer


@dataclass
class AnsweringServer:
    """`answer(n, topic, payload)` gives a reason code, CUT or SILENT for the n-th PUBLISH (from 0)."""

    answer: Callable[[int, str, bytes], int | str] = lambda _n, _topic, _payload: 0
    receive_maximum: int = 65_535
    packet_bytes_max: int | None = None
    connack_code: int = 0
    receipt: Callable[[int], bool] = lambda _seq: True  # whether a seq gets its receipt
    received: list[tuple[str, bytes]] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    connections: int = 0
    unanswered_max: int = 0
    passwords: list[bytes] = field(default_factory=list)

    def __enter__(self) -> AnsweringServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def cut(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        unanswered = 0
        version = 5
        subscribed = False
        while True:
            kind, body = _read_packet(connection)
            if kind >> 4 == 1:
                version = body[6]
                self.passwords.append(_password(body, version))
                self.connections += 1
                connection.sendall(self._connack(version))
                if self.connack_code:
                    return
            elif kind >> 4 == 3:
                size = int.from_bytes(body[:2], "big")
                topic = body[2 : 2 + size].decode()
                packet_id = body[2 + size : 4 + size]
                payload = body[4 + size :] if version == 4 else body[5 + size + body[4 + size] :]
                answer = self.answer(len(self.received), topic, payload)
                self.received.append((topic, payload))
                unanswered += 1
                self.unanswered_max = max(self.unanswered_max, unanswered)
                if answer == CUT:
                    return
                if answer == SILENT:
                    continue
                assert isinstance(answer, int)
                if answer == 0:
                    self.acknowledged.append(payload)
                    connection.sendall(b"\x40\x02" + packet_id)
                    connection.sendall(self._receipt(topic, payload, version) if subscribed else b"")
                else:
                    connection.sendall(b"\x40\x03" + packet_id + bytes([answer]))
                unanswered -= 1
            elif kind >> 4 == 8:
                tail = b"\x00\x01" if version == 5 else b"\x01"
                connection.sendall(b"\x90" + bytes([2 + len(tail)]) + body[:2] + tail)
                subscribed = True
            elif kind >> 4 == 12:
                connection.sendall(b"\xd0\x00")
            elif kind >> 4 == 14:
                return

    def _receipt(self, topic: str, payload: bytes, version: int) -> bytes:
        """A PUBLISH of QoS 0 with the receipt of a payload that has a seq; else nothing."""
        try:
            seq = json.loads(payload)["seq"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return b""
        if not self.receipt(seq):
            return b""
        name = topic.replace("/readings", "/receipts").encode()
        body = len(name).to_bytes(2, "big") + name + (b"\x00" if version == 5 else b"")
        body += json.dumps({"seq": seq, "stored": 1, "held": 0, "rejected": 0}).encode()
        assert len(body) < 16_384
        size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
        return b"\x30" + size + body

    def _connack(self, version: int) -> bytes:
        if version == 4:
            return b"\x20\x02\x00" + bytes([self.connack_code])
        properties = b"\x21" + self.receive_maximum.to_bytes(2, "big")
        if self.packet_bytes_max is not None:
            properties += b"\x27" + self.packet_bytes_max.to_bytes(4, "big")
        body = b"\x00" + bytes([self.connack_code, len(properties)]) + properties
        return b"\x20" + bytes([len(body)]) + body


def _read_packet(connection: socket.socket) -> tuple[int, bytes]:
    kind = _read(connection, 1)[0]
    size = shift = 0
    while True:
        byte = _read(connection, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _password(body: bytes, version: int) -> bytes:
    """The last field of a CONNECT without a will, where its flag is set."""
    if not body[7] & 0x40:
        return b""
    place = 10 + (1 + body[10] if version == 5 else 0)
    fields = []
    while place < len(body):
        size = int.from_bytes(body[place : place + 2], "big")
        fields.append(body[place + 2 : place + 2 + size])
        place += 2 + size
    return fields[-1]
