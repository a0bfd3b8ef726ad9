"""A TCP proxy that misbehaves on demand: cut, half-closed, silent, slow and refusing connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing drops what is under way, as a cut line would
_READ_BYTES = 1 << 16
_HOST = "127.0.0.1"
T = TypeVar("T")


class _Link:
    """One connection through the proxy: two streams and a pump for each way."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self.near, self.far = near, far  # towards the client, towards the server
        self.is_orphan = False  # its client was told that it has ended, its server wasn't
        self.ended = asyncio.Event()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                await self._proxy.gate.wait()
                if self._proxy.delay_s:
                    await asyncio.sleep(random.uniform(0, self._proxy.delay_s))
                if not writer.is_closing() and not (self.is_orphan and writer is self.far):
                    writer.write(data)
                    await writer.drain()
        if not self.is_orphan:
            self.ended.set()

    def reset(self) -> None:
        for writer in (self.near, self.far):
            raw = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        self.ended.set()

    def half_close(self, towards: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            if towards is self.near:
                self.is_orphan = True
            towards.write_eof()


class Proxy:
    """Listens on a port of its own and passes on to another, in a thread; its methods may be called from any."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._links: set[_Link] = set()
        self.delay_s = 0.0
        self._is_refusing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        return self._now(lambda: self._each(_Link.reset))

    def half_close(self, towards_server: bool) -> int:
        """End one way of every connection. Towards the client, the server doesn't hear that it has gone."""
        return self._now(
            lambda: self._each(lambda link: link.half_close(link.far if towards_server else link.near))
        )

    def hold(self) -> None:
        """From now nothing is passed on either way, and nobody is told."""
        self._now(self.gate.clear)

    def release(self) -> None:
        self._now(self.gate.set)

    def refuse(self, is_refusing: bool) -> None:
        """Reset whoever connects."""
        self._is_refusing = is_refusing

    def forget_orphans(self) -> None:
        """Reset the connections whose clients believe that they ended."""
        self._now(lambda: self._each(lambda link: link.reset() if link.is_orphan else None))

    def _each(self, action: Callable[[_Link], None]) -> int:
        links = list(self._links)
        for link in links:
            action(link)
        return len(links)

    def _now(self, action: Callable[[], T]) -> T:
        async def act() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        self.gate = asyncio.Event()
        self.gate.set()
        return await asyncio.start_server(self._serve, _HOST, 0)

    async def _close(self) -> None:
        self._server.close()
        self._each(_Link.reset)
        self.gate.set()
        while self._links:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._is_refusing:
                raise ConnectionRefusedError
            far_reader, far = await asyncio.open_connection(_HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, writer, far)
        self._links.add(link)
        pumps = [
            asyncio.create_task(link.pump(reader, far)),
            asyncio.create_task(link.pump(far_reader, writer)),
        ]
        try:
            await link.ended.wait()
        finally:
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, far):
                each.close()
