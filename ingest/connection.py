"""One MQTT connection of the endpoint: cuts the stream into packets and answers them.

PUBLISH is the hot path: one buffer may hold thousands, they become one chunk of the pipeline, and no task is made for
any. Reading stops while the pipeline is full, while the client has as much in flight as it may (3.1.1 can't be told a
Receive Maximum), and while it doesn't take what we write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, cast

from ingest.delivery import Chunk, Receipt
from ingest.metrics import CLOSED, STALE_ACKNOWLEDGEMENTS
from ingest.mqtt_packet import (
    ANSWERS,
    AUTH,
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PINGRESP_BYTES,
    PUBACK,
    PUBLISH_PROPERTIES,
    PUBREL,
    QOS_2,
    RESPONSE_TOPIC,
    SUBSCRIBE,
    SUBSCRIPTION_IDENTIFIER,
    TOPIC_ALIAS,
    UNSUBSCRIBE,
    V5,
    Connect,
    ProtocolError,
    Reader,
    Reason,
    Will,
    answer_with,
    connack,
    connack_properties,
    disconnect,
    pubcomp,
    publish,
    read_acknowledgement,
    read_connect,
    read_disconnect,
    read_properties,
    read_subscribe,
    read_unsubscribe,
    suback,
    unsuback,
)
from ingest.proxy_protocol import ProxyHeaderError, read_header
from ingest.sign_in import Principal
from ingest.topic import parse_topic
from ingest.topic_filter import answer, matches

if TYPE_CHECKING:
    from ingest.endpoint import Endpoint, Session

log = logging.getLogger("carbonmeter.endpoint")

# CONNECT has five fields of up to 64 KiB; nobody needs as much before having signed in
CONNECT_BYTES_MAX = 64 << 10
LINGER_S = (
    2.0  # what still comes after our last word is read and dropped, so that the client gets to see that word
)
READ_BYTES = 256 << 10
FILTERS_MAX = 100
CLIENT_ID_MAX = 256

_answer = ANSWERS.__getitem__


class Connection(asyncio.BufferedProtocol):
    """The server's side of one connection. Everything runs on the loop's thread."""

    __slots__ = (
        "_endpoint",
        "_held_back",
        "_in_flight",
        "_is_ending",
        "_is_reading",
        "_linger",
        "_need",
        "_partial",
        "_tokens",
        "_tokens_at",
        "_transport",
        "_unreleased",
        "_version",
        "address",
        "awaits_proxy",
        "certificate",
        "client_id",
        "expiry_s",
        "is_counted",
        "keep_alive_s",
        "maximum_packet_size",
        "principal",
        "seen_at",
        "session",
        "slow_since",
        "will",
    )

    def __init__(self, endpoint: Endpoint, *, behind_proxy: bool = False) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._version = 0  # until CONNECT was accepted or at least understood
        self._partial = bytearray()
        self._need = 0  # bytes of the packet in `_partial`, 0 while its length isn't known
        self._in_flight = 0  # deliveries that came by this connection and aren't committed
        self._unreleased: set[int] = set()  # packet ids at QoS 2 that came by it and wait for PUBREL
        self._is_reading = True
        self._is_ending = False
        self._held_back: set[str] = set()  # why nothing is read: room, acks, writing, sign-in
        self._linger: asyncio.TimerHandle | None = None
        self.awaits_proxy = behind_proxy
        self._tokens = endpoint.settings.messages_per_s_max or 0.0
        self._tokens_at = endpoint.now
        self.address = ""  # of the client; behind a proxy as that tells it
        self.is_counted = False  # among those of its address
        self.certificate: dict[str, Any] | None = None  # of the client, verified
        self.principal: Principal | None = None
        self.client_id = ""
        self.session: Session | None = None
        self.expiry_s = 0
        self.keep_alive_s = 0
        self.maximum_packet_size: int | None = None
        self.will: Will | None = None
        self.seen_at = endpoint.now
        self.slow_since: float | None = None

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        its = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._transport = its
        self.certificate = transport.get_extra_info("peercert")
        address = address_of(transport.get_extra_info("peername"))
        if not self._endpoint.opened(self, address):
            its.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._is_ending = True
        self._endpoint.partial_bytes -= len(self._partial)
        self._partial = bytearray()
        if self._linger is not None:
            self._linger.cancel()
        self._endpoint.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._endpoint.buffer()

    def feed(self, data: bytes) -> None:
        """Take bytes that another layer has read."""
        for start in range(0, len(data), READ_BYTES):
            part = data[start : start + READ_BYTES]
            self._endpoint.buffer(whole=True)[: len(part)] = part
            self.buffer_updated(len(part))

    def read_proxy_header(self, data: bytes) -> bytes | None:
        """What follows the proxy's header; None where it hasn't come whole or isn't one: then this is the end."""
        if self._is_ending or self._transport is None:
            return None
        try:
            found = read_header(data)
        except ProxyHeaderError as error:
            self._endpoint.proxy_refused(self, str(error))
            self.abort()
            return None
        if found is None:
            return None
        size, address = found
        self.awaits_proxy = False
        if address is not None and not self._endpoint.addressed(self, address):
            self.abort()
            return None
        return data[size:]

    def buffer_updated(self, nbytes: int) -> None:
        if self._version:  # before its CONNECT a client has its time in all, not anew with each byte
            self.seen_at = self._endpoint.now
        if self._is_ending:
            return
        data = self._endpoint.received(nbytes)
        if self._partial:
            self._partial += data
            self._endpoint.partial_bytes += nbytes
            if len(self._partial) < self._need:
                if self._endpoint.partial_bytes > self._endpoint.settings.partial_bytes_max:
                    self.end(Reason.QUOTA_EXCEEDED, "too many unfinished packets")
                return
            data = bytes(self._partial)
            self._endpoint.partial_bytes -= len(data)
            self._partial = bytearray()
        self._take(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.slow_since = self._endpoint.now
        self._hold_back("writing")

    def resume_writing(self) -> None:
        self.slow_since = None
        self._go_on("writing")

    # Holding back

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._is_ending

    @property
    def is_held_back(self) -> bool:
        """Whether we don't read, so that silence isn't the client's."""
        return bool(self._held_back)

    @property
    def is_slow(self) -> bool:
        """Whether the client doesn't take what we write."""
        return self.slow_since is not None

    def _hold_back(self, why: str) -> None:
        self._held_back.add(why)
        if self._is_reading and self._transport is not None and not self._is_ending:
            self._transport.pause_reading()
            self._is_reading = False

    def _go_on(self, why: str) -> None:
        self._held_back.discard(why)
        if self._held_back or self._is_reading or self._transport is None:
            return
        self.seen_at = self._endpoint.now
        self._is_reading = True
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def stop_reading(self) -> None:
        """The server stops: what was read is committed and acknowledged, the rest stays with the client."""
        self._hold_back("stopping")

    def _room(self) -> None:
        self._go_on("room")

    # Packets

    def _take(self, data: bytes) -> None:
        """Answer the packets in `data` and keep what is left of the last one."""
        if self.awaits_proxy:
            rest = self.read_proxy_header(data)
            if rest is None and self.awaits_proxy and self.is_open:
                self._keep(data, 0)
            if not rest:
                return
            data = rest
        topics: list[bytes] = []
        payloads: list[bytes] = []
        packet_ids: list[int] = []
        retained: list[int] = []
        version = self._version
        limit = self._endpoint.settings.packet_bytes_max if version else CONNECT_BYTES_MAX
        window = self._endpoint.settings.receive_maximum - self._in_flight - len(self._unreleased)
        position, end = 0, len(data)
        need = pings = 0
        fault: ProtocolError | None = None
        try:
            if not version and data[0] != CONNECT << 4:
                raise ProtocolError(Reason.PROTOCOL_ERROR, "what begins here is no CONNECT")
            while end - position >= 2:
                first, size = data[position], data[position + 1]
                at = position + 2
                if size >= 0x80:
                    size &= 0x7F
                    for shift in (7, 14, 21):
                        if at >= end:
                            at = 0
                            break
                        digit = data[at]
                        at += 1
                        size |= (digit & 0x7F) << shift
                        if digit < 0x80:
                            if not digit:
                                raise ProtocolError(
                                    Reason.MALFORMED_PACKET, "a remaining length longer than it needs to be"
                                )
                            break
                    else:
                        raise ProtocolError(
                            Reason.MALFORMED_PACKET, "a remaining length of more than four bytes"
                        )
                    if not at:  # its length hasn't come whole
                        break
                stop = at + size
                if stop - position > limit:
                    self._too_large(data, first, at, stop - position)
                    raise ProtocolError(Reason.PACKET_TOO_LARGE, f"a packet of {stop - position} bytes")
                if stop > end:
                    need = stop - position
                    break
                if 0x30 <= first < 0x40 and version:
                    start = at + 2
                    if start > stop:
                        raise ProtocolError(Reason.MALFORMED_PACKET, "PUBLISH ends within its topic")
                    after = start + (data[at] << 8 | data[at + 1])
                    qos = first & 0x06
                    packet_id = 0
                    payload_at = after
                    if qos:
                        payload_at += 2
                        if payload_at > stop:
                            raise ProtocolError(Reason.MALFORMED_PACKET, "PUBLISH ends within its packet id")
                        packet_id = data[after] << 8 | data[after + 1]
                        if not packet_id:
                            raise ProtocolError(Reason.PROTOCOL_ERROR, "packet id 0")
                        if qos != 2:
                            if qos == 6:
                                raise ProtocolError(Reason.MALFORMED_PACKET, "QoS 3")
                            if self._is_repeat(packet_id):
                                if pings:
                                    self.write(PINGRESP_BYTES * pings)
                                    pings = 0
                                window = self._repeated(packet_id, window)
                                position = stop
                                continue
                            packet_id += QOS_2
                        window -= 1
                        if window < 0 and version == V5:
                            raise ProtocolError(
                                Reason.RECEIVE_MAXIMUM_EXCEEDED, "more in flight than was announced"
                            )
                    elif payload_at > stop:
                        raise ProtocolError(Reason.MALFORMED_PACKET, "PUBLISH ends within its topic")
                    elif first & 0x08:
                        raise ProtocolError(Reason.MALFORMED_PACKET, "DUP at QoS 0")
                    if version == V5:
                        if payload_at >= stop:
                            raise ProtocolError(Reason.MALFORMED_PACKET, "PUBLISH without properties")
                        payload_at = (
                            self._after_properties(data, payload_at, stop)
                            if data[payload_at]
                            else payload_at + 1
                        )
                    if after == start:
                        raise ProtocolError(Reason.PROTOCOL_ERROR, "an empty topic")
                    if first & 0x01:
                        retained.append(len(topics))
                    topics.append(data[start:after])
                    payloads.append(data[payload_at:stop])
                    packet_ids.append(packet_id)
                else:
                    if not version:
                        # Signing in takes a while: the rest waits for it.
                        self._keep(data[stop:], 0)
                        self._connect(data, at, stop)
                        return
                    if first == PINGREQ << 4 and stop == at:
                        pings += 1
                    else:
                        if topics:
                            self._submit(topics, payloads, packet_ids, retained)
                            topics, payloads, packet_ids, retained = [], [], [], []
                        if pings:
                            self.write(PINGRESP_BYTES * pings)
                            pings = 0
                        self._answer(data, first, at, stop)
                        if self._is_ending:
                            return
                position = stop
        except ProtocolError as error:
            fault = error
        if topics:
            self._submit(topics, payloads, packet_ids, retained)
        if pings:
            self.write(PINGRESP_BYTES * pings)
        if fault is not None:
            self.end(fault.reason, fault.detail)
        elif position < end:
            self._keep(data[position:], need)

    def _keep(self, rest: bytes, need: int) -> None:
        self._partial += rest
        self._need = need
        self._endpoint.partial_bytes += len(rest)

    def _submit(
        self, topics: list[bytes], payloads: list[bytes], packet_ids: list[int], retained: list[int]
    ) -> None:
        assert self.principal is not None
        pipeline = self._endpoint.pipeline
        self._in_flight += len(packet_ids) - packet_ids.count(0)
        pipeline.submit(
            Chunk(
                self,
                "endpoint",
                self._endpoint.clock.now_us(),
                topics,
                payloads,
                packet_ids,
                frozenset(retained) if retained else _NONE,
                self.principal.allowed,
            )
        )
        if pipeline.is_full and "room" not in self._held_back:
            self._hold_back("room")
            pipeline.when_room(self._room)
        if self._in_flight >= self._endpoint.settings.receive_maximum and self._version != V5:
            self._hold_back("acks")
        if self._endpoint.settings.messages_per_s_max is not None:
            self._spend(len(topics), self._endpoint.settings.messages_per_s_max)

    def _spend(self, messages: int, per_s: float) -> None:
        """A bucket of a second's worth of messages: who takes more out of it isn't read until it is filled again."""
        now = self._endpoint.clock.monotonic()
        burst = max(per_s, 1.0)
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * per_s) - messages
        self._tokens_at = now
        if self._tokens < 0 and "rate" not in self._held_back:
            self._hold_back("rate")
            asyncio.get_running_loop().call_later(-self._tokens / per_s, self._go_on, "rate")

    def committed(self, chunks: Sequence[Chunk], receipts: Sequence[Receipt], committed_us: int) -> None:
        """Acknowledge: in the order of submission, and only on the connection that it came by, which is this one."""
        if self.session is not None and self.session.unreleased:
            self._received(chunks)
        if self._transport is None or self._transport.is_closing() or self._is_ending:
            STALE_ACKNOWLEDGEMENTS.inc(sum(len(chunk.packet_ids) for chunk in chunks))
        else:
            parts = []
            for chunk in chunks:
                packet_ids = chunk.packet_ids
                self._in_flight -= len(packet_ids) - packet_ids.count(0)
                if chunk.codes and self._version == V5:
                    codes = chunk.codes
                    parts += [
                        answer_with(packet_id, codes[place])
                        if packet_id and place in codes
                        else _answer(packet_id)
                        for place, packet_id in enumerate(packet_ids)
                    ]
                else:
                    parts += map(_answer, packet_ids)
            self._transport.write(b"".join(parts))
            if "acks" in self._held_back and self._in_flight < self._endpoint.settings.receive_maximum:
                self._go_on("acks")
        if receipts:
            self._endpoint.send_receipts(receipts, committed_us)

    # QoS 2. A session remembers the packet ids that it has received, until PUBREL. A second PUBLISH of one of them is
    # no second delivery; it is answered once the first is committed, by whichever connection the session has then.

    def _is_repeat(self, packet_id: int) -> bool:
        """Whether a PUBLISH at QoS 2 is one; if not, its packet id is remembered."""
        assert self.session is not None
        if packet_id in self.session.unreleased:
            return True
        self.session.unreleased[packet_id] = self
        return False

    def _repeated(self, packet_id: int, window: int) -> int:
        """Answer a repeat; the window after it."""
        assert self.session is not None
        delivered_by = self.session.unreleased[packet_id]
        if delivered_by is self or packet_id in self._unreleased:
            if delivered_by is None:
                self.write(_answer(packet_id + QOS_2))
            return window
        if window <= 0 and self._version == V5:
            raise ProtocolError(Reason.RECEIVE_MAXIMUM_EXCEEDED, "more in flight than was announced")
        self._unreleased.add(packet_id)
        if delivered_by is None:
            self.write(_answer(packet_id + QOS_2))
        return window - 1

    def _received(self, chunks: Sequence[Chunk]) -> None:
        """What is committed at QoS 2 waits for its PUBREL from now on; MQTT 5 forgets what was refused."""
        assert self.session is not None
        unreleased, now = self.session.unreleased, self.session.connection
        for chunk in chunks:
            for place, number in enumerate(chunk.packet_ids):
                packet_id = number - QOS_2
                if packet_id <= 0:
                    continue
                waits = now is not None and now is not self and packet_id in now._unreleased
                version = now._version if now is not None and waits else self._version
                code = chunk.codes.get(place, 0) if version == V5 else 0
                if code:
                    del unreleased[packet_id]
                else:
                    unreleased[packet_id] = None
                    self._unreleased.add(packet_id)
                if now is not None and waits:
                    if code:
                        now._unreleased.discard(packet_id)
                    now.write(answer_with(number, code) if code else _answer(number))

    def _release(self, data: bytes, at: int, stop: int) -> None:
        assert self.session is not None
        packet_id = read_acknowledgement(self._version, data, at, stop)
        unreleased = self.session.unreleased
        if unreleased.get(packet_id) is not None:
            raise ProtocolError(Reason.PROTOCOL_ERROR, "a PUBREL before its PUBREC")
        known = packet_id in unreleased
        unreleased.pop(packet_id, None)
        self._unreleased.discard(packet_id)
        reason = Reason.SUCCESS if known else Reason.PACKET_IDENTIFIER_NOT_FOUND
        self.write(pubcomp(self._version, packet_id, reason))

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._is_ending and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def version(self) -> int:
        return self._version

    def _after_properties(self, data: bytes, at: int, stop: int) -> int:
        reader = Reader(data, at, stop)
        properties = read_properties(reader, PUBLISH_PROPERTIES)
        if TOPIC_ALIAS in properties:
            raise ProtocolError(Reason.TOPIC_ALIAS_INVALID, "a topic alias, and none was offered")
        if SUBSCRIPTION_IDENTIFIER in properties:
            raise ProtocolError(Reason.PROTOCOL_ERROR, "a subscription identifier in a client's PUBLISH")
        response = properties.get(RESPONSE_TOPIC)
        if isinstance(response, str) and (not response or "+" in response or "#" in response):
            raise ProtocolError(Reason.PROTOCOL_ERROR, "a response topic that is no topic")
        return reader.at

    def _too_large(self, data: bytes, first: int, at: int, size: int) -> None:
        """Record a packet over the maximum, at the gateway that its topic names where that has come already."""
        gateway = None if self.principal is None else self.principal.only_gateway()
        if self.principal is not None and first >> 4 == 3 and len(data) >= at + 2:
            address = parse_topic(data[at + 2 : at + 2 + (data[at] << 8 | data[at + 1])])
            allowed = self.principal.allowed
            if address is not None and (allowed is None or address.name in allowed):
                gateway = address.uscc, address.gateway
        self._event("packet_too_large", f"a packet of {size} bytes, the maximum is {self._limit()}", gateway)

    def _limit(self) -> int:
        return self._endpoint.settings.packet_bytes_max if self._version else CONNECT_BYTES_MAX

    def _event(self, kind: str, detail: str, gateway: tuple[str, str] | None = None) -> None:
        if gateway is None and self.principal is not None:
            gateway = self.principal.only_gateway()
        who = (
            f"client {self.client_id!a} at {self.address}"
            if self.client_id
            else f"a client at {self.address}"
        )
        self._endpoint.pipeline.event(kind, gateway, f"{who}: {detail}")

    # Signing in

    def _connect(self, data: bytes, at: int, stop: int) -> None:
        try:
            request = read_connect(data, at, stop)
        except ProtocolError as error:
            self._refuse_connect(data, at, error)
            return
        self._version = request.version
        if len(request.client_id) > CLIENT_ID_MAX or (
            not request.client_id and request.version != V5 and not request.clean_start
        ):
            self.refuse(Reason.CLIENT_ID_NOT_VALID)
            return
        self._hold_back("sign-in")
        self._endpoint.sign_in(self, request)

    def _refuse_connect(self, data: bytes, at: int, error: ProtocolError) -> None:
        """Answer a CONNECT that can't be read, in the words of the version that it seems to be of."""
        name = data[at + 2 : at + 6]
        if name == b"MQTT" and len(data) > at + 6 and data[at + 6] == V5:
            self._version = V5
            self.refuse(error.reason)
        elif error.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
            self.refuse(error.reason)
        else:
            self.end(error.reason, error.detail)

    def refuse(self, reason: Reason) -> None:
        """CONNACK with a reason, and the end."""
        self.write(connack(self._version, reason))
        self._version = 0  # no DISCONNECT after a CONNACK that refuses
        self.end(reason, "CONNECT was refused")

    def accept(
        self,
        principal: Principal,
        request: Connect,
        client_id: str,
        session: Session,
        *,
        session_present: bool,
        expiry_s: int,
    ) -> None:
        """Signed in: answer, and go on with what came meanwhile."""
        settings = self._endpoint.settings
        self.principal, self.client_id, self.session = principal, client_id, session
        self.expiry_s, self.will = expiry_s, request.will
        self.keep_alive_s, self.maximum_packet_size = request.keep_alive_s, request.maximum_packet_size
        answer = connack(
            self._version,
            Reason.SUCCESS,
            session_present=session_present,
            properties=connack_properties(
                receive_maximum=settings.receive_maximum,
                maximum_packet_size=settings.packet_bytes_max,
                session_expiry_s=None if expiry_s == request.session_expiry_s else expiry_s,
                assigned_client_id=None if request.client_id else client_id,
            ),
        )
        if self.maximum_packet_size is not None and len(answer) > self.maximum_packet_size:
            self.refuse(Reason.PACKET_TOO_LARGE)
            return
        self.write(answer)
        rest, self._partial = bytes(self._partial), bytearray()
        self._endpoint.partial_bytes -= len(rest)
        self._go_on("sign-in")
        if rest:
            self._take(rest)

    # What isn't PUBLISH

    def _answer(self, data: bytes, first: int, at: int, stop: int) -> None:
        kind = first >> 4
        if first & 0x0F != (2 if kind in (SUBSCRIBE, UNSUBSCRIBE, PUBREL) else 0):
            raise ProtocolError(Reason.MALFORMED_PACKET, f"flags 0x{first & 0x0F:x} of packet type {kind}")
        if kind == SUBSCRIBE:
            self._subscribe(data, at, stop)
        elif kind == UNSUBSCRIBE:
            self._unsubscribe(data, at, stop)
        elif kind == DISCONNECT:
            self._disconnect(data, at, stop)
        elif kind == PUBREL:
            self._release(data, at, stop)
        elif kind == PUBACK:
            # nothing of ours waits for one: receipts go out at QoS 0
            read_acknowledgement(self._version, data, at, stop)
        elif kind == 0:
            raise ProtocolError(Reason.MALFORMED_PACKET, "packet type 0")
        else:
            what = "enhanced authentication" if kind == AUTH else f"packet type {kind}"
            raise ProtocolError(Reason.PROTOCOL_ERROR, f"{what} out of place")

    def _subscribe(self, data: bytes, at: int, stop: int) -> None:
        request = read_subscribe(self._version, data, at, stop)
        assert self.principal is not None
        assert self.session is not None
        reasons: list[int] = []
        for pattern in request.filters:
            reason = answer(pattern, self.principal.allowed)
            if reason is Reason.NOT_AUTHORIZED and self._endpoint.pipeline.formats.may_hear(
                pattern, self.principal.allowed
            ):
                reason = Reason.SUCCESS
            if reason is Reason.SUCCESS and pattern not in self.session.filters:
                if len(self.session.filters) >= FILTERS_MAX:
                    reason = Reason.QUOTA_EXCEEDED
                else:
                    self.session.filters.add(pattern)
                    self._endpoint.subscribed(self, pattern)
            reasons.append(reason)
        self._reply(suback(self._version, request.packet_id, reasons))

    def publish(self, topic: str, payload: bytes) -> bool:
        """To this client at QoS 0, if it is there, subscribed and takes what we write."""
        if self.session is None or not self.is_open or self.is_slow:
            return False
        if not any(matches(pattern, topic) for pattern in self.session.filters):
            return False
        data = publish(self._version, topic.encode(), payload)
        if self.maximum_packet_size is not None and len(data) > self.maximum_packet_size:
            return False
        self.write(data)
        return True

    def _unsubscribe(self, data: bytes, at: int, stop: int) -> None:
        request = read_unsubscribe(self._version, data, at, stop)
        assert self.session is not None
        reasons: list[int] = []
        for pattern in request.filters:
            if pattern in self.session.filters:
                self.session.filters.discard(pattern)
                self._endpoint.unsubscribed(self, pattern)
                reasons.append(Reason.SUCCESS)
            else:
                reasons.append(Reason.NO_SUBSCRIPTION_EXISTED)
        self._reply(unsuback(self._version, request.packet_id, reasons))

    def _reply(self, answer: bytes) -> None:
        if self.maximum_packet_size is not None and len(answer) > self.maximum_packet_size:
            raise ProtocolError(Reason.PACKET_TOO_LARGE, "an answer beyond the client's Maximum Packet Size")
        self.write(answer)

    def _disconnect(self, data: bytes, at: int, stop: int) -> None:
        reason, expiry_s = read_disconnect(self._version, data, at, stop)
        if expiry_s is not None:
            if expiry_s and not self.expiry_s:
                raise ProtocolError(Reason.PROTOCOL_ERROR, "a session that was to end is to stay")
            self.expiry_s = min(expiry_s, self._endpoint.settings.session_expiry_s_max)
        if reason == 0:
            self.will = None
        self._is_ending = True
        if self._transport is not None:
            self._transport.close()

    # The end

    def end(self, reason: Reason, detail: str) -> None:
        """End the connection for a reason that the client gets to know where its version can be told."""
        if self._is_ending or self._transport is None:
            return
        CLOSED.labels(reason.name.lower()).inc()
        who = ascii(self.client_id) if self.client_id else "a connection"
        log.info("closing %s from %s: %s", who, self.address, detail)
        self._is_ending = True
        transport = self._transport
        if self._version == V5:
            transport.write(disconnect(reason))
        try:
            # Closing at once with bytes unread resets the connection, and our last word may be lost with it.
            transport.write_eof()
        except NotImplementedError:
            transport.close()  # TLS and WebSockets have a last word of their own
        except OSError:
            pass
        if not self._is_reading:
            self._is_reading = True
            with contextlib.suppress(RuntimeError):
                transport.resume_reading()
        self._linger = asyncio.get_running_loop().call_later(LINGER_S, transport.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def address_of(peer: Any) -> str:
    """The address in a socket's name of its peer."""
    text = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or address)
    return str(address)


_NONE: frozenset[int] = frozenset()
