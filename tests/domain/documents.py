"""A registry document with everything in it, codes to make more of, and a quick way to its faults."""

from __future__ import annotations

import copy
from typing import Any

from domain.document import read_document
from domain.document_check import Catalogue, Unchecked
from domain.document_plan import Plan, plan
from domain.errors import FaultyDocument
from domain.identity import uscc_fault
from domain.interval import Calendar
from domain.registry_items import ItemKey, Specification

USCC = "91430302XT0000014K"
OTHER_USCC = "91430304XT0000022B"
CALENDAR = Calendar()

SAMPLE = """
parks:
  - {code: XT-ETDZ, name_zh: 湘潭经济技术开发区, name_en: Xiangtan ETDZ, district: "430300"}
enterprises:
  - uscc: 91430302XT0000014K
    name_zh: 一号钢厂
    name_en: Steel One
    industry: steel
    edition: ndrc-2013
    grid: province
    gb_t_4754: "3120"
    district: "430304"
    park: XT-ETDZ
    flags: [key, two_high, ets]
    gateways:
      - {id: gw1, zone: "+08:00"}
      - {id: gw2}
    meters:
      - id: E-01
        name: incoming feeder 1
        channels:
          - id: import_kwh
            quantity: electricity_import
            kind: register
            unit: kWh
            multiplier: "1"
            resolution: "0.01"
            modulus: "1000000"
            max_rate: "50000"
            max_gap: PT2H
            period: PT15M
            snap: true
            valid_from: 2023-01-01T00:00:00+08:00
            valid_to: 2024-01-01T00:00:00+08:00
            closing: "523416.20"
          - id: import_kwh
            quantity: electricity_import
            kind: register
            unit: kWh
            multiplier: "40"
            resolution: "0.001"
            max_rate: "50000"
            valid_from: 2024-01-01T00:00:00+08:00
            valid_to: null
            opening: "0"
      - id: E-02
        channels:
          - {id: import_kwh, quantity: electricity_import, kind: delta, unit: kWh, resolution: "0.1",
             period: PT15M, valid_from: "2023-01-01T00:00:00+08:00"}
          - {id: power, quantity: electricity_import, kind: rate, unit: MW, resolution: "0.001",
             valid_from: 2023-01-01T00:00:00+08:00}
      - id: S-01
        channels:
          - {id: steam_t, quantity: steam, kind: rate, unit: t/h, resolution: "0.01",
             valid_from: 2023-01-01T00:00:00+08:00}
          - {id: bar, quantity: pressure, kind: rate, unit: bar, resolution: "0.01",
             valid_from: 2023-01-01T00:00:00+08:00}
          - {id: degc, quantity: temperature, kind: rate, unit: degC, resolution: "0.1",
             valid_from: 2023-01-01T00:00:00+08:00}
      - id: G-01
        channels:
          - {id: gas_nm3, quantity: natural_gas, kind: register, unit: nm3, resolution: "1", max_rate: "9000",
             valid_from: 2023-01-01T00:00:00+08:00}
      - id: P-01
        channels:
          - {id: steel_t, quantity: product, kind: delta, unit: t, resolution: "0.1", period: P1D, snap: false,
             valid_from: 2023-01-01T00:00:00+08:00}
    derived:
      - {id: S-01/heat_gj, function: steam_heat, unit: GJ,
         inputs: {mass: S-01/steam_t, pressure: S-01/bar, temperature: S-01/degc}}
    sources:
      - {id: grid, method: purchased_electricity, expression: "E-01/import_kwh - E-02/import_kwh"}
      - id: boiler
        method: fuel_combustion
        fuel: natural_gas
        expression: "G-01/gas_nm3"
        parameters:
          - {name: ncv, value: "391.20", unit: GJ/10k_nm3, from: 2023-01-01, origin: measured,
             reference: lab report 12}
          - {name: oxidation_rate, value: "0.99", unit: fraction}
      - {id: heat, method: purchased_heat, expression: "S-01/heat_gj", from: 2023-06-01}
    products:
      - {id: crude_steel, expression: "P-01/steel_t", unit: t}
"""


def sample() -> dict[str, Any]:
    """The sample as plain values, to be changed."""
    tree = read_plain(SAMPLE)
    assert isinstance(tree, dict)
    return tree


def read_plain(text: str) -> Any:
    """A document's text as plain texts, truth values and None."""
    from domain.document_text import Scalar, load

    def plain(tree: Any) -> Any:
        if isinstance(tree, Scalar):
            return {"null": None, "truth": tree.text == "true"}.get(tree.form, tree.text)
        if isinstance(tree, dict):
            return {key: plain(each) for key, each in tree.items()}
        return [plain(each) for each in tree]

    return plain(load(text, []))


Items = dict[ItemKey, Specification]


def apply(registered: Items, planned: Plan) -> Items:
    """What is registered after a plan is carried out, as storage does it."""
    result = copy.deepcopy(registered)
    for change in planned.changes:
        result.pop(change.moved_from or change.item, None)
        result[change.item] = change.after
    return result


def planned(
    document: Any,
    registered: Items | None = None,
    catalogue: Catalogue | None = None,
    moves_us: int | None = None,
) -> Plan:
    return plan(read_document(document, CALENDAR), registered or {}, catalogue or Unchecked(), moves_us)


def imported(document: Any, registered: Items | None = None, moves_us: int | None = None) -> Items:
    return apply(registered or {}, planned(document, registered, moves_us=moves_us))


def faults(
    document: Any,
    registered: Items | None = None,
    catalogue: Catalogue | None = None,
    moves_us: int | None = None,
) -> list[str]:
    """Every fault of a document as text; empty where it has none."""
    try:
        planned(document, registered, catalogue, moves_us)
    except FaultyDocument as error:
        return [str(fault) for fault in error.faults]
    return []


_SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def uscc(number: int) -> str:
    """A synthetic code with right check digits."""
    body = f"91430302XT{number:06d}"
    for ninth in "0123456789X":
        for last in _SYMBOLS:
            if uscc_fault(body + ninth + last) is None:
                return body + ninth + last
    raise AssertionError(number)
