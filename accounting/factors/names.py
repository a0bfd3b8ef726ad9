"""What fuels, materials, gases and parameters are called in Chinese and English, from the factor and method files."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

_FACTORS = Path(__file__).parent
_PARAMETERS = _FACTORS.parent / "methods" / "parameters.csv"
# The columns that name a code, the more telling file first: a fuel table knows a fuel better than a process table.
_CODES = ("code", "gas", "material")


def name(code: str, language: str) -> str:
    """The name of a code in "zh" or "en"; without one the code itself, in words.

    >>> name("natural_gas", "zh"), name("ncv", "zh"), name("ncv", "en"), name("no_such_thing", "en")
    ('天然气', '低位发热量', 'ncv', 'no such thing')
    """
    found = _names()[language].get(code)
    return found or code.replace("_", " ")


@cache
def _names() -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {"zh": {}, "en": {}}
    rows = [row for path in sorted(_FACTORS.rglob("*.csv")) for row in _rows(path)]
    for column in _CODES:
        for row in rows:
            _add(result, row.get(column), row)
    for row in _rows(_PARAMETERS):
        _add(result, row.get("parameter"), row)
    return result


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _add(result: dict[str, dict[str, str]], code: str | None, row: dict[str, str]) -> None:
    if not code:
        return
    for language in result:
        text = row.get(f"name_{language}")
        if text:
            result[language].setdefault(code, text)
