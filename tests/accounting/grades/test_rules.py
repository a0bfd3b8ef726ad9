"""Rules of the default scheme beside its scores: data, tracks, caps, freezes, distance."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from accounting.grades.grade import Grade, grade_many
from accounting.grades.inputs import (
    MG_PER_TONNE,
    Fact,
    Figure,
    GradeInputs,
    Previous,
    Reported,
    SourceSum,
    month_number,
)
from accounting.grades.record import grade_json, snapshot_hash
from accounting.grades.scheme_read import default_scheme
from tests.accounting.grades.cases import MONTH, enterprise, peers


def graded(own: GradeInputs, *, is_published: bool = False) -> Grade:
    return grade_many([own, *peers()], default_scheme(), is_published=is_published)[0]


def covered(percent: int) -> GradeInputs:
    return enterprise(3_000, 1_000, tonnes_before=4_000, sources=(SourceSum("a", 1_000, percent, 100),))


def test_coverage_bounds() -> None:
    assert (graded(covered(90)).label, graded(covered(90)).is_provisional) == ("DEEP_GREEN", False)
    weak = graded(covered(89))
    assert (weak.raw, weak.label, weak.is_provisional) == ("DEEP_GREEN", "LIGHT_GREEN", True)
    assert graded(covered(75)).label == "LIGHT_GREEN"
    none = graded(covered(74))
    assert (none.label, none.state, none.score, none.distance) == ("NR", "NR", None, None)
    assert none.reasons[0].startswith("COVERAGE")
    assert graded(replace(covered(90), sources=())).label == "NR"


def with_months(count: int) -> GradeInputs:
    own = enterprise(10_000, 1_000)
    return replace(own, emissions={month: mg for month, mg in own.emissions.items() if month > MONTH - count})


def test_closed_months() -> None:
    few = graded(with_months(5))
    assert (few.label, few.reasons[0][:5]) == ("NR", "SHORT")
    half = graded(with_months(6))
    assert (half.is_provisional, [each.code for each in half.dimensions]) == (True, ["D2"])
    whole = graded(enterprise(10_000, 1_000))
    assert (whole.is_provisional, [each.code for each in whole.dimensions]) == (False, ["D2", "D3"])
    assert whole.score == (Fraction("0.7") * 60 + Fraction("0.3") * 40)


def test_months_without_a_denominator_are_left_out_of_both_sides() -> None:
    own = enterprise(12_000, 1_200)
    figures = own.figures["value_added"]
    nine = graded(replace(own, figures={"value_added": figures[15:]}))
    ratio = nine.dimensions[0].peers
    assert ratio is not None
    assert (ratio.own.months, ratio.k, nine.is_provisional) == (9, Fraction(1), True)
    few = graded(replace(own, figures={"value_added": figures[19:]}))
    assert (few.label, few.state) == ("NR", "NR")
    stopped = [replace(each, value=Fraction(0)) for each in figures[23:]]
    with_zero = graded(replace(own, figures={"value_added": (*figures[:23], *stopped)}))
    ratio = with_zero.dimensions[0].peers
    assert ratio is not None
    assert (ratio.own.months, ratio.k) == (12, Fraction(12, 11))


def test_a_year_alone_stands_for_the_last_closed_year_on_both_sides() -> None:
    own = enterprise(12_000, None)
    earlier = dict(own.emissions) | {
        month_number(2025, month): MG_PER_TONNE * 1_000 for month in range(1, 13)
    }
    year = Figure(month_number(2025, 1), month_number(2025, 12), Fraction(1_200))
    found = graded(replace(own, emissions=earlier, figures={"value_added": (year,)}))
    ratio = found.dimensions[0].peers
    assert ratio is not None
    assert (ratio.basis, ratio.k) == ("year", Fraction(1))
    assert any(reason.startswith("LAST_YEAR") for reason in found.reasons)


def test_revenue_alone_is_capped() -> None:
    own = enterprise(1_000, None, tonnes_before=2_000)
    others = [replace(each, figures={"revenue": each.figures["value_added"]}) for each in peers()]
    revenue = {"revenue": enterprise(1_000, 1_000).figures["value_added"]}
    found = grade_many([replace(own, figures=revenue), *others], default_scheme())[0]
    assert (found.track and found.track.id, found.raw, found.label) == ("R", "DEEP_GREEN", "LIGHT_GREEN")
    assert [each.id for each in found.ceilings] == ["TRACK"]


def test_peers_widen_step_by_step() -> None:
    own = enterprise(10_000, 1_000)
    wide = [
        *peers(3),
        *[replace(each, uscc=f"B{each.uscc}", gb_t_4754="3012") for each in peers(3)],
    ]
    ratio = grade_many([own, *wide], default_scheme())[0].dimensions[0].peers
    assert ratio is not None
    assert (ratio.step, ratio.n) == ("city3", 6)
    assert ratio.refused == ("city4: 3 of 5 peers",)
    giant = [replace(each, uscc=f"C{each.uscc}") for each in peers(1, 100_000, 9_000)]
    found = grade_many([own, *giant, *peers(5)], default_scheme())[0]
    assert (found.label, found.state) == ("NR", "NR")
    assert any("too large a share" in reason for reason in found.reasons)
    away = [replace(each, district="430102") for each in peers()]
    assert grade_many([own, *away], default_scheme())[0].label == "NR"


def test_overrides_cap_and_end() -> None:
    own = enterprise(1_000, 1_000, tonnes_before=2_000)
    quota = replace(own, facts=(Fact("QUOTA_DUE", MONTH - 3, None, "2025 unsurrendered"),))
    assert (graded(quota).raw, graded(quota).label) == ("DEEP_GREEN", "YELLOW")
    over = replace(own, facts=(Fact("QUOTA_DUE", MONTH - 3, MONTH - 1, "2025 surrendered late"),))
    assert graded(over).label == "DEEP_GREEN"
    false = replace(own, facts=(Fact("FALSE_DATA", MONTH - 11, None, "case 7"),))
    assert graded(false).label == "RED"
    assert graded(replace(false, sources=())).label == "RED"
    past = replace(own, facts=(Fact("FALSE_DATA", MONTH - 12, None, "case 7"),))
    assert graded(past).label == "DEEP_GREEN"


def test_what_was_reported_flags_and_freezes() -> None:
    own = enterprise(10_000, 1_000)

    def reported(tonnes: int, previous: Previous | None = None) -> Grade:
        of_it = Reported(tonnes * MG_PER_TONNE, "verified", "report 4")
        return graded(replace(own, reported=of_it, previous=previous))

    assert not any("RECONCILE" in reason for reason in reported(10_500).reasons)
    flagged = reported(10_600)
    assert flagged.state == "RATED"
    assert any("RECONCILE" in reason for reason in flagged.reasons)
    frozen = reported(20_000, Previous("DEEP_GREEN", "DEEP_GREEN", ()))
    assert (frozen.state, frozen.label) == ("VERIFYING", "DEEP_GREEN")
    assert reported(20_000).label == "NR"


def test_only_what_is_published_is_held() -> None:
    own = enterprise(10_000, 1_010, tonnes_before=10_380, previous=Previous("YELLOW", "YELLOW", ()))
    assert graded(own).score == graded(own, is_published=True).score
    assert graded(own).label == "LIGHT_GREEN"
    held = graded(own, is_published=True)
    assert held.label == "YELLOW"
    assert held.distance is not None
    assert (held.distance.to_label, held.distance.score) == ("LIGHT_GREEN", Fraction(62))


def test_the_distance_is_exact_and_explained() -> None:
    found = graded(enterprise(10_000, 1_000, figures=enterprise(10_000, 1_000).figures))
    told = grade_json(found)["distance"]
    # K and rho fall together from 1: 0.7 × (60 + 50 (1 − t)) + 0.3 × (40 + 20 ÷ 0.0366 × (1 − t)) = 60
    scale = 1 - 6 / (35 + Fraction(6) / Fraction("0.0366"))
    assert found.distance is not None
    assert found.distance.scale == scale
    assert found.distance.reduction_mg == 10_000 * MG_PER_TONNE * (1 - scale)
    assert told["to_label"] == "LIGHT_GREEN"
    assert told["d_unit"][0]["unit"] == "tCO2e/10k_yuan"
    assert told["blocked_by"] == []


def test_a_verified_year_stands_in_place_of_the_months() -> None:
    own = enterprise(10_000, 1_000, sources=(), verified_mg=9_000 * MG_PER_TONNE)
    found = graded(own)
    ratio = found.dimensions[0].peers
    assert ratio is not None
    assert (ratio.k, found.coverage, found.months) == (Fraction(9, 10), Fraction(1), 12)
    assert found.dimensions[1].trend is not None
    assert found.dimensions[1].trend.rho == Fraction(9, 10)


def test_the_snapshot_says_when_anything_differs() -> None:
    own = enterprise(10_000, 1_000)
    assert snapshot_hash(own) == snapshot_hash(enterprise(10_000, 1_000))
    assert snapshot_hash(replace(own, bonus=Fraction(1))) != snapshot_hash(own)
