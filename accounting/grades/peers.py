"""Peers: sums of emissions and denominators by group, made once for all; one's own part is left out on asking.

A group is a city and so many leading digits of GB/T 4754. It keeps its number, its sums and its two largest emitters,
so that leaving oneself out and finding the largest share take no walk over the members.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from accounting.grades.inputs import MG_PER_TONNE, GradeInputs
from accounting.grades.matching import MONTHS, YEAR, Matched, matched_window, matched_year
from accounting.grades.scheme import CITY_STEPS, PeerDimension, Scheme

_DIGITS = tuple(CITY_STEPS.values())


@dataclass(slots=True)
class _Group:
    count: int = 0
    co2e_mg: int = 0
    value: Fraction = Fraction(0)
    largest: tuple[tuple[int, str], ...] = ()  # the two largest emitters: (mg, uscc), descending


@dataclass(frozen=True, slots=True)
class PeerRatio:
    """K and how it was found. `ratio`: of the peers [mg CO2e per 10⁴ yuan]; `max_share`: None at a table's step."""

    k: Fraction
    step: str
    n: int | None
    max_share: Fraction | None
    ratio: Fraction
    denominator: str
    basis: str
    own: Matched
    refused: tuple[str, ...]  # steps that didn't do, with why
    source: str | None = None


@dataclass(slots=True)
class PeerTables:
    """What `peer_tables` makes. `ranked`: S of all, ascending, where the scheme labels by rank."""

    groups: dict[tuple[str, str, str, str], _Group] = field(default_factory=dict)
    own: dict[str, dict[tuple[str, str], Matched]] = field(default_factory=dict)
    ranked: Sequence[Fraction] = ()

    def matched(self, inputs: GradeInputs, kind: str, basis: str) -> Matched | None:
        known = self.own.get(inputs.uscc)
        if known is not None:
            return known.get((kind, basis))
        return (matched_window if basis == MONTHS else matched_year)(inputs, kind)


def industry_digits(code: str | None) -> str:
    """The digits of a GB/T 4754 code; empty where there is none."""
    return "" if code is None else code.lstrip("ABCDEFGHIJKLMNOPQRST")


def city_of(district: str) -> str:
    return district[:4]


def denominators_of(scheme: Scheme) -> tuple[str, ...]:
    """Every denominator that a scheme's peer dimensions may use."""
    found: dict[str, None] = {}
    for dimension in scheme.dimensions.values():
        if isinstance(dimension, PeerDimension):
            found |= dict.fromkeys(dimension.denominators)
    return tuple(found)


def is_usable(matched: Matched | None, scheme: Scheme) -> bool:
    """Enough matched months for the dimension to be on."""
    return matched is not None and matched.months >= scheme.data.matched_provisional


def peer_tables(everybody: Iterable[GradeInputs], scheme: Scheme) -> PeerTables:
    """Groups of all enterprises of the same closing month. Who has too few matched months is nobody's peer."""
    tables = PeerTables()
    everybody = list(everybody)
    for inputs in everybody:
        tables.own[inputs.uscc] = {}
    for kind in denominators_of(scheme):
        known = [each for each in everybody if kind in each.figures]
        windows = [_take(tables, each, kind, MONTHS, matched_window(each, kind), scheme) for each in known]
        # Who has too few months is compared by the last closed year: then everybody's is needed, else nobody's.
        if not all(windows):
            for each in known:
                _take(tables, each, kind, YEAR, matched_year(each, kind), scheme)
    return tables


def _take(
    tables: PeerTables, inputs: GradeInputs, kind: str, basis: str, found: Matched | None, scheme: Scheme
) -> bool:
    """Keep one's own sums, and add them to one's groups where they will do; whether they did."""
    if found is None:
        return False
    tables.own[inputs.uscc][kind, basis] = found
    is_enough = is_usable(found, scheme)
    if is_enough:
        _add(tables, inputs, kind, basis, found)
    return is_enough


def _add(tables: PeerTables, inputs: GradeInputs, kind: str, basis: str, found: Matched) -> None:
    digits, city = industry_digits(inputs.gb_t_4754), city_of(inputs.district)
    for size in _DIGITS:
        if size > len(digits):
            continue
        key = (kind, basis, city, digits[:size])
        group = tables.groups.get(key)
        if group is None:
            group = tables.groups[key] = _Group()
        group.count += 1
        group.co2e_mg += found.co2e_mg
        group.value += found.value
        one = (found.co2e_mg, inputs.uscc)
        if len(group.largest) < 2 or one > group.largest[1]:
            group.largest = tuple(sorted((*group.largest, one), reverse=True)[:2])


def peer_ratio(
    inputs: GradeInputs,
    dimension: PeerDimension,
    kind: str,
    basis: str,
    own: Matched,
    tables: PeerTables,
    scheme: Scheme,
) -> PeerRatio | list[str]:
    """K by the first step that does; else why none of them did. `own.value` must be above zero."""
    digits, city = industry_digits(inputs.gb_t_4754), city_of(inputs.district)
    is_member = inputs.uscc in tables.own and is_usable(own, scheme)
    refused: list[str] = []
    for step in dimension.steps:
        size = CITY_STEPS.get(step)
        if size is None:
            row = next(
                (
                    each
                    for each in dimension.tables
                    if each.step == step
                    and each.denominator == kind
                    and digits
                    and digits.startswith(each.code)
                ),
                None,
            )
            if row is None:
                refused.append(f"{step}: no table")
                continue
            ratio = row.ratio * MG_PER_TONNE
            k = own.co2e_mg / (own.value * ratio)
            return PeerRatio(k, step, None, None, ratio, kind, basis, own, tuple(refused), row.source)
        if size > len(digits):
            refused.append(f"{step}: the industry code is shorter")
            continue
        group = tables.groups.get((kind, basis, city, digits[:size]))
        if group is None:
            refused.append(f"{step}: nobody")
            continue
        count, co2e_mg, value = group.count, group.co2e_mg, group.value
        largest = group.largest[0]
        if is_member and dimension.leaves_self_out:
            count, co2e_mg, value = count - 1, co2e_mg - own.co2e_mg, value - own.value
            if largest[1] == inputs.uscc:
                largest = group.largest[1] if len(group.largest) > 1 else (0, "")
        if count < dimension.min_n:
            refused.append(f"{step}: {count} of {dimension.min_n} peers")
            continue
        if co2e_mg <= 0 or value <= 0:
            refused.append(f"{step}: sums aren't above zero")
            continue
        if largest[0] > dimension.max_share * co2e_mg:
            refused.append(f"{step}: one has too large a share of the emissions")
            continue
        share = Fraction(max(largest[0], 0), co2e_mg)
        k = Fraction(own.co2e_mg, co2e_mg) * (value / own.value)
        return PeerRatio(k, step, count, share, co2e_mg / value, kind, basis, own, tuple(refused))
    return refused
