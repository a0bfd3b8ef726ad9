"""One piece of validation: the days that are due of one enterprise, judged and brought to its findings.

Everything that isn't asked of `ValidationBooks` is pure. The caller commits; what isn't reached stays due.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from accounting.entries import dense_days
from accounting.validation.books import Rows, ValidationBooks
from accounting.validation.judge import BY_DAY, BY_PERIOD, findings_of_days, findings_of_periods
from accounting.validation.rules import Rules
from accounting.validation.view import DAYS_AROUND, DAYS_BEFORE, Account, View
from domain.finding import join, turn
from domain.interval import INTERVALS_PER_DAY, Calendar
from domain.reading import Flag, Quality
from domain.registry import Enterprise, Registry
from domain.validation import CheckRule

DAYS_MAX = 31  # judged in one piece: bounds its memory, and how long accounting waits for it

_SUBSTITUTED = int(Flag.SUBSTITUTED) << 2


class Judged(NamedTuple):
    """Days [first_day, end_day) of an enterprise that were due, and are no longer."""

    enterprise_id: int
    first_day: int
    end_day: int


Subject = tuple[CheckRule, str]
Waiting = dict[int, set[Subject]]


def step(
    books: ValidationBooks,
    registry: Registry,
    rules: Rules,
    calendar: Calendar,
    closed_day: int,
    waiting: Waiting,
) -> Judged | None:
    """Judge what is due of one enterprise before `closed_day`, up to so many days; None: nothing is due.

    The registry is the one that the books stand on. What a change of it, or of the rules, bears on becomes due first.
    Its findings are brought to what its days say once all of these are judged: between two pieces a long finding
    would seem to end at the cut.

    waiting  by enterprise: the rules and subjects whose findings aren't brought yet; an enterprise that isn't in it
             has all of them brought. Empty at a process's start, and after a step that wasn't committed.
    """
    _note_changes(books, registry, rules)
    due = list(books.due(closed_day))
    if not due:
        return None
    by_id = {enterprise.id: enterprise for enterprise in registry.enterprises.values()}
    enterprise = by_id.get(due[0].enterprise_id)
    first = min(each.first_day for each in due)
    due = [each for each in due if each.first_day < first + DAYS_MAX]
    end = min(max(each.end_day for each in due), first + DAYS_MAX, closed_day)
    touched: set[Subject] = set()
    if enterprise is not None:
        touched = _judge(books, enterprise, rules, calendar, first, end, closed_day)
    books.done(due, end)
    judged = Judged(due[0].enterprise_id, first, end)
    if judged.enterprise_id in waiting:
        touched = waiting[judged.enterprise_id] | touched
    if books.is_due(judged.enterprise_id, closed_day):
        if judged.enterprise_id in waiting:
            waiting[judged.enterprise_id] = touched
        return judged
    if judged.enterprise_id not in waiting:
        touched |= books.subjects(judged.enterprise_id)
    for rule, subject in sorted(touched):
        bring(books, judged.enterprise_id, rules, rule, subject)
    waiting[judged.enterprise_id] = set()
    return judged


def _note_changes(books: ValidationBooks, registry: Registry, rules: Rules) -> None:
    """Let everything be judged again that a changed registry bears on, or all of it by other rules."""
    state = books.state()
    if state == (registry.version, rules.hash):
        return
    if state is None or state[1] != rules.hash:
        usccs = set(registry.enterprises)
    else:
        usccs = books.changed_since(state[0]) & registry.enterprises.keys()
    books.mark_whole([registry.enterprises[uscc].id for uscc in sorted(usccs)])
    books.put_state(registry.version, rules.hash)


def _judge(
    books: ValidationBooks,
    enterprise: Enterprise,
    rules: Rules,
    calendar: Calendar,
    first: int,
    end: int,
    closed_day: int,
) -> set[Subject]:
    """Judge the days that what lies in [first, end) bears on; the rules and subjects that show something else now."""
    begins, ends = first - DAYS_AROUND, min(end + DAYS_BEFORE, closed_day)
    seen = view_of(
        books, enterprise, calendar, begins - DAYS_BEFORE, min(ends + DAYS_AROUND, closed_day), readings=True
    )
    found = findings_of_days(seen, range(begins, ends), rules)
    touched = books.replace_days(enterprise.id, list(BY_DAY), begins, ends, found)
    if enterprise_bands(enterprise):
        begins, ends = calendar.month_start(first), calendar.month_start(end - 1, 1)
        closed = min(ends, closed_day)
        seen = view_of(books, enterprise, calendar, begins, closed)
        found = findings_of_periods(seen, range(begins, closed), rules)
        touched |= books.replace_days(enterprise.id, list(BY_PERIOD), begins, ends, found)
    else:
        touched |= books.replace_days(enterprise.id, list(BY_PERIOD), begins, ends, [])
    return touched


def enterprise_bands(enterprise: Enterprise) -> bool:
    """Whether any product has a band."""
    return any(
        dated.value.band is not None for product in enterprise.products.values() for dated in product.versions
    )


def bring(books: ValidationBooks, enterprise_id: int, rules: Rules, rule: CheckRule, subject: str) -> None:
    """Bring the findings of a rule and subject to what its days say."""
    severity = rules[rule].severity
    found = {each.first_day: each for each in join(books.days(enterprise_id, rule, subject))}
    for known in books.known(enterprise_id, rule, subject):
        now = found.pop(known.joined.first_day, None)
        turned = turn(known, now)
        if turned.why is not None or (now is not None) != known.holds or now not in (None, known.joined):
            books.change(known, severity, now, turned)
    for each in found.values():
        books.add(enterprise_id, rule, subject, severity, each, turn(None, each))


def view_of(
    books: ValidationBooks,
    enterprise: Enterprise,
    calendar: Calendar,
    first_day: int,
    end_day: int,
    *,
    readings: bool = False,
) -> View:
    """The days [first_day, end_day) of an enterprise as the books have them."""
    ids = sorted(point.id for point in enterprise.points.values())
    consumption = books.consumption(ids, first_day, end_day)
    order = np.lexsort((consumption["day"], consumption["channel_id"]))
    consumption = consumption[order]
    rows = {}
    for id_ in ids:
        low, high = np.searchsorted(consumption["channel_id"], [id_, id_ + 1])
        rows[id_] = dense_days(consumption[low:high], first_day, end_day)
    return View(
        enterprise,
        calendar,
        first_day,
        end_day,
        rows,
        _accounts(books, books.entries(enterprise.id, first_day, end_day), first_day, end_day),
        books.reading_counts(ids, first_day, end_day) if readings else {},
    )


def _accounts(books: ValidationBooks, entries: Rows, first_day: int, end_day: int) -> dict[int, Account]:
    factors = {
        id_: abs(Fraction(int(each.numerator), int(each.denominator)))
        for id_, each in books.used_factors(sorted(set(entries["factor_id"].tolist()) - {0})).items()
    }
    shape = (end_day - first_day, INTERVALS_PER_DAY)
    result = {}
    for id_ in sorted(set(entries["key"].tolist())):
        mg, sizes = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        known, substituted = np.zeros(shape, bool), np.zeros(shape, bool)
        of_days: dict[int, Fraction] = {}
        for row in entries[entries["key"] == id_]:  # one a day and gas
            place = int(row["day"]) - first_day
            is_known = (row["states"] & 3) != Quality.MISSING
            amounts = np.where(is_known, row["mg"], 0)
            mg[place] += amounts
            sizes[place] += np.abs(amounts)
            known[place] |= is_known
            substituted[place] |= is_known & ((row["states"] & _SUBSTITUTED) != 0)
            day = int(row["day"])
            of_days[day] = of_days.get(day, Fraction(0)) + factors.get(int(row["factor_id"]), Fraction(0))
        result[id_] = Account(mg.ravel(), sizes.ravel(), known.ravel(), substituted.ravel(), of_days)
    return result
