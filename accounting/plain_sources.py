"""Sources over the days of new readings, many at once: those whose sum is plain, which most are.

Plain is a source under one version and one set of factors on the days in question, without a rule that fills its
amounts. What is written is what `source_entries` writes by `sources.source_stretches`, bit for bit; a test compares
both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accounting.books import Books
from accounting.factors.load import FactorLibrary
from accounting.kernels.emission import emission
from accounting.kernels.merge import merge_ledger, sum_ledger_days, sum_terms
from accounting.rows import columns_of, joined
from accounting.sources import IMPLAUSIBLE, series_of, term_unit, validity
from accounting.substitution import SUBSTITUTED, filling_rules
from accounting.work import Cause, LedgerDays, Memory, Rows, SourcePlan
from domain.errors import FactorNotFound
from domain.interval import INTERVAL_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import CONSUMPTION_ROW, LEDGER_ROW
from domain.reading import Quality
from domain.registry import Enterprise, Source, dated_value

Int64 = npt.NDArray[np.int64]

Job = tuple[Enterprise, Source, int, int, Cause]  # the source's days [first, end), and why

DAYS_MAX = 8  # of a job: longer ones come with restatements and late data
LEDGER_ROWS_MAX = 20_000  # kept in memory, each of 3.4 KB
_FOREVER = 1 << 62


class WrittenRows(NamedTuple):
    """Rows of the ledger after a run.

    rows        LEDGER_ROW (r,)  those that are others now
    superseded  bool (r, 96)     intervals of them that were entries before
    owners      int64 (r,)       ids of their enterprises
    plans       [(plan, place in its factors)] (r,)
    entries     how many are written
    """

    rows: Rows
    superseded: npt.NDArray[np.bool_]
    owners: Int64
    plans: list[tuple[SourcePlan, int]]
    entries: int


def plan_of(
    enterprise: Enterprise,
    source: Source,
    day: int,
    library: FactorLibrary,
    calendar: Calendar,
    memory: Memory,
) -> SourcePlan | None:
    """What a plain source counts on a day; None for one that isn't, or lacks a factor."""
    known = memory.plans.get(source.id)
    if (
        known is not None
        and known.source is source
        and known.enterprise is enterprise
        and known.from_day <= day
        and (known.until_day is None or day < known.until_day)
    ):
        return known
    found = _plan(enterprise, source, day, library, calendar)
    if found is None:
        memory.plans.pop(source.id, None)
    else:
        memory.plans[source.id] = found
    return found


def _plan(
    enterprise: Enterprise, source: Source, day: int, library: FactorLibrary, calendar: Calendar
) -> SourcePlan | None:
    version = dated_value(source.versions, day)
    if version is None or filling_rules(source, library.tables.substitutions):
        return None
    ends = [
        dated.from_day for dated in source.versions if dated.from_day is not None and dated.from_day > day
    ]
    unit, exponent, multipliers = term_unit(enterprise, version.terms)
    try:
        found = library.source_factors(enterprise, source, unit, day, calendar)
    except FactorNotFound:
        return None
    ends += [factor.until_day for factor in found if factor.until_day is not None]
    terms = tuple(
        (
            enterprise.points[term.point].id,
            term.sign * multiplier,
            _joined(validity(enterprise, term.point)),
        )
        for term, multiplier in zip(version.terms, multipliers, strict=True)
    )
    factors = tuple(
        (series_of(factor), factor, factor.mg_per_unit * Fraction(10) ** exponent) for factor in found
    )
    return SourcePlan(enterprise, source, day, min(ends, default=None), unit, exponent, terms, factors)


def _joined(ranges: Sequence[tuple[int, int | None]]) -> tuple[tuple[int, int | None], ...]:
    """Ranges that touch as one, ascending.

    >>> _joined([(5, 7), (0, 5), (9, None)])
    ((0, 7), (9, None))
    """
    result: list[tuple[int, int | None]] = []
    for begin, end in sorted(ranges, key=lambda each: each[0]):
        last = result[-1][1] if result else -1
        if result and (last is None or begin <= last):
            result[-1] = (result[-1][0], None if last is None or end is None else max(last, end))
        else:
            result.append((begin, end))
    return tuple(result)


