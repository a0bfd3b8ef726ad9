"""Consumption of a channel by period, and the readings that it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Response

from accounting.coverage import Expectation, point_ranges
from api import schemas
from api.answer import list_answer
from api.auth import Reader
from api.context import TheContext
from api.measured import point_sums
from api.paging import Paged
from api.parameters import AsOf, ChannelName, GranularityParameter, RangeParameters, Uscc
from api.periods import Granularity
from api.routes.emissions import page_periods
from api.schemas import problems
from api.sums import Sum, coverage_text
from domain.unit import Form, known

router = APIRouter(tags=["consumption"])

_DAYS_MAX = 20_000
_NOTHING = Sum()


@router.get(
    "/v1/enterprises/{uscc}/consumption",
    response_model=schemas.ConsumptionPage,
    responses=problems(401, 403, 404, 422),
    summary="Consumption of a channel",
)
def get_consumption(
    uscc: Uscc,
    channel: ChannelName,
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Paged,
    granularity: GranularityParameter = Granularity.DAY,
    as_of: AsOf = None,
) -> Response:
    """One item for each period of the range, future ones too; `amount` in the channel's unit of consumption (kWh for
    a channel in kW), exact, null where nothing is known; of a channel that has means only (bar, degC …), the mean of
    the period's known intervals. Consumption is never substituted.
    """
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        point = session.point(enterprise, channel)
        these, more = page_periods(session, page, whole, granularity, 1, _DAYS_MAX)
        expectation = session.known.prepared(
            ("point", point.id), lambda: Expectation(point_ranges(enterprise, point.name))
        )
        cells = point_sums(session, point.id, these, session.run(as_of, enterprise))
        until_us = session.now_us if as_of is None else min(session.now_us, as_of)
        starts = np.array([period.from_us for period in these], np.int64)
        ends = np.array([period.to_us for period in these], np.int64)
        expected = expectation.counts(starts, ends, until_us).tolist()
        has_means = known(point.unit).form is Form.MEAN
        items: list[dict[str, Any]] = []
        for number, period in enumerate(these):
            if page.after is not None and period.from_us <= page.after.at_us:
                continue
            if len(items) == page.limit:
                more = True
                break
            cell = cells.get((0, number), _NOTHING)
            items.append(
                {
                    "at": session.text(period.from_us),
                    "amount": cell.mean_text() if has_means else cell.amount_text(),
                    "unit": point.unit,
                    "quality": cell.quality_name,
                    "flags": cell.flag_names,
                    "coverage": coverage_text(cell.known, expected[number]),
                }
            )
            last_us = period.from_us
        return list_answer(items, page.next(last_us, "") if more and items else None)
