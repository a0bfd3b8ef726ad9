"""At a real broker: an MQTT 5 client with a persistent session that acknowledges after the commit.

The only import of the MQTT client library, a codec without sockets, which leaves the acknowledgement to us. Receive
Maximum bounds what is in flight; beyond it the broker keeps the messages, on its own terms: what it tells of these is
checked and warned of.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

import mqtt5
from mqtt5 import (
    ConnAckPacket,
    ConnectPacket,
    DisconnectPacket,
    PingReqPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    RetainHandling,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    Will,
)

from domain.clock import Clock
from domain.errors import SettingsError
from ingest.delivery import Chunk, Receipt
from ingest.metrics import BROKER_CONNECTED, BROKER_CONNECTS, RECEIPTS, STALE_ACKNOWLEDGEMENTS
from ingest.mqtt_packet import PUBACKS
from ingest.pipeline import Pipeline
from ingest.settings import BrokerSettings
from ingest.topic import receipts_topic

log = logging.getLogger("carbonmeter.subscriber")

FILTERS = ("carbon/v1/+/+/readings", "carbon/v1/+/+/+/+")
DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"  # Mosquitto tells what it threw away
_DROPPED = "it has dropped"
CONNECT_S_MAX = 10.0
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.2, 30.0
RECEIPTS_IN_FLIGHT_MAX = 1_000
WRITE_BYTES_MAX = 1 << 20  # beyond it the broker doesn't take what we send, and receipts are dropped
_puback = PUBACKS.__getitem__
Answer = TypeVar("Answer")


class BrokerError(Exception):
    """The broker refused us, or broke the protocol: connect again later."""


class Link(asyncio.Protocol):
    """One connection to the broker: a source of the pipeline, so an acknowledgement never leaves by another."""

    def __init__(self, settings: BrokerSettings, pipeline: Pipeline, clock: Clock) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._partial = b""
        self._held_back: set[str] = set()
        self._receipt_id = 0
        self._receipts_in_flight: set[int] = set()
        self._receipts_in_flight_max = RECEIPTS_IN_FLIGHT_MAX
        self._heard_at = clock.monotonic()
        self.on_dropped: Callable[[int], None] = lambda _count: None
        self._own_topics = frozenset({DROPPED_TOPIC})  # what comes by these is for us, and no delivery
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[ConnAckPacket] = loop.create_future()
        self.subscribed: asyncio.Future[SubAckPacket] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        its = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._transport = its
        its.set_write_buffer_limits(WRITE_BYTES_MAX)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was lost" + (f": {exc}" if exc else ""))
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._clock.monotonic()
        if self._partial:
            data = self._partial + data
            self._partial = b""
        topics: list[bytes | str] = []
        payloads: list[bytes] = []
        packet_ids: list[int] = []
        retained: list[int] = []
        view = memoryview(data)
        position, end = 0, len(data)
        try:
            while position < end:
                packet, size = mqtt5.read(view[position:])
                position += size
                if isinstance(packet, PublishPacket):
                    if packet.topic in self._own_topics:
                        self._own(packet.topic, packet.payload, packet.packet_id)
                        continue
                    if packet.retain:
                        retained.append(len(topics))
                    topics.append(packet.topic)
                    payloads.append(packet.payload)
                    packet_ids.append(packet.packet_id or 0)
                else:
                    self._answer(packet)
        except IndexError:  # the rest of the packet hasn't come yet
            self._partial = data[position:]
        except ValueError as error:
            self._end(f"the broker sent what is no MQTT: {error}")
        if topics:
            self._pipeline.submit(
                Chunk(self, "broker", self._clock.now_us(), topics, payloads, packet_ids, frozenset(retained))
            )
            if self._pipeline.is_full and "room" not in self._held_back:
                self._hold_back("room")
                self._pipeline.when_room(self._room)

    def pause_writing(self) -> None:
        self._hold_back("writing")

    def resume_writing(self) -> None:
        self._go_on("writing")

    def _room(self) -> None:
        self._go_on("room")

    def _hold_back(self, why: str) -> None:
        if not self._held_back and self._transport is not None:
            self._transport.pause_reading()
        self._held_back.add(why)

    def _go_on(self, why: str) -> None:
        self._held_back.discard(why)
        if not self._held_back and self._transport is not None and not self._transport.is_closing():
            self._heard_at = self._clock.monotonic()
            self._transport.resume_reading()

    def stop_reading(self) -> None:
        self._hold_back("stopping")

    # Packets

    def _answer(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, PubAckPacket):
            self._receipts_in_flight.discard(packet.packet_id)
        elif isinstance(packet, ConnAckPacket) and not self.connected.done():
            self._receipts_in_flight_max = min(RECEIPTS_IN_FLIGHT_MAX, packet.receive_max)
            self.connected.set_result(packet)
        elif isinstance(packet, SubAckPacket) and not self.subscribed.done():
            self.subscribed.set_result(packet)
        elif isinstance(packet, DisconnectPacket):
            self._end(
                f"the broker disconnects us: {packet.reason_code.name.lower()} {packet.reason_str or ''}".strip()
            )

    def _own(self, topic: str, payload: bytes, packet_id: int | None) -> None:  # noqa: ARG002
        """The broker counts messages that it dropped: those to us may be among them."""
        with contextlib.suppress(ValueError):
            self.on_dropped(int(payload))

    def acknowledge(self, packet_id: int) -> None:
        """A publication that is for us, and no delivery."""
        self.send(_puback(packet_id))

    def put(self, topic: str, payload: bytes, packet_id: int | None = None, *, retain: bool = False) -> None:
        """Publish, at QoS 1 where there is a packet id."""
        qos = QoS.AT_MOST_ONCE if packet_id is None else QoS.AT_LEAST_ONCE
        self.send(PublishPacket(topic, payload, qos=qos, retain=retain, packet_id=packet_id).write())

    def disconnect(self) -> None:
        """The last packet."""
        self.send(DisconnectPacket().write())

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:
        """Acknowledge on the connection that it came by; the broker sends again what an old one left open."""
        if self._transport is None or self._transport.is_closing():
            STALE_ACKNOWLEDGEMENTS.inc(sum(len(chunk.packet_ids) for chunk in chunks))
            return
        self.send(b"".join(_puback(packet_id) for chunk in chunks for packet_id in chunk.packet_ids))
        if "writing" in self._held_back:
            return  # no room for receipts: who has none sends again
        packets = []
        for receipt in receipts:
            payload = json.dumps(receipt.as_dict(committed_us), separators=(",", ":")).encode()
            packet_id = self._next_receipt_id()
            packets.append(
                PublishPacket(
                    receipts_topic(receipt.uscc, receipt.gateway),
                    payload,
                    qos=QoS.AT_MOST_ONCE if packet_id is None else QoS.AT_LEAST_ONCE,
                    packet_id=packet_id,
                ).write()
            )
        if packets:
            RECEIPTS.labels("broker").inc(len(packets))
            self.send(b"".join(packets))

    def _next_receipt_id(self) -> int | None:
        """A packet id for a receipt at QoS 1; None while the broker has as many as it wants: then QoS 0."""
        if len(self._receipts_in_flight) >= self._receipts_in_flight_max:
            return None
        while True:
            self._receipt_id = self._receipt_id % 0xFFFF + 1
            if self._receipt_id not in self._receipts_in_flight:
                self._receipts_in_flight.add(self._receipt_id)
                return self._receipt_id

    async def answered(self, answer: asyncio.Future[Answer]) -> Answer:
        """An answer of the broker. TimeoutError where it is silent for too long while we listen.

        What waits for us comes before the answer to SUBSCRIBE, and with a slow database it takes as long as it takes.
        """
        while not answer.done():
            await asyncio.wait((answer,), timeout=CONNECT_S_MAX / 4)
            silent_s = self._clock.monotonic() - self._heard_at
            if not answer.done() and not self._held_back and silent_s > CONNECT_S_MAX:
                raise TimeoutError("the broker doesn't answer")
        return answer.result()

    async def ping(self) -> None:
        """Keep the connection alive from CONNACK on, and notice when it isn't."""
        keep_alive_s = (await asyncio.shield(self.connected)).server_keep_alive or self._settings.keep_alive_s
        while True:
            await asyncio.sleep(keep_alive_s / 2)
            if not self._held_back and self._clock.monotonic() - self._heard_at > 1.5 * keep_alive_s:
                self._end("the broker is silent")
                return
            self.send(PingReqPacket().write())

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
        for future in (self.connected, self.subscribed):
            if not future.done():
                future.set_exception(BrokerError(why))
                future.exception()  # seen: nobody may be waiting any more
        self.close()

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()


