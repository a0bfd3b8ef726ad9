"""Settings of the accounting process."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.ledger import SHARDS


@dataclass(frozen=True, slots=True)
class AccountingSettings:
    """What accounting is told at its start; `carbonmeter.settings` reads it."""

    database: str = field(repr=False)  # a PostgreSQL URL: it may hold a password
    late_us: int = 3_600_000_000  # an interval whose readings are committed this long after its end is late
    look_ahead_us: int = 86_400_000_000  # how far credibility looks for a lie's end
    idle_s: float = 0.1  # between two looks at the log while there is nothing to do
    workers: int = 1  # processes that share the work, 1 to 16
    place: int = 0  # which of them this one is

    @property
    def shards(self) -> tuple[int, ...]:
        """The shards whose books this worker keeps."""
        return tuple(range(self.place, SHARDS, self.workers))

    @property
    def name(self) -> str:
        """The name that this worker beats under."""
        return worker_names(self.workers)[self.place]


def worker_names(workers: int) -> tuple[str, ...]:
    """The names of the services that so many workers are."""
    if workers == 1:
        return ("accounting",)
    return tuple(f"accounting-{place}" for place in range(1, workers + 1))
