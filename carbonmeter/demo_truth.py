"""The ledger beside what the demo's meters really showed: every interval of every source, to the milligram.

The simulators know what was consumed; the API says which factor it used. Multiplied and rounded apart from the
server, the two must give its entries, and nothing must stand where nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from carbonmeter.check import Check
from carbonmeter.client import Client
from domain.interval import INTERVAL_US, Calendar, ceil_interval, floor_interval, to_us
from domain.reading import decimal_text
from simulators import truth
from simulators.city import (
    PARK_ENTERPRISES,
    PLANT_CHANNEL,
    PLANT_METER,
    PLANT_SOURCE,
    PLANT_USCC,
)
from simulators.enterprise import EnterpriseProfile
from simulators.faults import Faults, structure
from simulators.gateway import MeterGroup
from simulators.plant import TOTAL_COUNTS, Plant, usage_counts
from simulators.scene import Scene
from simulators.series import Series
from simulators.truth import Amounts

_PAGE = 1000


def milligrams(co2e_kg: str | None) -> int | None:
    """Milligrams of an amount of the API, exact."""
    if co2e_kg is None:
        return None
    mg = Decimal(co2e_kg) * 1_000_000
    assert mg == int(mg), f"{co2e_kg} kg isn't a whole number of milligrams"
    return int(mg)


def at_us(item: dict[str, Any]) -> int:
    return to_us(datetime.fromisoformat(item["at"]))


class Factors:
    """The factors that the server says it used, asked once a source and local month."""

    def __init__(self, client: Client, calendar: Calendar) -> None:
        self._client = client
        self._calendar = calendar
        self._known: dict[tuple[str, str, int], list[Fraction]] = {}
        self.described: dict[str, dict[str, Any]] = {}  # by its figure and source, for the summary

    def mg_per_unit(self, uscc: str, source: str, interval_us: int) -> list[Fraction]:
        """Of one unit of the source's consumption, one a gas; none where the server has no entry there."""
        month = self._calendar.month_start(self._calendar.day(interval_us))
        key = (uscc, source, month)
        if key not in self._known:
            answer = self._client.get(
                f"/v1/enterprises/{uscc}/derivation",
                source=source,
                from_=self._calendar.text(interval_us),
                to=self._calendar.text(interval_us + INTERVAL_US),
            )
            used = {factor["id"]: factor for factor in answer["used_factors"]}
            parts = [used[part["factor"]] for part in answer["intervals"][0]["parts"]]
            if not parts:
                return []
            self._known[key] = [Fraction(part["mg_per_unit"]) for part in parts]
            self.described.setdefault(f"{uscc} {source}", parts[0])
        return self._known[key]


def plant(client: Client, scene: Scene, factors: Factors) -> Iterator[Check]:
    """The real plant: its year's energy, each of its 35,040 entries, and where the factor comes from."""
    replay = scene.plant
    assert replay is not None
    calendar = scene.calendar
    yield _plant_energy(client, replay, calendar)
    expected = {
        int(start): int(count)
        for start, count in zip(replay.stamps_us()[:-1].tolist(), usage_counts().tolist(), strict=True)
    }
    check = Check(3, f"the real plant: {TOTAL_COUNTS / 100:,.2f} kWh × factor, to the milligram")
    entries = _entries(client, PLANT_USCC, replay.start_us, replay.end_us, calendar)[PLANT_SOURCE]
    _compare(check, PLANT_USCC, PLANT_SOURCE, Amounts(-2, expected), entries, factors, calendar)
    total = sum(mg for mg in entries.values() if mg is not None)
    said = _plant_year(client, scene)
    if said != total:
        check.fault(f"the years sum to {said} mg, the entries to {total} mg")
    yield check
    yield _plant_factor(factors)


def _plant_year(client: Client, scene: Scene) -> int:
    """mg of the plant's year, as the sum of its (local) years."""
    assert scene.plant is not None
    year = client.get(
        f"/v1/enterprises/{PLANT_USCC}/emissions",
        from_=scene.calendar.text(scene.plant.start_us),
        to=scene.calendar.text(scene.plant.end_us),
        granularity="year",
        by="total",
    )
    return sum(milligrams(item["co2e_kg"]) or 0 for item in year["items"])


def plant_summary(client: Client, scene: Scene, factors: Factors) -> dict[str, Any]:
    """For people: energy, emissions, and the factor with its source."""
    factor = factors.described.get(f"{PLANT_USCC} {PLANT_SOURCE}", {})
    return {
        "kwh": f"{Decimal(TOTAL_COUNTS) / 100}",
        "co2e_kg": decimal_text(_plant_year(client, scene), -6),
        "factor": factor,
    }


