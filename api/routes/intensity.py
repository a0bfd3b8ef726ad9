"""Carbon intensity: kilograms of CO2e per unit of a product."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from accounting.coverage import Expectation, product_ranges
from api import schemas
from api.answer import list_answer
from api.auth import Reader
from api.context import TheContext
from api.ledger import Question, sums
from api.measured import Output, fraction_text, product_sums
from api.paging import Paged
from api.parameters import AsOf, GranularityParameter, RangeParameters, Uscc
from api.periods import Granularity
from api.routes.emissions import (
    Boundary,
    BoundaryParameter,
    enterprise_subject,
    expected_of,
    page_periods,
    sets_of,
)
from api.schemas import problems
from api.sums import Sum, co2e_kg, coverage_text, factor_set_text
from domain.ledger import shard_of
from domain.reading import Quality, flag_names
from domain.registry import dated_value
from storage.emissions import By

router = APIRouter(tags=["emissions"])

_DAYS_MAX = 5_000


@router.get(
    "/v1/enterprises/{uscc}/intensity",
    response_model=schemas.IntensityPage,
    responses=problems(401, 403, 404, 422),
    summary="CO2e per unit of a product",
)
def get_intensity(
    uscc: Uscc,
    product: Annotated[str, Query(max_length=64, description="Id of the product.", examples=["crude_steel"])],
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    granularity: GranularityParameter = Granularity.DAY,
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """The enterprise's emissions of each period ÷ the product's output in it. `intensity` has up to 12
    decimals (half to even); null where either is unknown or nothing was produced. Emissions and output have each
    their own coverage: where these differ, so do the times that the two amounts speak of.
    """
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        made = session.product(enterprise, product)
        these, more = page_periods(session, page, whole, granularity, 1, _DAYS_MAX)
        runs = session.runs(as_of)
        subject = enterprise_subject(session.known, enterprise, By.TOTAL, boundary)
        single = granularity in (Granularity.QUARTER_HOUR, Granularity.HOUR)
        cells = sums(session, Question(subject.members, subject.wanted, runs), these, single=single)
        sets = sets_of(session, cells)
        outputs = product_sums(
            session, enterprise, made, these, None if runs is None else runs[shard_of(enterprise.id)]
        )
        until_us = session.now_us if as_of is None else min(session.now_us, as_of)
        expected = expected_of(subject.parts[0], these, until_us)
        starts = np.array([period.from_us for period in these], np.int64)
        ends = np.array([period.to_us for period in these], np.int64)
        calendar = session.calendar
        output_expected = (
            session.known.prepared(
                ("product", enterprise.uscc, made.code),
                lambda: Expectation(product_ranges(enterprise, made, calendar)),
            )
            .counts(starts, ends, until_us)
            .tolist()
        )
        items: list[dict[str, Any]] = []
        for number, period in enumerate(these):
            if page.after is not None and period.from_us <= page.after.at_us:
                continue
            if len(items) == page.limit:
                more = True
                break
            cell, output = cells.get((0, number), Sum()), outputs.get(number, Output())
            version = dated_value(made.versions, calendar.day(period.to_us - 1)) or made.versions[-1].value
            intensity = None
            if cell.known and output.known and output.amount > 0:
                intensity = fraction_text(Fraction(cell.amount, 1_000_000) / output.amount)
            items.append(
                {
                    "at": session.text(period.from_us),
                    "product": made.code,
                    "intensity": intensity,
                    "unit": version.unit,
                    "co2e_kg": co2e_kg(cell),
                    "amount": fraction_text(output.amount) if output.known else None,
                    "quality": _worse(cell, output),
                    "flags": flag_names(cell.flags | output.flags),
                    "coverage": coverage_text(cell.credited, expected[number]),
                    "amount_coverage": coverage_text(output.known, output_expected[number]),
                    "factor_set": factor_set_text(cell.factor_ids, sets),
                }
            )
            last_us = period.from_us
        return list_answer(items, page.next(last_us, "") if more and items else None)


def _worse(cell: Sum, output: Output) -> str:
    return Quality(min(cell.quality, output.quality)).name.lower()
