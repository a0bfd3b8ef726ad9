"""A small city for the dashboard: three enterprises, nine days of readings up to a fixed moment, with what goes wrong.

The steelworks buys and exports electricity, burns gas and coke and buys heat. On the last full day its gas meter is
silent from 04:00 to 07:00 (missing: a delta has no timing to borrow) and its incoming feeder from 13:00 to 16:15
(estimated: the amount across the gap is known). The fan of the cement works answers no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from accounting.factors.load import load as load_library
from accounting.grades.grade import grade_many
from accounting.grades.inputs import MG_PER_TONNE, SourceSum, month_number
from accounting.grades.scheme_read import default_scheme
from api import grading
from api.context import Context, open_pool
from api.settings import ApiSettings
from domain.interval import DAY_US, HOUR_US, INTERVAL_US, Calendar, parse_time
from domain.signing import Ed25519Signer
from storage import grades, registry
from storage.database import Connection
from tests.accounting.bed import Bed, Sent
from tests.accounting.grades.cases import enterprise, peers

STEEL, CEMENT, OFFICES = "91430302XT0000014K", "91430304XT0000022B", "91430321XT0000030R"
CALENDAR = Calendar()
JANUARY = month_number(2026, 1)
_now = parse_time("2026-03-11T15:05:00+08:00")
assert _now is not None
NOW_US: int = _now
TODAY_US = CALENDAR.day_start(CALENDAR.day(NOW_US))
START_US = TODAY_US - 8 * DAY_US
GAS_GAP = (TODAY_US - DAY_US + 4 * HOUR_US, TODAY_US - DAY_US + 7 * HOUR_US)
FEEDER_GAP = (TODAY_US - DAY_US + 13 * HOUR_US, TODAY_US - DAY_US + 16 * HOUR_US + INTERVAL_US)


@dataclass(frozen=True)
class FixedClock:
    now: int = NOW_US

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e6


def _channel(id_: str, quantity: str, kind: str, unit: str, **more: Any) -> dict[str, Any]:
    always = {
        "id": id_,
        "quantity": quantity,
        "kind": kind,
        "unit": unit,
        "multiplier": "1",
        "resolution": "0.01",
    }
    return {**always, "valid_from": "2026-03-03T00:00:00+08:00", **more}


def _register(id_: str, quantity: str, multiplier: str = "1") -> dict[str, Any]:
    return _channel(
        id_, quantity, "register", "kWh", multiplier=multiplier, max_rate="100000", max_gap="PT2H"
    )


def _delta(id_: str, quantity: str, unit: str) -> dict[str, Any]:
    return _channel(id_, quantity, "delta", unit, period="PT15M")


def _enterprise(
    uscc: str,
    names: tuple[str, str],
    industry: str,
    meters: dict[str, tuple[str, dict[str, Any]]],
    sources: list[dict[str, Any]],
    products: list[dict[str, Any]],
    **more: Any,
) -> dict[str, Any]:
    return {
        "uscc": uscc,
        "name_zh": names[0],
        "name_en": names[1],
        "industry": industry,
        "district": "430304",
        "gateways": [{"id": "gw1"}],
        "meters": [
            {"id": id_, "name": name, "channels": [channel]} for id_, (name, channel) in meters.items()
        ],
        "sources": sources,
        "products": products,
        **more,
    }


def _bought(expression: str) -> dict[str, Any]:
    return {"id": "grid", "method": "purchased_electricity", "expression": expression}


DOCUMENT: dict[str, Any] = {
    "parks": [
        {"code": "XT-ETDZ", "name_zh": "湘潭经济技术开发区", "name_en": "Xiangtan ETDZ", "district": "430300"}
    ],
    "enterprises": [
        _enterprise(
            STEEL,
            ("湘潭测试钢铁有限公司", "Xiangtan Test Steel"),
            "steel",
            {
                "E-01": ("incoming feeder", _register("import_kwh", "electricity_import", "100")),
                "E-02": ("export feeder", _register("export_kwh", "electricity_export", "100")),
                "G-01": ("boiler house", _delta("gas_nm3", "natural_gas", "nm3")),
                "C-01": ("blast furnace", _delta("coke_t", "coke", "t")),
                "H-01": ("heat from the park", _delta("heat_gj", "heat_import", "GJ")),
                "P-01": ("caster scale", _delta("steel_t", "product", "t")),
            },
            [
                _bought("E-01/import_kwh"),
                {"id": "furnace", "method": "fuel_combustion", "fuel": "coke", "expression": "C-01/coke_t"},
                {
                    "id": "boiler",
                    "method": "fuel_combustion",
                    "fuel": "natural_gas",
                    "expression": "G-01/gas_nm3",
                    "parameters": [
                        {
                            "name": "ncv",
                            "value": "391.20",
                            "unit": "GJ/10k_nm3",
                            "origin": "measured",
                            "reference": "lab report 12",
                        }
                    ],
                },
                {"id": "heat", "method": "purchased_heat", "expression": "H-01/heat_gj"},
                {"id": "export", "method": "exported_electricity", "expression": "E-02/export_kwh"},
            ],
            [{"id": "crude_steel", "expression": "P-01/steel_t", "unit": "t"}],
            park="XT-ETDZ",
            flags=["key", "two_high", "ets"],
            checks=[
                {
                    "id": "feeders",
                    "rule": "main_against_subs",
                    "main": "E-01/import_kwh",
                    "subs": "E-02/export_kwh",
                }
            ],
        ),
        _enterprise(
            CEMENT,
            ("湘乡测试水泥厂", "Xiangxiang Test Cement"),
            "cement",
            {
                "E-01": ("incoming feeder", _register("import_kwh", "electricity_import", "20")),
                "E-09": ("kiln fan", _register("fan_kwh", "electricity_import")),
            },
            [_bought("E-01/import_kwh")],
            [],
            park="XT-ETDZ",
        ),
        _enterprise(
            OFFICES,
            ("湘潭测试公共建筑群", "Test Public Buildings"),
            "public_buildings",
            {"E-01": ("incoming feeder", _register("import_kwh", "electricity_import"))},
            [_bought("E-01/import_kwh")],
            [],
        ),
    ],
}


def _load(at_us: int, phase: float = 0.0) -> float:
    hour = (at_us + CALENDAR.offset_us) % DAY_US / HOUR_US
    return (
        0.7
        + 0.25 * math.sin((hour - 8) / 24 * 2 * math.pi)
        + 0.05 * math.sin(at_us / INTERVAL_US * 1.7 + phase)
    )


def _stamps(gap: tuple[int, int] | None = None, until_us: int = NOW_US) -> Iterator[int]:
    for at_us in range(START_US, until_us, INTERVAL_US):
        if gap is None or not gap[0] < at_us < gap[1]:
            yield at_us


def _counter(point: str, per_hour: float, stamps: Iterator[int], phase: float = 0.0) -> Iterator[Sent]:
    """Values of a register on its dial, advancing by `per_hour` at full load."""
    total, last_us = 1_000.0, START_US
    for at_us in stamps:
        for quarter_us in range(last_us, at_us, INTERVAL_US):
            total += per_hour / 4 * _load(quarter_us, phase)
        last_us = at_us
        yield Sent(at_us, f"{total:.2f}", point)


def _amounts(point: str, per_hour: float, stamps: Iterator[int], phase: float = 0.0) -> Iterator[Sent]:
    for at_us in stamps:
        if at_us > START_US:
            yield Sent(at_us, f"{per_hour / 4 * _load(at_us - INTERVAL_US, phase):.2f}", point)


def populate(conn: Connection) -> None:
    """Registry, readings and ledger."""
    bed = Bed(conn)
    registry.import_document(conn, DOCUMENT, "tester", "the dashboard's scene")
    bed.store(
        [
            *_counter("E-01/import_kwh", 420, _stamps(FEEDER_GAP)),
            *_counter("E-02/export_kwh", 60, _stamps(), 1.0),
            *_amounts("G-01/gas_nm3", 2_600, _stamps((GAS_GAP[0], GAS_GAP[1] + 1)), 2.0),
            *_amounts("C-01/coke_t", 9, _stamps(), 3.0),
            *_amounts("H-01/heat_gj", 30, _stamps(), 4.0),
            *_amounts("P-01/steel_t", 40, _stamps(), 5.0),
        ],
        STEEL,
    )
    bed.store(
        [
            *_counter("E-01/import_kwh", 900, _stamps()),
            *_counter("E-09/fan_kwh", 50, _stamps(until_us=NOW_US - 30 * HOUR_US)),
        ],
        CEMENT,
    )
    bed.store(_counter("E-01/import_kwh", 800, _stamps()), OFFICES)
    bed.tick()
    assert bed.accountant is not None
    while bed.accountant.validate(NOW_US):
        pass


def grade(url: str) -> list[int]:
    """Indicative grades of the steelworks for January and February 2026, and a provisional one published of
    February; their ids.
    """
    settings, signer, ids = ApiSettings(url, connections_max=2), Ed25519Signer.new(), []
    with open_pool(settings) as pool:
        context = Context(settings, pool, FixedClock(), load_library())
        with context.session(None) as session, pool.connection() as conn, conn.transaction():
            for month, tonnes, valid, kind in (
                (JANUARY, 18_000, 100, "INDICATIVE"),
                (JANUARY + 1, 8_000, 100, "INDICATIVE"),
                (JANUARY + 1, 8_000, 80, "PUBLISHED"),
            ):
                known = (SourceSum("all", tonnes * MG_PER_TONNE, valid, 100),)
                mine = enterprise(tonnes, 1_200, uscc=STEEL, month=month, sources=known)
                found = grade_many([mine, *peers(month=month)], default_scheme())[:1]
                ids += grading.record(conn, session, found, kind, signer)
            grades.add_stage(conn, JANUARY + 1, "NOTIFIED", date(2199, 1, 1), "tests", "told")
    return ids
