"""Consents as they are granted and told of, for routes and the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from domain.access import CONSENTED, Consent, Part
from domain.errors import Fault, FaultyDocument
from domain.identity import is_identifier
from domain.interval import Calendar, from_us, to_us
from domain.registry import Enterprise
from storage import consents
from storage.database import Connection

TEXT_MAX = 500
DIGEST_BYTES = {"sha-256": 32, "sm3": 32}


@dataclass(frozen=True, slots=True)
class Grant:
    """What is wished. `periods` are dates [from, to), `legal_text_hash` hexadecimal."""

    consumer: str
    purpose: str
    fields: Sequence[str]
    periods: Sequence[tuple[date, date]]
    granted_by: str
    legal_text_hash: str
    legal_text_alg: str = "sha-256"
    valid_from_us: int | None = None
    valid_to_us: int | None = None


def grant(
    conn: Connection, enterprise: Enterprise, wished: Grant, by: str, now_us: int, calendar: Calendar
) -> Consent:
    """Record a consent; FaultyDocument with all that is wrong with it."""
    faults = _faults(wished, now_us)
    if faults:
        raise FaultyDocument(faults)
    return consents.grant(
        conn,
        enterprise.id,
        wished.consumer,
        wished.purpose.strip(),
        {Part(field) for field in wished.fields},
        [(calendar.day_of(first), calendar.day_of(end)) for first, end in wished.periods],
        granted_by=wished.granted_by.strip(),
        legal_text=(wished.legal_text_alg, bytes.fromhex(wished.legal_text_hash)),
        recorded_by=by,
        valid_from=None if wished.valid_from_us is None else from_us(wished.valid_from_us),
        valid_to=None if wished.valid_to_us is None else from_us(wished.valid_to_us),
    )


def _faults(wished: Grant, now_us: int) -> list[Fault]:
    faults = []
    if not is_identifier(wished.consumer):
        faults.append(Fault("consumer", "must be 1 to 64 of letters, digits, '.', '_', '-'"))
    for name, text in (("purpose", wished.purpose), ("granted_by", wished.granted_by)):
        if not text.strip() or len(text) > TEXT_MAX or "\0" in text:
            faults.append(Fault(name, f"must be a text of at most {TEXT_MAX} characters"))
    if not wished.fields:
        faults.append(Fault("fields", f"at least one of {', '.join(sorted(CONSENTED))}"))
    faults += [
        Fault(f"fields[{place}]", f"{field[:40]!r} is none of {', '.join(sorted(CONSENTED))}")
        for place, field in enumerate(wished.fields)
        if field not in CONSENTED
    ]
    faults += [
        Fault(f"periods[{place}]", f"must end ({end}) after it begins ({first})")
        for place, (first, end) in enumerate(wished.periods)
        if first >= end
    ]
    size = DIGEST_BYTES.get(wished.legal_text_alg)
    if size is None:
        faults.append(Fault("legal_text_alg", f"is none of {', '.join(DIGEST_BYTES)}"))
    elif not re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", wished.legal_text_hash):
        faults.append(Fault("legal_text_hash", f"must be {2 * size} hexadecimal digits"))
    begins_us = now_us if wished.valid_from_us is None else wished.valid_from_us
    if wished.valid_to_us is not None and wished.valid_to_us <= begins_us:
        faults.append(Fault("valid_to", "must lie after the beginning of its validity"))
    return faults


def described(each: Consent, calendar: Calendar) -> dict[str, Any]:
    """A consent as it is told of (api.access_schemas.ConsentItem)."""

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else calendar.text(to_us(moment))

    return {
        "id": each.id,
        "uscc": each.uscc,
        "consumer": each.consumer,
        "purpose": each.purpose,
        "fields": sorted(each.fields),
        "periods": [
            {"from": calendar.date(first).isoformat(), "to": calendar.date(end).isoformat()}
            for first, end in each.periods
        ],
        "granted_by": each.granted_by,
        "legal_text_alg": each.legal_text_alg,
        "legal_text_hash": each.legal_text_hash.hex(),
        "recorded_at": text(each.recorded_at),
        "recorded_by": each.recorded_by,
        "valid_from": text(each.valid_from),
        "valid_to": text(each.valid_to),
        "revoked_at": text(each.revoked_at),
        "revoked_by": each.revoked_by,
        "revoked_why": each.revoked_why,
        "state": each.state,
    }
