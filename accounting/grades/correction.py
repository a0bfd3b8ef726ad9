"""Corrections of benchmark levels: small expressions over conditions, exact.

    base + (clinker_percent - 75) * 1.10
    base * (1.179 - 0.211 * pressure_pa / 101325 if altitude_m > 1500 else 1)

Numbers, names, + − * /, min and max, comparisons, and `a if condition else b`; nothing else. `base` is the level as the
standard prints it, every other name a condition that somebody states.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from accounting.methods.data_file import parse_decimal
from domain.errors import Refused

BASE = "base"
_LENGTH_MAX = 500

_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Fraction, Fraction], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
}
_FUNCTIONS: Mapping[str, Callable[..., Fraction]] = {"min": min, "max": max}


class MissingCondition(Refused):
    """A condition that the correction needs isn't stated."""

    def __init__(self, name: str) -> None:
        super().__init__(f"condition {name!r} isn't stated")
        self.name = name


@dataclass(frozen=True, slots=True)
class Correction:
    """An expression that was read; `conditions` are the names that it needs, but for `base`."""

    text: str
    tree: ast.expr
    conditions: frozenset[str]

    def value(self, base: Fraction, conditions: Mapping[str, Fraction]) -> Fraction:
        """Of a level under these conditions. MissingCondition, or Refused where it divides by zero.

        >>> correction = read_correction("base + (clinker_percent - 75) * 1.10")
        >>> correction.value(Fraction(80), {"clinker_percent": Fraction(85)})
        Fraction(91, 1)
        """
        try:
            return self._value(self.tree, {**conditions, BASE: base})
        except ZeroDivisionError:
            raise Refused(f"{self.text}: division by zero under these conditions") from None

    def _value(self, node: ast.expr, names: Mapping[str, Fraction]) -> Fraction:
        match node:
            case ast.Constant():
                return _number(self.text, node)
            case ast.Name():
                if node.id not in names:
                    raise MissingCondition(node.id)
                return names[node.id]
            case ast.BinOp():
                operator = _OPERATORS[type(node.op)]
                return operator(self._value(node.left, names), self._value(node.right, names))
            case ast.UnaryOp():
                return -self._value(node.operand, names)
            case ast.IfExp():
                return self._value(node.body if self._holds(node.test, names) else node.orelse, names)
            case ast.Call():
                assert isinstance(node.func, ast.Name)
                return _FUNCTIONS[node.func.id](*(self._value(each, names) for each in node.args))
        raise AssertionError(f"{type(node).__name__} was refused when the correction was read")

    def _holds(self, node: ast.expr, names: Mapping[str, Fraction]) -> bool:
        assert isinstance(node, ast.Compare)
        left, right = self._value(node.left, names), self._value(node.comparators[0], names)
        return _COMPARISONS[type(node.ops[0])](left, right)


def read_correction(text: str) -> Correction:
    """Refused with what isn't allowed in it.

    >>> sorted(read_correction("base * 1.1 if stainless > 0 else base").conditions)
    ['stainless']
    """
    if len(text) > _LENGTH_MAX:
        raise Refused(f"is longer than {_LENGTH_MAX} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{text!r} is no expression: {error}") from None
    names: set[str] = set()
    _check(tree, text, names)
    return Correction(text, tree, frozenset(names - {BASE}))


def _check(node: ast.expr, text: str, names: set[str]) -> None:
    parts: list[ast.expr]
    match node:
        case ast.Constant():
            _number(text, node)
            return
        case ast.Name():
            names.add(node.id)
            return
        case ast.BinOp() if type(node.op) in _OPERATORS:
            parts = [node.left, node.right]
        case ast.UnaryOp() if isinstance(node.op, ast.USub):
            parts = [node.operand]
        case ast.IfExp() if (
            isinstance(node.test, ast.Compare)
            and len(node.test.ops) == 1
            and type(node.test.ops[0]) in _COMPARISONS
        ):
            parts = [node.test.left, *node.test.comparators, node.body, node.orelse]
        case ast.Call() if (
            isinstance(node.func, ast.Name)
            and node.func.id in _FUNCTIONS
            and len(node.args) > 1
            and not node.keywords
        ):
            parts = node.args
        case _:
            raise Refused(
                f"{text!r} may hold numbers, names, + - * /, min, max and one comparison after `if`"
            )
    for part in parts:
        _check(part, text, names)


def _number(text: str, node: ast.Constant) -> Fraction:
    written = ast.get_source_segment(text, node) or ""
    value = parse_decimal(written)
    if value is None:
        raise Refused(f"{text!r}: {written!r} is no plain decimal")
    return value
