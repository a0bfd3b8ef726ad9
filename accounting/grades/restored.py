"""A record's snapshot back as inputs: grades of the past are computed again from what they were computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from accounting.grades.benchmarks import BenchmarkTable
from accounting.grades.inputs import Fact, Figure, GradeInputs, Previous, ProductInputs, Reported, SourceSum
from accounting.grades.statements import month_of


def restored(snapshot: Mapping[str, Any], table: BenchmarkTable) -> GradeInputs:
    """The inverse of `record.snapshot`. A product whose benchmark isn't in the table any more is left out."""
    reported, previous, verified = snapshot["reported"], snapshot["previous"], snapshot["verified_mg"]
    return GradeInputs(
        uscc=snapshot["uscc"],
        month=month_of(snapshot["month"]),
        district=snapshot["district"],
        gb_t_4754=snapshot["gb_t_4754"],
        emissions={month_of(month): int(mg) for month, mg in snapshot["emissions_mg"].items()},
        sources=_sources(snapshot["sources"]),
        sources_before=_sources(snapshot["sources_before"]),
        figures={
            kind: tuple(
                Figure(
                    month_of(each["from"]),
                    month_of(each["to"]),
                    Fraction(each["value"]),
                    _fraction(each["constant"]),
                    each["provider"],
                )
                for each in figures
            )
            for kind, figures in snapshot["figures"].items()
        },
        products=tuple(
            ProductInputs(
                each["product"],
                table.by_id[each["benchmark"]],
                {name: Fraction(value) for name, value in each["conditions"].items()},
                tuple(each["sources"]),
                {
                    month_of(month): (Fraction(energy), Fraction(output))
                    for month, (energy, output) in each["months"].items()
                },
            )
            for each in snapshot["products"]
            if each["benchmark"] in table.by_id
        ),
        facts=tuple(
            Fact(
                each["id"],
                month_of(each["from"]),
                None if each["to"] is None else month_of(each["to"]),
                each["evidence"],
            )
            for each in snapshot["facts"]
        ),
        reported=None
        if reported is None
        else Reported(int(reported["co2e_mg"]), reported["kind"], reported["reference"]),
        previous=None
        if previous is None
        else Previous(
            previous["label"], previous["held"], tuple(_fraction(each) for each in previous["scores"])
        ),
        verified_mg=None if verified is None else int(verified),
        factor_sets=tuple(snapshot["factor_sets"]),
        two_high=snapshot["two_high"],
        bonus=Fraction(snapshot["bonus"]),
    )


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _sources(given: Sequence[Mapping[str, Any]]) -> tuple[SourceSum, ...]:
    return tuple(
        SourceSum(each["source"], int(each["co2e_mg"]), each["valid"], each["expected"]) for each in given
    )
