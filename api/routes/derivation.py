"""How a figure came to be, down to readings and factor, so that anyone can repeat it by hand (promise 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api import schemas
from api.answer import json_answer
from api.auth import Reader
from api.context import Session, TheContext
from api.errors import Problem
from api.measured import PointDays, read_points
from api.missing_factors import missing_factors
from api.paging import Page, paged
from api.parameters import AsOf, RangeParameters, Uscc
from api.periods import Range
from api.routes.emissions import Boundary, BoundaryParameter
from api.routes.registry import channel_version
from api.schemas import problems
from api.stored_readings import read_judged
from api.sums import Sum, co2e_kg
from domain.errors import Fault
from domain.interval import DAY_US, INTERVAL_US, to_us
from domain.reading import Flag, Quality, decimal_text, flag_names
from domain.registry import Enterprise, Point, Source, SourceVersion, dated_value
from storage import consumption, emissions
from storage.emissions import CauseRow, EntryDay, Run, UsedFactor

router = APIRouter(tags=["emissions"])

FORMULA = (
    "co2e_mg = Σ round_half_even(amount × mg_per_unit) over its gases, one rounding an interval and gas; "
    "co2e_kg = Σ co2e_mg ÷ 1,000,000"
)
INTERVALS_DEFAULT = 3_000  # a month of 31 days has 2,976
DAYS_MAX = 366
READINGS_MAX = 50_000  # of a channel in one answer: a page of fewer intervals has fewer


@dataclass(frozen=True, slots=True)
class Entry:
    """One interval of one version of a source's day."""

    row: EntryDay
    place: int

    @property
    def run_id(self) -> int:
        return self.row.run_ids[self.place]

    @property
    def mg(self) -> int | None:
        return self.row.mg[self.place] if self.row.states[self.place] & 3 else None

    @property
    def amount(self) -> str | None:
        known = self.row.states[self.place] & 3
        return decimal_text(self.row.consumption[self.place], self.row.exponent) if known else None


Versions = dict[int, dict[int, list[Entry]]]  # by number of the interval and place of the gas, oldest first


def _versions(rows: Iterable[EntryDay], session: Session) -> Versions:
    result: Versions = {}
    for row in rows:
        first = session.calendar.day_start(row.day) // INTERVAL_US
        for place, index in enumerate(row.indexes):
            if row.run_ids[place]:
                result.setdefault(first + index, {}).setdefault(row.gas_place, []).append(Entry(row, place))
    for by_gas in result.values():
        for entries in by_gas.values():
            entries.sort(key=lambda entry: entry.run_id)
    return result


def _standing(by_gas: Mapping[int, Sequence[Entry]], run: int | None) -> list[Entry]:
    """What stands of an interval (as of a run), one entry a gas; of further gases only what is known."""
    result: list[Entry] = []
    for _, entries in sorted(by_gas.items()):
        past = [entry for entry in entries if run is None or entry.run_id <= run]
        if past and (not result or past[-1].mg is not None):
            result.append(past[-1])
    return result


def _mg(entries: Iterable[Entry]) -> int | None:
    """The sum over gases; None where nothing is known."""
    known = [entry.mg for entry in entries if entry.mg is not None]
    return sum(known) if known else None


