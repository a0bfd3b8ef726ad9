"""What platforms want to hear of: the kinds of changes, and of what part of an account each is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.access import Part


class ChangeKind(StrEnum):
    """What happened. `docs/changes.md` says what `data` of each holds."""

    ENTERPRISE_REGISTERED = "enterprise.registered"
    ENTERPRISE_CHANGED = "enterprise.changed"
    MONTH_RESTATED = "month.restated"  # totals of an enterprise-month that were known became others
    REPORT_PUBLISHED = "report.published"
    FINDING_CHANGED = "finding.changed"  # opened, explained, settled
    PERIOD_CLOSED = "period.closed"
    GRADE_RECORDED = "grade.recorded"
    QUOTA_WARNED = "quota.warned"


PARTS: Mapping[ChangeKind, Part] = {
    ChangeKind.ENTERPRISE_REGISTERED: Part.IDENTITY,
    ChangeKind.ENTERPRISE_CHANGED: Part.IDENTITY,
    ChangeKind.MONTH_RESTATED: Part.EMISSIONS,
    ChangeKind.REPORT_PUBLISHED: Part.REPORTS,
    ChangeKind.FINDING_CHANGED: Part.FINDINGS,
    ChangeKind.PERIOD_CLOSED: Part.CLOSES,
    ChangeKind.GRADE_RECORDED: Part.GRADES,
    ChangeKind.QUOTA_WARNED: Part.QUOTA,
}


def change_id(number: int) -> str:
    """The id of a change wherever it is told: the same each time it is."""
    return f"chg_{number}"
