"""The API's derivation, repeated by hand: readings to amounts, figures to factor, both to milligrams, these to sums.

Takes nothing but the JSON of `GET …/derivation` (its pages, in order) and of `GET …/emissions`, and knows only what a
person with the guideline and a unit table knows. It shares no code with the product. Everything is `fractions`; the
one number looked up is the enthalpy of steam, which the caller brings from a published table.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

Json = Mapping[str, Any]

INTERVAL = timedelta(minutes=15)
# how much of the second one of the first is
CONVERSIONS = {
    ("kg", "t"): Fraction(1, 1000),
    ("kWh", "MWh"): Fraction(1, 1000),
    ("nm3", "10k_nm3"): Fraction(1, 10_000),
    ("MWh", "GJ"): Fraction(18, 5),
    ("TJ", "GJ"): Fraction(1000),
}
MEANS = ("bar", "MPa", "degC", "percent")  # these have no amount, only a mean over the interval
WATER_AT_20_DEGC = Fraction("83.74")  # kJ/kg
_POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


class DisagreementError(AssertionError):
    """The answer can't be repeated: what was tried, what it says, what comes out."""


@dataclass
class Repeated:
    """What was repeated of a derivation: milligrams by interval and by gas, and how much of it from readings."""

    mg: dict[str, int] = field(default_factory=dict)
    mg_by_gas: dict[str, int] = field(default_factory=dict)
    factors: int = 0
    from_readings: int = 0

    @property
    def total_kg(self) -> Fraction:
        return Fraction(sum(self.mg.values()), 1_000_000)


def repeat(pages: Sequence[Json], enthalpies: Mapping[tuple[str, str], str] | None = None) -> Repeated:
    """Repeat a derivation; raises DisagreementError at the first figure that doesn't come out.

    enthalpies  kJ/kg of steam by (pressure, temperature) as the readings say them
    """
    result = Repeated()
    factors: dict[int, Fraction] = {}
    for page in pages:
        for used in page["used_factors"]:
            if used["id"] not in factors:
                factors[used["id"]] = factor(used)
                result.factors += 1
        named = {each["id"]: each for each in page["used_factors"]}
        channels = {each["channel"]: each for each in page["channels"]}
        for interval in page["intervals"]:
            at = interval["at"]
            _agree(at not in result.mg, f"{at} is told once", at, "twice")
            _signed_sum(interval, channels)
            if not interval["parts"]:
                _agree(interval["co2e_kg"] is None, f"{at}: no part, no amount", interval["co2e_kg"], None)
                continue
            result.mg[at] = 0
            for part in interval["parts"]:
                used = named[part["factor"]]
                _in_force(used, at)
                _agree(
                    used["gas"] == part["gas"], f"{at}: gas of factor {used['id']}", used["gas"], part["gas"]
                )
                mg = half_even(_fraction(interval["amount"]) * factors[part["factor"]])
                _agree(str(mg) == part["co2e_mg"], f"{at}: mg of {interval['amount']}", part["co2e_mg"], mg)
                result.mg[at] += mg
                result.mg_by_gas[part["gas"]] = result.mg_by_gas.get(part["gas"], 0) + mg
            _agree(
                str(result.mg[at]) == interval["co2e_mg"], f"{at}: gases", interval["co2e_mg"], result.mg[at]
            )
            kg = Fraction(result.mg[at], 1_000_000)
            _agree(_fraction(interval["co2e_kg"]) == kg, f"{at}: kg", interval["co2e_kg"], kg)
            for term in interval["terms"]:
                result.from_readings += _from_readings(term, at, channels, enthalpies or {})
        for name in ("co2e_kg", "intervals_known"):
            _agree(page[name] == pages[0][name], f"{name} on every page", page[name], pages[0][name])
    first = pages[0]
    _agree(
        first["intervals_known"] == len(result.mg),
        "known intervals",
        first["intervals_known"],
        len(result.mg),
    )
    told = None if first["co2e_kg"] is None else _fraction(first["co2e_kg"])
    total = result.total_kg if result.mg else None
    _agree(told == total, "the sum of the entries", told, total)
    return result


# --- figures to factor


def factor(used: Json) -> Fraction:
    """mg a unit, from the figures and the formula that the answer prints."""
    figures = {figure["name"]: _fraction(figure["value"]) for figure in used["factors"]}
    value = applied(used["formula"], figures, used["gas"])
    if used["deduction"]:
        value = -value
    _agree(
        value == _fraction(used["tco2e_per_amount"]), f"factor {used['id']}", used["tco2e_per_amount"], value
    )
    amount = converted(Fraction(1), used["unit"], used["amount_unit"], figures.get("density"))
    _agree(amount == _fraction(used["amount_per_unit"]), f"{used['unit']}", used["amount_per_unit"], amount)
    mg = value * amount * 1_000_000_000
    _agree(mg == _fraction(used["mg_per_unit"]), f"mg a {used['unit']}", used["mg_per_unit"], mg)
    return mg


