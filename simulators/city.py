"""The demo city: who is in it, what they measure, and the registry document that says so.

Four simulated enterprises make up one park of Xiangtan; the real plant's replay stands in another. The codes are
the synthetic ones of the project's reference, valid and of nobody. Sizes are chosen to be plausible for works of
their kind, not taken from any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from domain.interval import DAY_US, Calendar
from domain.registry import Kind
from simulators import shape
from simulators.encode import Form, StampStyle
from simulators.plant import RESOLUTION_KWH, Plant
from simulators.profile import MINUTE_US, ChannelProfile, Growth, MeterProfile

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
)


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
class SourceProfile:
    """An emission source; `monthly` parameters are (name, unit, level, swing) measured anew each month."""

    id: str
    method: str
    expression: str
    fuel: str | None = None
    fixed: tuple[tuple[str, str, str], ...] = ()  # (name, value, unit)
    monthly: tuple[tuple[str, str, str, str], ...] = ()


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


def _import(nominal: float, load: shape.Shape, multiplier: str, **more: Any) -> ChannelProfile:
    """The import register of a feeder; a reading every quarter-hour."""
    return ChannelProfile(
        "import_kwh",
        "electricity_import",
        Kind.REGISTER,
        "kWh",
        nominal,
        load,
        multiplier,
        modulus="1000000",
        max_rate=str(int(nominal * 20)),
        **more,
    )


STEEL = EnterpriseProfile(
    "91430302XT0000014K",
    "湘潭示范钢铁有限公司（模拟）",
    "Xiangtan Demo Steel (simulated)",
    "steel",
    "3120",
    "430302",
    "XT-ETDZ",
    ("key", "two_high", "ets"),
    (
        GatewayProfile("gw1", "paho", 5, Form.C, StampStyle.MILLISECONDS),
        GatewayProfile("gw2", "aiomqtt", 5, Form.A, StampStyle.OFFSET),
    ),
    (
        MeterProfile(
            "E-01", "arc furnace feeder 电弧炉进线", "gw1", (_import(42_000, shape.NIGHT_HEAVY, "8000"),)
        ),
        MeterProfile(
            "E-02", "rolling mill feeder 轧钢进线", "gw1", (_import(18_000, shape.THREE_SHIFTS, "4000"),)
        ),
        MeterProfile(
            "E-03",
            "surplus gas turbine, outgoing 余气发电上网",
            "gw1",
            (
                ChannelProfile(
                    "export_kwh",
                    "electricity_export",
                    Kind.REGISTER,
                    "kWh",
                    900,
                    shape.CONTINUOUS,
                    "400",
                    modulus="1000000",
                    max_rate="8000",
                ),
            ),
        ),
        MeterProfile(
            "G-01",
            "natural gas intake 天然气",
            "gw2",
            (
                ChannelProfile(
                    "gas_nm3",
                    "natural_gas",
                    Kind.REGISTER,
                    "nm3",
                    2_600,
                    shape.THREE_SHIFTS,
                    resolution="0.1",
                    modulus="100000000",
                    max_rate="30000",
                ),
            ),
        ),
        MeterProfile(
            "C-01",
            "injection coal scale 喷吹煤",
            "gw2",
            (
                ChannelProfile(
                    "coal_t",
                    "coal",
                    Kind.DELTA,
                    "t",
                    9.5,
                    shape.CONTINUOUS,
                    resolution="0.001",
                    period="PT1H",
                ),
            ),
        ),
        MeterProfile(
            "K-01",
            "coke store, daily weighing 焦炭日报",
            "gw2",
            (ChannelProfile("coke_t", "coke", Kind.DELTA, "t", 11.0, shape.CONTINUOUS, period="P1D"),),
        ),
        MeterProfile(
            "S-01",
            "bought steam 外购蒸汽",
            "gw2",
            (
                ChannelProfile(
                    "steam_t",
                    "steam",
                    Kind.REGISTER,
                    "t",
                    22,
                    shape.THREE_SHIFTS,
                    modulus="10000000",
                    max_rate="300",
                ),
                ChannelProfile("bar", "pressure", Kind.RATE, "bar", 12.0, swing=0.3),
                ChannelProfile("degc", "temperature", Kind.RATE, "degC", 265.0, resolution="0.1", swing=4.0),
            ),
        ),
        MeterProfile(
            "P-01",
            "crude steel, cast 粗钢产量",
            "gw2",
            (
                ChannelProfile(
                    "steel_t",
                    "product",
                    Kind.DELTA,
                    "t",
                    118,
                    shape.NIGHT_HEAVY,
                    resolution="0.01",
                    period="PT1H",
                ),
            ),
        ),
    ),
    (
        SourceProfile("grid", "purchased_electricity", "E-01/import_kwh + E-02/import_kwh"),
        SourceProfile("sold_power", "exported_electricity", "E-03/export_kwh"),
        SourceProfile(
            "gas", "fuel_combustion", "G-01/gas_nm3", "natural_gas", fixed=(("ncv", "391.20", "GJ/10k_nm3"),)
        ),
        SourceProfile("injection_coal", "fuel_combustion", "C-01/coal_t", "bituminous_coal"),
        SourceProfile("coke", "fuel_combustion", "K-01/coke_t", "coke"),
        SourceProfile("steam", "purchased_heat", "S-01/heat_gj"),
    ),
    (("crude_steel", "P-01/steel_t", "t"),),
    (
        {
            "id": "S-01/heat_gj",
            "function": "steam_heat",
            "inputs": {"mass": "S-01/steam_t", "pressure": "S-01/bar", "temperature": "S-01/degc"},
            "unit": "GJ",
        },
    ),
)

CEMENT = EnterpriseProfile(
    "91430381XT0000049K",
    "湘潭示范水泥有限公司（模拟）",
    "Xiangtan Demo Cement (simulated)",
    "cement",
    "3011",
    "430321",
    "XT-ETDZ",
    ("key", "two_high", "ets"),
    (GatewayProfile("gw1", "aiomqtt", 5, Form.C, StampStyle.LOCAL, "+08:00"),),
    (
        MeterProfile("E-01", "works feeder 厂区进线", "gw1", (_import(14_500, shape.KILN, "3000"),)),
        MeterProfile(
            "W-01",
            "waste-heat turbine 余热发电",
            "gw1",
            (
                ChannelProfile(
                    "power_kw",
                    "other",
                    Kind.RATE,
                    "kW",
                    5_200,
                    shape.KILN,
                    resolution="0.1",
                    max_gap="PT1H",
                    every_us=5 * MINUTE_US,
                ),
            ),
        ),
        MeterProfile(
            "K-01",
            "kiln and calciner coal 窑头窑尾煤",
            "gw1",
            (
                ChannelProfile(
                    "coal_t", "coal", Kind.DELTA, "t", 24, shape.KILN, resolution="0.001", period="PT15M"
                ),
            ),
        ),
        MeterProfile(
            "D-01",
            "quarry vehicles' pump 矿山加油站",
            "gw1",
            (
                ChannelProfile(
                    "diesel_kg",
                    "diesel",
                    Kind.REGISTER,
                    "kg",
                    35,
                    shape.TWO_SHIFTS,
                    resolution="0.1",
                    modulus="10000000",
                    max_rate="2000",
                ),
            ),
        ),
        MeterProfile(
            "P-01",
            "clinker scale 熟料产量",
            "gw1",
            (
                ChannelProfile(
                    "clinker_t", "product", Kind.DELTA, "t", 175, shape.KILN, resolution="0.1", period="PT1H"
                ),
            ),
        ),
    ),
    (
        SourceProfile("grid", "purchased_electricity", "E-01/import_kwh"),
        SourceProfile(
            "kiln_coal",
            "fuel_combustion",
            "K-01/coal_t",
            "bituminous_coal",
            monthly=(("ncv", "GJ/t", "22.40", "0.60"),),
        ),
        SourceProfile("vehicles", "fuel_combustion", "D-01/diesel_kg", "diesel"),
    ),
    (("clinker", "P-01/clinker_t", "t"),),
)

POWER = EnterpriseProfile(
    "91430321XT0000030R",
    "湘潭示范热电有限公司（模拟）",
    "Xiangtan Demo Power (simulated)",
    "power_generation",
    "4411",
    "430321",
    "XT-ETDZ",
    ("key", "two_high", "ets"),
    (
        GatewayProfile("gw1", "paho", 4, Form.B, StampStyle.UTC),
        GatewayProfile("gw2", "aiomqtt", 5, Form.SINGLE, StampStyle.MILLISECONDS),
    ),
    (
        MeterProfile(
            "U-01",
            "unit 1 coal feeders 1号机给煤",
            "gw1",
            (
                ChannelProfile(
                    "coal_tph",
                    "coal",
                    Kind.RATE,
                    "t/h",
                    118,
                    shape.UNIT,
                    max_gap="PT1H",
                    every_us=5 * MINUTE_US,
                ),
            ),
        ),
        MeterProfile(
            "U-02",
            "unit 2 coal feeders 2号机给煤",
            "gw1",
            (
                ChannelProfile(
                    "coal_tph",
                    "coal",
                    Kind.RATE,
                    "t/h",
                    112,
                    shape.UNIT,
                    max_gap="PT1H",
                    every_us=5 * MINUTE_US,
                ),
            ),
        ),
        MeterProfile(
            "O-01",
            "ignition oil 点火油",
            "gw2",
            (
                ChannelProfile(
                    "diesel_kg",
                    "diesel",
                    Kind.REGISTER,
                    "kg",
                    14,
                    shape.CONTINUOUS_WITH_STOPS,
                    resolution="0.1",
                    modulus="10000000",
                    max_rate="4000",
                ),
            ),
        ),
        MeterProfile(
            "E-01",
            "generation at the terminals 发电量",
            "gw1",
            (
                ChannelProfile(
                    "generation_mwh",
                    "product",
                    Kind.REGISTER,
                    "MWh",
                    520,
                    shape.UNIT,
                    "100",
                    "0.001",
                    modulus="1000000",
                    max_rate="4000",
                ),
            ),
        ),
        MeterProfile("E-02", "start-up supply 启备变", "gw2", (_import(450, shape.CONTINUOUS, "120"),)),
    ),
    (
        SourceProfile(
            "coal",
            "fuel_combustion",
            "U-01/coal_tph + U-02/coal_tph",
            "bituminous_coal",
            monthly=(("ncv", "GJ/t", "20.80", "0.50"), ("carbon_content", "tC/GJ", "0.02640", "0.00020")),
        ),
        SourceProfile("ignition", "fuel_combustion", "O-01/diesel_kg", "diesel"),
        SourceProfile("startup", "purchased_electricity", "E-02/import_kwh"),
    ),
    (("electricity", "E-01/generation_mwh", "MWh"),),
)

BUILDINGS = EnterpriseProfile(
    "91430382XT0000057W",
    "湘潭示范公共机构服务中心（模拟）",
    "Xiangtan Demo Public Buildings (simulated)",
    "public_buildings",
    "9221",
    "430302",
    "XT-ETDZ",
    (),
    (
        GatewayProfile("gw1", "paho", 5, Form.B, StampStyle.MILLISECONDS),
        GatewayProfile("gw2", "paho", 4, Form.A, StampStyle.UTC),
    ),
    (
        MeterProfile(
            "E-01",
            "municipal centre 市民中心",
            "gw1",
            (_import(620, shape.OFFICE, "80", every_us=5 * MINUTE_US),),
        ),
        MeterProfile("E-02", "hospital 医院", "gw1", (_import(850, shape.HOSPITAL, "60"),)),
        MeterProfile(
            "E-03",
            "roof surplus, outgoing 光伏上网",
            "gw2",
            (
                ChannelProfile(
                    "export_kwh",
                    "electricity_export",
                    Kind.REGISTER,
                    "kWh",
                    90,
                    shape.SOLAR_SURPLUS,
                    "20",
                    modulus="1000000",
                    max_rate="4000",
                ),
            ),
        ),
        MeterProfile(
            "PV-01",
            "rooftop solar 屋顶光伏",
            "gw2",
            (
                ChannelProfile(
                    "power_kw",
                    "other",
                    Kind.RATE,
                    "kW",
                    420,
                    shape.SOLAR,
                    resolution="0.1",
                    max_gap="PT1H",
                    every_us=5 * MINUTE_US,
                ),
            ),
        ),
        MeterProfile(
            "G-01",
            "kitchens and boilers 食堂与锅炉",
            "gw1",
            (
                ChannelProfile(
                    "gas_nm3",
                    "natural_gas",
                    Kind.REGISTER,
                    "nm3",
                    60,
                    shape.KITCHEN,
                    modulus="10000000",
                    max_rate="2000",
                ),
            ),
        ),
        MeterProfile(
            "H-01",
            "district heat 外购热力",
            "gw1",
            (
                ChannelProfile(
                    "heat_gj",
                    "heat_import",
                    Kind.DELTA,
                    "GJ",
                    3.2,
                    shape.HEATING,
                    resolution="0.001",
                    period="PT15M",
                ),
            ),
        ),
    ),
    (
        SourceProfile("grid", "purchased_electricity", "E-01/import_kwh + E-02/import_kwh"),
        SourceProfile("roof", "exported_electricity", "E-03/export_kwh"),
        SourceProfile("gas", "fuel_combustion", "G-01/gas_nm3", "natural_gas"),
        SourceProfile("heat", "purchased_heat", "H-01/heat_gj"),
    ),
)

PARK_ENTERPRISES = (STEEL, CEMENT, POWER, BUILDINGS)


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
        parameters = [
            {
                "name": name,
                "value": value,
                "unit": unit,
                "origin": "measured",
                "reference": "supplier's certificate",
            }
            for name, value, unit in source.fixed
        ]
        for name, unit, level, swing in source.monthly:
            for month in self._months(until_us):
                digits = len(level.partition(".")[2])
                key = f"{self.seed} {profile.uscc} {source.id} {name}"
                wobble = float(shape.noise(key, np.array([month.year * 12 + month.month]))[0])
                parameters.append(
                    {
                        "name": name,
                        "value": f"{float(level) + float(swing) * wobble:.{digits}f}",
                        "unit": unit,
                        "from": month.isoformat(),
                        "origin": "measured",
                        "reference": f"laboratory report {month:%Y-%m}",
                    }
                )
        if parameters:
            entry["parameters"] = parameters
        return entry

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
