"""What the server must find: a slow and plain second reading of `docs/rules.md` for readings that don't lie.

Registers are interpolated at the quarter-hours and rounded once, deltas split by the largest remainder, rates
integrated by trapezoids; a derived channel is a formula of amounts and means (but that of steam, which isn't here);
a source is the signed sum of its channels, an entry that sum times the factor of a gas, rounded once, half to even.
Rollover, reset and exchange of meters don't appear here: `Series.meant` counts on through them, and that is the
point of comparing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from domain.interval import HOUR_US, INTERVAL_US, ceil_interval, floor_interval
from domain.reading import round_half_even
from domain.registry import Kind
from simulators.series import Series

SNAP_US_MAX = 60_000_000


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts by start of interval [µs], in 10^exponent of the unit; an interval that isn't there is missing."""

    exponent: int
    by_start_us: dict[int, int]

    @property
    def total(self) -> Fraction:
        return sum(self.by_start_us.values()) * Fraction(10) ** self.exponent

    def between(self, from_us: int, to_us: int) -> Amounts:
        return Amounts(self.exponent, {at: n for at, n in self.by_start_us.items() if from_us <= at < to_us})


def ledger_exponent(count: Fraction) -> int:
    """The largest power of ten that one count is a whole number of.

    >>> ledger_exponent(Fraction(80)), ledger_exponent(Fraction("0.01")), ledger_exponent(Fraction("0.05"))
    (1, -2, -2)
    """
    exponent = 0
    while (count / Fraction(10) ** exponent).denominator != 1:
        exponent -= 1
    while (count / Fraction(10) ** (exponent + 1)).denominator == 1:
        exponent += 1
    return exponent


def amounts(series: Series) -> Amounts:
    """Consumption of one channel, from its standing readings."""
    count = series.channel.count
    exponent = ledger_exponent(count)
    steps = int(count / Fraction(10) ** exponent)  # ledger units in a count
    at = series.at_us[series.stands].tolist()
    meant = series.meant[series.stands].tolist()
    if series.channel.kind is Kind.REGISTER:
        counts = _register(at, meant)
        return Amounts(exponent, {start: n * steps for start, n in counts.items()})
    if series.channel.kind is Kind.DELTA:
        return Amounts(exponent, _delta(at, [n * steps for n in meant], series.channel.period_us))
    return Amounts(exponent, _rate(at, meant, count / Fraction(10) ** exponent))


def _register(at: Sequence[int], meant: Sequence[int]) -> dict[int, int]:
    """Counts at each quarter-hour between the first and the last reading, then their differences."""
    if not at:
        return {}
    boundary = ceil_interval(at[0])
    values: list[int] = []
    place = 0
    first = boundary
    while boundary <= at[-1]:
        while place + 1 < len(at) and at[place + 1] <= boundary:
            place += 1
        if at[place] == boundary:
            values.append(meant[place])
        else:
            elapsed, span = boundary - at[place], at[place + 1] - at[place]
            grown = (meant[place + 1] - meant[place]) * elapsed
            values.append(round_half_even(meant[place] * span + grown, span))
        boundary += INTERVAL_US
    return {first + k * INTERVAL_US: values[k + 1] - values[k] for k in range(len(values) - 1)}


