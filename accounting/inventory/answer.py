"""A computed inventory as the answer that machines and people get: plain JSON, numbers as decimal strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from accounting.factors.load import FactorLibrary
from accounting.factors.value import Origin, Value, fraction_text
from accounting.inventory import document as documents
from accounting.inventory.compute import Computed, Inventory, compute
from accounting.rounding import Rounding, decimal_text
from accounting.uncertainty import Uncertainty, uncertainty

DECIMALS = 12  # of computed tonnes, half to even
PERCENT_DECIMALS = 4  # of uncertainties, half up


def inventory_answer(document: str | bytes | Mapping[str, Any], library: FactorLibrary) -> dict[str, Any]:
    """The answer to an inventory document, a JSON text or its plain values; raises FaultyDocument with every fault."""
    read = documents.read(document) if isinstance(document, str | bytes) else documents.from_values(document)
    return answer(compute(read, library))


def answer(inventory: Inventory) -> dict[str, Any]:
    edition = inventory.edition
    found = uncertainty(inventory) if inventory.wants_uncertainty else None
    return {
        "industry": inventory.industry,
        "edition": edition.code,
        "document": edition.document,
        "period": {"from": inventory.first_day.isoformat(), "to": inventory.end_day.isoformat()},
        "enterprise": inventory.enterprise,
        "activities": [
            _activity(each) | ({} if found is None else _activity_uncertainty(found, index))
            for index, each in enumerate(inventory.activities)
        ],
        "totals": _totals(inventory, tonnes) | ({} if found is None else _total_uncertainty(found)),
        "reported": _totals(inventory, lambda value: decimal_text(value, edition.decimals, edition.rounding)),
        "rounding": {"decimals": edition.decimals, "mode": str(edition.rounding)},
        "factor_set": inventory.factor_set,
        "warnings": [
            {"place": each.place, "message": each.message}
            for each in inventory.warnings + ([] if found is None else found.warnings())
        ],
    }


def _total_uncertainty(found: Uncertainty) -> dict[str, Any]:
    return {
        "uncertainty": _percent(found.total_percent("account")),
        "ets_uncertainty": _percent(found.total_percent("ets")),
    }


def _activity_uncertainty(found: Uncertainty, index: int) -> dict[str, Any]:
    inputs = [
        {
            "name": each.name,
            "percent": fraction_text(each.percent),
            "origin": "given" if each.is_given else "default",
            "reference": each.source,
            "confidence": each.confidence,
        }
        for each in found.activities[index]
    ]
    return {"uncertainty": _percent(found.activity_percent(index)), "uncertainty_inputs": inputs}


def _percent(value: Decimal | None) -> str | None:
    """A percentage as it is printed; null where what it is of is zero."""
    return None if value is None else decimal_text(Fraction(value), PERCENT_DECIMALS, Rounding.HALF_UP)


def tonnes(value: Fraction) -> str:
    """Tonnes with 12 decimals, half to even."""
    return decimal_text(value, DECIMALS, Rounding.HALF_EVEN)


def _totals(inventory: Inventory, text: Callable[[Fraction], str]) -> dict[str, Any]:
    return {
        "account_tco2e": text(inventory.total("account")),
        "ets_tco2e": text(inventory.total("ets")),
        "by_scope": {scope: text(value) for scope, value in inventory.by_scope().items()},
        "by_gas": {gas: text(value) for gas, value in inventory.by_gas().items()},
        "deductions_tco2e": text(inventory.deductions()),
    }


def _activity(computed: Computed) -> dict[str, Any]:
    activity, found, method = computed.activity, computed.found, computed.method
    assert activity.amount is not None
    named = {"id": activity.id, "fuel": found.fuel, "material": found.material}
    return {
        "source": method.code,
        "name": method.name,
        **{name: value for name, value in named.items() if value is not None},
        "amount": fraction_text(activity.amount),
        "unit": activity.unit,
        "tco2e": tonnes(computed.tco2e),
        "gas": found.linear.gas,
        "by_gas": {gas: tonnes(tco2e) for gas, tco2e in computed.by_gas},
        "scope": method.scope,
        "boundaries": list(computed.boundaries),
        "deduction": method.deduction,
        "formula": method.formula,
        "clause": method.clause,
        "factors": [_factor(value, computed) for value in found.values],
    }


def _factor(value: Value, computed: Computed) -> dict[str, Any]:
    """A figure that was used, the reference null where none is known."""
    result = {"reference": None, **value.description()}
    given = computed.activity.parameters.get(value.name)
    if given is not None and not value.note and value.origin != Origin.GUIDELINE_DEFAULT:
        result["value"] = given.text
    return {name: result.pop(name) for name in ("name", "value", "unit", "origin", "reference")} | result
