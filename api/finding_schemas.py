"""Answers about findings of the checks between channels, and about the rules that find them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas import Decimal, Page, Shape, Time
from domain.validation import CheckRule, FindingState, Severity

Confidence = Literal["H", "M", "L"]


class Explanation(Shape):
    by: str
    text: str


class FindingItem(Shape):
    id: int
    uscc: str
    rule: CheckRule
    name_zh: str
    name_en: str
    severity: Severity
    subject: str = Field(description="METER/CHANNEL, a meter, a source, a product or a check's id.")
    channels: list[str]
    from_: Time = Field(alias="from", description="Beginning of the first interval concerned.")
    to: Time = Field(description="End of the last interval concerned.")
    days: int = Field(description="Local days (or months) on which it was found, one after another.")
    in_doubt_co2e_kg: Decimal = Field(
        description="How much of the account is in doubt; no figure is changed."
    )
    state: FindingState
    holds: bool = Field(description="Whether the rules find it now.")
    explanation: Explanation | None = Field(description="The last that a person gave.")
    found_at: Time
    changed_at: Time = Field(description="When it came to its state, by whom and why.")
    changed_by: str
    why: str


class FindingsPage(Page):
    items: list[FindingItem]


class StateItem(Shape):
    state: FindingState
    at: Time
    by: str = Field(description="A person's or key's name; carbonmeter: the rules.")
    why: str


class Finding(FindingItem):
    evidence: list[dict[str, Any]] = Field(
        description="What its days show, of many the first and the last; amounts are exact decimals."
    )
    history: list[StateItem]


class LimitItem(Shape):
    name: str
    value: Decimal
    unit: Literal["fraction", "intervals", "count", "days"]
    meaning: str


class RuleItem(Shape):
    code: CheckRule
    name_zh: str
    name_en: str
    severity: Severity
    judges: str
    in_doubt: str = Field(description="How the tonnes in doubt are computed.")
    limits: list[LimitItem]
    source: str
    confidence: Confidence


class RulesPage(Page):
    items: list[RuleItem]
