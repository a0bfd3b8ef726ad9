"""The factor files read as text, without the loader: what tests recompute and judge by."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from accounting.factors.load import FOLDER


def rows(pattern: str) -> Iterator[tuple[Path, int, dict[str, str]]]:
    """(file, row number, cells) of every row of the files that fit; fails where none does."""
    paths = sorted(FOLDER.glob(pattern))
    assert paths, f"no file fits {pattern}"
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                yield path, number, row


def exact(text: str) -> Fraction:
    return Fraction(text)


def fuel_rows() -> Iterator[tuple[Path, int, dict[str, str]]]:
    return rows("*/fuels*.csv")
