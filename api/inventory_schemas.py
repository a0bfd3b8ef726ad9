"""The shapes of an inventory, asked and answered (docs/inventory.md)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Decimal, Shape


class InventoryWarning(Shape):
    place: str = Field(description="activities[2].parameters.ncv; empty where it is the whole inventory.")
    message: str


class InventoryPeriod(Shape):
    from_: str = Field(alias="from")
    to: str


class InventoryFactor(Shape):
    """A figure that was used; what is known of it beside, such as its edition, confidence, area and year."""

    model_config = ConfigDict(extra="allow")

    name: str
    value: str
    unit: str
    origin: str
    reference: str | None
    edition: str | None = None
    confidence: Literal["H", "M", "L"] | None = None
    note: str | None = None


class InputUncertainty(Shape):
    name: str
    percent: Decimal
    origin: Literal["given", "default"]
    reference: str | None
    confidence: Literal["H", "M", "L"] | None


class InventoryActivity(Shape):
    id: str | None = None
    source: str
    name: str
    fuel: str | None = None
    material: str | None = None
    amount: Decimal
    unit: str
    tco2e: Decimal
    gas: str = Field(description="CO2, or several: CO2+CH4.")
    by_gas: dict[str, Decimal]
    scope: int
    boundaries: list[Literal["account", "ets"]]
    deduction: bool
    formula: str
    clause: str
    factors: list[InventoryFactor]
    uncertainty: Decimal | None = Field(
        default=None, description="Relative half-width at 95 % [%], where asked for."
    )
    uncertainty_inputs: list[InputUncertainty] | None = None


class InventoryTotals(Shape):
    account_tco2e: Decimal
    ets_tco2e: Decimal
    by_scope: dict[str, Decimal]
    by_gas: dict[str, Decimal]
    deductions_tco2e: Decimal = Field(description="The part of the account that is deducted, negative.")
    uncertainty: Decimal | None = Field(
        default=None, description="Of the account, relative half-width at 95 % [%], where asked for."
    )
    ets_uncertainty: Decimal | None = None


class Rounded(Shape):
    decimals: int
    mode: Literal["half_up", "half_even"]


class InventoryAnswer(Shape):
    industry: str
    edition: str
    document: str
    period: InventoryPeriod
    enterprise: str | None
    activities: list[InventoryActivity]
    totals: InventoryTotals
    reported: InventoryTotals
    rounding: Rounded
    factor_set: str
    warnings: list[InventoryWarning]


_DECIMAL: dict[str, Any] = {
    "anyOf": [{"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, {"type": "number"}],
    "description": "A decimal text; of a number 15 significant digits are exact.",
}

# What is asked, for the OpenAPI document: the text itself is read by accounting, which lists every fault of it.
DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["industry", "period", "activities"],
    "additionalProperties": False,
    "properties": {
        "industry": {"type": "string"},
        "edition": {"type": "string", "description": "Left out: the industry's own guideline."},
        "period": {
            "type": "object",
            "required": ["from", "to"],
            "properties": {
                "from": {"type": "string", "format": "date"},
                "to": {"type": "string", "format": "date"},
            },
        },
        "district": {"type": "string", "description": "行政区划代码: whose province's electricity factor."},
        "grid": {"type": "string", "description": "province, region, national, or an area code."},
        "uncertainty": {"type": "boolean"},
        "enterprise": {"type": "string"},
        "note": {"type": "string"},
        "activities": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["source", "amount", "unit"],
                "properties": {
                    "source": {"type": "string"},
                    "fuel": {"type": "string"},
                    "material": {"type": "string"},
                    "amount": _DECIMAL,
                    "unit": {"type": "string"},
                    "parameters": {
                        "type": "object",
                        "additionalProperties": {
                            "oneOf": [
                                _DECIMAL,
                                {
                                    "type": "object",
                                    "required": ["value"],
                                    "properties": {
                                        "value": _DECIMAL,
                                        "unit": {"type": "string"},
                                        "origin": {"type": "string"},
                                        "reference": {"type": "string"},
                                    },
                                },
                            ]
                        },
                    },
                    "uncertainty": {
                        "type": "object",
                        "additionalProperties": _DECIMAL,
                        "description": "Relative half-width at 95 % [%], by input.",
                    },
                    "id": {"type": "string"},
                    "note": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "industry": "steel",
        "period": {"from": "2023-01-01", "to": "2024-01-01"},
        "edition": "ndrc-2013",
        "activities": [
            {
                "source": "fuel_combustion",
                "fuel": "bituminous_coal",
                "amount": "1000",
                "unit": "t",
                "parameters": {"ncv": "20.1", "carbon_content": "0.0261", "oxidation_rate": "0.93"},
            },
            {
                "source": "purchased_electricity",
                "amount": "5200",
                "unit": "MWh",
                "parameters": {"emission_factor": "0.5703"},
            },
        ],
    },
}
