"""A grade: `grade` of one enterprise, `grade_many` of all. Pure; `record` tells it as JSON."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from accounting.grades.distance import Term, largest_scale
from accounting.grades.hysteresis import held_label
from accounting.grades.inputs import WINDOW, Fact, GradeInputs
from accounting.grades.peers import PeerTables, denominators_of, peer_tables
from accounting.grades.scheme import (
    NOT_RATED,
    LevelsDimension,
    PeerDimension,
    Scheme,
    Track,
    TrendDimension,
)
from accounting.grades.scoring import Scored, place_products, score_levels, score_peers, score_trend, usable

RATED, UNRATED, VERIFYING = "RATED", "NR", "VERIFYING"
_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True)
class Cap:
    """What holds a label down: a ceiling or an override, with why."""

    id: str
    cap: str
    why: str


@dataclass(frozen=True, slots=True)
class Distance:
    """To the next label. `scale`: E may be at most this part of itself; None: reducing E alone doesn't reach it."""

    to_label: str
    score: Fraction  # S that reaches it
    rise: Fraction
    scale: Fraction | None
    reduction_mg: Fraction | None
    blocked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    """Everything that a label rests on. `raw`: by S alone; `held`: after hysteresis; `label`: after caps."""

    inputs: GradeInputs
    scheme: Scheme
    is_published: bool
    co2e_mg: int
    coverage: Fraction | None
    months: int
    track: Track | None
    dimensions: tuple[Scored, ...]
    weights: tuple[Fraction, ...]
    score: Fraction | None
    raw: str
    held: str
    label: str
    state: str
    ceilings: tuple[Cap, ...]
    overrides: tuple[Cap, ...]
    is_provisional: bool
    reasons: tuple[str, ...]
    find_distance: Callable[[], Distance | None]
    difference: Fraction | None  # to what was reported, relative
    side: tuple[Fraction, str] | None

    @property
    def distance(self) -> Distance | None:
        """To the next label; solved when it is asked for, which takes as long as the grade itself."""
        return self.find_distance()


def _no_distance() -> None:
    return None


def grade(inputs: GradeInputs, scheme: Scheme, peers: PeerTables, *, is_published: bool = False) -> Grade:
    """Of one enterprise. Hysteresis acts on published grades alone.

    peers  of the same closing month and scheme (`peer_tables`); `ranked` too where labels go by rank
    """
    return _Grading(inputs, scheme, peers, is_published).grade()


def grade_many(
    everybody: Sequence[GradeInputs],
    scheme: Scheme,
    peers: PeerTables | None = None,
    *,
    is_published: bool = False,
) -> list[Grade]:
    """Of all enterprises of one closing month, in their order. `peers`: None: they are each other's."""
    tables = peer_tables(everybody, scheme) if peers is None else peers
    found = [grade(each, scheme, tables, is_published=is_published) for each in everybody]
    if scheme.ranking is None or tables.ranked:
        return found
    ranked = sorted(each.score for each in found if each.score is not None)
    ranking = replace(tables, ranked=ranked)
    return [grade(each, scheme, ranking, is_published=is_published) for each in everybody]