def _plant_energy(client: Client, replay: Plant, calendar: Calendar) -> Check:
    check = Check(3, "the real plant's energy")
    items = client.items(
        f"/v1/enterprises/{PLANT_USCC}/consumption",
        channel=f"{PLANT_METER}/{PLANT_CHANNEL}",
        from_=calendar.text(replay.start_us),
        to=calendar.text(replay.end_us),
        granularity="month",
        limit=_PAGE,
    )
    amounts = [Decimal(item["amount"]) for item in items if item["amount"] is not None]
    check.compared = len(amounts)
    if sum(amounts) * 100 != TOTAL_COUNTS:
        check.fault(
            f"the months sum to {sum(amounts)} kWh, the source's year is {TOTAL_COUNTS / 100:.2f} kWh"
        )
    return check


def _plant_factor(factors: Factors) -> Check:
    """Promise 5 of the one factor behind the plant's year."""
    check = Check(5, "the API says which factor, from which source", 1)
    factor = factors.described.get(f"{PLANT_USCC} {PLANT_SOURCE}", {})
    named = [each for each in factor.get("factors") or [] if each.get("value") and each.get("reference")]
    if not named:
        check.fault(f"no value with its reference in {factor}")
    return check


def park(client: Client, scene: Scene, factors: Factors, until_us: int) -> Iterator[Check]:
    """The simulated park: what its meters showed up to `until_us`, faults and all, beside every entry."""
    assert scene.start_us is not None
    city = scene.city
    assert city is not None
    faults = Faults.parse(scene.faults)
    made = structure(city, faults, scene.horizon_us)
    check = Check(3, "the simulated park: every entry is what its meters showed × factor")
    for profile in PARK_ENTERPRISES:
        groups = [MeterGroup(city, profile, gateway, faults, made) for gateway in profile.gateways]
        amounts, doubtful = _amounts(groups, scene.calendar, scene.start_us, until_us)
        _derive(profile, amounts, doubtful)
        entries = _entries(client, profile.uscc, scene.start_us, ceil_interval(until_us), scene.calendar)
        for source in profile.sources:
            names = set(source.expression.split()) - {"+", "-"}
            if not names <= amounts.keys():
                continue  # the heat of steam: computed by a property formula that the twin doesn't have
            consumption = truth.signed_sum(source.expression, amounts)
            settled_us = min(
                (doubtful[name] for name in names if name in doubtful), default=ceil_interval(until_us)
            )
            _compare(
                check,
                profile.uscc,
                source.id,
                consumption.between(scene.start_us, settled_us),
                {at: mg for at, mg in entries[source.id].items() if at < settled_us},
                factors,
                scene.calendar,
            )
    yield check


def _derive(profile: EnterpriseProfile, amounts: dict[str, Amounts], doubtful: dict[str, int]) -> None:
    """Add the derived channels, as far as the twin has their function."""
    units = {f"{meter.id}/{channel.id}": channel.unit for meter, channel in profile.channels()}
    for each in profile.derived:
        inputs = each["inputs"]
        if not all(name in amounts for name in inputs.values()):
            continue
        found = truth.derived(
            each["function"], {role: (units[name], amounts[name]) for role, name in inputs.items()}
        )
        if found is not None:
            amounts[each["id"]] = found
            in_doubt = [doubtful[name] for name in inputs.values() if name in doubtful]
            if in_doubt:
                doubtful[each["id"]] = min(in_doubt)


def _amounts(
    groups: Iterable[MeterGroup], calendar: Calendar, start_us: int, until_us: int
) -> tuple[dict[str, Amounts], dict[str, int]]:
    """Amounts by channel; and, of a channel whose newest readings are lies, from when on it is in doubt.

    A lie is told by what comes after it. Until then the server must judge by what it has, and so the twin can't
    say what stands from the last good reading on.
    """
    result: dict[str, Amounts] = {}
    doubtful: dict[str, int] = {}
    days = range(calendar.day(start_us), calendar.day(until_us) + 1)
    for group in groups:
        for pieces in zip(*(group.series(day) for day in days), strict=True):
            series = _joined(pieces, until_us + group.skew_us)
            if not len(series):
                continue
            result[series.name] = truth.means(series) if series.channel.is_mean else truth.amounts(series)
            if not series.stands[-1]:
                doubtful[series.name] = floor_interval(int(series.at_us[series.stands][-1]))
    return result, doubtful


