"""The examples in the docstrings of domain are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import domain

MODULES = sorted(module.name for module in pkgutil.iter_modules(domain.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"domain.{name}")).failed == 0


def test_there_are_some() -> None:
    tried = [doctest.testmod(importlib.import_module(f"domain.{name}")).attempted for name in MODULES]
    assert sum(tried) >= 10
