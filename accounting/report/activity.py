"""Table 2: activity data by source with their months and meters; electricity and heat bought and passed on; products.

Activity data are taken once a source, however many gases and boundaries it counts for. Pure, exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from accounting.report.document import (
    Activity,
    ChannelOrigin,
    EnergyLine,
    MonthAmount,
    NetEnergy,
    ProductLine,
)
from accounting.report.figures import decimal, tonnes
from accounting.report.year import Subject, Year, amount_text, sum_mg
from domain.entry_sums import EntrySums
from domain.registry import Point, SourceVersion

_ENERGY = "energy"  # the kind of electricity and heat (accounting/methods/kinds.toml)
_MG_PER_TONNE = 1_000_000_000


def activities(year: Year) -> list[Activity]:
    """One a source and unit; of a source of which nothing is known one without amounts."""
    result = []
    for code, subject in year.subjects.items():
        own = year.of(source=code)
        units = sorted({each.unit for each in own})
        for unit in units or [year.enterprise.points[subject.version.terms[0].point].unit]:
            result.append(_activity(year, subject, unit, [each for each in own if each.unit == unit]))
    return result


def _activity(year: Year, subject: Subject, unit: str, own: Sequence[EntrySums]) -> Activity:
    months = []
    counted: list[EntrySums] = []
    for month in year.months:
        these = _one_series([each for each in own if each.month == month])
        counted += these
        months.append(
            MonthAmount(
                year.calendar.date(month).strftime("%Y-%m"),
                amount_text(these),
                sum(each.known for each in these),
            )
        )
    units = {year.description(each).get("amount_unit") for each in counted}
    converted = None
    if len(units) == 1 and None not in units:
        converted = sum((year.converted(each) for each in counted), Fraction(0))
    version = subject.version
    terms = " ".join(f"{'-' if term.sign < 0 else '+'} {term.point}" for term in version.terms)
    return Activity(
        subject.source.code,
        version.method,
        *subject.names,
        version.fuel,
        version.material,
        terms.removeprefix("+ "),
        unit,
        amount_text(counted),
        None if converted is None else decimal(converted),
        None if converted is None else units.pop(),
        months,
        _origins(year, version),
        version.substitution,
    )


def _one_series(entries: Sequence[EntrySums]) -> list[EntrySums]:
    """Of a source's month the series that knows most: all of its gases and boundaries come from the same amounts."""
    series: dict[tuple[str, tuple[str, ...]], list[EntrySums]] = defaultdict(list)
    for each in entries:
        if not each.repeats:
            series[each.gas, each.boundaries].append(each)
    return max(series.values(), key=lambda own: sum(each.known for each in own), default=[])


def _origins(year: Year, version: SourceVersion) -> list[ChannelOrigin]:
    result = []
    for term in version.terms:
        point = year.enterprise.points[term.point]
        result.append(_origin(year, point, term.sign))
        for _, name in point.derivation.inputs if point.derivation else ():
            result.append(_origin(year, year.enterprise.points[name], term.sign))
    return result


def _origin(year: Year, point: Point, sign: int) -> ChannelOrigin:
    meter = year.enterprise.meters.get(point.meter)
    if point.derivation is not None:
        inputs = ", ".join(f"{role} {name}" for role, name in point.derivation.inputs)
        derived = f"{point.derivation.function}({inputs})"
        return ChannelOrigin(
            point.name, sign, meter, point.quantity, str(point.kind), point.unit, None, None, derived
        )
    end_us = year.calendar.day_start(year.last_day + 1)
    version = ([each for each in point.versions if each.valid_from_us < end_us] or point.versions)[-1]
    return ChannelOrigin(
        point.name,
        sign,
        meter,
        point.quantity,
        str(point.kind),
        version.unit,
        decimal(version.multiplier),
        decimal(version.resolution),
        None,
    )


def energy_lines(year: Year, lines: Sequence[Activity]) -> list[EnergyLine]:
    """Electricity and heat among the activity data; what is passed on counts negative."""
    result = []
    for each in lines:
        method = year.subjects[each.source].method
        if method is None or method.kind != _ENERGY:
            continue
        own = year.of(source=each.source, boundary="account")
        mg = sum_mg(entry for entry in own if entry.unit == each.unit)
        unit = each.converted_unit or method.units[0]
        amount = None
        if each.converted is not None:
            amount = -Fraction(each.converted) if method.deduction else Fraction(each.converted)
        result.append(
            EnergyLine(
                each.source,
                "heat" if unit == "GJ" else "electricity",
                "exported" if method.deduction else "purchased",
                None if amount is None else decimal(amount),
                unit,
                None if not amount or mg is None else decimal(Fraction(mg, _MG_PER_TONNE) / amount),
                None if mg is None else tonnes(mg),
            )
        )
    return result


def net_energy(lines: Sequence[EnergyLine]) -> list[NetEnergy]:
    """净购入: what was bought less what was passed on, of each carrier of which something is known."""
    result = []
    for carrier, unit in sorted({(each.carrier, each.unit) for each in lines}):
        own = [each for each in lines if (each.carrier, each.unit) == (carrier, unit) and each.amount]
        if own:
            amount = sum((Fraction(each.amount or 0) for each in own), Fraction(0))
            mg = sum(int(Fraction(each.account_tco2e or 0) * _MG_PER_TONNE) for each in own)
            result.append(NetEnergy(carrier, decimal(amount), unit, tonnes(mg)))
    return result


def product_lines(year: Year) -> list[ProductLine]:
    """Output, and what was emitted for a unit of it; None where either is unknown or nothing was made."""
    account, ets = sum_mg(year.of(boundary="account")), sum_mg(year.of(boundary="ets"))

    def intensity(mg: int | None, output: Fraction | None) -> str | None:
        if mg is None or output is None or output <= 0:
            return None
        return decimal(Fraction(mg, 1_000_000) / output)

    return [
        ProductLine(
            each.product,
            None if each.amount is None else decimal(each.amount),
            each.unit,
            each.quality,
            each.coverage,
            intensity(account, each.amount),
            intensity(ets, each.amount),
        )
        for each in year.books.products
    ]
