"""Deliveries to columns: what a batch will write, and what becomes of each reading of it.

A batch fills while the one before it is being committed. Well-formed payloads go through typed decoders straight into
flat lists; anything else through `carbon_v1`, reading by reading. `finish` turns the lists into columns, judges whole
columns by comparison and looks at the doubtful rows one by one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import msgspec
import numpy as np
import numpy.typing as npt

from domain.errors import DecodeError, HoldReason, RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from domain.reading import REVISION_MAX, Flag, exact_value
from domain.registry import Kind
from ingest.decode.carbon_v1 import OBJECTS_MAX, read, read_single
from ingest.decode.carbon_v1_typed import (
    Payload,
    Reading,
    Single,
    TextPayload,
    decode_payload,
    decode_single,
    decode_text_payload,
    keeps_all,
)
from ingest.decode.decoder import Message
from ingest.decode.exact import INTEGER_MAX, exact_text, exact_values
from ingest.decode.wire import Flaw, Seq, WireObject, WireReading
from ingest.delivery import NOT_AUTHORIZED, PACKET_ID_MAX, TOPIC_NAME_INVALID, Chunk, Receipt
from ingest.directory import ClockRules, judge
from ingest.routes import GatewayRoute, Route, Routes
from storage.readings import READING_DTYPE, Delta

_TIME_MIN_MS = TIME_MIN_US // 1000
_TIME_MAX_MS = TIME_MAX_US // 1000
_FLOAT_MAX = 1.7e308
RECEIPT_TIME = int(Flag.RECEIPT_TIME)


_serials = count(1)


class _UnusualError(Exception):
    """A payload that the typed way leaves to the careful one."""


# what the typed way may meet: refused by the decoder, an unknown name, an unreadable time, a value of another kind
_UNUSUAL = (_UnusualError, msgspec.MsgspecError, KeyError, RecursionError, UnicodeDecodeError)


@dataclass(slots=True)
class Rejection:
    """Readings of one delivery that were rejected for one reason. `positions` None: the payload counts whole."""

    delivery: int
    gateway: GatewayRoute | None
    reason: RejectReason
    detail: str
    positions: list[int] | None
    readings: int


@dataclass(slots=True)
class Hold:
    """A reading to hold."""

    delivery: int
    gateway: GatewayRoute
    meter: str
    channel: str
    at_us: int
    mantissa: int
    exponent: int
    quality: int
    revision: int
    flags: int
    reason: HoldReason


@dataclass(slots=True)
class _ObjectReceipt:
    """A receipt with the rows [start, end) that it is for."""

    receipt: Receipt
    chunk: Chunk
    start: int
    end: int


@dataclass(slots=True)
class Outcome:
    """What a batch writes. `rows` (READING_DTYPE) have no gateway and no batch yet.

    gateways      those with rows, by their local number
    row_*         of each row: local number of its gateway, its delivery, its place in the payload
    """

    rows: npt.NDArray[np.void]
    row_gateways: npt.NDArray[np.int32]
    row_deliveries: npt.NDArray[np.int64]
    row_positions: npt.NDArray[np.int64]
    gateways: list[GatewayRoute]
    stored: npt.NDArray[np.int64]  # by local number of the gateway
    holds: list[Hold]
    rejections: list[Rejection]
    receipts: list[tuple[Chunk, list[Receipt]]]

    def names(self) -> set[tuple[str, str]]:
        """(uscc, gateway) of all whose accounts change."""
        return {
            *(gateway.names for gateway in self.gateways),
            *(hold.gateway.names for hold in self.holds),
            *(rejection.gateway.names for rejection in self.rejections if rejection.gateway is not None),
        }

    def deltas(self) -> dict[tuple[str, str], Delta]:
        """What the batch adds to the accounts, by (uscc, gateway)."""
        sums: dict[tuple[str, str], Delta] = {}

        def add(gateway: GatewayRoute, delta: Delta) -> None:
            sums[gateway.names] = sums.get(gateway.names, Delta()) + delta

        for gateway, stored in zip(self.gateways, self.stored.tolist(), strict=True):
            if stored:
                # spelled out: a batch of single readings may have as many gateways as rows
                known = sums.get(gateway.names)
                delta = Delta(stored, stored, 0, 0)
                sums[gateway.names] = delta if known is None else known + delta
        for hold in self.holds:
            add(hold.gateway, Delta(received=1, held=1))
        for rejection in self.rejections:
            if rejection.gateway is not None:
                add(rejection.gateway, Delta(received=rejection.readings, rejected=rejection.readings))
        return sums


@dataclass(slots=True)
class _Rejected:
    """Rejections of the delivery that is being read, by reason."""

    positions: dict[RejectReason, list[int]] = field(default_factory=dict)
    details: dict[RejectReason, str] = field(default_factory=dict)

    def add(self, position: int, flaw: Flaw) -> None:
        if flaw.reason in self.positions:
            self.positions[flaw.reason].append(position)
        else:
            self.positions[flaw.reason] = [position]
            self.details[flaw.reason] = flaw.detail


class Batch:
    """Deliveries in the order of their arrival, and their readings as columns. For one thread at a time."""

    def __init__(self, routes: Routes, clock: ClockRules) -> None:
        self.routes = routes
        self.clock = clock
        self.chunks: list[Chunk] = []
        self.size_bytes = 0
        # Routes remember it, not the batch itself: a quiet gateway must not keep an old batch in memory.
        self._serial = next(_serials)
        self._chunk_starts: list[int] = []  # number of the first delivery of each chunk
        self._starts: list[int] = []  # first row of each delivery
        # rows
        self._points: list[int] = []
        self._ats: list[int] = []
        self._values: list[float] = []
        self._gateways: list[int] = []
        # exceptions to the plain row
        self._exact: list[tuple[int, int, int]] = []  # row, mantissa, exponent
        self._marks: list[tuple[int, int, int, int, int]] = []  # rows [start, end), quality, revision, flags
        self._positions: dict[int, list[int]] = {}  # of a delivery's rows, where some places have no row
        self._gateway_list: list[GatewayRoute] = []
        self._holds: list[Hold] = []
        self._rejections: list[Rejection] = []
        self._rejection_of: dict[tuple[int, RejectReason], Rejection] = {}
        self._receipts: list[_ObjectReceipt] = []

    @property
    def deliveries(self) -> int:
        return len(self._starts)

    @property
    def readings(self) -> int:
        """At least so many readings; those set aside are not all in it."""
        return len(self._points)

    def add(self, chunk: Chunk, only: Sequence[frozenset[int] | None] | None = None) -> None:
        """Read a chunk of deliveries.

        only   for a replay: of each delivery the places that count, None for all
        """
        self._chunk_starts.append(len(self._starts))
        self.chunks.append(chunk)
        # Local names: this loop is the hot path of single readings.
        starts, points, ats, values, gateways = (
            self._starts,
            self._points,
            self._ats,
            self._values,
            self._gateways,
        )
        topics, serial = self.routes.topics, self._serial
        allowed = chunk.allowed
        hurried = only is None and not chunk.every_object
        size = 0
        for place, (topic, payload) in enumerate(zip(chunk.topics, chunk.payloads, strict=True)):
            starts.append(len(points))
            size += len(payload)
            route = topics.get(topic) or self.routes.find(topic)
            gateway = route.gateway
            if gateway is None or (allowed is not None and gateway.name not in allowed):
                self._apart(chunk, place, payload, route, None if only is None else only[place])
            elif route.point >= 0 and hurried:
                try:
                    single = decode_single(payload)
                    if isinstance(single, Single):
                        at, value = single.at, single.v
                        us = gateway.stamps[at] if isinstance(at, str) else at * 1000
                        if (
                            not TIME_MIN_US <= us < TIME_MAX_US
                            or single.q
                            or single.rev
                            or single.seq is not None
                        ):
                            raise _UnusualError
                        if isinstance(value, str) or not -INTEGER_MAX < value < INTEGER_MAX:
                            value = _value(value, len(points), self._exact)
                    else:
                        us, value = chunk.received_us, single
                        if (
                            route.is_delta
                            or chunk.retained
                            or chunk.packet_ids[place] > PACKET_ID_MAX
                            or not -INTEGER_MAX < value < INTEGER_MAX
                        ):
                            raise _UnusualError
                        self._marks.append((len(points), len(points) + 1, 0, 0, Flag.RECEIPT_TIME))
                except _UNUSUAL:
                    self._single(chunk, place, payload, route, gateway)
                else:
                    points.append(route.point)
                    ats.append(us)
                    values.append(value)
                    gateways.append(gateway.local if gateway.owner == serial else self._local(gateway))
            else:
                self._other(chunk, place, payload, route, gateway, None if only is None else only[place])
        self.size_bytes += size

    def _local(self, gateway: GatewayRoute) -> int:
        """The gateway's number within this batch."""
        if gateway.owner != self._serial:
            gateway.owner = self._serial
            gateway.local = len(self._gateway_list)
            self._gateway_list.append(gateway)
        return gateway.local

    # Deliveries that aren't one plain reading

    def _apart(
        self, chunk: Chunk, place: int, payload: bytes, route: Route, only: frozenset[int] | None
    ) -> None:
        """Of the gateway that signed in; or outside the sender's gateways or our topics: dead letter, on no account."""
        gateway, foreign = route.gateway, route.foreign
        if gateway is None:
            detail = "none of the topics that readings are published to"
            if foreign is not None:
                if foreign.decoder is None:
                    return
                if chunk.sender is not None:
                    self._careful(chunk, place, payload, route, self.routes.gateway(*chunk.sender), only)
                    return
                detail = "whose it is must come from a key that is bound to one gateway"
            chunk.codes[place] = TOPIC_NAME_INVALID
            reason = RejectReason.BAD_TOPIC
        else:
            chunk.codes[place] = NOT_AUTHORIZED
            reason, detail = RejectReason.NOT_AUTHORIZED, f"the sender may not publish for {gateway.name}"
        self._rejections.append(Rejection(len(self._starts) - 1, None, reason, detail, None, 0))

    def _other(
        self,
        chunk: Chunk,
        place: int,
        payload: bytes,
        route: Route,
        gateway: GatewayRoute,
        only: frozenset[int] | None,
    ) -> None:
        if route.is_single:
            if only is None or 0 in only:
                self._single(chunk, place, payload, route, gateway)
        elif route.foreign is not None:
            if route.foreign.decoder is not None:
                self._careful(chunk, place, payload, route, gateway, only)
        elif gateway.refused is None and only is None:
            try:
                self._typed(chunk, payload, gateway)
            except _UNUSUAL:
                self._careful(chunk, place, payload, route, gateway, None)
        else:
            self._careful(chunk, place, payload, route, gateway, only)

    def _single(self, chunk: Chunk, place: int, payload: bytes, route: Route, gateway: GatewayRoute) -> None:
        """A payload of a channel's own topic, with care."""
        delivery = len(self._starts) - 1
        seq: Seq = None
        rejected = _Rejected()
        start = len(self._points)
        held = 0
        try:
            seq, item, is_bare = read_single(payload, route.meter, route.channel, gateway.zone_offset_us)
        except DecodeError as error:
            item, is_bare = Flaw(error.reason, error.detail), False
        if gateway.refused is not None:
            item = Flaw(gateway.refused, gateway.refusal)
        elif is_bare and isinstance(item, WireReading):
            if place in chunk.retained:
                item = Flaw(RejectReason.RETAINED, "a bare number that was retained has no time")
            elif route.is_delta:
                item = Flaw(
                    RejectReason.NO_TIME_FOR_DELTA,
                    "a bare number of a delta channel: a redelivery would count twice",
                )
            elif chunk.packet_ids[place] > PACKET_ID_MAX:
                item = Flaw(
                    RejectReason.NO_TIME_AT_QOS_2,
                    "a bare number at QoS 2: send it at QoS 0 or 1, or with its time",
                )
        if isinstance(item, Flaw):
            rejected.add(0, item)
        else:
            flags = int(Flag.RECEIPT_TIME) if is_bare else 0
            at_us = chunk.received_us if is_bare else item.at_us
            held += not self._place(item, at_us, flags, gateway, delivery)
        self._reject(delivery, gateway, rejected, 1)
        if seq is not None or chunk.every_object:
            receipt = Receipt(*gateway.names, seq, 1, held, len(rejected.positions))
            self._receipts.append(_ObjectReceipt(receipt, chunk, start, len(self._points)))

    def _place(self, item: WireReading, at_us: int, flags: int, gateway: GatewayRoute, delivery: int) -> bool:
        """Make a readable reading a row, or hold it where its channel isn't known (then False)."""
        point = gateway.index.get(f"{item.meter}/{item.channel}")
        if point is None:
            reason = self.routes.directory.point(gateway.names[0], item.meter, item.channel)
            assert isinstance(reason, HoldReason)
            self._holds.append(
                Hold(
                    delivery,
                    gateway,
                    item.meter,
                    item.channel,
                    at_us,
                    item.mantissa,
                    item.exponent,
                    item.quality,
                    item.revision,
                    flags,
                    reason,
                )
            )
            return False
        row = len(self._points)
        self._points.append(point)
        self._ats.append(at_us)
        self._values.append(_approximation(item.mantissa, item.exponent))
        self._gateways.append(self._local(gateway))
        self._exact.append((row, item.mantissa, item.exponent))
        if item.quality or item.revision or flags:
            self._marks.append((row, row + 1, item.quality, item.revision, flags))
        return True

    def _careful(
        self,
        chunk: Chunk,
        place: int,
        payload: bytes,
        route: Route,
        gateway: GatewayRoute,
        only: frozenset[int] | None,
    ) -> None:
        """A payload of the topic `…/readings` or of a foreign format, reading by reading."""
        delivery = len(self._starts) - 1
        delivery_start, first_receipt = len(self._points), len(self._receipts)
        rejected = _Rejected()
        positions: list[int] = []
        found = position = 0
        is_found = False
        refusal = None if gateway.refused is None else Flaw(gateway.refused, gateway.refusal)
        try:
            if route.foreign is None:
                objects: Iterable[WireObject] = read(payload, gateway.zone_offset_us)
            else:
                objects = self._foreign(chunk, place, payload, route, gateway)
        except DecodeError as error:
            objects = (WireObject(None, (Flaw(error.reason, error.detail),), is_whole=True),)
        for wire in objects:
            is_found |= not wire.is_whole or wire.seq is not None
            receipt = Receipt(*gateway.names, wire.seq)
            start = len(self._points)
            for item in wire.items:
                if isinstance(item, WireReading) and item.is_last_value and self._is_delta(item, gateway):
                    item = None
                if item is not None and (only is None or position in only):
                    receipt.received += 1
                    flags = 0
                    if refusal is not None:
                        item = refusal
                    elif isinstance(item, WireReading) and item.is_receipt_time:
                        item, flags = self._without_time(item, gateway, place in chunk.retained), RECEIPT_TIME
                    if isinstance(item, Flaw):
                        rejected.add(position, item)
                        receipt.rejected += 1
                    elif self._place(item, item.at_us, flags, gateway, delivery):
                        positions.append(position)
                    else:
                        receipt.held += 1
                position += 1
            found += receipt.received
            if wire.seq is not None or chunk.every_object:
                self._receipts.append(_ObjectReceipt(receipt, chunk, start, len(self._points)))
        if not is_found and only is None and rejected.positions:
            # no readings in the whole of it: it counts as one
            if chunk.every_object:
                del self._receipts[first_receipt:]
                receipt = Receipt(*gateway.names, None, received=1, rejected=1)
                self._receipts.append(_ObjectReceipt(receipt, chunk, delivery_start, delivery_start))
            reason = next(iter(rejected.positions))
            self._rejections.append(Rejection(delivery, gateway, reason, rejected.details[reason], None, 1))
            return
        if positions and positions != list(range(len(positions))):
            self._positions[delivery] = positions
        assert len(self._points) - delivery_start == len(positions)
        self._reject(delivery, gateway, rejected, found if only is None else -1)

    def _foreign(
        self, chunk: Chunk, place: int, payload: bytes, route: Route, gateway: GatewayRoute
    ) -> Sequence[WireObject]:
        """The objects of a payload of a foreign format; DecodeError where there are none."""
        assert route.foreign is not None
        decoder = route.foreign.decoder
        assert decoder is not None
        objects: Sequence[WireObject] | DecodeError | None = chunk.found.get(place)
        if objects is None:
            topic = chunk.topics[place]
            message = Message(
                payload,
                topic if isinstance(topic, str) else topic.decode(),
                route.foreign.levels,
                route.names(gateway),
                gateway.zone_offset_us,
                chunk.received_us,
                None if chunk.is_replay else chunk.source,
                place in chunk.retained,
                gateway.names,
                partial(chunk.kept.__setitem__, place),
            )
            try:
                objects = tuple(decoder.read(message))
            except DecodeError as error:
                objects = error
            if decoder.is_stateful:
                if not isinstance(objects, DecodeError):
                    objects = tuple(replace(item, items=tuple(item.items)) for item in objects)
                chunk.found[place] = objects
        if isinstance(objects, DecodeError):
            raise objects
        return objects

    def _without_time(
        self, item: WireReading, gateway: GatewayRoute, is_retained: bool
    ) -> WireReading | Flaw:
        """A reading that takes the time of receipt, where it may."""
        if is_retained:
            return Flaw(RejectReason.RETAINED, "a reading without a time of its own that was retained")
        if self._is_delta(item, gateway):
            return Flaw(
                RejectReason.NO_TIME_FOR_DELTA,
                "a delta channel's reading without a time of its own: a redelivery would count twice",
            )
        return item

    def _is_delta(self, item: WireReading, gateway: GatewayRoute) -> bool:
        point = gateway.index.get(f"{item.meter}/{item.channel}")
        return point is not None and self.routes.directory.points[point].kind is Kind.DELTA

    def _reject(self, delivery: int, gateway: GatewayRoute, rejected: _Rejected, whole: int) -> None:
        """`whole`: the number of readings in the payload; a reason that took them all needs no positions."""
        for reason, positions in rejected.positions.items():
            places = None if len(positions) == whole else positions
            self._rejections.append(
                Rejection(delivery, gateway, reason, rejected.details[reason], places, len(positions))
            )

    # The typed way: nothing is appended before all of a payload is found to be plain

    def _typed(self, chunk: Chunk, payload: bytes, gateway: GatewayRoute) -> None:
        decoded: Payload | TextPayload | list[Payload] | list[TextPayload]
        try:
            decoded = decode_payload(payload)
        except msgspec.ValidationError:
            decoded = decode_text_payload(payload)
        objects: Sequence[Payload | TextPayload] = decoded if isinstance(decoded, list) else (decoded,)
        if not objects or len(objects) > OBJECTS_MAX or not keeps_all(payload, objects):
            raise _UnusualError
        read_objects = [_typed_object(item, gateway) for item in objects]
        local = self._local(gateway)
        for item, (points, ats, values, exact, marks) in zip(objects, read_objects, strict=True):
            start = len(self._points)
            self._points += points
            self._ats += ats
            self._values += values
            self._gateways += [local] * len(points)
            self._exact += [(start + place, mantissa, exponent) for place, mantissa, exponent in exact]
            self._marks += [
                (start + first, start + end, quality, rev, 0) for first, end, quality, rev in marks
            ]
            if item.seq is not None or chunk.every_object:
                seq = item.seq if _is_seq(item.seq) else None
                if seq is not None or chunk.every_object:
                    receipt = Receipt(*gateway.names, seq, len(points))
                    self._receipts.append(_ObjectReceipt(receipt, chunk, start, start + len(points)))

    # Columns

    def finish(self, now_us: int) -> Outcome:
        """Judge every row by the registry and the clock; `now_us` is the server's time."""
        directory = self.routes.directory
        size = len(self._points)
        points = np.array(self._points, np.int64)
        ats = np.array(self._ats, np.int64)
        values = np.array(self._values, np.float64)
        gateways = np.array(self._gateways, np.int32)
        rows = np.zeros(size, READING_DTYPE)
        if self._exact:
            exact = np.array(self._exact, np.int64)
            doubles = values.copy()
            doubles[exact[:, 0]] = 0.0
            rows["mantissa"], rows["exponent"] = exact_values(doubles)
            rows["mantissa"][exact[:, 0]] = exact[:, 1]
            rows["exponent"][exact[:, 0]] = exact[:, 2]
        else:
            rows["mantissa"], rows["exponent"] = exact_values(values)
        for start, end, quality, revision, flags in self._marks:
            rows["quality"][start:end] = quality
            rows["revision"][start:end] = revision
            rows["flags"][start:end] = flags
        rows["measured_at"] = ats
        starts = np.array(self._starts, np.int64)
        deliveries = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, size)))
        positions = np.arange(size) - starts[deliveries]
        for delivery, places in self._positions.items():
            positions[starts[delivery] : starts[delivery] + len(places)] = places
        stored = np.ones(size, np.bool_)
        if size:
            rows["channel_id"] = directory.ids[points]
            ahead_us = min(chunk.received_us for chunk in self.chunks) + self.clock.ahead_us
            doubtful = (
                (ats < directory.lowest[points])
                | (ats > directory.highest[points])
                | (ats > ahead_us)
                | (np.abs(values) > directory.bound[points])
            )
            for row in np.flatnonzero(doubtful).tolist():
                stored[row] = self._judge(row, rows[row], int(deliveries[row]), int(positions[row]), now_us)
        return Outcome(
            rows[stored],
            gateways[stored],
            deliveries[stored],
            positions[stored],
            self._gateway_list,
            np.bincount(gateways[stored], minlength=len(self._gateway_list)),
            self._holds,
            self._rejections,
            list(self._receipts_by_chunk()),
        )

    def again(self, routes: Routes) -> Batch:
        """The same deliveries under another version of the registry."""
        batch = Batch(routes, self.clock)
        for chunk in self.chunks:
            chunk.codes.clear()
            batch.add(chunk)
        return batch

    def _judge(self, row: int, values: np.void, delivery: int, position: int, now_us: int) -> bool:
        """Whether a doubtful row is stored; else it is held or rejected here."""
        point = self.routes.directory.points[self._points[row]]
        gateway = self._gateway_list[self._gateways[row]]
        chunk = self.chunks[bisect_right(self._chunk_starts, delivery) - 1]
        at_us, mantissa, exponent = (
            int(values["measured_at"]),
            int(values["mantissa"]),
            int(values["exponent"]),
        )
        flags = int(values["flags"])
        verdict = judge(point, at_us, mantissa, exponent, flags, chunk.received_us, now_us, self.clock)
        if verdict is None:
            return True
        receipt = self._receipt_of(row)
        if isinstance(verdict, HoldReason):
            quality, revision = int(values["quality"]), int(values["revision"])
            self._holds.append(
                Hold(
                    delivery,
                    gateway,
                    point.meter,
                    point.channel,
                    at_us,
                    mantissa,
                    exponent,
                    quality,
                    revision,
                    flags,
                    verdict,
                )
            )
            if receipt is not None:
                receipt.held += 1
            return False
        self.reject_row(gateway, delivery, position, verdict, f"{point.name}: {mantissa}e{exponent}")
        if receipt is not None:
            receipt.rejected += 1
        return False

    def reject_row(
        self, gateway: GatewayRoute, delivery: int, position: int, reason: RejectReason, detail: str
    ) -> None:
        """Reject a row: one rejection a delivery and reason. Only once all deliveries are in."""
        if not self._rejection_of:
            self._rejection_of = {(item.delivery, item.reason): item for item in self._rejections}
        known = self._rejection_of.get((delivery, reason))
        if known is None:
            known = Rejection(delivery, gateway, reason, detail, [position], 1)
            self._rejection_of[delivery, reason] = known
            self._rejections.append(known)
        else:
            assert known.positions is not None, "a reason that took all readings left none to judge"
            known.positions.append(position)
            known.readings += 1

    def _receipt_of(self, row: int) -> Receipt | None:
        place = bisect_right(self._receipts, row, key=lambda item: item.start) - 1
        # objects without rows start where the next one does
        while place >= 0 and self._receipts[place].end <= row and self._receipts[place].start == row:
            place -= 1
        if place >= 0 and self._receipts[place].start <= row < self._receipts[place].end:
            return self._receipts[place].receipt
        return None

    def receipt_at(self, delivery: int, position: int) -> Receipt | None:
        """The receipt that counts a stored reading, by its place."""
        places = self._positions.get(delivery)
        row = self._starts[delivery] + (places.index(position) if places is not None else position)
        return self._receipt_of(row)

    def _receipts_by_chunk(self) -> Iterator[tuple[Chunk, list[Receipt]]]:
        chunk: Chunk | None = None
        receipts: list[Receipt] = []
        for item in self._receipts:
            if item.chunk is not chunk:
                if chunk is not None:
                    yield chunk, receipts
                chunk, receipts = item.chunk, []
            receipts.append(item.receipt)
        if chunk is not None:
            yield chunk, receipts

    def delivery(self, number: int) -> tuple[Chunk, bytes, bytes, bool]:
        """(chunk, topic, payload, retained) of a delivery by its number."""
        at = bisect_right(self._chunk_starts, number) - 1
        chunk = self.chunks[at]
        place = number - self._chunk_starts[at]
        topic = chunk.topics[place]
        name = topic.encode("utf-8", "replace") if isinstance(topic, str) else topic
        return chunk, name, chunk.kept.get(place, chunk.payloads[place]), place in chunk.retained


