"""What substitution rules put in the place of missing data, and its effect. Pure, exact."""

from __future__ import annotations

from fractions import Fraction

from accounting.report.document import Replaced, SubstitutionUsed
from accounting.report.figures import decimal, tonnes
from accounting.report.reporter import version_of
from accounting.report.year import Year, amount

_MG_PER_TONNE = 1_000_000_000


def substitutions(year: Year) -> list[SubstitutionUsed]:
    """One a source, gas, boundary and factor that holds anything substituted.

    Where a rule replaced figures, the effect is against the last earlier ones, None where there were none; where it
    filled amounts, all that it filled.
    """
    result = []
    for (code, gas, boundaries, factor_id, unit), own in year.uses().items():
        count = sum(each.substituted for each in own)
        if not count:
            continue
        mg = sum(each.substituted_mg for each in own)
        said = year.books.factors[factor_id].description.get("substitution")
        effect: str | None
        if said is None:
            rule = version_of(year.subjects[code].source, own[0].first_day).substitution or ""
            replaced, effect = [Replaced("amount", None, None, None)], tonnes(mg)
        else:
            rule = str(said["rule"])
            replaced = [_replaced(each) for each in said["replaced"]]
            original = said.get("mg_per_unit_original")
            effect = None
            if original is not None:
                used = sum((amount(each) for each in own), Fraction(0))
                whole = sum(each.mg for each in own)
                effect = decimal((whole - used * Fraction(original)) / _MG_PER_TONNE)
        result.append(
            SubstitutionUsed(
                code,
                gas,
                list(boundaries),
                rule,
                year.calendar.date(min(each.first_day for each in own)).isoformat(),
                year.calendar.date(max(each.last_day for each in own)).isoformat(),
                count,
                unit,
                tonnes(mg),
                replaced,
                effect,
            )
        )
    return result


def _replaced(said: dict[str, object]) -> Replaced:
    original = said.get("original")
    if not isinstance(original, dict):
        return Replaced(str(said["name"]), None, None, None)
    return Replaced(str(said["name"]), original.get("value"), original.get("unit"), original.get("reference"))
