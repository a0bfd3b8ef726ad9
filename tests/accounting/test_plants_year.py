"""A year of each industry's simulated plant: what the ledger makes of its meters is its inventory of the same totals.

The bound: an entry is rounded once, to half a milligram at most, so that the ledger of a source and gas differs from
the exact product by no more than 0.5 mg × its number of entries. A source of a year has 35,040 of them: 17.52 g.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from accounting.channel import READING_DTYPE, Rules, channel_intervals
from accounting.derived import derived_intervals
from accounting.factors.inputs import in_force
from accounting.factors.load import load as load_library
from accounting.factors.value import fraction_text
from accounting.inventory.compute import Computed, compute
from accounting.inventory.document import from_values
from accounting.sources import SourceStretch, Window, source_stretches, term_unit
from domain.document import read_document
from domain.document_plan import plan
from domain.industry import INDUSTRIES
from domain.interval import HOUR_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import CONSUMPTION_ROW
from domain.registry import Enterprise, Kind, Point
from domain.registry_items import Ids, enterprise
from simulators.city import City
from simulators.enterprise import EnterpriseProfile, plant_of
from simulators.profile import ChannelProfile, MeterProfile
from simulators.series import Series, plain_dial, read, resolution_scale

CALENDAR = Calendar()
FIRST_DAY, END_DAY = 19_358, 19_723  # 2023
START_US, END_US = CALENDAR.day_start(FIRST_DAY), CALENDAR.day_start(END_DAY)
INTERVALS = (END_DAY - FIRST_DAY) * INTERVALS_PER_DAY
CITY = City(5, START_US)
MG_PER_TONNE = 1_000_000_000
HALF_MG = Fraction(1, 2)


def registered(profile: EnterpriseProfile) -> Enterprise:
    """The plant's part of the demo city's registry, with a year of laboratory values."""
    document = CITY.document(END_US - 1)
    document["enterprises"] = [each for each in document["enterprises"] if each["uscc"] == profile.uscc]
    planned = plan(read_document(document, CALENDAR), {})
    items = [(change.item, change.after) for change in planned.changes if change.item.kind != "park"]
    names = [(item.key[0], item.key[1]) for item, _ in items if item.kind in ("channel", "derived")]
    points = {name: number for number, name in enumerate(sorted(set(names)), 1)}
    sources = {source.id: number for number, source in enumerate(profile.sources, 1)}
    return enterprise(profile.uscc, items, Ids(1, points, sources))


def year_of(profile: EnterpriseProfile, meter: MeterProfile, channel: ChannelProfile) -> Series:
    """Its readings over the year, every hour where the meter doesn't count a period."""
    dial = plain_dial(channel, START_US)
    growth = CITY.growth(profile, meter, channel)
    return read(profile.uscc, meter.id, growth, dial, START_US - 1, END_US, HOUR_US)


def intervals_of(point: Point, series: Series) -> tuple[Any, Any]:
    scale, decimals = resolution_scale(series.channel)
    readings = np.zeros(len(series), READING_DTYPE)
    readings["at"], readings["mantissa"], readings["exponent"] = series.at_us, series.sent * scale, -decimals
    readings["batch"], readings["gateway"] = 1, 1
    found = channel_intervals(point, readings, START_US, END_US, Rules(), CALENDAR)
    return found.amounts, found.states


@dataclass
class Year:
    """A plant's year: amounts and states by point, entries by source."""

    enterprise: Enterprise
    intervals: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    stretches: dict[str, list[SourceStretch]] = field(default_factory=dict)


def year(profile: EnterpriseProfile) -> Year:
    result = Year(registered(profile))
    points = result.enterprise.points
    for meter, channel in profile.channels():
        name = f"{meter.id}/{channel.id}"
        series = year_of(profile, meter, channel)
        result.intervals[name] = intervals_of(points[name], series)
        if channel.kind is not Kind.RATE:
            counted = series.meant.sum() if channel.kind is Kind.DELTA else series.meant[-1] - series.meant[0]
            total = int(result.intervals[name][0].sum()) * Fraction(10) ** points[name].exponent
            assert total == int(counted) * channel.count, name
    for point in points.values():
        if point.derivation is not None:
            inputs = {role: points[name] for role, name in point.derivation.inputs}
            known = {role: result.intervals[name] for role, name in point.derivation.inputs}
            result.intervals[point.name] = derived_intervals(point, inputs, known)
    rows = {}
    for name, (amounts, states) in result.intervals.items():
        dense = np.zeros(END_DAY - FIRST_DAY, CONSUMPTION_ROW)
        dense["amounts"], dense["states"] = amounts.reshape(-1, 96), states.reshape(-1, 96)
        rows[points[name].id] = dense
    for source in result.enterprise.sources.values():
        result.stretches[source.code] = list(
            source_stretches(
                result.enterprise,
                source,
                FIRST_DAY,
                END_DAY,
                Window(FIRST_DAY, rows),
                load_library(),
                CALENDAR,
            )
        )
    return result


