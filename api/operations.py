"""What the API asks of ingest: to take up again what was set aside. The front door joins both.

The methods run in a thread of their own and may take their time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the letters or held readings: all that is given must hold; nothing given means all of them.

    gateway  "USCC/ID"
    from_us  letters received, held readings measured at or after [µs]
    """

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    gateway: str | None = None
    from_us: int | None = None


class Operations(Protocol):
    """Each answers with what it did, by name: `{"released": 4}`. `by` signs what is kept of it."""

    def replay(self, selection: Selection, by: str) -> Mapping[str, int]:
        """Decode dead letters again, with what is registered now."""
        ...

    def release(self, selection: Selection, by: str) -> Mapping[str, int]:
        """Store held readings, as far as they can be stored."""
        ...

    def discard(self, selection: Selection, by: str) -> Mapping[str, int]:
        """Reject held readings: they go to the dead letters."""
        ...
