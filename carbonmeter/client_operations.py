"""The operations of the HTTP API with their types, made by `python -m carbonmeter.typed_clients`.

Not to be edited. `carbonmeter.client` has the clients that these are operations of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote


class Activity(TypedDict):
    source: str
    method: str
    name_zh: str
    name_en: str
    fuel: str | None
    material: str | None
    expression: str
    unit: str
    amount: str | None
    converted: str | None
    converted_unit: str | None
    months: list[MonthAmount]
    origins: list[ChannelOrigin]
    substitution: str | None


AggregateBy = Literal["scope", "total"]

AnswerFormat = Literal["json", "csv"]


class Attachment(TypedDict):
    name: str
    sha256: str
    reference: str


BalanceBasis = Literal["year_end", "average"]


class BandItem(TypedDict):
    low: str | None
    high: str | None
    over: Literal["day", "month"]


class BenchmarkItem(TypedDict):
    product: str
    id: str
    standard: str
    item: str
    unit: str
    value: str
    levels: list[str | None]
    corrections: list[str]
    conditions: dict[str, str]
    emissions_t: str
    score: str
    source: str
    confidence: str
    to_next_label: str | None


class BenchmarkStatement(TypedDict):
    product: str
    benchmark: str | None
    conditions: NotRequired[dict[str, Any]]
    sources: NotRequired[list[str]]


Boundary = Literal["account", "ets"]


class BoundarySource(TypedDict):
    source: str
    account_t: str | None
    ets_t: str | None
    boundaries: list[Literal["account", "ets"]]


class BoundaryTotals(TypedDict):
    account_t: str | None
    account_coverage: str | None
    ets_t: str | None
    ets_coverage: str | None
    sources: list[BoundarySource]


By = Literal["source", "scope", "gas", "total"]

CalibrationItem = TypedDict(
    "CalibrationItem", {"from": "str", "until": "str | None", "reference": "str | None"}
)


class CapItem(TypedDict):
    id: str
    cap: str
    why: str


class CauseItem(TypedDict):
    kind: str
    by: str
    why: str
    batch: int | None


class CertificateEntries(TypedDict):
    certificates: list[CertificateEntry]


class CertificateEntry(TypedDict):
    number: str
    year: int
    mwh: NotRequired[str]
    retired_on: str
    evidence: str


class CertificateItem(TypedDict):
    number: str
    uscc: str
    year: int
    mwh: str
    retired_on: str
    evidence: str
    at: str
    by: str
    voided_at: str | None
    voided_by: str | None
    void_why: str | None


class CertificateVoid(TypedDict):
    number: str
    why: str


class CertificatesPage(TypedDict):
    next: str | None
    items: list[CertificateItem]


class CertificatesTaken(TypedDict):
    new: int
    known: int


class ChangeByWay(TypedDict):
    way: Literal["new", "gone", "amount", "factor", "amount_and_factor", "quality"]
    entries: int
    difference_kg: str


class ChangeItem(TypedDict):
    id: int
    at: str
    version: int
    by: str
    why: str
    kind: str
    uscc: str | None
    key: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


ChangeKind = Literal[
    "enterprise.registered",
    "enterprise.changed",
    "month.restated",
    "report.published",
    "finding.changed",
    "period.closed",
    "grade.recorded",
    "quota.warned",
]


class ChangedFactor(TypedDict):
    entries: int
    difference_kg: str
    values: list[ChangedValue]
    fields: list[ChangedField]
    mg_per_unit: dict[str, str | None]


class ChangedField(TypedDict):
    name: str
    before: Any
    after: Any


class ChangedValue(TypedDict):
    name: str
    before: FactorValue | None
    after: FactorValue | None


class ChangesPage(TypedDict):
    next: str | None
    items: list[ChangeItem]


class ChannelItem(TypedDict):
    id: str
    channel: str
    quantity: str
    kind: Literal["register", "delta", "rate"]
    unit: str
    derived: DerivedItem | None
    versions: list[ChannelVersionItem]


class ChannelOrigin(TypedDict):
    channel: str
    sign: int
    meter: str | None
    quantity: str
    kind: str
    unit: str
    multiplier: str | None
    resolution: str | None
    derived: str | None


class ChannelStory(TypedDict):
    channel: str
    sign: Literal[-1, 1]
    meter: str | None
    unit: str
    input: dict[str, str] | None
    derived: DerivedItem | None
    versions: list[ChannelVersionItem]
    readings: list[ReadingItem]


class ChannelVersionItem(TypedDict):
    valid_from: str
    valid_to: str | None
    quantity: str
    kind: Literal["register", "delta", "rate"]
    unit: str
    multiplier: str
    resolution: str
    modulus: str | None
    max_rate: str | None
    max_gap: str | None
    period: str | None
    snap: bool
    opening: str | None
    closing: str | None


class CheckItem(TypedDict):
    id: str
    rule: CheckRule
    main: str | None
    subs: str | None
    product: str | None
    consumption: str | None
    channel: str | None
    tolerance: str | None
    shortest: str | None
    active: bool


CheckRule = Literal[
    "main_against_subs",
    "register_against_delta",
    "siblings_present",
    "multiplier_jump",
    "frozen_value",
    "no_consumption",
    "prolonged_estimation",
    "out_of_calibration",
    "product_band",
]

Choice = TypedDict(
    "Choice",
    {
        "ids": "NotRequired[list[int] | None]",
        "reason": "NotRequired[str | None]",
        "gateway": "NotRequired[str | None]",
        "from": "NotRequired[str | None]",
    },
)


class CompletenessItem(TypedDict):
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    district: str | None
    years: list[YearCell]
    missing: list[int]


class CompletenessPage(TypedDict):
    next: str | None
    items: list[CompletenessItem]


class ConsentItem(TypedDict):
    id: int
    uscc: str
    consumer: str
    purpose: str
    fields: list[DomainAccessPart]
    periods: list[ConsentPeriod]
    granted_by: str
    legal_text_alg: str
    legal_text_hash: str
    recorded_at: str
    recorded_by: str
    valid_from: str
    valid_to: str | None
    revoked_at: str | None
    revoked_by: str | None
    revoked_why: str | None
    state: Literal["valid", "not yet", "ended", "revoked"]


ConsentPeriod = TypedDict("ConsentPeriod", {"from": "str", "to": "str"})


class ConsentsPage(TypedDict):
    next: str | None
    items: list[ConsentItem]


class ConsumptionItem(TypedDict):
    at: str
    amount: str | None
    unit: str
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    coverage: str | None


class ConsumptionPage(TypedDict):
    next: str | None
    items: list[ConsumptionItem]


DatedValue = TypedDict("DatedValue", {"from": "str | None", "value": "str | list[str] | None"})


class DeadLetterItem(TypedDict):
    id: int
    received_at: str
    reason: str
    topic: str
    gateway: str | None
    size: int
    readings: int
    positions: list[int] | None
    detail: str
    via: str
    decoder: str
    replayed_at: str | None


class DeadLettersPage(TypedDict):
    next: str | None
    items: list[DeadLetterItem]


DenominatorCode = Literal["equity_plus_debt", "evic", "total_assets", "revenue", "project_total"]


class DenominatorItem(TypedDict):
    denominator: str
    value: str
    unit: str
    period: Period
    matched_months: int
    co2e_t: str
    providers: list[str]


Derivation = TypedDict(
    "Derivation",
    {
        "uscc": "str",
        "source": "str",
        "boundary": 'Literal["account", "ets"]',
        "from": "str",
        "to": "str",
        "co2e_kg": "str | None",
        "quality": 'Literal["missing", "estimated", "interpolated", "measured"]',
        "flags": 'list[Literal["gap", "rollover", "reset", "restart", "replaced", "negative", "late", "conflict", "implausible", "substituted", "receipt_time"]]',
        "intervals_known": "int",
        "sum": "str",
        "method": "str | None",
        "expression": "str | None",
        "formula": "str | None",
        "clause": "str | None",
        "edition": "str | None",
        "factor_set": "str | None",
        "rules_version": "str | None",
        "factors": "list[dict[str, Any]]",
        "used_factors": "list[UsedFactorItem]",
        "missing_factors": "list[MissingFactor]",
        "intervals": "list[DerivedInterval]",
        "channels": "list[ChannelStory]",
        "next": "str | None",
    },
)


class DerivedInterval(TypedDict):
    at: str
    amount: str | None
    unit: str | None
    co2e_kg: str | None
    co2e_mg: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    factor: int | None
    parts: list[GasPart]
    terms: list[TermItem]
    committed_at: str | None
    rules_version: str | None
    cause: CauseItem | None
    supersedes: SupersededItem | None
    substitution: SubstitutionItem | None


class DerivedItem(TypedDict):
    function: str
    inputs: dict[str, str]


DifferenceBy = Literal["source", "total"]


class DifferenceCause(TypedDict):
    before_kg: str
    after_kg: str
    difference_kg: str
    entries: int
    superseded: int
    kind: Literal["arrival", "registry", "factors", "rules"]
    by_whom: str
    why: str
    first_at: str
    last_at: str
    runs: int
    ways: list[ChangeByWay]
    factors: list[ChangedFactor]


class DifferencePage(TypedDict):
    next: str | None
    items: list[SourceDifference]


class DistanceItem(TypedDict):
    to_label: str
    to_score: str
    d_score: str
    d_tco2e: str | None
    d_share: str | None
    d_unit: list[UnitItem]
    blocked_by: list[str]


Done = dict[str, Any]


class DueItem(TypedDict):
    day: str
    event: str
    period: str
    is_alarm: bool
    days_left: int


class EarlierLog(TypedDict):
    size: int
    root: str
    checkpoint: str | None


class EditionInForce(TypedDict):
    boundary: str
    edition: str
    document: str
    confidence: str
    first_day: str
    last_day: str


class Electricity(TypedDict):
    uscc: str
    year: int
    purchased_mwh: str | None
    certified_mwh: str
    idle_mwh: str | None
    location_tco2e: str | None
    market_tco2e: str | None
    market_factor: dict[str, Any] | None


class EmissionItem(TypedDict):
    at: str
    source: NotRequired[str | None]
    scope: NotRequired[int | None]
    gas: NotRequired[str | None]
    co2e_kg: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
        | Literal["suppressed"]
    ]
    coverage: str | None
    factor_set: str | None


class EmissionLine(TypedDict):
    source: str
    method: str
    name_zh: str
    name_en: str
    fuel: str | None
    material: str | None
    gas: str
    scope: int
    deduction: bool
    account_kg: str | None
    account_tco2e: str | None
    ets_kg: str | None
    ets_tco2e: str | None


class EmissionsPage(TypedDict):
    next: str | None
    items: list[EmissionItem]


class EnergyLine(TypedDict):
    source: str
    carrier: str
    direction: str
    amount: str | None
    unit: str
    tco2e_per_unit: str | None
    account_tco2e: str | None


class Enterprise(TypedDict):
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
    history: History
    gateways: list[str]
    meters: list[str]
    sources: list[ApiSchemasSourceItem]
    products: list[ProductItem]
    checks: list[CheckItem]


class EnterpriseItem(TypedDict):
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


class EnterpriseStatement(TypedDict):
    uscc: str
    figures: NotRequired[list[FigureStatement]]
    outputs: NotRequired[list[OutputStatement]]
    benchmarks: NotRequired[list[BenchmarkStatement]]
    facts: NotRequired[list[FactStatement]]


class EnterprisesPage(TypedDict):
    next: str | None
    items: list[EnterpriseItem]


class ErrorItem(TypedDict):
    place: str
    message: str
    sheet: NotRequired[str | None]
    row: NotRequired[int | None]
    column: NotRequired[str | None]
    field: NotRequired[str | None]
    value: NotRequired[str | None]


class EvidenceCheckpoint(TypedDict):
    origin: str
    size: int
    root: str
    signed_at: str
    key_id: str
    note: str


class EvidenceConsistency(TypedDict):
    format: Literal["carbonmeter/evidence/1"]
    proof: list[str]
    checkpoint: str
    keys: list[PublicKey]
    first: EarlierLog


class EvidenceInclusion(TypedDict):
    format: Literal["carbonmeter/evidence/1"]
    proof: list[str]
    checkpoint: str
    keys: list[PublicKey]
    leaf: ProvenLeaf


class EvidenceKey(TypedDict):
    alg: str
    key_id: str
    public_key: str
    first_used_at: str
    retired_at: str | None
    verifier_key: str


class EvidenceKeys(TypedDict):
    origin: str
    items: list[EvidenceKey]


class EvidenceLeaf(TypedDict):
    index: int
    hash: str
    kind: str | None
    reference: str | None
    content: str | None


class Explanation(TypedDict):
    by: str
    text: str


FactStatement = TypedDict(
    "FactStatement",
    {
        "id": 'Literal["FALSE_DATA", "QUOTA_DUE", "ACCIDENT"]',
        "from": "str",
        "to": "NotRequired[str | None]",
        "evidence": "str",
        "withdrawn": "NotRequired[bool]",
    },
)


class FactorUsed(TypedDict):
    source: str
    method: str
    gas: str
    boundaries: list[str]
    formula: str | None
    clause: str | None
    edition: str | None
    document: str | None
    confidence: str | None
    first_day: str
    last_day: str
    amount: str
    unit: str
    tco2e_per_amount: str | None
    amount_unit: str | None
    tco2e: str
    provisional: bool
    figures: list[FigureUsed]
    passed_over: list[str]
    factor_set: str


class FactorValue(TypedDict):
    value: str
    unit: NotRequired[str | None]
    origin: NotRequired[str | None]
    reference: NotRequired[str | None]
    edition: NotRequired[str | None]


FeedItem = TypedDict(
    "FeedItem",
    {
        "id": "str",
        "number": "int",
        "kind": "ChangeKind",
        "at": "str",
        "uscc": "str | None",
        "from": "str | None",
        "to": "str | None",
        "data": "dict[str, Any]",
    },
)


class FeedPage(TypedDict):
    items: list[FeedItem]
    next: str


class Figure(TypedDict):
    amount: NotRequired[str | None]
    product: NotRequired[str | None]


FigureStatement = TypedDict(
    "FigureStatement",
    {
        "denominator": 'Literal["value_added", "revenue", "output_value", "tax"]',
        "from": "str",
        "to": "str",
        "value": "str | None",
        "constant": "NotRequired[str | None]",
        "provider": "str",
        "provenance": 'NotRequired[Literal["reported", "verified", "estimated"]]',
    },
)


class FigureUsed(TypedDict):
    name: str
    value: str
    unit: str
    origin: str | None
    reference: str | None
    edition: str | None
    confidence: str | None
    valid_from: str | None
    valid_to: str | None
    area: str | None
    year: int | None
    provisional: bool
    note: str | None


class FinanceMark(TypedDict):
    code: str
    source: str
    confidence: Literal["H", "M", "L"]


class FinancedAnswer(TypedDict):
    year: int
    balance: BalanceBasis
    items: list[FinancedItem]
    totals: FinancedTotals
    marks: list[FinanceMark]
    rules: str


class FinancedItem(TypedDict):
    id: str
    uscc: str | None
    amount: str
    denominator: DenominatorCode
    emissions_t: str | None
    origin: Literal["ledger", "statement", "given"] | None
    coverage: str | None
    attribution: str | None
    financed_t: str | None
    capped: bool
    option: OptionCode | None
    pcaf_option: str | None
    pcaf_score: int | None
    method: str | None
    method_score: int | None
    reason: str | None


class FinancedTotals(TypedDict):
    loans: int
    counted: int
    amount: str
    counted_amount: str
    financed_t: str
    pcaf_score: str | None
    method_score: str | None


Finding = TypedDict(
    "Finding",
    {
        "id": "int",
        "uscc": "str",
        "rule": "CheckRule",
        "name_zh": "str",
        "name_en": "str",
        "severity": "Severity",
        "subject": "str",
        "channels": "list[str]",
        "from": "str",
        "to": "str",
        "days": "int",
        "in_doubt_co2e_kg": "str",
        "state": "FindingState",
        "holds": "bool",
        "explanation": "Explanation | None",
        "found_at": "str",
        "changed_at": "str",
        "changed_by": "str",
        "why": "str",
        "evidence": "list[dict[str, Any]]",
        "history": "list[StateItem]",
    },
)

FindingItem = TypedDict(
    "FindingItem",
    {
        "id": "int",
        "uscc": "str",
        "rule": "CheckRule",
        "name_zh": "str",
        "name_en": "str",
        "severity": "Severity",
        "subject": "str",
        "channels": "list[str]",
        "from": "str",
        "to": "str",
        "days": "int",
        "in_doubt_co2e_kg": "str",
        "state": "FindingState",
        "holds": "bool",
        "explanation": "Explanation | None",
        "found_at": "str",
        "changed_at": "str",
        "changed_by": "str",
        "why": "str",
    },
)


class FindingLine(TypedDict):
    id: int
    rule: str
    name_zh: str
    name_en: str
    severity: str
    subject: str
    channels: list[str]
    begins_at: str
    ends_at: str
    days: int
    doubt_tco2e: str
    state: str
    said_by: str | None
    explanation: str | None


FindingState = Literal["open", "explained", "settled"]


class FindingsPage(TypedDict):
    next: str | None
    items: list[FindingItem]


class ForecastItem(TypedDict):
    emissions_t: Spread
    way: Literal["nothing_left", "year_before", "recent_days"]
    known_days: int
    days_left: int


class GasPart(TypedDict):
    gas: str
    co2e_mg: str
    factor: int


class GatewayAccount(TypedDict):
    received: int
    stored: int
    held: int
    rejected: int
    duplicates: int
    conflicts: int


class GradeRecord(TypedDict):
    id: int
    uscc: str
    kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"]
    period: Period
    scheme: SchemeName
    label: str
    label_zh: str
    state: Literal["RATED", "NR", "VERIFYING"]
    provisional: bool
    score: str | None
    score_exact: str | None
    label_by_score: str
    track: str | None
    scores: dict[str, str]
    weights: dict[str, str]
    emissions_t: str
    emissions_by_source: list[ApiGradeSchemasSourceItem]
    factor_sets: list[str]
    coverage: str | None
    months: int
    matched_months: dict[str, int]
    denominators: list[DenominatorItem]
    benchmarks: list[BenchmarkItem]
    peers: PeersItem | None
    trend: TrendItem | None
    ceilings: list[CapItem]
    overrides: list[CapItem]
    hysteresis: HysteresisItem
    difference_to_reported: str | None
    side: SideItem | None
    reasons: list[str]
    distance: DistanceItem | None
    input_snapshot_hash: str
    supersedes: int | None
    created_at: str
    signature: SignatureItem | None


class GradeStatements(TypedDict):
    statements: list[EnterpriseStatement]
    why: str


class GradesPage(TypedDict):
    next: str | None
    items: list[GradeRecord]


class GrantBody(TypedDict):
    uscc: str
    consumer: str
    purpose: str
    fields: list[str]
    periods: NotRequired[list[GrantPeriod]]
    granted_by: str
    legal_text_hash: str
    legal_text_alg: NotRequired[str]
    valid_from: NotRequired[str | None]
    valid_to: NotRequired[str | None]


GrantPeriod = TypedDict("GrantPeriod", {"from": "str", "to": "str"})

Granularity = Literal["15m", "hour", "day", "month", "year"]


class HeldItem(TypedDict):
    id: int
    received_at: str
    reason: str
    topic: str
    gateway: str
    channel: str
    at: str
    sent: str
    quality: Literal["good", "estimate", "invalid"]
    revision: int
    detail: str


class HeldPage(TypedDict):
    next: str | None
    items: list[HeldItem]


class History(TypedDict):
    edition: list[DatedValue]
    grid: list[DatedValue]
    district: list[DatedValue]
    park: list[DatedValue]
    flags: list[DatedValue]


class HistoryImported(TypedDict):
    batch: int | None
    dry_run: bool
    rows: int
    new: int
    superseded: int
    unchanged: int
    years: list[ImportedYear]


class HistoryItem(TypedDict):
    year: int
    version: int
    number: int
    supersedes: int | None
    industry: str
    edition: str
    period: InventoryPeriod
    provenance: Literal["estimated", "reported", "verified"]
    account_tco2e: str
    ets_tco2e: str
    deductions_tco2e: str
    by_scope: dict[str, str]
    by_gas: dict[str, str]
    by_provenance: dict[str, ProvenanceShare]
    reported: ApiHistorySchemasReported
    activities: int
    warnings: int
    factor_set: str
    at: str
    by: str
    why: str
    cause: Literal["import", "factors"]
    file: str | None


class HistoryPage(TypedDict):
    next: str | None
    items: list[HistoryItem]


class HistoryRow(TypedDict):
    sheet: str | None
    row: int
    provenance: Literal["estimated", "reported", "verified"]
    sent: dict[str, str]


class HistoryTemplate(TypedDict):
    industry: str
    edition: str
    columns: list[TemplateColumn]
    lists: dict[str, list[str]]
    tables: list[TemplateTable]


class HistoryYear(TypedDict):
    year: int
    version: int
    number: int
    supersedes: int | None
    industry: str
    edition: str
    period: InventoryPeriod
    provenance: Literal["estimated", "reported", "verified"]
    account_tco2e: str
    ets_tco2e: str
    deductions_tco2e: str
    by_scope: dict[str, str]
    by_gas: dict[str, str]
    by_provenance: dict[str, ProvenanceShare]
    reported: ApiHistorySchemasReported
    activities: int
    warnings: int
    factor_set: str
    at: str
    by: str
    why: str
    cause: Literal["import", "factors"]
    file: str | None
    inventory: InventoryAnswer
    rows: list[HistoryRow]
    versions: list[HistoryItem]


HoldReason = Literal[
    "unknown_meter", "unknown_channel", "outside_validity", "ahead_of_clock", "far_ahead_of_clock"
]


class HysteresisItem(TypedDict):
    prev: str | None
    held: str
    streak: list[str | None]
    applied: bool


class ImportedYear(TypedDict):
    uscc: str
    year: int
    outcome: Literal["new", "superseded", "unchanged"]
    version: int | None
    supersedes: int | None
    provenance: Literal["estimated", "reported", "verified"]
    account_tco2e: str
    ets_tco2e: str
    before_account_tco2e: str | None


class InputUncertainty(TypedDict):
    name: str
    percent: str
    origin: Literal["given", "default"]
    reference: str | None
    confidence: Literal["H", "M", "L"] | None


class IntensityItem(TypedDict):
    at: str
    product: str
    intensity: str | None
    unit: str
    co2e_kg: str | None
    amount: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    coverage: str | None
    amount_coverage: str | None
    factor_set: str | None


class IntensityPage(TypedDict):
    next: str | None
    items: list[IntensityItem]


class InventoryActivity(TypedDict):
    id: NotRequired[str | None]
    source: str
    name: str
    fuel: NotRequired[str | None]
    material: NotRequired[str | None]
    amount: str
    unit: str
    tco2e: str
    gas: str
    by_gas: dict[str, str]
    scope: int
    boundaries: list[Literal["account", "ets"]]
    deduction: bool
    formula: str
    clause: str
    factors: list[InventoryFactor]
    uncertainty: NotRequired[str | None]
    uncertainty_inputs: NotRequired[list[InputUncertainty] | None]


class InventoryAnswer(TypedDict):
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


class InventoryFactor(TypedDict):
    name: str
    value: str
    unit: str
    origin: str
    reference: str | None
    edition: NotRequired[str | None]
    confidence: NotRequired[Literal["H", "M", "L"] | None]
    note: NotRequired[str | None]


InventoryPeriod = TypedDict("InventoryPeriod", {"from": "str", "to": "str"})


class InventoryTotals(TypedDict):
    account_tco2e: str
    ets_tco2e: str
    by_scope: dict[str, str]
    by_gas: dict[str, str]
    deductions_tco2e: str
    uncertainty: NotRequired[str | None]
    ets_uncertainty: NotRequired[str | None]


class InventoryWarning(TypedDict):
    place: str
    message: str


Language = Literal["zh", "en"]


class LimitItem(TypedDict):
    name: str
    value: str
    unit: Literal["fraction", "intervals", "count", "days"]
    meaning: str


class LineAllowanceItem(TypedDict):
    id: str
    emissions_t: str
    output_t: str | None
    intensity: str | None
    balance_value: str | None
    deviation: str | None
    alpha: str
    allowance_t: str
    marks: list[QuotaMark]


class LineStatement(TypedDict):
    id: str
    emissions_t: NotRequired[str | None]
    sources: NotRequired[list[str] | None]
    output: NotRequired[Figure | None]


class Live(TypedDict):
    state: Literal["live"]
    version: str
    mode: Literal["timescale", "plain"] | None


class Mean(TypedDict):
    source: str
    gas: str
    boundaries: list[str]
    name: str
    unit: str
    values: int
    mean: str
    weights: str


class MeterItem(TypedDict):
    uscc: str
    id: str
    name: str | None
    calibrations: list[CalibrationItem]
    channels: list[ChannelItem]


class MetersPage(TypedDict):
    next: str | None
    items: list[MeterItem]


MissingFactor = TypedDict(
    "MissingFactor",
    {
        "from": "str",
        "to": "str",
        "name": "str | None",
        "unit": "str | None",
        "fuel": "str | None",
        "material": "str | None",
        "area": "str | None",
        "year": "int | None",
        "edition": "str | None",
        "why": "str",
        "do": "str",
    },
)


class MonthAmount(TypedDict):
    month: str
    amount: str | None
    known: int


class NetEnergy(TypedDict):
    carrier: str
    amount: str
    unit: str
    account_tco2e: str


class NewWebhook(TypedDict):
    id: int
    url: str
    key: str
    kinds: list[ChangeKind]
    state: Literal["active", "dead", "removed"]
    cursor: str
    attempts: int
    next_attempt_at: str
    last_error: str | None
    delivered: int
    delivered_at: str | None
    created_at: str
    created_by: str
    secret: str


class OAuthError(TypedDict):
    error: Literal[
        "invalid_request",
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "temporarily_unavailable",
    ]
    error_description: str


class ObjectionEntry(TypedDict):
    text: str
    attachments: NotRequired[list[Attachment]]


class ObjectionItem(TypedDict):
    id: int
    grade: int
    uscc: str
    text: str
    attachments: list[Attachment]
    at: str
    by: str
    due: str
    outcome: Literal["UPHELD", "CORRECTED"] | None
    new_grade: int | None
    decided_at: str | None
    decided_by: str | None
    why: str | None


class ObjectionsPage(TypedDict):
    next: str | None
    items: list[ObjectionItem]


OptionCode = Literal["verified", "reported", "energy", "production", "revenue", "sector"]


class OutputStatement(TypedDict):
    product: str
    month: str
    energy: str | None
    output: NotRequired[str]


ParameterItem = TypedDict(
    "ParameterItem",
    {
        "name": "str",
        "value": "str",
        "unit": "str | None",
        "from": "str | None",
        "origin": "str | None",
        "reference": "str | None",
    },
)


class ParkItem(TypedDict):
    code: str
    name_zh: str
    name_en: str
    district: str


class ParksPage(TypedDict):
    next: str | None
    items: list[ParkItem]


class PeersItem(TypedDict):
    step: str
    n: int | None
    max_share: str | None
    denominator: str
    basis: str
    ratio_t_per_10k_yuan: str
    k: str
    refused: list[str]
    source: str | None


Period = TypedDict("Period", {"from": "str", "to": "str"})


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ErrorItem]


class ProductItem(TypedDict):
    id: str
    unit: str
    expression: str
    versions: list[ProductVersionItem]


class ProductLine(TypedDict):
    product: str
    amount: str | None
    unit: str
    quality: str
    coverage: str | None
    account_kg_per_unit: str | None
    ets_kg_per_unit: str | None


ProductVersionItem = TypedDict(
    "ProductVersionItem",
    {"from": "str | None", "unit": "str", "expression": "str", "band": "BandItem | None"},
)


class ProvenLeaf(TypedDict):
    index: int
    kind: str
    reference: str
    hash: str
    content: str


ProvenanceInput = Literal["estimated", "reported", "verified"]


class ProvenanceOutput(TypedDict):
    as_of: str
    run: int | None
    run_committed_at: str | None
    registry_version: int
    rules_versions: list[str]
    factor_sets: list[str]
    ledger_sha256: str
    software: str


class ProvenanceShare(TypedDict):
    activities: int
    account_tco2e: str


class PublicKey(TypedDict):
    alg: str
    key_id: str
    public_key: str


class Publication(TypedDict):
    year: int
    why: str
    as_of: NotRequired[str | None]


class PublishedReport(TypedDict):
    id: int
    uscc: str
    year: int
    as_of: str
    published_at: str
    by: str
    why: str
    sha256: str
    account_kg: str | None
    ets_kg: str | None


class PublishedReportsPage(TypedDict):
    next: str | None
    items: list[PublishedReport]


class QualityLine(TypedDict):
    source: str
    boundary: str
    expected: int
    known: int
    coverage: str | None
    measured: int
    interpolated: int
    estimated: int
    substituted: int
    estimated_share: str | None
    substituted_share: str | None
    estimated_or_substituted_share: str | None
    flags: list[str]


class Quota(TypedDict):
    uscc: str
    year: int
    sector: Sector | None
    statement: QuotaStatementItem | None
    totals: BoundaryTotals
    forecast: ForecastItem | None
    units: list[UnitAllowanceItem]
    lines: list[LineAllowanceItem]
    floor_t: str | None
    allowance_t: str | None
    holdings_t: str | None
    gap_t: Spread | None
    warning: WarningItem | None
    lacking: list[str]
    calendar: list[DueItem]
    tables: str


class QuotaMark(TypedDict):
    status: Literal["final", "draft"]
    source: str
    confidence: Literal["H", "M", "L"]


class QuotaStatement(TypedDict):
    uscc: str
    year: int
    sector: Sector
    units: NotRequired[list[UnitStatement]]
    lines: NotRequired[list[LineStatement]]
    balance_value: NotRequired[str | None]
    holdings_t: NotRequired[str]


class QuotaStatementItem(TypedDict):
    id: int
    uscc: str
    year: int
    at: str
    by: str
    why: str
    statement: dict[str, Any]


class QuotaStatements(TypedDict):
    statements: list[QuotaStatement]
    why: str


class QuotaStatementsPage(TypedDict):
    next: str | None
    items: list[QuotaStatementItem]


class RankItem(TypedDict):
    rank: int | None
    uscc: str | None
    name_zh: str | None
    label: str
    state: str
    score: str | None


class RankingPage(TypedDict):
    next: str | None
    kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"]
    month: str | None
    rated: int
    items: list[RankItem]


class ReadItem(TypedDict):
    number: int
    at: str
    request_id: str
    who: str
    key: str | None
    role: str | None
    tenant: list[str]
    what: str
    part: str
    object: str
    period: dict[str, str] | None
    basis: str
    status: int
    alg: str
    digest: str


class ReadLogPage(TypedDict):
    next: str | None
    items: list[ReadItem]


class ReadingItem(TypedDict):
    at: str
    value: str | None
    sent: str
    quality: Literal["good", "estimate", "invalid"]
    revision: int
    committed_at: str
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    stands: bool
    gateway: str | None


class ReadingsPage(TypedDict):
    next: str | None
    items: list[ReadingItem]


class Ready(TypedDict):
    state: Literal["ready"]
    mode: Literal["timescale", "plain"]
    version: str
    versions: dict[str, str]
    services: list[ServiceItem]


class ReceiptAnswer(TypedDict):
    seq: int | str | None
    stored: int
    held: int
    rejected: int
    committed_at: str


RejectReason = Literal[
    "bad_topic",
    "bad_payload",
    "bad_reading",
    "bad_id",
    "bad_time",
    "bad_value",
    "out_of_range",
    "unknown_enterprise",
    "unknown_gateway",
    "not_authorized",
    "unknown_alias",
    "retained",
    "no_time_for_delta",
    "no_time_at_qos_2",
    "refused_by_database",
    "discarded",
]


class Replaced(TypedDict):
    name: str
    original: str | None
    unit: str | None
    reference: str | None


class Replay(TypedDict):
    cursor: NotRequired[str | None]


class Report(TypedDict):
    form: str
    enterprise: Reporter
    period: ReportPeriod
    totals: list[Total]
    emissions: list[EmissionLine]
    activities: list[Activity]
    factors: list[FactorUsed]
    means: list[Mean]
    energy: list[EnergyLine]
    net_energy: list[NetEnergy]
    products: list[ProductLine]
    quality: list[QualityLine]
    substitutions: list[SubstitutionUsed]
    weak_figures: list[WeakFigure]
    findings: list[FindingLine]
    statement: Statement | None
    provenance: ProvenanceOutput
    sha256: NotRequired[str]


class ReportDifferences(TypedDict):
    id: int
    uscc: str
    year: int
    published_as_of: str
    present_as_of: str
    differs: bool
    totals: list[ReportTotalChange]
    sources: list[ReportSourceChange]
    explained_by: dict[str, str]


ReportFormat = Literal["json", "xlsx", "pdf"]


class ReportPeriod(TypedDict):
    year: int
    first_day: str
    last_day: str
    zone: str
    complete: bool


class ReportSourceChange(TypedDict):
    boundary: Literal["account", "ets"]
    published_kg: str | None
    present_kg: str | None
    difference_kg: str
    source: str


class ReportTotalChange(TypedDict):
    boundary: Literal["account", "ets"]
    published_kg: str | None
    present_kg: str | None
    difference_kg: str


class Reporter(TypedDict):
    uscc: str
    name_zh: str
    name_en: str
    industry: str
    industry_zh: str
    industry_en: str
    gb_t_4754: str | None
    district: str | None
    park: str | None
    grid: str
    flags: list[str]
    editions: list[EditionInForce]


class Restatement(TypedDict):
    at: str
    run: int
    rules_version: str
    factor_set: str
    registry_version: int
    causes: list[RestatementCause]


class RestatementCause(TypedDict):
    before_kg: str
    after_kg: str
    difference_kg: str
    entries: int
    superseded: int
    kind: Literal["arrival", "registry", "factors", "rules"]
    by_whom: str
    why: str
    batch: int | None
    sources: list[SourceChange]


class RestatementsPage(TypedDict):
    next: str | None
    items: list[Restatement]


class Revocation(TypedDict):
    why: str


class Rounded(TypedDict):
    decimals: int
    mode: Literal["half_up", "half_even"]


class RuleItem(TypedDict):
    code: CheckRule
    name_zh: str
    name_en: str
    severity: Severity
    judges: str
    in_doubt: str
    limits: list[LimitItem]
    source: str
    confidence: Literal["H", "M", "L"]


class RulesPage(TypedDict):
    next: str | None
    items: list[RuleItem]


SchemeEntry = TypedDict(
    "SchemeEntry",
    {
        "scheme": "NotRequired[dict[str, Any] | None]",
        "adopt": "NotRequired[str | None]",
        "from": "NotRequired[str | None]",
        "why": "str",
    },
)


class SchemeItem(TypedDict):
    id: str
    version: str
    hash: str
    shipped: bool
    in_force: bool
    document: dict[str, Any]


class SchemeName(TypedDict):
    id: str
    version: str
    hash: str


class SchemesPage(TypedDict):
    next: str | None
    items: list[SchemeItem]


Sector = Literal["power", "steel", "cement", "aluminium"]


class ServiceItem(TypedDict):
    name: str
    pid: int
    started_at: str
    beat_at: str
    fresh: bool
    ready: bool
    detail: dict[str, Any]


Severity = Literal["high", "medium", "low"]


class Shadow(TypedDict):
    next: str | None
    scheme: SchemeName
    graded: int
    moved: int
    up: int
    down: int
    items: list[ShadowItem]


class ShadowItem(TypedDict):
    uscc: str
    month: str
    label: str
    shadow_label: str
    score: str | None
    shadow_score: str | None


class SideItem(TypedDict):
    ratio_t_per_10k_yuan: str
    label: str


class SignatureItem(TypedDict):
    alg: str
    key_id: str
    signature: str


SourceChange = TypedDict(
    "SourceChange",
    {
        "before_kg": "str",
        "after_kg": "str",
        "difference_kg": "str",
        "entries": "int",
        "superseded": "int",
        "source": "str",
        "from": "str",
        "to": "str",
        "ways": "list[ChangeByWay]",
        "factors": "list[ChangedFactor]",
    },
)

SourceDifference = TypedDict(
    "SourceDifference",
    {
        "source": "NotRequired[str | None]",
        "from": "str",
        "to": "str",
        "before_kg": "str | None",
        "after_kg": "str | None",
        "difference_kg": "str",
        "causes": "list[DifferenceCause]",
    },
)

SourceVersionItem = TypedDict(
    "SourceVersionItem",
    {
        "from": "str | None",
        "method": "str",
        "fuel": "str | None",
        "material": "str | None",
        "expression": "str",
        "substitution": "str | None",
    },
)


class Spread(TypedDict):
    p10: str
    p50: str
    p90: str


class StateItem(TypedDict):
    state: FindingState
    at: str
    by: str
    why: str


class Stated(TypedDict):
    kept: int


class Statement(TypedDict):
    version: int
    number: int
    at: str
    by: str
    why: str
    file: str | None
    provenance: str
    answer: dict[str, Any]


class StatementItem(TypedDict):
    uscc: str
    kind: str
    document: dict[str, Any]
    at: str
    by: str
    why: str


class StatementsPage(TypedDict):
    next: str | None
    items: list[StatementItem]


class SubstitutionItem(TypedDict):
    rule: str | None
    original_kg: str | None
    effect_kg: str | None


class SubstitutionUsed(TypedDict):
    source: str
    gas: str
    boundaries: list[str]
    rule: str
    first_day: str
    last_day: str
    intervals: int
    unit: str
    tco2e: str
    replaced: list[Replaced]
    effect_tco2e: str | None


class SupersededItem(TypedDict):
    amount: str | None
    co2e_kg: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    factor: int | None
    committed_at: str | None


class TemplateColumn(TypedDict):
    code: str
    title: str
    hint: str


TemplateFormat = Literal["json", "xlsx", "csv"]


class TemplateTable(TypedDict):
    name: str
    header: list[str]
    rows: list[list[str]]


TermInput = TypedDict(
    "TermInput",
    {
        "channel": "str",
        "amount": "str | None",
        "unit": "str",
        "quality": 'Literal["missing", "estimated", "interpolated", "measured"]',
        "flags": 'list[Literal["gap", "rollover", "reset", "restart", "replaced", "negative", "late", "conflict", "implausible", "substituted", "receipt_time"]]',
        "as": "str",
    },
)


class TermItem(TypedDict):
    channel: str
    amount: str | None
    unit: str
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    sign: Literal[-1, 1]
    inputs: list[TermInput]


class Token(TypedDict):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class Total(TypedDict):
    boundary: str
    kg: str | None
    tco2e: str | None
    reported: AccountingReportDocumentReported | None
    gross_kg: str | None
    deductions_kg: str | None
    by_scope: list[AccountingReportDocumentPart]
    by_gas: list[AccountingReportDocumentPart]
    by_method: list[AccountingReportDocumentPart]
    coverage: str | None
    estimated_share: str | None
    substituted_share: str | None
    estimated_or_substituted_share: str | None
    confidence_shares: dict[str, str]


class TrendItem(TypedDict):
    rho: str
    of: str
    basis: str
    constant_prices: bool | None
    now: str
    before: str


UnitAllowanceItem = TypedDict(
    "UnitAllowanceItem",
    {
        "id": "str",
        "class": "UnitClass",
        "electricity_mwh": "str",
        "heat_gj": "str",
        "load_factor": "str",
        "electricity_t": "str",
        "heat_t": "str",
        "allowance_t": "str",
        "raised": "bool",
        "benchmark": "str",
        "heat_benchmark": "str",
        "basis": 'Literal["supplied", "generated"]',
        "marks": "list[QuotaMark]",
    },
)

UnitClass = Literal["I", "II", "III", "IV"]

UnitItem = TypedDict("UnitItem", {"of": "str", "unit": "str", "from": "str", "by": "str"})

UnitStatement = TypedDict(
    "UnitStatement",
    {
        "id": "str",
        "emissions_t": "NotRequired[str | None]",
        "sources": "NotRequired[list[str] | None]",
        "class": "UnitClass",
        "electricity": "Figure",
        "heat": "NotRequired[Figure | None]",
        "load": "NotRequired[str | None]",
        "correction": "NotRequired[str | None]",
    },
)


class UsedFactorItem(TypedDict):
    id: int
    factor_set: str
    mg_per_unit: str
    formula: str | None
    clause: str | None
    edition: str | None
    factors: list[dict[str, Any]] | None


class Version(TypedDict):
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


class WarningItem(TypedDict):
    band: Literal["none", "yellow", "orange", "red"]
    share: str | None
    raised: bool
    days_to_surrender: int
    source: str
    confidence: Literal["H", "M", "L"]


class WeakFigure(TypedDict):
    source: str
    name: str
    value: str | None
    unit: str | None
    mark: str
    reference: str | None


class WebhookItem(TypedDict):
    id: int
    url: str
    key: str
    kinds: list[ChangeKind]
    state: Literal["active", "dead", "removed"]
    cursor: str
    attempts: int
    next_attempt_at: str
    last_error: str | None
    delivered: int
    delivered_at: str | None
    created_at: str
    created_by: str


class WebhookWish(TypedDict):
    url: str
    key: str
    kinds: NotRequired[list[ChangeKind]]
    cursor: NotRequired[str | None]


class WebhooksPage(TypedDict):
    next: str | None
    items: list[WebhookItem]


Window = TypedDict(
    "Window",
    {
        "from": "str",
        "to": "str",
        "co2e_kg": "str | None",
        "coverage": "str | None",
        "total": "WindowTotal",
        "by_source": "list[WindowSource]",
    },
)


class WindowSource(TypedDict):
    co2e_kg: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    coverage: str | None
    factor_set: str | None
    source: str


class WindowTotal(TypedDict):
    co2e_kg: str | None
    quality: Literal["missing", "estimated", "interpolated", "measured"]
    flags: list[
        Literal[
            "gap",
            "rollover",
            "reset",
            "restart",
            "replaced",
            "negative",
            "late",
            "conflict",
            "implausible",
            "substituted",
            "receipt_time",
        ]
    ]
    coverage: str | None
    factor_set: str | None


Windows = TypedDict(
    "Windows",
    {
        "uscc": "str",
        "at": "str",
        "boundary": 'Literal["account", "ets"]',
        "24h": "Window",
        "7d": "Window",
        "30d": "Window",
        "12m": "Window",
        "mtd": "Window",
        "ytd": "Window",
    },
)


class Word(TypedDict):
    text: str
    by: NotRequired[str | None]


class YearCell(TypedDict):
    year: int
    version: int | None
    provenance: Literal["estimated", "reported", "verified"] | None
    account_tco2e: str | None
    ets_tco2e: str | None


class AccountingReportDocumentPart(TypedDict):
    key: str
    name_zh: str
    name_en: str
    kg: str
    tco2e: str


class AccountingReportDocumentReported(TypedDict):
    tco2e: str
    decimals: int
    rounding: str
    edition: str


class ApiGradeSchemasSourceItem(TypedDict):
    source: str
    co2e_t: str
    valid: int
    expected: int


class ApiHistorySchemasReported(TypedDict):
    account_tco2e: str
    ets_tco2e: str


class ApiSchemasSourceItem(TypedDict):
    id: str
    method: str
    fuel: str | None
    material: str | None
    expression: str
    substitution: str | None
    versions: list[SourceVersionItem]
    parameters: list[ParameterItem]


DomainAccessPart = Literal[
    "identity",
    "registry",
    "readings",
    "consumption",
    "emissions",
    "intensity",
    "derivation",
    "reports",
    "history",
    "findings",
    "grades",
    "closes",
    "quota",
    "evidence",
    "gateways",
    "consents",
    "read_log",
]


class Operations:
    """Methods, one an operation; `every_…` go through all pages."""

    def call(self, method: str, path: str, query: Mapping[str, Any], body: Any = None) -> Any:
        raise NotImplementedError

    def get_change_feed(
        self, *, cursor: str | None = None, limit: int | None = None, kinds: list[ChangeKind] | None = None
    ) -> FeedPage:
        """What changed, in the order in which it was committed."""
        return cast(
            "FeedPage", self.call("GET", "/v1/changes", {"cursor": cursor, "limit": limit, "kinds": kinds})
        )

    def every_change_feed(
        self, *, limit: int | None = None, kinds: list[ChangeKind] | None = None
    ) -> Iterator[FeedItem]:
        """What changed, in the order in which it was committed: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_change_feed(cursor=cursor, limit=limit, kinds=kinds)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_consents(
        self,
        *,
        uscc: str | None = None,
        consumer: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ConsentsPage:
        """Consents."""
        return cast(
            "ConsentsPage",
            self.call(
                "GET", "/v1/consents", {"uscc": uscc, "consumer": consumer, "cursor": cursor, "limit": limit}
            ),
        )

    def every_consents(
        self, *, uscc: str | None = None, consumer: str | None = None, limit: int | None = None
    ) -> Iterator[ConsentItem]:
        """Consents: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_consents(uscc=uscc, consumer=consumer, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post_consent(self, body: GrantBody) -> ConsentItem:
        """Consent to reading."""
        return cast("ConsentItem", self.call("POST", "/v1/consents", {}, body))

    def get_consent(self, id: int) -> ConsentItem:
        """A consent."""
        return cast("ConsentItem", self.call("GET", f"/v1/consents/{quote(str(id), safe='')}", {}))

    def revoke_consent(self, id: int, body: Revocation) -> ConsentItem:
        """Revoke a consent."""
        return cast(
            "ConsentItem", self.call("POST", f"/v1/consents/{quote(str(id), safe='')}/revoke", {}, body)
        )

    def get_dead_letters(
        self,
        *,
        reason: RejectReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        replayed: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> DeadLettersPage:
        """What was rejected."""
        return cast(
            "DeadLettersPage",
            self.call(
                "GET",
                "/v1/deadletters",
                {
                    "reason": reason,
                    "gateway": gateway,
                    "from": from_,
                    "replayed": replayed,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_dead_letters(
        self,
        *,
        reason: RejectReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        replayed: bool | None = None,
        limit: int | None = None,
    ) -> Iterator[DeadLetterItem]:
        """What was rejected: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_dead_letters(
                reason=reason, gateway=gateway, from_=from_, replayed=replayed, cursor=cursor, limit=limit
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def replay_dead_letters(self, body: Choice | None) -> Done:
        """Decode dead letters again."""
        return cast("Done", self.call("POST", "/v1/deadletters/replay", {}, body))

    def district_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of a district or city."""
        return cast(
            "EmissionsPage",
            self.call(
                "GET",
                f"/v1/districts/{quote(str(code), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_district_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[EmissionItem]:
        """Emissions of a district or city: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.district_emissions(
                code,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_ranking(
        self,
        code: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RankingPage:
        """Ranking of a district's enterprises."""
        return cast(
            "RankingPage",
            self.call(
                "GET",
                f"/v1/districts/{quote(str(code), safe='')}/ranking",
                {"kind": kind, "period": period, "cursor": cursor, "limit": limit},
            ),
        )

    def every_ranking(
        self,
        code: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        limit: int | None = None,
    ) -> Iterator[RankItem]:
        """Ranking of a district's enterprises: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_ranking(code, kind=kind, period=period, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_enterprises(self, *, cursor: str | None = None, limit: int | None = None) -> EnterprisesPage:
        """Enterprises."""
        return cast(
            "EnterprisesPage", self.call("GET", "/v1/enterprises", {"cursor": cursor, "limit": limit})
        )

    def every_enterprises(self, *, limit: int | None = None) -> Iterator[EnterpriseItem]:
        """Enterprises: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_enterprises(cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_enterprise(self, uscc: str) -> Enterprise:
        """One enterprise."""
        return cast("Enterprise", self.call("GET", f"/v1/enterprises/{quote(str(uscc), safe='')}", {}))

    def get_certificates(
        self, uscc: str, *, year: int | None = None, cursor: str | None = None, limit: int | None = None
    ) -> CertificatesPage:
        """Green certificates of an enterprise."""
        return cast(
            "CertificatesPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates",
                {"year": year, "cursor": cursor, "limit": limit},
            ),
        )

    def every_certificates(
        self, uscc: str, *, year: int | None = None, limit: int | None = None
    ) -> Iterator[CertificateItem]:
        """Green certificates of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_certificates(uscc, year=year, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post_certificates(self, uscc: str, body: CertificateEntries) -> CertificatesTaken:
        """Enter retired green certificates."""
        return cast(
            "CertificatesTaken",
            self.call("POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates", {}, body),
        )

    def post_void(self, uscc: str, body: CertificateVoid) -> CertificateItem:
        """Take a certificate back."""
        return cast(
            "CertificateItem",
            self.call("POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates/void", {}, body),
        )

    def get_consumption(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ConsumptionPage:
        """Consumption of a channel."""
        return cast(
            "ConsumptionPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/consumption",
                {
                    "channel": channel,
                    "granularity": granularity,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_consumption(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ConsumptionItem]:
        """Consumption of a channel: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_consumption(
                uscc,
                channel=channel,
                granularity=granularity,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_derivation(
        self,
        uscc: str,
        *,
        source: str,
        from_: str,
        to: str,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Derivation:
        """How a source's emissions came to be."""
        return cast(
            "Derivation",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/derivation",
                {
                    "source": source,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def enterprise_difference(
        self,
        uscc: str,
        *,
        as_of: str,
        from_: str,
        to: str,
        until: str | None = None,
        by: DifferenceBy | None = None,
        boundary: Boundary | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> DifferencePage:
        """What two states of the ledger differ by, and why."""
        return cast(
            "DifferencePage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/difference",
                {
                    "as_of": as_of,
                    "until": until,
                    "by": by,
                    "boundary": boundary,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_enterprise_difference(
        self,
        uscc: str,
        *,
        as_of: str,
        from_: str,
        to: str,
        until: str | None = None,
        by: DifferenceBy | None = None,
        boundary: Boundary | None = None,
        limit: int | None = None,
    ) -> Iterator[SourceDifference]:
        """What two states of the ledger differ by, and why: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.enterprise_difference(
                uscc,
                as_of=as_of,
                until=until,
                by=by,
                boundary=boundary,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_electricity(self, uscc: str, year: int, *, as_of: str | None = None) -> Electricity:
        """Purchased electricity, location- and market-based."""
        return cast(
            "Electricity",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/electricity/{quote(str(year), safe='')}",
                {"as_of": as_of},
            ),
        )

    def enterprise_emissions(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: By | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of an enterprise."""
        return cast(
            "EmissionsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_enterprise_emissions(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: By | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[EmissionItem]:
        """Emissions of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.enterprise_emissions(
                uscc,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_grade(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        as_of: str | None = None,
    ) -> GradeRecord:
        """Green grade of an enterprise."""
        return cast(
            "GradeRecord",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/grade",
                {"kind": kind, "period": period, "as_of": as_of},
            ),
        )

    def get_statements(self, uscc: str, *, as_of: str | None = None) -> StatementsPage:
        """What is stated of an enterprise for its grades."""
        return cast(
            "StatementsPage",
            self.call(
                "GET", f"/v1/enterprises/{quote(str(uscc), safe='')}/grade-statements", {"as_of": as_of}
            ),
        )

    def get_grades(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> GradesPage:
        """Grades of an enterprise."""
        return cast(
            "GradesPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/grades",
                {"kind": kind, "period": period, "cursor": cursor, "limit": limit},
            ),
        )

    def every_grades(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        limit: int | None = None,
    ) -> Iterator[GradeRecord]:
        """Grades of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_grades(uscc, kind=kind, period=period, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_enterprise_history(
        self, uscc: str, *, as_of: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> HistoryPage:
        """Years of an enterprise."""
        return cast(
            "HistoryPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/history",
                {"as_of": as_of, "cursor": cursor, "limit": limit},
            ),
        )

    def every_enterprise_history(
        self, uscc: str, *, as_of: str | None = None, limit: int | None = None
    ) -> Iterator[HistoryItem]:
        """Years of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_enterprise_history(uscc, as_of=as_of, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_enterprise_year(self, uscc: str, year: int, *, as_of: str | None = None) -> HistoryYear:
        """A year of an enterprise."""
        return cast(
            "HistoryYear",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/history/{quote(str(year), safe='')}",
                {"as_of": as_of},
            ),
        )

    def get_intensity(
        self,
        uscc: str,
        *,
        product: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> IntensityPage:
        """CO2e per unit of a product."""
        return cast(
            "IntensityPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/intensity",
                {
                    "product": product,
                    "granularity": granularity,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_intensity(
        self,
        uscc: str,
        *,
        product: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[IntensityItem]:
        """CO2e per unit of a product: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_intensity(
                uscc,
                product=product,
                granularity=granularity,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_objections(
        self, uscc: str, *, cursor: str | None = None, limit: int | None = None
    ) -> ObjectionsPage:
        """Objections of an enterprise to its grades."""
        return cast(
            "ObjectionsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/objections",
                {"cursor": cursor, "limit": limit},
            ),
        )

    def every_objections(self, uscc: str, *, limit: int | None = None) -> Iterator[ObjectionItem]:
        """Objections of an enterprise to its grades: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_objections(uscc, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_quota(
        self, uscc: str, year: int, *, balance_value: str | None = None, as_of: str | None = None
    ) -> Quota:
        """Allowances, forecast and gap of a compliance year."""
        return cast(
            "Quota",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/quota/{quote(str(year), safe='')}",
                {"balance_value": balance_value, "as_of": as_of},
            ),
        )

    def get_quota_statements(self, uscc: str, year: int) -> QuotaStatementsPage:
        """What was stated of a compliance year."""
        return cast(
            "QuotaStatementsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/quota/{quote(str(year), safe='')}/statements",
                {},
            ),
        )

    def get_read_log(
        self,
        uscc: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ReadLogPage:
        """Who read of an account."""
        return cast(
            "ReadLogPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/read-log",
                {"from": from_, "to": to, "cursor": cursor, "limit": limit},
            ),
        )

    def every_read_log(
        self, uscc: str, *, from_: str | None = None, to: str | None = None, limit: int | None = None
    ) -> Iterator[ReadItem]:
        """Who read of an account: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_read_log(uscc, from_=from_, to=to, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_readings(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ReadingsPage:
        """Stored readings of a channel."""
        return cast(
            "ReadingsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/readings",
                {
                    "channel": channel,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_readings(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ReadingItem]:
        """Stored readings of a channel: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_readings(
                uscc, channel=channel, as_of=as_of, from_=from_, to=to, cursor=cursor, limit=limit
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_published_reports(
        self, uscc: str, *, year: int | None = None, cursor: str | None = None, limit: int | None = None
    ) -> PublishedReportsPage:
        """Published reports of an enterprise."""
        return cast(
            "PublishedReportsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/reports",
                {"year": year, "cursor": cursor, "limit": limit},
            ),
        )

    def every_published_reports(
        self, uscc: str, *, year: int | None = None, limit: int | None = None
    ) -> Iterator[PublishedReport]:
        """Published reports of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_published_reports(uscc, year=year, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post_report(self, uscc: str, body: Publication) -> PublishedReport:
        """Publish the report of a year."""
        return cast(
            "PublishedReport",
            self.call("POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/reports", {}, body),
        )

    def get_report(
        self,
        uscc: str,
        year: int,
        *,
        format: ReportFormat | None = None,
        lang: Language | None = None,
        as_of: str | None = None,
    ) -> Report:
        """Report of an enterprise and year."""
        return cast(
            "Report",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/reports/{quote(str(year), safe='')}",
                {"format": format, "lang": lang, "as_of": as_of},
            ),
        )

    def enterprise_restatements(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        boundary: Boundary | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RestatementsPage:
        """What was restated, when, why and by whom."""
        return cast(
            "RestatementsPage",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/restatements",
                {"boundary": boundary, "from": from_, "to": to, "cursor": cursor, "limit": limit},
            ),
        )

    def every_enterprise_restatements(
        self, uscc: str, *, from_: str, to: str, boundary: Boundary | None = None, limit: int | None = None
    ) -> Iterator[Restatement]:
        """What was restated, when, why and by whom: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.enterprise_restatements(
                uscc, boundary=boundary, from_=from_, to=to, cursor=cursor, limit=limit
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_windows(
        self, uscc: str, *, at: str | None = None, boundary: Boundary | None = None, as_of: str | None = None
    ) -> Windows:
        """Rolling windows of an enterprise."""
        return cast(
            "Windows",
            self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/windows",
                {"at": at, "boundary": boundary, "as_of": as_of},
            ),
        )

    def get_evidence_checkpoint(self, *, size: int | None = None) -> EvidenceCheckpoint:
        """Signed checkpoint of the evidence log."""
        return cast("EvidenceCheckpoint", self.call("GET", "/v1/evidence/checkpoint", {"size": size}))

    def get_evidence_consistency(self, *, from_: int, to: int | None = None) -> EvidenceConsistency:
        """Proof that the evidence log only grew."""
        return cast(
            "EvidenceConsistency", self.call("GET", "/v1/evidence/consistency", {"from": from_, "to": to})
        )

    def get_evidence_inclusion(
        self,
        *,
        index: int | None = None,
        kind: str | None = None,
        reference: str | None = None,
        size: int | None = None,
    ) -> EvidenceInclusion:
        """Proof that a record is in the evidence log."""
        return cast(
            "EvidenceInclusion",
            self.call(
                "GET",
                "/v1/evidence/inclusion",
                {"index": index, "kind": kind, "reference": reference, "size": size},
            ),
        )

    def get_evidence_keys(self) -> EvidenceKeys:
        """Public keys of everything signed here."""
        return cast("EvidenceKeys", self.call("GET", "/v1/evidence/keys", {}))

    def get_evidence_leaf(
        self, *, index: int | None = None, kind: str | None = None, reference: str | None = None
    ) -> EvidenceLeaf:
        """A leaf of the evidence log."""
        return cast(
            "EvidenceLeaf",
            self.call("GET", "/v1/evidence/leaf", {"index": index, "kind": kind, "reference": reference}),
        )

    def post_financed_emissions(
        self,
        body: dict[str, Any],
        *,
        format: AnswerFormat | None = None,
        year: int | None = None,
        denominator: DenominatorCode | None = None,
        balance: BalanceBasis | None = None,
    ) -> FinancedAnswer:
        """Financed emissions of a loan list."""
        return cast(
            "FinancedAnswer",
            self.call(
                "POST",
                "/v1/financed-emissions",
                {"format": format, "year": year, "denominator": denominator, "balance": balance},
                body,
            ),
        )

    def get_findings(
        self,
        *,
        uscc: str | None = None,
        rule: CheckRule | None = None,
        severity: Severity | None = None,
        state: FindingState | None = None,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> FindingsPage:
        """What the checks between channels found."""
        return cast(
            "FindingsPage",
            self.call(
                "GET",
                "/v1/findings",
                {
                    "uscc": uscc,
                    "rule": rule,
                    "severity": severity,
                    "state": state,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_findings(
        self,
        *,
        uscc: str | None = None,
        rule: CheckRule | None = None,
        severity: Severity | None = None,
        state: FindingState | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> Iterator[FindingItem]:
        """What the checks between channels found: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_findings(
                uscc=uscc,
                rule=rule,
                severity=severity,
                state=state,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_finding(self, id: int) -> Finding:
        """A finding with its evidence and history."""
        return cast("Finding", self.call("GET", f"/v1/findings/{quote(str(id), safe='')}", {}))

    def explain_finding(self, id: int, body: Word) -> Finding:
        """Explain a finding."""
        return cast("Finding", self.call("POST", f"/v1/findings/{quote(str(id), safe='')}/explain", {}, body))

    def settle_finding(self, id: int, body: Word) -> Finding:
        """Settle a finding."""
        return cast("Finding", self.call("POST", f"/v1/findings/{quote(str(id), safe='')}/settle", {}, body))

    def get_account(self, uscc: str, id: str) -> GatewayAccount:
        """Account of a gateway."""
        return cast(
            "GatewayAccount",
            self.call(
                "GET", f"/v1/gateways/{quote(str(uscc), safe='')}/{quote(str(id), safe='')}/account", {}
            ),
        )

    def get_schemes(self) -> SchemesPage:
        """Grading schemes."""
        return cast("SchemesPage", self.call("GET", "/v1/grade-schemes", {}))

    def post_scheme(self, body: SchemeEntry) -> SchemesPage:
        """Add or adopt a grading scheme."""
        return cast("SchemesPage", self.call("POST", "/v1/grade-schemes", {}, body))

    def get_shadow(
        self,
        *,
        scheme: str | None = None,
        change: list[str] | None = None,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> Shadow:
        """Grade the past by another scheme."""
        return cast(
            "Shadow",
            self.call(
                "GET",
                "/v1/grades/shadow",
                {"scheme": scheme, "change": change, "kind": kind, "from": from_, "to": to},
            ),
        )

    def post_statements(self, body: GradeStatements) -> Stated:
        """State value added, products and facts for grades."""
        return cast("Stated", self.call("POST", "/v1/grades/statements", {}, body))

    def post_objection(self, id: int, body: ObjectionEntry) -> ObjectionItem:
        """Object to a published grade."""
        return cast(
            "ObjectionItem", self.call("POST", f"/v1/grades/{quote(str(id), safe='')}/objections", {}, body)
        )

    def live(self) -> Live:
        """Is it alive?."""
        return cast("Live", self.call("GET", "/v1/health/live", {}))

    def ready(self) -> Ready:
        """Is it ready?."""
        return cast("Ready", self.call("GET", "/v1/health/ready", {}))

    def get_held(
        self,
        *,
        reason: HoldReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> HeldPage:
        """What is held."""
        return cast(
            "HeldPage",
            self.call(
                "GET",
                "/v1/held",
                {"reason": reason, "gateway": gateway, "from": from_, "cursor": cursor, "limit": limit},
            ),
        )

    def every_held(
        self,
        *,
        reason: HoldReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        limit: int | None = None,
    ) -> Iterator[HeldItem]:
        """What is held: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_held(reason=reason, gateway=gateway, from_=from_, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def discard_held(self, body: Choice | None) -> Done:
        """Reject held readings."""
        return cast("Done", self.call("POST", "/v1/held/discard", {}, body))

    def release_held(self, body: Choice | None) -> Done:
        """Store held readings."""
        return cast("Done", self.call("POST", "/v1/held/release", {}, body))

    def get_history(
        self,
        *,
        year: int | None = None,
        from_year: int | None = None,
        to_year: int | None = None,
        industry: str | None = None,
        district: str | None = None,
        missing: bool | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> CompletenessPage:
        """Which years are there."""
        return cast(
            "CompletenessPage",
            self.call(
                "GET",
                "/v1/history",
                {
                    "year": year,
                    "from_year": from_year,
                    "to_year": to_year,
                    "industry": industry,
                    "district": district,
                    "missing": missing,
                    "as_of": as_of,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_history(
        self,
        *,
        year: int | None = None,
        from_year: int | None = None,
        to_year: int | None = None,
        industry: str | None = None,
        district: str | None = None,
        missing: bool | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[CompletenessItem]:
        """Which years are there: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_history(
                year=year,
                from_year=from_year,
                to_year=to_year,
                industry=industry,
                district=district,
                missing=missing,
                as_of=as_of,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_template(
        self,
        industry: str,
        *,
        format: TemplateFormat | None = None,
        edition: str | None = None,
        lang: Literal["zh", "en"] | None = None,
    ) -> HistoryTemplate:
        """Template of an industry."""
        return cast(
            "HistoryTemplate",
            self.call(
                "GET",
                f"/v1/history/templates/{quote(str(industry), safe='')}",
                {"format": format, "edition": edition, "lang": lang},
            ),
        )

    def post_inventory(self, body: dict[str, Any]) -> InventoryAnswer:
        """Compute an inventory."""
        return cast("InventoryAnswer", self.call("POST", "/v1/inventories", {}, body))

    def get_meters(
        self, *, uscc: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> MetersPage:
        """Meters and their channels."""
        return cast(
            "MetersPage", self.call("GET", "/v1/meters", {"uscc": uscc, "cursor": cursor, "limit": limit})
        )

    def every_meters(self, *, uscc: str | None = None, limit: int | None = None) -> Iterator[MeterItem]:
        """Meters and their channels: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_meters(uscc=uscc, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_parks(self, *, cursor: str | None = None, limit: int | None = None) -> ParksPage:
        """Parks."""
        return cast("ParksPage", self.call("GET", "/v1/parks", {"cursor": cursor, "limit": limit}))

    def every_parks(self, *, limit: int | None = None) -> Iterator[ParkItem]:
        """Parks: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_parks(cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def park_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of a park's members."""
        return cast(
            "EmissionsPage",
            self.call(
                "GET",
                f"/v1/parks/{quote(str(code), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    def every_park_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> Iterator[EmissionItem]:
        """Emissions of a park's members: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.park_emissions(
                code,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post_quotas(self, body: QuotaStatements) -> QuotaStatementsPage:
        """State the units or lines of a compliance year."""
        return cast("QuotaStatementsPage", self.call("POST", "/v1/quotas", {}, body))

    def post_readings(
        self,
        body: dict[str, Any] | list[dict[str, Any]],
        *,
        uscc: str | None = None,
        gateway: str | None = None,
    ) -> ReceiptAnswer | list[ReceiptAnswer]:
        """Send readings."""
        return cast(
            "ReceiptAnswer | list[ReceiptAnswer]",
            self.call("POST", "/v1/readings", {"uscc": uscc, "gateway": gateway}, body),
        )

    def get_registry_changes(
        self, *, uscc: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> ChangesPage:
        """Who changed what in the registry."""
        return cast(
            "ChangesPage",
            self.call("GET", "/v1/registry/changes", {"uscc": uscc, "cursor": cursor, "limit": limit}),
        )

    def every_registry_changes(
        self, *, uscc: str | None = None, limit: int | None = None
    ) -> Iterator[ChangeItem]:
        """Who changed what in the registry: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_registry_changes(uscc=uscc, cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get_published_report(
        self, id: int, *, format: ReportFormat | None = None, lang: Language | None = None
    ) -> Report:
        """A published report."""
        return cast(
            "Report",
            self.call("GET", f"/v1/reports/{quote(str(id), safe='')}", {"format": format, "lang": lang}),
        )

    def get_report_differences(self, id: int, *, as_of: str | None = None) -> ReportDifferences:
        """What has changed since a report was published."""
        return cast(
            "ReportDifferences",
            self.call("GET", f"/v1/reports/{quote(str(id), safe='')}/differences", {"as_of": as_of}),
        )

    def get_rules(self, *, cursor: str | None = None, limit: int | None = None) -> RulesPage:
        """The checks between channels."""
        return cast("RulesPage", self.call("GET", "/v1/validation/rules", {"cursor": cursor, "limit": limit}))

    def every_rules(self, *, limit: int | None = None) -> Iterator[RuleItem]:
        """The checks between channels: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_rules(cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def version(self) -> Version:
        """Versions."""
        return cast("Version", self.call("GET", "/v1/version", {}))

    def get_webhooks(self, *, cursor: str | None = None, limit: int | None = None) -> WebhooksPage:
        """Webhooks, and how far each has come."""
        return cast("WebhooksPage", self.call("GET", "/v1/webhooks", {"cursor": cursor, "limit": limit}))

    def every_webhooks(self, *, limit: int | None = None) -> Iterator[WebhookItem]:
        """Webhooks, and how far each has come: the items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get_webhooks(cursor=cursor, limit=limit)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post_webhook(self, body: WebhookWish) -> NewWebhook:
        """Have changes sent to an address."""
        return cast("NewWebhook", self.call("POST", "/v1/webhooks", {}, body))

    def post_webhook_remove(self, id: int) -> WebhookItem:
        """End a webhook."""
        return cast("WebhookItem", self.call("POST", f"/v1/webhooks/{quote(str(id), safe='')}/remove", {}))

    def post_webhook_replay(self, id: int, body: Replay | None) -> WebhookItem:
        """Send to a webhook again."""
        return cast(
            "WebhookItem", self.call("POST", f"/v1/webhooks/{quote(str(id), safe='')}/replay", {}, body)
        )


class AsyncOperations:
    """Coroutines, one an operation; `every_…` go through all pages."""

    async def call(self, method: str, path: str, query: Mapping[str, Any], body: Any = None) -> Any:
        raise NotImplementedError

    async def get_change_feed(
        self, *, cursor: str | None = None, limit: int | None = None, kinds: list[ChangeKind] | None = None
    ) -> FeedPage:
        """What changed, in the order in which it was committed."""
        return cast(
            "FeedPage",
            await self.call("GET", "/v1/changes", {"cursor": cursor, "limit": limit, "kinds": kinds}),
        )

    async def every_change_feed(
        self, *, limit: int | None = None, kinds: list[ChangeKind] | None = None
    ) -> AsyncIterator[FeedItem]:
        """What changed, in the order in which it was committed: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_change_feed(cursor=cursor, limit=limit, kinds=kinds)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_consents(
        self,
        *,
        uscc: str | None = None,
        consumer: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ConsentsPage:
        """Consents."""
        return cast(
            "ConsentsPage",
            await self.call(
                "GET", "/v1/consents", {"uscc": uscc, "consumer": consumer, "cursor": cursor, "limit": limit}
            ),
        )

    async def every_consents(
        self, *, uscc: str | None = None, consumer: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ConsentItem]:
        """Consents: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_consents(uscc=uscc, consumer=consumer, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def post_consent(self, body: GrantBody) -> ConsentItem:
        """Consent to reading."""
        return cast("ConsentItem", await self.call("POST", "/v1/consents", {}, body))

    async def get_consent(self, id: int) -> ConsentItem:
        """A consent."""
        return cast("ConsentItem", await self.call("GET", f"/v1/consents/{quote(str(id), safe='')}", {}))

    async def revoke_consent(self, id: int, body: Revocation) -> ConsentItem:
        """Revoke a consent."""
        return cast(
            "ConsentItem", await self.call("POST", f"/v1/consents/{quote(str(id), safe='')}/revoke", {}, body)
        )

    async def get_dead_letters(
        self,
        *,
        reason: RejectReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        replayed: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> DeadLettersPage:
        """What was rejected."""
        return cast(
            "DeadLettersPage",
            await self.call(
                "GET",
                "/v1/deadletters",
                {
                    "reason": reason,
                    "gateway": gateway,
                    "from": from_,
                    "replayed": replayed,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_dead_letters(
        self,
        *,
        reason: RejectReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        replayed: bool | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[DeadLetterItem]:
        """What was rejected: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_dead_letters(
                reason=reason, gateway=gateway, from_=from_, replayed=replayed, cursor=cursor, limit=limit
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def replay_dead_letters(self, body: Choice | None) -> Done:
        """Decode dead letters again."""
        return cast("Done", await self.call("POST", "/v1/deadletters/replay", {}, body))

    async def district_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of a district or city."""
        return cast(
            "EmissionsPage",
            await self.call(
                "GET",
                f"/v1/districts/{quote(str(code), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_district_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[EmissionItem]:
        """Emissions of a district or city: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.district_emissions(
                code,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_ranking(
        self,
        code: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RankingPage:
        """Ranking of a district's enterprises."""
        return cast(
            "RankingPage",
            await self.call(
                "GET",
                f"/v1/districts/{quote(str(code), safe='')}/ranking",
                {"kind": kind, "period": period, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_ranking(
        self,
        code: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[RankItem]:
        """Ranking of a district's enterprises: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_ranking(code, kind=kind, period=period, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_enterprises(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> EnterprisesPage:
        """Enterprises."""
        return cast(
            "EnterprisesPage", await self.call("GET", "/v1/enterprises", {"cursor": cursor, "limit": limit})
        )

    async def every_enterprises(self, *, limit: int | None = None) -> AsyncIterator[EnterpriseItem]:
        """Enterprises: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_enterprises(cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_enterprise(self, uscc: str) -> Enterprise:
        """One enterprise."""
        return cast("Enterprise", await self.call("GET", f"/v1/enterprises/{quote(str(uscc), safe='')}", {}))

    async def get_certificates(
        self, uscc: str, *, year: int | None = None, cursor: str | None = None, limit: int | None = None
    ) -> CertificatesPage:
        """Green certificates of an enterprise."""
        return cast(
            "CertificatesPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates",
                {"year": year, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_certificates(
        self, uscc: str, *, year: int | None = None, limit: int | None = None
    ) -> AsyncIterator[CertificateItem]:
        """Green certificates of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_certificates(uscc, year=year, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def post_certificates(self, uscc: str, body: CertificateEntries) -> CertificatesTaken:
        """Enter retired green certificates."""
        return cast(
            "CertificatesTaken",
            await self.call("POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates", {}, body),
        )

    async def post_void(self, uscc: str, body: CertificateVoid) -> CertificateItem:
        """Take a certificate back."""
        return cast(
            "CertificateItem",
            await self.call(
                "POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/certificates/void", {}, body
            ),
        )

    async def get_consumption(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ConsumptionPage:
        """Consumption of a channel."""
        return cast(
            "ConsumptionPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/consumption",
                {
                    "channel": channel,
                    "granularity": granularity,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_consumption(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ConsumptionItem]:
        """Consumption of a channel: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_consumption(
                uscc,
                channel=channel,
                granularity=granularity,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_derivation(
        self,
        uscc: str,
        *,
        source: str,
        from_: str,
        to: str,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Derivation:
        """How a source's emissions came to be."""
        return cast(
            "Derivation",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/derivation",
                {
                    "source": source,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def enterprise_difference(
        self,
        uscc: str,
        *,
        as_of: str,
        from_: str,
        to: str,
        until: str | None = None,
        by: DifferenceBy | None = None,
        boundary: Boundary | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> DifferencePage:
        """What two states of the ledger differ by, and why."""
        return cast(
            "DifferencePage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/difference",
                {
                    "as_of": as_of,
                    "until": until,
                    "by": by,
                    "boundary": boundary,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_enterprise_difference(
        self,
        uscc: str,
        *,
        as_of: str,
        from_: str,
        to: str,
        until: str | None = None,
        by: DifferenceBy | None = None,
        boundary: Boundary | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[SourceDifference]:
        """What two states of the ledger differ by, and why: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.enterprise_difference(
                uscc,
                as_of=as_of,
                until=until,
                by=by,
                boundary=boundary,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_electricity(self, uscc: str, year: int, *, as_of: str | None = None) -> Electricity:
        """Purchased electricity, location- and market-based."""
        return cast(
            "Electricity",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/electricity/{quote(str(year), safe='')}",
                {"as_of": as_of},
            ),
        )

    async def enterprise_emissions(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: By | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of an enterprise."""
        return cast(
            "EmissionsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_enterprise_emissions(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: By | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[EmissionItem]:
        """Emissions of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.enterprise_emissions(
                uscc,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_grade(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        as_of: str | None = None,
    ) -> GradeRecord:
        """Green grade of an enterprise."""
        return cast(
            "GradeRecord",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/grade",
                {"kind": kind, "period": period, "as_of": as_of},
            ),
        )

    async def get_statements(self, uscc: str, *, as_of: str | None = None) -> StatementsPage:
        """What is stated of an enterprise for its grades."""
        return cast(
            "StatementsPage",
            await self.call(
                "GET", f"/v1/enterprises/{quote(str(uscc), safe='')}/grade-statements", {"as_of": as_of}
            ),
        )

    async def get_grades(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> GradesPage:
        """Grades of an enterprise."""
        return cast(
            "GradesPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/grades",
                {"kind": kind, "period": period, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_grades(
        self,
        uscc: str,
        *,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        period: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[GradeRecord]:
        """Grades of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_grades(uscc, kind=kind, period=period, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_enterprise_history(
        self, uscc: str, *, as_of: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> HistoryPage:
        """Years of an enterprise."""
        return cast(
            "HistoryPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/history",
                {"as_of": as_of, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_enterprise_history(
        self, uscc: str, *, as_of: str | None = None, limit: int | None = None
    ) -> AsyncIterator[HistoryItem]:
        """Years of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_enterprise_history(uscc, as_of=as_of, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_enterprise_year(self, uscc: str, year: int, *, as_of: str | None = None) -> HistoryYear:
        """A year of an enterprise."""
        return cast(
            "HistoryYear",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/history/{quote(str(year), safe='')}",
                {"as_of": as_of},
            ),
        )

    async def get_intensity(
        self,
        uscc: str,
        *,
        product: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> IntensityPage:
        """CO2e per unit of a product."""
        return cast(
            "IntensityPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/intensity",
                {
                    "product": product,
                    "granularity": granularity,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_intensity(
        self,
        uscc: str,
        *,
        product: str,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[IntensityItem]:
        """CO2e per unit of a product: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_intensity(
                uscc,
                product=product,
                granularity=granularity,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_objections(
        self, uscc: str, *, cursor: str | None = None, limit: int | None = None
    ) -> ObjectionsPage:
        """Objections of an enterprise to its grades."""
        return cast(
            "ObjectionsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/objections",
                {"cursor": cursor, "limit": limit},
            ),
        )

    async def every_objections(self, uscc: str, *, limit: int | None = None) -> AsyncIterator[ObjectionItem]:
        """Objections of an enterprise to its grades: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_objections(uscc, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_quota(
        self, uscc: str, year: int, *, balance_value: str | None = None, as_of: str | None = None
    ) -> Quota:
        """Allowances, forecast and gap of a compliance year."""
        return cast(
            "Quota",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/quota/{quote(str(year), safe='')}",
                {"balance_value": balance_value, "as_of": as_of},
            ),
        )

    async def get_quota_statements(self, uscc: str, year: int) -> QuotaStatementsPage:
        """What was stated of a compliance year."""
        return cast(
            "QuotaStatementsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/quota/{quote(str(year), safe='')}/statements",
                {},
            ),
        )

    async def get_read_log(
        self,
        uscc: str,
        *,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ReadLogPage:
        """Who read of an account."""
        return cast(
            "ReadLogPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/read-log",
                {"from": from_, "to": to, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_read_log(
        self, uscc: str, *, from_: str | None = None, to: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ReadItem]:
        """Who read of an account: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_read_log(uscc, from_=from_, to=to, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_readings(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ReadingsPage:
        """Stored readings of a channel."""
        return cast(
            "ReadingsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/readings",
                {
                    "channel": channel,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_readings(
        self,
        uscc: str,
        *,
        channel: str,
        from_: str,
        to: str,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ReadingItem]:
        """Stored readings of a channel: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_readings(
                uscc, channel=channel, as_of=as_of, from_=from_, to=to, cursor=cursor, limit=limit
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_published_reports(
        self, uscc: str, *, year: int | None = None, cursor: str | None = None, limit: int | None = None
    ) -> PublishedReportsPage:
        """Published reports of an enterprise."""
        return cast(
            "PublishedReportsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/reports",
                {"year": year, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_published_reports(
        self, uscc: str, *, year: int | None = None, limit: int | None = None
    ) -> AsyncIterator[PublishedReport]:
        """Published reports of an enterprise: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_published_reports(uscc, year=year, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def post_report(self, uscc: str, body: Publication) -> PublishedReport:
        """Publish the report of a year."""
        return cast(
            "PublishedReport",
            await self.call("POST", f"/v1/enterprises/{quote(str(uscc), safe='')}/reports", {}, body),
        )

    async def get_report(
        self,
        uscc: str,
        year: int,
        *,
        format: ReportFormat | None = None,
        lang: Language | None = None,
        as_of: str | None = None,
    ) -> Report:
        """Report of an enterprise and year."""
        return cast(
            "Report",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/reports/{quote(str(year), safe='')}",
                {"format": format, "lang": lang, "as_of": as_of},
            ),
        )

    async def enterprise_restatements(
        self,
        uscc: str,
        *,
        from_: str,
        to: str,
        boundary: Boundary | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> RestatementsPage:
        """What was restated, when, why and by whom."""
        return cast(
            "RestatementsPage",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/restatements",
                {"boundary": boundary, "from": from_, "to": to, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_enterprise_restatements(
        self, uscc: str, *, from_: str, to: str, boundary: Boundary | None = None, limit: int | None = None
    ) -> AsyncIterator[Restatement]:
        """What was restated, when, why and by whom: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.enterprise_restatements(
                uscc, boundary=boundary, from_=from_, to=to, cursor=cursor, limit=limit
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_windows(
        self, uscc: str, *, at: str | None = None, boundary: Boundary | None = None, as_of: str | None = None
    ) -> Windows:
        """Rolling windows of an enterprise."""
        return cast(
            "Windows",
            await self.call(
                "GET",
                f"/v1/enterprises/{quote(str(uscc), safe='')}/windows",
                {"at": at, "boundary": boundary, "as_of": as_of},
            ),
        )

    async def get_evidence_checkpoint(self, *, size: int | None = None) -> EvidenceCheckpoint:
        """Signed checkpoint of the evidence log."""
        return cast("EvidenceCheckpoint", await self.call("GET", "/v1/evidence/checkpoint", {"size": size}))

    async def get_evidence_consistency(self, *, from_: int, to: int | None = None) -> EvidenceConsistency:
        """Proof that the evidence log only grew."""
        return cast(
            "EvidenceConsistency",
            await self.call("GET", "/v1/evidence/consistency", {"from": from_, "to": to}),
        )

    async def get_evidence_inclusion(
        self,
        *,
        index: int | None = None,
        kind: str | None = None,
        reference: str | None = None,
        size: int | None = None,
    ) -> EvidenceInclusion:
        """Proof that a record is in the evidence log."""
        return cast(
            "EvidenceInclusion",
            await self.call(
                "GET",
                "/v1/evidence/inclusion",
                {"index": index, "kind": kind, "reference": reference, "size": size},
            ),
        )

    async def get_evidence_keys(self) -> EvidenceKeys:
        """Public keys of everything signed here."""
        return cast("EvidenceKeys", await self.call("GET", "/v1/evidence/keys", {}))

    async def get_evidence_leaf(
        self, *, index: int | None = None, kind: str | None = None, reference: str | None = None
    ) -> EvidenceLeaf:
        """A leaf of the evidence log."""
        return cast(
            "EvidenceLeaf",
            await self.call(
                "GET", "/v1/evidence/leaf", {"index": index, "kind": kind, "reference": reference}
            ),
        )

    async def post_financed_emissions(
        self,
        body: dict[str, Any],
        *,
        format: AnswerFormat | None = None,
        year: int | None = None,
        denominator: DenominatorCode | None = None,
        balance: BalanceBasis | None = None,
    ) -> FinancedAnswer:
        """Financed emissions of a loan list."""
        return cast(
            "FinancedAnswer",
            await self.call(
                "POST",
                "/v1/financed-emissions",
                {"format": format, "year": year, "denominator": denominator, "balance": balance},
                body,
            ),
        )

    async def get_findings(
        self,
        *,
        uscc: str | None = None,
        rule: CheckRule | None = None,
        severity: Severity | None = None,
        state: FindingState | None = None,
        from_: str | None = None,
        to: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> FindingsPage:
        """What the checks between channels found."""
        return cast(
            "FindingsPage",
            await self.call(
                "GET",
                "/v1/findings",
                {
                    "uscc": uscc,
                    "rule": rule,
                    "severity": severity,
                    "state": state,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_findings(
        self,
        *,
        uscc: str | None = None,
        rule: CheckRule | None = None,
        severity: Severity | None = None,
        state: FindingState | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[FindingItem]:
        """What the checks between channels found: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_findings(
                uscc=uscc,
                rule=rule,
                severity=severity,
                state=state,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_finding(self, id: int) -> Finding:
        """A finding with its evidence and history."""
        return cast("Finding", await self.call("GET", f"/v1/findings/{quote(str(id), safe='')}", {}))

    async def explain_finding(self, id: int, body: Word) -> Finding:
        """Explain a finding."""
        return cast(
            "Finding", await self.call("POST", f"/v1/findings/{quote(str(id), safe='')}/explain", {}, body)
        )

    async def settle_finding(self, id: int, body: Word) -> Finding:
        """Settle a finding."""
        return cast(
            "Finding", await self.call("POST", f"/v1/findings/{quote(str(id), safe='')}/settle", {}, body)
        )

    async def get_account(self, uscc: str, id: str) -> GatewayAccount:
        """Account of a gateway."""
        return cast(
            "GatewayAccount",
            await self.call(
                "GET", f"/v1/gateways/{quote(str(uscc), safe='')}/{quote(str(id), safe='')}/account", {}
            ),
        )

    async def get_schemes(self) -> SchemesPage:
        """Grading schemes."""
        return cast("SchemesPage", await self.call("GET", "/v1/grade-schemes", {}))

    async def post_scheme(self, body: SchemeEntry) -> SchemesPage:
        """Add or adopt a grading scheme."""
        return cast("SchemesPage", await self.call("POST", "/v1/grade-schemes", {}, body))

    async def get_shadow(
        self,
        *,
        scheme: str | None = None,
        change: list[str] | None = None,
        kind: Literal["INDICATIVE", "PUBLISHED", "ANNUAL"] | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> Shadow:
        """Grade the past by another scheme."""
        return cast(
            "Shadow",
            await self.call(
                "GET",
                "/v1/grades/shadow",
                {"scheme": scheme, "change": change, "kind": kind, "from": from_, "to": to},
            ),
        )

    async def post_statements(self, body: GradeStatements) -> Stated:
        """State value added, products and facts for grades."""
        return cast("Stated", await self.call("POST", "/v1/grades/statements", {}, body))

    async def post_objection(self, id: int, body: ObjectionEntry) -> ObjectionItem:
        """Object to a published grade."""
        return cast(
            "ObjectionItem",
            await self.call("POST", f"/v1/grades/{quote(str(id), safe='')}/objections", {}, body),
        )

    async def live(self) -> Live:
        """Is it alive?."""
        return cast("Live", await self.call("GET", "/v1/health/live", {}))

    async def ready(self) -> Ready:
        """Is it ready?."""
        return cast("Ready", await self.call("GET", "/v1/health/ready", {}))

    async def get_held(
        self,
        *,
        reason: HoldReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> HeldPage:
        """What is held."""
        return cast(
            "HeldPage",
            await self.call(
                "GET",
                "/v1/held",
                {"reason": reason, "gateway": gateway, "from": from_, "cursor": cursor, "limit": limit},
            ),
        )

    async def every_held(
        self,
        *,
        reason: HoldReason | None = None,
        gateway: str | None = None,
        from_: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[HeldItem]:
        """What is held: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_held(
                reason=reason, gateway=gateway, from_=from_, cursor=cursor, limit=limit
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def discard_held(self, body: Choice | None) -> Done:
        """Reject held readings."""
        return cast("Done", await self.call("POST", "/v1/held/discard", {}, body))

    async def release_held(self, body: Choice | None) -> Done:
        """Store held readings."""
        return cast("Done", await self.call("POST", "/v1/held/release", {}, body))

    async def get_history(
        self,
        *,
        year: int | None = None,
        from_year: int | None = None,
        to_year: int | None = None,
        industry: str | None = None,
        district: str | None = None,
        missing: bool | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> CompletenessPage:
        """Which years are there."""
        return cast(
            "CompletenessPage",
            await self.call(
                "GET",
                "/v1/history",
                {
                    "year": year,
                    "from_year": from_year,
                    "to_year": to_year,
                    "industry": industry,
                    "district": district,
                    "missing": missing,
                    "as_of": as_of,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_history(
        self,
        *,
        year: int | None = None,
        from_year: int | None = None,
        to_year: int | None = None,
        industry: str | None = None,
        district: str | None = None,
        missing: bool | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CompletenessItem]:
        """Which years are there: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_history(
                year=year,
                from_year=from_year,
                to_year=to_year,
                industry=industry,
                district=district,
                missing=missing,
                as_of=as_of,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_template(
        self,
        industry: str,
        *,
        format: TemplateFormat | None = None,
        edition: str | None = None,
        lang: Literal["zh", "en"] | None = None,
    ) -> HistoryTemplate:
        """Template of an industry."""
        return cast(
            "HistoryTemplate",
            await self.call(
                "GET",
                f"/v1/history/templates/{quote(str(industry), safe='')}",
                {"format": format, "edition": edition, "lang": lang},
            ),
        )

    async def post_inventory(self, body: dict[str, Any]) -> InventoryAnswer:
        """Compute an inventory."""
        return cast("InventoryAnswer", await self.call("POST", "/v1/inventories", {}, body))

    async def get_meters(
        self, *, uscc: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> MetersPage:
        """Meters and their channels."""
        return cast(
            "MetersPage",
            await self.call("GET", "/v1/meters", {"uscc": uscc, "cursor": cursor, "limit": limit}),
        )

    async def every_meters(
        self, *, uscc: str | None = None, limit: int | None = None
    ) -> AsyncIterator[MeterItem]:
        """Meters and their channels: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_meters(uscc=uscc, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_parks(self, *, cursor: str | None = None, limit: int | None = None) -> ParksPage:
        """Parks."""
        return cast("ParksPage", await self.call("GET", "/v1/parks", {"cursor": cursor, "limit": limit}))

    async def every_parks(self, *, limit: int | None = None) -> AsyncIterator[ParkItem]:
        """Parks: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_parks(cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def park_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EmissionsPage:
        """Emissions of a park's members."""
        return cast(
            "EmissionsPage",
            await self.call(
                "GET",
                f"/v1/parks/{quote(str(code), safe='')}/emissions",
                {
                    "granularity": granularity,
                    "by": by,
                    "boundary": boundary,
                    "as_of": as_of,
                    "from": from_,
                    "to": to,
                    "cursor": cursor,
                    "limit": limit,
                },
            ),
        )

    async def every_park_emissions(
        self,
        code: str,
        *,
        from_: str,
        to: str,
        granularity: Granularity | None = None,
        by: AggregateBy | None = None,
        boundary: Boundary | None = None,
        as_of: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[EmissionItem]:
        """Emissions of a park's members: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.park_emissions(
                code,
                granularity=granularity,
                by=by,
                boundary=boundary,
                as_of=as_of,
                from_=from_,
                to=to,
                cursor=cursor,
                limit=limit,
            )
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def post_quotas(self, body: QuotaStatements) -> QuotaStatementsPage:
        """State the units or lines of a compliance year."""
        return cast("QuotaStatementsPage", await self.call("POST", "/v1/quotas", {}, body))

    async def post_readings(
        self,
        body: dict[str, Any] | list[dict[str, Any]],
        *,
        uscc: str | None = None,
        gateway: str | None = None,
    ) -> ReceiptAnswer | list[ReceiptAnswer]:
        """Send readings."""
        return cast(
            "ReceiptAnswer | list[ReceiptAnswer]",
            await self.call("POST", "/v1/readings", {"uscc": uscc, "gateway": gateway}, body),
        )

    async def get_registry_changes(
        self, *, uscc: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> ChangesPage:
        """Who changed what in the registry."""
        return cast(
            "ChangesPage",
            await self.call("GET", "/v1/registry/changes", {"uscc": uscc, "cursor": cursor, "limit": limit}),
        )

    async def every_registry_changes(
        self, *, uscc: str | None = None, limit: int | None = None
    ) -> AsyncIterator[ChangeItem]:
        """Who changed what in the registry: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_registry_changes(uscc=uscc, cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def get_published_report(
        self, id: int, *, format: ReportFormat | None = None, lang: Language | None = None
    ) -> Report:
        """A published report."""
        return cast(
            "Report",
            await self.call(
                "GET", f"/v1/reports/{quote(str(id), safe='')}", {"format": format, "lang": lang}
            ),
        )

    async def get_report_differences(self, id: int, *, as_of: str | None = None) -> ReportDifferences:
        """What has changed since a report was published."""
        return cast(
            "ReportDifferences",
            await self.call("GET", f"/v1/reports/{quote(str(id), safe='')}/differences", {"as_of": as_of}),
        )

    async def get_rules(self, *, cursor: str | None = None, limit: int | None = None) -> RulesPage:
        """The checks between channels."""
        return cast(
            "RulesPage", await self.call("GET", "/v1/validation/rules", {"cursor": cursor, "limit": limit})
        )

    async def every_rules(self, *, limit: int | None = None) -> AsyncIterator[RuleItem]:
        """The checks between channels: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_rules(cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def version(self) -> Version:
        """Versions."""
        return cast("Version", await self.call("GET", "/v1/version", {}))

    async def get_webhooks(self, *, cursor: str | None = None, limit: int | None = None) -> WebhooksPage:
        """Webhooks, and how far each has come."""
        return cast(
            "WebhooksPage", await self.call("GET", "/v1/webhooks", {"cursor": cursor, "limit": limit})
        )

    async def every_webhooks(self, *, limit: int | None = None) -> AsyncIterator[WebhookItem]:
        """Webhooks, and how far each has come: the items of all pages."""
        cursor: str | None = None
        while True:
            page = await self.get_webhooks(cursor=cursor, limit=limit)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def post_webhook(self, body: WebhookWish) -> NewWebhook:
        """Have changes sent to an address."""
        return cast("NewWebhook", await self.call("POST", "/v1/webhooks", {}, body))

    async def post_webhook_remove(self, id: int) -> WebhookItem:
        """End a webhook."""
        return cast(
            "WebhookItem", await self.call("POST", f"/v1/webhooks/{quote(str(id), safe='')}/remove", {})
        )

    async def post_webhook_replay(self, id: int, body: Replay | None) -> WebhookItem:
        """Send to a webhook again."""
        return cast(
            "WebhookItem", await self.call("POST", f"/v1/webhooks/{quote(str(id), safe='')}/replay", {}, body)
        )
