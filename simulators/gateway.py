"""A simulated gateway: reads its meters, keeps what it read on disk, sends until it is acknowledged.

How far it has read is noted in the spool in the transaction that keeps the messages, so a gateway that is
killed goes on where it was: no reading left out, none read twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from carbonmeter.forward import ForwardCounts, Forwarder, Spool
from domain.errors import SettingsError
from simulators.aiomqtt_forward import AiomqttForwarder
from simulators.city import (
    PLANT_CHANNEL,
    PLANT_GATEWAY,
    PLANT_METER,
    PLANT_USCC,
    City,
)
from simulators.encode import Form, Message, Row, StampStyle, pack
from simulators.enterprise import EnterpriseProfile, GatewayProfile
from simulators.faults import Faults, Structure, deliver, disturb, garbage, outages, stranger
from simulators.plant import Plant
from simulators.profile import Growth
from simulators.series import Dial, Series, read


class Sender(Protocol):
    """What a gateway needs of its client: `Forwarder` over paho, `AiomqttForwarder` over aiomqtt."""

    spool: Spool
    counts: ForwardCounts

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def pause(self, paused: bool = True) -> None: ...
    def drain(self, timeout_s: float | None = None) -> bool: ...
    def put_many(
        self, messages: Iterable[tuple[str, bytes]], notes: Mapping[str, str] | None = None
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Link:
    """Where gateways send to, and as whom."""

    url: str
    password: str | None = None
    folder: Path = Path("spool")

    def sender(self, uscc: str, gateway: GatewayProfile) -> Sender:
        spool = Spool(self.folder / f"{uscc}-{gateway.id}.sqlite", reserve_bytes=0)
        name = f"{uscc}-{gateway.id}"
        if gateway.client == "aiomqtt":
            return AiomqttForwarder(
                spool,
                self.url,
                client_id=name,
                receipts_topic=f"carbon/v1/{uscc}/{gateway.id}/receipts",
                password=self.password,
                protocol=gateway.protocol,
            )
        if gateway.client == "paho":
            return Forwarder(
                spool, self.url, client_id=name, password=self.password, protocol=gateway.protocol, window=256
            )
        raise SettingsError(f"client {gateway.client!r} must be paho or aiomqtt")


@dataclass(slots=True)
class Tally:
    """What a gateway has put on its way, in readings, since it was started."""

    readings: int = 0
    repeated: int = 0  # of messages put twice
    garbage: int = 0
    strangers: int = 0


class MeterGroup:
    """The meters behind one gateway and what they show, wrong values too: always the same for a seed."""

    def __init__(
        self,
        city: City,
        enterprise: EnterpriseProfile,
        gateway: GatewayProfile,
        faults: Faults,
        structure: Structure,
    ) -> None:
        self.city = city
        self.uscc = enterprise.uscc
        self.name = f"{enterprise.uscc}/{gateway.id}"
        self.skew_us = structure.skews_us.get((enterprise.uscc, gateway.id), 0)
        self._faults = faults
        self._structure = structure
        self._channels: list[tuple[str, Growth, Dial]] = [
            (
                meter.id,
                city.growth(enterprise, meter, channel),
                structure.dial(city, enterprise.uscc, meter.id, channel),
            )
            for meter, channel in enterprise.channels()
            if meter.gateway == gateway.id
        ]

    def series(self, day: int, every_us: int | None = None) -> list[Series]:
        """Every channel's readings in a local day, as the gateway's clock stamps them."""
        begin_us, end_us = self.city.calendar.day_start(day), self.city.calendar.day_start(day + 1)
        result = []
        for meter, growth, dial in self._channels:
            series = read(self.uscc, meter, growth, dial, begin_us - 1, end_us - 1, every_us)
            chance = random.Random(f"{self.city.seed} {self.name} {series.name} {day}")
            is_plain = self._structure.is_plain(self.uscc, meter, growth.channel.id)
            result.append(disturb(series, self._faults, chance, is_plain=is_plain).moved(self.skew_us))
        return result

    def rows(self, day: int, after_us: int, until_us: int, every_us: int | None = None) -> list[Row]:
        """What is read in (after, until] of the true time, in the order of the stamps."""
        return sorted(
            (
                row
                for series in self.series(day, every_us)
                for row in series.rows()
                if after_us < row.at_us - self.skew_us <= until_us
            ),
            key=lambda row: row.at_us,
        )


class SimulatedGateway:
    """One gateway of the park and the meters behind it."""

    def __init__(
        self,
        city: City,
        enterprise: EnterpriseProfile,
        gateway: GatewayProfile,
        faults: Faults,
        structure: Structure,
        link: Link,
    ) -> None:
        self.meters = MeterGroup(city, enterprise, gateway, faults, structure)
        self.name = self.meters.name
        self.tally = Tally()
        self.sender = link.sender(enterprise.uscc, gateway)
        self._city = city
        self._uscc = enterprise.uscc
        self._gateway = gateway
        self._faults = faults
        self._is_away = False

    @property
    def until_us(self) -> int:
        """The moment up to which the meters have been read."""
        return int(self.sender.spool.note("until_us") or self._city.start_us - 1)

    @property
    def is_away(self) -> bool:
        """In an outage of its connection."""
        return self._is_away

    def advance(self, until_us: int, every_us: int | None = None) -> None:
        """Read the meters up to a moment, their history at their own pace or `every_us`, and put it on its way."""
        after_us = self.until_us
        while after_us < until_us:
            day = self._city.calendar.day(after_us + 1)
            end_us = min(until_us, self._city.calendar.day_start(day + 1) - 1)
            self._put(day, after_us, end_us, every_us)
            after_us = end_us

    def _put(self, day: int, after_us: int, until_us: int, every_us: int | None) -> None:
        rows = self.meters.rows(day, after_us, until_us, every_us)
        chance = random.Random(f"{self._city.seed} {self.name} {after_us} delivery")
        self._suffer_outages(day, after_us, until_us)
        seq = int(self.sender.spool.note("seq") or 0)
        messages = self._pack(rows, seq)
        delivered = deliver(messages, self._faults, chance)
        arriving = self._with_strays(delivered, chance)
        self.sender.put_many(
            [(message.topic, message.payload) for message in arriving],
            {"until_us": str(until_us), "seq": str(seq + len(messages))},
        )
        self.tally.readings += len(rows)
        self.tally.repeated += sum(message.readings for message in delivered) - len(rows)

    def _pack(self, rows: list[Row], seq: int) -> list[Message]:
        """As this gateway's maker does it; seq goes with what its client confirms by receipt."""
        numbered = self._gateway.client == "aiomqtt" and self._gateway.form is not Form.SINGLE
        return pack(
            self._uscc,
            self._gateway.id,
            rows,
            self._gateway.form,
            self._gateway.style,
            first_seq=seq + 1 if numbered else None,
        )

    def _with_strays(self, messages: list[Message], chance: random.Random) -> list[Message]:
        result: list[Message] = []
        for message in messages:
            if chance.random() < self._faults.garbage:
                result.append(garbage(self._uscc, self._gateway.id, chance))
                self.tally.garbage += 1
            if chance.random() < self._faults.strangers:
                result.append(stranger(self._uscc, self._gateway.id, chance))
                self.tally.strangers += 1
            result.append(message)
        return result

    def _suffer_outages(self, day: int, after_us: int, until_us: int) -> None:
        """Cut the connection where an outage covers the time read now, and come back after it."""
        begin_us = self._city.calendar.day_start(day)
        # One day in four has the gateway's outages, so that most of the time it is there.
        chance = random.Random(f"{self._city.seed} {self.name} {day} outages")
        stretches = []
        if chance.random() < 0.25:
            stretches = outages(self._faults, chance, begin_us, self._city.calendar.day_start(day + 1))
        is_away = any(begin <= until_us and after_us < end for begin, end in stretches)
        if is_away != self._is_away:
            self.sender.pause(is_away)
            self._is_away = is_away

    def come_back(self) -> None:
        """End an outage, whatever the plan says."""
        if self._is_away:
            self.sender.pause(False)
            self._is_away = False


