"""Shadow grades: records of past months graded again by another scheme, from their own snapshots, and kept nowhere."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from accounting.grades.benchmarks import benchmark_table
from accounting.grades.grade import grade_many
from accounting.grades.inputs import month_text
from accounting.grades.record import score_text
from accounting.grades.restored import restored
from accounting.grades.scheme import Scheme
from accounting.grades.scheme_read import read_scheme
from api.context import Session
from api.grading import PUBLISHED, scheme_in_force, schemes_of
from domain.errors import Fault, FaultyDocument, Refused
from storage import grades


def scheme_for(session: Session, name: str | None, changes: Mapping[str, Any], month: int) -> Scheme:
    """A scheme by `ID VERSION` (None: the one in force), with changes by path, such as `labels.0.1` or
    `dimensions.D2.points.2.1`. Refused, or FaultyDocument with every fault.
    """
    if name is None:
        scheme = scheme_in_force(session.conn, month)
    else:
        known = schemes_of(session.conn)
        found = known.get(name)
        if not isinstance(found, Scheme):
            raise Refused(f"no scheme {name!r} that grades is known; known: {', '.join(known)}")
        scheme = found
    if not changes:
        return scheme
    document = copy.deepcopy(dict(scheme.document))
    faults = [fault for path, value in changes.items() if (fault := _change(document, path, value))]
    if faults:
        raise FaultyDocument(faults)
    changed = read_scheme(document)
    assert isinstance(changed, Scheme)
    return changed


def _change(document: Any, path: str, value: Any) -> Fault | None:
    *parents, last = path.split(".")
    try:
        for name in parents:
            document = document[int(name) if isinstance(document, list) else name]
        place = int(last) if isinstance(document, list) else last
        document[place]
    except (KeyError, IndexError, ValueError, TypeError):
        return Fault(path, "isn't in the scheme")
    document[place] = value
    return None


def shadow(session: Session, scheme: Scheme, kind: str, first: int, last: int) -> dict[str, Any]:
    """Who would have another label than was recorded, month by month; of those alone that this key may read."""
    by_month: dict[int, list[grades.Record]] = defaultdict(list)
    with session.everything():
        for record in grades.records(session.conn, kinds=[kind], first=first, last=last, superseded=False):
            by_month[record.month].append(record)
    items: list[dict[str, Any]] = []
    graded = up = down = 0
    for month in sorted(by_month):
        records = by_month[month]
        inputs = [restored(msgspec.json.decode(record.snapshot), benchmark_table()) for record in records]
        for record, found in zip(
            records, grade_many(inputs, scheme, is_published=kind == PUBLISHED), strict=True
        ):
            graded += 1
            if found.label == record.label:
                continue
            rank, was = scheme.rank_of(found.label), scheme.rank_of(record.label)
            up, down = up + (rank < was), down + (rank > was)
            uscc = found.inputs.uscc
            if session.may_read(uscc):
                items.append(
                    {
                        "uscc": uscc,
                        "month": month_text(month),
                        "label": record.label,
                        "shadow_label": found.label,
                        "score": msgspec.json.decode(record.document)["score"],
                        "shadow_score": score_text(found.score),
                    }
                )
    session.shown([item["uscc"] for item in items])
    return {
        "scheme": {"id": scheme.id, "version": scheme.version, "hash": scheme.hash},
        "graded": graded,
        "moved": up + down,
        "up": up,
        "down": down,
        "items": items,
        "next": None,
    }
