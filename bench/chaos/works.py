"""Works whose meters' truth is known: what their gateways send, what becomes of it, what the ledger must say.

Each gateway has three registers and a delta meter, read every five minutes, so that a reading lies on each
quarter-hour and an interval's amount is a difference of two of them. Everything follows from the seed and the
number of steps; when the messages arrive, and how often, must make no difference.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from domain.interval import INTERVAL_US, format_time
from domain.reading import round_half_even

START_US = 1_740_758_400_000_000  # 2025-03-01T00:00+08:00
STEP_US = INTERVAL_US // 3
DISTRICT = "430304"
REGISTER_MODULUS = 1_000_00  # of the second register, in hundredths: it rolls over every few days


class Message(NamedTuple):
    """What a gateway publishes, and what must become of its readings."""

    topic: str
    payload: bytes
    seq: int | None
    stored: int
    held: int
    rejected: int
    marker: tuple[str, int] | None  # (meter, stamp [µs]) of a reading that no other message has

    @property
    def readings(self) -> int:
        return self.stored + self.held + self.rejected


Name = tuple[str, int]  # ("meter/channel", stamp [µs])


@dataclass
class GatewayPlan:
    """One gateway's meters, how far they were read, and what was sent of them.

    has_singles  one of its meters has messages of its own, a reading each; otherwise it comes with the others
    has_torn     some messages were cut off by the device
    """

    uscc: str
    gateway: str
    number: int
    seed: int
    has_singles: bool = True
    has_torn: bool = True
    steps: int = 0
    stored: dict[Name, Fraction] = field(default_factory=dict)
    held: set[Name] = field(default_factory=set)
    letters: set[bytes] = field(default_factory=set)  # payloads with something to reject
    readings: int = 0
    _levels: list[list[int]] = field(default_factory=lambda: [[], [], []])  # counts of 0.01 kWh, unrolled
    _gas: list[int] = field(
        default_factory=list
    )  # counts of 0.1 Nm³ of the quarter-hour that ends at 3 × place

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} {self.number}")

    @property
    def topic(self) -> str:
        return f"carbon/v1/{self.uscc}/{self.gateway}/readings"

    def meters(self) -> dict[str, list[dict[str, Any]]]:
        number = self.number
        return {
            f"E-{number}1": [_channel("kwh", max_rate="1000")],
            f"E-{number}2": [_channel("kwh", max_rate="1000", modulus="1000")],
            f"E-{number}3": [_channel("kwh", max_rate="20000", multiplier="20")],
            f"G-{number}1": [
                _channel("nm3", "delta", quantity="natural_gas", unit="nm3", resolution="0.1", period="PT15M")
            ],
        }

    def sources(self) -> list[dict[str, Any]]:
        number = self.number
        return [
            {
                "id": f"grid-{number}",
                "method": "purchased_electricity",
                "expression": f"E-{number}1/kwh + E-{number}3/kwh - E-{number}2/kwh",
            },
            {
                "id": f"gas-{number}",
                "method": "fuel_combustion",
                "fuel": "natural_gas",
                "expression": f"G-{number}1/nm3",
            },
        ]

    def amounts(self, source: str) -> dict[int, Fraction]:
        """A source's consumption by start of interval [µs], of all that was sent."""
        quarters = range((self.steps - 1) // 3)
        first, second, third = self._levels
        result = {}
        for quarter in quarters:
            begin, end = 3 * quarter, 3 * quarter + 3
            if source.startswith("gas"):
                amount = Fraction(self._gas[quarter + 1], 10)
            else:
                amount = Fraction(
                    first[end]
                    - first[begin]
                    + 20 * (third[end] - third[begin])
                    - second[end]
                    + second[begin],
                    100,
                )
            result[START_US + quarter * INTERVAL_US] = amount
        return result

    def next_messages(self, steps: int) -> list[Message]:
        """The readings of further steps, in an order of the seed's choice."""
        result: list[Message] = []
        for _ in range(steps):
            result += self._step(self.steps)
            self.steps += 1
        self._chance.shuffle(result)
        self.readings += sum(message.readings for message in result)
        return result

    def _step(self, step: int) -> list[Message]:
        chance, number = self._chance, self.number
        at_us = START_US + step * STEP_US
        for level in self._levels:
            level.append(level[-1] + chance.randrange(4_000) if level else chance.randrange(50_000))
        counts = [level[step] for level in self._levels]
        shown = [counts[0], counts[1] % REGISTER_MODULUS, counts[2]]
        values: dict[str, object] = {}
        for place, count in enumerate(shown, 1):
            name = f"E-{number}{place}/kwh"
            self.stored[name, at_us] = Fraction(count, 100)
            values[name] = count / 100
        if step % 3 == 0:
            self._gas.append(chance.randrange(5_000))
            if step:
                name = f"G-{number}1/nm3"
                self.stored[name, at_us] = Fraction(self._gas[-1], 10)
                values[name] = self._gas[-1] / 10
        messages = []
        marker = (f"E-{number}3", at_us)
        if self.has_singles:
            value = values.pop(f"E-{number}3/kwh")
            body = json.dumps({"at": format_time(at_us), "v": value}).encode()
            topic = f"carbon/v1/{self.uscc}/{self.gateway}/E-{number}3/kwh"
            messages.append(Message(topic, body, None, 1, 0, 0, marker))
        stored = len(values)
        held = rejected = 0
        if step % 11 == 0:  # of a meter that nobody has registered
            values[f"X-{number}1/kwh"] = step
            self.held.add((f"X-{number}1/kwh", at_us))
            held = 1
        if step % 13 == 0:
            values[f"E-{number}1/wh"] = "lots"
            rejected = 1
        payload = json.dumps({"seq": step, "at": at_us // 1000, "values": values}).encode()
        if rejected:
            self.letters.add(payload)
        messages.append(
            Message(self.topic, payload, step, stored, held, rejected, None if self.has_singles else marker)
        )
        if self.has_torn and step % 17 == 0:  # cut off by a device that went down
            payload = json.dumps({"seq": step, "at": at_us // 1000}).encode()[:-1]
            self.letters.add(payload)
            messages.append(Message(self.topic, payload, None, 0, 0, 1, None))
        return messages


def document(plans: Sequence[GatewayPlan], park: str) -> dict[str, Any]:
    """The registry document of these gateways: their enterprises, all in one park."""
    enterprises = []
    for uscc in dict.fromkeys(plan.uscc for plan in plans):
        own = [plan for plan in plans if plan.uscc == uscc]
        enterprises.append(
            {
                "uscc": uscc,
                "name_zh": "故障试验",
                "name_en": "Chaos",
                "industry": "steel",
                "district": DISTRICT,
                "park": park,
                "gateways": [{"id": plan.gateway} for plan in own],
                "meters": [
                    {"id": meter, "name": meter, "channels": channels}
                    for plan in own
                    for meter, channels in plan.meters().items()
                ],
                "sources": [source for plan in own for source in plan.sources()],
            }
        )
    return {
        "parks": [{"code": park, "name_zh": "故障试验园", "name_en": "Chaos park", "district": DISTRICT}],
        "enterprises": enterprises,
    }


def _channel(id_: str, kind: str = "register", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "quantity": "electricity_import",
        "kind": kind,
        "unit": "kWh",
        "multiplier": "1",
        "resolution": "0.01",
        "valid_from": format_time(START_US),
        **more,
    }


def milligrams(amount: Fraction, mg_per_unit: Fraction) -> int:
    """An entry [mg CO2e]: rounded once, half to even."""
    product = amount * mg_per_unit
    return round_half_even(product.numerator, product.denominator)
