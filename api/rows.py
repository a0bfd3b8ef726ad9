"""The matrix: for each route, what part of an enterprise's account it serves and which roles may ask.

A key needs a scope that the route takes, and, where it has a role, to be of one listed here. What of it a role reads is
up to its tenant (`api/sight.py`). A route that isn't here answers keys without a role alone: who adds one, adds its
row, and `docs/access.md` (`python -m api.rows`) and the test of the matrix follow.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from domain.access import Part, Role


class Period(StrEnum):
    """Where the period of what is read is found, for consents that are limited in time."""

    NONE = "none"  # it is of none, or of all times
    RANGE = "range"  # the parameters from and to
    WINDOWS = "windows"  # what rolling windows at `at` reach back to
    YEAR = "year"  # the parameter year, a local calendar year


class Row(NamedTuple):
    """What a route serves.

    part   of an enterprise's account; None: nothing of an enterprise's
    roles  that may ask
    """

    part: Part | None
    roles: frozenset[Role]
    period: Period = Period.NONE


EVERY = frozenset(Role)
READERS = EVERY - {Role.PLATFORM}  # of accounts; a bank by consent
KEEPERS = READERS - {Role.BANK}
OWNERS = frozenset({Role.ENTERPRISE, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
OVERSEERS = frozenset({Role.ENTERPRISE, Role.REGULATOR, Role.AUDITOR, Role.ADMIN})
SENDERS = frozenset({Role.ENTERPRISE, Role.PARK, Role.ADMIN})

_E = "/v1/enterprises/{uscc}"
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/v1/health/live"): Row(None, EVERY),
    ("GET", "/v1/health/ready"): Row(None, EVERY),
    ("GET", "/v1/version"): Row(None, EVERY),
    ("GET", "/v1/enterprises"): Row(Part.IDENTITY, EVERY),
    ("GET", _E): Row(Part.REGISTRY, READERS),
    ("GET", "/v1/parks"): Row(None, EVERY),
    ("GET", "/v1/meters"): Row(Part.REGISTRY, READERS),
    ("GET", "/v1/registry/changes"): Row(Part.REGISTRY, KEEPERS),
    ("GET", f"{_E}/readings"): Row(Part.READINGS, READERS, Period.RANGE),
    ("GET", f"{_E}/consumption"): Row(Part.CONSUMPTION, READERS, Period.RANGE),
    ("GET", f"{_E}/emissions"): Row(Part.EMISSIONS, READERS, Period.RANGE),
    ("GET", f"{_E}/windows"): Row(Part.EMISSIONS, READERS, Period.WINDOWS),
    ("GET", f"{_E}/intensity"): Row(Part.INTENSITY, READERS, Period.RANGE),
    ("GET", f"{_E}/derivation"): Row(Part.DERIVATION, READERS, Period.RANGE),
    ("GET", f"{_E}/restatements"): Row(Part.DERIVATION, READERS, Period.RANGE),
    ("GET", f"{_E}/difference"): Row(Part.DERIVATION, READERS, Period.RANGE),
    ("GET", f"{_E}/reports"): Row(Part.REPORTS, READERS, Period.YEAR),
    ("POST", f"{_E}/reports"): Row(Part.REPORTS, ADMINS),
    ("GET", f"{_E}/reports/{{year}}"): Row(Part.REPORTS, READERS, Period.YEAR),
    ("GET", "/v1/reports/{id}"): Row(Part.REPORTS, READERS),
    ("GET", "/v1/reports/{id}/differences"): Row(Part.REPORTS, READERS),
    ("GET", "/v1/parks/{code}/emissions"): Row(None, EVERY),
    ("GET", "/v1/districts/{code}/emissions"): Row(None, EVERY),
    ("GET", "/v1/gateways/{uscc}/{id}/account"): Row(Part.GATEWAYS, KEEPERS),
    ("POST", "/v1/inventories"): Row(None, EVERY),
    ("POST", "/v1/history"): Row(Part.HISTORY, OWNERS),
    ("GET", "/v1/history"): Row(Part.HISTORY, READERS),
    ("GET", "/v1/history/templates/{industry}"): Row(None, EVERY),
    ("GET", f"{_E}/history"): Row(Part.HISTORY, READERS),
    ("GET", f"{_E}/history/{{year}}"): Row(Part.HISTORY, READERS, Period.YEAR),
    ("GET", "/v1/findings"): Row(Part.FINDINGS, READERS),
    ("GET", "/v1/findings/{id}"): Row(Part.FINDINGS, READERS),
    ("POST", "/v1/findings/{id}/explain"): Row(Part.FINDINGS, OWNERS),
    ("POST", "/v1/findings/{id}/settle"): Row(Part.FINDINGS, OWNERS),
    ("GET", "/v1/validation/rules"): Row(None, EVERY),
    ("GET", "/v1/deadletters"): Row(Part.GATEWAYS, KEEPERS),
    ("POST", "/v1/deadletters/replay"): Row(Part.GATEWAYS, ADMINS),
    ("GET", "/v1/held"): Row(Part.GATEWAYS, KEEPERS),
    ("POST", "/v1/held/release"): Row(Part.GATEWAYS, ADMINS),
    ("POST", "/v1/held/discard"): Row(Part.GATEWAYS, ADMINS),
    ("POST", "/v1/quotas"): Row(Part.QUOTA, OWNERS),
    ("GET", f"{_E}/quota/{{year}}"): Row(Part.QUOTA, READERS, Period.YEAR),
    ("GET", f"{_E}/quota/{{year}}/statements"): Row(Part.QUOTA, READERS, Period.YEAR),
    ("GET", f"{_E}/electricity/{{year}}"): Row(Part.QUOTA, READERS, Period.YEAR),
    ("GET", f"{_E}/certificates"): Row(Part.QUOTA, READERS, Period.YEAR),
    ("POST", f"{_E}/certificates"): Row(Part.QUOTA, OWNERS),
    ("POST", f"{_E}/certificates/void"): Row(Part.QUOTA, OWNERS),
    ("GET", f"{_E}/grade"): Row(Part.GRADES, READERS),
    ("GET", f"{_E}/grades"): Row(Part.GRADES, READERS),
    ("GET", f"{_E}/grade-statements"): Row(Part.GRADES, KEEPERS),
    ("GET", f"{_E}/objections"): Row(Part.GRADES, KEEPERS),
    ("GET", "/v1/districts/{code}/ranking"): Row(Part.GRADES, READERS),
    ("POST", "/v1/grades/statements"): Row(Part.GRADES, OWNERS),
    ("POST", "/v1/grades/{id}/objections"): Row(Part.GRADES, OWNERS),
    ("GET", "/v1/grades/shadow"): Row(Part.GRADES, KEEPERS),
    ("GET", "/v1/grade-schemes"): Row(None, EVERY),
    ("POST", "/v1/grade-schemes"): Row(None, ADMINS),
    ("POST", "/v1/financed-emissions"): Row(Part.EMISSIONS, READERS),
    ("POST", "/v1/oauth/token"): Row(None, EVERY),
    ("GET", "/v1/consents"): Row(Part.CONSENTS, READERS - {Role.PARK}),
    ("GET", "/v1/consents/{id}"): Row(Part.CONSENTS, READERS - {Role.PARK}),
    ("POST", "/v1/consents"): Row(Part.CONSENTS, OWNERS),
    ("POST", "/v1/consents/{id}/revoke"): Row(Part.CONSENTS, OWNERS),
    ("GET", f"{_E}/read-log"): Row(Part.READ_LOG, OVERSEERS),
    ("GET", "/v1/changes"): Row(Part.IDENTITY, EVERY),
    ("GET", "/v1/changes/stream"): Row(Part.IDENTITY, EVERY),
    ("GET", "/v1/webhooks"): Row(None, ADMINS),
    ("POST", "/v1/webhooks"): Row(None, ADMINS),
    ("POST", "/v1/webhooks/{id}/replay"): Row(None, ADMINS),
    ("POST", "/v1/webhooks/{id}/remove"): Row(None, ADMINS),
    ("GET", "/v1/evidence/keys"): Row(None, EVERY),
    ("GET", "/v1/evidence/checkpoint"): Row(None, EVERY),
    ("GET", "/v1/evidence/leaf"): Row(Part.EVIDENCE, READERS),
    ("GET", "/v1/evidence/inclusion"): Row(Part.EVIDENCE, READERS),
    ("GET", "/v1/evidence/consistency"): Row(None, EVERY),
    ("POST", "/v1/readings"): Row(Part.GATEWAYS, SENDERS),
    ("POST", "/api/v2/write"): Row(Part.GATEWAYS, SENDERS),
    ("POST", "/write"): Row(Part.GATEWAYS, SENDERS),
}

_CELLS = {
    Role.ENTERPRISE: "own",
    Role.PARK: "members",
    Role.BANK: "consented",
    Role.REGULATOR: "district",
    Role.PLATFORM: "identity",
}


def cell(row: Row, role: Role) -> str:
    """What a role is answered by a route."""
    if role not in row.roles:
        return "–"
    return "all" if row.part is None else _CELLS.get(role, "all")


def page() -> str:
    """The matrix as a table."""
    lines = [
        "| route | part | " + " | ".join(Role) + " |",
        "|---" * (2 + len(Role)) + "|",
    ]
    for (method, path), row in sorted(ROWS.items(), key=lambda item: (item[0][1], item[0][0])):
        cells = [f"`{method} {path}`", row.part or "", *(cell(row, role) for role in Role)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
