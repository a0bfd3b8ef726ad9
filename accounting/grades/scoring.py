"""Dimensions of one enterprise: products against levels, peers, trend; each with what it was found from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from accounting.grades.benchmarks import Corrected
from accounting.grades.curves import Curve
from accounting.grades.inputs import WINDOW, GradeInputs, ProductInputs, SourceSum
from accounting.grades.matching import MONTHS, YEAR, Matched, exact_sum, last_closed_year, matched
from accounting.grades.peers import PeerRatio, PeerTables, is_usable, peer_ratio
from accounting.grades.scheme import LevelsDimension, PeerDimension, Scheme, Track, TrendDimension
from domain.errors import Refused

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class ProductScore:
    """A product's place: `value` in the benchmark's unit, `co2e_mg` of its sources."""

    inputs: ProductInputs
    corrected: Corrected
    value: Fraction
    months: int
    co2e_mg: int
    score: Fraction

    @property
    def excess(self) -> Fraction:
        """Above level 3; zero or less: within it."""
        return self.value - self.corrected.levels.three


@dataclass(frozen=True, slots=True)
class Scored:
    """A dimension that is on. `at` scores it with E scaled; `breaks`: scales below 1 where its pieces meet."""

    code: str
    score: Fraction
    at: Callable[[Fraction], Fraction]
    breaks: Sequence[Fraction]
    share: Fraction | None = None  # of E, by products
    products: tuple[ProductScore, ...] = ()
    peers: PeerRatio | None = None
    trend: Trend | None = None
    months: int = WINDOW
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """`now` and `before`: intensities whose quotient is `rho`. `of`: a denominator, or products."""

    rho: Fraction
    now: Fraction
    before: Fraction
    of: str
    basis: str
    is_constant_price: bool | None


def curve_scored(code: str, curve: Curve, ratio: Fraction, **details: object) -> Scored:
    """A dimension whose position is in proportion to E."""
    breaks = [each / ratio for each in curve.positions[: bisect_left(curve.positions, ratio)]]
    return Scored(code, curve.score(ratio), lambda t: curve.score(ratio * t), breaks, **details)  # type: ignore[arg-type]


def place_products(
    inputs: GradeInputs, dimension: LevelsDimension, scheme: Scheme
) -> tuple[list[ProductScore], list[str]]:
    """Products beside their levels, and why others aren't."""
    reasons: list[str] = []
    found: list[ProductScore] = []
    amounts = {each.source: each.co2e_mg for each in inputs.sources}
    for product in inputs.products:
        given = intensity(product, inputs.first_month, inputs.month)
        if given is None or given[1] < scheme.data.matched_provisional:
            reasons.append(f"{dimension.code}: {product.product} has too few months with energy and output")
            continue
        try:
            corrected = product.benchmark.corrected(product.conditions)
        except Refused as error:
            reasons.append(f"{dimension.code}: {error}")
            continue
        reasons += [
            f"{dimension.code}: {product.product}: condition {name} isn't stated"
            for name in corrected.missing
        ]
        value, months = given
        co2e_mg = sum(amounts.get(source, 0) for source in product.sources)
        score = _level_score(dimension, corrected, value)
        found.append(ProductScore(product, corrected, value, months, co2e_mg, score))
    return found, reasons


def score_levels(
    dimension: LevelsDimension, found: Sequence[ProductScore], reasons: Sequence[str], total_mg: int
) -> Scored | str:
    """D1 of the products that `place_products` found, or the reason why it is off."""
    if not found:
        return "; ".join(reasons) or f"{dimension.code}: no product with a benchmark"
    weights = [max(each.co2e_mg, 0) for each in found]
    covered = sum(weights)
    share = min(Fraction(1), Fraction(covered, total_mg)) if total_mg > 0 else _ZERO
    if dimension.aggregate == "worst":
        weights = []
    elif not covered or share < dimension.min_share:
        return f"{dimension.code}: benchmarked products have too small a share of the emissions"

    def at(t: Fraction) -> Fraction:
        scores = [
            _level_score(dimension, each.corrected, each.value * t if each.value > 0 else each.value)
            for each in found
        ]
        if not weights:
            return min(scores)
        return sum((w * s for w, s in zip(weights, scores, strict=True)), _ZERO) / covered

    breaks = [
        edge / each.value for each in found for edge in each.corrected.levels.breaks if 0 < edge < each.value
    ]
    months = min(each.months for each in found)
    return Scored(
        dimension.code,
        at(Fraction(1)),
        at,
        breaks,
        share,
        tuple(found),
        months=months,
        reasons=tuple(reasons),
    )


def _level_score(dimension: LevelsDimension, corrected: Corrected, value: Fraction) -> Fraction:
    if dimension.level_scores is not None:
        return dimension.level_scores[corrected.levels.level(value) - 1]
    return corrected.levels.score(value)


def intensity(product: ProductInputs, first: int, last: int) -> tuple[Fraction, int] | None:
    """Energy ÷ output over the months that have both, and how many; None where the output is zero."""
    taken = [each for month, each in product.months.items() if first <= month <= last]
    output = exact_sum(made for _, made in taken)
    return (exact_sum(used for used, _ in taken) / output, len(taken)) if output > 0 else None


