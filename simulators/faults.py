"""How meters, gateways and networks misbehave, on request and repeatably.

Three layers. *Structure*: what happens to a register for good (rollover, reset, exchange of meters), kept in its
`Dial` and, for an exchange, in the registry document. *Readings*: single stamps and values that are wrong (clock
skew, spikes, stuck values). *Delivery*: the same message twice, out of order, after an outage, and bytes that are
no readings at all.

What each fault does to the truth is known: a rollover, reset or exchange changes nothing of what was consumed; a
spike is set aside and bridged; a stuck register catches up; delivery changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from domain.errors import Fault, FaultyDocument
from domain.interval import DAY_US, HOUR_US
from domain.registry import Kind
from simulators.city import PARK_ENTERPRISES, City, channel_entry
from simulators.encode import Message, readings_topic, value_text
from simulators.enterprise import EnterpriseProfile
from simulators.profile import ChannelProfile, Growth, MeterProfile
from simulators.series import Dial, Series, plain_dial, resolution_scale

ChannelKey = tuple[str, str, str]  # (uscc, meter, channel)


@dataclass(frozen=True, slots=True)
class Faults:
    """How much of what. Shares are of messages or readings, the others are numbers."""

    duplicates: float = 0.0  # share of messages sent twice
    reordering: float = 0.0  # share of messages that arrive up to 20 places late
    outages: int = 0  # for each gateway: stretches of hours without a connection, then backfill
    clock_skew: int = 0  # gateways whose clock is half a minute fast
    rollovers: int = 0  # registers that pass their modulus
    resets: int = 0  # registers that start again from zero
    replacements: int = 0  # meters exchanged, with closing and opening values in the registry
    spikes: float = 0.0  # share of register readings that are far too high, or zero
    stuck: float = (
        0.0  # chance that a register repeats one value for three readings in a day, then catches up
    )
    garbage: float = 0.0  # share of messages before which bytes come that are no readings
    strangers: float = 0.0  # share of messages before which a reading of an unregistered meter comes

    @classmethod
    def every(cls) -> Faults:
        """Each of them, in amounts that a day or more of the park shows."""
        return cls(0.05, 0.1, 1, 1, 1, 1, 1, 0.002, 0.05, 0.01, 0.01)

    @classmethod
    def parse(cls, words: Sequence[str]) -> Faults:
        """`all`, or names with an amount: `duplicates=0.05`, `resets=2`; a bare name takes that of `all`."""
        faults, wrong = cls(), []
        names = {field.name: type(getattr(faults, field.name)) for field in fields(cls)}
        for word in words:
            name, _, amount = word.partition("=")
            if name == "all" and not amount:
                faults = cls.every()
            elif name not in names:
                wrong.append(Fault(word, f"unknown fault; known are all, {', '.join(names)}"))
            else:
                try:
                    value = names[name](amount) if amount else getattr(cls.every(), name)
                except ValueError:
                    value = -1
                if value < 0 or (names[name] is float and value > 1):
                    expected = "a share from 0 to 1" if names[name] is float else "a whole number from 0"
                    wrong.append(Fault(word, f"{amount!r} must be {expected}"))
                else:
                    faults = replace(faults, **{name: value})
        if wrong:
            raise FaultyDocument(wrong)
        return faults


@dataclass(frozen=True, slots=True)
class Exchange:
    """One meter replaced by another: 旧表止码, 新表起码."""

    uscc: str
    meter: str
    channel: str
    at_us: int
    closing: str
    opening: str


@dataclass(frozen=True, slots=True)
class Structure:
    """What the faults of structure made of the city: dials that aren't plain, exchanges, clocks that are off."""

    dials: dict[ChannelKey, Dial]
    exchanges: tuple[Exchange, ...]
    skews_us: dict[tuple[str, str], int]  # by (uscc, gateway)

    def dial(self, city: City, uscc: str, meter: str, channel: ChannelProfile) -> Dial:
        return self.dials.get((uscc, meter, channel.id)) or plain_dial(channel, city.start_us)

    def is_plain(self, uscc: str, meter: str, channel: str) -> bool:
        return (uscc, meter, channel) not in self.dials


