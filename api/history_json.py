"""Years of enterprises as the API and `carbonmeter history --json` tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.history import Done, Year
from domain.interval import Calendar, to_us
from domain.registry import Enterprise, dated_value
from storage.history import Version


def imported_json(done: Done, dry_run: bool) -> dict[str, Any]:
    """What an import did, or would do."""
    return {
        "batch": done.batch,
        "dry_run": dry_run,
        "rows": done.rows,
        **{outcome: done.count(outcome) for outcome in ("new", "superseded", "unchanged")},
        "years": [year_json(each) for each in done.years],
    }


def year_json(each: Year) -> dict[str, Any]:
    """What became of a year."""
    return {
        "uscc": each.uscc,
        "year": each.year,
        "outcome": each.outcome,
        "version": each.version,
        "supersedes": each.supersedes,
        **{name: each.summary[name] for name in ("provenance", "account_tco2e", "ets_tco2e")},
        "before_account_tco2e": None if each.before is None else each.before["account_tco2e"],
    }


def version_json(each: Version, calendar: Calendar) -> dict[str, Any]:
    """A version with its totals and provenance, and how it came to be."""
    return {
        "year": each.year,
        "version": each.id,
        "number": each.number,
        "supersedes": each.supersedes,
        **each.summary,
        "factor_set": each.factor_set,
        "at": calendar.text(to_us(each.at)),
        "by": each.by,
        "why": each.why,
        "cause": each.cause,
        "file": each.file_name,
    }


def completeness_json(
    enterprise: Enterprise, years: range, found: Mapping[tuple[int, int], Version], today: int
) -> dict[str, Any]:
    """Which of these years there are of an enterprise, found by (enterprise, year)."""
    cells = []
    for year in years:
        version = found.get((enterprise.id, year))
        told = ("provenance", "account_tco2e", "ets_tco2e")
        summary = dict.fromkeys(told) if version is None else {name: version.summary[name] for name in told}
        cells.append({"year": year, "version": None if version is None else version.id, **summary})
    return {
        "uscc": enterprise.uscc,
        "name_zh": enterprise.name_zh,
        "name_en": enterprise.name_en,
        "industry": enterprise.industry,
        "district": dated_value(enterprise.districts, today),
        "years": cells,
        "missing": [cell["year"] for cell in cells if cell["version"] is None],
    }
