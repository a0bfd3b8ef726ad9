"""Answers about years of enterprises that came as rows of a file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.inventory_schemas import InventoryAnswer, InventoryPeriod
from api.schemas import Decimal, Page, Shape, Time

Outcome = Literal["new", "superseded", "unchanged"]
Provenance = Literal["estimated", "reported", "verified"]


class ImportedYear(Shape):
    uscc: str
    year: int
    outcome: Outcome
    version: int | None = Field(description="The version in force; null where it was only checked.")
    supersedes: int | None
    provenance: Provenance = Field(description="The weakest of its rows.")
    account_tco2e: Decimal
    ets_tco2e: Decimal
    before_account_tco2e: Decimal | None = Field(description="Of the version that it supersedes.")


class HistoryImported(Shape):
    batch: int | None = Field(
        description="Null where nothing was written: all of it was in already, or only checked."
    )
    dry_run: bool
    rows: int
    new: int
    superseded: int
    unchanged: int
    years: list[ImportedYear]


class ProvenanceShare(Shape):
    activities: int
    account_tco2e: Decimal


class Reported(Shape):
    account_tco2e: Decimal
    ets_tco2e: Decimal


class HistoryItem(Shape):
    """A year as the version in force has it. Tonnes of CO2e are decimal strings, exact to 12 decimals."""

    year: int
    version: int
    number: int = Field(description="Which version of the year it is, from 1.")
    supersedes: int | None
    industry: str
    edition: str
    period: InventoryPeriod
    provenance: Provenance = Field(description="The weakest of its rows.")
    account_tco2e: Decimal
    ets_tco2e: Decimal
    deductions_tco2e: Decimal
    by_scope: dict[str, Decimal]
    by_gas: dict[str, Decimal]
    by_provenance: dict[Provenance, ProvenanceShare]
    reported: Reported = Field(description="Rounded as the edition says.")
    activities: int
    warnings: int
    factor_set: str
    at: Time
    by: str
    why: str
    cause: Literal["import", "factors"]
    file: str | None


class HistoryPage(Page):
    items: list[HistoryItem]


class HistoryRow(Shape):
    """An activity as it was sent."""

    sheet: str | None
    row: int
    provenance: Provenance
    sent: dict[str, str] = Field(description="Its cells, by the code of the column.")


class HistoryYear(HistoryItem):
    inventory: InventoryAnswer = Field(description="Its activities are in the order of the rows.")
    rows: list[HistoryRow]
    versions: list[HistoryItem] = Field(description="All versions of the year, the first one first.")


class YearCell(Shape):
    year: int
    version: int | None = Field(description="Null, as all else, where nothing was sent of that year.")
    provenance: Provenance | None
    account_tco2e: Decimal | None
    ets_tco2e: Decimal | None


class CompletenessItem(Shape):
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    district: str | None
    years: list[YearCell]
    missing: list[int]


class CompletenessPage(Page):
    items: list[CompletenessItem]


class TemplateColumn(Shape):
    code: str
    title: str
    hint: str


class TemplateTable(Shape):
    name: str
    header: list[str]
    rows: list[list[str]]


class HistoryTemplate(Shape):
    """What the file forms hold, as values."""

    industry: str
    edition: str
    columns: list[TemplateColumn]
    lists: dict[str, list[str]] = Field(description="By column: what its cells may be chosen from.")
    tables: list[TemplateTable]
