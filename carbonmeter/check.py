"""A comparison of `verify`, and what was wrong with the things compared."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN_MAX = 20  # faults of one check that are told; all are counted


@dataclass(slots=True)
class Check:
    """One comparison: the number of things compared, and what was wrong with them."""

    promise: int
    name: str
    compared: int = 0
    faults: int = 0
    shown: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        self.faults += 1
        if len(self.shown) < SHOWN_MAX:
            self.shown.append(text)
