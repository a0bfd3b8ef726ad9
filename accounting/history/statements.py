"""Rows of one enterprise and calendar year together: an inventory document, and what accounting finds wrong with it.

There is one engine: what a document comes to, and every fault of it, is said by `accounting.inventory`. Here its faults
are brought back to the cells that they are about.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from accounting.factors.load import FactorLibrary
from accounting.history.cells import Faults
from accounting.history.row import SentRow, registered_edition
from accounting.history.vocabulary import Provenance
from accounting.inventory.answer import answer, tonnes
from accounting.inventory.compute import compute
from accounting.inventory.document import from_values
from domain.errors import Fault, FaultyDocument
from domain.interval import EPOCH_DATE
from domain.registry import Enterprise, dated_value

_ACTIVITY = re.compile(r"activities\[(\d+)\](?:\.(parameters\.)?([^.\[]+))?")


@dataclass(frozen=True, slots=True)
class Statement:
    """An enterprise's year as it was sent. digest: of all that was said, in whatever order and place of a file."""

    enterprise: Enterprise
    year: int
    document: Mapping[str, Any]
    rows: Sequence[SentRow]
    digest: bytes


def statements(
    rows: Iterable[SentRow], enterprises: Mapping[str, Enterprise], faults: Faults
) -> list[Statement]:
    """One a year of an enterprise, in the order in which a file first names them."""
    by_year: defaultdict[tuple[str, int], list[SentRow]] = defaultdict(list)
    for row in rows:
        by_year[row.uscc, row.first_day.year].append(row)
    return [_statement(enterprises[uscc], year, found, faults) for (uscc, year), found in by_year.items()]


def _statement(enterprise: Enterprise, year: int, rows: list[SentRow], faults: Faults) -> Statement:
    first_day = min(row.first_day for row in rows)
    period = first_day, max(row.end_day for row in rows)
    edition = rows[0].edition
    for row in rows:
        if row.edition != edition:
            text = (
                f"edition {row.edition or '(none)'} and {edition or '(none)'} ({rows[0].place}) in one year of an "
                "enterprise: a year is counted by one"
            )
            faults.add(
                row.place.sheet, row.place.row, row.place.columns.get("edition"), text, "edition", row.edition
            )
    day = (first_day - EPOCH_DATE).days
    district = dated_value(enterprise.districts, day)
    known = {
        "edition": edition or registered_edition(enterprise, period),
        "district": None if district is None else district[:6].ljust(6, "0"),
        "grid": dated_value(enterprise.grid, day),
    }
    head = {
        "industry": enterprise.industry,
        "period": {"from": period[0].isoformat(), "to": period[1].isoformat()},
        **{name: value for name, value in known.items() if value is not None},
    }
    document = {**head, "activities": [row.activity for row in rows]}
    return Statement(
        enterprise, year, document, rows, digest(document, [(row.provenance, row.sent) for row in rows])
    )


def digest(document: Mapping[str, Any], rows: Iterable[tuple[str, Mapping[str, str]]]) -> bytes:
    """SHA-256 of a year as it was sent, whatever the order of its rows.

    rows  provenance and cells of each activity of the document, in their order
    """
    head = {name: value for name, value in document.items() if name != "activities"}
    said = sorted(
        json.dumps([provenance, activity, sent], sort_keys=True)
        for activity, (provenance, sent) in zip(document["activities"], rows, strict=True)
    )
    return hashlib.sha256(json.dumps([head, said], sort_keys=True).encode()).digest()


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement comes to: a summary for lists; the inventory's whole answer, JSON text for want of room."""

    summary: Mapping[str, Any]
    text: bytes

    @property
    def answer(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = msgspec.json.decode(self.text)
        return found


def result(document: Mapping[str, Any], provenances: Sequence[str], library: FactorLibrary) -> Result:
    """What a document comes to, with the provenance of each activity; raises FaultyDocument."""
    inventory = compute(from_values(document), library)
    told = answer(inventory)
    by_provenance: dict[str, dict[str, Any]] = {}
    for each in Provenance:
        found = [one for one, of in zip(inventory.activities, provenances, strict=True) if of == each]
        if found:
            total = sum((one.tco2e for one in found if "account" in one.boundaries), Fraction(0))
            by_provenance[each.value] = {"activities": len(found), "account_tco2e": tonnes(total)}
    summary = {
        "industry": told["industry"],
        "edition": told["edition"],
        "period": told["period"],
        "provenance": next(iter(by_provenance)),  # the weakest
        **told["totals"],
        "reported": {name: told["reported"][name] for name in ("account_tco2e", "ets_tco2e")},
        "by_provenance": by_provenance,
        "activities": len(inventory.activities),
        "warnings": len(told["warnings"]),
    }
    return Result(summary, msgspec.json.encode(told))


def computed(statement: Statement, library: FactorLibrary, faults: Faults) -> Result | None:
    """What a statement comes to; None, with faults at its cells, where accounting refuses it."""
    try:
        return result(statement.document, [row.provenance for row in statement.rows], library)
    except FaultyDocument as error:
        told: set[tuple[int, str | None]] = set()
        for fault in error.faults:
            _add(fault, statement, faults, told)
        return None


def _add(fault: Fault, statement: Statement, faults: Faults, told: set[tuple[int, str | None]]) -> None:
    """Note a fault at its cell; of several of one cell the first, which the others mostly follow from."""
    match = _ACTIVITY.match(fault.place)
    if match is None:
        row, code = statement.rows[0], fault.place or None
        what = f"{statement.enterprise.uscc} {statement.year}: {fault.message}"
    else:
        row = statement.rows[int(match[1])]
        code = match[3]
        if match[2] is not None:
            code = _column_of(row, match[3])
        what = fault.message
        if code is not None and match[3] not in what.split():
            what = f"{match[3]} {what}" if what.startswith("is ") else f"{match[3]}: {what}"
    if (id(row), code) in told:
        return
    told.add((id(row), code))
    column = None if code is None else row.place.columns.get(code)
    faults.add(
        row.place.sheet, row.place.row, column, what, code, None if code is None else row.sent.get(code)
    )


def _column_of(row: SentRow, parameter: str) -> str:
    """The column that a row gives a parameter in; else the first that could have it; else its name."""
    columns = [each for each in row.place.columns if each.split(" [")[0] == parameter]
    return next((each for each in columns if each in row.sent), columns[0] if columns else parameter)
