"""Store and forward with aiomqtt, confirmed by receipts: the other kind of gateway.

aiomqtt hides the reason code of a PUBACK. So a message that carries `seq` leaves the spool only when the server's
receipt for that seq has come (`docs/contract.md`: one for each object with a seq, after the commit); it is sent
again when none comes within `receipt_timeout_s`. A message without a seq leaves on its PUBACK.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Iterable, Mapping

import aiomqtt
import msgspec

from carbonmeter.forward import Address, ForwardCounts, Spool, Stored
from domain.errors import Unavailable

log = logging.getLogger(__name__)


class _Numbered(msgspec.Struct):
    """What of a payload or a receipt matters here."""

    seq: int | None = None


def seq_of(payload: bytes) -> int | None:
    """The seq of a payload that is one object with a seq."""
    try:
        return msgspec.json.decode(payload, type=_Numbered).seq
    except (msgspec.DecodeError, RecursionError):
        return None


class AiomqttForwarder:
    """As `carbonmeter.forward.Forwarder`, over aiomqtt in a thread with a loop of its own."""

    def __init__(
        self,
        spool: Spool,
        url: str,
        *,
        client_id: str,
        receipts_topic: str,
        username: str | None = None,
        password: str | None = None,
        protocol: int = 5,
        window: int = 128,
        receipt_timeout_s: float = 15.0,
        backoff_s: tuple[float, float] = (0.2, 10.0),
    ) -> None:
        self.spool = spool
        self.counts = ForwardCounts()
        self.receipts = 0
        self._address = Address.parse(url)
        self._client_id = client_id
        self._receipts_topic = receipts_topic
        self._username = username or self._address.username
        self._password = password or self._address.password
        self._protocol = protocol
        self._window = window
        self._receipt_timeout_s = receipt_timeout_s
        self._backoff_s = backoff_s
        self._stopping = False
        self._paused = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}  # by seq

    def start(self) -> None:
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(started)), name=f"aiomqtt-{self._client_id}", daemon=True
        )
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        self._stopping = True
        self._notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def put_many(self, messages: Iterable[tuple[str, bytes]], notes: Mapping[str, str] | None = None) -> int:
        last = self.spool.put_many(messages, notes)
        self._notify()
        return last

    def pause(self, paused: bool = True) -> None:
        """Cut the connection and stay away, or come back."""
        self._paused = paused
        self._notify()

    def drain(self, timeout_s: float | None = None) -> bool:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.spool.pending:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def _notify(self) -> None:
        if self._loop is not None and self._wake is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        started.set()
        failures = 0
        while not self._stopping:
            if self._paused:
                await self._sleep(None)
                continue
            acknowledged = self.counts.acknowledged
            try:
                await self._serve()
                failures = 0
            except (aiomqtt.MqttError, Unavailable, OSError) as error:
                failures = 0 if self.counts.acknowledged > acknowledged else failures + 1
                if str(error) != self.counts.last_error:
                    log.warning("%s: %s", self._client_id, error)
                self.counts.last_error = str(error)
                shortest, longest = self._backoff_s
                await self._sleep(min(longest, shortest * 2 ** min(failures, 20)) * random.uniform(0.5, 1.0))

    async def _sleep(self, seconds: float | None) -> None:
        """Until something is to do, or the time is over."""
        assert self._wake is not None
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        self._wake.clear()

    async def _serve(self) -> None:
        """One connection, until it ends or we leave."""
        version = aiomqtt.ProtocolVersion.V5 if self._protocol == 5 else aiomqtt.ProtocolVersion.V311
        async with aiomqtt.Client(
            self._address.host,
            self._address.port,
            identifier=self._client_id,
            username=self._username or (self._client_id if self._password else None),
            password=self._password,
            protocol=version,
            clean_session=None if self._protocol == 5 else True,
            max_inflight_messages=self._window,
            timeout=self._receipt_timeout_s,
        ) as client:
            client.pending_calls_threshold = self._window + 10
            self.counts.connections += 1
            await client.subscribe(self._receipts_topic, qos=1)
            ears = asyncio.create_task(self._listen(client))
            sending: dict[asyncio.Task[None], Stored] = {}
            try:
                await self._send(client, ears, sending)
            finally:
                for task in (ears, *sending):
                    task.cancel()
                await asyncio.gather(ears, *sending, return_exceptions=True)

    async def _send(
        self, client: aiomqtt.Client, ears: asyncio.Task[None], sending: dict[asyncio.Task[None], Stored]
    ) -> None:
        assert self._wake is not None
        cursor = 0
        while not (self._stopping or self._paused):
            page = (
                self.spool.after(cursor, self._window - len(sending)) if len(sending) < self._window else []
            )
            in_flight = {message.id for message in sending.values()}
            for message in page:
                cursor = message.id
                if message.id not in in_flight:
                    sending[asyncio.create_task(self._deliver(client, message))] = message
                    self.counts.sent += 1
            woken = asyncio.create_task(self._wake.wait())
            try:
                await asyncio.wait({*sending, ears, woken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                woken.cancel()
            self._wake.clear()
            done: list[int] = []
            for task in [task for task in sending if task.done()]:
                message = sending.pop(task)
                if isinstance(task.exception(), TimeoutError):
                    self.counts.postponed += 1
                    cursor = min(cursor, message.id - 1)  # no receipt: send it again
                else:
                    task.result()  # raises what ended the connection
                    done.append(message.id)
            self.spool.delete(done)
            self.counts.acknowledged += len(done)
            if ears.done():
                ears.result()
                raise Unavailable("the connection ended")

    async def _deliver(self, client: aiomqtt.Client, message: Stored) -> None:
        """Publish, wait for the PUBACK and, where the message has a seq, for its receipt."""
        seq = seq_of(message.payload)
        if seq is None:
            await client.publish(message.topic, message.payload, qos=1, timeout=float("inf"))
            return
        receipt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(seq, [])
        waiting.append(receipt)
        try:
            await client.publish(message.topic, message.payload, qos=1, timeout=float("inf"))
            await asyncio.wait_for(receipt, self._receipt_timeout_s)
        finally:
            waiting.remove(receipt)
            if not waiting:
                self._waiting.pop(seq, None)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            seq = seq_of(message.payload) if isinstance(message.payload, bytes) else None
            self.receipts += 1
            # A message that was put twice waits twice: a receipt is for one of them.
            waiting = self._waiting.get(seq, []) if seq is not None else []
            for receipt in waiting:
                if not receipt.done():
                    receipt.set_result(None)
                    break