def _is_seq(seq: Seq) -> bool:
    if isinstance(seq, int):
        return -(1 << 63) <= seq < 1 << 63
    return seq is not None and len(seq) <= 64


def _approximation(mantissa: int, exponent: int) -> float:
    """mantissa × 10^exponent as a double good to 1e-15, the largest one where it is beyond."""
    if exponent < 300:
        return (
            mantissa / 10**-exponent
            if exponent < 0
            else float(mantissa) * 10.0**exponent
            if mantissa
            else 0.0
        )
    return _FLOAT_MAX if mantissa else 0.0


_Columns = tuple[
    list[int],  # points
    list[int],  # stamps [µs]
    list[float],  # values
    list[tuple[int, int, int]],  # (place, mantissa, exponent) of values that a double doesn't say
    list[tuple[int, int, int, int]],  # (start, end, quality, revision)
]


def _typed_object(item: Payload | TextPayload, gateway: GatewayRoute) -> _Columns:
    forms = (item.readings is not None) + (item.values is not None) + (item.v is not None)
    if forms != 1:
        raise _UnusualError
    if item.readings is not None:
        return _typed_a(item.readings, gateway)
    columns: tuple[Sequence[str], list[int], Sequence[float | int | str]]
    quality, revision = item.q, item.rev
    if item.values is not None:
        size = len(item.values)
        if (
            isinstance(item.at, list)
            or item.at is None
            or isinstance(quality, list)
            or isinstance(revision, list)
        ):
            raise _UnusualError
        columns = list(item.values), [_stamp(item.at, gateway)] * size, list(item.values.values())
    else:
        assert item.v is not None
        size = len(item.v)
        if item.ch is None or not isinstance(item.at, list) or not len(item.ch) == len(item.at) == size:
            raise _UnusualError
        columns = item.ch, [_stamp(at, gateway) for at in item.at], item.v
    if not size:
        raise _UnusualError
    names, ats, sent = columns
    points = list(map(gateway.index.__getitem__, names))
    exact: list[tuple[int, int, int]] = []
    if isinstance(item, TextPayload):
        values = [_value(value, place, exact) for place, value in enumerate(sent)]
    else:
        values = sent  # type: ignore[assignment]  # all of them doubles
        if min(values) <= -INTEGER_MAX or max(values) >= INTEGER_MAX:
            raise _UnusualError
    return points, ats, values, exact, _typed_marks(quality, revision, size)