class _Grading:
    def __init__(self, inputs: GradeInputs, scheme: Scheme, peers: PeerTables, is_published: bool) -> None:
        self._inputs = inputs
        self._scheme = scheme
        self._peers = peers
        self._is_published = is_published
        self._reasons: list[str] = []
        self._ceilings: list[Cap] = []
        self._is_provisional = False
        self._products = {
            code: place_products(inputs, dimension, scheme)
            for code, dimension in scheme.dimensions.items()
            if isinstance(dimension, LevelsDimension)
        }
        self._months = sum(
            1 for month in range(inputs.first_month, inputs.month + 1) if month in inputs.emissions
        )
        if inputs.verified_mg is not None:
            self._months = WINDOW
            self._co2e_mg = inputs.verified_mg
        else:
            amounts = inputs.emissions
            self._co2e_mg = sum(
                amounts.get(month, 0) for month in range(inputs.first_month, inputs.month + 1)
            )

    def grade(self) -> Grade:
        inputs, scheme = self._inputs, self._scheme
        coverage = self._coverage()
        is_rated = self._judge_coverage(coverage) & self._judge_months()
        track, scored = self._scored(is_rated)
        weights = self._weights(track, scored)
        total = sum(weights, _ZERO)
        score = None
        if track is not None:
            score = sum((w * each.score for w, each in zip(weights, scored, strict=True)), _ZERO) / total
            score = self._adjusted(score)
            if track.ceiling is not None:
                self._ceilings.append(Cap("TRACK", track.ceiling, f"track {track.id}"))
            for each in scored:
                self._reasons += each.reasons
                if each.months < scheme.data.matched_full:
                    self._note_provisional(f"MATCHED: {each.code} stands on {each.months} matched months")
        overrides = self._overrides()
        raw = self._raw(score)
        held = self._held(score, raw)
        label = held
        for cap in (*self._ceilings, *overrides):
            if label != NOT_RATED or (cap.id in scheme.overrides and scheme.overrides[cap.id].rates_unrated):
                label = cap.cap if label == NOT_RATED else scheme.worse(label, cap.cap)
        state = UNRATED if label == NOT_RATED else RATED
        difference = self._difference()
        if difference is not None and difference > scheme.data.reconcile_freeze:
            label = inputs.previous.label if inputs.previous is not None else NOT_RATED
            state = VERIFYING
            self._reasons.append("VERIFYING: differs too much from what was reported; the label before stays")
        elif difference is not None and difference > scheme.data.reconcile_flag:
            self._reasons.append("RECONCILE: differs from what was reported")
        if inputs.two_high:
            self._reasons.append("TWO_HIGH: on the register of high energy and high emission; no effect")
        find_distance: Callable[[], Distance | None] = _no_distance
        if score is not None:
            find_distance = partial(self._distance, score, raw, held, scored, weights, total, overrides)
        return Grade(
            inputs,
            scheme,
            self._is_published,
            self._co2e_mg,
            coverage,
            self._months,
            track,
            scored,
            weights,
            score,
            raw,
            held,
            label,
            state,
            tuple(self._ceilings),
            overrides,
            self._is_provisional,
            tuple(self._reasons),
            find_distance,
            difference,
            self._side(),
        )

    def _note_provisional(self, reason: str) -> None:
        self._is_provisional = True
        self._reasons.append(reason)

    # -- data rules

    def _coverage(self) -> Fraction | None:
        """Σ|E_s|·v_s ÷ Σ|E_s|; by intervals alone where nothing is emitted."""
        if self._inputs.verified_mg is not None:
            return _ONE
        sources = [each for each in self._inputs.sources if each.expected]
        if not sources:
            return None
        whole = sum(abs(each.co2e_mg) for each in sources)
        if not whole:
            return Fraction(sum(each.valid for each in sources), sum(each.expected for each in sources))
        valid: dict[int, int] = {}  # mg × intervals, by the intervals expected: of most sources the same
        for each in sources:
            valid[each.expected] = valid.get(each.expected, 0) + abs(each.co2e_mg) * each.valid
        return sum([Fraction(part, expected) for expected, part in valid.items()], _ZERO) / whole

    def _judge_coverage(self, coverage: Fraction | None) -> bool:
        rules = self._scheme.data
        if coverage is None or coverage < rules.coverage_provisional:
            self._reasons.append("COVERAGE: too little of the window is known")
            return False
        if coverage < rules.coverage_full:
            self._note_provisional("COVERAGE: part of the window isn't known")
            if rules.coverage_ceiling is not None:
                self._ceilings.append(Cap("COVERAGE", rules.coverage_ceiling, "coverage below full"))
        return True

    def _judge_months(self) -> bool:
        rules = self._scheme.data
        if self._months < rules.months_provisional:
            self._reasons.append(f"SHORT: {self._months} closed months")
            return False
        if self._months < rules.months_full:
            self._note_provisional(f"SHORT: {self._months} of {rules.months_full} closed months; no trend")
        return True

    def _difference(self) -> Fraction | None:
        """|metered − reported| ÷ |reported|, of a whole window."""
        inputs = self._inputs
        months = range(inputs.first_month, inputs.month + 1)
        if inputs.reported is None or any(month not in inputs.emissions for month in months):
            return None
        if not inputs.reported.co2e_mg:
            return None
        metered = sum(inputs.emissions[month] for month in months)
        return Fraction(abs(metered - inputs.reported.co2e_mg), abs(inputs.reported.co2e_mg))

    # -- score

    def _scored(self, is_rated: bool) -> tuple[Track | None, tuple[Scored, ...]]:
        """The first track that can give a score, and its dimensions that are on."""
        if not is_rated:
            return None, ()
        tried: list[str] = []
        for track in self._scheme.tracks:
            found, off = self._track(track)
            if found:
                self._reasons += off
                return track, found
            tried += [f"track {track.id}: {each}" for each in off]
        self._reasons.append("NO_DIMENSION: neither products nor peers can be compared")
        self._reasons += tried
        return None, ()

    def _track(self, track: Track) -> tuple[tuple[Scored, ...], list[str]]:
        """Its dimensions that are on, and why others are off; none on where it can't give a score."""
        inputs, scheme = self._inputs, self._scheme
        if track.denominators and not any(
            usable(inputs, kind, self._peers, scheme) for kind in track.denominators
        ):
            return (), [f"{' and '.join(track.denominators)} unknown"]
        found: list[Scored] = []
        off: list[str] = []
        has_base = False
        for code in track.weights:
            dimension = scheme.dimensions[code]
            scored: Scored | str
            match dimension:
                case LevelsDimension():
                    scored = score_levels(dimension, *self._products[code], self._co2e_mg)
                case PeerDimension():
                    scored = score_peers(inputs, dimension, track, self._peers, scheme)
                case TrendDimension():
                    if self._months < scheme.data.months_full:
                        continue
                    kinds = track.denominators or denominators_of(scheme)
                    scored = score_trend(inputs, dimension, track, kinds, scheme, self._peers)
            if isinstance(scored, str):
                off.append(scored)
                if code == track.requires:
                    return (), off
                continue
            found.append(scored)
            has_base = has_base or not isinstance(dimension, TrendDimension)
        return (tuple(found) if has_base else ()), off

    def _weights(self, track: Track | None, scored: Sequence[Scored]) -> tuple[Fraction, ...]:
        if track is None:
            return ()
        return tuple(
            track.weights[each.code]
            * (each.share if each.code in track.by_share and each.share is not None else 1)
            for each in scored
        )

    def _adjusted(self, score: Fraction) -> Fraction:
        rule = self._scheme.adjustments
        if rule is None:
            return score
        accidents = sum(1 for each in self._facts("ACCIDENT") if each.first >= self._inputs.first_month)
        return max(
            _ZERO,
            min(Fraction(100), score + min(self._inputs.bonus, rule.bonus_max) + accidents * rule.accident),
        )

    def _facts(self, name: str, months: int | None = None) -> list[Fact]:
        """Those that hold at the closing month; with `months`, for so many from their first."""
        month = self._inputs.month
        return [
            each
            for each in self._inputs.facts
            if each.id == name
            and each.first <= month
            and (
                month < each.first + months if months is not None else each.last is None or month <= each.last
            )
        ]

    def _overrides(self) -> tuple[Cap, ...]:
        found = []
        for name, rule in self._scheme.overrides.items():
            if name == "LIMIT3":
                for each in (product for found_here, _ in self._products.values() for product in found_here):
                    if not each.inputs.benchmark.is_mandatory or each.excess <= 0:
                        continue
                    three = abs(each.corrected.levels.three)
                    is_severe = rule.severe_excess is not None and each.excess > rule.severe_excess * three
                    cap = rule.severe_cap if is_severe and rule.severe_cap is not None else rule.cap
                    found.append(
                        Cap(name, cap, f"{each.inputs.product} exceeds level 3 of {each.inputs.benchmark.id}")
                    )
                continue
            found += [Cap(name, rule.cap, fact.evidence) for fact in self._facts(name, rule.months)]
        return tuple(found)

    # -- label

    def _raw(self, score: Fraction | None) -> str:
        if score is None:
            return NOT_RATED
        ranking = self._scheme.ranking
        if ranking is None:
            return self._scheme.label_of(score)
        ranked = self._peers.ranked
        above = len(ranked) - bisect_right(ranked, score)
        # Who has so many above keeps the best label whose share isn't used up by them.
        for label, share in ranking:
            if above < share * max(len(ranked), 1):
                return label
        return ranking[-1][0]

    def _held(self, score: Fraction | None, raw: str) -> str:
        rule = self._scheme.hysteresis
        if score is None or rule is None or not self._is_published:
            return raw
        return held_label(self._scheme, rule, score, self._inputs.previous)

    def _distance(
        self,
        score: Fraction,
        raw: str,
        held: str,
        scored: Sequence[Scored],
        weights: Sequence[Fraction],
        total: Fraction,
        overrides: Sequence[Cap],
    ) -> Distance | None:
        scheme, rule = self._scheme, self._scheme.hysteresis
        is_held = self._is_published and rule is not None and self._inputs.previous is not None
        rank = scheme.rank_of(held if is_held else raw)
        if scheme.ranking is not None or rank == 0:
            return None
        target = scheme.labels[rank - 1]
        assert target.at_least is not None
        wanted = target.at_least + (rule.margin if is_held and rule is not None else 0)
        blocked = tuple(cap.id for cap in (*self._ceilings, *overrides) if scheme.rank_of(cap.cap) > rank - 1)
        terms = [Term(w / total, each.at, each.breaks) for w, each in zip(weights, scored, strict=True)]
        # What was added to the mean, a bonus say, stays as it is.
        mean = sum([each.weight * own.score for each, own in zip(terms, scored, strict=True)], _ZERO)
        scale = largest_scale(terms, wanted - score + mean, mean)
        reduction = None if scale is None else self._co2e_mg * (1 - scale)
        return Distance(target.code, wanted, wanted - score, scale, reduction, blocked)

    def _side(self) -> tuple[Fraction, str] | None:
        """E ÷ denominator [tCO2e per 10⁴ yuan] and the label that it gives."""
        rule = self._scheme.side
        if rule is None:
            return None
        found = usable(self._inputs, rule.denominator, self._peers, self._scheme)
        if found is None or found[0].value <= 0:
            return None
        ratio = found[0].co2e_mg / (found[0].value * 1_000_000_000)
        for bound, label in rule.steps:
            if bound is None or ratio <= bound:
                return ratio, label
        raise AssertionError("the last step has no bound")
