"""A listener for data loggers that speak HJ 212 over TCP: takes frames off connections and answers those that want it.

The answer (CN 9014) goes out once the frame is committed, so a logger that repeats what wasn't answered loses nothing;
what can't be read is a dead letter and answered, too, if it asks in a frame that is whole. Frames of one connection
are answered in their order.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import cast

from domain.clock import Clock
from domain.errors import DecodeError
from ingest.decode.hj212_v2017 import HEAD_BYTES, TAIL_BYTES, Segment, checksum, read_frame
from ingest.delivery import Chunk, Receipt
from ingest.formats import HJ212_TOPIC
from ingest.metrics import CLOSED, CONNECTIONS_HJ212
from ingest.pipeline import Pipeline
from ingest.settings import Hj212Settings

log = logging.getLogger("carbonmeter.hj212")

VIA = "hj212"
ANSWER = 9014  # 数据应答
SWEEP_S = 1.0
WRITE_BYTES_MAX = 64 << 10  # of answers that a logger doesn't take
_MN = re.compile(rb"(?:^|;)MN=([A-Za-z0-9._-]{1,64})(?:;|\Z)")


class Frames:
    """Frames out of a stream of bytes, however it is cut.

    What stands before the next `##` is no frame, and handed out as it is, so that it isn't lost without a trace. A
    frame that isn't whole yet is at most 9,999 characters and its head and tail, which bounds what is kept.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        data = self._rest + data if self._rest else data
        frames = []
        start = 0
        while start < len(data):
            begin = data.find(b"##", start)
            if begin != start:
                # a # at the end may be the first of two
                end = begin if begin > 0 else len(data) - (data[-1:] == b"#")
                if data[start:end].strip(b"\r\n"):
                    frames.append(data[start:end])
                if begin < 0:
                    start = end
                    break
                start = begin
            if len(data) - start < HEAD_BYTES:
                break
            digits = data[start + 2 : start + HEAD_BYTES]
            if not digits.isdigit():
                start = self._skip(data, start, frames)
                continue
            end = start + HEAD_BYTES + int(digits) + TAIL_BYTES
            if len(data) < end:
                break
            if data[end - 2 : end] != b"\r\n":
                start = self._skip(data, start, frames)
                continue
            frames.append(data[start:end])
            start = end
        self._rest = data[start:]
        return frames

    def _skip(self, data: bytes, start: int, frames: list[bytes]) -> int:
        """Hand out what looked like the beginning of a frame, up to the next one; where that is."""
        following = data.find(b"##", start + 2)
        end = len(data) if following < 0 else following
        frames.append(data[start:end])
        return end


def answer_to(segment: Segment) -> bytes:
    """The frame that answers one (HJ 212-2017, 6.6.4): the same QN, MN and password, system 91, command 9014."""
    fields = segment.fields
    parts = [("QN", fields.get("QN", "")), ("ST", "91"), ("CN", str(ANSWER)), ("PW", fields.get("PW", ""))]
    head = ";".join(f"{key}={value}" for key, value in [*parts, ("MN", fields["MN"]), ("Flag", "4")])
    data = f"{head};CP=&&&&".encode("ascii", "replace")
    return b"##%04d%s%04X\r\n" % (len(data), data, checksum(data))


class _Logger(asyncio.Protocol):
    """One connection: a source of the pipeline."""

    def __init__(self, server: Hj212Server) -> None:
        self._server = server
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._is_held_back = False
        self.heard_at = server.clock.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        its = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._transport = its
        its.set_write_buffer_limits(WRITE_BYTES_MAX)
        if not self._server.opened(self):
            its.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._server.clock.monotonic()
        frames = self._frames.feed(data)
        if not frames:
            return
        pipeline = self._server.pipeline
        pipeline.submit(
            Chunk(
                self,
                VIA,
                self._server.clock.now_us(),
                [HJ212_TOPIC.format(mn=_station(frame)) for frame in frames],
                frames,
                [0] * len(frames),
            )
        )
        if pipeline.is_full and not self._is_held_back and self._transport is not None:
            self._is_held_back = True
            self._transport.pause_reading()
            pipeline.when_room(self._go_on)

    def _go_on(self) -> None:
        self._is_held_back = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self.end("slow_consumer")

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:  # noqa: ARG002
        if self._transport is None or self._transport.is_closing():
            return
        answers = []
        for chunk in chunks:
            for place, frame in enumerate(chunk.payloads):
                if place in chunk.codes:
                    continue  # on nobody's account: no rule takes this logger
                try:
                    segment = read_frame(frame)
                except DecodeError:
                    continue
                if segment.wants_answer:
                    answers.append(answer_to(segment))
        if answers:
            self._transport.write(b"".join(answers))

    def stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def end(self, why: str) -> None:
        if self._transport is not None:
            CLOSED.labels(why).inc()
            self._transport.abort()


def _station(frame: bytes) -> str:
    """The MN that a frame names, also where the frame is garbled; `unknown` where it names none."""
    match = _MN.search(frame[HEAD_BYTES:])
    return "unknown" if match is None else match[1].decode("ascii")


class Hj212Server:
    """Listens for data loggers and feeds a pipeline. Everything runs on the loop's thread."""

    def __init__(self, settings: Hj212Settings, pipeline: Pipeline, clock: Clock) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.clock = clock
        self._server: asyncio.Server | None = None
        self._loggers: set[_Logger] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Logger(self), self.settings.host, self.settings.port, reuse_address=True
        )
        self._sweeper = asyncio.create_task(self._sweep())
        log.info("HJ 212 on %s port %d", self.settings.host, self.port)

    @property
    def port(self) -> int:
        """Where it listens, also where the settings left it open."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        return len(self._loggers)

    def opened(self, logger: _Logger) -> bool:
        """Whether there is room for one more."""
        if len(self._loggers) >= self.settings.connections_max:
            CLOSED.labels("connections_max").inc()
            return False
        self._loggers.add(logger)
        CONNECTIONS_HJ212.set(len(self._loggers))
        return True

    def closed(self, logger: _Logger) -> None:
        self._loggers.discard(logger)
        CONNECTIONS_HJ212.set(len(self._loggers))

    def stop_reading(self) -> None:
        """Take no more connections and read no more frames."""
        if self._server is not None:
            self._server.close()
        for logger in self._loggers:
            logger.stop_reading()

    async def close(self) -> None:
        """End all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for logger in list(self._loggers):
            logger.end("shutdown")
        if self._server is not None:
            await self._server.wait_closed()

    async def _sweep(self) -> None:
        """End connections that have been silent for too long: a logger reports each minute at least."""
        while True:
            await asyncio.sleep(SWEEP_S)
            silent_since = self.clock.monotonic() - self.settings.silent_s_max
            for logger in list(self._loggers):
                if logger.heard_at < silent_since:
                    logger.end("silent")