def applied(formula: str, figures: Mapping[str, Fraction], gas: str) -> Fraction:
    """A printed formula for an amount of one: of its variants the one whose figures are all there."""
    tried = []
    for variant in formula.split(";"):
        text = variant.rpartition(":")[2] if ":" in variant else variant
        text = re.sub(r"10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda match: f"10**({match[1].translate(_POWERS)})", text)
        text = text.replace("×", "*").replace("÷", "/").replace("−", "-")
        text = re.sub(r"gwp\([^)]*\)", "gwp", text)
        # [CH4] says which part is of which gas; any other bracket is a unit
        text = re.sub(
            r"\[([A-Z][\w-]*)\]", lambda match: f"* {int(match[1] == gas)}" if _is_gas(match[1]) else "", text
        )
        text = re.sub(r"\[[^\]]*\]", "", text)
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            continue
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"amount"}
        if names <= figures.keys():
            return _arithmetic(tree, {**figures, "amount": Fraction(1)}, text.strip())
        tried.append(sorted(names - figures.keys()))
    raise DisagreementError(f"{formula!r}: figures {sorted(figures)} fit no variant, lacking {tried}")


def _is_gas(text: str) -> bool:
    return re.fullmatch(r"CO2|CH4|N2O|SF6|NF3|CF4|C\dF\d|HFC-\w+", text) is not None


def _arithmetic(node: ast.expr, figures: Mapping[str, Fraction], text: str) -> Fraction:
    if isinstance(node, ast.Name):
        return figures[node.id]
    if isinstance(node, ast.Constant):
        return Fraction(ast.get_source_segment(text, node) or "")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_arithmetic(node.operand, figures, text)
    if isinstance(node, ast.BinOp):
        left, right = _arithmetic(node.left, figures, text), _arithmetic(node.right, figures, text)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.Pow():
                return left ** int(right)
    raise DisagreementError(f"{text!r} is no plain arithmetic")


def _in_force(used: Json, at: str) -> None:
    """No figure of a factor may begin after the interval's day or have ended before it."""
    day = at[:10]
    for figure in used["factors"]:
        begins, ends = figure.get("valid_from"), figure.get("valid_to")
        # an older vintage stands after its year, provisional, until the year's own appears
        ended = ends is not None and day > ends and not figure.get("provisional")
        _agree(begins is None or begins <= day, f"{at}: {figure['name']} begins", begins, day)
        _agree(not ended, f"{at}: {figure['name']} ends", ends, day)


# --- channels to amount


def _signed_sum(interval: Json, channels: Mapping[str, Json]) -> None:
    """The amount is the signed sum of the terms that are valid then; one of them missing makes it missing."""
    at, unit = interval["at"], interval["unit"]
    amounts = []
    for term in interval["terms"]:
        if term["amount"] is not None:
            into = converted(_fraction(term["amount"]), term["unit"], unit or term["unit"])
            amounts.append(term["sign"] * into)
        elif _is_valid(channels[term["channel"]], at, channels):
            if not {"substituted"} & set(interval["flags"]):
                _agree(
                    interval["amount"] is None,
                    f"{at}: {term['channel']} is missing",
                    interval["amount"],
                    None,
                )
            return
    if interval["amount"] is not None:
        total = sum(amounts, Fraction(0))
        _agree(_fraction(interval["amount"]) == total, f"{at}: the signed sum", interval["amount"], total)


def _is_valid(channel: Json, at: str, channels: Mapping[str, Json]) -> bool:
    """Whether a channel, or all that it is derived from, is valid in an interval."""
    if channel["derived"] is not None:
        return all(_is_valid(channels[name], at, channels) for name in channel["derived"]["inputs"].values())
    start = _time(at)
    return any(
        _time(version["valid_from"]) < start + INTERVAL
        and (version["valid_to"] is None or start < _time(version["valid_to"]))
        for version in channel["versions"]
    )


