"""Valid registry documents of any kind, as plain values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from domain.identity import is_identifier
from domain.industry import INDUSTRIES
from domain.interval import format_time, to_us
from domain.validation import CHECK_FIELDS, CheckRule
from tests.domain.documents import uscc

ids = st.text("abEI019._-", min_size=1, max_size=6).filter(is_identifier)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12).filter(str.strip)
days = st.dates(date(2000, 1, 1), date(2040, 1, 1)).map(str)
decimals = st.decimals(min_value="0.001", max_value="99999", places=3).map(str)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001 (made UTC below)
    lambda moment: to_us(moment.replace(tzinfo=UTC))
)
offsets = st.sampled_from([0, 8 * 3_600_000_000, -12_600_000_000])
districts = st.integers(110000, 659999).map(str)


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[Any], *, null: bool = False) -> Any:
    """A dated value: plain, or entries with a beginning."""
    if draw(st.booleans()):
        return draw(values)
    begins = draw(st.lists(st.none() | days, min_size=1, max_size=3, unique=True))
    options = st.none() | values if null else values
    return [{"code": draw(options), **({"from": day} if day else {})} for day in begins]


@st.composite
def flag_lists(draw: st.DrawFn) -> list[Any]:
    result: list[Any] = []
    for flag in draw(st.lists(st.sampled_from(["key", "two_high", "ets"]), unique=True)):
        begins, ends = draw(st.none() | days), draw(st.none() | days)
        if begins and ends and ends <= begins:
            ends = None
        entry = {"flag": flag, "from": begins, "to": ends}
        result.append(flag if draw(st.booleans()) else {key: each for key, each in entry.items() if each})
    return result


@st.composite
def channels(draw: st.DrawFn, channel: str, kind: str, unit: str, quantity: str) -> list[dict[str, Any]]:
    """The versions of a channel, one after another, with or without gaps and replacements."""
    edges = sorted(draw(st.lists(moments, min_size=1, max_size=4, unique=True)))
    versions = []
    for index, begins in enumerate(edges):
        is_last = index == len(edges) - 1
        ends = None if is_last and draw(st.booleans()) else edges[index + 1] if not is_last else begins + 1
        version: dict[str, Any] = {
            "id": channel, "quantity": quantity, "kind": kind, "unit": unit, "resolution": draw(decimals),
            "valid_from": format_time(begins, draw(offsets)),
        }  # fmt: skip
        if draw(st.booleans()):
            version["multiplier"] = draw(decimals)
        if ends is not None:
            version["valid_to"] = format_time(ends, draw(offsets))
        if kind == "register":
            version["max_rate"] = draw(decimals)
            if ends is not None and draw(st.booleans()):
                version["closing"] = draw(decimals)
            if draw(st.booleans()):
                version["opening"] = "0"
        if kind == "delta":
            version["period"] = draw(st.sampled_from(["PT15M", "PT1H", "P1D", "P1M"]))
            version["snap"] = draw(st.booleans())
        if draw(st.booleans()):
            version["max_gap"] = draw(st.sampled_from(["PT1H", "PT7200S", "P1D"]))
        versions.append(version)
    return versions


_KINDS = [
    ("register", "kWh", "electricity_import"), ("delta", "MWh", "electricity_export"),
    ("rate", "kW", "electricity_import"), ("rate", "nm3/h", "natural_gas"), ("register", "t", "coal"),
    ("rate", "bar", "pressure"),
]  # fmt: skip


@st.composite
def enterprises(draw: st.DrawFn, number: int, parks: list[str]) -> dict[str, Any]:
    industry = draw(st.sampled_from(sorted(INDUSTRIES)))
    result: dict[str, Any] = {
        "uscc": uscc(number), "name_zh": draw(texts), "industry": industry, "district": draw(histories(districts)),
    }  # fmt: skip
    optional = {
        "name_en": texts,
        "edition": histories(st.sampled_from(INDUSTRIES[industry].editions)),
        "grid": histories(st.sampled_from(["province", "region", "national", "CN-CC", "430000"])),
        "gb_t_4754": st.sampled_from(["3120", "C3120", "31"]),
        "flags": flag_lists(),
        **({"park": histories(st.sampled_from(parks), null=True)} if parks else {}),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            result[name] = draw(strategy)
    zones = st.sampled_from([{}, {"zone": "+08:00"}, {"zone": "-03:30"}])
    result["gateways"] = [
        {"id": each, **draw(zones)} for each in draw(st.lists(ids, max_size=2, unique=True))
    ]
    points: dict[str, str] = {}
    result["meters"] = []
    for meter in draw(st.lists(ids, max_size=3, unique=True)):
        versions: list[dict[str, Any]] = []
        for channel in draw(st.lists(ids, max_size=3, unique=True)):
            kind, unit, quantity = draw(st.sampled_from(_KINDS))
            points[f"{meter}/{channel}"] = unit
            versions += draw(channels(channel, kind, unit, quantity))
        entry: dict[str, Any] = {"id": meter, "channels": draw(st.permutations(versions))}
        if draw(st.booleans()):
            entry["name"] = draw(texts)
        if draw(st.booleans()):
            entry["calibrations"] = draw(calibrations())
        result["meters"].append(entry)
    countable = sorted(name for name, unit in points.items() if unit in ("kWh", "MWh", "kW"))
    result["sources"], result["products"] = [], []
    if countable:
        expressions = st.lists(st.sampled_from(countable), min_size=1, unique=True).map(" - ".join)
        for source in draw(st.lists(ids, max_size=3, unique=True)):
            begins = draw(st.lists(st.none() | days, min_size=1, max_size=2, unique=True))
            for index, day in enumerate(begins):
                version: dict[str, Any] = {"id": source, "method": draw(ids), "expression": draw(expressions)}
                if day:
                    version["from"] = day
                if draw(st.booleans()):
                    version["fuel"] = draw(ids)
                if index == 0:
                    names = draw(st.lists(st.tuples(ids, st.none() | days), max_size=3, unique=True))
                    version["parameters"] = [
                        {
                            "name": name,
                            "value": draw(decimals),
                            "origin": draw(texts),
                            **({"from": at} if at else {}),
                        }
                        for name, at in names
                    ]
                result["sources"].append(version)
        for code in draw(st.lists(ids, max_size=2, unique=True)):
            product = {"id": code, "expression": draw(expressions), "unit": "kWh"}
            if draw(st.booleans()):
                product["band"] = draw(st.sampled_from(_BANDS))
            result["products"].append(product)
        result["checks"] = [
            draw(checks(code, sorted(points), expressions, [each["id"] for each in result["products"]]))
            for code in draw(st.lists(ids, max_size=3, unique=True))
        ]
    return result


_BANDS: list[dict[str, str]] = [
    {"low": "1500.5"},
    {"high": "0"},
    {"low": "-1", "high": "2200", "over": "day"},
]


@st.composite
def calibrations(draw: st.DrawFn) -> list[dict[str, str]]:
    result = []
    for begins in draw(st.lists(days, max_size=3, unique=True)):
        entry = {"from": begins}
        until = draw(st.none() | days)
        if until is not None and until >= begins:
            entry["until"] = until
        if draw(st.booleans()):
            entry["reference"] = draw(texts)
        result.append(entry)
    return result


@st.composite
def checks(
    draw: st.DrawFn,
    code: str,
    points: list[str],
    expressions: st.SearchStrategy[str],
    products: list[str],
) -> dict[str, Any]:
    rules = [rule for rule in CheckRule if products or rule is not CheckRule.NO_CONSUMPTION]
    rule = draw(st.sampled_from(rules))
    given: dict[str, st.SearchStrategy[str]] = {
        "main": expressions,
        "subs": expressions,
        "consumption": expressions,
        "product": st.sampled_from(products or [""]),
        "channel": st.sampled_from(points),
        "tolerance": st.sampled_from(["0", "0.03", "5e-2"]),
        "shortest": st.sampled_from(["PT15M", "PT24H", "P2D"]),
    }
    known = CHECK_FIELDS[rule]
    result = {"id": code, "rule": rule.value} | {name: draw(given[name]) for name in known.required}
    for name in known.optional:
        if draw(st.booleans()):
            result[name] = draw(given[name])
    return {**result, **draw(st.sampled_from([{}, {"active": False}, {"active": True}]))}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    parks = draw(st.lists(ids, max_size=2, unique=True))
    return {
        "parks": [{"code": code, "name_en": draw(texts), "district": draw(districts)} for code in parks],
        "enterprises": [draw(enterprises(number, parks)) for number in range(draw(st.integers(0, 2)))],
    }
