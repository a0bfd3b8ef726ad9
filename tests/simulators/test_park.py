"""The simulated park: repeatable, plausible, and known to the last count."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from accounting.factors.load import load as load_library
from carbonmeter.catalogue import FactorCatalogue
from domain.errors import FaultyDocument
from domain.identity import uscc_fault
from domain.industry import INDUSTRIES
from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar
from domain.registry import Kind
from simulators import shape, truth
from simulators.city import PARK_ENTERPRISES, PLANT_USCC, City
from simulators.encode import Form, StampStyle, pack
from simulators.enterprise import EnterpriseProfile, plant_of
from simulators.faults import Faults, deliver, disturb, garbage, outages, register_exchanges, structure
from simulators.plant import Plant
from simulators.profile import ChannelProfile, Growth, MeterProfile
from simulators.series import Series, plain_dial, read, stamps
from tests.domain.documents import faults

BUILDINGS, STEEL = plant_of("public_buildings"), plant_of("steel")
CALENDAR = Calendar()
START_US = CALENDAR.day_start(20_750)  # a Saturday, 2026-10-24
UNTIL_US = START_US + 7 * DAY_US
CITY = City(7, START_US)
CHANNELS = [
    (profile, meter, channel) for profile in PARK_ENTERPRISES for meter, channel in profile.channels()
]
REGISTERS = [each for each in CHANNELS if each[2].kind is Kind.REGISTER]


def series_of(
    profile: EnterpriseProfile, meter: MeterProfile, channel: ChannelProfile, city: City = CITY
) -> Series:
    growth = city.growth(profile, meter, channel)
    return read(profile.uscc, meter.id, growth, plain_dial(channel, city.start_us), START_US - 1, UNTIL_US)


def test_a_plant_of_each_industry_and_every_kind_of_channel() -> None:
    assert [profile.industry for profile in PARK_ENTERPRISES] == list(INDUSTRIES)
    assert {channel.kind for _, _, channel in CHANNELS} == set(Kind)
    quantities = {channel.quantity for _, _, channel in CHANNELS}
    assert {
        "electricity_import",
        "electricity_export",
        "natural_gas",
        "coal",
        "steam",
        "heat_import",
        "product",
    } <= quantities
    assert {gateway.client for profile in PARK_ENTERPRISES for gateway in profile.gateways} == {
        "paho",
        "aiomqtt",
    }
    assert {gateway.form for profile in PARK_ENTERPRISES for gateway in profile.gateways} == set(Form)
    assert {gateway.style for profile in PARK_ENTERPRISES for gateway in profile.gateways} == set(StampStyle)
    usccs = [PLANT_USCC, *(profile.uscc for profile in PARK_ENTERPRISES)]
    assert len(set(usccs)) == 25
    assert [uscc_fault(uscc) for uscc in usccs] == [None] * 25


def test_plants_measure_every_source_of_their_guideline() -> None:
    """But for electricity and heat that not every works buys or sells."""
    library = load_library()
    for profile in PARK_ENTERPRISES:
        own = library.methods.own_edition(profile.industry)
        missing = set(library.methods.by_edition[profile.industry, own]) - {s.method for s in profile.sources}
        assert missing <= {"exported_electricity", "purchased_heat", "exported_heat"}, profile.industry


def test_plants_have_no_faults() -> None:
    assert faults(CITY.document(UNTIL_US, Plant(UNTIL_US)), catalogue=FactorCatalogue(load_library())) == []


def test_every_channel_is_behind_a_gateway_and_every_source_has_its_channels() -> None:
    for profile in PARK_ENTERPRISES:
        gateways = {gateway.id for gateway in profile.gateways}
        names = {f"{meter.id}/{channel.id}" for meter, channel in profile.channels()}
        names |= {str(derived["id"]) for derived in profile.derived}
        assert {meter.gateway for meter in profile.meters} == gateways
        expressions = [source.expression for source in profile.sources] + [
            product[1] for product in profile.products
        ]
        for expression in expressions:
            assert set(expression.split()) - {"+", "-"} <= names


def test_the_same_seed_gives_the_same_readings_whatever_is_asked_first() -> None:
    for profile, meter, channel in CHANNELS:
        whole = series_of(profile, meter, channel, City(7, START_US))
        growth = City(7, START_US).growth(profile, meter, channel)
        dial = plain_dial(channel, START_US)
        late = read(profile.uscc, meter.id, growth, dial, START_US + 5 * DAY_US, UNTIL_US)
        early = read(profile.uscc, meter.id, growth, dial, START_US - 1, START_US + 5 * DAY_US)
        assert np.array_equal(np.concatenate([early.sent, late.sent]), whole.sent)
        assert np.array_equal(np.concatenate([early.at_us, late.at_us]), whole.at_us)
        other = series_of(profile, meter, channel, City(8, START_US))
        assert not np.array_equal(other.sent, whole.sent)


def test_readings_stay_within_what_is_registered() -> None:
    for profile, meter, channel in REGISTERS:
        series = series_of(profile, meter, channel)
        assert (np.diff(series.sent) >= 0).all()
        assert series.sent.max() < (channel.modulus_counts or 1 << 62)
        assert channel.max_rate is not None
        per_hour = np.diff(series.meant) * float(channel.count) / (channel.every_us / HOUR_US)
        # A register that stood still for three readings must be able to catch up.
        assert per_hour.max() * 4 < float(channel.max_rate), (profile.uscc, meter.id)
        total = float(int(series.meant[-1]) * channel.count)
        assert 0.1 < total / (channel.nominal * 7 * 24) < 3, (profile.uscc, meter.id)


def test_shapes_follow_shift_weekday_and_season() -> None:
    hours = stamps(START_US - 1, START_US + 7 * DAY_US - 1, INTERVAL_US, CALENDAR.offset_us)
    by_day = shape.OFFICE.weights("k", hours, CALENDAR.offset_us).reshape(7, 96)
    assert by_day[2:, 40:68].mean() > 2 * by_day[2:, :24].mean()  # Monday on, day against night
    assert by_day[:2].mean() < 0.7 * by_day[2:].mean()  # the weekend
    sun = shape.SOLAR.weights("k", hours, CALENDAR.offset_us).reshape(7, 96)
    assert sun[:, :20].max() < 1e-9
    assert sun[:, 80:].max() < 1e-9
    assert sun[:, 40:56].min() > 0
    january, july = (
        CALENDAR.day_start(day) + 12 * HOUR_US + INTERVAL_US * np.arange(96 * 20) for day in (20_454, 20_635)
    )
    offset = CALENDAR.offset_us
    assert (
        shape.HEATING.weights("k", january, offset).mean()
        > 5 * shape.HEATING.weights("k", july, offset).mean()
    )
    assert shape.SOLAR.weights("k", july, offset).mean() > shape.SOLAR.weights("k", january, offset).mean()
    stops = shape.CONTINUOUS_WITH_STOPS.weights("k", START_US + INTERVAL_US * np.arange(96 * 1000), offset)
    assert 0.005 < (stops < 0.2).mean() < 0.05
    assert stops.min() > 0


def test_noise_is_even_and_from_the_key() -> None:
    drawn = shape.noise("a", np.arange(10_000))
    assert abs(drawn.mean()) < 0.02
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() < 1
    assert not np.array_equal(drawn, shape.noise("b", np.arange(10_000)))


def test_the_twin_adds_up() -> None:
    for profile, meter, channel in CHANNELS:
        series = series_of(profile, meter, channel)
        amounts = truth.amounts(series)
        if channel.is_mean:
            continue
        if channel.kind is Kind.REGISTER:
            assert amounts.total == (int(series.meant[-1]) - int(series.meant[0])) * channel.count
            assert len(amounts.by_start_us) == 7 * 96
        elif channel.kind is Kind.DELTA:
            assert amounts.total == int(series.sent.sum()) * channel.count
        else:
            even = float(series.sent[:-1].mean() * channel.count) * 7 * 24
            assert float(amounts.total) == pytest.approx(even, rel=0.01)
        assert sorted(amounts.by_start_us) == list(range(START_US, START_US + 7 * DAY_US, INTERVAL_US)) or (
            channel.period == "P1D"
        )


def hand_made(kind: Kind, at: list[int], values: list[int], **more: str) -> Series:
    channel = ChannelProfile("c", "other", kind, "kWh", 1.0, resolution="1", **more)  # type: ignore[arg-type]
    column = np.array(values, np.int64)
    return Series("U", "M", channel, np.array(at, np.int64), column, column, np.ones(len(at), np.bool_))


def test_the_twin_by_hand() -> None:
    quarter = INTERVAL_US
    # 0 at 5 min, 30 at 25 min: 15 at the quarter-hour, 7.5 → … half to even
    register = hand_made(Kind.REGISTER, [quarter // 3, quarter * 5 // 3, quarter * 3], [0, 31, 50])
    # boundaries: 15 min 15.5 → 16; 30 min 31 + 19 × 5/20 = 35.75 → 36; 45 min 50
    assert truth.amounts(register).by_start_us == {quarter: 20, 2 * quarter: 14}
    delta = hand_made(Kind.DELTA, [4 * quarter], [10], period="PT1H")
    assert truth.amounts(delta).by_start_us == {0: 3, quarter: 3, 2 * quarter: 2, 3 * quarter: 2}
    # a rate from 0 to 8 over half an hour, then steady: 0.5, 1.5, 2 unit-hours; ties to even
    rate = hand_made(Kind.RATE, [0, 2 * quarter, 3 * quarter], [0, 8, 8])
    assert truth.amounts(rate).by_start_us == {0: 0, quarter: 2, 2 * quarter: 2}
    spike = hand_made(Kind.REGISTER, [0, quarter, 2 * quarter], [0, 999, 10])
    spike.stands[1] = False
    assert truth.amounts(spike).by_start_us == {0: 5, quarter: 5}


def test_sources_and_entries_by_hand() -> None:
    amounts = {
        "A/x": truth.Amounts(-2, {0: 150, INTERVAL_US: 10}),
        "B/y": truth.Amounts(1, {0: 3}),
    }
    both = truth.signed_sum("B/y - A/x", amounts)
    assert both == truth.Amounts(-2, {0: 2850})
    assert truth.ledger_mg(both, Fraction(1, 3)) == {0: 10}  # 28.5 / 3 = 9.5, half to even
    assert truth.ledger_exponent(Fraction("0.25")) == -2


def test_faults_of_structure_keep_what_was_consumed() -> None:
    faults = Faults(rollovers=2, resets=2, replacements=2)
    made = structure(CITY, faults, UNTIL_US)
    assert made == structure(CITY, faults, UNTIL_US)
    assert len(made.dials) == 6
    assert len(made.exchanges) == 2
    falls = 0
    for profile, meter, channel in REGISTERS:
        dial = made.dial(CITY, profile.uscc, meter.id, channel)
        growth = CITY.growth(profile, meter, channel)
        series = read(profile.uscc, meter.id, growth, dial, START_US - 1, UNTIL_US)
        assert np.array_equal(series.meant, series_of(profile, meter, channel).meant)
        assert series.sent.min() >= 0
        falls += int((np.diff(series.sent) < 0).sum())
    assert falls == 6


def test_an_exchange_is_in_the_registry_with_what_the_dials_show() -> None:
    made = structure(CITY, Faults(replacements=1), UNTIL_US)
    [exchange] = made.exchanges
    document = CITY.document(UNTIL_US)
    register_exchanges(document, CITY, made.exchanges)
    enterprise = next(e for e in document["enterprises"] if e["uscc"] == exchange.uscc)
    meter = next(m for m in enterprise["meters"] if m["id"] == exchange.meter)
    old, new = (channel for channel in meter["channels"] if channel["id"] == exchange.channel)
    assert old["valid_to"] == new["valid_from"] == CALENDAR.text(exchange.at_us)
    assert old["closing"] == exchange.closing
    assert new["opening"] == exchange.opening
    assert "valid_to" not in new
    profile, meter_profile, channel = next(
        each
        for each in REGISTERS
        if (each[0].uscc, each[1].id, each[2].id) == (exchange.uscc, exchange.meter, exchange.channel)
    )
    dial = made.dial(CITY, exchange.uscc, exchange.meter, channel)
    growth = CITY.growth(profile, meter_profile, channel)
    series = read(profile.uscc, exchange.meter, growth, dial, START_US - 1, UNTIL_US)
    place = int(np.searchsorted(series.at_us, exchange.at_us))
    resolution = Fraction(channel.resolution)
    assert Fraction(exchange.closing) == int(series.sent[place]) * resolution
    grown = int(series.meant[place + 1] - series.meant[place])
    assert (int(series.sent[place + 1]) - grown) * resolution == Fraction(exchange.opening)


def test_spikes_and_stuck_values_are_marked_and_leave_the_ends_alone() -> None:
    profile, meter = BUILDINGS, BUILDINGS.meters[1]
    channel = meter.channels[0]
    clean = series_of(profile, meter, channel)
    faults = Faults(spikes=0.02, stuck=1.0)
    wrong = disturb(clean, faults, random.Random(1), is_plain=True)
    lies = np.flatnonzero(~wrong.stands)
    assert 5 <= len(lies) <= 40
    assert set(lies).isdisjoint({*range(4), *range(len(clean) - 4, len(clean))})
    assert np.array_equal(wrong.sent[wrong.stands], wrong.meant[wrong.stands] + channel.opening_counts)
    assert int((wrong.meant != clean.meant).sum()) == 3
    assert int(wrong.meant[-1]) == int(clean.meant[-1])
    assert truth.amounts(wrong).total == truth.amounts(clean).total
    assert disturb(clean, faults, random.Random(1), is_plain=False) is clean
    assert np.array_equal(disturb(clean, faults, random.Random(1), is_plain=True).sent, wrong.sent)


def test_delivery_repeats_and_reorders_and_loses_nothing() -> None:
    profile, meter = STEEL, STEEL.meters[0]
    rows = series_of(profile, meter, meter.channels[0]).rows()
    messages = pack(profile.uscc, "gw1", rows, Form.B, StampStyle.UTC)
    arriving = deliver(messages, Faults(duplicates=0.1, reordering=0.2), random.Random(3))
    counts = Counter(arriving)
    assert set(counts) == set(messages)
    assert 20 < sum(counts.values()) - len(messages) < 120
    assert arriving != sorted(arriving, key=messages.index)
    assert deliver(messages, Faults(), random.Random(3)) == messages


def test_outages_lie_within_the_time() -> None:
    for begin, end in outages(Faults(outages=3), random.Random(5), START_US, UNTIL_US):
        assert START_US <= begin < end <= UNTIL_US
        assert 2 * HOUR_US <= end - begin <= 6 * HOUR_US


def test_garbage_is_of_many_kinds() -> None:
    chance = random.Random(9)
    made = {garbage("U", "gw1", chance).payload[:20] for _ in range(200)}
    assert len(made) > 10


def test_faults_are_read_from_words() -> None:
    assert Faults.parse([]) == Faults()
    assert Faults.parse(["all"]) == Faults.every()
    assert Faults.parse(["duplicates=0.5", "resets=3", "spikes"]) == Faults(
        duplicates=0.5, resets=3, spikes=0.002
    )
    with pytest.raises(FaultyDocument) as caught:
        Faults.parse(["nonsense", "duplicates=2", "resets=x"])
    assert len(caught.value.faults) == 3


def test_the_document_is_one_of_25_enterprises() -> None:
    document = CITY.document(UNTIL_US, Plant(UNTIL_US))
    assert document["enterprises"][0]["uscc"] == PLANT_USCC
    assert len(document["enterprises"]) == 25
    assert CITY.document(UNTIL_US) == City(7, START_US).document(UNTIL_US)
    power = next(e for e in document["enterprises"] if e["industry"] == "power_generation")
    names = Counter(parameter["name"] for parameter in power["sources"][0]["parameters"])
    assert names == {"ncv": 1, "carbon_content": 1}
    three_months = CITY.document(UNTIL_US + 62 * DAY_US)
    power = next(e for e in three_months["enterprises"] if e["industry"] == "power_generation")
    parameters = power["sources"][0]["parameters"]
    assert [p["from"] for p in parameters if p["name"] == "ncv"] == [
        "2026-10-01",
        "2026-11-01",
        "2026-12-01",
        "2027-01-01",
    ]


def test_a_simulation_begins_at_a_local_midnight() -> None:
    with pytest.raises(ValueError, match="local midnight"):
        City(1, START_US + HOUR_US)


def test_growth_is_even_within_a_quarter_hour() -> None:
    profile, meter = STEEL, STEEL.meters[3]
    growth: Growth = CITY.growth(profile, meter, meter.channels[0])
    minutes = START_US + 60_000_000 * np.arange(16)
    steps = np.diff(growth.counts(minutes))
    assert steps.max() - steps.min() <= 1
