"""What a report prints of an exact total: rounded once, as the edition says."""

from __future__ import annotations

from collections.abc import Sequence

from accounting.methods.method import Edition, Role
from accounting.report.document import Reported


def reported(mg: int, editions: Sequence[Edition]) -> Reported | None:
    """A total [mg] as its editions print it; None where these print it differently."""
    decimals = {0 if each.role is Role.MARKET else 2 for each in editions}
    if len(decimals) != 1:
        return None
    places = decimals.pop()
    step = 10 ** (9 - places)
    count, rest = divmod(abs(mg), step)
    count += 2 * rest >= step
    text = str(count).rjust(places + 1, "0")
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    return Reported(f"-{text}" if mg < 0 and count else text, places, "half_up", editions[-1].code)
