"""Purchased electricity of a year, location- and market-based, with the certificates that count for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from accounting.factors.value import Value
from accounting.market import market_based, purchased, residual_factor
from accounting.report.reporter import version_of, year_days
from api.context import Session
from api.errors import Problem
from api.measured import fraction_text
from api.quota_schemas import CertificateEntry
from domain.errors import FactorNotFound, Fault
from domain.interval import from_us, to_us
from domain.reading import decimal_text
from domain.registry import Enterprise
from storage import quotas, reports
from storage.database import Connection
from storage.quotas import Certificate, NewCertificate

PURCHASED = "purchased_electricity"


def certificate_json(each: Certificate, session: Session, uscc: str) -> dict[str, Any]:
    return {
        "number": each.number,
        "uscc": uscc,
        "year": each.year,
        "mwh": format(each.mwh, "f"),
        "retired_on": each.retired_on.isoformat(),
        "evidence": each.evidence,
        "at": session.text(to_us(each.at)),
        "by": each.by_whom,
        "voided_at": None if each.voided_at is None else session.text(to_us(each.voided_at)),
        "voided_by": each.voided_by,
        "void_why": each.void_why,
    }


def take_certificates(
    conn: Connection, enterprise: Enterprise, entries: Sequence[CertificateEntry], by: str
) -> dict[str, int]:
    """Enter certificates, all or none; the same again is known. Problem 422 with every one that can't count."""
    with conn.transaction():
        new = [
            NewCertificate(
                each.number, enterprise.id, each.year, Decimal(each.mwh), each.retired_on, each.evidence
            )
            for each in entries
        ]
        known = quotas.counted(conn, [each.number for each in new])
        faults, fresh, seen = [], [], set()
        for index, each in enumerate(new):
            place = f"body.certificates[{index}]"
            before = known.get(each.number)
            if each.number in seen:
                faults.append(Fault(place, f"certificate {each.number} stands twice"))
            elif before is not None and before.enterprise_id != enterprise.id:
                faults.append(
                    Fault(place, f"certificate {each.number} counts for another enterprise already")
                )
            elif before is not None and tuple(before[2:7]) != tuple(each[1:]):
                faults.append(
                    Fault(
                        place,
                        f"certificate {each.number} is entered already with other values: void that first",
                    )
                )
            elif before is None:
                fresh.append(each)
            seen.add(each.number)
        if faults:
            raise Problem(422, faults)
        added = quotas.add_certificates(conn, fresh, by)
        if added != len(fresh):
            raise Problem(
                409, "one of these certificates was entered for another enterprise at the same moment"
            )
    return {"new": added, "known": len(new) - added}


def electricity_of(
    session: Session, enterprise: Enterprise, year: int, as_of_us: int | None
) -> dict[str, Any]:
    """api.quota_schemas.Electricity"""
    first, end = year_days(year, session.calendar)
    run = reports.last_run(session.conn, enterprise.id, as_of_us)
    entries = reports.entry_sums(session.conn, enterprise.id, first, end, 0 if run is None else run.id)
    bought = [
        each
        for each in entries
        if not each.repeats
        and "account" in each.boundaries
        and version_of(session.known.sources[each.source_id], each.first_day).method == PURCHASED
    ]
    at = None if as_of_us is None else from_us(as_of_us)
    certified = sum(
        (
            Fraction(each.mwh)
            for each in quotas.certificates(session.conn, enterprise.id, year, as_of=at)
            if each.voided_at is None or (at is not None and each.voided_at > at)
        ),
        Fraction(0),
    )
    told: dict[str, Any] = {
        "uscc": enterprise.uscc,
        "year": year,
        "purchased_mwh": None,
        "certified_mwh": fraction_text(certified),
        "idle_mwh": None,
        "location_tco2e": None,
        "market_tco2e": None,
        "market_factor": None,
    }
    if not bought:
        return told
    mwh = purchased((each.unit, each.consumption * Fraction(10) ** each.exponent) for each in bought)
    told["purchased_mwh"] = fraction_text(mwh)
    told["location_tco2e"] = decimal_text(sum(each.mg for each in bought), -9)
    try:
        factor = residual_factor(session.context.library.tables, year)
    except FactorNotFound:
        return told
    found = market_based(mwh, certified, factor)
    told["idle_mwh"] = fraction_text(found.idle_mwh)
    told["market_tco2e"] = fraction_text(found.tco2)
    told["market_factor"] = _factor_json(factor)
    return told


def _factor_json(factor: Value) -> dict[str, Any]:
    return {
        "value": factor.text,
        "unit": factor.unit,
        "area": factor.area,
        "year": factor.year,
        "origin": factor.origin,
        "provisional": factor.provisional,
        "reference": factor.reference,
        "confidence": factor.confidence,
    }