class Plain(NamedTuple):
    """A job with its plan, and the intervals of its days within which each term is a part."""

    job: Job
    plan: SourcePlan
    parts: list[tuple[int, int]]


def plain_jobs(
    jobs: Sequence[Job], library: FactorLibrary, calendar: Calendar, memory: Memory
) -> tuple[list[Plain], list[Job]]:
    """Those that are plain, and the others."""
    plain: list[Plain] = []
    others: list[Job] = []
    for job in jobs:
        enterprise, source, first_day, end_day, _ = job
        plan = None
        if end_day - first_day <= DAYS_MAX:
            plan = plan_of(enterprise, source, first_day, library, calendar, memory)
        if plan is None or (plan.until_day is not None and plan.until_day < end_day):
            others.append(job)
            continue
        parts = [_part(ranges, first_day, end_day, calendar) for _, _, ranges in plan.terms]
        whole = [part for part in parts if part is not None]
        if len(whole) == len(parts):
            plain.append(Plain(job, plan, whole))
        else:
            others.append(job)
    return plain, others


def _part(
    ranges: Sequence[tuple[int, int | None]], first_day: int, end_day: int, calendar: Calendar
) -> tuple[int, int] | None:
    """The intervals of the days, at least partly within ranges; None where they aren't of one piece."""
    first_us, count = calendar.day_start(first_day), (end_day - first_day) * INTERVALS_PER_DAY
    found = (0, 0)
    for begin, end in ranges:
        low = max(0, (begin - first_us) // INTERVAL_US)
        high = count if end is None else min(count, -((first_us - end) // INTERVAL_US))
        if low < high:
            if found != (0, 0):
                return None
            found = (low, high)
    return found


def recompute(
    plain: Sequence[Plain], books: Books, run_id: int, cause_ids: dict[Cause, int], factor_ids: dict[int, int],
    memory: Memory,
) -> tuple[WrittenRows | None, list[Job]]:  # fmt: skip
    """The entries of plain jobs, and the jobs that turned out not to be: with entries in a series that has no factor.

    factor_ids  of each factor of the plans, by its identity
    """
    standing = _standing(plain, books, memory)
    others: list[Job] = []
    taken: list[tuple[Plain, LedgerDays]] = []
    for each, stands in zip(plain, standing, strict=True):
        mine = {series for series, _, _ in each.plan.factors}
        if set(stands.rows["series"].tolist()) - mine:
            others.append(each.job)
        else:
            taken.append((each, stands))
    if not taken:
        return None, others
    consumption, states, offsets = _sums([each for each, _ in taken], books, memory)
    rows, places = _rows(taken)
    sizes = np.diff(offsets)
    # a row of the ledger is a job's day in a series: which day of those computed it is, counted over all jobs
    sum_rows = np.concatenate(
        [
            np.tile(np.arange(offsets[number], offsets[number] + sizes[number]), len(each.plan.factors))
            for number, (each, _) in enumerate(taken)
        ]
    )
    existed = rows["source_id"] != 0
    jobs_of_rows = np.array([number for number, _ in places])
    exponents = np.array([each.plan.exponent for each, _ in taken])[jobs_of_rows]
    sources = np.array([each.job[1].id for each, _ in taken])[jobs_of_rows]
    factors = np.array([factor_ids[id(taken[number][0].plan.factors[index][1])] for number, index in places])
    causes = np.array([cause_ids[each.job[4]] for each, _ in taken])[jobs_of_rows]
    mg, row_states = _milligrams(taken, places, consumption[sum_rows], states[sum_rows])
    rescaled = existed & (rows["exponent"] != exponents)
    other_factor = rows["factor_id"] != factors
    rows["source_id"], rows["exponent"], rows["factor_id"] = sources, exponents, factors
    rows["series"] = [taken[number][0].plan.factors[index][0] for number, index in places]
    changed, superseded = np.zeros(len(rows), bool), np.zeros((len(rows), INTERVALS_PER_DAY), bool)
    count = merge_ledger(
        consumption[sum_rows],
        mg,
        row_states,
        other_factor,
        rescaled,
        run_id,
        causes,
        rows["consumption"],
        rows["mg"],
        rows["states"],
        rows["run_ids"],
        rows["cause_ids"],
        changed,
        superseded,
    )
    _sum_days(rows)
    _keep(taken, rows, existed | changed, memory)
    owners = np.array([each.job[0].id for each, _ in taken])[jobs_of_rows]
    chosen = np.flatnonzero(changed)
    plans = [(taken[places[place][0]][0].plan, places[place][1]) for place in chosen.tolist()]
    return WrittenRows(rows[chosen], superseded[chosen], owners[chosen], plans, int(count)), others


def _standing(plain: Sequence[Plain], books: Books, memory: Memory) -> list[LedgerDays]:
    """The rows of each job's days that stand: from memory, else from the books."""
    found: list[LedgerDays | None] = []
    unknown: list[int] = []
    for place, each in enumerate(plain):
        _, source, first_day, end_day, _ = each.job
        known = memory.ledger.get(source.id)
        if known is None or first_day < known.first_day or end_day > known.end_day:
            unknown.append(place)
            found.append(None)
            continue
        days = known.rows["day"]
        found.append(LedgerDays(first_day, end_day, known.rows[(days >= first_day) & (days < end_day)]))
    if unknown:
        wants = [(plain[place].job[1].id, plain[place].job[2], plain[place].job[3] - 1) for place in unknown]
        stored = books.ledger(*columns_of(wants))
        for place in unknown:
            _, source, first_day, end_day, _ = plain[place].job
            low, high = np.searchsorted(stored["source_id"], [source.id, source.id + 1])
            mine = stored[low:high]
            mine = mine[(mine["day"] >= first_day) & (mine["day"] < end_day)]
            found[place] = LedgerDays(first_day, end_day, mine)
    return [each for each in found if each is not None]


def _sums(plain: Sequence[Plain], books: Books, memory: Memory) -> tuple[Int64, npt.NDArray[np.int16], Int64]:
    """Amounts and states (d, 96) of each job's days, and where each job's begin."""
    pieces: list[Rows | None] = []
    unknown: list[tuple[int, int, int, int]] = []
    first_rows: list[int] = []
    row = 0
    for each in plain:
        _, _, first_day, end_day, _ = each.job
        for point_id, _, _ in each.plan.terms:
            first_rows.append(row)
            row += end_day - first_day
            known = memory.consumption.get(point_id)
            if known is None or first_day < int(known["day"][0]):
                unknown.append((len(pieces), point_id, first_day, end_day))
                pieces.append(None)
                continue
            start = first_day - int(known["day"][0])
            piece = known[start : start + end_day - first_day]
            if len(piece) < end_day - first_day:
                more = np.zeros(end_day - first_day - len(piece), CONSUMPTION_ROW)
                piece = joined([piece, more], CONSUMPTION_ROW)
            pieces.append(piece)
    if unknown:
        stored = books.consumption(
            *columns_of(sorted({(id_, first, end - 1) for _, id_, first, end in unknown}))
        )
        for place, point_id, first_day, end_day in unknown:
            low, high = np.searchsorted(stored["channel_id"], [point_id, point_id + 1])
            mine = stored[low:high]
            mine = mine[(mine["day"] >= first_day) & (mine["day"] < end_day)]
            piece = np.zeros(end_day - first_day, CONSUMPTION_ROW)
            piece[mine["day"] - first_day] = mine
            pieces[place] = piece
    points = joined([piece for piece in pieces if piece is not None], CONSUMPTION_ROW)
    days = np.array([each.job[3] - each.job[2] for each in plain])
    offsets = np.concatenate([[0], np.cumsum(days)])
    amounts = np.empty((offsets[-1], INTERVALS_PER_DAY), np.int64)
    states = np.empty((offsets[-1], INTERVALS_PER_DAY), np.int16)
    sum_terms(
        np.concatenate([[0], np.cumsum([len(each.plan.terms) for each in plain])]),
        np.array([signed for each in plain for _, signed, _ in each.plan.terms]),
        np.array(first_rows),
        np.array([low for each in plain for low, _ in each.parts]),
        np.array([high for each in plain for _, high in each.parts]),
        days,
        points["amounts"],
        points["states"],
        amounts.reshape(-1),
        states.reshape(-1),
    )
    return amounts, states, offsets


def _rows(taken: Sequence[tuple[Plain, LedgerDays]]) -> tuple[Rows, list[tuple[int, int]]]:
    """The rows as they stand, job by job, factor by factor, day by day, zero but for the day where there is none; and
    of each row the number of its job and the place of its factor.
    """
    pieces: list[Rows] = []
    places: list[tuple[int, int]] = []
    for number, (each, stands) in enumerate(taken):
        _, _, first_day, end_day, _ = each.job
        for index, (series, _, _) in enumerate(each.plan.factors):
            mine = stands.rows[stands.rows["series"] == series]
            if len(mine) < end_day - first_day:
                piece = np.zeros(end_day - first_day, LEDGER_ROW)
                piece["day"] = np.arange(first_day, end_day)
                piece[mine["day"] - first_day] = mine
            else:
                piece = mine
            pieces.append(piece)
            places += [(number, index)] * (end_day - first_day)
    return joined(pieces, LEDGER_ROW), places


def _milligrams(
    taken: Sequence[tuple[Plain, LedgerDays]],
    places: Sequence[tuple[int, int]],
    consumption: Int64,
    states: npt.NDArray[np.int16],
) -> tuple[Int64, npt.NDArray[np.int16]]:
    """Of rows of amounts and states (r, 96): those of one factor together. `states` are written over and given back."""
    alike: dict[tuple[Fraction, bool], list[int]] = defaultdict(list)
    for place, (number, index) in enumerate(places):
        _, factor, rate = taken[number][0].plan.factors[index]
        alike[rate, factor.is_substituted].append(place)
    mg = np.empty(consumption.shape, np.int64)
    within = np.empty(consumption.shape, np.bool_)
    filled = np.zeros(len(places), bool)
    for (rate, is_substituted), rows in alike.items():
        mg[rows], within[rows] = emission(consumption[rows], rate)
        filled[rows] = is_substituted
    states[~within] = (states[~within] & ~3) | IMPLAUSIBLE
    known = states & 3 != Quality.MISSING
    mg[~known] = 0
    if filled.any():
        which = known & filled[:, None]
        states[which] = (states[which] & ~3) | SUBSTITUTED
    return mg, states


def _sum_days(rows: Rows) -> None:
    sums, counts = np.empty(len(rows), np.int64), np.empty((len(rows), 6), np.int64)
    sum_ledger_days(rows["mg"], rows["states"], sums, counts)
    rows["mg_sum"] = sums
    for column, name in enumerate(("known", "measured", "interpolated", "estimated", "substituted", "flags")):
        rows[name] = counts[:, column]


def _keep(
    taken: Sequence[tuple[Plain, LedgerDays]], rows: Rows, exist: npt.NDArray[np.bool_], memory: Memory
) -> None:
    """The rows that there are now, for the next time."""
    place = 0
    for each, _ in taken:
        _, source, first_day, end_day, _ = each.job
        size = (end_day - first_day) * len(each.plan.factors)
        if len(memory.ledger) < LEDGER_ROWS_MAX:
            here = slice(place, place + size)
            memory.ledger[source.id] = LedgerDays(first_day, end_day, rows[here][exist[here]])
        place += size
