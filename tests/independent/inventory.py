"""Inventories added up by hand: steps written out as arithmetic, done exactly, summed before rounding.

A golden case states for each activity the steps that a person would write under it, numbers only, taken from the
guideline's tables: `1000 * 20.1 * 0.0261 * 0.93 * 44/12`. Nothing here knows a formula, a factor or a unit, so that a
fault of the product can't be repeated by it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

DECIMALS = 12


def steps_value(steps: str) -> Fraction:
    """The exact value of written-out arithmetic: decimals, + - * / and parentheses; raises ValueError for more."""
    return _value(ast.parse(steps.strip(), mode="eval").body, steps)


def _value(node: ast.expr, steps: str) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        # the decimal as it is written, never its double
        return Fraction(ast.get_source_segment(steps.strip(), node) or "")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, steps)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, steps), _value(node.right, steps)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
    raise ValueError(f"not plain arithmetic: {ast.unparse(node)!r} in {steps!r}")


def decimal(value: Fraction, places: int = DECIMALS) -> str:
    """A number with so many decimals, half to even."""
    count = _half_even(value * 10**places)
    sign, digits = "-" if count < 0 else "", f"{abs(count):0{places + 1}d}"
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def _half_even(value: Fraction) -> int:
    whole, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest - value.denominator
    return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))


@dataclass(frozen=True)
class Line:
    """What a case says of one activity: steps by gas, in tCO2e, and where they count."""

    source: str
    steps: Mapping[str, str]
    scope: int
    ets: bool
    deduction: bool

    def by_gas(self) -> dict[str, Fraction]:
        return {gas: steps_value(steps) for gas, steps in self.steps.items()}

    def tco2e(self) -> Fraction:
        return sum(self.by_gas().values(), Fraction(0))


def lines(expected: Mapping[str, Any]) -> list[Line]:
    """The lines of an `expected.json`."""
    return [
        Line(each["source"], each["steps"], each["scope"], each["ets"], each["deduction"])
        for each in expected["activities"]
    ]


def totals(of: Iterable[Line]) -> dict[str, Any]:
    """The totals of an inventory as the answer prints them, summed exactly and rounded once."""
    account = ets = deductions = Fraction(0)
    by_scope: dict[str, Fraction] = {}
    by_gas: dict[str, Fraction] = {}
    for line in of:
        amount = line.tco2e()
        account += amount
        ets += amount if line.ets else 0
        deductions += amount if line.deduction else 0
        by_scope[str(line.scope)] = by_scope.get(str(line.scope), Fraction(0)) + amount
        for gas, part in line.by_gas().items():
            by_gas[gas] = by_gas.get(gas, Fraction(0)) + part
    return {
        "account_tco2e": decimal(account),
        "ets_tco2e": decimal(ets),
        "by_scope": {scope: decimal(value) for scope, value in sorted(by_scope.items())},
        "by_gas": {gas: decimal(value) for gas, value in sorted(by_gas.items())},
        "deductions_tco2e": decimal(deductions),
    }
