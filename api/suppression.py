"""What a sum over several accounts would tell of one of them is kept back: suppression of cells.

A cell is given out where at least three members have something in it and none has more than four fifths of it. Whoever
may read every member one by one sees every cell. What can't be told from one answer alone isn't kept back: differences
of sums over nearly the same members, or nearly the same time, are for contracts and the log of requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from api.context import Session
from api.ledger import Question, sums
from api.periods import Range
from api.sight import reads_all
from domain.reading import Quality
from storage.emissions import By

MEMBERS_MIN = 3
SHARE_MAX = Fraction(4, 5)
FLAG = "suppressed"


def is_suppressed(amounts: Iterable[Fraction | int]) -> bool:
    """Whether a sum of what each member has in a cell would tell too much of one of them.

    amounts  one a member that has anything in it; negative ones count by their magnitude

    >>> is_suppressed([1, 1]), is_suppressed([8, 1, 1]), is_suppressed([9, 1, 1]), is_suppressed([0, 0, 0])
    (True, False, True, False)
    """
    each = [abs(Fraction(amount)) for amount in amounts]
    return len(each) < MEMBERS_MIN or max(each) > SHARE_MAX * sum(each)


def is_masked(session: Session, enterprise_ids: Collection[int]) -> bool:
    """Whether sums over these are to be looked at cell by cell: the key may not read every one of them."""
    return not reads_all(session.sight, enterprise_ids)


def hidden_periods(
    session: Session, question: Question, periods: Sequence[Range], *, single: bool
) -> set[int]:
    """The numbers of the periods of which nothing is given out.

    question  what is answered: by total, or by scope
    single    as `api.ledger.sums` takes it

    Where sums are kept apart by scope, a scope that is kept back takes the others of its period with it: else it
    would be what is missing to the total.
    """
    known = session.known
    scopes = {
        each.source_id: each.traits.scope
        for enterprise in session.registry.enterprises.values()
        for each in known.expected(enterprise)
        if question.wanted.by is By.SCOPE
    }
    owners = {
        source.id: enterprise.id
        for enterprise in session.registry.enterprises.values()
        for source in enterprise.sources.values()
    }
    by_source = replace(question, wanted=question.wanted._replace(by=By.SOURCE))
    amounts: dict[int, dict[int, dict[int, int]]] = {number: {} for number in range(len(periods))}
    for (source_id, number), cell in sums(session, by_source, periods, single=single).items():
        its = amounts[number].setdefault(scopes.get(source_id, 0), {})
        owner = owners[source_id]
        its[owner] = its.get(owner, 0) + cell.amount
    return {
        number
        for number, by_part in amounts.items()
        if not by_part or any(is_suppressed(by_member.values()) for by_member in by_part.values())
    }


def suppressed_fields() -> dict[str, Any]:
    """What stands in an item in place of its amounts."""
    return {
        "co2e_kg": None,
        "quality": Quality.MISSING.name.lower(),
        "flags": [FLAG],
        "coverage": None,
        "factor_set": None,
    }
