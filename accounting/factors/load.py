"""The factor library that comes with this version: read once, frozen, named by the hash of its content."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from accounting.factors.read import read_tables
from accounting.factors.resolve import FactorLibrary, SourceFactor
from accounting.methods.load import load as load_methods

__all__ = ["FOLDER", "FactorLibrary", "SourceFactor", "load"]

FOLDER = Path(__file__).parent


@cache
def load() -> FactorLibrary:
    """The library; raises FaultyDocument with every fault of its files."""
    methods = load_methods()
    return FactorLibrary(read_tables(FOLDER, methods), methods)
