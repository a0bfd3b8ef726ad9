"""The demo city: who is in it, what they measure, and the registry document that says so.

A simulated plant of each of the 24 industries (`plants/`) stands in two parks of Xiangtan; the real plant's replay
in a third. The codes are synthetic, valid and of nobody. Sizes are chosen to be plausible for works of their kind,
not taken from any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from domain.interval import DAY_US, Calendar
from domain.registry import Kind
from simulators import shape
from simulators.enterprise import EnterpriseProfile, ParameterProfile, SourceProfile, plants
from simulators.plant import RESOLUTION_KWH, Plant
from simulators.profile import ChannelProfile, Growth, MeterProfile

CHINA = Calendar()

PLANT_USCC = "91430304XT0000022B"
PLANT_GATEWAY = "gw1"
PLANT_METER, PLANT_CHANNEL = "E-01", "import_kwh"
PLANT_SOURCE = "grid"

PARKS = (
    {"code": "XT-ETDZ", "name_zh": "湘潭经济技术开发区", "name_en": "Xiangtan ETDZ", "district": "430300"},
    {
        "code": "XT-HTZ",
        "name_zh": "湘潭高新技术产业开发区",
        "name_en": "Xiangtan High-tech Zone",
        "district": "430304",
    },
    {
        "code": "XT-24",
        "name_zh": "湘潭二十四行业示范园（模拟）",
        "name_en": "Xiangtan Park of the 24 Industries (simulated)",
        "district": "430300",
    },
)


PARK_ENTERPRISES = plants()


@dataclass(frozen=True, slots=True)
class City:
    """The demo city from a day on: the park's simulation starts at `start_us`, a local midnight."""

    seed: int
    start_us: int
    calendar: Calendar = CHINA

    def __post_init__(self) -> None:
        if (self.start_us + self.calendar.offset_us) % DAY_US:
            raise ValueError(f"the simulation must start at a local midnight, not at {self.start_us} µs")

    def growth(self, enterprise: EnterpriseProfile, meter: MeterProfile, channel: ChannelProfile) -> Growth:
        key = f"{self.seed} {enterprise.uscc} {meter.id}/{channel.id}"
        return Growth(key, channel, self.start_us, self.calendar.offset_us)

    def document(self, until_us: int, plant: Plant | None = None) -> dict[str, Any]:
        """The registry document; parameters measured monthly are there for the months up to `until_us`."""
        enterprises = [self._enterprise(profile, until_us) for profile in PARK_ENTERPRISES]
        if plant is not None:
            enterprises.insert(0, plant_entry(plant, self.calendar))
        return {"parks": [dict(park) for park in PARKS], "enterprises": enterprises}

    def _enterprise(self, profile: EnterpriseProfile, until_us: int) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "uscc": profile.uscc,
            "name_zh": profile.name_zh,
            "name_en": profile.name_en,
            "industry": profile.industry,
            "gb_t_4754": profile.gb_t_4754,
            "district": profile.district,
            "park": profile.park,
            "flags": list(profile.flags),
            "gateways": [
                {"id": gateway.id} | ({"zone": gateway.zone} if gateway.zone else {})
                for gateway in profile.gateways
            ],
            "meters": [
                {
                    "id": meter.id,
                    "name": meter.name,
                    "channels": [
                        channel_entry(channel, self.calendar.text(self.start_us))
                        for channel in meter.channels
                    ],
                }
                for meter in profile.meters
            ],
            "sources": [self._source(profile, source, until_us) for source in profile.sources],
        }
        if profile.derived:
            entry["derived"] = [dict(derived) for derived in profile.derived]
        if profile.products:
            entry["products"] = [
                {"id": code, "expression": expression, "unit": unit}
                for code, expression, unit in profile.products
            ]
        return entry

    def _source(self, profile: EnterpriseProfile, source: SourceProfile, until_us: int) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": source.id, "method": source.method, "expression": source.expression}
        if source.fuel:
            entry["fuel"] = source.fuel
        if source.material:
            entry["material"] = source.material
        parameters = [
            each
            for parameter in source.parameters
            for each in self._parameter(f"{profile.uscc} {source.id}", parameter, until_us)
        ]
        if parameters:
            entry["parameters"] = parameters
        return entry

    def _parameter(self, key: str, parameter: ParameterProfile, until_us: int) -> list[dict[str, str]]:
        """The parameter for all time, or once for each month up to `until_us`."""
        said = {"name": parameter.name, "unit": parameter.unit, "origin": "measured"}
        if parameter.level is None:
            assert parameter.value is not None
            return [said | {"value": parameter.value, "reference": parameter.reference}]
        digits = len(parameter.level.partition(".")[2])
        result = []
        for month in self._months(until_us):
            wobble = float(
                shape.noise(f"{self.seed} {key} {parameter.name}", np.array([month.year * 12 + month.month]))[
                    0
                ]
            )
            value = f"{float(parameter.level) + float(parameter.swing) * wobble:.{digits}f}"
            reference = f"laboratory report {month:%Y-%m}"
            result.append(said | {"value": value, "from": month.isoformat(), "reference": reference})
        return result

    def _months(self, until_us: int) -> list[date]:
        """The first day of each local month from that of the start to that of `until_us`."""
        day, last = self.calendar.month_start(self.calendar.day(self.start_us)), self.calendar.day(until_us)
        months = []
        while day <= last:
            months.append(self.calendar.date(day))
            day = self.calendar.month_start(day, 1)
        return months


def channel_entry(channel: ChannelProfile, valid_from: str) -> dict[str, Any]:
    """One channel of the registry document, valid from a moment on."""
    entry: dict[str, Any] = {
        "id": channel.id,
        "quantity": channel.quantity,
        "kind": channel.kind.value,
        "unit": channel.unit,
        "multiplier": channel.multiplier,
        "resolution": channel.resolution,
    }
    if channel.kind is Kind.REGISTER:
        if channel.modulus is not None:
            entry["modulus"] = channel.modulus
        entry["max_rate"] = channel.max_rate
    if channel.kind is Kind.DELTA:
        entry["period"] = channel.period
    elif channel.max_gap is not None:
        entry["max_gap"] = channel.max_gap
    entry["valid_from"] = valid_from
    return entry


def plant_entry(plant: Plant, calendar: Calendar) -> dict[str, Any]:
    """The enterprise of the real plant's replay."""
    return {
        "uscc": PLANT_USCC,
        "name_zh": "实测钢铁厂（2018年数据重放）",
        "name_en": "Real steel plant (replay of 2018: DAEWOO Steel, Gwangyang)",
        "industry": "steel",
        "gb_t_4754": "3120",
        "district": "430304",
        "park": "XT-HTZ",
        "gateways": [{"id": PLANT_GATEWAY}],
        "meters": [
            {
                "id": PLANT_METER,
                "name": "works feeder, 15-minute meter 厂区进线",
                "channels": [
                    {
                        "id": PLANT_CHANNEL,
                        "quantity": "electricity_import",
                        "kind": "register",
                        "unit": "kWh",
                        "multiplier": "1",
                        "resolution": RESOLUTION_KWH,
                        "modulus": "10000000",
                        "max_rate": "2000",
                        "max_gap": "PT2H",
                        "valid_from": calendar.text(plant.start_us),
                    }
                ],
            }
        ],
        "sources": [
            {
                "id": PLANT_SOURCE,
                "method": "purchased_electricity",
                "expression": f"{PLANT_METER}/{PLANT_CHANNEL}",
            }
        ],
    }