def score_peers(
    inputs: GradeInputs, dimension: PeerDimension, track: Track, tables: PeerTables, scheme: Scheme
) -> Scored | str:
    """D2 by the first denominator that has months and peers, or the reason why it is off."""
    reasons: list[str] = []
    for kind in dimension.denominators:
        if track.denominators and kind not in track.denominators:
            continue
        found = usable(inputs, kind, tables, scheme)
        if found is None:
            reasons.append(f"{dimension.code}: {kind} is known for too few months")
            continue
        own, noted = found
        if own.value <= 0:
            if own.co2e_mg <= 0:
                reasons.append(f"{dimension.code}: neither emissions nor {kind}")
                continue
            worst = dimension.curve.worst
            noted = (*noted, f"{dimension.code}: {kind} isn't above zero")
            return Scored(
                dimension.code, worst, partial(_constant, worst), (), months=own.months, reasons=noted
            )
        ratio = peer_ratio(inputs, dimension, kind, own.basis, own, tables, scheme)
        if isinstance(ratio, PeerRatio):
            return curve_scored(
                dimension.code, dimension.curve, ratio.k, peers=ratio, months=own.months, reasons=noted
            )
        reasons.append(f"{dimension.code}: PEERS ({'; '.join(ratio)})")
    return "; ".join(reasons) or f"{dimension.code}: no denominator"


def _constant(score: Fraction, _: Fraction) -> Fraction:
    return score


def usable(
    inputs: GradeInputs, kind: str, tables: PeerTables, scheme: Scheme
) -> tuple[Matched, tuple[str, ...]] | None:
    """A denominator's matched sums: of the window, else of the last closed year, which is then told."""
    window = tables.matched(inputs, kind, MONTHS)
    if window is not None and is_usable(window, scheme):
        return window, ()
    year = tables.matched(inputs, kind, YEAR)
    if year is not None and is_usable(year, scheme):
        return year, (f"LAST_YEAR: {kind} of the last closed year, on both sides",)
    return None


def score_trend(
    inputs: GradeInputs,
    dimension: TrendDimension,
    track: Track,
    kinds: Sequence[str],
    scheme: Scheme,
    tables: PeerTables,
) -> Scored | str:
    """D3: products' intensity where the track stands on products, else E ÷ denominator; or why it is off."""
    code, lag = dimension.code, dimension.lag_months
    trend = (
        _product_trend(inputs, lag, scheme)
        if track.requires is not None
        else _ratio_trend(inputs, lag, kinds, scheme, tables)
    )
    if trend is None:
        return f"{code}: nothing to compare {lag} months earlier"
    if trend.now <= 0 or trend.before <= 0:
        return f"{code}: an intensity isn't above zero"
    noted = (f"{code}: CURRENT_PRICES",) if trend.is_constant_price is False else ()
    return curve_scored(code, dimension.curve, trend.rho, trend=trend, reasons=noted)


def _product_trend(inputs: GradeInputs, lag: int, scheme: Scheme) -> Trend | None:
    if len({each.benchmark.unit for each in inputs.products}) != 1:
        return None
    # By the same products on both sides, or a product that began or ended would move the mean by itself.
    pairs = []
    for product in inputs.products:
        now = intensity(product, inputs.first_month, inputs.month)
        before = intensity(product, inputs.first_month - lag, inputs.month - lag)
        if now is None or before is None:
            continue
        if min(now[1], before[1]) >= scheme.data.matched_full:
            pairs.append((product, now[0], before[0]))
    now_j = _weighted([(product, value) for product, value, _ in pairs], inputs.sources)
    before_j = _weighted([(product, value) for product, _, value in pairs], inputs.sources_before)
    if now_j is None or before_j is None:
        return None
    return _trend(now_j, before_j, "products", MONTHS, None)


def _weighted(
    values: Sequence[tuple[ProductInputs, Fraction]], sources: Sequence[SourceSum]
) -> Fraction | None:
    amounts = {each.source: each.co2e_mg for each in sources}
    weights = [max(0, sum(amounts.get(source, 0) for source in product.sources)) for product, _ in values]
    if not any(weights):
        return None
    return sum((w * value for w, (_, value) in zip(weights, values, strict=True)), _ZERO) / sum(weights)


def _ratio_trend(
    inputs: GradeInputs, lag: int, kinds: Sequence[str], scheme: Scheme, tables: PeerTables
) -> Trend | None:
    """By the first denominator that is known for both periods, in months or else in closed years."""
    year_first, year_last = last_closed_year(inputs.month)
    for kind in kinds:
        figures = inputs.figures.get(kind, ())
        if not figures:
            continue
        for basis, first, last in ((MONTHS, inputs.first_month, inputs.month), (YEAR, year_first, year_last)):
            if basis == MONTHS:
                now = tables.matched(inputs, kind, MONTHS)
            else:
                now = matched(inputs.emissions, figures, first, last, basis)
            if now is None or now.months < scheme.data.matched_provisional:
                continue
            before = matched(inputs.emissions, figures, first - lag, last - lag, basis)
            if before is None or before.months < scheme.data.matched_provisional:
                continue
            is_constant = now.constant is not None and before.constant is not None
            one = now.constant if is_constant else now.value
            other = before.constant if is_constant else before.value
            assert one is not None
            assert other is not None
            if one <= 0 or other <= 0:
                continue
            return _trend(now.co2e_mg / one, before.co2e_mg / other, kind, basis, is_constant)
    return None


def _trend(now: Fraction, before: Fraction, of: str, basis: str, is_constant: bool | None) -> Trend:
    return Trend(now / before if before else _ZERO, now, before, of, basis, is_constant)
