"""The report of an enterprise and year as a value: what its tables hold, as JSON has it.

Amounts are exact decimal strings: `_kg` kilograms of CO2e with six decimals (milligrams), `tco2e` tonnes with nine.
Where nothing is known an amount is None, never 0. Days are ISO dates, both ends included. What is a mean or a quotient
that doesn't end has twelve decimals, rounded half to even. Shares and coverages have six, rounded down.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

FORM = "carbonmeter-report/1"


@dataclass(frozen=True, slots=True)
class EditionInForce:
    """The edition that a boundary is counted by on some days of the period."""

    boundary: str
    edition: str
    document: str
    confidence: str
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class Reporter:
    """报告主体: who reports."""

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


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """A local calendar year. `complete`: all of it had ended at `as_of`."""

    year: int
    first_day: str
    last_day: str
    zone: str
    complete: bool


@dataclass(frozen=True, slots=True)
class EmissionLine:
    """表1: what a source emitted of a gas, in both boundaries. A deduction is negative."""

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


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a total, by what it is called: a scope, a gas, a method."""

    key: str
    name_zh: str
    name_en: str
    kg: str
    tco2e: str


@dataclass(frozen=True, slots=True)
class Reported:
    """The total rounded as an edition says; None where the period is counted by several that round differently."""

    tco2e: str
    decimals: int
    rounding: str
    edition: str


@dataclass(frozen=True, slots=True)
class Total:
    """A boundary's total: the exact sum of its entries, rounded only in `reported`.

    gross, deductions        kilograms; gross + deductions = kg
    estimated_share          of Σ|entry| on estimated input; so the others: a share doesn't cancel against a deduction
    confidence_shares        of Σ|entry|, by the weakest mark (H, M, L) among the method and the figures it rests on
    """

    boundary: str
    kg: str | None
    tco2e: str | None
    reported: Reported | None
    gross_kg: str | None
    deductions_kg: str | None
    by_scope: list[Part]
    by_gas: list[Part]
    by_method: list[Part]
    coverage: str | None
    estimated_share: str | None
    substituted_share: str | None
    estimated_or_substituted_share: str | None
    confidence_shares: dict[str, str]


@dataclass(frozen=True, slots=True)
class MonthAmount:
    """A month's activity data: the sum of its known intervals, and how many of them are known."""

    month: str
    amount: str | None
    known: int


@dataclass(frozen=True, slots=True)
class ChannelOrigin:
    """Where activity data come from: a channel of a meter, with its sign in the source's sum."""

    channel: str
    sign: int
    meter: str | None
    quantity: str
    kind: str
    unit: str
    multiplier: str | None  # of the last version in the period
    resolution: str | None
    derived: str | None  # function and inputs of a derived channel


@dataclass(frozen=True, slots=True)
class Activity:
    """表2: activity data of a source. `converted` is the amount in the unit that its factors are per."""

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


@dataclass(frozen=True, slots=True)
class FigureUsed:
    """A figure of a factor: its value, where it comes from, and how far it is to be trusted."""

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


@dataclass(frozen=True, slots=True)
class FactorUsed:
    """表3: a factor as the ledger used it on some days, what it was multiplied with, and what came of it."""

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


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a figure that changed within the year, weighted as `weights` says."""

    source: str
    gas: str
    boundaries: list[str]
    name: str
    unit: str
    values: int
    mean: str
    weights: str


@dataclass(frozen=True, slots=True)
class EnergyLine:
    """Electricity or heat that was bought or passed on. Amount and tCO2e of what is passed on are negative."""

    source: str
    carrier: str  # electricity, heat
    direction: str  # purchased, exported
    amount: str | None
    unit: str
    tco2e_per_unit: str | None
    account_tco2e: str | None


@dataclass(frozen=True, slots=True)
class NetEnergy:
    """净购入: what was bought less what was passed on."""

    carrier: str
    amount: str
    unit: str
    account_tco2e: str


@dataclass(frozen=True, slots=True)
class ProductLine:
    """A product's output, and kilograms of CO2e for a unit of it."""

    product: str
    amount: str | None
    unit: str
    quality: str
    coverage: str | None
    account_kg_per_unit: str | None
    ets_kg_per_unit: str | None


@dataclass(frozen=True, slots=True)
class QualityLine:
    """How good a source's entries in a boundary are, in quarter-hours and in shares of Σ|entry|."""

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


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a rule stood in for: `amount`, or a figure with its last earlier value, None where there was none."""

    name: str
    original: str | None
    unit: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class SubstitutionUsed:
    """What a substitution rule put in the place of missing data on some days.

    intervals     quarter-hours that rest on it; tco2e: what they emit
    effect_tco2e  what the rule adds: against the last earlier figures (None: there were none), or all that it filled
    """

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


@dataclass(frozen=True, slots=True)
class WeakFigure:
    """A figure or method not read in the guideline itself, or to be replaced: marks M, L, provisional."""

    source: str
    name: str
    value: str | None
    unit: str | None
    mark: str  # M, L, provisional
    reference: str | None


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A finding of the checks between channels that touches the period; it changes no figure by itself.

    doubt_tco2e  tonnes in doubt; state: open, explained, settled
    """

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


@dataclass(frozen=True, slots=True)
class Statement:
    """What was stated of the year by rows of a file, beside what the meters tell; the two are never added up.

    version, number  its id, and how many versions of the year there were with it
    provenance       the weakest among its rows: estimated, reported, verified
    answer           the inventory's whole answer (docs/inventory.md)
    """

    version: int
    number: int
    at: str
    by: str
    why: str
    file: str | None
    provenance: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the report was made from: with it, it can be made again.

    as_of            the moment that the books are read as of
    run              the last run of accounting in it; None: nothing was ever counted
    ledger_sha256    of tables 1 to 3: equal where the books are equal, whenever the report is made
    """

    as_of: str
    run: int | None
    run_committed_at: str | None
    registry_version: int
    rules_versions: list[str]
    factor_sets: list[str]
    ledger_sha256: str
    software: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report. `sha256` is of the canonical JSON of all the rest."""

    form: str
    enterprise: Reporter
    period: ReportPeriod
    totals: list[Total]  # account, ets
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
    provenance: Provenance
    sha256: str = field(default="")


def canonical(value: Any) -> bytes:
    """JSON of a value in one spelling: keys sorted, no spaces, UTF-8."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="deterministic")


def digest(*values: Any) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of values."""
    return hashlib.sha256(canonical(values)).hexdigest()


def sealed(report: Report) -> Report:
    """The report with its hash."""
    return replace(report, sha256=hashlib.sha256(canonical(replace(report, sha256=""))).hexdigest())


def to_json(report: Report) -> bytes:
    """The report as its JSON, in one spelling, fields in the order of this page."""
    return msgspec.json.encode(report)


def from_json(data: bytes) -> Report:
    """A report again from its JSON; raises msgspec.ValidationError where it is none."""
    return msgspec.json.decode(data, type=Report)