class _Story:
    """The intervals of one answer, and all that they refer to, read together."""

    def __init__(
        self,
        session: Session,
        enterprise: Enterprise,
        source: Source,
        boundary: str,
        whole: Range,
        run: int | None,
    ) -> None:
        self.session, self.enterprise, self.source, self.run = session, enterprise, source, run
        first_day = session.calendar.day(whole.from_us)
        end_day = session.calendar.day(whole.to_us - 1) + 1
        rows = emissions.entry_days(session.conn, source.id, boundary, first_day, end_day)
        self.versions = _versions(rows, session)
        self.standing: dict[int, list[Entry]] = {}
        for number in range(whole.from_us // INTERVAL_US, whole.to_us // INTERVAL_US):
            entries = _standing(self.versions.get(number, {}), run)
            if entries:
                self.standing[number] = entries

    def known(self) -> set[int]:
        """Numbers of the intervals that have emissions."""
        return {number for number, entries in self.standing.items() if _mg(entries) is not None}

    def total(self) -> Sum:
        result = Sum(exponent=-6)
        for entries in self.standing.values():
            for further, entry in enumerate(entries):
                if entry.mg is not None:
                    state = entry.row.states[entry.place]
                    result.add(Sum(entry.mg, -6, 1, min(further, 1), state & 3, state >> 2))
        return result

    def read(self, numbers: range) -> None:
        """Read what these intervals refer to."""
        chosen = [entry for number in numbers for entry in self.standing.get(number, [])]
        before = [
            entry
            for number in numbers
            for entries in self.versions.get(number, {}).values()
            for entry in entries
        ]
        self.factors: dict[int, UsedFactor] = emissions.used_factors(
            self.session.conn, {entry.row.factor_id for entry in before}
        )
        self.runs: dict[int, Run] = emissions.runs(self.session.conn, {entry.run_id for entry in before})
        self.causes: dict[int, CauseRow] = emissions.causes(
            self.session.conn, {entry.row.cause_ids[entry.place] for entry in chosen}
        )
        names = {term.point for version in self.source.versions for term in version.value.terms}
        names |= {
            name
            for derivation in (self.enterprise.points[name].derivation for name in names)
            if derivation is not None
            for _, name in derivation.inputs
        }
        self.points = {name: self.enterprise.points[name] for name in sorted(names)}
        ids = [point.id for point in self.points.values()]
        self.first_read = self.session.calendar.day(numbers.start * INTERVAL_US)
        end_read = self.session.calendar.day((numbers.stop - 1) * INTERVAL_US) + 1
        self.measured: dict[int, PointDays] = read_points(
            self.session, ids, self.first_read, end_read, self.run
        )

    def interval(self, number: int) -> dict[str, Any]:
        """One interval with its amount, its terms, its factors, and why it stands as it does."""
        entries = self.standing.get(number, [])
        at_us = number * INTERVAL_US
        version = self.version_at(at_us)
        answer: dict[str, Any] = {
            "at": self.session.text(at_us),
            "amount": None,
            "unit": None,
            "co2e_kg": None,
            "co2e_mg": None,
            "quality": "missing",
            "flags": [],
            "factor": None,
            "parts": [],
            "terms": []
            if version is None
            else [self._term(term.sign, term.point, at_us) for term in version.terms],
            "committed_at": None,
            "rules_version": None,
            "cause": None,
            "supersedes": None,
            "substitution": None,
        }
        if not entries:
            return answer
        entry, newest = entries[0], max(entries, key=lambda each: each.run_id)
        state, mg = entry.row.states[entry.place], _mg(entries)
        run = self.runs.get(newest.run_id)
        cause = self.causes.get(newest.row.cause_ids[newest.place])
        answer |= {
            "amount": entry.amount,
            "unit": entry.row.unit,
            "co2e_kg": None if mg is None else decimal_text(mg, -6),
            "co2e_mg": None if mg is None else str(mg),
            "quality": Quality(state & 3).name.lower(),
            "flags": flag_names(state >> 2),
            "factor": entry.row.factor_id if entry.mg is not None else None,
            "parts": [
                {"gas": each.row.gas, "co2e_mg": str(each.mg), "factor": each.row.factor_id}
                for each in entries
                if each.mg is not None
            ],
            "committed_at": None if run is None else self.session.text(to_us(run.committed_at)),
            "rules_version": None if run is None else run.rules_version,
            "cause": None
            if cause is None
            else {"kind": cause.kind, "by": cause.by_whom, "why": cause.why, "batch": cause.batch_id},
            "supersedes": self._superseded(number, newest.run_id),
            "substitution": self._substitution(entries, version),
        }
        return answer

    def _substitution(self, entries: Sequence[Entry], version: SourceVersion | None) -> dict[str, Any] | None:
        """The rule by which entries were filled, what they replaced, and the effect of it."""
        first, mg = entries[0], _mg(entries)
        if mg is None or version is None or not first.row.states[first.place] >> 2 & Flag.SUBSTITUTED:
            return None
        rule, original, filled = version.substitution, 0, False
        is_known = True
        for entry in entries:
            replaced = self.factors[entry.row.factor_id].description.get("substitution")
            if replaced is None:  # an amount, which stood for nothing
                filled = True
                continue
            rule = replaced["rule"]
            if replaced["mg_per_unit_original"] is None:
                is_known = False
                continue
            ratio = Fraction(replaced["mg_per_unit_original"]) * Fraction(10) ** entry.row.exponent
            original += round(entry.row.consumption[entry.place] * ratio)  # of a fraction: half to even
        effect = mg if filled else mg - original if is_known else None
        return {
            "rule": rule,
            "original_kg": decimal_text(original, -6) if is_known and not filled else None,
            "effect_kg": None if effect is None else decimal_text(effect, -6),
        }

    def _superseded(self, number: int, run_id: int) -> dict[str, Any] | None:
        """What stood of an interval until a run wrote it anew."""
        old = _standing(self.versions[number], run_id - 1)
        if not old:
            return None
        run = self.runs.get(max(each.run_id for each in old))
        first, mg = old[0], _mg(old)
        state = first.row.states[first.place]
        return {
            "amount": first.amount,
            "co2e_kg": None if mg is None else decimal_text(mg, -6),
            "quality": Quality(state & 3).name.lower(),
            "flags": flag_names(state >> 2),
            "factor": first.row.factor_id if first.mg is not None else None,
            "committed_at": None if run is None else self.session.text(to_us(run.committed_at)),
        }

    def version_at(self, at_us: int) -> SourceVersion | None:
        return dated_value(self.source.versions, self.session.calendar.day(at_us))

    def _term(self, sign: int, name: str, at_us: int) -> dict[str, Any]:
        """A channel's part in an interval, and what a derived one was computed from there."""
        derivation = self.points[name].derivation
        inputs = derivation.inputs if derivation is not None else ()
        return {
            "sign": sign,
            **self._measured(name, at_us),
            "inputs": [{"as": role, **self._measured(input_name, at_us)} for role, input_name in inputs],
        }

    def _measured(self, name: str, at_us: int) -> dict[str, Any]:
        """What a channel consumed in an interval, or its mean there, as the ledger counts with it."""
        point = self.points[name]
        day = self.session.calendar.day(at_us)
        row, column = day - self.first_read, (at_us - self.session.calendar.day_start(day)) // INTERVAL_US
        days = self.measured[point.id]
        amount, state = None, 0
        for exponent, states in days.states.items():
            own = int(states[row][column])
            if own:
                state = own
                if own & 3:
                    amount = decimal_text(int(days.amounts[exponent][row][column]), exponent)
        return {
            "channel": name,
            "amount": amount,
            "unit": point.unit,
            "quality": Quality(state & 3).name.lower(),
            "flags": flag_names(state >> 2),
        }

    def used_factor(self, factor: UsedFactor) -> dict[str, Any]:
        value = Fraction(factor.numerator, factor.denominator)
        return {
            "id": factor.id,
            "factor_set": factor.factor_set,
            "mg_per_unit": str(value),
            **{name: factor.description.get(name) for name in _FACTOR_FIELDS},
        }

    def channels(self, numbers: range, as_of_us: int | None) -> list[dict[str, Any]]:
        """The channels of the sum with their versions, and the readings that these intervals rest on."""
        from_us, to_us_ = numbers.start * INTERVAL_US, numbers.stop * INTERVAL_US
        signs: dict[str, int] = {}
        for at_us in (*range(from_us, to_us_, DAY_US), to_us_ - INTERVAL_US):
            version = self.version_at(at_us)
            for term in version.terms if version else ():
                signs.setdefault(term.point, term.sign)
        result = []
        for name, sign in signs.items():
            result.append(self._channel(self.enterprise.points[name], sign, None, from_us, to_us_, as_of_us))
            derivation = self.enterprise.points[name].derivation
            for role, input_name in derivation.inputs if derivation else ():
                point = self.enterprise.points[input_name]
                result.append(self._channel(point, sign, {"of": name, "as": role}, from_us, to_us_, as_of_us))
        return result

    def _channel(
        self,
        point: Point,
        sign: int,
        input_of: dict[str, str] | None,
        from_us: int,
        to_us_: int,
        as_of_us: int | None,
    ) -> dict[str, Any]:
        answer = {
            "channel": point.name,
            "sign": sign,
            "meter": self.enterprise.meters.get(point.meter),
            "unit": point.unit,
            "input": input_of,
            "derived": None,
            "versions": [],
            "readings": [],
        }
        if point.derivation is not None:
            answer["derived"] = {
                "function": point.derivation.function,
                "inputs": dict(point.derivation.inputs),
            }
            return answer
        answer["versions"] = [
            channel_version(version, self.session)
            for version in point.versions
            if version.valid_from_us <= to_us_
            and (version.valid_to_us is None or from_us <= version.valid_to_us)
        ]
        judged = read_judged(self.session, point, from_us, to_us_ + DAY_US, as_of_us)
        # A boundary's value is interpolated between the standing readings on its two sides.
        inside = judged.between(from_us, to_us_ + 1)
        places = list(inside)
        before, after = judged.last_standing_before(from_us), judged.first_standing_from(to_us_ + 1)
        if before is not None:
            places.insert(0, before)
        if after is not None:
            places.append(after)
        if len(places) > READINGS_MAX:
            raise Problem(
                422,
                [
                    Fault(
                        "limit",
                        f"{point.name} has {len(places)} readings in {(to_us_ - from_us) // INTERVAL_US} intervals,"
                        f" more than the {READINGS_MAX} of one answer: ask for fewer intervals a page",
                    )
                ],
            )
        gateways = consumption.gateway_names(
            self.session.conn, sorted({int(judged.records["gateway"][place]) for place in places})
        )
        answer["readings"] = [judged.described(place, self.session, gateways) for place in places]
        return answer


_FACTOR_FIELDS = (
    "unit", "formula", "method", "name", "clause", "edition", "document", "confidence", "fuel", "material", "gas",
    "scope", "boundaries", "deduction", "amount_unit", "amount_per_unit", "tco2e_per_amount", "provisional",
    "factors", "passed_over", "substitution",
)  # fmt: skip


@router.get(
    "/v1/enterprises/{uscc}/derivation",
    response_model=schemas.Derivation,
    responses=problems(401, 403, 404, 422),
    summary="How a source's emissions came to be",
)
def get_derivation(
    uscc: Uscc,
    source: Annotated[str, Query(max_length=64, description="Id of the source.", examples=["grid"])],
    key: Reader,
    context: TheContext,
    whole: RangeParameters,
    page: Annotated[Page, Depends(paged(INTERVALS_DEFAULT))],
    boundary: BoundaryParameter = Boundary.ACCOUNT,
    as_of: AsOf = None,
) -> Response:
    """Everything behind a sum: `co2e_kg` is that of the whole range; `intervals` are the page's, each with the amount
    of every channel in it, its factor, the rules it was computed by, what caused it and what it supersedes;
    `channels` have the readings around and between them; `factors` the figures of the factors, each with its source,
    edition, clause and confidence; `missing_factors` what emissions are null for want of, and what to do. A page ends
    with `next` where the range has more intervals than its limit.
    """
    if whole.to_us - whole.from_us > DAYS_MAX * DAY_US:
        raise Problem(422, [Fault("to", f"lies more than {DAYS_MAX} days after from: ask for less at once")])
    with context.session(key, as_of) as session:
        enterprise = session.enterprise(uscc)
        its = session.source(enterprise, source)
        story = _Story(session, enterprise, its, boundary, whole, session.run(as_of, enterprise))
        numbers, next_cursor = _interval_numbers(page, whole)
        story.read(numbers)
        total = story.total()
        used_ids = sorted(
            {entry.row.factor_id for number in numbers for entry in story.standing.get(number, [])}
            & story.factors.keys()
        )
        used = [story.used_factor(story.factors[id_]) for id_ in used_ids]
        newest = used[-1] if used else {}
        version = story.version_at(numbers[-1] * INTERVAL_US)
        rules = sorted({run.rules_version for run in story.runs.values()})
        return json_answer(
            {
                "uscc": enterprise.uscc,
                "source": its.code,
                "boundary": boundary,
                "from": session.text(whole.from_us),
                "to": session.text(whole.to_us),
                "co2e_kg": co2e_kg(total),
                "quality": total.quality_name,
                "flags": total.flag_names,
                "intervals_known": total.credited,
                "sum": FORMULA,
                "method": version.method if version else None,
                "expression": _expression(version) if version else None,
                "formula": newest.get("formula"),
                "clause": newest.get("clause"),
                "edition": newest.get("edition"),
                "factor_set": ",".join(sorted({each["factor_set"] for each in used})) or None,
                "rules_version": ",".join(rules) or None,
                "factors": [
                    {**figure, "of": each["id"]} for each in used for figure in each.get("factors") or ()
                ],
                "used_factors": used,
                "missing_factors": missing_factors(
                    session, context.library, enterprise, its, boundary, whole, story.known()
                ),
                "intervals": [story.interval(number) for number in numbers],
                "channels": story.channels(numbers, as_of),
                "next": next_cursor,
            }
        )


def _expression(version: SourceVersion) -> str:
    return " ".join(f"{'-' if term.sign < 0 else '+'} {term.point}" for term in version.terms).removeprefix(
        "+ "
    )


def _interval_numbers(page: Page, whole: Range) -> tuple[range, str | None]:
    first, end = whole.from_us // INTERVAL_US, whole.to_us // INTERVAL_US
    if page.after is not None:
        if not whole.from_us <= page.after.at_us < whole.to_us - INTERVAL_US:
            raise Problem(422, [Fault("cursor", "lies outside of the range")])
        first = page.after.at_us // INTERVAL_US + 1
    last = min(end, first + page.limit)
    return range(first, last), page.next((last - 1) * INTERVAL_US, "") if last < end else None
