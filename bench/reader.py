"""The bare limit of a broker: a reader that only acknowledges. `python -m bench.reader PORT FILTER CLIENT`.

Told a number of messages on stdin, it answers with the moment [s since 1970] at which it had acknowledged as many.
It reads with the codec, the Receive Maximum and the asyncio of the real subscriber, and does nothing else.
"""

from __future__ import annotations

import asyncio
import sys
import time

import mqtt5
from mqtt5 import ConnAckPacket, ConnectPacket, PublishPacket, QoS, SubAckPacket, SubscribePacket, TopicFilter

_RECEIVE_MAXIMUM = 20_000
_PUBACKS = tuple(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1 << 16))


class _Reader(asyncio.Protocol):
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._partial = b""
        self.count = 0
        self.connected: asyncio.Future[None] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.reached: asyncio.Future[float] = loop.create_future()
        self.goal = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._partial + data
        self._partial = b""
        view = memoryview(data)
        position, end = 0, len(data)
        answers = []
        try:
            while position < end:
                packet, size = mqtt5.read(view[position:])
                position += size
                if isinstance(packet, PublishPacket):
                    answers.append(_PUBACKS[packet.packet_id or 0])
                elif isinstance(packet, ConnAckPacket):
                    self.connected.set_result(None)
                elif isinstance(packet, SubAckPacket):
                    self.subscribed.set_result(None)
        except IndexError:  # the rest hasn't come yet
            self._partial = data[position:]
        if answers:
            self.transport.write(b"".join(answers))
            self.count += len(answers)
            if self.count >= self.goal and not self.reached.done():
                self.reached.set_result(time.time())


async def _main(port: int, pattern: str, client: str) -> None:
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(_Reader, "127.0.0.1", port)
    connect = ConnectPacket(client, clean_start=True, keep_alive=0, receive_max=_RECEIVE_MAXIMUM)
    reader.transport.write(connect.write())
    await reader.connected
    subscribe = SubscribePacket(1, [TopicFilter(pattern, max_qos=QoS.AT_LEAST_ONCE)])
    reader.transport.write(subscribe.write())
    await reader.subscribed
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        reader.count, reader.goal, reader.reached = 0, int(line), loop.create_future()
        print("go", flush=True)
        print(await reader.reached, flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
