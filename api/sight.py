"""Which enterprises a key may read, and by what right: its role's tenant under the registry of today. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from api.asked import Asked
from api.parameters import time_of
from api.periods import windows
from api.rows import Period
from domain.access import Consent, Part, Role
from domain.identity import district_prefix
from domain.interval import Calendar, floor_interval
from domain.registry import Enterprise, Registry, dated_value
from storage.keys import Key
from storage.sessions import Tenant


@dataclass(frozen=True, slots=True)
class Sight:
    """What a key may read of.

    enterprise_ids  None: of everybody
    basis           by what right; of a bank each consent is one
    consents        of a bank: those that are valid now, by USCC
    consumer        the bank's code
    public_only     it reads what is public of everybody, and nobody's account
    """

    enterprise_ids: frozenset[int] | None
    basis: str
    consents: dict[str, tuple[Consent, ...]] | None = None
    consumer: str = ""
    public_only: bool = False

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.enterprise_ids, self.consumer)

    def sees(self, enterprise: Enterprise, part: Part | None) -> bool:
        """Whether it is of those that may be read at all; which parts and days of it is another question."""
        if self.public_only:
            return part is Part.IDENTITY
        return self.enterprise_ids is None or enterprise.id in self.enterprise_ids

    def basis_for(self, uscc: str, part: Part | None, days: tuple[int, int] | None) -> str | None:
        """By what right a part of an account is read, of local days [first, end); None: by none."""
        if self.consents is None:
            return self.basis
        if part is Part.CONSENTS:
            return "party to the consent"
        for each in self.consents.get(uscc, ()):
            if part is None or each.covers(part, days):
                return f"consent {each.id} ({each.purpose})"
        return None


EVERYTHING = Sight(None, "operation")


def sight_of(key: Key | None, registry: Registry, today: int) -> Sight:
    """What a key may read under a registry; of a bank `sight_of_bank` says it."""
    if key is None or key.role is None or key.role is Role.ADMIN:
        return EVERYTHING
    if key.role is Role.AUDITOR:
        return Sight(None, key.basis or "audit")
    if key.role is Role.PLATFORM:
        return Sight(frozenset(), key.basis or "public", public_only=True)
    enterprises = registry.enterprises.values()
    if key.role is Role.ENTERPRISE:
        found = frozenset(registry.enterprises[uscc].id for uscc in key.tenant & registry.enterprises.keys())
        return Sight(found, "own")
    if key.role is Role.PARK:
        found = frozenset(
            each.id for each in enterprises if (dated_value(each.parks, today) or "") in key.tenant
        )
        return Sight(found, key.basis or "member of the park")
    assert key.role is Role.REGULATOR, f"the sight of a {key.role} isn't of the registry alone"
    prefixes = tuple(district_prefix(code) for code in key.tenant)
    found = frozenset(
        each.id for each in enterprises if (dated_value(each.districts, today) or "").startswith(prefixes)
    )
    return Sight(found, key.basis or "law: regulator of the district")


def sight_of_bank(consumer: str, consents: Sequence[Consent], registry: Registry) -> Sight:
    """What a bank may read: of those who have consented, by consents that are valid now."""
    by_uscc: dict[str, tuple[Consent, ...]] = {}
    for each in consents:
        if each.state == "valid" and each.uscc in registry.enterprises:
            by_uscc[each.uscc] = (*by_uscc.get(each.uscc, ()), each)
    ids = frozenset(registry.enterprises[uscc].id for uscc in by_uscc)
    return Sight(ids, "consent", by_uscc, consumer)


def reads_all(sight: Sight, enterprise_ids: Collection[int]) -> bool:
    """Whether all of these may be read one by one: then nothing of their sums is kept from the key."""
    if sight.enterprise_ids is None:
        return True
    return sight.consents is None and sight.enterprise_ids.issuperset(enterprise_ids)


def period_of(asked: Asked, calendar: Calendar, now_us: int) -> tuple[int, int] | None:
    """The period [µs] that a request reads of, by its parameters; None where its route is of none."""
    match None if asked.row is None else asked.row.period:
        case Period.RANGE:
            return time_of(asked.parameters["from"]), time_of(asked.parameters["to"])
        case Period.WINDOWS:
            at = asked.parameters.get("at")
            every = windows(floor_interval(now_us if at is None else time_of(at)), calendar).values()
            return min(each.from_us for each in every), max(each.to_us for each in every)
        case Period.YEAR if "year" in asked.parameters:
            return year_of(int(asked.parameters["year"]), calendar)
    return None


def year_of(year: int, calendar: Calendar) -> tuple[int, int]:
    """A local calendar year [µs]."""
    first, end = (calendar.day_of(date(each, 1, 1)) for each in (year, year + 1))
    return calendar.day_start(first), calendar.day_start(end)


def days_of(period: tuple[int, int] | None, calendar: Calendar) -> tuple[int, int] | None:
    """The local days [first, end) that a period touches."""
    return None if period is None else (calendar.day(period[0]), calendar.day(period[1] - 1) + 1)
