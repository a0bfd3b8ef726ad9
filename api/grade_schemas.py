"""The shapes of grades, of what is stated for them, of schemes, shadow runs and objections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accounting.grades.benchmarks import benchmark_table
from accounting.grades.statements import benchmark_names
from api.schemas import Date, Decimal, Page, Shape, Time

Kind = Literal["INDICATIVE", "PUBLISHED", "ANNUAL"]
StageName = Literal["TRIAL", "NOTIFIED", "EFFECTIVE"]
MONTH = r"^(19[7-9]\d|2[01]\d\d)-(0[1-9]|1[0-2])$"
Month = Annotated[str, Field(pattern=MONTH, description="A local calendar month, such as 2026-06.")]
Amount = Annotated[str, Field(pattern=r"^-?\d{1,15}(\.\d{1,12})?$", description="Exact decimal.")]
NotNegative = Annotated[
    str, Field(pattern=r"^\d{1,15}(\.\d{1,12})?$", description="Exact decimal, not negative.")
]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Score = Annotated[str, Field(pattern=r"^-?\d+\.\d{4}$", description="Four places, half to even.")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FigureStatement(_Document):
    """Value added or another denominator of whole months [10⁴ yuan]."""

    denominator: Literal["value_added", "revenue", "output_value", "tax"]
    from_: Month = Field(alias="from")
    to: Month = Field(description="The last month, included.")
    value: Amount | None = Field(description="Null takes back what was stated of these months.")
    constant: Amount | None = Field(default=None, description="At constant prices.")
    provider: Text
    provenance: Literal["reported", "verified", "estimated"] = "reported"

    @model_validator(mode="after")
    def _ordered(self) -> FigureStatement:
        if self.to < self.from_:
            raise ValueError("to lies before from")
        return self


class OutputStatement(_Document):
    """A benchmarked product's month: energy in the benchmark's energy unit, output in its unit of product."""

    product: Id
    month: Month
    energy: Amount | None = Field(description="Null takes the month back.")
    output: NotNegative = "0"


class BenchmarkStatement(_Document):
    """Which benchmark a product has, under which conditions, and which sources its emissions are."""

    product: Id
    benchmark: Annotated[str, Field(max_length=64)] | None = Field(
        description="Id of a benchmark, or its product code: then the mandatory one in force. Null takes it back."
    )
    conditions: dict[Id, Amount] = Field(default_factory=dict, max_length=20)
    sources: list[Id] = Field(default_factory=list, max_length=200)

    @model_validator(mode="after")
    def _known(self) -> BenchmarkStatement:
        if self.benchmark is not None and self.benchmark not in benchmark_names(benchmark_table()):
            raise ValueError(f"no benchmark {self.benchmark!r} is known")
        return self


class FactStatement(_Document):
    """What an override rests on."""

    id: Literal["FALSE_DATA", "QUOTA_DUE", "ACCIDENT"]
    from_: Month = Field(alias="from")
    to: Month | None = Field(default=None, description="The last month, included; null while it isn't over.")
    evidence: Text
    withdrawn: bool = Field(default=False, description="It doesn't hold and never did.")


class EnterpriseStatement(_Document):
    uscc: Annotated[str, Field(max_length=64)]
    figures: list[FigureStatement] = Field(default_factory=list, max_length=1000)
    outputs: list[OutputStatement] = Field(default_factory=list, max_length=1000)
    benchmarks: list[BenchmarkStatement] = Field(default_factory=list, max_length=100)
    facts: list[FactStatement] = Field(default_factory=list, max_length=100)


class GradeStatements(_Document):
    statements: list[EnterpriseStatement] = Field(min_length=1, max_length=1000)
    why: Text


class Stated(Shape):
    kept: int = Field(description="How many differ from what was in force.")


class StatementItem(Shape):
    uscc: str
    kind: str
    document: dict[str, Any]
    at: Time
    by: str
    why: str


class StatementsPage(Page):
    items: list[StatementItem]


class SchemeName(Shape):
    id: str
    version: str
    hash: str


class Period(Shape):
    from_: Month = Field(alias="from")
    to: Month


class SourceItem(Shape):
    source: str
    co2e_t: Decimal
    valid: int
    expected: int


class DenominatorItem(Shape):
    denominator: str
    value: Decimal
    unit: str
    period: Period
    matched_months: int
    co2e_t: Decimal
    providers: list[str]


class BenchmarkItem(Shape):
    product: str
    id: str
    standard: str
    item: str
    unit: str
    value: Score
    levels: list[Decimal | None] = Field(description="Levels 1, 2, 3 under the conditions.")
    corrections: list[str]
    conditions: dict[str, Decimal]
    emissions_t: Decimal
    score: Score
    source: str
    confidence: str
    to_next_label: Score | None = Field(description="By how much the value falls for the next label.")


class PeersItem(Shape):
    step: str
    n: int | None
    max_share: Score | None
    denominator: str
    basis: str
    ratio_t_per_10k_yuan: Decimal
    k: Score
    refused: list[str] = Field(description="Steps that didn't do, with why.")
    source: str | None


class TrendItem(Shape):
    rho: Score
    of: str
    basis: str
    constant_prices: bool | None
    now: Decimal
    before: Decimal


class CapItem(Shape):
    id: str
    cap: str
    why: str


class HysteresisItem(Shape):
    prev: str | None
    held: str
    streak: list[Score | None]
    applied: bool


class UnitItem(Shape):
    of: str
    unit: str
    from_: Score = Field(alias="from")
    by: Score


class DistanceItem(Shape):
    to_label: str
    to_score: Score
    d_score: Score
    d_tco2e: Decimal | None = Field(description="Null: reducing emissions alone doesn't reach it.")
    d_share: Score | None
    d_unit: list[UnitItem]
    blocked_by: list[str]


class SideItem(Shape):
    ratio_t_per_10k_yuan: Decimal
    label: str


class SignatureItem(Shape):
    alg: str
    key_id: str
    signature: str


class GradeRecord(Shape):
    id: int
    uscc: str
    kind: Kind
    period: Period
    scheme: SchemeName
    label: str
    label_zh: str
    state: Literal["RATED", "NR", "VERIFYING"]
    provisional: bool
    score: Score | None
    score_exact: str | None = Field(description="S as a fraction.")
    label_by_score: str
    track: str | None
    scores: dict[str, Score]
    weights: dict[str, Decimal]
    emissions_t: Decimal
    emissions_by_source: list[SourceItem]
    factor_sets: list[str]
    coverage: Score | None
    months: int
    matched_months: dict[str, int]
    denominators: list[DenominatorItem]
    benchmarks: list[BenchmarkItem]
    peers: PeersItem | None
    trend: TrendItem | None
    ceilings: list[CapItem]
    overrides: list[CapItem]
    hysteresis: HysteresisItem
    difference_to_reported: Score | None
    side: SideItem | None
    reasons: list[str]
    distance: DistanceItem | None
    input_snapshot_hash: str
    supersedes: int | None
    created_at: Time
    signature: SignatureItem | None


class GradesPage(Page):
    items: list[GradeRecord]


class RankItem(Shape):
    rank: int | None = Field(description="Null: not rated.")
    uscc: str | None = Field(description="Null: this key may not read of it.")
    name_zh: str | None
    label: str
    state: str
    score: Score | None


class RankingPage(Page):
    kind: Kind
    month: Month | None
    rated: int
    items: list[RankItem]


class SchemeItem(Shape):
    id: str
    version: str
    hash: str
    shipped: bool
    in_force: bool = Field(description="It grades the newest closed month.")
    document: dict[str, Any]


class SchemesPage(Page):
    items: list[SchemeItem]


class SchemeEntry(_Document):
    scheme: dict[str, Any] | None = Field(default=None, description="A version to keep (docs/grades.md).")
    adopt: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="`ID VERSION` that grades from a closing month on."
    )
    from_: Month | None = Field(default=None, alias="from")
    why: Text

    @model_validator(mode="after")
    def _whole(self) -> SchemeEntry:
        if (self.adopt is None) != (self.from_ is None):
            raise ValueError("adopt and from go together")
        if self.scheme is None and self.adopt is None:
            raise ValueError("give scheme, adopt, or both")
        return self


class ShadowItem(Shape):
    uscc: str
    month: Month
    label: str
    shadow_label: str
    score: Score | None
    shadow_score: Score | None


class Shadow(Page):
    scheme: SchemeName
    graded: int
    moved: int
    up: int
    down: int
    items: list[ShadowItem] = Field(description="Who would have another label.")


class Attachment(_Document):
    name: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reference: Text = Field(description="Where it is kept.")


class ObjectionEntry(_Document):
    text: Annotated[str, Field(min_length=1, max_length=5000, pattern=r"^[^\x00]*$")]
    attachments: list[Attachment] = Field(default_factory=list, max_length=50)


class ObjectionItem(Shape):
    id: int
    grade: int
    uscc: str
    text: str
    attachments: list[Attachment]
    at: Time
    by: str
    due: Date
    outcome: Literal["UPHELD", "CORRECTED"] | None = Field(description="维持 or 更正; null while it is open.")
    new_grade: int | None
    decided_at: Time | None
    decided_by: str | None
    why: str | None


class ObjectionsPage(Page):
    items: list[ObjectionItem]
