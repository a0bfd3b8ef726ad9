"""What a formula gives: emissions as a straight line over the amount, one part a gas, exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Part:
    """Emissions of one gas: amount × tco2e_per_amount + offset_tco2e, before the sign of a deduction.

    offset_tco2e  of what is given as an absolute amount of the period: recovered, stocks, COD removed …
    taken_off     the parameters that are taken off the amount and can't be more than it: where they are set, a
                  result below zero is a fault of the activity; elsewhere it stands, since nothing is cut off
    """

    gas: str
    tco2e_per_amount: Fraction
    offset_tco2e: Fraction = Fraction(0)
    taken_off: str = ""

    def tco2e(self, amount: Fraction) -> Fraction:
        return self.tco2e_per_amount * amount + self.offset_tco2e


@dataclass(frozen=True, slots=True)
class Linear:
    """The parts of a source, over amounts in `unit`."""

    unit: str
    parts: tuple[Part, ...]

    @property
    def gas(self) -> str:
        """The gas, or the gases in their order: CH4+N2O."""
        return "+".join(part.gas for part in self.parts)

    @property
    def has_offset(self) -> bool:
        return any(part.offset_tco2e for part in self.parts)

    def tco2e(self, amount: Fraction) -> Fraction:
        return sum((part.tco2e(amount) for part in self.parts), Fraction(0))


def carbon_dioxide(unit: str, tco2_per_amount: Fraction, offset_tco2: Fraction = Fraction(0)) -> Linear:
    return Linear(unit, (Part("CO2", tco2_per_amount, offset_tco2),))


def one_gas(unit: str, gas: str, tco2e_per_amount: Fraction, offset_tco2e: Fraction = Fraction(0)) -> Linear:
    return Linear(unit, (Part(gas, tco2e_per_amount, offset_tco2e),))