class PlantGateway:
    """The gateway of the real plant's replay: the register of each quarter-hour of its year, then silence."""

    PROFILE = GatewayProfile(PLANT_GATEWAY, "paho", 5, Form.C, StampStyle.MILLISECONDS)
    _READINGS = 96  # in a message: a day

    def __init__(self, plant: Plant, link: Link) -> None:
        self.name = f"{PLANT_USCC}/{PLANT_GATEWAY}"
        self.tally = Tally()
        self.sender = link.sender(PLANT_USCC, self.PROFILE)
        self.is_away = False
        self._stamps = plant.stamps_us()
        self._counts = plant.register_counts()

    @property
    def until_us(self) -> int:
        return int(self.sender.spool.note("until_us") or self._stamps[0] - 1)

    def advance(self, until_us: int, every_us: int | None = None) -> None:  # noqa: ARG002 (its pace is the source's)
        first = int(self._stamps.searchsorted(self.until_us, side="right"))
        last = int(self._stamps.searchsorted(until_us, side="right"))
        if first == last:
            return
        rows = [
            Row(PLANT_METER, PLANT_CHANNEL, int(at), int(count), 2)
            for at, count in zip(
                self._stamps[first:last].tolist(), self._counts[first:last].tolist(), strict=True
            )
        ]
        messages = pack(
            PLANT_USCC, PLANT_GATEWAY, rows, Form.C, StampStyle.MILLISECONDS, readings_max=self._READINGS
        )
        self.sender.put_many(
            [(message.topic, message.payload) for message in messages],
            {"until_us": str(int(self._stamps[last - 1]))},
        )
        self.tally.readings += len(rows)

    def come_back(self) -> None:
        """It is never away."""
