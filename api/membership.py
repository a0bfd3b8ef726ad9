"""Who belongs to a park or a district, and when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from api.ledger import Stretch
from domain.identity import district_prefix
from domain.registry import Dated, Enterprise, Registry

T = TypeVar("T")


def stretches(enterprise_id: int, history: Sequence[Dated[T]], belongs: Callable[[T], bool]) -> list[Stretch]:
    """The local days on which the value in force is one that belongs."""
    result: list[Stretch] = []
    for index, entry in enumerate(history):
        end = history[index + 1].from_day if index + 1 < len(history) else None
        if not belongs(entry.value):
            continue
        if result and result[-1].end_day == entry.from_day and entry.from_day is not None:
            result[-1] = result[-1]._replace(end_day=end)
        else:
            result.append(Stretch(enterprise_id, entry.from_day, end))
    return result


def of_park(registry: Registry, code: str) -> list[Stretch]:
    return _of(
        (enterprise, stretches(enterprise.id, enterprise.parks, lambda park: park == code))
        for enterprise in registry.enterprises.values()
    )


def of_district(registry: Registry, code: str) -> list[Stretch]:
    prefix = district_prefix(code)
    return _of(
        (enterprise, stretches(enterprise.id, enterprise.districts, lambda own: own.startswith(prefix)))
        for enterprise in registry.enterprises.values()
    )


def _of(pairs: Iterable[tuple[Enterprise, list[Stretch]]]) -> list[Stretch]:
    return [each for _, found in pairs for each in found]
