"""A grade as JSON, as it is kept, signed and told: exact decimals where they end, else with twelve places; and the hash
of what it was computed from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from accounting.grades.grade import Cap, Distance, Grade
from accounting.grades.inputs import MG_PER_TONNE, GradeInputs, month_text
from accounting.grades.matching import Matched
from accounting.grades.scheme_read import canonical
from accounting.grades.scoring import ProductScore, Scored
from accounting.rounding import Rounding, decimal_text

PLACES = 4
_FINE = 12


def score_text(value: Fraction | None) -> str | None:
    """Of scores and ratios, for display: four places, half to even.

    >>> score_text(Fraction(480, 7))
    '68.5714'
    """
    return None if value is None else decimal_text(value, PLACES, Rounding.HALF_EVEN)


def exact_text(value: Fraction | None) -> str | None:
    """A number whole where it ends within twelve places, else rounded there, half to even.

    >>> exact_text(Fraction(1, 8)), exact_text(Fraction(2, 3)), exact_text(Fraction(5))
    ('0.125', '0.666666666667', '5')
    """
    if value is None:
        return None
    text = decimal_text(value, _FINE, Rounding.HALF_EVEN)
    return text.rstrip("0").rstrip(".")


def tonnes_text(mg: int | Fraction | None) -> str | None:
    return None if mg is None else exact_text(Fraction(mg) / MG_PER_TONNE)


def snapshot(inputs: GradeInputs) -> dict[str, Any]:
    """Everything that came in, as JSON; its hash stands in the record."""
    return {
        "uscc": inputs.uscc,
        "month": month_text(inputs.month),
        "district": inputs.district,
        "gb_t_4754": inputs.gb_t_4754,
        "emissions_mg": {month_text(month): str(mg) for month, mg in sorted(inputs.emissions.items())},
        "sources": [_source(each) for each in inputs.sources],
        "sources_before": [_source(each) for each in inputs.sources_before],
        "figures": {
            kind: [
                {
                    "from": month_text(each.first),
                    "to": month_text(each.last),
                    "value": exact_text(each.value),
                    "constant": exact_text(each.constant),
                    "provider": each.provider,
                }
                for each in figures
            ]
            for kind, figures in sorted(inputs.figures.items())
        },
        "products": [
            {
                "product": each.product,
                "benchmark": each.benchmark.id,
                "conditions": {name: exact_text(value) for name, value in sorted(each.conditions.items())},
                "sources": list(each.sources),
                "months": {
                    month_text(month): [exact_text(energy), exact_text(output)]
                    for month, (energy, output) in sorted(each.months.items())
                },
            }
            for each in inputs.products
        ],
        "facts": [
            {
                "id": each.id,
                "from": month_text(each.first),
                "to": None if each.last is None else month_text(each.last),
                "evidence": each.evidence,
            }
            for each in inputs.facts
        ],
        "reported": None
        if inputs.reported is None
        else {
            "co2e_mg": str(inputs.reported.co2e_mg),
            "kind": inputs.reported.kind,
            "reference": inputs.reported.reference,
        },
        "previous": None
        if inputs.previous is None
        else {
            "label": inputs.previous.label,
            "held": inputs.previous.held,
            "scores": [exact_text(each) for each in inputs.previous.scores],
        },
        "verified_mg": None if inputs.verified_mg is None else str(inputs.verified_mg),
        "factor_sets": list(inputs.factor_sets),
        "two_high": inputs.two_high,
        "bonus": exact_text(inputs.bonus),
    }


def _source(each: Any) -> dict[str, Any]:
    return {
        "source": each.source,
        "co2e_mg": str(each.co2e_mg),
        "valid": each.valid,
        "expected": each.expected,
    }


def snapshot_hash(inputs: GradeInputs) -> str:
    return hashlib.sha256(canonical(snapshot(inputs))).hexdigest()


def grade_json(grade: Grade) -> dict[str, Any]:
    """The record's content, but for what the store adds (id, kind, times, supersedes, signature)."""
    inputs, scheme, distance = grade.inputs, grade.scheme, grade.distance
    names = scheme.names()
    peers = next((each.peers for each in grade.dimensions if each.peers is not None), None)
    return {
        "uscc": inputs.uscc,
        "period": {"from": month_text(inputs.first_month), "to": month_text(inputs.month)},
        "scheme": {"id": scheme.id, "version": scheme.version, "hash": scheme.hash},
        "label": grade.label,
        "label_zh": names.get(grade.label, grade.label),
        "state": grade.state,
        "provisional": grade.is_provisional,
        "score": score_text(grade.score),
        "score_exact": None if grade.score is None else str(grade.score),
        "label_by_score": grade.raw,
        "track": None if grade.track is None else grade.track.id,
        "scores": {each.code: score_text(each.score) for each in grade.dimensions},
        "weights": {
            each.code: exact_text(weight)
            for each, weight in zip(grade.dimensions, grade.weights, strict=True)
        },
        "emissions_t": tonnes_text(grade.co2e_mg),
        "emissions_by_source": [
            {
                "source": each.source,
                "co2e_t": tonnes_text(each.co2e_mg),
                "valid": each.valid,
                "expected": each.expected,
            }
            for each in inputs.sources
        ],
        "factor_sets": list(inputs.factor_sets),
        "coverage": score_text(grade.coverage),
        "months": grade.months,
        "matched_months": {each.code: each.months for each in grade.dimensions},
        "denominators": [_denominator(each.peers.denominator, each.peers.own) for each in _with_peers(grade)],
        "benchmarks": [_product(product, distance) for each in grade.dimensions for product in each.products],
        "peers": None
        if peers is None
        else {
            "step": peers.step,
            "n": peers.n,
            "max_share": score_text(peers.max_share),
            "denominator": peers.denominator,
            "basis": peers.basis,
            "ratio_t_per_10k_yuan": tonnes_text(peers.ratio),
            "k": score_text(peers.k),
            "refused": list(peers.refused),
            "source": peers.source,
        },
        "trend": next((_trend(each) for each in grade.dimensions if each.trend is not None), None),
        "ceilings": [_cap(each) for each in grade.ceilings],
        "overrides": [_cap(each) for each in grade.overrides],
        "hysteresis": {
            "prev": None if inputs.previous is None else inputs.previous.label,
            "held": grade.held,
            "streak": []
            if inputs.previous is None
            else [score_text(each) for each in inputs.previous.scores],
            "applied": grade.is_published and scheme.hysteresis is not None,
        },
        "difference_to_reported": score_text(grade.difference),
        "side": None
        if grade.side is None
        else {"ratio_t_per_10k_yuan": exact_text(grade.side[0]), "label": grade.side[1]},
        "reasons": list(grade.reasons),
        "distance": _distance(grade, distance),
        "input_snapshot_hash": snapshot_hash(inputs),
    }


