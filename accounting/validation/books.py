"""What validation asks of storage: `storage.findings.ValidationBooks` answers and says of each method what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from domain.finding import FindingDay, Joined, Known, Turn
from domain.validation import CheckRule, Severity

Rows = npt.NDArray[Any]


class Due(Protocol):
    """Days [first_day, end_day) of an enterprise that are to be judged."""

    @property
    def enterprise_id(self) -> int: ...

    @property
    def first_day(self) -> int: ...

    @property
    def end_day(self) -> int: ...


class Factor(Protocol):
    """mg CO2e per unit of a source's sum."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


class ValidationBooks(Protocol):
    """The books as validation reads them, and its own tables, within one transaction."""

    def state(self) -> tuple[int, str] | None: ...

    def put_state(self, registry_version: int, rules_hash: str) -> None: ...

    def changed_since(self, registry_version: int) -> set[str]: ...

    def mark_whole(self, enterprise_ids: Sequence[int]) -> None: ...

    def due(self, closed_day: int) -> Sequence[Any]: ...  # of Due

    def is_due(self, enterprise_id: int, closed_day: int) -> bool: ...

    def subjects(self, enterprise_id: int) -> set[tuple[CheckRule, str]]: ...

    def done(self, due: Sequence[Any], until_day: int) -> None: ...

    def consumption(self, channel_ids: Sequence[int], first_day: int, end_day: int) -> Rows: ...

    def entries(self, enterprise_id: int, first_day: int, end_day: int) -> Rows: ...

    def used_factors(self, factor_ids: Iterable[int]) -> Mapping[int, Factor]: ...

    def reading_counts(
        self, channel_ids: Sequence[int], first_day: int, end_day: int
    ) -> Mapping[int, Mapping[int, int]]: ...

    def replace_days(
        self,
        enterprise_id: int,
        rules: Sequence[CheckRule],
        first_day: int,
        end_day: int,
        days: Sequence[FindingDay],
    ) -> set[tuple[CheckRule, str]]: ...

    def days(self, enterprise_id: int, rule: CheckRule, subject: str) -> list[FindingDay]: ...

    def known(self, enterprise_id: int, rule: CheckRule, subject: str) -> list[Known]: ...

    def add(
        self,
        enterprise_id: int,
        rule: CheckRule,
        subject: str,
        severity: Severity,
        found: Joined,
        turned: Turn,
    ) -> None: ...

    def change(self, known: Known, severity: Severity, found: Joined | None, turned: Turn) -> None: ...
