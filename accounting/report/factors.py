"""Table 3: the factors that the ledger used, with their figures, means over the year, and what is weak. Pure, exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from accounting.report.document import FactorUsed, FigureUsed, Mean, WeakFigure
from accounting.report.figures import decimal, tonnes
from accounting.report.means import Used, weighted_means
from accounting.report.year import Year, amount


def factors_used(year: Year) -> list[FactorUsed]:
    """One a source, gas, boundary and factor, in the order in which a source used them."""
    result = []
    for (code, gas, boundaries, factor_id, unit), own in year.uses().items():
        used = year.books.factors[factor_id]
        said = used.description
        per_amount = said.get("tco2e_per_amount")
        result.append(
            FactorUsed(
                code,
                said.get("method") or year.subjects[code].version.method,
                gas,
                list(boundaries),
                said.get("formula"),
                said.get("clause"),
                said.get("edition"),
                said.get("document"),
                said.get("confidence"),
                year.calendar.date(min(each.first_day for each in own)).isoformat(),
                year.calendar.date(max(each.last_day for each in own)).isoformat(),
                decimal(sum((amount(each) for each in own), Fraction(0))),
                unit,
                None if per_amount is None else decimal(Fraction(per_amount)),
                said.get("amount_unit"),
                tonnes(sum(each.mg for each in own)),
                bool(said.get("provisional")),
                [_figure(each) for each in said.get("factors") or ()],
                list(said.get("passed_over") or ()),
                used.factor_set,
            )
        )
    return result


def _figure(said: Mapping[str, Any]) -> FigureUsed:
    return FigureUsed(
        str(said["name"]),
        str(said["value"]),
        str(said.get("unit") or ""),
        said.get("origin"),
        said.get("reference"),
        said.get("edition"),
        said.get("confidence"),
        said.get("valid_from"),
        said.get("valid_to"),
        said.get("area"),
        said.get("year"),
        bool(said.get("provisional")),
        said.get("note"),
    )


def means(year: Year) -> list[Mean]:
    """Of the figures that changed within the year, weighted as the guidelines say."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Used]] = defaultdict(list)
    for (code, gas, boundaries, factor_id, _), own in year.uses().items():
        figures = {
            str(each["name"]): (Fraction(str(each["value"])), str(each.get("unit") or ""))
            for each in year.books.factors[factor_id].description.get("factors") or ()
        }
        used = sum((year.converted(each) for each in own), Fraction(0))
        groups[code, gas, boundaries].append(Used(used, figures))
    return [
        Mean(code, gas, list(boundaries), mean.name, mean.unit, mean.values, decimal(mean.mean), mean.weights)
        for (code, gas, boundaries), uses in groups.items()
        for mean in weighted_means(uses)
    ]


def weak_figures(factors: Sequence[FactorUsed]) -> list[WeakFigure]:
    """Methods and figures marked M or L, and provisional ones; each once, however long it was used."""
    found: dict[WeakFigure, None] = {}
    for used in factors:
        if used.confidence in ("M", "L"):
            found[WeakFigure(used.source, used.method, None, None, used.confidence, used.clause)] = None
        for each in used.figures:
            mark = "provisional" if each.provisional else each.confidence
            if mark in ("M", "L", "provisional"):
                found[WeakFigure(used.source, each.name, each.value, each.unit, mark, each.reference)] = None
    return list(found)
