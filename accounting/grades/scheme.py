"""What a grading scheme says, read from its JSON by `scheme_read`: dimensions, tracks, rules, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accounting.grades.curves import Curve

NOT_RATED = "NR"
DENOMINATORS = ("value_added", "revenue", "output_value", "tax")
# A step's group of peers: so many digits of GB/T 4754 that are equal within the city.
CITY_STEPS = {"city4": 4, "city3": 3, "city2": 2, "city_all": 0}
TABLE_STEPS = ("province_table", "national_table")


@dataclass(frozen=True, slots=True)
class Label:
    """`at_least`: the lowest S that reaches it; None for the last, and where labels go by rank."""

    code: str
    at_least: Fraction | None
    name_zh: str


@dataclass(frozen=True, slots=True)
class LevelsDimension:
    """Products against benchmark levels (D1). `level_scores`: by level 1, 2, 3, beyond; None: linear."""

    code: str
    min_share: Fraction
    aggregate: str  # emission_weighted | worst
    level_scores: tuple[Fraction, ...] | None


@dataclass(frozen=True, slots=True)
class TableRatio:
    """A published E ÷ denominator of an industry [tCO2e per 10⁴ yuan]; `code`: digits of GB/T 4754."""

    step: str
    code: str
    denominator: str
    ratio: Fraction
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class PeerDimension:
    """One's E ÷ denominator over that of one's peers (D2)."""

    code: str
    denominators: tuple[str, ...]
    steps: tuple[str, ...]
    min_n: int
    max_share: Fraction
    leaves_self_out: bool
    curve: Curve
    tables: tuple[TableRatio, ...]


@dataclass(frozen=True, slots=True)
class TrendDimension:
    """One's intensity over that of `lag_months` before (D3)."""

    code: str
    lag_months: int
    curve: Curve


Dimension = LevelsDimension | PeerDimension | TrendDimension


@dataclass(frozen=True, slots=True)
class Track:
    """The first whose condition holds is taken.

    requires      dimension of levels whose share of E is reached; None
    by_share      dimensions whose weight is times their share of E
    denominators  of which one must be known; empty: none is needed, and any of the dimension's serves
    """

    id: str
    requires: str | None
    by_share: tuple[str, ...]
    denominators: tuple[str, ...]
    weights: Mapping[str, Fraction]
    ceiling: str | None


@dataclass(frozen=True, slots=True)
class Override:
    """A cap on the label while its fact holds. `severe_excess`: share of |L3| beyond which `severe_cap` holds."""

    id: str
    cap: str
    severe_excess: Fraction | None
    severe_cap: str | None
    months: int | None
    rates_unrated: bool


@dataclass(frozen=True, slots=True)
class DataRules:
    coverage_full: Fraction
    coverage_provisional: Fraction
    coverage_ceiling: str | None
    months_full: int
    months_provisional: int
    matched_full: int
    matched_provisional: int
    reconcile_flag: Fraction
    reconcile_freeze: Fraction


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """`streak`: so many quarter ends on the new side change the label too; None: margin alone."""

    margin: Fraction
    streak: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """A second label beside the grade, by E ÷ denominator [tCO2e per 10⁴ yuan], upper bounds ascending."""

    denominator: str
    steps: tuple[tuple[Fraction | None, str], ...]


@dataclass(frozen=True, slots=True)
class Adjustments:
    bonus_max: Fraction
    accident: Fraction


@dataclass(frozen=True, slots=True)
class Publication:
    objection_workdays: int
    case_days: int


@dataclass(frozen=True, slots=True)
class Discount:
    """No grade: basis points of a rate by the S of another scheme."""

    of: str
    s_base: Fraction
    cap_bp: Fraction
    bp_per_point: Fraction

    def basis_points(self, score: Fraction | None) -> Fraction:
        """min(cap, max(0, S − base)) × bp; nothing for who isn't rated."""
        if score is None:
            return Fraction(0)
        return min(self.cap_bp, max(Fraction(0), score - self.s_base) * self.bp_per_point)


@dataclass(frozen=True, slots=True)
class Scheme:
    """`labels` from best to worst. `ranking`: labels by share of the ranking from its top, instead of by S."""

    id: str
    version: str
    hash: str
    document: Mapping[str, Any]
    labels: tuple[Label, ...]
    dimensions: Mapping[str, Dimension]
    tracks: tuple[Track, ...]
    data: DataRules
    hysteresis: Hysteresis | None
    overrides: Mapping[str, Override]
    publication: Publication
    side: Side | None
    ranking: tuple[tuple[str, Fraction], ...] | None
    adjustments: Adjustments | None

    @property
    def name(self) -> str:
        return f"{self.id} {self.version}"

    def rank_of(self, code: str) -> int:
        """0 the best; one beyond the last for NR."""
        for rank, label in enumerate(self.labels):
            if label.code == code:
                return rank
        return len(self.labels)

    def worse(self, one: str, other: str) -> str:
        return one if self.rank_of(one) >= self.rank_of(other) else other

    def label_of(self, score: Fraction) -> str:
        """By its thresholds, score unrounded."""
        for label in self.labels:
            if label.at_least is None or score >= label.at_least:
                return label.code
        raise AssertionError("the last label has no threshold")

    def names(self) -> dict[str, str]:
        return {**{label.code: label.name_zh for label in self.labels}, NOT_RATED: "未评级"}


@dataclass(frozen=True, slots=True)
class DiscountScheme:
    """A scheme that grades nobody: it turns another scheme's S into basis points."""

    id: str
    version: str
    hash: str
    document: Mapping[str, Any]
    discount: Discount

    @property
    def name(self) -> str:
        return f"{self.id} {self.version}"
