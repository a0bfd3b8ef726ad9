"""The shapes of a bank's loans and of the emissions that they finance."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounting.finance.rules import EXCLUSIONS
from api.schemas import Decimal, Ratio, Shape

LOANS_MAX = 10_000
Money = Annotated[
    str, Field(pattern=r"^\d{1,18}(\.\d{1,6})?$", description="Exact decimal [CNY], not negative.")
]
Tonnes = Annotated[str, Field(pattern=r"^\d{1,15}(\.\d{1,12})?$", description="Exact decimal [tCO2e].")]


class DenominatorCode(StrEnum):
    EQUITY_PLUS_DEBT = "equity_plus_debt"
    EVIC = "evic"
    TOTAL_ASSETS = "total_assets"
    REVENUE = "revenue"
    PROJECT_TOTAL = "project_total"


class OptionCode(StrEnum):
    """How emissions were come by that the list gives itself."""

    VERIFIED = "verified"
    REPORTED = "reported"
    ENERGY = "energy"
    PRODUCTION = "production"
    REVENUE = "revenue"
    SECTOR = "sector"


class BalanceBasis(StrEnum):
    YEAR_END = "year_end"
    AVERAGE = "average"


ExclusionCode = Literal["small_amount", "small_enterprise", "person", "overseas", "other_sector"]
assert ExclusionCode.__args__ == EXCLUSIONS  # type: ignore[attr-defined]


class LoanEntry(BaseModel):
    """A loan: the borrower by its USCC, or with emissions of its own."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=64)]
    uscc: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="The borrower.")
    year_end: Money | None = Field(default=None, description="Balance at the year's end.")
    average: Money | None = Field(default=None, description="Mean balance of the year's months.")
    denominator: DenominatorCode | None = Field(default=None, description="Left out: the request's.")
    equity: Money | None = None
    debt: Money | None = None
    evic: Money | None = None
    total_assets: Money | None = None
    revenue: Money | None = None
    project_total: Money | None = None
    emissions_t: Tonnes | None = Field(default=None, description="Instead of the account's.")
    option: OptionCode | None = Field(default=None, description="How emissions_t was come by.")
    size: Literal["large", "medium", "small", "micro"] | None = None
    is_person: bool = False
    is_overseas: bool = False
    in_eight_sectors: bool = True

    @model_validator(mode="after")
    def _emissions_of_somebody(self) -> LoanEntry:
        if (self.emissions_t is None) != (self.option is None):
            raise ValueError("emissions_t and option stand together")
        if self.uscc is None and self.emissions_t is None:
            raise ValueError("give the borrower's uscc, or emissions_t with option")
        return self


class Portfolio(BaseModel):
    """A list of loans and how they are to be counted."""

    model_config = ConfigDict(extra="forbid")

    year: Annotated[int, Field(ge=1970, le=2199, description="Local calendar year of the emissions.")]
    denominator: DenominatorCode = DenominatorCode.EQUITY_PLUS_DEBT
    balance: BalanceBasis = BalanceBasis.YEAR_END
    include: list[ExclusionCode] = Field(default=[], description="Exclusions that are switched off.")
    loans: list[LoanEntry] = Field(min_length=1, max_length=LOANS_MAX)

    @model_validator(mode="after")
    def _loans(self) -> Portfolio:
        seen: set[str] = set()
        for number, loan in enumerate(self.loans):
            if loan.id in seen:
                raise ValueError(f"loans[{number}].id {loan.id!r} stands twice")
            seen.add(loan.id)
            if getattr(loan, self.balance) is None:
                raise ValueError(f"loans[{number}].{self.balance} is needed: the balance counts by it")
        return self


class FinancedItem(Shape):
    id: str
    uscc: str | None
    amount: Decimal
    denominator: DenominatorCode
    emissions_t: Decimal | None
    origin: Literal["ledger", "statement", "given"] | None = Field(
        description="From the account's ledger, from what was stated of the year, or given in the list."
    )
    coverage: Ratio | None = Field(description="Of the ledger's year.")
    attribution: Decimal | None
    financed_t: Decimal | None
    capped: bool = Field(description="The loan is above its denominator: it counts as the whole.")
    option: OptionCode | None
    pcaf_option: str | None
    pcaf_score: int | None
    method: str | None
    method_score: int | None
    reason: str | None = Field(description="Why it isn't counted.")


class FinancedTotals(Shape):
    loans: int
    counted: int
    amount: Decimal
    counted_amount: Decimal
    financed_t: Decimal
    pcaf_score: Decimal | None = Field(description="Weighted by the amounts outstanding.")
    method_score: Decimal | None = Field(description="Weighted by financed emissions.")


class FinanceMark(Shape):
    code: str
    source: str
    confidence: Literal["H", "M", "L"]


class FinancedAnswer(Shape):
    year: int
    balance: BalanceBasis
    items: list[FinancedItem]
    totals: FinancedTotals
    marks: list[FinanceMark] = Field(
        description="Denominators, options and exclusions that were used, with their sources."
    )
    rules: str = Field(description="Hash of the rules that this was computed by.")