def _joined(pieces: Iterable[Series], last_us: int) -> Series:
    parts = list(pieces)
    stamps = np.concatenate([part.at_us for part in parts])
    taken = stamps <= last_us
    columns = [
        np.concatenate([getattr(part, name) for part in parts])[taken] for name in ("sent", "meant", "stands")
    ]
    return Series(parts[0].uscc, parts[0].meter, parts[0].channel, stamps[taken], *columns)


def _entries(
    client: Client, uscc: str, from_us: int, to_us_: int, calendar: Calendar
) -> dict[str, dict[int, int | None]]:
    """mg of each interval by source, as the API answers it."""
    items = client.items(
        f"/v1/enterprises/{uscc}/emissions",
        from_=calendar.text(from_us),
        to=calendar.text(to_us_),
        granularity="15m",
        by="source",
        limit=_PAGE,
    )
    result: dict[str, dict[int, int | None]] = {}
    for item in items:
        result.setdefault(item["source"], {})[at_us(item)] = milligrams(item["co2e_kg"])
    return result


def _compare(
    check: Check,
    uscc: str,
    source: str,
    consumption: Amounts,
    entries: dict[int, int | None],
    factors: Factors,
    calendar: Calendar,
) -> None:
    by_month: dict[int, dict[int, int]] = {}
    for start, amount in consumption.by_start_us.items():
        by_month.setdefault(calendar.month_start(calendar.day(start)), {})[start] = amount
    expected: dict[int, int] = {}
    for month in by_month.values():
        first = next(iter(month))
        by_gas = factors.mg_per_unit(uscc, source, first)
        if not by_gas:
            check.fault(
                f"{uscc} {source} {calendar.text(first)}: no factor, though the meters show consumption"
            )
            continue
        for factor in by_gas:
            for start, each in truth.ledger_mg(Amounts(consumption.exponent, month), factor).items():
                expected[start] = expected.get(start, 0) + each
    check.compared += len(entries)
    for start, mg in entries.items():
        if mg != expected.get(start):
            check.fault(
                f"{uscc} {source} {calendar.text(start)}: {mg} mg, the meters say {expected.get(start)} mg"
            )
    for start in expected.keys() - entries.keys():
        check.fault(f"{uscc} {source} {calendar.text(start)}: no item, the meters say {expected[start]} mg")


def wholes(client: Client, scene: Scene, until_us: int) -> Check:
    """Quarter-hours, hours, days and months; sources, scopes and totals; members, parks and the city: no remainder.

    Over the whole time by days, over the park's days also by hours and quarter-hours.
    """
    check = Check(3, "sums of parts equal wholes, through the API")
    assert scene.start_us is not None
    assert scene.plant is not None
    spans = {
        min(scene.start_us, scene.plant.start_us): (("day", "source"), ("day", "scope"), ("month", "gas")),
        scene.start_us: (("15m", "total"), ("hour", "source")),
    }

    def total(path: str, from_us: int, granularity: str, by: str) -> int:
        items = client.items(
            f"{path}/emissions",
            from_=scene.calendar.text(from_us),
            to=scene.calendar.text(until_us),
            granularity=granularity,
            by=by,
            limit=_PAGE,
        )
        check.compared += 1
        return sum(milligrams(item["co2e_kg"]) or 0 for item in items)

    for from_us, ways in spans.items():
        totals: dict[str, int] = {}
        for uscc in (uscc for members in park_members().values() for uscc in members):
            path = f"/v1/enterprises/{uscc}"
            totals[uscc] = total(path, from_us, "year", "total")
            for granularity, by in ways:
                part = total(path, from_us, granularity, by)
                if part != totals[uscc]:
                    check.fault(f"{uscc}: {granularity} by {by}: {part} mg, the total is {totals[uscc]} mg")
        for code, members in park_members().items():
            whole = total(f"/v1/parks/{code}", from_us, "month", "scope")
            parts = sum(totals[uscc] for uscc in members)
            if whole != parts:
                check.fault(f"park {code}: {whole} mg, its members sum to {parts} mg")
        city = total("/v1/districts/430300", from_us, "day", "total")
        if city != sum(totals.values()):
            check.fault(f"the city: {city} mg, its enterprises sum to {sum(totals.values())} mg")
    return check


def park_members() -> dict[str, list[str]]:
    members: dict[str, list[str]] = {"XT-HTZ": [PLANT_USCC]}
    profile: EnterpriseProfile
    for profile in PARK_ENTERPRISES:
        members.setdefault(profile.park, []).append(profile.uscc)
    return members
