"""A formula applied to its inputs: the linear form over an amount in a stated unit, and what was chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accounting.factors.inputs import Inputs
from accounting.factors.kinds import linear_form
from accounting.factors.linear import Linear
from accounting.factors.value import Value, fraction_text
from accounting.methods.method import Method
from domain.errors import FactorNotFound
from domain.unit import UNITS


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a method makes of one `unit` of amount, before the sign of a deduction.

    linear           over amounts in its own unit (t, 10k_nm3, MWh …)
    amount_per_unit  how many of those one `unit` is
    values           the figures chosen, in the order of the formula
    """

    method: Method
    fuel: str | None
    material: str | None
    unit: str
    linear: Linear
    amount_per_unit: Fraction
    values: tuple[Value, ...]
    passed_over: tuple[str, ...]

    @property
    def sign(self) -> int:
        return -1 if self.method.deduction else 1

    @property
    def provisional(self) -> bool:
        return any(value.provisional for value in self.values)

    def description(self) -> dict[str, Any]:
        """Plain JSON of the method, the figures and the form; equal for equal factors."""
        method = self.method
        return {
            "industry": method.industry,
            "edition": method.edition,
            "method": method.code,
            "name": method.name,
            "kind": method.kind,
            "formula": method.formula,
            "clause": method.clause,
            "confidence": method.confidence,
            "fuel": self.fuel,
            "material": self.material,
            "gas": self.linear.gas,
            "scope": method.scope,
            "deduction": method.deduction,
            "unit": self.unit,
            "amount_unit": self.linear.unit,
            "amount_per_unit": fraction_text(self.amount_per_unit),
            "provisional": self.provisional,
            "factors": [value.description() for value in self.values],
            "passed_over": list(self.passed_over),
        }


def resolved(inputs: Inputs, unit: str) -> Resolved:
    """The form for amounts in `unit`; raises FactorNotFound, saying all that is missing or wrong.

    `inputs.faults` then has each fault with its field; a unit that can't be converted is one of `unit`.
    """
    linear = linear_form(inputs)
    inputs.check_shares()
    inputs.check()
    dimensions = {UNITS[each].dimension for each in inputs.method.units}
    if UNITS[linear.unit].dimension not in dimensions and not inputs.metered:
        takes = " or ".join(inputs.method.units)
        raise FactorNotFound(f"{unit} doesn't fit {inputs.method.code}, which takes {takes}")
    amount = inputs.convert(unit, linear.unit)
    return Resolved(
        inputs.method, inputs.fuel, inputs.material, unit, linear, amount, tuple(inputs.used),
        tuple(inputs.passed_over),
    )  # fmt: skip
