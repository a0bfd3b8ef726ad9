"""What a report prints of an exact total: rounded once, as the edition says."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from accounting.methods.method import Edition
from accounting.report.document import Reported
from accounting.rounding import decimal_text

_MG_PER_TONNE = 1_000_000_000


def reported(mg: int, editions: Sequence[Edition]) -> Reported | None:
    """A total [mg] as its editions print it; None where these print it differently.

    editions  in the order of the months that they are in force
    """
    last = editions[-1]
    if any((each.decimals, each.rounding) != (last.decimals, last.rounding) for each in editions):
        return None
    shown = decimal_text(Fraction(mg, _MG_PER_TONNE), last.decimals, last.rounding)
    return Reported(shown, last.decimals, str(last.rounding), last.code)
