"""What must hold whatever the figures: against a slow twin, and by properties."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from accounting.grades.curves import Levels
from accounting.grades.distance import Term, largest_scale
from accounting.grades.grade import Grade, grade, grade_many
from accounting.grades.hysteresis import held_label
from accounting.grades.inputs import GradeInputs, Previous
from accounting.grades.peers import peer_tables
from accounting.grades.record import grade_json
from accounting.grades.scheme import Hysteresis, PeerDimension, Scheme
from accounting.grades.scheme_read import default_scheme, shipped
from tests.accounting.grades.cases import city, enterprise, peers, product

EVERYBODY = city(300, seed=7)


def naive_k(own: GradeInputs, everybody: list[GradeInputs], dimension: PeerDimension) -> Fraction | None:
    """K by walking over everybody, for monthly value added alone."""

    def sums(each: GradeInputs) -> tuple[int, Fraction, int]:
        months = [
            figure
            for figure in each.figures.get("value_added", ())
            if each.first_month <= figure.first
            and figure.last <= each.month
            and figure.first in each.emissions
        ]
        return (
            sum(each.emissions[figure.first] for figure in months),
            sum((figure.value for figure in months), Fraction(0)),
            len(months),
        )

    co2e_mg, value, months = sums(own)
    if months < 6:
        return None
    for digits in (4, 3, 2, 0):
        others = [
            sums(each)
            for each in everybody
            if each.uscc != own.uscc and (each.gb_t_4754 or "")[:digits] == (own.gb_t_4754 or "")[:digits]
        ]
        others = [each for each in others if each[2] >= 6]
        whole = sum(each[0] for each in others)
        if len(others) >= dimension.min_n and max(each[0] for each in others) <= whole * dimension.max_share:
            ratio = whole / sum((each[1] for each in others), Fraction(0))
            return co2e_mg / value / ratio
    return None


def test_peers_of_the_fast_path_are_those_of_the_twin() -> None:
    scheme = default_scheme()
    dimension = scheme.dimensions["D2"]
    assert isinstance(dimension, PeerDimension)
    monthly = [each for each in EVERYBODY if len(each.figures.get("value_added", ())) > 2]
    assert len(monthly) > 100
    for found in grade_many(monthly, scheme):
        ratios = [each.peers for each in found.dimensions if each.peers is not None]
        assert (ratios[0].k if ratios else None) == naive_k(found.inputs, monthly, dimension)


def test_one_by_one_is_all_at_once() -> None:
    scheme = default_scheme()
    tables = peer_tables(EVERYBODY, scheme)
    at_once = [grade_json(each) for each in grade_many(EVERYBODY, scheme)]
    assert at_once == [grade_json(grade(each, scheme, tables)) for each in EVERYBODY]
    turned = grade_many(EVERYBODY[::-1], scheme)[::-1]
    assert at_once == [grade_json(each) for each in turned]


def test_the_distance_reaches_the_label_and_nothing_less_does() -> None:
    """By scaling every figure of emissions and energy and grading again."""
    scheme = default_scheme()
    checked = 0
    for each in grade_many(EVERYBODY, scheme):
        distance = each.distance
        if distance is None or distance.scale is None:
            continue
        reached = scaled_score(each, distance.scale)
        assert reached is not None
        assert reached >= distance.score
        beyond = scaled_score(each, distance.scale + (1 - distance.scale) / 1_000)
        assert beyond is not None
        assert beyond < distance.score
        checked += 1
    assert checked > 100


def scaled_score(found: Grade, scale: Fraction) -> Fraction | None:
    total = sum(found.weights, Fraction(0))
    parts = zip(found.weights, found.dimensions, strict=True)
    return sum((weight * each.at(scale) for weight, each in parts), Fraction(0)) / total


numbers = st.fractions(min_value=-50, max_value=500, max_denominator=1_000)


@st.composite
def all_levels(draw: st.DrawFn) -> Levels:
    one, step = (
        draw(numbers),
        draw(st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=100)),
    )
    two = draw(st.none() | st.fractions(min_value=0, max_value=1, max_denominator=10))
    return Levels(one, None if two is None else one + two * step, one + step)


@given(all_levels(), numbers, numbers)
def test_a_lower_value_never_scores_less(levels: Levels, one: Fraction, other: Fraction) -> None:
    assert levels.fault() is None
    low, high = sorted((one, other))
    assert 100 >= levels.score(low) >= levels.score(high) >= 0
    assert levels.level(low) <= levels.level(high)


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 100_000))
def test_less_emissions_never_score_less(one: int, other: int, before: int) -> None:
    scheme, others = default_scheme(), peers()

    def score(tonnes: int) -> Fraction:
        own = enterprise(tonnes, 1_000, tonnes_before=before)
        found = grade(own, scheme, peer_tables([own, *others], scheme))
        assert found.score is not None
        return found.score

    low, high = sorted((one, other))
    assert score(low) >= score(high)


@given(st.integers(1, 10**6), st.integers(1, 10**5))
def test_ones_own_figures_dont_move_ones_peers(tonnes: int, value_added: int) -> None:
    scheme, others = default_scheme(), peers()
    own = enterprise(tonnes, value_added)
    found = grade(own, scheme, peer_tables([own, *others], scheme))
    ratio = found.dimensions[0].peers
    assert ratio is not None
    assert ratio.k == Fraction(tonnes, value_added) / 10
    alone = grade(own, scheme, peer_tables(others, scheme))
    assert alone.score == found.score


scores = st.fractions(min_value=0, max_value=100, max_denominator=100)


@given(scores, st.sampled_from(["DEEP_GREEN", "LIGHT_GREEN", "YELLOW", "RED"]))
def test_a_held_label_is_held_again(score: Fraction, label: str) -> None:
    scheme, rule = default_scheme(), Hysteresis(Fraction(2), None)
    once = held_label(scheme, rule, score, Previous(label, label, ()))
    assert held_label(scheme, rule, score, Previous(once, once, (score,))) == once
    assert abs(scheme.rank_of(once) - scheme.rank_of(scheme.label_of(score))) <= 1


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4), scores)
def test_the_largest_scale_is_found(pairs: list[tuple[Fraction, Fraction]], wanted: Fraction) -> None:
    terms = []
    for start, value in pairs:
        levels = Levels(start, None, start + 10)
        breaks = [each / value for each in levels.breaks if 0 < each < value]

        def score(t: Fraction, levels: Levels = levels, value: Fraction = value) -> Fraction:
            return levels.score(value * t if value > 0 else value)

        terms.append(Term(Fraction(1, len(pairs)), score, breaks))

    def total(t: Fraction) -> Fraction:
        return sum((term.weight * term.score(t) for term in terms), Fraction(0))

    found = largest_scale(terms, wanted, total(Fraction(1)))
    tried = [Fraction(each, 50) for each in range(1, 51)]
    if found is None:
        assert all(total(each) < wanted for each in tried)
    else:
        assert total(found) >= wanted
        assert all(total(each) < wanted for each in tried if each > found)


def test_every_scheme_grades_the_city() -> None:
    for scheme in shipped().values():
        if isinstance(scheme, Scheme):
            labels = {each.label for each in grade_many(EVERYBODY, scheme)}
            assert labels - {"NR"}, scheme.name


def test_an_override_of_a_product_below_half_of_the_emissions_still_holds() -> None:
    poor = product("gb16780-2021-clinker", 130, sources=("other",))
    own = enterprise(6_000, 1_000, products=(poor,))
    found = grade_many([own, *peers()], default_scheme())[0]
    assert (found.track and found.track.id, found.raw, found.label) == ("V", "LIGHT_GREEN", "RED")
    assert [(each.id, each.cap) for each in found.overrides] == [("LIMIT3", "RED")]
    mild = replace(own, products=(product("gb16780-2021-clinker", 118, sources=("other",)),))
    assert grade_many([mild, *peers()], default_scheme())[0].label == "YELLOW"
