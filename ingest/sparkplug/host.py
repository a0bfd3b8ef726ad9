"""A Sparkplug Host Application at a broker: a clean session of its own, with a STATE that tells whether we are there.

Chapter 5.1 of the specification: CONNECT with Clean Start, Session Expiry 0 and a will that says offline; SUBSCRIBE to
the own STATE and the edge nodes; then STATE online with the will's timestamp. Where the will of an older connection
says offline, online is said once more. Leaving on purpose says offline before DISCONNECT.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from domain.clock import Clock
from ingest.decode.sparkplug_b_v1 import NAMESPACE
from ingest.pipeline import Pipeline
from ingest.settings import BrokerSettings
from ingest.sparkplug.decoder import SparkplugDecoder
from ingest.subscriber import Link, Subscriber

LEAVE_S_MAX = 2.0
_STATE_ID = (
    0xFFFF  # packet ids of STATE and of receipts mustn't meet: Sparkplug has no receipts, so any will do
)


def state(is_online: bool, timestamp_ms: int) -> bytes:
    """The payload of STATE."""
    return json.dumps({"online": is_online, "timestamp": timestamp_ms}, separators=(",", ":")).encode()


class HostLink(Link):
    """One connection. `timestamp_ms`: of its will."""

    def __init__(
        self, settings: BrokerSettings, pipeline: Pipeline, clock: Clock, topic: str, timestamp_ms: int
    ) -> None:
        super().__init__(settings, pipeline, clock)
        self._topic = topic
        self.timestamp_ms = timestamp_ms
        self._is_born = False
        self._is_leaving = False
        self._own_topics |= {topic}

    def publish(self, topic: str, payload: bytes) -> bool:
        """A command to an edge node: QoS 0, not retained."""
        if not self._is_born or self._transport is None or self._transport.is_closing():
            return False
        self.put(topic, payload)
        return True

    def say(self, *, is_online: bool, timestamp_ms: int) -> None:
        """Publish STATE."""
        self._is_born = is_online
        self.put(self._topic, state(is_online, timestamp_ms), _STATE_ID, retain=True)

    def leave(self) -> None:
        """Nothing that comes from now on is ours to take."""
        self._is_leaving = True
        self._held_back.add("leaving")
        for why in list(self._held_back):
            self._go_on(why)

    def data_received(self, data: bytes) -> None:
        if not self._is_leaving:
            super().data_received(data)

    def _own(self, topic: str, payload: bytes, packet_id: int | None) -> None:
        if topic != self._topic:
            super()._own(topic, payload, packet_id)
            return
        if packet_id:
            self.acknowledge(packet_id)
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if self._is_born and isinstance(said, dict) and said.get("online") is False:
            self.say(is_online=True, timestamp_ms=self.timestamp_ms)


class HostApplication(Subscriber):
    """Connects as a host for the edge nodes of some decoders, and does so again for as long as it runs."""

    def __init__(
        self,
        settings: BrokerSettings,
        pipeline: Pipeline,
        clock: Clock,
        filters: Sequence[str],
        decoders: Sequence[SparkplugDecoder],
        host_id: str,
    ) -> None:
        super().__init__(settings, pipeline, clock, filters)
        self._topic = f"{NAMESPACE}/STATE/{host_id}"
        self._host_filters = filters
        self._decoders = decoders
        self._host_id = host_id
        self._last_ms = 0

    def _new_link(self) -> HostLink:
        if self._link is not None:
            for decoder in self._decoders:
                decoder.lost(self._link)
        # No two connections to a server have the same, and a later one has a later one.
        self._last_ms = max(self._clock.now_us() // 1000, self._last_ms + 1)
        return HostLink(self._settings, self._pipeline, self._clock, self._topic, self._last_ms)

    async def _introduce(self, link: Link) -> None:
        assert isinstance(link, HostLink)
        client_id = f"{self._settings.client_id}-{self._host_id}"
        will = self._topic, state(False, link.timestamp_ms)
        await self._sign_in(link, client_id, 0, will)
        await self._subscribe(link, [self._topic, *self._host_filters])
        link.say(is_online=True, timestamp_ms=link.timestamp_ms)

    async def _farewell(self, link: Link) -> None:
        assert isinstance(link, HostLink)
        link.say(is_online=False, timestamp_ms=max(self._clock.now_us() // 1000, link.timestamp_ms))
        link.disconnect()
        link.leave()
        # The broker closes. Were we to, with bytes unread, a reset could overtake our last words.
        await asyncio.wait((link.ended,), timeout=LEAVE_S_MAX)
