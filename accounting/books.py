"""What the engine asks of the books, so that this room needs no storage: `storage.ledger.Books` answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from domain.ledger import Chunk, Trait

Rows = npt.NDArray[Any]


class Books(Protocol):
    """The books within one transaction. `storage.ledger.Books` says of each method what it does."""

    def chunks(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> list[Chunk]: ...

    def append_readings(self, chunks: Sequence[Chunk], enterprise_ids: Sequence[int]) -> None: ...

    def day_bounds(self, channel_ids: Sequence[int]) -> dict[int, tuple[int, int]]: ...

    def source_bounds(self, source_ids: Sequence[int]) -> dict[int, tuple[int, int]]: ...

    def anchors(self, channel_ids: Sequence[int], days: Sequence[int]) -> list[int]: ...

    def add_tallies(self, differences: dict[tuple[int, int], tuple[int, int]]) -> None: ...

    def replace_tallies(self, channel_id: int, tallies: dict[int, tuple[int, int]]) -> None: ...

    def consumption(
        self, channel_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]
    ) -> Rows: ...

    def replace_consumption(self, rows: Rows, enterprise_ids: Rows) -> None: ...

    def keep_consumption(self, run_id: int, channel_ids: Rows, days: Rows, superseded: Rows) -> None: ...

    def ledger(self, source_ids: Sequence[int], from_days: Sequence[int], to_days: Sequence[int]) -> Rows: ...

    def factor_days(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> list[tuple[int, int, int]]: ...

    def replace_ledger(self, groups: Sequence[tuple[Trait, Rows, Rows]]) -> None: ...

    def keep_ledger(
        self, run_id: int, source_ids: Rows, days: Rows, series: Rows, superseded: Rows
    ) -> None: ...

    def sum_months(
        self, source_ids: Sequence[int], first_days: Sequence[int], end_days: Sequence[int]
    ) -> None: ...

    def used_factor(
        self, digest: str, factor_set: str, numerator: int, denominator: int, description: Any
    ) -> int: ...

    def known_factor(self, digest: str) -> int | None: ...

    def causes(self, run_id: int, causes: Sequence[tuple[str, int | None, str, str]]) -> list[int]: ...
