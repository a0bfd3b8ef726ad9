"""Views written by hand for the tests of rules, and a bed that validates real books."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np

from accounting.validation.judge import BY_DAY, BY_PERIOD
from accounting.validation.rules import load
from accounting.validation.view import Account, View
from domain.document import read_document
from domain.document_plan import plan
from domain.finding import Finding, FindingDay
from domain.interval import DAY_US, INTERVALS_PER_DAY, Calendar
from domain.ledger import CONSUMPTION_ROW
from domain.reading import Flag, Quality, pack
from domain.registry import Enterprise
from domain.registry_items import Ids, enterprise
from domain.validation import CheckRule
from storage import findings
from tests.accounting.bed import USCC, Bed

RULES = load()
CALENDAR = Calendar()
DAY0 = CALENDAR.day_of(date(2024, 3, 1))
MEASURED = int(Quality.MEASURED)
MISSING = int(Quality.MISSING)

Profile = int | Sequence[int] | Callable[[int], int]


def model(document: Mapping[str, Any]) -> Enterprise:
    """The model of the one enterprise of a document."""
    planned = plan(read_document({"enterprises": [document]}, CALENDAR), {})
    items = [(change.item, change.after) for change in planned.changes]
    points = sorted({item.key[:2] for item, _ in items if item.kind in ("channel", "derived")})
    sources = sorted({item.key[0] for item, _ in items if item.kind == "source"})
    ids = Ids(
        1,
        {(key[0], key[1]): number for number, key in enumerate(points, 1)},
        {code: number for number, code in enumerate(sources, 1)},
    )
    return enterprise(USCC, items, ids)


class Days:
    """A view under construction: whole days of amounts and states, zero days and nothing known at first."""

    def __init__(self, document: Mapping[str, Any], days: int, first_day: int = DAY0) -> None:
        self.enterprise = model(document)
        self.first, self.days = first_day, days
        self.rows = {point.id: np.zeros(days, CONSUMPTION_ROW) for point in self.enterprise.points.values()}
        for rows in self.rows.values():
            rows["day"] = np.arange(first_day, first_day + days)
        self.accounts: dict[int, Account] = {}
        self.readings: dict[int, dict[int, int]] = {}

    def put(
        self,
        name: str,
        amount: Profile,
        days: range | int | None = None,
        intervals: range = range(INTERVALS_PER_DAY),
        quality: Quality = Quality.MEASURED,
        flags: Flag = Flag(0),  # noqa: B008
    ) -> Days:
        """Amounts of a point (in its ledger unit) on days counted from the first; a function of interval numbers."""
        point = self.enterprise.points[name]
        chosen = (
            range(self.days) if days is None else range(days, days + 1) if isinstance(days, int) else days
        )
        for day in chosen:
            for index in intervals:
                number = day * INTERVALS_PER_DAY + index
                value = (
                    amount(number)
                    if callable(amount)
                    else amount
                    if isinstance(amount, int)
                    else amount[index]
                )
                self.rows[point.id]["amounts"][day, index] = value
                self.rows[point.id]["states"][day, index] = pack(quality, flags)
            self.readings.setdefault(point.id, {})[self.first + day] = INTERVALS_PER_DAY
        return self

    def account(self, source: str, point: str, mg_per_amount: int, sign: int = 1) -> Days:
        """Entries of a source: those of one point's amounts times a factor, by its ledger unit."""
        its = self.enterprise.points[point]
        amounts = self.rows[its.id]["amounts"].ravel().copy()
        states = self.rows[its.id]["states"].ravel()
        mg = amounts * mg_per_amount * sign
        factor = Fraction(mg_per_amount) / Fraction(10) ** its.exponent
        self.accounts[self.enterprise.sources[source].id] = Account(
            mg,
            np.abs(mg),
            (states & 3) != MISSING,
            (states & (int(Flag.SUBSTITUTED) << 2)) != 0,
            {self.first + day: factor for day in range(self.days)},
        )
        return self

    def view(self) -> View:
        return View(
            self.enterprise,
            CALENDAR,
            self.first,
            self.first + self.days,
            self.rows,
            self.accounts,
            self.readings,
        )

    def judge(self, rule: CheckRule, days: range | None = None) -> list[FindingDay]:
        """What a rule finds on days counted from the first; all of them by default."""
        chosen = range(self.days) if days is None else days
        judges = {**BY_DAY, **BY_PERIOD}
        within = range(self.first + chosen.start, self.first + chosen.stop)
        return list(judges[rule](self.view(), within, RULES[rule]))


def validate(bed: Bed, closed_day: int) -> None:
    """Judge all that is due before a day."""
    bed.tick()
    assert bed.accountant is not None
    now_us = CALENDAR.day_start(closed_day) + DAY_US // 2
    while bed.accountant.validate(now_us):
        pass


def found(bed: Bed) -> list[Finding]:
    rows = findings.of_enterprise(bed.conn, USCC, 0, 1 << 62)
    bed.conn.commit()
    return rows


def holding(bed: Bed) -> set[tuple[Any, ...]]:
    """What the rules find now, without what tells of people and of when it was found."""
    rows = bed.conn.execute(
        """SELECT rule, subject, first_day, end_day, severity, channels, from_us, to_us, days, mg, evidence::text
           FROM findings WHERE holds"""
    ).fetchall()
    bed.conn.commit()
    return {tuple(tuple(each) if isinstance(each, list) else each for each in row) for row in rows}
