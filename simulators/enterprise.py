"""Simulated enterprises: who they are, what they measure, what of it are emission sources. Read from `plants/`.

A plant is a TOML file named by its industry. Its tables are those of the registry document, with what a simulation
needs beside it: of a channel `nominal` (its hour of weight 1), `shape` (a name of `shape.SHAPES`), `every` (how often
it is read), of a parameter `level` and `swing` where a laboratory gives it anew each month.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from domain.industry import INDUSTRIES
from domain.registry import Kind
from simulators.encode import Form, StampStyle
from simulators.profile import PERIODS_US, ChannelProfile, MeterProfile
from simulators.shape import SHAPES

MAX_RATE_FACTOR = 20  # of a register's nominal amount, where the file says nothing


@dataclass(frozen=True, slots=True)
class GatewayProfile:
    """A gateway and how its maker saw the wire: client library, protocol, form, stamps."""

    id: str
    client: str = "paho"  # or aiomqtt
    protocol: int = 5
    form: Form = Form.C
    style: StampStyle = StampStyle.MILLISECONDS
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class ParameterProfile:
    """A parameter of a source: one `value` for all time, or `level` ± `swing` measured anew each month."""

    name: str
    unit: str
    value: str | None = None
    level: str | None = None
    swing: str = "0"
    reference: str = "supplier's certificate"


@dataclass(frozen=True, slots=True)
class SourceProfile:
    id: str
    method: str
    expression: str
    fuel: str | None = None
    material: str | None = None
    parameters: tuple[ParameterProfile, ...] = ()


@dataclass(frozen=True, slots=True)
class EnterpriseProfile:
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    gb_t_4754: str
    district: str
    park: str
    flags: tuple[str, ...]
    gateways: tuple[GatewayProfile, ...]
    meters: tuple[MeterProfile, ...]
    sources: tuple[SourceProfile, ...]
    products: tuple[tuple[str, str, str], ...] = ()  # (id, expression, unit)
    derived: tuple[dict[str, Any], ...] = ()

    def channels(self) -> list[tuple[MeterProfile, ChannelProfile]]:
        return [(meter, channel) for meter in self.meters for channel in meter.channels]


@cache
def plants() -> tuple[EnterpriseProfile, ...]:
    """A plant of each industry, in the order of the guidelines."""
    folder = files("simulators").joinpath("plants")
    return tuple(
        enterprise(tomllib.loads(folder.joinpath(f"{industry}.toml").read_text("utf-8")))
        for industry in INDUSTRIES
    )


def plant_of(industry: str) -> EnterpriseProfile:
    return next(plant for plant in plants() if plant.industry == industry)


def enterprise(table: Mapping[str, Any]) -> EnterpriseProfile:
    """The enterprise that a file's tables describe; raises TypeError or KeyError for one that doesn't."""
    first = table["gateways"][0]["id"]
    return EnterpriseProfile(
        **{field.name: table[field.name] for field in fields(EnterpriseProfile)[:7]},
        flags=tuple(table.get("flags", ())),
        gateways=tuple(_gateway(each) for each in table["gateways"]),
        meters=tuple(
            MeterProfile(
                each["id"],
                each["name"],
                each.get("gateway", first),
                tuple(_channel(channel) for channel in each["channels"]),
            )
            for each in table["meters"]
        ),
        sources=tuple(_source(each) for each in table["sources"]),
        products=tuple((each["id"], each["expression"], each["unit"]) for each in table.get("products", ())),
        derived=tuple(dict(each) for each in table.get("derived", ())),
    )


def _gateway(table: Mapping[str, Any]) -> GatewayProfile:
    own = dict(table)
    for name, choice in (("form", Form), ("style", StampStyle)):
        if name in own:
            own[name] = choice(own[name])
    return GatewayProfile(**own)


def _channel(table: Mapping[str, Any]) -> ChannelProfile:
    own = dict(table)
    own |= {"kind": Kind(own["kind"]), "nominal": float(own["nominal"])}
    if "shape" in own:
        own["shape"] = SHAPES[own["shape"]]
    if "every" in own:
        own["every_us"] = PERIODS_US[own.pop("every")]
    if own["kind"] is Kind.REGISTER:
        own.setdefault("max_rate", str(int(own["nominal"] * MAX_RATE_FACTOR) or 1))
    return ChannelProfile(**own)


def _source(table: Mapping[str, Any]) -> SourceProfile:
    own = dict(table)
    own["parameters"] = tuple(ParameterProfile(**each) for each in own.get("parameters", ()))
    return SourceProfile(**own)