def _from_readings(
    term: Json, at: str, channels: Mapping[str, Json], enthalpies: Mapping[tuple[str, str], str]
) -> bool:
    """Repeat a term's amount from the readings around it; False where a person would need more than arithmetic."""
    if term["amount"] is None or set(term["flags"]) - {"late"}:
        return False
    channel = channels[term["channel"]]
    if channel["derived"] is not None:
        amount = _derived(channel, {each["as"]: each for each in term["inputs"]}, enthalpies)
        repeatable = [_from_readings(each, at, channels, enthalpies) for each in term["inputs"]]
        if amount is None or not all(repeatable):
            return False
        amount = rounded(amount, _places(term["amount"]))
    else:
        found = _measured(channel, at, _places(term["amount"]))
        if found is None:
            return False
        amount = found
    told = term["amount"]
    _agree(_fraction(told) == amount, f"{at}: {term['channel']} from its readings", told, amount)
    return True


def _measured(channel: Json, at: str, places: int) -> Fraction | None:
    """A register's difference of two boundary values; a rate's area under the line between its readings, or mean."""
    start = _time(at)
    versions = [
        version
        for version in channel["versions"]
        if _time(version["valid_from"]) <= start
        and (version["valid_to"] is None or start + INTERVAL <= _time(version["valid_to"]))
    ]
    if len(versions) != 1 or versions[0]["kind"] == "delta":
        return None
    version = versions[0]
    points = [
        (_time(reading["at"]), _fraction(reading["value"]))
        for reading in channel["readings"]
        if reading["stands"]
    ]
    if version["kind"] == "register":
        first, last = _line(points, start), _line(points, start + INTERVAL)
        if first is None or last is None:
            return None
        counts = [half_even(value / _fraction(version["resolution"])) for value in (first, last)]
        return (counts[1] - counts[0]) * _fraction(version["resolution"]) * _fraction(version["multiplier"])
    area = _area(points, start)
    if area is None:
        return None
    if version["unit"] in MEANS:
        area *= 4
    return rounded(area * _fraction(version["multiplier"]), places)


def _line(points: Sequence[tuple[datetime, Fraction]], at: datetime) -> Fraction | None:
    """The value at a moment on the line between the readings on its two sides."""
    for (before, low), (after, high) in itertools.pairwise(points):
        if before <= at <= after and before < after:
            return low + (high - low) * _seconds(at - before) / _seconds(after - before)
    return None


def _area(points: Sequence[tuple[datetime, Fraction]], start: datetime) -> Fraction | None:
    """Unit-hours under the lines between the readings, over one interval."""
    end = start + INTERVAL
    corners = sorted({start, end, *(at for at, _ in points if start < at < end)})
    total = Fraction(0)
    for left, right in itertools.pairwise(corners):
        values = [_line(points, corner) for corner in (left, right)]
        if values[0] is None or values[1] is None:
            return None
        total += (values[0] + values[1]) / 2 * _seconds(right - left) / 3600
    return total


def _derived(
    channel: Json, inputs: Mapping[str, Json], enthalpies: Mapping[tuple[str, str], str]
) -> Fraction | None:
    """Heat of steam from mass, mean pressure and mean temperature; the enthalpy is rounded to 0.01 kJ/kg."""
    if channel["derived"]["function"] != "steam_heat":
        return None
    enthalpy = enthalpies.get((inputs["pressure"]["amount"], inputs["temperature"]["amount"]))
    if enthalpy is None:
        return None
    tonnes = converted(_fraction(inputs["mass"]["amount"]), inputs["mass"]["unit"], "t")
    return converted(
        tonnes * (rounded(_fraction(enthalpy), 2) - WATER_AT_20_DEGC) / 1000, "GJ", channel["unit"]
    )


# --- arithmetic


def half_even(value: Fraction) -> int:
    whole, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest - value.denominator
    return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))


def rounded(value: Fraction, places: int) -> Fraction:
    return Fraction(half_even(value * 10**places), 10**places)


def converted(amount: Fraction, unit: str, into: str, density: Fraction | None = None) -> Fraction:
    """An amount in another unit; by a density (t a unit) where one is volume and the other mass."""
    if unit == into:
        return amount
    if (unit, into) in CONVERSIONS:
        return amount * CONVERSIONS[unit, into]
    if (into, unit) in CONVERSIONS:
        return amount / CONVERSIONS[into, unit]
    if density is not None and into == "t":
        return amount * density
    raise DisagreementError(f"{unit} to {into} is in no table of this page")


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _fraction(text: str) -> Fraction:
    return Fraction(text)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 1_000_000)


def _agree(holds: bool, what: str, told: object, found: object) -> None:
    if not holds:
        raise DisagreementError(f"{what}: told {told}, comes out as {found}")


def pages(get: Any, path: str, parameters: Mapping[str, Any]) -> Iterator[Json]:
    """The pages of an answer, by a function of path and parameters that gives JSON."""
    cursor: str | None = None
    while True:
        page = get(path, {**parameters, **({"cursor": cursor} if cursor else {})})
        yield page
        cursor = page["next"]
        if cursor is None:
            return
