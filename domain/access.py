"""Who may see what, in nouns: roles, tenants, the parts of an enterprise's account, consents. Pure.

A key (or OAuth client) without a role reads everything that its scopes allow. One with a role reads what the role's
tenant names: enterprises by USCC, members of parks, consents given to a bank, the enterprises of a district.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Fault
from domain.identity import is_identifier, uscc_fault

_DISTRICT = re.compile(r"\d{2,12}\Z", re.ASCII)


class Role(StrEnum):
    """What somebody is to the accounts."""

    ENTERPRISE = "enterprise"  # its own accounts, by USCC
    PARK = "park"  # those of its members, by the park's code
    BANK = "bank"  # what enterprises have consented to; guarantors and funds too
    REGULATOR = "regulator"  # every enterprise of its district, by law
    PLATFORM = "platform"  # what is public
    AUDITOR = "auditor"  # everything, and who read it; changes nothing
    ADMIN = "admin"  # everything


# Roles whose tenant is named, and by what; the others have none.
TENANTED = {
    Role.ENTERPRISE: "enterprise",
    Role.PARK: "park",
    Role.BANK: "bank",
    Role.REGULATOR: "district",
}


class Part(StrEnum):
    """A part of an enterprise's account, as routes serve it, consents name it and the log of reads keeps it."""

    IDENTITY = "identity"  # names, industry, district, park, flags
    REGISTRY = "registry"  # gateways, meters, sources, products, and their changes
    READINGS = "readings"
    CONSUMPTION = "consumption"
    EMISSIONS = "emissions"  # by period, windows
    INTENSITY = "intensity"
    DERIVATION = "derivation"  # how a figure came to be, with what was restated
    REPORTS = "reports"
    HISTORY = "history"  # years by rows of a file
    FINDINGS = "findings"
    GRADES = "grades"
    CLOSES = "closes"
    QUOTA = "quota"
    EVIDENCE = "evidence"
    GATEWAYS = "gateways"  # their accounts, what was held or rejected
    CONSENTS = "consents"
    READ_LOG = "read_log"


# What an enterprise can consent to; its identity goes with any consent.
CONSENTED = frozenset(Part) - {Part.GATEWAYS, Part.CONSENTS, Part.READ_LOG}


def tenant_faults(role: Role | None, tenant: Sequence[str]) -> list[Fault]:
    """What is wrong with the tenant of a role."""
    name = None if role is None else TENANTED.get(role)
    if name is None:
        if not tenant:
            return []
        whose = "a key without a role" if role is None else f"the role {role}"
        return [Fault("tenant", f"{whose} has none; it is given {', '.join(tenant)!r}")]
    if not tenant:
        return [Fault(name, f"the role {role} needs at least one --{name}")]
    if role is Role.BANK and len(tenant) > 1:
        return [Fault(name, "a bank has one code")]
    faults = []
    for each in tenant:
        fault = None
        if role is Role.ENTERPRISE:
            fault = uscc_fault(each)
        elif role is Role.REGULATOR:
            fault = None if _DISTRICT.match(each) else f"{each!r} is no 行政区划代码: 2 to 12 digits"
        elif not is_identifier(each):
            fault = f"{each!r} must be 1 to 64 of letters, digits, '.', '_', '-'"
        if fault is not None:
            faults.append(Fault(name, fault))
    return faults


@dataclass(frozen=True, slots=True)
class Consent:
    """An enterprise's word that a consumer may read parts of its account, for a purpose.

    periods          local days [first, end) that may be read of; none: all
    legal_text_hash  of the text that was agreed to, by `legal_text_alg`
    seen_at          when it was read, by the clock that its other times are by: the database's
    """

    id: int
    uscc: str
    consumer: str
    purpose: str
    fields: frozenset[Part]
    periods: tuple[tuple[int, int], ...]
    granted_by: str
    legal_text_alg: str
    legal_text_hash: bytes
    recorded_at: datetime
    recorded_by: str
    valid_from: datetime
    valid_to: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_why: str | None
    seen_at: datetime

    @property
    def state(self) -> str:
        """How it stands when it was read. Its end isn't in it any more; revoking ends it at once."""
        if self.revoked_at is not None:
            return "revoked"
        if self.seen_at < self.valid_from:
            return "not yet"
        return "ended" if self.valid_to is not None and self.seen_at >= self.valid_to else "valid"

    def covers(self, part: Part, days: tuple[int, int] | None) -> bool:
        """Whether it is for a part of the account and all of the local days [first, end).

        days  None: the part isn't of any period (an identity), or its period isn't known: then only a consent
              without periods will do
        """
        if part is Part.IDENTITY:
            return True
        if part not in self.fields:
            return False
        # What is registered is of no period.
        return not self.periods or part is Part.REGISTRY or (days is not None and within(days, self.periods))


def within(days: tuple[int, int], periods: Iterable[tuple[int, int]]) -> bool:
    """Whether every day of [first, end) lies in one of the periods.

    >>> within((10, 30), [(20, 40), (0, 20)]), within((10, 30), [(0, 20), (21, 40)])
    (True, False)
    """
    first, end = days
    for low, high in sorted(periods):
        if low <= first < high:
            first = high
    return first >= end
