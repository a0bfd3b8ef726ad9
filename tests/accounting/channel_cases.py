"""Points and readings for the tests of channels: builders for hand-worked cases, strategies for the hostile rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from accounting.channel import READING_DTYPE, ChannelIntervals
from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar, Period
from domain.reading import Flag, unpack
from domain.registry import ChannelVersion, Kind, Point
from domain.unit import consumption_unit, ledger_exponent
from tests.naive import Interval, Sent

CALENDAR = Calendar()
MINUTE_US = 60_000_000
# 2023-11-14 22:00 local time: the examples run over a midnight.
START_US = CALENDAR.day_start(19675) + 22 * HOUR_US
FOREVER = 10**17


def decimal_parts(value: Fraction) -> tuple[int, int]:
    """(mantissa, exponent) of a finite decimal."""
    exponent = 0
    while (value * 10**-exponent).denominator != 1:
        exponent -= 1
    return int(value * 10**-exponent), exponent


def stored(sents: Sequence[Sent]) -> NDArray[np.void]:
    """The readings as the log keeps them."""
    result = np.zeros(len(sents), READING_DTYPE)
    for row, sent in zip(result, sents, strict=True):
        row["mantissa"], row["exponent"] = decimal_parts(sent.value)
        row["at"], row["revision"], row["quality"] = sent.at, sent.revision, sent.quality
        row["flags"], row["gateway"] = int(sent.flags), sent.gateway
        row["committed_at"], row["batch"] = sent.committed_at, sent.batch
    return result


def point(versions: Sequence[ChannelVersion]) -> Point:
    unit = consumption_unit(versions[0].unit)
    exponent = ledger_exponent(version.resolution * version.multiplier for version in versions)
    first = versions[0]
    return Point(1, "", "M", "C", first.quantity, first.kind, unit, exponent, tuple(versions))


def register(**changes: object) -> ChannelVersion:
    """A plain electricity meter: counts of 0.01 kWh, at most 100 kW, two hours without word are a gap."""
    values: dict[str, object] = {
        "valid_from_us": 0,
        "valid_to_us": None,
        "quantity": "electricity_import",
        "kind": Kind.REGISTER,
        "unit": "kWh",
        "multiplier": Fraction(1),
        "resolution": Fraction("0.01"),
        "max_rate": Fraction(100),
        "max_gap_us": 2 * HOUR_US,
    }
    return ChannelVersion(**{**values, **changes})  # type: ignore[arg-type]


def rate(**changes: object) -> ChannelVersion:
    return register(**{"kind": Kind.RATE, "unit": "kW", "max_rate": None, **changes})


def delta(**changes: object) -> ChannelVersion:
    quarter = Period(us=INTERVAL_US)
    return register(
        **{"kind": Kind.DELTA, "max_rate": None, "max_gap_us": None, "period": quarter, **changes}
    )


def as_intervals(result: ChannelIntervals) -> list[Interval]:
    unpacked = [unpack(int(state)) for state in result.states]
    return [
        Interval(int(amount) if quality else None, quality, flags)
        for amount, (quality, flags) in zip(result.amounts, unpacked, strict=True)
    ]


# -- strategies -----------------------------------------------------------------------------------------

RESOLUTIONS = [Fraction("0.01"), Fraction(1), Fraction(5), Fraction("0.25")]
MULTIPLIERS = [Fraction(1), Fraction(60), Fraction("0.5")]
STEPS_US = [
    INTERVAL_US,
    INTERVAL_US,
    INTERVAL_US // 3,
    MINUTE_US,
    7 * MINUTE_US + 1,
    HOUR_US,
    3 * HOUR_US + 17,
    26 * HOUR_US,
]


def cut(draw: st.DrawFn, stamps: Sequence[int]) -> list[int]:
    """Some moments at which versions change: at a reading, between two, on an edge."""
    if len(stamps) < 2 or not draw(st.booleans()):
        return []
    moments = set()
    for _ in range(draw(st.integers(1, 2))):
        stamp = draw(st.sampled_from(stamps[1:]))
        moments.add(stamp + draw(st.sampled_from([0, 0, -1, 1, 60_000_000, -(stamp % INTERVAL_US)])))
    return sorted(moments)


@st.composite
def stamps(draw: st.DrawFn, most: int = 30) -> list[int]:
    at = START_US + draw(st.sampled_from([0, 0, 1, 7 * MINUTE_US, INTERVAL_US - 1]))
    result = [at]
    for step in draw(st.lists(st.sampled_from(STEPS_US), max_size=most)):
        at += step
        result.append(at)
    return result


@st.composite
def registers(draw: st.DrawFn) -> tuple[Point, list[Sent], int]:
    """A register with all that befalls one, its readings in order, and a look-ahead."""
    times = draw(stamps())
    resolution, modulus_counts = (
        draw(st.sampled_from(RESOLUTIONS)),
        draw(st.sampled_from([None, 1000, 100_000])),
    )
    max_rate = draw(st.sampled_from([Fraction(20), Fraction(100), Fraction(3, 7) * 1000]))
    versions: list[ChannelVersion] = []
    moments = cut(draw, times)
    begin: int = draw(st.sampled_from([0, times[0], START_US]))
    for end in [*moments, None]:
        if end is not None and end <= begin:
            continue
        replaced = bool(versions) and draw(st.booleans())
        gap = draw(st.sampled_from([0, 0, 0, 3 * MINUTE_US])) if versions else 0
        if end is not None and begin + gap >= end:
            gap = 0
        dial = draw(st.integers(0, 500)) * resolution
        versions.append(
            register(
                valid_from_us=begin + gap,
                valid_to_us=end,
                resolution=resolution if draw(st.integers(0, 9)) != 0 else draw(st.sampled_from(RESOLUTIONS)),
                multiplier=draw(st.sampled_from(MULTIPLIERS)),
                max_rate=max_rate,
                max_gap_us=draw(st.sampled_from([None, INTERVAL_US // 2, HOUR_US, 2 * HOUR_US])),
                opening=dial if replaced or draw(st.integers(0, 5)) == 0 else None,
                closing=(
                    draw(st.integers(0, 900)) * resolution
                    if end is not None and draw(st.integers(0, 2)) == 0
                    else None
                ),
            )
        )
        begin = end or 0
    if modulus_counts is not None:
        whole = max(version.resolution for version in versions) * modulus_counts
        versions = [_with_modulus(version, whole) for version in versions]
    value = draw(st.integers(0, 900))
    sents = []
    for before, at in zip([times[0], *times], times, strict=False):
        most = int(max_rate / resolution * (at - before) / HOUR_US)
        match draw(st.sampled_from(["run"] * 8 + ["stand", "zero", "spike", "less", "fall", "leap", "low"])):
            case "run":
                value += draw(st.integers(0, max(0, most)))
                seen = value
            case "stand":
                seen = value
            case "zero":
                seen = 0
            case "spike":
                seen = value + draw(st.integers(1, 10**6))
            case "less":
                seen = value - draw(st.integers(1, 3))
            case "fall":
                seen = value = draw(st.integers(0, max(0, value)))
            case "leap":
                seen = value = value + draw(st.integers(0, 4 * most + 10))
            case _:
                seen = value = draw(st.integers(0, max(1, most)))
        if modulus_counts is not None and draw(st.integers(0, 9)):
            seen %= modulus_counts
            value %= modulus_counts
        sents += draw(repeats(at, seen * resolution, resolution))
    return point(versions), sents, draw(st.sampled_from([DAY_US, HOUR_US, 4 * HOUR_US, 0]))


FAULTS = [
    "zeros",
    "spikes",
    "gap",
    "reset",
    "fall",
    "leap",
    "less",
    "again",
    "corrected",
    "conflict",
    "estimate",
    "late",
]


@st.composite
def steady_registers(draw: st.DrawFn) -> tuple[Point, list[Sent], int]:
    """A register that runs as they do for a day or two, read about the quarter-hours, with a few faults."""
    random = Random(draw(st.integers(0, 2**32)))
    step, shift, jitter = draw(
        st.sampled_from(
            [
                (INTERVAL_US, 0, 20_000_000),
                (INTERVAL_US, 0, 0),
                (INTERVAL_US, INTERVAL_US // 2, 0),  # boundaries half-way: counts between two whole ones
                (INTERVAL_US // 3, 17, 9 * MINUTE_US),
                (2 * INTERVAL_US, MINUTE_US, 14 * MINUTE_US),
            ]
        )
    )
    resolution = draw(st.sampled_from(RESOLUTIONS))
    modulus = draw(st.sampled_from([None, 3000, 100_000_000]))
    version = register(
        resolution=resolution,
        multiplier=draw(st.sampled_from(MULTIPLIERS)),
        modulus=None if modulus is None else modulus * resolution,
        max_rate=max(MULTIPLIERS) * resolution * 400,
        max_gap_us=draw(st.sampled_from([None, HOUR_US, 2 * HOUR_US])),
    )
    start = START_US - START_US % INTERVAL_US + shift
    times = sorted(
        {start + step * i + random.randint(-jitter, jitter) for i in range(draw(st.integers(2, 150)))}
    )
    faults = draw(st.dictionaries(st.integers(0, len(times) - 1), st.sampled_from(FAULTS), max_size=6))
    value = random.randrange(modulus or 1_000_000)
    sents: list[Sent] = []
    silent = 0
    strange: list[int] = []
    for place, at in enumerate(times):
        value += random.choice([0, 1, 3, random.randrange(100)])
        fault = faults.get(place)
        if fault in ("zeros", "spikes"):
            strange = [0 if fault == "zeros" else value + 10**6] * random.randint(1, 4)
        elif fault == "gap":
            silent = random.randint(1, 30)
        elif fault == "reset":
            value = random.randrange(3)
        elif fault == "fall":
            value = value * 3 // 4
        elif fault == "leap":
            value += 10_000
        silent -= 1
        if silent >= 0:
            continue
        seen = strange.pop() if strange else value - (2 if fault == "less" else 0)
        sent = Sent(at, max(0, seen) % (modulus or 2**60) * resolution, quality=int(fault == "estimate"))
        if fault == "late":
            sent = replace(sent, flags=Flag.RECEIPT_TIME)
        sents.append(sent)
        if fault in ("again", "corrected", "conflict"):
            value += fault != "again"
            other = value % (modulus or 2**60) * resolution
            sents.append(replace(sent, value=other, revision=int(fault == "corrected"), gateway=2))
    return point([version]), sents, draw(st.sampled_from([DAY_US, HOUR_US]))


def _with_modulus(version: ChannelVersion, modulus: Fraction) -> ChannelVersion:
    fits = {
        name: None if value is None else value % modulus // version.resolution * version.resolution
        for name, value in (("opening", version.opening), ("closing", version.closing))
    }
    return replace(version, modulus=modulus, **fits)


@st.composite
def repeats(draw: st.DrawFn, at: int, value: Fraction, resolution: Fraction) -> list[Sent]:
    """A reading as gateways send it: mostly once, sometimes again, otherwise, corrected, invalid."""
    sents = [_sent(draw, at, value)]
    if draw(st.integers(0, 5)) == 0:
        for _ in range(draw(st.integers(1, 3))):
            other = value + draw(st.sampled_from([0, 0, 1, -1, Fraction(1, 4), 7, -10_000])) * resolution
            sents.append(_sent(draw, at, other))
    return sents


def _sent(draw: st.DrawFn, at: int, value: Fraction) -> Sent:
    if abs(decimal_parts(value)[0]) >= 2**63:  # more digits than the wire takes
        value = Fraction(int(value))
    return Sent(
        at,
        value,
        revision=draw(st.sampled_from([0, 0, 0, 1, 2])),
        quality=draw(st.sampled_from([0] * 12 + [1, 2])),
        flags=draw(st.sampled_from([Flag(0)] * 12 + [Flag.RECEIPT_TIME])),
        gateway=draw(st.sampled_from([1, 2])),
        committed_at=draw(st.integers(0, 3)),
    )


@st.composite
def rates(draw: st.DrawFn) -> tuple[Point, list[Sent], int]:
    times = draw(stamps())
    resolution = draw(st.sampled_from(RESOLUTIONS))
    unit = draw(st.sampled_from(["kW", "kW", "degC"]))
    largest = draw(st.sampled_from([50, 10**6, 2**40, 2**58]))
    versions: list[ChannelVersion] = []
    begin = draw(st.sampled_from([0, times[0], START_US]))
    for end in [*cut(draw, times), None]:
        if end is not None and end <= begin:
            continue
        gap = draw(st.sampled_from([0, 0, MINUTE_US])) if versions else 0
        versions.append(
            rate(
                valid_from_us=begin + (gap if end is None or begin + gap < end else 0),
                valid_to_us=end,
                unit=unit,
                resolution=resolution,
                multiplier=draw(st.sampled_from(MULTIPLIERS)),
                max_gap_us=draw(st.sampled_from([None, INTERVAL_US // 2, HOUR_US, 2 * HOUR_US])),
            )
        )
        begin = end or 0
    sents = []
    for at in times:
        sents += draw(repeats(at, draw(st.integers(-largest, largest)) * resolution, resolution))
    return point(versions), sents, DAY_US


PERIODS = [
    Period(us=INTERVAL_US),
    Period(us=INTERVAL_US),
    Period(us=5 * MINUTE_US),
    Period(us=7 * MINUTE_US),
    Period(us=HOUR_US),
    Period(us=DAY_US),
    Period(us=7 * DAY_US),
    Period(months=1),
]


@st.composite
def deltas(draw: st.DrawFn) -> tuple[Point, list[Sent], int]:
    """A delta channel whose stamps are its grid's, nearly, or anything."""
    resolution, period = draw(st.sampled_from(RESOLUTIONS)), draw(st.sampled_from(PERIODS))
    step = period.us or 30 * DAY_US
    grid = -(-(START_US + CALENDAR.offset_us) // step) * step - CALENDAR.offset_us
    times = []
    for place in draw(st.lists(st.integers(0, 20), max_size=20, unique=True)):
        jitter = draw(
            st.sampled_from([0, 0, 0, 0, 1, -2_000_000, 3_000_000, 60_000_000, step // 10, step // 3])
        )
        times.append(grid + place * step + jitter)
    times = sorted(set(times)) or [grid]
    versions: list[ChannelVersion] = []
    begin = draw(st.sampled_from([0, times[0], START_US]))
    for end in [*cut(draw, times), None]:
        if end is not None and end <= begin:
            continue
        gap = draw(st.sampled_from([0, 0, MINUTE_US])) if versions else 0
        versions.append(
            delta(
                valid_from_us=begin + (gap if end is None or begin + gap < end else 0),
                valid_to_us=end,
                resolution=resolution,
                multiplier=draw(st.sampled_from(MULTIPLIERS)),
                period=period if draw(st.integers(0, 4)) else draw(st.sampled_from(PERIODS[:5])),
                snap=draw(st.booleans()),
            )
        )
        begin = end or 0
    largest = draw(st.sampled_from([3, 1000, 2**55]))
    sents = []
    for at in times:
        sents += draw(repeats(at, draw(st.integers(-largest, largest)) * resolution, resolution))
    return point(versions), sents, DAY_US


def window(sents: Sequence[Sent]) -> tuple[int, int]:
    """Interval edges around the readings, at most some three days."""
    first = min(sent.at for sent in sents) // INTERVAL_US * INTERVAL_US - 2 * INTERVAL_US
    last = max(sent.at for sent in sents) // INTERVAL_US * INTERVAL_US + 3 * INTERVAL_US
    return first, min(last, first + 300 * INTERVAL_US)
