"""Table 1: emissions by source, and the totals of both boundaries by scope, gas and method. Pure, exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from accounting.report.document import EmissionLine, Part, QualityLine, Total
from accounting.report.figures import coverage, kilograms, share, tonnes
from accounting.report.rounding import reported
from accounting.report.year import BOUNDARIES, Subject, Year, sum_mg
from domain.entry_sums import EntrySums
from domain.reading import flag_names

_WEAKEST_FIRST = ("L", "M", "H")
_GASES = {
    "CO2": ("二氧化碳", "carbon dioxide"),
    "CH4": ("甲烷", "methane"),
    "N2O": ("氧化亚氮", "nitrous oxide"),
    "SF6": ("六氟化硫", "sulphur hexafluoride"),
}
_SCOPES = {"1": ("范围一：直接排放", "scope 1: direct"), "2": ("范围二：购入能源", "scope 2: energy bought")}


def emission_lines(year: Year) -> list[EmissionLine]:
    """One line a source, scope and gas; of a source of which nothing is known one without amounts."""
    lines = []
    for code, subject in year.subjects.items():
        by_kind: dict[tuple[int, str, bool], list[EntrySums]] = defaultdict(list)
        for each in year.of(source=code):
            by_kind[each.scope, each.gas, year.is_deduction(each)].append(each)
        if not by_kind:
            by_kind[_kind_by_method(subject)] = []
        for (scope, gas, deduction), own in sorted(by_kind.items()):
            account = sum_mg(each for each in own if "account" in each.boundaries)
            ets = sum_mg(each for each in own if "ets" in each.boundaries)
            lines.append(
                EmissionLine(
                    code,
                    subject.version.method,
                    *subject.names,
                    subject.version.fuel,
                    subject.version.material,
                    gas,
                    scope,
                    deduction,
                    None if account is None else kilograms(account),
                    None if account is None else tonnes(account),
                    None if ets is None else kilograms(ets),
                    None if ets is None else tonnes(ets),
                )
            )
    return lines


def _kind_by_method(subject: Subject) -> tuple[int, str, bool]:
    method = subject.method
    return (1, "CO2", False) if method is None else (method.scope, method.gases[0], method.deduction)


def total(year: Year, boundary: str) -> Total:
    """A boundary's total. What is known of nothing is None; a deduction of nothing is 0."""
    found = year.of(boundary=boundary)
    mg = sum_mg(found)
    magnitude = sum(each.magnitude for each in found)
    expected = sum(count for (_, its), count in year.books.expected.items() if its == boundary)
    deductions = sum_mg(each for each in found if year.is_deduction(each)) or 0
    by_method = {each.version.method: each.names for each in year.subjects.values()}
    return Total(
        boundary,
        None if mg is None else kilograms(mg),
        None if mg is None else tonnes(mg),
        None if mg is None else reported(mg, year.editions[boundary]),
        None if mg is None else kilograms(mg - deductions),
        None if mg is None else kilograms(deductions),
        _parts(found, lambda each: str(each.scope), _SCOPES),
        _parts(found, lambda each: each.gas, _GASES),
        _parts(found, lambda each: year.subjects[year.code[each.source_id]].version.method, by_method),
        coverage(sum(each.known - each.substituted for each in found if not each.repeats), expected),
        share(sum(each.estimated_magnitude for each in found), magnitude),
        share(sum(each.substituted_magnitude for each in found), magnitude),
        share(sum(each.estimated_or_substituted_magnitude for each in found), magnitude),
        _confidence_shares(year, found, magnitude),
    )


def _parts(
    entries: Iterable[EntrySums], key: Callable[[EntrySums], str], names: Mapping[str, tuple[str, str]]
) -> list[Part]:
    sums: dict[str, int] = defaultdict(int)
    for each in entries:
        sums[key(each)] += each.mg
    return [
        Part(name, *names.get(name, (name, name)), kilograms(mg), tonnes(mg))
        for name, mg in sorted(sums.items())
    ]


def _confidence_shares(year: Year, found: Iterable[EntrySums], magnitude: int) -> dict[str, str]:
    by_mark: dict[str, int] = defaultdict(int)
    for each in found:
        by_mark[_weakest(year.description(each))] += each.magnitude
    return {
        mark: share(by_mark[mark], magnitude) or "0" for mark in reversed(_WEAKEST_FIRST) if by_mark[mark]
    }


def _weakest(description: Mapping[str, Any]) -> str:
    """The weakest mark that an entry rests on; what was measured has none, and weakens nothing."""
    marks = {description.get("confidence")}
    marks |= {each.get("confidence") for each in description.get("factors") or ()}
    return next((mark for mark in _WEAKEST_FIRST if mark in marks), "H")


def quality_lines(year: Year) -> list[QualityLine]:
    """How good the entries of each source in each boundary are."""
    result = []
    for boundary in BOUNDARIES:
        for code in year.subjects:
            own = year.of(source=code, boundary=boundary)
            expected = year.books.expected.get((code, boundary), 0)
            if not own and not expected:
                continue
            magnitude = sum(each.magnitude for each in own)
            counted = [each for each in own if not each.repeats]
            known, replaced = sum(each.known for each in counted), sum(each.substituted for each in counted)
            flags = 0
            for each in own:
                flags |= each.flags
            result.append(
                QualityLine(
                    code,
                    boundary,
                    expected,
                    known,
                    coverage(known - replaced, expected),
                    sum(each.measured for each in counted),
                    sum(each.interpolated for each in counted),
                    sum(each.estimated for each in counted),
                    replaced,
                    share(sum(each.estimated_magnitude for each in own), magnitude),
                    share(sum(each.substituted_magnitude for each in own), magnitude),
                    share(sum(each.estimated_or_substituted_magnitude for each in own), magnitude),
                    flag_names(flags),
                )
            )
    return result
