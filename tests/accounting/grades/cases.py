"""Made-up enterprises for tests of grades, and a seeded city of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from accounting.grades.benchmarks import benchmark_table
from accounting.grades.inputs import (
    MG_PER_TONNE,
    Figure,
    GradeInputs,
    ProductInputs,
    SourceSum,
    month_number,
)

MONTH = month_number(2026, 6)
USCC = "91430302XT0000014K"


def enterprise(
    tonnes: int = 12_000,
    value_added: int | str | None = 1_200,
    tonnes_before: int | None = None,
    uscc: str = USCC,
    **changes: Any,
) -> GradeInputs:
    """Twelve equal months now and before; value added the same in each of them [10⁴ yuan a year]."""
    first = MONTH - 23
    before = tonnes if tonnes_before is None else tonnes_before
    emissions = {}
    for index in range(24):
        amount = (before if index < 12 else tonnes) * MG_PER_TONNE
        emissions[first + index] = amount // 12 + (amount % 12 if index % 12 == 11 else 0)
    figures: Mapping[str, tuple[Figure, ...]] = {}
    if value_added is not None:
        month = Fraction(value_added) / 12
        figures = {
            "value_added": tuple(
                Figure(first + index, first + index, month, month, "statistics") for index in range(24)
            )
        }
    given: dict[str, Any] = {
        "uscc": uscc,
        "month": MONTH,
        "district": "430302",
        "gb_t_4754": "3011",
        "emissions": emissions,
        "sources": (SourceSum("all", tonnes * MG_PER_TONNE, 100, 100),),
        "sources_before": (SourceSum("all", before * MG_PER_TONNE, 100, 100),),
        "figures": figures,
    }
    return GradeInputs(**{**given, **changes})


def peers(
    count: int = 6, tonnes: int = 10_000, value_added: int = 1_000, **changes: Any
) -> list[GradeInputs]:
    return [
        enterprise(tonnes, value_added, uscc=f"9143030299999{index:04d}X", **changes)
        for index in range(count)
    ]


def product(
    benchmark: str, value: Fraction | int | str, before: Fraction | int | str | None = None, **changes: Any
) -> ProductInputs:
    """One tonne a month of it, `value` in the window and `before` in the one before."""
    old = value if before is None else before
    months = {
        MONTH - 23 + index: (Fraction(old if index < 12 else value), Fraction(1)) for index in range(24)
    }
    given: dict[str, Any] = {
        "product": benchmark,
        "benchmark": benchmark_table().by_id[benchmark],
        "conditions": {},
        "sources": ("all",),
        "months": months,
    }
    return ProductInputs(**{**given, **changes})


def city(count: int, seed: int = 1) -> list[GradeInputs]:
    """Enterprises of several industries; some with yearly value added, with revenue alone, with gaps, with products."""
    draw = random.Random(seed)
    industries = [f"{draw.choice((13, 22, 26, 30, 31, 33, 34, 39))}{draw.randint(10, 29)}" for _ in range(40)]
    found = []
    for index in range(count):
        tonnes = draw.randint(50, 60_000)
        inputs = enterprise(
            tonnes,
            None,
            tonnes_before=int(tonnes * draw.uniform(0.9, 1.2)),
            uscc=f"91430300{index:09d}X",
            gb_t_4754=draw.choice(industries),
            district=draw.choice(("430302", "430304", "430321", "430381", "430382")),
        )
        expected = 35_040
        amount = inputs.sources[0].co2e_mg
        third = amount // 3
        sources = (
            SourceSum("grid", amount - third, draw.randint(28_000, expected), expected),
            SourceSum("boiler", third, draw.randint(30_000, expected), expected),
        )
        value = Fraction(draw.randint(100, 2_000_000), 100)
        kind = "revenue" if draw.random() < 0.2 else "value_added"
        first = MONTH - 23
        figures: tuple[Figure, ...]
        if draw.random() < 0.2:
            figures = (
                Figure(month_number(2024, 1), month_number(2024, 12), value * 12),
                Figure(month_number(2025, 1), month_number(2025, 12), value * 13),
            )
        else:
            figures = tuple(
                Figure(first + step, first + step, value + step) for step in range(24) if draw.random() < 0.97
            )
        products: tuple[ProductInputs, ...] = ()
        if draw.random() < 0.2:
            products = (
                product(
                    "gb16780-2021-clinker",
                    draw.randint(90, 130),
                    draw.randint(90, 130),
                    sources=("grid", "boiler"),
                ),
            )
        emissions = {month: mg for month, mg in inputs.emissions.items() if draw.random() < 0.99}
        emissions |= {month_number(2025, 1) - each: amount // 12 for each in range(1, 13)}
        emissions |= {month_number(2024, 1) + each: amount // 12 for each in range(6)}
        found.append(
            enterprise(
                tonnes,
                None,
                uscc=inputs.uscc,
                gb_t_4754=inputs.gb_t_4754,
                district=inputs.district,
                emissions=emissions,
                sources=sources,
                sources_before=sources,
                figures={kind: figures},
                products=products,
            )
        )
    return found