def activity(year: Year, code: str, stretch: SourceStretch) -> dict[str, Any]:
    """A stretch's total as an inventory's activity, with the parameters registered then."""
    source = year.enterprise.sources[code]
    version = source.versions[0].value
    amount = int(stretch.consumption.sum()) * Fraction(10) ** stretch.exponent
    entry: dict[str, Any] = {
        "source": version.method,
        "amount": fraction_text(amount),
        "unit": stretch.unit,
        "parameters": {
            name: fraction_text(each.value)
            for name, each in in_force(source.parameters, stretch.first_day).items()
        },
    }
    entry |= {name: getattr(version, name) for name in ("fuel", "material") if getattr(version, name)}
    if version.method == "wastewater_anaerobic" and stretch.unit == "kg":
        # Meters count COD and recovered CH4 themselves; an inventory has both as amounts of the period.
        given = {"ch4_recovered": -amount} if amount < 0 else {"cod_removed": amount}
        entry |= {"amount": "0", "unit": "m3"}
        entry["parameters"] = {name: fraction_text(value) for name, value in given.items()}
        if amount < 0:
            entry |= {"material": "beverage"}
            entry["parameters"]["cod_removed"] = "0"
    return entry


@dataclass
class Booked:
    """What the ledger has under one activity, by gas."""

    mg: int = 0
    entries: int = 0


def booked(stretches: Mapping[str, list[SourceStretch]]) -> dict[tuple[str, int], dict[str, Booked]]:
    """By edition and place of each account's activity: sums of milligrams and numbers of entries, by gas."""
    result: dict[tuple[str, int], dict[str, Booked]] = defaultdict(dict)
    for code, its in stretches.items():
        for stretch in its:
            assert stretch.factor is not None
            known = int((stretch.states & 3 > 0).sum())
            mine = result[code, stretch.first_day].setdefault(
                stretch.factor.description["edition"] + " " + stretch.factor.gas, Booked()
            )
            mine.mg += int(stretch.mg.sum())
            mine.entries += known
    return result


@pytest.mark.parametrize("industry", list(INDUSTRIES))
def test_the_ledger_of_a_year_is_the_inventory_of_its_totals(industry: str) -> None:
    profile = plant_of(industry)
    its = year(profile)
    entries = booked(its.stretches)
    editions = {
        stretch.factor.description["edition"]: set(stretch.factor.boundaries)
        for stretches in its.stretches.values()
        for stretch in stretches
        if stretch.factor is not None
    }
    for edition, boundaries in editions.items():
        mine: list[tuple[tuple[str, int], dict[str, Any]]] = []
        for code, stretches in its.stretches.items():
            for stretch in stretches:
                assert stretch.factor is not None
                if stretch.factor.description["edition"] == edition and stretch.factor.place == 0:
                    mine.append(((code, stretch.first_day), activity(its, code, stretch)))
        inventory = compute(
            from_values(
                {
                    "industry": industry,
                    "edition": edition,
                    "period": {"from": "2023-01-01", "to": "2024-01-01"},
                    "district": profile.district,
                    "activities": [each for _, each in mine],
                }
            ),
            load_library(),
        )
        total_mg = total_entries = 0
        for (where, _), computed in zip(mine, inventory.activities, strict=True):
            mg, count = compare(where, computed, edition, entries[where])
            total_mg, total_entries = total_mg + mg, total_entries + count
        if "account" in boundaries:
            exact = inventory.total("account") * MG_PER_TONNE
            assert abs(total_mg - exact) <= HALF_MG * total_entries
            assert total_entries >= INTERVALS * len(its.stretches), "each interval of each source is known"


def compare(
    where: tuple[str, int], computed: Computed, edition: str, mine: Mapping[str, Booked]
) -> tuple[int, int]:
    """Each gas of an activity beside what is booked of it; its milligrams and entries in all."""
    assert {f"{edition} {gas}" for gas, _ in computed.by_gas} == {
        name for name in mine if name.startswith(f"{edition} ")
    }
    mg = count = 0
    for gas, tco2e in computed.by_gas:
        found = mine[f"{edition} {gas}"]
        assert abs(found.mg - tco2e * MG_PER_TONNE) <= HALF_MG * found.entries, (where, gas)
        mg, count = mg + found.mg, count + found.entries
    return mg, count


@pytest.mark.parametrize("industry", list(INDUSTRIES))
def test_the_gases_of_factors_are_those_that_coverage_expects(industry: str) -> None:
    library, its = load_library(), registered(plant_of(industry))
    for source in its.sources.values():
        version = source.versions[0].value
        unit, _, _ = term_unit(its, version.terms)
        for factor in library.source_factors(its, source, unit, FIRST_DAY, CALENDAR):
            method = library.methods.by_edition[industry, factor.description["edition"]][version.method]
            assert factor.gas == method.gases_of(version.material)[factor.place]


def test_laboratory_values_count_by_their_months() -> None:
    """Twelve months of a kiln's coal, each with its own calorific value: the year is the sum of its months."""
    profile = plant_of("cement")
    its = year(profile)
    stretches = its.stretches["kiln_coal"]
    assert [CALENDAR.date(stretch.first_day).month for stretch in stretches] == list(range(1, 13))
    values = {
        str(stretch.factor.description["factors"][0]["value"]) for stretch in stretches if stretch.factor
    }
    assert len(values) == 12
    by_hand = sum(
        int(stretch.consumption.sum())
        * Fraction(10) ** stretch.exponent
        * next(
            each.value
            for each in its.enterprise.sources["kiln_coal"].parameters
            if each.from_day == stretch.first_day
        )
        * Fraction("0.0261") * Fraction("0.93") * Fraction(44, 12) * MG_PER_TONNE
        for stretch in stretches
    )  # fmt: skip
    assert abs(sum(int(stretch.mg.sum()) for stretch in stretches) - by_hand) <= HALF_MG * INTERVALS
