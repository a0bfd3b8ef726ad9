"""Registered items, as they are stored, and the model that they make.

An item is one registered thing: its kind, the enterprise it belongs to, a key within that, and its
specification, plain JSON in the words of the registry document.

    kind        key                           kind        key
    park        code                          source      source, from ('' for all time)
    enterprise  —                             parameter   source, name, from
    gateway     id                            product     product, from
    meter       id                            derived     meter, channel
    channel     meter, channel, valid_from in UTC   check     id
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from domain.expression import parse_expression
from domain.interval import EPOCH_DATE, TIME_MIN_US, parse_offset, parse_period, parse_time
from domain.registry import (
    Band,
    Calibration,
    ChannelVersion,
    Check,
    Dated,
    Derivation,
    Enterprise,
    Gateway,
    Kind,
    Parameter,
    Park,
    Point,
    Product,
    ProductVersion,
    Source,
    SourceVersion,
    Term,
)
from domain.unit import consumption_unit, ledger_exponent
from domain.validation import CheckRule

Specification: TypeAlias = dict[str, Any]

# One count of a derived channel, where its entry gives no other: fine enough that heat × factor keeps to grams.
DERIVED_RESOLUTION = "0.000001"


class ItemKey(NamedTuple):
    kind: str
    uscc: str  # '' for parks
    key: tuple[str, ...]


Items: TypeAlias = Mapping[ItemKey, Specification]


class Ids(NamedTuple):
    """The lasting numbers of an enterprise's names."""

    enterprise: int
    points: Mapping[tuple[str, str], int]  # by meter and channel
    sources: Mapping[str, int]


@lru_cache(maxsize=100_000)
def fraction(text: str) -> Fraction:
    return Fraction(text)


def optional_fraction(text: str | None) -> Fraction | None:
    return None if text is None else fraction(text)


def moment(text: str) -> int:
    """A stored time [µs]."""
    us = parse_time(text)
    assert us is not None, text
    return us


def day_number(text: str) -> int | None:
    """A stored day; '' is for all time."""
    return (date.fromisoformat(text) - EPOCH_DATE).days if text else None


@lru_cache(maxsize=100_000)
def terms(expression: str) -> tuple[Term, ...]:
    return parse_expression(expression)[0]


def channel_version(spec: Specification) -> ChannelVersion:
    gap = parse_period(spec.get("max_gap", ""))
    valid_to = spec.get("valid_to")
    return ChannelVersion(
        valid_from_us=moment(spec["valid_from"]),
        valid_to_us=None if valid_to is None else moment(valid_to),
        quantity=spec["quantity"],
        kind=Kind(spec["kind"]),
        unit=spec["unit"],
        multiplier=fraction(spec.get("multiplier", "1")),
        resolution=fraction(spec["resolution"]),
        modulus=optional_fraction(spec.get("modulus")),
        max_rate=optional_fraction(spec.get("max_rate")),
        max_gap_us=None if gap is None else gap.us,
        period=parse_period(spec.get("period", "")),
        snap=spec.get("snap", True),
        opening=optional_fraction(spec.get("opening")),
        closing=optional_fraction(spec.get("closing")),
    )


def point_exponent(versions: Iterable[ChannelVersion]) -> int:
    return ledger_exponent(version.resolution * version.multiplier for version in versions)


def _measured(id_: int, uscc: str, meter: str, channel: str, specs: list[Specification]) -> Point:
    versions = tuple(sorted(map(channel_version, specs), key=lambda version: version.valid_from_us))
    last = versions[-1]
    unit = consumption_unit(last.unit)
    return Point(
        id_, uscc, meter, channel, last.quantity, last.kind, unit, point_exponent(versions), versions
    )


def derived_quantity(spec: Specification, quantities: Mapping[str, str]) -> str:
    """What a derived channel measures; quantities: of the channels, by METER/CHANNEL."""
    if "quantity" in spec:
        return str(spec["quantity"])
    if spec["function"] == "gas_at_normal":
        return quantities.get(spec["inputs"]["volume"], "other")
    return {"steam_heat": "steam"}.get(spec["function"], "other")


def _derived(
    id_: int, uscc: str, meter: str, channel: str, spec: Specification, quantities: Mapping[str, str]
) -> Point:
    quantity = derived_quantity(spec, quantities)
    resolution = fraction(spec.get("resolution", DERIVED_RESOLUTION))
    # An amount an interval, for as long as its inputs are valid: they bound it, not this version.
    version = ChannelVersion(
        TIME_MIN_US, None, quantity, Kind.DELTA, spec["unit"], multiplier=Fraction(1), resolution=resolution
    )
    derivation = Derivation(spec["function"], tuple(spec["inputs"].items()))
    exponent = point_exponent([version])
    return Point(
        id_,
        uscc,
        meter,
        channel,
        quantity,
        Kind.DELTA,
        consumption_unit(spec["unit"]),
        exponent,
        (version,),
        derivation,
    )


def dated_codes(entries: Iterable[Mapping[str, Any]]) -> tuple[Dated[Any], ...]:
    return tuple(Dated(day_number(entry.get("from", "")), entry["code"]) for entry in entries)


def flag_history(entries: Iterable[Mapping[str, Any]]) -> tuple[Dated[frozenset[str]], ...]:
    """The flags that hold from each day on which one begins or ends."""
    spans = [
        (day_number(each.get("from", "")), day_number(each.get("to", "")), each["flag"]) for each in entries
    ]
    edges = {day for begins, ends, _ in spans for day in (begins, ends) if day is not None}
    history: list[Dated[frozenset[str]]] = []
    for edge in [None, *sorted(edges)]:
        holding = frozenset(
            flag
            for begins, ends, flag in spans
            if (begins is None or (edge is not None and begins <= edge))
            and (ends is None or edge is None or edge < ends)
        )
        if holding != (history[-1].value if history else frozenset()):
            history.append(Dated(edge, holding))
    return tuple(history)


