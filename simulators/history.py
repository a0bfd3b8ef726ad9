"""Years of the demo's enterprises before their meters, as the rows of a file that such enterprises would send.

Amounts are those of the same plants: each channel's nominal hour over a year, give and take some, with a little less
each year. Verified where a plant is of the national market, reported elsewhere, estimated where nobody weighs; some
plants lack their first years, as some always do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np

from domain.expression import parse_expression
from domain.unit import consumption_unit
from simulators.enterprise import EnterpriseProfile, SourceProfile
from simulators.shape import noise

FIRST_YEAR, LAST_YEAR = 2020, 2024
VERIFIED_YEAR = LAST_YEAR - 1  # the last one that was verified, of plants of the national market
_HOURS = 8760
_LOAD = 0.82  # of nominal, over a year
_FALL = 0.985  # from a year to the next
_SCATTER = 0.06
_LACKING = 5  # every so many plants that nobody watches closely lack their first year or two
_HEADER = ("uscc", "name", "year", "source", "fuel", "material", "amount", "unit")
_TAIL = ("provenance", "reference")


def history_csv(enterprises: tuple[EnterpriseProfile, ...], seed: int) -> bytes:
    """The rows of all of them; the same for the same seed."""
    rows = [row for place, each in enumerate(enterprises) for row in _rows(each, place, seed)]
    names = dict.fromkeys(name for row in rows for name in row if name not in (*_HEADER, *_TAIL))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*_HEADER, *names, *_TAIL])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(enterprise: EnterpriseProfile, place: int, seed: int) -> Iterator[dict[str, str]]:
    watched = bool({"ets", "key"} & set(enterprise.flags))
    first = FIRST_YEAR if watched or place % _LACKING else FIRST_YEAR + 1 + place % 2
    for year in range(first, LAST_YEAR + 1):
        for source in enterprise.sources:
            found = _amount(enterprise, source, year, seed)
            if found is None:
                continue
            amount, unit = found
            estimated = source.fuel in ("diesel", "gasoline") and not watched
            provenance = "verified" if "ets" in enterprise.flags and year <= VERIFIED_YEAR else "reported"
            yield {
                "uscc": enterprise.uscc,
                "name": enterprise.name_zh,
                "year": str(year),
                "source": source.method,
                "fuel": source.fuel or "",
                "material": source.material or "",
                "amount": amount,
                "unit": unit,
                **{
                    f"{each.name} [{each.unit}]": each.value or each.level or "" for each in source.parameters
                },
                "provenance": "estimated" if estimated else provenance,
                "reference": f"{year} 年度报告 {source.id}",
            }


def _amount(
    enterprise: EnterpriseProfile, source: SourceProfile, year: int, seed: int
) -> tuple[str, str] | None:
    """A year's amount with its unit; None of what isn't a plain sum of channels in one unit."""
    channels = {f"{meter.id}/{channel.id}": channel for meter, channel in enterprise.channels()}
    terms, _ = parse_expression(source.expression)
    if any(term.point not in channels or channels[term.point].is_mean for term in terms):
        return None
    units = {consumption_unit(channels[term.point].unit) for term in terms}
    nominal = sum(term.sign * channels[term.point].nominal for term in terms)
    if len(units) != 1 or nominal < 0:
        return None
    wobble = float(noise(f"{seed} {enterprise.uscc} {source.id} history", np.array([year]))[0])
    total = nominal * _HOURS * _LOAD * _FALL ** (year - FIRST_YEAR) * (1 + _SCATTER * wobble)
    return f"{total:.3f}", units.pop()
