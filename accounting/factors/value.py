"""A figure as it was chosen: its value, and everything that tells where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Any

from accounting.factors.tables import Figure
from accounting.methods.data_file import Validity
from domain.registry import Parameter


class Origin(StrEnum):
    """How a figure was found, where no registered parameter said its own."""

    GUIDELINE_DEFAULT = "guideline default"
    EARLIER_EDITION = "guideline default of an earlier edition"
    PUBLISHED = "published for the year"
    OLDER_VINTAGE = "older vintage"
    GIVEN = "given"  # a registered parameter that doesn't say whether it was measured or agreed


# Which of several registered values of one name and one beginning stands: the ladder of data_quality section 1.
_LADDER = ("measured", "contract")


def rank(parameter: Parameter) -> int:
    """Place on the ladder, lower is better: measured, contract, anything else."""
    origin = (parameter.origin or "").strip().lower()
    return _LADDER.index(origin) if origin in _LADDER else len(_LADDER)


def fraction_text(value: Fraction) -> str:
    """Exact text of a value: a plain decimal where it is one, else numerator/denominator.

    >>> fraction_text(Fraction("0.10")), fraction_text(Fraction(11, 3)), fraction_text(Fraction(-5000))
    ('0.1', '11/3', '-5000')
    """
    denominator, places = value.denominator, 0
    while denominator % 10 == 0:
        denominator //= 10
        places += 1
    while denominator % 2 == 0 or denominator % 5 == 0:
        denominator //= 2 if denominator % 2 == 0 else 5
        places += 1
    if denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    text = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else digits
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


@dataclass(frozen=True, slots=True)
class Value:
    """A chosen figure, in `unit`."""

    name: str
    value: Fraction
    unit: str
    text: str
    origin: str
    reference: str | None
    edition: str | None = None
    confidence: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    area: str | None = None
    year: int | None = None
    provisional: bool = False
    note: str = ""

    @property
    def amount_unit(self) -> str:
        """What the figure is per: `t` of GJ/t."""
        return self.unit.partition("/")[2]

    def description(self) -> dict[str, Any]:
        """For the derivation; what is not known of the figure is left out."""
        known = {
            "name": self.name,
            "value": self.text,
            "unit": self.unit,
            "origin": str(self.origin),
            "reference": self.reference,
            "edition": self.edition,
            "confidence": self.confidence,
            "valid_from": self.valid_from.isoformat() if self.valid_from else None,
            "valid_to": self.valid_to.isoformat() if self.valid_to else None,
            "area": self.area,
            "year": self.year,
            "provisional": True if self.provisional else None,
            "note": self.note or None,
        }
        return {key: value for key, value in known.items() if value is not None}


def from_figure(name: str, figure: Figure, origin: Origin, validity: Validity | None = None) -> Value:
    """A figure of the tables."""
    return Value(
        name,
        figure.value,
        figure.unit,
        figure.text,
        origin,
        figure.source,
        figure.edition or None,
        figure.confidence,
        validity.first if validity else None,
        validity.last if validity else None,
        note=figure.note,
    )