def _typed_a(readings: list[Reading], gateway: GatewayRoute) -> _Columns:
    if not readings:
        raise _UnusualError
    index = gateway.index
    exact: list[tuple[int, int, int]] = []
    points = [index[f"{item.m}/{item.c}"] for item in readings]
    ats = [_stamp(item.at, gateway) for item in readings]
    values = [_value(item.v, place, exact) for place, item in enumerate(readings)]
    marks = [
        (place, place + 1, *_mark(item.q or 0, item.rev or 0))
        for place, item in enumerate(readings)
        if item.q or item.rev
    ]
    return points, ats, values, exact, marks


def _stamp(at: int | str, gateway: GatewayRoute) -> int:
    if isinstance(at, str):
        return gateway.stamps[at]
    if not _TIME_MIN_MS <= at < _TIME_MAX_MS:
        raise _UnusualError
    return at * 1000


def _value(value: float | int | str, place: int, exact: list[tuple[int, int, int]]) -> float:
    if isinstance(value, float) and -INTEGER_MAX < value < INTEGER_MAX:
        return value
    number = exact_text(value) if isinstance(value, str) else exact_value(value)
    if number is None:
        raise _UnusualError
    exact.append((place, *number))
    return _approximation(*number)


def _mark(quality: int, revision: int) -> tuple[int, int]:
    if not 0 <= quality <= 2 or not 0 <= revision <= REVISION_MAX:
        raise _UnusualError
    return quality, revision


def _typed_marks(
    quality: int | list[int] | None, revision: int | list[int] | None, size: int
) -> list[tuple[int, int, int, int]]:
    if not quality and not revision and not isinstance(quality, list) and not isinstance(revision, list):
        return []
    if not isinstance(quality, list) and not isinstance(revision, list):
        return [(0, size, *_mark(quality or 0, revision or 0))]
    qualities = quality if isinstance(quality, list) else [quality or 0] * size
    revisions = revision if isinstance(revision, list) else [revision or 0] * size
    if not len(qualities) == len(revisions) == size:
        raise _UnusualError
    return [
        (place, place + 1, *_mark(*pair))
        for place, pair in enumerate(zip(qualities, revisions, strict=True))
        if pair != (0, 0)
    ]
