"""The shapes of allowances, of what an enterprise states for them, and of electricity with its certificates."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from accounting.quota.tables import Sector, UnitClass
from api.schemas import Date, Decimal, Page, Ratio, Shape, Time

YEAR_MIN, YEAR_MAX = 2019, 2199
Amount = Annotated[str, Field(pattern=r"^\d{1,15}(\.\d{1,12})?$", description="Exact decimal, not negative.")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Year = Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Figure(_Document):
    """An amount of the whole year, or the product of the registry that counts it."""

    amount: Amount | None = None
    product: Id | None = Field(default=None, description="Its unit is converted: MWh, GJ or t is counted.")

    @model_validator(mode="after")
    def _one(self) -> Figure:
        if (self.amount is None) == (self.product is None):
            raise ValueError("give either amount or product")
        return self


class _Emitting(_Document):
    id: Id
    emissions_t: Amount | None = Field(default=None, description="Of the whole year [t].")
    sources: list[Id] | None = Field(
        default=None, min_length=1, description="Sources of the registry whose ETS entries are its emissions."
    )

    @model_validator(mode="after")
    def _not_both(self) -> _Emitting:
        if self.emissions_t is not None and self.sources is not None:
            raise ValueError("give either emissions_t or sources")
        return self


class UnitStatement(_Emitting):
    unit_class: UnitClass = Field(
        alias="class", description="I coal of 400 MW or more, II below, III gangue, IV gas."
    )
    electricity: Figure = Field(description="MWh: supplied until 2022, generated from 2023 on.")
    heat: Figure | None = Field(default=None, description="GJ supplied.")
    load: Annotated[str, Field(pattern=r"^(0(\.\d{1,12})?|1(\.0{1,12})?)$")] | None = Field(
        default=None, description="Mean share of the rated power."
    )
    correction: Amount | None = Field(
        default=None, description="F itself, where the year's rule isn't to decide."
    )


class LineStatement(_Emitting):
    output: Figure | None = Field(default=None, description="t of hot metal, clinker or liquid metal.")


class QuotaStatement(_Document):
    """What an enterprise states of a compliance year."""

    uscc: Annotated[str, Field(max_length=64)]
    year: Year
    sector: Sector
    units: list[UnitStatement] = Field(default=[], max_length=200, description="Of power.")
    lines: list[LineStatement] = Field(default=[], max_length=200, description="Of steel, cement, aluminium.")
    balance_value: Amount | None = Field(default=None, description="BP, a scenario until it is published.")
    holdings_t: Amount = Field(
        default="0", description="Allowances and offsets held beside the year's own [t]."
    )

    @model_validator(mode="after")
    def _of_its_sector(self) -> QuotaStatement:
        is_power = self.sector is Sector.POWER
        if is_power and (self.lines or not self.units):
            raise ValueError("power has units, and no lines")
        if not is_power and (self.units or not self.lines):
            raise ValueError(f"{self.sector} has lines, and no units")
        ids = [each.id for each in (*self.units, *self.lines)]
        if len(ids) != len(set(ids)):
            raise ValueError("ids of units and lines differ")
        return self


class QuotaStatements(_Document):
    statements: list[QuotaStatement] = Field(min_length=1, max_length=2000)
    why: Text = Field(description="Kept with the statements.")


class QuotaStatementItem(Shape):
    id: int
    uscc: str
    year: int
    at: Time
    by: str
    why: str
    statement: dict[str, Any]


class QuotaStatementsPage(Page):
    items: list[QuotaStatementItem]


class QuotaMark(Shape):
    """Where a figure of the plans is from, and how sure it is."""

    status: Literal["final", "draft"]
    source: str
    confidence: Literal["H", "M", "L"]


class UnitAllowanceItem(Shape):
    id: str
    unit_class: UnitClass = Field(alias="class")
    electricity_mwh: Decimal
    heat_gj: Decimal
    load_factor: Decimal
    electricity_t: Decimal
    heat_t: Decimal
    allowance_t: Decimal
    raised: bool = Field(description="A gas unit lifted to its emissions.")
    benchmark: Decimal
    heat_benchmark: Decimal
    basis: Literal["supplied", "generated"]
    marks: list[QuotaMark]


class LineAllowanceItem(Shape):
    id: str
    emissions_t: Decimal
    output_t: Decimal | None
    intensity: Decimal | None
    balance_value: Decimal | None
    deviation: Decimal | None = Field(description="X = (BP − I) ÷ BP.")
    alpha: Decimal
    allowance_t: Decimal
    marks: list[QuotaMark]


class Spread(Shape):
    p10: Decimal
    p50: Decimal
    p90: Decimal


class ForecastItem(Shape):
    emissions_t: Spread
    way: Literal["nothing_left", "year_before", "recent_days"]
    known_days: int
    days_left: int


class BoundaryTotals(Shape):
    """Of the year so far. No total is derived from the other: each lists its sources."""

    account_t: Decimal | None
    account_coverage: Ratio | None
    ets_t: Decimal | None
    ets_coverage: Ratio | None
    sources: list[BoundarySource]


class BoundarySource(Shape):
    source: str
    account_t: Decimal | None
    ets_t: Decimal | None
    boundaries: list[Literal["account", "ets"]]


class WarningItem(Shape):
    band: Literal["none", "yellow", "orange", "red"]
    share: Decimal | None = Field(description="The gap ÷ the emissions, by P50.")
    raised: bool = Field(description="One band up: surrender is near.")
    days_to_surrender: int
    source: str
    confidence: Literal["H", "M", "L"]


class DueItem(Shape):
    day: Date
    event: str
    period: str
    is_alarm: bool
    days_left: int


class Quota(Shape):
    uscc: str
    year: int
    sector: Sector | None
    statement: QuotaStatementItem | None
    totals: BoundaryTotals
    forecast: ForecastItem | None
    units: list[UnitAllowanceItem]
    lines: list[LineAllowanceItem]
    floor_t: Decimal | None = Field(description="Power: the least an entity is due, by its emissions.")
    allowance_t: Decimal | None = Field(description="For the whole year, by P50 where it hasn't ended.")
    holdings_t: Decimal | None
    gap_t: Spread | None = Field(description="Emissions − allowances − holdings: above zero, lacking.")
    warning: WarningItem | None
    lacking: list[str] = Field(description="Why something above is null.")
    calendar: list[DueItem]
    tables: str = Field(description="Hash of the tables that this was computed by.")


def _written_out(given: object) -> object:
    """Pydantic reads a number as the seconds since 1970; who sent one meant something else."""
    if not isinstance(given, str):
        raise ValueError("is no date such as 2024-06-30")
    return given


class CertificateEntry(_Document):
    number: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._/-]+$")]
    year: Year = Field(description="Calendar year of the electricity.")
    mwh: Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")] = Field(
        default="1", description="One is 1 MWh; more than 0."
    )
    retired_on: Annotated[date, BeforeValidator(_written_out)]
    evidence: Text

    @field_validator("mwh")
    @classmethod
    def _certifies_something(cls, mwh: str) -> str:
        if not mwh.strip("0."):
            raise ValueError("a certificate of no electricity counts for nothing; give more than 0 MWh")
        return mwh


class CertificateEntries(_Document):
    certificates: list[CertificateEntry] = Field(min_length=1, max_length=10_000)


class CertificateVoid(_Document):
    number: Annotated[str, Field(min_length=1, max_length=100)]
    why: Text


class CertificateItem(Shape):
    number: str
    uscc: str
    year: int
    mwh: Decimal
    retired_on: Date
    evidence: str
    at: Time
    by: str
    voided_at: Time | None
    voided_by: str | None
    void_why: str | None


class CertificatesPage(Page):
    items: list[CertificateItem]


class CertificatesTaken(Shape):
    new: int
    known: int = Field(description="Entered already, the same in every field.")


class Electricity(Shape):
    """Purchased electricity of a year, location- and market-based. The trading obligation has neither."""

    uscc: str
    year: int
    purchased_mwh: Decimal | None
    certified_mwh: Decimal = Field(description="Of retired certificates of this calendar year.")
    idle_mwh: Decimal | None = Field(description="Certified beyond what was bought.")
    location_tco2e: Decimal | None = Field(description="As in the account.")
    market_tco2e: Decimal | None
    market_factor: dict[str, Any] | None = Field(
        description="What isn't covered is counted by it [tCO2/MWh]."
    )


BoundaryTotals.model_rebuild()
