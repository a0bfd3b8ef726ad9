"""Recomputing the ledger of sources: from the consumption of their points to entries and sums of months."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from accounting.books import Books
from accounting.due import affected_days, refactored_days
from accounting.entries import Changes, dense_days, ledger_changes
from accounting.factors.load import FactorLibrary, SourceFactor
from accounting.plain_sources import Job, Plain, plain_jobs
from accounting.plain_sources import recompute as recompute_plain
from accounting.points import Touched, touched_days
from accounting.rows import bridged, by_id, columns_of, stretches
from accounting.sources import SourceStretch, Window, lacking_days, points_of, source_stretches
from accounting.substitution import affected, filling_rules, looks_at_months, reach
from accounting.work import Cause, EnterpriseWork, Memory, Rows, SourceWork, TickResult
from domain.interval import INTERVALS_PER_DAY, Calendar
from domain.ledger import ACCOUNT_SERIES, SERIES_PER_GAS, Trait
from domain.registry import Enterprise, Source

STRETCHES_MAX = 4  # of days of a source that are recomputed apart; each looks at its whole years
SOURCE_DAYS_MAX = 4_000  # recomputed together, each of about 10 KB with what it is made of


class SourcesRun:
    """The sources of a group of enterprises within one run."""

    def __init__(
        self,
        books: Books,
        library: FactorLibrary,
        calendar: Calendar,
        run_id: int,
        result: TickResult,
        memory: Memory,
    ) -> None:
        self._books = books
        self._library = library
        self._calendar = calendar
        self._run_id = run_id
        self._result = result
        self._memory = memory
        self._rules = library.tables.substitutions

    def recompute(self, group: Sequence[EnterpriseWork], touched: Touched) -> None:
        """Recompute the sources over changed points and those that changed themselves."""
        jobs: list[Job] = []
        spans = self._spans(group)
        standing = self._standing(group, spans)
        for work in group:
            for source in work.enterprise.sources.values():
                points = points_of(work.enterprise, source, self._rules)
                days, cause = touched_days(points, touched)
                if cause is not None:
                    days = self._affected(work.enterprise, source, days)
                own = work.sources.get(source.id)
                if own is not None and source.id in spans:
                    mine = self._own_days(
                        work.enterprise, own, *spans[source.id], standing.get(source.id, {})
                    )
                    days = np.setdiff1d(days, mine, assume_unique=True)
                    jobs += self._jobs(work, source, mine, own.cause)
                if cause is not None:
                    jobs += self._jobs(work, source, days, cause)
        together: list[Job] = []
        days_together = 0
        for job in jobs:
            together.append(job)
            days_together += job[3] - job[2]
            if days_together >= SOURCE_DAYS_MAX:
                self._source_jobs(together)
                together, days_together = [], 0
        if together:
            self._source_jobs(together)

    def _affected(self, enterprise: Enterprise, source: Source, touched: Rows) -> Rows:
        """The days whose entries may change where the consumption of `touched` did.

        Where only `electricity_highest_month` fills, a day that lacks nothing is what its own consumption says,
        whatever happened elsewhere in its year: the touched days and those that lack something are enough.
        """
        applied = filling_rules(source, self._rules)
        days = affected(applied, touched, self._calendar)
        if not looks_at_months(applied) or not len(days):
            return days
        ids = [point.id for point in points_of(enterprise, source, self._rules)]
        bounds = self._books.day_bounds(ids)
        ledger = self._books.source_bounds([source.id])
        # beyond these nothing is known, and so nothing is filled, and there are no entries to take back
        last_day = max(last for _, last in [*bounds.values(), *ledger.values(), (0, int(touched.max()))])
        first_day, end_day = int(days[0]), min(int(days[-1]), last_day) + 1
        if first_day >= end_day:
            return touched
        rows = by_id(
            self._books.consumption(sorted(ids), [first_day] * len(ids), [end_day - 1] * len(ids)),
            "channel_id",
            ids,
        )
        window = Window(first_day, {id_: dense_days(rows[id_], first_day, end_day) for id_ in ids})
        lacking = lacking_days(enterprise, source, window, first_day, end_day, self._calendar)
        return bridged(np.union1d(touched, np.intersect1d(lacking, days)), STRETCHES_MAX)

    def _spans(self, group: Sequence[EnterpriseWork]) -> dict[int, tuple[int, int]]:
        """First and end day of what there can be of each source to be recomputed by itself, by its id."""
        own = [(work.enterprise, each.source) for work in group for each in work.sources.values()]
        points = {source.id: points_of(enterprise, source, self._rules) for enterprise, source in own}
        bounds = self._books.source_bounds(list(points))
        point_bounds = self._books.day_bounds(
            sorted({point.id for each in points.values() for point in each})
        )
        spans = {}
        for id_, its_points in points.items():
            found = [bounds[id_]] if id_ in bounds else []
            found += [point_bounds[point.id] for point in its_points if point.id in point_bounds]
            if found:
                spans[id_] = min(first for first, _ in found), max(last for _, last in found) + 1
        return spans

    def _standing(
        self, group: Sequence[EnterpriseWork], spans: Mapping[int, tuple[int, int]]
    ) -> dict[int, dict[int, frozenset[int]]]:
        """Ids of the factors that entries stand on, by source and day, of those whose factors may be others."""
        wants = [
            (id_, *spans[id_])
            for work in group
            for id_, own in work.sources.items()
            if own.refactored and id_ in spans
        ]
        found: dict[int, dict[int, frozenset[int]]] = {}
        for id_, day, factor_id in self._books.factor_days(*columns_of(wants)):
            days = found.setdefault(id_, {})
            days[day] = days.get(day, frozenset()) | {factor_id}
        return found

    def _own_days(
        self,
        enterprise: Enterprise,
        work: SourceWork,
        first_day: int,
        end_day: int,
        standing: Mapping[int, frozenset[int]],
    ) -> Rows:
        """The days on which a source is to be recomputed by itself."""
        if work.refactored:
            return np.fromiter(
                refactored_days(
                    enterprise,
                    work.source,
                    first_day,
                    end_day,
                    standing,
                    lambda factor: self._books.known_factor(digest_of(factor)),
                    self._library,
                    self._calendar,
                ),
                np.int64,
            )
        if work.since_us is not None:
            days = np.arange(max(first_day, self._calendar.day(work.since_us)), end_day)
            days = affected(filling_rules(work.source, self._rules), days, self._calendar)
            return days[(days >= first_day) & (days < end_day)]
        if work.before is None:
            return np.arange(first_day, end_day)
        ranges = affected_days(
            work.before, enterprise, work.source, first_day, end_day, self._library, self._calendar
        )
        return np.concatenate([np.empty(0, np.int64), *(np.arange(first, end) for first, end in ranges)])

    def _jobs(self, work: EnterpriseWork, source: Source, days: Rows, cause: Cause) -> list[Job]:
        if work.within is not None:
            first, end = work.within
            days = days[(days >= first) & (days < end)]
        return [
            (work.enterprise, source, start, min(start + 366, end_day), cause)
            for first_day, end_day in stretches(days)
            for start in range(first_day, end_day, 366)
        ]

    def _source_jobs(self, jobs: Sequence[Job]) -> None:
        if self._result.differences is None:
            plain, jobs = plain_jobs(jobs, self._library, self._calendar, self._memory)
            if plain:
                jobs = [*jobs, *self._plain_jobs(plain)]
        if jobs:
            self._cut_jobs(jobs)

    def _plain_jobs(self, plain: Sequence[Plain]) -> list[Job]:
        """Recompute plain jobs together; gives those that aren't, after all."""
        factor_ids = {
            id(factor): self._factor_id(factor) for each in plain for _, factor, _ in each.plan.factors
        }
        cause_ids = self._cause_ids([each.job for each in plain])
        written, others = recompute_plain(
            plain, self._books, self._run_id, cause_ids, factor_ids, self._memory
        )
        if written is not None and len(written.rows):
            alike: dict[Trait, list[int]] = defaultdict(list)
            for place, (plan, index) in enumerate(written.plans):
                alike[_trait_of(plan.factors[index][1], plan.unit)].append(place)
            self._write_rows(
                written.rows,
                written.superseded,
                [(trait, written.rows[places], written.owners[places]) for trait, places in alike.items()],
            )
            self._result.entries += written.entries
            self._result.superseded += int(written.superseded.sum())
        return others

    def _cause_ids(self, jobs: Sequence[Job]) -> dict[Cause, int]:
        causes = sorted({job[4] for job in jobs}, key=repr)
        return dict(zip(causes, self._books.causes(self._run_id, causes), strict=True))

    def _cut_jobs(self, jobs: Sequence[Job]) -> None:
        """Recompute each job by itself, cut where its version or its factors change."""
        for _, source, _, _, _ in jobs:
            self._memory.ledger.pop(source.id, None)
        reaches = [
            reach(filling_rules(source, self._rules), first_day, end_day, self._calendar)
            for _, source, first_day, end_day, _ in jobs
        ]
        points = [[point.id for point in points_of(job[0], job[1], self._rules)] for job in jobs]
        wants = sorted(
            {
                (point_id, first_day, end_day - 1)
                for ids, (first_day, end_day) in zip(points, reaches, strict=True)
                for point_id in ids
            }
        )
        consumption = self._books.consumption(*columns_of(wants))
        standing = self._books.ledger(*columns_of([(job[1].id, job[2], job[3] - 1) for job in jobs]))
        by_point = by_id(consumption, "channel_id", [want[0] for want in wants])
        by_source = by_id(standing, "source_id", [job[1].id for job in jobs])
        cause_ids = self._cause_ids(jobs)
        written: list[tuple[Enterprise, Trait, Changes]] = []
        for (enterprise, source, first_day, end_day, cause), ids, (from_day, to_day) in zip(
            jobs, points, reaches, strict=True
        ):
            window = Window(from_day, {id_: dense_days(by_point[id_], from_day, to_day) for id_ in ids})
            series = set(by_source[source.id]["series"].tolist())
            for stretch in source_stretches(
                enterprise, source, first_day, end_day, window, self._library, self._calendar, series
            ):
                days = len(stretch.mg)
                standing_here = _days(
                    by_source[source.id], stretch.series, stretch.first_day, stretch.first_day + days
                )
                if stretch.factor is None and not len(standing_here):
                    continue
                factor_id = 0 if stretch.factor is None else self._factor_id(stretch.factor)
                changes = ledger_changes(
                    source.id,
                    stretch.series,
                    stretch.exponent,
                    standing_here,
                    stretch.first_day,
                    stretch.consumption,
                    stretch.mg,
                    stretch.states,
                    np.full(days, factor_id),
                    np.full((days, INTERVALS_PER_DAY), cause_ids[cause]),
                    self._run_id,
                )
                if len(changes.rows):
                    trait = _trait(stretch)
                    written.append((enterprise, trait, changes))
                    if self._result.differences is not None:
                        self._result.differences.add(
                            (enterprise.uscc, source.code, stretch.series),
                            changes,
                            (cause.kind, cause.by_whom, cause.why),
                            trait,
                        )
        self._write_ledger(written)

    def _write_ledger(self, written: Sequence[tuple[Enterprise, Trait, Changes]]) -> None:
        if not written:
            return
        all_changes = [changes for _, _, changes in written]
        rows = np.concatenate([changes.rows for changes in all_changes])
        alike: dict[Trait, list[tuple[Rows, int]]] = defaultdict(list)
        for enterprise, trait, changes in written:
            alike[trait].append((changes.rows, enterprise.id))
        self._write_rows(
            rows,
            np.concatenate([changes.superseded for changes in all_changes]),
            [
                (
                    trait,
                    np.concatenate([part for part, _ in parts]),
                    np.concatenate([np.full(len(part), id_) for part, id_ in parts]),
                )
                for trait, parts in alike.items()
            ],
        )
        self._result.entries += sum(int(changes.changed.sum()) for changes in all_changes)
        self._result.superseded += sum(int(changes.superseded.sum()) for changes in all_changes)

    def _write_rows(self, rows: Rows, superseded: Rows, groups: Sequence[tuple[Trait, Rows, Rows]]) -> None:
        """Rows in the place of those of their source-days, with the months that they are of.

        superseded  bool (r, 96)  entries of these rows that were others before
        groups      the rows again by how they count, with the ids of their enterprises
        """
        places = np.flatnonzero(superseded.any(axis=1))
        self._books.keep_ledger(
            self._run_id,
            rows["source_id"][places],
            rows["day"][places],
            rows["series"][places],
            superseded[places],
        )
        self._books.replace_ledger(groups)
        starts = {
            day: (self._calendar.month_start(day), self._calendar.month_start(day, 1))
            for day in np.unique(rows["day"]).tolist()
        }
        pairs = set(zip(rows["source_id"].tolist(), rows["day"].tolist(), strict=True))
        self._books.sum_months(*columns_of(sorted({(source, *starts[day]) for source, day in pairs})))

    def _factor_id(self, factor: SourceFactor) -> int:
        known = self._memory.factor_ids.get(id(factor))
        if known is not None and known[0] is factor:
            return known[1]
        factor_id = self._books.used_factor(
            digest_of(factor),
            self._library.set_hash,
            factor.mg_per_unit.numerator,
            factor.mg_per_unit.denominator,
            factor.description,
        )
        self._memory.factor_ids[id(factor)] = (factor, factor_id)
        return factor_id


def digest_of(factor: SourceFactor) -> str:
    """What tells one factor from another, whichever set it is from."""
    content = json.dumps(
        [str(factor.mg_per_unit), factor.gas, factor.scope, factor.boundaries, factor.description],
        ensure_ascii=False,
        sort_keys=True,
    )
    return hashlib.sha256(content.encode()).hexdigest()


def _trait_of(factor: SourceFactor, unit: str) -> Trait:
    return Trait(factor.gas, factor.scope, factor.boundaries, unit)


def _trait(stretch: SourceStretch) -> Trait:
    factor = stretch.factor
    if factor is None:  # entries that stood until now and have become missing
        of_account = stretch.series % SERIES_PER_GAS == ACCOUNT_SERIES
        boundaries = ("account", "ets") if of_account else ("ets",)
        return Trait("CO2", 0, boundaries, stretch.unit)
    return _trait_of(factor, stretch.unit)


def _days(rows: Rows, series: int, first_day: int, end_day: int) -> Rows:
    here: Rows = rows[(rows["series"] == series) & (rows["day"] >= first_day) & (rows["day"] < end_day)]
    return here
