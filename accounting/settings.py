"""Settings of the accounting process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccountingSettings:
    """What accounting is told at its start; `carbonmeter.settings` reads it."""

    database: str = field(repr=False)  # a PostgreSQL URL: it may hold a password
    late_us: int = 3_600_000_000  # an interval whose readings are committed this long after its end is late
    look_ahead_us: int = 86_400_000_000  # how far credibility looks for a lie's end
    idle_s: float = 0.1  # between two looks at the log while there is nothing to do