def structure(city: City, faults: Faults, until_us: int) -> Structure:
    """Choose registers and moments between the city's start and `until_us`, by its seed."""
    chance = random.Random(f"{city.seed} structure")
    registers = [
        (profile, meter, channel)
        for profile in PARK_ENTERPRISES
        for meter, channel in profile.channels()
        if channel.kind is Kind.REGISTER
    ]
    chance.shuffle(registers)
    dials: dict[ChannelKey, Dial] = {}
    exchanges: list[Exchange] = []

    def take() -> tuple[EnterpriseProfile, MeterProfile, ChannelProfile] | None:
        return registers.pop() if registers else None

    def moment() -> int:
        """An hour's mark in the middle of the time, away from both ends; every register is read then."""
        hours = (until_us - city.start_us) // HOUR_US
        return city.start_us + chance.randint(hours // 4, max(hours // 4, hours * 3 // 4)) * HOUR_US

    for kind, number in (
        ("rollover", faults.rollovers),
        ("reset", faults.resets),
        ("exchange", faults.replacements),
    ):
        for _ in range(number):
            chosen = take()
            if chosen is None:
                break
            profile, meter, channel = chosen
            growth, at_us = city.growth(profile, meter, channel), moment()
            if kind == "reset":
                at_us = _even_hour(growth, at_us)
            counts = _counts_at(growth, at_us)
            opening, modulus = channel.opening_counts, channel.modulus_counts
            start = (city.start_us, opening)
            if kind == "rollover" and modulus is not None:
                dial = Dial(((city.start_us, modulus - 2 - counts - counts % 2),), modulus)
            elif kind == "reset":
                dial = Dial((start, (at_us, -counts)), modulus)
            else:
                fresh = 2 * chance.randint(0, 25) + counts % 2
                scale, decimals = resolution_scale(channel)
                dial = Dial((start, (at_us, fresh - counts)), modulus)
                closing = int(dial.face(np.array([at_us], np.int64), np.array([counts], np.int64))[0])
                exchanges.append(
                    Exchange(
                        profile.uscc,
                        meter.id,
                        channel.id,
                        at_us,
                        value_text(closing * scale, decimals),
                        value_text(fresh * scale, decimals),
                    )
                )
            dials[profile.uscc, meter.id, channel.id] = dial
    # Not where a meter is exchanged: a fast clock stamps the old meter's last reading into the new one's time,
    # and what that ought to mean nobody can say.
    exchanging = {(e.uscc, e.meter) for e in exchanges}
    gateways = [
        (profile.uscc, gateway.id)
        for profile in PARK_ENTERPRISES
        for gateway in profile.gateways
        if not any((profile.uscc, m.id) in exchanging for m in profile.meters if m.gateway == gateway.id)
    ]
    skewed = chance.sample(gateways, min(faults.clock_skew, len(gateways)))
    skews = {gateway: chance.randint(20, 40) * 1_000_000 for gateway in skewed}
    return Structure(dials, tuple(exchanges), skews)


def _counts_at(growth: Growth, at_us: int) -> int:
    return int(growth.counts(np.array([at_us], np.int64))[0])


def _even_hour(growth: Growth, at_us: int) -> int:
    """The next hour's mark, from a moment on, at which the count is even.

    All dials differ from the count behind them by an even number: a value half way between two counts is then
    rounded to the same one on either.
    """
    while _counts_at(growth, at_us) % 2:
        at_us += HOUR_US
    return at_us


def register_exchanges(document: dict[str, Any], city: City, exchanges: Sequence[Exchange]) -> None:
    """Write the exchanges into a registry document: the channel twice, with validities that meet."""
    by_channel = {(e.uscc, e.meter, e.channel): e for e in exchanges}
    profiles = {profile.uscc: profile for profile in PARK_ENTERPRISES}
    for enterprise in document["enterprises"]:
        for meter in enterprise["meters"]:
            for index, entry in reversed(list(enumerate(meter["channels"]))):
                exchange = by_channel.get((enterprise["uscc"], meter["id"], entry["id"]))
                if exchange is None:
                    continue
                at = city.calendar.text(exchange.at_us)
                channel = next(
                    channel
                    for profile_meter, channel in profiles[exchange.uscc].channels()
                    if (profile_meter.id, channel.id) == (exchange.meter, exchange.channel)
                )
                entry |= {"valid_to": at, "closing": exchange.closing}
                meter["channels"].insert(
                    index + 1, channel_entry(channel, at) | {"opening": exchange.opening}
                )


def disturb(series: Series, faults: Faults, chance: random.Random, *, is_plain: bool) -> Series:
    """Spikes and stuck values of a register whose dial is plain; other channels are left as they are.

    The first and the last four readings are spared: the neighbours of a lie tell it, so both must be there.
    """
    if series.channel.kind is not Kind.REGISTER or not is_plain or len(series) < 16:
        return series
    sent, meant, stands = series.sent.copy(), series.meant.copy(), series.stands.copy()
    taken: set[int] = set()

    def places(length: int) -> range | None:
        for _ in range(20):
            first = chance.randrange(4, len(series) - 4 - length)
            stretch = range(first, first + length)
            # Two faults side by side would be one fault of another kind.
            if not taken.intersection(range(first - 4, first + length + 4)):
                taken.update(stretch)
                return stretch
        return None

    if chance.random() < faults.stuck:
        stretch = places(3)
        if stretch is not None:
            for place in stretch:
                sent[place], meant[place] = sent[stretch[0] - 1], meant[stretch[0] - 1]
    wanted = faults.spikes * len(series)
    number = int(wanted) + (chance.random() < wanted % 1)
    assert series.channel.max_rate is not None
    high = int(
        int(series.channel.max_rate) * 5 / series.channel.count
    )  # five hours at the largest plausible rate
    for _ in range(number):
        is_zero = chance.random() < 0.5
        stretch = places(chance.randint(1, 3) if is_zero else 1)
        if stretch is not None:
            for place in stretch:
                sent[place] = 0 if is_zero else sent[place] + high
                stands[place] = False
    return replace(series, sent=sent, meant=meant, stands=stands)


def outages(faults: Faults, chance: random.Random, after_us: int, until_us: int) -> list[tuple[int, int]]:
    """Stretches of two to six hours (or a third of a shorter time) in which a gateway has no connection."""
    span = until_us - after_us
    stretches = []
    for _ in range(faults.outages):
        length = min(chance.randint(2, 6) * HOUR_US, span // 3)
        begin = after_us + chance.randint(0, max(0, span - length))
        stretches.append((begin, begin + length))
    return sorted(stretches)


def deliver(messages: Sequence[Message], faults: Faults, chance: random.Random) -> list[Message]:
    """The same messages as a bad network brings them: late by some places, some of them twice."""
    places = [(float(place), message) for place, message in enumerate(messages)]
    if faults.reordering:
        places = [
            (place + chance.uniform(1, 20) if chance.random() < faults.reordering else place, message)
            for place, message in places
        ]
    if faults.duplicates:
        again = [
            (place + chance.uniform(0, 20), message)
            for place, message in places
            if chance.random() < faults.duplicates
        ]
        places += again
    return [message for _, message in sorted(places, key=lambda item: item[0])]


def garbage(uscc: str, gateway: str, chance: random.Random) -> Message:
    """Bytes that are no readings, on a topic that is right; each counts one, rejected."""
    payload = chance.choice(
        (
            b"",
            bytes(chance.randrange(256) for _ in range(40)) + b"\xff",
            b'{"readings": [{"m": "E-01", "c": "import_kwh", "at": 17000000',
            b'"readings"',
            b"null",
            b'{"at": 1700000000000, "values": 12}',
            b'{"readings": [{"m": "E-01", "c": "import_kwh", "at": "yesterday", "v": 1}]}',
            b'{"readings": [{"m": "E-01", "c": "import_kwh", "at": 1700000000000, "v": true}]}',
            b'{"readings": [{"m": "E-01", "c": "import_kwh", "at": 1700000000000, "v": "12,5"}]}',
            b'{"readings": [{"m": "E 01", "c": "import_kwh", "at": 1700000000000, "v": 1}]}',
            b'{"readings": [{"m": "E-01", "c": "import_kwh", "at": 1700000000000, "v": NaN}]}',
            b"[" * 5000,
        )
    )
    return Message(readings_topic(uscc, gateway), payload, 1)


def stranger(uscc: str, gateway: str, chance: random.Random) -> Message:
    """A reading of a meter that nobody registered: held."""
    at_ms = 1_700_000_000_000 + chance.randrange(DAY_US // 1000)
    payload = b'{"readings": [{"m": "X-%02d", "c": "import_kwh", "at": %d, "v": %d}]}' % (
        chance.randrange(100),
        at_ms,
        chance.randrange(10_000),
    )
    return Message(readings_topic(uscc, gateway), payload, 1)