def _with_peers(grade: Grade) -> list[Any]:
    return [each for each in grade.dimensions if each.peers is not None]


def _denominator(kind: str, own: Matched) -> dict[str, Any]:
    return {
        "denominator": kind,
        "value": exact_text(own.value),
        "unit": "10k_yuan",
        "period": {"from": month_text(own.first), "to": month_text(own.last)},
        "matched_months": own.months,
        "co2e_t": tonnes_text(own.co2e_mg),
        "providers": list(own.providers),
    }


def _product(product: ProductScore, distance: Distance | None) -> dict[str, Any]:
    benchmark, levels = product.inputs.benchmark, product.corrected.levels
    scale = None if distance is None else distance.scale
    return {
        "product": product.inputs.product,
        "id": benchmark.id,
        "standard": benchmark.standard,
        "item": benchmark.item,
        "unit": benchmark.unit,
        "value": score_text(product.value),
        "levels": [exact_text(each) for each in (levels.one, levels.two, levels.three)],
        "corrections": list(product.corrected.corrections),
        "conditions": {name: exact_text(value) for name, value in sorted(product.inputs.conditions.items())},
        "emissions_t": tonnes_text(product.co2e_mg),
        "score": score_text(product.score),
        "source": benchmark.source,
        "confidence": benchmark.confidence,
        "to_next_label": None
        if scale is None or product.value <= 0
        else score_text(product.value * (1 - scale)),
    }


def _trend(scored: Scored) -> dict[str, Any]:
    trend = scored.trend
    assert trend is not None
    return {
        "rho": score_text(trend.rho),
        "of": trend.of,
        "basis": trend.basis,
        "constant_prices": trend.is_constant_price,
        "now": exact_text(trend.now if trend.of == "products" else trend.now / MG_PER_TONNE),
        "before": exact_text(trend.before if trend.of == "products" else trend.before / MG_PER_TONNE),
    }


def _cap(cap: Cap) -> Mapping[str, str]:
    return {"id": cap.id, "cap": cap.cap, "why": cap.why}


def _distance(grade: Grade, distance: Distance | None) -> dict[str, Any] | None:
    """`d_unit`: by how much each intensity falls: a product's in its unit, emissions by 10⁴ yuan of a denominator."""
    if distance is None:
        return None
    scale = distance.scale
    units: list[dict[str, Any]] = []
    if scale is not None:
        for dimension in grade.dimensions:
            units += [
                {
                    "of": each.inputs.product,
                    "unit": each.inputs.benchmark.unit,
                    "from": score_text(each.value),
                    "by": score_text(each.value * (1 - scale)),
                }
                for each in dimension.products
                if each.value > 0
            ]
            if dimension.peers is not None:
                own = dimension.peers.own
                ratio = own.co2e_mg / (own.value * MG_PER_TONNE)
                units.append(
                    {
                        "of": dimension.peers.denominator,
                        "unit": "tCO2e/10k_yuan",
                        "from": score_text(ratio),
                        "by": score_text(ratio * (1 - scale)),
                    }
                )
    return {
        "to_label": distance.to_label,
        "to_score": score_text(distance.score),
        "d_score": score_text(distance.rise),
        "d_tco2e": tonnes_text(distance.reduction_mg),
        "d_share": None if scale is None else score_text(1 - scale),
        "d_unit": units,
        "blocked_by": list(distance.blocked_by),
    }