def park(code: str, spec: Specification) -> Park:
    name_zh, name_en = names(spec)
    return Park(code, name_zh, name_en, spec["district"])


def names(spec: Specification) -> tuple[str, str]:
    """Chinese and English name; one stands in for the other."""
    name_zh, name_en = spec.get("name_zh"), spec.get("name_en")
    return str(name_zh or name_en or ""), str(name_en or name_zh or "")


def enterprise(uscc: str, items: Iterable[tuple[ItemKey, Specification]], ids: Ids) -> Enterprise:
    """The model of one enterprise from its items, which have been found free of faults."""
    spec: Specification = {}
    gateways: dict[str, Gateway] = {}
    meters: dict[str, str] = {}
    channels: defaultdict[tuple[str, str], list[Specification]] = defaultdict(list)
    derived: dict[tuple[str, str], Specification] = {}
    sources: defaultdict[str, list[Dated[SourceVersion]]] = defaultdict(list)
    parameters: defaultdict[str, list[Parameter]] = defaultdict(list)
    products: defaultdict[str, list[Dated[ProductVersion]]] = defaultdict(list)
    checks: dict[str, Check] = {}
    calibrated: dict[str, tuple[Calibration, ...]] = {}
    for (kind, _, key), each in sorted(items, key=lambda item: item[0]):
        match kind:
            case "enterprise":
                spec = each
            case "gateway":
                zone = each.get("zone")
                gateways[key[0]] = Gateway(key[0], None if zone is None else parse_offset(zone))
            case "meter":
                meters[key[0]] = each.get("name", "")
                if found := calibrations(each.get("calibrations", ())):
                    calibrated[key[0]] = found
            case "channel":
                channels[key[0], key[1]].append(each)
            case "derived":
                derived[key[0], key[1]] = each
            case "source":
                sources[key[0]].append(Dated(day_number(key[1]), source_version(each)))
            case "parameter":
                parameters[key[0]].append(parameter(key, each))
            case "product":
                version = ProductVersion(terms(each["expression"]), each["unit"], band(each.get("band")))
                products[key[0]].append(Dated(day_number(key[1]), version))
            case "check":
                checks[key[0]] = check(key[0], each)
    points = {
        f"{meter}/{channel}": _measured(ids.points[meter, channel], uscc, meter, channel, specs)
        for (meter, channel), specs in channels.items()
    }
    quantities = {name: point.quantity for name, point in points.items()}
    for (meter, channel), each in derived.items():
        id_ = ids.points[meter, channel]
        points[f"{meter}/{channel}"] = _derived(id_, uscc, meter, channel, each, quantities)
    name_zh, name_en = names(spec)
    return Enterprise(
        id=ids.enterprise,
        uscc=uscc,
        name_zh=name_zh,
        name_en=name_en,
        industry=spec["industry"],
        editions=dated_codes(spec.get("edition", ())),
        grid=dated_codes(spec.get("grid", ())),
        gb_t_4754=spec.get("gb_t_4754"),
        districts=dated_codes(spec.get("district", ())),
        parks=dated_codes(spec.get("park", ())),
        flags=flag_history(spec.get("flags", ())),
        gateways=gateways,
        meters=meters,
        points=points,
        sources={
            code: Source(ids.sources[code], uscc, code, tuple(versions), tuple(parameters[code]))
            for code, versions in sources.items()
        },
        products={code: Product(code, tuple(versions)) for code, versions in products.items()},
        checks=checks,
        calibrations=calibrated,
    )


def calibrations(entries: Iterable[Mapping[str, Any]]) -> tuple[Calibration, ...]:
    """In the order of their beginnings."""
    found = []
    for entry in entries:
        from_day = day_number(entry["from"])
        assert from_day is not None, entry
        found.append(Calibration(from_day, day_number(entry.get("until", "")), entry.get("reference")))
    return tuple(found)


def band(spec: Specification | None) -> Band | None:
    if spec is None:
        return None
    return Band(
        optional_fraction(spec.get("low")), optional_fraction(spec.get("high")), spec.get("over", "month")
    )


def check(code: str, spec: Specification) -> Check:
    shortest = parse_period(spec.get("shortest", ""))
    return Check(
        code,
        CheckRule(spec["rule"]),
        main=terms(spec["main"]) if "main" in spec else (),
        subs=terms(spec["subs"]) if "subs" in spec else (),
        consumption=terms(spec["consumption"]) if "consumption" in spec else (),
        product=spec.get("product"),
        channel=spec.get("channel"),
        tolerance=optional_fraction(spec.get("tolerance")),
        shortest_us=None if shortest is None else shortest.us,
        active=spec.get("active", True),
    )


def source_version(spec: Specification) -> SourceVersion:
    return SourceVersion(
        spec["method"],
        spec.get("fuel"),
        spec.get("material"),
        terms(spec["expression"]),
        spec.get("substitution"),
    )


def parameter(key: tuple[str, ...], spec: Specification) -> Parameter:
    """key: source, name, from"""
    return Parameter(
        name=key[1],
        value=fraction(spec["value"]),
        unit=spec.get("unit"),
        from_day=day_number(key[2]),
        origin=spec.get("origin"),
        reference=spec.get("reference"),
    )
