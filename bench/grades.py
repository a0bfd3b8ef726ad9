"""Grades for `bench api`: enterprises with two years of months and value added, graded all at once, and recorded for
the routes that tell of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from fractions import Fraction

from accounting.factors.load import load as load_factors
from accounting.grades.benchmarks import benchmark_table
from accounting.grades.grade import Grade, grade_many
from accounting.grades.inputs import MG_PER_TONNE, Figure, GradeInputs, ProductInputs, SourceSum
from accounting.grades.scheme_read import default_scheme
from api import grading
from api.context import Context, open_pool
from api.settings import ApiSettings
from bench.report import Row, amount
from domain.clock import SystemClock
from domain.signing import Ed25519Signer

CASE = "grades"
_INTERVALS = 35_040
_INDUSTRIES = 40
_DISTRICTS = ("430302", "430304", "430321", "430381", "430382")
_WITH_PRODUCTS = 0.1


def made_up(codes: Sequence[str], month: int, seed: int = 1) -> list[GradeInputs]:
    """Inputs of these enterprises for a closing month: three sources each, a tenth with a benchmarked product."""
    draw = random.Random(seed)
    first = month - 23
    industries = [
        f"{draw.choice((13, 22, 26, 30, 31, 33, 34, 39))}{draw.randint(10, 29)}" for _ in range(_INDUSTRIES)
    ]
    clinker = benchmark_table().by_id["gb16780-2021-clinker"]
    found = []
    for code in codes:
        monthly = draw.randint(5, 5_000) * MG_PER_TONNE
        value = Fraction(draw.randint(1_000, 200_000), 100)
        sources = tuple(
            SourceSum(
                name, monthly * 4 + draw.randint(0, 10**6), draw.randint(31_000, _INTERVALS), _INTERVALS
            )
            for name in ("boiler", "grid", "kiln")
        )
        products: tuple[ProductInputs, ...] = ()
        if draw.random() < _WITH_PRODUCTS:
            months = {
                first + step: (Fraction(draw.randint(95_000, 125_000)), Fraction(1_000)) for step in range(24)
            }
            products = (ProductInputs("clinker", clinker, {}, ("kiln", "boiler"), months),)
        found.append(
            GradeInputs(
                uscc=code,
                month=month,
                district=draw.choice(_DISTRICTS),
                gb_t_4754=draw.choice(industries),
                emissions={first + step: monthly + draw.randint(0, monthly // 10) for step in range(24)},
                sources=sources,
                sources_before=sources,
                figures={
                    "value_added": tuple(
                        Figure(first + step, first + step, value + Fraction(step, 100), value, "bench")
                        for step in range(24)
                    )
                },
                products=products,
            )
        )
    return found


def record(url: str, codes: Sequence[str]) -> int:
    """Write an indicative grade of each enterprise; of which month."""
    settings = ApiSettings(url, connections_max=2)
    with open_pool(settings) as pool:
        context = Context(settings, pool, SystemClock(), load_factors())
        with context.session(None) as session, pool.connection() as conn, conn.transaction():
            month = grading.last_closed_month(session)
            found = grade_many(made_up(codes, month), default_scheme())
            grading.record(conn, session, found, grading.INDICATIVE, Ed25519Signer.new())
    return month


def measure(count: int, rounds: int) -> Row:
    """Grade so many enterprises from closed months, peers too; the best of the rounds [s]. Distances to the next label
    are solved as records are written.
    """
    everybody = made_up([f"9143030000000{number:05d}" for number in range(count)], 680)
    best = float("inf")
    found: list[Grade] = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = grade_many(everybody, default_scheme())
        best = min(best, time.perf_counter() - began)
    rated = sum(1 for each in found if each.score is not None)
    detail = f"{amount(count)} enterprises graded at once, {amount(rated)} rated; the best of {rounds} rounds"
    return Row(CASE, "s", best, seconds=best, detail=detail)
