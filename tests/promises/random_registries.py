"""Random registries of one works, the states they went through, and what their meters say.

A document is random in its meters (registers, amounts, flows; resolutions, multipliers, dials that turn over), its
sources (signed sums, fuels, materials, deductions) and the dated parameters of these. An earlier state of it lacks
sources and parameters, or has other values under the same keys: what a correction puts right.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.accounting.bed import T0, Sent, enterprise

SINCE = "2023-01-01T00:00:00+08:00"
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAYS = 4
NO_DATE = ""
DATES = [NO_DATE, "2023-02-01", "2023-03-02", "2023-03-03"]

QUANTITIES = {
    "E-01": ("electricity_import", "kWh"),
    "E-02": ("electricity_import", "kWh"),
    "X-01": ("electricity_export", "kW"),
    "G-01": ("natural_gas", "nm3"),
    "C-01": ("coal", "t"),
    "M-01": ("material", "kg"),
    "S-01": ("product", "t"),
}
# of each method: what it is about, the meters it may count, the parameters it may be given with plausible values
METHODS: dict[str, tuple[dict[str, str], list[str], dict[str, list[str]]]] = {
    "purchased_electricity": (
        {},
        ["E-01/v", "E-01/v - E-02/v", "E-02/v + E-01/v", "E-02/v - X-01/v"],
        {"emission_factor": ["0.5703", "0.1", "0"]},
    ),
    "exported_electricity": (
        {},
        ["X-01/v", "E-02/v", "X-01/v - E-01/v"],
        {"emission_factor": ["0.49", "0.6101"]},
    ),
    "fuel_combustion": (
        {"fuel": "natural_gas"},
        ["G-01/v"],
        {
            "ncv": ["391.2", "389.31", "0.07"],
            "carbon_content": ["0.0153", "0.01"],
            "oxidation_rate": ["1", "0.3"],
        },
    ),
    "exported_fuel": ({"fuel": "coke"}, ["C-01/v"], {"ncv": ["28.4"], "oxidation_rate": ["0.93", "0"]}),
    "flux_decomposition": (
        {"material": "dolomite"},
        ["M-01/v"],
        {"emission_factor": ["0.47", "0.333333333333"]},
    ),
    "carbon_fixed": (
        {"material": "crude_steel"},
        ["S-01/v", "S-01/v - M-01/v"],
        {"emission_factor": ["0.0154"]},
    ),
}
DEDUCTIONS = frozenset({"exported_electricity", "exported_fuel", "carbon_fixed"})
IN_THE_MARKET = frozenset({"fuel_combustion", "exported_fuel", "flux_decomposition", "carbon_fixed"})

Document = dict[str, Any]


@dataclass(frozen=True)
class Works:
    """A registry's final state, an earlier one of it, and all readings."""

    earlier: Document
    final: Document
    readings: list[Sent]

    @property
    def methods(self) -> dict[str, str]:
        return {source["id"]: source["method"] for source in self.final["sources"]}


@st.composite
def works(draw: st.DrawFn) -> Works:
    channels = {meter: draw(_channel(meter)) for meter in QUANTITIES}
    chosen = draw(st.lists(st.sampled_from(list(METHODS)), min_size=1, max_size=4))
    final = enterprise(
        {meter: [channel] for meter, channel in channels.items()},
        [draw(_source(method, f"{method[:9]}-{number}")) for number, method in enumerate(chosen)],
    )
    earlier = draw(_earlier(final))
    readings = [reading for meter in QUANTITIES for reading in draw(_history(meter, channels[meter]))]
    return Works(earlier, final, readings)


@st.composite
def _channel(draw: st.DrawFn, meter: str) -> Document:
    quantity, unit = QUANTITIES[meter]
    channel: Document = {
        "id": "v",
        "quantity": quantity,
        "unit": unit,
        "multiplier": draw(st.sampled_from(["1", "20", "0.5"])),
        "resolution": draw(st.sampled_from(["0.01", "0.1", "1"])),
        "valid_from": SINCE,
    }
    if meter.startswith("E"):
        modulus = draw(st.sampled_from([None, "1000", "100000"]))
        more = {"kind": "register", "max_rate": "40000", "max_gap": "PT2H"} | (
            {"modulus": modulus} if modulus else {}
        )
    elif unit == "kW":
        more = {"kind": "rate", "max_gap": "PT3H"}
    else:
        more = {"kind": "delta", "period": draw(st.sampled_from(["PT1H", "PT15M", "PT7H", "P1D"]))}
    return channel | more


