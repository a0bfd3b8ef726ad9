"""The shapes of the answers, for the OpenAPI document. Handlers write JSON directly; tests hold it against these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.errors import KINDS, TYPE_PREFIX
from domain.change import ChangeKind
from domain.validation import CheckRule

Decimal = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", description="Exact decimal.")]
Ratio = Annotated[
    str,
    Field(
        pattern=r"^(0(\.\d{1,6})?|1)$",
        description="Share of what was expected, rounded down to six decimals.",
    ),
]
Time = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339 with an offset.")
]
Date = Annotated[str, Field(json_schema_extra={"format": "date"}, description="Local day.")]
QualityName = Literal["missing", "estimated", "interpolated", "measured"]
FlagName = Literal[
    "gap", "rollover", "reset", "restart", "replaced", "negative", "late", "conflict", "implausible", "substituted",
    "receipt_time",
]  # fmt: skip


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorItem(Shape):
    place: str = Field(
        description="Parameter or field that is at fault; empty where it is the request as such."
    )
    message: str
    sheet: str | None = Field(default=None, description="Of a file: the sheet, null in CSV.")
    row: int | None = Field(default=None, description="Of a file: the row, the first is 1.")
    column: str | None = Field(default=None, description="Of a file: the column in letters.")
    field: str | None = Field(default=None, description="Of a file: what the column holds, by its code.")
    value: str | None = Field(default=None, description="Of a file: what the cell says, shortened.")


class Problem(Shape):
    """RFC 9457 problem details: one shape for everything that is refused or fails."""

    type: str = Field(description=f"{TYPE_PREFIX}…", examples=[f"{TYPE_PREFIX}invalid-request"])
    title: str
    status: int
    detail: str = Field(description="All faults in one text.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[ErrorItem] = Field(min_length=1, description="Every fault.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents, beside the failures that any may have."""
    return {
        status: {"model": Problem, "description": KINDS[status][1]}
        for status in sorted({*statuses, *({429} if 401 in statuses else ()), 500, 503})
    }


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body that a handler reads by itself, with its definitions in their places: in the OpenAPI
    document a reference would lead out of it. Not for shapes that hold themselves.
    """
    definitions = schema.get("$defs", {})

    def filled(node: Any) -> Any:
        if isinstance(node, list):
            return [filled(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = str(node["$ref"]).removeprefix("#/$defs/")
            return {
                **filled(definitions[name]),
                **{key: filled(each) for key, each in node.items() if key != "$ref"},
            }
        return {key: filled(each) for key, each in node.items() if key != "$defs"}

    result: dict[str, Any] = filled(schema)
    return result


class Page(Shape):
    next: str | None = Field(description="Cursor of the next page; null where this is the last.")


class EmissionItem(Shape):
    at: Time
    source: str | None = None
    scope: int | None = None
    gas: str | None = None
    co2e_kg: Decimal | None
    quality: QualityName
    flags: list[FlagName | Literal["suppressed"]]
    coverage: Ratio | None
    factor_set: str | None = Field(description="Hash of the factor set; several are joined by commas.")


class EmissionsPage(Page):
    items: list[EmissionItem]


class ChangedEntries(Shape):
    before_kg: Decimal
    after_kg: Decimal
    difference_kg: Decimal
    entries: int
    superseded: int = Field(description="Of the entries: those that took the place of others.")


class ChangeByWay(Shape):
    way: Literal["new", "gone", "amount", "factor", "amount_and_factor", "quality"]
    entries: int
    difference_kg: Decimal


class FactorValue(Shape):
    model_config = ConfigDict(extra="allow")

    value: str
    unit: str | None = None
    origin: str | None = None
    reference: str | None = None
    edition: str | None = None


class ChangedValue(Shape):
    name: str
    before: FactorValue | None
    after: FactorValue | None


class ChangedField(Shape):
    name: str
    before: Any
    after: Any


class ChangedFactor(Shape):
    entries: int
    difference_kg: Decimal
    values: list[ChangedValue] = Field(description="Values of the factor that are others now.")
    fields: list[ChangedField] = Field(description="What else is another: edition, formula, boundaries …")
    mg_per_unit: dict[str, str | None]


class SourceChange(ChangedEntries):
    source: str
    from_: Time = Field(alias="from")
    to: Time
    ways: list[ChangeByWay]
    factors: list[ChangedFactor]


class RestatementCause(ChangedEntries):
    kind: Literal["arrival", "registry", "factors", "rules"]
    by_whom: str
    why: str
    batch: int | None
    sources: list[SourceChange]


class Restatement(Shape):
    at: Time
    run: int
    rules_version: str
    factor_set: str
    registry_version: int
    causes: list[RestatementCause]


class RestatementsPage(Page):
    items: list[Restatement]


class DifferenceCause(ChangedEntries):
    kind: Literal["arrival", "registry", "factors", "rules"]
    by_whom: str
    why: str
    first_at: Time
    last_at: Time
    runs: int
    ways: list[ChangeByWay]
    factors: list[ChangedFactor]


class SourceDifference(Shape):
    source: str | None = None
    from_: Time = Field(alias="from", description="The first interval that differs begins here.")
    to: Time
    before_kg: Decimal | None
    after_kg: Decimal | None
    difference_kg: Decimal = Field(description="The sum of its causes' differences, exactly.")
    causes: list[DifferenceCause]


class DifferencePage(Page):
    items: list[SourceDifference]


class WindowTotal(Shape):
    co2e_kg: Decimal | None
    quality: QualityName
    flags: list[FlagName]
    coverage: Ratio | None
    factor_set: str | None


class WindowSource(WindowTotal):
    source: str


class Window(Shape):
    from_: Time = Field(alias="from")
    to: Time
    co2e_kg: Decimal | None
    coverage: Ratio | None
    total: WindowTotal
    by_source: list[WindowSource]


class WindowsHead(Shape):
    uscc: str
    at: Time
    boundary: Literal["account", "ets"]


# Names such as "24h" are no Python names.
Windows = create_model(
    "Windows",
    __base__=WindowsHead,
    __doc__="Rolling windows by their names.",
    **{f"window_{name}": (Window, Field(alias=name)) for name in ("24h", "7d", "30d", "12m", "mtd", "ytd")},  # type: ignore[call-overload]
)


class ConsumptionItem(Shape):
    at: Time
    amount: Decimal | None
    unit: str
    quality: QualityName
    flags: list[FlagName]
    coverage: Ratio | None


class ConsumptionPage(Page):
    items: list[ConsumptionItem]


class IntensityItem(Shape):
    at: Time
    product: str
    intensity: Decimal | None = Field(description="kg CO2e per unit of the product, up to 12 decimals.")
    unit: str = Field(description="Unit of the product.")
    co2e_kg: Decimal | None
    amount: Decimal | None = Field(description="Output of the product.")
    quality: QualityName
    flags: list[FlagName]
    coverage: Ratio | None = Field(description="Of the emissions.")
    amount_coverage: Ratio | None = Field(description="Of the output.")
    factor_set: str | None


class IntensityPage(Page):
    items: list[IntensityItem]


class ReadingItem(Shape):
    at: Time
    value: Decimal | None = Field(description="Rounded to the resolution, before the multiplier.")
    sent: Decimal
    quality: Literal["good", "estimate", "invalid"]
    revision: int
    committed_at: Time
    flags: list[FlagName]
    stands: bool = Field(description="Whether the ledger counts it.")
    gateway: str | None = Field(description="USCC/ID of the gateway that sent it.")


class ReadingsPage(Page):
    items: list[ReadingItem]


class EnterpriseItem(Shape):
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    edition: str | None
    grid: str | None
    gb_t_4754: str | None
    district: str | None
    park: str | None
    flags: list[str]


class EnterprisesPage(Page):
    items: list[EnterpriseItem]


class DatedValue(Shape):
    from_: Date | None = Field(alias="from", description="Null: for all time.")
    value: str | list[str] | None


class History(Shape):
    edition: list[DatedValue]
    grid: list[DatedValue]
    district: list[DatedValue]
    park: list[DatedValue]
    flags: list[DatedValue]


class SourceVersionItem(Shape):
    from_: Date | None = Field(alias="from")
    method: str
    fuel: str | None
    material: str | None
    expression: str
    substitution: str | None


class ParameterItem(Shape):
    name: str
    value: Decimal
    unit: str | None
    from_: Date | None = Field(alias="from")
    origin: str | None
    reference: str | None


class SourceItem(Shape):
    id: str
    method: str
    fuel: str | None
    material: str | None
    expression: str
    substitution: str | None
    versions: list[SourceVersionItem]
    parameters: list[ParameterItem]


class BandItem(Shape):
    low: Decimal | None
    high: Decimal | None
    over: Literal["day", "month"]


class ProductVersionItem(Shape):
    from_: Date | None = Field(alias="from")
    unit: str
    expression: str
    band: BandItem | None = Field(description="What the emission is expected within, kg CO2e per unit.")


class ProductItem(Shape):
    id: str
    unit: str
    expression: str
    versions: list[ProductVersionItem]


class CheckItem(Shape):
    id: str
    rule: CheckRule
    main: str | None
    subs: str | None
    product: str | None
    consumption: str | None
    channel: str | None = Field(description="The channel that the limits are for; null: all.")
    tolerance: Decimal | None = Field(description="Null: the rule's own, as for shortest.")
    shortest: str | None = Field(description="ISO 8601.")
    active: bool


class Enterprise(EnterpriseItem):
    history: History
    gateways: list[str]
    meters: list[str]
    sources: list[SourceItem]
    products: list[ProductItem]
    checks: list[CheckItem] = Field(description="What it says of the checks between channels.")


class ParkItem(Shape):
    code: str
    name_zh: str
    name_en: str
    district: str


class ParksPage(Page):
    items: list[ParkItem]


class DerivedItem(Shape):
    function: str
    inputs: dict[str, str]


class ChannelVersionItem(Shape):
    valid_from: Time
    valid_to: Time | None
    quantity: str
    kind: Literal["register", "delta", "rate"]
    unit: str
    multiplier: Decimal
    resolution: Decimal
    modulus: Decimal | None
    max_rate: Decimal | None
    max_gap: str | None
    period: str | None
    snap: bool
    opening: Decimal | None
    closing: Decimal | None


class ChannelItem(Shape):
    id: str
    channel: str
    quantity: str
    kind: Literal["register", "delta", "rate"]
    unit: str = Field(description="Unit of its consumption.")
    derived: DerivedItem | None
    versions: list[ChannelVersionItem]


class CalibrationItem(Shape):
    from_: Date = Field(alias="from")
    until: Date | None
    reference: str | None


class MeterItem(Shape):
    uscc: str
    id: str
    name: str | None
    calibrations: list[CalibrationItem]
    channels: list[ChannelItem]


class MetersPage(Page):
    items: list[MeterItem]


class ChangeItem(Shape):
    id: int
    at: Time
    version: int
    by: str
    why: str
    kind: str
    uscc: str | None
    key: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChangesPage(Page):
    items: list[ChangeItem]


class MeasuredItem(Shape):
    channel: str
    amount: Decimal | None
    unit: str
    quality: QualityName
    flags: list[FlagName]


class TermInput(MeasuredItem):
    as_: str = Field(alias="as")


class TermItem(MeasuredItem):
    sign: Literal[-1, 1]
    inputs: list[TermInput]


class CauseItem(Shape):
    kind: str
    by: str
    why: str
    batch: int | None


class SupersededItem(Shape):
    amount: Decimal | None
    co2e_kg: Decimal | None
    quality: QualityName
    flags: list[FlagName]
    factor: int | None
    committed_at: Time | None


class SubstitutionItem(Shape):
    rule: str | None
    original_kg: Decimal | None = Field(
        description="By the last values before it; null: what it stands for was missing."
    )
    effect_kg: Decimal | None = Field(
        description="What it adds; null where the values before it aren't known."
    )


class GasPart(Shape):
    """What an interval emits of one gas: round_half_even(amount × the factor's mg_per_unit)."""

    gas: str
    co2e_mg: Decimal
    factor: int = Field(description="Its `used_factors` entry, by id.")


class DerivedInterval(Shape):
    at: Time
    amount: Decimal | None
    unit: str | None
    co2e_kg: Decimal | None
    co2e_mg: Decimal | None
    quality: QualityName
    flags: list[FlagName]
    factor: int | None = Field(description="Its `used_factors` entry, by id; of several gases the first's.")
    parts: list[GasPart] = Field(description="By gas, as they are known; `co2e_mg` is their sum.")
    terms: list[TermItem]
    committed_at: Time | None
    rules_version: str | None
    cause: CauseItem | None
    supersedes: SupersededItem | None
    substitution: SubstitutionItem | None


class UsedFactorItem(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int
    factor_set: str
    mg_per_unit: str = Field(description="mg CO2e a unit of amount, exact: an integer or a fraction.")
    formula: str | None
    clause: str | None
    edition: str | None
    factors: list[dict[str, Any]] | None


class ChannelStory(Shape):
    channel: str
    sign: Literal[-1, 1]
    meter: str | None
    unit: str
    input: dict[str, str] | None = Field(description="Which derived channel it is an input of, and as what.")
    derived: DerivedItem | None
    versions: list[ChannelVersionItem]
    readings: list[ReadingItem]


class MissingFactor(Shape):
    """A figure that emissions are missing for want of, on the local days from `from` until `to`."""

    from_: str = Field(alias="from", description="The first local day, such as 2009-01-01.")
    to: str = Field(description="The day after the last.")
    name: str | None = Field(description="Of the parameter; null where something else is wrong.")
    unit: str | None
    fuel: str | None
    material: str | None
    area: str | None = Field(description="Whose electricity factor was looked for: 行政区划代码, or CN.")
    year: int | None = Field(description="The emission year it was looked for.")
    edition: str | None
    why: str
    do: str = Field(description="The next step.")


class Derivation(Shape):
    uscc: str
    source: str
    boundary: Literal["account", "ets"]
    from_: Time = Field(alias="from")
    to: Time
    co2e_kg: Decimal | None
    quality: QualityName
    flags: list[FlagName]
    intervals_known: int
    sum: str
    method: str | None
    expression: str | None
    formula: str | None
    clause: str | None
    edition: str | None
    factor_set: str | None
    rules_version: str | None
    factors: list[dict[str, Any]]
    used_factors: list[UsedFactorItem]
    missing_factors: list[MissingFactor] = Field(
        description="By today's registry and factor set; empty where nothing is missing but readings."
    )
    intervals: list[DerivedInterval]
    channels: list[ChannelStory]
    next: str | None


class GatewayAccount(Shape):
    """`received = stored + held + rejected` at every moment, in readings."""

    received: int
    stored: int
    held: int
    rejected: int
    duplicates: int
    conflicts: int


class DeadLetterItem(Shape):
    id: int
    received_at: Time
    reason: str
    topic: str
    gateway: str | None = Field(description="USCC/ID; null: on no account.")
    size: int = Field(description="Bytes of the payload.")
    readings: int = Field(description="What it counts on the gateway's account.")
    positions: list[int] | None = Field(description="Which readings of the payload; null: all of it.")
    detail: str
    via: str
    decoder: str
    replayed_at: Time | None


class DeadLettersPage(Page):
    items: list[DeadLetterItem]


class HeldItem(Shape):
    id: int
    received_at: Time
    reason: str
    topic: str
    gateway: str
    channel: str
    at: Time
    sent: Decimal
    quality: Literal["good", "estimate", "invalid"]
    revision: int
    detail: str


class HeldPage(Page):
    items: list[HeldItem]


class Done(Shape):
    """What an action did, in readings or letters."""

    model_config = ConfigDict(extra="allow")


class Live(Shape):
    state: Literal["live"]
    version: str
    mode: Literal["timescale", "plain"] | None


class ServiceItem(Shape):
    name: str
    pid: int
    started_at: Time
    beat_at: Time
    fresh: bool
    ready: bool
    detail: dict[str, Any]


class Ready(Shape):
    state: Literal["ready"]
    mode: Literal["timescale", "plain"]
    version: str
    versions: dict[str, str]
    services: list[ServiceItem]


class Version(Shape):
    version: str
    api: int
    mode: Literal["timescale", "plain"]
    versions: dict[str, str]
    registry_version: int
    rules_version: str
    factor_set: str
    ledger_rules_version: str | None
    ledger_factor_set: str | None
    zone: str


class PublishedReport(Shape):
    id: int
    uscc: str
    year: int
    as_of: Time = Field(description="The books as of this moment.")
    published_at: Time
    by: str
    why: str
    sha256: str = Field(description="Of the report, as it says itself.")
    account_kg: Decimal | None
    ets_kg: Decimal | None


class PublishedReportsPage(Page):
    items: list[PublishedReport]


class ReportTotalChange(Shape):
    boundary: Literal["account", "ets"]
    published_kg: Decimal | None
    present_kg: Decimal | None
    difference_kg: Decimal


class ReportSourceChange(ReportTotalChange):
    source: str


class ReportDifferences(Shape):
    id: int
    uscc: str
    year: int
    published_as_of: Time
    present_as_of: Time
    differs: bool = Field(description="Whether the ledger says anything else, though its sums be the same.")
    totals: list[ReportTotalChange]
    sources: list[ReportSourceChange]
    explained_by: dict[str, str] = Field(description="By boundary: the request that tells the causes.")


# -- evidence -----------------------------------------------------------------------------------------


class PublicKey(Shape):
    alg: str = Field(description="Of the signatures; ed25519.")
    key_id: str
    public_key: str = Field(description="Base64.")


class EvidenceKey(PublicKey):
    first_used_at: Time
    retired_at: Time | None = Field(description="Rotated: it signs no more; what it signed still holds.")
    verifier_key: str = Field(description="NAME+HASH+KEY, for verifiers of signed notes.")


class EvidenceKeys(Shape):
    origin: str = Field(description="The log's name in its checkpoints.")
    items: list[EvidenceKey]


class EvidenceCheckpoint(Shape):
    origin: str
    size: int = Field(description="Leaves.")
    root: str = Field(description="Base64.")
    signed_at: Time
    key_id: str
    note: str = Field(description="The signed note, as C2SP tlog-checkpoint describes it.")


class EvidenceLeaf(Shape):
    index: int
    hash: str = Field(description="Hexadecimal SHA-256 of a zero byte and the content.")
    kind: str | None
    reference: str | None
    content: str | None = Field(description="Canonical JSON; null to those who may not read it.")


class ProvenLeaf(Shape):
    index: int
    kind: str
    reference: str
    hash: str
    content: str


class EvidenceProof(Shape):
    format: Literal["carbonmeter/evidence/1"]
    proof: list[str] = Field(description="Hashes in base64, as RFC 9162 orders them.")
    checkpoint: str = Field(description="The signed note that it is proved against.")
    keys: list[PublicKey]


class EvidenceInclusion(EvidenceProof):
    leaf: ProvenLeaf


class EarlierLog(Shape):
    size: int
    root: str
    checkpoint: str | None = Field(description="As it was signed; null where none was of just that size.")


class EvidenceConsistency(EvidenceProof):
    first: EarlierLog


# -- changes ------------------------------------------------------------------------------------------


class FeedItem(Shape):
    id: str = Field(description="The same however often it is told.")
    number: int
    kind: ChangeKind
    at: Time
    uscc: str | None
    from_: Time | None = Field(alias="from", description="The local days that it is about; null: none.")
    to: Time | None
    data: dict[str, Any]


class FeedPage(Shape):
    items: list[FeedItem]
    next: str = Field(description="Where to go on, also where this is all there is now.")


class WebhookItem(Shape):
    id: int
    url: str
    key: str = Field(description="Prefix of the key whose eyes it hears with.")
    kinds: list[ChangeKind] = Field(description="None: all.")
    state: Literal["active", "dead", "removed"]
    cursor: str = Field(description="The last change that it took, or that wasn't for it.")
    attempts: int = Field(description="In vain, for the next one.")
    next_attempt_at: Time
    last_error: str | None
    delivered: int
    delivered_at: Time | None
    created_at: Time
    created_by: str


class WebhooksPage(Page):
    items: list[WebhookItem]


class NewWebhook(WebhookItem):
    secret: str = Field(description="Signs what it is sent; it can't be shown again.")