class Subscriber:
    """Connects, subscribes, and does so again for as long as it runs."""

    def __init__(
        self, settings: BrokerSettings, pipeline: Pipeline, clock: Clock, filters: Sequence[str] = ()
    ) -> None:
        """`filters`: of the formats beside carbon/v1."""
        self._settings = settings
        self._pipeline = pipeline
        self._clock = clock
        self._filters = [*FILTERS, *filters]
        self._host, self._port, self._tls, self._user, self._password = _address(settings.url)
        self._link: Link | None = None
        self._was_connected = False
        self._is_stopping = False
        self.is_connected = False
        self.warnings: list[str] = []
        self._dropped_before = 0  # as the broker said last

    def stop_reading(self) -> None:
        """Take nothing more; acknowledgements still go out."""
        self._is_stopping = True
        if self._link is not None:
            self._link.stop_reading()

    async def run(self) -> None:
        tries = 0
        try:
            while True:
                try:
                    why = await self._connection()
                    tries = 0
                except (OSError, TimeoutError, BrokerError, ssl.SSLError) as error:
                    why = str(error) or type(error).__name__
                log.warning("broker %s:%d: %s", self._host, self._port, why)
                pause_s = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(tries, 10))
                tries += 1
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        finally:
            if self._link is not None:
                await self._farewell(self._link)
                self._link.close()
            BROKER_CONNECTED.set(0)

    def _new_link(self) -> Link:
        return Link(self._settings, self._pipeline, self._clock)

    async def _farewell(self, link: Link) -> None:
        """The last word before we leave on purpose."""
        link.disconnect()

    async def _connection(self) -> str:
        """One connection from beginning to end; why it ended."""
        loop = asyncio.get_running_loop()
        if self._pipeline.is_full:
            # Each connection brings a read's worth before it is held back: many of them would add up.
            room = asyncio.Event()
            self._pipeline.when_room(room.set)
            await room.wait()
        link = self._new_link()
        link.on_dropped = self._broker_dropped
        async with asyncio.timeout(CONNECT_S_MAX):
            await loop.create_connection(
                lambda: link, self._host, self._port, ssl=ssl.create_default_context() if self._tls else None
            )
        self._link = link
        pinging = asyncio.create_task(link.ping())
        try:
            await self._introduce(link)
            self.is_connected = True
            BROKER_CONNECTED.set(1)
            BROKER_CONNECTS.inc()
            log.info("subscribed at broker %s:%d", self._host, self._port)
            return await asyncio.shield(link.ended)
        finally:
            pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError, BrokerError):
                await pinging
            self.is_connected = False
            BROKER_CONNECTED.set(0)
            if not self._is_stopping:
                link.close()

    async def _introduce(self, link: Link) -> None:
        """CONNECT and SUBSCRIBE."""
        settings = self._settings
        answer = await self._sign_in(link, settings.client_id, settings.session_expiry_s)
        self._check(answer)
        share = f"$share/{settings.share_group}/" if settings.share_group else ""
        await self._subscribe(link, [share + pattern for pattern in self._filters])
        link.send(SubscribePacket(2, [TopicFilter(DROPPED_TOPIC, max_qos=QoS.AT_MOST_ONCE)]).write())

    async def _sign_in(
        self, link: Link, client_id: str, session_expiry_s: int, will: tuple[str, bytes] | None = None
    ) -> ConnAckPacket:
        """CONNECT, its answer. A session that doesn't outlive its connection begins anew; a will is retained."""
        settings = self._settings
        link.send(
            ConnectPacket(
                client_id,
                username=self._user,
                password=None if self._password is None else self._password.encode(),
                will=None
                if will is None
                else Will(will[0], payload=will[1], qos=QoS.AT_LEAST_ONCE, retain=True),
                clean_start=not session_expiry_s,
                keep_alive=settings.keep_alive_s,
                session_expiry_interval=session_expiry_s,
                receive_max=settings.receive_maximum,
            ).write()
        )
        answer = await link.answered(link.connected)
        # int: the library's codes are no integers, whatever its stubs say
        if int(answer.reason_code) >= 0x80:
            raise BrokerError(
                f"CONNECT refused: {answer.reason_code.name.lower()} {answer.reason_str or ''}".strip()
            )
        return answer

    async def _subscribe(self, link: Link, filters: Sequence[str]) -> None:
        link.send(
            SubscribePacket(
                1,
                [
                    TopicFilter(
                        pattern,
                        max_qos=QoS.AT_LEAST_ONCE,
                        # A bare number that was published to be retained is rejected, whenever it comes.
                        retain_as_published=True,
                        retain_handling=RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
                    )
                    for pattern in filters
                ],
            ).write()
        )
        granted = await link.answered(link.subscribed)
        refused = [
            f"{pattern}: {code.name.lower()}"
            for pattern, code in zip(filters, granted.reason_codes, strict=False)
            if int(code) >= 0x80
        ]
        if refused or len(granted.reason_codes) != len(filters):
            raise BrokerError(f"SUBSCRIBE refused: {', '.join(refused) or 'not every filter was answered'}")
        if any(int(code) == 0 for code in granted.reason_codes):
            self._warn("it grants QoS 0 alone: what is in flight when a connection breaks is lost")

    def _check(self, answer: ConnAckPacket) -> None:
        """What the broker tells of its limits, and what may be lost by them."""
        settings = self._settings
        self.warnings = []
        expiry_s = answer.session_expiry_interval
        if expiry_s is not None and expiry_s < settings.session_expiry_s:
            self._warn(
                f"it keeps our session for {expiry_s} s, not {settings.session_expiry_s} s: if we are away for longer,"
                " what it acknowledged meanwhile is lost"
            )
        if int(answer.max_qos) < int(QoS.AT_LEAST_ONCE):
            self._warn("it offers QoS 0 alone: what is in flight when a connection breaks is lost")
        if not answer.wildcard_subscription_available:
            raise BrokerError("it has no wildcard subscriptions, which the topics of gateways need")
        if settings.share_group and not answer.shared_subscription_available:
            raise BrokerError("it has no shared subscriptions: leave the share group out, and run one worker")
        if answer.max_packet_size is not None and answer.max_packet_size < 1 << 20:
            self._warn(
                f"its maximum packet is {answer.max_packet_size} bytes, below the 1 MiB that gateways may send"
            )
        if answer.assigned_client_id is not None:
            self._warn("it gave us a client id of its own: the session won't be found again")
        if self._was_connected and not answer.session_present:
            self._warn("it has lost our session: messages that it acknowledged meanwhile may be lost")
        self._was_connected = True

    def _broker_dropped(self, count: int) -> None:
        """How many messages the broker has dropped since it started, also while we were away."""
        known = self._dropped_before if self._dropped_before <= count else 0  # it has started anew
        if count > known:
            self.warnings = [each for each in self.warnings if not each.startswith(_DROPPED)]
            self._warn(
                f"{_DROPPED} {count} messages, {count - known} since we last heard: ours may be among them, which it"
                " had acknowledged; set its max_queued_messages and max_queued_bytes to 0 (deploy/mosquitto.conf)"
            )
        self._dropped_before = count

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        log.warning("broker %s:%d: %s", self._host, self._port, text)


def _address(url: str) -> tuple[str, int, bool, str | None, str | None]:
    """(host, port, TLS, user, password) of an MQTT URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise SettingsError("the broker's URL must read mqtt://[user:password@]host[:port] or mqtts://…")
    tls = parts.scheme == "mqtts"
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return parts.hostname, parts.port or (8883 if tls else 1883), tls, user, password