@st.composite
def _source(draw: st.DrawFn, method: str, id_: str) -> Document:
    about, expressions, parameters = METHODS[method]
    dated = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(parameters)), st.sampled_from(DATES)), unique=True, max_size=4
        )
    )
    return {
        "id": id_,
        "method": method,
        **about,
        "expression": draw(st.sampled_from(expressions)),
        "parameters": [
            _parameter(name, draw(st.sampled_from(parameters[name])), date) for name, date in dated
        ],
    }


def _parameter(name: str, value: str, date: str) -> Document:
    return {"name": name, "value": value, **({"from": date} if date else {})}


@st.composite
def _earlier(draw: st.DrawFn, final: Document) -> Document:
    """A state that the import of the final one corrects: less of it, or other values under the same keys."""
    earlier = copy.deepcopy(final)
    earlier["sources"] = [source for source in earlier["sources"] if draw(st.integers(0, 3))]
    for source in earlier["sources"]:
        _, expressions, values = METHODS[source["method"]]
        source["parameters"] = [each for each in source["parameters"] if draw(st.booleans())]
        for each in source["parameters"]:
            each["value"] = draw(st.sampled_from(values[each["name"]]))
        source["expression"] = draw(st.sampled_from(expressions))
    for meter in earlier["meters"]:
        for channel in meter["channels"]:
            channel["multiplier"] = draw(st.sampled_from([channel["multiplier"], "1", "20"]))
            channel["resolution"] = draw(st.sampled_from([channel["resolution"], "0.01"]))
    return earlier


@st.composite
def _history(draw: st.DrawFn, meter: str, channel: Document) -> list[Sent]:
    """Readings over a few days: repeats, falls, gaps, conflicts and their settlement, estimates, invalid ones."""
    sent: list[Sent] = []
    point = f"{meter}/v"

    def say(at_us: int, tenths: int, quality: int = 0, revision: int = 0) -> None:
        value = f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10}"
        sent.append(Sent(at_us, value, point, quality, revision, draw(st.sampled_from(["gw1", "gw2"]))))

    quality = st.sampled_from([0, 0, 0, 0, 1, 2])
    if channel["kind"] == "delta":
        minutes = {"PT1H": 60, "PT15M": 15, "PT7H": 420, "P1D": 1440}[channel["period"]]
        for number in draw(st.lists(st.integers(1, 12), max_size=8, unique=True)):
            off = draw(st.sampled_from([0, 0, 0, 40 * 1_000_000, 3 * MINUTE_US]))
            say(
                T0 + min(number * minutes, DAYS * 1440) * MINUTE_US + off,
                draw(st.integers(-20, 5000)),
                draw(quality),
            )
        return sent
    at, level = T0, draw(st.integers(0, 9000))
    for _ in range(draw(st.integers(0, 14))):
        at += draw(st.sampled_from([5, 15, 15, 15, 40, 150, 700])) * MINUTE_US
        level = max(0, level + draw(st.one_of(st.integers(0, 60), st.sampled_from([-400, 3000]))))
        say(at, level, draw(quality))
        if draw(st.integers(0, 9)) == 0:
            say(at, level + 7, 0, draw(st.sampled_from([0, 1])))
    return sent


@dataclass(frozen=True)
class Step:
    """A step of a crooked path: a batch of readings, the registry's correction, a run of accounting, a restatement.

    asks  whether the API is asked after it
    """

    readings: Sequence[Sent] = ()
    corrects: bool = False
    accounts: bool = False
    restates: bool = False
    asks: bool = False


@st.composite
def paths(draw: st.DrawFn, its: Works) -> list[Step]:
    """Readings in any order and batches, some of them again, the registry corrected on the way.

    Drawn whole before it is walked: a server that runs in this process uses chance of its own.
    """
    left = list(draw(st.one_of(st.just(its.readings), st.permutations(its.readings))))
    if its.readings:
        left += draw(st.lists(st.sampled_from(its.readings), max_size=10))
    steps: list[Step] = []
    corrected = False
    while left or not corrected:
        corrects = not corrected and (not left or draw(st.integers(0, 3)) == 0)
        corrected = corrected or corrects
        size = draw(st.integers(1, 40))
        now, left = left[:size], left[size:]
        steps.append(Step(now, corrects, draw(st.booleans()), asks=draw(st.booleans())))
    return [*steps, Step(accounts=True, asks=True), Step(restates=draw(st.booleans()))]
