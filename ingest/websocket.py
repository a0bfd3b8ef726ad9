"""MQTT in WebSocket frames: what stands between a socket and a `Connection` that knows nothing of it.

Frames carry bytes of the stream, as they come: a packet may span frames and a frame may hold many. Compression isn't
offered, so a message costs as much memory as it has bytes on the wire, and none is put together here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError, RemoteProtocolError

from ingest.connection import Connection

if TYPE_CHECKING:
    from ingest.endpoint import Endpoint

SUBPROTOCOL = "mqtt"


class WebSocket(asyncio.Protocol):
    """One connection of the listener for WebSockets."""

    def __init__(self, endpoint: Endpoint, *, behind_proxy: bool) -> None:
        self._frames = WSConnection(ConnectionType.SERVER)
        self._connection = Connection(endpoint, behind_proxy=behind_proxy)
        self._header = bytearray() if behind_proxy else None
        self._stream = Stream(self._frames)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        its = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._stream.transport = its
        self._connection.connection_made(self._stream)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        if self._header is not None:
            self._header += data
            rest = self._connection.read_proxy_header(bytes(self._header))
            if rest is None:
                return
            self._header, data = None, rest
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._take(event)
        except RemoteProtocolError as error:
            self._stream.send(error.event_hint)
            self._stream.end()
        except ProtocolError:
            self._stream.end()

    def _take(self, event: Event) -> None:
        if isinstance(event, BytesMessage):
            self._connection.feed(bytes(event.data))
        elif isinstance(event, Request):
            if SUBPROTOCOL in event.subprotocols:
                self._stream.send(AcceptConnection(subprotocol=SUBPROTOCOL))
                self._stream.is_open = True
            else:
                self._stream.send(RejectConnection(status_code=400))
                self._stream.end()
        elif isinstance(event, Ping):
            self._stream.send(event.response())
        elif isinstance(event, TextMessage):
            self._stream.send(CloseConnection(CloseReason.UNSUPPORTED_DATA, "MQTT is binary"))
            self._stream.end()
        elif isinstance(event, CloseConnection):
            self._stream.send(event.response())
            self._stream.end()


class Stream(asyncio.Transport):
    """The transport that a `Connection` sees: what it writes goes out in binary frames."""

    def __init__(self, frames: WSConnection) -> None:
        super().__init__()
        self._frames = frames
        self.transport: asyncio.Transport | None = None
        self.is_open = False  # the handshake is done

    def send(self, event: Event | None) -> None:
        if event is None or self.transport is None or self.transport.is_closing():
            return
        try:
            self.transport.write(self._frames.send(event))
        except ProtocolError:
            return  # the client closed its side already

    def end(self) -> None:
        """Let go of the socket once what was written is out."""
        if self.transport is not None:
            self.transport.close()

    def write(self, data: Any) -> None:
        if self.is_open:
            self.send(BytesMessage(bytes(data)))

    def close(self) -> None:
        if self.is_open:
            self.send(CloseConnection(CloseReason.NORMAL_CLOSURE))
        self.end()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def is_closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def pause_reading(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default if self.transport is None else self.transport.get_extra_info(name, default)