def _delta(at: Sequence[int], values: Sequence[int], period_us: int) -> dict[int, int]:
    """Each value over the whole intervals of its period: equal parts, the remainder to the earliest."""
    parts = period_us // INTERVAL_US
    by_start: dict[int, int] = {}
    for stamp, amount in zip(at, values, strict=True):
        nearest = floor_interval(stamp + INTERVAL_US // 2)
        assert abs(stamp - nearest) <= min(SNAP_US_MAX, period_us // 10), (
            "the twin knows deltas on their grid only"
        )
        share, remainder = divmod(amount, parts)
        for k in range(parts):
            by_start[nearest - period_us + k * INTERVAL_US] = share + (k < remainder)
    return by_start


def _rate(at: Sequence[int], levels: Sequence[int], steps: Fraction) -> dict[int, int]:
    """Trapezoids between neighbours, by interval; only intervals that lie between readings as a whole."""
    if not at:
        return {}
    area: dict[int, Fraction] = {}  # count × µs
    for place in range(len(at) - 1):
        begin, end = at[place], at[place + 1]
        slope = Fraction(levels[place + 1] - levels[place], end - begin)
        while begin < end:
            stop = min(end, floor_interval(begin) + INTERVAL_US)
            mean = levels[place] + slope * (Fraction(begin + stop, 2) - at[place])
            start = floor_interval(begin)
            area[start] = area.get(start, Fraction(0)) + mean * (stop - begin)
            begin = stop
    first, last = ceil_interval(at[0]), floor_interval(at[-1])
    result = {}
    for start, sum_ in area.items():
        if first <= start < last:
            exact = sum_ * steps / HOUR_US
            result[start] = round_half_even(exact.numerator, exact.denominator)
    return result


DERIVED_EXPONENT = -6
# What a mean share makes of an amount: of a percentage the same unit, of mg/m3 of a volume kilograms.
_SHARES = {"percent": Fraction(1, 100), "mg/m3": Fraction(1, 1_000_000)}


def means(series: Series) -> Amounts:
    """Means of a channel that has no amounts, over each whole interval between its readings."""
    count = series.channel.count
    exponent = min(0, ledger_exponent(count))
    steps = count / Fraction(10) ** exponent
    hours = _rate(series.at_us.tolist(), series.meant.tolist(), steps * HOUR_US / INTERVAL_US)
    return Amounts(exponent, hours)


def derived(function: str, inputs: Mapping[str, tuple[str, Amounts]]) -> Amounts | None:
    """A derived channel in its function's own unit; None for a function of properties (steam_heat).

    inputs  by name: the unit, and the amounts or means
    """
    if function == "product":
        ((amount, _),) = (each for each in inputs.items() if each[1][0] not in _SHARES)
        ((share, (unit, _)),) = (each for each in inputs.items() if each[1][0] in _SHARES)
        scale = _SHARES[unit]

        def formula(of: Mapping[str, Fraction]) -> Fraction:
            return of[amount] * of[share] * scale

    elif function == "gas_at_normal":
        mpa = Fraction(1, {"MPa": 1, "bar": 10}[inputs["pressure"][0]])

        def formula(of: Mapping[str, Fraction]) -> Fraction:
            kelvin = Fraction("273.15") + of["temperature"]
            return of["volume"] * of["pressure"] * mpa / Fraction("0.101325") * Fraction("273.15") / kelvin

    elif function == "hot_water_heat":

        def formula(of: Mapping[str, Fraction]) -> Fraction:
            return of["mass"] * (of["temperature"] - 20) * Fraction("4.1868") / 1000

    else:
        return None
    result = {}
    for at in sorted(set.intersection(*(set(known.by_start_us) for _, known in inputs.values()))):
        values = {
            name: known.by_start_us[at] * Fraction(10) ** known.exponent
            for name, (_, known) in inputs.items()
        }
        exact = formula(values) / Fraction(10) ** DERIVED_EXPONENT
        result[at] = round_half_even(exact.numerator, exact.denominator)
    return Amounts(DERIVED_EXPONENT, result)


def signed_sum(expression: str, by_name: Mapping[str, Amounts]) -> Amounts:
    """A source's amounts: known where each of its terms is.

    `expression` is the registry's: names with ` + ` and ` - ` between them.
    """
    words = expression.split()
    if words[0] in ("+", "-"):
        terms = [(1 if words[0] == "+" else -1, words[1])]
        words = words[1:]
    else:
        terms = [(1, words[0])]
    terms += [(1 if sign == "+" else -1, name) for sign, name in zip(words[1::2], words[2::2], strict=True)]
    exponent = min(by_name[name].exponent for _, name in terms)
    starts = set.intersection(*(set(by_name[name].by_start_us) for _, name in terms))
    scaled = [
        (sign * 10 ** (by_name[name].exponent - exponent), by_name[name].by_start_us) for sign, name in terms
    ]
    return Amounts(exponent, {at: sum(scale * known[at] for scale, known in scaled) for at in sorted(starts)})


def ledger_mg(consumption: Amounts, mg_per_unit: Fraction) -> dict[int, int]:
    """Entries [mg CO2e] by start of interval, each rounded once."""
    factor = mg_per_unit * Fraction(10) ** consumption.exponent
    return {
        at: round_half_even(amount * factor.numerator, factor.denominator)
        for at, amount in consumption.by_start_us.items()
    }
